//! The steps: what did the allocator just do, and why?
//!
//! First what the record says and whether the model agrees, then every step in order and in the kernel's words.

mod balance;
mod failure;
pub(super) mod mapping;
mod names;
pub(super) mod pages;
mod purge;
mod questions;
mod rule;
mod said;
mod script;
pub(super) mod stages;
mod turns;
mod verdict;
mod walk;
mod words;

use super::focus;
use super::line::{flow, scrolled, wrap};
use super::script::{is_script, numbered, who};
use super::text::{self, Addresses};
use super::{Role, Row, Scene, Span, Target};
use crate::event::{Event, EventKind, ScriptOp, Seq};
use crate::log::Window;
use crate::model::Step;
use crate::policy::rules::FreeSpace;
use words::Words;

/// A run of alike steps up to this length is shown whole.
const MAX_RUN: usize = 8;
/// Nodes passed in one direction up to this many are shown one by one.
const MAX_TURNS: usize = 3;

/// What the sentences need to know of the event.
struct Facts {
    addresses: Addresses,
    request: Option<(u64, u64, Window)>,
}

/// The rows; `scroll` leaves out the first ones.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, scroll: usize) -> Vec<Row> {
    let width = usize::from(width);
    if width == 0 || height == 0 {
        return Vec::new();
    }
    let Some((seq, event)) = scene.replay.current() else {
        let sentence = if scene.replay.is_empty() {
            "A snapshot: nothing happens in it. The other panes show what was there at that moment."
        } else {
            "No event yet: press . to step forward."
        };
        return scrolled(wrap(sentence, Role::Muted, width, 0, scene.glyphs), 0, height);
    };
    let facts = Facts { addresses: focus::addresses(scene), request: focus::event_request(scene) };
    // A request's own first stage says what is asked.
    let told = stages::first_call(&scene.replay.outcome().steps).is_some();
    let mut rows = if told { Vec::new() } else { flow(&record(scene, &facts, seq, event).0, width, 2, scene.glyphs) };
    // Before the steps, which can be many: what came of it, and whether to trust them.
    rows.extend(questions::rows(scene, width, seq));
    rows.extend(script::consequences(scene, width, seq));
    rows.extend(failure::rows(scene, &facts, width, seq));
    rows.extend(verdict::rows(scene, &facts.addresses, width, seq, event));
    if scene.replay.outcome().steps.is_empty() {
        rows.extend(
            elsewhere(scene, &event.kind)
                .map(|words| wrap(words, Role::Muted, width, 2, scene.glyphs))
                .into_iter()
                .flatten(),
        );
    }
    for part in parts(&facts, &scene.replay.outcome().steps, scene.sub_step) {
        match part {
            Part::One(index, step) => rows.extend(step_rows(scene, &facts, width, index, step)),
            Part::More { from, steps } => rows.extend(more(scene, &facts, width, from, steps)),
        }
    }
    let top = match scene.sub_step {
        // The step that is shown must be on the screen.
        Some(_) => rows.iter().position(|row| row.focused).map_or(scroll, |at| {
            let middle = usize::from(height) / 2;
            at.saturating_sub(middle)
        }),
        None => scroll,
    };
    scrolled(rows, top, height)
}

/// Why there are no steps under a record that should have some.
fn elsewhere(scene: &Scene<'_>, kind: &EventKind) -> Option<&'static str> {
    if is_script(scene.replay.log()) {
        return None;
    }
    match kind {
        EventKind::Alloc { failed: true, .. } => Some("No steps under this record: a failed attempt changes nothing."),
        EventKind::Alloc { .. } => {
            Some("No steps under this record: the space was taken where a neighbouring record stands.")
        }
        kind if kind.returned_something() => {
            Some("No steps under this record: an allocation before it shows that the purge had come that far.")
        }
        _ => None,
    }
}

/// Steps as they are shown: one by one, or many in a line.
enum Part<'a> {
    One(usize, &'a Step),
    More { from: usize, steps: &'a [Step] },
}

/// Are two steps alike? Nodes of a search are if it went on from them in the same way for the same reason.
fn alike(facts: &Facts, a: &Step, b: &Step) -> bool {
    match (a, b) {
        (Step::Visited { extent: a, turn: a_turn, .. }, Step::Visited { extent: b, turn: b_turn, .. }) => {
            turns::alike(facts, (*a, *a_turn), (*b, *b_turn))
        }
        (Step::Tree { tree: a, .. }, Step::Tree { tree: b, .. }) => a == b,
        // Each says something else.
        (Step::Stage(_), _) | (_, Step::Stage(_)) => false,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// Cuts the middle out of long runs of alike steps, but never the one that is shown.
fn parts<'s>(facts: &Facts, steps: &'s [Step], shown: Option<usize>) -> Vec<Part<'s>> {
    let mut parts = Vec::new();
    let mut from = 0;
    for run in steps.chunk_by(|a, b| alike(facts, a, b)) {
        let to = from + run.len();
        // A search is told turn by turn: of a run in one direction the ends are enough.
        let (limit, kept) = match run[0] {
            Step::Visited { .. } => (MAX_TURNS, 0),
            // What balances a tree is told in a line, until somebody walks through it.
            Step::Tree { .. } => (0, 0),
            _ => (MAX_RUN, 3),
        };
        let is_tree = run[0].is_in_tree();
        let visible = |index: usize| {
            run.len() <= limit
                || index < from + kept
                || to - kept <= index
                || shown.is_some_and(|shown| shown.abs_diff(index) <= 1 && (!is_tree || (from..to).contains(&shown)))
        };
        let mut index = from;
        while index < to {
            let end = (index..to).find(|&next| visible(next)).unwrap_or(to);
            // One in a line of its own takes no more room than what would stand for it.
            if end == index || end == index + 1 && !is_tree {
                parts.push(Part::One(index, &steps[index]));
                index += 1;
            } else {
                parts.push(Part::More { from: index, steps: &steps[index..end] });
                index = end;
            }
        }
        from = to;
    }
    parts
}

fn step_rows(scene: &Scene<'_>, facts: &Facts, width: usize, index: usize, step: &Step) -> Vec<Row> {
    let (function, words) = words::of(scene, facts, index, step);
    let is_shown = scene.sub_step == Some(index);
    let cursor = if is_shown { scene.glyphs.cursor } else { ' ' };
    let mut spans =
        vec![Span::new(format!("{cursor}{:>2} ", index + 1), if is_shown { Role::Key } else { Role::Muted })];
    if !function.is_empty() {
        spans.push(Span::new(format!("{function} "), Role::Title));
    }
    spans.extend(words.0);
    let mut rows = flow(&spans, width, 4, scene.glyphs);
    for row in &mut rows {
        row.target = Some(Target::Step(index));
        row.focused = is_shown;
        if is_shown {
            row.spans.iter_mut().filter(|span| !span.text.trim().is_empty()).for_each(|span| span.strong = true);
        }
    }
    if is_shown {
        rows.extend(mapping::walk(&stages::Context::new(scene, facts, index), width, index, step));
    }
    rows
}

/// One line for steps left out.
fn more(scene: &Scene<'_>, facts: &Facts, width: usize, from: usize, steps: &[Step]) -> Vec<Row> {
    let n = text::count(steps.len() as u64);
    let bytes: u64 = steps
        .iter()
        .map(|step| match step {
            Step::Returned { extent, .. } | Step::Pooled { extent, .. } => extent.len_bytes(),
            _ => 0,
        })
        .sum();
    let what = match steps[0] {
        Step::Returned { .. } => format!("{n} more returned, {}", text::bytes(bytes)),
        Step::Pooled { .. } => format!("{n} more parked in pools, {}", text::bytes(bytes)),
        Step::Decayed { .. } => format!("{} decayed", text::plural(steps.len() as u64, "more pool", "more pools")),
        Step::Visited { .. } => return turns::rows(scene, facts, width, from, steps),
        Step::Tree { tree, .. } => return balance::rows(scene, width, from, (tree, steps)),
        Step::Passed { .. } => return walk::more(scene, facts, width, from, steps),
        Step::Looked { .. } | Step::Drawn { .. } => return rule::more(scene, facts, width, from, steps),
        _ => format!("{n} more of the same"),
    };
    let words = format!("    {} {what}", scene.glyphs.ellipsis);
    let mut rows = wrap(&words, Role::Muted, width, 4, scene.glyphs);
    for row in &mut rows {
        row.target = Some(Target::Step(from));
    }
    rows
}

/// What the record itself says.
fn record(scene: &Scene<'_>, facts: &Facts, seq: Seq, event: &Event) -> Words {
    let log = scene.replay.log();
    let who = who(scene.replay, seq, event).unwrap_or_default();
    let words = Words::default();
    match event.kind {
        EventKind::Alloc { size, align, window, failed, .. } => {
            let allocator = scene.replay.space().allocator();
            let mut words = words.of(who, Role::Title).say(" asks for ").number(text::bytes(size));
            if align > allocator.page_size() {
                words = words.say(", aligned to ").number(text::bytes(align));
            }
            let window = log.names.window(window);
            // The conclusion below names the window of a failure.
            let told = failed && scene.replay.outcome().steps.iter().any(|step| matches!(step, Step::Refused { .. }));
            if window == allocator.window() || told {
                words
            } else {
                failure::window_words(scene, words.say(", from "), window)
            }
        }
        EventKind::Request { size, align, .. } => {
            let words = words.of(who, Role::Title).say(" calls the allocator for ").number(text::bytes(size));
            let page = scene.replay.space().allocator().page_size();
            let words = if align > page { words.say(", aligned to ").number(text::bytes(align)) } else { words };
            words.of(". What it is given stands at the call's return.", Role::Muted)
        }
        EventKind::Unasked { addr, end } => words
            .of(who, Role::Title)
            .say(" is given ")
            .number(text::bytes(end.0.saturating_sub(addr.0)))
            .say(" at ")
            .number(facts.addresses.short(addr.0))
            .of(". What it asked for was not recorded.", Role::Muted),
        EventKind::PurgeEntry { .. } => words
            .of(who, Role::Title)
            .say(" begins to purge.")
            .of(" What comes back stands at the purge's return.", Role::Muted),
        EventKind::PurgeReturn { purged } => purge::returned(scene, words, purged),
        EventKind::NodeDecay { node, .. } => words
            .of(who, Role::Title)
            .say(" purges: the pools of node ")
            .number(node.to_string())
            .say(" decay, then its lazy areas are taken off."),
        EventKind::NodeReturn { node } => words
            .of(who, Role::Title)
            .say(" purges: the areas taken off node ")
            .number(node.to_string())
            .say(" go to its pools and to the free tree."),
        EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => {
            let words = words.of(who, Role::Title).say(" frees ").number(facts.addresses.short(addr.0));
            let Some((mate, born)) = scene.replay.plan().mate(seq).and_then(|mate| Some((mate, log.get(mate)?))) else {
                return words.say(", older than the trace");
            };
            let size = super::events::freed_size(scene, seq).unwrap_or(0);
            let by =
                if is_script(log) { String::new() } else { format!("by {} ", text::task(log.names.task(born.task))) };
            let words = words.say(", ").number(text::bytes(size)).say(format!(" allocated {by}"));
            words
                .number(text::between(log, born.at, event.at, scene.glyphs))
                .say(format!(" earlier ({})", numbered(log, mate)))
        }
        EventKind::Purge { start, end, num_purged } => purge::record(scene, words, (start, end), num_purged),
        EventKind::Lost { count: 0 } => {
            words.of("The kernel lost records here", Role::Warn).say(" and did not say how many.")
        }
        EventKind::Lost { count } => words
            .of(format!("{} lost here", text::plural(count.into(), "record", "records")), Role::Warn)
            .say(match event.known_cpu() {
                Some(cpu) => format!(" by the ring buffer of CPU {cpu}: from here on the state may differ."),
                None => ": from here on the state may differ.".to_owned(),
            }),
        EventKind::Mark { text } => words
            .of("mark ", Role::Key)
            .say(text::escape(log.names.text(text)))
            .of(". The allocator did nothing.", Role::Muted),
        EventKind::Report { text, .. } => words
            .of("the kernel's log ", Role::Bad)
            .say(text::escape(log.names.text(text)))
            .of(". The allocator did nothing here.", Role::Muted),
        EventKind::Other { name } => words
            .of("event ", Role::Muted)
            .say(text::escape(log.names.text(name)))
            .of(". It is not the allocator's.", Role::Muted),
        EventKind::Script(op) => script::record(scene, op, seq, event),
    }
}

/// The title: the kernel's function behind the record.
pub fn title(scene: &Scene<'_>) -> Vec<Span> {
    let is_list = matches!(scene.replay.plan().machine.policy.rules.free_space, FreeSpace::VmList(_));
    let function = match scene.replay.current().map(|(_, event)| event.kind) {
        Some(EventKind::Alloc { .. }) if is_list => "get_vm_area",
        Some(EventKind::Free { .. }) if is_list => "vfree",
        Some(EventKind::Purge { .. }) if is_list => "",
        Some(EventKind::Alloc { .. } | EventKind::Request { .. } | EventKind::Unasked { .. }) => "alloc_vmap_area",
        Some(EventKind::Free { .. } | EventKind::FreeProbe { .. }) => "free_vmap_area_noflush",
        Some(EventKind::Purge { .. } | EventKind::PurgeEntry { .. } | EventKind::PurgeReturn { .. }) => {
            "__purge_vmap_area_lazy"
        }
        Some(EventKind::NodeDecay { .. }) => "decay_va_pool_node",
        Some(EventKind::NodeReturn { .. }) => "purge_vmap_node",
        Some(EventKind::Script(ScriptOp::Work)) => "drain_vmap_area_work",
        Some(EventKind::Script(ScriptOp::Shrink)) => "vmap_node_shrink_scan",
        _ => "",
    };
    let steps = &scene.replay.outcome().steps;
    let function = stages::first_call(steps).map_or(function, |call| call.name());
    let mut spans = vec![Span::new("step", Role::Title)];
    if !function.is_empty() {
        spans.push(Span::new(format!("  {function}"), Role::Text));
    }
    if let Some(index) = scene.sub_step {
        let n = scene.replay.outcome().steps.len();
        spans.push(Span::new(format!("  {} of {}", (index + 1).min(n), n), Role::Number));
    }
    spans
}
