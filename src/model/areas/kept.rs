//! [`KeptPages`]: the slots of an arena put aside, so that a checkpoint costs what has changed and not what exists.
//!
//! Slots are kept in pages of [`PAGE_SLOTS`]. A page is a base, shared by many checkpoints, and what differs from it; both
//! are shared by every checkpoint since which none of the page's slots has been written. When what differs has grown to
//! about the size of the bases, the pages get new ones.

use std::sync::Arc;

use super::near::Near;
use super::packed::{self, Links, PAGE_SLOTS};
use super::threads::thread;
use super::{SMALL, VmapArea};

/// The slots of an arena, packed.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptPages {
    /// By page; pages that are newer than this have none, and differ from nothing.
    bases: Arc<Vec<Arc<[u8]>>>,
    /// By page: what differs from its base.
    pages: Vec<Option<Arc<[u8]>>>,
    /// Whether links of trees are kept or found again.
    links: Links,
}

/// What differs may be as much of the bases, in 16ths, before there are new ones: then the mean of both is least where a
/// fifth to a half of the slots change from one checkpoint to the next.
const DIFFERS_MAX: usize = 9;

impl KeptPages {
    /// Puts aside the pages of `slots` that are new or for which `changed` says so.
    pub(super) fn update(&mut self, slots: &[VmapArea], changed: &[bool]) {
        // Finding links again goes through all slots.
        let links = if slots.len() <= SMALL { Links::Found } else { Links::Kept };
        let n_pages = slots.len().div_ceil(PAGE_SLOTS);
        self.pages.resize(n_pages, None);
        if links != self.links || self.bases.is_empty() {
            self.links = links;
            return self.begin_anew(slots, &vec![true; n_pages]);
        }
        let (mut packed, mut before) = (Vec::new(), [VmapArea::default(); PAGE_SLOTS]);
        let (mut n_new, mut n_base) = (0, 0);
        for (index, page) in slots.chunks(PAGE_SLOTS).enumerate().filter(|&(index, _)| changed[index]) {
            let base = self.bases.get(index).map_or(&[][..], |base| base);
            before.fill(VmapArea::default());
            packed::unpack(base, &mut before);
            packed.clear();
            packed::pack(page, &before, links, &mut packed);
            n_new += packed.len();
            n_base += base.len();
            // Even if nothing differs: another checkpoint that has the same page has the same links, found or not.
            self.pages[index] = Some(Arc::from(packed.as_slice()));
        }
        if n_base * DIFFERS_MAX < n_new * 16 && n_new > PAGE_SLOTS {
            self.begin_anew(slots, changed);
        }
    }

    /// New bases for the pages that `changed` names or that differ from the old ones.
    fn begin_anew(&mut self, slots: &[VmapArea], changed: &[bool]) {
        let mut packed = Vec::new();
        let nothing = [VmapArea::default(); PAGE_SLOTS];
        let mut bases = Vec::with_capacity(self.pages.len());
        for (index, page) in slots.chunks(PAGE_SLOTS).enumerate() {
            match self.bases.get(index) {
                Some(old) if !changed[index] && self.pages[index].is_none() => bases.push(Arc::clone(old)),
                _ => {
                    packed.clear();
                    packed::pack(page, &nothing, self.links, &mut packed);
                    bases.push(Arc::from(packed.as_slice()));
                }
            }
        }
        self.bases = Arc::new(bases);
        self.pages.fill(None);
    }

    /// Makes `slots`, which are as `own` says but for the pages in `changed`, those that are kept here: unpacks the pages
    /// that differ, and remembers where their areas are. Afterwards nothing is changed.
    pub(super) fn restore(
        &self,
        own: &mut Self,
        (slots, changed): (&mut Vec<VmapArea>, &mut Vec<bool>),
        near: &mut Near,
        n_slots: usize,
    ) {
        slots.resize(n_slots, VmapArea::default());
        changed.resize(self.pages.len(), true);
        let mut has_unpacked = false;
        for (index, page) in slots.chunks_mut(PAGE_SLOTS).enumerate() {
            if std::mem::take(&mut changed[index]) || !self.shares(own, index) {
                page.fill(VmapArea::default());
                packed::unpack(self.bases.get(index).map_or(&[], |base| base), page);
                packed::unpack(self.pages[index].as_deref().unwrap_or_default(), page);
                near.note_all(page, index * PAGE_SLOTS);
                has_unpacked = true;
            }
        }
        if has_unpacked && self.links == Links::Found {
            thread(slots);
        }
        own.adopt(self);
    }

    /// Is the page the same one in both?
    pub(super) fn shares(&self, other: &Self, index: usize) -> bool {
        self.shares_base(other, index)
            && match (self.pages.get(index), other.pages.get(index)) {
                (Some(Some(own)), Some(Some(other))) => Arc::ptr_eq(own, other),
                (own, other) => matches!((own, other), (Some(None), Some(None))),
            }
    }

    fn shares_base(&self, other: &Self, index: usize) -> bool {
        match (self.bases.get(index), other.bases.get(index)) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }

    /// Takes over what another arena has kept.
    pub(super) fn adopt(&mut self, other: &Self) {
        self.pages.truncate(other.pages.len());
        for (index, page) in other.pages.iter().enumerate() {
            match (self.pages.get_mut(index), page) {
                (Some(Some(own)), Some(page)) if Arc::ptr_eq(own, page) => {}
                (Some(own), page) => own.clone_from(page),
                (None, page) => self.pages.push(page.clone()),
            }
        }
        self.bases = Arc::clone(&other.bases);
        self.links = other.links;
    }

    /// Memory held that `before` does not hold too, in bytes.
    pub(super) fn bytes_beside(&self, before: &Self) -> u64 {
        let mut bytes = self.pages.capacity() * size_of::<Option<Arc<[u8]>>>();
        if !Arc::ptr_eq(&self.bases, &before.bases) {
            let own = self.bases.iter().enumerate().filter(|&(index, _)| !self.shares_base(before, index));
            bytes += own.map(|(_, base)| base.len() + ARC_BYTES).sum::<usize>();
            bytes += self.bases.len() * size_of::<Arc<[u8]>>();
        }
        for (index, page) in self.pages.iter().enumerate() {
            if let Some(page) = page.as_ref().filter(|_| !self.shares(before, index)) {
                bytes += page.len() + ARC_BYTES;
            }
        }
        bytes as u64
    }
}

/// What an `Arc` and the system's allocator take beside the bytes.
const ARC_BYTES: usize = 24;
