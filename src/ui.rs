//! The terminal interface: messages in, [`App`] changed by `update` alone, frames out.
//!
//! Views say what is shown, in rows of roles; here is how it looks, where it lies, which key does what, and how the
//! terminal is taken over and given back. This is the only module that knows a terminal.

mod action;
mod app;
mod content;
mod draw;
mod jumps;
mod keymap;
mod layout;
mod msg;
mod overlay;
mod paint;
mod pane;
mod runtime;
mod search;
mod speed;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod update;

use std::io::{IsTerminal, stdout};

use color_eyre::eyre::{Result, WrapErr, bail};

pub use keymap::KeymapError;
pub use msg::Ended;
pub use theme::{ColorChoice, Depth, ThemeChoice};

use app::App;
use keymap::Keymap;
use terminal::Screen;
use theme::Theme;

use crate::replay::Replay;
use crate::view::{ASCII, UNICODE};

/// What the command line and the settings say about the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiOptions {
    /// `--color`.
    pub color: ColorChoice,
    /// `--ascii`: plain characters whatever the locale says.
    pub ascii: bool,
    /// Colours for a dark or a light background.
    pub theme: ThemeChoice,
    /// Take the mouse; without it the terminal's own selection works as usual.
    pub mouse: bool,
    /// The user's rows of the key table, as TOML.
    pub keys: Option<String>,
}

impl Default for UiOptions {
    fn default() -> Self {
        Self { color: ColorChoice::Auto, ascii: false, theme: ThemeChoice::Auto, mouse: true, keys: None }
    }
}

/// Opens the interface on a replay, until the user leaves or a signal ends it. The terminal is given back as it was,
/// whatever happens; the exit status is in [`Ended::status`].
///
/// # Errors
/// Standard output is no terminal, the terminal cannot be used, or the user's key table cannot be read.
pub fn run(replay: Replay, options: &UiOptions) -> Result<Ended> {
    if !stdout().is_terminal() {
        bail!("the terminal interface needs a terminal on standard output");
    }
    let env = |name: &str| std::env::var(name).ok();
    let keymap = Keymap::new(options.keys.as_deref())?;
    let theme = Theme { depth: Depth::resolve(options.color, &env), light: theme::is_light(options.theme, &env) };
    // crossterm must not interfere: at depth none no colour is set in the first place.
    crossterm::style::force_color_output(true);
    let glyphs = if options.ascii || !theme::speaks_utf8(&env) { &ASCII } else { &UNICODE };
    let panic_on_key = env("VMAPLENS_TEST_PANIC").is_some_and(|value| value == "on the first key");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().wrap_err("cannot start the event loop")?;
    let mut screen = Screen::enter(options.mouse).wrap_err("cannot take the terminal over")?;
    let mut app = App::new(replay, screen.size()?, keymap, theme, glyphs);
    let ended = runtime.block_on(runtime::run(&mut app, &mut screen, panic_on_key));
    drop(screen);
    ended
}
