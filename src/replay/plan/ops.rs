//! [`Ops`]: what every record did, in a byte a record.
//!
//! Nearly every record did what it says: an allocation asked for what stands in it, a free freed its address. Then a
//! code is enough, and the operation is made from the record when it is applied, without a look into any table. What
//! does not follow from a record stands in a list beside the codes, by record.

use crate::event::{Event, EventKind};
use crate::log::Log;
use crate::model::{Extent, HelperOrder, Op, Owner, PurgeKind, PurgePart, Request};

/// The record did nothing.
const NOTHING: u8 = 0;
/// What the record says: a first attempt, a free, an ordinary purge.
const AS_RECORDED: u8 = 1;
/// The other thing it can mean: a second attempt, a purge of everything.
const OTHERWISE: u8 = 2;
/// The recorded address was forced into the state, for nobody's node.
const BELIEVED: u8 = 3;
/// The same for the node of the CPU.
const BELIEVED_BY_NODE: u8 = 4;
/// None of these: the operations stand in the list.
const LISTED: u8 = 5;

/// The operations of every record of a log.
#[derive(Debug, Clone, Default)]
pub(in crate::replay) struct Ops {
    /// Per record.
    codes: Vec<u8>,
    /// Records whose operations are listed, ascending.
    listed: Vec<u32>,
    /// Per such record: where its operations end in `list`.
    ends: Vec<u32>,
    list: Vec<Op>,
    /// Nodes of the machine.
    n_nodes: u32,
}

/// The operations of one record, in order.
#[derive(Debug, Clone)]
pub struct OpsOf<'a> {
    one: Option<Op>,
    list: std::slice::Iter<'a, Op>,
}

impl Iterator for OpsOf<'_> {
    type Item = Op;

    #[inline]
    fn next(&mut self) -> Option<Op> {
        self.one.take().or_else(|| self.list.next().copied())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let n = usize::from(self.one.is_some()) + self.list.len();
        (n, Some(n))
    }
}

impl ExactSizeIterator for OpsOf<'_> {}

/// Whoever purged: the work that a free had queued finds nothing more to do.
pub(in crate::replay) fn purge_op(kind: PurgeKind) -> Op {
    Op::Purge { kind, helpers: HelperOrder::default(), unqueues: true }
}

impl Ops {
    /// No records yet, of a machine with so many nodes.
    pub(in crate::replay) fn new(n_nodes: u32, n_records: usize) -> Self {
        Self { codes: Vec::with_capacity(n_records), n_nodes: n_nodes.max(1), ..Self::default() }
    }

    /// Nodes of the machine.
    pub(in crate::replay) fn n_nodes(&self) -> u32 {
        self.n_nodes
    }

    /// Records there are operations of.
    pub(in crate::replay) fn len(&self) -> usize {
        self.codes.len()
    }

    /// The operations of a record; none for a place past the end.
    #[inline]
    pub(in crate::replay) fn of<'a>(&'a self, log: &Log, index: usize) -> OpsOf<'a> {
        match self.codes.get(index) {
            None | Some(&NOTHING) => OpsOf { one: None, list: [].iter() },
            Some(&LISTED) => OpsOf { one: None, list: self.listed_at(index).iter() },
            Some(&code) => {
                let event = log.events.get(index);
                let one = event.and_then(|event| self.meant(code, index, &event, log));
                OpsOf { one, list: [].iter() }
            }
        }
    }

    /// Takes the operations of the next record.
    pub(in crate::replay) fn push(&mut self, log: &Log, ops: &[Op]) {
        let index = self.codes.len();
        let code = self.code_of(index, ops, log);
        self.codes.push(code);
        if code == LISTED {
            self.listed.push(index as u32);
            self.list.extend_from_slice(ops);
            self.ends.push(self.list.len() as u32);
        }
    }

    /// Replaces the operations of a record.
    pub(in crate::replay) fn set(&mut self, log: &Log, index: usize, ops: &[Op]) {
        if self.codes.len() <= index {
            return;
        }
        let place = self.listed.partition_point(|&record| (record as usize) < index);
        let was_listed = self.codes[index] == LISTED;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let end = if was_listed { self.ends[place] as usize } else { start };
        self.codes[index] = self.code_of(index, ops, log);
        let is_listed = self.codes[index] == LISTED;
        let kept = if is_listed { ops } else { &[] };
        self.list.splice(start..end, kept.iter().copied());
        match (was_listed, is_listed) {
            (false, true) => {
                self.listed.insert(place, index as u32);
                self.ends.insert(place, end as u32);
            }
            (true, false) => {
                self.listed.remove(place);
                self.ends.remove(place);
            }
            _ => {}
        }
        // Ends of this record and of those behind it.
        for later in self.ends.iter_mut().skip(place) {
            *later = (*later as usize + kept.len() - (end - start)) as u32;
        }
    }

    /// Forgets the records from `n_records` on.
    pub(in crate::replay) fn truncate(&mut self, n_records: usize) {
        self.codes.truncate(n_records);
        let n_listed = self.listed.partition_point(|&record| (record as usize) < n_records);
        self.listed.truncate(n_listed);
        self.ends.truncate(n_listed);
        self.list.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }

    /// Memory held, in bytes.
    pub(in crate::replay) fn heap_bytes(&self) -> u64 {
        let places = (self.listed.capacity() + self.ends.capacity()) * size_of::<u32>();
        (self.codes.capacity() + places + self.list.capacity() * size_of::<Op>()) as u64
    }

    #[cold]
    fn listed_at(&self, index: usize) -> &[Op] {
        let Ok(place) = self.listed.binary_search(&(index as u32)) else { return &[] };
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        self.list.get(start..self.ends[place] as usize).unwrap_or(&[])
    }

    /// The code that means exactly these operations.
    fn code_of(&self, index: usize, ops: &[Op], log: &Log) -> u8 {
        let op = match ops {
            [] => return NOTHING,
            [op] => op,
            _ => return LISTED,
        };
        let code = match op {
            Op::Alloc { request, .. } if !request.first_attempt => OTHERWISE,
            Op::Purge { kind: PurgeKind::Full, .. } => OTHERWISE,
            Op::PurgePart(PurgePart::Decay { full: true, .. } | PurgePart::Return { full: true, .. }) => OTHERWISE,
            Op::Adopt { owner: Owner::Nobody, .. } => BELIEVED,
            Op::Adopt { .. } => BELIEVED_BY_NODE,
            Op::Alloc { .. } | Op::Free { .. } | Op::Purge { .. } | Op::PurgePart(_) => AS_RECORDED,
            _ => return LISTED,
        };
        let meant = log.events.get(index).and_then(|event| self.meant(code, index, &event, log));
        if meant.as_ref() == Some(op) { code } else { LISTED }
    }

    /// What a code means at a record.
    #[inline]
    fn meant(&self, code: u8, index: usize, event: &Event, log: &Log) -> Option<Op> {
        let born = index as u32;
        let is_other = code == OTHERWISE;
        match event.kind {
            EventKind::Alloc { size, align, window, .. } if code <= OTHERWISE => {
                let window = log.names.window(window);
                let request = Request { size, align, window, cpu: event.assumed_cpu(), first_attempt: !is_other };
                Some(Op::Alloc { request, born })
            }
            EventKind::Alloc { addr, size, .. } => {
                let extent = Extent::sized(addr.0, size)?;
                let node = Owner::Node(event.assumed_cpu() % self.n_nodes);
                Some(Op::Adopt { extent, owner: if code == BELIEVED { Owner::Nobody } else { node }, born })
            }
            EventKind::Unasked { addr, end } if code == BELIEVED => {
                Some(Op::Adopt { extent: Extent::new(addr.0, end.0)?, owner: Owner::Nobody, born })
            }
            EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => Some(Op::Free { addr: addr.0 }),
            EventKind::Purge { .. } | EventKind::PurgeReturn { .. } => {
                Some(purge_op(if is_other { PurgeKind::Full } else { PurgeKind::Partial }))
            }
            EventKind::NodeDecay { node, .. } => {
                Some(Op::PurgePart(PurgePart::Decay { node: u32::from(node), full: is_other }))
            }
            EventKind::NodeReturn { node } => {
                Some(Op::PurgePart(PurgePart::Return { node: u32::from(node), full: is_other }))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
