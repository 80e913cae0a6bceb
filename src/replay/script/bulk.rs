//! [`BulkScript`]: an op script as plain ops, to be run at full speed.

use std::collections::HashMap;

use parsers::ops::{Op as Asked, OpLine};

use crate::log::{ScriptLog, Window};
use crate::model::{Bulk, BulkOp, Request};
use crate::policy::rules::Failure;

use super::ScriptRun;
use super::names::Named;

/// A script of allocations, frees, purges and drain work alone, with everything resolved that does not depend on an
/// answer. Questions change nothing and are left out.
#[derive(Debug, Clone)]
pub struct BulkScript {
    ops: Vec<BulkOp>,
    /// The ops from here on follow the last `mark`.
    timed_from: usize,
    /// Allocations and frees behind the last `mark`.
    timed: u64,
    /// The id of each index.
    ids: Vec<u64>,
    shapes: Vec<(u64, Window)>,
}

impl BulkScript {
    /// `None` if a request goes the kernel's whole way, or if there are too many kinds of requests.
    pub fn new(script: &ScriptLog, run: &ScriptRun) -> Option<Self> {
        let mut new = Self { ops: Vec::new(), timed_from: 0, timed: 0, ids: Vec::new(), shapes: Vec::new() };
        if run.space.memory().is_some() {
            return None;
        }
        new.ops.reserve_exact(script.ops.len());
        let (mut slots, mut shapes) = (HashMap::new(), HashMap::new());
        for OpLine { op, .. } in &script.ops {
            let mut slot_of = |id: u64| {
                *slots.entry(id).or_insert_with(|| {
                    new.ids.push(id);
                    new.ids.len() as u32 - 1
                })
            };
            new.timed += u64::from(matches!(op, Asked::Alloc { .. } | Asked::Free { .. }));
            new.ops.push(match *op {
                Asked::Alloc { id, size, align, window, cpu } => {
                    let slot = slot_of(id);
                    let window = window.map_or(run.machine.window, |(vstart, vend)| Window { vstart, vend });
                    let request = Request { size, align, window, cpu, first_attempt: true };
                    let Some(size) = run.checked_size(&request) else {
                        new.ops.push(BulkOp::Reject { slot });
                        continue;
                    };
                    let shape = *shapes.entry((align, window.vstart, window.vend)).or_insert_with(|| {
                        new.shapes.push((align, window));
                        new.shapes.len() - 1
                    });
                    let (shape, cpu) = (u16::try_from(shape).ok()?, u16::try_from(cpu).ok()?);
                    BulkOp::Alloc { size, slot, cpu, shape }
                }
                Asked::Free { id, .. } => BulkOp::Free { slot: slot_of(id) },
                Asked::Purge => BulkOp::Purge,
                Asked::Work => BulkOp::Work,
                Asked::Shrink => BulkOp::Shrink,
                Asked::Lazy | Asked::Check | Asked::Hash { .. } | Asked::Dump { .. } => continue,
                Asked::Mark => {
                    (new.timed_from, new.timed) = (new.ops.len(), 0);
                    continue;
                }
                Asked::Request(_) => return None,
            });
        }
        Some(new)
    }

    /// Allocations and frees behind the last `mark`; all of them if there is none.
    pub fn timed_ops(&self) -> u64 {
        self.timed
    }
}

/// A [`BulkScript`] under way.
#[derive(Debug)]
pub struct BulkRun<'a> {
    script: &'a BulkScript,
    run: ScriptRun,
    bulk: Bulk,
}

impl<'a> BulkRun<'a> {
    /// At the state `run` is in, with everything up to the last `mark` done. `run` has run no op.
    pub fn up_to_mark(script: &'a BulkScript, mut run: ScriptRun) -> Self {
        let rules = run.machine.policy.rules;
        let mut bulk = Bulk {
            shapes: script.shapes.clone(),
            starts: vec![Bulk::NOWHERE; script.ids.len()],
            helpers: run.helpers,
            autowork: run.autowork,
            retries: rules.failure == Failure::Ebusy,
            ..Bulk::default()
        };
        run.space.run_bulk(&script.ops[..script.timed_from], &mut bulk);
        bulk.flushes = 0;
        Self { script, run, bulk }
    }

    /// Everything behind it.
    pub fn timed_part(&mut self) {
        self.run.space.run_bulk(&self.script.ops[self.script.timed_from..], &mut self.bulk);
    }

    /// The sum of all addresses, setup included, and the purges of the timed part that had something to flush.
    pub fn sum_and_purges(&self) -> (u64, u64) {
        (self.bulk.sum.0, self.bulk.flushes)
    }

    /// The run as if its ops had been run one by one.
    pub fn finish(mut self) -> ScriptRun {
        let page_size = self.run.machine.page_size;
        for (&id, &addr) in self.script.ids.iter().zip(&self.bulk.starts).filter(|(_, start)| **start != Bulk::NOWHERE)
        {
            self.run.live.insert(id, Named { addr, pages: 0 }, page_size);
        }
        self.run.failures += self.bulk.failures;
        self.run
    }
}

impl ScriptRun {
    /// The size that is searched for; `None` if the request is refused before that.
    pub(super) fn checked_size(&self, request: &Request) -> Option<u64> {
        let request = self.guarded(request);
        self.bad(&request).is_none().then_some(request.size)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Done;
    use super::*;
    use crate::log::Log;
    use crate::policy::POLICIES;
    use crate::replay::Settings;

    const SCRIPT: &[u8] = b"range 0x100000 0x140000\ncpus 2\nautowork 1\na 0 16384\na 1 8192 32768\na 0 4096\n\
        a 2 4096 1 - - 1\nf 0\nf 7\na 3 0\nmark\na 4 100\na 5 4096 3\na 6 1048576\nhash\nf 1\nlazy\nwork\na 7 131072\n\
        a 8 131072\nf 2\npurge\na 9 20480 1 0x110000 0x120000 1\nshrink\nf 7\na 7 8192\n";

    /// In every era the state, the failures and the live ids are those of the same ops run one by one.
    #[test]
    fn a_run_in_bulk_is_the_run() {
        for entry in POLICIES {
            let settings = Settings { policy: Some(entry.id.to_owned()), ..Settings::default() };
            let log = Log::of_script(parsers::ops::parse(SCRIPT), "x.ops");
            let script = log.script.expect("a script");
            let mut one_by_one = ScriptRun::new(&script, &settings).expect("an era");
            let bulk_script = BulkScript::new(&script, &one_by_one).expect("plain");
            assert_eq!(bulk_script.timed_ops(), 10, "{}", entry.id);
            let mut bulk = BulkRun::up_to_mark(&bulk_script, one_by_one.clone());
            bulk.timed_part();
            let bulk = bulk.finish();
            let mut done = Done::default();
            for line in &script.ops {
                one_by_one.run(&line.op, 0, &mut done);
            }
            assert_eq!(bulk.space().digest(), one_by_one.space().digest(), "{}", entry.id);
            assert_eq!(bulk.space().n_tables(), one_by_one.space().n_tables(), "{}", entry.id);
            assert_eq!(bulk.space().failures(), one_by_one.space().failures(), "{}", entry.id);
            assert_eq!(bulk.failures(), one_by_one.failures(), "{}", entry.id);
            assert_eq!(bulk.allocator().audit(), Ok(()), "{}", entry.id);
            for id in 0..10 {
                assert_eq!(bulk.address_of(id), one_by_one.address_of(id), "{} {id}", entry.id);
            }
        }
    }

    #[test]
    fn requests_go_their_own_way() {
        let log = Log::of_script(parsers::ops::parse(b"vmalloc 0 4096\n"), "x.ops");
        let script = log.script.expect("a script");
        let run = ScriptRun::new(&script, &Settings::default()).expect("an era");
        assert!(BulkScript::new(&script, &run).is_none());
    }
}
