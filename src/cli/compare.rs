//! `vmaplens compare`: the same requests under several policies.

mod args;
mod json;
mod table;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::compare::{
    CHANGES, Changes, Demands, Lane, LaneSpec, RECORDED, Range, SpecError, Threshold, Violation, demands_of,
};
use crate::log::Log;
use crate::replay::{Follow, Replay, Settings};
use crate::source::{Input, open};

use super::error::CliError;
use super::{EXIT_NO, decisions, output};

pub use args::CompareArgs;

/// What a lane came to.
#[derive(Debug)]
struct Row {
    /// What names it: as it was asked for, with the era for `auto`.
    id: String,
    lane: Lane,
    violations: Vec<Violation>,
    ns_per_op: Option<f64>,
}

/// A lane may keep this much for going back: nobody goes back here.
const CHECKPOINT_BYTES: u64 = 1 << 20;
/// Runs of a lane that are timed: the median counts.
const TIMED_RUNS: usize = 3;

/// Runs the command: 0, or 1 if a threshold is violated.
///
/// # Errors
/// The input cannot be opened or replayed; a policy, a change or a threshold makes no sense.
pub fn run(args: &CompareArgs) -> Result<u8, CliError> {
    let thresholds = args.check.iter().map(|text| Threshold::parse(text));
    let thresholds = thresholds
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| CliError::Other { what: format!("--check: {}", error.what), hint: error.hint })?;
    let asked = match args.input.policy.as_str() {
        "auto" => None,
        list => Some(LaneSpec::parse_list(list).map_err(|error| wrong(&error))?),
    };
    let input = Input::from_args(&args.input.input, Input::Embedded);
    let log = Arc::new(open(&input, &args.input.reading())?);
    output::report_problems(&log, &args.input)?;
    let (settings, changes) = facts_and_changes(args, &log)?;
    let replay = Replay::open(log, &settings)?;
    decisions::report(replay.plan(), &args.input);
    let mut specs = asked.unwrap_or_else(|| LaneSpec::defaults(&replay, true));
    for spec in &mut specs {
        if spec.policy == RECORDED && !spec.changes.is_empty() {
            return Err(wrong(&SpecError::BadValue {
                word: RECORDED.to_owned(),
                what: "nothing can be changed about places that are recorded".to_owned(),
            }));
        }
        if spec.policy != RECORDED {
            spec.changes = spec.changes.or(changes);
        }
    }
    let demands = demands_of(&replay);
    let mut rows = run_all(&replay, &demands, &specs, &thresholds)?;
    if args.time {
        rows.iter_mut().for_each(time);
    }
    let text = if args.output.json {
        json::document_of(&replay, &rows, &changes)
    } else if args.csv {
        table::csv(&replay, &rows)
    } else {
        table::describe(&replay, &rows)
    };
    output::write(&args.output, &text)?;
    let violated = rows.iter().any(|row| !row.violations.is_empty());
    if args.output.json || args.csv {
        for line in table::violations(&rows) {
            output::talk(&line);
        }
    }
    Ok(if violated { EXIT_NO } else { 0 })
}

fn wrong(error: &SpecError) -> CliError {
    CliError::Other { what: error.to_string(), hint: error.hint() }
}

/// An option says what is so where the input does not, and what is changed where it does. A script says it all, if only by
/// its defaults.
fn facts_and_changes(args: &CompareArgs, log: &Log) -> Result<(Settings, Changes), CliError> {
    let (origin, is_script) = (&log.origin, log.script.is_some());
    let InputArgsOf { cpus, range, page_size } = InputArgsOf::of(args);
    let mut settings = Settings { policy: None, memory: Follow::Nothing, ..args.input.settings() };
    let mut changes = Changes::default();
    let is_told = |told: bool| is_script || told;
    if is_told(origin.cpus_online.is_some() || origin.cpus_possible.is_some()) {
        (settings.cpus, changes.cpus) = (None, cpus);
    }
    if is_told(origin.vmalloc.is_some()) {
        (settings.range, changes.range) = (None, range);
    }
    if is_told(origin.page_size.is_some()) {
        (settings.page_size, changes.page_size) = (None, page_size);
    }
    let others = [
        ("nodes", &args.nodes),
        ("lazy-max", &args.lazy_max),
        ("levels", &args.levels),
        ("guard", &args.guard),
        ("seed", &args.seed),
    ];
    for (word, value) in others {
        if let Some(value) = value {
            changes.set(word, value).map_err(|error| wrong(&error))?;
        }
    }
    debug_assert!(others.iter().all(|(word, _)| CHANGES.iter().any(|row| row.word == *word)));
    Ok((settings, changes))
}

/// Options that state a fact or a change.
struct InputArgsOf {
    cpus: Option<u32>,
    range: Option<Range>,
    page_size: Option<u64>,
}

impl InputArgsOf {
    fn of(args: &CompareArgs) -> Self {
        let input = &args.input;
        Self { cpus: input.cpus, range: input.range.map(Range::Is), page_size: input.page_size }
    }
}

/// Runs every lane from its first record to its last, as many at once as there are cores: lanes know nothing of each other.
fn run_all(
    replay: &Replay,
    demands: &Arc<Demands>,
    specs: &[LaneSpec],
    thresholds: &[Threshold],
) -> Result<Vec<Row>, CliError> {
    let lanes = specs.iter().map(|spec| Lane::new(replay, demands, spec.clone(), CHECKPOINT_BYTES));
    let lanes = lanes.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(lanes.len()).max(1);
    let waiting: Vec<Mutex<Option<Lane>>> = lanes.into_iter().map(|lane| Mutex::new(Some(lane))).collect();
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, Row)> = std::thread::scope(|scope| {
        let work = || {
            let mut rows = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(place) = waiting.get(index) else { break };
                if let Some(lane) = place.lock().ok().and_then(|mut lane| lane.take()) {
                    rows.push((index, run_lane(lane, thresholds)));
                }
            }
            rows
        };
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    done.sort_by_key(|&(index, _)| index);
    Ok(done.into_iter().map(|(_, row)| row).collect())
}

fn run_lane(mut lane: Lane, thresholds: &[Threshold]) -> Row {
    let mut found: Vec<Option<Violation>> = vec![None; thresholds.len()];
    lane.run_with(usize::MAX, &mut |at, (space, score)| {
        for (violation, threshold) in found.iter_mut().zip(thresholds) {
            if violation.is_none() {
                *violation = threshold.look(at, space, score);
            }
        }
    });
    let at_end = thresholds.iter().filter_map(|threshold| threshold.look_at_end(&lane));
    let violations = found.into_iter().flatten().chain(at_end).collect();
    let spec = lane.spec();
    let policy = if spec.policy == "auto" { lane.machine().policy.entry.id } else { &spec.policy };
    let id = LaneSpec { policy: policy.to_owned(), ..spec.clone() }.to_string();
    Row { id, lane, violations, ns_per_op: None }
}

/// Nanoseconds for each demand, with nobody looking on.
fn time(row: &mut Row) {
    let mut times: Vec<f64> = (0..TIMED_RUNS)
        .map(|_| {
            let began = Instant::now();
            let n = row.lane.run_blind();
            began.elapsed().as_nanos() as f64 / n.max(1) as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    row.ns_per_op = times.get(TIMED_RUNS / 2).copied();
}
