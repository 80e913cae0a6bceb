//! The rows that nearly every file consists of, read without a grammar.
//!
//! [`row`] takes a line exactly as kernels since 3.10 print it, and leaves every surprise to [`super::row::row`]. What
//! it takes, it reads as the grammar does; the tests compare the two on damaged and undamaged lines.

use std::borrow::Cow;

use super::{Area, Caller, Flags, State};
use crate::digits::{decimal, eight, hex16};
use crate::lex::{after, upto};

/// A row without its line end; `None` leaves it to the grammar.
#[cfg(test)]
fn row(line: &[u8]) -> Option<Area<'_>> {
    let mut area = Area::new(0, 0, 0);
    let n = fill(line, &mut area, &mut Callers::default())?;
    (n == line.len()).then_some(area)
}

/// Places for callers; a power of two.
const SLOTS: usize = 64;

/// Callers that were read before: a few dozen make most of the areas.
#[derive(Debug)]
pub(super) struct Callers<'a> {
    known: [Option<Known<'a>>; SLOTS],
}

#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    text: &'a [u8],
    symbol: &'a [u8],
    offset: u64,
    length: u64,
    module: Option<&'a [u8]>,
}

impl Default for Callers<'_> {
    fn default() -> Self {
        Self { known: [None; SLOTS] }
    }
}

impl<'a> Callers<'a> {
    /// Reads the caller that `text` begins with.
    #[inline]
    fn read(&mut self, text: &'a [u8]) -> Option<(Known<'a>, &'a [u8])> {
        // Names of a subsystem begin alike: the offset is what differs, so both go into the place.
        let (first, _) = text.split_first_chunk::<8>()?;
        let (later, _) = text.get(8..)?.split_first_chunk::<8>()?;
        let mixed = (u64::from_le_bytes(*first) ^ u64::from_le_bytes(*later).rotate_left(29))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = self.known.get_mut((mixed >> 58) as usize)?;
        if let Some(known) = slot
            && let Some(rest) = text.strip_prefix(known.text)
            && matches!(rest, [] | [b'\n', ..]) | matches!(rest, [b' ', next, ..] if *next != b'[')
        {
            return Some((*known, rest));
        }
        let (known, rest) = caller(text)?;
        *slot = Some(known);
        Some((known, rest))
    }
}

/// Reads the row that `text` begins with into `area`, of which only the place in the input is kept: moving a row costs
/// more than reading it. Answers with its bytes, the line's end not counted.
#[inline]
pub(super) fn fill<'a>(text: &'a [u8], area: &mut Area<'a>, callers: &mut Callers<'a>) -> Option<usize> {
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
    let (size, mut rest) = match padded(rest) {
        Some(read) => read,
        None => decimal(blanks(rest.strip_prefix(b" ")?))?,
    };
    (area.start, area.end, area.size, area.address_digits) = (start, end, size, digits);
    (area.caller, area.pages, area.phys, area.phys_digits) = (None, None, None, 0);
    (area.flags, area.state) = (Flags::default(), State::Busy);
    area.nodes.clear();
    if let Some(tail) = rest.strip_prefix(b" unpurged vm_area") {
        area.state = State::Unpurged;
        return ended(text, tail);
    }
    if let Some(tail) = rest.strip_prefix(b" vm_map_ram").filter(|tail| matches!(tail, [] | [b'\n', ..])) {
        area.state = State::VmMapRam;
        return ended(text, tail);
    }
    let (known, tail) = callers.read(rest.strip_prefix(b" ")?)?;
    let Known { symbol, offset, length, module, .. } = known;
    area.caller = Some(Caller { symbol: Cow::Borrowed(symbol), offset, length, module: module.map(Cow::Borrowed) });
    rest = tail;
    if let Some(tail) = rest.strip_prefix(b" pages=") {
        let (pages, tail) = decimal(tail)?;
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
        let (node, tail) = decimal(tail)?;
        let (pages, tail) = decimal(tail.strip_prefix(b"=")?)?;
        area.nodes.push(u16::try_from(node).ok()?, pages);
        rest = tail;
    }
    ended(text, rest)
}

/// The bytes before `rest`, if a line ends there.
#[inline]
fn ended(text: &[u8], rest: &[u8]) -> Option<usize> {
    matches!(rest, [] | [b'\n', ..]).then(|| text.len() - rest.len())
}

/// `foo_init+0x2b/0x110 [foo]`
fn caller(text: &[u8]) -> Option<(Known<'_>, &[u8])> {
    let n = text.iter().take_while(|&&b| is_symbol(b)).count();
    if n == 0 {
        return None;
    }
    let (symbol, rest) = (upto(text, n), after(text, n));
    let of = |offset, length, module, rest: &[u8]| Known {
        text: upto(text, text.len() - rest.len()),
        symbol,
        offset,
        length,
        module,
    };
    if !rest.starts_with(b"+") {
        // A module that is gone.
        let is_address = hex(symbol.strip_prefix(b"0x")?)?.1.is_empty();
        return is_address.then(|| (of(0, 0, None, rest), rest));
    }
    let (offset, rest) = hex(rest.strip_prefix(b"+0x")?)?;
    let (length, rest) = hex(rest.strip_prefix(b"/0x")?)?;
    let Some(name) = rest.strip_prefix(b" [") else { return Some((of(offset, length, None, rest), rest)) };
    let n = name.iter().take_while(|&&b| is_symbol(b) || b == b'-').count();
    let rest = after(name, n).strip_prefix(b"]").filter(|_| 0 < n)?;
    Some((of(offset, length, Some(upto(name, n)), rest), rest))
}

/// A size in its column: a blank, then seven places, blanks before digits.
#[inline]
fn padded(text: &[u8]) -> Option<(u64, &[u8])> {
    let (column, rest) = text.split_first_chunk::<8>()?;
    let word = u64::from_le_bytes(*column);
    // A blank is 0x20, a digit 0x30 to 0x39: with this bit set a blank is a digit 0.
    let blanks = (!word & 0x1010_1010_1010_1010) >> 4;
    let run = blanks.wrapping_mul(0xff);
    let is_blank = word & run == blanks * 0x20;
    if rest.first() != Some(&b' ') || !is_blank || run & run.wrapping_add(1) != 0 || blanks & 1 == 0 || run >> 56 != 0 {
        return None;
    }
    let digits = (word | 0x1010_1010_1010_1010).to_le_bytes();
    Some((u64::from(eight(digits)?), rest))
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

/// Eight lower-case digits.
#[inline]
fn hex8(text: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<8>()?;
    Some((u64::from(crate::digits::hex8(*digits)?), rest))
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
