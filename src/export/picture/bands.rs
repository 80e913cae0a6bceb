//! [`Bands`]: which stretches of the address space are drawn, and where.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::export::about::About;
use crate::model::Extent;
use crate::view::text::bytes;

/// Rows between two bands.
const BREAK: usize = 8;
/// Rows of the smallest band: its label has to fit.
const MIN_ROWS: usize = 8;
/// Bands at most.
const MAX_BANDS: usize = 10;
/// A gap is drawn if it is smaller than this part of what is used.
const SMALL_GAP: u64 = 8;

/// What has ever been used, as ranges that are apart.
#[derive(Debug, Default)]
pub(super) struct Used {
    ranges: BTreeMap<u64, u64>,
}

impl Used {
    /// Takes in an area.
    pub(super) fn add(&mut self, extent: Extent) {
        let (mut start, mut end) = (extent.start(), extent.end());
        let touching =
            |ranges: &BTreeMap<u64, u64>, end: u64| ranges.range(..=end).next_back().map(|(&start, &end)| (start, end));
        if let Some((_, known)) = touching(&self.ranges, start).filter(|&(_, known)| end <= known) {
            // The common case: nothing new.
            debug_assert!(end <= known);
            return;
        }
        while let Some((low, high)) = touching(&self.ranges, end).filter(|&(_, high)| start <= high) {
            self.ranges.remove(&low);
            (start, end) = (start.min(low), end.max(high));
        }
        self.ranges.insert(start, end);
    }

    /// The ranges, those that are no further apart than `gap` joined.
    fn joined(&self, gap: u64) -> Vec<(u64, u64)> {
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (&start, &end) in &self.ranges {
            match joined.last_mut() {
                Some(last) if start - last.1 <= gap => last.1 = end,
                _ => joined.push((start, end)),
            }
        }
        joined
    }
}

/// A stretch of the address space and its rows, counted from the bottom.
#[derive(Debug, Clone, Copy)]
struct Band {
    start: u64,
    end: u64,
    row: usize,
    rows: usize,
}

/// All stretches, ascending.
#[derive(Debug)]
pub(super) struct Bands {
    list: Vec<Band>,
    rows: usize,
}

impl Bands {
    /// Shares out `rows` rows.
    pub(super) fn of(used: &Used, rows: usize) -> Self {
        let total: u64 = used.ranges.iter().map(|(start, end)| end - start).fold(0, u64::saturating_add);
        let mut gap = total / SMALL_GAP;
        let mut ranges = used.joined(gap);
        while MAX_BANDS < ranges.len() {
            gap = gap.saturating_mul(2).max(1);
            ranges = used.joined(gap);
        }
        let n = ranges.len();
        let bytes: u128 = ranges.iter().map(|(start, end)| u128::from(end - start)).sum();
        let shared = rows.saturating_sub(n * MIN_ROWS + n.saturating_sub(1) * BREAK);
        let mut list = Vec::with_capacity(n);
        let mut row = 0;
        let mut passed = 0_u128;
        for (start, end) in ranges {
            // Shares are rounded so that their sum is the whole.
            let before = passed * shared as u128 / bytes.max(1);
            passed += u128::from(end - start);
            let after = passed * shared as u128 / bytes.max(1);
            let rows = MIN_ROWS + (after - before) as usize;
            list.push(Band { start, end, row, rows });
            row += rows + BREAK;
        }
        Self { list, rows }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The rows of an area, from the bottom, and how much of each it fills.
    pub(super) fn rows_of(&self, extent: Extent) -> impl Iterator<Item = (usize, f64)> {
        let place = self.list.partition_point(|band| band.end <= extent.start());
        let band = self.list.get(place).copied();
        let rows = band.filter(|band| band.start <= extent.start()).map(|band| {
            let per_byte = band.rows as f64 / (band.end - band.start) as f64;
            let low = (extent.start() - band.start) as f64 * per_byte;
            let high = ((extent.end().min(band.end) - band.start) as f64 * per_byte).min(band.rows as f64);
            (band, low, high)
        });
        rows.into_iter().flat_map(|(band, low, high)| {
            (low as usize..(high.ceil() as usize).min(band.rows)).map(move |row| {
                let share = high.min(row as f64 + 1.0) - low.max(row as f64);
                (band.row + row, share.max(0.0))
            })
        })
    }

    /// The axis at the left: the ends of each band, and what is left out between two.
    pub(super) fn labels(
        &self,
        (left, top, row): (usize, usize, usize),
        (text, ground): (u32, u32),
        about: &About,
        out: &mut String,
    ) {
        let y_of = |rows: usize| top + self.rows.saturating_sub(rows) * row;
        for (n, band) in self.list.iter().enumerate() {
            let (low, high) = (y_of(band.row), y_of(band.row + band.rows));
            // Writing to a string cannot fail.
            let _ = writeln!(
                out,
                "<path stroke=\"#{text:06x}\" d=\"M{} {low}h6M{} {high}h6\"/>\
                 <text x=\"{x}\" y=\"{low}\" text-anchor=\"end\">{}</text>",
                left - 6,
                left - 6,
                about.addr(band.start),
                x = left - 10,
            );
            // Two labels need their room.
            if 14 <= low - high {
                let _ = writeln!(
                    out,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                    left - 10,
                    high + 10,
                    about.addr(band.end)
                );
            }
            if 60 <= low - high {
                let _ = writeln!(
                    out,
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                    left - 10,
                    usize::midpoint(low, high) + 4,
                    bytes(band.end - band.start)
                );
            }
            if let Some(next) = self.list.get(n + 1) {
                let above = y_of(next.row);
                let _ = writeln!(
                    out,
                    "<rect x=\"{}\" y=\"{above}\" width=\"{}\" height=\"{}\" fill=\"#{ground:06x}\" \
                     stroke=\"#{text:06x}\" stroke-width=\"0.5\" stroke-dasharray=\"3 3\"/>\
                     <text x=\"{}\" y=\"{}\" font-size=\"11\" text-anchor=\"middle\">{} left out</text>",
                    left,
                    super::COLUMNS,
                    high - above,
                    left + super::COLUMNS / 2,
                    usize::midpoint(above, high) + 4,
                    bytes(next.start - band.end)
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(start: u64, end: u64) -> Extent {
        Extent::new(start, end).unwrap()
    }

    #[test]
    fn ranges_join_where_they_touch() {
        let mut used = Used::default();
        for (start, end) in [(10, 20), (30, 40), (20, 30), (5, 6), (100, 200), (150, 160), (90, 300)] {
            used.add(extent(start, end));
        }
        assert_eq!(used.joined(0), [(5, 6), (10, 40), (90, 300)]);
        assert_eq!(used.joined(4), [(5, 40), (90, 300)]);
    }

    #[test]
    fn bands_share_all_rows_and_hold_every_area() {
        let mut used = Used::default();
        let page = 4096;
        for at in [0, 5, 1000, 1_000_000, 1_000_700, 70_000_000] {
            used.add(extent(at * page + page, (at + 40) * page));
        }
        let bands = Bands::of(&used, 280);
        let last = bands.list.last().unwrap();
        assert_eq!(last.row + last.rows, 280);
        for at in [0, 5, 1000, 1_000_000, 1_000_700, 70_000_000] {
            let rows: Vec<_> = bands.rows_of(extent(at * page + page, (at + 40) * page)).collect();
            assert!(!rows.is_empty() && rows.iter().all(|&(row, share)| row < 280 && (0.0..=1.0).contains(&share)));
        }
    }

    #[test]
    fn many_stretches_become_few_bands() {
        let mut used = Used::default();
        for at in 0..1000_u64 {
            used.add(extent(at << 30, (at << 30) + 4096));
        }
        assert!(Bands::of(&used, 280).list.len() <= MAX_BANDS);
    }
}
