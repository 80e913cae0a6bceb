//! The ring buffer of one CPU, as the kernel fills it.

use super::write::Shape;

/// How an event's time is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// In the event's header if it fits, else by a time extend.
    Delta,
    /// By a time extend in any case.
    Extend,
    /// By an absolute stamp.
    Absolute,
}

/// Events were lost, so many if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost(pub(crate) Option<u64>);

const DELTA_BITS: u32 = 27;
const STAMP_BITS: u32 = 59;

/// Pages back to back, the last one being filled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ring {
    pub(crate) pages: Vec<u8>,
    /// Start of the page being filled, bytes used in it and its last stamp.
    page: usize,
    used: usize,
    stamp: u64,
    /// What was lost before that page.
    lost: Option<Lost>,
}

impl Ring {
    /// Writes an event; `with_length` tells its length in a word of its own, as long events always do.
    pub(crate) fn push(&mut self, shape: &Shape, stamp: u64, payload: &[u8], time: Time, with_length: bool) {
        let has_length = with_length || payload.len() > 28 * 4 || payload.is_empty();
        let size = 4 + payload.len() + if has_length { 4 } else { 0 };
        // A count of lost events needs a word behind the data.
        if self.pages.is_empty() || shape.stride - shape.data() - shape.long < self.used + size + 8 {
            self.begin(shape, stamp, None);
        }
        let mut delta = stamp.wrapping_sub(self.stamp);
        let is_far = delta >> DELTA_BITS != 0;
        if time == Time::Absolute && stamp >> STAMP_BITS == self.stamp >> STAMP_BITS && self.stamp <= stamp {
            self.head(shape, 31, stamp & ((1 << DELTA_BITS) - 1));
            self.word(shape, (stamp >> DELTA_BITS) & 0xffff_ffff);
            delta = 0;
        } else if is_far || time == Time::Extend {
            // Too far even for that: a page of its own.
            if delta >> STAMP_BITS != 0 {
                self.begin(shape, stamp, None);
            } else {
                self.head(shape, 30, delta & ((1 << DELTA_BITS) - 1));
                self.word(shape, delta >> DELTA_BITS);
            }
            delta = 0;
        }
        if has_length {
            self.head(shape, 0, delta);
            self.word(shape, payload.len() as u64 + 4);
        } else {
            self.head(shape, payload.len() as u64 / 4, delta);
        }
        self.pages.extend_from_slice(payload);
        self.used += payload.len();
        self.stamp = stamp;
    }

    /// Begins a page, before which `lost` events were lost.
    pub(crate) fn begin(&mut self, shape: &Shape, stamp: u64, lost: Option<Lost>) {
        self.finish(shape);
        self.page = self.pages.len();
        (self.used, self.stamp, self.lost) = (0, stamp, lost);
        shape.number(&mut self.pages, stamp, 8);
        shape.number(&mut self.pages, 0, shape.long);
    }

    /// An event that was thrown away behind another one; the reader must step over it.
    pub(crate) fn discard(&mut self, shape: &Shape, n_words: usize) {
        if self.pages.is_empty() || shape.stride - shape.data() - shape.long < self.used + 16 + 4 * n_words {
            return;
        }
        self.head(shape, 29, 1);
        self.word(shape, 4 + 4 * n_words as u64);
        self.pages.resize(self.pages.len() + 4 * n_words, 0x77);
        self.used += 4 * n_words;
    }

    /// Ends the page: padding if `is_padded`, and the word that tells how much of it is used.
    pub(crate) fn finish(&mut self, shape: &Shape) {
        if self.pages.is_empty() || self.pages.len() == self.page + shape.stride {
            return;
        }
        // Every other page ends in padding that counts as used.
        if self.used + 12 + shape.long <= shape.stride - shape.data() && (self.page / shape.stride) % 2 == 1 {
            self.head(shape, 29, 0);
            self.word(shape, 0);
        }
        let mut commit = self.used as u64;
        if let Some(Lost(count)) = self.lost {
            commit |= 1 << 31;
            if let Some(count) = count {
                commit |= 1 << 30;
                shape.number(&mut self.pages, count, shape.long);
            }
        }
        let mut word = Vec::new();
        shape.number(&mut word, commit, shape.long);
        self.pages[self.page + 8..self.page + 8 + shape.long].copy_from_slice(&word);
        self.pages.resize(self.page + shape.stride, 0x99);
    }

    fn head(&mut self, shape: &Shape, kind: u64, delta: u64) {
        let word = if shape.is_big { kind << DELTA_BITS | delta } else { kind | delta << 5 };
        self.word(shape, word);
    }

    fn word(&mut self, shape: &Shape, word: u64) {
        shape.number(&mut self.pages, word, 4);
        self.used += 4;
    }
}
