//! The map: where is everything?

use super::{Role, Row, Scene, Span};

/// How close the map looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MapZoom {
    /// 0 shows everything in use; each level halves what a cell covers.
    pub level: u32,
    /// Address in the middle; `None`: the selection.
    pub centre: Option<u64>,
}

/// The rows.
pub fn rows(_scene: &Scene<'_>, _width: u16, _height: u16, _zoom: &MapZoom) -> Vec<Row> {
    Vec::new()
}

/// The title.
pub fn title(_scene: &Scene<'_>) -> Vec<Span> {
    vec![Span::new("map", Role::Title)]
}
