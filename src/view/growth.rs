//! Growth in words: what a verdict rests on, signed sizes, rates, a curve of one line.

use super::text::{bytes, count, plural};
use super::{Glyphs, text};
use crate::insight::{Growth, Measure, Verdict};

/// Seconds in an hour.
const HOUR: f64 = 3600.0;

/// A figure of a measure with its unit.
pub fn figure(measure: Measure, n: u64) -> String {
    match measure {
        Measure::Virtual => bytes(n),
        Measure::Pages => plural(n, "page", "pages"),
        Measure::Areas => plural(n, "area", "areas"),
    }
}

/// A difference, always with its sign: `+1.2 MiB`, `-3`, `0`. Counts go without their noun.
pub fn signed(measure: Measure, n: i128) -> String {
    let size = u64::try_from(n.unsigned_abs()).unwrap_or(u64::MAX);
    let size = if measure == Measure::Virtual { bytes(size) } else { count(size) };
    match n {
        0 => "0".to_owned(),
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}

/// Growth in a second, told by the hour: `+1.2 MiB/h`.
pub fn rate(measure: Measure, per_second: f64) -> String {
    format!("{}/h", signed(measure, (per_second * HOUR) as i128))
}

/// What a verdict rests on, as the end of a sentence.
pub fn reason(verdict: &Verdict, measure: Measure) -> String {
    let figure = |n: u64| figure(measure, n);
    match *verdict {
        Verdict::Steady => "the same in every snapshot".to_owned(),
        Verdict::Grows { from, to, rises, parts } => format!(
            "the lowest value of each of {parts} parts rises at {rises} of {} seams, from {} to {}",
            parts - 1,
            figure(from),
            figure(to)
        ),
        Verdict::Plateau { from, to } => {
            format!("from at most {} to at least {}, and did not come back", figure(from), figure(to))
        }
        Verdict::Sawtooth { low, high, falls } => {
            let falls = match falls {
                0 => "without a trend".to_owned(),
                n => format!("with {} by half of that or more", plural(n as u64, "fall", "falls")),
            };
            format!("up and down between {} and {}, {falls}", figure(low), figure(high))
        }
        Verdict::Shrinks { from, to } => format!("from {} to {}", figure(from), figure(to)),
        Verdict::New { at } => format!("first seen in snapshot {}", at + 1),
        Verdict::Gone { at } => format!("not seen from snapshot {} on", at + 1),
        Verdict::TooFew { rises: 0, falls: 0 } => "one snapshot tells no change".to_owned(),
        Verdict::TooFew { rises, falls } => {
            format!("{rises} up, {falls} down: five snapshots or more show whether it goes on")
        }
    }
}

/// The words of a row: who, what it does, how fast, why.
pub fn sentence(row: &Growth, measure: Measure) -> String {
    let rate = row.per_second.filter(|_| row.verdict != Verdict::Steady).map(|per_second| rate(measure, per_second));
    let rate = rate.map_or_else(String::new, |rate| format!(", {rate}"));
    format!("{}: {}{rate}: {}", row.key.name(), row.verdict.word(), reason(&row.verdict, measure))
}

/// A curve of one line, from the lowest value to the highest.
pub fn sparkline(values: &[u64], glyphs: &Glyphs) -> String {
    let (low, high) = (values.iter().min().copied().unwrap_or(0), values.iter().max().copied().unwrap_or(0));
    let steps = glyphs.bars.len() as u128 - 1;
    let bar = |value: u64| {
        let place = if low == high { 0 } else { u128::from(value - low) * steps / u128::from(high - low) };
        glyphs.bars[place as usize]
    };
    values.iter().map(|value| bar(*value)).collect()
}

/// A name of at most `room` columns.
pub fn clipped(name: &str, room: usize, glyphs: &Glyphs) -> String {
    text::clip(name, room, glyphs).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::UNICODE;
    use super::*;

    #[test]
    fn differences_have_signs() {
        assert_eq!(signed(Measure::Virtual, 1 << 20), "+1 MiB");
        assert_eq!(signed(Measure::Virtual, -4096), "-4 KiB");
        assert_eq!(signed(Measure::Areas, 1234), "+1,234");
        assert_eq!(signed(Measure::Areas, 0), "0");
        assert_eq!(rate(Measure::Virtual, 1024.0), "+3.5 MiB/h");
    }

    #[test]
    fn a_curve_goes_from_its_lowest_to_its_highest() {
        assert_eq!(sparkline(&[1, 2, 3, 4, 5, 6, 7, 8], &UNICODE), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[7, 7], &UNICODE), "▁▁");
        assert_eq!(sparkline(&[], &UNICODE), "");
        assert_eq!(sparkline(&[0, u64::MAX], &UNICODE), "▁█");
    }
}
