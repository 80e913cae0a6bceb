//! Whatever happens to an input: no parser panics, and places stay inside it.

#[path = "support/seeds.rs"]
mod seeds;

use std::fmt::Write as _;

use parsers::ftrace::Reader;
use parsers::record::Frame;
use parsers::stream::{self, Form};
use parsers::vmallocinfo::{Area, Caller, Confidence, Flags, Nodes, State};
use parsers::{Problem, allocator_state, dmesg, listing, ops, sniff, vmallocinfo};
use proptest::prelude::*;

/// Besides the traces of every layout.
const OTHERS: &[&[u8]] = &[
    include_bytes!("data/vmallocinfo-real"),
    include_bytes!("data/vmallocinfo-hashed"),
    include_bytes!("data/vmallocinfo-words"),
    include_bytes!("data/allocator-state"),
    include_bytes!("data/dmesg/i386.txt"),
    include_bytes!("data/dmesg/arm-5.4.txt"),
    include_bytes!("data/listings/amlogic.txt"),
    include_bytes!("data/listings/crash.txt"),
    include_bytes!("data/listings/page-tables-others.txt"),
    b"# steps\nera 6.12\nrange 0x100000 0x140000\na 0 16384\na 2 4096 8192 - - 1\nf 0\nhash free\n",
    b"# Notes\n#> Before.\n#>\n#> More.\nera 6.12\n#> One.\n#@ show step tree\n#@ sub 2\n#@ at 0x100000\na 0 4096\n#> Two.\nf 0\n",
    b"       nl\nevil-7-188     [000] .....     5.590669: tracing_mark_write: two\nlines\n => x+0x1/0x2 [m] <ff>\n",
];

const SYMBOLS: &[&[u8]] = &[b"kernel_clone", b"_RNvCs_x", b"foo.part.0", b"__x64.isra.1"];
const MODULES: &[&[u8]] = &[b"ext4", b"nf_tables"];

/// Runs every parser and checks the places they name.
fn survive(input: &[u8]) {
    sniff::sniff(input);
    let mut reader = Reader::new(input);
    let mut last = None;
    for record in reader.by_ref() {
        check(input, record.line, record.offset);
        assert!(last < Some(record.offset), "records go forward");
        last = Some(record.offset);
    }
    let (_, problems) = reader.into_parts();
    check_all(input, &problems);
    let snapshot = vmallocinfo::parse(input);
    check_all(input, &snapshot.problems);
    for area in &snapshot.areas {
        check(input, area.line, area.offset);
        let _ = area.to_string();
    }
    for dialect in listing::Dialect::ALL {
        check_all(input, &listing::parse(dialect, input).problems);
    }
    let mut log = dmesg::Log::default();
    log.window(stream::Window::whole(input), &mut |record| check(input, record.line, record.offset));
    check_all(input, &log.finish().1);
    let script = ops::parse(input);
    check_all(input, &script.problems);
    let mut last = None;
    for note in &script.notes {
        assert!(
            last < Some(note.op) && note.op <= script.ops.len(),
            "notes stand in order, each at a place of its own"
        );
        assert!(!note.text.is_empty() && note.text.iter().all(|paragraph| !paragraph.is_empty()));
        assert!(note.sub != Some(0) && 0 < note.line);
        last = Some(note.op);
    }
    check_all(input, &allocator_state::parse(input).1);
}

fn check_all(input: &[u8], problems: &[Problem]) {
    for problem in problems {
        check(input, problem.line, problem.offset);
        let start = usize::try_from(problem.offset).expect("a place in memory");
        assert!(0 < problem.column && problem.column as usize <= input.len() - start + 1);
        assert!(!problem.kind.to_string().is_empty());
    }
}

/// Line and offset name the same start of a line.
fn check(input: &[u8], line: u32, offset: u64) {
    let before = input.get(..usize::try_from(offset).expect("a place in memory")).expect("a place in the input");
    assert_eq!(before.split(|b| *b == b'\n').count(), line as usize);
    assert!(before.is_empty() || before.ends_with(b"\n"));
}

/// A real text.
fn seed() -> impl Strategy<Value = &'static [u8]> {
    let all: Vec<&[u8]> = seeds::TRACES.into_iter().chain(OTHERS.iter().copied()).collect();
    prop::sample::select(all)
}

/// A real text with one to six small wounds.
fn wounded() -> impl Strategy<Value = Vec<u8>> {
    let wound = (0..5_u8, any::<prop::sample::Index>(), any::<u8>(), 1..40_usize);
    (seed(), prop::collection::vec(wound, 1..7)).prop_map(|(seed, wounds)| {
        let mut text = seed.to_vec();
        for (kind, place, byte, n) in wounds {
            let at = place.index(text.len() + 1);
            let end = (at + n).min(text.len());
            match kind {
                0 if at < text.len() => text[at] ^= byte.max(1),
                1 => text.insert(at, byte),
                2 => drop(text.drain(at..end)),
                3 => {
                    let piece = text[at..end].to_vec();
                    text.splice(at..at, piece);
                }
                _ => text.truncate(at.max(1)),
            }
        }
        text
    })
}

fn caller() -> impl Strategy<Value = Option<Caller<'static>>> {
    let symbol = prop::sample::select(SYMBOLS);
    let module = prop::option::of(prop::sample::select(MODULES));
    let known = (symbol, any::<u64>(), 1..u64::MAX, module).prop_map(|(symbol, offset, length, module)| Caller {
        symbol: symbol.into(),
        offset,
        length,
        module: module.map(Into::into),
    });
    let unknown = Just(Caller { symbol: b"0xffffffffc0a01234".as_slice().into(), offset: 0, length: 0, module: None });
    prop::option::of(prop_oneof![known, unknown])
}

/// Rows of kernels since 4.15.
fn area() -> impl Strategy<Value = Area<'static>> {
    let flags = prop::collection::vec(
        prop::sample::select(
            &[
                Flags::IOREMAP,
                Flags::SPARSE,
                Flags::VMALLOC,
                Flags::VMAP,
                Flags::USER,
                Flags::DMA_COHERENT,
                Flags::VPAGES,
            ][..],
        ),
        0..4,
    );
    let nodes = prop::collection::btree_map(any::<u16>(), 1..u64::MAX, 0..4);
    let state = prop_oneof![4 => Just(State::Busy), 1 => Just(State::VmMapRam), 1 => Just(State::Unpurged)];
    let columns = (any::<u64>(), any::<u32>(), any::<bool>(), any::<bool>());
    let tail = (caller(), prop::option::of(1..u64::MAX), prop::option::of(any::<u32>()), flags, nodes, state);
    (columns, tail).prop_map(|((start, size, narrow, unready), (caller, pages, phys, flags, nodes, state))| {
        let busy = state == State::Busy;
        let mask = if narrow { u64::from(u32::MAX) } else { u64::MAX };
        let start = if unready { 0 } else { start & mask };
        Area {
            line: 1,
            offset: 0,
            start,
            end: if unready { 0 } else { start.wrapping_add(u64::from(size)) & mask },
            size: u64::from(size),
            caller: caller.filter(|_| busy),
            pages: pages.filter(|_| busy),
            phys: phys.map(u64::from).filter(|_| busy),
            flags: if busy { flags.into_iter().fold(Flags::default(), Flags::with) } else { Flags::default() },
            foreign: Vec::new(),
            nodes: if busy { nodes.into_iter().collect() } else { Nodes::default() },
            state,
            confidence: Confidence::Exact,
            address_digits: if narrow { 8 } else { 16 },
            phys_digits: if busy && phys.is_some() { 16 } else { 0 },
            unready,
        }
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes(input in prop::collection::vec(any::<u8>(), 0..600)) {
        survive(&input);
    }

    #[test]
    fn bytes_that_the_grammars_are_made_of(input in "[ \n\r\0#=>0-9a-fx+./:()<>\\[\\]A-Z_-]{0,300}") {
        survive(input.as_bytes());
    }

    #[test]
    fn wounded_texts(input in wounded()) {
        survive(&input);
    }

    #[test]
    fn carriage_returns_do_not_change_the_number_of_records(seed in seed(), cut in any::<prop::sample::Index>()) {
        let head = &seed[..cut.index(seed.len() + 1)];
        let copied: Vec<u8> = head.iter().flat_map(|&b| if b == b'\n' { vec![b'\r', b'\n'] } else { vec![b] }).collect();
        prop_assert_eq!(Reader::new(head).count(), Reader::new(&copied).count());
        prop_assert_eq!(vmallocinfo::parse(head).areas.len(), vmallocinfo::parse(&copied).areas.len());
        prop_assert_eq!(ops::parse(head).ops, ops::parse(&copied).ops);
        prop_assert_eq!(ops::parse(head).notes, ops::parse(&copied).notes);
    }

    #[test]
    fn notes_are_comments_to_the_ops(seed in seed(), marks in prop::collection::vec(0..3_usize, 0..30)) {
        let mut told = Vec::new();
        let mut marks = marks.into_iter();
        for line in seed.split_inclusive(|b| *b == b'\n') {
            told.extend_from_slice([&b""[..], b"#> a word\n", b"#@ sub 1\n"][marks.next().unwrap_or(0)]);
            told.extend_from_slice(line);
        }
        let plain = |text: &[u8]| ops::parse(text).ops.into_iter().map(|line| line.op).collect::<Vec<_>>();
        prop_assert_eq!(plain(seed), plain(&told));
    }

    #[test]
    fn one_wrong_byte_costs_one_event_at_most(
        seed in 0..6_usize,
        place in any::<prop::sample::Index>(),
        byte in prop::char::range('!', '~'),
    ) {
        let seed = seeds::TRACES[seed];
        let mut text = seed.to_vec();
        let header: usize = seed.split_inclusive(|b| *b == b'\n').take_while(|l| l.starts_with(b"#")).map(<[u8]>::len).sum();
        let at = header + place.index(text.len() - header);
        // A wrong line end or the start of a comment makes other lines, which is not the damage meant here.
        prop_assume!(text[at] != b'\n' && byte != '#');
        text[at] = byte as u8;
        let mut reader = Reader::new(&text);
        let n = reader.by_ref().count();
        let n_problems = reader.problems().len();
        prop_assert!(n_problems <= 1, "{:?}", reader.problems());
        let line = text.split_inclusive(|b| *b == b'\n').scan(0, |end, l| { *end += l.len(); Some((*end, l)) }).find(|(end, _)| at < *end);
        prop_assert_eq!(n + n_problems, Reader::new(seed).count(), "{:?}", line.map(|(_, l)| String::from_utf8_lossy(l)));
    }

    #[test]
    fn printing_and_parsing_a_row_is_the_identity(area in area()) {
        let line = area.to_string() + "\n";
        let snapshot = vmallocinfo::parse(line.as_bytes());
        prop_assert_eq!(&snapshot.areas, &[area]);
    }

    #[test]
    fn every_frame_style_is_read_back(
        offset in prop::option::of((any::<u64>(), any::<u64>())),
        module in prop::option::of("[a-z_]{1,12}"),
        address in prop::option::of(any::<u64>()),
    ) {
        let mut text = String::from("            init-1       [000] .....    16.439857: <stack trace>\n => vmap_x");
        if let Some((offset, length)) = offset {
            write!(text, "+{offset:#x}/{length:#x}").expect("a string takes everything");
        }
        if let Some(module) = &module {
            write!(text, " [{module}]").expect("a string takes everything");
        }
        if let Some(address) = address {
            write!(text, " <{address:016x}>").expect("a string takes everything");
        }
        let want = Frame {
            symbol: b"vmap_x",
            offset: offset.map(|o| o.0),
            length: offset.map(|o| o.1),
            module: module.as_deref().map(str::as_bytes),
            address,
        };
        let record = Reader::new(text.as_bytes()).next().expect("a stack");
        prop_assert_eq!(record.body, parsers::record::Body::Stack(vec![want]));
    }
}
