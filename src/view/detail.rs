//! The details: what is this thing?

use super::{Role, Row, Scene, Span};

/// The rows.
pub fn rows(_scene: &Scene<'_>, _width: u16, _height: u16, _scroll: usize) -> Vec<Row> {
    Vec::new()
}

/// The title.
pub fn title(_scene: &Scene<'_>) -> Vec<Span> {
    vec![Span::new("detail", Role::Title)]
}
