//! [`Words`]: what a request is told besides its fields.

use nom::Parser;
use nom::bytes::complete::take_while1;
use nom::sequence::{preceded, separated_pair};

use super::super::gap;
use crate::lex::{Res, lit, number, stop};

/// What a request is told besides its fields, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    /// `align=N`, in bytes.
    pub align: Option<u64>,
    /// `range=START-END`
    pub window: Option<(u64, u64)>,
    /// `cpu=N`
    pub cpu: u32,
    /// `node=N`
    pub node: Option<u32>,
    /// `gfp=NAME`: `kernel`, `dma`, `dma32`, `highmem` or `atomic`.
    pub gfp: Option<Gfp>,
    /// `flags=NAME|NAME` or a number, as written.
    pub flags: Option<String>,
    /// `fail=array`, `fail=descriptor`, `fail=pages:N`, `fail=tables:N`
    pub fail: Option<Fail>,
    /// `caller=NAME`
    pub caller: Option<String>,
}

/// Which memory, and whether it may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gfp {
    /// `GFP_KERNEL`
    Kernel,
    /// `GFP_DMA`
    Dma,
    /// `GFP_DMA32`
    Dma32,
    /// `GFP_HIGHUSER` and the like: any memory.
    HighMem,
    /// `GFP_ATOMIC`: no sleeping.
    Atomic,
}

/// What is made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fail {
    /// The descriptor.
    Descriptor,
    /// The page-pointer array.
    Array,
    /// All pages but so many.
    Pages(u32),
    /// All new tables but so many.
    Tables(u32),
}

/// `key=value` words to the end of the line. A key that stands twice counts the second time.
pub(super) fn words(input: &[u8]) -> Res<'_, Words> {
    let (mut rest, mut words) = (input, Words::default());
    while let Ok((next, (key, value))) = preceded(gap, pair).parse(rest) {
        if words.take(key, value).is_none() {
            return stop(rest);
        }
        rest = next;
    }
    Ok((rest, words))
}

fn pair(input: &[u8]) -> Res<'_, (&[u8], &[u8])> {
    let key = take_while1(|byte: u8| byte.is_ascii_lowercase());
    let value = take_while1(|byte: u8| !byte.is_ascii_whitespace());
    separated_pair(key, lit(b"="), value).parse(input)
}

impl Words {
    /// Takes one word; `None` if it is not known or its value makes no sense.
    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let whole = || number(value).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, number)| number);
        let text = || String::from_utf8(value.to_vec()).ok();
        match key {
            b"align" => self.align = Some(whole().filter(|align| align.is_power_of_two())?),
            b"range" => {
                let (rest, (start, end)) = separated_pair(number, lit(b"-"), number).parse(value).ok()?;
                self.window = Some((start, end)).filter(|_| rest.is_empty() && start < end);
                self.window?;
            }
            b"cpu" => self.cpu = u32::try_from(whole()?).ok()?,
            b"node" => self.node = Some(u32::try_from(whole()?).ok()?),
            b"gfp" => self.gfp = Some(gfp(value)?),
            b"flags" => self.flags = Some(text()?),
            b"fail" => self.fail = Some(fail(value)?),
            b"caller" => self.caller = Some(text()?),
            _ => return None,
        }
        Some(())
    }
}

fn gfp(value: &[u8]) -> Option<Gfp> {
    Some(match value {
        b"kernel" => Gfp::Kernel,
        b"dma" => Gfp::Dma,
        b"dma32" => Gfp::Dma32,
        b"highmem" => Gfp::HighMem,
        b"atomic" => Gfp::Atomic,
        _ => return None,
    })
}

fn fail(value: &[u8]) -> Option<Fail> {
    let count = |text: &[u8]| {
        let (rest, n) = number(text).ok()?;
        u32::try_from(n).ok().filter(|_| rest.is_empty())
    };
    match value {
        b"descriptor" => Some(Fail::Descriptor),
        b"array" => Some(Fail::Array),
        _ => match (value.strip_prefix(b"pages:"), value.strip_prefix(b"tables:")) {
            (Some(n), _) => count(n).map(Fail::Pages),
            (_, Some(n)) => count(n).map(Fail::Tables),
            _ => None,
        },
    }
}
