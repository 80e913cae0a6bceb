//! What a replay costs on this machine: time per event, seeks as the UI does them, memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::replay::{Follow, Replay};

/// Keep measuring until this much time has been spent, so that short logs are not all noise.
const LONG_ENOUGH: Duration = Duration::from_millis(100);
/// Operations that are timed in one go.
const BATCH: usize = 4096;
/// Passes at most.
const MAX_PASSES: u32 = 200;

/// Nanoseconds a record takes in the model alone: the resolved operations applied from the initial state, the fastest
/// of several passes.
pub(super) fn ns_per_event(replay: &Replay, follow: Follow) -> f64 {
    if replay.is_empty() {
        return 0.0;
    }
    let begun = Instant::now();
    let mut best = Duration::MAX;
    for _ in 0..MAX_PASSES {
        let mut space = match follow {
            Follow::Nothing => replay.start().without_memory(),
            Follow::Memory => replay.start().clone(),
        };
        let mut pass = Duration::ZERO;
        let mut ops = Vec::with_capacity(BATCH);
        let mut source = replay.plan().ops(replay.log());
        loop {
            // Making an operation from its record is no part of the model.
            ops.clear();
            ops.extend(source.by_ref().take(BATCH));
            if ops.is_empty() {
                break;
            }
            let batch = Instant::now();
            for op in &ops {
                black_box(space.apply(op, None));
            }
            pass += batch.elapsed();
        }
        best = best.min(pass);
        if begun.elapsed() >= LONG_ENOUGH {
            break;
        }
    }
    best.as_nanos() as f64 / replay.len() as f64
}

/// How long moving the cursor takes.
#[derive(Debug, Serialize)]
pub(super) struct Seeks {
    pub(super) n: u32,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) max_us: u64,
    pub(super) step_p50_us: u64,
    pub(super) step_p99_us: u64,
    pub(super) step_back_p50_us: u64,
    pub(super) step_back_p99_us: u64,
    /// The same with what is behind the areas, which follows a long seek.
    pub(super) settled_p50_us: u64,
    pub(super) settled_p99_us: u64,
    /// Checkpoints of the areas, and records between two of them.
    pub(super) checkpoints: usize,
    pub(super) checkpoint_every: usize,
}

/// `n` seeks to random records, each with a step back and a step forward after it.
pub(super) fn seeks(replay: &mut Replay, n: u32) -> Seeks {
    // As the interface does while nobody presses a key.
    replay.prepare(usize::MAX);
    let (mut jumps, mut backs, mut steps, mut settled) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..n {
        // xorshift: the same places on every machine.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let target = (random % (replay.len() as u64 + 1)) as usize;
        let jump = timed(|| {
            replay.seek_places(target, usize::MAX);
        });
        jumps.push(jump);
        settled.push(jump + timed(|| _ = replay.settle(usize::MAX)));
        backs.push(timed(|| {
            replay.seek_places(replay.cursor().saturating_sub(1), usize::MAX);
        }));
        steps.push(timed(|| {
            replay.seek_places(replay.cursor() + 1, usize::MAX);
        }));
        replay.settle(usize::MAX);
    }
    let (checkpoints, checkpoint_every) = replay.checkpoint_spacing();
    Seeks {
        n,
        settled_p50_us: percentile(&mut settled, 50),
        settled_p99_us: percentile(&mut settled, 99),
        checkpoints,
        checkpoint_every,
        p50_us: percentile(&mut jumps, 50),
        p99_us: percentile(&mut jumps, 99),
        max_us: percentile(&mut jumps, 100),
        step_p50_us: percentile(&mut steps, 50),
        step_p99_us: percentile(&mut steps, 99),
        step_back_p50_us: percentile(&mut backs, 50),
        step_back_p99_us: percentile(&mut backs, 99),
    }
}

fn timed(act: impl FnOnce()) -> u64 {
    let begun = Instant::now();
    act();
    begun.elapsed().as_micros() as u64
}

fn percentile(times: &mut [u64], percent: usize) -> u64 {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get((times.len() * percent / 100).min(last)).copied().unwrap_or(0)
}

/// The most memory this process has held, where the system says.
pub(super) fn peak_bytes() -> Option<u64> {
    status_bytes("VmHWM:")
}

/// Memory this process holds now, where the system says.
pub(super) fn resident_bytes() -> Option<u64> {
    status_bytes("VmRSS:")
}

fn status_bytes(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
