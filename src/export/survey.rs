//! [`SurveyRow`]: one capture under one policy, in one row.

use super::about::About;
use super::table::{Column, Form, Row, Value, column};
use crate::compare::metrics::{Counts, METRICS, Value as Measured};
use crate::compare::{Lane, RECORDED};
use crate::model::Provenance::{Derived, Modelled, Observed};
use crate::replay::{Replay, Tally};

/// What is told of a capture, whatever the policy.
#[derive(Debug, Clone)]
pub struct Surveyed {
    about: About,
    arch: Option<String>,
    from_boot: bool,
    counts: crate::log::Counts,
    tally: Tally,
}

/// What is told of a policy.
#[derive(Debug, Clone)]
pub struct Result {
    release: String,
    is_own: bool,
    first_divergence: Option<u32>,
    digest: Option<u64>,
    metrics: [Option<Measured>; METRICS.len()],
}

/// A capture under a policy, or why there is nothing to tell.
#[derive(Debug, Clone)]
pub struct SurveyRow {
    /// The capture, as it was named or found.
    pub input: String,
    /// The policy that was asked for.
    pub policy: String,
    /// Why the rest, or a part of it, is not known.
    pub error: Option<String>,
    /// The capture.
    pub capture: Option<Surveyed>,
    /// The policy.
    pub result: Option<Result>,
}

impl Surveyed {
    /// What is known of a capture.
    pub fn of(replay: &Replay) -> Self {
        let log = replay.log();
        Self {
            about: About::of(replay),
            arch: log.origin.arch.clone(),
            from_boot: replay.plan().machine.from_boot,
            counts: log.counts(),
            tally: replay.plan().tally(replay.len()),
        }
    }
}

impl Result {
    /// What came of a lane that is through.
    pub fn of(lane: &Lane, replay: &Replay) -> Self {
        let (rules, own) = (&lane.machine().policy.rules, &replay.plan().machine.policy.rules);
        Self {
            release: lane.machine().policy.release.to_string(),
            is_own: lane.spec().policy != RECORDED && lane.spec().changes.is_empty() && rules == own,
            first_divergence: lane.first_divergence().map(|seq| seq.0),
            digest: lane.end().map(|end| end.digest),
            metrics: METRICS_VALUES.map(|value| value(lane)),
        }
    }
}

/// The functions of [`METRICS`].
const METRICS_VALUES: [fn(&Lane) -> Option<Measured>; METRICS.len()] = {
    let mut values = [METRICS[0].value; METRICS.len()];
    let mut n = 0;
    while n < METRICS.len() {
        values[n] = METRICS[n].value;
        n += 1;
    }
    values
};

/// The columns before the metrics.
const FIXED: [Column; 26] = [
    column("input", Form::Text, Observed, "the capture, as it was named or found"),
    column("policy", Form::Text, Observed, "the policy asked for"),
    column("error", Form::Text, Observed, "why the rest of the row is not known").or_null(),
    column("kernel_release", Form::Text, Observed, "uname -r").or_null(),
    column("arch", Form::Text, Observed, "architecture").or_null(),
    column("kernel_policy", Form::Text, Derived, "the policy of the capture's own kernel").or_null(),
    column("kernel_policy_from", Form::Text, Derived, "how that is known: option, kernel, events, assumed").or_null(),
    column("release", Form::Text, Derived, "the release whose rules the row is made with").or_null(),
    column("is_own", Form::Bool, Derived, "they are the rules of the capture's own kernel").or_null(),
    column("cpus", Form::U32, Observed, "CPUs that could ever be there").or_null(),
    column("page_size", Form::U64, Observed, "bytes in a page").or_null(),
    column("vmalloc_start", Form::Addr, Observed, "VMALLOC_START").or_null(),
    column("vmalloc_end", Form::Addr, Observed, "VMALLOC_END").or_null(),
    column("from_boot", Form::Bool, Derived, "the first record is the kernel's first allocation").or_null(),
    column("records", Form::U64, Observed, "records").or_null(),
    column("allocs", Form::U64, Observed, "allocation attempts, failed ones included").or_null(),
    column("failed", Form::U64, Observed, "failed attempts").or_null(),
    column("frees", Form::U64, Observed, "frees").or_null(),
    column("purge_records", Form::U64, Observed, "purges").or_null(),
    column("lost", Form::U64, Observed, "records that are missing").or_null(),
    column("problems", Form::U64, Observed, "damaged places that were skipped").or_null(),
    column("exact", Form::U64, Modelled, "allocations that the kernel's own rules predict exactly").or_null(),
    column("inferred", Form::U64, Modelled, "the same under a timing that the trace leaves open").or_null(),
    column("adopted", Form::U64, Modelled, "allocations whose recorded address had to be believed").or_null(),
    column("first_divergence_seq", Form::U64, Modelled, "first record at which this policy answers otherwise")
        .or_null(),
    column("digest", Form::Text, Modelled, "hash of the last state").or_null(),
];

/// All of them.
const COLUMNS: [Column; FIXED.len() + METRICS.len()] = {
    let mut columns = [FIXED[0]; FIXED.len() + METRICS.len()];
    let mut n = 0;
    while n < columns.len() {
        columns[n] = if n < FIXED.len() {
            FIXED[n]
        } else {
            let metric = &METRICS[n - FIXED.len()];
            column(metric.key, form_of(metric.counts, metric.key), Modelled, metric.formula).or_null()
        };
        n += 1;
    }
    columns
};

/// Means are no whole numbers.
const fn form_of(counts: Counts, key: &str) -> Form {
    match counts {
        Counts::Share => Form::F64,
        _ if ends_with(key.as_bytes(), b"_mean") => Form::F64,
        _ => Form::U64,
    }
}

const fn ends_with(text: &[u8], end: &[u8]) -> bool {
    let mut n = 0;
    while n < end.len() {
        if text.len() < end.len() || text[text.len() - end.len() + n] != end[n] {
            return false;
        }
        n += 1;
    }
    true
}

impl Row for SurveyRow {
    const TABLE: &'static str = "survey";
    const SCHEMA: &'static str = "vmaplens.survey/1";
    const COLUMNS: &'static [Column] = &COLUMNS;

    fn values<'a>(&'a self, put: &mut dyn FnMut(Value<'a>)) {
        put(Value::word(&self.input));
        put(Value::word(&self.policy));
        put(Value::text(self.error.as_deref()));
        let result = self.result.as_ref();
        match &self.capture {
            None => FIXED[3..].iter().for_each(|_| put(Value::Null)),
            Some(capture) => {
                let Surveyed { about, counts, tally, .. } = capture;
                put(Value::text(about.kernel.as_deref()));
                put(Value::text(capture.arch.as_deref()));
                put(Value::word(&about.policy));
                put(Value::word(about.policy_from));
                put(Value::text(result.map(|result| &*result.release)));
                put(result.map_or(Value::Null, |result| Value::Bool(result.is_own)));
                put(Value::Number(u64::from(about.cpus)));
                put(Value::Number(about.page_size));
                put(Value::Addr(about.range.0));
                put(Value::Addr(about.range.1));
                put(Value::Bool(capture.from_boot));
                let sums = [about.records, counts.alloc, counts.failed, counts.free, counts.purge, counts.lost];
                for sum in sums {
                    put(Value::Number(sum));
                }
                put(Value::Number(about.problems));
                for sum in [tally.exact, tally.inferred, tally.adopted] {
                    put(Value::Number(sum));
                }
                put(Value::number(result.and_then(|result| result.first_divergence)));
                let digest = result.and_then(|result| result.digest);
                put(digest.map_or(Value::Null, |digest| Value::Text(format!("{digest:016x}").into_bytes().into())));
            }
        }
        for (place, column) in COLUMNS[FIXED.len()..].iter().enumerate() {
            let measured = result.and_then(|result| result.metrics[place]);
            put(match (measured, column.form) {
                (None, _) => Value::Null,
                (Some(value), Form::F64) => Value::Real(value.as_f64()),
                (Some(Measured::Whole(value)), _) => Value::Number(value),
                (Some(Measured::Quotient(sum, n)), _) => Value::Number((sum / u128::from(n.max(1))) as u64),
            });
        }
    }
}
