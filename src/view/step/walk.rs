//! The walk from area to area in words: the search of the eras that keep no holes (to 5.1).

use super::super::line::flow;
use super::super::{Role, Row, Scene, Span, Target, text};
use super::{Facts, Words, words};
use crate::model::{Extent, Pass, Rewind, Step, WalkFrom};
use crate::policy::rules::FreeSpace;

/// `ULONG_MAX`: a hole that ends there has no area behind it, so that its size says nothing.
const LAST_BYTES: [u64; 2] = [u64::MAX, u32::MAX as u64];

/// A step as the eras without a free tree take it; `None` where it is like in the later ones.
pub(super) fn of(scene: &Scene<'_>, facts: &Facts, step: &Step) -> Option<(&'static str, Words)> {
    if let Some(said) = walked(facts, step) {
        return Some(("", said));
    }
    let is_list = match scene.replay.plan().machine.policy.rules.free_space {
        FreeSpace::VmList(_) => true,
        FreeSpace::BusyTree(_) => false,
        FreeSpace::FreeTree | FreeSpace::Textbook(_) => return None,
    };
    let area = |extent: Extent| {
        let size = Words::default().number(text::bytes(extent.len_bytes()));
        size.say(" at ").number(facts.addresses.short(extent.start()))
    };
    Some(match (*step, is_list) {
        (Step::Refused { reason }, true) => ("get_vm_area", words::refused(facts, reason)),
        (Step::BusyAdded { extent, .. }, true) => ("", area(extent).of(" in use now, on the list", Role::Busy)),
        (Step::BusyAdded { extent, .. }, false) => {
            ("__insert_vmap_area", area(extent).of(" in use now, in the tree of areas", Role::Busy))
        }
        (Step::BusyRemoved { extent, .. }, true) => ("", area(extent).say(" taken off the list")),
        (Step::BusyRemoved { extent, .. }, false) => ("__free_vmap_area", area(extent).say(" taken out of the tree")),
        (Step::LazyAdded { extent, lazy_pages, lazy_max_pages, .. }, _) => (
            "free_vmap_area_noflush",
            area(extent)
                .of(" flagged as lazily freed", Role::Lazy)
                .say(": it keeps its place until a purge has flushed the TLB; now ")
                .number(format!("{} of {}", text::count(lazy_pages), text::count(lazy_max_pages)))
                .say(" lazy pages"),
        ),
        (Step::Returned { extent, hole, merge }, list) => {
            (if list { "" } else { "__free_vmap_area" }, words::returned(facts, extent, hole, merge))
        }
        _ => return None,
    })
}

/// One step of the walk; `None` for steps of other searches.
fn walked(facts: &Facts, step: &Step) -> Option<Words> {
    let short = |addr| facts.addresses.short(addr);
    let words = Words::default();
    Some(match *step {
        Step::Rewound { why } => rewound(facts, words.of("starts over", Role::Warn).say(": "), why),
        Step::WalkBegun { from, candidate } => {
            let words = match from {
                WalkFrom::ListHead => words.say("walks the list of areas from its head"),
                WalkFrom::Tree(None) => words.say("no area ends at or above the start of the window"),
                WalkFrom::Tree(Some(area)) => words
                    .say("the tree gives the lowest area that ends at or above the start of the window, ")
                    .number(short(area.start())),
                WalkFrom::Cache(area) => words
                    .of("begins behind the area placed last", Role::Path)
                    .say(" (free_vmap_cache), ")
                    .number(short(area.start()))
                    .say(": holes below it are not looked at"),
            };
            words.say("; first candidate ").number(short(candidate))
        }
        Step::Passed { area, why, candidate } => {
            let words = words.number(short(area.start())).say(format!(" {}: ", text::bytes(area.len_bytes())));
            let words = match why {
                Pass::Lower => words.say("lies below the candidate"),
                Pass::NoRoom { room: 0 } => words.say("no room in front of it"),
                Pass::NoRoom { room } => {
                    words.say("only ").number(text::bytes(room)).say(" of room in front of it, too little")
                }
            };
            words.say("; candidate ").number(short(candidate))
        }
        Step::HoleRemembered { bytes } => words
            .say("a hole of ")
            .number(text::bytes(bytes))
            .say(" was passed: cached_hole_size; smaller requests will start over"),
        Step::GapFound { hole, candidate } => {
            let words = words.of("room", Role::Good).say(" at ").number(short(candidate));
            if LAST_BYTES.contains(&hole.end()) {
                return Some(words.say(", where no area follows"));
            }
            let words = words.say(", in the hole of ").number(text::bytes(hole.len_bytes()));
            words.say(" at ").number(short(hole.start()))
        }
        Step::CacheMoved { to: Some(area) } => words
            .say("the cached area or one below it is gone: the next search begins behind ")
            .number(short(area.start())),
        Step::CacheMoved { to: None } => words.say("nothing is cached any more: the next search starts over"),
        _ => return None,
    })
}

fn rewound(facts: &Facts, words: Words, why: Rewind) -> Words {
    match why {
        Rewind::NoCache => words.say("nothing is cached"),
        Rewind::SmallerThanHole { hole } => words
            .say("the request is smaller than ")
            .number(text::bytes(hole))
            .say(" (cached_hole_size), the longest hole passed over since the last time"),
        Rewind::LowerStart { cached_vstart } => words
            .say("its window starts below that of the last request, ")
            .number(facts.addresses.short(cached_vstart))
            .say(" (cached_vstart)"),
        Rewind::SmallerAlign { cached_align } => words
            .say("it is aligned less strictly than the last request, ")
            .number(text::bytes(cached_align))
            .say(" (cached_align)"),
        Rewind::CacheBelowWindow { cache } => {
            words.say("the cached area ").number(facts.addresses.short(cache.start())).say(" ends below the window")
        }
    }
}

/// One line for areas passed that are not shown one by one.
pub(super) fn more(scene: &Scene<'_>, facts: &Facts, width: usize, from: usize, steps: &[Step]) -> Vec<Row> {
    let n = text::plural(steps.len() as u64, "more area", "more areas");
    let mut spans = vec![Span::new(format!("    {} {n} passed", scene.glyphs.ellipsis), Role::Muted)];
    if let Some(Step::Passed { candidate, .. }) = steps.last() {
        spans.push(Span::new("; candidate ", Role::Muted));
        spans.push(Span::new(facts.addresses.short(*candidate), Role::Number));
    }
    let mut rows = flow(&spans, width, 4, scene.glyphs);
    for row in &mut rows {
        row.target = Some(Target::Step(from));
    }
    rows
}
