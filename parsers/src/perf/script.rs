//! The form of `perf script`.

use std::collections::BTreeMap;

use super::chain;
use super::line::{self, MAX_COMM, NAME, Split, What, unpadded, unpadded_end};
use crate::ftrace::{Header, body};
use crate::lex::{Line, after, upto};
use crate::record::{Body, Prefix, Record};
use crate::stream::{Form, Window};
use crate::walk::{self, Damage, Held, Walk};
use crate::{Problem, ProblemKind};

/// Columns of a thread's number, in old and in newer versions.
const THREAD: [usize; 2] = [5, 7];
/// Names of threads that are remembered; there are fewer numbers for threads on most machines.
const MAX_NAMES: usize = 65_536;

/// The form of `perf script`, with any choice of columns.
#[derive(Debug, Clone, Default)]
pub struct Script {
    header: Header,
    /// It was said that the columns leave out what an event is.
    told: bool,
    held: Held,
    /// Names that `--show-task-events` tells, for lines without one.
    names: BTreeMap<i32, Box<[u8]>>,
    damage: Damage,
}

/// A body that stands alone (`-F trace`): its first words say which event it is.
pub(super) fn bare(text: &[u8]) -> Option<Result<Body<'_>, body::Broken<'_>>> {
    let args = unpadded(text);
    let name: &[u8] = if args.starts_with(b"va_start: ") || args.starts_with(b"addr=0x") {
        b"alloc_vmap_area"
    } else if args.starts_with(b"va_start=0x") && memchr::memmem::find(args, b" nr_lazy").is_some() {
        b"free_vmap_area_noflush"
    } else if args.starts_with(b"start=0x") && memchr::memmem::find(args, b"purged=").is_some() {
        b"purge_vmap_area_lazy"
    } else {
        return None;
    };
    Some(body::of_event(name, args))
}

/// What an event of a system says.
#[inline]
fn body_of<'a>(system: &[u8], name: &'a [u8], args: &'a [u8]) -> Result<Body<'a>, body::Broken<'a>> {
    match system {
        b"vmalloc" | b"" => body::of_event(name, args),
        _ => Ok(body::foreign(name, args)),
    }
}

impl Script {
    fn line<'a>(&mut self, walk: &mut Walk<'a>, line: Line<'a>, visit: &mut impl FnMut(&Record<'_>)) {
        match line::split(line.bytes) {
            Some(split) => self.item(walk, line, &split, visit),
            None => self.timeless(walk, line, visit),
        }
    }

    /// A line that was split: an event, or what perf knows besides.
    #[inline]
    fn item<'a>(
        &mut self,
        walk: &mut Walk<'a>,
        line: Line<'a>,
        split: &Split<'a>,
        visit: &mut impl FnMut(&Record<'_>),
    ) {
        self.damage.begin();
        let (mut number, mut offset) = (line.number, walk.offset(line));
        let comm;
        let mut prefix = split.prefix.clone();
        if !self.held.is_empty() {
            if let Some(name) = name_with(&self.held, split) {
                (number, offset) = self.held.place();
                comm = name;
                prefix.comm = &comm;
                self.held.clear();
            } else {
                self.drop_held();
            }
        }
        let (system, name, args) = match split.what {
            What::Event { system, name, args } => (system, name, args),
            What::Remark(text) => {
                let text = whole_name(walk, text);
                return self.remark(walk, line, split, text, visit);
            }
            What::Nameless => {
                // The next event is none of its frames, however alike their padding is.
                chain::chain(&mut walk.lines, is_item);
                return self.useless(walk, line);
            }
        };
        let (args, at_end) = match args {
            _ if args.is_empty()
                && matches!(name, b"alloc_vmap_area" | b"free_vmap_area_noflush" | b"purge_vmap_area_lazy") =>
            {
                chain::chain(&mut walk.lines, is_item);
                if line.ended {
                    return self.useless(walk, line);
                }
                (args, None)
            }
            _ if system == b"vmalloc" && has_more(args) => {
                chain::at_end(args).map_or((args, None), |(args, frame)| (args, Some(frame)))
            }
            _ => (args, None),
        };
        if (system, name) == (b"ftrace", b"print") {
            let text = walk::marker(walk.window.bytes, &mut walk.lines, args, |line, _| {
                is_item(line.bytes) || line.bytes.starts_with(b"\t")
            });
            visit(&Record { line: number, offset, prefix: Some(prefix), body: body::printed(text) });
            return;
        }
        let prefix = Some(named(&self.names, prefix));
        match body_of(system, name, args) {
            Ok(body) => {
                let record = Record { line: number, offset, prefix, body };
                visit(&record);
                chain_of(walk, record, at_end, visit);
            }
            Err(broken) => {
                let kind = if line.ended { ProblemKind::BrokenEvent(broken.event) } else { ProblemKind::CutOff };
                let problem = walk.problem(line, broken.rest, kind);
                self.damage.push(problem);
                chain::chain(&mut walk.lines, is_item);
            }
        }
    }

    /// A line without a time.
    #[cold]
    fn timeless<'a>(&mut self, walk: &mut Walk<'a>, line: Line<'a>, visit: &mut impl FnMut(&Record<'_>)) {
        let text = line.bytes.trim_ascii();
        if text.is_empty() && (line.bytes.is_empty() || !self.held.push(line, walk.offset(line))) {
            self.held.blank(line);
            return;
        }
        if text.is_empty() {
            return;
        }
        if !self.held.is_empty() && self.hold(walk, line) {
            return;
        }
        // A task's name may begin with this sign as well.
        if let [b'#'] | [b'#', b' ', ..] = line.bytes {
            self.comment(after(line.bytes, 1));
            return;
        }
        if line.bytes.starts_with(b"\t") {
            let problem = walk.problem(line, line.bytes, ProblemKind::StrayFrames);
            chain::chain(&mut walk.lines, is_item);
            self.damage.unread(problem);
            return;
        }
        if let Some(read) = bare(line.bytes) {
            self.damage.begin();
            match read {
                Ok(body) => {
                    let record = Record { line: line.number, offset: walk.offset(line), prefix: None, body };
                    visit(&record);
                    chain_of(walk, record, None, visit);
                }
                Err(broken) => {
                    let problem = walk.problem(line, broken.rest, ProblemKind::BrokenEvent(broken.event));
                    self.damage.push(if line.ended {
                        problem
                    } else {
                        Problem { kind: ProblemKind::CutOff, ..problem }
                    });
                }
            }
            return;
        }
        if let Some(split) = line::split_timeless(line.bytes) {
            self.item(walk, line, &split, visit);
            return;
        }
        if self.hold(walk, line) {
            return;
        }
        self.drop_held();
        if let Some(count) = lost_chunks(text) {
            let body = Body::Lost { cpu: None, count: Some(count) };
            visit(&Record { line: line.number, offset: walk.offset(line), prefix: None, body });
        } else if !is_noise(text) {
            self.damage.unread(walk.unread(line, ProblemKind::NotAnEvent));
        }
    }

    /// Keeps a line that fits a task's columns: it may be the beginning of a name.
    fn hold(&mut self, walk: &Walk<'_>, line: Line<'_>) -> bool {
        line.ended && line.bytes.len() <= NAME && self.held.push(line, walk.offset(line))
    }

    /// `PERF_RECORD_LOST lost 17`, `PERF_RECORD_COMM: init:1/1`; others tell nothing about vmalloc.
    fn remark(
        &mut self,
        walk: &Walk<'_>,
        line: Line<'_>,
        split: &Split<'_>,
        text: &[u8],
        visit: &mut impl FnMut(&Record<'_>),
    ) {
        if text.starts_with(b"LOST") {
            let digits =
                text.iter().rev().skip_while(|byte| !byte.is_ascii_digit()).take_while(|byte| byte.is_ascii_digit());
            let mut count: Vec<u8> = digits.copied().collect();
            count.reverse();
            let count = crate::lex::decimal(&count).ok().map(|(_, count)| count);
            let body = Body::Lost { cpu: split.prefix.cpu, count };
            visit(&Record { line: line.number, offset: walk.offset(line), prefix: None, body });
            return;
        }
        let told = text.strip_prefix(b"COMM").and_then(|text| {
            let at = memchr::memmem::find(text, b": ")?;
            let (text, ids) = after(text, at + 2).split_at_checked(memchr::memrchr(b':', after(text, at + 2))?)?;
            let tid = ids.rsplit(|&byte| byte == b'/').next()?;
            Some((text, i32::try_from(crate::lex::decimal(tid).ok()?.1).ok()?))
        });
        if let Some((name, tid)) = told.filter(|_| self.names.len() < MAX_NAMES) {
            self.names.insert(tid, upto(name, NAME).into());
        }
    }

    /// `# os release : 6.12.117+deb12-cloud-amd64`
    fn comment(&mut self, text: &[u8]) {
        let Some(at) = memchr::memmem::find(text, b" : ") else { return };
        let (name, value) = (upto(text, at).trim_ascii(), after(text, at + 3).trim_ascii());
        match name {
            b"os release" => self.header.kernel_release = Some(String::from_utf8_lossy(value).into_owned()),
            b"nrcpus online" => self.header.online_cpus = std::str::from_utf8(value).ok().and_then(|n| n.parse().ok()),
            _ => {}
        }
    }

    /// A line whose columns leave out which event it is, or its arguments: said once.
    #[cold]
    fn useless(&mut self, walk: &Walk<'_>, line: Line<'_>) {
        if !self.told {
            self.told = true;
            self.damage.push(walk.problem(line, line.bytes, ProblemKind::PerfColumns));
        }
    }

    /// What looked like the start of a task's name was none.
    #[cold]
    fn drop_held(&mut self) {
        if let Some(problem) = self.held.problem() {
            self.damage.unread(problem);
        }
    }
}

/// `COMM: a` and the lines up to the one that ends with the task's numbers: names may hold line ends.
#[cold]
fn whole_name<'a>(walk: &mut Walk<'a>, text: &'a [u8]) -> &'a [u8] {
    let ends = |text: &[u8]| {
        let digits = |text: &[u8]| text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let rest = upto(text, text.len() - digits(text));
        let rest = rest.strip_suffix(b"/").map(|rest| upto(rest, rest.len() - digits(rest)));
        rest.is_some_and(|rest| rest.ends_with(b":"))
    };
    if !text.starts_with(b"COMM") || ends(text) {
        return text;
    }
    // Only if the end is there, and near.
    let there = walk.lines.clone().take(NAME).take_while(|line| !is_item(line.bytes)).position(|line| ends(line.bytes));
    let Some(last) = there else { return text };
    let last = walk.lines.clone().nth(last).map_or(0, |line| line.start);
    walk::marker(walk.window.bytes, &mut walk.lines, text, |line, _| last < line.start)
}

/// Whether anything follows the value of the last field.
#[inline]
fn has_more(args: &[u8]) -> bool {
    args.iter().rev().take_while(|&&byte| byte != b'=').any(|byte| !byte.is_ascii_digit())
}

/// Gives a task its name if the columns leave it out but the input tells it elsewhere.
#[inline]
fn named<'b>(names: &'b BTreeMap<i32, Box<[u8]>>, mut prefix: Prefix<'b>) -> Prefix<'b> {
    if prefix.comm.is_empty() && !names.is_empty() {
        prefix.comm = names.get(&prefix.pid).map_or(&b""[..], |name| name);
    }
    prefix
}

/// The frames that follow an event, which are its own.
#[inline]
fn chain_of<'a>(walk: &mut Walk<'a>, event: Record<'_>, at_end: Option<&'a [u8]>, visit: &mut impl FnMut(&Record<'_>)) {
    let is_frame = matches!(walk.lines.rest().first(), Some(b'\t' | b' '));
    if !is_frame && at_end.is_none() {
        return;
    }
    let mut chain = chain::Chain::default();
    if let Some(frame) = at_end {
        chain.push(frame);
    } else {
        chain = chain::chain(&mut walk.lines, is_item);
    }
    let Record { line, offset, prefix, .. } = event;
    if !chain.kernel.is_empty() {
        visit(&Record { line, offset, prefix: prefix.clone(), body: Body::Stack(chain.kernel) });
    }
    if !chain.user.is_empty() {
        visit(&Record { line, offset, prefix, body: Body::UserStack(chain.user) });
    }
}

/// A task's name that held line ends, if the lines before belong to it: either they fill its columns exactly, or it is
/// not padded and short enough.
fn name_with(held: &Held, split: &Split<'_>) -> Option<Vec<u8>> {
    let field = split.name_field;
    let padded = THREAD.iter().any(|&columns| {
        let pad = columns.saturating_sub(split.n_digits) + 1;
        let name = field.len().checked_sub(pad).map_or(field, |n| upto(field, n));
        held.len() + 1 + name.len() == NAME
    });
    let mut text = held.bytes().to_vec();
    text.push(b'\n');
    if padded {
        // Blanks at the end are padding, blanks at the start may be.
        text.extend_from_slice(unpadded_end(field));
        return Some(unpadded(&text).to_vec());
    }
    let last = unpadded_end(field);
    text.extend_from_slice(last);
    // A name may end with a line end: then there is nothing but the padding of the number.
    let fits = last.is_empty() || !field.starts_with(b" ");
    (!held.bytes().starts_with(b" ") && fits && text.len() <= MAX_COMM && !held.has_blank()).then_some(text)
}

/// Whether a line is an event by itself.
fn is_item(line: &[u8]) -> bool {
    line::split(line).is_some() || bare(line).is_some() || line::split_timeless(line).is_some()
}

/// `Processed 1234 events and lost 5 chunks!`
fn lost_chunks(text: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(text, b"events and lost ")?;
    crate::lex::decimal(after(text, at + 16)).ok().map(|(_, count)| count)
}

/// What perf writes to its error output, often into the same file.
fn is_noise(text: &[u8]) -> bool {
    const PARTS: [&[u8]; 9] = [
        b"not valid for",
        b"Warning:",
        b"WARNING:",
        b"Check IO/CPU overload",
        b"[ perf record:",
        b"Failed to open",
        b"no symbols found",
        b"Couldn't",
        b"error:",
    ];
    PARTS.iter().any(|part| memchr::memmem::find(text, part).is_some())
}

impl Form for Script {
    fn starts_item(line: &[u8]) -> bool {
        // A tab begins a frame, whatever follows it.
        !line.starts_with(b"\t") && is_item(line)
    }

    fn window(&mut self, window: Window<'_>, visit: &mut impl FnMut(&Record<'_>)) -> u32 {
        let mut walk = Walk::new(window);
        while let Some(line) = walk.next(&mut self.damage.problems) {
            self.line(&mut walk, line, visit);
        }
        if window.last {
            self.drop_held();
        }
        walk.lines.number()
    }

    fn finish(self) -> (Header, Vec<Problem>) {
        (self.header, self.damage.into_list())
    }
}
