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
    /// A paragraph: what it is, and what it means for vmalloc's requests.
    pub about: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// What it stands for.
    pub kind: Kind,
}

/// What a policy stands for.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// An era of the kernel.
    Era {
        /// The release whose details the bare id stands for.
        release: Release,
        /// First and last release of the era, as people write them.
        span: (&'static str, &'static str),
    },
}

impl PolicyEntry {
    /// The release whose details the bare id stands for, and the span of its era; `None` if it is no era.
    pub fn era(&self) -> Option<(Release, (&'static str, &'static str))> {
        match self.kind {
            Kind::Era { release, span } => Some((release, span)),
        }
    }
}

const KERNEL: &str = "the Linux kernel's mm/vmalloc.c, as its own answers show it";

/// Every policy: the eras, oldest first. `--policy`, help, pickers and tests walk this table.
pub const POLICIES: &[PolicyEntry] = &[
    PolicyEntry {
        id: "linux-2.4",
        title: "sorted list, first fit",
        about: "A list of areas sorted by address is walked from its head, and the first stretch between two of them that \
                is long enough is taken. The guard page is inside each area. There is one range and no alignment, and \
                what is freed can be given out again at once. Each request costs a look at every area below its answer.",
        source: KERNEL,
        kind: Kind::Era { release: Release::new(2, 4), span: ("2.4", "2.5") },
    },
    PolicyEntry {
        id: "linux-2.6",
        title: "sorted list with alignment and windows",
        about: "The list of 2.4, with an alignment and a window for each request. A candidate that an area covers moves \
                behind that area and is aligned again, so that aligned stacks leave gaps which only later and smaller \
                requests can fill. What is freed can be given out at once; requests still cost a walk over the areas.",
        source: KERNEL,
        kind: Kind::Era { release: Release::of_2_6(24), span: ("2.6.0", "2.6.27") },
    },
    PolicyEntry {
        id: "linux-2.6.28",
        title: "busy tree, a page free between areas",
        about: "Areas are in a red-black tree and the search walks them in address order from the start of the window. A \
                page stays free behind each area on top of the guard page inside it. Freed areas keep their place until \
                a purge flushes the TLB once for many of them: reuse waits, and requests cost a walk over what is in the \
                way, lazy areas too.",
        source: KERNEL,
        kind: Kind::Era { release: Release::of_2_6(32), span: ("2.6.28", "2.6.38") },
    },
    PolicyEntry {
        id: "linux-2.6.39",
        title: "busy tree with a cached hole",
        about: "The same tree, but a search begins behind the area placed last unless the request is smaller than a hole \
                passed since, starts lower, or is aligned less strictly. Requests of one size become cheap; a mix of \
                sizes and alignments rewinds again and again. Freed areas keep their place until the purge.",
        source: KERNEL,
        kind: Kind::Era { release: Release::new(4, 19), span: ("2.6.39", "5.1") },
    },
    PolicyEntry {
        id: "linux-5.2",
        title: "augmented free tree",
        about: "Holes are in a red-black tree of their own in which each node knows the largest hole below it: the lowest \
                hole that fits is found in a logarithmic number of looks. With an alignment above a page the search asks \
                for size and alignment together, so that a hole which fits exactly can be passed over. Freed areas wait \
                in a lazy store and come back with the purge. The guard page is inside each area.",
        source: KERNEL,
        kind: Kind::Era { release: Release::new(6, 1), span: ("5.2", "6.8") },
    },
    PolicyEntry {
        id: "linux-6.9",
        title: "per-node pools over the augmented tree",
        about: "The tree of 5.2 behind pools: each node keeps purged areas of up to 256 pages by their exact number of \
                pages and gives them out again without a look at the tree, if they happen to be aligned. Pools are filled \
                by purges and a quarter of each decays with every one. Requests of common sizes rarely reach the tree; \
                what is pooled is space that other sizes cannot have.",
        source: KERNEL,
        kind: Kind::Era { release: Release::new(6, 12), span: ("6.9", "7.3") },
    },
];

/// A policy with the release whose details it follows.
#[derive(Debug, Clone, Copy)]
pub struct Chosen {
    /// Its row.
    pub entry: &'static PolicyEntry,
    /// The release: of an era, or of the kernel around another policy.
    pub release: Release,
    /// The rules of placement.
    pub rules: Rules,
}

impl Chosen {
    /// The id that names it on the command line, with what was chosen beyond its row.
    pub fn name(&self) -> String {
        self.entry.id.to_owned()
    }
}

/// The policy for an id: an era (`linux-6.9`) or a release of one (`linux-6.12`). `None` if there is none.
pub fn by_id(id: &str) -> Option<Chosen> {
    if let Some(entry) = POLICIES.iter().find(|entry| entry.id == id) {
        let (release, _) = entry.era()?;
        return Some(Chosen { entry, release, rules: rules_for(release)? });
    }
    by_release(Release::parse(id.strip_prefix("linux-")?)?)
}

/// The policy a kernel release follows. `None` before 2.4.
pub fn by_release(release: Release) -> Option<Chosen> {
    let rules = rules_for(release)?;
    let first_of = |entry: &PolicyEntry| Release::parse(entry.era()?.1.0);
    let entry = POLICIES.iter().rev().find(|entry| first_of(entry).is_some_and(|first| first <= release))?;
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
            assert_eq!(chosen.name(), entry.id);
            assert!(!entry.about.is_empty() && !entry.source.is_empty(), "{}", entry.id);
            if let Some((release, _)) = entry.era() {
                let again = by_release(release).expect(entry.id);
                assert_eq!(again.entry.id, entry.id);
            }
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
