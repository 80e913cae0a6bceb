//! Which single probe would have decided an allocation that was not exact.

use crate::event::EventKind;
use crate::model::Place;
use crate::policy::rules::LazyStore;

use super::adopt::Difference;
use super::{Cause, Resolver, Timing, Verdict};
use crate::replay::Probe;

impl Resolver<'_> {
    /// The probe for a verdict, in the state before the record. `None` where it does not depend on what was recorded.
    pub(super) fn probe_for(&self, index: usize, difference: Difference, verdict: Verdict) -> Option<Probe> {
        let probe = match verdict {
            Verdict::Inferred(timing) => match timing {
                Timing::BeforePurge | Timing::Exchanged => Probe::VaClip,
                Timing::AfterPurge => self.probe_of_purge(index),
                Timing::UnseenPurge => Probe::PurgeVmapAreaLazy,
                Timing::OtherNode => Probe::AllocVmapArea,
                Timing::PoolMissed if self.purge_runs_elsewhere(index) => Probe::DecayVaPoolNode,
                // The task had moved, and found the pool of the CPU it came from empty.
                Timing::PoolMissed => Probe::AllocVmapArea,
            },
            Verdict::Adopted(cause) => match cause {
                Cause::ConcurrentPurge => self.probe_of_purge(index),
                Cause::UnknownShape => Probe::FreeTree,
                Cause::UnknownState => Probe::Snapshot,
                Cause::UnknownPools => Probe::EmptyPools,
                Cause::Impossible => Probe::InsertVmapArea,
                Cause::PassedOver => Probe::PcpuGetVmAreas,
                Cause::LostRecords => Probe::BufferSize,
                Cause::OverlapsLive => Probe::FreeVmapAreaNoflush,
                Cause::RecordedFailure | Cause::ModelFailed => Probe::AllocVmapArea,
                Cause::AfterDivergence | Cause::Unexplained => self.probe_by_place(index, difference),
                Cause::NotTheExpected | Cause::NoExpectation => return None,
            },
            Verdict::Differs(_) | Verdict::Exact | Verdict::NotJudged => return None,
        };
        Some(probe)
    }

    /// How far a purge had got: when it came to each node, or with helpers when each began to return its list.
    fn probe_of_purge(&self, index: usize) -> Probe {
        if self.machine.policy.rules.lazy != LazyStore::PerNode {
            return Probe::PurgeVmapAreaLazy;
        }
        let end = self.purge_ahead(index).unwrap_or(index);
        let has_helpers = |kind: EventKind| match kind {
            EventKind::Free { nr_lazy, nr_lazy_max, .. } => nr_lazy_max.saturating_mul(2) <= nr_lazy,
            _ => false,
        };
        let with_helpers = self.log.events.range(index..end).any(|event| has_helpers(event.kind));
        if with_helpers { Probe::PurgeVmapNode } else { Probe::DecayVaPoolNode }
    }

    /// From what the model has where the record and its own answer lie.
    fn probe_by_place(&self, index: usize, difference: Difference) -> Probe {
        let Difference { model, recorded } = difference;
        let allocator = self.space.allocator();
        let runs = self.purge_runs_elsewhere(index);
        let own_node = self.log.events.nth(index).assumed_cpu() % allocator.n_nodes().max(1);
        let at = |addr: Option<u64>| addr.map_or(Place::Unknown, |addr| allocator.lookup(addr));
        match (at(recorded), at(model)) {
            (Place::Pooled { node, .. }, _) if node != own_node => Probe::AllocVmapArea,
            (Place::Lazy { .. }, _) if runs => self.probe_of_purge(index),
            (Place::Lazy { .. }, _) => Probe::PurgeVmapAreaLazy,
            (Place::Busy { .. }, _) => Probe::FreeVmapAreaNoflush,
            (Place::Pooled { .. } | Place::Free { .. }, Place::Pooled { .. } | Place::Free { .. }) if runs => {
                self.probe_of_purge(index)
            }
            // The pool was empty, and no record of a purge says why.
            (Place::Pooled { .. }, _) | (Place::Free { .. }, Place::Pooled { .. }) => Probe::VmapNodeShrinkScan,
            (Place::Free { .. }, Place::Free { .. }) if model < recorded => Probe::PcpuGetVmAreas,
            _ => Probe::InsertVmapArea,
        }
    }
}
