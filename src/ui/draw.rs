//! [`draw`]: an [`App`] on a frame. Decides nothing: what is where comes from `layout`, what it says from the views.

use std::time::Duration;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Modifier, Style};
use ratatui::symbols::border;
use ratatui::widgets::{Block, Borders, Clear, Widget};
use unicode_width::UnicodeWidthStr;

use super::app::App;
use super::content::Hidden;
use super::footer::{footer, prompt};
use super::layout::{self, PaneBox, SMALLEST};
use super::overlay::{self, Overlay, condition, help, lanes, palette, problems};
use super::pane::PaneId;
use super::theme::Theme;
use super::{charts, content, export, followed, lesson, paint};
use crate::insight::Way;
use crate::view::header::Play;
use crate::view::{self, Glyphs, Role, Row, Span};

/// Borders for terminals without line-drawing characters; the focused pane's is doubled.
const PLAIN: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};
const PLAIN_FOCUSED: border::Set<'static> =
    border::Set { horizontal_top: "=", horizontal_bottom: "=", vertical_left: "#", vertical_right: "#", ..PLAIN };

/// Puts everything on the frame.
pub(crate) fn draw(app: &App, frame: &mut Frame<'_>) {
    let size = frame.area().as_size();
    let buffer = frame.buffer_mut();
    let regions = layout::regions(size, app.wanted());
    if regions.too_small {
        too_small(buffer, size);
        return;
    }
    header(app, buffer, regions.header);
    tab_strip(app, buffer, regions.tabs);
    for pane in &regions.panes {
        draw_pane(app, buffer, pane);
    }
    footer(app, buffer, &regions);
    for overlay in &app.overlays {
        draw_overlay(app, buffer, size, overlay);
    }
}

/// What is being read, before there is anything to show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loading<'a> {
    /// Name of the input.
    pub(crate) name: &'a str,
    /// How far it is.
    pub(crate) words: &'a str,
}

/// Puts the sentence of a long read on the frame.
pub(crate) fn loading(loading: &Loading<'_>, since: Duration, frame: &mut Frame<'_>) {
    let (size, seconds) = (frame.area().as_size(), since.as_secs());
    let text =
        format!("Reading {} and replaying it once: {}, {seconds} s. Ctrl-C or q leaves.", loading.name, loading.words);
    sentence(frame.buffer_mut(), size, &text);
}

fn too_small(buffer: &mut Buffer, size: Size) {
    let text = format!("Too small: vmaplens needs {} columns and {} rows.", SMALLEST.width, SMALLEST.height);
    sentence(buffer, size, &text);
}

/// One sentence, over as many lines as it takes.
fn sentence(buffer: &mut Buffer, size: Size, sentence: &str) {
    let mut y = 0;
    let mut x = 0;
    for word in sentence.split(' ') {
        let width = word.width() as u16;
        if 0 < x && size.width < x + width {
            y += 1;
            x = 0;
        }
        if y < size.height {
            buffer.set_stringn(x, y, word, usize::from(size.width.saturating_sub(x)), Style::new());
        }
        x += width + 1;
    }
}

/// Rows of the prompt for a break: what one is looking at stays in sight.
const BREAK_ROWS: u16 = 34;
/// Below this width place and trust have a line each.
const NARROW: u16 = 60;
/// Width at which the header has both in one line, in short words.
const BOTH: u16 = 75;
/// The greatest width at which the header takes two lines.
const TWO_LINES: u16 = 99;

/// The widest gap of a row: what is left of it belongs together, and what is right of it.
fn widest_gap(row: &Row) -> Option<usize> {
    let gaps = row.spans.iter().enumerate().skip(1).filter(|(_, span)| span.text.trim().is_empty());
    gaps.max_by_key(|(_, span)| span.text.width()).map(|(at, _)| at)
}

/// Makes a row wider by so many columns.
fn stretch(row: &mut Row, by: u16) {
    if let Some(at) = widest_gap(row) {
        row.spans[at].text.extend(std::iter::repeat_n(' ', usize::from(by)));
    }
}

/// A row cut in two at its widest gap.
fn halves(row: Row) -> Vec<Row> {
    let Some(at) = widest_gap(&row) else { return vec![row] };
    let mut first = row.spans;
    let second = first.split_off(at);
    let indent = Span::new(" ", Role::Text);
    let second = std::iter::once(indent).chain(second.into_iter().skip(1)).collect();
    vec![Row { spans: first, ..Row::default() }, Row { spans: second, ..Row::default() }]
}

fn header(app: &App, buffer: &mut Buffer, area: Rect) {
    let play = Play {
        playing: app.playing.is_some(),
        speed: app.speed.label(),
        seeking: app.seeking.map(|seeking| (seeking.at, seeking.target)),
        hunting: app.hunting.as_ref().map(|hunt| (hunt.way() == Way::Forward, hunt.progress(&app.replay))),
        message: None,
        loading: app.loading.clone(),
        following: followed::following(app),
    };
    let mut rows = match (area.width, area.height) {
        (..NARROW, 2) => {
            // What the input is has no room: which event, and below it whether to trust it.
            let rows = view::header::rows(&app.scene(), BOTH, &play);
            rows.into_iter().next_back().map(halves).unwrap_or_default()
        }
        // Two lines even where one line of that width would do: with less in each, nothing is left out.
        (width, 2) => {
            let mut rows = view::header::rows(&app.scene(), width.min(TWO_LINES), &play);
            if let Some(last) = rows.last_mut() {
                stretch(last, width.saturating_sub(TWO_LINES));
            }
            rows
        }
        (width, _) => view::header::rows(&app.scene(), width, &play),
    };
    // Where there is one line for two, the second matters more: it says which event is shown.
    rows.drain(..rows.len().saturating_sub(usize::from(area.height)));
    paint::rows(buffer, area, &rows, None, app.theme, app.glyphs);
}

/// A name in the tab strip.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tab {
    pub(crate) x: u16,
    pub(crate) width: u16,
    pub(crate) pane: PaneId,
}

/// Where the names of the tab strip are. Where they do not fit, the focused one and its neighbours are shown.
pub(crate) fn tabs(app: &App, width: u16) -> Vec<Tab> {
    let panes = app.focusable();
    let widths: Vec<u16> = panes.iter().map(|pane| pane.name().width() as u16 + 2).collect();
    let at = panes.iter().position(|&pane| pane == app.focus).unwrap_or(0);
    let mut first = 0;
    // One column on each side is for an ellipsis.
    while first < at && width < widths[first..=at].iter().sum::<u16>() + 2 {
        first += 1;
    }
    let mut x = 1;
    let mut tabs = Vec::new();
    for (&pane, &columns) in panes.iter().zip(&widths).skip(first) {
        if width < x + columns + 1 {
            break;
        }
        tabs.push(Tab { x, width: columns, pane });
        x += columns;
    }
    tabs
}

fn tab_strip(app: &App, buffer: &mut Buffer, area: Rect) {
    if area.is_empty() {
        return;
    }
    let tabs = tabs(app, area.width);
    let muted = app.theme.style(Role::Muted);
    for tab in &tabs {
        let focused = tab.pane == app.focus;
        let text = match (focused, app.glyphs.ascii) {
            (true, true) => format!("[{}]", tab.pane.name()),
            _ => format!(" {} ", tab.pane.name()),
        };
        let style = if focused {
            app.theme.style(Role::Title).add_modifier(Modifier::REVERSED | Modifier::BOLD)
        } else {
            muted
        };
        buffer.set_string(area.x + tab.x, area.y, text, style);
    }
    let (first, last) = (tabs.first().map(|tab| tab.pane), tabs.last());
    let panes = app.focusable();
    if first != panes.first().copied() {
        buffer[(area.x, area.y)].set_char(app.glyphs.ellipsis).set_style(muted);
    }
    if let Some(last) = last.filter(|last| Some(last.pane) != panes.last().copied()) {
        buffer[(area.x + last.x + last.width, area.y)].set_char(app.glyphs.ellipsis).set_style(muted);
    }
}

pub(crate) fn draw_pane(app: &App, buffer: &mut Buffer, pane: &PaneBox) {
    let focused = pane.id == app.focus;
    if pane.has_border() {
        let mut title = vec![Span::new(" ", Role::Title)];
        title.extend(content::title(app, pane.id));
        title.push(Span::new(" ", Role::Title));
        if focused {
            for span in &mut title {
                span.strong = true;
            }
        }
        frame_of(buffer, pane.outer, focused, &title, app.theme, app.glyphs);
    }
    if pane.id == PaneId::Charts {
        charts::draw(app, buffer, pane.inner);
        return;
    }
    let rows = content::rows(app, pane.id, pane.inner.as_size());
    if pane.has_border() {
        let hidden = content::hidden(app, pane.id, pane.inner.as_size(), &rows);
        scroll_sign(app, buffer, pane.outer, focused, hidden);
    }
    if pane.id == PaneId::Lesson {
        lesson_keys(app, buffer, pane.outer);
    }
    let picked = if focused { content::picked(app.pick, pane.id, &rows, pane.inner.width) } else { None };
    paint::rows(buffer, pane.inner, &rows, picked, app.theme, app.glyphs);
}

/// The keys that go on, in the lower border of a lesson.
fn lesson_keys(app: &App, buffer: &mut Buffer, area: Rect) {
    for hint in lesson::hints(app, area.width) {
        let line = Rect { x: area.x + hint.x - 1, y: area.bottom() - 1, width: hint.width + 2, height: 1 };
        let key = Span { strong: true, ..Span::new(format!(" {}", hint.key), Role::Key) };
        paint::spans(buffer, line, &[key, Span::new(format!(" {} ", hint.word), Role::Text)], app.theme, app.glyphs);
    }
}

/// What is above and below the rows in sight, in the lower border.
fn scroll_sign(app: &App, buffer: &mut Buffer, area: Rect, focused: bool, hidden: Hidden) {
    let (up, down) = if app.glyphs.ascii { ('^', 'v') } else { ('▲', '▼') };
    let above = if 0 < hidden.above { format!(" {up} {}", hidden.above) } else { String::new() };
    let plus = if hidden.at_least { "+" } else { "" };
    let below = if 0 < hidden.below { format!(" {down} {}{plus} more", hidden.below) } else { String::new() };
    let text = format!("{above}{below} ");
    let width = text.width() as u16;
    if text.len() <= 1 || area.width < width + 4 {
        return;
    }
    buffer.set_string(area.right() - 2 - width, area.bottom() - 1, text, app.theme.border(focused));
}

/// A border with a title in it.
fn frame_of(buffer: &mut Buffer, area: Rect, focused: bool, title: &[Span], theme: Theme, glyphs: &Glyphs) {
    let set = match (glyphs.ascii, focused) {
        (true, true) => PLAIN_FOCUSED,
        (true, false) => PLAIN,
        (false, true) => border::THICK,
        (false, false) => border::ROUNDED,
    };
    let block = Block::new().borders(Borders::ALL).border_set(set).border_style(theme.border(focused));
    block.render(area, buffer);
    if 6 < area.width {
        let line = Rect { x: area.x + 2, y: area.y, width: area.width - 4, height: 1 };
        paint::spans(buffer, line, title, theme, glyphs);
    }
}

fn draw_overlay(app: &App, buffer: &mut Buffer, screen: Size, overlay: &Overlay) {
    let area = overlay::area(screen);
    match overlay {
        Overlay::Help { scroll } => {
            let size = overlay::inner_size(screen);
            let rows = help::rows(app, size.width);
            let end = (scroll + usize::from(size.height)).min(rows.len());
            let title = format!(" help: {}   {}-{end} of {} ", app.focus.name(), scroll + 1, rows.len());
            sheet(app, buffer, area, &title, &rows[(*scroll).min(rows.len())..end]);
            scroll_sign(app, buffer, area, true, Hidden { above: *scroll, below: rows.len() - end, at_least: false });
        }
        Overlay::Explain(read) => {
            let (rows, hidden, title) = read.shown(app, screen);
            sheet(app, buffer, area, &title, &rows);
            scroll_sign(app, buffer, area, true, hidden);
        }
        Overlay::Problems { scroll } => {
            let size = overlay::inner_size(screen);
            let n = app.replay.log().problems.len();
            let title = match n {
                0 => " problems ".to_owned(),
                _ => format!(" problems   {} of {n}   Enter goes there ", scroll + 1),
            };
            let rows = problems::rows(app, *scroll, size.width, usize::from(size.height));
            sheet(app, buffer, area, &title, &rows);
        }
        Overlay::Palette { input, picked } => {
            let entries = palette::entries(app, input.value());
            let width = area.width.saturating_sub(4);
            let told = palette::description(app, &entries, *picked, width);
            let list_rows = palette::list_rows(screen, told.len(), entries.len());
            let area = Rect { height: (list_rows + told.len() + 4) as u16, ..area }.intersection(area);
            sheet(app, buffer, area, " actions   Tab completes, Enter runs, Esc closes ", &[]);
            let line = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: 1 };
            prompt(app, buffer, line, ":", input, "");
            let (mut rows, hidden) = palette::rows(app, &entries, *picked, list_rows);
            let blank = list_rows + 1 - rows.len().min(list_rows);
            rows.extend(std::iter::repeat_n(Row::default(), blank));
            rows.extend(told);
            let list = Rect { x: area.x + 2, y: area.y + 2, width, height: area.height.saturating_sub(3) };
            paint::rows(buffer, list, &rows, None, app.theme, app.glyphs);
            scroll_sign(app, buffer, area, true, hidden);
        }
        Overlay::Break { input, error, .. } => {
            let area = Rect { height: area.height.min(BREAK_ROWS), ..area };
            sheet(app, buffer, area, " break   Enter sets it, Tab completes, Up recalls, Esc closes ", &[]);
            let line = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: 1 };
            prompt(app, buffer, line, ":", input, "");
            // As the prompt scrolls its text.
            let skip = input.visual_scroll(usize::from(line.width.saturating_sub(6)));
            let width = area.width.saturating_sub(4);
            let rows = condition::rows(app, input.value(), error.as_ref(), skip, width);
            let list = Rect { x: area.x + 2, y: area.y + 2, width, height: area.height.saturating_sub(3) };
            paint::rows(buffer, list, &rows, None, app.theme, app.glyphs);
            let below = rows.len().saturating_sub(usize::from(list.height));
            scroll_sign(app, buffer, area, true, Hidden { above: 0, below, at_least: false });
        }
        Overlay::Breaks { picked } => {
            let rows = condition::breaks(app, *picked, area.width.saturating_sub(4));
            let title = " breaks   Space on or off, d deletes, b a new one, Esc closes ";
            list_sheet(app, buffer, area, title, &rows, *picked);
        }
        Overlay::Marks { picked } => {
            let rows = condition::marks(app, *picked);
            list_sheet(app, buffer, area, " marks   Enter goes there, d deletes, Esc closes ", &rows, *picked);
        }
        Overlay::Policies { picked } => {
            let inner = overlay::inner_size(screen);
            let (rows, hidden) = lanes::policies(app, *picked, inner.width, inner.height);
            sheet(app, buffer, area, " policies   Space in or out, 1-4 into that lane, Esc closes ", &rows);
            scroll_sign(app, buffer, area, true, hidden);
        }
        Overlay::WhatIf(form) => {
            let rows = lanes::form(app, form, area.width.saturating_sub(4));
            let area = Rect { height: area.height.min(rows.len() as u16 + 3), ..area };
            let title = match form.input {
                Some(_) => " what if   Enter runs again, empty undoes, Esc leaves it ",
                None => " what if   Enter changes, d undoes, Tab other lane, Esc closes ",
            };
            sheet(app, buffer, area, title, &rows);
        }
        Overlay::Export { picked } => {
            let rows = export::rows(app, (*picked).min(export::CHOICES.len() - 1));
            list_sheet(app, buffer, area, " export   Enter writes a file here, Esc closes ", &rows, *picked);
        }
        // The prompt is in the footer.
        Overlay::Search { .. } => {}
    }
}

/// A sheet as high as its rows, around the picked one.
fn list_sheet(app: &App, buffer: &mut Buffer, area: Rect, title: &str, rows: &[Row], picked: usize) {
    let height = usize::from(area.height.saturating_sub(2)).max(1);
    let shown = rows.len().min(height);
    let top = picked.saturating_sub(height / 2).min(rows.len() - shown);
    let area = Rect { height: shown as u16 + 2, ..area }.intersection(area);
    sheet(app, buffer, area, title, &rows[top..top + shown]);
    let hidden = Hidden { above: top, below: rows.len() - top - shown, at_least: false };
    scroll_sign(app, buffer, area, true, hidden);
}

/// A framed sheet over whatever is below.
fn sheet(app: &App, buffer: &mut Buffer, area: Rect, title: &str, rows: &[Row]) {
    Clear.render(area, buffer);
    frame_of(buffer, area, true, &[Span::new(title, Role::Title)], app.theme, app.glyphs);
    let inner = Rect {
        x: area.x + 2,
        y: area.y + 1,
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    };
    paint::rows(buffer, inner, rows, None, app.theme, app.glyphs);
}
