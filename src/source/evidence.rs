//! Was a snapshot taken before the recording, or after it? Addresses tell: what the recording frees without having
//! allocated it was there before; what it allocates and never frees is there after.

use std::collections::{BTreeMap, BTreeSet};

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

/// What a recording says about the moments around it.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Per address: did its first record free it, and did its last one allocate it?
    ends: BTreeMap<u64, (bool, bool)>,
    /// Records are missing, so that little follows from what is not there.
    has_lost: bool,
}

impl Evidence {
    /// Of a recording.
    pub fn of(log: &Log) -> Self {
        let mut evidence = Self { has_lost: log.origin.overwritten != 0, ..Self::default() };
        for event in &log.events {
            let (addr, allocates) = match event.kind {
                EventKind::Alloc { addr, failed: false, .. } | EventKind::Unasked { addr, .. } => (addr, true),
                EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => (addr, false),
                EventKind::Lost { .. } => {
                    evidence.has_lost = true;
                    continue;
                }
                _ => continue,
            };
            evidence.ends.entry(addr.0).or_insert((!allocates, allocates)).1 = allocates;
        }
        evidence
    }

    /// Votes for before and for after.
    fn votes(&self, snapshot: &Baseline) -> (usize, usize) {
        let Some(busy) = busy(snapshot) else { return (0, 0) };
        let (mut before, mut after) = (0, 0);
        for (addr, ends) in &self.ends {
            match (ends, busy.contains(addr)) {
                // There before, and gone after.
                ((true, false), true) | ((false, true), false) => before += 1,
                ((true, false), false) | ((false, true), true) => after += 1,
                _ => {}
            }
        }
        (before, after)
    }

    /// Refuses a snapshot that knows next to nothing of the addresses it would have to know.
    ///
    /// # Errors
    /// It is of another boot or machine.
    pub fn check_belongs(&self, name: &str, snapshot: &Baseline) -> Result<(), SourceError> {
        let Some(busy) = busy(snapshot).filter(|_| !self.has_lost) else { return Ok(()) };
        let of = |wanted: &dyn Fn(&(bool, bool)) -> bool| {
            let known = self.ends.iter().filter(|(_, ends)| wanted(ends));
            (known.clone().count(), known.filter(|(addr, _)| busy.contains(addr)).count())
        };
        let (before, after) = self.votes(snapshot);
        let (known, found) = if after <= before { of(&|ends| ends.0) } else { of(&|ends| ends.1) };
        if ENOUGH <= known && found * 10 < known {
            let what = if after <= before { "frees were there before" } else { "leaves behind were there after" };
            return Err(SourceError::Apart {
                why: format!(
                    "{name} is of another boot or machine: of {known} areas that the recording {what}, it has {found}"
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

/// Starts of the areas in use; `None` if its addresses tell nothing.
fn busy(snapshot: &Baseline) -> Option<BTreeSet<u64>> {
    let areas = snapshot.areas.iter().filter(|area| area.state != BaselineState::Unpurged);
    (snapshot.pointers == Pointers::Real).then(|| areas.map(|area| area.start).collect())
}

fn by_name(name: &str) -> Option<Place> {
    let name = name.to_ascii_lowercase();
    match (name.contains("before"), name.contains("after")) {
        (true, false) => Some(Place::Before),
        (false, true) => Some(Place::After),
        _ => None,
    }
}
