//! [`Busy`]: areas in use by address, cheap to copy: what two copies have in common they share.

use std::rc::Rc;

use super::mix;

/// An area in use, or freed and not yet purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    /// First address.
    pub(super) start: u64,
    /// First address after it.
    pub(super) end: u64,
    /// Node whose lazy list and pool it goes to, plus one; 0 if none.
    pub(super) owner: u32,
    /// Record that allocated it.
    pub(super) born: u32,
}

impl Area {
    pub(super) fn hash(self) -> u64 {
        mix(self.start ^ mix(self.end ^ u64::from(self.owner)))
    }
}

/// Areas of a chunk before it is halved.
const CHUNK: usize = 96;

/// Areas in use, ascending and apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy {
    chunks: Vec<Rc<Vec<Area>>>,
    /// Equal for equal contents.
    pub(super) hash: u64,
}

impl Busy {
    /// The chunk an address belongs to.
    fn chunk_of(&self, addr: u64) -> usize {
        self.chunks.partition_point(|chunk| chunk[0].start <= addr).saturating_sub(1)
    }

    /// The area that starts at an address.
    pub(super) fn get(&self, start: u64) -> Option<Area> {
        let chunk = self.chunks.get(self.chunk_of(start))?;
        chunk.binary_search_by_key(&start, |area| area.start).ok().map(|at| chunk[at])
    }

    /// Adds an area, in place of one that starts at the same address.
    pub(super) fn insert(&mut self, area: Area) {
        self.remove(area.start);
        self.hash ^= area.hash();
        let index = self.chunk_of(area.start);
        let Some(chunk) = self.chunks.get_mut(index) else {
            return self.chunks.push(Rc::new(vec![area]));
        };
        let chunk = Rc::make_mut(chunk);
        let at = chunk.partition_point(|other| other.start < area.start);
        chunk.insert(at, area);
        if chunk.len() > CHUNK {
            let upper = chunk.split_off(CHUNK / 2);
            self.chunks.insert(index + 1, Rc::new(upper));
        }
    }

    /// Takes the area that starts at an address away.
    pub(super) fn remove(&mut self, start: u64) -> Option<Area> {
        let index = self.chunk_of(start);
        let chunk = self.chunks.get_mut(index)?;
        let at = chunk.binary_search_by_key(&start, |area| area.start).ok()?;
        let area = if chunk.len() == 1 { self.chunks.remove(index)[0] } else { Rc::make_mut(chunk).remove(at) };
        self.hash ^= area.hash();
        Some(area)
    }

    /// The lowest area that overlaps a range.
    pub(super) fn overlapping(&self, start: u64, end: u64) -> Option<Area> {
        let mut index = self.chunk_of(start);
        loop {
            let chunk = self.chunks.get(index)?;
            let at = chunk.partition_point(|area| area.end <= start);
            if let Some(area) = chunk.get(at) {
                return (area.start < end).then_some(*area);
            }
            index += 1;
        }
    }
}
