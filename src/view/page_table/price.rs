//! What the selected area costs, what all tables cost, and who pays most.

use std::rc::Rc;

use super::super::focus::{self, Thing};
use super::super::line::{Line, flow};
use super::super::step::mapping::tables;
use super::super::step::stages::exact;
use super::super::{Role, Row, Scene, Span, Target, text};
use crate::insight::holder::holder_of;
use crate::model::Memory;
use crate::model::costs::{AreaCost, Costs, Sum};
use crate::model::page_table::Level;

/// Areas added up at most, which takes as long as a few frames.
const MAX_AREAS: usize = 50_000;
/// Holders shown.
const MAX_HOLDERS: usize = 12;

/// What all areas cost, and who pays how much.
#[derive(Debug)]
pub(crate) struct Bill {
    pub(crate) costs: Costs,
    /// The most memory first.
    holders: Vec<(String, Sum)>,
}

/// Are there more areas than are ever added up?
pub(crate) fn is_too_many(memory: &Memory) -> bool {
    MAX_AREAS < memory.each_backed().count()
}

/// What all areas cost, unless there are too many, or so many that it has to wait.
pub(super) fn all(scene: &Scene<'_>, memory: &Memory) -> Option<Rc<Bill>> {
    if is_too_many(memory) {
        return None;
    }
    let add_up = || {
        let costs = Costs::of(memory);
        let holders = costs.by(|area| holder_of(scene.replay, area).name);
        Bill { costs, holders }
    };
    let before = scene.replay.before().memory().is_some_and(|before| std::ptr::eq(before, memory));
    match scene.memo {
        Some(memo) => memo.bill(before, memory.each_backed().count(), add_up),
        None => Some(Rc::new(add_up())),
    }
}

/// Which tables the area needs, and with whom it shares them.
pub(super) fn needs(scene: &Scene<'_>, cost: &AreaCost, thing: &Thing, width: usize) -> Vec<Row> {
    let geometry = scene.replay.space().geometry();
    let mapped = cost.sum.data_bytes.max(cost.sum.foreign_bytes).max(cost.backed.mapped_pages * geometry.page_size);
    let mut spans = vec![Span::new(text::bytes(mapped.min(thing.extent.len_bytes())), Role::Number)];
    let n_tables = cost.own_tables.total() + cost.shared_tables.total();
    if n_tables == 0 {
        spans.push(Span::new(" mapped here: no table below the ones from boot is used.", Role::Text));
        return flow(&spans, width, 2, scene.glyphs);
    }
    spans.push(Span::new(" mapped here uses ", Role::Text));
    let levels: Vec<(usize, &Level)> = geometry.levels.iter().enumerate().collect();
    let used = levels.iter().filter(|(depth, _)| cost.own_tables[*depth] + cost.shared_tables[*depth] > 0);
    let parts: Vec<String> = used
        .map(|&(depth, level)| {
            let (own, shared) = (cost.own_tables[depth], cost.shared_tables[depth]);
            let n = own + shared;
            let whose = match (own, shared, cost.sharers[depth].saturating_sub(1)) {
                (_, 0, _) => "its own".to_owned(),
                (0, _, others) => format!("shared with {}", text::plural(others, "other area", "other areas")),
                (_, _, others) => {
                    format!("{} shared with up to {}", text::count(shared), text::plural(others, "other", "others"))
                }
            };
            format!("{} {} {} ({whose})", text::count(n), level.name, if n == 1 { "table" } else { "tables" })
        })
        .collect();
    spans.push(Span::new(parts.join(", "), Role::Number));
    let boot: Vec<&str> = geometry.levels.iter().filter(|level| level.preallocated).map(|level| level.name).collect();
    if !boot.is_empty() {
        spans.push(Span::new(format!("; {} there since boot", boot.join(" and ")), Role::Muted));
    }
    spans.push(Span::new(".", Role::Text));
    flow(&spans, width, 2, scene.glyphs)
}

/// `Cost 1,036 KiB = pages 1 MiB + tables 8,258 B (…) + array 2 KiB + descriptors 144 B; guard 4 KiB of addresses.`
pub(super) fn of_area(scene: &Scene<'_>, cost: &AreaCost, width: usize) -> Vec<Row> {
    let sum = cost.sum;
    let mut spans = vec![
        Span::new("Cost: ", Role::Title),
        Span::new(exact(sum.physical_bytes()), Role::Number),
        Span::new(" = ", Role::Text),
    ];
    let table = scene.replay.space().geometry().table_bytes;
    let own = cost.own_tables.total() * table;
    let share = sum.table_bytes - own.min(sum.table_bytes);
    let of_tables = match (own, share) {
        (0, 0) => String::new(),
        (_, 0) => " (all its own)".to_owned(),
        (0, _) => " (its part of shared ones)".to_owned(),
        _ => format!(" ({} its own, {} its part of shared ones)", exact(own), exact(share)),
    };
    let parts = [
        ("pages", sum.data_bytes, String::new()),
        ("tables", sum.table_bytes, of_tables),
        ("page array", sum.array_bytes, String::new()),
        ("descriptors", sum.descriptor_bytes, String::new()),
    ];
    for (place, (what, bytes, note)) in parts.iter().filter(|(_, bytes, _)| *bytes > 0).enumerate() {
        let joint = if place == 0 { "" } else { " + " };
        spans.push(Span::new(format!("{joint}{what} "), Role::Text));
        spans.push(Span::new(exact(*bytes), Role::Number));
        spans.push(Span::new(note.clone(), Role::Muted));
    }
    if sum.foreign_bytes > 0 {
        let words = format!("; {} mapped are somebody else's", text::bytes(sum.foreign_bytes));
        spans.push(Span::new(words, Role::Text));
    }
    if sum.guard_bytes > 0 {
        spans.push(Span::new(format!("; guard {} of addresses only", exact(sum.guard_bytes)), Role::Guard));
    }
    spans.push(Span::new(".", Role::Text));
    flow(&spans, width, 2, scene.glyphs)
}

/// All tables, by level; what freed areas left behind; what is there since boot.
pub(super) fn of_tables(scene: &Scene<'_>, memory: &Memory, costs: Option<&Costs>, width: usize) -> Vec<Row> {
    let geometry = memory.arch().geometry;
    let page_tables = memory.tables();
    let all = tables(geometry, page_tables.tables(), "").replace("  ", " ");
    let mut spans = vec![
        Span::new("All tables: ", Role::Title),
        Span::new(exact(page_tables.table_bytes()), Role::Number),
        Span::new(format!(" = {}", if all.is_empty() { "none".to_owned() } else { all }), Role::Text),
    ];
    if let Some(costs) = costs.filter(|costs| costs.left_behind_bytes > 0) {
        let left = format!("; {} of it map nothing now: freed areas left them", exact(costs.left_behind_bytes));
        spans.push(Span::new(left, Role::Lazy));
    }
    let boot = tables(geometry, memory.arch().boot_tables(), "").replace("  ", " ");
    if !boot.is_empty() {
        spans.push(Span::new(format!("; besides {boot} from boot"), Role::Muted));
    }
    spans.push(Span::new(".", Role::Text));
    flow(&spans, width, 2, scene.glyphs)
}

/// The holders that pay most.
pub(super) fn of_holders(scene: &Scene<'_>, bill: &Bill, width: usize) -> Vec<Row> {
    let Bill { costs, holders } = bill;
    if holders.is_empty() {
        return Vec::new();
    }
    let columns = Columns::of(width);
    let mut rows =
        vec![columns.row(scene, "Cost by caller", ["areas", "pages", "tables", "other", "virtual"], Role::Muted)];
    let told = |(name, sum): &(String, Sum)| {
        let other = sum.array_bytes + sum.descriptor_bytes;
        let n = [
            text::count(sum.areas),
            text::bytes(sum.data_bytes),
            text::bytes(sum.table_bytes),
            text::bytes(other),
            text::bytes(sum.virtual_bytes),
        ];
        columns.row(scene, name, n.each_ref().map(String::as_str), Role::Number)
    };
    rows.extend(holders.iter().take(MAX_HOLDERS).map(told));
    if let Some(rest) = holders.len().checked_sub(MAX_HOLDERS).filter(|&rest| rest > 0) {
        let mut sum = Sum::default();
        for (_, one) in &holders[MAX_HOLDERS..] {
            sum += *one;
        }
        rows.push(told(&(format!("{rest} more"), sum)));
    }
    if costs.left_behind_bytes > 0 {
        let bytes = text::bytes(costs.left_behind_bytes);
        rows.push(columns.row(scene, "left by freed areas", ["", "", &bytes, "", ""], Role::Lazy));
    }
    // A row is about many areas: a click goes to the lowest of them.
    for (row, (_, sum)) in rows[1..].iter_mut().zip(holders.iter().take(MAX_HOLDERS)) {
        row.target = sum.lowest.map(Target::Address);
    }
    rows
}

/// Columns of the holders, fewer where there is little room.
struct Columns {
    width: usize,
    name: usize,
    shown: [bool; 5],
}

impl Columns {
    /// Columns of a number.
    const NUMBER: usize = 10;
    const AREAS: usize = 6;

    fn of(width: usize) -> Self {
        let needs = |n: usize| Self::AREAS + n * Self::NUMBER + 12;
        let numbers = (1..=4).rev().find(|&n| needs(n) <= width).unwrap_or(0);
        let shown = [numbers > 0, numbers >= 2, numbers >= 1, numbers >= 3, numbers >= 4];
        let used = shown.iter().skip(1).filter(|&&shown| shown).count() * Self::NUMBER;
        let name = width.saturating_sub(used + if shown[0] { Self::AREAS } else { 0 });
        Self { width, name, shown }
    }

    fn row(&self, scene: &Scene<'_>, name: &str, numbers: [&str; 5], role: Role) -> Row {
        let mut line = Line::new(self.width, scene.glyphs);
        line = line.left(name, self.name, if role == Role::Number { Role::Text } else { role });
        for (place, number) in numbers.into_iter().enumerate().filter(|(place, _)| self.shown[*place]) {
            line = line.right(number, if place == 0 { Self::AREAS } else { Self::NUMBER }, role);
        }
        line.done()
    }
}

/// What lies at the address if it is no area that is mapped.
pub(super) fn nothing(scene: &Scene<'_>, thing: &Thing, is_waiting: bool, width: usize) -> Vec<Row> {
    let words = match thing.kind {
        focus::Kind::Free => "A hole lies here: nothing is mapped.",
        focus::Kind::Lazy if is_waiting => "A lazy area lies here: its entries stay until the purge (to 2.6.38).",
        focus::Kind::Lazy => "A lazy area lies here: its entries are cleared, its tables stay.",
        focus::Kind::Pooled => "A pooled area lies here: nothing is mapped, tables stay.",
        focus::Kind::Unseen => "Something that no record shows lies here: which tables it needs is not known.",
        _ => "Nothing is mapped at this address.",
    };
    flow(&[Span::new(words, Role::Muted)], width, 2, scene.glyphs)
}
