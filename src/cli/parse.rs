//! `vmaplens parse`: the records of an input as JSON Lines, or only how many there are.
//!
//! It goes straight from the parsers to the output; nothing of the input is kept but the text itself.

mod count;
mod lines;
mod probe;
mod request;

use std::cell::Cell;
use std::io::{IsTerminal, Read};

use parsers::bpftrace::Bpftrace;
use parsers::ftrace::{Header, Trace};
use parsers::ops::Op;
use parsers::problem::MAX_PROBLEMS;
use parsers::record::{Body, Record};
use parsers::report::Report;
use parsers::sniff::Format;
use parsers::stream::{self, Form};
use parsers::vmallocinfo::{self, Reader as Rows};
use parsers::{Problem, dmesg, listing, perf};

use crate::log::FileProblem;
use crate::source::dat;
use crate::source::formats::{Class, class_of};
use crate::source::stream::Stream;
use crate::source::texts::{self, Found};
use crate::source::{Input, SourceError};
use crate::view::text::count;

use super::args::ParseArgs;
use super::error::CliError;
use super::json::document;
use super::output;
use super::sink::Sink;
use count::{Tally, describe};
use lines::Lines;

/// Version of both outputs.
const SCHEMA: &str = "vmaplens.parse/1";
/// Damaged places of one file named on standard error without `--problems`.
const PROBLEMS_SHOWN: usize = 20;
/// Lines are handed on in pieces of this size.
const FLUSH_BYTES: usize = 256 * 1024;

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

/// Runs the command.
///
/// # Errors
/// The input cannot be read, holds no records, or is damaged and `--strict` was given.
pub fn run(args: &ParseArgs) -> Result<u8, CliError> {
    let input = Input::from_args(&args.input, Input::Live);
    let mut job =
        Job { args, tally: Tally::default(), sink: None, lines: Lines::default(), failed: None, damage: None };
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
    /// Why lines can be written no more.
    failed: Option<CliError>,
    /// The first damaged place.
    damage: Option<FileProblem>,
}

/// A text that ends when nobody reads what becomes of it.
struct WhileOpen<'a> {
    text: &'a mut Stream,
    is_open: &'a Cell<bool>,
}

impl Read for WhileOpen<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.is_open.get() { self.text.read(buf) } else { Ok(0) }
    }
}

fn found(file: &str, problem: &Problem) -> FileProblem {
    FileProblem { file: file.to_owned(), problem: problem.clone() }
}

impl Job<'_> {
    fn found(&mut self, found: Found<'_>) -> Result<(), CliError> {
        match found {
            Found::Text(text) => self.text(text),
            Found::Problem(found) => self.problems(&found.file, &[found.problem]),
        }
    }

    fn text(&mut self, text: &mut Stream) -> Result<(), CliError> {
        let before = self.tally.records();
        if let Some(doubt) = text.doubt.filter(|_| !self.args.quiet) {
            output::talk(&format!("note: {} {doubt}: --format decides", text.name));
        }
        match class_of(text.format) {
            Class::Trace | Class::Log => self.recording(text)?,
            Class::Binary => self.binary(text)?,
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
            Format::Vmallocinfo | Format::Listing(_) => Err(SourceError::NoAreas { name: name() }.into()),
            Format::KernelLog if 1 < self.args.input.len() => {
                if !self.args.quiet {
                    output::talk(&format!("note: {} tells of no failed vmalloc request", text.name));
                }
                Ok(())
            }
            Format::KernelLog => Err(SourceError::NoFailures { name: name() }.into()),
            _ => {
                // What has been said just now need not be said again, but it is the reason.
                let damage = self.damage.as_slice();
                Err(SourceError::no_events(&name(), 0, damage).into())
            }
        }
    }

    fn recording(&mut self, text: &mut Stream) -> Result<(), CliError> {
        match text.format {
            Format::TraceCmdReport => self.trace(text, Report::default()),
            Format::PerfScript => self.trace(text, perf::Script::default()),
            Format::PerfTrace => self.trace(text, perf::Trace::default()),
            Format::Bpftrace => self.trace(text, Bpftrace::default()),
            Format::KernelLog => self.trace(text, dmesg::Log::default()),
            _ => self.trace(text, Trace::default()),
        }
    }

    fn trace(&mut self, text: &mut Stream, mut trace: impl Form) -> Result<(), CliError> {
        let name = text.name.clone();
        let read = if self.args.count {
            stream::read(&mut *text, &mut trace, &mut |record| self.tally.record(&record.body))
        } else {
            let mut is_first = true;
            let header = Header::of_head(text.head());
            let format = text.format;
            let is_open = Cell::new(true);
            let source = WhileOpen { text: &mut *text, is_open: &is_open };
            stream::read(source, &mut trace, &mut |record| {
                if std::mem::take(&mut is_first) {
                    self.lines.trace_header(&name, format, &header, record.prefix.as_ref().map(|prefix| prefix.stamp));
                }
                is_open.set(self.record(record));
            })
        };
        self.written()?;
        read.map_err(|reason| SourceError::Unreadable { name: name.clone(), reason })?;
        if text.format == Format::Unknown && self.tally.records() == 0 {
            // Every line would be named as damaged, and none of them is meant to be a record.
            return Ok(());
        }
        self.problems(&name, &trace.finish().1)
    }

    fn binary(&mut self, text: &mut Stream) -> Result<(), CliError> {
        let name = text.name.clone();
        let mut is_first = !self.args.count;
        let (_, problems) = dat::read(text, &mut |record| {
            if std::mem::take(&mut is_first) {
                self.lines.dat_header(&name, record.prefix.as_ref().map(|prefix| prefix.stamp));
            }
            self.record(record);
        })?;
        self.written()?;
        self.problems(&name, &problems)
    }

    /// Counts a record and writes its line; `false` if nobody reads on.
    fn record(&mut self, record: &Record<'_>) -> bool {
        self.tally.record(&record.body);
        self.write(|lines| lines.record(record))
    }

    fn area(&mut self, area: &vmallocinfo::Area<'_>) {
        self.tally.add(Kind::Area, area.size);
        self.write(|lines| lines.area(area));
    }

    /// Writes a line, unless there are none to write or they can be written no more.
    fn write(&mut self, line: impl FnOnce(&mut Lines)) -> bool {
        if self.sink.is_some() && self.failed.is_none() {
            line(&mut self.lines);
            self.failed = self.flush(FLUSH_BYTES).err();
        }
        self.failed.is_none()
    }

    /// Whether all lines of a text could be written.
    fn written(&mut self) -> Result<(), CliError> {
        self.lines.release();
        self.failed.take().map_or(Ok(()), Err)
    }

    fn snapshot(&mut self, text: &mut Stream) -> Result<(), CliError> {
        let name = text.name.clone();
        if let Format::Listing(dialect) = text.format {
            let bytes = text.whole()?;
            let parsed = listing::parse(dialect, &bytes);
            if !self.args.count {
                self.lines.snapshot_header(&name, text.format, parsed.pointers);
            }
            parsed.areas.iter().for_each(|area| self.area(area));
            self.written()?;
            return self.problems(&name, &parsed.problems);
        }
        let mut rows = Rows::new();
        if self.args.count {
            let tally = &mut self.tally;
            let read = stream::windows(text, Rows::starts_row, |window| {
                rows.window(window, &mut |area| tally.add(Kind::Area, area.size))
            });
            read.map_err(|reason| SourceError::Unreadable { name: name.clone(), reason })?;
        } else {
            let bytes = text.whole()?;
            // What the address columns show is known at the end only.
            self.lines.snapshot_header(&name, text.format, vmallocinfo::parse(&bytes).pointers);
            rows.read(&bytes, &mut |area| self.area(area));
            self.written()?;
        }
        self.problems(&name, &rows.finish().1)
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
            self.write(|lines| lines.op(op));
        }
        self.written()?;
        self.problems(name, &script.problems)
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
    fn problems(&mut self, file: &str, problems: &[Problem]) -> Result<(), CliError> {
        self.tally.problems += problems.len().min(MAX_PROBLEMS) as u64;
        self.tally.more_problems |= MAX_PROBLEMS < problems.len();
        self.damage = self.damage.take().or_else(|| problems.first().map(|first| found(file, first)));
        if let Some(first) = problems.first().map(|first| found(file, first)).filter(|_| self.args.strict) {
            return Err(CliError::Strict { place: first.place(), what: first.problem.kind.to_string() });
        }
        if self.args.quiet {
            return Ok(());
        }
        // A script counts them; a person at a terminal wants to see what came before them.
        let is_person = std::io::stderr().is_terminal();
        let shown = if self.args.problems || !is_person { problems.len() } else { PROBLEMS_SHOWN };
        for problem in problems.iter().take(shown) {
            output::talk_problem(&found(file, problem));
        }
        if shown < problems.len() {
            let (more, all) = (problems.len() - shown, if problems.len() <= MAX_PROBLEMS { "" } else { " and others" });
            output::talk(&format!("{file}: … and {} more problems{all}: --problems names them", count(more as u64)));
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
