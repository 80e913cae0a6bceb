//! Damaged places of an input, told so that a person can find them.

use std::fmt;

/// How many problems a parser keeps; a file that is no trace at all would otherwise cost more memory
/// in problems than it has bytes.
pub const MAX_PROBLEMS: usize = 4096;

/// One damaged place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, counted from 1.
    pub line: u32,
    /// Byte within the line, counted from 1.
    pub column: u32,
    /// Byte offset of the line's start in the input.
    pub offset: u64,
    /// What is wrong there and what was done about it.
    pub kind: ProblemKind,
}

/// What is wrong at a place. Prints as one lower-case sentence that says what was done as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// A line that is no event, header or continuation.
    NotAnEvent,
    /// A vmalloc event whose fields cannot be read; the event's name.
    BrokenEvent(&'static str),
    /// The input stops inside its last line.
    CutOff,
    /// A line longer than [`crate::stream::MAX_LINE`].
    LineTooLong,
    /// The kernel replaced an event by `[LINE TOO BIG]`.
    LineTooBig,
    /// Stack frames without the line that says whose they are.
    StrayFrames,
    /// Two ways to tell the task's name from the rest of the line.
    AmbiguousPrefix,
    /// The trace was printed with an option (`raw`, `hex`, `bin`) that leaves out the values.
    TraceOption(&'static str),
    /// Text of perf script whose columns leave out which event it is, or what it says.
    PerfColumns,
    /// An event that is older than what had to be handed out before it.
    TooLate,
    /// A line that is no row of vmallocinfo.
    NotARow,
    /// A row without a readable size.
    BrokenRow,
    /// A row with a word that no kernel we know prints; the word.
    UnknownWord(String),
    /// A row whose size is not the distance of its addresses.
    SizeMismatch,
    /// Text before a row: a quote mark, a prompt, a log's time.
    TextBeforeRow,
    /// A row in another spelling: upper case, no `0x`, blanks around the dash.
    Respelt,
    /// A row that was broken into several lines.
    Rejoined,
    /// Several rows on one line.
    SplitRows,
    /// A start address that was cut; computed from end and size.
    StartComputed,
    /// A size that was cut; computed from the addresses.
    SizeComputed,
    /// A row of a dialect that does not tell how large this area is.
    SizeUntold,
    /// A message about a failed allocation whose numbers cannot be read.
    BrokenFailure,
    /// An op or header that is not known; the word.
    UnknownOp(String),
    /// An op or header with missing, surplus or unreadable fields; its word.
    BrokenOp(String),
    /// A direction of a note that is not known; the word.
    UnknownDirection(String),
    /// A direction of a note that cannot be followed; its word.
    BrokenDirection(String),
    /// Directions for a place at which nothing is told.
    SilentNote,
    /// A note behind the last op.
    StrayNote,
    /// A script is for a kernel whose allocator is not known; what it calls it, and what was taken instead.
    UnknownEra(String, &'static str),
    /// A line of an allocator state that cannot be read.
    BrokenState,
    /// An allocator state that contradicts itself or its snapshot: what, and what was done.
    StateFlaw(String),
    /// What a file is packed in is damaged: what is wrong, and what was done.
    Container(String),
    /// One half of a probed call.
    Unpaired(Unpaired),
    /// A probe that does not fetch the arguments it would have to; the probed function.
    PoorProbe(&'static str),
    /// A damaged place of a binary recording.
    Dat(crate::trace_dat::DatDamage),
    /// More problems than [`MAX_PROBLEMS`]; the rest is not listed.
    More,
}

/// A half of a probed call whose other half was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unpaired {
    /// A request without its answer.
    Request,
    /// The answer to a request that was not seen.
    Answer,
    /// The same, and the answer is a failure.
    Failure,
    /// A purge that began.
    PurgeEntry,
    /// A purge that ended.
    PurgeReturn,
}

impl Unpaired {
    fn sentence(self) -> &'static str {
        match self {
            Self::Request => "no return of alloc_vmap_area was recorded for this request, it was kept without effect",
            Self::Answer => "the request behind this return was not recorded, its area was taken as it lies",
            Self::Failure => "the request behind this failure was not recorded, it was kept without effect",
            Self::PurgeEntry => "no return of this purge was recorded, it was taken to end where it began",
            Self::PurgeReturn => "repaired: the beginning of this purge was not recorded, its end is enough",
        }
    }
}

impl ProblemKind {
    /// Whether the damage was repaired, so that nothing is missing from the records.
    pub fn is_repair(&self) -> bool {
        matches!(
            self,
            Self::AmbiguousPrefix
                | Self::TooLate
                | Self::UnknownWord(_)
                | Self::SizeMismatch
                | Self::TextBeforeRow
                | Self::Respelt
                | Self::Rejoined
                | Self::SplitRows
                | Self::StartComputed
                | Self::SizeComputed
                | Self::SizeUntold
                | Self::StateFlaw(_)
                | Self::Unpaired(Unpaired::PurgeReturn)
        )
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::BrokenEvent(name) => return write!(f, "the fields of {name} cannot be read, skipped"),
            Self::TraceOption(name) => {
                return write!(
                    f,
                    "printed with the trace option {name}, which leaves the values out, skipped: \
                     switch it off (echo 0 > options/{name}) and read the trace again"
                );
            }
            Self::Container(flaw) => return f.write_str(flaw),
            Self::UnknownWord(word) => return write!(f, "repaired: the unknown word {word:?} was left out of the row"),
            Self::UnknownOp(word) => return write!(f, "no op or header is called {word:?}, skipped"),
            Self::BrokenOp(word) => return write!(f, "the fields of {word:?} cannot be read, skipped"),
            Self::UnknownDirection(word) => return write!(f, "no direction of a note is called {word:?}, skipped"),
            Self::BrokenDirection(word) => {
                return write!(f, "the direction {word:?} of this note cannot be followed, skipped");
            }
            Self::StateFlaw(what) => return write!(f, "repaired: {what}"),
            Self::PoorProbe(function) => {
                return write!(f, "the probes of {function} like this one fetch too little, kept as foreign events");
            }
            Self::Dat(damage) => return damage.fmt(f),
            Self::Unpaired(half) => half.sentence(),
            Self::UnknownEra(era, taken) => {
                return write!(f, "no allocator is known for era {era:?}, run under {taken} instead");
            }
            Self::NotAnEvent => "this line is no trace event, skipped",
            Self::CutOff => "the input stops inside this line, skipped",
            Self::LineTooLong => "this line is longer than 1 MiB, skipped",
            Self::PerfColumns => {
                "printed without the events' names or arguments, which cannot be used, skipped: \
                 run perf script --ns -F comm,pid,tid,cpu,time,event,ip,sym,symoff,trace"
            }
            Self::TooLate => "repaired: this event comes too late to be put in order, it was kept where it lies",
            Self::LineTooBig => "the kernel could not print this event (line too big), skipped",
            Self::StrayFrames => "stack frames without an event before them, skipped",
            Self::AmbiguousPrefix => {
                "repaired: the task name looks like a line prefix, the last possible split was taken"
            }
            Self::NotARow => "this line is no row of vmallocinfo, skipped",
            Self::BrokenRow => "this row cannot be read, skipped",
            Self::SizeMismatch => "repaired: size and addresses of this row disagree, the row was kept as it is",
            Self::TextBeforeRow => "repaired: text before the row was left out",
            Self::Respelt => "repaired: the addresses are spelt in another way than the kernel does",
            Self::Rejoined => "repaired: the row was broken into several lines",
            Self::SplitRows => "repaired: several rows stood on one line",
            Self::StartComputed => "repaired: the start address was cut and was computed from end and size",
            Self::SizeComputed => "repaired: the size was cut and was computed from the addresses",
            Self::SizeUntold => "repaired: how large this area is was not told, only its place was kept",
            Self::BrokenFailure => "the numbers of this failure message cannot be read, skipped",
            Self::SilentNote => "directions for a stop without a text, skipped",
            Self::StrayNote => "no op follows this note, so it is never told",
            Self::BrokenState => "this line of the allocator state cannot be read, skipped",
            Self::More => "there are more problems than are listed",
        };
        f.write_str(text)
    }
}

/// Collects problems up to [`MAX_PROBLEMS`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Problems {
    list: Vec<Problem>,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.list.len() < MAX_PROBLEMS {
            self.list.push(problem);
        } else if self.list.len() == MAX_PROBLEMS {
            self.list.push(Problem { kind: ProblemKind::More, ..problem });
        }
    }

    pub(crate) fn list(&self) -> &[Problem] {
        &self.list
    }

    pub(crate) fn into_list(self) -> Vec<Problem> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_one_sentence() {
        for kind in [
            ProblemKind::NotAnEvent,
            ProblemKind::BrokenEvent("alloc_vmap_area"),
            ProblemKind::TraceOption("hex"),
            ProblemKind::UnknownWord("lowmem".into()),
            ProblemKind::StateFlaw("areas overlap, the first one was kept".into()),
            ProblemKind::PoorProbe("alloc_vmap_area"),
            ProblemKind::SizeUntold,
            ProblemKind::BrokenFailure,
            ProblemKind::Unpaired(Unpaired::Request),
            ProblemKind::Unpaired(Unpaired::PurgeReturn),
            ProblemKind::More,
        ] {
            let text = kind.to_string();
            assert!(text.starts_with(|c: char| c.is_ascii_lowercase()), "{text}");
            assert!(!text.ends_with('.'), "{text}");
            assert_eq!(text.starts_with("repaired: "), kind.is_repair(), "{text}");
        }
    }

    #[test]
    fn the_list_is_bounded_and_says_so() {
        let mut problems = Problems::default();
        for line in 0..10_000 {
            problems.push(Problem { line, column: 1, offset: 0, kind: ProblemKind::NotAnEvent });
        }
        assert_eq!(problems.list().len(), MAX_PROBLEMS + 1);
        assert_eq!(problems.into_list().last().map(|p| p.kind.clone()), Some(ProblemKind::More));
    }
}
