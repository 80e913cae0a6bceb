//! Op scripts, and the expected results beside them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Input, SourceError, bytes};
use crate::log::{Expected, Log};

/// Where the expected results of a script are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Expect {
    /// Nobody asks for them.
    #[default]
    No,
    /// `FILE.out` beside `FILE.ops`, if it is there.
    Beside,
    /// In this file.
    File(PathBuf),
}

/// Endings of compressed files.
const PACKED: [&str; 3] = ["zst", "gz", "xz"];

/// Reads a script; what is damaged is among the log's problems.
///
/// # Errors
/// The file with the expected results cannot be read.
pub fn read(text: &[u8], input: &Input, expect: &Expect) -> Result<Log, SourceError> {
    let mut log = Log::of_script(parsers::ops::parse(text), &input.name());
    let expected = match (expect, input) {
        (Expect::File(path), _) => Some(path.clone()),
        (Expect::Beside, Input::Path(path)) => beside(path),
        _ => None,
    };
    if let (Some(path), Some(script)) = (expected, log.script.as_mut().map(Arc::make_mut)) {
        script.expected = Some(expected_of(&path, &script.ops)?);
    }
    Ok(log)
}

fn expected_of(path: &Path, ops: &[parsers::ops::OpLine]) -> Result<Expected, SourceError> {
    let input = Input::from_arg(Some(path), Input::Stdin);
    let mut problems = Vec::new();
    let plain = bytes::text(&input, &mut problems)?;
    // Half of the answers are worse than none.
    if let Some(found) = problems.pop() {
        return Err(SourceError::Compressed { name: found.file, reason: found.problem.kind.to_string() });
    }
    Ok(Expected::new(input.name(), String::from_utf8_lossy(&plain).into_owned(), ops))
}

/// `steps.out` beside `steps.ops`, packed or not.
fn beside(script: &Path) -> Option<PathBuf> {
    let is_packed = script.extension().is_some_and(|ending| PACKED.iter().any(|packed| ending == *packed));
    let plain = if is_packed { script.with_extension("") } else { script.to_owned() };
    let out = plain.with_extension("out");
    if out == plain {
        return None;
    }
    let packed = PACKED.iter().map(|ending| out.with_extension(format!("out.{ending}")));
    std::iter::once(out.clone()).chain(packed).find(|path| path.is_file())
}
