//! `vmaplens lesson` from the outside, and whether what the lessons say is what the model does.

#[path = "lesson/requests.rs"]
mod requests;
#[path = "lesson/stops.rs"]
mod stops;
#[path = "lesson/tables.rs"]
mod tables;
#[path = "lesson/texts.rs"]
mod texts;

use std::process::{Command, Output};

use serde_json::Value;

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmaplens"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_clear().output().expect("the binary runs")
}

fn ok(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_list_has_a_line_for_each_and_fits_80_columns() {
    let list = ok(&["lesson"]);
    let report: Value = serde_json::from_str(&ok(&["lesson", "--json"])).expect("JSON");
    assert_eq!(report["schema"], "vmaplens.lesson/1");
    let lessons = report["lessons"].as_array().expect("a list");
    assert_eq!(list.lines().count(), lessons.len() + 1, "{list}");
    for (line, lesson) in list.lines().skip(1).zip(lessons) {
        let [name, title] = ["name", "title"].map(|key| lesson[key].as_str().expect("a text"));
        assert!(line.starts_with(name) && line.ends_with(title) && line.chars().count() <= 80, "{line}");
        assert!(!title.is_empty() && lesson["eras"][0].is_string() && lesson["notes"].is_null(), "{lesson}");
        assert!(6 <= lesson["stops"].as_u64().expect("a number"), "{lesson}");
    }
}

#[test]
fn one_lesson_as_a_document_has_its_texts() {
    let report: Value = serde_json::from_str(&ok(&["lesson", "init", "--json"])).expect("JSON");
    let lesson = &report["lessons"][0];
    let notes = lesson["notes"].as_array().expect("a list");
    assert_eq!(notes.len() as u64, lesson["stops"].as_u64().expect("a number") + 1, "the stops and the introduction");
    assert!(notes.iter().all(|note| note["text"][0].as_str().is_some_and(|text| !text.is_empty())));
    assert_eq!((&notes[0]["op"], &notes[8]["op"]), (&0.into(), &lesson["ops"]));
}

#[test]
fn every_script_runs_without_a_screen() {
    let report: Value = serde_json::from_str(&ok(&["lesson", "--json"])).expect("JSON");
    for lesson in report["lessons"].as_array().expect("a list") {
        let script = format!("traces/lessons/{}.ops", lesson["name"].as_str().expect("a name"));
        let answers = ok(&["replay", "--strict", &script]);
        assert!(!answers.contains("check broken") && lesson["ops"].as_u64() <= Some(answers.lines().count() as u64));
    }
}

#[test]
fn a_wrong_name_is_one_sentence_and_the_nearest_name() {
    let output = run(&["lesson", "purge\u{1b}[2J"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("error: no lesson is called purge") && !said.contains('\u{1b}'), "{said}");
    let merge = run(&["lesson", "merge"]);
    let hint = String::from_utf8_lossy(&merge.stderr).into_owned();
    assert!(hint.contains(" hint: the nearest name is merge-and-purge;"), "{hint}");
}

#[test]
fn without_a_terminal_a_lesson_says_so() {
    let output = run(&["lesson", "init"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: the terminal UI needs a terminal"));
}
