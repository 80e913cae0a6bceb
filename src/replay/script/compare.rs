//! A script against expected results, byte for byte, and the first difference with both states around it.

use crate::log::ScriptLog;

use super::super::{OpenError, Settings};
use super::{Done, ScriptRun};

/// A `dump` among the expected results is near a difference up to this many ops away.
const NEAR: usize = 64;

/// The first place where an answer differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Index of the op, from 0; the number of ops if the expected results go on behind the last one.
    pub op: usize,
    /// Line of the op in the script.
    pub line: u32,
    /// Line of the expected results.
    pub expected_line: u32,
    /// What the model answered: the line that differs.
    pub model: String,
    /// What was expected.
    pub expected: String,
    /// The model's state before the op.
    pub before: String,
    /// The model's state after the op.
    pub after: String,
    /// The expected state nearest to it, if one is dumped close by.
    pub expected_state: Option<ExpectedState>,
}

/// A state among the expected results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedState {
    /// Index of its `dump`, from 0.
    pub op: usize,
    /// Line of the expected results.
    pub line: u32,
    /// The state, without the words around it.
    pub text: String,
}

/// How a script compared with its expected results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Ops run.
    pub ops: usize,
    /// Ops whose whole answer was right, up to the first that was not.
    pub matched: usize,
    /// The first difference.
    pub first_mismatch: Option<Mismatch>,
}

/// Runs a script and compares every answer with the expected one, up to the first that differs.
///
/// # Errors
/// As [`ScriptRun::new`].
pub fn compare(script: &ScriptLog, settings: &Settings) -> Result<Comparison, OpenError> {
    let mut run = ScriptRun::new(script, settings)?;
    let Some(expected) = &script.expected else {
        return Ok(Comparison { ops: script.ops.len(), matched: 0, first_mismatch: None });
    };
    let mut done = Done::default();
    let mut answer = String::new();
    for (index, asked) in script.ops.iter().enumerate() {
        answer.clear();
        run.print(&asked.op, 0, &mut done, &mut answer);
        let wanted = expected.answer(index).unwrap_or_default();
        if wanted == answer {
            continue;
        }
        let same = answer.split_inclusive('\n').zip(wanted.split_inclusive('\n'));
        let same = same.take_while(|(model, expected)| model == expected).count();
        let line_of = |text: &str| text.lines().nth(same).unwrap_or_default().to_owned();
        let mismatch = Mismatch {
            op: index,
            line: asked.line,
            expected_line: expected.line(index).saturating_add(same as u32),
            model: line_of(&answer),
            expected: line_of(wanted),
            before: state_before(script, settings, index)?,
            after: dump(&run),
            expected_state: nearest_state(script, index),
        };
        return Ok(Comparison { ops: script.ops.len(), matched: index, first_mismatch: Some(mismatch) });
    }
    let matched = script.ops.len();
    let surplus = (!expected.surplus().is_empty()).then(|| Mismatch {
        op: matched,
        line: script.ops.last().map_or(0, |op| op.line),
        expected_line: expected.line(matched),
        model: String::new(),
        expected: expected.surplus().lines().next().unwrap_or_default().to_owned(),
        before: dump(&run),
        after: dump(&run),
        expected_state: None,
    });
    Ok(Comparison { ops: matched, matched, first_mismatch: surplus })
}

fn dump(run: &ScriptRun) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = run.allocator().dump(false, &mut text);
    text
}

/// The state before an op: the script once more, up to there.
fn state_before(script: &ScriptLog, settings: &Settings, op: usize) -> Result<String, OpenError> {
    let mut run = ScriptRun::new(script, settings)?;
    let mut done = Done::default();
    for asked in script.ops.iter().take(op) {
        run.run(&asked.op, 0, &mut done);
    }
    Ok(dump(&run))
}

/// The state that was dumped nearest to an op: at or behind it if possible, since that is what came of it.
fn nearest_state(script: &ScriptLog, op: usize) -> Option<ExpectedState> {
    let expected = script.expected.as_ref()?;
    let state = |at: usize| {
        let text = expected.answer(at)?.strip_prefix("dump\n")?;
        let text = text.strip_suffix("end\n").unwrap_or(text).to_owned();
        Some(ExpectedState { op: at, line: expected.line(at), text })
    };
    let after = (op..script.ops.len()).take(NEAR).find_map(state);
    after.or_else(|| (0..op).rev().take(NEAR).find_map(state))
}
