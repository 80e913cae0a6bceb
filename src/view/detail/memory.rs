//! All memory of the machine: who uses its frames, what is free by zone and order, what waits.

use super::super::facts::{Facts, muted, number, say};
use super::super::memo::AT_ONCE;
use super::super::step::stages::{exact, pages};
use super::super::{Role, Span, Target, text};
use crate::model::Memory;

/// Caches and waiting addresses shown.
const MAX_LISTED: usize = 6;
/// Blocks drawn.
const MAX_BLOCKS: usize = 4;

/// Adds the summary, if what is behind the areas is followed.
pub(super) fn add(facts: &mut Facts<'_, '_>, blocks_too: bool) {
    let Some(memory) = facts.scene.replay.space().memory() else { return };
    used(facts, memory);
    zones(facts, memory);
    slabs(facts, memory);
    deferred(facts, memory);
    if blocks_too {
        for block in memory.blocks().iter().take(MAX_BLOCKS) {
            super::behind::bitmap(facts, memory, block);
        }
    }
}

/// Frames in use by what they hold. What is left over is told as such: figures must add up.
fn used(facts: &mut Facts<'_, '_>, memory: &Memory) {
    let page_size = memory.arch().geometry.page_size;
    let tables = memory.tables().count() * memory.arch().geometry.table_bytes.div_ceil(page_size);
    let slabs = memory.slabs().pages();
    let lost = memory.lost_pages();
    // Of a trace data pages are counted and not placed: the buddy allocator does not know them.
    let all = memory.used_pages().max(tables + slabs + lost);
    // Of many areas what is not something else is data.
    let few = memory.each_backed().count() <= AT_ONCE;
    let data = || memory.each_backed().map(|backed| backed.data_pages).sum();
    let data: u64 = if few { data() } else { all - tables - slabs - lost };
    let held = data + tables + slabs + lost;
    let used = if few { memory.frames().used_pages().max(held) } else { all };
    let mut spans = vec![
        number(pages(used)),
        muted(format!(" in use of {}: ", text::count(memory.frames().pages()))),
        number(text::count(data)),
        say(if few { " data, " } else { " data and other, " }),
        number(text::count(tables)),
        say(" page tables, "),
        number(text::count(slabs)),
        say(" slabs"),
    ];
    if lost > 0 {
        spans.push(Span::new(format!(", {} lost", text::count(lost)), Role::Bad));
    }
    if held < used {
        spans.push(say(format!(", {} other", text::count(used - held))));
    }
    if memory.missing_pages() > 0 {
        let missing = format!("; {} not found: the machine has more memory", pages(memory.missing_pages()));
        spans.push(Span::new(missing, Role::Warn));
    }
    spans.push(muted(" (modelled: vmalloc's alone)"));
    facts.add("memory", &spans, None);
}

/// Free blocks by order, as `/proc/buddyinfo`.
fn zones(facts: &mut Facts<'_, '_>, memory: &Memory) {
    let placed = if memory.places_pages() { "" } else { " without data pages, which a trace does not place" };
    for zone in memory.frames().zones() {
        if zone.pages == 0 {
            continue;
        }
        let blocks: Vec<String> = zone.free_blocks.iter().map(|&blocks| text::count(blocks)).collect();
        let spans = [
            say(zone.kind.name()),
            number(format!(" {}", text::count(zone.free_pages))),
            muted(format!(" of {} free{placed}; blocks by order from 0: ", pages(zone.pages))),
            number(blocks.join(" ")),
        ];
        facts.add("zone", &spans, None);
    }
}

/// Caches with something in them.
fn slabs(facts: &mut Facts<'_, '_>, memory: &Memory) {
    let page_size = memory.arch().geometry.page_size;
    let caches: Vec<_> = memory.slabs().caches().into_iter().filter(|cache| cache.slabs > 0).collect();
    for cache in caches.iter().take(MAX_LISTED) {
        let spans = [
            say(cache.name),
            number(format!(" {}", text::plural(cache.live, "object", "objects"))),
            muted(format!(" of {} in ", exact(cache.object_bytes))),
            number(text::plural(cache.slabs, "slab", "slabs")),
            muted(format!(", {} each, {} unused", pages(cache.slab_pages), text::bytes(cache.slack_bytes(page_size)))),
        ];
        facts.add("slab", &spans, None);
    }
    if MAX_LISTED < caches.len() {
        facts.add("", &[muted(format!("{} more caches", caches.len() - MAX_LISTED))], None);
    }
}

/// What waits for the deferred work, newest first: the order it is taken in.
fn deferred(facts: &mut Facts<'_, '_>, memory: &Memory) {
    let waiting = memory.deferred();
    for &(cpu, addr) in waiting.iter().rev().take(MAX_LISTED) {
        let spans = [
            number(facts.scene.addr(addr)),
            Span::new(" waits for vfree", Role::Lazy),
            muted(format!(", list of CPU {cpu}; the newest is taken first")),
        ];
        facts.add("deferred", &spans, Some(Target::Address(addr)));
    }
    if MAX_LISTED < waiting.len() {
        facts.add("", &[muted(format!("{} more wait", waiting.len() - MAX_LISTED))], None);
    }
    let kept = memory.waiting().len() as u64;
    if kept > 0 {
        let words = format!("{} freed and mapped until the purge", text::plural(kept, "area is", "areas are"));
        facts.add("lazy", &[Span::new(words, Role::Lazy)], None);
    }
}
