//! A failed attempt: why there was no place, and what the kernel did about it, before the turns of the search.

use super::super::line::flow;
use super::super::retry::{aftermath, event_number, first_attempt};
use super::super::script::{is_script, searched};
use super::super::text;
use super::super::within::largest_hole;
use super::super::{Role, Row, Scene, Target, focus};
use super::{Facts, Words};
use crate::event::Seq;
use crate::log::Window;
use crate::model::{Answer, RefusalReason, Step};

/// The rows; none if the current event is no attempt that failed or had failed.
pub(super) fn rows(scene: &Scene<'_>, facts: &Facts, width: usize, seq: Seq) -> Vec<Row> {
    let mut rows = Vec::new();
    let refused = scene.replay.outcome().steps.iter().rev().find_map(|step| match step {
        Step::Refused { reason } => Some(*reason),
        _ => None,
    });
    // An op of a script that purged and was served is no failure.
    let failed = scene.replay.outcome().answers.last().is_none_or(|last| !matches!(last, Answer::Placed(_)));
    if let Some((reason, request)) = refused.zip(facts.request).filter(|_| failed || !is_script(scene.replay.log())) {
        rows.extend(flow(&why(scene, facts, reason, request).0, width, 2, scene.glyphs));
    }
    if let Some(aftermath) = aftermath(scene) {
        let mut words = Words(aftermath.lazy());
        words = words.say("; ");
        words.0.extend(aftermath.story(scene));
        let told = flow(&words.0, width, 2, scene.glyphs);
        rows.extend(told.into_iter().map(|row| Row { target: aftermath.target(), ..row }));
    } else if let Some(first) = facts.request.and_then(|_| first_attempt(scene, seq)) {
        let words = Words::default()
            .of("second attempt", Role::Good)
            .say(": the first one, ")
            .number(event_number(first))
            .say(", found no place before the purge");
        let told = flow(&words.0, width, 2, scene.glyphs);
        rows.extend(told.into_iter().map(|row| Row { target: Some(Target::Event(first)), ..row }));
    }
    rows
}

/// `0x… to 0x…, 1 MiB`.
pub(super) fn window_words(scene: &Scene<'_>, words: Words, window: Window) -> Words {
    let whole = window == scene.replay.space().allocator().window();
    words
        .number(scene.addr(window.vstart))
        .say(" to ")
        .number(scene.addr(window.vend))
        .say(format!(", {}", text::bytes(focus::window_bytes(window))))
        .say(if whole { ", the whole vmalloc range" } else { "" })
}

/// The conclusion: where there is no place, and how much is missing.
fn why(scene: &Scene<'_>, facts: &Facts, reason: RefusalReason, request: (u64, u64, Window)) -> Words {
    let (size, _, window) = request;
    let words = window_words(scene, Words::default().of("no place", Role::Bad).say(" from "), window).say(": ");
    let words = match reason {
        RefusalReason::NoHole if super::rule::is_textbook(scene) => words.say("the rule finds none"),
        RefusalReason::NoHole => words.say("no hole above its start is long enough"),
        RefusalReason::BehindWindow { would_be } => words
            .say("the lowest hole that fits gives ")
            .number(facts.addresses.short(would_be))
            .say(", but there the area ends ")
            .number(text::bytes(would_be.saturating_add(size).saturating_sub(window.vend)))
            .say(" behind the window"),
        RefusalReason::NotRecorded => return words.say("the trace does not say where it would lie"),
        RefusalReason::Wraps { candidate } => words
            .say("from ")
            .number(facts.addresses.short(candidate))
            .say(" the area would reach past the last address"),
    };
    let largest = largest_hole(searched(scene), window);
    let words = match largest {
        0 => return words.say("; nothing is free inside the window"),
        _ => words.say("; the largest hole inside the window has ").number(text::bytes(largest)),
    };
    match size.checked_sub(largest) {
        Some(short @ 1..) => words.say(", ").number(text::bytes(short)).say(" too little"),
        // It is large enough, yet alignment or the order of the search keeps it from being used.
        _ => words.say(", enough without alignment, but the search does not come to it"),
    }
}
