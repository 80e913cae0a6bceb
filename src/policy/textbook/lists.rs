//! [`Lists`]: holes in lists by class of length, the newest first; and TLSF, which searches nothing else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::model::audit::{Broken, compare};
use crate::model::{AreaId, Extent, Look, RuleOrder, Sink, Step};

use super::super::rules::Layers;
use super::coalescing::Index;
use super::ground::{Ground, Wanted};

/// Lists of holes by class. A list that is not there is empty: what the bitmaps of the literature tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists {
    /// Class to holes: when they joined, the newest first, and their starts.
    by_class: BTreeMap<u32, BTreeSet<(Reverse<u64>, u64)>>,
    /// When each hole joined, by its start.
    stamps: BTreeMap<u64, u64>,
    next_stamp: u64,
}

impl Lists {
    pub(super) fn add(&mut self, class: u32, hole: Extent) {
        self.next_stamp += 1;
        self.stamps.insert(hole.start(), self.next_stamp);
        self.by_class.entry(class).or_default().insert((Reverse(self.next_stamp), hole.start()));
    }

    pub(super) fn remove(&mut self, class: u32, hole: Extent) {
        let Some(stamp) = self.stamps.remove(&hole.start()) else { return };
        let Some(list) = self.by_class.get_mut(&class) else { return };
        list.remove(&(Reverse(stamp), hole.start()));
        if list.is_empty() {
            self.by_class.remove(&class);
        }
    }

    /// Starts of the holes of each class from `class` on, list by list, the newest of each first.
    pub(super) fn from(&self, class: u32) -> impl Iterator<Item = u64> {
        self.by_class.range(class..).flat_map(|(_, list)| list.iter().map(|&(_, start)| start))
    }

    /// Starts of the holes of one class, the newest first.
    pub(super) fn of(&self, class: u32) -> impl Iterator<Item = u64> {
        self.by_class.get(&class).into_iter().flatten().map(|&(_, start)| start)
    }

    /// The first hole from a class on in which the area fits, and where.
    pub(super) fn first_fit<S: Sink>(
        &self,
        class: u32,
        ground: &Ground,
        wanted: &Wanted,
        sink: &mut S,
    ) -> Option<(AreaId, u64)> {
        for start in self.from(class) {
            let (id, hole) = ground.hole_starting(start)?;
            let place = wanted.start_in(hole);
            sink.step(|| Step::Looked { hole, look: if place.is_some() { Look::Taken } else { Look::NoFit } });
            if let Some(place) = place {
                return Some((id, place));
            }
        }
        None
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> std::fmt::Result {
        for (class, list) in &self.by_class {
            write!(out, "Q {class}")?;
            for (_, start) in list {
                write!(out, " {start:x}")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// Every hole is in the list of its class and in no other.
    pub(super) fn audit(&self, holes: &[Extent], class_of: impl Fn(Extent) -> u32) -> Result<(), Broken> {
        let listed: u64 = self.by_class.values().map(|list| list.len() as u64).sum();
        compare("holes in lists", listed, holes.len() as u64)?;
        compare("holes with a stamp", self.stamps.len() as u64, holes.len() as u64)?;
        compare("empty lists kept", self.by_class.values().filter(|list| list.is_empty()).count() as u64, 0)?;
        for &hole in holes {
            let stamp = self.stamps.get(&hole.start()).copied().unwrap_or(0);
            let is_listed =
                self.by_class.get(&class_of(hole)).is_some_and(|list| list.contains(&(Reverse(stamp), hole.start())));
            compare("holes in the list of their class", u64::from(is_listed && stamp <= self.next_stamp), 1)?;
        }
        Ok(())
    }

    pub(super) fn heap_bytes(&self) -> u64 {
        // Nodes of such sets and maps are at least half full.
        (self.stamps.len() * size_of::<(u64, u64)>() * 3 + self.by_class.len() * 64) as u64
    }
}

/// Two levels of classes: powers of two, and 2^`SPLIT` parts of each.
const SPLIT: u32 = 5;
/// Parts of a power of two; below it every number of pages has a class of its own.
const PARTS: u64 = 1 << SPLIT;

/// Two-level segregated fit.
#[derive(Debug, Clone)]
pub(super) struct Tlsf {
    lists: Lists,
    page_size: u64,
}

/// The class of a number of pages: `(f, sl)` in one number, which ascends as the two do.
fn class_of(pages: u64) -> u32 {
    if pages < PARTS {
        return pages as u32;
    }
    let f = pages.ilog2();
    let part = (pages >> (f - SPLIT)) - PARTS;
    (f - SPLIT + 1) * PARTS as u32 + part as u32
}

/// A number of pages whose class holds nothing shorter than `pages`.
fn rounded_up(pages: u64) -> u64 {
    if pages < PARTS { pages } else { pages.saturating_add((1 << (pages.ilog2() - SPLIT)) - 1) }
}

impl Index for Tlsf {
    fn new(_layers: &Layers, _arena: Extent, page_size: u64) -> Self {
        Self { lists: Lists::default(), page_size }
    }

    fn added(&mut self, hole: Extent) {
        self.lists.add(class_of(hole.len_bytes() / self.page_size), hole);
    }

    fn removed(&mut self, hole: Extent) {
        self.lists.remove(class_of(hole.len_bytes() / self.page_size), hole);
    }

    fn find<S: Sink>(&self, ground: &Ground, wanted: &Wanted, sink: &mut S) -> Option<(AreaId, u64)> {
        // So many pages can be aligned in wherever they begin.
        let pages = rounded_up(wanted.pages.checked_add(wanted.align / ground.page_size - 1)?);
        sink.step(|| Step::RuleBegun { order: RuleOrder::Classes { pages } });
        self.lists.first_fit(class_of(pages), ground, wanted, sink)
    }

    fn write(&self, out: &mut dyn Write) -> std::fmt::Result {
        self.lists.write(out)
    }

    fn audit(&self, holes: &[Extent]) -> Result<(), Broken> {
        self.lists.audit(holes, |hole| class_of(hole.len_bytes() / self.page_size))
    }

    fn heap_bytes(&self) -> u64 {
        self.lists.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mapping of the literature, in words: `f` is the power of two below, `sl` the part of it.
    #[test]
    fn classes_ascend_and_rounding_up_is_safe() {
        assert_eq!((class_of(31), class_of(32), class_of(40), class_of(84)), (31, 32, 40, 64 + 10));
        for pages in 1..20_000_u64 {
            assert!(class_of(pages) <= class_of(pages + 1), "{pages}");
            let class = class_of(rounded_up(pages));
            let shortest = (1..=2 * pages).find(|&n| class_of(n) == class).expect("the class has a shortest");
            assert!(pages <= shortest, "{pages} {shortest}");
            if pages > 200 {
                break;
            }
        }
        assert!(class_of(u64::MAX / 4096) < u32::MAX && rounded_up(u64::MAX) == u64::MAX);
    }
}
