//! Words of explanations that stand in several places.

use parsers::dmesg::Wording;

use super::super::text::{self, bytes, plural};
use super::Page;
use crate::event::{EventKind, Seq};
use crate::insight::explain::{Asked, AskedFrom, Close, Doubt, Explanation, Holder, Short, State};
use crate::log::escape;

/// `kernel_clone (vmalloc)`, `radeon_gart_init [radeon] (vmalloc)`, `a freed area`.
pub(super) fn holder(holder: &Holder, state: Option<State>) -> String {
    match state {
        Some(State::Lazy) => return "a freed area, not purged".to_owned(),
        Some(State::Pooled) => return "an area parked in a pool".to_owned(),
        Some(State::Busy) | None => {}
    }
    let module = holder.module.as_ref().map_or_else(String::new, |module| format!(" [{module}]"));
    match (&holder.caller, holder.kind) {
        (Some(caller), "") => format!("{caller}{module}"),
        (Some(caller), kind) => format!("{caller}{module} ({kind})"),
        (None, "") => "somebody".to_owned(),
        (None, kind) => format!("({kind})"),
    }
}

/// Why a hole is not enough, in a few words.
pub fn short(why: Short, hole: &Close, told: &Explanation) -> String {
    let missing = bytes(hole.missing);
    match why {
        Short::TooSmall if hole.room.bytes < hole.room.inside => {
            let eaten = bytes(hole.room.inside - hole.room.bytes);
            format!("{missing} too small, of it {eaten} before the first multiple of {}", bytes(told.asked.align))
        }
        Short::TooSmall => format!("{missing} too small"),
        Short::Clipped => {
            format!("{missing} too small: {} of the hole lie outside the window", bytes(outside(hole)))
        }
        Short::Alignment => {
            let eaten = bytes(hole.room.inside - hole.room.bytes.min(hole.room.inside));
            format!(
                "long enough, but the first multiple of {} costs {eaten}: {missing} too small",
                bytes(told.asked.align)
            )
        }
    }
}

fn outside(hole: &Close) -> u64 {
    hole.room.hole.len_bytes().saturating_sub(hole.room.inside)
}

/// `event 2,670 (1.25 s), task vmstress/1-232`.
pub(super) fn event(seq: Seq, page: &Page<'_>) -> String {
    let number = format!("{} {}", super::super::script::noun(page.log), text::count(u64::from(seq.0) + 1));
    let Some(event) = page.log.get(seq) else { return number };
    let task = text::task(page.log.names.task(event.task));
    let what = match event.kind {
        EventKind::Alloc { failed: true, .. } => ", which failed",
        _ => "",
    };
    match text::time(page.log, event.at) {
        time if time.is_empty() => format!("{number}{what}, {task}"),
        time => format!("{number} at {time}{what}, {task}"),
    }
}

/// Is it the request of a record that was served?
pub(super) fn was_served(asked: &Asked, page: &Page<'_>) -> bool {
    let AskedFrom::Event(seq) = asked.from else { return false };
    page.log.get(seq).is_some_and(|event| matches!(event.kind, EventKind::Alloc { failed: false, .. }))
}

/// The message, as the kernel wrote it.
pub(super) fn message(seq: Seq, page: &Page<'_>) -> String {
    let Some(event) = page.log.get(seq) else { return String::new() };
    let EventKind::Report { text: id, .. } = event.kind else { return String::new() };
    let task = page.log.names.task(event.task);
    let whose = if task.comm.is_empty() { String::new() } else { format!(", task {}", escape(&task.comm)) };
    format!("line {} of the kernel's log{whose}: {}", event.line, escape(page.log.names.text(id)))
}

/// Other reasons why such a request fails.
pub(super) fn other_reasons(asked: &Asked) -> &'static str {
    match asked.from {
        AskedFrom::Message(_, Some(Wording::NoPages)) => {
            "The message says so too: pages ran out while the area was being filled."
        }
        AskedFrom::Message(_, Some(Wording::NoArea | Wording::Error)) => {
            "Such a message also comes for want of pages, of memory for the descriptor, or because the task was killed \
             (-EINTR)."
        }
        AskedFrom::Message(..) => {
            "The space has changed since, or the request had another window or a stricter alignment."
        }
        AskedFrom::Event(_) | AskedFrom::Option => {
            "What else makes vmalloc() fail: no pages, no memory for page tables or the descriptor, a killed task \
             (-EINTR), a limit of its caller, or another window."
        }
    }
}

/// What has to be kept in mind, in a sentence.
pub fn doubt(doubt: Doubt, page: &Page<'_>) -> String {
    match doubt {
        Doubt::AnotherMoment => {
            "The file shows the moment when it was read, not that of the request: areas have come and gone since."
                .to_owned()
        }
        Doubt::Unlisted if page.is_32_bit => "Not everything is listed, and what is not looks like a hole here: from 6.12 on \
                                              areas that are being filled, and what a purge is returning at that moment."
            .to_owned(),
        Doubt::Unlisted => "Not everything is listed, and what is not looks like a hole here: from 6.9 on areas that \
                            nodes keep in pools, from 6.12 on areas that are being filled, and what a purge is \
                            returning at that moment."
            .to_owned(),
        Doubt::Overlaps(n) => format!(
            "{} overlap an earlier one: the file was torn while it was read, or is damaged.",
            plural(n, "area", "areas")
        ),
        Doubt::Alignment => {
            "The message does not tell the alignment; page alignment is assumed. --align says otherwise: an ioremap asks \
             for the power of two at or above its size, a thread stack for THREAD_SIZE."
                .to_owned()
        }
        Doubt::AlignmentShown => "What it asked for beyond its size is not told. The alignment is what the addresses of its \
                                  caller's areas of that size have in common; an ioremap's is the power of two at or \
                                  above its size, up to a limit of the architecture."
            .to_owned(),
        Doubt::Window => "The message does not tell the window; the whole range is assumed. --range says otherwise.".to_owned(),
        Doubt::Range => "The range goes from the lowest listed area to the highest: there may be more beyond them. \
                         --range says where it lies."
            .to_owned(),
        Doubt::Padded(length) => format!(
            "For this alignment the kernel's search asks for a hole of {} bytes (size + alignment - 1) and may pass a shorter \
             one by, although it would do.",
            text::count(length)
        ),
        Doubt::Gap(page) => format!(
            "A kernel of this age leaves {} free behind each area: a hole above an area needs them besides the request.",
            bytes(page)
        ),
        Doubt::ModelPlaces(at) => format!(
            "The record says that the request failed; the model, with what it knows, would have placed it at {}.",
            page.addr(at)
        ),
        Doubt::ModelRefuses => {
            "The record says that the request was placed; the model, with what it knows, finds no place.".to_owned()
        }
    }
}
