//! [`RecordError`]: why nothing was recorded, and what to do about it.

use std::io;
use std::path::Path;

use crate::log::escape;

use super::facts::Facts;

/// One plain sentence, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct RecordError {
    /// What went wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl RecordError {
    /// Both parts.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// A file of the output.
    pub fn output(path: &Path, error: &io::Error) -> Self {
        let path = escape(path.to_string_lossy().as_bytes());
        Self::new(format!("cannot write {path}: {error}"), "check the folder and the space left")
    }

    /// A file of the system could not be read or changed.
    pub fn system(path: &Path, error: &io::Error, facts: &Facts) -> Self {
        let what = format!("{}: {error}", path.display());
        Self::new(what, why_refused(error, facts))
    }
}

/// What a refusal most likely means here.
fn why_refused(error: &io::Error, facts: &Facts) -> String {
    let locked = facts.lockdown.as_deref() == Some("confidentiality");
    match error.kind() {
        io::ErrorKind::PermissionDenied if locked => {
            "the kernel is locked down to confidentiality, which forbids tracing: boot without lockdown=confidentiality"
        }
        io::ErrorKind::PermissionDenied if !facts.is_root => "recording needs root: sudo vmaplens record …",
        io::ErrorKind::PermissionDenied => {
            "even root may not: a container without the right capabilities, or a locked down kernel; record on the host"
        }
        io::ErrorKind::OutOfMemory => "there is not enough memory for the buffers: --buffer-size takes less",
        io::ErrorKind::ResourceBusy => "somebody else is using it; try again",
        io::ErrorKind::NotFound => "this kernel has no such file: vmaplens record --check says what is possible here",
        io::ErrorKind::ReadOnlyFilesystem => "inside a container tracefs is read only: record on the host",
        _ => "vmaplens record --check says what is possible here",
    }
    .to_owned()
}
