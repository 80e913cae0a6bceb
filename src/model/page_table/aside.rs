//! Bitmaps of page tables put aside: as lengths of runs, which mostly are an area or a guard.

use super::bitmaps::Bitmaps;
use super::tables::PageTables;
use crate::model::varint::{put, put_bytes, take, take_bytes};

/// The bitmaps of page tables, taken out of them.
pub(in crate::model) struct TakenBitmaps(Bitmaps);

impl PageTables {
    /// Takes the bitmaps out: what is left is no state, and small to copy.
    pub(in crate::model) fn take_bitmaps(&mut self) -> TakenBitmaps {
        TakenBitmaps(std::mem::take(&mut self.bitmaps))
    }

    /// Puts them back.
    pub(in crate::model) fn put_bitmaps(&mut self, taken: TakenBitmaps) {
        self.bitmaps = taken.0;
    }

    /// Appends the bitmaps, by table.
    pub(in crate::model) fn pack_bitmaps(&self, out: &mut Vec<u8>) {
        let tables = self.bitmaps.tables_in(0, u64::MAX - 1);
        put(out, tables.len() as u64);
        let (mut last, mut runs) = (0, Vec::new());
        for table in tables {
            let words = self.bitmaps.find(table).map_or(&[][..], |slot| self.bitmaps.words(slot));
            runs.clear();
            put_runs(words, &mut runs);
            let is_raw = words.len() * 8 < runs.len();
            put(out, (table - last) << 1 | u64::from(is_raw));
            if is_raw {
                words.iter().for_each(|&word| put_bytes(out, word, 8));
            } else {
                out.extend_from_slice(&runs);
            }
            last = table;
        }
    }

    /// What [`PageTables::pack_bitmaps`] has packed.
    pub(in crate::model) fn unpack_bitmaps(&mut self, rest: &mut &[u8]) {
        self.bitmaps.clear_all(1 << self.table_shift());
        let mut table = 0;
        for _ in 0..take(rest) {
            let head = take(rest);
            table += head >> 1;
            let slot = self.bitmaps.insert(table, 1 << self.table_shift(), false);
            let n_bits = 1 << self.table_shift();
            if head & 1 == 1 {
                let words: Vec<u64> = (0..self.bitmaps.words(slot).len()).map(|_| take_bytes(rest, 8)).collect();
                self.bitmaps.fill(slot, &words);
                continue;
            }
            let (mut at, mut is_set) = (0, false);
            while at < n_bits && !rest.is_empty() {
                let end = n_bits.min(at + take(rest) as usize);
                if is_set && at < end {
                    self.bitmaps.set(slot, at, end);
                }
                (at, is_set) = (end, !is_set);
            }
        }
    }

    /// Are the same entries of the same partly filled tables set in both?
    pub(in crate::model) fn has_same_bitmaps(&self, other: &Self) -> bool {
        let tables = self.bitmaps.tables_in(0, u64::MAX - 1);
        let of = |of: &'_ Self, table: u64| {
            let slot = of.bitmaps.find(table)?;
            Some((of.bitmaps.live(slot), of.bitmaps.words(slot).to_vec()))
        };
        tables == other.bitmaps.tables_in(0, u64::MAX - 1)
            && tables.iter().all(|&table| of(self, table) == of(other, table))
    }
}

/// Lengths of runs, the first of clear bits.
fn put_runs(words: &[u64], out: &mut Vec<u8>) {
    let n_bits = words.len() * 64;
    let (mut at, mut is_set) = (0, false);
    while at < n_bits {
        let from = at;
        while at < n_bits {
            let word = words[at / 64] ^ if is_set { u64::MAX } else { 0 };
            let same = (word >> (at % 64)).trailing_zeros() as usize;
            at += same.min(64 - at % 64);
            if at % 64 != 0 {
                break;
            }
            // The border of a word: the run goes on, or ends with the word.
            if at < n_bits && (words[at / 64] & 1 == 1) != is_set {
                break;
            }
        }
        put(out, (at - from) as u64);
        is_set = !is_set;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Extent;
    use crate::model::page_table::GEOMETRIES;
    use crate::policy::{Release, arch_rules};

    #[test]
    fn runs_are_those_of_the_bits() {
        let runs = |words: &[u64]| {
            let mut out = Vec::new();
            put_runs(words, &mut out);
            let rest = &mut out.as_slice();
            let mut all = Vec::new();
            while !rest.is_empty() {
                all.push(take(rest));
            }
            all
        };
        assert_eq!(runs(&[0, 0]), [128]);
        assert_eq!(runs(&[u64::MAX, u64::MAX]), [0, 128]);
        assert_eq!(runs(&[u64::MAX, 0]), [0, 64, 64]);
        assert_eq!(runs(&[1 << 63, 1]), [63, 2, 63]);
        assert_eq!(runs(&[0b1010, 1 << 63]), [1, 1, 1, 1, 123, 1]);
    }

    /// Many areas and few, each other entry set, tables full again: on every machine.
    #[test]
    fn bitmaps_come_back() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for geometry in GEOMETRIES {
            let mut tables = PageTables::new(arch_rules(geometry, Release::new(6, 12)));
            let page = geometry.page_size;
            let area = |at: u64, pages: u64| Extent::sized(0xf000_0000 + at * page, pages * page).expect("an extent");
            for at in 0..2000 {
                let extent = area(random(20_000), 1 + random(40));
                if at % 3 == 0 { _ = tables.unmap(extent) } else { _ = tables.map_pages(extent) }
            }
            (0..1500).for_each(|at| _ = tables.map_pages(area(25_000 + at * 2, 1)));
            let mut packed = Vec::new();
            tables.pack_bitmaps(&mut packed);
            let mut copy = tables.clone();
            // Whatever stands there already is forgotten.
            copy.bitmaps.insert(1, 1 << copy.table_shift(), true);
            copy.unpack_bitmaps(&mut packed.as_slice());
            assert!(copy.has_same_bitmaps(&tables), "{}", geometry.title);
            copy.audit().expect(geometry.title);
        }
    }
}
