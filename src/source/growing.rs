//! A recording that still grows, as its recorder has it in memory: what [`capture::read`] makes of the members of a bundle.

use crate::log::{InputKind, Log};

use super::capture::{self, Reach};
use super::dat::{self, Pages};
use super::stream::Stream;
use super::{SourceError, manifest, meminfo, snapshot};

/// What there is of it.
#[derive(Debug)]
pub struct Growing<'a> {
    /// Name for people.
    pub name: &'a str,
    /// The manifest that a bundle would have.
    pub manifest: &'a str,
    /// `/proc/meminfo`.
    pub meminfo: &'a [u8],
    /// `/proc/vmallocinfo` before it, if that could be read.
    pub before: Option<&'a [u8]>,
    /// And after it, if it is over.
    pub after: Option<&'a [u8]>,
    /// The pages.
    pub pages: Pages,
    /// How much of it is whole.
    pub reach: Reach,
}

/// Reads it.
///
/// # Errors
/// Something of it cannot be used.
pub fn read(growing: Growing<'_>) -> Result<Log, SourceError> {
    let Growing { name, manifest: facts, meminfo, before, after, mut pages, reach } = growing;
    let mut log = Log::default();
    manifest::read(facts.as_bytes(), &mut log.origin, &mut log.problems)?;
    meminfo::read(meminfo, &mut log.origin);
    if let Some(text) = before {
        log.before = Some(snapshot::read(capture::BEFORE, text, &mut log.problems)?);
    }
    if let Some(text) = after {
        log.after = Some(snapshot::read(capture::AFTER, text, &mut log.problems)?);
    }
    let origin = &mut log.origin;
    (origin.name, origin.description, origin.kind) = (name.to_owned(), None, InputKind::Trace);
    pages.release = origin.kernel.as_deref().unwrap_or_default().as_bytes().to_vec();
    capture::read_binary(&mut Stream::of_pages(dat::PAGES, pages), reach, &mut log)?;
    // Pages are in no file: what wrote them is this program.
    log.origin.form = None;
    Ok(log)
}
