//! The kernels' own answers: op scripts with the results that allocator code of six kernels gave, byte for byte. The
//! state is audited after every operation.

#![expect(clippy::panic, reason = "a test says what broke, and after what")]

#[path = "common/support.rs"]
mod common;

use std::path::Path;

use vmaplens::replay::script::{ScriptRun, compare, output};

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
        let script = parsers::ops::parse(&common::data(&format!("{file}.ops.zst")));
        assert_eq!(script.problems, [], "{file}");
        let expected = String::from_utf8(common::data(&format!("{file}.out.zst"))).expect("text");
        let mut run = ScriptRun::new(&script.header, None).expect(&file);
        let mut answers = String::new();
        for line in &script.ops {
            run.run(&line.op, &mut answers);
            let sound = run.allocator().audit();
            sound.unwrap_or_else(|broken| panic!("{file}:{}: after {:?}: {broken}", line.line, line.op));
        }
        if answers != expected {
            let compared = compare(&script, None, &expected).expect(&file);
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
    let script = parsers::ops::parse(b"era 6.12\na 0 8192\na 1 4096\nf 0\n");
    let right = output(&script, None).expect("runs");
    assert_eq!(right, "ffffc90000000000\nffffc90000002000\n.\n");
    let compared = compare(&script, None, &right.replace("2000", "3000")).expect("runs");
    let mismatch = compared.first_mismatch.expect("differs");
    assert_eq!((mismatch.op, mismatch.line, mismatch.expected_line), (1, 3, 2));
    assert_eq!(mismatch.model, "ffffc90000002000");
    let cut = compare(&script, None, "ffffc90000000000\n").expect("runs");
    assert_eq!(cut.matched, 1);
    let surplus = compare(&script, None, &format!("{right}.\n")).expect("runs");
    assert_eq!(surplus.first_mismatch.expect("differs").expected, ".");
}

/// Under the rules of another era the same script must differ: the vectors tell eras apart.
#[test]
fn the_vectors_tell_the_eras_apart() {
    let answers_as = |file: &str, policy: &str| {
        let script = parsers::ops::parse(&common::data(&format!("vectors/{file}.ops.zst")));
        let expected = String::from_utf8(common::data(&format!("vectors/{file}.out.zst"))).expect("text");
        compare(&script, Some(policy), &expected).expect(policy).first_mismatch.is_none()
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
