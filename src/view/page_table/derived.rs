//! The tables derived from the areas alone: the way where what is behind them is not followed.

use super::super::focus::{Kind, Thing, first_above, has_guard, is_per_cpu};
use super::super::line::{Line, flow, wrap};
use super::super::within::each_busy;
use super::super::{Role, Row, Scene, Span, Target, text};
use crate::model::page_table::{Geometry, WalkStep};
use crate::model::{Extent, NIL, TreeId, VmapArea};

/// The rows about an address.
pub(super) fn rows(scene: &Scene<'_>, columns: usize, height: u16, addr: u64) -> Vec<Row> {
    let space = scene.replay.space();
    let geometry = space.geometry();
    let thing = super::super::focus::thing_at(scene, space, addr);
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
    rows
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
    let used = used_entries(scene, step);
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
    let mapped = mapped_part(scene, kind, &scene.replay.space().allocator().areas()[thing.area], thing.extent);
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
        let all = areas_in(scene, last.table_start, last.table_start.saturating_add(table));
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
pub(super) fn so_far(scene: &Scene<'_>, width: usize, geometry: &Geometry) -> Vec<Row> {
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

/// Entries of one table that areas in use need.
fn used_entries(scene: &Scene<'_>, step: &WalkStep) -> Vec<bool> {
    let space = scene.replay.space();
    let allocator = space.allocator();
    let (shift, n) = (step.level.shift, step.level.entries);
    let mut used = vec![false; n as usize];
    let index = |addr: u64| ((addr - step.table_start) >> shift) as usize;
    let last = step.table_start.saturating_add((n << shift.min(63)).wrapping_sub(1));
    // The top table of a 64-bit space covers more than 64 bits can count: then nothing lies behind it.
    let last = if last < step.table_start || u128::from(n) << shift > u128::from(u64::MAX) { u64::MAX } else { last };
    for node in 0..allocator.n_nodes() {
        let Some(busy) = allocator.tree(TreeId::Busy(node)) else {
            each_busy(space, step.table_start, last, |area| {
                let Some(extent) = Extent::new(area.start, area.end) else { return };
                let mapped = mapped_part(scene, Kind::Busy, area, extent);
                let low = mapped.start().max(step.table_start);
                let high = (mapped.end() - 1).min(last);
                if low <= high {
                    used[index(low)..=index(high)].fill(true);
                }
            });
            continue;
        };
        let mut from = step.table_start;
        loop {
            let id = first_above(busy.areas, &busy.tree, from);
            if id == NIL || last < busy.areas[id].start {
                break;
            }
            let area = &busy.areas[id];
            let Some(extent) = Extent::new(area.start, area.end) else { break };
            let kind = if is_per_cpu(scene, space, area) { Kind::PerCpu } else { Kind::Busy };
            let mapped = mapped_part(scene, kind, area, extent);
            let low = mapped.start().max(step.table_start);
            let high = (mapped.end() - 1).min(last);
            if low <= high {
                used[index(low)..=index(high)].fill(true);
            }
            // On to the first area that reaches beyond the entry just seen.
            let entry_end = (high.max(low) >> shift).checked_add(1).map(|entry| entry << shift);
            match entry_end {
                Some(next) if next > from => from = next.max(extent.end()),
                _ => break,
            }
        }
    }
    used
}

/// The part of an area that is mapped: all but its guard page.
fn mapped_part(scene: &Scene<'_>, kind: Kind, area: &VmapArea, extent: Extent) -> Extent {
    let page = scene.replay.space().allocator().page_size();
    if !has_guard(scene, kind, area) {
        return extent;
    }
    Extent::new(extent.start(), extent.end() - page.min(extent.len_bytes())).unwrap_or(extent)
}

/// Areas in use that reach into `[start, end)`.
fn areas_in(scene: &Scene<'_>, start: u64, end: u64) -> u64 {
    let mut n = 0;
    each_busy(scene.replay.space(), start, end, |area| n += u64::from(!area.lazy));
    n
}
