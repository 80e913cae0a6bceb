//! [`Record`]: one event of a trace, whatever form the trace is in.
//!
//! Text of tracefs, of `trace-cmd report` and of `perf script`, `trace.dat` files: their readers all hand out this. What
//! a form does not tell is `None`, empty or [`Stamp::Unknown`], never a guess.

/// One event, or a remark of the kernel about the events around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Line it starts on, counted from 1; 0 in binary inputs.
    pub line: u32,
    /// Byte offset of that line, or of the record in a binary input.
    pub offset: u64,
    /// Who, where and when; `None` with the trace option `nocontext-info` and for remarks.
    pub prefix: Option<Prefix<'a>>,
    /// What happened.
    pub body: Body<'a>,
}

/// What stands before the event's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix<'a> {
    /// The task's name as the kernel remembered it when the file was read: any bytes, at most 15, cut to 8
    /// by the latency format. `<...>` if it was not remembered, empty if the form does not tell.
    pub comm: &'a [u8],
    /// The thread's id; 0 is an idle task, -1 if the form does not tell, other negative ones occur for broken tasks.
    pub pid: i32,
    /// The process id, with the option `record-tgid` and if the kernel knew it.
    pub tgid: Option<i32>,
    /// The CPU that wrote the event; `None` if the form does not tell.
    pub cpu: Option<u16>,
    /// The flags column as printed: four to eight characters, empty with `noirq-info`, a decimal number in
    /// the verbose latency format.
    pub flags: &'a [u8],
    /// When.
    pub stamp: Stamp,
}

/// A time stamp in the unit that the text shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// Nanoseconds of a clock that counts time; the text has microseconds, rounded half up.
    Nanos(u64),
    /// The number that a clock without a known unit shows: `counter`, `uptime` (jiffies), `x86-tsc`.
    Ticks(u64),
    /// Nanoseconds since the trace buffer was cleared (latency format).
    Relative(u64),
    /// The form does not tell: order is all there is.
    Unknown,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// `alloc_vmap_area`
    Alloc(Alloc),
    /// `free_vmap_area_noflush`
    Free(Free),
    /// `purge_vmap_area_lazy`
    Purge(Purge),
    /// Text that somebody wrote to `trace_marker`, with all its lines.
    Marker(&'a [u8]),
    /// Kernel stack of the event before it that has the same pid and CPU; innermost frame first.
    Stack(Vec<Frame<'a>>),
    /// User-space stack of the event before it that has the same pid and CPU; innermost frame first.
    UserStack(Vec<Frame<'a>>),
    /// A failure that the kernel reported in its log.
    Failure(Failure<'a>),
    /// A kprobe or kretprobe.
    Probe {
        /// The name that was given to the probe.
        name: &'a [u8],
        /// What stands in the parentheses: `function+0x0/0x880`, or `caller+0xb1/0x150 <- function`.
        at: &'a [u8],
        /// The fetched arguments as printed: `size=20480 align=16384`.
        args: &'a [u8],
    },
    /// Any other event; a line of the function tracer is called `function`, a raw marker `raw_data`.
    Other {
        /// The event's name.
        name: &'a [u8],
        /// The rest of the line.
        args: &'a [u8],
    },
    /// Events of this CPU were overwritten between its previous event and its next one.
    Lost {
        /// The CPU; `None` if the form does not tell.
        cpu: Option<u16>,
        /// How many events; `None` if the kernel did not count them.
        count: Option<u64>,
    },
    /// The buffer of this CPU holds nothing older than what follows.
    BufferStarted {
        /// The CPU.
        cpu: u16,
    },
}

/// An attempt to take a range of addresses (kernel 6.2 and later).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alloc {
    /// Address of the range. Of a failed attempt: `vend`, or a negative errno in newer kernels.
    pub va_start: u64,
    /// Bytes, guard page included.
    pub size: u64,
    /// Bytes; 1 and 8 mean page alignment.
    pub align: u64,
    /// Lowest address the caller accepts.
    pub vstart: u64,
    /// End of what the caller accepts, as the kernel passes it: often the last byte (`…fff`).
    pub vend: u64,
    /// No room was found; the kernel may purge and try again.
    pub failed: bool,
}

/// A range was given back; it stays unusable until the next purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Address of the range. There is no size.
    pub va_start: u64,
    /// Lazy pages, this range included.
    pub nr_lazy: u64,
    /// A purge is scheduled when `nr_lazy` passes this number of pages.
    pub nr_lazy_max: u64,
}

/// Lazy ranges were made usable again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    /// Lowest flushed address; all ones when nothing was purged.
    pub start: u64,
    /// End of the flushed addresses; 0 when nothing was purged.
    pub end: u64,
    /// Areas (6.9 and later) or merged ranges of areas (before).
    pub num_purged: u64,
}

/// What a kernel log says of a vmalloc request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Bytes asked for.
    pub size: Option<u64>,
    /// `size` includes the guard page.
    pub includes_guard: bool,
    /// The range the request was restricted to, end exclusive.
    pub window: Option<(u64, u64)>,
    /// Bytes that had been allocated when it failed.
    pub allocated: Option<u64>,
    /// The message, without what stands before it.
    pub text: &'a [u8],
}

/// One frame of a stack, in any of the styles that the `sym-*` options choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Function, or the path of a user-space file; empty if only the address is printed.
    pub symbol: &'a [u8],
    /// Bytes into the function or file (`sym-offset`).
    pub offset: Option<u64>,
    /// Bytes of the function (`sym-offset`).
    pub length: Option<u64>,
    /// Module of the function.
    pub module: Option<&'a [u8]>,
    /// Return address (`sym-addr`).
    pub address: Option<u64>,
}

impl Frame<'_> {
    /// Appends the frame as the kernel prints it, `alloc_vmap_area+0x3b3/0x8e0 [module]`, or the address alone: other
    /// people's bytes.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(self.symbol);
        if let Some(offset) = self.offset {
            out.extend_from_slice(format!("+0x{offset:x}").as_bytes());
        }
        if let Some(length) = self.length {
            out.extend_from_slice(format!("/0x{length:x}").as_bytes());
        }
        if let (true, Some(address)) = (out.len() == begin, self.address) {
            out.extend_from_slice(format!("0x{address:016x}").as_bytes());
        }
        if let Some(module) = self.module {
            out.extend_from_slice(b" [");
            out.extend_from_slice(module);
            out.push(b']');
        }
    }
}
