//! The stops of a lesson, each with what the model did there.
#![allow(unreachable_pub, clippy::panic, reason = "helpers of one test binary")]

use std::collections::BTreeSet;
use std::sync::Arc;

use vmaplens::lesson::{LESSONS, Lesson, named};
use vmaplens::model::page_table::{Mapped, Unmapped};
use vmaplens::model::{Extent, Stage, Step};
use vmaplens::replay::{Replay, Settings};

/// One stop.
pub struct Stop {
    /// Its paragraphs as one text.
    pub text: String,
    /// What the op there did.
    pub steps: Vec<Step>,
    /// Place of the step pointed at, from 0.
    pub sub: Option<usize>,
    /// What the script prints there.
    pub answer: String,
    /// Page tables then; those from boot are left out.
    pub tables: u64,
    /// Every number the model has met so far: addresses and ends of ranges.
    pub met: BTreeSet<u64>,
}

/// The stops of a lesson; the introduction is number 0.
pub fn stops(name: &str) -> Vec<Stop> {
    let lesson = *named(name).expect(name);
    stops_of(lesson)
}

/// Every lesson with its stops.
pub fn all() -> impl Iterator<Item = (&'static str, Vec<Stop>)> {
    LESSONS.iter().map(|lesson| (lesson.name, stops_of(*lesson)))
}

fn stops_of(lesson: Lesson) -> Vec<Stop> {
    let mut replay = Replay::open(Arc::new(lesson.log()), &Settings::default()).expect(lesson.name);
    let notes = replay.log().script.as_ref().expect("a script").notes.clone();
    let mut met = BTreeSet::new();
    let window = replay.plan().machine.window;
    met.extend([window.vstart, window.vend]);
    let mut stops = Vec::new();
    for note in notes {
        while replay.cursor() < note.op {
            assert!(replay.step(), "{} ends before op {}", lesson.name, note.op);
            let (seq, _) = replay.current().expect("an op");
            met.extend(numbers(&format!("{:?} {:?}", replay.outcome().steps, replay.asked(seq))));
        }
        // Texts count the steps outside of trees.
        let own = replay.outcome().steps.iter().filter(|step| !step.is_in_tree() && note.op != 0);
        let steps: Vec<_> = own.copied().collect();
        let sub = note.sub.map(|sub| sub - 1);
        assert!(sub.is_none_or(|sub| sub < steps.len()), "{}: op {} has no step {sub:?}", lesson.name, note.op);
        let answer = replay.answer_in_full().unwrap_or_default();
        let tables = replay.space().n_tables();
        stops.push(Stop { text: note.text.join(" "), steps, sub, answer, tables, met: met.clone() });
    }
    stops
}

/// Decimal numbers in a text.
fn numbers(text: &str) -> impl Iterator<Item = u64> {
    text.split(|sign: char| !sign.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}

impl Stop {
    /// The step pointed at.
    pub fn step(&self) -> &Step {
        &self.steps[self.sub.unwrap_or_else(|| panic!("points at no step: {}", self.text))]
    }

    /// The mapping pointed at.
    pub fn mapped(&self) -> Mapped {
        match self.step() {
            Step::Stage(Stage::Mapped(mapped)) => *mapped,
            Step::Stage(Stage::MapFailed { done, .. }) => *done,
            step => panic!("no mapping: {step:?}"),
        }
    }

    /// The unmapping pointed at, or the one of the op.
    pub fn unmapped(&self) -> Unmapped {
        let unmapped = |step: &Step| match step {
            Step::Stage(Stage::Unmapped(unmapped)) => Some(*unmapped),
            _ => None,
        };
        unmapped(self.step()).or_else(|| self.steps.iter().find_map(unmapped)).expect("an unmapping")
    }

    /// The area that the op puts into use.
    pub fn placed(&self) -> Extent {
        let added = self.steps.iter().find_map(|step| match step {
            Step::BusyAdded { extent, .. } => Some(*extent),
            _ => None,
        });
        added.unwrap_or_else(|| panic!("nothing is placed: {}", self.text))
    }

    /// Did the model meet this address, as one of its own or as a border between page tables inside a mapping?
    pub fn knows(&self, address: u64) -> bool {
        let crosses = |step: &Step| match step {
            Step::Stage(
                Stage::Mapped(Mapped { extent, .. }) | Stage::MapFailed { done: Mapped { extent, .. }, .. },
            ) => extent.contains_addr(address) && address.is_multiple_of(1 << 21),
            _ => false,
        };
        self.met.contains(&address) || self.steps.iter().any(crosses)
    }

    /// The text has these words, some of them made of what the model gives.
    pub fn says(&self, words: impl AsRef<str>) {
        let words = words.as_ref();
        assert!(self.text.contains(words), "\"{words}\" is not said: {}", self.text);
    }

    /// The text has these words and the model knows that they are true.
    pub fn claims(&self, words: &str, is_true: bool) {
        self.says(words);
        assert!(is_true, "\"{words}\" is not true: {:#?}", self.steps);
    }
}

/// A count as texts write it.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if 0 < at && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
