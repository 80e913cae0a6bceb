//! `compare` from the outside.

use serde_json::Value;

use super::{CAPTURE, json, ok, run, text};

const EIGHT: &str = "recorded,linux-6.9,linux-5.2,linux-4.19,linux-2.6.28,linux-2.4,first-fit,buddy";

/// Every key of the contract, and the same bytes twice.
#[test]
fn eight_policies_are_told_the_same_twice() {
    let args = ["compare", CAPTURE, "--json", "--policy", EIGHT];
    let document = json(&args);
    assert_eq!(document["schema"], "vmaplens.compare/1");
    let policies = document["policies"].as_array().expect("a list");
    let ids: Vec<&str> = policies.iter().filter_map(|policy| policy["id"].as_str()).collect();
    assert_eq!(ids.join(","), EIGHT);
    let keys = [
        "failures",
        "first_failure_seq",
        "first_divergence_seq",
        "metrics",
        "search_steps_mean",
        "search_steps_max",
        "page_table_pages",
        "tlb_flushes",
        "ns_per_op",
    ];
    for policy in policies {
        for key in keys {
            assert!(policy.get(key).is_some(), "{key} of {}", policy["id"]);
        }
        for metric in vmaplens::compare::METRICS {
            assert!(policy["metrics"].get(metric.key).is_some(), "{} of {}", metric.key, policy["id"]);
        }
        assert_eq!(policy["ns_per_op"], Value::Null);
    }
    assert_eq!(ok(&args), ok(&args));
    let timed = json(&["compare", CAPTURE, "--json", "--time", "--policy", "auto"]);
    assert!(timed["policies"][0]["ns_per_op"].as_f64().is_some_and(|nanos| nanos > 0.0));
}

#[test]
fn tables_fit_a_screen() {
    for policies in ["auto", "recorded,linux-5.2,best-fit,linux-2.4", "linux-6.9:cpus=16,lazy-max=64M,tlsf", EIGHT] {
        let told = ok(&["compare", CAPTURE, "--policy", policies]);
        let widest = told.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{policies}: {told}");
        assert!(told.contains("failures") || told.contains("failed"), "{told}");
    }
    let csv = ok(&["compare", CAPTURE, "--csv", "--policy", "auto,linux-5.2:cpus=4,nodes=2"]);
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 3, "{csv}");
    assert!(rows[2].contains("\"linux-5.2:cpus=4,nodes=2\""), "{csv}");
    assert_eq!(rows[0].split(',').count(), rows[1].split(',').count());
}

/// Without a policy: the trace's own, the one before, and what textbooks have.
#[test]
fn a_comparison_without_policies_has_some() {
    let document = json(&["compare", CAPTURE, "--json"]);
    let policies = document["policies"].as_array().expect("a list");
    let ids: Vec<&str> = policies.iter().filter_map(|policy| policy["id"].as_str()).collect();
    assert_eq!(ids, ["linux-6.9", "linux-5.2", "first-fit", "best-fit"]);
}

/// What is changed for all lanes, and for one of them.
#[test]
fn changes_are_of_all_lanes_or_of_one() {
    let args =
        ["compare", CAPTURE, "--json", "--cpus", "8", "--lazy-max", "1M", "--policy", "recorded,auto,auto:cpus=2"];
    let document = json(&args);
    let id = |at: usize| document["policies"][at]["id"].as_str().expect("a text").to_owned();
    assert_eq!(id(0), "recorded");
    assert_eq!(id(1), "linux-6.9:cpus=8,lazy-max=1M");
    assert_eq!(id(2), "linux-6.9:cpus=2,lazy-max=1M");
    assert_eq!(document["changes"], "cpus=8,lazy-max=1M");
}

#[test]
fn a_violated_threshold_is_a_line_and_an_exit_code() {
    ok(&["compare", CAPTURE, "--check", "largest_hole >= 2M", "--check", "failures <= 200"]);
    let args = ["compare", CAPTURE, "--policy", "auto,linux-5.2", "--check", "holes < 1", "--check", "requests < 1"];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("violated: ")).collect();
    assert_eq!(lines.len(), 4, "{told}");
    assert!(lines[0].contains("holes < 1 under linux-6.9 after event 1: holes is "), "{told}");
    assert!(lines[3].contains("requests < 1 under linux-5.2 at the end: requests is "), "{told}");
    let with_json: Vec<&str> = args.into_iter().chain(["--json"]).collect();
    let output = run(&with_json);
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["violations"].as_array().map(Vec::len), Some(4));
    assert_eq!(text(&output.stderr).lines().filter(|line| line.starts_with("violated: ")).count(), 4);
}

/// One line and a hint, with near names.
#[test]
fn mistakes_are_one_line_and_a_hint() {
    let cases = [
        (["--policy", "linux-6.x"], "near: linux-6.9"),
        (["--policy", "linux-6.9:speed=2"], "speed"),
        (["--policy", "linux-5.2:guard=shared"], "guard=shared"),
        (["--policy", "recorded:cpus=2"], "recorded"),
        (["--lazy-max", "much"], "lazy-max"),
        (["--levels", "9"], "levels"),
        (["--check", "largest_hole"], "--check"),
        (["--check", "failed"], "--check"),
        (["--check", "speed < 3"], "--check"),
    ];
    for (args, wanted) in cases {
        let all: Vec<&str> = ["compare", CAPTURE].into_iter().chain(args).collect();
        let output = run(&all);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let told = text(&output.stderr);
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(told.starts_with("error: ") && told.contains(wanted), "{told}");
        assert!(told.contains("\n hint: "), "{told}");
    }
}

/// Workloads of `generate ops`: published shapes hold.
#[test]
fn old_searches_take_orders_of_magnitude_more_steps() {
    let script = ok(&["generate", "ops", "long_busy_list", "--max-ops", "400"]);
    let path = std::env::temp_dir().join(format!("vmaplens-compare-{}.ops", std::process::id()));
    std::fs::write(&path, script).expect("a file");
    let document = json(&["compare", path.to_str().expect("a path"), "--json", "--policy", "linux-2.6.28,linux-5.2"]);
    std::fs::remove_file(&path).expect("the file");
    let most = |at: usize| document["policies"][at]["search_steps_max"].as_u64().expect("a number");
    assert!(most(1) * 100 < most(0), "{} and {}", most(0), most(1));
}
