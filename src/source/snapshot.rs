//! `/proc/vmallocinfo` text → [`Baseline`].

use parsers::listing;
use parsers::sniff::Format;
use parsers::vmallocinfo::{self, Confidence, State};

use crate::log::{Baseline, BaselineArea, BaselineState, FileProblem, Log, Pointers};

use super::SourceError;

/// Reads a snapshot; what is damaged is added to `problems`.
///
/// # Errors
/// There is not a single area in it.
pub fn read(name: &str, text: &[u8], problems: &mut Vec<FileProblem>) -> Result<Baseline, SourceError> {
    let mut areas = Vec::new();
    let mut reader = vmallocinfo::Reader::new();
    reader.read(text, &mut |row| areas.push(area(row)));
    let (pointers, found) = reader.finish();
    let found = found.into_iter().map(|problem| FileProblem { file: name.to_owned(), problem });
    problems.extend(found);
    if areas.is_empty() {
        return Err(SourceError::NoAreas { name: name.to_owned() });
    }
    Ok(Baseline { areas, pointers })
}

/// Reads the areas of one moment in the form that was found.
///
/// # Errors
/// As [`read`].
pub fn read_as(
    format: Format,
    name: &str,
    text: &[u8],
    problems: &mut Vec<FileProblem>,
) -> Result<Baseline, SourceError> {
    let Format::Listing(dialect) = format else { return read(name, text, problems) };
    let snapshot = listing::parse(dialect, text);
    let found = snapshot.problems.into_iter().map(|problem| FileProblem { file: name.to_owned(), problem });
    problems.extend(found);
    if snapshot.areas.is_empty() {
        return Err(SourceError::NoAreas { name: name.to_owned() });
    }
    Ok(Baseline { areas: snapshot.areas.iter().map(area).collect(), pointers: snapshot.pointers })
}

fn area(row: &vmallocinfo::Area<'_>) -> BaselineArea {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let caller = row.caller.as_ref();
    let caller_full = caller.map_or_else(String::new, |caller| {
        if caller.length == 0 {
            lossy(&caller.symbol)
        } else {
            format!("{}+{:#x}/{:#x}", lossy(&caller.symbol), caller.offset, caller.length)
        }
    });
    BaselineArea {
        line: row.line,
        start: row.start,
        end: row.end,
        size: row.size,
        caller: caller.map_or_else(String::new, |caller| lossy(&caller.symbol)),
        caller_full,
        module: caller.and_then(|caller| caller.module.as_deref()).map(lossy),
        pages: row.pages.unwrap_or(0),
        phys: row.phys,
        flags: row.flags,
        nodes: row.nodes.to_vec(),
        state: match row.state {
            State::Busy => BaselineState::Busy,
            State::VmMapRam => BaselineState::VmMapRam,
            State::Unpurged => BaselineState::Unpurged,
        },
        repaired: row.confidence == Confidence::Repaired,
    }
}

/// A snapshot taken in another boot would seed the model with nonsense: nearly all of its areas then lie outside the
/// range the trace allocates from.
///
/// # Errors
/// It does not belong to the trace.
pub fn check_same_machine(log: &Log) -> Result<(), SourceError> {
    let widest = log.names.windows().iter().max_by_key(|window| window.len_bytes());
    let Some(window) = log.origin.vmalloc.as_ref().or(widest) else { return Ok(()) };
    for snapshot in [&log.before, &log.after].into_iter().flatten() {
        if snapshot.pointers != Pointers::Real || log.events.is_empty() {
            continue;
        }
        let areas = snapshot.areas.len();
        let inside = |area: &&BaselineArea| window.vstart <= area.start && area.start < window.vend;
        let outside = areas - snapshot.areas.iter().filter(inside).count();
        if outside * 2 > areas {
            let (vstart, vend) = (window.vstart, window.vend);
            return Err(SourceError::AnotherMachine { areas, outside, vstart, vend });
        }
    }
    Ok(())
}
