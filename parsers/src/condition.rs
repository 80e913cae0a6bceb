//! Conditions on records and states, as people type them: `failed and (largest_hole < 2M or lazy > 100M)`.
//!
//! ```text
//! condition  = all { ("or" | "||") all }
//! all        = one { ("and" | "&&") one }
//! one        = ("not" | "!") one | "(" condition ")" | test
//! test       = WORD                        failed, lost, mark, divergence …
//!            | "kind" [=|!=] WORD          kind alloc
//!            | "addr" [=|!=] ADDRESS       addr 0xffffc90000004000
//!            | ("task" | "caller") [=|!=] PATTERN
//!            | ("size" | "align" | "cpu") [COMPARISON] NUMBER
//!            | FIGURE COMPARISON NUMBER    largest_hole < 2M
//! ```
//!
//! What a test means is in [`WORDS`]; who evaluates it decides what a record and a state are.

mod grammar;
mod near;
mod number;
mod words;

use std::fmt;

pub use number::{Number, Unit};
pub use words::{WORDS, Word};

/// Bytes of a condition that are read: a line that people type, and an end to what a pasted text can ask for.
pub const MAX_BYTES: usize = 1_000;
/// How deep parentheses and `not` may be nested.
pub const MAX_DEPTH: usize = 32;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Each of them; two at least.
    All(Vec<Self>),
    /// One of them; two at least.
    Any(Vec<Self>),
    /// Not that.
    Not(Box<Self>),
    /// What a record is.
    Record(RecordTest),
    /// What a state amounts to.
    State(Figure, Comparison, Number),
}

/// What can be asked of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordTest {
    /// Its kind, or what was said of it.
    Kind(RecordKind),
    /// Does it touch an area that contains this address?
    Addr(u64),
    /// Bytes asked for, or freed.
    Size(Comparison, Number),
    /// Alignment asked for.
    Align(Comparison, Number),
    /// A function on its stack, or the caller of its area.
    Caller(Pattern),
    /// Name or process id of who was running.
    Task(Pattern),
    /// The CPU that wrote it.
    Cpu(Comparison, u64),
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $case:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $case,)+ }

        impl $name {
            /// All of them, in the order of the help.
            pub const ALL: &[Self] = &[$(Self::$case,)+];

            /// As it is typed.
            pub fn word(self) -> &'static str {
                match self { $(Self::$case => $word,)+ }
            }

            fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word().eq_ignore_ascii_case(word))
            }
        }
    };
}

words! {
    /// Kinds of records, and what the model said of them.
    RecordKind {
        /// A request that failed, or a report of one in the kernel's log.
        Failed = "failed",
        /// An area was placed.
        Alloc = "alloc",
        /// An area was freed.
        Free = "free",
        /// A purge has ended.
        Purge = "purge",
        /// Records were lost before it.
        Lost = "lost",
        /// A marker.
        Mark = "mark",
        /// The kernel's log told of a failure.
        Report = "report",
        /// The model's first answer was another one.
        Divergence = "divergence",
        /// It fits one of the timings that the trace leaves open.
        Inferred = "inferred",
        /// The record was forced into the state.
        Adopted = "adopted",
    }
}

words! {
    /// What a state amounts to.
    Figure {
        /// Bytes of the largest hole inside the range.
        LargestHole = "largest_hole",
        /// Freed pages that are not purged.
        Lazy = "lazy",
        /// Bytes in use.
        Busy = "busy",
        /// Bytes parked in pools.
        Pooled = "pooled",
        /// Bytes of all holes inside the range.
        FreeBytes = "free",
        /// Holes.
        Holes = "holes",
        /// 1 - largest hole / free bytes.
        Fragmentation = "fragmentation",
        /// Page tables that areas have needed.
        PageTables = "page_tables",
        /// Requests refused so far.
        Failures = "failures",
        /// Stamp of the last record.
        Time = "time",
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Bytes; pages are converted.
    Bytes,
    /// Pages; bytes are converted.
    Pages,
    /// Things.
    Count,
    /// A share, 0 to 1.
    Share,
    /// Nanoseconds.
    Time,
}

impl Figure {
    /// What it counts.
    pub fn measure(self) -> Measure {
        match self {
            Self::LargestHole | Self::Busy | Self::Pooled | Self::FreeBytes => Measure::Bytes,
            Self::Lazy => Measure::Pages,
            Self::Holes | Self::PageTables | Self::Failures => Measure::Count,
            Self::Fragmentation => Measure::Share,
            Self::Time => Measure::Time,
        }
    }
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `=`
    Equal,
    /// `!=`
    Unequal,
}

impl Comparison {
    /// Does `left` compare with `right` like that?
    pub fn holds<T: Ord + Copy>(self, left: T, right: T) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left == right,
            Self::Unequal => left != right,
        }
    }

    /// As it is typed.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Equal => "=",
            Self::Unequal => "!=",
        }
    }
}

/// A name with `*` for any letters and `?` for one. Without capitals, capitals do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern of this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Does the whole of `name` match?
    pub fn matches(&self, name: &[u8]) -> bool {
        let fold = !self.0.bytes().any(|byte| byte.is_ascii_uppercase());
        let pattern = self.0.as_bytes();
        // Where the last star stands, and where in the name it was tried to end: going back no further than that is
        // enough, so that the work is bounded by the product of the lengths.
        let (mut p, mut n, mut star) = (0, 0, None);
        while n < name.len() {
            let byte = if fold { name[n].to_ascii_lowercase() } else { name[n] };
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(&wanted) if wanted == b'?' || wanted == byte => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((at, tried)) => {
                        star = Some((at, tried + 1));
                        (p, n) = (at + 1, tried + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }
}

/// Why a text is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// Byte of the text where it ends to make sense.
    pub at: usize,
    /// Bytes there that are wrong; 0 at the end of the text.
    pub len: usize,
    /// What is wrong, as a sentence without a full stop.
    pub what: String,
    /// Words that may be meant, the nearest first.
    pub near: Vec<&'static str>,
}

impl ConditionError {
    /// A line for below the text: `^` at each letter that is wrong.
    pub fn caret(&self, text: &str) -> String {
        let before = text.get(..self.at).map_or(0, |before| before.chars().count());
        let wrong = text.get(self.at..self.at + self.len).map_or(1, |wrong| wrong.chars().count());
        format!("{}{}", " ".repeat(before), "^".repeat(wrong.max(1)))
    }
}

impl fmt::Display for ConditionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if !self.near.is_empty() {
            write!(f, "; near: {}", self.near.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ConditionError {}

/// Reads a condition.
///
/// # Errors
/// Where and why it is none.
pub fn parse(text: &str) -> Result<Condition, ConditionError> {
    grammar::read(text)
}

impl Condition {
    /// Is it about records alone, so that no state has to be made to answer it?
    pub fn is_about_records(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().all(Self::is_about_records),
            Self::Not(inner) => inner.is_about_records(),
            Self::Record(_) => true,
            Self::State(..) => false,
        }
    }

    /// How tightly it binds, for printing.
    fn binds(&self) -> u8 {
        match self {
            Self::Any(_) => 0,
            Self::All(_) => 1,
            Self::Not(_) | Self::Record(_) | Self::State(..) => 2,
        }
    }

    fn write(&self, least: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.binds() < least {
            f.write_str("(")?;
            self.write(0, f)?;
            return f.write_str(")");
        }
        let list = |parts: &[Self], word: &str, f: &mut fmt::Formatter<'_>| {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    f.write_str(word)?;
                }
                part.write(self.binds() + 1, f)?;
            }
            Ok(())
        };
        match self {
            Self::All(parts) => list(parts, " and ", f),
            Self::Any(parts) => list(parts, " or ", f),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.write(2, f)
            }
            Self::Record(test) => write!(f, "{test}"),
            Self::State(figure, comparison, number) => {
                write!(f, "{} {} {number}", figure.word(), comparison.sign())
            }
        }
    }
}

/// As it can be typed again.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(0, f)
    }
}

impl fmt::Display for RecordTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => f.write_str(kind.word()),
            Self::Addr(addr) => write!(f, "addr 0x{addr:x}"),
            Self::Size(comparison, number) => write!(f, "size {} {number}", comparison.sign()),
            Self::Align(comparison, number) => write!(f, "align {} {number}", comparison.sign()),
            Self::Caller(pattern) => write!(f, "caller {pattern}"),
            Self::Task(pattern) => write!(f, "task {pattern}"),
            Self::Cpu(Comparison::Equal, number) => write!(f, "cpu {number}"),
            Self::Cpu(comparison, number) => write!(f, "cpu {} {number}", comparison.sign()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.chars().all(grammar::is_bare) && !self.0.starts_with(['=', '!', '<', '>']) {
            f.write_str(&self.0)
        } else {
            write!(f, "\"{}\"", self.0)
        }
    }
}
