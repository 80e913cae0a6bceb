//! [`LaneSpec`]: what a lane is: a policy, and what is changed about the machine. Read from text such as
//! `linux-6.9:cpus=16,lazy-max=64M`.

use std::fmt;

use super::changes::{CHANGES, Changes, Range};
use crate::log::{Log, Window};
use crate::model::page_table::{Hints, geometry_of};
use crate::policy::{self, Chosen, POLICIES};
use crate::replay::{Machine, Replay};

/// The id of the lane that places areas where the trace says.
pub const RECORDED: &str = "recorded";

/// What the trace's own policy is compared with at first.
const TEXTBOOK: [&str; 2] = ["first-fit", "best-fit"];

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
                format!("policies are {}, auto, or a release such as linux-6.12", ids.join(", "))
            }
            Self::UnknownChange { .. } | Self::BadValue { .. } => {
                let words: Vec<String> = CHANGES.iter().map(|row| format!("{}={}", row.word, row.value)).collect();
                format!("a lane is POLICY or POLICY:CHANGE,…; changes are {}", words.join(", "))
            }
        }
    }
}

impl LaneSpec {
    /// A policy with nothing changed.
    pub fn of(policy: &str) -> Self {
        Self { policy: policy.to_owned(), changes: Changes::default() }
    }

    /// What is compared where nobody says: the trace's own era, if wanted the one before, and what textbooks have.
    pub fn defaults(replay: &Replay, with_era_before: bool) -> Vec<Self> {
        let own = replay.plan().machine.policy.entry.id;
        let place = POLICIES.iter().position(|entry| entry.id == own).filter(|_| with_era_before);
        let before = place.and_then(|place| POLICIES.get(place.checked_sub(1)?)).map(|entry| entry.id);
        let textbook = TEXTBOOK.into_iter().filter(|id| *id != own);
        std::iter::once(own).chain(before).chain(textbook).map(Self::of).collect()
    }

    /// Reads `POLICY` or `POLICY:CHANGE=VALUE,…`.
    ///
    /// # Errors
    /// There is no such policy or no such change, or a value makes no sense.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let (id, rest) = text.split_once(':').unwrap_or((text, ""));
        let id = id.trim();
        if id != "auto" && policy::by_id(id).is_none() {
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
            // The id of a policy can have options of its own: `vmem+cached=32`.
            let goes_on =
                part.split_once('=').is_some_and(|(word, _)| CHANGES.iter().any(|row| row.word == word.trim()));
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
        let policy = if is_own {
            own.policy
        } else {
            self.with_options(policy::by_id(&self.policy).ok_or_else(unknown)?)?.inside(own.policy.release)
        };
        if let Some(guard) = self.changes.guard.filter(|guard| !guard.is_of_kernel() && policy.layers().is_none()) {
            let what = format!("{} has its guard page inside each area, or none", policy.entry.id);
            return Err(SpecError::BadValue { word: format!("guard={}", guard.word()), what });
        }
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

impl LaneSpec {
    /// The policy with the changes that are options of its own: where guard pages are, what it draws from.
    fn with_options(&self, chosen: Chosen) -> Result<Chosen, SpecError> {
        let Changes { guard, seed, .. } = self.changes;
        let mut chosen = chosen;
        if let Some(guard) = guard.filter(|_| chosen.layers().is_some()) {
            let bad = || SpecError::BadValue {
                word: format!("guard={}", guard.word()),
                what: format!("{} has no such guard", self.policy),
            };
            chosen = policy::by_id(&format!("{}+guard-{}", chosen.name(), guard.word())).ok_or_else(bad)?;
        }
        // Nothing else draws.
        Ok(seed.and_then(|seed| policy::by_id(&format!("{}+seed={seed}", chosen.name()))).unwrap_or(chosen))
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
    let ids = POLICIES.iter().map(|entry| entry.id).chain(["auto"]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_read_and_printed() {
        let text = "linux-6.9:cpus=16,lazy-max=64M,vmem+cached=32,recorded,linux-5.2:range=0x1000-0x200000,guard=none";
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
}
