//! [`LaneSpec`]: what a lane is: a policy, and what is changed about the machine. Read from text such as
//! `linux-6.9:cpus=16,lazy-max=64M`.

use std::fmt;

use crate::log::{Log, Window};
use crate::model::page_table::{Hints, geometry_of};
use crate::policy::{self, POLICIES};
use crate::replay::{Machine, Replay};

/// The id of the lane that places areas where the trace says.
pub const RECORDED: &str = "recorded";

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

/// What becomes of the guard page at the end of an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It is inside the area, as the kernel has it.
    Inside,
    /// There is none: a request for more than a page asks for one page less.
    None,
}

/// A lane: a policy, and what is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneSpec {
    /// Id of the policy, [`RECORDED`], or `auto` for the trace's own.
    pub policy: String,
    /// What is changed for this lane.
    pub changes: Changes,
}

/// Why a text is no lane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// There is no such policy.
    #[error("no policy is called {id:?}{}", near_text(.near))]
    UnknownPolicy {
        /// What was asked for.
        id: String,
        /// Ids that may be meant.
        near: Vec<&'static str>,
    },
    /// There is no such change.
    #[error("{word:?} can not be changed")]
    UnknownChange {
        /// What was asked for.
        word: String,
    },
    /// A value makes no sense.
    #[error("{word}: {what}")]
    BadValue {
        /// Of which change.
        word: String,
        /// Why.
        what: String,
    },
}

fn near_text(near: &[&str]) -> String {
    if near.is_empty() { String::new() } else { format!("; near: {}", near.join(", ")) }
}

impl SpecError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownPolicy { .. } => {
                let ids: Vec<&str> = POLICIES.iter().map(|entry| entry.id).collect();
                format!("policies are {}, {RECORDED}, auto, or a release such as linux-6.12", ids.join(", "))
            }
            Self::UnknownChange { .. } | Self::BadValue { .. } => {
                let words: Vec<String> = CHANGES.iter().map(|row| format!("{}={}", row.word, row.value)).collect();
                format!("a lane is POLICY or POLICY:CHANGE,…; changes are {}", words.join(", "))
            }
        }
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
        set: |changes, text| Ok(changes.range = Some(range_of(text)?)),
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
        set: |changes, text| Ok(changes.cpus = Some(count_of(text, 65_536)?)),
        get: |changes| changes.cpus.map(|n| n.to_string()),
    },
    ChangeRow {
        word: "nodes",
        value: "N",
        help: "allocator nodes of 6.9 and later; 1 has no pools",
        set: |changes, text| Ok(changes.nodes = Some(count_of(text, 128)?)),
        get: |changes| changes.nodes.map(|n| n.to_string()),
    },
    ChangeRow {
        word: "lazy-max",
        value: "SIZE",
        help: "what may be freed and not purged, as bytes or with K, M, G behind",
        set: |changes, text| Ok(changes.lazy_max_bytes = Some(size_of_text(text)?)),
        get: |changes| changes.lazy_max_bytes.map(size_text),
    },
    ChangeRow {
        word: "page-size",
        value: "N",
        help: "bytes in a page; requests are rounded up",
        set: |changes, text| Ok(changes.page_size = Some(page_of(text)?)),
        get: |changes| changes.page_size.map(size_text),
    },
    ChangeRow {
        word: "levels",
        value: "N",
        help: "page-table levels",
        set: |changes, text| Ok(changes.levels = Some(count_of(text, 5)?)),
        get: |changes| changes.levels.map(|n| n.to_string()),
    },
    ChangeRow {
        word: "guard",
        value: "inside|none",
        help: "guard pages: inside each area, or none",
        set: |changes, text| {
            changes.guard = Some(match text {
                "inside" => Guard::Inside,
                "none" => Guard::None,
                _ => return Err("inside or none is wanted".to_owned()),
            });
            Ok(())
        },
        get: |changes| changes.guard.map(|guard| if guard == Guard::None { "none" } else { "inside" }.to_owned()),
    },
    ChangeRow {
        word: "seed",
        value: "N",
        help: "what randomised placement begins with",
        set: |changes, text| {
            changes.seed = Some(text.parse().map_err(|_| "a number is wanted".to_owned())?);
            Ok(())
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

impl LaneSpec {
    /// A policy with nothing changed.
    pub fn of(policy: &str) -> Self {
        Self { policy: policy.to_owned(), changes: Changes::default() }
    }

    /// Reads `POLICY` or `POLICY:CHANGE=VALUE,…`.
    ///
    /// # Errors
    /// There is no such policy or no such change, or a value makes no sense.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let (id, rest) = text.split_once(':').unwrap_or((text, ""));
        let id = id.trim();
        if id != RECORDED && id != "auto" && policy::by_id(id).is_none() {
            return Err(SpecError::UnknownPolicy { id: id.to_owned(), near: near(id) });
        }
        let mut changes = Changes::default();
        for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (word, value) = part.split_once('=').unwrap_or((part, ""));
            changes.set(word.trim(), value.trim())?;
        }
        Ok(Self { policy: id.to_owned(), changes })
    }

    /// Reads several, with a comma between them. What has `=` in it belongs to the lane before.
    ///
    /// # Errors
    /// As [`LaneSpec::parse`].
    pub fn parse_list(text: &str) -> Result<Vec<Self>, SpecError> {
        let mut lanes: Vec<String> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let goes_on = part.contains('=') && !part.contains(':');
            match lanes.last_mut().filter(|_| goes_on) {
                Some(last) => {
                    last.push(',');
                    last.push_str(part);
                }
                None => lanes.push(part.to_owned()),
            }
        }
        lanes.iter().map(|lane| Self::parse(lane)).collect()
    }

    /// The machine of the lane: the replay's own, with the policy and what is changed.
    ///
    /// A bare era is the trace's own release, if that is of this era.
    ///
    /// # Errors
    /// There is no such policy, or a value makes no sense for this machine.
    pub fn machine(&self, replay: &Replay) -> Result<Machine, SpecError> {
        let own = replay.plan().machine;
        let is_own = self.policy == RECORDED || self.policy == "auto" || self.policy == own.policy.entry.id;
        let unknown = || SpecError::UnknownPolicy { id: self.policy.clone(), near: near(&self.policy) };
        let policy = if is_own { own.policy } else { policy::by_id(&self.policy).ok_or_else(unknown)? };
        let Changes { range, cpus, nodes, page_size, levels, .. } = self.changes;
        let page_size = page_size.unwrap_or(own.page_size);
        let window = match range {
            None => own.window,
            Some(Range::Is(window)) => window,
            Some(Range::Bytes(bytes)) => Window { vend: own.window.vstart.saturating_add(bytes), ..own.window },
        };
        if own.is_32_bit && u32::try_from(window.vend).is_err() {
            let what = "the range ends above 4 GiB, and the machine has 32 bits".to_owned();
            return Err(SpecError::BadValue { word: "range".to_owned(), what });
        }
        let geometry = if (levels, page_size) == (None, own.page_size) {
            own.geometry
        } else {
            geometry_with(replay.log(), own, levels, page_size)?
        };
        Ok(Machine {
            policy,
            window,
            page_size,
            geometry,
            cpus_online: cpus.unwrap_or(own.cpus_online),
            cpus_possible: nodes.or(cpus).unwrap_or(own.cpus_possible),
            ..own
        })
    }
}

/// As it can be typed.
impl fmt::Display for LaneSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.policy)?;
        if self.changes.is_empty() { Ok(()) } else { write!(f, ":{}", self.changes) }
    }
}

/// The page tables of a machine like this one with other levels or pages.
fn geometry_with(
    log: &Log,
    own: Machine,
    levels: Option<u32>,
    page_size: u64,
) -> Result<&'static crate::model::page_table::Geometry, SpecError> {
    let own_levels = own.geometry.levels.len() as u32;
    let wanted = levels.unwrap_or(own_levels);
    let found = geometry_of(&Hints {
        arch: Some(log.origin.arch.as_deref().unwrap_or(if own.is_32_bit { "i386" } else { "x86_64" })),
        kernel: None,
        levels: Some(wanted),
        page_size,
        vstart: own.window.vstart,
    });
    if found.levels.len() as u32 != wanted && levels.is_some() {
        let what = format!("{} has no {wanted} levels", own.geometry.title);
        return Err(SpecError::BadValue { word: "levels".to_owned(), what });
    }
    if found.page_size != page_size {
        let what = format!("{} has no pages of {page_size} bytes", own.geometry.title);
        return Err(SpecError::BadValue { word: "page-size".to_owned(), what });
    }
    Ok(found)
}

/// Ids that look like `id`, the nearest first.
fn near(id: &str) -> Vec<&'static str> {
    let ids = POLICIES.iter().map(|entry| entry.id).chain([RECORDED, "auto"]);
    let mut by_distance: Vec<(usize, &str)> = ids.map(|known| (distance(id, known), known)).collect();
    by_distance.sort_by_key(|&(far, _)| far);
    by_distance.into_iter().filter(|&(far, known)| far * 2 <= known.len()).map(|(_, known)| known).take(3).collect()
}

/// How many letters must be changed, added or left out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut left_above = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let changed = left_above + usize::from(x != y);
            left_above = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(left_above + 1);
        }
    }
    row[b.len()]
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
    fn lanes_are_read_and_printed() {
        let text = "linux-6.9:cpus=16,lazy-max=64M,recorded,linux-5.2:range=0x1000-0x200000,guard=none";
        let lanes = LaneSpec::parse_list(text).expect("lanes");
        let again: Vec<String> = lanes.iter().map(LaneSpec::to_string).collect();
        assert_eq!(again.join(","), text);
        assert_eq!(lanes[0].changes.cpus, Some(16));
        assert_eq!(lanes[0].changes.lazy_max_bytes, Some(64 << 20));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_may_be_meant() {
        let error = LaneSpec::parse("linux-6.g").expect_err("no policy");
        assert!(matches!(&error, SpecError::UnknownPolicy { near, .. } if near.contains(&"linux-6.9")), "{error}");
        for text in ["linux-6.9:cpus=0", "linux-6.9:speed=1", "linux-6.9:range=5-4", "linux-6.9:lazy-max=1X", "x:"] {
            assert!(LaneSpec::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_say_what_they_are() {
        for (text, bytes) in [("1", 1), ("64K", 65_536), ("64KiB", 65_536), ("3M", 3 << 20), ("2t", 2 << 40)] {
            assert_eq!(size_of_text(text), Ok(bytes), "{text}");
            assert_eq!(size_of_text(&size_text(bytes)), Ok(bytes));
        }
    }
}
