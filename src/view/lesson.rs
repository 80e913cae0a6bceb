//! The lesson: what is to be seen here? The notes of a script, told at its stops.

use parsers::ops::notes::At;
use parsers::ops::{Note, Op, RequestOp};

use super::line::{flow, scrolled, wrap};
use super::script::noun;
use super::{Role, Row, Scene, Span, text};
use crate::event::EventKind;
use crate::lesson::{self, Lesson};
use crate::log::Log;
use crate::replay::Replay;

/// Lines longer than this are hard to read.
const WIDEST: usize = 110;

/// The notes of a script; none of anything else.
pub fn notes(log: &Log) -> &[Note] {
    log.script.as_ref().map_or(&[], |script| &script.notes)
}

/// The note that is told after so many ops: the last one up to there.
pub fn told(log: &Log, cursor: usize) -> Option<&Note> {
    let notes = notes(log);
    notes[..notes.partition_point(|note| note.op <= cursor)].last()
}

/// The next stop behind a cursor, or the last one before it.
pub fn near(log: &Log, cursor: usize, forward: bool) -> Option<&Note> {
    let notes = notes(log);
    if forward {
        notes.get(notes.partition_point(|note| note.op <= cursor))
    } else {
        notes[..notes.partition_point(|note| note.op < cursor)].last()
    }
}

fn has_introduction(log: &Log) -> bool {
    notes(log).first().is_some_and(|note| note.op == 0)
}

/// The lesson to read behind this one; of a script that is none, nothing.
pub fn next_lesson(log: &Log) -> Option<&'static Lesson> {
    lesson::behind(log.script.as_ref()?.lesson?)
}

/// The address a note selects; `None` if the id has none at the cursor.
pub fn address(replay: &Replay, at: At) -> Option<u64> {
    let id = match at {
        At::Address(address) => return Some(address),
        At::Id(id) => id,
    };
    let log = replay.log();
    let ops = &log.script.as_ref()?.ops;
    let given = log.events.iter().zip(ops).take(replay.cursor()).rev();
    let mut placed = given.filter_map(|(event, line)| match event.kind {
        EventKind::Alloc { addr, failed: false, .. } if id_of(&line.op) == Some(id) => Some(addr.0),
        _ => None,
    });
    placed.next()
}

/// The id that an op gives to what it allocates.
fn id_of(op: &Op) -> Option<u64> {
    match op {
        Op::Alloc { id, .. } => Some(*id),
        Op::Request(request) => match &**request {
            RequestOp::Vmalloc { id, .. }
            | RequestOp::Vmap { id, .. }
            | RequestOp::MapRam { id, .. }
            | RequestOp::Ioremap { id, .. }
            | RequestOp::Pcpu { id, .. } => Some(*id),
            _ => None,
        },
        _ => None,
    }
}

/// The title: which stop, and of what.
pub fn title(scene: &Scene<'_>) -> Vec<Span> {
    let (log, cursor) = (scene.replay.log(), scene.replay.cursor());
    let mut spans = vec![Span::new("lesson  ", Role::Title)];
    // The introduction is no stop, and the first note if there is one.
    let stops = |upto: usize| notes(log).partition_point(|note| note.op <= upto) - usize::from(has_introduction(log));
    match told(log, cursor) {
        None => {}
        Some(Note { op: 0, .. }) => spans.push(Span::new("introduction", Role::Number)),
        Some(note) => {
            spans.push(Span::new(format!("stop {} of {}", stops(note.op), stops(usize::MAX)), Role::Number));
        }
    }
    let past = cursor - told(log, cursor).map_or(cursor, |note| note.op);
    if 0 < past {
        let ops = text::plural(past as u64, noun(log), &format!("{}s", noun(log)));
        spans.push(Span::new(format!(", {ops} past it"), Role::Warn));
    }
    if let Some(title) = &log.origin.description {
        spans.push(Span::new(format!("  {}", text::escape(title.as_bytes())), Role::Text));
    }
    spans
}

/// The rows; `scroll` leaves out the first ones.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, scroll: usize) -> Vec<Row> {
    let rows = match told(scene.replay.log(), scene.replay.cursor()) {
        Some(note) => told_rows(scene, note, usize::from(width)),
        None => wrap("The notes of this script begin further on.", Role::Muted, usize::from(width), 0, scene.glyphs),
    };
    scrolled(rows, scroll, height)
}

/// Rows that the longest note fills: panes that move from stop to stop cannot be read.
pub fn rows_needed(scene: &Scene<'_>, width: u16) -> u16 {
    let notes = notes(scene.replay.log()).iter();
    notes.map(|note| told_rows(scene, note, usize::from(width)).len() as u16).max().unwrap_or(0)
}

fn told_rows(scene: &Scene<'_>, note: &Note, width: usize) -> Vec<Row> {
    let log = scene.replay.log();
    let width = width.min(WIDEST);
    let mut rows = Vec::new();
    for (at, paragraph) in note.text.iter().enumerate() {
        let start = if at == 0 { "" } else { "  " };
        let words = format!("{start}{}", text::escape(paragraph.as_bytes()));
        rows.extend(wrap(&words, Role::Text, width, 0, scene.glyphs));
    }
    if near(log, note.op, true).is_none() {
        let end = Span { strong: true, ..Span::new("This is the end.", Role::Title) };
        let next = next_lesson(log).map(|next| format!(" Next lesson: {}.", next.name)).unwrap_or_default();
        rows.extend(flow(&[end, Span::new(next, Role::Text)], width, 0, scene.glyphs));
    }
    rows
}
