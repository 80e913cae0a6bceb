//! What is exported can be read, says what the input says, and is the same every time.

#[path = "exports/hostile.rs"]
mod hostile;
#[path = "exports/kernel.rs"]
mod kernel;
#[path = "exports/lines.rs"]
mod lines;
#[path = "exports/proto.rs"]
mod proto;
#[path = "exports/tables.rs"]
mod tables;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vmaplens::export::Walk;
use vmaplens::export::folded::{self, Options};
use vmaplens::export::tables::{Format, Outputs, TABLES};
use vmaplens::export::{
    About, ExportError, chrome::Chrome, openmetrics, ops, perfetto::Perfetto, picture, vmallocinfo,
};
use vmaplens::export::{tables as export_tables, time_line};
use vmaplens::model::Extent;
use vmaplens::replay::{Follow, Replay, Settings};
use vmaplens::source::{Input, Reading, open};

/// Every capture of the repository.
fn captures() -> Vec<PathBuf> {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut found: Vec<PathBuf> = std::fs::read_dir(traces)
        .expect("traces")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.join("meta.toml").exists())
        .collect();
    found.sort();
    found
}

/// The name of a capture.
fn name_of(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// An input, resolved.
fn replay_of(path: &Path) -> Replay {
    let log = open(&Input::Path(path.to_owned()), &Reading::default()).expect("opens");
    let settings = Settings { memory: Follow::Nothing, ..Settings::default() };
    Replay::open(Arc::new(log), &settings).expect("replays")
}

/// A capture by its name, resolved.
fn capture(name: &str) -> Replay {
    replay_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(name))
}

/// A table as bytes.
fn table(replay: &Replay, format: Format, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut outputs: Outputs<&mut Vec<u8>> = [const { None }; TABLES.len()];
    outputs[TABLES.iter().position(|table| *table == name).expect("a table")] = Some(&mut out);
    export_tables::write(replay, format, outputs, 1).expect("written");
    out
}

/// Bytes that are text.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Every format that a replay alone decides.
fn everything(replay: &Replay) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for format in [Format::Jsonl, Format::Csv, Format::Parquet] {
        for name in TABLES {
            all.push((format!("{format:?} {name}"), table(replay, format, name)));
        }
    }
    let mut add = |name: &str, write: &dyn Fn(&mut Vec<u8>) -> Result<(), ExportError>| {
        let mut out = Vec::new();
        match write(&mut out) {
            Ok(()) | Err(ExportError::Nothing { .. }) => all.push((name.to_owned(), out)),
            Err(error) => unreachable!("{name}: {error}"),
        }
    };
    add("perfetto", &|out| time_line::draw(replay, u64::MAX, &mut Perfetto::new(out)));
    add("chrome", &|out| {
        let mut file = Chrome::new(out, &About::of(replay));
        time_line::draw(replay, u64::MAX, &mut file)?;
        time_line::TimeLine::finish(&mut file)
    });
    for (measure, name, _) in folded::MEASURES {
        let options = Options { measure, by_task: true, ..Options::default() };
        add(&format!("folded {name}"), &|out| folded::write(replay, options, out));
    }
    add("openmetrics", &|out| openmetrics::write(replay, replay.len(), out));
    add("vmallocinfo", &|out| vmallocinfo::write(replay, replay.len(), out));
    add("ops", &|out| ops::write(replay, out));
    add("svg", &|out| picture::write(replay, picture::Style::default(), out));
    all
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for name in ["amd64-612-first-steps", "i386-65-exhaust-smp1", "amd64-612-snaptrace-smp1"] {
        let (first, second) = (everything(&capture(name)), everything(&capture(name)));
        for ((what, first), (_, second)) in first.iter().zip(&second) {
            assert!(first == second, "{name}: {what} differs from run to run");
            assert!(!first.is_empty() || what.starts_with("folded"), "{name}: {what} is empty");
        }
    }
}

#[test]
fn a_walk_knows_the_areas_of_every_state() {
    for path in captures() {
        let replay = replay_of(&path);
        let what = name_of(&path);
        let mut walk = Walk::new(&replay);
        let every = (replay.len() / 50).max(1);
        loop {
            if walk.at().is_multiple_of(every) || walk.at() == replay.len() {
                check_areas(&walk, &what);
            }
            if walk.step().is_none() {
                break;
            }
        }
        assert_eq!(walk.space().digest(), end_digest(&replay), "{what}");
    }
}

fn end_digest(replay: &Replay) -> u64 {
    let mut replay = replay.clone();
    replay.seek(replay.len(), usize::MAX);
    replay.space().digest()
}

/// What the walk keeps is what the allocator says, one by one.
fn check_areas(walk: &Walk<'_>, what: &str) {
    let allocator = walk.space().allocator();
    let (mut busy, mut lazy) = (Vec::new(), Vec::new());
    for node in 0..allocator.n_nodes() {
        allocator.visit_busy(node, &mut |area| busy.extend(Extent::new(area.start, area.end)));
        allocator.visit_lazy(node, &mut |area| lazy.extend(Extent::new(area.start, area.end)));
    }
    busy.sort_unstable();
    lazy.sort_unstable();
    let what = format!("{what} after {}", walk.at());
    assert_eq!(walk.busy().map(|area| area.extent).collect::<Vec<_>>(), busy, "{what}");
    // Lazy ranges that touch are one in some releases.
    let bytes = |list: &[Extent]| list.iter().map(|extent| extent.len_bytes()).sum::<u64>();
    let known: Vec<Extent> = walk.lazy().map(|area| area.extent).collect();
    assert_eq!(bytes(&known), bytes(&lazy), "{what}");
    assert!(known.iter().all(|area| lazy.iter().any(|range| range.contains(*area))), "{what}");
    assert_eq!(walk.span_bytes(), allocator.metrics().span_bytes, "{what}");
}
