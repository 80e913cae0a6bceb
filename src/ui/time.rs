//! [`TimeScale`]: which stretch of the trace timeline and charts show.

use std::time::Duration;

use super::app::App;
use crate::view::visible::{TimeView, Visible};

/// How long the cursor stays before what takes long is added up.
const REST: Duration = Duration::from_millis(200);

/// The stretch.
#[derive(Debug, Clone, Default)]
pub(crate) struct TimeScale {
    /// `None`: all of the trace.
    zoom: Option<Visible>,
    /// Where the cursor was when the stretch was last brought to it.
    cursor: usize,
    /// Since when it has been there.
    since: Duration,
}

impl App {
    /// What timeline and charts show.
    pub(crate) fn time_view(&self) -> TimeView<'_> {
        TimeView { visible: self.time_visible(), marks: self.marks.places() }
    }

    /// The stretch of the trace in sight.
    pub(crate) fn time_visible(&self) -> Visible {
        let n = self.replay.len();
        self.time.zoom.filter(|shown| shown.to <= n).unwrap_or(Visible::whole(n))
    }

    /// Closer or wider; the place `around` stays where it is on the screen.
    pub(crate) fn zoom_time(&mut self, around: usize, closer: bool) {
        let n = self.replay.len();
        let shown = self.time_visible().zoomed(n, around, closer);
        self.time.zoom = Some(shown).filter(|shown| !shown.is_whole(n));
        self.dirty = true;
    }

    /// All of the trace again.
    pub(crate) fn whole_time(&mut self) {
        self.time.zoom = None;
    }

    /// What takes long is added up once the cursor has rested.
    pub(crate) fn rest(&mut self) {
        if self.memo.waits() && self.time.since + REST <= self.now && self.playing.is_none() {
            self.memo.rest();
            self.dirty = true;
        }
    }

    /// Brings the stretch to the cursor if that has left it.
    pub(crate) fn follow_time(&mut self) {
        let cursor = self.replay.cursor();
        let n = self.replay.len();
        if self.time.cursor != cursor {
            self.time.cursor = cursor;
            self.time.since = self.now;
            self.time.zoom = self.time.zoom.map(|shown| shown.following(n, cursor));
        }
    }
}
