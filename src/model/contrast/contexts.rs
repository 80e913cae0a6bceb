//! Where a call is allowed, with which flags, and whether it may sleep.

use super::{Call, Facts, KvmallocRule, VmallocGfp, kvmalloc_rule};

/// What the CPU is doing when it asks for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// A task that holds no lock forbidding sleep.
    Process,
    /// A task that must not sleep: it holds a spin lock, or preemption is off.
    Atomic,
    /// A softirq.
    Softirq,
    /// A tasklet: runs in a softirq, and the same holds.
    Tasklet,
    /// A hard interrupt.
    Hardirq,
}

impl Context {
    /// All, in the order of the columns.
    pub const ALL: [Self; 5] = [Self::Process, Self::Atomic, Self::Softirq, Self::Tasklet, Self::Hardirq];

    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Process => "process context",
            Self::Atomic => "process context under a spin lock",
            Self::Softirq => "softirq",
            Self::Tasklet => "tasklet",
            Self::Hardirq => "hard interrupt",
        }
    }

    fn may_sleep(self) -> bool {
        self == Self::Process
    }
}

/// The flags that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gfp {
    /// `GFP_KERNEL`: may wait until memory was freed or written out.
    Kernel,
    /// `GFP_ATOMIC`: takes what is there, reserves included.
    Atomic,
    /// `GFP_DMA | GFP_KERNEL`: from the lowest zone, may wait. `GFP_DMA` names a zone, not a way of waiting.
    DmaKernel,
    /// `GFP_DMA | GFP_ATOMIC`: from the lowest zone, at once.
    DmaAtomic,
}

impl Gfp {
    /// All, in the order of the rows.
    pub const ALL: [Self; 4] = [Self::Kernel, Self::Atomic, Self::DmaKernel, Self::DmaAtomic];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "GFP_KERNEL",
            Self::Atomic => "GFP_ATOMIC",
            Self::DmaKernel => "GFP_DMA | GFP_KERNEL",
            Self::DmaAtomic => "GFP_DMA | GFP_ATOMIC",
        }
    }

    /// May the allocation sleep?
    pub fn may_sleep(self) -> bool {
        matches!(self, Self::Kernel | Self::DmaKernel)
    }

    fn is_dma(self) -> bool {
        matches!(self, Self::DmaKernel | Self::DmaAtomic)
    }
}

/// May a call be made?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Yes, and it may sleep.
    MaySleep,
    /// Yes, and it does not sleep.
    NoSleep,
    /// Yes, but only half of it works.
    Partly(&'static str),
    /// No.
    No(&'static str),
}

impl Verdict {
    /// Is the call allowed, if only in part?
    pub fn is_allowed(self) -> bool {
        !matches!(self, Self::No(_))
    }

    /// The reason, where there is something to say.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::MaySleep | Self::NoSleep => None,
            Self::Partly(reason) | Self::No(reason) => Some(reason),
        }
    }
}

/// Which flags suit a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// Where.
    pub context: Context,
    /// Flags for ordinary memory.
    pub gfp: Gfp,
    /// Flags for memory of the lowest zone.
    pub dma: Gfp,
    /// Why.
    pub reason: &'static str,
}

/// One row for each context.
pub const ADVICE: [Advice; Context::ALL.len()] = [
    Advice {
        context: Context::Process,
        gfp: Gfp::Kernel,
        dma: Gfp::DmaKernel,
        reason: "it may sleep, so memory can be freed for it",
    },
    Advice {
        context: Context::Atomic,
        gfp: Gfp::Atomic,
        dma: Gfp::DmaAtomic,
        reason: "whoever sleeps with a spin lock lets others spin for ever; better allocate before taking it",
    },
    Advice {
        context: Context::Softirq,
        gfp: Gfp::Atomic,
        dma: Gfp::DmaAtomic,
        reason: "a softirq is no task: there is nothing that could be woken again",
    },
    Advice { context: Context::Tasklet, gfp: Gfp::Atomic, dma: Gfp::DmaAtomic, reason: "a tasklet runs in a softirq" },
    Advice {
        context: Context::Hardirq,
        gfp: Gfp::Atomic,
        dma: Gfp::DmaAtomic,
        reason: "an interrupt has borrowed the stack of whatever ran; it cannot sleep",
    },
];

const NOT_THERE: Verdict = Verdict::No("this release has no such call");
const SLEEPS: Verdict = Verdict::No("it may sleep, and here nothing may");
const DMA_RANGE: &str = "each page is in the zone, but not in one piece: of little use to a device";

/// One call, all flags, all contexts.
pub(super) fn verdicts(call: Call, size: u64, facts: &Facts) -> [[Verdict; Context::ALL.len()]; Gfp::ALL.len()] {
    Gfp::ALL.map(|gfp| Context::ALL.map(|context| verdict(call, size, facts, gfp, context)))
}

fn verdict(call: Call, size: u64, facts: &Facts, gfp: Gfp, context: Context) -> Verdict {
    match call {
        Call::Kzalloc if !facts.has_kzalloc => NOT_THERE,
        Call::Kvmalloc if !facts.has_kvmalloc => NOT_THERE,
        Call::Kmalloc | Call::Kzalloc => plain(gfp, context),
        Call::Kvmalloc => by_kvmalloc(size, facts, gfp, context),
        Call::Vmalloc => by_vmalloc(facts.vmalloc_gfp, gfp, context),
    }
}

/// The rule of the page allocator: what may sleep needs a context that may.
fn plain(gfp: Gfp, context: Context) -> Verdict {
    match (gfp.may_sleep(), context.may_sleep()) {
        (true, true) => Verdict::MaySleep,
        (true, false) => SLEEPS,
        (false, _) => Verdict::NoSleep,
    }
}

fn by_vmalloc(allowed: VmallocGfp, gfp: Gfp, context: Context) -> Verdict {
    let is_interrupt = !matches!(context, Context::Process | Context::Atomic);
    if context == Context::Hardirq || is_interrupt && allowed < VmallocGfp::NotInHardirq {
        return Verdict::No("vmalloc is refused in an interrupt");
    }
    if gfp.may_sleep() && !context.may_sleep() {
        return SLEEPS;
    }
    if !gfp.may_sleep() && allowed == VmallocGfp::Sleeps {
        return match context {
            Context::Process => Verdict::Partly("the pages are taken at once, but page tables and objects may sleep"),
            _ => Verdict::No("page tables and objects are allocated with GFP_KERNEL, whatever the flags say"),
        };
    }
    match (gfp.is_dma(), gfp.may_sleep()) {
        (true, _) => Verdict::Partly(DMA_RANGE),
        (false, true) => Verdict::MaySleep,
        (false, false) => Verdict::NoSleep,
    }
}

fn by_kvmalloc(size: u64, facts: &Facts, gfp: Gfp, context: Context) -> Verdict {
    let first = plain(gfp, context);
    let second = by_vmalloc(facts.vmalloc_gfp, gfp, context);
    match kvmalloc_rule(size, facts) {
        _ if !first.is_allowed() => first,
        KvmallocRule::KmallocOnly => first,
        KvmallocRule::Vmalloc => second,
        KvmallocRule::KmallocThenVmalloc => match second {
            Verdict::MaySleep | Verdict::NoSleep => first,
            Verdict::Partly(_) if gfp.may_sleep() => second,
            Verdict::Partly(_) | Verdict::No(_) => Verdict::Partly("kmalloc alone: vmalloc cannot honour these flags"),
        },
    }
}
