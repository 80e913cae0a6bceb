//! The container: the start of a trace.dat, and the straight sequence of version 6.

use super::damage::DatDamage;
use super::decode::Tables;
use super::format::{Format, format};
use super::input::{Cursor, Order, ReadAt, Trouble};
use super::options::Options;
use super::page::Layout;
use super::section;
use super::symbols::{Comms, Formats, Symbols};
use super::window::Region;
use super::{BufferText, Clock, Facts, Instance, MAGIC, Method, Refusal, Tools, TraceDat, Unpack};
use crate::lex::{decimal, trim, upto};

/// Bytes of one text in the file: kallsyms of a kernel with every module has less than half.
pub(super) const MAX_TEXT: u64 = 32 << 20;
/// Bytes of one format file.
const MAX_FORMAT: u64 = 1 << 20;
/// Bytes of all format files.
const MAX_FORMATS: u64 = 64 << 20;
/// Event systems, and events of one; numbers of events have 16 bits.
const MAX_EVENTS: u32 = 65_536;
/// Bytes of a name.
pub(super) const MAX_NAME: usize = 4096;
/// Most CPUs of a machine that a kernel can be built for (`NR_CPUS` of x86).
pub(super) const MAX_CPUS: u32 = 8192;
/// CPUs of all instances.
const MAX_REGIONS: usize = 65_536;
/// Bytes of one sub-buffer for each CPU, together: more cannot be held.
const MAX_HELD: usize = 64 << 20;

/// What was found in a recording.
pub(super) struct Parts<'s> {
    pub(super) facts: Facts,
    pub(super) order: Order,
    pub(super) layout: Option<Layout>,
    pub(super) formats: Vec<Format>,
    pub(super) symbols: Symbols,
    pub(super) printk: Formats,
    pub(super) comms: Comms,
    pub(super) options: Options,
    pub(super) regions: Vec<Region<'s>>,
    pub(super) tools: Tools,
    n_format_bytes: u64,
}

/// Reads everything but the pages.
pub(super) fn read<'s>(source: &'s dyn ReadAt, unpack: &dyn Unpack) -> Result<Parts<'s>, Refusal> {
    let little = Order { is_big: false };
    let mut cursor = Cursor::new(source, little, 0, u64::MAX);
    if !cursor.skip_literal(MAGIC).map_err(|trouble| refuse(trouble, "start"))? {
        return Err(Refusal::NotTraceDat);
    }
    let start = |trouble| refuse(trouble, "start");
    let version = cursor.cstr(16).map_err(start)?;
    let version = match version.as_slice() {
        b"6" => 6,
        b"7" => 7,
        other => return Err(Refusal::Version(String::from_utf8_lossy(other).into_owned())),
    };
    let order = Order { is_big: cursor.u8().map_err(start)? != 0 };
    cursor.u8().map_err(start)?;
    let mut cursor = Cursor::new(source, order, cursor.at(), u64::MAX);
    let mut parts = Parts::new(order);
    parts.facts.version = version;
    parts.facts.page_bytes = cursor.u32().map_err(start)?;
    if version == 6 {
        parts.version_6(source, &mut cursor)?;
        return Ok(parts);
    }
    let compression = cursor.cstr(MAX_NAME).map_err(start)?;
    cursor.cstr(MAX_NAME).map_err(start)?;
    let method = match compression.as_slice() {
        b"none" | b"" => None,
        b"zstd" => Some(Method::Zstd),
        b"zlib" => Some(Method::Zlib),
        other => return Err(Refusal::Compression(String::from_utf8_lossy(other).into_owned())),
    };
    parts.facts.compression = String::from_utf8_lossy(&compression).into_owned();
    let options = cursor.u64().map_err(start)?;
    if options == 0 {
        return Err(Refusal::Unfinished);
    }
    section::read(&mut parts, source, method, unpack, options);
    Ok(parts)
}

/// A trouble that nothing can be read after.
pub(super) fn refuse(trouble: Trouble, what: &'static str) -> Refusal {
    match trouble {
        Trouble::Short(at) | Trouble::TooBig(at) => Refusal::Broken(what, at),
        Trouble::Io(error) => Refusal::Unreadable(error.to_string()),
    }
}

impl<'s> Parts<'s> {
    pub(super) fn new(order: Order) -> Self {
        let facts = Facts { is_big_endian: order.is_big, compression: "none".to_owned(), ..Facts::default() };
        Self {
            facts,
            order,
            layout: None,
            formats: Vec::new(),
            symbols: Symbols::default(),
            printk: Formats::default(),
            comms: Comms::default(),
            options: Options::default(),
            regions: Vec::new(),
            tools: Tools::default(),
            n_format_bytes: 0,
        }
    }

    /// The recording, if its pages can be understood.
    pub(super) fn finish(mut self, unpack: &'s dyn Unpack) -> Result<TraceDat<'s>, Refusal> {
        let layout = self.layout.ok_or(Refusal::NoHeaderPage)?;
        self.options.tell(&mut self.facts);
        if self.facts.instances.is_empty() {
            self.facts.instances.push(Instance::default());
        }
        let main_clock = self.options.clock.clone();
        for instance in &mut self.facts.instances {
            if instance.clock.is_empty() {
                instance.clock.clone_from(&main_clock);
            }
            if instance.subbuf_bytes == 0 || !layout.fits(instance.subbuf_bytes) {
                instance.subbuf_bytes = layout.stride;
            }
        }
        self.check_regions();
        let long_size = layout.long_size();
        let mut tables = Tables::new(self.order, long_size, self.formats);
        tables.symbols = self.symbols;
        tables.comms = self.comms;
        tables.formats = self.printk;
        tables.has_lazy = self.facts.kernel_release().is_some_and(has_lazy_resched);
        self.facts.long_bytes = long_size;
        let clock = |instance: &Instance| self.options.clock_of(&instance.clock);
        let clocks: Vec<Clock> = self.facts.instances.iter().map(clock).collect();
        Ok(TraceDat { tables, layout, clocks, regions: self.regions, unpack, tools: self.tools, facts: self.facts })
    }

    /// Orders the CPUs and leaves out what cannot be held in memory, or would make a file be read again and again.
    fn check_regions(&mut self) {
        self.regions.retain(|region| region.size != 0);
        self.regions.sort_by_key(|region| (region.instance, region.cpu));
        let mut held = 0_usize;
        let mut told = 0_u64;
        let is_one_file = self.facts.version != 0;
        let instances = &mut self.facts.instances;
        let mut first_bad = None;
        self.regions.retain_mut(|region| {
            let Some(instance) = instances.get_mut(region.instance) else { return false };
            region.stride = instance.subbuf_bytes;
            let there = region.source.len().saturating_sub(region.offset).min(region.size);
            held = held.saturating_add(region.stride);
            told = told.saturating_add(there);
            let is_good = held <= MAX_HELD && (!is_one_file || told <= region.source.len());
            if is_good {
                instance.cpus.push(region.cpu);
            } else {
                first_bad.get_or_insert(region.offset);
            }
            is_good
        });
        if let Some(offset) = first_bad {
            self.tools.damage(offset, DatDamage::TooMany("CPUs"));
        }
    }

    /// Adds the pages of a CPU.
    pub(super) fn add_region(&mut self, region: Region<'s>) -> bool {
        let has_room = self.regions.len() < MAX_REGIONS;
        if has_room {
            self.regions.push(region);
        } else {
            self.tools.damage(region.offset, DatDamage::TooMany("CPUs"));
        }
        has_room
    }

    fn version_6(&mut self, source: &'s dyn ReadAt, cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
        self.header_info(cursor).map_err(|trouble| refuse(trouble, "header_page"))?;
        self.ftrace_formats(cursor).map_err(|trouble| refuse(trouble, "format files of ftrace"))?;
        self.event_formats(cursor).map_err(|trouble| refuse(trouble, "format files"))?;
        let kallsyms = text(cursor, 4).map_err(|trouble| refuse(trouble, "kallsyms"))?;
        self.symbols = Symbols::parse(&kallsyms);
        drop(kallsyms);
        let printk = text(cursor, 4).map_err(|trouble| refuse(trouble, "printk_formats"))?;
        self.printk = Formats::parse(&printk);
        let comms = text(cursor, 8).map_err(|trouble| refuse(trouble, "saved_cmdlines"))?;
        self.comms = Comms::parse(&comms);
        let n_cpus = cursor.u32().map_err(|trouble| refuse(trouble, "number of CPUs"))?;
        self.facts.n_cpus = n_cpus;
        self.buffer_6(source, cursor, Vec::new(), n_cpus).map_err(|trouble| refuse(trouble, "table of CPUs"))?;
        for (offset, name) in std::mem::take(&mut self.options.instances_6) {
            let mut cursor = Cursor::new(source, self.order, offset, u64::MAX);
            let n_cpus = self.options.n_cpus.unwrap_or(n_cpus);
            if self.buffer_6(source, &mut cursor, name, n_cpus).is_err() {
                self.tools.damage(offset, DatDamage::Section("an instance's pages"));
            }
        }
        let is_empty = self.regions.iter().all(|region| region.offset == 0);
        if is_empty && self.facts.texts.is_empty() && n_cpus != 0 {
            self.facts.is_unfinished = true;
            self.tools.damage(cursor.at(), DatDamage::Unfinished);
        }
        Ok(())
    }

    /// Steps 1 and 2: how pages are laid out, and how events begin, which never changed.
    pub(super) fn header_info(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Trouble> {
        for (literal, is_page) in [(&b"header_page\0"[..], true), (b"header_event\0", false)] {
            if !cursor.skip_literal(literal)? {
                return Err(Trouble::Short(cursor.at()));
            }
            let n = cursor.u64()?;
            let text = cursor.block(n, MAX_FORMAT)?;
            if is_page {
                self.layout = Layout::parse(&text);
            }
        }
        Ok(())
    }

    /// Step 3.
    pub(super) fn ftrace_formats(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Trouble> {
        let n = cursor.u32()?;
        self.formats(cursor, n)
    }

    /// Step 4.
    pub(super) fn event_formats(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Trouble> {
        let n_systems = limited(cursor.u32()?, cursor)?;
        for _ in 0..n_systems {
            cursor.cstr(MAX_NAME)?;
            let n = cursor.u32()?;
            self.formats(cursor, n)?;
        }
        Ok(())
    }

    fn formats(&mut self, cursor: &mut Cursor<'_>, n: u32) -> Result<(), Trouble> {
        for _ in 0..limited(n, cursor)? {
            let (n, at) = (cursor.u64()?, cursor.at());
            let text = cursor.block(n, MAX_FORMAT.min(MAX_FORMATS.saturating_sub(self.n_format_bytes)))?;
            self.n_format_bytes += n;
            match format(&text) {
                Some(format) => self.formats.push(format),
                None => self.tools.damage(at, DatDamage::Format),
            }
        }
        Ok(())
    }

    /// Step 9: options, and where the pages of each CPU are; the same again for every instance.
    fn buffer_6(
        &mut self,
        source: &'s dyn ReadAt,
        cursor: &mut Cursor<'_>,
        name: Vec<u8>,
        n_cpus: u32,
    ) -> Result<(), Trouble> {
        if cursor.skip_literal(b"options  \0")? {
            self.options_6(cursor)?;
        }
        if cursor.skip_literal(b"latency  \0")? {
            self.facts.texts.push(BufferText::At(cursor.at(), cursor.left()));
            return Ok(());
        }
        if !cursor.skip_literal(b"flyrecord\0")? || MAX_CPUS < n_cpus {
            return Err(Trouble::Short(cursor.at()));
        }
        let instance = self.facts.instances.len();
        for cpu in 0..n_cpus as u16 {
            let (offset, size) = (cursor.u64()?, cursor.u64()?);
            let region = Region { source, cpu, instance, offset, size, method: None, stride: 0 };
            if !self.add_region(region) {
                break;
            }
        }
        let clock = clock_6(cursor).unwrap_or_default();
        if name.is_empty() && self.options.clock.is_empty() {
            self.options.clock.clone_from(&clock);
        }
        self.facts.instances.push(Instance { name, clock, ..Instance::default() });
        Ok(())
    }

    fn options_6(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Trouble> {
        loop {
            let at = cursor.at();
            let id = cursor.u16()?;
            if id == 0 {
                return Ok(());
            }
            let n = cursor.u32()?;
            let data = cursor.block(u64::from(n), MAX_TEXT)?;
            if !self.options.take(id, &data, self.order, 6) {
                self.tools.damage(at, DatDamage::Option(id));
            }
            if self.options.is_full() {
                self.tools.damage(at, DatDamage::TooMany("options"));
                return Err(Trouble::TooBig(at));
            }
        }
    }
}

/// A text behind its size of 4 or 8 bytes.
pub(super) fn text(cursor: &mut Cursor<'_>, size: u8) -> Result<Vec<u8>, Trouble> {
    let n = if size == 4 { u64::from(cursor.u32()?) } else { cursor.u64()? };
    cursor.block(n, MAX_TEXT)
}

/// The clock's name behind the table of CPUs.
fn clock_6(cursor: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let n = cursor.u64().ok().filter(|n| *n <= MAX_NAME as u64)?;
    let text = cursor.block(n, MAX_NAME as u64).ok()?;
    super::options::bracketed(&text).map(<[u8]>::to_vec)
}

/// A count that the file can hold.
fn limited(n: u32, cursor: &Cursor<'_>) -> Result<u32, Trouble> {
    if n <= MAX_EVENTS { Ok(n) } else { Err(Trouble::TooBig(cursor.at())) }
}

/// Kernels from 6.13 on know lazy rescheduling.
fn has_lazy_resched(release: &[u8]) -> bool {
    let number = |text: &[u8]| decimal(trim(text)).map(|(rest, number)| (rest.len(), number)).ok();
    let Some((left, major)) = number(release) else { return false };
    let rest = crate::lex::after(release, release.len() - left);
    let minor = number(crate::lex::after(rest, 1)).map_or(0, |(_, minor)| minor);
    upto(rest, 1) == b"." && (6, 13) <= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lazy_rescheduling_began_with_6_13() {
        for (release, lazy) in
            [("6.12.117+deb12", false), ("6.13.0", true), ("7.2-rc1", true), ("5.10.0", false), ("x", false)]
        {
            assert_eq!(has_lazy_resched(release.as_bytes()), lazy, "{release}");
        }
    }
}
