//! [`Row`]: one record in 24 bytes, if it fits.

use crate::event::{Addr, Event, EventKind, Nanos, ScriptOp, TaskId, TextId, WindowId};

/// The unit of addresses and sizes, in bytes as a power of two: no kernel has smaller pages.
const PAGE_SHIFT: u32 = 12;
/// Bits of an address in pages, its sign included: kernels use at most 57 bits of an address.
const ADDR_BITS: u32 = 45;
/// Bits for all that a kind has besides its address.
const REST_BITS: u32 = 38;
/// Bits of it that stand behind the address.
const LOW_REST_BITS: u32 = 64 - ADDR_BITS;
const TAG_BITS: u32 = 5;
const TASK_BITS: u32 = 20;
const CPU_BITS: u32 = 12;
/// Bits of a time stamp in a row: nine minutes either way in nanoseconds.
const AT_BITS: u32 = 40;
/// Different limits of lazy pages that rows can refer to.
const MAX_LIMITS: usize = 256;

/// One record: line, who, time, time and kind and half of the rest, address and the other half.
#[derive(Clone, Copy)]
pub(super) struct Row {
    line: u32,
    who: u32,
    at: u32,
    /// Kind in the lowest bits, then 8 bits of the time stamp, then the high half of the rest.
    kind: u32,
    /// The two halves of the address with the low half of the rest above it. Two, so that a row has no gap.
    body: [u32; 2],
}

/// What a row is.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Tag {
    /// Kept as a whole beside the rows: the body is its place there.
    Odd,
    Alloc,
    Failed,
    /// Failed, and the address is the last byte below a page: the end of many windows.
    FailedBelow,
    /// Failed, and the address is a small number: an error code.
    FailedCode,
    Free,
    Purge,
    /// A purge that flushed nothing.
    PurgeNothing,
    Request,
    Unasked,
    FreeProbe,
    PurgeEntry,
    /// The caller of a purge wants nothing flushed.
    PurgeEntryNothing,
    PurgeReturn,
    NodeDecay,
    NodeReturn,
    Lost,
    Mark,
    Report,
    Other,
    Script,
}

/// Every tag at the place of its number.
const TAGS: [Tag; 21] = [
    Tag::Odd,
    Tag::Alloc,
    Tag::Failed,
    Tag::FailedBelow,
    Tag::FailedCode,
    Tag::Free,
    Tag::Purge,
    Tag::PurgeNothing,
    Tag::Request,
    Tag::Unasked,
    Tag::FreeProbe,
    Tag::PurgeEntry,
    Tag::PurgeEntryNothing,
    Tag::PurgeReturn,
    Tag::NodeDecay,
    Tag::NodeReturn,
    Tag::Lost,
    Tag::Mark,
    Tag::Report,
    Tag::Other,
    Tag::Script,
];

/// The ops of scripts at the places of their numbers.
pub(super) const SCRIPT_OPS: [ScriptOp; 8] = [
    ScriptOp::NoArea,
    ScriptOp::Work,
    ScriptOp::Shrink,
    ScriptOp::Lazy,
    ScriptOp::Check,
    ScriptOp::Hash,
    ScriptOp::Dump,
    ScriptOp::Request,
];

impl Row {
    /// The row of a record, if it fits. Its time counts from `base`; `limits` are the limits of lazy pages known so far.
    #[inline]
    pub(super) fn of(event: &Event, base: u64, limits: &mut Vec<u64>) -> Option<Self> {
        let at = signed(event.at.0.wrapping_sub(base).cast_signed(), AT_BITS)?;
        let cpu = if event.cpu == Event::NO_CPU { u32::MAX } else { u32::from(event.cpu) };
        let who = narrow(event.task.0, TASK_BITS)? | narrow(cpu, CPU_BITS)? << TASK_BITS;
        let (tag, addr, rest) = body_of(&event.kind, limits)?;
        let body = addr | rest << ADDR_BITS;
        let high = (rest >> LOW_REST_BITS) as u32;
        Some(Self {
            line: event.line,
            who,
            at: at as u32,
            kind: tag as u32 | ((at >> 32) as u32) << TAG_BITS | high << (32 - (REST_BITS - LOW_REST_BITS)),
            body: [body as u32, (body >> 32) as u32],
        })
    }

    /// The row of a record that is kept beside the rows, at `place`.
    pub(super) fn odd(place: usize) -> Self {
        let place = place as u64;
        Self { line: 0, who: 0, at: 0, kind: Tag::Odd as u32, body: [place as u32, (place >> 32) as u32] }
    }

    /// Where the record is kept, if that is beside the rows.
    #[inline]
    pub(super) fn place(self) -> Option<usize> {
        (self.tag() == Tag::Odd).then_some(self.body() as usize)
    }

    /// The record of this row.
    #[inline]
    pub(super) fn event(self, base: u64, limits: &[u64]) -> Event {
        let body = self.body();
        let since = signed_from(u64::from(self.at) | u64::from(self.kind >> TAG_BITS & 0xff) << 32, AT_BITS);
        let cpu = self.who >> TASK_BITS;
        let rest = body >> ADDR_BITS | u64::from(self.kind >> (32 - (REST_BITS - LOW_REST_BITS))) << LOW_REST_BITS;
        Event {
            at: Nanos(base.wrapping_add_signed(since)),
            line: self.line,
            task: self.task(),
            cpu: if cpu == (1 << CPU_BITS) - 1 { Event::NO_CPU } else { cpu as u16 },
            kind: kind_of(self.tag(), body & ((1 << ADDR_BITS) - 1), rest, limits),
        }
    }

    /// Whose the record is.
    #[inline]
    pub(super) fn task(self) -> TaskId {
        let task = self.who & ((1 << TASK_BITS) - 1);
        TaskId(if task == (1 << TASK_BITS) - 1 { u32::MAX } else { task })
    }

    #[inline]
    fn tag(self) -> Tag {
        TAGS.get((self.kind & ((1 << TAG_BITS) - 1)) as usize).copied().unwrap_or(Tag::Odd)
    }

    #[inline]
    fn body(self) -> u64 {
        u64::from(self.body[0]) | u64::from(self.body[1]) << 32
    }
}

/// Kind, address and rest of a record, if they fit.
fn body_of(kind: &EventKind, limits: &mut Vec<u64>) -> Option<(Tag, u64, u64)> {
    let packed = match *kind {
        EventKind::Alloc { addr, size, align, window, failed: false } => {
            (Tag::Alloc, pages(addr)?, asked(size, align, window)?)
        }
        EventKind::Alloc { addr, size, align, window, failed: true } => {
            let (tag, addr) = failed_at(addr)?;
            (tag, addr, asked(size, align, window)?)
        }
        EventKind::Request { size, align, window } => (Tag::Request, 0, asked(size, align, window)?),
        EventKind::Free { addr, nr_lazy, nr_lazy_max } => {
            let lazy = within(nr_lazy, REST_BITS - 8)?;
            (Tag::Free, pages(addr)?, lazy << 8 | limit(nr_lazy_max, limits)?)
        }
        EventKind::Purge { start: Addr(u64::MAX), end: Addr(0), num_purged } => {
            (Tag::PurgeNothing, 0, u64::from(num_purged))
        }
        EventKind::Purge { start, end, num_purged } => {
            (Tag::Purge, pages(start)?, within(length(start, end)?, 25)? | within(u64::from(num_purged), 13)? << 25)
        }
        EventKind::Unasked { addr, end } => (Tag::Unasked, pages(addr)?, length(addr, end)?),
        EventKind::FreeProbe { addr, end } => (Tag::FreeProbe, pages(addr)?, length(addr, end)?),
        EventKind::PurgeEntry { start: Addr(u64::MAX), end } => (Tag::PurgeEntryNothing, pages(end)?, 0),
        EventKind::PurgeEntry { start, end } => (Tag::PurgeEntry, pages(start)?, length(start, end)?),
        EventKind::PurgeReturn { purged } => (Tag::PurgeReturn, 0, of_answer(purged)),
        EventKind::NodeDecay { node, full } => (Tag::NodeDecay, 0, of_answer(full) << 16 | u64::from(node)),
        EventKind::NodeReturn { node } => (Tag::NodeReturn, 0, u64::from(node)),
        EventKind::Lost { count } => (Tag::Lost, 0, u64::from(count)),
        EventKind::Mark { text } => (Tag::Mark, 0, u64::from(text.0)),
        EventKind::Report { size, text } => (Tag::Report, within(size, ADDR_BITS)?, u64::from(text.0)),
        EventKind::Other { name } => (Tag::Other, 0, u64::from(name.0)),
        EventKind::Script(op) => (Tag::Script, 0, SCRIPT_OPS.iter().position(|known| *known == op)? as u64),
    };
    Some(packed)
}

/// The number of a limit of lazy pages, if there is one left.
fn limit(limit: u64, limits: &mut Vec<u64>) -> Option<u64> {
    let known = limits.iter().position(|known| *known == limit);
    let number = known.unwrap_or(limits.len());
    if known.is_none() && number < MAX_LIMITS {
        limits.push(limit);
    }
    (number < MAX_LIMITS).then_some(number as u64)
}

#[inline]
fn kind_of(tag: Tag, addr: u64, rest: u64, limits: &[u64]) -> EventKind {
    let start = signed_from(addr, ADDR_BITS).cast_unsigned() << PAGE_SHIFT;
    let addr_field = Addr(start);
    let end = Addr(start.wrapping_add(rest << PAGE_SHIFT));
    let (size, align, window) = asked_from(rest);
    let failed = |addr| EventKind::Alloc { addr, size, align, window, failed: true };
    match tag {
        Tag::Alloc => EventKind::Alloc { addr: addr_field, size, align, window, failed: false },
        Tag::Failed => failed(addr_field),
        Tag::FailedBelow => failed(Addr(start.wrapping_sub(1))),
        Tag::FailedCode => failed(Addr(signed_from(addr, ADDR_BITS).cast_unsigned())),
        Tag::Free => {
            EventKind::Free { addr: addr_field, nr_lazy: rest >> 8, nr_lazy_max: limits[(rest & 0xff) as usize] }
        }
        Tag::Purge => EventKind::Purge {
            start: addr_field,
            end: Addr(start.wrapping_add((rest & 0x1ff_ffff) << PAGE_SHIFT)),
            num_purged: (rest >> 25) as u32,
        },
        Tag::PurgeNothing => EventKind::Purge { start: Addr(u64::MAX), end: Addr(0), num_purged: rest as u32 },
        Tag::Request => EventKind::Request { size, align, window },
        Tag::Unasked => EventKind::Unasked { addr: addr_field, end },
        Tag::FreeProbe => EventKind::FreeProbe { addr: addr_field, end },
        Tag::PurgeEntry => EventKind::PurgeEntry { start: addr_field, end },
        Tag::PurgeEntryNothing => EventKind::PurgeEntry { start: Addr(u64::MAX), end: addr_field },
        Tag::PurgeReturn => EventKind::PurgeReturn { purged: answer_from(rest) },
        Tag::NodeDecay => EventKind::NodeDecay { node: rest as u16, full: answer_from(rest >> 16) },
        Tag::NodeReturn => EventKind::NodeReturn { node: rest as u16 },
        Tag::Lost => EventKind::Lost { count: rest as u32 },
        Tag::Mark => EventKind::Mark { text: TextId(rest as u32) },
        Tag::Report => EventKind::Report { size: addr, text: TextId(rest as u32) },
        Tag::Script => EventKind::Script(SCRIPT_OPS[rest as usize & (SCRIPT_OPS.len() - 1)]),
        Tag::Other | Tag::Odd => EventKind::Other { name: TextId(rest as u32) },
    }
}

/// A number, if it fits into so many bits.
fn within(value: u64, bits: u32) -> Option<u64> {
    (value >> bits == 0).then_some(value)
}

/// A number in so many bits, of which all ones stand for the largest 32-bit number.
fn narrow(value: u32, bits: u32) -> Option<u32> {
    let largest = (1 << bits) - 1;
    if value == u32::MAX { Some(largest) } else { (value < largest).then_some(value) }
}

/// A number with a sign in so many bits, if it fits.
fn signed(value: i64, bits: u32) -> Option<u64> {
    let unused = 64 - bits;
    (value << unused >> unused == value).then_some(value.cast_unsigned() & ((1 << bits) - 1))
}

#[inline]
fn signed_from(value: u64, bits: u32) -> i64 {
    let unused = 64 - bits;
    (value << unused).cast_signed() >> unused
}

/// An address in pages, if it is whole pages.
fn pages(addr: Addr) -> Option<u64> {
    addr.0.is_multiple_of(1 << PAGE_SHIFT).then(|| signed(addr.0.cast_signed() >> PAGE_SHIFT, ADDR_BITS))?
}

/// The pages from one address to another, if they fit.
fn length(start: Addr, end: Addr) -> Option<u64> {
    let bytes = end.0.checked_sub(start.0)?;
    bytes.is_multiple_of(1 << PAGE_SHIFT).then(|| within(bytes >> PAGE_SHIFT, REST_BITS))?
}

/// What the record of a failed attempt has for an address: a page, the last byte before one, or an error code.
fn failed_at(addr: Addr) -> Option<(Tag, u64)> {
    let page = || Some((Tag::Failed, pages(addr)?));
    let below = || Some((Tag::FailedBelow, pages(Addr(addr.0.wrapping_add(1)))?));
    let code = || Some((Tag::FailedCode, signed(addr.0.cast_signed(), ADDR_BITS)?));
    page().or_else(below).or_else(code)
}

/// Size in pages, alignment as a power of two and window of a request, if they fit.
fn asked(size: u64, align: u64, window: WindowId) -> Option<u64> {
    let size = size.is_multiple_of(1 << PAGE_SHIFT).then(|| within(size >> PAGE_SHIFT, 24))??;
    let align = align.is_power_of_two().then(|| u64::from(align.trailing_zeros()))?;
    Some(size | align << 24 | within(u64::from(window.0), 8)? << 30)
}

#[inline]
fn asked_from(rest: u64) -> (u64, u64, WindowId) {
    ((rest & 0xff_ffff) << PAGE_SHIFT, 1 << (rest >> 24 & 0x3f), WindowId((rest >> 30) as u32))
}

fn of_answer(answer: Option<bool>) -> u64 {
    answer.map_or(0, |yes| 1 + u64::from(yes))
}

#[inline]
fn answer_from(value: u64) -> Option<bool> {
    (value != 0).then_some(value == 2)
}
