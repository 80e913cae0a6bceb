//! [`Facts`]: labelled facts below each other, one or more rows each.

use super::line::{Line, flow};
use super::{Role, Row, Scene, Span, Target};

/// Columns of the labels on the left.
const LABEL: usize = 9;

/// Facts being put together.
pub(crate) struct Facts<'s, 'a> {
    /// What is looked at.
    pub(crate) scene: &'s Scene<'a>,
    width: usize,
    /// The rows so far.
    pub(crate) rows: Vec<Row>,
}

impl<'s, 'a> Facts<'s, 'a> {
    /// No facts yet.
    pub(crate) fn new(scene: &'s Scene<'a>, width: usize) -> Self {
        Self { scene, width, rows: Vec::new() }
    }

    /// Adds a fact.
    pub(crate) fn add(&mut self, label: &str, spans: &[Span], target: Option<Target>) {
        let column = if self.width >= 30 { LABEL } else { label.len() + 1 };
        let glyphs = self.scene.glyphs;
        let told = flow(spans, self.width.saturating_sub(column).max(1), 0, glyphs);
        for (index, row) in told.into_iter().enumerate() {
            let mut line = Line::new(self.width, glyphs);
            line = line.left(if index == 0 { label } else { "" }, column, Role::Muted);
            for span in row.spans {
                line.span(span);
            }
            let mut row = line.done();
            row.target = target;
            self.rows.push(row);
        }
    }
}

/// A number or an address.
pub(crate) fn number(words: impl Into<String>) -> Span {
    Span::new(words, Role::Number)
}

/// Ordinary words.
pub(crate) fn say(words: impl Into<String>) -> Span {
    Span::new(words, Role::Text)
}

/// Words of less weight.
pub(crate) fn muted(words: impl Into<String>) -> Span {
    Span::new(words, Role::Muted)
}
