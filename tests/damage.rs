//! Damage of every kind, on captures of every kind: whatever is believed, the plan stays one history, and a verdict
//! depends on nothing that comes later.

#[path = "common/support.rs"]
mod common;

use std::collections::HashSet;
use std::sync::Arc;

use common::Dice;
use vmaplens::event::{Addr, Event, EventKind, Seq};
use vmaplens::log::Log;
use vmaplens::model::{Answer, Op};
use vmaplens::replay::timeline::values_of;
use vmaplens::replay::{METRICS, NO_MATE, Replay, Settings, Tally, Verdict};

const CAPTURES: [&str; 12] = [
    "amd64-510-kprobes-smp1",
    "amd64-61-kprobes-smp1",
    "amd64-612-boot-smp1",
    "amd64-612-boot-smp2",
    "amd64-612-exhaust-range",
    "amd64-612-snaptrace-smp1",
    "amd64-612-testvmalloc-smp4",
    "amd64-72-boot-smp1",
    "amd64-72-boot-smp2",
    "arm64-612-boot-smp1",
    "amd64-612-parts-smp2",
    "i386-65-exhaust-smp1",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    None,
    Moved,
    MovedNear,
    Missing,
    Doubled,
    Exchanged,
    Notices,
    NoState,
    NoSnapshot,
}

const DAMAGES: [Damage; 9] = [
    Damage::None,
    Damage::Moved,
    Damage::MovedNear,
    Damage::Missing,
    Damage::Doubled,
    Damage::Exchanged,
    Damage::Notices,
    Damage::NoState,
    Damage::NoSnapshot,
];

fn is_use(event: &Event) -> bool {
    matches!(event.kind, EventKind::Alloc { .. } | EventKind::Free { .. } | EventKind::FreeProbe { .. })
}

/// Moves one in a hundred recorded addresses; answers which.
fn displace(log: &mut Log, dice: &mut Dice, by: impl Fn(&mut Dice, u64) -> u64) -> Vec<usize> {
    let mut moved = Vec::new();
    for index in 0..log.events.len() {
        log.events.update(index, |event| {
            if let EventKind::Alloc { addr, align, failed: false, .. } = &mut event.kind
                && dice.roll(100) == 0
            {
                *addr = Addr(addr.0.wrapping_add(by(dice, (*align).max(4096))));
                moved.push(index);
            }
        });
    }
    moved
}

fn far(dice: &mut Dice, _: u64) -> u64 {
    ((dice.roll(0xf000) + 0x1000) << 16).wrapping_neg()
}

/// The false address lies among the live areas.
fn near(dice: &mut Dice, align: u64) -> u64 {
    (dice.roll(256) + 1) * align
}

fn damage(log: &mut Log, kind: Damage, seed: u64) {
    let dice = &mut Dice(seed);
    match kind {
        Damage::None => {}
        Damage::Moved => drop(displace(log, dice, far)),
        Damage::MovedNear => drop(displace(log, dice, near)),
        Damage::Missing => log.events.edit(|events| events.retain(|event| !is_use(event) || dice.roll(100) != 0)),
        Damage::Doubled => {
            let twice = |event: Event| if dice.roll(100) == 0 { vec![event; 2] } else { vec![event] };
            log.events = log.events.iter().flat_map(twice).collect();
        }
        Damage::Exchanged => {
            let swap = |events: &mut Vec<Event>| {
                let chosen = (1..events.len()).filter(|_| dice.roll(100) == 0);
                chosen.collect::<Vec<_>>().into_iter().for_each(|at| events.swap(at - 1, at));
            };
            log.events.edit(swap);
        }
        Damage::Notices => {
            for index in 0..log.events.len() {
                if dice.roll(100) == 0 {
                    log.events.update(index, |event| event.kind = EventKind::Lost { count: 1 });
                }
            }
        }
        Damage::NoState => log.state_before = None,
        Damage::NoSnapshot => {
            log.state_before = None;
            log.before = None;
        }
    }
}

fn opened(log: Log, name: &str) -> Replay {
    let mut replay = Replay::open(Arc::new(log), &Settings::default()).expect(name);
    replay.seek(replay.len(), usize::MAX);
    replay
}

/// Applies the plan from the start and holds every figure of it against what comes out.
fn is_one_history(replay: &Replay, what: &str) {
    let (plan, log) = (replay.plan(), replay.log());
    let mut space = replay.start().clone();
    let metrics = &plan.timeline.metrics;
    let known = |at: usize| METRICS.map(|metric| metrics.at(metric, at).expect(what));
    assert_eq!((metrics.len(), metrics.bucket_states()), (log.events.len() + 1, 1), "{what}: a bucket for each state");
    let (mut nr_lazy_differs, mut num_purged_differs, mut unknown_frees) = (0, 0, 0);
    for (index, event) in log.events.iter().enumerate() {
        assert_eq!(known(index), values_of(&space), "{what}: metrics before record {index}");
        let mut freed = None;
        for op in plan.ops_of(log, index) {
            let answer = space.apply(&op, None);
            match (answer, event.kind) {
                // Frees that are recorded later and came first stand before the record's own.
                (Answer::Freed(area), EventKind::Free { .. }) => freed = Some(area),
                (Answer::Purged(purged), EventKind::Purge { num_purged, .. }) => {
                    num_purged_differs += u64::from(purged.num_purged != num_purged);
                }
                (Answer::Placed(extent), EventKind::Alloc { addr, .. }) if matches!(op, Op::Alloc { born, .. } if born == index as u32) =>
                {
                    let is_believed =
                        plan.verdict(Seq(index as u32)) != Verdict::Adopted(vmaplens::replay::Cause::Impossible);
                    assert_eq!(extent.start() == addr.0, is_believed, "{what}: record {index}");
                }
                _ => {}
            }
        }
        if let EventKind::Free { nr_lazy, .. } = event.kind {
            let mate = plan.mate(Seq(index as u32)).map_or(NO_MATE, |mate| mate.0);
            if let Some(area) = freed {
                nr_lazy_differs += u64::from(area.nr_lazy != nr_lazy);
                assert_eq!(mate, area.born, "{what}: record {index} frees the area of its mate");
            }
            unknown_frees += u64::from(freed.is_none() && mate == NO_MATE);
        }
        if index % 16 == 0 {
            assert_eq!(space.allocator().audit(), Ok(()), "{what}: record {index}");
        }
        if let Some(mate) = plan.mate(Seq(index as u32)) {
            assert_eq!(plan.mate(mate), Some(Seq(index as u32)), "{what}: mates are mutual");
        }
    }
    space.allocator().audit().expect(what);
    assert_eq!(known(log.events.len()), values_of(&space), "{what}: metrics of the end");
    assert_eq!(space.digest(), replay.space().digest(), "{what}");
    let checks = plan.checks;
    assert_eq!(checks.nr_lazy_differs, nr_lazy_differs, "{what}");
    // A probe's record names the end: an area that was not known is brought in first. And no probe says how many areas a
    // purge returned.
    if !log.events.iter().any(|event| matches!(event.kind, EventKind::FreeProbe { .. })) {
        assert_eq!(checks.unknown_frees, unknown_frees, "{what}");
        assert_eq!(checks.num_purged_differs, num_purged_differs, "{what}");
    }
    assert!(plan.divergences.is_sorted_by(|a, b| a.seq < b.seq), "{what}");
    let mut tally = Tally::default();
    (0..log.events.len() as u32).for_each(|seq| tally.count(plan.verdict(Seq(seq))));
    assert_eq!(tally, replay.tally(), "{what}");
    assert_eq!(tally.allocs, tally.exact + plan.divergences.len() as u64, "{what}");
    for divergence in &plan.divergences {
        assert_eq!(divergence.verdict, plan.verdict(divergence.seq), "{what}");
    }
}

#[test]
fn the_plan_of_any_damaged_trace_is_one_history() {
    for name in CAPTURES {
        for kind in DAMAGES {
            let mut log = Log::clone(&common::capture(name));
            damage(&mut log, kind, 11);
            is_one_history(&opened(log, name), &format!("{name} {kind:?}"));
        }
    }
}

/// Is an area freed that no record allocated?
fn frees_unallocated(log: &Log) -> bool {
    let mut live = HashSet::new();
    log.events.iter().any(|event| match event.kind {
        EventKind::Alloc { addr, failed: false, .. } => !live.insert(addr.0),
        EventKind::Free { addr, .. } => !live.remove(&addr.0),
        _ => false,
    })
}

/// The first records of a trace are judged alike whether the rest of it is there or not. On several CPUs the timings that
/// are tried look a purge's length ahead; and where something is freed that no record allocated, that free tells which record
/// is wrong, however far ahead it is.
#[test]
fn a_verdict_depends_on_nothing_that_comes_later() {
    const LOOKS_AHEAD: usize = 512;
    let class = |verdict| match verdict {
        Verdict::Adopted(_) => None,
        verdict => Some(verdict),
    };
    for name in CAPTURES {
        for kind in DAMAGES {
            let mut log = Log::clone(&common::capture(name));
            damage(&mut log, kind, 12);
            let whole = opened(log.clone(), name);
            if whole.plan().machine.cpus_online > 1 && frees_unallocated(&log) {
                continue;
            }
            let mut dice = Dice(13);
            let at = log.events.len() / 2 + dice.roll(log.events.len() as u64 / 2) as usize;
            log.events.truncate(at);
            let part = opened(log, name);
            let ahead = if whole.plan().machine.cpus_online > 1 { LOOKS_AHEAD } else { 0 };
            for seq in (0..at.saturating_sub(ahead) as u32).map(Seq) {
                let (first, second) = (class(whole.verdict(seq)), class(part.verdict(seq)));
                assert_eq!(first, second, "{name} {kind:?}: record {} of {at}", seq.0);
            }
        }
    }
}

/// A false address among the live areas can be one that the kernel could have given; then the records that follow decide,
/// and until they have, some true ones are lost.
#[test]
fn a_false_record_near_by_is_found_and_costs_little() {
    let adopted = |replay: &Replay| -> Vec<usize> {
        let all = replay.plan().divergences.iter();
        all.filter(|d| matches!(d.verdict, Verdict::Adopted(_))).map(|d| d.seq.index()).collect()
    };
    let (mut all_moved, mut all_found) = (0, 0);
    for name in ["amd64-612-boot-smp1", "amd64-72-boot-smp1", "arm64-612-boot-smp1", "amd64-612-vmstress-10k"] {
        for seed in 1..=3 {
            let mut log = Log::clone(&common::capture(name));
            let moved = displace(&mut log, &mut Dice(seed), near);
            let found = adopted(&opened(log, name));
            assert!(moved.iter().all(|at| found.contains(at)), "{name} seed {seed}");
            all_moved += moved.len();
            all_found += found.len();
        }
    }
    assert!(all_found < all_moved * 3, "{all_found} adopted for {all_moved} false ones");
}

/// Two areas of the snapshot at the start whose records tell other sizes, one of them the other area's.
#[test]
fn sizes_that_the_snapshot_contradicts_are_survived() {
    let mut log = Log::clone(&common::capture("amd64-612-boot-smp1"));
    let before = log.before.clone().expect("a snapshot");
    let record_of = |start: u64| {
        log.events.iter().position(|event| matches!(event.kind, EventKind::Alloc { addr, .. } if addr.0 == start))
    };
    let known = before.areas.iter().filter_map(|area| Some((record_of(area.start)?, area.end - area.start)));
    let known: Vec<(usize, u64)> = known.collect();
    let (first, size) = known[0];
    let (second, _) = *known.iter().find(|(_, other)| *other != size).expect("another size");
    for (record, told) in [(first, 0x7_7000), (second, size)] {
        log.events.update(record, |event| {
            if let EventKind::Alloc { size, .. } = &mut event.kind {
                *size = told;
            }
        });
    }
    is_one_history(&opened(log, "two sizes"), "two sizes");
}
