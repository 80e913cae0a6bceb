//! Where areas lie: holes between them when addresses are real, runs of touching areas even when they are hashed.

use std::collections::HashMap;

use crate::log::{Baseline, BaselineArea, Pointers, Window};

/// The free extents of a range, as far as a snapshot can tell.
///
/// `vmallocinfo` lists what is in use and what is freed but not purged. Extents parked in node pools (6.9 and later)
/// are listed nowhere and look like holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holes {
    /// How many.
    pub count: u64,
    /// Bytes of the largest.
    pub largest: u64,
    /// Where the largest starts.
    pub largest_at: u64,
    /// Bytes of all.
    pub total: u64,
    /// Areas that overlap an earlier one: the file was torn while it was read, or is damaged.
    pub overlaps: u64,
    /// Areas outside the range: modules, early mappings.
    pub outside: u64,
}

/// Maximal runs of areas that touch: the end of one is the start of the next.
///
/// ```text
///   |#A#|##B##|   |#C#|      two runs, the longest of two areas
/// ```
///
/// A hash keeps equality, so the runs of a hashed file are those of the real one, but for a collision once in 2^32
/// pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chains {
    /// Runs, those of a single area included.
    pub count: u64,
    /// Areas of the run with the most areas.
    pub longest_areas: u64,
    /// Bytes of the run with the most bytes.
    pub longest_bytes: u64,
    /// Areas that touch another one.
    pub touching_areas: u64,
}

/// Above it live modules and the kernel's image on 64-bit machines: never the vmalloc range.
const HIGHEST_64_BIT_RANGE: u64 = 0xffff_ffff_8000_0000;

/// Above it lies the vmalloc range of 32-bit machines with the usual split; below are ARM's and PowerPC's modules, and
/// between the two the memory that is mapped one to one.
const USUAL_32_BIT_SPLIT: u64 = 0xc000_0000;

/// Finds the holes inside `range`; `None` if the addresses are not real.
pub fn holes(baseline: &Baseline, range: Window) -> Option<Holes> {
    if baseline.pointers != Pointers::Real {
        return None;
    }
    let mut areas: Vec<&BaselineArea> = baseline.areas.iter().filter(|area| is_whole(area)).collect();
    areas.sort_by_key(|area| (area.start, area.end));
    let mut holes = Holes::default();
    let ends = areas.iter().map(|area| (area.start, area.end));
    holes.overlaps = visit_gaps(ends, range, |start, end| holes.add(start, end));
    let is_outside = |area: &&&BaselineArea| area.start < range.vstart || range.vend < area.start;
    holes.outside = areas.iter().filter(is_outside).count() as u64;
    Some(holes)
}

/// Visits what areas, ascending by start, leave of a range; answers how many of them overlap an earlier one.
pub(in crate::insight) fn visit_gaps(
    areas: impl Iterator<Item = (u64, u64)>,
    range: Window,
    mut visit: impl FnMut(u64, u64),
) -> u64 {
    // Everything below is taken or visited.
    let (mut overlaps, mut last_end, mut free_from) = (0, 0, range.vstart);
    let mut gap = |start: u64, end: u64| {
        if start < end {
            visit(start, end);
        }
    };
    for (start, end) in areas {
        overlaps += u64::from(start < last_end);
        last_end = last_end.max(end);
        gap(free_from, start.min(range.vend));
        free_from = free_from.max(end);
    }
    gap(free_from, range.vend);
    overlaps
}

impl Holes {
    fn add(&mut self, start: u64, end: u64) {
        let size = end - start;
        self.count += 1;
        self.total += size;
        if self.largest < size {
            self.largest = size;
            self.largest_at = start;
        }
    }
}

/// From the lowest start to the highest end of the areas, modules left out: what is certainly part of the range, when
/// nothing else is known of it. `None` if the addresses are not real.
pub fn span(baseline: &Baseline) -> Option<Window> {
    if baseline.pointers != Pointers::Real {
        return None;
    }
    let span_from = |lowest: u64| {
        let areas = baseline.areas.iter().filter(|area| is_whole(area));
        let areas = areas.filter(|area| lowest <= area.start && area.start < HIGHEST_64_BIT_RANGE);
        areas.map(|area| (area.start, area.end)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    };
    let is_32_bit = baseline.areas.iter().all(|area| u32::try_from(area.start).is_ok());
    let above_split = if is_32_bit { span_from(USUAL_32_BIT_SPLIT) } else { None };
    above_split.or_else(|| span_from(0)).map(|(vstart, vend)| Window { vstart, vend })
}

/// Counts the runs of touching areas; `None` if the file shows neither addresses nor hashes.
pub fn chains(baseline: &Baseline) -> Option<Chains> {
    if !matches!(baseline.pointers, Pointers::Real | Pointers::Hashed) {
        return None;
    }
    let areas = &baseline.areas;
    // Two areas cannot start at one place: a doubled line or a collision, and neither is a neighbour.
    let mut by_start: HashMap<u64, Option<usize>> = HashMap::with_capacity(areas.len());
    for (n, area) in areas.iter().enumerate() {
        by_start.entry(area.start).and_modify(|known| *known = None).or_insert(Some(n));
    }
    let next = |area: &BaselineArea| by_start.get(&area.end).copied().flatten();
    let mut n_before = vec![0_u32; areas.len()];
    for area in areas {
        if let Some(n) = next(area) {
            n_before[n] = n_before[n].saturating_add(1);
        }
    }
    let mut chains = Chains::default();
    // Of two areas that end where one starts, neither is its neighbour for certain.
    let heads = areas.iter().zip(&n_before).filter(|(_, n_before)| **n_before != 1);
    for (head, _) in heads {
        let (mut n_areas, mut bytes) = (1, head.size);
        let mut at = next(head);
        while let Some(n) = at.filter(|&n| n_before[n] == 1) {
            n_areas += 1;
            bytes = bytes.saturating_add(areas[n].size);
            at = next(&areas[n]);
        }
        chains.count += 1;
        chains.longest_areas = chains.longest_areas.max(n_areas);
        chains.longest_bytes = chains.longest_bytes.max(bytes);
        chains.touching_areas += if n_areas == 1 { 0 } else { n_areas };
    }
    Some(chains)
}

/// Whether a row's columns agree; others would put nonsense between real areas.
pub(in crate::insight) fn is_whole(area: &BaselineArea) -> bool {
    area.start < area.end && area.end - area.start == area.size
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::snapshot;

    fn read(text: &str) -> Baseline {
        snapshot::read("text", text.as_bytes(), &mut Vec::new()).expect("areas")
    }

    const RANGE: Window = Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_c900_0010_0000 };

    const REAL: &str = "\
0xffffc90000000000-0xffffc90000005000   20480 a+0x1/0x2 pages=4 vmalloc
0xffffc90000005000-0xffffc90000007000    8192 b+0x1/0x2 pages=1 vmalloc
0xffffc90000010000-0xffffc90000015000   20480 c+0x1/0x2 pages=4 vmalloc
0xffffffffc0000000-0xffffffffc0003000   12288 load_module+0x1/0x2 pages=2 vmalloc
0xffffc90000007000-0xffffc90000008000    4096 unpurged vm_area
";
    const HASHED: &str = "\
0x00000000aaaaaaa1-0x00000000bbbbbbb2   20480 a+0x1/0x2 pages=4 vmalloc
0x00000000bbbbbbb2-0x00000000ccccccc3    8192 b+0x1/0x2 pages=1 vmalloc
0x00000000ddddddd4-0x00000000eeeeeee5   20480 c+0x1/0x2 pages=4 vmalloc
0x0000000011111116-0x0000000022222227   12288 load_module+0x1/0x2 pages=2 vmalloc
0x00000000ccccccc3-0x0000000033333338    4096 unpurged vm_area
";

    #[test]
    fn holes_are_what_lies_between_areas_of_the_range() {
        let holes = holes(&read(REAL), RANGE).expect("real");
        assert_eq!((holes.count, holes.total), (2, 0x8000 + 0xe_b000));
        assert_eq!((holes.largest, holes.largest_at), (0xe_b000, 0xffff_c900_0001_5000));
        assert_eq!((holes.outside, holes.overlaps), (1, 0));
    }

    #[test]
    fn the_assumed_range_leaves_modules_out() {
        let span = span(&read(REAL)).expect("real");
        assert_eq!((span.vstart, span.vend), (0xffff_c900_0000_0000, 0xffff_c900_0001_5000));
    }

    #[test]
    fn the_assumed_range_of_a_32_bit_machine_is_above_its_modules() {
        let text = "\
0xbea20000-0xbea25000   20480 load_module+0x1/0x2 pages=4 vmalloc
0xf1000000-0xf1005000   20480 a+0x1/0x2 pages=4 vmalloc
0xf1010000-0xf1012000    8192 b+0x1/0x2 phys=0x80000000 ioremap
";
        assert_eq!(span(&read(text)), Some(Window { vstart: 0xf100_0000, vend: 0xf101_2000 }));
    }

    #[test]
    fn a_hashed_file_has_the_runs_of_the_real_one() {
        let wanted = Chains { count: 3, longest_areas: 3, longest_bytes: 32768, touching_areas: 3 };
        assert_eq!(chains(&read(REAL)), Some(wanted));
        assert_eq!(chains(&read(HASHED)), Some(wanted));
        assert_eq!(holes(&read(HASHED), RANGE), None);
    }

    #[test]
    fn doubled_lines_and_circles_end() {
        let text = "\
0x00000000aaaaaaa1-0x00000000bbbbbbb2   20480 a+0x1/0x2 vmalloc
0x00000000bbbbbbb2-0x00000000aaaaaaa1   20480 b+0x1/0x2 vmalloc
0x00000000ccccccc3-0x00000000ddddddd4   20480 c+0x1/0x2 vmalloc
0x00000000ccccccc3-0x00000000ddddddd4   20480 c+0x1/0x2 vmalloc
";
        // A circle has no head and is no run: real areas cannot form one.
        assert_eq!(chains(&read(text)).map(|chains| chains.count), Some(2));
    }

    #[test]
    fn overlapping_areas_are_counted_and_leave_no_hole() {
        let text = "\
0xffffc90000000000-0xffffc90000005000   20480 a+0x1/0x2 vmalloc
0xffffc90000004000-0xffffc90000008000   16384 b+0x1/0x2 vmalloc
";
        let range = Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_c900_0000_8000 };
        let holes = holes(&read(text), range).expect("real");
        assert_eq!((holes.count, holes.overlaps), (0, 1));
    }
}
