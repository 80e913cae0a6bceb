//! Packed inputs: every packing gives what is in it, damage costs what is behind it and nothing else, and what no
//! recorder makes is refused in one line. More than 400 lines: one table of packings serves every test.

#[path = "common/packing.rs"]
mod packing;

use std::path::{Path, PathBuf};

use packing::{file, gz, tar, tar_header, tar_pax, trace, xz, zip, zst};
use parsers::ProblemKind;
use proptest::prelude::*;
use vmaplens::log::{Events, Log};
use vmaplens::source::{Input, Reading, SourceError, open_log};

const LINES: usize = 4000;

fn open(path: &Path) -> Result<Log, SourceError> {
    open_log(&Input::Path(path.to_owned()), &Reading::default())
}

fn read(name: &str, bytes: &[u8]) -> Result<Log, SourceError> {
    open(&file(name, bytes))
}

/// Problems of the packing alone.
fn flaws(log: &Log) -> Vec<String> {
    let of = |kind: &ProblemKind| if let ProblemKind::Container(what) = kind { Some(what.clone()) } else { None };
    log.problems.iter().filter_map(|found| Some(format!("{}: {}", found.file, of(&found.problem.kind)?))).collect()
}

#[track_caller]
fn refused(name: &str, bytes: &[u8], words: &str) {
    let error = read(name, bytes).map(|log| log.events.len()).expect_err("refused");
    let (said, hint) = (error.to_string(), error.hint());
    assert!(said.contains(words), "{name}: {said}");
    assert!(!said.contains('\n') && !hint.is_empty() && !hint.contains('\n'), "{name}: {said} / {hint}");
}

/// The same trace in every packing; no name says what it is.
fn packings(plain: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (head, tail) = plain.split_at(plain.len() / 3);
    let long = "a/".repeat(90) + "trace.txt";
    let skip = |n: u32| [&[0x5a, 0x2a, 0x4d, 0x18][..], &n.to_le_bytes(), &vec![7; n as usize]].concat();
    vec![
        ("plain", plain.to_vec()),
        ("gzip", gz(plain)),
        ("gzip members", [gz(head), gz(tail)].concat()),
        ("gzip padded", [gz(plain), vec![0; 512]].concat()),
        ("zstd", zst(plain)),
        ("zstd frames", [zst(head), skip(100), zst(tail), skip(3)].concat()),
        ("zstd skips first", [skip(9), zst(plain)].concat()),
        ("xz", xz(plain)),
        ("xz streams", [xz(head), vec![0; 8], xz(tail)].concat()),
        ("twice", gz(&zst(plain))),
        ("zip stored", zip(&[("trace.txt", plain)], false)),
        ("zip deflated", zip(&[("x/trace.txt", plain)], true)),
        ("zip of zstd", zip(&[("events.trace.zst", &zst(plain))], false)),
        ("zip of one file", zip(&[("some file", plain)], true)),
        ("tar", tar(&[("./trace.txt", plain)])),
        ("tar long name", tar(&[(&long, plain)])),
        ("tar pax", tar_pax(&[(&long, plain)])),
        ("tar.gz", gz(&tar(&[("trace.txt", plain)]))),
        ("tar.zst", zst(&tar(&[("trace.txt", plain)]))),
        ("tar.xz", xz(&tar(&[("trace.txt", plain)]))),
        ("tar.gz of xz", gz(&tar(&[("trace.txt.xz", &xz(plain))]))),
    ]
}

#[test]
fn every_packing_gives_what_is_in_it() {
    let plain = trace(LINES);
    let whole = read("plain-all", &plain).expect("a trace");
    assert_eq!(whole.events.len(), LINES);
    for (name, packed) in packings(&plain) {
        let log = read(&format!("all-{name}"), &packed).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(log.problems, [], "{name}");
        assert!(log.events == whole.events, "{name}");
    }
}

/// Damaged input: what is read is the beginning of what was packed, and either all of it or something is told.
#[track_caller]
fn check_damaged(name: &str, bytes: &[u8], whole: &Events) -> usize {
    match read(name, bytes) {
        Err(error) => {
            assert!(!error.hint().is_empty(), "{name}: {error}");
            0
        }
        Ok(log) => {
            // The last line may be cut in two; before it, all is as it was.
            let n = log.events.len();
            let told = !log.problems.is_empty();
            assert!(told || log.events == *whole, "{name}: {n} events and no word about the rest");
            n
        }
    }
}

#[test]
fn a_member_that_is_cut_before_its_first_line_is_told() {
    let packed = [
        ("trace.txt.zst", zst(&trace(LINES))),
        ("trace.txt.gz", gz(&trace(LINES))),
        ("trace.txt.xz", xz(&trace(LINES))),
    ];
    for (member, packed) in &packed {
        for n in [6, 12, 20, 40, 60] {
            let bytes = tar(&[("vmallocinfo.before", BEFORE), (member, &packed[..n])]);
            match read(&format!("cut-{member}-{n}.tar"), &bytes) {
                Ok(log) => assert!(!log.problems.is_empty(), "{member}, {n} bytes: no word about it"),
                Err(error) => assert!(!error.hint().is_empty(), "{member}, {n} bytes: {error}"),
            }
        }
    }
}

#[test]
fn a_cut_file_gives_what_is_before_the_cut() {
    let plain = trace(LINES);
    let whole = read("plain-cut", &plain).expect("a trace").events;
    for (name, packed) in packings(&plain).into_iter().skip(1) {
        let mut last = 0;
        for eighth in 1..8 {
            let cut = &packed[..packed.len() * eighth / 8];
            let file = format!("cut-{name}");
            let n = check_damaged(&file, cut, &whole);
            if let Ok(log) = read(&file, cut) {
                let same = n.saturating_sub(1).min(whole.len());
                assert!(log.events.range(..same).eq(whole.range(..same)), "{name} at {eighth}/8");
                assert!(n == whole.len() || !flaws(&log).is_empty(), "{name} at {eighth}/8: {:?}", log.problems);
            }
            assert!(last <= n, "{name}: {n} events with {eighth}/8, {last} with less");
            last = n;
        }
        // Block by block is all that zstd can do; the text is a block and a half.
        let least = if name.contains("zst") || name == "twice" { 0 } else { LINES / 2 };
        assert!(least < last || least == 0, "{name}: {last} events of 7/8");
    }
}

#[test]
fn a_flipped_bit_is_told_of() {
    let plain = trace(300);
    let whole = read("plain-flip", &plain).expect("a trace").events;
    for (name, packed) in packings(&plain).into_iter().skip(1) {
        // A tar has no checksum of what is in its members: what a flip does there is the parser's to tell.
        let is_checked = name != "tar" && name != "tar pax" && name != "tar long name";
        for n in 0..97 {
            let mut bytes = packed.clone();
            let at = bytes.len() * n / 97;
            bytes[at] ^= 1 << (n % 8);
            if is_checked {
                check_damaged(&format!("flip-{name}"), &bytes, &whole);
            } else {
                let _ = read(&format!("flip-{name}"), &bytes);
            }
        }
    }
}

const BEFORE: &[u8] = b"0xffffc90000000000-0xffffc90000005000   20480 f+0xf4/0x130 vmalloc\n";

#[test]
fn a_damaged_member_spoils_only_itself() {
    let plain = trace(50);
    let members: [(&str, &[u8]); 3] =
        [("vmallocinfo.before", BEFORE), ("trace.txt", &plain), ("vmallocinfo.after", BEFORE)];
    // The checksum of the first member, in its header and in the directory.
    let mut bytes = zip(&members, false);
    let crc = bytes[14..18].to_vec();
    let places: Vec<usize> = bytes.windows(4).enumerate().filter(|(_, four)| *four == crc).map(|(at, _)| at).collect();
    bytes[places[0]] ^= 1;
    bytes[places[2]] ^= 1;
    let log = read("crc.zip", &bytes).expect("the others are whole");
    assert_eq!((log.events.len(), log.after.is_some()), (50, true));
    let told = flaws(&log);
    assert!(
        matches!(&told[..], [one] if one.starts_with("vmallocinfo.before:") && one.contains("checksum")),
        "{told:?}"
    );

    // The header of the first member.
    for (name, at) in [("zip", 0), ("tar", 140)] {
        let mut bytes = if name == "zip" { zip(&members, true) } else { tar(&members) };
        bytes[if name == "zip" { 20 } else { at }] ^= 4;
        let log = read(&format!("header.{name}"), &bytes).expect("the others are whole");
        assert_eq!((log.events.len(), log.before.is_none(), log.after.is_some()), (50, true, true), "{name}");
        assert_eq!(flaws(&log).len(), 1, "{name}: {:?}", flaws(&log));
    }

    // The directory of the zip, at every byte.
    let bytes = zip(&members, true);
    let directory = bytes.windows(4).position(|four| four == b"PK\x01\x02").expect("a directory");
    for at in directory..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x11;
        match read("directory.zip", &bytes) {
            Ok(log) => assert!(log.events.len() == 50 || !flaws(&log).is_empty(), "byte {at}"),
            Err(error) => assert!(!error.hint().is_empty(), "byte {at}: {error}"),
        }
    }
}

#[test]
fn bombs_are_refused_while_they_unpack() {
    let zeros = vec![0; 1 << 20];
    // Something to read comes first: what is nothing but zeros is empty.
    refused("bomb.zst", &[zst(&trace(10)), zst(&zeros).repeat(100)].concat(), "more than 500 for one");
    refused("bomb.gz", &[gz(&trace(10)), gz(&zeros).repeat(70)].concat(), "more than 500 for one");
    refused("zeros.zst", &zst(&zeros).repeat(100), "is empty");
    let mut spaces = trace(10);
    spaces.resize(100 << 20, b' ');
    refused("bomb.zip", &zip(&[("trace.txt", &zst(&spaces))], false), "more than 500 for one");
    refused("bomb.tar.zst", &zst(&tar(&[("vmallocinfo.before", &spaces)])), "more than 500 for one");

    let plain = trace(10);
    refused("deep", &gz(&gz(&gz(&plain))), "compressed more than 2 times");
    refused("deep.tar.gz", &gz(&tar(&[("trace.txt", &gz(&gz(&plain)))])), "compressed more than 2 times");
    refused("inside.zip", &zip(&[("trace.txt", &tar(&[("trace.txt", &plain)]))], true), "an archive inside");
    refused("inside.tar", &tar(&[("x", &gz(&zip(&[("trace.txt", &plain)], true)))]), "an archive inside");

    // The xz header may ask for a dictionary of 4 GiB.
    let mut packed = xz(&plain);
    let (size, crc) = (usize::from(packed[12] + 1) * 4, flate2::Crc::new());
    assert_eq!(packed[14], 0x21, "the filter is LZMA2");
    packed[16] = 40;
    let mut crc = crc;
    crc.update(&packed[12..12 + size - 4]);
    packed[12 + size - 4..12 + size].copy_from_slice(&crc.sum().to_le_bytes());
    refused("dictionary.xz", &packed, "128 MiB");
}

#[test]
fn sizes_that_lie_change_nothing() {
    // A zip whose directory and header both say that the member is one byte.
    let plain = trace(20);
    let mut bytes = zip(&[("trace.txt", &plain)], true);
    let size = (plain.len() as u32).to_le_bytes();
    let places: Vec<usize> = bytes.windows(4).enumerate().filter(|(_, four)| *four == size).map(|(at, _)| at).collect();
    for at in &places {
        bytes[*at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
    }
    let log = read("lies.zip", &bytes).expect("read");
    assert_eq!((places.len(), log.events.len(), flaws(&log).len()), (2, 20, 1));

    // A tar that says its member is 8 EiB.
    let mut bytes = tar(&[("trace.txt", &plain)]);
    bytes[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    let sum: u64 =
        bytes[..512].iter().enumerate().map(|(n, b)| if (148..156).contains(&n) { 32 } else { u64::from(*b) }).sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    for (name, bytes) in [("lies.tar", bytes.clone()), ("lies.tar.gz", gz(&bytes))] {
        let log = read(name, &bytes).expect("read");
        assert_eq!((log.events.len(), flaws(&log).len()), (20, 1), "{name}: {:?}", flaws(&log));
    }

    // Two members of the same bytes: the second header lies inside the first member.
    let inner = zip(&[("b", b"twice")], false);
    let (local, directory) =
        inner.split_at(inner.windows(4).position(|four| four == b"PK\x01\x02").expect("directory"));
    let outer = zip(&[("a", local)], false);
    let at = outer.windows(4).position(|four| four == b"PK\x01\x02").expect("directory");
    let end = outer.windows(4).position(|four| four == b"PK\x05\x06").expect("an end");
    let mut second = directory[..directory.len() - 22].to_vec();
    second[42..46].copy_from_slice(&31_u32.to_le_bytes());
    let mut bytes = [&outer[..end], &second, &outer[end..]].concat();
    let end = end + second.len();
    bytes[end + 12..end + 16].copy_from_slice(&((end - at) as u32).to_le_bytes());
    refused("overlap.zip", &bytes, "overlap");
}

#[test]
fn names_that_do_harm_are_refused() {
    let plain = trace(10);
    let block = |name: &[u8], kind: u8| {
        let mut bytes = tar_header(name, kind, 0);
        bytes.extend(tar(&[("trace.txt", &plain)]));
        bytes
    };
    for (name, kind, words) in [
        (&b"../trace.txt"[..], b'0', "leads out"),
        (b"a/../../b", b'0', "leads out"),
        (b"/etc/passwd", b'0', "leads out"),
        (b"../folder/", b'5', "leads out"),
        (b"link", b'2', "link"),
        (b"hard", b'1', "link"),
        (b"tty", b'3', "device"),
        (b"sda", b'4', "device"),
        (b"pipe", b'6', "device"),
        (b"./trace.txt", b'0', "two members trace.txt"),
    ] {
        let bytes = block(name, kind);
        let shown = String::from_utf8_lossy(name).replace('/', "_");
        refused(&format!("harm-{shown}.tar"), &bytes, words);
        refused(&format!("harm-{shown}.tar.zst"), &zst(&bytes), words);
    }
    // The writer of zips cleans names; it can be told lies of the same length.
    for (good, bad, words) in [
        ("xx/trace.txt", "../trace.txt", "leads out"),
        ("x/trace.txt", "//trace.txt", "leads out"),
        ("xx/trace.txt", "..\\trace.txt", "leads out"),
        ("xtrace.txt.", "./trace.txt", "two members trace.txt"),
    ] {
        let bytes = zip(&[("trace.txt", &plain), (good, b"x")], true);
        let mut bad_bytes = bytes.clone();
        for at in 0..bytes.len() - good.len() {
            if bytes[at..].starts_with(good.as_bytes()) {
                bad_bytes[at..at + good.len()].copy_from_slice(bad.as_bytes());
            }
        }
        refused(&format!("harm-{}.zip", bad.replace(['/', '\\'], "_")), &bad_bytes, words);
        // Without its directory as well.
        let directory = bad_bytes.windows(4).position(|four| four == b"PK\x01\x02").expect("a directory");
        refused(&format!("harm-{}-cut.zip", bad.replace(['/', '\\'], "_")), &bad_bytes[..directory], words);
    }
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.add_symlink("trace.txt", "/etc/passwd", options).expect("a link");
    refused("link.zip", &writer.finish().expect("in memory").into_inner(), "link");
    let many: Vec<String> = (0..10_001).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    refused("many.zip", &zip(&many, false), "more than 10000 members");
    refused("many.tar.gz", &gz(&tar(&many)), "more than 10000 members");
}

#[test]
fn other_packers_are_named() {
    for (bytes, words) in
        [(&b"BZh91AY&SY"[..], "bzip2"), (b"7z\xbc\xaf\x27\x1c\0\x04", "7z"), (b"\x04\x22\x4d\x18dpfoo", "lz4")]
    {
        refused(&format!("other-{words}"), bytes, words);
    }
}

fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/amd64-612-first-steps")
}

fn members_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut members: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            (path.file_name().expect("a name").to_string_lossy().into_owned(), std::fs::read(&path).expect("a file"))
        })
        .collect();
    members.sort();
    members
}

#[track_caller]
fn same(name: &str, log: &Log, wanted: &Log) {
    let areas = |log: &Log| [&log.before, &log.after].map(|side| side.as_ref().map(|side| side.areas.len()));
    assert_eq!(log.problems, wanted.problems, "{name}");
    assert!(log.events == wanted.events, "{name}");
    assert_eq!(areas(log), areas(wanted), "{name}");
    assert_eq!(log.origin.kernel, wanted.origin.kernel, "{name}");
    assert_eq!(log.origin.cpus_possible, wanted.origin.cpus_possible, "{name}");
    assert_eq!(log.origin.vmalloc, wanted.origin.vmalloc, "{name}");
    assert_eq!(log.origin.page_size, wanted.origin.page_size, "{name}");
}

#[test]
fn a_capture_is_the_same_in_every_box() {
    let wanted = open(&capture()).expect("a capture");
    let members = members_of(&capture());
    let inside: Vec<(String, Vec<u8>)> =
        members.iter().map(|(name, bytes)| (format!("captures/first-steps/{name}"), bytes.clone())).collect();
    for (where_, members) in [("flat", members), ("inside", inside)] {
        let members: Vec<(&str, &[u8])> =
            members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        for (kind, bytes) in [
            ("zip", zip(&members, true)),
            ("stored.zip", zip(&members, false)),
            ("tar", tar(&members)),
            ("tar.gz", gz(&tar(&members))),
            ("tar.zst", zst(&tar(&members))),
            ("tar.xz", xz(&tar_pax(&members))),
            ("zip.gz", gz(&zip(&members, true))),
        ] {
            let name = format!("capture-{where_}.{kind}");
            let log = read(&name, &bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            same(&name, &log, &wanted);
            assert_eq!(log.truth.is_some(), wanted.truth.is_some(), "{name}");
        }
    }
}

#[test]
fn a_bundle_goes_round() {
    let wanted = open(&capture()).expect("a capture");
    let range = wanted.origin.vmalloc;
    let manifest = serde_json::json!({
        "schema": "vmaplens.bundle/1", "unknown": [1, 2],
        "kernel": {"release": wanted.origin.kernel, "arch": wanted.origin.arch, "endian": "little"},
        "machine": {"page_size": wanted.origin.page_size, "cpus_possible": wanted.origin.cpus_possible,
                    "cpus_online": wanted.origin.cpus_online, "numa_nodes": null},
        "address_space": {"vmalloc_start": range.map(|range| format!("{:#x}", range.vstart)),
                          "vmalloc_end": range.map(|range| format!("{:#x}", range.vend))},
        "trace": {"member": "events.trace.zst", "format": "ftrace-text"},
        "snapshots": {"before": {"member": "vmallocinfo.before"}, "after": {"member": "vmallocinfo.after"}},
    })
    .to_string();
    let known = members_of(&capture());
    let get = |name: &str| known.iter().find(|(known, _)| known == name).expect("a member").1.clone();
    let (trace, before, after) = (get("trace.txt.zst"), get("vmallocinfo.before"), get("vmallocinfo.after"));
    let members: [(&str, &[u8]); 5] = [
        ("manifest.json", manifest.as_bytes()),
        ("events.trace.zst", &trace),
        ("vmallocinfo.before", &before),
        ("vmallocinfo.after", &after),
        ("notes.md", b"not looked at"),
    ];
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bundle");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, bytes) in members {
        std::fs::write(folder.join(name), bytes).expect("a member");
    }
    same("folder", &open(&folder).expect("a bundle"), &wanted);
    for (name, bytes) in [
        ("bundle.zip", zip(&members, false)),
        ("bundle.deflated.zip", zip(&members, true)),
        ("bundle.tar.zst", zst(&tar(&members))),
        ("bundle.tar.gz", gz(&tar(&members))),
    ] {
        same(name, &read(name, &bytes).unwrap_or_else(|error| panic!("{name}: {error}")), &wanted);
    }
    let later = manifest.replace("bundle/1", "bundle/2");
    let members = [("manifest.json", later.as_bytes()), ("events.trace.zst", &trace)];
    refused("later.zip", &zip(&members, false), "vmaplens.bundle/2");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the members are called and hold, the archive's list is the one that was packed.
    #[test]
    fn any_list_of_members(members in proptest::collection::btree_map("[a-zA-Z0-9_./ -]{1,120}", proptest::collection::vec(any::<u8>(), 0..3000), 1..12)) {
        let clean = |name: &str| name.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/");
        let mut seen = std::collections::BTreeSet::new();
        let fine = |name: &str| !name.starts_with('/') && !name.ends_with('/') && !name.split('/').any(|part| part == "..") && !clean(name).is_empty();
        let members: Vec<(String, Vec<u8>)> = members
            .into_iter()
            .filter(|(name, _)| fine(name) && seen.insert(clean(name)))
            .collect();
        let list: Vec<(&str, &[u8])> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let wanted: Vec<String> = members.iter().map(|(name, _)| clean(name)).collect();
        for bytes in [zip(&list, true), tar_pax(&list)] {
            let source: std::sync::Arc<vmaplens::source::read_at::Places> = std::sync::Arc::new(bytes.clone());
            let contents = if bytes.starts_with(b"PK") {
                vmaplens::source::pack::zip::list(&source)
            } else {
                vmaplens::source::pack::tar::list(&mut vmaplens::source::read_at::Section::whole(source))
            };
            let contents = contents.expect("nothing harmful");
            prop_assert!(contents.flaws.is_empty());
            let names: Vec<String> = contents.entries.iter().map(|entry| entry.name.clone()).collect();
            prop_assert_eq!(&names, &wanted);
        }
    }

    /// No bytes make it panic, whatever they begin with.
    #[test]
    fn any_bytes_behind_any_magic(magic in 0_usize..7, bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let magics: [&[u8]; 7] = [b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"PK\x03\x04", b"PK\x05\x06", b"\x50\x2a\x4d\x18", b""];
        let mut input = magics[magic].to_vec();
        input.extend(&bytes);
        if magic == 6 && input.len() > 262 {
            input[257..262].copy_from_slice(b"ustar");
        }
        if let Err(error) = read("any-bytes", &input) {
            prop_assert!(!error.hint().is_empty());
        }
    }
}
