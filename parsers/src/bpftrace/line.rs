//! One line of what a bpftrace program printed.

use nom::Parser;
use nom::combinator::all_consuming;
use nom::sequence::delimited;

use super::order::What;
use crate::ftrace::body::{self, Broken, EVENTS};
use crate::lex::{Res, after, decimal, hex, lit, signed, upto};
use crate::record::{Body, Frame};

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Text<'a> {
    Event(Event<'a>),
    /// A frame, with its padding.
    Frame(&'a [u8]),
    /// `Lost 17 events`
    Lost(Option<u64>),
    Blank,
    /// The columns of an event whose name does not follow: the task's name may hold a line end.
    Begun,
    /// What bpftrace itself prints.
    Noise,
    Unknown,
}

/// An event that was split from its fields.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) line: &'a [u8],
    pub(super) nanos: u64,
    pub(super) cpu: Option<u16>,
    pub(super) pid: i32,
    pub(super) comm: &'a [u8],
    name: &'static str,
    args: &'a [u8],
}

/// Longest name of a task.
const MAX_COMM: usize = 15;

pub(super) fn classify(line: &[u8]) -> Text<'_> {
    match line.first() {
        None => Text::Blank,
        Some(b'0'..=b'9') => match event(line) {
            Some(event) => Text::Event(event),
            None if columns(line).is_some_and(|(_, _, _, rest)| rest.starts_with(b" ")) => Text::Begun,
            None => Text::Unknown,
        },
        Some(b' ' | b'\t') if line.trim_ascii().is_empty() => Text::Blank,
        Some(b' ' | b'\t') => Text::Frame(line),
        _ if line.trim_ascii().is_empty() => Text::Blank,
        _ => match lost(line) {
            Some(count) => Text::Lost(count),
            None if is_noise(line) => Text::Noise,
            None => Text::Unknown,
        },
    }
}

/// Splits a line at the last name of an event of ours.
fn event(line: &[u8]) -> Option<Event<'_>> {
    let (at, name) = EVENTS
        .into_iter()
        .filter_map(|name| {
            let mut all = memchr::memmem::rfind(line, name.as_bytes());
            // The name of a task may end in an event's name; fields have to follow.
            while let Some(at) = all {
                let is_name =
                    0 < at && line.get(at - 1) == Some(&b' ') && matches!(line.get(at + name.len()), Some(b' ') | None);
                if is_name {
                    return Some((at, name));
                }
                all = memchr::memmem::rfind(upto(line, at + name.len() - 1), name.as_bytes());
            }
            None
        })
        .max()?;
    let (nanos, cpu, pid, rest) = columns(upto(line, at - 1))?;
    let comm = rest.strip_prefix(b" ").unwrap_or(rest);
    Some(Event { line, nanos, cpu, pid, comm, name, args: after(line, at + name.len() + 1) })
}

/// `27802733967 0 151`, and what follows; thread and CPU may be missing.
fn columns(text: &[u8]) -> Option<(u64, Option<u16>, i32, &[u8])> {
    let (rest, nanos) = decimal(text).ok()?;
    let number = |text: &[u8]| -> Option<(usize, i64)> {
        let text = text.strip_prefix(b" ")?;
        let (rest, value) = signed(text).ok()?;
        matches!(rest, [] | [b' ', ..]).then_some((rest.len(), value))
    };
    let Some((left, cpu)) = number(rest) else {
        return matches!(rest, [] | [b' ', ..]).then_some((nanos, None, -1, rest));
    };
    let (rest, cpu) = (after(rest, rest.len() - left), u16::try_from(cpu).ok()?);
    let Some((left, pid)) = number(rest) else { return Some((nanos, Some(cpu), -1, rest)) };
    Some((nanos, Some(cpu), i32::try_from(pid).ok()?, after(rest, rest.len() - left)))
}

/// Whether what follows the columns can still be a task's name.
pub(super) fn most_comm(line: &[u8]) -> bool {
    columns(line).is_some_and(|(_, _, _, rest)| rest.len() <= MAX_COMM + 1)
}

/// Reads an event's fields.
pub(super) fn body<'a>(event: &Event<'a>) -> Result<What, Broken<'a>> {
    Ok(match body::of_event(event.name.as_bytes(), event.args).map_err(|broken| Broken { ..broken })? {
        Body::Alloc(alloc) => What::Alloc(alloc),
        Body::Free(free) => What::Free(free),
        Body::Purge(purge) => What::Purge(purge),
        _ => return Err(Broken { event: event.name, rest: event.args }),
    })
}

/// `Lost 17 events`
fn lost(line: &[u8]) -> Option<Option<u64>> {
    let (_, count) = delimited(lit(b"Lost "), decimal, lit(b" events")).parse(line).ok()?;
    Some(Some(count))
}

/// `Attaching 3 probes...`, `Attached 3 probes`.
pub(super) fn is_banner(line: &[u8]) -> bool {
    let parse = |word: &'static [u8]| -> bool {
        let parsed: Res<'_, _> = delimited(lit(word), decimal, lit(b" probe")).parse(line);
        parsed.is_ok()
    };
    parse(b"Attaching ") || parse(b"Attached ")
}

/// Maps (`@bytes[…]: 5`, a histogram's `[4K, 8K)   12 |@@@@   |`) and messages.
fn is_noise(line: &[u8]) -> bool {
    is_banner(line)
        || matches!(line.first(), Some(b'@' | b'[' | b']' | b'(' | b','))
        || [&b"WARNING:"[..], b"ERROR:", b"stdin:", b"Tracing ", b"Exiting"].iter().any(|start| line.starts_with(start))
}

/// A frame: `        alloc_vmap_area+947`, `\tffffffffb67a5993 alloc_vmap_area+947`; the offset is decimal.
pub(super) fn frame(text: &[u8]) -> Frame<'_> {
    let text = text.trim_ascii();
    let n = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let address = hex(upto(text, n)).ok().filter(|_| text.get(n) == Some(&b' ') || (8 <= n && n == text.len()));
    let (text, address) = match address {
        Some((_, address)) => (after(text, n).trim_ascii_start(), Some(address)),
        None => (text, None),
    };
    let hex_alone = text.strip_prefix(b"0x").and_then(|digits| hex(digits).ok()).filter(|(rest, _)| rest.is_empty());
    if let (None, Some((_, address))) = (address, hex_alone) {
        return Frame { symbol: b"", offset: None, length: None, module: None, address: Some(address) };
    }
    let (text, module) =
        match text.strip_suffix(b"]").and_then(|inside| Some((inside, memchr::memmem::rfind(inside, b" [")?))) {
            Some((inside, at)) if 0 < at => (upto(text, at), Some(after(inside, at + 2))),
            _ => (text, None),
        };
    let offset = memchr::memrchr(b'+', text).and_then(|at| {
        let (_, offset) = all_consuming(decimal).parse(after(text, at + 1)).ok()?;
        Some((upto(text, at), offset))
    });
    let (symbol, offset) = offset.map_or((text, None), |(symbol, offset)| (symbol, Some(offset)));
    Frame { symbol, offset, length: None, module, address }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(line: &str) -> Option<(u64, Option<u16>, i32, String)> {
        match classify(line.as_bytes()) {
            Text::Event(event) => {
                Some((event.nanos, event.cpu, event.pid, String::from_utf8_lossy(event.comm).into_owned()))
            }
            _ => None,
        }
    }

    #[test]
    fn columns_and_hostile_names() {
        for (columns, want) in [
            ("27802733967 0 151 bpftrace", (27_802_733_967, Some(0), 151, "bpftrace")),
            ("1 2 3 4 5 6", (1, Some(2), 3, "4 5 6")),
            ("1 2 3 alloc_vmap_area", (1, Some(2), 3, "alloc_vmap_area")),
            ("1 2 3 a b-c [x] :1", (1, Some(2), 3, "a b-c [x] :1")),
            ("1 2 3", (1, Some(2), 3, "")),
            ("1", (1, None, -1, "")),
        ] {
            let line = format!("{columns} free_vmap_area_noflush va_start=0x1000 nr_lazy=1 nr_lazy_max=2");
            let (nanos, cpu, pid, comm) = want;
            assert_eq!(seen(&line), Some((nanos, cpu, pid, comm.to_owned())), "{columns}");
        }
    }

    #[test]
    fn what_is_no_event() {
        assert_eq!(classify(b"Lost 17 events"), Text::Lost(Some(17)));
        for noise in ["Attaching 3 probes...", "Attached 1 probe", "@[bpf]: 2", "[4K, 8K)   12 |@@@@ |"] {
            assert_eq!(classify(noise.as_bytes()), Text::Noise, "{noise}");
        }
        assert_eq!(classify(b"1 2 3 nl"), Text::Begun);
    }

    #[test]
    fn frames_of_both_styles() {
        let plain = Frame { symbol: b"alloc_vmap_area", offset: Some(947), length: None, module: None, address: None };
        assert_eq!(frame(b"        alloc_vmap_area+947"), plain);
        let address = Some(0xffff_ffff_b67a_5993);
        assert_eq!(frame(b"\tffffffffb67a5993 alloc_vmap_area+947"), Frame { address, ..plain });
        assert_eq!(frame(b"        0xffffffffb67a5993"), Frame { symbol: b"", offset: None, address, ..plain });
        assert_eq!(
            frame(b"        f+1 [nf_tables]"),
            Frame { symbol: b"f", offset: Some(1), module: Some(b"nf_tables"), ..plain }
        );
    }
}
