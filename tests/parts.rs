//! A purge in the parts that probes can show, and in the steps between which other CPUs can act.

use proptest::prelude::*;
use vmaplens::log::Window;
use vmaplens::model::{Allocator, Extent, HelperOrder, NIL, Owner, PurgeKind, PurgePart, Request, TreeId};
use vmaplens::policy::{Augmented, Setup, by_id};

const BASE: u64 = 0xffff_c900_0000_0000;
const PAGE: u64 = 4096;
/// Releases whose purges have parts.
const RELEASES: [&str; 2] = ["linux-6.12", "linux-7.2"];
/// Releases whose purges can be told step by step.
const STEPPED: [&str; 3] = ["linux-6.12", "linux-7.2", "linux-6.5"];

fn empty(policy: &str) -> Augmented {
    Augmented::new(&Setup {
        rules: by_id(policy).expect(policy).rules,
        cpus_online: 3,
        cpus_possible: 3,
        window: Window { vstart: BASE, vend: 0xffff_e8ff_ffff_ffff },
        page_size: PAGE,
        is_32_bit: false,
        early: Vec::new(),
        lazy_max_bytes: None,
    })
}

fn place(space: &mut Augmented, pages: u64, cpu: u32) -> Option<Extent> {
    let window = space.window();
    let request = Request { size: pages * PAGE, align: 1, window, cpu, first_attempt: true };
    let answer = space.place(&request, None);
    space.settle(&request, answer, 0, None)
}

fn text(space: &Augmented) -> String {
    let mut text = String::new();
    space.dump(false, &mut text).expect("a string");
    text
}

/// Every tree in pre-order, with depths and colours.
fn shapes(space: &Augmented) -> Vec<(TreeId, u32, bool, u64, u64, u64)> {
    let of_node = |node| [TreeId::Busy(node), TreeId::Lazy(node)];
    let mut nodes = Vec::new();
    for id in [TreeId::Free].into_iter().chain((0..space.n_nodes()).flat_map(of_node)) {
        let Some(view) = space.tree(id) else { continue };
        let mut stack = vec![(view.tree.root, 0)];
        while let Some((at, depth)) = stack.pop() {
            if at == NIL {
                continue;
            }
            let area = &view.areas[at];
            let largest = if view.augmented { area.subtree_max() } else { 0 };
            nodes.push((id, depth, area.is_black(), area.start, area.end, largest));
            let [left, right] = area.child;
            stack.extend([(right, depth + 1), (left, depth + 1)]);
        }
    }
    nodes
}

/// All there is to compare: what lies where and in which order, the trees, the counters.
fn all_of(space: &Augmented) -> impl PartialEq + std::fmt::Debug + use<> {
    (text(space), shapes(space), space.lazy_pages(), space.metrics(), space.gauges())
}

/// An act before the purge: a free or not, pages, CPU, which area.
type Act = (bool, u64, u32, prop::sample::Index);

fn acts() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec((any::<bool>(), 1_u64..9, 0_u32..3, any::<prop::sample::Index>()), 1..80)
}

/// A space that has been used, and the areas in use.
fn used(policy: &str, acts: Vec<Act>) -> (Augmented, Vec<u64>) {
    let mut space = empty(policy);
    let mut live: Vec<u64> = Vec::new();
    for (frees, pages, cpu, pick) in acts {
        if frees && !live.is_empty() {
            let addr = live.swap_remove(pick.index(live.len()));
            space.free(addr, None).expect("live");
            // Now and then, so that the pools hold something.
            if pages == 1 {
                space.purge(PurgeKind::Partial, HelperOrder::default(), None);
            }
        } else {
            live.extend(place(&mut space, pages, cpu).map(Extent::start));
        }
    }
    (space, live)
}

/// The first half of a purge: every pool of a node, what came out of them, its lazy list, then the next node.
fn steps_before_the_flush(space: &Augmented, full: bool) -> Vec<PurgePart> {
    let mut steps = Vec::new();
    for node in 0..space.n_nodes() {
        let mut sizes = std::collections::BTreeSet::new();
        space.visit_pools(&mut |of, area| {
            if of == node {
                sizes.insert((area.len_bytes() / PAGE) as u32);
            }
        });
        steps.extend(sizes.into_iter().map(|pages| PurgePart::DecayPool { node, pages, full }));
        steps.extend([PurgePart::MergeDecayed { node }, PurgePart::Detach { node }]);
    }
    steps
}

/// The second half: lists are parked, counted off and merged, the merging in the order of nodes, the rest of it cut and
/// mixed by `cuts` as helpers may do it.
fn steps_behind_the_flush(space: &Augmented, full: bool, cuts: &[u32]) -> Vec<PurgePart> {
    if space.n_nodes() == 1 {
        return cuts.iter().map(|&n| PurgePart::Ranges { n }).collect();
    }
    let of_node = |node: u32| {
        let mut upto = 0;
        let mut steps: Vec<PurgePart> = Vec::new();
        for cut in cuts.iter().skip(node as usize).step_by(2) {
            upto += cut;
            steps.push(PurgePart::Fill { node, upto, full });
        }
        steps.extend([PurgePart::Subtract { node, full }, PurgePart::Merge { node }]);
        std::collections::VecDeque::from(steps)
    };
    let mut queues: Vec<_> = (0..space.n_nodes()).map(of_node).collect();
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(first) = queues.iter().position(|queue| !queue.is_empty()) {
        at += 1 + cuts.get(at % cuts.len().max(1)).map_or(0, |&cut| cut as usize);
        let node = at % queues.len();
        let is_early = node != first && matches!(queues[node].front(), Some(PurgePart::Merge { .. }) | None);
        steps.extend(queues[if is_early { first } else { node }].pop_front());
    }
    steps
}

/// What another CPU does between two steps.
#[derive(Debug, Clone)]
enum Between {
    Nothing,
    Alloc { pages: u64, cpu: u32 },
    Free(prop::sample::Index),
    Adopt { page: u64, pages: u64, cpu: u32 },
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        2 => Just(Between::Nothing),
        3 => (1_u64..9, 0_u32..3).prop_map(|(pages, cpu)| Between::Alloc { pages, cpu }),
        3 => any::<prop::sample::Index>().prop_map(Between::Free),
        2 => (0_u64..300, 1_u64..20, 0_u32..3).prop_map(|(page, pages, cpu)| Between::Adopt { page, pages, cpu }),
    ]
}

fn act(space: &mut Augmented, live: &mut Vec<u64>, between: &Between) {
    match between {
        Between::Nothing => {}
        Between::Alloc { pages, cpu } => live.extend(place(space, *pages, *cpu).map(Extent::start)),
        Between::Free(pick) if !live.is_empty() => {
            // It may have been displaced.
            let _ = space.free(live.swap_remove(pick.index(live.len())), None);
        }
        Between::Free(_) => {}
        Between::Adopt { page, pages, cpu } => {
            let extent = Extent::sized(BASE + page * PAGE, pages * PAGE).expect("an extent");
            space.adopt(extent, Owner::Node(*cpu), 0, None);
            live.push(extent.start());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// If nothing comes between, the parts are the purge; after each part everything holds.
    #[test]
    fn the_parts_of_a_purge_are_the_purge(
        which in 0_usize..2,
        full in any::<bool>(),
        acts in acts(),
    ) {
        let (mut whole, _) = used(RELEASES[which], acts);
        let mut parts = whole.clone();
        let kind = if full { PurgeKind::Full } else { PurgeKind::Partial };
        let purged = whole.purge(kind, HelperOrder::default(), None);
        let nodes = 0..parts.n_nodes();
        for node in nodes.clone() {
            parts.purge_part(PurgePart::Decay { node, full }, None);
            parts.audit().expect("sound after a decay");
        }
        let mut returned = 0;
        for node in nodes {
            returned += parts.purge_part(PurgePart::Return { node, full }, None);
            parts.audit().expect("sound after a return");
        }
        let rest = parts.purge(kind, HelperOrder::default(), None);
        prop_assert_eq!(returned, purged.num_purged);
        prop_assert_eq!(rest.num_purged, purged.num_purged);
        prop_assert_eq!(text(&parts), text(&whole));
    }

    /// Told step by step, in any cut, with nothing in between, a purge is the purge; its end does what is left.
    #[test]
    fn the_steps_of_a_purge_are_the_purge(
        which in 0_usize..3,
        full in any::<bool>(),
        acts in acts(),
        cuts in prop::collection::vec(0_u32..6, 0..9),
        left in any::<prop::sample::Index>(),
    ) {
        let (mut whole, _) = used(STEPPED[which], acts);
        let mut stepped = whole.clone();
        let kind = if full { PurgeKind::Full } else { PurgeKind::Partial };
        let purged = whole.purge(kind, HelperOrder::default(), None);
        whole.set_drain_pending(false);
        for part in steps_before_the_flush(&stepped, full) {
            stepped.purge_part(part, None);
            prop_assert_eq!(stepped.audit(), Ok(()), "{:?}", part);
        }
        let mut rest = steps_behind_the_flush(&stepped, full, &cuts);
        if !full {
            rest.truncate(left.index(rest.len() + 1));
        }
        let mut returned = 0;
        for part in rest {
            returned += stepped.purge_part(part, None);
            prop_assert_eq!(stepped.audit(), Ok(()), "{:?}", part);
        }
        prop_assert!(returned <= purged.num_purged);
        // The purge itself ends them, and finds out what they came to.
        let ended = stepped.purge(kind, HelperOrder::default(), None);
        prop_assert_eq!((ended.flush, ended.num_purged), (purged.flush, purged.num_purged));
        stepped.set_drain_pending(false);
        prop_assert_eq!(all_of(&stepped), all_of(&whole));
    }

    /// Whatever other CPUs do between the steps: every area is in one place, and in the end nothing is left in hand.
    #[test]
    fn between_the_steps_of_a_purge_everything_has_its_place(
        which in 0_usize..3,
        full in any::<bool>(),
        acts in acts(),
        cuts in prop::collection::vec(0_u32..6, 0..9),
        between in prop::collection::vec(between(), 1..40),
    ) {
        let (mut space, mut live) = used(STEPPED[which], acts);
        let mut others = between.iter().cycle();
        let mut parts = steps_before_the_flush(&space, full);
        parts.extend(steps_behind_the_flush(&space, full, &cuts));
        for part in parts {
            let other = others.next().expect("endless");
            act(&mut space, &mut live, other);
            prop_assert_eq!(space.audit(), Ok(()), "{:?} before {:?}", other, part);
            space.purge_part(part, None);
            prop_assert_eq!(space.audit(), Ok(()), "{:?}", part);
        }
        space.purge(if full { PurgeKind::Full } else { PurgeKind::Partial }, HelperOrder::default(), None);
        prop_assert_eq!(space.audit(), Ok(()), "the end");
        for addr in live {
            let _ = space.free(addr, None);
        }
        space.purge(PurgeKind::Full, HelperOrder::default(), None);
        prop_assert_eq!(space.n_holes(), 1);
        prop_assert_eq!((space.lazy_pages(), space.busy_bytes(), space.pooled_bytes()), (0, 0, 0));
    }

    /// What is freed after a node's areas were taken off waits for the next purge.
    #[test]
    fn what_is_freed_during_a_purge_stays_lazy(pages in 1_u64..300, cpu in 0_u32..3) {
        let mut space = empty(RELEASES[0]);
        let early = place(&mut space, pages, cpu).expect("room");
        let late = place(&mut space, pages, cpu).expect("room");
        space.free(early.start(), None).expect("live");
        for node in 0..3 {
            space.purge_part(PurgePart::Decay { node, full: false }, None);
        }
        space.purge_part(PurgePart::Return { node: cpu, full: false }, None);
        space.free(late.start(), None).expect("live");
        space.audit().expect("sound");
        let purged = space.purge(PurgeKind::Partial, HelperOrder::default(), None);
        prop_assert_eq!(purged.num_purged, 1);
        prop_assert_eq!(space.lazy_pages(), pages);
        space.audit().expect("sound");
    }
}
