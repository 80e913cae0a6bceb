//! The rows of an op script: what was asked, and the answer.

use super::super::line::Line;
use super::super::text::{self, Addresses};
use super::super::{Role, Scene};
use super::{Columns, freed_size};
use crate::event::{Event, EventKind, ScriptOp, Seq};
use crate::replay::Verdict;
use parsers::ops::{Op as Asked, RequestOp};

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
        _ => {
            let (size, told) = told(scene, seq, &answer, columns, addresses);
            let line = line.right(size.map_or_else(String::new, text::bytes), 9, role(Role::Number)).gap(1);
            let line = line.gap(align_width(columns)).put(told, role(Role::Number));
            return differing(scene, line, seq, event.kind);
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

/// What an op that neither takes nor gives back an area of its own came to: how much it was about, if its answer says so,
/// and the answer in the room of an address.
fn told(scene: &Scene<'_>, seq: Seq, answer: &str, columns: &Columns, addresses: &Addresses) -> (Option<u64>, String) {
    let asked = scene.replay.asked(seq);
    let (first, rest) = answer.split_once(' ').unwrap_or((answer, ""));
    if let Some(Asked::Request(request)) = asked
        && let RequestOp::MapRam { pages, .. } = &**request
    {
        // Pages of a block: its area came before.
        let size = pages.saturating_mul(scene.replay.space().allocator().page_size());
        return match u64::from_str_radix(first, 16) {
            Ok(addr) if columns.full_address => (Some(size), format!("{}  {rest}", scene.addr(addr))),
            Ok(addr) => (Some(size), addresses.short(addr)),
            Err(_) => (Some(size), answer.to_owned()),
        };
    }
    if let Some(bytes) = flushed(rest) {
        return (Some(bytes), "flushed".to_owned());
    }
    // The first word is the op's own, or part of the answer.
    let own = asked.is_some_and(|asked| asked.word() == first) && !rest.is_empty();
    (None, (if own { rest } else { answer }).to_owned())
}

/// Bytes of the TLB flush in an answer, `TSTART-END`, if there was one and only one.
fn flushed(answer: &str) -> Option<u64> {
    let mut flushes = answer.split(' ').filter_map(|word| {
        let (start, end) = word.strip_prefix('T')?.split_once('-')?;
        u64::from_str_radix(end, 16).ok()?.checked_sub(u64::from_str_radix(start, 16).ok()?)
    });
    flushes.next().filter(|_| flushes.next().is_none())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_known_by_its_letter() {
        assert_eq!(flushed("Tffffc90000000000-ffffc90000264000"), Some(0x26_4000));
        assert_eq!(flushed("1 Tf8804000-f8c05000"), Some(0x40_1000));
        assert_eq!(flushed("T1000-2000 R T3000-4000"), None);
        assert_eq!(flushed("1 bad ffffc9000000c010"), None);
        assert_eq!(flushed(""), None);
    }
}
