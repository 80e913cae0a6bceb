//! The rules of ARCHITECTURE.md: who may import whom, what stays pure, how long a file may be.
//!
//! Reads the source. Comments and the tests at the end of a file do not count: tests may use what they like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each layer and the ones it may import, lowest first. `cli` may import everything and nobody imports it.
const LAYERS: [(&str, &[&str]); 15] = [
    ("event", &[]),
    ("log", &["event"]),
    ("model", &["event", "log"]),
    ("policy", &["event", "log", "model"]),
    ("request", &["log", "model", "policy"]),
    ("replay", &["event", "log", "model", "policy", "request"]),
    ("compare", &["event", "log", "model", "policy", "replay"]),
    ("insight", &["event", "log", "model", "policy", "request", "replay", "compare"]),
    ("view", &["event", "log", "model", "policy", "request", "replay", "compare", "insight", "lesson"]),
    ("export", &["event", "log", "model", "policy", "request", "replay", "compare", "insight", "view"]),
    ("source", &["event", "log"]),
    ("lesson", &["log"]),
    ("workload", &[]),
    ("ui", &["event", "log", "model", "policy", "request", "replay", "compare", "insight", "view", "export", "lesson"]),
    (
        "cli",
        &[
            "event", "log", "model", "policy", "request", "replay", "compare", "insight", "view", "export", "lesson",
            "workload", "source", "ui",
        ],
    ),
];

/// Crates that only some layers may know.
const CRATES: [(&str, &[&str]); 4] =
    [("ratatui", &["ui"]), ("crossterm", &["ui"]), ("tokio", &["source", "ui", "cli"]), ("parquet", &["export"])];

/// No clock, no files, no network, no environment.
const PURE: [&str; 13] = [
    "parsers", "event", "log", "model", "policy", "request", "replay", "compare", "insight", "view", "export",
    "lesson", "workload",
];
const IMPURE: [&str; 6] =
    ["std::fs", "std::env", "std::net", "std::process", "std::time::Instant", "std::time::SystemTime"];

/// Lines of a file, its tests included, that need no excuse.
const MAX_LINES: usize = 400;

/// One file: its layer and its code without comments and tests.
struct Source {
    path: PathBuf,
    layer: String,
    code: String,
}

#[test]
fn layers_point_one_way() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((layer, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == source.layer) else { continue };
        for target in paths(&source.code).iter().filter_map(|path| path.strip_prefix("crate::")) {
            let target = target.split("::").next().unwrap_or_default();
            if target != *layer && !allowed.contains(&target) {
                wrong.push(format!("{}: {layer} imports {target}", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn every_module_has_a_layer() {
    let known: BTreeSet<&str> = LAYERS.iter().map(|(layer, _)| *layer).chain(["lib", "main", "parsers"]).collect();
    let sources = sources();
    let found: BTreeSet<&str> = sources.iter().map(|source| source.layer.as_str()).collect();
    assert_eq!(found, known, "a module without a layer, or a layer without a module");
}

#[test]
fn the_terminal_and_the_runtime_stay_outside() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (name, allowed) in CRATES {
            let is_used = paths(&source.code).iter().any(|path| path.split("::").next() == Some(name));
            if is_used && !allowed.contains(&source.layer.as_str()) {
                wrong.push(format!("{} uses {name}", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_middle_is_pure() {
    let mut wrong = Vec::new();
    for source in sources().into_iter().filter(|source| PURE.contains(&source.layer.as_str())) {
        for path in paths(&source.code) {
            if IMPURE.iter().any(|impure| path == *impure || path.starts_with(&format!("{impure}::"))) {
                wrong.push(format!("{} uses {path}", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_long_file_says_at_the_top_why() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in ["src", "parsers", "tests", "benches"].iter().flat_map(|folder| rust_files(&root.join(folder))) {
        let text = fs::read_to_string(&path).expect("readable");
        let n_lines = text.lines().count();
        let mut head = text.lines().take_while(|line| line.starts_with("//!"));
        let explains = head.any(|line| line.contains("400 lines"));
        assert!(n_lines <= MAX_LINES || explains, "{} has {n_lines} lines", path.display());
    }
}

#[test]
fn the_reader_of_paths_sees_groups_and_calls() {
    let code =
        "use crate::{log::{Log as L, Names}, event::Seq};\nfn f() { std::fs::read(x); let y = crate::cli::main(); }";
    let wanted = ["crate::cli::main", "crate::event::Seq", "crate::log::Log", "crate::log::Names", "std::fs::read"];
    assert_eq!(paths(code).iter().map(String::as_str).collect::<Vec<_>>(), wanted);
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for (folder, fixed) in [("src", None), ("parsers/src", Some("parsers"))] {
        for path in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&path).expect("readable");
            let path = path.strip_prefix(root).expect("inside").to_owned();
            let inside = path.strip_prefix(folder).expect("inside");
            let first = inside.iter().next().expect("a name").to_string_lossy();
            let layer = fixed.unwrap_or(first.trim_end_matches(".rs")).to_owned();
            let is_test = path.iter().any(|part| part == "tests" || part == "tests.rs");
            let code = if is_test { String::new() } else { code_of(&text) };
            sources.push(Source { path, layer, code });
        }
    }
    assert!(40 < sources.len(), "the source is not where it is looked for");
    sources
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Up to the tests, without comments.
fn code_of(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    let code = |line: &str| line.split_once("//").map_or(line, |(code, _)| code).to_owned();
    lines.map(code).collect::<Vec<_>>().join("\n")
}

/// Every path of at least two parts, groups in braces spelt out.
fn paths(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut rest = code;
    while let Some(at) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        rest = path("", &rest[at..], &mut paths);
    }
    paths
}

/// Reads one path that `text` begins with; hands out what follows.
fn path<'a>(before: &str, text: &'a str, paths: &mut BTreeSet<String>) -> &'a str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let so_far = if before.is_empty() { name.to_owned() } else { format!("{before}::{name}") };
    let Some(after) = rest.strip_prefix("::") else {
        if !before.is_empty() {
            paths.insert(so_far);
        }
        return rest;
    };
    let Some(mut group) = after.strip_prefix('{') else {
        return if after.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            path(&so_far, after, paths)
        } else {
            after
        };
    };
    loop {
        group = group.trim_start_matches([',', ' ', '\n', '*']);
        match group.chars().next() {
            Some('}') => return &group[1..],
            Some(c) if c.is_alphabetic() || c == '_' => {
                group = path(&so_far, group, paths);
                if let Some(renamed) = group.strip_prefix(" as ") {
                    group = renamed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
                }
            }
            _ => return group,
        }
    }
}
