//! A script as a log and a plan: one record for each op, made by running it.

use std::sync::Arc;

use parsers::ops::request::Target;
use parsers::ops::{Op as Asked, OpLine, RequestOp};
use parsers::{Problem, ProblemKind};

use super::{Done, ScriptRun, assumed, machine_of};
use crate::event::{Addr, Event, EventKind, Nanos, ScriptOp, Seq, TaskId};
use crate::log::{Clock, Events, FileProblem, Log, ScriptLog, Window};
use crate::model::{Answer, Freed, Op, Purged, VmapArea};
use crate::replay::plan::TALLY_EVERY;
use crate::replay::timeline::values_of;
use crate::replay::{Cause, Checkpoints, Divergence, Machine, OpenError, Plan, PolicyFrom, Settings, Tally, Verdict};

/// Runs a script once: its records, what each consists of, and how the answers compare with the expected ones.
///
/// # Errors
/// There is no op, or a setting makes no sense. An era that is not known is a problem of the log, not an error.
pub(in crate::replay) fn open(
    mut log: Log,
    script: &ScriptLog,
    settings: &Settings,
) -> Result<(Arc<Log>, Plan, Checkpoints), OpenError> {
    if script.ops.is_empty() {
        return Err(OpenError::Nothing);
    }
    let machine = machine_for(&mut log, script, settings)?;
    let run = ScriptRun::on(script, machine, true);
    log.origin.clock = Clock::None;
    log.events = Events::new();
    let mut pass = Pass {
        checkpoints: Checkpoints::new(run.space().clone(), settings.checkpoint_bytes(), script.ops.len()),
        plan: Plan::empty(machine, run.allocator().n_nodes(), script.ops.len()),
        tally: Tally::default(),
        run,
        log,
        script,
    };
    let (mut done, mut text) = (Done::default(), String::new());
    for (index, asked) in script.ops.iter().enumerate() {
        if index % TALLY_EVERY == 0 {
            pass.plan.tallies.push(pass.tally);
        }
        pass.sample();
        text.clear();
        let address = pass.address_before(&asked.op);
        pass.run.print(&asked.op, index as u32, &mut done, &mut text);
        pass.record(index, asked, address, &done);
        pass.judge(index, &text);
        pass.plan.answers.push(&text);
        if done.said.is_some() {
            pass.plan.said.push(index as u32);
        }
        pass.plan.ops.push(&pass.log, &done.ops);
        pass.checkpoints.offer(index + 1, pass.run.space_mut());
    }
    pass.sample();
    pass.plan.timeline.metrics.finish();
    Ok((Arc::new(pass.log), pass.plan, pass.checkpoints))
}

/// The machine of a script; one for an unknown era is run under the assumed rules, and the log says so.
fn machine_for(log: &mut Log, script: &ScriptLog, settings: &Settings) -> Result<Machine, OpenError> {
    let settings = settings.clone();
    match machine_of(&script.header, &settings) {
        Err(OpenError::UnknownPolicy { .. }) if settings.policy.as_deref().is_none_or(|id| id == "auto") => {
            let taken = assumed()?;
            let era = script.header.era.clone().unwrap_or_default();
            let kind = ProblemKind::UnknownEra(era, taken.entry.id);
            let problem = Problem { line: script.header.era_line, column: 1, offset: 0, kind };
            let at = log.problems.partition_point(|found| found.problem.line < problem.line);
            log.problems.insert(at, FileProblem { file: log.origin.name.clone(), problem });
            let settings = Settings { policy: Some(taken.entry.id.to_owned()), ..settings };
            Ok(Machine { policy_from: PolicyFrom::Assumed, ..machine_of(&script.header, &settings)? })
        }
        machine => machine,
    }
}

/// The one pass over the ops.
struct Pass<'s> {
    run: ScriptRun,
    log: Log,
    plan: Plan,
    checkpoints: Checkpoints,
    tally: Tally,
    script: &'s ScriptLog,
}

impl Pass<'_> {
    fn sample(&mut self) {
        self.plan.timeline.metrics.push(&values_of(self.run.space()));
    }

    /// The area that a free is about to free.
    fn address_before(&self, asked: &Asked) -> Option<u64> {
        match asked {
            Asked::Free { id, .. } => self.run.address_of(*id),
            Asked::Request(request) => match &**request {
                RequestOp::Free { target: Target::Id { id, .. }, .. } | RequestOp::UnmapRam { id } => {
                    self.run.address_of(*id)
                }
                RequestOp::Free { target: Target::Address(addr), .. } => Some(*addr),
                _ => None,
            },
            _ => None,
        }
    }

    /// The record of an op, and what the timeline and the pairs of allocation and free know of it.
    fn record(&mut self, index: usize, asked: &OpLine, address: Option<u64>, done: &Done) {
        let seq = index as u32;
        let kind = self.kind(&asked.op, address, done);
        let cpu = match &asked.op {
            Asked::Alloc { cpu, .. } | Asked::Free { cpu, .. } => u16::try_from(*cpu).unwrap_or(u16::MAX),
            Asked::Request(request) => u16::try_from(request.cpu()).unwrap_or(u16::MAX),
            _ => 0,
        };
        self.log.events.push(Event {
            at: Nanos(u64::from(seq) + 1),
            line: asked.line,
            task: TaskId(u32::MAX),
            cpu,
            kind,
        });
        let plan = &mut self.plan;
        match kind {
            EventKind::Alloc { failed: true, .. } => plan.timeline.failures.push(seq),
            EventKind::Mark { .. } => plan.timeline.marks.push(seq),
            _ => {}
        }
        if purges(&done.answers).any(|purged| purged.num_purged > 0) {
            plan.timeline.purges.push(seq);
        }
        // A request that has to undo itself, or frees fragments on its way, is no free.
        let is_free = matches!(kind, EventKind::Free { .. });
        let born = freed(&done.answers).filter(|_| is_free).map(|freed| freed.born);
        if let Some(born) = born.filter(|&born| born != VmapArea::UNBORN) {
            plan.mates[index] = born;
            plan.mates[born as usize] = seq;
        }
    }

    fn kind(&mut self, asked: &Asked, address: Option<u64>, done: &Done) -> EventKind {
        match *asked {
            _ if done.ops.is_empty() && done.said.is_some() => EventKind::Script(ScriptOp::Request),
            Asked::Alloc { size, align, window, .. } => {
                let window = window.map_or(self.run.machine().window, |(vstart, vend)| Window { vstart, vend });
                let placed = done.answers.iter().find_map(|answer| match answer {
                    Answer::Placed(extent) => Some(extent.start()),
                    _ => None,
                });
                // What the allocator was asked for: up to 2.6 with the guard page.
                let size = done
                    .ops
                    .iter()
                    .find_map(|op| match op {
                        Op::Alloc { request, .. } => Some(request.size),
                        _ => None,
                    })
                    .unwrap_or(size);
                let addr = Addr(placed.unwrap_or(window.vend));
                EventKind::Alloc {
                    addr,
                    size,
                    align,
                    window: self.log.names.add_window(window),
                    failed: placed.is_none(),
                }
            }
            Asked::Free { .. } => match (address, freed(&done.answers)) {
                (Some(addr), Some(freed)) => EventKind::Free {
                    addr: Addr(addr),
                    nr_lazy: freed.nr_lazy,
                    nr_lazy_max: self.run.allocator().lazy_max_pages(),
                },
                _ => EventKind::Script(ScriptOp::NoArea),
            },
            Asked::Purge => {
                let purged = purges(&done.answers).next().copied().unwrap_or_default();
                let (start, end) = purged.flush.unwrap_or((u64::MAX, 0));
                EventKind::Purge { start: Addr(start), end: Addr(end), num_purged: purged.num_purged }
            }
            Asked::Request(ref request) => self.request_kind(request, address, done),
            Asked::Mark => EventKind::Mark { text: self.log.names.add_text(b"what follows is timed") },
            Asked::Work => EventKind::Script(ScriptOp::Work),
            Asked::Shrink => EventKind::Script(ScriptOp::Shrink),
            Asked::Lazy => EventKind::Script(ScriptOp::Lazy),
            Asked::Check => EventKind::Script(ScriptOp::Check),
            Asked::Hash { .. } => EventKind::Script(ScriptOp::Hash),
            Asked::Dump { .. } => EventKind::Script(ScriptOp::Dump),
        }
    }

    /// A request as the record a trace would have of it: the search for its area, or the free of one.
    fn request_kind(&mut self, request: &RequestOp, address: Option<u64>, done: &Done) -> EventKind {
        let searched = done.ops.iter().find_map(|op| match op {
            Op::Search { request, .. } => Some(*request),
            _ => None,
        });
        let is_free =
            matches!(request, RequestOp::Free { .. } | RequestOp::UnmapRam { .. } | RequestOp::Deferred { .. });
        if is_free {
            let Some(freed) = freed(&done.answers) else { return EventKind::Script(ScriptOp::Request) };
            return EventKind::Free {
                addr: Addr(freed.extent.start()),
                nr_lazy: freed.nr_lazy,
                nr_lazy_max: self.run.allocator().lazy_max_pages(),
            };
        }
        let Some(asked) = searched else { return EventKind::Script(ScriptOp::Request) };
        let _ = address;
        let places = done.answers.iter().filter_map(|answer| match answer {
            Answer::Placed(extent) => Some(extent.start()),
            _ => None,
        });
        // What the caller was given, if it was given anything: a first attempt can have been undone.
        let kept = places.clone().find(|&start| self.run.is_in_use(start));
        EventKind::Alloc {
            addr: Addr(kept.unwrap_or(asked.window.vend)),
            size: asked.size,
            align: asked.align,
            window: self.log.names.add_window(asked.window),
            failed: kept.is_none(),
        }
    }

    /// Compares the whole answer with the expected one, if there is any.
    fn judge(&mut self, index: usize, answer: &str) {
        let Some(expected) = &self.script.expected else { return };
        let verdict = match expected.answer(index) {
            Some(expected) if expected == answer => Verdict::Exact,
            Some(_) => Verdict::Differs(Cause::NotTheExpected),
            None => Verdict::Differs(Cause::NoExpectation),
        };
        self.plan.verdicts[index] = verdict;
        self.tally.count(verdict);
        if verdict != Verdict::Exact {
            let seq = Seq(index as u32);
            self.plan.timeline.divergences.push(seq.0);
            self.plan.divergences.push(Divergence::new(seq, (None, None), verdict, None));
        }
    }
}

/// Every purge of an op, whoever ran it.
fn purges(answers: &[Answer]) -> impl Iterator<Item = &Purged> {
    answers.iter().flat_map(|answer| match answer {
        Answer::Purged(purged) => std::slice::from_ref(purged).iter(),
        Answer::Drained(purges) => purges.iter(),
        _ => [].iter(),
    })
}

fn freed(answers: &[Answer]) -> Option<&Freed> {
    answers.iter().find_map(|answer| match answer {
        Answer::Freed(freed) => Some(freed),
        _ => None,
    })
}
