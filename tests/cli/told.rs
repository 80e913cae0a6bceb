//! What is said of damage, of what cannot be read, and of what an input does not tell.

use serde_json::Value;

use super::{SNAPSHOT, TRACE, file, json, lines, run, text};

#[test]
fn every_problem_is_named_where_no_terminal_would_be_flooded() {
    let trace = file("flood.txt", TRACE.to_owned() + &"this is no event at all\n".repeat(100));
    let told = |args: &[&str]| text(&run(args).stderr).lines().map(str::to_owned).collect::<Vec<_>>();
    // Whoever reads them through a pipe gets them all.
    assert_eq!(told(&["parse", "--count", &trace]).len(), 100);
    assert_eq!(told(&["parse", "--count", "--problems", &trace]).len(), 100);
    assert!(told(&["parse", "--count", "--quiet", &trace]).is_empty());
    assert_eq!(json(&["parse", "--count", "--json", "--quiet", &trace])["problems"], 100);
}

#[test]
fn the_damage_is_the_reason_for_missing_events() {
    let raw = "# tracer: nop\n#\n           <...>-1       [001] .....     5.463743: alloc_vmap_area: what is this\n";
    let trace = file("reason.txt", raw);
    for command in ["verify", "replay", "inspect"] {
        let output = run(&[command, &trace]);
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(said.contains("reason.txt has no vmalloc events\n hint: "), "{said}");
        assert!(said.contains("reason.txt:3:") && said.contains("alloc_vmap_area"), "{said}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for (name, bytes, what, hint) in [
        ("named.data", &b"PERFILE2\x68\0\0\0\0\0\0\0"[..], "perf.data", "perf script"),
        ("named.core", b"\x7fELF\x02\x01\x01\0", "memory dump", "kmem -v"),
        ("named.log", b"[    0.000000] Linux version 6.1.0\n[    0.100000] x: y\n", "log of a kernel", "same boot"),
    ] {
        let path = file(name, bytes);
        for command in ["parse", "verify", "inspect", "replay"] {
            let said = text(&run(&[command, &path]).stderr);
            assert!(said.contains(what) && said.contains(hint), "{command}: {said}");
        }
    }
    let snapshot = file("named.snapshot", SNAPSHOT);
    let said = text(&run(&["verify", &snapshot]).stderr);
    assert!(said.contains("vmaplens inspect"), "{said}");
}

#[test]
fn what_is_not_told_is_not_made_up() {
    let bare = TRACE
        .replace("            init-1       [001] .....     5.463743: alloc", "alloc")
        .replace("            init-1       [001] .....     5.463800: free", "free");
    let bare: String = bare
        .lines()
        .filter(|line| !line.contains("stack") && !line.starts_with(" =>"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let trace = file("bare.txt", bare);
    let output = run(&["verify", "--json", &trace]);
    assert!(text(&output.stderr).contains("does not tell the CPU"), "{}", text(&output.stderr));
    let report: Value = serde_json::from_str(&text(&output.stdout)).expect("JSON");
    for row in report["divergences"].as_array().expect("rows") {
        assert!(row["cpu"].is_null(), "{row}");
    }
    assert_eq!(lines(&["parse", &trace])[1]["cpu"], Value::Null);
}
