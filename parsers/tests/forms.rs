//! Form by form: what each text form of a trace yields, against a table, and one recording in many forms against itself.
//!
//! `cargo test --test forms -- --nocapture` prints the table. `VMAPLENS_SAMPLES` may name more folders (separated by colons)
//! that have an `expected.tsv` with the columns `file kind alloc free purge kernel_stacks loss_marks`, or none: then their
//! files are only shown. `VMAPLENS_UPDATE=1` writes the repository's table anew.

use std::fs;
use std::path::{Path, PathBuf};

use parsers::bpftrace::Bpftrace;
use parsers::ftrace::Trace;
use parsers::record::{Body, Prefix, Record, Stamp};
use parsers::report::Report;
use parsers::sniff::{Format, sniff};
use parsers::stream::{self, Form};
use parsers::{Problem, ProblemKind, perf};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/forms")
}

fn read(format: Format, bytes: &[u8], visit: &mut impl FnMut(&Record<'_>)) -> Vec<Problem> {
    fn go<F: Form>(bytes: &[u8], form: F, visit: &mut impl FnMut(&Record<'_>)) -> Vec<Problem> {
        stream::read_slice(bytes, form, visit).1
    }
    match format {
        Format::PerfScript => go(bytes, perf::Script::default(), visit),
        Format::PerfTrace => go(bytes, perf::Trace::default(), visit),
        Format::TraceCmdReport => go(bytes, Report::default(), visit),
        Format::Bpftrace => go(bytes, Bpftrace::default(), visit),
        _ => go(bytes, Trace::default(), visit),
    }
}

/// What is counted, in the order of the table's columns.
const COLUMNS: [&str; 10] =
    ["alloc", "free", "purge", "stacks", "user_stacks", "lost", "markers", "probes", "other", "problems"];

struct Counted {
    format: Format,
    counts: [usize; COLUMNS.len()],
    problems: Vec<Problem>,
}

fn count(bytes: &[u8]) -> Counted {
    let format = sniff(bytes);
    let mut counts = [0; COLUMNS.len()];
    let problems = read(format, bytes, &mut |record| {
        let column = match &record.body {
            Body::Alloc(_) => 0,
            Body::Free(_) => 1,
            Body::Purge(_) => 2,
            Body::Stack(_) => 3,
            Body::UserStack(_) => 4,
            Body::Lost { .. } => 5,
            Body::Marker(_) => 6,
            Body::Probe { .. } => 7,
            Body::Other { .. } => 8,
            Body::BufferStarted { .. } | Body::Failure(_) => return,
        };
        counts[column] += 1;
    });
    counts[9] = problems.len();
    Counted { format, counts, problems }
}

/// All texts of a folder, as paths in it.
fn texts(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            files.extend(texts(&entry.path()).into_iter().map(|file| format!("{name}/{file}")));
        } else if entry.path().extension().is_some_and(|kind| kind == "txt") {
            files.push(name);
        }
    }
    files.sort();
    files
}

fn row(file: &str, counted: &Counted) -> String {
    let counts: Vec<String> = counted.counts.iter().map(ToString::to_string).collect();
    format!("{file}\t{:?}\t{}", counted.format, counts.join("\t"))
}

#[test]
fn every_file_yields_what_the_table_says() {
    let mut table = format!("file\tform\t{}\n", COLUMNS.join("\t"));
    println!("{table}");
    for file in texts(&data()) {
        let bytes = fs::read(data().join(&file)).expect("readable");
        let row = row(&file, &count(&bytes));
        println!("{row}");
        table.push_str(&row);
        table.push('\n');
    }
    let path = data().join("expected.tsv");
    if std::env::var_os("VMAPLENS_UPDATE").is_some() {
        fs::write(&path, &table).expect("writable");
    }
    let want = fs::read_to_string(&path).expect("a table");
    for (got, want) in table.lines().zip(want.lines()) {
        assert_eq!(got, want);
    }
    assert_eq!(table.lines().count(), want.lines().count());
}

/// Call chains of perf are not counted in these tables.
#[test]
fn folders_of_samples_yield_what_their_tables_say() {
    let folders = std::env::var("VMAPLENS_SAMPLES").unwrap_or_default();
    for root in folders.split(':').filter(|folder| !folder.is_empty()).map(Path::new) {
        let table = fs::read_to_string(root.join("expected.tsv")).unwrap_or_default();
        for file in texts(root) {
            let counted = count(&fs::read(root.join(&file)).expect("readable"));
            let known = table.lines().map(|line| line.split('\t').collect::<Vec<_>>()).find(|line| line[0] == file);
            let mark = if known.is_some() { '=' } else { ' ' };
            let first = counted.problems.first().map(|problem| (problem.line, &problem.kind));
            println!("{mark} {} {}", row(&file, &counted), first.map_or(String::new(), |first| format!("{first:?}")));
            if let Some(line) = known {
                let want: Vec<usize> = line[2..].iter().map(|n| n.parse().expect("a number")).collect();
                let [alloc, free, purge, stacks, _, lost, ..] = counted.counts;
                let stacks = if line[1] == "perf" { 0 } else { stacks };
                assert_eq!(vec![alloc, free, purge, stacks, lost], want, "{file}");
            }
        }
    }
}

/// How a form prints nanoseconds as microseconds.
#[derive(Clone, Copy)]
enum Micros {
    Rounded,
    Cut,
}

/// An event as far as the form holds it.
#[derive(Debug, Clone)]
struct Seen {
    comm: Option<Vec<u8>>,
    pid: Option<i32>,
    cpu: Option<u16>,
    stamp: Option<u64>,
    /// The vmalloc event with its values; `None` if the form says only that something was.
    body: Option<String>,
}

fn seen(prefix: Option<&Prefix<'_>>, body: Option<String>) -> Seen {
    let Some(prefix) = prefix else { return Seen { comm: None, pid: None, cpu: None, stamp: None, body } };
    let stamp = match prefix.stamp {
        Stamp::Nanos(at) | Stamp::Relative(at) | Stamp::Ticks(at) => Some(at),
        Stamp::Unknown => None,
    };
    Seen {
        comm: (!matches!(prefix.comm, b"" | b"<...>")).then(|| prefix.comm.to_vec()),
        pid: (0 <= prefix.pid).then_some(prefix.pid),
        cpu: prefix.cpu,
        stamp,
        body,
    }
}

/// The vmalloc events of a text, with all others if `others`.
fn events(file: &str, others: bool) -> Vec<Seen> {
    let bytes = fs::read(data().join(file)).expect("readable");
    let mut events = Vec::new();
    read(sniff(&bytes), &bytes, &mut |record| match &record.body {
        Body::Alloc(_) | Body::Free(_) | Body::Purge(_) => {
            events.push(seen(record.prefix.as_ref(), Some(format!("{:?}", record.body))));
        }
        Body::Stack(_) | Body::UserStack(_) | Body::Lost { .. } | Body::BufferStarted { .. } => {}
        _ if others => events.push(seen(record.prefix.as_ref(), None)),
        _ => {}
    });
    events
}

/// Whether two forms tell the same as far as both tell it. `shift` is what the second one's clock is behind.
fn agree(a: &Seen, b: &Seen, micros: Micros, shift: Option<u64>) -> bool {
    let coarse = |stamp: u64| match micros {
        Micros::Rounded => (stamp + 500) / 1000,
        Micros::Cut => stamp / 1000,
    };
    let stamps = a.stamp.zip(b.stamp).zip(shift).is_none_or(|((a, b), shift)| {
        let b = b + shift;
        a == b || ((a % 1000 == 0 || b % 1000 == 0) && coarse(a) == coarse(b))
    });
    let comms = a.comm.as_ref().zip(b.comm.as_ref()).is_none_or(|(a, b)| {
        // The latency formats keep eight bytes.
        a == b || (a.len() == 8 && b.starts_with(a)) || (b.len() == 8 && a.starts_with(b))
    });
    let numbers = a.pid.zip(b.pid).is_none_or(|(a, b)| a == b) && a.cpu.zip(b.cpu).is_none_or(|(a, b)| a == b);
    let bodies = a.body.as_ref().zip(b.body.as_ref()).is_none_or(|(a, b)| a == b);
    stamps && comms && numbers && bodies
}

/// Recordings and the files that show them. Of a buffer that was printed several times the later texts have more events.
const RECORDINGS: &[(&str, Micros, &[&str])] = &[
    (
        "text-612/default.txt",
        Micros::Rounded,
        &[
            "text-612/no-annotate.txt",
            "text-612/no-context-info.txt",
            "text-612/no-irq-info.txt",
            "text-612/no-print-parent.txt",
            "text-612/latency-format.txt",
            "text-612/latency-verbose.txt",
            "text-612/record-tgid.txt",
            "text-612/sym-offset.txt",
            "text-612/verbose.txt",
            "text-612/fields.txt",
        ],
    ),
    (
        "text-612/stk.txt",
        Micros::Rounded,
        &["text-612/stk-symaddr.txt", "text-612/stk-symoff.txt", "text-612/stk-fields.txt"],
    ),
    ("text-612/kprobe.txt", Micros::Rounded, &["text-612/kprobe-fields.txt"]),
    ("text-612/graph-all.txt", Micros::Rounded, &["text-612/graph.txt", "text-612/graph-nocpu.txt"]),
    ("text-612/function.txt", Micros::Rounded, &["text-612/funcstack.txt"]),
    ("dat/d7.report-t.txt", Micros::Rounded, &["dat/d7.reportR.txt", "dat/d7.reportl.txt", "dat/d7.reporttsdiff.txt"]),
    ("formats/trace.txt", Micros::Rounded, &["formats/trace.dat.report.txt"]),
    (
        "formats/trace.record.report-tl.txt",
        Micros::Rounded,
        &["formats/trace.record.report.txt", "formats/trace.record.report-R.txt"],
    ),
    (
        "perf/ps.ns.txt",
        Micros::Cut,
        &[
            "perf/ps.default.txt",
            "perf/ps.F1.txt",
            "perf/ps.F2.txt",
            "perf/ps.F3.txt",
            "perf/ps.G.txt",
            "perf/ps.header.txt",
            "perf/ps.max.txt",
            "perf/ps.tasks.txt",
        ],
    ),
    ("perf-612/perf-script-ns.txt", Micros::Cut, &["perf-612/perf-script.txt", "perf-612/perf-script-F.txt"]),
];

#[test]
fn one_recording_in_many_forms_is_one_list_of_events() {
    for (first, micros, others) in RECORDINGS {
        let one = events(first, false);
        for other in *others {
            let two = events(other, false);
            let n = one.len().min(two.len());
            println!("{first} and {other}: {n} events, {} and {} more", one.len() - n, two.len() - n);
            assert!(0 < n);
            for (n, (a, b)) in one.iter().zip(&two).enumerate() {
                assert!(agree(a, b, *micros, Some(0)), "{first} and {other}, event {n}: {a:?} {b:?}");
            }
        }
    }
}

#[test]
fn texts_without_values_and_with_other_clocks_agree_as_far_as_they_go() {
    // The option raw tells who, where and when.
    let (one, two) = (events("text-612/default.txt", true), events("text-612/raw.txt", true));
    assert_eq!(one.len().min(two.len()), one.len());
    for (n, (a, b)) in one.iter().zip(&two).enumerate() {
        assert!(agree(a, b, Micros::Rounded, Some(0)), "event {n}: {a:?} {b:?}");
    }
    // The latency format counts from when the buffer was cleared.
    let (one, two) = (events("text-612/stk.txt", false), events("text-612/stk-lat.txt", false));
    let shift = one[0].stamp.zip(two[0].stamp).map(|(a, b)| a - b);
    assert!(one.iter().zip(&two).all(|(a, b)| agree(a, b, Micros::Rounded, shift)));
    // What an option leaves out is not made up.
    let bare = events("text-612/no-context-info.txt", false);
    assert!(bare.iter().all(|event| (event.pid, event.cpu, event.stamp) == (None, None, None)));
    let graph = events("text-612/graph.txt", false);
    assert!(graph.iter().all(|event| event.stamp.is_none() && event.cpu.is_some()));
    assert_eq!(events("text-612/graph-nocpu.txt", false)[0].cpu, None);
    assert_eq!(graph.last().and_then(|event| event.pid), events("text-612/graph-all.txt", false)[graph.len() - 1].pid);
}

#[test]
fn stacks_of_one_recording_have_the_same_functions() {
    let stacks = |file: &str| {
        let bytes = fs::read(data().join(file)).expect("readable");
        let mut stacks: Vec<Vec<Vec<u8>>> = Vec::new();
        read(sniff(&bytes), &bytes, &mut |record| {
            if let Body::Stack(frames) = &record.body {
                stacks.push(frames.iter().map(|frame| frame.symbol.to_vec()).collect());
            }
        });
        stacks
    };
    for (one, two) in [
        ("text-612/stk.txt", "text-612/stk-symoff.txt"),
        ("text-612/stk.txt", "text-612/stk-symaddr.txt"),
        ("text-612/stk.txt", "text-612/stk-lat.txt"),
        ("perf/ps.default.txt", "perf/ps.F3.txt"),
        ("perf/ps.default.txt", "perf/ps.tasks.txt"),
    ] {
        let (a, b) = (stacks(one), stacks(two));
        assert!(!a.is_empty() && a.iter().zip(&b).all(|(a, b)| a == b), "{one} {two}");
    }
    // The chains were cut at so many frames.
    for (whole, cut) in stacks("perf/ps.default.txt").iter().zip(stacks("perf/ps.max.txt")) {
        assert!(whole.starts_with(&cut) && cut.len() <= whole.len());
    }
}

#[test]
fn columns_that_leave_the_events_out_are_said_once() {
    let bytes = fs::read(data().join("perf/ps.F5.txt")).expect("readable");
    let counted = count(&bytes);
    let kinds: Vec<_> = counted.problems.iter().map(|problem| &problem.kind).collect();
    assert_eq!((counted.format, kinds), (Format::PerfScript, vec![&ProblemKind::PerfColumns]));
}
