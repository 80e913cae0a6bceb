//! Damaged recordings: nothing panics, nothing grows without bound, and damage in one place spoils only that.

use std::fs;
use std::path::Path;

use parsers::ProblemKind;
use parsers::record::{Alloc, Body, Free, Purge, Record, Stamp};
use parsers::trace_dat::{DatDamage, Method, NoUnpack, RawPages, ReadAt, Refusal, TraceDat, count};
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

const SHAPE: Shape = Shape {
    version: 6,
    is_big: false,
    long: 8,
    stride: 4096,
    method: None,
    n_chunk_pages: 1,
    is_real_time: false,
    first_id: 300,
};

/// `n` allocations on each of two CPUs, one each microsecond.
fn file(shape: Shape, n: u64) -> Vec<u8> {
    let mut rings = vec![Ring::default(), Ring::default()];
    let mut payload = Vec::new();
    for at in 0..n {
        for (cpu, ring) in rings.iter_mut().enumerate() {
            let alloc = Alloc { va_start: at, size: cpu as u64, align: 1, vstart: 0, vend: 1, failed: false };
            let event = Event { stamp: 1000 * at, pid: 1, flags: 0, preempt: 0, said: Said::Alloc(alloc) };
            shape.payload(&event, &mut payload);
            ring.push(&shape, event.stamp, &payload, Time::Delta, false);
        }
    }
    for ring in &mut rings {
        ring.finish(&shape);
    }
    let free = Free { va_start: 1, nr_lazy: 2, nr_lazy_max: 3 };
    let purge = Purge { start: 1, end: 2, num_purged: 3 };
    let others = [Said::Marker("mark".into()), Said::Stack(vec![0x1000, 0x2000]), Said::Free(free), Said::Purge(purge)];
    let mut instance = vec![Ring::default(), Ring::default()];
    for (stamp, said) in (5..).zip(others) {
        let event = Event { stamp, pid: 1, flags: 0, preempt: 0, said };
        shape.payload(&event, &mut payload);
        instance[0].push(&shape, event.stamp, &payload, Time::Absolute, true);
        instance[0].discard(&shape, 3);
        instance[0].begin(&shape, event.stamp, Some(Lost(Some(9))));
    }
    for ring in &mut instance {
        ring.finish(&shape);
    }
    File { shape, instances: vec![("", rings), ("other", instance)], saved_cmdlines: b"1 init\n" }.to_vec()
}

/// Addresses by CPU, CPUs and counts of lost events, problems.
type Found = ([Vec<u64>; 2], Vec<(u16, Option<u64>)>, Vec<ProblemKind>);

fn read(file: &Vec<u8>) -> Found {
    let unpacker = unpack::Unpacker::default();
    let mut dat = TraceDat::open(file, &unpacker).expect("a trace.dat");
    let mut addresses = [Vec::new(), Vec::new()];
    let mut lost = Vec::new();
    dat.records(|record, instance| match record.body {
        Body::Alloc(alloc) => addresses[alloc.size as usize].push(alloc.va_start),
        Body::Lost { cpu, count } if instance == 0 => lost.push((cpu.expect("a CPU"), count)),
        _ => {}
    });
    let kinds = dat.into_parts().1.into_iter().map(|problem| problem.kind).collect();
    (addresses, lost, kinds)
}

/// Where the pages of a version 6 file begin: two CPUs with equally many pages, then some pages of the instance.
fn pages_at(file: &[u8]) -> usize {
    let n = file.len() / 4096 - 1;
    let is_page = |at: &usize| file[at * 4096..at * 4096 + 8] == [0; 8] && file[at * 4096 + 8..][..8] != [0; 8];
    (0..n).find(is_page).expect("pages") * 4096
}

#[test]
fn a_broken_page_costs_only_itself() {
    let mut file = file(SHAPE, 300);
    let at = pages_at(&file) + 4096;
    file[at + 8..at + 12].copy_from_slice(&0x07ff_ffff_u32.to_le_bytes());
    let (addresses, lost, problems) = read(&file);
    assert_eq!(problems, [ProblemKind::Dat(DatDamage::Page)]);
    assert_eq!(addresses[1], (0..300).collect::<Vec<_>>(), "the other CPU is whole");
    let n_page = 300 - addresses[0].len();
    assert!((50..80).contains(&n_page), "{n_page}");
    assert_eq!(addresses[0].last(), Some(&299));
    assert_eq!(lost, [(0, None)], "what is missing is told");
}

#[test]
fn an_event_over_the_end_costs_the_rest_of_its_page() {
    let mut file = file(SHAPE, 300);
    let at = pages_at(&file) + 4096 + 16 + 10 * 56;
    file[at..at + 8].copy_from_slice(&[0, 0, 0, 0, 0xff, 0xff, 0, 0]);
    let (addresses, lost, problems) = read(&file);
    assert_eq!(problems, [ProblemKind::Dat(DatDamage::Event)]);
    assert_eq!(addresses[1].len(), 300);
    assert!(addresses[0].len() < 300 && addresses[0].last() == Some(&299));
    assert_eq!(lost, [(0, None)]);
}

#[test]
fn a_file_that_was_cut_gives_what_is_there() {
    let whole = file(SHAPE, 300);
    let mut cut = whole.clone();
    cut.truncate(pages_at(&whole) + 4096 + 2000);
    let (addresses, _, problems) = read(&cut);
    assert!((90..110).contains(&addresses[0].len()), "{}", addresses[0].len());
    assert_eq!(addresses[1], []);
    assert!(problems.contains(&ProblemKind::Dat(DatDamage::CutPages)), "{problems:?}");
}

#[test]
fn a_broken_piece_costs_only_itself() {
    for method in [Method::Zstd, Method::Zlib] {
        let file = file(Shape { version: 7, method: Some(method), ..SHAPE }, 1000);
        let (whole, _, problems) = read(&file);
        assert_eq!((whole[0].len(), whole[1].len(), problems), (1000, 1000, vec![]));
        // CPU 0 comes first, behind the tables and the section's header: a count of pieces, then each with its sizes.
        let mut spoilt = file.clone();
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four")) as usize;
        let second = 2 * 4096 + 4 + 8 + word(2 * 4096 + 4);
        spoilt[second + 8..second + 8 + word(second)].fill(0x11);
        let (addresses, lost, problems) = read(&spoilt);
        assert_eq!(addresses[1].len(), 1000, "{method:?}");
        assert!((800..1000).contains(&addresses[0].len()), "{method:?}: {}", addresses[0].len());
        assert!(matches!(problems[..], [ProblemKind::Dat(DatDamage::Chunk(_))]), "{method:?}: {problems:?}");
        assert_eq!(lost, [(0, None)]);
    }
}

#[test]
fn what_is_no_trace_dat_is_refused_with_a_reason() {
    let refusal = |bytes: &[u8]| count(bytes, &NoUnpack).expect_err("refused");
    assert_eq!(refusal(b""), Refusal::NotTraceDat);
    assert_eq!(refusal(b"# tracer: nop\n"), Refusal::NotTraceDat);
    assert_eq!(refusal(b"\x17\x08\x44tracing5\0"), Refusal::Version("5".to_owned()));
    let unfinished = b"\x17\x08\x44tracing7\0\0\x08\0\x10\0\0zstd\x001.5\0\0\0\0\0\0\0\0\0";
    assert_eq!(refusal(unfinished), Refusal::Unfinished);
    let lzma = b"\x17\x08\x44tracing7\0\0\x08\0\x10\0\0lzma\x001.5\0\0\0\0\0\0\0\0\0";
    assert_eq!(refusal(lzma), Refusal::Compression("lzma".to_owned()));
    let file = file(SHAPE, 3);
    assert!(matches!(refusal(&file[..500]), Refusal::Broken(_, _)));
}

#[test]
fn options_that_form_a_loop_end() {
    let mut file = file(Shape { version: 7, ..SHAPE }, 3);
    // "none\0\0", then the offset of the first options, whose last one points to the next block.
    let first = u64::from_le_bytes(file[24..32].try_into().expect("eight"));
    let size = u64::from_le_bytes(file[first as usize + 8..][..8].try_into().expect("eight"));
    let next = (first + 16 + size - 8) as usize;
    file[next..next + 8].copy_from_slice(&first.to_le_bytes());
    let (_, _, problems) = read(&file);
    assert_eq!(problems, [ProblemKind::Dat(DatDamage::OptionChain)]);
}

#[test]
fn pages_left_by_a_killed_recorder_are_read_with_the_formats_of_its_file() {
    let whole = file(SHAPE, 100);
    let at = pages_at(&whole);
    let pages = whole[at..at + 2 * 4096].to_vec();
    let mut unfinished = whole.clone();
    let table = whole.windows(10).rposition(|word| word == b"flyrecord\0").expect("a table");
    let first = whole.windows(10).position(|word| word == b"flyrecord\0").expect("a table");
    for table in [first, table] {
        unfinished[table + 10..table + 10 + 32].fill(0);
    }
    let mut dat = TraceDat::open(&unfinished, &NoUnpack).expect("a trace.dat");
    assert!(dat.facts().is_unfinished);
    dat.add_pages(3, &pages);
    let mut n = 0;
    dat.records(|record, _| {
        assert_eq!(record.prefix.as_ref().and_then(|prefix| prefix.cpu), Some(3));
        n += 1;
    });
    assert_eq!(n, 100);
}

/// Seeds of every kind.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        file(SHAPE, 100),
        file(Shape { is_big: true, long: 4, is_real_time: true, ..SHAPE }, 100),
        file(Shape { version: 7, method: Some(Method::Zstd), ..SHAPE }, 100),
        file(Shape { version: 7, method: Some(Method::Zlib), is_big: true, stride: 8192, ..SHAPE }, 100),
        file(Shape { version: 7, ..SHAPE }, 100),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dat");
    for name in ["d6inst.dat.zst", "d7none.dat.zst", "trace.record.dat.zst"] {
        let bytes = fs::read(folder.join(name)).expect("readable");
        seeds.push(zstd::decode_all(bytes.as_slice()).expect("a zstd file"));
    }
    seeds
}

/// One change of a file.
#[derive(Debug, Clone)]
enum Change {
    Byte(usize, u8),
    Word(usize, u32),
    Cut(usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let word = prop_oneof![Just(0), Just(u32::MAX), Just(0x8000_0000), Just(0x7fff_ffff), 0..100_000_u32, any::<u32>()];
    prop_oneof![
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        4 => (any::<usize>(), word).prop_map(|(at, word)| Change::Word(at, word)),
        1 => any::<usize>().prop_map(Change::Cut),
        1 => (any::<usize>(), 1..5000_usize).prop_map(|(at, n)| Change::Remove(at, n)),
        1 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..50)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ]
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    let len = file.len().max(1);
    // Half of the changes go to the first pages' worth of tables, where little is text.
    let place = |at: usize| if at.is_multiple_of(2) { at / 2 % len } else { at / 2 % len.min(600) };
    match change {
        Change::Byte(at, byte) => file.iter_mut().skip(place(*at)).take(1).for_each(|b| *b = *byte),
        Change::Word(at, word) => {
            file.iter_mut().skip(place(*at)).zip(word.to_le_bytes()).for_each(|(byte, new)| *byte = new);
        }
        Change::Cut(at) => file.truncate(at % len),
        Change::Remove(at, n) => {
            let at = place(*at).min(file.len());
            file.drain(at..file.len().min(at + n));
        }
        Change::Insert(at, bytes) => {
            let at = place(*at).min(file.len());
            file.splice(at..at, bytes.iter().copied());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damage_never_panics(seed in 0..8_usize, changes in prop::collection::vec(change(), 1..12)) {
        thread_local!(static SEEDS: Vec<Vec<u8>> = seeds());
        let mut file = SEEDS.with(|seeds| seeds[seed].clone());
        for change in &changes {
            apply(&mut file, change);
        }
        let unpacker = unpack::Unpacker::default();
        // No event is shorter than four bytes, and none is handed out twice.
        if let Ok((n_records, n_problems)) = count(&file, &unpacker) {
            prop_assert!(n_records <= (file.len() as u64) * 64);
            prop_assert!(n_problems <= parsers::problem::MAX_PROBLEMS + 1);
        }
    }

    #[test]
    fn any_bytes_are_some_pages(
        mut bytes in prop::collection::vec(any::<u8>(), 0..20_000),
        used in 0..4080_u16,
        is_big in any::<bool>(),
    ) {
        for page in bytes.chunks_mut(4096).filter(|page| 16 < page.len()) {
            page[8..16].fill(0);
            let word = if is_big { u64::from(used).to_be_bytes() } else { u64::from(used).to_le_bytes() };
            page[8..16].copy_from_slice(&word);
        }
        let header_page = b"\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
            \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\
            \tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";
        let cpus: [(u16, &dyn ReadAt); 1] = [(0, &bytes)];
        let pages = RawPages { is_big_endian: Some(is_big), ..RawPages::new(header_page, &[], &cpus) };
        let mut dat = TraceDat::from_pages(&pages).expect("a layout");
        let check = |record: &Record<'_>| match &record.prefix {
            Some(prefix) => matches!(prefix.stamp, Stamp::Nanos(_)),
            None => matches!(record.body, Body::Lost { .. }),
        };
        dat.records(|record, _| assert!(check(record)));
    }
}
