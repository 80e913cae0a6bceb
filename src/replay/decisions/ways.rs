//! [`Ways`]: between what was decided of a record and the few words that name it.
//!
//! Words choose among what the beam could have done; whatever it could not have done has none, or is refused.

use serde::{Deserialize, Serialize};

use crate::model::{Extent, Op, Owner, PurgeKind, PurgePart, Request, VmapArea};

use super::super::beam::{Ask, Asked, MOST_AHEAD, Tag};
use super::super::plan::purge_op;
use super::order::Order;

/// One thing that was done at a record. What is not said here stands in the record it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Does {
    /// The pool of a node, of areas of so many pages, decayed.
    DecayPool(u32, u32),
    /// What was taken out of the pools of a node joined the free tree.
    MergeDecayed(u32),
    /// The lazy list of a node was taken off.
    Detach(u32),
    /// Of the list of a node so many have been looked at for parking.
    Fill(u32, u32),
    /// The pages of the list of a node left the counter.
    Subtract(u32),
    /// What is left of the list of a node joined the free tree.
    Merge(u32),
    /// So many fused ranges came back (6.2 to 6.8).
    Ranges(u32),
    /// What a record says took effect: this one's, or a later one's.
    Take(u32),
    /// The same of an allocation that found its pool empty.
    TakePoolMissed(u32),
    /// The same of an allocation that looked at the pool of another node.
    TakeOtherNode(u32, u32),
    /// The recorded address is believed.
    Believe,
    /// A free of an area nobody knows, of so many pages.
    FreeUnknown(u64),
}

/// What a walk over a trace of many early records may take, in looks at records: for each record.
const LOOKS_PER_RECORD: u64 = 64;
const LOOKS_AT_FIRST: u64 = 1 << 22;

/// The walk over the records, in both directions.
#[derive(Debug)]
pub(super) struct Ways<'a> {
    asked: &'a Asked<'a>,
    page_size: u64,
    /// By record: it has taken effect.
    taken: Vec<bool>,
    order: Order,
    looks: u64,
}

impl<'a> Ways<'a> {
    pub(super) fn new(asked: &'a Asked<'a>) -> Self {
        let n_records = asked.n_records();
        let looks = LOOKS_AT_FIRST + u64::from(n_records) * LOOKS_PER_RECORD;
        let taken = vec![false; n_records as usize];
        Self { asked, page_size: asked.page_size(), taken, order: Order::default(), looks }
    }

    /// What a record does of which nothing is said.
    pub(super) fn usual(&self, at: u32) -> Vec<Does> {
        match self.asked.at(at).ask {
            Ask::Nothing => Vec::new(),
            _ => vec![Does::Take(at)],
        }
    }

    /// The operations of a record. `None` if that cannot be what the beam decided.
    pub(super) fn ops(&mut self, at: u32, tag: Tag, does: &[Does]) -> Option<Vec<Op>> {
        let own = self.asked.at(at).ask;
        // One that took effect before only drops its mark.
        if self.taken[at as usize] {
            return (tag == Tag::Exchanged && does.is_empty()).then(Vec::new);
        }
        let mut ops = Vec::with_capacity(does.len());
        for does in does {
            // Its own change comes last.
            if self.taken[at as usize] {
                return None;
            }
            self.add(at, tag, *does, &mut ops)?;
        }
        let is_told = match own {
            Ask::Alloc { recorded, .. } => {
                self.taken[at as usize] || (tag == Tag::Believed && recorded.is_none() && does.is_empty())
            }
            Ask::Free { .. } => self.taken[at as usize] || (tag == Tag::Plain && does.is_empty()),
            Ask::Purge => {
                self.order = Order::default();
                self.taken[at as usize]
            }
            Ask::Nothing => tag == Tag::Plain && does.is_empty(),
        };
        is_told.then_some(ops)
    }

    fn add(&mut self, at: u32, tag: Tag, does: Does, ops: &mut Vec<Op>) -> Option<()> {
        match does {
            Does::Take(record) => {
                self.take(at, record)?;
                match self.asked.at(record).ask {
                    Ask::Alloc { request, chunk, .. } => {
                        add_alloc(request, record, chunk, ops);
                    }
                    Ask::Free { addr } => ops.push(Op::Free { addr }),
                    Ask::Purge if record == at => {
                        let full = self.asked.purge_at(at)?;
                        ops.push(purge_op(if full { PurgeKind::Full } else { PurgeKind::Partial }));
                    }
                    Ask::Purge | Ask::Nothing => return None,
                }
            }
            Does::TakePoolMissed(record) => {
                let is_tagged = record != at || matches!(tag, Tag::PoolMissed | Tag::Exchanged | Tag::Disbelieved);
                let (request, chunk) = self.other_request(at, record, is_tagged)?;
                add_alloc(Request { first_attempt: false, ..request }, record, chunk, ops);
            }
            Does::TakeOtherNode(record, node) => {
                let is_tagged = record == at && matches!(tag, Tag::OtherNode | Tag::Disbelieved);
                let (request, chunk) = self.other_request(at, record, is_tagged)?;
                let n_nodes = self.asked.n_nodes();
                if n_nodes <= node || node == request.cpu % n_nodes {
                    return None;
                }
                add_alloc(Request { cpu: node, ..request }, record, chunk, ops);
            }
            Does::Believe => {
                let Ask::Alloc { request, recorded, chunk } = self.asked.at(at).ask else { return None };
                let extent = Extent::sized(recorded?, request.size)?;
                if tag != Tag::Believed {
                    return None;
                }
                self.take(at, at)?;
                ops.push(Op::Adopt { extent, owner: self.asked.owner_of(&request), born: at });
                ops.extend(chunk.map(|(size, align)| Op::Chunk { size, align }));
            }
            Does::FreeUnknown(pages) => {
                let Ask::Free { addr } = self.asked.at(at).ask else { return None };
                let extent = Extent::sized(addr, pages.checked_mul(self.page_size)?)?;
                self.take(at, at)?;
                ops.push(Op::Adopt { extent, owner: Owner::Nobody, born: VmapArea::UNBORN });
                ops.push(Op::Free { addr });
            }
            step => {
                let part = part_of(step, self.asked.purge_at(at)?)?;
                let is_of_era = match part {
                    PurgePart::Detach { .. } => true,
                    PurgePart::Ranges { .. } => self.asked.fuses(),
                    _ => !self.asked.fuses(),
                };
                if !is_of_era || !self.order.takes(part, self.asked.n_nodes()) {
                    return None;
                }
                ops.push(Op::PurgePart(part));
            }
        }
        Some(())
    }

    /// The request of an allocation that asks another pool than its own, or none.
    fn other_request(&mut self, at: u32, record: u32, is_tagged: bool) -> Option<(Request, Option<(u64, u64)>)> {
        self.take(at, record)?;
        match self.asked.at(record).ask {
            Ask::Alloc { request, chunk, .. } if is_tagged && request.first_attempt => Some((request, chunk)),
            _ => None,
        }
    }

    /// Marks a record as done. A later one must be the next that is open of its task, and up to 6.14 of its CPU.
    fn take(&mut self, at: u32, record: u32) -> Option<()> {
        let is_open = !*self.taken.get(record as usize)?;
        if record < at || MOST_AHEAD < record - at || !is_open {
            return None;
        }
        if at < record {
            let taken = self.asked.at(record);
            let is_own_order = !self.asked.only_tasks_keep_order();
            self.looks = self.looks.checked_sub(u64::from(record - at))?;
            let is_before = |other: u32| {
                let before = self.asked.at(other);
                !self.taken[other as usize]
                    && !matches!(before.ask, Ask::Nothing)
                    && (before.task == taken.task || (is_own_order && before.cpu == taken.cpu))
            };
            if (at..record).any(is_before) || !matches!(taken.ask, Ask::Alloc { .. } | Ask::Free { .. }) {
                return None;
            }
        }
        self.taken[record as usize] = true;
        Some(())
    }
}

fn add_alloc(request: Request, born: u32, chunk: Option<(u64, u64)>, ops: &mut Vec<Op>) {
    ops.push(Op::Alloc { request, born });
    ops.extend(chunk.map(|(size, align)| Op::Chunk { size, align }));
}

/// The step of a purge that a word means.
fn part_of(does: Does, full: bool) -> Option<PurgePart> {
    Some(match does {
        Does::DecayPool(node, pages) => PurgePart::DecayPool { node, pages, full },
        Does::MergeDecayed(node) => PurgePart::MergeDecayed { node },
        Does::Detach(node) => PurgePart::Detach { node },
        Does::Fill(node, upto) => PurgePart::Fill { node, upto, full },
        Does::Subtract(node) => PurgePart::Subtract { node, full },
        Does::Merge(node) => PurgePart::Merge { node },
        Does::Ranges(n) => PurgePart::Ranges { n },
        _ => return None,
    })
}

/// The words for what was decided of a record. Whether they mean exactly that shows when they are read again.
pub(super) fn words_for(at: u32, tag: Tag, ops: &[Op], asked: &Asked<'_>) -> Option<Vec<Does>> {
    let mut words = Vec::with_capacity(ops.len());
    let mut ops = ops.iter().peekable();
    while let Some(op) = ops.next() {
        words.push(match *op {
            Op::Alloc { request, born } => match asked.at(born).ask {
                Ask::Alloc { request: own, .. } if request.cpu != own.cpu => Does::TakeOtherNode(born, request.cpu),
                Ask::Alloc { request: own, .. } if request.first_attempt != own.first_attempt => {
                    Does::TakePoolMissed(born)
                }
                _ => Does::Take(born),
            },
            // It follows on its allocation.
            Op::Chunk { .. } => continue,
            Op::Adopt { extent, born: VmapArea::UNBORN, .. } => {
                ops.next_if(|next| matches!(next, Op::Free { .. }))?;
                Does::FreeUnknown(extent.len_bytes() / asked.page_size())
            }
            Op::Adopt { .. } if tag == Tag::Believed => Does::Believe,
            Op::Free { addr } => Does::Take(free_of(at, addr, asked)?),
            Op::Purge { .. } => Does::Take(at),
            Op::PurgePart(part) => match part {
                PurgePart::DecayPool { node, pages, .. } => Does::DecayPool(node, pages),
                PurgePart::MergeDecayed { node } => Does::MergeDecayed(node),
                PurgePart::Detach { node } => Does::Detach(node),
                PurgePart::Fill { node, upto, .. } => Does::Fill(node, upto),
                PurgePart::Subtract { node, .. } => Does::Subtract(node),
                PurgePart::Merge { node } => Does::Merge(node),
                PurgePart::Ranges { n } => Does::Ranges(n),
                PurgePart::Decay { .. } | PurgePart::Return { .. } => return None,
            },
            _ => return None,
        });
    }
    Some(words)
}

/// The first record from `at` on that frees an address.
fn free_of(at: u32, wanted: u64, asked: &Asked<'_>) -> Option<u32> {
    let end = at.saturating_add(MOST_AHEAD).min(asked.n_records().saturating_sub(1));
    (at..=end).find(|&record| matches!(asked.at(record).ask, Ask::Free { addr } if addr == wanted))
}
