//! Learning the shape of a free tree that no file tells.
//!
//! A snapshot gives the holes and not their tree, and above page alignment the tree decides the answer. Each recorded
//! address that the tree at hand does not give rules it out: other trees over the same holes are tried, made by inserting
//! them in other orders, and the one that explains most of the records so far is taken from then on. Only records that
//! have been read go into it; what has been judged stays judged.

use crate::event::EventKind;
use crate::model::{AddressSpace, Answer, Op, Request, VmapArea};
use crate::policy::rules::SearchLength;

use super::{Checkpoints, Resolver, recorded_of};

/// Trees tried for one record.
const MAX_TRIED: u32 = 256;
/// Operations that may be applied to trees on trial in one log: about a second's worth.
const MAX_APPLIED: u64 = 4_000_000;

/// What is known of the shape.
#[derive(Debug)]
pub(super) struct Shape {
    /// The state before the first record, and the order its holes were inserted in.
    start: AddressSpace,
    order: Vec<u32>,
    /// State of the number sequence the trees are drawn with.
    draw: u64,
    n_applied: u64,
}

impl Shape {
    /// Begins with a balanced tree: of the trees that could be guessed it was wrong least in captures whose tree is
    /// known. `None` if there is nothing to learn.
    pub(super) fn new(space: &mut AddressSpace) -> Option<Self> {
        let n = space.allocator().n_holes();
        if n < 3 {
            return None;
        }
        let order = balanced(n);
        space.reshape(&order);
        Some(Self { start: space.clone(), order, draw: 0, n_applied: 0 })
    }

    /// Another order: shuffled, or the best so far with a few holes moved.
    fn drawn(&mut self, shuffled: bool) -> Vec<u32> {
        let mut order = self.order.clone();
        let n = order.len() as u64;
        if shuffled {
            for at in (1..order.len()).rev() {
                order.swap(at, (self.next() % (at as u64 + 1)) as usize);
            }
            return order;
        }
        for _ in 0..=self.next() % 8 {
            let (from, to) = (self.next() % n, self.next() % n);
            let moved = order.remove(from as usize);
            order.insert(to as usize, moved);
        }
        order
    }

    /// `splitmix64`.
    fn next(&mut self) -> u64 {
        self.draw = self.draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.draw ^ (self.draw >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Ranks of the holes in the order that makes a balanced tree: middles first.
fn balanced(n: u32) -> Vec<u32> {
    let mut order = Vec::with_capacity(n as usize);
    let mut spans = std::collections::VecDeque::from([(0, n)]);
    while let Some((from, to)) = spans.pop_front() {
        if from < to {
            let middle = from.midpoint(to);
            order.push(middle);
            spans.extend([(from, middle), (middle + 1, to)]);
        }
    }
    order
}

impl Resolver<'_> {
    /// Looks for a tree that explains the records up to the adopted allocation `index`, which is applied already.
    pub(super) fn learn_shape(&mut self, index: usize) {
        // Where the model has lost the thread it is not the shape that is wrong.
        if self.trust == 0 || !self.depends_on_shape(index) {
            return;
        }
        let Some(mut shape) = self.shape.take_if(|shape| shape.n_applied <= MAX_APPLIED) else { return };
        shape.n_applied += self.plan.ops.len() as u64;
        let mut best: Option<(AddressSpace, AddressSpace, Vec<Op>)> = None;
        let mut limit = self.plan.ops.iter().filter(|op| self.is_adopted_alloc(op)).count();
        for round in 0..MAX_TRIED {
            if limit == 0 || shape.n_applied > MAX_APPLIED {
                break;
            }
            let order = shape.drawn(round % 2 == 0);
            let mut start = shape.start.clone();
            start.reshape(&order);
            if let Some((space, ops, wrong)) = self.try_shape(&start, limit, &mut shape.n_applied) {
                limit = wrong;
                shape.order = order;
                best = Some((start, space, ops));
            }
        }
        self.shape = Some(shape);
        if let Some((start, space, ops)) = best {
            self.space = space;
            self.plan.ops = ops;
            self.checkpoints = Checkpoints::new(start);
            self.before_purge = None;
        }
    }

    /// Can the answer to this request depend on the tree's shape?
    fn depends_on_shape(&self, index: usize) -> bool {
        let EventKind::Alloc { align, failed: false, .. } = self.log.events[index].kind else { return false };
        let always = self.machine.policy.rules.search == SearchLength::AlwaysPadded;
        align > if always { 1 } else { self.machine.page_size }
    }

    /// The record's allocation, if the operation forced its address into the state.
    fn is_adopted_alloc(&self, op: &Op) -> bool {
        matches!(op, Op::Adopt { born, .. } if *born != VmapArea::UNBORN && self.asked(*born).is_some())
    }

    fn asked(&self, born: u32) -> Option<Request> {
        let event = self.log.events.get(born as usize)?;
        let EventKind::Alloc { size, align, window, failed: false, .. } = event.kind else { return None };
        let window = self.log.names.window(window);
        let request = Request { size, align, window, cpu: u32::from(event.cpu), first_attempt: true };
        request.check(self.machine.page_size).is_ok().then_some(request)
    }

    /// Applies everything so far to another start; `None` once `limit` addresses are wrong. Operations stay one for one:
    /// an allocation is adopted where this start gives another address, and is the model's own where it gives the
    /// recorded one.
    fn try_shape(
        &self,
        start: &AddressSpace,
        limit: usize,
        n_applied: &mut u64,
    ) -> Option<(AddressSpace, Vec<Op>, usize)> {
        let mut space = start.clone();
        let mut ops = Vec::new();
        let mut wrong = 0;
        for op in &self.plan.ops {
            *n_applied += 1;
            let (request, born) = match *op {
                Op::Alloc { request, born } => (Some(request), born),
                Op::Adopt { born, .. } if born != VmapArea::UNBORN => (self.asked(born), born),
                _ => (None, VmapArea::UNBORN),
            };
            let Some(request) = request else {
                space.apply(op, None);
                ops.push(*op);
                continue;
            };
            let recorded = recorded_of(&self.log.events[born as usize]);
            let answer = space.allocator().place(&request, None);
            if answer.ok().map(|placement| placement.start) == recorded {
                space.settle(&request, answer, born, None);
                ops.push(Op::Alloc { request, born });
                continue;
            }
            wrong += 1;
            if wrong >= limit {
                return None;
            }
            let adopted = match (*op, recorded) {
                (Op::Adopt { .. }, _) => *op,
                (_, Some(addr)) => self.adoption_of(&request, addr, born)?,
                // The record says there was no space: nothing to force.
                (_, None) => return None,
            };
            if matches!(space.apply(&adopted, None), Answer::Adopted { displaced: 1.., .. }) {
                return None;
            }
            ops.push(adopted);
        }
        Some((space, ops, wrong))
    }
}
