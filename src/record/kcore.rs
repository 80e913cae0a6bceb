//! The vmalloc range by the headers of `/proc/kcore`, where the kernel says it itself. What allocations ask for tells it
//! only if one of them asks for all of it, and a recording that ends at a failure may have none that does.

use std::io::Read;
use std::path::Path;

use crate::log::Window;

use super::files::Files;

/// The kernel's memory as an ELF core: its headers list what is mapped where.
const KCORE: &str = "/proc/kcore";
/// Headers of a machine with many pieces of memory take some pages. Nothing behind them is read.
const HEADERS: usize = 1 << 16;

/// The range that holds most of these areas; without any, the one that `widest`, the widest that was asked for, lies in.
pub fn vmalloc_range(files: &dyn Files, widest: Option<Window>, areas: &[u64]) -> Option<Window> {
    let mut headers = Vec::new();
    let pipe = files.open(Path::new(KCORE)).ok()?;
    pipe.take(HEADERS as u64).read_to_end(&mut headers).ok()?;
    choose(&segments(&headers), widest, areas)
}

fn choose(segments: &[Window], widest: Option<Window>, areas: &[u64]) -> Option<Window> {
    let holds = |segment: &Window| areas.iter().filter(|&&at| segment.vstart <= at && at < segment.vend).count();
    let most = segments.iter().max_by_key(|segment| holds(segment)).filter(|segment| holds(segment) * 2 > areas.len());
    let around = |segment: &&Window| {
        widest.is_some_and(|asked| {
            segment.vstart <= asked.vstart && asked.vend <= segment.vend && asked.vstart < asked.vend
        })
    };
    most.or_else(|| segments.iter().find(around)).copied()
}

/// What the program headers say is mapped. A header that makes no sense ends the list.
fn segments(headers: &[u8]) -> Vec<Window> {
    const LOAD: u64 = 1;
    let (Some(b"\x7fELF"), Some(&class), Some(&order)) = (headers.get(..4), headers.get(4), headers.get(5)) else {
        return Vec::new();
    };
    let is_64 = class == 2;
    let number = |at: usize, len: usize| -> Option<u64> {
        let bytes = headers.get(at..at.checked_add(len)?)?;
        let shifted = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if order == 2 { bytes.iter().fold(0, shifted) } else { bytes.iter().rev().fold(0, shifted) })
    };
    let (word, table, count) =
        if is_64 { (8, number(32, 8), number(56, 2)) } else { (4, number(28, 4), number(44, 2)) };
    let (Some(table), Some(count)) = (table.and_then(|at| usize::try_from(at).ok()), count) else { return Vec::new() };
    // Where a header of either class has its fields: its size, the address, the size in memory.
    let (size, address, length) = if is_64 { (56, 16, 40) } else { (32, 8, 20) };
    let mut found = Vec::new();
    for n in 0..count as usize {
        let Some(at) = table.checked_add(n * size) else { break };
        let (Some(kind), Some(start), Some(len)) =
            (number(at, 4), number(at + address, word), number(at + length, word))
        else {
            break;
        };
        if kind == LOAD && 0 < len {
            found.push(Window { vstart: start, vend: start.saturating_add(len) });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with these segments: type, address, size.
    fn core(is_64: bool, is_big: bool, segments: &[(u32, u64, u64)]) -> Vec<u8> {
        let put = |out: &mut Vec<u8>, at: usize, len: usize, value: u64| {
            out.resize(out.len().max(at + len), 0);
            let bytes = value.to_le_bytes();
            for (n, byte) in bytes[..len].iter().enumerate() {
                out[if is_big { at + len - 1 - n } else { at + n }] = *byte;
            }
        };
        let mut out = b"\x7fELF".to_vec();
        out.extend([if is_64 { 2 } else { 1 }, if is_big { 2 } else { 1 }]);
        let (word, size) = if is_64 { (8, 56) } else { (4, 32) };
        put(&mut out, if is_64 { 32 } else { 28 }, word, 64);
        put(&mut out, if is_64 { 56 } else { 44 }, 2, segments.len() as u64);
        for (n, &(kind, address, len)) in segments.iter().enumerate() {
            let at = 64 + n * size;
            put(&mut out, at, 4, kind.into());
            put(&mut out, at + if is_64 { 16 } else { 8 }, word, address);
            put(&mut out, at + if is_64 { 40 } else { 20 }, word, len);
            out.resize(at + size, 0);
        }
        out
    }

    #[test]
    fn the_range_is_where_the_areas_are_or_what_was_asked_for_lies_in() {
        let window = |vstart, vend| Window { vstart, vend };
        for (is_64, is_big) in [(true, false), (true, true), (false, false), (false, true)] {
            let (vmalloc, modules) = (window(0xd000_0000, 0xefff_ffff), window(0xf000_0000, 0xf800_0000));
            let of = |window: Window| (1, window.vstart, window.vend - window.vstart);
            let bytes = core(is_64, is_big, &[(4, 0, 0), (1, 0xc000_0000, 0x10_0000), of(vmalloc), of(modules)]);
            let found = segments(&bytes);
            assert_eq!(found[1..], [vmalloc, modules], "{is_64} {is_big}");
            let inside = Some(window(0xd000_1000, 0xd000_2000));
            assert_eq!(choose(&found, inside, &[]), Some(vmalloc));
            // Areas of the snapshot count more than what happened to be asked for.
            assert_eq!(choose(&found, Some(modules), &[0xd000_0000, 0xd100_0000, 0xf000_0000]), Some(vmalloc));
            assert_eq!(choose(&found, Some(window(0, u64::MAX)), &[1, 2]), None);
            for cut in 0..bytes.len() {
                assert!(segments(&bytes[..cut]).len() <= 3);
            }
        }
        assert_eq!(segments(b"ELF"), []);
    }
}
