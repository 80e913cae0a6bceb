//! [`Explanation`]: the answer, and what it rests on.

use super::ask::Asked;
use super::ground::{Doubt, Ground, Held, Holder, RangeFrom};
use super::holders::Holders;
use super::judge::{Judged, Room, Short, best, judge};
use super::moment::Searched;
use super::remedy::{Remedy, remedies};
use crate::model::Extent;

/// Does it fit?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It fits as it is: a lack of address space is not the reason.
    Fits {
        /// Where.
        at: u64,
    },
    /// No hole is long enough now, but one is after a purge, which the kernel does by itself before it gives up.
    FitsAfterPurge {
        /// Where.
        at: u64,
    },
    /// A hole is long enough, but the kernel's search does not come to it.
    PassedBy {
        /// Where it would fit.
        at: u64,
    },
    /// No stretch is long enough, also not after a purge.
    DoesNotFit,
    /// The window itself is shorter than the request: nothing that leaves can help.
    CannotFit,
    /// Nobody can tell from what is known.
    NotKnown,
}

impl Verdict {
    /// The word of the machine contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fits { .. } => "fits",
            Self::FitsAfterPurge { .. } => "fits-after-purge",
            Self::PassedBy { .. } => "passed-by",
            Self::DoesNotFit => "does-not-fit",
            Self::CannotFit => "cannot-fit",
            Self::NotKnown => "not-known",
        }
    }

    /// Will the request be served, by the search as it stands or after the purge that follows it?
    pub fn is_served(self) -> bool {
        matches!(self, Self::Fits { .. } | Self::FitsAfterPurge { .. })
    }
}

/// What is free in the window, at once or after a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offer {
    /// Holes that reach into the window.
    pub holes: u64,
    /// Their bytes inside.
    pub bytes: u64,
    /// Holes in which the request fits.
    pub fitting: u64,
    /// Bytes of the longest inside the window.
    pub largest: u64,
    /// What offers most behind its first aligned address.
    pub best: Option<Room>,
}

/// An area beside a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// The area.
    pub held: Held,
    /// Whose it is.
    pub holder: Holder,
}

/// A hole that came close, and why it was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// What it offers.
    pub room: Room,
    /// Why that is not enough; `None`: it is.
    pub why: Option<Short>,
    /// Bytes missing.
    pub missing: u64,
    /// What ends where it starts.
    pub below: Option<Beside>,
    /// What starts where it ends.
    pub above: Option<Beside>,
}

/// How many holes were refused for which reason, and by how little at best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reasons {
    /// Why.
    pub why: Short,
    /// Holes.
    pub holes: u64,
    /// Bytes missing in the best of them.
    pub least: u64,
    /// Bytes missing in the worst of them.
    pub most: u64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What was asked for.
    pub asked: Asked,
    /// Does it fit?
    pub verdict: Verdict,
    /// Where the range is known from.
    pub range_from: RangeFrom,
    /// What is free.
    pub now: Offer,
    /// What is free after a purge.
    pub purged: Offer,
    /// Bytes missing after a purge; 0 if it fits then.
    pub short_by: u64,
    /// The holes that came closest, the best first.
    pub close: Vec<Close>,
    /// Every hole of the window that was refused, by reason.
    pub reasons: Vec<Reasons>,
    /// Who holds the window.
    pub holders: Holders,
    /// What would help.
    pub remedies: Vec<Remedy>,
    /// What has to be offer in mind.
    pub doubts: Vec<Doubt>,
    /// Does the answer say where things lie?
    pub has_addresses: bool,
    /// Bytes in a page.
    pub page_size: u64,
    /// Addresses have eight digits.
    pub is_32_bit: bool,
}

/// Holes that are told one by one.
const CLOSE: usize = 6;

/// Answers a request. Where the model's own search was asked, what that says decides; arithmetic explains.
pub fn explain(ground: &Ground, asked: Asked, searched: Option<&Searched>) -> Explanation {
    let purged_holes = ground.purged();
    let now = offer(&ground.holes, &asked);
    let purged = offer(&purged_holes, &asked);
    let verdict = verdict(ground, &asked, (&now, &purged), searched);
    let holders = Holders::of(ground, asked.window);
    let has_addresses = ground.has_addresses();
    let needs_help = has_addresses && !matches!(verdict, Verdict::Fits { .. });
    let remedies = if needs_help { remedies(ground, &asked, &holders, &purged_holes) } else { Vec::new() };
    let needed = asked.size.saturating_add(ground.gap);
    let offered = purged.best.map_or(0, |room| room.bytes);
    let mut doubts: Vec<Doubt> = ground.doubts.iter().chain(&asked.doubts).copied().collect();
    if let Some(searched) = searched
        && asked.size < searched.length
    {
        doubts.push(Doubt::Padded(searched.length));
    }
    doubts.sort_unstable();
    doubts.dedup();
    let (close, reasons) = if has_addresses { holes(ground, &asked) } else { (Vec::new(), Vec::new()) };
    Explanation {
        verdict,
        range_from: ground.range_from,
        now,
        purged,
        short_by: if verdict.is_served() { 0 } else { needed.saturating_sub(offered) },
        close,
        reasons,
        holders,
        remedies,
        doubts,
        has_addresses,
        page_size: ground.page_size,
        is_32_bit: ground.is_32_bit,
        asked,
    }
}

fn verdict(ground: &Ground, asked: &Asked, (now, purged): (&Offer, &Offer), searched: Option<&Searched>) -> Verdict {
    if asked.window.len_bytes() < asked.size {
        return Verdict::CannotFit;
    }
    if !ground.has_addresses() {
        return Verdict::NotKnown;
    }
    let needed = asked.size.saturating_add(ground.gap);
    let fitting = |offer: &Offer| offer.best.filter(|room| needed <= room.bytes).map(|room| room.start);
    let Some(searched) = searched else {
        return match (lowest(&ground.holes, asked), fitting(purged)) {
            (Some(at), _) => Verdict::Fits { at },
            (None, Some(at)) => Verdict::FitsAfterPurge { at },
            // What lies beyond the areas that are listed may be free.
            (None, None) if ground.range_from == RangeFrom::Areas => Verdict::NotKnown,
            (None, None) => Verdict::DoesNotFit,
        };
    };
    match (searched.now, searched.purged) {
        (Some(at), _) => Verdict::Fits { at },
        (None, Some(at)) => Verdict::FitsAfterPurge { at },
        (None, None) => fitting(now).or(fitting(purged)).map_or(Verdict::DoesNotFit, |at| Verdict::PassedBy { at }),
    }
}

/// The lowest address at which it fits.
fn lowest(holes: &[Extent], asked: &Asked) -> Option<u64> {
    holes.iter().find_map(|hole| match judge(*hole, asked.size, asked.align, asked.window) {
        Judged::Fits(room) => Some(room.start),
        Judged::Outside | Judged::Short { .. } => None,
    })
}

fn offer(holes: &[Extent], asked: &Asked) -> Offer {
    let mut offer = Offer { best: best(holes, asked.align, asked.window), ..Offer::default() };
    for room in holes.iter().filter_map(|hole| Room::of(*hole, asked.align, asked.window)) {
        offer.holes += 1;
        offer.bytes += room.inside;
        offer.fitting += u64::from(asked.size <= room.bytes);
        offer.largest = offer.largest.max(room.inside);
    }
    offer
}

/// The holes of the window: the closest one by one, the refused ones by reason.
fn holes(ground: &Ground, asked: &Asked) -> (Vec<Close>, Vec<Reasons>) {
    let mut rooms: Vec<(Room, Option<Short>, u64)> = Vec::new();
    let mut reasons: Vec<Reasons> = Vec::new();
    for hole in &ground.holes {
        match judge(*hole, asked.size, asked.align, asked.window) {
            Judged::Outside => {}
            Judged::Fits(room) => rooms.push((room, None, 0)),
            Judged::Short { room, why, missing } => {
                rooms.push((room, Some(why), missing));
                match reasons.iter_mut().find(|known| known.why == why) {
                    Some(known) => {
                        known.holes += 1;
                        (known.least, known.most) = (known.least.min(missing), known.most.max(missing));
                    }
                    None => reasons.push(Reasons { why, holes: 1, least: missing, most: missing }),
                }
            }
        }
    }
    reasons.sort_by_key(|reason| reason.why);
    rooms.sort_by_key(|(room, ..)| (std::cmp::Reverse(room.bytes), room.start));
    rooms.truncate(CLOSE);
    let beside = |held: Option<&Held>| held.map(|held| Beside { held: *held, holder: ground.holder(held).clone() });
    let close = rooms.into_iter().map(|(room, why, missing)| {
        let (below, above) = ground.beside(room.hole);
        Close { room, why, missing, below: beside(below), above: beside(above) }
    });
    (close.collect(), reasons)
}
