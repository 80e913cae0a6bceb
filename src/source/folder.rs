//! Capture folders: `trace.txt`, snapshots around it, ground truth, `meminfo` and `meta.toml`, each also as `.zst`.

use std::path::Path;

use crate::log::{FileProblem, InputKind, Log};

use super::{Input, SourceError, bytes, meminfo, meta, snapshot, state, trace};

/// Reads a capture folder.
///
/// # Errors
/// A member cannot be read, or there is neither a trace nor a snapshot.
pub fn read(folder: &Path) -> Result<Log, SourceError> {
    let mut log = Log::default();
    if let Some(text) = member(folder, "meta.toml")? {
        meta::read("meta.toml", &String::from_utf8_lossy(&text), &mut log.origin)?;
    }
    if let Some(text) = member(folder, "meminfo")? {
        meminfo::read(&text, &mut log.origin);
    }
    if let Some(text) = member(folder, "vmallocinfo.before")? {
        log.before = Some(snapshot::read("vmallocinfo.before", &text, &mut log.problems)?);
    }
    if let Some(text) = member(folder, state::BEFORE)? {
        log.state_before = state::read(state::BEFORE, &text, &mut log.problems);
    }
    if let Some(text) = member(folder, "vmallocinfo.after")? {
        log.after = Some(snapshot::read("vmallocinfo.after", &text, &mut log.problems)?);
    }
    if let Some(text) = member(folder, "allocator-state.after")? {
        let (truth, problems) = parsers::allocator_state::parse(&text);
        let file = || "allocator-state.after".to_owned();
        log.problems.extend(problems.into_iter().map(|problem| FileProblem { file: file(), problem }));
        log.truth = (!truth.free.is_empty()).then_some(truth);
    }
    let name = Input::Path(folder.to_owned()).name();
    match member(folder, "trace.txt")? {
        Some(text) => {
            trace::read("trace.txt", &text[..], &mut log)
                .map_err(|reason| SourceError::Unreadable { name: name.clone(), reason })?;
            let counts = log.counts();
            if counts.alloc + counts.free + counts.purge == 0 && log.before.is_none() {
                return Err(SourceError::NoEvents { name, other: counts.other });
            }
        }
        None if log.before.is_some() || log.after.is_some() => {
            log.origin.kind = InputKind::Snapshot;
            // A snapshot alone is what there is to see, whichever it is.
            log.before = log.before.take().or_else(|| log.after.take());
        }
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
            let plain = bytes::decompress(&file, &packed)?.into_owned();
            // Recorders that could not read a file leave an empty one: that is no member.
            return Ok(Some(plain).filter(|plain| !plain.is_empty()));
        }
    }
    Ok(None)
}
