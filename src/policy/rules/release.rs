//! [`Release`]: a kernel release, as far as the allocator cares.

use std::fmt;

/// A kernel release, as far as the allocator cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Third number of 2.4 and 2.6, where it names releases; 0 elsewhere, where it names stable updates.
    pub patch: u32,
}

impl Release {
    /// A release of two numbers.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor, patch: 0 }
    }

    /// A release of the 2.4 series.
    pub const fn of_2_4(patch: u32) -> Self {
        Self { major: 2, minor: 4, patch }
    }

    /// A release of the 2.6 series.
    pub const fn of_2_6(patch: u32) -> Self {
        Self { major: 2, minor: 6, patch }
    }

    /// Reads the numbers of a release such as `6.12.117+deb12-cloud-amd64` that count: two, of 2.4 and 2.6
    /// three.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(['.', '-', '+', '~', '_', ' ']);
        let major = numbers.next()?.parse().ok()?;
        let release = Self::new(major, leading(numbers.next()?)?);
        if release != Self::of_2_4(0) && release != Self::of_2_6(0) {
            return Some(release);
        }
        Some(Self { patch: numbers.next().and_then(leading).unwrap_or(0), ..release })
    }
}

/// "6.12rc3": the digits in front count.
fn leading(number: &str) -> Option<u32> {
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_as_people_write_them() {
        let parse = |text| Release::parse(text).map(|release| release.to_string());
        let cases = [
            ("6.12.117+deb12-cloud-amd64", Some("6.12")),
            ("7.2", Some("7.2")),
            ("6.5.0-0.deb12.4-686", Some("6.5")),
            ("6.13rc3", Some("6.13")),
            ("2.4.22", Some("2.4.22")),
            ("2.4", Some("2.4")),
            ("2.6", Some("2.6")),
            ("2.6.32-754.el6.x86_64", Some("2.6.32")),
            ("2.6.39rc1", Some("2.6.39")),
            ("six", None),
            ("6", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn releases_are_in_order() {
        let order = ["2.4.31", "2.6", "2.6.27", "2.6.28.6", "2.6.39", "3.0.101", "4.19.0", "5.2", "6.1"];
        assert!(order.map(|text| Release::parse(text).expect(text)).is_sorted());
        assert_eq!(Release::parse("6.12.117"), Release::parse("6.12"));
    }
}
