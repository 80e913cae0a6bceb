//! An op script of a replay: the same requests, to be run under any rules.
//!
//! An attempt that failed and was made again after a purge is one op, as it is one in a script. What the script language
//! has no word for is counted in a comment at its end.

use std::collections::HashMap;
use std::io::Write;

use super::ExportError;
use super::about::About;
use super::csv::plain;
use crate::event::{Event, TaskId};
use crate::log::Window;
use crate::model::{AddressSpace, Answer, Op, PurgeKind, Request};
use crate::policy::rules::Release;
use crate::replay::Replay;

/// Up to here the kernel adds the guard page itself.
const ADDS_GUARD: Release = Release::of_2_6(28);

/// Writes the script.
///
/// # Errors
/// What is written to says no.
pub fn write(replay: &Replay, to: impl Write) -> Result<(), ExportError> {
    let machine = &replay.plan().machine;
    let mut script = Script {
        to,
        replay,
        range: machine.window,
        guard: if machine.policy.release < ADDS_GUARD { machine.page_size } else { 0 },
        space: replay.start().without_memory(),
        live: HashMap::new(),
        waiting: HashMap::new(),
        next_id: 0,
        left_out: 0,
    };
    script.header()?;
    script.start()?;
    for (index, event) in replay.log().events.iter().enumerate() {
        for op in replay.plan().ops_of(replay.log(), index) {
            script.op(&event, &op)?;
        }
    }
    if 0 < script.left_out {
        writeln!(script.to, "# {} operations of the input have no op", script.left_out)?;
    }
    Ok(script.to.flush()?)
}

struct Script<'a, W: Write> {
    to: W,
    replay: &'a Replay,
    range: Window,
    /// What is taken off a size, in bytes.
    guard: u64,
    space: AddressSpace,
    /// Ids of the areas in use, by their first address.
    live: HashMap<u64, u64>,
    /// Tasks whose first attempt has failed: the second belongs to the same op.
    waiting: HashMap<TaskId, u64>,
    next_id: u64,
    left_out: u64,
}

impl<W: Write> Script<'_, W> {
    fn header(&mut self) -> Result<(), ExportError> {
        let machine = &self.replay.plan().machine;
        writeln!(self.to, "# {}", plain(self.replay.log().origin.name.as_bytes()))?;
        for (key, value) in About::of(self.replay).pairs("vmaplens.ops/1") {
            writeln!(self.to, "# {key}: {}", plain(value.as_bytes()))?;
        }
        writeln!(self.to, "era {}", machine.policy.release)?;
        writeln!(self.to, "range 0x{:x} 0x{:x}", self.range.vstart, self.range.vend)?;
        writeln!(self.to, "cpus {}\npossible {}", machine.cpus_online, machine.cpus_possible)?;
        Ok(())
    }

    /// The areas that are there before the first record. Those of a kernel's boot are early areas; those of a later
    /// moment can be freed, so they are allocated, each in a window that leaves no choice.
    fn start(&mut self) -> Result<(), ExportError> {
        let allocator = self.space.allocator();
        let (mut busy, mut lazy) = (Vec::new(), Vec::new());
        for node in 0..allocator.n_nodes() {
            allocator.visit_busy(node, &mut |area| busy.push((area.start, area.end)));
            allocator.visit_lazy(node, &mut |area| lazy.push((area.start, area.end)));
        }
        busy.sort_unstable();
        lazy.sort_unstable();
        if self.replay.plan().machine.from_boot || self.replay.log().script.is_some() {
            for (start, end) in busy {
                writeln!(self.to, "early 0x{start:x} 0x{end:x}")?;
            }
            return Ok(());
        }
        for (start, end) in busy {
            self.place(start, end, 0)?;
        }
        for &(start, end) in &lazy {
            self.place(start, end, 0)?;
        }
        for (start, _) in lazy {
            self.free(start, 0)?;
        }
        Ok(())
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// An area at a place of its own.
    fn place(&mut self, start: u64, end: u64, cpu: u32) -> Result<(), ExportError> {
        let id = self.id();
        self.live.insert(start, id);
        let size = (end - start).saturating_sub(self.guard);
        Ok(writeln!(self.to, "a {id} {size} 1 0x{start:x} 0x{end:x} {cpu}")?)
    }

    fn free(&mut self, start: u64, cpu: u32) -> Result<(), ExportError> {
        match self.live.remove(&start) {
            Some(id) if cpu == 0 => writeln!(self.to, "f {id}")?,
            Some(id) => writeln!(self.to, "f {id} {cpu}")?,
            None => self.left_out += 1,
        }
        Ok(())
    }

    fn request(&mut self, request: &Request) -> Result<u64, ExportError> {
        let Request { size, align, window, cpu, .. } = *request;
        let (id, size) = (self.id(), size.saturating_sub(self.guard));
        if window == self.range {
            match (align, cpu) {
                (1, 0) => writeln!(self.to, "a {id} {size}")?,
                (_, 0) => writeln!(self.to, "a {id} {size} {align}")?,
                _ => writeln!(self.to, "a {id} {size} {align} - - {cpu}")?,
            }
        } else {
            writeln!(self.to, "a {id} {size} {align} 0x{:x} 0x{:x} {cpu}", window.vstart, window.vend)?;
        }
        Ok(id)
    }

    fn op(&mut self, event: &Event, op: &Op) -> Result<(), ExportError> {
        let was_pending = self.space.allocator().drain_pending();
        let answer = self.space.apply(op, None);
        let cpu = event.assumed_cpu();
        match *op {
            Op::Alloc { request, .. } | Op::Search { request, .. } => {
                let waiting = self.waiting.remove(&event.task).filter(|_| !request.first_attempt);
                let id = match waiting {
                    Some(id) => id,
                    None => self.request(&request)?,
                };
                match answer {
                    Answer::Placed(extent) => _ = self.live.insert(extent.start(), id),
                    Answer::Refused(_) if request.first_attempt => _ = self.waiting.insert(event.task, id),
                    _ => {}
                }
            }
            Op::Adopt { extent, .. } => {
                self.waiting.remove(&event.task);
                if matches!(answer, Answer::Adopted { displaced, .. } if 0 < displaced) {
                    self.left_out += 1;
                }
                self.place(extent.start(), extent.end(), cpu)?;
            }
            Op::Free { .. } | Op::Remove { .. } => match answer {
                Answer::Freed(freed) => self.free(freed.extent.start(), cpu)?,
                _ => self.left_out += 1,
            },
            // The op of the attempt that has failed purges by itself.
            Op::Purge { kind: PurgeKind::Full, .. } if !self.waiting.is_empty() => {}
            Op::Purge { kind: PurgeKind::Full, .. } => writeln!(self.to, "purge")?,
            Op::Purge { .. } if was_pending => writeln!(self.to, "work")?,
            Op::Purge { .. } => writeln!(self.to, "aliases")?,
            Op::Drain { .. } => writeln!(self.to, "work")?,
            Op::Shrink => writeln!(self.to, "shrink")?,
            Op::Chunk { size, align } => {
                let id = self.id();
                writeln!(self.to, "pcpu {id} 0:0x{size:x} align=0x{align:x}")?;
                if let Answer::Chunk(Some(extent)) = answer {
                    self.live.insert(extent.start(), id);
                }
            }
            Op::Chunks { groups, align } => {
                let id = self.id();
                let page = self.space.allocator().page_size();
                let groups: Vec<String> =
                    groups.bytes(page).iter().map(|(offset, size)| format!("0x{offset:x}:0x{size:x}")).collect();
                writeln!(self.to, "pcpu {id} {} align=0x{align:x}", groups.join(" "))?;
            }
            // What is behind areas is not the allocator's, and a refused request asked it nothing.
            Op::Memory(_) => {}
            Op::PurgePart(_) | Op::Reject { .. } => self.left_out += 1,
        }
        Ok(())
    }
}
