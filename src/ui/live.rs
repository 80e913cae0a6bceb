//! [`Live`]: a file that is read again and again, and what its readings were. What they add up to is kept for all of
//! them, the areas themselves for as many as a budget of bytes allows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::Size;

use super::action::Action;
use super::app::App;
use super::followed;
use crate::insight::growth::{By, Key, Measure};
use crate::insight::holders::{code_bytes, code_range_bytes};
use crate::insight::{History, Totals, page_size_of, summarize};
use crate::log::{Log, Pointers};
use crate::replay::{Replay, Settings};
use crate::view::live::{self as view, Gauge};
use crate::view::{Row, Span};

/// Readings that are added up: at one in two seconds more than five hours.
const MAX_READINGS: usize = 10_000;
/// What the areas of all readings may hold, in bytes.
const KEPT_BYTES: usize = 64 << 20;
/// About what a row of a reading holds.
const ROW_BYTES: usize = 200;
/// Columns of the course that is drawn at most.
const MAX_COURSE: usize = 400;

/// What one reading came to.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The areas, or why there are none.
    pub replay: Result<Replay, String>,
    /// When, since the first.
    pub at: Duration,
    /// What it took of a CPU.
    pub cost: Duration,
    /// The next one is so much later.
    pub every: Duration,
}

/// A reading in numbers.
#[derive(Debug, Clone)]
struct Reading {
    at: Duration,
    cost: Duration,
    every: Duration,
    busy: Totals,
    lazy: Totals,
    guard_bytes: u64,
    nodes: Vec<(u16, u64)>,
    code_bytes: u64,
}

/// What has been read so far.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) history: History,
    readings: VecDeque<Reading>,
    /// Number of the first of them.
    first: usize,
    /// Areas by number of their reading, ascending; equal ones are there once.
    kept: VecDeque<(usize, Arc<Log>)>,
    settings: Settings,
    asked: Duration,
    pub(crate) paused: bool,
    /// The reading that growth is counted from.
    pub(crate) base: Option<usize>,
    /// The reading that is looked at; `None`: the newest.
    pinned: Option<usize>,
    trouble: Option<String>,
}

impl Live {
    /// Nothing is read yet.
    pub(crate) fn new(asked: Duration, settings: Settings) -> Self {
        Self {
            history: History::new(MAX_READINGS),
            readings: VecDeque::new(),
            first: 0,
            kept: VecDeque::new(),
            settings,
            asked,
            paused: false,
            base: None,
            pinned: None,
            trouble: None,
        }
    }

    /// Takes a reading in.
    pub(crate) fn push(&mut self, replay: &Replay, taken: &Taken) {
        let log = replay.log();
        let Some(snapshot) = &log.before else { return };
        let page_size = page_size_of(log, snapshot);
        let summary = summarize(snapshot, page_size);
        self.history.push(&summary.by_caller, Some(taken.at.as_secs_f64()));
        let lazy = summary.unpurged;
        let busy = Totals {
            areas: summary.totals.areas - lazy.areas,
            virtual_bytes: summary.totals.virtual_bytes.saturating_sub(lazy.virtual_bytes),
            pages: summary.totals.pages.saturating_sub(lazy.pages),
        };
        self.readings.push_back(Reading {
            at: taken.at,
            cost: taken.cost,
            every: taken.every,
            busy,
            lazy,
            guard_bytes: summary.guard_bytes,
            nodes: summary.by_node.iter().map(|row| (row.node, row.pages)).collect(),
            code_bytes: code_bytes(snapshot),
        });
        self.trouble = None;
        let number = self.last();
        let is_same = self.kept.back().is_some_and(|(_, last)| last.before.as_ref() == Some(snapshot));
        if !is_same {
            self.kept.push_back((number, Arc::clone(log)));
        }
        self.forget();
    }

    /// Old readings go.
    fn forget(&mut self) {
        let kept = self.history.snapshots();
        while self.first < kept.start && self.readings.pop_front().is_some() {
            self.first += 1;
        }
        let bytes = |log: &Log| log.before.as_ref().map_or(0, |before| before.areas.len() * ROW_BYTES);
        let mut held: usize = self.kept.iter().map(|(_, log)| bytes(log)).sum();
        while KEPT_BYTES < held && 1 < self.kept.len() {
            if let Some((_, log)) = self.kept.pop_front() {
                held -= bytes(&log);
            }
        }
        self.base = self.base.filter(|&base| self.first <= base);
        self.pinned = self.pinned.map(|pinned| pinned.max(self.first));
    }

    /// It could not be read.
    pub(crate) fn fail(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// Readings there are.
    pub(crate) fn len(&self) -> usize {
        self.first + self.readings.len()
    }

    /// Number of the first that is kept.
    pub(crate) fn first(&self) -> usize {
        self.first
    }

    fn last(&self) -> usize {
        self.len().saturating_sub(1)
    }

    /// Number of the reading that is looked at.
    pub(crate) fn shown(&self) -> usize {
        self.pinned.unwrap_or(self.last())
    }

    /// Is it the newest, and will be?
    pub(crate) fn follows(&self) -> bool {
        self.pinned.is_none()
    }

    /// Looks at another reading; the newest is followed. `false` if it is looked at already.
    pub(crate) fn look_at(&mut self, number: usize) -> bool {
        let number = number.clamp(self.first, self.last());
        let before = self.shown();
        self.pinned = (number < self.last()).then_some(number);
        before != number
    }

    /// The areas of the reading that is looked at, if they are kept.
    pub(crate) fn areas(&self) -> Option<Replay> {
        let shown = self.shown();
        let (_, log) = self.kept.iter().rev().find(|(number, _)| *number <= shown)?;
        Replay::open(Arc::clone(log), &self.settings).ok()
    }

    /// How somebody's address space went, for a chart of so many columns.
    pub(crate) fn course_of(&self, key: &Key, columns: usize, by: By) -> Vec<u64> {
        self.history.columns(key, self.first..self.shown() + 1, by, Measure::Virtual, columns)
    }

    fn reading(&self, number: usize) -> Option<&Reading> {
        self.readings.get(number.checked_sub(self.first)?)
    }

    /// When a reading was taken.
    pub(crate) fn time(&self, number: usize) -> Option<Duration> {
        self.reading(number).map(|reading| reading.at)
    }

    /// Growth of code in bytes in a second, up to the reading that is looked at: the difference over all of it.
    fn code_growth(&self) -> Option<f64> {
        let (from, to) = (self.readings.front()?, self.reading(self.shown())?);
        let seconds = to.at.checked_sub(from.at)?.as_secs_f64();
        (0.0 < seconds).then(|| (to.code_bytes as f64 - from.code_bytes as f64) / seconds)
    }
}

/// What a key of time is called in the footer: time is the readings.
pub(crate) fn word(action: Action) -> Option<&'static str> {
    match action {
        Action::Forward => Some("later"),
        Action::Back => Some("earlier"),
        Action::Play => Some("pause"),
        Action::SetMark => Some("compare with this"),
        _ => None,
    }
}

/// What the band shows, handed to `draw`.
fn with<R>(app: &App, draw: impl FnOnce(&view::Live<'_>) -> R) -> Option<R> {
    let live = app.readings()?;
    let traced = followed::traced(app);
    let reading = live.reading(live.shown())?;
    let log = app.replay.log();
    let page_size = log.origin.page_size.unwrap_or(app.replay.plan().machine.page_size);
    let gauges = [Gauge {
        name: "modules and BPF",
        used: reading.code_bytes,
        size: log.origin.arch.as_deref().and_then(code_range_bytes),
        per_second: live.code_growth(),
    }];
    let upto = live.shown() + 1 - live.first;
    let shown = live.readings.iter().take(upto).skip(upto.saturating_sub(MAX_COURSE));
    let course: Vec<u64> = shown.map(|reading| reading.busy.virtual_bytes).collect();
    let base = live.base.and_then(|base| Some((base + 1, reading.at.checked_sub(live.time(base)?)?)));
    let newest = live.readings.back()?;
    Some(draw(&view::Live {
        reading: (live.shown() + 1, live.len()),
        ago: newest.at.saturating_sub(reading.at),
        paused: live.paused,
        every: newest.every,
        asked: live.asked,
        cost: newest.cost,
        trouble: live.trouble.as_deref(),
        totals: (reading.busy, reading.lazy),
        guard_bytes: reading.guard_bytes,
        lazy_max_bytes: app.replay.space().allocator().lazy_max_pages().saturating_mul(page_size),
        page_size,
        gauges: &gauges,
        nodes: &reading.nodes,
        pointers: log.before.as_ref().map_or(Pointers::None, |before| before.pointers),
        course: &course,
        base,
        traced: traced.as_ref(),
    }))
}

/// The rows of the band.
pub(crate) fn rows(app: &App, size: Size) -> Vec<Row> {
    with(app, |live| view::rows(live, size.width, size.height, app.glyphs)).unwrap_or_default()
}

/// Rows the band would fill at that width.
pub(crate) fn height(app: &App, width: u16) -> u16 {
    with(app, |live| view::height(live, width, app.glyphs)).unwrap_or(0)
}

/// The title of the band.
pub(crate) fn title(app: &App) -> Vec<Span> {
    view::title(&app.replay.log().origin.name)
}
