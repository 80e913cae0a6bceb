//! What fences the request in: which areas would have to leave, and the cheapest such place.

use super::ground::{Ground, Held, Holder, Pieces, State};
use super::judge::Room;
use crate::log::Window;
use crate::model::Extent;

/// Areas that would have to leave, side by side, and the room they would leave together with the holes around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cheapest {
    /// The areas in use, ascending.
    pub areas: Vec<Held>,
    /// Whose each is.
    pub holders: Vec<Holder>,
    /// Their bytes, also of what reaches over the window.
    pub bytes: u64,
    /// The free stretch that there would be.
    pub free: Extent,
}

/// What fences a request in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fence {
    /// Single areas whose leaving makes it fit, the smallest first; some of them.
    pub single: Vec<Cheapest>,
    /// How many there are.
    pub n_single: usize,
    /// The run of areas with the fewest bytes; `None` if no run does, or none has to leave.
    pub cheapest: Option<Cheapest>,
}

/// Single areas that are handed out.
const SINGLE: usize = 3;

/// The window as a row of pieces: what is free once all lazy and pooled areas are back, and the areas in use.
pub(super) fn pieces(ground: &Ground, free: &[Extent], window: Window) -> Vec<Pieces> {
    let Some(inside) = Extent::new(window.vstart, window.vend) else { return Vec::new() };
    let holes = free.iter().filter_map(|hole| Some(Pieces { extent: hole.intersection(inside)?, busy: None }));
    let busy = ground.within(window).filter(|(held, _)| held.state == State::Busy);
    let mut pieces: Vec<_> = holes.chain(busy.map(|(held, extent)| Pieces { extent, busy: Some(*held) })).collect();
    pieces.sort_by_key(|piece| piece.extent);
    pieces
}

/// Finds what would have to leave, given what is free after a purge.
pub fn fence(ground: &Ground, free: &[Extent], size: u64, align: u64, window: Window) -> Fence {
    let pieces = pieces(ground, free, window);
    let mut fence = Fence::default();
    let mut best: Option<(u64, usize, usize, usize)> = None;
    let mut single: Vec<(u64, usize, usize)> = Vec::new();
    let stays = |piece: &Pieces| piece.busy.is_some_and(|held| ground.holder(&held).stays);
    // Stretches of pieces that touch, without an area that stays.
    let mut from = 0;
    while from < pieces.len() {
        let mut to = from;
        while to < pieces.len()
            && !stays(&pieces[to])
            && (to == from || pieces[to - 1].extent.end() == pieces[to].extent.start())
        {
            to += 1;
        }
        shortest(&pieces[from..to], (size, align, window), |first, last, bytes, areas| {
            let found = (bytes, areas, from + first, from + last);
            if 0 < areas && best.is_none_or(|best| (found.0, found.1) < (best.0, best.1)) {
                best = Some(found);
            }
            if areas == 1 {
                single.push((bytes, from + first, from + last));
            }
        });
        from = to.max(from + 1);
    }
    let of = |first: usize, last: usize| cheapest(ground, &pieces[first..=last]);
    fence.cheapest = best.and_then(|(_, _, first, last)| of(first, last));
    single.sort_by_key(|&(bytes, first, _)| (bytes, first));
    // One area can be seen from the hole below it and without.
    let mut seen = Vec::new();
    for (_, first, last) in single {
        let Some(one) = of(first, last) else { continue };
        let at = one.areas[0].extent;
        if !seen.contains(&at) {
            seen.push(at);
            if fence.single.len() < SINGLE {
                fence.single.push(one);
            }
        }
    }
    fence.n_single = seen.len();
    fence
}

/// From each piece the shortest run in which the request fits: first and last piece, bytes and number of the areas.
/// A run that begins one later and is no longer cannot hold it, so the end only moves upwards.
fn shortest(
    pieces: &[Pieces],
    (size, align, window): (u64, u64, Window),
    mut found: impl FnMut(usize, usize, u64, usize),
) {
    let bytes_of = |piece: &Pieces| piece.busy.map_or(0, |held| held.extent.len_bytes());
    let (mut end, mut bytes, mut areas) = (0, 0_u64, 0_usize);
    for first in 0..pieces.len() {
        let fits = |end: usize| {
            let run = Extent::new(pieces[first].extent.start(), pieces[end - 1].extent.end());
            run.and_then(|run| Room::of(run, align, window)).is_some_and(|room| size <= room.bytes)
        };
        while end <= first || !fits(end) {
            let Some(piece) = pieces.get(end) else { return };
            bytes = bytes.saturating_add(bytes_of(piece));
            areas += usize::from(piece.busy.is_some());
            end += 1;
        }
        found(first, end - 1, bytes, areas);
        bytes = bytes.saturating_sub(bytes_of(&pieces[first]));
        areas -= usize::from(pieces[first].busy.is_some());
    }
}

fn cheapest(ground: &Ground, run: &[Pieces]) -> Option<Cheapest> {
    let areas: Vec<Held> = run.iter().filter_map(|piece| piece.busy).collect();
    let bytes = areas.iter().map(|held| held.extent.len_bytes()).fold(0, u64::saturating_add);
    let free = Extent::new(run.first()?.extent.start(), run.last()?.extent.end())?;
    let holders = areas.iter().map(|held| ground.holder(held).clone()).collect();
    Some(Cheapest { areas, holders, bytes, free })
}
