//! `vmaplens parse`: the records of an input as JSON Lines, or only how many there are.
//!
//! It goes straight from the parsers to the output; nothing of the input is kept but the text itself.

mod lines;
mod object;
mod probe;
mod request;

use std::collections::BTreeMap;
use std::fmt::Write;

use parsers::bpftrace::Bpftrace;
use parsers::ftrace::{Header, Trace};
use parsers::ops::Op;
use parsers::problem::MAX_PROBLEMS;
use parsers::record::Body;
use parsers::report::Report;
use parsers::sniff::Format;
use parsers::stream::{self, Form};
use parsers::{Problem, perf, vmallocinfo};
use serde::Serialize;

use crate::source::formats::{Class, class_of};
use crate::source::stream::Stream;
use crate::source::texts::{self, Found};
use crate::source::{Input, SourceError, snapshot};

use super::args::ParseArgs;
use super::error::CliError;
use super::json::document;
use super::output;
use super::sink::Sink;
use lines::Lines;

/// Version of both outputs.
const SCHEMA: &str = "vmaplens.parse/1";
/// Lines are handed on in pieces of this size.
const FLUSH_BYTES: usize = 256 * 1024;
/// Rows of a `/proc/vmallocinfo` are parsed in pieces of this size: they stay in the cache.
const PIECE_BYTES: usize = 1 << 20;

/// The kinds of records, as `kind` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Alloc,
    Free,
    Purge,
    Lost,
    Marker,
    Stack,
    UserStack,
    AllocEntry,
    AllocReturn,
    FreeEntry,
    PurgeEntry,
    PurgeReturn,
    Probe,
    Failure,
    Other,
    BufferStarted,
    Area,
    Op,
}

impl Kind {
    const WORDS: [&'static str; 18] = [
        "alloc",
        "free",
        "purge",
        "lost",
        "marker",
        "stack",
        "user_stack",
        "alloc_entry",
        "alloc_return",
        "free_entry",
        "purge_entry",
        "purge_return",
        "probe",
        "failure",
        "other",
        "buffer_started",
        "area",
        "op",
    ];

    fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

fn kind_of(body: &Body<'_>) -> Kind {
    match body {
        Body::Alloc(_) => Kind::Alloc,
        Body::Free(_) => Kind::Free,
        Body::Purge(_) => Kind::Purge,
        Body::Lost { .. } => Kind::Lost,
        Body::Marker(_) => Kind::Marker,
        Body::Stack(_) => Kind::Stack,
        Body::UserStack(_) => Kind::UserStack,
        Body::Probe { at, args, .. } => probe::kind(at, args),
        Body::Failure(_) => Kind::Failure,
        Body::Other { .. } => Kind::Other,
        Body::BufferStarted { .. } => Kind::BufferStarted,
    }
}

/// What `--count` tells.
#[derive(Debug, Default)]
struct Tally {
    kinds: [u64; Kind::WORDS.len()],
    size: u128,
    problems: u64,
    /// A parser stopped listing problems.
    more_problems: bool,
}

/// The document of `parse --count --json`.
#[derive(Debug, Serialize)]
struct Count {
    schema: &'static str,
    input: String,
    /// Only kinds that occur.
    kinds: BTreeMap<&'static str, u64>,
    /// Sum of `size` over all records that have one.
    size: u128,
    problems: u64,
    /// `false`: there are more problems than were counted.
    problems_complete: bool,
}

/// Runs the command.
///
/// # Errors
/// The input cannot be read, holds no records, or is damaged and `--strict` was given.
pub fn run(args: &ParseArgs) -> Result<u8, CliError> {
    let input = Input::from_args(&args.input, Input::Live);
    let mut job = Job { args, tally: Tally::default(), sink: None, lines: Lines::default() };
    if !args.count {
        job.sink = Some(Sink::open(args.output.output.as_deref())?);
    }
    match texts::each(&input, args.format.into(), &mut |found| job.found(found)).and_then(|()| job.finish(&input)) {
        Err(error) if error.is_closed_pipe() => Ok(0),
        done => done.map(|()| 0),
    }
}

struct Job<'a> {
    args: &'a ParseArgs,
    tally: Tally,
    /// Where lines go; `None` with `--count`.
    sink: Option<Sink>,
    lines: Lines,
}

impl Job<'_> {
    fn found(&mut self, found: Found<'_>) -> Result<(), CliError> {
        match found {
            Found::Text(text) => self.text(text),
            Found::Problem(found) => self.problems(&found.file, vec![found.problem], 0),
        }
    }

    fn text(&mut self, text: &mut Stream) -> Result<(), CliError> {
        let before = self.tally.records();
        match class_of(text.format) {
            Class::Trace => match text.format {
                Format::TraceCmdReport => self.trace(text, Report::default())?,
                Format::PerfScript => self.trace(text, perf::Script::default())?,
                Format::PerfTrace => self.trace(text, perf::Trace::default())?,
                Format::Bpftrace => self.trace(text, Bpftrace::default())?,
                _ => self.trace(text, Trace::default())?,
            },
            Class::Snapshot => self.snapshot(text)?,
            Class::Script => self.script(text)?,
            Class::Unread => {
                return Err(SourceError::NotReadable { name: text.name.clone(), what: text.format.title() }.into());
            }
        }
        let name = || text.name.clone();
        match text.format {
            _ if before < self.tally.records() => Ok(()),
            Format::Unknown => Err(SourceError::NotReadable { name: name(), what: text.format.title() }.into()),
            Format::Vmallocinfo => Err(SourceError::NoAreas { name: name() }.into()),
            _ => Err(SourceError::NoEvents { name: name(), other: 0 }.into()),
        }
    }

    fn trace(&mut self, text: &mut Stream, mut trace: impl Form) -> Result<(), CliError> {
        let name = text.name.clone();
        let read = if self.args.count {
            stream::read(&mut *text, &mut trace, &mut |record| self.tally.record(&record.body))
        } else {
            let mut flushed = Ok(());
            let mut is_first = true;
            let header = Header::of_head(text.head());
            let read = stream::read(&mut *text, &mut trace, &mut |record| {
                if std::mem::take(&mut is_first) {
                    self.lines.trace_header(&name, &header, record.prefix.as_ref().map(|prefix| prefix.stamp));
                }
                self.tally.record(&record.body);
                self.lines.record(record);
                if flushed.is_ok() {
                    flushed = self.flush(FLUSH_BYTES);
                }
            });
            flushed?;
            self.lines.release();
            read
        };
        read.map_err(|reason| SourceError::Unreadable { name: name.clone(), reason })?;
        if text.format == Format::Unknown && self.tally.records() == 0 {
            // Every line would be named as damaged, and none of them is meant to be a record.
            return Ok(());
        }
        self.problems(&name, trace.finish().1, 0)
    }

    fn snapshot(&mut self, text: &mut Stream) -> Result<(), CliError> {
        let bytes = text.whole()?;
        let name = &text.name;
        let whole = snapshot::unfolded(&bytes);
        for (n, piece) in texts::pieces(&whole, PIECE_BYTES).enumerate() {
            let parsed = vmallocinfo::parse(piece.bytes);
            if n == 0 && !self.args.count {
                self.lines.snapshot_header(name, parsed.pointers);
            }
            for area in &parsed.areas {
                self.tally.add(Kind::Area, area.size);
                if !self.args.count {
                    self.lines.area(area, piece.lines_before);
                    self.flush(FLUSH_BYTES)?;
                }
            }
            self.problems(name, parsed.problems, piece.lines_before)?;
        }
        Ok(())
    }

    fn script(&mut self, text: &mut Stream) -> Result<(), CliError> {
        let bytes = text.whole()?;
        let name = &text.name;
        let script = parsers::ops::parse(&bytes);
        if !self.args.count {
            self.lines.script_header(name, &script.header);
        }
        for op in &script.ops {
            self.tally.add(Kind::Op, if let Op::Alloc { size, .. } = op.op { size } else { 0 });
            if !self.args.count {
                self.lines.op(op);
                self.flush(FLUSH_BYTES)?;
            }
        }
        self.problems(name, script.problems, 0)
    }

    fn flush(&mut self, at: usize) -> Result<(), CliError> {
        let ready = self.lines.ready();
        if let Some(sink) = self.sink.as_mut().filter(|_| at <= ready.len()) {
            sink.write(ready)?;
            self.lines.written();
        }
        Ok(())
    }

    /// Names damaged places on standard error, all that the parser lists.
    fn problems(&mut self, file: &str, problems: Vec<Problem>, lines_before: u32) -> Result<(), CliError> {
        self.tally.problems += problems.len().min(MAX_PROBLEMS) as u64;
        self.tally.more_problems |= MAX_PROBLEMS < problems.len();
        for problem in problems {
            let Problem { column, kind, .. } = problem;
            let line = problem.line.saturating_add(lines_before);
            if self.args.strict {
                return Err(CliError::Strict { file: file.to_owned(), line, column, what: kind.to_string() });
            }
            if !self.args.quiet {
                output::talk(&format!("{file}:{line}:{column}: {kind}"));
            }
        }
        Ok(())
    }

    fn finish(&mut self, input: &Input) -> Result<(), CliError> {
        self.flush(0)?;
        if let Some(sink) = self.sink.take() {
            return sink.finish();
        }
        let count = self.tally.count(input.name());
        let text = if self.args.output.json { document(&count) } else { describe(&count) };
        output::write(&self.args.output, &text)
    }
}

impl Tally {
    fn add(&mut self, kind: Kind, size: u64) {
        self.kinds[kind as usize] += 1;
        self.size += u128::from(size);
    }

    #[inline]
    fn record(&mut self, body: &Body<'_>) {
        let size = match *body {
            Body::Alloc(alloc) => alloc.size,
            Body::Probe { at, args, .. } => probe::size(at, args),
            Body::Failure(failure) => failure.size.unwrap_or(0),
            _ => 0,
        };
        self.add(kind_of(body), size);
    }

    fn records(&self) -> u64 {
        self.kinds.iter().sum()
    }

    fn count(&self, input: String) -> Count {
        let kinds = Kind::WORDS.into_iter().zip(self.kinds).filter(|(_, n)| 0 < *n).collect();
        let Self { size, problems, more_problems, .. } = *self;
        Count { schema: SCHEMA, input, kinds, size, problems, problems_complete: !more_problems }
    }
}

fn describe(count: &Count) -> String {
    let mut out = String::new();
    let more = if count.problems_complete { "" } else { " and more" };
    // Writing to a string cannot fail.
    for word in Kind::WORDS {
        if let Some(n) = count.kinds.get(word) {
            let _ = writeln!(out, "{word:<14} {n:>14}");
        }
    }
    let _ = writeln!(out, "{:<14} {:>14}\n{:<14} {:>14}{more}", "size", count.size, "problems", count.problems);
    out
}
