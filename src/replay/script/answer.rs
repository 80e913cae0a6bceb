//! What an op of a script answers, as the line (of `dump` the lines) of the result file.

mod request;

use std::fmt::Write;

use parsers::ops::Op as Asked;

use crate::model::space::digest_of;
use crate::model::{AddressSpace, Allocator, Answer, Op, Purged};
use crate::policy::rules::{BadArguments, Failure, Rules};

/// What an answer follows from: the op, what the model did and answered, and for questions the state after it.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The op.
    pub op: &'a Asked,
    /// The operations it consisted of.
    pub ops: &'a [Op],
    /// The answer to each.
    pub answers: &'a [Answer],
    /// What a question answers, or why nothing was done.
    pub said: Option<&'a str>,
    /// The state after it.
    pub space: &'a AddressSpace,
    /// The release.
    pub rules: &'a Rules,
}

/// Appends the answer, newline included.
pub fn write(asking: &Asking<'_>, out: &mut String) {
    let Asking { op, answers, rules, .. } = *asking;
    let allocator = asking.space.allocator();
    match *op {
        _ if asking.said.is_some() => out.push_str(asking.said.unwrap_or_default()),
        Asked::Alloc { .. } => match answers.iter().rev().find(|answer| !matches!(answer, Answer::Drained(_))) {
            Some(Answer::Placed(extent)) => push(out, format_args!("{:x}", extent.start())),
            Some(Answer::Rejected(_)) if rules.bad_arguments == BadArguments::Bug => out.push_str("BUG"),
            Some(Answer::Rejected(_)) if rules.bad_arguments == BadArguments::Einval => out.push_str("EINVAL"),
            _ => out.push_str(match rules.failure {
                Failure::Null => "NULL",
                Failure::Ebusy => "EBUSY",
            }),
        },
        Asked::Free { .. } => out.push(if answers.is_empty() { '-' } else { '.' }),
        Asked::Purge => out.push_str("purge"),
        Asked::Work => push(out, format_args!("work {}", u8::from(!answers.is_empty()))),
        Asked::Shrink => match answers.first() {
            Some(Answer::Shrunk(Some(n))) => push(out, format_args!("shrink {n}")),
            _ => out.push_str("shrink -1"),
        },
        Asked::Lazy => {
            let pending = u8::from(allocator.drain_pending());
            push(out, format_args!("lazy {} {pending}", allocator.lazy_pages()));
        }
        Asked::Check => match allocator.audit() {
            Ok(()) => out.push_str("check ok"),
            Err(broken) => push(out, format_args!("check failed: {broken}")),
        },
        Asked::Hash { free } => {
            let name = if free { "hashf" } else { "hash" };
            push(out, format_args!("{name} {:016x}", digest_of(allocator, free)));
        }
        Asked::Dump { free } => {
            out.push_str("dump\n");
            // Writing to a string cannot fail.
            let _ = allocator.dump(free, out);
            out.push_str("end");
        }
        Asked::Mark => out.push_str("mark"),
        Asked::Request(ref request) => request::write(asking, request, out),
    }
    consequences(op, answers, allocator, out);
    out.push('\n');
}

/// The flushes, whether work was queued, and with `autowork` what it did.
fn consequences(op: &Asked, answers: &[Answer], allocator: &dyn Allocator, out: &mut String) {
    // Flushes of the op come first; work that ran after it stands behind.
    for answer in answers {
        match answer {
            Answer::Purged(purged) => push_flush(out, purged),
            Answer::Drained(purges) if *op == Asked::Work => push_flushes(out, purges),
            _ => {}
        }
    }
    for answer in answers {
        match answer {
            Answer::Freed(freed) if freed.drain_due && !allocator.drains_inline() => out.push_str(" W"),
            Answer::Drained(purges) if *op != Asked::Work => {
                out.push_str(" R");
                push_flushes(out, purges);
            }
            _ => {}
        }
    }
}

fn push_flushes(out: &mut String, purges: &[Purged]) {
    for purged in purges {
        push_flush(out, purged);
    }
}

fn push_flush(out: &mut String, purged: &Purged) {
    if let Some((start, end)) = purged.flush {
        push(out, format_args!(" T{start:x}-{end:x}"));
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}
