//! Op scripts: sequences of allocator operations with the answers a kernel's own code gave.
//!
//! What an op does to the allocator is told once, by [`ScriptRun::run`]: `replay` prints it, the plan of the terminal UI
//! keeps it.

pub mod answer;
pub mod compare;
mod plan;

use std::collections::HashMap;

use parsers::ops::{Helpers, Op as Asked, OpLine, ScriptHeader};

use crate::log::{ScriptLog, Window};
use crate::model::page_table::{Hints, geometry_of};
use crate::model::{AddressSpace, Allocator, Answer, BadRequest, Extent, HelperOrder, Op, PurgeKind, Request};
use crate::policy::rules::{BadArguments, Failure};
use crate::policy::{self, Chosen};

use super::machine::{DEFAULT_RELEASE, DEFAULT_WINDOW};
use super::{Machine, OpenError, PolicyFrom, Settings};

pub use compare::{Comparison, ExpectedState, Mismatch, compare};
pub(super) use plan::open;

/// CPUs of a script that names none.
const DEFAULT_CPUS: u32 = 4;
/// Bytes in a page of a script.
const PAGE_SIZE: u64 = 4096;

/// A script being run.
#[derive(Debug, Clone)]
pub struct ScriptRun {
    space: AddressSpace,
    machine: Machine,
    helpers: HelperOrder,
    autowork: bool,
    live: HashMap<u64, u64>,
    failures: u64,
}

/// What an op consisted of: operations of the model, each with its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The operations, in order; none for a question.
    pub ops: Vec<Op>,
    /// One for each.
    pub answers: Vec<Answer>,
}

impl ScriptRun {
    /// The initial state a script asks for.
    ///
    /// # Errors
    /// The era is not known, or a setting makes no sense.
    pub fn new(header: &ScriptHeader, settings: &Settings) -> Result<Self, OpenError> {
        Ok(Self::on(header, machine_of(header, settings)?))
    }

    fn on(header: &ScriptHeader, machine: Machine) -> Self {
        let early = header.early.iter().filter_map(|&(start, end)| Extent::new(start, end)).collect();
        let setup = machine.setup(early);
        Self {
            space: AddressSpace::new(policy::build(&setup), machine.geometry),
            machine,
            helpers: match header.helpers {
                Helpers::Flush => HelperOrder::AtFlush,
                Helpers::Sched => HelperOrder::AtSchedule,
            },
            autowork: header.autowork,
            live: HashMap::new(),
            failures: 0,
        }
    }

    /// The machine the script is run on.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The state.
    pub fn space(&self) -> &AddressSpace {
        &self.space
    }

    /// The allocator's part of it.
    pub fn allocator(&self) -> &dyn Allocator {
        self.space.allocator()
    }

    /// Requests refused so far, after the purge and the second attempt.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Address of the area of an id, if it has one.
    pub fn address_of(&self, id: u64) -> Option<u64> {
        self.live.get(&id).copied()
    }

    /// Runs one op. `born` is kept with an area it allocates; `done` tells what was done instead of what it told before.
    pub fn run(&mut self, op: &Asked, born: u32, done: &mut Done) {
        done.ops.clear();
        done.answers.clear();
        match *op {
            Asked::Alloc { id, size, align, window, cpu } => {
                let window = window.map_or(self.machine.window, |(vstart, vend)| Window { vstart, vend });
                self.alloc(id, &Request { size, align, window, cpu, first_attempt: true }, born, done);
            }
            Asked::Free { id, .. } => self.free(id, done),
            Asked::Purge => self.purge(PurgeKind::Full, done),
            Asked::Work => self.work(done),
            Asked::Shrink => self.apply(Op::Shrink, done),
            Asked::Lazy | Asked::Check | Asked::Hash { .. } | Asked::Dump { .. } | Asked::Mark => {}
        }
        if self.autowork {
            self.work(done);
        }
    }

    /// Runs one op and appends its result lines to `out`.
    pub fn print(&mut self, op: &Asked, born: u32, done: &mut Done, out: &mut String) {
        self.run(op, born, done);
        answer::write(op, &done.answers, self.allocator(), self.machine.policy.rules, out);
    }

    fn apply(&mut self, op: Op, done: &mut Done) {
        let answer = self.space.apply(&op, None);
        done.ops.push(op);
        done.answers.push(answer);
    }

    fn alloc(&mut self, id: u64, request: &Request, born: u32, done: &mut Done) {
        let rules = self.machine.policy.rules;
        let page_size = self.machine.page_size;
        // `get_vm_area` takes a size without the guard page; one that wraps to nothing is refused before the search.
        let size = if rules.adds_guard { request.size.wrapping_add(page_size) } else { request.size };
        let request = Request { size, ..*request };
        let bad = match rules.bad_arguments {
            BadArguments::Unchecked => (size == 0).then_some(BadRequest::Empty),
            BadArguments::Bug | BadArguments::Einval => request.check(page_size).err(),
        };
        if let Some(bad) = bad {
            self.failures += 1;
            return self.apply(Op::Reject { bad }, done);
        }
        self.apply(Op::Alloc { request, born }, done);
        if matches!(done.answers.last(), Some(Answer::Refused(_))) && rules.failure == Failure::Ebusy {
            // overflow: everything lazy or pooled comes back, then once more, without asking a pool.
            self.purge(PurgeKind::Full, done);
            self.apply(Op::Alloc { request: Request { first_attempt: false, ..request }, born }, done);
        }
        match done.answers.last() {
            Some(Answer::Placed(extent)) => {
                self.live.insert(id, extent.start());
            }
            _ => self.failures += 1,
        }
    }

    fn free(&mut self, id: u64, done: &mut Done) {
        let Some(addr) = self.live.remove(&id) else { return };
        self.apply(Op::Free { addr }, done);
        if matches!(done.answers.last(), Some(Answer::Freed(freed)) if freed.drain_due)
            && self.allocator().drains_inline()
        {
            self.purge(PurgeKind::Partial, done);
        }
    }

    /// A purge that somebody asks for leaves the queued work queued.
    fn purge(&mut self, kind: PurgeKind, done: &mut Done) {
        self.apply(Op::Purge { kind, helpers: self.helpers, unqueues: false }, done);
    }

    fn work(&mut self, done: &mut Done) {
        if self.allocator().drain_pending() {
            self.apply(Op::Drain { helpers: self.helpers }, done);
        }
    }
}

/// Runs a whole script: its results as text.
///
/// # Errors
/// As [`ScriptRun::new`].
pub fn output(script: &ScriptLog, settings: &Settings) -> Result<String, OpenError> {
    let mut run = ScriptRun::new(&script.header, settings)?;
    let (mut out, mut done) = (String::new(), Done::default());
    for OpLine { op, .. } in &script.ops {
        run.print(op, 0, &mut done, &mut out);
    }
    Ok(out)
}

/// The machine a script describes; settings overrule it.
fn machine_of(header: &ScriptHeader, settings: &Settings) -> Result<Machine, OpenError> {
    let (policy, policy_from) = choose(header, settings)?;
    let named = header.range.map(|(vstart, vend)| Window { vstart, vend });
    let window = settings.range.or(named).unwrap_or(DEFAULT_WINDOW);
    if window.vend <= window.vstart {
        let what = format!("the range 0x{:x}-0x{:x} is empty", window.vstart, window.vend);
        return Err(OpenError::BadSetting { what });
    }
    let online = settings.cpus.or(header.cpus).unwrap_or(DEFAULT_CPUS).max(1);
    let page_size = settings.page_size.unwrap_or(PAGE_SIZE);
    Ok(Machine {
        policy,
        policy_from,
        cpus_possible: settings.cpus.or(header.possible).unwrap_or(online).max(1),
        cpus_online: online,
        window,
        page_size,
        // Scripts have 64-bit addresses, whatever their range.
        is_32_bit: false,
        from_boot: true,
        // Scripts have the addresses of x86-64, however low their range.
        geometry: geometry_of(&Hints {
            arch: Some("x86_64"),
            levels: Some(4),
            page_size,
            vstart: window.vstart,
            ..Hints::default()
        }),
    })
}

fn choose(header: &ScriptHeader, settings: &Settings) -> Result<(Chosen, PolicyFrom), OpenError> {
    if let Some(chosen) = settings.chosen()? {
        return Ok((chosen, PolicyFrom::Option));
    }
    if let Some(era) = &header.era {
        let id = format!("linux-{era}");
        return Ok((policy::by_id(&id).ok_or(OpenError::UnknownPolicy { id })?, PolicyFrom::Kernel));
    }
    Ok((assumed()?, PolicyFrom::Assumed))
}

/// The rules of a script that names no era.
fn assumed() -> Result<Chosen, OpenError> {
    policy::by_release(DEFAULT_RELEASE).ok_or_else(|| OpenError::UnknownKernel { release: DEFAULT_RELEASE.to_string() })
}
