//! Data pages in words: how they were asked for, what the buddy allocator did, how they went back.

use super::super::{Role, text};
use super::Words;
use super::stages::{Context, pages};
use crate::model::Stage;
use crate::model::frames::{PagesTold, ZoneKind};

/// A stage about data pages.
pub(super) fn of(context: &Context<'_, '_>, stage: &Stage) -> (&'static str, Words) {
    let words = Words::default();
    match stage {
        Stage::PagesTaken { asked, limit, told } => (context.names.pages, taken(*asked, *limit, told)),
        Stage::PagesGiven { pages: n, merges } => {
            (context.names.free, words.number(pages(*n)).say(" back to the buddy allocator").say(joined(*merges)))
        }
        Stage::PagesLost { pages: n } => (
            "",
            words.number(pages(*n)).of(" lost", Role::Bad).say(": in use for good, and nobody knows them any more"),
        ),
        _ => ("", words),
    }
}

fn joined(merges: u64) -> String {
    if merges == 0 { String::new() } else { format!(", joined {} with their buddies", times(merges)) }
}

fn times(n: u64) -> String {
    if n == 1 { "once".to_owned() } else { format!("{} times", text::count(n)) }
}

/// How pages were asked for: `3 bulk calls, 0 singles`.
pub(in crate::view) fn how(told: &PagesTold) -> String {
    let orders = told.orders.iter().enumerate().rev().filter(|(_, order)| order.tried > 0);
    let mut parts: Vec<String> = orders
        .map(|(order, told)| match told.got {
            got if got == told.tried => format!("order {order}: {}", text::count(got.into())),
            got => format!("order {order}: {} of {} tries", text::count(got.into()), text::count(told.tried.into())),
        })
        .collect();
    if told.bulk_calls > 0 {
        parts.push(text::plural(told.bulk_calls, "bulk call", "bulk calls"));
    }
    if told.bulk_calls > 0 || told.single_calls > 0 {
        parts.push(text::plural(told.single_calls, "single", "singles"));
    }
    parts.join(", ")
}

fn taken(asked: u64, limit: ZoneKind, told: &PagesTold) -> Words {
    let words = Words::default();
    let words = match told.got {
        got if got == asked => words.number(pages(asked)),
        got => words.of(format!("only {} of {}", text::count(got), pages(asked)), Role::Bad),
    };
    let words = words.say(": ").say(how(told));
    let words = match told.splits {
        0 => words,
        n => words.say(format!("; {} cut", text::plural(n, "block", "blocks"))),
    };
    match limit {
        ZoneKind::HighMem => words,
        limit => words.say(format!("; zone {} or below", limit.name())),
    }
}
