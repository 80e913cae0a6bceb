//! The problems: every damaged place of the input.

use super::super::app::App;
use super::super::paint;
use crate::log::FileProblem;
use crate::view::{Role, Row, Span};

/// The line a problem is in; 0 if the input has no lines.
pub(crate) fn line(problem: &FileProblem) -> u32 {
    problem.problem.line
}

/// The rows around `picked` that fit into `height`.
pub(crate) fn rows(app: &App, picked: usize, width: u16, height: usize) -> Vec<Row> {
    let problems = &app.replay.log().problems;
    if problems.is_empty() {
        return vec![Row::of("Nothing was damaged: every line of the input was understood.", Role::Good)];
    }
    // Below the list the picked one in full: reasons are sentences.
    let full = reason(&problems[picked.min(problems.len() - 1)]);
    let full = paint::explained("", 0, &full, Role::Text, width);
    let height = height.saturating_sub(full.len() + 1).max(1);
    let top = picked.saturating_sub(height / 2).min(problems.len().saturating_sub(height));
    let shown = problems.iter().enumerate().skip(top).take(height);
    let mut rows: Vec<Row> = shown.map(|(at, problem)| row(app, problem, at == picked)).collect();
    rows.resize(height + 1, Row::default());
    rows.extend(full);
    rows
}

/// What is wrong, without what the word before it says already.
fn reason(problem: &FileProblem) -> String {
    let reason = problem.problem.kind.to_string();
    reason.strip_prefix("repaired: ").unwrap_or(&reason).to_owned()
}

fn row(app: &App, problem: &FileProblem, picked: bool) -> Row {
    let glyph = if picked { app.glyphs.cursor } else { ' ' };
    let place = format!("{}:{}:{}", problem.file, problem.problem.line, problem.problem.column);
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
