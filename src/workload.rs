//! Synthetic workloads: sequences of allocations and frees that load the allocator in one way each, as op scripts.
//!
//! Every machine makes the same ones: the numbers come from a generator of our own, and each workload names its seed.

use std::fmt::{self, Write};

use parsers::ops::{Op, OpLine, Script, parse};

/// Bytes in a page of a workload.
const PAGE: u64 = 4096;
/// The range of modules on x86-64.
const MODULES: (u64, u64) = (0xffff_ffff_c000_0000, 0xffff_ffff_ff00_0000);
/// Pairs of a free and an allocation behind `mark`, where nothing else is said.
const PAIRS: u64 = 500_000;

/// What a workload does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Areas of one to four pages; one at random is freed and allocated anew.
    Steady { areas: u64, cpus: u32 },
    /// Four ops at the end of a long row of areas.
    LongBusyList,
    /// Every second area of a long row is free; what is allocated is up to 16 pages long.
    Frag { aligned: bool },
    /// One size, allocated and freed.
    FixSize,
    /// The same in a row with holes of exactly that size.
    FullFit,
    /// Alignments up to 4 MiB.
    RandomAlign,
    /// Steady, in the range of modules.
    Modules,
}

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    kind: Kind,
}

const fn workload(name: &'static str, title: &'static str, kind: Kind) -> Workload {
    Workload { name, title, kind }
}

const fn steady(name: &'static str, title: &'static str, areas: u64, cpus: u32) -> Workload {
    workload(name, title, Kind::Steady { areas, cpus })
}

/// Every workload.
pub const WORKLOADS: &[Workload] = &[
    workload("fix_size", "four pages, allocated and freed", Kind::FixSize),
    workload("full_fit", "8,192 holes of exactly the size that is asked for", Kind::FullFit),
    workload("long_busy_list", "at the end of 15,000 areas", Kind::LongBusyList),
    workload("random_align", "alignments up to 4 MiB", Kind::RandomAlign),
    workload("modules", "1,000 areas in the range of modules", Kind::Modules),
    workload("frag", "up to 16 pages among 50,000 holes of one to four", Kind::Frag { aligned: false }),
    workload("frag_align", "the same, aligned up to 128 KiB", Kind::Frag { aligned: true }),
    steady("steady_1k", "one of 1,000 areas is freed and allocated anew", 1000, 1),
    steady("steady_10k", "one of 10,000", 10_000, 1),
    steady("steady_100k", "one of 100,000", 100_000, 1),
    steady("steady_1m", "one of 1,000,000", 1_000_000, 1),
    steady("steady16_1k", "one of 1,000, from 16 CPUs", 1000, 16),
    steady("steady16_10k", "one of 10,000, from 16 CPUs", 10_000, 16),
    steady("steady16_100k", "one of 100,000, from 16 CPUs", 100_000, 16),
    steady("steady16_1m", "one of 1,000,000, from 16 CPUs", 1_000_000, 16),
];

/// The workload of a name.
pub fn by_name(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    /// One page to `n` pages, in bytes.
    fn pages(&mut self, n: u64) -> u64 {
        (1 + self.below(n)) * PAGE
    }
}

/// Takes ops until enough are timed.
struct Sink<'a> {
    visit: &'a mut dyn FnMut(Op),
    is_timed: bool,
    left: u64,
}

impl Sink<'_> {
    fn mark(&mut self) {
        (self.visit)(Op::Mark);
        self.is_timed = true;
    }

    fn op(&mut self, op: Op) {
        if self.is_timed {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
        }
        (self.visit)(op);
    }

    fn full(&mut self, id: u64, size: u64, align: u64, window: Option<(u64, u64)>, cpu: u32) {
        self.op(Op::Alloc { id, size, align, window, cpu });
    }

    fn alloc(&mut self, id: u64, size: u64) {
        self.full(id, size, 1, None, 0);
    }

    fn free(&mut self, id: u64) {
        self.op(Op::Free { id, cpu: 0 });
    }

    fn is_full(&self) -> bool {
        self.left == 0
    }
}

impl Workload {
    /// CPUs of the machine, possible and online.
    pub fn cpus(&self) -> u32 {
        match self.kind {
            Kind::Steady { cpus, .. } => cpus,
            _ => 1,
        }
    }

    /// The header of its script.
    pub fn header(&self) -> String {
        let cpus = self.cpus();
        format!("range 0xffffc90000000000 0xffffe8ffffffffff\ncpus {cpus}\npossible {cpus}\nautowork 1\n")
    }

    /// Its ops in order, at most `max_timed` behind `mark`.
    pub fn visit(&self, max_timed: u64, visit: &mut dyn FnMut(Op)) {
        let mut to = Sink { visit, is_timed: false, left: max_timed };
        match self.kind {
            Kind::Steady { areas, cpus } => steady_ops(areas, cpus, &mut to),
            Kind::LongBusyList => long_busy_list(&mut to),
            Kind::Frag { aligned } => frag(aligned, &mut to),
            Kind::FixSize => {
                to.mark();
                pairs(&mut to, |to| to.alloc(0, 4 * PAGE), |to| to.free(0));
            }
            Kind::FullFit => full_fit(&mut to),
            Kind::RandomAlign => {
                let mut random = Random(3);
                to.mark();
                let alloc = |to: &mut Sink<'_>| {
                    let align = 1 << random.below(23);
                    to.full(0, (2 + random.below(10)) * PAGE, align, None, 0);
                };
                pairs(&mut to, alloc, |to| to.free(0));
            }
            Kind::Modules => modules(&mut to),
        }
    }

    /// Its script, at most `max_timed` ops behind `mark`: what reading the text of [`Workload::write`] gives.
    pub fn script(&self, max_timed: u64) -> Script {
        let mut script = parse(self.header().as_bytes());
        let mut line = self.header().lines().count() as u32;
        self.visit(max_timed, &mut |op| {
            line += 1;
            script.ops.push(OpLine { line, op });
        });
        script
    }

    /// Appends its script to `out`, at most `max_timed` ops behind `mark`.
    ///
    /// # Errors
    /// Only what `out` reports.
    pub fn write(&self, max_timed: u64, out: &mut dyn Write) -> fmt::Result {
        out.write_str(&self.header())?;
        let mut result = Ok(());
        self.visit(max_timed, &mut |op| {
            if result.is_ok() {
                result = write_op(&op, out);
            }
        });
        result
    }
}

/// One line. Of an op that no workload has, its word.
fn write_op(op: &Op, out: &mut dyn Write) -> fmt::Result {
    match *op {
        Op::Alloc { id, size, align: 1, window: None, cpu: 0 } => writeln!(out, "a {id} {size}"),
        Op::Alloc { id, size, align, window: None, cpu: 0 } => writeln!(out, "a {id} {size} {align}"),
        Op::Alloc { id, size, align, window: None, cpu } => writeln!(out, "a {id} {size} {align} - - {cpu}"),
        Op::Alloc { id, size, align, window: Some((vstart, vend)), cpu } => {
            writeln!(out, "a {id} {size} {align} {vstart:#x} {vend:#x} {cpu}")
        }
        Op::Free { id, .. } => writeln!(out, "f {id}"),
        _ => writeln!(out, "{}", op.word()),
    }
}

fn pairs(to: &mut Sink<'_>, mut first: impl FnMut(&mut Sink<'_>), mut second: impl FnMut(&mut Sink<'_>)) {
    for _ in 0..PAIRS {
        if to.is_full() {
            return;
        }
        first(to);
        second(to);
    }
}

fn steady_ops(areas: u64, cpus: u32, to: &mut Sink<'_>) {
    let mut random = Random(1);
    let alloc = |id: u64, random: &mut Random, to: &mut Sink<'_>| {
        let size = random.pages(4);
        let cpu = if cpus == 1 { 0 } else { random.below(u64::from(cpus)) as u32 };
        match cpus {
            1 => to.alloc(id, size),
            _ => to.full(id, size, 1, None, cpu),
        }
    };
    for id in 0..areas {
        alloc(id, &mut random, to);
    }
    to.mark();
    for _ in 0..PAIRS {
        if to.is_full() {
            return;
        }
        let id = random.below(areas);
        to.free(id);
        alloc(id, &mut random, to);
    }
}

fn long_busy_list(to: &mut Sink<'_>) {
    const AREAS: u64 = 15_000;
    for id in 0..AREAS {
        to.alloc(id, 2 * PAGE);
    }
    to.mark();
    for _ in 0..100_000 {
        to.alloc(AREAS, 101 * PAGE);
        to.alloc(AREAS + 1, 2 * PAGE);
        to.free(AREAS);
        to.free(AREAS + 1);
    }
}

fn frag(aligned: bool, to: &mut Sink<'_>) {
    const AREAS: u64 = 100_000;
    let mut random = Random(2);
    for id in 0..AREAS {
        to.alloc(id, random.pages(4));
    }
    for id in (1..AREAS).step_by(2) {
        to.free(id);
    }
    to.op(Op::Purge);
    to.mark();
    for _ in 0..200_000 {
        if to.is_full() {
            return;
        }
        let id = 2 * random.below(AREAS / 2);
        to.free(id);
        let size = random.pages(16);
        let align = if aligned { PAGE << random.below(6) } else { 1 };
        to.full(id, size, align, None, 0);
    }
}

fn full_fit(to: &mut Sink<'_>) {
    const AREAS: u64 = 16_384;
    for id in 0..AREAS {
        to.alloc(id, 2 * PAGE);
    }
    for id in (1..AREAS).step_by(2) {
        to.free(id);
    }
    to.op(Op::Purge);
    to.mark();
    pairs(to, |to| to.alloc(1, 2 * PAGE), |to| to.free(1));
}

fn modules(to: &mut Sink<'_>) {
    const AREAS: u64 = 1000;
    let mut random = Random(4);
    for id in 0..AREAS {
        to.full(id, random.pages(32), 1, Some(MODULES), 0);
    }
    to.mark();
    for _ in 0..PAIRS {
        if to.is_full() {
            return;
        }
        let id = random.below(AREAS);
        to.free(id);
        to.full(id, random.pages(32), 1, Some(MODULES), 0);
    }
}
