//! `record` where nothing is recorded: what needs no rights, and mistakes.

use super::{TRACE, file, json, ok, run, text};

/// No tracefs is there, whoever runs the tests: nothing can be changed.
const NOWHERE: [&str; 2] = ["--tracefs", "/nonexistent"];

#[test]
fn the_plan_needs_no_rights_and_names_every_change() {
    let told = ok(&["record", "--dry-run", "--stacks", "--filter", "size > 4096", NOWHERE[0], NOWHERE[1]]);
    assert!(told.starts_with("# "), "{told}");
    let made: Vec<&str> = told.lines().filter(|line| line.starts_with("mkdir ")).collect();
    let removed: Vec<&str> = told.lines().filter(|line| line.starts_with("rmdir ")).collect();
    assert_eq!((made.len(), removed.len()), (1, 1), "{told}");
    let instance = removed[0].strip_prefix("rmdir ").expect("a path");
    assert!(made[0].starts_with(&format!("mkdir {instance}")));
    // Nothing is written outside of the instance but probes of a group of its own.
    for line in told.lines().filter(|line| line.starts_with("echo ")) {
        let path = line.split('>').next_back().expect("a path").trim();
        assert!(path.starts_with(instance) || line.contains("vmaplens_") || line.contains(">> "), "{line}");
    }
    assert!(told.contains("echo 'size > 4096' > "), "{told}");
    assert!(told.contains("echo '!stacktrace' > "), "{told}");
    let plan = json(&["record", "--dry-run", "--json", NOWHERE[0], NOWHERE[1]]);
    assert_eq!(plan["schema"], "vmaplens.record-plan/1");
    assert!(plan["writes"].as_array().is_some_and(|writes| 5 < writes.len()));
}

#[test]
fn live_traces_nothing_where_it_cannot_and_says_so_before_there_is_a_screen() {
    let output = run(&["live", "--trace", NOWHERE[0], NOWHERE[1]]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: ") && said.contains("\n hint: ") && !said.contains("terminal"), "{said}");
    // A file is somebody else's machine.
    let output = run(&["live", "--trace", "snapshot.txt"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("--trace"), "{}", text(&output.stderr));
    assert_eq!(run(&["live", "--max-events", "0"]).status.code(), Some(2));
}

#[test]
fn what_is_missing_is_said_and_nothing_is_begun() {
    let told = run(&["record", "--check", NOWHERE[0], NOWHERE[1]]);
    assert_eq!(told.status.code(), Some(1));
    assert!(text(&told.stdout).contains("No recording can be made here."), "{}", text(&told.stdout));
    let target = std::env::temp_dir().join(format!("vmaplens-none-{}", std::process::id()));
    let target = target.to_string_lossy();
    let output = run(&["record", "-o", &target, "-d", "1s", NOWHERE[0], NOWHERE[1]]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: ") && said.contains("\n hint: "), "{said}");
    assert!(!std::path::Path::new(&*target).exists());
    for args in [&["record"][..], &["record", "-o", "x", "-d", "0"], &["record", "--check", "--dry-run"]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_filtered_recording_is_listed_and_not_replayed() {
    let manifest = r#"{"schema":"vmaplens.bundle/1","kernel":{"release":"6.12.1"},
        "trace":{"member":"trace.txt","filters":{"vmalloc:alloc_vmap_area":"size > 4096"}}}"#;
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("filtered");
    std::fs::create_dir_all(folder).expect("the target folder can be written");
    let trace = file("filtered/trace.txt", TRACE);
    file("filtered/manifest.json", manifest);
    let folder = trace.strip_suffix("/trace.txt").expect("a folder");
    for command in ["verify", "replay"] {
        let output = run(&[command, folder]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(text(&output.stderr).contains("only allocations with \"size > 4096\" were recorded"), "{command}");
    }
    assert_eq!(json(&["parse", "--count", "--json", folder])["problems"], 0);
}
