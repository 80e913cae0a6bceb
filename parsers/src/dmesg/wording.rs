//! The messages that kernels of all times have for a vmalloc request that failed.

use nom::Parser;
use nom::combinator::all_consuming;
use nom::sequence::preceded;

use crate::lex::{Res, after, decimal, hex0x, lit, trim_end, trim_start, upto};
use crate::record::Failure;

/// Longest name of a task.
const COMM: usize = 15;

/// What a message says went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wording {
    /// `allocation failed: out of vmalloc space - use vmalloc=<size> to increase size.` (2.6 before 2.6.28)
    OutOfSpace,
    /// `vmap allocation for size 8392704 failed: use vmalloc=<size> to increase size` (2.6.28 to 6.11, the first of them
    /// without size): no hole, also not after a purge.
    NoHole,
    /// `vmalloc_node_range for size 839680 failed: Address range restricted to 0xf1000000 - 0xf5110000`: the same, and
    /// where a hole was looked for.
    NoHoleInWindow,
    /// `vmalloc: allocation failure: 425984 bytes`: no area, or no memory for its pages.
    NoArea,
    /// `vmalloc: allocation failure, allocated 4096 of 8192 bytes`: no memory for all pages.
    NoPages,
    /// `vmalloc error: size 8388608, …`: the reason follows in words.
    Error,
    /// `percpu: allocation failed, size=64 align=8 …`: a chunk may have found no place.
    PerCpu,
    /// A module could not be loaded, and the message blames vmalloc.
    Module,
}

impl Wording {
    /// The wording of a message.
    pub fn of(text: &[u8]) -> Option<Self> {
        find(text).filter(|(at, _)| *at == 0).map(|(_, wording)| wording)
    }

    /// Whether the size in the message includes the guard page. What `vm_struct` and its area are told is the size with
    /// it; what the caller asked for is without.
    pub fn includes_guard(self) -> bool {
        matches!(self, Self::NoHole | Self::NoHoleInWindow | Self::NoPages)
    }
}

/// How each message begins.
const BEGINNINGS: [(&[u8], Wording); 9] = [
    (b"vmap allocation ", Wording::NoHole),
    (b"vmalloc_node_range for size ", Wording::NoHoleInWindow),
    (b"vmalloc: allocation failure: ", Wording::NoArea),
    (b"vmalloc: allocation failure, allocated ", Wording::NoPages),
    (b"vmalloc error: size ", Wording::Error),
    (b"allocation failed: out of vmalloc space", Wording::OutOfSpace),
    (b"percpu: allocation failed, ", Wording::PerCpu),
    (b"PERCPU: allocation failed", Wording::PerCpu),
    (b"vmap allocation failed", Wording::NoHole),
];

/// A message about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// The task that some kernels name before it; empty if not.
    pub comm: &'a [u8],
    /// What it says; `None` if its numbers cannot be read.
    pub failure: Option<Failure<'a>>,
}

/// Reads the text of a log entry, if it is about a failure.
pub(super) fn message(text: &[u8]) -> Option<Message<'_>> {
    let (at, wording) = find(text)?;
    let comm = upto(text, at).strip_suffix(b": ").map(trim_start).filter(|comm| comm.len() <= COMM);
    let text = trim_end(after(text, at));
    Some(Message { comm: comm.unwrap_or_default(), failure: numbers(wording, text) })
}

/// Where the message begins. What stands before it is a task's name or a prefix we do not know, which end in a mark;
/// prose that quotes a message does not.
fn find(text: &[u8]) -> Option<(usize, Wording)> {
    // Nearly no line has any of these.
    memchr::memmem::find(text, b"alloc")?;
    let begins = |at: usize| {
        let before = trim_end(upto(text, at));
        before.last().is_none_or(|b| b":])>|-".contains(b))
    };
    let known = BEGINNINGS.iter().find_map(|(begin, wording)| {
        let at = memchr::memmem::find(text, begin)?;
        begins(at).then_some((at, *wording))
    });
    known.or_else(|| {
        let has = |word: &[u8]| memchr::memmem::find(text, word).is_some();
        (has(b"Cannot allocate memory") && has(b"vmalloc") && has(b"module")).then_some((0, Wording::Module))
    })
}

/// Reads the numbers of a message. A number that ends the text may have been cut.
fn numbers(wording: Wording, text: &[u8]) -> Option<Failure<'_>> {
    let none = Failure { size: None, includes_guard: wording.includes_guard(), window: None, allocated: None, text };
    match wording {
        Wording::NoHole => match preceded(lit(b"vmap allocation for size "), decimal).parse(text) {
            Ok((rest, size)) => rest.starts_with(b" failed").then_some(Failure { size: Some(size), ..none }),
            // The first kernels with this message did not tell the size.
            Err(_) => text.starts_with(b"vmap allocation failed").then_some(none),
        },
        Wording::NoHoleInWindow => {
            let (rest, size) = preceded(lit(b"vmalloc_node_range for size "), decimal).parse(text).ok()?;
            let tail = rest.strip_prefix(b" failed")?;
            let window = match tail.strip_prefix(b": Address range restricted to ") {
                Some(window) => Some(all_consuming(window_of).parse(upto(window, spelt(window))).ok()?.1),
                None => None,
            };
            Some(Failure { size: Some(size), window, ..none })
        }
        Wording::NoArea => {
            let (rest, size) = preceded(lit(b"vmalloc: allocation failure: "), decimal).parse(text).ok()?;
            rest.starts_with(b" bytes").then_some(Failure { size: Some(size), ..none })
        }
        Wording::NoPages => {
            let numbers = (lit(b"vmalloc: allocation failure, allocated "), decimal, lit(b" of "), decimal);
            let (rest, ((), allocated, (), size)) = { numbers }.parse(text).ok()?;
            let failure = Failure { size: Some(size), allocated: Some(allocated), ..none };
            rest.starts_with(b" bytes").then_some(failure)
        }
        Wording::Error => {
            let (rest, size) = preceded(lit(b"vmalloc error: size "), decimal).parse(text).ok()?;
            rest.starts_with(b",").then_some(Failure { size: Some(size), ..none })
        }
        // The size of per-CPU data says nothing of the chunk that it would have needed.
        Wording::OutOfSpace | Wording::PerCpu | Wording::Module => Some(none),
    }
}

/// Bytes of `0xf1000000 - 0xf5110000`, whatever follows it.
fn spelt(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_hexdigit() || b"x -".contains(b)).count()
}

/// `0xf1000000 - 0xf5110000`. Some callers pass the last byte instead of the end.
fn window_of(input: &[u8]) -> Res<'_, (u64, u64)> {
    let (rest, (start, (), end)) = (hex0x, lit(b" - "), hex0x).parse(trim_end(input))?;
    Ok((rest, (start, past(end))))
}

/// The end that a last byte means.
pub(super) fn past(end: u64) -> u64 {
    if end & 0xfff == 0xfff { end.saturating_add(1) } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Task, size, window, allocated bytes.
    type Told = (&'static str, Option<u64>, Option<(u64, u64)>, Option<u64>);

    #[test]
    fn every_wording() {
        use Wording::{Error, Module, NoArea, NoHole, NoHoleInWindow, NoPages, OutOfSpace, PerCpu};
        let window = Some((0xf100_0000, 0xf511_0000));
        let cases: [(&str, Wording, Told); 20] = [
            (
                "allocation failed: out of vmalloc space - use vmalloc=<size> to increase size.",
                OutOfSpace,
                ("", None, None, None),
            ),
            ("vmap allocation failed: use vmalloc=<size> to increase size.", NoHole, ("", None, None, None)),
            ("vmap allocation failed - use vmalloc=<size> to increase size.", NoHole, ("", None, None, None)),
            (
                "vmap allocation for size 36864 failed: use vmalloc=<size> to increase size",
                NoHole,
                ("", Some(36864), None, None),
            ),
            (
                "vmap allocation for size 36864 failed, use vmalloc=<size> to increase size.",
                NoHole,
                ("", Some(36864), None, None),
            ),
            (
                "vmalloc_node_range for size 36864 failed: Address range restricted to 0xf1000000 - 0xf5110000",
                NoHoleInWindow,
                ("", Some(36864), window, None),
            ),
            (
                "vmalloc_node_range for size 36864 failed: Address range restricted to 0xf1000000 - 0xf510ffff",
                NoHoleInWindow,
                ("", Some(36864), window, None),
            ),
            ("vmalloc: allocation failure: 37798136 bytes", NoArea, ("", Some(37_798_136), None, None)),
            (
                "a b: c: vmalloc: allocation failure: 32768 bytes, mode:0xcc0(GFP_KERNEL), nodemask=(null)",
                NoArea,
                ("a b: c", Some(32768), None, None),
            ),
            (
                "vmalloc: allocation failure, allocated 4096 of 12288 bytes",
                NoPages,
                ("", Some(12288), None, Some(4096)),
            ),
            (
                "x: vmalloc error: size 8388608, vm_struct allocation failed, mode:0xdc0",
                Error,
                ("x", Some(8_388_608), None, None),
            ),
            (
                "x: vmalloc error: size 9999999999, exceeds total pages, mode:0xdc0",
                Error,
                ("x", Some(9_999_999_999), None, None),
            ),
            (
                "x: vmalloc error: size 4096, page order 0, failed to allocate pages",
                Error,
                ("x", Some(4096), None, None),
            ),
            ("x: vmalloc error: size 4096, failed to allocate pages, mode:0xdc0", Error, ("x", Some(4096), None, None)),
            ("x: vmalloc error: size 4096, page array size 8 allocation failed", Error, ("x", Some(4096), None, None)),
            ("x: vmalloc error: size 4096, failed to map pages, mode:0xdc0", Error, ("x", Some(4096), None, None)),
            (
                "percpu: allocation failed, size=64 align=8 atomic=0, failed to allocate new chunk",
                PerCpu,
                ("", None, None, None),
            ),
            ("PERCPU: allocation failed, size=64 align=8, failed to extend area map", PerCpu, ("", None, None, None)),
            ("insmod: module a.ko: Cannot allocate memory (vmalloc)", Module, ("", None, None, None)),
            ("> vmap allocation for size 8192 failed: use vmalloc=<size>", NoHole, ("", Some(8192), None, None)),
        ];
        for (text, wording, (comm, size, window, allocated)) in cases {
            let message = message(text.as_bytes()).expect(text);
            let failure = message.failure.expect(text);
            assert_eq!(Wording::of(failure.text), Some(wording), "{text}");
            assert_eq!(String::from_utf8_lossy(message.comm), comm, "{text}");
            assert_eq!((failure.size, failure.window, failure.allocated), (size, window, allocated), "{text}");
            assert_eq!(failure.includes_guard, wording.includes_guard(), "{text}");
        }
    }

    #[test]
    fn cut_messages_have_no_numbers() {
        for text in [
            "vmap allocation for size 368",
            "vmap allocation for",
            "vmap allocation for size 99999999999999999999 failed: use vmalloc=<size>",
            "vmalloc: allocation failure: 32768",
            "vmalloc: allocation failure, allocated 4096 of 122",
            "vmalloc_node_range for size 36864 failed: Address range restricted to 0xf1000000 - ",
            "vmalloc error: size 8388608",
        ] {
            assert_eq!(message(text.as_bytes()), Some(Message { comm: b"", failure: None }), "{text}");
        }
    }

    #[test]
    fn other_lines_say_nothing() {
        for text in [
            "",
            "x: page allocation failure: order:0, mode:0xd2",
            "I get vmap allocation for size 36864 failed: use vmalloc=<size> to increase size",
            "just after \"vmap allocation for size 36864 failed: use vmalloc=<size> to increase size\"",
            "insmod: ERROR: could not insert module a.ko: Cannot allocate memory",
            "__vmalloc_node_range+0x9b/0x4ec",
            "illegal size (32792) or align (8) for percpu allocation",
        ] {
            assert_eq!(message(text.as_bytes()), None, "{text}");
        }
    }
}
