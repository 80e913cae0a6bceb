//! In which order a kernel printed the lines: how many nodes it has, and where in the file each begins.
//!
//! From 6.9 on node 0's areas come first, then node 1's, each ascending; an area belongs to node
//! `(start / zone) mod nodes`, as `addr_to_node` does. So for one number of nodes and one page of a zone for the first
//! area of a run to begin in, everything follows: which rows of the run are in which node. They have to stand where that
//! node's rows stand, one after the other, for between them in address is nothing else. Runs of some length fit one way
//! or none, and then tell for their rows which node these are in, and so for all rows between them.

use super::{Certainty, Layout, Residue, SMALL, Why};
use crate::log::{BaselineArea, BaselineState};

/// `VMAP_NODES_MAX` is as many: of more CPUs several share a node (6.9 and later).
const MOST_NODES: u32 = 128;

/// Pages of a zone, `vmap_zone_size` (6.9 and later).
const ZONE: u64 = 16;

/// Numbers of nodes that fit, above which none is followed: the file tells too little.
const MOST_TRIED: usize = 24;

/// Runs that are looked at, the longest: fewer only tell less.
const MOST_CHAINS: usize = 256;

/// What is known of the nodes of the kernel that printed a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nodes {
    /// Nothing.
    #[default]
    Unknown,
    /// One list in ascending order: before 6.9, of 32 bits, or with one possible CPU.
    One,
    /// So many.
    Exactly(u32),
}

impl Nodes {
    /// Of 6.9 and later on 64 bits: a node for each possible CPU.
    pub fn of_cpus(n_cpus: u32) -> Self {
        match n_cpus.min(MOST_NODES) {
            0 | 1 => Self::One,
            n => Self::Exactly(n),
        }
    }
}

/// What the order of lines tells.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) certainty: Certainty,
    pub(super) why: Why,
    pub(super) n_nodes: Option<u32>,
    /// Rows that ascend, list by list.
    pub(super) blocks: Vec<Vec<u32>>,
    /// A row of each run whose first address is known modulo the nodes' zones, and the rest.
    pub(super) bases: Vec<(u32, Residue)>,
}

impl Found {
    pub(super) fn none(why: Why) -> Self {
        Self { certainty: Certainty::Unknown, why, n_nodes: None, blocks: Vec::new(), bases: Vec::new() }
    }
}

/// A run as this file needs it: its rows that are in order, ascending by address.
struct Chain {
    /// Any of its rows in the file.
    row: u32,
    /// Place among the rows in order, and pages from the run's start.
    members: Vec<(usize, u64)>,
}

/// Finds the order.
pub(super) fn find(areas: &[BaselineArea], layout: &Layout, page_size: Option<u64>, known: Nodes) -> Found {
    // Lazily freed areas come last, in an order of their own; only kernels that have them in place, which are those
    // before 5.4, print a busy one behind.
    let is_lazy = |row: &u32| areas[*row as usize].state == BaselineState::Unpurged;
    let all = 0..areas.len() as u32;
    let last_busy = all.clone().rev().find(|row| !is_lazy(row)).unwrap_or(0);
    let in_place = all.clone().take_while(|row| *row < last_busy).any(|row| is_lazy(&row));
    let rows: Vec<u32> = all.filter(|row| in_place || !is_lazy(row)).collect();
    let known = if in_place { Nodes::One } else { known };
    let chains = chains(layout, &rows, page_size.unwrap_or(4096));
    let touching: usize = chains.iter().map(|chain| chain.members.len() - 1).sum();
    // Lines in any other order would not have those that touch together.
    if (rows.len() as f64).powf(-(touching as f64)) > SMALL {
        return Found::none(Why::FewTouch);
    }
    let is_ascending = chains.iter().all(|chain| chain.members.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0));
    if known == Nodes::One && !is_ascending {
        return Found::none(Why::NoOrder);
    }
    if known == Nodes::One || known == Nodes::Unknown && is_ascending {
        // Each border of a zone that a run crosses is one more node, of as many as there are at most.
        let spans = chains.iter().map(|chain| chain.members.last().map_or(0, |last| last.1) - chain.members[0].1);
        let up_to = spans.map(|span| span / ZONE).sum::<u64>().clamp(1, u64::from(MOST_NODES)) as u32;
        let is_sure = known == Nodes::One || up_to == MOST_NODES && page_size.is_some();
        let up_to = if page_size.is_some() { up_to } else { 1 };
        return Found {
            certainty: if is_sure { Certainty::Certain } else { Certainty::Likely },
            why: if is_sure { Why::Ascending } else { Why::LooksAscending { up_to } },
            n_nodes: is_sure.then_some(1),
            blocks: vec![rows],
            bases: Vec::new(),
        };
    }
    let tried = match known {
        Nodes::Exactly(n) => n..=n,
        _ => 2..=MOST_NODES,
    };
    match page_size {
        Some(page_size) => node_by_node(&rows, &chains[..chains.len().min(MOST_CHAINS)], page_size, tried),
        None => Found::none(Why::NoOrder),
    }
}

fn chains(layout: &Layout, rows: &[u32], page_size: u64) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for run in layout.runs.iter().filter(|run| 1 < run.rows.len()) {
        let member = |row: &u32| {
            let place = rows.binary_search(row).ok()?;
            Some((place, layout.places[*row as usize].offset))
        };
        let members: Vec<(usize, u64)> = run.rows.iter().filter_map(member).collect();
        // A size that is no multiple of a page was damaged.
        if 1 < members.len() && members.iter().all(|(_, offset)| offset % page_size == 0) {
            let members = members.into_iter().map(|(place, offset)| (place, offset / page_size)).collect();
            chains.push(Chain { row: run.rows[0], members });
        }
    }
    // Long ones first: they are what does not fit.
    chains.sort_by_key(|chain| std::cmp::Reverse(chain.members.len()));
    chains
}

/// One way in which a run can lie: for each node that it has rows in the first and the last place of those.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    /// Node, first and last place, ascending in all three.
    nodes: Vec<(u32, usize, usize)>,
    /// Pages from the start of node 0's zone to the first address, modulo all zones; `None` if several are alike.
    base: Option<u64>,
}

/// Between which places each node can begin: `low[k]..=high[k]` for node `k`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Borders {
    low: Vec<usize>,
    high: Vec<usize>,
}

fn node_by_node(rows: &[u32], chains: &[Chain], page_size: u64, tried: std::ops::RangeInclusive<u32>) -> Found {
    let mut fitting: Vec<(u32, Vec<Vec<Way>>)> = Vec::new();
    for n_nodes in tried {
        let ways = chains.iter().map(|chain| {
            let ways = ways(chain, n_nodes);
            (!ways.is_empty()).then_some(ways)
        });
        if let Some(ways) = ways.collect::<Option<Vec<_>>>() {
            fitting.push((n_nodes, ways));
        }
        if MOST_TRIED < fitting.len() {
            return Found::none(Why::FewTouch);
        }
    }
    // A place where a node may begin, under any number of nodes that fits.
    let mut may_begin = vec![false; rows.len() + 1];
    let mut left: Vec<(u32, Vec<Vec<Way>>)> = Vec::new();
    for (n_nodes, mut ways) in fitting {
        let Some(borders) = settle(&mut ways, n_nodes, rows.len()) else { continue };
        for (low, high) in borders.low.iter().zip(&borders.high).skip(1) {
            may_begin[*low..=*high].fill(true);
        }
        left.push((n_nodes, ways));
    }
    let [(n_nodes, ways)] = &left[..] else {
        let why = if left.is_empty() { Why::NoOrder } else { Why::NodeByNode };
        let certainty = if left.is_empty() { Certainty::Unknown } else { Certainty::Certain };
        let blocks = if left.is_empty() { Vec::new() } else { blocks(rows, &may_begin) };
        return Found { certainty, blocks, ..Found::none(why) };
    };
    let modulus = ZONE * u64::from(*n_nodes) * page_size;
    let base = |(chain, ways): (&Chain, &Vec<Way>)| match &ways[..] {
        [Way { base: Some(base), .. }] => Some((chain.row, Residue { rest: base * page_size, modulus })),
        _ => None,
    };
    Found {
        certainty: Certainty::Certain,
        why: Why::NodeByNode,
        n_nodes: Some(*n_nodes),
        blocks: blocks(rows, &may_begin),
        bases: chains.iter().zip(ways).filter_map(base).collect(),
    }
}

/// Cuts the rows wherever a node may begin.
fn blocks(rows: &[u32], may_begin: &[bool]) -> Vec<Vec<u32>> {
    let mut blocks: Vec<Vec<u32>> = Vec::new();
    for (place, &row) in rows.iter().enumerate() {
        match blocks.last_mut().filter(|_| !may_begin[place]) {
            Some(block) => block.push(row),
            None => blocks.push(vec![row]),
        }
    }
    blocks
}

/// Every way in which a run can lie among `n_nodes` nodes, by itself.
fn ways(chain: &Chain, n_nodes: u32) -> Vec<Way> {
    let n = u64::from(n_nodes);
    let mut ways: Vec<Way> = Vec::new();
    for page in 0..ZONE {
        // Its rows by node, as if it began in a zone of node 0; those of one node stand one after the other.
        let mut classes: Vec<(u32, usize, usize)> = Vec::new();
        let mut last_of: Vec<Option<usize>> = vec![None; n_nodes as usize];
        let fits = chain.members.iter().all(|&(place, offset)| {
            let class = ((page + offset) / ZONE % n) as u32;
            match last_of[class as usize] {
                Some(index) if classes[index].2 + 1 == place => {
                    classes[index].2 = place;
                    true
                }
                Some(_) => false,
                None => {
                    last_of[class as usize] = Some(classes.len());
                    classes.push((class, place, place));
                    true
                }
            }
        });
        if !fits {
            continue;
        }
        classes.sort_by_key(|class| class.1);
        for shift in 0..n_nodes {
            let nodes: Vec<_> =
                classes.iter().map(|&(class, first, last)| ((class + shift) % n_nodes, first, last)).collect();
            if nodes.windows(2).all(|pair| pair[0].0 < pair[1].0) {
                let base = Some(u64::from(shift) * ZONE + page);
                match ways.iter_mut().find(|way| way.nodes == nodes) {
                    Some(way) => way.base = None,
                    None => ways.push(Way { nodes, base }),
                }
            }
        }
    }
    ways
}

/// Leaves of the ways of each run those that go together with some of every other run; `None` if a run has none.
fn settle(ways: &mut [Vec<Way>], n_nodes: u32, n_rows: usize) -> Option<Borders> {
    let n = n_nodes as usize;
    let mut borders = Borders { low: vec![0; n], high: vec![n_rows; n] };
    borders.high[0] = 0;
    loop {
        let before = borders.clone();
        for ways in ways.iter_mut() {
            ways.retain(|way| borders.allow(way));
            if ways.is_empty() {
                return None;
            }
            let mut any = Borders { low: vec![usize::MAX; n], high: vec![0; n] };
            for way in ways.iter() {
                any.widen(way, n_rows);
            }
            borders.narrow(&any);
        }
        if borders == before {
            return Some(borders);
        }
    }
}

impl Borders {
    /// Whether a run can lie so.
    fn allow(&self, way: &Way) -> bool {
        way.nodes.iter().all(|&(node, first, last)| {
            let node = node as usize;
            // The node begins at its first row or before, the next one behind its last.
            self.low[node] <= first && self.high.get(node + 1).is_none_or(|next| last < *next)
        })
    }

    /// Lets each node begin where it can if a run lies so.
    fn widen(&mut self, way: &Way, n_rows: usize) {
        let mut known = way.nodes.iter().peekable();
        let mut behind = 0;
        for node in 0..self.low.len() {
            while let Some((_, _, last)) = known.next_if(|(known, ..)| (*known as usize) < node) {
                behind = last + 1;
            }
            let before = known.peek().map_or(n_rows, |(_, first, _)| *first);
            self.low[node] = self.low[node].min(behind);
            self.high[node] = self.high[node].max(before);
        }
    }

    /// Takes over what is narrower.
    fn narrow(&mut self, other: &Self) {
        for node in 0..self.low.len() {
            self.low[node] = self.low[node].max(other.low[node]);
            self.high[node] = self.high[node].min(other.high[node]);
        }
        self.high[0] = 0;
        for node in 1..self.low.len() {
            self.low[node] = self.low[node].max(self.low[node - 1]);
        }
        for node in (1..self.low.len()).rev() {
            self.high[node - 1] = self.high[node - 1].min(self.high[node]);
        }
    }
}
