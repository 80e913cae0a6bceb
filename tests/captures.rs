//! Real captures with golden verdicts: the addresses real kernels chose, and their own free lists at the end.

#[path = "common/support.rs"]
mod common;

use std::sync::Arc;

use vmaplens::event::Seq;
use vmaplens::log::{Around, Origin};
use vmaplens::replay::truth::{check_after, check_state};
use vmaplens::replay::{PolicyFrom, Replay, Settings, Timing, Verdict};

/// Capture, allocations judged, of them inferred; nothing may be adopted.
const WHOLE: &[(&str, u64, u64)] = &[
    ("amd64-612-first-steps", 569, 0),
    ("amd64-612-boot-smp1", 1987, 0),
    ("amd64-612-exhaust-range", 4734, 0),
    ("amd64-612-vmstress-10k", 4797, 0),
    ("amd64-612-parts-smp2", 1758, 1),
    ("amd64-72-boot-smp1", 3091, 1),
    ("amd64-72-boot-smp2", 1336, 0),
    ("arm64-612-boot-smp1", 4749, 0),
    ("i386-65-exhaust-smp1", 1590, 0),
];

fn at_the_end(name: &str) -> Replay {
    let mut replay = common::replay(name);
    replay.seek(replay.len(), usize::MAX);
    replay
}

#[test]
fn the_model_chooses_the_addresses_the_kernel_chose() {
    for &(name, allocs, inferred) in WHOLE {
        let replay = at_the_end(name);
        let tally = replay.tally();
        assert_eq!((tally.allocs, tally.inferred, tally.adopted), (allocs, inferred, 0), "{name}");
        assert_eq!(tally.exact + tally.inferred, tally.allocs, "{name}");
        let checks = replay.plan().checks;
        assert_eq!(checks.displaced, 0, "{name}");
        replay.space().allocator().audit().expect(name);
    }
}

/// On one CPU `nr_lazy` and `num_purged` of every record come out too.
#[test]
fn the_counters_of_every_record_agree() {
    for name in ["amd64-612-first-steps", "amd64-612-boot-smp1", "amd64-612-exhaust-range", "i386-65-exhaust-smp1"] {
        let checks = at_the_end(name).plan().checks;
        assert_eq!((checks.nr_lazy_differs, checks.num_purged_differs, checks.unknown_frees), (0, 0, 0), "{name}");
    }
}

#[test]
fn the_last_state_is_the_kernels_own() {
    for &(name, ..) in WHOLE {
        let replay = at_the_end(name);
        if let Some(after) = replay.log().settled(Around::After) {
            let check = check_after(replay.space(), &after);
            assert_eq!((check.missing, check.extra), (0, 0), "{name}");
        }
        if let Some(truth) = &replay.log().truth {
            let check = check_state(replay.space(), truth);
            assert!(check.free_equal && check.pools_equal && check.lazy_equal && check.busy_equal, "{name} {check:?}");
            assert_ne!(check.tree_equal, Some(false), "{name}");
        }
    }
}

/// Linux 7.2 may reschedule between taking the space and writing the record: one record of this capture stands behind
/// a purge that came after it.
#[test]
fn an_allocation_recorded_behind_a_purge_is_put_in_its_place() {
    let replay = at_the_end("amd64-72-boot-smp1");
    let [divergence] = &replay.plan().divergences[..] else { panic!("one divergence") };
    assert_eq!(divergence.verdict, Verdict::Inferred(Timing::BeforePurge));
    assert_eq!(replay.log().events.nth(divergence.seq.index()).line, 3850);
}

/// Probes of the parts of a purge leave nothing open. What the same trace without them says: `tests/several_cpus.rs`.
#[test]
fn probed_parts_of_purges_are_followed() {
    let replay = at_the_end("amd64-612-parts-smp2");
    assert_eq!(replay.plan().checks.num_purged_differs, 0);
}

/// A trace that starts after boot: the free space is known from the snapshot, the tree's shape is not. Page-aligned
/// requests must all be right.
#[test]
fn a_late_trace_is_exact_up_to_page_alignment() {
    let replay = at_the_end("amd64-612-snaptrace-smp1");
    let log = replay.log();
    for divergence in &replay.plan().divergences {
        let event = log.events.nth(divergence.seq.index());
        let vmaplens::event::EventKind::Alloc { align, .. } = event.kind else { panic!("an allocation") };
        assert!(align > 4096, "{divergence:?}");
    }
    // Of the 593 aligned ones at least 97 in 100: several shapes of the tree are followed.
    assert!(replay.plan().divergences.len() <= 17, "{:?}", replay.tally());
    let check = check_state(replay.space(), log.truth.as_ref().expect("truth"));
    assert!(check.free_equal && check.busy_equal && check.lazy_equal, "{check:?}");
}

/// After every single record of a real capture: augmented values, colours, lists, counters, tiling.
#[test]
fn every_state_of_a_capture_is_sound() {
    for name in ["amd64-612-first-steps", "amd64-72-boot-smp2"] {
        let mut replay = common::replay(name);
        while replay.step() {
            let at = replay.cursor();
            replay.space().allocator().audit().unwrap_or_else(|broken| panic!("{name} at {at}: {broken}"));
        }
    }
}

/// Stepping and seeking are the same thing, forwards and backwards, whatever the budget.
#[test]
fn seeking_equals_replay_from_the_start() {
    let mut stepped = common::replay("amd64-72-boot-smp1");
    let mut digests = vec![stepped.space().digest()];
    while stepped.step() {
        digests.push(stepped.space().digest());
    }
    let mut replay = common::replay("amd64-72-boot-smp1");
    let mut at = 17_usize;
    for round in 0..60 {
        at = (at * 7919 + 13) % digests.len();
        let budget = [usize::MAX, 100, 7][round % 3];
        while replay.seek(at, budget) != vmaplens::replay::Seek::Done {}
        assert_eq!(replay.cursor(), at);
        assert_eq!(replay.space().digest(), digests[at], "at {at}");
        if at > 0 {
            assert_eq!(replay.before().digest(), digests[at - 1], "before {at}");
            assert!(replay.step_back());
            assert_eq!(replay.space().digest(), digests[at - 1], "back from {at}");
            assert!(replay.step());
            assert_eq!(replay.space().digest(), digests[at], "and forward again to {at}");
        }
    }
}

/// Nothing but the past goes into an answer: the verdicts of a trace that was cut are those of the whole trace, up to
/// the records a purge can be looked for ahead.
#[test]
fn a_cut_trace_has_the_verdicts_of_the_whole() {
    for name in ["amd64-612-boot-smp1", "arm64-612-boot-smp1", "amd64-612-boot-smp2", "amd64-72-boot-smp1"] {
        let whole = common::replay(name);
        for part in [3, 5, 8] {
            let mut log = vmaplens::log::Log::clone(&common::capture(name));
            log.events.truncate(whole.len() * part / 10);
            let sure = log.events.len().saturating_sub(1100);
            let cut = Replay::open(Arc::new(log), &Settings::default()).expect(name);
            for index in 0..sure as u32 {
                assert_eq!(cut.verdict(Seq(index)), whole.verdict(Seq(index)), "{name} cut at {part} tenths, #{index}");
            }
        }
    }
}

/// A trace that does not name its kernel is replayed under the rules that explain it.
#[test]
fn the_era_shows_in_the_events() {
    let cases = [
        ("amd64-72-boot-smp2", "7.2", PolicyFrom::Events),
        ("i386-65-exhaust-smp1", "6.5", PolicyFrom::Events),
        ("amd64-612-boot-smp1", "6.12", PolicyFrom::Assumed),
    ];
    for (name, release, from) in cases {
        let mut log = vmaplens::log::Log::clone(&common::capture(name));
        log.origin = Origin { cpus_possible: log.origin.cpus_possible, ..Origin::default() };
        let replay = Replay::open(Arc::new(log), &Settings::default()).expect(name);
        let machine = replay.plan().machine;
        assert_eq!((machine.policy.release.to_string().as_str(), machine.policy_from), (release, from), "{name}");
        assert_eq!(replay.plan().tally(replay.len()).adopted, 0, "{name}");
    }
}

/// What a boot trace allocates itself is not there before its first record, whatever a snapshot beside it lists.
#[test]
fn a_snapshot_beside_a_boot_trace_changes_nothing() {
    for (name, allocs, inferred) in [("amd64-612-boot-smp1", 1987, 0), ("amd64-72-boot-smp1", 3091, 1)] {
        let mut log = vmaplens::log::Log::clone(&common::capture(name));
        log.origin.from_boot = None;
        let replay = Replay::open(Arc::new(log), &Settings::default()).expect(name);
        assert_eq!(replay.plan().tally(replay.len()).exact, allocs - inferred, "{name}");
    }
}

/// An allocation and its free know each other.
#[test]
fn mates_are_mutual() {
    let replay = at_the_end("amd64-612-first-steps");
    let plan = replay.plan();
    let mut pairs = 0;
    for index in 0..replay.len() as u32 {
        if let Some(mate) = plan.mate(Seq(index)) {
            assert_eq!(plan.mate(mate), Some(Seq(index)));
            pairs += 1;
        }
    }
    assert!(pairs > 500, "{pairs}");
}
