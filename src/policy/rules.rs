//! [`Rules`]: where releases differ, as named fields of one small table.

use std::fmt;

/// A kernel release, as far as the allocator cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
}

impl Release {
    /// Reads the first two numbers of a release such as `6.12.117+deb12-cloud-amd64`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(['.', '-', '+', '~', '_', ' ']);
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?;
        // "6.12rc3": the digits in front count.
        let digits = minor.find(|c: char| !c.is_ascii_digit()).unwrap_or(minor.len());
        Some(Self { major, minor: minor[..digits].parse().ok()? })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// How many bytes a subtree must advertise to be entered (`find_vmap_lowest_match`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchLength {
    /// `size + align - 1`, always: an exactly fitting hole may be passed over.
    AlwaysPadded,
    /// `size`, always.
    AlwaysSize,
    /// `size` up to page alignment and where the window is exactly as long; else `size + align - 1`.
    PaddedAbovePage,
}

/// Where freed areas wait for the purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LazyStore {
    /// A stack: the purge takes the newest first.
    Stack,
    /// A tree that fuses neighbours: the purge takes ascending ranges.
    MergingTree,
    /// A tree per node, not fusing: the purge fills pools, then returns areas in descending order.
    PerNode,
}

/// Who purges when the lazy pages go above the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// The freeing task, at once.
    Inline,
    /// A worker, again and again while above the limit.
    WorkLoop,
    /// A worker, one pass.
    WorkOnce,
}

/// How a partial purge lets pools decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// No pools.
    None,
    /// A quarter, rounded down; a pool of fewer than four areas decays wholly, because the counter wraps.
    Wrapping,
    /// A quarter, rounded down.
    Exact,
}

/// What becomes of arguments that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadArguments {
    /// `BUG_ON`.
    Bug,
    /// `-EINVAL`.
    Einval,
}

/// The order in which nodes are asked for an address to free, from the node of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupOrder {
    /// Node after node.
    Upwards,
    /// Node before node.
    Downwards,
}

/// How a range of releases differs from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// First release that works like this.
    pub since: Release,
    /// Bytes the search asks a subtree for.
    pub search: SearchLength,
    /// Entering a right subtree from above moves `vstart` behind the node.
    pub moves_vstart: bool,
    /// Where freed areas wait.
    pub lazy: LazyStore,
    /// Who purges.
    pub drain: Drain,
    /// How pools decay.
    pub decay: Decay,
    /// Answer to impossible arguments.
    pub bad_arguments: BadArguments,
    /// Order of the lookup over nodes.
    pub lookup: LookupOrder,
    /// The allocating task may be rescheduled between taking the space and writing the record, so that records of one
    /// CPU can stand in the wrong order.
    pub reschedules_before_record: bool,
}

impl Rules {
    /// Do nodes keep pools of freed areas (6.9 and later, with more than one possible CPU)?
    pub fn has_pools(&self) -> bool {
        self.lazy == LazyStore::PerNode
    }
}

const fn release(major: u32, minor: u32) -> Release {
    Release { major, minor }
}

const V5_2: Rules = Rules {
    since: release(5, 2),
    search: SearchLength::AlwaysPadded,
    moves_vstart: false,
    lazy: LazyStore::Stack,
    drain: Drain::Inline,
    decay: Decay::None,
    bad_arguments: BadArguments::Bug,
    lookup: LookupOrder::Upwards,
    reschedules_before_record: false,
};

const V5_11: Rules = Rules { since: release(5, 11), lazy: LazyStore::MergingTree, ..V5_2 };
const V5_17: Rules = Rules { since: release(5, 17), search: SearchLength::AlwaysSize, moves_vstart: true, ..V5_11 };
const V5_19: Rules =
    Rules { since: release(5, 19), search: SearchLength::PaddedAbovePage, drain: Drain::WorkLoop, ..V5_17 };
const V6_3: Rules = Rules { since: release(6, 3), bad_arguments: BadArguments::Einval, ..V5_19 };
const V6_9: Rules =
    Rules { since: release(6, 9), lazy: LazyStore::PerNode, drain: Drain::WorkOnce, decay: Decay::Wrapping, ..V6_3 };
const V6_19: Rules = Rules {
    since: release(6, 19),
    decay: Decay::Exact,
    lookup: LookupOrder::Downwards,
    reschedules_before_record: true,
    ..V6_9
};

/// Every change of behaviour, oldest first. Each row differs from the one before in the fields it names.
pub const RELEASES: &[Rules] = &[V5_2, V5_11, V5_17, V5_19, V6_3, V6_9, V6_19];

/// The rules of a release; `None` before 5.2.
pub fn rules_for(release: Release) -> Option<&'static Rules> {
    RELEASES.iter().rev().find(|rules| rules.since <= release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_as_people_write_them() {
        let parse = |text| Release::parse(text).map(|release| (release.major, release.minor));
        assert_eq!(parse("6.12.117+deb12-cloud-amd64"), Some((6, 12)));
        assert_eq!(parse("7.2"), Some((7, 2)));
        assert_eq!(parse("6.5.0-0.deb12.4-686"), Some((6, 5)));
        assert_eq!(parse("6.13rc3"), Some((6, 13)));
        assert_eq!(parse("six"), None);
        assert_eq!(parse("6"), None);
    }

    #[test]
    fn the_table_ascends_and_covers_every_release_from_5_2() {
        assert!(RELEASES.is_sorted_by_key(|rules| rules.since));
        assert_eq!(rules_for(release(5, 1)), None);
        assert_eq!(rules_for(release(6, 8)).map(|rules| rules.lazy), Some(LazyStore::MergingTree));
        assert_eq!(rules_for(release(6, 14)).map(|rules| rules.decay), Some(Decay::Wrapping));
        assert_eq!(rules_for(release(9, 0)).map(|rules| rules.decay), Some(Decay::Exact));
    }
}
