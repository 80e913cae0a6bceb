//! Questions a script asks of what is behind areas. Each answers one line: its word, then `key=value` words, sizes in bytes.
//!
//! ```text
//! cost 1         cost ffffc90000000000 virtual=8192 guard=4096 data=4096 foreign=0 tables=8192 array=8 descriptors=136 …
//! memory         memory areas=1 virtual=8192 … left=0 slabs=12288 lost=0 used=24576 free=…
//! contrast 5000  contrast 5000 kmalloc=kmalloc-8k:8192 … vmalloc=pages:8192 kmalloc_limit=4194304 …
//! ```
//!
//! `tables` are the page tables of an area alone and its part of those it shares, `left` those that freed areas left
//! behind. `array` is the page-pointer array if `kmalloc` gave it; one that is an area of its own is named by `nested`,
//! and costs by itself. `total` is what is memory among them. `used` is every page that is taken, whoever has it.

use std::fmt::Write;

use super::ScriptRun;
use crate::model::Place;
use crate::model::contrast::{Gets, contrast};
use crate::model::costs::{Costs, Sum};
use crate::model::frames::MAX_ORDER;
use crate::request::contrast_facts;

impl ScriptRun {
    /// `cost ID`: what the area of an id costs; `cost -` if it has none.
    pub(super) fn cost(&self, id: u64) -> String {
        let place = self.live.get(id).map(|named| self.allocator().lookup(named.addr));
        let start = match place {
            Some(Place::Busy { area, .. }) => Some(self.allocator().areas()[area].start),
            _ => None,
        };
        let found = start.zip(self.space.memory()).and_then(|(start, memory)| Costs::of(memory).at(start).copied());
        let Some(cost) = found else { return "cost -".to_owned() };
        let mut out = format!("cost {:x}", cost.backed.extent.start());
        sum(&cost.sum, &mut out);
        if let Some(nested) = cost.backed.nested {
            // Writing to a string cannot fail.
            let _ = write!(out, " nested={nested:x}");
        }
        out
    }

    /// `memory`: what is behind all areas, and what is taken besides.
    pub(super) fn memory(&self) -> String {
        let Some(memory) = self.space.memory() else { return "memory -".to_owned() };
        let costs = Costs::of(memory);
        let page_size = self.facts.page_size;
        let mut out = format!("memory areas={}", costs.total.areas);
        sum(&costs.total, &mut out);
        let words = [
            ("left", costs.left_behind_bytes),
            ("slabs", memory.slabs().pages() * page_size),
            ("lost", memory.lost_pages() * page_size),
            ("used", memory.used_pages() * page_size),
            ("free", memory.frames().free_pages() * page_size),
        ];
        for (key, bytes) in words {
            // Writing to a string cannot fail.
            let _ = write!(out, " {key}={bytes}");
        }
        out
    }

    /// `contrast SIZE`: what each of the four calls hands out, and the largest size of each.
    pub(super) fn contrast(&self, size: u64) -> String {
        let max_order = self.space.memory().map_or(MAX_ORDER, |memory| memory.frames().max_order());
        let rows = contrast(size, &contrast_facts(&self.facts, max_order));
        let mut out = format!("contrast {size}");
        for row in &rows {
            let name = row.call.name();
            // Writing to a string cannot fail.
            let _ = match row.gets {
                Gets::Class { name: class, bytes } => write!(out, " {name}={class}:{bytes}"),
                Gets::Block { order, bytes } => write!(out, " {name}=order-{order}:{bytes}"),
                Gets::Area { bytes, .. } => write!(out, " {name}=pages:{bytes}"),
                Gets::ZeroSize => write!(out, " {name}=zero"),
                Gets::Missing => write!(out, " {name}=none"),
                Gets::Refused => write!(out, " {name}=refused"),
            };
        }
        for row in &rows {
            let _ = write!(out, " {}_limit={}", row.call.name(), row.limit_bytes);
        }
        out
    }
}

fn sum(sum: &Sum, out: &mut String) {
    let words = [
        ("virtual", sum.virtual_bytes),
        ("guard", sum.guard_bytes),
        ("data", sum.data_bytes),
        ("foreign", sum.foreign_bytes),
        ("tables", sum.table_bytes),
        ("array", sum.array_bytes),
        ("descriptors", sum.descriptor_bytes),
        ("total", sum.physical_bytes()),
    ];
    for (key, bytes) in words {
        // Writing to a string cannot fail.
        let _ = write!(out, " {key}={bytes}");
    }
}
