//! [`Extent`]: a half-open range of addresses, never empty, and how a placement sits in it.

use std::fmt;

/// `[start, end)`, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent {
    start: u64,
    end: u64,
}

impl Extent {
    /// `None` if the range is empty or turned round.
    pub fn new(start: u64, end: u64) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// `size` bytes from `start`; `None` if empty or past the end of the address space.
    pub fn sized(start: u64, size: u64) -> Option<Self> {
        Self::new(start, start.checked_add(size)?)
    }

    /// First address.
    pub fn start(self) -> u64 {
        self.start
    }

    /// First address after the range.
    pub fn end(self) -> u64 {
        self.end
    }

    /// Bytes in the range; never 0.
    pub fn len_bytes(self) -> u64 {
        self.end - self.start
    }

    /// Do the two share an address?
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// Does `other` lie wholly inside?
    pub fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Is `addr` inside?
    pub fn contains_addr(self, addr: u64) -> bool {
        self.start <= addr && addr < self.end
    }

    /// The part both have in common.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:016x}-0x{:016x}", self.start, self.end)
    }
}

/// How a placement sits in its hole (the kernel's `FL_FIT_TYPE`, `LE_…`, `RE_…`, `NE_FIT_TYPE`).
///
/// ```text
///   Full |#####|   LeftEdge |##...|   RightEdge |...##|   NoEdge |.##..|
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fit {
    /// The hole is used up: its node leaves the tree.
    Full,
    /// The hole loses its lower part.
    LeftEdge,
    /// The hole loses its upper part.
    RightEdge,
    /// The hole is cut in two: a new node takes the lower rest.
    NoEdge,
}

impl Fit {
    /// The words the house uses.
    pub fn title(self) -> &'static str {
        match self {
            Self::Full => "full fit",
            Self::LeftEdge => "left edge",
            Self::RightEdge => "right edge",
            Self::NoEdge => "no edge",
        }
    }

    /// The kernel's name for the case.
    pub fn kernel_name(self) -> &'static str {
        match self {
            Self::Full => "FL_FIT_TYPE",
            Self::LeftEdge => "LE_FIT_TYPE",
            Self::RightEdge => "RE_FIT_TYPE",
            Self::NoEdge => "NE_FIT_TYPE",
        }
    }
}

/// Names the case; `None` if `placed` leaves the hole. As `classify_va_fit_type`, 5.2 and later.
pub fn fit_of(hole: Extent, placed: Extent) -> Option<Fit> {
    if !hole.contains(placed) {
        return None;
    }
    Some(match (hole.start() == placed.start(), hole.end() == placed.end()) {
        (true, true) => Fit::Full,
        (true, false) => Fit::LeftEdge,
        (false, true) => Fit::RightEdge,
        (false, false) => Fit::NoEdge,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(start: u64, end: u64) -> Extent {
        Extent::new(start, end).expect("not empty")
    }

    #[test]
    fn the_four_fits_and_the_misfit() {
        let hole = extent(10, 20);
        let cases = [
            ((10, 20), Some(Fit::Full)),
            ((10, 15), Some(Fit::LeftEdge)),
            ((15, 20), Some(Fit::RightEdge)),
            ((12, 18), Some(Fit::NoEdge)),
            ((5, 12), None),
            ((15, 21), None),
        ];
        for ((start, end), fit) in cases {
            assert_eq!(fit_of(hole, extent(start, end)), fit, "{start}-{end}");
        }
    }

    #[test]
    fn empty_and_wrapping_extents_do_not_exist() {
        assert_eq!(Extent::new(5, 5), None);
        assert_eq!(Extent::new(6, 5), None);
        assert_eq!(Extent::sized(u64::MAX, 2), None);
        assert_eq!(Extent::sized(4, 0), None);
    }
}
