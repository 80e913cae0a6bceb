//! What each lane answers to the current record.

use super::super::line::Line;
use super::super::text::{self, Addresses};
use super::super::{Role, Row, Scene, Span, Target, focus};
use super::{Lanes, name, progress, sign};
use crate::compare::{Done, Lane, Placed};
use crate::event::EventKind;
use crate::model::step::PoolAnswer;
use crate::model::{Answer, Extent, Op, Step};

/// The rows: what was asked, and a row for each lane.
pub(super) fn rows(scene: &Scene<'_>, lanes: &Lanes<'_>, width: usize) -> Vec<Row> {
    let mut rows = vec![asked(scene, width)];
    rows.extend(progress(scene, lanes, width));
    if !lanes.is_here(scene) {
        let words = "the lanes have not come as far as the cursor";
        rows.push(Line::new(width, scene.glyphs).gap(1).put(words, Role::Muted).done());
        return rows;
    }
    let names = lanes.list().iter().map(|lane| text::width(&name(lane))).max().unwrap_or(0).min(width / 3);
    let addresses = focus::addresses(scene);
    let widest = lanes.list().iter().filter_map(|lane| match lane.shown().placed() {
        Placed::At(extent) => Some(text::width(&addresses.short(extent.start()))),
        Placed::Unasked | Placed::Nowhere => None,
    });
    let place = widest.max().unwrap_or(0);
    let first = lanes.list().first().map(|lane| lane.shown().placed());
    for (at, lane) in lanes.list().iter().enumerate() {
        let line = Line::new(width, scene.glyphs).gap(1).strong(sign(at), Role::Key).gap(1);
        let line = line.left(name(lane), names, Role::Text).gap(2);
        rows.push(answer(scene, lane, line, (first.filter(|_| at > 0), place)).done());
    }
    rows
}

/// The record, in a row.
fn asked(scene: &Scene<'_>, width: usize) -> Row {
    let log = scene.replay.log();
    let line = Line::new(width, scene.glyphs).gap(1);
    let Some((seq, event)) = scene.replay.current() else {
        return line.put("before the first event: every lane starts with the areas there are", Role::Muted).done();
    };
    let line = line.put(format!("event {}  ", text::count(seq.index() as u64 + 1)), Role::Number);
    let line = match event.kind {
        EventKind::Alloc { size, align, failed, .. } => {
            let aligned = if align > 1 { format!(", aligned to {}", text::bytes(align)) } else { String::new() };
            let end = if failed { "; it failed in the trace" } else { "" };
            line.put(format!("asks for {}{aligned}{end}", text::bytes(size)), Role::Text)
        }
        EventKind::Free { .. } | EventKind::FreeProbe { .. } => {
            let born = scene.replay.area_of(seq);
            let of = born.map_or_else(
                || "an area older than the trace".to_owned(),
                |born| format!("the area of event {}", text::count(born.index() as u64 + 1)),
            );
            line.put(format!("frees {of}"), Role::Text)
        }
        kind => line.put(kind.word(), Role::Text),
    };
    let task = log.names.task(event.task);
    line.put(format!("  {} {}", text::task(task), text::on_cpu(event)), Role::Muted).target(Target::Event(seq)).done()
}

/// What a lane did with the record.
fn answer<'g>(scene: &Scene<'_>, lane: &Lane, line: Line<'g>, (first, place): (Option<Placed>, usize)) -> Line<'g> {
    let glyphs = scene.glyphs;
    let addresses = focus::addresses(scene);
    let recorded = recorded(scene);
    let shown = lane.shown();
    let placed = shown.placed();
    if placed != Placed::Unasked {
        let differs = first.is_some_and(|first| first != placed);
        let mark = if differs { (glyphs.unlike, Role::Warn) } else { (' ', Role::Text) };
        let line = line.put(mark.0.to_string(), mark.1).gap(1);
        return match placed {
            Placed::Unasked | Placed::Nowhere => {
                let line = line.put(format!("{} no space", glyphs.failure), Role::Bad);
                line.put(format!("  {}", steps(shown.search_steps())), Role::Muted)
            }
            Placed::At(extent) => {
                let mut line = line;
                let end = line.used() + place;
                line.span(address(&addresses, extent));
                line = line.to(end);
                let same = recorded == Some(extent.start());
                let (glyph, word, role) = match (recorded, same) {
                    (Some(_), true) => (glyphs.exact, "as recorded", Role::Good),
                    (Some(_), false) => (glyphs.adopted, "elsewhere  ", Role::Warn),
                    (None, _) => (' ', "           ", Role::Text),
                };
                let line = line.put(format!("  {glyph} {word}"), role);
                let line = line.put(format!("  {:<9}", steps(shown.search_steps())), Role::Number);
                line.put(format!("  {}", how(&shown.steps)), Role::Muted)
            }
        };
    }
    let line = line.gap(2);
    let Some(done) = shown.done.first() else {
        let words = if lane.cursor() == 0 { lane.machine().policy.entry.title } else { "nothing to do" };
        return line.put(words, Role::Muted);
    };
    match done {
        Done::Skipped(_) => line.put(format!("{} never had it: its request failed here", glyphs.failure), Role::Warn),
        Done::Failed(_) | Done::RefusedByRecord => line.put(format!("{} no space", glyphs.failure), Role::Bad),
        Done::Op { op, answer, .. } => told(&addresses, line, op, answer),
    }
}

/// An operation that is no request.
fn told<'g>(addresses: &Addresses, mut line: Line<'g>, op: &Op, answer: &Answer) -> Line<'g> {
    match answer {
        Answer::Freed(freed) => {
            line.span(address(addresses, freed.extent));
            line.put(format!("  {} freed", text::bytes(freed.extent.len_bytes())), Role::Text)
        }
        Answer::Purged(purged) => {
            let areas = text::plural(u64::from(purged.num_purged), "area", "areas");
            line.put(format!("purged {areas}, {}", text::plural(purged.pages, "page", "pages")), Role::Text)
        }
        Answer::Drained(purges) => {
            let pages = purges.iter().map(|purged| purged.pages).sum();
            line.put(format!("purged {}", text::plural(pages, "page", "pages")), Role::Text)
        }
        Answer::Chunk(Some(extent)) => {
            line.span(address(addresses, *extent));
            line.put("  per-CPU chunk", Role::Text)
        }
        Answer::UnknownFree(_) => line.put("no area is there", Role::Warn),
        _ if matches!(op, Op::Purge { .. }) => line.put("purge", Role::Text),
        _ => line.put("done", Role::Muted),
    }
}

fn address(addresses: &Addresses, extent: Extent) -> Span {
    Span { target: Some(Target::Address(extent.start())), ..Span::new(addresses.short(extent.start()), Role::Number) }
}

fn recorded(scene: &Scene<'_>) -> Option<u64> {
    match scene.replay.current()?.1.kind {
        EventKind::Alloc { addr, failed: false, .. } => Some(addr.0),
        _ => None,
    }
}

fn steps(n: u64) -> String {
    text::plural(n, "step", "steps")
}

/// Where the place came from: the pool, or how it lies in its hole.
fn how(steps: &[Step]) -> String {
    let pooled = steps.iter().any(|step| matches!(step, Step::PoolAsked { answer: PoolAnswer::Hit(_), .. }));
    if pooled {
        return "from a pool".to_owned();
    }
    let clipped = steps.iter().find_map(|step| match *step {
        Step::Clipped { hole, fit, .. } => Some(format!("{} of {}", fit.title(), text::bytes(hole.len_bytes()))),
        _ => None,
    });
    clipped.unwrap_or_default()
}
