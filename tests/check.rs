//! `check`: sound captures have no findings about the kernel, and every planted fault is found at its record.

#[path = "common/support.rs"]
mod common;

use std::path::PathBuf;

use common::Dice;
use vmaplens::event::{Addr, Event, EventKind, Seq};
use vmaplens::insight::check::{Fault, Finding, check};
use vmaplens::log::Log;
use vmaplens::source::{Input, Reading, open};

fn captures() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces");
    let folders = std::fs::read_dir(folder).expect("traces").map(|entry| entry.expect("a name"));
    let names =
        folders.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().expect("text"));
    let mut names: Vec<String> = names.filter(|name| name.contains("smp") || name.starts_with("amd64")).collect();
    names.sort();
    assert!(names.len() > 5, "{names:?}");
    names
}

fn of_kernel(found: &[Finding]) -> Vec<&Finding> {
    found.iter().filter(|finding| finding.fault.is_of_kernel()).collect()
}

#[test]
fn sound_captures_show_no_fault_of_the_kernel() {
    for name in captures() {
        let log = common::capture(&name);
        let found = check(&log);
        let found = of_kernel(&found);
        assert!(found.is_empty(), "{name}: {} findings, the first {:?}", found.len(), &found[..found.len().min(3)]);
    }
}

/// Where records allocate an area and free it: places of pairs.
fn pairs(log: &Log) -> Vec<(usize, usize)> {
    let mut open = std::collections::HashMap::new();
    let mut pairs = Vec::new();
    for (at, event) in log.events.iter().enumerate() {
        match event.kind {
            EventKind::Alloc { addr, failed: false, .. } => drop(open.insert(addr, at)),
            EventKind::Free { addr, .. } => pairs.extend(open.remove(&addr).map(|from| (from, at))),
            _ => {}
        }
    }
    pairs
}

/// The log with a record put in behind `at`.
fn with(log: &Log, at: usize, kind: EventKind) -> Log {
    let mut changed = Log::clone(log);
    let like = log.events.nth(at);
    let all: Vec<Event> = log.events.iter().collect();
    let planted = Event { kind, ..like };
    changed.events = all[..=at].iter().copied().chain([planted]).chain(all[at + 1..].iter().copied()).collect();
    changed
}

/// The only findings about the kernel are of this fault, one of them at this record.
#[track_caller]
fn finds(log: &Log, fault: Fault, at: usize, what: &str) {
    let found = check(log);
    let found = of_kernel(&found);
    let is_there = found.iter().any(|finding| finding.fault == fault && finding.seq == Some(Seq(at as u32)));
    let first = &found[..found.len().min(3)];
    assert!(is_there, "{what}: no {fault:?} at {at}: {first:?}");
    assert!(found.iter().all(|finding| at as u32 <= finding.seq.map_or(0, |seq| seq.0)), "{what}: {first:?}");
}

#[test]
fn planted_faults_are_found() {
    let mut dice = Dice(11);
    for name in ["amd64-612-first-steps", "amd64-612-parts-smp2", "amd64-612-exhaust-range"] {
        let log = common::capture(name);
        let pairs = pairs(&log);
        assert!(pairs.len() > 20, "{name}");
        for _ in 0..20 {
            let (from, to) = pairs[dice.roll(pairs.len() as u64) as usize];
            let EventKind::Alloc { addr, size, align, window, .. } = log.events.nth(from).kind else { unreachable!() };
            let free = log.events.nth(to).kind;
            let what = format!("{name}, records {from} and {to}");
            finds(&with(&log, to, free), Fault::DoubleFree, to + 1, &what);
            let inside = EventKind::Free { addr: Addr(addr.0 + 4096), nr_lazy: 0, nr_lazy_max: 0 };
            finds(&with(&log, from, inside), Fault::FreeOfNothing, from + 1, &what);
            let alloc = |addr: u64, size: u64, align: u64| EventKind::Alloc {
                addr: Addr(addr),
                size,
                align,
                window,
                failed: false,
            };
            finds(&with(&log, from, alloc(addr.0, size, align)), Fault::Overlap, from + 1, &what);
            let beyond = log.names.window(window).vend;
            finds(&with(&log, from, alloc(beyond - 4096, 8192, 1)), Fault::OutsideWindow, from + 1, &what);
            let odd = alloc(beyond - 12_288, 4096, 1 << 20);
            finds(&with(&log, from, odd), Fault::Misaligned, from + 1, &what);
            finds(&with(&log, from, alloc(beyond - 8192, 1000, 1)), Fault::WrongSize, from + 1, &what);
        }
    }
}

#[test]
fn rows_are_checked_too() {
    let folder = std::env::temp_dir().join(format!("vmaplens-check-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let rows = "0xffffc90000000000-0xffffc90000005000   20480 a+0x1/0x2 pages=4 vmalloc N0=4\n\
                0xffffc90000004000-0xffffc90000007000   12288 b+0x1/0x2 pages=2 vmalloc N0=2\n\
                0xffffc90000008000-0xffffc9000000a000    8192 c+0x1/0x2 pages=9 vmalloc N0=9\n\
                0xffffc9000000c000-0xffffc9000000e000    8192 d+0x1/0x2 pages=1 vmalloc N0=1\n\
                0xffffc9000000c000-0xffffc9000000e000    8192 d+0x1/0x2 pages=1 vmalloc N0=1\n";
    let file = folder.join("vmallocinfo");
    std::fs::write(&file, rows).expect("written");
    let log = open(&Input::Path(file), &Reading::default()).expect("rows");
    let found = check(&log);
    let told: Vec<(Fault, u32, u32)> =
        found.iter().map(|finding| (finding.fault, finding.line, finding.other)).collect();
    assert!(told.contains(&(Fault::Overlap, 2, 1)), "{found:?}");
    assert!(told.contains(&(Fault::WrongSize, 3, 0)), "{found:?}");
    assert!(told.contains(&(Fault::Duplicate, 5, 4)), "{found:?}");
    std::fs::remove_dir_all(folder).expect("gone");
}
