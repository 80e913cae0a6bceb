//! What is behind the areas at the end of a replay, and who asked for it.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::insight::holder::{Holder, holder_of};
use crate::model::costs::{Costs, Sum};
use crate::policy::Release;
use crate::replay::Replay;
use crate::view::text::bytes;

/// The document's `cost`.
#[derive(Debug, Serialize)]
pub(super) struct Cost {
    /// Price of one page table.
    bytes_per_table: u64,
    /// Page tables in use or left behind, by level from the top; those from boot are left out.
    page_tables: Vec<TableRow>,
    /// Page tables that map nothing in use any more.
    left_behind_tables: u64,
    /// Pages of data, tables and slabs together.
    used_pages: u64,
    /// Data pages the machine would have needed and the model did not find.
    missing_pages: u64,
    flushes: Flushes,
    /// What the kernel itself counted at the end as the data of the `vmalloc` family (`VmallocUsed`, 5.3 and later).
    vmalloc_used_bytes: Option<u64>,
    total: Price,
    by_caller: Vec<HolderRow>,
}

#[derive(Debug, Serialize)]
struct TableRow {
    level: &'static str,
    tables: u64,
    left_behind: u64,
}

#[derive(Debug, Serialize)]
struct Flushes {
    n: u64,
    whole: u64,
    pages: u64,
}

/// Price of one caller, or of all.
#[derive(Debug, Serialize)]
struct Price {
    areas: u64,
    virtual_bytes: u64,
    guard_bytes: u64,
    data_bytes: u64,
    foreign_bytes: u64,
    page_table_bytes: u64,
    array_bytes: u64,
    descriptor_bytes: u64,
    physical_bytes: u64,
}

#[derive(Debug, Serialize)]
struct HolderRow {
    /// The function that asked, else the task, else what the area is.
    caller: String,
    /// How that is known.
    caller_from: &'static str,
    /// Kinds of its areas, with how each is known.
    kinds: Vec<KindRow>,
    #[serde(flatten)]
    bytes: Price,
}

#[derive(Debug, Serialize)]
struct KindRow {
    kind: &'static str,
    from: &'static str,
    areas: u64,
}

impl From<Sum> for Price {
    fn from(sum: Sum) -> Self {
        Self {
            areas: sum.areas,
            virtual_bytes: sum.virtual_bytes,
            guard_bytes: sum.guard_bytes,
            data_bytes: sum.data_bytes,
            foreign_bytes: sum.foreign_bytes,
            page_table_bytes: sum.table_bytes,
            array_bytes: sum.array_bytes,
            descriptor_bytes: sum.descriptor_bytes,
            physical_bytes: sum.physical_bytes(),
        }
    }
}

/// What is behind the areas where the cursor stands; `None` if that is not followed.
pub(super) fn of(replay: &Replay) -> Option<Cost> {
    let memory = replay.space().memory()?;
    let geometry = replay.space().geometry();
    let costs = Costs::of(memory);
    let levels = geometry.levels.iter().enumerate().filter(|(_, level)| !level.preallocated);
    let flushes = memory.flushes();
    Some(Cost {
        bytes_per_table: geometry.table_bytes,
        page_tables: levels
            .map(|(depth, level)| TableRow {
                level: level.name,
                tables: costs.tables[depth],
                left_behind: costs.left_behind[depth],
            })
            .collect(),
        left_behind_tables: costs.left_behind.total(),
        used_pages: memory.used_pages(),
        missing_pages: memory.missing_pages(),
        flushes: Flushes { n: flushes.n, whole: flushes.whole, pages: flushes.pages },
        vmalloc_used_bytes: vmalloc_used(replay),
        total: costs.total.into(),
        by_caller: by_caller(replay, &costs),
    })
}

/// First release whose `VmallocUsed` counts pages.
const COUNTS_PAGES: Release = Release::new(5, 3);

fn vmalloc_used(replay: &Replay) -> Option<u64> {
    let counts = COUNTS_PAGES <= replay.plan().machine.policy.release;
    replay.log().origin.vmalloc_used_bytes.filter(|_| counts)
}

fn by_caller(replay: &Replay, costs: &Costs) -> Vec<HolderRow> {
    let mut kinds: BTreeMap<(Holder, &'static str, &'static str), u64> = BTreeMap::new();
    for area in &costs.areas {
        let usage = area.backed.usage;
        let key = (holder_of(replay, area), usage.kind.word(), usage.kind_from.word());
        *kinds.entry(key).or_default() += 1;
    }
    let of_holder = |holder: &Holder| -> Vec<KindRow> {
        let own = kinds.iter().filter(|((of, ..), _)| of == holder);
        own.map(|((_, kind, from), &areas)| KindRow { kind, from, areas }).collect()
    };
    let row = |(holder, sum): (Holder, Sum)| HolderRow {
        kinds: of_holder(&holder),
        caller_from: holder.from.word(),
        caller: holder.name,
        bytes: sum.into(),
    };
    costs.by(|area| holder_of(replay, area)).into_iter().map(row).collect()
}

/// Holders shown to people; the document has them all.
const SHOWN: usize = 8;

impl Cost {
    /// The same for people.
    pub(super) fn describe(&self) -> String {
        let total = &self.total;
        let tables: u64 = self.page_tables.iter().map(|level| level.tables).sum();
        let levels: Vec<String> =
            self.page_tables.iter().map(|level| format!("{} {}", level.tables, level.level)).collect();
        let mut out = format!(
            "behind the areas: {} of data, {} in {} page tables ({}), of which {} map nothing now, {} of arrays, {} of \
             descriptors\n",
            bytes(total.data_bytes),
            bytes(tables * self.bytes_per_table),
            tables,
            levels.join(", "),
            self.left_behind_tables,
            bytes(total.array_bytes),
            bytes(total.descriptor_bytes),
        );
        if self.by_caller.is_empty() {
            return out;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{:<32} {:>6} {:>10} {:>10} {:>10}", "by caller", "areas", "virtual", "memory", "tables");
        for caller in self.by_caller.iter().take(SHOWN) {
            let sum = &caller.bytes;
            let _ = writeln!(
                out,
                "{:<32} {:>6} {:>10} {:>10} {:>10}",
                clipped(&caller.caller),
                sum.areas,
                bytes(sum.virtual_bytes),
                bytes(sum.physical_bytes),
                bytes(sum.page_table_bytes),
            );
        }
        let more = self.by_caller.len().saturating_sub(SHOWN);
        if more > 0 {
            let _ = writeln!(out, "and {more} more; --json has them all");
        }
        out
    }
}

/// A name that keeps its column.
fn clipped(name: &str) -> String {
    if name.chars().count() <= 32 { name.to_owned() } else { name.chars().take(31).chain(['…']).collect() }
}
