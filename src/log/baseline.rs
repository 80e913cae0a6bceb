//! [`Baseline`]: the areas of one `/proc/vmallocinfo`, owned and ready for the model and the panes.

pub use parsers::vmallocinfo::{Flags, Pointers};

/// A full state taken from `/proc/vmallocinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// The rows, in the order of the file.
    pub areas: Vec<BaselineArea>,
    /// Whether the addresses can be used.
    pub pointers: Pointers,
}

impl Baseline {
    /// The row of the area that starts at an address. Most files are ascending; else every row is looked at.
    pub fn at(&self, start: u64) -> Option<&BaselineArea> {
        let found = self.areas.binary_search_by_key(&start, |row| row.start).ok();
        let found = found.or_else(|| self.areas.iter().position(|row| row.start == start))?;
        self.areas.get(found)
    }
}

/// The word of the machine contract: `real`, `hashed` or `zeroed`; placeholders tell as little as zeros.
pub fn pointers_word(pointers: Pointers) -> &'static str {
    match pointers {
        Pointers::Real => "real",
        Pointers::Hashed => "hashed",
        Pointers::Zeroed | Pointers::Unready | Pointers::None => "zeroed",
    }
}

/// How a row of the file stands in the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaselineState {
    /// In use.
    Busy,
    /// In use by `vm_map_ram`, or a whole vmap block.
    VmMapRam,
    /// Freed, not purged yet.
    Unpurged,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineArea {
    /// Line of the file, from 1.
    pub line: u32,
    /// First address.
    pub start: u64,
    /// End, guard page included.
    pub end: u64,
    /// Size column, in bytes.
    pub size: u64,
    /// Symbol of the caller, without offset; empty if the row names none.
    pub caller: String,
    /// `symbol+0x…/0x…`, as printed; empty if the row names none.
    pub caller_full: String,
    /// Module of the caller.
    pub module: Option<String>,
    /// Data pages; 0 if the row names none.
    pub pages: u64,
    /// Physical address of an ioremap.
    pub phys: Option<u64>,
    /// The kind words.
    pub flags: Flags,
    /// Pages by NUMA node.
    pub nodes: Vec<(u16, u64)>,
    /// In use or lazily freed.
    pub state: BaselineState,
    /// Something in the row had to be repaired.
    pub repaired: bool,
}

impl BaselineArea {
    /// Was it registered by the architecture before the allocator was up? The kernel's own image (`vmap` with a physical
    /// address) and ARM's `iotable_init`: such areas stay, and have no guard page.
    pub fn is_early(&self) -> bool {
        self.caller == "iotable_init" || self.flags.contains(Flags::VMAP) && self.phys.is_some()
    }

    /// The one word people use for the row: `vmalloc`, `ioremap`, `vmap`, `vm_map_ram`, `unpurged`, `per-CPU`, `other`.
    pub fn kind(&self) -> &'static str {
        match self.state {
            BaselineState::VmMapRam => "vm_map_ram",
            BaselineState::Unpurged => "unpurged",
            BaselineState::Busy if self.caller == "pcpu_get_vm_areas" => "per-CPU",
            BaselineState::Busy if self.flags.contains(Flags::IOREMAP) => "ioremap",
            BaselineState::Busy if self.flags.contains(Flags::VMAP) => "vmap",
            BaselineState::Busy if self.flags.contains(Flags::VMALLOC) => "vmalloc",
            BaselineState::Busy => "other",
        }
    }
}
