//! A tree in a given shape: where the kernel's own is known, it need not be guessed by inserting.

use super::areas::{Areas, Kind, LEFT, NIL, RIGHT};
use super::audit::check_tree;
use super::extent::Extent;
use super::rbtree::{Tree, TreeView};

/// A node of a tree to be planted; its children stand behind it in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seedling {
    /// Its range.
    pub extent: Extent,
    /// Black, else red.
    pub black: bool,
    /// Places of the left and the right child in the list.
    pub child: [Option<u32>; 2],
}

impl Areas {
    /// Makes the augmented tree of `nodes`, the root first, parents before children. `None`, and nothing is kept, if
    /// that is no red-black tree.
    pub fn plant(&mut self, nodes: &[Seedling]) -> Option<Tree> {
        let ids: Vec<_> = nodes.iter().map(|node| self.add(node.extent.start(), node.extent.end())).collect();
        let tree = self.link_planted(nodes, &ids);
        if tree.is_none() {
            for &id in &ids {
                self.remove(id);
            }
        }
        tree
    }

    fn link_planted(&mut self, nodes: &[Seedling], ids: &[u32]) -> Option<Tree> {
        let mut has_parent = vec![false; nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            self[ids[at]].parent_colour |= u32::from(node.black);
            for side in [LEFT, RIGHT] {
                let Some(place) = node.child[side].map(|place| place as usize) else { continue };
                // Children behind their parents and each with one parent: no cycle.
                if place <= at || std::mem::replace(has_parent.get_mut(place)?, true) {
                    return None;
                }
                self[ids[at]].child[side] = ids[place];
                self[ids[place]].parent_colour |= ids[at] << 1;
            }
        }
        if has_parent.iter().skip(1).any(|has| !has) {
            return None;
        }
        for &id in ids.iter().rev() {
            let max = self[id].child.map(|child| self.max_of_child(child));
            self[id].max = max;
            self[id].kind = Kind::Free;
        }
        let mut order: Vec<u32> = ids.to_vec();
        order.sort_by_key(|&id| self[id].start);
        for pair in order.windows(2) {
            self[pair[0]].next = pair[1];
            self[pair[1]].prev = pair[0];
        }
        let ends = (order.first().copied().unwrap_or(NIL), order.last().copied().unwrap_or(NIL));
        let tree =
            Tree { root: ids.first().copied().unwrap_or(NIL), first: ends.0, last: ends.1, len: ids.len() as u32 };
        check_tree(TreeView { areas: self, tree, augmented: true }).ok()?;
        Some(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(start: u64, black: bool, child: [Option<u32>; 2]) -> Seedling {
        Seedling { extent: Extent::new(start, start + 10).expect("not empty"), black, child }
    }

    #[test]
    fn only_a_red_black_tree_is_planted() {
        let mut areas = Areas::default();
        let good = [node(50, true, [Some(1), Some(2)]), node(10, false, [None; 2]), node(90, false, [None; 2])];
        let tree = areas.plant(&good).expect("a tree");
        assert_eq!((tree.len, areas[tree.first].start, areas[tree.last].start), (3, 10, 90));
        let bad = [
            vec![node(50, true, [Some(0), None])],
            vec![node(50, true, [Some(1), Some(1)]), node(10, false, [None; 2])],
            vec![node(50, true, [Some(7), None])],
            vec![node(50, true, [None, Some(1)]), node(10, false, [None; 2])],
            vec![node(50, true, [Some(1), None]), node(10, true, [None; 2])],
            vec![node(50, true, [None; 2]), node(10, true, [None; 2])],
        ];
        let live = areas.live();
        for nodes in bad {
            assert_eq!(areas.plant(&nodes), None, "{nodes:?}");
            assert_eq!(areas.live(), live);
        }
    }
}
