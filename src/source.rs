//! Input: files, folders, standard input and `/proc` become a [`Log`] or a script. The only place that reads.

pub mod bytes;
pub mod embedded;
pub mod error;
pub mod folder;
pub mod meta;
pub mod probes;
pub mod snapshot;
pub mod state;
pub mod texts;
pub mod trace;

use std::path::{Path, PathBuf};

use parsers::sniff::{Format, sniff};

pub use error::SourceError;

use crate::log::{InputKind, Log};

/// What a user names as input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The capture inside the binary.
    Embedded,
    /// `-`.
    Stdin,
    /// A file or a capture folder.
    Path(PathBuf),
    /// This machine's `/proc/vmallocinfo`.
    Live,
}

impl Input {
    /// Reads the INPUT argument.
    pub fn from_arg(arg: Option<&Path>, otherwise: Self) -> Self {
        match arg {
            None => otherwise,
            Some(path) if path.as_os_str() == "-" => Self::Stdin,
            Some(path) => Self::Path(path.to_owned()),
        }
    }

    /// The input as it was typed, for errors.
    pub fn typed(&self) -> String {
        match self {
            Self::Path(path) => crate::log::escape(path.to_string_lossy().as_bytes()),
            _ => self.name(),
        }
    }

    /// The name people see.
    pub fn name(&self) -> String {
        match self {
            Self::Embedded => embedded::NAME.to_owned(),
            Self::Stdin => "-".to_owned(),
            Self::Live => "/proc/vmallocinfo".to_owned(),
            Self::Path(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                crate::log::escape(name.to_string_lossy().as_bytes())
            }
        }
    }
}

/// How an input is to be read: what it is, and the files that go with it.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// `--format`: what the input is, whatever its content looks like.
    pub format: Option<Format>,
    /// `--snapshot`: `/proc/vmallocinfo` before the trace.
    pub before: Option<PathBuf>,
    /// `--after`: `/proc/vmallocinfo` after it.
    pub after: Option<PathBuf>,
}

/// What an input turned out to be.
#[derive(Debug)]
pub enum Opened {
    /// A trace or a snapshot.
    Log(Box<Log>),
    /// An op script, with the line of each op.
    Script(Box<parsers::ops::Script>),
}

/// Reads an input, by its content and never by its name.
///
/// # Errors
/// It cannot be read, or holds nothing this program knows.
pub fn open(input: &Input, reading: &Reading) -> Result<Opened, SourceError> {
    let name = input.name();
    let mut log = match input {
        Input::Embedded => embedded::log(),
        Input::Path(path) if path.is_dir() => folder::read(path)?,
        _ => match from_bytes(&input.typed(), &bytes::read(input)?, reading.format)? {
            Opened::Log(log) => *log,
            script @ Opened::Script(_) => return Ok(script),
        },
    };
    for (path, is_before) in [(&reading.before, true), (&reading.after, false)] {
        let Some(path) = path else { continue };
        let file = Input::from_arg(Some(path), Input::Stdin);
        let packed = bytes::read(&file)?;
        let text = bytes::decompress(&file.name(), &packed)?;
        let baseline = snapshot::read(&file.name(), &text, &mut log.problems)?;
        if is_before {
            log.before = Some(baseline);
        } else {
            log.after = Some(baseline);
        }
    }
    log.origin.name = name;
    state::compare(&mut log);
    snapshot::check_same_machine(&log)?;
    Ok(Opened::Log(Box::new(log)))
}

/// Reads a log; an op script is refused with a hint.
///
/// # Errors
/// As [`open`].
pub fn open_log(input: &Input, reading: &Reading) -> Result<Log, SourceError> {
    match open(input, reading)? {
        Opened::Log(log) => Ok(*log),
        Opened::Script(_) => Err(SourceError::IsScript { name: input.typed() }),
    }
}

/// What plain bytes are.
fn from_bytes(name: &str, bytes: &[u8], format: Option<Format>) -> Result<Opened, SourceError> {
    let bytes = bytes::decompress(name, bytes)?;
    match format.filter(|_| !bytes.is_empty()).unwrap_or_else(|| sniff(&bytes)) {
        Format::Empty => Err(SourceError::Empty { name: name.to_owned() }),
        Format::OpScript => Ok(Opened::Script(Box::new(parsers::ops::parse(&bytes)))),
        Format::Vmallocinfo => {
            let mut log = Log::default();
            log.origin.kind = InputKind::Snapshot;
            log.origin.from_boot = Some(false);
            log.before = Some(snapshot::read(name, &bytes, &mut log.problems)?);
            Ok(Opened::Log(Box::new(log)))
        }
        Format::FtraceText | Format::Unknown => {
            let mut log = Log::default();
            trace::read(name, &bytes, &mut log);
            let counts = log.counts();
            if counts.alloc + counts.free + counts.purge == 0 {
                return Err(SourceError::NoEvents { name: name.to_owned(), other: counts.other });
            }
            Ok(Opened::Log(Box::new(log)))
        }
        format => Err(SourceError::NotReadable { name: name.to_owned(), what: format.title() }),
    }
}
