//! The tree: what does it look like?

use super::{Role, Row, Scene, Span};
use crate::model::TreeId;

/// How far the picture is moved, in columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TreePan {
    /// To the right.
    pub dx: i32,
    /// Down.
    pub dy: i32,
}

/// The rows.
pub fn rows(_scene: &Scene<'_>, _width: u16, _height: u16, _pan: TreePan, _which: TreeId) -> Vec<Row> {
    Vec::new()
}

/// The title.
pub fn title(_scene: &Scene<'_>, _which: TreeId) -> Vec<Span> {
    vec![Span::new("free tree", Role::Title)]
}
