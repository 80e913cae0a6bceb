//! Packed inputs: what packs them, told by content; unpacked on a thread of their own, within stated limits.

pub mod codec;
pub mod gzip;
pub mod limits;
pub mod tar;
pub mod unpack;
pub mod zip;

pub use limits::{Fault, Faults, Limits};
pub use unpack::Unpacked;

/// What an input is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// gzip, one member or several.
    Gzip,
    /// zstd, with frames to skip or without.
    Zstd,
    /// xz, one stream or several.
    Xz,
    /// A zip archive.
    Zip,
    /// A tar archive.
    Tar,
}

/// Packers that people use and this program does not read: what their files start with, and what unpacks them.
const OTHERS: [(&[u8], &str, &str); 6] = [
    (b"BZh", "a bzip2-compressed file", "unpack it first: bzip2 -dc FILE | vmaplens …  -"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first, and open the folder"),
    (b"Rar!\x1a\x07", "a rar archive", "unpack it first, and open the folder"),
    (b"\x04\x22\x4d\x18", "an lz4-compressed file", "unpack it first: lz4 -dc FILE | vmaplens … -"),
    (b"\x5d\x00\x00", "an lzma-compressed file", "unpack it first: xz -dc FILE | vmaplens … -"),
    (b"\x1f\x9d", "a file compressed by compress(1)", "unpack it first: gzip -dc FILE | vmaplens … -"),
];

impl Packing {
    /// What packs an input that begins like that; `None` if nothing does.
    pub fn of(head: &[u8]) -> Option<Self> {
        let skippable = |head: &[u8]| matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
        if head.starts_with(&[0x1f, 0x8b]) {
            Some(Self::Gzip)
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || skippable(head) {
            Some(Self::Zstd)
        } else if head.starts_with(b"\xfd7zXZ\0") {
            Some(Self::Xz)
        } else if zip::begins(head) {
            Some(Self::Zip)
        } else if tar::begins(head) {
            Some(Self::Tar)
        } else {
            None
        }
    }

    /// Does it hold members with names?
    pub fn is_archive(self) -> bool {
        matches!(self, Self::Zip | Self::Tar)
    }
}

/// A packer that is known and not read: what to call its files, and what to do.
pub fn unread(head: &[u8]) -> Option<(&'static str, &'static str)> {
    OTHERS.iter().find(|(magic, ..)| head.starts_with(magic)).map(|&(_, what, hint)| (what, hint))
}
