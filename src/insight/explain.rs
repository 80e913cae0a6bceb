//! Why a request finds no place, what would make it fit, and why an area lies where it lies.
//!
//! A [`Ground`] says what lies where at one moment: from a snapshot ([`Ground::of_snapshot`]) or from the state of a
//! replay ([`Moment`], [`Ground::of_space`]). [`explain`] answers from it alone; where the model stands behind it,
//! [`Searched`] says what the search of that kernel makes of the request, which above page alignment can differ from
//! what would fit.

mod ask;
mod fence;
mod ground;
mod here;
mod holders;
mod judge;
mod moment;
mod remedy;
mod verdict;

pub use ask::{Asked, AskedFrom, SizeFrom, failures_of, of_message, which_failure};
pub use fence::{Cheapest, Fence, fence};
pub use ground::{Doubt, Ground, Held, Holder, Pieces, RangeFrom, Sight, State};
pub use here::{Answered, Lower, Reason, WhyHere, why_here};
pub use holders::{HeldBy, Holders};
pub use judge::{Judged, Room, Short, best, judge};
pub use moment::{Moment, Searched, padded, why_here_aside, why_here_in, why_here_now};
pub use remedy::{Remedy, Whose};
pub use verdict::{Beside, Close, Explanation, Offer, Reasons, Verdict, explain};
