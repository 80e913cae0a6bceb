//! What is put aside and taken up again is what was there, whatever happened in between.

use proptest::prelude::*;

use super::*;

/// Any slot, with values that are usual and such that no kernel has.
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
            kind: [Kind::Other, Kind::Free, Kind::Busy][start as usize % 3],
        },
    )
}

#[derive(Debug, Clone)]
enum Act {
    Add(VmapArea),
    Write(usize, VmapArea),
    Remove(usize),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two arenas, copies put aside of either, taken up by either, copied from one to the other.
    #[test]
    fn what_was_put_aside_comes_back(acts in prop::collection::vec(act(), 1..150)) {
        let (mut areas, mut other) = (Areas::default(), Areas::default());
        let mut in_use: Vec<AreaId> = Vec::new();
        let mut kept: Vec<(Areas, Told, Vec<AreaId>)> = Vec::new();
        let mut others = Vec::new();
        for act in acts {
            match act {
                Act::Add(area) => {
                    let id = areas.add(area.start, area.end);
                    areas[id] = area;
                    in_use.push(id);
                }
                Act::Write(at, area) if !in_use.is_empty() => areas[in_use[at % in_use.len()]] = area,
                Act::Remove(at) if !in_use.is_empty() => areas.remove(in_use.swap_remove(at % in_use.len())),
                Act::Keep => {
                    let copy = areas.keep();
                    kept.push((copy, told(&areas), in_use.clone()));
                }
                Act::Restore(at) if !kept.is_empty() => {
                    let (copy, want, ids) = &kept[at % kept.len()];
                    areas.restore(copy);
                    prop_assert_eq!(&told(&areas), want);
                    in_use.clone_from(ids);
                }
                Act::CopyTo => {
                    other.clone_from(&areas);
                    others.clone_from(&in_use);
                    prop_assert_eq!(told(&other), told(&areas));
                }
                Act::CopyFrom => {
                    std::mem::swap(&mut areas, &mut other);
                    std::mem::swap(&mut in_use, &mut others);
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
    // Written, and the same again: nothing has changed.
    areas[ids[7]].lazy = true;
    areas[ids[7]].lazy = false;
    assert_eq!(areas.keep().kept_bytes_beside(&second), pointers);
}
