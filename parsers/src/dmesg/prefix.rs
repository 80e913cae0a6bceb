//! What stands before a message: `dmesg` in all its options, syslog, the journal, vendors' additions, logcat.
//!
//! ```text
//! [    5.524255] message                                           dmesg
//! <4>[    5.524255][  T123] message                                serial console, caller id
//! [  812.400101@2] message                                         a vendor's kernel, CPU
//! [   12.345678] (3)[123:task]message                              another vendor's kernel, CPU and task
//! kern  :warn  : [    5.524255] message                            dmesg -x
//! [Thu Nov 20 10:00:00 2026] message                               dmesg -T
//! Nov 20 10:00:00 host kernel: [    5.524255] message              syslog, journalctl
//! [    5.524255] host kernel: message                              journalctl -o short-monotonic
//! 2026-11-20T10:00:00.123456+01:00 host kernel: message            syslog, journalctl -o short-iso
//! 11-20 10:00:00.123     0     0 W         : message               logcat
//! W/kernel  (    0): message                                       logcat -v brief
//! ```

use nom::Parser;
use nom::combinator::opt;
use nom::sequence::{preceded, terminated};

use crate::lex::{Res, after, blanks, decimal, lit, stop, trim_end, trim_start, upto};
use crate::record::Stamp;

/// Bytes of a line in which the kernel's own stamp is looked for.
const SEARCHED: usize = 160;

/// A line of a log, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Time since boot, if the line has it.
    pub stamp: Stamp,
    /// The CPU that a vendor's kernel names.
    pub cpu: Option<u16>,
    /// Who wrote it: a task, or a CPU outside of any task.
    pub caller: Caller,
    /// The message without blanks at its ends.
    pub text: &'a [u8],
    /// There was a prefix that only logs have.
    pub has_prefix: bool,
}

/// The caller id of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Unknown,
    Task(u32),
    Cpu(u32),
}

/// Takes a line apart.
pub(super) fn entry(line: &[u8]) -> Entry<'_> {
    let none = Entry { stamp: Stamp::Unknown, cpu: None, caller: Caller::Unknown, text: b"", has_prefix: true };
    let entry = match stamped(line) {
        Some((rest, (nanos, cpu))) => Entry { stamp: Stamp::Nanos(nanos), cpu, text: rest, ..none },
        None => match dated(line) {
            Some(rest) => Entry { text: rest, ..none },
            None => Entry { text: line, has_prefix: false, ..none },
        },
    };
    let (text, cpu, caller) = callers(entry.text, entry.cpu);
    let text = if entry.has_prefix { behind_host(text) } else { behind_quotes(text) };
    Entry { text: trim_end(trim_start(text)), cpu, caller, ..entry }
}

/// Nanoseconds since boot, and the CPU that some kernels name with it.
type Stamped = (u64, Option<u16>);

/// What follows the last stamp of the kernel's, `[   12.345678]` or `[   12.345678@3]`, and that stamp. A log that was
/// relayed has the relay's own before it.
fn stamped(line: &[u8]) -> Option<(&[u8], Stamped)> {
    let head = upto(line, SEARCHED);
    memchr::memrchr_iter(b'[', head).find_map(|at| stamp(after(line, at + 1)).ok())
}

/// `   12.345678@3]`
fn stamp(input: &[u8]) -> Res<'_, Stamped> {
    let (rest, ((), seconds, ())) = (blanks, decimal, lit(b".")).parse(input)?;
    let (tail, part) = decimal(rest)?;
    let digits = rest.len() - tail.len();
    let (tail, cpu) = terminated(opt(preceded(lit(b"@"), decimal)), lit(b"]")).parse(tail)?;
    let nanos = seconds.checked_mul(1_000_000_000);
    match (digits, nanos) {
        (3..=9, Some(nanos)) => {
            let nanos = nanos.saturating_add(part * 10_u64.pow(9 - digits as u32));
            Ok((tail, (nanos, cpu.and_then(|cpu| u16::try_from(cpu).ok()))))
        }
        _ => stop(input),
    }
}

/// What follows a date and its company, if a line begins with one.
fn dated(line: &[u8]) -> Option<&[u8]> {
    let line = behind_quotes(line);
    // `[Thu Nov 20 10:00:00 2026]`, `[Nov20 10:00]`, `[  +0.000012]`, `[<    0.000012>]`
    if let Some(inside) = line.strip_prefix(b"[") {
        let end = memchr::memchr(b']', upto(inside, 48))?;
        let text = upto(inside, end);
        let is_time = text.iter().any(u8::is_ascii_digit) && text.iter().any(|b| b":.".contains(b));
        let known = text.iter().all(|b| b.is_ascii_alphanumeric() || b" :.+<>-,".contains(b));
        return (is_time && known).then(|| after(inside, end + 1));
    }
    // Every other form has a time of day or a tag of the kernel's.
    let head = upto(line, SEARCHED);
    if let Some(at) = memchr::memmem::find(head, b"kernel: ") {
        return Some(after(line, at + 8));
    }
    logcat(line)
}

/// `11-20 10:00:00.123     0     0 W         : message`, `W/kernel  (    0): message`
fn logcat(line: &[u8]) -> Option<&[u8]> {
    let head = upto(line, SEARCHED);
    let brief = matches!(head, [b'V' | b'D' | b'I' | b'W' | b'E' | b'F', b'/', ..]);
    let long = matches!(head, [m, n, b'-', d, e, b' ', ..] if [m, n, d, e].into_iter().all(u8::is_ascii_digit));
    let end = match (brief, long) {
        (true, _) => memchr::memmem::find(head, b"): ")? + 3,
        (_, true) => memchr::memmem::find(after(head, 18), b": ")? + 20,
        _ => return None,
    };
    Some(after(line, end))
}

/// `[  T123]`, `[    C0]`, `(3)[123:task]` behind a stamp.
fn callers(text: &[u8], cpu: Option<u16>) -> (&[u8], Option<u16>, Caller) {
    let Ok((rest, ())) = blanks(text) else { return (text, cpu, Caller::Unknown) };
    if let Ok((rest, (on, task))) = (cpu_mark, task_mark).parse(rest) {
        return (rest, u16::try_from(on).ok().or(cpu), Caller::Task(task));
    }
    match caller(rest) {
        Ok((rest, caller @ Caller::Cpu(on))) => (rest, u16::try_from(on).ok(), caller),
        Ok((rest, caller)) => (rest, cpu, caller),
        Err(_) => (text, cpu, Caller::Unknown),
    }
}

/// `(3)`
fn cpu_mark(input: &[u8]) -> Res<'_, u32> {
    let (rest, ((), cpu, ())) = (lit(b"("), decimal, lit(b")")).parse(input)?;
    u32::try_from(cpu).map_or_else(|_| stop(input), |cpu| Ok((rest, cpu)))
}

/// `[123:task]`
fn task_mark(input: &[u8]) -> Res<'_, u32> {
    let (rest, ((), task, ())) = (lit(b"["), decimal, lit(b":")).parse(input)?;
    match (memchr::memchr(b']', upto(rest, 32)), u32::try_from(task)) {
        (Some(end), Ok(task)) => Ok((after(rest, end + 1), task)),
        _ => stop(input),
    }
}

/// `[  T123]`, `[    C0]`
fn caller(input: &[u8]) -> Res<'_, Caller> {
    let (rest, ((), ())) = (lit(b"["), blanks).parse(input)?;
    let (tail, number) = decimal(after(rest, 1))?;
    match (rest.first(), u32::try_from(number), tail.strip_prefix(b"]")) {
        (Some(b'T'), Ok(task), Some(tail)) => Ok((tail, Caller::Task(task))),
        (Some(b'C'), Ok(cpu), Some(tail)) => Ok((tail, Caller::Cpu(cpu))),
        _ => stop(input),
    }
}

/// What follows `host kernel: ` where the journal puts it behind the stamp.
fn behind_host(text: &[u8]) -> &[u8] {
    let head = trim_start(upto(text, SEARCHED));
    match memchr::memmem::find(head, b"kernel: ") {
        Some(at) if memchr::memchr_iter(b' ', upto(head, at)).count() <= 1 => after(trim_start(text), at + 8),
        _ => text,
    }
}

/// What follows quote marks and a priority, `> <4>`.
fn behind_quotes(line: &[u8]) -> &[u8] {
    let mut text = trim_start(line);
    while let [b'>' | b'|' | b'`' | b'"', tail @ ..] = text {
        text = trim_start(tail);
    }
    let priority = (lit(b"<"), decimal, lit(b">")).parse(text);
    priority.map_or(text, |(rest, _)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_logs_prefix() {
        let at = Stamp::Nanos(5_524_255_000);
        for (prefix, stamp, cpu, caller) in [
            ("[    5.524255] ", at, None, Caller::Unknown),
            ("<4>[    5.524255] ", at, None, Caller::Unknown),
            ("[    5.524255][  T123] ", at, None, Caller::Task(123)),
            ("[    5.524255] [    C2] ", at, Some(2), Caller::Cpu(2)),
            ("[    5.524255@3] ", at, Some(3), Caller::Unknown),
            ("[    5.524255] (3)[123:task]", at, Some(3), Caller::Task(123)),
            ("kern  :warn  : [    5.524255] ", at, None, Caller::Unknown),
            ("[4857.000001 22.5] [    5.524255] ", at, None, Caller::Unknown),
            ("Nov 20 10:00:00 host kernel: [    5.524255] ", at, None, Caller::Unknown),
            ("Fri Nov 20 10:00:00 2026 kern.warn kernel: [    5.524255] ", at, None, Caller::Unknown),
            ("> [    5.524255] host kernel: ", at, None, Caller::Unknown),
            ("Nov 20 10:00:00 host kernel: ", Stamp::Unknown, None, Caller::Unknown),
            ("2026-11-20T10:00:00.123456+01:00 host kernel: ", Stamp::Unknown, None, Caller::Unknown),
            ("[Fri Nov 20 10:00:00 2026] ", Stamp::Unknown, None, Caller::Unknown),
            ("[Nov20 10:00] ", Stamp::Unknown, None, Caller::Unknown),
            ("[  +0.000012] ", Stamp::Unknown, None, Caller::Unknown),
            ("11-20 10:00:00.123     0     0 W         : ", Stamp::Unknown, None, Caller::Unknown),
            ("11-20 10:00:00.123     0     0 W kernel  : [    5.524255] ", at, None, Caller::Unknown),
            ("W/kernel  (    0): ", Stamp::Unknown, None, Caller::Unknown),
        ] {
            let line = format!("{prefix}a: b [c]");
            let want = Entry { stamp, cpu, caller, text: b"a: b [c]", has_prefix: true };
            assert_eq!(entry(line.as_bytes()), want, "{line}");
        }
        for prefix in ["", "<4>", "> ", "  "] {
            let line = format!("{prefix}a: b [c]");
            let got = entry(line.as_bytes());
            assert_eq!((got.text, got.stamp, got.has_prefix), (&b"a: b [c]"[..], Stamp::Unknown, false), "{line}");
        }
    }
}
