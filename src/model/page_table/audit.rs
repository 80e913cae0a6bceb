//! The second direction: what [`PageTables`] keeps must hold together.

use super::mapped::PerLevel;
use super::tables::PageTables;

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TablesBroken {
    /// A counter differs from what it counts.
    #[error("leaves are {stored:?}, counted {counted:?}")]
    Leaves {
        /// Stored.
        stored: PerLevel,
        /// By counting.
        counted: PerLevel,
    },
    /// A table hangs from no table.
    #[error("a table of level {depth} from page 0x{page:x} on has no table above")]
    Orphan {
        /// Level of the table.
        depth: usize,
        /// Its first page.
        page: u64,
    },
    /// A huge leaf stands where there is a table, or where the table it should be in is not.
    #[error("a huge leaf of level {depth} at page 0x{page:x} is out of place")]
    Huge {
        /// Level of the leaf.
        depth: usize,
        /// Its first page.
        page: u64,
    },
    /// Entries are set in a table that does not exist, or a bitmap is kept for a table without entries.
    #[error("entries are kept for PTE table {table}, which cannot have any")]
    Ptes {
        /// Number of the table.
        table: u64,
    },
    /// A block is called contiguous that is not wholly mapped.
    #[error("block {block} is called contiguous and is not mapped")]
    Contiguous {
        /// Number of the block.
        block: u64,
    },
}

impl PageTables {
    /// Recomputes what is derived and checks that every table and leaf has its place.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn audit(&self) -> Result<(), TablesBroken> {
        if self.n_levels == 0 {
            return Ok(());
        }
        let pte = self.pte();
        let mut counted = PerLevel::default();
        for depth in 1..self.n_levels {
            for (first, last) in self.tables[depth].iter() {
                let shift = self.page_shifts[depth - 1];
                let (from, to) = (first << shift, (last + 1) << shift);
                if !self.has_tables(depth - 1, from, to) {
                    return Err(TablesBroken::Orphan { depth, page: from });
                }
            }
        }
        for depth in 0..pte {
            for (first, last) in self.huge[depth].iter() {
                counted[depth] += last - first + 1;
                let shift = self.page_shifts[depth];
                let (from, to) = (first << shift, (last + 1) << shift);
                let has_table = self.tables[depth + 1].next_run(first, last).is_some();
                if has_table || !self.has_tables(depth, from, to) || self.first_pte(from, to).is_some() {
                    return Err(TablesBroken::Huge { depth, page: from });
                }
            }
        }
        for (first, last) in self.used.iter() {
            if !self.tables[pte].contains_all(first, last) {
                return Err(TablesBroken::Ptes { table: first });
            }
            counted[pte] += (last - first + 1) << self.table_shift();
        }
        for table in self.bitmaps.tables_in(0, u64::MAX - 1) {
            let (live, kept) =
                self.bitmaps.find(table).map_or((0, 0), |slot| (self.bitmaps.count(slot), self.bitmaps.live(slot)));
            if live == 0 || live != kept || !self.used.contains(table) {
                return Err(TablesBroken::Ptes { table });
            }
            counted[pte] -= (1 << self.table_shift()) - live;
        }
        if counted != self.leaves {
            return Err(TablesBroken::Leaves { stored: self.leaves, counted });
        }
        let shift = self.rules.contiguous_shift.map_or(0, |shift| shift - self.page_shift);
        let is_mapped = |page: u64| self.first_pte(page, page + 1).is_some();
        for (first, last) in self.contiguous.iter() {
            if let Some(block) = (first..=last).find(|block| !(block << shift..(block + 1) << shift).all(is_mapped)) {
                return Err(TablesBroken::Contiguous { block });
            }
        }
        Ok(())
    }

    /// Do tables of levels 1 to `depth` exist for all pages `from..to`?
    fn has_tables(&self, depth: usize, from: u64, to: u64) -> bool {
        let mut levels = (1..=depth).filter(|&upper| !self.is_preallocated[upper]);
        levels.all(|upper| self.tables[upper].contains_all(self.table_of(upper, from), self.table_of(upper, to - 1)))
    }
}
