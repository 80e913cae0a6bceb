//! Allocator states: free tree, pools, lazy and busy areas of one moment, read out of kernel memory.
//!
//! ```text
//! vmalloc_base 0xffffd17680000000
//! vmap_lazy_nr 0x0
//! free 0x1 0xffffd17680000000
//! tree 0 B 0xffffd17680037000 0xffffd17680038000 0xffffd1767fffffff
//! pool 0 4 0xffffd17680998000 0xffffd1768099c000
//! lazy 1 0xffffd17680550000 0xffffd17680555000
//! busy 2 0xffffd17680000000 0xffffd17680005000
//! ```

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{all_consuming, opt};
use nom::sequence::preceded;

use crate::lex::{Lines, Res, after, column, lit, number, stop, trim, word};
use crate::problem::Problems;
use crate::{Problem, ProblemKind};

/// The whole allocator at one moment. All addresses are bytes, all extents `(start, end)`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllocatorState {
    /// First address of the vmalloc range.
    pub vmalloc_base: Option<u64>,
    /// Pages that are freed and not yet purged.
    pub vmap_lazy_nr: Option<u64>,
    /// Data pages of all vmalloc areas.
    pub nr_vmalloc_pages: Option<u64>,
    /// Allocator nodes (6.9 and later).
    pub nr_vmap_nodes: Option<u32>,
    /// Bytes of address space that belong to one node before the next one's begin.
    pub vmap_zone_size: Option<u64>,
    /// Possible CPUs.
    pub nr_cpu_ids: Option<u32>,
    /// Holes, ascending.
    pub free: Vec<(u64, u64)>,
    /// The tree of the holes in pre-order; empty in older captures.
    pub tree: Vec<TreeLine>,
    /// Areas parked in node pools.
    pub pools: Vec<Pool>,
    /// Areas that are freed and not yet purged.
    pub lazy: Vec<Owned>,
    /// Areas in use.
    pub busy: Vec<Owned>,
    /// Remarks on lists that could not be read to their end.
    pub broken: Vec<String>,
}

/// One tree node of the free tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLine {
    /// 0 at the root.
    pub depth: u32,
    /// Black, else red.
    pub black: bool,
    /// Start of the hole.
    pub start: u64,
    /// End of the hole.
    pub end: u64,
    /// Bytes of the largest hole in the subtree.
    pub subtree_max: u64,
}

/// One pool of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The node.
    pub node: u32,
    /// Pages of each area in it.
    pub pages: u32,
    /// From the head of the list, which is the next to be reused.
    pub areas: Vec<(u64, u64)>,
}

/// An area on one of a node's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    /// The node; `None` before 6.9.
    pub node: Option<u32>,
    /// Start of the area.
    pub start: u64,
    /// End of the area, guard included.
    pub end: u64,
}

/// Reads a state. Unknown lines are skipped with a problem.
pub fn parse(input: &[u8]) -> (AllocatorState, Vec<Problem>) {
    let mut state = AllocatorState::default();
    let mut problems = Problems::default();
    for line in Lines::new(input) {
        let text = trim(line.bytes);
        if text.is_empty() {
            continue;
        }
        if let Some(remark) = text.strip_prefix(b"#") {
            if memchr::memmem::find(remark, b"broken").is_some() {
                state.broken.push(String::from_utf8_lossy(trim(remark)).into_owned());
            }
            continue;
        }
        // A remark may also stand behind the last line of its list.
        let text = match memchr::memmem::find(text, b" # broken") {
            Some(at) => {
                state.broken.push(String::from_utf8_lossy(text).into_owned());
                crate::lex::upto(text, at)
            }
            None => text,
        };
        if let Err(rest) = state.take(text) {
            let column = column(line.bytes, rest);
            problems.push(Problem {
                line: line.number,
                column,
                offset: line.start as u64,
                kind: ProblemKind::BrokenState,
            });
        }
    }
    (state, problems.into_list())
}

/// Whether a line is one of a state.
pub(crate) fn accepts(line: &[u8]) -> bool {
    AllocatorState::default().take(trim(line)).is_ok()
}

impl AllocatorState {
    /// Takes one line; the error is the rest from the place of the damage.
    fn take<'a>(&mut self, text: &'a [u8]) -> Result<(), &'a [u8]> {
        let name = word(text).map_or(text, |(_, name)| name);
        let rest = after(text, name.len());
        match name {
            b"vmalloc_base" => self.vmalloc_base = Some(value(rest, field)?),
            b"vmap_lazy_nr" => self.vmap_lazy_nr = Some(value(rest, field)?),
            b"nr_vmalloc_pages" => self.nr_vmalloc_pages = Some(value(rest, field)?),
            b"nr_vmap_nodes" => self.nr_vmap_nodes = Some(value(rest, small)?),
            b"vmap_zone_size" => self.vmap_zone_size = Some(value(rest, field)?),
            b"nr_cpu_ids" => self.nr_cpu_ids = Some(value(rest, small)?),
            // How the bytes lay in memory is of no use later.
            b"vmap_node_size" => {
                value(rest, field)?;
            }
            b"free" => self.free.push(value(rest, extent)?),
            b"tree" => self.tree.push(value(rest, tree)?),
            b"pool" => self.park(value(rest, pool)?),
            b"lazy" => self.lazy.push(value(rest, owned)?),
            b"busy" => self.busy.push(value(rest, owned)?),
            // The list of areas that are being purged is stale in a quiet guest.
            b"purge" => {}
            _ => return Err(text),
        }
        Ok(())
    }

    /// Lines of one pool follow each other.
    fn park(&mut self, (node, pages, area): (u32, u32, (u64, u64))) {
        match self.pools.last_mut() {
            Some(pool) if (pool.node, pool.pages) == (node, pages) => pool.areas.push(area),
            _ => self.pools.push(Pool { node, pages, areas: vec![area] }),
        }
    }
}

/// The whole rest of a line.
fn value<'a, T>(rest: &'a [u8], parser: fn(&'a [u8]) -> Res<'a, T>) -> Result<T, &'a [u8]> {
    match all_consuming(parser).parse(rest) {
        Ok((_, value)) => Ok(value),
        Err(nom::Err::Error(error) | nom::Err::Failure(error)) => Err(error.input),
        Err(nom::Err::Incomplete(_)) => Err(rest),
    }
}

/// `0xffffd17680000000 0xffffd17680005000`
fn extent(input: &[u8]) -> Res<'_, (u64, u64)> {
    (field, field).parse(input)
}

/// `2 B START END MAX`
fn tree(input: &[u8]) -> Res<'_, TreeLine> {
    let colour = alt((lit(b" B").map(|()| true), lit(b" R").map(|()| false)));
    let (rest, (depth, black, (start, end), subtree_max)) = (small, colour, extent, field).parse(input)?;
    Ok((rest, TreeLine { depth, black, start, end, subtree_max }))
}

/// `NODE PAGES START END`
fn pool(input: &[u8]) -> Res<'_, (u32, u32, (u64, u64))> {
    (small, small, extent).parse(input)
}

/// `[NODE] START END`
fn owned(input: &[u8]) -> Res<'_, Owned> {
    let with_node = (opt(small), extent);
    let without = extent.map(|extent| (None, extent));
    let (rest, (node, (start, end))) = alt((with_node, without)).parse(input)?;
    Ok((rest, Owned { node, start, end }))
}

/// A number after one blank.
fn field(input: &[u8]) -> Res<'_, u64> {
    preceded((lit(b" "), crate::lex::blanks), number).parse(input)
}

fn small(input: &[u8]) -> Res<'_, u32> {
    let (rest, value) = field(input)?;
    u32::try_from(value).map_or_else(|_| stop(input), |value| Ok((rest, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_newer_kernel() {
        let (state, problems) = parse(
            b"vmalloc_base 0xffffd18440000000\nvmap_lazy_nr 0x19\nnr_vmalloc_pages 0x51e\nnr_vmap_nodes 2\nvmap_zone_size 65536\n\
              nr_cpu_ids 2\nfree 0x1 0xffffd18440000000\nvmap_node_size 6272\ntree 0 B 0x1 0x5 0x4\ntree 1 R 0x7 0x8 0x1\n\
              pool 0 4 0x4000 0x8000\npool 0 4 0x1000 0x5000\npool 1 4 0x9000 0xd000\nlazy 1 0x10 0x20\nbusy 0 0x30 0x40\n",
        );
        assert_eq!(problems, []);
        assert_eq!((state.vmalloc_base, state.vmap_lazy_nr), (Some(0xffff_d184_4000_0000), Some(0x19)));
        assert_eq!((state.nr_vmap_nodes, state.vmap_zone_size, state.nr_cpu_ids), (Some(2), Some(65536), Some(2)));
        assert_eq!(state.free, [(1, 0xffff_d184_4000_0000)]);
        assert_eq!(state.tree[1], TreeLine { depth: 1, black: false, start: 7, end: 8, subtree_max: 1 });
        assert_eq!(state.pools[0], Pool { node: 0, pages: 4, areas: vec![(0x4000, 0x8000), (0x1000, 0x5000)] });
        assert_eq!(state.pools.len(), 2);
        assert_eq!(state.lazy, [Owned { node: Some(1), start: 0x10, end: 0x20 }]);
        assert_eq!(state.busy, [Owned { node: Some(0), start: 0x30, end: 0x40 }]);
    }

    #[test]
    fn older_kernels_have_no_nodes() {
        let (state, problems) = parse(b"busy 0x30 0x40\nlazy 0x10 0x20\n# broken: busy list\n");
        assert_eq!(problems, []);
        assert_eq!(state.busy, [Owned { node: None, start: 0x30, end: 0x40 }]);
        assert_eq!(state.lazy, [Owned { node: None, start: 0x10, end: 0x20 }]);
        assert_eq!(state.broken, ["broken: busy list"]);
    }

    #[test]
    fn damaged_lines_cost_one_problem_each() {
        let (state, problems) = parse(b"free 0x1\nfree 0x1 0x2\ntree 0 G 0x1 0x2 0x3\nfrei 1 2\n");
        assert_eq!(state.free, [(1, 2)]);
        let places: Vec<_> = problems.iter().map(|p| (p.line, p.column, p.offset)).collect();
        assert_eq!(places, [(1, 9, 0), (3, 7, 22), (4, 1, 43)]);
    }
}
