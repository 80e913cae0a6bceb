//! Does the model agree with the record, and if not, why not?

use super::super::divergence;
use super::super::focus::{self, Kind};
use super::super::line::flow;
use super::super::text::{self, Addresses};
use super::super::{Role, Row, Scene};
use super::{Words, script};
use crate::event::{Addr, Event, EventKind, Seq};
use crate::model::Answer;
use crate::replay::{Divergence, Verdict};

/// The verdict on a record, in a sentence; empty where there is nothing to judge.
pub(super) fn rows(scene: &Scene<'_>, addresses: &Addresses, width: usize, seq: Seq, event: &Event) -> Vec<Row> {
    if let Some(rows) = script::verdict(scene, width, seq) {
        return rows;
    }
    let glyphs = scene.glyphs;
    let failed = matches!(event.kind, EventKind::Alloc { failed: true, .. });
    let divergence = divergence::of(scene, seq).copied();
    let verdict = scene.replay.verdict(seq);
    let words = match verdict {
        Verdict::NotJudged | Verdict::Differs(_) => match compared(scene, addresses, event) {
            Some(words) => words,
            None => return Vec::new(),
        },
        Verdict::Exact if failed => {
            Words::default().of(format!("{} exact", glyphs.exact), Role::Good).say(": the model finds no place either")
        }
        Verdict::Exact => Words::default()
            .of(format!("{} exact", glyphs.exact), Role::Good)
            .say(": the model chose the recorded address"),
        Verdict::Inferred(timing) => against(
            Words::default().of(format!("{} inferred", glyphs.inferred), Role::Warn).say(": ").say(timing.because()),
            addresses,
            divergence,
        ),
        Verdict::Adopted(cause) => {
            let words =
                Words::default().of(format!("{} adopted", glyphs.adopted), Role::Bad).say(": ").say(cause.because());
            displaced(scene, against(words, addresses, divergence))
        }
    };
    let mut rows = flow(&words.0, width, 2, glyphs);
    if let Some(decided_by) = divergence::decided_by(scene, verdict) {
        let words = Words::default().of("  would be decided by: ", Role::Muted).say(decided_by);
        rows.extend(flow(&words.0, width, 4, glyphs));
    }
    rows
}

/// The model's own answer against the record.
fn against(words: Words, addresses: &Addresses, divergence: Option<Divergence>) -> Words {
    let Some(divergence) = divergence else { return words };
    let answer = |addr: Option<Addr>| addr.map_or_else(|| "no space".to_owned(), |addr| addresses.short(addr.0));
    words
        .say("; record ")
        .number(answer(divergence.recorded()))
        .say(", model at first ")
        .number(answer(divergence.model()))
}

/// An adoption can push out areas that the model thought in use.
fn displaced(scene: &Scene<'_>, words: Words) -> Words {
    let n: u32 = scene
        .replay
        .outcome()
        .answers
        .iter()
        .map(|answer| match answer {
            Answer::Adopted { displaced, .. } => *displaced,
            _ => 0,
        })
        .sum();
    if n == 0 {
        return words;
    }
    let at = scene
        .replay
        .current()
        .and_then(|(seq, _)| divergence::of(scene, seq))
        .and_then(crate::replay::Divergence::recorded);
    let there = at.map(|addr| focus::thing_at(scene, scene.replay.before(), addr.0).kind);
    if there == Some(Kind::Unseen) {
        return words.say("; a stretch believed taken is cut to make room");
    }
    words.say("; ").number(text::plural(n.into(), "area", "areas")).say(" the model held in use had to go")
}

/// Frees and purges are not predicted, but they carry a number the model has as well.
fn compared(scene: &Scene<'_>, addresses: &Addresses, event: &Event) -> Option<Words> {
    let glyphs = scene.glyphs;
    let (what, recorded, model) =
        scene.replay.outcome().answers.iter().rev().find_map(|answer| match (answer, event.kind) {
            (Answer::Freed(freed), EventKind::Free { nr_lazy, .. }) => {
                Some((["lazy page", "lazy pages"], nr_lazy, Some(freed.nr_lazy)))
            }
            (Answer::Purged(purged), EventKind::Purge { num_purged, .. }) => {
                Some((["area purged", "areas purged"], num_purged.into(), Some(purged.num_purged.into())))
            }
            (Answer::UnknownFree(addr), EventKind::Free { .. } | EventKind::FreeProbe { .. }) => {
                Some((["", ""], *addr, None))
            }
            _ => None,
        })?;
    Some(match model {
        None => Words::default()
            .of(format!("{} ", glyphs.inferred), Role::Warn)
            .say("nothing in the model changed: no area is known at ")
            .number(addresses.short(recorded)),
        Some(model) if model == recorded => Words::default()
            .of(format!("{} agrees", glyphs.exact), Role::Good)
            .say(format!(": {}, by record and model alike", text::plural(model, what[0], what[1]))),
        Some(model) => Words::default()
            .of(format!("{} differs", glyphs.inferred), Role::Warn)
            .say(format!(": {}, ", what[1]))
            .number(text::count(recorded))
            .say(" by the record, ")
            .number(text::count(model))
            .say(" by the model"),
    })
}
