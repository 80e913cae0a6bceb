//! Page tables in words: entries, tables, `pgtbl_mod_mask`, what follows a walk, and the walk by level.

use super::super::line::flow;
use super::super::{Role, Row, Scene, Span, Target, text};
use super::Words;
use super::names::HAS_MASK;
use super::stages::Context;
use crate::model::page_table::{
    ArchRules, Geometry, Mapped, ModMask, PerLevel, Propagation, Sync, SyncKind, TlbFlush, Unmapped, WalkStage,
};
use crate::model::stage::{Call, MapFailure};
use crate::model::{Stage, Step};
use crate::policy::Release;

/// A stage that walks page tables, or flushes.
pub(super) fn of(context: &Context<'_, '_>, stage: &Stage) -> (&'static str, Words) {
    let words = Words::default();
    let rules = context.scene.replay.space().memory().map(crate::model::Memory::arch);
    let geometry = context.scene.replay.space().geometry();
    match stage {
        Stage::Mapped(mapped) => {
            let words = words.number(entries(geometry, mapped.leaves, mapped.contiguous));
            (mapper(context, mapped), changed(context, words, mapped, rules))
        }
        Stage::MapFailed { done, why } => {
            let words = words.of("stops ", Role::Bad).say(format!("at {}: {}", context.short(at(why)), because(why)));
            let words = words.say("; until then ").number(entries(geometry, done.leaves, done.contiguous));
            (mapper(context, done), changed(context, words, done, rules))
        }
        Stage::Unmapped(unmapped) => (context.names.unmap, cleared(context, unmapped, rules)),
        Stage::TlbFlushed { extent } => {
            let page_size = geometry.page_size;
            let words = match rules.map(|rules| rules.tlb.flush(*extent, page_size)) {
                Some(TlbFlush::Pages(n)) => words.number(super::stages::pages(n)).say(", one by one"),
                Some(TlbFlush::All) => words.say("every entry of the TLB"),
                None => words,
            };
            (context.names.flush, words)
        }
        _ => ("", words),
    }
}

/// `256 PTEs`, `2 PMD entries, 16 PTEs`.
pub(in crate::view) fn entries(geometry: &Geometry, leaves: PerLevel, contiguous: u64) -> String {
    let last = geometry.levels.len().saturating_sub(1);
    let levels = geometry.levels.iter().enumerate().filter(|&(depth, _)| leaves[depth] > 0);
    let mut parts: Vec<String> = levels
        .map(|(depth, level)| match depth {
            _ if depth == last => text::plural(leaves[depth], "PTE", "PTEs"),
            _ => format!("{} {}", text::count(leaves[depth]), huge_entries(level.name, leaves[depth])),
        })
        .collect();
    if contiguous > 0 {
        parts.push(format!("{} of them contiguous", text::count(contiguous)));
    }
    if parts.is_empty() { "no entry".to_owned() } else { parts.join(", ") }
}

fn huge_entries(level: &str, n: u64) -> String {
    format!("huge {level} {}", if n == 1 { "entry" } else { "entries" })
}

/// `1 new PMD table, 1 new PTE table`; empty if there is none.
pub(in crate::view) fn tables(geometry: &Geometry, counts: PerLevel, what: &str) -> String {
    let levels = geometry.levels.iter().enumerate().filter(|&(depth, _)| counts[depth] > 0);
    let one = |(depth, level): (usize, &crate::model::page_table::Level)| {
        let noun = if counts[depth] == 1 { "table" } else { "tables" };
        format!("{} {what} {} {noun}", text::count(counts[depth]), level.name)
    };
    levels.map(one).collect::<Vec<_>>().join(", ")
}

/// `PUD|PMD|PTE (0x1c)`.
pub(in crate::view) fn mask(mask: ModMask) -> String {
    if mask.0 == 0 { "0".to_owned() } else { format!("{mask} (0x{:x})", mask.0) }
}

/// What follows a walk, or why nothing does.
pub(in crate::view) fn sync_words(
    release: Release,
    rules: &ArchRules,
    mod_mask: ModMask,
    sync: Option<Sync>,
) -> String {
    match (rules.propagation, sync) {
        (Propagation::Faults, _) => "no sync: processes copy new entries when they fault".to_owned(),
        (Propagation::None, _) => format!("no sync, ever: {}", never(rules)),
        (Propagation::Sync(rule), None) => {
            let preallocated = rules.boot_tables().total() > 0 && rule.kind == SyncKind::CopyPgd;
            let why = if preallocated { ": the tables below the top exist from boot" } else { "" };
            let what = if rule.mask.meets(mod_mask) { "outside the vmalloc range" } else { "not in the mask" };
            format!("no sync, {} {what}{why}", rule.mask)
        }
        (Propagation::Sync(_), Some(sync)) => {
            let end = if sync.kind == SyncKind::CopyPmd { " up to VMALLOC_END" } else { "" };
            let does = match sync.kind {
                SyncKind::CopyPgd => format!("copies {} to every process", n_entries(sync.n_entries, "PGD")),
                SyncKind::CopyPmd => format!("copies {} to every process", n_entries(sync.n_entries, "PMD")),
                SyncKind::BumpSequence => "bumps a number; tasks copy the vmalloc part when they see it".to_owned(),
            };
            debug_assert!(HAS_MASK <= release, "the sync function came with the mask");
            format!("arch_sync_kernel_mappings{end} {does}")
        }
    }
}

fn n_entries(n: u64, level: &str) -> String {
    text::plural(n, &format!("{level} entry"), &format!("{level} entries"))
}

fn never(rules: &ArchRules) -> &'static str {
    use crate::model::page_table::Family;
    match rules.geometry.family {
        Family::Arm64 => "one kernel table serves all",
        Family::I386 => "processes share the kernel's PMD table",
        Family::X86 | Family::Riscv => "the tables below the top exist from boot",
        _ => "nothing to copy",
    }
}

/// Is the walk one over physical addresses, which may use huge entries?
fn is_range(context: &Context<'_, '_>, mapped: &Mapped) -> bool {
    let last = context.scene.replay.space().geometry().levels.len().saturating_sub(1);
    let is_huge = mapped.leaves.total() > mapped.leaves.0.get(last).copied().unwrap_or(0);
    is_huge || mapped.contiguous > 0 || context.call == Some(Call::Ioremap)
}

fn mapper(context: &Context<'_, '_>, mapped: &Mapped) -> &'static str {
    match context.call {
        Some(Call::Ioremap) => context.names.map_range,
        Some(Call::VmMapRam) => context.names.map_ram,
        _ if is_range(context, mapped) && context.release < Release::new(5, 14) => context.names.map_range,
        _ => context.names.map,
    }
}

fn changed(context: &Context<'_, '_>, words: Words, mapped: &Mapped, rules: Option<&ArchRules>) -> Words {
    let geometry = context.scene.replay.space().geometry();
    let new = tables(geometry, mapped.new_tables, "new");
    let words = words.say("; ");
    let words = if new.is_empty() { words.say("no new table") } else { words.of(new, Role::Changed) };
    let freed = tables(geometry, mapped.freed_tables, "freed");
    let words = if freed.is_empty() { words } else { words.say(format!("; {freed} for huge entries")) };
    let words = match mapped.overwritten {
        0 => words,
        n => words.of(format!("; page already exists: {} overwritten", text::plural(n, "PTE", "PTEs")), Role::Bad),
    };
    masked(context, words, mapped.mod_mask, mapped.sync, rules)
}

fn masked(
    context: &Context<'_, '_>,
    words: Words,
    mod_mask: ModMask,
    sync: Option<Sync>,
    rules: Option<&ArchRules>,
) -> Words {
    let Some(rules) = rules.filter(|_| HAS_MASK <= context.release) else { return words };
    let words = words.say("; mask ").number(mask(mod_mask));
    match sync {
        None => words.of(", no sync", Role::Muted),
        Some(_) => words.of(format!("; {}", sync_words(context.release, rules, mod_mask, sync)), Role::Warn),
    }
}

fn cleared(context: &Context<'_, '_>, unmapped: &Unmapped, rules: Option<&ArchRules>) -> Words {
    let geometry = context.scene.replay.space().geometry();
    let words = Words::default().number(entries(geometry, unmapped.leaves, unmapped.contiguous)).say(" cleared");
    let words = match unmapped.partly_covered {
        0 => words,
        n => words.of(format!("; {} only covered in part", text::count(n)), Role::Bad),
    };
    masked(context, words.say("; tables stay"), unmapped.mod_mask, unmapped.sync, rules)
}

fn at(why: &MapFailure) -> u64 {
    match *why {
        MapFailure::Busy { addr } | MapFailure::NoPage { addr } | MapFailure::NoTable { addr, .. } => addr,
        MapFailure::BadRange => 0,
    }
}

fn because(why: &MapFailure) -> String {
    match why {
        MapFailure::Busy { .. } => "the entry is in use (-EBUSY)".to_owned(),
        MapFailure::NoPage { .. } => "no page for it (-ENOMEM)".to_owned(),
        MapFailure::NoTable { level, .. } => format!("no memory for a {level} table (-ENOMEM)"),
        MapFailure::BadRange => "the range cannot be mapped".to_owned(),
    }
}

/// The walk behind a stage, level by level: shown while one is inside the step.
pub(super) fn walk(context: &Context<'_, '_>, width: usize, index: usize, step: &Step) -> Vec<Row> {
    let Step::Stage(stage) = step else { return Vec::new() };
    let Some(rules) = context.scene.replay.space().memory().map(crate::model::Memory::arch) else {
        return Vec::new();
    };
    let mut stages: Vec<WalkStage> = match stage {
        Stage::Mapped(mapped) | Stage::MapFailed { done: mapped, .. } if is_range(context, mapped) => {
            mapped.range_stages(rules).collect()
        }
        Stage::Mapped(mapped) | Stage::MapFailed { done: mapped, .. } => mapped.stages(rules).collect(),
        Stage::Unmapped(unmapped) => unmapped.stages(rules).collect(),
        _ => return Vec::new(),
    };
    // Below the entries that changed nothing was looked at: huge ones end a walk.
    let changes = |stage: &WalkStage| stage.leaves > 0 || stage.new_tables > 0;
    if let Some(last) = stages.iter().rposition(changes) {
        stages.truncate(last + 1);
    }
    let writes = !matches!(stage, Stage::Unmapped(_));
    stages.iter().flat_map(|stage| walk_row(context.scene, stage, rules, writes, width, index)).collect()
}

/// `     PMD vmap_pages_pmd_range  index 0, 1 entry; 1 new PTE table`.
fn walk_row(
    scene: &Scene<'_>,
    stage: &WalkStage,
    rules: &ArchRules,
    writes: bool,
    width: usize,
    index: usize,
) -> Vec<Row> {
    let Some(level) = rules.geometry.levels.get(stage.depth) else { return Vec::new() };
    let number = |addr: u64| (addr >> level.shift) & (level.entries - 1);
    let mut spans = vec![
        Span::new(format!("     {} {} ", scene.glyphs.outline[0], stage.level), Role::Path),
        Span::new(stage.function.map_or_else(String::new, |function| format!("{function} ")), Role::Title),
    ];
    let is_lowest = stage.depth + 1 == rules.geometry.levels.len();
    if stage.is_folded {
        spans.push(Span::new("folded: the entry above once more", Role::Muted));
    } else {
        let (first, last) = (number(stage.first), number(stage.last));
        let which = match stage.n_entries {
            1 => format!("entry {}", text::count(first)),
            n if n == last.wrapping_sub(first).wrapping_add(1) => {
                format!("entries {} to {}", text::count(first), text::count(last))
            }
            n => format!("{} entries from {} on", text::count(n), text::count(first)),
        };
        spans.push(Span::new(which, Role::Number));
        if stage.new_tables > 0 {
            let below = rules.geometry.levels.get(stage.depth + 1).map_or("", |level| level.name);
            let new = format!(
                "; {} new {below} {}",
                stage.new_tables,
                if stage.new_tables == 1 { "table" } else { "tables" }
            );
            spans.push(Span::new(new, Role::Changed));
        }
        if stage.leaves > 0 {
            let verb = if writes { "written" } else { "cleared" };
            let huge = if is_lowest { "" } else { " huge" };
            spans.push(Span::new(format!("; {}{huge} {verb}", text::count(stage.leaves)), Role::Text));
        }
    }
    let mut rows = flow(&spans, width, 7, scene.glyphs);
    for row in &mut rows {
        row.target = Some(Target::Step(index));
    }
    rows
}
