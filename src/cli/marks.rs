//! [`FileStore`]: marks in a file beside the trace, written only when somebody sets one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::log::escape;
use crate::source::Input;
use crate::ui::{MAX_FILE_BYTES, MarkStore, NoStore, Stored};

use super::sink::Sink;

/// What is added to the name of the trace.
const SUFFIX: &str = ".vmaplens.toml";

/// The file beside a trace, or beside the folder of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStore {
    path: PathBuf,
}

/// Where the marks of an input are kept. Of several inputs the first names the file: which trace its marks are of is
/// written in it.
pub fn store_for(input: &Input) -> Box<dyn MarkStore> {
    let path = match input.each().first() {
        Some(Input::Path(path)) => path,
        Some(Input::Stdin) => return Box::new(NoStore("standard input is no file".to_owned())),
        Some(Input::Embedded) => return Box::new(NoStore("the built-in capture is part of the program".to_owned())),
        _ => return Box::new(NoStore("this input is no file".to_owned())),
    };
    match beside(path, SUFFIX) {
        Some(path) => Box::new(FileStore { path }),
        None => Box::new(NoStore("this input is no file".to_owned())),
    }
}

/// `TRACE.vmaplens.…`; `None` beside what is neither a file nor a folder.
pub(super) fn beside(path: &Path, suffix: &str) -> Option<PathBuf> {
    let meta = path.metadata().ok()?;
    if !meta.is_file() && !meta.is_dir() {
        return None;
    }
    // `.` has no name of its own.
    let path = if path.file_name().is_some() { path.to_owned() } else { path.canonicalize().ok()? };
    let mut name = path.file_name()?.to_owned();
    name.push(suffix);
    Some(path.with_file_name(name))
}

impl FileStore {
    /// Without its folder, which is that of the trace: there is little room for a message.
    fn name(&self) -> String {
        escape(self.path.file_name().unwrap_or_default().to_string_lossy().as_bytes())
    }
}

impl MarkStore for FileStore {
    fn load(&self) -> Stored {
        let unreadable = |why: &str| Stored::Unreadable { name: self.name(), why: why.to_owned() };
        match self.path.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Stored::Nothing,
            Err(error) => return unreadable(&error.to_string()),
            Ok(meta) if !meta.is_file() => return unreadable("it is no file"),
            Ok(_) => {}
        }
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
        match (read, String::from_utf8(bytes)) {
            (Err(error), _) => unreadable(&error.to_string()),
            (Ok(n), _) if MAX_FILE_BYTES < n as u64 => unreadable("it is too large for a file of marks"),
            (Ok(_), Err(_)) => unreadable("it is no text"),
            (Ok(_), Ok(text)) => Stored::Text { name: self.name(), text },
        }
    }

    fn save(&self, text: &str) -> Result<String, String> {
        let written = Sink::open(Some(&self.path)).and_then(|mut sink| {
            sink.write(text.as_bytes())?;
            sink.finish()
        });
        written.map(|()| self.name()).map_err(|error| error.to_string())
    }
}
