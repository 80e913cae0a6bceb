//! What an archive holds, and what no archive may hold.

use std::collections::HashSet;

use crate::log::escape;
use crate::source::pack::limits::MAX_MEMBERS;

/// How a member's bytes are packed by the archive itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Not at all.
    Stored,
    /// A raw deflate stream.
    Deflate,
    /// A zstd frame.
    Zstd,
    /// An xz stream.
    Xz,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, `/` between the parts, without `./`. Not escaped.
    pub name: String,
    /// Where its bytes begin: in the file, or in the unpacked archive.
    pub at: u64,
    /// Packed bytes.
    pub packed: u64,
    /// How they are packed.
    pub how: How,
    /// Checksum and size of what they unpack to.
    pub check: Option<(u32, u64)>,
    /// Why it cannot be read.
    pub flaw: Option<String>,
    /// Its bytes, if they were kept.
    pub kept: Option<Vec<u8>>,
}

impl Entry {
    /// A member as it is.
    pub fn stored(at: u64, size: u64) -> Self {
        Self { name: String::new(), at, packed: size, how: How::Stored, check: None, flaw: None, kept: None }
    }
}

/// The members of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// In the order of the archive.
    pub entries: Vec<Entry>,
    /// What is wrong with the archive itself: where, and what.
    pub flaws: Vec<(u64, String)>,
    names: HashSet<String>,
}

impl Contents {
    /// Adds a member under the name that the archive has for it.
    ///
    /// # Errors
    /// The name leads out of the archive, is there already, or there are too many.
    pub fn add(&mut self, name: &[u8], mut entry: Entry) -> Result<(), Refusal> {
        let Some(clean) = clean_name(name) else { return Err(Refusal::LeadsOut(shown(name))) };
        if clean.is_empty() {
            return Ok(());
        }
        if !self.names.insert(clean.clone()) {
            return Err(Refusal::Twice(escape(clean.as_bytes())));
        }
        if self.entries.len() == MAX_MEMBERS {
            return Err(Refusal::Members);
        }
        entry.name = clean;
        self.entries.push(entry);
        Ok(())
    }

    /// Looks at the name of what is no member, such as a folder.
    ///
    /// # Errors
    /// It leads out of the archive.
    pub fn check_name(&self, name: &[u8]) -> Result<(), Refusal> {
        clean_name(name).map(|_| ()).ok_or_else(|| Refusal::LeadsOut(shown(name)))
    }

    /// Notes what is wrong at a place.
    pub fn flaw(&mut self, at: u64, what: &str) {
        self.flaws.push((at, what.to_owned()));
    }
}

/// Something that no capture has, and that is there to do harm: nothing is read of such an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `..` or an absolute name.
    #[error("its member {0} leads out of it")]
    LeadsOut(String),
    /// A link.
    #[error("its member {0} is a link")]
    Link(String),
    /// A device node, a pipe or a socket.
    #[error("its member {0} is a device or a pipe")]
    Device(String),
    /// The same name twice.
    #[error("it has two members {0}")]
    Twice(String),
    /// Too many.
    #[error("it has more than {MAX_MEMBERS} members")]
    Members,
    /// A name or attributes of a megabyte.
    #[error("a member's name or attributes are larger than 1 MiB")]
    Attributes,
    /// Two members made of the same bytes.
    #[error("its members {0} and {1} overlap")]
    Overlap(String, String),
}

/// A name for people.
pub fn shown(name: &[u8]) -> String {
    escape(&name[..name.len().min(200)])
}

/// The name without `./` and doubled slashes; `None` if it leads elsewhere. Windows writes backslashes.
fn clean_name(name: &[u8]) -> Option<String> {
    let name = String::from_utf8_lossy(name).replace('\\', "/");
    let drive = name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    if name.starts_with('/') || drive || name.contains('\0') {
        return None;
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") { None } else { Some(parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for (name, clean) in [
            ("trace.txt", Some("trace.txt")),
            ("./a//b/./c", Some("a/b/c")),
            ("a\\b", Some("a/b")),
            ("./", Some("")),
            ("a..b/...", Some("a..b/...")),
            ("../a", None),
            ("a/../b", None),
            ("a\\..\\b", None),
            ("/etc/passwd", None),
            ("C:\\x", None),
            ("a\0b", None),
        ] {
            assert_eq!(clean_name(name.as_bytes()).as_deref(), clean, "{name}");
        }
    }
}
