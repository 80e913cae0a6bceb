//! What the panes say of an op script: whose op it is, what it came to, and what was expected.
//!
//! A script has neither times nor tasks. Its records are ops, and each has one line of answer.

use super::facts::{Facts, muted, number, say};
use super::{Role, Scene, Span, text};
use crate::event::{Event, Seq};
use crate::log::{InputKind, Log};
use crate::model::{AddressSpace, Answer, Step};
use crate::replay::{Replay, Verdict};
use parsers::ops::Op as Asked;

/// Is the input an op script?
pub(crate) fn is_script(log: &Log) -> bool {
    log.origin.kind == InputKind::Script
}

/// What a record is called: of a script, an op.
pub(crate) fn noun(log: &Log) -> &'static str {
    if is_script(log) { "op" } else { "event" }
}

/// What all records together are called.
pub(crate) fn whole(log: &Log) -> &'static str {
    if is_script(log) { "script" } else { "trace" }
}

/// `event 2,670`, as the header counts.
pub(crate) fn numbered(log: &Log, seq: Seq) -> String {
    format!("{} {}", noun(log), text::count(u64::from(seq.0) + 1))
}

/// `kworker/0:1-11 on CPU 0`; of a script `id 12 on CPU 0`, or nothing where an op has neither.
pub(crate) fn who(replay: &Replay, seq: Seq, event: &Event) -> Option<String> {
    let log = replay.log();
    if !is_script(log) {
        return Some(format!("{}{}", text::task(log.names.task(event.task)), text::on_cpu(event)));
    }
    match replay.asked(seq)? {
        Asked::Alloc { id, cpu, .. } | Asked::Free { id, cpu } => Some(format!("id {id} on CPU {cpu}")),
        Asked::Request(request) => request.id().map(|id| format!("id {id} on CPU {}", request.cpu())),
        _ => None,
    }
}

/// What an op is about, for a column of a list: `id 12`.
pub(crate) fn subject(replay: &Replay, seq: Seq) -> String {
    let id = match replay.asked(seq) {
        Some(Asked::Alloc { id, .. } | Asked::Free { id, .. }) => Some(*id),
        Some(Asked::Request(request)) => request.id(),
        _ => None,
    };
    id.map_or_else(String::new, |id| format!("id {id}"))
}

/// What a record is called in a list: a request by its entry point, everything else by its kind.
pub(crate) fn word(replay: &Replay, seq: Seq, event: &Event) -> &'static str {
    match replay.asked(seq) {
        Some(Asked::Request(request)) => request.word(),
        _ => event.kind.word(),
    }
}

/// The state in which the current event's search was in vain: of a script the request purges and searches again within
/// one op, so that it is the one after it.
pub(crate) fn searched<'a>(scene: &Scene<'a>) -> &'a AddressSpace {
    if is_script(scene.replay.log()) { scene.replay.space() } else { scene.replay.before() }
}

/// Is step `index` of the current event part of a search that a purge came before?
pub(crate) fn is_behind_purge(scene: &Scene<'_>, index: usize) -> bool {
    scene.replay.outcome().steps.iter().take(index).any(|step| matches!(step, Step::PurgeEnded { .. }))
}

/// Did the current op's first attempt fail, so that it purged and tried again?
pub(crate) fn tried_again(scene: &Scene<'_>) -> bool {
    let attempts = scene.replay.outcome().answers.iter();
    is_script(scene.replay.log())
        && attempts.filter(|answer| matches!(answer, Answer::Placed(_) | Answer::Refused(_))).count() > 1
}

/// The model's answer and the expected one: of long answers the lines that differ first.
pub(crate) struct Sides {
    pub(crate) model: String,
    pub(crate) expected: String,
    /// The line of a long answer in which they differ, from 1.
    pub(crate) line: Option<usize>,
}

/// Both answers to the current op; `None` in a trace, and where nothing is expected.
pub(crate) fn sides(scene: &Scene<'_>) -> Option<Sides> {
    let (seq, _) = scene.replay.current()?;
    let expected = scene.replay.log().script.as_ref()?.expected.as_ref()?;
    let model = scene.replay.answer_in_full()?;
    let expected = expected.answer(seq.index()).unwrap_or_default();
    let same = model.split_inclusive('\n').zip(expected.split_inclusive('\n')).take_while(|(a, b)| a == b).count();
    let differs = model != expected;
    let at = if differs { same } else { 0 };
    let line = |text: &str| match text.lines().nth(at) {
        None => "nothing".to_owned(),
        // Only its end is missing.
        Some(line) if differs && !text.ends_with('\n') && text.lines().count() == at + 1 => {
            format!("{} (cut off)", text::escape(line.as_bytes()))
        }
        Some(line) => text::escape(line.as_bytes()),
    };
    let long = differs && (model.lines().count() > 1 || expected.lines().count() > 1);
    Some(Sides { model: line(&model), expected: line(expected), line: long.then_some(at + 1) })
}

/// Adds the answer to the current op, and the expected one below it.
pub(crate) fn add_answers(facts: &mut Facts<'_, '_>, seq: Seq) {
    let scene = facts.scene;
    let replay = scene.replay;
    let Some(script) = &replay.log().script else { return };
    let glyphs = scene.glyphs;
    let Some(sides) = sides(scene) else {
        let answer = replay.plan().answer(seq).unwrap_or_default();
        facts.add("answer", &[number(text::escape(answer.as_bytes()))], None);
        // A lesson has nothing to be compared with.
        if script.lesson.is_none() {
            facts.add("expected", &[muted("not known: no FILE.out beside the script, no --expect")], None);
        }
        return;
    };
    let differs = matches!(replay.verdict(seq), Verdict::Differs(_));
    let role = if differs { Role::Bad } else { Role::Number };
    let mut model = vec![Span::new(sides.model, role)];
    if let Some(line) = sides.line {
        model.push(muted(format!("  (line {} of it)", text::count(line as u64))));
    }
    facts.add("model", &model, None);
    let from = script.expected.as_ref().map(|expected| (expected.name.clone(), expected.line(seq.index())));
    let mut expected = vec![Span::new(sides.expected, if differs { Role::Good } else { Role::Number })];
    if let Some((name, line)) = from {
        let line = u64::from(line) + sides.line.map_or(0, |line| line as u64 - 1);
        expected.push(muted(format!("  {name}:{line}")));
    }
    let sign = if differs { (glyphs.adopted, Role::Bad) } else { (glyphs.exact, Role::Good) };
    expected.push(Span::new(format!("  {}", sign.0), sign.1));
    facts.add("expected", &expected, None);
}

/// What the script is, for the header: `op script, era 6.12`.
pub(crate) fn title(log: &Log) -> Option<String> {
    let script = log.script.as_ref()?;
    Some(match &script.header.era {
        Some(era) => format!("op script, era {}", text::escape(era.as_bytes())),
        None => "op script, era not named".to_owned(),
    })
}

/// What its answers are compared with, for the header.
pub(crate) fn compared_with(log: &Log) -> Option<String> {
    let script = log.script.as_ref()?;
    Some(match &script.expected {
        Some(expected) => format!("against {}", expected.name),
        // Written to be read.
        None if !script.notes.is_empty() => return None,
        None => "nothing to compare with".to_owned(),
    })
}

/// When an op came, for facts: its number and its line.
pub(crate) fn when(log: &Log, seq: Seq, event: &Event) -> Vec<Span> {
    vec![number(numbered(log, seq)), say(format!(", line {}", text::count(event.line.into())))]
}
