//! Bytes that can be read at any place: archives are, and binary traces.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use parsers::trace_dat;

pub use parsers::trace_dat::ReadAt;

/// Bytes that several readers can read at any place, at once.
pub type Places = dyn ReadAt + Send + Sync;

/// A file on disk. Its length is what it was when it was opened.
#[derive(Debug)]
pub struct Disk {
    file: File,
    len: u64,
}

impl Disk {
    /// Takes a regular file; `None` for what has no places, such as a pipe or a file of `/proc`.
    pub fn new(file: &File) -> Option<Self> {
        let meta = file.metadata().ok()?;
        if !meta.is_file() || meta.len() == 0 {
            return None;
        }
        Some(Self { file: file.try_clone().ok()?, len: meta.len() })
    }
}

impl ReadAt for Disk {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        FileExt::read_at(&self.file, buf, offset)
    }

    fn len(&self) -> u64 {
        self.len
    }
}

/// A part of such bytes as a stream.
pub struct Section {
    bytes: Arc<Places>,
    at: u64,
    end: u64,
}

impl Section {
    /// `len` bytes from `at` on, or as many as there are.
    pub fn new(bytes: Arc<Places>, at: u64, len: u64) -> Self {
        let end = at.saturating_add(len).min(bytes.len());
        Self { bytes, at, end }
    }

    /// All of it.
    pub fn whole(bytes: Arc<Places>) -> Self {
        Self::new(bytes, 0, u64::MAX)
    }

    /// Goes `n` bytes on, or to the end; how far that was.
    pub fn go_on(&mut self, n: u64) -> u64 {
        let far = n.min(self.end.saturating_sub(self.at));
        self.at += far;
        far
    }
}

impl Read for Section {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let left = self.end.saturating_sub(self.at);
        let want = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = self.bytes.read_at(self.at, &mut buf[..want])?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Reads exactly `len` bytes at `at`; fewer if there are no more.
///
/// # Errors
/// What the system says.
pub fn bytes_at(bytes: &dyn ReadAt, at: u64, len: usize) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    trace_dat::read_into(bytes, at, len, &mut out)?;
    Ok(out)
}
