//! Lines that are no rows but say something about the rows around them.

use crate::ProblemKind;
use crate::lex::{decimal, trim, upto};

/// What a line without a row is; `None` if there is nothing to say about it.
pub(super) fn kind_of(line: &[u8]) -> Option<ProblemKind> {
    let text = trim(line);
    if text.is_empty() || is_rule(text) {
        None
    } else if is_cut(text) {
        Some(ProblemKind::RowsCut)
    } else if is_hunk(text) {
        Some(ProblemKind::Diff)
    } else if is_remnant(text) {
        Some(ProblemKind::BrokenRow)
    } else {
        Some(ProblemKind::NotARow)
    }
}

/// Whether a line names a file of rows that follows: a command, or the header of `head` and `diff`.
pub(super) fn names_file(line: &[u8]) -> bool {
    let has = |words: &[&[u8]]| words.iter().any(|word| memchr::memmem::find(line, word).is_some());
    let text = trim(line);
    text.starts_with(b"==> ") && text.ends_with(b" <==")
        || has(&[b"vmallocinfo"])
            && has(&[b"cat ", b"head", b"tail", b"grep ", b"sort ", b"less ", b"more ", b"# ", b"$ "])
}

/// Whether a word is what people leave where they cut, or what frames a line.
pub(super) fn is_mark(word: &[u8]) -> bool {
    matches!(
        word,
        b"=" | b"\\" | b"|" | b"," | b";" | b"$" | b"\xe2\x80\xa6" | b"[" | b"]" | b"</pre>" | b"<br>" | b"^M"
    ) || is_dots(word)
        || !word.is_empty() && word.iter().all(|b| matches!(b, b'`' | b'"' | b'\'' | b'*'))
}

/// `...`, `[..]`, `(...)`
pub(super) fn is_dots(word: &[u8]) -> bool {
    word.contains(&b'.') && 1 < word.len() && word.iter().all(|b| matches!(b, b'.' | b'[' | b']' | b'(' | b')'))
}

/// Whether a word was made unreadable.
pub(super) fn is_redacted(word: &[u8]) -> bool {
    // Asked of every word of every reading.
    let (mut marks, mut stars, mut first_mark) = (0, 0, 0);
    for (at, byte) in word.iter().enumerate() {
        stars += u32::from(*byte == b'*');
        if *byte == b'#' {
            first_mark = if marks == 0 { at } else { first_mark };
            marks += 1;
        }
    }
    1 < marks && first_mark < 24 || 3 < stars || is_word(word, b"redacted")
}

fn is_word(word: &[u8], wanted: &[u8]) -> bool {
    let letters = word.iter().filter(|b| b.is_ascii_alphabetic()).map(u8::to_ascii_lowercase);
    letters.eq(wanted.iter().copied())
}

/// A line of dashes or the fence of a code block: it frames, it hides nothing.
fn is_rule(text: &[u8]) -> bool {
    let fence = text.strip_prefix(b"```").or_else(|| text.strip_prefix(b"~~~"));
    fence.is_some_and(|language| language.iter().all(u8::is_ascii_alphanumeric))
}

/// `...`, `[snip]`, `... total 674 lines ...`
fn is_cut(text: &[u8]) -> bool {
    let lower: Vec<u8> = upto(text, 200).to_ascii_lowercase();
    let has = |words: &[&[u8]]| words.iter().any(|word| memchr::memmem::find(&lower, word).is_some());
    let dotted = text.starts_with(b"..") || text.starts_with("…".as_bytes()) || text.ends_with(b"..");
    let framed =
        matches!(text, [b'[' | b'<' | b'(' | b'*' | b'-' | b'~' | b'8' | b'.', ..]) || text.ends_with(b"lines");
    let told = has(&[
        b"snip",
        b"skipped",
        b"omitted",
        b"truncated",
        b"cut here",
        b"cut >",
        b" more lines",
        b"trimmed",
        b"elided",
    ]);
    text.iter()
        .all(|b| matches!(b, b'.' | b' ' | b'[' | b']' | b'(' | b')' | b':' | b'~' | b'<' | b'>' | 0xe2 | 0x80 | 0xa6))
        && dotted_only(text)
        || dotted && has(&[b"lines", b"rows", b"more", b"total", b"skip", b"entries", b"etc"])
        || framed && told
        || is_cut_line(&lower)
}

/// `:` or `.` alone stand for rows as well.
fn dotted_only(text: &[u8]) -> bool {
    text.iter().any(|b| matches!(b, b'.' | b':' | b'~' | 0xa6))
}

/// `-- snip --`, `8< ----`
fn is_cut_line(lower: &[u8]) -> bool {
    let letters: Vec<u8> = lower.iter().copied().filter(u8::is_ascii_alphabetic).collect();
    let frame = lower.iter().any(|b| b"-=<>[]*~.".contains(b));
    frame
        && matches!(
            letters.as_slice(),
            b"snip" | b"cut" | b"snipped" | b"skip" | b"etc" | b"more" | b"snap" | b"deleted"
        )
        || memchr::memmem::find(lower, b"8<").is_some() && lower.contains(&b'-')
}

/// `68a69`, `12,14c15`, `@@ -1,4 +1,4 @@`
fn is_hunk(text: &[u8]) -> bool {
    if text.starts_with(b"@@ -") {
        return true;
    }
    let Some([b'a' | b'c' | b'd', right @ ..]) = range(text) else { return false };
    range(right).is_some_and(<[u8]>::is_empty)
}

/// `12`, `12,14`: what follows it.
fn range(text: &[u8]) -> Option<&[u8]> {
    let (rest, _) = decimal(text).ok()?;
    match rest.strip_prefix(b",") {
        Some(rest) => decimal(rest).ok().map(|(rest, _)| rest),
        None => Some(rest),
    }
}

/// What is left of a row whose addresses are lost: nobody else writes such words.
fn is_remnant(text: &[u8]) -> bool {
    let mut words = text.split(u8::is_ascii_whitespace);
    let address = |word: &[u8]| {
        let digits = word.strip_prefix(b"0x").unwrap_or_default();
        let n = digits.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        (n == 8 || n == 16) && digits.get(n) == Some(&b'-')
    };
    let number = |word: &[u8], key: &[u8]| {
        word.strip_prefix(key).is_some_and(|value| !value.is_empty() && value.iter().all(u8::is_ascii_digit))
    };
    words.any(|word| address(word) || number(word, b"pages="))
        || memchr::memmem::find(text, b" phys=0x").is_some()
        || text.ends_with(b"unpurged vm_area")
        || text.ends_with(b" vm_map_ram")
}
