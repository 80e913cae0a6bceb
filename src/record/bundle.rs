//! [`Spool`]: the folder in which a recording grows, and the bundle that becomes of it.
//!
//! The folder can be opened at any time: should the program be killed, what it has by then is a capture.

pub mod packers;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::error::RecordError;
use super::store::Store;

/// Name of the first member.
pub const MANIFEST: &str = "manifest.json";
/// Sums of all others, as `sha256sum -c` reads them.
pub const CHECKSUMS: &str = "checksums.txt";

/// What the output is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A folder.
    Folder,
    /// A zip.
    Zip,
    /// A tar as it is.
    Tar,
    /// A tar packed by gzip.
    TarGz,
    /// A tar packed by zstd.
    TarZst,
}

impl Shape {
    /// By the ending.
    pub fn named(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let ends = |ending: &str| name.ends_with(ending);
        match () {
            () if ends(".zip") => Self::Zip,
            () if ends(".tar") => Self::Tar,
            () if ends(".tar.gz") || ends(".tgz") => Self::TarGz,
            () if ends(".tar.zst") || ends(".tzst") => Self::TarZst,
            () => Self::Folder,
        }
    }
}

/// A member, for the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its sum.
    pub sha256: String,
}

/// The growing recording.
#[derive(Debug)]
pub struct Spool {
    /// The folder.
    pub dir: PathBuf,
    target: PathBuf,
    shape: Shape,
    is_kept: bool,
}

impl Spool {
    /// Makes the folder, beside the output, so that it can be renamed.
    ///
    /// # Errors
    /// The output is there already, or the folder cannot be made.
    pub fn new(target: &Path) -> Result<Self, RecordError> {
        if target.symlink_metadata().is_ok() {
            let shown = crate::log::escape(target.to_string_lossy().as_bytes());
            return Err(RecordError::new(
                format!("{shown} is there already"),
                "a recording is never written over: give another name, or remove it",
            ));
        }
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let dir = target.with_file_name(name);
        fs::create_dir(&dir).map_err(|error| RecordError::output(&dir, &error))?;
        Ok(Self { dir, target: target.to_owned(), shape: Shape::named(target), is_kept: false })
    }

    /// Was anything recorded into it?
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// All members but the manifest and the sums, in order, with their sums.
    ///
    /// # Errors
    /// What the system says.
    pub fn members(&self) -> Result<Vec<Member>, RecordError> {
        let mut names = Vec::new();
        list(&self.dir, "", &mut names).map_err(|error| RecordError::output(&self.dir, &error))?;
        names.retain(|name| name != MANIFEST && name != CHECKSUMS);
        names.sort_unstable();
        let member = |name: String| {
            let (bytes, sha256) = sum(&self.dir.join(&name)).map_err(|error| RecordError::output(&self.dir, &error))?;
            Ok(Member { name, bytes, sha256 })
        };
        names.into_iter().map(member).collect()
    }

    /// Makes the bundle of it. `members` are all of them, in the order they are to have.
    ///
    /// # Errors
    /// What the system says. The folder then stays.
    pub fn finish(mut self, members: &[String]) -> Result<u64, RecordError> {
        self.is_kept = true;
        let failed = |error: io::Error| RecordError::output(&self.target, &error);
        if self.shape == Shape::Folder {
            fs::rename(&self.dir, &self.target).map_err(failed)?;
            let size = |name: &String| fs::metadata(self.target.join(name)).map_or(0, |meta| meta.len());
            return Ok(members.iter().map(size).sum());
        }
        let mut name = self.dir.file_name().unwrap_or_default().to_owned();
        name.push(".archive");
        let part = self.dir.with_file_name(name);
        let packed = pack(&self.dir, members, self.shape, &part).and_then(|()| fs::rename(&part, &self.target));
        if let Err(error) = packed {
            // What cannot be removed is told by the error about the rest.
            let _ = fs::remove_file(&part);
            return Err(failed(error));
        }
        self.is_kept = false;
        Ok(fs::metadata(&self.target).map_or(0, |meta| meta.len()))
    }
}

impl Store for Spool {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), RecordError> {
        let path = self.dir.join(name);
        let written = make_parent(&path).and_then(|()| fs::write(&path, bytes));
        written.map_err(|error| RecordError::output(&path, &error))
    }

    fn grow(&self, name: &str) -> Result<Box<dyn Write>, RecordError> {
        let path = self.dir.join(name);
        let file = make_parent(&path).and_then(|()| OpenOptions::new().write(true).create_new(true).open(&path));
        Ok(Box::new(BufWriter::new(file.map_err(|error| RecordError::output(&path, &error))?)))
    }

    /// It stays where it is, whatever happens.
    fn keep(&mut self) {
        self.is_kept = true;
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if !self.is_kept {
            // Nothing can be done about a folder that cannot be removed.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn list(dir: &Path, before: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

/// Size and sum of a file.
fn sum(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut n) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => {
                hasher.update(&buffer[..read]);
                n += read as u64;
            }
        }
    }
    Ok((n, hex(&hasher.finalize())))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn pack(dir: &Path, members: &[String], shape: Shape, to: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(to)?;
    let mut out = BufWriter::new(file);
    match shape {
        Shape::Zip => {
            packers::zip(dir, members, &mut out)?;
        }
        Shape::TarGz => {
            let mut packed = flate2::write::GzEncoder::new(&mut out, flate2::Compression::default());
            packers::tar(dir, members, &mut packed)?;
            packed.finish()?;
        }
        Shape::TarZst => {
            let mut packed = zstd::stream::Encoder::new(&mut out, 3)?;
            packed.include_checksum(true)?;
            packers::tar(dir, members, &mut packed)?;
            packed.finish()?;
        }
        Shape::Tar | Shape::Folder => packers::tar(dir, members, &mut out)?,
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
