use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::log::Window;
use crate::model::frames::{PageStrategy, ZoneKind};
use crate::model::memory::{Mapping, MemoryOp};
use crate::model::page_table::X86_64_4;
use crate::model::usage::{CallerId, UsageKind, Usages};
use crate::model::{Extent, HelperOrder, Memory};
use crate::policy::{Release, arch_rules, rules_for};
use crate::request::rules::request_rules_for;
use crate::request::{DataFrames, Facts, memory_of};

const V: u64 = 0xffff_c900_0000_0000;
const PAGE: u64 = 4096;
const HUGE: u8 = 21;

fn memory() -> Memory {
    let release = Release::new(6, 12);
    let window = Window { vstart: V, vend: V + (32 << 40) };
    let facts = Facts {
        release,
        rules: request_rules_for(release).expect("rules"),
        placement: rules_for(release).expect("rules"),
        arch: arch_rules(&X86_64_4, release).with_vmalloc(Extent::new(window.vstart, window.vend)),
        window,
        page_size: PAGE,
        is_32_bit: false,
        ram_pages: 1 << 20,
        numa_nodes: 1,
        nr_cpus: 64,
        cpus_online: 1,
        helpers: HelperOrder::default(),
    };
    memory_of(&facts, Arc::new(Usages::default()), DataFrames::Placed)
}

/// `vmalloc`, huge or not, or somebody else's pages.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Small,
    Huge,
    Foreign,
    Bare,
}

fn add(memory: &mut Memory, start: u64, pages: u64, kind: Kind, caller: u32) {
    let shift = if matches!(kind, Kind::Huge) { HUGE } else { 12 };
    let data = (pages * PAGE).next_multiple_of(1 << shift);
    let extent = Extent::sized(start, data + PAGE).expect("area");
    let part = Extent::sized(start, data).expect("part");
    let usage = match kind {
        Kind::Small | Kind::Huge => UsageKind::Vmalloc,
        Kind::Foreign => UsageKind::Vmap,
        Kind::Bare => UsageKind::Reserved,
    };
    memory.apply(&MemoryOp::Bind { extent, kind: usage, flags: 2, caller: CallerId(caller) }, None);
    if matches!(kind, Kind::Small | Kind::Huge) {
        let order = shift - 12;
        let (limit, strategy) = (ZoneKind::Normal, PageStrategy::Bulk);
        let take = MemoryOp::TakePages { start, pages: data / PAGE, order, limit, strategy, fault: None };
        memory.apply(&take, None);
        let bytes = (data / PAGE * 8).min(PAGE);
        memory.apply(&MemoryOp::TakeArray { start, bytes }, None);
    }
    let mapping = if matches!(kind, Kind::Huge) { Mapping::Huge { shift } } else { Mapping::Small };
    if !matches!(kind, Kind::Bare) {
        memory.apply(&MemoryOp::Map { extent: part, mapping, fault: None }, None);
    }
}

fn remove(memory: &mut Memory, extent: Extent) {
    let start = extent.start();
    memory.apply(&MemoryOp::Unmap { extent, flushes: false }, None);
    memory.apply(&MemoryOp::GivePages { start }, None);
    memory.apply(&MemoryOp::GiveArray { start }, None);
    memory.apply(&MemoryOp::Unbind { start }, None);
}

/// Areas with an entry in each table of a level, looked for page by page.
fn users(memory: &Memory, depth: usize, extents: &[Extent]) -> Vec<(u64, Vec<u64>)> {
    let shift = X86_64_4.levels[depth - 1].shift;
    let mut tables: Vec<u64> = extents.iter().flat_map(|e| (e.start() >> shift)..=((e.end() - 1) >> shift)).collect();
    tables.sort_unstable();
    tables.dedup();
    tables.retain(|table| memory.tables().has_table(depth, table << shift));
    let of = |table: u64| {
        let uses = |extent: &&Extent| {
            let mut pages = (extent.start()..extent.end()).step_by(PAGE as usize);
            pages.any(|page| page >> shift == table && memory.tables().is_mapped(page))
        };
        (table, extents.iter().filter(uses).map(|extent| extent.start()).collect())
    };
    tables.into_iter().map(of).collect()
}

fn check(memory: &Memory) {
    let costs = Costs::of(memory);
    let sum = |value: fn(&Sum) -> u64| costs.areas.iter().map(|area| value(&area.sum)).sum::<u64>();
    let page_tables = memory.tables();
    assert_eq!(sum(|sum| sum.table_bytes) + costs.left_behind_bytes, page_tables.table_bytes());
    assert_eq!(costs.total.table_bytes, sum(|sum| sum.table_bytes));
    let by_caller = costs.by(|area| area.backed.usage.caller);
    assert_eq!(by_caller.iter().map(|(_, sum)| sum.physical_bytes()).sum::<u64>(), costs.total.physical_bytes());
    assert_eq!(by_caller.iter().map(|(_, sum)| sum.areas).sum::<u64>(), costs.areas.len() as u64);
    assert!(by_caller.is_sorted_by_key(|(_, sum)| std::cmp::Reverse(sum.physical_bytes())));
    let frames = memory.frames().used_pages() * PAGE;
    assert_eq!(frames, costs.total.data_bytes + page_tables.table_bytes() + memory.slabs().pages() * PAGE);
    let objects: u64 = memory.slabs().caches().iter().map(|cache| cache.live * cache.object_bytes).sum();
    assert_eq!(objects, costs.total.descriptor_bytes + costs.total.array_bytes);
    let mapped = costs.total.data_bytes + costs.total.foreign_bytes;
    assert_eq!(mapped, page_tables.mapped_bytes());
    let extents: Vec<Extent> = costs.areas.iter().map(|area| area.backed.extent).collect();
    for depth in 2..4 {
        let mut told: HashMap<u64, (u64, u64)> = HashMap::new();
        let all = users(memory, depth, &extents);
        for (_, starts) in &all {
            for start in starts {
                let (own, shared) = told.entry(*start).or_default();
                *(if starts.len() == 1 { own } else { shared }) += 1;
            }
        }
        for area in &costs.areas {
            let expected = told.get(&area.backed.extent.start()).copied().unwrap_or_default();
            assert_eq!((area.own_tables[depth], area.shared_tables[depth]), expected, "{:?}", area.backed.extent);
        }
        let in_use = all.iter().filter(|(_, starts)| !starts.is_empty()).count() as u64;
        assert_eq!(costs.left_behind[depth], costs.tables[depth] - in_use);
    }
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![4 => Just(Kind::Small), 1 => Just(Kind::Huge), 2 => Just(Kind::Foreign), 1 => Just(Kind::Bare)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_areas_cost_is_what_there_is(
        acts in prop::collection::vec((0_u64..80, 1_u64..1300, kind(), 0_u32..4, any::<bool>()), 1..40),
    ) {
        let mut memory = memory();
        for (at, pages, kind, caller, frees) in acts {
            let unit = if matches!(kind, Kind::Huge) { 1 << HUGE } else { 0x7_d000 };
            let start = V + at * unit;
            let taken = memory.each_backed().map(|backed| backed.extent).find(|extent| {
                extent.start() < start + (pages * PAGE).next_multiple_of(1 << HUGE) + PAGE && start < extent.end()
            });
            match taken {
                Some(extent) if frees => remove(&mut memory, extent),
                Some(_) => {}
                None => add(&mut memory, start, pages, kind, caller),
            }
        }
        check(&memory);
        for extent in memory.each_backed().map(|backed| backed.extent).collect::<Vec<_>>() {
            remove(&mut memory, extent);
        }
        let costs = Costs::of(&memory);
        prop_assert_eq!(costs.left_behind_bytes, memory.tables().table_bytes());
        prop_assert_eq!(costs.total, Sum::default());
    }
}

/// Three areas in the first 2 MiB: a page table of 4096 bytes is 1366 and twice 1365, the PMD table above it too.
#[test]
fn a_shared_table_is_paid_for_in_equal_parts() {
    let mut memory = memory();
    for at in 0..3 {
        add(&mut memory, V + at * 0x10_000, 4, Kind::Small, 1 + at as u32);
    }
    let costs = Costs::of(&memory);
    let shares: Vec<u64> = costs.areas.iter().map(|area| area.sum.table_bytes).collect();
    assert_eq!(shares, [2732, 2730, 2730]);
    let first = costs.at(V).expect("the first");
    assert_eq!((first.sharers[3], first.own_tables.total(), first.shared_tables.total()), (3, 0, 2));
    assert_eq!((first.sum.guard_bytes, first.sum.data_bytes, first.sum.virtual_bytes), (4096, 16_384, 20_480));
    remove(&mut memory, costs.areas[1].backed.extent);
    let shares: Vec<u64> = Costs::of(&memory).areas.iter().map(|area| area.sum.table_bytes).collect();
    assert_eq!(shares, [4096, 4096]);
}
