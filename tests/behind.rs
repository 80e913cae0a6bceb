//! What is behind the areas of real traces, held against what the kernel itself counted.

use std::sync::Arc;

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
            for op in replay.plan().ops() {
                space.apply(op, None);
            }
            space
        };
        assert_eq!(end(&bare).digest(), end(&followed).digest(), "{name}");
        assert!(end(&bare).memory().is_none() && end(&followed).memory().is_some(), "{name}");
        let is_told = |op: &Op| matches!(op, Op::Memory(_) | Op::Search { .. } | Op::Remove { .. });
        assert!(!followed.plan().ops().iter().any(is_told), "a trace makes no requests");
    }
}
