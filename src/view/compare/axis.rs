//! [`Axis`]: one scale of addresses for several maps. Long empty stretches are left out in all of them.

use crate::model::Extent;

/// A stretch of addresses, and the cells it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    start: u64,
    end: u64,
    /// Its first cell.
    first: usize,
}

/// Addresses to cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    stretches: Vec<Stretch>,
    /// Bytes of a cell.
    pub(super) cell_bytes: u64,
    /// Cells, those for what is left out among them.
    pub(super) n_cells: usize,
}

/// Of the cells, so many may stand for what is left out, as a part.
const GAPS: usize = 12;
/// A gap is left out if it is at least this part of what would be drawn: less is not worth a break.
const WORTH: u64 = 8;

impl Axis {
    /// Makes room for extents on at most `n_cells` cells.
    pub(super) fn of(mut extents: Vec<Extent>, n_cells: usize, page_size: u64) -> Self {
        // Ascending lanes one behind the other: a sort that sees runs.
        extents.sort();
        let page_size = page_size.max(1);
        let joined = join(&extents, least_gap(&extents, (n_cells / GAPS).max(1)));
        let total: u64 = joined.iter().map(|extent| extent.len_bytes()).fold(0, u64::saturating_add);
        let mut cell_bytes = total.div_ceil(n_cells.max(1) as u64).next_multiple_of(page_size).max(page_size);
        let mut axis = Self::with(&joined, cell_bytes);
        while n_cells < axis.n_cells && cell_bytes < u64::MAX / 2 {
            cell_bytes = (cell_bytes + cell_bytes / 16 + 1).next_multiple_of(page_size);
            axis = Self::with(&joined, cell_bytes);
        }
        axis
    }

    fn with(extents: &[Extent], cell_bytes: u64) -> Self {
        let mut first = 0;
        let mut stretches = Vec::with_capacity(extents.len());
        for extent in extents {
            stretches.push(Stretch { start: extent.start(), end: extent.end(), first });
            let cells = usize::try_from(extent.len_bytes().div_ceil(cell_bytes)).unwrap_or(usize::MAX / 4);
            // One more for what is left out behind it.
            first = first.saturating_add(cells).saturating_add(1);
        }
        Self { stretches, cell_bytes, n_cells: first.saturating_sub(1) }
    }

    /// Does a cell stand for what is left out?
    pub(super) fn is_gap(&self, cell: usize) -> bool {
        self.stretches.iter().skip(1).any(|stretch| stretch.first == cell + 1)
    }

    /// Calls `visit` with each cell that an extent reaches, and the bytes of it inside.
    pub(super) fn cells(&self, extent: Extent, visit: &mut dyn FnMut(usize, u64)) {
        let at = self.stretches.partition_point(|stretch| stretch.end <= extent.start());
        let Some(stretch) = self.stretches.get(at).filter(|stretch| stretch.start < extent.end()) else { return };
        let (mut start, end) = (extent.start().max(stretch.start), extent.end().min(stretch.end));
        while start < end {
            let place = (start - stretch.start) / self.cell_bytes;
            let limit = end.min(stretch.start.saturating_add((place + 1).saturating_mul(self.cell_bytes)));
            visit(stretch.first + place as usize, limit - start);
            start = limit;
        }
    }

    /// The first address of a cell, if it stands for addresses.
    pub(super) fn address(&self, cell: usize) -> Option<u64> {
        let at = self.stretches.partition_point(|stretch| stretch.first <= cell).checked_sub(1)?;
        let stretch = self.stretches[at];
        let address = stretch.start.checked_add((cell - stretch.first) as u64 * self.cell_bytes)?;
        (address < stretch.end).then_some(address)
    }

    /// From the lowest to the highest address.
    pub(super) fn ends(&self) -> Option<(u64, u64)> {
        Some((self.stretches.first()?.start, self.stretches.last()?.end))
    }
}

/// The longest gap that is drawn: longer ones are left out, at most `most` less one of them.
fn least_gap(extents: &[Extent], most: usize) -> u64 {
    let parts = join(extents, 0);
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return 0 };
    let mut gaps: Vec<u64> = parts.windows(2).map(|pair| pair[1].start() - pair[0].end()).collect();
    gaps.sort_unstable_by_key(|&gap| std::cmp::Reverse(gap));
    let mut drawn = last.end() - first.start();
    for (n_out, &gap) in gaps.iter().enumerate() {
        if gap < drawn / WORTH || most <= n_out + 1 {
            return gap;
        }
        drawn -= gap;
    }
    0
}

/// Ascending extents, those with at most `gap` between them as one.
fn join(extents: &[Extent], gap: u64) -> Vec<Extent> {
    let mut joined: Vec<Extent> = Vec::new();
    for extent in extents {
        match joined.last_mut() {
            Some(last) if extent.start() <= last.end().saturating_add(gap) => {
                *last = Extent::new(last.start(), last.end().max(extent.end())).unwrap_or(*last);
            }
            _ => joined.push(*extent),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every byte of every extent is in some cell, none is full more than once, and there is no cell too many.
        #[test]
        fn every_byte_has_its_cell(parts in prop::collection::vec((1_u64..1 << 34, 1_u64..600), 0..60), n_cells in 20_usize..400) {
            let mut extents = Vec::new();
            let mut at = 0xffff_c900_0000_0000_u64;
            for (gap, pages) in parts {
                at += gap << 4 & !0xfff;
                extents.extend(Extent::new(at, at + pages * 4096));
                at += pages * 4096;
            }
            let axis = Axis::of(extents.clone(), n_cells, 4096);
            prop_assert!(axis.n_cells <= n_cells, "{} cells", axis.n_cells);
            let mut filled = vec![0; axis.n_cells];
            for extent in &extents {
                let mut bytes = 0;
                axis.cells(*extent, &mut |cell, part| {
                    filled[cell] += part;
                    bytes += part;
                });
                prop_assert_eq!(bytes, extent.len_bytes());
            }
            for (cell, &bytes) in filled.iter().enumerate() {
                prop_assert!(bytes <= axis.cell_bytes);
                prop_assert!(bytes == 0 || !axis.is_gap(cell));
                prop_assert_eq!(axis.address(cell).is_none(), axis.is_gap(cell), "cell {}", cell);
            }
        }
    }
}
