//! The kernels' own answers: op scripts with the results that allocator code of six kernels gave, byte for byte. The
//! state is audited after every operation.

#![expect(clippy::panic, reason = "a test says what broke, and after what")]

#[path = "common/support.rs"]
mod common;

use std::path::Path;

use vmaplens::log::{Expected, ScriptLog};
use vmaplens::replay::Settings;
use vmaplens::replay::script::{Done, ScriptRun, compare, output};

/// A script with the answers it should give.
fn script(text: &[u8], expected: &str) -> ScriptLog {
    let script = parsers::ops::parse(text);
    assert_eq!(script.problems, []);
    let expected = Expected::new("expected".to_owned(), expected.to_owned(), &script.ops);
    ScriptLog { header: script.header, ops: script.ops, expected: Some(expected), ..ScriptLog::default() }
}

/// Every vector of an era.
fn scripts(era: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors").join(era);
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("vectors")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".ops.zst").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 6, "{era} has only {names:?}");
    names
}

fn check(era: &str) {
    for name in scripts(era) {
        let file = format!("vectors/{era}/{name}");
        let expected = String::from_utf8(common::data(&format!("{file}.out.zst"))).expect("text");
        let script = script(&common::data(&format!("{file}.ops.zst")), &expected);
        let settings = Settings::default();
        let mut run = ScriptRun::new(&script, &settings).expect(&file);
        let (mut done, mut answers) = (Done::default(), String::new());
        for line in &script.ops {
            run.print(&line.op, 0, &mut done, &mut answers);
            let sound = run.allocator().audit();
            sound.unwrap_or_else(|broken| panic!("{file}:{}: after {:?}: {broken}", line.line, line.op));
        }
        if answers != expected {
            let compared = compare(&script, &settings).expect(&file);
            panic!("{file}: {:?}", compared.first_mismatch);
        }
    }
}

const ERAS: [&str; 6] = ["2.4", "2.6.32", "4.19", "5.10", "6.1", "6.12"];

#[test]
fn every_folder_of_vectors_is_an_era() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors");
    let entries = std::fs::read_dir(folder).expect("vectors");
    let mut found: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    found.sort();
    assert_eq!(found, ERAS);
}

#[test]
fn linux_2_4_answers() {
    check(ERAS[0]);
}

#[test]
fn linux_2_6_32_answers() {
    check(ERAS[1]);
}

#[test]
fn linux_4_19_answers() {
    check(ERAS[2]);
}

#[test]
fn linux_5_10_answers() {
    check(ERAS[3]);
}

#[test]
fn linux_6_1_answers() {
    check(ERAS[4]);
}

#[test]
fn linux_6_12_answers() {
    check(ERAS[5]);
}

/// The comparison itself must be able to say no, and where.
#[test]
fn a_wrong_answer_is_found_and_named() {
    let text = b"era 6.12\na 0 8192\na 1 4096\nf 0\ndump\n";
    let settings = Settings::default();
    let right = output(&script(text, ""), &settings).expect("runs");
    assert!(right.starts_with("ffffc90000000000\nffffc90000002000\n.\ndump\nS lazy=2 pending=0\n"), "{right}");
    let compared = compare(&script(text, &right.replace("2000\n", "3000\n")), &settings).expect("runs");
    let mismatch = compared.first_mismatch.expect("differs");
    assert_eq!((mismatch.op, mismatch.line, mismatch.expected_line), (1, 3, 2));
    assert_eq!((mismatch.model.as_str(), mismatch.expected.as_str()), ("ffffc90000002000", "ffffc90000003000"));
    // Both states around it, and the one that was expected two ops later.
    assert!(mismatch.before.contains("b 0 - ffffc90000000000 ffffc90000002000 B\n"), "{}", mismatch.before);
    assert!(mismatch.after.contains("ffffc90000002000 ffffc90000003000"), "{}", mismatch.after);
    let state = mismatch.expected_state.expect("a dump is near");
    assert_eq!((state.op, state.line), (3, 4));
    assert!(state.text.starts_with("S lazy=2 pending=0\n"), "{}", state.text);
    let cut = compare(&script(text, "ffffc90000000000\n"), &settings).expect("runs");
    assert_eq!(cut.matched, 1);
    let surplus = compare(&script(text, &format!("{right}.\n")), &settings).expect("runs");
    assert_eq!(surplus.first_mismatch.expect("differs").expected, ".");
    // A line of a dump, and its last newline.
    let lazy = compare(&script(text, &right.replace("lazy=2", "lazy=3")), &settings).expect("runs");
    let mismatch = lazy.first_mismatch.expect("differs");
    assert_eq!((mismatch.op, mismatch.expected_line, mismatch.expected.as_str()), (3, 5, "S lazy=3 pending=0"));
    assert!(compare(&script(text, right.trim_end()), &settings).expect("runs").first_mismatch.is_some());
}

/// Under the rules of another era the same script must differ: the vectors tell eras apart.
#[test]
fn the_vectors_tell_the_eras_apart() {
    let answers_as = |file: &str, policy: &str| {
        let expected = String::from_utf8(common::data(&format!("vectors/{file}.out.zst"))).expect("text");
        let script = script(&common::data(&format!("vectors/{file}.ops.zst")), &expected);
        let settings = Settings { policy: Some(policy.to_owned()), ..Settings::default() };
        compare(&script, &settings).expect(policy).first_mismatch.is_none()
    };
    let cases = [
        ("2.4/small", "linux-2.6.11", true),
        ("2.4/small", "linux-2.6.32", false),
        ("2.6.32/steps", "linux-2.6.38", true),
        ("2.6.32/steps", "linux-2.6.39", false),
        ("4.19/steps", "linux-5.1", true),
        // The order of a purge moves the cached hole.
        ("4.19/lifo", "linux-3.10", false),
        ("4.19/steps", "linux-5.10", false),
        ("5.10/align4k", "linux-6.1", false),
        ("6.1/steps", "linux-6.12", false),
    ];
    for (file, policy, same) in cases {
        assert_eq!(answers_as(file, policy), same, "{file} under {policy}");
    }
}
