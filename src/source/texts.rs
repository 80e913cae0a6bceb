//! The texts of an input, one after the other, for who wants records and no [`crate::log::Log`].

use parsers::sniff::{Format, sniff};

use super::{Input, SourceError, bytes, folder};

/// One text, unpacked.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// File or member, escaped for display.
    pub name: &'a str,
    /// What it is, by its content.
    pub format: Format,
    /// All of it.
    pub bytes: &'a [u8],
}

/// A piece of a text, cut between lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The lines.
    pub bytes: &'a [u8],
    /// Lines before it.
    pub lines_before: u32,
}

/// Members of a capture folder that hold records, in the order of time.
const MEMBERS: [&str; 3] = ["vmallocinfo.before", "trace.txt", "vmallocinfo.after"];

/// Shows `visit` every text of an input; only one is in memory at a time. A file is taken for `wanted` if that is given;
/// members of a folder are what they are called.
///
/// # Errors
/// The input cannot be read or has no text in it, and whatever `visit` fails with.
pub fn each<E>(input: &Input, wanted: Option<Format>, visit: &mut dyn FnMut(Text<'_>) -> Result<(), E>) -> Result<(), E>
where
    E: From<SourceError>,
{
    let name = input.name();
    let Input::Path(path) = input else { return one(&name, &bytes::read(input)?, wanted, visit) };
    if !path.is_dir() {
        return one(&name, &bytes::read(input)?, wanted, visit);
    }
    let mut n_members = 0;
    for member in MEMBERS {
        // Recorders that could not read a file leave an empty one.
        if let Some(text) = folder::member(path, member)?.filter(|text| !text.is_empty()) {
            one(member, &text, None, visit)?;
            n_members += 1;
        }
    }
    if n_members == 0 { Err(SourceError::NoMembers { name }.into()) } else { Ok(()) }
}

fn one<E>(
    name: &str,
    packed: &[u8],
    wanted: Option<Format>,
    visit: &mut dyn FnMut(Text<'_>) -> Result<(), E>,
) -> Result<(), E>
where
    E: From<SourceError>,
{
    let bytes = bytes::decompress(name, packed)?;
    let format = wanted.filter(|_| !bytes.is_empty()).unwrap_or_else(|| sniff(&bytes));
    if format == Format::Empty {
        return Err(SourceError::Empty { name: name.to_owned() }.into());
    }
    visit(Text { name, format, bytes: &bytes })
}

/// Cuts a `/proc/vmallocinfo` text into pieces of about `size` bytes that begin with a whole row, so that a huge file
/// costs the memory of one piece.
pub fn pieces(text: &[u8], size: usize) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    let mut lines_before = 0_u32;
    std::iter::from_fn(move || {
        let cut =
            memchr::memmem::find(rest.get(size..).unwrap_or_default(), b"\n0x").map_or(rest.len(), |at| size + at + 1);
        let (bytes, tail) = rest.split_at(cut);
        let piece = Piece { bytes, lines_before };
        rest = tail;
        lines_before = lines_before.saturating_add(memchr::memchr_iter(b'\n', bytes).count() as u32);
        (!bytes.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_begin_with_rows_and_lose_nothing() {
        let text = b"0x1 a\n0x2 b\n caller\n0x3 c\n0x4";
        for size in 1..40 {
            let pieces: Vec<_> = pieces(text, size).collect();
            assert_eq!(pieces.iter().map(|piece| piece.bytes).collect::<Vec<_>>().concat(), text, "{size}");
            assert!(pieces.iter().all(|piece| piece.bytes.starts_with(b"0x")), "{size}");
        }
        let second = pieces(text, 1).nth(2).expect("three and more");
        assert_eq!((second.bytes, second.lines_before), (&b"0x3 c\n"[..], 3));
        assert_eq!(pieces(b"", 4).count(), 0);
    }
}
