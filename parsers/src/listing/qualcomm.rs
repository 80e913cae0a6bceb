//! The `vmalloc` command of Qualcomm's plugin for crash.
//!
//! No output of it was at hand, so the reader accepts the union of what a row can say: a range (or `addr:` and `size:`),
//! sizes with units, and `key:value` words. The rows below are a guess at its look.
//!
//! ```text
//! [1] vmap_area:0xffffff8003015e00 range:[0xffffffc008000000-0xffffffc008005000] size:20.00KB
//!     vm_struct:0xffffff8003013080 size:20.00KB flags:vmalloc nr_pages:4 addr:0xffffffc008000000 start_kernel+496
//! ```
//!
//! The totals by caller and by type (`-s`, `-f`, `-t`) name no addresses: there is nothing in them that could be a row.

use nom::Parser;
use nom::combinator::all_consuming;

use super::Read;
use super::row::{self, Range, address, caller, is_prompt, module, phys};
use crate::ProblemKind;
use crate::lex::{after, decimal, number, trim, trim_start, upto};
use crate::vmallocinfo::{Area, Flags, State};

/// The structures whose addresses only this listing names in a row.
const STRUCTURES: [&[u8]; 2] = [b"vmap_area", b"vm_struct"];

/// Whether only this listing has such a line: a structure's address, and a range or size.
pub(super) fn accepts(line: &[u8]) -> bool {
    matches!(read(line, None), Read::Row(..)) && structure(line)
}

/// Whether a line names a structure with its address.
fn structure(line: &[u8]) -> bool {
    STRUCTURES.iter().any(|name| {
        memchr::memmem::find(line, name).is_some_and(|at| {
            let tail = after(line, at + name.len());
            let tail = tail.strip_prefix(b":").or_else(|| tail.strip_prefix(b"=")).unwrap_or(tail);
            let tail = trim_start(tail);
            (tail.starts_with(b"0x") || tail.starts_with(b"ffff")) && address(tail).is_some()
        })
    })
}

/// Reads a line. The line of a `vm_struct` says more about the `vmap_area` before it.
pub(super) fn line<'a>(line: &'a [u8], last: Option<&Area<'a>>) -> Read<'a> {
    match read(line, last) {
        Read::Bad(_) if is_prompt(line) || is_aside(line) => Read::Aside,
        read => read,
    }
}

fn read<'a>(line: &'a [u8], last: Option<&Area<'a>>) -> Read<'a> {
    let words = || line.split(|b| b" \t,;()".contains(b)).filter(|word| !word.is_empty());
    if words().any(|word| word.eq_ignore_ascii_case(b"free")) {
        return Read::Aside;
    }
    let range = row::find(line);
    let found = match range {
        Some(range) => match size(line, Some(&range)) {
            // A size that was rounded to its unit differs a little.
            Some(bytes)
                if range.is_sound() && bytes.abs_diff(range.end - range.start) <= (range.end - range.start) / 64 =>
            {
                Ok((range.area(), None))
            }
            Some(bytes) => range.sized(bytes),
            None => range.unsized_area().map(|area| (area, None)),
        },
        None => match by_address(line, last) {
            Some((start, end, digits)) => Ok((row::area(start, end, digits), None)),
            None if structure(line) => return more(line, last),
            None => return Read::Bad(ProblemKind::NotARow),
        },
    };
    let (mut area, why) = match found {
        Ok(found) => found,
        Err(kind) => return Read::Bad(kind),
    };
    if let Some(last) = last.filter(|last| last.start == area.start && last.end == area.end) {
        let mut whole = last.clone();
        fill(&mut whole, line, range.as_ref());
        return Read::More(whole);
    }
    fill(&mut area, line, range.as_ref());
    Read::Row(area, why)
}

/// A line about a structure that names no range: about the area before it, or about nothing that has a place.
fn more<'a>(line: &'a [u8], last: Option<&Area<'a>>) -> Read<'a> {
    match last {
        Some(last) => {
            let mut whole = last.clone();
            fill(&mut whole, line, None);
            Read::More(whole)
        }
        None => Read::Bad(ProblemKind::BrokenRow),
    }
}

/// `addr:0xffffffc008000000 … size:20480`
fn by_address(line: &[u8], last: Option<&Area<'_>>) -> Option<(u64, u64, usize)> {
    let (_, start, digits) = address(value(line, &[b"addr", b"va", b"start"])?)?;
    let bytes = size(line, None).or_else(|| last.filter(|last| last.start == start).map(|last| last.size))?;
    let end = start.checked_add(bytes)?;
    (start.is_multiple_of(row::PAGE) && end.is_multiple_of(row::PAGE) && start < end).then_some((start, end, digits))
}

/// The size: behind its key, or right behind the range.
fn size(line: &[u8], range: Option<&Range>) -> Option<u64> {
    let keyed = value(line, &[b"size", b"va_size", b"vm_size"]).map(trim_start).and_then(number_or_size);
    keyed.or_else(|| {
        let tail = after(line, range?.until);
        let tail = tail.strip_prefix(b"]").or_else(|| tail.strip_prefix(b")")).unwrap_or(tail);
        number_or_size(trim_start(tail))
    })
}

fn number_or_size(text: &[u8]) -> Option<u64> {
    if text.starts_with(b"0x") {
        return number(text).ok().map(|(_, bytes)| bytes);
    }
    row::size(text).map(|(_, bytes)| bytes)
}

/// What stands behind `key:` or `key=`.
fn value<'a>(line: &'a [u8], keys: &[&[u8]]) -> Option<&'a [u8]> {
    keys.iter().find_map(|key| {
        memchr::memmem::find_iter(line, key).find_map(|at| {
            let whole = upto(line, at).last().is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_');
            let tail = after(line, at + key.len());
            let tail = tail.strip_prefix(b":").or_else(|| tail.strip_prefix(b"="))?;
            whole.then(|| trim_start(tail))
        })
    })
}

/// Takes what a line says beside range and size.
fn fill<'a>(area: &mut Area<'a>, line: &'a [u8], range: Option<&Range>) {
    let pages = value(line, &[b"nr_pages", b"pages", b"page_cnt", b"page"]).and_then(|text| decimal(text).ok());
    if let Some((rest, pages)) = pages
        && 0 < pages
        && rest.first().is_none_or(|b| !b.is_ascii_alphanumeric())
    {
        area.pages = Some(pages);
    }
    if let Some(text) = value(line, &[b"phys_addr", b"phys"]) {
        let word = text.split(|b| b" \t,;]".contains(b)).next().unwrap_or_default();
        let zero = all_consuming(number).parse(word).is_ok_and(|(_, value)| value == 0);
        if !zero {
            phys(area, word);
        }
    }
    let flags = value(line, &[b"flags", b"flag", b"type"]).unwrap_or_default();
    for word in
        upto(flags, flags.iter().position(|b| b" \t,;]".contains(b)).unwrap_or(flags.len())).split(|b| *b == b'|')
    {
        take_flag(area, word);
    }
    let tail = range.map_or(line, |range| after(line, range.until));
    for word in tail.split(|b| b" \t,;".contains(b)).filter(|word| !word.is_empty()) {
        take_word(area, word);
    }
}

/// `vmalloc`, `VM_ALLOC`
fn take_flag(area: &mut Area<'_>, word: &[u8]) -> bool {
    let flag = match word {
        b"VM_IOREMAP" => Some(Flags::IOREMAP),
        b"VM_ALLOC" => Some(Flags::VMALLOC),
        b"VM_MAP" => Some(Flags::VMAP),
        b"VM_USERMAP" => Some(Flags::USER),
        b"VM_DMA_COHERENT" => Some(Flags::DMA_COHERENT),
        b"vm_map_ram" => {
            area.state = State::VmMapRam;
            return true;
        }
        _ => Flags::from_word(word),
    };
    if let Some(flag) = flag {
        area.flags = area.flags.with(flag);
    }
    flag.is_some()
}

/// A word without key: a flag, a caller, its module.
fn take_word<'a>(area: &mut Area<'a>, word: &'a [u8]) {
    let keyed = [&b"caller:"[..], b"func:", b"caller=", b"func="].iter().find_map(|key| word.strip_prefix(*key));
    if take_flag(area, word) {
        return;
    }
    if let (Some(caller), Some(name)) = (&mut area.caller, module(word)) {
        caller.module = caller.module.or(Some(name));
        return;
    }
    // A bare name could be anything; an offset makes it a place in the kernel.
    let text = keyed.or_else(|| word.contains(&b'+').then_some(word));
    let found = text.and_then(caller).filter(|found| keyed.is_some() || !found.symbol.contains(&b':'));
    if area.caller.is_none() {
        area.caller = found;
    }
}

/// Headings, rules, totals and the pages of an area.
fn is_aside(line: &[u8]) -> bool {
    let line = trim(line);
    let digits = line.iter().any(u8::is_ascii_digit);
    let totals = [&b"Total"[..], b"total", b"page:", b"PA:", b"nr_vmap_nodes"];
    !digits || totals.into_iter().any(|word: &[u8]| memchr::memmem::find(line, word).is_some())
}
