//! [`Verdict`]: did the model choose the address the kernel chose, and if not, why not.

use super::Probe;
use crate::event::{Addr, Seq};

/// What the model said of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Verdict {
    /// Not an allocation: nothing to judge.
    #[default]
    NotJudged,
    /// The model's own first answer is the recorded one.
    Exact,
    /// Not that, but the answer under one of the timings the trace leaves open.
    Inferred(Timing),
    /// The recorded address was forced into the state.
    Adopted(Cause),
    /// The model's answer to an op of a script is not the expected one. The model goes on with its own.
    Differs(Cause),
}

/// A timing the trace leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timing {
    /// The space was taken before the purge whose record stands before this one.
    BeforePurge,
    /// The space was taken after the purge whose record stands behind this one.
    AfterPurge,
    /// The space came back with a purge; the trace has no records of purges.
    UnseenPurge,
    /// Two neighbouring records of different CPUs stand in the other order.
    Exchanged,
    /// The task looked at the pool of another node: it had moved.
    OtherNode,
    /// The pool was not asked: it was empty at the moment of the look.
    PoolMissed,
}

impl Timing {
    /// A few words for lists and JSON keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforePurge => "carved-before-purge",
            Self::AfterPurge => "carved-after-purge",
            Self::UnseenPurge => "unseen-purge",
            Self::Exchanged => "exchanged-with-neighbour",
            Self::OtherNode => "other-node",
            Self::PoolMissed => "pool-missed",
        }
    }

    /// One sentence for people.
    pub fn because(self) -> &'static str {
        match self {
            Self::BeforePurge => "the space was taken before the purge whose record stands before this one",
            Self::AfterPurge => "the space was taken after the purge whose record stands behind this one",
            Self::UnseenPurge => "the space came back with a purge, of which this trace has no records",
            Self::Exchanged => "this record and a neighbour of another CPU stand in the other order",
            Self::OtherNode => "the task had moved: the pool of another CPU's node was asked",
            Self::PoolMissed => "the pool was empty at the moment the task looked",
        }
    }

    /// The one further event that would have decided it without a guess.
    pub fn decided_by(self) -> &'static str {
        match self {
            Self::BeforePurge | Self::Exchanged => "a probe on va_clip, which takes the space under the lock",
            Self::AfterPurge => "probes on decay_va_pool_node and purge_vmap_node (up to 6.8: __purge_vmap_area_lazy)",
            Self::UnseenPurge => "the event vmalloc:purge_vmap_area_lazy, or a probe on __purge_vmap_area_lazy",
            Self::OtherNode => "a probe on the entry of alloc_vmap_area: its CPU is the one whose pool is asked",
            Self::PoolMissed => "a probe on the entry of decay_va_pool_node",
        }
    }
}

/// Why a recorded address had to be adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// A purge was running on another CPU; how far it had got is not recorded.
    ConcurrentPurge,
    /// Alignment above a page, and the tree's shape is not known (the trace starts late).
    UnknownShape,
    /// The trace starts after boot, and no snapshot says what was in use.
    UnknownState,
    /// The trace starts after boot, and what the pools held then is in no snapshot.
    UnknownPools,
    /// No search could have given the recorded address; the model's own answer stands for it.
    Impossible,
    /// The kernel passed over a hole the model believes in: an area that no record announced lies there.
    PassedOver,
    /// Records were lost before this one.
    LostRecords,
    /// The record's range overlaps an area in use: a free was not seen, or stands later.
    OverlapsLive,
    /// The record says the request failed, the model found space.
    RecordedFailure,
    /// The model found no space, the record says the kernel did.
    ModelFailed,
    /// An earlier adoption left the model in another state.
    AfterDivergence,
    /// An op of a script was answered in another way.
    NotTheExpected,
    /// The expected answers end before this op.
    NoExpectation,
    /// None of the above.
    Unexplained,
}

impl Cause {
    /// A few words for lists and JSON keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConcurrentPurge => "concurrent-purge",
            Self::UnknownShape => "unknown-shape",
            Self::UnknownState => "unknown-state",
            Self::UnknownPools => "unknown-pools",
            Self::Impossible => "impossible-address",
            Self::PassedOver => "passed-over-hole",
            Self::LostRecords => "lost-records",
            Self::OverlapsLive => "overlaps-live",
            Self::RecordedFailure => "recorded-failure",
            Self::ModelFailed => "model-failed",
            Self::AfterDivergence => "after-divergence",
            Self::NotTheExpected => "not-the-expected",
            Self::NoExpectation => "no-expectation",
            Self::Unexplained => "unexplained",
        }
    }

    /// One sentence for people.
    pub fn because(self) -> &'static str {
        match self {
            Self::ConcurrentPurge => "a purge ran on another CPU and no record says how far it had got",
            Self::UnknownShape => "the answer depends on the shape of the free tree, and the trace starts after boot",
            Self::UnknownState => "the trace starts after boot and no snapshot says what was in use then",
            Self::UnknownPools => "the trace starts after boot and what the pools held then is in no snapshot",
            Self::Impossible => {
                "no search could have given this address: the record is not believed, the model's own stands"
            }
            Self::PassedOver => "the kernel passed over a lower hole: an area that no record announced lies there",
            Self::LostRecords => "records were lost before this one",
            Self::OverlapsLive => "the recorded range overlaps an area in use: its free was not seen before",
            Self::RecordedFailure => "the record says the request failed, the model found space",
            Self::ModelFailed => "the record says the kernel found space, the model found none",
            Self::AfterDivergence => "an earlier adopted address left the model in another state",
            Self::NotTheExpected => "the expected answer is another one",
            Self::NoExpectation => "the expected answers end before this op",
            Self::Unexplained => "no fact in the trace explains the difference",
        }
    }

    /// The one further event, or the one further fact, that would have decided it.
    pub fn decided_by(self) -> &'static str {
        match self {
            Self::ConcurrentPurge => {
                "probes on decay_va_pool_node and purge_vmap_node (up to 6.8: __purge_vmap_area_lazy)"
            }
            Self::UnknownShape => "tracing from boot, or the kernel's free tree read before the trace",
            Self::UnknownState => "a /proc/vmallocinfo read just before the trace",
            Self::UnknownPools => {
                "the pools read before the trace, or emptied before it: vmaplens record --empty-pools, or a failing request"
            }
            Self::Impossible => "a second trace instance, or a probe on insert_vmap_area, to check the record against",
            Self::PassedOver => "the alloc record of the area in the lower hole",
            Self::LostRecords => "the lost records: a larger buffer_size_kb keeps them",
            Self::OverlapsLive => "the free record of the area that was there",
            Self::RecordedFailure | Self::ModelFailed => "a probe on the return of alloc_vmap_area",
            Self::AfterDivergence => "what would have decided the first adopted record",
            Self::NotTheExpected => "nothing: a script has no timing; the rules or the expected answer are wrong",
            Self::NoExpectation => "the missing lines of the expected answers",
            Self::Unexplained => "a probe on insert_vmap_area, which sees every area, also those no event announces",
        }
    }
}

/// An allocation the model did not predict exactly, or an op of a script it did not answer as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divergence {
    /// The record.
    pub seq: Seq,
    /// How it was settled.
    pub verdict: Verdict,
    /// The one further thing to record that would have decided it; `None` of a script.
    pub probe: Option<Probe>,
    model: Answered,
    recorded: Answered,
}

/// An address or none, in eight bytes: there can be as many divergences as records. No area begins at the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answered(u64);

impl Answered {
    fn of(addr: Option<u64>) -> Self {
        Self(addr.unwrap_or(u64::MAX))
    }

    fn get(self) -> Option<Addr> {
        (self.0 != u64::MAX).then_some(Addr(self.0))
    }
}

impl Divergence {
    /// Of a record: the model's own answer, and the recorded address; `None` for a request that failed.
    pub(super) fn new(
        seq: Seq,
        (model, recorded): (Option<u64>, Option<u64>),
        verdict: Verdict,
        probe: Option<Probe>,
    ) -> Self {
        Self { seq, verdict, probe, model: Answered::of(model), recorded: Answered::of(recorded) }
    }

    /// The model's own answer; `None` if it found no space.
    pub fn model(&self) -> Option<Addr> {
        self.model.get()
    }

    /// The recorded address; `None` if the record says the request failed.
    pub fn recorded(&self) -> Option<Addr> {
        self.recorded.get()
    }
}

/// How many verdicts of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Allocation records judged; of a script, ops.
    pub allocs: u64,
    /// Exact.
    pub exact: u64,
    /// Inferred.
    pub inferred: u64,
    /// Adopted.
    pub adopted: u64,
    /// Ops of a script whose answer was not the expected one.
    pub differs: u64,
}
