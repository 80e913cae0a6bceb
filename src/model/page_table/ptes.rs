//! The lowest level: runs of PTEs, set, cleared and counted table by table.

use super::tables::PageTables;

impl PageTables {
    /// The first page of `from..to` whose PTE is set.
    pub(super) fn first_pte(&self, from: u64, to: u64) -> Option<u64> {
        let shift = self.table_shift();
        let last = (to - 1) >> shift;
        let mut table = from >> shift;
        // Only a table that the range covers in part can be in use and yet have no entry in it: two turns at most.
        while table <= last {
            (table, _) = self.used.next_run(table, last)?;
            let base = table << shift;
            let (low, high) = (from.max(base) - base, to.min(base + (1 << shift)) - base);
            let first = match self.bitmaps.find(table) {
                Some(slot) => self.bitmaps.first_set(slot, low as usize, high as usize).map(|index| index as u64),
                None => Some(low),
            };
            if let Some(index) = first {
                return Some(base + index);
            }
            table += 1;
        }
        None
    }

    /// PTEs set in whole tables `first..=last`.
    fn ptes_in_tables(&self, first: u64, last: u64) -> u64 {
        let mut ptes = self.used.count_in(first, last) << self.table_shift();
        for table in self.bitmaps.tables_in(first, last) {
            let live = self.bitmaps.find(table).map_or(0, |slot| self.bitmaps.live(slot));
            ptes -= (1 << self.table_shift()) - live;
        }
        ptes
    }

    /// Sets the PTEs of pages `from..to`, whose tables exist; says how many were set before.
    pub(super) fn set_ptes(&mut self, from: u64, to: u64) -> u64 {
        let shift = self.table_shift();
        let (mut page, mut before) = (from, 0);
        while page < to {
            let (table, base) = (page >> shift, page >> shift << shift);
            if page == base && base + (1 << shift) <= to {
                // Whole tables: no bitmap says that all is set.
                let end = to >> shift;
                before += self.ptes_in_tables(table, end - 1);
                self.release_bitmaps(table, end - 1);
                self.used.add(table, end - 1);
                page = end << shift;
            } else {
                let end = to.min(base + (1 << shift));
                let (low, high) = ((page - base) as usize, (end - base) as usize);
                before += match self.bitmaps.find(table) {
                    Some(slot) => self.bitmaps.set(slot, low, high),
                    None if self.used.add(table, table) == 0 => end - page,
                    None => {
                        let slot = self.bitmaps.insert(table, 1 << shift, false);
                        self.bitmaps.set(slot, low, high)
                    }
                };
                page = end;
            }
            self.work += 1;
        }
        before
    }

    /// Clears the PTEs of pages `from..to`; says how many were set.
    pub(super) fn clear_ptes(&mut self, from: u64, to: u64) -> u64 {
        let shift = self.table_shift();
        let (mut page, mut cleared) = (from, 0);
        while page < to {
            let (table, base) = (page >> shift, page >> shift << shift);
            if page == base && base + (1 << shift) <= to {
                let end = to >> shift;
                cleared += self.ptes_in_tables(table, end - 1);
                self.release_bitmaps(table, end - 1);
                self.used.remove(table, end - 1);
                page = end << shift;
            } else {
                let end = to.min(base + (1 << shift));
                cleared += self.clear_in_table(table, (page - base) as usize, (end - base) as usize);
                page = end;
            }
            self.work += 1;
        }
        cleared
    }

    fn clear_in_table(&mut self, table: u64, low: usize, high: usize) -> u64 {
        let slot = match self.bitmaps.find(table) {
            Some(slot) => slot,
            None if self.used.contains(table) => self.bitmaps.insert(table, 1 << self.table_shift(), true),
            None => return 0,
        };
        let cleared = self.bitmaps.clear(slot, low, high);
        if self.bitmaps.live(slot) == 0 {
            self.bitmaps.release(table);
            self.used.remove(table, table);
        }
        cleared
    }

    fn release_bitmaps(&mut self, first: u64, last: u64) {
        for table in self.bitmaps.tables_in(first, last) {
            self.bitmaps.release(table);
        }
    }
}
