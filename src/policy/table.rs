//! [`POLICIES`]: every policy people can ask for.

use super::rules::{CACHED_PAGES, End, Guard, Layers, Release, Rule};

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
    /// A rule of the literature, or none, with the layers around it.
    Textbook(Layers),
}

impl PolicyEntry {
    /// The release whose details the bare id stands for, and the span of its era; `None` if it is no era.
    pub fn era(&self) -> Option<(Release, (&'static str, &'static str))> {
        match self.kind {
            Kind::Era { release, span } => Some((release, span)),
            Kind::Textbook(_) => None,
        }
    }

    /// What the bare id is put together from; `None` of an era.
    pub fn layers(&self) -> Option<Layers> {
        match self.kind {
            Kind::Era { .. } => None,
            Kind::Textbook(layers) => Some(layers),
        }
    }
}

const KERNEL: &str = "the Linux kernel's mm/vmalloc.c, as its own answers show it";

/// Every policy: the eras, oldest first, then the others. `--policy`, help, pickers and tests walk this table.
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
    PolicyEntry {
        id: "first-fit",
        title: "the lowest place that fits",
        about: "Address-ordered first fit. Every hole is in a tree that knows the largest hole below each node, and the \
                lowest one in which the area really fits is taken. For requests aligned to a page it answers as Linux \
                5.2 and later does; with a stricter alignment it finds places which Linux passes by, because Linux asks \
                for size and alignment together. Areas gather at the bottom of the range: few page tables. The guard \
                page is inside the size, and freed areas wait for a purge as in Linux.",
        source: "Knuth, The Art of Computer Programming 1, 2.5; Wilson, Johnstone, Neely and Boles 1995",
        kind: Kind::Textbook(Layers::of(Rule::FirstFit)),
    },
    PolicyEntry {
        id: "best-fit",
        title: "the shortest hole that fits",
        about: "Address-ordered best fit: of the holes that fit, the one with the fewest bytes inside the request's window, \
                of equals the lowest; the area lies at its low end, or with +high at the highest aligned address. Thread \
                stacks aligned to THREAD_SIZE leave gaps of a few pages, and best fit gives these to small requests \
                first, which keeps long holes long. It pays with tiny holes that nothing fits into. The guard page is \
                part of the length that is compared; freed areas wait for a purge.",
        source: "Knuth, The Art of Computer Programming 1, 2.5; Wilson, Johnstone, Neely and Boles 1995",
        kind: Kind::Textbook(Layers::of(Rule::BestFit { end: End::Low })),
    },
    PolicyEntry {
        id: "worst-fit",
        title: "the longest hole",
        about: "The hole with the most bytes inside the window, of equals the lowest. In a range of 32 TiB that is the tail \
                above everything else until it is shorter than some hole, so nothing that was freed is used again: a \
                lower bound for reuse, with the most page tables and the longest flushes. In a range of 128 MiB it cuts up \
                the long holes that large requests need. Guard page, alignment gaps and lazy freeing as in first fit; the \
                gaps stay unused.",
        source: "Wilson, Johnstone, Neely and Boles 1995",
        kind: Kind::Textbook(Layers::of(Rule::WorstFit)),
    },
    PolicyEntry {
        id: "next-fit",
        title: "the next place above the last one",
        about: "First fit that begins where the area placed last ended, and at the bottom again when nothing above fits. \
                What comes back around that address moves it down to the start of the hole. It resembles the cached hole \
                of Linux 2.6.39 to 5.1 without its rewinds: searches are short, but areas spread over the whole range and \
                freed places, alignment gaps too, wait for the next round. Requests for other windows have a place of \
                their own to go on from. The guard page is inside the size; freed areas wait for a purge.",
        source: "Knuth, The Art of Computer Programming 1, 2.5; Wilson, Johnstone, Neely and Boles 1995",
        kind: Kind::Textbook(Layers::of(Rule::NextFit)),
    },
    PolicyEntry {
        id: "buddy",
        title: "powers of two, halved and joined",
        about: "Binary buddies: a request takes the lowest block of the smallest power of two of pages that holds it, halving \
                a larger one if need be; a block that comes back is joined with its other half if that is free. Blocks are \
                naturally aligned, so THREAD_SIZE costs nothing beyond rounding, and huge mappings find their alignment. \
                But vmalloc asks for 2^n pages and a guard page, which is the worst size there is: half of the block is \
                slack. The largest block has 4 GiB; lists are ordered by address. Freed areas wait for a purge.",
        source: "Knuth, The Art of Computer Programming 1, 2.5; Peterson and Norman 1977",
        kind: Kind::Textbook(Layers::of(Rule::Buddy { trims: false })),
    },
    PolicyEntry {
        id: "buddy-outside",
        title: "buddies, the guard page in the slack",
        about: "Buddies whose blocks are rounded from the pages without the guard: 2^n pages take 2^n pages and not twice as \
                many. The guard page lies in what rounding leaves over; an area that fills its block has none, and runs \
                into its neighbour without a fault. What the worst case of buddy would cost less, and what it would give \
                up for that. Every size is taken to have its guard page in it. Freed areas wait for a purge.",
        source: "Knuth, The Art of Computer Programming 1, 2.5; Peterson and Norman 1977",
        kind: Kind::Textbook(Layers { guard: Guard::Outside, ..Layers::of(Rule::Buddy { trims: false }) }),
    },
    PolicyEntry {
        id: "buddy-trim",
        title: "buddies that give back their slack",
        about: "Buddies that give what an area does not need of its block back at once, as smaller blocks; a free returns the \
                pieces. There is no slack, and 2^n pages with a guard page leave blocks of 1, 2, 4 … pages behind, which \
                only requests of these sizes can use: waste moves from inside the blocks to between them. Alignment is \
                still natural. The guard page is inside the size; freed areas wait for a purge.",
        source: "Wilson, Johnstone, Neely and Boles 1995",
        kind: Kind::Textbook(Layers::of(Rule::Buddy { trims: true })),
    },
    PolicyEntry {
        id: "tlsf",
        title: "two-level segregated fit",
        about: "Holes are in lists by length: one for each number of pages below 32, then 32 for each power of two, the newest \
                first. A request is rounded up to the next class, so that whatever is in the first list with anything \
                fits: a constant number of looks, and no look at holes of its own class, which may be just long enough. An \
                alignment above a page is added to the size, so THREAD_SIZE stacks pass by holes that would do. Areas come \
                back to the head of a list and are reused while warm, unless the purge hands back many at once. The guard \
                page is inside the size.",
        source: "Masmano, Ripoll, Crespo and Real 2004",
        kind: Kind::Textbook(Layers::of(Rule::Tlsf)),
    },
    PolicyEntry {
        id: "vmem",
        title: "instant fit behind quantum caches",
        about: "Free segments are in lists by power of two, the newest first, and a request takes the head of the first list \
                in which everything is long enough. In front of that, sizes up to 16 pages (+cached=N) have caches: two \
                magazines of eight for each CPU, a depot, and slabs of 64 pages. Requests with an alignment, as thread \
                stacks, or a window of their own go to the lists, segment by segment. The pools of Linux 6.9 are close \
                relatives, filled by purges instead of slabs; here too what is freed waits for a purge, then goes to the \
                magazines of the CPU that asked for it. A full purge or the shrinker empties the caches.",
        source: "Bonwick and Adams 2001",
        kind: Kind::Textbook(Layers::of(Rule::Vmem { cached_pages: CACHED_PAGES })),
    },
    PolicyEntry {
        id: "random",
        title: "any place that fits",
        about: "Randomised placement: each aligned address of the window at which the area fits is as likely as every other. \
                Nobody can guess an address from another one; what it costs are page tables, one or more for each area in a \
                range of 32 TiB, and in a small range holes cut up until nothing long is left. The numbers follow from \
                +seed=N (0) and from the number of requests before, and are the same on any machine. The guard page is \
                inside the size, alignment gaps matter as little as any place, and freed areas wait for a purge.",
        source: "address space randomisation, as practised for modules and user mappings; numbers by SplitMix64, Steele, \
                 Lea and Flood 2014",
        kind: Kind::Textbook(Layers::of(Rule::Random)),
    },
    PolicyEntry {
        id: "recorded",
        title: "where the trace says",
        about: "No rule: each area lies where the trace has it, and what lies between areas is free. To compare others with, \
                and to see what was really there. A request for which the trace has no address, because another policy \
                served it and the kernel did not, finds no place here. Sizes with their guard pages, alignment gaps and \
                failures are the trace's; when freed space was reused is the trace's too, whatever still waits here for a \
                purge.",
        source: "the input",
        kind: Kind::Textbook(Layers::of(Rule::Recorded)),
    },
];
