//! [`Runs`]: sets of numbers as sorted runs, in flat memory.

/// Runs in a chunk.
const CHUNK: usize = 32;

/// A chunk of runs, ascending.
#[derive(Debug, Clone, Copy)]
struct Chunk {
    len: usize,
    runs: [(u64, u64); CHUNK],
}

/// A set of numbers below `u64::MAX`, as runs `first..=last`, ascending, neither overlapping nor touching. Runs lie in
/// chunks, so that adding one among many moves few; the chunks lie in one vector, so that a copy is one block.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// First number and chunk, ascending. No chunk here is empty.
    order: Vec<(u64, u32)>,
    chunks: Vec<Chunk>,
    spare: Vec<u32>,
    /// Numbers in the set.
    count: u64,
}

impl Clone for Runs {
    fn clone(&self) -> Self {
        let Self { order, chunks, spare, count } = self;
        Self { order: order.clone(), chunks: chunks.clone(), spare: spare.clone(), count: *count }
    }

    fn clone_from(&mut self, source: &Self) {
        self.order.clone_from(&source.order);
        self.chunks.clone_from(&source.chunks);
        self.spare.clone_from(&source.spare);
        self.count = source.count;
    }
}

/// Where a run is: place in the order, place in the chunk.
#[derive(Debug, Clone, Copy)]
struct At {
    place: usize,
    index: usize,
}

impl Runs {
    /// Numbers in the set.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes held.
    pub(super) fn heap_bytes(&self) -> u64 {
        let chunks = self.chunks.capacity() * size_of::<Chunk>();
        (chunks + self.order.capacity() * size_of::<(u64, u32)>() + self.spare.capacity() * size_of::<u32>()) as u64
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.contains_all(number, number)
    }

    /// Is all of `first..=last` in the set?
    pub(super) fn contains_all(&self, first: u64, last: u64) -> bool {
        self.floor(first).is_some_and(|at| last <= self.run(at).1)
    }

    /// The runs, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.order.iter().flat_map(|&(_, id)| {
            let chunk = &self.chunks[id as usize];
            chunk.runs[..chunk.len].iter().copied()
        })
    }

    /// The first run with a number of `first..=last`, cut to that range.
    pub(super) fn next_run(&self, first: u64, last: u64) -> Option<(u64, u64)> {
        let at = self.first_reaching(first)?;
        let (start, end) = self.run(at);
        (start <= last).then(|| (start.max(first), end.min(last)))
    }

    /// Numbers of `first..=last` that are in the set.
    pub(super) fn count_in(&self, first: u64, last: u64) -> u64 {
        let mut count = 0;
        let mut at = self.first_reaching(first);
        while let Some(here) = at {
            let (start, end) = self.run(here);
            if last < start {
                break;
            }
            count += end.min(last) - start.max(first) + 1;
            at = self.after(here);
        }
        count
    }

    /// Adds `first..=last`; says how many of them are new.
    pub(super) fn add(&mut self, first: u64, last: u64) -> u64 {
        let before = self.count;
        let floor = self.floor(first);
        let at = match floor {
            Some(at) if last <= self.run(at).1 => return 0,
            // Overlaps or touches the run below: that one grows.
            Some(at) if first <= self.run(at).1 + 1 => at,
            _ => {
                self.count += 1;
                self.insert_after(floor, (first, first))
            }
        };
        let (start, old_end) = self.run(at);
        let mut end = old_end.max(last);
        self.count += end - old_end;
        while let Some(next) = self.after(at) {
            let (next_start, next_end) = self.run(next);
            if end + 1 < next_start {
                break;
            }
            // Its numbers are counted in `end` from here on, as far as they were not before.
            self.count -= next_end - next_start + 1;
            self.count += next_end.max(end) - end;
            end = end.max(next_end);
            self.remove_run(next);
        }
        self.set(at, (start, end));
        self.count - before
    }

    /// Removes `first..=last`; says how many of them were there.
    pub(super) fn remove(&mut self, first: u64, last: u64) -> u64 {
        let before = self.count;
        while let Some(at) = self.first_reaching(first) {
            let (start, end) = self.run(at);
            if last < start {
                break;
            }
            let (from, to) = (start.max(first), end.min(last));
            self.count -= to - from + 1;
            match (start < from, to < end) {
                (false, false) => self.remove_run(at),
                (false, true) => {
                    self.set(at, (to + 1, end));
                    break;
                }
                (true, false) => self.set(at, (start, from - 1)),
                (true, true) => {
                    self.set(at, (start, from - 1));
                    self.insert_after(Some(at), (to + 1, end));
                    break;
                }
            }
        }
        before - self.count
    }

    fn chunk(&self, place: usize) -> &Chunk {
        &self.chunks[self.order[place].1 as usize]
    }

    fn run(&self, at: At) -> (u64, u64) {
        self.chunk(at.place).runs[at.index]
    }

    fn set(&mut self, at: At, run: (u64, u64)) {
        let (first, chunk) = &mut self.order[at.place];
        if at.index == 0 {
            *first = run.0;
        }
        self.chunks[*chunk as usize].runs[at.index] = run;
    }

    /// The last run that begins at or below `number`.
    fn floor(&self, number: u64) -> Option<At> {
        let place = self.order.partition_point(|&(first, _)| first <= number).checked_sub(1)?;
        let chunk = self.chunk(place);
        let index = chunk.runs[..chunk.len].partition_point(|&(first, _)| first <= number).checked_sub(1)?;
        Some(At { place, index })
    }

    /// The first run that ends at or above `number`.
    fn first_reaching(&self, number: u64) -> Option<At> {
        match self.floor(number) {
            Some(at) if number <= self.run(at).1 => Some(at),
            Some(at) => self.after(at),
            None => (!self.order.is_empty()).then_some(At { place: 0, index: 0 }),
        }
    }

    fn after(&self, at: At) -> Option<At> {
        if at.index + 1 < self.chunk(at.place).len {
            return Some(At { index: at.index + 1, ..at });
        }
        (at.place + 1 < self.order.len()).then_some(At { place: at.place + 1, index: 0 })
    }

    /// Puts a run behind another, or before all. Does not count it.
    fn insert_after(&mut self, at: Option<At>, run: (u64, u64)) -> At {
        let mut to = at.map_or(At { place: 0, index: 0 }, |at| At { index: at.index + 1, ..at });
        if self.order.is_empty() {
            let chunk = self.fresh();
            self.order.push((run.0, chunk));
        }
        if self.chunk(to.place).len == CHUNK {
            // At the end of all chunks, runs that come in order leave full ones behind.
            let keep = if to.index == CHUNK && to.place + 1 == self.order.len() { CHUNK } else { CHUNK / 2 };
            self.split(to.place, keep, run.0);
            if keep < to.index || keep == CHUNK {
                to = At { place: to.place + 1, index: to.index - keep };
            }
        }
        let (first, chunk) = &mut self.order[to.place];
        let chunk = &mut self.chunks[*chunk as usize];
        chunk.runs.copy_within(to.index..chunk.len, to.index + 1);
        chunk.runs[to.index] = run;
        chunk.len += 1;
        if to.index == 0 {
            *first = run.0;
        }
        to
    }

    /// Moves the runs from `keep` on to a new chunk behind. `first` is the key of a chunk that begins empty.
    fn split(&mut self, place: usize, keep: usize, first: u64) {
        let fresh = self.fresh();
        let chunk = &mut self.chunks[self.order[place].1 as usize];
        let mut upper = Chunk { len: chunk.len - keep, runs: [(0, 0); CHUNK] };
        upper.runs[..upper.len].copy_from_slice(&chunk.runs[keep..chunk.len]);
        chunk.len = keep;
        let key = if upper.len == 0 { first } else { upper.runs[0].0 };
        self.chunks[fresh as usize] = upper;
        self.order.insert(place + 1, (key, fresh));
    }

    fn fresh(&mut self) -> u32 {
        self.spare.pop().unwrap_or_else(|| {
            self.chunks.push(Chunk { len: 0, runs: [(0, 0); CHUNK] });
            (self.chunks.len() - 1) as u32
        })
    }

    fn remove_run(&mut self, at: At) {
        let (first, id) = &mut self.order[at.place];
        let chunk = &mut self.chunks[*id as usize];
        chunk.runs.copy_within(at.index + 1..chunk.len, at.index);
        chunk.len -= 1;
        if chunk.len == 0 {
            self.spare.push(*id);
            self.order.remove(at.place);
        } else if at.index == 0 {
            *first = chunk.runs[0].0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    impl Runs {
        fn audit(&self) {
            for &(first, id) in &self.order {
                let chunk = &self.chunks[id as usize];
                assert_ne!(chunk.len, 0);
                assert_eq!(chunk.runs[0].0, first);
            }
            let flat: Vec<(u64, u64)> = self.iter().collect();
            assert!(flat.iter().all(|(first, last)| first <= last), "{flat:?}");
            assert!(flat.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{flat:?}");
            assert_eq!(self.count, flat.iter().map(|(first, last)| last - first + 1).sum::<u64>());
        }
    }

    #[test]
    fn the_same_as_a_set_of_numbers() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let (mut runs, mut plain) = (Runs::default(), BTreeSet::new());
        for round in 0..6000 {
            let first = random(3000);
            // Single numbers make many runs; now and then a wide one swallows them.
            let last = first + if random(50) == 0 { random(900) } else { random(3) };
            let there = plain.range(first..=last).count() as u64;
            assert_eq!(runs.count_in(first, last), there);
            assert_eq!(runs.contains_all(first, last), there == last - first + 1);
            if random(2) == 0 {
                assert_eq!(runs.add(first, last), last - first + 1 - there);
                plain.extend(first..=last);
            } else {
                assert_eq!(runs.remove(first, last), there);
                plain.retain(|number| !(first..=last).contains(number));
            }
            runs.audit();
            assert_eq!(runs.count(), plain.len() as u64);
            let probe = random(3500);
            let next = plain.range(probe..).next().copied();
            assert_eq!(runs.next_run(probe, 4000).map(|(start, _)| start), next, "round {round}");
            assert_eq!(runs.contains(probe), next == Some(probe));
        }
    }

    #[test]
    fn runs_that_come_in_order_fill_their_chunks() {
        let mut runs = Runs::default();
        for number in 0..3200 {
            runs.add(number * 2, number * 2);
        }
        runs.audit();
        assert_eq!(runs.order.len(), 100);
        assert_eq!(runs.add(0, 6400), 6401 - 3200);
        assert_eq!((runs.order.len(), runs.chunks.len()), (1, 100));
    }
}
