//! The timings a trace leaves open, tried one after the other when the model's own answer is not the recorded one.

use crate::event::{Event, EventKind};
use crate::model::{AddressSpace, Answer, Op, PurgeKind, Request};

use super::{Overflow, Resolver, Timing, placed, recorded_of};

/// How far behind its purge record an allocation can stand that was carved before it, in records.
const MAX_BEFORE_PURGE: usize = 512;
/// What the copies of states for tries may come to in one log: about a second's worth.
pub(super) const MAX_COPIED_BYTES: u64 = 8 << 30;
/// How far two exchanged records of different CPUs can stand apart, in records.
const MAX_EXCHANGED: usize = 64;

/// An allocation whose recorded address is not the model's own answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'e> {
    /// Its place in the log.
    pub(super) index: usize,
    /// The record.
    pub(super) event: &'e Event,
    /// What was asked.
    pub(super) request: &'e Request,
    /// The recorded address; `None` if the record says there was no space.
    pub(super) recorded: Option<u64>,
}

impl Resolver<'_> {
    /// Takes the first timing that gives the recorded address. It stays binding for what follows.
    pub(super) fn try_timings(&mut self, case: &Case<'_>) -> Option<Timing> {
        if self.trust == 0 || MAX_COPIED_BYTES < self.copied_bytes {
            // The model's state is not the kernel's any more: another timing would be right by chance, at the price of a
            // copy of the state for each record.
            return None;
        }
        self.try_part_done(case)
            .or_else(|| self.try_before_purge(case))
            .or_else(|| self.try_after_purge(case))
            .or_else(|| self.try_exchanged(case))
            .or_else(|| self.try_other_node(case))
            .or_else(|| self.try_pool_missed(case))
            .or_else(|| self.try_unseen_purge(case))
    }

    /// The space may have been taken before the latest purge: the first allocation of its task behind the purge record
    /// is tried there, and everything since must come out as recorded.
    fn try_before_purge(&mut self, case: &Case<'_>) -> Option<Timing> {
        let Case { index, event, request, recorded } = *case;
        let before = self.before_purge.as_ref()?;
        let (from, n_before) = (before.index, before.n_before);
        let mut between = self.log.events.range(from..index);
        // What one task did is in the order of its records; what one CPU did too, where nothing can come between.
        let same_cpu_counts = !self.machine.policy.rules.reschedules_before_record;
        let own = |other: Event| other.task == event.task || (same_cpu_counts && other.cpu == event.cpu);
        if index.checked_sub(from)? > MAX_BEFORE_PURGE || between.any(own) {
            return None;
        }
        self.copied_bytes += before.space.heap_bytes();
        let op = Op::Alloc { request: *request, born: index as u32 };
        let answer = before.space.allocator().place(request, None).ok().map(|placement| placement.start);
        if answer != recorded {
            return None;
        }
        let mut space = self.spares.pop().unwrap_or_else(|| self.space.clone());
        space.copy_from(&mut self.before_purge.as_mut()?.space);
        let answer = placed(&space.apply(&op, None));
        if answer != recorded || !self.comes_out(&mut space, from, n_before) {
            self.give_back(space);
            return None;
        }
        let old = std::mem::replace(&mut self.space, space);
        self.give_back(old);
        let mut ops: Vec<Op> = self.plan.ops_of(self.log, from).collect();
        ops.insert(n_before.min(ops.len()), op);
        self.plan.ops.set(self.log, from, &ops);
        if let Some(before) = &mut self.before_purge {
            before.space.apply(&op, None);
            before.n_before += 1;
        }
        self.checkpoints.forget_from(from);
        self.rewritten.push((from, index));
        self.shadows.clear();
        self.shapes.forget();
        Some(Timing::BeforePurge)
    }

    /// Applies what has been resolved to another state, from record `from` on but its first `n_before` operations; does
    /// it all come out as recorded there too?
    pub(super) fn comes_out(&self, space: &mut AddressSpace, from: usize, n_before: usize) -> bool {
        let finished = (from..self.plan.len()).flat_map(|index| self.plan.ops_of(self.log, index));
        let mut resolved = finished.chain(self.now.iter().copied()).skip(n_before);
        resolved.all(|op| match (op, space.apply(&op, None)) {
            (Op::Alloc { born, .. }, answer) => placed(&answer) == recorded_of(&self.log.events.nth(born as usize)),
            (_, Answer::Adopted { displaced, .. }) => displaced == 0,
            (_, Answer::UnknownFree(_)) => false,
            _ => true,
        })
    }

    /// Does the recorded address come out once `first` has been done? Then both are; answers the state before.
    pub(super) fn accept_behind(&mut self, first: Op, case: &Case<'_>) -> Option<AddressSpace> {
        self.copied_bytes += self.space.heap_bytes();
        let mut space = self.copy();
        space.apply(&first, None);
        let op = Op::Alloc { request: *case.request, born: case.index as u32 };
        if placed(&space.apply(&op, None)) != case.recorded {
            self.give_back(space);
            return None;
        }
        self.now.extend([first, op]);
        self.before_purge = None;
        self.shadows.clear();
        self.shapes.forget();
        Some(std::mem::replace(&mut self.space, space))
    }

    /// A purge that is recorded later may have come this far already: it is applied here if that gives the recorded
    /// address.
    fn try_after_purge(&mut self, case: &Case<'_>) -> Option<Timing> {
        let index = case.index;
        if self.machine.cpus_online < 2 || self.parts.seen || self.purged_early.is_some() {
            return None;
        }
        let purge = self.purge_ahead(index)?;
        let event = self.log.events.nth(purge);
        // The purge began after the purging task's last record before it.
        if (index..purge).any(|between| self.log.events.task(between) == Some(event.task)) {
            return None;
        }
        let full = matches!(self.overflow.get(self.slot_of(event.task)), Some(Overflow::Purging(..)));
        let kind = if full { PurgeKind::Full } else { PurgeKind::Partial };
        self.accept_behind(super::purge_op(kind), case)?;
        self.purged_early = Some(purge);
        Some(Timing::AfterPurge)
    }

    /// An allocation of another CPU that is recorded behind this one may have come first.
    fn try_exchanged(&mut self, case: &Case<'_>) -> Option<Timing> {
        let Case { index, event, request, recorded } = *case;
        if self.machine.cpus_online < 2 {
            return None;
        }
        let mut cpus_seen = vec![event.cpu];
        let ahead = self.log.events.range(index + 1..).take(MAX_EXCHANGED).zip(index + 1..);
        for (other, place) in ahead {
            // Only the next record of each CPU can have come early: one CPU's changes are in the order of its records.
            if cpus_seen.contains(&other.cpu) {
                continue;
            }
            cpus_seen.push(other.cpu);
            let EventKind::Alloc { size, align, window, failed: false, .. } = other.kind else { continue };
            let window = self.log.names.window(window);
            let early = Request { size, align, window, cpu: other.assumed_cpu(), first_attempt: true };
            if self.taken_early.iter().any(|&(taken, _)| taken == place) || early.check(self.machine.page_size).is_err()
            {
                continue;
            }
            if self.space.allocator().place(&early, None).ok().map(|placement| placement.start) != recorded_of(&other) {
                continue;
            }
            self.copied_bytes += self.space.heap_bytes();
            let mut space = self.copy();
            let ops =
                [Op::Alloc { request: early, born: place as u32 }, Op::Alloc { request: *request, born: index as u32 }];
            space.apply(&ops[0], None);
            if placed(&space.apply(&ops[1], None)) == recorded {
                // In the order of the records the other one would have been given what is left after this one.
                let mut in_order = self.space.clone();
                in_order.apply(&ops[1], None);
                let own = placed(&in_order.apply(&ops[0], None));
                self.space = space;
                self.now.extend(ops);
                self.taken_early.push((place, own));
                self.shadows.clear();
                return Some(Timing::Exchanged);
            }
            self.give_back(space);
        }
        None
    }

    /// The task may have looked at another node's pool: it moved between reading its CPU and the record.
    fn try_other_node(&mut self, case: &Case<'_>) -> Option<Timing> {
        let n_nodes = self.space.allocator().n_nodes();
        let own = case.request.cpu % n_nodes;
        (0..n_nodes).filter(|&node| node != own).find_map(|node| {
            let moved = Request { cpu: node, ..*case.request };
            self.accept_if(case, &moved, Timing::OtherNode)
        })
    }

    /// The pool may have been empty at the moment of the look, and filled before the record.
    fn try_pool_missed(&mut self, case: &Case<'_>) -> Option<Timing> {
        let missed = Request { first_attempt: false, ..*case.request };
        self.accept_if(case, &missed, Timing::PoolMissed)
    }

    fn accept_if(&mut self, case: &Case<'_>, request: &Request, timing: Timing) -> Option<Timing> {
        let answer = self.space.allocator().place(request, None);
        if answer.ok().map(|placement| placement.start) != case.recorded {
            return None;
        }
        self.apply(Op::Alloc { request: *request, born: case.index as u32 });
        Some(timing)
    }
}
