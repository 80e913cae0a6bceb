//! Ring-buffer pages: the events of one CPU, one after another.

use super::damage::DatDamage;
use super::format::{Number, fields};
use super::input::Order;
use super::window::{Region, Window};
use super::{Tools, Unpack};

/// Bytes used of a page, in its commit word; kernels use less of these bits.
const USED: u64 = 0x07ff_ffff;
/// Events were lost before this page.
const LOST: u64 = 1 << 31;
/// How many were lost stands behind the data.
const LOST_STORED: u64 = 1 << 30;

/// Largest `type_len` of a data event.
const MAX_DATA: u32 = 28;
const PADDING: u32 = 29;
const TIME_EXTEND: u32 = 30;
const TIME_STAMP: u32 = 31;

/// Bits of a stamp in an absolute stamp, and of a delta in an event's header.
const STAMP_BITS: u32 = 59;
const DELTA_BITS: u32 = 27;

/// Largest sub-buffer we read; kernels have at most 64 KiB.
pub(super) const MAX_STRIDE: usize = 1 << 20;

/// Where things stand in a page, from `header_page`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    stamp: Number,
    commit: Number,
    /// First byte of the events.
    pub(super) data: usize,
    /// Bytes of the page that the file was written with.
    pub(super) stride: usize,
}

impl Layout {
    /// Reads the text of `events/header_page`.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let fields = fields(text);
        let field = |name: &[u8]| fields.iter().find(|field| field.name == name);
        let data = field(b"data")?;
        let stride = (data.offset as usize).checked_add(data.size as usize)?;
        let layout = Self {
            stamp: field(b"timestamp")?.number()?,
            commit: Number { is_signed: false, ..field(b"commit")?.number()? },
            data: data.offset as usize,
            stride,
        };
        layout.fits(stride).then_some(layout)
    }

    /// Whether pages of this size can have this layout.
    pub(super) fn fits(&self, stride: usize) -> bool {
        let head = |number: Number| number.offset as usize + usize::from(number.size) <= self.data;
        head(self.stamp) && head(self.commit) && self.data < stride && stride <= MAX_STRIDE
    }

    /// Bytes of the kernel's `long`: the commit word is one.
    pub(super) fn long_size(&self) -> u8 {
        self.commit.size
    }

    /// Bytes used, by the commit word at the start of a page.
    pub(super) fn used(&self, page: &[u8], order: Order) -> Option<usize> {
        Some((self.commit.get(page, order)? & USED) as usize)
    }
}

/// Events that were lost before an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) count: Option<u64>,
}

impl Lost {
    /// Together with others that were lost before.
    fn and(self, before: Option<Self>) -> Self {
        match before {
            None => self,
            Some(before) => Self { count: self.count.zip(before.count).map(|(a, b)| a.saturating_add(b)) },
        }
    }
}

/// Walks over the events of one CPU.
pub(super) struct Stream<'s> {
    pub(super) cpu: u16,
    pub(super) instance: usize,
    window: Window<'s>,
    order: Order,
    layout: Layout,
    stride: usize,
    /// Start of the next page in the window.
    next_page: usize,
    /// Next event and end of the events, in the window.
    at: usize,
    end: usize,
    /// Stamp of the event it stands at.
    pub(super) stamp: u64,
    /// Payload of that event, in the window.
    payload: (usize, usize),
    /// What was lost before that event.
    pub(super) lost: Option<Lost>,
}

impl<'s> Stream<'s> {
    pub(super) fn new(region: Region<'s>, order: Order, layout: Layout, window: usize) -> Self {
        Self {
            cpu: region.cpu,
            instance: region.instance,
            window: Window::new(region, order, window),
            order,
            layout,
            stride: region.stride,
            next_page: 0,
            at: 0,
            end: 0,
            stamp: 0,
            payload: (0, 0),
            lost: None,
        }
    }

    /// Whether the file ends before the pages do.
    pub(super) fn is_cut(&self) -> bool {
        self.window.is_cut()
    }

    /// The event it stands at.
    #[inline]
    pub(super) fn payload(&self) -> &[u8] {
        self.window.bytes.get(self.payload.0..self.payload.1).unwrap_or_default()
    }

    /// Where the event it stands at begins in the file; of compressed pages, where their piece begins.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.window.offset + if self.window.is_plain() { self.payload.0 as u64 } else { 0 }
    }

    /// Steps to the next event; `false` at the end.
    #[inline]
    pub(super) fn advance(&mut self, unpack: &dyn Unpack, tools: &mut Tools) -> bool {
        self.lost = None;
        loop {
            while self.at < self.end {
                match self.event() {
                    Some(true) => return true,
                    Some(false) => {}
                    None => {
                        tools.damage(self.place(self.at), DatDamage::Event);
                        self.lost = Some(Lost { count: None });
                        self.at = self.end;
                    }
                }
            }
            if !self.page(unpack, tools) {
                return false;
            }
        }
    }

    /// Steps over one item of a page: whether it is a data event; `None` if it is broken.
    #[inline]
    fn event(&mut self) -> Option<bool> {
        let page = self.window.bytes.get(..self.end)?;
        let head = self.order.u32(page, self.at)?;
        let (kind, delta) = if self.order.is_big {
            (head >> DELTA_BITS, head & ((1 << DELTA_BITS) - 1))
        } else {
            (head & 31, head >> 5)
        };
        let body = self.at + 4;
        if (1..=MAX_DATA).contains(&kind) {
            let end = body + 4 * kind as usize;
            if self.end < end {
                return None;
            }
            self.stamp = self.stamp.wrapping_add(u64::from(delta));
            self.payload = (body, end);
            self.at = end;
            return Some(true);
        }
        if kind == PADDING && delta == 0 {
            self.at = self.end;
            return Some(false);
        }
        let word = self.order.u32(page, body)?;
        match kind {
            TIME_EXTEND => {
                self.stamp = self.stamp.wrapping_add(u64::from(delta) + (u64::from(word) << DELTA_BITS));
                self.at = body + 4;
            }
            TIME_STAMP => {
                self.stamp = absolute(self.stamp, u64::from(delta) | (u64::from(word) << DELTA_BITS));
                self.at = body + 4;
            }
            PADDING => {
                // A filler of this delta stands for 0, which would mean the rest of the page.
                self.stamp = self.stamp.wrapping_add(if delta == 1 { 0 } else { u64::from(delta) });
                self.at = body.checked_add(word as usize).filter(|end| (body + 4..=self.end).contains(end))?;
            }
            _ => {
                let end = body.checked_add(word as usize).filter(|end| (body + 4..=self.end).contains(end))?;
                self.stamp = self.stamp.wrapping_add(u64::from(delta));
                self.payload = (body + 4, end);
                self.at = end.next_multiple_of(4);
                return Some(true);
            }
        }
        Some(false)
    }

    /// Opens the next page; `false` if there is none.
    fn page(&mut self, unpack: &dyn Unpack, tools: &mut Tools) -> bool {
        while self.next_page >= self.window.bytes.len() {
            self.next_page = 0;
            match self.window.fill(unpack, &mut tools.packed) {
                Ok(true) => {}
                Ok(false) => return false,
                Err((at, damage)) => {
                    self.lost = Some(Lost { count: None });
                    tools.damage(at, damage);
                }
            }
        }
        let begin = self.next_page;
        let page = self.window.bytes.get(begin..).unwrap_or_default();
        let page = page.get(..self.stride).unwrap_or(page);
        self.next_page = begin + page.len();
        (self.at, self.end) = (0, 0);
        let commit = self.layout.commit.get(page, self.order);
        let Some((stamp, commit)) = self.layout.stamp.get(page, self.order).zip(commit) else {
            self.skip_page(begin, tools);
            return true;
        };
        let used = (commit & USED) as usize;
        let room = self.stride - self.layout.data;
        if room < used {
            self.skip_page(begin, tools);
            return true;
        }
        let end = self.layout.data + used;
        if commit & LOST != 0 {
            let stored = || self.order.uint(page, end, self.layout.commit.size);
            let count = if commit & LOST_STORED != 0 { stored() } else { None };
            self.lost = Some(Lost { count }.and(self.lost));
        }
        self.stamp = stamp;
        self.at = begin + self.layout.data;
        // The last page of a file that was cut: the event at the end shows it.
        self.end = begin + end.min(page.len());
        if self.end < self.at {
            self.skip_page(begin, tools);
        } else if page.len() < end {
            tools.damage(self.place(self.end), DatDamage::Page);
        }
        true
    }

    fn skip_page(&mut self, begin: usize, tools: &mut Tools) {
        (self.at, self.end) = (0, 0);
        self.lost = Some(Lost { count: None });
        tools.damage(self.place(begin), DatDamage::Page);
    }

    fn place(&self, at: usize) -> u64 {
        self.window.offset + if self.window.is_plain() { at as u64 } else { 0 }
    }
}

/// An absolute stamp has 59 bits; the others are those of the stamp before it, which it does not go behind.
fn absolute(before: u64, stamp: u64) -> u64 {
    let full = stamp | (before & !((1 << STAMP_BITS) - 1));
    if full < before { full.wrapping_add(1 << STAMP_BITS) } else { full }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_stamps_take_the_high_bits_from_before() {
        assert_eq!(absolute(5, 7), 7);
        assert_eq!(absolute((3 << STAMP_BITS) + 5, 7), (3 << STAMP_BITS) + 7);
        assert_eq!(absolute((3 << STAMP_BITS) + 7, 5), (4 << STAMP_BITS) + 5);
    }

    #[test]
    fn the_layout_comes_from_the_text() {
        let text = b"\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
            \tfield: local_t commit;\toffset:8;\tsize:4;\tsigned:1;\n\
            \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\
            \tfield: char data;\toffset:12;\tsize:4084;\tsigned:0;\n";
        let layout = Layout::parse(text).expect("a layout");
        assert_eq!((layout.data, layout.stride, layout.commit.size), (12, 4096, 4));
        assert_eq!(Layout::parse(b"\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"), None);
        let huge = String::from_utf8_lossy(text).replace("4084", "4000000000");
        assert_eq!(Layout::parse(huge.as_bytes()), None);
    }
}
