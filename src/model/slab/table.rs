//! The slabs of one cache, in flat vectors.

use super::SlabError;
use crate::model::frames::FrameRun;

/// Slabs by number; a number whose run is empty is free to be used again.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Objects of a slab.
    pub(super) per_slab: u32,
    pub(super) live: u64,
    pub(super) n_slabs: u32,
    pub(super) n_empty: u32,
    /// Slabs made so far.
    pub(super) made: u64,
    runs: Vec<FrameRun>,
    /// Objects in use, slab by slab.
    n_used: Vec<u32>,
    /// A bit for each object in use.
    used: Vec<u64>,
    /// A bit for each slab with room.
    room: Vec<u64>,
    /// No word before this one has a bit.
    first_room: usize,
}

impl Table {
    pub(super) fn new(per_slab: u32) -> Self {
        Self { per_slab, ..Self::default() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.live < u64::from(self.n_slabs) * u64::from(self.per_slab)
    }

    pub(super) fn add_slab(&mut self, run: FrameRun) {
        let has_gap = (self.n_slabs as usize) < self.runs.len();
        let gap = if has_gap { self.runs.iter().position(|run| run.n == 0) } else { None };
        let slab = gap.unwrap_or(self.runs.len());
        if slab == self.runs.len() {
            self.runs.push(run);
            self.n_used.push(0);
            self.used.resize(self.used.len() + self.words(), 0);
            self.room.resize(self.runs.len().div_ceil(64), 0);
        }
        self.runs[slab] = run;
        self.set_room(slab);
        self.n_slabs += 1;
        self.n_empty += 1;
        self.made += 1;
    }

    /// The lowest free object of the lowest slab with room; there is one.
    pub(super) fn take(&mut self) -> (u32, u32) {
        while self.room[self.first_room] == 0 {
            self.first_room += 1;
        }
        let slab = self.first_room * 64 + self.room[self.first_room].trailing_zeros() as usize;
        let from = slab * self.words();
        let words = &mut self.used[from..from + (self.per_slab as usize).div_ceil(64)];
        let at = words.iter().position(|word| *word != u64::MAX).unwrap_or_default();
        let bit = words[at].trailing_ones();
        words[at] |= 1 << bit;
        self.n_empty -= u32::from(self.n_used[slab] == 0);
        self.n_used[slab] += 1;
        self.live += 1;
        if self.n_used[slab] == self.per_slab {
            self.room[slab / 64] &= !(1 << (slab % 64));
        }
        (slab as u32, at as u32 * 64 + bit)
    }

    /// Frees an object. Answers the run of its slab if that is given back.
    pub(super) fn give_back(&mut self, slab: u32, index: u32) -> Result<Option<FrameRun>, SlabError> {
        if !self.is_used(slab, index) {
            return Err(SlabError::NotInUse { slab, index });
        }
        let at = slab as usize;
        let word = at * self.words() + index as usize / 64;
        self.used[word] &= !(1 << (index % 64));
        self.n_used[at] -= 1;
        self.live -= 1;
        self.set_room(at);
        if self.n_used[at] != 0 {
            return Ok(None);
        }
        self.n_empty += 1;
        Ok((self.n_empty > 1).then(|| self.drop_slab(at)))
    }

    /// The run of the one empty slab, which is gone then.
    pub(super) fn take_empty(&mut self) -> Option<FrameRun> {
        let is_empty = |slab: &usize| self.runs[*slab].n != 0 && self.n_used[*slab] == 0;
        let slab = (0..self.runs.len()).find(is_empty)?;
        Some(self.drop_slab(slab))
    }

    /// Memory held, in bytes.
    pub(super) fn heap_bytes(&self) -> u64 {
        let words = self.used.capacity() + self.room.capacity();
        (self.runs.capacity() * size_of::<FrameRun>() + self.n_used.capacity() * 4 + words * 8) as u64
    }

    pub(super) fn is_used(&self, slab: u32, index: u32) -> bool {
        let word = slab as usize * self.words() + index as usize / 64;
        index < self.per_slab && self.used.get(word).is_some_and(|word| word & 1 << (index % 64) != 0)
    }

    /// Recounts everything from the bits of the objects. Every slab has `pages`, at most one is empty.
    pub(super) fn audit(&self, pages: u64) -> Result<(), SlabError> {
        let (mut live, mut slabs, mut empty) = (0, 0, 0);
        for (slab, run) in self.runs.iter().enumerate() {
            let bits = &self.used[slab * self.words()..][..self.words()];
            let used = bits.iter().map(|word| u64::from(word.count_ones())).sum();
            compare("objects of a slab", u64::from(self.n_used[slab]), used)?;
            let is_slab = run.n != 0;
            compare("pages of a slab", run.n, if is_slab { pages } else { 0 })?;
            let has_room = is_slab && used < u64::from(self.per_slab);
            compare("room in a slab", self.room[slab / 64] >> (slab % 64) & 1, u64::from(has_room))?;
            compare("words passed over", u64::from(has_room && slab / 64 < self.first_room), 0)?;
            live += used;
            slabs += u64::from(is_slab);
            empty += u64::from(is_slab && used == 0);
        }
        compare("live objects", self.live, live)?;
        compare("slabs", u64::from(self.n_slabs), slabs)?;
        compare("empty slabs", u64::from(self.n_empty), empty)?;
        compare("empty slabs above one", empty.saturating_sub(1), 0)
    }

    fn drop_slab(&mut self, slab: usize) -> FrameRun {
        self.room[slab / 64] &= !(1 << (slab % 64));
        self.n_slabs -= 1;
        self.n_empty -= 1;
        std::mem::replace(&mut self.runs[slab], FrameRun { first: 0, n: 0 })
    }

    fn set_room(&mut self, slab: usize) {
        self.room[slab / 64] |= 1 << (slab % 64);
        self.first_room = self.first_room.min(slab / 64);
    }

    fn words(&self) -> usize {
        (self.per_slab as usize).div_ceil(64)
    }
}

pub(super) fn compare(name: &'static str, stored: u64, counted: u64) -> Result<(), SlabError> {
    if stored == counted { Ok(()) } else { Err(SlabError::Count { name, stored, counted }) }
}

impl Clone for Table {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.clone_from(self);
        copy
    }

    fn clone_from(&mut self, from: &Self) {
        let Self { per_slab, live, n_slabs, n_empty, made, runs, n_used, used, room, first_room } = from;
        (self.per_slab, self.live, self.n_slabs, self.n_empty) = (*per_slab, *live, *n_slabs, *n_empty);
        (self.made, self.first_room) = (*made, *first_room);
        self.runs.clone_from(runs);
        self.n_used.clone_from(n_used);
        self.used.clone_from(used);
        self.room.clone_from(room);
    }
}
