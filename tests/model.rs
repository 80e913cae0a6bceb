//! The allocator from a second direction: random operations, every derived value recomputed after each, the tree's
//! answer compared with a linear scan of a model without a tree, and worked examples small enough to follow by
//! hand.

#![expect(clippy::panic, reason = "a test says what broke, and after what")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use vmaplens::log::{ScriptLog, Window};
use vmaplens::model::search::{Wanted, find_lowest_match};
use vmaplens::model::{Allocator, Extent, HelperOrder, NIL, PurgeKind, Request, TreeId, VmapArea};
use vmaplens::policy::{Augmented, Setup, by_id};
use vmaplens::replay::Settings;
use vmaplens::replay::script::output;

const BASE: u64 = 0xffff_c900_0000_0000;
const PAGE: u64 = 4096;

#[derive(Debug, Clone)]
enum Act {
    Alloc { pages: u64, align_shift: u32, narrow: bool, cpu: u32 },
    Free { pick: prop::sample::Index },
    Purge,
    Drain,
    Shrink,
    Chunk,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1_u64..40, prop_oneof![4 => Just(0_u32), 2 => 12_u32..18], any::<bool>(), 0_u32..3)
            .prop_map(|(pages, align_shift, narrow, cpu)| Act::Alloc { pages, align_shift, narrow, cpu }),
        5 => any::<prop::sample::Index>().prop_map(|pick| Act::Free { pick }),
        1 => Just(Act::Purge),
        1 => Just(Act::Drain),
        1 => Just(Act::Shrink),
        1 => Just(Act::Chunk),
    ]
}

fn setup(policy: &str) -> Setup {
    Setup {
        rules: by_id(policy).expect(policy).rules,
        cpus_online: 3,
        cpus_possible: 3,
        window: Window { vstart: BASE, vend: 0xffff_e8ff_ffff_ffff },
        page_size: PAGE,
        is_32_bit: false,
        early: vec![Extent::sized(BASE + 0x10_0000, 0x3000).expect("extent")],
        lazy_max_bytes: None,
    }
}

/// What is taken, without a tree: start → end. Free is everything else.
#[derive(Default)]
struct Plain {
    taken: BTreeMap<u64, u64>,
}

impl Plain {
    /// The lowest address that fits, by walking the gaps.
    fn lowest(&self, size: u64, align: u64, window: Window) -> Option<u64> {
        let mut from = 1;
        for (&start, &end) in self.taken.iter().chain([(&u64::MAX, &u64::MAX)]) {
            let at = from.max(window.vstart).next_multiple_of(align);
            if at.checked_add(size).is_some_and(|placed_end| placed_end <= start) {
                return (at + size <= window.vend).then_some(at);
            }
            from = end;
        }
        None
    }
}

/// Runs the acts against both models; the allocator is audited after each.
fn run(policy: &str, acts: &[Act]) {
    let setup = setup(policy);
    let mut space = Augmented::new(&setup);
    let mut plain = Plain::default();
    plain.taken.extend(setup.early.iter().map(|extent| (extent.start(), extent.end())));
    let mut live: Vec<Extent> = Vec::new();
    for act in acts {
        match act {
            Act::Alloc { pages, align_shift, narrow, cpu } => {
                let vend = if *narrow { BASE + 0x20_0000 } else { setup.window.vend };
                let window = Window { vstart: BASE, vend };
                let request =
                    Request { size: pages * PAGE, align: 1 << align_shift, window, cpu: *cpu, first_attempt: true };
                if let Some(extent) = alloc(&mut space, &plain, &request) {
                    live.push(extent);
                }
            }
            Act::Free { pick } if !live.is_empty() => {
                let extent = live.swap_remove(pick.index(live.len()));
                // Any address inside finds the area.
                let freed = space.free(extent.start() + extent.len_bytes() / 2, None).expect("live");
                assert_eq!(freed.extent, extent);
            }
            Act::Free { .. } => {}
            Act::Purge => {
                space.purge(PurgeKind::Full, HelperOrder::AtFlush, None);
            }
            Act::Drain => {
                space.purge(PurgeKind::Partial, HelperOrder::AtSchedule, None);
            }
            Act::Shrink => {
                space.shrink(None);
            }
            Act::Chunk => {
                let extent = space.carve_chunk(0x20_0000, 0x20_0000, None).expect("room at the top");
                assert!(extent.end() <= setup.window.vend && extent.start().is_multiple_of(0x20_0000));
            }
        }
        space.audit().unwrap_or_else(|broken| panic!("{policy}, after {act:?}: {broken}"));
        plain.taken = not_free(&space);
    }
}

fn alloc(space: &mut Augmented, plain: &Plain, request: &Request) -> Option<Extent> {
    let answer = space.place(request, None);
    let from_tree =
        !matches!(answer, Ok(placement) if matches!(placement.source, vmaplens::model::Source::Pool { .. }));
    if from_tree && request.align <= PAGE {
        let lowest = plain.lowest(request.size, PAGE, request.window);
        assert_eq!(answer.ok().map(|placement| placement.start), lowest, "{request:?}");
    }
    let view = space.tree(TreeId::Free).expect("free tree");
    let (size, align, vstart) = (request.size, request.align, request.window.vstart);
    let wanted = Wanted { size, align, vstart, length: size, moves_vstart: true };
    let by_tree = find_lowest_match(view.areas, &view.tree, &wanted, &mut ());
    let fits = |hole: &VmapArea| hole.start.max(vstart).next_multiple_of(align) + size <= hole.end;
    let by_walk = view.ascending().find(|(_, hole)| fits(hole)).map_or(NIL, |(id, _)| id);
    assert_eq!(by_tree, by_walk, "the search through the tree and a walk over all holes disagree");
    space.settle(request, answer, 0, None)
}

/// Everything that is not in the free tree, merged from what the allocator says of each state.
fn not_free(space: &Augmented) -> BTreeMap<u64, u64> {
    let mut taken = BTreeMap::new();
    let mut take = |area: &VmapArea| {
        taken.insert(area.start, area.end);
    };
    for node in 0..space.n_nodes() {
        space.visit_busy(node, &mut take);
        space.visit_lazy(node, &mut take);
    }
    space.visit_pools(&mut |_, area| take(area));
    taken
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_keeps_the_allocator_sound(acts in prop::collection::vec(act(), 1..160)) {
        // 5.10 pads every search, so its page-aligned answers are not the lowest fit: it has vectors of its own.
        for policy in ["linux-5.17", "linux-6.1", "linux-6.12", "linux-7.2"] {
            run(policy, &acts);
        }
    }
}

/// Runs a script and answers the lines, less the common address prefix.
fn answers(script: &str) -> Vec<String> {
    let script = parsers::ops::parse(script.as_bytes());
    assert_eq!(script.problems, []);
    let script = ScriptLog { header: script.header, ops: script.ops, ..ScriptLog::default() };
    let text = output(&script, &Settings::default()).expect("runs");
    text.lines().map(|line| line.replace("ffffc9000000", "V+")).collect()
}

/// 5.17 and later: the lowest address that fits, and a hole below an alignment.
#[test]
fn the_lowest_hole_that_fits_is_taken() {
    let script = "era 6.1\na 0 0x2000\na 1 0x5000\na 2 0x3000 0x1000\nf 1\npurge\na 3 0x4000\na 4 0x2000\n\
                  a 5 0x201000 0x200000\nf 0\npurge\na 6 0x4000 0x4000\n";
    let expected = [
        "V+0000",
        "V+2000",
        "V+7000",
        ".",
        "purge Tffffc90000002000-ffffc90000007000",
        "V+2000",
        "V+a000",
        "ffffc90000200000",
        ".",
        "purge Tffffc90000000000-ffffc90000002000",
        "V+c000",
    ];
    let expected: Vec<String> = expected.iter().map(|line| line.replace("ffffc9000000", "V+")).collect();
    assert_eq!(answers(script), expected);
}

/// 6.9 and later: two CPUs, each with a pool of its own.
#[test]
fn each_cpu_reuses_its_own_pool() {
    let script = "era 6.12\ncpus 2\na 0 0x2000\na 1 0x2000 1 - - 1\nf 0\nf 1\na 9 0x4000000\nf 9\nwork\n\
                  a 2 0x2000 1 - - 1\na 3 0x2000 1 - - 1\na 4 0x2000\na 5 0x1000\n";
    let lines = answers(script);
    assert_eq!(lines[..2], ["V+0000", "V+2000"]);
    assert_eq!(lines[7..], ["V+2000", "V+4000", "V+0000", "V+6000"]);
}

/// A pool gives out its newest first, and a misaligned head goes to the tail.
#[test]
fn a_pool_is_last_in_first_out_and_turns_on_misalignment() {
    let fill = "era 6.12\ncpus 2\na 0 0x2000\na 1 0x2000\na 2 0x2000\nf 0\nf 1\nf 2\na 9 0x4000000\nf 9\nwork\n";
    let lines = answers(&format!("{fill}a 3 0x2000\na 4 0x2000\na 5 0x2000\n"));
    assert_eq!(lines[9..], ["V+4000", "V+2000", "V+0000"]);
    let lines = answers(&format!("{fill}a 3 0x2000\na 4 0x2000 0x4000\na 5 0x2000 0x4000\n"));
    assert_eq!(lines[9], "V+4000");
    // The head V+2000 is not aligned to 16 KiB: the tree answers, and the next request finds V+0 at the head.
    assert_eq!(lines[10..], ["V+8000", "V+0000"]);
}

/// A window of one page, and the value of a failure.
#[test]
fn a_full_window_fails_after_a_purge() {
    let script = "era 6.1\na 0 0x1000 1 0xfffffffffffe000 0xfffffffffffffff\n\
                  a 1 0x1000 1 0xfffffffffffe000 0xfffffffffffffff\n";
    assert_eq!(answers(script), ["fffffffffffe000", "EBUSY"]);
}
