//! Options of a trace.dat.

use super::header::{MAX_CPUS, MAX_NAME};
use super::input::{Cursor, Order};
use super::{Clock, CpuStat, Facts};
use crate::lex::{Lines, after, decimal, hex, signed, trim, upto};

/// Options of one file.
const MAX_OPTIONS: u32 = 65_536;
/// Rows of statistics: every CPU of some instances.
const MAX_STATS: usize = 65_536;

pub(super) const DATE: u16 = 1;
pub(super) const CPUSTAT: u16 = 2;
pub(super) const BUFFER: u16 = 3;
pub(super) const TRACECLOCK: u16 = 4;
pub(super) const UNAME: u16 = 5;
pub(super) const OFFSET: u16 = 7;
pub(super) const CPUCOUNT: u16 = 8;
pub(super) const VERSION: u16 = 9;
pub(super) const TIME_SHIFT: u16 = 12;
pub(super) const TSC2NSEC: u16 = 14;

/// What the options told.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// The main buffer's clock.
    pub(super) clock: Vec<u8>,
    pub(super) n_cpus: Option<u32>,
    /// Where the instances of a version 6 file are, and their names.
    pub(super) instances_6: Vec<(u64, Vec<u8>)>,
    /// Whether times should be shifted to those of a host.
    pub(super) has_time_shift: bool,
    uname: Vec<u8>,
    recorder: Vec<u8>,
    stats: Vec<CpuStat>,
    /// The instance that CPUSTAT options speak of.
    stats_of: Vec<u8>,
    date_ns: i64,
    offset_ns: i64,
    tsc: Option<(u32, u32, u64)>,
    /// Options so far.
    n_taken: u32,
}

impl Options {
    /// Whether there were more options than a file can have.
    pub(super) fn is_full(&self) -> bool {
        MAX_OPTIONS <= self.n_taken
    }

    /// Takes an option; `false` if its data cannot be read.
    pub(super) fn take(&mut self, id: u16, data: &[u8], order: Order, version: u8) -> bool {
        self.n_taken += 1;
        let text = trim(data);
        let taken = match id {
            DATE => hexadecimal(text).map(|us| self.date_ns = us.wrapping_mul(1000).cast_signed()),
            OFFSET => signed(text).ok().map(|(_, ns)| self.offset_ns = ns),
            TRACECLOCK => bracketed(text).map(|name| self.clock = name.to_vec()),
            CPUSTAT => self.statistics(text),
            UNAME => {
                self.uname = text.to_vec();
                Some(())
            }
            VERSION => {
                self.recorder = text.to_vec();
                Some(())
            }
            CPUCOUNT => order.u32(data, 0).filter(|n| *n <= MAX_CPUS).map(|n| self.n_cpus = Some(n)),
            TIME_SHIFT => {
                self.has_time_shift = true;
                Some(())
            }
            TSC2NSEC => {
                let (mult, shift) = (order.u32(data, 0), order.u32(data, 4));
                let offset = order.uint(data, 8, 8);
                mult.zip(shift).zip(offset).map(|((mult, shift), offset)| self.tsc = Some((mult, shift, offset)))
            }
            BUFFER if version == 6 => self.instance_6(data, order),
            _ => Some(()),
        };
        taken.is_some()
    }

    /// The release alone, where nothing else of the machine is known.
    pub(super) fn set_release(&mut self, release: &[u8]) {
        if !release.is_empty() {
            self.uname = [b"Linux ", release, b" ?"].concat();
        }
    }

    fn instance_6(&mut self, data: &[u8], order: Order) -> Option<()> {
        let mut cursor = Cursor::new(&data, order, 0, u64::MAX);
        let offset = cursor.u64().ok()?;
        self.instances_6.push((offset, cursor.cstr(MAX_NAME).ok()?));
        Some(())
    }

    /// `CPU: 0` and the lines of `stats`; `Buffer: NAME` before those of an instance.
    fn statistics(&mut self, text: &[u8]) -> Option<()> {
        for line in Lines::new(text) {
            let value = |key: &str| {
                let rest = line.bytes.strip_prefix(key.as_bytes())?;
                decimal(trim(rest)).ok().map(|(_, value)| value)
            };
            if let Some(name) = line.bytes.strip_prefix(b"Buffer: ") {
                self.stats_of = trim(name).to_vec();
            } else if let Some(cpu) = value("CPU:") {
                if MAX_STATS <= self.stats.len() {
                    return None;
                }
                let cpu = u32::try_from(cpu).ok()?;
                self.stats.push(CpuStat { instance: self.stats_of.clone(), cpu, ..CpuStat::default() });
            } else if let Some(stat) = self.stats.last_mut() {
                if let Some(n) = value("overrun:") {
                    stat.overrun = n;
                } else if let Some(n) = value("commit overrun:") {
                    stat.commit_overrun = n;
                } else if let Some(n) = value("dropped events:") {
                    stat.dropped = n;
                }
            }
        }
        Some(())
    }

    /// Writes down what others may want to know.
    pub(super) fn tell(&mut self, facts: &mut Facts) {
        facts.uname = std::mem::take(&mut self.uname);
        facts.recorder = std::mem::take(&mut self.recorder);
        facts.stats = std::mem::take(&mut self.stats);
        facts.offset_ns = self.date_ns.wrapping_add(self.offset_ns);
        facts.n_cpus = self.n_cpus.unwrap_or(facts.n_cpus);
    }

    /// How stamps of a clock become times.
    pub(super) fn clock_of(&self, name: &[u8]) -> Clock {
        let add = self.date_ns.wrapping_add(self.offset_ns);
        match (name, self.tsc) {
            (b"" | b"local" | b"global" | b"perf" | b"mono" | b"mono_raw" | b"boot" | b"tai", _) => Clock::Nanos(add),
            (b"x86-tsc" | b"tsc2nsec", Some((mult, shift, offset))) => Clock::Tsc { mult, shift, offset, add },
            _ => Clock::Ticks,
        }
    }
}

/// `0x660cf4d2cd35d`
fn hexadecimal(text: &[u8]) -> Option<u64> {
    hex(text.strip_prefix(b"0x").unwrap_or(text)).ok().map(|(_, value)| value)
}

/// The chosen word of `local [global] counter`; the whole if nothing is in brackets.
pub(super) fn bracketed(text: &[u8]) -> Option<&[u8]> {
    match memchr::memchr(b'[', text) {
        Some(at) => {
            let inside = after(text, at + 1);
            Some(upto(inside, memchr::memchr(b']', inside)?))
        }
        None => Some(trim(text)).filter(|name| !name.is_empty() && !name.contains(&b' ')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: Order = Order { is_big: false };

    #[test]
    fn clocks_and_offsets() {
        let mut options = Options::default();
        assert!(options.take(TRACECLOCK, b"local global [mono] boot\0", ORDER, 7));
        assert_eq!(options.clock, b"mono");
        assert!(options.take(DATE, b"0x660cf4d2cd35d\0", ORDER, 7));
        assert!(options.take(OFFSET, b"-5\0", ORDER, 7));
        assert_eq!(options.clock_of(b"mono"), Clock::Nanos(0x6_60cf_4d2c_d35d * 1000 - 5));
        assert_eq!(options.clock_of(b"x86-tsc"), Clock::Ticks);
        assert!(!options.take(OFFSET, b"x\0", ORDER, 7));
        assert!(options.take(TSC2NSEC, &[2, 0, 0, 0, 1, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0], ORDER, 7));
        let Clock::Tsc { mult: 2, shift: 1, offset: 10, add } = options.clock_of(b"x86-tsc") else {
            panic!("not a tsc")
        };
        assert_eq!(Clock::Tsc { mult: 2, shift: 1, offset: 10, add: 0 }.time(110), 100);
        assert_eq!(add, options.date_ns - 5);
    }

    #[test]
    fn statistics_of_every_cpu_and_instance() {
        let mut options = Options::default();
        let text = "CPU: 1\nentries: 0\noverrun: 2206\ncommit overrun: 3\nbytes: 0\ndropped events: 4\n";
        assert!(options.take(CPUSTAT, text.as_bytes(), ORDER, 7));
        assert!(options.take(CPUSTAT, b"\nBuffer: inst1\n\n\0", ORDER, 7));
        assert!(options.take(CPUSTAT, b"CPU: 0\noverrun: 7\n", ORDER, 7));
        let mut facts = Facts::default();
        options.tell(&mut facts);
        let main = CpuStat { cpu: 1, overrun: 2206, commit_overrun: 3, dropped: 4, ..CpuStat::default() };
        let other = CpuStat { instance: b"inst1".to_vec(), overrun: 7, ..CpuStat::default() };
        assert_eq!(facts.stats, [main, other]);
    }
}
