//! What became of a failed attempt: the kernel purges, and asks once more.
//!
//! A record tells one attempt. Whether the request failed is told by the next record of the same task that asks for the
//! same: only a second failure is the end of it.

use super::facts::number;
use super::script::is_script;
use super::within::within;
use super::{Role, Scene, Span, Target, text};
use crate::event::{Event, EventKind, Seq};
use crate::model::Extent;

/// Records looked at in either direction; the retry stands close.
const MAX_LOOKED: usize = 4096;

/// How a failed attempt went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The task asked again, and was given an address.
    Placed {
        /// The second attempt.
        retry: Seq,
        /// The address.
        addr: u64,
    },
    /// The task asked again in vain.
    Failed {
        /// The second attempt.
        retry: Seq,
    },
    /// It was itself the second attempt.
    Second {
        /// The first one.
        first: Seq,
    },
    /// The log does not say.
    Unknown,
}

/// A failed attempt, and what followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aftermath {
    /// The purge of the same task between the two attempts.
    pub(crate) purge: Option<Seq>,
    /// How it went on.
    pub(crate) after: After,
    lazy_bytes: u64,
    /// Of it inside the window, where that is not the whole vmalloc range.
    inside: Option<u64>,
}

/// Do two attempts ask for the same?
fn is_same(a: &Event, b: &Event) -> bool {
    match (a.kind, b.kind) {
        (
            EventKind::Alloc { size, align, window, .. },
            EventKind::Alloc { size: other_size, align: other_align, window: other_window, .. },
        ) => (size, align, window) == (other_size, other_align, other_window),
        _ => false,
    }
}

fn failed(event: &Event) -> bool {
    matches!(event.kind, EventKind::Alloc { failed: true, .. })
}

/// The failed attempt before record `seq`, if that is the task's second attempt for the same.
pub(crate) fn first_attempt(scene: &Scene<'_>, seq: Seq) -> Option<Seq> {
    // An op of a script is a whole request, both attempts of it.
    if is_script(scene.replay.log()) {
        return None;
    }
    let events = &scene.replay.log().events;
    let event = events.get(seq.index())?;
    let from = seq.index().saturating_sub(MAX_LOOKED);
    let asked = (from..seq.index()).rev().filter(|&at| events.nth(at).task == event.task);
    let mut asked = asked.filter(|&at| matches!(events.nth(at).kind, EventKind::Alloc { .. }));
    // Failures come in pairs: of an even number before this one all requests are over.
    let before: Vec<usize> =
        asked.by_ref().take_while(|&at| failed(&events.nth(at)) && is_same(&events.nth(at), &event)).collect();
    let first = *before.first()?;
    (before.len() % 2 == 1).then_some(Seq(first as u32))
}

/// What followed the current event, if that is a failed attempt.
pub(crate) fn aftermath(scene: &Scene<'_>) -> Option<Aftermath> {
    let (seq, event) = scene.replay.current().filter(|(_, event)| failed(event))?;
    if is_script(scene.replay.log()) {
        return None;
    }
    let EventKind::Alloc { window, .. } = event.kind else { return None };
    let events = &scene.replay.log().events;
    let space = scene.replay.before();
    let allocator = space.allocator();
    let window = scene.replay.log().names.window(window);
    let part = Extent::new(window.vstart, window.vend).filter(|_| window != allocator.window());
    let mut aftermath = Aftermath {
        purge: None,
        after: After::Unknown,
        lazy_bytes: allocator.lazy_pages().saturating_mul(allocator.page_size()),
        inside: part.map(|part| within(space, part).lazy),
    };
    if let Some(first) = first_attempt(scene, seq) {
        aftermath.after = After::Second { first };
        return Some(aftermath);
    }
    let later = (seq.index() + 1..events.len()).take(MAX_LOOKED);
    for at in later.filter(|&at| events.nth(at).task == event.task) {
        let next = Seq(at as u32);
        match events.nth(at).kind {
            EventKind::Purge { .. } | EventKind::PurgeReturn { .. } => aftermath.purge = aftermath.purge.or(Some(next)),
            EventKind::Alloc { addr, failed, .. } => {
                if is_same(event, &events.nth(at)) {
                    aftermath.after = if failed {
                        After::Failed { retry: next }
                    } else {
                        After::Placed { retry: next, addr: addr.0 }
                    };
                } else {
                    aftermath.purge = None;
                }
                break;
            }
            _ => {}
        }
    }
    Some(aftermath)
}

/// `event 2,670`, as the header counts.
pub(crate) fn event_number(seq: Seq) -> String {
    format!("event {}", text::count(u64::from(seq.0) + 1))
}

impl Aftermath {
    /// Was the request served after all?
    pub(crate) fn is_repaired(&self) -> bool {
        matches!(self.after, After::Placed { .. })
    }

    /// What was lazy at that moment.
    pub(crate) fn lazy(&self) -> Vec<Span> {
        let follows = match (self.after, self.purge) {
            (After::Second { .. }, _) | (_, None) => "",
            _ => ": the purge that follows gives them back",
        };
        if self.lazy_bytes == 0 {
            return vec![Span::new("nothing was lazily freed", Role::Muted)];
        }
        let mut spans = vec![Span::new(format!("{} lazily freed", text::bytes(self.lazy_bytes)), Role::Lazy)];
        if let Some(inside) = self.inside {
            let inside = if inside == self.lazy_bytes { "all".to_owned() } else { text::bytes(inside) };
            spans.push(Span::new(format!(", {inside} of it in the window"), Role::Text));
        }
        spans.push(Span::new(follows, Role::Text));
        spans
    }

    /// What was tried next, and how it ended.
    pub(crate) fn story(&self, scene: &Scene<'_>) -> Vec<Span> {
        let say = |words: String| Span::new(words, Role::Text);
        let mut spans = Vec::new();
        if let Some(purge) = self.purge {
            spans.extend([say("purged in ".to_owned()), number(event_number(purge)), say("; ".to_owned())]);
        }
        match self.after {
            After::Placed { retry, addr } => spans.extend([
                say("tried again in ".to_owned()),
                number(event_number(retry)),
                say(": ".to_owned()),
                Span::new("placed", Role::Good),
                say(" at ".to_owned()),
                number(super::focus::addresses(scene).short(addr)),
            ]),
            After::Failed { retry } => spans.extend([
                say("tried again in ".to_owned()),
                number(event_number(retry)),
                say(": ".to_owned()),
                Span::new("failed again", Role::Bad),
            ]),
            After::Second { first } => spans.extend([
                say("the second attempt, after ".to_owned()),
                number(event_number(first)),
                say(" and a purge: ".to_owned()),
                Span::new("the request has failed", Role::Bad),
            ]),
            After::Unknown => spans.push(Span::new("not tried again in this trace", Role::Muted)),
        }
        spans
    }

    /// Where Enter on it goes.
    pub(crate) fn target(&self) -> Option<Target> {
        match self.after {
            After::Placed { retry, .. } | After::Failed { retry } => Some(Target::Event(retry)),
            After::Second { first } => Some(Target::Event(first)),
            After::Unknown => self.purge.map(Target::Event),
        }
    }
}
