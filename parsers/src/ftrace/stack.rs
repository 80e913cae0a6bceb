//! Frames of stack blocks.

use nom::Parser;
use nom::combinator::all_consuming;
use nom::sequence::{delimited, separated_pair};

use crate::lex::{Lines, after, hex, hex0x, lit, trim_end, trim_start, upto};
use crate::record::Frame;

/// Reads the lines of a block up to the first that is no frame. A task can be called `=> x`: its lines are none, also
/// where the latency format has cut the name. `starts_item` is the form's own word for such lines, so that a block ends
/// wherever a text can be cut into windows.
pub(crate) fn frames<'a>(lines: &mut Lines<'a>, starts_item: impl Fn(&[u8]) -> bool) -> Vec<Frame<'a>> {
    let mut frames = Vec::new();
    let mut ahead = lines.clone();
    let next_frame = |ahead: &mut Lines<'a>| {
        let line = ahead.next().filter(|line| !starts_item(line.bytes))?;
        frame_text(line.bytes)
    };
    while let Some(text) = next_frame(&mut ahead) {
        frames.push(frame(text));
        *lines = ahead.clone();
    }
    frames
}

/// What follows ` => ` on the line of a frame.
pub(crate) fn frame_text(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b" =>").or_else(|| line.strip_prefix(b"=>")).filter(|text| text.first() == Some(&b' '))
}

/// One frame; whatever is not understood stays part of the symbol, because it is all a person has.
pub(crate) fn frame(text: &[u8]) -> Frame<'_> {
    let (text, address) = split_address(trim_end(text));
    let text = trim_start(text);
    let (text, module) = split_module(text);
    let (symbol, offset, length) = split_offset(text);
    // Some kernels print the module before the offset.
    let (symbol, module) = if module.is_none() && length.is_some() { split_module(symbol) } else { (symbol, module) };
    let address = address.or_else(|| all_consuming(hex0x).parse(symbol).ok().map(|(_, address)| address));
    Frame { symbol, offset, length, module, address }
}

/// Splits ` <ffffffff981a176c>` off the end; trace-cmd has parentheses there.
fn split_address(text: &[u8]) -> (&[u8], Option<u64>) {
    let Some(at) = memchr::memrchr(b' ', text) else { return (text, None) };
    let tail = after(text, at + 1);
    let angle = all_consuming(delimited(lit(b"<"), hex, lit(b">"))).parse(tail);
    let round = || all_consuming(delimited(lit(b"("), hex, lit(b")"))).parse(tail);
    match angle.or_else(|_| round()) {
        Ok((_, address)) => (upto(text, at), Some(address)),
        Err(_) => (text, None),
    }
}

/// Splits ` [module]` off the end.
fn split_module(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(inside) = text.strip_suffix(b"]") else { return (text, None) };
    match memchr::memmem::rfind(inside, b" [") {
        Some(at) if 0 < at => (upto(text, at), Some(after(inside, at + 2))),
        _ => (text, None),
    }
}

/// Splits `+0x8c/0xd0` off a function, or `[+0x1234]` off a file.
fn split_offset(text: &[u8]) -> (&[u8], Option<u64>, Option<u64>) {
    let Some(at) = memchr::memmem::rfind(text, b"+0x") else { return (text, None, None) };
    let tail = after(text, at + 1);
    if let Ok((_, (offset, length))) = all_consuming(separated_pair(hex0x, lit(b"/"), hex0x)).parse(tail) {
        return (upto(text, at), Some(offset), Some(length));
    }
    let file = upto(text, at).strip_suffix(b"[");
    match (file, all_consuming((hex0x, lit(b"]"))).parse(tail)) {
        (Some(file), Ok((_, (offset, ())))) => (file, Some(offset), None),
        _ => (text, None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(symbol: &[u8]) -> Frame<'_> {
        Frame { symbol, offset: None, length: None, module: None, address: None }
    }

    #[test]
    fn every_symbol_style() {
        assert_eq!(frame(b" alloc_vmap_area"), plain(b"alloc_vmap_area"));
        let offset = Frame { offset: Some(0x3b3), length: Some(0xc20), ..plain(b"alloc_vmap_area") };
        assert_eq!(frame(b" alloc_vmap_area+0x3b3/0xc20"), offset);
        let address = Some(0xffff_ffff_981a_5993);
        assert_eq!(frame(b" alloc_vmap_area+0x3b3/0xc20 <ffffffff981a5993>"), Frame { address, ..offset });
        assert_eq!(frame(b" alloc_vmap_area (ffffffff981a5993)"), Frame { address, ..plain(b"alloc_vmap_area") });
    }

    #[test]
    fn modules_on_either_side_of_the_offset() {
        let want = Frame { offset: Some(1), length: Some(0x20), module: Some(b"foo"), ..plain(b"foo_init") };
        assert_eq!(frame(b" foo_init+0x1/0x20 [foo]"), want);
        assert_eq!(frame(b" foo_init [foo]+0x1/0x20"), want);
        assert_eq!(frame(b" [FTRACE TRAMPOLINE]"), plain(b"[FTRACE TRAMPOLINE]"));
    }

    #[test]
    fn addresses_alone_and_user_space() {
        let address = Some(0x46_1819);
        assert_eq!(frame(b"  <0000000000461819>"), Frame { address, ..plain(b"") });
        let want = Frame { offset: Some(0x1234), address, ..plain(b"/usr/bin/a b") };
        assert_eq!(frame(b" /usr/bin/a b[+0x1234] <0000000000461819>"), want);
        assert_eq!(frame(b" 0x461819"), Frame { address, ..plain(b"0x461819") });
        assert_eq!(frame(b" 0"), plain(b"0"));
    }

    #[test]
    fn a_damaged_frame_keeps_its_text() {
        assert_eq!(frame(b" alloc_vmap_area+0x3b3/0x <fff"), plain(b"alloc_vmap_area+0x3b3/0x <fff"));
        assert_eq!(frame_text(b" ==> x"), None);
    }
}
