//! The rules of the eras that keep no holes, over a sorted vector: slow, short, and written without a look at the
//! program.

use vmaplens::log::Window;
use vmaplens::model::{Extent, Request};
use vmaplens::policy::Setup;

pub(crate) const PAGE: u64 = 4096;
/// A 32-bit machine: sums that pass this have wrapped.
const WORD: u64 = u32::MAX as u64;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Area {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) lazy: bool,
    /// When it was freed, counted in frees.
    freed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    List24,
    List26,
    GapPage,
    Cache { newest_first: bool },
}

pub(crate) struct Plain {
    era: Era,
    has_chunks: bool,
    pub(crate) areas: Vec<Area>,
    range: Window,
    cache: Option<u64>,
    hole: u64,
    vstart: u64,
    align: u64,
    pcpu: u64,
    frees: u64,
}

fn up(x: u64, align: u64) -> u64 {
    x.div_ceil(align) * align
}

impl Plain {
    pub(crate) fn new(policy: &str, setup: &Setup) -> Self {
        let era = match policy {
            "linux-2.4" => Era::List24,
            "linux-2.6.11" | "linux-2.6.24" => Era::List26,
            "linux-2.6.29" | "linux-2.6.32" => Era::GapPage,
            "linux-3.10" => Era::Cache { newest_first: false },
            _ => Era::Cache { newest_first: true },
        };
        let area = |extent: &Extent| Area { start: extent.start(), end: extent.end(), lazy: false, freed: 0 };
        Self {
            era,
            has_chunks: !matches!(policy, "linux-2.4" | "linux-2.6.11" | "linux-2.6.24" | "linux-2.6.29"),
            areas: setup.early.iter().map(area).collect(),
            range: setup.window,
            cache: None,
            hole: 0,
            vstart: 0,
            align: 0,
            pcpu: setup.window.vend,
            frees: 0,
        }
    }

    /// One attempt; the area is put into the vector.
    pub(crate) fn alloc(&mut self, request: &Request) -> Option<u64> {
        let Request { size, align, window, .. } = *request;
        let start = match self.era {
            Era::List24 => self.list_2_4(size),
            Era::List26 => self.list_2_6(size, align, window),
            Era::GapPage => self.gap_page(size, align, window),
            Era::Cache { .. } => self.cached(size, align, window),
        }?;
        if matches!(self.era, Era::Cache { .. }) {
            self.cache = Some(start);
        }
        self.put(start, start + size);
        Some(start)
    }

    fn put(&mut self, start: u64, end: u64) {
        self.areas.push(Area { start, end, lazy: false, freed: 0 });
        self.areas.sort_by_key(|area| area.start);
    }

    fn list_2_4(&self, size: u64) -> Option<u64> {
        let mut addr = self.range.vstart;
        for area in &self.areas {
            if addr + size > WORD {
                return None;
            }
            if addr + size <= area.start {
                break;
            }
            addr = addr.max(area.end);
            if addr > self.range.vend - size {
                return None;
            }
        }
        Some(addr)
    }

    fn list_2_6(&self, size: u64, align: u64, window: Window) -> Option<u64> {
        let mut addr = up(window.vstart, align);
        for area in &self.areas {
            if area.start < addr {
                if area.end >= addr {
                    addr = up(area.end, align);
                }
                continue;
            }
            if addr + size > WORD {
                return None;
            }
            if addr + size <= area.start {
                break;
            }
            addr = up(area.end, align);
            if addr > window.vend - size {
                return None;
            }
        }
        Some(addr)
    }

    fn gap_page(&self, size: u64, align: u64, window: Window) -> Option<u64> {
        let mut addr = up(window.vstart, align);
        for area in &self.areas {
            if area.end >= addr && addr + size > area.start {
                addr = up(area.end + PAGE, align);
            }
        }
        (addr + size <= window.vend).then_some(addr)
    }

    fn cached(&mut self, size: u64, align: u64, window: Window) -> Option<u64> {
        let usable = size >= self.hole && window.vstart >= self.vstart && align >= self.align;
        (self.vstart, self.align) = (window.vstart, align);
        let behind = |start| {
            let at = self.areas.iter().position(|area| Some(area.start) == start)?;
            let addr = up(self.areas[at].end, align);
            (addr >= window.vstart).then_some((at, addr))
        };
        let (first, mut addr) = match behind(self.cache).filter(|_| usable) {
            Some(found) => found,
            None => {
                (self.cache, self.hole) = (None, 0);
                let addr = up(window.vstart, align);
                let first = self.areas.iter().position(|area| area.end >= addr);
                (first.unwrap_or(self.areas.len()), addr)
            }
        };
        for area in &self.areas[first..] {
            if addr + size <= area.start || addr + size > window.vend {
                break;
            }
            if addr + self.hole < area.start {
                self.hole = area.start - addr;
            }
            addr = up(area.end, align);
        }
        (addr + size <= window.vend).then_some(addr)
    }

    pub(crate) fn is_busy(&self, start: u64) -> bool {
        self.areas.iter().any(|area| area.start == start && !area.lazy)
    }

    pub(crate) fn free(&mut self, start: u64) {
        self.frees += 1;
        let at = self.areas.iter().position(|area| area.start == start).expect("in use");
        if matches!(self.era, Era::List24 | Era::List26) {
            self.areas.remove(at);
        } else {
            (self.areas[at].lazy, self.areas[at].freed) = (true, self.frees);
        }
    }

    /// Answers how many areas went.
    pub(crate) fn purge(&mut self) -> u64 {
        let mut lazy: Vec<Area> = self.areas.iter().copied().filter(|area| area.lazy).collect();
        if self.era == (Era::Cache { newest_first: true }) {
            lazy.sort_by_key(|area| std::cmp::Reverse(area.freed));
        }
        for area in &lazy {
            self.remove(area.start);
        }
        lazy.len() as u64
    }

    fn remove(&mut self, start: u64) {
        let at = self.areas.iter().position(|area| area.start == start).expect("there");
        let area = self.areas[at];
        if let Some(cache) = self.cache {
            if area.end < self.vstart {
                self.cache = None;
            } else if area.start <= cache {
                self.cache = at.checked_sub(1).map(|below| self.areas[below].start);
            }
        }
        self.areas.remove(at);
        if self.range.vstart < area.end && area.end <= self.range.vend {
            self.pcpu = self.pcpu.max(area.end);
        }
    }

    /// Answers how many areas in use went.
    pub(crate) fn adopt(&mut self, extent: Extent) -> u32 {
        let inside = |area: &&Area| area.start < extent.end() && extent.start() < area.end;
        let gone: Vec<Area> = self.areas.iter().filter(inside).copied().collect();
        for area in &gone {
            self.remove(area.start);
        }
        self.put(extent.start(), extent.end());
        gone.iter().filter(|area| !area.lazy).count() as u32
    }

    /// The highest place at or below where the last chunk went or something was purged.
    pub(crate) fn chunk(&mut self, size: u64, align: u64) -> Option<Extent> {
        if !self.has_chunks {
            return None;
        }
        let above = self.areas.iter().find(|area| area.end > self.pcpu).map_or(u64::MAX, |area| area.start);
        let mut base = (above.min(self.range.vend) / align * align).checked_sub(size)?;
        while base >= self.range.vstart {
            let end = base + size;
            if self.areas.iter().all(|area| area.end <= base || end <= area.start) {
                self.put(base, end);
                self.pcpu = base;
                return Extent::new(base, end);
            }
            base -= align;
        }
        None
    }

    /// The last line of the state text in the eras with chunks.
    pub(crate) fn cached_line(&self) -> Option<String> {
        let cache = self.cache.map_or("-".to_owned(), |start| format!("{start:x}"));
        let rest = format!("{:x} {:x} {:x} {:x}", self.hole, self.vstart, self.align, self.pcpu);
        match self.era {
            Era::List24 | Era::List26 => None,
            Era::GapPage => Some(format!("C - 0 0 0 {:x}", self.pcpu)),
            Era::Cache { .. } => Some(format!("C {cache} {rest}")),
        }
    }
}
