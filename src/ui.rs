//! The terminal interface: messages in, `App` changed by `update` alone, frames out.
//!
//! Views say what is shown, in rows of roles; here is how it looks, where it lies, which key does what, and how the
//! terminal is taken over and given back. This is the only module that knows a terminal.

mod action;
mod app;
mod breaks;
mod charts;
mod content;
mod draw;
mod export;
mod footer;
mod headless;
mod jumps;
mod keymap;
mod lanes;
mod layout;
mod lesson;
mod loading;
mod marks;
mod msg;
mod overlay;
mod paint;
mod pane;
mod runtime;
mod search;
mod speed;
pub mod still;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod time;
mod update;

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr, bail};

pub use headless::Headless;
pub use keymap::KeymapError;
pub use loading::Source;
pub use marks::{MAX_FILE_BYTES, MarkStore, NoStore, Stored};
pub use msg::Ended;
pub use theme::{ColorChoice, Depth, ThemeChoice};

use app::App;
use keymap::Keymap;
use loading::{Arrived, Loading};
use terminal::Screen;
use theme::Theme;

use crate::log::Log;
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

/// How long a read may take before the screen shows what is there.
const SILENT: Duration = Duration::from_millis(50);

/// Opens the interface on what a source reads, until the user leaves or a signal ends it. Reading runs beside the
/// screen: of a long input the beginning is shown first, and makes room for the whole when that is there. What fails at
/// once never touches the terminal. The terminal is given back as it was, whatever happens; the exit status is in
/// [`Ended::status`].
///
/// # Errors
/// What the source says, unless a part of it is on the screen already; standard output is no terminal; the terminal cannot be used; the user's key table cannot be read.
pub fn run<E, F, P>(source: Source<F, P>, options: &UiOptions, store: &dyn MarkStore) -> Result<Ended>
where
    E: std::error::Error + Send + Sync + 'static,
    F: FnOnce() -> Result<Replay, E> + Send + 'static,
    P: Fn(Log) -> Option<Replay> + Send + Sync + 'static,
{
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
    let ended = runtime.block_on(async {
        let mut loading = Loading::begin(source);
        let mut early = tokio::time::timeout(SILENT, loading.next()).await.ok().transpose()?;
        if early.is_none() && loading.take_part() {
            early = tokio::time::timeout(SILENT, loading.next()).await.ok().transpose()?;
        }
        if let Some(Arrived::Failed(report)) = early {
            return Err(report);
        }
        let mut screen = Screen::enter(options.mouse).wrap_err("cannot take the terminal over")?;
        let first = match early {
            Some(arrived) => arrived,
            None => match runtime::load(&mut screen, &mut loading).await? {
                Ok(arrived) => arrived,
                Err(ended) => return Ok(ended),
            },
        };
        let (replay, mut rest) = match first {
            Arrived::All(replay) => (replay, None),
            Arrived::Part(replay) => (replay, Some(loading)),
            Arrived::Failed(report) => return Err(report),
        };
        let mut app = App::new(replay, screen.size()?, keymap, theme, glyphs);
        app.loading = rest.as_ref().map(|rest| Ok(rest.words()));
        app.open_marks(store.load());
        runtime::run(&mut app, &mut screen, rest.as_mut(), store, panic_on_key).await
    });
    // A read that was left goes on in its thread until the process ends: nobody waits for it.
    runtime.shutdown_background();
    ended
}
