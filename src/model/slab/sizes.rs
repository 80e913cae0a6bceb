//! Sizes: the classes of `kmalloc`, how large a slab is, and the objects of vmalloc.

/// Which `kmalloc` a kernel has. The smallest class is 32 bytes, or 8 with SLUB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KmallocEra {
    /// 2.4: powers of two from 32 bytes to 128 KiB, nothing above.
    Slab24,
    /// 2.6 with SLAB (SLUB's default came with 2.6.23): the same and 96 and 192.
    Slab26,
    /// SLUB: 8 bytes to two pages, above that whole pages up to the largest order.
    Slub,
}

/// What a request for so many bytes becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KmallocFit {
    /// An object of a class.
    Class {
        /// Its place in [`KmallocEra::classes`].
        index: u16,
        /// Its name.
        name: &'static str,
        /// Bytes of the class.
        bytes: u64,
    },
    /// A block of pages.
    Pages {
        /// Its order.
        order: u32,
        /// Bytes of the block.
        bytes: u64,
    },
    /// Neither.
    TooLarge {
        /// The most there is (`KMALLOC_MAX_SIZE`).
        limit: u64,
    },
}

const SLAB: [(&str, u64); 15] = [
    ("size-32", 32),
    ("size-64", 64),
    ("size-96", 96),
    ("size-128", 128),
    ("size-192", 192),
    ("size-256", 256),
    ("size-512", 512),
    ("size-1024", 1024),
    ("size-2048", 2048),
    ("size-4096", 4096),
    ("size-8192", 8192),
    ("size-16384", 16384),
    ("size-32768", 32768),
    ("size-65536", 65536),
    ("size-131072", 131_072),
];

const SLAB_2_4: [(&str, u64); 13] = [
    SLAB[0], SLAB[1], SLAB[3], SLAB[5], SLAB[6], SLAB[7], SLAB[8], SLAB[9], SLAB[10], SLAB[11], SLAB[12], SLAB[13],
    SLAB[14],
];

const SLUB: [(&str, u64); 17] = [
    ("kmalloc-8", 8),
    ("kmalloc-16", 16),
    ("kmalloc-32", 32),
    ("kmalloc-64", 64),
    ("kmalloc-96", 96),
    ("kmalloc-128", 128),
    ("kmalloc-192", 192),
    ("kmalloc-256", 256),
    ("kmalloc-512", 512),
    ("kmalloc-1k", 1 << 10),
    ("kmalloc-2k", 2 << 10),
    ("kmalloc-4k", 4 << 10),
    ("kmalloc-8k", 8 << 10),
    ("kmalloc-16k", 16 << 10),
    ("kmalloc-32k", 32 << 10),
    ("kmalloc-64k", 64 << 10),
    ("kmalloc-128k", 128 << 10),
];

impl KmallocEra {
    /// Names and bytes of the classes, ascending. SLUB's end at two pages.
    pub fn classes(self, page_size: u64) -> &'static [(&'static str, u64)] {
        match self {
            Self::Slab24 => &SLAB_2_4,
            Self::Slab26 => &SLAB,
            Self::Slub => &SLUB[..SLUB.partition_point(|class| class.1 <= 2 * page_size)],
        }
    }

    /// The largest request (`KMALLOC_MAX_SIZE`).
    pub fn limit(self, page_size: u64, max_order: u32) -> u64 {
        match self {
            Self::Slab24 | Self::Slab26 => SLAB[SLAB.len() - 1].1.min(page_size << max_order),
            Self::Slub => page_size << max_order,
        }
    }
}

/// What `kmalloc(bytes)` hands out. No bytes are handed out as the smallest class; the kernel answers a pointer to
/// nothing then.
pub fn kmalloc_fit(bytes: u64, era: KmallocEra, page_size: u64, max_order: u32) -> KmallocFit {
    let limit = era.limit(page_size, max_order);
    if limit < bytes {
        return KmallocFit::TooLarge { limit };
    }
    let classes = era.classes(page_size);
    let index = classes.partition_point(|class| class.1 < bytes);
    match classes.get(index) {
        Some(&(name, bytes)) => KmallocFit::Class { index: index as u16, name, bytes },
        None => {
            let order = bytes.div_ceil(page_size).next_power_of_two().trailing_zeros();
            KmallocFit::Pages { order, bytes: page_size << order }
        }
    }
}

/// Order of a slab: the smallest that holds 8 objects and wastes at most a sixteenth, at most order 3 unless one object
/// needs more. An approximation: SLUB asks for more objects the more CPUs there are, and machines differ.
pub fn slab_order(object_bytes: u64, page_size: u64) -> u32 {
    let is_good = |order: &u32| {
        let slab = page_size << order;
        8 * object_bytes <= slab && slab % object_bytes <= slab / 16
    };
    let smallest = object_bytes.div_ceil(page_size).next_power_of_two().trailing_zeros();
    (0..=3).find(is_good).unwrap_or(3).max(smallest)
}

/// Sizes of the objects vmalloc keeps, in words: they depend on configuration, so these are assumptions. The range object
/// and the descriptor are 64 to 72 bytes with 64 bits in 6.1; the rest is counted from the fields each release has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectSizes {
    /// First release, as `(major, minor, patch)`; the third number counts in 2.6 only.
    pub since: (u32, u32, u32),
    /// Words of `vmap_area`; 0 where there is none.
    pub vmap_area_words: u64,
    /// `vmap_area` has a cache of its own; without it comes from a class of `kmalloc`.
    pub vmap_area_cache: bool,
    /// Words of `vm_struct`. It comes from a class of `kmalloc` in every release.
    pub vm_struct_words: u64,
    /// What the words are.
    pub from: &'static str,
}

/// By release, ascending.
pub const OBJECT_SIZES: &[ObjectSizes] = &[
    ObjectSizes {
        since: (2, 4, 0),
        vmap_area_words: 0,
        vmap_area_cache: false,
        vm_struct_words: 4,
        from: "flags, addr, size, next",
    },
    ObjectSizes {
        since: (2, 6, 0),
        vmap_area_words: 0,
        vmap_area_cache: false,
        vm_struct_words: 7,
        from: "with pages, nr_pages, phys_addr",
    },
    ObjectSizes {
        since: (2, 6, 28),
        vmap_area_words: 12,
        vmap_area_cache: false,
        vm_struct_words: 8,
        from: "assumed: range, flags, tree and list links, purge link, descriptor, RCU head; descriptor with caller",
    },
    ObjectSizes {
        since: (5, 2, 0),
        vmap_area_words: 9,
        vmap_area_cache: true,
        vm_struct_words: 8,
        from: "assumed: range, tree and list links, max or descriptor, flags",
    },
    ObjectSizes {
        since: (5, 4, 0),
        vmap_area_words: 8,
        vmap_area_cache: true,
        vm_struct_words: 8,
        from: "64 bytes with 64 bits: without flags",
    },
    ObjectSizes {
        since: (6, 3, 0),
        vmap_area_words: 9,
        vmap_area_cache: true,
        vm_struct_words: 8,
        from: "72 bytes with 64 bits: flags are back",
    },
    ObjectSizes {
        since: (6, 15, 0),
        vmap_area_words: 9,
        vmap_area_cache: true,
        vm_struct_words: 9,
        from: "assumed: the descriptor keeps the size that was asked for",
    },
];

/// The sizes of a release; the oldest for anything before 2.4.
pub fn object_sizes(major: u32, minor: u32, patch: u32) -> &'static ObjectSizes {
    let at = OBJECT_SIZES.partition_point(|sizes| sizes.since <= (major, minor, patch));
    &OBJECT_SIZES[at.saturating_sub(1)]
}

impl ObjectSizes {
    /// Bytes of a range object.
    pub fn vmap_area_bytes(&self, word_bytes: u64) -> u64 {
        self.vmap_area_words * word_bytes
    }

    /// Bytes of a descriptor.
    pub fn vm_struct_bytes(&self, word_bytes: u64) -> u64 {
        self.vm_struct_words * word_bytes
    }

    /// Bytes of a vmap block of so many pages: a bitmap and, assumed, ten words.
    pub fn vmap_block_bytes(&self, word_bytes: u64, block_pages: u64) -> u64 {
        10 * word_bytes + block_pages.div_ceil(8 * word_bytes) * word_bytes
    }
}
