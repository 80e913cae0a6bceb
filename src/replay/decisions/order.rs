//! [`Order`]: the order in which the steps of a purge can come.

use crate::model::PurgePart;

/// How far what returns a node's list has got.
#[derive(Debug, Clone, Copy, Default)]
struct Returned {
    upto: u32,
    is_subtracted: bool,
    is_merged: bool,
}

/// What has been done of the purge that is recorded next.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    /// Nodes whose lists have been taken off: in ascending order.
    n_detached: u32,
    /// Of the next node: its pools up to those of so many pages have decayed.
    behind: u32,
    /// What was taken out of them is free.
    is_merged: bool,
    /// By node.
    returned: Vec<Returned>,
}

impl Order {
    /// Takes a step. `false` if it cannot come now.
    pub(super) fn takes(&mut self, part: PurgePart, n_nodes: u32) -> bool {
        if self.returned.is_empty() {
            self.returned.resize(n_nodes as usize, Returned::default());
        }
        let all_detached = self.n_detached == n_nodes;
        match part {
            PurgePart::DecayPool { node, pages, .. } => {
                let fits = !all_detached && node == self.n_detached && self.behind < pages && !self.is_merged;
                self.behind = pages;
                fits
            }
            PurgePart::MergeDecayed { node } => {
                let fits = !all_detached && node == self.n_detached && 0 < self.behind && !self.is_merged;
                self.is_merged = true;
                fits
            }
            PurgePart::Detach { node } => {
                let fits = !all_detached && node == self.n_detached && (self.behind == 0 || self.is_merged);
                (self.n_detached, self.behind, self.is_merged) = (self.n_detached + 1, 0, false);
                fits
            }
            PurgePart::Fill { node, upto, .. } => self.open(node, n_nodes).is_some_and(|returned| {
                let fits = returned.upto < upto && !returned.is_subtracted;
                returned.upto = upto;
                fits
            }),
            PurgePart::Subtract { node, .. } => {
                self.open(node, n_nodes).is_some_and(|returned| !std::mem::replace(&mut returned.is_subtracted, true))
            }
            PurgePart::Merge { node } => self.open(node, n_nodes).is_some_and(|returned| {
                returned.is_merged = true;
                returned.is_subtracted
            }),
            PurgePart::Ranges { n } => all_detached && 0 < n,
            PurgePart::Decay { .. } | PurgePart::Return { .. } => false,
        }
    }

    /// A node whose list is not back yet, once all are taken off.
    fn open(&mut self, node: u32, n_nodes: u32) -> Option<&mut Returned> {
        let all_detached = self.n_detached == n_nodes;
        self.returned.get_mut(node as usize).filter(|returned| all_detached && !returned.is_merged)
    }
}
