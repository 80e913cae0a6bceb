//! The search of `alloc_vmap_area`: the lowest area at or above the candidate, then from area to area.

use crate::model::search::align_up;
use crate::model::{AreaId, Extent, NIL, Refusal, RefusalReason, Request, Rewind, Sink, Step, VmapArea, WalkFrom};

use super::super::gaps::passed;
use super::super::refuse;
use super::super::rules::OverflowCheck;
use super::{BusyTree, CachedHole};

impl BusyTree {
    /// The address for a request and the area below it. `cached` becomes what it is after the search, but for its
    /// area: that changes when the new one is put into the tree.
    pub(super) fn search<S: Sink>(
        &self,
        request: &Request,
        cached: &mut CachedHole,
        sink: &mut S,
    ) -> Result<(u64, AreaId), Refusal> {
        let Request { size, align, window, .. } = *request;
        let gap_page = if self.rules.gap_page { self.page_size } else { 0 };
        let (mut candidate, mut above) = self.begin(request, cached, sink)?;
        let mut below = if above == NIL { self.tree.last } else { self.areas[above].prev };
        while above != NIL {
            let area = &self.areas[above];
            let end = self.word(candidate.wrapping_add(size));
            if end <= area.start || end > window.vend {
                break;
            }
            if self.rules.cached_hole && self.word(candidate.wrapping_add(cached.hole)) < area.start {
                cached.hole = area.start - candidate;
                sink.step(|| Step::HoleRemembered { bytes: cached.hole });
            }
            let from = candidate;
            candidate = self.word(align_up(area.end.wrapping_add(gap_page), align));
            passed(sink, area, from, candidate);
            self.check_overflow(candidate, size, sink)?;
            below = above;
            above = area.next;
        }
        if self.word(candidate.wrapping_add(size)) > window.vend {
            return refuse(RefusalReason::BehindWindow { would_be: candidate }, sink);
        }
        // 2.6.28 does not look for a sum that wraps, and none for an alignment that does: the kernel's tree would break.
        self.gaps.take(&self.areas, (below, above), candidate, size, sink)?;
        Ok((candidate, below))
    }

    /// The first candidate and the first area to hold against it.
    fn begin<S: Sink>(
        &self,
        request: &Request,
        cached: &mut CachedHole,
        sink: &mut S,
    ) -> Result<(u64, AreaId), Refusal> {
        let Request { size, align, window, .. } = *request;
        if self.rules.cached_hole
            && let Some(from_cache) = self.begin_at_cache(request, cached, sink)
        {
            let (candidate, cache) = from_cache;
            self.check_overflow(candidate, size, sink)?;
            return Ok((candidate, cache));
        }
        let candidate = self.word(align_up(window.vstart, align));
        let first = self.lowest_ending_at_or_above(candidate);
        let area = self.areas.extent(first);
        sink.step(|| Step::WalkBegun { from: WalkFrom::Tree(area), candidate });
        self.check_overflow(candidate, size, sink)?;
        Ok((candidate, first))
    }

    /// The cached area and the candidate behind it. Forgets what is cached where it cannot serve.
    fn begin_at_cache<S: Sink>(
        &self,
        request: &Request,
        cached: &mut CachedHole,
        sink: &mut S,
    ) -> Option<(u64, AreaId)> {
        let Request { size, align, window, .. } = *request;
        let why = match self.areas.extent(cached.area) {
            None => Some(Rewind::NoCache),
            Some(_) if size < cached.hole => Some(Rewind::SmallerThanHole { hole: cached.hole }),
            Some(_) if window.vstart < cached.vstart => Some(Rewind::LowerStart { cached_vstart: cached.vstart }),
            Some(_) if align < cached.align => Some(Rewind::SmallerAlign { cached_align: cached.align }),
            Some(cache) if self.behind(cache, align) < window.vstart => Some(Rewind::CacheBelowWindow { cache }),
            Some(_) => None,
        };
        // Recorded on every call, successful or not.
        (cached.vstart, cached.align) = (window.vstart, align);
        if let Some(why) = why {
            sink.step(|| Step::Rewound { why });
            (cached.area, cached.hole) = (NIL, 0);
            return None;
        }
        let cache = self.areas.extent(cached.area)?;
        let candidate = self.behind(cache, align);
        sink.step(|| Step::WalkBegun { from: WalkFrom::Cache(cache), candidate });
        Some((candidate, cached.area))
    }

    /// The lowest aligned address behind an area.
    fn behind(&self, area: Extent, align: u64) -> u64 {
        self.word(align_up(area.end(), align))
    }

    /// The lowest area that ends at or above `addr`, or [`NIL`].
    fn lowest_ending_at_or_above(&self, addr: u64) -> AreaId {
        // Areas are whole and never empty: one that ends at `addr` ends above the address before it.
        addr.checked_sub(1).map_or(self.tree.first, |before| self.areas.first_above(&self.tree, before))
    }

    fn check_overflow<S: Sink>(&self, candidate: u64, size: u64, sink: &mut S) -> Result<(), Refusal> {
        let end = match self.rules.overflow {
            OverflowCheck::None => return Ok(()),
            OverflowCheck::LastByte => candidate.wrapping_add(size).wrapping_sub(1),
            OverflowCheck::End => candidate.wrapping_add(size),
        };
        if self.word(end) < candidate { refuse(RefusalReason::Wraps { candidate }, sink) } else { Ok(()) }
    }

    /// The room above `floor` in the hole under `area`, if it is to be aligned: what the cached hole must cover.
    pub(super) fn room_below(&self, area: &VmapArea, floor: u64, align: u64) -> u64 {
        let start = if area.prev == NIL { floor } else { self.areas[area.prev].end.max(floor) };
        match self.word(align_up(start, align)) {
            wrapped if wrapped < start => 0,
            aligned => area.start.saturating_sub(aligned),
        }
    }
}
