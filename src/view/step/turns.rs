//! The turns of a search: one by one, or many nodes that were passed for one reason in a line.

use super::super::line::flow;
use super::super::misfit::{Misfit, misfit};
use super::super::text;
use super::super::{Role, Row, Scene, Span, Target};
use super::{Facts, Words};
use crate::model::{Extent, Step, Turn};

/// Why the search did not stop at a node, or should not have; `None` where that did not matter.
fn reason(facts: &Facts, extent: Extent, turn: Turn) -> Option<Misfit> {
    let why = misfit(extent, facts.request?);
    match turn {
        Turn::Right | Turn::Up => why.filter(|why| !matches!(why, Misfit::Behind(_))),
        // Long enough, and only the window says no: the search does not compare with its end.
        Turn::Fits => why.filter(|why| matches!(why, Misfit::Behind(_))),
        Turn::Left | Turn::UpThenRight => None,
    }
}

/// Did the search go on from two nodes in the same way and for the same reason?
pub(super) fn alike(facts: &Facts, (a, a_turn): (Extent, Turn), (b, b_turn): (Extent, Turn)) -> bool {
    let kind = |extent, turn| reason(facts, extent, turn).map(|why| std::mem::discriminant(&why));
    a_turn == b_turn && kind(a, a_turn) == kind(b, b_turn)
}

/// One node: what it is, where the search went, and why.
pub(super) fn visited(scene: &Scene<'_>, facts: &Facts, extent: Extent, subtree_max: u64, turn: Turn) -> Words {
    let arrow = scene.glyphs.arrow;
    let words = Words::default()
        .of(format!("{arrow} "), Role::Path)
        .number(facts.addresses.short(extent.start()))
        .say(format!(" {}, ", text::bytes(extent.len_bytes())))
        .of(format!("{}{}", scene.glyphs.max, text::bytes(subtree_max)), Role::Muted)
        .say(": ");
    told(words, turn, reason(facts, extent, turn).map(Misfit::words))
}

/// Where a search went, and why.
fn told(words: Words, turn: Turn, why: Option<String>) -> Words {
    match (turn, why) {
        (Turn::Left, _) => words.of("left", Role::Path).say(", a long enough hole lies lower"),
        (Turn::Right, why) => {
            let why = why.unwrap_or_else(|| "does not fit".to_owned());
            words.say(format!("{why}; ")).of("right", Role::Path).say(", a long enough hole lies higher")
        }
        (Turn::Fits, None) => words.of("fits", Role::Good),
        (Turn::Fits, Some(why)) => words.of("fits", Role::Warn).say(format!(", but {why}")),
        (Turn::Up, why) => {
            let why = why.unwrap_or_else(|| "does not fit".to_owned());
            words.say(format!("{why}, nor anything to the right; ")).of("back up", Role::Path)
        }
        (Turn::UpThenRight, _) => words.say("on the way up; ").of("down its right side", Role::Path),
    }
}

/// One line for nodes passed in one direction.
pub(super) fn rows(scene: &Scene<'_>, facts: &Facts, width: usize, from: usize, steps: &[Step]) -> Vec<Row> {
    let nodes: Vec<(Extent, Turn)> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Visited { extent, turn, .. } => Some((*extent, *turn)),
            _ => None,
        })
        .collect();
    let (Some(&(first, turn)), Some(&(last, _))) = (nodes.first(), nodes.last()) else { return Vec::new() };
    let reasons = || nodes.iter().filter_map(|&(extent, turn)| reason(facts, extent, turn));
    let least = reasons().min_by_key(|why| why.bytes());
    let most = reasons().max_by_key(|why| why.bytes());
    let number = format!(" {:>2}{}{}", from + 1, scene.glyphs.dash, from + steps.len());
    let words = Words::default()
        .of(number, Role::Muted)
        .of(format!(" {} ", scene.glyphs.arrow), Role::Path)
        .number(text::plural(steps.len() as u64, "node", "nodes"))
        .say(" from ")
        .number(facts.addresses.short(first.start()))
        .say(" to ")
        .number(facts.addresses.short(last.start()))
        .say(": ");
    let words = told(words, turn, least.zip(most).map(|(least, most)| Misfit::words_between(least, most)));
    let spans: Vec<Span> = words.0;
    let mut rows = flow(&spans, width, 4, scene.glyphs);
    for row in &mut rows {
        row.target = Some(Target::Step(from));
    }
    rows
}
