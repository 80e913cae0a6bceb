//! Copies of the state, to try what the trace leaves open: into states nobody needs any more, because a copy into one of
//! them costs what differs.

use super::Resolver;
use crate::model::AddressSpace;

/// States kept for the next copies.
const MAX_SPARES: usize = 4;

/// The state before the latest purge, to try an allocation there.
pub(super) struct BeforePurge {
    pub(super) index: usize,
    /// Operations of that record before the purge.
    pub(super) n_before: usize,
    pub(super) space: AddressSpace,
}

impl Resolver<'_> {
    /// A copy of the present state.
    pub(super) fn copy(&mut self) -> AddressSpace {
        match self.spares.pop() {
            Some(mut spare) => {
                spare.copy_from(&mut self.space);
                spare
            }
            None => self.space.clone(),
        }
    }

    /// A state nobody needs any more.
    pub(super) fn give_back(&mut self, space: AddressSpace) {
        if self.spares.len() < MAX_SPARES {
            self.spares.push(space);
        }
    }

    /// Keeps the state before a purge, which an allocation recorded behind it may have been carved from.
    pub(super) fn remember_before(&mut self, index: usize) {
        if let Some(old) = self.before_purge.take() {
            self.give_back(old.space);
        }
        let (n_before, space) = (self.now.len(), self.copy());
        self.before_purge = Some(BeforePurge { index, n_before, space });
    }
}
