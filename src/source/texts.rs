//! The texts of an input, one after the other, for who wants records and no [`crate::log::Log`].

use parsers::sniff::Format;

use crate::log::{FileProblem, Origin};

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
                let mut origin = Origin::default();
                let names = if is_capture(&members) {
                    let mut manifest = Manifest::default();
                    let mut found = Vec::new();
                    if let Some(mut stream) = members.open(manifest::NAME, &mut found)? {
                        let text = stream.whole()?;
                        manifest = manifest::read(&text, &mut origin, &mut found)?;
                        found.extend(stream.finish()?);
                    }
                    found.into_iter().try_for_each(|problem| visit(Found::Problem(problem)))?;
                    let parts = capture::parts(&members, manifest);
                    [vec![parts.before], parts.recording, vec![parts.after]].concat()
                } else if matches!(input, Input::Path(path) if path.is_dir()) {
                    Vec::new()
                } else {
                    members.names().map(str::to_owned).collect()
                };
                let mut n_members = 0;
                for name in &names {
                    let (stream, problems) = capture::open(&members, name, &origin)?;
                    problems.into_iter().try_for_each(|problem| visit(Found::Problem(problem)))?;
                    if let Some(stream) = stream {
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
