//! Recordings of real kernels: the same records as `trace-cmd report -t`, and as the text of the same buffer.

#![expect(clippy::panic, reason = "a test that meets something else has failed")]

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use parsers::ftrace::probe::{Probed, recognise};
use parsers::record::{Body, Frame, Prefix, Record, Stamp};
use parsers::trace_dat::{DatDamage, RawPages, ReadAt, TraceDat};
use parsers::{Problem, ProblemKind};

#[path = "support/report.rs"]
mod report;
#[path = "support/unpack.rs"]
mod unpack;

use report::Line;

/// Files of `data/dat`; more can be tried by pointing `DAT_SAMPLES` at a folder with files named alike.
fn folder() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dat");
    std::env::var_os("DAT_SAMPLES").map_or_else(own, PathBuf::from)
}

fn load(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_some_and(|extension| extension == "zst") {
        return zstd::decode_all(bytes.as_slice()).expect("a zstd file");
    }
    bytes
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One record as the report would have it.
fn line(record: &Record<'_>, instance: &str) -> Line {
    let mut line = Line { instance: instance.to_owned(), ..Line::default() };
    if let Some(prefix) = &record.prefix {
        line.comm = text(prefix.comm);
        (line.pid, line.cpu) = (prefix.pid, prefix.cpu.expect("a CPU"));
        line.stamp = match prefix.stamp {
            Stamp::Nanos(ns) => format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000),
            Stamp::Ticks(ticks) => ticks.to_string(),
            other => panic!("{other:?}"),
        };
    }
    match &record.body {
        Body::Alloc(a) => {
            line.name = "alloc_vmap_area".into();
            line.args = format!(
                "va_start: {} size={} align={} vstart=0x{:x} vend=0x{:x} failed={}",
                a.va_start,
                a.size,
                a.align,
                a.vstart,
                a.vend,
                u8::from(a.failed)
            );
        }
        Body::Free(f) => {
            line.name = "free_vmap_area_noflush".into();
            line.args = format!("va_start=0x{:x} nr_lazy={} nr_lazy_max={}", f.va_start, f.nr_lazy, f.nr_lazy_max);
        }
        Body::Purge(p) => {
            line.name = "purge_vmap_area_lazy".into();
            line.args = format!("start=0x{:x} end=0x{:x} num_purged={}", p.start, p.end, p.num_purged);
        }
        Body::Marker(marker) => {
            line.name = "print".into();
            line.args = format!("tracing_mark_write: {}", text(marker));
        }
        Body::Stack(frames) => {
            line.name = "kernel_stack".into();
            line.frames = frames.iter().map(report_frame).collect();
        }
        Body::Lost { cpu, count } => {
            line.cpu = cpu.expect("a CPU");
            line.name = "lost".into();
            line.args = count.map_or_else(String::new, |count| count.to_string());
        }
        Body::Other { name, .. } => line.name = text(name),
        other => panic!("{other:?}"),
    }
    line
}

fn report_frame(frame: &Frame<'_>) -> (String, u64) {
    (text(frame.symbol), frame.address.expect("an address"))
}

#[test]
fn the_same_records_as_the_report_of_trace_cmd() {
    let mut names: Vec<PathBuf> =
        fs::read_dir(folder()).expect("readable").map(|e| e.expect("an entry").path()).collect();
    names.retain(|path| path.to_string_lossy().contains(".dat"));
    names.sort();
    assert!(!names.is_empty());
    println!("file                       lines alloc  free purge stack other  lost  comms that only we know");
    for path in names {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let stem = name.trim_end_matches(".zst").trim_end_matches(".dat");
        let report = load(&path.with_file_name(format!("{stem}.report.zst")));
        let theirs = report::parse(&report);
        let input = load(&path);
        let unpacker = unpack::Unpacker::default();
        let mut dat = TraceDat::open(&input, &unpacker).expect("a trace.dat");
        let instances: Vec<String> = dat.facts().instances.iter().map(|instance| text(&instance.name)).collect();
        let mut ours = Vec::new();
        dat.records(|record, instance| ours.push(line(record, &instances[instance])));
        assert_eq!(dat.problems(), [], "{name}");
        let mut n_comms = 0;
        for (at, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let mut wanted = theirs.clone();
            // trace-cmd 3.1.6 stops reading names at the first one with a newline.
            if wanted.comm == "<...>" && ours.comm != "<...>" {
                n_comms += 1;
                wanted.comm.clone_from(&ours.comm);
            }
            // Of events that are none of ours only the name is compared: they are printed in many ways.
            if !report::is_compared(&wanted.name) {
                wanted.args.clone_from(&ours.args);
            }
            assert_eq!(ours, &wanted, "{name}: record {at}");
        }
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let count = |name: &str| ours.iter().filter(|line| line.name == name).count();
        let known = ["alloc_vmap_area", "free_vmap_area_noflush", "purge_vmap_area_lazy", "kernel_stack"].map(count);
        let lost = count("lost");
        let [alloc, free, purge, stack] = known;
        let other = ours.len() - known.iter().sum::<usize>() - lost;
        println!(
            "{name:<26} {:>5} {alloc:>5} {free:>5} {purge:>5} {stack:>5} {other:>5} {lost:>5}  {n_comms}",
            ours.len()
        );
    }
}

/// The record in a form that text of tracefs and binary pages share.
fn shared(record: &Record<'_>, flags: usize) -> String {
    let Some(Prefix { pid, cpu, flags: column, stamp, .. }) = &record.prefix else {
        return format!("{:?}", record.body);
    };
    let us = match stamp {
        Stamp::Nanos(ns) => (ns + 500) / 1000,
        other => panic!("{other:?}"),
    };
    let column = text(&column[..flags.min(<[u8]>::len(column))]);
    let body = match &record.body {
        Body::Stack(frames) => format!("stack of {}", frames.len()),
        // There is no kallsyms to name the places.
        Body::Probe { name, args, .. } => format!("{} {}", text(name), without_symbol(&text(args))),
        Body::Other { name, .. } => text(name),
        Body::Marker(marker) => format!("marker {}", text(marker)),
        other => format!("{other:?}"),
    };
    format!("{pid} {cpu:?} {column} {us} {body}")
}

/// The one argument of the samples that is printed as a symbol.
fn without_symbol(args: &str) -> String {
    let words = args.split(' ').filter(|word| !word.starts_with("g="));
    words.collect::<Vec<_>>().join(" ")
}

/// Everything of one folder of raw pages.
struct Folder {
    path: PathBuf,
    formats: Vec<Vec<u8>>,
    kallsyms: Vec<u8>,
    /// What the probes of the recording are recognised as.
    probes: RefCell<Vec<Option<Probed>>>,
    places: RefCell<Vec<String>>,
}

impl Folder {
    fn open(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/dat/pages").join(name);
        let names = fs::read_dir(&path).expect("readable").map(|entry| entry.expect("an entry").path());
        let is_format =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fmt."));
        let formats = names.filter(is_format).map(|path| load(&path)).collect();
        Self { path, formats, kallsyms: Vec::new(), probes: RefCell::default(), places: RefCell::default() }
    }

    fn load(&self, name: &str) -> Option<Vec<u8>> {
        let plain = self.path.join(name);
        let packed = self.path.join(format!("{name}.zst"));
        [plain, packed].into_iter().find(|path| path.exists()).map(|path| load(&path))
    }

    /// Reads a recording; hands out the records and the names of its tasks.
    fn records(&self, name: &str, header_page: &str, flags: usize) -> Vec<(String, String)> {
        let header_page = self.load(header_page).expect("a header_page");
        let formats: Vec<&[u8]> = self.formats.iter().map(Vec::as_slice).collect();
        let raw: Vec<(u16, Vec<u8>)> =
            (0..2).filter_map(|cpu| Some((cpu, self.load(&format!("{name}.raw{cpu}"))?))).collect();
        let cpus: Vec<(u16, &dyn ReadAt)> = raw.iter().map(|(cpu, bytes)| (*cpu, bytes as &dyn ReadAt)).collect();
        let saved_cmdlines = self.load("saved_cmdlines").unwrap_or_default();
        let kallsyms = &self.kallsyms;
        let pages =
            RawPages { saved_cmdlines: &saved_cmdlines, kallsyms, ..RawPages::new(&header_page, &formats, &cpus) };
        let mut dat = TraceDat::from_pages(&pages).expect("pages");
        let mut records = Vec::new();
        dat.records(|record, _| {
            let comm = record.prefix.as_ref().map(|prefix| text(prefix.comm)).unwrap_or_default();
            if let Body::Probe { at, args, .. } = record.body {
                self.probes.borrow_mut().push(recognise(at, args));
                self.places.borrow_mut().push(text(at));
            }
            records.push((comm, shared(record, flags)));
        });
        // Of one recording the format files of some foreign events were not kept.
        let is_expected =
            |problem: &Problem| matches!(problem.kind, ProblemKind::Dat(DatDamage::UnknownEvent(619..=627)));
        assert!(dat.problems().iter().all(is_expected), "{name}: {:?}", dat.problems());
        records
    }
}

#[test]
fn the_same_records_as_the_text_of_the_same_buffer() {
    println!("pages              records loss marks");
    for (folder, name, header_page, flags, only_cpu) in [
        ("amd64-510", "a", "header_page", 4, None),
        ("amd64-612", "a", "header_page", 5, None),
        ("amd64-612", "b", "header_page", 5, None),
        ("amd64-612", "c", "header_page", 5, None),
        ("amd64-612", "d", "header_page", 5, None),
        ("amd64-612", "e", "header_page.16k", 5, None),
        ("s390x", "a", "header_page", 5, None),
        // The pages of its CPU 0 were not kept.
        ("i386", "a", "header_page", 5, Some(1)),
        ("arm", "a", "header_page", 5, None),
        ("arm64", "a", "header_page", 5, None),
    ] {
        let files = Folder::open(folder);
        let ours = files.records(name, header_page, flags);
        let printed = files.load(&format!("{name}.text")).expect("the text");
        let mut theirs = Vec::new();
        for record in parsers::ftrace::Reader::new(&printed) {
            let prefix = record.prefix.clone();
            let is_wanted = |prefix: &Prefix<'_>| only_cpu.is_none() || prefix.cpu == only_cpu;
            if let Some(prefix) = prefix.filter(is_wanted) {
                theirs.push((text(prefix.comm), shared(&record, flags)));
            }
        }
        let n_lost = ours.iter().filter(|(_, record)| record.starts_with("Lost")).count();
        let events: Vec<_> = ours.iter().filter(|(_, record)| !record.starts_with("Lost")).collect();
        for ((our_comm, ours), (their_comm, theirs)) in events.iter().zip(&theirs) {
            match ours.strip_suffix("unknown_event") {
                Some(prefix) => assert!(theirs.starts_with(prefix), "{folder}/{name}: {ours} {theirs}"),
                None => assert_eq!(ours, theirs, "{folder}/{name}"),
            }
            assert!(our_comm == "<...>" || our_comm == their_comm, "{folder}/{name}: {our_comm} {their_comm}");
        }
        assert_eq!(events.len(), theirs.len(), "{folder}/{name}");
        println!("{:<18} {:>7} {n_lost:>10}", format!("{folder}/{name}"), events.len());
    }
}

#[test]
fn the_overrun_of_the_statistics_stands_on_the_page() {
    let files = Folder::open("amd64-612");
    let lost: Vec<String> = files.records("d", "header_page", 5).into_iter().map(|(_, record)| record).collect();
    assert!(lost.iter().any(|record| record == "Lost { cpu: Some(0), count: Some(2206) }"), "{:?}", lost.first());
}

#[test]
fn probes_are_recognised_with_the_symbols_of_their_kernel() {
    let mut files = Folder::open("amd64-510");
    files.records("a", "header_page", 4);
    let places = files.places.take();
    assert!(files.probes.take().iter().all(Option::is_none), "without symbols nobody knows what they are");
    // No kallsyms was kept; the addresses show where the functions are.
    let entry = places.iter().find(|place| !place.contains("<-")).expect("an entry");
    let (caller, function) = places.iter().find_map(|place| place.split_once(" <- ")).expect("a return");
    let address = |place: &str| u64::from_str_radix(place.trim_start_matches("0x"), 16).expect(place);
    assert_eq!(address(entry), address(function));
    let (begin, back) = (address(entry), address(caller) - 0xb2);
    let end = back + 0x160;
    // The two functions lie side by side there.
    assert_eq!(begin + 0x8f0, back);
    files.kallsyms =
        format!("{begin:016x} t alloc_vmap_area\n{back:016x} t __get_vm_area_node\n{end:016x} d data\n").into_bytes();
    files.records("a", "header_page", 4);
    let places = files.places.take();
    assert!(places.contains(&"alloc_vmap_area+0x0/0x8f0".to_owned()), "{places:?}");
    assert!(places.contains(&"__get_vm_area_node+0xb2/0x160 <- alloc_vmap_area".to_owned()), "{places:?}");
    let probes = files.probes.take();
    assert!(probes.iter().any(|probe| matches!(probe, Some(Probed::Return(_)))));
}
