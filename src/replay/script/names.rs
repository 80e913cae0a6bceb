//! [`Names`]: what the ids of a script stand for.

use std::collections::HashMap;

/// What a live id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    /// The address it was given.
    pub(super) addr: u64,
    /// Pages, of a `map_ram`.
    pub(super) pages: u64,
}

/// The live ids. An id dies with its area, whoever frees it and by whatever address, so that none ever names an area
/// that came later.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    by_id: HashMap<u64, Named>,
    /// By the page of the address. Two ids never have one page.
    by_page: HashMap<u64, u64>,
}

impl Names {
    /// What an id names, if it lives.
    pub(super) fn get(&self, id: u64) -> Option<Named> {
        self.by_id.get(&id).copied()
    }

    /// Names an address. Another id that named its page is dead.
    pub(super) fn insert(&mut self, id: u64, named: Named, page_size: u64) {
        self.remove(id, page_size);
        let page = named.addr / page_size;
        if let Some(other) = self.by_page.insert(page, id) {
            self.by_id.remove(&other);
        }
        self.by_id.insert(id, named);
    }

    /// The id dies.
    pub(super) fn remove(&mut self, id: u64, page_size: u64) -> Option<Named> {
        let named = self.by_id.remove(&id)?;
        self.by_page.remove(&(named.addr / page_size));
        Some(named)
    }

    /// The area that began there is gone.
    pub(super) fn forget(&mut self, start: u64, page_size: u64) {
        if let Some(id) = self.by_page.remove(&(start / page_size)) {
            self.by_id.remove(&id);
        }
    }
}
