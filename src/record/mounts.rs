//! Where tracefs is: in the table of mounts, or mounted for this process alone.

use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;

use super::files::Files;

/// Where the kernel wants it to be mounted.
pub const USUAL: &str = "/sys/kernel/tracing";
/// Where it appears by itself when debugfs is mounted and somebody looks.
const BELOW_DEBUGFS: &str = "/sys/kernel/debug/tracing";

/// Where tracefs is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracefs {
    /// Mounted there.
    At(PathBuf),
    /// The kernel has it, and nobody has mounted it.
    Unmounted,
    /// This kernel has none, or `/proc` does not show it.
    Absent,
}

impl Tracefs {
    /// Looks for it.
    pub fn find(files: &dyn Files) -> Self {
        let mounts = files.read(Path::new("/proc/self/mountinfo")).unwrap_or_default();
        if let Some(path) = mounted(&String::from_utf8_lossy(&mounts), "tracefs") {
            return Self::At(path);
        }
        // A look at it mounts it.
        if files.exists(&Path::new(BELOW_DEBUGFS).join("instances")) {
            return Self::At(BELOW_DEBUGFS.into());
        }
        let kinds = files.text(Path::new("/proc/filesystems")).unwrap_or_default();
        let has = kinds.lines().any(|line| line.split_ascii_whitespace().last() == Some("tracefs"));
        if has { Self::Unmounted } else { Self::Absent }
    }

    /// Where it is, or would be.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::At(path) => path.clone(),
            Self::Unmounted | Self::Absent => USUAL.into(),
        }
    }
}

/// The first mount of a kind in the text of `mountinfo`; the usual place before any other.
fn mounted(text: &str, kind: &str) -> Option<PathBuf> {
    let place = |line: &str| {
        let (about, behind) = line.split_once(" - ")?;
        let is_it = behind.split(' ').next() == Some(kind);
        is_it.then(|| PathBuf::from(unescape(about.split(' ').nth(4)?)).into())?
    };
    let places: Vec<PathBuf> = text.lines().filter_map(place).collect();
    let usual = places.iter().find(|place| place.as_path() == Path::new(USUAL));
    usual.or(places.first()).cloned()
}

/// `\040` is a blank, and so on.
fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|d| matches!(d, b'0'..=b'7')));
        let value = octal.map(|digits| digits.iter().fold(0u32, |sum, digit| sum * 8 + u32::from(digit - b'0')));
        match value.and_then(|value| u8::try_from(value).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[3..];
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Mounts tracefs for this thread alone: the machine's table of mounts stays as it is, and the mount goes when the thread
/// ends. To be called before there are other threads that look at files.
///
/// # Errors
/// What the system says: it needs `CAP_SYS_ADMIN`.
pub fn mount_privately() -> io::Result<PathBuf> {
    #[expect(deprecated, reason = "dangerous only with CLONE_FILES, which is not asked for; its successor is unsafe")]
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount("tracefs", USUAL, "tracefs", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None)?;
    Ok(USUAL.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_the_table_are_unescaped() {
        let line = |place: &str, kind: &str| format!("36 35 0:7 / {place} rw,nosuid shared:1 - {kind} none rw\n");
        let text = line("/a\\040b\\134c", "tracefs");
        assert_eq!(mounted(&text, "tracefs"), Some(PathBuf::from("/a b\\c")));
        assert_eq!(mounted(&text, "debugfs"), None);
        let text = [line("/x", "tracefs"), line(USUAL, "tracefs"), line("/y", "proc"), "cut\n".into()].concat();
        assert_eq!(mounted(&text, "tracefs"), Some(PathBuf::from(USUAL)));
        assert_eq!(unescape("\\04 \\999 \\"), "\\04 \\999 \\");
    }
}
