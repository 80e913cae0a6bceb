//! The header: what am I looking at, and can I trust it?

use super::{Role, Row, Scene};

/// What only the running interface knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Play {
    /// Is it playing?
    pub playing: bool,
    /// The speed in words, as `4 events/s`.
    pub speed: String,
    /// A seek under way: records applied, and target.
    pub seeking: Option<(usize, usize)>,
    /// A message for the person.
    pub message: Option<String>,
}

/// One row; two where `width` is below 100.
pub fn rows(_scene: &Scene<'_>, _width: u16, _play: &Play) -> Vec<Row> {
    vec![Row::of("vmaplens", Role::Title)]
}
