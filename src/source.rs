//! Input: files, folders, standard input and `/proc` become a [`Log`] or a script. The only place that reads.

pub mod bytes;
pub mod capture;
pub mod dat;
pub mod embedded;
pub mod error;
pub mod evidence;
pub mod formats;
pub mod growing;
pub mod join;
pub mod kernel_log;
pub mod manifest;
pub mod members;
pub mod meminfo;
pub mod meta;
pub mod pack;
pub mod probes;
pub mod read_at;
pub mod script;
pub mod snapshot;
pub mod state;
pub mod stream;
pub mod texts;
pub mod this_machine;
pub mod trace;
pub mod unpack;

use std::path::{Path, PathBuf};

use parsers::sniff::Format;

pub use error::SourceError;
pub use script::Expect;

use crate::log::{Log, Watched};

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
    /// Several that belong together.
    Several(Vec<Self>),
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

    /// Reads INPUT where there can be several.
    pub fn from_args(args: &[PathBuf], otherwise: Self) -> Self {
        match args {
            [] | [_] => Self::from_arg(args.first().map(PathBuf::as_path), otherwise),
            _ => Self::Several(args.iter().map(|arg| Self::from_arg(Some(arg), Self::Stdin)).collect()),
        }
    }

    /// The inputs that it consists of.
    pub fn each(&self) -> &[Self] {
        match self {
            Self::Several(inputs) => inputs,
            one => std::slice::from_ref(one),
        }
    }

    /// The input as it was typed, for errors.
    pub fn typed(&self) -> String {
        match self {
            Self::Path(path) => crate::log::escape(path.to_string_lossy().as_bytes()),
            Self::Several(inputs) => inputs.iter().map(Self::typed).collect::<Vec<_>>().join(", "),
            _ => self.name(),
        }
    }

    /// The name people see.
    pub fn name(&self) -> String {
        match self {
            Self::Embedded => embedded::NAME.to_owned(),
            Self::Stdin => "-".to_owned(),
            Self::Live => "/proc/vmallocinfo".to_owned(),
            Self::Several(inputs) => match &inputs[..] {
                [] => "nothing".to_owned(),
                [first, others @ ..] => format!("{} and {} more", first.name(), others.len()),
            },
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
    /// Who waits for it.
    pub watched: Watched,
}

/// Reads an input, by its content and never by its name.
///
/// # Errors
/// It cannot be read, or holds nothing this program knows.
pub fn open(input: &Input, reading: &Reading) -> Result<Log, SourceError> {
    let name = input.name();
    let mut log = match input {
        Input::Embedded => embedded::log(),
        _ => join::open(input.each(), reading)?,
    };
    if let (None, Expect::File(_)) = (&log.script, &reading.expect) {
        return Err(SourceError::NoScript { name: input.typed() });
    }
    for (path, is_before) in [(&reading.before, true), (&reading.after, false)] {
        // A script begins with the state it describes itself.
        let Some(path) = path.as_ref().filter(|_| log.script.is_none()) else { continue };
        let file = Input::from_arg(Some(path), Input::Stdin);
        let text = bytes::text(&file, &mut log.problems)?;
        let baseline = snapshot::read(&file.name(), &text, &mut log.problems)?;
        if is_before {
            log.before = Some(baseline);
        } else {
            log.after = Some(baseline);
        }
    }
    if log.origin.name.is_empty() {
        log.origin.name = name;
    }
    if *input == Input::Live {
        this_machine::know(&mut log.origin);
    }
    log.watched = None;
    state::compare(&mut log);
    snapshot::check_same_machine(&log)?;
    Ok(log)
}

/// Completes the beginning of an input, as [`Progress`](crate::log::Progress) hands it out: its name, and the snapshot
/// that the user names. `None` if that snapshot cannot be had a second time.
pub fn complete(mut part: Log, input: &Input, reading: &Reading) -> Option<Log> {
    if let Some(path) = &reading.before {
        let file = Input::from_arg(Some(path), Input::Stdin);
        if file == Input::Stdin {
            return None;
        }
        let text = bytes::text(&file, &mut part.problems).ok()?;
        part.before = Some(snapshot::read(&file.name(), &text, &mut part.problems).ok()?);
    }
    part.origin.name = input.name();
    Some(part)
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
