//! [`Overlay`]: what lies over the panes. A stack; the top one gets the keys.

pub(crate) mod condition;
pub(crate) mod explain;
pub(crate) mod help;
pub(crate) mod lanes;
pub(crate) mod palette;
pub(crate) mod problems;

use parsers::condition::ConditionError;
use ratatui::layout::{Rect, Size};
use tui_input::Input;

use super::jumps::Spot;

/// Lines longer than this are hard to read.
const WIDEST: u16 = 104;

/// One overlay.
#[derive(Debug, Clone)]
pub(crate) enum Overlay {
    /// Keys, signs and words; scrolled.
    Help { scroll: usize },
    /// Damaged records; scrolled.
    Problems { scroll: usize },
    /// Why a request failed, or why an area lies where it lies; scrolled.
    Explain(explain::Read),
    /// Actions by name.
    Palette { input: Input, picked: usize },
    /// The prompt for a break: which condition of the history is shown, and what is wrong with what was entered.
    Break { input: Input, recalled: Option<usize>, error: Option<ConditionError> },
    /// The breaks.
    Breaks { picked: usize },
    /// What can be written to a file.
    Export { picked: usize },
    /// The marks.
    Marks { picked: usize },
    /// The policies that can be compared.
    Policies { picked: usize },
    /// What is changed about the machine of a lane.
    WhatIf(lanes::Form),
    /// The search prompt, and where to return to.
    Search { input: Input, from: Spot },
}

/// Where an overlay that is read lies: the middle of the screen, all of a small one.
pub(crate) fn area(screen: Size) -> Rect {
    let width = screen.width.min(WIDEST);
    let height = if screen.height <= 30 { screen.height } else { screen.height - 6 };
    Rect { x: (screen.width - width) / 2, y: (screen.height - height) / 2, width, height }
}

/// What its rows fill.
pub(crate) fn inner_size(screen: Size) -> Size {
    let area = area(screen);
    Size { width: area.width.saturating_sub(4), height: area.height.saturating_sub(2) }
}
