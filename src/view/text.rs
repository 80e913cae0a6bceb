//! How numbers, addresses, times and other people's bytes are written.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Glyphs;
pub use crate::log::escape;

use crate::event::{Event, Nanos};
use crate::log::{Clock, Log, Task};

/// Units of bytes, largest first, with the letter used where room is short.
const UNITS: [(u64, &str, &str); 6] = [
    (1 << 60, "EiB", "E"),
    (1 << 50, "PiB", "P"),
    (1 << 40, "TiB", "T"),
    (1 << 30, "GiB", "G"),
    (1 << 20, "MiB", "M"),
    (1 << 10, "KiB", "K"),
];

/// Bytes in the largest unit that leaves a whole part: `20 KiB`, `6.4 MiB`, `31.9 TiB`. Rounded down, so that a part is
/// never shown as the whole.
pub fn bytes(n: u64) -> String {
    in_unit(n).map_or_else(|| format!("{n} B"), |(number, unit, _)| format!("{number} {unit}"))
}

/// The same without a space and with one letter: `20K`, `31.9T`.
pub fn bytes_short(n: u64) -> String {
    in_unit(n).map_or_else(|| format!("{n}"), |(number, _, letter)| format!("{number}{letter}"))
}

fn in_unit(n: u64) -> Option<(String, &'static str, &'static str)> {
    let &(unit, name, letter) = UNITS.iter().find(|(unit, _, _)| n >= *unit)?;
    let (whole, rest) = (n / unit, n % unit);
    // Ten times the rest fits: the rest is below 2^60.
    let tenth = rest * 10 / unit;
    let number = if rest == 0 || whole >= 100 { count(whole) } else { format!("{whole}.{tenth}") };
    Some((number, name, letter))
}

/// A count with thousands separators: `36,863`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 area`, `3 areas`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// An address in full: `0x` and sixteen digits, or eight on a 32-bit kernel.
pub fn addr(a: u64, is_32_bit: bool) -> String {
    if is_32_bit { format!("0x{a:08x}") } else { format!("0x{a:016x}") }
}

/// Columns of an address in full.
pub fn addr_width(is_32_bit: bool) -> usize {
    if is_32_bit { 10 } else { 18 }
}

/// Hex digits below the digits that `a` and `base` have in common from the top.
fn differing_digits(a: u64, base: u64) -> usize {
    16 - ((a ^ base).leading_zeros() as usize / 4)
}

/// An address of a 32-bit kernel.
fn is_narrow(a: u64) -> bool {
    u32::try_from(a).is_ok()
}

/// Writes addresses of one stretch short, yet so that no two of different ranges look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    base: u64,
    digits: usize,
    ellipsis: char,
}

impl Addresses {
    /// Addresses near `[base, top]` are told apart by the digits in which the two ends differ, six at least.
    pub fn between(base: u64, top: u64, glyphs: &Glyphs) -> Self {
        // A 32-bit address is short enough as it is.
        let digits = if is_narrow(base) && is_narrow(top) { 8 } else { differing_digits(top, base).max(6) };
        Self { base, digits, ellipsis: glyphs.ellipsis }
    }

    /// Columns of a short address of the stretch.
    pub fn width(&self) -> usize {
        (self.digits + 1).max(if is_narrow(self.base) { 10 } else { 0 })
    }

    /// `…5b8000`; an address outside the stretch gets as many digits as it takes to see that.
    pub fn short(&self, a: u64) -> String {
        let digits = differing_digits(a, self.base).max(self.digits);
        if is_narrow(self.base) && is_narrow(a) {
            return addr(a, true);
        }
        // Nothing is left out: zeros in front would say nothing.
        if digits >= 16 {
            return format!("0x{a:x}");
        }
        let shown = a & ((1_u64 << (4 * digits)) - 1);
        format!("{}{shown:0digits$x}", self.ellipsis)
    }
}

/// A length of time: `4.1 s`, `87 ms`, `312 µs` (`us` in ASCII).
pub fn duration(nanos: u64, glyphs: &Glyphs) -> String {
    let micro = if glyphs.ascii { "us" } else { "µs" };
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} {micro}", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        1_000_000_000..60_000_000_000 => format!("{}.{} s", nanos / 1_000_000_000, nanos / 100_000_000 % 10),
        _ => format!("{} min {} s", count(nanos / 60_000_000_000), nanos / 1_000_000_000 % 60),
    }
}

/// The time between two stamps in words of the log's clock.
pub fn between(log: &Log, from: Nanos, to: Nanos, glyphs: &Glyphs) -> String {
    let apart = to.0.abs_diff(from.0);
    match log.origin.clock {
        Clock::Nanos => duration(apart, glyphs),
        Clock::Ticks => format!("{} ticks", count(apart)),
        Clock::None if log.script.is_some() => plural(apart, "op", "ops"),
        Clock::None => plural(apart, "record", "records"),
    }
}

/// A stamp as a number people compare: seconds with six places, or plain ticks.
pub fn stamp(log: &Log, at: Nanos) -> String {
    match log.origin.clock {
        Clock::Nanos => format!("{}.{:06}", at.0 / 1_000_000_000, at.0 / 1_000 % 1_000_000),
        Clock::Ticks | Clock::None => count(at.0),
    }
}

/// A stamp with its unit.
pub fn time(log: &Log, at: Nanos) -> String {
    match log.origin.clock {
        Clock::Nanos => format!("{} s", stamp(log, at)),
        Clock::Ticks => format!("tick {}", stamp(log, at)),
        Clock::None => String::new(),
    }
}

/// `comm-pid`, the name made harmless; what of it is not told is left out.
pub fn task(task: &Task) -> String {
    match (&task.comm[..], task.pid) {
        (b"" | UNTOLD, ..=-1) => "an unnamed task".to_owned(),
        (b"", pid) => format!("task {pid}"),
        (comm, ..=-1) => escape(comm),
        (comm, pid) => format!("{}-{pid}", escape(comm)),
    }
}

/// Whose an area is, where only tasks are known.
pub fn holder(task: &Task) -> String {
    if matches!(&task.comm[..], b"" | UNTOLD) {
        "unnamed tasks".to_owned()
    } else {
        format!("task {}", escape(&task.comm))
    }
}

/// What a trace prints for a name it does not know.
const UNTOLD: &[u8] = b"<...>";

/// ` on CPU 3`, or nothing where the input does not tell.
pub fn on_cpu(event: &Event) -> String {
    event.known_cpu().map_or_else(String::new, |cpu| format!(" on CPU {cpu}"))
}

/// Columns a text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Text of at most `room` columns that keeps its end; what was left out in front is an ellipsis. For addresses, whose
/// characters are one column each.
pub fn clip_front<'a>(text: &'a str, room: usize, glyphs: &Glyphs) -> Cow<'a, str> {
    let n = text.chars().count();
    if n <= room {
        return Cow::Borrowed(text);
    }
    let Some(kept) = room.checked_sub(1) else { return Cow::Borrowed("") };
    let end: String = text.chars().skip(n - kept).collect();
    Cow::Owned(format!("{}{end}", glyphs.ellipsis))
}

/// At most `room` columns of a text, the last an ellipsis if something is left out.
pub fn clip<'a>(text: &'a str, room: usize, glyphs: &Glyphs) -> Cow<'a, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    if room == 0 {
        return Cow::Borrowed("");
    }
    let mut used = 0;
    let mut clipped = String::new();
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > room - 1 {
            break;
        }
        used += wide;
        clipped.push(c);
    }
    clipped.push(glyphs.ellipsis);
    Cow::Owned(clipped)
}

#[cfg(test)]
mod tests {
    use super::super::{ASCII, UNICODE};
    use super::*;

    #[test]
    fn bytes_read_well() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (4096, "4 KiB"),
            (20_480, "20 KiB"),
            (6_710_886, "6.3 MiB"),
            ((32 << 40) - 1, "31.9 TiB"),
            (32 << 40, "32 TiB"),
            (u64::MAX, "15.9 EiB"),
        ];
        for (n, expected) in cases {
            assert_eq!(bytes(n), expected);
        }
        assert_eq!(bytes_short(12_288), "12K");
    }

    #[test]
    fn counts_and_times() {
        assert_eq!(count(36_863), "36,863");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(duration(4_100_000_000, &UNICODE), "4.1 s");
        assert_eq!(duration(312_000, &ASCII), "312 us");
    }

    #[test]
    fn short_addresses_stay_unique() {
        let base = 0xffff_c900_0000_0000;
        let short = Addresses::between(base, base + (6 << 20), &UNICODE);
        assert_eq!(short.short(base + 0x5b_8000), "…5b8000");
        assert_eq!(short.short(0xffff_e8ff_ffc0_0000), "…e8ffffc00000");
        assert_eq!(short.short(0x1000), "0x1000");
        let narrow = Addresses::between(0xe080_0000, 0xe0ff_ffff, &UNICODE);
        assert_eq!(narrow.short(0xe080_3000), "0xe0803000");
        assert_eq!(narrow.short(0x1000), "0x00001000");
        assert_eq!(addr(0xfcbf_e000, true), "0xfcbfe000");
        assert_eq!(addr(0xfcbf_e000, false), "0x00000000fcbfe000");
    }

    #[test]
    fn clipping_counts_columns() {
        assert_eq!(clip_front("…d90000017000", 9, &UNICODE), "…00017000");
        assert_eq!(clip_front("…5b8000", 7, &UNICODE), "…5b8000");
        assert_eq!(clip_front("…5b8000", 0, &UNICODE), "");
        assert_eq!(clip("kworker", 7, &UNICODE), "kworker");
        assert_eq!(clip("kworker/0:1", 7, &UNICODE), "kworke…");
        assert_eq!(clip("日本語", 4, &UNICODE), "日…");
        assert_eq!(clip("abc", 0, &UNICODE), "");
    }
}
