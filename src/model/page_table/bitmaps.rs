//! [`Bitmaps`]: which entries of partly filled PTE tables are set.

/// Key of an empty place of the index.
const EMPTY: u64 = u64::MAX;

/// Bitmaps of tables, found by the table's number: an index with linear probing over one vector of words. A table
/// without a set entry has no bitmap.
#[derive(Debug, Default)]
pub(super) struct Bitmaps {
    /// Words of a slot: how many entries are set, then the bitmap.
    stride: usize,
    /// Table and slot; a power of two of places, at most half of them taken.
    places: Vec<(u64, u32)>,
    n_tables: usize,
    words: Vec<u64>,
    spare: Vec<u32>,
}

impl Clone for Bitmaps {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, source: &Self) {
        self.stride = source.stride;
        self.places.clone_from(&source.places);
        self.n_tables = source.n_tables;
        self.words.clone_from(&source.words);
        self.spare.clone_from(&source.spare);
    }
}

/// Names a bitmap until the next one is released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u32);

/// The words that `from..to` touches, with the bits it covers in each.
#[inline]
fn masks(from: usize, to: usize) -> impl Iterator<Item = (usize, u64)> {
    (from / 64..to.div_ceil(64)).map(move |word| {
        let low = from.saturating_sub(word * 64);
        let high = (to - word * 64).min(64);
        (word, (u64::MAX << low) & (u64::MAX >> (64 - high)))
    })
}

impl Bitmaps {
    pub(super) fn new(entries: u64) -> Self {
        Self { stride: (entries as usize).div_ceil(64) + 1, ..Self::default() }
    }

    /// Bytes held.
    pub(super) fn heap_bytes(&self) -> u64 {
        let places = self.places.capacity() * size_of::<(u64, u32)>();
        (places + self.words.capacity() * size_of::<u64>() + self.spare.capacity() * size_of::<u32>()) as u64
    }

    #[inline]
    fn home(&self, table: u64) -> usize {
        // Fibonacci hashing: the high bits of the product are mixed best.
        (table.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & (self.places.len() - 1)
    }

    /// Place of a table in the index, or the free place where it belongs.
    #[inline]
    fn place(&self, table: u64) -> usize {
        let mut place = self.home(table);
        while self.places[place].0 != table && self.places[place].0 != EMPTY {
            place = (place + 1) & (self.places.len() - 1);
        }
        place
    }

    /// The bitmap of a table.
    #[inline]
    pub(super) fn find(&self, table: u64) -> Option<Slot> {
        if self.n_tables == 0 {
            return None;
        }
        let (key, slot) = self.places[self.place(table)];
        (key == table).then_some(Slot(slot))
    }

    /// A new bitmap for a table that has none, with no entry set or with all.
    pub(super) fn insert(&mut self, table: u64, entries: u64, is_full: bool) -> Slot {
        if self.places.len() <= self.n_tables * 2 {
            self.grow();
        }
        let slot = Slot(self.spare.pop().unwrap_or_else(|| {
            self.words.resize(self.words.len() + self.stride, 0);
            (self.words.len() / self.stride - 1) as u32
        }));
        let place = self.place(table);
        self.places[place] = (table, slot.0);
        self.n_tables += 1;
        self.slot_mut(slot).fill(0);
        if is_full {
            self.set(slot, 0, entries as usize);
        }
        slot
    }

    /// Takes the bitmap of a table away.
    pub(super) fn release(&mut self, table: u64) {
        let Some(slot) = self.find(table) else { return };
        self.spare.push(slot.0);
        self.n_tables -= 1;
        // Later entries of the same probe sequence move up into the place.
        let last = self.places.len() - 1;
        let mut hole = self.place(table);
        let mut next = (hole + 1) & last;
        while self.places[next].0 != EMPTY {
            let home = self.home(self.places[next].0);
            if hole.wrapping_sub(home) & last < next.wrapping_sub(home) & last {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = (next + 1) & last;
        }
        self.places[hole].0 = EMPTY;
    }

    /// Numbers of the tables with a bitmap among `first..=last`, ascending: by looking for each, or through all,
    /// whatever is less.
    pub(super) fn tables_in(&self, first: u64, last: u64) -> Vec<u64> {
        if ((last - first) as usize) < self.places.len() {
            return (first..=last).filter(|&table| self.find(table).is_some()).collect();
        }
        let is_inside = |table: &u64| *table != EMPTY && (first..=last).contains(table);
        let mut tables: Vec<u64> = self.places.iter().map(|place| place.0).filter(is_inside).collect();
        tables.sort_unstable();
        tables
    }

    /// Entries set in a bitmap.
    #[inline]
    pub(super) fn live(&self, slot: Slot) -> u64 {
        self.slot(slot)[0]
    }

    /// Entries set in a bitmap, counted.
    pub(super) fn count(&self, slot: Slot) -> u64 {
        self.slot(slot)[1..].iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The words of a bitmap.
    pub(super) fn words(&self, slot: Slot) -> &[u64] {
        &self.slot(slot)[1..]
    }

    /// Sets a new bitmap to `words`.
    pub(super) fn fill(&mut self, slot: Slot, words: &[u64]) {
        self.slot_mut(slot)[1..].copy_from_slice(words);
        self.slot_mut(slot)[0] = self.count(slot);
    }

    /// Forgets every bitmap, and keeps the memory.
    pub(super) fn clear_all(&mut self, entries: u64) {
        self.stride = Self::new(entries).stride;
        self.places.fill((EMPTY, 0));
        self.n_tables = 0;
        self.words.clear();
        self.spare.clear();
    }

    #[inline]
    fn slot(&self, slot: Slot) -> &[u64] {
        &self.words[slot.0 as usize * self.stride..][..self.stride]
    }

    #[inline]
    fn slot_mut(&mut self, slot: Slot) -> &mut [u64] {
        &mut self.words[slot.0 as usize * self.stride..][..self.stride]
    }

    /// The first set entry of `from..to`.
    #[inline]
    pub(super) fn first_set(&self, slot: Slot, from: usize, to: usize) -> Option<usize> {
        let words = &self.slot(slot)[1..];
        let found = masks(from, to).find(|&(word, mask)| words[word] & mask != 0);
        found.map(|(word, mask)| word * 64 + (words[word] & mask).trailing_zeros() as usize)
    }

    /// Sets `from..to`; says how many were set before.
    #[inline]
    pub(super) fn set(&mut self, slot: Slot, from: usize, to: usize) -> u64 {
        let words = self.slot_mut(slot);
        let mut before = 0;
        for (word, mask) in masks(from, to) {
            before += u64::from((words[word + 1] & mask).count_ones());
            words[word + 1] |= mask;
        }
        words[0] += (to - from) as u64 - before;
        before
    }

    /// Clears `from..to`; says how many were set.
    #[inline]
    pub(super) fn clear(&mut self, slot: Slot, from: usize, to: usize) -> u64 {
        let words = self.slot_mut(slot);
        let mut cleared = 0;
        for (word, mask) in masks(from, to) {
            cleared += u64::from((words[word + 1] & mask).count_ones());
            words[word + 1] &= !mask;
        }
        words[0] -= cleared;
        cleared
    }

    fn grow(&mut self) {
        let n_places = (self.places.len() * 2).max(16);
        let old = std::mem::replace(&mut self.places, vec![(EMPTY, 0); n_places]);
        for (table, slot) in old.into_iter().filter(|(table, _)| *table != EMPTY) {
            let place = self.place(table);
            self.places[place] = (table, slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn masks_cover_each_bit_once() {
        for (from, to) in [(0, 1), (0, 64), (63, 65), (5, 512), (64, 128), (511, 512), (100, 300)] {
            let bits: Vec<usize> = masks(from, to)
                .flat_map(|(word, mask)| {
                    (0..64).filter(move |bit| mask >> bit & 1 == 1).map(move |bit| word * 64 + bit)
                })
                .collect();
            assert_eq!(bits, (from..to).collect::<Vec<_>>());
        }
    }

    #[test]
    fn tables_come_and_go_and_the_others_are_found() {
        let mut seed = 1_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let (mut bitmaps, mut plain) = (Bitmaps::new(512), BTreeMap::new());
        for _ in 0..20_000 {
            let table = random(300) << 10;
            match bitmaps.find(table) {
                Some(slot) => {
                    assert_eq!(Some(&bitmaps.first_set(slot, 0, 512)), plain.get(&table));
                    assert_eq!(bitmaps.live(slot), 3);
                    bitmaps.release(table);
                    plain.remove(&table);
                }
                None => {
                    assert!(!plain.contains_key(&table));
                    let bit = random(509) as usize;
                    let slot = bitmaps.insert(table, 512, false);
                    assert_eq!(bitmaps.set(slot, bit, bit + 3), 0);
                    assert_eq!(bitmaps.set(slot, bit + 1, bit + 3), 2);
                    plain.insert(table, Some(bit));
                }
            }
            assert_eq!(bitmaps.n_tables, plain.len());
        }
        assert_eq!(bitmaps.tables_in(0, 300 << 10), plain.keys().copied().collect::<Vec<_>>());
        assert_eq!(bitmaps.tables_in(1024, 2048).len(), plain.range(1024..=2048).count());
        assert!(bitmaps.words.len() <= 300 * 9);
    }
}
