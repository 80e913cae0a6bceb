//! The timeline: where should I look?

use super::{Row, Scene};

/// The rows.
pub fn rows(_scene: &Scene<'_>, _width: u16, _height: u16) -> Vec<Row> {
    Vec::new()
}

/// Records applied at a column, for clicks and drags.
pub fn seq_at(_scene: &Scene<'_>, _width: u16, _column: u16) -> usize {
    0
}
