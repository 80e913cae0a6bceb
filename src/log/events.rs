//! [`Events`]: the records of a log in 24 bytes each.
//!
//! What a kernel really writes fits: addresses and sizes are whole pages, alignments powers of two, and few windows and
//! limits occur. Whatever does not fit, a hostile number or one nobody has thought of, is kept as a whole in a table
//! beside the rows. So nothing is ever cut: what was put in comes out.
//!
//! | bytes | what |
//! | --- | --- |
//! | 4, 4 | line; task (20 bits) and CPU (12 bits) |
//! | 5 | time stamp, less that of the first record of its block of 64 |
//! | 11 | kind (5 bits), an address in pages (45 bits), and what else the kind has (38 bits) |
//! | 0.125 | the first time stamp of each block |

mod row;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::{Bound, RangeBounds};

use crate::event::{Event, EventKind, TaskId};

use row::Row;

/// Records that count their time from the same moment.
const BLOCK: usize = 64;

/// The records of a log, in order, handed out by value.
#[derive(Clone, Default)]
pub struct Events {
    rows: Vec<Row>,
    /// Per block: the time its rows count from.
    blocks: Vec<u64>,
    /// Records that do not fit into a row.
    odd: Vec<Event>,
    /// The values of `nr_lazy_max` that rows refer to.
    limits: Vec<u64>,
    /// There can be records of probed allocations and frees.
    may_be_probed: bool,
}

impl Events {
    /// No records yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Appends a record.
    pub fn push(&mut self, event: Event) {
        self.may_be_probed |= is_probed(&event.kind);
        if self.rows.len().is_multiple_of(BLOCK) {
            self.blocks.push(event.at.0);
        }
        let row = Row::of(&event, self.blocks[self.rows.len() / BLOCK], &mut self.limits).unwrap_or_else(|| {
            self.odd.push(event);
            Row::odd(self.odd.len() - 1)
        });
        self.rows.push(row);
    }

    /// The record at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Event> {
        self.rows.get(index).map(|row| self.unpacked(index, *row))
    }

    /// The record at `index`, for a place that is known to exist.
    ///
    /// # Panics
    /// There is no such place.
    #[inline]
    pub fn nth(&self, index: usize) -> Event {
        self.unpacked(index, self.rows[index])
    }

    /// Who was running at a place: less work than the whole record.
    #[inline]
    pub fn task(&self, index: usize) -> Option<TaskId> {
        let row = self.rows.get(index)?;
        Some(row.place().map_or_else(|| row.task(), |place| self.odd[place].task))
    }

    /// Were allocations or frees seen by probes? For most traces the answer is known without a look at them.
    pub fn are_probed(&self) -> bool {
        self.may_be_probed && self.iter().any(|event| is_probed(&event.kind))
    }

    /// The first record.
    pub fn first(&self) -> Option<Event> {
        self.get(0)
    }

    /// The last record.
    pub fn last(&self) -> Option<Event> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Puts another record at a place.
    ///
    /// # Panics
    /// There is no such place.
    pub fn set(&mut self, index: usize, event: Event) {
        self.may_be_probed |= is_probed(&event.kind);
        let old = self.rows[index];
        let row = Row::of(&event, self.blocks[index / BLOCK], &mut self.limits);
        self.rows[index] = match (row, old.place()) {
            (Some(row), _) => row,
            (None, Some(place)) => {
                self.odd[place] = event;
                old
            }
            (None, None) => {
                self.odd.push(event);
                Row::odd(self.odd.len() - 1)
            }
        };
    }

    /// Changes the record at a place; nothing if there is no such place.
    pub fn update(&mut self, index: usize, change: impl FnOnce(&mut Event)) {
        if let Some(mut event) = self.get(index) {
            change(&mut event);
            self.set(index, event);
        }
    }

    /// Changes the records as a plain list, for which there has to be room.
    pub fn edit<T>(&mut self, change: impl FnOnce(&mut Vec<Event>) -> T) -> T {
        let mut events = self.to_vec();
        let answer = change(&mut events);
        *self = events.into();
        answer
    }

    /// Every record, in order.
    pub fn iter(&self) -> Iter<'_> {
        self.range(..)
    }

    /// The records of some places; those past the end are left out.
    pub fn range(&self, places: impl RangeBounds<usize>) -> Iter<'_> {
        let from = match places.start_bound() {
            Bound::Included(&from) => from,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match places.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&to) => to,
            Bound::Unbounded => usize::MAX,
        };
        let to = to.min(self.len());
        Iter { events: self, from: from.min(to), to }
    }

    /// Keeps the first `len` records.
    pub fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
        self.blocks.truncate(len.div_ceil(BLOCK));
    }

    /// Puts the records into another order: which one was where that now stands at each place.
    pub fn reorder(&mut self, order: &[u32]) {
        *self = order.iter().filter_map(|&index| self.get(index as usize)).collect();
    }

    /// The same records, unpacked.
    pub fn to_vec(&self) -> Vec<Event> {
        self.iter().collect()
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let bytes = self.rows.capacity() * size_of::<Row>()
            + self.blocks.capacity() * size_of::<u64>()
            + self.odd.capacity() * size_of::<Event>()
            + self.limits.capacity() * size_of::<u64>();
        bytes as u64
    }

    #[inline]
    fn unpacked(&self, index: usize, row: Row) -> Event {
        match row.place() {
            Some(place) => self.odd[place],
            None => row.event(self.blocks[index / BLOCK], &self.limits),
        }
    }
}

fn is_probed(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Request { .. } | EventKind::Unasked { .. } | EventKind::FreeProbe { .. })
}

/// The records of some places of a log.
#[derive(Clone)]
pub struct Iter<'a> {
    events: &'a Events,
    from: usize,
    to: usize,
}

impl Iterator for Iter<'_> {
    type Item = Event;

    #[inline]
    fn next(&mut self) -> Option<Event> {
        if self.from == self.to {
            return None;
        }
        self.from += 1;
        self.events.get(self.from - 1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.to - self.from, Some(self.to - self.from))
    }

    fn nth(&mut self, n: usize) -> Option<Event> {
        self.from = self.from.saturating_add(n).min(self.to);
        self.next()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Event> {
        if self.from == self.to {
            return None;
        }
        self.to -= 1;
        self.events.get(self.to)
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = Event;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Extend<Event> for Events {
    fn extend<T: IntoIterator<Item = Event>>(&mut self, events: T) {
        events.into_iter().for_each(|event| self.push(event));
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<T: IntoIterator<Item = Event>>(events: T) -> Self {
        let mut all = Self::default();
        all.extend(events);
        all
    }
}

impl From<Vec<Event>> for Events {
    fn from(events: Vec<Event>) -> Self {
        events.into_iter().collect()
    }
}

impl PartialEq for Events {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Events {}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
