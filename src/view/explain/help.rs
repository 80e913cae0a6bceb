//! What would make a request fit, told.

use super::super::text::{bytes, count, plural};
use super::super::{Role, Row, Span};
use super::{Page, heading, number, say, strong, words};
use crate::insight::explain::{Cheapest, Explanation, Remedy, State, Verdict, Whose};
use crate::log::size::write_bytes;

pub(super) fn rows(told: &Explanation, page: &Page<'_>) -> Vec<Row> {
    if told.remedies.is_empty() {
        return Vec::new();
    }
    let mut rows = heading("What would make it fit");
    for remedy in &told.remedies {
        let (helps, spans) = remedy_words(remedy, told, page);
        let (sign, role) = if helps { ('+', Role::Good) } else { ('-', Role::Bad) };
        rows.extend(page.hung(&format!("  {sign} "), role, &spans));
    }
    let helps = |remedy: &Remedy| !matches!(remedy, Remedy::Purge { fits: false, .. } | Remedy::Smaller(_));
    if told.verdict == Verdict::DoesNotFit && !told.remedies.iter().any(helps) {
        let words = "No area that could leave makes room for it: what stays for ever is in the way.";
        rows.extend(page.hung("  ", Role::Text, &[Span::new(words, Role::Muted)]));
    }
    rows
}

/// Does it help, and how.
fn remedy_words(remedy: &Remedy, told: &Explanation, page: &Page<'_>) -> (bool, Vec<Span>) {
    let page_size = told.page_size.max(1);
    match remedy {
        Remedy::Purge { areas, bytes: waiting, largest, fits } => {
            let back = format!("gives back {}, {}", plural(*areas, "area", "areas"), bytes(*waiting));
            let then = if *fits { ", and then it fits in " } else { ", and then the best stretch has " };
            let end = if *fits { String::new() } else { format!(": {} too small", bytes(told.short_by)) };
            (
                *fits,
                vec![strong("a purge", Role::Text), say(format!(" {back}{then}")), number(bytes(*largest)), say(end)],
            )
        }
        Remedy::Area { leaves, of } => {
            let others = match of {
                1 => ", the only one whose leaving does".to_owned(),
                n => format!(", the smallest of {} that would do, each alone", plural(*n as u64, "area", "areas")),
            };
            let mut spans = vec![strong("one area less", Role::Text), say(": ")];
            spans.extend(leaving(leaves, page));
            spans.extend([say(others), say("; it leaves "), number(bytes(leaves.free.len_bytes()))]);
            (true, spans)
        }
        Remedy::Areas(leaves) => {
            let n = leaves.areas.len() as u64;
            let mut spans = vec![
                strong(format!("{} less", plural(n, "area", "areas")), Role::Text),
                say(format!(" side by side, {} together (no single one does): ", bytes(leaves.bytes))),
            ];
            spans.extend(leaving(leaves, page));
            spans.extend([say("; they leave "), number(bytes(leaves.free.len_bytes()))]);
            (true, spans)
        }
        Remedy::Holder { whose, areas, bytes: held, largest } => {
            let who = match whose {
                Whose::Module(module) => format!("without [{module}]"),
                Whose::Caller(caller, None) => format!("without {caller}"),
                Whose::Caller(caller, Some(module)) => format!("without {caller} [{module}]"),
            };
            let what = format!(", {} of {}, the best stretch has ", plural(*areas, "area", "areas"), bytes(*held));
            (true, vec![strong(who, Role::Text), say(what), number(bytes(*largest))])
        }
        Remedy::Larger { more, option } => (
            true,
            vec![
                strong(format!("vmalloc={}", write_bytes(*option)), Role::Text),
                say(format!(
                    " on the kernel's command line or more: {} more at the lower end. 32-bit x86 and ARM have this \
                     option; elsewhere the range is set when the kernel is built",
                    bytes(*more)
                )),
            ],
        ),
        Remedy::Smaller(size) => (
            true,
            vec![
                strong("a smaller request", Role::Text),
                say(": "),
                number(bytes(*size)),
                say(format!(
                    " ({} bytes) fit, {} bytes of data and the guard page",
                    count(*size),
                    count(size.saturating_sub(page_size))
                )),
            ],
        ),
        Remedy::Alignment(align) => (
            true,
            vec![
                strong("a smaller alignment", Role::Text),
                say(": at a multiple of "),
                number(bytes(*align)),
                say(" it fits"),
            ],
        ),
    }
}

/// Who would have to leave, and where.
fn leaving(leaves: &Cheapest, page: &Page<'_>) -> Vec<Span> {
    let mut spans = Vec::new();
    for (nth, held) in leaves.areas.iter().enumerate() {
        if nth == SHOWN {
            spans.push(say(format!(" and {} more", leaves.areas.len() - SHOWN)));
            break;
        }
        let lead = if nth == 0 { "" } else { ", " };
        let who = words::holder(&leaves.holders[nth], Some(State::Busy));
        spans.push(say(format!("{lead}{who} {} at ", bytes(held.extent.len_bytes()))));
        spans.push(number(page.addr(held.extent.start())));
    }
    spans
}

/// Areas of a run that are named.
const SHOWN: usize = 4;
