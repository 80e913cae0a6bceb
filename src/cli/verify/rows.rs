//! What `verify` says of each divergence, and of what it compares.

use serde::Serialize;

use crate::event::EventKind;
use crate::log::Log;
use crate::replay::truth::{AfterCheck, StateCheck};
use crate::replay::{self, Divergence, Plan, Probe, Verdict};

use super::super::json::hex;

#[derive(Debug, Serialize)]
pub(super) struct DivergenceRow {
    pub(super) seq: u32,
    pub(super) line: u32,
    /// `null`: the input does not tell.
    pub(super) cpu: Option<u16>,
    pub(super) size: u64,
    pub(super) align: u64,
    pub(super) model: Option<String>,
    pub(super) recorded: Option<String>,
    pub(super) verdict: &'static str,
    pub(super) cause: &'static str,
    pub(super) because: &'static str,
    pub(super) decided_by: &'static str,
    /// The one further thing to record that would have decided this record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) probe: Option<&'static str>,
    /// The option of `record` that records it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) record_with: Option<&'static str>,
    /// Steps of a purge that come first; the purge is recorded later.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) purge_steps: usize,
    /// Records that took effect first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) taken_before: Vec<u32>,
    /// The record that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confirmed_by: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// What is assumed in the whole trace.
#[derive(Debug, Serialize)]
pub(super) struct Hypotheses {
    pub(super) purges_begun: u64,
    pub(super) purge_steps: u64,
    pub(super) exchanged: u64,
    pub(super) other_node: u64,
    pub(super) pool_missed: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Checks {
    pub(super) nr_lazy_differs: u64,
    pub(super) num_purged_differs: u64,
    pub(super) unknown_frees: u64,
    pub(super) older_areas: u64,
    pub(super) displaced: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct After {
    pub(super) areas_recorded: usize,
    pub(super) areas_model: usize,
    pub(super) missing: usize,
    pub(super) extra: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct State {
    pub(super) free_equal: bool,
    pub(super) free_recorded: usize,
    pub(super) free_model: usize,
    pub(super) pools_equal: bool,
    pub(super) lazy_equal: bool,
    pub(super) busy_equal: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tree_equal: Option<bool>,
}

/// What there is to say of a divergence.
pub(super) struct Told {
    pub(super) verdict: &'static str,
    pub(super) cause: &'static str,
    pub(super) because: &'static str,
    pub(super) decided_by: &'static str,
}

impl Told {
    pub(super) fn of(divergence: &Divergence) -> Self {
        let (verdict, cause, because, decided_by) = match divergence.verdict {
            Verdict::Inferred(timing) => ("inferred", timing.name(), timing.because(), timing.decided_by()),
            Verdict::Adopted(cause) => ("adopted", cause.name(), cause.because(), cause.decided_by()),
            Verdict::Differs(cause) => ("differs", cause.name(), cause.because(), cause.decided_by()),
            Verdict::Exact | Verdict::NotJudged => ("exact", "none", "", ""),
        };
        Self { verdict, cause, because, decided_by }
    }
}

pub(super) fn row(log: &Log, plan: &Plan, divergence: &Divergence) -> DivergenceRow {
    let is_32_bit = plan.machine.is_32_bit;
    let assumed = plan.assumed_at(log, divergence.seq);
    let Told { verdict, cause, because, decided_by } = Told::of(divergence);
    let event = log.events.nth(divergence.seq.index());
    let (size, align) = match event.kind {
        EventKind::Alloc { size, align, .. } => (size, align),
        _ => (0, 0),
    };
    // With the rules of another kernel nothing that is recorded decides anything.
    let probe = divergence.probe.filter(|_| !plan.machine.has_foreign_rules(log));
    let address = |addr: Option<crate::event::Addr>| addr.map(|addr| hex(addr.0, is_32_bit));
    DivergenceRow {
        seq: divergence.seq.0,
        line: event.line,
        cpu: event.known_cpu(),
        size,
        align,
        model: address(divergence.model()),
        recorded: address(divergence.recorded()),
        verdict,
        cause,
        because,
        decided_by,
        probe: probe.map(Probe::name),
        record_with: probe.and_then(Probe::option),
        purge_steps: assumed.purge_steps,
        taken_before: assumed.taken_before.iter().map(|seq| seq.0).collect(),
        confirmed_by: assumed.confirmed_by.map(|seq| seq.0),
    }
}

impl From<replay::Hypotheses> for Hypotheses {
    fn from(sum: replay::Hypotheses) -> Self {
        let replay::Hypotheses { purges_begun, purge_steps, exchanged, other_node, pool_missed } = sum;
        Self { purges_begun, purge_steps, exchanged, other_node, pool_missed }
    }
}

impl From<AfterCheck> for After {
    fn from(check: AfterCheck) -> Self {
        let AfterCheck { areas_recorded, areas_model, missing, extra } = check;
        Self { areas_recorded, areas_model, missing, extra }
    }
}

impl From<StateCheck> for State {
    fn from(check: StateCheck) -> Self {
        let StateCheck { free_equal, free_recorded, free_model, pools_equal, lazy_equal, busy_equal, tree_equal } =
            check;
        Self { free_equal, free_recorded, free_model, pools_equal, lazy_equal, busy_equal, tree_equal }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::super::args::Cli;
    use super::*;

    /// What `record_with` says can be given to `record` as it stands.
    #[test]
    fn record_takes_what_is_told() {
        let mut taken = 0;
        for probe in [Probe::DecayVaPoolNode, Probe::PurgeVmapNode, Probe::EmptyPools] {
            let option = probe.option().expect("recorded by an option");
            let parsed = Cli::try_parse_from(["vmaplens", "record", option, "-o", "bundle"]);
            taken += usize::from(parsed.is_ok());
            assert!(option.ends_with(probe.name()), "{option}");
        }
        assert_eq!(taken, 3);
        assert!(Cli::try_parse_from(["vmaplens", "record", "--probes", "-o", "bundle", "--", "true"]).is_ok());
        assert!(Cli::try_parse_from(["vmaplens", "record", "--probes=va_clip", "-o", "bundle"]).is_err());
    }
}
