//! Notes of an op script: what is told to a person who steps through it.
//!
//! ```text
//! # Title
//! #> An introduction, told before any op.
//! era 6.12
//! #> Told when the op below has been carried out.
//! #@ show step tree
//! #@ sub 3
//! #@ at 0
//! a 0 16384
//! ```
//!
//! Lines that start with `#>` are text, lines that start with `#@` direct the view. To everything else both are comments.

use nom::Parser;
use nom::combinator::all_consuming;

use super::field;
use crate::lex::{Line, after, column, trim, trim_start, word};
use crate::problem::{MAX_PROBLEMS, Problems};
use crate::{Problem, ProblemKind};

/// What can be shown, as `#@ show` calls it: the panes of the terminal interface.
pub const SHOWN: [&str; 8] = ["events", "step", "tree", "free", "tables", "detail", "map", "timeline"];

/// What is told at one place of a script, a *stop*.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Note {
    /// The op it belongs to, counted from 1: it is told when so many ops have been carried out. 0 is the introduction.
    pub op: usize,
    /// Line of its first text or direction, from 1.
    pub line: u32,
    /// One text for each paragraph, none of them empty.
    pub text: Vec<String>,
    /// `show`: what is wanted on the screen, most important first; names out of [`SHOWN`].
    pub show: Vec<&'static str>,
    /// `sub`: the sub-step that is shown, from 1.
    pub sub: Option<usize>,
    /// `at`: what is selected.
    pub at: Option<At>,
}

/// What a note selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The area that an op was given for this id.
    Id(u64),
    /// Whatever lies at this address.
    Address(u64),
}

/// Collects the notes of a script while its lines are read.
#[derive(Debug, Default)]
pub(super) struct Notes {
    done: Vec<Note>,
    /// Waits for its op.
    next: Note,
    /// Where the note that waits begins: line number, and bytes from the start of the input.
    start: Option<(u32, u64)>,
    /// The next line of text begins a paragraph.
    fresh: bool,
    headed: bool,
}

impl Notes {
    /// Takes a comment line if it is part of a note; `comment` is what stands behind the `#`.
    pub(super) fn take(&mut self, line: &Line<'_>, comment: &[u8], problems: &mut Problems) -> bool {
        let (rest, is_text) = match comment {
            [b'>', rest @ ..] => (rest, true),
            [b'@', rest @ ..] => (rest, false),
            _ => {
                self.fresh = true;
                return false;
            }
        };
        if self.start.is_none() {
            self.start = Some((line.number, line.start as u64));
            self.next.line = line.number;
        }
        if is_text {
            self.text(rest);
        } else if let Err((part, kind)) = self.direct(rest) {
            let column = column(line.bytes, part);
            problems.push(Problem { line: line.number, column, offset: line.start as u64, kind });
        }
        true
    }

    /// A header line stands here: what stands before the first one is the introduction.
    pub(super) fn header(&mut self, problems: &mut Problems) {
        if !std::mem::replace(&mut self.headed, true) && self.done.is_empty() {
            self.told_at(0, problems);
        }
        self.fresh = true;
    }

    /// Op `number`, counted from 1, stands here.
    pub(super) fn op(&mut self, number: usize, problems: &mut Problems) {
        self.headed = true;
        self.told_at(number, problems);
    }

    /// The script ends here. What waits for an op is a problem, known only now, in its place among the others.
    pub(super) fn end(self, mut problems: Vec<Problem>) -> (Vec<Note>, Vec<Problem>) {
        if let Some((line, offset)) = self.start.filter(|_| problems.len() < MAX_PROBLEMS) {
            let at = problems.partition_point(|problem| problem.line < line);
            problems.insert(at, Problem { line, column: 1, offset, kind: ProblemKind::StrayNote });
        }
        (self.done, problems)
    }

    fn told_at(&mut self, op: usize, problems: &mut Problems) {
        let Some((line, offset)) = self.start.take() else { return };
        let note = Note { op, ..std::mem::take(&mut self.next) };
        if note.text.is_empty() {
            problems.push(Problem { line, column: 1, offset, kind: ProblemKind::SilentNote });
        } else {
            self.done.push(note);
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(trim(bytes));
        let text = text.as_ref();
        if text.is_empty() {
            self.fresh = true;
            return;
        }
        match self.next.text.last_mut().filter(|_| !self.fresh) {
            Some(paragraph) => paragraph.extend([" ", text]),
            None => self.next.text.push(text.to_owned()),
        }
        self.fresh = false;
    }

    /// Reads a direction; the error is what cannot be read, and why.
    fn direct<'a>(&mut self, bytes: &'a [u8]) -> Result<(), (&'a [u8], ProblemKind)> {
        let text = trim(bytes);
        let name = word(text).map_or(text, |(_, name)| name);
        let shown = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let rest = after(text, name.len());
        let broken = |part| (part, ProblemKind::BrokenDirection(shown(name)));
        let number = || all_consuming(field).parse(rest).map(|(_, value)| value).ok();
        match name {
            b"show" => self.next.show = panes(rest).map_err(broken)?,
            b"sub" => {
                let sub = number().and_then(|sub| usize::try_from(sub).ok()).filter(|sub| 0 < *sub);
                self.next.sub = Some(sub.ok_or_else(|| broken(trim_start(rest)))?);
            }
            b"at" => {
                let at = number().ok_or_else(|| broken(trim_start(rest)))?;
                self.next.at = Some(if trim_start(rest).starts_with(b"0x") { At::Address(at) } else { At::Id(at) });
            }
            _ => return Err((text, ProblemKind::UnknownDirection(shown(name)))),
        }
        Ok(())
    }
}

/// Names of panes; the error is the first that is none.
fn panes(mut rest: &[u8]) -> Result<Vec<&'static str>, &[u8]> {
    let mut panes = Vec::new();
    rest = trim_start(rest);
    while let Ok((next, name)) = word(rest) {
        let known = SHOWN.into_iter().find(|known| known.as_bytes() == name).ok_or(rest)?;
        if !panes.contains(&known) {
            panes.push(known);
        }
        rest = trim_start(next);
    }
    if panes.is_empty() || !rest.is_empty() { Err(rest) } else { Ok(panes) }
}

#[cfg(test)]
mod tests {
    use super::super::{Script, parse};
    use super::*;

    fn told(script: &Script) -> Vec<(usize, u32, Vec<&str>)> {
        script.notes.iter().map(|note| (note.op, note.line, note.text.iter().map(String::as_str).collect())).collect()
    }

    #[test]
    fn notes_belong_to_the_op_below_and_the_first_to_the_script() {
        let script = parse(
            b"# Title\n#> Before\n#>anything.\n#>\n#> More.\nera 6.12\n# why\n#> One.\ncpus 2\n#> Still one.\na 0 1\n\
              #@ show step tree step\n#@ sub 3\n#> Two.\n#@ at 0x10\r\nf 0\npurge\n#@ at 16\n#> Four.\nwork\n",
        );
        assert_eq!(script.problems, []);
        assert_eq!(script.header.title.as_deref(), Some("Title"));
        assert_eq!(
            told(&script),
            [
                (0, 2, vec!["Before anything.", "More."]),
                (1, 8, vec!["One.", "Still one."]),
                (2, 12, vec!["Two."]),
                (4, 18, vec!["Four."]),
            ]
        );
        let two = &script.notes[2];
        assert_eq!((&two.show[..], two.sub, two.at), (&["step", "tree"][..], Some(3), Some(At::Address(0x10))));
        assert_eq!(script.notes[3].at, Some(At::Id(16)));
        assert_eq!(script.ops.len(), 4);
    }

    #[test]
    fn a_script_without_a_header_has_no_introduction() {
        assert_eq!(
            told(&parse(b"#> One.\na 0 1\n#> Two.\nera 6.12\nf 0\n")),
            [(1, 1, vec!["One."]), (2, 3, vec!["Two."])]
        );
    }

    #[test]
    fn what_cannot_be_told_is_a_problem_with_its_place() {
        let script = parse(
            b"era 6.12\n #@ shew tree\n#@ show tree sky\n#@ sub 0\n#@ sub\n#@ at x\n#> One.\na 0 1\n#@ sub 1\nf 0\nb\n\
              #> Never.\nc\n",
        );
        let got: Vec<_> = script.problems.iter().map(|p| (p.line, p.column, p.kind.clone())).collect();
        let broken = |word: &str| ProblemKind::BrokenDirection(word.into());
        assert_eq!(
            got,
            [
                (2, 5, ProblemKind::UnknownDirection("shew".into())),
                (3, 14, broken("show")),
                (4, 8, broken("sub")),
                (5, 7, broken("sub")),
                (6, 7, broken("at")),
                (9, 1, ProblemKind::SilentNote),
                (11, 1, ProblemKind::UnknownOp("b".into())),
                (12, 1, ProblemKind::StrayNote),
                (13, 1, ProblemKind::UnknownOp("c".into())),
            ]
        );
        assert_eq!(told(&script), [(1, 2, vec!["One."])]);
    }
}
