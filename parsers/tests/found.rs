//! What fuzzing has found stays mended: any cutting into windows gives what the whole gives, in every form; a row of
//! vmallocinfo is exact only if nothing of it is missing.

#[path = "support/windows.rs"]
mod windows;

use parsers::stream::{self, Form};
use parsers::vmallocinfo::{self, Area, Confidence};
use parsers::{ProblemKind, dmesg, ftrace, perf, report};
use windows::{in_windows, whole};

const FOUND: [(&str, &[u8]); 6] = [
    ("ftrace-1", include_bytes!("data/found/ftrace-1")),
    ("ftrace-2", include_bytes!("data/found/ftrace-2")),
    ("ftrace-3", include_bytes!("data/found/ftrace-3")),
    ("perf-trace-1", include_bytes!("data/found/perf-trace-1")),
    ("perf-script-1", include_bytes!("data/found/perf-script-1")),
    ("perf-script-2", include_bytes!("data/found/perf-script-2")),
];

fn check<F: Form + Default>(name: &str, text: &[u8]) {
    let want = whole(F::default(), text);
    for size in [1, 61, 65, 257, 1024, 4096] {
        assert_eq!(in_windows(F::default(), text, size), want, "{name}, windows of {size}");
    }
}

/// What a reader of the whole text says of it.
fn read(text: &[u8]) -> windows::Told {
    let mut reader = ftrace::Reader::new(text);
    (reader.by_ref().map(|record| format!("{record:?}")).collect(), reader.into_parts().1)
}

#[test]
fn cutting_changes_nothing() {
    for (name, text) in FOUND {
        assert_eq!(whole(ftrace::Trace::default(), text), read(text), "{name}, one window");
        check::<ftrace::Trace>(name, text);
        check::<perf::Script>(name, text);
        check::<perf::Trace>(name, text);
        check::<report::Report>(name, text);
        check::<dmesg::Log>(name, text);
    }
}

/// A frame's padding and a number of a thread look alike; so do a frame's arrow and a task's name.
#[test]
fn the_event_after_a_chain_is_no_frame() {
    let script = "  153     9.000001: 7cf1b00000000000\n  153     9.000002:        vmalloc:free_vmap_area_noflush: va_start=0xff57cf1b00444000 nr_lazy=60 nr_lazy_max=16384\n";
    check::<perf::Script>("perf script", script.as_bytes());
    assert_eq!(whole(perf::Script::default(), script.as_bytes()).0.len(), 1);
    let task = "=> abcdefghijkl";
    let event = "free_vmap_area_noflush: va_start=0xff57cf1b00444000 nr_lazy=60 nr_lazy_max=16384";
    for cpu in ["[001] ", "[001] ....."] {
        for stack in ["kernel_stack:         <stack trace >", "user_stack:           <user stack trace>"] {
            // The name of a file or an instance may stand first, and look like that as well.
            for name in ["", "=> x.dat: ", " => i: "] {
                let text = format!(
                    "cpus=2\n{name}          vmwork-820   {cpu}   13.637318: {stack}\n => alloc_vmap_area (ffffffff981a176c)\n{name}{task:>16}-1036  {cpu}   13.637319: {event}\n"
                );
                check::<report::Report>("report", text.as_bytes());
                let (records, problems) = whole(report::Report::default(), text.as_bytes());
                assert_eq!((records.len(), problems), (2, Vec::new()), "{text}{records:#?}");
            }
        }
    }
}

/// Line and confidence of every row.
type Rows<'a> = &'a [(u32, Confidence)];

const ROWS: [(&str, &[u8], Rows<'_>); 3] = [
    ("vmallocinfo-1", include_bytes!("data/found/vmallocinfo-1"), &[(3, Confidence::Repaired)]),
    (
        "vmallocinfo-2",
        include_bytes!("data/found/vmallocinfo-2"),
        &[(1, Confidence::Repaired), (3, Confidence::Repaired), (5, Confidence::Repaired)],
    ),
    (
        "vmallocinfo-3",
        include_bytes!("data/found/vmallocinfo-3"),
        &[(1, Confidence::Repaired), (4, Confidence::Repaired), (7, Confidence::Exact)],
    ),
];

/// The head of a row, above a line that cannot be read, is not what the kernel printed.
#[test]
fn a_row_whose_rest_is_lost_is_not_exact() {
    for (name, text, want) in ROWS {
        let snapshot = vmallocinfo::parse(text);
        let got: Vec<_> = snapshot.areas.iter().map(|area| (area.line, area.confidence)).collect();
        assert_eq!(got, want, "{name}");
        for (line, _) in got.iter().filter(|(_, confidence)| *confidence == Confidence::Repaired) {
            assert!(snapshot.problems.iter().any(|problem| problem.line.abs_diff(*line) <= 2), "{name}, {line}");
        }
    }
    let cut = vmallocinfo::parse(ROWS[0].1);
    assert!(cut.problems.iter().any(|problem| (problem.line, &problem.kind) == (3, &ProblemKind::RowCut)), "{cut:?}");
}

/// What an exact row prints is read as the same row, if its line ends: a number without anything behind it may be cut.
#[test]
fn exact_rows_are_what_they_print() {
    for (name, text, _) in ROWS {
        for area in vmallocinfo::parse(text).areas.iter().filter(|area| area.confidence == Confidence::Exact) {
            let line = format!("{area}\n");
            let again = vmallocinfo::parse(line.as_bytes());
            assert_eq!(again.areas, [Area { line: 1, offset: 0, ..area.clone() }], "{name}");
        }
    }
}

/// Where a row's last number may go on in a line that cannot be read, nobody knows it.
#[test]
fn a_number_that_may_go_on_is_not_believed() {
    let head = "0x0000000000000000-0x0000000000000000 ";
    for (text, sizes) in [
        ("2097152\n0 kernel_clone+0xc2/0x430 pag\u{1}\u{1}\u{1}9 v\u{1}\u{1}loc\n", &[][..]),
        ("2097152\n kernel_clone+0xc2/0x430 pag\u{1}\u{1}\u{1}9 v\u{1}\u{1}loc\n", &[2_097_152][..]),
        ("2097152\n\nThat was all.\n", &[2_097_152]),
        ("2097152", &[]),
        ("2097152\n", &[2_097_152]),
    ] {
        let text = format!("{head}{text}");
        let snapshot = vmallocinfo::parse(text.as_bytes());
        let got: Vec<_> = snapshot.areas.iter().map(|area| area.size).collect();
        assert_eq!(got, sizes, "{text:?} {:?}", snapshot.problems);
    }
}

#[test]
fn a_name_that_looks_like_a_header() {
    let event = "free_vmap_area_noflush: va_start=0xff57cf1b00444000 nr_lazy=60 nr_lazy_max=16384";
    for (name, line) in [
        ("#nl\nevil", "-0         0d..2.    0us*: "),
        ("      #nl\nevil-7", "-0       [000] .....     0.000001: "),
        ("#nl\nevil-7-abcde", "-0       [000] .....     0.000001: "),
    ] {
        for header in ["", "# tracer: nop\n#\n"] {
            let text = format!("{header}{name}{line}{event}\n");
            let (records, problems) = read(text.as_bytes());
            assert_eq!((records.len(), problems), (1, Vec::new()), "{text}");
            check::<ftrace::Trace>("ftrace", text.as_bytes());
        }
    }
}

/// Lines of a megabyte in which every few bytes could be the place to split: what is read once for each of them would
/// take minutes. The clock is not asked; whoever waits knows.
#[test]
fn lines_with_a_million_places_to_split() {
    let lines = [
        (":", ""),
        ("x:y(", ""),
        ("{\"a\":", ""),
        ("(", "     1.000 a/1 x:y("),
        ("x:y(", "     1.000 a/1 "),
        ("x:y: ", "                    "),
    ];
    for (piece, head) in lines {
        let mut text = head.as_bytes().to_vec();
        text.extend(piece.bytes().cycle().take(stream::MAX_LINE - head.len()));
        text.push(b'\n');
        for (records, problems) in [whole(perf::Script::default(), &text), whole(perf::Trace::default(), &text)] {
            assert!(records.len() + problems.len() <= 1, "{piece:?}: {} {}", records.len(), problems.len());
        }
    }
}

/// A freed area has no descriptor that could tell of pages: such a row is put together from two.
#[test]
fn what_has_no_descriptor_tells_no_pages() {
    let tails = ["84 pages=320480 unpurged vm_area", "20480 pages=4 vm_map_ram", "20480 vmalloc unpurged vm_area"];
    for tail in tails.into_iter().chain(["20480 work+0x664/0x60480 unpurged vm_area"]) {
        let text = format!("0xffffd416405e0000-0xffffd416405e5000   {tail}\n");
        let read = vmallocinfo::parse(text.as_bytes());
        assert!(read.areas.iter().all(|area| area.confidence == Confidence::Repaired), "{tail}: {:?}", read.areas);
        let is_told = |kind: &ProblemKind| matches!(kind, ProblemKind::ImpossibleRow(_) | ProblemKind::TextAfterRow);
        assert!(read.problems.iter().any(|problem| is_told(&problem.kind)), "{tail}: {:?}", read.problems);
    }
}
