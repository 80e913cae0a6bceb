//! `vmaplens lesson`: the lessons in a list, or one of them in the terminal UI.

use std::fmt::Write;
use std::sync::Arc;

use parsers::ops::{self, Note, Script};
use serde::Serialize;

use crate::lesson::{LESSONS, Lesson, named, nearest};
use crate::replay::{Replay, Settings};
use crate::ui::{NoStore, Source};

use super::args::LessonArgs;
use super::error::CliError;
use super::json::document;
use super::{output, ui};

/// The document of `lesson --json`.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    lessons: Vec<Row>,
}

/// One lesson.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    title: &'static str,
    eras: Vec<String>,
    ops: usize,
    stops: usize,
    /// What is told, if one lesson was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<Vec<Told>>,
}

/// What is told at a stop; at op 0, before any.
#[derive(Debug, Serialize)]
struct Told {
    op: usize,
    line: u32,
    text: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// No lesson is called that, or there is no terminal for it.
pub fn run(args: &LessonArgs) -> Result<u8, CliError> {
    let Some(name) = &args.name else {
        let rows: Vec<Row> = LESSONS.iter().map(|lesson| row(lesson, false)).collect();
        let text = if args.output.json { json(rows) } else { list(&rows) };
        output::write(&args.output, &text)?;
        return Ok(0);
    };
    let lesson = *named(name).ok_or_else(|| unknown(name))?;
    if args.output.json {
        output::write(&args.output, &json(vec![row(&lesson, true)]))?;
        return Ok(0);
    }
    let all = move || Ok(Replay::open(Arc::new(lesson.log()), &Settings::default())?);
    let source = Source { name: lesson.name.to_owned(), progress: Arc::default(), all, part: |_| None };
    let store = NoStore("a lesson is part of the program".to_owned());
    ui::show(source, &args.screen.options(args.color), &store)
}

fn unknown(name: &str) -> CliError {
    let near = nearest(name).map_or("", |near| near.name);
    CliError::Other {
        what: format!("no lesson is called {}", crate::log::escape(name.as_bytes())),
        hint: format!("the nearest name is {near}; vmaplens lesson lists all {}", LESSONS.len()),
    }
}

fn row(lesson: &Lesson, with_notes: bool) -> Row {
    let Script { header, ops, notes, .. } = ops::parse(lesson.text.as_bytes());
    let stops = notes.iter().filter(|note| 0 < note.op).count();
    let told = |Note { op, line, text, .. }| Told { op, line, text };
    Row {
        name: lesson.name,
        title: lesson.title(),
        eras: header.era.into_iter().collect(),
        ops: ops.len(),
        stops,
        notes: with_notes.then(|| notes.into_iter().map(told).collect()),
    }
}

fn json(lessons: Vec<Row>) -> String {
    document(&Report { schema: "vmaplens.lesson/1", lessons })
}

/// One line each; 80 columns are enough, which a test sees to.
fn list(rows: &[Row]) -> String {
    let names = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(4);
    let eras = rows.iter().map(|row| row.eras.join(", ").len()).max().unwrap_or(0).max(3);
    let mut text = format!("{:<names$}  {:<eras$}  stops  title\n", "name", "era");
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<names$}  {:<eras$}  {:>5}  {}", row.name, row.eras.join(", "), row.stops, row.title);
    }
    text
}
