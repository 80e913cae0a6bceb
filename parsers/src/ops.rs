//! Op scripts: operations on the allocator, one a line, as the test vectors have them.
//!
//! ```text
//! # steps
//! era 6.12
//! range 0x100000 0x140000
//! cpus 2
//! a 0 16384
//! a 2 4096 8192 - - 1
//! f 0
//! hash
//! ```

mod header;
pub mod notes;
pub mod request;

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{all_consuming, opt};
use nom::sequence::preceded;

use crate::lex::{Lines, Res, after, column, lit, number, stop, trim, trim_start, word};
use crate::problem::Problems;
use crate::{Problem, ProblemKind};

use header::entry;
pub use header::{Helpers, ScriptHeader};
pub use notes::Note;
use notes::Notes;
pub use request::RequestOp;

/// A whole script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// What the header lines say.
    pub header: ScriptHeader,
    /// In the order of the script.
    pub ops: Vec<OpLine>,
    /// What is told at some of them, in their order.
    pub notes: Vec<Note>,
    /// Lines that were skipped.
    pub problems: Vec<Problem>,
}

/// An op and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpLine {
    /// Counted from 1.
    pub line: u32,
    /// What to do.
    pub op: Op,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// `a ID SIZE [ALIGN [VSTART VEND [CPU]]]`
    Alloc {
        /// Names the area for its free.
        id: u64,
        /// Bytes, no guard page added.
        size: u64,
        /// Bytes, 1 if not given.
        align: u64,
        /// `(vstart, vend)`, `None` for the script's range.
        window: Option<(u64, u64)>,
        /// The calling CPU.
        cpu: u32,
    },
    /// `f ID [CPU]`
    Free {
        /// As given to the allocation.
        id: u64,
        /// The calling CPU.
        cpu: u32,
    },
    /// Purge everything now.
    Purge,
    /// Run the drain work if it is pending.
    Work,
    /// Empty all node pools (6.12).
    Shrink,
    /// Print the lazy page count.
    Lazy,
    /// Check all invariants.
    Check,
    /// Print a hash of the state.
    Hash {
        /// Only of the free tree.
        free: bool,
    },
    /// Print the state.
    Dump {
        /// Only the free tree.
        free: bool,
    },
    /// What follows is timed.
    Mark,
    /// A request: one of the kernel's entry points.
    Request(Box<RequestOp>),
}

impl Op {
    /// Its word in the script.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Alloc { .. } => "a",
            Self::Free { .. } => "f",
            Self::Purge => "purge",
            Self::Work => "work",
            Self::Shrink => "shrink",
            Self::Lazy => "lazy",
            Self::Check => "check",
            Self::Hash { .. } => "hash",
            Self::Dump { .. } => "dump",
            Self::Mark => "mark",
            Self::Request(request) => request.word(),
        }
    }
}

/// Reads a script. Unknown and unreadable lines are skipped with a problem.
pub fn parse(input: &[u8]) -> Script {
    let mut script = Script::default();
    let (mut problems, mut notes) = (Problems::default(), Notes::default());
    for line in Lines::new(input) {
        let text = trim(line.bytes);
        if let Some(comment) = text.strip_prefix(b"#") {
            if !notes.take(&line, comment, &mut problems) {
                script.header.title.get_or_insert_with(|| String::from_utf8_lossy(trim(comment)).into_owned());
            }
            continue;
        }
        if text.is_empty() {
            continue;
        }
        if let Ok((_, op)) = all_consuming(op).parse(text) {
            script.ops.push(OpLine { line: line.number, op });
            notes.op(script.ops.len(), &mut problems);
        } else if let Some(entry) = entry(text).filter(|entry| script.header.accepts(entry)) {
            script.header.take(entry, line.number);
            notes.header(&mut problems);
        } else {
            let (rest, kind) = blame(text);
            let column = column(line.bytes, rest);
            problems.push(Problem { line: line.number, column, offset: line.start as u64, kind });
        }
    }
    (script.notes, script.problems) = notes.end(problems.into_list());
    script
}

/// Whether a line is an op or a header.
pub(crate) fn accepts(line: &[u8]) -> bool {
    let text = trim(line);
    all_consuming(op).parse(text).is_ok() || entry(text).is_some()
}

fn op(input: &[u8]) -> Res<'_, Op> {
    let (rest, name) = word(input)?;
    match name {
        b"a" => alloc(rest),
        b"f" => free(rest),
        b"purge" => Ok((rest, Op::Purge)),
        b"work" => Ok((rest, Op::Work)),
        b"shrink" => Ok((rest, Op::Shrink)),
        b"lazy" => Ok((rest, Op::Lazy)),
        b"check" => Ok((rest, Op::Check)),
        b"mark" => Ok((rest, Op::Mark)),
        b"hash" => only_free(rest).map(|(rest, free)| (rest, Op::Hash { free })),
        b"dump" => only_free(rest).map(|(rest, free)| (rest, Op::Dump { free })),
        _ => request::request(input).map(|(rest, request)| (rest, Op::Request(Box::new(request)))),
    }
}

fn alloc(input: &[u8]) -> Res<'_, Op> {
    let (rest, (id, size, more)) = (field, field, opt((field, opt((window, opt(cpu)))))).parse(input)?;
    let (align, place) = more.unwrap_or((1, None));
    let (window, cpu) = place.unwrap_or((None, None));
    Ok((rest, Op::Alloc { id, size, align, window, cpu: cpu.unwrap_or(0) }))
}

fn free(input: &[u8]) -> Res<'_, Op> {
    let (rest, (id, cpu)) = (field, opt(cpu)).parse(input)?;
    Ok((rest, Op::Free { id, cpu: cpu.unwrap_or(0) }))
}

/// `VSTART VEND`, or `- -` for the script's range.
fn window(input: &[u8]) -> Res<'_, Option<(u64, u64)>> {
    let given = (field, field).map(Some);
    let whole = (preceded(gap, lit(b"-")), preceded(gap, lit(b"-"))).map(|_| None);
    alt((given, whole)).parse(input)
}

fn cpu(input: &[u8]) -> Res<'_, u32> {
    let (rest, value) = field(input)?;
    u32::try_from(value).map_or_else(|_| stop(input), |cpu| Ok((rest, cpu)))
}

/// Whether the word `free` follows.
fn only_free(input: &[u8]) -> Res<'_, bool> {
    opt(preceded(gap, lit(b"free"))).parse(input).map(|(rest, free)| (rest, free.is_some()))
}

/// A number after blanks.
fn field(input: &[u8]) -> Res<'_, u64> {
    preceded(gap, number).parse(input)
}

/// Blanks and tabs, at least one.
fn gap(input: &[u8]) -> Res<'_, ()> {
    let rest = trim_start(input);
    if rest.len() == input.len() { stop(input) } else { Ok((rest, ())) }
}

/// Why a line is neither an op nor a header, and from where on.
fn blame(text: &[u8]) -> (&[u8], ProblemKind) {
    const KNOWN: [&[u8]; 22] = [
        b"a",
        b"f",
        b"purge",
        b"work",
        b"shrink",
        b"lazy",
        b"check",
        b"hash",
        b"dump",
        b"mark",
        b"era",
        b"range",
        b"cpus",
        b"possible",
        b"early",
        b"autowork",
        b"helpers",
        b"arch",
        b"ram",
        b"numa",
        b"nr_cpus",
        b"register",
    ];
    let name = word(text).map_or(text, |(_, name)| name);
    let shown = String::from_utf8_lossy(name).into_owned();
    if KNOWN.contains(&name) || request::is_known(name) {
        (trim_start(after(text, name.len())), ProblemKind::BrokenOp(shown))
    } else {
        (text, ProblemKind::UnknownOp(shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops(text: &str) -> Vec<Op> {
        let script = parse(text.as_bytes());
        assert_eq!(script.problems, [], "{text}");
        script.ops.into_iter().map(|line| line.op).collect()
    }

    #[test]
    fn header_lines() {
        let script = parse(b"# steps\n# more\nera 6.12\nrange 0x100000 0x140000\ncpus 2\npossible 4\nearly 1 2\nearly 3 4\nautowork 1\nhelpers sched\n");
        let want = ScriptHeader {
            title: Some("steps".into()),
            era: Some("6.12".into()),
            era_line: 3,
            range: Some((0x10_0000, 0x14_0000)),
            cpus: Some(2),
            possible: Some(4),
            early: vec![(1, 2), (3, 4)],
            autowork: true,
            helpers: Helpers::Sched,
            ..ScriptHeader::default()
        };
        assert_eq!((script.header, script.problems), (want, vec![]));
    }

    #[test]
    fn allocations_with_all_their_defaults() {
        let alloc = |align, window, cpu| Op::Alloc { id: 3, size: 4096, align, window, cpu };
        assert_eq!(
            ops("a 3 4096\r\na 3 0x1000 16384\na 3 4096 1 - - 1\n a 3\t4096 1 0x0 0x10000\na 3 4096 1 0x0 0x10000 2"),
            [
                alloc(1, None, 0),
                alloc(16384, None, 0),
                alloc(1, None, 1),
                alloc(1, Some((0, 0x10000)), 0),
                alloc(1, Some((0, 0x10000)), 2),
            ]
        );
    }

    #[test]
    fn the_other_ops() {
        assert_eq!(
            ops("f 7\nf 7 1\npurge\nwork\nshrink\nlazy\ncheck\nhash\nhash free\ndump\ndump free\nmark\n"),
            [
                Op::Free { id: 7, cpu: 0 },
                Op::Free { id: 7, cpu: 1 },
                Op::Purge,
                Op::Work,
                Op::Shrink,
                Op::Lazy,
                Op::Check,
                Op::Hash { free: false },
                Op::Hash { free: true },
                Op::Dump { free: false },
                Op::Dump { free: true },
                Op::Mark,
            ]
        );
    }

    #[test]
    fn a_header_that_no_machine_has_is_a_problem() {
        let script = parse(b"range 0x2000 0x1000\ncpus 0\npossible 0\nearly 0 1\nearly 9 9\nearly 9 12\nearly 11 20\n");
        let lines: Vec<_> = script.problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 7]);
        assert_eq!(script.header, ScriptHeader { early: vec![(9, 12)], ..ScriptHeader::default() });
    }

    #[test]
    fn damaged_lines_cost_one_problem_each() {
        let script = parse(b"a 1 4096\na 2\nb 3\nf 1 2 3\nhash all\n a 5 4096 1 0x0\nf 1\n");
        let got: Vec<_> = script.problems.iter().map(|p| (p.line, p.column, p.kind.clone())).collect();
        let broken = |word: &str| ProblemKind::BrokenOp(word.into());
        assert_eq!(
            got,
            [
                (2, 3, broken("a")),
                (3, 1, ProblemKind::UnknownOp("b".into())),
                (4, 3, broken("f")),
                (5, 6, broken("hash")),
                (6, 4, broken("a")),
            ]
        );
        assert_eq!(script.problems.last().map(|p| p.offset), Some(34));
        assert_eq!(script.ops.len(), 2);
    }
}
