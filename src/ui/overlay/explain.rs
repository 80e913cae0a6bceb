//! An explanation over the panes: the rows of [`view::explain`](crate::view::explain), scrolled.

use ratatui::layout::Size;

use super::super::app::App;
use super::super::content::Hidden;
use super::inner_size;
use crate::insight::explain::{Explanation, WhyHere};
use crate::view::Row;
use crate::view::explain::{Page, here_rows, rows};

/// What is explained.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// A request.
    Failure(Box<Explanation>),
    /// Where an area lies.
    Here(Box<WhyHere>),
}

/// An explanation being read.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) told: Told,
    pub(crate) scroll: usize,
}

impl Read {
    pub(crate) fn new(told: Told) -> Self {
        Self { told, scroll: 0 }
    }

    /// All of its rows.
    pub(crate) fn rows(&self, app: &App, width: u16) -> Vec<Row> {
        let is_32_bit = app.replay.plan().machine.is_32_bit;
        let page = Page { log: app.replay.log(), glyphs: app.glyphs, width: width.into(), is_32_bit };
        match &self.told {
            Told::Failure(told) => rows(told, &page),
            Told::Here(told) => here_rows(told, &page),
        }
    }

    /// How far it can be scrolled.
    pub(crate) fn last(&self, app: &App, size: Size) -> usize {
        self.rows(app, size.width).len().saturating_sub(size.height.into())
    }

    /// The rows in sight, what is above and below, and the title.
    pub(crate) fn shown(&self, app: &App, screen: Size) -> (Vec<Row>, Hidden, String) {
        let size = inner_size(screen);
        let rows = self.rows(app, size.width);
        let n = rows.len();
        let top = self.scroll.min(n.saturating_sub(size.height.into()));
        let shown: Vec<Row> = rows.into_iter().skip(top).take(size.height.into()).collect();
        let what = match self.told {
            Told::Failure(_) => "why it failed",
            Told::Here(_) => "why here and not lower",
        };
        let title = format!(" {what}   {}-{} of {n}   Esc closes ", top + 1, top + shown.len());
        let hidden = Hidden { above: top, below: n - top - shown.len(), at_least: false };
        (shown, hidden, title)
    }
}
