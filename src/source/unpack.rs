//! Decompressors for the parts of a `trace.dat`.

use std::io::Read;

use parsers::trace_dat::{Method, Unpack};

/// zstd and zlib.
#[derive(Debug, Clone, Copy, Default)]
pub struct Decompressors;

impl Unpack for Decompressors {
    fn unpack(&self, method: Method, packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), String> {
        // One byte more than there may be tells that there are too many.
        let most = size as u64 + 1;
        let done = match method {
            Method::Zstd => zstd::stream::read::Decoder::with_buffer(packed)
                .and_then(|decoder| decoder.single_frame().take(most).read_to_end(out)),
            Method::Zlib => flate2::bufread::ZlibDecoder::new(packed).take(most).read_to_end(out),
        };
        match done {
            Ok(_) if size < out.len() => Err(format!("it unpacks to more than {size} bytes")),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string().to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn both_ways_and_no_more_than_was_said() {
        let plain = b"ftrace ".repeat(1000);
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(&plain).expect("in memory");
        let zlib = zlib.finish().expect("in memory");
        let zst = zstd::stream::encode_all(&plain[..], 1).expect("in memory");
        for (method, packed) in [(Method::Zlib, zlib), (Method::Zstd, zst)] {
            let unpack = |packed: &[u8], size: usize| {
                let mut out = Vec::new();
                Decompressors.unpack(method, packed, size, &mut out).map(|()| out)
            };
            assert_eq!(unpack(&packed, 7000).as_deref(), Ok(&plain[..]));
            assert!(unpack(&packed, 6999).is_err());
            assert!(unpack(&packed[..packed.len() / 2], 7000).is_err());
            assert!(unpack(b"nonsense", 10).is_err());
        }
    }
}
