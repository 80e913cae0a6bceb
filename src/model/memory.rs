//! [`Memory`]: what is behind the areas: page tables, page frames, kernel objects.
//!
//! Two ways lead here. A request says step by step what is to be done ([`MemoryOp`]); a trace only shows areas come and
//! go, and what is behind them follows from what is known of their use ([`Usages`]).

mod aside;
mod backed;
mod blocks;
mod follow;
mod live;
mod map;
mod objects;
mod op;
mod ops;
mod packed;

use std::sync::Arc;

use super::extent::Extent;
use super::frames::{FrameRun, Frames, PageStrategy};
use super::page_table::{ArchRules, PageTables, TlbFlush, TlbRule};
use super::slab::Slabs;
use super::stage::Object;
use super::usage::Usages;

pub use backed::Backed;
use backed::Runs;
pub use blocks::{Block, BlockPlan, Blocks};
use live::Live;
pub use objects::ObjectSetup;
use objects::Objects;
pub use op::{Mapping, MemoryAnswer, MemoryOp};

/// What TLB flushes cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flushes {
    /// Flushes.
    pub n: u64,
    /// Of these, of everything: the range was too long to go page by page.
    pub whole: u64,
    /// Pages flushed one by one.
    pub pages: u64,
}

impl Flushes {
    pub(super) fn count(&mut self, rule: TlbRule, extent: Extent, page_size: u64) {
        self.n += 1;
        match rule.flush(extent, page_size) {
            TlbFlush::All => self.whole += 1,
            TlbFlush::Pages(pages) => self.pages += pages,
        }
    }
}

/// What [`Memory`] is made from.
#[derive(Debug, Clone)]
pub struct MemorySetup {
    /// What the architecture does.
    pub arch: ArchRules,
    /// All frames, free.
    pub frames: Frames,
    /// The object caches, empty, and the sizes of objects.
    pub objects: ObjectSetup,
    /// How data pages are asked for where nobody says.
    pub strategy: PageStrategy,
    /// There are arrays of page pointers.
    pub has_array: bool,
    /// Each free flushes the TLB (to 2.6.27).
    pub flushes_at_free: bool,
    /// A freed area leaves the tree of areas before its entries are cleared (2.4, 6.3 and later).
    pub unlinks_first: bool,
    /// Data pages get frames. Which ones a trace's pages had is in no trace: there they are counted only.
    pub places_pages: bool,
    /// Bytes of a pointer.
    pub pointer_bytes: u64,
    /// What is known of the areas of a log.
    pub usages: Arc<Usages>,
}

/// What is behind the areas of one machine.
#[derive(Debug)]
pub struct Memory {
    arch: ArchRules,
    tables: PageTables,
    frames: Frames,
    objects: Objects,
    strategy: PageStrategy,
    has_array: bool,
    flushes_at_free: bool,
    unlinks_first: bool,
    places_pages: bool,
    /// Data pages without frames.
    counted_pages: u64,
    pointer_bytes: u64,
    usages: Arc<Usages>,
    live: Live,
    runs: Runs,
    /// Frames of the page tables that were allocated.
    table_frames: Vec<FrameRun>,
    /// Freed, and mapped until the next purge.
    waiting: Vec<Extent>,
    /// Addresses that wait for the deferred work, with their CPU, oldest first.
    deferred: Vec<(u32, u64)>,
    blocks: Blocks,
    flushes: Flushes,
    /// Pages nobody knows any more.
    lost_pages: u64,
    /// Pages the model ought to have had and did not.
    missing_pages: u64,
    scratch: Vec<FrameRun>,
    /// Of a copy put aside: what is behind the areas, and what else it lacks, packed.
    aside: Option<Arc<[u8]>>,
}

impl Memory {
    /// The state of a machine whose allocator has no area yet.
    pub fn new(setup: MemorySetup) -> Self {
        let MemorySetup { arch, frames, objects, strategy, has_array, flushes_at_free, unlinks_first, .. } = setup;
        let MemorySetup { places_pages, pointer_bytes, usages, .. } = setup;
        Self {
            arch,
            tables: PageTables::new(arch),
            frames,
            objects: Objects::new(objects),
            strategy,
            has_array,
            flushes_at_free,
            unlinks_first,
            places_pages,
            counted_pages: 0,
            pointer_bytes,
            usages,
            live: Live::default(),
            runs: Runs::default(),
            table_frames: Vec::new(),
            waiting: Vec::new(),
            deferred: Vec::new(),
            blocks: Blocks::default(),
            flushes: Flushes::default(),
            lost_pages: 0,
            missing_pages: 0,
            scratch: Vec::new(),
            aside: None,
        }
    }

    /// What the architecture does.
    pub fn arch(&self) -> &ArchRules {
        &self.arch
    }

    /// The page tables.
    pub fn tables(&self) -> &PageTables {
        &self.tables
    }

    /// The page frames.
    pub fn frames(&self) -> &Frames {
        &self.frames
    }

    /// Do data pages have frames, or are they counted only?
    pub fn places_pages(&self) -> bool {
        self.places_pages
    }

    /// Pages in use: data, page tables, slabs.
    pub fn used_pages(&self) -> u64 {
        self.frames.used_pages() + self.counted_pages
    }

    /// The object caches.
    pub fn slabs(&self) -> &Slabs {
        &self.objects.slabs
    }

    /// Bytes of one object.
    pub fn object_bytes(&self, object: Object) -> u64 {
        self.objects.bytes(object)
    }

    /// Range objects in use, those of free ranges included where they have some.
    pub fn n_ranges(&self) -> u64 {
        self.objects.n_ranges()
    }

    /// Bytes a range object takes in its slab; 0 where ranges have none.
    pub fn range_bytes(&self) -> u64 {
        self.objects.range_bytes()
    }

    /// The blocks of `vm_map_ram`.
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// What is behind the area that starts there.
    pub fn backed(&self, start: u64) -> Option<&Backed> {
        self.live.get(start)
    }

    /// What is behind each area, in no order.
    pub fn each_backed(&self) -> impl Iterator<Item = &Backed> {
        self.live.iter()
    }

    /// The frames of an area, in the order of its pages.
    pub fn frames_of(&self, backed: &Backed) -> impl Iterator<Item = FrameRun> {
        self.runs.iter(backed.runs)
    }

    /// What is known of the areas of the log.
    pub fn usages(&self) -> &Usages {
        &self.usages
    }

    /// Addresses that wait for the deferred work, with their CPU, oldest first.
    pub fn deferred(&self) -> &[(u32, u64)] {
        &self.deferred
    }

    /// Freed areas that stay mapped until the next purge.
    pub fn waiting(&self) -> &[Extent] {
        &self.waiting
    }

    /// What TLB flushes cost so far.
    pub fn flushes(&self) -> Flushes {
        self.flushes
    }

    /// Data pages nobody knows any more (2.4.27).
    pub fn lost_pages(&self) -> u64 {
        self.lost_pages
    }

    /// Data pages that the machine ought to have had, and the model did not find.
    pub fn missing_pages(&self) -> u64 {
        self.missing_pages
    }

    /// Memory held, in bytes: all but what is known of the areas, which every copy shares.
    pub fn heap_bytes(&self) -> u64 {
        let lists = self.table_frames.capacity() * size_of::<FrameRun>()
            + self.waiting.capacity() * size_of::<Extent>()
            + self.deferred.capacity() * size_of::<(u32, u64)>();
        self.tables.heap_bytes()
            + self.frames.heap_bytes() as u64
            + (size_of::<Self>() + lists) as u64
            + self.live.heap_bytes()
            + self.aside.as_ref().map_or(0, |packed| packed.len() as u64)
            + self.runs.heap_bytes()
            + self.blocks.heap_bytes()
            + self.objects.heap_bytes()
    }

    fn page_size(&self) -> u64 {
        self.arch.geometry.page_size
    }

    fn page_shift(&self) -> u8 {
        self.page_size().trailing_zeros() as u8
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self {
            arch: self.arch,
            tables: self.tables.clone(),
            frames: self.frames.clone(),
            objects: self.objects.clone(),
            strategy: self.strategy,
            has_array: self.has_array,
            flushes_at_free: self.flushes_at_free,
            unlinks_first: self.unlinks_first,
            places_pages: self.places_pages,
            counted_pages: self.counted_pages,
            pointer_bytes: self.pointer_bytes,
            usages: Arc::clone(&self.usages),
            live: self.live.clone(),
            runs: self.runs.clone(),
            table_frames: self.table_frames.clone(),
            waiting: self.waiting.clone(),
            deferred: self.deferred.clone(),
            blocks: self.blocks.clone(),
            flushes: self.flushes,
            lost_pages: self.lost_pages,
            missing_pages: self.missing_pages,
            scratch: Vec::new(),
            aside: self.aside.clone(),
        }
    }

    /// Keeps the memory it has.
    fn clone_from(&mut self, from: &Self) {
        self.arch = from.arch;
        self.tables.clone_from(&from.tables);
        self.frames.clone_from(&from.frames);
        self.objects.clone_from(&from.objects);
        self.strategy = from.strategy;
        self.has_array = from.has_array;
        self.flushes_at_free = from.flushes_at_free;
        self.unlinks_first = from.unlinks_first;
        self.places_pages = from.places_pages;
        self.counted_pages = from.counted_pages;
        self.pointer_bytes = from.pointer_bytes;
        self.usages = Arc::clone(&from.usages);
        self.live.clone_from(&from.live);
        self.runs.clone_from(&from.runs);
        self.table_frames.clone_from(&from.table_frames);
        self.waiting.clone_from(&from.waiting);
        self.deferred.clone_from(&from.deferred);
        self.blocks.clone_from(&from.blocks);
        self.flushes = from.flushes;
        self.lost_pages = from.lost_pages;
        self.missing_pages = from.missing_pages;
        self.aside.clone_from(&from.aside);
    }
}
