//! The decompressors of the tests.

use std::io::Read as _;

use parsers::trace_dat::{Method, Unpack};

/// zstd and zlib.
pub(crate) struct Unpacker;

impl Unpack for Unpacker {
    fn unpack(&self, method: Method, packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let limit = size as u64 + 1;
        let result = match method {
            Method::Zstd => {
                zstd::stream::read::Decoder::new(packed).and_then(|mut d| (&mut d).take(limit).read_to_end(out))
            }
            Method::Zlib => flate2::read::ZlibDecoder::new(packed).take(limit).read_to_end(out),
        };
        result.map_err(|error| error.to_string())?;
        if out.len() <= size { Ok(()) } else { Err("longer than told".to_owned()) }
    }
}
