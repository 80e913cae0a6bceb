//! [`Objects`]: the kernel objects behind areas, in the slabs they come from.

use std::sync::Arc;

use super::packed::{put_kmem, take_kmem};
use crate::model::frames::Frames;
use crate::model::slab::{CacheId, Kmem, Slabs};
use crate::model::stage::Object;
use crate::model::varint::{bytes_of, put, put_bytes, take, take_byte, take_bytes};

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
    /// The ranges put aside last, [`CHUNK`] each, packed. Ranges come and go at the end, so most are shared from one time
    /// to the next.
    aside: Vec<Arc<[u8]>>,
}

/// Ranges put aside together.
const CHUNK: usize = 1024;
/// What an `Arc` and the system's allocator take beside the bytes.
const ARC_BYTES: usize = 24;

impl Objects {
    pub(super) fn new(setup: ObjectSetup) -> Self {
        let ObjectSetup { mut slabs, vm_struct_bytes, vmap_area_bytes, vmap_area_cache, vmap_block_bytes } = setup;
        let range_cache = vmap_area_cache.then(|| slabs.add_cache("vmap_area", vmap_area_bytes));
        let descriptor_cache = slabs.class_of(vm_struct_bytes);
        let (ranges, aside) = (Vec::new(), Vec::new());
        Self { slabs, vm_struct_bytes, vmap_area_bytes, vmap_block_bytes, range_cache, descriptor_cache, ranges, aside }
    }

    /// The cache that `vm_struct` comes from.
    pub(super) fn descriptor_cache(&self) -> Option<CacheId> {
        self.descriptor_cache
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

    /// Puts the ranges aside, and shares what is as it was the last time.
    pub(super) fn put_aside(&mut self) {
        self.aside.truncate(self.ranges.len().div_ceil(CHUNK));
        let mut packed = Vec::new();
        for (at, chunk) in self.ranges.chunks(CHUNK).enumerate() {
            packed.clear();
            self.pack(chunk, &mut packed);
            match self.aside.get_mut(at) {
                Some(same) if **same == *packed => {}
                Some(old) => *old = Arc::from(packed.as_slice()),
                None => self.aside.push(Arc::from(packed.as_slice())),
            }
        }
    }

    /// Makes the ranges those that were put aside.
    pub(super) fn take_up(&mut self) {
        let mut ranges = std::mem::take(&mut self.ranges);
        ranges.clear();
        ranges.reserve_exact(self.aside.len() * CHUNK);
        self.aside.iter().for_each(|chunk| self.unpack(chunk, &mut ranges));
        self.ranges = ranges;
    }

    /// Takes the ranges out: what is left is no state, and small to copy.
    pub(super) fn take_ranges(&mut self) -> Vec<Kmem> {
        std::mem::take(&mut self.ranges)
    }

    /// Puts them back.
    pub(super) fn put_ranges(&mut self, ranges: Vec<Kmem>) {
        self.ranges = ranges;
    }

    pub(super) fn has_same_ranges(&self, other: &Self) -> bool {
        self.ranges == other.ranges
    }

    /// Memory of the ranges put aside that `before` does not hold too, in bytes.
    pub(super) fn kept_bytes_beside(&self, before: Option<&Self>) -> u64 {
        let is_shared = |at: usize, chunk: &Arc<[u8]>| {
            before.and_then(|before| before.aside.get(at)).is_some_and(|same| Arc::ptr_eq(same, chunk))
        };
        let own = self.aside.iter().enumerate().filter(|&(at, chunk)| !is_shared(at, chunk));
        let bytes: usize = own.map(|(_, chunk)| chunk.len() + ARC_BYTES).sum();
        (bytes + self.aside.capacity() * size_of::<Arc<[u8]>>()) as u64
    }

    /// How many; bytes of a number, and a number each, if all are objects of the ranges' cache; else 0, and each in full.
    fn pack(&self, chunk: &[Kmem], out: &mut Vec<u8>) {
        let number = |range: &Kmem| match *range {
            Kmem::Object(object) if Some(object.cache) == self.range_cache => Some(self.slabs.number_of(object)),
            _ => None,
        };
        let largest = chunk.iter().map(number).try_fold(0, |largest, number| number.map(|number| largest.max(number)));
        let n_bytes = largest.map_or(0, |largest| bytes_of(largest).max(1));
        put(out, chunk.len() as u64);
        out.push(n_bytes as u8);
        for range in chunk {
            match number(range).filter(|_| n_bytes > 0) {
                Some(number) => put_bytes(out, number, n_bytes),
                None => put_kmem(Some(*range), out),
            }
        }
    }

    fn unpack(&self, mut rest: &[u8], ranges: &mut Vec<Kmem>) {
        let n = take(&mut rest);
        let n_bytes = usize::from(take_byte(&mut rest));
        ranges.extend((0..n).filter_map(|_| match (n_bytes, self.range_cache) {
            (1.., Some(cache)) => Some(Kmem::Object(self.slabs.object_of(cache, take_bytes(&mut rest, n_bytes)))),
            _ => take_kmem(&mut rest),
        }));
    }

    pub(super) fn heap_bytes(&self) -> u64 {
        self.slabs.heap_bytes() + (self.ranges.capacity() * size_of::<Kmem>()) as u64
    }
}

impl Clone for Objects {
    fn clone(&self) -> Self {
        Self { slabs: self.slabs.clone(), ranges: self.ranges.clone(), aside: self.aside.clone(), ..*self }
    }

    fn clone_from(&mut self, from: &Self) {
        self.slabs.clone_from(&from.slabs);
        self.vm_struct_bytes = from.vm_struct_bytes;
        self.vmap_area_bytes = from.vmap_area_bytes;
        self.vmap_block_bytes = from.vmap_block_bytes;
        self.range_cache = from.range_cache;
        self.descriptor_cache = from.descriptor_cache;
        self.ranges.clone_from(&from.ranges);
        self.aside.clone_from(&from.aside);
    }
}
