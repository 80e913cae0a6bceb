//! [`Pools`]: what one node has parked, by size, cheap to copy.

use std::rc::Rc;

use super::mix;

/// Areas of the largest pool, in pages.
pub(super) const MAX_PAGES: u64 = 256;

/// The pools of a node that hold something, by pages, ascending.
#[derive(Debug, Clone, Default)]
pub(super) struct Pools {
    by_pages: Vec<(u32, Rc<Vec<Parked>>)>,
}

/// A parked area, and a hash of it and all below it.
#[derive(Debug, Clone, Copy)]
struct Parked {
    start: u64,
    hash: u64,
}

fn push(pool: &mut Vec<Parked>, start: u64) {
    let below = pool.last().map_or(0, |parked| parked.hash);
    pool.push(Parked { start, hash: mix(below.rotate_left(7) ^ start) });
}

impl Pools {
    fn place(&self, pages: u32) -> Result<usize, usize> {
        self.by_pages.binary_search_by_key(&pages, |&(of, _)| of)
    }

    /// The area that is given out next.
    pub(super) fn head(&self, pages: u64) -> Option<u64> {
        let place = self.place(u32::try_from(pages).ok()?).ok()?;
        self.by_pages[place].1.last().map(|parked| parked.start)
    }

    /// Parks an area.
    pub(super) fn push(&mut self, pages: u64, start: u64) {
        let pages = pages as u32;
        let place = self.place(pages).unwrap_or_else(|place| {
            self.by_pages.insert(place, (pages, Rc::default()));
            place
        });
        push(Rc::make_mut(&mut self.by_pages[place].1), start);
    }

    /// Gives the head out.
    pub(super) fn pop(&mut self, pages: u64) -> Option<u64> {
        let place = self.place(u32::try_from(pages).ok()?).ok()?;
        let pool = &mut self.by_pages[place].1;
        let head = Rc::make_mut(pool).pop();
        if pool.is_empty() {
            self.by_pages.remove(place);
        }
        head.map(|parked| parked.start)
    }

    /// The head becomes the last one.
    pub(super) fn rotate(&mut self, pages: u64) {
        let Ok(place) = self.place(pages as u32) else { return };
        let pool = Rc::make_mut(&mut self.by_pages[place].1);
        let starts: Vec<u64> = pool.iter().map(|parked| parked.start).collect();
        let Some((&head, rest)) = starts.split_last() else { return };
        pool.clear();
        push(pool, head);
        for &start in rest {
            push(pool, start);
        }
    }

    /// The first pool of more than `pages` pages, and how many areas are in it.
    pub(super) fn next_above(&self, pages: u32) -> Option<(u32, usize)> {
        let place = self.place(pages).map_or_else(|place| place, |place| place + 1);
        self.by_pages.get(place).map(|(pages, pool)| (*pages, pool.len()))
    }

    /// Takes areas off from the head.
    pub(super) fn take(&mut self, pages: u32, n: usize) -> Vec<u64> {
        let Ok(place) = self.place(pages) else { return Vec::new() };
        let pool = Rc::make_mut(&mut self.by_pages[place].1);
        let taken = pool.split_off(pool.len().saturating_sub(n)).into_iter().rev().map(|parked| parked.start).collect();
        if pool.is_empty() {
            self.by_pages.remove(place);
        }
        taken
    }

    /// Takes a parked area that overlaps a range out of its pool.
    pub(super) fn evict(&mut self, start: u64, end: u64, page_size: u64) -> Option<(u64, u64)> {
        let found = self.by_pages.iter().find_map(|(pages, pool)| {
            let bytes = u64::from(*pages) * page_size;
            let at = pool.iter().position(|parked| parked.start < end && start < parked.start + bytes)?;
            Some((*pages, at, bytes))
        });
        let (pages, at, bytes) = found?;
        let place = self.place(pages).ok()?;
        let pool = Rc::make_mut(&mut self.by_pages[place].1);
        let above = pool.split_off(at);
        let evicted = above[0].start;
        for parked in &above[1..] {
            push(pool, parked.start);
        }
        if pool.is_empty() {
            self.by_pages.remove(place);
        }
        Some((evicted, evicted + bytes))
    }

    /// Does a parked area contain the address?
    pub(super) fn covers(&self, addr: u64, page_size: u64) -> bool {
        self.by_pages.iter().any(|(pages, pool)| {
            let bytes = u64::from(*pages) * page_size;
            pool.iter().any(|parked| parked.start <= addr && addr < parked.start + bytes)
        })
    }

    /// Equal for equal pools.
    pub(super) fn hash(&self) -> u64 {
        let top = |pool: &Vec<Parked>| pool.last().map_or(0, |parked| parked.hash);
        self.by_pages.iter().fold(0, |hash, (pages, pool)| mix(hash ^ u64::from(*pages) ^ top(pool)))
    }
}
