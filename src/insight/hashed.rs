//! [`Layout`]: what a file of hashed addresses tells about where areas lie, and how surely.
//!
//! Equal addresses have equal hashes, so areas that touch show it, and sizes give every place inside a run of them. The
//! kernel prints areas in an order that addresses decide: ascending before 6.9, and from 6.9 on ascending within each
//! allocator node, which is `(start / zone) mod nodes`, a zone having 16 pages. From that follows which runs lie below
//! which, as far as it does; every number of nodes that fits the file is considered, and what holds under all of them
//! is certain. How large holes are is told by nothing.
//!
//! ```text
//!   |#A#|##B##| ? |#C#|###D###| ? |#E#|      runs to scale; between them holes of unknown size
//! ```

mod joins;
mod nodes;
mod order;

use crate::log::baseline::Flags;
use crate::log::{Baseline, BaselineArea, BaselineState, Origin, Pointers};
use crate::policy::Release;

use super::guess_page_size;
pub use nodes::Nodes;

/// Chance of one false claim in a file, above which nothing is called certain.
const SMALL: f64 = 1e-4;

/// What captures and `uname -m` call machines of 32 bits: one list of areas in every release.
const NARROW: [&str; 12] =
    ["i386", "i486", "i586", "i686", "x86", "arm", "armel", "armhf", "armv6l", "armv7l", "ppc", "mips"];

/// How surely something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Not at all.
    Unknown,
    /// It would be a coincidence, or an unusual machine, if it were otherwise.
    Likely,
    /// Chance is below one in ten thousand, for the whole file.
    Certain,
}

impl Certainty {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// What is known of a file from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Bytes in a page; else what the rows tell.
    pub page_size: Option<u64>,
    /// The allocator's nodes.
    pub nodes: Nodes,
}

/// Areas of which each begins where the one before ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its rows in the file, ascending by address.
    pub rows: Vec<u32>,
    /// Bytes of all of them.
    pub bytes: u64,
    /// What its first address is modulo how much, where node order or an alignment tells.
    pub base: Option<Residue>,
}

/// An address modulo something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Residue {
    /// The rest.
    pub rest: u64,
    /// What it is divided by, in bytes.
    pub modulus: u64,
}

/// Where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The run it belongs to.
    pub run: u32,
    /// Bytes from the start of that run.
    pub offset: u64,
    /// Whether it touches another row.
    pub touches: bool,
}

/// How much is known of where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knowledge {
    /// Nothing but its size.
    Unknown,
    /// Its address modulo something.
    Bounded,
    /// Its distance to others, or what lies below it.
    Certain,
}

/// What a file of hashed addresses tells.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Runs, each of at least one row: in an order that contradicts nothing that is known.
    pub runs: Vec<Run>,
    /// Where each row of the file lies.
    pub places: Vec<Place>,
    /// Rows that certainly begin where another ends.
    pub n_joins: u64,
    /// Others with equal hashes, of which chance may have made some: they are in no run.
    pub n_likely_joins: u64,
    /// Rows that would touch two, or themselves: hashes collided, or the file was torn while it was read. None of that
    /// is believed.
    pub contradictions: usize,
    /// How sure it is that runs which are said to lie below others do.
    pub order: Certainty,
    /// Why the order is as sure as that.
    pub why: Why,
    /// The number of allocator nodes, if only one fits.
    pub n_nodes: Option<u32>,
    below: order::Below,
}

/// Why an order is known, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The addresses are not hashed.
    NotHashed,
    /// Too few rows touch to tell whether the lines are in the kernel's order.
    FewTouch,
    /// A row is there twice: two files, or a torn one.
    Doubled,
    /// The lines are in no order that a kernel prints.
    NoOrder,
    /// The kernel prints them ascending.
    Ascending,
    /// They look ascending; a kernel from 6.9 on with more than so many CPUs would print others like that.
    LooksAscending {
        /// CPUs up to which it is sure.
        up_to: u32,
    },
    /// Ascending within each node.
    NodeByNode,
}

impl Known {
    /// What the files around a snapshot tell of its kernel.
    pub fn of(origin: &Origin) -> Self {
        let is_narrow = origin.arch.as_deref().is_some_and(|arch| NARROW.contains(&arch));
        let release = origin.kernel.as_deref().and_then(Release::parse);
        let nodes = match (release, origin.cpus_possible) {
            (Some(release), _) if release < Release::new(6, 9) || is_narrow => Nodes::One,
            (Some(_), Some(n_cpus)) => Nodes::of_cpus(n_cpus),
            (None, Some(1)) => Nodes::One,
            _ => Nodes::Unknown,
        };
        Self { page_size: origin.page_size, nodes }
    }
}

impl Layout {
    /// Works out what a snapshot tells; nothing if its addresses are not hashed.
    pub fn of(baseline: &Baseline, known: Known) -> Self {
        let areas = &baseline.areas[..];
        if baseline.pointers != Pointers::Hashed {
            return Self::nothing(areas);
        }
        let joins = joins::Joins::find(areas);
        let (next, n_likely_joins) = joins.certain(areas);
        let mut layout = Self::from_next(areas, &next);
        layout.contradictions = joins.contradictions;
        layout.n_likely_joins = n_likely_joins;
        let page_size = known.page_size.or_else(|| tells_page_size(baseline).then(|| guess_page_size(baseline)));
        let found = if joins.has_twins {
            nodes::Found::none(Why::Doubled)
        } else {
            nodes::find(areas, &layout, page_size, known.nodes)
        };
        layout.conclude(areas, found);
        layout
    }

    fn nothing(areas: &[BaselineArea]) -> Self {
        let mut layout = Self::from_next(areas, &vec![None; areas.len()]);
        layout.why = Why::NotHashed;
        layout
    }

    /// Follows every row to the one it touches.
    fn from_next(areas: &[BaselineArea], next: &[Option<u32>]) -> Self {
        let mut has_before = vec![false; areas.len()];
        next.iter().flatten().for_each(|&n| has_before[n as usize] = true);
        let mut places = vec![Place { run: 0, offset: 0, touches: false }; areas.len()];
        let mut runs = Vec::new();
        for head in (0..areas.len()).filter(|&n| !has_before[n]) {
            let mut run = Run { rows: Vec::new(), bytes: 0, base: None };
            let mut at = Some(head as u32);
            while let Some(n) = at {
                let touches = has_before[n as usize] || next[n as usize].is_some();
                places[n as usize] = Place { run: runs.len() as u32, offset: run.bytes, touches };
                run.rows.push(n);
                run.bytes = run.bytes.saturating_add(areas[n as usize].size);
                at = next[n as usize];
            }
            runs.push(run);
        }
        let below = order::Below::nothing(runs.len());
        Self {
            runs,
            places,
            n_joins: next.iter().flatten().count() as u64,
            n_likely_joins: 0,
            contradictions: 0,
            order: Certainty::Unknown,
            why: Why::FewTouch,
            n_nodes: None,
            below,
        }
    }

    /// Takes over the order of rows, puts runs into it, and says what their first addresses are modulo.
    fn conclude(&mut self, areas: &[BaselineArea], found: nodes::Found) {
        self.why = found.why;
        self.n_nodes = found.n_nodes;
        let run_of = |row: u32| self.places[row as usize].run;
        let edges =
            found.blocks.iter().flat_map(|block| block.windows(2)).map(|pair| (run_of(pair[0]), run_of(pair[1])));
        let first_rows: Vec<u32> =
            self.runs.iter().map(|run| run.rows.iter().copied().min().unwrap_or(u32::MAX)).collect();
        let sorted = order::sort(&first_rows, edges.filter(|(a, b)| a != b));
        self.order = if sorted.is_some() { found.certainty } else { Certainty::Unknown };
        if sorted.is_none() {
            self.why = Why::NoOrder;
        }
        let sorted = sorted.unwrap_or_else(|| order::unsorted(&first_rows));
        for (run, residue) in found.bases {
            let run = &mut self.runs[self.places[run as usize].run as usize];
            run.base = Some(residue);
        }
        for run in &mut self.runs {
            run.base = run.base.or_else(|| alignment(areas, run.rows.iter()));
        }
        self.arrange(&sorted);
    }

    /// Puts the runs into an order.
    fn arrange(&mut self, sorted: &order::Sorted) {
        let mut new_place = vec![0_u32; self.runs.len()];
        for (place, &run) in (0..).zip(&sorted.runs) {
            new_place[run as usize] = place;
        }
        let mut runs: Vec<(u32, Run)> = new_place.iter().copied().zip(std::mem::take(&mut self.runs)).collect();
        runs.sort_by_key(|(place, _)| *place);
        self.runs = runs.into_iter().map(|(_, run)| run).collect();
        self.places.iter_mut().for_each(|place| place.run = new_place[place.run as usize]);
        self.below = order::Below::of(sorted, &new_place);
    }

    /// Whether one run lies below another as far as is known; [`Layout::order`] says how surely.
    pub fn is_below(&self, one: u32, other: u32) -> bool {
        self.below.contains(one, other)
    }

    /// How much is known of a row, for certain.
    pub fn knowledge(&self, row: u32) -> Knowledge {
        let place = self.places[row as usize];
        if place.touches || self.order == Certainty::Certain && self.below.knows(place.run) {
            Knowledge::Certain
        } else if self.runs[place.run as usize].base.is_some() {
            Knowledge::Bounded
        } else {
            Knowledge::Unknown
        }
    }

    /// What there is to say in numbers.
    pub fn figures(&self) -> Figures {
        let n_rows = self.places.len() as u64;
        let pairs = |n: u64| n * n.saturating_sub(1) / 2;
        let rows = |run: usize| self.runs[run].rows.len() as u64;
        let inside: u64 = (0..self.runs.len()).map(|run| pairs(rows(run))).sum();
        let across = self.below.pairs(rows);
        let of = |wanted| (0..self.places.len() as u32).filter(|&row| self.knowledge(row) == wanted).count() as u64;
        Figures {
            rows: n_rows,
            runs: self.runs.len() as u64,
            joins: self.n_joins,
            likely_joins: self.n_likely_joins,
            ordered_pairs: inside + across,
            pairs: pairs(n_rows),
            ordered_rows: (0..)
                .zip(&self.runs)
                .filter(|(n, _)| self.below.knows(*n))
                .map(|(_, run)| run.rows.len() as u64)
                .sum(),
            certain: of(Knowledge::Certain),
            bounded: of(Knowledge::Bounded),
            unknown: of(Knowledge::Unknown),
            // Between two runs there is a page at least that is in none, unless a hash that was not believed was right.
            least_holes: (self.runs.len() as u64)
                .saturating_sub(1 + 2 * self.contradictions as u64 + self.n_likely_joins),
        }
    }
}

/// A layout in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Rows of the file.
    pub rows: u64,
    /// Runs, those of one row included.
    pub runs: u64,
    /// Rows that certainly begin where another ends.
    pub joins: u64,
    /// Others that have the hash for it.
    pub likely_joins: u64,
    /// Pairs of rows of which it is known which lies below.
    pub ordered_pairs: u64,
    /// All pairs.
    pub pairs: u64,
    /// Rows of runs of which it is known that another run lies below or above.
    pub ordered_rows: u64,
    /// Rows with [`Knowledge::Certain`].
    pub certain: u64,
    /// Rows with [`Knowledge::Bounded`].
    pub bounded: u64,
    /// Rows with [`Knowledge::Unknown`].
    pub unknown: u64,
    /// There are at least as many holes, or places that no row tells of (pools, areas being made or purged, what lies
    /// outside of the range).
    pub least_holes: u64,
}

/// Whether any row shows how large a page is.
fn tells_page_size(baseline: &Baseline) -> bool {
    let page_size = guess_page_size(baseline);
    let shows = |area: &BaselineArea| 0 < area.pages && (area.pages + 1).checked_mul(page_size) == Some(area.size);
    baseline.areas.iter().filter(|area| shows(area)).count() * 2
        > baseline.areas.iter().filter(|area| 0 < area.pages).count()
}

/// What the start of a run is modulo, by the alignment of an ioremap in it: the size without the guard page, rounded up
/// to a power of two, at least up to 128 pages (`IOREMAP_MAX_ORDER` of every architecture). Early mappings have none.
fn alignment<'r>(areas: &[BaselineArea], rows: impl Iterator<Item = &'r u32>) -> Option<Residue> {
    const SMALLEST_PAGE: u64 = 4096;
    let mut offset = 0_u64;
    let mut found: Option<Residue> = None;
    for area in rows.map(|&row| &areas[row as usize]) {
        let is_plain = area.flags == Flags::IOREMAP && area.phys.is_some() && area.state == BaselineState::Busy;
        let data = area.size.saturating_sub(SMALLEST_PAGE);
        if is_plain && SMALLEST_PAGE < data && area.caller != "iotable_init" {
            let modulus = data.checked_next_power_of_two().unwrap_or(u64::MAX / 2 + 1).min(128 * SMALLEST_PAGE);
            let rest = (modulus - offset % modulus) % modulus;
            if found.is_none_or(|known| known.modulus < modulus) {
                found = Some(Residue { rest, modulus });
            }
        }
        offset = offset.saturating_add(area.size);
    }
    found
}
