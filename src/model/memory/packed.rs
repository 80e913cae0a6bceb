//! What is behind areas as few bytes: nearly always all of it follows from the use of the area and from which objects it has.
//!
//! ```text
//! all    n, bytes of an object's number; then by start
//! area   head: u8
//!        start                   pages from the start before it, or bytes if the head says so
//!        usage                   its number in `Usages`, or all of it
//!        length                  pages, if it is not what the use says
//!        descriptor, array       numbers in their caches
//!        or all fields           where something else is unusual
//! ```

use super::live::Live;
use super::{Backed, Memory};
use crate::model::extent::Extent;
use crate::model::frames::FrameRun;
use crate::model::slab::{CacheId, Kmem, Object, Slabs};
use crate::model::usage::{CallerId, Provenance, Usage, UsageKind, Usages};
use crate::model::varint::{bytes_of, put, put_bytes, take, take_byte, take_bytes};

/// Bits of `head`.
mod head {
    pub(super) const ODD_START: u8 = 1;
    pub(super) const OWN_USAGE: u8 = 2;
    pub(super) const LENGTH: u8 = 4;
    pub(super) const DESCRIPTOR: u8 = 8;
    pub(super) const ARRAY: u8 = 16;
    pub(super) const FULL: u8 = 32;
}

const KINDS: [UsageKind; 9] = [
    UsageKind::Vmalloc,
    UsageKind::PageArray,
    UsageKind::Vmap,
    UsageKind::Ioremap,
    UsageKind::VmMapRam,
    UsageKind::VmapBlock,
    UsageKind::PerCpu,
    UsageKind::Early,
    UsageKind::Reserved,
];

const SOURCES: [Provenance; 3] = [Provenance::Observed, Provenance::Derived, Provenance::Modelled];

/// What is known to both sides.
pub(super) struct Known<'a> {
    usages: &'a Usages,
    slabs: &'a Slabs,
    descriptors: Option<CacheId>,
    page_size: u64,
    pointer_bytes: u64,
}

impl Memory {
    pub(super) fn known(&self) -> Known<'_> {
        Known {
            usages: &self.usages,
            slabs: &self.objects.slabs,
            descriptors: self.objects.descriptor_cache(),
            page_size: self.page_size(),
            pointer_bytes: self.pointer_bytes,
        }
    }
}

impl Known<'_> {
    /// Appends what is behind every area.
    pub(super) fn pack(&self, live: &Live, out: &mut Vec<u8>) {
        let mut by_start: Vec<&Backed> = live.iter().collect();
        by_start.sort_unstable_by_key(|backed| backed.extent.start());
        let objects = by_start.iter().flat_map(|backed| [backed.descriptor, backed.array]);
        let largest = objects.map(|kmem| self.number(kmem).unwrap_or(0)).max().unwrap_or(0);
        let n_bytes = bytes_of(largest);
        put(out, by_start.len() as u64);
        put(out, n_bytes as u64);
        let mut last_start = 0;
        for backed in by_start {
            self.put_backed(backed, n_bytes, last_start, out);
            last_start = backed.extent.start();
        }
    }

    /// What [`Known::pack`] has packed.
    pub(super) fn unpack(&self, live: &mut Live, rest: &mut &[u8]) {
        let (n, n_bytes) = (take(rest), take(rest) as usize);
        live.clear();
        live.reserve(n as usize);
        let mut last_start = 0;
        for _ in 0..n {
            let Some(backed) = self.take_backed(n_bytes, last_start, rest) else { return };
            last_start = backed.extent.start();
            live.insert(backed);
        }
    }

    fn put_backed(&self, backed: &Backed, n_bytes: usize, last_start: u64, out: &mut Vec<u8>) {
        let Backed { extent, usage, descriptor, array, .. } = *backed;
        let when = |is: bool, bit: u8| if is { bit } else { 0 };
        let usual = self.usual_length(&usage);
        let is_usual = self.usual(extent, usage, descriptor, array) == *backed
            && self.is_descriptor(descriptor)
            && self.is_array(array, backed.array_bytes)
            && extent.len_bytes().is_multiple_of(self.page_size);
        let from_last = extent.start() - last_start;
        let number = self.usages.number_of(&usage);
        let head = when(!from_last.is_multiple_of(self.page_size), head::ODD_START)
            | when(number.is_none(), head::OWN_USAGE)
            | when(extent.len_bytes() != usual, head::LENGTH)
            | when(descriptor.is_some(), head::DESCRIPTOR)
            | when(array.is_some(), head::ARRAY)
            | when(!is_usual, head::FULL);
        out.push(head);
        put(out, if head & head::ODD_START == 0 { from_last / self.page_size } else { from_last });
        match number {
            Some(number) => put(out, number.into()),
            None => put_usage(&usage, out),
        }
        if !is_usual {
            return put_rest(backed, out);
        }
        if head & head::LENGTH != 0 {
            put(out, extent.len_bytes() / self.page_size);
        }
        for number in [descriptor, array].into_iter().filter_map(|kmem| self.number(kmem)) {
            put_bytes(out, number, n_bytes);
        }
    }

    fn take_backed(&self, n_bytes: usize, last_start: u64, rest: &mut &[u8]) -> Option<Backed> {
        let head = take_byte(rest);
        let from_last = take(rest);
        let start = last_start + if head & head::ODD_START == 0 { from_last * self.page_size } else { from_last };
        let usage = match head & head::OWN_USAGE {
            0 => *self.usages.list().get(take(rest) as usize)?,
            _ => take_usage(rest)?,
        };
        if head & head::FULL != 0 {
            return take_rest(start, usage, rest);
        }
        let length =
            if head & head::LENGTH == 0 { self.usual_length(&usage) } else { take(rest).wrapping_mul(self.page_size) };
        let extent = Extent::sized(start, length)?;
        let mut object = |cache: Option<CacheId>| Some(self.object(cache?, take_bytes(rest, n_bytes)));
        let descriptor = if head & head::DESCRIPTOR == 0 { None } else { object(self.descriptors) };
        let array = match head & head::ARRAY {
            0 => None,
            _ => object(self.slabs.class_of(self.array_bytes(extent, &usage))),
        };
        Some(self.usual(extent, usage, descriptor, array))
    }

    /// An area with that behind it that [`Memory::follow`] puts there, where everything is to be had.
    fn usual(&self, extent: Extent, usage: Usage, descriptor: Option<Kmem>, array: Option<Kmem>) -> Backed {
        let area_pages = extent.len_bytes() / self.page_size;
        let pages = usage.pages.min(area_pages);
        let data_pages = if matches!(usage.kind, UsageKind::Vmalloc | UsageKind::PageArray) { pages } else { 0 };
        let mapped_pages = match usage.kind {
            UsageKind::Early | UsageKind::Reserved | UsageKind::VmapBlock => 0,
            UsageKind::PerCpu => area_pages,
            _ => pages,
        };
        let array_bytes = if array.is_some() { self.array_bytes(extent, &usage) } else { 0 };
        Backed { descriptor, data_pages, mapped_pages, array_bytes, array, ..Backed::bare(extent, usage) }
    }

    fn usual_length(&self, usage: &Usage) -> u64 {
        usage.pages.wrapping_add(usage.kind.has_guard().into()).wrapping_mul(self.page_size)
    }

    fn array_bytes(&self, extent: Extent, usage: &Usage) -> u64 {
        usage.pages.min(extent.len_bytes() / self.page_size).saturating_mul(self.pointer_bytes)
    }

    fn is_descriptor(&self, kmem: Option<Kmem>) -> bool {
        match kmem {
            None => true,
            Some(Kmem::Object(object)) => Some(object.cache) == self.descriptors,
            Some(Kmem::Pages(_)) => false,
        }
    }

    fn is_array(&self, kmem: Option<Kmem>, bytes: u64) -> bool {
        match kmem {
            None => true,
            Some(Kmem::Object(object)) => Some(object.cache) == self.slabs.class_of(bytes),
            Some(Kmem::Pages(_)) => false,
        }
    }

    /// Place of an object among those of its cache.
    fn number(&self, kmem: Option<Kmem>) -> Option<u64> {
        match kmem {
            Some(Kmem::Object(object)) => Some(self.slabs.number_of(object)),
            Some(Kmem::Pages(_)) | None => None,
        }
    }

    fn object(&self, cache: CacheId, number: u64) -> Kmem {
        Kmem::Object(self.slabs.object_of(cache, number))
    }
}

fn put_usage(usage: &Usage, out: &mut Vec<u8>) {
    let Usage { kind, kind_from, pages, pages_from, page_shift, shift_from, phys, caller, caller_from } = *usage;
    out.push(kind as u8);
    out.push([kind_from, pages_from, shift_from, caller_from].iter().fold(0, |all, from| all << 2 | *from as u8));
    put(out, pages);
    out.push(page_shift);
    put_option(phys, out);
    put(out, caller.0.into());
}

fn take_usage(rest: &mut &[u8]) -> Option<Usage> {
    let kind = *KINDS.get(usize::from(take_byte(rest)))?;
    let from = take_byte(rest);
    let source = |at: u32| SOURCES.get(usize::from(from >> (6 - 2 * at) & 3)).copied();
    Some(Usage {
        kind,
        kind_from: source(0)?,
        pages: take(rest),
        pages_from: source(1)?,
        page_shift: take_byte(rest),
        shift_from: source(2)?,
        phys: take_option(rest),
        caller: CallerId(take(rest) as u32),
        caller_from: source(3)?,
    })
}

fn put_rest(backed: &Backed, out: &mut Vec<u8>) {
    let Backed { extent, flags, descriptor, data_pages, mapped_pages, array_bytes, array, nested, runs, usage: _ } =
        *backed;
    for number in [extent.len_bytes(), flags.into(), data_pages, mapped_pages, array_bytes, runs.into()] {
        put(out, number);
    }
    put_option(nested, out);
    put_kmem(descriptor, out);
    put_kmem(array, out);
}

fn take_rest(start: u64, usage: Usage, rest: &mut &[u8]) -> Option<Backed> {
    let [length, flags, data_pages, mapped_pages, array_bytes, runs] = std::array::from_fn(|_| take(rest));
    let extent = Extent::sized(start, length)?;
    let (flags, runs) = (flags as u32, runs as u32);
    let (nested, descriptor, array) = (take_option(rest), take_kmem(rest), take_kmem(rest));
    Some(Backed { extent, usage, flags, descriptor, data_pages, mapped_pages, array_bytes, array, nested, runs })
}

fn put_option(number: Option<u64>, out: &mut Vec<u8>) {
    out.push(number.is_some().into());
    if let Some(number) = number {
        put(out, number);
    }
}

fn take_option(rest: &mut &[u8]) -> Option<u64> {
    (take_byte(rest) == 1).then(|| take(rest))
}

/// An object or pages, or nothing.
pub(super) fn put_kmem(kmem: Option<Kmem>, out: &mut Vec<u8>) {
    match kmem {
        None => out.push(0),
        Some(Kmem::Object(Object { cache, slab, index })) => {
            out.push(1);
            [cache.0.into(), slab, index].into_iter().for_each(|number| put(out, number.into()));
        }
        Some(Kmem::Pages(FrameRun { first, n })) => {
            out.push(2);
            put(out, first);
            put(out, n);
        }
    }
}

/// What [`put_kmem`] has put.
pub(super) fn take_kmem(rest: &mut &[u8]) -> Option<Kmem> {
    match take_byte(rest) {
        1 => {
            let cache = CacheId(take(rest) as u16);
            Some(Kmem::Object(Object { cache, slab: take(rest) as u32, index: take(rest) as u32 }))
        }
        2 => Some(Kmem::Pages(FrameRun { first: take(rest), n: take(rest) })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::backed::Runs;
    use super::*;

    #[test]
    fn tables_of_names_are_in_the_order_of_the_names() {
        assert!(KINDS.iter().enumerate().all(|(at, &kind)| kind as usize == at));
        assert!(SOURCES.iter().enumerate().all(|(at, &source)| source as usize == at));
    }

    /// What is unusual in every field comes back.
    #[test]
    fn an_area_of_any_kind_comes_back() {
        let extent = Extent::new(0x1234, u64::MAX - 5).expect("an extent");
        for kind in KINDS {
            for from in SOURCES {
                let usage = Usage {
                    kind,
                    kind_from: from,
                    pages_from: Provenance::Derived,
                    phys: Some(u64::MAX),
                    caller: CallerId(70_000),
                    caller_from: from,
                    ..Usage::assumed(1 << 40, 4096)
                };
                let backed = Backed {
                    flags: u32::MAX,
                    descriptor: Some(Kmem::Pages(FrameRun { first: 1 << 50, n: 3 })),
                    data_pages: 7,
                    mapped_pages: 1 << 51,
                    array_bytes: 12,
                    array: Some(Kmem::Object(Object { cache: CacheId(300), slab: 1 << 31, index: 9 })),
                    nested: Some(0),
                    runs: Runs::NONE - 1,
                    ..Backed::bare(extent, usage)
                };
                let mut out = Vec::new();
                put_usage(&backed.usage, &mut out);
                put_rest(&backed, &mut out);
                let rest = &mut out.as_slice();
                let usage = take_usage(rest).expect("a use");
                assert_eq!(take_rest(extent.start(), usage, rest), Some(backed));
                assert!(rest.is_empty());
            }
        }
    }
}
