//! Binary recordings: `trace.dat`, read at its places.

use std::sync::Arc;

use parsers::Problem;
use parsers::record::Record;
use parsers::trace_dat::{self, Facts, TraceDat};

use super::SourceError;
use super::read_at::ReadAt;
use super::stream::Stream;
use super::unpack::Decompressors;

/// The bytes of an input, as the parser wants them.
struct Bytes(Arc<dyn ReadAt>);

impl trace_dat::ReadAt for Bytes {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_at(offset, buf)
    }

    fn len(&self) -> u64 {
        self.0.len()
    }
}

/// Shows `visit` every record, by stamp; what the recording says about itself, and its damaged places. A file on disk is
/// read page by page; one that is packed or piped is in memory.
///
/// # Errors
/// It is no recording that can be read.
pub fn read(stream: &mut Stream, visit: &mut dyn FnMut(&Record<'_>)) -> Result<(Facts, Vec<Problem>), SourceError> {
    let bytes = Bytes(stream.places()?);
    let refused =
        |refusal: trace_dat::Refusal| SourceError::Damaged { name: stream.name.clone(), why: refusal.to_string() };
    let unpack = Decompressors::default();
    let mut dat = TraceDat::open(&bytes, &unpack).map_err(refused)?;
    dat.records(|record, _| visit(record));
    Ok(dat.into_parts())
}
