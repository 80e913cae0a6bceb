//! [`Facts`]: what follows from the records alone, read ahead: when each purge can have begun, and what it took off.

mod probes;

use std::collections::{HashMap, HashSet, VecDeque};

use crate::event::EventKind;
use crate::log::Log;
use crate::model::{AddressSpace, PurgeKind, Request, VmapArea};

use super::super::overflow::{Overflow, task_slots};
use super::super::percpu::{ChunkRules, ChunkWatch};
use super::super::{Machine, resolve};
use super::state::Env;
use probes::{Calls, Probed};

/// What a record asks of a state.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// An attempt to find space; `None`: it failed.
    Alloc { request: Request, recorded: Option<u64>, chunk: Option<(u64, u64)> },
    /// An area is freed, and the counter shows so many pages.
    Free { addr: u64, nr_lazy: u64 },
    /// A free begins, as a probe shows: the area is lazy after this record, and before the next one of its CPU.
    /// So many purges begin before that one.
    FreeBegins { addr: u64, end: u64, n_purges: u32 },
    /// An area is in use whose request no probe saw.
    Unasked { addr: u64, end: u64 },
    /// A purge ends: its place in [`Facts::purges`].
    Purge(usize),
    /// Nothing.
    Nothing,
}

/// A record, as far as the search needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) index: u32,
    pub(super) cpu: u16,
    /// Its task, by pid.
    pub(super) task: usize,
    /// It took effect after this record.
    pub(super) since: u32,
    pub(super) what: What,
}

/// What the records say of a purge.
#[derive(Debug, Clone, Copy)]
pub(super) struct PurgeFacts {
    /// Its record, at its end.
    pub(super) record: u32,
    /// It began after this record.
    pub(super) after: u32,
    /// Pools decay wholly and are not refilled.
    pub(super) full: bool,
    /// Areas taken off; up to 6.8 fused ranges.
    pub(super) num_purged: Option<u32>,
    /// Was there anything to take off?
    pub(super) found: Option<bool>,
    /// Lowest start and highest end of them, if there are any.
    pub(super) bounds: Option<(u64, u64)>,
    /// Nothing else is in those bounds.
    pub(super) bounds_are_exact: bool,
    /// Pages taken off: what `nr_lazy` falls by.
    pub(super) sum: Option<u64>,
    /// That is short of the pages of the area at this address, less so many: no record tells its size.
    pub(super) sum_lacks: Option<(u64, u64)>,
}

/// What follows from the records alone.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    log: &'a Log,
    pub(super) purges: Vec<PurgeFacts>,
    /// Per task of the log: the first with its pid.
    slots: Vec<usize>,
    /// Second attempts.
    retries: HashSet<u32>,
    /// Per-CPU chunks that follow on a record: size and alignment.
    chunks: HashMap<u32, (u64, u64)>,
    /// Frees of areas that no record allocated.
    orphans: Vec<Orphan>,
    /// Allocations of areas that are never freed, and of those that have a place in common with another: ascending.
    suspects: Vec<u32>,
    pub(super) first: usize,
    probed: Probed,
}

/// A free of an area that no record allocated.
#[derive(Debug, Clone, Copy)]
struct Orphan {
    record: u32,
    addr: u64,
    /// Its pages, if the counter did not fall before it.
    pages: u64,
    /// The counter fell: it is the first one behind the record of a purge.
    follows_purge: bool,
}

/// A free, for telling by how much the counter fell: `nr_lazy` less the pages of all frees up to it.
type Level = (u32, i128);

/// Areas remembered of those that records place at one address.
const MAX_IN_ONE_PLACE: usize = 4;

/// Frees looked at to tell the level behind a purge.
const LEVEL_OF: usize = 5;

/// The pass over the records.
struct Reader<'a> {
    facts: Facts<'a>,
    env: Env,
    overflow: Vec<Overflow>,
    chunks: ChunkWatch,
    last_of_task: Vec<u32>,
    /// Areas in use by start, the oldest first: their sizes in pages, and the records that allocated them.
    live: HashMap<u64, VecDeque<(u64, u32)>>,
    levels: Vec<Level>,
    /// Pages of all frees so far.
    pages: i128,
    /// Sizes that no record tells made the level unsure, at these records.
    unsure: Vec<u32>,
    /// Frees above the limit.
    triggers: Vec<u32>,
    /// After which record the previous drain began.
    last_drain: u32,
    lowest: u64,
    calls: Calls,
}

impl<'a> Facts<'a> {
    pub(super) fn read(log: &'a Log, machine: &Machine, env: &Env, space: &AddressSpace) -> Self {
        let tasks = log.names.tasks();
        let slots = task_slots(log);
        let first = resolve::first_record(log, machine);
        let facts = Self {
            log,
            purges: Vec::new(),
            slots,
            retries: HashSet::new(),
            chunks: HashMap::new(),
            orphans: Vec::new(),
            suspects: Vec::new(),
            first,
            probed: Probed::default(),
        };
        let mut live: HashMap<u64, VecDeque<(u64, u32)>> = HashMap::new();
        for node in 0..env.n_nodes {
            space.allocator().visit_busy(node, &mut |area| {
                live.entry(area.start).or_default().push_back((area.len_bytes() / env.page_size, VmapArea::UNBORN));
            });
        }
        let mut reader = Reader {
            facts,
            env: *env,
            // A record of no task counts for the first.
            overflow: vec![Overflow::None; tasks.len().max(1)],
            chunks: ChunkWatch::new(ChunkRules::of(log, machine), tasks.len()),
            last_of_task: vec![0; tasks.len().max(1)],
            live,
            levels: Vec::new(),
            pages: 0,
            unsure: Vec::new(),
            triggers: Vec::new(),
            last_drain: first as u32,
            lowest: log.names.windows().iter().map(|window| window.vstart).min().unwrap_or(0),
            calls: Calls::new(tasks.len()),
        };
        for index in first..log.events.len() {
            reader.read(index);
        }
        reader.tell_sums(space.allocator().lazy_pages());
        let kept = reader.live.into_values().flatten().map(|(_, record)| record);
        reader.facts.suspects.extend(kept);
        reader.facts.suspects.sort_unstable();
        reader.facts
    }

    /// A record by its place.
    pub(super) fn record(&self, index: u32) -> Record {
        let event = self.log.events.nth(index as usize);
        let task = self.slots.get(event.task.0 as usize).copied().unwrap_or(usize::MAX);
        let what = match event.kind {
            EventKind::Alloc { addr, size, align, window, failed } => {
                let window = self.log.names.window(window);
                let first_attempt = !self.retries.contains(&index);
                let request = Request { size, align, window, cpu: event.assumed_cpu(), first_attempt };
                let chunk = self.chunks.get(&index).copied();
                What::Alloc { request, recorded: (!failed).then_some(addr.0), chunk }
            }
            EventKind::Free { addr, nr_lazy, .. } => What::Free { addr: addr.0, nr_lazy },
            EventKind::FreeProbe { addr, end } => {
                let n_purges = self.probed.late.get(&index).copied().unwrap_or(0);
                What::FreeBegins { addr: addr.0, end: end.0, n_purges }
            }
            EventKind::Unasked { addr, end } => What::Unasked { addr: addr.0, end: end.0 },
            EventKind::Purge { .. } | EventKind::PurgeReturn { .. } => What::Purge(self.purge_at(index)),
            _ => What::Nothing,
        };
        let since = self.probed.since.get(&index).copied().unwrap_or(0);
        Record { index, cpu: event.cpu, task, since, what }
    }

    /// The first purge that is recorded at a record or behind it.
    fn purge_at(&self, index: u32) -> usize {
        self.purges.partition_point(|purge| purge.record < index)
    }

    /// Do probes show where calls begin?
    pub(super) fn has_probes(&self) -> bool {
        self.probed.is_seen
    }

    /// The purge that can be under way at a record.
    pub(super) fn under_way(&self, index: u32) -> Option<&PurgeFacts> {
        self.purges.get(self.purge_at(index)).filter(|purge| purge.after < index)
    }

    /// Addresses of areas that are freed behind a record and were allocated by none.
    pub(super) fn orphans_behind(&self, index: u32) -> impl Iterator<Item = u64> {
        let first = self.orphans.partition_point(|orphan| orphan.record <= index);
        self.orphans[first..].iter().map(|orphan| orphan.addr)
    }

    /// Can a record name a wrong place: is the area never freed, or another one in it, and something else freed that no
    /// record allocated?
    pub(super) fn is_suspect(&self, index: u32) -> bool {
        !self.orphans.is_empty() && self.suspects.binary_search(&index).is_ok()
    }

    fn orphan(&self, index: u32) -> Option<Orphan> {
        let at = self.orphans.binary_search_by_key(&index, |orphan| orphan.record).ok()?;
        Some(self.orphans[at])
    }

    /// As how many pages a free counts in the sum of the next purge, if it is of an area that no record allocated.
    pub(super) fn assumed_pages(&self, index: u32) -> Option<u64> {
        self.orphan(index).filter(|orphan| !orphan.follows_purge).map(|orphan| orphan.pages)
    }

    /// The purge that is recorded next, whether it has begun or not.
    pub(super) fn next_purge(&self, index: u32) -> Option<&PurgeFacts> {
        self.purges.get(self.purge_at(index))
    }
}

impl Reader<'_> {
    fn read(&mut self, index: usize) {
        let event = self.facts.log.events.nth(index);
        let at = index as u32;
        let task = self.facts.slots.get(event.task.0 as usize).copied().unwrap_or(0);
        self.calls.note_cpu(event.cpu, at, &event.kind);
        match event.kind {
            EventKind::Alloc { addr, size, align, window, failed } => {
                let window = self.facts.log.names.window(window);
                if let Some(entry) = self.calls.returned(task) {
                    self.facts.probed.since.insert(at, entry);
                }
                if !self.overflow[task].attempt((size, align, window), failed) {
                    self.facts.retries.insert(at);
                }
                if !failed {
                    let live = self.live.entry(addr.0).or_default();
                    live.push_back((size / self.env.page_size, at));
                    if live.len() > 1 {
                        self.facts.suspects.extend(live.iter().map(|&(_, record)| record));
                    }
                    if live.len() > MAX_IN_ONE_PLACE {
                        live.pop_front();
                    }
                }
                if let Some(chunk) = self.chunks.announced_by(&event) {
                    self.facts.chunks.insert(at, chunk);
                }
            }
            EventKind::Free { addr, nr_lazy, nr_lazy_max } => {
                let before = self.levels.last().map_or(0, |level| level.1);
                // As many as keep the level, if that can be.
                let level = i128::from(nr_lazy) - before - self.pages;
                let known = self.live.get_mut(&addr.0).and_then(|live| {
                    // Where a record names the place of another area, the counter tells them apart.
                    let fits = live.iter().position(|&(pages, _)| i128::from(pages) == level);
                    live.remove(fits.unwrap_or(0)).map(|(pages, _)| pages)
                });
                let pages = known.unwrap_or_else(|| {
                    let follows_purge = self
                        .facts
                        .purges
                        .last()
                        .is_some_and(|purge| self.levels.last().is_none_or(|&(before, _)| before < purge.record));
                    if level <= 0 && !follows_purge {
                        self.unsure.push(at);
                    }
                    let pages = u64::try_from(level).unwrap_or(0);
                    self.facts.orphans.push(Orphan { record: at, addr: addr.0, pages, follows_purge });
                    pages
                });
                self.pages += i128::from(pages);
                self.levels.push((at, i128::from(nr_lazy) - self.pages));
                if nr_lazy > nr_lazy_max {
                    self.triggers.push(at);
                }
            }
            EventKind::Purge { start, end, num_purged } => {
                let full = self.overflow[task].purge() == PurgeKind::Full;
                let is_worker = self.facts.log.names.task(event.task).comm.starts_with(b"kworker");
                // Other callers have a range of their own flushed as well: their pages in the direct map lie lower.
                let is_drain = is_worker && !full && start.0 >= self.lowest;
                let mut after = self.last_of_task[task].max(self.facts.purges.last().map_or(0, |purge| purge.record));
                if is_drain {
                    let next = self.triggers.partition_point(|&trigger| trigger <= self.last_drain);
                    if let Some(&trigger) = self.triggers.get(next) {
                        after = after.max(trigger);
                    }
                    self.last_drain = self.last_drain.max(after);
                }
                self.facts.purges.push(PurgeFacts {
                    record: at,
                    after: after.max(self.facts.first as u32),
                    full,
                    num_purged: Some(num_purged),
                    found: None,
                    bounds: (num_purged > 0).then_some((start.0, end.0)),
                    bounds_are_exact: is_drain || full,
                    sum: None,
                    sum_lacks: None,
                });
            }
            _ => {
                if !self.read_probe(at, task, &event.kind) {
                    return;
                }
            }
        }
        self.last_of_task[task] = at;
    }

    /// By how much the counter falls with each purge: from the level before it to the one behind it.
    fn tell_sums(&mut self, lazy_pages: u64) {
        let mut before = Some(i128::from(lazy_pages));
        // Up to the next one that takes anything off.
        let mut ends = vec![u32::MAX; self.facts.purges.len()];
        for at in (1..ends.len()).rev() {
            let purge = &self.facts.purges[at];
            ends[at - 1] = if purge.num_purged == Some(0) { ends[at] } else { purge.record };
        }
        for (at, to) in ends.into_iter().enumerate() {
            let from = self.facts.purges[at].record;
            let first = self.levels.partition_point(|&(index, _)| index < from);
            let seen: Vec<i128> = self.levels[first..]
                .iter()
                .take(LEVEL_OF)
                .take_while(|&&(index, _)| index < to)
                .map(|&(_, level)| level)
                .collect();
            let next = self.levels.get(first).filter(|&&(index, _)| index < to);
            let lacks = next.and_then(|&(index, _)| self.facts.orphan(index)).filter(|orphan| orphan.follows_purge);
            let votes = |level: &i128| seen.iter().filter(|other| *other == level).count();
            // Of equally many the first.
            let behind = seen.iter().rev().copied().max_by_key(votes);
            let purge = &mut self.facts.purges[at];
            let is_empty = purge.num_purged == Some(0);
            let next_unsure = self.unsure.partition_point(|&index| index <= purge.after);
            let is_unsure = self.unsure.get(next_unsure).is_some_and(|&index| index < to);
            purge.sum = match (before, behind) {
                _ if is_empty => Some(0),
                (Some(before), Some(behind)) if !is_unsure && before >= behind => u64::try_from(before - behind).ok(),
                _ => None,
            };
            purge.sum_lacks = lacks.filter(|_| !is_empty).map(|orphan| (orphan.addr, orphan.pages));
            before = if is_empty { behind.or(before) } else { behind };
        }
    }
}
