//! `verify` from the outside: what people read, and the keys that programs rely on.

use std::io::Write;
use std::process::{Command, Output};

use serde_json::Value;

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmaplens"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().output().expect("the binary runs")
}

#[test]
fn verify_is_read_at_eighty_columns() {
    let output = run(&["verify", "traces/amd64-612-boot-smp2", "--quiet", "--policy", "linux-4.19"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("the rules asked for are not those of this kernel"), "{text}");
    assert!(text.contains("decided by: "), "{text}");
    let counts: Vec<u64> = text
        .lines()
        .filter(|line| line.starts_with("  ") && (line.contains(" adopted (") || line.contains(" inferred (")))
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect();
    assert!(counts.len() > 1 && counts.is_sorted_by(|a, b| a >= b), "{counts:?}: {text}");
    // The longest names of causes may stand out of the table.
    let long = text.lines().find(|line| line.chars().count() > 80 && !line.contains(" 0x"));
    assert_eq!(long, None);
}

/// The keys of the contract, on a capture of several CPUs where every part of the document has something in it.
#[test]
fn verify_keeps_its_contract() {
    let output = run(&["verify", "traces/amd64-612-boot-smp2", "--json", "--quiet"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for key in ["input", "kernel", "policy", "cpus", "from_boot", "events", "allocs", "exact", "divergences", "after"] {
        assert!(document.get(key).is_some_and(|value| !value.is_null()), "{key}");
    }
    let count = |key: &str| document[key].as_u64().expect(key);
    assert_eq!(count("exact") + count("inferred") + count("adopted"), count("allocs"));
    let causes = document["causes"].as_object().expect("causes");
    let sum: u64 = causes.values().filter_map(Value::as_u64).sum();
    assert_eq!(sum, count("inferred") + count("adopted"));
    assert!(causes.contains_key("carved-after-purge"), "{causes:?}");
    assert!(document["assumed"]["purge_steps"].as_u64().is_some_and(|steps| steps > 0));
    let first = &document["divergences"][0];
    for key in ["seq", "line", "cpu", "size", "align", "model", "recorded", "cause", "because", "confirmed_by"] {
        assert!(first.get(key).is_some(), "{key}");
    }
}

/// Every record that was not exact says which single probe would have decided it, in the document and in the table.
#[test]
fn each_record_names_its_probe() {
    let output = run(&["verify", "traces/amd64-612-boot-smp2", "--json", "--quiet"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = document["divergences"].as_array().expect("rows");
    assert!(!rows.is_empty());
    for row in rows {
        let wanted = match row["cause"].as_str().expect("a cause") {
            "carved-after-purge" => ["decay_va_pool_node", "purge_vmap_node"],
            "pool-missed" => ["decay_va_pool_node", "alloc_vmap_area"],
            "exchanged-with-neighbour" | "carved-before-purge" => ["va_clip"; 2],
            "other-node" => ["alloc_vmap_area"; 2],
            other => panic!("{other}"),
        };
        let probe = row["probe"].as_str().expect("a probe");
        assert!(wanted.contains(&probe), "{row}");
        let by_record = ["decay_va_pool_node", "purge_vmap_node"].contains(&probe);
        assert_eq!(
            row.get("record_with").and_then(Value::as_str),
            by_record.then(|| format!("--probes={probe}")).as_deref()
        );
    }
    let text = String::from_utf8_lossy(&run(&["verify", "traces/amd64-612-boot-smp2", "--quiet"]).stdout).into_owned();
    let first = rows[0]["probe"].as_str().expect("a probe");
    assert!(text.contains("single probe: "), "{text}");
    assert!(text.lines().any(|line| line.contains(" 0x") && line.ends_with(first)), "{text}");
    // Nothing that could be recorded makes the rules of another kernel right.
    let output = run(&["verify", "traces/amd64-612-boot-smp2", "--json", "--quiet", "--policy", "linux-4.19"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(document["divergences"].as_array().expect("rows").iter().all(|row| row.get("probe").is_none()));
}

/// The snapshot at the end is compared with the model at its marker: what a trace goes on to do is not in it.
#[test]
fn a_trace_may_go_on_behind_its_last_snapshot() {
    let folder = std::env::temp_dir().join(format!("vmaplens-verify-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("folder");
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/amd64-612-first-steps");
    for name in ["meta.toml", "vmallocinfo.before", "vmallocinfo.after"] {
        std::fs::copy(source.join(name), folder.join(name)).expect(name);
    }
    let packed = std::fs::read(source.join("trace.txt.zst")).expect("trace");
    let mut trace = std::fs::File::create(folder.join("trace.txt")).expect("trace");
    trace.write_all(&zstd::stream::decode_all(packed.as_slice()).expect("zstd")).expect("written");
    let last = vmaplens::source::open_log(
        &vmaplens::source::Input::Path(folder.clone()),
        &vmaplens::source::Reading::default(),
    );
    let log = last.expect("opens");
    let window = log.origin.vmalloc.expect("range");
    writeln!(
        trace,
        "            init-1       [000] .....   999.000000: alloc_vmap_area: va_start: {} size=8192 align=1 \
         vstart=0x{:x} vend=0x{:x} failed=0",
        window.vstart + (1 << 40),
        window.vstart,
        window.vend
    )
    .expect("written");
    drop(trace);
    let output = run(&["verify", folder.to_str().expect("name"), "--json", "--quiet"]);
    std::fs::remove_dir_all(&folder).expect("removed");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["allocs"].as_u64(), Some(570));
    assert_eq!((&document["after"]["missing"], &document["after"]["extra"]), (&0.into(), &0.into()));
}
