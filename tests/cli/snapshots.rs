//! Snapshots from the outside: `diff`, `check`, `OpenMetrics`, what a hashed file tells.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{CAPTURE, SNAPSHOT, file, json, ok, refused, run, text};

/// A snapshot in which somebody has leaked `n` areas so far, and stacks come and go.
fn leaking(n: usize) -> String {
    let mut rows = SNAPSHOT.to_owned();
    for area in 0..n + n % 3 {
        let (start, caller) =
            (0xffff_c900_0010_0000_u64 + area as u64 * 0x10000, if area < n { "leak" } else { "stack" });
        let end = start + 20480;
        rows.extend([format!("{start:#x}-{end:#x}   20480 {caller}+0x{n}/0x20 pages=4 vmalloc N0=4\n")]);
    }
    rows
}

#[test]
fn a_planted_leak_is_found() {
    let files: Vec<String> = (1..8).map(|n| file(&format!("leak-{n}.txt"), leaking(n * 2))).collect();
    let args: Vec<&str> = files.iter().map(String::as_str).collect();
    let output = run(&[&["diff", "--interval", "60s", "--json"][..], &args].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["schema"], &report["growing"]), (&"vmaplens.diff/1".into(), &1.into()));
    let row = &report["rows"][0];
    assert_eq!((&row["caller"], &row["verdict"]), (&"leak".into(), &"grows steadily".into()));
    assert_eq!(row["grew"], serde_json::json!({"areas": 12, "virtual_bytes": 245_760, "pages": 48}));
    assert_eq!(row["values"].as_array().map(Vec::len), Some(7));
    let per_hour = row["per_hour"].as_f64().expect("a rate");
    assert!((per_hour - 40960.0 * 60.0).abs() < 1.0, "{per_hour}");
    // The same for people: at most 80 columns, the reason below.
    let shown = text(&run(&[&["diff", "--interval", "60s"][..], &args].concat()).stdout);
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(shown.contains("grows steadily") && shown.contains("the lowest value of each of 7 parts"), "{shown}");
}

#[test]
fn two_snapshots_are_compared_and_not_judged() {
    let [a, b] = [(1, "two-a.txt"), (4, "two-b.txt")].map(|(n, name)| file(name, leaking(n)));
    let shown = ok(&["diff", &a, &b]);
    assert!(shown.contains("no rates") && shown.contains(" leak ") && !shown.contains("(vmalloc)"), "{shown}");
    assert_eq!(run(&["diff", "--max-growth", "50K", &a, &b]).status.code(), Some(1));
    assert_eq!(run(&["diff", "--max-growth", "1M", &a, &b]).status.code(), Some(0));
    let by_kind = json(&["diff", "--json", "--by", "kind", "--measure", "areas", &a, &b]);
    let kinds: BTreeSet<_> = by_kind["rows"].as_array().expect("rows").iter().map(|row| row["kind"].as_str()).collect();
    assert_eq!(kinds.len(), 4);
    refused(&["diff", &a], "two are wanted");
    refused(&["diff", "--base", "3", &a, &b], "there are 2 snapshots");
}

#[test]
fn a_capture_has_two_snapshots() {
    let report = json(&["diff", "--json", CAPTURE]);
    assert_eq!(report["snapshots"].as_array().map(Vec::len), Some(2));
}

#[test]
fn check_says_no_to_what_cannot_be() {
    assert!(ok(&["check", CAPTURE]).contains("nothing found"));
    let torn = SNAPSHOT
        .replace("0xffffc90000005000-0xffffc90000007000    8192", "0xffffc90000004000-0xffffc90000007000   12288");
    let output = run(&["check", "--json", &file("torn.txt", torn)]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["schema"], &report["findings"][0]["rule"]), (&"vmaplens.check/1".into(), &"overlap".into()));
    assert_eq!(report["findings"][0]["line"], 2);
    for (option, code) in [
        (["--max-areas", "3"], 0),
        (["--max-areas", "2"], 1),
        (["--max-virtual", "48K"], 0),
        (["--max-virtual", "47K"], 1),
        (["--max-unpurged", "20K"], 0),
        (["--max-unpurged", "19K"], 1),
        (["--min-largest-hole", "44K"], 0),
        (["--min-largest-hole", "45K"], 1),
        (["--max-failures", "0"], 1),
    ] {
        let output = run(&[&["check", &file("numbers-check.txt", SNAPSHOT)][..], &option].concat());
        assert_eq!(output.status.code(), Some(code), "{option:?}: {}", text(&output.stdout));
    }
}

#[test]
fn a_hashed_file_tells_its_layout() {
    let report = json(&["inspect", "--json", "tests/data/amd64-612-formats/vmallocinfo.kptr0"]);
    let layout = &report["layout"];
    assert_eq!((&layout["nodes"], &layout["order"]), (&2.into(), &"certain".into()));
    assert_eq!((&layout["touching_pairs"], &layout["at_least_holes"]), (&19.into(), &73.into()));
    let shown = ok(&["inspect", "tests/data/amd64-612-formats/vmallocinfo.kptr0"]);
    assert!(shown.contains("no_hash_pointers") && shown.contains("with 2 nodes"), "{shown}");
    let zeroed = ok(&["inspect", "tests/data/amd64-612-formats/vmallocinfo.kptr2"]);
    assert!(zeroed.contains("sums and the order of lines"), "{zeroed}");
}

/// The grammar that both formats of a textfile collector share: families without gaps, each with its type before its
/// samples, no series twice, labels closed, numbers.
#[test]
fn openmetrics_of_a_snapshot_can_be_scraped() {
    let hostile = SNAPSHOT.replace("kernel_clone", "a\\\"b");
    for input in [SNAPSHOT.to_owned(), hostile] {
        let path = file(&format!("scrape-{}.txt", input.len()), &input);
        for top in ["0", "1", "20"] {
            let document = ok(&["export", "--quiet", "--to", "openmetrics", "--top", top, &path]);
            scrape(&document, top);
        }
    }
}

fn scrape(document: &str, top: &str) {
    assert!(document.ends_with("# EOF\n"));
    let (mut families, mut series, mut family) = (BTreeSet::new(), BTreeSet::new(), "");
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for line in document.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert_eq!(kind, "gauge");
            assert!(families.insert(name), "{name} twice");
            family = name;
        } else if let Some(rest) = line.strip_prefix("# UNIT ").or_else(|| line.strip_prefix("# HELP ")) {
            let (name, words) = rest.split_once(' ').expect("a name");
            assert_eq!(name, family);
            assert!(!line.starts_with("# UNIT") || name.ends_with(&format!("_{words}")), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            assert!(series.insert(name), "{name} twice");
            let value: u64 = value.parse().expect("a number");
            let bare = name.split('{').next().expect("a name");
            assert_eq!(bare, family);
            *sums.entry(bare).or_default() += value;
            if let Some(labels) = name.strip_prefix(bare).filter(|labels| !labels.is_empty()) {
                let inner = labels.strip_prefix('{').and_then(|labels| labels.strip_suffix('}')).expect(line);
                let quotes = inner.replace("\\\\", "").replace("\\\"", "").matches('"').count();
                assert_eq!(quotes % 2, 0, "{line}");
            }
        }
    }
    for by in ["caller", "kind", "module"] {
        assert_eq!(
            sums[format!("vmaplens_snapshot_{by}_virtual_bytes").as_str()],
            sums["vmaplens_snapshot_virtual_bytes"]
        );
        assert_eq!(sums[format!("vmaplens_snapshot_{by}_areas").as_str()], 4);
    }
    let n_callers = series.iter().filter(|name| name.starts_with("vmaplens_snapshot_caller_areas{")).count();
    assert_eq!(
        n_callers,
        match top {
            "0" => 1,
            "1" => 2,
            _ => 4,
        }
    );
}
