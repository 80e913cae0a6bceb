//! The eras that keep no holes, from a second direction: random operations against a sorted vector and the plain rules
//! of each era, every derived value recomputed after each; and worked examples for all eras.

#![expect(clippy::panic, reason = "a test says what broke, and after what")]

#[path = "eras/plain.rs"]
mod plain;
#[path = "eras/worked.rs"]
mod worked;

use proptest::prelude::*;
use vmaplens::log::Window;
use vmaplens::model::{Allocator, Extent, HelperOrder, Owner, Place, PurgeKind, Request, Source, Step};
use vmaplens::policy::{self, Setup, by_id};

use plain::{PAGE, Plain};

/// A small range, so that requests fail, holes are reused and the cached hole is found too short.
const RANGE: Window = Window { vstart: 0xf880_0000, vend: 0xf8a0_0000 };
/// Windows of requests: the range, its lower part, its upper part, and one beside it.
const WINDOWS: [Window; 4] = [
    RANGE,
    Window { vstart: 0xf880_0000, vend: 0xf884_0000 },
    Window { vstart: 0xf888_1000, vend: 0xf8a0_0000 },
    Window { vstart: 0xfa00_0000, vend: 0xfa04_0fff },
];
const POLICIES: [&str; 8] = [
    "linux-2.4",
    "linux-2.6.11",
    "linux-2.6.24",
    "linux-2.6.29",
    "linux-2.6.32",
    "linux-3.10",
    "linux-4.19",
    "linux-5.1",
];

#[derive(Debug, Clone)]
enum Act {
    Alloc { pages: u64, align_shift: u32, window: usize },
    Free { pick: prop::sample::Index },
    Purge,
    Adopt { page: u64, pages: u64 },
    Chunk { pages: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    let shift = prop_oneof![5 => Just(0_u32), 1 => Just(12), 2 => 13_u32..17];
    let window = prop_oneof![5 => Just(0_usize), 2 => 1_usize..4];
    prop_oneof![
        8 => (2_u64..14, shift, window)
            .prop_map(|(pages, align_shift, window)| Act::Alloc { pages, align_shift, window }),
        6 => any::<prop::sample::Index>().prop_map(|pick| Act::Free { pick }),
        2 => Just(Act::Purge),
        1 => (0_u64..0x200, 1_u64..20).prop_map(|(page, pages)| Act::Adopt { page, pages }),
        1 => (1_u64..3).prop_map(|pages| Act::Chunk { pages: 16 * pages }),
    ]
}

fn setup(policy: &str) -> Setup {
    let early = [(0xf881_0000, 0xf881_3000), (0xf883_0000, 0xf883_1000), (0xfa00_2000, 0xfa00_5000)];
    Setup {
        rules: by_id(policy).expect(policy).rules,
        cpus_online: 1,
        cpus_possible: 1,
        window: RANGE,
        page_size: PAGE,
        is_32_bit: true,
        early: early.iter().filter_map(|&(start, end)| Extent::new(start, end)).collect(),
        lazy_max_bytes: None,
    }
}

/// Runs the acts against both models.
fn run(policy: &str, acts: &[Act]) {
    let setup = setup(policy);
    let mut space = policy::build(&setup);
    let mut plain = Plain::new(policy, &setup);
    for act in acts {
        match *act {
            Act::Alloc { pages, align_shift, window } => alloc(
                space.as_mut(),
                &mut plain,
                Request {
                    size: pages * PAGE,
                    align: 1 << align_shift,
                    window: WINDOWS[window],
                    cpu: 0,
                    first_attempt: true,
                },
            ),
            Act::Free { ref pick } => {
                let busy: Vec<u64> = plain.areas.iter().filter(|area| !area.lazy).map(|area| area.start).collect();
                if !busy.is_empty() {
                    let start = busy[pick.index(busy.len())];
                    let freed = space.free(start, None).expect("in use");
                    assert_eq!(freed.extent.start(), start);
                    plain.free(start);
                    assert_eq!(space.free(start, None).is_err(), !plain.is_busy(start), "freed twice");
                }
            }
            Act::Purge => {
                let purged = space.purge(PurgeKind::Full, HelperOrder::AtFlush, None);
                assert_eq!(u64::from(purged.num_purged), plain.purge());
            }
            Act::Adopt { page, pages } => {
                let extent = Extent::sized(RANGE.vstart + page * PAGE, pages * PAGE).expect("not empty");
                let displaced = space.adopt(extent, Owner::Nobody, 0, None);
                assert_eq!(displaced, plain.adopt(extent), "displaced by {extent}");
            }
            Act::Chunk { pages } => {
                let size = pages * PAGE;
                assert_eq!(space.carve_chunk(size, 16 * PAGE, None), plain.chunk(size, 16 * PAGE), "chunk");
            }
        }
        space.audit().unwrap_or_else(|broken| panic!("{policy}, after {act:?}: {broken}"));
        compare(space.as_ref(), &plain);
    }
}

fn alloc(space: &mut dyn Allocator, plain: &mut Plain, request: Request) {
    let mut steps = Vec::new();
    let answer = space.place(&request, Some(&mut steps));
    assert_eq!(answer, space.place(&request, None), "steps change the answer");
    assert_eq!(answer.ok().map(|placement| placement.start), plain.alloc(&request), "{request:?}");
    match answer {
        Ok(placement) => {
            assert!(matches!(placement.source, Source::Gap { .. }));
            let Some(&Step::GapFound { hole, candidate }) = steps.last() else { panic!("{steps:?}") };
            assert!(candidate == placement.start && hole.contains_addr(candidate), "{hole} {candidate:x}");
        }
        Err(refusal) => assert_eq!(steps.last(), Some(&Step::Refused { reason: refusal.reason })),
    }
    let candidates: Vec<u64> = steps.iter().filter_map(candidate_of).collect();
    assert!(candidates.is_sorted(), "the walk goes upwards: {steps:?}");
    let placed = space.settle(&request, answer, 0, None);
    assert_eq!(placed.map(Extent::start), answer.ok().map(|placement| placement.start));
}

fn candidate_of(step: &Step) -> Option<u64> {
    match *step {
        Step::WalkBegun { candidate, .. } | Step::Passed { candidate, .. } | Step::GapFound { candidate, .. } => {
            Some(candidate)
        }
        _ => None,
    }
}

/// Everything a view can ask: areas, holes, sums, what lies where.
fn compare(space: &dyn Allocator, plain: &Plain) {
    let mut areas = Vec::new();
    space.visit_busy(0, &mut |area| areas.push((area.start, area.end, false)));
    space.visit_lazy(0, &mut |area| areas.push((area.start, area.end, true)));
    areas.sort_unstable();
    let expected: Vec<(u64, u64, bool)> = plain.areas.iter().map(|area| (area.start, area.end, area.lazy)).collect();
    assert_eq!(areas, expected);

    let mut holes = Vec::new();
    let mut at = 1;
    for &(start, end, _) in areas.iter().chain([&(u64::from(u32::MAX), 0, false)]) {
        holes.extend(Extent::new(at, start));
        at = end;
    }
    let mut visited = Vec::new();
    space.visit_holes(&mut |hole| visited.push(hole));
    assert_eq!(visited, holes);
    assert_eq!(space.n_holes() as usize, holes.len());
    let range = Extent::new(RANGE.vstart, RANGE.vend).expect("not empty");
    let inside = || holes.iter().filter_map(|hole| hole.intersection(range)).map(Extent::len_bytes);
    let metrics = space.metrics();
    assert_eq!((metrics.largest_hole, space.largest_hole()), (inside().max().unwrap_or(0), metrics.largest_hole));
    assert_eq!((metrics.free_bytes, metrics.holes), (inside().sum(), inside().count() as u64));

    for hole in holes {
        assert!(matches!(space.lookup(hole.end() - 1), Place::Free { extent, .. } if extent == hole));
    }
    for (start, _, lazy) in areas {
        match space.lookup(start) {
            Place::Busy { area, .. } if !lazy => assert_eq!(space.areas()[area].start, start),
            Place::Lazy { area, .. } if lazy => assert_eq!(space.areas()[area].start, start),
            other => panic!("{start:x} is {other:?}"),
        }
    }
    if let Some(state) = plain.cached_line() {
        let mut dump = String::new();
        space.dump(false, &mut dump).expect("a string takes it");
        assert_eq!(dump.lines().last(), Some(state.as_str()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_is_answered_as_the_plain_rules_say(acts in prop::collection::vec(act(), 1..160)) {
        for policy in POLICIES {
            run(policy, &acts);
        }
    }

    /// A snapshot of any state has the same areas and holes, and the copy goes on as soundly.
    #[test]
    fn a_snapshot_gives_the_same_holes(acts in prop::collection::vec(act(), 1..60)) {
        for policy in POLICIES {
            let setup = setup(policy);
            let mut space = policy::build(&setup);
            for act in &acts {
                if let Act::Alloc { pages, align_shift, window } = *act {
                    let window = WINDOWS[window];
                    let (size, align) = (pages * PAGE, 1 << align_shift);
                    let request = Request { size, align, window, cpu: 0, first_attempt: true };
                    let answer = space.place(&request, None);
                    let placed = space.settle(&request, answer, 0, None);
                    if let Some(extent) = placed.filter(|_| pages % 3 == 0) {
                        space.free(extent.start(), None).expect("in use");
                    }
                }
            }
            let (mut busy, mut lazy, mut holes, mut again) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            space.visit_busy(0, &mut |area| busy.extend(Extent::new(area.start, area.end)));
            space.visit_lazy(0, &mut |area| lazy.extend(Extent::new(area.start, area.end)));
            space.visit_holes(&mut |hole| holes.push(hole));
            let copy = policy::from_snapshot(&setup, &busy, &lazy, policy::Shape::default());
            copy.audit().unwrap_or_else(|broken| panic!("{policy}: {broken}"));
            copy.visit_holes(&mut |hole| again.push(hole));
            assert_eq!(holes, again);
            assert_eq!(copy.lazy_pages(), space.lazy_pages());
        }
    }
}
