//! [`draw`]: an [`App`] on a frame. Decides nothing: what is where comes from `layout`, what it says from the views.

use std::time::Duration;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Modifier, Style};
use ratatui::symbols::border;
use ratatui::widgets::{Block, Borders, Clear, Widget};
use unicode_width::UnicodeWidthStr;

use super::action::{ACTIONS, Action, Place, Section, Spec};
use super::app::{App, Pending};
use super::layout::{self, PaneBox, Regions, SMALLEST};
use super::overlay::{self, Overlay, help, palette, problems};
use super::pane::PaneId;
use super::theme::Theme;
use super::{content, paint};
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

/// A palette higher than this hides what one is looking at.
const PALETTE_ROWS: usize = 18;

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
}

/// Puts the sentence of a long read on the frame.
pub(crate) fn loading(loading: &Loading<'_>, since: Duration, frame: &mut Frame<'_>) {
    let size = frame.area().as_size();
    let seconds = since.as_secs();
    let text = format!("Reading {} and replaying it once: {seconds} s. Ctrl-C or q leaves.", loading.name);
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

fn header(app: &App, buffer: &mut Buffer, area: Rect) {
    let play = Play {
        playing: app.playing.is_some(),
        speed: app.speed.label(),
        seeking: app.seeking.map(|seeking| (seeking.at, seeking.target)),
        message: None,
    };
    let mut rows = view::header::rows(&app.scene(), area.width, &play);
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
    let panes = app.subject().panes();
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
    let panes = app.subject().panes();
    if first != panes.first().copied() {
        buffer[(area.x, area.y)].set_char(app.glyphs.ellipsis).set_style(muted);
    }
    if let Some(last) = last.filter(|last| Some(last.pane) != panes.last().copied()) {
        buffer[(area.x + last.x + last.width, area.y)].set_char(app.glyphs.ellipsis).set_style(muted);
    }
}

fn draw_pane(app: &App, buffer: &mut Buffer, pane: &PaneBox) {
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
    let rows = content::rows(app, pane.id, pane.inner.as_size());
    let picked = if focused { content::picked(app.pick, pane.id, &rows, pane.inner.width) } else { None };
    paint::rows(buffer, pane.inner, &rows, picked, app.theme, app.glyphs);
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

/// A key and its word in the footer.
#[derive(Debug, Clone)]
pub(crate) struct Hint {
    pub(crate) x: u16,
    pub(crate) width: u16,
    pub(crate) action: Action,
    key: String,
    word: &'static str,
}

/// The footer's hints: those of the focused pane first, then as many as fit; help and quit always.
pub(crate) fn hints(app: &App, width: u16) -> Vec<Hint> {
    const ALWAYS: [Action; 2] = [Action::Help, Action::Quit];
    let hint = |spec: &Spec| {
        let key = app.keymap.label(spec.action);
        let columns = (key.width() + 1 + spec.hint.width()) as u16;
        (!key.is_empty()).then_some(Hint { x: 0, width: columns, action: spec.action, key, word: spec.hint })
    };
    // A snapshot has no time to move through.
    let useful = |spec: &&Spec| {
        !app.replay.is_empty() || !matches!(spec.section, Section::Time | Section::Inside | Section::Find)
    };
    let shown = ACTIONS.iter().filter(|spec| !spec.hint.is_empty() && !ALWAYS.contains(&spec.action)).filter(useful);
    let (own, rest): (Vec<_>, Vec<_>) = shown
        .filter(|spec| matches!(spec.place, Place::Anywhere) || spec.place == Place::Pane(app.focus))
        .partition(|spec| spec.place != Place::Anywhere);
    let always: Vec<Hint> = ALWAYS.iter().filter_map(|&action| hint(super::action::spec(action))).collect();
    let reserved: u16 = always.iter().map(|hint| hint.width + 2).sum();
    let mut x = 1;
    let mut hints = Vec::new();
    for mut one in own.into_iter().chain(rest).filter_map(hint) {
        if width < x + one.width + 2 + reserved {
            continue;
        }
        one.x = x;
        x += one.width + 2;
        hints.push(one);
    }
    for mut one in always {
        one.x = x;
        x += one.width + 2;
        hints.push(one);
    }
    hints
}

fn footer(app: &App, buffer: &mut Buffer, regions: &Regions) {
    let area = regions.footer;
    let mut spans = vec![Span::new(" ", Role::Text)];
    if let Some(Overlay::Search { input, from }) = app.overlays.last() {
        let shown = app.heading().checked_sub(1).filter(|_| app.heading() != from.cursor);
        let count =
            if app.search.is_stale() || app.search.text().is_empty() { String::new() } else { app.search.count(shown) };
        prompt(app, buffer, area, "/", input, &count);
        return;
    }
    match (&app.pending, &app.message) {
        (Pending::Count { value, .. }, _) => {
            let key = app.key(Action::Bottom);
            spans.push(Span::new(format!("{value}"), Role::Key));
            spans.push(Span::new(format!("   {key} goes to event {value}, another key repeats"), Role::Text));
        }
        (Pending::First(key), _) => spans.push(Span::new(format!("{} and another key", key.label()), Role::Key)),
        (Pending::SetMark, _) => spans.push(Span::new("mark this place: press a letter", Role::Key)),
        (Pending::GoMark, _) => {
            let known: Vec<String> = app.marks.keys().map(char::to_string).collect();
            let known = if known.is_empty() { "none set yet".to_owned() } else { known.join(" ") };
            spans.push(Span::new(format!("go to a mark: press its letter ({known})"), Role::Key));
        }
        (Pending::Nothing, Some(message)) => spans.push(Span::new(message.text.as_str(), Role::Title)),
        (Pending::Nothing, None) => {
            spans.clear();
            let mut x = 0;
            for hint in hints(app, area.width) {
                spans.push(Span::new(" ".repeat(usize::from(hint.x - x)), Role::Text));
                spans.push(Span::new(hint.key, Role::Key));
                spans.push(Span::new(format!(" {}", hint.word), Role::Muted));
                x = hint.x + hint.width;
            }
        }
    }
    paint::spans(buffer, area, &spans, app.theme, app.glyphs);
}

/// A line of input: what for, the text with its cursor, and a word at the right end.
fn prompt(app: &App, buffer: &mut Buffer, area: Rect, sign: &str, input: &tui_input::Input, right: &str) {
    let room = area.width.saturating_sub(3 + right.width() as u16 + 2);
    let skip = input.visual_scroll(usize::from(room).saturating_sub(1));
    let style = app.theme.style(Role::Text);
    buffer.set_stringn(area.x, area.y, format!(" {sign}"), 2, app.theme.style(Role::Key));
    let shown: String = input.value().chars().skip(skip).collect();
    buffer.set_stringn(area.x + 2, area.y, &shown, usize::from(room), style);
    let cursor = area.x + 2 + (input.visual_cursor().saturating_sub(skip) as u16).min(room.saturating_sub(1));
    if area.x <= cursor && cursor < area.right() {
        buffer[(cursor, area.y)].set_style(Style::new().add_modifier(Modifier::REVERSED));
    }
    let at = area.right().saturating_sub(right.width() as u16 + 1).max(area.x);
    buffer.set_stringn(at, area.y, right, usize::from(area.right() - at), app.theme.style(Role::Number));
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
            let rows = (entries.len().max(1) + 3).min(PALETTE_ROWS) as u16;
            let area = Rect { height: area.height.min(rows), ..area };
            sheet(app, buffer, area, " actions   Tab completes, Enter runs, Esc closes ", &[]);
            let line = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: 1 };
            prompt(app, buffer, line, ":", input, "");
            let list = Rect { x: area.x + 2, y: area.y + 2, width: area.width - 4, height: area.height - 3 };
            let rows = palette_rows(app, &entries, *picked, list.as_size());
            paint::rows(buffer, list, &rows, None, app.theme, app.glyphs);
        }
        // The prompt is in the footer.
        Overlay::Search { .. } => {}
    }
}

fn palette_rows(app: &App, entries: &[palette::Entry], picked: usize, size: Size) -> Vec<Row> {
    let height = usize::from(size.height);
    if entries.is_empty() {
        return vec![Row::of("No action has these letters in this order.", Role::Muted)];
    }
    let picked = picked.min(entries.len() - 1);
    let top = picked.saturating_sub(height.saturating_sub(1)).min(entries.len().saturating_sub(1));
    let name_of = |entry: &palette::Entry| {
        if entry.arguments.is_empty() { entry.name.to_owned() } else { format!("{} ...", entry.name) }
    };
    let names = entries.iter().map(|entry| name_of(entry).width()).max().unwrap_or(0);
    let keys = entries.iter().map(|entry| entry.keys.width()).max().unwrap_or(0);
    let shown = entries.iter().enumerate().skip(top).take(height);
    shown
        .map(|(at, entry)| {
            let mark = if at == picked { app.glyphs.cursor } else { ' ' };
            let name = name_of(entry);
            let title = match entry.arguments {
                "" => entry.title.to_owned(),
                arguments => format!("{}: {arguments}", entry.title),
            };
            let mut spans = vec![
                Span::new(format!("{mark} {name:<names$}  "), Role::Title),
                Span::new(format!("{:<keys$}  ", entry.keys), Role::Key),
                Span::new(title, Role::Text),
            ];
            for span in &mut spans {
                span.selected = at == picked;
            }
            Row { spans, ..Row::default() }
        })
        .collect()
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
