//! [`Changes`]: what is changed about the machine of a trace. [`CHANGES`] is the table of them.

use std::fmt;

use super::spec::SpecError;
use crate::log::Window;
use crate::log::size::{parse_bytes, parse_page_size, parse_range, write_bytes};

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
    clear: fn(&mut Changes),
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
                Range::Bytes(bytes) => write_bytes(bytes),
            })
        },
        clear: |changes| changes.range = None,
    },
    ChangeRow {
        word: "cpus",
        value: "N",
        help: "CPUs: the limit of lazy pages, and the nodes of 6.9 and later",
        set: |changes, text| count_of(text, 65_536).map(|value| changes.cpus = Some(value)),
        get: |changes| changes.cpus.map(|n| n.to_string()),
        clear: |changes| changes.cpus = None,
    },
    ChangeRow {
        word: "nodes",
        value: "N",
        help: "allocator nodes of 6.9 and later; 1 has no pools",
        set: |changes, text| count_of(text, 128).map(|value| changes.nodes = Some(value)),
        get: |changes| changes.nodes.map(|n| n.to_string()),
        clear: |changes| changes.nodes = None,
    },
    ChangeRow {
        word: "lazy-max",
        value: "SIZE",
        help: "what may be freed and not purged, as bytes or with K, M, G behind",
        set: |changes, text| size_of_text(text).map(|value| changes.lazy_max_bytes = Some(value)),
        get: |changes| changes.lazy_max_bytes.map(write_bytes),
        clear: |changes| changes.lazy_max_bytes = None,
    },
    ChangeRow {
        word: "page-size",
        value: "N",
        help: "bytes in a page; requests are rounded up",
        set: |changes, text| parse_page_size(text).map(|value| changes.page_size = Some(value)),
        get: |changes| changes.page_size.map(write_bytes),
        clear: |changes| changes.page_size = None,
    },
    ChangeRow {
        word: "levels",
        value: "N",
        help: "page-table levels",
        set: |changes, text| count_of(text, 5).map(|value| changes.levels = Some(value)),
        get: |changes| changes.levels.map(|n| n.to_string()),
        clear: |changes| changes.levels = None,
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
        clear: |changes| changes.guard = None,
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
        clear: |changes| changes.seed = None,
    },
];

impl Changes {
    /// Sets one of them by its word.
    ///
    /// # Errors
    /// There is no such change, or the value makes no sense.
    pub fn set(&mut self, word: &str, value: &str) -> Result<(), SpecError> {
        let row = row(word).ok_or_else(|| SpecError::UnknownChange { word: word.to_owned() })?;
        (row.set)(self, value).map_err(|what| SpecError::BadValue { word: word.to_owned(), what })
    }

    /// Leaves one of them as it is.
    pub fn clear(&mut self, word: &str) {
        if let Some(row) = row(word) {
            (row.clear)(self);
        }
    }

    /// One of them as it can be typed; `None` if it is left as it is.
    pub fn get(&self, word: &str) -> Option<String> {
        (row(word)?.get)(self)
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

fn row(word: &str) -> Option<&'static ChangeRow> {
    CHANGES.iter().find(|row| row.word == word)
}

fn count_of(text: &str, most: u32) -> Result<u32, String> {
    let number: u32 = text.parse().map_err(|_| "a number is wanted".to_owned())?;
    if (1..=most).contains(&number) { Ok(number) } else { Err(format!("1 to {most} is wanted")) }
}

fn size_of_text(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    if bytes > 0 { Ok(bytes) } else { Err("more than nothing is wanted".to_owned()) }
}

fn range_of(text: &str) -> Result<Range, String> {
    if text.contains('-') { parse_range(text).map(Range::Is) } else { size_of_text(text).map(Range::Bytes) }
}
