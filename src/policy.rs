//! Placement rules. A kernel era is a row of [`POLICIES`] and, release by release, of [`rules::RELEASES`].

/// Calls the generic method with the caller's steps, or with none.
macro_rules! with_steps {
    ($steps:expr, $sink:ident => $call:expr) => {
        match $steps {
            Some($sink) => $call,
            None => {
                let $sink = &mut ();
                $call
            }
        }
    };
}

pub mod arch;
pub mod augmented;
pub mod busy_tree;
mod dump;
mod gaps;
pub mod rules;
pub mod setup;
pub mod vmlist;
mod window;

use crate::log::KernelState;
use crate::model::{Allocator, Extent, Refusal, RefusalReason, Sink, Step};
use rules::FreeSpace;

pub use arch::arch_rules;
pub use augmented::Augmented;
pub use busy_tree::BusyTree;
pub use rules::{Release, Rules, rules_for};
pub use setup::{Setup, Shape};
pub use vmlist::VmList;
pub use window::default_window;

/// A policy people can ask for.
#[derive(Debug, Clone, Copy)]
pub struct PolicyEntry {
    /// Id on the command line.
    pub id: &'static str,
    /// A few words for pickers and headers.
    pub title: &'static str,
    /// The release whose details the bare id stands for.
    pub release: Release,
    /// First and last release of the era, as people write them.
    pub span: (&'static str, &'static str),
}

/// Every policy, oldest first. `--policy`, help, pickers and tests walk this table.
pub const POLICIES: &[PolicyEntry] = &[
    PolicyEntry { id: "linux-2.4", title: "sorted list, first fit", release: Release::new(2, 4), span: ("2.4", "2.5") },
    PolicyEntry {
        id: "linux-2.6",
        title: "sorted list with alignment and windows",
        release: Release::of_2_6(24),
        span: ("2.6.0", "2.6.27"),
    },
    PolicyEntry {
        id: "linux-2.6.28",
        title: "busy tree, a page free between areas",
        release: Release::of_2_6(32),
        span: ("2.6.28", "2.6.38"),
    },
    PolicyEntry {
        id: "linux-2.6.39",
        title: "busy tree with a cached hole",
        release: Release::new(4, 19),
        span: ("2.6.39", "5.1"),
    },
    PolicyEntry { id: "linux-5.2", title: "augmented free tree", release: Release::new(6, 1), span: ("5.2", "6.8") },
    PolicyEntry {
        id: "linux-6.9",
        title: "per-node pools over the augmented tree",
        release: Release::new(6, 12),
        span: ("6.9", "7.3"),
    },
];

/// A policy with the release whose details it follows.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    /// The era.
    pub entry: &'static PolicyEntry,
    /// The release.
    pub release: Release,
    /// Its rules.
    pub rules: &'static Rules,
}

/// The policy for an id: an era (`linux-6.9`) or a release of one (`linux-6.12`). `None` if there is none.
pub fn by_id(id: &str) -> Option<Chosen> {
    if let Some(entry) = POLICIES.iter().find(|entry| entry.id == id) {
        return Some(Chosen { entry, release: entry.release, rules: rules_for(entry.release)? });
    }
    by_release(Release::parse(id.strip_prefix("linux-")?)?)
}

/// The policy a kernel release follows. `None` before 2.4.
pub fn by_release(release: Release) -> Option<Chosen> {
    let rules = rules_for(release)?;
    let has_begun = |entry: &&PolicyEntry| Release::parse(entry.span.0).is_some_and(|first| first <= release);
    let entry = POLICIES.iter().rev().find(has_begun)?;
    Some(Chosen { entry, release, rules })
}

/// The allocator of a release, in the state after `vmalloc_init`.
pub fn build(setup: &Setup) -> Box<dyn Allocator> {
    match setup.rules.free_space {
        FreeSpace::VmList(_) => Box::new(VmList::new(setup)),
        FreeSpace::BusyTree(_) => Box::new(BusyTree::new(setup)),
        FreeSpace::FreeTree => Box::new(Augmented::new(setup)),
    }
}

/// The allocator of a release in the state a snapshot shows: `busy` and `lazy` areas; everything else is free. How
/// they came about is not in a snapshot, so the shape of a tree is a guess.
pub fn from_snapshot(setup: &Setup, busy: &[Extent], lazy: &[Extent], shape: Shape) -> Box<dyn Allocator> {
    match setup.rules.free_space {
        FreeSpace::VmList(_) => Box::new(VmList::from_snapshot(setup, busy)),
        FreeSpace::BusyTree(_) => Box::new(BusyTree::from_snapshot(setup, busy, lazy)),
        FreeSpace::FreeTree => Box::new(Augmented::from_snapshot(setup, busy, lazy, shape)),
    }
}

/// The allocator of a release in the state the kernel's own lists show, with the shape of its free tree if they have it.
pub fn from_kernel(setup: &Setup, state: &KernelState, shape: Shape) -> Box<dyn Allocator> {
    if setup.rules.free_space == FreeSpace::FreeTree {
        return Box::new(Augmented::from_kernel(setup, state, shape));
    }
    let busy: Vec<Extent> = state.busy.iter().filter_map(|&(start, end)| Extent::new(start, end)).collect();
    let lazy: Vec<Extent> = state.lazy.iter().filter_map(|&(_, start, end)| Extent::new(start, end)).collect();
    from_snapshot(setup, &busy, &lazy, shape)
}

/// A refusal, as a step and as the answer.
fn refuse<T, S: Sink>(reason: RefusalReason, sink: &mut S) -> Result<T, Refusal> {
    sink.step(|| Step::Refused { reason });
    Err(Refusal { reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_resolves_and_its_releases_agree() {
        for entry in POLICIES {
            let chosen = by_id(entry.id).expect(entry.id);
            assert_eq!(chosen.entry.id, entry.id);
            let again = by_release(entry.release).expect(entry.id);
            assert_eq!(again.entry.id, entry.id);
        }
    }

    #[test]
    fn releases_resolve_to_their_era() {
        let era = |id: &str| by_id(id).map(|chosen| chosen.entry.id);
        assert_eq!(era("linux-5.10"), Some("linux-5.2"));
        assert_eq!(era("linux-6.12.117+deb12"), Some("linux-6.9"));
        assert_eq!(era("linux-7.2"), Some("linux-6.9"));
        assert_eq!(era("linux-5.1"), Some("linux-2.6.39"));
        assert_eq!(era("linux-3.10.0-1160.el7"), Some("linux-2.6.39"));
        assert_eq!(era("linux-2.6.32"), Some("linux-2.6.28"));
        assert_eq!(era("linux-2.6.27"), Some("linux-2.6"));
        assert_eq!(era("linux-2.4.22"), Some("linux-2.4"));
        assert_eq!(era("linux-2.2.26"), None);
        assert_eq!(era("windows"), None);
    }
}
