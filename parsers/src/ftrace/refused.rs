//! Layouts that a trace file can have but that cannot be replayed: they leave out values, or task and time.

use nom::Parser;
use nom::combinator::opt;

use crate::ProblemKind;
use crate::lex::{Res, blanks, decimal, hex, lit, signed};

/// Names the layout of a line that is no event line, if it is one of these. `headed` says that a trace header
/// came before, so that unreadable bytes are a trace's.
pub(super) fn layout(line: &[u8], headed: bool) -> Option<ProblemKind> {
    if is_graph(line) {
        return Some(ProblemKind::FunctionGraph);
    }
    if hex_line(line).is_ok() {
        return Some(ProblemKind::TraceOption("hex"));
    }
    if raw_line(line).is_ok() {
        return Some(ProblemKind::TraceOption("raw"));
    }
    let control = line.iter().filter(|&&b| b < b' ' && b != b'\t').count();
    (headed && line.len() < control * 4).then_some(ProblemKind::TraceOption("bin"))
}

/// ` 1) ! 225.555 us  |    insert_vmap_area();`, also behind a time and a bar.
pub(crate) fn is_graph(line: &[u8]) -> bool {
    let cpu = |input| (blanks, decimal, lit(b")"), blanks).parse(input).map(|(rest, _)| (rest, ()));
    let time = |input| (blanks, decimal, lit(b"."), decimal, lit(b" |")).parse(input).map(|(rest, _)| (rest, ()));
    let start: Res<'_, _> = (opt(time), opt(cpu)).parse(line);
    match start {
        Ok((rest, (time, cpu))) if time.is_some() || cpu.is_some() => {
            memchr::memmem::find(rest, b" |  ").is_some() || memchr::memmem::find(rest, b" => ").is_some()
        }
        _ => false,
    }
}

/// `1 0 16438057135 type: 687`, or a marker: `1 0 6909090891 # ffffffff9802d5cf hello`
fn raw_line(input: &[u8]) -> Res<'_, ()> {
    let (rest, _) = (signed, lit(b" "), decimal, lit(b" "), decimal).parse(input)?;
    nom::branch::alt((lit(b" type: "), lit(b" # "))).parse(rest)
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
            (b"00000001 00000000 00000001d793a15e type: 5", Some(ProblemKind::TraceOption("hex"))),
            (b"\x01\0\0\0\x02\0\0\0xy", Some(ProblemKind::TraceOption("bin"))),
            (b" 1) ! 225.555 us  |    insert_vmap_area();", Some(ProblemKind::FunctionGraph)),
            (b" 1)     init-1     =>     fg-457    ", Some(ProblemKind::FunctionGraph)),
            (
                b"   25.338199 |   1)     init-1     |               |  alloc_vmap_area() {",
                Some(ProblemKind::FunctionGraph),
            ),
            (b"lines", None),
            (b"1) a list item", None),
        ] {
            assert_eq!(layout(line, true), want, "{}", String::from_utf8_lossy(line));
        }
    }
}
