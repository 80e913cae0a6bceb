//! What follows a failure message: who it was, and the way there.
//!
//! ```text
//! CPU: 0 UID: 0 PID: 148 Comm: vmwork Not tainted 6.5.0-0.deb12.4-686 #1
//! Call Trace:
//!  dump_stack_lvl+0x39/0x48
//!  ? schedule+0x58/0xe0                                          left on the stack, no part of the way
//!  [<ffffffff8113a6c6>] warn_alloc_failed+0xf6/0x150             before 4.10
//!  [<c020fe6c>] (unwind_backtrace) from [<c020b338>] (show_stack+0x10/0x14)       32-bit ARM
//!  vfree from delayed_vfree_work+0x44/0x50                       32-bit ARM since 5.19
//!  [f1013e20] [c001b2d8] dump_stack_lvl+0x80/0xac (unreliable)   powerpc
//! ```

use crate::lex::{after, decimal, hex, hex0x, trim, trim_end, trim_start, upto};
use crate::record::Frame;

/// Who a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task<'a> {
    pub cpu: Option<u16>,
    pub pid: i32,
    pub comm: &'a [u8],
}

/// A line of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Task(Task<'a>),
    /// The name of the task alone: `insmod: page allocation failure: order:0, mode:0xd2`
    Comm(&'a [u8]),
    /// The stack begins.
    Heading,
    Frame(Frame<'a>),
    /// A frame that the kernel doubts, a mark between stacks, the machine's name.
    Skipped,
    /// Nothing of a report.
    Other,
}

/// Says what the text of an entry is.
pub(super) fn piece(text: &[u8]) -> Piece<'_> {
    if let Some(task) = task(text) {
        return Piece::Task(task);
    }
    if let Some(at) = memchr::memmem::find(text, b": page allocation failure") {
        return Piece::Comm(upto(text, at));
    }
    if [&b"Call Trace:"[..], b"Call trace:", b"Backtrace:", b"Stack trace:"].iter().any(|head| text.starts_with(head)) {
        return Piece::Heading;
    }
    let marks: [&[u8]; 9] = [
        b"Tainted: ",
        b"Hardware name:",
        b"Workqueue:",
        b"<TASK>",
        b"</TASK>",
        b"<IRQ>",
        b"</IRQ>",
        b"<EOI>",
        b"=====",
    ];
    if marks.iter().any(|mark| text.starts_with(mark)) || text.ends_with(b"callbacks suppressed") || is_registers(text)
    {
        return Piece::Skipped;
    }
    frame(text)
}

/// `CPU: 0 PID: 148 Comm: vmwork Not tainted …`, or `Pid: 7812, comm: tcpdump Tainted: PF …`
fn task(text: &[u8]) -> Option<Task<'_>> {
    let modern = memchr::memmem::find(text, b"PID: ").filter(|_| text.starts_with(b"CPU: "));
    let (at, key, name) = match modern {
        Some(at) => (at + 5, &b" Comm: "[..], true),
        None => (text.starts_with(b"Pid: ").then_some(5)?, &b", comm: "[..], false),
    };
    let (rest, pid) = decimal(after(text, at)).ok()?;
    let comm = trim_start(rest.strip_prefix(key)?);
    let ends: [&[u8]; 4] = [b" Not tainted", b" Tainted: ", b" Kdump: ", b" Xid: "];
    let end = ends.iter().filter_map(|end| memchr::memmem::find(comm, end)).min().unwrap_or(comm.len());
    let cpu = if name { decimal(after(text, 5)).ok().and_then(|(_, cpu)| u16::try_from(cpu).ok()) } else { None };
    Some(Task { cpu, pid: i32::try_from(pid).ok()?, comm: upto(comm, end.min(15)) })
}

/// `r6:c03ddfa4 r5:000000d0` between frames of old ARM kernels.
fn is_registers(text: &[u8]) -> bool {
    text.starts_with(b"r")
        && text.split(|b| *b == b' ').all(|word| {
            word.strip_prefix(b"r").and_then(|word| decimal(word).ok()).is_some_and(|(rest, _)| rest.starts_with(b":"))
        })
}

/// One frame, or something else.
fn frame(text: &[u8]) -> Piece<'_> {
    let (text, address, brackets) = addresses(text);
    // 32-bit ARM names the function that was called and then where from; the second is the frame.
    let from = memchr::memmem::find(text, b" from ").map(|at| at + 6);
    let from = from.or_else(|| text.starts_with(b"from ").then_some(5));
    let (text, address, is_pair) = match from {
        Some(at) => {
            let (text, caller, _) = addresses(trim_start(after(text, at)));
            (text, caller, true)
        }
        None => (text, address, false),
    };
    let text = trim(text);
    let doubted = text.starts_with(b"? ") || text.ends_with(b"(unreliable)");
    // `(P)` and the like say what unwound the frame.
    let text = match text {
        [head @ .., b' ', b'(', b'A'..=b'Z', b')'] => head,
        _ => text.strip_suffix(b" (unreliable)").unwrap_or(text),
    };
    let text = text.strip_prefix(b"? ").unwrap_or(text);
    let text = text.strip_prefix(b"(").and_then(|inner| inner.strip_suffix(b")")).unwrap_or(text);
    if text.is_empty() && address.is_some() && (is_pair || brackets) {
        return Piece::Frame(Frame { symbol: b"", offset: None, length: None, module: None, address });
    }
    match symbol(text) {
        Some(_) if doubted => Piece::Skipped,
        Some(frame) => Piece::Frame(Frame { address, ..frame }),
        None => Piece::Other,
    }
}

/// Takes `[<c020b338>]`, `[c001b2d8]` and the like off the start: the last one is where the call returns to.
fn addresses(text: &[u8]) -> (&[u8], Option<u64>, bool) {
    let mut rest = trim_start(text.strip_prefix(b"Function entered at").unwrap_or(text));
    let mut address = None;
    while let Some(inside) = rest.strip_prefix(b"([").or_else(|| rest.strip_prefix(b"[")) {
        let digits = inside.strip_prefix(b"<").unwrap_or(inside);
        let Ok((tail, value)) = hex(digits) else { break };
        let tail = tail.strip_prefix(b">").unwrap_or(tail);
        let Some(tail) = tail.strip_prefix(b"]") else { break };
        if digits.len() < 8 {
            break;
        }
        address = Some(value);
        rest = trim_start(tail.strip_prefix(b")").unwrap_or(tail));
    }
    (rest, address, address.is_some())
}

/// `alloc_dma_memory+0x8a/0xe0 [fbcapture]`, `:ip_conntrack:alloc_hashtable+0x33/0x7a`
fn symbol(text: &[u8]) -> Option<Frame<'_>> {
    let at = memchr::memmem::find(text, b"+0x")?;
    let (rest, offset) = hex0x(after(text, at + 1)).ok()?;
    let (rest, length) = hex0x(rest.strip_prefix(b"/")?).ok()?;
    let name = upto(text, at);
    let (name, module) = match name.strip_prefix(b":") {
        Some(old) => {
            let colon = memchr::memchr(b':', old)?;
            (after(old, colon + 1), Some(upto(old, colon)))
        }
        None => (name, None),
    };
    let fine = |b: &u8| b.is_ascii_alphanumeric() || b"_.$".contains(b);
    let tail = trim_end(trim_start(rest));
    let module = match tail.strip_prefix(b"[") {
        // A build id can follow the name.
        Some(inside) => Some(upto(inside, inside.iter().position(|b| b" ]".contains(b))?)),
        None if tail.is_empty() => module,
        None => return None,
    };
    let named = !name.is_empty() && name.iter().all(fine);
    named.then_some(Frame { symbol: name, offset: Some(offset), length: Some(length), module, address: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(symbol: &'static str, address: Option<u64>) -> Piece<'static> {
        let (name, tail) = symbol.split_once('+').expect("an offset");
        let (tail, module) = tail.split_once(" [").map_or((tail, None), |(tail, m)| (tail, m.strip_suffix(']')));
        let (offset, length) = tail.split_once('/').expect("a length");
        let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
        Piece::Frame(Frame {
            symbol: name.as_bytes(),
            offset: number(offset),
            length: number(length),
            module: module.map(str::as_bytes),
            address,
        })
    }

    #[test]
    fn frames_of_every_kernel() {
        let there = Some(0xc020_b338);
        for (text, want) in [
            ("dump_stack_lvl+0x39/0x48", named("dump_stack_lvl+0x39/0x48", None)),
            ("show_stack+0x18/0x24 (C)", named("show_stack+0x18/0x24", None)),
            ("foo+0x1/0x2 [bar]", named("foo+0x1/0x2 [bar]", None)),
            ("foo+0x1/0x2 [bar 0123456789abcdef]", named("foo+0x1/0x2 [bar]", None)),
            ("? schedule+0x58/0xe0", Piece::Skipped),
            ("[<c020b338>] ? schedule+0x58/0xe0", Piece::Skipped),
            ("[<c020b338>] warn_alloc_failed+0xf6/0x150", named("warn_alloc_failed+0xf6/0x150", there)),
            ("[<c020b338>] :ip_conntrack:hash+0x33/0x7a", named("hash+0x33/0x7a [ip_conntrack]", there)),
            (
                "[<c020fe6c>] (unwind_backtrace) from [<c020b338>] (show_stack+0x10/0x14)",
                named("show_stack+0x10/0x14", there),
            ),
            (
                "[<c00144fc>] (unwind_backtrace+0x0/0xec) from [<c020b338>] (alloc+0x40/0xac [videobuf2])",
                named("alloc+0x40/0xac [videobuf2]", there),
            ),
            ("vfree from delayed_vfree_work+0x44/0x50", named("delayed_vfree_work+0x44/0x50", None)),
            ("[f1013e20] [c020b338] dump_stack_lvl+0x80/0xac", named("dump_stack_lvl+0x80/0xac", there)),
            ("[f1013e20] [c020b338] dump_stack_lvl+0x80/0xac (unreliable)", Piece::Skipped),
            ("([<c020b338>] show_stack+0x5a/0x80)", Piece::Other),
            (
                "Function entered at [<c0011e48>] from [<c020b338>]",
                Piece::Frame(Frame { symbol: b"", offset: None, length: None, module: None, address: there }),
            ),
            ("r6:c03ddfa4 r5:000000d0", Piece::Skipped),
            ("<TASK>", Piece::Skipped),
            ("EIP: 0xb7f6a589", Piece::Other),
            ("Mem-Info:", Piece::Other),
            ("usb 1-1: new device [foo]", Piece::Other),
            ("[drm] initialised", Piece::Other),
        ] {
            assert_eq!(piece(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn tasks_of_every_kernel() {
        for (text, cpu, pid, comm) in [
            ("CPU: 3 PID: 148 Comm: a b: c Not tainted 6.5.0 #1", Some(3), 148, "a b: c"),
            ("CPU: 3 UID: 0 PID: 148 Comm: vmwork Tainted: G  O  6.12", Some(3), 148, "vmwork"),
            ("CPU: 3 PID: 1 Comm: swapper/0 Kdump: loaded Not tainted", Some(3), 1, "swapper/0"),
            ("Pid: 7812, comm: tcpdump Tainted: PF       W  O 3.8.0 #42", None, 7812, "tcpdump"),
        ] {
            let want = Task { cpu, pid, comm: comm.as_bytes() };
            assert_eq!(piece(text.as_bytes()), Piece::Task(want), "{text}");
        }
        assert_eq!(piece(b"insmod: page allocation failure: order:0, mode:0xd2"), Piece::Comm(b"insmod"));
    }
}
