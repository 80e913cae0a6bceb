//! Shapes of a free tree that no file shows, followed side by side.
//!
//! A snapshot shows which holes there are, not how the kernel's tree holds them, and above page alignment the shape of
//! the tree decides. The shape that has explained most so far leads.

use std::collections::BTreeMap;

use crate::event::{Event, EventKind};
use crate::log::Log;
use crate::model::{AddressSpace, Extent, Op, Owner, Request};
use crate::policy::Shape;
use crate::policy::rules::SearchLength;

use super::super::plan::Ops;
use super::initial::{has_unknown_shape, initial_space};
use super::{Cause, Machine, Resolver, Verdict, recorded_of};

/// Shapes followed besides the leading one.
const OTHERS: u64 = 127;
/// What the states of all shapes may hold at the start, in bytes. A snapshot of very many areas has fewer shapes.
const MAX_BYTES: u64 = 192 << 20;
/// Records after which the tree has turned over, or no other shape is any better.
const MAX_RECORDS: usize = 16_384;
/// Records kept for all shapes together.
const MAX_KEPT: usize = 1 << 19;
/// Wrong answers a shape may be behind the leading one before it is given up.
const MAX_BEHIND: u32 = 6;

/// Shapes to try besides the default one.
pub(super) fn other_shapes() -> impl Iterator<Item = Shape> {
    [Shape::Descending, Shape::Ascending, Shape::BySize].into_iter().chain((3..OTHERS).map(Shape::Shuffled))
}

/// One shape, with all that the plan has of the leading one.
#[derive(Debug)]
struct Other {
    start: AddressSpace,
    space: AddressSpace,
    ops: Ops,
    /// Operations of the present record so far.
    now: Vec<Op>,
    misses: u32,
}

/// The shapes still possible.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    others: Vec<Other>,
    /// Wrong answers of the leading one.
    misses: u32,
    /// Records followed.
    records: usize,
}

/// An allocation as the plan took it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// What was asked.
    pub(super) request: Request,
    /// The record.
    pub(super) born: u32,
    /// The area the plan has for it.
    pub(super) area: Option<Extent>,
    /// Whose it is.
    pub(super) owner: Owner,
    /// Is the recorded address believed?
    pub(super) is_believed: bool,
    /// Could the kernel have been asked that at all?
    pub(super) is_valid: bool,
}

impl Asked {
    /// The address a state would give.
    pub(super) fn own_answer(&self, space: &AddressSpace) -> Option<u64> {
        let answer = self.is_valid.then(|| space.allocator().place(&self.request, None));
        answer.and_then(Result::ok).map(|placement| placement.start)
    }
}

impl Shapes {
    /// The shapes a trace can start with; none where the shape is known or does not matter.
    pub(super) fn at_start(log: &Log, machine: &Machine) -> Self {
        // Several CPUs leave more open than shapes alone can explain.
        if machine.cpus_online > 1 || !has_unknown_shape(log, machine) {
            return Self::default();
        }
        let shapes = other_shapes();
        // Two states a shape, and what they grow to.
        let bytes_each = 4 * initial_space(log, machine, Shape::default()).heap_bytes().max(1);
        let at_most = usize::try_from(MAX_BYTES / bytes_each).unwrap_or(usize::MAX);
        let other = |shape| {
            let start = initial_space(log, machine, shape);
            let ops = Ops::new(start.allocator().n_nodes(), 0);
            Other { space: start.clone(), start, ops, now: Vec::new(), misses: 0 }
        };
        Self { others: shapes.take(at_most).map(other).collect(), ..Self::default() }
    }

    /// Gives the other shapes up.
    pub(super) fn forget(&mut self) {
        self.others.clear();
    }

    /// Can another shape still turn out to be the right one?
    pub(super) fn are_open(&self) -> bool {
        !self.others.is_empty()
    }
}

impl Resolver<'_> {
    /// Takes the record the plan has just resolved under every other shape too.
    pub(super) fn follow_shapes(&mut self, index: usize, event: &Event, theirs: &[Op]) {
        if self.shapes.others.is_empty() {
            return;
        }
        let mut shapes = std::mem::take(&mut self.shapes);
        let asked = match event.kind {
            EventKind::Alloc { .. } => self.last_request.map(|request| self.asked(index, event, request)),
            _ => None,
        };
        for other in &mut shapes.others {
            other.follow(self.log, theirs, asked.as_ref());
        }
        let is_alloc = asked.is_some();
        let verdict = self.plan.verdicts[index];
        let is_wrong = !matches!(verdict, Verdict::Exact | Verdict::Adopted(Cause::Impossible));
        shapes.misses += u32::from(is_alloc && is_wrong);
        shapes.records += 1;
        if let Some(best) = shapes.others.iter_mut().min_by_key(|other| other.misses)
            && best.misses < shapes.misses
        {
            self.lead_with(best, &mut shapes.misses);
            self.rewritten.push((0, index));
        }
        shapes.others.sort_by_key(|other| other.misses);
        let at_most = MAX_KEPT / shapes.records;
        shapes.others.truncate(at_most);
        let least = shapes.misses;
        shapes.others.retain(|other| other.misses <= least + MAX_BEHIND);
        if shapes.records < MAX_RECORDS {
            self.shapes = shapes;
        }
    }

    /// What was asked, and what the plan takes the answer to be: the recorded one, or the model's own if that is not
    /// believed.
    pub(super) fn asked(&self, index: usize, event: &Event, request: Request) -> Asked {
        let recorded = recorded_of(event);
        let stand_in = recorded.and_then(|start| self.stand_ins.get(&start)).map(|stand_in| stand_in.start);
        let is_believed = self.plan.verdicts[index] != Verdict::Adopted(Cause::Impossible);
        let start = if is_believed { recorded } else { stand_in };
        let area = start.and_then(|start| Extent::sized(start, request.size));
        let is_valid = request.check(self.machine.page_size).is_ok();
        Asked { request, born: index as u32, area, owner: self.owner_of(&request), is_believed, is_valid }
    }

    /// Before an answer that the shape decides: among the shapes that have explained as much as any, one that answers as
    /// most of them do leads.
    pub(super) fn ask_shapes(&mut self, request: &Request) {
        let Some(least) = self.shapes.others.iter().map(|other| other.misses).min() else { return };
        if least > self.shapes.misses || !self.shape_decides(request) {
            return;
        }
        let answer =
            |space: &AddressSpace| space.allocator().place(request, None).ok().map(|placement| placement.start);
        let own = answer(&self.space);
        let mut votes: BTreeMap<Option<u64>, (usize, usize)> = BTreeMap::new();
        if least == self.shapes.misses {
            votes.insert(own, (1, usize::MAX));
        }
        let others = self.shapes.others.iter().enumerate().filter(|(_, other)| other.misses == least);
        for (place, other) in others {
            votes.entry(answer(&other.space)).or_insert((0, place)).0 += 1;
        }
        let most = votes.iter().max_by_key(|(_, vote)| vote.0).map(|(answer, vote)| (*answer, vote.1));
        if let Some((answer, place)) = most
            && answer != own
        {
            let mut shapes = std::mem::take(&mut self.shapes);
            if let Some(other) = shapes.others.get_mut(place) {
                self.lead_with(other, &mut shapes.misses);
                self.rewritten.push((0, self.plan.len()));
            }
            self.shapes = shapes;
        }
    }

    /// Does the shape of the free tree decide the answer?
    pub(super) fn shape_decides(&self, request: &Request) -> bool {
        request.align > self.machine.page_size || self.machine.policy.rules.search == SearchLength::AlwaysPadded
    }

    fn lead_with(&mut self, other: &mut Other, misses: &mut u32) {
        std::mem::swap(&mut other.misses, misses);
        std::mem::swap(&mut other.space, &mut self.space);
        std::mem::swap(&mut other.ops, &mut self.plan.ops);
        std::mem::swap(&mut other.now, &mut self.now);
        let start = std::mem::replace(&mut other.start, self.checkpoints.start().clone());
        self.checkpoints.begin_anew(start);
        self.before_purge = None;
        self.shadows.clear();
        self.older.keep_covers(&self.space);
    }
}

impl Other {
    fn apply(&mut self, op: Op) {
        self.now.push(op);
        self.space.apply(&op, None);
    }

    /// One record: the plan's operations, but the allocation as this shape has it.
    fn follow(&mut self, log: &Log, theirs: &[Op], asked: Option<&Asked>) {
        let mut is_open = asked;
        for op in theirs {
            let is_own =
                |asked: &Asked| matches!(op, Op::Alloc { born, .. } | Op::Adopt { born, .. } if *born == asked.born);
            match is_open.filter(|asked| is_own(asked)) {
                Some(asked) => {
                    self.allocate(asked);
                    is_open = None;
                }
                None => self.apply(*op),
            }
        }
        if let Some(asked) = is_open {
            self.allocate(asked);
        }
        self.ops.push(log, &self.now);
        self.now.clear();
    }

    /// The same area, whether this shape gives it by itself or it has to be forced.
    fn allocate(&mut self, asked: &Asked) {
        let Asked { request, born, area, owner, is_believed, is_valid } = *asked;
        if is_valid && asked.own_answer(&self.space) == area.map(Extent::start) {
            self.apply(Op::Alloc { request, born });
            return;
        }
        self.misses += u32::from(is_believed);
        if let Some(extent) = area {
            self.apply(Op::Adopt { extent, owner, born });
        }
    }
}
