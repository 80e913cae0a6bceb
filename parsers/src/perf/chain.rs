//! Frames of a call chain.
//!
//! ```text
//! \tffffffff87ba5993 alloc_vmap_area+0x3b3 ([kernel.kallsyms])
//! \tffffffffc04b1234 nft_set_init+0x14 ([nf_tables])
//! \t           61819 __clone3+0x19 (/bin/vmload)
//! \t        2513d770 [unknown] ([unknown])
//! ```

use nom::Parser;
use nom::combinator::all_consuming;

use crate::lex::{Lines, after, hex, hex0x, upto};
use crate::record::Frame;

/// The frames of one chain, innermost first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chain<'a> {
    pub(super) kernel: Vec<Frame<'a>>,
    pub(super) user: Vec<Frame<'a>>,
}

impl<'a> Chain<'a> {
    pub(super) fn push(&mut self, text: &'a [u8]) {
        let (frame, is_kernel) = frame(text);
        // The kernel is entered from user space: below a user's frame there is no kernel's.
        if is_kernel && self.user.is_empty() { self.kernel.push(frame) } else { self.user.push(frame) }
    }
}

/// Reads the lines of a chain, up to the blank line that ends it or the first that is no frame. `is_event` tells an
/// event's line, whose padding may look like a frame's.
pub(super) fn chain<'a>(lines: &mut Lines<'a>, is_event: impl Fn(&[u8]) -> bool) -> Chain<'a> {
    let mut chain = Chain::default();
    let mut ahead = lines.clone();
    while let Some(line) = ahead.next() {
        let Some(text) = frame_text(line.bytes).filter(|_| line.bytes.starts_with(b"\t") || !is_event(line.bytes))
        else {
            break;
        };
        chain.push(text);
        *lines = ahead.clone();
    }
    chain
}

/// What stands behind the padding of a frame's line.
fn frame_text(line: &[u8]) -> Option<&[u8]> {
    let text = line.trim_ascii();
    let n = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let is_address = (1..=16).contains(&n) && matches!(text.get(n), None | Some(b' '));
    let is_frame = match line.first()? {
        b'\t' => !text.is_empty(),
        // Tabs do not survive every copy.
        b' ' => is_address,
        _ => false,
    };
    is_frame.then_some(text)
}

/// A frame that stands behind its event's arguments (`ip,sym` without chains), and the arguments without it.
pub(super) fn at_end(args: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memmem::find_iter(args, b" ").find_map(|at| {
        let text = after(args, at).trim_ascii_start();
        let n = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        ((8..=16).contains(&n) && text.get(n) == Some(&b' ') && !upto(text, n).iter().all(u8::is_ascii_digit))
            .then_some(at)
    })?;
    Some((upto(args, at), after(args, at).trim_ascii()))
}

/// One frame, and whether it is the kernel's. What is not understood stays part of the symbol.
pub(super) fn frame(text: &[u8]) -> (Frame<'_>, bool) {
    let text = text.strip_suffix(b" (inlined)").unwrap_or(text);
    let (text, file) = split_file(text);
    let n = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let address = hex(upto(text, n)).ok().filter(|_| matches!(text.get(n), None | Some(b' '))).map(|(_, value)| value);
    let symbol = if address.is_some() { after(text, n).trim_ascii_start() } else { text };
    let (symbol, offset) = split_offset(symbol);
    let in_kernel = match file {
        Some(Place::Kernel | Place::Module(_)) => true,
        Some(Place::User(_)) => false,
        Some(Place::Unknown) | None => address.is_some_and(is_kernel),
    };
    let (symbol, module) = match (symbol, file) {
        (b"[unknown]", Some(Place::User(path))) => (path, None),
        (b"[unknown]", Some(Place::Module(name))) => (&b""[..], Some(name)),
        (b"[unknown]", _) => (&b""[..], None),
        (symbol, Some(Place::Module(name))) => (symbol, Some(name)),
        (symbol, _) => (symbol, None),
    };
    (Frame { symbol, offset, length: None, module, address }, in_kernel)
}

/// Whether an address alone is the kernel's; of 32 bits only the usual split is known.
fn is_kernel(address: u64) -> bool {
    address >> 63 == 1 || (0xc000_0000..=0xffff_ffff).contains(&address)
}

/// Where a frame's code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Kernel,
    Module(&'a [u8]),
    User(&'a [u8]),
    Unknown,
}

/// Splits ` ([kernel.kallsyms])` off the end.
fn split_file(text: &[u8]) -> (&[u8], Option<Place<'_>>) {
    let Some(inside) = text.strip_suffix(b")") else { return (text, None) };
    // Paths may hold blanks and parentheses.
    let Some(at) = memchr::memmem::find(inside, b" (") else { return (text, None) };
    (upto(text, at), Some(place(after(inside, at + 2))))
}

fn place(file: &[u8]) -> Place<'_> {
    if let Some(name) = file.strip_prefix(b"[").and_then(|file| file.strip_suffix(b"]")) {
        return match name {
            b"unknown" => Place::Unknown,
            b"vdso" | b"vsyscall" | b"heap" | b"stack" => Place::User(file),
            _ if name.starts_with(b"kernel.") || name.starts_with(b"guest.") => Place::Kernel,
            _ => Place::Module(name),
        };
    }
    let base = memchr::memrchr(b'/', file).map_or(file, |at| after(file, at + 1));
    match memchr::memmem::find(base, b".ko") {
        Some(at) if matches!(base.get(at + 3), None | Some(b'.')) => Place::Module(upto(base, at)),
        _ if base.starts_with(b"vmlinux") => Place::Kernel,
        _ => Place::User(file),
    }
}

/// Splits `+0x3b3` off a function.
fn split_offset(symbol: &[u8]) -> (&[u8], Option<u64>) {
    let Some(at) = memchr::memmem::rfind(symbol, b"+0x") else { return (symbol, None) };
    match all_consuming(hex0x).parse(after(symbol, at + 1)) {
        Ok((_, offset)) => (upto(symbol, at), Some(offset)),
        Err(_) => (symbol, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_kernel_of_modules_and_of_users() {
        let plain = Frame { symbol: b"", offset: None, length: None, module: None, address: None };
        for (text, want, kernel) in [
            (
                "ffffffff87ba5993 alloc_vmap_area+0x3b3 ([kernel.kallsyms])",
                Frame {
                    symbol: b"alloc_vmap_area",
                    offset: Some(0x3b3),
                    address: Some(0xffff_ffff_87ba_5993),
                    ..plain
                },
                true,
            ),
            (
                "ffffffff87ba5993 alloc_vmap_area",
                Frame { symbol: b"alloc_vmap_area", address: Some(0xffff_ffff_87ba_5993), ..plain },
                true,
            ),
            (
                "ffffffffc04b1234 nft_set_init+0x14 ([nf_tables])",
                Frame {
                    symbol: b"nft_set_init",
                    offset: Some(0x14),
                    module: Some(b"nf_tables"),
                    address: Some(0xffff_ffff_c04b_1234),
                    ..plain
                },
                true,
            ),
            (
                "ffffffffc04b1234 f+0x14 (/lib/modules/6.12/kernel/net/nf_tables.ko.xz) (inlined)",
                Frame {
                    symbol: b"f",
                    offset: Some(0x14),
                    module: Some(b"nf_tables"),
                    address: Some(0xffff_ffff_c04b_1234),
                    ..plain
                },
                true,
            ),
            (
                "61819 __clone3+0x19 (/bin/vm load)",
                Frame { symbol: b"__clone3", offset: Some(0x19), address: Some(0x61819), ..plain },
                false,
            ),
            ("61819 [unknown] (/bin/vmload)", Frame { symbol: b"/bin/vmload", address: Some(0x61819), ..plain }, false),
            ("2513d770 [unknown] ([unknown])", Frame { address: Some(0x2513_d770), ..plain }, false),
            ("ffffffff87ba5993", Frame { address: Some(0xffff_ffff_87ba_5993), ..plain }, true),
            (
                "operator new(unsigned long)+0x1 (/lib/libstdc++.so)",
                Frame { symbol: b"operator new(unsigned long)", offset: Some(1), ..plain },
                false,
            ),
        ] {
            assert_eq!(frame(text.as_bytes()), (want, kernel), "{text}");
        }
    }
}
