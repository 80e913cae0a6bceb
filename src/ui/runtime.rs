//! The loop: wait, drain what is queued, update, carry out the wishes, draw if something changed.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, WrapErr};
use crossterm::event::{Event, EventStream, KeyCode, KeyModifiers};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_stream::{Stream, StreamExt};

use super::app::App;
use super::feeding::Feeding;
use super::live::Taken;
use super::loading::{Arrived, Loading};
use super::marks::MarkStore;
use super::msg::{Effect, Ended, Msg};
use super::terminal::{Screen, copy};
use super::tracing::{self, Tracing};
use super::update::update;
use super::{draw, export};

/// How often somebody looks how far a long read is.
const LOADING_FRAME: Duration = Duration::from_millis(50);
/// At most so often a frame is drawn.
const FRAME: Duration = Duration::from_millis(16);
/// Terminal events taken before a frame is drawn: a held key must not keep the screen still.
const DRAIN: usize = 256;

/// Signals that end the program or bring it back.
struct Signals {
    term: Signal,
    hup: Signal,
    int: Signal,
    cont: Signal,
}

/// What a signal means.
enum Told {
    End(Ended),
    /// Somebody else stopped and continued the program.
    Continued,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let cont = SignalKind::from_raw(rustix::process::Signal::CONT.as_raw());
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
            int: signal(SignalKind::interrupt())?,
            cont: signal(cont)?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            biased;
            _ = self.term.recv() => Told::End(Ended::Terminated),
            _ = self.hup.recv() => Told::End(Ended::HungUp),
            _ = self.int.recv() => Told::End(Ended::Interrupted),
            _ = self.cont.recv() => Told::Continued,
        }
    }
}

/// Says what is being read until something of it is there; an error if the user or a signal ended the wait.
pub(crate) async fn load(screen: &mut Screen, loading: &mut Loading) -> Result<Result<Arrived, Ended>> {
    let start = Instant::now();
    let mut signals = Signals::new().wrap_err("cannot listen for signals")?;
    let mut input = EventStream::new();
    loop {
        let words = loading.words();
        let said = draw::Loading { name: &loading.name, words: &words };
        screen.draw_loading(&said, start.elapsed()).wrap_err("cannot draw on the terminal")?;
        tokio::select! {
            biased;
            told = signals.next() => match told {
                Told::End(ended) => return Ok(Err(ended)),
                Told::Continued => {
                    drop(input);
                    screen.resume().wrap_err("cannot take the terminal over again")?;
                    input = EventStream::new();
                }
            },
            arrived = loading.next() => return arrived.map(Ok),
            event = input.next() => match event {
                Some(event) => {
                    let key = event.wrap_err("cannot read from the terminal")?.as_key_press_event();
                    match key.map(|key| (key.code, key.modifiers)) {
                        Some((KeyCode::Char('c'), KeyModifiers::CONTROL)) => return Ok(Err(Ended::Interrupted)),
                        Some((KeyCode::Char('q'), _)) => return Ok(Err(Ended::Quit)),
                        _ => {}
                    }
                }
                None => return Ok(Err(Ended::HungUp)),
            },
            () = tokio::time::sleep(LOADING_FRAME) => {}
        }
    }
}

/// What comes in beside the keys.
#[derive(Default)]
pub(crate) struct Incoming {
    /// What is still being read.
    pub(crate) rest: Option<Loading>,
    /// What is read again and again.
    pub(crate) feeding: Option<Feeding>,
    /// What is traced beside.
    pub(crate) tracing: Option<Tracing>,
}

/// Runs until something ends it. `store` is where marks are kept.
pub(crate) async fn run(
    app: &mut App,
    screen: &mut Screen,
    incoming: Incoming,
    store: &dyn MarkStore,
    panic_on_key: bool,
) -> Result<Ended> {
    let Incoming { mut rest, mut feeding, mut tracing } = incoming;
    let start = Instant::now();
    let mut signals = Signals::new().wrap_err("cannot listen for signals")?;
    let mut input = Some(EventStream::new());
    let mut drawn: Option<Instant> = None;
    loop {
        if app.dirty && drawn.is_none_or(|at| FRAME <= at.elapsed()) {
            screen.draw(app).wrap_err("cannot draw on the terminal")?;
            app.dirty = false;
            drawn = Some(Instant::now());
        }
        let wait = wait_for(app, drawn);
        let (mut arrived, mut taken, mut traced) = (None, None, None);
        let stream = input.get_or_insert_with(EventStream::new);
        let first = tokio::select! {
            biased;
            told = signals.next() => match told {
                Told::End(ended) => return Ok(ended),
                Told::Continued => {
                    // The stream must not read while the modes are set.
                    input = None;
                    screen.resume().wrap_err("cannot take the terminal over again")?;
                    app.dirty = true;
                    continue;
                }
            },
            event = stream.next() => match event {
                Some(event) => Some(event.wrap_err("cannot read from the terminal")?),
                None => return Ok(Ended::HungUp),
            },
            more = next_of(&mut rest) => {
                arrived = Some(more?);
                None
            }
            more = taken_of(&mut feeding) => {
                taken = Some(more);
                None
            }
            more = told_of(&mut tracing) => {
                traced = Some(more);
                None
            }
            () = sleep(wait) => None,
        };
        let mut effects = update(app, Msg::Tick(start.elapsed()));
        if let Some(loading) = &rest {
            effects.extend(update(app, Msg::Loading(loading.words())));
        }
        if let Some(arrived) = arrived {
            rest = rest.filter(|_| matches!(arrived, Arrived::Part(_)));
            effects.extend(update(app, Msg::Arrived(Box::new(arrived))));
        }
        if let Some(taken) = taken {
            effects.extend(update(app, Msg::Taken(Box::new(taken))));
        }
        if let Some(told) = traced {
            effects.extend(update(app, Msg::Traced(Box::new(told))));
        }
        let mut next = first;
        for _ in 0..DRAIN {
            let Some(event) = next else { break };
            if panic_on_key && matches!(event, Event::Key(_)) {
                test_panic();
            }
            if let Some(msg) = message(event) {
                effects.extend(update(app, msg));
            }
            next = queued(stream).await.transpose().wrap_err("cannot read from the terminal")?;
        }
        for effect in effects {
            match effect {
                Effect::Quit(ended) => return Ok(ended),
                Effect::Copy(text) => copy(&text)?,
                Effect::Redraw => screen.forget()?,
                Effect::Hold(held) => {
                    if let Some(feeding) = &feeding {
                        feeding.hold(held);
                    }
                }
                Effect::Trace(wanted) => {
                    if let Some(tracing) = &tracing {
                        tracing.want(wanted);
                    }
                }
                Effect::SaveMarks(text) => drop(update(app, Msg::MarksSaved(store.save(&text)))),
                Effect::Export(choice) => {
                    let told = export::save(app, choice);
                    update(app, Msg::Exported(told));
                }
                Effect::Suspend => {
                    input = None;
                    screen.suspend().wrap_err("cannot take the terminal over again")?;
                    let size = screen.size()?;
                    update(app, Msg::Resize { width: size.width, height: size.height });
                }
            }
            app.dirty = true;
        }
    }
}

/// How long nothing need be done: until the next frame, or the next tick.
fn wait_for(app: &App, drawn: Option<Instant>) -> Option<Duration> {
    let frame = app.dirty.then(|| drawn.map_or(Duration::ZERO, |at| FRAME.saturating_sub(at.elapsed())));
    match (frame, app.wants_tick()) {
        (Some(frame), Some(tick)) => Some(frame.min(tick)),
        (frame, tick) => frame.or(tick),
    }
}

/// What arrives next of a long input; without one nothing does.
async fn next_of(rest: &mut Option<Loading>) -> Result<Arrived> {
    match rest {
        Some(loading) => loading.next().await,
        None => std::future::pending().await,
    }
}

/// The next reading; without any nothing comes.
async fn taken_of(feeding: &mut Option<Feeding>) -> Taken {
    match feeding {
        Some(feeding) => feeding.next().await,
        None => std::future::pending().await,
    }
}

/// What is told of the trace; without one nothing comes.
async fn told_of(tracing: &mut Option<Tracing>) -> tracing::Told {
    match tracing {
        Some(tracing) => tracing.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(Duration::ZERO) => tokio::task::yield_now().await,
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// An event that is there already.
async fn queued(stream: &mut EventStream) -> Option<io::Result<Event>> {
    poll_fn(|context| match Pin::new(&mut *stream).poll_next(context) {
        Poll::Ready(event) => Poll::Ready(event),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(_) => event.as_key_press_event().map(Msg::Key),
        Event::Mouse(mouse) => Some(Msg::Mouse(mouse)),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize { width, height }),
        Event::FocusGained | Event::FocusLost => None,
    }
}

#[expect(clippy::panic, reason = "asked for by the end-to-end test that watches the terminal come back")]
fn test_panic() {
    panic!("a panic on purpose, as VMAPLENS_TEST_PANIC asks");
}
