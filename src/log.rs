//! [`Log`]: the events of one input, the names they use, where they come from, what was damaged.
//!
//! Append-only, and shared by reference once loaded.

pub mod baseline;
pub mod duration;
pub mod escape;
pub mod events;
pub mod kernel_state;
pub mod names;
pub mod origin;
pub mod progress;
pub mod script;
pub mod settled;
pub mod size;
pub mod stacks;

pub use baseline::{Baseline, BaselineArea, BaselineState, Pointers};
pub use escape::escape;
pub use events::Events;
pub use kernel_state::{KernelState, TreeNode};
pub use names::{Names, Task, Window};
pub use origin::{Clock, InputKind, Origin};
pub use progress::{Progress, Watched};
pub use script::{Expected, ScriptLog};
pub use settled::{Around, Standing};
pub use stacks::{FrameRef, StackId, Stacks};

use std::sync::Arc;

use crate::event::{Event, EventKind, Nanos, Seq};

/// Everything read from one input.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// The records, in the order of the input.
    pub events: Events,
    /// Tasks, texts and windows the events refer to.
    pub names: Names,
    /// The kernel stacks of records, where the trace has them.
    pub stacks: Stacks,
    /// Where the events come from.
    pub origin: Origin,
    /// `/proc/vmallocinfo` before the first event.
    pub before: Option<Baseline>,
    /// The allocator's own state before the first event, if the capture has it.
    pub state_before: Option<KernelState>,
    /// `/proc/vmallocinfo` after the last event.
    pub after: Option<Baseline>,
    /// Kernel ground truth at the end, if the capture has it.
    pub truth: Option<parsers::allocator_state::AllocatorState>,
    /// The op script, if that is what the input is. Its events are made when it is replayed: what an op came to is not
    /// known before.
    pub script: Option<Arc<ScriptLog>>,
    /// Damaged places, in the order they were found.
    pub problems: Vec<FileProblem>,
    /// What had to be assumed about the inputs, one sentence each.
    pub notes: Vec<String>,
    /// Who waits while it is read.
    pub watched: Watched,
}

/// A damaged place, with the member of the input it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// Name of the file or member, escaped for display.
    pub file: String,
    /// What was wrong there.
    pub problem: parsers::Problem,
}

impl FileProblem {
    /// `file:line:column`; where there are no lines the byte, and of a damaged container the file alone.
    pub fn place(&self) -> String {
        let parsers::Problem { line, column, offset, ref kind } = self.problem;
        match (line, kind) {
            (_, parsers::ProblemKind::Container(_)) => self.file.clone(),
            (0, _) => format!("{}: byte {offset}", self.file),
            _ => format!("{}:{line}:{column}", self.file),
        }
    }
}

/// How many records of each kind a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Allocation attempts, failed ones included.
    pub alloc: u64,
    /// Failed allocation attempts.
    pub failed: u64,
    /// Frees.
    pub free: u64,
    /// Purges.
    pub purge: u64,
    /// Records the kernel lost: overwritten before the first one, and as its notices say. A notice without a number
    /// counts as one.
    pub lost: u64,
    /// Markers, foreign events, and the entries of probed calls, whose returns count.
    pub other: u64,
}

impl Log {
    /// Counts the records by kind.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts { lost: self.origin.overwritten, ..Counts::default() };
        for event in &self.events {
            match event.kind {
                EventKind::Alloc { failed, .. } => {
                    counts.alloc += 1;
                    counts.failed += u64::from(failed);
                }
                EventKind::Unasked { .. } => counts.alloc += 1,
                EventKind::Free { .. } | EventKind::FreeProbe { .. } => counts.free += 1,
                EventKind::Purge { .. } | EventKind::PurgeReturn { .. } => counts.purge += 1,
                EventKind::Lost { count } => counts.lost += u64::from(count.max(1)),
                EventKind::Request { .. }
                | EventKind::PurgeEntry { .. }
                | EventKind::NodeDecay { .. }
                | EventKind::NodeReturn { .. }
                | EventKind::Mark { .. }
                | EventKind::Report { .. }
                | EventKind::Other { .. }
                | EventKind::Script(_) => counts.other += 1,
            }
        }
        counts
    }

    /// Merges what several files of one recording have added one after the other: by time, and what has the same time
    /// in the order it is in.
    pub fn sort_by_time(&mut self) {
        let mut order: Vec<u32> = (0..self.events.len() as u32).collect();
        order.sort_by_key(|&index| self.events.nth(index as usize).at);
        self.reorder(&order);
    }

    /// Puts the records from `first` on, which have come from elsewhere, among those before by their stamps.
    pub fn merge_from(&mut self, first: usize) {
        let mut latest = Nanos(0);
        // Stamps of a recording may go back a little; a place is after the last record that is not later.
        let reached: Vec<Nanos> = self
            .events
            .range(..first)
            .map(|event| {
                latest = latest.max(event.at);
                latest
            })
            .collect();
        let place = |at: Nanos| reached.partition_point(|&reached| reached <= at);
        let mut order: Vec<u32> = (0..self.events.len() as u32).collect();
        order.sort_by_key(|&index| match index as usize {
            index if index < first => (index, true),
            index => (place(self.events.nth(index).at), false),
        });
        self.reorder(&order);
    }

    /// Puts the records into another order: which one was where that now stands at each place.
    fn reorder(&mut self, order: &[u32]) {
        self.events.reorder(order);
        self.stacks.reorder(order);
    }

    /// Records up to and including the recorder's marker that ends the snapshot before the workload; `None` if there is
    /// no such marker.
    pub fn snapshot_place(&self) -> Option<usize> {
        self.snapshot_window(Around::Before).map(|window| window.end)
    }

    /// The same of the snapshot after the workload. What was recorded later is not in it.
    pub fn last_snapshot_place(&self) -> Option<usize> {
        self.snapshot_window(Around::After).map(|window| window.end)
    }

    /// The event at `seq`, if the log is that long.
    pub fn get(&self, seq: Seq) -> Option<Event> {
        self.events.get(seq.index())
    }
}
