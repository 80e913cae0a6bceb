//! Finding records: by what their rows say, or by what the language of breaks says of them.

use std::borrow::Cow;
use std::cell::RefCell;

use parsers::condition::{Condition, Measure, RecordTest};

use super::super::script::{is_script, subject};
use super::super::text;
use super::EventFilter;
use crate::event::{EventKind, Seq};
use crate::insight::{Compiled, Outcome};
use crate::log::{BaselineArea, Log};
use crate::replay::{Replay, Verdict};

/// Letters of a word before it can mean a verdict.
const MIN_WORD: usize = 3;

/// Answers remembered for sizes: traces have few different ones.
const MEMO: usize = 64;

/// What a typed text asks for.
#[derive(Debug, Clone)]
pub enum Query {
    /// Words to be found in a row.
    Words(String),
    /// Something a record is.
    Condition(Box<Condition>),
}

impl Query {
    /// An address in full, or what the language of breaks calls a condition on records; everything else is words.
    pub fn of(text: &str, is_32_bit: bool) -> Self {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex
            && digits.len() == if is_32_bit { 8 } else { 16 }
            && let Ok(addr) = u64::from_str_radix(digits, 16)
        {
            return Self::Condition(Box::new(Condition::Record(RecordTest::Addr(addr))));
        }
        // A word alone is looked for wherever it stands.
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        match parsers::condition::parse(text) {
            Ok(found) if !is_word && found.is_about_records() => Self::Condition(Box::new(found)),
            _ => Self::Words(text.to_owned()),
        }
    }

    /// Why a text that looks like a condition is only words; `None` if it does not, or is one.
    pub fn doubt(text: &str) -> Option<String> {
        let text = text.trim();
        let (first, rest) = text.split_once(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
        let word = parsers::condition::WORDS.iter().find(|word| word.word == first)?;
        match parsers::condition::parse(text) {
            Ok(found) if found.is_about_records() => None,
            Ok(_) => Some(format!("{} is of states: a break runs there", word.word)),
            // What is still being typed is no mistake.
            Err(error) if error.at >= text.len() || rest.trim().is_empty() => None,
            Err(error) => Some(error.what),
        }
    }
}

/// What is looked for.
pub(super) struct Needle {
    text: String,
    /// It has no capitals: capitals do not count.
    fold: bool,
    /// Hex digits, and whether they begin with `0x`.
    hex: Option<(u64, u32, bool)>,
    numeric: bool,
    /// Sizes asked last, and whether they match.
    sizes: RefCell<[Option<(u64, bool)>; MEMO]>,
}

impl Needle {
    /// `None` for an empty text, which would match everything.
    fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let hex = u64::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        (!text.is_empty()).then(|| Self {
            text: text.to_owned(),
            fold: !text.chars().any(char::is_uppercase),
            hex: hex.map(|value| (value, digits.len() as u32, text.starts_with("0x"))),
            numeric: text.starts_with(|c: char| c.is_ascii_digit()),
            sizes: RefCell::new([None; MEMO]),
        })
    }

    fn finds(&self, hay: &str) -> bool {
        if self.fold && hay.chars().any(char::is_uppercase) {
            hay.to_lowercase().contains(&self.text)
        } else {
            hay.contains(&self.text)
        }
    }

    /// Do the digits stand in the address, as it is printed?
    fn finds_addr(&self, addr: u64) -> bool {
        let Some((value, n, at_start)) = self.hex else { return false };
        let width = if u32::try_from(addr).is_ok() { 8 } else { 16 };
        if width < n {
            return false;
        }
        let mask = if n == 16 { u64::MAX } else { (1 << (4 * n)) - 1 };
        let last = width - n;
        let mut places = if at_start { last..=last } else { 0..=last };
        places.any(|place| addr >> (4 * place) & mask == value)
    }

    fn finds_size(&self, size: u64) -> bool {
        if !self.numeric {
            return false;
        }
        let at = (size >> 12) as usize % MEMO;
        let known = self.sizes.borrow()[at];
        match known {
            Some((of, found)) if of == size => found,
            _ => {
                let found = self.finds(&text::bytes(size)) || self.finds(&size.to_string());
                self.sizes.borrow_mut()[at] = Some((size, found));
                found
            }
        }
    }
}

/// A search among the rows of a snapshot.
pub(super) enum AreaMatcher {
    Words(Box<Needle>),
    Condition(Box<Condition>),
}

impl AreaMatcher {
    /// `None` for an empty text, which would match everything.
    pub(super) fn new(text: &str, is_32_bit: bool) -> Option<Self> {
        match Query::of(text, is_32_bit) {
            Query::Words(text) => Needle::new(&text).map(|needle| Self::Words(Box::new(needle))),
            Query::Condition(condition) => Some(Self::Condition(condition)),
        }
    }

    /// Does a row match? Addresses count only if they are real.
    pub(super) fn matches(&self, area: &BaselineArea, real: bool, page_size: u64) -> bool {
        match self {
            Self::Words(needle) => {
                needle.finds(area.kind())
                    || needle.finds(&super::areas::caller(area))
                    || (real && (needle.finds_addr(area.start) || needle.finds_addr(area.end)))
                    || needle.finds_size(area.size)
            }
            Self::Condition(condition) => is_so(condition, area, real, page_size),
        }
    }
}

/// What a row of a snapshot can be asked: where it lies, how large it is, who asked for it.
fn is_so(condition: &Condition, area: &BaselineArea, real: bool, page_size: u64) -> bool {
    let part = |part: &Condition| is_so(part, area, real, page_size);
    match condition {
        Condition::All(parts) => parts.iter().all(part),
        Condition::Any(parts) => parts.iter().any(part),
        Condition::Not(inner) => !part(inner),
        Condition::Record(RecordTest::Addr(addr)) => real && area.start <= *addr && *addr < area.end,
        Condition::Record(RecordTest::Size(comparison, number)) => {
            comparison.holds(u128::from(area.size) * 1_000_000_000, number.billionths_of(Measure::Bytes, page_size))
        }
        Condition::Record(RecordTest::Caller(pattern)) => pattern.matches(area.caller.as_bytes()),
        Condition::Record(_) | Condition::State(..) => false,
    }
}

/// A search made ready: what can be asked once per name is not asked once per record.
pub(super) struct Matcher<'a> {
    words: Option<Words>,
    /// Instead of words: what a record is.
    condition: Option<Cow<'a, Compiled>>,
}

/// Words to be found in a row.
struct Words {
    needle: Needle,
    tasks: Vec<bool>,
    /// Is the word of an exact, inferred, adopted or differing verdict meant?
    verdicts: [bool; 4],
}

impl<'a> Matcher<'a> {
    /// `None` for nothing to look for.
    pub(super) fn new(log: &Log, filter: &'a EventFilter) -> Option<Self> {
        match &filter.condition {
            Some(condition) => Some(Self { words: None, condition: Some(Cow::Borrowed(condition)) }),
            None => Words::new(log, &filter.text).map(|words| Self { words: Some(words), condition: None }),
        }
    }

    /// Of a text, whatever it asks for; looks at the whole log if it has to.
    pub(super) fn of(replay: &Replay, text: &str) -> Option<Self> {
        match Query::of(text, replay.plan().machine.is_32_bit) {
            Query::Words(text) => {
                Words::new(replay.log(), &text).map(|words| Self { words: Some(words), condition: None })
            }
            Query::Condition(condition) => {
                let mut condition = Compiled::new(&condition, replay);
                condition.prepare(replay, usize::MAX);
                Some(Self { words: None, condition: Some(Cow::Owned(condition)) })
            }
        }
    }

    /// Does a record match?
    pub(super) fn matches(&self, replay: &Replay, seq: Seq) -> bool {
        match (&self.condition, &self.words) {
            (Some(condition), _) => condition.is_true_at(replay, seq.index() + 1, None, Outcome::AsRecorded),
            (None, Some(words)) => words.matches(replay, seq),
            (None, None) => false,
        }
    }
}

impl Words {
    /// `None` for an empty text, which would match everything.
    fn new(log: &Log, text: &str) -> Option<Self> {
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
        found(&subject(replay, seq)) || (self.needle.hex.is_none() && replay.plan().answer(seq).is_some_and(found))
    }

    /// Does a record match?
    fn matches(&self, replay: &Replay, seq: Seq) -> bool {
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
