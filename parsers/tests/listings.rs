//! Listings that are not `/proc/vmallocinfo`: each dialect's fixture, damage, and rows printed from random areas.

use std::fmt::Write as _;

use parsers::listing::{Dialect, detect, parse};
use parsers::vmallocinfo::{Area, Confidence, Flags, Pointers, Snapshot, State};
use parsers::{ProblemKind, sniff};
use proptest::prelude::*;

const FIXTURES: [(&str, Dialect, usize); 10] = [
    (include_str!("data/listings/drgn.txt"), Dialect::Drgn, 6),
    (include_str!("data/listings/gdb.txt"), Dialect::Gdb, 4),
    (include_str!("data/listings/crash.txt"), Dialect::Crash, 3),
    (include_str!("data/listings/crash-old.txt"), Dialect::Crash, 2),
    (include_str!("data/listings/qualcomm.txt"), Dialect::Qualcomm, 2),
    (include_str!("data/listings/perl.txt"), Dialect::Perl, 3),
    (include_str!("data/listings/amlogic.txt"), Dialect::Amlogic, 3),
    (include_str!("data/listings/arm-oops.txt"), Dialect::ArmOops, 3),
    (include_str!("data/listings/page-tables-x86.txt"), Dialect::PageTables, 3),
    (include_str!("data/listings/page-tables-others.txt"), Dialect::PageTables, 6),
];

/// What a row says, without its place.
fn shown(area: &Area<'_>) -> String {
    let mut text = format!("{:x}-{:x} {}", area.start, area.end, area.size);
    if let Some(caller) = &area.caller {
        let _ = write!(text, " {}", String::from_utf8_lossy(caller.symbol));
        if caller.offset != 0 {
            let _ = write!(text, "+{:#x}/{:#x}", caller.offset, caller.length);
        }
        if let Some(module) = caller.module {
            let _ = write!(text, " [{}]", String::from_utf8_lossy(module));
        }
    }
    if let Some(pages) = area.pages {
        let _ = write!(text, " pages={pages}");
    }
    if let Some(phys) = area.phys {
        let _ = write!(text, " phys={phys:#x}");
    }
    for word in area.flags.names() {
        let _ = write!(text, " {word}");
    }
    for (node, pages) in &area.nodes {
        let _ = write!(text, " N{node}={pages}");
    }
    match area.state {
        State::Busy => {}
        State::VmMapRam => text += " vm_map_ram",
        State::Unpurged => text += " unpurged",
    }
    text
}

fn rows(snapshot: &Snapshot<'_>) -> Vec<String> {
    snapshot.areas.iter().map(shown).collect()
}

fn kinds(snapshot: &Snapshot<'_>) -> Vec<(u32, ProblemKind)> {
    snapshot.problems.iter().map(|problem| (problem.line, problem.kind.clone())).collect()
}

fn fixture(dialect: Dialect, n: usize) -> Snapshot<'static> {
    let of: Vec<_> = FIXTURES.into_iter().filter(|(_, known, _)| *known == dialect).collect();
    parse(dialect, of[n].0.as_bytes())
}

#[test]
fn every_fixture_is_recognised_and_read_whole() {
    for (text, dialect, n_rows) in FIXTURES {
        assert_eq!(detect(text.as_bytes()), Some(dialect), "{text}");
        assert_eq!(sniff::sniff(text.as_bytes()), sniff::Format::Listing(dialect), "{text}");
        let snapshot = parse(dialect, text.as_bytes());
        assert_eq!(snapshot.areas.len(), n_rows, "{text}{:#?}", snapshot.areas);
        assert_eq!(snapshot.pointers, Pointers::Real, "{}", dialect.title());
        let told = snapshot.areas.iter().filter(|area| area.start != area.end);
        assert!(told.clone().all(|area| area.confidence == Confidence::Exact), "{}", dialect.title());
        let lost: Vec<_> = kinds(&snapshot).into_iter().filter(|(_, kind)| *kind != ProblemKind::SizeUntold).collect();
        assert_eq!(lost, [], "{}", dialect.title());
    }
}

#[test]
fn debuggers_rows() {
    let drgn = rows(&fixture(Dialect::Drgn, 0));
    assert_eq!(drgn[0], "ffff800081230000-ffff800081235000 20480 start_kernel pages=4 vmalloc");
    assert_eq!(drgn[1], "ffff800081235000-ffff800081237000 8192 ioremap_prot phys=0x9050000 ioremap");
    assert_eq!(drgn[3], "ffff800081240000-ffff800081250000 65536 vm_map_ram");
    let big = "ffff800081400000-ffff8000c1402000 1073750016 load_module pages=262145 vmalloc vpages N0=262145";
    assert_eq!(drgn[5], big);
    let gdb = rows(&fixture(Dialect::Gdb, 0));
    assert_eq!(gdb[0], "ffff800081230000-ffff800081235000 20480 start_kernel+0x1d0/0x0 pages=4 vmalloc");
    assert_eq!(gdb[2], "ffff800081238000-ffff80008123b000 12288 init_IRQ pages=2 vmalloc");
    let crash = rows(&fixture(Dialect::Crash, 0));
    assert_eq!(crash[2], "ffffb1c240010000-ffffb1c240212000 2105344");
    assert_eq!(rows(&fixture(Dialect::Crash, 1)), ["c4802000-c4804000 8192", "c4804000-c4827000 143360"]);
    let qualcomm = [
        "ffffffc008010000-ffffffc008015000 20480 start_kernel+0x1f0/0x0 pages=4 vmalloc",
        "ffffffc008016000-ffffffc008018000 8192 of_iomap+0x60/0x90 phys=0x9050000 ioremap",
    ];
    assert_eq!(rows(&fixture(Dialect::Qualcomm, 0)), qualcomm);
    assert_eq!(rows(&fixture(Dialect::Perl, 0))[2], "ffffc90000020000-ffffc90000041000 135168 bpf_prog_alloc+0x5d/0x0");
}

#[test]
fn rows_in_logs() {
    let amlogic = rows(&fixture(Dialect::Amlogic, 0));
    assert_eq!(amlogic[1], "f0814000-f0855000 266240 snd_dma_alloc_pages");
    let oops = fixture(Dialect::ArmOops, 0);
    let want = [
        "f0bb6000-f0bb8000 8192 kernel_clone+0xc4/0x3b0 pages=2",
        "f0940000-f0940000 0 of_iomap+0x48/0x5c",
        "bf02c000-bf02d000 4096 load_module+0x8fc/0x2150 [foo] pages=1",
    ];
    assert_eq!(rows(&oops), want);
    assert_eq!(kinds(&oops), [(6, ProblemKind::SizeUntold)]);
    let whole = b"[ 1.0@3] dump_vmalloc, va:f114b000-f114d0";
    assert_eq!(kinds(&parse(Dialect::Amlogic, whole)), [(1, ProblemKind::BrokenRow)]);
}

#[test]
fn page_tables_of_every_architecture() {
    let x86 = ["ffffc90000000000-ffffc90000004000 16384", "ffffc90000005000-ffffc90000006000 4096"];
    let got = fixture(Dialect::PageTables, 0);
    assert_eq!(rows(&got)[..2], x86);
    assert_eq!(rows(&got)[2], "ffffc90000200000-ffffc90000600000 4194304");
    let want = [
        "ffff800009010000-ffff800009200000 2031616",
        "ffff800009200000-ffff800009400000 2097152",
        "ff20000000000000-ff20000000004000 16384 phys=0x81244000",
        "f0801000-f0802000 4096",
        "f0803000-f0805000 8192",
        "f1000000-f1010000 65536 phys=0x1a34000",
    ];
    assert_eq!(rows(&fixture(Dialect::PageTables, 1)), want);
}

#[test]
fn damage_is_told_and_the_row_kept() {
    let crash = "ffff91aa01153ec0  ffff91aa012529c0  ffffb1c240000000 - ffffb1c240005000    20480";
    for (dialect, text, want) in [
        (Dialect::Crash, format!("> {crash}"), ProblemKind::TextBeforeRow),
        (Dialect::Crash, crash.replace("20480", "24576"), ProblemKind::SizeMismatch),
        (Dialect::Crash, crash.replace("    20480", ""), ProblemKind::SizeComputed),
        (Dialect::Crash, format!("{crash} crash>"), ProblemKind::UnknownWord("crash>".into())),
        (Dialect::Crash, crash.replace("c240000000", "c24000"), ProblemKind::StartComputed),
        (Dialect::Crash, crash.replace("c240005000", "c24000"), ProblemKind::BrokenRow),
        (Dialect::Crash, "dear all".into(), ProblemKind::NotARow),
        (Dialect::Drgn, "| 0xf0812000-0xf0814000       8192 of_iomap ioremap".into(), ProblemKind::TextBeforeRow),
        (Dialect::Drgn, "f0812000-f0814000       8192 of_iomap ioremap".into(), ProblemKind::Respelt),
        (
            Dialect::Gdb,
            "0xf0812000-0xf0814000       8192 <of_iomap+96> new".into(),
            ProblemKind::UnknownWord("new".into()),
        ),
        (Dialect::Gdb, "0xf0812000-0xf0814000       81".into(), ProblemKind::SizeMismatch),
        (Dialect::Gdb, "0xf0812000-0xf0814000".into(), ProblemKind::SizeComputed),
        (Dialect::Gdb, "0xf0812000-0xf0811000       8192".into(), ProblemKind::BrokenRow),
        (Dialect::PageTables, "> 0xf0801000-0xf0802000 4K RW NX".into(), ProblemKind::TextBeforeRow),
        (Dialect::PageTables, "0xf0801000-0xf0802000 4".into(), ProblemKind::BrokenRow),
    ] {
        let snapshot = parse(dialect, text.as_bytes());
        assert_eq!(kinds(&snapshot), [(1, want.clone())], "{text}");
        assert_eq!(snapshot.areas.len(), usize::from(want.is_repair()), "{text}");
        let places = snapshot.areas.iter().map(|area| area.start);
        assert!(places.clone().all(|at| [0xffff_b1c2_4000_0000, 0xf081_2000, 0xf080_1000].contains(&at)), "{text}");
    }
}

#[test]
fn other_texts_are_no_listing() {
    for text in [
        include_str!("data/vmallocinfo-real"),
        include_str!("data/vmallocinfo-hashed"),
        include_str!("data/vmallocinfo-armhf"),
        include_str!("data/vmallocinfo-words"),
        include_str!("data/allocator-state"),
        include_str!("data/default.txt"),
        include_str!("data/kprobes-5.10.txt"),
        "0xc0000000-0xef800000 796917760 lowmem\n",
        "0xf8802000-0xf8804000    8192 0xbf00e11c ioremap\n",
        "ffffc90000000000 - ffffc90000005000   20480 foo_init+0x2b/0x110 [foo] pages=4 vmalloc\n",
    ] {
        assert_eq!(detect(text.as_bytes()), None, "{text}");
    }
}

/// One random area.
#[derive(Debug, Clone)]
struct Given {
    start: u64,
    pages: u64,
    symbol: &'static str,
    offset: u64,
    flag: (&'static str, Flags),
}

fn areas() -> impl Strategy<Value = Vec<Given>> {
    let symbol =
        prop::sample::select(vec!["kernel_clone", "_RNvCs_x", "foo.part.0", "bpf_prog_alloc_no_stats", "of_iomap"]);
    let flag = prop::sample::select(vec![
        ("vmalloc", Flags::VMALLOC),
        ("vmap", Flags::VMAP),
        ("ioremap", Flags::IOREMAP),
        ("user", Flags::USER),
        ("dma-coherent", Flags::DMA_COHERENT),
    ]);
    let area = (0..0x1_0000_u64, 1..0x4000_u64, symbol, 1..0x1000_u64, flag);
    prop::collection::vec(area, 1..20).prop_map(|all| {
        let mut at = 0xffff_c900_0000_0000_u64;
        let place = |(gap, pages, symbol, offset, flag): (u64, u64, _, _, _)| {
            let start = at + gap * 4096;
            at = start + pages * 4096;
            Given { start, pages, symbol, offset, flag }
        };
        all.into_iter().map(place).collect()
    })
}

/// The areas as a dialect prints them.
fn printed(dialect: Dialect, areas: &[Given]) -> String {
    let mut text = String::new();
    for (n, Given { start, pages, symbol, offset, flag }) in areas.iter().enumerate() {
        let (end, size, flag) = (start + pages * 4096, pages * 4096, flag.0);
        let line = match dialect {
            Dialect::Drgn => format!("0x{start:016x}-0x{end:016x} {size:10} {symbol} pages={pages} {flag}"),
            Dialect::Gdb => format!("0x{start:x}-0x{end:x} {size:10} <{symbol}+{offset}> pages={pages} {flag}"),
            Dialect::Crash => format!("ffff90ba{n:08x}  ffff90bb{n:08x}  {start:x} - {end:x}  {size:7}"),
            Dialect::Perl => format!("{start:016x} - {end:016x} {size:10} {symbol:>40}"),
            Dialect::Amlogic => {
                format!(
                    "[{n:5}.000001@1] dump_vmalloc, va:{start:x}-{end:x}, size:{:08} KB, alloc:{symbol}",
                    size / 1024
                )
            }
            Dialect::ArmOops => format!(
                "[{n:5}.000001] r{n} information: {pages}-page vmalloc region starting at 0x{start:x} allocated at {symbol}+{offset:#x}/0x2000"
            ),
            Dialect::Qualcomm => format!(
                "[{n}]vmap_area:0xffffff80{n:08x} range:[0x{start:x}-0x{end:x}] size:{:.2}KB flags:{flag} nr_pages:{pages} {symbol}+{offset}",
                size as f64 / 1024.0
            ),
            Dialect::PageTables => format!("0x{start:016x}-0x{end:016x} {:10}K     RW   GLB NX pte", size / 1024),
        };
        text += &line;
        text.push('\n');
    }
    text
}

proptest! {
    #[test]
    fn what_is_printed_is_read(areas in areas(), before in prop::sample::select(vec!["", "> ", "| "])) {
        for dialect in Dialect::ALL {
            let text: String = printed(dialect, &areas).lines().flat_map(|line| [before, line, "\n"]).collect();
            prop_assert_eq!(detect(text.as_bytes()), Some(dialect), "{}", text);
            let snapshot = parse(dialect, text.as_bytes());
            prop_assert_eq!(snapshot.areas.len(), areas.len(), "{}", text);
            prop_assert!(before.is_empty() || snapshot.problems.iter().all(|problem| problem.kind.is_repair()));
            prop_assert!(!before.is_empty() || snapshot.problems.is_empty(), "{}: {:?}", text, snapshot.problems);
            for (area, given) in snapshot.areas.iter().zip(&areas) {
                let end = given.start + given.pages * 4096;
                prop_assert_eq!((area.start, area.end, area.size), (given.start, end, given.pages * 4096));
                if dialect.tells_callers() {
                    prop_assert_eq!(area.caller.map(|caller| caller.symbol), Some(given.symbol.as_bytes()), "{}", text);
                }
                if matches!(dialect, Dialect::Gdb | Dialect::ArmOops | Dialect::Qualcomm) {
                    prop_assert_eq!(area.caller.map(|caller| caller.offset), Some(given.offset));
                }
                if matches!(dialect, Dialect::Drgn | Dialect::Gdb | Dialect::Qualcomm) {
                    prop_assert_eq!((area.flags, area.pages), (given.flag.1, Some(given.pages)));
                }
            }
        }
    }

    #[test]
    fn damaged_text_never_panics(
        n in 0..FIXTURES.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"0fx-~ \n.:[]<+/KMG,\xff".to_vec()), 0..3_u8), 0..40),
    ) {
        let mut text = FIXTURES[n].0.as_bytes().to_vec();
        for (at, byte, how) in edits {
            let at = at.index(text.len().max(1));
            match how {
                0 if at < text.len() => text[at] = byte,
                1 if at < text.len() => { text.remove(at); }
                _ => text.insert(at.min(text.len()), byte),
            }
        }
        let _ = (detect(&text), sniff::sniff(&text));
        for dialect in Dialect::ALL {
            let snapshot = parse(dialect, &text);
            for area in &snapshot.areas {
                prop_assert!(area.start <= area.end && area.start % 4096 == 0 && area.end % 4096 == 0);
                prop_assert!(0 < area.line && !area.to_string().is_empty());
            }
            for problem in &snapshot.problems {
                prop_assert!(usize::try_from(problem.offset).expect("in memory") < text.len() && 0 < problem.column);
            }
        }
    }
}
