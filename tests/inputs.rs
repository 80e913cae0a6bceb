//! Several inputs at once: joined when they belong together, in any order, and refused with a reason when they do not.

#[path = "common/packing.rs"]
mod packing;

use std::path::{Path, PathBuf};

use packing::{file, gz, tar, trace, xz, zip, zst};
use vmaplens::log::Log;
use vmaplens::source::{Input, Reading, SourceError, open};

fn several(paths: &[PathBuf]) -> Result<Log, SourceError> {
    open(&Input::from_args(paths, Input::Stdin), &Reading::default())
}

#[track_caller]
fn refused(paths: &[PathBuf], words: &str) {
    let error = several(paths).map(|log| log.events.len()).expect_err("refused");
    let (said, hint) = (error.to_string(), error.hint());
    assert!(said.contains(words), "{said}");
    assert!(!said.contains('\n') && !hint.is_empty() && !hint.contains('\n'), "{said} / {hint}");
}

fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces")
}

/// A member of a capture, unpacked, as a file that is called something else.
fn member(capture: &str, name: &str, as_: &str) -> PathBuf {
    let path = traces().join(capture).join(name);
    let bytes = std::fs::read(&path).expect("a member");
    let plain = if name == "trace.txt.zst" { zstd::stream::decode_all(&bytes[..]).expect("zstd") } else { bytes };
    file(as_, plain)
}

fn orders(paths: &[PathBuf]) -> Vec<Vec<PathBuf>> {
    let [first, rest @ ..] = paths else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for order in orders(rest) {
        for at in 0..=order.len() {
            let mut order = order.clone();
            order.insert(at, first.clone());
            all.push(order);
        }
    }
    all
}

fn areas(log: &Log) -> [Option<Vec<(u64, u64)>>; 2] {
    [&log.before, &log.after].map(|side| Some(side.as_ref()?.areas.iter().map(|area| (area.start, area.end)).collect()))
}

#[test]
fn any_order_gives_one_log_and_content_decides() {
    for capture in ["amd64-612-first-steps", "amd64-612-boot-smp2", "amd64-72-boot-smp1", "i386-65-exhaust-smp1"] {
        let folder = open(&Input::Path(traces().join(capture)), &Reading::default()).expect("a capture");
        // Names that say nothing, or the wrong thing.
        let paths = [
            member(capture, "trace.txt.zst", &format!("{capture}-x")),
            member(capture, "vmallocinfo.before", &format!("{capture}-called-after")),
            member(capture, "vmallocinfo.after", &format!("{capture}-called-before")),
        ];
        for order in orders(&paths) {
            let log = several(&order).unwrap_or_else(|error| panic!("{order:?}: {error}"));
            assert!(log.events == folder.events, "{order:?}");
            assert!(areas(&log) == areas(&folder), "{order:?}");
            assert_eq!(log.notes, [""; 0], "{order:?}");
            assert_eq!(log.origin.name, format!("{} and 2 more", paths[0].to_string_lossy()), "{order:?}");
        }
        // One snapshot alone finds its place too.
        for (path, side) in [(&paths[1], 0), (&paths[2], 1)] {
            let log = several(&[path.clone(), paths[0].clone()]).expect("belongs");
            assert!(areas(&log)[side] == areas(&folder)[side] && areas(&log)[1 - side].is_none(), "{capture} {side}");
        }
    }
}

#[test]
fn packed_inputs_are_joined_as_well() {
    let capture = "amd64-612-first-steps";
    let folder = open(&Input::Path(traces().join(capture)), &Reading::default()).expect("a capture");
    let get = |name: &str| std::fs::read(member(capture, name, &format!("packed-{name}"))).expect("a member");
    let (trace, before, after) = (get("trace.txt.zst"), get("vmallocinfo.before"), get("vmallocinfo.after"));
    let paths = [file("p.1", gz(&before)), file("p.2", xz(&trace)), file("p.3", zst(&after))];
    assert!(areas(&several(&paths).expect("belongs")) == areas(&folder));
    // The same as an archive of files whose names say nothing.
    let members: [(&str, &[u8]); 3] = [("a", &after), ("b/c", &trace), ("d", &before)];
    for bytes in [zip(&members, true), gz(&tar(&members))] {
        let log = several(&[file("p.box", bytes)]).expect("belongs");
        assert!(log.events == folder.events && areas(&log) == areas(&folder));
    }
}

#[test]
fn files_of_several_cpus_are_merged_by_their_stamps() {
    let text = member("amd64-612-boot-smp2", "trace.txt.zst", "cpus-whole");
    let whole = several(std::slice::from_ref(&text)).expect("a trace");
    let text = std::fs::read_to_string(text).expect("text");
    let of = |cpu: &str| -> String {
        let mut takes = true;
        text.split_inclusive('\n')
            .filter(|line| {
                // A line without a CPU belongs to the record before it.
                if let Some(at) = line.find(" [0") {
                    takes = line[at..].starts_with(cpu);
                }
                line.starts_with('#') || takes
            })
            .collect()
    };
    let (one, other) = (of(" [000]"), of(" [001]"));
    let paths = [file("cpu1", &other), file("cpu0", &one)];
    let mut wanted = whole.clone();
    wanted.sort_by_time();
    let key = |log: &Log| -> Vec<(u64, u16)> { log.events.iter().map(|event| (event.at.0, event.cpu)).collect() };
    for order in orders(&paths) {
        let log = several(&order).expect("one recording");
        assert_eq!(log.events.len(), whole.events.len());
        assert_eq!(log.counts(), whole.counts());
        let (got, mut sorted) = (key(&log), key(&log));
        sorted.sort_unstable();
        let mut all = key(&whole);
        all.sort_unstable();
        assert!(got.is_sorted_by_key(|(at, _)| *at) && sorted == all);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cpus/per_cpu");
    for (cpu, text) in [("cpu0", &one), ("cpu1", &other)] {
        std::fs::create_dir_all(folder.join(cpu)).expect("a folder");
        std::fs::write(folder.join(cpu).join("trace"), text).expect("a file");
    }
    let log = several(&[folder.parent().expect("a parent").to_owned()]).expect("a capture");
    assert_eq!(log.counts(), whole.counts());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let trace_of = |capture: &str| member(capture, "trace.txt.zst", &format!("apart-{capture}"));
    let before_of = |capture: &str| member(capture, "vmallocinfo.before", &format!("apart-before-{capture}"));
    let (first, boot) = ("amd64-612-first-steps", "amd64-612-boot-smp1");
    let script = file("apart.ops", "era 6.12\na 0 4096\nf 0\n");
    let other = file("apart2.ops", "era 6.12\na 0 8192\nf 0\n");
    let letter = file("letter", "Dear all, this is a letter: it has no rows.\n");
    refused(&[trace_of(first), trace_of(boot)], "two recordings");
    refused(&[trace_of(boot), before_of(first), before_of(boot), before_of("arm64-612-boot-smp1")], "more snapshots");
    refused(&[script.clone(), other], "op script, which goes with nothing else");
    let listings = Path::new(env!("CARGO_MANIFEST_DIR")).join("parsers/tests/data/listings");
    for partial in ["page-tables-x86.txt", "arm-oops.txt"] {
        refused(&[trace_of(first), listings.join(partial)], "no list of all areas");
    }
    refused(&[trace_of(first), script], "op script, which goes with nothing else");
    refused(&[trace_of(first), letter], "unknown format");
    refused(&[before_of(first), before_of(boot)], "without the recording between them");
    refused(&[traces().join(first), traces().join(boot)], "two captures");
    refused(&[traces().join(first), trace_of(boot)], "second recording");
    refused(&[trace_of(first), PathBuf::from("no such file")], "no such file");
    // Another machine, and the same one in another boot.
    refused(&[trace_of(first), before_of("arm64-612-boot-smp1")], "belong");
    refused(&[trace_of(first), before_of("amd64-72-boot-smp1")], "belong");
}

#[test]
fn what_nothing_tells_is_decided_by_name_and_said() {
    let rows = b"0xffffc9ff00000000-0xffffc9ff00005000   20480 f+0xf4/0x130 vmalloc\n";
    let paths = [file("told-after", rows), file("told-trace", trace(4)), file("told-before", rows)];
    for order in orders(&paths) {
        let log = several(&order).expect("nothing speaks against it");
        assert_eq!(log.notes.len(), 1, "{:?}", log.notes);
        assert!(log.notes[0].contains("by their names"), "{:?}", log.notes);
    }
    let log = several(&paths[..2]).expect("nothing speaks against it");
    assert!(log.after.is_some() && log.notes[0].contains("by its name"), "{:?}", log.notes);
}

#[test]
fn a_kernel_log_alone_shows_its_failures_and_their_range() {
    let log = several(&[file("dmesg-alone", DMESG)]).expect("a log");
    assert_eq!(log.events.len(), 1);
    assert!(log.names.windows().iter().any(|window| (window.vstart, window.vend) == (0xf080_0000, 0xff80_0000)));
    let replay = vmaplens::replay::Replay::open(std::sync::Arc::new(log), &vmaplens::replay::Settings::default());
    assert_eq!(replay.expect("a replay").plan().timeline.reports, [0]);
}

/// As an armhf kernel prints it.
const DMESG: &str = "[    0.000000] Linux version 6.12.107+deb12-armmp-lpae (x) #1 SMP\n\
    [    5.682263] vmalloc_node_range for size 31252480 failed: Address range restricted to 0xf0800000 - 0xff800000\n\
    [    5.682300] CPU: 0 PID: 200 Comm: insmod Not tainted 6.12\n";
