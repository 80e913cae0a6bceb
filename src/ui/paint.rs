//! One painter for all panes: rows of roles onto the screen, and the same rows turned into [`Hit`]s for the mouse and
//! the cursor of a pane.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthStr;

use super::theme::Theme;
use crate::view::{Glyphs, Role, Row, Span, Target};

/// A stretch of a row that leads somewhere. Columns and rows count from the top left of the pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) y: u16,
    pub(crate) x: u16,
    pub(crate) width: u16,
    pub(crate) target: Target,
    /// The row as a whole rather than one of its spans.
    pub(crate) whole_row: bool,
}

impl Hit {
    /// How far column `x` is from the stretch.
    pub(crate) fn distance(&self, x: u16) -> u16 {
        let last = self.x + self.width.saturating_sub(1);
        if x < self.x { self.x - x } else { x.saturating_sub(last) }
    }
}

/// Everything in `rows` that leads somewhere, from the top, spans before the row they are in.
pub(crate) fn hits(rows: &[Row], width: u16) -> Vec<Hit> {
    let mut hits = Vec::new();
    for (row, y) in rows.iter().zip(0u16..) {
        let mut x = 0u16;
        for span in &row.spans {
            let columns = span.text.width() as u16;
            if let Some(target) = span.target.filter(|_| x < width) {
                hits.push(Hit { y, x, width: columns.min(width - x), target, whole_row: false });
            }
            x = x.saturating_add(columns);
        }
        if let Some(target) = row.target {
            hits.push(Hit { y, x: 0, width, target, whole_row: true });
        }
    }
    hits
}

/// The style of a span.
fn style_of(theme: Theme, span: &Span) -> Style {
    let mut style = theme.style(span.role);
    if span.strong {
        style = style.add_modifier(Modifier::BOLD);
    }
    if span.selected {
        style = style.add_modifier(Modifier::REVERSED);
    }
    style
}

/// Paints spans from the left of `area`'s first row; ends in an ellipsis if they do not fit. Answers the columns used.
pub(crate) fn spans(buffer: &mut Buffer, area: Rect, spans: &[Span], theme: Theme, glyphs: &Glyphs) -> u16 {
    let whole: usize = spans.iter().map(|span| span.text.width()).sum();
    let mut x = area.x;
    for span in spans {
        let room = area.right().saturating_sub(x);
        if room == 0 || area.height == 0 {
            break;
        }
        (x, _) = buffer.set_stringn(x, area.y, &span.text, usize::from(room), style_of(theme, span));
    }
    if usize::from(area.width) < whole && 0 < area.width && 0 < area.height {
        let cell = &mut buffer[(area.right() - 1, area.y)];
        cell.set_char(glyphs.ellipsis);
    }
    x - area.x
}

/// Paints rows into `area`. The row that `row.focused` is bold, the picked hit is reversed.
pub(crate) fn rows(buffer: &mut Buffer, area: Rect, rows: &[Row], picked: Option<Hit>, theme: Theme, glyphs: &Glyphs) {
    for (row, y) in rows.iter().zip(0..area.height) {
        let line = Rect { y: area.y + y, height: 1, ..area };
        spans(buffer, line, &row.spans, theme, glyphs);
        if row.focused {
            buffer.set_style(line, Style::new().add_modifier(Modifier::BOLD));
        }
    }
    if let Some(hit) = picked.filter(|hit| hit.y < area.height) {
        let cells = Rect { x: area.x + hit.x, y: area.y + hit.y, width: hit.width, height: 1 };
        buffer.set_style(cells.intersection(area), Style::new().add_modifier(Modifier::REVERSED));
    }
}

/// A row of plain words, as overlays use.
pub(crate) fn words(parts: &[(&str, Role)]) -> Row {
    Row { spans: parts.iter().map(|&(text, role)| Span::new(text, role)).collect(), ..Row::default() }
}
