//! The events: what happened when?

use super::{Role, Row, Scene, Span};
use crate::replay::Replay;

/// What to highlight.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// Words to look for; capitals count only if there are some.
    pub text: String,
}

/// The rows around the cursor, or from `top` on.
pub fn rows(_scene: &Scene<'_>, _width: u16, _height: u16, _top: Option<usize>, _filter: &EventFilter) -> Vec<Row> {
    Vec::new()
}

/// The next record after (or before) `from` that matches; wraps round.
pub fn find(_replay: &Replay, _text: &str, _from: usize, _forward: bool) -> Option<usize> {
    None
}

/// How many records match.
pub fn count(_replay: &Replay, _text: &str) -> usize {
    0
}

/// The title.
pub fn title(_scene: &Scene<'_>) -> Vec<Span> {
    vec![Span::new("events", Role::Title)]
}
