//! The two addresses of a row, wherever they stand: the dash between them survives nearly everything.

use crate::lex::{after, nibble, upto};

/// Shortest start address that is taken for a cut one, in digits.
const MIN_DIGITS: usize = 4;

/// One address of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) value: u64,
    /// Hexadecimal digits; 0 if it is not there at all.
    pub(super) digits: u8,
    /// A placeholder stands there.
    pub(super) hidden: Hidden,
}

/// Why an address cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hidden {
    /// It can.
    No,
    /// `(____ptrval____)`, `(ptrval)`, `(null)`: by the kernel.
    Kernel,
    /// `################`: by a person.
    Person,
}

/// Two addresses with a dash between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    /// Where the row begins and where its addresses end, bytes into the text.
    pub(super) at: usize,
    pub(super) until: usize,
    pub(super) start: Address,
    pub(super) end: Address,
    /// Something other than a line end or a blank stands right before it: a row whose line end was lost.
    pub(super) is_glued: bool,
}

/// Placeholders and the digits they stand for.
const PLACEHOLDERS: [(&[u8], u8); 4] = [(b"(____ptrval____)", 16), (b"(ptrval)", 8), (b"(null)", 16), (b"(nil)", 16)];

/// Whether a row begins at the start of a text.
pub(super) fn starts(text: &[u8]) -> bool {
    find(upto(text, 60)).first().is_some_and(|pair| pair.at == 0)
}

/// Every pair of addresses. A line end in the text stands for a blank or nothing.
pub(super) fn find(text: &[u8]) -> Vec<Pair> {
    let mut found: Vec<Pair> = Vec::new();
    for dash in memchr::memchr_iter(b'-', text) {
        let from = found.last().map_or(0, |last| last.until);
        if let Some(pair) = pair(text, from, dash) {
            found.push(pair);
        }
    }
    found
}

fn pair(text: &[u8], from: usize, dash: usize) -> Option<Pair> {
    let left = text.get(from..dash)?;
    let mut right = after(text, dash + 1);
    // A dash that was typed as two.
    right = right.strip_prefix(b"-").unwrap_or(right);
    let first = right.iter().position(|b| !matches!(b, b' ' | b'\t' | b'\n'))?;
    let n_lines = memchr::memchr_iter(b'\n', upto(right, first)).count();
    right = after(right, first);
    if 1 < n_lines {
        return None;
    }
    let skipped = text.len() - right.len();
    let width = width_before(left);
    let (n, end) = address_after(right, width)?;
    let mut until = skipped + n;
    let (at, start, is_glued) = address_before(left, end)?;
    if start.digits == 0 && start.hidden == Hidden::No {
        // The dash alone says that this is the end of an area: only the text's first row is cut like this.
        if dash != 0 || !after(text, 1).starts_with(b"0x") {
            return None;
        }
    }
    // `-0xffffc90000005000`, wrapped right before the size.
    if text.get(until) == Some(&b':') {
        until += 1;
    }
    Some(Pair { at: from + at, until, start, end, is_glued })
}

/// Digits of the run before a dash: how wide the other address is likely to be.
fn width_before(text: &[u8]) -> usize {
    let text = trim(text);
    text.iter().rev().take(17).take_while(|b| nibble(**b) < 16).count()
}

/// Without blanks and line ends behind.
fn trim(mut text: &[u8]) -> &[u8] {
    while let [head @ .., b' ' | b'\t' | b'\n'] = text {
        text = head;
    }
    text
}

/// The address that ends `text`: where it begins, and whether it is glued to what stands before.
fn address_before(text: &[u8], end: Address) -> Option<(usize, Address, bool)> {
    let text = trim(text);
    let unprefixed = |head: &[u8]| head.len() - usize::from(is_prefixed(head)) * 2;
    for (name, digits) in PLACEHOLDERS {
        if let Some(head) = strip_end(text, name) {
            let digits = if end.digits == 0 { digits } else { end.digits };
            let at = unprefixed(upto(head, trim_blanks(head)));
            return Some((at, Address { value: 0, digits, hidden: Hidden::Kernel }, false));
        }
    }
    let n_masked = text.iter().rev().take(16).take_while(|b| is_digit_or_mask(**b)).count();
    let at = text.len() - n_masked;
    if is_masked(after(text, at)) {
        let at = unprefixed(upto(text, at));
        return Some((at, Address { value: 0, digits: end.digits, hidden: Hidden::Person }, false));
    }
    let wanted = usize::from(end.digits);
    if wanted == 0 {
        return None;
    }
    let (value, n, at) = digits_before(text, wanted);
    let head = upto(text, at);
    let address = Address { value, digits: n as u8, hidden: Hidden::No };
    if is_prefixed(head) {
        let before = upto(head, head.len() - 2);
        let is_glued = before.last().is_some_and(|b| !matches!(b, b' ' | b'\t' | b'\n'));
        return Some((before.len(), address, is_glued)).filter(|_| n == wanted || MIN_DIGITS <= n);
    }
    let is_glued = head.last().is_some_and(|b| !matches!(b, b' ' | b'\t' | b'\n'));
    if n == 0 {
        return Some((text.len(), address, false)).filter(|_| text.is_empty());
    }
    // A longer word that merely ends like an address is none.
    if n < MIN_DIGITS && (0 < at || is_glued)
        || is_glued && head.last().is_some_and(u8::is_ascii_alphanumeric) && n < wanted
    {
        return None;
    }
    Some((at, address, is_glued))
}

/// What follows a placeholder that may be broken into lines.
fn strip_start<'a>(mut text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    for (n, byte) in name.iter().enumerate() {
        if 0 < n {
            text = text.strip_prefix(b"\n").unwrap_or(text);
        }
        text = text.strip_prefix(&[*byte])?;
    }
    Some(text)
}

/// What stands before a placeholder that may be broken into lines.
fn strip_end<'a>(mut text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    for (n, byte) in name.iter().rev().enumerate() {
        if 0 < n {
            text = text.strip_suffix(b"\n").unwrap_or(text);
        }
        text = text.strip_suffix(&[*byte])?;
    }
    Some(text)
}

fn is_digit_or_mask(byte: u8) -> bool {
    nibble(byte) < 16 || matches!(byte, b'#' | b'*' | b'x' | b'X')
}

/// `ffffc9##########`, `xxxxxxxx`: somebody made an address unreadable.
fn is_masked(text: &[u8]) -> bool {
    let count = |marks: &[u8]| text.iter().filter(|b| marks.contains(b)).count();
    1 < count(b"#*") || 3 < count(b"xX")
}

fn trim_blanks(text: &[u8]) -> usize {
    text.iter().rposition(|b| *b != b' ').map_or(0, |at| at + 1)
}

fn is_prefixed(head: &[u8]) -> bool {
    head.ends_with(b"0x") || head.ends_with(b"0X")
}

/// Hexadecimal digits before the end of a text, `wanted` at most: value, number and where they begin. A line end inside
/// them counts only if all digits are there then.
fn digits_before(text: &[u8], wanted: usize) -> (u64, usize, usize) {
    let n = text.iter().rev().take(wanted).take_while(|b| nibble(**b) < 16).count();
    let mut best = (n, text.len() - n);
    let mut at = best.1;
    let mut total = n;
    while total < wanted && text.get(..at).is_some_and(|head| head.ends_with(b"\n")) {
        at -= 1;
        let more = upto(text, at).iter().rev().take(wanted - total).take_while(|b| nibble(**b) < 16).count();
        // `0` before `x` is no digit of it.
        total += more;
        at -= more;
        let head = upto(text, at);
        if total == wanted && (is_prefixed(head) || head.last().is_none_or(|b| matches!(b, b' ' | b'\t' | b'\n'))) {
            best = (total, at);
        }
        if more == 0 {
            break;
        }
    }
    // The digits alone may stand on a line below `0x`.
    if best.0 == wanted {
        let head = upto(text, best.1);
        if let Some(head) = head.strip_suffix(b"\n").filter(|head| is_prefixed(head)) {
            best.1 = head.len();
        }
    }
    (value(after(text, best.1)), best.0, best.1)
}

/// The value of hexadecimal digits, line ends among them left out.
fn value(text: &[u8]) -> u64 {
    text.iter().filter(|b| nibble(**b) < 16).fold(0, |value, b| (value << 4) | u64::from(nibble(*b)))
}

/// The address that `text` begins with, and its bytes. `width`: digits of the address before it.
fn address_after(text: &[u8], width: usize) -> Option<(usize, Address)> {
    let prefix = match text {
        [b'0', b'\n', b'x', b'\n', ..] => 4,
        [b'0', b'\n', b'x' | b'X', ..] | [b'0', b'x' | b'X', b'\n', ..] => 3,
        [b'0', b'x' | b'X', ..] => 2,
        _ => 0,
    };
    let body = after(text, prefix);
    let blanks = body.iter().take_while(|b| **b == b' ').count();
    for (name, digits) in PLACEHOLDERS {
        if let Some(rest) = strip_start(after(body, blanks), name) {
            return Some((text.len() - rest.len(), Address { value: 0, digits, hidden: Hidden::Kernel }));
        }
    }
    let n_masked = body.iter().take(16).take_while(|b| is_digit_or_mask(**b)).count();
    if is_masked(upto(body, n_masked)) {
        let digits = if n_masked <= 8 { 8 } else { 16 };
        return Some((prefix + n_masked, Address { value: 0, digits, hidden: Hidden::Person }));
    }
    let run = |text: &[u8]| text.iter().take(17).take_while(|b| nibble(**b) < 16).count();
    let mut n = run(body);
    // Glued to its size: as many digits as the other one has.
    if 8 < n && width == 8 && prefix == 2 || 16 < n {
        n = if width == 8 { 8 } else { 16 };
    }
    let mut bytes = n;
    let mut total = n;
    while total < 16 && total != width.max(8) && body.get(bytes) == Some(&b'\n') {
        let more = run(after(body, bytes + 1)).min(16 - total);
        // Nothing of the kind follows, or the next thing is the size.
        if more == 0 || total == 8 && width != 16 {
            break;
        }
        if 8 < total + more && total + more < 16 && after(body, bytes + 1 + more).first() != Some(&b'\n') {
            break;
        }
        total += more;
        bytes += 1 + more;
        n = total;
    }
    let ends = after(body, bytes).first().is_none_or(|b| !b.is_ascii_alphabetic());
    let value = value(upto(body, bytes));
    ((8..=16).contains(&n) && ends).then_some((prefix + bytes, Address { value, digits: n as u8, hidden: Hidden::No }))
}
