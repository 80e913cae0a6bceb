//! The synthetic workloads: the addresses that the kernels' own code gave for them, proved by their sum.

use std::fmt::Write;

use vmaplens::log::Log;
use vmaplens::replay::Settings;
use vmaplens::replay::script::{BulkRun, BulkScript, ScriptRun};
use vmaplens::workload::{WORKLOADS, by_name};

/// Workload, ops behind `mark`, policy, purges among those, and the sum: what the kernels' code built for user space
/// answered. Those of 4.19 and before walk over lists: fewer ops. `cargo bench --bench workloads` compares the rest.
const SUMS: &[(&str, u64, &str, u64, u64)] = &[
    ("fix_size", 1_000_000, "linux-6.12", 244, 0x91a3_2211_b201_09a5),
    ("fix_size", 1_000_000, "linux-2.4", 0, 0xebbf_2c73_24e7_09a5),
    ("full_fit", 1_000_000, "linux-6.1", 122, 0x6c56_999d_c302_09a5),
    ("long_busy_list", 400_000, "linux-6.12", 1250, 0x4b6a_c7e7_5318_3e05),
    ("random_align", 1_000_000, "linux-5.10", 396, 0x2581_925a_982d_69a5),
    ("random_align", 100_000, "linux-2.6.32", 39, 0xd819_10b7_8825_0565),
    ("modules", 100_000, "linux-4.19", 100, 0x46b5_5008_c39c_7185),
    ("frag", 400_000, "linux-6.12", 171, 0xfa54_7c75_c302_20a5),
    ("frag_align", 400_000, "linux-6.1", 171, 0xc8b2_6064_0a09_30a5),
    ("steady_1k", 1_000_000, "linux-6.12", 152, 0x76de_e020_8218_3dc5),
    ("steady_10k", 10_000, "linux-2.4", 0, 0x1717_5e4e_b5b3_2505),
    ("steady16_1k", 1_000_000, "linux-6.12", 30, 0x8a66_2965_d022_adc5),
];

#[test]
fn every_workload_is_answered_as_by_the_kernels() {
    for &(name, ops, policy, purges, sum) in SUMS {
        let settings = Settings { policy: Some(policy.to_owned()), ..Settings::default() };
        let log = Log::of_script(by_name(name).expect(name).script(ops), name);
        let script = log.script.expect("a script");
        let run = ScriptRun::new(&script, &settings).expect(policy);
        let bulk = BulkScript::new(&script, &run).expect("plain");
        assert_eq!(bulk.timed_ops(), ops, "{name}");
        let mut run = BulkRun::up_to_mark(&bulk, run);
        run.timed_part();
        let (found, found_purges) = run.sum_and_purges();
        assert_eq!(format!("{found:016x} {found_purges}"), format!("{sum:016x} {purges}"), "{name} {policy}");
        assert_eq!(run.finish().allocator().audit(), Ok(()), "{name} {policy}");
    }
}

#[test]
fn the_text_of_a_workload_is_its_script() {
    for workload in WORKLOADS {
        let mut text = String::new();
        workload.write(100, &mut text).expect("to a string");
        assert_eq!(parsers::ops::parse(text.as_bytes()), workload.script(100), "{}", workload.name);
    }
}

/// A few lines of each form an op has.
#[test]
fn lines_are_those_of_the_op_files() {
    let wanted = [
        ("steady_1k", "a 0 8192\na 1 16384\n"),
        ("steady16_1k", "a 0 8192 1 - - 7\n"),
        ("modules", "a 0 45056 1 0xffffffffc0000000 0xffffffffff000000 0\n"),
    ];
    for (name, lines) in wanted {
        let mut text = String::new();
        let workload = by_name(name).expect(name);
        let _ = write!(text, "{}", workload.header());
        let head = text.clone();
        text.clear();
        workload.write(0, &mut text).expect("to a string");
        assert!(text.starts_with(&(head + lines)), "{name}: {}", &text[..200]);
    }
}
