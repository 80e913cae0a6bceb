//! The form of `perf trace`: `     6.897 pt/189 vmalloc:alloc_vmap_area(addr: 0xff57cf1b00554000, size: 20480, …)`
//!
//! The time is milliseconds from the start. Numbers that the kernel holds as 64 bits without a sign are printed with one, and
//! fields that are zero are left out. There is no CPU.

use super::line::unpadded;
use crate::ftrace::{Header, body};
use crate::lex::{Line, after, blanks, decimal, number, signed, upto};
use crate::record::{Alloc, Body, Free, Prefix, Purge, Record, Stamp};
use crate::stream::{Form, Window};
use crate::walk::{Damage, Held, Walk};
use crate::{Problem, ProblemKind};

/// The form of `perf trace`.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    held: Held,
    damage: Damage,
}

/// A line that was split.
struct Split<'a> {
    prefix: Prefix<'a>,
    name: &'a [u8],
    args: &'a [u8],
    system: &'a [u8],
}

/// Splits a line before its event, `system:name(`.
fn split(line: &[u8]) -> Option<Split<'_>> {
    let (rest, stamp) = time(line)?;
    split_task(rest, stamp)
}

/// The milliseconds at the start, and the duration of system calls.
fn time(line: &[u8]) -> Option<(&[u8], Stamp)> {
    let (text, ()) = blanks(line).ok()?;
    let (rest, millis) = decimal(text).ok()?;
    let digits = rest.strip_prefix(b".")?;
    let (rest, micros) = decimal(digits).ok()?;
    if digits.len() - rest.len() != 3 {
        return None;
    }
    let rest = rest.strip_prefix(b" ")?;
    let rest = duration(rest).unwrap_or(rest);
    let nanos = millis.checked_mul(1_000_000)?.checked_add(micros * 1000)?;
    Some((rest, Stamp::Relative(nanos)))
}

/// What follows the duration of a system call, `( 0.004 ms): ` or `(         ): `.
fn duration(text: &[u8]) -> Option<&[u8]> {
    let inside = text.strip_prefix(b"(")?;
    let end = memchr::memmem::find(inside, b"): ")?;
    let is_time = |byte: &u8| matches!(byte, b' ' | b'.' | b'm' | b's' | b'0'..=b'9');
    (5 <= end && upto(inside, end).iter().all(is_time)).then(|| unpadded(after(inside, end + 3)))
}

/// Bytes of a thread's number at most.
const MAX_PID: usize = 16;

/// `pt/189 vmalloc:alloc_vmap_area(addr: …)`. A task's name may imitate all of this but an event's whole name.
fn split_task(text: &[u8], stamp: Stamp) -> Option<Split<'_>> {
    let mut found = None;
    let mut from = 0;
    // Word by word, and no look back beyond a number: a line can have a million parentheses.
    while let Some(open) = memchr::memchr(b'(', after(text, from)).map(|at| at + from) {
        let blank = memchr::memrchr(b' ', upto(after(text, from), open - from)).map(|at| at + from);
        from = memchr::memchr(b' ', after(text, open)).map_or(text.len(), |blank| open + blank);
        let Some(blank) = blank else { continue };
        let event = upto(after(text, blank + 1), open - blank - 1);
        let Some(colon) = memchr::memchr(b':', event) else { continue };
        let (system, name) = (upto(event, colon), after(event, colon + 1));
        let is_name = |text: &[u8]| {
            !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        let task = upto(text, blank);
        let near = task.len().saturating_sub(MAX_PID);
        let Some(slash) = memchr::memrchr(b'/', after(task, near)).map(|at| at + near) else { continue };
        let Some(pid) = std::str::from_utf8(after(task, slash + 1)).ok().and_then(|pid| pid.parse::<i32>().ok()) else {
            continue;
        };
        if !is_name(system) || !is_name(name) {
            continue;
        }
        let prefix = Prefix { comm: upto(task, slash), pid, tgid: None, cpu: None, flags: b"", stamp };
        let args = after(text, open + 1);
        let is_vmalloc = system == b"vmalloc" && body::EVENTS.iter().any(|event| event.as_bytes() == name);
        let split = Split { prefix, name, args, system };
        if is_vmalloc {
            return Some(split);
        }
        found.get_or_insert(split);
    }
    found
}

/// `addr: 0xff57…, size: 20480)`: the values of these fields, 0 for those left out. The error is the value that cannot be
/// read, or the end if the closing parenthesis is missing.
fn fields<'a, const N: usize>(args: &'a [u8], names: [&[&[u8]]; N]) -> Result<[u64; N], &'a [u8]> {
    let end = args.trim_ascii_end();
    let inside = end.strip_suffix(b")").ok_or(after(args, args.len()))?;
    let mut values = [0; N];
    let mut rest = inside;
    while !rest.is_empty() {
        let (pair, tail) = match memchr::memmem::find(rest, b", ") {
            Some(at) => (upto(rest, at), after(rest, at + 2)),
            None => (rest, &b""[..]),
        };
        let colon = memchr::memmem::find(pair, b": ").ok_or(pair)?;
        let (name, value) = (upto(pair, colon), after(pair, colon + 2));
        for (slot, names) in values.iter_mut().zip(names) {
            if names.contains(&name) {
                *slot = whole(value).ok_or(value)?;
            }
        }
        rest = tail;
    }
    Ok(values)
}

/// A number that is the whole text, negative ones as the kernel's 64 bits.
fn whole(text: &[u8]) -> Option<u64> {
    let unsigned = number(text).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, value)| value);
    unsigned.or_else(|| signed(text).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, value)| value.cast_unsigned()))
}

fn body_of<'a>(split: &Split<'a>) -> Result<Body<'a>, body::Broken<'a>> {
    let broken = |event| move |rest| body::Broken { event, rest };
    match (split.system, split.name) {
        (b"vmalloc", b"alloc_vmap_area") => {
            let [va_start, size, align, vstart, vend, failed] = fields(
                split.args,
                [&[b"addr", b"va_start"], &[b"size"], &[b"align"], &[b"vstart"], &[b"vend"], &[b"failed"]],
            )
            .map_err(broken("alloc_vmap_area"))?;
            Ok(Body::Alloc(Alloc { va_start, size, align, vstart, vend, failed: failed != 0 }))
        }
        (b"vmalloc", b"free_vmap_area_noflush") => {
            let [va_start, nr_lazy, nr_lazy_max] =
                fields(split.args, [&[b"va_start"], &[b"nr_lazy"], &[b"nr_lazy_max"]])
                    .map_err(broken("free_vmap_area_noflush"))?;
            Ok(Body::Free(Free { va_start, nr_lazy, nr_lazy_max }))
        }
        (b"vmalloc", b"purge_vmap_area_lazy") => {
            let [start, end, num_purged] = fields(split.args, [&[b"start"], &[b"end"], &[b"npurged", b"num_purged"]])
                .map_err(broken("purge_vmap_area_lazy"))?;
            Ok(Body::Purge(Purge { start, end, num_purged }))
        }
        (_, name) => Ok(Body::Other { name, args: split.args.strip_suffix(b")").unwrap_or(split.args) }),
    }
}

/// Whether a line is one that only `perf trace` prints.
pub(crate) fn accepts(line: &[u8]) -> bool {
    split(line).is_some()
}

impl Trace {
    fn line(&mut self, walk: &Walk<'_>, line: Line<'_>, visit: &mut impl FnMut(&Record<'_>)) {
        if !self.held.is_empty() && time(line.bytes).is_none() {
            // The task's name holds line ends.
            if !self.held.push(line, walk.offset(line)) {
                self.drop_held();
                return self.line(walk, line, visit);
            }
            let text = self.held.bytes().to_vec();
            if let Some(split) = split(&text) {
                let (number, offset) = self.held.place();
                self.held.clear();
                self.event(walk, Line { number, ..line }, offset, &split, visit);
            }
            return;
        }
        self.drop_held();
        if let Some(split) = split(line.bytes) {
            self.event(walk, line, walk.offset(line), &split, visit);
        } else if line.bytes.trim_ascii().is_empty() {
        } else if !(line.ended && time(line.bytes).is_some() && self.held.push(line, walk.offset(line))) {
            self.damage.unread(walk.unread(line, ProblemKind::NotAnEvent));
        }
    }

    fn event(
        &mut self,
        walk: &Walk<'_>,
        line: Line<'_>,
        offset: u64,
        split: &Split<'_>,
        visit: &mut impl FnMut(&Record<'_>),
    ) {
        self.damage.begin();
        match body_of(split) {
            Ok(body) => visit(&Record { line: line.number, offset, prefix: Some(split.prefix.clone()), body }),
            Err(broken) => {
                let kind = if line.ended { ProblemKind::BrokenEvent(broken.event) } else { ProblemKind::CutOff };
                // A joined line is a copy, and the place in it that of its first line.
                let joined = Problem { line: line.number, column: 1, offset, kind: kind.clone() };
                self.damage.push(if offset == walk.offset(line) {
                    walk.problem(line, broken.rest, kind)
                } else {
                    joined
                });
            }
        }
    }

    fn drop_held(&mut self) {
        if let Some(problem) = self.held.problem() {
            self.damage.unread(problem);
        }
    }
}

impl Form for Trace {
    fn starts_item(line: &[u8]) -> bool {
        split(line).is_some()
    }

    fn window(&mut self, window: Window<'_>, visit: &mut impl FnMut(&Record<'_>)) -> u32 {
        let mut walk = Walk::new(window);
        while let Some(line) = walk.next(&mut self.damage.problems) {
            self.line(&walk, line, visit);
        }
        if window.last {
            self.drop_held();
        }
        walk.lines.number()
    }

    fn finish(self) -> (Header, Vec<Problem>) {
        (Header::default(), self.damage.into_list())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_and_signed_numbers() {
        let line = b"     6.897 a/1 b:c(/189 vmalloc:alloc_vmap_area(addr: 0xff57cf1b00554000, size: 20480, align: 16384, vstart: -47341556193034240, vend: -33267807357501441)";
        let split = split(line).expect("an event");
        assert_eq!((split.prefix.comm, split.prefix.pid), (&b"a/1 b:c("[..], 189));
        assert_eq!(split.prefix.stamp, Stamp::Relative(6_897_000));
        let want = Alloc {
            va_start: 0xff57_cf1b_0055_4000,
            size: 20480,
            align: 16384,
            vstart: 0xff57_cf1b_0000_0000,
            vend: 0xff89_cf1a_ffff_ffff,
            failed: false,
        };
        assert_eq!(body_of(&split), Ok(Body::Alloc(want)));
    }
}
