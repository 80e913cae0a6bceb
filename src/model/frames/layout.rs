//! Which zones a machine has, and where they end.

use super::{FrameRun, MAX_ORDER_LIMIT, ZoneKind};

/// Memory of one zone: frames `first..end`; none if both are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneSpan {
    /// Which zone.
    pub kind: ZoneKind,
    /// First frame.
    pub first: u64,
    /// First frame after it.
    pub end: u64,
}

/// Why spans make no machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLayout {
    /// The order of a chunk.
    #[error("a largest order of {0}; at most {MAX_ORDER_LIMIT} is known")]
    Order(u32),
    /// A span that ends before it starts, or starts before the last one ends.
    #[error("memory from frame 0x{first:x} to 0x{end:x} is out of order")]
    Frames {
        /// First frame.
        first: u64,
        /// First frame after it.
        end: u64,
    },
    /// A lower zone after a higher one.
    #[error("zone {} comes after a higher one", .0.name())]
    Kind(ZoneKind),
}

/// How an architecture divides its memory. Limits are physical addresses, first byte after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZoneTable {
    /// Short name.
    pub id: &'static str,
    /// Where zone DMA ends; `None`: there is none.
    pub dma_end: Option<u64>,
    /// Where zone DMA32 ends; `None`: there is none.
    pub dma32_end: Option<u64>,
    /// Bytes the direct map covers, from the first byte of memory; the rest is zone `HighMem`. `None`: all.
    pub low_bytes: Option<u64>,
    /// Where this is known from.
    pub from: &'static str,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The layouts, by [`ZoneTable::id`].
pub const ZONE_TABLES: &[ZoneTable] = &[
    ZoneTable {
        id: "x86-64",
        dma_end: Some(16 * MIB),
        dma32_end: Some(4 * GIB),
        low_bytes: None,
        from: "boot messages of 6.1 to 7.2",
    },
    ZoneTable {
        id: "i386",
        dma_end: Some(16 * MIB),
        dma32_end: None,
        low_bytes: Some(896 * MIB),
        from: "boot messages of 6.5; the direct map ends some MiB lower where more is set aside for vmalloc",
    },
    ZoneTable {
        id: "arm",
        dma_end: Some(4 * GIB),
        dma32_end: None,
        low_bytes: Some(768 * MIB),
        from: "boot messages of 6.12 with LPAE: all of the direct map is zone DMA; other machines set their own limit",
    },
    ZoneTable {
        id: "arm64",
        dma_end: Some(4 * GIB),
        dma32_end: Some(4 * GIB),
        low_bytes: None,
        from: "boot messages of 6.12: zone DMA reaches as far as every device does, so DMA32 is empty",
    },
    ZoneTable {
        id: "arm64-30bit",
        dma_end: Some(GIB),
        dma32_end: Some(4 * GIB),
        low_bytes: None,
        from: "assumed: machines with a device of 30 address bits (Raspberry Pi 4), and every machine with 5.5 to 5.10",
    },
    ZoneTable {
        id: "arm64-5.4",
        dma_end: None,
        dma32_end: Some(4 * GIB),
        low_bytes: None,
        from: "assumed: arm64 before 5.5 has no zone DMA",
    },
    ZoneTable {
        id: "riscv64",
        dma_end: None,
        dma32_end: Some(4 * GIB),
        low_bytes: None,
        from: "assumed: zone DMA32 below 4 GiB, no zone DMA",
    },
];

/// The layout of that name.
pub fn zone_table(id: &str) -> Option<&'static ZoneTable> {
    ZONE_TABLES.iter().find(|table| table.id == id)
}

impl ZoneTable {
    /// Cuts memory, given as ascending runs of frames, into the zones of this layout. Zones the kernel has and this
    /// machine has no memory for are there with no frames, as `empty` in the kernel's list at boot. `low_end` is the frame
    /// where the direct map ends, if that is known better than here.
    pub fn spans(&self, page_shift: u32, memory: &[FrameRun], low_end: Option<u64>) -> Vec<ZoneSpan> {
        let base = memory.first().map_or(0, |run| run.first);
        let end_of = |end: Option<u64>| end.map(|end| end >> page_shift);
        let low_end = self.low_bytes.map(|bytes| low_end.unwrap_or(base + (bytes >> page_shift)));
        let within_low = |end: u64| low_end.map_or(end, |low| end.min(low));
        let dma_end = end_of(self.dma_end).map(within_low);
        let dma32_end = end_of(self.dma32_end).map(within_low);
        let ends = [dma_end, dma32_end, Some(low_end.unwrap_or(u64::MAX)), low_end.map(|_| u64::MAX)];
        let mut spans = Vec::new();
        let mut from = 0;
        for (kind, end) in ZoneKind::ALL.into_iter().zip(ends) {
            let Some(end) = end else { continue };
            let end = end.max(from);
            let first_of_kind = spans.len();
            for run in memory {
                let (first, last) = (run.first.max(from), run.end().min(end));
                if first < last {
                    spans.push(ZoneSpan { kind, first, end: last });
                }
            }
            if spans.len() == first_of_kind {
                let at = spans.last().map_or(base, |span| span.end);
                spans.push(ZoneSpan { kind, first: at, end: at });
            }
            from = end;
        }
        spans
    }
}

/// Do spans ascend, in frames and in kind?
pub(super) fn check(spans: &[ZoneSpan], max_order: u32) -> Result<(), BadLayout> {
    if MAX_ORDER_LIMIT < max_order {
        return Err(BadLayout::Order(max_order));
    }
    let mut last = ZoneSpan { kind: ZoneKind::Dma, first: 0, end: 0 };
    for span in spans {
        // The top of the numbers stays free, so that the end of a chunk is a number.
        if span.end < span.first || span.first < last.end || u64::MAX >> 12 < span.end {
            return Err(BadLayout::Frames { first: span.first, end: span.end });
        }
        if span.kind < last.kind {
            return Err(BadLayout::Kind(span.kind));
        }
        last = *span;
    }
    Ok(())
}
