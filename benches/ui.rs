//! What a key costs from press to painted frame, on a 200x60 screen. `cargo bench --bench ui`
//!
//! `VMAPLENS_BENCH_CAPTURE=FOLDER` measures another capture than the one in `traces/`. Prints the 50th and 99th
//! percentile and the worst of each movement; a frame has 16 ms.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vmaplens::replay::{Replay, Settings};
use vmaplens::source::{Input, Reading, open_log};
use vmaplens::ui::Headless;

/// Movements measured.
const ROUNDS: usize = 500;

fn main() {
    let built_in = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces/amd64-612-vmstress-10k");
    let folder = std::env::var_os("VMAPLENS_BENCH_CAPTURE").map_or_else(built_in, PathBuf::from);
    let log = Arc::new(open_log(&Input::Path(folder), &Reading::default()).expect("a capture"));
    let n = log.events.len();
    let began = Instant::now();
    let replay = Replay::open(log, &Settings::default()).expect("replays");
    say(&format!("{n} events resolved in {:.1} ms; one row: 50 %, 99 %, worst", ms(began.elapsed())));
    let mut ui = Headless::new(replay, 200, 60).expect("the built-in keys");
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let (mut jumps, mut steps, mut backs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // xorshift: the same places on every machine.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let target = random % n as u64 + 1;
        jumps.push(timed(&mut ui, &format!("{target}G")));
        steps.push(timed(&mut ui, "."));
        backs.push(timed(&mut ui, ","));
    }
    report("jump to a random event", &mut jumps);
    report("step", &mut steps);
    report("step back", &mut backs);
}

fn timed(ui: &mut Headless, keys: &str) -> Duration {
    let begun = Instant::now();
    ui.type_keys(keys);
    while ui.is_seeking() {
        ui.type_keys("");
    }
    ui.draw();
    begun.elapsed()
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| ms(times[(times.len() * percent / 100).min(times.len() - 1)]);
    say(&format!("{what:<24} {:>8.3} ms {:>8.3} ms {:>8.3} ms", at(50), at(99), at(100)));
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::print_stdout, reason = "a bench reports on standard output")]
fn say(line: &str) {
    println!("{line}");
}
