//! What is behind an area: what it is used for, its pages and frames, its objects, and where each of it is known from.

use super::super::facts::{Facts, muted, number, say};
use super::super::focus::Thing;
use super::super::script::is_script;
use super::super::step::stages::{exact, pages};
use super::super::{Role, Span, Target, text};
use crate::model::frames::FrameRun;
use crate::model::memory::{Backed, Block};
use crate::model::page_table::EntryKind;
use crate::model::slab::Kmem;
use crate::model::{Memory, Provenance, UsageKind};
use crate::request::flags;

/// Runs of frames shown; more are counted.
const MAX_RUNS: usize = 6;
/// Characters of a block's bitmap.
const BLOCK_CELLS: u64 = 64;

/// Adds what is behind the area, if that is followed.
pub(super) fn add(facts: &mut Facts<'_, '_>, thing: &Thing) {
    let Some(memory) = facts.scene.replay.space().memory() else { return };
    let Some(backed) = memory.backed(thing.extent.start()) else { return };
    used_for(facts, backed);
    if backed.usage.kind != UsageKind::VmapBlock {
        data(facts, memory, backed);
    }
    frames(facts, memory, backed);
    objects(facts, memory, backed);
    if let Some(block) = memory.blocks().holding(thing.extent.start()) {
        bitmap(facts, memory, block);
    }
    let waiting = memory.deferred().iter().filter(|&&(_, addr)| addr == thing.extent.start());
    for (cpu, _) in waiting {
        let words = format!("vfree was called where it may not work: waits in the list of CPU {cpu}");
        facts.add("deferred", &[Span::new(words, Role::Lazy)], None);
    }
}

/// ` (observed)`.
fn from(provenance: Provenance) -> Span {
    muted(format!(" ({})", provenance.word()))
}

fn used_for(facts: &mut Facts<'_, '_>, backed: &Backed) {
    let usage = backed.usage;
    // Of a trace the use is told already, with its sources.
    if is_script(facts.scene.replay.log()) {
        let mut spans = vec![say(usage.kind.word()), from(usage.kind_from)];
        if let Some(phys) = usage.phys {
            spans.push(muted(", physical "));
            spans.push(number(facts.scene.addr(phys)));
        }
        facts.add("use", &spans, None);
    }
    if backed.flags != 0 {
        let release = facts.scene.replay.plan().machine.policy.release;
        let names = flags::names(release, backed.flags).join("|");
        facts.add("flags", &[say(names), number(format!(" (0x{:x})", backed.flags))], None);
    }
}

fn data(facts: &mut Facts<'_, '_>, memory: &Memory, backed: &Backed) {
    let usage = backed.usage;
    let mut spans = vec![number(pages(backed.mapped_pages)), say(" mapped"), from(usage.pages_from)];
    let page_size = memory.arch().geometry.page_size;
    if usage.kind.owns_pages() && backed.data_pages > 0 {
        spans.push(say(", "));
        spans.push(number(pages(backed.data_pages)));
        spans.push(muted(format!(" of its own = {}", exact(backed.data_pages * page_size))));
    } else if backed.mapped_pages > 0 {
        spans.push(muted(", somebody else's"));
    }
    if let Some(leaf) = memory.tables().leaf_of(backed.extent.start()).filter(|leaf| leaf.kind != EntryKind::Page) {
        let level = memory.arch().geometry.levels.get(leaf.depth).map_or("", |level| level.name);
        let what = match leaf.kind {
            EntryKind::Contiguous => "contiguous PTEs".to_owned(),
            _ => format!("huge {level} entries"),
        };
        spans.push(Span::new(format!(", by {what} of {}", exact(leaf.extent.len_bytes())), Role::PerCpu));
        spans.push(from(usage.shift_from));
    }
    facts.add("pages", &spans, None);
}

/// Frames as runs, with their zones: numbers are an example, counts are not.
fn frames(facts: &mut Facts<'_, '_>, memory: &Memory, backed: &Backed) {
    let runs: Vec<FrameRun> = memory.frames_of(backed).collect();
    if runs.is_empty() {
        return;
    }
    let page_size = memory.arch().geometry.page_size;
    let mut spans = Vec::new();
    for run in runs.iter().take(MAX_RUNS) {
        let joint = if spans.is_empty() { "" } else { ", " };
        let zone = memory.frames().zone_of(run.first).map_or("no zone", |zone| zone.name());
        spans.push(number(format!("{joint}0x{:x}", run.first)));
        spans.push(muted(format!(" x {} in {zone}", text::count(run.n))));
    }
    if let Some(more) = runs.len().checked_sub(MAX_RUNS).filter(|&more| more > 0) {
        spans.push(muted(format!(", {} more", text::plural(more as u64, "run", "runs"))));
    }
    let first = runs[0].first.saturating_mul(page_size);
    spans.push(muted(format!("; physical from {} on", facts.scene.addr(first))));
    spans.push(muted(" (modelled: frame numbers are an example)"));
    facts.add("frames", &spans, None);
}

/// The name of the cache an object is in.
fn cache(memory: &Memory, object: Kmem) -> String {
    match object {
        Kmem::Object(object) => memory.slabs().counts(object.cache).map_or("?", |counts| counts.name).to_owned(),
        Kmem::Pages(_) => "whole pages".to_owned(),
    }
}

fn objects(facts: &mut Facts<'_, '_>, memory: &Memory, backed: &Backed) {
    let mut spans = Vec::new();
    let mut push = |what: &str, bytes: u64, wherein: String| {
        let joint = if spans.is_empty() { "" } else { ", " };
        spans.push(say(format!("{joint}{what} ")));
        spans.push(number(exact(bytes)));
        spans.push(muted(format!(" in {wherein}")));
    };
    if let Some(descriptor) = backed.descriptor {
        let what = if memory.blocks().holding(backed.extent.start()).is_some() { "vmap_block" } else { "vm_struct" };
        push(what, memory.slabs().kmem_bytes(descriptor), cache(memory, descriptor));
    }
    if memory.range_bytes() > 0 {
        push("vmap_area", memory.range_bytes(), "its cache".to_owned());
    }
    if let Some(array) = backed.array {
        push("page array", memory.slabs().kmem_bytes(array), cache(memory, array));
    }
    if !spans.is_empty() {
        facts.add("objects", &spans, None);
    }
    if let Some(nested) = backed.nested {
        let spans = [say("an area of its own at "), number(facts.scene.addr(nested))];
        facts.add("array", &spans, Some(Target::Address(nested)));
    }
}

/// The bitmap of a block: in use, given back or taken for the power of two, never taken. What is taken and not mapped is
/// not in use any more.
pub(super) fn bitmap(facts: &mut Facts<'_, '_>, memory: &Memory, block: &Block) {
    let glyphs = facts.scene.glyphs;
    let bits = u64::from(block.bits);
    let cells = bits.clamp(1, BLOCK_CELLS);
    let page_size = memory.arch().geometry.page_size;
    let is_mapped = |page: u64| memory.tables().is_mapped(block.extent.start() + page * page_size);
    let sign = |cell: u64| {
        let (from, to) = (cell * bits / cells, (cell + 1) * bits / cells);
        let taken = (from..to).filter(|&page| block.is_taken(page as u32)).count() as u64;
        let mapped = (from..to).filter(|&page| is_mapped(page)).count() as u64;
        match (mapped, taken) {
            (0, 0) => (glyphs.free, Role::Free),
            (0, _) => (glyphs.lazy, Role::Lazy),
            (n, _) if n == to - from => (glyphs.busy, Role::Busy),
            _ => (glyphs.busy_part, Role::Busy),
        }
    };
    let mut spans: Vec<Span> = Vec::new();
    for (sign, role) in (0..cells).map(sign) {
        match spans.last_mut() {
            Some(last) if last.role == role => last.text.push(sign),
            _ => spans.push(Span::new(sign.to_string(), role)),
        }
    }
    facts.add("block", &spans, Some(Target::Address(block.extent.start())));
    let words = [
        number(text::count(block.used().into())),
        say(" pages in use, "),
        Span::new(format!("{} dirty", text::count(block.dirty.into())), Role::Lazy),
        say(", "),
        Span::new(format!("{} never taken", text::count(block.free.into())), Role::Free),
        muted(format!(" of {}; CPU {}", pages(block.bits.into()), block.cpu)),
        muted(if block.is_listed { ", in its list" } else { ", out of its list: nothing is left" }),
        muted(if block.is_fragmented() { "; fragmented: a full purge takes it" } else { "" }),
    ];
    facts.add("", &words, None);
}
