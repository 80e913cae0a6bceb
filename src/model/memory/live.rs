//! [`Live`]: what is behind each area, found by its start.

use super::Backed;

/// No entry in this place.
const NONE: u32 = u32::MAX;

/// Entries in one block, without gaps, and an index with linear probing over it: a copy is two blocks, and room that is not
/// needed yet is places of four bytes.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// In no order. One that goes is replaced by the last.
    entries: Vec<Backed>,
    /// Numbers of entries; a power of two, at most three of four taken.
    places: Vec<u32>,
}

impl Live {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Backed> {
        self.entries.iter()
    }

    pub(super) fn get(&self, start: u64) -> Option<&Backed> {
        let at = *self.places.get(self.place(start))?;
        self.entries.get(at as usize)
    }

    /// Puts an entry in; another that starts there goes.
    pub(super) fn insert(&mut self, backed: Backed) {
        if self.places.len() * 3 <= self.entries.len() * 4 {
            self.grow(self.places.len() * 2);
        }
        let place = self.place(backed.extent.start());
        match self.places[place] {
            NONE => {
                self.places[place] = self.entries.len() as u32;
                self.make_room(1);
                self.entries.push(backed);
            }
            at => self.entries[at as usize] = backed,
        }
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, start: u64) -> Option<Backed> {
        let place = self.place(start);
        let at = *self.places.get(place)?;
        if at == NONE {
            return None;
        }
        self.free_place(place);
        let last = self.entries.len() as u32 - 1;
        if at != last {
            let of_last = self.place(self.entries[last as usize].extent.start());
            self.places[of_last] = at;
        }
        Some(self.entries.swap_remove(at as usize))
    }

    /// Forgets all; the memory is kept.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.places.fill(NONE);
    }

    /// Room for so many more.
    pub(super) fn reserve(&mut self, n: usize) {
        self.make_room(n);
        let n_places = ((self.entries.len() + n) * 4 / 3 + 1).next_power_of_two();
        if self.places.len() < n_places {
            self.grow(n_places);
        }
    }

    /// Memory held, in bytes.
    pub(super) fn heap_bytes(&self) -> u64 {
        (self.entries.capacity() * size_of::<Backed>() + self.places.capacity() * size_of::<u32>()) as u64
    }

    /// An eighth more at a time: several of these exist at once, each with many entries.
    fn make_room(&mut self, n: usize) {
        if self.entries.capacity() < self.entries.len() + n {
            self.entries.reserve_exact(n.max(self.entries.len() / 8 + 8));
        }
    }

    fn home(&self, start: u64) -> usize {
        // Keys are page addresses of one machine: an odd number spreads them over the high bits of the product. A trace
        // made to collide costs its own reader time, no more.
        let product = u128::from(start) * 0x9e37_79b9_7f4a_7c15;
        ((product >> 64) as u64 ^ product as u64) as usize & self.places.len().wrapping_sub(1)
    }

    /// Place of the entry that starts there, or the free place where it belongs; 0 if there is no place at all.
    fn place(&self, start: u64) -> usize {
        let mut place = self.home(start);
        while let Some(&at) = self.places.get(place) {
            if at == NONE || self.entries[at as usize].extent.start() == start {
                return place;
            }
            place = (place + 1) & (self.places.len() - 1);
        }
        0
    }

    /// Later entries of the same probe sequence move up into the place.
    fn free_place(&mut self, place: usize) {
        let last = self.places.len() - 1;
        let (mut hole, mut next) = (place, (place + 1) & last);
        while self.places[next] != NONE {
            let home = self.home(self.entries[self.places[next] as usize].extent.start());
            if hole.wrapping_sub(home) & last < next.wrapping_sub(home) & last {
                self.places[hole] = self.places[next];
                hole = next;
            }
            next = (next + 1) & last;
        }
        self.places[hole] = NONE;
    }

    fn grow(&mut self, n_places: usize) {
        self.places.clear();
        self.places.resize(n_places.max(16), NONE);
        for at in 0..self.entries.len() {
            let place = self.place(self.entries[at].extent.start());
            self.places[place] = at as u32;
        }
    }
}

impl Clone for Live {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    /// Keeps the memory it has.
    fn clone_from(&mut self, from: &Self) {
        self.entries.clear();
        self.make_room(from.entries.len());
        self.entries.extend_from_slice(&from.entries);
        self.places.clone_from(&from.places);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::model::extent::Extent;
    use crate::model::usage::Usage;

    fn backed(page: u64, pages: u64) -> Backed {
        let extent = Extent::sized(page << 12, pages << 12).expect("an extent");
        Backed::bare(extent, Usage::assumed(extent.len_bytes(), 4096))
    }

    proptest! {
        /// As a map would do it. Pages far apart collide in a small index.
        #[test]
        fn entries_are_found_as_in_a_map(ops in prop::collection::vec((any::<bool>(), 1_u64..80, 1_u64..9), 1..400)) {
            let (mut live, mut map) = (Live::default(), BTreeMap::new());
            for (adds, page, pages) in ops {
                let page = page << 20;
                if adds {
                    live.insert(backed(page, pages));
                    map.insert(page << 12, backed(page, pages));
                } else {
                    prop_assert_eq!(live.remove(page << 12), map.remove(&(page << 12)));
                }
                prop_assert_eq!(live.len(), map.len());
                prop_assert!(map.iter().all(|(start, backed)| live.get(*start) == Some(backed)));
                prop_assert_eq!(live.get(page << 12), map.get(&(page << 12)));
            }
            let mut copy = live.clone();
            copy.clear();
            prop_assert!(map.keys().all(|start| copy.get(*start).is_none()));
        }
    }
}
