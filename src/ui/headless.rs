//! [`Headless`]: the interface without a terminal: keys in, frames as text out. For pictures, benches and tests.

use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};

use super::app::App;
use super::draw;
use super::keymap::{Keymap, KeymapError};
use super::msg::Msg;
use super::theme::{Depth, Theme};
use super::update::update;
use crate::replay::Replay;
use crate::view::UNICODE;

/// What passes between two turns of the loop.
const TURN: Duration = Duration::from_millis(16);

/// The interface on a screen that is only memory.
#[derive(Debug)]
pub struct Headless {
    app: App,
    terminal: Terminal<TestBackend>,
}

impl Headless {
    /// Opens the interface at a size, without colours.
    ///
    /// # Errors
    /// The built-in key table cannot be read, which a test rules out.
    pub fn new(replay: Replay, width: u16, height: u16) -> Result<Self, KeymapError> {
        let theme = Theme { depth: Depth::None, light: false };
        let app = App::new(replay, Size { width, height }, Keymap::new(None)?, theme, &UNICODE);
        let terminal = match Terminal::new(TestBackend::new(width, height)) {
            Ok(terminal) => terminal,
            Err(never) => match never {},
        };
        Ok(Self { app, terminal })
    }

    /// Types letters and digits, each followed by a turn of the loop.
    pub fn type_keys(&mut self, keys: &str) {
        for key in keys.chars() {
            update(&mut self.app, Msg::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE)));
        }
        let now = self.app.now + TURN;
        update(&mut self.app, Msg::Tick(now));
    }

    /// Lets a second pass: a digit alone becomes a key of its own.
    pub fn wait(&mut self) {
        let now = self.app.now + Duration::from_secs(1);
        update(&mut self.app, Msg::Tick(now));
    }

    /// Names of the panes that are on the screen.
    pub fn panes(&self) -> Vec<&'static str> {
        self.app.regions().panes.iter().map(|pane| pane.id.name()).collect()
    }

    /// Forgets what is kept from one frame to the next; for benches.
    pub fn forget(&mut self) {
        self.app.memo.forget();
    }

    /// Draws one of them alone, where it is, with nothing kept from before; for benches.
    pub fn draw_pane(&mut self, name: &str) {
        let regions = self.app.regions();
        let Some(pane) = regions.panes.iter().find(|pane| pane.id.name() == name) else { return };
        self.app.memo.forget();
        let mut buffer = Buffer::empty(Rect { x: 0, y: 0, width: self.app.size.width, height: self.app.size.height });
        draw::draw_pane(&self.app, &mut buffer, pane);
    }

    /// Is a long seek still under way?
    pub fn is_seeking(&self) -> bool {
        self.app.seeking.is_some() || !self.app.replay.is_settled()
    }

    /// Draws a frame.
    pub fn draw(&mut self) {
        match self.terminal.draw(|frame| draw::draw(&self.app, frame)) {
            Ok(_) => {}
            Err(never) => match never {},
        }
    }

    /// The last frame as lines of text, blanks at the ends left out.
    pub fn text(&self) -> String {
        let buffer = self.terminal.backend().buffer();
        let area = buffer.area;
        let mut text = String::new();
        for y in 0..area.height {
            let line: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}
