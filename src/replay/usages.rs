//! What the areas of a log are used for, and how that is known: from stacks, from snapshots, from the requests.
//!
//! A stack of a record says most, and only of that record. A row of a snapshot says what the area is that a record left
//! behind. What neither speaks of follows from the numbers of the request, or is the model's own answer. Nothing is
//! carried over from one record to another: what outlives a snapshot is not a sample of what was asked for.

mod frames;
mod rows;
mod shape;

use crate::event::{Event, EventKind, Seq, TaskId};
use crate::log::{BaselineArea, InputKind, Log, StackId};
use crate::model::{Extent, Provenance, Usage, UsageKind, Usages};

use super::resolve::first_record;
use super::{Machine, Plan};
use frames::Told;
use rows::{Birth, Rows};
use shape::{Ask, Guess, Next, ShapeRules};

/// Looks at every record and every row once.
pub fn usages_of(log: &Log, plan: &Plan) -> Usages {
    Collector::new(log, plan, true).run()
}

/// The same without stacks and snapshots: what the requests alone tell. To see how far that can be relied on.
pub fn usages_by_requests(log: &Log, plan: &Plan) -> Usages {
    Collector::new(log, plan, false).run()
}

/// A request whose next one may be for its page pointers.
struct Waiting {
    record: u32,
    ask: Ask,
    /// Size of the array it would get.
    array: u64,
}

struct Collector<'a> {
    log: &'a Log,
    plan: &'a Plan,
    machine: &'a Machine,
    shapes: ShapeRules,
    /// Stacks and snapshots count.
    observes: bool,
    found: Usages,
    /// Per stack of the log, once it has been read.
    told: Vec<Option<Told>>,
    /// Per task: its request that waits to be told from the next.
    waiting: Vec<Option<Waiting>>,
    /// Per task: the stack at the entry of a probed call, for the record of its return.
    entered: Vec<Option<StackId>>,
}

impl<'a> Collector<'a> {
    fn new(log: &'a Log, plan: &'a Plan, observes: bool) -> Self {
        let machine = &plan.machine;
        let n_tasks = log.names.tasks().len();
        Self {
            log,
            plan,
            machine,
            shapes: ShapeRules::of(machine, stacks_of_threads(log)),
            observes,
            found: Usages::default(),
            told: vec![None; log.stacks.len()],
            waiting: std::iter::repeat_with(|| None).take(n_tasks).collect(),
            entered: vec![None; if log.stacks.is_empty() { 0 } else { n_tasks }],
        }
    }

    fn run(mut self) -> Usages {
        for (index, event) in self.log.events.iter().enumerate() {
            self.take(index as u32, &event);
        }
        for task in 0..self.waiting.len() {
            self.settle(task, Next::Unknown);
        }
        for extent in &self.plan.chunks {
            let usage = Usage { kind: UsageKind::PerCpu, kind_from: Provenance::Derived, ..self.whole(*extent) };
            self.found.note_older(*extent, usage);
        }
        if self.observes {
            self.rows();
        }
        self.found
    }

    fn take(&mut self, record: u32, event: &Event) {
        let task = event.task.0 as usize;
        match event.kind {
            EventKind::Alloc { size, align, window, failed, .. } => {
                let ask = Ask { size, align, window: self.log.names.window(window) };
                let before = self.waiting.get_mut(task).and_then(Option::take);
                let is_array = before.as_ref().is_some_and(|before| self.shapes.is_array(&ask, before.array));
                if let Some(before) = before {
                    let next = if is_array { Next::Array } else { Next::Other };
                    self.note(before.record, &before.ask, next);
                }
                if !failed {
                    if is_array {
                        self.note_array(record, &ask);
                    } else {
                        self.note(record, &ask, Next::Unknown);
                    }
                    if let (Some(array), Some(slot)) = (self.shapes.array_size(size), self.waiting.get_mut(task)) {
                        *slot = Some(Waiting { record, ask, array });
                    }
                }
            }
            EventKind::Unasked { addr, end } => {
                let usage = Usage::assumed(end.0.saturating_sub(addr.0), self.machine.page_size);
                let usage = self.told_by_stack(record, event.task, None, usage);
                self.found.note(record, usage);
            }
            EventKind::Request { .. } => {
                if let Some(slot) = self.entered.get_mut(task) {
                    *slot = self.log.stacks.of(Seq(record));
                }
            }
            // What was lost may have been the array.
            EventKind::Lost { .. } => {
                for task in 0..self.waiting.len() {
                    self.settle(task, Next::Unknown);
                }
            }
            _ => {}
        }
    }

    fn settle(&mut self, task: usize, next: Next) {
        if let Some(waiting) = self.waiting.get_mut(task).and_then(Option::take) {
            self.note(waiting.record, &waiting.ask, next);
        }
    }

    fn note_array(&mut self, record: u32, ask: &Ask) {
        let guess =
            Guess { kind: UsageKind::PageArray, kind_from: Provenance::Derived, ..self.shapes.guess(ask, Next::Array) };
        self.keep(record, ask, &guess);
    }

    fn note(&mut self, record: u32, ask: &Ask, next: Next) {
        let guess = self.shapes.guess(ask, next);
        self.keep(record, ask, &guess);
    }

    /// Keeps what a request looks like, unless its stack says better.
    fn keep(&mut self, record: u32, ask: &Ask, guess: &Guess) {
        let usage = self.usage(ask.size, guess);
        let task = self.log.events.nth(record as usize).task;
        let usage = self.told_by_stack(record, task, Some(ask), usage);
        self.found.note(record, usage);
    }

    fn usage(&self, size: u64, guess: &Guess) -> Usage {
        let pages = size / self.machine.page_size - u64::from(guess.has_guard);
        Usage {
            kind: guess.kind,
            kind_from: guess.kind_from,
            pages,
            pages_from: if fills_later(guess.kind) { Provenance::Modelled } else { guess.guard_from },
            page_shift: guess.shift as u8,
            shift_from: guess.shift_from,
            ..Usage::assumed(size, self.machine.page_size)
        }
    }

    /// The whole of an area without a guard page; which of its pages are mapped is not known.
    fn whole(&self, extent: Extent) -> Usage {
        let pages = extent.len_bytes() / self.machine.page_size;
        Usage { pages, ..Usage::assumed(extent.len_bytes(), self.machine.page_size) }
    }

    /// The same with what the record's stack says, if it has one.
    fn told_by_stack(&mut self, record: u32, task: TaskId, ask: Option<&Ask>, usage: Usage) -> Usage {
        if self.log.stacks.is_empty() || !self.observes {
            return usage;
        }
        // The return of a probed call can have none of its own.
        let at_entry = || self.entered.get(task.0 as usize).copied().flatten();
        let Some(id) = self.log.stacks.of(Seq(record)).or_else(at_entry) else { return usage };
        let Some(slot) = self.told.get_mut(id.0 as usize) else { return usage };
        let told = slot.get_or_insert_with(|| frames::read(&self.log.stacks, id));
        let (kind, caller) = (told.kind, self.found.caller(&told.caller));
        let mut usage = Usage { caller, caller_from: Provenance::Observed, ..usage };
        let Some(mut kind) = kind else { return usage };
        // Where the compiler has put one function into the other, only the alignment tells a block.
        if kind == UsageKind::VmMapRam && usage.kind == UsageKind::VmapBlock {
            kind = UsageKind::VmapBlock;
        }
        let size = ask.map_or(0, |ask| ask.size);
        self.adjust(&mut usage, kind, size);
        usage
    }

    /// Makes an observed kind of a derived one; what depended on it follows.
    fn adjust(&self, usage: &mut Usage, kind: UsageKind, size: u64) {
        usage.kind = kind;
        usage.kind_from = Provenance::Observed;
        let all = size / self.machine.page_size;
        if size > 0 {
            let has_guard = kind.has_guard() && all > 1;
            usage.pages = if kind == UsageKind::Reserved { 0 } else { all - u64::from(has_guard) };
            usage.pages_from = if fills_later(kind) { Provenance::Modelled } else { Provenance::Derived };
        }
        if kind != UsageKind::Vmalloc {
            usage.page_shift = self.machine.page_size.trailing_zeros() as u8;
        }
        // How device memory and the kernel's image are mapped depends on their own addresses.
        let depends = matches!(kind, UsageKind::Ioremap | UsageKind::Early);
        usage.shift_from = if depends { Provenance::Modelled } else { Provenance::Derived };
    }

    fn rows(&mut self) {
        let Log { before, after, .. } = self.log;
        let first = first_record(self.log, self.machine);
        let is_snapshot = self.log.origin.kind == InputKind::Snapshot;
        let from_boot = self.machine.from_boot && !is_snapshot;
        let place = self.log.snapshot_place();
        // Without a marker only the snapshot of a late trace has a place: before the first record.
        if let Some(place) = place.or((!from_boot).then_some(0)) {
            let rows = Rows::of(before.as_ref(), place, first.min(place), self.log);
            for (row, birth) in rows.iter() {
                self.row(row, birth, from_boot);
            }
        }
        let place = self.log.last_snapshot_place().unwrap_or(self.log.events.len());
        let rows = Rows::of(after.as_ref(), place, first, self.log);
        for (row, birth) in rows.iter() {
            self.row(row, birth, from_boot);
        }
    }

    /// Notes what a row says.
    fn row(&mut self, row: &BaselineArea, birth: Birth, from_boot: bool) {
        let is_chunk = row.kind() == "per-CPU";
        let born = match birth {
            Birth::Record(record) => Some(record),
            Birth::Unclear if !is_chunk => return,
            Birth::Unseen | Birth::Unclear => None,
        };
        let Some(extent) = Extent::new(row.start, row.end) else { return };
        let known = born.and_then(|born| self.found.of_record(born));
        let is_block = self.shapes.is_block_row(row.start, extent.len_bytes());
        let Some(mut kind) = rows::kind_of(row, is_block) else { return };
        // A trace from boot has all allocations: what it has none of is older than the allocator.
        if born.is_none() && from_boot && !is_chunk {
            kind = UsageKind::Early;
        }
        let mut usage = known.unwrap_or_else(|| self.whole(extent));
        // Rows do not tell an array from another vmalloc; a stack and the request before it do.
        if kind == UsageKind::Vmalloc && usage.kind == UsageKind::PageArray {
            kind = UsageKind::PageArray;
        } else {
            let was = usage.shift_from;
            self.adjust(&mut usage, kind, extent.len_bytes());
            if known.is_some() && kind == UsageKind::Vmalloc {
                usage.shift_from = was.min(Provenance::Derived);
            }
        }
        if known.is_none() && kind == UsageKind::Vmalloc {
            usage.page_shift = self.huge_by_shape(row).unwrap_or(usage.page_shift);
        }
        if row.pages > 0 {
            usage.pages = row.pages;
            usage.pages_from = Provenance::Observed;
        }
        usage.phys = row.phys;
        if let (UsageKind::Ioremap, Some(phys)) = (kind, row.phys) {
            let len = usage.pages.saturating_mul(self.machine.page_size);
            usage.page_shift = rows::device_shift(self.machine, row.start, len, phys) as u8;
            usage.shift_from = Provenance::Derived;
        }
        let caller = self.found.caller(&rows::caller_of(row));
        let is_better = self.found.caller_name(usage.caller).is_none() || born.is_none();
        if self.found.caller_name(caller).is_some() && is_better {
            usage.caller = caller;
            usage.caller_from = Provenance::Observed;
        }
        match born {
            Some(born) => self.found.note(born, usage),
            None => self.found.note_older(extent, usage),
        }
    }

    /// No word of a row tells a huge mapping; where it starts and how long it is do.
    fn huge_by_shape(&self, row: &BaselineArea) -> Option<u8> {
        let shift = self.shapes.huge_shift()?;
        let data = row.size.checked_sub(self.machine.page_size).filter(|&data| data > 0)?;
        (row.start.is_multiple_of(1 << shift) && data.is_multiple_of(1 << shift)).then_some(shift as u8)
    }
}

/// Sizes and alignments of thread stacks: `kthreadd` asks for nothing else.
fn stacks_of_threads(log: &Log) -> Vec<(u64, u64)> {
    let tasks = log.names.tasks();
    let makers: Vec<bool> = tasks.iter().map(|task| task.pid == 2 && task.comm == b"kthreadd").collect();
    let mut shapes = Vec::new();
    if !makers.contains(&true) {
        return shapes;
    }
    for event in &log.events {
        let EventKind::Alloc { size, align, .. } = event.kind else { continue };
        if makers.get(event.task.0 as usize) == Some(&true) && !shapes.contains(&(size, align)) {
            shapes.push((size, align));
        }
    }
    shapes
}

/// Is such an area mapped piece by piece, as needed?
fn fills_later(kind: UsageKind) -> bool {
    matches!(kind, UsageKind::VmapBlock | UsageKind::PerCpu | UsageKind::Reserved)
}
