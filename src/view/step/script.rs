//! An op of a script in sentences: what is asked, how it went, and whether the answer is the expected one.

use parsers::ops::{Op as Asked, RequestOp};

use super::super::line::flow;
use super::super::script::{numbered, sides, tried_again, who};
use super::super::{Role, Row, Scene, Target, text};
use super::Words;
use crate::event::{Event, ScriptOp, Seq};
use crate::model::{Answer, Purged};
use crate::replay::{Cause, Verdict};

/// What an op of no trace asks, and what came of it.
pub(super) fn record(scene: &Scene<'_>, op: ScriptOp, seq: Seq, event: &Event) -> Words {
    let words = Words::default();
    let allocator = scene.replay.space().allocator();
    let answers = &scene.replay.outcome().answers;
    match op {
        ScriptOp::NoArea => words
            .of(who(scene.replay, seq, event).unwrap_or_default(), Role::Title)
            .say(" has no area to free: its allocation failed, or never was. Nothing is done."),
        ScriptOp::Work => match answers.first() {
            Some(Answer::Drained(purges)) => back(scene, words.of("The drain work runs: ", Role::Title), purges),
            _ => words.of("The drain work", Role::Title).say(" is not queued: nothing runs."),
        },
        ScriptOp::Shrink => match answers.first() {
            Some(Answer::Shrunk(Some(n))) => words
                .of("Memory is short: ", Role::Title)
                .say("every pool is emptied, ")
                .number(text::plural((*n).into(), "area", "areas"))
                .say(" back in the free tree."),
            _ => words.of("Memory is short: ", Role::Title).say("this era has no pools to empty."),
        },
        ScriptOp::Lazy => {
            let queued = if allocator.drain_pending() { "queued" } else { "not queued" };
            words
                .of("A question: ", Role::Title)
                .number(text::plural(allocator.lazy_pages(), "lazy page", "lazy pages"))
                .say(format!(" of {}, ", text::count(allocator.lazy_max_pages())))
                .say(format!("the drain work is {queued}."))
        }
        ScriptOp::Check => {
            let words = words.of("A question: ", Role::Title).say("do all invariants hold? ");
            match allocator.audit() {
                Ok(()) => words.of("They do.", Role::Good),
                Err(broken) => words.of(format!("They do not: {broken}."), Role::Bad),
            }
        }
        ScriptOp::Hash => words
            .of("A question: ", Role::Title)
            .say(format!("a hash of {} as text, ", part(scene, seq)))
            .number(scene.replay.plan().answer(seq).unwrap_or_default())
            .say("."),
        ScriptOp::Dump => {
            let answer = scene.replay.answer_in_full().unwrap_or_default();
            // The words around the state do not count.
            let lines = (answer.lines().count() as u64).saturating_sub(2);
            words
                .of("A question: ", Role::Title)
                .say(format!("{} as text, ", part(scene, seq)))
                .number(text::plural(lines, "line", "lines"))
                .say(".")
        }
        ScriptOp::Request => match scene.replay.asked(seq) {
            Some(Asked::Request(request)) if request.is_question() => {
                words.of("A question: ", Role::Title).say(question(request))
            }
            asked => {
                let word = asked.map_or("request", Asked::word);
                let answer = scene.replay.plan().answer(seq).unwrap_or_default();
                answered(words.of(word, Role::Title).say(": "), word, answer)
            }
        },
    }
}

/// What is asked about memory.
fn question(request: &RequestOp) -> String {
    match request {
        RequestOp::Cost { id } => format!("what does id {id} really cost?"),
        RequestOp::Memory => "what is behind all areas?".to_owned(),
        _ => "kmalloc, kzalloc, kvmalloc or vmalloc?".to_owned(),
    }
}

/// An answer in words: `tables=2` is `tables 2`. The op's own word in front says nothing.
fn answered(mut words: Words, word: &str, answer: &str) -> Words {
    let told = answer.strip_prefix(word).map_or(answer, str::trim_start);
    if !told.contains('=') {
        return words.number(if told.is_empty() { "done" } else { told }).say(".");
    }
    for (place, part) in told.split(' ').enumerate() {
        words = words.say(if place == 0 { "" } else { ", " });
        words = match part.split_once('=') {
            Some((key, value)) => words.say(format!("{} ", key.replace('_', " "))).number(value),
            None => words.number(part),
        };
    }
    words.say(".")
}

/// Which part of the state a question is about.
fn part(scene: &Scene<'_>, seq: Seq) -> &'static str {
    match scene.replay.asked(seq) {
        Some(Asked::Hash { free: true } | Asked::Dump { free: true }) => "the free tree",
        _ => "the whole state",
    }
}

/// What purges gave back.
fn back(scene: &Scene<'_>, words: Words, purges: &[Purged]) -> Words {
    let (areas, pages) =
        purges.iter().fold((0, 0), |(areas, pages), one| (areas + u64::from(one.num_purged), pages + one.pages));
    let bytes = pages.saturating_mul(scene.replay.space().allocator().page_size());
    if areas == 0 {
        return words.say("nothing was lazy.");
    }
    words.number(text::plural(areas, "area", "areas")).say(" back, ").number(text::bytes(bytes)).say(".")
}

/// What an op set off besides its own work: a purge and a second attempt, a purge or queued work of a free, work that
/// ran after the op.
pub(super) fn consequences(scene: &Scene<'_>, width: usize, seq: Seq) -> Vec<Row> {
    let Some(asked) = scene.replay.asked(seq) else { return Vec::new() };
    let answers = &scene.replay.outcome().answers;
    let mut told = Vec::new();
    for answer in answers {
        let words = Words::default();
        match (asked, answer) {
            (Asked::Alloc { .. }, Answer::Purged(purged)) => {
                told.push(back(
                    scene,
                    words.of("no place at first, so everything is purged: ", Role::Warn),
                    &[*purged],
                ));
            }
            (Asked::Alloc { .. }, Answer::Placed(_)) if tried_again(scene) => {
                told.push(words.of("second attempt", Role::Good).say(": placed after the purge"));
            }
            (Asked::Alloc { .. }, Answer::Rejected(bad)) => {
                told.push(words.of("refused before any search", Role::Bad).say(format!(": {bad}")));
            }
            (Asked::Free { .. }, Answer::Purged(purged)) => {
                let words = words.of("above the limit of lazy pages, this free purges: ", Role::Lazy);
                told.push(back(scene, words, &[*purged]));
            }
            (Asked::Free { .. }, Answer::Freed(freed))
                if freed.drain_due && !scene.replay.space().allocator().drains_inline() =>
            {
                told.push(words.of("above the limit of lazy pages: ", Role::Lazy).say("the drain work is queued"));
            }
            (asked, Answer::Drained(purges)) if *asked != Asked::Work => {
                told.push(back(scene, words.of("then the drain work runs at once (autowork): ", Role::Lazy), purges));
            }
            _ => {}
        }
    }
    told.iter().flat_map(|words| flow(&words.0, width, 2, scene.glyphs)).collect()
}

/// Is the answer the expected one? `None` in a trace.
pub(super) fn verdict(scene: &Scene<'_>, width: usize, seq: Seq) -> Option<Vec<Row>> {
    scene.replay.log().script.as_ref()?;
    let glyphs = scene.glyphs;
    let answer = || scene.replay.plan().answer(seq).unwrap_or_default();
    let words = match scene.replay.verdict(seq) {
        Verdict::Differs(cause) => {
            let first = scene.replay.plan().divergences.first().map(|first| first.seq).filter(|first| *first != seq);
            let words = Words::default().of(format!("{} differs", glyphs.adopted), Role::Bad);
            let words = words.say(": ").say(cause.because());
            let words = match sides(scene) {
                Some(sides) if cause == Cause::NotTheExpected => {
                    words.say("; model ").number(sides.model).say(", expected ").number(sides.expected)
                }
                _ => words,
            };
            let words = match first {
                Some(first) => words.say("; the first difference is ").number(numbered(scene.replay.log(), first)),
                None => words.say("; the first difference of this script"),
            };
            let mut rows = flow(&words.0, width, 2, glyphs);
            for row in &mut rows {
                row.target = first.map(Target::Event);
            }
            return Some(rows);
        }
        Verdict::Exact => {
            let words = Words::default().of(format!("{} exact", glyphs.exact), Role::Good);
            match scene.replay.asked(seq) {
                // Its first line says nothing.
                Some(Asked::Dump { .. }) => words.say(": the answer is the expected one, every line of it"),
                _ => words.say(": the answer is the expected one, ").number(answer()),
            }
        }
        // Its stages say it all.
        _ if matches!(scene.replay.asked(seq), Some(Asked::Request(_))) => return Some(Vec::new()),
        _ => {
            Words::default().say("answer ").number(answer()).of("; no expected answers to compare it with", Role::Muted)
        }
    };
    Some(flow(&words.0, width, 2, glyphs))
}
