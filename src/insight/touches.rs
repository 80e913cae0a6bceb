//! [`Touches`]: every record that touches an area containing one address: that placed it, freed it, or ended the purge
//! that took it back.

use crate::event::{EventKind, ScriptOp, Seq};
use crate::log::Pointers;
use crate::model::Extent;
use crate::replay::Replay;

use super::condition::event;

/// The records, found from the first on, a stretch at a time.
#[derive(Debug, Clone)]
pub struct Touches {
    addr: u64,
    /// Records looked at.
    at: usize,
    /// The area of the snapshot before the trace that contains the address.
    older: Option<Extent>,
    /// An area with the address has been freed and not been taken back.
    lazy: bool,
    found: Vec<u32>,
}

impl Touches {
    /// Nothing looked at yet.
    pub fn new(addr: u64, replay: &Replay) -> Self {
        let before = replay.log().before.as_ref().filter(|before| before.pointers == Pointers::Real);
        let row = before.and_then(|before| before.areas.iter().find(|row| row.start <= addr && addr < row.end));
        let older = row.and_then(|row| Extent::new(row.start, row.end));
        Self { addr, at: 0, older, lazy: false, found: Vec::new() }
    }

    /// Looks at up to `budget` more records; answers how many it were.
    pub fn go_on(&mut self, replay: &Replay, budget: usize) -> usize {
        let from = self.at;
        let end = replay.len().min(from.saturating_add(budget));
        while self.at < end {
            if self.touches(replay, self.at) {
                self.found.push(self.at as u32);
            }
            self.at += 1;
        }
        self.at - from
    }

    /// Has every record been looked at?
    pub fn is_complete(&self, replay: &Replay) -> bool {
        self.at >= replay.len()
    }

    /// Does a record that has been looked at touch such an area?
    pub fn has(&self, index: usize) -> bool {
        self.found.binary_search(&(index as u32)).is_ok()
    }

    fn touches(&mut self, replay: &Replay, index: usize) -> bool {
        let Some(event) = event(replay, index) else { return false };
        let contains = |extent: Option<Extent>| extent.is_some_and(|extent| extent.contains_addr(self.addr));
        match event.kind {
            EventKind::Alloc { addr, size, failed: false, .. } => contains(Extent::sized(addr.0, size)),
            EventKind::Unasked { addr, end } => contains(Extent::new(addr.0, end.0)),
            EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => {
                let seq = Seq(index as u32);
                let size = super::condition::bytes_of(replay, seq, &event);
                let own = size.and_then(|size| Extent::sized(addr.0, size));
                let older = self.older.filter(|older| older.start() == addr.0);
                let freed = contains(own.or(older)) || addr.0 == self.addr;
                self.lazy |= freed;
                freed
            }
            EventKind::Purge { .. } | EventKind::PurgeReturn { .. } => {
                event.kind.returned_something() && std::mem::take(&mut self.lazy)
            }
            // A drain takes everything that is lazy.
            EventKind::Script(ScriptOp::Work) => std::mem::take(&mut self.lazy),
            _ => false,
        }
    }
}
