//! [`Marks`]: places a person has named by a letter, and how they are written down beside a trace.
//!
//! What is read back is somebody else's text: it has a version, a limit on its size and on what it holds, and it says
//! which trace it belongs to. A mark is a number of a record and its stamp; one that does not fit is left out.

use serde::{Deserialize, Serialize};

use super::jumps::Spot;
use crate::event::Seq;
use crate::replay::Replay;
use crate::view::{Selection, text};

/// Bytes of a file of marks that are read: many times what the marks there can be fill.
pub const MAX_FILE_BYTES: u64 = 64 << 10;
/// The version of the file that is written; the only one that is read.
const VERSION: u32 = 1;

/// Where marks are kept between two runs: the outside world's business.
pub trait MarkStore {
    /// The text that was written for this input, if there is one.
    fn load(&self) -> Stored;

    /// Writes the text; answers the name of the file.
    ///
    /// # Errors
    /// Why it cannot be written, in a few words.
    fn save(&self, text: &str) -> Result<String, String>;
}

/// What a store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Nothing can be kept, and why: the input is no file, say.
    Nowhere(String),
    /// Nothing is written yet.
    Nothing,
    /// The text of a file, and its name.
    Text {
        /// Its name, escaped.
        name: String,
        /// What it holds.
        text: String,
    },
    /// There is a file, and it is not taken for one of marks.
    Unreadable {
        /// Its name, escaped.
        name: String,
        /// Why not.
        why: String,
    },
}

/// A store for what nothing can be kept of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoStore(pub String);

impl MarkStore for NoStore {
    fn load(&self) -> Stored {
        Stored::Nowhere(self.0.clone())
    }

    fn save(&self, _: &str) -> Result<String, String> {
        Err(self.0.clone())
    }
}

/// The marks of one input.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    /// By letter.
    list: Vec<(char, Spot)>,
    /// The same by place, for the panes: records applied, and letter.
    places: Vec<(usize, char)>,
    /// Why they are not written down; `None`: they are.
    pub(crate) unkept: Option<String>,
}

/// Can this letter name a place? What can be typed everywhere, and has one column.
pub(crate) fn is_letter(letter: char) -> bool {
    letter.is_ascii_graphic()
}

impl Marks {
    /// For an input nothing can be kept of.
    pub(crate) fn unkept(why: impl Into<String>) -> Self {
        Self { unkept: Some(why.into()), ..Self::default() }
    }

    pub(crate) fn set(&mut self, letter: char, spot: Spot) {
        match self.list.binary_search_by_key(&letter, |&(known, _)| known) {
            Ok(at) => self.list[at].1 = spot,
            Err(at) => self.list.insert(at, (letter, spot)),
        }
        self.sort();
    }

    pub(crate) fn remove(&mut self, at: usize) {
        if at < self.list.len() {
            self.list.remove(at);
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.places = self.list.iter().map(|&(letter, spot)| (spot.cursor, letter)).collect();
        self.places.sort_unstable();
    }

    pub(crate) fn get(&self, letter: char) -> Option<Spot> {
        let at = self.list.binary_search_by_key(&letter, |&(known, _)| known).ok()?;
        Some(self.list[at].1)
    }

    /// By letter.
    pub(crate) fn list(&self) -> &[(char, Spot)] {
        &self.list
    }

    /// Records applied and letter, by place.
    pub(crate) fn places(&self) -> &[(usize, char)] {
        &self.places
    }

    /// The letters, for a sentence.
    pub(crate) fn letters(&self) -> String {
        let letters: Vec<String> = self.list.iter().map(|(letter, _)| letter.to_string()).collect();
        letters.join(" ")
    }

    /// As they are written down.
    pub(crate) fn to_text(&self, replay: &Replay) -> String {
        let mark = |&(letter, spot): &(char, Spot)| {
            let at = spot.cursor.checked_sub(1).and_then(|index| replay.log().get(Seq(index as u32)));
            let address = match spot.selection {
                Selection::Address(address) => Some(format!("0x{address:016x}")),
                Selection::Follow => None,
            };
            RawMark {
                letter,
                event: spot.cursor as u64,
                stamp: at.map_or(0, |event| event.at.0 & (i64::MAX as u64)),
                address,
            }
        };
        let file =
            RawFile { version: VERSION, trace: Identity::of(replay), mark: self.list.iter().map(mark).collect() };
        let head = "# Marks of vmaplens: records of the trace beside this file, counted from 1, with their stamps.\n";
        format!("{head}{}", toml::to_string(&file).unwrap_or_default())
    }

    /// Reads what was written down. Answers a sentence if not all of it can be used.
    pub(crate) fn load(stored: Stored, replay: &Replay) -> (Self, Option<String>) {
        let (name, read) = match stored {
            Stored::Nowhere(why) => return (Self::unkept(why), None),
            Stored::Nothing if replay.is_empty() => return (Self::unkept("a snapshot has no events"), None),
            Stored::Nothing => return (Self::default(), None),
            Stored::Unreadable { name, why } => (name, Err(why)),
            Stored::Text { name, text } => (name, read(&text, replay)),
        };
        match read {
            Ok((list, 0)) => (Self::of(list), None),
            Ok((list, n)) => {
                let n = text::plural(n, "mark is", "marks are");
                (Self::of(list), Some(format!("{n} left out of {name}: no such event, or another stamp")))
            }
            // What is not understood is not overwritten.
            Err(why) => {
                let said = format!("{name} is not used: {why}");
                (Self::unkept(format!("{name} is in the way: {why}")), Some(said))
            }
        }
    }

    fn of(list: Vec<(char, Spot)>) -> Self {
        let mut marks = Self::default();
        for (letter, spot) in list {
            marks.set(letter, spot);
        }
        marks
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    version: u32,
    trace: Identity,
    #[serde(default)]
    mark: Vec<RawMark>,
}

/// What tells one trace from another: how many records, and the stamps of the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Identity {
    events: u64,
    first: u64,
    last: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMark {
    letter: char,
    event: u64,
    stamp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

impl Identity {
    fn of(replay: &Replay) -> Self {
        let n = replay.len();
        let stamp = |index: usize| replay.log().get(Seq(index as u32)).map_or(0, |event| event.at.0);
        // TOML has no larger numbers.
        let stamp = |index| stamp(index) & (i64::MAX as u64);
        Self { events: n as u64, first: stamp(0), last: stamp(n.saturating_sub(1)) }
    }
}

/// The marks of a text, and how many do not fit the trace.
fn read(text: &str, replay: &Replay) -> Result<(Vec<(char, Spot)>, u64), String> {
    // A version that is not known can have any other fields.
    #[derive(Deserialize)]
    struct Version {
        version: Option<u32>,
    }
    let damaged = |error: &toml::de::Error| match error.span() {
        Some(span) => {
            let line = text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line} is not that of a file of marks")
        }
        None => "it is no file of marks".to_owned(),
    };
    let version: Version = toml::from_str(text).map_err(|error| damaged(&error))?;
    match version.version {
        Some(VERSION) => {}
        Some(other) => return Err(format!("it has version {other}, this program knows {VERSION}")),
        None => return Err("it is no file of marks".to_owned()),
    }
    let file: RawFile = toml::from_str(text).map_err(|error| damaged(&error))?;
    if file.trace != Identity::of(replay) {
        let n = text::plural(file.trace.events, "event", "events");
        return Err(format!("its marks are of another trace, of {n}"));
    }
    let mut dropped = 0;
    let mut list = Vec::new();
    for mark in file.mark {
        match spot_of(&mark, replay).filter(|_| is_letter(mark.letter)) {
            Some(spot) => list.push((mark.letter, spot)),
            None => dropped += 1,
        }
    }
    Ok((list, dropped))
}

fn spot_of(mark: &RawMark, replay: &Replay) -> Option<Spot> {
    let cursor = usize::try_from(mark.event).ok().filter(|&cursor| cursor <= replay.len())?;
    let event = cursor.checked_sub(1).map(|index| replay.log().get(Seq(index as u32)));
    let stamp = event.map_or(Some(0), |event| event.map(|event| event.at.0))?;
    let selection = match &mark.address {
        Some(address) => Selection::Address(u64::from_str_radix(address.strip_prefix("0x")?, 16).ok()?),
        None => Selection::Follow,
    };
    (stamp & (i64::MAX as u64) == mark.stamp).then_some(Spot { cursor, selection })
}
