//! The page tables: what does this address cost?
//!
//! The walk of the selected address, level by level: which entry, what it covers, how full that table is, and what the
//! area there needs. Nothing here decides an address.

mod tables;

use super::focus::{self, Kind, Thing};
use super::line::{Line, flow, scrolled, wrap};
use super::text;
use super::unplaced::Unplaced;
use super::{Role, Row, Scene, Span, Target};
use crate::model::page_table::{Geometry, WalkStep};

/// The rows.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, scroll: usize) -> Vec<Row> {
    let columns = usize::from(width);
    if let Some(unplaced) = Unplaced::of(scene) {
        return unplaced.sentence(scene, &unplaced.no_tables(), columns, height);
    }
    let Some(addr) = focus::focus_address(scene) else {
        let sentence = match (focus::event_request(scene), scene.replay.current()) {
            (Some(_), _) => "This request was given no address: it needs no table.",
            (None, Some(_)) => "This event is about no address. Select one in the map to see its tables.",
            (None, None) => "No address yet: select one in the map, or step to an event that has one.",
        };
        let mut rows = wrap(sentence, Role::Muted, columns, 0, scene.glyphs);
        rows.extend(so_far(scene, columns, scene.replay.space().geometry()));
        return scrolled(rows, scroll, height);
    };
    let space = scene.replay.space();
    let geometry = space.geometry();
    let thing = focus::thing_at(scene, space, addr);
    let walk = geometry.walk(addr);
    // The answer first, then how it comes about.
    let mut rows = if matches!(thing.kind, Kind::Busy | Kind::PerCpu | Kind::Lazy) {
        needs(scene, columns, &walk, &thing)
    } else if thing.kind == Kind::Unseen {
        let words = "Something that no record shows lies here: which tables it needs is not known.";
        wrap(words, Role::Muted, columns, 2, scene.glyphs)
    } else {
        let words = format!("{} at this address: nothing is mapped, no table is needed.", what(thing.kind));
        wrap(&words, Role::Muted, columns, 2, scene.glyphs)
    };
    if height >= 9 {
        let names = "     entry covers  entries areas in use need";
        rows.push(Line::new(columns, scene.glyphs).put(names, Role::Muted).done());
    }
    rows.extend(walk.iter().map(|step| level(scene, columns, step)));
    rows.extend(so_far(scene, columns, geometry));
    scrolled(rows, scroll, height)
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::Free => "A hole lies",
        Kind::Pooled => "A pooled area lies",
        _ => "Nothing known lies",
    }
}

/// `PMD    2  2 MiB each  ▁▁▃  12 of 512 used`.
fn level(scene: &Scene<'_>, width: usize, step: &WalkStep) -> Row {
    let glyphs = scene.glyphs;
    let used = tables::used_entries(scene, step);
    let n_used = used.iter().filter(|&&used| used).count() as u64;
    let count = format!(" {} of {}", text::count(n_used), text::count(step.level.entries));
    let entry = 1_u64.checked_shl(step.level.shift).unwrap_or(u64::MAX);
    let mut line = Line::new(width, glyphs)
        .left(step.level.name, 4, Role::Title)
        .right(text::count(step.index), 5, Role::Number)
        .right(text::bytes(entry), 8, Role::Muted)
        .gap(2);
    let bars = line.room().saturating_sub(count.len()).min(64);
    if bars >= 8 {
        for span in occupancy(scene, &used, step, bars) {
            line.span(span);
        }
    }
    line.put(count, Role::Number).target(Target::Address(step.entry_start)).done()
}

/// A bar over all entries of a table; the part with our entry is marked.
fn occupancy(scene: &Scene<'_>, used: &[bool], step: &WalkStep, columns: usize) -> Vec<Span> {
    let glyphs = scene.glyphs;
    let columns = columns.min(used.len()).max(1);
    (0..columns)
        .map(|column| {
            let from = column * used.len() / columns;
            let to = ((column + 1) * used.len() / columns).max(from + 1).min(used.len());
            let part = &used[from..to];
            let n = part.iter().filter(|&&used| used).count();
            let bar = match n {
                // A dash of a plain set would look like a bar.
                0 if glyphs.ascii => ' ',
                0 => glyphs.dot,
                _ if n == part.len() => glyphs.bars[7],
                _ => glyphs.bars[(n * 7 / part.len()).min(6)],
            };
            let ours = (from..to).contains(&(step.index as usize));
            let entry = step.table_start.wrapping_add((from as u64) << step.level.shift);
            let role = match (ours, n) {
                (true, _) => Role::Changed,
                (false, 0) => Role::Free,
                _ => Role::Busy,
            };
            let target = Some(Target::Address(entry));
            Span { text: bar.to_string(), role, selected: ours, target, ..Span::default() }
        })
        .collect()
}

/// Tables the area needs, and with how many others it shares the last one.
fn needs(scene: &Scene<'_>, width: usize, walk: &[WalkStep], thing: &Thing) -> Vec<Row> {
    let geometry = scene.replay.space().geometry();
    let kind = thing.kind;
    let mapped = tables::mapped_part(scene, kind, &scene.replay.space().allocator().areas()[thing.area], thing.extent);
    let at_boot = |name: &str| geometry.levels.iter().any(|level| level.preallocated && level.name == name);
    let levels: Vec<_> = geometry.tables_for(mapped).into_iter().filter(|(name, _)| !at_boot(name)).collect();
    let needed: u64 = levels.iter().map(|(_, n)| n).sum();
    let space = scene.replay.space();
    // What the event itself has just mapped can be told apart from what was there.
    let is_new = kind == Kind::Busy
        && scene.replay.current().is_some_and(|(seq, _)| space.allocator().areas()[thing.area].born == seq.0);
    let new = space.n_tables().saturating_sub(scene.replay.before().n_tables());
    let all_new = is_new && new == needed;
    let verb = if kind == Kind::Lazy { " were mapped here, which needs " } else { " mapped here: needs " };
    let mut spans = vec![Span::new(text::bytes(mapped.len_bytes()), Role::Number), Span::new(verb, Role::Text)];
    for (place, (name, n)) in levels.iter().enumerate() {
        let joint = match place {
            0 => "",
            _ if place + 1 == levels.len() => " and ",
            _ => ", ",
        };
        let fresh = if all_new { "new " } else { "" };
        let tables = if *n == 1 { "table" } else { "tables" };
        spans.push(Span::new(format!("{joint}{} {fresh}{name} {tables}", text::count(*n)), Role::Number));
    }
    if is_new && !all_new {
        let words = match new {
            0 => ", all there before".to_owned(),
            _ => format!(", {} of them new", text::count(new)),
        };
        spans.push(Span::new(words, Role::Text));
    }
    let boot: Vec<&str> = geometry.levels.iter().filter(|level| level.preallocated).map(|level| level.name).collect();
    spans.push(Span::new(format!(" ({} there since boot).", boot.join(" and ")), Role::Muted));
    if let Some(last) = walk.last() {
        let table = last.level.entries << last.level.shift;
        let all = tables::areas_in(scene, last.table_start, last.table_start.saturating_add(table));
        let others = all.saturating_sub(u64::from(kind != Kind::Lazy));
        let shares = match others {
            0 => format!(" No other area uses its {} table.", last.level.name),
            1 => format!(" 1 other area uses its {} table.", last.level.name),
            _ => format!(" {} other areas use its {} table.", text::count(others), last.level.name),
        };
        spans.push(Span::new(shares, Role::Text));
    }
    flow(&spans, width, 2, scene.glyphs)
}

/// Tables all areas have needed so far, and what this event added.
fn so_far(scene: &Scene<'_>, width: usize, geometry: &Geometry) -> Vec<Row> {
    let n = scene.replay.space().n_tables();
    let new = n.saturating_sub(scene.replay.before().n_tables());
    let bytes = text::bytes(n.saturating_mul(geometry.table_bytes));
    let mut spans = vec![
        Span::new("So far ", Role::Muted),
        Span::new(format!("{}, {bytes}", text::plural(n, "table", "tables")), Role::Number),
        Span::new("; they stay when areas go.", Role::Muted),
    ];
    if scene.replay.cursor() > 0 {
        let words = match new {
            0 => " This event added none.".to_owned(),
            _ => format!(" {} This event added {}.", scene.glyphs.up, text::count(new)),
        };
        spans.push(Span::new(words, if new == 0 { Role::Muted } else { Role::Changed }));
    }
    flow(&spans, width, 2, scene.glyphs)
}

/// The title: the address, and how the machine translates.
pub fn title(scene: &Scene<'_>) -> Vec<Span> {
    let mut spans = vec![Span::new("page tables", Role::Title)];
    if Unplaced::of(scene).is_some() {
        spans.push(Span::new("  not known", Role::Warn));
        return spans;
    }
    if let Some(addr) = focus::focus_address(scene) {
        spans.push(Span::new(format!("  {}", scene.addr(addr)), Role::Number));
    }
    let title = scene.replay.space().geometry().title;
    spans.push(Span::new(format!(" {} {title}", scene.glyphs.dot), Role::Muted));
    spans
}
