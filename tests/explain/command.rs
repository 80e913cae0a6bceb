//! The command from outside.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A window of 64 MiB, 32-bit, made for this test: ioremaps of 32 MiB, one hole of 812 KiB between two stacks, smaller
/// ones between stacks, and lazily freed areas that lengthen none of the large ones.
fn snapshot() -> String {
    let mut text = String::new();
    let mut row = |start: u64, size: u64, rest: &str| {
        let end = start + size;
        writeln!(text, "0x{start:08x}-0x{end:08x} {size:7} {rest}").expect("a string takes everything");
        end
    };
    let mut at = 0xf100_0000;
    for n in 0..4 {
        at = row(at, 8 << 20, &format!("__ioremap_caller+0x1/0x2 phys=0x{:08x} ioremap", 0x8000_0000_u64 + (n << 23)));
    }
    for n in 0..200 {
        at = row(at, 20 << 10, "kernel_clone+0xbc/0x2e4 pages=4 vmalloc");
        at += if n == 100 { 812 << 10 } else { 12 << 10 };
    }
    at = row(at, 4 << 20, "gart_init+0x1/0x2 [radeon] pages=1023 vmalloc");
    at += 200 << 10;
    row(at, 0xf510_0000 - at, "swap_cgroup_swapon+0x1/0x2 pages=1024 vmalloc");
    // In the holes of 12 KiB.
    for n in 2..26_u64 {
        row(0xf300_0000 + n * (32 << 10) + (20 << 10), 8 << 10, "unpurged vm_area");
    }
    text
}

const MESSAGE: &str = "vmalloc_node_range for size 839680 failed: Address range restricted to 0xf1000000 - 0xf5100000";

fn file(name: &str, content: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("the target folder can be written");
    path.to_string_lossy().into_owned()
}

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmaplens"));
    command.arg("explain").args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().stdin(Stdio::null());
    command.output().expect("the binary runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(args: &[&str], code: i32) -> Value {
    let output = run(&[args, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text(&output)).expect("JSON")
}

/// The keys of the contract.
const KEYS: [&str; 9] =
    ["verdict", "request", "range", "holes", "largest_hole", "largest_after_purge", "short_by", "holders", "remedies"];

fn check_keys(told: &Value) {
    assert_eq!(told["schema"], "vmaplens.explain/1");
    for key in KEYS {
        assert!(told.get(key).is_some(), "{key} is missing in {told}");
    }
}

#[test]
fn a_file_and_a_message_answer_why() {
    let areas = file("explain-areas.txt", &snapshot());
    let dmesg = file("explain-dmesg.txt", &format!("[  100.000000] {MESSAGE}\n"));
    let one = json(&[&areas, "--dmesg", &dmesg], 1);
    assert_eq!(one, json(&[&areas, &dmesg], 1), "an INPUT like any other");
    assert_eq!(json(&[&dmesg, &areas], 1)["short_by"], one["short_by"], "in any order");
    check_keys(&one);
    assert_eq!(one["verdict"], "does-not-fit");
    assert_eq!((&one["largest_hole"], &one["largest_after_purge"]), (&831_488.into(), &831_488.into()));
    assert_eq!(one["short_by"], 8192);
    assert_eq!(one["request"]["size"], 839_680);
    assert_eq!(one["range"], serde_json::json!(["0xf1000000", "0xf5100000"]));
    assert_eq!(one["lazy"], serde_json::json!({"areas": 24, "bytes": 24 * 8192}));
    let first = &one["holders"][0];
    assert_eq!((&first["caller"], &first["kind"]), (&"__ioremap_caller".into(), &"ioremap".into()));
    assert_eq!(first["bytes"], 32 << 20);
    let remedies = one["remedies"].as_array().expect("a list");
    let of = |word: &str| remedies.iter().find(|row| row["remedy"] == word);
    assert_eq!(of("purge").map(|row| row["helps"].clone()), Some(false.into()));
    assert_eq!(of("area").map(|row| row["bytes"].clone()), Some((20 << 10).into()), "a stack beside the hole");
    assert!(remedies.iter().any(|row| row["module"] == "radeon"), "{remedies:?}");
    assert_eq!(of("larger-range").map(|row| row["vmalloc_option"].clone()), Some((66_u64 << 20).into()));
    assert_eq!(of("smaller").map(|row| row["bytes"].clone()), Some(831_488.into()));
}

#[test]
fn the_text_is_no_wider_than_a_terminal_and_says_it_plainly() {
    let areas = file("explain-areas-2.txt", &snapshot());
    let dmesg = file("explain-dmesg-2.txt", &format!("[  100.000000] {MESSAGE}\n"));
    let output = run(&[&areas, &dmesg]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1));
    for words in
        ["It does not fit: 8 KiB are missing, also after a purge.", "812 KiB", "VmallocUsed", "without [radeon]"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    let captures = ["traces/i386-65-exhaust-smp1", "traces/amd64-612-exhaust-range"];
    let mut texts = vec![told];
    for name in captures {
        texts.push(text(&run(&[name])));
        texts.push(text(&run(&[name, "--all"])));
    }
    texts.push(text(&run(&[&areas, "--at", "0xf3010000"])));
    for told in texts {
        assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    }
}

#[test]
fn every_wording_is_read_with_its_guard_page() {
    let areas = file("explain-areas-3.txt", &snapshot());
    let cases = [
        ("vmap allocation for size 839680 failed: use vmalloc=<size> to increase size", 839_680),
        ("vmalloc_node_range for size 839680 failed: Address range restricted to 0xf1000000 - 0xf5100000", 839_680),
        ("vmalloc: allocation failure: 832096 bytes", 839_680),
        ("insmod: vmalloc: allocation failure: 832096 bytes, mode:0xcc0(GFP_KERNEL), nodemask=(null)", 839_680),
        ("x: vmalloc error: size 832096, vm_struct allocation failed, mode:0xdc0", 839_680),
    ];
    for (nth, (message, size)) in cases.into_iter().enumerate() {
        let dmesg = file(&format!("explain-wording-{nth}.txt"), &format!("[    1.000000] {message}\n"));
        let told = json(&[&areas, &dmesg, "--range", "f1000000-f5100000"], 1);
        assert_eq!((&told["request"]["size"], &told["short_by"]), (&size.into(), &8192.into()), "{message}");
    }
}

#[test]
fn given_numbers_are_asked() {
    let areas = file("explain-areas-4.txt", &snapshot());
    let range = ["--range", "0xf1000000-0xf5100000"];
    let ask = |more: &[&str], code: i32| json(&[&[areas.as_str()], &range[..], more].concat(), code);
    assert_eq!(ask(&["--size", "839680"], 1)["short_by"], 8192);
    assert_eq!(ask(&["--size", "832096"], 1)["short_by"], 8192, "no whole pages: what a caller asks for");
    assert_eq!(ask(&["--data", "832096"], 1)["short_by"], 8192);
    let fits = ask(&["--size", "812K"], 0);
    assert_eq!((&fits["verdict"], &fits["short_by"]), (&"fits".into(), &0.into()));
    let aligned = ask(&["--size", "812K", "--align", "1M"], 1);
    assert_eq!(aligned["holes"]["by_reason"].as_array().map(Vec::len), Some(2), "{aligned}");
    assert!(aligned["remedies"].as_array().expect("a list").iter().any(|row| row["remedy"] == "alignment"));
    let purged = ask(&["--size", "12K", "--align", "32K"], 0);
    check_keys(&purged);
    let never = ask(&["--size", "1G"], 1);
    assert_eq!(never["verdict"], "cannot-fit");
    // From the areas alone, what lies beyond them is not known.
    assert_eq!(json(&[&areas, "--size", "64M"], 1)["verdict"], "not-known");
}

#[test]
fn files_without_addresses_are_answered_as_far_as_they_tell() {
    for (name, mask) in [("hashed", 0x9e37_79b9_u64), ("zeroed", 0)] {
        let hide = |addr: &str| {
            let value = u64::from_str_radix(addr, 16).expect("hex");
            format!("{:016x}", (value.wrapping_mul(mask) >> 3) & 0xffff_ffff)
        };
        let mut hidden = String::new();
        for line in snapshot().lines() {
            let (start, end) = (hide(&line[2..10]), hide(&line[13..21]));
            writeln!(hidden, "0x{start}-0x{end}{}", &line[21..]).expect("a string takes everything");
        }
        let areas = file(&format!("explain-{name}.txt"), &hidden);
        let dmesg = file(&format!("explain-{name}-dmesg.txt"), &format!("[    1.000000] {MESSAGE}\n"));
        let told = json(&[&areas, &dmesg], 1);
        check_keys(&told);
        assert_eq!((&told["verdict"], &told["largest_hole"]), (&"not-known".into(), &Value::Null), "{name}");
        assert_eq!(told["holders"][0]["bytes"], 32 << 20, "{name}");
        let refused = run(&[&areas, "--at", "0xf3010000"]);
        assert_eq!(refused.status.code(), Some(2), "{name}");
        assert_eq!(
            json(&[&areas, "--size", "1G", "--range", "f1000000-f5100000"], 1)["verdict"],
            "cannot-fit",
            "{name}"
        );
    }
}

#[test]
fn a_recording_is_asked_by_event_by_address_and_in_turn() {
    let name = "traces/i386-65-exhaust-smp1";
    let first = json(&[name], 0);
    check_keys(&first);
    assert_eq!((&first["verdict"], &first["request"]["event"]), (&"fits-after-purge".into(), &2668.into()));
    assert_eq!(first["failures"].as_array().map(Vec::len), Some(6));
    let last = json(&[name, "--event", "2694"], 1);
    assert_eq!((&last["verdict"], &last["short_by"]), (&"does-not-fit".into(), &4_239_360.into()));
    let all = json(&[name, "--all"], 1);
    assert_eq!((&all["n_failures"], &all["served"]), (&6.into(), &4.into()));
    let here = json(&[name, "--at", "0xfcbfe000"], 0);
    check_keys(&here);
    assert!(here["here"]["answered"].is_string(), "{here}");
    let later = json(&[name, "--size", "8M", "--event", "2694"], 1);
    assert_eq!(later["verdict"], "does-not-fit");
    assert_eq!(json(&["traces/amd64-612-boot-smp1"], 0)["verdict"], "nothing-failed");
}

#[test]
fn what_cannot_be_asked_is_said_with_a_hint() {
    let areas = file("explain-areas-5.txt", &snapshot());
    let dmesg = file("explain-dmesg-5.txt", &format!("[  100.000000] {MESSAGE}\n"));
    for (args, words) in [
        (vec![areas.as_str()], "nothing was asked"),
        (vec![dmesg.as_str()], "not of what lay where"),
        (vec![areas.as_str(), "--at", "0xb0000000"], "no area of the file contains"),
        (vec!["traces/i386-65-exhaust-smp1", "--event", "1"], "asks for no place"),
        (vec!["traces/i386-65-exhaust-smp1", "--event", "99999"], "there is no event 99999"),
        (vec!["traces/i386-65-exhaust-smp1", "--at", "0x10"], "no area has contained 0x10"),
        (vec![areas.as_str(), "--size", "4K", "--align", "3"], "power of two"),
    ] {
        let output = run(&args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words) && said.contains("hint: "), "{args:?}: {said}");
    }
}
