//! The policies that are not the kernel's in words: which rule decided, and what it looked at.

use super::super::line::flow;
use super::super::{Role, Row, Scene, Span, Target, text};
use super::{Facts, Words, words};
use crate::model::{CacheAnswer, Fit, Look, RefusalReason, RuleOrder, Step};
use crate::policy::rules::FreeSpace;

/// A step of such a policy; `None` of an era. No function of the kernel does it.
pub(super) fn of(scene: &Scene<'_>, facts: &Facts, step: &Step) -> Option<(&'static str, Words)> {
    if !is_textbook(scene) {
        return None;
    }
    let short = |addr| facts.addresses.short(addr);
    let words = Words::default();
    let area = |extent: crate::model::Extent| {
        Words::default().number(text::bytes(extent.len_bytes())).say(" at ").number(short(extent.start()))
    };
    let said = match *step {
        Step::RuleBegun { order } => begun(facts, order),
        Step::Looked { hole, look } => {
            let hole = area(hole);
            match look {
                Look::Taken => hole.of(": taken", Role::Good),
                Look::Worse => hole.say(": fits, another one fits better"),
                Look::NoFit => hole.say(": does not fit, once aligned and cut to the window"),
            }
        }
        Step::Drawn { addr, fits: true } => words.say("drawn: ").number(short(addr)).of(", fits", Role::Good),
        Step::Drawn { addr, fits: false } => words.say("drawn: ").number(short(addr)).say(", not free or too short"),
        Step::CacheAsked { cpu, pages, answer } => asked(facts, cpu, pages, answer),
        Step::Halved { block } => area(block).say(" is halved, one half is free"),
        Step::Joined { block } => words
            .say("its buddy is free as well: they are ")
            .number(text::bytes(block.len_bytes()))
            .say(" at ")
            .number(short(block.start())),
        Step::RoverMoved { to } => {
            words.say("the next search begins at ").number(short(to)).say(", where the hole around its place begins")
        }
        Step::Refused { reason: RefusalReason::NoHole | RefusalReason::BehindWindow { .. } } => {
            words.of("no place: ", Role::Bad).say("the rule finds none in the window")
        }
        Step::Refused { reason } => words::refused(facts, reason),
        Step::Clipped { hole, placed, fit } => {
            let words = words.of(fit.title(), Role::Path).say(" of ").number(text::bytes(hole.len_bytes()));
            let words = words.say(" at ").number(short(hole.start()));
            let (below, above) = (placed.start() - hole.start(), hole.end().saturating_sub(placed.end()));
            match fit {
                Fit::Full => words.say(": all of it"),
                _ => words
                    .say(": ")
                    .number(text::bytes(below))
                    .say(" stay below, ")
                    .number(text::bytes(above))
                    .say(" above"),
            }
        }
        Step::BusyAdded { extent, .. } => area(extent).of(" in use now", Role::Busy),
        Step::BusyRemoved { extent, .. } => area(extent).say(" not in use any more"),
        Step::LazyAdded { extent, lazy_pages, lazy_max_pages, .. } => area(extent)
            .of(" wait for a purge", Role::Lazy)
            .say("; now ")
            .number(format!("{} of {}", text::count(lazy_pages), text::count(lazy_max_pages)))
            .say(" lazy pages"),
        Step::Pooled { node, extent } => area(extent)
            .of(format!(" parked in the magazines of CPU {node}"), Role::Pooled)
            .say(" for requests of that size"),
        Step::Shrunk { n_areas } => words
            .say("the caches are emptied: ")
            .number(text::plural(n_areas.into(), "area", "areas"))
            .say(" back in their slabs, and slabs with nothing in use back in the range"),
        Step::Returned { extent, hole, merge } => words::returned(facts, extent, hole, merge),
        Step::PurgeBegun { lazy_pages, .. } => {
            words.say("a purge takes ").number(text::plural(lazy_pages, "lazy page", "lazy pages"))
        }
        Step::PurgeEnded { n_areas, .. } => {
            words.say("done: ").number(text::plural(n_areas.into(), "area", "areas")).say(" back, in ascending order")
        }
        _ => return None,
    };
    Some(("", said))
}

/// Is the policy none of the kernel's?
pub(super) fn is_textbook(scene: &Scene<'_>) -> bool {
    matches!(scene.replay.plan().machine.policy.rules.free_space, FreeSpace::Textbook(_))
}

/// The rule, as its search begins.
fn begun(facts: &Facts, order: RuleOrder) -> Words {
    let short = |addr| facts.addresses.short(addr);
    let words = Words::default();
    let pages = |order: u32| text::plural(1_u64.checked_shl(order).unwrap_or(0), "page", "pages");
    match order {
        RuleOrder::Upwards => words.of("first fit: ", Role::Title).say("the lowest place that fits"),
        RuleOrder::FromRover { rover } => {
            let words = words.of("next fit: ", Role::Title).say("the lowest place that fits from ");
            words.number(short(rover)).say(" on, where the last area ended")
        }
        RuleOrder::Wrapped { rover } => {
            words.say("nothing there: from the start of the window up to ").number(short(rover))
        }
        RuleOrder::Shortest => {
            words.of("best fit: ", Role::Title).say("the shortest hole that fits, of equals the lowest")
        }
        RuleOrder::Longest => words.of("worst fit: ", Role::Title).say("the longest hole, of equals the lowest"),
        RuleOrder::Blocks { order } => words
            .of("buddies: ", Role::Title)
            .say("the lowest block of ")
            .number(pages(order))
            .say(", or of the next power of two that has one"),
        RuleOrder::Classes { pages } => words
            .of("TLSF: ", Role::Title)
            .say("the newest hole of the first class in which all have ")
            .number(text::plural(pages, "page", "pages"))
            .say(" or more"),
        RuleOrder::Lists { order } => words
            .of("instant fit: ", Role::Title)
            .say("the newest segment of the first list in which all have ")
            .number(pages(order))
            .say(" or more"),
        RuleOrder::WholeList { order } => {
            words.say("there is none: the shortest that will do in the list from ").number(pages(order)).say(" on")
        }
        RuleOrder::EachSegment { order } => words
            .of("vmem: ", Role::Title)
            .say("an alignment or a window: segment after segment, from the list of ")
            .number(pages(order))
            .say(" on"),
        RuleOrder::Drawn { places } => words
            .of("random: ", Role::Title)
            .say("one of ")
            .number(text::count(places))
            .say(" addresses, until one fits"),
        RuleOrder::Counted { places } => {
            words.say("none of them: one of the ").number(text::count(places)).say(" that fit is drawn")
        }
    }
}

/// What the caches said.
fn asked(facts: &Facts, cpu: u32, pages: u64, answer: CacheAnswer) -> Words {
    let of = format!("CPU {cpu}, {}: ", text::plural(pages, "page", "pages"));
    let words = Words::default().of(of, Role::Title);
    let words = words.say(match answer {
        CacheAnswer::Loaded(_) => "the loaded magazine gives ",
        CacheAnswer::Previous(_) => "the loaded magazine is empty, the previous one gives ",
        CacheAnswer::Depot(_) => "both magazines are empty, a full one of the depot gives ",
        CacheAnswer::Slab(_) => "no magazine has one, a slab gives ",
        CacheAnswer::NewSlab => "neither magazine nor slab has one: the range is asked for a slab",
    });
    match answer.object() {
        Some(object) => words.number(facts.addresses.short(object.start())),
        None => words,
    }
}

/// One line for looks that came to the same.
pub(super) fn more(scene: &Scene<'_>, facts: &Facts, width: usize, from: usize, steps: &[Step]) -> Vec<Row> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Vec::new() };
    let place = |step: &Step| match *step {
        Step::Looked { hole, .. } => hole.start(),
        Step::Drawn { addr, .. } => addr,
        _ => 0,
    };
    let what = match first {
        Step::Drawn { .. } => "more drawn, none of them fits, the first ",
        _ => "more looked at, the first ",
    };
    let words = Words::default()
        .of(format!("    {} ", scene.glyphs.ellipsis), Role::Muted)
        .number(text::count(steps.len() as u64))
        .say(format!(" {what}"))
        .number(facts.addresses.short(place(first)))
        .say(", the last ")
        .number(facts.addresses.short(place(last)));
    let spans: Vec<Span> = words.0;
    let mut rows = flow(&spans, width, 4, scene.glyphs);
    for row in &mut rows {
        row.target = Some(Target::Step(from));
    }
    rows
}
