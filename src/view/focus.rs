//! What the panes look at: the selection, what the current event changed, what lies at an address, the stretch in use.

mod request;

use super::script::is_script;
use super::text::Addresses;
use super::usage::usage_of;
use super::{Role, Scene, Selection};
use crate::event::{EventKind, ScriptOp, Seq};
use crate::log::{BaselineArea, BaselineState, Pointers, Window};
use crate::model::{AddressSpace, Answer, AreaId, Areas, Extent, NIL, Place, Step, Tree, TreeId, VmapArea};

/// A window up to this length is shown whole: its upper half is no place for per-CPU chunks only.
const SMALL_WINDOW: u64 = 16 << 30;
/// Windows looked at besides the vmalloc range; a trace has two or three.
const MAX_WINDOWS: usize = 64;

/// What lies at an address, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In use.
    Busy,
    /// In use by a per-CPU chunk; no record announces those.
    PerCpu,
    /// Taken, by one area or several that no record shows: a search passed it by.
    Unseen,
    /// Freed, not purged.
    Lazy,
    /// Parked in a pool.
    Pooled,
    /// A hole.
    Free,
    /// Nothing the allocator knows of.
    Unknown,
}

impl Kind {
    /// The word of the house.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::PerCpu => "per-CPU",
            Self::Unseen => "unseen",
            Self::Lazy => "lazy",
            Self::Pooled => "pooled",
            Self::Free => "free",
            Self::Unknown => "unknown",
        }
    }
}

/// An area or a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thing {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its range.
    pub(crate) extent: Extent,
    /// Allocator node that holds it; `None` for a hole.
    pub(crate) node: Option<u32>,
    /// Its slot.
    pub(crate) area: AreaId,
}

/// The address the panes look at: the selected one, or what the current event placed, freed or purged; in a snapshot
/// the lowest area.
pub fn focus_address(scene: &Scene<'_>) -> Option<u64> {
    match scene.selection {
        Selection::Address(addr) => Some(addr),
        Selection::Follow if scene.replay.is_empty() => lowest_area(scene.replay.space()),
        Selection::Follow => event_address(scene),
    }
}

/// The lowest area in use: what a snapshot shows first.
fn lowest_area(space: &AddressSpace) -> Option<u64> {
    let allocator = space.allocator();
    let mut lowest = None;
    for node in 0..allocator.n_nodes() {
        match allocator.tree(TreeId::Busy(node)) {
            Some(busy) if busy.tree.first == NIL => {}
            Some(busy) => lowest = [lowest, Some(busy.areas[busy.tree.first].start)].into_iter().flatten().min(),
            None => allocator
                .visit_busy(node, &mut |area| lowest = Some(lowest.map_or(area.start, |low: u64| low.min(area.start)))),
        }
    }
    lowest
}

/// The address the current event is about.
pub(crate) fn event_address(scene: &Scene<'_>) -> Option<u64> {
    let (_, event) = scene.replay.current()?;
    let answers = &scene.replay.outcome().answers;
    let mut from_model = answers.iter().rev();
    match event.kind {
        EventKind::Alloc { addr, failed, .. } => {
            // What it taught of others (a stretch that must be taken) is not what it is about.
            let starts_there = |answer: &Answer| match answer {
                Answer::Placed(extent) | Answer::Adopted { extent, .. } => extent.start() == addr.0,
                _ => false,
            };
            if !failed && answers.iter().any(starts_there) {
                return Some(addr.0);
            }
            let placed = from_model.find_map(|answer| match answer {
                Answer::Placed(extent) | Answer::Adopted { extent, .. } => Some(extent.start()),
                _ => None,
            });
            placed.or((!failed).then_some(addr.0))
        }
        EventKind::Unasked { addr, .. } => Some(addr.0),
        EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => {
            let freed = from_model.find_map(|answer| match answer {
                Answer::Freed(freed) => Some(freed.extent.start()),
                _ => None,
            });
            freed.or(Some(addr.0))
        }
        EventKind::Purge { start, end, .. } => lowest_purged(scene)
            // The flushed range can be the caller's, and reach into the direct map.
            .or((start.0 < end.0 && is_managed(scene, start.0)).then_some(start.0)),
        EventKind::Script(ScriptOp::Work | ScriptOp::Shrink) => lowest_purged(scene),
        EventKind::PurgeReturn { .. } | EventKind::NodeDecay { .. } | EventKind::NodeReturn { .. } => {
            lowest_purged(scene)
        }
        EventKind::Script(ScriptOp::Request) => request::stage_address(scene),
        _ => None,
    }
}

/// The lowest area the current event gave back.
fn lowest_purged(scene: &Scene<'_>) -> Option<u64> {
    let steps = scene.replay.outcome().steps.iter();
    let back = steps.filter_map(|step| match step {
        Step::Returned { extent, .. } | Step::Pooled { extent, .. } => Some(extent.start()),
        _ => None,
    });
    back.min()
}

/// Can requests be given this address? What lies elsewhere is not the allocator's.
pub(crate) fn is_managed(scene: &Scene<'_>, addr: u64) -> bool {
    let log = scene.replay.log();
    let vmalloc = scene.replay.space().allocator().window();
    let mut windows = log.names.windows().iter().take(MAX_WINDOWS).chain(std::iter::once(&vmalloc));
    windows.any(|window| window.vstart <= addr && addr < window.vend)
}

/// The request of the current event, if it is an allocation attempt: size, alignment, window.
pub(crate) fn event_request(scene: &Scene<'_>) -> Option<(u64, u64, Window)> {
    match scene.replay.current()?.1.kind {
        EventKind::Alloc { size, align, window, .. } => {
            Some((size, align.max(1), scene.replay.log().names.window(window)))
        }
        _ => None,
    }
}

/// The ranges the current event changed, ascending, touching ones joined.
pub(crate) fn changes(scene: &Scene<'_>) -> Vec<Extent> {
    let outcome = scene.replay.outcome();
    let from_steps = outcome.steps.iter().filter_map(|step| match *step {
        Step::BusyAdded { extent, .. }
        | Step::BusyRemoved { extent, .. }
        | Step::LazyAdded { extent, .. }
        | Step::Pooled { extent, .. }
        | Step::Returned { extent, .. }
        | Step::ChunkCarved { extent }
        | Step::Adopted { extent } => Some(extent),
        _ => None,
    });
    let from_answers = outcome.answers.iter().filter_map(|answer| match *answer {
        Answer::Placed(extent) | Answer::Adopted { extent, .. } | Answer::Chunk(Some(extent)) => Some(extent),
        Answer::Freed(freed) => Some(freed.extent),
        _ => None,
    });
    let mut extents: Vec<Extent> = from_steps.chain(from_answers).collect();
    extents.sort_unstable();
    let mut joined: Vec<Extent> = Vec::with_capacity(extents.len());
    for extent in extents {
        match joined.last_mut() {
            Some(last) if extent.start() <= last.end() => {
                let end = last.end().max(extent.end());
                *last = Extent::new(last.start(), end).unwrap_or(*last);
            }
            _ => joined.push(extent),
        }
    }
    joined
}

/// Does any of the ascending `extents` share an address with `[start, end)`?
pub(crate) fn any_overlap(extents: &[Extent], start: u64, end: u64) -> bool {
    let first = extents.partition_point(|extent| extent.end() <= start);
    extents.get(first).is_some_and(|extent| extent.start() < end)
}

/// Does any of the ascending `extents` overlap or touch `[start, end)`?
pub(crate) fn any_touch(extents: &[Extent], start: u64, end: u64) -> bool {
    let first = extents.partition_point(|extent| extent.end() < start);
    extents.get(first).is_some_and(|extent| extent.start() <= end)
}

/// How what is of a kind is coloured.
pub(crate) fn role_of(kind: Kind) -> Role {
    match kind {
        Kind::Busy | Kind::Unseen => Role::Busy,
        Kind::PerCpu => Role::PerCpu,
        Kind::Lazy => Role::Lazy,
        Kind::Pooled => Role::Pooled,
        Kind::Free => Role::Free,
        Kind::Unknown => Role::Muted,
    }
}

/// What lies at an address of a state.
pub(crate) fn thing_at(scene: &Scene<'_>, space: &AddressSpace, addr: u64) -> Thing {
    let allocator = space.allocator();
    let (kind, node, area) = match allocator.lookup(addr) {
        Place::Busy { node, area } => (kind_of_busy(scene, space, &allocator.areas()[area]), Some(node), area),
        Place::Lazy { node, area } => (Kind::Lazy, Some(node), area),
        Place::Pooled { node, area } => (Kind::Pooled, Some(node), area),
        Place::Free { hole, extent } => return Thing { kind: Kind::Free, extent, node: None, area: hole },
        Place::Unknown => (Kind::Unknown, None, NIL),
    };
    let slot = &allocator.areas()[area];
    let page = allocator.page_size().max(1);
    let here = addr & !(page - 1);
    let extent = Extent::new(slot.start, slot.end).or_else(|| Extent::sized(here, page));
    // The last page of the address space has no end; one byte stands for it.
    let extent = extent.or_else(|| Extent::new(here.min(u64::MAX - 1), u64::MAX)).unwrap_or_else(whole);
    Thing { kind, extent, node, area }
}

/// Every address.
fn whole() -> Extent {
    Extent::new(0, u64::MAX).expect("0 lies below the highest address")
}

/// What an area in use is for people.
pub(crate) fn kind_of_busy(scene: &Scene<'_>, space: &AddressSpace, area: &VmapArea) -> Kind {
    if is_per_cpu(scene, space, area) {
        Kind::PerCpu
    } else if is_unseen(scene, area) {
        Kind::Unseen
    } else {
        Kind::Busy
    }
}

/// Is an "area" in use a stretch that the replay only knows to be taken? Where a late trace comes without the state
/// before it, and no snapshot names an area there, nothing else can be as old as the log.
fn is_unseen(scene: &Scene<'_>, area: &VmapArea) -> bool {
    let log = scene.replay.log();
    let starts_empty = log.state_before.is_none()
        && log.before.as_ref().is_none_or(|before| before.pointers != Pointers::Real)
        && !scene.replay.plan().machine.from_boot;
    area.born == VmapArea::UNBORN && starts_empty && !is_script(log) && baseline_row(scene, area).is_none()
}

/// Is an area in use a per-CPU chunk? No record announces those, so they are as old as the log; a snapshot names
/// them, else the upper half of a large window is where nothing else of unknown birth lies.
pub(crate) fn is_per_cpu(scene: &Scene<'_>, space: &AddressSpace, area: &VmapArea) -> bool {
    // A script's own early areas are as old, and it has no chunks.
    if area.born != VmapArea::UNBORN || is_script(scene.replay.log()) {
        return false;
    }
    let window = space.allocator().window();
    let middle = window.vstart + window.len_bytes() / 2;
    if area.start < middle || window.vend <= area.start {
        return false;
    }
    match baseline_row(scene, area) {
        Some(row) => row.kind() == "per-CPU",
        None => window.len_bytes() > SMALL_WINDOW,
    }
}

/// The row of a snapshot for an area: of the one before the log if the area is that old, of the one after it if the
/// area is never freed.
pub(crate) fn baseline_row<'a>(scene: &Scene<'a>, area: &VmapArea) -> Option<&'a BaselineArea> {
    let log = scene.replay.log();
    let old = area.born == VmapArea::UNBORN;
    let kept = old || scene.replay.plan().mate(Seq(area.born)).is_none();
    let before = log.before.as_ref().filter(|_| old);
    let after = log.after.as_ref().filter(|_| kept);
    let usable = [before, after].into_iter().flatten().filter(|baseline| baseline.pointers == Pointers::Real);
    usable.into_iter().find_map(|baseline| {
        // Ascending up to 6.8 and with one node; node by node after that.
        let found = baseline.areas.binary_search_by_key(&area.start, |row| row.start).ok();
        let found = found.or_else(|| baseline.areas.iter().position(|row| row.start == area.start))?;
        baseline.areas.get(found).filter(|row| row.end == area.end)
    })
}

/// Does the last page of an area hold no data? Guard pages are usual; chunks and `vm_map_ram` have none.
pub(crate) fn has_guard(scene: &Scene<'_>, kind: Kind, area: &VmapArea) -> bool {
    let page = scene.replay.space().allocator().page_size();
    if let Some(is_guarded) = request::has_guard(scene, area) {
        return is_guarded;
    }
    // The sizes of a script are those of `alloc_vmap_area`, which knows no guard pages, or of `get_vm_area`.
    let unguarded = is_script(scene.replay.log()) && !scene.replay.plan().machine.policy.rules.adds_guard;
    if matches!(kind, Kind::PerCpu | Kind::Unseen) || area.len_bytes() <= page || unguarded {
        return false;
    }
    match baseline_row(scene, area) {
        Some(row) if row.state == BaselineState::VmMapRam => false,
        Some(row) if row.pages > 0 => row.pages.saturating_mul(page) < row.size,
        Some(_) => true,
        None => usage_of(scene, area).is_none_or(|usage| usage.kind.has_guard()),
    }
}

/// The lowest area of a tree that ends above `addr`, or [`NIL`].
pub(crate) fn first_above(areas: &Areas, tree: &Tree, addr: u64) -> AreaId {
    let (mut id, mut best) = (tree.root, NIL);
    while id != NIL {
        let area = &areas[id];
        if addr < area.end {
            best = id;
            id = area.child[0];
        } else {
            id = area.child[1];
        }
    }
    best
}

/// The node of a tree at or nearest to `addr`, or [`NIL`] if the tree is empty.
pub(crate) fn nearest(areas: &Areas, tree: &Tree, addr: u64) -> AreaId {
    let above = first_above(areas, tree, addr);
    if above == NIL {
        return tree.last;
    }
    let below = areas[above].prev;
    let far = areas[above].start.saturating_sub(addr);
    if below != NIL && addr.saturating_sub(areas[below].end) < far { below } else { above }
}

/// The part of the vmalloc window where things are: from its start to the end of the highest area in its lower half,
/// so that the per-CPU chunks at the top do not count. A small window is its own stretch.
pub(crate) fn stretch(space: &AddressSpace) -> Extent {
    let allocator = space.allocator();
    let window = allocator.window();
    let page = allocator.page_size().max(1);
    let whole = Extent::new(window.vstart, window.vend).unwrap_or_else(whole);
    if whole.len_bytes() <= SMALL_WINDOW {
        return whole;
    }
    let middle = whole.start() + whole.len_bytes() / 2;
    let mut top = whole.start() + page;
    for node in 0..allocator.n_nodes() {
        if allocator.tree(TreeId::Busy(node)).is_none() {
            allocator.visit_busy(node, &mut |area| {
                if area.start < middle {
                    top = top.max(area.end.min(middle));
                }
            });
        }
        for id in [TreeId::Busy(node), TreeId::Lazy(node)] {
            let Some(view) = allocator.tree(id) else { continue };
            let above = first_above(view.areas, &view.tree, middle);
            let last = if above == NIL { view.tree.last } else { view.areas[above].prev };
            if last != NIL {
                top = top.max(view.areas[last].end.min(middle));
            }
        }
    }
    Extent::new(whole.start(), top).unwrap_or(whole)
}

/// Was the tree built from a snapshot? That names ranges, not the order in which they came, and so not the shape.
pub(crate) fn is_guessed(scene: &Scene<'_>) -> bool {
    let baseline = scene.replay.log().before.as_ref();
    !scene.replay.plan().machine.from_boot && baseline.is_some_and(|before| before.pointers == Pointers::Real)
}

/// Which moment a state is, for titles: before or after the current event; nothing where there is no event.
pub(crate) fn moment(scene: &Scene<'_>, space: &AddressSpace) -> Option<super::Span> {
    scene.replay.current()?;
    let word = if std::ptr::eq(space, scene.replay.before()) { "before" } else { "after" };
    Some(super::Span::new(format!(" {} {word}", scene.glyphs.dot), super::Role::Path))
}

/// Bytes of a window for people. `VMALLOC_END` of x86-64 is the last byte; nobody calls that 31.9 TiB.
pub(crate) fn window_bytes(window: Window) -> u64 {
    let bytes = window.len_bytes();
    if window.vend & 0xfff == 0xfff { bytes.saturating_add(1) } else { bytes }
}

/// How addresses are written in the panes of this scene.
pub(crate) fn addresses(scene: &Scene<'_>) -> Addresses {
    let stretch = stretch(scene.replay.space());
    Addresses::between(stretch.start(), stretch.end() - 1, scene.glyphs)
}
