//! Where model and record part: both placements, and what would have decided it.

use super::facts::{Facts, muted, number, say};
use super::focus::{self, Kind};
use super::line::Line;
use super::script::is_script;
use super::text::{self, Addresses};
use super::{Role, Scene, Span, Target};
use crate::event::{Addr, Seq};
use crate::model::Extent;
use crate::replay::{Cause, Divergence, Verdict};

/// The divergence of a record of a trace; an op of a script has answers to compare instead.
pub(crate) fn of<'a>(scene: &Scene<'a>, seq: Seq) -> Option<&'a Divergence> {
    if is_script(scene.replay.log()) { None } else { scene.replay.plan().divergence(seq) }
}

/// The placement of the current request that is not in the state, and whose it is: the model's own first choice, or of
/// a record that is not believed the record's.
pub(crate) fn other_place(scene: &Scene<'_>) -> Option<(u64, &'static str)> {
    let (seq, _) = scene.replay.current()?;
    let divergence = of(scene, seq)?;
    let (other, whose) = match divergence.verdict {
        Verdict::Adopted(Cause::Impossible) => (divergence.recorded(), "record"),
        _ => (divergence.model(), "model"),
    };
    other.filter(|_| divergence.model() != divergence.recorded()).map(|addr| (addr.0, whose))
}

/// Why it was not exact, in a sentence.
pub(crate) fn because(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Inferred(timing) => Some(timing.because()),
        Verdict::Adopted(cause) | Verdict::Differs(cause) => Some(cause.because()),
        Verdict::Exact | Verdict::NotJudged => None,
    }
}

/// The one further event or fact that would have decided it.
pub(crate) fn decided_by(scene: &Scene<'_>, verdict: Verdict) -> Option<&'static str> {
    let replay = scene.replay;
    let is_exact = matches!(verdict, Verdict::Exact | Verdict::NotJudged);
    if !is_exact && replay.plan().machine.has_foreign_rules(replay.log()) {
        return Some(match replay.plan().machine.policy.layers() {
            None => "the kernel's own rules: those of another era were asked for",
            Some(_) => "nothing: another policy was asked where it would place the area, not the kernel's",
        });
    }
    match verdict {
        Verdict::Inferred(timing) => Some(timing.decided_by()),
        Verdict::Adopted(cause) | Verdict::Differs(cause) => Some(cause.decided_by()),
        Verdict::Exact | Verdict::NotJudged => None,
    }
}

/// Adds both placements with what the model had there, the cause, and what would have decided it.
pub(crate) fn add(facts: &mut Facts<'_, '_>, seq: Seq) {
    let scene = facts.scene;
    let Some(divergence) = of(scene, seq) else { return };
    for (label, addr) in [("recorded", divergence.recorded()), ("model", divergence.model())] {
        let spans = placed(scene, addr);
        facts.add(label, &spans, addr.map(|addr| Target::Address(addr.0)));
    }
    let (sign, word, role) = match divergence.verdict {
        Verdict::Inferred(_) => (scene.glyphs.inferred, "inferred", Role::Warn),
        _ => (scene.glyphs.adopted, "adopted", Role::Bad),
    };
    if let (Some(because), Some(decided_by)) = (because(divergence.verdict), decided_by(scene, divergence.verdict)) {
        facts.add("why", &[Span::new(format!("{sign} {word}: "), role), say(because)], None);
        facts.add("decided", &[muted("by "), say(decided_by)], None);
    }
}

/// An address, and what the model had there before this event.
fn placed(scene: &Scene<'_>, addr: Option<Addr>) -> Vec<Span> {
    let Some(addr) = addr else { return vec![Span::new("no space", Role::Bad)] };
    let mut spans = vec![number(scene.addr(addr.0))];
    let thing = focus::thing_at(scene, scene.replay.before(), addr.0);
    if thing.kind != Kind::Unknown {
        spans.push(muted(", in the model before: "));
        spans.push(Span::new(thing.kind.word(), focus::role_of(thing.kind)));
        // Of a hole only what requests can be given: the last one goes on to the end of the addresses.
        let window = scene.replay.space().allocator().window();
        let inside = Extent::new(window.vstart, window.vend).and_then(|window| window.intersection(thing.extent));
        spans.push(number(format!(" {}", text::bytes(inside.unwrap_or(thing.extent).len_bytes()))));
    }
    spans
}

/// Appends the model's choice to the row of a record that was not exact, where there is room for it.
pub(crate) fn append<'g>(
    scene: &Scene<'_>,
    line: Line<'g>,
    addresses: &Addresses,
    (seq, future): (Seq, bool),
) -> Line<'g> {
    let Some(divergence) = of(scene, seq) else { return line };
    if divergence.model() == divergence.recorded() {
        return line;
    }
    let role = if future { Role::Muted } else { Role::Bad };
    let model = divergence.model().map_or_else(|| "no space".to_owned(), |addr| addresses.short(addr.0));
    let long = format!("  {} model {model}", scene.glyphs.unlike);
    let short = format!(" {}{model}", scene.glyphs.unlike);
    match [long, short].into_iter().find(|words| text::width(words) <= line.room()) {
        Some(words) => line.put(words, role),
        None => line,
    }
}
