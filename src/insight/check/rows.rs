//! What is wrong with the rows of a snapshot.

use super::{Finding, MISALIGNED, OUTSIDE, Rule, WRONG_SIZE};
use crate::event::Addr;
use crate::insight::page_size_of;
use crate::log::{Baseline, BaselineArea, Log, Pointers, Window};

/// Modules, BPF programs and the kernel's own image of 64-bit machines lie here, or [`NEAR`] below the vmalloc range.
const HIGHEST: u64 = 0xffff_ffff_8000_0000;

/// arm64 and others have their modules in a range that ends where the vmalloc range begins, at most so large.
const NEAR: u64 = 2 << 30;

/// Looks at every row; overlaps are among the problems that reading found. Of hashed and zeroed files sizes alone tell.
pub fn rows(log: &Log, snapshot: &Baseline, file: Option<&str>) -> Vec<Finding> {
    let page_size = page_size_of(log, snapshot).max(1);
    let ranges = ranges(log);
    let mut findings = Vec::new();
    for area in &snapshot.areas {
        let mut found = |rule: Rule, what: String| {
            let file = file.map(str::to_owned);
            findings.push(Finding { rule, file, line: Some(area.line), seq: None, what });
        };
        let is_real = snapshot.pointers == Pointers::Real;
        if is_real && !area.start.is_multiple_of(page_size) {
            found(MISALIGNED, format!("an area starts at {}", Addr(area.start)));
        }
        if !area.size.is_multiple_of(page_size) || area.size == 0 {
            found(WRONG_SIZE, format!("an area of {} bytes: no whole pages of {page_size}", area.size));
        }
        if area.pages.checked_mul(page_size).is_none_or(|bytes| area.size < bytes) {
            found(WRONG_SIZE, format!("{} pages in an area of {} bytes", area.pages, area.size));
        }
        if is_real && !ranges.is_empty() && !is_inside(area, &ranges) {
            found(OUTSIDE, format!("an area lies at {}-{}", Addr(area.start), Addr(area.end)));
        }
    }
    findings
}

/// Where areas may be, as far as the input tells: the vmalloc range and every window that a record asks for.
fn ranges(log: &Log) -> Vec<Window> {
    let Some(vmalloc) = log.origin.vmalloc else { return Vec::new() };
    let mut ranges = vec![Window { vstart: vmalloc.vstart.saturating_sub(NEAR), vend: vmalloc.vend }];
    ranges.extend(log.names.windows().iter().copied());
    if u32::try_from(vmalloc.vend).is_err() {
        ranges.push(Window { vstart: HIGHEST, vend: u64::MAX });
    }
    ranges
}

fn is_inside(area: &BaselineArea, ranges: &[Window]) -> bool {
    // The last byte, so that a range may end with the address space or be told by its last byte.
    let last = area.end.wrapping_sub(1);
    ranges.iter().any(|range| range.vstart <= area.start && last <= range.vend)
}
