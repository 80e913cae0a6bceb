//! What a search has left for the next one (2.6.39 to 5.1), and what that means for it.

use super::super::line::flow;
use super::super::{Role, Row, Scene, Span, focus, text};
use crate::model::Allocator;

/// The cached hole in a sentence; `None` in the eras that remember nothing.
pub(super) fn rows(scene: &Scene<'_>, allocator: &dyn Allocator, width: usize) -> Option<Vec<Row>> {
    let cached = allocator.cached_hole()?;
    let addresses = focus::addresses(scene);
    let say = |words: &str| Span::new(words, Role::Muted);
    let name = |words: &str| Span::new(words, Role::Title);
    let number = |words: String| Span::new(words, Role::Number);
    let spans = match cached.behind {
        None => vec![
            name(" free_vmap_cache"),
            say(" is empty: the search begins at the start of its window and looks at every hole from there"),
        ],
        Some(area) => {
            let mut spans = vec![
                name(" free_vmap_cache"),
                say(": the search begins at "),
                number(addresses.short(area.end())),
                say(" and passes over holes below, unless the request "),
            ];
            if cached.hole > 0 {
                spans.extend([
                    say("is smaller than "),
                    number(text::bytes(cached.hole)),
                    say(" (cached_hole_size)"),
                    say(", "),
                ]);
            }
            if cached.align > 1 {
                spans.extend([
                    say("is aligned to less than "),
                    number(text::bytes(cached.align)),
                    say(" (cached_align)"),
                    say(", "),
                ]);
            }
            spans.extend([
                say(if cached.hole > 0 || cached.align > 1 { "or may lie below " } else { "may lie below " }),
                number(addresses.short(cached.vstart)),
                say(" (cached_vstart)"),
            ]);
            spans
        }
    };
    Some(flow(&spans, width, 2, scene.glyphs))
}
