//! [`Memory`]: a recording that stays in memory, for somebody who looks at it while it grows.
//!
//! A page has the size of a page however few records are in it, and where little happens there are few. So the zeros at
//! its end are not kept: what a recording holds grows with its records, not with time.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::source::read_at::ReadAt;

use super::error::RecordError;
use super::signals::Stop;
use super::store::Store;

/// Bytes of bookkeeping that a page costs beside its own.
const PAGE_COST: usize = 48;

/// Shared by who records and who looks.
#[derive(Debug, Clone)]
pub struct Memory {
    held: Arc<Mutex<Held>>,
}

/// What there is at a moment. Copies share the pages.
#[derive(Debug, Clone)]
pub struct Held {
    /// Members as a whole, by name.
    pub members: BTreeMap<String, Arc<[u8]>>,
    /// Pages of each CPU.
    pub cpus: BTreeMap<u16, Pages>,
    /// Up to this moment, in ns of the monotonic clock, everything is there.
    pub emptied: u64,
    /// Pages were turned away: there was no more room.
    pub is_full: bool,
    /// Bytes of pages.
    bytes: usize,
    room: usize,
    stop: Stop,
}

impl Memory {
    /// Holds up to `room` bytes of pages; when there are so many, the end is asked for.
    pub fn new(room: usize, stop: Stop) -> Self {
        let (members, cpus) = (BTreeMap::new(), BTreeMap::new());
        let held = Held { members, cpus, emptied: 0, is_full: false, bytes: 0, room, stop };
        Self { held: Arc::new(Mutex::new(held)) }
    }

    /// What there is now.
    pub fn look(&self) -> Held {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Nothing is half done when the lock is let go.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// A member; empty if it is not there.
    pub fn member(&self, name: &str) -> &[u8] {
        self.members.get(name).map_or(&[], |bytes| &**bytes)
    }

    /// Bytes of pages that are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn push(&mut self, cpu: u16, page: &[u8]) {
        if self.is_full {
            // What follows a gap is of no use.
            return;
        }
        let used = page.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        if self.room < self.bytes + used + PAGE_COST {
            self.is_full = true;
            self.stop.ask();
            return;
        }
        self.bytes += used + PAGE_COST;
        let pages = self.cpus.entry(cpu).or_default();
        pages.stride = page.len();
        pages.used.push(page[..used].into());
    }
}

impl Store for Memory {
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), RecordError> {
        self.lock().members.insert(name.to_owned(), bytes.into());
        Ok(())
    }

    fn grow(&self, name: &str) -> Result<Box<dyn Write>, RecordError> {
        let cpu = name.rsplit_once("/cpu").and_then(|(_, cpu)| cpu.parse().ok());
        let unknown = || RecordError::new(format!("{name} has no place in memory"), "this is a fault in the program");
        let cpu: u16 = cpu.ok_or_else(unknown)?;
        self.lock().cpus.entry(cpu).or_default();
        Ok(Box::new(Grown { memory: self.clone(), cpu }))
    }

    fn emptied(&mut self, at: u64) {
        let mut held = self.lock();
        if !held.is_full {
            held.emptied = at;
        }
    }
}

/// Where the pages of one CPU go.
struct Grown {
    memory: Memory,
    cpu: u16,
}

impl Write for Grown {
    fn write(&mut self, page: &[u8]) -> io::Result<usize> {
        self.memory.lock().push(self.cpu, page);
        Ok(page.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Pages of one CPU, back to back, without the zeros at the end of each.
#[derive(Debug, Clone, Default)]
pub struct Pages {
    stride: usize,
    used: Vec<Arc<[u8]>>,
}

impl Pages {
    /// How many.
    pub fn n_pages(&self) -> usize {
        self.used.len()
    }

    /// Those from `first` on.
    #[must_use]
    pub fn from(&self, first: usize) -> Self {
        Self { stride: self.stride, used: self.used.get(first..).unwrap_or_default().to_vec() }
    }
}

impl ReadAt for Pages {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let total = usize::try_from(self.len()).unwrap_or(usize::MAX);
        let mut at = usize::try_from(offset).unwrap_or(usize::MAX).min(total);
        let mut filled = 0;
        while filled < buf.len() && at < total {
            let (page, inside) = (&self.used[at / self.stride], at % self.stride);
            let n = (self.stride - inside).min(buf.len() - filled);
            let target = &mut buf[filled..filled + n];
            let there = page.get(inside..).unwrap_or_default();
            let there = &there[..there.len().min(n)];
            target[..there.len()].copy_from_slice(there);
            target[there.len()..].fill(0);
            (filled, at) = (filled + n, at + n);
        }
        Ok(filled)
    }

    fn len(&self) -> u64 {
        (self.used.len() * self.stride) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_read_back_as_they_were_at_any_place() {
        let mut memory = Memory::new(1 << 20, Stop::default());
        let mut out = memory.grow("events.pages/cpu3").expect("a CPU");
        let pages: Vec<Vec<u8>> =
            (0..5_u8).map(|n| [vec![n; 10 * usize::from(n)], vec![0; 64 - 10 * usize::from(n)]].concat()).collect();
        for page in &pages {
            out.write_all(page).expect("memory");
        }
        memory.emptied(7);
        let held = memory.look();
        let (whole, kept) = (pages.concat(), &held.cpus[&3]);
        assert_eq!((kept.len(), kept.n_pages(), held.emptied), (320, 5, 7));
        for from in 0..330 {
            for len in [0, 1, 7, 64, 100, 400] {
                let mut buf = vec![0xaa; len];
                let n = kept.read_at(from as u64, &mut buf).expect("memory");
                let wanted = &whole[from.min(320)..(from + len).min(320)];
                assert_eq!(&buf[..n], wanted, "{from} {len}");
            }
        }
        let mut rest = vec![0; 64];
        assert_eq!(kept.from(4).read_at(0, &mut rest).expect("memory"), 64);
        assert_eq!(rest, pages[4]);
        assert_eq!(kept.from(9).len(), 0);
    }

    #[test]
    fn what_has_no_room_is_turned_away_and_the_end_asked_for() {
        let stop = Stop::default();
        let memory = Memory::new(3 * (PAGE_COST + 8), stop.clone());
        let mut out = memory.grow("events.pages/cpu0").expect("a CPU");
        for n in 1..=5 {
            out.write_all(&[[1; 8], [0; 8]].concat()).expect("memory");
            assert_eq!((memory.look().is_full, stop.is_asked()), (3 < n, 3 < n));
        }
        assert_eq!(memory.look().cpus[&0].n_pages(), 3);
        assert!(memory.grow("elsewhere").is_err());
    }
}
