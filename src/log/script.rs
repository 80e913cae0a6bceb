//! [`ScriptLog`]: an op script, and the answers it is compared with.

use std::ops::Range;
use std::sync::Arc;

use parsers::ops::{Note, Op, OpLine, Script, ScriptHeader};

use super::{Clock, FileProblem, InputKind, Log};

/// An op script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScriptLog {
    /// What its header lines say.
    pub header: ScriptHeader,
    /// In the order of the script; record `n` of the log is op `n`.
    pub ops: Vec<OpLine>,
    /// What is told at some of them, in their order.
    pub notes: Vec<Note>,
    /// What was answered elsewhere: by the kernel's own code.
    pub expected: Option<Expected>,
    /// Its name among the lessons of this program, if it is one of them.
    pub lesson: Option<&'static str>,
}

impl Log {
    /// The log of a script out of `file`; its events are made when it is replayed.
    pub fn of_script(script: Script, file: &str) -> Self {
        let mut log = Self::default();
        log.origin.kind = InputKind::Script;
        log.origin.clock = Clock::None;
        file.clone_into(&mut log.origin.name);
        log.origin.description.clone_from(&script.header.title);
        let problems = script.problems.into_iter();
        log.problems = problems.map(|problem| FileProblem { file: file.to_owned(), problem }).collect();
        log.script = Some(Arc::new(ScriptLog {
            header: script.header,
            ops: script.ops,
            notes: script.notes,
            ..ScriptLog::default()
        }));
        log
    }
}

/// Expected answers, cut op by op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Where they come from, escaped for display.
    pub name: String,
    text: String,
    /// Bytes of each answer, newline included, and its first line. Shorter than the ops if the text ends early.
    answers: Vec<(Range<usize>, u32)>,
    /// The line behind the last answer.
    end_line: u32,
}

impl Expected {
    /// Cuts a text into the answers of `ops`: one line each; of `dump` all lines up to the one that says `end`.
    pub fn new(name: String, text: String, ops: &[OpLine]) -> Self {
        let mut answers = Vec::with_capacity(ops.len().min(text.len()));
        let (mut at, mut line) = (0, 1_u32);
        for OpLine { op, .. } in ops {
            let start = at;
            let first = line;
            while let Some(found) = line_at(&text, at) {
                at += found.len();
                line = line.saturating_add(1);
                let is_more = matches!(op, Op::Dump { .. }) && text[start..].starts_with("dump");
                if !is_more || found.trim_end_matches('\n') == "end" {
                    break;
                }
            }
            if start == at {
                break;
            }
            answers.push((start..at, first));
        }
        Self { name, text, answers, end_line: line }
    }

    /// The answer to an op, newlines included; `None` where the text has ended before.
    pub fn answer(&self, op: usize) -> Option<&str> {
        self.text.get(self.answers.get(op)?.0.clone())
    }

    /// First line of the answer to an op, from 1; where there is none, the line behind the last.
    pub fn line(&self, op: usize) -> u32 {
        self.answers.get(op).map_or(self.end_line, |&(_, line)| line)
    }

    /// What stands behind the last op's answer.
    pub fn surplus(&self) -> &str {
        let end = self.answers.last().map_or(0, |(range, _)| range.end);
        self.text.get(end..).unwrap_or_default()
    }
}

/// The line that starts at a byte, newline included; `None` at the end.
fn line_at(text: &str, at: usize) -> Option<&str> {
    text.get(at..)?.split_inclusive('\n').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(script: &[u8], text: &str) -> Expected {
        Expected::new("x.out".to_owned(), text.to_owned(), &parsers::ops::parse(script).ops)
    }

    #[test]
    fn a_dump_is_one_answer() {
        let expected = cut(b"a 0 1\ndump\ndump free\nf 0\n", "1000\ndump\nF 1\nend\ndump\nend\n.\nmore\n");
        let answers: Vec<_> = (0..5).map(|op| expected.answer(op)).collect();
        assert_eq!(answers, [Some("1000\n"), Some("dump\nF 1\nend\n"), Some("dump\nend\n"), Some(".\n"), None]);
        assert_eq!((expected.line(1), expected.line(3), expected.line(4)), (2, 7, 8));
        assert_eq!(expected.surplus(), "more\n");
    }

    #[test]
    fn a_short_or_foreign_text_costs_its_own_answers_only() {
        let expected = cut(b"dump\nlazy\nlazy\n", "lazy 0 0\nlazy 1 0");
        let answers: Vec<_> = (0..3).map(|op| expected.answer(op)).collect();
        assert_eq!(answers, [Some("lazy 0 0\n"), Some("lazy 1 0"), None]);
        assert_eq!(expected.surplus(), "");
        assert_eq!(cut(b"lazy\n", "").answer(0), None);
    }
}
