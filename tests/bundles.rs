//! What `vmaplens record` wrote on real kernels, read back: every member as its sum says, every record as its manifest
//! counts them, and addresses that the model predicts.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};
use vmaplens::event::EventKind;
use vmaplens::log::{Around, Log, Standing};
use vmaplens::replay::{Replay, Settings, Verdict};
use vmaplens::source::{Input, Reading, open};

/// By events, and by probes in their place. Both with stacks, anonymised, while a command ran.
const BUNDLES: [&str; 2] = ["amd64-612-record", "amd64-61-record"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/bundles/{name}.tar.zst"))
}

fn log(name: &str) -> Log {
    open(&Input::Path(path(name)), &Reading::default()).expect(name)
}

/// The members, by other people's code.
fn members(name: &str) -> BTreeMap<String, Vec<u8>> {
    let packed = std::fs::read(path(name)).expect("there");
    let plain = zstd::stream::decode_all(packed.as_slice()).expect("zstd");
    let mut members = BTreeMap::new();
    for entry in tar::Archive::new(plain.as_slice()).entries().expect("a tar") {
        let mut entry = entry.expect("whole");
        let name = entry.path().expect("a name").to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("whole");
        members.insert(name, bytes);
    }
    members
}

fn manifest(members: &BTreeMap<String, Vec<u8>>) -> Value {
    serde_json::from_slice(&members["manifest.json"]).expect("JSON")
}

#[test]
fn sums_are_those_of_the_members() {
    for name in BUNDLES {
        let members = members(name);
        let manifest = manifest(&members);
        let listed = manifest["members"].as_array().expect("a list");
        // All but the manifest and the list of sums.
        assert_eq!(listed.len() + 2, members.len(), "{name}");
        let sums = String::from_utf8(members["checksums.txt"].clone()).expect("text");
        for member in listed {
            let bytes = &members[member["name"].as_str().expect("a name")];
            let sum: String =
                Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
            assert_eq!((member["bytes"].as_u64(), member["sha256"].as_str()), (Some(bytes.len() as u64), Some(&*sum)));
            assert!(sums.contains(&format!("{sum}  {}\n", member["name"].as_str().expect("a name"))));
        }
    }
}

#[test]
fn records_are_those_that_the_recorder_counted() {
    for name in BUNDLES {
        let (log, manifest) = (log(name), manifest(&members(name)));
        assert_eq!(log.problems, [], "{name}");
        let (counts, said) = (log.counts(), &manifest["trace"]["events"]);
        let found = [counts.alloc, counts.failed, counts.free, counts.purge].map(Some);
        assert_eq!(found, ["alloc", "failed", "free", "purge"].map(|kind| said[kind].as_u64()), "{name}");
        assert_eq!(counts.lost, 0, "{name}");
        assert_eq!(log.origin.kernel.as_deref(), manifest["kernel"]["release"].as_str());
        assert_eq!(
            (log.origin.cpus_possible, log.origin.cpus_online, log.origin.page_size),
            (Some(2), Some(2), Some(4096))
        );
        // Marks are marks although few symbols are there.
        for (around, when) in [(Around::Before, "before"), (Around::After, "after")] {
            let window = log.snapshot_window(around).expect("marks");
            let end = log.events.nth(window.end - 1);
            assert!(matches!(end.kind, EventKind::Mark { .. }));
            assert_eq!(Some(end.at.0), manifest["snapshots"][when]["t1_ns"].as_u64(), "{name} {when}");
        }
        assert!(log.names.tasks().iter().any(|task| task.comm.starts_with(b"task-")), "{name}");
        // Stacks have names.
        let asked = log.events.iter().position(|event| matches!(event.kind, EventKind::Alloc { failed: false, .. }));
        assert!(asked.is_some() && !log.stacks.is_empty(), "{name}");
    }
}

#[test]
fn the_areas_at_the_end_are_those_of_the_model() {
    for (name, exact) in [("amd64-61-record", true), ("amd64-612-record", false)] {
        let log = log(name);
        let after = log.settled(Around::After).expect("real addresses");
        let end = log.last_snapshot_place().expect("a mark");
        let mut replay = Replay::open(Arc::new(log), &Settings::default()).expect("opens");
        replay.seek(end, usize::MAX);
        let differs = |verdict: &Verdict| matches!(verdict, Verdict::Adopted(_));
        let adopted = replay.plan().divergences.iter().filter(|found| differs(&found.verdict)).count() as u64;
        // From 6.9 on pools are in no snapshot: what they held decides most of a short recording.
        assert!(!exact || adopted == 0, "{name}: {adopted} adopted");
        let check = vmaplens::replay::truth::check_after(replay.space(), &after);
        assert_eq!((check.missing, check.extra), (0, 0), "{name}");
        assert!(after.iter().any(|area: &Standing| area.is_lazy), "{name}");
    }
}
