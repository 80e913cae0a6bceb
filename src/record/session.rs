//! One recording, from the first change to the last one taken back.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::time::ClockId;

use crate::log::{Pointers, escape};

use super::decode::Layout;
use super::drain::{Drain, Failure, now};
use super::error::RecordError;
use super::facts::Facts;
use super::files::Files;
use super::guard::{Guard, Kept};
use super::keep::{self, Comms};
use super::loss::{self, Loss};
use super::plan::Plan;
use super::settings::{Limits, Settings};
use super::signals::Stop;
use super::snapshot::{self, Room, Snapshot, When};
use super::store::Store;

/// Longest time between two looks at limits and signals.
const LOOK: Duration = Duration::from_millis(100);

/// What ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The time was over.
    Duration,
    /// There was as much as was wanted.
    Size,
    /// An allocation failed.
    Failed,
    /// The command ended.
    Command,
    /// Somebody asked for it.
    Signal,
}

/// What came of it, before a bundle is made.
#[derive(Debug)]
pub struct Taken {
    /// What ended it.
    pub end: End,
    /// How the command ended, if there was one.
    pub status: Option<ExitStatus>,
    /// From the first to the last event, by this process's clock.
    pub elapsed: Duration,
    /// The two reads, if there were any.
    pub before: Option<Snapshot>,
    /// The one at the end.
    pub after: Option<Snapshot>,
    /// Counts of each CPU at the end, with the kernel's text.
    pub stats: Vec<(u16, Loss, String)>,
    /// `(monotonic, real)` time of one moment at the start, in ns.
    pub clocks: (u64, u64),
    /// Bytes of pages.
    pub bytes: u64,
    /// Everything that was changed and changed back.
    pub writes: Vec<String>,
    /// What could not be changed back.
    pub kept: Vec<Kept>,
    /// How to read the pages.
    pub layout: Layout,
    /// Names of tasks.
    pub comms: Comms,
}

/// What a recording works with.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// The system.
    pub files: &'a dyn Files,
    /// What is known of it.
    pub facts: &'a Facts,
    /// What is asked for.
    pub settings: &'a Settings,
    /// What is going to be done.
    pub plan: &'a Plan,
    /// Who may stop it.
    pub stop: &'a Stop,
}

impl Session<'_> {
    /// Records into `store`. `talk` gets sentences for people while it runs.
    ///
    /// # Errors
    /// It could not be done. Whatever was changed is changed back by then.
    pub fn run(&self, store: &mut dyn Store, talk: &dyn Fn(&str)) -> Result<Taken, RecordError> {
        let Self { files, facts, plan, .. } = *self;
        let mut guard = Guard::new(files);
        for step in &plan.steps {
            guard.apply(step).map_err(|error| self.refused(step, &error))?;
        }
        let layout = keep::layout(files, facts, plan, store)?;
        let page_bytes = keep::page_bytes(&layout.header_page).ok_or_else(|| {
            RecordError::new("events/header_page does not say how large a page is", "this kernel cannot be recorded")
        })?;
        let cpus = &facts.online;
        let mut outputs: Vec<(u16, Box<dyn Write>)> = Vec::new();
        for &cpu in cpus {
            outputs.push((cpu, store.grow(&format!("events.pages/cpu{cpu}"))?));
        }
        let mut drain = Drain::open(files, &plan.instance, outputs, page_bytes).map_err(|e| self.broken(e))?;
        let mut room = Room::new();
        let mut comms = Comms::default();
        comms.look(files, facts);
        keep::first_manifest(store, facts, self.settings)?;
        guard.apply(&plan.start).map_err(|error| self.refused(&plan.start, &error))?;
        store.keep();
        let begun = Instant::now();
        let clocks = clock_pair();
        if let Some(step) = &plan.empty_pools {
            guard.apply(step).map_err(|error| self.refused(step, &error))?;
        }
        let before = self.snapshot(&mut guard, When::Before, &mut room, talk)?;
        if let Some(before) = &before {
            store.put("vmallocinfo.before", &before.text)?;
        }
        let (end, status) = self.watch(&mut drain, &layout, &mut comms, (begun, store))?;
        let after = self.snapshot(&mut guard, When::After, &mut room, talk)?;
        keep::at_the_end(files, store)?;
        let mut kept = Vec::from_iter(guard.undo_last().err());
        let elapsed = begun.elapsed();
        // Once more after nothing came: a page that was being written at the first look is whole at the second.
        for _ in 0..2 {
            drain.sweep(&mut |_, _| {}).map_err(|error| self.broken(error))?;
        }
        let stats = loss::read(files, &plan.instance, cpus);
        comms.look(files, facts);
        let profile = files.text(&facts.tracefs_file("kprobe_profile"));
        keep::probes(store, plan, facts, profile)?;
        let bytes = drain.bytes;
        drain.close().map_err(|error| self.broken(error))?;
        kept.extend(guard.undo_to(0));
        let writes = std::mem::take(&mut guard.writes);
        Ok(Taken { end, status, elapsed, before, after, stats, clocks, bytes, writes, kept, layout, comms })
    }

    /// Takes pages until something ends it.
    fn watch(
        &self,
        drain: &mut Drain,
        layout: &Layout,
        comms: &mut Comms,
        (begun, store): (Instant, &mut dyn Store),
    ) -> Result<(End, Option<ExitStatus>), RecordError> {
        let limits = self.settings.limits;
        let mut child = self.spawn()?;
        let mut failed = false;
        let mut looked = Instant::now();
        let (end, status) = loop {
            let status = child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(end) = self.ended(limits, begun, drain.bytes, failed, status.is_some()) {
                break (end, status);
            }
            let left = limits.duration.map_or(LOOK, |limit| limit.saturating_sub(begun.elapsed()).min(LOOK));
            let mut seen = |cpu: u16, page: &[u8]| failed |= limits.until_failed && layout.has_failure(cpu, page);
            drain.wait(left, &mut seen).map_err(|error| self.broken(error))?;
            if limits.until_failed {
                drain.sweep(&mut seen).map_err(|error| self.broken(error))?;
            }
            store.emptied(drain.emptied);
            if COMMS_EVERY <= looked.elapsed() {
                comms.look(self.files, self.facts);
                looked = Instant::now();
            }
        };
        if let (Some(child), None) = (child, status) {
            end_command(&child);
        }
        Ok((end, status))
    }

    fn ended(&self, limits: Limits, begun: Instant, bytes: u64, failed: bool, command_ended: bool) -> Option<End> {
        if self.stop.is_asked() {
            Some(End::Signal)
        } else if failed {
            Some(End::Failed)
        } else if command_ended {
            Some(End::Command)
        } else if limits.duration.is_some_and(|limit| limit <= begun.elapsed()) {
            Some(End::Duration)
        } else if limits.bytes.is_some_and(|limit| limit <= bytes) {
            Some(End::Size)
        } else {
            None
        }
    }

    fn spawn(&self) -> Result<Option<Child>, RecordError> {
        let Some((program, args)) = self.settings.command.split_first() else { return Ok(None) };
        let spawned = Command::new(program).args(args).spawn();
        spawned.map(Some).map_err(|error| {
            let program = escape(program.to_string_lossy().as_bytes());
            RecordError::new(
                format!("cannot run {program}: {error}"),
                "what stands behind -- is run as it is, by no shell",
            )
        })
    }

    /// One snapshot. Without the right to read it the recording goes on.
    fn snapshot(
        &self,
        guard: &mut Guard<'_>,
        when: When,
        room: &mut Room,
        talk: &dyn Fn(&str),
    ) -> Result<Option<Snapshot>, RecordError> {
        if self.facts.pointers.is_none() {
            return Ok(None);
        }
        let taken = snapshot::take(self.files, guard, self.plan, &self.facts.online, when, room);
        let path = Path::new(super::facts::VMALLOCINFO);
        let snapshot = taken.map_err(|error| RecordError::system(path, &error, self.facts))?;
        if snapshot.pointers != Pointers::Real && when == When::Before {
            talk(
                "note: the addresses of /proc/vmallocinfo are hidden here, so the recording cannot be joined with it; \
                 --allow-kptr shows them while it is read",
            );
        }
        Ok(Some(snapshot))
    }

    fn broken(&self, failure: Failure) -> RecordError {
        match failure {
            Failure::Read(path, error) => RecordError::system(&path, &error, self.facts),
            Failure::Write(error) => RecordError::new(
                format!("the output could not be written: {error}"),
                "check the space left; --size ends a recording before it is too large",
            ),
        }
    }

    /// A step that was refused, with what the kernel has to say about it.
    fn refused(&self, step: &super::plan::Step, error: &std::io::Error) -> RecordError {
        let mut refusal = RecordError::system(&step.path, error, self.facts);
        refusal.what = format!("{step}: {error}");
        let is_text = step.path.ends_with("filter") || step.path.ends_with("trigger");
        let log = if is_text { Some(self.plan.instance.join("error_log")) } else { None };
        let log = log.or_else(|| step.path.ends_with("kprobe_events").then(|| self.facts.tracefs_file("error_log")));
        if let Some(said) = log.and_then(|log| last_error(self.files, &log)) {
            refusal.hint = said;
        } else if step.path.ends_with("trace_clock") {
            let clocks = self.files.text(&step.path).unwrap_or_default();
            refusal.hint = format!("the clocks of this kernel: {clocks}");
        }
        refusal
    }
}

/// How often names of tasks are looked up: the kernel remembers a hundred or so.
const COMMS_EVERY: Duration = Duration::from_millis(500);

/// The last entry of `error_log`, without the caret.
fn last_error(files: &dyn Files, log: &Path) -> Option<String> {
    let text = files.text(log)?;
    let line = text.lines().rev().find(|line| line.contains("error: "))?;
    Some(format!("the kernel says: {}", escape(line.split_once("error: ")?.1.as_bytes())))
}

/// Both clocks at one moment.
fn clock_pair() -> (u64, u64) {
    (now(ClockId::Monotonic), now(ClockId::Realtime))
}

/// A command that runs longer than the recording is asked to end, as the terminal's Ctrl-C would have.
fn end_command(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // It may have ended by itself in between.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}
