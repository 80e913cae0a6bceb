//! Layouts that a trace file can have but that cannot be replayed: they leave out values, or task and time.

use nom::Parser;

use super::prefix::{pid, short_cpu};
use crate::ProblemKind;
use crate::lex::{Res, decimal, hex, lit};
use crate::record::{Body, Prefix, Stamp};

/// Names the layout of a line that is no event line, if it is one of these. `headed` says that a trace header
/// came before, so that unreadable bytes are a trace's.
pub(super) fn layout(line: &[u8], headed: bool) -> Option<ProblemKind> {
    if hex_line(line).is_ok() {
        return Some(ProblemKind::TraceOption("hex"));
    }
    if raw(line).is_some() {
        return Some(ProblemKind::TraceOption("raw"));
    }
    let control = line.iter().filter(|&&b| b < b' ' && b != b'\t').count();
    (headed && line.len() < control * 4).then_some(ProblemKind::TraceOption("bin"))
}

/// Reads `1 0 16438057135 type: 687`, or a marker: `1 0 6909090891 # ffffffff9802d5cf hello`. The values are not there, and
/// the unit of the time is not told.
pub(super) fn raw(line: &[u8]) -> Option<(Prefix<'_>, Body<'_>)> {
    let (rest, (pid, (), cpu, (), ticks, ())) =
        (pid, lit(b" "), short_cpu, lit(b" "), decimal, lit(b" ")).parse(line).ok()?;
    let body = match (rest.strip_prefix(b"type: "), rest.strip_prefix(b"# ")) {
        (Some(args), _) => Body::Other { name: b"type", args },
        (None, Some(args)) => Body::Other { name: b"raw_data", args },
        // The tracer function: where it is, and who called it.
        (None, None) if (address, lit(b" "), address).parse(rest).is_ok() => {
            Body::Other { name: b"function", args: rest }
        }
        (None, None) => return None,
    };
    let prefix = Prefix { comm: b"", pid, tgid: None, cpu: Some(cpu), flags: b"", stamp: Stamp::Ticks(ticks) };
    Some((prefix, body))
}

/// Eight digits or sixteen, as pointers are printed.
fn address(input: &[u8]) -> Res<'_, ()> {
    match hex(input) {
        Ok((rest, _)) if matches!(input.len() - rest.len(), 8 | 16) => Ok((rest, ())),
        _ => crate::lex::stop(input),
    }
}

/// `00000001 00000000 00000001d793a15e type: 5`
fn hex_line(input: &[u8]) -> Res<'_, ()> {
    let (rest, _) = (hex, lit(b" "), hex, lit(b" "), hex).parse(input)?;
    let (rest, ()) = nom::branch::alt((lit(b" type: "), lit(b" # "))).parse(rest)?;
    // Three numbers of eight digits or more; the raw layout does not pad.
    if input.get(8) == Some(&b' ') && input.get(17) == Some(&b' ') {
        return Ok((rest, ()));
    }
    crate::lex::stop(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_layout_is_named() {
        for (line, want) in [
            (&b"1 1 5463743010 type: 687"[..], Some(ProblemKind::TraceOption("raw"))),
            (b"1 0 6909090891 # ffffffff9802d5cf hello marker", Some(ProblemKind::TraceOption("raw"))),
            (b"1 0 130226406569 ffffffff993346d4 ffffffff9933469c", Some(ProblemKind::TraceOption("raw"))),
            (b"1 0 130226406569 c0f346d4 c0f3469c", Some(ProblemKind::TraceOption("raw"))),
            (b"1 0 130226406569 12 15", None),
            (b"00000001 00000000 00000001d793a15e type: 5", Some(ProblemKind::TraceOption("hex"))),
            (b"\x01\0\0\0\x02\0\0\0xy", Some(ProblemKind::TraceOption("bin"))),
            (b"lines", None),
            (b"1) a list item", None),
        ] {
            assert_eq!(layout(line, true), want, "{}", String::from_utf8_lossy(line));
        }
    }
}
