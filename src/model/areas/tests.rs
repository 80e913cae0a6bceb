//! What is put aside and taken up again is what was there, whatever happened in between.

use proptest::prelude::*;

use super::*;
use crate::model::rbtree::{Tree, TreeId};
use crate::model::step::At;

/// Any slot outside of trees, with values that are usual and such that no kernel has.
fn slot() -> impl Strategy<Value = VmapArea> {
    let address = || prop_oneof![(0_u64..1 << 40).prop_map(|page| page << 12), any::<u64>(), Just(0), Just(u64::MAX)];
    let link = || prop_oneof![0_u32..100_000, any::<u32>()];
    ((address(), address(), address()), [link(), link(), link(), link(), link(), link()], any::<bool>()).prop_map(
        |((start, end, subtree_max), [left, right, parent_colour, prev, next, born], lazy)| VmapArea {
            start,
            end,
            max: [subtree_max, subtree_max >> 1],
            child: [left, right],
            parent_colour,
            prev,
            next,
            born,
            owner: born.rotate_left(16),
            lazy,
            kind: Kind::Other,
        },
    )
}

#[derive(Debug, Clone)]
enum Act {
    Add(VmapArea),
    Write(usize, VmapArea),
    Remove(usize),
    /// Into the free tree or the busy one.
    Plant(bool, u64),
    /// Out of it, by place.
    Fell(bool, usize),
    Keep,
    Restore(usize),
    CopyTo,
    CopyFrom,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => slot().prop_map(Act::Add),
        4 => (any::<usize>(), slot()).prop_map(|(at, slot)| Act::Write(at, slot)),
        2 => any::<usize>().prop_map(Act::Remove),
        8 => (any::<bool>(), 0_u64..1 << 30).prop_map(|(free, page)| Act::Plant(free, page)),
        4 => (any::<bool>(), any::<usize>()).prop_map(|(free, at)| Act::Fell(free, at)),
        1 => Just(Act::Keep),
        1 => any::<usize>().prop_map(Act::Restore),
        1 => Just(Act::CopyTo),
        1 => Just(Act::CopyFrom),
    ]
}

/// All that can be told of an arena.
type Told = (Vec<VmapArea>, AreaId, u32);

fn told(areas: &Areas) -> Told {
    (areas.slots.clone(), areas.unused, areas.live)
}

/// What is in use beside the arena: slots outside of trees, and a free and a busy tree.
#[derive(Debug, Clone, Default)]
struct Roots {
    loose: Vec<AreaId>,
    trees: [Tree; 2],
}

fn plant(areas: &mut Areas, roots: &mut Roots, free: bool, page: u64) {
    let (start, end) = (page << 12, (page + 1 + page % 7) << 12);
    let tree = &mut roots.trees[usize::from(free)];
    let Some(link) = areas.find_link(tree, start, end) else { return };
    let id = areas.add(start, end);
    let to = &mut At { tree: TreeId::Free, sink: &mut () };
    if free {
        areas.insert::<true, ()>(tree, id, link, to);
    } else {
        areas[id].kind = Kind::Busy;
        areas[id].born = page as u32;
        areas.insert::<false, ()>(tree, id, link, to);
    }
}

fn fell(areas: &mut Areas, roots: &mut Roots, free: bool, at: usize) {
    let tree = &mut roots.trees[usize::from(free)];
    let id = areas.first_above(tree, (at as u64 & ((1 << 30) - 1)) << 12);
    if id == NIL {
        return;
    }
    let to = &mut At { tree: TreeId::Free, sink: &mut () };
    if free {
        areas.erase::<true, ()>(tree, id, to);
    } else {
        areas.erase::<false, ()>(tree, id, to);
    }
    areas.remove(id);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two arenas, copies put aside of either, taken up by either, copied from one to the other.
    #[test]
    fn what_was_put_aside_comes_back(acts in prop::collection::vec(act(), 1..400)) {
        let (mut areas, mut other) = (Areas::default(), Areas::default());
        let mut roots = Roots::default();
        let mut kept: Vec<(Areas, Told, Roots)> = Vec::new();
        let mut others = Roots::default();
        for act in acts {
            match act {
                Act::Add(area) => {
                    let id = areas.add(area.start, area.end);
                    areas[id] = area;
                    roots.loose.push(id);
                }
                Act::Write(at, area) if !roots.loose.is_empty() => areas[roots.loose[at % roots.loose.len()]] = area,
                Act::Remove(at) if !roots.loose.is_empty() => {
                    areas.remove(roots.loose.swap_remove(at % roots.loose.len()));
                }
                Act::Plant(free, page) => plant(&mut areas, &mut roots, free, page),
                Act::Fell(free, at) => fell(&mut areas, &mut roots, free, at),
                Act::Keep => {
                    let copy = areas.keep();
                    kept.push((copy, told(&areas), roots.clone()));
                }
                Act::Restore(at) if !kept.is_empty() => {
                    let (copy, want, old) = &kept[at % kept.len()];
                    areas.restore(copy);
                    prop_assert_eq!(&told(&areas), want);
                    roots.clone_from(old);
                }
                Act::CopyTo => {
                    other.clone_from(&areas);
                    others.clone_from(&roots);
                    prop_assert_eq!(told(&other), told(&areas));
                }
                Act::CopyFrom => {
                    std::mem::swap(&mut areas, &mut other);
                    std::mem::swap(&mut roots, &mut others);
                }
                _ => {}
            }
        }
        for (copy, want, _) in &kept {
            let mut fresh = Areas::default();
            fresh.restore(copy);
            prop_assert_eq!(&told(&fresh), want);
        }
    }
}

/// A copy costs what has changed since the one before.
#[test]
fn a_copy_costs_what_has_changed() {
    let mut areas = Areas::default();
    let ids: Vec<AreaId> = (1..=100_000).map(|page| areas.add(page << 12, (page + 1) << 12)).collect();
    let first = areas.keep();
    let all = first.kept_bytes_beside(&Areas::default());
    areas[ids[50_000]].end += 4096;
    let second = areas.keep();
    let pointers = second.kept.bytes_beside(&second.kept);
    assert!(second.kept_bytes_beside(&first) - pointers < 1024, "{}", second.kept_bytes_beside(&first));
    assert!(all < 100_000 * size_of::<VmapArea>() as u64 / 2, "{all}");
    // Written, and the same again: nothing differs.
    areas[ids[7]].lazy = true;
    areas[ids[7]].lazy = false;
    assert!(areas.keep().kept_bytes_beside(&second) - pointers < 64);
}
