//! Tests of the interface without a terminal: keys in, frames out.

mod arrive;
mod bounded;
mod breaks;
mod charts;
mod compare;
mod explain;
mod exports;
mod followed;
mod frames;
mod lessons;
mod live;
mod moves;
mod newcomer;
mod table;

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;

use super::app::App;
use super::keymap::Keymap;
use super::msg::{Effect, Msg};
use super::theme::{Depth, Theme};
use super::update::update;
use crate::event::{Addr, Event, EventKind, Nanos};
use crate::log::{Log, Window};
use crate::replay::{Replay, Settings};
use crate::view::{ASCII, UNICODE};

/// Where the test trace allocates from.
const START: u64 = 0xffff_c900_0000_0000;

/// A trace of 30 records, a tenth of a millisecond apart: #0-#9 allocate 8 KiB each, #10 frees the third, #11 is a
/// mark, #12-#19 free and allocate in turn, #20 purges, #21 fails, #22-#29 allocate 16 KiB.
fn log() -> Log {
    let mut log = Log::default();
    log.origin.name = "thirty".to_owned();
    log.origin.kernel = Some("6.12.0".to_owned());
    log.origin.cpus_possible = Some(2);
    log.origin.cpus_online = Some(2);
    let window = log.names.add_window(Window { vstart: START, vend: 0xffff_e8ff_ffff_ffff });
    let tasks = [log.names.add_task(b"systemd", 1), log.names.add_task(b"modprobe", 77)];
    let text = log.names.add_text(b"half way");
    let alloc =
        |at: u64, size: u64, failed| EventKind::Alloc { addr: Addr(START + at), size, align: 1, window, failed };
    let free = |at: u64, nr_lazy| EventKind::Free { addr: Addr(START + at), nr_lazy, nr_lazy_max: 16_384 };
    let mut kinds: Vec<EventKind> = (0..10).map(|n| alloc(n * 0x2000, 0x2000, false)).collect();
    kinds.push(free(0x4000, 2));
    kinds.push(EventKind::Mark { text });
    for n in 0..4 {
        kinds.push(free(n * 0x2000 + 0x8000, 4 + 2 * n));
        kinds.push(alloc(0x14000 + n * 0x2000, 0x2000, false));
    }
    kinds.push(EventKind::Purge { start: Addr(START + 0x4000), end: Addr(START + 0x10000), num_purged: 5 });
    kinds.push(alloc(0, 1 << 50, true));
    kinds.extend((0..8).map(|n| alloc(0x1c000 + n * 0x4000, 0x4000, false)));
    log.events = kinds
        .into_iter()
        .zip(0u32..)
        .map(|(kind, n)| Event {
            at: Nanos(1_000_000_000 + u64::from(n) * 100_000),
            line: n + 5,
            task: tasks[n as usize % 2],
            cpu: (n % 2) as u16,
            kind,
        })
        .collect();
    log
}

fn app_of(log: Log) -> App {
    let replay = Replay::open(Arc::new(log), &Settings::default()).expect("the test log can be replayed");
    let theme = Theme { depth: Depth::True, light: false };
    let keymap = Keymap::new(None).expect("the built-in keys are right");
    App::new(replay, Size { width: 120, height: 40 }, keymap, theme, &UNICODE)
}

fn app() -> App {
    app_of(log())
}

fn plain() -> App {
    let mut app = app();
    app.theme.depth = Depth::None;
    app.glyphs = &ASCII;
    app
}

fn resize(app: &mut App, width: u16, height: u16) {
    update(app, Msg::Resize { width, height });
}

/// Types: letters as they are, other keys in angle brackets as the key table spells them; `<wait>` lets a second pass,
/// `<lt>` is `<`.
fn script(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let (key, tail) = match (first, rest.find('>')) {
            ('<', Some(end)) if 1 < end => (&rest[1..end], &rest[end + 1..]),
            _ => rest.split_at(first.len_utf8()),
        };
        rest = tail;
        let pause = if key == "wait" { Duration::from_secs(1) } else { Duration::from_millis(16) };
        if key != "wait" {
            effects.extend(update(app, Msg::Key(event(key))));
        }
        let now = app.now + pause;
        effects.extend(update(app, Msg::Tick(now)));
    }
    effects
}

fn event(key: &str) -> KeyEvent {
    let (modifiers, name) = match key.strip_prefix("ctrl-") {
        Some(name) => (KeyModifiers::CONTROL, name),
        None => (KeyModifiers::NONE, key),
    };
    let code = match name {
        "lt" => KeyCode::Char('<'),
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "space" => KeyCode::Char(' '),
        "tab" => KeyCode::Tab,
        "shift-tab" => KeyCode::BackTab,
        "backspace" => KeyCode::Backspace,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "pagedown" => KeyCode::PageDown,
        "pageup" => KeyCode::PageUp,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        _ => KeyCode::Char(name.chars().next().expect("a key")),
    };
    KeyEvent::new(code, modifiers)
}

fn mouse(app: &mut App, kind: MouseEventKind, column: u16, row: u16) -> Vec<Effect> {
    update(app, Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

fn click(app: &mut App, column: u16, row: u16) -> Vec<Effect> {
    mouse(app, MouseEventKind::Down(MouseButton::Left), column, row)
}

/// The frame at the app's size, as lines of text.
fn frame(app: &App) -> TestBackend {
    let mut terminal = Terminal::new(TestBackend::new(app.size.width, app.size.height)).expect("cannot fail");
    terminal.draw(|frame| super::draw::draw(app, frame)).expect("cannot fail");
    terminal.backend().clone()
}

/// Where a text is on the frame: column and row of its first character.
fn find(app: &App, text: &str) -> (u16, u16) {
    let screen = frame(app).to_string();
    for (line, y) in screen.lines().zip(0u16..) {
        if let Some(at) = line.find(text) {
            // The backend puts quotes around each line.
            return (line[..at].chars().count() as u16 - 1, y);
        }
    }
    panic!("no {text:?} on\n{screen}");
}

fn message(app: &App) -> &str {
    app.message.as_ref().map_or("", |message| message.text.as_str())
}
