//! Text of `trace-cmd report`, with all its options.
//!
//! The events are ftrace's, the frame is not: other columns, padded names, stacks and markers in another spelling, names of
//! files and buffer instances before the line. What stands before the first line that fits (listings of `--events`,
//! `--stat`, messages of trace-cmd itself) is passed over.
//!
//! Stamps have the digits that were printed: microseconds rounded half up, or nanoseconds with `-t`. A number without a
//! point (`--raw-ts`, the clocks `counter`, `x86-tsc` and also `boot`) is [`Stamp::Ticks`](crate::record::Stamp::Ticks).
//! Jiffies of the clock `uptime` cannot be told from nanoseconds: they are printed as if they were.

mod line;

use crate::ftrace::{Header, body, stack};
use crate::lex::{Line, Lines, trim, trim_end, trim_start};
use crate::record::{Body, Prefix, Record};
use crate::stream::{Form, Window};
use crate::walk::{Damage, Walk, marker};
use crate::{Problem, ProblemKind};

/// The form of `trace-cmd report`.
#[derive(Debug, Clone, Default)]
pub struct Report {
    header: Header,
    damage: Damage,
}

/// Whether a line is one that only the report prints.
pub(crate) fn accepts(text: &[u8]) -> bool {
    if line::banner(text).is_some() {
        return true;
    }
    let Some((_, text)) = line::split(text).or_else(|| line::search(text).map(|(prefix, text, _)| (prefix, text)))
    else {
        return line::is_subbuffer(text) || line::dropped(text).is_some();
    };
    // A name is padded to 20 columns; the kernel has one blank after the colon.
    event_name(text).is_some_and(|(name, args)| name.len() < PADDED && args.starts_with(b" "))
}

/// Columns that an event's name is padded to.
const PADDED: usize = 20;

/// Whether an event's name is too long to be padded, so that ftrace may have printed the line as well.
pub(crate) fn is_ftrace_as_well(text: &[u8]) -> bool {
    let split = line::split(text).or_else(|| line::search(text).map(|(prefix, text, _)| (prefix, text)));
    split.and_then(|(_, text)| event_name(text)).is_some_and(|(name, _)| PADDED <= name.len())
}

/// Splits `alloc_vmap_area:      va_start: …` behind the name; the rest begins behind one blank.
fn event_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b':', text)?;
    let (name, rest) = text.split_at_checked(at)?;
    let rest = rest.strip_prefix(b": ").or_else(|| (rest == b":").then_some(b""))?;
    let is_name = !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    is_name.then_some((name, rest))
}

impl Report {
    fn line<'a>(&mut self, walk: &mut Walk<'a>, line: Line<'a>) -> Option<Record<'a>> {
        if let Some((prefix, text)) = line::split(line.bytes) {
            return self.event(walk, line, prefix, text);
        }
        if let Some((whole, lines)) = joined(walk.window.bytes, line, &walk.lines) {
            walk.lines = lines;
            let (prefix, text) = line::split(whole.bytes)?;
            return self.event(walk, whole, prefix, text);
        }
        if trim(line.bytes).is_empty() || line::is_subbuffer(line.bytes) {
            return None;
        }
        if let Some(cpus) = line::banner(line.bytes) {
            self.header.online_cpus = Some(self.header.online_cpus.unwrap_or(0).max(cpus));
            self.damage.begin();
            return None;
        }
        if let Some((cpu, count)) = line::dropped(line.bytes) {
            self.damage.begin();
            let body = Body::Lost { cpu: Some(cpu), count };
            return Some(Record { line: line.number, offset: walk.offset(line), prefix: None, body });
        }
        if let Some((prefix, text, ambiguous)) = line::search(line.bytes) {
            if ambiguous {
                self.damage.push(walk.problem(line, line.bytes, ProblemKind::AmbiguousPrefix));
            }
            return self.event(walk, line, prefix, text);
        }
        self.unread(walk, line);
        None
    }

    /// A line that is nothing the report prints, or damaged.
    #[cold]
    fn unread<'a>(&mut self, walk: &mut Walk<'a>, line: Line<'a>) {
        let kind = if stack::frame_text(line.bytes).is_some() {
            stack::frames(&mut walk.lines, Self::starts_item);
            ProblemKind::StrayFrames
        } else if is_noise(line.bytes) {
            return;
        } else {
            ProblemKind::NotAnEvent
        };
        let problem = walk.unread(line, kind);
        self.damage.unread(problem);
    }

    #[inline]
    fn event<'a>(
        &mut self,
        walk: &mut Walk<'a>,
        line: Line<'a>,
        prefix: Prefix<'a>,
        text: &'a [u8],
    ) -> Option<Record<'a>> {
        self.damage.begin();
        let body = self.body(walk, line, text)?;
        Some(Record { line: line.number, offset: walk.offset(line), prefix: Some(prefix), body })
    }

    #[inline]
    fn body<'a>(&mut self, walk: &mut Walk<'a>, line: Line<'a>, text: &'a [u8]) -> Option<Body<'a>> {
        let Some((name, padded)) = event_name(text) else {
            // Half a line, or something that is no event: `[UNKNOWN EVENT]`.
            if !line.ended || body::begins_event(text) {
                self.damage.push(walk.unread(line, ProblemKind::NotAnEvent));
                return None;
            }
            let end = memchr::memchr(b' ', text).unwrap_or(text.len());
            let (name, args) = text.split_at_checked(end)?;
            return Some(Body::Other { name, args: trim_start(args) });
        };
        let args = trim_start(padded);
        match name {
            b"kernel_stack" | b"user_stack" if trim_end(args).starts_with(b"<") => {
                let frames = stack::frames(&mut walk.lines, Self::starts_item);
                Some(if name == b"kernel_stack" { Body::Stack(frames) } else { Body::UserStack(frames) })
            }
            b"print" | b"bprint" => {
                let input = walk.window.bytes;
                let text = marker(input, &mut walk.lines, args, |line, next| starts_other(input, line, next));
                Some(body::printed(text))
            }
            // The plug-in for these prints the caller where a probe prints its place.
            _ if args.starts_with(b"(") && memchr::memmem::find(args, b") call_site=").is_some() => {
                Some(Body::Other { name, args })
            }
            _ => match body::of_event(name, args) {
                Ok(body) => Some(body),
                Err(broken) => {
                    let kind = if line.ended { ProblemKind::BrokenEvent(broken.event) } else { ProblemKind::CutOff };
                    self.damage.push(walk.problem(line, broken.rest, kind));
                    None
                }
            },
        }
    }
}

/// Whether a line is anything but the continuation of a marker.
fn starts_other<'a>(input: &'a [u8], line: Line<'a>, next: &Lines<'a>) -> bool {
    Report::starts_item(line.bytes)
        || line::search(line.bytes).is_some()
        || line::is_subbuffer(line.bytes)
        || body::mentions_vmalloc(line.bytes)
        || joined(input, line, next).is_some()
}

/// A line lengthened by those that follow while its end lies within the task's name.
fn joined<'a>(input: &'a [u8], line: Line<'a>, next: &Lines<'a>) -> Option<(Line<'a>, Lines<'a>)> {
    let mut whole = line;
    let mut next = next.clone();
    // The name of a file or an instance may come before.
    let most = line.bytes.iter().rposition(|&byte| byte == b':').map_or(0, |colon| colon + 2) + 16;
    while whole.ended && whole.bytes.len() < most {
        // What is an item by itself continues nothing.
        let more = next.next().filter(|more| !Report::starts_item(more.bytes))?;
        let bytes = input.get(line.start..more.start + more.bytes.len())?;
        whole = Line { bytes, ended: more.ended, ..whole };
        if line::split(whole.bytes).is_some_and(|(prefix, _)| memchr::memchr(b'\n', prefix.comm).is_some()) {
            return Some((whole, next));
        }
    }
    None
}

/// What trace-cmd writes to its error output, often into the same file.
fn is_noise(line: &[u8]) -> bool {
    const STARTS: [&[u8]; 9] = [
        b"trace-cmd: ",
        b"could not load plugin",
        b"version = ",
        b"registering plugin",
        b"overriding event",
        b"Warning: ",
        b"Error: ",
        b"libtraceevent: ",
        b"  [",
    ];
    STARTS.iter().any(|start| line.starts_with(start))
}

impl Form for Report {
    fn starts_item(line: &[u8]) -> bool {
        line::split(line).is_some() || line::banner(line).is_some() || line::dropped(line).is_some()
    }

    fn window(&mut self, window: Window<'_>, visit: &mut impl FnMut(&Record<'_>)) -> u32 {
        let mut walk = Walk::new(window);
        while let Some(line) = walk.next(&mut self.damage.problems) {
            if let Some(record) = self.line(&mut walk, line) {
                visit(&record);
            }
        }
        walk.lines.number()
    }

    fn finish(self) -> (Header, Vec<Problem>) {
        (self.header, self.damage.into_list())
    }
}

#[cfg(test)]
mod tests;
