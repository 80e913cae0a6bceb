//! The pages of one CPU, a window at a time, unpacked where they are compressed.

use super::damage::DatDamage;
use super::input::{Order, ReadAt, read_into};
use super::{Method, Unpack};

/// Unpacked bytes of one compressed piece; recorders put ten sub-buffers of at most 64 KiB into one.
pub(super) const MAX_CHUNK: usize = 16 << 20;

/// How much more the unpacked bytes may be than the packed ones: pages full of zeros reach 2,000.
pub(super) const MAX_RATIO: usize = 4096;

/// Bytes of all windows together, if pages allow it.
const ALL_WINDOWS: usize = 16 << 20;
/// Bytes of one window, at most.
const MAX_WINDOW: usize = 256 << 10;

/// The pages of one CPU in one instance, as the file tells where they are.
#[derive(Clone, Copy)]
pub(super) struct Region<'s> {
    pub(super) source: &'s dyn ReadAt,
    pub(super) cpu: u16,
    pub(super) instance: usize,
    /// Bytes from the start of the source.
    pub(super) offset: u64,
    /// Bytes in the source; of compressed pages only a hint.
    pub(super) size: u64,
    /// How they are compressed.
    pub(super) method: Option<Method>,
    /// Bytes of a sub-buffer.
    pub(super) stride: usize,
}

/// Bytes that a window of each of `n` CPUs may have.
pub(super) fn window_size(n: usize) -> usize {
    (ALL_WINDOWS / n.max(1)).min(MAX_WINDOW)
}

/// Walks over the pages of a region.
pub(super) struct Window<'s> {
    region: Region<'s>,
    order: Order,
    /// Whole pages, except at the end of the input.
    pub(super) bytes: Vec<u8>,
    /// Where the window lies in the file; of compressed pages, where their piece lies.
    pub(super) offset: u64,
    /// Next byte to read.
    next: u64,
    end: u64,
    /// Compressed pieces left.
    n_chunks: Option<u32>,
    size: usize,
}

impl<'s> Window<'s> {
    /// Stands before the first page; `size` is how many bytes to hold if the pages are not compressed.
    pub(super) fn new(region: Region<'s>, order: Order, size: usize) -> Self {
        let size = (size / region.stride).max(1) * region.stride;
        let told = region.offset.saturating_add(region.size);
        let end = if region.method.is_some() { region.source.len() } else { told.min(region.source.len()) };
        Self { region, order, bytes: Vec::new(), offset: region.offset, next: region.offset, end, n_chunks: None, size }
    }

    /// Whether the file ends before the pages do.
    pub(super) fn is_cut(&self) -> bool {
        self.region.offset.saturating_add(self.region.size) > self.region.source.len()
    }

    /// Whether offsets within the window are offsets in the file.
    pub(super) fn is_plain(&self) -> bool {
        self.region.method.is_none()
    }

    /// Reads on; `false` at the end.
    ///
    /// # Errors
    /// The damage and its place. After a damaged piece the next one can be read.
    pub(super) fn fill(&mut self, unpack: &dyn Unpack, packed: &mut Vec<u8>) -> Result<bool, (u64, DatDamage)> {
        let Some(method) = self.region.method else {
            let left = usize::try_from(self.end.saturating_sub(self.next)).unwrap_or(usize::MAX);
            self.offset = self.next;
            if let Err(error) = read_into(self.region.source, self.next, self.size.min(left), &mut self.bytes) {
                self.end = self.next;
                self.bytes.clear();
                return Err((self.next, DatDamage::Unreadable(error.to_string())));
            }
            self.next += self.bytes.len() as u64;
            return Ok(!self.bytes.is_empty());
        };
        self.bytes.clear();
        match self.chunk(method, unpack, packed) {
            Err((at, damage)) if damage == DatDamage::Chunks => {
                self.n_chunks = Some(0);
                Err((at, damage))
            }
            other => other,
        }
    }

    /// Unpacks the next compressed piece.
    fn chunk(&mut self, method: Method, unpack: &dyn Unpack, packed: &mut Vec<u8>) -> Result<bool, (u64, DatDamage)> {
        let begin = self.next;
        let broken = || (begin, DatDamage::Chunks);
        let n_chunks = match self.n_chunks {
            Some(n) => n,
            None => self.word(packed).ok_or_else(broken)?,
        };
        let Some(left) = n_chunks.checked_sub(1) else {
            self.n_chunks = Some(0);
            return Ok(false);
        };
        self.offset = self.next;
        let packed_size = self.word(packed).ok_or_else(broken)? as usize;
        let size = self.word(packed).ok_or_else(broken)? as usize;
        if self.end.saturating_sub(self.next) < packed_size as u64 || MAX_CHUNK < packed_size {
            return Err(broken());
        }
        let from = self.next;
        self.next += packed_size as u64;
        self.n_chunks = Some(left);
        if MAX_CHUNK.min(packed_size.saturating_mul(MAX_RATIO)) < size {
            return Err((begin, DatDamage::Chunk(format!("{packed_size} bytes are said to become {size}"))));
        }
        let unreadable = |error: std::io::Error| (begin, DatDamage::Unreadable(error.to_string()));
        read_into(self.region.source, from, packed_size, packed).map_err(unreadable)?;
        let result = unpack.unpack(method, packed, size, &mut self.bytes);
        let why = result
            .err()
            .or_else(|| (self.bytes.len() != size).then(|| format!("{} bytes instead of {size}", self.bytes.len())));
        match why {
            Some(why) => {
                self.bytes.clear();
                Err((begin, DatDamage::Chunk(why)))
            }
            None => Ok(true),
        }
    }

    fn word(&mut self, scratch: &mut Vec<u8>) -> Option<u32> {
        read_into(self.region.source, self.next, 4, scratch).ok()?;
        let word = self.order.u32(scratch, 0)?;
        self.next += 4;
        Some(word)
    }
}
