//! A recording is looked at while it grows: whatever the pieces it comes in, each look is a beginning of the whole, and the
//! last one is what opening it at once gives.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use crate::event::EventKind;
use crate::log::Log;
use crate::record::follower::Follower;
use crate::record::memory::Memory;
use crate::record::session::Session;
use crate::record::store::Store;
use crate::replay::{Replay, Tally};
use crate::source::dat::symbols;
use crate::source::{Input, Reading, open};

use super::fake::{Fake, ROOT};
use super::*;

/// By events, by probes, and ten seconds under load.
const BUNDLES: [(&str, bool); 3] = [("amd64-612-record", true), ("amd64-61-record", false), ("amd64-72-record", true)];
/// How long a record may be on its way.
const IN_FLIGHT_NS: u64 = 50_000_000;

/// A recorded bundle, and a system on which it could have been recorded.
struct Recorded {
    members: BTreeMap<String, Vec<u8>>,
    whole: Log,
    fake: Fake,
    facts: Facts,
}

impl Recorded {
    fn new(name: &str, has_events: bool) -> Self {
        let path = format!("{}/tests/data/bundles/{name}.tar.zst", env!("CARGO_MANIFEST_DIR"));
        let plain = zstd::stream::decode_all(std::fs::read(&path).expect("there").as_slice()).expect("zstd");
        let mut members = BTreeMap::new();
        for entry in tar::Archive::new(plain.as_slice()).entries().expect("a tar") {
            let mut entry = entry.expect("whole");
            let member = entry.path().expect("a name").to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("whole");
            members.insert(member, bytes);
        }
        let whole = open(&Input::Path(path.into()), &Reading::default()).expect("opens");
        let manifest: serde_json::Value = serde_json::from_slice(&members["manifest.json"]).expect("JSON");
        let release = manifest["kernel"]["release"].as_str().expect("a release").to_owned();
        let fake = Fake::new(has_events);
        let text = |name: &str| String::from_utf8(members[name].clone()).expect("text");
        for (path, text) in [
            (format!("{ROOT}/saved_cmdlines"), text("saved_cmdlines")),
            (format!("{ROOT}/events/header_page"), text("header_page")),
            ("/proc/kallsyms".to_owned(), String::from_utf8(symbols(&members["symbols.txt"])).expect("text")),
            ("/proc/vmallocinfo".to_owned(), text("vmallocinfo.before")),
            ("/proc/meminfo".to_owned(), text("meminfo")),
        ] {
            fake.put(&path, &text);
        }
        let facts = Facts { release, ..facts(has_events) };
        Self { members, whole, fake, facts }
    }

    fn follower(&self, memory: &Memory) -> Follower {
        let settings = Settings { filter: None, stacks: false, ..settings() };
        let plan = Plan::new(&self.facts, &settings).expect("a plan");
        Follower::new(Arc::new(self.facts.clone()), Arc::new(settings), Arc::new(plan), memory.clone())
    }

    /// What describes the pages.
    fn describe(&self, memory: &Memory) {
        for (name, bytes) in &self.members {
            if name.starts_with("formats/") || ["header_page", "trace_clock", "printk_formats"].contains(&name.as_str())
            {
                memory.put(name, bytes).expect("memory");
            }
        }
    }

    fn pages(&self) -> Vec<(u16, Stamped)> {
        let cpu = |(name, bytes): (&String, &Vec<u8>)| {
            let cpu = name.strip_prefix("events.pages/cpu")?.parse().ok()?;
            let stamp = |page: &[u8]| u64::from_le_bytes(page[..8].try_into().expect("eight bytes"));
            Some((cpu, bytes.chunks(4096).map(|page| (stamp(page), page.to_vec())).collect()))
        };
        self.members.iter().filter_map(cpu).collect()
    }
}

/// Pages of a CPU, each with the stamp of its first record.
type Stamped = Vec<(u64, Vec<u8>)>;

fn tally(log: &Log) -> Tally {
    let mut replay = Replay::open(Arc::new(log.clone()), &crate::replay::Settings::default()).expect("can be replayed");
    replay.seek(replay.len(), usize::MAX);
    replay.tally()
}

fn assert_same(log: &Log, whole: &Log) {
    assert_eq!(log.events.len(), whole.events.len());
    for (one, other) in log.events.iter().zip(&whole.events) {
        assert_eq!(one, other);
    }
    assert_eq!(log.before, whole.before);
    assert_eq!(log.names.tasks(), whole.names.tasks());
    let facts = |log: &Log| {
        let origin = &log.origin;
        let machine =
            (origin.arch.clone(), origin.page_size, origin.cpus_online, origin.cpus_possible, origin.ram_bytes);
        (origin.kernel.clone(), machine, origin.vmalloc, origin.clock, origin.clock_name.clone())
    };
    assert_eq!(facts(log), facts(whole));
    assert_eq!(log.problems, []);
    assert_eq!(tally(log), tally(whole));
    assert!(0 < tally(log).allocs);
}

#[test]
fn a_log_grown_in_pieces_is_the_log_opened_at_once() {
    for (name, has_events) in BUNDLES {
        let recorded = Recorded::new(name, has_events);
        // Which CPU's page comes next: in turns, all of one before the other, and mixed.
        for order in 0..4_u64 {
            let memory = Memory::new(1 << 24, Stop::default());
            let mut follower = recorded.follower(&memory);
            assert!(follower.look(&recorded.fake, usize::MAX, None).expect("nothing yet").log.is_none());
            recorded.describe(&memory);
            let mut store = memory.clone();
            let mut left = recorded.pages();
            let mut outs: Vec<Box<dyn Write>> =
                left.iter().map(|(cpu, _)| memory.grow(&format!("events.pages/cpu{cpu}")).expect("a CPU")).collect();
            let (mut n_looks, mut longest, mut turn) = (0, 0, 0x9e37_79b9_7f4a_7c15_u64);
            while left.iter().any(|(_, pages)| !pages.is_empty()) {
                turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(order);
                let wanted = match order {
                    0 => n_looks % left.len(),
                    1 => 0,
                    2 => left.len() - 1,
                    _ => (turn >> 60) as usize % left.len(),
                };
                let at = (0..left.len()).map(|n| (wanted + n) % left.len()).find(|&at| !left[at].1.is_empty());
                let at = at.expect("some are left");
                outs[at].write_all(&left[at].1.remove(0).1).expect("memory");
                if n_looks == 1 {
                    memory.put("vmallocinfo.before", &recorded.members["vmallocinfo.before"]).expect("memory");
                }
                n_looks += 1;
                // Everything before the first record that has not come is there.
                let next = left.iter().filter_map(|(_, pages)| Some(pages.first()?.0)).min();
                store.emptied(next.map_or(u64::MAX, |next| next - 1 + IN_FLIGHT_NS));
                let looked = follower.look(&recorded.fake, usize::MAX, None).expect("can be read");
                let Some(log) = looked.log else { continue };
                assert!(longest <= log.events.len(), "it grows");
                longest = log.events.len();
                for (one, other) in log.events.iter().zip(&recorded.whole.events) {
                    // A call that has not returned yet is not paired yet.
                    let is_open = matches!(one.kind, EventKind::Request { .. } | EventKind::PurgeEntry { .. });
                    assert!(one == other || is_open || !has_events && one.at == other.at, "{name}: {one:?} {other:?}");
                }
                assert_eq!(log.before, recorded.whole.before);
                assert_eq!(log.problems, [], "{name}: nothing is missing at any moment");
            }
            memory.put("vmallocinfo.before", &recorded.members["vmallocinfo.before"]).expect("memory");
            store.emptied(u64::MAX);
            let last = recorded.follower(&memory).look(&recorded.fake, usize::MAX, None).expect("read").log;
            assert_same(&last.expect("it is there"), &recorded.whole);
        }
    }
}

#[test]
fn what_a_session_drains_into_memory_is_the_recording() {
    for (name, has_events) in BUNDLES {
        let recorded = Recorded::new(name, has_events);
        let settings = Settings { filter: None, stacks: false, ..settings() };
        let plan = Plan::new(&recorded.facts, &settings).expect("a plan");
        for (cpu, pages) in recorded.pages() {
            let pipe = plan.instance.join(format!("per_cpu/cpu{cpu}/trace_pipe_raw"));
            recorded.fake.give(&pipe, pages.into_iter().map(|(_, page)| page).collect());
        }
        for event in &plan.events {
            let name = event.rsplit_once('/').expect("a group").1;
            // Those of own probes are there when the probes are.
            recorded.fake.format(name, &recorded.members[&format!("formats/{name}")]);
        }
        for name in ["print", "kernel_stack"] {
            let format = String::from_utf8_lossy(&recorded.members[&format!("formats/{name}")]);
            recorded.fake.put(&format!("{ROOT}/events/ftrace/{name}/format"), &format);
        }
        let before = recorded.fake.dump();
        let (stop, mut memory) = (Stop::default(), Memory::new(1 << 24, Stop::default()));
        let session =
            Session { files: &recorded.fake, facts: &recorded.facts, settings: &settings, plan: &plan, stop: &stop };
        let taken = session.run(&mut memory, &|_| {}).expect("recorded");
        assert_eq!(recorded.fake.dump(), before, "{name}: everything is taken back");
        let mut follower = recorded.follower(&memory);
        let log = follower.look(&recorded.fake, usize::MAX, Some(&taken)).expect("read").log.expect("there");
        let mut whole = recorded.whole.clone();
        // The fake's snapshot at the end is another one, and nothing here asks for that.
        whole.origin.vmalloc = log.origin.vmalloc;
        assert_same(&log, &whole);
        // No more than is wanted.
        let log = follower.look(&recorded.fake, 10, Some(&taken)).expect("read").log.expect("there");
        assert_eq!(log.events.len(), 10);
    }
}
