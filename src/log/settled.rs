//! What a snapshot says of one moment: the mark at its end.
//!
//! `/proc/vmallocinfo` is read over some time. Where marks in the recording enclose the read, the records between them
//! say what its rows cannot: an area that came or went meanwhile may be there or not, whatever the last record of it
//! says. Up to 6.8 rows can be missed or doubled at the borders of a page, from 6.9 on the nodes are read one by one.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use crate::event::{Event, EventKind};

use super::{Baseline, BaselineState, Clock, Log, Pointers};

/// Which snapshot of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Around {
    /// The one before the workload.
    Before,
    /// The one after it.
    After,
}

impl Around {
    fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// An area as it stands at the end of the read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// First address.
    pub start: u64,
    /// End, guard page included.
    pub end: u64,
    /// Freed and not purged.
    pub is_lazy: bool,
}

/// A record is stamped after what it tells has happened: so long, at most, with few exceptions.
const STAMPED_LATE_NS: u64 = 1_000_000;

impl Log {
    /// The records between the marks around the read of a snapshot: from the one behind the mark that begins it up to and
    /// with the mark that ends it. `None` if there is no such mark.
    ///
    /// Own recordings number their tries and say in the end which one was kept (`vmaplens:before:kept 2`); marks written by
    /// hand end in `before:begin` and `before:end`.
    pub fn snapshot_window(&self, around: Around) -> Option<Range<usize>> {
        let word = around.word();
        let text = |event: &Event| match event.kind {
            EventKind::Mark { text } => Some(self.names.text(text).trim_ascii()),
            _ => None,
        };
        let prefix = format!("vmaplens:{word}:kept ");
        let mut kept = None;
        for event in &self.events {
            kept = text(&event).and_then(|text| text.strip_prefix(prefix.as_bytes())).map(<[u8]>::to_vec).or(kept);
        }
        let ends = |edge: &str| match &kept {
            Some(number) => [[format!("vmaplens:{word}:{edge} ").as_bytes(), number].concat(), Vec::new()],
            None => [format!("{word}:{edge}").into_bytes(), format!("snapshot {word} {edge}").into_bytes()],
        };
        let is_mark = |event: &Event, wanted: &[Vec<u8>; 2]| {
            text(event).is_some_and(|text| wanted.iter().any(|wanted| !wanted.is_empty() && text.ends_with(wanted)))
        };
        let (begin, end) = (ends("begin"), ends("end"));
        let last = self.events.iter().position(|event| is_mark(&event, &end))? + 1;
        let first = (0..last).rev().find(|&index| is_mark(&self.events.nth(index), &begin));
        Some(first.map_or(last, |index| index + 1)..last)
    }

    /// The areas of a snapshot as they stand at the mark that ends its read, by address; as its rows say where there are no
    /// marks. `None` if its addresses cannot be used.
    pub fn settled(&self, around: Around) -> Option<Vec<Standing>> {
        let snapshot = match around {
            Around::Before => self.before.as_ref(),
            Around::After => self.after.as_ref(),
        };
        let rows = snapshot.filter(|snapshot| snapshot.pointers == Pointers::Real)?;
        let mut areas = Areas::of(rows);
        if let Some(window) = self.snapshot_window(around) {
            areas.replay(self, around, window);
        }
        Some(areas.0.into_values().collect())
    }
}

/// Areas by their starts.
#[derive(Debug, Clone)]
struct Areas(BTreeMap<u64, Standing>);

impl Areas {
    fn of(rows: &Baseline) -> Self {
        let standing = |row: &super::BaselineArea| {
            let is_lazy = row.state == BaselineState::Unpurged;
            (row.start, Standing { start: row.start, end: row.end, is_lazy })
        };
        Self(rows.areas.iter().filter(|row| row.start < row.end).map(standing).collect())
    }

    fn replay(&mut self, log: &Log, around: Around, window: Range<usize>) {
        self.add_unfinished(log, around, window.start);
        self.take_back(log.events.range(window.clone()));
        let mut kept = self.clone();
        for event in log.events.range(window.clone()) {
            self.apply(&event, true);
            kept.apply(&event, false);
        }
        // Rows that wait for a purge: was the one that ended meanwhile theirs? The next free has counted.
        if self.0 != kept.0 && kept.explains(log, window.end) && !self.explains(log, window.end) {
            *self = kept;
        }
        self.take_back_the_late(log, window.end);
    }

    /// Rows as they were before these records: what one of them frees was in use, even if its row was read later.
    fn take_back(&mut self, events: impl Iterator<Item = Event>) {
        let mut seen = HashSet::new();
        for event in events {
            let (EventKind::Alloc { addr, failed: false, .. }
            | EventKind::Free { addr, .. }
            | EventKind::FreeProbe { addr, .. }) = event.kind
            else {
                continue;
            };
            let is_free = !matches!(event.kind, EventKind::Alloc { .. });
            if let (true, true, Some(area)) = (seen.insert(addr.0), is_free, self.0.get_mut(&addr.0)) {
                area.is_lazy = false;
            }
        }
    }

    /// An area that was taken before the read and has no row: nobody had finished it. Before the workload all records
    /// count, since there are few; after it only the last ones, or every area would be explained away.
    fn add_unfinished(&mut self, log: &Log, around: Around, begin: usize) {
        let Some(mark) = begin.checked_sub(1).map(|index| log.events.nth(index)) else { return };
        let from = if log.origin.clock == Clock::Nanos { mark.at.0.saturating_sub(STAMPED_LATE_NS) } else { mark.at.0 };
        let mut open = BTreeMap::new();
        for event in log.events.range(..begin) {
            match event.kind {
                EventKind::Alloc { addr, size, failed: false, .. } => {
                    let is_near = around == Around::Before || from <= event.at.0;
                    let standing = Standing { start: addr.0, end: addr.0.saturating_add(size), is_lazy: false };
                    open.insert(addr.0, (standing, is_near));
                }
                EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => {
                    open.remove(&addr.0);
                }
                // What was lost could be the free.
                EventKind::Lost { .. } => open.clear(),
                _ => {}
            }
        }
        for (start, (standing, is_near)) in open {
            if is_near && !self.overlaps(&standing) {
                self.0.insert(start, standing);
            }
        }
    }

    fn overlaps(&self, area: &Standing) -> bool {
        self.0.range(..area.end).next_back().is_some_and(|(_, below)| area.start < below.end)
    }

    /// What a record between the marks says; `purges_rows`: purges take what waited before the read as well.
    fn apply(&mut self, event: &Event, purges_rows: bool) {
        match event.kind {
            EventKind::Alloc { addr, size, failed: false, .. } => {
                let area = Standing { start: addr.0, end: addr.0.saturating_add(size), is_lazy: false };
                self.clear(&area);
                self.0.insert(area.start, area);
            }
            EventKind::Unasked { addr, end } => {
                let area = Standing { start: addr.0, end: end.0, is_lazy: false };
                self.clear(&area);
                self.0.insert(area.start, area);
            }
            EventKind::Free { addr, .. } => {
                // Where neither a row nor a record tells the size, nothing is put in its place.
                if let Some(area) = self.0.get_mut(&addr.0) {
                    area.is_lazy = true;
                }
            }
            // A row can show it joined with others that wait, which kernels from 5.10 to 6.8 do.
            EventKind::FreeProbe { addr, end } if self.is_waiting(addr.0, end.0) => {}
            EventKind::FreeProbe { addr, end } => {
                let area = self.0.entry(addr.0).or_insert(Standing { start: addr.0, end: end.0, is_lazy: true });
                area.is_lazy = true;
                if area.end <= area.start {
                    self.0.remove(&addr.0);
                }
            }
            EventKind::Purge { start, end, num_purged } if purges_rows && num_purged > 0 => {
                self.0.retain(|_, area| !(area.is_lazy && start.0 <= area.start && area.end <= end.0));
            }
            EventKind::PurgeReturn { purged } if purges_rows && purged != Some(false) => {
                self.0.retain(|_, area| !area.is_lazy);
            }
            _ => {}
        }
    }

    /// Does one lazy area cover all of it?
    fn is_waiting(&self, start: u64, end: u64) -> bool {
        self.0.range(..=start).next_back().is_some_and(|(_, area)| area.is_lazy && end <= area.end)
    }

    /// What lies where an area was put has gone; what is left of joined ones that wait goes on waiting.
    fn clear(&mut self, area: &Standing) {
        while let Some((&start, &below)) = self.0.range(..area.end).next_back() {
            if below.end <= area.start {
                break;
            }
            self.0.remove(&start);
            if below.is_lazy && area.end < below.end {
                self.0.insert(area.end, Standing { start: area.end, ..below });
            }
            if below.is_lazy && below.start < area.start {
                self.0.insert(below.start, Standing { end: area.start, ..below });
                break;
            }
        }
    }

    /// Does the next free count the pages that wait here, and its own?
    fn explains(&self, log: &Log, from: usize) -> bool {
        let page = log.origin.page_size.unwrap_or(4096);
        for event in log.events.range(from..) {
            match event.kind {
                EventKind::Free { addr, nr_lazy, .. } => {
                    let pages = |area: &Standing| (area.end - area.start) / page;
                    let waiting: u64 = self.0.values().filter(|area| area.is_lazy).map(pages).sum();
                    return self.0.get(&addr.0).is_some_and(|area| !area.is_lazy && waiting + pages(area) == nr_lazy);
                }
                EventKind::Purge { .. } | EventKind::PurgeReturn { .. } => return false,
                _ => {}
            }
        }
        false
    }

    /// What the records right behind the end tell may have happened before it. They are going to be replayed, so the state
    /// must be the one before them.
    fn take_back_the_late(&mut self, log: &Log, end: usize) {
        if log.origin.clock != Clock::Nanos {
            return;
        }
        let Some(mark) = end.checked_sub(1).map(|index| log.events.nth(index)) else { return };
        let mut seen = HashSet::new();
        let late = log.events.range(end..).take_while(|event| event.at.0 <= mark.at.0 + STAMPED_LATE_NS);
        for event in late {
            match event.kind {
                EventKind::Alloc { addr, size, failed: false, .. } if seen.insert(addr.0) => {
                    let is_it = |area: &Standing| !area.is_lazy && area.end == addr.0.saturating_add(size);
                    if self.0.get(&addr.0).is_some_and(is_it) {
                        self.0.remove(&addr.0);
                    }
                }
                EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } if seen.insert(addr.0) => {
                    if let Some(area) = self.0.get_mut(&addr.0) {
                        area.is_lazy = false;
                    }
                }
                kind if kind.ends_purge() => break,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
