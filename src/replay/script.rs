//! Op scripts: sequences of allocator operations with the answers a kernel's own code gave.
//!
//! What an op does to the allocator is told once, by [`ScriptRun::run`]: `replay` prints it, the plan of the terminal UI
//! keeps it.

pub mod answer;
mod bulk;
pub mod compare;
mod names;
mod plan;
mod questions;
mod requests;

use std::sync::Arc;

use parsers::ops::{Helpers, Op as Asked, OpLine, ScriptHeader};

use crate::log::{ScriptLog, Window};
use crate::model::page_table::{Geometry, Hints, geometry_named, geometry_names, geometry_of};
use crate::model::{
    AddressSpace, Allocator, Answer, BadRequest, Extent, HelperOrder, Op, Place, PurgeKind, Request, Usages,
};
use crate::policy::rules::{BadArguments, Failure, Release};
use crate::policy::{self, Chosen};
use crate::request::{DataFrames, Facts, memory_of, register_early};

use super::machine::{DEFAULT_NR_CPUS, DEFAULT_RAM, DEFAULT_RELEASE, DEFAULT_WINDOW};
use super::{Machine, OpenError, PolicyFrom, Settings};
use answer::Asking;
use names::{Named, Names};

pub use bulk::{BulkRun, BulkScript};
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
    facts: Facts,
    helpers: HelperOrder,
    autowork: bool,
    live: Names,
    /// Names of callers.
    usages: Arc<Usages>,
    failures: u64,
}

/// What an op consisted of: operations of the model, each with its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The operations, in order; none for a question.
    pub ops: Vec<Op>,
    /// One for each.
    pub answers: Vec<Answer>,
    /// What a question answers, or why nothing was done.
    pub said: Option<String>,
}

impl ScriptRun {
    /// The initial state a script asks for. What is behind areas is followed if one of its ops asks for that.
    ///
    /// # Errors
    /// The era or the architecture is not known, or a setting makes no sense.
    pub fn new(script: &ScriptLog, settings: &Settings) -> Result<Self, OpenError> {
        let has_requests = script.ops.iter().any(|line| matches!(line.op, Asked::Request(_)));
        Ok(Self::on(script, machine_of(&script.header, settings)?, has_requests))
    }

    fn on(script: &ScriptLog, machine: Machine, has_memory: bool) -> Self {
        let header = &script.header;
        let helpers = match header.helpers {
            Helpers::Flush => HelperOrder::AtFlush,
            Helpers::Sched => HelperOrder::AtSchedule,
        };
        let facts = machine.facts(helpers);
        let setup = machine.setup(early_areas(header, &facts));
        let space = AddressSpace::new(policy::build(&setup), machine.geometry);
        let usages = Arc::new(callers(script));
        let memory = has_memory.then(|| memory_of(&facts, Arc::clone(&usages), DataFrames::Placed));
        Self {
            space: memory.into_iter().fold(space, AddressSpace::with_memory),
            machine,
            facts,
            helpers,
            autowork: header.autowork,
            live: Names::default(),
            usages,
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

    /// The state, to put it aside.
    pub(super) fn space_mut(&mut self) -> &mut AddressSpace {
        &mut self.space
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
        self.live.get(id).map(|named| named.addr)
    }

    /// Does an area in use start there?
    pub fn is_in_use(&self, start: u64) -> bool {
        match self.allocator().lookup(start) {
            Place::Busy { area, .. } => self.allocator().areas()[area].start == start,
            _ => false,
        }
    }

    /// Runs one op. `born` is kept with an area it allocates; `done` tells what was done instead of what it told before.
    pub fn run(&mut self, op: &Asked, born: u32, done: &mut Done) {
        done.ops.clear();
        done.answers.clear();
        done.said = None;
        match *op {
            Asked::Alloc { id, size, align, window, cpu } => {
                let window = window.map_or(self.machine.window, |(vstart, vend)| Window { vstart, vend });
                self.alloc(id, &Request { size, align, window, cpu, first_attempt: true }, born, done);
            }
            Asked::Free { id, .. } => self.free(id, done),
            Asked::Purge => self.purge(PurgeKind::Full, done),
            Asked::Work => self.work(done),
            Asked::Shrink => self.apply(Op::Shrink, done),
            Asked::Request(ref asked) => self.request(asked, born, done),
            Asked::Lazy | Asked::Check | Asked::Hash { .. } | Asked::Dump { .. } | Asked::Mark => {}
        }
        if self.autowork {
            self.work(done);
        }
    }

    /// Runs one op and appends its result lines to `out`.
    pub fn print(&mut self, op: &Asked, born: u32, done: &mut Done, out: &mut String) {
        self.run(op, born, done);
        let rules = &self.machine.policy.rules;
        let Done { ops, answers, said } = done;
        answer::write(&Asking { op, ops, answers, said: said.as_deref(), space: &self.space, rules }, out);
    }

    /// An id names one thing until that is gone: a second one under its name could never be freed.
    fn is_taken(&mut self, id: u64, done: &mut Done) -> bool {
        let taken = self.live.get(id);
        if let Some(named) = taken {
            self.failures += 1;
            done.said = Some(format!("taken {:x}", named.addr));
        }
        taken.is_some()
    }

    fn apply(&mut self, op: Op, done: &mut Done) {
        let answer = self.space.apply(&op, None);
        done.ops.push(op);
        done.answers.push(answer);
    }

    fn alloc(&mut self, id: u64, request: &Request, born: u32, done: &mut Done) {
        if self.is_taken(id, done) {
            return;
        }
        let (rules, page_size) = (self.machine.policy.rules, self.machine.page_size);
        let request = self.guarded(request);
        let bad = self.bad(&request);
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
                self.live.insert(id, Named { addr: extent.start(), pages: 0 }, page_size);
            }
            _ => self.failures += 1,
        }
    }

    /// `get_vm_area` takes a size without the guard page; one that wraps to nothing is refused before the search.
    fn guarded(&self, request: &Request) -> Request {
        let guard = if self.machine.policy.rules.adds_guard { self.machine.page_size } else { 0 };
        Request { size: request.size.wrapping_add(guard), ..*request }
    }

    /// What the kernel objects to before it searches.
    fn bad(&self, request: &Request) -> Option<BadRequest> {
        match self.machine.policy.rules.bad_arguments {
            BadArguments::Unchecked => (request.size == 0).then_some(BadRequest::Empty),
            BadArguments::Bug | BadArguments::Einval => request.check(self.machine.page_size).err(),
        }
    }

    fn free(&mut self, id: u64, done: &mut Done) {
        let Some(Named { addr, pages }) = self.live.get(id) else { return };
        if pages > 0 {
            // Pages of `vm_map_ram` are no area.
            return;
        }
        self.live.remove(id, self.machine.page_size);
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
    let mut run = ScriptRun::new(script, settings)?;
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
    let online = settings.cpus.or(header.cpus).unwrap_or(DEFAULT_CPUS).max(1);
    let geometry = geometry_for(header, settings, settings.range.or(named).unwrap_or(DEFAULT_WINDOW))?;
    let page_size =
        settings.page_size.unwrap_or(if geometry.levels.is_empty() { PAGE_SIZE } else { geometry.page_size });
    // Scripts have 64-bit addresses, whatever their range, unless they name a machine that has not.
    let is_32_bit = header.arch.is_some() && geometry.is_32_bit();
    let ram_bytes = header.memory.unwrap_or(DEFAULT_RAM[usize::from(!is_32_bit)]).max(page_size);
    let own = || match header.arch {
        Some(_) => policy::default_window(geometry, policy.release, ram_bytes),
        None => DEFAULT_WINDOW,
    };
    let window = settings.range.or(named).unwrap_or_else(own);
    if window.vend <= window.vstart {
        let what = format!("the range 0x{:x}-0x{:x} is empty", window.vstart, window.vend);
        return Err(OpenError::BadSetting { what });
    }
    Ok(Machine {
        policy,
        policy_from,
        cpus_possible: settings.cpus.or(header.possible).unwrap_or(online).max(1),
        cpus_online: online,
        window,
        page_size,
        is_32_bit,
        from_boot: true,
        geometry,
        ram_bytes,
        numa_nodes: header.numa.unwrap_or(1),
        nr_cpus: header.nr_cpus.unwrap_or(DEFAULT_NR_CPUS[usize::from(!is_32_bit)]),
    })
}

/// The page tables a script names; x86-64 with four levels, however low the range, if it names none.
fn geometry_for(header: &ScriptHeader, settings: &Settings, window: Window) -> Result<&'static Geometry, OpenError> {
    if let Some(id) = &header.arch {
        return geometry_named(id).ok_or_else(|| OpenError::BadSetting {
            what: format!("no architecture is called {id:?}; there are {}", geometry_names().join(", ")),
        });
    }
    let page_size = settings.page_size.unwrap_or(PAGE_SIZE);
    let hints = Hints { arch: Some("x86_64"), levels: Some(4), page_size, vstart: window.vstart, ..Hints::default() };
    Ok(geometry_of(&hints))
}

/// The areas that exist before the allocator: those named, and those registered, each behind the ones before it.
fn early_areas(header: &ScriptHeader, facts: &Facts) -> Vec<Extent> {
    let named = header.early.iter().filter_map(|&(start, end)| Extent::new(start, end));
    let mut areas: Vec<Extent> = named.collect();
    let mut registered = 0;
    for &(size, align) in &header.registered {
        let Some(area) = register_early(facts, &areas, registered, size, align) else { continue };
        registered = area.end().wrapping_sub(facts.window.vstart);
        let is_apart = areas.iter().all(|other| other.intersection(area).is_none());
        if is_apart {
            areas.push(area);
            areas.sort_unstable();
        }
    }
    areas
}

/// The names of callers in a script.
fn callers(script: &ScriptLog) -> Usages {
    let mut usages = Usages::default();
    for line in &script.ops {
        if let Asked::Request(request) = &line.op
            && let Some(name) = request.caller()
        {
            usages.caller(name);
        }
    }
    usages
}

fn choose(header: &ScriptHeader, settings: &Settings) -> Result<(Chosen, PolicyFrom), OpenError> {
    let own = header.era.as_ref().map(|era| {
        // A release is meant, though some eras are called by their first one. 2.4 and 2.6 are none.
        let release = Release::parse(era).filter(|release| 2 < release.major || 0 < release.patch);
        let id = format!("linux-{era}");
        release.and_then(policy::by_release).or_else(|| policy::by_id(&id)).ok_or(OpenError::UnknownPolicy { id })
    });
    let release = own.as_ref().and_then(|own| own.as_ref().ok()).map(|own| own.release);
    if let Some(chosen) = settings.chosen(release)? {
        return Ok((chosen, PolicyFrom::Option));
    }
    match own {
        Some(own) => Ok((own?, PolicyFrom::Kernel)),
        None => Ok((assumed()?, PolicyFrom::Assumed)),
    }
}

/// The rules of a script that names no era.
fn assumed() -> Result<Chosen, OpenError> {
    policy::by_release(DEFAULT_RELEASE).ok_or_else(|| OpenError::UnknownKernel { release: DEFAULT_RELEASE.to_string() })
}
