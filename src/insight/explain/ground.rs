//! [`Ground`]: what lies where at one moment, whoever told it.

use crate::insight::layout::{is_whole, span, visit_gaps};
use crate::log::{Baseline, BaselineArea, BaselineState, Pointers, Window};
use crate::model::Extent;

/// How an area stands in the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// In use.
    Busy,
    /// Freed, not purged.
    Lazy,
    /// Parked in the pool of a node (6.9 and later).
    Pooled,
}

/// Whose an area is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Holder {
    /// The function that asked, or `task NAME`; `None` if nobody is known. Escaped for display.
    pub caller: Option<String>,
    /// Its module; `None` for the kernel itself. Escaped for display.
    pub module: Option<String>,
    /// What kind of area it is: `vmalloc`, `ioremap`, `per-CPU` and others; empty if that is not known.
    pub kind: &'static str,
    /// It was there before the allocator, or stays for ever: a per-CPU chunk, the kernel's image.
    pub stays: bool,
}

/// An area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Where it lies, its guard page included.
    pub extent: Extent,
    /// How it stands.
    pub state: State,
    /// Place of its holder in [`Ground::holders`].
    pub holder: u32,
}

/// Where the vmalloc range is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeFrom {
    /// The user.
    Option,
    /// The request itself: its message or record.
    Request,
    /// What the capture or the kernel's log says of the machine.
    Input,
    /// From the lowest area to the highest: what lies beyond is not known.
    Areas,
    /// Nobody told.
    Unknown,
}

/// How much can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Everything: a state of the model.
    Model,
    /// What the kernel lists, at real addresses.
    Listed,
    /// Sizes and names only: the addresses are hashed.
    Hashed,
    /// Sizes and names only: the addresses are hidden.
    Hidden,
}

/// What has to be kept in mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Doubt {
    /// The file shows the moment when it was read, not that of the request.
    AnotherMoment,
    /// Areas that the file does not list look like holes: pools of nodes from 6.9 on, areas being filled from 6.12 on.
    Unlisted,
    /// Areas overlap: the file was torn while it was read, or is damaged.
    Overlaps(u64),
    /// The alignment is not told: a page is assumed.
    Alignment,
    /// The alignment is not told: it is taken from what the addresses of such areas show.
    AlignmentShown,
    /// The window is not told: the whole range is assumed.
    Window,
    /// The range goes from the lowest area to the highest: there may be more.
    Range,
    /// Above page alignment, and to 5.16 always, the search asks for a hole of so many bytes and can pass a shorter one by.
    Padded(u64),
    /// That kernel leaves so many bytes free behind each area: a hole needs them besides the request.
    Gap(u64),
    /// The record says that the request failed, the model would have placed it here.
    ModelPlaces(u64),
    /// The record says that the request was placed, the model finds no place.
    ModelRefuses,
}

/// What lies where.
#[derive(Debug, Clone)]
pub struct Ground {
    /// In use, lazy and pooled, ascending by start. Empty where addresses are not known.
    pub areas: Vec<Held>,
    /// Free extents, ascending, apart from each other. They may reach over the window of a request.
    pub holes: Vec<Extent>,
    /// Whose the areas are.
    pub holders: Vec<Holder>,
    /// The vmalloc range.
    pub range: Window,
    /// Where that is known from.
    pub range_from: RangeFrom,
    /// Bytes in a page.
    pub page_size: u64,
    /// Bytes that stay free behind an area, besides its guard page: a page from 2.6.28 to 2.6.38, else nothing.
    pub gap: u64,
    /// Addresses have eight digits.
    pub is_32_bit: bool,
    /// How much can be seen.
    pub sight: Sight,
    /// What has to be kept in mind.
    pub doubts: Vec<Doubt>,
    /// Of a file without addresses: the sizes of its areas.
    pub sizes: Vec<(u64, State, u32)>,
}

impl Ground {
    /// What a snapshot shows of a range. The complement of its areas counts as free.
    pub fn of_snapshot(baseline: &Baseline, range: Option<(Window, RangeFrom)>, page_size: u64) -> Self {
        let known = range.or_else(|| span(baseline).map(|range| (range, RangeFrom::Areas)));
        let (range, range_from) = known.unwrap_or((Window { vstart: 0, vend: u64::MAX }, RangeFrom::Unknown));
        let sight = match baseline.pointers {
            Pointers::Real => Sight::Listed,
            Pointers::Hashed => Sight::Hashed,
            Pointers::Zeroed | Pointers::Unready | Pointers::None => Sight::Hidden,
        };
        let mut names = super::holders::Names::default();
        let rows = || baseline.areas.iter().map(|row| (row, state_of(row)));
        let mut ground = Self {
            areas: Vec::new(),
            holes: Vec::new(),
            holders: Vec::new(),
            range,
            range_from,
            page_size,
            gap: 0,
            is_32_bit: u32::try_from(range.vend).is_ok() || narrow(baseline),
            sight,
            doubts: Vec::new(),
            sizes: Vec::new(),
        };
        if sight == Sight::Listed {
            let whole = rows().filter(|(row, _)| is_whole(row));
            ground.areas = whole
                .filter_map(|(row, state)| {
                    let extent = Extent::new(row.start, row.end)?;
                    Some(Held { extent, state, holder: names.id(holder_of(row)) })
                })
                .collect();
            ground.areas.sort_by_key(|held| held.extent);
            let overlaps = ground.find_holes();
            ground.doubts.push(Doubt::Unlisted);
            if 0 < overlaps {
                ground.doubts.push(Doubt::Overlaps(overlaps));
            }
        } else {
            ground.sizes = rows().map(|(row, state)| (row.size, state, names.id(holder_of(row)))).collect();
        }
        if range_from == RangeFrom::Areas {
            ground.doubts.push(Doubt::Range);
        }
        ground.holders = names.list;
        ground
    }

    /// What no area of the range covers; answers how many areas overlap an earlier one.
    fn find_holes(&mut self) -> u64 {
        let areas = self.areas.iter().map(|held| (held.extent.start(), held.extent.end()));
        visit_gaps(areas, self.range, |start, end| self.holes.extend(Extent::new(start, end)))
    }

    /// Who holds an area.
    pub fn holder(&self, held: &Held) -> &Holder {
        &self.holders[held.holder as usize]
    }

    /// Does it say where things lie?
    pub fn has_addresses(&self) -> bool {
        matches!(self.sight, Sight::Model | Sight::Listed)
    }

    /// The areas that reach into a window, with the part inside.
    pub fn within(&self, window: Window) -> impl Iterator<Item = (&Held, Extent)> {
        let window = Extent::new(window.vstart, window.vend);
        self.areas.iter().filter_map(move |held| Some((held, held.extent.intersection(window?)?)))
    }

    /// What is free once everything lazy and pooled has come back, ascending.
    pub fn purged(&self) -> Vec<Extent> {
        let back = self.areas.iter().filter(|held| held.state != State::Busy).map(|held| held.extent);
        let mut free: Vec<Extent> = self.holes.iter().copied().chain(back).collect();
        free.sort_unstable();
        joined(free)
    }

    /// The area that ends where an extent starts, and the one that starts where it ends.
    pub fn beside(&self, extent: Extent) -> (Option<&Held>, Option<&Held>) {
        let next = self.areas.partition_point(|held| held.extent.start() < extent.end());
        let above = self.areas.get(next).filter(|held| held.extent.start() == extent.end());
        let before = self.areas.partition_point(|held| held.extent.start() < extent.start());
        let below = before.checked_sub(1).map(|at| &self.areas[at]);
        (below.filter(|held| held.extent.end() == extent.start()), above)
    }

    /// The area that contains an address.
    pub fn at(&self, addr: u64) -> Option<&Held> {
        let behind = self.areas.partition_point(|held| held.extent.start() <= addr);
        self.areas[..behind].last().filter(|held| held.extent.contains_addr(addr))
    }
}

/// A stretch of the window: free once all has come back, or an area in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pieces {
    /// Where it lies, as far as it is inside the window.
    pub extent: Extent,
    /// The area in use; `None`: free.
    pub busy: Option<Held>,
}

/// Extents that are ascending by start, those that touch or overlap made one.
pub(super) fn joined(extents: Vec<Extent>) -> Vec<Extent> {
    let mut joined: Vec<Extent> = Vec::with_capacity(extents.len());
    for extent in extents {
        match joined.last_mut() {
            Some(last) if extent.start() <= last.end() => {
                *last = Extent::new(last.start(), last.end().max(extent.end())).unwrap_or(*last);
            }
            _ => joined.push(extent),
        }
    }
    joined
}

fn state_of(row: &BaselineArea) -> State {
    if row.state == BaselineState::Unpurged { State::Lazy } else { State::Busy }
}

/// Eight digits, where no address shows: sizes say nothing, so that is only known of real ones.
fn narrow(baseline: &Baseline) -> bool {
    baseline.pointers == Pointers::Real && baseline.areas.iter().all(|row| u32::try_from(row.start).is_ok())
}

fn holder_of(row: &BaselineArea) -> Holder {
    let name = |text: &str| crate::log::escape(text.as_bytes());
    Holder {
        caller: Some(name(&row.caller)).filter(|caller| !caller.is_empty()),
        module: row.module.as_deref().map(name),
        kind: row.kind(),
        stays: row.is_early() || row.kind() == "per-CPU",
    }
}
