//! What a key costs from press to painted frame, and each pane of it, on a 200x60 screen. `cargo bench --bench ui`
//!
//! With the largest data there is: a free tree of 100,000 nodes, a map of 1,000,000 areas, 10,000,000 events, and the
//! capture in `traces/` (`VMAPLENS_BENCH_CAPTURE=FOLDER`: another one). `cargo bench --bench ui -- tree map` takes only
//! those. Prints the 50th and 99th percentile and the worst; a frame has 16 ms, and is to take 4.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vmaplens::event::{Event, EventKind, Nanos, TaskId};
use vmaplens::log::{InputKind, Log, ScriptLog};
use vmaplens::replay::{Replay, Settings};
use vmaplens::source::{Input, Reading, open_log};
use vmaplens::ui::Headless;

/// Places looked at, and how many of them at least where getting there takes long.
const ROUNDS: usize = 300;
const LEAST: usize = 20;
/// Then no further place is begun.
const LONGEST: Duration = Duration::from_secs(30);
/// Frames a pane is measured at, at each place.
const PLACES: usize = 60;

/// Makes a data set.
type Make = fn() -> Log;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let sets: [(&str, Make); 4] = [("capture", capture), ("tree", tree), ("map", map), ("events", events)];
    for (name, log) in sets {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure(name, log());
        }
    }
}

fn capture() -> Log {
    let built_in = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces/amd64-612-vmstress-10k");
    let folder = std::env::var_os("VMAPLENS_BENCH_CAPTURE").map_or_else(built_in, PathBuf::from);
    open_log(&Input::Path(folder), &Reading::default()).expect("a capture")
}

/// 200,000 areas, of which every other one is freed and purged: a free tree of 100,000 nodes.
fn tree() -> Log {
    let mut ops = String::new();
    for area in 0..200_000 {
        let _ = writeln!(ops, "a {area} {}", 0x4000 << (area % 3));
    }
    for area in (0..200_000).step_by(2) {
        let _ = writeln!(ops, "f {area}");
    }
    ops.push_str("purge\n");
    for area in 0..2_000 {
        let _ = writeln!(ops, "a {} {}\nf {}", 200_000 + area, 0x5000, 4 * area + 1);
    }
    script(&ops)
}

/// 1,000,000 areas, with a hole behind every third.
fn map() -> Log {
    let mut ops = String::new();
    for area in 0..1_330_000 {
        let _ = writeln!(ops, "a {area} {}", 0x2000 + 0x1000 * (area % 5));
    }
    for area in (0..1_330_000).step_by(4) {
        let _ = writeln!(ops, "f {area}");
    }
    ops.push_str("purge\n");
    for area in 0..1_000 {
        let _ = writeln!(ops, "a {} {}\nf {}", 1_330_000 + area, 0x9000, 4 * area + 1);
    }
    script(&ops)
}

fn script(ops: &str) -> Log {
    let head = "era 6.12\nrange 0xffffc90000000000 0xffffe8ffffffffff\ncpus 4\n";
    let parsed = parsers::ops::parse(format!("{head}{ops}").as_bytes());
    assert_eq!(parsed.problems, []);
    let mut log = Log::default();
    log.origin.kind = InputKind::Script;
    log.script = Some(Arc::new(ScriptLog { header: parsed.header, ops: parsed.ops, ..ScriptLog::default() }));
    log
}

/// 10,000,000 events.
fn events() -> Log {
    let mut log = Log::default();
    log.origin.kernel = Some("6.12.0".to_owned());
    log.origin.from_boot = Some(true);
    let name = log.names.add_text(b"sched_switch");
    let mark = log.names.add_text(b"here");
    for n in 0..10_000_000_u32 {
        let kind = if n % 100_003 == 0 { EventKind::Mark { text: mark } } else { EventKind::Other { name } };
        log.events.push(Event { at: Nanos(u64::from(n) * 1_000), line: n + 1, task: TaskId(u32::MAX), cpu: 0, kind });
    }
    log
}

fn measure(name: &str, log: Log) {
    let began = Instant::now();
    let replay = Replay::open(Arc::new(log), &Settings::default()).expect("replays");
    let n = replay.len();
    let metrics = replay.plan().timeline.metrics.heap_bytes();
    say(&format!(
        "{name}: {n} events resolved in {:.0} ms; {metrics} bytes of metrics, {:.2} an event",
        ms(began.elapsed()),
        metrics as f64 / n.max(1) as f64
    ));
    say(&format!("{:<28} {:>9} {:>9} {:>9}   ms", "", "50 %", "99 %", "worst"));
    let mut ui = Headless::new(replay, 200, 60).expect("the built-in keys");
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut place = || {
        // xorshift: the same places on every machine.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % n as u64 + 1
    };
    let (mut frames, mut jumps, mut steps, mut backs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let panes = ui.panes();
    let mut alone = vec![Vec::new(); panes.len()];
    let began = Instant::now();
    for round in (0..ROUNDS).take_while(|round| *round < LEAST || began.elapsed() < LONGEST) {
        // Most places are near the end, where the state is largest.
        let target = if round % 3 == 0 { place() } else { n as u64 - place() % (n as u64 / 100 + 1) };
        jumps.push(keyed(&mut ui, &format!("{target}G")));
        ui.forget();
        frames.push(timed(|| ui.draw()));
        for (times, pane) in alone.iter_mut().zip(&panes).filter(|_| round < PLACES) {
            times.push(timed(|| ui.draw_pane(pane)));
        }
        steps.push(keyed(&mut ui, "."));
        backs.push(keyed(&mut ui, ","));
    }
    report("a full frame", &mut frames);
    for (pane, times) in panes.iter().zip(&mut alone) {
        report(&format!("  {pane}"), times);
    }
    report("step and frame", &mut steps);
    report("step back and frame", &mut backs);
    report("jump anywhere and frame", &mut jumps);
    ui.type_keys("4");
    ui.wait();
    let mut charts: Vec<Duration> = (0..ROUNDS)
        .map(|round| {
            ui.type_keys(["+", "+", "+", "-", "0"][round % 5]);
            timed(|| ui.draw())
        })
        .collect();
    report("a frame of charts", &mut charts);
}

/// From the key to the painted frame.
fn keyed(ui: &mut Headless, keys: &str) -> Duration {
    timed(|| {
        ui.type_keys(keys);
        while ui.is_seeking() {
            ui.type_keys("");
        }
        ui.draw();
    })
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| ms(times[(times.len() * percent / 100).min(times.len() - 1)]);
    say(&format!("{what:<28} {:>9.3} {:>9.3} {:>9.3}", at(50), at(99), at(100)));
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::print_stdout, reason = "a bench reports on standard output")]
fn say(line: &str) {
    println!("{line}");
}
