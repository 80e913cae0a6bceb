//! What is wrong with the records of a trace.

use std::collections::{BTreeMap, HashMap};

use super::{DIVERGENCE, DOUBLE_FREE, FREE_OF_NOTHING, Finding, LOST, MISALIGNED, OUTSIDE, REUSED, Rule, WRONG_SIZE};
use crate::event::{Addr, Event, EventKind, Seq};
use crate::log::{Baseline, BaselineState, Pointers, Window};
use crate::model::space::Answer;
use crate::replay::{Cause, Replay, Verdict};

/// Areas in use by what records say, and nothing else.
#[derive(Debug, Default)]
struct Live {
    /// By start: the end, if it is known, and the line it was allocated in.
    areas: BTreeMap<u64, (Option<u64>, Option<u32>)>,
    /// Starts that were freed and not allocated since, with line and number of purges at that time.
    freed: HashMap<u64, (u32, u64)>,
    n_purges: u64,
}

/// Goes through a replay from its start and says what cannot be.
pub fn trace(replay: &mut Replay) -> Vec<Finding> {
    let log = replay.log().clone();
    let mut findings = Vec::new();
    let mut live = Live::default();
    // A snapshot counts where the recorder says that it was taken; a trace from boot needs none.
    let from_boot = replay.plan().machine.from_boot;
    let snapshot = log.before.as_ref().filter(|before| before.pointers == Pointers::Real);
    let snapshot = snapshot.zip(log.snapshot_place()).filter(|_| !from_boot);
    let mut knows_all = from_boot;
    // What a trace leaves open leads the model astray: from there on it is no witness.
    let mut is_sound = true;
    let page_size = replay.space().allocator().page_size().max(1);
    if 0 < log.origin.overwritten {
        let what = format!("{} records were overwritten before the first one", log.origin.overwritten);
        findings.push(Finding::of_all(LOST, what));
    }
    replay.seek_places(0, usize::MAX);
    for (seq, event) in (0..).zip(&log.events) {
        if let Some((rows, _)) = snapshot.filter(|(_, place)| *place == seq as usize) {
            live.take(rows);
            knows_all = true;
        }
        replay.seek_places(seq as usize + 1, usize::MAX);
        let mut found = |rule: Rule, what: String| {
            let line = Some(event.line).filter(|line| 0 < *line);
            findings.push(Finding { rule, file: None, line, seq: Some(seq), what });
        };
        match event.kind {
            EventKind::Alloc { addr, size, align, window, failed } => {
                asked(&mut found, addr.0, size, (!failed).then_some(align), &log.names.window(window), page_size);
                if !failed {
                    live.allocate(&mut found, &event, addr.0, addr.0.checked_add(size));
                }
            }
            EventKind::Unasked { addr, end } => live.allocate(&mut found, &event, addr.0, Some(end.0)),
            EventKind::Free { addr, .. } => {
                // An area that the model brings in to be freed was not known before.
                let answers = &replay.outcome().answers;
                let is_known = answers.iter().any(|answer| matches!(answer, Answer::Freed(_)))
                    && !answers.iter().any(|answer| matches!(answer, Answer::Adopted { .. }));
                live.free(&mut found, &event, addr.0, None, is_known || !knows_all);
            }
            EventKind::FreeProbe { addr, end } => {
                live.free(&mut found, &event, addr.0, Some(end.0).filter(|end| addr.0 < *end), true);
            }
            EventKind::Purge { .. } | EventKind::PurgeReturn { .. } => live.n_purges += 1,
            EventKind::Lost { count: 0 } => found(LOST, "records were lost here, nobody knows how many".to_owned()),
            EventKind::Lost { count } => found(LOST, format!("{count} records were lost here")),
            _ => {}
        }
        if let Verdict::Adopted(cause) = replay.verdict(Seq(seq)) {
            if is_sound && cause == Cause::Impossible {
                found(DIVERGENCE, cause.because().to_owned());
            }
            is_sound &= cause == Cause::Impossible;
        }
    }
    findings
}

/// What a request and its answer say by themselves.
fn asked(
    found: &mut impl FnMut(Rule, String),
    addr: u64,
    size: u64,
    placed: Option<u64>,
    window: &Window,
    page_size: u64,
) {
    if size == 0 || !size.is_multiple_of(page_size) {
        found(WRONG_SIZE, format!("{size} bytes were asked for: no whole pages of {page_size}"));
    }
    let Some(align) = placed else { return };
    let align = align.max(page_size);
    if !addr.is_multiple_of(align) {
        found(MISALIGNED, format!("the area at {} should be a multiple of {align:#x}", Addr(addr)));
    }
    let is_inside = window.vstart <= addr && addr.checked_add(size).is_some_and(|end| end <= window.vend);
    if !is_inside {
        let (start, end) = (Addr(window.vstart), Addr(window.vend));
        found(OUTSIDE, format!("the area at {} is not in {start}-{end}", Addr(addr)));
    }
}

impl Live {
    /// Takes over what a snapshot says was in use.
    fn take(&mut self, rows: &Baseline) {
        let busy = rows.areas.iter().filter(|area| area.state != BaselineState::Unpurged);
        self.areas = busy.map(|area| (area.start, (Some(area.end), None))).collect();
    }

    fn allocate(&mut self, found: &mut impl FnMut(Rule, String), event: &Event, start: u64, end: Option<u64>) {
        let below = self.areas.range(..=start).next_back().filter(|(_, (end, _))| end.is_none_or(|end| start < end));
        let above = self.areas.range(start..).next().filter(|(at, _)| end.is_some_and(|end| **at < end));
        if let Some((&at, (_, line))) = below.or(above) {
            let since = line.map_or_else(|| "before the trace".to_owned(), |line| format!("line {line}"));
            found(REUSED, format!("the area at {} overlaps one in use at {}, from {since}", Addr(start), Addr(at)));
        }
        self.areas.insert(start, (end, Some(event.line)));
        self.freed.remove(&start);
    }

    /// A free; `is_known` if the model knows of an area there, such as a per-CPU chunk, whose allocation has no record.
    fn free(
        &mut self,
        found: &mut impl FnMut(Rule, String),
        event: &Event,
        start: u64,
        end: Option<u64>,
        is_known: bool,
    ) {
        match (self.areas.remove(&start), self.freed.get(&start)) {
            (Some((Some(known), _)), _) => {
                if let Some(end) = end.filter(|end| *end != known) {
                    let (start, known, end) = (Addr(start), Addr(known), Addr(end));
                    found(WRONG_SIZE, format!("the area {start}-{known} is freed as one that ends at {end}"));
                }
            }
            (Some(_), _) => {}
            // Nothing is placed there again before a purge, with or without a record.
            (None, Some((line, purges))) if *purges == self.n_purges && !is_known => {
                found(DOUBLE_FREE, format!("{} was freed in line {line} already", Addr(start)));
            }
            (None, _) if !is_known => {
                found(FREE_OF_NOTHING, format!("nothing is in use at {}", Addr(start)));
            }
            (None, _) => {}
        }
        self.freed.insert(start, (event.line, self.n_purges));
    }
}
