//! A record that is about no address: a marker, a loss, a purge of nothing.

use super::super::facts::{Facts, muted, number, say};
use super::super::script::{self, is_script, numbered};
use super::super::{Role, Span, Target, text};
use crate::event::{Event, EventKind, ScriptOp, Seq};
use crate::replay::Verdict;

/// Adds what the record says, when it was written, and where to go from there.
pub(super) fn add(facts: &mut Facts<'_, '_>, seq: Seq, event: &Event) {
    let replay = facts.scene.replay;
    let log = replay.log();
    let timeline = &replay.plan().timeline;
    match event.kind {
        EventKind::Mark { text } => {
            facts.add("mark", &[Span::new(text::escape(log.names.text(text)), Role::Key)], None);
            others(facts, &timeline.marks, seq, "mark");
        }
        EventKind::Lost { count } => {
            let n = if count == 0 { "an unknown number of records".to_owned() } else { records(count.into()) };
            let words = [Span::new(n, Role::Warn), muted(format!(" of CPU {}, dropped by its ring buffer", event.cpu))];
            facts.add("lost", &words, None);
            let words =
                "what they allocated and freed is missing from the state; addresses of later records correct it";
            facts.add("so", &[say(words)], None);
            others(facts, &timeline.lost, seq, "loss");
            adopted(facts, seq);
        }
        EventKind::Purge { num_purged: 0, .. } => {
            facts.add("purge", &[say("ended without an area: nothing was lazy")], None);
        }
        EventKind::Purge { num_purged, .. } => {
            let areas = text::plural(num_purged.into(), "area", "areas");
            facts.add("purge", &[number(areas), muted(", given back where a neighbouring record stands")], None);
        }
        EventKind::Report { size, text } => {
            facts.add("log", &[Span::new(text::escape(log.names.text(text)), Role::Bad)], None);
            if 0 < size {
                facts.add("asked", &[number(text::bytes(size))], None);
            }
            let words = "the kernel said so in its log; the attempts themselves are records of their own";
            facts.add("so", &[say(words)], None);
        }
        EventKind::Other { name } => {
            let name = text::escape(log.names.text(name));
            facts.add("event", &[say(name), muted(", not the allocator's: nothing changed")], None);
        }
        EventKind::Script(op) => facts.add("asked", &[say(asked(op))], None),
        EventKind::PurgeReturn { purged: Some(false) } => {
            facts.add("purge", &[say("ended without an area: nothing was lazy")], None);
        }
        EventKind::PurgeReturn { .. } => {
            facts.add("purge", &[say("ended"), muted(", given back where a neighbouring record stands")], None);
        }
        EventKind::NodeDecay { node, .. } => {
            facts.add("purge", &[say(format!("has come to the pools of node {node}"))], None);
        }
        EventKind::NodeReturn { node } => {
            facts.add("purge", &[say(format!("gives back what it took off node {node}"))], None);
        }
        EventKind::PurgeEntry { .. } => {
            facts.add("purge", &[say("begins"), muted("; its return tells when it is over")], None);
        }
        EventKind::Request { size, align, window } => {
            let window = log.names.window(window);
            let words = [
                number(text::bytes(size)),
                muted(format!(", align {}, in ", text::count(align))),
                number(facts.scene.addr(window.vstart)),
                muted(" to "),
                number(facts.scene.addr(window.vend)),
            ];
            facts.add("asks for", &words, None);
        }
        EventKind::Alloc { .. } | EventKind::Unasked { .. } | EventKind::Free { .. } | EventKind::FreeProbe { .. } => {}
    }
    if is_script(log) {
        script::add_answers(facts, seq);
        facts.add("when", &script::when(log, seq, event), None);
    } else {
        let mut when = vec![number(numbered(log, seq))];
        let time = text::time(log, event.at);
        if !time.is_empty() {
            when.push(muted(format!(", {time}")));
        }
        let task = text::task(log.names.task(event.task));
        when.extend([muted(" by "), say(task), muted(text::on_cpu(event))]);
        facts.add("when", &when, None);
    }
    let metrics = replay.space().allocator().gauges();
    let state = [
        number(text::plural(metrics.busy_areas, "area", "areas")),
        muted(format!(" in use, {}; ", text::bytes(metrics.busy_bytes))),
        number(text::plural(replay.space().allocator().lazy_pages(), "lazy page", "lazy pages")),
        muted(format!(" of {}", text::count(replay.space().allocator().lazy_max_pages()))),
    ];
    facts.add("state", &state, None);
}

/// What an op of no trace asks for.
fn asked(op: ScriptOp) -> &'static str {
    match op {
        ScriptOp::NoArea => "free an area that is not there",
        ScriptOp::Work => "run the drain work, if it is queued",
        ScriptOp::Shrink => "empty the pools",
        ScriptOp::Lazy => "how many lazy pages?",
        ScriptOp::Check => "do all invariants hold?",
        ScriptOp::Hash => "a hash of the state",
        ScriptOp::Dump => "the state as text",
        ScriptOp::Request => "a request that changes no area, or a question",
    }
}

fn records(n: u64) -> String {
    text::plural(n, "record", "records")
}

/// Which of its like it is, and where its neighbours are.
fn others(facts: &mut Facts<'_, '_>, indices: &[u32], seq: Seq, what: &str) {
    let at = indices.partition_point(|&index| index < seq.0);
    let of = format!("{what} {} of {}", text::count(at as u64 + 1), text::count(indices.len() as u64));
    facts.add("which", &[say(of)], None);
    let before = at.checked_sub(1).and_then(|before| indices.get(before));
    for (label, index) in [("before", before), ("next", indices.get(at + 1))] {
        if let Some(&index) = index {
            let words = [number(numbered(facts.scene.replay.log(), Seq(index)))];
            facts.add(label, &words, Some(Target::Event(Seq(index))));
        }
    }
}

/// The first record after a loss whose address had to be adopted: where the loss shows.
fn adopted(facts: &mut Facts<'_, '_>, seq: Seq) {
    let replay = facts.scene.replay;
    let later = replay.plan().divergences.iter().map(|divergence| divergence.seq).filter(|later| seq < *later);
    let found = later.take(256).find(|&later| matches!(replay.verdict(later), Verdict::Adopted(_)));
    if let Some(found) = found {
        let words = [number(numbered(replay.log(), found)), muted(", the next adopted address")];
        facts.add("shows at", &words, Some(Target::Event(found)));
    }
}
