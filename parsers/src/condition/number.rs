//! [`Number`]: what a figure is compared with, exactly as it was typed: a decimal number and a unit.

use std::fmt;

use super::Measure;

/// Digits behind the point that count.
const FRACTION_DIGITS: usize = 9;
/// One, in the parts a fraction is kept in.
const ONE: u128 = 1_000_000_000;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Nothing was said.
    None,
    /// Bytes, as a power of 1024.
    Bytes(u32),
    /// Pages.
    Pages,
    /// Hundredths.
    Percent,
    /// Nanoseconds, as a factor.
    Time(u64),
}

/// How units are typed; the first spelling of each is the one that is printed.
const UNITS: &[(&str, Unit)] = &[
    ("B", Unit::Bytes(0)),
    ("K", Unit::Bytes(1)),
    ("KB", Unit::Bytes(1)),
    ("KiB", Unit::Bytes(1)),
    ("M", Unit::Bytes(2)),
    ("MB", Unit::Bytes(2)),
    ("MiB", Unit::Bytes(2)),
    ("G", Unit::Bytes(3)),
    ("GB", Unit::Bytes(3)),
    ("GiB", Unit::Bytes(3)),
    ("T", Unit::Bytes(4)),
    ("TB", Unit::Bytes(4)),
    ("TiB", Unit::Bytes(4)),
    ("pages", Unit::Pages),
    ("page", Unit::Pages),
    ("%", Unit::Percent),
    ("ns", Unit::Time(1)),
    ("us", Unit::Time(1_000)),
    ("ms", Unit::Time(1_000_000)),
    ("s", Unit::Time(1_000_000_000)),
    ("min", Unit::Time(60_000_000_000)),
];

impl Unit {
    /// Reads a unit; capitals do not count.
    pub(super) fn named(text: &str) -> Option<Self> {
        UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|&(_, unit)| unit)
    }

    fn name(self) -> &'static str {
        UNITS.iter().find(|&&(_, unit)| unit == self).map_or("", |&(name, _)| name)
    }

    /// The units that fit a measure, for a sentence.
    pub(super) fn of(measure: Measure) -> &'static str {
        match measure {
            Measure::Bytes | Measure::Pages => "B K M G T pages",
            Measure::Count => "none",
            Measure::Share => "%, or none for 0 to 1",
            Measure::Time => "ns us ms s min",
        }
    }

    pub(super) fn fits(self, measure: Measure) -> bool {
        match self {
            Self::None => true,
            Self::Bytes(_) | Self::Pages => matches!(measure, Measure::Bytes | Measure::Pages),
            Self::Percent => measure == Measure::Share,
            Self::Time(_) => measure == Measure::Time,
        }
    }
}

/// A decimal number and its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    /// What stands before the point.
    pub whole: u64,
    /// What stands behind it, in billionths.
    pub billionths: u32,
    /// Its unit.
    pub unit: Unit,
}

impl Number {
    /// Digits before and behind the point; `None` if there are too many of them.
    pub(super) fn of_digits(whole: &str, fraction: &str, unit: Unit) -> Option<Self> {
        let digits = |text: &str| text.bytes().filter(|&byte| byte != b'_').collect::<Vec<u8>>();
        let mut value = 0_u64;
        for digit in digits(whole) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        let mut billionths = 0_u32;
        let behind = digits(fraction);
        for place in 0..FRACTION_DIGITS {
            billionths = billionths * 10 + behind.get(place).map_or(0, |digit| u32::from(digit - b'0'));
        }
        // More digits would be lost.
        let is_exact = behind.iter().skip(FRACTION_DIGITS).all(|&digit| digit == b'0');
        is_exact.then_some(Self { whole: value, billionths, unit })
    }

    /// The number in billionths of what `measure` counts, so that a value `v` is compared as `v * 1,000,000,000`. It
    /// ends at the greatest there is. `page_size` is in bytes.
    pub fn billionths_of(self, measure: Measure, page_size: u64) -> u128 {
        let page_size = u128::from(page_size.max(1));
        let parts = u128::from(self.whole) * ONE + u128::from(self.billionths);
        let (factor, divisor) = match (self.unit, measure) {
            (Unit::Bytes(power), Measure::Pages) => (1_u128 << (10 * power), page_size),
            (Unit::Bytes(power), _) => (1 << (10 * power), 1),
            (Unit::Pages, Measure::Bytes) => (page_size, 1),
            (Unit::Percent, _) => (1, 100),
            (Unit::Time(nanos), _) => (u128::from(nanos), 1),
            (Unit::None, Measure::Time) => (ONE, 1),
            (Unit::None | Unit::Pages, _) => (1, 1),
        };
        parts.saturating_mul(factor) / divisor
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.whole)?;
        if self.billionths > 0 {
            write!(f, ".{}", format!("{:09}", self.billionths).trim_end_matches('0'))?;
        }
        match self.unit {
            Unit::Pages => f.write_str(" pages"),
            unit => f.write_str(unit.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        let number = |whole, fraction, unit| Number::of_digits(whole, fraction, unit);
        let half = number("1", "5", Unit::Bytes(2)).unwrap();
        assert_eq!(half.billionths_of(Measure::Bytes, 4096), 1_572_864 * ONE);
        assert_eq!(half.billionths_of(Measure::Pages, 4096), 384 * ONE);
        assert_eq!(half.to_string(), "1.5M");
        let pages = number("3", "", Unit::Pages).unwrap();
        assert_eq!(pages.billionths_of(Measure::Bytes, 65_536), 196_608 * ONE);
        assert_eq!(number("50", "", Unit::Percent).unwrap().billionths_of(Measure::Share, 1), ONE / 2);
        assert_eq!(number("2", "", Unit::None).unwrap().billionths_of(Measure::Time, 1), 2 * ONE * ONE);
        assert_eq!(number("99999999999999999999", "", Unit::None), None);
        assert_eq!(number("0", "1234567891", Unit::None), None);
        assert_eq!(number("0", "1000000000000", Unit::None).unwrap().billionths, 100_000_000);
        let most = number("18446744073709551615", "999999999", Unit::Bytes(4)).unwrap();
        assert!(most.billionths_of(Measure::Bytes, u64::MAX) > u128::from(u64::MAX) * ONE);
    }
}
