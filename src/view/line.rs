//! [`Line`]: builds one row from left to right and never gets wider than it may.

use super::text;
use super::{Glyphs, Role, Row, Span, Target};

/// A row being written.
#[derive(Debug, Clone)]
pub(crate) struct Line<'g> {
    row: Row,
    used: usize,
    width: usize,
    glyphs: &'g Glyphs,
}

impl<'g> Line<'g> {
    /// An empty row of at most `width` columns.
    pub(crate) fn new(width: impl Into<usize>, glyphs: &'g Glyphs) -> Self {
        Self { row: Row::default(), used: 0, width: width.into(), glyphs }
    }

    /// Columns left.
    pub(crate) fn room(&self) -> usize {
        self.width - self.used
    }

    /// Columns written.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Writes text of a role, clipped to what is left.
    pub(crate) fn put(mut self, text: impl AsRef<str>, role: Role) -> Self {
        self.span(Span::new(text.as_ref(), role));
        self
    }

    /// Writes an address, clipped in front if it must be: its last digits are the ones that tell it from others.
    pub(crate) fn tail(self, address: &str, role: Role) -> Self {
        let clipped = text::clip_front(address, self.room(), self.glyphs).into_owned();
        self.put(clipped, role)
    }

    /// The same in bold.
    pub(crate) fn strong(mut self, text: impl AsRef<str>, role: Role) -> Self {
        self.span(Span { strong: true, ..Span::new(text.as_ref(), role) });
        self
    }

    /// Writes text in a column of its own width, flush left.
    pub(crate) fn left(self, text: impl AsRef<str>, columns: usize, role: Role) -> Self {
        let end = self.used + columns;
        let clipped = text::clip(text.as_ref(), columns, self.glyphs).into_owned();
        self.put(clipped, role).to(end)
    }

    /// Writes text in a column of its own width, flush right.
    pub(crate) fn right(self, text: impl AsRef<str>, columns: usize, role: Role) -> Self {
        let clipped = text::clip(text.as_ref(), columns, self.glyphs).into_owned();
        let gap = columns.saturating_sub(text::width(&clipped));
        self.gap(gap).put(clipped, role)
    }

    /// Blanks up to a column.
    pub(crate) fn to(self, column: usize) -> Self {
        let gap = column.saturating_sub(self.used);
        self.gap(gap)
    }

    /// Blanks.
    pub(crate) fn gap(mut self, columns: usize) -> Self {
        let columns = columns.min(self.room());
        if columns > 0 {
            self.row.spans.push(Span::new(" ".repeat(columns), Role::Text));
            self.used += columns;
        }
        self
    }

    /// Adds a finished span, clipped to what is left.
    pub(crate) fn span(&mut self, mut span: Span) {
        let clipped = text::clip(&span.text, self.room(), self.glyphs);
        if clipped.is_empty() {
            return;
        }
        self.used += text::width(&clipped);
        if let std::borrow::Cow::Owned(shorter) = clipped {
            span.text = shorter;
        }
        debug_assert!(!span.text.chars().any(char::is_control), "text from outside must be escaped");
        self.row.spans.push(span);
    }

    /// Where a click on the row goes.
    pub(crate) fn target(mut self, target: Target) -> Self {
        self.row.target = Some(target);
        self
    }

    /// The cursor of the pane is on the row.
    pub(crate) fn focused(mut self, focused: bool) -> Self {
        self.row.focused = focused;
        self
    }

    /// The row.
    pub(crate) fn done(self) -> Row {
        self.row
    }
}

/// A sentence on lines of at most `width` columns, broken between words; continuation lines start with `indent` blanks.
pub(crate) fn wrap(sentence: &str, role: Role, width: usize, indent: usize, glyphs: &Glyphs) -> Vec<Row> {
    flow(&[Span::new(sentence, role)], width, indent, glyphs)
}

/// Spans on lines of at most `width` columns, broken between words; continuation lines start with `indent` blanks.
/// Blanks at the beginning of the first line are kept, other runs of blanks become one.
pub(crate) fn flow(spans: &[Span], width: usize, indent: usize, glyphs: &Glyphs) -> Vec<Row> {
    let indent = if indent * 2 < width { indent } else { 0 };
    let mut rows = Vec::new();
    let mut line = Line::new(width, glyphs);
    if let Some(first) = spans.first() {
        line = line.gap(first.text.len() - first.text.trim_start_matches(' ').len());
    }
    // No blank before the first word of a line.
    let mut fresh = true;
    for (after_blank, pieces) in words(spans) {
        let gap = usize::from(after_blank && !fresh);
        let columns: usize = pieces.iter().map(|(text, _)| text::width(text)).sum();
        // A word longer than a line is clipped rather than broken.
        if !fresh && after_blank && line.room() < gap + columns {
            rows.push(std::mem::replace(&mut line, Line::new(width, glyphs).gap(indent)).done());
            fresh = true;
        }
        line = line.gap(usize::from(after_blank && !fresh));
        for (text, span) in pieces {
            line.span(Span { text: text.to_owned(), ..span.clone() });
        }
        fresh = false;
    }
    rows.push(line.done());
    rows
}

/// The words of spans, each with what tells whether a blank comes before it. A word can have pieces of several spans:
/// punctuation behind a number belongs to it.
fn words(spans: &[Span]) -> Vec<(bool, Vec<(&str, &Span)>)> {
    let mut words: Vec<(bool, Vec<(&str, &Span)>)> = Vec::new();
    let mut blank = false;
    for span in spans {
        for (place, piece) in span.text.split(' ').enumerate() {
            blank |= place > 0;
            if piece.is_empty() {
                continue;
            }
            match words.last_mut() {
                Some((_, pieces)) if !blank => pieces.push((piece, span)),
                _ => words.push((blank, vec![(piece, span)])),
            }
            blank = false;
        }
    }
    words
}

/// The rows a pane of `height` shows of `rows` when scrolled; never past the last row.
pub(crate) fn scrolled(mut rows: Vec<Row>, scroll: usize, height: u16) -> Vec<Row> {
    let height = usize::from(height);
    let top = scroll.min(rows.len().saturating_sub(height));
    rows.drain(..top);
    rows.truncate(height);
    rows
}

#[cfg(test)]
mod tests {
    use super::super::UNICODE;
    use super::*;

    #[test]
    fn punctuation_of_another_span_stays_with_its_word() {
        let spans = [Span::new("no new table", Role::Number), Span::new("; 2 PTEs", Role::Text)];
        for width in 8..=21 {
            let told: Vec<String> = flow(&spans, width, 2, &UNICODE)
                .iter()
                .map(|row| row.spans.iter().map(|span| span.text.as_str()).collect::<String>().trim().to_owned())
                .collect();
            assert_eq!(told.join(" "), "no new table; 2 PTEs", "in {width} columns");
        }
    }
}
