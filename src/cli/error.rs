//! [`CliError`]: everything a command can fail with, each with a hint.

use crate::record::RecordError;
use crate::replay::OpenError;
use crate::source::SourceError;

/// Why a command could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The input cannot be opened.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The input cannot be replayed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing could be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// `--strict`, and a record is damaged.
    #[error("{place}: {what}")]
    Strict {
        /// File or member, line and column.
        place: String,
        /// What is damaged.
        what: String,
    },
    /// Writing failed.
    #[error("cannot write {name}: {reason}")]
    Write {
        /// The file, or "standard output".
        name: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// Something else, with its own hint.
    #[error("{what}")]
    Other {
        /// What.
        what: String,
        /// What to do.
        hint: String,
    },
}

impl CliError {
    /// The reader of our output has seen enough: success.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write { reason, .. } if reason.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// What to do about it, in one line.
    pub fn hint(&self) -> String {
        match self {
            Self::Source(error) => error.hint(),
            Self::Open(error) => error.hint(),
            Self::Record(error) => error.hint.clone(),
            Self::Strict { .. } => "without --strict the record is skipped and reported".to_owned(),
            Self::Write { .. } => "check the folder and the space left".to_owned(),
            Self::Other { hint, .. } => hint.clone(),
        }
    }
}
