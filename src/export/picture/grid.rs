//! [`Grid`]: how much of each cell of the picture is in use, and how much waits for a purge.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Cells to the right and upwards.
pub(super) const COLUMNS: usize = 1000;
pub(super) const ROWS: usize = 280;
/// A row holds two more: what ends at its right border ends there.
const STRIDE: usize = COLUMNS + 2;
/// Shades of each colour.
const SHADES: u8 = 8;

/// Two layers; while they are filled, each cell holds what it has more than the one before.
#[derive(Debug)]
pub(super) struct Grid {
    busy: Vec<f64>,
    lazy: Vec<f64>,
}

impl Default for Grid {
    fn default() -> Self {
        Self { busy: vec![0.0; ROWS * STRIDE], lazy: vec![0.0; ROWS * STRIDE] }
    }
}

impl Grid {
    pub(super) fn add_busy(&mut self, row: usize, from: f64, to: f64, share: f64) {
        add(&mut self.busy, row, from, to, share);
    }

    pub(super) fn add_lazy(&mut self, row: usize, from: f64, to: f64, share: f64) {
        add(&mut self.lazy, row, from, to, share);
    }

    /// Everything is added: differences become shares.
    pub(super) fn finish(&mut self) {
        for layer in [&mut self.busy, &mut self.lazy] {
            for row in layer.chunks_mut(STRIDE) {
                let mut sum = 0.0_f64;
                for cell in row {
                    sum += *cell;
                    *cell = sum;
                }
            }
        }
    }

    /// Cells of one colour are one path, each run of them a line.
    pub(super) fn paths(
        &self,
        (left, top, height): (usize, usize, usize),
        (ground, busy, lazy): (u32, u32, u32),
        out: &mut String,
    ) {
        let mut paths: BTreeMap<(u8, u8), String> = BTreeMap::new();
        for row in 0..ROWS {
            let cells = row * STRIDE..row * STRIDE + COLUMNS;
            let shades: Vec<(u8, u8)> = self.busy[cells.clone()]
                .iter()
                .zip(&self.lazy[cells])
                .map(|(&busy, &lazy)| (shade(busy), shade(lazy)))
                .collect();
            // The lowest address is at the bottom.
            let y = top + (ROWS - 1 - row) * height + height / 2;
            let mut from = 0;
            while from < COLUMNS {
                let len = shades[from..].iter().take_while(|&&other| other == shades[from]).count();
                if shades[from] != (0, 0) {
                    // Writing to a string cannot fail.
                    let _ = write!(paths.entry(shades[from]).or_default(), "M{} {y}h{len}", left + from);
                }
                from += len;
            }
        }
        let _ = writeln!(out, "<g fill=\"none\" stroke-width=\"{height}\" shape-rendering=\"crispEdges\">");
        for ((in_use, waiting), path) in paths {
            let colour = mixed(ground, &[(busy, in_use), (lazy, waiting)]);
            let _ = writeln!(out, "<path stroke=\"#{colour:06x}\" d=\"{path}\"/>");
        }
        out.push_str("</g>\n");
    }
}

/// Adds a bar to a row: `share` from column `from` to column `to`, parts of columns included.
fn add(layer: &mut [f64], row: usize, from: f64, to: f64, share: f64) {
    let Some(cells) = layer.get_mut(row * STRIDE..(row + 1) * STRIDE).filter(|_| from < to) else { return };
    for (at, sign) in [(from, share), (to, -share)] {
        let at = at.clamp(0.0, COLUMNS as f64);
        let column = at as usize;
        let part = at - column as f64;
        cells[column] += sign * (1.0 - part);
        cells[column + 1] += sign * part;
    }
}

/// Whatever is there at all is seen.
fn shade(share: f64) -> u8 {
    if share <= 0.002 { 0 } else { (share * f64::from(SHADES)).round().clamp(1.0, f64::from(SHADES)) as u8 }
}

/// The ground with so many eighths of each colour on it.
fn mixed(ground: u32, colours: &[(u32, u8)]) -> u32 {
    let part = |colour: u32, place: u32| colour >> place & 0xff;
    let whole = colours.iter().map(|&(_, shade)| u32::from(shade)).sum::<u32>().max(u32::from(SHADES));
    [16, 8, 0].into_iter().fold(0, |mix, place| {
        let rest = whole - colours.iter().map(|&(_, shade)| u32::from(shade)).sum::<u32>();
        let sum: u32 = colours.iter().map(|&(colour, shade)| part(colour, place) * u32::from(shade)).sum();
        mix | (((sum + part(ground, place) * rest) / whole) << place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_add_up_to_what_they_cover() {
        let mut grid = Grid::default();
        grid.add_busy(0, 10.25, 12.5, 1.0);
        grid.add_busy(0, 990.0, 1000.0, 0.5);
        grid.add_busy(0, 5.5, 5.5, 1.0);
        grid.finish();
        let row = &grid.busy[..COLUMNS];
        assert_eq!([row[9], row[10], row[11], row[12], row[13]], [0.0, 0.75, 1.0, 0.5, 0.0]);
        assert_eq!([row[989], row[990], row[999]], [0.0, 0.5, 0.5]);
        assert!((row.iter().sum::<f64>() - 7.25).abs() < 1e-4);
    }

    #[test]
    fn colours_mix() {
        assert_eq!(mixed(0x00_00_00, &[(0xff_00_00, 8), (0x00_ff_00, 0)]), 0xff_00_00);
        assert_eq!(mixed(0x00_00_00, &[(0xff_00_00, 4), (0x00_ff_00, 4)]), 0x7f_7f_00);
        assert_eq!(mixed(0x80_80_80, &[(0, 0), (0, 0)]), 0x80_80_80);
    }
}
