//! Input: files, folders, standard input and `/proc` become a [`Log`] or a script. The only place that reads.

pub mod bytes;
pub mod embedded;
pub mod error;
pub mod folder;
pub mod meminfo;
pub mod meta;
pub mod probes;
pub mod script;
pub mod snapshot;
pub mod state;
pub mod texts;
pub mod trace;

use std::path::{Path, PathBuf};

use parsers::sniff::{Format, sniff};

pub use error::SourceError;
pub use script::Expect;

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
    /// `--expect`: what an op script should answer.
    pub expect: Expect,
}

/// Reads an input, by its content and never by its name.
///
/// # Errors
/// It cannot be read, or holds nothing this program knows.
pub fn open(input: &Input, reading: &Reading) -> Result<Log, SourceError> {
    let name = input.name();
    let mut log = match input {
        Input::Embedded => embedded::log(),
        Input::Path(path) if path.is_dir() => folder::read(path)?,
        _ => from_bytes(input, &bytes::read(input)?, reading)?,
    };
    if let (None, Expect::File(_)) = (&log.script, &reading.expect) {
        return Err(SourceError::NoScript { name: input.typed() });
    }
    for (path, is_before) in [(&reading.before, true), (&reading.after, false)] {
        // A script begins with the state it describes itself.
        let Some(path) = path.as_ref().filter(|_| log.script.is_none()) else { continue };
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
    Ok(log)
}

/// Reads a capture; an op script is refused with a hint.
///
/// # Errors
/// As [`open`].
pub fn open_log(input: &Input, reading: &Reading) -> Result<Log, SourceError> {
    let log = open(input, reading)?;
    if log.script.is_some() {
        return Err(SourceError::IsScript { name: input.typed() });
    }
    Ok(log)
}

/// What plain bytes are.
fn from_bytes(input: &Input, bytes: &[u8], reading: &Reading) -> Result<Log, SourceError> {
    let name = &input.typed();
    let bytes = bytes::decompress(name, bytes)?;
    let format = reading.format.filter(|_| !bytes.is_empty()).unwrap_or_else(|| sniff(&bytes));
    match format {
        Format::Empty => Err(SourceError::Empty { name: name.to_owned() }),
        Format::OpScript => script::read(&bytes, input, &reading.expect),
        Format::Vmallocinfo => {
            let mut log = Log::default();
            log.origin.kind = InputKind::Snapshot;
            log.origin.from_boot = Some(false);
            log.before = Some(snapshot::read(name, &bytes, &mut log.problems)?);
            Ok(log)
        }
        Format::FtraceText
        | Format::TraceCmdReport
        | Format::PerfScript
        | Format::PerfTrace
        | Format::Bpftrace
        | Format::Unknown => {
            let mut log = Log::default();
            trace::read_as(format, name, &bytes[..], &mut log)
                .map_err(|reason| SourceError::Unreadable { name: name.to_owned(), reason })?;
            let counts = log.counts();
            if format == Format::Unknown && log.events.is_empty() {
                return Err(SourceError::NotReadable { name: name.to_owned(), what: format.title() });
            }
            if counts.alloc + counts.free + counts.purge == 0 {
                return Err(SourceError::NoEvents { name: name.to_owned(), other: counts.other });
            }
            Ok(log)
        }
        format => Err(SourceError::NotReadable { name: name.to_owned(), what: format.title() }),
    }
}
