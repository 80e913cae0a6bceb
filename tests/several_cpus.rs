//! Traces of several CPUs: what they leave open is inferred, not everything is explained away, and the timing is right.

#[path = "common/support.rs"]
mod common;
#[path = "common/doctored.rs"]
mod doctored;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use common::Dice;
use doctored::{Moved, adopted, compare_detaches, falsify, hide_marks};
use vmaplens::event::EventKind;
use vmaplens::log::{Around, KernelState, Log};
use vmaplens::model::{AddressSpace, NIL, TreeId};
use vmaplens::replay::truth::{check_after, check_state};
use vmaplens::replay::{Cause, Follow, Replay, Settings, Verdict};
use vmaplens::source::{Input, Reading, open_log};

/// What is known of a capture.
struct Capture {
    name: &'static str,
    /// Attempts to find space.
    allocs: u64,
    /// So many of them at most need a hypothesis.
    inferred: u64,
    /// Frees, at most, whose `nr_lazy` is not the model's.
    nr_lazy_differs: u64,
    /// Has the free tree the kernel's shape in the end? `None` where nobody recorded it.
    tree: Option<bool>,
}

/// Every capture of several CPUs, those of `traces/` first. In `amd64-72-boot-smp3` two orders of carving and merging give
/// the same addresses, and the other one is taken: that shows in the tree alone.
const CAPTURES: [Capture; 12] = [
    Capture { name: "amd64-612-boot-smp2", allocs: 2954, inferred: 11, nr_lazy_differs: 0, tree: None },
    Capture { name: "amd64-612-stress-smp2", allocs: 2252, inferred: 5, nr_lazy_differs: 0, tree: Some(true) },
    Capture { name: "amd64-612-parts-smp2", allocs: 1758, inferred: 1, nr_lazy_differs: 2, tree: Some(true) },
    Capture { name: "amd64-612-testvmalloc-smp4", allocs: 2670, inferred: 5, nr_lazy_differs: 0, tree: Some(true) },
    Capture { name: "amd64-612-late-smp4", allocs: 538, inferred: 0, nr_lazy_differs: 0, tree: Some(true) },
    Capture { name: "amd64-72-boot-smp2", allocs: 1336, inferred: 0, nr_lazy_differs: 0, tree: Some(true) },
    Capture { name: "amd64-72-boot-smp3", allocs: 2647, inferred: 12, nr_lazy_differs: 0, tree: Some(false) },
    Capture { name: "amd64-72-boot-smp4", allocs: 3996, inferred: 5, nr_lazy_differs: 0, tree: Some(true) },
    Capture { name: "amd64-612-boot-smp6", allocs: 3665, inferred: 21, nr_lazy_differs: 0, tree: Some(true) },
    Capture { name: "armhf-612-exhaust-smp2", allocs: 3852, inferred: 0, nr_lazy_differs: 0, tree: None },
    Capture { name: "amd64-61-kprobes-smp4", allocs: 2514, inferred: 47, nr_lazy_differs: 0, tree: Some(true) },
    Capture { name: "amd64-510-kprobes-smp2", allocs: 1814, inferred: 0, nr_lazy_differs: 0, tree: Some(true) },
];

/// Those that are resolved quickly enough to be lied about.
const LIED_ABOUT: [&str; 6] = [
    "amd64-612-boot-smp2",
    "amd64-612-stress-smp2",
    "amd64-612-parts-smp2",
    "amd64-612-testvmalloc-smp4",
    "amd64-612-late-smp4",
    "amd64-72-boot-smp2",
];

fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("traces").join(name), root.join("tests/data").join(name)];
    folders.into_iter().find(|folder| folder.is_dir()).expect(name)
}

fn open(name: &str) -> Log {
    open_log(&Input::Path(folder(name)), &Reading::default()).expect(name)
}

fn resolved(log: Log) -> Replay {
    let settings = Settings { memory: Follow::Nothing, ..Settings::default() };
    Replay::open(Arc::new(log), &settings).expect("opens")
}

/// A capture resolved, once for all tests.
fn of(capture: &Capture) -> Replay {
    static KEPT: [OnceLock<Replay>; CAPTURES.len()] = [const { OnceLock::new() }; CAPTURES.len()];
    let at = CAPTURES.iter().position(|other| other.name == capture.name).expect("in the list");
    KEPT[at].get_or_init(|| resolved(open(capture.name))).clone()
}

#[test]
fn every_capture_of_several_cpus_is_looked_at() {
    let traces = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces");
    for entry in std::fs::read_dir(traces).expect("traces") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.join("meta.toml").is_file() {
            let is_listed = CAPTURES.iter().any(|capture| capture.name == name);
            assert_eq!(open(&name).origin.cpus_online > Some(1), is_listed, "{name}");
        }
    }
}

#[test]
fn all_that_is_open_is_inferred() {
    for capture in &CAPTURES {
        let (replay, name) = (of(capture), capture.name);
        let tally = replay.plan().tally(replay.len());
        assert_eq!((tally.allocs, tally.adopted), (capture.allocs, 0), "{name}: {tally:?}");
        assert_eq!(tally.exact + tally.inferred, tally.allocs, "{name}");
        assert!(tally.inferred <= capture.inferred, "{name}: {tally:?}");
        let checks = replay.plan().checks;
        assert!(checks.nr_lazy_differs <= capture.nr_lazy_differs, "{name}: {checks:?}");
        assert_eq!((checks.displaced, checks.unknown_frees, checks.num_purged_differs), (0, 0, 0), "{name}");
    }
}

/// To where the kernel was asked for its own: records can stand behind that.
fn seek_the_end(replay: &mut Replay) {
    let end = replay.log().last_snapshot_place().unwrap_or(replay.len());
    replay.seek(end, usize::MAX);
}

#[test]
fn the_last_state_is_the_kernels_own() {
    for capture in &CAPTURES {
        let (mut replay, name) = (of(capture), capture.name);
        seek_the_end(&mut replay);
        let after = replay.log().settled(Around::After).expect("listed");
        let check = check_after(replay.space(), &after);
        assert_eq!((check.missing, check.extra), (0, 0), "{name}");
        let check = replay.log().truth.as_ref().map(|truth| check_state(replay.space(), truth));
        if let Some(check) = check {
            assert!(check.free_equal && check.pools_equal && check.lazy_equal && check.busy_equal, "{name} {check:?}");
        }
        assert_eq!(check.and_then(|check| check.tree_equal), capture.tree, "{name}");
    }
}

/// Where a trace from boot has a snapshot in its midst: the records between its marks, and what the kernel held then.
fn midst(log: &Log) -> Option<(RangeInclusive<usize>, &KernelState)> {
    let state = log.state_before.as_ref()?;
    let mark = |end: &[u8]| {
        let is_it = |kind| matches!(kind, EventKind::Mark { text } if log.names.text(text).ends_with(end));
        log.events.iter().position(|event| is_it(event.kind))
    };
    Some((mark(b"snapshot before begin")?..=mark(b"snapshot before end")?, state))
}

/// Holes, in the order and the colours of their tree; pools in their order; lazy areas by node; areas in use.
fn is_state(space: &AddressSpace, state: &KernelState) -> bool {
    let allocator = space.allocator();
    let view = allocator.tree(TreeId::Free).expect("a free tree");
    let (mut tree, mut stack) = (Vec::new(), vec![view.tree.root]);
    while let Some(id) = stack.pop() {
        if id != NIL {
            let area = &view.areas[id];
            tree.push((area.start, area.end, area.is_black()));
            stack.extend([area.child[1], area.child[0]]);
        }
    }
    let recorded_tree: Vec<_> = state.tree.iter().map(|node| (node.start, node.end, node.black)).collect();
    let sorted = |mut pooled: Vec<(u32, u64, u64)>| {
        pooled.sort_by_key(|&(node, start, end)| (node, end - start));
        pooled
    };
    let mut pooled = Vec::new();
    allocator.visit_pools(&mut |node, area| pooled.push((node, area.start, area.end)));
    let (mut busy, mut lazy) = (BTreeSet::new(), BTreeSet::new());
    for node in 0..allocator.n_nodes() {
        allocator.visit_busy(node, &mut |area| busy.extend([(area.start, area.end)]));
        allocator.visit_lazy(node, &mut |area| lazy.extend([(node, area.start, area.end)]));
    }
    tree == recorded_tree
        && sorted(pooled) == sorted(state.pooled.clone())
        && busy == state.busy.iter().copied().collect()
        && lazy == state.lazy.iter().copied().collect()
}

#[test]
fn the_state_in_the_midst_is_the_kernels_own() {
    let mut n_compared = 0;
    for capture in &CAPTURES {
        let mut replay = of(capture);
        let log = Arc::clone(replay.log());
        let Some((mut between, state)) = midst(&log) else { continue };
        let is_there = between.any(|at| {
            replay.seek(at, usize::MAX);
            is_state(replay.space(), state)
        });
        assert!(is_there, "{}", capture.name);
        n_compared += 1;
    }
    assert_eq!(n_compared, 4);
}

/// After every single record, with purges under way: everything has its place, and all counters are right.
#[test]
fn every_state_is_sound() {
    for capture in &CAPTURES {
        let (mut replay, name) = (of(capture), capture.name);
        let mut digests = vec![replay.space().digest()];
        while replay.step() {
            let at = replay.cursor();
            replay.space().allocator().audit().unwrap_or_else(|broken| panic!("{name} at {at}: {broken}"));
            digests.push(replay.space().digest());
        }
        let mut dice = Dice(5);
        for _ in 0..60 {
            let at = dice.roll(digests.len() as u64) as usize;
            replay.seek(at, usize::MAX);
            assert_eq!(replay.space().digest(), digests[at], "{name} at {at}");
        }
    }
}

/// Lies about one in a hundred allocations, with what probes told hidden: how many were told, how many of them were not
/// found out, how many true records suffered.
fn lie(name: &str, moved: Moved, seed: u64) -> [usize; 3] {
    let mut log = open(name);
    hide_marks(&mut log);
    let lies = falsify(&mut log, moved, &mut Dice(seed));
    let mut replay = resolved(log);
    replay.seek(replay.len(), usize::MAX);
    replay.space().allocator().audit().expect(name);
    let found = adopted(&replay);
    [lies.len(), lies.difference(&found).count(), found.difference(&lies).count()]
}

#[test]
fn lies_about_far_places_are_found_and_cost_no_true_record() {
    for name in LIED_ABOUT {
        let [n_lies, missed, lost] = lie(name, Moved::Far, 1);
        assert!(4 < n_lies, "{name}");
        assert_eq!((missed, lost), (0, 0), "{name}");
    }
}

/// At least 99 in 100 lies among the areas in use are found, and no true record suffers.
#[test]
fn lies_about_near_places_are_found_and_cost_no_true_record() {
    let mut total = [0, 0];
    for name in LIED_ABOUT {
        for seed in 1..=3 {
            let [n_lies, missed, lost] = lie(name, Moved::Near, seed);
            assert_eq!(lost, 0, "{name}, seed {seed}");
            total = [total[0] + n_lies, total[1] + missed];
        }
    }
    assert!(total[0] > 200 && total[1] * 100 <= total[0], "{total:?}");
}

/// Lies that once led what follows astray: two in a window whose states filled the beam, one that another place of the
/// purge explains, one whose area is freed first after a purge, some about areas of the snapshot at the start, one at the
/// burst of a per-CPU chunk, and one of two records that stand in the wrong order.
const LED_ASTRAY: [(&str, u64); 9] = [
    ("amd64-612-boot-smp2", 2),
    ("amd64-612-boot-smp2", 8),
    ("amd64-612-boot-smp2", 19),
    ("amd64-612-stress-smp2", 6),
    ("amd64-612-testvmalloc-smp4", 11),
    ("amd64-612-testvmalloc-smp4", 20),
    ("amd64-72-boot-smp2", 21),
    ("amd64-72-boot-smp2", 38),
    ("amd64-72-boot-smp3", 38),
];

#[test]
fn what_once_led_astray_is_found() {
    for (name, seed) in LED_ASTRAY {
        let [_, missed, lost] = lie(name, Moved::Near, seed);
        assert_eq!((missed, lost), (0, 0), "{name}, seed {seed}");
    }
}

/// Probes show when the lists of each node were taken off. Without them the plan finds these moments, or others at which
/// the lists are the same.
#[test]
fn inferred_timing_agrees_with_hidden_marks() {
    let log = open("amd64-612-parts-smp2");
    let mut hidden = log.clone();
    assert_eq!(hide_marks(&mut hidden), 121);
    let blind = resolved(hidden);
    let tally = blind.plan().tally(blind.len());
    assert_eq!((tally.allocs, tally.adopted), (1758, 0), "{tally:?}");
    assert_eq!(blind.plan().checks.num_purged_differs, 0);
    let timing = compare_detaches(&log, &blind);
    assert_eq!(timing.inside + timing.same + timing.differ + timing.untold, 50, "{timing:?}");
    assert_eq!(timing.differ, 0, "{timing:?}");
    assert!(48 <= timing.inside, "{timing:?}");
    // A list that was empty is not told.
    assert!(timing.untold <= 1, "{timing:?}");
}

/// Where no file shows the tree, several shapes are followed; the holes come out all the same.
#[test]
fn a_tree_that_nobody_recorded_is_found_well_enough() {
    for (name, adopted) in [("amd64-61-kprobes-smp4", 6), ("amd64-510-kprobes-smp2", 55)] {
        let mut log = open(name);
        assert!(log.state_before.take().is_some(), "{name}");
        let mut replay = resolved(log);
        let tally = replay.plan().tally(replay.len());
        seek_the_end(&mut replay);
        assert!(0 < tally.adopted && tally.adopted <= adopted, "{name}: {tally:?}");
        let unknown_shape = Verdict::Adopted(Cause::UnknownShape);
        let other = adopted_otherwise(&replay, unknown_shape);
        assert_eq!(other, 0, "{name}");
        let check = check_state(replay.space(), replay.log().truth.as_ref().expect("recorded"));
        assert!(check.free_equal && check.lazy_equal && check.busy_equal, "{name} {check:?}");
    }
}

fn adopted_otherwise(replay: &Replay, than: Verdict) -> usize {
    let verdicts = replay.plan().divergences.iter().map(|found| found.verdict);
    verdicts.filter(|verdict| matches!(verdict, Verdict::Adopted(_)) && *verdict != than).count()
}

/// A trace of one CPU leaves nothing open, whoever reads it: taken for one of two CPUs it has the same plan.
#[test]
fn nothing_is_assumed_where_nothing_is_open() {
    for name in ["amd64-61-kprobes-smp1", "amd64-510-kprobes-smp1"] {
        let alone = resolved(open(name));
        let mut log = open(name);
        log.origin.cpus_online = Some(2);
        let replay = resolved(log);
        let tally = replay.plan().tally(replay.len());
        assert_eq!((tally.exact, tally.allocs), (tally.allocs, alone.plan().tally(alone.len()).allocs), "{name}");
        let plans = [&alone, &replay].map(|replay| replay.plan().ops(replay.log()).collect::<Vec<_>>());
        assert_eq!(plans[0].len(), plans[1].len(), "{name}");
        assert!(plans[0] == plans[1], "{name}");
    }
}
