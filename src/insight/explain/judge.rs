//! What keeps a request out of a hole: plain arithmetic, no search.

use crate::log::Window;
use crate::model::Extent;
use crate::model::search::align_up;

/// What a hole offers to a request.
///
/// ```text
///   hole    |.........................|
///   window        |.....................
///   start            |                      the first aligned address inside of both
///   bytes            |................|     from there to the end of both
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The hole, all of it.
    pub hole: Extent,
    /// The part inside the window, in bytes.
    pub inside: u64,
    /// The first aligned address.
    pub start: u64,
    /// Bytes from there on; 0 if alignment leaves nothing.
    pub bytes: u64,
}

/// Why a hole inside the window is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Short {
    /// The hole has fewer bytes than the request.
    TooSmall,
    /// It has enough, but not inside the window.
    Clipped,
    /// It has enough inside, but not behind the first aligned address.
    Alignment,
}

/// What arithmetic says of a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// No byte of it is inside the window.
    Outside,
    /// The request fits, at the first aligned address.
    Fits(Room),
    /// It does not.
    Short {
        /// What the hole offers.
        room: Room,
        /// Why that is not enough.
        why: Short,
        /// Bytes that are missing behind the first aligned address.
        missing: u64,
    },
}

impl Room {
    /// What a hole offers; `None` if it lies outside the window.
    pub fn of(hole: Extent, align: u64, window: Window) -> Option<Self> {
        let inside = hole.intersection(Extent::new(window.vstart, window.vend)?)?;
        let start = align_up(inside.start(), align.max(1));
        // Behind the last aligned address the sum wraps.
        let bytes = if start < inside.start() { 0 } else { inside.end().saturating_sub(start) };
        Some(Self { hole, inside: inside.len_bytes(), start, bytes })
    }
}

/// Judges a hole.
pub fn judge(hole: Extent, size: u64, align: u64, window: Window) -> Judged {
    let Some(room) = Room::of(hole, align, window) else { return Judged::Outside };
    match size.checked_sub(room.bytes) {
        None | Some(0) => Judged::Fits(room),
        Some(missing) => {
            let why = match () {
                () if hole.len_bytes() < size => Short::TooSmall,
                () if room.inside < size => Short::Clipped,
                () => Short::Alignment,
            };
            Judged::Short { room, why, missing }
        }
    }
}

/// The hole that offers most, the lowest of equal ones.
pub fn best(holes: &[Extent], align: u64, window: Window) -> Option<Room> {
    let rooms = holes.iter().filter_map(|hole| Room::of(*hole, align, window));
    rooms.reduce(|best, room| if best.bytes < room.bytes { room } else { best })
}
