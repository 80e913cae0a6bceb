//! The captures in folders.

use std::path::{Path, PathBuf};

use crate::source::capture::TELLING;

/// Folders in folders, at most: a loop of mounts ends somewhere.
const MAX_DEPTH: u32 = 16;

/// Something that may be a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What its row calls it: as it was named, or its place in the folder that was.
    pub(super) name: String,
    /// It was named, so it is a capture or an error.
    pub(super) was_named: bool,
    /// Bytes of its files: how long it will take, more or less.
    pub(super) bytes: u64,
}

impl Found {
    fn new(path: PathBuf, name: String, was_named: bool) -> Self {
        let len = |path: &Path| path.metadata().map_or(0, |meta| meta.len());
        let inside = || std::fs::read_dir(&path).into_iter().flatten().flatten();
        let bytes = if path.is_dir() { inside().map(|entry| len(&entry.path())).sum() } else { len(&path) };
        Self { path, name, was_named, bytes }
    }
}

/// What a path stands for: itself, or everything in it that may be a capture, in the order of names.
pub(super) fn find(path: &Path) -> Vec<Found> {
    let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy()).into_owned();
    if !path.is_dir() || is_capture(path) {
        return vec![Found::new(path.to_owned(), name, true)];
    }
    let mut found = Vec::new();
    walk(path, "", 0, &mut found);
    found
}

/// A folder is a capture by what lies in it.
fn is_capture(folder: &Path) -> bool {
    let is_there =
        |name: &str| ["", ".zst", ".gz", ".xz"].iter().any(|end| folder.join(format!("{name}{end}")).is_file());
    TELLING.iter().any(|name| is_there(name)) || folder.join("per_cpu").is_dir() || folder.join("events.pages").is_dir()
}

fn walk(folder: &Path, prefix: &str, depth: u32, found: &mut Vec<Found>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let Some(file) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let name = format!("{prefix}{file}");
        // A link to a folder may lead back here.
        let is_link = path.is_symlink();
        if path.is_dir() {
            if is_capture(&path) {
                found.push(Found::new(path, name, false));
            } else if depth < MAX_DEPTH && !is_link && !file.starts_with('.') {
                walk(&path, &format!("{name}/"), depth + 1, found);
            }
        } else if path.is_file() && !file.starts_with('.') {
            found.push(Found::new(path, name, false));
        }
    }
}
