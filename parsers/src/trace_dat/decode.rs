//! From the bytes of one event to a [`Body`], by places that were looked up once for each kind of event.

use super::flags::flags;
use super::format::{Format, Number};
use super::input::Order;
use super::kind::{Common, Event, Kind};
use super::print::{Piece, Template, Values, bytes_of, pieces, until_nul, write_number, write_symbol};
use super::symbols::{CommCache, Comms, Formats, SymbolCache, Symbols, is_marker};
use crate::lex::after;
use crate::record::{Alloc, Body, Frame, Free, Purge};

/// A frame that the function tracer's trampoline stands for.
const TRAMPOLINE: u64 = 0x7fff_ffff;

/// Frames of one stack; the kernel records at most 1,024 or so.
const MAX_FRAMES: usize = 4096;

/// Everything that is known of the traced machine.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) order: Order,
    /// Bytes of the kernel's `long`.
    pub(super) long_size: u8,
    pub(super) events: Vec<Event>,
    /// Index of the event with this number, plus one.
    by_id: Vec<u16>,
    /// Fields of events that no format describes.
    pub(super) common: Common,
    pub(super) symbols: Symbols,
    pub(super) comms: Comms,
    pub(super) formats: Formats,
    /// 0x02 of the flags means lazy rescheduling, not that the state of interrupts is unknown (6.13).
    pub(super) has_lazy: bool,
}

/// What decoding reuses from event to event.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) text: Vec<u8>,
    pub(super) symbols: SymbolCache,
    pub(super) comms: CommCache,
    /// The flags column made last, and what of.
    flags: (u8, u8, [u8; 5]),
}

impl Scratch {
    pub(super) fn new() -> Self {
        let (symbols, comms) = (SymbolCache::new(), CommCache::new());
        Self { text: Vec::new(), symbols, comms, flags: (0, 0, flags(0, 0, false)) }
    }

    /// The flags column, most often that of the event before.
    #[inline]
    pub(super) fn flags(&mut self, bits: u8, preempt: u8, has_lazy: bool) -> [u8; 5] {
        if (self.flags.0, self.flags.1) != (bits, preempt) {
            self.flags = (bits, preempt, flags(bits, preempt, has_lazy));
        }
        self.flags.2
    }
}

impl Tables {
    pub(super) fn new(order: Order, long_size: u8, formats: Vec<Format>) -> Self {
        let mut by_id = Vec::new();
        let mut events: Vec<Event> = Vec::new();
        for format in formats.into_iter().take(usize::from(u16::MAX) - 1) {
            let at = usize::from(format.id);
            if by_id.len() <= at {
                by_id.resize(at + 1, 0);
            }
            if by_id[at] == 0 {
                events.push(Event { common: Common::of(&format), kind: Kind::of(&format, long_size), format });
                by_id[at] = events.len() as u16;
            }
        }
        let common = events.first().map_or(Common::USUAL, |event| event.common);
        Self {
            order,
            long_size,
            events,
            by_id,
            common,
            symbols: Symbols::default(),
            comms: Comms::default(),
            formats: Formats::default(),
            has_lazy: false,
        }
    }

    /// The kind of an event, by the number it begins with.
    ///
    /// # Errors
    /// That number, if no format has it.
    #[inline]
    pub(super) fn event(&self, record: &[u8]) -> Result<&Event, u16> {
        let id = self.common.id.get(record, self.order).unwrap_or_default() as u16;
        let at = self.by_id.get(usize::from(id)).copied().unwrap_or_default();
        usize::from(at).checked_sub(1).and_then(|at| self.events.get(at)).ok_or(id)
    }

    /// What an event says; `None` if the record is too short for it ([`Event::damage`]).
    #[inline]
    pub(super) fn body<'a>(
        &'a self,
        event: &'a Event,
        record: &'a [u8],
        text: &'a mut Vec<u8>,
        cache: &mut SymbolCache,
    ) -> Option<Body<'a>> {
        match &event.kind {
            Kind::Alloc(numbers) => {
                let [va_start, size, align, vstart, vend, failed] = self.numbers(record, numbers)?;
                Some(Body::Alloc(Alloc { va_start, size, align, vstart, vend, failed: failed != 0 }))
            }
            Kind::Free(numbers) => {
                let [va_start, nr_lazy, nr_lazy_max] = self.numbers(record, numbers)?;
                Some(Body::Free(Free { va_start, nr_lazy, nr_lazy_max }))
            }
            Kind::Purge(numbers) => {
                let [start, end, num_purged] = self.numbers(record, numbers)?;
                Some(Body::Purge(Purge { start, end, num_purged }))
            }
            _ => self.rare(event, record, text, cache),
        }
    }

    #[inline]
    fn numbers<const N: usize>(&self, record: &[u8], numbers: &[Number; N]) -> Option<[u64; N]> {
        let mut values = [0; N];
        for (value, number) in values.iter_mut().zip(numbers) {
            *value = number.get(record, self.order)?;
        }
        Some(values)
    }

    /// Any event but the three of vmalloc; `None` if the record is too short for it.
    #[inline(never)]
    fn rare<'a>(
        &'a self,
        event: &'a Event,
        record: &'a [u8],
        text: &'a mut Vec<u8>,
        cache: &mut SymbolCache,
    ) -> Option<Body<'a>> {
        text.clear();
        let values = Values { record, order: self.order, symbols: &self.symbols };
        let number = |number: Number| number.get(record, self.order);
        let name = event.format.name.as_slice();
        Some(match &event.kind {
            Kind::KernelStack { size, caller } => {
                let count = size.and_then(number).and_then(|n| usize::try_from(n).ok());
                Body::Stack(self.frames(record, *caller, count, cache))
            }
            Kind::UserStack { caller } => Body::UserStack(self.user_frames(record, *caller)),
            Kind::Print { ip, text: field } => {
                let printed = without_newline(until_nul(bytes_of(field, &values)?));
                match cache.place(&self.symbols, number(*ip)?).map(|place| place.name) {
                    Some(function) if self.symbols.has_marker && !is_marker(function) => {
                        Body::Other { name: function, args: printed }
                    }
                    _ => Body::Marker(printed),
                }
            }
            Kind::RawData { id, bytes } => {
                let bytes = bytes_of(bytes, &values)?;
                text.extend_from_slice(format!("{:x} buf:", number(*id)?).as_bytes());
                for byte in bytes {
                    text.extend_from_slice(format!(" {byte:02x}").as_bytes());
                }
                Body::Other { name: b"raw_data", args: text }
            }
            Kind::Bprint { ip, format, arguments } => {
                let arguments = bytes_of(arguments, &values)?;
                let format = number(*format)?;
                match self.formats.get(format) {
                    Some(format) => self.bprint(format, arguments, cache, text),
                    None => text.extend_from_slice(format!("(text at 0x{format:x})").as_bytes()),
                }
                self.printed(number(*ip)?, without_newline(text), cache)
            }
            Kind::Bputs { ip, text: at } => {
                let at = number(*at)?;
                match self.formats.get(at) {
                    Some(line) => text.extend_from_slice(line),
                    None => text.extend_from_slice(format!("(text at 0x{at:x})").as_bytes()),
                }
                self.printed(number(*ip)?, without_newline(text), cache)
            }
            Kind::Function { ip, parent } => {
                write_symbol(&self.symbols, cache, number(*ip)?, false, text);
                text.extend_from_slice(b" <-");
                write_symbol(&self.symbols, cache, number(*parent)?, false, text);
                Body::Other { name: b"function", args: text }
            }
            Kind::Entry { ip, args } => {
                write_symbol(&self.symbols, cache, number(*ip)?, true, text);
                Self::probe(name, args, &values, cache, text)
            }
            Kind::Return { function, ip, args } => {
                write_symbol(&self.symbols, cache, number(*ip)?, true, text);
                text.extend_from_slice(b" <- ");
                write_symbol(&self.symbols, cache, number(*function)?, false, text);
                Self::probe(name, args, &values, cache, text)
            }
            Kind::Other(template) => {
                template.write(&values, cache, text);
                Body::Other { name, args: text }
            }
            Kind::Alloc(_) | Kind::Free(_) | Kind::Purge(_) | Kind::Unusable(_) => return None,
        })
    }

    /// Behind the place in `text` come the arguments.
    fn probe<'a>(
        name: &'a [u8],
        args: &Template,
        values: &Values<'_>,
        cache: &mut SymbolCache,
        text: &'a mut Vec<u8>,
    ) -> Body<'a> {
        let place = text.len();
        args.write(values, cache, text);
        let (at, args) = text.split_at(place);
        Body::Probe { name, at, args }
    }

    /// A line of `trace_printk`, which shows the function that called it.
    fn printed<'a>(&'a self, ip: u64, args: &'a [u8], cache: &mut SymbolCache) -> Body<'a> {
        let name = cache.place(&self.symbols, ip).map_or(&b"bprint"[..], |place| place.name);
        Body::Other { name, args }
    }

    /// The addresses from a place to the end of a record.
    fn addresses<'a>(&self, record: &'a [u8], from: u32) -> impl Iterator<Item = u64> + use<'a> {
        let (order, size) = (self.order, self.long_size);
        let callers = after(record, from as usize).chunks_exact(usize::from(size)).take(MAX_FRAMES);
        callers.filter_map(move |address| order.uint(address, 0, size))
    }

    fn frames<'a>(
        &'a self,
        record: &[u8],
        caller: u32,
        count: Option<usize>,
        cache: &mut SymbolCache,
    ) -> Vec<Frame<'a>> {
        // Kernels without a count end the list with all ones.
        let last = if self.long_size == 4 { u64::from(u32::MAX) } else { u64::MAX };
        let addresses = self.addresses(record, caller).take(count.unwrap_or(usize::MAX));
        let is_frame = |address: &u64| count.is_some() || (*address != last && *address != 0);
        addresses.take_while(is_frame).map(|address| self.frame(address, cache)).collect()
    }

    fn frame(&self, address: u64, cache: &mut SymbolCache) -> Frame<'_> {
        let plain = Frame { symbol: b"", offset: None, length: None, module: None, address: Some(address) };
        if address == TRAMPOLINE {
            return Frame { symbol: b"[FTRACE TRAMPOLINE]", ..plain };
        }
        match cache.place(&self.symbols, address) {
            Some(place) => Frame {
                symbol: place.name,
                offset: Some(place.offset),
                length: place.length,
                module: place.module,
                address: Some(address),
            },
            None => plain,
        }
    }

    fn user_frames(&self, record: &[u8], caller: u32) -> Vec<Frame<'_>> {
        let last = if self.long_size == 4 { u64::from(u32::MAX) } else { u64::MAX };
        let addresses = self.addresses(record, caller).take_while(|address| *address != 0 && *address != last);
        let frame = |address| Frame { symbol: b"", offset: None, length: None, module: None, address: Some(address) };
        addresses.map(frame).collect()
    }

    /// Prints what `trace_printk` stored: its arguments one after another, each at a multiple of four bytes.
    fn bprint(&self, format: &[u8], arguments: &[u8], cache: &mut SymbolCache, out: &mut Vec<u8>) {
        let Some(pieces) = pieces(format) else {
            out.extend_from_slice(format);
            return;
        };
        let mut at = 0_usize;
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(&text),
                Piece::Value(spec) if spec.kind == b's' => {
                    let text = until_nul(after(arguments, at));
                    out.extend_from_slice(text);
                    at = at.saturating_add(text.len() + 1);
                }
                Piece::Value(spec) => {
                    let size = spec.argument_size(self.long_size);
                    at = at.next_multiple_of(4);
                    match self.order.uint(arguments, at, size) {
                        Some(value) => write_number(spec, value, size, &self.symbols, cache, out),
                        None => out.push(b'?'),
                    }
                    at = at.saturating_add(usize::from(size));
                }
            }
        }
    }
}

fn without_newline(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").unwrap_or(text)
}
