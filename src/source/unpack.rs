//! Decompressors for the parts of a `trace.dat`.

use std::cell::RefCell;
use std::io::Read;

use parsers::trace_dat::{Method, Unpack};
use zstd::bulk::Decompressor;

/// zstd and zlib. A zstd context for each chunk of a few pages would cost as much as the chunk, so one is kept.
#[derive(Default)]
pub struct Decompressors {
    zstd: RefCell<Option<Decompressor<'static>>>,
}

impl std::fmt::Debug for Decompressors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressors").finish_non_exhaustive()
    }
}

impl Decompressors {
    fn zstd(&self, packed: &[u8], size: usize, out: &mut Vec<u8>) -> std::io::Result<usize> {
        let kept = self.zstd.borrow_mut().take();
        let mut context = kept.map_or_else(Decompressor::new, Ok)?;
        out.clear();
        out.reserve(size);
        let done = context.decompress_to_buffer(packed, out);
        *self.zstd.borrow_mut() = Some(context);
        done
    }
}

impl Unpack for Decompressors {
    fn unpack(&self, method: Method, packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let done = match method {
            Method::Zstd => self.zstd(packed, size, out),
            // One byte more than there may be tells that there are too many.
            Method::Zlib => flate2::bufread::ZlibDecoder::new(packed).take(size as u64 + 1).read_to_end(out),
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
                Decompressors::default().unpack(method, packed, size, &mut out).map(|()| out)
            };
            assert_eq!(unpack(&packed, 7000).as_deref(), Ok(&plain[..]));
            assert!(unpack(&packed, 6999).is_err());
            assert!(unpack(&packed[..packed.len() / 2], 7000).is_err());
            assert!(unpack(b"nonsense", 10).is_err());
        }
    }
}
