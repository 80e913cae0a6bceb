//! [`Finding`]: what cannot be in an allocator that works and a recording that is whole.
//!
//! A snapshot is looked at row by row, a trace record by record, with a list of areas in use that knows nothing of the
//! model; what the model says beside it (a free that frees nothing, an address no search could give) comes from the
//! replay.

mod rows;
mod trace;

use crate::log::{FileProblem, Log};
use crate::replay::Replay;
use parsers::ProblemKind;

pub use rows::rows;
pub use trace::trace;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The input is not whole, or the model cannot follow it: other findings may come from that.
    Warning,
    /// It cannot be.
    Error,
}

impl Severity {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name in lists and JSON.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Why that is a finding, in one sentence.
    pub why: &'static str,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $id:ident: $name:literal, $severity:ident, $why:literal;)*) => {
        $($(#[$doc])* pub const $id: Rule = Rule { name: $name, severity: Severity::$severity, why: $why };)*
        /// Every rule.
        pub const RULES: &[Rule] = &[$($id),*];
    };
}

rules! {
    /// Areas that overlap.
    OVERLAP: "overlap", Error, "two areas cannot have an address in common; a snapshot that was torn while it was read looks the same";
    /// A row that is there twice.
    DOUBLED: "doubled", Warning, "a row that is there twice: the snapshot was torn while it was read, or is two files";
    /// Sizes that do not go with addresses, or with pages.
    WRONG_SIZE: "wrong-size", Error, "size, addresses and pages of an area have to agree";
    /// Addresses that are not aligned.
    MISALIGNED: "misaligned", Error, "every area starts at a page, and where more was asked for at that";
    /// Areas where none may be.
    OUTSIDE: "outside-range", Error, "an area lies in the window that was asked for, and in a range of the architecture";
    /// A row that no kernel prints.
    IMPOSSIBLE: "impossible-row", Error, "no kernel prints such a row";
    /// An area freed twice.
    DOUBLE_FREE: "double-free", Error, "it was freed before, and nothing was allocated there since";
    /// A free where nothing is.
    FREE_OF_NOTHING: "free-of-nothing", Error, "no record and no snapshot tells of an area there";
    /// An allocation over an area in use.
    REUSED: "allocated-twice", Error, "an area in use has that address: a free is missing, or the allocator is damaged";
    /// An answer that no search gives.
    DIVERGENCE: "divergence", Warning, "no search of this kernel's allocator could have given that address";
    /// Records the kernel lost.
    LOST: "lost-records", Warning, "what is missing may explain other findings: make the ring buffer larger";
    /// A damaged record.
    DAMAGED: "damaged", Warning, "the place could not be read as it was printed";
    /// A threshold that does not hold.
    THRESHOLD: "threshold", Error, "it was asked for";
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub rule: Rule,
    /// The file or member, if there are several.
    pub file: Option<String>,
    /// Line, from 1; `None` where there are none.
    pub line: Option<u32>,
    /// The record, in a trace.
    pub seq: Option<u32>,
    /// What is there. Escaped for display.
    pub what: String,
}

impl Finding {
    /// Of an input as a whole.
    pub fn of_all(rule: Rule, what: String) -> Self {
        Self { rule, file: None, line: None, seq: None, what }
    }
}

/// What reading found.
pub fn damage(log: &Log) -> Vec<Finding> {
    log.problems.iter().map(of_problem).collect()
}

fn of_problem(found: &FileProblem) -> Finding {
    let problem = &found.problem;
    let rule = match problem.kind {
        ProblemKind::Overlap(_) => OVERLAP,
        ProblemKind::Duplicate(_) => DOUBLED,
        ProblemKind::SizeMismatch => WRONG_SIZE,
        ProblemKind::ImpossibleRow(_) => IMPOSSIBLE,
        _ => DAMAGED,
    };
    let line = Some(problem.line).filter(|line| 0 < *line && !matches!(problem.kind, ProblemKind::Container(_)));
    Finding { rule, file: Some(found.file.clone()), line, seq: None, what: problem.kind.to_string() }
}

/// Everything that can be found in an input: damage, its snapshots, its records. The replay is left at its end.
pub fn all(log: &Log, replay: Option<&mut Replay>) -> Vec<Finding> {
    let mut findings = damage(log);
    for (name, snapshot) in [("vmallocinfo.before", &log.before), ("vmallocinfo.after", &log.after)] {
        let Some(snapshot) = snapshot else { continue };
        let is_alone = log.events.is_empty() && log.after.is_none();
        findings.extend(rows(log, snapshot, (!is_alone).then_some(name)));
    }
    if let Some(replay) = replay {
        findings.extend(trace(replay));
    }
    findings
}
