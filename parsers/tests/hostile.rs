//! Every form of text, made from random events of tasks with hostile names, reads back as these events; any cutting into
//! windows gives the same; and whatever bytes come, nothing panics.
//!
//! More than 400 lines: one printer for each form.

use std::fs;
use std::path::Path;

use parsers::Problem;
use parsers::bpftrace::Bpftrace;
use parsers::ftrace::Trace;
use parsers::perf;
use parsers::record::{Alloc, Body, Free, Purge, Record, Stamp};
use parsers::report::Report;
use parsers::sniff::{Format, sniff};
use parsers::stream::{self, Form};
use proptest::prelude::*;

/// An event before it is printed.
#[derive(Debug, Clone)]
struct Event {
    comm: Vec<u8>,
    pid: i32,
    cpu: u16,
    nanos: u64,
    body: Body<'static>,
}

/// What is read of it: the name, pid, CPU, stamp, body; what the form does not tell is taken out.
type Seen = (Vec<u8>, i32, Option<u16>, Stamp, Body<'static>);

/// A form as it is printed.
struct Printer {
    name: &'static str,
    format: Format,
    print: fn(&Event, &mut Vec<u8>),
    seen: fn(&Event) -> Seen,
}

fn args(body: &Body<'_>) -> (&'static str, String) {
    match *body {
        Body::Alloc(Alloc { va_start, size, align, vstart, vend, failed }) => (
            "alloc_vmap_area",
            format!(
                "va_start: {va_start} size={size} align={align} vstart={vstart:#x} vend={vend:#x} failed={}",
                u8::from(failed)
            ),
        ),
        Body::Free(Free { va_start, nr_lazy, nr_lazy_max }) => {
            ("free_vmap_area_noflush", format!("va_start={va_start:#x} nr_lazy={nr_lazy} nr_lazy_max={nr_lazy_max}"))
        }
        Body::Purge(Purge { start, end, num_purged }) => {
            ("purge_vmap_area_lazy", format!("start={start:#x} end={end:#x} num_purged={num_purged}"))
        }
        _ => unreachable!("only these are made"),
    }
}

/// `secs.micros`, rounded as the kernel does.
fn micros(nanos: u64) -> String {
    let micros = (nanos + 500) / 1000;
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn nanos(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn padded(out: &mut Vec<u8>, comm: &[u8], columns: usize) {
    out.resize(out.len() + columns.saturating_sub(comm.len()), b' ');
    out.extend_from_slice(comm);
}

fn cut(comm: &[u8], columns: usize) -> Vec<u8> {
    comm[..comm.len().min(columns)].to_vec()
}

fn ftrace(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    padded(out, &event.comm, 16);
    let (pid, cpu, at) = (event.pid, event.cpu, micros(event.nanos));
    out.extend_from_slice(format!("-{pid:<7} [{cpu:03}] ..... {at:>12}: {name}: {args}\n").as_bytes());
}

fn ftrace_tgid(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    padded(out, &event.comm, 16);
    let (pid, cpu, at) = (event.pid, event.cpu, micros(event.nanos));
    out.extend_from_slice(format!("-{pid:<7} ({pid:>7}) [{cpu:03}] {at:>12}: {name}: {args}\n").as_bytes());
}

fn latency(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    padded(out, &cut(&event.comm, 8), 8);
    let (pid, cpu, at) = (event.pid, event.cpu, event.nanos / 1000);
    out.extend_from_slice(format!("-{pid:<7} {cpu:>3}d..2. {at:>4}us*: {name}: {args}\n").as_bytes());
}

fn report(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    padded(out, &event.comm, 16);
    let (pid, cpu, at) = (event.pid, event.cpu, micros(event.nanos));
    out.extend_from_slice(format!("-{pid:<5} [{cpu:03}] {at:>12}: {:<21} {args}\n", format!("{name}:")).as_bytes());
}

fn report_instance(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    out.extend_from_slice(b"inst-1: ");
    padded(out, &event.comm, 16);
    let (pid, cpu, at) = (event.pid, event.cpu, nanos(event.nanos));
    let name = format!("{name}:");
    out.extend_from_slice(format!("-{pid:<5} [{cpu:03}] .....  {at:>12}: (+12)    {name:<21} {args}\n").as_bytes());
}

fn report_latency(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    padded(out, &cut(&event.comm, 8), 8);
    let (pid, cpu, at) = (event.pid, event.cpu, micros(event.nanos));
    let name = format!("{name}:");
    out.extend_from_slice(format!("-{pid:<5} {cpu:>3}d..2. {at:>12}: {name:<21} {args}\n").as_bytes());
}

fn perf_aligned(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    padded(out, &event.comm, 16);
    let (pid, cpu, at) = (event.pid, event.cpu, nanos(event.nanos));
    let name = format!("vmalloc:{name}");
    out.extend_from_slice(format!(" {pid:>5} [{cpu:03}] {at:>12}: {name:>30}: {args}\n").as_bytes());
}

fn perf_chains(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    out.extend_from_slice(&event.comm);
    let (pid, cpu, at) = (event.pid, event.cpu, nanos(event.nanos));
    out.extend_from_slice(format!(" {pid:>7} [{cpu:03}] {at:>12}:          1 vmalloc:{name}: {args}\n").as_bytes());
    out.extend_from_slice(
        b"\tffffffff87ba5993 alloc_vmap_area+0x3b3 ([kernel.kallsyms])\n\t           61819 f (/a b)\n\n",
    );
}

fn perf_ids(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    let at = nanos(event.nanos);
    out.extend_from_slice(format!("{:>5} {at:>12}:        vmalloc:{name}: {args}\n", event.pid).as_bytes());
}

fn perf_bare(event: &Event, out: &mut Vec<u8>) {
    out.extend_from_slice(args(&event.body).1.as_bytes());
    out.push(b'\n');
}

fn perf_trace(event: &Event, out: &mut Vec<u8>) {
    let at = event.nanos / 1000;
    out.extend_from_slice(format!("{:>10} ", format!("{}.{:03}", at / 1000, at % 1000)).as_bytes());
    out.extend_from_slice(&event.comm);
    let field = |name: &str, value: u64| match value {
        0 => String::new(),
        value => format!("{name}: {}, ", value.cast_signed()),
    };
    let (name, args) = match event.body {
        Body::Alloc(a) => (
            "alloc_vmap_area",
            format!("addr: {:#x}, ", a.va_start)
                + &field("size", a.size)
                + &field("align", a.align)
                + &field("vstart", a.vstart)
                + &field("vend", a.vend)
                + &field("failed", u64::from(a.failed)),
        ),
        Body::Free(f) => (
            "free_vmap_area_noflush",
            field("va_start", f.va_start) + &field("nr_lazy", f.nr_lazy) + &field("nr_lazy_max", f.nr_lazy_max),
        ),
        Body::Purge(p) => {
            ("purge_vmap_area_lazy", field("start", p.start) + &field("end", p.end) + &field("npurged", p.num_purged))
        }
        _ => unreachable!("only these are made"),
    };
    let args = args.strip_suffix(", ").unwrap_or(&args);
    out.extend_from_slice(format!("/{} vmalloc:{name}({args})\n", event.pid).as_bytes());
}

fn bpftrace(event: &Event, out: &mut Vec<u8>) {
    let (name, args) = args(&event.body);
    let args = args.replacen("va_start: ", "addr=", usize::from(name == "alloc_vmap_area"));
    out.extend_from_slice(format!("{} {} {} ", event.nanos, event.cpu, event.pid).as_bytes());
    out.extend_from_slice(&event.comm);
    out.extend_from_slice(format!(" {name} {args}\n\n").as_bytes());
}

fn bpftrace_json(event: &Event, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    bpftrace(event, &mut text);
    out.extend_from_slice(b"{\"type\": \"printf\", \"data\": \"");
    for byte in text {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..=31 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => out.push(byte),
        }
    }
    out.extend_from_slice(b"\"}\n");
}

fn full(event: &Event) -> Seen {
    let micros = (event.nanos + 500) / 1000 * 1000;
    (event.comm.clone(), event.pid, Some(event.cpu), Stamp::Nanos(micros), event.body.clone())
}

fn exact(event: &Event) -> Seen {
    let (comm, pid, cpu, _, body) = full(event);
    (comm, pid, cpu, Stamp::Nanos(event.nanos), body)
}

fn ids(event: &Event) -> Seen {
    let (_, pid, _, stamp, body) = exact(event);
    (Vec::new(), pid, None, stamp, body)
}

fn bare(event: &Event) -> Seen {
    (Vec::new(), -1, None, Stamp::Unknown, event.body.clone())
}

fn since_start(event: &Event) -> Seen {
    let (comm, pid, _, _, body) = full(event);
    (comm, pid, None, Stamp::Relative(event.nanos / 1000 * 1000), body)
}

fn short(event: &Event) -> Seen {
    let (comm, pid, cpu, stamp, body) = full(event);
    (trimmed(&cut(&comm, 8)), pid, cpu, stamp, body)
}

fn short_relative(event: &Event) -> Seen {
    let (comm, pid, cpu, _, body) = short(event);
    (comm, pid, cpu, Stamp::Relative(event.nanos / 1000 * 1000), body)
}

const PRINTERS: [Printer; 13] = [
    Printer { name: "ftrace", format: Format::FtraceText, print: ftrace, seen: full },
    Printer { name: "ftrace tgid", format: Format::FtraceText, print: ftrace_tgid, seen: full },
    Printer { name: "latency", format: Format::FtraceText, print: latency, seen: short_relative },
    Printer { name: "report", format: Format::TraceCmdReport, print: report, seen: full },
    Printer { name: "report of an instance", format: Format::TraceCmdReport, print: report_instance, seen: exact },
    Printer { name: "report -l", format: Format::TraceCmdReport, print: report_latency, seen: short },
    Printer { name: "perf script -G", format: Format::PerfScript, print: perf_aligned, seen: exact },
    Printer { name: "perf script", format: Format::PerfScript, print: perf_chains, seen: exact },
    Printer { name: "perf script -F tid,time", format: Format::PerfScript, print: perf_ids, seen: ids },
    Printer { name: "perf script -F trace", format: Format::PerfScript, print: perf_bare, seen: bare },
    Printer { name: "perf trace", format: Format::PerfTrace, print: perf_trace, seen: since_start },
    Printer { name: "bpftrace", format: Format::Bpftrace, print: bpftrace, seen: exact },
    Printer { name: "bpftrace -f json", format: Format::Bpftrace, print: bpftrace_json, seen: exact },
];

fn seen(record: &Record<'_>) -> Option<Seen> {
    let body = match record.body {
        Body::Alloc(alloc) => Body::Alloc(alloc),
        Body::Free(free) => Body::Free(free),
        Body::Purge(purge) => Body::Purge(purge),
        Body::Stack(_) | Body::UserStack(_) => return None,
        // What is not an event of ours is a mistake.
        _ => Body::Marker(b"something else"),
    };
    Some(match &record.prefix {
        Some(prefix) => (prefix.comm.to_vec(), prefix.pid, prefix.cpu, prefix.stamp, body),
        None => (Vec::new(), -1, None, Stamp::Unknown, body),
    })
}

/// Reads a text in windows of some size.
fn read(format: Format, bytes: &[u8], size: usize, visit: &mut impl FnMut(&Record<'_>)) -> Vec<Problem> {
    fn go<F: Form>(bytes: &[u8], mut form: F, size: usize, visit: &mut impl FnMut(&Record<'_>)) -> Vec<Problem> {
        stream::windows_of(size, bytes, F::starts_item, |window| form.window(window, visit))
            .expect("memory can be read");
        form.finish().1
    }
    match format {
        Format::PerfScript => go(bytes, perf::Script::default(), size, visit),
        Format::PerfTrace => go(bytes, perf::Trace::default(), size, visit),
        Format::TraceCmdReport => go(bytes, Report::default(), size, visit),
        Format::Bpftrace => go(bytes, Bpftrace::default(), size, visit),
        _ => go(bytes, Trace::default(), size, visit),
    }
}

fn all(format: Format, bytes: &[u8], size: usize) -> (Vec<String>, Vec<Problem>) {
    let mut records = Vec::new();
    let problems = read(format, bytes, size, &mut |record| records.push(format!("{record:?}")));
    (records, problems)
}

/// The first record or problem that windows of `size` bytes give otherwise than one window does.
fn difference(format: Format, text: &[u8], size: usize) -> Option<String> {
    let (got, want) = (all(format, text, size), all(format, text, 1 << 20));
    let line = |(records, problems): &(Vec<String>, Vec<Problem>), n: usize| {
        records.iter().cloned().chain(problems.iter().map(|problem| format!("{problem:?}"))).nth(n)
    };
    let n = (0..=want.0.len() + want.1.len() + 1).find(|&n| line(&got, n) != line(&want, n))?;
    Some(format!("{format:?} in {size}: {:?}, not {:?}", line(&got, n), line(&want, n)))
}

/// Blanks around a name are its padding.
fn trimmed(comm: &[u8]) -> Vec<u8> {
    let start = comm.iter().take_while(|&&byte| byte == b' ').count();
    comm[start..].to_vec()
}

/// A name without empty lines, and without lines that are comments.
fn tellable(comm: &[u8]) -> Vec<u8> {
    let lines = comm
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !matches!(line, [] | [b'#'] | [b'#', b' ', ..]));
    let kept = lines.collect::<Vec<_>>().join(&b'\n');
    if kept.is_empty() { b"x".to_vec() } else { kept }
}

/// Names that imitate what stands around them.
fn comm() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "a",
        "b-c",
        " ",
        "-12 [003]",
        "[000]",
        ": ",
        "x:y:",
        "a/1",
        "1 [000] ",
        "=>",
        "CPU:0",
        "\t",
        "\n",
        "nl\nevil-7",
        "#",
        "5.000000: ",
        "alloc_vmap_area",
        "va_start=0x1",
        "(",
        "é",
        "\"",
        "\\",
        "<...>",
        "0",
    ]);
    let pieces = prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat().into_bytes());
    let bytes = prop::collection::vec(1..=255_u8, 1..16);
    prop_oneof![3 => pieces, 1 => bytes].prop_map(|comm| {
        let mut comm: Vec<u8> =
            cut(&trimmed(&comm), 15).into_iter().map(|byte| if byte == b'\r' { b'r' } else { byte }).collect();
        while matches!(comm.last(), Some(b' ')) {
            comm.pop();
        }
        if comm.is_empty() { b"x".to_vec() } else { comm }
    })
}

fn event() -> impl Strategy<Value = Event> {
    let number = || (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift);
    let body = (0..3_u8, number(), number(), number(), number(), number(), any::<bool>()).prop_map(
        |(kind, a, b, c, d, e, failed)| match kind {
            0 => Body::Alloc(Alloc { va_start: a, size: b, align: c, vstart: d, vend: e, failed }),
            1 => Body::Free(Free { va_start: a, nr_lazy: b, nr_lazy_max: c }),
            _ => Body::Purge(Purge { start: a, end: b, num_purged: c }),
        },
    );
    (comm(), 0..5_000_000, 0..2000_u16, 0..4_000_000_000_000_u64, body)
        .prop_map(|(comm, pid, cpu, nanos, body)| Event { comm, pid, cpu, nanos, body })
}

fn samples() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/forms");
    let files = [
        "perf/ps.max.txt",
        "perf/ps.F1.txt",
        "dat/d6inst.report-t.txt",
        "dat/d7.reporttsdiff.txt",
        "dat/d6.report-t.txt",
        "bpftrace/plain.txt",
        "bpftrace/json.txt",
        "bpftrace/kstack.txt",
        "text-612/graph-all.txt",
        "text-612/graph.txt",
        "text-612/raw.txt",
        "perf/pt.default.txt",
        "text-612/latency-verbose.txt",
    ];
    files.iter().map(|file| fs::read(root.join(file)).expect("readable")).collect()
}

#[test]
fn windows_of_any_size_give_the_same_for_samples() {
    for text in samples() {
        let format = sniff(&text);
        for size in [1, 7, 64, 130, 1000, 4096] {
            assert_eq!(difference(format, &text, size), None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_form_reads_back_what_was_printed(events in prop::collection::vec(event(), 1..8), size in 1..2000_usize) {
        for form in &PRINTERS {
            let mut events = events.clone();
            if form.name == "perf script" {
                // Not padded, and an empty line ends a chain: some names cannot be told from what stands around them.
                for event in &mut events {
                    event.comm = tellable(&event.comm);
                }
            }
            if form.format == Format::Bpftrace {
                // Equal stamps keep their order, others are sorted.
                events.sort_by_key(|event| event.nanos);
            }
            let mut text = Vec::new();
            for event in &events {
                (form.print)(event, &mut text);
            }
            let mut got = Vec::new();
            let problems = read(form.format, &text, 1 << 20, &mut |record| got.extend(seen(record)));
            let want: Vec<Seen> = events.iter().map(form.seen).collect();
            let shown = String::from_utf8_lossy(&text);
            prop_assert_eq!(&problems, &[], "{}\n{}", form.name, shown);
            prop_assert_eq!(&got, &want, "{}\n{}", form.name, shown);
            prop_assert_eq!(difference(form.format, &text, size), None, "{}\n{}", form.name, shown);
        }
    }

    #[test]
    fn nothing_panics_and_windows_do_not_matter(
        which in any::<prop::sample::Index>(),
        wounds in prop::collection::vec((0..4_u8, any::<prop::sample::Index>(), any::<u8>()), 1..20),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        size in 1..3000_usize,
    ) {
        let samples = samples();
        let mut text = which.get(&samples).clone();
        for (kind, place, byte) in wounds {
            let at = place.index(text.len());
            match kind {
                0 => text[at] = byte,
                1 => text[at] ^= 1 << (byte % 8),
                2 => text.insert(at, byte),
                _ => drop(text.remove(at)),
            }
        }
        sniff(&noise);
        sniff(&text);
        for format in [Format::FtraceText, Format::TraceCmdReport, Format::PerfScript, Format::PerfTrace, Format::Bpftrace] {
            all(format, &noise, 1 << 20);
            prop_assert_eq!(difference(format, &text, size), None);
        }
    }
}
