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
