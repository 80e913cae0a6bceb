//! What callers, names of functions and prompts look like.

use std::borrow::Cow;

use super::super::{Caller, fast, row};
use crate::lex::{after, hex, upto};

/// `foo_init+0x2b/0x110 [foo]`, `<foo_init+43>`, upper case; what is glued to it stays.
pub(super) fn caller(text: &[u8]) -> Option<(Caller<'_>, &[u8])> {
    let n = text.iter().take_while(|b| fast::is_symbol(**b)).count();
    let name = upto(text, n);
    let digits = |rest| {
        let rest: &[u8] = rest;
        rest.strip_prefix(b"0x").or_else(|| rest.strip_prefix(b"0X")).and_then(|rest| hex(rest).ok())
    };
    if 0 < n && after(text, n).starts_with(b"+") {
        let (rest, offset) = digits(after(text, n + 1))?;
        let (rest, length) = digits(rest.strip_prefix(b"/")?)?;
        let mut caller = Caller { symbol: Cow::Borrowed(name), offset, length, module: None };
        let inner = after(rest, rest.iter().take_while(|b| b.is_ascii_whitespace()).count());
        if let Some(inner) = inner.strip_prefix(b"[")
            && let Some(end) = memchr::memchr(b']', inner).filter(|end| row::is_module(upto(inner, *end)))
        {
            caller.module = Some(Cow::Borrowed(upto(inner, end)));
            return Some((caller, after(inner, end + 1)));
        }
        let ends = rest.first().is_none_or(|b| !b.is_ascii_alphanumeric());
        return ends.then_some((caller, rest));
    }
    let (rest, _) = digits(text)?;
    let n_digits = text.len() - rest.len() - 2;
    let ends = rest.first().is_none_or(u8::is_ascii_whitespace) && (4..=16).contains(&n_digits);
    let symbol = Cow::Borrowed(upto(text, n_digits + 2));
    ends.then_some((Caller { symbol, offset: 0, length: 0, module: None }, rest))
}

/// A function's name.
pub(super) fn is_name(word: &[u8]) -> bool {
    let inner = word.strip_prefix(b"<").and_then(|word| word.strip_suffix(b">")).unwrap_or(word);
    let first = inner.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    first && inner.iter().all(|b| fast::is_symbol(*b) || *b == b'+') && !matches!(inner, b"unpurged" | b"freeing")
}

/// `root@host:~# `, `$ `, `[root@host ~]# `, `bash-4.2$`, `sh-5.1#`
pub(in super::super) fn is_prompt(text: &[u8]) -> bool {
    let word = upto(text, text.iter().take_while(|b| !b.is_ascii_whitespace()).count());
    matches!(word, [b'#' | b'$' | b'>' | b'%' | b'[' | b'(', ..])
        || word.contains(&b'@')
        || matches!(word, [.., b'#' | b'$'])
        || word.ends_with(b">") && word.contains(&b':')
}
