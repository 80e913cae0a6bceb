//! A file of hashed addresses: what its layout tells, in words, and its runs as a picture.

use super::line::Line;
use super::text::{count, plural};
use super::unplaced::kind_role;
use super::{Glyphs, Role, Row};
use crate::insight::hashed::{Certainty, Layout, Why};
use crate::log::Baseline;

/// How to get real addresses.
pub const HOW: &str = "read the file as root with kernel.kptr_restrict=1, or boot with no_hash_pointers";

/// What the order of areas rests on.
pub fn order(layout: &Layout) -> String {
    match layout.why {
        Why::NotHashed => "the file shows no hashes".to_owned(),
        Why::FewTouch => "too few areas touch to tell the order".to_owned(),
        Why::Doubled => "two rows begin at one place: two files, or one that was torn; no order".to_owned(),
        Why::NoOrder => "the lines are in no order that a kernel prints".to_owned(),
        Why::Ascending => "the kernel printed them ascending".to_owned(),
        Why::LooksAscending { up_to: 1 } => {
            "they look ascending, as before 6.9 or with one CPU; --kernel and --cpus make it sure".to_owned()
        }
        Why::LooksAscending { up_to } => {
            format!("they look ascending, as before 6.9 or with at most {up_to} CPUs; --kernel and --cpus make it sure")
        }
        Why::NodeByNode => match layout.n_nodes {
            Some(n) => format!("the kernel printed them node by node, with {n} nodes"),
            None => "the kernel printed them node by node".to_owned(),
        },
    }
}

/// What is certain, in one sentence each.
pub fn sentences(layout: &Layout) -> Vec<String> {
    let figures = layout.figures();
    let believed = match layout.contradictions {
        0 => String::new(),
        n => format!(", {} not believed", plural(n as u64, "contradiction", "contradictions")),
    };
    vec![
        format!(
            "{} where one area ends and the next begins, by equal hashes{}{believed}",
            plural(figures.joins, "place", "places"),
            match figures.likely_joins {
                0 => String::new(),
                n => format!(", and {} that chance may have made", count(n)),
            },
        ),
        if layout.order == Certainty::Unknown {
            format!("order unknown: {}", order(layout))
        } else {
            format!(
                "order {} for {} ({} of them): {}",
                layout.order.word(),
                plural(figures.ordered_rows, "area", "areas"),
                plural(figures.ordered_pairs, "pair", "pairs"),
                order(layout)
            )
        },
        format!(
            "at least {} of unknown size between runs, or areas that the file does not list",
            plural(figures.least_holes, "hole", "holes")
        ),
        format!(
            "of the areas {} certain, {} bounded by an alignment, {} unknown",
            count(figures.certain),
            count(figures.bounded),
            count(figures.unknown)
        ),
    ]
}

/// One cell of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    /// Of a run: what the area there is.
    Area(&'static str),
    /// A hole of unknown size to the next run above.
    Hole,
    /// Nothing is known of the order of the two.
    Apart,
}

/// The runs to scale, from the lowest known, with what lies between them.
pub(crate) fn picture(layout: &Layout, baseline: &Baseline, width: usize, height: usize, glyphs: &Glyphs) -> Vec<Row> {
    let room = width * height.saturating_sub(1);
    if room == 0 || layout.runs.is_empty() {
        return Vec::new();
    }
    // The finest scale at which all runs fit. Where none is, since each run takes a cell, it is the one at which no run takes
    // two; what has no room is cut, and that is said.
    let longest = layout.runs.iter().map(|run| run.bytes).max().unwrap_or(0);
    let needed = |cell: u64| layout.runs.iter().map(|run| run.bytes.div_ceil(cell).max(1) + 1).sum::<u64>();
    let mut cell = 4096_u64;
    while (room as u64) < needed(cell) && cell < longest {
        cell *= 2;
    }
    let (mut cells, mut n_shown) = (Vec::new(), 0);
    for (number, run) in (0_u32..).zip(&layout.runs) {
        if let Some(below) = number.checked_sub(1) {
            cells.push(if layout.is_below(below, number) { Cell::Hole } else { Cell::Apart });
        }
        n_shown += u64::from(cells.len() < room);
        run_cells(run.rows.iter().map(|&row| &baseline.areas[row as usize]), cell, &mut cells);
    }
    let is_cut = room < cells.len();
    cells.truncate(room);
    let mut rows: Vec<Row> = cells.chunks(width).map(|cells| row(cells, width, glyphs)).collect();
    let scale = super::text::bytes(cell);
    let likely = if layout.order == Certainty::Likely { "likely " } else { "" };
    let mut legend = Line::new(width, glyphs).put(format!("up to {scale} a cell  "), Role::Muted);
    if is_cut {
        // In front: what stands behind can be cut off itself.
        let of = plural(layout.runs.len() as u64, "run", "runs");
        legend = legend.put(format!("{} of {of}  ", count(n_shown)), Role::Warn);
    }
    for (glyph, role, words) in [
        (glyphs.busy, Role::Busy, "busy".to_owned()),
        (glyphs.lazy, Role::Lazy, "lazy".to_owned()),
        (glyphs.per_cpu, Role::PerCpu, "per-CPU".to_owned()),
        (glyphs.hole_unknown, Role::Warn, format!("hole of unknown size, {likely}in order")),
        (glyphs.apart, Role::Muted, "order unknown".to_owned()),
    ] {
        legend = legend.put(glyph.to_string(), role).put(format!(" {words}  "), Role::Muted);
    }
    rows.push(legend.done());
    rows
}

/// The cells of one run: each shows the area at its beginning.
fn run_cells<'a>(areas: impl Iterator<Item = &'a crate::log::BaselineArea>, cell: u64, cells: &mut Vec<Cell>) {
    let (mut end, mut shown) = (0_u64, 0_u64);
    for area in areas {
        end = end.saturating_add(area.size);
        while shown < end && cells.len() < MOST_CELLS {
            cells.push(Cell::Area(area.kind()));
            shown = shown.saturating_add(cell);
        }
    }
    if end == 0 {
        cells.push(Cell::Area("other"));
    }
}

/// No screen has more.
const MOST_CELLS: usize = 1 << 20;

fn row(cells: &[Cell], width: usize, glyphs: &Glyphs) -> Row {
    let look = |cell: &Cell| match cell {
        Cell::Area(kind) => {
            let role = kind_role(kind);
            let glyph = match role {
                Role::Lazy => glyphs.lazy,
                Role::PerCpu => glyphs.per_cpu,
                _ => glyphs.busy,
            };
            (glyph, role)
        }
        Cell::Hole => (glyphs.hole_unknown, Role::Warn),
        Cell::Apart => (glyphs.apart, Role::Muted),
    };
    let mut line = Line::new(width, glyphs);
    for same in cells.chunk_by(|a, b| look(a) == look(b)) {
        let (glyph, role) = look(&same[0]);
        line = line.put(glyph.to_string().repeat(same.len()), role);
    }
    line.done()
}
