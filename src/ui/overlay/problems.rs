//! The problems: every damaged place of the input.

use super::super::app::App;
use super::super::paint;
use crate::event::EventKind;
use crate::log::FileProblem;
use crate::view::{Role, Row, Span, text};

/// The line a problem is in; 0 if the input has no lines.
pub(crate) fn line(problem: &FileProblem) -> u32 {
    problem.problem.line
}

/// The rows around `picked` that fit into `height`.
pub(crate) fn rows(app: &App, picked: usize, width: u16, height: usize) -> Vec<Row> {
    let problems = &app.replay.log().problems;
    if problems.is_empty() {
        return unharmed(app, width);
    }
    // Below the list the picked one in full: reasons are sentences.
    let full = reason(&problems[picked.min(problems.len() - 1)]);
    let full = paint::explained("", 0, &full, Role::Text, width);
    let notes = notes(app, width);
    let height = height.saturating_sub(full.len() + 1 + notes.len()).max(1);
    let top = picked.saturating_sub(height / 2).min(problems.len().saturating_sub(height));
    let shown = problems.iter().enumerate().skip(top).take(height);
    let n_notes = notes.len();
    let mut rows = notes;
    rows.extend(shown.map(|(at, problem)| row(app, problem, at == picked)));
    rows.resize(n_notes + height + 1, Row::default());
    rows.extend(full);
    rows
}

/// What had to be assumed about the inputs.
fn notes(app: &App, width: u16) -> Vec<Row> {
    let log = app.replay.log();
    log.notes.iter().flat_map(|note| plain(&format!("note: {note}"), Role::Text, width)).collect()
}

/// What can be said of an input without problems: it may still be incomplete.
fn unharmed(app: &App, width: u16) -> Vec<Row> {
    let log = app.replay.log();
    let mut said = vec![("No line of the input was damaged.".to_owned(), Role::Good)];
    let others = log.events.iter().filter(|event| matches!(event.kind, EventKind::Other { .. })).count() as u64;
    if 0 < others {
        let records = text::plural(others, "record of another kind is", "records of other kinds are");
        said.push((format!("{records} kept but not replayed."), Role::Text));
    }
    let notices = log.events.iter().filter_map(|event| match event.kind {
        EventKind::Lost { count } => Some(u64::from(count)),
        _ => None,
    });
    let (n, lost) = notices.fold((0, 0), |(n, sum), count| (n + 1, sum + count));
    if 0 < n {
        let places = text::plural(n, "place", "places");
        let records = if lost == 0 { "records".to_owned() } else { text::plural(lost, "record", "records") };
        said.push((format!("The kernel dropped {records} at {places}: what they did is not known."), Role::Warn));
    }
    if 0 < log.origin.overwritten {
        let records = text::plural(log.origin.overwritten, "record", "records");
        said.push((format!("{records} were overwritten in the kernel's buffer before they were read."), Role::Warn));
    }
    let mut rows = notes(app, width);
    rows.extend(said.iter().flat_map(|(sentence, role)| plain(sentence, *role, width)));
    rows
}

/// A sentence, in as many rows as it takes.
fn plain(sentence: &str, role: Role, width: u16) -> Vec<Row> {
    let mut rows = paint::explained("", 0, sentence, role, width);
    for span in rows.iter_mut().flat_map(|row| &mut row.spans) {
        span.role = role;
    }
    rows
}

/// What is wrong, without what the word before it says already.
fn reason(problem: &FileProblem) -> String {
    let reason = problem.problem.kind.to_string();
    reason.strip_prefix("repaired: ").unwrap_or(&reason).to_owned()
}

fn row(app: &App, problem: &FileProblem, picked: bool) -> Row {
    let glyph = if picked { app.glyphs.cursor } else { ' ' };
    let place = problem.place();
    let (word, role) = if problem.problem.kind.is_repair() { ("repaired", Role::Warn) } else { ("damaged", Role::Bad) };
    let mut spans = vec![
        Span::new(format!("{glyph} "), Role::Key),
        Span::new(format!("{word:<9} "), role),
        Span::new(format!("{place}  "), Role::Number),
        Span::new(reason(problem), Role::Text),
    ];
    for span in &mut spans {
        span.selected = picked;
    }
    Row { spans, focused: picked, ..Row::default() }
}
