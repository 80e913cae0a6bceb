//! [`HoldersPane`]: who holds the space: what rows are put together by, their order, what is left out.

use std::cell::RefCell;
use std::rc::Rc;

use ratatui::layout::Size;

use super::app::App;
use crate::insight::History;
use crate::insight::holders::{AtStart, GroupBy, Held, at_start, of_history, of_replay};
use crate::insight::{page_size_of, summarize};
use crate::replay::Replay;
use crate::view::holders::{self as view, HeldOrder, Holders};
use crate::view::page_table::{costs, is_too_many};
use crate::view::{Role, Row, Span};

/// What rows were made for: cursor, readings, the one that is shown, the one it is compared with, and how they are put
/// together.
type Key = (usize, usize, usize, Option<usize>, GroupBy, HeldOrder, String);

/// Rows with what they were made for; `None` where nobody knows.
type Made = (Key, Option<Rc<Vec<Held>>>);

/// What the pane remembers.
#[derive(Debug, Default)]
pub(crate) struct HoldersPane {
    pub(crate) by: GroupBy,
    pub(crate) order: HeldOrder,
    pub(crate) filter: String,
    pub(crate) scroll: usize,
    made: RefCell<Option<Made>>,
    /// What was held before the first record: it does not change.
    start: RefCell<Option<(GroupBy, Rc<AtStart>)>>,
}

impl HoldersPane {
    /// The next way to put rows together, among those that the input can tell.
    pub(crate) fn next_by(&mut self, has_tasks: bool) {
        let all: Vec<GroupBy> = GroupBy::ALL.into_iter().filter(|by| has_tasks || by.of_snapshot().is_some()).collect();
        let at = all.iter().position(|&by| by == self.by).map_or(0, |at| at + 1);
        self.by = all[at % all.len()];
        self.scroll = 0;
    }

    /// The next order, or the one before.
    pub(crate) fn next_order(&mut self, by: isize) {
        let all = HeldOrder::ALL;
        let at = all.iter().position(|&order| order == self.order).unwrap_or(0).cast_signed();
        self.order = all[(at + by).rem_euclid(all.len().cast_signed()).cast_unsigned()];
        self.scroll = 0;
    }

    /// Everything is made again: the input is another one.
    pub(crate) fn forget(&self) {
        self.made.take();
        self.start.take();
    }

    /// What was held before the first record, added up once.
    fn start(&self, replay: &Replay) -> Option<Rc<AtStart>> {
        if let Some((by, start)) = &*self.start.borrow()
            && *by == self.by
        {
            return Some(Rc::clone(start));
        }
        let start = Rc::new(at_start(replay, self.by)?);
        self.start.replace(Some((self.by, Rc::clone(&start))));
        Some(start)
    }
}

/// Who holds what, in order; `None` while it is not known.
fn held(app: &App) -> Option<Rc<Vec<Held>>> {
    let pane = &app.holders;
    let (readings, shown, base) = app.readings().map_or((0, 0, None), |live| (live.len(), live.shown(), live.base));
    let key = (app.replay.cursor(), readings, shown, base, pane.by, pane.order, pane.filter.clone());
    if let Some((known, rows)) = &*pane.made.borrow()
        && *known == key
        && rows.is_some()
    {
        return rows.clone();
    }
    let mut rows = all(app);
    if let Some(rows) = &mut rows {
        view::arrange(rows, pane.order, &pane.filter);
    }
    let rows = rows.map(Rc::new);
    pane.made.replace(Some((key, rows.clone())));
    rows
}

fn all(app: &App) -> Option<Vec<Held>> {
    let by = app.holders.by.of_snapshot().unwrap_or_default();
    if let Some(live) = app.readings() {
        return Some(of_history(&live.history, live.shown(), live.base.unwrap_or(live.first()), by));
    }
    let log = app.replay.log();
    match &log.before {
        // One moment: what its rows say is all there is to know, whatever their addresses are.
        Some(snapshot) if app.replay.is_empty() => {
            let mut history = History::new(1);
            history.push(&summarize(snapshot, page_size(app)).by_caller, None);
            Some(of_history(&history, 0, 0, by))
        }
        _ if app.replay.is_settled() => {
            let costs = costs(&app.scene())?;
            let start = app.holders.start(&app.replay)?;
            Some(of_replay(&app.replay, &costs.costs, &start, app.holders.by))
        }
        _ => None,
    }
}

fn page_size(app: &App) -> u64 {
    let log = app.replay.log();
    match &log.before {
        Some(snapshot) if app.replay.is_empty() => page_size_of(log, snapshot),
        _ => app.replay.plan().machine.page_size,
    }
}

fn shown<'a>(app: &'a App, rows: &'a [Held]) -> Holders<'a> {
    let HoldersPane { by, order, filter, .. } = &app.holders;
    Holders { rows, by: *by, order: *order, filter, page_size: page_size(app), has_course: app.readings().is_some() }
}

/// The rows of the pane.
pub(crate) fn rows(app: &App, size: Size, scroll: usize) -> Vec<Row> {
    let Some(held) = held(app) else {
        let words = match app.replay.space().memory() {
            None => "What is behind areas is not followed here: nobody knows who holds them.",
            Some(memory) if is_too_many(memory) => "There are too many areas to add them up at each event.",
            Some(_) => "adding up what is behind the areas",
        };
        return vec![Row::of(words, Role::Muted)];
    };
    let course = |held: &Held, columns: usize| match (app.readings(), &held.key) {
        (Some(live), Some(key)) => live.course_of(key, columns, app.holders.by.of_snapshot().unwrap_or_default()),
        _ => Vec::new(),
    };
    view::rows(&shown(app, &held), (size.width, size.height), scroll, app.glyphs, &course)
}

/// Rows there are besides heading and sum.
pub(crate) fn count(app: &App) -> usize {
    held(app).map_or(0, |held| held.len())
}

/// The title of the pane.
pub(crate) fn title(app: &App) -> Vec<Span> {
    view::title(&shown(app, &[]))
}
