//! Views: model and replay → rows of text with roles. No colours, no terminal types, no I/O.
//!
//! Every pane is a pure function of a [`Scene`] and a size. What it returns is painted by one painter in `ui`, and the
//! targets inside are what clicks, Enter and the selection use, so that drawing and hit testing cannot disagree.

pub mod breaks;
pub mod charts;
pub mod compare;
pub mod detail;
pub(crate) mod divergence;
pub mod events;
pub mod explain;
pub(crate) mod facts;
pub mod focus;
pub mod free;
pub mod glyphs;
pub mod growth;
pub mod hashed;
pub mod header;
pub mod holders;
pub mod lesson;
pub(crate) mod line;
pub mod live;
pub mod map;
pub mod memo;
pub(crate) mod misfit;
pub mod page_table;
pub(crate) mod retry;
pub(crate) mod script;
pub mod series;
pub mod step;
pub mod text;
pub mod timeline;
pub mod tree;
pub(crate) mod unplaced;
pub(crate) mod usage;
pub mod visible;
pub(crate) mod within;

pub use focus::focus_address;
pub use glyphs::{ASCII, Glyphs, UNICODE};

use crate::event::Seq;
use crate::replay::Replay;

/// What a piece of text means. The theme maps a role to a style at four colour depths; state is never told by colour
/// alone, so a glyph or a word goes with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// Ordinary text.
    #[default]
    Text,
    /// Less important text: units, separators, explanations.
    Muted,
    /// Titles and headings.
    Title,
    /// Keys to press.
    Key,
    /// In use.
    Busy,
    /// A hole.
    Free,
    /// Freed, not purged.
    Lazy,
    /// Parked in a pool.
    Pooled,
    /// The guard page of an area.
    Guard,
    /// A per-CPU chunk area.
    PerCpu,
    /// Changed by the current event.
    Changed,
    /// On the search path of the current step.
    Path,
    /// A red node of a tree.
    NodeRed,
    /// A black node of a tree.
    NodeBlack,
    /// As it should be: an exact prediction.
    Good,
    /// Worth a look: inferred, close to a limit, lost records.
    Warn,
    /// Wrong: failed, adopted, damaged.
    Bad,
    /// A number or address people compare.
    Number,
}

/// What a row or a span stands for: where a click or Enter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A record of the log.
    Event(Seq),
    /// An address: whatever lies there (area, hole, chunk).
    Address(u64),
    /// A sub-step of the current event, from 0.
    Step(usize),
}

/// What is picked, in all panes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Selection {
    /// Follow the current event: what it placed, freed or purged.
    #[default]
    Follow,
    /// An address, wherever the cursor goes.
    Address(u64),
}

/// A run of text of one role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    /// The text; never holds control characters.
    pub text: String,
    /// What it means.
    pub role: Role,
    /// Bold as well: the current thing among its like.
    pub strong: bool,
    /// Shown reversed: the selection.
    pub selected: bool,
    /// Where a click on it goes, if elsewhere than the row.
    pub target: Option<Target>,
}

impl Span {
    /// Plain text of a role.
    pub fn new(text: impl Into<String>, role: Role) -> Self {
        Self { text: text.into(), role, ..Self::default() }
    }
}

/// One line of a pane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// From left to right.
    pub spans: Vec<Span>,
    /// Where a click on it goes.
    pub target: Option<Target>,
    /// The cursor of the pane is on it.
    pub focused: bool,
}

impl Row {
    /// A row of one span.
    pub fn of(text: impl Into<String>, role: Role) -> Self {
        Self { spans: vec![Span::new(text, role)], ..Self::default() }
    }

    /// The bare text.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

/// What every view may look at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// Log, plan and state.
    pub replay: &'a Replay,
    /// The one selection.
    pub selection: Selection,
    /// Sub-step of the current event that is shown (`s` walks them); `None`: the event as a whole.
    pub sub_step: Option<usize>,
    /// Characters to draw with.
    pub glyphs: &'a Glyphs,
    /// Places the person has marked, ascending: records applied, and letter.
    pub marks: &'a [(usize, char)],
    /// What has been added up for this place of the cursor; `None`: everything is added up each time.
    pub memo: Option<&'a memo::Memo>,
}

impl Scene<'_> {
    /// An address in full, as wide as the machine's are.
    pub(crate) fn addr(&self, a: u64) -> String {
        text::addr(a, self.replay.plan().machine.is_32_bit)
    }

    /// Columns of an address in full.
    pub(crate) fn addr_width(&self) -> usize {
        text::addr_width(self.replay.plan().machine.is_32_bit)
    }
}

#[cfg(test)]
mod tests;
