//! A still of the screen, or of one pane, as a picture.

use std::io::Write;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Color, Modifier};

use super::app::App;
use super::draw;
use super::keymap::Keymap;
use super::pane::{Arrangement, PANES, PaneId};
use super::theme::{Depth, Theme};
use crate::export::svg::{self, Cell, Look, Screen};
use crate::export::{About, ExportError};
use crate::replay::Replay;
use crate::view::UNICODE;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    /// `screen`, or a pane.
    pub name: &'a str,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Dark on light.
    pub is_light: bool,
    /// The state after so many records.
    pub at: usize,
}

/// The names a [`View`] can have.
pub fn names() -> Vec<&'static str> {
    ["screen"].into_iter().chain(PANES.iter().map(|pane| pane.name())).collect()
}

/// Writes a view of a replay as a picture; `None` if there is no such view, or it is not there for this input.
pub fn write_svg(mut replay: Replay, view: View<'_>, to: impl Write) -> Option<Result<(), ExportError>> {
    let pane = PaneId::named(view.name);
    if pane.is_none() && view.name != "screen" {
        return None;
    }
    let at = view.at.min(replay.len());
    replay.seek(at, usize::MAX);
    let about = About::of(&replay);
    let title = format!("{}: {} after {at} records", about.input, view.name);
    let theme = Theme { depth: Depth::True, light: view.is_light };
    let size = Size { width: view.size.0, height: view.size.1 };
    // The built-in table of keys can be read: a test says so.
    let mut app = App::new(replay, size, Keymap::new(None).ok()?, theme, &UNICODE);
    if let Some(pane) = pane {
        if pane == PaneId::Charts {
            app.arrangement = Arrangement::Charts;
        }
        (app.focus, app.zoom) = (pane, true);
        app.fit_map();
    }
    let screen = screen_of(&app, pane)?;
    Some(svg::write(&screen, &about, &title, to))
}

/// The frame as it is now, or a part of it; `None` if it is not on the screen.
pub(crate) fn screen_of(app: &App, pane: Option<PaneId>) -> Option<Screen> {
    let whole = Rect { x: 0, y: 0, width: app.size.width, height: app.size.height };
    let part = match pane {
        Some(pane) => app.regions().panes.iter().find(|shown| shown.id == pane)?.outer,
        None => whole,
    };
    let mut terminal = match Terminal::new(TestBackend::new(whole.width, whole.height)) {
        Ok(terminal) => terminal,
        Err(never) => match never {},
    };
    match terminal.draw(|frame| draw::draw(app, frame)) {
        Ok(_) => {}
        Err(never) => match never {},
    }
    Some(cells_of(terminal.backend().buffer(), part, app.theme.light))
}

fn cells_of(buffer: &Buffer, part: Rect, is_light: bool) -> Screen {
    let part = part.intersection(buffer.area);
    let mut cells = Vec::with_capacity(usize::from(part.width) * usize::from(part.height));
    for y in part.top()..part.bottom() {
        for x in part.left()..part.right() {
            let cell = &buffer[(x, y)];
            let has = |modifier| cell.modifier.contains(modifier);
            let look = Look {
                fg: rgb(cell.fg, is_light),
                bg: rgb(cell.bg, is_light),
                is_reversed: has(Modifier::REVERSED),
                is_bold: has(Modifier::BOLD),
                is_underlined: has(Modifier::UNDERLINED),
            };
            cells.push(Cell { text: cell.symbol().to_owned(), look });
        }
    }
    Screen { width: part.width, height: part.height, cells, is_light }
}

/// The colour of a cell; at full depth the theme names no others than these.
fn rgb(colour: Color, is_light: bool) -> Option<u32> {
    match colour {
        Color::Rgb(r, g, b) => Some(u32::from_be_bytes([0, r, g, b])),
        Color::Reset => None,
        Color::Black => Some(0),
        Color::White => Some(0xff_ff_ff),
        Color::DarkGray | Color::Gray => Some(0x80_80_80),
        _ => Some(if is_light { 0x20_24_2a } else { 0xd8_dc_e2 }),
    }
}
