//! [`Screen`]: the terminal while it is ours, and everything that gives it back.
//!
//! ratatui restores raw mode and the alternate screen; mouse capture and bracketed paste are ours to switch off, on the
//! way out, in a panic, and before the shell gets the terminal back on Ctrl-Z.

use std::io::{self, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::Show;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::layout::Rect;
use ratatui::{DefaultTerminal, Frame};
use rustix::process::{Signal, kill_current_process_group};

use super::app::App;
use super::draw::{self, Loading};

/// What is switched on now, for the panic hook, which cannot reach a [`Screen`].
static MOUSE: AtomicBool = AtomicBool::new(false);
static PASTE: AtomicBool = AtomicBool::new(false);
static SYNCHRONIZED: AtomicBool = AtomicBool::new(false);

/// The terminal, taken over.
#[derive(Debug)]
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal over.
    pub(crate) fn enter(mouse: bool) -> io::Result<Self> {
        let terminal = match ratatui::try_init() {
            Ok(terminal) => terminal,
            Err(error) => {
                // Raw mode may be on already.
                let _ = disable_raw_mode();
                return Err(error);
            }
        };
        hook_panics();
        let mut screen = Self { terminal, mouse };
        screen.switch_on()?;
        Ok(screen)
    }

    fn switch_on(&mut self) -> io::Result<()> {
        PASTE.store(true, Ordering::SeqCst);
        execute!(stdout(), EnableBracketedPaste)?;
        if self.mouse {
            MOUSE.store(true, Ordering::SeqCst);
            execute!(stdout(), EnableMouseCapture)?;
        }
        Ok(())
    }

    /// Draws a frame.
    pub(crate) fn draw(&mut self, app: &App) -> io::Result<()> {
        self.at_once(|frame| draw::draw(app, frame))
    }

    /// Draws what is being read.
    pub(crate) fn draw_loading(&mut self, loading: &Loading<'_>, since: Duration) -> io::Result<()> {
        self.at_once(|frame| draw::loading(loading, since, frame))
    }

    /// Draws a frame that the terminal shows when it is whole, if it knows how; others ignore the request.
    fn at_once(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        SYNCHRONIZED.store(true, Ordering::SeqCst);
        queue!(stdout(), BeginSynchronizedUpdate)?;
        let drawn = self.terminal.draw(draw).map(drop);
        end_synchronized();
        drawn
    }

    /// Forgets what the terminal shows: the next frame is drawn whole.
    ///
    /// `Terminal::clear` would ask the terminal where its cursor is, and the answer would be taken by whoever reads the
    /// keys; a resize to the same size clears without a question.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect { x: 0, y: 0, width: size.width, height: size.height })
    }

    /// The size now.
    pub(crate) fn size(&self) -> io::Result<ratatui::layout::Size> {
        self.terminal.size()
    }

    /// Stops the program, as Ctrl-Z does for others; returns when the shell continues it.
    pub(crate) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        // The whole group, as the terminal itself does it: a pipeline that feeds us stops too.
        kill_current_process_group(Signal::TSTP)?;
        self.resume()
    }

    /// Takes the terminal over again, whatever state it is in.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        // Somebody else may have changed the modes behind crossterm's back: set them anew.
        let _ = disable_raw_mode();
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        self.switch_on()?;
        self.forget()
    }
}

/// Puts a text on the clipboard of the terminal (OSC 52).
pub(crate) fn copy(text: &str) -> io::Result<()> {
    execute!(stdout(), CopyToClipboard::to_clipboard_from(text))
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Lets the terminal show what was drawn.
fn end_synchronized() {
    if SYNCHRONIZED.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), EndSynchronizedUpdate);
    }
}

/// Switches off what is ours. Errors are of no use here: the terminal may be gone.
fn switch_off() {
    end_synchronized();
    if MOUSE.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), DisableMouseCapture);
    }
    if PASTE.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), DisableBracketedPaste);
    }
}

/// Gives the terminal back as it was. Each part is tried, whatever happened to the others.
fn give_back() {
    switch_off();
    let _ = disable_raw_mode();
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
}

/// Our panic hook runs before ratatui's, which runs before the report.
fn hook_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let inner = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            switch_off();
            inner(panic);
        }));
    });
}
