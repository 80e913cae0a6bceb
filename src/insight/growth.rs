//! [`History`]: many snapshots of one machine, kept as what changed from one to the next; [`Growth`]: what each caller,
//! module or kind did over them, with a [`Verdict`].
//!
//! Nothing here looks at an address: hashed and zeroed files count as any other, and the order of lines does not
//! matter. Callers are compared without offset and without what a compiler adds to a name, so that two builds of a
//! kernel can be compared.

mod course;
mod key;
mod verdict;

use std::collections::BTreeMap;
use std::ops::Range;

pub use course::{Clock, Course};
pub use key::{By, Key};
pub use verdict::{FEWEST, SEGMENTS, Verdict, judge};

use super::snapshot::{Group, Totals};

/// Which of the sums is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Measure {
    /// Bytes of address space, guard pages included.
    #[default]
    Virtual,
    /// Data pages.
    Pages,
    /// Areas.
    Areas,
}

impl Measure {
    /// Its figure of some sums.
    pub fn of(self, totals: &Totals) -> u64 {
        match self {
            Self::Virtual => totals.virtual_bytes,
            Self::Pages => totals.pages,
            Self::Areas => totals.areas,
        }
    }
}

/// What one key had from a snapshot on, until its next change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    /// The snapshot, as [`History`] numbers them.
    from: u32,
    /// How many areas; more than fit count as the most that do.
    areas: u32,
    virtual_bytes: u64,
    pages: u64,
}

impl Change {
    fn new(from: usize, totals: &Totals) -> Self {
        let Totals { areas, virtual_bytes, pages } = *totals;
        let areas = u32::try_from(areas).unwrap_or(u32::MAX);
        Self { from: from as u32, areas, virtual_bytes, pages }
    }

    fn totals(&self) -> Totals {
        Totals { areas: u64::from(self.areas), virtual_bytes: self.virtual_bytes, pages: self.pages }
    }
}

/// Snapshots of one machine in the order they were taken.
///
/// A snapshot is a number: the first is 0, and numbers stay when old snapshots are forgotten. Only changes are kept, 24
/// bytes each, and eight bytes for the time of each snapshot: 10,000 snapshots of 500 rows in which ten callers change
/// each time are about 2.5 MB. Taking one more looks at each key once.
#[derive(Debug, Clone)]
pub struct History {
    keys: Vec<Key>,
    /// Of each key, ascending; what comes before the first change is nothing.
    changes: Vec<Vec<Change>>,
    /// Places in `keys`, in the order of keys.
    order: Vec<u32>,
    /// Of each snapshot that is kept.
    times: Vec<Option<f64>>,
    /// Number of the first that is kept.
    first: usize,
    /// Snapshots to keep.
    limit: usize,
    /// The snapshot that is being taken in: zeros in between, so that it need not be made each time.
    now: Vec<Totals>,
}

impl Default for History {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

/// What a key did over some snapshots.
#[derive(Debug, Clone, PartialEq)]
pub struct Growth {
    /// Who.
    pub key: Key,
    /// What it had in the first of them.
    pub first: Totals,
    /// What it had in the one that others are compared with.
    pub base: Totals,
    /// What it had in the last of them.
    pub last: Totals,
    /// By how much the measure grew in a second; negative if it shrank. The line that fits best (least squares), of two
    /// snapshots their difference. `None` if a time is unknown.
    pub per_second: Option<f64>,
    /// What that looks like.
    pub verdict: Verdict,
}

impl Growth {
    /// Growth of a measure since the first of the snapshots.
    pub fn since_first(&self, measure: Measure) -> i128 {
        i128::from(measure.of(&self.last)) - i128::from(measure.of(&self.first))
    }

    /// Growth of a measure since the snapshot that others are compared with.
    pub fn since_base(&self, measure: Measure) -> i128 {
        i128::from(measure.of(&self.last)) - i128::from(measure.of(&self.base))
    }
}

impl History {
    /// Nothing yet. Of more than `limit` snapshots the oldest are forgotten, an eighth at a time.
    pub fn new(limit: usize) -> Self {
        Self {
            keys: Vec::new(),
            changes: Vec::new(),
            order: Vec::new(),
            times: Vec::new(),
            first: 0,
            limit: limit.max(1),
            now: Vec::new(),
        }
    }

    /// Takes one more snapshot: its sums by caller, module and kind ([`super::Summary::by_caller`]), and when it was
    /// taken, in seconds since any moment. A time that goes back is as good as none.
    pub fn push(&mut self, by_caller: &[Group<'_>], at: Option<f64>) {
        let number = self.snapshots().end;
        for group in by_caller {
            let key = self.place_of(group);
            self.now[key].join(&group.totals);
        }
        for (changes, now) in self.changes.iter_mut().zip(&mut self.now) {
            let now = std::mem::take(now);
            if changes.last().map(Change::totals).unwrap_or_default() != now {
                changes.push(Change::new(number, &now));
            }
        }
        self.times.push(at.filter(|at| at.is_finite()));
        if self.limit.saturating_add(self.limit / 8) < self.times.len() {
            self.forget(self.times.len() - self.limit);
        }
    }

    /// The numbers of the snapshots that are kept.
    pub fn snapshots(&self) -> Range<usize> {
        self.first..self.first + self.times.len()
    }

    /// When a snapshot was taken, in seconds.
    pub fn time(&self, number: usize) -> Option<f64> {
        *self.times.get(number.checked_sub(self.first)?)?
    }

    /// Changes kept, for who wants to know what the history costs.
    pub fn n_changes(&self) -> usize {
        self.changes.iter().map(Vec::len).sum()
    }

    /// What each key had in one snapshot, in the order of keys; those that had nothing are left out.
    pub fn at(&self, number: usize, by: By) -> Vec<(Key, Totals)> {
        let groups = self.groups(by).into_iter();
        let sums = groups.map(|(key, members)| (key, self.sum_at(&members, number)));
        sums.filter(|(_, totals)| *totals != Totals::default()).collect()
    }

    /// What all keys had together in one snapshot.
    pub fn totals(&self, number: usize) -> Totals {
        self.sum_at(&self.order, number)
    }

    /// What each key did over some of the snapshots, compared with `base`, the most grown since then first. Keys that
    /// had nothing in any of them are left out.
    pub fn growth(&self, over: Range<usize>, base: usize, by: By, measure: Measure) -> Vec<Growth> {
        let over = self.clamp(&over);
        if over.is_empty() {
            return Vec::new();
        }
        let clock = Clock::new(&self.times[over.start - self.first..over.end - self.first]);
        let groups = self.groups(by).into_iter();
        let mut rows: Vec<_> = groups
            .filter_map(|(key, members)| self.growth_of(key, &members, &over, base, measure, clock.as_ref()))
            .collect();
        rows.sort_by_cached_key(|row| (-row.since_base(measure), -i128::from(measure.of(&row.last)), row.key.clone()));
        rows
    }

    /// How a measure of a key of [`History::growth`] went over some of the snapshots, for a chart of at most `columns`:
    /// the highest value of each column.
    pub fn columns(&self, key: &Key, over: Range<usize>, by: By, measure: Measure, columns: usize) -> Vec<u64> {
        let over = self.clamp(&over);
        let members: Vec<_> = self.order.iter().copied().filter(|&n| self.keys[n as usize].by(by) == *key).collect();
        self.course(&members, &over, measure).map_or_else(Vec::new, |course| course.ceilings(columns))
    }

    fn growth_of(
        &self,
        key: Key,
        members: &[u32],
        over: &Range<usize>,
        base: usize,
        measure: Measure,
        clock: Option<&Clock>,
    ) -> Option<Growth> {
        let areas = self.course(members, over, Measure::Areas)?;
        if areas.runs().all(|(_, n)| n == 0) {
            return None;
        }
        let values = self.course(members, over, measure)?;
        Some(Growth {
            key,
            first: self.sum_at(members, over.start),
            base: self.sum_at(members, base),
            last: self.sum_at(members, over.end - 1),
            per_second: clock.and_then(|clock| clock.per_second(&values)),
            verdict: judge(&values, &areas),
        })
    }

    /// The place of a key, which is there from now on.
    fn place_of(&mut self, group: &Group<'_>) -> usize {
        let (caller, module, kind) = key::normal(group);
        let found = self.order.binary_search_by(|&n| {
            let known = &self.keys[n as usize];
            (known.caller.as_deref(), known.module.as_deref(), known.kind).cmp(&(caller, module, kind))
        });
        match found {
            Ok(at) => self.order[at] as usize,
            Err(at) => {
                let place = self.keys.len();
                self.keys.push(Key { caller: caller.map(str::to_owned), module: module.map(str::to_owned), kind });
                self.changes.push(Vec::new());
                self.now.push(Totals::default());
                self.order.insert(at, place as u32);
                place
            }
        }
    }

    /// Keys by what they have in common, in the order of keys.
    fn groups(&self, by: By) -> BTreeMap<Key, Vec<u32>> {
        let mut groups: BTreeMap<Key, Vec<u32>> = BTreeMap::new();
        for &n in &self.order {
            groups.entry(self.keys[n as usize].by(by)).or_default().push(n);
        }
        groups
    }

    fn sum_at(&self, members: &[u32], number: usize) -> Totals {
        let mut sum = Totals::default();
        for &n in members {
            let changes = &self.changes[n as usize];
            let after = changes.partition_point(|change| change.from as usize <= number);
            if let Some(change) = after.checked_sub(1).and_then(|at| changes.get(at)) {
                sum.join(&change.totals());
            }
        }
        sum
    }

    /// The sum of some keys over snapshots; `None` of no snapshot.
    fn course(&self, members: &[u32], over: &Range<usize>, measure: Measure) -> Option<Course> {
        let mut steps: Vec<(usize, i128)> = Vec::new();
        for &n in members {
            let mut before = 0;
            for change in self.changes[n as usize].iter().take_while(|change| (change.from as usize) < over.end) {
                let value = i128::from(measure.of(&change.totals()));
                steps.push(((change.from as usize).saturating_sub(over.start), value - before));
                before = value;
            }
        }
        steps.sort_by_key(|(at, _)| *at);
        Course::from_steps(over.len(), &steps)
    }

    fn clamp(&self, over: &Range<usize>) -> Range<usize> {
        let kept = self.snapshots();
        let start = over.start.clamp(kept.start, kept.end);
        start..over.end.clamp(start, kept.end)
    }

    /// Forgets the oldest snapshots.
    fn forget(&mut self, n: usize) {
        self.times.drain(..n);
        self.first += n;
        let first = self.first as u32;
        for changes in &mut self.changes {
            // The last one that is not later still tells what was there.
            let kept = changes.partition_point(|change| change.from <= first).saturating_sub(1);
            changes.drain(..kept);
        }
        self.forget_keys();
    }

    /// Drops keys that have nothing in any snapshot that is kept.
    fn forget_keys(&mut self) {
        let is_there: Vec<bool> = self.changes.iter().map(|changes| changes.iter().any(|c| 0 < c.areas)).collect();
        if is_there.iter().all(|there| *there) {
            return;
        }
        let mut places = Vec::with_capacity(is_there.len());
        let mut place = 0;
        for there in &is_there {
            places.push(place);
            place += u32::from(*there);
        }
        self.order.retain(|&n| is_there[n as usize]);
        self.order.iter_mut().for_each(|n| *n = places[*n as usize]);
        let mut there = is_there.iter();
        self.keys.retain(|_| there.next() == Some(&true));
        let mut there = is_there.iter();
        self.changes.retain(|_| there.next() == Some(&true));
        self.now.truncate(self.keys.len());
    }
}
