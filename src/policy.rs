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
mod table;
mod textbook;
pub mod vmlist;
mod window;

use crate::log::KernelState;
use crate::model::{Allocator, Extent, Refusal, RefusalReason, Sink, Step};
use rules::FreeSpace;

pub use arch::arch_rules;
pub use augmented::Augmented;
pub use busy_tree::BusyTree;
pub use rules::{Layers, Release, Rules, rules_for};
pub use setup::{Setup, Shape};
pub use table::{Kind, POLICIES, PolicyEntry};
pub use vmlist::VmList;
pub use window::default_window;

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

/// The release of the kernel around a policy that is no era, if nobody names one.
const AROUND: Release = Release::new(6, 12);

impl Chosen {
    /// A policy that is no era, inside a kernel of `release`.
    fn textbook(entry: &'static PolicyEntry, layers: Layers, release: Release) -> Option<Self> {
        Some(Self { entry, release, rules: rules_for(release)?.around(layers) })
    }

    /// What it is put together from; `None` of an era.
    pub fn layers(&self) -> Option<Layers> {
        match self.rules.free_space {
            FreeSpace::Textbook(layers) => Some(layers),
            _ => None,
        }
    }

    /// The id that names it on the command line, with the options chosen beyond its row. Of an era that of its row: what
    /// differs is the release.
    pub fn name(&self) -> String {
        let options = self.layers().zip(self.entry.layers()).map(|(layers, plain)| layers.options_beyond(&plain));
        format!("{}{}", self.entry.id, options.unwrap_or_default())
    }

    /// The same policy inside a kernel of `release`: entry points and page tables are that kernel's. An era brings its
    /// own, and there is no kernel before 2.4.
    #[must_use]
    pub fn inside(self, release: Release) -> Self {
        self.layers().and_then(|layers| Self::textbook(self.entry, layers, release)).unwrap_or(self)
    }
}

/// The policy for an id: an era (`linux-6.9`), a release of one (`linux-6.12`), or another policy, with options
/// (`buddy`, `buddy+guard-outside+immediate`). `None` if there is none.
pub fn by_id(id: &str) -> Option<Chosen> {
    let row = |id: &str| POLICIES.iter().find(|entry| entry.id == id);
    let mut parts = id.split('+');
    if let Some((entry, layers)) = parts.next().and_then(row).and_then(|entry| Some((entry, entry.layers()?))) {
        let layers = parts.try_fold(layers, Layers::with)?;
        return Chosen::textbook(entry, layers, AROUND);
    }
    if let Some((entry, (release, _))) = row(id).and_then(|entry| Some((entry, entry.era()?))) {
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
        FreeSpace::Textbook(layers) => textbook::build(setup, layers, &[], &[]),
    }
}

/// The allocator of a release in the state a snapshot shows: `busy` and `lazy` areas; everything else is free. How
/// they came about is not in a snapshot, so the shape of a tree is a guess.
pub fn from_snapshot(setup: &Setup, busy: &[Extent], lazy: &[Extent], shape: Shape) -> Box<dyn Allocator> {
    match setup.rules.free_space {
        FreeSpace::VmList(_) => Box::new(VmList::from_snapshot(setup, busy)),
        FreeSpace::BusyTree(_) => Box::new(BusyTree::from_snapshot(setup, busy, lazy)),
        FreeSpace::FreeTree => Box::new(Augmented::from_snapshot(setup, busy, lazy, shape)),
        FreeSpace::Textbook(layers) => textbook::build(setup, layers, busy, lazy),
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
            assert_eq!(chosen.layers(), entry.layers());
            assert!(!entry.about.is_empty() && !entry.source.is_empty(), "{}", entry.id);
            if let Some((release, _)) = entry.era() {
                let again = by_release(release).expect(entry.id);
                assert_eq!(again.entry.id, entry.id);
            }
        }
    }

    #[test]
    fn the_manual_has_every_policy() {
        let manual = include_str!("../docs/policies.md");
        for entry in POLICIES {
            assert!(manual.contains(&format!("`{}`", entry.id)), "{}", entry.id);
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
