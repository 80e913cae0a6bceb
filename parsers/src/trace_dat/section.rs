//! Sections of version 7, found through the options alone.

use std::collections::BTreeSet;

use super::damage::DatDamage;
use super::header::{MAX_CPUS, MAX_NAME, MAX_TEXT, Parts, text};
use super::input::{Cursor, ReadAt, Trouble};
use super::options::BUFFER;
use super::symbols::{Comms, Formats, Symbols};
use super::window::{MAX_RATIO, Region};
use super::{BufferText, Instance, Method, Unpack};

/// Blocks of options; real files have three.
const MAX_BLOCKS: usize = 65_536;
/// Bytes of all unpacked sections together.
const MAX_UNPACKED: u64 = 256 << 20;

const HEADER_INFO: u16 = 16;
const FTRACE_EVENTS: u16 = 17;
const EVENT_FORMATS: u16 = 18;
const KALLSYMS: u16 = 19;
const PRINTK: u16 = 20;
const CMDLINES: u16 = 21;
const BUFFER_TEXT: u16 = 22;

/// What a section holds, for people.
fn name(id: u16) -> &'static str {
    match id {
        0 => "options",
        HEADER_INFO => "header_page",
        FTRACE_EVENTS | EVENT_FORMATS => "format files",
        KALLSYMS => "kallsyms",
        PRINTK => "printk_formats",
        CMDLINES => "saved_cmdlines",
        BUFFER_TEXT => "a latency tracer's text",
        _ => "pages",
    }
}

/// Where a section's body lies.
enum Body {
    /// In the file: from, to.
    Plain(u64, u64),
    Unpacked(Vec<u8>),
}

/// Walks over sections.
struct Sections<'s, 'u> {
    source: &'s dyn ReadAt,
    method: Option<Method>,
    unpack: &'u dyn Unpack,
    n_unpacked: u64,
}

/// Reads the options from `at` on, and the sections they tell of.
pub(super) fn read<'s>(
    parts: &mut Parts<'s>,
    source: &'s dyn ReadAt,
    method: Option<Method>,
    unpack: &dyn Unpack,
    at: u64,
) {
    let mut sections = Sections { source, method, unpack, n_unpacked: 0 };
    let mut seen = BTreeSet::new();
    let mut next = at;
    while next != 0 {
        if MAX_BLOCKS <= seen.len() || !seen.insert(next) {
            return parts.tools.damage(next, DatDamage::OptionChain);
        }
        let block = next;
        next = match sections.open(parts, 0, block) {
            Ok(body) => sections.options(parts, block, &body).unwrap_or_else(|_| {
                parts.tools.damage(block, DatDamage::OptionChain);
                0
            }),
            Err(_) => return parts.tools.damage(block, DatDamage::OptionChain),
        };
    }
    if parts.options.has_time_shift {
        parts.tools.damage(at, DatDamage::TimeShift);
    }
}

impl<'s> Sections<'s, '_> {
    /// Finds the body of the section at `at`.
    fn open(&mut self, parts: &Parts<'_>, id: u16, at: u64) -> Result<Body, Trouble> {
        let mut cursor = Cursor::new(self.source, parts.order, at, u64::MAX);
        let (found, flags) = (cursor.u16()?, cursor.u16()?);
        cursor.u32()?;
        let size = cursor.u64()?;
        if found != id || cursor.left() < size {
            return Err(Trouble::Short(at));
        }
        if flags & 1 == 0 {
            return Ok(Body::Plain(cursor.at(), cursor.at() + size));
        }
        let (packed, unpacked) = (u64::from(cursor.u32()?), u64::from(cursor.u32()?));
        let room = MAX_UNPACKED.saturating_sub(self.n_unpacked).min(MAX_TEXT);
        if size.checked_sub(8).is_none_or(|room| room < packed) {
            return Err(Trouble::Short(at));
        }
        if room < unpacked || packed.saturating_mul(MAX_RATIO as u64) < unpacked {
            return Err(Trouble::TooBig(at));
        }
        self.n_unpacked += unpacked;
        let method = self.method.ok_or(Trouble::Short(at))?;
        let packed = cursor.block(packed, MAX_TEXT)?;
        let mut body = Vec::new();
        let result = self.unpack.unpack(method, &packed, unpacked as usize, &mut body);
        if result.is_err() || body.len() as u64 > unpacked {
            return Err(Trouble::Short(at));
        }
        Ok(Body::Unpacked(body))
    }

    /// Reads one block of options; hands out where the next one is.
    fn options(&mut self, parts: &mut Parts<'s>, block: u64, body: &Body) -> Result<u64, Trouble> {
        let order = parts.order;
        let mut cursor = match body {
            Body::Plain(from, to) => Cursor::new(self.source, order, *from, *to),
            Body::Unpacked(bytes) => Cursor::new(bytes, order, 0, u64::MAX),
        };
        loop {
            if cursor.left() == 0 {
                return Ok(0);
            }
            let id = cursor.u16()?;
            let n = u64::from(cursor.u32()?);
            let data = cursor.block(n, MAX_TEXT)?;
            if parts.options.is_full() {
                parts.tools.damage(block, DatDamage::TooMany("options"));
                return Ok(0);
            }
            match id {
                0 => return order.uint(&data, 0, 8).ok_or(Trouble::Short(block)),
                BUFFER => {
                    // Counts as an option too.
                    parts.options.take(id, &data, order, 7);
                    if self.buffer(parts, &data).is_err() {
                        parts.tools.damage(block, DatDamage::Section(name(BUFFER)));
                    }
                }
                HEADER_INFO..=BUFFER_TEXT => {
                    parts.options.take(id, &data, order, 7);
                    let at = order.uint(&data, 0, 8).unwrap_or_default();
                    if self.section(parts, id, at).is_err() {
                        parts.tools.damage(at, DatDamage::Section(name(id)));
                    }
                }
                _ => {
                    if !parts.options.take(id, &data, order, 7) {
                        parts.tools.damage(block, DatDamage::Option(id));
                    }
                }
            }
        }
    }

    fn section(&mut self, parts: &mut Parts<'s>, id: u16, at: u64) -> Result<(), Trouble> {
        let body = self.open(parts, id, at)?;
        if id == BUFFER_TEXT {
            parts.facts.texts.push(match body {
                Body::Plain(from, to) => BufferText::At(from, to - from),
                Body::Unpacked(bytes) => BufferText::Unpacked(bytes),
            });
            return Ok(());
        }
        let mut cursor = match &body {
            Body::Plain(from, to) => Cursor::new(self.source, parts.order, *from, *to),
            Body::Unpacked(bytes) => Cursor::new(bytes, parts.order, 0, u64::MAX),
        };
        match id {
            HEADER_INFO => parts.header_info(&mut cursor)?,
            FTRACE_EVENTS => parts.ftrace_formats(&mut cursor)?,
            EVENT_FORMATS => parts.event_formats(&mut cursor)?,
            KALLSYMS => parts.symbols = Symbols::parse(&text(&mut cursor, 4)?),
            PRINTK => parts.printk = Formats::parse(&text(&mut cursor, 4)?),
            _ => parts.comms = Comms::parse(&text(&mut cursor, 8)?),
        }
        Ok(())
    }

    /// The pages of one instance.
    fn buffer(&mut self, parts: &mut Parts<'s>, data: &[u8]) -> Result<(), Trouble> {
        let mut cursor = Cursor::new(&data, parts.order, 0, u64::MAX);
        let at = cursor.u64()?;
        let (name, clock) = (cursor.cstr(MAX_NAME)?, cursor.cstr(MAX_NAME)?);
        let (stride, n_cpus) = (cursor.u32()?, cursor.u32()?);
        if MAX_CPUS < n_cpus {
            return Err(Trouble::TooBig(at));
        }
        // Only the header's flag tells whether the pages are compressed.
        let mut header = Cursor::new(self.source, parts.order, at, u64::MAX);
        let (id, flags) = (header.u16()?, header.u16()?);
        if id != BUFFER {
            return Err(Trouble::Short(at));
        }
        let method = if flags & 1 == 0 { None } else { Some(self.method.ok_or(Trouble::Short(at))?) };
        let instance = parts.facts.instances.len();
        parts.facts.n_cpus = parts.facts.n_cpus.max(n_cpus);
        parts.facts.instances.push(Instance { name, clock, subbuf_bytes: stride as usize, cpus: Vec::new() });
        for _ in 0..n_cpus {
            let (cpu, offset, size) = (cursor.u32()?, cursor.u64()?, cursor.u64()?);
            let Ok(cpu) = u16::try_from(cpu) else { return Err(Trouble::TooBig(at)) };
            let region = Region { source: self.source, cpu, instance, offset, size, method, stride: 0 };
            if !parts.add_region(region) {
                break;
            }
        }
        Ok(())
    }
}
