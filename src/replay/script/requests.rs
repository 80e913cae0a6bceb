//! Request-level ops of a script: from words to requests.

use parsers::ops::request::{Fail, FreeCall, Gfp as GfpWord, RequestOp, Target, VMALLOCS, Words};

use super::names::Named;
use super::{Done, ScriptRun};
use crate::log::{Window, escape};
use crate::model::frames::ZoneKind;
use crate::model::stage::{Call, Fault, Message, Note};
use crate::model::{AddressSpace, Answer, CallerId, Extent, Groups, MemoryOp, Op};
use crate::request::{
    By, Context, Facts, Gfp, Kernel, VmallocArgs, flags, ioremap, iounmap, map_ram, pcpu_get_vm_areas, run_deferred,
    unmap_aliases, unmap_ram, vfree, vmalloc, vmalloc_init, vmap, vunmap,
};

/// The entry points, in the order of [`VMALLOCS`].
const CALLS: [Call; VMALLOCS.len()] = [
    Call::Vmalloc,
    Call::Vzalloc,
    Call::Vmalloc32,
    Call::VmallocDma,
    Call::VmallocUser,
    Call::VmallocHuge,
    Call::VmallocNodeRange,
];

/// A script's run as the kernel that requests are made to: every operation is kept.
struct Recorder<'r> {
    space: &'r mut AddressSpace,
    facts: &'r Facts,
    done: &'r mut Done,
}

impl Kernel for Recorder<'_> {
    fn apply(&mut self, op: Op) -> Answer {
        let answer = self.space.apply(&op, None);
        self.done.ops.push(op);
        self.done.answers.push(answer.clone());
        answer
    }

    fn space(&self) -> &AddressSpace {
        self.space
    }

    fn facts(&self) -> &Facts {
        self.facts
    }
}

impl ScriptRun {
    /// Runs one request.
    pub(super) fn request(&mut self, asked: &RequestOp, born: u32, done: &mut Done) {
        let by = |words: &Words, caller: CallerId| By { caller, cpu: words.cpu, born };
        let caller = self.caller_of(asked);
        if asked.names().is_some_and(|id| self.is_taken(id, done)) {
            return;
        }
        match asked {
            RequestOp::Vmalloc { call, id, size, words } => {
                let Some(extra) = self.flags_of(words, done) else { return };
                let args = VmallocArgs {
                    call: CALLS.get(*call).copied().unwrap_or(Call::Vmalloc),
                    size: *size,
                    align: words.align,
                    window: words.window.map(|(vstart, vend)| Window { vstart, vend }),
                    gfp: words.gfp.map(gfp_of),
                    flags: extra,
                    node: words.node,
                    fault: words.fail.map(fault_of),
                    by: by(words, caller),
                };
                let addr = vmalloc(&mut self.recorder(done), &args);
                self.name(*id, addr, 0);
            }
            RequestOp::Vmap { id, pages, words } => {
                let Some(extra) = self.flags_of(words, done) else { return };
                let fault = words.fail.map(fault_of);
                let addr = vmap(&mut self.recorder(done), *pages, extra, fault, by(words, caller));
                self.name(*id, addr, 0);
            }
            RequestOp::MapRam { id, pages, words } => {
                let fault = words.fail.map(fault_of);
                let addr = map_ram(&mut self.recorder(done), *pages, fault, by(words, caller));
                self.name(*id, addr, *pages);
            }
            RequestOp::Ioremap { id, phys, size, words } => {
                let fault = words.fail.map(fault_of);
                let addr = ioremap(&mut self.recorder(done), *phys, *size, fault, by(words, caller));
                self.name(*id, addr, 0);
            }
            RequestOp::Pcpu { id, groups, words } => self.percpu(*id, groups, by(words, caller), words.align, done),
            RequestOp::Free { call, target, irq, cpu } => self.free_target(*call, *target, *irq, *cpu, done),
            RequestOp::UnmapRam { id } => {
                if let Some(named) = self.live.remove(*id, self.facts.page_size) {
                    unmap_ram(&mut self.recorder(done), named.addr, named.pages);
                }
            }
            RequestOp::Deferred { cpu } => {
                run_deferred(&mut self.recorder(done), *cpu);
            }
            RequestOp::Aliases => unmap_aliases(&mut self.recorder(done)),
            RequestOp::Init => vmalloc_init(&mut self.recorder(done)),
            RequestOp::Cost { id } => done.said = Some(self.cost(*id)),
            RequestOp::Memory => done.said = Some(self.memory()),
            RequestOp::Contrast { size } => done.said = Some(self.contrast(*size)),
        }
        self.forget_freed(done);
    }

    /// Names die with their areas. One that the request itself made and freed again never had a name.
    fn forget_freed(&mut self, done: &Done) {
        for answer in &done.answers {
            if let Answer::Freed(freed) = answer
                && !self.is_in_use(freed.extent.start())
            {
                self.live.forget(freed.extent.start(), self.facts.page_size);
            }
        }
    }

    fn recorder<'r>(&'r mut self, done: &'r mut Done) -> Recorder<'r> {
        Recorder { space: &mut self.space, facts: &self.facts, done }
    }

    fn name(&mut self, id: u64, addr: Option<u64>, pages: u64) {
        match addr {
            Some(addr) => {
                self.live.insert(id, Named { addr, pages }, self.facts.page_size);
            }
            None => self.failures += 1,
        }
    }

    /// Nothing is done, and why.
    fn refuse(&mut self, why: String, done: &mut Done) {
        self.failures += 1;
        done.said = Some(why);
    }

    fn percpu(&mut self, id: u64, groups: &[(u64, u64)], by: By, align: Option<u64>, done: &mut Done) {
        let page = self.facts.page_size;
        let pages = |bytes: u64| u32::try_from(bytes / page).ok().filter(|_| bytes.is_multiple_of(page));
        let in_pages: Option<Vec<(u32, u32)>> =
            groups.iter().map(|&(offset, size)| pages(offset).zip(pages(size))).collect();
        let align = align.unwrap_or(page);
        let groups = in_pages.and_then(|groups| Groups::new(&groups)).filter(|_| page <= align);
        let Some(groups) = groups else { return self.refuse("EINVAL".to_owned(), done) };
        let areas = pcpu_get_vm_areas(&mut self.recorder(done), groups, align, by);
        self.name(id, areas.and_then(|areas| areas.first().copied()).map(Extent::start), 0);
    }

    fn free_target(&mut self, call: FreeCall, target: Target, irq: bool, cpu: u32, done: &mut Done) {
        let (addr, is_whole) = match target {
            Target::Address(addr) => (addr, false),
            Target::Id { id, offset } => {
                let Some(named) = self.live.get(id) else { return };
                (named.addr.wrapping_add(offset), offset == 0 && named.pages == 0)
            }
        };
        let context = if irq { Context::Interrupt } else { Context::Task };
        let kernel = &mut self.recorder(done);
        match call {
            FreeCall::Vfree => vfree(kernel, Call::Vfree, addr, context, cpu),
            FreeCall::VfreeAtomic => vfree(kernel, Call::VfreeAtomic, addr, context, cpu),
            FreeCall::Vunmap => vunmap(kernel, addr, context),
            FreeCall::Iounmap => iounmap(kernel, addr),
        }
        // A free that is refused leaves the area as it is, and its name with it; what waits to be freed has none, and
        // what was never an area is done with.
        let page_size = self.facts.page_size;
        let waits =
            is_whole && addr.is_multiple_of(page_size) && tells(done, |op| matches!(op, MemoryOp::Defer { .. }));
        if let Target::Id { id, .. } = target
            && (waits || tells(done, is_direct))
        {
            self.live.remove(id, page_size);
        }
    }

    /// The bits of `flags=`; `None` if the release has no flag of that name.
    fn flags_of(&mut self, words: &Words, done: &mut Done) -> Option<u32> {
        let Some(text) = &words.flags else { return Some(0) };
        let release = self.facts.release;
        let bits = text.split('|').try_fold(0, |all, word| {
            let number = word.strip_prefix("0x").and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let bit = number.or_else(|| word.parse().ok());
            let bit = bit.or_else(|| flags::by_name(release, word).map(|flag| flag.value)).ok_or(word)?;
            Ok(all | bit)
        });
        match bits {
            Ok(bits) => Some(bits),
            Err(unknown) => {
                self.refuse(format!("noflag {}", escape(str::as_bytes(unknown))), done);
                None
            }
        }
    }

    /// The caller a request names.
    fn caller_of(&self, asked: &RequestOp) -> CallerId {
        asked.caller().and_then(|name| self.usages.find_caller(name)).unwrap_or(CallerId::UNKNOWN)
    }
}

fn tells(done: &Done, what: impl Fn(&MemoryOp) -> bool) -> bool {
    done.ops.iter().any(|op| matches!(op, Op::Memory(op) if what(op)))
}

fn is_direct(op: &MemoryOp) -> bool {
    matches!(op, MemoryOp::Tell(Note::Said { message: Message::DirectMap, .. }))
}

fn gfp_of(word: GfpWord) -> Gfp {
    let limit = match word {
        GfpWord::Dma => ZoneKind::Dma,
        GfpWord::Dma32 => ZoneKind::Dma32,
        GfpWord::HighMem => ZoneKind::HighMem,
        GfpWord::Kernel | GfpWord::Atomic => ZoneKind::Normal,
    };
    Gfp { limit, may_sleep: word != GfpWord::Atomic, no_fail: false }
}

fn fault_of(fail: Fail) -> Fault {
    match fail {
        Fail::Descriptor => Fault::Descriptor,
        Fail::Array => Fault::Array,
        Fail::Pages(n) => Fault::Pages(n),
        Fail::Tables(n) => Fault::Tables(n),
    }
}
