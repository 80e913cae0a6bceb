//! Faults that are put into good captures are found, each by its rule; good captures have none.

#[path = "common/support.rs"]
mod support;

use std::path::PathBuf;
use std::sync::Arc;

use support::{Dice, capture};
use vmaplens::insight::check::{self, Finding};
use vmaplens::log::Log;
use vmaplens::replay::{Follow, Replay, Settings};
use vmaplens::source::{Input, Reading, open_log, snapshot};

fn findings(log: Log) -> Vec<Finding> {
    let log = Arc::new(log);
    let settings = Settings { memory: Follow::Nothing, ..Settings::default() };
    let mut replay = Replay::open(Arc::clone(&log), &settings).expect("a replay");
    check::all(&log, Some(&mut replay))
}

fn names(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.rule.name).collect()
}

#[test]
fn good_captures_have_no_findings() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces");
    let mut n_captures = 0;
    for entry in std::fs::read_dir(root).expect("there") {
        let path = entry.expect("an entry").path();
        if path.join("meta.toml").exists() {
            let log = open_log(&Input::Path(path.clone()), &Reading::default()).expect("a capture");
            assert_eq!(findings(log), [], "{}", path.display());
            n_captures += 1;
        }
    }
    assert!(10 < n_captures);
}

/// The lines of a trace from boot, and its snapshots left out.
fn lines() -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces/amd64-612-first-steps/trace.txt.zst");
    let packed = std::fs::read(path).expect("a trace");
    let text = zstd::stream::decode_all(packed.as_slice()).expect("zstd");
    String::from_utf8(text).expect("text").lines().map(str::to_owned).collect()
}

fn of_lines(lines: &[String]) -> Vec<Finding> {
    let mut log = Log::default();
    log.origin.clone_from(&capture("amd64-612-first-steps").origin);
    let text = lines.join("\n") + "\n";
    let name = std::env::temp_dir().join(format!("vmaplens-check-{}-{:x}", std::process::id(), text.len()));
    std::fs::write(&name, text).expect("written");
    let read = open_log(&Input::Path(name.clone()), &Reading::default());
    std::fs::remove_file(name).expect("removed");
    let origin = log.origin;
    log = read.expect("a trace");
    log.origin = vmaplens::log::Origin { form: log.origin.form, clock: log.origin.clock, ..origin };
    findings(log)
}

/// Places of the records of a kind that succeeded.
fn places(lines: &[String], event: &str) -> Vec<usize> {
    let is_one = |line: &String| line.contains(event) && !line.contains("failed=1");
    (0..lines.len()).filter(|&n| is_one(&lines[n])).collect()
}

fn field(line: &str, name: &str) -> u64 {
    let rest = &line[line.find(name).expect(name) + name.len()..];
    let word = rest.trim_start().split(' ').next().expect("a word");
    word.strip_prefix("0x").map_or_else(|| word.parse(), |hex| u64::from_str_radix(hex, 16)).expect("a number")
}

const ALLOC: &str = "alloc_vmap_area: va_start: ";
const FREE: &str = "free_vmap_area_noflush: va_start=";

fn moved(line: &str, to: u64) -> String {
    let at = field(line, if line.contains(FREE) { "va_start=" } else { "va_start: " });
    line.replacen(&at.to_string(), &to.to_string(), 1).replacen(&format!("{at:#x}"), &format!("{to:#x}"), 1)
}

/// Does something to one record and says which rule has to find it.
fn plant(lines: &mut Vec<String>, fault: u64, dice: &mut Dice) -> &'static str {
    let mut pick = |places: Vec<usize>| places[dice.roll(places.len() as u64) as usize];
    let alloc = pick(places(lines, ALLOC));
    let free = pick(places(lines, FREE));
    let addr = field(&lines[alloc], "va_start: ");
    match fault {
        0 => {
            lines.insert(free + 1, lines[free].clone());
            "double-free"
        }
        1 => {
            lines.insert(free, moved(&lines[free], 0xffff_d123_4567_0000));
            "free-of-nothing"
        }
        2 => {
            lines.insert(alloc + 1, lines[alloc].clone());
            "allocated-twice"
        }
        3 => {
            lines[alloc] = moved(&lines[alloc], addr + 0x800);
            "misaligned"
        }
        4 => {
            lines[alloc] = moved(&lines[alloc], 0xffff_a000_0000_0000);
            "outside-range"
        }
        5 => {
            let size = field(&lines[alloc], "size=");
            lines[alloc] = lines[alloc].replacen(&format!("size={size}"), &format!("size={}", size + 100), 1);
            "wrong-size"
        }
        6 => {
            lines.insert(alloc, "CPU:0 [LOST 17 EVENTS]".to_owned());
            "lost-records"
        }
        _ => {
            let cut = lines[alloc].len() - 30;
            lines[alloc].truncate(cut);
            "damaged"
        }
    }
}

#[test]
fn planted_faults_of_a_trace_are_found() {
    let whole = lines();
    assert_eq!(of_lines(&whole), []);
    let mut dice = Dice(11);
    for fault in 0..8 {
        for _ in 0..6 {
            let mut lines = whole.clone();
            let rule = plant(&mut lines, fault, &mut dice);
            let found = of_lines(&lines);
            assert!(names(&found).contains(&rule), "{rule}: {found:?}");
            let at = found.iter().find(|finding| finding.rule.name == rule).expect("found");
            assert!(!at.what.is_empty() && at.rule.why.len() > 10);
        }
    }
}

const ROWS: &str = "\
0xffffc90000000000-0xffffc90000005000   20480 a+0x1/0x2 pages=4 vmalloc N0=4
0xffffc90000005000-0xffffc90000007000    8192 b+0x1/0x2 pages=1 vmalloc N0=1
0xffffc90000010000-0xffffc90000015000   20480 c+0x1/0x2 pages=4 vmalloc N0=4
0xffffffffc0000000-0xffffffffc0003000   12288 load_module+0x1/0x2 pages=2 vmalloc N0=2
";

fn of_rows(text: &str) -> Vec<&'static str> {
    let mut log = Log::default();
    log.before = Some(snapshot::read("rows", text.as_bytes(), &mut log.problems).expect("rows"));
    log.origin.vmalloc = Some(vmaplens::log::Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff });
    names(&check::all(&log, None))
}

#[test]
fn planted_faults_of_a_snapshot_are_found() {
    assert_eq!(of_rows(ROWS), [""; 0]);
    for (from, to, rule) in [
        ("0xffffc90000005000-0xffffc90000007000    8192", "0xffffc90000004000-0xffffc90000007000   12288", "overlap"),
        ("  20480 c+", "  24576 c+", "wrong-size"),
        ("pages=1 vmalloc", "pages=9 vmalloc", "wrong-size"),
        ("0xffffc90000010000-0xffffc90000015000", "0xffffc90000010800-0xffffc90000015800", "misaligned"),
        ("0xffffc90000010000-0xffffc90000015000", "0xffffa00000010000-0xffffa00000015000", "outside-range"),
    ] {
        let text = ROWS.replace(from, to);
        assert_ne!(text, ROWS);
        let found = of_rows(&text);
        assert!(found.contains(&rule), "{rule}: {found:?}");
    }
    let twice = format!("{ROWS}{}\n", ROWS.lines().nth(1).expect("a row"));
    assert!(of_rows(&twice).contains(&"doubled"));
}
