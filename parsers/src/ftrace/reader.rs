//! The walk over the lines of a trace.

mod calls;

use super::body::{self, Shape};
use super::graph::{self, Running};
use super::lines::{buffer_started, log_text, lost, prefixed};
use super::{Header, fast, header, prefix, refused, stack};
use crate::lex::{self, Line, Lines, column, trim};
use crate::problem::Problems;
use crate::record::{Body, Prefix, Record};
use crate::stream::{Form, MAX_LINE, Window, too_long};
use crate::walk;
use crate::{Problem, ProblemKind};

/// Reads trace text event by event.
///
/// ```
/// let text = b"    kworker/0:1-14      [000] .....     5.507958: free_vmap_area_noflush: va_start=0x5000 nr_lazy=95 nr_lazy_max=16384\n";
/// let mut reader = parsers::ftrace::Reader::new(text);
/// assert!(reader.next().is_some_and(|record| matches!(record.body, parsers::record::Body::Free(free) if free.nr_lazy == 95)));
/// assert!(reader.next().is_none() && reader.problems().is_empty());
/// ```
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    input: &'a [u8],
    /// Where `input` begins, if it is a window of something larger.
    base: u64,
    lines: Lines<'a>,
    state: Trace,
}

/// The form of ftrace text: what is known at one place of an input, and what was damaged before it.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    header: Header,
    is_past_header: bool,
    layout: Layout,
    in_log: bool,
    running: Running,
    problems: Problems,
    memo: fast::Memo,
    /// Every line goes through the general grammar.
    is_slow: bool,
}

impl Trace {
    /// Reads every line by the general grammar, which gives the same: the other side of tests and benches.
    pub fn without_fast_path() -> Self {
        Self { is_slow: true, ..Self::default() }
    }

    /// A line has a prefix. A marker's text may look like such a line: what a trace is otherwise stays what it is.
    #[inline]
    fn seen_prefix(&mut self) {
        let stays = match self.layout {
            Layout::Graph | Layout::Raw => true,
            Layout::Bare => self.header.tracer.is_some() && !self.header.has_columns,
            Layout::Unknown | Layout::Prefixed | Layout::Refused => false,
        };
        if !stays {
            self.layout = Layout::Prefixed;
        }
    }
}

/// What is known about the lines at this place of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Layout {
    /// Nothing yet: the start of the input, or after a header.
    #[default]
    Unknown,
    /// Lines have a prefix.
    Prefixed,
    /// Lines have none (`nocontext-info`).
    Bare,
    /// Lines of the tracer `function_graph`.
    Graph,
    /// Lines leave their values out (`raw`), which has been said; they still can be counted.
    Raw,
    /// Lines cannot be used, which has been said; up to the next header.
    Refused,
}

impl<'a> Reader<'a> {
    /// Reads the header; events follow by iterating.
    pub fn new(input: &'a [u8]) -> Self {
        Self::resume(Window::whole(input), Trace::default())
    }

    /// Goes on where the window before this one ended.
    fn resume(window: Window<'a>, state: Trace) -> Self {
        let mut reader = Self { input: window.bytes, base: window.offset, lines: Lines::of_window(&window), state };
        reader.leading_comments();
        reader
    }

    /// Reads comment lines up to the first other line. Without a header, the first can be the beginning of a task's name.
    fn leading_comments(&mut self) {
        let mut ahead = self.lines.clone();
        while !self.state.is_past_header
            && let Some(line) = ahead.next()
        {
            let is_comment = is_comment(line.bytes) && buffer_started(line.bytes).is_none();
            if is_comment && prefixed(self.input, line, &ahead).is_none() {
                self.comment(line);
                self.lines = ahead.clone();
            } else {
                self.state.is_past_header = true;
            }
        }
    }

    /// What the comment lines said so far; of files that were put together, the last one's.
    pub fn header(&self) -> &Header {
        &self.state.header
    }

    /// The damaged places so far.
    pub fn problems(&self) -> &[Problem] {
        self.state.problems.list()
    }

    /// How far the reader is, in bytes from the start of the input.
    pub fn offset(&self) -> u64 {
        self.base + self.lines.offset() as u64
    }

    /// Header and problems, for when all events have been taken.
    pub fn into_parts(self) -> (Header, Vec<Problem>) {
        self.state.finish()
    }

    /// Everything but a line that splits at the usual column.
    #[cold]
    fn unusual(&mut self, line: Line<'a>) -> Option<Record<'a>> {
        if line.bytes.len() < prefix::TASK
            && self.state.layout != Layout::Refused
            && let Some((line, next, prefix, text)) = prefixed(self.input, line, &self.lines)
        {
            // A task's name may begin with anything, so that a line looks blank or like a comment.
            self.lines = next;
            return self.event(line, Some(prefix), text);
        }
        if trim(line.bytes).is_empty() {
            return None;
        }
        if is_comment(line.bytes) {
            if let Some(cpu) = buffer_started(line.bytes) {
                return Some(self.remark(line, Body::BufferStarted { cpu }));
            }
            self.comment(line);
            return None;
        }
        if self.state.layout == Layout::Refused {
            return None;
        }
        if let Some((cpu, count)) = lost(line.bytes) {
            return Some(self.remark(line, Body::Lost { cpu: Some(cpu), count }));
        }
        if line.bytes.starts_with(b"[LINE TOO BIG]") {
            self.problem(line, line.bytes, ProblemKind::LineTooBig);
            return None;
        }
        if let Some((line, next, prefix, text)) = prefixed(self.input, line, &self.lines) {
            self.lines = next;
            return self.event(line, Some(prefix), text);
        }
        if let [0, ..] = line.bytes {
            // A copy of a file that was growing has holes.
            let n = line.bytes.iter().take_while(|&&b| b == 0).count();
            return self.unusual(Line { bytes: lex::after(line.bytes, n), ..line });
        }
        if self.state.layout == Layout::Bare && body::looks_bare(line.bytes) {
            return self.event(line, None, line.bytes);
        }
        if let Some((prefix, text, ambiguous)) = prefix::search(line.bytes) {
            if ambiguous {
                self.problem(line, line.bytes, ProblemKind::AmbiguousPrefix);
            }
            return self.event(line, Some(prefix), text);
        }
        self.strange(line)
    }

    /// A line without any prefix: of a kernel log, of another layout, or damaged.
    fn strange(&mut self, line: Line<'a>) -> Option<Record<'a>> {
        if let Some(text) = log_text(line.bytes) {
            let inner = Line { bytes: text, ..line };
            if let Some((_, _, prefix, text)) = prefixed(self.input, inner, &self.lines) {
                return self.event(line, Some(prefix), text);
            }
            self.state.in_log |= text.starts_with(b"Dumping ftrace");
            if self.state.in_log || self.state.layout == Layout::Unknown {
                return None;
            }
        }
        if stack::frame_text(line.bytes).is_some() {
            self.stray_frames(line);
            return None;
        }
        if let Some(graph) = graph::line(line.bytes).filter(|_| self.state.layout != Layout::Prefixed) {
            self.state.layout = Layout::Graph;
            return self.graph(line, graph);
        }
        if self.state.layout == Layout::Raw {
            // What is not understood continues a marker.
            return refused::raw(line.bytes).map(|(prefix, body)| self.record(line, Some(prefix), body));
        }
        if self.state.layout == Layout::Graph && graph::is_rule(line.bytes) {
            self.broken_switch();
            return None;
        }
        if self.state.layout == Layout::Unknown {
            let headed = self.state.header.tracer.is_some();
            if let Some(kind) = refused::layout(line.bytes, headed) {
                self.problem(line, line.bytes, kind);
                let raw = refused::raw(line.bytes);
                self.state.layout = if raw.is_some() { Layout::Raw } else { Layout::Refused };
                return raw.map(|(prefix, body)| self.record(line, Some(prefix), body));
            }
            let bare = headed && !self.state.header.has_columns && body::looks_bare(line.bytes);
            if bare || body::is_vmalloc(line.bytes) {
                self.state.layout = Layout::Bare;
                return self.event(line, None, line.bytes);
            }
        }
        let kind = if line.ended { ProblemKind::NotAnEvent } else { ProblemKind::CutOff };
        self.problem(line, line.bytes, kind);
        None
    }

    /// A line whose prefix is known: reads the body, and the lines that belong to it.
    #[inline]
    fn event(&mut self, line: Line<'a>, prefix: Option<Prefix<'a>>, text: &'a [u8]) -> Option<Record<'a>> {
        if prefix.is_some() {
            self.state.seen_prefix();
        }
        let body = match body::shape(text) {
            Ok(Shape::Whole(body)) => body,
            Ok(Shape::Stack) => Body::Stack(stack::frames(&mut self.lines, Trace::starts_item)),
            Ok(Shape::UserStack) => Body::UserStack(stack::frames(&mut self.lines, Trace::starts_item)),
            Ok(Shape::Marker(text)) => {
                let (input, layout) = (self.input, self.state.layout);
                let starts_other = |line, next: &Lines<'a>| Self::starts_item(input, layout, line, next);
                Body::Marker(walk::marker(input, &mut self.lines, text, starts_other))
            }
            Err(broken) => {
                let kind = if line.ended { ProblemKind::BrokenEvent(broken.event) } else { ProblemKind::CutOff };
                self.problem(line, broken.rest, kind);
                return None;
            }
        };
        if !line.ended && matches!(body, Body::Other { name: b"function", .. }) {
            // Most likely the start of an event's name.
            self.problem(line, text, ProblemKind::CutOff);
            return None;
        }
        Some(self.record(line, prefix, body))
    }

    fn record(&self, line: Line<'a>, prefix: Option<Prefix<'a>>, body: Body<'a>) -> Record<'a> {
        Record { line: line.number, offset: self.base + line.start as u64, prefix, body }
    }

    /// Whether a line is anything but the continuation of a marker.
    fn starts_item(input: &'a [u8], layout: Layout, line: Line<'a>, next: &Lines<'a>) -> bool {
        line.bytes.starts_with(b"#")
            || line.bytes.starts_with(b"[LINE TOO BIG]")
            || lost(line.bytes).is_some()
            || prefixed(input, line, next).is_some()
            || prefix::search(line.bytes).is_some()
            || body::mentions_vmalloc(line.bytes)
            || graph::line(line.bytes).is_some()
            || (layout == Layout::Bare && body::looks_bare(line.bytes))
    }

    /// A line that starts with `#`.
    fn comment(&mut self, line: Line<'a>) {
        if let Some(name) = header::tracer(line.bytes) {
            self.state.header = Header::default();
            self.state.layout = Layout::Unknown;
            if name == b"function_graph" {
                self.state.layout = Layout::Graph;
            }
        }
        self.state.header.read(line.bytes);
    }

    /// Frames whose first line is missing or damaged: the whole run is one damage, together with a damaged line
    /// right before it.
    fn stray_frames(&mut self, line: Line<'a>) {
        stack::frames(&mut self.lines, Trace::starts_item);
        let known = self.state.problems.list().last().is_some_and(|last| last.line.saturating_add(1) == line.number);
        if !known {
            self.problem(line, line.bytes, ProblemKind::StrayFrames);
        }
    }

    #[cold]
    fn problem(&mut self, line: Line<'a>, rest: &[u8], kind: ProblemKind) {
        let column = column(lex::after(self.input, line.start), rest);
        self.state.problems.push(Problem { line: line.number, column, offset: self.base + line.start as u64, kind });
    }

    fn remark(&self, line: Line<'a>, body: Body<'a>) -> Record<'a> {
        self.record(line, None, body)
    }

    /// Reads lines that are not of the exact default layout up to the next record.
    fn general(&mut self) -> Option<Record<'a>> {
        loop {
            let line = self.lines.next()?;
            if MAX_LINE < line.bytes.len() {
                self.state.problems.push(too_long(line.number, self.base + line.start as u64));
                continue;
            }
            let record = match prefix::split_at(line.bytes, prefix::TASK) {
                Some((prefix, text)) if self.state.layout != Layout::Refused => self.event(line, Some(prefix), text),
                _ => self.unusual(line),
            };
            if record.is_some() {
                return record;
            }
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let may_be_exact = self.state.layout != Layout::Refused && !self.state.is_slow;
        let exact = may_be_exact.then(|| fast::event(self.lines.rest(), &mut self.state.memo)).flatten();
        let Some(fast::Event { prefix, body, n_bytes }) = exact else { return self.general() };
        self.state.seen_prefix();
        let (line, offset) = (self.lines.number(), self.offset());
        self.lines.pass(n_bytes);
        Some(Record { line, offset, prefix: Some(prefix), body })
    }
}

impl Form for Trace {
    fn starts_item(line: &[u8]) -> bool {
        [prefix::TASK, prefix::SHORT_TASK].into_iter().any(|columns| prefix::split_at(line, columns).is_some())
            || body::is_vmalloc(line)
            || graph::line(line).is_some()
    }

    #[inline]
    fn window(&mut self, window: Window<'_>, visit: &mut impl FnMut(&Record<'_>)) -> u32 {
        let mut reader = Reader::resume(window, std::mem::take(self));
        for record in reader.by_ref() {
            visit(&record);
        }
        let next = reader.lines.number();
        *self = reader.state;
        next
    }

    fn finish(self) -> (Header, Vec<Problem>) {
        (self.header, self.problems.into_list())
    }
}

/// Whether a line is a header's: a task's name may begin with this sign, which shows where names are not padded.
fn is_comment(line: &[u8]) -> bool {
    let is_event = |columns| prefix::split_at(line, columns).is_some();
    line.starts_with(b"#") && !is_event(prefix::TASK) && !is_event(prefix::SHORT_TASK)
}

/// Whether a line by itself shows that the input is a trace.
pub(super) fn accepts(line: &[u8]) -> bool {
    let text = log_text(line).unwrap_or(line);
    [line, text].into_iter().any(|line| {
        [prefix::TASK, prefix::SHORT_TASK].into_iter().any(|columns| prefix::split_at(line, columns).is_some())
    }) || prefix::search(line).is_some()
        || buffer_started(line).is_some()
        || lost(line).is_some()
        || body::is_vmalloc(line)
        || refused::layout(line, false).is_some()
        || graph::line(line).is_some()
}
