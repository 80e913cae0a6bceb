//! HTML around and between the words of a row, and texts that are strings of JSON or C.

use crate::lex::{after, upto};

/// Characters that HTML and mailers spell by name.
pub(super) const ENTITIES: [(&[u8], &[u8]); 10] = [
    (b"&gt;", b">"),
    (b"&lt;", b"<"),
    (b"&nbsp;", b" "),
    (b"&#160;", b" "),
    (b"&amp;", b"&"),
    (b"&quot;", b"\""),
    (b"&#34;", b"\""),
    (b"&#39;", b"'"),
    (b"&#43;", b"+"),
    (b"&#x27;", b"'"),
];

/// Elements that a text can be wrapped in. No function is called like that alone.
const ELEMENTS: [&[u8]; 24] = [
    b"a",
    b"b",
    b"blockquote",
    b"body",
    b"br",
    b"code",
    b"div",
    b"em",
    b"font",
    b"html",
    b"i",
    b"li",
    b"o:p",
    b"p",
    b"pre",
    b"span",
    b"strong",
    b"table",
    b"tbody",
    b"td",
    b"th",
    b"tr",
    b"tt",
    b"u",
];
/// Those of them that say nothing about lines.
const INLINE: [&[u8]; 11] = [b"a", b"b", b"code", b"em", b"font", b"i", b"o:p", b"span", b"strong", b"tt", b"u"];
/// A line end as strings spell it.
const LINE_END: &[u8] = b"\\n";
/// Longest tag, in bytes.
const MAX_TAG: usize = 400;

/// Bytes of the tag that a text begins with; 0 if there is none.
pub(super) fn tag_len(text: &[u8]) -> usize {
    let Some(end) = memchr::memchr(b'>', upto(text, MAX_TAG)) else { return 0 };
    let inner = after(upto(text, end), 1);
    let inner = inner.strip_prefix(b"/").unwrap_or(inner);
    let n = inner.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b':').count();
    let (name, rest) = (upto(inner, n).to_ascii_lowercase(), after(inner, n));
    let attributes = rest.is_empty() || rest == b"/" || rest.starts_with(b" ");
    if attributes && ELEMENTS.contains(&name.as_slice()) { end + 1 } else { 0 }
}

/// What a tag stands for: those that begin or end a line or a cell are a blank, unless a line of the text ends there.
pub(super) fn spaced(text: &[u8]) -> &'static [u8] {
    let inner = after(text, 1);
    let inner = inner.strip_prefix(b"/").unwrap_or(inner);
    let name = upto(inner, inner.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b':').count());
    let is_inline = INLINE.iter().any(|inline| name.eq_ignore_ascii_case(inline));
    let mut rest = after(text, tag_len(text));
    while let n @ 1.. = tag_len(rest) {
        rest = after(rest, n);
    }
    if is_inline || crate::lex::trim_end(rest).is_empty() { b"" } else { b" " }
}

/// A line, or the lines that are told in it as in a string of JSON or C, and where each begins.
pub(super) fn parts(line: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let is_string = memchr::memmem::find(line, LINE_END).is_some() && memchr::memmem::find(line, b"0x").is_some();
    let mut at = Some(0);
    std::iter::from_fn(move || {
        let start = at?;
        let rest = after(line, start);
        let n = if is_string { memchr::memmem::find(rest, LINE_END) } else { None };
        at = n.map(|n| start + n + LINE_END.len());
        let part = upto(rest, n.unwrap_or(rest.len()));
        Some((start, part.strip_suffix(b"\\r").filter(|_| is_string).unwrap_or(part)))
    })
}

/// What an escape of a string stands for, and its bytes.
pub(super) fn escaped(text: &[u8]) -> Option<(usize, &'static [u8])> {
    Some(match text {
        [_, b't', ..] => (2, b"\t"),
        [_, b'r', ..] => (2, b" "),
        [_, b'"', ..] => (2, b"\""),
        [_, b'u', digits @ ..] => match &upto(digits, 4).to_ascii_lowercase()[..] {
            b"003c" => (6, b"<"),
            b"003e" => (6, b">"),
            b"0026" => (6, b"&"),
            b"003d" => (6, b"="),
            b"002b" => (6, b"+"),
            b"0027" => (6, b"'"),
            b"00a0" | b"0009" => (6, b" "),
            b"2010" | b"2011" | b"2012" | b"2013" | b"2014" | b"2015" | b"2212" => (6, b"-"),
            b"2026" => (6, b"..."),
            b"feff" | b"200b" => (6, b""),
            b"001b" => {
                let colour = after(text, 6).strip_prefix(b"[")?;
                let n = colour.iter().take_while(|b| b.is_ascii_digit() || **b == b';').count();
                (6 + 1 + n + 1, b"")
            }
            _ => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_what_only_looks_like_one() {
        for (text, n) in [
            (&b"<br>x"[..], 4),
            (b"<BR/> ", 5),
            (b"</span></p>", 7),
            (b"<p class=\"a\">0x", 13),
            (b"<sys_swapon+1595>", 0),
            (b"<module>", 0),
            (b"<b+12>", 0),
            (b"< 0xffff", 0),
            (b"<a", 0),
        ] {
            assert_eq!(tag_len(text), n, "{}", String::from_utf8_lossy(text));
        }
    }
}
