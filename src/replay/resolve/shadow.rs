//! The other way to go on after an allocation that nothing explains, followed until the records decide.

use crate::event::{Event, EventKind};
use crate::model::{AddressSpace, Answer, Extent, Op, Place, VmapArea};

use super::shapes::Asked;
use super::{Cause, Resolver, Verdict, placed, recorded_of};
use crate::replay::plan::{Checks, NO_MATE};

/// Ways followed at a time: while one is undecided the next record can raise a question of its own.
const MAX_SHADOWS: usize = 4;
/// Records that may pass without a decision.
const MAX_AGE: usize = 4096;
/// How many more answers one way has to get right than the other.
const DECIDED_BY: i32 = 2;
/// The same on several CPUs, where either way is wrong now and then for other reasons.
const DECIDED_BY_SMP: i32 = 6;

/// The area that stands for a record that is not believed.
#[derive(Debug, Clone, Copy)]
pub(super) struct StandIn {
    /// Where it lies.
    pub(super) start: u64,
    /// The record that is not believed.
    pub(super) born: u32,
}

impl StandIn {
    /// Is it still there? Another area can have its address by now.
    pub(super) fn lives(self, space: &AddressSpace) -> bool {
        born_at(space, self.start) == Some(self.born)
    }
}

/// The record an area in use that starts at `addr` comes from.
fn born_at(space: &AddressSpace, addr: u64) -> Option<u32> {
    match space.allocator().lookup(addr) {
        Place::Busy { area, .. } => {
            let area = &space.allocator().areas()[area];
            (area.start == addr).then_some(area.born)
        }
        _ => None,
    }
}

/// A second state that went another way at one record.
#[derive(Debug, Clone)]
pub(super) struct Shadow {
    space: AddressSpace,
    /// The record where the ways part.
    from: usize,
    /// What that record did before.
    before: Vec<Op>,
    /// Operations since, in place of the plan's.
    ops: Vec<Op>,
    /// Per record since: how many of them are applied.
    upto: Vec<u32>,
    /// Frees with their allocations.
    mates: Vec<(u32, u32)>,
    /// The recorded address that is not believed here, and the area that stands for it.
    stand_in: Option<(u64, StandIn)>,
    /// What was compared, on this way.
    checks: Checks,
    /// Why the two ways part, told from here.
    cause: Cause,
    /// Answers this way got right and the other did not, less the reverse.
    lead: i32,
}

impl Resolver<'_> {
    /// Begins to follow `op` in place of what is about to be applied.
    pub(super) fn begin_shadow(&mut self, index: usize, op: Op, stand_in: Option<(u64, StandIn)>, cause: Cause) {
        if self.trust == 0 || super::timings::MAX_COPIED_BYTES < self.copied_bytes {
            return;
        }
        self.copied_bytes += self.space.heap_bytes();
        let mut shadow = Shadow {
            space: self.copy(),
            from: index,
            before: self.now.clone(),
            ops: Vec::new(),
            upto: Vec::new(),
            mates: Vec::new(),
            stand_in,
            checks: self.plan.checks,
            cause,
            lead: 0,
        };
        shadow.apply(op);
        if self.shadows.len() == MAX_SHADOWS
            && let Some(least) = (0..MAX_SHADOWS).min_by_key(|&at| self.shadows[at].lead)
        {
            let given_up = self.shadows.remove(least);
            self.give_back(given_up.space);
        }
        self.shadows.push(shadow);
    }

    /// Takes the record the plan has just resolved on the other ways too, and decides if two have grown apart.
    pub(super) fn follow_shadows(&mut self, index: usize, event: &Event) {
        if self.shadows.is_empty() {
            return;
        }
        let own = std::mem::take(&mut self.was_taken_early);
        let decided_by = if self.machine.cpus_online > 1 { DECIDED_BY_SMP } else { DECIDED_BY };
        let mut shadows = std::mem::take(&mut self.shadows);
        for shadow in &mut shadows {
            if shadow.from != index && !own {
                self.follow_on(shadow, index, event);
            }
            shadow.upto.push(shadow.ops.len() as u32);
        }
        let is_over = |shadow: &mut Shadow| shadow.lead <= -decided_by || MAX_AGE <= index - shadow.from;
        for shadow in shadows.extract_if(.., is_over) {
            self.give_back(shadow.space);
        }
        let best = (0..shadows.len()).max_by_key(|&at| shadows[at].lead).filter(|&at| shadows[at].lead >= decided_by);
        if let Some(best) = best {
            let right = shadows.remove(best);
            // The ways that part later part from what is given up.
            shadows.retain(|shadow| shadow.from < right.from);
            for shadow in &mut shadows {
                shadow.lead -= right.lead;
            }
            self.take_over(index, right);
        }
        self.shadows = shadows;
    }

    fn follow_on(&self, shadow: &mut Shadow, index: usize, event: &Event) {
        let theirs = self.now.as_slice();
        match (event.kind, self.last_request) {
            (EventKind::Alloc { .. }, Some(request)) => {
                let right = shadow.alloc(&self.asked(index, event, request), recorded_of(event), theirs);
                let exact = self.plan.verdicts[index] == Verdict::Exact;
                shadow.lead += i32::from(right) - i32::from(exact);
            }
            (EventKind::Free { addr, nr_lazy, .. }, _) => {
                let freed = shadow.free(index, addr.0, theirs, self.plan.mates[index]);
                shadow.checks.nr_lazy_differs += u64::from(freed.is_some_and(|counter| counter != nr_lazy));
                shadow.checks.unknown_frees += u64::from(freed.is_none());
            }
            (EventKind::FreeProbe { addr, .. }, _) => {
                shadow.free(index, addr.0, theirs, self.plan.mates[index]);
            }
            (kind, _) => shadow.follow(kind, theirs),
        }
    }

    /// The other way was right.
    fn take_over(&mut self, index: usize, shadow: Shadow) {
        let Shadow { space, from, mut before, ops, upto, mates, stand_in, checks, cause, .. } = shadow;
        self.space = space;
        self.plan.ops.truncate(from);
        let mut start = 0;
        for end in upto.into_iter().map(|end| end as usize) {
            before.extend_from_slice(ops.get(start..end).unwrap_or(&[]));
            self.plan.ops.push(self.log, &before);
            before.clear();
            start = end;
        }
        for free in from..=index {
            let is_free =
                matches!(self.log.events.nth(free).kind, EventKind::Free { .. } | EventKind::FreeProbe { .. });
            if let Some(mate) = self.plan.mates.get_mut(free).filter(|_| is_free) {
                let born = std::mem::replace(mate, NO_MATE);
                self.plan.mates.get_mut(born as usize).map(|mate| std::mem::replace(mate, NO_MATE));
            }
        }
        for (free, born) in mates {
            self.plan.mates[free as usize] = born;
            self.plan.mates[born as usize] = free;
        }
        // Only where the ways part a record can be one that is not believed here.
        let first = self.plan.divergences.partition_point(|divergence| divergence.seq.index() < from);
        for divergence in &mut self.plan.divergences[first..] {
            let at = divergence.seq.index();
            if at == from {
                divergence.verdict = Verdict::Adopted(cause);
            } else if divergence.verdict == Verdict::Adopted(Cause::Impossible) {
                divergence.verdict = Verdict::Adopted(Cause::AfterDivergence);
            }
            self.plan.verdicts[at] = divergence.verdict;
        }
        self.plan.checks = checks;
        self.stand_ins.retain(|_, stand_in| (stand_in.born as usize) < from);
        self.stand_ins.extend(stand_in);
        self.older.keep_covers(&self.space);
        self.before_purge = None;
        self.checkpoints.forget_from(from);
        self.rewritten.push((from, index));
        // The other shapes have gone the way that is given up.
        self.shapes.forget();
    }
}

impl Shadow {
    fn apply(&mut self, op: Op) -> Answer {
        self.ops.push(op);
        let answer = self.space.apply(&op, None);
        if let Answer::Adopted { displaced, .. } = answer {
            self.checks.displaced += u64::from(displaced);
        }
        answer
    }

    /// The same request here; answers whether the recorded address came out. If not, it is believed: this is the way of
    /// somebody who questions one record, not all of them. The plan's chunk follows it.
    fn alloc(&mut self, asked: &Asked, recorded: Option<u64>, theirs: &[Op]) -> bool {
        let Asked { request, born, owner, .. } = *asked;
        let own = asked.own_answer(&self.space);
        let right = asked.is_valid && own == recorded;
        if right {
            let answer = self.apply(Op::Alloc { request, born });
            debug_assert_eq!(placed(&answer), recorded, "what was placed is what was asked for");
        } else if let Some(extent) = recorded.and_then(|start| Extent::sized(start, request.size)) {
            self.apply(Op::Adopt { extent, owner, born });
        }
        for op in theirs.iter().filter(|op| matches!(op, Op::Chunk { .. })) {
            self.apply(*op);
        }
        right
    }

    /// The free of the area that has the address here, or of the one that stands for it; else what the plan frees, if
    /// it is the same area here. Answers the lazy pages after it.
    fn free(&mut self, index: usize, addr: u64, theirs: &[Op], mate: u32) -> Option<u64> {
        let stand_in = || self.stand_in.filter(|(recorded, it)| *recorded == addr && it.lives(&self.space));
        let target = if born_at(&self.space, addr).is_some() { Some(addr) } else { stand_in().map(|(_, it)| it.start) };
        if let Some(addr) = target {
            return self.release(index, addr);
        }
        let mut counter = None;
        for op in theirs {
            match *op {
                Op::Free { addr } => {
                    let is_theirs = |born| born == mate || (mate == NO_MATE && born == VmapArea::UNBORN);
                    if born_at(&self.space, addr).is_some_and(is_theirs) {
                        counter = self.release(index, addr);
                    }
                }
                op => {
                    self.checks.older_areas += u64::from(matches!(op, Op::Adopt { .. }));
                    self.apply(op);
                }
            }
        }
        counter
    }

    fn release(&mut self, index: usize, addr: u64) -> Option<u64> {
        let Answer::Freed(freed) = self.apply(Op::Free { addr }) else { return None };
        if freed.born != VmapArea::UNBORN {
            self.mates.push((index as u32, freed.born));
        }
        Some(freed.nr_lazy)
    }

    /// A record that is neither does here what it does there.
    fn follow(&mut self, kind: EventKind, theirs: &[Op]) {
        let has_lazy = self.space.allocator().lazy_pages() > 0;
        if let EventKind::PurgeReturn { purged } = kind {
            self.checks.num_purged_differs += u64::from(purged.is_some_and(|purged| purged != has_lazy));
        }
        for op in theirs {
            let answer = self.apply(*op);
            if let (Answer::Purged(purged), EventKind::Purge { num_purged, .. }) = (answer, kind) {
                self.checks.num_purged_differs += u64::from(purged.num_purged != num_purged);
            }
        }
    }
}
