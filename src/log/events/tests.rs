//! What is put in comes out, whatever it is.

use proptest::prelude::*;

use super::row::SCRIPT_OPS;
use super::*;
use crate::event::{Addr, Nanos, TextId, WindowId};

/// Numbers as they come, and those around every border between bit widths.
fn number() -> impl Strategy<Value = u64> {
    let around = |shift: u32, less: u64| (1_u64 << shift).wrapping_sub(less);
    prop_oneof![
        any::<u64>(),
        (0_u32..64, 0_u64..3).prop_map(move |(shift, less)| around(shift, less)),
        (0_u32..64, 0_u64..3).prop_map(move |(shift, less)| around(shift, less).wrapping_neg()),
        (0_u64..1 << 46).prop_map(|page| page << 12),
        (0_u64..1 << 33).prop_map(|page| 0xffff_c900_0000_0000 + (page << 12)),
        Just(u64::MAX),
        0_u64..10_000,
    ]
}

fn small() -> impl Strategy<Value = u32> {
    number().prop_map(|number| number as u32)
}

fn kind() -> impl Strategy<Value = EventKind> {
    let addr = || number().prop_map(Addr);
    let window = || prop_oneof![(0_u32..4).boxed(), small().boxed()].prop_map(WindowId);
    let answer = || prop::option::of(any::<bool>());
    let text = || small().prop_map(TextId);
    prop_oneof![
        (addr(), number(), number(), window(), any::<bool>())
            .prop_map(|(addr, size, align, window, failed)| { EventKind::Alloc { addr, size, align, window, failed } }),
        (addr(), 0_u64..1 << 25, 0_u32..64, window(), any::<bool>()).prop_map(
            |(addr, pages, align, window, failed)| {
                EventKind::Alloc { addr, size: pages << 12, align: 1 << align, window, failed }
            }
        ),
        (addr(), number(), number()).prop_map(|(addr, nr_lazy, nr_lazy_max)| EventKind::Free {
            addr,
            nr_lazy,
            nr_lazy_max
        }),
        (addr(), addr(), small()).prop_map(|(start, end, num_purged)| EventKind::Purge { start, end, num_purged }),
        small().prop_map(|num_purged| EventKind::Purge { start: Addr(u64::MAX), end: Addr(0), num_purged }),
        (number(), number(), window()).prop_map(|(size, align, window)| EventKind::Request { size, align, window }),
        (addr(), addr()).prop_map(|(addr, end)| EventKind::Unasked { addr, end }),
        (addr(), addr()).prop_map(|(addr, end)| EventKind::FreeProbe { addr, end }),
        (addr(), 0_u64..1 << 40)
            .prop_map(|(addr, more)| { EventKind::FreeProbe { addr, end: Addr(addr.0.wrapping_add(more << 12)) } }),
        (addr(), addr()).prop_map(|(start, end)| EventKind::PurgeEntry { start, end }),
        answer().prop_map(|purged| EventKind::PurgeReturn { purged }),
        (any::<u16>(), answer()).prop_map(|(node, full)| EventKind::NodeDecay { node, full }),
        any::<u16>().prop_map(|node| EventKind::NodeReturn { node }),
        small().prop_map(|count| EventKind::Lost { count }),
        text().prop_map(|text| EventKind::Mark { text }),
        (number(), text()).prop_map(|(size, text)| EventKind::Report { size, text }),
        text().prop_map(|name| EventKind::Other { name }),
        (0..SCRIPT_OPS.len()).prop_map(|op| EventKind::Script(SCRIPT_OPS[op])),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let cpu = prop_oneof![0_u16..8, any::<u16>(), Just(Event::NO_CPU), 4090_u16..4100];
    let task = prop_oneof![(0_u32..1 << 21).boxed(), small().boxed()];
    (number(), small(), task, cpu, kind()).prop_map(|(at, line, task, cpu, kind)| Event {
        at: Nanos(at),
        line,
        task: TaskId(task),
        cpu,
        kind,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_put_in_comes_out(events in prop::collection::vec(event(), 0..200)) {
        let store: Events = events.iter().copied().collect();
        prop_assert_eq!(store.len(), events.len());
        prop_assert_eq!(&store.to_vec(), &events);
        prop_assert!(store.iter().rev().eq(events.iter().rev().copied()));
        for (index, event) in events.iter().enumerate() {
            prop_assert_eq!(store.get(index), Some(*event));
            prop_assert_eq!(store.task(index), Some(event.task));
        }
        prop_assert_eq!(store.get(events.len()), None);
        prop_assert_eq!(store.are_probed(), events.iter().any(|event| is_probed(&event.kind)));
    }

    #[test]
    fn changes_are_those_of_a_plain_list(
        events in prop::collection::vec(event(), 1..200),
        changes in prop::collection::vec((any::<prop::sample::Index>(), event()), 0..60),
        cut in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let (mut plain, mut store) = (events.clone(), Events::from(events));
        for (at, event) in changes {
            let at = at.index(plain.len());
            plain[at] = event;
            store.set(at, event);
        }
        let mut order: Vec<u32> = (0..plain.len() as u32).collect();
        order.sort_by_key(|&index| (u64::from(index) + 1).wrapping_mul(seed | 1));
        plain = order.iter().map(|&index| plain[index as usize]).collect();
        store.reorder(&order);
        prop_assert_eq!(&store.to_vec(), &plain);
        let cut = cut.index(plain.len());
        prop_assert!(store.range(cut..).eq(plain[cut..].iter().copied()));
        prop_assert!(store.range(..=cut).eq(plain[..=cut].iter().copied()));
        plain.truncate(cut);
        store.truncate(cut);
        plain.extend_from_within(..);
        store.extend(store.to_vec());
        prop_assert_eq!(store.to_vec(), plain);
    }
}

#[test]
fn a_store_built_in_parts_equals_one_built_at_once() {
    let kind = |index: u64| EventKind::Free { addr: Addr(index << 12), nr_lazy: index, nr_lazy_max: 16_384 };
    let events: Vec<Event> = (0..1000)
        .map(|index| Event { at: Nanos(index * 977), line: index as u32, task: TaskId(3), cpu: 1, kind: kind(index) })
        .collect();
    let whole = Events::from(events.clone());
    for parts in [1, 7, 64, 65, 999] {
        let mut store = Events::new();
        events.chunks(parts).for_each(|part| store.extend(part.iter().copied()));
        assert!(store == whole, "{parts}");
    }
}

#[test]
fn real_records_need_no_second_table() {
    assert_eq!(size_of::<Row>(), 24);
    let window = WindowId(1);
    let start = 0xffff_c900_0000_0000;
    let kinds = [
        EventKind::Alloc { addr: Addr(start), size: 8192, align: 1, window, failed: false },
        EventKind::Alloc { addr: Addr(0xffff_e8ff_ffff_ffff), size: 1 << 35, align: 1 << 30, window, failed: true },
        EventKind::Alloc { addr: Addr(12_u64.wrapping_neg()), size: 8192, align: 4096, window, failed: true },
        EventKind::Free { addr: Addr(0xff20_0000_0000_0000), nr_lazy: 40_000, nr_lazy_max: 65_536 },
        EventKind::Purge { start: Addr(start), end: Addr(start + (1 << 30)), num_purged: 4000 },
        EventKind::Purge { start: Addr(u64::MAX), end: Addr(0), num_purged: 0 },
        EventKind::PurgeEntry { start: Addr(u64::MAX), end: Addr(0) },
        EventKind::FreeProbe { addr: Addr(0xf080_0000), end: Addr(0xf080_0000) },
    ];
    let events = (0..640).map(|index| Event {
        at: Nanos(index * 8_000_000_000),
        line: index as u32,
        task: TaskId(if index % 2 == 0 { 70_000 } else { u32::MAX }),
        cpu: if index % 3 == 0 { Event::NO_CPU } else { 511 },
        kind: kinds[index as usize % kinds.len()],
    });
    assert!(events.clone().collect::<Events>().iter().eq(events.clone()));
    assert!(events.collect::<Events>().odd.is_empty());
}
