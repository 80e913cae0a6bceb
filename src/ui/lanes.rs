//! [`Lanes`]: the policies that are compared. They run in slices between keys; what has been gathered from the trace is
//! kept when a lane is exchanged.

use std::cell::RefCell;
use std::sync::Arc;

use ratatui::layout::Size;

use super::app::App;
use super::pane::Arrangement;
use crate::compare::{Comparison, Demands, Gather, Lane, LaneSpec, SpecError};
use crate::insight::{LaneRuns, LaneTurn};
use crate::replay::Replay;
use crate::view::compare::{self as view, CURVES, MOST_LANES};
use crate::view::text;
use crate::view::{Row, Span};

/// What the checkpoints of all lanes may hold, in bytes.
const CHECKPOINT_BYTES: u64 = 96 << 20;

/// How far it is.
#[derive(Debug)]
enum Work {
    /// Nobody has asked.
    Nothing,
    /// What the trace asks for is being gathered.
    Gathering(Box<Gather>),
    /// Lanes run, or are there.
    Lanes(Box<Comparison>, Arc<Demands>),
    /// It cannot be done.
    Failed(String),
}

/// What rows were drawn for.
type Key = (usize, usize, Size, usize, (usize, usize), bool);

/// The policies that are compared.
#[derive(Debug)]
pub(crate) struct Lanes {
    specs: Vec<LaneSpec>,
    work: Work,
    /// By place in [`CURVES`].
    metric: usize,
    pub(crate) scroll: usize,
    /// The rows drawn last.
    drawn: RefCell<Option<(Key, Vec<Row>)>>,
}

impl Lanes {
    /// The trace's own policy, and what textbooks have.
    pub(crate) fn of(replay: &Replay) -> Self {
        let specs = LaneSpec::defaults(replay, false);
        Self { specs, work: Work::Nothing, metric: 0, scroll: 0, drawn: RefCell::default() }
    }

    /// Another replay of the same input: everything begins again with the same lanes.
    pub(crate) fn begin_again(&mut self) {
        self.work = Work::Nothing;
        self.drawn.take();
    }

    /// What is compared.
    pub(crate) fn specs(&self) -> &[LaneSpec] {
        &self.specs
    }

    /// The lanes, as far as there are any.
    pub(crate) fn comparison(&self) -> Option<&Comparison> {
        match &self.work {
            Work::Lanes(comparison, _) => Some(comparison),
            _ => None,
        }
    }

    /// Is there something to do for a cursor there?
    pub(crate) fn is_busy(&self, cursor: usize) -> bool {
        match &self.work {
            Work::Nothing | Work::Gathering(_) => true,
            Work::Lanes(comparison, _) => {
                comparison.lanes().iter().any(|lane| !lane.is_through() || lane.cursor() != cursor)
            }
            Work::Failed(_) => false,
        }
    }

    /// Goes on for a while; the cursor is followed first.
    pub(crate) fn go_on(&mut self, replay: &Replay, budget: usize) {
        self.drawn.take();
        match &mut self.work {
            Work::Nothing => self.work = Work::Gathering(Box::new(Gather::new(replay))),
            Work::Gathering(gather) => {
                if gather.go_on(replay, budget) {
                    self.begin(replay);
                }
            }
            Work::Lanes(comparison, _) => {
                let cursor = replay.cursor();
                let is_there = comparison.lanes().iter().all(|lane| lane.cursor() == cursor);
                if !is_there && cursor <= comparison.ran() {
                    comparison.seek(cursor, budget);
                } else {
                    comparison.run(budget);
                }
            }
            Work::Failed(_) => {}
        }
    }

    /// One turn of a run that looks into every lane; it waits until there are any.
    pub(crate) fn turn(&mut self, runs: &mut LaneRuns, replay: &Replay, budget: usize, limit: usize) -> LaneTurn {
        match &mut self.work {
            Work::Lanes(comparison, _) => runs.turn_to(replay, comparison, budget, limit),
            Work::Nothing | Work::Gathering(_) => LaneTurn::Going,
            Work::Failed(_) => LaneTurn::Ended,
        }
    }

    /// The demands are there.
    fn begin(&mut self, replay: &Replay) {
        let Work::Gathering(gather) = std::mem::replace(&mut self.work, Work::Nothing) else { return };
        let demands = Arc::new(gather.finish());
        self.work = match Comparison::new(replay, &demands, &self.specs, CHECKPOINT_BYTES) {
            Ok(comparison) => Work::Lanes(Box::new(comparison), demands),
            Err(error) => Work::Failed(error.to_string()),
        };
    }

    /// Puts a lane into a place, or behind the others.
    ///
    /// # Errors
    /// It makes no sense for this trace; nothing is changed.
    pub(crate) fn set(&mut self, replay: &Replay, place: usize, spec: LaneSpec) -> Result<(), SpecError> {
        let place = place.min(self.specs.len()).min(MOST_LANES - 1);
        spec.machine(replay)?;
        if let Work::Lanes(comparison, demands) = &mut self.work {
            let lane = Lane::new(replay, demands, spec.clone(), CHECKPOINT_BYTES / MOST_LANES as u64)?;
            comparison.set_lane(place, lane);
        } else if matches!(self.work, Work::Failed(_)) {
            self.work = Work::Nothing;
        }
        match self.specs.get_mut(place) {
            Some(old) => *old = spec,
            None => self.specs.push(spec),
        }
        self.drawn.take();
        Ok(())
    }

    /// Takes a lane out; the last one stays.
    pub(crate) fn remove(&mut self, place: usize) -> bool {
        if self.specs.len() < 2 || self.specs.len() <= place {
            return false;
        }
        self.specs.remove(place);
        if let Work::Lanes(comparison, _) = &mut self.work {
            comparison.remove_lane(place);
        }
        self.drawn.take();
        true
    }

    /// Takes a policy in, or out if it is there; why not, if neither can be.
    pub(crate) fn toggle(&mut self, replay: &Replay, id: &str) -> Result<(), String> {
        let place = self.specs.iter().position(|spec| spec.policy == id && spec.changes.is_empty());
        match place {
            Some(place) if self.remove(place) => Ok(()),
            Some(_) => Err("one lane has to stay".to_owned()),
            None if MOST_LANES <= self.specs.len() => Err(format!("there are {MOST_LANES} lanes: take one out first")),
            None => self.set(replay, MOST_LANES, LaneSpec::of(id)).map_err(|error| error.to_string()),
        }
    }

    /// Changes the machine of one lane, or of all.
    pub(crate) fn change(
        &mut self,
        replay: &Replay,
        place: Option<usize>,
        word: &str,
        value: &str,
    ) -> Result<(), String> {
        let places = place.map_or(0..self.specs.len(), |place| place..place + 1);
        let mut changed = Vec::new();
        for at in places {
            let Some(mut spec) = self.specs.get(at).cloned() else { continue };
            if value.is_empty() {
                spec.changes.clear(word);
            } else {
                spec.changes.set(word, value).map_err(|error| error.to_string())?;
            }
            spec.machine(replay).map_err(|error| error.to_string())?;
            changed.push((at, spec));
        }
        for (at, spec) in changed {
            self.set(replay, at, spec).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Draws the next metric.
    pub(crate) fn next_metric(&mut self, by: isize) {
        let n = CURVES.len().cast_signed();
        self.metric = (self.metric.cast_signed() + by).rem_euclid(n).cast_unsigned();
    }
}

/// The rows of the pane from `scroll` on.
pub(crate) fn rows(app: &App, size: Size, scroll: usize) -> Vec<Row> {
    let mut rows = all(app, size);
    rows.drain(..scroll.min(rows.len()));
    rows.truncate(size.height.into());
    rows
}

/// Rows there are for a pane of that size.
pub(crate) fn count(app: &App, size: Size) -> usize {
    all(app, size).len()
}

fn all(app: &App, size: Size) -> Vec<Row> {
    let scene = app.scene();
    let shown = match &app.lanes.work {
        Work::Lanes(comparison, _) => comparison,
        Work::Failed(why) => return view::waiting(&scene, why, size.width),
        Work::Nothing | Work::Gathering(_) => {
            let words = "reading off the trace what it asks for, to ask other policies for the same";
            return view::waiting(&scene, words, size.width);
        }
    };
    let time = app.time_view();
    let key = (
        app.replay.cursor(),
        shown.ran(),
        size,
        app.lanes.metric,
        (time.visible.from, time.visible.to),
        app.glyphs.ascii,
    );
    if let Some((known, rows)) = &*app.lanes.drawn.borrow()
        && *known == key
    {
        return rows.clone();
    }
    let lanes = view::Lanes { comparison: shown, metric: CURVES[app.lanes.metric], view: time };
    let rows = view::rows(&scene, &lanes, size.width, size.height);
    app.lanes.drawn.replace(Some((key, rows.clone())));
    rows
}

/// The title of the pane.
pub(crate) fn title(app: &App) -> Vec<Span> {
    let scene = app.scene();
    match app.lanes.comparison() {
        Some(comparison) => {
            let lanes = view::Lanes { comparison, metric: CURVES[app.lanes.metric], view: app.time_view() };
            view::title(&scene, &lanes)
        }
        None => vec![Span::new("compare", crate::view::Role::Title)],
    }
}

/// Do the lanes want time?
pub(crate) fn wants_time(app: &App) -> bool {
    app.arrangement == Arrangement::Compare && app.lanes.is_busy(app.replay.cursor())
}

/// Where the lanes parted first, as records applied.
pub(crate) fn parting(app: &App) -> Result<usize, String> {
    let Some(comparison) = app.lanes.comparison() else { return Err("the lanes are not there yet".to_owned()) };
    match comparison.first_parting() {
        Some(seq) => Ok(seq.index() + 1),
        None if comparison.lanes().iter().all(Lane::is_through) => Err("the lanes never part".to_owned()),
        None => {
            let ran = text::count(comparison.ran() as u64);
            Err(format!("the lanes still run: {ran} events so far"))
        }
    }
}
