//! [`Remedy`]: what would make a request fit, with numbers. The kernel purges by itself before it gives up, so that what
//! is free after a purge is where every other remedy begins.

use super::ask::Asked;
use super::fence::{Cheapest, fence, pieces};
use super::ground::{Ground, Pieces, RangeFrom};
use super::holders::Holders;
use super::judge::best;
use crate::model::Extent;
use crate::model::search::align_up;

/// All that one holder has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// A module: its callers' areas.
    Module(String),
    /// A function, with its module.
    Caller(String, Option<String>),
}

/// What would help, or would not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// A purge: what waits for it, and what the largest stretch is afterwards.
    Purge {
        /// Lazily freed and pooled areas in the window.
        areas: u64,
        /// Their bytes.
        bytes: u64,
        /// Bytes of the longest stretch afterwards, behind its first aligned address.
        largest: u64,
        /// The request fits then.
        fits: bool,
    },
    /// One area less: the smallest that does.
    Area {
        /// It.
        leaves: Cheapest,
        /// Areas that would do, each alone.
        of: usize,
    },
    /// Several areas side by side less: no single one does.
    Areas(Cheapest),
    /// All areas of one holder less.
    Holder {
        /// Whose.
        whose: Whose,
        /// Areas.
        areas: u64,
        /// Their bytes.
        bytes: u64,
        /// Bytes of the longest stretch then, behind its first aligned address.
        largest: u64,
    },
    /// A larger vmalloc range, on a 32-bit machine: `vmalloc=` on x86 and ARM.
    Larger {
        /// Bytes more, at least.
        more: u64,
        /// Bytes for the option, in whole MiB.
        option: u64,
    },
    /// A smaller request, of so many bytes, guard page included.
    Smaller(u64),
    /// A smaller alignment.
    Alignment(u64),
}

/// Holders that are tried, of modules and of callers each: the largest are what people look for.
const TRIED: usize = 16;
/// Holders that are handed out.
const HOLDERS: usize = 4;

/// What would help with a request that does not fit. `purged` is what is free after a purge.
pub(super) fn remedies(ground: &Ground, asked: &Asked, holders: &Holders, purged: &[Extent]) -> Vec<Remedy> {
    let Asked { size, align, window, .. } = *asked;
    let mut remedies = Vec::new();
    let after = best(purged, align, window).map_or(0, |room| room.bytes);
    let waiting = holders.lazy.areas + holders.pooled.areas;
    if 0 < waiting {
        let bytes = holders.lazy.virtual_bytes.saturating_add(holders.pooled.virtual_bytes);
        remedies.push(Remedy::Purge { areas: waiting, bytes, largest: after, fits: size <= after });
    }
    if size <= after || window.len_bytes() < size {
        return remedies;
    }
    let fence = fence(ground, purged, size, align, window);
    match (fence.single.first(), fence.cheapest) {
        (Some(one), _) => remedies.push(Remedy::Area { leaves: one.clone(), of: fence.n_single }),
        (None, Some(run)) => remedies.push(Remedy::Areas(run)),
        (None, None) => {}
    }
    remedies.extend(by_holder(ground, asked, holders, purged));
    remedies.extend(larger(ground, asked, purged));
    if 1 < align {
        let page = ground.page_size.max(1);
        let powers = (0..64).rev().map(|shift| 1_u64 << shift).filter(|less| page <= *less && *less < align);
        let fits = |less: &u64| best(purged, *less, window).is_some_and(|room| size <= room.bytes);
        remedies.extend(powers.into_iter().find(fits).map(Remedy::Alignment));
    }
    let page = ground.page_size.max(1);
    if 2 * page <= after {
        remedies.push(Remedy::Smaller(after / page * page));
    }
    remedies
}

/// The holders without whom it would fit, the ones with the fewest bytes first; modules before callers, since they can
/// be unloaded.
fn by_holder(ground: &Ground, asked: &Asked, holders: &Holders, purged: &[Extent]) -> Vec<Remedy> {
    let Asked { size, align, window, .. } = *asked;
    let pieces = pieces(ground, purged, window);
    let modules = holders.by_module.iter().filter_map(|held| held.holder.module.clone()).map(Whose::Module);
    let callers = holders.by_caller.iter().filter(|held| !held.holder.stays && held.holder.module.is_none());
    let callers = callers.filter_map(|held| Some(Whose::Caller(held.holder.caller.clone()?, None)));
    let mut tried: Vec<Whose> = modules.take(TRIED).collect();
    for caller in callers.take(TRIED) {
        if !tried.contains(&caller) {
            tried.push(caller);
        }
    }
    let mut found: Vec<(bool, u64, Remedy)> = Vec::new();
    for whose in tried {
        let is_his = |piece: &Pieces| {
            piece.busy.is_some_and(|held| {
                let holder = ground.holder(&held);
                match &whose {
                    Whose::Module(module) => holder.module.as_ref() == Some(module),
                    Whose::Caller(caller, module) => holder.caller.as_ref() == Some(caller) && holder.module == *module,
                }
            })
        };
        let his = pieces.iter().filter(|piece| is_his(piece));
        let (areas, bytes) = his.fold((0, 0), |(n, sum), piece| (n + 1, sum + piece.extent.len_bytes()));
        let largest = largest_without(&pieces, is_his, align, asked);
        if size <= largest {
            let is_caller = matches!(whose, Whose::Caller(..));
            found.push((is_caller, bytes, Remedy::Holder { whose, areas, bytes, largest }));
        }
    }
    found.sort_by_key(|(is_caller, bytes, _)| (*is_caller, *bytes));
    found.into_iter().take(HOLDERS).map(|(_, _, remedy)| remedy).collect()
}

/// The longest stretch behind its first aligned address if some pieces were free.
fn largest_without(pieces: &[Pieces], gone: impl Fn(&Pieces) -> bool, align: u64, asked: &Asked) -> u64 {
    let free: Vec<Extent> =
        pieces.iter().filter(|piece| piece.busy.is_none() || gone(piece)).map(|piece| piece.extent).collect();
    best(&super::ground::joined(free), align, asked.window).map_or(0, |room| room.bytes)
}

/// How much longer the range would have to be. It grows at its lower end, where the memory that is mapped one to one
/// becomes less; the lowest hole grows with it, if it lies there.
fn larger(ground: &Ground, asked: &Asked, purged: &[Extent]) -> Option<Remedy> {
    let Asked { size, align, window, .. } = *asked;
    let is_whole = window == ground.range && !matches!(ground.range_from, RangeFrom::Areas | RangeFrom::Unknown);
    if !ground.is_32_bit || !is_whole {
        return None;
    }
    let lowest = purged.iter().find(|hole| hole.contains_addr(window.vstart));
    let top = lowest.map_or(window.vstart, |hole| hole.end().min(window.vend));
    let start = top.checked_sub(size)? & !(align.max(1) - 1);
    let more = window.vstart.checked_sub(start)?;
    let option = align_up(window.len_bytes().checked_add(more)?, 1 << 20);
    Some(Remedy::Larger { more, option })
}
