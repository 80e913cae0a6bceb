//! The rules once more, page by page and list by list, without a tree: written from their descriptions.

/// One arena: pages are numbers from 0.
pub(crate) trait Naive {
    /// Pages of the area and where it lies. `whole`: the window is the arena.
    fn alloc(&mut self, asked: &Asked) -> Option<(u64, u64)>;
    /// An area comes back.
    fn give(&mut self, start: u64, pages: u64, cpu: u32);
    /// Free runs, ascending.
    fn holes(&self) -> Vec<(u64, u64)>;
    /// Caches are emptied.
    fn reap(&mut self) {}
}

/// A request: pages, alignment in pages, window in pages, CPU, and how many requests came before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) pages: u64,
    pub(crate) align: u64,
    pub(crate) low: u64,
    pub(crate) high: u64,
    pub(crate) whole: bool,
    pub(crate) cpu: u32,
    pub(crate) nth: u64,
}

/// A flag for each page, and brute force.
pub(crate) struct Bitmap {
    pub(crate) free: Vec<bool>,
    pub(crate) rule: &'static str,
    rover: u64,
}

impl Bitmap {
    pub(crate) fn new(pages: u64, rule: &'static str) -> Self {
        Self { free: vec![true; pages as usize], rule, rover: 0 }
    }

    fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (page, &is_free) in self.free.iter().enumerate() {
            let page = page as u64;
            match runs.last_mut() {
                Some(run) if is_free && run.1 == page => run.1 += 1,
                _ if is_free => runs.push((page, page + 1)),
                _ => {}
            }
        }
        runs
    }

    fn fits(&self, start: u64, asked: &Asked) -> bool {
        let end = start + asked.pages;
        start.is_multiple_of(asked.align)
            && asked.low <= start
            && end <= asked.high
            && self.free[start as usize..end as usize].iter().all(|&free| free)
    }

    /// Every place that fits.
    fn places(&self, asked: &Asked) -> Vec<u64> {
        (asked.low..asked.high.saturating_sub(asked.pages - 1)).filter(|&start| self.fits(start, asked)).collect()
    }

    /// Runs cut to the window that have a place, with all their places.
    fn clipped(&self, asked: &Asked) -> Vec<((u64, u64), Vec<u64>)> {
        let places = self.places(asked);
        let clip = |(start, end): (u64, u64)| (start.max(asked.low), end.min(asked.high));
        let of = |run: (u64, u64)| {
            let inside = places.iter().copied().filter(|&at| run.0 <= at && at + asked.pages <= run.1);
            (run, inside.collect::<Vec<_>>())
        };
        self.runs().into_iter().map(clip).filter(|run| run.0 < run.1).map(of).filter(|(_, at)| !at.is_empty()).collect()
    }

    fn choose(&self, asked: &Asked) -> Option<u64> {
        let places = self.places(asked);
        let lowest = places.first().copied();
        match self.rule {
            "first-fit" => lowest,
            "next-fit" => places.iter().copied().find(|&at| self.rover <= at).or(lowest),
            "best-fit" | "best-fit+high" => {
                let runs = self.clipped(asked);
                let (_, at) = runs.iter().min_by_key(|((start, end), _)| (end - start, *start))?;
                if self.rule == "best-fit" { at.first().copied() } else { at.last().copied() }
            }
            "worst-fit" => {
                let runs = self.clipped(asked);
                let longest = runs.iter().map(|((start, end), _)| end - start).max()?;
                let (_, at) = runs.iter().find(|((start, end), _)| end - start == longest)?;
                at.first().copied()
            }
            "random" => Self::draw(asked, &places),
            rule => unreachable!("{rule}"),
        }
    }

    /// 64 aligned addresses of the window, the first that fits; else one of those that fit.
    fn draw(asked: &Asked, places: &[u64]) -> Option<u64> {
        let (mut seed, mut nth) = (0, asked.nth);
        let mut state = mix(&mut seed) ^ mix(&mut nth).rotate_left(32);
        let all: Vec<u64> = (asked.low..asked.high).filter(|at| at.is_multiple_of(asked.align)).collect();
        let all: Vec<u64> = all.into_iter().filter(|at| at + asked.pages <= asked.high).collect();
        if all.is_empty() {
            return None;
        }
        for _ in 0..64 {
            let at = all[below(all.len() as u64, &mut state) as usize];
            if places.contains(&at) {
                return Some(at);
            }
        }
        if places.is_empty() { None } else { Some(places[below(places.len() as u64, &mut state) as usize]) }
    }
}

/// The next number of `SplitMix64`.
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// An unbiased number below `n`: of 2^64 numbers, those that would make some answers likelier are drawn again.
fn below(n: u64, state: &mut u64) -> u64 {
    let surplus = ((1_u128 << 64) % u128::from(n)) as u64;
    loop {
        let product = u128::from(mix(state)) * u128::from(n);
        if surplus <= product as u64 {
            return (product >> 64) as u64;
        }
    }
}

impl Naive for Bitmap {
    fn alloc(&mut self, asked: &Asked) -> Option<(u64, u64)> {
        let start = self.choose(asked)?;
        self.free[start as usize..(start + asked.pages) as usize].fill(false);
        self.rover = start + asked.pages;
        Some((start, asked.pages))
    }

    fn give(&mut self, start: u64, pages: u64, _cpu: u32) {
        self.free[start as usize..(start + pages) as usize].fill(true);
        let around = self.runs().into_iter().find(|run| run.0 < self.rover && self.rover < run.1);
        if let Some((first, _)) = around.filter(|run| run.0 <= start && start < run.1) {
            self.rover = first;
        }
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        self.runs()
    }
}

/// Free blocks in no order.
pub(crate) struct Buddies {
    blocks: Vec<(u64, u32)>,
    owned: Vec<(u64, u32)>,
    pub(crate) outside: bool,
    pub(crate) trims: bool,
}

impl Buddies {
    pub(crate) fn new(pages: u64, outside: bool, trims: bool) -> Self {
        Self { blocks: Self::pieces(0, pages), owned: Vec::new(), outside, trims }
    }

    /// The largest aligned block that fits, again and again.
    fn pieces(start: u64, end: u64) -> Vec<(u64, u32)> {
        let mut pieces = Vec::new();
        let mut at = start;
        while at < end {
            let order =
                (0..=20).rev().find(|k| at.is_multiple_of(1 << k) && at + (1 << k) <= end).expect("a page fits");
            pieces.push((at, order));
            at += 1 << order;
        }
        pieces
    }

    fn give_block(&mut self, start: u64, order: u32) {
        let mut block = (start, order);
        while let Some(at) = self.blocks.iter().position(|&(start, order)| {
            let whole = 2 << order;
            order == block.1 && order < 20 && start / whole == block.0 / whole
        }) {
            let other = self.blocks.swap_remove(at);
            block = (block.0.min(other.0), block.1 + 1);
        }
        self.blocks.push(block);
    }
}

impl Naive for Buddies {
    fn alloc(&mut self, asked: &Asked) -> Option<(u64, u64)> {
        let rounded = if self.outside { (asked.pages - 1).max(1) } else { asked.pages };
        let order = (0..=20).find(|k| rounded.max(asked.align) <= 1 << k)?;
        let bytes = 1_u64 << order;
        let place = |&(start, k): &(u64, u32)| {
            let inside = (start..start + (1 << k)).step_by(bytes as usize);
            let found = inside.into_iter().find(|at| asked.low <= *at && at + bytes <= asked.high);
            found.filter(|_| order <= k).map(|at| (k, start, at))
        };
        let (k, start, at) = self.blocks.iter().filter_map(place).min()?;
        self.blocks.retain(|&block| block != (start, k));
        // What lies beside the block that is taken, halved down to it.
        let (mut low, mut high) = (start, start + (1 << k));
        while high - low > bytes {
            let middle = low.midpoint(high);
            let size = (middle - low).ilog2();
            if at < middle {
                self.blocks.push((middle, size));
                high = middle;
            } else {
                self.blocks.push((low, size));
                low = middle;
            }
        }
        let pages = asked.pages.min(bytes);
        if self.trims {
            for (start, order) in Self::pieces(at + pages, at + bytes) {
                self.give_block(start, order);
            }
        } else {
            self.owned.push((at, order));
        }
        Some((at, pages))
    }

    fn give(&mut self, start: u64, pages: u64, _cpu: u32) {
        match self.owned.iter().position(|owned| owned.0 == start) {
            Some(at) => {
                let (start, order) = self.owned.swap_remove(at);
                self.give_block(start, order);
            }
            None => Self::pieces(start, start + pages).into_iter().for_each(|(start, k)| self.give_block(start, k)),
        }
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        let mut holes: Vec<_> = self.blocks.iter().map(|&(start, order)| (start, start + (1 << order))).collect();
        holes.sort_unstable();
        holes
    }
}

/// Holes, the newest first: the lists of all classes in one.
pub(crate) struct Newest {
    holes: Vec<(u64, u64)>,
    is_tlsf: bool,
}

impl Newest {
    pub(crate) fn new(pages: u64, is_tlsf: bool) -> Self {
        Self { holes: vec![(0, pages)], is_tlsf }
    }

    fn class(&self, pages: u64) -> (u32, u64) {
        match (self.is_tlsf, pages) {
            (false, _) => (pages.ilog2(), 0),
            (true, ..32) => (0, pages),
            (true, _) => {
                let f = pages.ilog2();
                (f, (pages >> (f - 5)) - 32)
            }
        }
    }

    fn place((start, end): (u64, u64), asked: &Asked) -> Option<u64> {
        let at = start.max(asked.low).next_multiple_of(asked.align);
        (at + asked.pages <= end.min(asked.high)).then_some(at)
    }

    /// The first that fits in the order of classes and, within each, of age.
    fn first_from(&self, class: (u32, u64), asked: &Asked) -> Option<(usize, u64)> {
        let mut in_order: Vec<usize> = (0..self.holes.len()).collect();
        let class_of = |at: usize| self.class(self.holes[at].1 - self.holes[at].0);
        in_order.sort_by_key(|&at| class_of(at));
        let mut wanted = in_order.into_iter().filter(|&at| class <= class_of(at));
        wanted.find_map(|at| Some((at, Self::place(self.holes[at], asked)?)))
    }

    fn find(&self, asked: &Asked) -> Option<(usize, u64)> {
        let n = asked.pages;
        if self.is_tlsf {
            let n = n + asked.align - 1;
            let rounded = if n < 32 { n } else { n + (1 << (n.ilog2() - 5)) - 1 };
            return self.first_from(self.class(rounded), asked);
        }
        if !asked.whole || asked.align > 1 {
            return self.first_from((n.ilog2(), 0), asked);
        }
        let instant = if n.is_power_of_two() { n.ilog2() } else { n.ilog2() + 1 };
        self.first_from((instant, 0), asked).or_else(|| {
            let own = (0..self.holes.len()).filter(|&at| {
                let (start, end) = self.holes[at];
                (end - start).ilog2() == n.ilog2() && n <= end - start
            });
            let at = own.min_by_key(|&at| self.holes[at].1 - self.holes[at].0)?;
            Some((at, self.holes[at].0))
        })
    }
}

impl Naive for Newest {
    fn alloc(&mut self, asked: &Asked) -> Option<(u64, u64)> {
        let (at, start) = self.find(asked)?;
        let hole = self.holes.remove(at);
        for rest in [(hole.0, start), (start + asked.pages, hole.1)] {
            if rest.0 < rest.1 {
                self.holes.insert(0, rest);
            }
        }
        Some((start, asked.pages))
    }

    fn give(&mut self, start: u64, pages: u64, _cpu: u32) {
        let mut merged = (start, start + pages);
        self.holes.retain(|hole| {
            let touches = hole.1 == start || hole.0 == start + pages;
            if touches {
                merged = (merged.0.min(hole.0), merged.1.max(hole.1));
            }
            !touches
        });
        self.holes.insert(0, merged);
    }

    fn holes(&self) -> Vec<(u64, u64)> {
        let mut holes = self.holes.clone();
        holes.sort_unstable();
        holes
    }
}
