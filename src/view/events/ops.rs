//! The rows of an op script: what was asked, and the answer.

use super::super::line::Line;
use super::super::text::{self, Addresses};
use super::super::{Role, Scene};
use super::{Columns, freed_size};
use crate::event::{Event, EventKind, ScriptOp, Seq};
use crate::replay::Verdict;

/// Columns for an expected answer that tells something.
const EXPECTED: usize = 16;

/// Size, alignment, the answer, what it set off, and the expected answer where that is another one.
pub(super) fn facts<'g>(
    scene: &Scene<'_>,
    line: Line<'g>,
    columns: &Columns,
    addresses: &Addresses,
    (seq, event, future): (Seq, &Event, bool),
) -> Line<'g> {
    let role = |role: Role| if future { Role::Muted } else { role };
    let answer = text::escape(scene.replay.plan().answer(seq).unwrap_or_default().as_bytes());
    let (first, rest) = answer.split_once(' ').unwrap_or((&answer, ""));
    let (size, align, addr) = match event.kind {
        EventKind::Alloc { addr, size, align, failed, .. } => (Some(size), align, (!failed).then_some(addr.0)),
        EventKind::Free { addr, .. } => (freed_size(scene, seq), 1, Some(addr.0)),
        // Nothing but the answer: its first word is the op's own.
        _ => {
            let told = if rest.is_empty() { first } else { rest };
            return differing(
                scene,
                line.gap(10).gap(align_width(columns)).put(told, role(Role::Number)),
                seq,
                event.kind,
            );
        }
    };
    let mut line = line.right(size.map_or_else(|| "?".to_owned(), text::bytes), 9, role(Role::Number)).gap(1);
    if columns.align > 0 {
        let page = scene.replay.space().allocator().page_size();
        let align = if align > page { text::bytes(align) } else { String::new() };
        line = line.right(align, columns.align, role(Role::Muted)).gap(1);
    }
    line = match addr {
        Some(addr) if columns.full_address => line.put(scene.addr(addr), role(Role::Number)),
        Some(addr) => line.tail(&addresses.short(addr), role(Role::Number)),
        None => line.put(first, role(Role::Bad)),
    };
    // A flush is worth a word only where it is one.
    if !rest.is_empty() && rest.len() + 2 <= line.room() {
        line = line.gap(2).put(rest, Role::Muted);
    }
    differing(scene, line, seq, event.kind)
}

fn align_width(columns: &Columns) -> usize {
    if columns.align > 0 { columns.align + 1 } else { 0 }
}

/// The expected answer, where the model gave another one.
fn differing<'g>(scene: &Scene<'_>, line: Line<'g>, seq: Seq, kind: EventKind) -> Line<'g> {
    let Verdict::Differs(_) = scene.replay.verdict(seq) else { return line };
    // With less room the sign in front has to do.
    if line.room() < EXPECTED {
        return line;
    }
    if let EventKind::Script(ScriptOp::Dump) = kind {
        // One line of many; the detail shows which.
        return line.gap(2).put("another state expected", Role::Bad);
    }
    let expected = scene.replay.log().script.as_ref().and_then(|script| script.expected.as_ref());
    let expected = expected.and_then(|expected| expected.answer(seq.index())?.lines().next()).unwrap_or("nothing");
    line.gap(2).put(format!("expected {}", text::escape(expected.as_bytes())), Role::Bad)
}
