//! What was inferred of a trace, in a file beside it.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use crate::log::escape;
use crate::replay::Plan;
use crate::replay::decisions::{BEGINS_WITH, Store, Stored};
use crate::source::Input;

use super::args::InputArgs;
use super::error::CliError;
use super::marks::beside;
use super::output;
use super::sink::Sink;

/// What is added to the name of the trace.
const SUFFIX: &str = ".vmaplens.decisions";

/// The file beside a trace, or beside the folder of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStore {
    path: PathBuf,
    is_wanted: bool,
}

/// Where the decisions of an input are kept; `None` if it is no file. Of several inputs the first names it: which
/// records they are of is part of its key.
pub fn store_for(input: &Input, is_wanted: bool) -> Option<Arc<dyn Store>> {
    let Some(Input::Path(path)) = input.each().first() else { return None };
    Some(Arc::new(FileStore { path: beside(path, SUFFIX)?, is_wanted }))
}

/// One line on standard error for each thing that is wrong with the file.
pub fn report(plan: &Plan, args: &InputArgs) {
    for problem in plan.kept.problems.iter().filter(|_| !args.quiet) {
        output::talk(&format!("note: {problem}"));
    }
}

impl FileStore {
    /// The first bytes, or all if there are fewer. A device or a pipe is not opened: that can take for ever.
    fn read(&self, most: u64) -> std::io::Result<Option<Vec<u8>>> {
        match self.path.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(meta) if !meta.is_file() => return Err(std::io::Error::other("it is no file")),
            Ok(_) => {}
        }
        let mut bytes = Vec::new();
        File::open(&self.path)?.take(most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

impl Store for FileStore {
    fn name(&self) -> String {
        escape(self.path.file_name().unwrap_or_default().to_string_lossy().as_bytes())
    }

    fn load(&self, most: u64) -> Stored {
        match self.read(most.saturating_add(1)) {
            Err(error) => Stored::Unreadable(error.to_string()),
            Ok(None) => Stored::Nothing,
            Ok(Some(bytes)) if most < bytes.len() as u64 => {
                Stored::Unreadable("it is too large for so short a trace".to_owned())
            }
            Ok(Some(bytes)) => Stored::Bytes(bytes),
        }
    }

    fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    fn save(&self, bytes: &[u8]) -> Result<(), String> {
        match self.read(BEGINS_WITH.len() as u64) {
            Ok(None) => {}
            Ok(Some(there)) if there == BEGINS_WITH => {}
            Ok(Some(_)) => return Err("something else has that name".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
        let written = Sink::open(Some(&self.path)).and_then(|mut sink| {
            sink.write(bytes)?;
            sink.finish()
        });
        written.map_err(|error| match error {
            CliError::Write { reason, .. } => reason.to_string(),
            other => other.to_string(),
        })
    }
}
