//! The kernels' own answers: op scripts with the results that allocator code of three kernels gave, byte for byte.

#[path = "common/support.rs"]
mod common;

use std::path::Path;

use vmaplens::replay::script::{compare, output};

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
        let compared = compare(&script, None, &expected).expect(&file);
        assert_eq!(compared.first_mismatch, None, "{file}");
        assert_eq!(compared.matched, script.ops.len(), "{file}");
    }
}

#[test]
fn linux_5_10_answers() {
    check("5.10");
}

#[test]
fn linux_6_1_answers() {
    check("6.1");
}

#[test]
fn linux_6_12_answers() {
    check("6.12");
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
    let script = parsers::ops::parse(&common::data("vectors/5.10/align4k.ops.zst"));
    let expected = String::from_utf8(common::data("vectors/5.10/align4k.out.zst")).expect("text");
    let compared = compare(&script, Some("linux-6.1"), &expected).expect("runs");
    assert!(compared.first_mismatch.is_some());
}
