//! Why a request cannot use a hole, in the same words wherever it is told.

use super::text;
use crate::log::Window;
use crate::model::Extent;
use crate::model::search::align_up;

/// What keeps a request out of a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The hole ends at or below the window's start.
    Below,
    /// The hole starts at or above the window's end.
    Above,
    /// So many bytes are missing.
    TooSmall(u64),
    /// Long enough, but from the first aligned address on so many bytes are left.
    Alignment(u64),
    /// It fits, but the area would end so many bytes behind the window. The search does not look at that.
    Behind(u64),
}

/// Judges a hole; `None` if the request fits.
pub(crate) fn misfit(hole: Extent, (size, align, window): (u64, u64, Window)) -> Option<Misfit> {
    if hole.end() <= window.vstart {
        return Some(Misfit::Below);
    }
    let from = hole.start().max(window.vstart);
    let room = hole.end() - from;
    if room < size {
        return Some(Misfit::TooSmall(size - room));
    }
    let start = align_up(from, align);
    let end = start.wrapping_add(size);
    if start < from || end < start || hole.end() < end {
        let left = if start < from { 0 } else { hole.end().saturating_sub(start) };
        return Some(Misfit::Alignment(left));
    }
    (window.vend < end).then(|| Misfit::Behind(end - window.vend))
}

impl Misfit {
    /// A few words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Below => "below the window".to_owned(),
            Self::Above => "above the window".to_owned(),
            Self::TooSmall(bytes) => format!("{} too small", text::bytes(bytes)),
            Self::Alignment(left) => format!("alignment leaves {}", text::bytes(left)),
            Self::Behind(bytes) => format!("ends {} behind the window", text::bytes(bytes)),
        }
    }

    /// The same for holes that differ in how much: `from` and `to` are two of one kind.
    pub(crate) fn words_between(from: Self, to: Self) -> String {
        match (from, to) {
            (Self::TooSmall(a), Self::TooSmall(b)) if text::bytes(a) != text::bytes(b) => {
                format!("{} to {} too small", text::bytes(a.min(b)), text::bytes(a.max(b)))
            }
            (Self::Alignment(a), Self::Alignment(b)) if text::bytes(a) != text::bytes(b) => {
                format!("alignment leaves {} to {}", text::bytes(a.min(b)), text::bytes(a.max(b)))
            }
            _ => from.words(),
        }
    }

    /// The number in it, to find the least and the most.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Below | Self::Above => 0,
            Self::TooSmall(bytes) | Self::Alignment(bytes) | Self::Behind(bytes) => bytes,
        }
    }
}
