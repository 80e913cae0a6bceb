//! Worked examples, era by era, small enough to follow by hand. Sizes include the guard page, where a kernel has one.

use vmaplens::log::Window;
use vmaplens::model::{
    Allocator, AreaId, Areas, Extent, HelperOrder, NIL, Owner, PurgeKind, RefusalReason, Request, Step, TreeId,
    WalkFrom,
};
use vmaplens::policy::{self, Setup, by_id};

const V: u64 = 0xffff_c900_0000_0000;
const X86_64: Window = Window { vstart: V, vend: 0xffff_e8ff_ffff_ffff };
/// i386 with high memory: `VMALLOC_START` and `VMALLOC_END`.
const S: u64 = 0xf880_0000;
const I386: Window = Window { vstart: S, vend: 0xfdff_e000 };

/// An allocator and the few words the examples are written in.
struct Space(Box<dyn Allocator>);

impl Space {
    fn new(policy: &str, window: Window, early: &[(u64, u64)]) -> Self {
        Self(policy::build(&Setup {
            rules: by_id(policy).expect(policy).rules,
            cpus_online: 2,
            cpus_possible: 1,
            window,
            page_size: 4096,
            is_32_bit: window == I386,
            early: early.iter().filter_map(|&(start, end)| Extent::new(start, end)).collect(),
            lazy_max_bytes: None,
        }))
    }

    fn try_alloc(&mut self, size: u64, align: u64, window: Window) -> Result<u64, RefusalReason> {
        let request = Request { size, align, window, cpu: 0, first_attempt: true };
        let answer = self.0.place(&request, None);
        let placed = self.0.settle(&request, answer, 0, None);
        self.0.audit().expect("sound");
        assert_eq!(placed.map(Extent::start), answer.ok().map(|placement| placement.start));
        answer.map(|placement| placement.start).map_err(|refusal| refusal.reason)
    }

    fn alloc(&mut self, size: u64, align: u64) -> u64 {
        let window = self.0.window();
        self.try_alloc(size, align, window).expect("there is room")
    }

    fn free(&mut self, start: u64) {
        self.0.free(start, None).expect("in use");
        self.0.audit().expect("sound");
    }

    fn purge(&mut self) -> u32 {
        let purged = self.0.purge(PurgeKind::Full, HelperOrder::AtFlush, None);
        self.0.audit().expect("sound");
        purged.num_purged
    }

    /// Freed and purged at once.
    fn give_back(&mut self, start: u64) {
        self.free(start);
        self.purge();
    }

    /// What lies where, as `start+length` from `base`.
    fn busy(&self, base: u64) -> String {
        let mut words = Vec::new();
        self.0.visit_busy(0, &mut |area| words.push(format!("{:x}+{:x}", area.start - base, area.len_bytes())));
        words.join(" ")
    }

    /// Cache, hole and alignment of the cached hole, addresses from V.
    fn cached(&self) -> String {
        let mut dump = String::new();
        self.0.dump(false, &mut dump).expect("a string takes it");
        let line = dump.lines().last().expect("a line");
        let words: Vec<&str> = line.split(' ').collect();
        let cache = u64::from_str_radix(words[1], 16).map_or("-".to_owned(), |start| format!("{:x}", start - V));
        format!("{cache} {} {}", words[2], words[4])
    }

    /// The free tree.
    fn tree(&self) -> String {
        let view = self.0.tree(TreeId::Free).expect("a free tree");
        shape(view.areas, view.tree.root)
    }
}

fn shape(areas: &Areas, id: AreaId) -> String {
    let name = |addr: u64| match addr {
        u64::MAX => "MAX".to_owned(),
        V.. => format!("V+{:x}", addr - V).replace("V+0", "V"),
        _ => format!("{addr:x}"),
    };
    let area = &areas[id];
    let colour = if area.is_black() { 'B' } else { 'R' };
    let [left, right] = area.child;
    let mut text = format!("[{}-{} {colour}]", name(area.start), name(area.end));
    if left != NIL {
        text = format!("{} {text}", shape(areas, left));
    }
    if right != NIL {
        text = format!("{text} {}", shape(areas, right));
    }
    format!("({text})")
}

#[test]
fn vectors_of_2_4() {
    for policy in ["linux-2.4", "linux-2.6.11", "linux-2.6.24"] {
        let mut space = Space::new(policy, I386, &[]);
        assert_eq!(space.alloc(0x2000, 1), S);
        assert_eq!(space.alloc(0x3000, 1), S + 0x2000);
        assert_eq!(space.alloc(0x2000, 1), S + 0x5000);
        space.free(S + 0x2000);
        assert_eq!(space.alloc(0x4000, 1), S + 0x7000, "the hole has 0x3000");
        assert_eq!(space.alloc(0x3000, 1), S + 0x2000, "an exact fit");
        assert!(space.0.free(S + 0x1000, None).is_err(), "an address inside names nothing");
        assert!(space.0.free(S + 0x10, None).is_err());
        space.free(S);
        assert_eq!(space.alloc(0x2000, 1), S, "the hole before the first area");
        assert_eq!(space.busy(S), "0+2000 2000+3000 5000+2000 7000+4000");
        assert_eq!(space.purge(), 0);
    }
}

/// The end of the range is only looked at behind an area.
#[test]
fn an_empty_list_takes_any_size() {
    for policy in ["linux-2.4", "linux-2.6.24"] {
        let mut space = Space::new(policy, I386, &[]);
        assert_eq!(space.alloc(0x0600_1000, 1), S);
        let mut space = Space::new(policy, I386, &[(S, S + 0x2000)]);
        let refused = space.try_alloc(0x0600_1000, 1, I386);
        assert_eq!(refused, Err(RefusalReason::BehindWindow { would_be: S + 0x2000 }));
        assert!(space.try_alloc(0x057f_d000, 1, I386).is_err(), "one page more than there is");
        assert_eq!(space.alloc(0x057f_c000, 1), S + 0x2000, "ends exactly at VMALLOC_END");
        let refused = space.try_alloc(0xc000_0000, 1, I386);
        assert_eq!(refused, Err(RefusalReason::Wraps { candidate: S }), "32-bit sums wrap");
    }
}

#[test]
fn vectors_of_2_6() {
    for policy in ["linux-2.6.11", "linux-2.6.24"] {
        let mut space = Space::new(policy, I386, &[]);
        assert_eq!(space.alloc(0x2000, 1), S);
        assert_eq!(space.alloc(0x2000, 0x2000), S + 0x2000);
        assert_eq!(space.alloc(0x3000, 0x4000), S + 0x4000);
        assert_eq!(space.alloc(0x2000, 1), S + 0x7000);
        assert_eq!(space.alloc(0x10_1000, 0x8_0000), S + 0x8_0000);
        assert_eq!(space.alloc(0x7_1000, 1), S + 0x9000);
        space.free(S);
        assert_eq!(space.alloc(0x2000, 1), S);
    }
}

/// An alignment can carry the candidate over areas whose ends nobody holds against the end of the window.
#[test]
fn an_aligned_candidate_can_pass_the_end_of_its_window() {
    let early = [(S, S + 0x1000), (S + 0x1000, S + 0x3000), (S + 0x3000, S + 0x80_3000)];
    let mut space = Space::new("linux-2.6.24", I386, &early[..1]);
    let window = |end| Window { vstart: S, vend: S + end };
    assert_eq!(space.try_alloc(0x2000, 0x2000, window(0x4000)), Ok(S + 0x2000));
    let mut space = Space::new("linux-2.6.24", I386, &[(S, S + 0x2000), (S + 0x2000, S + 0x4000)]);
    let refused = space.try_alloc(0x2000, 0x2000, window(0x4000));
    assert_eq!(refused, Err(RefusalReason::BehindWindow { would_be: S + 0x4000 }));
    let mut space = Space::new("linux-2.6.24", I386, &early);
    let refused = space.try_alloc(0x3000, 0x4000, window(0x6000));
    assert_eq!(refused, Err(RefusalReason::BehindWindow { would_be: S + 0x4000 }));
    assert_eq!(space.try_alloc(0x3000, 0x4000, window(0x8000)), Ok(S + 0x80_4000));
}

/// Part A: a page stays free behind each area, but the upper neighbour may be touched.
#[test]
fn vectors_of_2_6_28() {
    for policy in ["linux-2.6.29", "linux-2.6.32"] {
        let mut space = Space::new(policy, X86_64, &[]);
        assert_eq!(space.alloc(0x2000, 1), V);
        assert_eq!(space.alloc(0x2000, 1), V + 0x3000);
        assert_eq!(space.alloc(0x2000, 1), V + 0x6000);
        space.give_back(V + 0x3000);
        assert_eq!(space.alloc(0x2000, 1), V + 0x3000);
        space.give_back(V + 0x3000);
        assert_eq!(space.alloc(0x3000, 1), V + 0x3000);
        assert_eq!(space.alloc(0x4000, 1), V + 0x9000);
    }
}

/// Part B: what is cached after each operation too.
#[test]
fn vectors_of_the_cached_hole() {
    for policy in ["linux-3.10", "linux-4.19"] {
        let mut space = Space::new(policy, X86_64, &[]);
        let alloc = |space: &mut Space, size, align, expected: u64, cached: &str| {
            assert_eq!(space.alloc(size, align) - V, expected, "{policy}");
            assert_eq!(space.cached(), cached, "{policy}, after {expected:x}");
        };
        alloc(&mut space, 0x2000, 1, 0, "0 0 1");
        alloc(&mut space, 0x5000, 1, 0x2000, "2000 0 1");
        alloc(&mut space, 0x3000, 1, 0x7000, "7000 0 1");
        alloc(&mut space, 0x2000, 1, 0xa000, "a000 0 1");
        space.give_back(V + 0x2000);
        assert_eq!(space.cached(), "0 0 1");
        alloc(&mut space, 0x4000, 1, 0x2000, "2000 0 1");
        alloc(&mut space, 0x1000, 1, 0x6000, "6000 0 1");
        alloc(&mut space, 0x2000, 1, 0xc000, "c000 0 1");
        space.give_back(V);
        assert_eq!(space.cached(), "- 0 1");
        alloc(&mut space, 0x3000, 1, 0xe000, "e000 2000 1");
        alloc(&mut space, 0x2000, 1, 0x1_1000, "11000 2000 1");
        alloc(&mut space, 0x4000, 0x4000, 0x1_4000, "14000 2000 4000");
        alloc(&mut space, 0x2000, 1, 0, "0 0 1");
        alloc(&mut space, 0x2000, 0x2000, 0x1_8000, "18000 0 2000");
        alloc(&mut space, 0x1000, 1, 0x1_3000, "13000 0 1");
        space.give_back(V + 0x7000);
        assert_eq!(space.cached(), "6000 0 1");
        alloc(&mut space, 0x5000, 1, 0x1_a000, "1a000 3000 1");
        alloc(&mut space, 0x3000, 1, 0x1_f000, "1f000 3000 1");
        assert_eq!(
            space.busy(V),
            "0+2000 2000+4000 6000+1000 a000+2000 c000+2000 e000+3000 11000+2000 13000+1000 14000+4000 18000+2000 \
             1a000+5000 1f000+3000"
        );
    }
}

/// A freed area keeps its space until the purge, and the search says where it begins.
#[test]
fn a_lazily_freed_area_still_blocks() {
    let mut space = Space::new("linux-4.19", X86_64, &[]);
    let starts = [0x2000, 0x5000, 0x3000].map(|size| space.alloc(size, 1));
    space.free(starts[1]);
    assert!(space.0.free(starts[1], None).is_err(), "a second free finds nothing in use");
    assert_eq!(space.alloc(0x2000, 1), V + 0xa000);
    space.purge();
    let mut steps = Vec::new();
    let request = Request { size: 0x2000, align: 1, window: X86_64, cpu: 0, first_attempt: true };
    assert_eq!(space.0.place(&request, Some(&mut steps)).map(|placement| placement.start), Ok(V + 0x2000));
    let cache = Extent::sized(V, 0x2000).expect("an area");
    assert_eq!(steps[0], Step::WalkBegun { from: WalkFrom::Cache(cache), candidate: V + 0x2000 });
}

/// Which address names an area: its first only, or from 4.15 on any inside.
#[test]
fn an_address_inside_names_an_area_from_4_15_on() {
    for (policy, named) in [("linux-2.6.32", false), ("linux-3.10", false), ("linux-4.15", true), ("linux-5.10", true)]
    {
        let mut space = Space::new(policy, X86_64, &[]);
        let start = space.alloc(0x3000, 1);
        assert_eq!(space.0.free(start + 0x1000, None).is_ok(), named, "{policy}");
    }
}

/// `[V, V + len)` in use, then the ranges given back in that order: what `carve` and `merge-free` stand for.
fn carved(policy: &str, len: u64, back: &[(u64, u64)]) -> Space {
    let mut space = Space::new(policy, X86_64, &[]);
    let mut edges: Vec<u64> = back.iter().flat_map(|&(start, end)| [start, end]).chain([0, len]).collect();
    edges.sort_unstable();
    edges.dedup();
    for pair in edges.windows(2) {
        let extent = Extent::new(V + pair[0], V + pair[1]).expect("not empty");
        assert_eq!(space.0.adopt(extent, Owner::Nobody, 0, None), 0);
    }
    for &(start, _) in back {
        space.give_back(V + start);
    }
    space
}

const PAGES: [(u64, u64); 4] = [(0, 0x1000), (0x2000, 0x3000), (0x4000, 0x5000), (0x6000, 0x7000)];

/// 5.2 and later: the shape of the free tree.
#[test]
fn the_free_tree_has_the_kernels_shape() {
    for policy in ["linux-5.10", "linux-6.1", "linux-6.12"] {
        let mut space = Space::new(policy, X86_64, &[]);
        let starts: Vec<u64> = [0x2000, 0x5000, 0x3000].map(|size| space.alloc(size, 1)).to_vec();
        space.give_back(starts[1]);
        assert_eq!(space.alloc(0x4000, 1), V + 0x2000);
        assert_eq!(space.alloc(0x2000, 1), V + 0xa000);
        assert_eq!(space.alloc(0x20_1000, 0x20_0000), V + 0x20_0000);
        assert_eq!(space.tree(), "(([1-V B]) [V+6000-V+7000 B] (([V+c000-V+200000 R]) [V+401000-MAX B]))");
    }
    let forwards = carved("linux-6.1", 0x9000, &PAGES);
    assert_eq!(
        forwards.tree(),
        "(([1-V+1000 B]) [V+2000-V+3000 B] (([V+4000-V+5000 R]) [V+6000-V+7000 B] ([V+9000-MAX R])))"
    );
    let mut reversed = PAGES;
    reversed.reverse();
    let mut backwards = carved("linux-6.1", 0x9000, &reversed);
    assert_eq!(
        backwards.tree(),
        "((([1-V+1000 R]) [V+2000-V+3000 B] ([V+4000-V+5000 R])) [V+6000-V+7000 B] ([V+9000-MAX B]))"
    );
    let more = [(0x3000, 0x4000), (0x1000, 0x2000)];
    let fused = carved("linux-6.1", 0x9000, &[&PAGES[..], &more[..1]].concat());
    assert_eq!(fused.tree(), "(([1-V+1000 B]) [V+2000-V+5000 B] ([V+6000-V+7000 B] ([V+9000-MAX R])))");
    let fused = carved("linux-6.1", 0x9000, &[&PAGES[..], &more[..]].concat());
    assert_eq!(fused.tree(), "(([1-V+5000 B]) [V+6000-V+7000 B] ([V+9000-MAX B]))");
    // Exact fits, and two windows in the state they leave.
    let starts = [0x1000, 0x1000, 0x2000].map(|size| backwards.alloc(size, 1) - V);
    assert_eq!(starts, [0, 0x2000, 0x9000]);
    let window = Window { vstart: V, vend: V + 0x20_0000 };
    let refused = backwards.try_alloc(0x20_0000, 1, window);
    assert_eq!(refused, Err(RefusalReason::BehindWindow { would_be: V + 0xb000 }));
    let window = Window { vstart: V + 0x20_0000, vend: V + 0x40_0000 };
    assert_eq!(backwards.try_alloc(0x20_0000, 0x20_0000, window), Ok(V + 0x20_0000));
}

/// 5.2 and later: above page alignment the shape decides the answer.
#[test]
fn the_shape_decides_aligned_requests() {
    let mut space = carved("linux-6.1", 0x1_4000, &[(0x1_1000, 0x1_3000), (0x9000, 0xe000), (0x3000, 0x7000)]);
    assert_eq!(
        space.tree(),
        "((([1-V R]) [V+3000-V+7000 B] ([V+9000-V+e000 R])) [V+11000-V+13000 B] ([V+14000-MAX B]))"
    );
    assert_eq!(space.alloc(0x4000, 0x2000), V + 0x1_4000);
    let mut space = carved("linux-6.1", 0x1_5000, &[(0x2000, 0x7000), (0x8000, 0xc000), (0xf000, 0x1_4000)]);
    assert_eq!(space.alloc(0x4000, 0x4000), V + 0x1_0000);
    let mut space = carved("linux-6.1", 0x1_5000, &[(0x8000, 0xc000), (0x2000, 0x7000), (0xf000, 0x1_4000)]);
    assert_eq!(space.alloc(0x4000, 0x4000), V + 0x8000);
    for (policy, align, expected) in [
        ("linux-5.15", 0x1000, 0x7000),
        ("linux-5.17", 0x1000, 0x4000),
        ("linux-5.15", 1, 0x4000),
        ("linux-5.17", 1, 0x4000),
    ] {
        let mut space = carved(policy, 0x7000, &[(0x1000, 0x2000), (0x4000, 0x6000)]);
        assert_eq!(space.alloc(0x2000, align), V + expected, "{policy}, align {align:x}");
    }
}

/// Early areas cut the free space.
#[test]
fn early_areas_are_not_given_out() {
    let early = (0xffff_8000_0800_0000, 0xffff_8000_0900_0000);
    let below = Window { vstart: 0xffff_8000_0000_0000, vend: early.0 };
    let above = Window { vstart: early.0, vend: X86_64.vend };
    for policy in ["linux-4.19", "linux-5.10", "linux-6.12"] {
        let mut space = Space::new(policy, above, &[early]);
        assert_eq!(space.alloc(0x5000, 1), early.1);
        assert_eq!(space.alloc(0x1_1000, 0x1_0000), early.1 + 0x1_0000);
        assert_eq!(space.try_alloc(0x3000, 1, below), Ok(below.vstart));
    }
}

/// The purge is due above the limit, not at it; fused ranges count once.
#[test]
fn the_limit_itself_is_not_passed() {
    for policy in ["linux-2.6.32", "linux-4.19", "linux-5.10", "linux-6.1", "linux-6.12"] {
        let mut space = Space::new(policy, X86_64, &[]);
        let starts = [16_383, 1, 1].map(|pages| space.alloc(pages * 4096, 1));
        let freed = starts.map(|start| space.0.free(start, None).expect("in use"));
        assert_eq!(
            freed.map(|freed| (freed.nr_lazy, freed.drain_due)),
            [(16_383, false), (16_384, false), (16_385, true)]
        );
    }
    for (policy, ranges) in
        [("linux-4.19", 2), ("linux-5.10", 2), ("linux-5.11", 1), ("linux-6.1", 1), ("linux-6.12", 2)]
    {
        let mut space = Space::new(policy, X86_64, &[]);
        let starts = [0x2000, 0x2000].map(|size| space.alloc(size, 1));
        for start in starts {
            space.free(start);
        }
        assert_eq!(space.0.lazy_pages(), 4);
        assert_eq!(space.purge(), ranges, "{policy}");
    }
}
