//! The kernel's own forms: what is written can be read again, and is what the model says.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use vmaplens::event::EventKind;
use vmaplens::export::{Walk, ops, vmallocinfo};
use vmaplens::log::{BaselineState, Log};
use vmaplens::replay::{Replay, Settings};
use vmaplens::source::{Input, Reading, open};

use super::{capture, captures, name_of, replay_of, text};

#[test]
fn vmallocinfo_reads_as_the_areas_of_the_state() {
    for path in captures() {
        let replay = replay_of(&path);
        let what = name_of(&path);
        for at in [replay.len() / 2, replay.len()] {
            let mut out = Vec::new();
            vmallocinfo::write(&replay, at, &mut out).expect("written");
            let parsed = parsers::vmallocinfo::parse(&out);
            // A name without its offset is all that is known of some callers.
            let other = parsed.problems.iter().find(|problem| problem.kind != parsers::ProblemKind::Respelt);
            assert_eq!(other, None, "{what}");
            let mut walk = Walk::new(&replay);
            walk.go_to(at);
            let range = |start: u64, end: u64| (start, end);
            let read: BTreeSet<(u64, u64)> = parsed.areas.iter().map(|row| range(row.start, row.end)).collect();
            let busy: BTreeSet<(u64, u64)> =
                walk.busy().map(|area| range(area.extent.start(), area.extent.end())).collect();
            assert!(busy.is_subset(&read), "{what}: areas in use are missing");
            assert_eq!(parsed.areas.len(), read.len(), "{what}");
        }
    }
}

/// Of a trace from boot on one CPU, everything in the file but callers' offsets is known. How many rows are the
/// kernel's, byte for byte, must not become fewer.
#[test]
fn rows_are_the_kernels_own() {
    for (name, wanted) in [
        ("amd64-612-first-steps", 90),
        ("amd64-612-boot-smp1", 90),
        ("amd64-72-boot-smp1", 90),
        ("i386-65-exhaust-smp1", 90),
    ] {
        let replay = capture(name);
        let at = replay.log().last_snapshot_place().unwrap_or(replay.len());
        let mut out = Vec::new();
        vmallocinfo::write(&replay, at, &mut out).expect("written");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("traces").join(name).join("vmallocinfo.after");
        let kernel = std::fs::read_to_string(path).expect("vmallocinfo.after");
        let rows: BTreeSet<&str> = kernel.lines().collect();
        let same = text(&out).lines().filter(|line| rows.contains(line)).count();
        let percent = same * 100 / rows.len().max(1);
        assert!(wanted <= percent, "{name}: {same} of {} rows", rows.len());
    }
}

fn log_of(path: &Path) -> Log {
    open(&Input::Path(path.to_owned()), &Reading::default()).expect("opens")
}

#[test]
fn a_script_of_a_trace_gives_the_addresses_of_the_trace() {
    for name in [
        "amd64-612-first-steps",
        "amd64-612-boot-smp1",
        "amd64-612-exhaust-range",
        "amd64-72-boot-smp1",
        "arm64-612-boot-smp1",
        "i386-65-exhaust-smp1",
    ] {
        let replay = capture(name);
        let mut out = Vec::new();
        ops::write(&replay, &mut out).expect("written");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.ops"));
        std::fs::write(&path, &out).expect("written");
        let log = log_of(&path);
        assert_eq!(log.problems, [], "{name}");
        let again = Replay::open(Arc::new(log), &Settings::default()).expect("replays");
        let placed = |replay: &Replay| -> Vec<u64> {
            let mut found = Vec::new();
            for event in &replay.log().events {
                if let EventKind::Alloc { addr, failed: false, .. } = event.kind {
                    found.push(addr.0);
                }
            }
            found
        };
        let (trace, script) = (placed(&replay), placed(&again));
        assert_eq!(trace.len(), script.len(), "{name}");
        let first = trace.iter().zip(&script).position(|(trace, script)| trace != script);
        assert_eq!(first, None, "{name}: allocation {first:?} of {}", trace.len());
    }
}

#[test]
fn a_snapshot_can_be_written_again() {
    let rows = "\
0xffffc90000000000-0xffffc90000005000   20480 irq_init_percpu_irqstack+0xf4/0x130 vmap
0xffffc90000005000-0xffffc90000007000    8192 acpi_os_map_iomem+0x1a9/0x1e0 phys=0x000000003ffe1000 ioremap
0xffffc90000010000-0xffffc90000015000   20480 kernel_clone+0xc2/0x430 [m] pages=4 vmalloc N0=4
0xffffc90000020000-0xffffc90000025000   20480 unpurged vm_area
";
    let replay = super::tables::from_text("snapshot.txt", rows.as_bytes());
    let mut out = Vec::new();
    vmallocinfo::write(&replay, 0, &mut out).expect("written");
    assert_eq!(text(&out), rows);
    let before = replay.log().before.as_ref().expect("a snapshot");
    assert!(before.areas.iter().any(|row| row.state == BaselineState::Unpurged));
}
