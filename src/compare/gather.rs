//! [`Gather`]: reads the demands off a resolved replay.
//!
//! The plan's operations are applied once more, so that each free is known by the area it frees and each purge by what it
//! was for:
//!
//! * a purge of a task whose request was refused is that request's (`Overflow`);
//! * a purge by a worker after a free went above the limit, or by the task that freed where a release lets it, is the drain of
//!   the trace's own allocator (`Worker`): other lanes have drains of their own;
//! * any other purge was asked for (`vm_unmap_aliases`, a `purge` of a script) and concerns every lane.

use std::collections::HashMap;

use parsers::ops::request::Target;
use parsers::ops::{Op as Asked, RequestOp};

use super::demands::{Demand, Demands, Id, NO_RECORD};
use crate::event::{Event, EventKind, Seq, TaskId};
use crate::log::{Log, Window};
use crate::model::{AddressSpace, Answer, Extent, HelperOrder, Op, Place, PurgeKind, Request, VmapArea};
use crate::replay::{Replay, Verdict};

/// The longest that a worker of another lane is made to wait, in records.
const MAX_DELAY: usize = 256;

/// A request that was refused and may be tried again.
#[derive(Debug, Clone, Copy)]
struct Pending {
    id: Id,
    /// Place of its [`Demand::Ask`].
    ask: usize,
    size: u64,
    align: u64,
    window: Window,
}

/// The pass over the records.
#[derive(Debug)]
pub struct Gather {
    demands: Demands,
    /// The trace's own allocator, record by record.
    space: AddressSpace,
    at: usize,
    /// Areas in use, by their start.
    live: HashMap<u64, Id>,
    /// Per task: its place in the lists below. A name is a label, the pid is the task.
    slots: Vec<usize>,
    pending: Vec<Option<Pending>>,
    /// Entries of probed calls that have not returned.
    entered: Vec<Option<Request>>,
    /// The record whose free went above the limit, and the place of its task.
    due: Option<(usize, usize)>,
    /// Of a script: a request of this op was refused for good, and the op may try another.
    fallback: Option<Pending>,
    /// Of a script: what its ids name.
    named: HashMap<u64, Id>,
    /// The machine's own window.
    window: Window,
}

impl Gather {
    /// Begins before the first record.
    pub fn new(replay: &Replay) -> Self {
        let log = replay.log();
        let space = replay.start().without_memory();
        let mut demands = Demands { is_script: log.script.is_some(), ..Demands::default() };
        if let Some(script) = &log.script {
            demands.helpers = match script.header.helpers {
                parsers::ops::Helpers::Flush => HelperOrder::AtFlush,
                parsers::ops::Helpers::Sched => HelperOrder::AtSchedule,
            };
            let has_work = script.ops.iter().any(|line| matches!(line.op, Asked::Work));
            // Where a script says when the worker runs, it runs nowhere else.
            demands.delay = if script.header.autowork || !has_work { 0 } else { usize::MAX };
        }
        let mut live = HashMap::new();
        for extent in in_use(&space) {
            let id = demands.new_older(extent);
            live.insert(extent.start(), id);
        }
        demands.n_start = demands.subjects.len() as u32;
        demands.ends.reserve_exact(replay.len());
        let mut first_with_pid = HashMap::new();
        let tasks = log.names.tasks().iter().enumerate();
        let slots: Vec<usize> = tasks.map(|(index, task)| *first_with_pid.entry(task.pid).or_insert(index)).collect();
        // The last place is that of records without a task.
        let n_slots = slots.len() + 1;
        let window = space.allocator().window();
        let (pending, entered) = (vec![None; n_slots], vec![None; n_slots]);
        Self {
            demands,
            space,
            at: 0,
            live,
            slots,
            pending,
            entered,
            due: None,
            fallback: None,
            named: HashMap::new(),
            window,
        }
    }

    /// Records gone through.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes through at most `budget` more records of the same replay; `true` once it is through.
    pub fn go_on(&mut self, replay: &Replay, budget: usize) -> bool {
        let end = replay.len().min(self.at.saturating_add(budget));
        while self.at < end {
            self.record(replay, self.at);
            self.demands.ends.push(self.demands.list.len() as u32);
            self.at += 1;
        }
        self.at == replay.len()
    }

    /// The demands, once it is through.
    pub fn finish(self) -> Demands {
        self.demands
    }

    fn record(&mut self, replay: &Replay, index: usize) {
        let log = replay.log();
        let event = log.events.nth(index);
        let first = self.demands.list.len();
        self.fallback = None;
        if self.demands.is_script {
            // An op is a whole request.
            self.pending.fill(None);
        }
        if let EventKind::Request { size, align, window } = event.kind {
            let slot = self.slot_of(event.task);
            let window = log.names.window(window);
            let request = Request { size, align, window, cpu: event.assumed_cpu(), first_attempt: true };
            self.entered[slot] = Some(request);
        }
        let mut is_asked = false;
        for op in replay.plan().ops_of(log, index) {
            is_asked |= matches!(op, Op::Alloc { born, .. } | Op::Search { born, .. } if born as usize == index);
            self.op(log, index, &event, &op);
        }
        // A request that the trace says was refused, and the model does not see why, left nothing to be applied.
        let is_judged = matches!(replay.verdict(Seq(index as u32)), Verdict::Adopted(_));
        let is_adopted = self.demands.list[first..].iter().any(|demand| matches!(demand, Demand::Ask { .. }));
        if let (EventKind::Alloc { size, align, window, failed: true, .. }, true, false, false) =
            (event.kind, is_judged, is_asked, is_adopted)
        {
            let window = log.names.window(window);
            let request = Request { size, align, window, cpu: event.assumed_cpu(), first_attempt: true };
            self.ask(log, index as u32, &request, None);
        }
        if let Some(asked) = replay.asked(Seq(index as u32)) {
            self.script_op(asked, first);
        }
    }

    /// What an op of a script demands beyond what it came to in the script's own allocator; its demands so far begin at
    /// `first`.
    fn script_op(&mut self, asked: &Asked, first: usize) {
        let (names, frees) = match asked {
            Asked::Alloc { id, .. } => (Some(*id), None),
            Asked::Free { id, .. } => (None, Some(*id)),
            Asked::Request(request) => match &**request {
                RequestOp::Free { target: Target::Id { id, offset: 0 }, .. } => (None, Some(*id)),
                request => (request.names(), None),
            },
            _ => (None, None),
        };
        let said_nothing = first == self.demands.list.len();
        let latest = self.demands.list[first..].iter().rev().find_map(|demand| match demand {
            Demand::Ask { id, .. } | Demand::AskAgain { id, .. } => Some(*id),
            _ => None,
        });
        if let (Some(name), Some(id)) = (names, latest) {
            self.named.insert(name, id);
        }
        // Another lane may have the area that the script's own allocator had no room for.
        if let Some(id) = frees.and_then(|name| self.named.remove(&name)).filter(|_| said_nothing) {
            self.demands.list.push(Demand::Free { id });
        }
        if matches!(asked, Asked::Work) && said_nothing {
            self.demands.list.push(Demand::Worker);
        }
    }

    fn op(&mut self, log: &Log, index: usize, event: &Event, op: &Op) {
        match *op {
            Op::Alloc { request, born } | Op::Search { request, born } => {
                let answer = self.space.apply(op, None);
                self.ask(log, born, &request, placed(&answer));
                return;
            }
            Op::Adopt { extent, born, .. } => self.adopt(log, extent, born),
            Op::Free { addr } | Op::Remove { addr, .. } => {
                if let Some(id) = self.area_at(addr).and_then(|start| self.live.remove(&start)) {
                    self.demands.list.push(Demand::Free { id });
                }
            }
            Op::Purge { kind, .. } => self.purge(log, index, event, kind),
            Op::Drain { .. } => self.demands.list.push(Demand::Worker),
            Op::PurgePart(part) => self.demands.list.push(Demand::Part(part)),
            Op::Shrink => self.demands.list.push(Demand::Shrink),
            Op::Reject { .. } => {
                let id = self.demands.new_id(index as u32);
                self.demands.list.push(Demand::Reject { id });
            }
            Op::Chunk { .. } | Op::Chunks { .. } | Op::Memory(_) => {}
        }
        let answer = self.space.apply(op, None);
        match (answer, *op) {
            (Answer::Freed(freed), _) if freed.drain_due && self.due.is_none() => {
                self.due = Some((index, self.slot_of(event.task)));
            }
            (Answer::Chunk(Some(extent)), Op::Chunk { size, align }) => {
                let request = Request { size, align, window: self.window, cpu: 0, first_attempt: true };
                let shape = self.demands.shape(&request);
                let id = self.demands.new_id(NO_RECORD);
                self.live.insert(extent.start(), id);
                self.demands.list.push(Demand::Chunk { id, shape });
            }
            (Answer::Chunks(extents), Op::Chunks { groups, align }) if !extents.is_empty() => {
                self.demands.groups.push((groups, align));
                let place = self.demands.groups.len() as u32 - 1;
                let ids: Vec<Id> = extents.iter().map(|_| self.demands.new_id(index as u32)).collect();
                self.live.extend(extents.iter().map(|extent| extent.start()).zip(ids.iter().copied()));
                self.demands.list.push(Demand::Chunks { id: ids[0], groups: place });
            }
            _ => {}
        }
    }

    /// A request, first attempt or not; `own` is what became of it in the trace's own allocator.
    fn ask(&mut self, log: &Log, born: u32, request: &Request, own: Option<u64>) {
        let slot = log.events.get(born as usize).map_or(self.pending.len() - 1, |event| self.slot_of(event.task));
        let same = |pending: &Pending| {
            (pending.size, pending.align, pending.window) == (request.size, request.align, request.window)
        };
        self.entered[slot] = None;
        let again = self.pending[slot].take().filter(|pending| !request.first_attempt && same(pending));
        let earlier = again.or_else(|| self.fallback.take());
        let shape = self.demands.shape(request);
        let place = self.demands.list.len();
        let (id, ask) = match earlier {
            Some(Pending { id, ask, .. }) => {
                self.demands.subjects[id as usize].last = born;
                self.waits(ask);
                self.demands.list.push(Demand::AskAgain { id, shape });
                (id, ask)
            }
            None => {
                let id = self.demands.new_id(born);
                self.demands.list.push(Demand::Ask { id, shape, waits: false });
                (id, place)
            }
        };
        match own {
            Some(start) => {
                self.live.insert(start, id);
            }
            None => {
                let pending = Pending { id, ask, size: request.size, align: request.align, window: request.window };
                if again.is_none() {
                    self.pending[slot] = Some(pending);
                } else if self.demands.is_script {
                    self.fallback = Some(pending);
                }
            }
        }
    }

    /// A recorded address was forced into the state.
    fn adopt(&mut self, log: &Log, extent: Extent, born: u32) {
        for displaced in self.space.allocator().busy_overlapping(extent) {
            if let Some(id) = self.live.remove(&displaced.start()) {
                self.demands.list.push(Demand::Gone { id });
            }
        }
        let event = if born == VmapArea::UNBORN { None } else { log.events.get(born as usize) };
        let request = event.and_then(|event| match event.kind {
            EventKind::Alloc { size, align, window, .. } => {
                let (window, cpu) = (log.names.window(window), event.assumed_cpu());
                let slot = self.slot_of(event.task);
                // The second attempt of a request comes after its purge.
                let first_attempt = self.pending[slot].is_none();
                Some(Request { size, align, window, cpu, first_attempt })
            }
            EventKind::Unasked { .. } => {
                let window = self.window_around(log, extent);
                let cpu = event.assumed_cpu();
                Some(Request { size: extent.len_bytes(), align: 1, window, cpu, first_attempt: true })
            }
            _ => None,
        });
        match request {
            Some(request) => self.ask(log, born, &request, Some(extent.start())),
            None => {
                let id = self.demands.new_older(extent);
                self.live.insert(extent.start(), id);
                self.demands.list.push(Demand::Older { id });
            }
        }
    }

    /// The window that a request whose arguments were not seen is taken to have had.
    fn window_around(&self, log: &Log, extent: Extent) -> Window {
        let holds = |window: &&Window| window.vstart <= extent.start() && extent.end() <= window.vend;
        let all = std::iter::once(&self.window).chain(log.names.windows());
        all.copied().find(|window| holds(&window)).unwrap_or(Window { vstart: extent.start(), vend: extent.end() })
    }

    fn purge(&mut self, log: &Log, index: usize, event: &Event, kind: PurgeKind) {
        let slot = self.slot_of(event.task);
        let full = kind == PurgeKind::Full;
        let overflowing = if full { self.overflowing(index, slot) } else { None };
        let demand = match overflowing {
            Some(id) => Demand::Overflow { id },
            None if !full && self.is_drain(log, event, slot) => {
                if let (Some((due, _)), false) = (self.due, self.demands.is_script) {
                    self.demands.delay = self.demands.delay.max((index - due).min(MAX_DELAY));
                }
                Demand::Worker
            }
            None => Demand::Purge { full },
        };
        // The queued worker still comes when somebody else has purged before it.
        if demand == Demand::Worker || self.space.allocator().drains_inline() {
            self.due = None;
        }
        self.demands.list.push(demand);
    }

    /// The refused request that a purge of everything belongs to.
    fn overflowing(&mut self, index: usize, slot: usize) -> Option<Id> {
        if let Some(pending) = self.pending[slot] {
            self.waits(pending.ask);
            return Some(pending.id);
        }
        // Probes show a call at its two ends: its first attempt was refused before this purge.
        let request = self.entered[slot].take()?;
        let id = self.demands.new_id(index as u32);
        let shape = self.demands.shape(&request);
        let ask = self.demands.list.len();
        self.demands.list.push(Demand::Ask { id, shape, waits: true });
        let Request { size, align, window, .. } = request;
        self.pending[slot] = Some(Pending { id, ask, size, align, window });
        Some(id)
    }

    /// Is a partial purge the drain of the trace's own allocator?
    fn is_drain(&self, log: &Log, event: &Event, slot: usize) -> bool {
        let allocator = self.space.allocator();
        if allocator.drains_inline() {
            return self.due.is_some_and(|(_, by)| self.demands.is_script || by == slot);
        }
        let task = log.names.task(event.task);
        if self.demands.is_script || task.pid < 0 || !event.kind.ends_purge() {
            return allocator.drain_pending();
        }
        // Workers purge for others too: programs and modules are taken down by them.
        self.due.is_some() && task.comm.starts_with(b"kworker")
    }

    fn waits(&mut self, ask: usize) {
        if let Some(Demand::Ask { waits, .. }) = self.demands.list.get_mut(ask) {
            *waits = true;
        }
    }

    /// Start of the area in use that contains an address.
    fn area_at(&self, addr: u64) -> Option<u64> {
        match self.space.allocator().lookup(addr) {
            Place::Busy { area, .. } => Some(self.space.allocator().areas()[area].start),
            _ => None,
        }
    }

    fn slot_of(&self, task: TaskId) -> usize {
        self.slots.get(task.0 as usize).copied().unwrap_or(self.slots.len())
    }
}

fn placed(answer: &Answer) -> Option<u64> {
    match answer {
        Answer::Placed(extent) => Some(extent.start()),
        _ => None,
    }
}

/// The areas in use of a state, ascending.
pub(super) fn in_use(space: &AddressSpace) -> Vec<Extent> {
    let mut areas = Vec::new();
    for node in 0..space.allocator().n_nodes() {
        space.allocator().visit_busy(node, &mut |area| areas.extend(Extent::new(area.start, area.end)));
    }
    areas.sort_unstable();
    areas
}
