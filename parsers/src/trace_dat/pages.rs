//! Raw pages as `per_cpu/cpuN/trace_pipe_raw` hands them out, with the files that describe them.

use super::Instance;
use super::damage::DatDamage;
use super::format::format;
use super::header::Parts;
use super::input::{Order, ReadAt, read_into};
use super::options::bracketed;
use super::page::Layout;
use super::symbols::{Comms, Formats, Symbols};
use super::window::Region;

/// What a recorder of its own saves. Only the page header, the formats and the pages are needed.
#[derive(Clone, Copy)]
pub struct RawPages<'s> {
    /// Text of `events/header_page`.
    pub header_page: &'s [u8],
    /// Texts of the events' format files.
    pub formats: &'s [&'s [u8]],
    /// Pages, back to back, of each CPU.
    pub cpus: &'s [(u16, &'s dyn ReadAt)],
    /// Text of `saved_cmdlines`.
    pub saved_cmdlines: &'s [u8],
    /// Text of `/proc/kallsyms`.
    pub kallsyms: &'s [u8],
    /// Text of `printk_formats`.
    pub printk_formats: &'s [u8],
    /// Text of `trace_clock`: `[local] global`. Empty means nanoseconds.
    pub trace_clock: &'s [u8],
    /// Release of the traced kernel, if known.
    pub release: &'s [u8],
    /// Byte order; `None`: the first page shows it.
    pub is_big_endian: Option<bool>,
}

impl<'s> RawPages<'s> {
    /// Pages with their layout and formats, and nothing else known.
    pub fn new(header_page: &'s [u8], formats: &'s [&'s [u8]], cpus: &'s [(u16, &'s dyn ReadAt)]) -> Self {
        Self {
            header_page,
            formats,
            cpus,
            saved_cmdlines: b"",
            kallsyms: b"",
            printk_formats: b"",
            trace_clock: b"",
            release: b"",
            is_big_endian: None,
        }
    }

    pub(super) fn parts(&self) -> Parts<'s> {
        let layout = Layout::parse(self.header_page);
        let is_big = self.is_big_endian.unwrap_or_else(|| layout.is_some_and(|layout| self.looks_big(&layout)));
        let mut parts = Parts::new(Order { is_big });
        parts.layout = layout;
        for text in self.formats {
            match format(text) {
                Some(format) => parts.formats.push(format),
                None => parts.tools.damage(0, DatDamage::Format),
            }
        }
        parts.symbols = Symbols::parse(self.kallsyms);
        parts.comms = Comms::parse(self.saved_cmdlines);
        parts.printk = Formats::parse(self.printk_formats);
        let clock = bracketed(self.trace_clock).unwrap_or_default().to_vec();
        parts.options.set_release(self.release);
        parts.facts.n_cpus = self.cpus.len() as u32;
        parts.facts.instances.push(Instance { clock, ..Instance::default() });
        for (cpu, source) in self.cpus {
            let region = Region {
                source: *source,
                cpu: *cpu,
                instance: 0,
                offset: 0,
                size: source.len(),
                method: None,
                stride: 0,
            };
            parts.add_region(region);
        }
        parts
    }

    /// Whether the first page that holds anything makes sense in big endian only.
    fn looks_big(&self, layout: &Layout) -> bool {
        let mut page = Vec::new();
        let mut sources = self.cpus.iter().map(|(_, source)| *source);
        sources
            .find_map(|source| {
                read_into(source, 0, layout.data, &mut page).ok()?;
                let makes_sense = |is_big| {
                    let used = layout.used(&page, Order { is_big })?;
                    Some(used != 0 && used <= layout.stride - layout.data)
                };
                Some((makes_sense(true)?, makes_sense(false)?)).filter(|(big, little)| big != little)
            })
            .is_some_and(|(big, _)| big)
    }
}
