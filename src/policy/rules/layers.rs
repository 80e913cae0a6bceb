//! [`Layers`]: what a policy that is not an era is put together from.

/// Where space is taken from, when freed space comes back, and where the guard page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layers {
    /// Which place a request is given.
    pub rule: Rule,
    /// When freed space can be given out again.
    pub reuse: Reuse,
    /// What keeps neighbours apart.
    pub guard: Guard,
    /// What randomised placement draws from.
    pub seed: u64,
}

/// Which place a request is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The lowest that fits.
    FirstFit,
    /// The lowest that fits above the area placed last, round and round.
    NextFit,
    /// The shortest hole that fits; of equals the lowest.
    BestFit {
        /// The end of the hole that is taken.
        end: End,
    },
    /// The longest hole; of equals the lowest.
    WorstFit,
    /// The lowest block of the smallest power of two that is large enough, halved until it is no larger than needed.
    Buddy {
        /// What an area does not need of its block is given back at once.
        trims: bool,
    },
    /// The newest block of the first non-empty class in which every block is large enough.
    Tlsf,
    /// The newest segment of the first list in which every one is large enough, behind caches for each CPU.
    Vmem {
        /// Pages of the largest size that has caches; 0: none.
        cached_pages: u32,
    },
    /// Any place that fits, each as likely as the others.
    Random,
    /// Where the trace says.
    Recorded,
}

/// An end of a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The lowest aligned address.
    Low,
    /// The highest one.
    High,
}

/// When freed space can be given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// At once.
    Immediate,
    /// After a purge: when the lazy pages go above `lazy_max_pages`, before a request fails, or when somebody asks.
    Lazy,
}

/// What keeps neighbours apart. The size of a request has a page for it, in every policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The last page of each area, as in Linux.
    Inside,
    /// Buddy only: the block is as large as the pages without the guard ask for. The guard lies in what the block has left
    /// over, and where that is nothing, there is none.
    Outside,
    /// Nothing does.
    None,
    /// The page above each area, which is the one below its neighbour: it need not be there at the end of the range.
    Shared,
}

/// The range of sizes that have caches, in pages, if none is named.
pub const CACHED_PAGES: u32 = 16;

impl Layers {
    /// A rule with the layers that Linux has around it: freed space waits for a purge, the guard page is inside.
    pub const fn of(rule: Rule) -> Self {
        Self { rule, reuse: Reuse::Lazy, guard: Guard::Inside, seed: 0 }
    }

    /// With an option (`immediate`, `seed=7`); `None` if there is no such option or the rule does not have it.
    #[must_use]
    pub fn with(self, option: &str) -> Option<Self> {
        let is_buddy = matches!(self.rule, Rule::Buddy { .. });
        let is_placed = self.rule != Rule::Recorded;
        Some(match (option.split_once('='), option) {
            (None, "lazy") => Self { reuse: Reuse::Lazy, ..self },
            (None, "immediate") => Self { reuse: Reuse::Immediate, ..self },
            (None, "guard-inside") => Self { guard: Guard::Inside, ..self },
            (None, "guard-none") if is_placed => Self { guard: Guard::None, ..self },
            (None, "guard-outside") if is_buddy => Self { guard: Guard::Outside, ..self },
            (None, "guard-shared") if is_placed && !is_buddy => Self { guard: Guard::Shared, ..self },
            (None, "trim") if is_buddy => Self { rule: Rule::Buddy { trims: true }, ..self },
            (None, "high") if matches!(self.rule, Rule::BestFit { .. }) => {
                Self { rule: Rule::BestFit { end: End::High }, ..self }
            }
            (Some(("cached", pages)), _) if matches!(self.rule, Rule::Vmem { .. }) => {
                let cached_pages = pages.parse().ok().filter(|&pages| pages <= 256)?;
                Self { rule: Rule::Vmem { cached_pages }, ..self }
            }
            (Some(("seed", seed)), _) if self.rule == Rule::Random => Self { seed: seed.parse().ok()?, ..self },
            _ => return None,
        })
    }

    /// The options that make these layers of `plain`, each behind a `+`.
    pub(in crate::policy) fn options_beyond(&self, plain: &Self) -> String {
        let mut options = String::new();
        let mut add = |option: &str| {
            options.push('+');
            options.push_str(option);
        };
        if self.rule != plain.rule {
            match self.rule {
                Rule::Buddy { .. } => add("trim"),
                Rule::BestFit { .. } => add("high"),
                Rule::Vmem { cached_pages } => add(&format!("cached={cached_pages}")),
                _ => {}
            }
        }
        if self.guard != plain.guard {
            add(match self.guard {
                Guard::Inside => "guard-inside",
                Guard::Outside => "guard-outside",
                Guard::None => "guard-none",
                Guard::Shared => "guard-shared",
            });
        }
        if self.reuse != plain.reuse {
            add(if self.reuse == Reuse::Lazy { "lazy" } else { "immediate" });
        }
        if self.seed != plain.seed {
            add(&format!("seed={}", self.seed));
        }
        options
    }
}
