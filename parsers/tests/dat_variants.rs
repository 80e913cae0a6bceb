//! Random events written in every variant of the format, read again: the same events in the same order.

use parsers::record::{Alloc, Body, Free, Purge, Record, Stamp};
use parsers::trace_dat::{Method, TraceDat};
use proptest::collection::vec;
use proptest::prelude::*;

#[path = "support/container.rs"]
mod container;
#[path = "support/ring.rs"]
mod ring;
#[path = "support/unpack.rs"]
mod unpack;
#[path = "support/write.rs"]
mod write;

use container::File;
use ring::{Lost, Ring, Time};
use write::{Event, Said, Shape};

/// What a ring is told to do.
#[derive(Debug, Clone)]
enum Step {
    Event { gap: u64, pid: i32, flags: u8, preempt: u8, said: Said, time: Time, with_length: bool },
    Page { lost: Option<Lost> },
    Discard(usize),
}

/// What is read back: instance, CPU, and what was said or lost.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Event(Event),
    Lost(Option<u64>),
}

type Row = (usize, u16, Told);

fn shape() -> impl Strategy<Value = Shape> {
    let method = prop_oneof![Just(None), Just(Some(Method::Zstd)), Just(Some(Method::Zlib))];
    let stride = prop_oneof![Just(4096_usize), Just(8192), Just(16384), Just(65536)];
    (6..8_u8, any::<bool>(), any::<bool>(), stride, method, 1..4_usize, any::<bool>(), 1..60_000_u16).prop_map(
        |(version, is_big, is_wide, stride, method, n_chunk_pages, is_real_time, first_id)| Shape {
            version,
            is_big,
            long: if is_wide { 8 } else { 4 },
            stride,
            method: method.filter(|_| version == 7),
            n_chunk_pages,
            is_real_time,
            first_id,
        },
    )
}

fn said() -> impl Strategy<Value = Said> {
    let number = prop_oneof![any::<u64>(), 0..100_000_u64];
    prop_oneof![
        4 => (number.clone(), number.clone(), number.clone(), any::<bool>()).prop_map(|(va_start, size, vstart, failed)| {
            Said::Alloc(Alloc { va_start, size, align: 4096, vstart, vend: u64::MAX, failed })
        }),
        3 => (number.clone(), number.clone()).prop_map(|(va_start, nr_lazy)| {
            Said::Free(Free { va_start, nr_lazy, nr_lazy_max: 16384 })
        }),
        2 => (number.clone(), any::<u32>()).prop_map(|(start, n)| {
            Said::Purge(Purge { start, end: 0, num_purged: u64::from(n) })
        }),
        1 => "[ -~\u{e4}]{0,300}".prop_map(Said::Marker),
        1 => vec(any::<u64>(), 0..40).prop_map(Said::Stack),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let gap = prop_oneof![4 => 0..5_u64, 4 => 0..1_000_000_u64, 1 => 0..(1_u64 << 40), 1 => Just((1_u64 << 27) - 1), 1 => Just(1_u64 << 27)];
    let time = prop_oneof![4 => Just(Time::Delta), 1 => Just(Time::Extend), 1 => Just(Time::Absolute)];
    let event = (gap, -1..2000_i32, any::<u8>(), any::<u8>(), said(), time, any::<bool>()).prop_map(
        |(gap, pid, flags, preempt, said, time, with_length)| Step::Event {
            gap,
            pid,
            flags,
            preempt,
            said,
            time,
            with_length,
        },
    );
    let lost = proptest::option::of(proptest::option::of(1..1_000_000_u64).prop_map(Lost));
    prop_oneof![
        20 => event,
        1 => lost.prop_map(|lost| Step::Page { lost }),
        1 => (1..20_usize).prop_map(Step::Discard),
    ]
}

/// Numbers of a machine whose `long` has 32 bits.
fn narrow(said: Said, long: usize) -> Said {
    let cut = |value: u64| if long == 4 { value & 0xffff_ffff } else { value };
    match said {
        Said::Alloc(a) => Said::Alloc(Alloc {
            va_start: cut(a.va_start),
            size: cut(a.size),
            align: cut(a.align),
            vstart: cut(a.vstart),
            vend: cut(a.vend),
            failed: a.failed,
        }),
        Said::Free(f) => {
            Said::Free(Free { va_start: cut(f.va_start), nr_lazy: cut(f.nr_lazy), nr_lazy_max: cut(f.nr_lazy_max) })
        }
        Said::Purge(p) => Said::Purge(Purge { start: cut(p.start), end: cut(p.end), num_purged: p.num_purged }),
        Said::Stack(frames) => Said::Stack(frames.into_iter().map(cut).collect()),
        marker @ Said::Marker(_) => marker,
    }
}

/// Fills a ring; hands out what it holds.
fn fill(shape: &Shape, start: u64, steps: &[Step]) -> (Ring, Vec<Told>) {
    let mut ring = Ring::default();
    let mut told = Vec::new();
    let mut stamp = start;
    let mut payload = Vec::new();
    for step in steps {
        match step {
            Step::Event { gap, pid, flags, preempt, said, time, with_length } => {
                stamp += gap;
                let said = narrow(said.clone(), shape.long);
                let event = Event { stamp, pid: *pid, flags: *flags, preempt: *preempt, said };
                shape.payload(&event, &mut payload);
                ring.push(shape, stamp, &payload, *time, *with_length);
                told.push(Told::Event(event));
            }
            Step::Page { lost } => {
                ring.begin(shape, stamp, *lost);
                told.extend(lost.map(|Lost(count)| Told::Lost(narrow_count(count, shape.long))));
            }
            Step::Discard(n_words) => ring.discard(shape, *n_words),
        }
    }
    ring.finish(shape);
    (ring, told)
}

fn narrow_count(count: Option<u64>, long: usize) -> Option<u64> {
    count.map(|count| if long == 4 { count & 0xffff_ffff } else { count })
}

/// Marks of several pages without an event between them are one mark, which counts if all of them do.
fn joined(told: Vec<Told>) -> Vec<Told> {
    let mut out: Vec<Told> = Vec::new();
    for one in told {
        match (out.last_mut(), one) {
            (Some(Told::Lost(before)), Told::Lost(count)) => *before = before.zip(count).map(|(a, b)| a + b),
            (_, one) => out.push(one),
        }
    }
    out
}

/// By stamp, then instance and CPU; in the order of a CPU; a mark goes with the event behind it.
fn merged(rings: Vec<(usize, u16, Vec<Told>)>) -> Vec<Row> {
    let mut keyed: Vec<((u64, usize, u16), Row)> = Vec::new();
    let mut trailing = Vec::new();
    for (instance, cpu, told) in rings {
        let told = joined(told);
        let stamp_at = |at: usize| {
            told[at..].iter().find_map(|told| match told {
                Told::Event(event) => Some(event.stamp),
                Told::Lost(_) => None,
            })
        };
        for (at, one) in told.iter().enumerate() {
            match stamp_at(at) {
                Some(stamp) => keyed.push(((stamp, instance, cpu), (instance, cpu, one.clone()))),
                None => trailing.push((instance, cpu, one.clone())),
            }
        }
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, row)| row).chain(trailing).collect()
}

/// A record as it was written; its flags column is checked by the reader's own tests.
#[expect(clippy::panic, reason = "a test that meets something else has failed")]
fn row(record: &Record<'_>, instance: usize) -> Row {
    if let Body::Lost { cpu, count } = record.body {
        return (instance, cpu.expect("a CPU"), Told::Lost(count));
    }
    let prefix = record.prefix.as_ref().expect("a prefix");
    let Stamp::Nanos(stamp) = prefix.stamp else { panic!("{:?}", prefix.stamp) };
    let said = match &record.body {
        Body::Alloc(alloc) => Said::Alloc(*alloc),
        Body::Free(free) => Said::Free(*free),
        Body::Purge(purge) => Said::Purge(*purge),
        Body::Marker(text) => Said::Marker(String::from_utf8_lossy(text).into_owned()),
        Body::Stack(frames) => Said::Stack(frames.iter().map(|frame| frame.address.expect("an address")).collect()),
        other => panic!("{other:?}"),
    };
    let comm = match prefix.pid {
        0 => &b"<idle>"[..],
        7 => b"a b-c [x] :1",
        9 => b"nl\nevil-7",
        _ => b"<...>",
    };
    assert_eq!(prefix.comm, comm);
    (instance, prefix.cpu.expect("a CPU"), Told::Event(Event { stamp, pid: prefix.pid, flags: 0, preempt: 0, said }))
}

fn without_flags(row: Row) -> Row {
    match row {
        (instance, cpu, Told::Event(event)) => (instance, cpu, Told::Event(Event { flags: 0, preempt: 0, ..event })),
        other => other,
    }
}

/// Instances with CPUs with steps, each CPU with its first stamp.
fn steps() -> impl Strategy<Value = Vec<Vec<(u64, Vec<Step>)>>> {
    (1..5_usize, 1..4_usize).prop_flat_map(|(n_cpus, n_instances)| {
        let start = prop_oneof![4 => 0..1000_u64, 1 => Just((1_u64 << 59) - 500), 1 => Just(5_u64 << 59)];
        vec(vec((start, vec(step(), 0..120)), n_cpus), n_instances)
    })
}

const NAMES: [&str; 3] = ["", "first", "second one"];
const CMDLINES: &[u8] = b"7 a b-c [x] :1\n9 nl\nevil-7\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read(shape in shape(), steps in steps()) {
        let mut instances = Vec::new();
        let mut told = Vec::new();
        for (instance, cpus) in steps.iter().enumerate() {
            let mut rings = Vec::new();
            for (cpu, (start, steps)) in cpus.iter().enumerate() {
                let (ring, one) = fill(&shape, *start, steps);
                rings.push(ring);
                told.push((instance, cpu as u16, one));
            }
            instances.push((NAMES[instance], rings));
        }
        let file = File { shape, instances, saved_cmdlines: CMDLINES }.to_vec();
        let unpacker = unpack::Unpacker::default();
        let mut dat = TraceDat::open(&file, &unpacker).expect("a trace.dat");
        let mut rows = Vec::new();
        dat.records(|record, instance| rows.push(row(record, instance)));
        let wanted: Vec<Row> = merged(told).into_iter().map(without_flags).collect();
        for (at, (read, wanted)) in rows.iter().zip(&wanted).enumerate() {
            prop_assert_eq!(read, wanted, "record {}", at);
        }
        prop_assert_eq!(rows.len(), wanted.len());
        prop_assert_eq!(dat.problems(), []);
        prop_assert_eq!(usize::from(dat.facts().long_bytes), shape.long);
        let names: Vec<_> = dat.facts().instances.iter().map(|i| String::from_utf8_lossy(&i.name).into_owned()).collect();
        prop_assert_eq!(names, &NAMES[..steps.len()]);
    }
}
