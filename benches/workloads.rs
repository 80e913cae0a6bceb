//! Nanoseconds an op on the synthetic workloads, beside what people would otherwise take.
//! `cargo bench --bench workloads [-- NAME…]`
//!
//! Each figure is the median of several passes, each from a fresh state; what stands before `mark` is not timed. Purges and
//! drain work count as time, not as ops. `sum`s are compared with those that the kernels' own code has: the same sequence
//! of addresses. The others have sums of their own: they place elsewhere, and free at once.

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use parsers::ops::{Op, Script};
use range_alloc::RangeAllocator;
use vm_allocator::{AddressAllocator, AllocPolicy, RangeInclusive};
use vmaplens::log::Log;
use vmaplens::replay::Settings;
use vmaplens::replay::script::{BulkRun, BulkScript, ScriptRun};
use vmaplens::workload::{WORKLOADS, Workload};

const PASSES: usize = 5;
const RANGE: Range<u64> = 0xffff_c900_0000_0000..0xffff_e8ff_ffff_f000;

/// The same for 6.12, 6.1 and 5.10 where one stands alone.
const SUMS: &[(&str, &[u64])] = &[
    ("fix_size", &[0x91a3_2211_b201_09a5]),
    ("full_fit", &[0x6c56_999d_c302_09a5]),
    ("long_busy_list", &[0x4b6a_c7e7_5318_3e05]),
    ("random_align", &[0xefaa_ee39_534f_39a5, 0xefaa_ee39_534f_39a5, 0x2581_925a_982d_69a5]),
    ("modules", &[0xb458_0c9e_97c4_ddc5]),
    ("frag", &[0xfa54_7c75_c302_20a5]),
    ("frag_align", &[0x2cd8_8dc5_7a59_d0a5, 0xc8b2_6064_0a09_30a5, 0xc5d0_d0a3_b457_b0a5]),
    ("steady_1k", &[0x76de_e020_8218_3dc5]),
    ("steady_10k", &[0xe9bc_c493_743d_f6e5]),
    ("steady_100k", &[0x09b0_b3cd_9e1d_9e25]),
    ("steady_1m", &[0x7173_3029_8c0d_46a5]),
    ("steady16_1k", &[0x8a66_2965_d022_adc5]),
    ("steady16_10k", &[0xe125_7996_dd9c_26e5]),
    ("steady16_100k", &[0x73c4_0277_e179_5e25]),
    ("steady16_1m", &[0x984b_c6bb_ada1_06a5]),
];

/// The releases, with the most ops that are timed: those before 5.2 walk over lists.
const RELEASES: [(&str, u64); 6] =
    [("6.12", u64::MAX), ("6.1", u64::MAX), ("5.10", u64::MAX), ("4.19", 4000), ("2.6.32", 1000), ("2.4.16", 1000)];

/// Workloads that the releases which walk over lists do not end in a minute.
const TOO_LONG: [&str; 5] = ["steady_100k", "steady_1m", "steady16_100k", "steady16_1m", "frag_align"];

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    println!("ns an op        6.12    6.1   5.10 |   4.19  2.6.32  2.4.16 | vm-alloc range-al    BTree");
    for workload in WORKLOADS.iter().filter(|workload| names.is_empty() || names.iter().any(|n| n == workload.name)) {
        print!("{:<14}", workload.name);
        let mut is_right = true;
        for (at, (release, max_ops)) in RELEASES.iter().enumerate() {
            if at == 3 {
                print!(" |");
            }
            if *max_ops < u64::MAX && TOO_LONG.contains(&workload.name) {
                print!("{:>7}", "-");
                continue;
            }
            let (ns, sum) = model(workload, release, *max_ops);
            print!("{ns:>7.0}");
            let sums = SUMS.iter().find(|(name, _)| *name == workload.name).map_or(&[][..], |(_, sums)| sums);
            // The rules of 6.9 and later have nodes: with 16 CPUs only theirs is known.
            let is_known = at == 0 || at < 3 && workload.cpus() == 1;
            is_right &= !is_known || sums.get(at).or(sums.first()) == Some(&sum);
        }
        print!(" |");
        for ns in others(workload) {
            match ns {
                Some(ns) => print!("{ns:>9.0}"),
                None => print!("{:>9}", "-"),
            }
        }
        println!("  {}", if is_right { "sums equal" } else { "SUMS DIFFER" });
    }
}

fn median(mut passes: Vec<f64>) -> f64 {
    passes.sort_by(f64::total_cmp);
    passes[passes.len() / 2]
}

fn model(workload: &Workload, release: &str, max_ops: u64) -> (f64, u64) {
    let settings = Settings { policy: Some(format!("linux-{release}")), ..Settings::default() };
    let script = Log::of_script(workload.script(max_ops), workload.name).script.expect("a script");
    let fresh = ScriptRun::new(&script, &settings).expect("a release");
    let bulk = BulkScript::new(&script, &fresh).expect("plain ops");
    let mut sum = 0;
    let passes = (0..PASSES).map(|_| {
        let mut run = BulkRun::up_to_mark(&bulk, fresh.clone());
        let since = Instant::now();
        run.timed_part();
        let elapsed = since.elapsed();
        sum = run.sum_and_purges().0;
        elapsed.as_nanos() as f64 / bulk.timed_ops() as f64
    });
    (median(passes.collect()), sum)
}

/// An allocator of ranges.
trait Other {
    fn new() -> Self;
    fn alloc(&mut self, size: u64, align: u64) -> Option<u64>;
    fn free(&mut self, start: u64, size: u64);
}

impl Other for AddressAllocator {
    fn new() -> Self {
        Self::new(RANGE.start, RANGE.end - RANGE.start).expect("a range")
    }

    fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        self.allocate(size, align.max(4096), AllocPolicy::FirstMatch).ok().map(|range| range.start())
    }

    fn free(&mut self, start: u64, size: u64) {
        let range = RangeInclusive::new(start, start + size - 1).expect("a range");
        self.free(&range).expect("in use");
    }
}

impl Other for RangeAllocator<u64> {
    fn new() -> Self {
        Self::new(RANGE)
    }

    fn alloc(&mut self, size: u64, _align: u64) -> Option<u64> {
        self.allocate_range(size).ok().map(|range| range.start)
    }

    fn free(&mut self, start: u64, size: u64) {
        self.free_range(start..start + size);
    }
}

/// First fit over a map of holes.
struct FirstFit {
    /// End of each hole, by its start.
    holes: BTreeMap<u64, u64>,
}

impl Other for FirstFit {
    fn new() -> Self {
        Self { holes: BTreeMap::from([(RANGE.start, RANGE.end)]) }
    }

    fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        let fits = |(&start, &end): (&u64, &u64)| {
            let at = start.next_multiple_of(align);
            (at + size <= end).then_some((start, at, end))
        };
        let (start, at, end) = self.holes.iter().find_map(fits)?;
        if start == at {
            self.holes.remove(&start);
        } else {
            self.holes.insert(start, at);
        }
        if at + size < end {
            self.holes.insert(at + size, end);
        }
        Some(at)
    }

    fn free(&mut self, start: u64, size: u64) {
        let (mut from, mut to) = (start, start + size);
        if let Some(end) = self.holes.remove(&to) {
            to = end;
        }
        if let Some((&below, &end)) = self.holes.range(..start).next_back()
            && end == start
        {
            from = below;
        }
        self.holes.insert(from, to);
    }
}

/// What the others need, where they can do it: none knows windows, and `range-alloc` no alignment.
fn others(workload: &Workload) -> [Option<f64>; 3] {
    // They walk over what is there: with many areas, fewer ops tell as much.
    let is_large = TOO_LONG.contains(&workload.name) || workload.name == "frag";
    let script = workload.script(if is_large { 1000 } else { 100_000 });
    let has = |wanted: &dyn Fn(u64, bool) -> bool| {
        script.ops.iter().any(|line| match line.op {
            Op::Alloc { align, window, .. } => wanted(align, window.is_some()),
            _ => false,
        })
    };
    if has(&|_, window| window) || workload.name.ends_with("1m") {
        return [None; 3];
    }
    let is_aligned = has(&|align, _| 4096 < align);
    [
        Some(timed::<AddressAllocator>(&script)),
        (!is_aligned).then(|| timed::<RangeAllocator<u64>>(&script)),
        Some(timed::<FirstFit>(&script)),
    ]
}

fn timed<A: Other>(script: &Script) -> f64 {
    let mark = script.ops.iter().position(|line| line.op == Op::Mark).expect("a mark");
    let n_ids = script.ops.iter().map(|line| if let Op::Alloc { id, .. } = line.op { id + 1 } else { 0 }).max();
    let mut live = vec![(0, 0); n_ids.unwrap_or(0) as usize];
    let mut allocator = A::new();
    let mut since = Instant::now();
    for (at, line) in script.ops.iter().enumerate() {
        match line.op {
            Op::Alloc { id, size, align, .. } => {
                live[id as usize] = (allocator.alloc(size, align).expect("room"), size);
            }
            Op::Free { id, .. } => {
                let (start, size) = live[id as usize];
                allocator.free(start, size);
            }
            Op::Mark if at == mark => since = Instant::now(),
            _ => {}
        }
    }
    since.elapsed().as_nanos() as f64 / (script.ops.len() - mark - 1) as f64
}
