//! [`Usage`]: what an area is used for, how much of it is mapped, and where each of these facts is from.
//!
//! A trace shows where areas lie, not what is in them. What is in them decides page tables, page frames and objects, so
//! that every such figure is worth what its source is worth, and says so.

use std::collections::HashMap;

use super::areas::VmapArea;
use super::extent::Extent;

/// How a fact came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provenance {
    /// The input says so: a stack, a row of a snapshot, an op of a script.
    Observed,
    /// It follows from what the input says: size, alignment and window of a request, the request before it.
    Derived,
    /// The model's own answer: nothing in the input speaks of it.
    Modelled,
}

impl Provenance {
    /// A word for JSON and people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Derived => "derived",
            Self::Modelled => "modelled",
        }
    }
}

/// What an area is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageKind {
    /// `vmalloc` and its relatives: pages of its own.
    Vmalloc,
    /// The page-pointer array of a large `vmalloc`, itself allocated by `vmalloc`.
    PageArray,
    /// `vmap`: pages that belong to somebody else.
    Vmap,
    /// `ioremap`: device memory, no pages.
    Ioremap,
    /// `vm_map_ram` of many pages: somebody else's, without a guard page.
    VmMapRam,
    /// A whole block that `vm_map_ram` of few pages is served from.
    VmapBlock,
    /// A per-CPU chunk (`pcpu_get_vm_areas`): pages come as they are needed, no guard page.
    PerCpu,
    /// Older than the allocator: the kernel image, or registered before `vmalloc_init`.
    Early,
    /// Address space alone: `get_vm_area` without a mapping, `VM_SPARSE`.
    Reserved,
}

impl UsageKind {
    /// A word for JSON and people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vmalloc => "vmalloc",
            Self::PageArray => "page array",
            Self::Vmap => "vmap",
            Self::Ioremap => "ioremap",
            Self::VmMapRam => "vm_map_ram",
            Self::VmapBlock => "vmap block",
            Self::PerCpu => "per-CPU",
            Self::Early => "early",
            Self::Reserved => "reserved",
        }
    }

    /// Is the last page of such an area a guard, mapped to nothing? Unless `VM_NO_GUARD` was asked for, which nobody
    /// does but KASAN.
    pub fn has_guard(self) -> bool {
        !matches!(self, Self::VmMapRam | Self::VmapBlock | Self::PerCpu | Self::Early)
    }

    /// Do the mapped pages belong to the area, so that freeing it frees them?
    pub fn owns_pages(self) -> bool {
        matches!(self, Self::Vmalloc | Self::PageArray | Self::PerCpu)
    }
}

/// Index of a caller in [`Usages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CallerId(pub u32);

impl CallerId {
    /// Nobody is known.
    pub const UNKNOWN: Self = Self(0);
}

/// What an area is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Usage {
    /// What it is for.
    pub kind: UsageKind,
    /// How that is known.
    pub kind_from: Provenance,
    /// Pages mapped, from its first address on; what is left is guard or nothing.
    pub pages: u64,
    /// How that is known.
    pub pages_from: Provenance,
    /// Bytes of one mapping as a power of two: the page, or more where huge entries were asked for.
    pub page_shift: u8,
    /// How that is known.
    pub shift_from: Provenance,
    /// Physical address of device memory, if it is known.
    pub phys: Option<u64>,
    /// Who asked.
    pub caller: CallerId,
    /// How that is known; meaningless if nobody is known.
    pub caller_from: Provenance,
}

impl Usage {
    /// What the model makes of an area nothing is known of: `vmalloc` of all pages but the guard, in small pages.
    pub fn assumed(len_bytes: u64, page_size: u64) -> Self {
        let pages = len_bytes / page_size.max(1);
        Self {
            kind: UsageKind::Vmalloc,
            kind_from: Provenance::Modelled,
            pages: if pages > 1 { pages - 1 } else { pages },
            pages_from: Provenance::Modelled,
            page_shift: page_size.max(1).trailing_zeros() as u8,
            shift_from: Provenance::Modelled,
            phys: None,
            caller: CallerId::UNKNOWN,
            caller_from: Provenance::Modelled,
        }
    }
}

/// What is known of the use of the areas of one log. Built once, shared by all copies of a state.
#[derive(Debug, Clone, Default)]
pub struct Usages {
    /// Each different one once.
    list: Vec<Usage>,
    ids: HashMap<Usage, u32>,
    /// By the record that allocates.
    by_record: Ids,
    /// Of areas older than the log, and of those no record announces. Another area can begin at the same place later.
    older: HashMap<Extent, u32>,
    /// Names, escaped for display; the first stands for nobody.
    callers: Vec<String>,
    caller_ids: HashMap<String, CallerId>,
}

/// A number for each record: two bytes as long as that is enough.
#[derive(Debug, Clone)]
enum Ids {
    Narrow(Vec<u16>),
    Wide(Vec<u32>),
}

/// A record nothing is known of.
const NOTHING: u32 = u32::MAX;

impl Default for Ids {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl Ids {
    /// Of a record; [`NOTHING`] if there is none.
    fn get(&self, index: usize) -> u32 {
        match self {
            Self::Narrow(ids) => ids.get(index).filter(|&&id| id != u16::MAX).map_or(NOTHING, |&id| id.into()),
            Self::Wide(ids) => ids.get(index).copied().unwrap_or(NOTHING),
        }
    }

    fn set(&mut self, index: usize, id: u32) {
        let narrow = u16::try_from(id).ok().filter(|&id| id != u16::MAX);
        if let (Self::Narrow(ids), None) = (&self, narrow) {
            *self = Self::Wide((0..ids.len()).map(|index| self.get(index)).collect());
        }
        match (self, narrow) {
            (Self::Narrow(ids), Some(narrow)) => put(ids, index, narrow, u16::MAX),
            (Self::Narrow(_), None) => {}
            (Self::Wide(ids), _) => put(ids, index, id, NOTHING),
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Narrow(ids) => ids.capacity() * 2,
            Self::Wide(ids) => ids.capacity() * 4,
        }
    }
}

fn put<T: Copy>(list: &mut Vec<T>, index: usize, value: T, nothing: T) {
    if list.len() <= index {
        list.resize(index + 1, nothing);
    }
    list[index] = value;
}

impl Usages {
    /// The id of a caller's name; an empty name is nobody.
    pub fn caller(&mut self, name: &str) -> CallerId {
        if name.is_empty() {
            return CallerId::UNKNOWN;
        }
        if self.callers.is_empty() {
            self.callers.push(String::new());
        }
        if let Some(&id) = self.caller_ids.get(name) {
            return id;
        }
        let id = CallerId(self.callers.len() as u32);
        self.callers.push(name.to_owned());
        self.caller_ids.insert(name.to_owned(), id);
        id
    }

    /// The id of a name that is known.
    pub fn find_caller(&self, name: &str) -> Option<CallerId> {
        self.caller_ids.get(name).copied()
    }

    /// The name of a caller, escaped for display; `None` for nobody.
    pub fn caller_name(&self, id: CallerId) -> Option<&str> {
        self.callers.get(id.0 as usize).map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Notes the use of what record `born` allocates.
    pub fn note(&mut self, born: u32, usage: Usage) {
        let id = self.id_of(usage);
        self.by_record.set(born as usize, id);
    }

    /// Notes the use of an area that no record of the log allocates.
    pub fn note_older(&mut self, extent: Extent, usage: Usage) {
        let id = self.id_of(usage);
        self.older.insert(extent, id);
    }

    /// What is known of an area: by the record that allocated it, [`VmapArea::UNBORN`] if it is older than the log.
    pub fn of(&self, born: u32, extent: Extent) -> Option<Usage> {
        let id = match born {
            VmapArea::UNBORN => self.older.get(&extent).copied(),
            _ => Some(self.by_record.get(born as usize)),
        };
        self.list.get(id? as usize).copied()
    }

    /// What is known of what a record allocates; `None` if it allocates nothing, or nothing was looked at.
    pub fn of_record(&self, born: u32) -> Option<Usage> {
        self.list.get(self.by_record.get(born as usize) as usize).copied()
    }

    /// The areas no record allocates, in no order.
    pub fn older(&self) -> impl Iterator<Item = (Extent, Usage)> {
        self.older.iter().filter_map(|(extent, id)| Some((*extent, *self.list.get(*id as usize)?)))
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let uses = self.list.capacity() * 2 * size_of::<Usage>() + self.older.capacity() * size_of::<(Extent, u32)>();
        let names: usize = self.callers.iter().map(|name| name.capacity() * 2 + 64).sum();
        (uses + names + self.by_record.heap_bytes()) as u64
    }

    /// Each different use once.
    pub fn list(&self) -> &[Usage] {
        &self.list
    }

    /// Place of a use in [`Usages::list`].
    pub(crate) fn number_of(&self, usage: &Usage) -> Option<u32> {
        self.ids.get(usage).copied()
    }

    fn id_of(&mut self, usage: Usage) -> u32 {
        let next = self.list.len() as u32;
        let id = *self.ids.entry(usage).or_insert(next);
        if id == next {
            self.list.push(usage);
        }
        id
    }
}
