//! When an area was allocated and freed, and by whom.

use super::super::facts::{Facts, muted, number, say};
use super::super::focus::{Kind, Thing};
use super::super::script::{self, is_script, noun, numbered, who};
use super::super::text;
use super::super::{Span, Target};
use crate::event::{Event, EventKind, Seq};
use crate::model::VmapArea;

/// Adds birth and end of an area.
pub(super) fn add(facts: &mut Facts<'_, '_>, thing: &Thing) {
    let replay = facts.scene.replay;
    let born = replay.space().allocator().areas()[thing.area].born;
    if born == VmapArea::UNBORN {
        let words = if replay.is_empty() {
            "before the snapshot"
        } else if is_script(replay.log()) {
            "before the script: an early area"
        } else {
            "not by a record of this trace: older than it, or carved unseen"
        };
        facts.add("born", &[muted(words)], None);
        return;
    }
    let born = Seq(born);
    let log = replay.log();
    let Some(event) = log.get(born) else { return };
    let mut spans = at(facts, born, &event);
    if let Some((_, now)) = replay.current().filter(|(seq, _)| *seq != born) {
        let ago = text::between(log, event.at, now.at, facts.scene.glyphs);
        spans.push(muted(format!(", {ago} before this {}", noun(log))));
    }
    facts.add("born", &spans, Some(Target::Event(born)));
    let Some((mate, end)) = replay.plan().mate(born).and_then(|mate| Some((mate, log.get(mate)?))) else {
        let is_gone = matches!(thing.kind, Kind::Lazy | Kind::Pooled);
        let words = match event.kind {
            _ if !is_script(log) => "not in this trace",
            EventKind::Alloc { failed: true, .. } => "in the same op: the request failed and gave it back",
            _ if is_gone => "already, by an op that does not name it",
            _ => "never in this script",
        };
        facts.add("freed", &[muted(words)], None);
        return;
    };
    let mut spans = at(facts, mate, &end);
    let lived = text::between(log, event.at, end.at, facts.scene.glyphs);
    spans.push(muted(format!(", after {lived}")));
    if mate.index() >= replay.cursor() {
        spans.push(muted(" (still to come)"));
    }
    facts.add("freed", &spans, Some(Target::Event(mate)));
}

/// Event, time, task and CPU of a record.
fn at(facts: &Facts<'_, '_>, seq: Seq, event: &Event) -> Vec<Span> {
    let log = facts.scene.replay.log();
    let task = text::task(log.names.task(event.task));
    if is_script(log) {
        let mut spans = script::when(log, seq, event);
        spans.extend(who(facts.scene.replay, seq, event).map(|who| muted(format!(", {who}"))));
        return spans;
    }
    let mut spans = vec![number(numbered(log, seq))];
    let time = text::time(log, event.at);
    if !time.is_empty() {
        spans.push(muted(format!(", {time}")));
    }
    spans.push(say(format!(" by {task}")));
    spans.push(muted(text::on_cpu(event)));
    spans
}
