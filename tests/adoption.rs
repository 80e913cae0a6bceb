//! Records that are wrong, missing, or older than the trace: one of them must not cost the others.

#[path = "common/support.rs"]
mod common;

use std::sync::Arc;

use common::Dice;
use vmaplens::event::{Addr, Event, EventKind};
use vmaplens::log::Log;
use vmaplens::model::Answer;
use vmaplens::replay::{Cause, Replay, Settings, Timing, Verdict};

fn damaged(name: &str, damage: impl FnOnce(&mut Log)) -> Replay {
    let mut log = Log::clone(&common::capture(name));
    damage(&mut log);
    let mut replay = Replay::open(Arc::new(log), &Settings::default()).expect(name);
    replay.seek(replay.len(), usize::MAX);
    replay.space().allocator().audit().expect(name);
    replay
}

/// Moves one in a hundred recorded addresses far away; answers which records lie now.
fn falsify(log: &mut Log, dice: &mut Dice) -> Vec<usize> {
    let mut moved = Vec::new();
    for index in 0..log.events.len() {
        log.events.update(index, |event| {
            if let EventKind::Alloc { addr, failed: false, .. } = &mut event.kind
                && dice.roll(100) == 0
            {
                let by = (dice.roll(0xf000) + 0x1000) << 16;
                *addr = Addr(addr.0.wrapping_sub(by));
                moved.push(index);
            }
        });
    }
    moved
}

#[test]
fn a_false_record_is_not_believed_and_costs_no_true_one() {
    for name in ["amd64-612-boot-smp1", "amd64-612-vmstress-10k", "amd64-72-boot-smp1", "arm64-612-boot-smp1"] {
        for seed in 1..=3 {
            let mut moved = Vec::new();
            let replay = damaged(name, |log| moved = falsify(log, &mut Dice(seed)));
            assert!(moved.len() > 4, "{name} seed {seed}");
            let adopted = replay.plan().divergences.iter().filter(|d| matches!(d.verdict, Verdict::Adopted(_)));
            let adopted: Vec<usize> = adopted.map(|divergence| divergence.seq.index()).collect();
            assert_eq!(adopted, moved, "{name} seed {seed}");
        }
    }
}

#[test]
fn the_end_is_right_in_spite_of_false_records() {
    let replay = damaged("amd64-612-boot-smp1", |log| drop(falsify(log, &mut Dice(9))));
    let truth = replay.log().truth.as_ref().expect("state");
    let check = vmaplens::replay::truth::check_state(replay.space(), truth);
    assert!(check.free_equal && check.lazy_equal && check.busy_equal, "{check:?}");
}

/// Allocations and frees that no record shows come to light by the holes the kernel passes over and by `nr_lazy`.
#[test]
fn missing_records_are_found_out() {
    for (name, at_least) in [("amd64-612-boot-smp1", 88), ("amd64-612-vmstress-10k", 88), ("i386-65-exhaust-smp1", 88)]
    {
        let mut dice = Dice(5);
        let replay = damaged(name, |log| {
            let keep = |event: &Event| {
                !matches!(event.kind, EventKind::Alloc { .. } | EventKind::Free { .. }) || dice.roll(400) != 0
            };
            log.events.edit(|events| events.retain(keep));
        });
        let tally = replay.tally();
        assert!(tally.exact * 100 >= tally.allocs * at_least, "{name}: {tally:?}");
    }
}

/// A recorder that left the purge event out: the counter of the frees and the addresses show every purge that matters.
#[test]
fn purges_without_records_show_in_what_they_give_back() {
    for name in ["amd64-612-boot-smp1", "amd64-612-exhaust-range", "amd64-612-vmstress-10k", "i386-65-exhaust-smp1"] {
        let replay = damaged(name, |log| log.events.edit(|events| events.retain(|event| !event.kind.ends_purge())));
        let tally = replay.tally();
        assert_eq!(tally.adopted, 0, "{name}: {tally:?}");
        assert!(tally.exact * 100 >= tally.allocs * 75, "{name}: {tally:?}");
        let timings = replay.plan().divergences.iter().map(|divergence| divergence.verdict);
        assert!(timings.into_iter().all(|verdict| verdict == Verdict::Inferred(Timing::UnseenPurge)), "{name}");
    }
}

/// Without a snapshot nothing is known at first; every answer of the kernel says what cannot be free.
#[test]
fn a_late_trace_without_a_snapshot_learns_what_was_there() {
    let replay = damaged("amd64-612-snaptrace-smp1", |log| log.before = None);
    let plan = replay.plan();
    assert!(plan.checks.older_areas > 50, "{:?}", plan.checks);
    let causes = plan.divergences.iter().map(|divergence| divergence.verdict);
    assert!(causes.into_iter().all(|verdict| verdict == Verdict::Adopted(Cause::UnknownState)));
    let half = replay.len() / 2;
    let (first, all) = (plan.tally(half), replay.tally());
    let (late_exact, late_allocs) = (all.exact - first.exact, all.allocs - first.allocs);
    assert!(late_exact * 100 >= late_allocs * 88, "{first:?} {all:?}");
}

/// Which shape leads changes under way; the operations and the state they start from must stay one history.
#[test]
fn the_plan_of_a_trace_with_an_unknown_shape_replays_to_one_state() {
    let mut replay = common::replay("amd64-612-snaptrace-smp1");
    replay.seek(replay.len(), usize::MAX);
    let mut space = replay.start().clone();
    let (mut exact, mut allocs) = (0, 0);
    for (index, event) in replay.log().events.iter().enumerate() {
        for op in replay.plan().ops_of(replay.log(), index) {
            let answer = space.apply(&op, None);
            if let (Answer::Placed(extent), EventKind::Alloc { addr, .. }) = (answer, event.kind) {
                assert_eq!(extent.start(), addr.0, "record {index}");
                exact += 1;
            }
        }
        allocs += u64::from(matches!(event.kind, EventKind::Alloc { failed: false, .. }));
    }
    assert_eq!(space.digest(), replay.space().digest());
    // What leads at the end explains at least as much as what led on the way.
    assert!(exact >= replay.tally().exact, "{exact} of {allocs}, {:?}", replay.tally());
}

/// The plan is what its resolving came to: applied from the start it gives the state that checkpoints give.
#[test]
fn the_plan_of_a_damaged_trace_replays_to_one_state() {
    let replay = damaged("amd64-612-boot-smp2", |log| drop(falsify(log, &mut Dice(2))));
    let mut space = replay.start().clone();
    for op in replay.plan().ops(replay.log()) {
        space.apply(&op, None);
    }
    assert_eq!(space.digest(), replay.space().digest());
    let mut again = replay.clone();
    let mut dice = Dice(3);
    for _ in 0..20 {
        let target = dice.roll(replay.len() as u64) as usize;
        again.seek(target, usize::MAX);
        let mut space = replay.start().clone();
        (0..target).flat_map(|index| replay.plan().ops_of(replay.log(), index)).for_each(|op| {
            space.apply(&op, None);
        });
        assert_eq!(space.digest(), again.space().digest(), "after {target} records");
    }
}
