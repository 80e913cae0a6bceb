//! What was inferred of a trace, kept beside it: a second opening is the same as the first, whatever lies there.

#[path = "common/support.rs"]
mod common;
#[path = "common/doctored.rs"]
mod doctored;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use common::Dice;
use doctored::{Moved, falsify};
use vmaplens::event::Seq;
use vmaplens::log::Log;
use vmaplens::replay::decisions::{BEGINS_WITH, Store, Stored};
use vmaplens::replay::{Follow, Replay, Settings};
use vmaplens::source::{Input, Reading, open_log};

/// A store in memory.
#[derive(Debug, Default)]
struct Memory(Mutex<Option<Vec<u8>>>);

impl Store for Memory {
    fn name(&self) -> String {
        "kept".to_owned()
    }

    fn load(&self, most: u64) -> Stored {
        match self.0.lock().expect("alone").clone() {
            None => Stored::Nothing,
            Some(bytes) => {
                assert!(bytes.len() as u64 <= most / 4, "{} of {most}", bytes.len());
                Stored::Bytes(bytes)
            }
        }
    }

    fn is_wanted(&self) -> bool {
        true
    }

    fn save(&self, bytes: &[u8]) -> Result<(), String> {
        *self.0.lock().expect("alone") = Some(bytes.to_vec());
        Ok(())
    }
}

fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("traces").join(name), root.join("tests/data").join(name)];
    folders.into_iter().find(|folder| folder.is_dir()).expect(name)
}

fn log(name: &str) -> Log {
    open_log(&Input::Path(folder(name)), &Reading::default()).expect(name)
}

fn opened(log: &Arc<Log>, store: Option<&Arc<Memory>>) -> Replay {
    let decisions = store.map(|store| Arc::clone(store) as Arc<dyn Store>);
    let settings = Settings { memory: Follow::Nothing, decisions, ..Settings::default() };
    Replay::open(Arc::clone(log), &settings).expect("opens")
}

/// Everything that can be asked of a plan is the same.
fn check_same(log: &Log, mut one: Replay, mut other: Replay, what: &str) {
    let (a, b) = (one.plan(), other.plan());
    assert_eq!(a.divergences, b.divergences, "{what}");
    assert_eq!((a.checks, a.hypotheses(log)), (b.checks, b.hypotheses(log)), "{what}");
    for index in 0..log.events.len() {
        let seq = Seq(index as u32);
        assert_eq!((a.verdict(seq), a.mate(seq)), (b.verdict(seq), b.mate(seq)), "{what}: {index}");
        assert!(a.ops_of(log, index).eq(b.ops_of(log, index)), "{what}: {index}");
    }
    for part in 1..=4 {
        let at = log.events.len() * part / 4;
        one.seek(at, usize::MAX);
        other.seek(at, usize::MAX);
        assert_eq!(one.space().digest(), other.space().digest(), "{what}: {at}");
    }
}

/// Written once, used once, and both times the same as without.
fn check_kept(log: &Arc<Log>, what: &str) {
    let store = Arc::new(Memory::default());
    let first = opened(log, Some(&store));
    assert!(first.plan().kept.is_written && !first.plan().kept.is_used, "{what}: {:?}", first.plan().kept);
    assert!(store.0.lock().expect("alone").as_ref().is_some_and(|bytes| bytes.starts_with(BEGINS_WITH)));
    let second = opened(log, Some(&store));
    assert!(second.plan().kept.is_used && second.plan().kept.problems.is_empty(), "{what}: {:?}", second.plan().kept);
    check_same(log, opened(log, None), first, what);
    check_same(log, opened(log, None), second, what);
}

const CAPTURES: [&str; 7] = [
    "amd64-612-boot-smp2",
    "amd64-612-stress-smp2",
    "amd64-612-testvmalloc-smp4",
    "amd64-612-late-smp4",
    "amd64-72-boot-smp2",
    "amd64-72-boot-smp3",
    "armhf-612-exhaust-smp2",
];

#[test]
fn a_second_opening_is_the_same_as_the_first() {
    for name in CAPTURES {
        check_kept(&Arc::new(log(name)), name);
    }
}

/// With records that lie there is more to be said: what was believed, what was not, what was freed that nobody knew.
#[test]
fn what_was_adopted_is_kept_too() {
    for (name, seed) in [("amd64-612-late-smp4", 1), ("amd64-72-boot-smp2", 2), ("amd64-612-stress-smp2", 3)] {
        for moved in [Moved::Far, Moved::Near] {
            let mut log = log(name);
            falsify(&mut log, moved, &mut Dice(seed));
            check_kept(&Arc::new(log), &format!("{name} {moved:?}"));
        }
    }
}

/// Where one CPU, or probes, leave nothing open nothing is kept.
#[test]
fn what_was_not_inferred_is_not_kept() {
    let store = Arc::new(Memory::default());
    let replay = opened(&Arc::new(log("amd64-612-first-steps")), Some(&store));
    assert_eq!(replay.plan().kept, vmaplens::replay::decisions::Kept::default());
    assert_eq!(*store.0.lock().expect("alone"), None);
}

/// A folder of its own, with a capture that is quick to resolve in it.
struct Case {
    root: PathBuf,
}

const NAME: &str = "amd64-612-late-smp4";

impl Case {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("vmaplens-kept-{name}-{}", std::process::id()));
        let case = Self { root };
        fs::create_dir_all(case.root.join(NAME)).expect("a folder");
        for entry in fs::read_dir(folder(NAME)).expect("readable").flatten() {
            fs::copy(entry.path(), case.root.join(NAME).join(entry.file_name())).expect("copied");
        }
        case
    }

    fn file(&self) -> PathBuf {
        self.root.join(format!("{NAME}.vmaplens.decisions"))
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vmaplens"));
        command.args(args).current_dir(&self.root).env_clear().output().expect("the binary runs")
    }

    /// What `verify --json` says but for where it comes from, whether that was the file, and the lines beside it.
    fn verify(&self, more: &[&str]) -> (serde_json::Value, bool, Vec<String>) {
        let output = self.run(&[&["verify", "--json", NAME], more].concat());
        assert_eq!(output.status.code(), Some(0));
        let mut document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let said = document.as_object_mut().expect("an object").remove("from_cache");
        let talk = String::from_utf8_lossy(&output.stderr);
        let lines = talk.lines().filter(|line| line.contains("decisions")).map(str::to_owned).collect();
        (document, said == Some(true.into()), lines)
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn the_file_is_written_when_asked_for_and_used_from_then_on() {
    let case = Case::new("used");
    let (without, ..) = case.verify(&[]);
    assert!(!case.file().exists());
    assert_eq!(case.verify(&["--cache"]), (without.clone(), false, vec![]));
    let written = fs::read(case.file()).expect("written");
    assert_eq!(case.verify(&[]), (without.clone(), true, vec![]));
    assert_eq!(case.verify(&["--cache"]), (without.clone(), true, vec![]));
    // Other settings are another question.
    let (_, used, lines) = case.verify(&["--cpus", "3"]);
    assert!(!used && lines.len() == 1 && lines[0].contains("other settings"), "{lines:?}");
    fs::write(case.file(), &written[..written.len() / 2]).expect("cut");
    let (same, used, lines) = case.verify(&[]);
    assert!(same == without && !used && lines.len() == 1 && lines[0].contains("damaged"), "{lines:?}");
    assert_eq!(case.verify(&["--quiet"]), (without.clone(), false, vec![]));
    case.verify(&["--cache"]);
    assert_eq!(fs::read(case.file()).expect("written"), written);
    // Nothing else is left in the folder, and the file is no capture.
    assert_eq!(fs::read_dir(&case.root).expect("readable").count(), 2);
    assert_eq!(case.run(&["verify", &format!("{NAME}.vmaplens.decisions")]).status.code(), Some(2));
}

/// What is not ours stays as it is, and the work goes on.
#[test]
fn nothing_of_others_is_overwritten() {
    let case = Case::new("foreign");
    let (without, ..) = case.verify(&[]);
    fs::write(case.file(), "letters\n").expect("a file");
    let (same, used, lines) = case.verify(&["--cache"]);
    assert!(same == without && !used, "{lines:?}");
    assert!(lines.len() == 2 && lines[1].contains("is not written: something else"), "{lines:?}");
    assert_eq!(fs::read(case.file()).expect("there"), b"letters\n");
    // A link to somebody's file.
    fs::remove_file(case.file()).expect("removed");
    fs::write(case.root.join("theirs"), "letters\n").expect("a file");
    std::os::unix::fs::symlink("theirs", case.file()).expect("a link");
    case.verify(&["--cache"]);
    assert_eq!(fs::read(case.root.join("theirs")).expect("there"), b"letters\n");
    // A folder of that name cannot be written at all.
    fs::remove_file(case.file()).expect("removed");
    fs::create_dir(case.file()).expect("a folder");
    let (same, used, lines) = case.verify(&["--cache"]);
    assert!(same == without && !used, "{lines:?}");
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("it is no file")), "{lines:?}");
}
