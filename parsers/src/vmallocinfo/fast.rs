//! The rows that nearly every file consists of, read without a grammar.
//!
//! [`row`] takes a line exactly as kernels since 3.10 print it, and leaves every surprise to [`super::row::row`]. What
//! it takes, it reads as the grammar does; the tests compare the two on damaged and undamaged lines.

use std::borrow::Cow;

use super::{Area, Caller, Flags, State};
use crate::lex::{after, upto};

/// A byte repeated over a word.
const ONES: u64 = 0x0101_0101_0101_0101;

/// A row without its line end; `None` leaves it to the grammar.
#[cfg(test)]
fn row(line: &[u8]) -> Option<Area<'_>> {
    let mut area = Area::new(0, 0, 0);
    fill(line, &mut area).map(|()| area)
}

/// Reads a row into `area`, of which only the place in the input is kept: moving a row costs more than reading it.
#[inline]
pub(super) fn fill<'a>(text: &'a [u8], area: &mut Area<'a>) -> Option<()> {
    let rest = text.strip_prefix(b"0x")?;
    let (start, end, digits, rest) = match rest.get(16..19) {
        Some(b"-0x") => {
            let (start, rest) = hex16(rest)?;
            let (end, rest) = hex16(after(rest, 3))?;
            (start, end, 16, rest)
        }
        _ => {
            let (start, rest) = hex8(rest)?;
            let (end, rest) = hex8(rest.strip_prefix(b"-0x")?)?;
            (start, end, 8, rest)
        }
    };
    let (size, mut rest) = number(blanks(rest.strip_prefix(b" ")?))?;
    (area.start, area.end, area.size, area.address_digits) = (start, end, size, digits);
    (area.caller, area.pages, area.phys, area.phys_digits) = (None, None, None, 0);
    (area.flags, area.state) = (Flags::default(), State::Busy);
    area.nodes.clear();
    match rest {
        b" unpurged vm_area" => {
            area.state = State::Unpurged;
            return Some(());
        }
        b" vm_map_ram" => {
            area.state = State::VmMapRam;
            return Some(());
        }
        _ => {}
    }
    let (caller, tail) = caller(rest.strip_prefix(b" ")?)?;
    area.caller = Some(caller);
    rest = tail;
    if let Some(tail) = rest.strip_prefix(b" pages=") {
        let (pages, tail) = number(tail)?;
        area.pages = Some(pages);
        rest = tail;
    }
    if let Some(tail) = rest.strip_prefix(b" phys=0x") {
        let (phys, tail) = hex16(tail)?;
        (area.phys, area.phys_digits) = (Some(phys), 16);
        rest = tail;
    }
    while let [b' ', first @ b'a'..=b'z', ..] = rest {
        let (flag, word): (Flags, &[u8]) = match first {
            b'v' if rest.starts_with(b" vmal") => (Flags::VMALLOC, b" vmalloc"),
            b'v' if rest.starts_with(b" vma") => (Flags::VMAP, b" vmap"),
            b'v' => (Flags::VPAGES, b" vpages"),
            b'i' => (Flags::IOREMAP, b" ioremap"),
            b'u' => (Flags::USER, b" user"),
            b's' => (Flags::SPARSE, b" sparse"),
            _ => (Flags::DMA_COHERENT, b" dma-coherent"),
        };
        rest = rest.strip_prefix(word)?;
        area.flags = area.flags.with(flag);
    }
    while let Some(tail) = rest.strip_prefix(b" N") {
        let (node, tail) = number(tail)?;
        let (pages, tail) = number(tail.strip_prefix(b"=")?)?;
        area.nodes.push(u16::try_from(node).ok()?, pages);
        rest = tail;
    }
    rest.is_empty().then_some(())
}

/// `foo_init+0x2b/0x110 [foo]`
#[inline]
fn caller(text: &[u8]) -> Option<(Caller<'_>, &[u8])> {
    let n = text.iter().take_while(|&&b| is_symbol(b)).count();
    if n == 0 {
        return None;
    }
    let symbol = Cow::Borrowed(upto(text, n));
    let rest = after(text, n);
    if !rest.starts_with(b"+") {
        // A module that is gone.
        let is_address = hex(symbol.strip_prefix(b"0x")?)?.1.is_empty();
        return is_address.then_some((Caller { symbol, offset: 0, length: 0, module: None }, rest));
    }
    let (offset, rest) = hex(rest.strip_prefix(b"+0x")?)?;
    let (length, rest) = hex(rest.strip_prefix(b"/0x")?)?;
    let mut caller = Caller { symbol, offset, length, module: None };
    let Some(name) = rest.strip_prefix(b" [") else { return Some((caller, rest)) };
    let n = name.iter().take_while(|&&b| is_symbol(b) || b == b'-').count();
    let rest = after(name, n).strip_prefix(b"]").filter(|_| 0 < n)?;
    caller.module = Some(Cow::Borrowed(upto(name, n)));
    Some((caller, rest))
}

/// Bytes that names of functions consist of, compilers' suffixes included.
#[inline]
pub(super) fn is_symbol(byte: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut at = 0;
        while at < 256 {
            let byte = at as u8;
            table[at] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$');
            at += 1;
        }
        table
    };
    TABLE.get(usize::from(byte)).copied().unwrap_or_default()
}

#[inline]
fn blanks(text: &[u8]) -> &[u8] {
    after(text, text.iter().take_while(|&&b| b == b' ').count())
}

/// A decimal number of at most 18 digits.
#[inline]
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    let mut n = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if 9 < digit {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        n += 1;
    }
    (0 < n && n <= 18).then(|| (value, after(text, n)))
}

/// A hexadecimal number of at most 16 lower-case digits.
#[inline]
fn hex(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    let mut n = 0;
    for &byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => break,
        };
        value = (value << 4) | u64::from(digit);
        n += 1;
    }
    (0 < n && n <= 16).then(|| (value, after(text, n)))
}

/// Exactly 16 lower-case digits.
#[inline]
fn hex16(text: &[u8]) -> Option<(u64, &[u8])> {
    let (high, rest) = hex8(text)?;
    let (low, rest) = hex8(rest)?;
    Some(((high << 32) | low, rest))
}

/// Eight lower-case digits, all at once: each byte of a word holds one.
#[inline]
fn hex8(text: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<8>()?;
    let word = u64::from_be_bytes(*digits);
    let letters = (word >> 6) & ONES;
    let low = word & (ONES * 0x0f);
    let high_fits = word & (ONES * 0xf0) == ONES * 0x30 + letters * 0x30;
    // `9 < digit` and `6 < letter` carry into bit 4; a letter of 0 (a backquote) does not, and must.
    let too_large = (low + (ONES ^ letters) * 6 + letters * 9) & (ONES * 0x10);
    let letters_from_1 = ((low + letters * 0x0f) >> 4) & letters;
    if !high_fits || too_large != 0 || letters_from_1 != letters {
        return None;
    }
    let pairs = low + letters * 9;
    let pairs = (pairs | (pairs >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    Some(((fours | (fours >> 16)) & 0xffff_ffff, rest))
}

#[cfg(test)]
mod tests {
    use crate::vmallocinfo::row;
    use proptest::prelude::*;

    const ROWS: [&str; 8] = [
        "0xffffc90000000000-0xffffc90000005000   20480 foo_init+0x2b/0x110 [foo] pages=4 vmalloc N0=4",
        "0xffffc9000003c000-0xffffc9000003e000    8192 acpi_os_map_iomem+0x1a/0x20 phys=0x00000000fed00000 ioremap",
        "0xf8802000-0xf8804000    8192 acpi_os_map_memory+0x11/0x1a phys=7fee0000 ioremap",
        "0xf0800000-0xf0803000   12288 start_kernel+0x590/0x740 pages=2 vmalloc",
        "0xffffc900001b5000-0xffffc900041b6000 67112960 x+0x1/0x2 pages=16384 vmalloc user vpages N0=1 N5=2 N7=3",
        "0xffffd05807800000-0xffffd05807900000 1048576 vm_map_ram",
        "0xff3eb01f00638000-0xff3eb01f0063d000   20480 unpurged vm_area",
        "0xffffc90000000000-0xffffc90000005000   20480 irq_init+0xf4/0x130 [nf-x] sparse vmap dma-coherent",
    ];

    #[test]
    fn rows_of_the_kernel_need_no_grammar() {
        for line in ROWS.iter().filter(|line| !line.contains("phys=7")) {
            assert_eq!(super::row(line.as_bytes()), row::row(line.as_bytes()).ok().map(|(_, area)| area), "{line}");
            assert!(super::row(line.as_bytes()).is_some(), "{line}");
        }
    }

    #[test]
    fn every_byte_of_an_address_is_judged_as_the_grammar_does() {
        for at in 0..40 {
            for byte in 0..=u8::MAX {
                let mut line = ROWS[0].as_bytes().to_vec();
                line[at] = byte;
                let want = row::row(&line).ok().map(|(_, area)| area);
                assert_eq!(super::row(&line), want, "{at} {byte}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn what_it_takes_the_grammar_reads_alike(
            line in prop::sample::select(&ROWS[..]),
            wounds in prop::collection::vec((any::<prop::sample::Index>(), 0..4_u8, "[ -~]"), 0..4),
        ) {
            let mut line = line.as_bytes().to_vec();
            for (place, kind, byte) in wounds {
                let at = place.index(line.len().max(1)).min(line.len().saturating_sub(1));
                if line.is_empty() {
                    break;
                }
                match kind {
                    0 => line[at] = byte.as_bytes()[0],
                    1 => line.insert(at, byte.as_bytes()[0]),
                    2 => drop(line.remove(at)),
                    _ => line.truncate(at.max(1)),
                }
            }
            if let Some(area) = super::row(&line) {
                let want = row::row(&line).ok().map(|(_, area)| area);
                prop_assert_eq!(Some(area), want);
            }
        }
    }
}
