//! The axis at the bottom.

use std::fmt::Write as _;

use crate::view::text::count;

/// Marks at round values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Nanoseconds; else records.
    pub(super) is_time: bool,
}

/// Marks at most.
const MAX_TICKS: u64 = 8;

impl Ticks {
    /// One, two or five times a power of ten, so that there are few enough of them.
    fn step(&self) -> u64 {
        let room = (self.last - self.first) / MAX_TICKS;
        let mut power = 1_u64;
        loop {
            for times in [1, 2, 5] {
                let step = power.saturating_mul(times);
                if room < step {
                    return step;
                }
            }
            power = power.saturating_mul(10);
        }
    }

    pub(super) fn draw(&self, (left, top): (usize, usize), columns: usize, text: u32, out: &mut String) {
        let step = self.step();
        let mut at = self.first.div_ceil(step) * step;
        let mut marks = String::new();
        while at <= self.last {
            let done = u128::from(at - self.first) * columns as u128 / u128::from((self.last - self.first).max(1));
            let x = left + done as usize;
            // Writing to a string cannot fail.
            let _ = write!(marks, "M{x} {top}v6");
            let _ = writeln!(
                out,
                "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                top + 20,
                self.label(at, step)
            );
            let Some(next) = at.checked_add(step) else { break };
            at = next;
        }
        let what = if self.is_time { "seconds of the trace's clock" } else { "records" };
        let _ = writeln!(
            out,
            "<path fill=\"none\" stroke=\"#{text:06x}\" d=\"M{left} {top}h{columns}{marks}\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{what}</text>",
            left + columns / 2,
            top + 42
        );
    }

    fn label(&self, at: u64, step: u64) -> String {
        if !self.is_time {
            return count(at);
        }
        // As many places as the step needs.
        let places = (0..=9_u32).find(|&places| step.is_multiple_of(10_u64.pow(9 - places))).unwrap_or(9);
        let whole = at / 1_000_000_000;
        if places == 0 {
            return whole.to_string();
        }
        let part = at % 1_000_000_000 / 10_u64.pow(9 - places);
        format!("{whole}.{part:0width$}", width = places as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_few() {
        let ticks = Ticks { first: 0, last: 60_000_000_000, is_time: true };
        assert_eq!(ticks.step(), 10_000_000_000);
        assert_eq!(ticks.label(20_000_000_000, ticks.step()), "20");
        let short = Ticks { first: 5_463_743_000, last: 5_463_800_000, is_time: true };
        assert_eq!(short.step(), 10_000);
        assert_eq!(short.label(5_463_750_000, short.step()), "5.46375");
        let records = Ticks { first: 0, last: 1, is_time: false };
        assert_eq!(records.step(), 1);
        let all = Ticks { first: 0, last: u64::MAX, is_time: true };
        assert!((u64::MAX / all.step()) <= 10);
    }
}
