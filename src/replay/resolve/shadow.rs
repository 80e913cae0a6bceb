//! The other way to go on after an allocation that nothing explains, followed until the records decide.

use crate::event::{Event, EventKind};
use crate::model::{AddressSpace, Answer, Op, Owner, Place, Request, VmapArea};

use super::older::freed_addr;
use super::{Cause, Resolver, Verdict, placed, recorded_of};

/// Records that may pass without a decision.
const MAX_AGE: usize = 4096;
/// How many more answers one way has to get right than the other.
const DECIDED_BY: i32 = 2;
/// The same on several CPUs, where either way is wrong now and then for other reasons.
const DECIDED_BY_SMP: i32 = 6;

/// A second state that went another way at one record.
#[derive(Debug, Clone)]
pub(super) struct Shadow {
    space: AddressSpace,
    /// The record where the ways part.
    from: usize,
    /// Operations of the plan before that record.
    first_op: usize,
    /// Operations since, in place of the plan's.
    ops: Vec<Op>,
    /// Per record since: how many of them are applied.
    upto: Vec<u32>,
    /// Frees with their allocations.
    mates: Vec<(u32, u32)>,
    /// The recorded address that is not believed here, and the area that stands for it.
    stand_in: Option<(u64, u64)>,
    /// Why the two ways part, told from here.
    cause: Cause,
    /// Answers this way got right and the other did not, less the reverse.
    lead: i32,
}

impl Resolver<'_> {
    /// Begins to follow `op` in place of what is about to be applied.
    pub(super) fn begin_shadow(&mut self, index: usize, op: Op, stand_in: Option<(u64, u64)>, cause: Cause) {
        if self.trust == 0 || super::timings::MAX_COPIED_BYTES < self.copied_bytes {
            return;
        }
        self.copied_bytes += self.space.heap_bytes();
        let mut space = self.space.clone();
        space.apply(&op, None);
        self.shadow = Some(Shadow {
            space,
            from: index,
            first_op: self.plan.ops.len(),
            ops: vec![op],
            upto: Vec::new(),
            mates: Vec::new(),
            stand_in,
            cause,
            lead: 0,
        });
    }

    /// Takes the record the plan has just resolved on the other way too, and decides if the two have grown apart.
    pub(super) fn follow_shadow(&mut self, index: usize, event: &Event) {
        let Some(mut shadow) = self.shadow.take() else { return };
        let own = std::mem::take(&mut self.was_taken_early);
        if shadow.from != index && !own {
            let theirs = self.plan.ops_of(index);
            match event.kind {
                EventKind::Alloc { .. } => {
                    let right = shadow.alloc(index, event, self.last_request, theirs);
                    let exact = self.plan.verdicts[index] == Verdict::Exact;
                    shadow.lead += i32::from(right) - i32::from(exact);
                }
                _ => shadow.follow(index, event, theirs),
            }
        }
        shadow.upto.push(shadow.ops.len() as u32);
        let decided_by = if self.machine.cpus_online > 1 { DECIDED_BY_SMP } else { DECIDED_BY };
        if shadow.lead >= decided_by {
            self.take_over(shadow);
        } else if shadow.lead > -decided_by && index - shadow.from < MAX_AGE {
            self.shadow = Some(shadow);
        }
    }

    /// The other way was right.
    fn take_over(&mut self, shadow: Shadow) {
        let Shadow { space, from, first_op, ops, upto, mates, stand_in, cause, .. } = shadow;
        self.space = space;
        self.plan.ops.truncate(first_op);
        self.plan.ops.extend(ops);
        self.plan.upto.truncate(from);
        self.plan.upto.extend(upto.iter().map(|&n| first_op as u32 + n));
        for (free, born) in mates {
            self.plan.mates[free as usize] = born;
            self.plan.mates[born as usize] = free;
        }
        let verdict = Verdict::Adopted(cause);
        self.plan.verdicts[from] = verdict;
        if let Some(divergence) =
            self.plan.divergences.iter_mut().rev().find(|divergence| divergence.seq.index() == from)
        {
            divergence.verdict = verdict;
            self.stand_ins.retain(|&recorded, _| Some(recorded) != divergence.recorded.map(|addr| addr.0));
        }
        self.stand_ins.extend(stand_in);
        self.before_purge = None;
        self.checkpoints.forget_from(from);
    }
}

impl Shadow {
    fn apply(&mut self, op: Op) -> Answer {
        self.ops.push(op);
        self.space.apply(&op, None)
    }

    fn apply_all(&mut self, ops: &[Op]) {
        for op in ops {
            self.apply(*op);
        }
    }

    /// The same request here; answers whether the recorded address came out. The plan's chunk follows it.
    fn alloc(&mut self, index: usize, event: &Event, request: Option<Request>, theirs: &[Op]) -> bool {
        let recorded = recorded_of(event);
        // A damaged record can ask for what no kernel would search for: nobody is right about that.
        let sound = request.filter(|request| request.check(self.space.allocator().page_size()).is_ok());
        let op = sound.map(|request| Op::Alloc { request, born: index as u32 });
        let answer = sound.and_then(|request| self.space.allocator().place(&request, None).ok());
        let right = sound.is_some() && answer.map(|placement| placement.start) == recorded;
        match op {
            Some(op) if right => {
                let answer = self.apply(op);
                debug_assert_eq!(placed(&answer), recorded, "what was placed is what was asked for");
            }
            _ => {
                let extent =
                    recorded.zip(request).and_then(|(start, request)| crate::model::Extent::sized(start, request.size));
                let owner = theirs.iter().find_map(|op| match op {
                    Op::Adopt { owner, born, .. } if *born == index as u32 => Some(*owner),
                    _ => None,
                });
                if let Some(extent) = extent {
                    self.apply(Op::Adopt { extent, owner: owner.unwrap_or(Owner::Nobody), born: index as u32 });
                }
            }
        }
        for op in theirs.iter().filter(|op| matches!(op, Op::Chunk { .. })) {
            self.apply(*op);
        }
        right
    }

    /// A record that is no allocation does here what it does there, if it can.
    fn follow(&mut self, index: usize, event: &Event, theirs: &[Op]) {
        let Some(addr) = freed_addr(event) else {
            self.apply_all(theirs);
            return;
        };
        let allocator = self.space.allocator();
        let lives = |place| matches!(place, Place::Busy { area, .. } if allocator.areas()[area].start == addr);
        let target = if lives(allocator.lookup(addr)) {
            addr
        } else {
            match self.stand_in.take_if(|stand_in| stand_in.0 == addr) {
                Some((_, own)) => own,
                None => return self.apply_all(theirs),
            }
        };
        if let Answer::Freed(freed) = self.apply(Op::Free { addr: target })
            && freed.born != VmapArea::UNBORN
        {
            self.mates.push((index as u32, freed.born));
        }
    }
}
