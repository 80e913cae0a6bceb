//! The texts of an input, one after the other, for who wants records and no [`crate::log::Log`].

use parsers::sniff::Format;

use crate::log::FileProblem;

use super::capture::{self, is_capture};
use super::manifest::{self, Manifest};
use super::stream::{Opened, Stream, open};
use super::{Input, SourceError};

/// What an input has, in the order of time.
#[derive(Debug)]
pub enum Found<'a> {
    /// A text: a stream, to be read to its end. Damage of its packing is told afterwards.
    Text(&'a mut Stream),
    /// Something is damaged that is no text.
    Problem(FileProblem),
}

/// A piece of a text, cut between lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The lines.
    pub bytes: &'a [u8],
    /// Lines before it.
    pub lines_before: u32,
}

/// Shows `visit` every text of an input; none of them is in memory as a whole. A file is taken for `wanted` if that is
/// given; members of a capture are what they are called.
///
/// # Errors
/// The input cannot be read or has no text in it, and whatever `visit` fails with.
pub fn each<E>(
    input: &Input,
    wanted: Option<Format>,
    visit: &mut dyn FnMut(Found<'_>) -> Result<(), E>,
) -> Result<(), E>
where
    E: From<SourceError>,
{
    let is_alone = input.each().len() == 1;
    for input in input.each() {
        match open(input)? {
            Opened::Text(mut stream) => {
                // Without its folder, as long as nothing else can be meant.
                if is_alone {
                    stream.name = input.name();
                }
                one(stream, wanted, visit)?;
            }
            Opened::Members(members) => {
                for problem in &members.problems {
                    visit(Found::Problem(problem.clone()))?;
                }
                let names = if is_capture(&members) {
                    let mut manifest = Manifest::default();
                    if let Some(mut stream) = members.open(manifest::NAME)? {
                        let mut found = Vec::new();
                        let text = stream.whole()?;
                        manifest = manifest::read(&text, &mut crate::log::Origin::default(), &mut found)?;
                        found.extend(stream.finish()?);
                        found.into_iter().try_for_each(|problem| visit(Found::Problem(problem)))?;
                    }
                    let parts = capture::parts(&members, manifest);
                    [vec![parts.before], parts.recording, vec![parts.after]].concat()
                } else if matches!(input, Input::Path(path) if path.is_dir()) {
                    Vec::new()
                } else {
                    members.names().map(str::to_owned).collect()
                };
                let mut n_members = 0;
                for name in &names {
                    if let Some(stream) = members.open(name)? {
                        one(stream, wanted.filter(|_| names.len() == 1), visit)?;
                        n_members += 1;
                    }
                }
                if n_members == 0 {
                    return Err(SourceError::NoMembers { name: members.name }.into());
                }
            }
        }
    }
    Ok(())
}

fn one<E>(
    mut stream: Stream,
    wanted: Option<Format>,
    visit: &mut dyn FnMut(Found<'_>) -> Result<(), E>,
) -> Result<(), E>
where
    E: From<SourceError>,
{
    stream.check_not_empty()?;
    if let Some(format) = wanted {
        (stream.format, stream.doubt) = (format, None);
    }
    visit(Found::Text(&mut stream))?;
    stream.finish()?.map_or(Ok(()), |problem| visit(Found::Problem(problem)))
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
