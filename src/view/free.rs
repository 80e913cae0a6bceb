//! The free list: what is free, and what could this request use?

use super::{Role, Row, Scene, Span};

/// Order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FreeOrder {
    /// Ascending addresses.
    #[default]
    Address,
    /// Largest first.
    Size,
}

/// The rows.
pub fn rows(_scene: &Scene<'_>, _width: u16, _height: u16, _scroll: usize, _order: FreeOrder) -> Vec<Row> {
    Vec::new()
}

/// The title.
pub fn title(_scene: &Scene<'_>) -> Vec<Span> {
    vec![Span::new("free list", Role::Title)]
}
