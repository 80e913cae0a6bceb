//! What probes show of calls: where each begins and where it ends.

use std::collections::{HashMap, VecDeque};

use crate::event::EventKind;
use crate::model::PurgeKind;

use super::super::super::overflow::Overflow;
use super::{Orphan, PurgeFacts, Reader};

/// What follows for single records.
#[derive(Debug, Default)]
pub(super) struct Probed {
    /// Returns of allocations: the record of their entry.
    pub(super) since: HashMap<u32, u32>,
    /// Frees that had begun, and need not have got far, when purges began on other CPUs: how many.
    pub(super) late: HashMap<u32, u32>,
    /// There is any record of a probe.
    pub(super) is_seen: bool,
}

/// Calls under way.
#[derive(Debug)]
pub(super) struct Calls {
    /// Per task: where it entered the allocation it is in.
    allocs: Vec<Option<u32>>,
    /// Where the purge that runs was entered. There is one at a time.
    purge: Option<u32>,
    /// Per CPU whose last record is the beginning of a free: that record.
    frees: HashMap<u16, u32>,
}

impl Calls {
    pub(super) fn new(n_tasks: usize) -> Self {
        Self { allocs: vec![None; n_tasks.max(1)], purge: None, frees: HashMap::new() }
    }

    /// A CPU that writes another record has come to the end of its free: nothing that is freed there sleeps.
    pub(super) fn note_cpu(&mut self, cpu: u16, at: u32, kind: &EventKind) {
        if matches!(kind, EventKind::FreeProbe { .. }) {
            self.frees.insert(cpu, at);
        } else {
            self.frees.remove(&cpu);
        }
    }

    /// The entry of the allocation that a task returns from.
    pub(super) fn returned(&mut self, task: usize) -> Option<u32> {
        self.allocs.get_mut(task)?.take()
    }
}

impl Reader<'_> {
    /// Reads a record that only probes write; `false` if it is none that changes anything.
    pub(super) fn read_probe(&mut self, at: u32, task: usize, kind: &EventKind) -> bool {
        match *kind {
            EventKind::Request { size, align, window } => {
                // A purge of this task inside the call is the overflow's.
                let window = self.facts.log.names.window(window);
                self.overflow[task] = Overflow::Purging(size, align, window);
                self.calls.allocs[task] = Some(at);
            }
            EventKind::PurgeEntry { .. } => {
                self.calls.purge = Some(at);
                for free in self.calls.frees.values() {
                    *self.facts.probed.late.entry(*free).or_insert(0) += 1;
                }
            }
            EventKind::PurgeReturn { purged } => {
                let full = self.overflow[task].purge() == PurgeKind::Full;
                let before = self.facts.purges.last().map_or(self.facts.first as u32, |purge| purge.record);
                self.facts.purges.push(PurgeFacts {
                    record: at,
                    after: self.calls.purge.take().unwrap_or(before),
                    full,
                    num_purged: None,
                    found: purged,
                    bounds: None,
                    bounds_are_exact: false,
                    sum: None,
                    sum_lacks: None,
                });
            }
            EventKind::FreeProbe { addr, .. } => {
                if self.live.get_mut(&addr.0).and_then(VecDeque::pop_front).is_none() {
                    // It says nothing of a counter.
                    self.facts.orphans.push(Orphan { record: at, addr: addr.0, pages: 0, follows_purge: true });
                }
            }
            EventKind::Unasked { .. } => {}
            _ => return false,
        }
        self.facts.probed.is_seen = true;
        true
    }
}
