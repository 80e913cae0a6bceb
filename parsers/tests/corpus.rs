//! Excerpts of real recordings are understood completely.

use parsers::ftrace::Reader;
use parsers::record::{Body, Record, Stamp};
use parsers::sniff::{Format, sniff};
use parsers::vmallocinfo::{Confidence, Pointers};
use parsers::{Problem, ProblemKind, allocator_state, vmallocinfo};

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("data/", $name)).as_slice()
    };
}

/// A trace and how many allocations, frees, purges, markers, stacks, probes and other records it has.
type Trace = (&'static str, &'static [u8], [usize; 7]);

const TRACES: &[Trace] = &[
    ("default", data!("default.txt"), [14, 8, 0, 2, 0, 0, 0]),
    ("record-tgid", data!("record-tgid.txt"), [12, 1, 0, 1, 0, 0, 0]),
    ("no-irq-info", data!("no-irq-info.txt"), [13, 2, 0, 1, 0, 0, 0]),
    ("nocontext-info", data!("nocontext-info.txt"), [13, 6, 0, 1, 0, 0, 0]),
    ("latency-format", data!("latency-format.txt"), [10, 4, 0, 2, 0, 0, 0]),
    ("latency-verbose", data!("latency-verbose.txt"), [15, 1, 0, 1, 0, 0, 0]),
    ("fields", data!("fields.txt"), [14, 3, 0, 0, 0, 0, 1]),
    ("stack", data!("stack.txt"), [3, 0, 0, 1, 3, 0, 0]),
    ("stack-sym-offset", data!("stack-sym-offset.txt"), [3, 0, 0, 1, 3, 0, 0]),
    ("stack-sym-addr", data!("stack-sym-addr.txt"), [3, 0, 0, 1, 3, 0, 0]),
    ("clock-counter", data!("clock-counter.txt"), [9, 0, 0, 1, 0, 0, 0]),
    ("clock-tai", data!("clock-tai.txt"), [9, 0, 0, 1, 0, 0, 0]),
    ("pipe-lost", data!("pipe-lost.txt"), [8, 12, 0, 0, 0, 0, 1]),
    ("overwritten", data!("overwritten.txt"), [8, 8, 0, 0, 0, 0, 1]),
    ("failed", data!("failed.txt"), [12, 6, 2, 0, 0, 0, 0]),
    ("armhf", data!("armhf.txt"), [21, 0, 0, 0, 0, 0, 0]),
    ("kprobes-5.10", data!("kprobes-5.10.txt"), [0, 0, 0, 0, 0, 21, 0]),
];

/// Traces that cannot be replayed, and why.
const REFUSED: &[(&[u8], ProblemKind)] =
    &[(data!("raw.txt"), ProblemKind::TraceOption("raw")), (data!("hex.txt"), ProblemKind::TraceOption("hex"))];

const SNAPSHOTS: &[(&[u8], Pointers)] = &[
    (data!("vmallocinfo-real"), Pointers::Real),
    (data!("vmallocinfo-hashed"), Pointers::Hashed),
    (data!("vmallocinfo-zeroed"), Pointers::Zeroed),
    (data!("vmallocinfo-armhf"), Pointers::Real),
    (data!("vmallocinfo-words"), Pointers::Real),
];

fn read(input: &[u8]) -> (Vec<Record<'_>>, Vec<Problem>) {
    let mut reader = Reader::new(input);
    let records: Vec<_> = reader.by_ref().collect();
    (records, reader.into_parts().1)
}

fn counts(records: &[Record<'_>]) -> [usize; 7] {
    let mut counts = [0; 7];
    for record in records {
        let kind = match record.body {
            Body::Alloc(_) => 0,
            Body::Free(_) => 1,
            Body::Purge(_) => 2,
            Body::Marker(_) => 3,
            Body::Stack(_) | Body::UserStack(_) => 4,
            Body::Probe { .. } => 5,
            Body::Failure(_) | Body::Other { .. } | Body::Lost { .. } | Body::BufferStarted { .. } => 6,
        };
        counts[kind] += 1;
    }
    counts
}

#[test]
fn every_event_of_every_layout_is_found() {
    for (name, input, want) in TRACES {
        let (records, problems) = read(input);
        assert_eq!((counts(&records), problems), (*want, vec![]), "{name}");
        assert_eq!(sniff(input), Format::FtraceText, "{name}");
    }
}

#[test]
fn carriage_returns_change_nothing_but_offsets() {
    for (name, input, want) in TRACES {
        let input = String::from_utf8_lossy(input).replace('\n', "\r\n");
        let (records, problems) = read(input.as_bytes());
        assert_eq!((counts(&records), problems), (*want, vec![]), "{name}");
    }
}

#[test]
fn traces_can_be_put_together() {
    let whole: Vec<u8> = TRACES.iter().flat_map(|(_, input, _)| input.iter().copied()).collect();
    let (records, problems) = read(&whole);
    let want = TRACES.iter().fold([0; 7], |mut sum, (_, _, n)| {
        sum.iter_mut().zip(n).for_each(|(sum, n)| *sum += n);
        sum
    });
    assert_eq!((counts(&records), problems), (want, vec![]));
}

#[test]
fn layouts_without_values_are_refused_once() {
    for (input, want) in REFUSED {
        let (records, problems) = read(input);
        assert_eq!(counts(&records)[..3], [0; 3]);
        assert_eq!(problems.iter().map(|p| &p.kind).collect::<Vec<_>>(), [want]);
    }
}

#[test]
fn stamps_have_the_unit_of_their_layout() {
    let stamp = |input| read(input).0.first().and_then(|record| record.prefix.as_ref()).map(|prefix| prefix.stamp);
    assert!(matches!(stamp(data!("clock-counter.txt")), Some(Stamp::Ticks(_))));
    assert!(matches!(stamp(data!("clock-tai.txt")), Some(Stamp::Nanos(1_700_000_000_000_000_000..))));
    assert_eq!(stamp(data!("latency-format.txt")), Some(Stamp::Relative(22_718_000)));
    assert_eq!(stamp(data!("latency-verbose.txt")), Some(Stamp::Nanos(8_152_156_000)));
    assert_eq!(stamp(data!("nocontext-info.txt")), None);
}

#[test]
fn frames_keep_what_their_style_prints() {
    let first = |input| {
        read(input).0.into_iter().find_map(|record| match record.body {
            Body::Stack(frames) => frames.get(1).copied(),
            _ => None,
        })
    };
    for (input, offset, address) in [
        (data!("stack.txt"), None, None),
        (data!("stack-sym-offset.txt"), Some(0x3b3), None),
        (data!("stack-sym-addr.txt"), None, Some(0xffff_ffff_b2ba_5993)),
    ] {
        let frame = first(input).expect("a stack");
        assert_eq!((frame.symbol, frame.offset, frame.address), (&b"alloc_vmap_area"[..], offset, address));
    }
}

#[test]
fn headers() {
    let reader = Reader::new(data!("overwritten.txt"));
    let header = reader.header();
    assert_eq!((header.entries_in_buffer, header.entries_written), (Some(410), Some(3851)));
    assert_eq!((header.online_cpus, header.has_flags, header.has_tgid), (Some(2), true, false));
    let reader = Reader::new(data!("latency-format.txt"));
    assert_eq!(reader.header().kernel_release.as_deref(), Some("6.12.117+deb12-cloud-amd64"));
    assert!(Reader::new(data!("record-tgid.txt")).header().has_tgid);
}

#[test]
fn snapshots_print_as_they_were_read() {
    for (input, pointers) in SNAPSHOTS {
        let snapshot = vmallocinfo::parse(input);
        assert_eq!((snapshot.pointers, snapshot.problems), (*pointers, vec![]));
        assert!(snapshot.areas.iter().all(|area| area.confidence == Confidence::Exact));
        let printed: Vec<_> = snapshot.areas.iter().map(ToString::to_string).collect();
        assert_eq!(printed, String::from_utf8_lossy(input).lines().collect::<Vec<_>>());
        assert_eq!(sniff(input), Format::Vmallocinfo);
    }
}

#[test]
fn allocator_states() {
    for (input, n_nodes, n_pools) in [(data!("allocator-state"), Some(2), 2), (data!("allocator-state-5.10"), None, 0)]
    {
        let (state, problems) = allocator_state::parse(input);
        assert_eq!((state.nr_vmap_nodes, state.pools.len(), problems), (n_nodes, n_pools, vec![]));
        assert!(!state.free.is_empty() && !state.busy.is_empty());
        assert_eq!(sniff(input), Format::AllocatorState);
    }
}
