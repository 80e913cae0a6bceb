//! [`Memory::apply`]: one thing a request does, carried out.

use super::backed::Runs;
use super::{Backed, Memory, MemoryAnswer, MemoryOp};
use crate::model::frames::{FrameRun, PageStrategy, PagesTold, ZoneKind};
use crate::model::stage::{BlockEvent, Fault, Object, Stage};
use crate::model::step::{Step, Steps};
use crate::model::usage::{CallerId, Provenance, Usage, UsageKind};

/// Tells a stage to whoever wants to know.
pub(super) fn tell(steps: &mut Option<&mut Steps>, make: impl FnOnce() -> Stage) {
    if let Some(steps) = steps {
        steps.push(Step::Stage(make()));
    }
}

impl Memory {
    /// Carries out one operation.
    pub fn apply(&mut self, op: &MemoryOp, mut steps: Option<&mut Steps>) -> MemoryAnswer {
        let steps = &mut steps;
        match *op {
            MemoryOp::Tell(note) => {
                tell(steps, || Stage::Note(note));
                MemoryAnswer::Done
            }
            MemoryOp::Bind { extent, kind, flags, caller } => {
                let descriptor = self.objects.take(Object::VmStruct, &mut self.frames);
                let usage = Usage { caller, ..Usage::asked(kind, self.page_shift()) };
                self.live.insert(Backed { flags, descriptor, ..Backed::bare(extent, usage) });
                tell(steps, || Stage::Bound { extent, flags });
                MemoryAnswer::Done
            }
            MemoryOp::Unbind { start } => self.unbind(start, steps),
            MemoryOp::SetFlags { start, flags } => self.change(start, |_, backed| {
                backed.flags = flags;
                MemoryAnswer::Done
            }),
            MemoryOp::TakeArray { start, bytes } => {
                self.change(start, |memory, backed| memory.take_array(backed, bytes, steps))
            }
            MemoryOp::NestArray { start, array } => self.change(start, |_, backed| {
                backed.nested = Some(array);
                MemoryAnswer::Done
            }),
            MemoryOp::GiveArray { start } => self.change(start, |memory, backed| memory.give_array(backed, steps)),
            MemoryOp::TakePages { start, pages, order, limit, strategy, fault } => {
                let how = (limit, strategy, fault);
                self.change(start, |memory, backed| memory.take_pages(backed, (pages, order), how, steps))
            }
            MemoryOp::GivePages { start } => self.change(start, |memory, backed| memory.give_pages(backed, steps)),
            MemoryOp::LosePages { start, after, until } => {
                self.change(start, |memory, backed| memory.lose_pages(backed, (after, until), steps))
            }
            MemoryOp::Note { extent, kind } => {
                let usage = Usage::asked(kind, self.page_shift());
                self.live.insert(Backed::bare(extent, usage));
                MemoryAnswer::Done
            }
            MemoryOp::Map { extent, mapping, fault } => {
                let asked = self.live.get(extent.start()).copied();
                // A part of a block is no area of its own.
                let own = asked.filter(|backed| backed.usage.kind != UsageKind::VmapBlock);
                let part = Backed::bare(extent, Usage::asked(UsageKind::VmapBlock, self.page_shift()));
                let mut backed = own.unwrap_or(part);
                let answer = self.map_within(&mut backed, extent, mapping, fault, steps);
                if own.is_some() {
                    self.live.insert(backed);
                }
                answer
            }
            MemoryOp::Unmap { extent, flushes } => {
                self.unmap(extent, steps);
                if flushes {
                    self.flushes.count(self.arch.tlb, extent, self.page_size());
                    tell(steps, || Stage::TlbFlushed { extent });
                }
                MemoryAnswer::Done
            }
            MemoryOp::Defer { cpu, addr } => {
                self.deferred.push((cpu, addr));
                let waiting = self.waiting_on(cpu) as u32;
                tell(steps, || Stage::Deferred { cpu, addr, waiting });
                MemoryAnswer::Done
            }
            MemoryOp::TakeDeferred { cpu } => {
                let newest = self.deferred.iter().rposition(|&(of, _)| of == cpu);
                let taken = newest.map(|at| self.deferred.remove(at).1);
                let left = self.waiting_on(cpu) as u32;
                if let Some(addr) = taken {
                    tell(steps, || Stage::DeferredRun { cpu, addr, left });
                }
                MemoryAnswer::Waited(taken)
            }
            _ => self.apply_to_block(op, steps),
        }
    }

    fn apply_to_block(&mut self, op: &MemoryOp, steps: &mut Option<&mut Steps>) -> MemoryAnswer {
        let (start, event) = match *op {
            MemoryOp::AddBlock { extent, cpu, at_head } => {
                self.blocks.add(extent, cpu, at_head, self.page_size());
                let descriptor = self.objects.take(Object::VmapBlock, &mut self.frames);
                let usage = Usage::asked(UsageKind::VmapBlock, self.page_shift());
                self.live.insert(Backed { descriptor, ..Backed::bare(extent, usage) });
                (extent.start(), BlockEvent::New { at_head })
            }
            MemoryOp::TakeFromBlock { block, first, pages } => {
                let Some(found) = self.blocks.get_mut(block) else { return MemoryAnswer::Nothing };
                if !found.take(first, pages) {
                    return MemoryAnswer::Nothing;
                }
                let (free, is_listed) = (found.free, found.is_listed);
                tell(steps, || Stage::Block { start: block, event: BlockEvent::Taken { first, pages, free } });
                if is_listed {
                    return MemoryAnswer::Done;
                }
                (block, BlockEvent::Exhausted)
            }
            MemoryOp::DirtyInBlock { block, pages } => {
                let Some(found) = self.blocks.get_mut(block) else { return MemoryAnswer::Nothing };
                found.dirty = (found.dirty + pages).min(found.bits - found.free);
                let dirty = found.dirty;
                (block, BlockEvent::Dirtied { pages, dirty })
            }
            MemoryOp::DropBlock { block, fragmented } => {
                if self.blocks.remove(block).is_none() {
                    return MemoryAnswer::Nothing;
                }
                self.unbind(block, steps);
                (block, BlockEvent::Freed { fragmented })
            }
            _ => return MemoryAnswer::Nothing,
        };
        tell(steps, || Stage::Block { start, event });
        MemoryAnswer::Done
    }

    fn waiting_on(&self, cpu: u32) -> usize {
        self.deferred.iter().filter(|&&(of, _)| of == cpu).count()
    }

    fn change(&mut self, start: u64, change: impl FnOnce(&mut Self, &mut Backed) -> MemoryAnswer) -> MemoryAnswer {
        let Some(mut backed) = self.live.remove(start) else { return MemoryAnswer::Nothing };
        let answer = change(self, &mut backed);
        self.live.insert(backed);
        answer
    }

    /// The record goes, and the descriptor with it. Pages that are still there are lost.
    fn unbind(&mut self, start: u64, steps: &mut Option<&mut Steps>) -> MemoryAnswer {
        let Some(mut backed) = self.live.remove(start) else { return MemoryAnswer::Nothing };
        if backed.data_pages > 0 {
            let all = backed.data_pages;
            self.lose_pages(&mut backed, (0, all), steps);
        }
        self.drop_descriptor(&backed);
        MemoryAnswer::Done
    }

    pub(super) fn drop_descriptor(&mut self, backed: &Backed) {
        if let Some(descriptor) = backed.descriptor {
            self.objects.give(descriptor, &mut self.frames);
        }
    }

    pub(super) fn take_array(
        &mut self,
        backed: &mut Backed,
        bytes: u64,
        steps: &mut Option<&mut Steps>,
    ) -> MemoryAnswer {
        let Some(array) = self.objects.slabs.kmalloc(bytes, &mut self.frames) else { return MemoryAnswer::Nothing };
        (backed.array_bytes, backed.array) = (bytes, Some(array));
        tell(steps, || Stage::ArrayTaken { bytes, object_bytes: self.objects.slabs.kmem_bytes(array) });
        MemoryAnswer::Done
    }

    pub(super) fn give_array(&mut self, backed: &mut Backed, steps: &mut Option<&mut Steps>) -> MemoryAnswer {
        let bytes = std::mem::take(&mut backed.array_bytes);
        let Some(array) = backed.array.take() else { return MemoryAnswer::Nothing };
        self.objects.give(array, &mut self.frames);
        tell(steps, || Stage::ArrayGiven { bytes });
        MemoryAnswer::Done
    }

    pub(super) fn take_pages(
        &mut self,
        backed: &mut Backed,
        (pages, order): (u64, u8),
        (limit, strategy, fault): (ZoneKind, PageStrategy, Option<Fault>),
        steps: &mut Option<&mut Steps>,
    ) -> MemoryAnswer {
        let at_most = match fault {
            Some(Fault::Pages(most)) => pages.min(most.into()),
            _ => pages,
        };
        let told = if self.places_pages {
            self.scratch.clear();
            let told = match u32::from(order) {
                0 => self.frames.alloc_bulk(at_most, limit, strategy, &mut self.scratch),
                order => self.frames.alloc_huge(at_most >> order, order, limit, &mut self.scratch),
            };
            backed.runs = self.runs.add(&self.scratch, backed.runs);
            told
        } else {
            let free = self.frames.free_pages().saturating_sub(self.counted_pages);
            let told = PagesTold::counted(at_most.min(free), at_most, order.into(), strategy);
            self.counted_pages += told.got;
            told
        };
        backed.data_pages += told.got;
        tell(steps, || Stage::PagesTaken { asked: pages, limit, told });
        MemoryAnswer::Pages(told.got)
    }

    pub(super) fn give_pages(&mut self, backed: &mut Backed, steps: &mut Option<&mut Steps>) -> MemoryAnswer {
        let pages = std::mem::take(&mut backed.data_pages);
        let chain = std::mem::replace(&mut backed.runs, Runs::NONE);
        if pages == 0 {
            return MemoryAnswer::Nothing;
        }
        let mut merges = 0;
        if self.places_pages {
            self.scratch.clear();
            self.runs.take(chain, &mut self.scratch);
            for &run in &self.scratch {
                match self.frames.free(run) {
                    Ok(told) => merges += told.merges_by_page(),
                    Err(error) => debug_assert!(false, "frames of an area are in use: {error}"),
                }
            }
        } else {
            self.counted_pages -= pages;
        }
        tell(steps, || Stage::PagesGiven { pages, merges });
        MemoryAnswer::Pages(pages)
    }

    /// The pages outside `after..until` go back, the others stay in use with nobody who knows them.
    fn lose_pages(
        &mut self,
        backed: &mut Backed,
        (after, until): (u64, u64),
        steps: &mut Option<&mut Steps>,
    ) -> MemoryAnswer {
        let pages = std::mem::take(&mut backed.data_pages);
        let chain = std::mem::replace(&mut backed.runs, Runs::NONE);
        self.scratch.clear();
        self.runs.take(chain, &mut self.scratch);
        let until = until.min(pages);
        let after = after.min(until);
        let mut at = 0;
        for &run in &self.scratch {
            // Pages `at..at + run.n` of the area.
            let below = after.saturating_sub(at).min(run.n);
            let above = (at + run.n).saturating_sub(until.max(at)).min(run.n);
            for back in [FrameRun { first: run.first, n: below }, FrameRun { first: run.end() - above, n: above }] {
                let freed = if back.n > 0 { self.frames.free(back).is_ok() } else { true };
                debug_assert!(freed, "frames of an area are in use");
            }
            at += run.n;
        }
        if !self.places_pages {
            self.counted_pages -= pages - (until - after);
        }
        let lost = until - after;
        self.lost_pages += lost;
        tell(steps, || Stage::PagesLost { pages: lost });
        MemoryAnswer::Pages(lost)
    }
}

impl Usage {
    /// What a request says of itself: nothing is mapped yet.
    fn asked(kind: UsageKind, page_shift: u8) -> Self {
        Self {
            kind,
            kind_from: Provenance::Observed,
            pages: 0,
            pages_from: Provenance::Modelled,
            page_shift,
            shift_from: Provenance::Modelled,
            phys: None,
            caller: CallerId::UNKNOWN,
            caller_from: Provenance::Observed,
        }
    }
}
