//! Lanes: the trace's own policy is the trace, any other is what a plain run of its allocator gives, and every state is the
//! one a run from zero comes to.

#[path = "common/support.rs"]
mod common;

use std::collections::HashMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::Dice;
use vmaplens::compare::{Comparison, Demands, Lane, LaneSpec, RECORDED, demands_of};
use vmaplens::event::Seq;
use vmaplens::log::{KernelState, Log, Window};
use vmaplens::model::{Allocator, Extent, HelperOrder, Op, PurgeKind, Request, VmapArea};
use vmaplens::policy::rules::{Failure, Rules};
use vmaplens::policy::{POLICIES, Setup, build};
use vmaplens::replay::{Replay, Seek, Settings};
use vmaplens::source::{Input, Reading, open_log};

fn entries(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    all.sort();
    all
}

/// Every capture of the repository.
fn captures() -> Vec<(String, Arc<Log>)> {
    let folders = entries("traces").into_iter().chain(entries("tests/data"));
    let captures = folders.filter(|path| path.join("meta.toml").exists());
    captures
        .map(|path| {
            let log = open_log(&Input::Path(path.clone()), &Reading::default()).expect("a capture");
            (path.display().to_string(), Arc::new(log))
        })
        .collect()
}

fn open(log: &Arc<Log>) -> (Replay, Arc<Demands>) {
    let settings = Settings { memory: vmaplens::replay::Follow::Nothing, ..Settings::default() };
    let replay = Replay::open(Arc::clone(log), &settings).expect("a replay");
    let demands = demands_of(&replay);
    (replay, demands)
}

fn compare(replay: &Replay, demands: &Arc<Demands>, lanes: &str) -> Comparison {
    let specs = LaneSpec::parse_list(lanes).expect("lanes");
    let mut comparison = Comparison::new(replay, demands, &specs, 64 << 20).expect("lanes");
    while comparison.run(1000) != Seek::Done {}
    comparison
}

/// The late capture with what its kernel's own lists showed before.
fn with_state_before() -> (String, Arc<Log>) {
    let mut log = Log::clone(&common::capture("amd64-612-snaptrace-smp1"));
    let text = common::data("amd64-612-snaptrace-smp1.state-before.zst");
    let (state, _) = KernelState::check(&parsers::allocator_state::parse(&text).0).expect("holes");
    log.state_before = Some(state);
    ("with the state before".to_owned(), Arc::new(log))
}

/// `recorded` against the capture's own era parts nowhere where one CPU made the records, and both come to the state of the
/// replay. Where the trace does not tell enough, they agree up to the first record that had to be believed.
#[test]
fn on_one_cpu_the_own_era_is_the_record() {
    let mut n_whole = 0;
    for (name, log) in captures().into_iter().chain([with_state_before()]) {
        let (mut replay, demands) = open(&log);
        let comparison = compare(&replay, &demands, "recorded,auto");
        let [recorded, own] = comparison.lanes() else { panic!("two lanes") };
        let adopted = replay.plan().ops(&log).find_map(|op| match op {
            Op::Adopt { born, .. } if born != VmapArea::UNBORN => Some(Seq(born)),
            _ => None,
        });
        replay.seek(replay.len(), usize::MAX);
        assert_eq!(recorded.first_divergence(), None, "{name}");
        if replay.plan().machine.cpus_online > 1 {
            continue;
        }
        assert_eq!(recorded.first_parting(own), adopted, "{name}");
        assert_eq!(own.first_divergence(), adopted, "{name}");
        if adopted.is_none() {
            n_whole += 1;
            assert_eq!(own.end().map(|end| end.digest), Some(replay.space().digest()), "{name}");
            assert_eq!(recorded.end(), own.end(), "{name}");
            assert_eq!(recorded.score().failures, own.score().failures, "{name}");
        }
    }
    assert!(9 < n_whole, "{n_whole} captures of one CPU");
}

/// Lanes that differ in what purges, searches and fails.
const LANES: &str = "recorded,auto,linux-2.4,linux-2.6,linux-2.6.28,linux-4.19,linux-5.10,linux-6.1,linux-6.9:cpus=4,\
                     linux-7.2:lazy-max=1M,auto:guard=none,first-fit,best-fit,next-fit,buddy-trim,tlsf,\
                     vmem+immediate,random+seed=3";

/// Wherever a lane's cursor is sent, under whatever budget: the state there is that of its run from zero.
#[test]
fn seeking_equals_the_run_from_zero() {
    let mut dice = Dice(7);
    for name in ["amd64-612-boot-smp1", "i386-65-exhaust-smp1", "amd64-612-testvmalloc-smp4", "amd64-510-kprobes-smp1"]
    {
        let (replay, demands) = open(&common::capture(name));
        let specs = LaneSpec::parse_list(LANES).expect("lanes");
        for spec in specs {
            let what = format!("{name} {spec}");
            let mut lane = Lane::new(&replay, &demands, spec, 4 << 20).expect("a lane");
            let n = replay.len();
            let mut targets: Vec<usize> = (0..24).map(|_| dice.roll(n as u64 + 1) as usize).collect();
            targets.extend([0, 1, 2, n, n - 1]);
            let mut digests = HashMap::from([(0, lane.space().digest())]);
            while !lane.is_through() {
                lane.run_with(97, &mut |at, (space, _)| {
                    if targets.iter().any(|&target| target == at || target == at + 1) {
                        digests.insert(at, space.digest());
                    }
                });
            }
            for &target in &targets {
                let budget = 1 + dice.roll(3000) as usize;
                while lane.seek(target, budget) != Seek::Done {}
                assert_eq!(lane.cursor(), target, "{what}");
                assert_eq!(lane.space().digest(), digests[&target], "{what} at {target}");
                assert_eq!(lane.before().digest(), digests[&target.saturating_sub(1)], "{what} before {target}");
            }
        }
    }
}

/// Busy, lazy, pooled and free extents tile the space after every event, and gauges are what is counted one by one.
#[test]
fn every_state_of_a_lane_is_whole() {
    for name in ["amd64-612-first-steps", "i386-65-exhaust-smp1", "arm64-612-boot-smp1"] {
        let mut log = Log::clone(&common::capture(name));
        log.events.truncate(500);
        let (replay, demands) = open(&Arc::new(log));
        let others =
            if name.starts_with("arm64") { ",auto:page-size=16K,first-fit:page-size=64K,levels=3" } else { "" };
        for spec in LaneSpec::parse_list(&format!("{LANES}{others}")).expect("lanes") {
            let what = format!("{name} {spec}");
            let mut lane = Lane::new(&replay, &demands, spec, 0).expect("a lane");
            lane.run_with(usize::MAX, &mut |at, (space, _)| {
                space.allocator().audit().unwrap_or_else(|broken| panic!("{what} after {at}: {broken}"));
            });
            assert!(lane.is_through());
        }
    }
}

/// A lane on a script, against a plain loop over the same allocator with a map from ids to addresses.
#[test]
fn lanes_are_what_a_plain_loop_does() {
    for seed in 0..40 {
        let script = random_script(seed);
        let log = Arc::new(Log::of_script(parsers::ops::parse(script.as_bytes()), "x.ops"));
        let (replay, demands) = open(&log);
        for entry in POLICIES.iter().filter(|entry| entry.id != RECORDED) {
            let what = format!("{seed} {}", entry.id);
            let mut lane = Lane::new(&replay, &demands, LaneSpec::of(entry.id), 0).expect("a lane");
            lane.run(usize::MAX);
            let naive = naive(&script, lane.machine().policy.rules);
            let ids = (0..demands.n_ids() as u32).map(|id| lane.place_of(id));
            assert_eq!(ids.collect::<Vec<_>>(), naive.places, "{what}");
            let end = lane.end().expect("through");
            assert_eq!(end.metrics, naive.allocator.metrics(), "{what}");
            assert_eq!(lane.score().failures, naive.failures, "{what}");
            assert_eq!(lane.score().skipped_frees, naive.skipped, "{what}");
            assert_eq!(lane.score().tlb_flushes, naive.flushes, "{what}");
        }
    }
}

const RANGE: (u64, u64) = (0x10_0000, 0x20_0000);
const INNER: (u64, u64) = (0x18_0000, 0x19_0000);

/// Allocations and frees in a range that they fill, now and then a purge.
fn random_script(seed: u64) -> String {
    let mut dice = Dice(seed);
    let mut text = format!("era 6.1\nrange 0x{:x} 0x{:x}\ncpus 2\nautowork 1\n", RANGE.0, RANGE.1);
    let mut live = Vec::new();
    for id in 0..400 {
        let most = if dice.roll(8) == 0 { 60 } else { 6 };
        let (pages, steps, step) = (1 + dice.roll(most), dice.roll(3), dice.roll(6));
        let align = 1_u64 << (steps * step);
        let window = if dice.roll(6) == 0 { INNER } else { RANGE };
        let size = pages * 4096;
        let (from, to, cpu) = (window.0, window.1, dice.roll(2));
        writeln!(text, "a {id} {size} {align} 0x{from:x} 0x{to:x} {cpu}").expect("memory can be written");
        live.push(id);
        while !live.is_empty() && dice.roll(5) < 2 {
            let freed = live.swap_remove(dice.roll(live.len() as u64) as usize);
            writeln!(text, "f {freed}").expect("memory can be written");
        }
        if dice.roll(50) == 0 {
            text.push_str("purge\n");
        }
    }
    text
}

struct Naive {
    allocator: Box<dyn Allocator>,
    /// By the order of the requests.
    places: Vec<Option<u64>>,
    failures: u64,
    skipped: u64,
    flushes: u64,
}

fn naive(script: &str, rules: Rules) -> Naive {
    let window = |(vstart, vend)| Window { vstart, vend };
    let setup = Setup {
        rules,
        cpus_online: 2,
        cpus_possible: 2,
        window: window(RANGE),
        page_size: 4096,
        is_32_bit: false,
        early: Vec::new(),
        lazy_max_bytes: None,
    };
    let mut naive = Naive { allocator: build(&setup), places: Vec::new(), failures: 0, skipped: 0, flushes: 0 };
    let mut live: HashMap<u64, Option<u64>> = HashMap::new();
    for line in script.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| -> u64 {
            let word: &str = words[at];
            word.strip_prefix("0x")
                .map_or_else(|| word.parse().expect(word), |hex| u64::from_str_radix(hex, 16).expect(hex))
        };
        match words[0] {
            "a" => {
                let (size, align, window, cpu) =
                    (number(2), number(3), window((number(4), number(5))), number(6) as u32);
                let mut request = Request { size, align, window, cpu, first_attempt: true };
                let mut place = naive.allocator.alloc(&request, 0, None).ok();
                if place.is_none() && rules.failure == Failure::Ebusy {
                    naive.purge(PurgeKind::Full);
                    request.first_attempt = false;
                    place = naive.allocator.alloc(&request, 0, None).ok();
                }
                naive.failures += u64::from(place.is_none());
                naive.places.push(place.map(Extent::start));
                live.insert(number(1), place.map(Extent::start));
            }
            "f" => match live.remove(&number(1)).flatten() {
                Some(addr) => {
                    let freed = naive.allocator.free(addr, None).expect("in use");
                    if freed.drain_due && naive.allocator.drains_inline() {
                        naive.purge(PurgeKind::Partial);
                    }
                }
                None => naive.skipped += 1,
            },
            "purge" => naive.purge(PurgeKind::Full),
            _ => {}
        }
        for purged in naive.allocator.drain(HelperOrder::AtFlush, None) {
            naive.flushes += u64::from(purged.flush.is_some());
        }
    }
    naive
}

impl Naive {
    fn purge(&mut self, kind: PurgeKind) {
        let purged = self.allocator.purge(kind, HelperOrder::AtFlush, None);
        self.flushes += u64::from(purged.flush.is_some());
    }
}
