//! Small inputs whole: snapshots named by options, answers of scripts, what is built in.

use crate::log::FileProblem;

use super::stream::{Opened, Stream, open};
use super::{Input, SourceError};

/// Reads a text, unpacked; damage in its packing is added to `problems`.
///
/// # Errors
/// It cannot be read, or holds several texts.
pub fn text(input: &Input, problems: &mut Vec<FileProblem>) -> Result<Vec<u8>, SourceError> {
    let mut stream = match open(input)? {
        Opened::Text(stream) => stream,
        Opened::Members(members) => {
            let names: Vec<&str> = members.names().collect();
            let one = if let [one] = names[..] { members.open(one, problems)? } else { None };
            one.ok_or_else(|| SourceError::NotReadable { name: input.typed(), what: "a folder or an archive" })?
        }
    };
    let text = stream.whole()?;
    problems.extend(stream.finish()?);
    Ok(text)
}

/// Unpacks what is in memory.
///
/// # Errors
/// It is damaged.
pub fn unpack(name: &str, bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
    let mut stream = Stream::from_bytes(name, bytes.to_vec())?;
    let text = stream.whole()?;
    match stream.finish()? {
        None => Ok(text),
        Some(found) => Err(SourceError::Compressed { name: found.file, reason: found.problem.kind.to_string() }),
    }
}
