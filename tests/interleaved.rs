//! Traces made by an allocator whose CPUs take turns at random: what they did is known, and has to be found again.
//!
//! Each CPU changes the state in one turn and writes its record in a later one, as kernels do; a purge takes one step in
//! a turn. So records stand in an order that is not that of the changes, and purges are recorded long after they acted.

#[path = "common/support.rs"]
mod common;

use std::sync::Arc;

use common::Dice;
use vmaplens::event::{Addr, Event, EventKind, Nanos, TaskId, WindowId};
use vmaplens::log::{Log, Window};
use vmaplens::model::{Allocator, HelperOrder, PurgeKind, PurgePart, Request};
use vmaplens::policy::{Augmented, Setup, by_id};
use vmaplens::replay::{Follow, Replay, Settings};

const PAGE: u64 = 4096;
const WINDOW: Window = Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff };

/// A purge on its way.
#[derive(Default)]
struct Running {
    /// The node at hand, and the pools of it that have been seen, by pages.
    node: u32,
    behind: u32,
    /// What is still to be returned, the last one first.
    steps: Vec<PurgePart>,
    is_flushed: bool,
    lists: Vec<(u32, u32)>,
    bounds: Option<(u64, u64)>,
}

impl Running {
    /// The next step; `None` if there is none left.
    fn next(&mut self, space: &Augmented, dice: &mut Dice) -> Option<PurgePart> {
        let node = self.node;
        if node < space.n_nodes() {
            let mut pages = None;
            space.visit_pools(&mut |of, area| {
                let size = (area.len_bytes() / PAGE) as u32;
                if of == node && self.behind < size {
                    pages = Some(pages.map_or(size, |least: u32| least.min(size)));
                }
            });
            if let Some(pages) = pages {
                self.behind = pages;
                return Some(PurgePart::DecayPool { node, pages, full: false });
            }
            if self.behind != u32::MAX {
                self.behind = u32::MAX;
                return Some(PurgePart::MergeDecayed { node });
            }
            (self.node, self.behind) = (node + 1, 0);
            let mut n = 0;
            space.visit_lazy(node, &mut |area| {
                n += 1;
                let (low, high) = self.bounds.unwrap_or((u64::MAX, 0));
                self.bounds = Some((low.min(area.start), high.max(area.end)));
            });
            if n > 0 {
                self.lists.push((node, n));
            }
            return Some(PurgePart::Detach { node });
        }
        if !self.is_flushed {
            self.is_flushed = true;
            for &(node, n) in self.lists.iter().rev() {
                let full = false;
                self.steps.extend([PurgePart::Merge { node }, PurgePart::Subtract { node, full }]);
                let mut upto = n;
                while 0 < upto {
                    self.steps.push(PurgePart::Fill { node, upto, full });
                    upto = upto.saturating_sub(1 + dice.roll(3) as u32);
                }
            }
        }
        self.steps.pop()
    }
}

/// The machine that is traced.
struct Traced {
    space: Augmented,
    log: Log,
    window: WindowId,
    /// By CPU: its task, and what it has done and not yet written.
    cpus: Vec<(TaskId, Option<EventKind>)>,
    live: Vec<u64>,
    purge: Option<(usize, Running)>,
    dice: Dice,
    /// Of a hundred changes so many are written before anybody else has a turn.
    at_once: u64,
}

impl Traced {
    fn new(policy: &str, n_cpus: u32, at_once: u64, seed: u64) -> Self {
        let mut log = Log::default();
        let window = log.names.add_window(WINDOW);
        let task = |cpu| (log.names.add_task(b"busy", 100 + cpu), None);
        let cpus = (0..n_cpus.cast_signed()).map(task).collect();
        log.origin.kernel = policy.strip_prefix("linux-").map(str::to_owned);
        log.origin.from_boot = Some(true);
        log.origin.page_size = Some(PAGE);
        log.origin.arch = Some("amd64".to_owned());
        log.origin.vmalloc = Some(WINDOW);
        (log.origin.cpus_online, log.origin.cpus_possible) = (Some(n_cpus), Some(n_cpus));
        let space = Augmented::new(&Setup {
            rules: by_id(policy).expect(policy).rules,
            cpus_online: n_cpus,
            cpus_possible: n_cpus,
            window: WINDOW,
            page_size: PAGE,
            is_32_bit: false,
            early: Vec::new(),
            lazy_max_bytes: None,
        });
        Self { space, log, window, cpus, live: Vec::new(), purge: None, dice: Dice(seed), at_once }
    }

    /// One CPU, whichever it is, does the next thing it has to do.
    fn turn(&mut self) {
        let cpu = self.dice.roll(self.cpus.len() as u64) as usize;
        if self.write(cpu) {
            return;
        }
        let done = match &mut self.purge {
            Some((at, purge)) if *at == cpu => match purge.next(&self.space, &mut self.dice) {
                Some(part) => {
                    self.space.purge_part(part, None);
                    return;
                }
                None => self.end_purge(),
            },
            None if self.dice.roll(60) == 0 => {
                self.purge = Some((cpu, Running::default()));
                return;
            }
            _ if !self.live.is_empty() && self.dice.roll(100) < 47 => self.free(),
            _ => self.alloc(cpu as u32),
        };
        self.cpus[cpu].1 = Some(done);
        // Mostly nobody comes between.
        if self.dice.roll(100) < self.at_once {
            self.write(cpu);
        }
    }

    /// Writes what a CPU has done; `false` if there is nothing to write.
    fn write(&mut self, cpu: usize) -> bool {
        let (task, pending) = &mut self.cpus[cpu];
        let Some(kind) = pending.take() else { return false };
        // Nobody knows of an area before its allocation has returned.
        if let EventKind::Alloc { addr, .. } = kind {
            self.live.push(addr.0);
        }
        let n = self.log.events.len();
        self.log.events.push(Event { at: Nanos(n as u64), line: n as u32, task: *task, cpu: cpu as u16, kind });
        true
    }

    fn end_purge(&mut self) -> EventKind {
        let num_purged = self.space.purge(PurgeKind::Partial, HelperOrder::default(), None).num_purged;
        let bounds = self.purge.take().and_then(|(_, purge)| purge.bounds);
        let (start, end) = bounds.unwrap_or((u64::MAX, 0));
        EventKind::Purge { start: Addr(start), end: Addr(end), num_purged }
    }

    fn free(&mut self) -> EventKind {
        let at = self.dice.roll(self.live.len() as u64) as usize;
        let addr = self.live.swap_remove(at);
        let freed = self.space.free(addr, None).expect("live");
        EventKind::Free { addr: Addr(addr), nr_lazy: freed.nr_lazy, nr_lazy_max: self.space.lazy_max_pages() }
    }

    fn alloc(&mut self, cpu: u32) -> EventKind {
        let (pages, align) = match self.dice.roll(4) {
            0 => (5, 1 << 14),
            _ => (1 + self.dice.roll(8), 1),
        };
        let size = pages * PAGE;
        let request = Request { size, align, window: WINDOW, cpu, first_attempt: true };
        let answer = self.space.place(&request, None);
        let extent = self.space.settle(&request, answer, 0, None).expect("room");
        EventKind::Alloc { addr: Addr(extent.start()), size, align, window: self.window, failed: false }
    }

    /// Takes turns until there are so many records, then until everybody has written and purged what there is.
    fn run(mut self, n_records: usize) -> Log {
        while self.log.events.len() < n_records {
            self.turn();
        }
        while self.purge.is_some() {
            self.turn();
        }
        for cpu in 0..self.cpus.len() {
            self.write(cpu);
        }
        self.space.audit().expect("sound");
        self.log
    }
}

/// Records made by one run.
const RECORDS: usize = 600;
/// Runs of each kind.
const SEEDS: u64 = 6;

/// Attempts, and how many of them nothing explained, over runs with so many CPUs.
fn found_again(n_cpus: u32) -> [u64; 2] {
    let mut total = [0, 0];
    for at_once in [100, 98, 90, 0] {
        for seed in 0..SEEDS {
            let log = Traced::new("linux-6.12", n_cpus, at_once, seed).run(RECORDS);
            let settings = Settings { memory: Follow::Nothing, ..Settings::default() };
            let mut replay = Replay::open(Arc::new(log), &settings).expect("opens");
            while replay.step() {
                let at = replay.cursor();
                let sound = replay.space().allocator().audit();
                assert_eq!(sound, Ok(()), "{n_cpus} CPUs, {at_once} %, seed {seed}, at {at}");
            }
            let tally = replay.tally();
            assert_eq!(tally.exact + tally.inferred + tally.adopted, tally.allocs);
            total = [total[0] + tally.allocs, total[1] + tally.adopted];
        }
    }
    total
}

/// More happens at the same time here than on any real machine: of everything that is allocated, much is while a purge
/// runs.
#[test]
fn what_two_cpus_did_is_found_again() {
    let [allocs, adopted] = found_again(2);
    assert!(7_000 < allocs && adopted * 100 <= allocs, "{adopted} of {allocs}");
}

#[test]
fn nearly_all_that_three_cpus_did_is_found_again() {
    let [allocs, adopted] = found_again(3);
    assert!(7_000 < allocs && adopted * 25 <= allocs, "{adopted} of {allocs}");
}
