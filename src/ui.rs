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
mod feeding;
mod followed;
mod footer;
mod headless;
mod holders;
mod jumps;
mod keymap;
mod lanes;
mod layout;
mod lesson;
mod live;
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
mod tracing;
mod update;

use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

use color_eyre::eyre::{Report, Result, WrapErr, bail};
use tokio::runtime::Runtime;

pub use feeding::Feed;
pub use headless::Headless;
pub use keymap::KeymapError;
pub use loading::Source;
pub use marks::{MAX_FILE_BYTES, MarkStore, NoStore, Stored};
pub use msg::Ended;
pub use theme::{ColorChoice, Depth, ThemeChoice};
pub use tracing::{Look, Tracer};

use app::App;
use feeding::Feeding;
use followed::Followed;
use keymap::Keymap;
use live::Live;
use loading::{Arrived, Loading};
use runtime::Incoming;
use terminal::Screen;
use theme::Theme;
use tracing::Tracing;

use crate::log::Log;
use crate::replay::Replay;
use crate::view::{ASCII, Glyphs, UNICODE};

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

/// How it looks, and what its keys are.
struct Shown {
    keymap: Keymap,
    theme: Theme,
    glyphs: &'static Glyphs,
    panic_on_key: bool,
}

impl Shown {
    fn of(options: &UiOptions) -> Result<Self> {
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
        Ok(Self { keymap, theme, glyphs, panic_on_key })
    }
}

fn event_loop() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().wrap_err("cannot start the event loop")
}

/// Opens the interface on what is read again and again, until the user leaves or a signal ends it. The first reading is
/// taken before the terminal is: what fails at once never touches it. `tracer` can trace beside; the flag asks for it at
/// once.
///
/// # Errors
/// The first reading fails; standard output is no terminal; the terminal cannot be used.
pub fn run_live<R>(mut feed: Feed<R>, tracer: Option<(Box<dyn Tracer>, bool)>, options: &UiOptions) -> Result<Ended>
where
    R: FnMut() -> Result<Replay, String> + Send + 'static,
{
    let shown = Shown::of(options)?;
    let begun = Instant::now();
    let mut first = feeding::take(&mut feed.read, feed.every, begun);
    let replay = std::mem::replace(&mut first.replay, Err(String::new())).map_err(Report::msg)?;
    let mut live = Live::new(feed.every, feed.settings.clone());
    live.push(&replay, &first);
    let runtime = event_loop()?;
    let ended = runtime.block_on(async {
        let feeding = Feeding::begin(feed, begun, first.every);
        let mut screen = Screen::enter(options.mouse).wrap_err("cannot take the terminal over")?;
        let mut app = App::new(replay, screen.size()?, shown.keymap, shown.theme, shown.glyphs);
        app.go_live(live, tracer.as_ref().map(|(_, at_once)| Followed::new(*at_once)));
        let tracing = tracer.map(|(tracer, at_once)| Tracing::begin(tracer, at_once));
        let incoming = Incoming { rest: None, feeding: Some(feeding), tracing };
        runtime::run(
            &mut app,
            &mut screen,
            incoming,
            &NoStore("what is read again and again has no events to mark".to_owned()),
            shown.panic_on_key,
        )
        .await
    });
    runtime.shutdown_background();
    ended
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
    let shown = Shown::of(options)?;
    let runtime = event_loop()?;
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
        let (replay, rest) = match first {
            Arrived::All(replay) => (replay, None),
            Arrived::Part(replay) => (replay, Some(loading)),
            Arrived::Failed(report) => return Err(report),
        };
        let mut app = App::new(replay, screen.size()?, shown.keymap, shown.theme, shown.glyphs);
        app.loading = rest.as_ref().map(|rest| Ok(rest.words()));
        app.open_marks(store.load());
        app.say_kept();
        let incoming = Incoming { rest, ..Incoming::default() };
        runtime::run(&mut app, &mut screen, incoming, store, shown.panic_on_key).await
    });
    // A read that was left goes on in its thread until the process ends: nobody waits for it.
    runtime.shutdown_background();
    ended
}
