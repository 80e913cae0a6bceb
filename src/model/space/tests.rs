//! States with what is behind their areas: what is put aside and taken up again is what was there.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::event::{Addr, Event, EventKind, Nanos};
use crate::log::{Log, Window};
use crate::model::costs::Costs;
use crate::model::frames::{PageStrategy, ZoneKind};
use crate::model::memory::{Backed, Mapping};
use crate::model::page_table::X86_64_4;
use crate::model::{HelperOrder, UsageKind};
use crate::policy::{Release, arch_rules, rules_for};
use crate::replay::{Replay, Settings};
use crate::request::rules::request_rules_for;
use crate::request::{DataFrames, Facts, memory_of};

const BASE: u64 = 0xffff_c900_0000_0000;
const WINDOW: Window = Window { vstart: BASE, vend: BASE + (32 << 40) };
const PAGE: u64 = 4096;
const RECORDS: u32 = 40;
const RELEASES: [Release; 6] = [
    Release::new(2, 6),
    Release::new(3, 2),
    Release::new(4, 19),
    Release::new(5, 10),
    Release::new(6, 12),
    Release::new(7, 2),
];

fn kernel(release: Release) -> String {
    match release {
        release if release == Release::new(2, 6) => "2.6.32".to_owned(),
        Release { major, minor, .. } => format!("{major}.{minor}"),
    }
}

/// No area yet. Something is known of what the first records will allocate.
fn empty(release: Release, frames: DataFrames) -> AddressSpace {
    let mut log = Log::default();
    log.origin.kernel = Some(kernel(release));
    let window = log.names.add_window(WINDOW);
    let task = log.names.add_task(b"work", 1);
    let mut at = BASE;
    for line in 0..RECORDS {
        let (size, align) = (PAGE * u64::from(2 + line % 19), if line % 11 == 0 { 2 << 20 } else { 1 });
        let kind = EventKind::Alloc { addr: Addr(at), size, align, window, failed: false };
        log.events.push(Event { at: Nanos(line.into()), line, task, cpu: 0, kind });
        at += size;
    }
    let replay = Replay::open(Arc::new(log), &Settings::default()).expect("a trace");
    let facts = Facts {
        release,
        rules: request_rules_for(release).expect("rules"),
        placement: rules_for(release).expect("rules"),
        arch: arch_rules(&X86_64_4, release).with_vmalloc(Extent::new(WINDOW.vstart, WINDOW.vend)),
        window: WINDOW,
        page_size: PAGE,
        is_32_bit: false,
        ram_pages: 1 << 18,
        numa_nodes: 1,
        nr_cpus: 64,
        cpus_online: 1,
        helpers: HelperOrder::default(),
    };
    replay.start().without_memory().with_memory(memory_of(&facts, Arc::clone(replay.usages()), frames))
}

#[derive(Debug, Clone)]
enum Act {
    /// By a record.
    Alloc(u64, u32),
    /// By a request that says itself what is behind the area: pages, flags, whether the array is nested.
    Ask(u64, u32, bool),
    /// An area of device memory or of somebody else's pages.
    Foreign(u64, bool),
    Block(u64),
    Free(usize),
    Purge,
    Defer(u32),
    Keep,
    Restore(usize),
    CopyTo,
    CopyFrom,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1_u64..60, 0..RECORDS * 2).prop_map(|(pages, born)| Act::Alloc(pages, born)),
        4 => (1_u64..2000, 0_u32..300, any::<bool>()).prop_map(|(pages, flags, nested)| Act::Ask(pages, flags, nested)),
        2 => (1_u64..90, any::<bool>()).prop_map(|(pages, is_device)| Act::Foreign(pages, is_device)),
        1 => (1_u64..9).prop_map(Act::Block),
        6 => any::<usize>().prop_map(Act::Free),
        1 => Just(Act::Purge),
        1 => (0_u32..4).prop_map(Act::Defer),
        2 => Just(Act::Keep),
        2 => any::<usize>().prop_map(Act::Restore),
        1 => Just(Act::CopyTo),
        1 => Just(Act::CopyFrom),
    ]
}

/// All that can be told of a state.
fn told(space: &AddressSpace) -> (u64, Vec<Backed>, Vec<Vec<u64>>, String) {
    let memory = space.memory().expect("followed");
    memory.tables().audit().expect("sound tables");
    memory.frames().audit().expect("sound frames");
    memory.slabs().audit().expect("sound slabs");
    let mut backed: Vec<Backed> = memory.each_backed().copied().collect();
    backed.sort_unstable_by_key(|backed| backed.extent.start());
    let frames = |backed: &Backed| memory.frames_of(backed).flat_map(|run| [run.first, run.n]).collect();
    let frames = backed.iter().map(frames).collect();
    let rest = format!(
        "{:?}",
        (
            Costs::of(memory),
            (memory.frames().free_runs(), memory.slabs().caches(), memory.n_ranges()),
            (memory.waiting(), memory.deferred(), memory.flushes(), memory.blocks()),
            (memory.used_pages(), memory.lost_pages(), memory.missing_pages()),
            (memory.tables().leaves(), memory.tables().count(), memory.tables().mapped_bytes()),
        )
    );
    (space.digest(), backed, frames, rest)
}

fn request(pages: u64) -> Request {
    Request { size: pages * PAGE, align: 1, window: WINDOW, cpu: 0, first_attempt: true }
}

fn ask(space: &mut AddressSpace, pages: u64) -> Option<Extent> {
    let op = Op::Search { request: request(pages + 1), born: 0 };
    match space.apply(&op, None) {
        Answer::Placed(extent) => Some(extent),
        _ => None,
    }
}

fn carry_out(space: &mut AddressSpace, act: &Act) {
    let tell = |space: &mut AddressSpace, op: MemoryOp| _ = space.apply(&Op::Memory(op), None);
    match *act {
        Act::Alloc(pages, born) => _ = space.apply(&Op::Alloc { request: request(pages), born }, None),
        Act::Ask(pages, flags, nested) => {
            let Some(extent) = ask(space, pages) else { return };
            let start = extent.start();
            let part = Extent::sized(start, pages * PAGE).expect("pages");
            tell(space, MemoryOp::Bind { extent, kind: UsageKind::Vmalloc, flags, caller: Default::default() });
            tell(
                space,
                if nested {
                    MemoryOp::NestArray { start, array: start + 5 * PAGE }
                } else {
                    MemoryOp::TakeArray { start, bytes: pages * 8 }
                },
            );
            let (limit, strategy) = (ZoneKind::Normal, PageStrategy::Bulk);
            tell(space, MemoryOp::TakePages { start, pages, order: 0, limit, strategy, fault: None });
            tell(space, MemoryOp::Map { extent: part, mapping: Mapping::Small, fault: None });
        }
        Act::Foreign(pages, is_device) => {
            let Some(extent) = ask(space, pages) else { return };
            let kind = if is_device { UsageKind::Ioremap } else { UsageKind::VmMapRam };
            let mapping = if is_device { Mapping::Device { phys: pages << 21 } } else { Mapping::Small };
            tell(space, MemoryOp::Note { extent, kind });
            tell(space, MemoryOp::Map { extent, mapping, fault: None });
        }
        Act::Block(pages) => {
            let Some(extent) = ask(space, 63) else { return };
            tell(space, MemoryOp::AddBlock { extent, cpu: 1, at_head: pages % 2 == 0 });
            tell(space, MemoryOp::TakeFromBlock { block: extent.start(), first: 0, pages: pages as u32 });
        }
        Act::Free(at) => {
            let memory = space.memory().expect("followed");
            let mut starts: Vec<u64> = memory.each_backed().map(|backed| backed.extent.start()).collect();
            starts.sort_unstable();
            if !starts.is_empty() {
                _ = space.apply(&Op::Free { addr: starts[at % starts.len()] }, None);
            }
        }
        Act::Purge => {
            let (kind, helpers) = (PurgeKind::Partial, HelperOrder::default());
            _ = space.apply(&Op::Purge { kind, helpers, unqueues: false }, None);
        }
        Act::Defer(cpu) => tell(space, MemoryOp::Defer { cpu, addr: BASE + u64::from(cpu) * PAGE }),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Two states, copies put aside of either, taken up by either, copied from one to the other.
    #[test]
    fn what_was_put_aside_comes_back(
        release in prop::sample::select(RELEASES.to_vec()),
        is_placed in any::<bool>(),
        acts in prop::collection::vec(act(), 1..250),
    ) {
        let start = empty(release, if is_placed { DataFrames::Placed } else { DataFrames::Counted });
        let (mut space, mut other) = (start.clone(), start.clone());
        let mut kept = Vec::new();
        for act in &acts {
            match act {
                Act::Keep => {
                    let copy = space.keep();
                    kept.push((copy, told(&space)));
                }
                Act::Restore(at) if !kept.is_empty() => {
                    let (copy, want) = &kept[at % kept.len()];
                    space.restore(copy);
                    prop_assert_eq!(&told(&space), want);
                }
                Act::CopyTo => {
                    other.copy_from(&mut space);
                    prop_assert_eq!(told(&other), told(&space));
                }
                Act::CopyFrom => std::mem::swap(&mut space, &mut other),
                act => carry_out(&mut space, act),
            }
        }
        let acts: Vec<&Act> = acts.iter().take(20).collect();
        for (copy, want) in &kept {
            // Into one without memory, and what happens next is the same.
            let mut fresh = start.without_memory();
            fresh.restore(copy);
            prop_assert_eq!(&told(&fresh), want);
            space.restore(copy);
            for act in &acts {
                carry_out(&mut fresh, act);
                carry_out(&mut space, act);
            }
            prop_assert_eq!(told(&fresh), told(&space));
        }
    }
}

/// What is put aside costs a few bytes an area, and the next time what has changed.
#[test]
fn what_is_behind_an_area_costs_few_bytes() {
    let mut space = empty(Release::new(6, 5), DataFrames::Counted);
    for record in 0..20_000 {
        carry_out(&mut space, &Act::Alloc(2 + u64::from(record % 9), record % RECORDS));
    }
    let plain = space.memory().expect("followed").heap_bytes();
    let kept = space.keep();
    let memory = kept.memory().expect("followed");
    let all = memory.kept_bytes_beside(None);
    assert!(all < 20_000 * 16 && all * 8 < plain, "{all} of {plain}");
    carry_out(&mut space, &Act::Free(7));
    let again = space.keep();
    let again = again.memory().expect("followed").kept_bytes_beside(Some(memory));
    assert!(again + 30_000 < all, "{again}, {all} at first: ranges are shared");
}
