//! What stands before an event's name in a line of the report.
//!
//! ```text
//!            <...>-1036  [000]    35.245532: alloc_vmap_area:      va_start: …       default; task at 0, dash at 16
//!            <...>-1036  [000] .....    35.245532: alloc_vmap_area:      …           3.3 and later
//!    vmwork-850     1.....    20.464489029: alloc_vmap_area:      …                  -l -t: dash at 8
//! inst1:            <...>-1089  [001]    61.822904: (+12)    mm_page_alloc:        …  an instance, --ts-diff
//! d7.dat:              x-855   [000]145306332796: alloc_vmap_area:      …            several files, --raw-ts
//! ```

use nom::Parser;
use nom::combinator::opt;
use nom::sequence::{delimited, preceded, terminated};

use crate::ftrace::prefix::{SHORT_TASK, TASK, colon, flags, inner, pid, short_cpu, stamp};
use crate::lex::{Res, after, blanks, decimal, lit, trim_start, upto};
use crate::record::Prefix;

/// Where a name of a file or an instance can end at most, so that a text in a line is not taken for one.
const SEARCHED: usize = 512;

/// Splits a line at the columns that trace-cmd uses, also behind the name of a file or an instance.
#[inline]
pub(super) fn split(line: &[u8]) -> Option<(Prefix<'_>, &[u8])> {
    at(line, TASK).or_else(|| short_at(line, SHORT_TASK)).or_else(|| behind_name(line))
}

/// Splits a line whose columns were changed; the last match counts, as the task's name may hold anything.
pub(super) fn search(line: &[u8]) -> Option<(Prefix<'_>, &[u8], bool)> {
    crate::ftrace::prefix::search(line).map(|(prefix, text, ambiguous)| (prefix, diff(text), ambiguous))
}

#[inline]
fn at(line: &[u8], columns: usize) -> Option<(Prefix<'_>, &[u8])> {
    if line.get(columns) != Some(&b'-') {
        return None;
    }
    let (text, prefix) = inner(after(line, columns)).ok()?;
    Some((Prefix { comm: unpadded(upto(line, columns)), ..prefix }, diff(text)))
}

/// The same with `-l`, where the task's name is cut and CPU and flags are glued.
fn short_at(line: &[u8], columns: usize) -> Option<(Prefix<'_>, &[u8])> {
    if line.get(columns) != Some(&b'-') {
        return None;
    }
    let (text, prefix) = short(after(line, columns)).ok()?;
    Some((Prefix { comm: unpadded(upto(line, columns)), ..prefix }, diff(text)))
}

fn short(input: &[u8]) -> Res<'_, Prefix<'_>> {
    let (rest, (pid, cpu, flags, stamp)) = (
        delimited(lit(b"-"), pid, (lit(b" "), blanks)),
        short_cpu,
        terminated(flags, (lit(b" "), blanks)),
        terminated(stamp, colon),
    )
        .parse(input)?;
    Ok((rest, Prefix { comm: b"", pid, tgid: None, cpu: Some(cpu), flags, stamp }))
}

/// A line whose task's name comes after `inst1: `, `d7.dat: ` or blanks for files and instances without a name.
fn behind_name(line: &[u8]) -> Option<(Prefix<'_>, &[u8])> {
    let mut dashes = memchr::memchr_iter(b'-', upto(line, SEARCHED));
    dashes.find_map(|dash| {
        let (columns, short) = match (is_name(line, dash, TASK), is_name(line, dash, SHORT_TASK)) {
            (true, _) if inner(after(line, dash)).is_ok() => (TASK, false),
            (_, true) => (SHORT_TASK, true),
            _ => return None,
        };
        let line = after(line, dash - columns);
        if short { short_at(line, columns) } else { at(line, columns) }
    })
}

/// Whether what stands before a task's name is the name of a file or an instance.
fn is_name(line: &[u8], dash: usize, columns: usize) -> bool {
    let name = dash.checked_sub(columns).map_or(&b""[..], |n| upto(line, n));
    !name.is_empty() && (name.ends_with(b": ") || name.iter().all(|&byte| byte == b' '))
}

/// Splits the name of an instance or a file off a remark: `inst1: CPU:1 [210 EVENTS DROPPED]`.
pub(super) fn unnamed(line: &[u8]) -> &[u8] {
    memchr::memmem::find_iter(upto(line, SEARCHED), b": CPU:").last().map_or(line, |at| after(line, at + 2))
}

/// Takes off what `--ts-diff` puts before the event's name: `(+368)   `, or blanks in the first line.
#[inline]
fn diff(text: &[u8]) -> &[u8] {
    match text.first() {
        Some(b'(') => {
            let parsed: Res<'_, _> = delimited(lit(b"(+"), decimal, (lit(b")"), lit(b" "), blanks)).parse(text);
            parsed.map_or(text, |(rest, _)| rest)
        }
        Some(b' ') => trim_start(text),
        _ => text,
    }
}

/// `cpus=2`, also behind the name of a file.
pub(super) fn banner(line: &[u8]) -> Option<u32> {
    let at = memchr::memmem::rfind(line, b"cpus=")?;
    if 0 < at && !upto(line, at).ends_with(b": ") {
        return None;
    }
    let (rest, cpus) = preceded(lit(b"cpus="), decimal).parse(after(line, at)).ok()?;
    rest.is_empty().then(|| u32::try_from(cpus).ok())?
}

/// `CPU:1 [210 EVENTS DROPPED]`, `CPU:1 [EVENTS DROPPED]`.
pub(super) fn dropped(line: &[u8]) -> Option<(u16, Option<u64>)> {
    let line = unnamed(line);
    let (rest, cpu) = delimited(lit(b"CPU:"), short_cpu, lit(b" [")).parse(line).ok()?;
    let count: Res<'_, _> = terminated(opt(terminated(decimal, lit(b" "))), lit(b"EVENTS DROPPED]")).parse(rest);
    Some((cpu, count.ok()?.1))
}

/// `CPU:1 [SUBBUFFER START]`
pub(super) fn is_subbuffer(line: &[u8]) -> bool {
    let line = unnamed(line);
    line.starts_with(b"CPU:") && memchr::memmem::find(upto(line, 40), b" [SUBBUFFER START]").is_some()
}

/// Takes the padding off a task's name; its own bytes stay, whatever they are.
#[inline]
fn unpadded(comm: &[u8]) -> &[u8] {
    let pad = comm.iter().take_while(|&&byte| byte == b' ').count();
    after(comm, pad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Stamp;

    fn seen(line: &str) -> Option<(String, i32, Option<u16>, String, Stamp, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (p, body) = split(line.as_bytes())?;
        Some((text(p.comm), p.pid, p.cpu, text(p.flags), p.stamp, text(body)))
    }

    fn wanted(
        comm: &str,
        pid: i32,
        cpu: u16,
        flags: &str,
        stamp: Stamp,
    ) -> (String, i32, Option<u16>, String, Stamp, String) {
        (comm.to_owned(), pid, Some(cpu), flags.to_owned(), stamp, "x: y".to_owned())
    }

    #[test]
    fn every_option_of_the_report() {
        let micros = Stamp::Nanos(35_245_532_000);
        for (line, comm, pid, cpu, flags, stamp) in [
            ("           <...>-1036  [000]    35.245532: x: y", "<...>", 1036, 0, "", micros),
            ("           <...>-1036  [000] .....    35.245532: x: y", "<...>", 1036, 0, ".....", micros),
            ("           <...>-1036  [000]    35.245532871: x: y", "<...>", 1036, 0, "", Stamp::Nanos(35_245_532_871)),
            ("           <...>-1036  [000]    35.245532:          x: y", "<...>", 1036, 0, "", micros),
            ("           <...>-1036  [000]    35.245532: (+17669) x: y", "<...>", 1036, 0, "", micros),
            ("               x-855   [001]145306332796: x: y", "x", 855, 1, "", Stamp::Ticks(145_306_332_796)),
            ("               x-875   [000] 42142392522: x: y", "x", 875, 0, "", Stamp::Ticks(42_142_392_522)),
            ("  vmwork-850     1.....    35.245532: x: y", "vmwork", 850, 1, ".....", micros),
            ("  vmwork-850    12d..2.    35.245532: x: y", "vmwork", 850, 12, "d..2.", micros),
            ("inst1:            <...>-1036  [000]    35.245532: x: y", "<...>", 1036, 0, "", micros),
            ("                  <...>-1036  [000]    35.245532: x: y", "<...>", 1036, 0, "", micros),
            ("my file.dat: in st:            <...>-1036  [000]    35.245532: x: y", "<...>", 1036, 0, "", micros),
            ("a-b.dat:     <x>-12 [003]-195   [000]    35.245532: x: y", "<x>-12 [003]", 195, 0, "", micros),
            ("d7.dat:   vmwork-850     1.....    35.245532: x: y", "vmwork", 850, 1, ".....", micros),
            ("           <...>-1036  [000]-0x1    35.245532: x: y", "<...>", 1036, 0, "-0x1", micros),
        ] {
            assert_eq!(seen(line), Some(wanted(comm, pid, cpu, flags, stamp)), "{line}");
        }
    }

    #[test]
    fn remarks() {
        assert_eq!(dropped(b"CPU:1 [210 EVENTS DROPPED]"), Some((1, Some(210))));
        assert_eq!(dropped(b"inst1: CPU:1 [EVENTS DROPPED]"), Some((1, None)));
        assert_eq!(dropped(b"CPU:1 [SUBBUFFER START]"), None);
        assert!(is_subbuffer(b"CPU:1 [SUBBUFFER START]"));
        assert_eq!((banner(b"cpus=2"), banner(b"d7.dat: cpus=2"), banner(b"ncpus=2")), (Some(2), Some(2), None));
    }
}
