//! [`Plan`]: what every record did, resolved once.
//!
//! What a record costs once a log is loaded, in bytes:
//!
//! | part | bytes |
//! | --- | --- |
//! | its row in [`Events`](crate::log::Events) | 24.1 |
//! | what it did (`Ops`) | 1, and 80 for each operation that does not follow from the record |
//! | its verdict | 2 |
//! | the record of the other end of the area | 4 |
//! | its stack, where the trace has stacks | 4 |
//! | what its area is used for, once that is asked | 4 |

mod assumed;
mod ops;

use crate::event::Seq;
use crate::log::{Log, Progress};
use crate::model::{Extent, Op};
use crate::policy;

use super::decisions::{self, Kept};
use super::machine::{PolicyFrom, releases_to_try};
use super::resolve::Resolver;
pub use assumed::{Assumed, Hypotheses};
pub use ops::OpsOf;
pub(super) use ops::{Ops, purge_op};

use super::{Checkpoints, Divergence, Machine, OpenError, Settings, Tally, Timeline, Verdict};

/// `mate` of a record that has none.
pub const NO_MATE: u32 = u32::MAX;
/// Records per entry of the running tally.
pub(super) const TALLY_EVERY: usize = 1024;

/// Facts of the trace that the model can be checked against besides addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checks {
    /// Frees whose `nr_lazy` is not the model's.
    pub nr_lazy_differs: u64,
    /// Purges whose `num_purged` is not the model's.
    pub num_purged_differs: u64,
    /// Frees of an address that no known area has.
    pub unknown_frees: u64,
    /// Areas older than the trace that their frees brought to light.
    pub older_areas: u64,
    /// Areas in use that an adopted allocation displaced.
    pub displaced: u64,
}

/// The resolved stream of operations with the verdicts.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The machine it was made for.
    pub machine: Machine,
    /// The trace at a glance.
    pub timeline: Timeline,
    /// Allocations that were not exact, ascending by record.
    pub divergences: Vec<Divergence>,
    /// What else was compared.
    pub checks: Checks,
    /// What became of what was inferred before.
    pub kept: Kept,
    /// Per-CPU chunks that no record announces, where they were carved.
    pub(super) chunks: Vec<Extent>,
    pub(super) ops: Ops,
    pub(super) verdicts: Vec<Verdict>,
    /// Alloc record ↔ the free record of its area.
    pub(super) mates: Vec<u32>,
    /// Running tally before record `i * TALLY_EVERY`.
    pub(super) tallies: Vec<Tally>,
    /// Of a script: what the model answered.
    pub(super) answers: Answers,
    /// Ops of a script, ascending, whose answer does not follow from what they did: questions, and what was refused.
    pub(super) said: Vec<u32>,
}

/// The answers to the ops of a script, one line each; of a dump only the first.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    pub(super) text: String,
    pub(super) ends: Vec<usize>,
}

impl Answers {
    /// Keeps the first line of an answer.
    pub(super) fn push(&mut self, answer: &str) {
        self.text.push_str(answer.lines().next().unwrap_or_default());
        self.ends.push(self.text.len());
    }
}

impl Plan {
    /// A plan without records yet.
    pub(super) fn empty(machine: Machine, n_nodes: u32, n_records: usize) -> Self {
        Self {
            machine,
            timeline: Timeline::default(),
            divergences: Vec::new(),
            checks: Checks::default(),
            kept: Kept::default(),
            chunks: Vec::new(),
            ops: Ops::new(n_nodes, n_records),
            verdicts: vec![Verdict::NotJudged; n_records],
            mates: vec![NO_MATE; n_records],
            tallies: Vec::new(),
            answers: Answers::default(),
            said: Vec::new(),
        }
    }

    /// Resolves a log, laying checkpoints on the way; says how far it is now and then.
    ///
    /// # Errors
    /// As [`Machine::of`]; or there is neither an event nor an area.
    pub fn make(log: &Log, settings: &Settings, progress: &Progress) -> Result<(Self, Checkpoints), OpenError> {
        if log.events.is_empty() && log.before.as_ref().is_none_or(|before| before.areas.is_empty()) {
            return Err(OpenError::Nothing);
        }
        if let Some(filter) = &log.origin.filter {
            return Err(OpenError::Filtered { filter: filter.clone() });
        }
        progress.set_resolved(0, log.events.len() as u64);
        let mut machine = Machine::of(log, settings)?;
        if machine.policy_from == PolicyFrom::Assumed {
            machine = likeliest(log, machine);
        }
        let n = log.events.len() as u64;
        let resolver = Resolver::new(log, machine);
        let told = |at| progress.set_resolved(at as u64, n);
        Ok(if resolver.needs_beam() {
            decisions::resolved(resolver, (log, settings), told)
        } else {
            resolver.run(settings.checkpoint_bytes(), told)
        })
    }

    /// Operations of a record of `log`, which the plan was made of, in order; none for an index past the end.
    #[inline]
    pub fn ops_of(&self, log: &Log, index: usize) -> OpsOf<'_> {
        self.ops.of(log, index)
    }

    /// Every operation, in the order it is applied.
    pub fn ops(&self, log: &Log) -> impl Iterator<Item = Op> {
        (0..self.ops.len()).flat_map(move |index| self.ops.of(log, index))
    }

    /// Records there are operations of: all of the log.
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Is there no record?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the model said of a record.
    pub fn verdict(&self, seq: Seq) -> Verdict {
        self.verdicts.get(seq.index()).copied().unwrap_or_default()
    }

    /// The free of an allocation, or the allocation of a free.
    pub fn mate(&self, seq: Seq) -> Option<Seq> {
        self.mates.get(seq.index()).copied().filter(|&mate| mate != NO_MATE).map(Seq)
    }

    /// The first line of what the model answered to an op of a script; `None` for records of a trace.
    pub fn answer(&self, seq: Seq) -> Option<&str> {
        let Answers { text, ends } = &self.answers;
        let end = *ends.get(seq.index())?;
        text.get(seq.index().checked_sub(1).map_or(0, |before| ends[before])..end)
    }

    /// The divergence of a record, if it has one.
    pub fn divergence(&self, seq: Seq) -> Option<&Divergence> {
        let found = self.divergences.binary_search_by_key(&seq, |divergence| divergence.seq).ok()?;
        self.divergences.get(found)
    }

    /// Verdicts of the first `cursor` records.
    pub fn tally(&self, cursor: usize) -> Tally {
        let block = (cursor / TALLY_EVERY).min(self.tallies.len().saturating_sub(1));
        let mut tally = self.tallies.get(block).copied().unwrap_or_default();
        for verdict in self.verdicts.iter().take(cursor).skip(block * TALLY_EVERY) {
            tally.count(*verdict);
        }
        tally
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let bytes = self.divergences.capacity() * size_of::<Divergence>()
            + self.tallies.capacity() * size_of::<Tally>()
            + self.mates.capacity() * 4
            + self.verdicts.capacity() * size_of::<Verdict>()
            + self.answers.text.capacity()
            + self.answers.ends.capacity() * size_of::<usize>();
        bytes as u64 + self.ops.heap_bytes() + self.timeline.heap_bytes()
    }
}

/// Records that are enough to tell one era from another.
const TELLING_RECORDS: usize = 20_000;

/// The machine with the rules that explain the first records best. Without a difference nothing is changed: the rules
/// stay assumed.
fn likeliest(log: &Log, assumed: Machine) -> Machine {
    let score = |machine| Resolver::new(log, machine).score(TELLING_RECORDS);
    let mut best = (score(assumed), assumed);
    for &release in releases_to_try(log) {
        let Some(policy) = policy::by_release(release) else { continue };
        let machine = Machine { policy, policy_from: PolicyFrom::Events, ..assumed };
        let found = score(machine);
        if best.0 < found {
            best = (found, machine);
        }
    }
    best.1
}

impl Tally {
    /// Counts one verdict.
    pub fn count(&mut self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::NotJudged => return,
            Verdict::Exact => &mut self.exact,
            Verdict::Inferred(_) => &mut self.inferred,
            Verdict::Adopted(_) => &mut self.adopted,
            Verdict::Differs(_) => &mut self.differs,
        };
        *counter += 1;
        self.allocs += 1;
    }
}
