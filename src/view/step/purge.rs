//! What the record of a purge says: areas, pages, how they joined the holes around them, what was flushed.

use super::super::script::is_script;
use super::super::text;
use super::super::{Role, Scene};
use super::Words;
use crate::event::Addr;
use crate::model::{Answer, Merge, Step};

/// A purge of which a probe saw the return: the counts are the model's.
pub(super) fn returned(scene: &Scene<'_>, words: Words, purged: Option<bool>) -> Words {
    let by_model = scene.replay.outcome().answers.iter().find_map(|answer| match answer {
        Answer::Purged(purged) => Some(purged),
        _ => None,
    });
    let words = words.of("A purge ends", Role::Title);
    match (purged, by_model) {
        (Some(false), _) => words.say(": nothing was lazy."),
        (_, Some(purged)) => words
            .say(": ")
            .number(text::plural(purged.num_purged.into(), "area", "areas"))
            .say(" of ")
            .number(text::plural(purged.pages, "page", "pages"))
            .say(" come back."),
        (_, None) => words.say("."),
    }
}

/// A purge in one sentence.
pub(super) fn record(scene: &Scene<'_>, words: Words, flush: (Addr, Addr), num_purged: u32) -> Words {
    let steps = &scene.replay.outcome().steps;
    let (mut pages, mut merged, mut pooled) = (0, 0_u64, 0_u64);
    let page = scene.replay.space().allocator().page_size().max(1);
    for step in steps {
        match step {
            Step::Returned { extent, merge, .. } => {
                pages += extent.len_bytes() / page;
                merged += u64::from(*merge != Merge::None);
            }
            Step::Pooled { extent, .. } => {
                pages += extent.len_bytes() / page;
                pooled += 1;
            }
            _ => {}
        }
    }
    if num_purged == 0 && pages == 0 {
        return flushed(scene, words.say("A purge ends: nothing was lazy"), flush).say(".");
    }
    let by = if is_script(scene.replay.log()) { "" } else { " by the record" };
    let words =
        words.of("A purge ends: ", Role::Title).number(text::plural(num_purged.into(), "area", "areas")).say(by);
    if steps.is_empty() {
        return flushed(scene, words, flush);
    }
    let words = words
        .say(", ")
        .number(text::plural(pages, "page", "pages"))
        .say(" moved, ")
        .number(text::plural(merged, "merge", "merges"));
    let words = if pooled > 0 { words.say(", ").number(text::count(pooled)).say(" parked in pools") } else { words };
    flushed(scene, words, flush)
}

/// The flushed range, where it is not simply that of the areas: a caller can ask for more.
fn flushed(scene: &Scene<'_>, words: Words, (start, end): (Addr, Addr)) -> Words {
    if end.0 <= start.0 {
        return words;
    }
    let model = scene.replay.outcome().answers.iter().rev().find_map(|answer| match answer {
        Answer::Purged(purged) => Some(purged.flush),
        _ => None,
    });
    let why = match model {
        Some(Some((low, high))) if (low, high) == (start.0, end.0) => return words,
        Some(Some((low, high))) if start.0 <= low && high <= end.0 => ": the caller widened it",
        Some(None) => ", as the caller asked",
        _ => "",
    };
    words
        .say("; flushed ")
        .number(scene.addr(start.0))
        .say(" to ")
        .number(scene.addr(end.0))
        .say(format!(", {}{why}", text::bytes(end.0 - start.0)))
}
