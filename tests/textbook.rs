//! Each textbook policy against an implementation without trees: the same answers and the same holes after every
//! operation, in thousands of random runs; and what is in use, lazy, cached and free tiles the arenas.

#[path = "textbook/cached.rs"]
mod cached;
#[path = "textbook/naive.rs"]
mod naive;

use std::collections::BTreeMap;

use cached::Cached;
use naive::{Asked, Bitmap, Buddies, Naive, Newest};
use proptest::prelude::*;
use vmaplens::log::Window;
use vmaplens::model::{Allocator, Extent, HelperOrder, Owner, PurgeKind, Request};
use vmaplens::policy::{self, Setup};

const PAGE: u64 = 4096;
/// Page 0 of the vmalloc range, and of the range of modules.
const BASES: [u64; 2] = [1 << 40, (1 << 40) + (1 << 36)];
const PAGES: [u64; 2] = [420, 150];

#[derive(Debug, Clone)]
enum Act {
    /// Pages, alignment as a shift, window, CPU.
    Alloc(u64, u32, Where, u32),
    Free(prop::sample::Index),
    Purge(bool),
    Shrink,
}

#[derive(Debug, Clone, Copy)]
enum Where {
    Whole,
    Part(u64, u64),
    Modules,
}

fn act() -> impl Strategy<Value = Act> {
    let pages = prop_oneof![6 => 1_u64..7, 3 => 1_u64..40, 1 => 1_u64..200];
    let shift = prop_oneof![5 => Just(0_u32), 1 => 1_u32..6];
    let place = prop_oneof![
        6 => Just(Where::Whole),
        2 => (0_u64..PAGES[0], 1_u64..200).prop_map(|(low, len)| Where::Part(low, (low + len).min(PAGES[0]))),
        1 => Just(Where::Modules),
    ];
    prop_oneof![
        10 => (pages, shift, place, 0_u32..3).prop_map(|(pages, shift, place, cpu)| Act::Alloc(pages, shift, place, cpu)),
        8 => any::<prop::sample::Index>().prop_map(Act::Free),
        1 => any::<bool>().prop_map(Act::Purge),
        1 => Just(Act::Shrink),
    ]
}

fn setup(id: &str) -> Setup {
    Setup {
        rules: policy::by_id(id).expect(id).rules,
        cpus_online: 3,
        cpus_possible: 3,
        window: Window { vstart: BASES[0], vend: BASES[0] + PAGES[0] * PAGE },
        page_size: PAGE,
        is_32_bit: false,
        early: Vec::new(),
        lazy_max_bytes: None,
    }
}

/// Guard rules, as the naive side has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    Inside,
    None,
    Shared,
}

/// Both sides.
struct Pair {
    real: Box<dyn Allocator>,
    naive: [Box<dyn Naive>; 2],
    guard: Guard,
    immediate: bool,
    n_requests: u64,
    /// Arena, start page → pages, CPU.
    busy: BTreeMap<(usize, u64), (u64, u32)>,
    lazy: BTreeMap<(usize, u64), (u64, u32)>,
}

impl Pair {
    fn new(id: &str) -> Self {
        let guard = match id {
            _ if id.contains("guard-none") => Guard::None,
            _ if id.contains("guard-shared") => Guard::Shared,
            _ => Guard::Inside,
        };
        let rule = id.split('+').next().unwrap_or(id);
        let naive = |arena: usize| -> Box<dyn Naive> {
            let pages = PAGES[arena] + u64::from(guard == Guard::Shared);
            match rule {
                "buddy" => Box::new(Buddies::new(pages, false, false)),
                "buddy-outside" => Box::new(Buddies::new(pages, true, false)),
                "buddy-trim" => Box::new(Buddies::new(pages, false, true)),
                "tlsf" => Box::new(Newest::new(pages, true)),
                "vmem" if id.contains("cached=0") => Box::new(Newest::new(pages, false)),
                "vmem" => Box::new(Cached::new(pages)),
                "first-fit" => Box::new(Bitmap::new(pages, "first-fit")),
                "next-fit" => Box::new(Bitmap::new(pages, "next-fit")),
                "worst-fit" => Box::new(Bitmap::new(pages, "worst-fit")),
                "random" => Box::new(Bitmap::new(pages, "random")),
                "best-fit" if id.contains("+high") => Box::new(Bitmap::new(pages, "best-fit+high")),
                "best-fit" => Box::new(Bitmap::new(pages, "best-fit")),
                _ => unreachable!("{rule}"),
            }
        };
        let (real, immediate) = (policy::build(&setup(id)), id.contains("immediate"));
        let naive = [naive(0), naive(1)];
        Self { real, naive, guard, immediate, n_requests: 0, busy: BTreeMap::new(), lazy: BTreeMap::new() }
    }

    fn alloc(&mut self, pages: u64, shift: u32, place: Where, cpu: u32) -> Result<bool, TestCaseError> {
        let (arena, low, high) = match place {
            Where::Whole => (0, 0, PAGES[0]),
            Where::Part(low, high) => (0, low, high),
            Where::Modules => (1, 0, PAGES[1]),
        };
        let base = BASES[arena];
        let window = Window { vstart: base + low * PAGE, vend: base + high * PAGE };
        let request = Request { size: pages * PAGE, align: PAGE << shift, window, cpu, first_attempt: true };
        let answer = self.real.alloc(&request, 0, None).ok();
        // The naive arena of shared guards has a page more, and areas may have their guard page beyond the window.
        let is_shared = self.guard == Guard::Shared;
        let own = PAGES[arena] + u64::from(is_shared);
        let beyond = high + u64::from(is_shared && pages > 1);
        let asked = Asked {
            pages: if self.guard == Guard::None && pages > 1 { pages - 1 } else { pages },
            align: 1 << shift,
            low,
            high: beyond,
            whole: low == 0 && beyond == if pages > 1 { own } else { PAGES[arena] },
            cpu,
            nth: self.n_requests,
        };
        self.n_requests += 1;
        let expected = self.naive[arena].alloc(&asked);
        let found = answer.map(|area| ((area.start() - base) / PAGE, area.len_bytes() / PAGE));
        let without_last = |(start, pages): (u64, u64)| (start, pages.min(PAGES[arena] - start));
        prop_assert_eq!(found, expected.map(without_last));
        if let Some((start, pages)) = expected {
            self.busy.insert((arena, start), (pages, cpu));
        }
        Ok(expected.is_some())
    }

    fn free(&mut self, index: prop::sample::Index) {
        if self.busy.is_empty() {
            return;
        }
        let (&key, &(pages, cpu)) = self.busy.iter().nth(index.index(self.busy.len())).expect("in range");
        self.busy.remove(&key);
        let freed = self.real.free(BASES[key.0] + key.1 * PAGE, None).expect("in use");
        assert_eq!(freed.extent.start(), BASES[key.0] + key.1 * PAGE);
        if self.immediate {
            self.naive[key.0].give(key.1, pages, cpu);
        } else {
            self.lazy.insert(key, (pages, cpu));
        }
    }

    fn purge(&mut self, full: bool) {
        let kind = if full { PurgeKind::Full } else { PurgeKind::Partial };
        let purged = self.real.purge(kind, HelperOrder::AtFlush, None);
        assert_eq!(purged.num_purged as usize, self.lazy.len());
        for ((arena, start), (pages, cpu)) in std::mem::take(&mut self.lazy) {
            self.naive[arena].give(start, pages, cpu);
        }
        if full {
            self.naive.iter_mut().for_each(|naive| naive.reap());
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.real.audit(), Ok(()));
        let mut holes = Vec::new();
        self.real.visit_holes(&mut |hole| holes.push((hole.start(), hole.end())));
        let opened = holes.iter().any(|hole| BASES[1] <= hole.0)
            || self.busy.keys().chain(self.lazy.keys()).any(|key| key.0 == 1);
        let mut expected = Vec::new();
        for (arena, naive) in self.naive.iter().enumerate().take(if opened { 2 } else { 1 }) {
            let shown = naive.holes().into_iter().map(|(start, end)| (start, end.min(PAGES[arena])));
            let at = |page: u64| BASES[arena] + page * PAGE;
            expected.extend(shown.filter(|hole| hole.0 < hole.1).map(|(start, end)| (at(start), at(end))));
        }
        prop_assert_eq!(&holes, &expected);
        prop_assert_eq!(self.real.n_holes() as usize, holes.len());
        self.check_tiles(&holes, opened)
    }

    /// Every page is a part of one thing; only blocks of buddies have pages that are nothing's.
    fn check_tiles(&self, holes: &[(u64, u64)], opened: bool) -> Result<(), TestCaseError> {
        let mut tiles: Vec<(u64, u64)> = holes.to_vec();
        let mut busy = Vec::new();
        self.real.visit_busy(0, &mut |area| busy.push((area.start, area.end)));
        prop_assert_eq!(busy.len(), self.busy.len());
        let mut lazy = Vec::new();
        self.real.visit_lazy(0, &mut |area| lazy.push((area.start, area.end)));
        prop_assert_eq!(lazy.len(), self.lazy.len());
        let mut cached = Vec::new();
        self.real.visit_pools(&mut |_, area| cached.push((area.start, area.end)));
        let cached_bytes: u64 = cached.iter().map(|(start, end)| end - start).sum();
        prop_assert_eq!(cached_bytes, self.real.pooled_bytes());
        tiles.extend(busy.into_iter().chain(lazy).chain(cached));
        tiles.sort_unstable();
        prop_assert!(tiles.windows(2).all(|pair| pair[0].1 <= pair[1].0), "an overlap in {:?}", tiles);
        // A slab can reach over the page that only a shared guard may use.
        let last = |start: u64| {
            let arena = usize::from(BASES[1] <= start);
            BASES[arena] + PAGES[arena] * PAGE
        };
        let covered: u64 = tiles.iter().map(|&(start, end)| end.min(last(start)) - start).sum();
        let all: u64 = PAGES.iter().take(if opened { 2 } else { 1 }).sum::<u64>() * PAGE;
        let has_slack = self.real.as_ref().metrics().free_bytes < all;
        prop_assert!(covered == all || has_slack && covered < all);
        Ok(())
    }
}

/// Every rule, with every layer it can have.
const IDS: [&str; 23] = [
    "first-fit",
    "first-fit+immediate",
    "first-fit+guard-none",
    "first-fit+guard-shared+immediate",
    "next-fit",
    "next-fit+immediate",
    "best-fit",
    "best-fit+immediate",
    "best-fit+high+immediate",
    "best-fit+guard-shared",
    "worst-fit",
    "worst-fit+immediate",
    "buddy",
    "buddy+immediate+guard-none",
    "buddy-outside+immediate",
    "buddy-trim",
    "tlsf",
    "tlsf+immediate",
    "vmem",
    "vmem+immediate",
    "vmem+cached=0+immediate",
    "vmem+guard-shared",
    "random+immediate",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn each_rule_answers_like_its_naive_twin(acts in prop::collection::vec(act(), 1..90)) {
        for id in IDS {
            let mut pair = Pair::new(id);
            for (n, act) in acts.iter().enumerate() {
                let step = match *act {
                    Act::Alloc(pages, shift, place, cpu) => pair.alloc(pages, shift, place, cpu).and_then(|placed| {
                        if placed {
                            return Ok(());
                        }
                        // As a request does: purge, and once more.
                        pair.purge(true);
                        pair.alloc(pages, shift, place, cpu).map(|_| ())
                    }),
                    Act::Free(index) => { pair.free(index); Ok(()) }
                    Act::Purge(full) => { pair.purge(full); Ok(()) }
                    Act::Shrink => {
                        pair.real.shrink(None);
                        pair.naive.iter_mut().for_each(|naive| naive.reap());
                        Ok(())
                    }
                };
                let result = step.and_then(|()| pair.check());
                prop_assert!(result.is_ok(), "{} at {}, {:?}: {:?}", id, n, act, result);
            }
        }
    }

    /// Recorded addresses, chunks and frees in any order: the audit holds, and what is told is a copy of what is done.
    #[test]
    fn any_address_can_be_forced_into_the_state(
        acts in prop::collection::vec((act(), 0_u64..430, 1_u64..30, 0_u32..4), 1..70),
    ) {
        for id in IDS.into_iter().chain(["recorded", "recorded+immediate"]) {
            let mut real = policy::build(&setup(id));
            let mut live: Vec<u64> = Vec::new();
            for (act, at, pages, what) in &acts {
                match (what, act) {
                    (0, _) => {
                        let extent = Extent::sized(BASES[0] + at * PAGE, pages * PAGE).expect("not empty");
                        real.adopt(extent, Owner::Node(1), 0, None);
                        live.push(extent.start());
                    }
                    (1, _) if at % 4 == 0 => {
                        let carved = real.carve_groups(&[(0, 2 * PAGE), (4 * PAGE, pages * PAGE)], PAGE << (at % 3), None);
                        live.extend(carved.into_iter().flatten().map(Extent::start));
                    }
                    (_, Act::Alloc(pages, shift, place, cpu)) => {
                        let window = match *place {
                            Where::Part(low, high) => (BASES[0] + low * PAGE, BASES[0] + high * PAGE),
                            Where::Whole => (BASES[0], BASES[0] + PAGES[0] * PAGE),
                            // Reaches over both arenas, or into one that has no name yet.
                            Where::Modules => (BASES[0] + at * PAGE, BASES[1] + at * PAGE),
                        };
                        let window = Window { vstart: window.0, vend: window.1 };
                        let request =
                            Request { size: pages * PAGE, align: PAGE << shift, window, cpu: *cpu, first_attempt: true };
                        let mut steps = Vec::new();
                        let told = real.place(&request, Some(&mut steps));
                        prop_assert_eq!(told, real.place(&request, None));
                        prop_assert_eq!(told.is_err(), steps.iter().any(|step| matches!(step, vmaplens::model::Step::Refused { .. })));
                        let placed = real.settle(&request, told, 0, None);
                        prop_assert_eq!(placed.map(Extent::start), told.ok().map(|found| found.start), "{}", id);
                        if let Some(area) = placed {
                            // A shared guard page may lie beyond the window: it is a neighbour's.
                            let beyond = if id.contains("guard-shared") { PAGE } else { 0 };
                            prop_assert!(window.vstart <= area.start() && area.end() <= window.vend + beyond);
                            prop_assert!(area.start().is_multiple_of(PAGE << shift));
                            live.push(area.start());
                        }
                    }
                    (_, Act::Free(index)) if !live.is_empty() => {
                        let _ = real.free(live.swap_remove(index.index(live.len())), None);
                    }
                    (_, Act::Purge(full)) => {
                        let kind = if *full { PurgeKind::Full } else { PurgeKind::Partial };
                        real.purge(kind, HelperOrder::AtFlush, None);
                    }
                    _ => {}
                }
                prop_assert_eq!(real.audit(), Ok(()), "{}", id);
                let mut copy = String::new();
                real.boxed_clone().dump(false, &mut copy).expect("a string");
                let mut own = String::new();
                real.dump(false, &mut own).expect("a string");
                prop_assert_eq!(copy, own);
            }
        }
    }
}

/// A snapshot's areas stay where they are, and what comes after lies beside them.
#[test]
fn areas_of_a_snapshot_are_carved_out() {
    for id in IDS {
        let at = |page: u64, pages: u64| Extent::sized(BASES[0] + page * PAGE, pages * PAGE).expect("not empty");
        let module = Extent::sized(BASES[1] + 3 * PAGE, PAGE).expect("not empty");
        let (busy, lazy) = ([at(3, 2), at(9, 7), module], [at(20, 4)]);
        let mut real = policy::from_snapshot(&setup(id), &busy, &lazy, policy::Shape::Balanced);
        real.audit().expect(id);
        assert_eq!((real.gauges().busy_areas, real.lazy_pages()), (3, 4), "{id}");
        for _ in 0..6 {
            for base in BASES {
                let window = Window { vstart: base, vend: base + 140 * PAGE };
                let request = Request { size: 3 * PAGE, align: PAGE, window, cpu: 0, first_attempt: true };
                let area = real.alloc(&request, 0, None).expect(id);
                assert!(busy.iter().chain(&lazy).all(|old| !old.overlaps(area)), "{id}");
                real.audit().expect(id);
            }
        }
    }
}
