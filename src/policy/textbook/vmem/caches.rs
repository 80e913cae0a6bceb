//! [`Caches`]: objects of 1 to a few pages, parked for each CPU in magazines, cut out of slabs.
//!
//! Each size has two magazines for each CPU, one loaded and the previous one, a depot of full ones for all CPUs, and slabs
//! of the next power of two above three times the largest cached size. Objects are cut out of a slab in address order and
//! come back to it only in a reap; a slab nothing of which is out goes back to the arena.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::model::audit::{Broken, compare};
use crate::model::{CacheAnswer, Extent};

use super::super::ground::Ground;

/// Objects of a full magazine.
const MAGAZINE: usize = 8;

/// Starts of parked objects, the next one to give out last.
type Magazine = Vec<u64>;

/// What a CPU has of a size.
#[derive(Debug, Clone, Default)]
struct Pair {
    loaded: Magazine,
    previous: Magazine,
}

/// A range cut into objects of one size.
#[derive(Debug, Clone)]
struct Slab {
    /// Pages of an object.
    pages: u64,
    /// Where what has never been an object begins.
    uncut: u64,
    end: u64,
    /// Objects that have come back, the next one to give out last.
    free: Vec<u64>,
    /// Objects given to magazines and areas.
    out: u64,
}

/// The caches of an arena.
#[derive(Debug, Clone)]
pub(super) struct Caches {
    most_pages: u64,
    page_size: u64,
    pairs: BTreeMap<(u32, u64), Pair>,
    /// Full magazines by size.
    depots: BTreeMap<u64, Vec<Magazine>>,
    /// By start.
    slabs: BTreeMap<u64, Slab>,
    /// Starts of the slabs with room, by size.
    with_room: BTreeMap<u64, BTreeSet<u64>>,
}

impl Slab {
    fn has_room(&self, page_size: u64) -> bool {
        !self.free.is_empty() || self.uncut + self.pages * page_size <= self.end
    }
}

impl Caches {
    pub(super) fn new(most_pages: u64, page_size: u64) -> Self {
        Self {
            most_pages,
            page_size,
            pairs: BTreeMap::new(),
            depots: BTreeMap::new(),
            slabs: BTreeMap::new(),
            with_room: BTreeMap::new(),
        }
    }

    /// Pages of the largest size that has caches.
    pub(super) fn most_pages(&self) -> u64 {
        self.most_pages
    }

    /// Pages of a slab.
    pub(super) fn slab_pages(&self) -> u64 {
        (3 * self.most_pages + 1).next_power_of_two()
    }

    fn object(&self, start: u64, pages: u64) -> Option<Extent> {
        Extent::sized(start, pages * self.page_size)
    }

    /// What a CPU is given next, and where it comes from.
    pub(super) fn peek(&self, cpu: u32, pages: u64) -> CacheAnswer {
        let found = |start: Option<&u64>, from: fn(Extent) -> CacheAnswer| Some(from(self.object(*start?, pages)?));
        let in_pair = || {
            let pair = self.pairs.get(&(cpu, pages))?;
            let loaded = found(pair.loaded.last(), CacheAnswer::Loaded);
            loaded.or_else(|| found(pair.previous.last(), CacheAnswer::Previous))
        };
        let in_depot = || found(self.depots.get(&pages)?.last()?.last(), CacheAnswer::Depot);
        let in_slab = || {
            let slab = self.slabs.get(self.with_room.get(&pages)?.first()?)?;
            found(slab.free.last().or(Some(&slab.uncut)), CacheAnswer::Slab)
        };
        in_pair().or_else(in_depot).or_else(in_slab).unwrap_or(CacheAnswer::NewSlab)
    }

    /// Hands out what `peek` found.
    pub(super) fn take(&mut self, ground: &mut Ground, cpu: u32, pages: u64) -> Option<Extent> {
        let pair = self.pairs.entry((cpu, pages)).or_default();
        if pair.loaded.is_empty() && !pair.previous.is_empty() {
            std::mem::swap(&mut pair.loaded, &mut pair.previous);
        } else if pair.loaded.is_empty()
            && let Some(full) = self.depots.get_mut(&pages).and_then(Vec::pop)
        {
            pair.previous = std::mem::replace(&mut pair.loaded, full);
        }
        if let Some(start) = pair.loaded.pop() {
            return ground.drop_cached(start);
        }
        let room = self.with_room.get_mut(&pages)?;
        let base = *room.first()?;
        let slab = self.slabs.get_mut(&base)?;
        slab.out += 1;
        let object = match slab.free.pop() {
            Some(start) => ground.drop_cached(start),
            None => {
                let uncut = ground.drop_cached(slab.uncut)?;
                let object = Extent::sized(slab.uncut, pages * self.page_size)?;
                slab.uncut = object.end();
                if let Some(rest) = Extent::new(slab.uncut, uncut.end()) {
                    ground.add_cached(rest);
                }
                Some(object)
            }
        };
        if !slab.has_room(self.page_size) {
            room.remove(&base);
        }
        object
    }

    /// A range the arena gave becomes a slab of objects of so many pages.
    pub(super) fn add_slab(&mut self, ground: &mut Ground, extent: Extent, pages: u64) {
        let slab = Slab { pages, uncut: extent.start(), end: extent.end(), free: Vec::new(), out: 0 };
        self.slabs.insert(extent.start(), slab);
        self.with_room.entry(pages).or_default().insert(extent.start());
        ground.add_cached(extent);
    }

    /// The slab a range lies in.
    fn slab_of(&self, addr: u64) -> Option<(u64, &Slab)> {
        let (&base, slab) = self.slabs.range(..=addr).next_back()?;
        (addr < slab.end).then_some((base, slab))
    }

    /// Parks an area if it is an object of a slab: into the loaded magazine, or the previous one if that is empty; if both
    /// are full, one goes to the depot.
    pub(super) fn give(&mut self, ground: &mut Ground, extent: Extent, cpu: u32) -> bool {
        let Some((_, slab)) = self.slab_of(extent.start()) else { return false };
        let pages = slab.pages;
        let pair = self.pairs.entry((cpu, pages)).or_default();
        if pair.loaded.len() == MAGAZINE {
            std::mem::swap(&mut pair.loaded, &mut pair.previous);
            if pair.loaded.len() == MAGAZINE {
                self.depots.entry(pages).or_default().push(std::mem::take(&mut pair.loaded));
            }
        }
        pair.loaded.push(extent.start());
        ground.add_cached(extent);
        true
    }

    /// Empties every magazine into the slabs; answers how many objects were in them, and the slabs that are whole again,
    /// ascending.
    pub(super) fn reap(&mut self, ground: &mut Ground) -> (u32, Vec<Extent>) {
        let pairs = std::mem::take(&mut self.pairs).into_values().flat_map(|pair| [pair.loaded, pair.previous]);
        let depots = std::mem::take(&mut self.depots).into_values().flatten();
        let parked: Vec<u64> = pairs.chain(depots).flatten().collect();
        for &start in &parked {
            let Some((base, _)) = self.slab_of(start) else { continue };
            let Some(slab) = self.slabs.get_mut(&base) else { continue };
            slab.free.push(start);
            slab.out -= 1;
            self.with_room.entry(slab.pages).or_default().insert(base);
        }
        let whole: Vec<u64> = self.slabs.iter().filter(|(_, slab)| slab.out == 0).map(|(&base, _)| base).collect();
        let extents = whole.into_iter().filter_map(|base| {
            let slab = self.slabs.remove(&base)?;
            if let Some(room) = self.with_room.get_mut(&slab.pages) {
                room.remove(&base);
            }
            Self::take_off(ground, base, &slab);
            Extent::new(base, slab.end)
        });
        (parked.len() as u32, extents.collect())
    }

    /// Takes what a slab holds off the cached ranges; answers those.
    fn take_off(ground: &mut Ground, base: u64, slab: &Slab) -> Vec<Extent> {
        let Some(whole) = Extent::new(base, slab.end) else { return Vec::new() };
        let held: Vec<u64> =
            ground.areas.overlapping(&ground.cached, whole).map(|(_, extent)| extent.start()).collect();
        held.into_iter().filter_map(|start| ground.drop_cached(start)).collect()
    }

    /// Slabs that a range reaches into are none any more: what of them is parked comes back, what is in use is an area
    /// like any other. Answers what comes back.
    pub(super) fn dissolve(&mut self, ground: &mut Ground, extent: Extent) -> Vec<Extent> {
        let reached: Vec<u64> = self
            .slabs
            .range(..extent.end())
            .rev()
            .take_while(|(_, slab)| extent.start() < slab.end)
            .map(|(&base, _)| base)
            .collect();
        let mut back = Vec::new();
        for base in reached {
            let Some(slab) = self.slabs.remove(&base) else { continue };
            if let Some(room) = self.with_room.get_mut(&slab.pages) {
                room.remove(&base);
            }
            let is_elsewhere = |start: &u64| *start < base || slab.end <= *start;
            for pair in self.pairs.values_mut() {
                pair.loaded.retain(is_elsewhere);
                pair.previous.retain(is_elsewhere);
            }
            for depot in self.depots.values_mut() {
                for full in depot.iter_mut() {
                    full.retain(is_elsewhere);
                }
                depot.retain(|full| !full.is_empty());
            }
            back.extend(Self::take_off(ground, base, &slab));
        }
        back
    }

    /// Calls `visit` with the CPU and each parked object, then with what no CPU has, as of CPU 0.
    pub(super) fn visit(&self, ground: &Ground, visit: &mut dyn FnMut(u32, Extent)) {
        let mut of_cpus = BTreeSet::new();
        for (&(cpu, pages), pair) in &self.pairs {
            for &start in pair.loaded.iter().rev().chain(pair.previous.iter().rev()) {
                if let Some(object) = self.object(start, pages) {
                    of_cpus.insert(start);
                    visit(cpu, object);
                }
            }
        }
        let mut id = ground.cached.first;
        while let Some(extent) = ground.areas.extent(id) {
            if !of_cpus.contains(&extent.start()) && self.slab_of(extent.start()).is_some() {
                visit(0, extent);
            }
            id = ground.areas[id].next;
        }
    }

    pub(super) fn write(&self, out: &mut dyn Write) -> std::fmt::Result {
        let mut line = |name: &str, starts: &[u64]| {
            write!(out, "{name}")?;
            starts.iter().try_for_each(|start| write!(out, " {start:x}"))?;
            writeln!(out)
        };
        for ((cpu, pages), pair) in &self.pairs {
            line(&format!("M {cpu} {pages} loaded"), &pair.loaded)?;
            line(&format!("M {cpu} {pages} previous"), &pair.previous)?;
        }
        for (pages, depot) in &self.depots {
            depot.iter().try_for_each(|full| line(&format!("D {pages}"), full))?;
        }
        for (base, slab) in &self.slabs {
            line(&format!("W {base:x} {} {:x} {}", slab.pages, slab.uncut, slab.out), &slab.free)?;
        }
        Ok(())
    }

    /// What is parked is cached, once; slabs count what is out.
    pub(super) fn audit(&self, ground: &Ground) -> Result<(), Broken> {
        let of_pairs = self.pairs.iter().map(|(&(_, pages), pair)| (pages, [&pair.loaded, &pair.previous]));
        let in_magazines = of_pairs.flat_map(|(pages, both)| both.map(|magazine| (pages, magazine)));
        let in_depots = self.depots.iter().flat_map(|(&pages, depot)| depot.iter().map(move |full| (pages, full)));
        let mut parked: BTreeMap<u64, u64> = BTreeMap::new();
        let mut n_parked = 0;
        for (pages, magazine) in in_magazines.chain(in_depots) {
            compare("objects of a magazine at most", u64::from(magazine.len() <= MAGAZINE), 1)?;
            n_parked += magazine.len() as u64;
            parked.extend(magazine.iter().map(|&start| (start, pages)));
        }
        compare("objects parked once", parked.len() as u64, n_parked)?;
        for (&base, slab) in &self.slabs {
            let bytes = slab.pages * self.page_size;
            let cut = (slab.uncut - base) / bytes;
            compare("objects of a slab", slab.out + slab.free.len() as u64, cut)?;
            let has_room = self.with_room.get(&slab.pages).is_some_and(|room| room.contains(&base));
            compare("slabs with room", u64::from(has_room), u64::from(slab.has_room(self.page_size)))?;
            let of_slab = parked.range(base..slab.end);
            let held: Vec<(u64, u64)> = of_slab.map(|(&start, &pages)| (start, pages * self.page_size)).collect();
            let mut ranges: BTreeSet<(u64, u64)> = held.into_iter().collect();
            ranges.extend(slab.free.iter().map(|&start| (start, bytes)));
            ranges.extend((slab.uncut < slab.end).then(|| (slab.uncut, slab.end - slab.uncut)));
            let Some(whole) = Extent::new(base, slab.end) else { continue };
            let found = ground.areas.overlapping(&ground.cached, whole).map(|(_, range)| range);
            let found: BTreeSet<(u64, u64)> = found.map(|range| (range.start(), range.len_bytes())).collect();
            compare("cached ranges of a slab", found.len() as u64, ranges.len() as u64)?;
            let same = found.intersection(&ranges).count() as u64;
            compare("cached ranges of a slab that are parked", same, ranges.len() as u64)?;
        }
        let in_slabs = parked.keys().filter(|&&start| self.slab_of(start).is_some()).count() as u64;
        compare("parked objects of slabs", in_slabs, n_parked)
    }

    pub(super) fn heap_bytes(&self) -> u64 {
        let pairs = self.pairs.len() * (size_of::<Pair>() + 2 * MAGAZINE * 8);
        let depots: usize = self.depots.values().map(|depot| depot.len() * (MAGAZINE * 8 + 24)).sum();
        (pairs + depots + self.slabs.len() * size_of::<Slab>() * 2) as u64
    }
}
