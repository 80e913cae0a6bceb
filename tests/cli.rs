//! The binary from the outside: what it prints, where, and with which exit code.

#[path = "cli/compare.rs"]
mod compare;
#[path = "cli/record.rs"]
mod record;
#[path = "cli/snapshots.rs"]
mod snapshots;
#[path = "cli/told.rs"]
mod told;
#[path = "cli/until.rs"]
mod until;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const CAPTURE: &str = "traces/amd64-612-first-steps";

const EVENT: &str = "            init-1       [001] .....     5.463743: ";

const TRACE: &str = "\
# tracer: nop
            init-1       [001] .....     5.463743: alloc_vmap_area: va_start: 18446683600570023936 size=20480 align=16384 vstart=0xffffc90000000000 vend=0xffffe8ffffffffff failed=0
            init-1       [001] .....     5.463744: <stack trace>
 => alloc_vmap_area
 => copy_process
            init-1       [001] .....     5.463800: free_vmap_area_noflush: va_start=0xffffc90000000000 nr_lazy=5 nr_lazy_max=8192
";

const SNAPSHOT: &str = "\
0xffffc90000000000-0xffffc90000005000   20480 irq_init_percpu_irqstack+0xf4/0x130 vmap
0xffffc90000005000-0xffffc90000007000    8192 acpi_os_map_iomem+0x1a9/0x1e0 phys=0x000000003ffe1000 ioremap
0xffffc90000010000-0xffffc90000015000   20480 kernel_clone+0xc2/0x430 [m] pages=4 vmalloc N0=3 N1=1
0xffffc90000020000-0xffffc90000025000   20480 unpurged vm_area
";

fn vmaplens(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmaplens"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    vmaplens(args).output().expect("the binary runs")
}

fn ok(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&ok(args)).expect("JSON")
}

fn lines(args: &[&str]) -> Vec<Value> {
    ok(args).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file for one test; tests run at the same time, so each has names of its own.
fn file(name: &str, content: impl AsRef<[u8]>) -> String {
    let path: PathBuf = [env!("CARGO_TARGET_TMPDIR"), name].iter().collect();
    fs::write(&path, content).expect("the target folder can be written");
    path.to_string_lossy().into_owned()
}

/// Exit code 2, nothing on standard output, one sentence with these words, one hint, no backtrace.
fn refused(args: &[&str], words: &str) {
    let output = run(args);
    let talk = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {talk}");
    assert_eq!(text(&output.stdout), "", "{args:?}");
    let said: Vec<&str> = talk.lines().collect();
    assert_eq!(said.len(), 2, "{args:?} said {talk}");
    let (error, hint) = (said[0], said[1]);
    assert!(error.starts_with("error: ") && error.contains(words), "{args:?} said {error}");
    assert!(hint.starts_with(" hint: ") && " hint: ".len() < hint.len(), "{args:?} said {hint}");
}

#[test]
fn a_missing_file() {
    for command in ["parse", "inspect", "verify", "replay"] {
        refused(&[command, "no/such/file"], "cannot read no/such/file");
    }
}

#[test]
fn an_empty_file() {
    let empty = file("empty.txt", " \n\n");
    for command in ["parse", "inspect", "verify", "replay"] {
        refused(&[command, &empty], "empty.txt is empty");
    }
}

#[test]
fn a_binary_file() {
    let binary = file("binary.bin", (0..=255_u8).cycle().map(|byte| byte & 0x0f).take(4096).collect::<Vec<_>>());
    for command in ["parse", "inspect", "verify", "replay"] {
        refused(&[command, &binary], "binary file");
    }
}

#[test]
fn text_that_is_nothing_of_ours() {
    let prose = file("prose.txt", "Dear list,\nmy machine is slow.\n");
    refused(&["parse", "--count", &prose], "unknown format");
    for command in ["inspect", "verify", "replay"] {
        refused(&[command, &prose], "unknown format");
    }
}

#[test]
fn a_trace_without_vmalloc_events() {
    let trace = file("other.txt", format!("# tracer: nop\n{EVENT}sched_switch: prev_comm=a\n"));
    for command in ["inspect", "verify", "replay"] {
        refused(&[command, &trace], "no vmalloc events (1 record of another kind)");
    }
    // Its records can still be listed.
    assert_eq!(json(&["parse", "--count", "--json", &trace])["kinds"]["other"], 1);
}

#[test]
fn a_trace_without_a_snapshot_cannot_be_inspected() {
    refused(&["inspect", &file("alone.txt", TRACE)], "no snapshot");
}

#[test]
fn the_snapshot_of_another_kernel() {
    let snapshot = file("another.txt", SNAPSHOT.replace("ffffc90000", "ffff888000"));
    for command in ["inspect", "verify", "replay"] {
        refused(&[command, CAPTURE, "--snapshot", &snapshot], "does not belong to this trace");
    }
}

#[test]
fn strict_refuses_damage_and_says_where() {
    let damaged = file("damaged.txt", format!("{TRACE}{EVENT}alloc_vmap_area: va_start: 12x\n"));
    for command in ["verify", "replay"] {
        refused(&[command, "--strict", &damaged], "damaged.txt:7:");
    }
    refused(&["parse", "--count", "--strict", &damaged], "damaged.txt:7:");
    let lenient = run(&["parse", "--count", &damaged]);
    assert_eq!(lenient.status.code(), Some(0));
    assert!(text(&lenient.stderr).starts_with("damaged.txt:7:"), "{}", text(&lenient.stderr));
    assert_eq!(text(&run(&["parse", "--quiet", &damaged]).stderr), "");
}

#[test]
fn a_wrong_command_line() {
    for args in [&["parse"][..], &["inspect", "--range", "x"], &["generate"]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
    }
}

#[test]
fn a_closed_pipe_is_success() {
    let many = file("many.txt", TRACE.repeat(5000));
    let mut child = vmaplens(&["parse", &many]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut first).expect("a line");
    let output = child.wait_with_output().expect("ends");
    assert!(first.contains("\"kind\":\"header\""), "{first}");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn nothing_is_read_on_when_nobody_reads_the_lines() {
    let mut child = vmaplens(&["parse", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
    let mut input = child.stdin.take().expect("piped");
    // An input without an end: only the program can end this.
    let writer = std::thread::spawn(move || while input.write_all(TRACE.as_bytes()).is_ok() {});
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut first).expect("a line");
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    writer.join().expect("its reader is gone");
}

#[test]
fn standard_input_is_a_dash() {
    let mut child = vmaplens(&["parse", "--count", "-"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("runs");
    child.stdin.take().expect("piped").write_all(SNAPSHOT.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ends");
    assert_eq!(text(&output.stdout).lines().next(), Some("area                        4"));
}

#[test]
fn hostile_bytes_are_escaped() {
    let hostile =
        b"  \x1b[2J\xe2\x80\xae\xff\x07x-1      [001] .....     5.463743: tracing_mark_write: \x1b]0;title\x07\n";
    let trace = file("hostile.txt", [TRACE.as_bytes(), hostile].concat());
    let printed = ok(&["parse", &trace]);
    let last: Value = serde_json::from_str(printed.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["comm"], "\x1b[2J\u{202e}\u{fffd}\x07x");
    assert_eq!(last["comm_hex"], "1b5b324ae280aeff0778");
    assert_eq!(last["text"], "\x1b]0;title\x07");
    let snapshot = file("hostile-snapshot.txt", SNAPSHOT.replace("kernel_clone", "k\u{1b}[2J\u{9b}31m\u{202e}"));
    for printed in [printed, ok(&["inspect", &snapshot]), ok(&["inspect", "--json", &snapshot])] {
        let is_safe = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(printed.chars().all(is_safe), "{printed:?}");
    }
}

#[test]
fn records_of_a_trace() {
    let seen = lines(&["parse", &file("records.txt", TRACE)]);
    let kinds: Vec<_> = seen.iter().map(|object| object["kind"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["header", "stack", "alloc", "free"]);
    assert_eq!(seen[0]["schema"], "vmaplens.parse/1");
    assert_eq!((&seen[1]["id"], &seen[1]["event"]), (&Value::from(0), &Value::from(0)));
    assert_eq!(seen[1]["frames"], serde_json::json!(["alloc_vmap_area", "copy_process"]));
    let alloc = &seen[2];
    assert_eq!(alloc["addr"], "0xffffc90000000000");
    assert_eq!((&alloc["ts_ns"], &alloc["size"]), (&Value::from(5_463_743_000_u64), &Value::from(20480)));
    assert_eq!((&alloc["line"], &alloc["stack"], &alloc["failed"]), (&2.into(), &0.into(), &false.into()));
    assert_eq!((&seen[3]["size"], &seen[3]["nr_lazy_max"]), (&Value::Null, &8192.into()));
}

#[test]
fn records_of_a_snapshot_have_the_keys_of_the_contract() {
    let seen = lines(&["parse", &file("rows.txt", SNAPSHOT)]);
    assert_eq!(seen[0]["pointers"], "real");
    let wanted = serde_json::json!({
        "kind": "area", "line": 3, "start": "0xffffc90000010000", "end": "0xffffc90000015000", "size": 20480,
        "caller": "kernel_clone", "offset": 0xc2, "module": "m", "pages": 4, "phys": null, "flags": ["vmalloc"],
        "nodes": {"0": 3, "1": 1}, "unpurged": false, "confidence": "exact",
    });
    assert_eq!(seen[3], wanted);
    assert_eq!((&seen[2]["phys"], &seen[4]["unpurged"]), (&"0x000000003ffe1000".into(), &true.into()));
}

#[test]
fn ops_of_a_script() {
    let seen = lines(&["parse", &file("script.ops", "# title\nera 6.12\ncpus 2\na 0 16384\nf 0\npurge\n")]);
    assert_eq!((&seen[0]["title"], &seen[0]["cpus"]), (&"title".into(), &2.into()));
    assert_eq!((&seen[1]["op"], &seen[1]["size"], &seen[1]["line"]), (&"alloc".into(), &16384.into(), &4.into()));
    assert_eq!(seen.len(), 4);
}

#[test]
fn counting_agrees_with_the_lines() {
    let seen = lines(&["parse", CAPTURE]);
    let count = json(&["parse", "--count", "--json", CAPTURE]);
    for (kind, n) in count["kinds"].as_object().expect("an object") {
        let n_seen = seen.iter().filter(|object| object["kind"] == **kind).count();
        assert_eq!(n.as_u64(), Some(n_seen as u64), "{kind}");
    }
    let size: u64 = seen.iter().filter_map(|object| object["size"].as_u64()).sum();
    assert_eq!((count["size"].as_u64(), count["problems"].as_u64()), (Some(size), Some(0)));
    assert_eq!(count["kinds"]["alloc"], 569);
}

#[test]
fn lines_in_a_file_appear_whole() {
    let path = file("lines.jsonl", "old");
    assert_eq!(ok(&["parse", CAPTURE, "-o", &path]), "");
    assert_eq!(fs::read_to_string(&path).expect("written"), ok(&["parse", CAPTURE]));
    assert!(!Path::new(&format!("{path}.part")).exists());
}

#[test]
fn a_snapshot_in_numbers() {
    let report = json(&["inspect", "--json", &file("numbers.txt", SNAPSHOT)]);
    let number = |key: &str| report[key].as_u64().unwrap_or_else(|| panic!("{key}"));
    assert_eq!((number("areas"), number("virtual_bytes"), number("physical_pages")), (4, 69632, 4));
    assert_eq!((number("unpurged_areas"), number("unpurged_bytes"), number("guard_bytes")), (1, 20480, 12288));
    assert_eq!((&report["pointers"], &report["problems"]), (&"real".into(), &0.into()));
    assert_eq!(report["holes"]["count"], 2);
    assert_eq!(report["holes"]["largest"], 0xb000);
    assert_eq!(report["holes"]["range_from"], "the areas themselves");
    assert_eq!(
        report["by_node"],
        serde_json::json!([{"node": 0, "areas": 1, "pages": 3}, {"node": 1, "areas": 1, "pages": 1}])
    );
    let modules: Vec<_> = report["by_module"].as_array().expect("a list").iter().map(|row| &row["module"]).collect();
    assert_eq!(modules, [&Value::Null, &"m".into()]);
}

#[test]
fn a_hashed_snapshot_has_runs_and_no_holes() {
    let hashed = SNAPSHOT.replace("ffffc90000005000", "00000000a6de1770").replace("ffffc9000", "000000009");
    let report = json(&["inspect", "--json", &file("hashed.txt", hashed.replace("90015000", "915bbbbb"))]);
    assert_eq!((&report["pointers"], &report["holes"]), (&"hashed".into(), &Value::Null));
    assert_eq!(report["reason"], "the addresses are hashed");
    assert_eq!((&report["chains"]["count"], &report["chains"]["longest_areas"]), (&3.into(), &2.into()));
}

#[test]
fn a_capture_shows_its_last_snapshot() {
    let report = json(&["inspect", "--json", CAPTURE]);
    assert_eq!((&report["member"], &report["areas"]), (&"vmallocinfo.after".into(), &80.into()));
    assert!(ok(&["inspect", CAPTURE]).starts_with("amd64-612-first-steps, vmallocinfo.after, Linux 6.12"));
}

#[test]
fn the_manual_page_is_current() {
    let page = fs::read_to_string("docs/man/vmaplens.1").expect("docs/man/vmaplens.1");
    assert!(page == ok(&["generate", "man"]), "write it anew: vmaplens generate man > docs/man/vmaplens.1");
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(ok(&["generate", "completions", shell]).contains("inspect"), "{shell}");
    }
}

/// `traces/README.md` has a row for each capture, with its counts.
#[test]
fn the_table_of_captures_is_current() {
    let table = fs::read_to_string("traces/README.md").expect("traces/README.md");
    for entry in fs::read_dir("traces").expect("traces") {
        let path = entry.expect("an entry").path();
        if path.join("meta.toml").exists() {
            let count = json(&["parse", "--count", "--json", "--quiet", &path.to_string_lossy()]);
            // Captures of kernels without the tracepoints have probes.
            let probes = ["alloc_return", "free_entry", "purge_return"];
            let traced = !count["kinds"]["alloc"].is_null();
            let kinds = if traced { ["alloc", "free", "purge"] } else { probes };
            let kinds = kinds.map(|kind| count["kinds"][kind].to_string());
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let row = table.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("{name} is not in the table"));
            assert!(row.contains(&format!("| {} |", kinds.join(" / "))), "{name}: {kinds:?}");
        }
    }
}

/// A device is written to, not replaced; a link keeps pointing where it points.
#[cfg(unix)]
#[test]
fn results_go_where_they_are_sent() {
    let folder = std::env::temp_dir().join(format!("vmaplens-cli-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("folder");
    let (target, link) = (folder.join("target"), folder.join("link"));
    fs::write(&target, "old").expect("target");
    std::os::unix::fs::symlink(&target, &link).expect("link");
    let name = link.to_str().expect("name");
    let output = run(&["verify", CAPTURE, "--quiet", "-o", name]);
    assert!(output.status.success(), "{output:?}");
    assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
    assert!(fs::read_to_string(&target).expect("target").contains("569 exact"));
    assert_eq!(fs::read_dir(&folder).expect("folder").count(), 2, "nothing is left behind");
    fs::remove_dir_all(&folder).expect("removed");
    let output = run(&["verify", CAPTURE, "--quiet", "-o", "/dev/null"]);
    assert!(output.status.success(), "{output:?}");
    assert!(!Path::new("/dev/null").is_file());
}

#[test]
fn an_op_script_is_replayed_and_refused_where_a_capture_is_wanted() {
    let ops = file("small.ops", "era 6.12\na 0 8192\na 1 4096\nf 0\nlazy\n");
    let right = "ffffc90000000000\nffffc90000002000\n.\nlazy 2 0\n";
    let good = file("small.out", right);
    let output = run(&["replay", &ops, "--expect", &good]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let bad = file("wrong.out", right.replace("2000", "3000"));
    let output = run(&["replay", &ops, "--expect", &bad]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    for words in ["small.ops:3: op 2 of 4 differs (line 2", "  model     ffffc90000002000\n", "the model before it:\n"]
    {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let output = run(&["replay", &ops, "--expect", &bad, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let first = &json["first_mismatch"];
    assert_eq!(
        (&json["ops"], &json["matched"], &first["op"], &first["line"]),
        (&4.into(), &1.into(), &1.into(), &3.into())
    );
    assert_eq!((&first["model"], &first["expected"]), (&"ffffc90000002000".into(), &"ffffc90000003000".into()));
    let state = |key: &str| first[key].as_str().expect("a state").to_owned();
    assert!(state("state_before").contains("ffffc90000000000 ffffc90000002000"), "{}", state("state_before"));
    assert_ne!(state("state_before"), state("state_after"));
    for command in ["verify", "inspect"] {
        refused(&[command, &ops], "is an op script, not a capture");
    }
    refused(&["replay", CAPTURE, "--expect", &good], "is a capture: --expect compares op scripts");
    refused(&["replay", &file("broken.ops", "era 6.12\na 1\n")], "broken.ops:2:3: the fields of \"a\" cannot be read");
    refused(&[&ops], "the terminal UI needs a terminal");
    refused(&[&ops, "--expect", "no/such.out"], "cannot read no/such.out");
}
