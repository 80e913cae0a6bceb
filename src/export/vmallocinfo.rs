//! The areas of a state as `/proc/vmallocinfo` of the release prints them to a reader that may see addresses.
//!
//! What the input does not tell is left out of a row, as the kernel leaves out what an area does not have: the words of a
//! caller whose offset is not known are its name alone.

use std::fmt::Write as _;
use std::io::Write;

use super::ExportError;
use super::csv::plain;
use super::walk::Walk;
use crate::event::Seq;
use crate::log::{BaselineArea, BaselineState, Log, Pointers};
use crate::model::{Extent, UsageKind, VmapArea};
use crate::policy::rules::Release;
use crate::replay::Replay;

/// `/proc/vmallocinfo` exists from here on.
const FIRST: Release = Release::of_2_6(28);
/// Lazily freed areas are printed, in place.
const LAZY_IN_PLACE: Release = Release::new(4, 15);
/// They come after all others.
const LAZY_LAST: Release = Release::new(5, 4);
/// `vpages` says where the page array lies, and no longer that there is one.
const VPAGES_BY_ADDRESS: Release = Release::new(4, 15);
/// The physical address has `0x` and all its digits.
const PHYS_PADDED: Release = Release::new(4, 15);
/// `vm_map_ram` areas are printed.
const RAM_LINES: Release = Release::new(3, 10);

/// Writes the areas after `at` records.
///
/// # Errors
/// What is written to says no; or that kernel has no such file.
pub fn write(replay: &Replay, at: usize, mut to: impl Write) -> Result<(), ExportError> {
    let release = replay.plan().machine.policy.release;
    if release < FIRST {
        return Err(ExportError::Nothing {
            what: format!("kernel {release} has no /proc/vmallocinfo"),
            hint: "it came with 2.6.28: --to csv --table areas has the areas of any release".to_owned(),
        });
    }
    let mut walk = Walk::new(replay);
    walk.go_to(at);
    let mut rows = Rows { replay, release, numa: is_numa(replay.log()), at: walk.at() as u32, out: String::new() };
    let mut areas: Vec<(VmapArea, bool)> = Vec::new();
    let allocator = walk.space().allocator();
    for node in 0..allocator.n_nodes() {
        allocator.visit_busy(node, &mut |area| areas.push((*area, false)));
    }
    if LAZY_IN_PLACE <= release {
        for node in 0..allocator.n_nodes() {
            allocator.visit_lazy(node, &mut |area| areas.push((*area, true)));
        }
        if release < LAZY_LAST {
            areas.sort_by_key(|(area, _)| area.start);
        }
    }
    for (area, is_lazy) in areas {
        rows.row(&area, is_lazy);
        to.write_all(rows.out.as_bytes())?;
        rows.out.clear();
    }
    Ok(to.flush()?)
}

struct Rows<'a> {
    replay: &'a Replay,
    release: Release,
    numa: bool,
    at: u32,
    out: String,
}

impl Rows<'_> {
    fn row(&mut self, area: &VmapArea, is_lazy: bool) {
        let Some(extent) = Extent::new(area.start, area.end) else { return };
        let machine = &self.replay.plan().machine;
        let width = if machine.is_32_bit { 8 } else { 16 };
        let usages = self.replay.usages();
        let usage = usages.of(area.born, extent);
        let kind = usage.map(|usage| usage.kind);
        let is_ram = matches!(kind, Some(UsageKind::VmMapRam | UsageKind::VmapBlock));
        if is_ram && self.release < RAM_LINES {
            return;
        }
        // Writing to a string cannot fail.
        let _ = write!(self.out, "0x{:0width$x}-0x{:0width$x} {:>7}", extent.start(), extent.end(), extent.len_bytes());
        if is_lazy || is_ram {
            self.out.push_str(if is_lazy { " unpurged vm_area\n" } else { " vm_map_ram\n" });
            return;
        }
        let name = usage.and_then(|usage| usages.caller_name(usage.caller));
        let seen = self.seen(area.born, extent);
        if let Some(caller) = self.caller(area.born, name, seen) {
            let _ = write!(self.out, " {caller}");
        }
        let pages = usage.filter(|usage| matches!(usage.kind, UsageKind::Vmalloc | UsageKind::PageArray));
        let pages = pages.map_or(0, |usage| usage.pages);
        if 0 < pages {
            let _ = write!(self.out, " pages={pages}");
        }
        if let Some(phys) = usage.and_then(|usage| usage.phys).filter(|&phys| phys != 0) {
            let _ = if self.release < PHYS_PADDED {
                write!(self.out, " phys={phys:x}")
            } else {
                write!(self.out, " phys=0x{phys:0width$x}")
            };
        }
        self.out.push_str(match kind {
            Some(UsageKind::Ioremap) => " ioremap",
            Some(UsageKind::Vmalloc | UsageKind::PageArray | UsageKind::PerCpu) => " vmalloc",
            Some(UsageKind::Vmap) => " vmap",
            _ => "",
        });
        // A page array of more than a page is itself from vmalloc.
        let pointer = if machine.is_32_bit { 4 } else { 8 };
        let has_far_array = machine.page_size < pages.saturating_mul(pointer);
        if 0 < pages && (has_far_array || self.release < VPAGES_BY_ADDRESS) {
            self.out.push_str(" vpages");
        }
        if 0 < pages && self.numa {
            let _ = write!(self.out, " N0={pages}");
        }
        self.out.push('\n');
    }

    /// The row of a snapshot that shows this very area.
    fn seen(&self, born: u32, extent: Extent) -> Option<&BaselineArea> {
        let log = self.replay.log();
        // The snapshot after the trace shows those that are not freed before its end.
        let snapshot = match born {
            VmapArea::UNBORN => log.before.as_ref(),
            born if self.replay.plan().mate(Seq(born)).is_none() => log.after.as_ref(),
            _ => None,
        };
        let snapshot = snapshot.filter(|rows| rows.pointers == Pointers::Real)?;
        let is_it = |row: &&BaselineArea| row.end == extent.end() && row.state == BaselineState::Busy;
        snapshot.at(extent.start()).filter(is_it)
    }

    /// `symbol+0x…/0x… [module]`, as far as it is known.
    fn caller(&self, born: u32, name: Option<&str>, seen: Option<&BaselineArea>) -> Option<String> {
        if let Some(row) = seen.filter(|row| !row.caller_full.is_empty()) {
            let module = row.module.as_deref().map(|module| format!(" [{module}]")).unwrap_or_default();
            let full = plain(row.caller_full.as_bytes());
            return Some(if full.ends_with(']') { full } else { full + &plain(module.as_bytes()) });
        }
        let name = name?;
        let log = self.replay.log();
        let stack = Some(born).filter(|&born| born <= self.at).and_then(|born| log.stacks.of(Seq(born)));
        let frame = stack.and_then(|id| log.stacks.frames(id).find(|frame| plain(frame.symbol) == name));
        Some(frame.map_or_else(|| name.to_owned(), |frame| plain(frame.text)))
    }
}

/// Kernels for several nodes print the pages of each, also where there is one: what a snapshot of this kernel shows.
fn is_numa(log: &Log) -> bool {
    let rows = [&log.before, &log.after].into_iter().flatten().flat_map(|snapshot| &snapshot.areas);
    rows.into_iter().any(|row| !row.nodes.is_empty())
}
