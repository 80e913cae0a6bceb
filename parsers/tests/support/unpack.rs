//! The decompressors of the tests.

use std::cell::RefCell;
use std::io::Read as _;

use parsers::trace_dat::{Method, Unpack};
use zstd::bulk::Decompressor;

/// zstd and zlib. A context for each piece would cost more than the piece.
#[derive(Default)]
pub(crate) struct Unpacker {
    zstd: RefCell<Option<Decompressor<'static>>>,
}

impl Unpack for Unpacker {
    fn unpack(&self, method: Method, packed: &[u8], size: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let result = match method {
            Method::Zstd => {
                let mut slot = self.zstd.borrow_mut();
                let context = match slot.take() {
                    Some(context) => Ok(context),
                    None => Decompressor::new(),
                };
                out.reserve(size);
                context.and_then(|mut context| {
                    let result = context.decompress_to_buffer(packed, out);
                    *slot = Some(context);
                    result
                })
            }
            Method::Zlib => flate2::read::ZlibDecoder::new(packed).take(size as u64 + 1).read_to_end(out),
        };
        result.map_err(|error| error.to_string())?;
        if out.len() <= size { Ok(()) } else { Err("longer than told".to_owned()) }
    }
}
