//! What the hot paths cost: parsing, resolving, replaying, moving the cursor. `cargo bench --bench replay`
//!
//! `VMAPLENS_BENCH_CAPTURE=FOLDER` measures another capture than the one in `traces/`. For the 50th and 99th percentile
//! of seeks and steps see `vmaplens replay CAPTURE --seeks 1000`.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use parsers::ops::{Op, OpLine};
use vmaplens::insight::{Compiled, Run, Turn, Watch, Way};
use vmaplens::log::{Log, ScriptLog};
use vmaplens::replay::script::{Done, ScriptRun};
use vmaplens::replay::{Follow, Replay, Settings};
use vmaplens::source::{Input, Reading, open_log};

fn main() {
    divan::main();
}

fn folder() -> PathBuf {
    let built_in = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces/amd64-612-vmstress-10k");
    std::env::var_os("VMAPLENS_BENCH_CAPTURE").map_or_else(built_in, PathBuf::from)
}

fn log() -> Arc<Log> {
    Arc::new(open_log(&Input::Path(folder()), &Reading::default()).expect("a capture"))
}

fn replay(memory: Follow) -> Replay {
    Replay::open(log(), &Settings { memory, ..Settings::default() }).expect("replays")
}

#[divan::bench]
fn parse_trace_text(bencher: Bencher<'_, '_>) {
    let packed = std::fs::read(folder().join("trace.txt.zst")).expect("a packed trace");
    let text = zstd::stream::decode_all(packed.as_slice()).expect("zstd");
    bencher.counter(BytesCount::new(text.len())).bench(|| parsers::ftrace::Reader::new(black_box(&text)).count());
}

#[divan::bench]
fn resolve(bencher: Bencher<'_, '_>) {
    let log = log();
    let events = ItemsCount::new(log.events.len());
    bencher
        .counter(events)
        .bench(|| Replay::open(Arc::clone(&log), &Settings { memory: Follow::Nothing, ..Settings::default() }));
}

#[divan::bench(args = [Follow::Nothing, Follow::Memory])]
fn apply_every_operation(bencher: Bencher<'_, '_>, memory: Follow) {
    let replay = replay(memory);
    let ops: Vec<_> = replay.plan().ops(replay.log()).collect();
    bencher.counter(ItemsCount::new(replay.len())).with_inputs(|| replay.start().clone()).bench_values(|mut space| {
        for op in &ops {
            black_box(space.apply(op, None));
        }
        space
    });
}

#[divan::bench]
fn jump_to_a_far_record(bencher: Bencher<'_, '_>) {
    let mut replay = replay(Follow::Memory);
    let mut at = 1;
    bencher.bench_local(|| {
        at = (at * 7919 + 13) % replay.len();
        replay.seek(black_box(at), usize::MAX)
    });
}

#[divan::bench]
fn step_and_step_back(bencher: Bencher<'_, '_>) {
    let mut replay = replay(Follow::Memory);
    replay.seek(replay.len() / 2, usize::MAX);
    bencher.bench_local(|| (replay.step(), replay.step_back()));
}

/// Allocations, frees and purges of a vector, without what prints the state.
#[divan::bench(args = ["2.4/exhaust", "2.6.32/hugealign", "4.19/hugealign", "6.1/hugealign"])]
fn op_script(bencher: Bencher<'_, '_>, name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/vectors/{name}.ops.zst"));
    let packed = std::fs::read(path).expect("a vector");
    let parsed = parsers::ops::parse(&zstd::stream::decode_all(packed.as_slice()).expect("zstd"));
    let mut script = ScriptLog { header: parsed.header, ops: parsed.ops, ..ScriptLog::default() };
    script.ops.retain(|line| matches!(line.op, Op::Alloc { .. } | Op::Free { .. } | Op::Purge));
    bencher.counter(ItemsCount::new(script.ops.len())).bench(|| {
        let mut run = ScriptRun::new(&script, &Settings::default()).expect("an era");
        let mut done = Done::default();
        for (born, OpLine { op, .. }) in script.ops.iter().enumerate() {
            run.run(op, born as u32, &mut done);
        }
        done
    });
}

/// A condition on states that never becomes true: every record is applied and looked at, from one end to the other.
#[divan::bench(args = [Way::Forward, Way::Back])]
fn run_to_a_state_condition(bencher: Bencher<'_, '_>, way: Way) {
    run_through(bencher, way, "largest_hole < 1 or fragmentation > 1 and lazy > 1T");
}

/// The same of a condition on records: nothing is applied.
#[divan::bench(args = [Way::Forward, Way::Back])]
fn run_to_a_record_condition(bencher: Bencher<'_, '_>, way: Way) {
    run_through(bencher, way, "size > 1T and not task nobody");
}

fn run_through(bencher: Bencher<'_, '_>, way: Way, condition: &str) {
    let replay = replay(Follow::Nothing);
    let condition = parsers::condition::parse(condition).expect("read");
    let watch = Watch::Conditions(vec![Compiled::new(&condition, &replay)]);
    let from = if way == Way::Forward { 0 } else { replay.len() };
    bencher.counter(ItemsCount::new(replay.len())).bench(|| {
        let mut run = Run::new(watch.clone(), way, from);
        while run.turn(&replay, 4096) == Turn::Going {}
        black_box(run.progress(&replay))
    });
}
