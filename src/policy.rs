//! Placement rules. A kernel era is a row of [`POLICIES`] and, release by release, of [`rules::RELEASES`].

pub mod augmented;
pub mod rules;

pub use augmented::{Augmented, Setup};
pub use rules::{Release, Rules, rules_for};

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
    PolicyEntry {
        id: "linux-5.2",
        title: "augmented free tree",
        release: Release { major: 6, minor: 1 },
        span: ("5.2", "6.8"),
    },
    PolicyEntry {
        id: "linux-6.9",
        title: "per-node pools over the augmented tree",
        release: Release { major: 6, minor: 12 },
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

/// The policy a kernel release follows. `None` for releases whose era is not built yet.
pub fn by_release(release: Release) -> Option<Chosen> {
    let rules = rules_for(release)?;
    let era = if rules.lazy == rules::LazyStore::PerNode { "linux-6.9" } else { "linux-5.2" };
    let entry = POLICIES.iter().find(|entry| entry.id == era)?;
    Some(Chosen { entry, release, rules })
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
        assert_eq!(era("linux-3.10"), None);
        assert_eq!(era("windows"), None);
    }
}
