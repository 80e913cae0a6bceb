//! A text of an input as a stream: unpacked on its way, recognised by its beginning, never in memory as a whole.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use parsers::sniff::{Doubt, Format, judge};

use crate::log::{FileProblem, Progress, Watched};

use super::dat::Pages;
use super::members::{Members, flaw};
use super::pack::codec::decoder;
use super::pack::limits::{Fault, Faults, Limits, MAX_LAYERS, MAX_RATIO, MAX_WHOLE};
use super::pack::{Packing, Unpacked, unread};
use super::read_at::{Disk, Places, ReadAt, Section};
use super::{Input, SourceError};

/// What is looked at to know what a text is.
const HEAD_BYTES: usize = 64 * 1024;

/// A text of an input.
pub struct Stream {
    /// File or member, escaped for display.
    pub name: String,
    /// What it is, by its content.
    pub format: Format,
    /// What else it could be.
    pub doubt: Option<Doubt>,
    head: Vec<u8>,
    /// What of `head` has been read.
    at: usize,
    rest: Box<dyn Read + Send>,
    faults: Faults,
    /// The bytes at their places, if nothing has to be unpacked.
    places: Option<Arc<Places>>,
    /// It is several members: raw pages with what describes them.
    pub(super) pages: Option<Box<Pages>>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("name", &self.name).field("format", &self.format).finish_non_exhaustive()
    }
}

/// What an input turned out to be.
pub enum Opened {
    /// One text.
    Text(Stream),
    /// A folder or an archive.
    Members(Members),
}

/// Opens an input.
///
/// # Errors
/// It cannot be read, is empty, or holds what no capture holds.
pub fn open(input: &Input) -> Result<Opened, SourceError> {
    open_watched(input, &None)
}

/// The same for somebody who waits.
///
/// # Errors
/// As [`open`].
pub fn open_watched(input: &Input, watched: &Watched) -> Result<Opened, SourceError> {
    let unreadable = |reason| SourceError::Unreadable { name: input.typed(), reason };
    let limits = Limits::default();
    let faults = Faults::default();
    let (source, places): (Box<dyn Read + Send>, Option<Arc<Places>>) = match input {
        Input::Path(path) if path.is_dir() => return Ok(Opened::Members(Members::folder(input.typed(), path.clone()))),
        Input::Path(path) => from_file(File::open(path).map_err(unreadable)?),
        Input::Live => from_file(File::open("/proc/vmallocinfo").map_err(unreadable)?),
        Input::Stdin => (Box::new(std::io::stdin()), None),
        // Neither is opened this way.
        Input::Embedded | Input::Several(_) => (Box::new(std::io::empty()), None),
    };
    let name = input.typed();
    let source = counted(source, places.as_deref(), watched);
    let peeled = peel(&name, source, 0, &limits, &faults)?;
    let Some(packing) = peeled.archive else {
        let places = places.filter(|_| peeled.layers.is_empty());
        return Ok(Opened::Text(Stream::of(&name, peeled, faults, places)));
    };
    // A zip is read at its places, and so is a packed tar without a place to go back to.
    let (bytes, layers) = match places {
        Some(places) if packing == Packing::Tar || peeled.layers.is_empty() => (places, peeled.layers),
        _ => {
            let mut stream = Stream::of(&name, peeled, faults, None);
            let bytes: Arc<Places> = Arc::new(stream.whole()?);
            (bytes, Vec::new())
        }
    };
    Ok(Opened::Members(Members::archive(&name, bytes, packing, layers, limits)?))
}

/// Counts what is read for somebody who waits.
fn counted(source: Box<dyn Read + Send>, places: Option<&Places>, watched: &Watched) -> Box<dyn Read + Send> {
    let Some(progress) = watched else { return source };
    progress.expect_bytes(places.map_or(0, ReadAt::len));
    Box::new(Counted { source, progress: Arc::clone(progress) })
}

/// A source whose bytes are counted.
struct Counted {
    source: Box<dyn Read + Send>,
    progress: Arc<Progress>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.source.read(buf)?;
        self.progress.add_bytes(n as u64);
        Ok(n)
    }
}

fn from_file(file: File) -> (Box<dyn Read + Send>, Option<Arc<Places>>) {
    match Disk::new(&file) {
        Some(disk) => {
            let places: Arc<Places> = Arc::new(disk);
            (Box::new(Section::whole(Arc::clone(&places))), Some(places))
        }
        None => (Box::new(file), None),
    }
}

/// A stream whose layers are off, as far as they can come off.
struct Peeled {
    head: Vec<u8>,
    rest: Box<dyn Read + Send>,
    layers: Vec<Packing>,
    archive: Option<Packing>,
}

/// Takes off one layer after the other; `outside` of them are around it already.
fn peel(
    name: &str,
    mut source: Box<dyn Read + Send>,
    outside: usize,
    limits: &Limits,
    faults: &Faults,
) -> Result<Peeled, SourceError> {
    let mut layers = Vec::new();
    loop {
        let mut head = Vec::new();
        let reason = source.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head);
        reason.map_err(|reason| SourceError::Unreadable { name: name.to_owned(), reason })?;
        if let Some((what, hint)) = unread(&head) {
            return Err(SourceError::OtherPacker { name: name.to_owned(), what, hint });
        }
        let packing = match Packing::of(&head) {
            Some(packing) if !packing.is_archive() => packing,
            archive => return Ok(Peeled { head, rest: source, layers, archive }),
        };
        if MAX_LAYERS as usize <= outside + layers.len() {
            let why = format!("it is compressed more than {MAX_LAYERS} times over");
            return Err(SourceError::Refused { name: name.to_owned(), why });
        }
        layers.push(packing);
        source = Box::new(std::io::Cursor::new(head).chain(source));
        source = spawn_layers(name, source, &[packing], limits, faults)?;
    }
}

/// Unpacks what `layers` are around, the outermost first.
///
/// # Errors
/// A decoder cannot be had.
pub(super) fn spawn_layers(
    name: &str,
    mut source: Box<dyn Read + Send>,
    layers: &[Packing],
    limits: &Limits,
    faults: &Faults,
) -> Result<Box<dyn Read + Send>, SourceError> {
    for packing in layers {
        let codec = decoder(*packing).map_err(|fault| refusal(name, &fault))?;
        source = Box::new(Unpacked::spawn(source, codec, limits.clone(), faults.clone()));
    }
    Ok(source)
}

impl Stream {
    /// A text from packed bytes around which `outside` layers are off already.
    ///
    /// # Errors
    /// There are too many layers, or an archive is inside.
    pub(super) fn peel(
        name: &str,
        source: Box<dyn Read + Send>,
        outside: usize,
        limits: &Limits,
        faults: Faults,
    ) -> Result<Self, SourceError> {
        let peeled = peel(name, source, outside, limits, &faults)?;
        if peeled.archive.is_some() {
            let why = "it is an archive inside an archive".to_owned();
            return Err(SourceError::Refused { name: name.to_owned(), why });
        }
        Ok(Self::of(name, peeled, faults, None))
    }

    fn of(name: &str, peeled: Peeled, faults: Faults, places: Option<Arc<Places>>) -> Self {
        let Peeled { head, rest, .. } = peeled;
        let (format, doubt) = judge(&head);
        Self { name: name.to_owned(), format, doubt, head, at: 0, rest, faults, places, pages: None }
    }

    /// Raw pages of several members as one recording.
    pub fn of_pages(name: &str, pages: Pages) -> Self {
        let peeled = Peeled { head: Vec::new(), rest: Box::new(std::io::empty()), layers: Vec::new(), archive: None };
        let pages = Some(Box::new(pages));
        Self { format: Format::TraceDat, pages, ..Self::of(name, peeled, Faults::default(), None) }
    }

    /// Bytes as a stream, for what is in memory already.
    ///
    /// # Errors
    /// There are too many layers, or an archive is inside.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, SourceError> {
        Self::peel(name, Box::new(std::io::Cursor::new(bytes)), 0, &Limits::default(), Faults::default())
    }

    /// Its beginning, up to 64 KiB.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Is nothing in it but blanks?
    pub fn is_blank(&self) -> bool {
        self.format == Format::Empty
    }

    /// Nothing is in it: was it empty, or is it damaged from its beginning on?
    ///
    /// # Errors
    /// Nothing is in it.
    pub fn check_not_empty(&self) -> Result<(), SourceError> {
        if !self.is_blank() {
            return Ok(());
        }
        let name = self.name.clone();
        Err(match self.faults.take() {
            Some(fault) => refusal(&name, &fault),
            None => SourceError::Empty { name },
        })
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// It is larger than what this program takes whole, or cannot be read.
    pub fn whole(&mut self) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        let read = self.by_ref().take(MAX_WHOLE + 1).read_to_end(&mut bytes);
        read.map_err(|reason| SourceError::Unreadable { name: self.name.clone(), reason })?;
        if MAX_WHOLE < bytes.len() as u64 {
            let why = "it is larger than 1 GiB, and cannot be read piece by piece".to_owned();
            return Err(SourceError::Refused { name: self.name.clone(), why });
        }
        Ok(bytes)
    }

    /// Its bytes at their places: the file itself, or all of it in memory.
    ///
    /// # Errors
    /// As [`Stream::whole`].
    pub fn places(&mut self) -> Result<Arc<Places>, SourceError> {
        match &self.places {
            Some(places) => Ok(Arc::clone(places)),
            None => Ok(Arc::new(self.whole()?)),
        }
    }

    /// To be asked at the end: was that all, or is the rest damaged?
    ///
    /// # Errors
    /// Unpacking it was given up, because it is made to do harm.
    pub fn finish(&self) -> Result<Option<FileProblem>, SourceError> {
        self.faults.take().map(|fault| told(&self.name, &fault)).transpose()
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let waiting = &self.head[self.at..];
        if waiting.is_empty() {
            return self.rest.read(buf);
        }
        let n = waiting.len().min(buf.len());
        buf[..n].copy_from_slice(&waiting[..n]);
        self.at += n;
        Ok(n)
    }
}

/// A fault as a problem of the file, or as the end of it.
///
/// # Errors
/// It is no damage, but too much.
pub(super) fn told(name: &str, fault: &Fault) -> Result<FileProblem, SourceError> {
    match fault {
        Fault::Damaged { at, reason } => {
            let what = format!("damaged at packed byte {at}: {reason}; what was unpacked until there is kept");
            Ok(flaw(name, *at, what))
        }
        fault => Err(refusal(name, fault)),
    }
}

/// A fault that ends it.
pub(super) fn refusal(name: &str, fault: &Fault) -> SourceError {
    let name = name.to_owned();
    let why = match fault {
        Fault::Damaged { reason, .. } => return SourceError::Compressed { name, reason: reason.clone() },
        Fault::Bomb { packed, unpacked } => {
            format!("{packed} packed bytes became {unpacked}, more than {MAX_RATIO} for one: no capture packs so well")
        }
        Fault::TooLarge => "it is larger than 8 GiB when unpacked".to_owned(),
        Fault::Window => "unpacking it needs more than 128 MiB of memory for its window".to_owned(),
    };
    SourceError::Refused { name, why }
}
