//! [`Changes`]: what is changed about the machine of a trace. [`CHANGES`] is the table of them.

use std::fmt;

use super::spec::SpecError;
use crate::log::Window;

/// What is changed about the machine of a trace; `None` leaves it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Changes {
    /// The vmalloc range. Requests for the whole of it ask for this one; areas in use before the trace stay.
    pub range: Option<Range>,
    /// CPUs, possible and online: the limit of lazy pages, and from 6.9 on the nodes.
    pub cpus: Option<u32>,
    /// Allocator nodes (6.9 and later), where they are not as many as CPUs.
    pub nodes: Option<u32>,
    /// Pages that may be freed and not purged, in bytes.
    pub lazy_max_bytes: Option<u64>,
    /// Bytes in a page. Requests are rounded up to whole pages and one guard page.
    pub page_size: Option<u64>,
    /// Page-table levels.
    pub levels: Option<u32>,
    /// What becomes of guard pages.
    pub guard: Option<Guard>,
    /// What randomised placement begins with.
    pub seed: Option<u64>,
}

/// Another vmalloc range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// From where to where.
    Is(Window),
    /// So many bytes from where it begins.
    Bytes(u64),
}

/// Where the guard page of an area is. The size of a request has a page for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Inside the area, as the kernel has it.
    Inside,
    /// Nowhere: a request for more than a page asks for one page less.
    None,
    /// In what a block has left over (buddy).
    Outside,
    /// Between two neighbours, one for both (policies that are not eras).
    Shared,
}

/// The rules, as they are typed.
const GUARDS: [(&str, Guard); 4] =
    [("inside", Guard::Inside), ("none", Guard::None), ("outside", Guard::Outside), ("shared", Guard::Shared)];

impl Guard {
    /// As it is typed.
    pub fn word(self) -> &'static str {
        GUARDS.iter().find(|(_, guard)| *guard == self).map_or("", |(word, _)| word)
    }

    /// Can an era have it?
    pub fn is_of_kernel(self) -> bool {
        matches!(self, Self::Inside | Self::None)
    }
}

/// One thing that can be changed: command line, form and help go through this table.
#[derive(Debug, Clone, Copy)]
pub struct ChangeRow {
    /// As it is typed.
    pub word: &'static str,
    /// What its value looks like.
    pub value: &'static str,
    /// What it means.
    pub help: &'static str,
    set: fn(&mut Changes, &str) -> Result<(), String>,
    get: fn(&Changes) -> Option<String>,
}

/// Everything that can be changed.
pub const CHANGES: &[ChangeRow] = &[
    ChangeRow {
        word: "range",
        value: "START-END|SIZE",
        help: "the vmalloc range, as two hex addresses or as its size",
        set: |changes, text| range_of(text).map(|value| changes.range = Some(value)),
        get: |changes| {
            changes.range.map(|range| match range {
                Range::Is(window) => format!("0x{:x}-0x{:x}", window.vstart, window.vend),
                Range::Bytes(bytes) => size_text(bytes),
            })
        },
    },
    ChangeRow {
        word: "cpus",
        value: "N",
        help: "CPUs: the limit of lazy pages, and the nodes of 6.9 and later",
        set: |changes, text| count_of(text, 65_536).map(|value| changes.cpus = Some(value)),
        get: |changes| changes.cpus.map(|n| n.to_string()),
    },
    ChangeRow {
        word: "nodes",
        value: "N",
        help: "allocator nodes of 6.9 and later; 1 has no pools",
        set: |changes, text| count_of(text, 128).map(|value| changes.nodes = Some(value)),
        get: |changes| changes.nodes.map(|n| n.to_string()),
    },
    ChangeRow {
        word: "lazy-max",
        value: "SIZE",
        help: "what may be freed and not purged, as bytes or with K, M, G behind",
        set: |changes, text| size_of_text(text).map(|value| changes.lazy_max_bytes = Some(value)),
        get: |changes| changes.lazy_max_bytes.map(size_text),
    },
    ChangeRow {
        word: "page-size",
        value: "N",
        help: "bytes in a page; requests are rounded up",
        set: |changes, text| page_of(text).map(|value| changes.page_size = Some(value)),
        get: |changes| changes.page_size.map(size_text),
    },
    ChangeRow {
        word: "levels",
        value: "N",
        help: "page-table levels",
        set: |changes, text| count_of(text, 5).map(|value| changes.levels = Some(value)),
        get: |changes| changes.levels.map(|n| n.to_string()),
    },
    ChangeRow {
        word: "guard",
        value: "inside|none|outside|shared",
        help: "guard pages: inside each area or none; of policies that are no eras also outside (buddy) or shared",
        set: |changes, text| {
            let guard = GUARDS.iter().find(|(word, _)| *word == text).map(|&(_, guard)| guard);
            let guard = guard.ok_or_else(|| "inside, none, outside or shared is wanted".to_owned());
            guard.map(|value| changes.guard = Some(value))
        },
        get: |changes| changes.guard.map(|guard| guard.word().to_owned()),
    },
    ChangeRow {
        word: "seed",
        value: "N",
        help: "what randomised placement begins with",
        set: |changes, text| {
            let seed = text.parse().map_err(|_| "a number is wanted".to_owned());
            seed.map(|value| changes.seed = Some(value))
        },
        get: |changes| changes.seed.map(|seed| seed.to_string()),
    },
];

impl Changes {
    /// Sets one of them by its word.
    ///
    /// # Errors
    /// There is no such change, or the value makes no sense.
    pub fn set(&mut self, word: &str, value: &str) -> Result<(), SpecError> {
        let row = CHANGES.iter().find(|row| row.word == word);
        let row = row.ok_or_else(|| SpecError::UnknownChange { word: word.to_owned() })?;
        (row.set)(self, value).map_err(|what| SpecError::BadValue { word: word.to_owned(), what })
    }

    /// These, and `others` where these say nothing.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            range: self.range.or(others.range),
            cpus: self.cpus.or(others.cpus),
            nodes: self.nodes.or(others.nodes),
            lazy_max_bytes: self.lazy_max_bytes.or(others.lazy_max_bytes),
            page_size: self.page_size.or(others.page_size),
            levels: self.levels.or(others.levels),
            guard: self.guard.or(others.guard),
            seed: self.seed.or(others.seed),
        }
    }

    /// Is nothing changed?
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// As it can be typed behind the policy: `cpus=16,lazy-max=64M`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = CHANGES.iter().filter_map(|row| Some(format!("{}={}", row.word, (row.get)(self)?)));
        f.write_str(&said.collect::<Vec<_>>().join(","))
    }
}

fn count_of(text: &str, most: u32) -> Result<u32, String> {
    let number: u32 = text.parse().map_err(|_| "a number is wanted".to_owned())?;
    if (1..=most).contains(&number) { Ok(number) } else { Err(format!("1 to {most} is wanted")) }
}

fn page_of(text: &str) -> Result<u64, String> {
    let bytes = size_of_text(text)?;
    let can_be = bytes.is_power_of_two() && (4096..=1 << 20).contains(&bytes);
    if can_be { Ok(bytes) } else { Err("no machine has pages of that size".to_owned()) }
}

fn range_of(text: &str) -> Result<Range, String> {
    let Some((start, end)) = text.split_once('-') else { return Ok(Range::Bytes(size_of_text(text)?)) };
    let hex = |part: &str| u64::from_str_radix(part.trim().trim_start_matches("0x"), 16).map_err(|e| e.to_string());
    let window = Window { vstart: hex(start)?, vend: hex(end)? };
    if window.vstart < window.vend { Ok(Range::Is(window)) } else { Err("the range is empty".to_owned()) }
}

/// Letters behind a size, with their powers of two.
const UNITS: [(&str, u32); 4] = [("T", 40), ("G", 30), ("M", 20), ("K", 10)];

fn size_of_text(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_uppercase();
    let unit = unit.trim_end_matches('B').trim_end_matches('I');
    let shift = UNITS.iter().find(|(name, _)| *name == unit).map(|&(_, shift)| shift);
    let shift = if unit.is_empty() { Some(0) } else { shift };
    let number: Option<u64> = digits.parse().ok();
    let bytes = number.zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift)).filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| "a size is a number of bytes, or one with K, M, G or T behind it".to_owned())
}

fn size_text(bytes: u64) -> String {
    let unit = UNITS.iter().find(|&&(_, shift)| bytes.is_multiple_of(1 << shift));
    unit.map_or_else(|| bytes.to_string(), |&(name, shift)| format!("{}{name}", bytes >> shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_say_what_they_are() {
        for (text, bytes) in [("1", 1), ("64K", 65_536), ("64KiB", 65_536), ("3M", 3 << 20), ("2t", 2 << 40)] {
            assert_eq!(size_of_text(text), Ok(bytes), "{text}");
            assert_eq!(size_of_text(&size_text(bytes)), Ok(bytes));
        }
    }
}
