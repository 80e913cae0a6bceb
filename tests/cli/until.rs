//! `replay --until`: where a condition becomes true first.

use parsers::condition::WORDS;

use super::{CAPTURE, TRACE, file, json, ok, run, text};

#[test]
fn it_says_where_and_why_or_never() {
    let told = ok(&["replay", CAPTURE, "--until", "kind purge"]);
    assert!(told.starts_with("event ") && told.contains("  line ") && told.contains("purge"), "{told}");
    let told = ok(&["replay", CAPTURE, "--until", "busy > 200K"]);
    assert!(told.contains("\nbusy > 200K: busy 2") && told.contains(", was "), "{told}");
    let never = run(&["replay", CAPTURE, "--until", "size > 1T"]);
    assert_eq!((never.status.code(), text(&never.stdout).as_str()), (Some(1), "never: size > 1T\n"));
}

#[test]
fn the_document_has_the_values() {
    let found = json(&["replay", CAPTURE, "--until", "lazy >= 100 and not holes < 2", "--json"]);
    assert_eq!((&found["schema"], &found["found"]), (&"vmaplens.replay.until/1".into(), &true.into()));
    let values = found["at"]["values"].as_array().expect("values");
    assert_eq!(values[0]["figure"], "lazy");
    let number = |index: usize, when: &str| values[index][when].as_f64().expect("a number");
    assert!(number(0, "before") < 100.0 && number(0, "after") >= 100.0 && number(1, "after") >= 2.0, "{found}");
    // The event is the first: up to the one before, it is never true.
    assert!(found["at"]["event"].as_u64().is_some_and(|event| event > 100), "{found}");
}

#[test]
fn a_script_and_a_trace_without_a_snapshot_are_run_too() {
    let told = ok(&["replay", "traces/lessons/merge-and-purge.ops", "--until", "free"]);
    assert!(told.starts_with("op "), "{told}");
    let trace = file("until.txt", TRACE);
    let told = ok(&["replay", &trace, "--until", "task init and free"]);
    assert!(told.starts_with("event 2  line 6  5.463800 s  free\n"), "{told}");
}

#[test]
fn a_mistake_is_pointed_at() {
    let output = run(&["replay", CAPTURE, "--until", "failed and larges_hole < 2M"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    let expected = "error: --until: nothing is called larges_hole; near: largest_hole\n \
                    hint: failed and larges_hole < 2M\n                  ^^^^^^^^^^^\n";
    assert_eq!(said, expected);
    let output = run(&["replay", CAPTURE, "--until", "\u{1b}[31m"]);
    assert!(!text(&output.stderr).contains('\u{1b}'), "{}", text(&output.stderr));
}

/// The document of the language has every word, and what it shows is read.
#[test]
fn the_document_of_the_language_is_complete() {
    let document = std::fs::read_to_string("docs/moving.md").expect("docs/moving.md");
    for word in WORDS {
        assert!(document.contains(&format!("`{}", word.word)), "{}", word.word);
    }
    let section = document.split("## Conditions").nth(1).expect("a section");
    let example = section.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("examples");
    for line in example.lines() {
        parsers::condition::parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}
