//! One line of `perf script`, split from its time to the left and to the right.
//!
//! ```text
//!     a b-c [x] :1   153 [000]     9.084739:        vmalloc:alloc_vmap_area: va_start: …     no chains: names in 16 columns
//! a b-c [x] :1   153 [000]     9.084739:          1        vmalloc:alloc_vmap_area: …        chains, period
//!     a b-c [x] :1   153/153   [000]     9.084739:        vmalloc:alloc_vmap_area: …         pid and tid
//!   153     9.084739:        vmalloc:alloc_vmap_area: va_start: …                            neither name nor CPU
//! ```

use crate::lex::{after, upto};
use crate::record::{Prefix, Stamp};

/// What follows the columns of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What<'a> {
    /// An event: `vmalloc`, `alloc_vmap_area`, `va_start: …`. The system is empty if there is none.
    Event { system: &'a [u8], name: &'a [u8], args: &'a [u8] },
    /// Something perf knows, behind `PERF_RECORD_`.
    Remark(&'a [u8]),
    /// No event's name at all (`-F` without `event`).
    Nameless,
}

/// A line that was split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Split<'a> {
    pub(super) prefix: Prefix<'a>,
    /// What stands before the thread's digits: the task's name and its padding.
    pub(super) name_field: &'a [u8],
    /// Digits of the thread's number.
    pub(super) n_digits: usize,
    pub(super) what: What<'a>,
}

/// Columns of a task's name where no call chains are printed.
pub(super) const NAME: usize = 16;

/// Longest name of a task; in a longer text the place to split was not found.
pub(super) const MAX_COMM: usize = 15;

/// Splits a line that has a time.
#[inline]
pub(super) fn split(line: &[u8]) -> Option<Split<'_>> {
    // What fits a task's columns is the beginning of its name.
    if line.len() <= NAME {
        return None;
    }
    let pad = line.len() - unpadded(line).len();
    let mut best: Option<(u32, Split<'_>)> = None;
    for at in memchr::memchr_iter(b':', line) {
        let Some((start, stamp)) = time_before(line, at) else { continue };
        let Some(what) = what(after(line, at + 1)) else { continue };
        let (columns, split) = columns(upto(line, start), pad, stamp, what);
        // All columns with a time: no task's name is long enough to imitate that.
        if columns == 2 && split.prefix.comm.len() <= MAX_COMM {
            return Some(split);
        }
        if best.is_none() {
            best = Some((columns, split));
        }
    }
    best.map(|(_, split)| split)
}

/// Splits a line without a time (`-F` without `time`) before its event, `system:name:`.
pub(super) fn split_timeless(line: &[u8]) -> Option<Split<'_>> {
    // What fits a task's columns is the beginning of its name.
    if line.len() <= NAME {
        return None;
    }
    let pad = line.len() - unpadded(line).len();
    let mut from = 0;
    // Word by word: a line can have a million colons.
    while let Some(at) = memchr::memchr(b':', after(line, from)).map(|at| at + from) {
        let start = memchr::memrchr(b' ', upto(after(line, from), at - from)).map_or(from, |blank| from + blank + 1);
        from = memchr::memchr(b' ', after(line, at)).map_or(line.len(), |blank| at + blank);
        let Some(what @ What::Event { system, .. }) = what_named(after(line, start)) else { continue };
        let left = upto(line, start);
        if system.is_empty() {
            continue;
        }
        let (columns, split) = columns(left, pad, Stamp::Unknown, what);
        if 0 < columns || left.len() <= pad {
            return Some(split);
        }
    }
    None
}

/// The time that ends before the colon at `at`, and where it starts.
#[inline]
fn time_before(line: &[u8], at: usize) -> Option<(usize, Stamp)> {
    if !matches!(line.get(at + 1), None | Some(b' ')) || !line.get(at.wrapping_sub(1))?.is_ascii_digit() {
        return None;
    }
    let (point, scale) = [(7, 1000), (10, 1)].into_iter().find_map(|(back, scale)| {
        let point = at.checked_sub(back)?;
        (line.get(point) == Some(&b'.')).then_some((point, scale))
    })?;
    let fraction = digits(line.get(point + 1..at)?)?;
    let start = point - upto(line, point).iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let seconds = digits(line.get(start..point)?)?;
    let is_alone = start == 0 || line.get(start - 1) == Some(&b' ');
    let nanos = seconds.checked_mul(1_000_000_000)?.checked_add(fraction * scale)?;
    is_alone.then_some((start, Stamp::Nanos(nanos)))
}

/// A run of nothing but digits.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (!text.is_empty()).then_some(value)
}

/// What stands behind the time's colon.
#[inline]
fn what(text: &[u8]) -> Option<What<'_>> {
    let text = unpadded(text);
    if let Some(remark) = text.strip_prefix(b"PERF_RECORD_") {
        return Some(What::Remark(remark));
    }
    if let Some(what) = what_named(text) {
        return Some(what);
    }
    // The period stands before the event.
    let n = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = after(text, n);
    if let (true, Some(what)) = (0 < n && rest.starts_with(b" "), what_named(unpadded(rest))) {
        return Some(what);
    }
    let is_address = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    (text.is_empty() || 8 <= is_address).then_some(What::Nameless)
}

/// `vmalloc:alloc_vmap_area: va_start: …`, or a name alone.
#[inline]
fn what_named(text: &[u8]) -> Option<What<'_>> {
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    let whole = upto(text, end).strip_suffix(b":")?;
    let at = memchr::memchr(b':', whole);
    let (system, name) = at.map_or((&b""[..], whole), |at| (upto(whole, at), after(whole, at + 1)));
    let is_name =
        |text: &[u8]| text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    let is_system = is_name(system) && at.is_none_or(|at| 0 < at);
    if name.is_empty() || !is_system || !(is_name(name) || at.is_some()) {
        return None;
    }
    Some(What::Event { system, name, args: unpadded(after(text, end)) })
}

/// The columns before the time, read from the right; `pad` blanks begin the line. The number says how many of thread and
/// CPU there are.
#[inline]
fn columns<'a>(left: &'a [u8], pad: usize, stamp: Stamp, what: What<'a>) -> (u32, Split<'a>) {
    let mut left = unpadded_end(left);
    let mut prefix = Prefix { comm: b"", pid: -1, tgid: None, cpu: None, flags: b"", stamp };
    let mut n_columns = 0;
    if !left.is_empty() && !matches!(left.last(), Some(b']')) {
        left = without_extras(left);
    }
    if let Some((rest, cpu)) = cpu(left) {
        (left, prefix.cpu) = (unpadded_end(rest), Some(cpu));
        n_columns += 1;
    }
    let mut n_digits = 0;
    if let Some((rest, n, pid, tgid)) = thread(left) {
        (left, n_digits, prefix.pid, prefix.tgid) = (rest, n, pid, tgid);
        n_columns += 1;
    }
    prefix.comm = after(unpadded_end(left), pad);
    (n_columns, Split { prefix, name_field: left, n_digits, what })
}

/// Takes `misc` (`U`, `Kp`) and `tod` (`2026-11-22 08:12:30.123456`) off the end, if a CPU stands before them.
fn without_extras(left: &[u8]) -> &[u8] {
    let mut rest = left;
    for _ in 0..3 {
        let start = memchr::memrchr(b' ', rest).map_or(0, |blank| blank + 1);
        let last = after(rest, start);
        let is_misc = last.len() <= 6 && last.iter().all(|byte| b"KUHGgMESp".contains(byte));
        let is_time = last.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-'))
            && (10 <= last.len())
            && last.iter().any(|byte| matches!(byte, b':' | b'-'));
        if !is_misc && !is_time {
            return left;
        }
        rest = unpadded_end(upto(rest, start));
        if cpu(rest).is_some() {
            return rest;
        }
    }
    left
}

/// `[000]` at the end.
#[inline]
fn cpu(left: &[u8]) -> Option<(&[u8], u16)> {
    let inside = left.strip_suffix(b"]")?;
    let n = inside.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if !(3..=5).contains(&n) {
        return None;
    }
    let (rest, number) = inside.split_at_checked(inside.len() - n)?;
    Some((rest.strip_suffix(b"[")?, u16::try_from(digits(number)?).ok()?))
}

/// `153`, or `153/155` at the end: the digits of the first number, the thread, the process if it is told.
#[inline]
fn thread(left: &[u8]) -> Option<(&[u8], usize, i32, Option<i32>)> {
    let (rest, n, last) = number(left)?;
    if let Some(before) = rest.strip_suffix(b"/") {
        let (rest, n, first) = number(before)?;
        return (rest.is_empty() || rest.ends_with(b" ")).then_some((rest, n, last, Some(first)));
    }
    (rest.is_empty() || rest.ends_with(b" ")).then_some((rest, n, last, None))
}

/// The number at the end; -1 is a thread that perf does not know.
#[inline]
fn number(left: &[u8]) -> Option<(&[u8], usize, i32)> {
    let n = left.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, number) = left.split_at_checked(left.len() - n)?;
    let value = i32::try_from(digits(number)?).ok()?;
    match rest.strip_suffix(b"-") {
        Some(before) if before.is_empty() || before.ends_with(b" ") || before.ends_with(b"/") => {
            Some((before, n + 1, -value))
        }
        _ => Some((rest, n, value)),
    }
}

#[inline]
pub(super) fn unpadded(text: &[u8]) -> &[u8] {
    let pad = text.iter().take_while(|&&byte| byte == b' ').count();
    after(text, pad)
}

#[inline]
pub(super) fn unpadded_end(text: &[u8]) -> &[u8] {
    let pad = text.iter().rev().take_while(|&&byte| byte == b' ').count();
    upto(text, text.len() - pad)
}

/// Whether a line is one that only `perf script` prints.
pub(crate) fn accepts(line: &[u8]) -> bool {
    let is_event = |split: Split<'_>| match split.what {
        What::Event { system, .. } => !system.is_empty(),
        What::Remark(_) => true,
        What::Nameless => 0 <= split.prefix.pid && line.trim_ascii_end().ends_with(b":"),
    };
    split(line).is_some_and(is_event)
        || split_timeless(line).is_some_and(|split| matches!(split.what, What::Event { system: b"vmalloc", .. }))
        || super::script::bare(line).is_some()
}
