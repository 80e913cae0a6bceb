//! What an area is used for, how that is known, and the stacks it was allocated and freed with.

use super::super::facts::{Facts, muted, number, say};
use super::super::focus::{Kind, Thing, baseline_row};
use super::super::script::is_script;
use super::super::{Target, text};
use crate::event::Seq;
use crate::log::escape;
use crate::model::{Usage, UsageKind, VmapArea};

/// Adds kind, pages and caller, each with the source of it.
pub(super) fn add(facts: &mut Facts<'_, '_>, thing: &Thing) {
    let replay = facts.scene.replay;
    if is_script(replay.log()) {
        return;
    }
    let area = &replay.space().allocator().areas()[thing.area];
    let usages = replay.usages();
    let Some(usage) = usages.of(area.born, thing.extent) else { return };
    let page_shift = replay.space().allocator().page_size().max(1).trailing_zeros();
    let is_past = matches!(thing.kind, Kind::Lazy | Kind::Pooled);
    let mut spans = vec![muted(if is_past { "was " } else { "" }), say(usage.kind.word())];
    spans.push(muted(format!(" ({}), ", usage.kind_from.word())));
    spans.push(number(pages(&usage)));
    spans.push(muted(format!(" ({})", usage.pages_from.word())));
    if u32::from(usage.page_shift) > page_shift {
        let entry = text::bytes(1 << u32::from(usage.page_shift).min(63));
        spans.push(muted(", in entries of "));
        spans.push(number(entry));
        spans.push(muted(format!(" ({})", usage.shift_from.word())));
    }
    facts.add("use", &spans, None);
    // A row of a snapshot names its caller in full.
    if baseline_row(facts.scene, area).is_some_and(|row| !row.caller_full.is_empty()) {
        return;
    }
    if let Some(caller) = usages.caller_name(usage.caller) {
        facts.add("caller", &[say(caller), muted(format!(" ({})", usage.caller_from.word()))], None);
    }
}

/// Pages in words: of some kinds not all are mapped at once.
fn pages(usage: &Usage) -> String {
    let pages = text::plural(usage.pages, "page", "pages");
    match usage.kind {
        UsageKind::Reserved if usage.pages == 0 => "nothing mapped".to_owned(),
        UsageKind::PerCpu | UsageKind::VmapBlock | UsageKind::Reserved => format!("up to {pages}"),
        _ => pages,
    }
}

/// Adds the stacks of the records that allocated and freed the area, where the trace has them; the free only once it
/// has happened.
pub(super) fn add_stacks(facts: &mut Facts<'_, '_>, thing: &Thing) {
    let replay = facts.scene.replay;
    if replay.log().stacks.is_empty() {
        return;
    }
    let born = replay.space().allocator().areas()[thing.area].born;
    let is_area = matches!(thing.kind, Kind::Busy | Kind::PerCpu | Kind::Lazy | Kind::Pooled);
    if !is_area || born == VmapArea::UNBORN {
        return;
    }
    add_stack(facts, "stack", Seq(born));
    if let Some(free) = replay.plan().mate(Seq(born)).filter(|free| free.index() < replay.cursor()) {
        add_stack(facts, "freed by", free);
    }
}

/// The stack of a record, innermost frame first, one row each.
pub(super) fn add_stack(facts: &mut Facts<'_, '_>, label: &str, seq: Seq) {
    let log = facts.scene.replay.log();
    let Some(id) = log.stacks.of(seq) else { return };
    let frames: Vec<String> = log.stacks.frames(id).map(|frame| escape(frame.text)).collect();
    for (depth, frame) in frames.into_iter().enumerate() {
        facts.add(if depth == 0 { label } else { "" }, &[say(frame)], Some(Target::Event(seq)));
    }
}
