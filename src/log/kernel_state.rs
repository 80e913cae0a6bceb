//! [`KernelState`]: the allocator as it stood in kernel memory before a trace, checked, so that a model can start from it.

use parsers::allocator_state::{AllocatorState, TreeLine};

/// A range, `[start, end)`, never empty.
type Range = (u64, u64);

/// An allocator state whose ranges lie apart and cover the whole space.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KernelState {
    /// The holes, ascending.
    pub holes: Vec<Range>,
    /// The tree of the holes in pre-order; empty if the file has none that could be the kernel's.
    pub tree: Vec<TreeNode>,
    /// Areas in use, ascending. Ranges that are in no list of the file are among them.
    pub busy: Vec<Range>,
    /// Lazily freed areas with their node, in the order of the file.
    pub lazy: Vec<(u32, u64, u64)>,
    /// Pooled areas with their node, in the order of the file: what a pool gives out next stands first.
    pub pooled: Vec<(u32, u64, u64)>,
}

/// A node of the free tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeNode {
    /// Start of the hole.
    pub start: u64,
    /// Its end.
    pub end: u64,
    /// Black, else red.
    pub black: bool,
    /// Places of the left and the right child in the pre-order list.
    pub child: [Option<u32>; 2],
}

/// Last address, which the allocator never manages. States come from 64-bit kernels.
const TOP: u64 = u64::MAX;
/// No red-black tree that fits into memory is deeper.
const MAX_DEPTH: usize = 128;

/// Which list a range stands in; where two overlap the earlier word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum List {
    Hole,
    Busy,
    Lazy(u32),
    Pooled(u32),
}

impl KernelState {
    /// Checks a state. What contradicts itself is left out or rebuilt, and said in a sentence each; `None` if the file
    /// says nothing of the free space.
    pub fn check(state: &AllocatorState) -> Option<(Self, Vec<String>)> {
        let mut flaws = Vec::new();
        let mut ranges = listed(state);
        if !ranges.iter().any(|(.., list)| *list == List::Hole) {
            return None;
        }
        let n = ranges.len();
        ranges.retain(|&(start, end, _)| 0 < start && start < end);
        let n_empty = n - ranges.len();
        // Files are not bounded, lists of the kernel are in no order; the file's own order matters again below.
        let mut order: Vec<usize> = (0..ranges.len()).collect();
        order.sort_by_key(|&at| (ranges[at].0, ranges[at].2));
        let mut kept = vec![false; ranges.len()];
        let (mut cursor, mut n_gaps) = (1, 0);
        let mut new = Self::default();
        for at in order {
            let (start, end, list) = ranges[at];
            if start < cursor {
                continue;
            }
            if cursor < start {
                new.busy.push((cursor, start));
                n_gaps += 1;
            }
            kept[at] = true;
            cursor = end;
            match list {
                List::Hole => match new.holes.last_mut() {
                    // Holes that touch would have been merged.
                    Some(below) if below.1 == start => below.1 = end,
                    _ => new.holes.push((start, end)),
                },
                List::Busy => new.busy.push((start, end)),
                List::Lazy(_) | List::Pooled(_) => {}
            }
        }
        if cursor < TOP {
            new.busy.push((cursor, TOP));
            n_gaps += 1;
        }
        for (&(start, end, list), _) in ranges.iter().zip(&kept).filter(|(_, kept)| **kept) {
            match list {
                List::Lazy(node) => new.lazy.push((node, start, end)),
                List::Pooled(node) => new.pooled.push((node, start, end)),
                List::Hole | List::Busy => {}
            }
        }
        let n_overlapping = kept.iter().filter(|kept| !**kept).count();
        for (n, what) in [
            (n_empty, "ranges of the allocator state are empty or turned round, they were left out"),
            (n_overlapping, "ranges of the allocator state overlap others, they were left out"),
            (n_gaps, "ranges are in no list of the allocator state, they were taken as in use"),
        ] {
            if n > 0 {
                flaws.push(format!("{n} {what}"));
            }
        }
        match shape(&state.tree, &new.holes) {
            Ok(tree) => new.tree = tree,
            Err(rule) => flaws.push(format!(
                "the tree lines of the allocator state cannot be the kernel's ({rule}), the free tree was built in ascending order"
            )),
        }
        Some((new, flaws))
    }

    /// Areas in use or lazily freed: what `/proc/vmallocinfo` lists.
    pub fn listed(&self) -> impl Iterator<Item = Range> + '_ {
        self.busy.iter().copied().chain(self.lazy.iter().map(|&(_, start, end)| (start, end)))
    }
}

fn listed(state: &AllocatorState) -> Vec<(u64, u64, List)> {
    let holes = state.free.iter().map(|&(start, end)| (start, end, List::Hole));
    // A file with the tree alone is as good.
    let nodes = state.tree.iter().filter(|_| state.free.is_empty()).map(|line| (line.start, line.end, List::Hole));
    let busy = state.busy.iter().map(|area| (area.start, area.end, List::Busy));
    let lazy = state.lazy.iter().map(|area| (area.start, area.end, List::Lazy(area.node.unwrap_or(0))));
    let pooled = state
        .pools
        .iter()
        .flat_map(|pool| pool.areas.iter().map(|&(start, end)| (start, end, List::Pooled(pool.node))));
    holes.chain(nodes).chain(busy).chain(lazy).chain(pooled).collect()
}

/// Links the lines of a pre-order listing and holds them to the rules of an augmented red-black tree over `holes`; the
/// error is the rule that is broken. No lines are no error.
fn shape(lines: &[TreeLine], holes: &[Range]) -> Result<Vec<TreeNode>, &'static str> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let mut nodes: Vec<TreeNode> = Vec::with_capacity(lines.len());
    // From the root to the line before, with the range a child may lie in.
    let mut path: Vec<(usize, Range)> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let depth = line.depth as usize;
        if depth > path.len() || depth > MAX_DEPTH || (depth == 0) != (at == 0) {
            return Err("a depth does not follow from the line before");
        }
        path.truncate(depth);
        let mut room = (0, TOP);
        if let Some(&(parent, (low, high))) = path.last() {
            let above = nodes[parent];
            let side = usize::from(line.start >= above.end);
            room = if side == 0 { (low, above.start) } else { (above.end, high) };
            if above.child[side].is_some() || (side == 0 && above.child[1].is_some()) {
                return Err("a node has two children on one side");
            }
            nodes[parent].child[side] = Some(at as u32);
        }
        if line.start < room.0 || room.1 < line.end || line.end <= line.start {
            return Err("a node lies on the wrong side of one above it");
        }
        nodes.push(TreeNode { start: line.start, end: line.end, black: line.black, child: [None; 2] });
        path.push((at, room));
    }
    check_rules(lines, &nodes)?;
    let mut in_order: Vec<Range> = nodes.iter().map(|node| (node.start, node.end)).collect();
    in_order.sort_unstable();
    if in_order == holes { Ok(nodes) } else { Err("its nodes are not the free ranges") }
}

/// Colours and maxima. Children stand behind their parents, so one pass backwards sees them first.
fn check_rules(lines: &[TreeLine], nodes: &[TreeNode]) -> Result<(), &'static str> {
    let mut heights = vec![0_u32; nodes.len()];
    for (at, node) in nodes.iter().enumerate().rev() {
        let child = |side: usize| node.child[side].map(|child| child as usize);
        let height = |side| child(side).map_or(0, |child| heights[child]);
        if height(0) != height(1) {
            return Err("paths have different numbers of black nodes");
        }
        if !node.black && [child(0), child(1)].into_iter().flatten().any(|child| !nodes[child].black) {
            return Err("a red node has a red child");
        }
        heights[at] = height(0) + u32::from(node.black);
        let below = [child(0), child(1)].into_iter().flatten().map(|child| lines[child].subtree_max).max();
        if lines[at].subtree_max != below.unwrap_or(0).max(node.end - node.start) {
            return Err("a subtree_max is not the largest hole below its node");
        }
    }
    match nodes.first() {
        Some(root) if !root.black => Err("the root is red"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "free 0x1 0x1000\nfree 0x2000 0x3000\nfree 0x5000 0xffffffffffffffff\n\
         tree 0 B 0x2000 0x3000 0xffffffffffffafff\ntree 1 R 0x1 0x1000 0xfff\n\
         tree 1 R 0x5000 0xffffffffffffffff 0xffffffffffffafff\n\
         busy 0 0x1000 0x2000\nlazy 1 0x3000 0x4000\npool 1 1 0x4000 0x5000\n";

    fn checked(text: &str) -> (KernelState, Vec<String>) {
        KernelState::check(&parsers::allocator_state::parse(text.as_bytes()).0).expect("has holes")
    }

    #[test]
    fn a_state_that_holds_together_is_taken_as_it_is() {
        let (state, flaws) = checked(TEXT);
        assert_eq!(flaws, [""; 0]);
        assert_eq!(state.tree.len(), 3);
        assert_eq!(state.tree[0].child, [Some(1), Some(2)]);
        assert_eq!(
            (state.busy.len(), &state.lazy[..], &state.pooled[..]),
            (1, &[(1, 0x3000, 0x4000)][..], &[(1, 0x4000, 0x5000)][..])
        );
    }

    #[test]
    fn a_tree_that_cannot_be_is_not_believed() {
        for (from, to, rule) in [
            ("tree 0 B", "tree 0 R", "a red node has a red child"),
            ("tree 1 R 0x1 ", "tree 1 B 0x1 ", "different numbers of black nodes"),
            ("tree 1 R 0x5000", "tree 3 R 0x5000", "a depth does not follow"),
            ("tree 1 R 0x5000", "tree 2 R 0x5000", "wrong side"),
            ("tree 1 R 0x5000", "tree 1 R 0x500", "two children on one side"),
            ("tree 1 R 0x1 0x1000 0xfff", "tree 1 R 0x1 0x1000 0xffe", "subtree_max"),
            ("tree 1 R 0x1 0x1000 0xfff", "tree 1 R 0x1 0x800 0x7ff", "not the free ranges"),
        ] {
            let (state, flaws) = checked(&TEXT.replace(from, to));
            assert_eq!(state.tree, [], "{rule}");
            assert!(flaws.len() == 1 && flaws[0].contains(rule), "{rule}: {flaws:?}");
            assert_eq!(state.holes.len(), 3, "{rule}");
        }
    }

    #[test]
    fn overlaps_and_gaps_are_mended() {
        let (state, flaws) = checked(&TEXT.replace("busy 0 0x1000 0x2000", "busy 0 0x1800 0x2800"));
        assert_eq!(state.busy, [(0x1000, 0x1800), (0x1800, 0x2800), (0x2800, 0x3000)]);
        assert_eq!(flaws.len(), 3, "overlap, gap and tree: {flaws:?}");
        assert!(KernelState::check(&AllocatorState::default()).is_none());
    }
}
