//! [`Files`]: everything a recording reads and writes of the system, behind one small trait, so that tests can put a
//! tracefs of their own in its place.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Least room of a read. Some files of tracefs (`events/header_page`) have an end after the first read, however little it
/// took, and `/proc/vmallocinfo` is the more of one moment the fewer reads it takes.
const ROOM: usize = 64 << 10;

/// What a recording does to files. A write is one `write(2)` of the whole text to a file that is there already: that is
/// what files of tracefs want.
pub trait Files: fmt::Debug {
    /// Appends the whole file to `into`.
    ///
    /// # Errors
    /// What the system says.
    fn read_into(&self, path: &Path, into: &mut Vec<u8>) -> io::Result<()>;

    /// Writes to a file that is there, without cutting it: `trace_marker`, `tracing_on`.
    ///
    /// # Errors
    /// What the system says, or that not all was taken.
    fn write(&self, path: &Path, text: &str) -> io::Result<()>;

    /// Appends to a file that is there. `kprobe_events` loses everybody's probes if it is opened in any other way.
    ///
    /// # Errors
    /// As [`Files::write`].
    fn append(&self, path: &Path, text: &str) -> io::Result<()>;

    /// Makes a file that is not there.
    ///
    /// # Errors
    /// What the system says, or that it is there already.
    fn create(&self, path: &Path, text: &str) -> io::Result<()>;

    /// `mkdir`.
    ///
    /// # Errors
    /// What the system says.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// `rmdir`.
    ///
    /// # Errors
    /// What the system says.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// `unlink`.
    ///
    /// # Errors
    /// What the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Names in a folder, in order.
    ///
    /// # Errors
    /// What the system says.
    fn names(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Is there something under this name?
    fn exists(&self, path: &Path) -> bool;

    /// Opens a file whose reads return at once, whether there is something or not.
    ///
    /// # Errors
    /// What the system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Pipe>>;

    /// The whole file.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(path, &mut bytes)?;
        Ok(bytes)
    }

    /// The whole file as text without blanks around it; `None` if it cannot be read.
    fn text(&self, path: &Path) -> Option<String> {
        Some(String::from_utf8_lossy(&self.read(path).ok()?).trim().to_owned())
    }
}

/// `trace_pipe_raw` of one CPU: each read takes one page away.
pub trait Pipe: Read + fmt::Debug {
    /// What can be waited for.
    fn fd(&self) -> Option<BorrowedFd<'_>>;
}

/// This machine's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Files for System {
    fn read_into(&self, path: &Path, into: &mut Vec<u8>) -> io::Result<()> {
        let mut file = fs::File::open(path)?;
        let mut full = into.len();
        let done = loop {
            if into.len() - full < ROOM {
                // All of the room is made ready at once: it is asked for again with each page of a long file otherwise.
                into.resize(into.capacity().max(full + ROOM).max(full * 2), 0);
            }
            match file.read(&mut into[full..]) {
                Ok(0) => break Ok(()),
                Ok(n) => full += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        into.truncate(full);
        done
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        whole(&mut OpenOptions::new().write(true).open(path)?, text)
    }

    fn append(&self, path: &Path, text: &str) -> io::Result<()> {
        whole(&mut OpenOptions::new().append(true).open(path)?, text)
    }

    fn create(&self, path: &Path, text: &str) -> io::Result<()> {
        whole(&mut OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?, text)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Pipe>> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        Ok(Box::new(OpenOptions::new().read(true).custom_flags(flags).open(path)?))
    }
}

impl Pipe for fs::File {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.as_fd())
    }
}

/// The kernel reads one write as one command.
fn whole(file: &mut fs::File, text: &str) -> io::Result<()> {
    let taken = file.write(text.as_bytes())?;
    if taken == text.len() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::WriteZero, format!("only {taken} of {} bytes were taken", text.len())))
}
