//! The steps inside a tree: what hangs where, colours, rotations, `subtree_max`.

use super::super::line::wrap;
use super::super::text;
use super::super::tree;
use super::super::{Role, Row, Scene, Target};
use super::Facts;
use super::words::Words;
use crate::model::{NIL, Step, TreeId, TreeNode, TreeStep};

/// The kernel's function and what it did.
pub(super) fn of(scene: &Scene<'_>, facts: &Facts, which: TreeId, step: &TreeStep) -> (&'static str, Words) {
    let words = Words::default();
    let short = |node: TreeNode| facts.addresses.short(node.start);
    let max = scene.glyphs.max;
    match *step {
        TreeStep::Siblings { below, above } => {
            let neighbour = |words: Words, node: TreeNode, side: &str| match node.id {
                NIL => words.say(format!("nothing {side}")),
                _ => words.number(short(node)).say(format!(" {side}")),
            };
            let words = neighbour(words.say("looks at both neighbours in the order: "), below, "below, ");
            ("get_va_next_sibling", neighbour(words, above, "above"))
        }
        TreeStep::Spare { start, end, hole } => (
            "ne_fit_preload_node",
            words
                .say("the spare node takes the lower rest, ")
                .number(text::bytes(end.saturating_sub(start)))
                .say("; the hole's own node keeps the upper one, from ")
                .number(short(hole)),
        ),
        TreeStep::Linked { node, parent: TreeNode { id: NIL, .. }, .. } => {
            ("rb_link_node", words.number(short(node)).say(format!(" is the root of the {}", tree::name(scene, which))))
        }
        TreeStep::Linked { node, parent, side } => (
            "rb_link_node",
            words
                .number(short(node))
                .say(format!(" hung into the {}, red, as the {} child of ", tree::name(scene, which), side_of(side)))
                .number(short(parent)),
        ),
        TreeStep::Recoloured { node, black } => {
            ("rb_set_parent_color", words.number(short(node)).say(if black { " turns black" } else { " turns red" }))
        }
        TreeStep::Rotated { down, up, side } => (
            "__rb_rotate_set_parents",
            words.number(short(up)).of(" comes up", Role::Changed).say(", ").number(short(down)).say(format!(
                " goes down to its {}: a {} rotation",
                side_of(side),
                side_of(side)
            )),
        ),
        TreeStep::Unlinked { node, child: TreeNode { id: NIL, .. } } => (
            "__rb_erase_augmented",
            words.number(short(node)).say(format!(" has no child and leaves the {}", tree::name(scene, which))),
        ),
        TreeStep::Unlinked { node, child } => (
            "__rb_erase_augmented",
            words
                .number(short(node))
                .say(format!(" leaves the {}; its child ", tree::name(scene, which)))
                .number(short(child))
                .say(" takes its place and its colour"),
        ),
        TreeStep::Replaced { node, heir } => (
            "__rb_erase_augmented",
            words
                .number(short(node))
                .say(format!(" leaves the {}; the next higher, ", tree::name(scene, which)))
                .number(short(heir))
                .say(", takes its place and its colour"),
        ),
        TreeStep::Propagated { node, old, new } => (
            "augment_tree_propagate_from",
            words
                .number(short(node))
                .of(format!(" {max}{}", text::bytes(old)), Role::Muted)
                .say(format!(" is {max}"))
                .number(text::bytes(new))
                .say(" now"),
        ),
        TreeStep::Settled { node, max: value } => (
            "augment_tree_propagate_from",
            words
                .say("stops: ")
                .number(short(node))
                .say(format!(" has {max}"))
                .number(text::bytes(value))
                .say(" already, and so nothing changes above it"),
        ),
    }
}

/// One line for what a tree did, and that it can be walked.
pub(super) fn rows(scene: &Scene<'_>, width: usize, from: usize, (which, steps): (TreeId, &[Step])) -> Vec<Row> {
    let count = |is_one: fn(&TreeStep) -> bool| {
        steps.iter().filter(|step| matches!(step, Step::Tree { what, .. } if is_one(what))).count() as u64
    };
    let rotations = count(|step| matches!(step, TreeStep::Rotated { .. }));
    let colours = count(|step| matches!(step, TreeStep::Recoloured { .. }));
    let maxima = count(|step| matches!(step, TreeStep::Propagated { .. }));
    let mut parts = Vec::new();
    if 0 < rotations {
        parts.push(text::plural(rotations, "rotation", "rotations"));
    }
    if 0 < colours {
        parts.push(text::plural(colours, "change of colour", "changes of colour"));
    }
    if 0 < maxima {
        parts.push(format!("{} of subtree_max", text::plural(maxima, "change", "changes")));
    }
    // A mere link is what the step beside it says in words.
    if parts.is_empty() {
        return Vec::new();
    }
    let words = format!("    {} {}: {}", scene.glyphs.ellipsis, tree::name(scene, which), parts.join(", "));
    let mut rows = wrap(&words, Role::Muted, width, 4, scene.glyphs);
    for row in &mut rows {
        row.target = Some(Target::Step(from));
    }
    rows
}

fn side_of(side: usize) -> &'static str {
    if side == 0 { "left" } else { "right" }
}
