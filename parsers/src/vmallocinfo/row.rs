//! Rows as the kernel prints them, and the words that they end with.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{all_consuming, map_opt};
use nom::sequence::{preceded, separated_pair};

use std::borrow::Cow;

use super::{Area, Caller, Flags, State, fast};
use crate::lex::{Res, after, blanks, decimal, hex, hex0x, lit, stop, trim_end, upto, word};

/// An address column: its value, its digits, and whether it is a placeholder.
pub(super) type Address = (u64, u8, bool);

/// A whole row without any damage: known words only, each at most once and in the kernel's order.
pub(super) fn row(line: &[u8]) -> Res<'_, Area<'_>> {
    let (mut rest, ((start, digits, unready), (end, end_digits, _), size)) =
        (address, preceded(lit(b"-"), address), preceded((lit(b" "), blanks), decimal)).parse(line)?;
    if digits != end_digits {
        return stop(line);
    }
    let mut area = Area { address_digits: digits, unready, ..Area::new(start, end, size) };
    let mut last = Rank::Start;
    while let Some(text) = rest.strip_prefix(b" ") {
        let (tail, part) = part(text)?;
        if part.rank() <= last && !(last == Rank::Flag || last == Rank::Node) || part.rank() < last {
            return stop(rest);
        }
        // What has no descriptor has nothing to say of callers, pages, addresses and nodes.
        if part.rank() == Rank::State && Rank::Caller <= last {
            return stop(rest);
        }
        last = part.rank();
        part.apply(&mut area);
        rest = tail;
    }
    if rest.is_empty() { Ok((rest, area)) } else { stop(rest) }
}

/// A whole line; what stands behind the row does not matter if it cannot be seen.
pub(super) fn exact(line: &[u8]) -> Option<Area<'_>> {
    row(trim_end(line)).ok().map(|(_, area)| area)
}

/// `0xffffc90000000000`, or `0x(____ptrval____)`
fn address(input: &[u8]) -> Res<'_, Address> {
    let (rest, ()) = lit(b"0x")(input)?;
    placeholder(rest).or_else(|_| {
        let (tail, value) = hex(rest)?;
        match rest.len() - tail.len() {
            digits @ (8 | 16) if !upto(rest, digits).iter().any(u8::is_ascii_uppercase) => {
                Ok((tail, (value, digits as u8, false)))
            }
            _ => stop(input),
        }
    })
}

/// What a kernel without hash key prints.
pub(super) fn placeholder(input: &[u8]) -> Res<'_, Address> {
    let wide = lit(b"(____ptrval____)").map(|()| (0, 16, true));
    let narrow = lit(b"(ptrval)").map(|()| (0, 8, true));
    alt((wide, narrow)).parse(input)
}

/// One thing that a row says after its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<'a> {
    State(State),
    Caller(Caller<'a>),
    Pages(u64),
    Phys(u64, u8),
    Flag(Flags),
    Node(u16, u64),
}

/// The order of the parts in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Start,
    Caller,
    Pages,
    Phys,
    Flag,
    Node,
    State,
}

impl<'a> Part<'a> {
    pub(super) fn apply(self, area: &mut Area<'a>) {
        match self {
            Self::State(state) => area.state = state,
            Self::Caller(caller) => area.caller = Some(caller),
            Self::Pages(pages) => area.pages = Some(pages),
            Self::Phys(phys, digits) => {
                area.phys = Some(phys);
                area.phys_digits = digits;
            }
            Self::Flag(flag) => area.flags = area.flags.with(flag),
            Self::Node(node, pages) => area.nodes.push(node, pages),
        }
    }

    pub(super) fn rank(&self) -> Rank {
        match self {
            Self::State(_) => Rank::State,
            Self::Caller(_) => Rank::Caller,
            Self::Pages(_) => Rank::Pages,
            Self::Phys(..) => Rank::Phys,
            Self::Flag(_) => Rank::Flag,
            Self::Node(..) => Rank::Node,
        }
    }
}

/// The next part of a row's tail.
pub(super) fn part(input: &[u8]) -> Res<'_, Part<'_>> {
    let (rest, first) = word(input)?;
    let part = match first {
        b"vm_map_ram" => Part::State(State::VmMapRam),
        b"unpurged" | b"freeing" => {
            return preceded(lit(b" "), lit(b"vm_area"))
                .parse(rest)
                .map(|(rest, ())| (rest, Part::State(State::Unpurged)));
        }
        [b'N', b'0'..=b'9', ..] if first.contains(&b'=') => Part::Node(0, 0),
        _ => match Flags::from_word(first) {
            Some(flag) => Part::Flag(flag),
            None if first.starts_with(b"pages=") || first.starts_with(b"phys=") => Part::Pages(0),
            None => return caller(input).map(|(rest, caller)| (rest, Part::Caller(caller))),
        },
    };
    match part {
        Part::Node(..) | Part::Pages(_) => value(first).map_or_else(|| stop(input), |part| Ok((rest, part))),
        _ => Ok((rest, part)),
    }
}

/// `pages=4`, `phys=0x00000000fed00000`, `N0=4`
pub(super) fn value(word: &[u8]) -> Option<Part<'_>> {
    let pages = preceded(lit(b"pages="), decimal).map(Part::Pages);
    let node = preceded(lit(b"N"), separated_pair(decimal, lit(b"="), decimal));
    let node = map_opt(node, |(node, pages)| u16::try_from(node).ok().map(|node| Part::Node(node, pages)));
    all_consuming(alt((pages, preceded(lit(b"phys="), phys), node))).parse(word).ok().map(|(_, part)| part)
}

/// `0x00000000fed00000` since 4.15, `fed00000` before.
fn phys(input: &[u8]) -> Res<'_, Part<'_>> {
    if input.iter().any(u8::is_ascii_uppercase) {
        return stop(input);
    }
    let digits = match input.strip_prefix(b"0x") {
        Some(digits) if matches!(digits.len(), 8 | 16) => digits.len() as u8,
        Some(_) => return stop(input),
        None => 0,
    };
    let (rest, value) = if digits == 0 { hex(input)? } else { hex0x(input)? };
    Ok((rest, Part::Phys(value, digits)))
}

/// `foo_init+0x2b/0x110 [foo]`, or `0xbf00e11c`
pub(super) fn caller(input: &[u8]) -> Res<'_, Caller<'_>> {
    let (rest, text) = word(input)?;
    let symbol = match memchr::memmem::find(text, b"+0x") {
        Some(at) if 0 < at => all_consuming(separated_pair(hex0x, lit(b"/"), hex0x))
            .parse(after(text, at + 1))
            .ok()
            .map(|(_, (offset, length))| (upto(text, at), offset, length)),
        _ => all_consuming(hex0x).parse(text).ok().map(|_| (text, 0, 0)),
    };
    let Some((symbol, offset, length)) = symbol.filter(|(name, ..)| name.iter().all(|&b| fast::is_symbol(b))) else {
        return stop(input);
    };
    let (rest, module) = match module(rest) {
        Ok((rest, module)) => (rest, Some(Cow::Borrowed(module))),
        Err(_) => (rest, None),
    };
    Ok((rest, Caller { symbol: Cow::Borrowed(symbol), offset, length, module }))
}

/// ` [foo]`
fn module(input: &[u8]) -> Res<'_, &[u8]> {
    let (rest, name) = preceded(lit(b" ["), word).parse(input)?;
    match name.strip_suffix(b"]") {
        Some(name) if is_module(name) => Ok((rest, name)),
        _ => stop(input),
    }
}

/// A module's name.
pub(super) fn is_module(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&b| fast::is_symbol(b) || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_row() {
        let line =
            b"0xffffc90000000000-0xffffc90000005000   20480 foo_init+0x2b/0x110 [foo] pages=4 vmalloc user N0=3 N1=1";
        let (_, area) = row(line).expect("a row");
        assert_eq!((area.start, area.end, area.size), (0xffff_c900_0000_0000, 0xffff_c900_0000_5000, 20480));
        let caller = Caller {
            symbol: (*b"foo_init").to_vec().into(),
            offset: 0x2b,
            length: 0x110,
            module: Some(b"foo".to_vec().into()),
        };
        assert_eq!((area.caller, area.pages), (Some(caller), Some(4)));
        assert_eq!(*area.nodes, [(0, 3), (1, 1)]);
        assert!(area.flags.contains(Flags::VMALLOC.with(Flags::USER)));
    }

    #[test]
    fn old_and_new_physical_addresses() {
        assert_eq!(value(b"phys=7fee0000"), Some(Part::Phys(0x7fee_0000, 0)));
        assert_eq!(value(b"phys=0x000000005dbe1000"), Some(Part::Phys(0x5dbe_1000, 16)));
        assert_eq!(value(b"phys=0x6f000000"), Some(Part::Phys(0x6f00_0000, 8)));
    }

    #[test]
    fn anything_else_is_left_to_the_repair() {
        for line in [
            "0xffffc90000000000-0xffffc90000005000   20480 foo vmap",
            "0xffffc90000000000-0xffffc90000005000   20480 vmap lowmem",
            "0xffffc90000000000-0xffffc90000005000   20480 vmalloc pages=4",
            "0xffffc90000000000-0xffffc90000005000   20480 vmalloc ",
            "0xFFFFC90000000000-0xFFFFC90000005000   20480 vmalloc",
            "0xffffc90000000000-0xffffc900   20480 vmalloc",
            "0xffffc90000000000-0xffffc90000005000   2048x",
            "0xffffc90000000000-0xffffc90000005000",
            "> 0xffffc90000000000-0xffffc90000005000   20480 vmalloc",
        ] {
            assert!(row(line.as_bytes()).is_err(), "{line}");
        }
    }
}
