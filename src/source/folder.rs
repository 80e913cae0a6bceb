//! Capture folders: `trace.txt`, snapshots around it, ground truth and `meta.toml`, each also as `.zst`.

use std::path::Path;

use crate::log::{InputKind, Log};

use super::{Input, SourceError, bytes, meta, snapshot, trace};

/// Reads a capture folder.
///
/// # Errors
/// A member cannot be read, or there is neither a trace nor a snapshot.
pub fn read(folder: &Path) -> Result<Log, SourceError> {
    let mut log = Log::default();
    if let Some(text) = member(folder, "meta.toml")? {
        meta::read("meta.toml", &String::from_utf8_lossy(&text), &mut log.origin)?;
    }
    if let Some(text) = member(folder, "vmallocinfo.before")? {
        log.before = Some(snapshot::read("vmallocinfo.before", &text, &mut log.problems)?);
    }
    if let Some(text) = member(folder, "vmallocinfo.after")? {
        log.after = Some(snapshot::read("vmallocinfo.after", &text, &mut log.problems)?);
    }
    if let Some(text) = member(folder, "allocator-state.after")? {
        // Recorders that could not read the kernel write an empty file.
        let truth = parsers::allocator_state::parse(&text).0;
        log.truth = (!truth.free.is_empty()).then_some(truth);
    }
    let name = Input::Path(folder.to_owned()).name();
    match member(folder, "trace.txt")? {
        Some(text) => {
            trace::read("trace.txt", &text, &mut log);
            let counts = log.counts();
            if counts.alloc + counts.free + counts.purge == 0 && log.before.is_none() {
                return Err(SourceError::NoEvents { name, other: counts.other });
            }
        }
        None if log.before.is_some() => log.origin.kind = InputKind::Snapshot,
        None => return Err(SourceError::NoMembers { name }),
    }
    Ok(log)
}

/// A member, plain or compressed; `None` if the folder has neither.
pub(super) fn member(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
    for file in [name.to_owned(), format!("{name}.zst")] {
        let path = folder.join(&file);
        if path.is_file() {
            let packed = bytes::read(&Input::Path(path))?;
            return Ok(Some(bytes::decompress(&file, &packed)?.into_owned()));
        }
    }
    Ok(None)
}
