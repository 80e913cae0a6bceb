//! [`Objects`]: the kernel objects behind areas, in the slabs they come from.

use crate::model::frames::Frames;
use crate::model::slab::{CacheId, Kmem, Slabs};
use crate::model::stage::Object;

/// The object caches of a machine, and the sizes of its objects.
#[derive(Debug, Clone)]
pub struct ObjectSetup {
    /// The caches, empty.
    pub slabs: Slabs,
    /// Bytes of a `vm_struct`.
    pub vm_struct_bytes: u64,
    /// Bytes of a `vmap_area`; 0 where there is none.
    pub vmap_area_bytes: u64,
    /// `vmap_area` has a cache of its own.
    pub vmap_area_cache: bool,
    /// Bytes of a `vmap_block` with its bitmap.
    pub vmap_block_bytes: u64,
}

/// The objects of one machine.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) slabs: Slabs,
    vm_struct_bytes: u64,
    vmap_area_bytes: u64,
    vmap_block_bytes: u64,
    range_cache: Option<CacheId>,
    descriptor_cache: Option<CacheId>,
    /// One for each range, in no order: ranges are alike.
    ranges: Vec<Kmem>,
}

impl Objects {
    pub(super) fn new(setup: ObjectSetup) -> Self {
        let ObjectSetup { mut slabs, vm_struct_bytes, vmap_area_bytes, vmap_area_cache, vmap_block_bytes } = setup;
        let range_cache = vmap_area_cache.then(|| slabs.add_cache("vmap_area", vmap_area_bytes));
        let descriptor_cache = slabs.class_of(vm_struct_bytes);
        let ranges = Vec::new();
        Self { slabs, vm_struct_bytes, vmap_area_bytes, vmap_block_bytes, range_cache, descriptor_cache, ranges }
    }

    /// Bytes of one object.
    pub(super) fn bytes(&self, object: Object) -> u64 {
        match object {
            Object::VmStruct => self.vm_struct_bytes,
            Object::VmapArea => self.vmap_area_bytes,
            Object::VmapBlock => self.vmap_block_bytes,
        }
    }

    /// Ranges that have an object.
    pub(super) fn n_ranges(&self) -> u64 {
        self.ranges.len() as u64
    }

    /// Bytes a range object takes in its slab.
    pub(super) fn range_bytes(&self) -> u64 {
        self.ranges.first().map_or(0, |&range| self.slabs.kmem_bytes(range))
    }

    /// An object; `None` without memory.
    pub(super) fn take(&mut self, object: Object, frames: &mut Frames) -> Option<Kmem> {
        let cache = match object {
            Object::VmapArea => self.range_cache,
            Object::VmStruct => self.descriptor_cache,
            Object::VmapBlock => None,
        };
        match cache {
            Some(cache) => self.slabs.alloc(cache, frames).map(Kmem::Object),
            None => self.slabs.kmalloc(self.bytes(object), frames),
        }
    }

    /// Gives it back.
    pub(super) fn give(&mut self, kmem: Kmem, frames: &mut Frames) {
        let given = self.slabs.kfree(kmem, frames);
        debug_assert!(given.is_ok(), "an object of this machine is in use");
    }

    /// There are that many ranges now.
    pub(super) fn set_ranges(&mut self, n: usize, frames: &mut Frames) {
        if self.vmap_area_bytes == 0 {
            return;
        }
        while self.ranges.len() < n {
            let Some(range) = self.take(Object::VmapArea, frames) else { return };
            self.ranges.push(range);
        }
        while n < self.ranges.len()
            && let Some(range) = self.ranges.pop()
        {
            self.give(range, frames);
        }
    }

    pub(super) fn heap_bytes(&self) -> u64 {
        self.slabs.heap_bytes() + (self.ranges.capacity() * size_of::<Kmem>()) as u64
    }
}

impl Clone for Objects {
    fn clone(&self) -> Self {
        Self { slabs: self.slabs.clone(), ranges: self.ranges.clone(), ..*self }
    }

    fn clone_from(&mut self, from: &Self) {
        self.slabs.clone_from(&from.slabs);
        self.vm_struct_bytes = from.vm_struct_bytes;
        self.vmap_area_bytes = from.vmap_area_bytes;
        self.vmap_block_bytes = from.vmap_block_bytes;
        self.range_cache = from.range_cache;
        self.descriptor_cache = from.descriptor_cache;
        self.ranges.clone_from(&from.ranges);
    }
}
