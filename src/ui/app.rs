//! [`App`]: everything the interface knows. Changed by `update` alone.

use std::time::Duration;

use ratatui::layout::Size;

use super::action::Action;
use super::breaks::{Breaks, Hunt, Reason};
use super::content;
use super::followed::Followed;
use super::holders::HoldersPane;
use super::jumps::{Jumps, Spot};
use super::keymap::{Key, Keymap};
use super::lanes::{self, Lanes};
use super::layout::{self, Band, Regions, Wanted};
use super::lesson;
use super::live::Live;
use super::marks::{Marks, Stored};
use super::overlay::Overlay;
use super::pane::{Arrangement, PaneId, Subject};
use super::search::Search;
use super::speed::Speed;
use super::theme::Theme;
use super::time::TimeScale;
use crate::model::TreeId;
use crate::replay::Replay;
use crate::view::charts::ChartChoice;
use crate::view::free::FreeOrder;
use crate::view::lesson::notes;
use crate::view::map::MapZoom;
use crate::view::memo::Memo;
use crate::view::tree::TreePan;
use crate::view::{Glyphs, Scene, Selection, Target};

/// How long a message stays in the footer.
const MESSAGE_FOR: Duration = Duration::from_secs(6);

/// Records applied in one turn of the loop: a few milliseconds, so that keys are answered during a long seek.
const SEEK_BUDGET: usize = 4096;

/// What a pane remembers about what it shows.
#[derive(Debug, Clone)]
pub(crate) struct Panes {
    /// First record shown; `None`: follow the cursor.
    pub(crate) events_top: Option<usize>,
    pub(crate) step_scroll: usize,
    pub(crate) tree_pan: TreePan,
    pub(crate) tree: TreeId,
    pub(crate) free_scroll: usize,
    pub(crate) free_order: FreeOrder,
    pub(crate) tables_scroll: usize,
    pub(crate) detail_scroll: usize,
    pub(crate) lesson_scroll: usize,
    /// The op of the note that is told.
    pub(crate) told: Option<usize>,
    /// What the last stop has selected.
    pub(crate) pinned_by_stop: Option<Selection>,
    pub(crate) map_zoom: MapZoom,
}

/// What the map's content needs, so that it gets no blank rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MapNeed {
    /// The size it would have had.
    pub(crate) room: Size,
    /// What was measured: cursor, selection, zoom.
    pub(crate) shown: (usize, Selection, MapZoom),
    pub(crate) rows: u16,
}

/// What the cursor of the focused pane is on. The place tells apart several stretches with the same target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) pane: PaneId,
    pub(crate) target: Target,
    pub(crate) x: u16,
    pub(crate) y: u16,
}

/// Keys that wait for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pending {
    #[default]
    Nothing,
    /// The first of two.
    First(Key),
    /// Digits so far, and when the first was pressed: one digit alone becomes an action after a while.
    Count { value: usize, since: Duration, single: Option<Key> },
    /// A letter to set a mark.
    SetMark,
    /// A letter to go to a mark.
    GoMark,
}

/// Playing.
#[derive(Debug, Clone)]
pub(crate) struct Playing {
    /// When it was last advanced.
    pub(crate) last: Duration,
    /// Thousandths of an event left over; in trace time: nanoseconds since the current event.
    pub(crate) owed: u64,
    /// Looks for breaks on the way, once it has set out.
    pub(crate) run: Option<Box<Hunt>>,
}

/// A seek that takes more than one turn of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seeking {
    pub(crate) target: usize,
    /// Records applied so far.
    pub(crate) at: usize,
}

/// A sentence in the footer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) until: Duration,
}

/// Everything the interface knows.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) replay: Replay,
    pub(crate) size: Size,
    /// Time since the start, as the last tick said.
    pub(crate) now: Duration,
    pub(crate) focus: PaneId,
    pub(crate) zoom: bool,
    pub(crate) arrangement: Arrangement,
    pub(crate) charts: ChartChoice,
    pub(crate) lanes: Lanes,
    pub(crate) holders: HoldersPane,
    /// The input is read again and again.
    pub(crate) live: Option<Box<Live>>,
    /// A trace of this machine that is or can be taken beside it.
    pub(crate) followed: Option<Box<Followed>>,
    pub(crate) selection: Selection,
    pub(crate) sub_step: Option<usize>,
    pub(crate) panes: Panes,
    pub(crate) pick: Option<Pick>,
    pub(crate) playing: Option<Playing>,
    pub(crate) speed: Speed,
    pub(crate) seeking: Option<Seeking>,
    pub(crate) seek_budget: usize,
    /// Checkpoints are still laid for what is behind the areas.
    pub(crate) preparing: bool,
    pub(crate) breaks: Breaks,
    /// A run to a break or to a use of the selection.
    pub(crate) hunting: Option<Hunt>,
    /// The last run, and where it ended.
    pub(crate) found: Option<(Hunt, usize)>,
    /// What became true at the place that is headed for.
    pub(crate) reason: Reason,
    pub(crate) jumps: Jumps,
    pub(crate) marks: Marks,
    /// What was written down of an input of which only the beginning is here.
    pub(crate) stored: Option<Stored>,
    /// What has been added up for the place of the cursor.
    pub(crate) memo: Memo,
    /// What of the trace timeline and charts show.
    pub(crate) time: TimeScale,
    pub(crate) search: Search,
    pub(crate) overlays: Vec<Overlay>,
    pub(crate) pending: Pending,
    pub(crate) message: Option<Message>,
    pub(crate) keymap: Keymap,
    pub(crate) theme: Theme,
    pub(crate) glyphs: &'static Glyphs,
    pub(crate) map_need: MapNeed,
    /// The width at which the texts of the lesson were measured, and the rows of the longest.
    pub(crate) lesson_need: Option<(u16, u16)>,
    /// What was open before a lesson was opened over it.
    pub(crate) previous: Option<Box<App>>,
    /// Only the beginning of the input is here: how far the rest is; or why there will be none.
    pub(crate) loading: Option<Result<String, String>>,
    /// Where `:goto` leads when that is read.
    pub(crate) awaited: Option<String>,
    pub(crate) dirty: bool,
}

impl App {
    /// The interface on a replay, as it looks first.
    pub(crate) fn new(replay: Replay, size: Size, keymap: Keymap, theme: Theme, glyphs: &'static Glyphs) -> Self {
        // A snapshot has no events: what lies where is its first question.
        let focus = if replay.is_empty() { PaneId::Map } else { PaneId::Events };
        let lanes = Lanes::of(&replay);
        let mut app = Self {
            replay,
            size,
            now: Duration::ZERO,
            focus,
            zoom: false,
            arrangement: Arrangement::Step,
            charts: ChartChoice::default(),
            lanes,
            holders: HoldersPane::default(),
            live: None,
            followed: None,
            selection: Selection::Follow,
            sub_step: None,
            panes: Panes {
                events_top: None,
                step_scroll: 0,
                tree_pan: TreePan::default(),
                tree: TreeId::Free,
                free_scroll: 0,
                free_order: FreeOrder::Address,
                tables_scroll: 0,
                detail_scroll: 0,
                lesson_scroll: 0,
                told: None,
                pinned_by_stop: None,
                map_zoom: MapZoom::default(),
            },
            pick: None,
            playing: None,
            speed: Speed::default(),
            seeking: None,
            seek_budget: SEEK_BUDGET,
            preparing: true,
            breaks: Breaks::default(),
            hunting: None,
            found: None,
            reason: Reason::default(),
            jumps: Jumps::default(),
            marks: Marks::unkept("this input is no file"),
            stored: None,
            memo: Memo::default(),
            time: TimeScale::default(),
            search: Search::default(),
            overlays: Vec::new(),
            pending: Pending::Nothing,
            message: None,
            keymap,
            theme,
            glyphs,
            map_need: MapNeed::default(),
            lesson_need: None,
            previous: None,
            loading: None,
            awaited: None,
            dirty: true,
        };
        lesson::arrive(&mut app);
        app.fit_map();
        app
    }

    /// Measures what the map and the text of a lesson need, if what they show has changed.
    pub(crate) fn fit_map(&mut self) {
        lesson::fit(self);
        let most = layout::regions(self.size, Wanted { map_rows: u16::MAX, ..self.wanted() });
        let size = most.pane(PaneId::Map).map_or(Size::ZERO, |map| map.inner.as_size());
        let shown = (self.replay.cursor(), self.selection, self.panes.map_zoom);
        let known = self.map_need;
        let same_room = known.room == size && known.shown.2 == shown.2;
        if (same_room && known.shown == shown) || size.height == 0 {
            return;
        }
        let rows = content::map_rows(self, size);
        // It only grows while one steps: panes that move up and down cannot be read.
        let rows = if same_room { rows.max(known.rows) } else { rows };
        self.map_need = MapNeed { room: size, shown, rows };
    }

    /// The input is read again and again from now on.
    pub(crate) fn go_live(&mut self, live: Live, followed: Option<Followed>) {
        self.live = Some(Box::new(live));
        self.followed = followed.map(Box::new);
        self.arrangement = Arrangement::Live;
        self.focus = PaneId::Holders;
        self.fit_map();
    }

    /// Takes over the marks that were written down for this input.
    pub(crate) fn open_marks(&mut self, stored: Stored) {
        if matches!(self.loading, Some(Ok(_))) {
            // Which trace they are of shows at its end.
            self.stored = Some(stored);
            self.marks = Marks::unkept("the rest of the input is still being read");
            return;
        }
        let (marks, said) = Marks::load(stored, &self.replay);
        self.marks = marks;
        if let Some(said) = said {
            self.say(said);
        }
    }

    /// What the views may look at.
    pub(crate) fn scene(&self) -> Scene<'_> {
        let Self { replay, selection, sub_step, glyphs, marks, memo, .. } = self;
        memo.enter(replay.cursor());
        let (marks, memo) = (marks.places(), Some(memo));
        Scene { replay, selection: *selection, sub_step: *sub_step, glyphs, marks, memo }
    }

    /// Where everything is at the last known size.
    pub(crate) fn regions(&self) -> Regions {
        layout::regions(self.size, self.wanted())
    }

    /// What the layout has to show.
    pub(crate) fn wanted(&self) -> Wanted {
        let band = self.lesson_need.map(|(_, rows)| Band { rows, show: lesson::shown(self) });
        let Self { focus, zoom, map_need, arrangement, .. } = *self;
        let live_rows = super::live::height(self, self.size.width.saturating_sub(2));
        Wanted { focus, zoom, arrangement, subject: self.subject(), map_rows: map_need.rows, live_rows, band }
    }

    /// The panes that can be focused, in the order Tab goes through them.
    pub(crate) fn focusable(&self) -> &'static [PaneId] {
        self.arrangement.panes(self.subject())
    }

    /// A trace, a snapshot or a lesson.
    pub(crate) fn subject(&self) -> Subject {
        match (self.replay.is_empty(), notes(self.replay.log())) {
            (true, _) => Subject::Snapshot,
            (false, []) => Subject::Trace,
            (false, _) => Subject::Lesson,
        }
    }

    /// Where the cursor is, or will be when the seek is over.
    pub(crate) fn heading(&self) -> usize {
        self.seeking.map_or(self.replay.cursor(), |seeking| seeking.target)
    }

    /// The place to return to.
    pub(crate) fn spot(&self) -> Spot {
        Spot { cursor: self.heading(), selection: self.selection }
    }

    /// Says what is wrong with the file of what was inferred before, if something is.
    pub(crate) fn say_kept(&mut self) {
        if let Some(problem) = self.replay.plan().kept.problems.first().cloned() {
            self.say(problem);
        }
    }

    /// Says something in the footer for a while.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.message = Some(Message { text: text.into(), until: self.now + MESSAGE_FOR });
    }

    /// The first key of an action, for sentences.
    pub(crate) fn key(&self, action: Action) -> String {
        self.keymap.label(action)
    }

    /// Must the loop come back without being asked? Then how soon.
    pub(crate) fn wants_tick(&self) -> Option<Duration> {
        let busy = self.seeking.is_some() || self.hunting.is_some() || self.search.is_stale();
        let busy = busy || lanes::wants_time(self);
        if busy || !self.replay.is_settled() || self.preparing {
            return Some(Duration::ZERO);
        }
        if self.playing.is_some() {
            return Some(Duration::from_millis(16));
        }
        let waiting = matches!(self.loading, Some(Ok(_)))
            || matches!(self.pending, Pending::Count { single: Some(_), .. })
            || self.message.is_some()
            || self.memo.waits();
        waiting.then(|| Duration::from_millis(100))
    }
}
