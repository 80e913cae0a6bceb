//! What is behind the areas of real traces, held against what the kernel itself counted.

use std::sync::Arc;

use vmaplens::event::{Addr, Event, EventKind, Nanos};
use vmaplens::log::{Log, Window};
use vmaplens::model::costs::Costs;
use vmaplens::model::{AddressSpace, Op};
use vmaplens::replay::{Follow, Replay, Settings};

#[path = "common/support.rs"]
mod support;

/// Captures whose kernel counts data pages (5.3 and later), and pages by which its counter was read later than the last
/// record: one small area, or the stack of a thread that ended in between.
const COUNTED: [(&str, u64); 12] = [
    ("amd64-510-kprobes-smp1", 0),
    ("amd64-61-kprobes-smp1", 3),
    ("amd64-612-boot-smp1", 4),
    ("amd64-612-boot-smp2", 0),
    ("amd64-612-exhaust-range", 0),
    ("amd64-612-snaptrace-smp1", 4),
    ("amd64-612-testvmalloc-smp4", 0),
    ("amd64-612-vmstress-10k", 0),
    ("amd64-72-boot-smp1", 0),
    ("amd64-72-boot-smp2", 0),
    ("arm64-612-boot-smp1", 0),
    ("i386-65-exhaust-smp1", 0),
];

fn at_the_end(name: &str) -> Replay {
    let mut replay = support::replay(name);
    replay.seek(replay.len(), usize::MAX);
    replay
}

/// `VmallocUsed` is the kernel's own count of data pages: it knows nothing of stacks, sizes or guards, and agrees.
#[test]
fn data_pages_are_those_the_kernel_counts() {
    for (name, later) in COUNTED {
        let replay = at_the_end(name);
        let counted = replay.log().origin.vmalloc_used_bytes.expect(name);
        let memory = replay.space().memory().expect(name);
        let page = replay.plan().machine.page_size;
        assert_eq!(Costs::of(memory).total.data_bytes, counted + later * page, "{name}");
        assert_eq!(memory.missing_pages(), 0, "{name}");
    }
}

/// Whatever a trace holds, at any record: tables, frames and objects are sound, and the bill is what the memory holds.
#[test]
fn the_bill_is_what_the_memory_holds() {
    for name in ["amd64-612-boot-smp1", "amd64-612-boot-smp2", "arm64-612-boot-smp1", "i386-65-exhaust-smp1"] {
        let mut replay = support::replay(name);
        for part in 0..=4 {
            replay.seek(replay.len() * part / 4, usize::MAX);
            let memory = replay.space().memory().expect(name);
            memory.tables().audit().expect(name);
            memory.frames().audit().expect(name);
            memory.slabs().audit().expect(name);
            let costs = Costs::of(memory);
            let tables = memory.tables().count() * replay.space().geometry().table_bytes;
            assert_eq!(costs.total.table_bytes + costs.left_behind_bytes, tables, "{name}");
            let page = replay.plan().machine.page_size;
            let used = costs.total.data_bytes / page + tables.div_ceil(page) + memory.slabs().pages();
            assert_eq!(memory.used_pages(), used, "{name}");
            let areas = replay.space().allocator().metrics().busy_areas;
            assert_eq!(costs.total.areas, areas, "{name}: every area in use has something behind it");
        }
    }
}

/// Following what is behind the areas changes nothing about them.
#[test]
fn areas_are_the_same_with_and_without_what_is_behind() {
    for name in ["amd64-612-testvmalloc-smp4", "amd64-72-boot-smp2"] {
        let open = |memory| {
            let log = Arc::clone(&support::capture(name));
            Replay::open(log, &Settings { memory, ..Settings::default() }).expect(name)
        };
        let (bare, followed) = (open(Follow::Nothing), open(Follow::Memory));
        let end = |replay: &Replay| -> AddressSpace {
            let mut space = replay.start().clone();
            for op in replay.plan().ops(replay.log()) {
                space.apply(&op, None);
            }
            space
        };
        assert_eq!(end(&bare).digest(), end(&followed).digest(), "{name}");
        assert!(end(&bare).memory().is_none() && end(&followed).memory().is_some(), "{name}");
        let is_told = |op: Op| matches!(op, Op::Memory(_) | Op::Search { .. } | Op::Remove { .. });
        assert!(!followed.plan().ops(followed.log()).any(is_told), "a trace makes no requests");
    }
}

/// The captures of `traces/`, several CPUs and late ones among them.
const ALL: [&str; 15] = [
    "amd64-510-kprobes-smp1",
    "amd64-61-kprobes-smp1",
    "amd64-612-boot-smp1",
    "amd64-612-boot-smp2",
    "amd64-612-exhaust-range",
    "amd64-612-late-smp4",
    "amd64-612-parts-smp2",
    "amd64-612-snaptrace-smp1",
    "amd64-612-stress-smp2",
    "amd64-612-testvmalloc-smp4",
    "amd64-612-vmstress-10k",
    "amd64-72-boot-smp1",
    "amd64-72-boot-smp2",
    "arm64-612-boot-smp1",
    "i386-65-exhaust-smp1",
];

#[test]
fn at_any_record_what_is_behind_is_that_of_the_areas_in_use() {
    for name in ALL {
        let mut replay = support::replay(name);
        let every = (replay.len() / 60).max(1) | 1;
        for at in (0..=replay.len()).step_by(every) {
            replay.seek(at, usize::MAX);
            support::check_behind(replay.space(), &format!("{name} at {at}"));
        }
    }
}

/// A copy of a state, taken where a checkpoint lies and brought forward, is the state.
#[test]
fn back_and_forth_gives_the_same_behind() {
    let mut dice = support::Dice(17);
    for name in ALL {
        let mut replay = support::replay(name);
        let mut at: Vec<usize> = (0..12).map(|_| dice.roll(replay.len() as u64 - 1) as usize + 1).collect();
        at.sort_unstable();
        // In one go from the start, without any checkpoint.
        let mut space = replay.start().clone();
        let mut done = 0;
        let mut straight = Vec::new();
        for &at in &at {
            for index in done..at {
                for op in replay.plan().ops_of(replay.log(), index) {
                    space.apply(&op, None);
                }
            }
            done = at;
            straight.push((at, support::behind(&space)));
        }
        while !straight.is_empty() {
            let (at, want) = straight.swap_remove(dice.roll(straight.len() as u64) as usize);
            replay.seek(at, usize::MAX);
            assert_eq!(support::behind(replay.space()), want, "{name}: seek to {at}");
            replay.step_back();
            replay.step_back();
            while replay.cursor() < at {
                replay.step();
            }
            assert_eq!(support::behind(replay.space()), want, "{name}: back and forth at {at}");
        }
    }
}

/// A log of one task: address, size and alignment of an area, or address alone of one that is freed; `None` purges.
fn log_of(kernel: &str, records: &[Option<(u64, u64, u64)>]) -> Log {
    let mut log = Log::default();
    log.origin.kernel = Some(kernel.to_owned());
    let window = log.names.add_window(Window { vstart: BASE, vend: 0xffff_e8ff_ffff_ffff });
    let task = log.names.add_task(b"work", 1);
    for (line, record) in (0..).zip(records) {
        let kind = match *record {
            Some((addr, 0, _)) => EventKind::Free { addr: Addr(addr), nr_lazy: 1, nr_lazy_max: 8192 },
            Some((addr, size, align)) => EventKind::Alloc { addr: Addr(addr), size, align, window, failed: false },
            None => EventKind::Purge { start: Addr(BASE), end: Addr(BASE + 0x10_0000), num_purged: 1 },
        };
        log.events.push(Event { at: Nanos(line), line: line as u32, task, cpu: 0, kind });
    }
    log
}

const BASE: u64 = 0xffff_c900_0000_0000;
const KERNELS: [&str; 8] = ["2.6.24", "2.6.32", "3.2", "4.19", "5.10", "6.5", "6.12", "7.2"];

/// Damaged sizes: what no machine has is mapped in a few steps, and is given back in as few.
#[test]
fn areas_of_any_size_take_no_time() {
    for kernel in KERNELS {
        for size in [32 << 40, (32 << 40) + 4096, (31 << 40) + (2 << 20) + 4096, 1 << 62, u64::MAX - 4095] {
            for align in [1, 2 << 20, 1 << 30] {
                let area = |at: u64| Some((BASE + at, size, align));
                let log = log_of(kernel, &[area(0), Some((BASE, 0, 0)), None, area(2 << 20), area(4096)]);
                let Ok(mut replay) = Replay::open(Arc::new(log), &Settings::default()) else { continue };
                while replay.step() {
                    support::check_behind(replay.space(), &format!("{kernel}, {size:#x}, {align:#x}"));
                }
            }
        }
    }
}

/// An area adopted over freed ones: whatever waited there for a purge has had it, and the purge that is recorded later
/// clears nothing of the new one.
#[test]
fn an_area_adopted_over_freed_ones_keeps_its_entries() {
    for kernel in KERNELS {
        let area = |page: u64, pages: u64| Some((BASE + page * 4096, pages * 4096, 1));
        let records =
            [area(0, 5), area(5, 5), area(10, 5), area(5, 0), area(0, 0), area(3, 5), None, area(1, 2), area(1, 30)];
        let mut replay = Replay::open(Arc::new(log_of(kernel, &records)), &Settings::default()).expect(kernel);
        while replay.step() {
            support::check_behind(replay.space(), &format!("{kernel} at {}", replay.cursor()));
        }
    }
}
