//! Bytes from files and standard input, decompressed, with a cap.

use std::fs::File;
use std::io::Read;

use parsers::sniff::{Format, sniff};

use super::{Input, SourceError};

/// What a decompressed input may hold: a guard against bombs, far above any trace people keep.
const MAX_DECOMPRESSED: u64 = 8 << 30;

/// Reads an input whole.
///
/// # Errors
/// What the system says.
pub fn read(input: &Input) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let done = match input {
        Input::Stdin => std::io::stdin().lock().read_to_end(&mut bytes),
        Input::Path(path) => File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
        Input::Live => File::open("/proc/vmallocinfo").and_then(|mut file| file.read_to_end(&mut bytes)),
        Input::Embedded => Ok(0),
    };
    match done {
        Ok(_) => Ok(bytes),
        Err(reason) => Err(SourceError::Unreadable { name: input.typed(), reason }),
    }
}

/// Unpacks zstd by content; other bytes come back as they are.
///
/// # Errors
/// The stream is damaged or too large.
pub fn decompress<'a>(name: &str, bytes: &'a [u8]) -> Result<std::borrow::Cow<'a, [u8]>, SourceError> {
    if sniff(bytes) != Format::Zstd {
        return Ok(bytes.into());
    }
    let damaged = |reason: String| SourceError::Compressed { name: name.to_owned(), reason };
    let decoder = zstd::stream::read::Decoder::new(bytes).map_err(|error| damaged(error.to_string()))?;
    let mut plain = Vec::new();
    let size = decoder.take(MAX_DECOMPRESSED + 1).read_to_end(&mut plain);
    match size {
        Ok(size) if size as u64 > MAX_DECOMPRESSED => Err(damaged("more than 8 GiB when unpacked".to_owned())),
        Ok(_) => Ok(plain.into()),
        Err(error) => Err(damaged(error.to_string())),
    }
}
