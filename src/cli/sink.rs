//! [`Sink`]: output that is written while it is made, for results too large to hold.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::log::escape;

use super::error::CliError;

/// Standard output, or a file that appears whole or not at all.
#[derive(Debug)]
pub struct Sink {
    to: Box<dyn Output>,
    name: String,
    /// The file's name while it grows, and its name at the end.
    rename: Option<(PathBuf, PathBuf)>,
}

/// What a sink writes to.
trait Output: Write + Send + std::fmt::Debug {}
impl<T: Write + Send + std::fmt::Debug> Output for T {}

impl Sink {
    /// Opens FILE, or standard output.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path else {
            let name = "standard output".to_owned();
            return Ok(Self { to: Box::new(std::io::stdout()), name, rename: None });
        };
        let name = escape(path.to_string_lossy().as_bytes());
        let failed = |reason| CliError::Write { name: name.clone(), reason };
        // A link keeps pointing where it points; a device or a pipe is written to, not replaced.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if target.exists() && !target.is_file() {
            let file = OpenOptions::new().write(true).open(&target).map_err(failed)?;
            return Ok(Self { to: Box::new(file), name, rename: None });
        }
        let part = part_of(&target);
        let file = OpenOptions::new().write(true).create_new(true).open(&part).map_err(failed)?;
        Ok(Self { to: Box::new(file), name, rename: Some((part, target)) })
    }

    /// Writes some whole lines.
    ///
    /// # Errors
    /// What the system says; see [`CliError::is_closed_pipe`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.to.write_all(bytes).map_err(|reason| CliError::Write { name: self.name.clone(), reason })
    }

    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything is written.
    ///
    /// # Errors
    /// What the system says.
    pub fn finish(mut self) -> Result<(), CliError> {
        let renamed = self.to.flush().and_then(|()| match self.rename.take() {
            Some((part, path)) => std::fs::rename(part, path),
            None => Ok(()),
        });
        renamed.map_err(|reason| CliError::Write { name: self.name.clone(), reason })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// The name of a file that is still being written; no other run has the same.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

impl Drop for Sink {
    /// A run that failed leaves no half file behind.
    fn drop(&mut self) {
        if let Some((part, _)) = &self.rename {
            // Nothing can be done about a file that cannot be removed.
            let _ = std::fs::remove_file(part);
        }
    }
}
