//! [`Slabs`]: the small objects an allocation needs, in slabs of page frames.
//!
//! A cache cuts slabs of `1 << order` pages into objects of one size. An object is taken from the lowest slab with room,
//! lowest index first; without room a slab is made. A slab that becomes empty is kept if it is the only empty one of its
//! cache and given back otherwise. The kernel keeps some more, and slabs per CPU; it also puts other users' objects into
//! the `kmalloc` classes, which here hold only what this allocator asked for. So counts of objects are the kernel's,
//! slabs are the fewest it could need.

mod sizes;
mod table;

pub use sizes::{KmallocEra, KmallocFit, OBJECT_SIZES, ObjectSizes, kmalloc_fit, object_sizes, slab_order};

use super::frames::{FrameRun, Frames, FreeError, ZoneKind};
use table::Table;

/// A cache of [`Slabs`], by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheId(pub u16);

/// One object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Object {
    /// Its cache.
    pub cache: CacheId,
    /// Which slab of it.
    pub slab: u32,
    /// Which object in the slab.
    pub index: u32,
}

/// What `kmalloc` handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kmem {
    /// An object of a size class.
    Object(Object),
    /// Whole pages, as the request was above the classes.
    Pages(FrameRun),
}

/// A cache as `/proc/slabinfo` counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheCounts {
    /// Its name.
    pub name: &'static str,
    /// Bytes of an object.
    pub object_bytes: u64,
    /// Objects a slab holds.
    pub per_slab: u64,
    /// Pages of a slab.
    pub slab_pages: u64,
    /// Objects in use.
    pub live: u64,
    /// Slabs.
    pub slabs: u64,
    /// Of these without an object.
    pub empty_slabs: u64,
    /// Slabs made so far.
    pub made: u64,
    /// Slabs given back so far.
    pub given_back: u64,
}

impl CacheCounts {
    /// Bytes of its slabs that no object uses: the room left and the rest of each slab.
    pub fn slack_bytes(&self, page_size: u64) -> u64 {
        self.slabs * self.slab_pages * page_size - self.live * self.object_bytes
    }
}

/// Why an object cannot be freed, or what does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlabError {
    /// No such object, or it is free already.
    #[error("object {index} of slab {slab} is not in use")]
    NotInUse {
        /// Slab.
        slab: u32,
        /// Index in it.
        index: u32,
    },
    /// Pages that were not handed out.
    #[error(transparent)]
    Pages(#[from] FreeError),
    /// A counter differs from what it counts.
    #[error("{name} is {stored}, counted {counted}")]
    Count {
        /// What.
        name: &'static str,
        /// Stored value.
        stored: u64,
        /// Value by counting.
        counted: u64,
    },
}

/// One cache.
#[derive(Debug)]
struct Cache {
    name: &'static str,
    object_bytes: u64,
    order: u32,
    table: Table,
}

/// The caches, and a spare range object for each CPU.
#[derive(Debug)]
pub struct Slabs {
    page_size: u64,
    max_order: u32,
    era: KmallocEra,
    /// The classes of `kmalloc` first, by size; then caches of their own.
    caches: Vec<Cache>,
    /// The per-CPU preload slots (`ne_fit_preload_node`, 5.3 and later).
    spares: Vec<Option<Object>>,
}

impl Slabs {
    /// No slab yet, and the caches of `kmalloc`.
    pub fn new(era: KmallocEra, page_size: u64, max_order: u32) -> Self {
        let mut slabs = Self { page_size, max_order, era, caches: Vec::new(), spares: Vec::new() };
        for (name, bytes) in era.classes(page_size) {
            slabs.add_cache(name, *bytes);
        }
        slabs
    }

    /// Makes a cache (`kmem_cache_create`): `vmap_area` has one from 5.2 on.
    pub fn add_cache(&mut self, name: &'static str, object_bytes: u64) -> CacheId {
        let order = slab_order(object_bytes, self.page_size).min(self.max_order);
        let per_slab = ((self.page_size << order) / object_bytes).max(1);
        let id = CacheId(self.caches.len() as u16);
        self.caches.push(Cache { name, object_bytes, order, table: Table::new(per_slab as u32) });
        id
    }

    /// An object; `None` if a slab is needed and there are no pages for one.
    pub fn alloc(&mut self, cache: CacheId, frames: &mut Frames) -> Option<Object> {
        let this = self.caches.get_mut(cache.0 as usize)?;
        if !this.table.has_room() {
            let run = frames.alloc(this.order, ZoneKind::Normal)?;
            this.table.add_slab(run);
        }
        let (slab, index) = this.table.take();
        Some(Object { cache, slab, index })
    }

    /// Gives an object back, and its slab's pages if another slab of the cache is empty too. The frames are those it was
    /// taken from.
    ///
    /// # Errors
    /// It is not in use. Nothing was changed.
    pub fn free(&mut self, object: Object, frames: &mut Frames) -> Result<(), SlabError> {
        let Object { cache, slab, index } = object;
        let this = self.caches.get_mut(cache.0 as usize).ok_or(SlabError::NotInUse { slab, index })?;
        match this.table.give_back(slab, index)? {
            Some(run) => {
                frames.free(run)?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// `kmalloc(bytes)`: an object of the smallest class that holds it, pages above the classes. `None` if it is too
    /// large, or there are no pages.
    pub fn kmalloc(&mut self, bytes: u64, frames: &mut Frames) -> Option<Kmem> {
        match kmalloc_fit(bytes, self.era, self.page_size, self.max_order) {
            KmallocFit::Class { index, .. } => self.alloc(CacheId(index), frames).map(Kmem::Object),
            KmallocFit::Pages { order, .. } => frames.alloc(order, ZoneKind::Normal).map(Kmem::Pages),
            KmallocFit::TooLarge { .. } => None,
        }
    }

    /// The class that `kmalloc(bytes)` takes from; `None` above the classes.
    pub fn class_of(&self, bytes: u64) -> Option<CacheId> {
        match kmalloc_fit(bytes, self.era, self.page_size, self.max_order) {
            KmallocFit::Class { index, .. } => Some(CacheId(index)),
            KmallocFit::Pages { .. } | KmallocFit::TooLarge { .. } => None,
        }
    }

    /// `kfree`.
    ///
    /// # Errors
    /// It is not in use. Nothing was changed.
    pub fn kfree(&mut self, kmem: Kmem, frames: &mut Frames) -> Result<(), SlabError> {
        match kmem {
            Kmem::Object(object) => self.free(object, frames),
            Kmem::Pages(run) => {
                frames.free(run)?;
                Ok(())
            }
        }
    }

    /// Bytes an object takes in its slab.
    pub fn object_bytes(&self, cache: CacheId) -> u64 {
        self.caches.get(cache.0 as usize).map_or(0, |cache| cache.object_bytes)
    }

    /// Bytes that `kmalloc` set aside.
    pub fn kmem_bytes(&self, kmem: Kmem) -> u64 {
        match kmem {
            Kmem::Object(object) => self.object_bytes(object.cache),
            Kmem::Pages(run) => run.n * self.page_size,
        }
    }

    /// Place of an object among those its cache has room for.
    pub(in crate::model) fn number_of(&self, object: Object) -> u64 {
        u64::from(object.slab) * self.per_slab(object.cache) + u64::from(object.index)
    }

    /// The object in that place.
    pub(in crate::model) fn object_of(&self, cache: CacheId, number: u64) -> Object {
        let per_slab = self.per_slab(cache);
        Object { cache, slab: (number / per_slab) as u32, index: (number % per_slab) as u32 }
    }

    fn per_slab(&self, cache: CacheId) -> u64 {
        self.caches.get(cache.0 as usize).map_or(1, |cache| u64::from(cache.table.per_slab))
    }

    /// Fills the preload slot of a CPU from `cache` unless it is full. Answers whether it is full now. The object counts
    /// as live.
    pub fn preload(&mut self, cpu: usize, cache: CacheId, frames: &mut Frames) -> bool {
        if self.spares.len() <= cpu {
            self.spares.resize(cpu + 1, None);
        }
        if self.spares[cpu].is_none() {
            self.spares[cpu] = self.alloc(cache, frames);
        }
        self.spares[cpu].is_some()
    }

    /// Takes the object out of a CPU's preload slot: a hole was cut in two.
    pub fn take_preloaded(&mut self, cpu: usize) -> Option<Object> {
        self.spares.get_mut(cpu)?.take()
    }

    /// Full preload slots.
    pub fn n_preloaded(&self) -> u64 {
        self.spares.iter().flatten().count() as u64
    }

    /// Gives every empty slab back (`kmem_cache_shrink`). Answers how many there were.
    pub fn shrink(&mut self, frames: &mut Frames) -> u64 {
        let empty = |cache: &mut Cache| cache.table.take_empty();
        let runs: Vec<FrameRun> = self.caches.iter_mut().filter_map(empty).collect();
        let freed = runs.iter().filter(|run| frames.free(**run).is_ok());
        freed.count() as u64
    }

    /// The caches, size classes first. One nobody used has no slab.
    pub fn caches(&self) -> Vec<CacheCounts> {
        self.caches.iter().map(Cache::counts).collect()
    }

    /// One of them.
    pub fn counts(&self, cache: CacheId) -> Option<CacheCounts> {
        self.caches.get(cache.0 as usize).map(Cache::counts)
    }

    /// Pages in slabs.
    pub fn pages(&self) -> u64 {
        self.caches.iter().map(|cache| u64::from(cache.table.n_slabs) << cache.order).sum()
    }

    /// Bytes of slabs that no object uses.
    pub fn slack_bytes(&self) -> u64 {
        self.caches.iter().map(|cache| cache.counts().slack_bytes(self.page_size)).sum()
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let own = self.caches.capacity() * size_of::<Cache>() + self.spares.capacity() * size_of::<Option<Object>>();
        own as u64 + self.caches.iter().map(|cache| cache.table.heap_bytes()).sum::<u64>()
    }

    /// Recounts every cache from the bits of its objects.
    ///
    /// # Errors
    /// Names the first counter that differs.
    pub fn audit(&self) -> Result<(), SlabError> {
        self.caches.iter().try_for_each(|cache| cache.table.audit(1 << cache.order))?;
        let is_live = |object: &&Object| self.caches[object.cache.0 as usize].table.is_used(object.slab, object.index);
        let live = self.spares.iter().flatten().filter(is_live).count() as u64;
        table::compare("preloaded objects", self.n_preloaded(), live)
    }
}

impl Cache {
    fn counts(&self) -> CacheCounts {
        CacheCounts {
            name: self.name,
            object_bytes: self.object_bytes,
            per_slab: u64::from(self.table.per_slab),
            slab_pages: 1 << self.order,
            live: self.table.live,
            slabs: u64::from(self.table.n_slabs),
            empty_slabs: u64::from(self.table.n_empty),
            made: self.table.made,
            given_back: self.table.made - u64::from(self.table.n_slabs),
        }
    }
}

impl Clone for Cache {
    fn clone(&self) -> Self {
        Self { table: self.table.clone(), ..*self }
    }

    fn clone_from(&mut self, from: &Self) {
        (self.name, self.object_bytes, self.order) = (from.name, from.object_bytes, from.order);
        self.table.clone_from(&from.table);
    }
}

impl Clone for Slabs {
    fn clone(&self) -> Self {
        Self { caches: self.caches.clone(), spares: self.spares.clone(), ..*self }
    }

    /// Keeps the memory it has.
    fn clone_from(&mut self, from: &Self) {
        (self.page_size, self.max_order, self.era) = (from.page_size, from.max_order, from.era);
        self.caches.clone_from(&from.caches);
        self.spares.clone_from(&from.spares);
    }
}
