//! `parse --count`: how many records of each kind.

use std::collections::BTreeMap;
use std::fmt::Write;

use parsers::record::Body;
use serde::Serialize;

use super::{Kind, SCHEMA, kind_of, probe};

/// What `--count` tells.
#[derive(Debug, Default)]
pub(super) struct Tally {
    kinds: [u64; Kind::WORDS.len()],
    size: u128,
    /// Damaged places.
    pub(super) problems: u64,
    /// A parser stopped listing problems.
    pub(super) more_problems: bool,
}

/// The document of `parse --count --json`.
#[derive(Debug, Serialize)]
pub(super) struct Count {
    schema: &'static str,
    input: String,
    /// Only kinds that occur.
    kinds: BTreeMap<&'static str, u64>,
    /// Sum of `size` over all records that have one.
    size: u128,
    problems: u64,
    /// `false`: there are more problems than were counted.
    problems_complete: bool,
}

impl Tally {
    /// Counts a record.
    pub(super) fn add(&mut self, kind: Kind, size: u64) {
        self.kinds[kind as usize] += 1;
        self.size += u128::from(size);
    }

    /// Counts a record of a recording.
    #[inline]
    pub(super) fn record(&mut self, body: &Body<'_>) {
        let size = match *body {
            Body::Alloc(alloc) => alloc.size,
            Body::Probe { at, args, .. } => probe::size(at, args),
            Body::Failure(failure) => failure.size.unwrap_or(0),
            _ => 0,
        };
        self.add(kind_of(body), size);
    }

    /// Records of all kinds.
    pub(super) fn records(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// What is told of `input`.
    pub(super) fn count(&self, input: String) -> Count {
        let kinds = Kind::WORDS.into_iter().zip(self.kinds).filter(|(_, n)| 0 < *n).collect();
        let Self { size, problems, more_problems, .. } = *self;
        Count { schema: SCHEMA, input, kinds, size, problems, problems_complete: !more_problems }
    }
}

/// The same for people.
pub(super) fn describe(count: &Count) -> String {
    let mut out = String::new();
    let more = if count.problems_complete { "" } else { " and more" };
    // Writing to a string cannot fail.
    for word in Kind::WORDS {
        if let Some(n) = count.kinds.get(word) {
            let _ = writeln!(out, "{word:<14} {n:>14}");
        }
    }
    let _ = writeln!(out, "{:<14} {:>14}\n{:<14} {:>14}{more}", "size", count.size, "problems", count.problems);
    out
}
