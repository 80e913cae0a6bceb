//! Requests from a second direction: the worked vectors of the kernels, the order of the stages, what failures leave, and
//! the books that have to balance whatever is asked.

#[path = "requests/blocks.rs"]
mod blocks;
#[path = "requests/failures.rs"]
mod failures;
#[path = "requests/hostile.rs"]
mod hostile;
#[path = "requests/huge.rs"]
mod huge;
#[path = "requests/random.rs"]
mod random;
#[path = "requests/stages.rs"]
mod stages;
#[path = "requests/vectors.rs"]
mod vectors;

use std::sync::Arc;

use vmaplens::log::{InputKind, Log, ScriptLog};
use vmaplens::replay::script::{Done, ScriptRun};
use vmaplens::replay::{Replay, Settings};

/// The vmalloc range of x86-64.
const V: u64 = 0xffff_c900_0000_0000;
/// i386 with more than 896 MiB and high memory.
const I386: &str = "arch i386\nrange 0xf8800000 0xfdffe000\nram 0x40000000\n";
/// The same with PAE.
const PAE: &str = "arch i386-pae\nrange 0xf8800000 0xfdffe000\nram 0x40000000\n";
/// x86-64 with one CPU: no pools.
const X86: &str = "arch x86-64\ncpus 1\nram 0x40000000\n";

/// A script read without a problem.
fn script(text: &str) -> ScriptLog {
    let script = parsers::ops::parse(text.as_bytes());
    assert_eq!(script.problems, [], "{text}");
    ScriptLog { header: script.header, ops: script.ops, ..ScriptLog::default() }
}

/// A run of a script, and its answers.
fn run(text: &str) -> (ScriptRun, Vec<String>) {
    let script = script(text);
    let mut run = ScriptRun::new(&script, &Settings::default()).expect("runs");
    let mut done = Done::default();
    let answers = script.ops.iter().map(|line| {
        let mut out = String::new();
        run.print(&line.op, line.line, &mut done, &mut out);
        assert!(out.ends_with('\n'), "{out:?}");
        out.trim_end().to_owned()
    });
    let answers = answers.collect();
    (run, answers)
}

/// A script that can be stepped.
fn replay(text: &str) -> Replay {
    let mut log = Log::default();
    log.origin.kind = InputKind::Script;
    log.script = Some(Arc::new(script(text)));
    Replay::open(Arc::new(log), &Settings::default()).expect("replays")
}

/// Runs `header` and the ops of `rows`, and compares each answer with the expected one: the whole of it, or its first word
/// if no more is expected.
fn check(header: &str, rows: &[(&str, &str)]) -> ScriptRun {
    let ops = rows.iter().map(|(op, _)| format!("{op}\n")).collect::<Vec<_>>().concat();
    let (run, answers) = run(&format!("{header}{ops}"));
    assert_eq!(answers.len(), rows.len(), "{header}{ops}");
    for (index, ((op, expected), answer)) in rows.iter().zip(&answers).enumerate() {
        let shown = if expected.contains(' ') { answer.as_str() } else { answer.split(' ').next().unwrap_or_default() };
        assert_eq!(shown, *expected, "{header}: op {}, {op}\nall answers: {answers:#?}", index + 1);
    }
    audit(&run);
    run
}

/// Every audit there is, and the books.
fn audit(run: &ScriptRun) {
    assert_eq!(balance(run), Ok(()));
}

/// As [`audit`], for those who have more to say of it.
fn balance(run: &ScriptRun) -> Result<(), String> {
    run.allocator().audit().map_err(|broken| format!("allocator: {broken}"))?;
    let Some(memory) = run.space().memory() else { return Ok(()) };
    memory.tables().audit().map_err(|broken| format!("tables: {broken}"))?;
    memory.frames().audit().map_err(|broken| format!("frames: {broken}"))?;
    memory.slabs().audit().map_err(|broken| format!("slabs: {broken}"))?;
    let geometry = memory.arch().geometry;
    let data: u64 = memory.each_backed().map(|backed| backed.data_pages).sum();
    let of_frames: u64 =
        memory.each_backed().map(|backed| memory.frames_of(backed).map(|run| run.n).sum::<u64>()).sum();
    let tables = memory.tables().count() * geometry.table_bytes.div_ceil(geometry.page_size);
    let (slabs, lost) = (memory.slabs().pages(), memory.lost_pages());
    let used = memory.used_pages();
    // What `a` asks for was had by somebody, whatever the machine of the script has.
    let is_short = memory.missing_pages() > 0;
    if data != of_frames || (data + tables + slabs + lost != used && !is_short) {
        return Err(format!(
            "data {data} ({of_frames}) + tables {tables} + slabs {slabs} + lost {lost} != used {used}"
        ));
    }
    Ok(())
}

/// One line for each number.
fn lines(numbers: impl Iterator<Item = u64>, line: impl Fn(u64) -> String) -> String {
    numbers.map(line).collect::<Vec<_>>().concat()
}

/// The address `offset` bytes into the x86-64 range, as answers have it.
fn v(offset: u64) -> String {
    format!("{:x}", V + offset)
}
