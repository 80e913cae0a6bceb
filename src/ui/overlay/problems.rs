//! The problems: every damaged place of the input.

use super::super::app::App;
use crate::log::FileProblem;
use crate::view::{Role, Row, Span};

/// The line a problem is in; 0 if the input has no lines.
pub(crate) fn line(problem: &FileProblem) -> u32 {
    problem.problem.line
}

/// The rows around `picked` that fit into `height`.
pub(crate) fn rows(app: &App, picked: usize, height: usize) -> Vec<Row> {
    let problems = &app.replay.log().problems;
    if problems.is_empty() {
        return vec![Row::of("Nothing was damaged: every line of the input was understood.", Role::Good)];
    }
    let top = picked.saturating_sub(height / 2).min(problems.len().saturating_sub(height));
    let shown = problems.iter().enumerate().skip(top).take(height);
    shown.map(|(at, problem)| row(app, problem, at == picked)).collect()
}

fn row(app: &App, problem: &FileProblem, picked: bool) -> Row {
    let glyph = if picked { app.glyphs.cursor } else { ' ' };
    let place = format!("{}:{}:{}", problem.file, problem.problem.line, problem.problem.column);
    let (word, role) = if problem.problem.kind.is_repair() { ("repaired", Role::Warn) } else { ("damaged", Role::Bad) };
    let reason = problem.problem.kind.to_string();
    let reason = reason.strip_prefix("repaired: ").unwrap_or(&reason).to_owned();
    let mut spans = vec![
        Span::new(format!("{glyph} "), Role::Key),
        Span::new(format!("{word:<9} "), role),
        Span::new(format!("{place}  "), Role::Number),
        Span::new(reason, Role::Text),
    ];
    for span in &mut spans {
        span.selected = picked;
    }
    Row { spans, focused: picked, ..Row::default() }
}
