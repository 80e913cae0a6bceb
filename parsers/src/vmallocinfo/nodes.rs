//! Pages on NUMA nodes: most rows name one node, which needs no allocation.

use std::fmt;
use std::ops::Deref;

/// Pages on each NUMA node `(node, pages)`, in the order of the row.
#[derive(Clone, Default)]
pub struct Nodes {
    few: [(u16, u64); 2],
    n_few: u8,
    /// All of them, as soon as there are more than two.
    many: Vec<(u16, u64)>,
}

impl Nodes {
    /// Adds the pages of one more node.
    #[inline]
    pub fn push(&mut self, node: u16, pages: u64) {
        match self.few.get_mut(usize::from(self.n_few)) {
            Some(free) if self.many.is_empty() => {
                *free = (node, pages);
                self.n_few += 1;
            }
            _ => {
                if self.many.is_empty() {
                    self.many.extend(self.few);
                }
                self.many.push((node, pages));
            }
        }
    }

    /// Forgets them all.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.n_few = 0;
        self.many.clear();
    }

    /// Pages on all nodes.
    pub fn sum(&self) -> u64 {
        self.iter().fold(0, |sum, (_, pages)| sum.saturating_add(*pages))
    }
}

impl Deref for Nodes {
    type Target = [(u16, u64)];

    #[inline]
    fn deref(&self) -> &Self::Target {
        if self.many.is_empty() { self.few.get(..usize::from(self.n_few)).unwrap_or_default() } else { &self.many }
    }
}

impl FromIterator<(u16, u64)> for Nodes {
    fn from_iter<T: IntoIterator<Item = (u16, u64)>>(nodes: T) -> Self {
        let mut all = Self::default();
        nodes.into_iter().for_each(|(node, pages)| all.push(node, pages));
        all
    }
}

impl PartialEq for Nodes {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Nodes {}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_read_the_same() {
        for n in 0..6_u16 {
            let want: Vec<_> = (0..n).map(|node| (node, u64::from(node) + 1)).collect();
            let nodes: Nodes = want.iter().copied().collect();
            assert_eq!(&*nodes, want);
            assert_eq!(nodes.sum(), want.iter().map(|(_, pages)| pages).sum::<u64>());
        }
    }
}
