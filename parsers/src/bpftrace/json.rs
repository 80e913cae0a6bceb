//! The objects of `bpftrace -f json`, one a line: `{"type": "printf", "data": "…\n"}`.

use crate::lex::{after, decimal, upto};

/// What an object says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Object<'a> {
    /// What the program printed, escaped.
    Text(&'a [u8]),
    /// So many events were lost.
    Lost(u64),
    /// Probes, maps, times.
    Other,
}

/// Reads a line that is one object of bpftrace.
pub(super) fn object(line: &[u8]) -> Option<Object<'_>> {
    let rest = line.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"type\"")?.trim_ascii_start();
    let (kind, rest) = string(rest.strip_prefix(b":")?.trim_ascii_start())?;
    let rest = rest.trim_ascii_start().strip_prefix(b",")?.trim_ascii_start().strip_prefix(b"\"data\"")?;
    let value = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    match kind {
        b"printf" => {
            let (text, rest) = string(value)?;
            rest.trim_ascii_start().starts_with(b"}").then_some(Object::Text(text))
        }
        b"lost_events" => {
            let at = memchr::memchr(b':', value)?;
            let (_, count) = decimal(after(value, at + 1).trim_ascii_start()).ok()?;
            Some(Object::Lost(count))
        }
        _ => Some(Object::Other),
    }
}

/// What stands between two quotes, still escaped, and the rest.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_prefix(b"\"")?;
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', after(inside, from))?;
        if inside.get(at) == Some(&b'"') {
            return Some((upto(inside, at), after(inside, at + 1)));
        }
        from = at + 2;
    }
}

/// Appends a string without its escapes; what is no escape stays as it is.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(upto(rest, at));
        rest = after(rest, at + 1);
        let Some((&escape, tail)) = rest.split_first() else {
            out.push(b'\\');
            return;
        };
        rest = tail;
        match escape {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => match code(rest) {
                // bpftrace escapes single bytes, not characters.
                Some(code) if code < 0x100 => {
                    out.push(code as u8);
                    rest = after(rest, 4);
                }
                Some(code) => {
                    let symbol = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                    out.extend_from_slice(symbol.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = after(rest, 4);
                }
                None => out.extend_from_slice(b"\\u"),
            },
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
}

/// Four hexadecimal digits.
fn code(text: &[u8]) -> Option<u32> {
    let (rest, code) = crate::lex::hex(upto(text, 4)).ok()?;
    (4 <= text.len() && rest.is_empty()).then_some(code as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects() {
        assert_eq!(object(br#"{"type": "attached_probes", "data": {"probes": 3}}"#), Some(Object::Other));
        assert_eq!(object(br#"{"type":"printf","data":"a \"b\"\n"}"#), Some(Object::Text(br#"a \"b\"\n"#)));
        assert_eq!(object(br#"{"type": "lost_events", "data": {"events": 17}}"#), Some(Object::Lost(17)));
        assert_eq!(object(br#"{"type": "printf", "data": "cut"#), None);
        assert_eq!(object(b"{}"), None);
    }

    #[test]
    fn escapes() {
        let mut out = Vec::new();
        unescape(br#"a\n\t\"\\\u001b\u20ac\q\"#, &mut out);
        assert_eq!(out, "a\n\t\"\\\u{1b}\u{20ac}q\\".as_bytes());
    }
}
