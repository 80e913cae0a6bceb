//! The caches of vmem once more: magazines of eight and slabs of 64 pages, in plain lists.

use super::naive::{Asked, Naive, Newest};

/// A range cut into objects.
struct Slab {
    base: u64,
    pages: u64,
    n_cut: u64,
    back: Vec<u64>,
    out: u64,
}

/// Magazines of eight and slabs of 64 pages, in front of the lists.
pub(crate) struct Cached {
    arena: Newest,
    /// CPU, pages, loaded, previous.
    cpus: Vec<(u32, u64, Vec<u64>, Vec<u64>)>,
    /// Pages and full magazines, the newest last.
    depot: Vec<(u64, Vec<u64>)>,
    slabs: Vec<Slab>,
}

impl Cached {
    pub(crate) fn new(pages: u64) -> Self {
        Self { arena: Newest::new(pages, false), cpus: Vec::new(), depot: Vec::new(), slabs: Vec::new() }
    }

    fn magazines(&mut self, cpu: u32, pages: u64) -> &mut (u32, u64, Vec<u64>, Vec<u64>) {
        let at = self.cpus.iter().position(|of| (of.0, of.1) == (cpu, pages)).unwrap_or(self.cpus.len());
        if at == self.cpus.len() {
            self.cpus.push((cpu, pages, Vec::new(), Vec::new()));
        }
        &mut self.cpus[at]
    }

    fn of_slab(&mut self, pages: u64) -> Option<u64> {
        let has_room =
            |slab: &&mut Slab| slab.pages == pages && (!slab.back.is_empty() || (slab.n_cut + 1) * pages <= 64);
        let slab = self.slabs.iter_mut().filter(has_room).min_by_key(|slab| slab.base)?;
        slab.out += 1;
        slab.back.pop().or_else(|| {
            slab.n_cut += 1;
            Some(slab.base + (slab.n_cut - 1) * pages)
        })
    }
}

impl Naive for Cached {
    fn alloc(&mut self, asked: &Asked) -> Option<(u64, u64)> {
        let n = asked.pages;
        if !asked.whole || asked.align > 1 || n > 16 {
            return self.arena.alloc(asked);
        }
        let (_, _, loaded, previous) = self.magazines(asked.cpu, n);
        if loaded.is_empty() {
            std::mem::swap(loaded, previous);
        }
        if let Some(start) = loaded.pop() {
            return Some((start, n));
        }
        if let Some(at) = self.depot.iter().rposition(|full| full.0 == n) {
            let (_, full) = self.depot.remove(at);
            let mine = self.magazines(asked.cpu, n);
            mine.2 = full;
            return mine.2.pop().map(|start| (start, n));
        }
        if let Some(start) = self.of_slab(n) {
            return Some((start, n));
        }
        match self.arena.alloc(&Asked { pages: 64, ..*asked }) {
            Some((base, _)) => {
                self.slabs.push(Slab { base, pages: n, n_cut: 0, back: Vec::new(), out: 0 });
                self.of_slab(n).map(|start| (start, n))
            }
            None => self.arena.alloc(asked),
        }
    }

    fn give(&mut self, start: u64, pages: u64, cpu: u32) {
        let Some(slab) = self.slabs.iter().find(|slab| (slab.base..slab.base + 64).contains(&start)) else {
            return self.arena.give(start, pages, cpu);
        };
        let n = slab.pages;
        let (_, _, loaded, previous) = self.magazines(cpu, n);
        if loaded.len() < 8 {
            return loaded.push(start);
        }
        std::mem::swap(loaded, previous);
        let full = (loaded.len() == 8).then(|| std::mem::take(loaded));
        loaded.push(start);
        self.depot.extend(full.map(|full| (n, full)));
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        self.arena.holes()
    }

    fn reap(&mut self) {
        self.cpus.sort_by_key(|of| (of.0, of.1));
        self.depot.sort_by_key(|full| full.0);
        let of_cpus = std::mem::take(&mut self.cpus).into_iter().flat_map(|of| [of.2, of.3]);
        let of_depot = std::mem::take(&mut self.depot).into_iter().map(|full| full.1);
        for start in of_cpus.chain(of_depot).flatten().collect::<Vec<_>>() {
            let home = self.slabs.iter_mut().find(|slab| (slab.base..slab.base + 64).contains(&start));
            let slab = home.expect("parked objects come from slabs");
            slab.back.push(start);
            slab.out -= 1;
        }
        self.slabs.sort_by_key(|slab| slab.base);
        let (whole, kept): (Vec<Slab>, Vec<Slab>) =
            std::mem::take(&mut self.slabs).into_iter().partition(|slab| slab.out == 0);
        self.slabs = kept;
        for slab in whole {
            self.arena.give(slab.base, 64, 0);
        }
    }
}
