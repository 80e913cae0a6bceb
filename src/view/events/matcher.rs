//! Finding records by what their rows say.

use super::super::script::{is_script, subject};
use super::super::text;
use crate::event::{EventKind, Seq};
use crate::log::{BaselineArea, Log};
use crate::replay::{Replay, Verdict};

/// Letters of a word before it can mean a verdict.
const MIN_WORD: usize = 3;

/// What is looked for.
struct Needle {
    text: String,
    /// It has no capitals: capitals do not count.
    fold: bool,
    hex: bool,
    numeric: bool,
}

impl Needle {
    /// `None` for an empty text, which would match everything.
    fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        (!text.is_empty()).then(|| Self {
            text: text.to_owned(),
            fold: !text.chars().any(char::is_uppercase),
            hex: digits.chars().all(|c| c.is_ascii_hexdigit()),
            numeric: text.starts_with(|c: char| c.is_ascii_digit()),
        })
    }

    fn finds(&self, hay: &str) -> bool {
        if self.fold && hay.chars().any(char::is_uppercase) {
            hay.to_lowercase().contains(&self.text)
        } else {
            hay.contains(&self.text)
        }
    }

    fn finds_addr(&self, addr: u64) -> bool {
        self.hex && text::addr(addr, u32::try_from(addr).is_ok()).contains(&self.text.to_lowercase())
    }

    fn finds_size(&self, size: u64) -> bool {
        self.numeric && (self.finds(&text::bytes(size)) || self.finds(&size.to_string()))
    }
}

/// A search among the rows of a snapshot.
pub(super) struct AreaMatcher(Needle);

impl AreaMatcher {
    /// `None` for an empty text, which would match everything.
    pub(super) fn new(text: &str) -> Option<Self> {
        Needle::new(text).map(Self)
    }

    /// Does a row match? Addresses count only if they are real.
    pub(super) fn matches(&self, area: &BaselineArea, real: bool) -> bool {
        let needle = &self.0;
        needle.finds(area.kind())
            || needle.finds(&super::areas::caller(area))
            || (real && (needle.finds_addr(area.start) || needle.finds_addr(area.end)))
            || needle.finds_size(area.size)
    }
}

/// A search made ready: what can be asked once per name is not asked once per record.
pub(super) struct Matcher {
    needle: Needle,
    tasks: Vec<bool>,
    /// Is the word of an exact, inferred, adopted or differing verdict meant?
    verdicts: [bool; 4],
}

impl Matcher {
    /// `None` for an empty text, which would match everything.
    pub(super) fn new(log: &Log, text: &str) -> Option<Self> {
        let needle = Needle::new(text)?;
        let tasks = log.names.tasks().iter().map(|task| needle.finds(&text::task(task))).collect();
        // Shorter ones are hex digits or parts of other words.
        let is_word = needle.text.len() >= MIN_WORD;
        let verdicts = ["exact", "inferred", "adopted", "differs"].map(|word| is_word && needle.finds(word));
        Some(Self { needle, tasks, verdicts })
    }

    /// Does what the model said of a record match? Causes and timings by their names; a word from the middle of one
    /// ("purge") means the records of that kind.
    fn finds_verdict(&self, verdict: Verdict) -> bool {
        let [exact, inferred, adopted, differs] = self.verdicts;
        let text = &self.needle.text;
        let named = |name: &str| {
            text.len() >= MIN_WORD && (name.starts_with(text) || (text.contains('-') && name.contains(text)))
        };
        match verdict {
            Verdict::NotJudged => false,
            Verdict::Exact => exact,
            Verdict::Inferred(timing) => inferred || named(timing.name()),
            Verdict::Adopted(cause) => adopted || named(cause.name()),
            Verdict::Differs(cause) => differs || named(cause.name()),
        }
    }

    /// Does the id of an op or its answer match? Hex digits are looked for where addresses are.
    fn finds_answer(&self, replay: &Replay, seq: Seq) -> bool {
        let found = |text: &str| self.needle.finds(text);
        found(&subject(replay, seq)) || (!self.needle.hex && replay.plan().answer(seq).is_some_and(found))
    }

    /// Does a record match?
    pub(super) fn matches(&self, replay: &Replay, seq: Seq) -> bool {
        let log = replay.log();
        let Some(event) = log.get(seq) else { return false };
        let needle = &self.needle;
        if self.finds_verdict(replay.verdict(seq))
            || (is_script(log) && self.finds_answer(replay, seq))
            || self.tasks.get(event.task.0 as usize).copied().unwrap_or(false)
            || needle.finds(event.kind.word())
        {
            return true;
        }
        match event.kind {
            EventKind::Alloc { addr, size, align, failed, .. } => {
                (!failed && needle.finds_addr(addr.0))
                    || needle.finds_size(size)
                    || (align > 1 && needle.finds_size(align))
            }
            EventKind::Request { size, align, .. } => {
                needle.finds_size(size) || (align > 1 && needle.finds_size(align))
            }
            EventKind::Free { addr, .. } => needle.finds_addr(addr.0),
            EventKind::Unasked { addr, end } | EventKind::FreeProbe { addr, end } => {
                needle.finds_addr(addr.0) || (addr < end && needle.finds_size(end.0 - addr.0))
            }
            EventKind::Purge { start, end, .. } | EventKind::PurgeEntry { start, end } => {
                needle.finds_addr(start.0) || needle.finds_addr(end.0)
            }
            EventKind::PurgeReturn { .. }
            | EventKind::NodeDecay { .. }
            | EventKind::NodeReturn { .. }
            | EventKind::Lost { .. }
            | EventKind::Script(_) => false,
            EventKind::Mark { text } => needle.finds(&text::escape(log.names.text(text))),
            EventKind::Report { size, text } => {
                needle.finds_size(size) || needle.finds(&text::escape(log.names.text(text)))
            }
            EventKind::Other { name } => needle.finds(&text::escape(log.names.text(name))),
        }
    }
}
