//! The files of a capture folder.

use std::path::Path;

use super::contents::Entry;
use crate::source::pack::limits::MAX_MEMBERS;

/// Folders inside a capture that have members, and how deep.
const INSIDE: [(&str, u32); 4] = [("per_cpu", 1), ("stats", 0), ("formats", 3), ("events.pages", 0)];

/// What is in the folder, sorted by name: regular files, and links that stay inside.
pub fn list(root: &Path) -> Vec<Entry> {
    let mut entries = Vec::new();
    let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    walk(root, &real, "", 0, &mut entries);
    for (inside, depth) in INSIDE {
        walk(&root.join(inside), &real, &format!("{inside}/"), depth, &mut entries);
    }
    entries.sort_by(|one: &Entry, other: &Entry| one.name.cmp(&other.name));
    entries
}

fn walk(folder: &Path, root: &Path, prefix: &str, depth: u32, entries: &mut Vec<Entry>) {
    // A folder that cannot be read has no members.
    for found in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = found.file_name().into_string() else { continue };
        let path = found.path();
        let (Ok(kind), Ok(meta)) = (found.file_type(), path.metadata()) else { continue };
        if entries.len() == MAX_MEMBERS {
            return;
        }
        if meta.is_dir() {
            if 0 < depth && !kind.is_symlink() {
                walk(&path, root, &format!("{prefix}{name}/"), depth - 1, entries);
            }
        } else if meta.is_file() {
            let mut entry = Entry::stored(0, meta.len());
            // Who unpacks an archive of strangers should not have its links followed.
            if kind.is_symlink() && !path.canonicalize().is_ok_and(|path| path.starts_with(root)) {
                entry.flaw = Some("it is a link that leads out of the folder".to_owned());
            }
            entry.name = format!("{prefix}{name}");
            entries.push(entry);
        }
    }
}
