//! The size of a damaged row, in any spelling.

use super::{PAGE_SIZE, Tail, price};
use crate::ProblemKind;
use crate::lex::{after, decimal, hex, upto};
use crate::vmallocinfo::marks;

impl Tail<'_, '_> {
    /// Reads the size, or takes it from the addresses. `None` if neither tells it.
    pub(super) fn size(&mut self) -> Option<()> {
        self.skip_blanks();
        let wanted = self.columns.size;
        if let Some((n, size)) = respelt(self.rest, wanted) {
            let is_grouped = !upto(self.rest, n).iter().any(u8::is_ascii_alphabetic);
            let tail = after(self.rest, n);
            let rest = std::mem::replace(&mut self.rest, tail);
            self.skip_blanks();
            // Tables of other things give sizes like that as well.
            if is_grouped || self.rest.is_empty() || self.is_known() || self.rest.starts_with(b"vm_map_ram") {
                self.reading.area.size = size;
                self.reading.price += u32::from(wanted.is_some_and(|wanted| wanted != size)) * price::SIZE;
                return Some(());
            }
            self.rest = rest;
        }
        let (word, rest) = self.word();
        let (junk, size) = match decimal(word) {
            Ok((junk, size)) => (junk, Some(size)),
            Err(_) => (word, None),
        };
        // Glued to the caller; a caller may begin with any letter.
        let is_size = junk.is_empty() || wanted == size || junk.starts_with(b"vm_map_ram");
        if let Some(size) = size.filter(|_| is_size) {
            let is_cut = rest.is_empty() && wanted.is_some_and(|wanted| starts_with_digits(wanted, size));
            match wanted {
                Some(wanted) if is_cut && wanted != size => {
                    self.note(word, ProblemKind::SizeComputed);
                    self.reading.price += price::CUT;
                    self.reading.area.size = wanted;
                }
                _ => {
                    self.reading.area.size = size;
                    let odd = size == 0 || size % PAGE_SIZE != 0 || wanted.is_some_and(|wanted| wanted != size);
                    self.reading.price += u32::from(odd) * price::SIZE;
                }
            }
            self.rest = after(self.rest, word.len() - junk.len());
            return Some(());
        }
        let size = wanted?;
        let is_end = word.is_empty() || marks::is_mark(word);
        if marks::is_redacted(word) {
            self.rest = rest;
            self.note(word, ProblemKind::Redacted);
        } else if !is_end && !self.is_known() {
            return None;
        }
        self.note(word, ProblemKind::SizeComputed);
        self.reading.area.size = size;
        self.reading.price += price::CUT;
        Some(())
    }
}

/// A size that is not spelt as the kernel does, and its bytes: `0x5000`, `20,480`, `20K`.
fn respelt(text: &[u8], wanted: Option<u64>) -> Option<(usize, u64)> {
    let ends = |n: usize| after(text, n).first().is_none_or(|b| b.is_ascii_whitespace() || matches!(b, b'|' | b';'));
    let fits = |size: u64| wanted.map_or(size.is_multiple_of(PAGE_SIZE), |wanted| wanted == size) && 0 < size;
    let told = |rest: &[u8], size: Option<u64>| {
        let n = text.len() - rest.len();
        size.filter(|size| ends(n) && fits(*size)).map(|size| (n, size))
    };
    if let Some(digits) = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")) {
        let (rest, size) = hex(digits).ok()?;
        return told(rest, Some(size));
    }
    let (mut rest, mut size) = decimal(text).ok()?;
    if let [mark @ (b',' | b'.' | b'\'' | b'_'), ..] = rest {
        while let Some(group) = rest.strip_prefix(&[*mark]) {
            let digits = upto(group, 3);
            let (_, more) = decimal(digits).ok().filter(|(tail, _)| tail.is_empty() && digits.len() == 3)?;
            size = size.checked_mul(1000)?.checked_add(more)?;
            rest = after(group, 3);
        }
        return told(rest, Some(size));
    }
    let (unit, shift) = match rest {
        [b'K' | b'k', unit @ ..] => (unit, 10),
        [b'M', unit @ ..] => (unit, 20),
        _ => return None,
    };
    let unit = unit.strip_prefix(b"i").unwrap_or(unit);
    told(unit.strip_prefix(b"B").unwrap_or(unit), size.checked_mul(1 << shift))
}

/// Whether one number begins with the digits of another.
fn starts_with_digits(number: u64, digits: u64) -> bool {
    number.to_string().starts_with(&digits.to_string())
}
