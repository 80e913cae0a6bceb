//! [`WhyHere`]: why an area lies where it lies, and not lower.

use super::ask::Asked;
use super::ground::{Ground, State, joined};
use super::judge::{Judged, Room, Short, judge};
use super::moment::Searched;
use crate::model::{Extent, Source};
use crate::replay::Verdict;

/// Why a lower place was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The hole is too short.
    Short(Short),
    /// It would have been long enough with what was freed but not purged.
    Lazy,
    /// It would have been long enough with what was parked in pools.
    Pooled,
    /// It was long enough, but the search asks for more above page alignment, and did not come by.
    Padded,
    /// It was long enough, but the search did not begin low enough: at a cached hole (2.6.39 to 5.1), or by its rule.
    NotLooked,
    /// It was long enough. Only today: a snapshot does not show how it was then.
    FreeToday,
    /// It lies below the window.
    Below,
}

/// A lower place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lower {
    /// The free stretch; of lazy and pooled ones what it would be with them.
    pub extent: Extent,
    /// Why it was not taken.
    pub reason: Reason,
    /// Bytes missing behind the first aligned address; 0 if none are.
    pub missing: u64,
}

/// How the address came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The search found the hole.
    Search {
        /// The hole.
        hole: Extent,
    },
    /// The pool of a node gave it, and nothing was searched.
    Pool {
        /// The node.
        node: u32,
    },
    /// A per-CPU chunk: looked for from the top of the range downwards.
    TopDown,
    /// The record says so; the model would have placed it elsewhere.
    Recorded {
        /// Where; `None`: nowhere.
        model: Option<u64>,
    },
    /// Not known: the area is older than the trace, or a snapshot shows it.
    Untold,
}

/// Why it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyHere {
    /// The area.
    pub area: Extent,
    /// What was asked for, as far as that is known.
    pub asked: Asked,
    /// How the address came about.
    pub answered: Answered,
    /// The state shown is that before the allocation; else today's.
    pub is_then: bool,
    /// What the replay said of the record that placed it.
    pub judged: Verdict,
    /// Lower places, the best first; of each reason some.
    pub lower: Vec<Lower>,
    /// Bytes in a page.
    pub page_size: u64,
    /// All of them by reason: how many, the fewest and the most bytes missing.
    pub counts: Vec<(Reason, u64, u64, u64)>,
}

/// Places of one reason that are told one by one.
const TOLD: usize = 4;

/// Says why an area lies where it lies. `ground` is the state before its allocation if that is known, and `searched`
/// what the search made of it there; else today's.
pub fn why_here(ground: &Ground, area: Extent, asked: Asked, searched: Option<&Searched>, is_chunk: bool) -> WhyHere {
    let answered = match searched {
        _ if is_chunk => Answered::TopDown,
        None => Answered::Untold,
        Some(searched) => match (searched.now, searched.source) {
            (Some(at), Some(Source::Pool { node, .. })) if at == area.start() => Answered::Pool { node },
            (Some(at), _) if at == area.start() => {
                let hole = ground.holes.iter().find(|hole| hole.contains_addr(at));
                Answered::Search { hole: hole.copied().unwrap_or(area) }
            }
            (model, _) => Answered::Recorded { model },
        },
    };
    let mut lower = lower_holes(ground, area, &asked, searched);
    lower.extend(lower_waiting(ground, area, &asked));
    let mut counts: Vec<(Reason, u64, u64, u64)> = Vec::new();
    for place in &lower {
        match counts.iter_mut().find(|(reason, ..)| *reason == place.reason) {
            Some((_, n, least, most)) => {
                *n += 1;
                (*least, *most) = ((*least).min(place.missing), (*most).max(place.missing));
            }
            None => counts.push((place.reason, 1, place.missing, place.missing)),
        }
    }
    counts.sort_by_key(|(reason, ..)| *reason);
    lower.sort_by_key(|place| (place.missing, place.extent));
    let mut told = vec![0_usize; counts.len()];
    lower.retain(|place| {
        let Some(at) = counts.iter().position(|(reason, ..)| *reason == place.reason) else { return false };
        told[at] += 1;
        told[at] <= TOLD && place.reason != Reason::Below
    });
    let judged = Verdict::NotJudged;
    WhyHere { area, asked, answered, is_then: searched.is_some(), judged, lower, page_size: ground.page_size, counts }
}

/// The holes that begin below the area, with why they were not taken.
fn lower_holes(ground: &Ground, area: Extent, asked: &Asked, searched: Option<&Searched>) -> Vec<Lower> {
    let Asked { size, align, window, .. } = *asked;
    // What no request of the range can be given is no place.
    let no_place = |hole: &&Extent| window == ground.range && hole.end() <= window.vstart;
    let below = ground.holes.iter().take_while(|hole| hole.start() < area.start()).filter(|hole| !no_place(hole));
    let judged = below.filter(|hole| !hole.contains_addr(area.start())).map(|hole| {
        let (reason, missing) = match judge(*hole, size, align, window) {
            Judged::Outside => (Reason::Below, 0),
            Judged::Short { why, missing, .. } => (Reason::Short(why), missing),
            Judged::Fits(room) => (unsearched(&room, searched), 0),
        };
        Lower { extent: *hole, reason, missing }
    });
    judged.collect()
}

/// A hole that is long enough: why it was not taken.
fn unsearched(room: &Room, searched: Option<&Searched>) -> Reason {
    match searched {
        None => Reason::FreeToday,
        Some(searched) if room.inside < searched.length => Reason::Padded,
        Some(_) => Reason::NotLooked,
    }
}

/// What would have been long enough below the area if all that waits had come back, and no hole in it is.
fn lower_waiting(ground: &Ground, area: Extent, asked: &Asked) -> Vec<Lower> {
    let Asked { size, align, window, .. } = *asked;
    let waiting = |state: State| {
        ground.areas.iter().filter(move |held| held.state == state && held.extent.start() < area.start())
    };
    let mut found = Vec::new();
    for (state, reason) in [(State::Lazy, Reason::Lazy), (State::Pooled, Reason::Pooled)] {
        if waiting(state).next().is_none() {
            continue;
        }
        let mut free: Vec<Extent> =
            ground.holes.iter().copied().chain(waiting(state).map(|held| held.extent)).collect();
        free.sort_unstable();
        let holes_in = |extent: Extent| {
            let from = ground.holes.partition_point(|hole| hole.end() <= extent.start());
            ground.holes[from..].iter().take_while(move |hole| hole.start() < extent.end())
        };
        let fits = |extent: Extent| matches!(judge(extent, size, align, window), Judged::Fits(room) if room.start < area.start());
        let all = joined(free).into_iter().take_while(|extent| extent.start() < area.start());
        let new = all.filter(|extent| fits(*extent) && !holes_in(*extent).any(|hole| fits(*hole)));
        found.extend(new.map(|extent| Lower { extent, reason, missing: 0 }));
    }
    found
}
