//! One step in words: the kernel's function, what it looked at, what it decided and why.

use super::super::text::{self, Addresses};
use super::super::{Role, Scene, Span};
use super::{Facts, balance, rule, stages, turns, walk};
use crate::event::EventKind;
use crate::model::{Extent, Fit, LengthReason, Merge, PoolAnswer, PurgePart, RefusalReason, Step};
use crate::replay::{Timing, Verdict};

/// A sentence being put together.
#[derive(Default)]
pub(super) struct Words(pub(super) Vec<Span>);

impl Words {
    pub(super) fn say(mut self, words: impl Into<String>) -> Self {
        self.0.push(Span::new(words, Role::Text));
        self
    }

    pub(super) fn number(mut self, number: impl Into<String>) -> Self {
        self.0.push(Span::new(number, Role::Number));
        self
    }

    pub(super) fn of(mut self, words: impl Into<String>, role: Role) -> Self {
        self.0.push(Span::new(words, role));
        self
    }
}

/// The kernel's function and what it did.
pub(super) fn of(scene: &Scene<'_>, facts: &Facts, index: usize, step: &Step) -> (&'static str, Words) {
    if let Step::Stage(stage) = step {
        return stages::of(&stages::Context::new(scene, facts, index), stage);
    }
    if let Step::Tree { tree, what } = step {
        return balance::of(scene, facts, *tree, what);
    }
    let short = |addr| facts.addresses.short(addr);
    let many_nodes = scene.replay.space().allocator().n_nodes() > 1;
    let in_node = |node: u32| if many_nodes { format!(" of node {node}") } else { String::new() };
    let words = Words::default();
    if let Some(said) = rule::of(scene, facts, step) {
        return said;
    }
    if let Some(said) = walk::of(scene, facts, step) {
        return said;
    }
    match *step {
        Step::PoolAsked { node, pages, answer } => ("node_pool_del_va", pool(scene, facts, (node, pages), answer)),
        Step::SearchBegun { length, why, .. } => ("find_vmap_lowest_match", search(facts, length, why)),
        Step::Visited { extent, subtree_max, turn, .. } => {
            ("", turns::visited(scene, facts, extent, subtree_max, turn))
        }
        Step::Refused { reason } => ("alloc_vmap_area", refused(facts, reason)),
        Step::Clipped { hole, placed, fit } => ("va_clip", clipped(&facts.addresses, hole, placed, fit)),
        Step::BusyAdded { node, extent } => (
            "insert_vmap_area",
            words
                .number(text::bytes(extent.len_bytes()))
                .say(" at ")
                .number(short(extent.start()))
                .of(format!(" in use now, in the busy tree{}", in_node(node)), Role::Busy)
                .say(if many_nodes { ": the address decides which" } else { "" }),
        ),
        Step::BusyRemoved { node, extent } => (
            "find_unlink_vmap_area",
            words
                .number(text::bytes(extent.len_bytes()))
                .say(" at ")
                .number(short(extent.start()))
                .say(format!(" found in the busy tree{} and taken out", in_node(node))),
        ),
        Step::LazyAdded { node, extent, merge, lazy_pages, lazy_max_pages } => (
            "free_vmap_area_noflush",
            words
                .number(text::bytes(extent.len_bytes()))
                .of(format!(" wait in the lazy store{}", in_node(node)), Role::Lazy)
                .say(fused(merge))
                .say(" until a purge has flushed the TLB; now ")
                .number(format!("{} of {}", text::count(lazy_pages), text::count(lazy_max_pages)))
                .say(" lazy pages"),
        ),
        Step::DrainDue { lazy_pages, lazy_max_pages, inline } => (
            "",
            words
                .number(text::count(lazy_pages))
                .say(" lazy pages are above the limit of ")
                .number(text::count(lazy_max_pages))
                .of(": a purge is due", Role::Warn)
                .say(if inline { ", and this task runs it at once" } else { ", and a worker is told to run it" }),
        ),
        ref later => purge_words(scene, facts, later),
    }
}

/// The steps of a purge.
fn purge_words(scene: &Scene<'_>, facts: &Facts, step: &Step) -> (&'static str, Words) {
    let short = |addr| facts.addresses.short(addr);
    let many_nodes = scene.replay.space().allocator().n_nodes() > 1;
    let words = Words::default();
    match *step {
        Step::PurgeBegun { full, lazy_pages } => {
            let pools = match (many_nodes, full) {
                (false, _) => "",
                (true, true) => "; this purge is a full one: every pool is emptied first",
                (true, false) => "; the pools decay a little first",
            };
            let words = words.say("takes ").number(text::plural(lazy_pages, "lazy page", "lazy pages"));
            ("__purge_vmap_area_lazy", words.say(pools))
        }
        Step::Decayed { node, pages, taken, left } => (
            "decay_va_pool_node",
            words
                .say(format!("node {node}, pool of {}: ", text::plural(pages.into(), "page", "pages")))
                .number(text::count(taken.into()))
                .say(" taken out, ")
                .number(text::count(left.into()))
                .say(" left"),
        ),
        Step::Flushed { start, end } => (
            "flush_tlb_kernel_range",
            words
                .say("one TLB flush from ")
                .number(short(start))
                .say(" to ")
                .number(short(end))
                .say(format!(", {}, whatever lies between", text::bytes(end.saturating_sub(start)))),
        ),
        Step::Pooled { node, extent } => (
            "purge_vmap_node",
            words
                .number(text::bytes(extent.len_bytes()))
                .say(" at ")
                .number(short(extent.start()))
                .of(format!(" parked in node {node}'s pool"), Role::Pooled)
                .say(" for requests of that size"),
        ),
        Step::Returned { extent, hole, merge } => ("merge_or_add_vmap_area", returned(facts, extent, hole, merge)),
        Step::PurgeEnded { n_areas, lazy_pages } => (
            "__purge_vmap_area_lazy",
            words
                .say("done: ")
                .number(text::plural(n_areas.into(), "area", "areas"))
                .say(" back, ")
                .number(text::plural(lazy_pages, "lazy page", "lazy pages"))
                .say(" left"),
        ),
        ref rare => rare_words(scene, facts, rare),
    }
}

/// The steps that no record of their own announces.
fn rare_words(scene: &Scene<'_>, facts: &Facts, step: &Step) -> (&'static str, Words) {
    let short = |addr| facts.addresses.short(addr);
    let words = Words::default();
    match *step {
        Step::ChunkCarved { extent } => {
            let words = words
                .of(format!("per-CPU chunk of {}", text::bytes(extent.len_bytes())), Role::PerCpu)
                .say(" carved at ")
                .number(short(extent.start()))
                .say(", from the top down");
            // A request says itself what it wants.
            let is_asked = stages::first_call(&scene.replay.outcome().steps).is_some();
            let why = "; no record says so, the allocations before it give it away";
            ("pcpu_get_vm_areas", if is_asked { words } else { words.say(why) })
        }
        Step::Adopted { extent } => ("", adopted(scene, words, facts, extent)),
        Step::Shrunk { n_areas } => (
            "vmap_node_shrink_scan",
            words
                .say("memory is short: every pool is emptied, ")
                .number(text::plural(n_areas.into(), "area", "areas"))
                .say(" back in the free tree"),
        ),
        Step::PurgeGoesOn { part, n_areas } => goes_on(part, n_areas),
        Step::UnknownFree { addr } => (
            "find_unlink_vmap_area",
            words
                .of("no area is known at ", Role::Warn)
                .number(scene.addr(addr))
                .say(": it was allocated before the trace began and no snapshot names it, or its record was lost"),
        ),
        _ => ("", words),
    }
}

/// What a purge does before its record.
fn goes_on(part: PurgePart, n_areas: u32) -> (&'static str, Words) {
    let words = Words::default().of("inferred, the purge is recorded later: ", Role::Warn);
    let areas = text::plural(n_areas.into(), "area", "areas");
    match part {
        PurgePart::DecayPool { node, pages, .. } => {
            let pages = text::plural(pages.into(), "page", "pages");
            ("decay_va_pool_node", words.say(format!("node {node}'s pool of {pages} decays, {areas} are in it")))
        }
        PurgePart::MergeDecayed { node } | PurgePart::Decay { node, .. } => {
            ("decay_va_pool_node", words.say(format!("what was taken out of node {node}'s pools is free again")))
        }
        PurgePart::Detach { node } => (
            "__purge_vmap_area_lazy",
            words.say(format!("node {node}'s list is taken off, {areas}; what is freed from here on is not in it")),
        ),
        PurgePart::Fill { node, .. } => {
            ("purge_vmap_node", words.say(format!("of node {node}'s {areas}, what fits a pool is parked")))
        }
        PurgePart::Subtract { node, .. } => {
            ("purge_vmap_node", words.say(format!("the pages of node {node}'s {areas} leave the counter")))
        }
        PurgePart::Merge { node } | PurgePart::Return { node, .. } => {
            ("purge_vmap_node", words.say(format!("{areas} of node {node} join the free tree")))
        }
        PurgePart::Ranges { .. } => ("__purge_vmap_area_lazy", words.say(format!("{areas} join the free tree"))),
    }
}

fn pool(scene: &Scene<'_>, facts: &Facts, (node, pages): (u32, u64), answer: PoolAnswer) -> Words {
    let words = Words::default();
    let verdict = scene.replay.current().map(|(seq, _)| scene.replay.verdict(seq));
    let missed = verdict == Some(Verdict::Inferred(Timing::PoolMissed));
    let of_pages = text::plural(pages, "page", "pages");
    match answer {
        PoolAnswer::Hit(extent) => words
            .say(format!("node {node}'s pool of {of_pages} gives its head "))
            .number(facts.addresses.short(extent.start()))
            .of(": taken as it is, no tree is searched", Role::Good),
        PoolAnswer::Empty => words.say(format!("node {node}'s pool of {of_pages} is empty: the free tree is asked")),
        PoolAnswer::Rotated(extent) => words
            .say(format!("node {node}'s pool has "))
            .number(facts.addresses.short(extent.start()))
            .say(", which is not aligned: it goes to the tail, and the free tree is asked"),
        PoolAnswer::NoSuchPool => {
            words.say(format!("pools hold areas of up to 256 pages, not of {of_pages}: the free tree is asked"))
        }
        // How the timing is replayed: without a look into the pool.
        PoolAnswer::NotEligible if missed => {
            words.say("the pool was empty at that moment (inferred): the free tree is asked")
        }
        PoolAnswer::NotEligible => {
            words.say("only a first attempt over the whole vmalloc range may use a pool: the free tree is asked")
        }
    }
}

fn search(facts: &Facts, length: u64, why: LengthReason) -> Words {
    let words = Words::default().say("wants a hole of ").number(text::count(length)).say(" bytes");
    match (why, facts.request) {
        (LengthReason::PageAligned, _) => words.say(": the size alone, since every hole starts on a page"),
        (LengthReason::ExactWindow, _) => words.say(": the size alone, since the request fills its window"),
        (LengthReason::AlwaysSize, _) => words.say(": this release always asks for the size alone"),
        (LengthReason::RoomForAlignment, Some((size, align, _))) => words
            .number(format!(" = {} + {} - 1", text::count(size), text::count(align)))
            .say(": long enough to align in, wherever it starts"),
        (LengthReason::RoomForAlignment, None) => words.say(": long enough to align in, wherever it starts"),
    }
}

pub(super) fn refused(facts: &Facts, reason: RefusalReason) -> Words {
    let words = Words::default().of("no place: ", Role::Bad);
    let end = facts.request.map_or((0, 0), |(size, _, window)| (size, window.vend));
    match reason {
        RefusalReason::NoHole => words.say("no hole above the window's start is long enough"),
        RefusalReason::BehindWindow { would_be } => words
            .number(facts.addresses.short(would_be))
            .say(" would end ")
            .number(text::bytes(would_be.saturating_add(end.0).saturating_sub(end.1)))
            .say(" behind the window; no other hole is tried"),
        RefusalReason::NotRecorded => words.say("the trace does not say where it would lie"),
        RefusalReason::Wraps { candidate } => words
            .say("from ")
            .number(facts.addresses.short(candidate))
            .say(" the area would reach past the last address"),
    }
}

fn clipped(addresses: &Addresses, hole: Extent, placed: Extent, fit: Fit) -> Words {
    let words = Words::default()
        .of(fit.title(), Role::Path)
        .of(format!(" ({})", fit.kernel_name()), Role::Muted)
        .say(" of the ")
        .number(text::bytes(hole.len_bytes()))
        .say(" hole at ")
        .number(addresses.short(hole.start()))
        .say(": ");
    let below = text::bytes(placed.start().saturating_sub(hole.start()));
    let above = text::bytes(hole.end().saturating_sub(placed.end()));
    match fit {
        Fit::Full => words.say("used up, its node leaves the tree"),
        Fit::LeftEdge => words.number(above).say(" stay above the area"),
        Fit::RightEdge => words.number(below).say(" stay below the area"),
        Fit::NoEdge => words.number(below).say(" stay below as a new node, ").number(above).say(" above"),
    }
}

pub(super) fn returned(facts: &Facts, extent: Extent, hole: Extent, merge: Merge) -> Words {
    let words = Words::default()
        .number(text::bytes(extent.len_bytes()))
        .say(" at ")
        .number(facts.addresses.short(extent.start()))
        .of(" free again", Role::Free);
    match merge {
        Merge::None => words.say(", a hole of its own"),
        Merge::Next => words.say(", joined to the hole above: ").number(text::bytes(hole.len_bytes())),
        Merge::Previous => words.say(", joined to the hole below: ").number(text::bytes(hole.len_bytes())),
        Merge::Both => words.say(", closes the gap between two holes: ").number(text::bytes(hole.len_bytes())),
    }
}

fn fused(merge: Merge) -> &'static str {
    match merge {
        Merge::None => "",
        Merge::Next => ", fused with the lazy range above,",
        Merge::Previous => ", fused with the lazy range below,",
        Merge::Both => ", fused with lazy ranges on both sides,",
    }
}

/// Forced into the state: the recorded address, or what it taught of others that are older than the trace.
fn adopted(scene: &Scene<'_>, words: Words, facts: &Facts, extent: Extent) -> Words {
    let short = |addr| facts.addresses.short(addr);
    let (recorded, failed, is_free) = match scene.replay.current().map(|(_, event)| event.kind) {
        Some(EventKind::Alloc { addr, failed, .. }) => (Some(addr.0), failed, false),
        Some(EventKind::Unasked { addr, .. }) => (Some(addr.0), false, false),
        Some(EventKind::Free { .. } | EventKind::FreeProbe { .. }) => (None, false, true),
        _ => (None, false, false),
    };
    if !failed && recorded == Some(extent.start()) {
        let words = words.of("adopted: ", Role::Bad).say("the recorded address ").number(short(extent.start()));
        return words.say(" was put into the state although the model chose differently");
    }
    let size = text::bytes(extent.len_bytes());
    let words = words.of("older than the trace: ", Role::Warn);
    if is_free {
        let words = words.say("an area of ").number(size).say(" at ").number(short(extent.start()));
        return words.say(" must have been in use, for it is freed now");
    }
    let words = words.number(size).say(" at ").number(short(extent.start()));
    words.say(" cannot have been free, for the kernel's search passed them by: taken from now on")
}
