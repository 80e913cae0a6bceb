//! The walk of an address, level by level: index, what an entry covers, and the slots of the table it is in.

use super::super::line::Line;
use super::super::{Glyphs, Role, Row, Scene, Span, Target, text};
use crate::model::page_table::{EntryKind, PageTables, WalkStep};

/// Slots are drawn with at most so many characters.
const MAX_CELLS: usize = 128;

/// With fewer the count has to do.
const MIN_CELLS: usize = 5;

/// How an entry kind is drawn and counted: word, sign of a plain set, sign of the full one, role.
const KINDS: [(EntryKind, &str, char, char, Role); 4] = [
    (EntryKind::Table, "table", '┬', 't', Role::Number),
    (EntryKind::Huge, "huge", 'H', 'H', Role::PerCpu),
    (EntryKind::Page, "page", '█', '#', Role::Busy),
    (EntryKind::Contiguous, "contiguous", 'c', 'c', Role::Lazy),
];

/// One level of the walk.
pub(super) fn row(
    scene: &Scene<'_>,
    tables: &PageTables,
    addr: u64,
    (depth, step): (usize, &WalkStep),
    width: usize,
) -> Row {
    let glyphs = scene.glyphs;
    let entry = 1_u64.checked_shl(step.level.shift).unwrap_or(u64::MAX);
    let mut line = Line::new(width, glyphs)
        .left(step.level.name, 4, Role::Title)
        .right(text::count(step.index), 5, Role::Number)
        .right(text::bytes(entry), 8, Role::Muted)
        .gap(1);
    let Some(slots) = tables.slots(depth, addr) else {
        let is_huge = tables.leaf_of(addr).is_some();
        let (long, short) = if is_huge {
            ("no table: a huge entry above maps it", "no table: huge")
        } else {
            ("no table: nothing near it was ever mapped", "no table yet")
        };
        let words = if line.room() < text::width(long) { short } else { long };
        return line.put(words, Role::Muted).target(Target::Address(step.entry_start)).done();
    };
    let long = counts(&slots, true);
    let short = counts(&slots, false);
    let count = if line.room() >= text::width(&long) + 24 { long } else { short };
    let cells = line.room().saturating_sub(text::width(&count)).min(MAX_CELLS);
    if cells >= MIN_CELLS {
        for span in occupancy(glyphs, &slots, step, cells) {
            line.span(span);
        }
    }
    line.put(count, Role::Number).target(Target::Address(step.entry_start)).done()
}

/// ` 3 of 512`, or by kind ` 2 tables, 1 huge of 512`.
fn counts(slots: &[EntryKind], by_kind: bool) -> String {
    let n = |kind: EntryKind| slots.iter().filter(|&&slot| slot == kind).count() as u64;
    let used = slots.len() as u64 - n(EntryKind::None);
    let of = text::count(slots.len() as u64);
    if !by_kind || used == 0 {
        return format!(" {} of {of}", text::count(used));
    }
    let parts = KINDS.iter().filter(|(kind, ..)| n(*kind) > 0);
    let counted = |(kind, word, ..): &(EntryKind, &str, char, char, Role)| {
        // Adjectives have no plural.
        let many = matches!(kind, EntryKind::Table | EntryKind::Page) && n(*kind) != 1;
        format!("{} {word}{}", text::count(n(*kind)), if many { "s" } else { "" })
    };
    let parts: Vec<String> = parts.map(counted).collect();
    format!(" {} of {of}", parts.join(", "))
}

/// All slots of a table, folded into `cells` characters; the walk's own is shown reversed.
fn occupancy(glyphs: &Glyphs, slots: &[EntryKind], step: &WalkStep, cells: usize) -> Vec<Span> {
    let cells = cells.min(slots.len()).max(1);
    let cell = |cell: usize| {
        let from = cell * slots.len() / cells;
        let to = ((cell + 1) * slots.len() / cells).max(from + 1).min(slots.len());
        let walked = step.index as usize;
        let ours = (from..to).contains(&walked);
        // A table or a huge entry the walk passes stands for its cell.
        let own = slots.get(walked).filter(|&&kind| ours && matches!(kind, EntryKind::Table | EntryKind::Huge));
        let (sign, role) = sign(glyphs, own.map_or(&slots[from..to], std::slice::from_ref));
        let entry = step.table_start.wrapping_add((from as u64) << step.level.shift);
        let role = if ours { Role::Changed } else { role };
        Span { text: sign.to_string(), role, selected: ours, target: Some(Target::Address(entry)), ..Span::default() }
    };
    (0..cells).map(cell).collect()
}

/// What stands for some slots: the kind most of them have; of pages how many there are.
fn sign(glyphs: &Glyphs, part: &[EntryKind]) -> (char, Role) {
    let n = |kind: EntryKind| part.iter().filter(|&&slot| slot == kind).count();
    let most = KINDS.iter().rev().max_by_key(|(kind, ..)| n(*kind)).filter(|(kind, ..)| n(*kind) > 0);
    match most {
        None => (glyphs.dot_slot(), Role::Free),
        Some(&(EntryKind::Page, _, full, plain, role)) => {
            let pages = n(EntryKind::Page);
            let is_full = pages == part.len();
            let part_of = glyphs.bars[(pages * 7 / part.len()).min(6)];
            (
                if !is_full {
                    part_of
                } else if glyphs.ascii {
                    plain
                } else {
                    full
                },
                role,
            )
        }
        Some(&(_, _, full, plain, role)) => (if glyphs.ascii { plain } else { full }, role),
    }
}

/// The signs of slots, and what each says; for the help.
pub fn signs(glyphs: &Glyphs) -> impl Iterator<Item = (char, Role, &'static str)> {
    let means = [
        "page tables: the slot points to a table",
        "page tables: a huge entry, which maps by itself",
        "page tables: pages, all slots of the cell (lower: some)",
        "page tables: arm64, entries marked as one block",
    ];
    let ascii = glyphs.ascii;
    KINDS
        .iter()
        .zip(means)
        .map(move |(&(_, _, full, plain, role), means)| (if ascii { plain } else { full }, role, means))
}

/// What the signs mean.
pub(super) fn legend(scene: &Scene<'_>) -> Vec<Span> {
    let glyphs = scene.glyphs;
    let mut spans = vec![Span::new(format!("{} none", glyphs.dot_slot()), Role::Free)];
    for (_, word, full, plain, role) in KINDS {
        let sign = if glyphs.ascii { plain } else { full };
        spans.push(Span::new(format!(" {sign} {word}"), role));
    }
    spans.push(Span::new(if glyphs.ascii { " (= some)" } else { " (lower: some)" }, Role::Muted));
    spans
}

impl Glyphs {
    /// An empty slot.
    fn dot_slot(&self) -> char {
        if self.ascii { '.' } else { self.dot }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{ASCII, UNICODE};
    use super::*;

    #[test]
    fn the_kind_of_most_slots_stands_for_them() {
        use EntryKind::{Contiguous, Huge, None, Page, Table};
        assert_eq!(sign(&UNICODE, &[None; 8]), ('·', Role::Free));
        assert_eq!(sign(&UNICODE, &[Page; 8]), ('█', Role::Busy));
        assert_eq!(sign(&UNICODE, &[Page, None, None, None]), ('▂', Role::Busy));
        assert_eq!(sign(&ASCII, &[Table, Table, Huge, None]), ('t', Role::Number));
        assert_eq!(sign(&ASCII, &[Huge, None]), ('H', Role::PerCpu));
        assert_eq!(sign(&ASCII, &[Contiguous; 16]), ('c', Role::Lazy));
    }

    #[test]
    fn slots_are_counted_by_kind() {
        let slots = [EntryKind::Table, EntryKind::Huge, EntryKind::None, EntryKind::Table];
        assert_eq!(counts(&slots, true), " 2 tables, 1 huge of 4");
        assert_eq!(counts(&slots, false), " 3 of 4");
        assert_eq!(counts(&[EntryKind::None; 2], true), " 0 of 2");
    }
}
