//! The stages of a request in words: one line each, with the kernel's function of that release.

use super::super::text;
use super::super::{Role, Scene};
use super::names::{self, Names};
use super::{Facts, Words, mapping, said};
use crate::model::stage::{BlockEvent, Call, Cleanup, IoremapAlign, Note, Object, SizeRefusal, Stage, Undone};
use crate::model::{Extent, Step};
use crate::policy::Release;
use crate::request::flags;

/// What a stage stands in.
pub(super) struct Context<'s, 'a> {
    pub(super) scene: &'s Scene<'a>,
    pub(super) facts: &'s Facts,
    pub(super) release: Release,
    pub(super) names: &'static Names,
    /// The entry point that was called last before it, if a request is told.
    pub(super) call: Option<Call>,
}

impl<'s, 'a> Context<'s, 'a> {
    pub(super) fn new(scene: &'s Scene<'a>, facts: &'s Facts, index: usize) -> Self {
        let release = scene.replay.plan().machine.policy.release;
        let call = call_before(&scene.replay.outcome().steps, index);
        Self { scene, facts, release, names: Names::of(release), call }
    }

    pub(super) fn short(&self, addr: u64) -> String {
        self.facts.addresses.short(addr)
    }
}

/// The entry point that stage `index` belongs to.
pub(super) fn call_before(steps: &[Step], index: usize) -> Option<Call> {
    let until = steps.get(..=index).unwrap_or(steps);
    until.iter().rev().find_map(|step| match step {
        Step::Stage(Stage::Note(Note::Called { call, .. })) => Some(*call),
        _ => None,
    })
}

/// The entry point a request begins with; `None` of what no request is.
pub(super) fn first_call(steps: &[Step]) -> Option<Call> {
    steps.iter().find_map(|step| match step {
        Step::Stage(Stage::Note(Note::Called { call, .. })) => Some(*call),
        _ => None,
    })
}

/// Bytes in the largest unit that says them exactly: `1,028 KiB`; of what none does, tenths of a KiB from 64 KiB on.
pub(in crate::view) fn exact(bytes: u64) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        _ if bytes.trailing_zeros() < 10 && bytes < 64 << 10 => format!("{} B", text::count(bytes)),
        // Nobody reads so many digits.
        _ if bytes >= 1 << 40 => text::bytes(bytes),
        _ if bytes.trailing_zeros() < 10 => {
            format!("{}.{} KiB", text::count(bytes >> 10), (bytes & 1023) * 10 / 1024)
        }
        _ if bytes.trailing_zeros() < 20 => format!("{} KiB", text::count(bytes >> 10)),
        _ => text::bytes(bytes),
    }
}

/// A count of pages.
pub(in crate::view) fn pages(n: u64) -> String {
    text::plural(n, "page", "pages")
}

/// The function and the words of a stage.
pub(super) fn of(context: &Context<'_, '_>, stage: &Stage) -> (&'static str, Words) {
    let (names, words) = (context.names, Words::default());
    match stage {
        Stage::Note(note) => noted(context, note),
        Stage::Bound { extent, flags } => (names.bind, bound(context, *extent, *flags)),
        Stage::ArrayTaken { bytes, object_bytes } => (
            names.array,
            words
                .say("array of ")
                .number(exact(*bytes))
                .say(format!(" by kmalloc ({})", names::kmalloc_cache(context.release, *object_bytes))),
        ),
        Stage::ArrayGiven { bytes } => ("kfree", words.say("the array of ").number(exact(*bytes))),
        Stage::PagesTaken { .. } | Stage::PagesGiven { .. } | Stage::PagesLost { .. } => {
            super::pages::of(context, stage)
        }
        Stage::Mapped(_) | Stage::MapFailed { .. } | Stage::Unmapped(_) | Stage::TlbFlushed { .. } => {
            mapping::of(context, stage)
        }
        Stage::Deferred { cpu, addr, waiting } => deferred(context, *cpu, *addr, *waiting),
        Stage::DeferredRun { cpu, addr, left } => (
            names.deferred,
            words
                .say(format!("CPU {cpu} takes the newest, "))
                .number(context.short(*addr))
                .say("; ")
                .number(text::count((*left).into()))
                .say(" still wait"),
        ),
        Stage::Block { start, event } => block(context, *start, *event),
    }
}

fn bound(context: &Context<'_, '_>, extent: Extent, flags: u32) -> Words {
    let names = flags::names(context.release, flags);
    let names = if names.is_empty() { "no flags".to_owned() } else { names.join("|") };
    Words::default().say(names).number(format!(" (0x{flags:x})")).say(" at ").number(context.short(extent.start()))
}

/// Asked for memory at a time when nothing may sleep: the free waits.
fn deferred(context: &Context<'_, '_>, cpu: u32, addr: u64, waiting: u32) -> (&'static str, Words) {
    let words = Words::default().number(context.short(addr)).of(" waits", Role::Lazy).say(format!(" on CPU {cpu}: "));
    let words = match waiting {
        1 => words.say("the first in its list, so the work is queued"),
        n => words.number(text::count(n.into())).say(" in its list, the work is queued already"),
    };
    let is_free = matches!(context.call, Some(Call::Vfree | Call::VfreeAtomic) | None);
    (if is_free { context.names.defer } else { "" }, words)
}

fn block(context: &Context<'_, '_>, start: u64, event: BlockEvent) -> (&'static str, Words) {
    let block = |words: Words| words.say("block ").number(context.short(start));
    let words = Words::default();
    match event {
        BlockEvent::New { at_head } => {
            let end = if at_head { "head" } else { "tail" };
            ("new_vmap_block", block(words).say(format!(" joins its CPU's list at the {end}")))
        }
        BlockEvent::Taken { first, pages: n, free } => (
            "vb_alloc",
            block(words)
                .say(": ")
                .number(pages(n.into()))
                .say(format!(" from number {first} on, "))
                .number(text::count(free.into()))
                .say(" never taken"),
        ),
        BlockEvent::Exhausted => ("vb_alloc", block(words).say(" has nothing left and leaves its CPU's list")),
        BlockEvent::Dirtied { pages: n, dirty } => (
            "vb_free",
            block(words)
                .say(": ")
                .number(pages(n.into()))
                .say(" dirty, ")
                .number(text::count(dirty.into()))
                .say(" in all; none is taken again before the block goes"),
        ),
        BlockEvent::Freed { fragmented: true } => {
            ("purge_fragmented_blocks", block(words).say(" goes: nothing in it is in use, the rest was never taken"))
        }
        BlockEvent::Freed { fragmented: false } => ("free_vmap_block", block(words).say(" goes: all of it is dirty")),
    }
}

fn noted(context: &Context<'_, '_>, note: &Note) -> (&'static str, Words) {
    let (names, words) = (context.names, Words::default());
    match *note {
        Note::Called { call, value, pages } => called(context, call, value, pages),
        Note::SizeChecked { pages: n, ram_pages } => {
            let words = words.number(pages(n)).say(", the machine has ").number(text::count(ram_pages));
            (names.size_of(context.call), words)
        }
        Note::SizeRefused(why) => (names.size_of(context.call), refused(why)),
        Note::HugeTried { .. } | Note::HugeNotTried { .. } | Note::HugeFellBack { .. } => {
            (names.size, huge(context, note))
        }
        Note::SizeRounded { bytes, shift } => {
            (names.area, words.say("size ").number(exact(bytes)).say(format!(" in whole {}", unit(context, shift))))
        }
        Note::IoremapAligned { align, how } => (names.area, ioremap_aligned(align, how)),
        Note::Guarded { bytes } => {
            let page = context.scene.replay.space().allocator().page_size();
            let guard = format!("{} guard", exact(page));
            (names.area, words.say("+ ").of(guard, Role::Guard).say(" = ").number(exact(bytes)))
        }
        Note::Unguarded { bytes } => {
            let function = if context.call == Some(Call::VmMapRam) { "vm_map_ram" } else { names.area };
            (function, words.say("no guard page: ").number(exact(bytes)))
        }
        Note::ObjectTaken(object) => (names.taker(object, context.call), taken(context, object)),
        Note::ObjectMissing(object) => (
            names.taker(object, context.call),
            words.of(format!("no memory for a {}", names::object(object)), Role::Bad),
        ),
        Note::ObjectGiven(object) => (given_by(context, object), words.say(format!("the {}", names::object(object)))),
        Note::ArrayMissing { bytes } => {
            let words = words.of("no memory", Role::Bad).say(" for the page-pointer array of ").number(exact(bytes));
            (names.array, words)
        }
        Note::ArrayNested { bytes } => (
            names.array,
            words.say("array of ").number(exact(bytes)).say(", more than a page: vmalloc itself is asked for it"),
        ),
        Note::Initialized => (names.initialized, words.say("complete: /proc/vmallocinfo may show it")),
        Note::Returned { addr } => {
            (context.call.map_or("", Call::name), words.say("returns ").of(context.scene.addr(addr), Role::Good))
        }
        Note::Undone { why, cleanup } => ("", undone(why, cleanup)),
        Note::Failed => (context.call.map_or("", Call::name), words.of("returns NULL", Role::Bad)),
        Note::Imported { extent } => (
            "vmalloc_init",
            words
                .number(text::bytes(extent.len_bytes()))
                .say(" at ")
                .number(context.short(extent.start()))
                .say(" imported: in use before the allocator was"),
        ),
        Note::FreeSpace { extent } => (
            "vmap_init_free_space",
            words
                .number(text::bytes(extent.len_bytes()))
                .of(" free", Role::Free)
                .say(" at ")
                .number(context.short(extent.start())),
        ),
        Note::BlockPassed { start, free } => (
            "vb_alloc",
            words
                .say("block ")
                .number(context.short(start))
                .say(" passed by: ")
                .number(pages(free.into()))
                .say(" left, too few"),
        ),
        Note::Said { message, value } => (context.call.map_or("", Call::name), said::of(context, message, value)),
    }
}

fn called(context: &Context<'_, '_>, call: Call, value: u64, n_pages: u64) -> (&'static str, Words) {
    let words = Words::default();
    let is_free = matches!(call, Call::Vfree | Call::VfreeAtomic | Call::Vunmap | Call::VmUnmapRam | Call::Iounmap);
    let words = match call {
        _ if is_free && value == 0 => words.say("NULL: nothing to do"),
        Call::VmUnmapRam => words.number(context.scene.addr(value)).say(", ").number(pages(n_pages)),
        _ if is_free => words.number(context.scene.addr(value)),
        Call::Vmap | Call::VmMapRam => words.number(pages(n_pages)).say(" of somebody else's"),
        _ => words.number(exact(value)).say(" = ").number(pages(n_pages)),
    };
    (call.name(), words)
}

fn refused(why: SizeRefusal) -> Words {
    let words = Words::default();
    match why {
        SizeRefusal::Zero => words.of("refused", Role::Bad).say(": a size of 0"),
        SizeRefusal::MoreThanRam { pages: n, ram_pages } => words
            .of("refused", Role::Bad)
            .say(": ")
            .number(pages(n))
            .say(", the machine has ")
            .number(text::count(ram_pages)),
        SizeRefusal::BadPhysical => {
            words.of("refused", Role::Bad).say(": the physical range is none, wraps or is ordinary memory")
        }
    }
}

fn huge(context: &Context<'_, '_>, note: &Note) -> Words {
    let words = Words::default();
    match *note {
        Note::HugeTried { shift, bytes } => {
            words.of("huge: ", Role::Path).number(exact(bytes)).say(format!(" is enough for {}", unit(context, shift)))
        }
        Note::HugeNotTried { bytes } => {
            words.say("no huge entries: ").number(exact(bytes)).say(" is less than one maps")
        }
        Note::HugeFellBack { first_still_busy } => {
            let words = words.of("once more with small pages", Role::Warn);
            words.say(if first_still_busy { ": the first area is still in use meanwhile" } else { "" })
        }
        _ => words,
    }
}

/// `pages of 4 KiB`, `PMD entries of 2 MiB`.
fn unit(context: &Context<'_, '_>, shift: u8) -> String {
    let geometry = context.scene.replay.space().geometry();
    let bytes = exact(1_u64.checked_shl(shift.into()).unwrap_or(0));
    match geometry.levels.iter().find(|level| level.shift == u32::from(shift)) {
        Some(level) if level.name != "PTE" => format!("{} entries of {bytes}", level.name),
        Some(_) => format!("pages of {bytes}"),
        None => format!("contiguous blocks of {bytes}"),
    }
}

fn ioremap_aligned(align: u64, how: IoremapAlign) -> Words {
    let rule = match how {
        IoremapAlign::Page => ", the page",
        IoremapAlign::Fls => " = 1 << fls(size): twice as much for a power of two",
        IoremapAlign::CeilLog2 => " = 1 << ceil_log2(size), the rounded size",
    };
    Words::default().say("VM_IOREMAP: align ").number(exact(align)).say(rule)
}

fn taken(context: &Context<'_, '_>, object: Object) -> Words {
    let has_cache = object == Object::VmapArea && Release::new(5, 2) <= context.release;
    let by = if has_cache { "from vmap_area_cachep" } else { "by kmalloc" };
    Words::default().say(format!("a {} {by}", names::object(object)))
}

fn given_by(context: &Context<'_, '_>, object: Object) -> &'static str {
    match object {
        Object::VmapArea if Release::new(5, 2) <= context.release => "kmem_cache_free",
        _ => "kfree",
    }
}

fn undone(why: Undone, cleanup: Cleanup) -> Words {
    let why = match why {
        Undone::Array => "no page-pointer array",
        Undone::Pages => "too few pages",
        Undone::Mapping => "the mapping stopped",
    };
    let how = match cleanup {
        Cleanup::Vfree => "; what is there goes by vfree, new page tables stay",
        Cleanup::Leak => "; the list element goes, what is mapped in the last PGD block stays and is lost",
        Cleanup::Deferred => "; a work item frees it later, it is in use meanwhile",
    };
    Words::default().of("undone: ", Role::Bad).say(why).say(how)
}
