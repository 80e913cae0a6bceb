//! Members with names: a folder, a zip, a tar, whatever the tar is packed with. Captures are read over this.

pub mod contents;
pub mod folder;
pub mod portion;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use parsers::{Problem, ProblemKind};

use crate::log::{FileProblem, escape};

use super::SourceError;
use super::pack::codec::{Codec, Deflate, Stored, decoder};
use super::pack::limits::{Faults, Limits};
use super::pack::{Packing, Unpacked, tar, zip};
use super::read_at::{Places, Section};
use super::stream::{Stream, spawn_layers};
use contents::{Contents, Entry, How};
use portion::{Checked, Portion};

/// Endings that a packed member may have behind its name.
pub(super) const ENDINGS: [&str; 3] = [".zst", ".gz", ".xz"];

/// The members of one input.
pub struct Members {
    /// The input, escaped for display.
    pub name: String,
    kind: Kind,
    entries: Vec<Entry>,
    /// What all names begin with that matter: people pack the folder, not what is in it.
    prefix: String,
    limits: Limits,
    /// What is wrong with the archive and with members that cannot be read at all.
    pub problems: Vec<FileProblem>,
}

enum Kind {
    Folder(PathBuf),
    Zip(Arc<Places>),
    /// With what is around the archive, the outermost first.
    Tar(Arc<Places>, Vec<Packing>),
}

impl Members {
    /// A folder on disk.
    pub fn folder(name: String, path: PathBuf) -> Self {
        let entries = folder::list(&path);
        let mut contents = Contents::default();
        contents.entries = entries;
        Self::new(name, Kind::Folder(path), contents, Limits::default())
    }

    /// An archive of which `layers` have been taken off to know it.
    ///
    /// # Errors
    /// There is something in it that no capture has.
    pub fn archive(
        name: &str,
        bytes: Arc<Places>,
        packing: Packing,
        layers: Vec<Packing>,
        limits: Limits,
    ) -> Result<Self, SourceError> {
        let refused =
            |refusal: contents::Refusal| SourceError::Refused { name: name.to_owned(), why: refusal.to_string() };
        let mut whole = None;
        let (kind, contents) = if packing == Packing::Zip {
            let contents = zip::list(&bytes).map_err(refused)?;
            (Kind::Zip(bytes), contents)
        } else if layers.is_empty() {
            let contents = tar::list(&mut Section::whole(Arc::clone(&bytes))).map_err(refused)?;
            (Kind::Tar(bytes, layers), contents)
        } else {
            let faults = Faults::default();
            let source = Box::new(Section::whole(Arc::clone(&bytes)));
            let reader = spawn_layers(name, source, &layers, &limits, &faults)?;
            let contents = tar::list(&mut tar::Packed(reader)).map_err(refused)?;
            whole = faults.take();
            (Kind::Tar(bytes, layers), contents)
        };
        let mut members = Self::new(name.to_owned(), kind, contents, limits);
        if let Some(fault) = whole {
            members.problems.push(super::stream::told(name, &fault)?);
        }
        Ok(members)
    }

    fn new(name: String, kind: Kind, contents: Contents, limits: Limits) -> Self {
        let flaws = contents.flaws.into_iter().map(|(at, what)| flaw(&name, at, what));
        let damaged = contents.entries.iter().filter_map(|entry| {
            let what = format!("the member cannot be read: {}", entry.flaw.as_ref()?);
            Some(flaw(&escape(entry.name.as_bytes()), entry.at, what))
        });
        let problems = flaws.chain(damaged).collect();
        let prefix = prefix_of(&contents.entries);
        Self { name, kind, entries: contents.entries, prefix, limits, problems }
    }

    /// The names, without what they all begin with.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter_map(|entry| entry.name.strip_prefix(&self.prefix))
    }

    /// The name under which a member is there: as it is, or packed.
    pub fn find(&self, name: &str) -> Option<&str> {
        let plain = self.names().find(|known| *known == name);
        plain.or_else(|| {
            self.names().find(|known| known.strip_prefix(name).is_some_and(|ending| ENDINGS.contains(&ending)))
        })
    }

    /// Opens a member, packed or not; `None` if it is not there, cannot be read, or is empty: recorders that could not
    /// read a file leave an empty one. One that is damaged from its beginning on is a problem.
    ///
    /// # Errors
    /// It is packed more often than sense makes, or is an archive again.
    pub fn open(&self, name: &str, problems: &mut Vec<FileProblem>) -> Result<Option<Stream>, SourceError> {
        let Some(found) = self.find(name) else { return Ok(None) };
        let full = format!("{}{found}", self.prefix);
        let Some(entry) = self.entries.iter().find(|entry| entry.name == full && entry.flaw.is_none()) else {
            return Ok(None);
        };
        let faults = Faults::default();
        let (reader, layers) = self.raw(entry, &faults)?;
        let shown = escape(found.as_bytes());
        let stream = Stream::peel(&shown, reader, layers, &self.limits, faults)?;
        if stream.is_blank() {
            problems.extend(stream.finish()?);
            return Ok(None);
        }
        Ok(Some(stream))
    }

    /// The bytes of a member as the archive has them, and how many layers are around it.
    fn raw(&self, entry: &Entry, faults: &Faults) -> Result<(Box<dyn Read + Send>, usize), SourceError> {
        match &self.kind {
            Kind::Folder(path) => {
                let path = path.join(&entry.name);
                let opened = File::open(&path);
                let unreadable =
                    |reason| SourceError::Unreadable { name: escape(path.to_string_lossy().as_bytes()), reason };
                Ok((Box::new(opened.map_err(unreadable)?), 0))
            }
            Kind::Zip(bytes) => {
                let codec: Box<dyn Codec> = match entry.how {
                    How::Stored => Box::new(Stored),
                    How::Deflate => Box::<Deflate>::default(),
                    How::Zstd => decoder(Packing::Zstd).map_err(|fault| super::stream::refusal(&self.name, &fault))?,
                    How::Xz => decoder(Packing::Xz).map_err(|fault| super::stream::refusal(&self.name, &fault))?,
                };
                let section = Section::new(Arc::clone(bytes), entry.at, entry.packed);
                let codec = Box::new(Checked::new(codec, entry.check));
                Ok((Box::new(Unpacked::spawn(section, codec, self.limits.clone(), faults.clone())), 0))
            }
            Kind::Tar(..) if entry.kept.is_some() => {
                let kept = entry.kept.clone().unwrap_or_default();
                let reader = std::io::Cursor::new(kept);
                Ok((Box::new(Portion::new(reader, 0, entry.packed, Faults::default(), faults.clone())), 1))
            }
            Kind::Tar(bytes, layers) if layers.is_empty() => {
                let section = Section::new(Arc::clone(bytes), entry.at, entry.packed);
                Ok((Box::new(Portion::new(section, 0, entry.packed, Faults::default(), faults.clone())), 0))
            }
            Kind::Tar(bytes, layers) => {
                let outer = Faults::default();
                let source = Box::new(Section::whole(Arc::clone(bytes)));
                // The budget was spent on this archive when its members were listed.
                let reader = spawn_layers(&self.name, source, layers, &Limits::default(), &outer)?;
                Ok((Box::new(Portion::new(reader, entry.at, entry.packed, outer, faults.clone())), layers.len()))
            }
        }
    }
}

/// A problem at a byte of a file that has no lines.
pub(super) fn flaw(file: &str, at: u64, what: String) -> FileProblem {
    let problem = Problem { line: 1, column: 1, offset: at, kind: ProblemKind::Container(what) };
    FileProblem { file: file.to_owned(), problem }
}

/// The folder inside the archive that the capture lies in: where the first file with a telling name is, else the one
/// that all names begin with.
fn prefix_of(entries: &[Entry]) -> String {
    let folder = |name: &str| name.rfind('/').map_or(0, |at| at + 1);
    let tells = |name: &str| {
        let file = &name[folder(name)..];
        super::capture::TELLING
            .iter()
            .any(|known| file.strip_prefix(known).is_some_and(|ending| ending.is_empty() || ENDINGS.contains(&ending)))
    };
    // Folders of a capture tell as well.
    let inside = |name: &str| {
        let found = folder::INSIDE.iter().find_map(|(inside, _)| name.find(&format!("{inside}/")))?;
        (found == 0 || name.as_bytes()[found - 1] == b'/').then_some(found)
    };
    let telling = entries.iter().filter(|entry| tells(&entry.name)).map(|entry| &entry.name[..folder(&entry.name)]);
    let around = entries.iter().filter_map(|entry| Some(&entry.name[..inside(&entry.name)?]));
    if let Some(nearest) = telling.chain(around).min_by_key(|prefix| prefix.matches('/').count()) {
        return nearest.to_owned();
    }
    let Some(first) = entries.first() else { return String::new() };
    let mut prefix = &first.name[..folder(&first.name)];
    while !entries.iter().all(|entry| entry.name.starts_with(prefix)) {
        let shorter = prefix.trim_end_matches('/');
        prefix = &prefix[..folder(shorter)];
    }
    prefix.to_owned()
}
