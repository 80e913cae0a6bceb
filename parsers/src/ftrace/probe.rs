//! Probes on the allocator's functions: what a kprobe, kretprobe or fprobe record says of a vmalloc operation.
//!
//! The probed function tells what it is, never the name that somebody gave the probe; arguments are taken by what they
//! are called. `vm_alloc: (alloc_vmap_area+0x0/0x880) size=20480 align=16384 vstart=0x… vend=0x…`

use nom::Parser;
use nom::combinator::all_consuming;

use crate::lex::{after, number, signed, upto, word};

/// A probe record of one of the allocator's functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// Entry of `alloc_vmap_area`: what is asked for.
    Request(Request),
    /// Return of `alloc_vmap_area`: one for each call, however often it tried.
    Return(Returned),
    /// Entry of `free_vmap_area_noflush`.
    Free {
        /// Start of the area.
        start: u64,
        /// Its end, if it was fetched.
        end: Option<u64>,
    },
    /// Entry of `__purge_vmap_area_lazy`; the range the caller wants flushed besides, if it was fetched.
    PurgeEntry(Option<(u64, u64)>),
    /// Return of `__purge_vmap_area_lazy`: whether anything was purged, if that was fetched.
    PurgeReturn(Option<bool>),
    /// A probe of one of these functions that did not fetch what would make it usable.
    Unusable(Function),
}

/// Arguments of `alloc_vmap_area`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Bytes, guard page included.
    pub size: u64,
    /// Bytes.
    pub align: u64,
    /// Lowest address the caller accepts.
    pub vstart: u64,
    /// End of what the caller accepts.
    pub vend: u64,
}

/// What `alloc_vmap_area` answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// An error pointer.
    Failed,
    /// The area.
    Area {
        /// Its start.
        start: u64,
        /// Its end, if it was fetched.
        end: Option<u64>,
    },
}

/// The functions, by their names in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// `alloc_vmap_area`
    Alloc,
    /// `free_vmap_area_noflush`
    Free,
    /// `__purge_vmap_area_lazy`
    Purge,
}

impl Function {
    /// The function a probe sits on and whether it is a return probe; `None` for any other function, and for a probe
    /// in the middle of one.
    pub fn probed(at: &[u8]) -> Option<(Self, bool)> {
        let (symbol, is_return) = symbol(at)?;
        let function = match symbol {
            b"alloc_vmap_area" => Self::Alloc,
            b"free_vmap_area_noflush" => Self::Free,
            b"__purge_vmap_area_lazy" => Self::Purge,
            _ => return None,
        };
        Some((function, is_return))
    }

    /// Its name in the source.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alloc => "alloc_vmap_area",
            Self::Free => "free_vmap_area_noflush",
            Self::Purge => "__purge_vmap_area_lazy",
        }
    }
}

/// The name in the source of the function a probe sits on, and whether it is a return probe.
fn symbol(at: &[u8]) -> Option<(&[u8], bool)> {
    let (place, is_return) = match memchr::memmem::find(at, b" <- ") {
        Some(arrow) => (after(at, arrow + 4), true),
        None => (at, false),
    };
    let end = place.iter().position(|byte| matches!(byte, b'+' | b' ')).unwrap_or(place.len());
    let (symbol, rest) = (upto(place, end), after(place, end));
    if !is_return && !is_entry(rest) {
        return None;
    }
    // What the compiler appends: `.isra.0`, `.constprop.0`, `.part.0`. A cold part is another piece of code.
    let dot = memchr::memchr(b'.', symbol).unwrap_or(symbol.len());
    let is_cold = memchr::memmem::find(after(symbol, dot), b".cold").is_some();
    (!is_cold).then(|| (upto(symbol, dot), is_return))
}

/// A part of a purge, seen by an entry probe (6.9 and later). Which node it is about shows in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgePart {
    /// `decay_va_pool_node`.
    Decay {
        /// Address of the `vmap_node`.
        node: u64,
        /// Completely, if that was fetched.
        full: Option<bool>,
    },
    /// `purge_vmap_node`.
    Return {
        /// Address of the work inside the `vmap_node`.
        work: u64,
    },
}

/// The part of a purge that a probe record shows, if it is of such a function and has its first argument.
pub fn purge_part(at: &[u8], args: &[u8]) -> Option<PurgePart> {
    let value = |names: &[&[u8]]| pairs(args).find(|(key, _)| names.contains(key)).and_then(|(_, text)| value_of(text));
    match symbol(at)? {
        (b"decay_va_pool_node", false) => {
            let full = value(&[b"full", b"full_decay", b"arg2"]).map(|full| full & 0xff != 0);
            Some(PurgePart::Decay { node: value(&[b"node", b"vn", b"arg1"])?, full })
        }
        (b"purge_vmap_node", false) => Some(PurgePart::Return { work: value(&[b"work", b"arg1"])? }),
        _ => None,
    }
}

/// Landing pads and patch sites move a function's first probe by a few bytes.
const MAX_ENTRY_OFFSET: u64 = 8;

/// `+0x0/0x880`: at the beginning of the function.
fn is_entry(rest: &[u8]) -> bool {
    let Some(offset) = rest.strip_prefix(b"+") else { return rest.is_empty() };
    let end = memchr::memchr(b'/', offset).unwrap_or(offset.len());
    value_of(upto(offset, end)).is_some_and(|offset| offset <= MAX_ENTRY_OFFSET)
}

/// Lowest error pointer of 64 and of 32 bits (`MAX_ERRNO` is 4095).
const ERROR_FROM: u64 = u64::MAX - 4094;
const ERROR_FROM_32: u64 = 0xffff_f001;

fn is_error(pointer: u64) -> bool {
    pointer >= ERROR_FROM || (ERROR_FROM_32..=0xffff_ffff).contains(&pointer)
}

const STARTS: [&[u8]; 3] = [b"va_start", b"start", b"addr"];
const ENDS: [&[u8]; 2] = [b"va_end", b"end"];

/// What a probe record says; `None` if it is of no function of interest. `at` and `args` are those of
/// [`crate::record::Body::Probe`].
pub fn recognise(at: &[u8], args: &[u8]) -> Option<Probed> {
    let (function, is_return) = Function::probed(at)?;
    let value = |names: &[&[u8]]| pairs(args).find(|(key, _)| names.contains(key)).and_then(|(_, text)| value_of(text));
    let known = match (function, is_return) {
        (Function::Alloc, false) => request(&value).map(Probed::Request),
        (Function::Alloc, true) => returned(args, &value).map(Probed::Return),
        (Function::Free, false) => value(&STARTS).map(|start| Probed::Free { start, end: value(&ENDS) }),
        (Function::Purge, false) => Some(Probed::PurgeEntry(value(&STARTS).zip(value(&ENDS)))),
        (Function::Purge, true) => {
            // Only the lowest byte of a bool is defined.
            let result = pairs(args).find_map(|(_, text)| value_of(text));
            Some(Probed::PurgeReturn(result.map(|result| result & 0xff != 0)))
        }
        // The area may be reused already: nothing behind the pointer can be believed.
        (Function::Free, true) => return None,
    };
    Some(known.unwrap_or(Probed::Unusable(function)))
}

/// Named, or in the order of the arguments where the recorder left the names to the kernel (`arg1=…`).
fn request(value: &dyn Fn(&[&[u8]]) -> Option<u64>) -> Option<Request> {
    Some(Request {
        size: value(&[b"size", b"arg1"])?,
        align: value(&[b"align", b"arg2"])?,
        vstart: value(&[b"vstart", b"arg3"])?,
        vend: value(&[b"vend", b"arg4"])?,
    })
}

fn returned(args: &[u8], value: &dyn Fn(&[&[u8]]) -> Option<u64>) -> Option<Returned> {
    let failed = pairs(args).any(|(key, text)| {
        let is_bound = STARTS.contains(&key) || ENDS.contains(&key);
        text == b"(fault)" || (!is_bound && value_of(text).is_some_and(is_error))
    });
    if failed {
        return Some(Returned::Failed);
    }
    Some(Returned::Area { start: value(&STARTS)?, end: value(&ENDS) })
}

/// `key=value` pairs; words without `=` belong to a text with blanks and are passed over.
fn pairs(args: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = args;
    std::iter::from_fn(move || {
        loop {
            rest = crate::lex::trim_start(rest);
            let (tail, pair) = word(rest).ok()?;
            rest = tail;
            if let Some(at) = memchr::memchr(b'=', pair) {
                return Some((upto(pair, at), after(pair, at + 1)));
            }
        }
    })
}

/// Decimal, hexadecimal or a negative number as the kernel's 64 bits.
fn value_of(text: &[u8]) -> Option<u64> {
    if let Ok((_, value)) = all_consuming(number).parse(text) {
        return Some(value);
    }
    all_consuming(signed).parse(text).ok().map(|(_, value)| value.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Request =
        Request { size: 20480, align: 16384, vstart: 0xffff_d00f_8000_0000, vend: 0xffff_f00f_7fff_ffff };

    #[test]
    fn a_request_in_every_spelling() {
        for (at, args) in [
            ("alloc_vmap_area+0x0/0x880", "size=20480 align=16384 vstart=0xffffd00f80000000 vend=0xfffff00f7fffffff"),
            (
                "alloc_vmap_area.isra.0+0x4/0x8",
                "vend=0xfffff00f7fffffff size=0x5000 align=0x4000 vstart=0xffffd00f80000000",
            ),
            ("alloc_vmap_area", "arg1=0x5000 arg2=0x4000 arg3=0xffffd00f80000000 arg4=0xfffff00f7fffffff"),
            (
                "alloc_vmap_area.constprop.0+0x0/0x1 <ffffffff81>",
                "node=-1 comm=\"a b\" size=20480 align=16384 vstart=-52709986140160 vend=-17525614051329",
            ),
        ] {
            assert_eq!(recognise(at.as_bytes(), args.as_bytes()), Some(Probed::Request(WANTED)), "{at}");
        }
    }

    #[test]
    fn answers_and_failures() {
        let at = b"__get_vm_area_node+0xb1/0x150 <- alloc_vmap_area";
        let area = |start, end| Some(Probed::Return(Returned::Area { start, end }));
        assert_eq!(recognise(at, b"va=0xffff8b68119e1cc0 va_start=0x1000 va_end=0x6000"), area(0x1000, Some(0x6000)));
        assert_eq!(recognise(at, b"end=0x6000 start=0x1000"), area(0x1000, Some(0x6000)));
        assert_eq!(recognise(at, b"start=4096"), area(0x1000, None));
        for failed in ["va=0xfffffffffffffff0 va_start=(fault) va_end=(fault)", "ret=0xfffffff4", "ret=-16"] {
            assert_eq!(recognise(at, failed.as_bytes()), Some(Probed::Return(Returned::Failed)), "{failed}");
        }
        assert_eq!(recognise(at, b"va=0xffff8b68119e1cc0"), Some(Probed::Unusable(Function::Alloc)));
    }

    #[test]
    fn frees_and_purges() {
        let free = b"free_vmap_area_noflush.part.0+0x0/0x100";
        assert_eq!(
            recognise(free, b"va=0x1 start=0x3000 end=0x5000"),
            Some(Probed::Free { start: 0x3000, end: Some(0x5000) })
        );
        assert_eq!(recognise(free, b""), Some(Probed::Unusable(Function::Free)));
        let purge = b"__purge_vmap_area_lazy+0x0/0x750";
        assert_eq!(
            recognise(purge, b"start=0xffffffffffffffff end=0x0"),
            Some(Probed::PurgeEntry(Some((u64::MAX, 0))))
        );
        assert_eq!(recognise(purge, b""), Some(Probed::PurgeEntry(None)));
        let done = b"_vm_unmap_aliases.part.0+0xf4/0x130 <- __purge_vmap_area_lazy";
        assert_eq!(recognise(done, b"ret=1"), Some(Probed::PurgeReturn(Some(true))));
        assert_eq!(recognise(done, b"ret=0xffff88800000ab00"), Some(Probed::PurgeReturn(Some(false))));
        assert_eq!(recognise(done, b""), Some(Probed::PurgeReturn(None)));
    }

    #[test]
    fn parts_of_a_purge() {
        let decay = b"decay_va_pool_node+0x0/0x4b0";
        let node = 0xffff_8d87_4105_4000;
        let seen = purge_part(decay, b"node=0xffff8d8741054000 full=1");
        assert_eq!(seen, Some(PurgePart::Decay { node, full: Some(true) }));
        assert_eq!(purge_part(decay, b"vn=0xffff8d8741054000"), Some(PurgePart::Decay { node, full: None }));
        assert_eq!(purge_part(decay, b"full=1"), None);
        let work = purge_part(b"purge_vmap_node+0x4/0x210", b"work=0xffff8d8741055858");
        assert_eq!(work, Some(PurgePart::Return { work: 0xffff_8d87_4105_5858 }));
        assert_eq!(purge_part(b"f+0x1/0x2 <- purge_vmap_node", b"work=0x1"), None);
    }

    #[test]
    fn other_functions_and_places_are_not_these() {
        for at in [
            "__alloc_vmap_area+0x0/0x880",
            "alloc_vmap_area+0x3f/0x880",
            "alloc_vmap_area.cold+0x0/0x1",
            "0xffffffff816dd280",
            "alloc_vmap_area+0xb1/0x150 <- kmem_cache_alloc",
            "",
        ] {
            assert_eq!(recognise(at.as_bytes(), b"size=1 align=1 vstart=0 vend=1"), None, "{at}");
        }
    }
}
