//! Was a snapshot taken before the recording, or after it, or does it belong to another one? Addresses tell: what is
//! freed without having been allocated was there before; what is allocated and never freed is there after.

use std::collections::BTreeMap;

use crate::event::EventKind;
use crate::log::{Baseline, BaselineState, Log, Pointers};

use super::SourceError;

/// Addresses that have to be known before a snapshot can be said to be of another boot.
const ENOUGH: usize = 8;

/// When a snapshot was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before the first record.
    Before,
    /// After the last one.
    After,
}

/// What a recording says about an address at the two moments: is an area there, and how large is it, if that is told?
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    before: Option<(bool, Option<u64>)>,
    after: Option<(bool, Option<u64>)>,
}

/// What a recording says about the moments around it. A recorder that leaves marks takes its snapshots within the
/// recording: then these are the moments.
#[derive(Debug, Default)]
pub struct Evidence {
    known: BTreeMap<u64, Known>,
    /// Records are missing, so that little follows from what is not there.
    has_lost: bool,
}

impl Evidence {
    /// Of a recording.
    pub fn of(log: &Log) -> Self {
        let mut evidence = Self { has_lost: log.origin.overwritten != 0, ..Self::default() };
        let first = log.snapshot_place().unwrap_or(0);
        let last = log.last_snapshot_place().unwrap_or(log.events.len());
        for (n, event) in log.events.iter().enumerate() {
            let (addr, size) = match event.kind {
                EventKind::Alloc { addr, size, failed: false, .. } => (addr, Some(size)),
                EventKind::Unasked { addr, end } => (addr, Some(end.0.wrapping_sub(addr.0))),
                EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => (addr, None),
                EventKind::Lost { .. } => {
                    evidence.has_lost = true;
                    continue;
                }
                _ => continue,
            };
            let known = evidence.known.entry(addr.0).or_default();
            for (moment, state) in [(first, &mut known.before), (last, &mut known.after)] {
                // What was last done before it counts; without that, the first thing after it tells what was undone.
                if n < moment {
                    *state = Some((size.is_some(), size));
                } else if state.is_none() {
                    *state = Some((size.is_none(), None));
                }
            }
        }
        evidence
    }

    /// Votes for before and for after: addresses with an area at one of the moments and none at the other.
    fn votes(&self, snapshot: &Baseline) -> (usize, usize) {
        let Some(busy) = busy(snapshot) else { return (0, 0) };
        let (mut before, mut after) = (0, 0);
        for (addr, known) in &self.known {
            let at = |state: Option<(bool, Option<u64>)>| state.is_some_and(|(there, _)| there);
            let is_there = busy.contains_key(addr);
            if at(known.before) != at(known.after) {
                *(if at(known.before) == is_there { &mut before } else { &mut after }) += 1;
            }
        }
        (before, after)
    }

    /// Refuses a snapshot that knows less than half of the areas it would have to know.
    ///
    /// # Errors
    /// It is of another boot or machine.
    pub fn check_belongs(&self, name: &str, snapshot: &Baseline) -> Result<(), SourceError> {
        let Some(busy) = busy(snapshot).filter(|_| !self.has_lost) else { return Ok(()) };
        let (before, after) = self.votes(snapshot);
        let state = |known: &Known| if after <= before { known.before } else { known.after };
        let there =
            self.known.iter().filter_map(|(addr, known)| Some((addr, state(known).filter(|(there, _)| *there)?.1)));
        let is_found = |addr: &u64, size: Option<u64>| {
            busy.get(addr).is_some_and(|listed| size.is_none_or(|size| size == *listed))
        };
        let wanted = there.clone().count();
        let found = there.filter(|(addr, size)| is_found(addr, *size)).count();
        if ENOUGH <= wanted && found * 2 < wanted {
            let when = if after <= before { "before" } else { "after" };
            return Err(SourceError::Apart {
                why: format!(
                    "{name} does not belong to the recording: of {wanted} areas that were there {when} it, it has {found}"
                ),
                hint: "take the snapshot in the same boot as the recording, right before or after it",
            });
        }
        Ok(())
    }

    /// When one snapshot was taken, and what had to be assumed.
    pub fn place(&self, name: &str, snapshot: &Baseline) -> (Place, Option<String>) {
        let (before, after) = self.votes(snapshot);
        if before != after {
            return (if after < before { Place::Before } else { Place::After }, None);
        }
        let place = by_name(name).unwrap_or(Place::Before);
        let from = if by_name(name).is_some() { "by its name" } else { "for want of anything that tells" };
        let word = if place == Place::Before { "before" } else { "after" };
        let note =
            format!("{name} was taken for the snapshot {word} the recording, {from}: --snapshot and --after decide");
        (place, Some(note))
    }

    /// Which of two was first, and what had to be assumed.
    pub fn order(&self, one: (String, Baseline), other: (String, Baseline)) -> (Baseline, Baseline, Option<String>) {
        let ((b1, a1), (b2, a2)) = (self.votes(&one.1), self.votes(&other.1));
        if b1 + a2 != b2 + a1 {
            let (first, last) = if b2 + a1 < b1 + a2 { (one, other) } else { (other, one) };
            return (first.1, last.1, None);
        }
        let swapped = by_name(&one.0) == Some(Place::After) || by_name(&other.0) == Some(Place::Before);
        let (first, last) = if swapped { (other, one) } else { (one, other) };
        let note = format!(
            "{} was taken for the snapshot before the recording and {} for the one after it, by their names: --snapshot \
             and --after decide",
            first.0, last.0
        );
        (first.1, last.1, Some(note))
    }
}

/// Starts and sizes of the areas in use; `None` if its addresses tell nothing.
fn busy(snapshot: &Baseline) -> Option<BTreeMap<u64, u64>> {
    let areas = snapshot.areas.iter().filter(|area| area.state != BaselineState::Unpurged);
    (snapshot.pointers == Pointers::Real)
        .then(|| areas.map(|area| (area.start, area.end.wrapping_sub(area.start))).collect())
}

fn by_name(name: &str) -> Option<Place> {
    let name = name.to_ascii_lowercase();
    match (name.contains("before"), name.contains("after")) {
        (true, false) => Some(Place::Before),
        (false, true) => Some(Place::After),
        _ => None,
    }
}
