//! The signs of a record: the user's mark, what is special about it, and the role of its kind.

use super::super::{Role, Scene};
use crate::event::{Event, EventKind, ScriptOp, Seq};
use crate::replay::Verdict;

/// The letter of a mark at a record, or a blank.
pub(super) fn own_mark(scene: &Scene<'_>, index: usize) -> char {
    let at = scene.marks.partition_point(|&(cursor, _)| cursor <= index);
    scene.marks.get(at).filter(|&&(cursor, _)| cursor == index + 1).map_or(' ', |&(_, letter)| letter)
}

/// One character for what is special about a record.
pub(super) fn mark(scene: &Scene<'_>, seq: Seq, event: &Event) -> (char, Role) {
    let glyphs = scene.glyphs;
    match (event.kind, scene.replay.verdict(seq)) {
        (_, Verdict::Adopted(_) | Verdict::Differs(_)) => (glyphs.adopted, Role::Bad),
        (_, Verdict::Inferred(_)) => (glyphs.inferred, Role::Warn),
        (EventKind::Alloc { failed: true, .. } | EventKind::Report { .. }, _) => (glyphs.failure, Role::Bad),
        (_, Verdict::Exact) => (glyphs.exact, Role::Good),
        (kind, _) if kind.returned_something() => (glyphs.purge, Role::Free),
        (EventKind::Lost { .. }, _) => (glyphs.lost, Role::Warn),
        (EventKind::Mark { .. }, _) => (glyphs.mark, Role::Key),
        _ => (' ', Role::Text),
    }
}

/// The role of a record's kind.
pub(super) fn kind_role(kind: &EventKind) -> Role {
    match kind {
        EventKind::Alloc { failed: false, .. } | EventKind::Unasked { .. } => Role::Busy,
        EventKind::Alloc { failed: true, .. } | EventKind::Report { .. } => Role::Bad,
        EventKind::Free { .. } | EventKind::FreeProbe { .. } => Role::Lazy,
        EventKind::Purge { .. }
        | EventKind::PurgeReturn { .. }
        | EventKind::NodeDecay { .. }
        | EventKind::NodeReturn { .. } => Role::Free,
        EventKind::Lost { .. } => Role::Warn,
        EventKind::Mark { .. } => Role::Key,
        EventKind::Script(ScriptOp::Work | ScriptOp::Shrink) => Role::Free,
        EventKind::Request { .. } | EventKind::PurgeEntry { .. } | EventKind::Other { .. } | EventKind::Script(_) => {
            Role::Muted
        }
    }
}
