//! [`Followed`]: a trace that grows while it is looked at, beside the readings of `live`. One of the two is on the screen, the
//! other one stands aside.

use std::time::Duration;

use super::action::Action;
use super::app::App;
use super::lanes;
use super::pane::Arrangement;
use crate::replay::Replay;
use crate::view::header::Following;
use crate::view::live::Traced;

/// How it is with the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody knows yet whether it can be had.
    Unknown,
    /// It cannot, and why.
    Impossible(String),
    /// It can.
    Off,
    /// It is asked for.
    Starting,
    /// It grows.
    Running,
    /// It has ended, and why.
    Ended(String),
}

/// The trace, and how it is looked at.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) state: State,
    /// What is not on the screen: the trace, or a reading.
    pub(crate) aside: Option<Box<Replay>>,
    /// A newer look at the trace that has to wait: what is on the screen is still being worked out.
    pub(crate) waiting: Option<Box<Replay>>,
    /// The trace is on the screen.
    pub(crate) is_shown: bool,
    /// The user wants the cursor to stay.
    pub(crate) is_held: bool,
    /// The trace comes onto the screen by itself when there is something of it.
    pub(crate) comes_up: bool,
    pub(crate) lost: u64,
    pub(crate) trouble: Option<String>,
    /// What the last look took of a CPU, and how far apart looks are.
    pub(crate) cost: Duration,
    pub(crate) every: Duration,
}

impl Followed {
    /// Nothing is traced yet; `at_once`: it is asked for.
    pub(crate) fn new(at_once: bool) -> Self {
        Self {
            state: if at_once { State::Starting } else { State::Unknown },
            aside: None,
            waiting: None,
            is_shown: false,
            is_held: false,
            comes_up: at_once,
            lost: 0,
            trouble: None,
            cost: Duration::ZERO,
            every: Duration::from_secs(1),
        }
    }

    /// Does it grow, or will it?
    pub(crate) fn is_on(&self) -> bool {
        matches!(self.state, State::Starting | State::Running)
    }
}

impl App {
    /// Is the trace on the screen that is taken here?
    pub(crate) fn shows_trace(&self) -> bool {
        self.followed.as_ref().is_some_and(|followed| followed.is_shown)
    }

    /// The readings, if they are on the screen.
    pub(crate) fn readings(&self) -> Option<&super::live::Live> {
        self.live.as_deref().filter(|_| !self.shows_trace())
    }

    /// Does the cursor go to what comes next?
    pub(crate) fn follows(&self) -> bool {
        self.followed.as_ref().is_some_and(|followed| {
            let at_end = self.heading() == self.replay.len() && self.playing.is_none() && self.hunting.is_none();
            followed.is_shown && !followed.is_held && at_end
        })
    }

    /// Is something being worked out that a newer look would begin again?
    pub(crate) fn is_busy_with_trace(&self) -> bool {
        self.arrangement == Arrangement::Compare && lanes::wants_time(self)
    }

    /// The trace, wherever it is.
    pub(crate) fn trace(&self) -> Option<&Replay> {
        let followed = self.followed.as_ref()?;
        if followed.is_shown { Some(&self.replay) } else { followed.aside.as_deref() }
    }
}

/// What a key is called in the footer while the cursor follows.
pub(crate) fn word(app: &App, action: Action) -> Option<&'static str> {
    (action == Action::Play && app.follows() && app.followed.as_ref().is_some_and(|followed| followed.is_on()))
        .then_some("stay here")
}

/// What the header says of it.
pub(crate) fn following(app: &App) -> Option<Following> {
    let followed = app.followed.as_ref().filter(|followed| followed.is_shown)?;
    Some(match &followed.state {
        State::Ended(_) => Following::Ended,
        _ if app.follows() => Following::Following,
        _ => Following::Paused,
    })
}

/// What the band says of it.
pub(crate) fn traced(app: &App) -> Option<Traced> {
    let followed = app.followed.as_ref()?;
    let key = app.key(Action::Trace);
    Some(match &followed.state {
        State::Unknown => return None,
        State::Impossible(why) => Traced::Impossible { why: why.clone() },
        State::Off => Traced::Off { key },
        State::Starting => Traced::Starting,
        State::Running | State::Ended(_) => {
            let trace = app.trace();
            Traced::On {
                ended: if let State::Ended(why) = &followed.state { Some(why.clone()) } else { None },
                events: trace.map_or(0, Replay::len),
                tally: trace.map(|trace| trace.plan().tally(trace.len())).unwrap_or_default(),
                lost: followed.lost,
                trouble: followed.trouble.clone(),
                every: followed.every,
                cost: followed.cost,
                show: app.key(Action::ArrangeStep),
                key,
            }
        }
    })
}
