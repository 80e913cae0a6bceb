//! Lessons: op scripts with notes that are part of the program, each opened by its name.
//!
//! A lesson is a file of `traces/lessons` and a row of [`LESSONS`]; what its notes may look like is told at
//! [`parsers::ops::notes`].

use std::sync::Arc;

use parsers::ops::parse;

use crate::log::Log;

/// One lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lesson {
    /// Its name on the command line.
    pub name: &'static str,
    /// The script.
    pub text: &'static str,
}

/// Every lesson, in the order in which they are best read.
pub const LESSONS: &[Lesson] = &[
    Lesson { name: "vmlist", text: include_str!("../traces/lessons/vmlist.ops") },
    Lesson { name: "vmlist-pae", text: include_str!("../traces/lessons/vmlist-pae.ops") },
    Lesson { name: "vmalloc-arm64", text: include_str!("../traces/lessons/vmalloc-arm64.ops") },
    Lesson { name: "init", text: include_str!("../traces/lessons/init.ops") },
    Lesson { name: "merge-and-purge", text: include_str!("../traces/lessons/merge-and-purge.ops") },
    Lesson { name: "vfree-interrupt", text: include_str!("../traces/lessons/vfree-interrupt.ops") },
    Lesson { name: "page-tables", text: include_str!("../traces/lessons/page-tables.ops") },
    Lesson { name: "sync-i386", text: include_str!("../traces/lessons/sync-i386.ops") },
    Lesson { name: "huge-vmalloc", text: include_str!("../traces/lessons/huge-vmalloc.ops") },
    Lesson { name: "map-ram", text: include_str!("../traces/lessons/map-ram.ops") },
    Lesson { name: "pools", text: include_str!("../traces/lessons/pools.ops") },
    Lesson { name: "kmalloc-or-vmalloc", text: include_str!("../traces/lessons/kmalloc-or-vmalloc.ops") },
    Lesson { name: "first-fit", text: include_str!("../traces/lessons/first-fit.ops") },
    Lesson { name: "random-addresses", text: include_str!("../traces/lessons/random-addresses.ops") },
];

impl Lesson {
    /// Its log, ready to be replayed.
    pub fn log(&self) -> Log {
        let mut log = Log::of_script(parse(self.text.as_bytes()), &format!("lesson {}", self.name));
        if let Some(script) = log.script.as_mut() {
            Arc::make_mut(script).lesson = Some(self.name);
        }
        log
    }

    /// What it is about, in one line.
    pub fn title(&self) -> &'static str {
        self.text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default()
    }
}

/// The lesson of a name.
pub fn named(name: &str) -> Option<&'static Lesson> {
    LESSONS.iter().find(|lesson| lesson.name == name)
}

/// The lesson to read behind the one of that name.
pub fn behind(name: &str) -> Option<&'static Lesson> {
    let at = LESSONS.iter().position(|lesson| lesson.name == name)?;
    LESSONS.get(at + 1)
}

/// The lesson whose name is most like a wrong one.
pub fn nearest(wrong: &str) -> Option<&'static Lesson> {
    LESSONS.iter().min_by_key(|lesson| distance(wrong, lesson.name))
}

/// Letters that have to be put in, taken out or changed; none if the wrong name is part of the right one.
fn distance(wrong: &str, name: &str) -> usize {
    if !wrong.is_empty() && name.contains(wrong) {
        return 0;
    }
    let name: Vec<char> = name.chars().collect();
    let mut costs: Vec<usize> = (0..=name.len()).collect();
    for (row, letter) in wrong.chars().take(64).enumerate() {
        let mut above = std::mem::replace(&mut costs[0], row + 1);
        for (at, other) in name.iter().enumerate() {
            let changed = above + usize::from(letter != *other);
            above = costs[at + 1];
            costs[at + 1] = changed.min(above + 1).min(costs[at] + 1);
        }
    }
    costs.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lesson_is_a_script_without_a_flaw() {
        for lesson in LESSONS {
            let script = parse(lesson.text.as_bytes());
            assert_eq!(script.problems, [], "{}", lesson.name);
            assert_eq!(script.header.title.as_deref(), Some(lesson.title()), "{}", lesson.name);
            assert!(script.header.era.is_some(), "{}", lesson.name);
            assert_eq!(script.notes.first().map(|note| note.op), Some(0), "{} has an introduction", lesson.name);
            assert_eq!(
                script.notes.last().map(|note| note.op),
                Some(script.ops.len()),
                "{} ends at a stop",
                lesson.name
            );
        }
    }

    #[test]
    fn the_table_has_every_file_under_its_own_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/lessons");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the lessons")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "ops"))
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        files.sort();
        let mut names: Vec<&str> = LESSONS.iter().map(|lesson| lesson.name).collect();
        names.sort_unstable();
        assert_eq!(files, names);
    }

    #[test]
    fn a_wrong_name_leads_to_the_nearest() {
        for (wrong, near) in [("inti", "init"), ("merge", "merge-and-purge"), ("merge_and_prge", "merge-and-purge")] {
            assert_eq!(nearest(wrong).map(|lesson| lesson.name), Some(near), "{wrong}");
        }
    }
}
