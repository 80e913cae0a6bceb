//! Logs that were tampered with: records that lie, marks that are hidden, and what can be asked of a plan then.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::collections::BTreeSet;
use std::ops::Range;

use vmaplens::event::{Addr, EventKind};
use vmaplens::log::Log;
use vmaplens::model::{Op, PurgePart, Step, Steps};
use vmaplens::replay::{Replay, Verdict};

use super::common::Dice;

/// How far a record is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// By 2¹² to 2¹⁶ times 64 KiB: far from everything in use.
    Far,
    /// By 1 to 256 times its alignment, up or down: among the areas in use.
    Near,
}

/// Moves one in a hundred recorded addresses; answers which records lie now.
pub fn falsify(log: &mut Log, moved: Moved, dice: &mut Dice) -> BTreeSet<usize> {
    let mut lies = BTreeSet::new();
    for index in 0..log.events.len() {
        log.events.update(index, |event| {
            let EventKind::Alloc { addr, align, failed: false, .. } = &mut event.kind else { return };
            if dice.roll(100) != 0 {
                return;
            }
            let (by, up) = match moved {
                Moved::Far => ((dice.roll(0xf001) + 0x1000) << 16, true),
                Moved::Near => ((dice.roll(256) + 1) * (*align).max(4096), dice.roll(2) == 0),
            };
            *addr = Addr(if up { addr.0.wrapping_add(by) } else { addr.0.wrapping_sub(by) });
            lies.insert(index);
        });
    }
    lies
}

/// Records whose address was forced into the state, or not believed.
pub fn adopted(replay: &Replay) -> BTreeSet<usize> {
    let divergences = replay.plan().divergences.iter();
    divergences.filter(|d| matches!(d.verdict, Verdict::Adopted(_))).map(|d| d.seq.index()).collect()
}

/// Does only a probe write such a record?
fn is_mark(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::NodeDecay { .. }
            | EventKind::NodeReturn { .. }
            | EventKind::PurgeEntry { .. }
            | EventKind::PurgeReturn { .. }
    )
}

/// Makes the records of probes foreign ones; every record keeps its place. Answers how many there were.
pub fn hide_marks(log: &mut Log) -> usize {
    let name = log.names.add_text(b"hidden");
    let marks: Vec<usize> =
        log.events.iter().zip(0..).filter(|(event, _)| is_mark(&event.kind)).map(|(_, at)| at).collect();
    for &at in &marks {
        log.events.update(at, |event| event.kind = EventKind::Other { name });
    }
    marks.len()
}

/// A lazy list taken off by a purge that found something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detach {
    /// The record of the purge.
    pub purge: usize,
    pub node: u32,
    /// Between which records: for a mark the one before which it happened at the earliest, and the one by which it had
    /// happened; for a plan the record before it, and the one it was done with.
    pub between: Range<usize>,
}

/// What the marks show: a node's list is taken off after its decay began and before the next mark.
pub fn true_detaches(log: &Log) -> Vec<Detach> {
    let mut all = Vec::new();
    let mut here: Vec<Detach> = Vec::new();
    let mut open: Option<(u32, usize)> = None;
    for (event, at) in log.events.iter().zip(0..) {
        let is_purge = matches!(event.kind, EventKind::Purge { .. });
        if !is_purge && !is_mark(&event.kind) {
            continue;
        }
        if let Some((node, from)) = open.take() {
            here.push(Detach { purge: 0, node, between: from..at });
        }
        match event.kind {
            EventKind::NodeDecay { node, .. } => open = Some((u32::from(node), at)),
            EventKind::Purge { num_purged, .. } => {
                let done = std::mem::take(&mut here);
                if num_purged > 0 {
                    all.extend(done.into_iter().map(|detach| Detach { purge: at, ..detach }));
                }
            }
            _ => {}
        }
    }
    all
}

/// Where a plan places them: a purge applied whole takes everything off at its record. Lists that were empty then are
/// not told.
pub fn planned_detaches(replay: &Replay) -> Vec<Detach> {
    let log = replay.log();
    let mut all = Vec::new();
    let mut here: Vec<Detach> = Vec::new();
    // The last record of the allocator.
    let mut before = 0;
    for (event, at) in log.events.iter().zip(0..) {
        for op in replay.plan().ops_of(log, at) {
            let n_nodes = replay.start().allocator().n_nodes();
            let detach = |node| Detach { purge: 0, node, between: before..at };
            match op {
                Op::PurgePart(PurgePart::Detach { node }) => here.push(detach(node)),
                Op::Purge { .. } if here.is_empty() => {
                    all.extend((0..n_nodes).map(|node| Detach { purge: at, ..detach(node) }));
                }
                Op::Purge { .. } => all.extend(here.drain(..).map(|detach| Detach { purge: at, ..detach })),
                _ => {}
            }
        }
        if matches!(event.kind, EventKind::Alloc { .. } | EventKind::Free { .. } | EventKind::Purge { .. }) {
            before = at;
        }
    }
    all
}

/// Which node's lazy list each record added to, by the plan.
pub fn lazy_nodes(replay: &Replay) -> Vec<Option<u32>> {
    let mut space = replay.start().clone();
    let log = replay.log();
    let mut nodes = vec![None; log.events.len()];
    for (at, node_at) in nodes.iter_mut().enumerate() {
        for op in replay.plan().ops_of(log, at) {
            let mut steps = Steps::new();
            space.apply(&op, Some(&mut steps));
            for step in steps {
                if let Step::LazyAdded { node, .. } = step {
                    *node_at = Some(node);
                }
            }
        }
    }
    nodes
}

/// Places of detaches held against the marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// Inside the true interval.
    pub inside: usize,
    /// Outside of it, and nothing was freed into that list in between: the same states.
    pub same: usize,
    /// Outside, and it makes a difference.
    pub differ: usize,
    /// The plan tells of none: the list was empty.
    pub untold: usize,
}

/// Compares a plan made without the marks with the marks of `log`.
pub fn compare_detaches(log: &Log, blind: &Replay) -> Timing {
    let planned = planned_detaches(blind);
    let frees = lazy_nodes(blind);
    let mut timing = Timing::default();
    for truth in true_detaches(log) {
        let found = planned.iter().find(|planned| planned.purge == truth.purge && planned.node == truth.node);
        let Some(Detach { between, .. }) = found else {
            timing.untold += 1;
            continue;
        };
        if between.start < truth.between.end && truth.between.start < between.end {
            timing.inside += 1;
            continue;
        }
        // What lies between the two places: the record a detach was done with comes after it.
        let skipped = if truth.between.end <= between.start {
            truth.between.end..between.start + 1
        } else {
            between.end..truth.between.start
        };
        if frees[skipped].contains(&Some(truth.node)) {
            timing.differ += 1;
        } else {
            timing.same += 1;
        }
    }
    timing
}
