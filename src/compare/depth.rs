//! How deep the tree is that a search goes down.

use crate::model::rbtree::TreeId;
use crate::model::{Allocator, NIL};

/// Nodes on the longest way down from the root of the free tree, or where there is none of the deepest tree of areas;
/// `None` in policies without a tree.
pub(super) fn tree_depth(allocator: &dyn Allocator) -> Option<u64> {
    let ids = || std::iter::once(TreeId::Free).chain((0..allocator.n_nodes()).map(TreeId::Busy));
    let tree = ids().find_map(|id| allocator.tree(id))?;
    let mut deepest = 0;
    let mut open = vec![(tree.tree.root, 1)];
    while let Some((id, depth)) = open.pop() {
        if id != NIL {
            deepest = deepest.max(depth);
            open.extend(tree.areas[id].child.map(|child| (child, depth + 1)));
        }
    }
    Some(deepest)
}
