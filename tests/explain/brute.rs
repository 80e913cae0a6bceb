//! Every aligned address of a small space is tried, page by page.

use proptest::prelude::*;
use vmaplens::insight::explain::{
    Asked, Doubt, Explanation, Ground, Held, Holder, Judged, RangeFrom, Reason, Remedy, Sight, State, Verdict, Whose,
    explain, judge, why_here,
};
use vmaplens::log::Window;
use vmaplens::model::Extent;

const PAGE: u64 = 4096;
const BASE: u64 = 0xf000_0000;
const PAGES: u64 = 96;

/// What a page is: nothing of the allocator's, free, or part of an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Outside,
    Free,
    Area(usize),
}

/// A space, page by page, with the areas in it.
#[derive(Debug, Clone)]
struct Space {
    cells: Vec<Cell>,
    ground: Ground,
}

/// Stretches of one to nine pages, each free, busy, lazy, pooled, or nobody's; some areas stay for ever.
fn spaces() -> impl Strategy<Value = Space> {
    let stretch = (1_u64..9, 0_u8..12, 0_u32..5);
    prop::collection::vec(stretch, 4..40).prop_map(|stretches| {
        let holder = |id: u32| Holder {
            caller: Some(format!("caller_{id}")),
            module: (id == 1).then(|| "module".to_owned()),
            kind: if id == 4 { "per-CPU" } else { "vmalloc" },
            stays: id == 4,
        };
        let mut ground = Ground {
            areas: Vec::new(),
            holes: Vec::new(),
            holders: (0..5).map(holder).collect(),
            range: Window { vstart: BASE, vend: BASE + PAGES * PAGE },
            range_from: RangeFrom::Input,
            page_size: PAGE,
            gap: 0,
            is_32_bit: true,
            sight: Sight::Model,
            doubts: Vec::new(),
            sizes: Vec::new(),
        };
        let mut cells = Vec::new();
        for (pages, what, holder) in stretches {
            let pages = pages.min(PAGES - cells.len() as u64);
            let start = BASE + cells.len() as u64 * PAGE;
            let Some(extent) = Extent::sized(start, pages * PAGE) else { break };
            let cell = match what {
                0 => Cell::Outside,
                1..=4 => {
                    match ground.holes.last_mut() {
                        Some(last) if last.end() == start => {
                            *last = Extent::new(last.start(), extent.end()).expect("longer");
                        }
                        _ => ground.holes.push(extent),
                    }
                    Cell::Free
                }
                _ => {
                    let state = match what {
                        5 | 6 => State::Lazy,
                        7 => State::Pooled,
                        _ => State::Busy,
                    };
                    ground.areas.push(Held { extent, state, holder });
                    Cell::Area(ground.areas.len() - 1)
                }
            };
            cells.extend(std::iter::repeat_n(cell, pages as usize));
        }
        cells.resize(PAGES as usize, Cell::Outside);
        Space { cells, ground }
    })
}

/// Size, alignment and window, all in pages; half of the time the whole range.
fn requests() -> impl Strategy<Value = (u64, u64, u64, u64)> {
    (1_u64..20, 0_u32..4, any::<bool>(), 0_u64..PAGES, 1_u64..PAGES).prop_map(|(size, shift, whole, from, len)| {
        let (from, to) = if whole { (0, PAGES) } else { (from, (from + len).min(PAGES)) };
        (size, 1 << shift, from, to)
    })
}

impl Space {
    fn at(&self, page: u64) -> Cell {
        self.cells[page as usize]
    }

    fn state(&self, page: u64) -> Option<State> {
        match self.at(page) {
            Cell::Area(at) => Some(self.ground.areas[at].state),
            _ => None,
        }
    }

    /// Is the page free, at once or after a purge, if some areas were not there?
    fn is_free(&self, page: u64, purged: bool, gone: &dyn Fn(usize) -> bool) -> bool {
        match self.at(page) {
            Cell::Free => true,
            Cell::Outside => false,
            Cell::Area(at) => gone(at) || purged && self.ground.areas[at].state != State::Busy,
        }
    }

    /// The longest run from an aligned address on, and the lowest address at which `size` fits, in pages.
    fn scan(
        &self,
        (size, align, from, to): (u64, u64, u64, u64),
        purged: bool,
        gone: &dyn Fn(usize) -> bool,
    ) -> (u64, Option<u64>) {
        let aligned = (from..to).filter(|page| (BASE / PAGE + page).is_multiple_of(align));
        let run = |page: u64| (page..to).take_while(|&page| self.is_free(page, purged, gone)).count() as u64;
        let mut longest = 0;
        let mut lowest = None;
        for page in aligned {
            let run = run(page);
            longest = longest.max(run);
            if size <= run {
                lowest = lowest.or(Some(page));
            }
        }
        (longest, lowest)
    }

    /// The areas in use that a placement would overlap; `None` if it would touch what can never be free.
    fn in_the_way(&self, page: u64, size: u64, to: u64) -> Option<Vec<usize>> {
        let mut areas = Vec::new();
        for page in page..page + size {
            if to <= page {
                return None;
            }
            match self.at(page) {
                Cell::Outside => return None,
                Cell::Free => {}
                Cell::Area(at) => match self.ground.areas[at].state {
                    State::Busy if self.ground.holders[self.ground.areas[at].holder as usize].stays => return None,
                    State::Busy if !areas.contains(&at) => areas.push(at),
                    _ => {}
                },
            }
        }
        Some(areas)
    }
}

fn asked((size, align, from, to): (u64, u64, u64, u64)) -> Asked {
    let window = Window { vstart: BASE + from * PAGE, vend: BASE + to * PAGE };
    Asked::of_option(size * PAGE, PAGE, Some(align * PAGE), window)
}

/// Stretches below an area, free but for lazy areas, in which the request fits although it fits in no hole there.
fn lower_lazy(space: &Space, area: Extent, (size, align, from, to): (u64, u64, u64, u64)) -> u64 {
    let lazy_or_free = |page: u64| space.at(page) == Cell::Free || space.state(page) == Some(State::Lazy);
    let free = |page: u64| space.at(page) == Cell::Free;
    let end_of = |start: u64| (start..PAGES).find(|&page| !lazy_or_free(page)).unwrap_or(PAGES);
    let fits = |start: u64, is_open: &dyn Fn(u64) -> bool| {
        let end = end_of(start).min(to);
        let aligned = (start.max(from)..end).filter(|page| (BASE / PAGE + page).is_multiple_of(align));
        aligned.into_iter().any(|page| page + size <= end && (page..page + size).all(is_open))
    };
    let below = (area.start() - BASE) / PAGE;
    let starts = (0..below).filter(|&page| lazy_or_free(page) && (page == 0 || !lazy_or_free(page - 1)));
    starts.filter(|&start| fits(start, &lazy_or_free) && !fits(start, &free)).count() as u64
}

fn nothing(_: usize) -> bool {
    false
}

fn check_remedies(space: &Space, request: (u64, u64, u64, u64), told: &Explanation) -> Result<(), TestCaseError> {
    let (size, align, from, to) = request;
    let places: Vec<Vec<usize>> = (from..to)
        .filter(|page| (BASE / PAGE + page).is_multiple_of(align))
        .filter_map(|page| space.in_the_way(page, size, to))
        .collect();
    let cost = |areas: &[usize]| -> u64 { areas.iter().map(|&at| space.ground.areas[at].extent.len_bytes()).sum() };
    let mut single: Vec<usize> = places.iter().filter(|areas| areas.len() == 1).map(|areas| areas[0]).collect();
    single.sort_unstable();
    single.dedup();
    let needs_help =
        !matches!(told.verdict, Verdict::Fits { .. } | Verdict::FitsAfterPurge { .. } | Verdict::CannotFit);
    let mut has_area = false;
    for remedy in &told.remedies {
        match remedy {
            Remedy::Purge { fits, largest, .. } => {
                let (longest, lowest) = space.scan(request, true, &nothing);
                prop_assert_eq!((*fits, *largest), (lowest.is_some(), longest * PAGE));
            }
            Remedy::Area { leaves, of } => {
                has_area = true;
                prop_assert_eq!(*of, single.len());
                let least = single.iter().map(|&at| cost(&[at])).min();
                prop_assert_eq!(Some(leaves.bytes), least);
                let one = leaves.areas[0].extent;
                let gone = |at: usize| space.ground.areas[at].extent == one;
                prop_assert!(space.scan(request, true, &gone).1.is_some());
            }
            Remedy::Areas(leaves) => {
                has_area = true;
                prop_assert!(single.is_empty());
                let least = places.iter().map(|areas| cost(areas)).min();
                prop_assert_eq!(Some(leaves.bytes), least);
                let gone = |at: usize| leaves.areas.iter().any(|held| held.extent == space.ground.areas[at].extent);
                prop_assert!(space.scan(request, true, &gone).1.is_some());
            }
            Remedy::Holder { whose, largest, .. } => {
                let gone = |at: usize| {
                    let held = &space.ground.areas[at];
                    let holder = space.ground.holder(held);
                    held.state == State::Busy
                        && match whose {
                            Whose::Module(module) => holder.module.as_ref() == Some(module),
                            Whose::Caller(caller, module) => {
                                holder.caller.as_ref() == Some(caller) && holder.module == *module
                            }
                        }
                };
                let (longest, lowest) = space.scan(request, true, &gone);
                prop_assert_eq!((longest * PAGE, lowest.is_some()), (*largest, true));
            }
            Remedy::Larger { more, .. } => {
                prop_assert_eq!((from, to), (0, PAGES));
                let more = more / PAGE;
                // From the first page of the range downwards everything would be free.
                let run = (0..PAGES).take_while(|&page| space.is_free(page, true, &nothing)).count() as u64;
                let fits = |more: u64| {
                    (0..more)
                        .any(|below| (BASE / PAGE - more + below).is_multiple_of(align) && size <= more - below + run)
                };
                prop_assert!(fits(more), "{more} pages more");
                prop_assert!(more == 0 || !fits(more - 1), "one page less would do");
            }
            Remedy::Smaller(bytes) => {
                let pages = bytes / PAGE;
                prop_assert!(space.scan((pages, align, from, to), true, &nothing).1.is_some());
                prop_assert!(space.scan((pages + 1, align, from, to), true, &nothing).1.is_none());
            }
            Remedy::Alignment(less) => {
                let less = less / PAGE;
                prop_assert!(less < align && space.scan((size, less, from, to), true, &nothing).1.is_some());
                prop_assert!(space.scan((size, less * 2, from, to), true, &nothing).1.is_none());
            }
        }
    }
    prop_assert_eq!(needs_help && !places.is_empty(), has_area, "a place that can be made free is named");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_answer_is_that_of_trying_every_address(space in spaces(), request in requests()) {
        let (size, _, from, to) = request;
        let told = explain(&space.ground, asked(request), None);
        let (longest_now, lowest) = space.scan(request, false, &nothing);
        let (longest_later, later) = space.scan(request, true, &nothing);
        match told.verdict {
            Verdict::CannotFit => prop_assert!(to - from < size),
            Verdict::Fits { at } => prop_assert_eq!(Some((at - BASE) / PAGE), lowest),
            Verdict::FitsAfterPurge { .. } => prop_assert!(lowest.is_none() && later.is_some()),
            Verdict::DoesNotFit => prop_assert!(later.is_none() && size <= to - from),
            other => prop_assert!(false, "{other:?}"),
        }
        prop_assert_eq!(told.short_by, size.saturating_sub(longest_later) * PAGE);
        prop_assert_eq!(told.now.best.map_or(0, |room| room.bytes), longest_now * PAGE);
        prop_assert_eq!(told.purged.best.map_or(0, |room| room.bytes), longest_later * PAGE);
        // Holes without alignment: runs of free pages inside the window.
        let runs = |purged: bool| {
            let free = |page: u64| space.is_free(page, purged, &nothing);
            let starts = (from..to).filter(|&page| free(page) && (page == from || !free(page - 1)));
            starts.map(|page| (page..to).take_while(|&page| free(page)).count() as u64).collect::<Vec<_>>()
        };
        for (kept, runs) in [(&told.now, runs(false)), (&told.purged, runs(true))] {
            prop_assert_eq!(kept.holes, runs.len() as u64);
            prop_assert_eq!(kept.bytes, runs.iter().sum::<u64>() * PAGE);
            prop_assert_eq!(kept.largest, runs.iter().max().copied().unwrap_or(0) * PAGE);
        }
        let refused: u64 = told.reasons.iter().map(|reason| reason.holes).sum();
        prop_assert_eq!(refused + told.now.fitting, told.now.holes, "every hole is refused for a reason, or fits");
        let least = told.reasons.iter().map(|reason| reason.least).min();
        if lowest.is_none() {
            prop_assert_eq!(least, told.now.best.map(|room| size * PAGE - room.bytes));
        }
        // Who holds the window: page by page.
        let count = |state: State| (from..to).filter(|&page| space.state(page) == Some(state)).count() as u64 * PAGE;
        prop_assert_eq!(told.holders.busy.virtual_bytes, count(State::Busy));
        prop_assert_eq!(told.holders.lazy.virtual_bytes, count(State::Lazy));
        prop_assert_eq!(told.holders.pooled.virtual_bytes, count(State::Pooled));
        let listed: u64 = told.holders.by_caller.iter().map(|held| held.totals.virtual_bytes).sum();
        prop_assert_eq!(listed, told.holders.busy.virtual_bytes);
        check_remedies(&space, request, &told)?;
    }

    #[test]
    fn every_lower_hole_has_its_reason(space in spaces(), request in requests()) {
        let asked = asked(request);
        for held in space.ground.areas.iter().filter(|held| held.state == State::Busy) {
            let told = why_here(&space.ground, held.extent, asked.clone(), None, false);
            let lower: Vec<&Extent> =
                space.ground.holes.iter().filter(|hole| hole.start() < held.extent.start()).collect();
            let fits = |hole: &&&Extent| matches!(
                judge(***hole, asked.size, asked.align, asked.window), Judged::Fits(_)
            );
            let of = |wanted: &dyn Fn(Reason) -> bool| -> u64 {
                told.counts.iter().filter(|(reason, ..)| wanted(*reason)).map(|(_, n, ..)| *n).sum()
            };
            prop_assert_eq!(of(&|reason| reason == Reason::FreeToday), lower.iter().filter(fits).count() as u64);
            let lazy = lower_lazy(&space, held.extent, request);
            prop_assert_eq!(of(&|reason| reason == Reason::Lazy), lazy);
            let holes = of(&|reason| !matches!(reason, Reason::Lazy | Reason::Pooled));
            let outside = lower.iter().filter(|hole| hole.end() <= asked.window.vstart).count() as u64;
            let is_whole = asked.window == space.ground.range;
            prop_assert_eq!(holes, lower.len() as u64 - if is_whole { outside } else { 0 });
        }
    }
}

#[test]
fn a_hole_at_the_last_addresses_is_judged_without_wrapping() {
    let window = Window { vstart: 0, vend: u64::MAX };
    let hole = Extent::new(u64::MAX - 0x2000, u64::MAX).expect("not empty");
    assert!(matches!(judge(hole, 0x1000, 1 << 40, window), Judged::Short { missing: 0x1000, .. }));
    assert!(matches!(judge(hole, 0x1000, 1, window), Judged::Fits(_)));
    assert!(matches!(judge(hole, u64::MAX, 1, window), Judged::Short { .. }));
}

#[test]
fn doubts_are_told_once() {
    let mut ground = Ground {
        areas: Vec::new(),
        holes: Vec::new(),
        holders: Vec::new(),
        range: Window { vstart: BASE, vend: BASE + PAGE },
        range_from: RangeFrom::Option,
        page_size: PAGE,
        gap: 0,
        is_32_bit: true,
        sight: Sight::Listed,
        doubts: vec![Doubt::Unlisted],
        sizes: Vec::new(),
    };
    ground.doubts.push(Doubt::Unlisted);
    let told = explain(&ground, asked((1, 1, 0, 1)), None);
    assert_eq!((told.verdict, told.doubts.len()), (Verdict::DoesNotFit, 1));
}
