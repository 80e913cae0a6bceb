//! The worked vectors of the literature's rules, and what all of them promise.

use crate::log::Window;
use crate::model::{Allocator, HelperOrder, PurgeKind, Request};
use crate::policy::{self, Setup};

const PAGE: u64 = 4096;
/// Page 0 of the arena; vectors count from here.
const BASE: u64 = 1 << 40;

/// An allocator over an arena of so many pages.
struct Arena(Box<dyn Allocator>);

impl Arena {
    fn new(id: &str, pages: u64) -> Self {
        let setup = Setup {
            rules: policy::by_id(id).expect(id).rules,
            cpus_online: 1,
            cpus_possible: 1,
            window: Window { vstart: BASE, vend: BASE + pages * PAGE },
            page_size: PAGE,
            is_32_bit: false,
            early: Vec::new(),
            lazy_max_bytes: None,
        };
        Self(policy::build(&setup))
    }

    /// Pages and alignment in pages, in a window of pages; the page of the answer.
    fn ask(&mut self, pages: u64, align: u64, window: Option<(u64, u64)>) -> Option<u64> {
        let whole = self.0.window();
        let window = window.map_or(whole, |(low, high)| Window { vstart: BASE + low * PAGE, vend: BASE + high * PAGE });
        let request = Request { size: pages * PAGE, align: align * PAGE, window, cpu: 0, first_attempt: true };
        let answer = self.0.alloc(&request, 0, None).ok();
        assert_eq!(self.0.audit(), Ok(()));
        answer.map(|extent| (extent.start() - BASE) / PAGE)
    }

    fn alloc(&mut self, pages: u64) -> Option<u64> {
        self.ask(pages, 1, None)
    }

    fn free(&mut self, page: u64) {
        self.0.free(BASE + page * PAGE, None).expect("in use");
        assert_eq!(self.0.audit(), Ok(()));
    }

    /// The holes, in pages.
    fn holes(&self) -> Vec<(u64, u64)> {
        let mut holes = Vec::new();
        self.0.visit_holes(&mut |hole| holes.push(((hole.start() - BASE) / PAGE, (hole.end() - BASE) / PAGE)));
        holes
    }
}

/// A=4 B=2 C=6 D=3 E=1, then B and D are freed.
fn after_x(id: &str) -> Arena {
    let mut arena = Arena::new(&format!("{id}+immediate"), 100);
    let starts: Vec<_> = [4, 2, 6, 3, 1].into_iter().map(|pages| arena.alloc(pages)).collect();
    assert_eq!(starts, [0, 4, 6, 12, 15].map(Some), "{id}");
    arena.free(4);
    arena.free(12);
    assert_eq!(arena.holes(), [(4, 6), (12, 15), (16, 100)], "{id}");
    arena
}

#[test]
fn linear_rules_answer_as_worked_out() {
    /// Pages, alignment, window.
    type Asked = (u64, u64, Option<(u64, u64)>);
    let asked: [Asked; 5] = [(2, 1, None), (3, 1, None), (1, 1, None), (2, 8, None), (3, 1, Some((0, 15)))];
    let table = [
        ("first-fit", [4, 12, 4, 16, 12], 0),
        ("best-fit", [4, 12, 4, 16, 12], 12),
        ("worst-fit", [16, 16, 16, 16, 12], 16),
        ("next-fit", [16, 16, 16, 16, 12], 16),
    ];
    for (id, answers, without_a) in table {
        for ((pages, align, window), answer) in asked.into_iter().zip(answers) {
            assert_eq!(after_x(id).ask(pages, align, window), Some(answer), "{id} {pages} {align} {window:?}");
        }
        let mut arena = after_x(id);
        arena.free(0);
        assert_eq!(arena.holes(), [(0, 6), (12, 15), (16, 100)], "{id}");
        assert_eq!(arena.alloc(3), Some(without_a), "{id}");
    }
}

#[test]
fn best_fit_can_take_the_high_end() {
    let mut arena = Arena::new("best-fit+high+immediate", 100);
    let starts: Vec<_> = [4, 2, 6, 3, 1].into_iter().map(|pages| arena.alloc(pages)).collect();
    assert_eq!(starts, [96, 94, 88, 85, 84].map(Some));
    arena.free(94);
    arena.free(85);
    assert_eq!([arena.alloc(1), arena.alloc(1), arena.ask(2, 2, None)], [95, 94, 86].map(Some));
}

#[test]
fn buddies_answer_as_worked_out() {
    let mut arena = Arena::new("buddy+immediate", 128);
    let starts: Vec<_> = [4, 2, 6, 3, 1].into_iter().map(|pages| arena.alloc(pages)).collect();
    assert_eq!(starts, [0, 4, 8, 16, 6].map(Some));
    arena.free(4);
    assert!(arena.holes().contains(&(4, 6)) && arena.holes().contains(&(7, 8)), "{:?}", arena.holes());
    assert_eq!(arena.alloc(2), Some(4));
    for page in [0, 4, 8, 16, 6] {
        arena.free(page);
    }
    assert_eq!(arena.holes(), [(0, 128)]);
}

/// A size of 2^n pages and a guard page takes twice as much, unless the guard may lie in what is left over.
#[test]
fn the_guard_page_decides_the_block() {
    let second = |id: &str| {
        let mut arena = Arena::new(id, 128);
        assert_eq!(arena.alloc(5), Some(0));
        arena.alloc(5)
    };
    assert_eq!(second("buddy"), Some(8));
    assert_eq!(second("buddy-outside"), Some(4));
    assert_eq!(second("buddy+guard-none"), Some(4));
    let mut trimmed = Arena::new("buddy-trim+immediate", 128);
    assert_eq!([trimmed.alloc(5), trimmed.alloc(1), trimmed.alloc(2)], [0, 5, 6].map(Some));
    trimmed.free(0);
    assert_eq!(trimmed.holes().first(), Some(&(0, 4)));
    trimmed.free(6);
    trimmed.free(5);
    assert_eq!(trimmed.holes(), [(0, 128)]);
}

#[test]
fn tlsf_answers_as_worked_out() {
    assert_eq!(after_x("tlsf").alloc(2), Some(4));
    assert_eq!(after_x("tlsf").alloc(1), Some(4));
    assert_eq!(after_x("tlsf").alloc(40), Some(16));
}

#[test]
fn vmem_answers_as_worked_out() {
    assert_eq!(after_x("vmem+cached=0").alloc(2), Some(12), "the head of the list is what came back last");
    assert_eq!(after_x("vmem+cached=0").alloc(3), Some(16), "the next list in which everything is long enough");
    let mut full = after_x("vmem+cached=0");
    assert_eq!(full.alloc(84), Some(16));
    assert_eq!(full.alloc(3), Some(12), "instant fit finds nothing, so the shortest of its own list is taken");
}

/// Objects come out of a slab in ascending order and go round through the magazines, whatever the tree looks like.
#[test]
fn quantum_caches_hand_out_what_came_back_last() {
    let mut arena = Arena::new("vmem+immediate", 1000);
    let starts: Vec<_> = (0..4).map(|_| arena.alloc(2)).collect();
    assert_eq!(starts, [0, 2, 4, 6].map(Some));
    assert_eq!(arena.alloc(3), Some(64), "each size has slabs of its own");
    arena.free(2);
    arena.free(0);
    assert_eq!([arena.alloc(2), arena.alloc(2), arena.alloc(2)], [0, 2, 8].map(Some));
    assert_eq!(arena.alloc(17), Some(128), "longer ones have no caches");
    assert_eq!(arena.holes(), [(145, 1000)]);
    for page in [0, 2, 4, 6, 8, 64, 128] {
        arena.free(page);
    }
    assert_eq!(arena.holes(), [(128, 1000)]);
    assert_eq!(arena.0.shrink(None), Some(6));
    assert_eq!(arena.holes(), [(0, 1000)]);
    assert_eq!(arena.0.audit(), Ok(()));
}

/// What modules ask for is an arena of its own: it moves nothing in the vmalloc range.
#[test]
fn windows_outside_move_no_rover() {
    for id in ["next-fit", "tlsf", "vmem", "buddy", "worst-fit", "best-fit"] {
        let run = |with_modules: bool| {
            let mut arena = Arena::new(&format!("{id}+immediate"), 1024);
            let mut starts = Vec::new();
            for pages in [3, 5, 2, 17, 9] {
                starts.push(arena.alloc(pages));
                if with_modules {
                    let module = arena.ask(pages + 1, 1, Some((4096, 8192))).expect("room");
                    assert!((4096..8192).contains(&module), "{id}");
                }
            }
            starts
        };
        assert_eq!(run(false), run(true), "{id}");
    }
}

#[test]
fn freed_areas_wait_for_the_purge_or_do_not() {
    let mut lazy = Arena::new("first-fit", 100);
    assert_eq!([lazy.alloc(4), lazy.alloc(4)], [0, 4].map(Some));
    lazy.free(0);
    assert_eq!((lazy.0.lazy_pages(), lazy.alloc(2)), (4, Some(8)));
    let purged = lazy.0.purge(PurgeKind::Partial, HelperOrder::AtFlush, None);
    assert_eq!((purged.num_purged, purged.pages, purged.flush), (1, 4, Some((BASE, BASE + 4 * PAGE))));
    assert_eq!(lazy.alloc(2), Some(0));
    let mut at_once = Arena::new("first-fit+immediate", 100);
    assert_eq!(at_once.alloc(4), Some(0));
    at_once.free(0);
    assert_eq!((at_once.0.lazy_pages(), at_once.alloc(2)), (0, Some(0)));
}

/// Areas that share guard pages need one less at the end of the range, and only there.
#[test]
fn shared_guards_spare_the_last_page() {
    let fill = |id: &str| {
        let mut arena = Arena::new(id, 12);
        let starts: Vec<_> = (0..3).map(|_| arena.ask(4, 1, None)).collect();
        let last = arena.ask(1, 1, None);
        (starts, last)
    };
    let all = vec![Some(0), Some(4), Some(8)];
    assert_eq!(fill("first-fit"), (all.clone(), None));
    assert_eq!(fill("first-fit+guard-shared"), (all, None));
    let mut arena = Arena::new("first-fit+guard-shared+immediate", 11);
    assert_eq!([arena.alloc(4), arena.alloc(4), arena.alloc(4)], [0, 4, 8].map(Some), "the third has no guard page");
    assert_eq!(Arena::new("first-fit", 11).0.window(), arena.0.window());
    arena.free(8);
    assert_eq!((arena.holes(), arena.alloc(4)), (vec![(8, 11)], Some(8)));
    let mut none = Arena::new("first-fit+guard-none", 9);
    assert_eq!([none.alloc(4), none.alloc(4), none.alloc(4)], [0, 3, 6].map(Some));
}

/// The same seed, the same answers; another seed, others; and every place that fits is drawn about as often.
#[test]
fn random_places_are_even_and_repeat() {
    let run = |id: &str| -> Vec<Option<u64>> {
        let mut arena = Arena::new(id, 1000);
        (0..20).map(|_| arena.alloc(3)).collect()
    };
    assert_eq!(run("random"), run("random+seed=0"));
    assert_ne!(run("random"), run("random+seed=1"));
    let mut counts = [0_u32; 10];
    for seed in 0..4000 {
        let mut arena = Arena::new(&format!("random+seed={seed}"), 12);
        counts[arena.alloc(3).expect("room") as usize] += 1;
    }
    assert!(counts.iter().all(|n| (320..480).contains(n)), "{counts:?}");
    // Nearly full: drawing gives up and counts, and each place has its chance all the same.
    let mut counts = [0_u32; 2];
    for seed in 0..2000 {
        let mut arena = Arena::new(&format!("random+seed={seed}+immediate"), 1024);
        assert_eq!(arena.ask(1022, 1024, None), Some(0));
        counts[arena.alloc(1).expect("room") as usize - 1022] += 1;
    }
    assert!(counts.iter().all(|n| (900..1100).contains(n)), "{counts:?}");
}

#[test]
fn recorded_places_nothing_by_itself() {
    let mut arena = Arena::new("recorded", 100);
    assert_eq!(arena.alloc(2), None);
    let extent = crate::model::Extent::sized(BASE + 8 * PAGE, 2 * PAGE).expect("not empty");
    assert_eq!(arena.0.adopt(extent, crate::model::Owner::Nobody, 0, None), 0);
    assert_eq!(arena.0.adopt(extent, crate::model::Owner::Nobody, 0, None), 1);
    assert_eq!(arena.holes(), [(0, 8), (10, 100)]);
}

#[test]
fn options_are_named_and_refused() {
    for id in ["buddy+guard-outside+immediate", "vmem+cached=64", "random+seed=7", "best-fit+high", "tlsf+guard-shared"]
    {
        assert_eq!(policy::by_id(id).map(|chosen| chosen.name()).as_deref(), Some(id));
    }
    let same = |id: &str, name: &str| assert_eq!(policy::by_id(id).map(|chosen| chosen.name()).as_deref(), Some(name));
    same("buddy-trim+guard-outside", "buddy-trim+guard-outside");
    same("first-fit+immediate+lazy", "first-fit");
    for id in ["first-fit+guard-outside", "tlsf+seed=1", "recorded+guard-none", "vmem+cached=x", "first-fit+"] {
        assert!(policy::by_id(id).is_none(), "{id}");
    }
}
