//! [`Held`]: who holds the space of one moment, and how that changed: rows that people sort and filter.

use std::collections::{HashMap, HashSet};

use super::growth::{By, Growth, History, Key, Measure, Verdict};
use super::holder::{UNNAMED, comm_of, holder_in};
use super::snapshot::Totals;
use crate::event::Seq;
use crate::log::Baseline;
use crate::model::costs::{AreaCost, Costs, Sum};
use crate::model::{AddressSpace, Place, VmapArea};
use crate::replay::Replay;

/// What rows are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum GroupBy {
    /// The function that asked; the task where none is known.
    #[default]
    Caller,
    /// The module of that function.
    Module,
    /// The kind of area.
    Kind,
    /// The task that asked.
    Task,
}

impl GroupBy {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Caller, Self::Module, Self::Kind, Self::Task];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Module => "module",
            Self::Kind => "kind",
            Self::Task => "task",
        }
    }

    /// The same for snapshots, which name no task.
    pub fn of_snapshot(self) -> Option<By> {
        match self {
            Self::Caller => Some(By::Caller),
            Self::Module => Some(By::Module),
            Self::Kind => Some(By::Kind),
            Self::Task => None,
        }
    }
}

/// What somebody holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Who, escaped for display.
    pub name: String,
    /// Areas, address space with guard pages, data pages.
    pub totals: Totals,
    /// Bytes of guard pages, where that is known.
    pub guard_bytes: Option<u64>,
    /// Bytes of page tables: own ones and a part of shared ones, where that is known.
    pub table_bytes: Option<u64>,
    /// Start of the lowest area, where addresses are known.
    pub lowest: Option<u64>,
    /// Growth of address space in bytes since the moment it is compared with.
    pub growth: i128,
    /// Growth of address space in bytes in a second.
    pub per_second: Option<f64>,
    /// What its course looks like; `None` where there is no course.
    pub verdict: Option<Verdict>,
    /// Whose course can be drawn.
    pub key: Option<Key>,
}

/// What is held where the cursor of a replay stands, from what its areas cost there, compared with what was held at its
/// start: see [`at_start`].
pub fn of_replay(replay: &Replay, now: &Costs, before: &AtStart, by: GroupBy) -> Vec<Held> {
    let page_size = replay.plan().machine.page_size;
    let row = |name: &str, sum: Sum| Held {
        name: name.to_owned(),
        totals: Totals { areas: sum.areas, virtual_bytes: sum.virtual_bytes, pages: sum.data_bytes / page_size.max(1) },
        guard_bytes: Some(sum.guard_bytes),
        table_bytes: Some(sum.table_bytes),
        lowest: sum.lowest,
        growth: i128::from(sum.virtual_bytes) - i128::from(before.get(name).copied().unwrap_or(0)),
        per_second: None,
        verdict: None,
        key: None,
    };
    let now = sums(replay, replay.space(), now, by);
    let mut rows: Vec<Held> = now.iter().map(|(name, sum)| row(name, *sum)).collect();
    let is_there: HashSet<&str> = now.iter().map(|(name, _)| name.as_str()).collect();
    let gone = before.keys().filter(|name| !is_there.contains(name.as_str()));
    rows.extend(gone.map(|name| row(name, Sum::default())));
    rows
}

/// Bytes of address space by who held them before the first record.
pub type AtStart = HashMap<String, u64>;

/// Who held what before the first record. `None` where what is behind the areas is not followed.
pub fn at_start(replay: &Replay, by: GroupBy) -> Option<AtStart> {
    let (start, _) = replay.kept(0, true);
    let sums = sums(replay, &start, &Costs::of(start.memory()?), by);
    Some(sums.into_iter().map(|(name, sum)| (name, sum.virtual_bytes)).collect())
}

fn sums(replay: &Replay, space: &AddressSpace, costs: &Costs, by: GroupBy) -> Vec<(String, Sum)> {
    costs.by(|area| match by {
        GroupBy::Caller => holder_in(replay, space, area).name,
        GroupBy::Module => module_of(&caller_of(space, area)),
        GroupBy::Kind => area.backed.usage.kind.word().to_owned(),
        GroupBy::Task => task_of(replay, space, area),
    })
}

/// The caller as a snapshot or a stack names it.
fn caller_of(space: &AddressSpace, area: &AreaCost) -> String {
    let usages = space.memory().map(crate::model::Memory::usages);
    usages.and_then(|usages| usages.caller_name(area.backed.usage.caller)).unwrap_or_default().to_owned()
}

/// `[xfs]` of `xfs_buf_alloc+0x12/0x80 [xfs]`.
fn module_of(caller: &str) -> String {
    match (caller.rfind('['), caller.ends_with(']')) {
        (Some(at), true) => caller[at..].to_owned(),
        _ if caller.is_empty() => "(no caller is known)".to_owned(),
        _ => "(the kernel itself)".to_owned(),
    }
}

fn task_of(replay: &Replay, space: &AddressSpace, area: &AreaCost) -> String {
    let allocator = space.allocator();
    let born = match allocator.lookup(area.backed.extent.start()) {
        Place::Busy { area, .. } => Some(allocator.areas()[area].born).filter(|&born| born != VmapArea::UNBORN),
        _ => None,
    };
    let event = born.and_then(|born| replay.log().get(Seq(born)));
    match event {
        Some(event) => comm_of(replay.log(), &event).unwrap_or_else(|| UNNAMED.to_owned()),
        None => "(before the first event)".to_owned(),
    }
}

/// What is held in the last of some snapshots, compared with the one numbered `base`.
pub fn of_history(history: &History, upto: usize, base: usize, by: By) -> Vec<Held> {
    let over = history.snapshots().start..upto + 1;
    history.growth(over, base, by, Measure::Virtual).into_iter().map(|row| held(row, upto)).collect()
}

fn held(row: Growth, upto: usize) -> Held {
    Held {
        name: row.key.name(),
        totals: row.last,
        guard_bytes: None,
        table_bytes: None,
        lowest: None,
        growth: row.since_base(Measure::Virtual),
        per_second: row.per_second,
        // One snapshot has no course.
        verdict: (0 < upto).then_some(row.verdict),
        key: Some(row.key),
    }
}

/// Functions that ask for space for code, in the range of modules.
const OF_CODE: [&str; 14] = [
    "load_module",
    "module_alloc",
    "move_module",
    "layout_and_allocate",
    "execmem_alloc",
    "execmem_alloc_rw",
    "execmem_vmalloc",
    "execmem_cache_populate",
    "bpf_prog_pack_alloc",
    "alloc_new_pack",
    "bpf_jit_alloc_exec",
    "bpf_jit_binary_alloc",
    "arch_ftrace_update_trampoline",
    "alloc_insn_page",
];

/// Bytes held by code: modules, BPF programs, trampolines. They have a range of their own, which is small.
pub fn code_bytes(baseline: &Baseline) -> u64 {
    let of_code = baseline.areas.iter().filter(|area| OF_CODE.contains(&area.caller.as_str()));
    of_code.fold(0, |sum, area| sum.saturating_add(area.size))
}

/// Bytes of the range for modules and BPF programs, where the architecture alone tells: of x86-64 with addresses chosen
/// at random, as distributions build it.
pub fn code_range_bytes(arch: &str) -> Option<u64> {
    // MODULES_VADDR = 0xffffffffc0000000 to MODULES_END = 0xffffffffff000000.
    matches!(arch, "x86_64" | "amd64").then_some(0x3f00_0000)
}
