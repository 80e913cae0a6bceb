//! Why an area lies where it lies, told.

use super::super::line::flow;
use super::super::text::{bytes, count, plural};
use super::super::{Role, Row, Span};
use super::{LABEL, Page, heading, number, say, strong, words};
use crate::insight::explain::{Answered, AskedFrom, Lower, Reason, Short, SizeFrom, WhyHere};
use crate::replay::Verdict;

/// The whole answer.
pub fn rows(told: &WhyHere, page: &Page<'_>) -> Vec<Row> {
    let mut rows = flow(&verdict(told, page), page.width, 0, page.glyphs);
    rows.push(Row::default());
    rows.extend(
        page.fact("area", &[number(page.extent(told.area)), say(format!(", {}", bytes(told.area.len_bytes())))]),
    );
    rows.extend(asked(told, page));
    rows.extend(page.fact(
        "looked at",
        &[say(match (told.is_then, told.asked.from) {
            (true, _) => "the state right before it was placed",
            (false, AskedFrom::Event(_)) => "the state at the cursor, not that of its allocation",
            (false, _) => "today's holes, not those of its allocation",
        })],
    ));
    rows.extend(lower(told, page));
    if !told.asked.doubts.is_empty() {
        rows.extend(heading("To keep in mind"));
        for one in &told.asked.doubts {
            let sign = format!("  {} ", page.glyphs.dot);
            rows.extend(page.hung(&sign, Role::Muted, &[say(words::doubt(*one, page))]));
        }
    }
    rows
}

/// How the address came about, in a sentence.
fn verdict(told: &WhyHere, page: &Page<'_>) -> Vec<Span> {
    let n_fit: u64 = told.counts.iter().filter(|(reason, ..)| is_fitting(*reason)).map(|(_, n, ..)| n).sum();
    let n_lower: u64 = told.counts.iter().filter(|(reason, ..)| *reason != Reason::Below).map(|(_, n, ..)| n).sum();
    match told.answered {
        Answered::Search { hole } => {
            let mut said = match (n_lower, n_fit) {
                (0, _) => vec![strong("It lies in the lowest hole there was", Role::Good)],
                (n, 0) => vec![
                    strong("It lies as low as it could", Role::Good),
                    say(format!(": none of the {} below would do", plural(n, "place", "places"))),
                ],
                (n, fit) => vec![
                    strong("It does not lie as low as it could", Role::Warn),
                    say(format!(": of {} below {} would have done", plural(n, "place", "places"), count(fit))),
                ],
            };
            said.extend([
                say("; it was cut from the hole "),
                number(page.extent(hole)),
                say(format!(" of {}{}.", bytes(hole.len_bytes()), first_multiple(told, hole.start()))),
            ]);
            if let Verdict::Inferred(timing) = told.judged {
                said.push(say(format!(" As far as the trace tells: {}.", timing.because())));
            }
            said
        }
        Answered::Pool { node } => vec![
            strong("No hole was looked for", Role::Warn),
            say(format!(
                ": the pool of node {node} had an area of exactly {} pages, and gave it.",
                count(told.area.len_bytes() / page_size(told))
            )),
        ],
        Answered::TopDown => vec![
            strong("It is a per-CPU chunk", Role::Warn),
            say(": those are looked for from the top of the range downwards, at a distance that all groups share."),
        ],
        Answered::Recorded { model: Some(model) } => vec![
            strong("The record says so", Role::Warn),
            say("; the model, with what it knows, would have placed it at "),
            number(page.addr(model)),
            say(because(told)),
        ],
        Answered::Recorded { model: None } => vec![
            strong("The record says so", Role::Warn),
            say("; the model, with what it knows, finds no place for it"),
            say(because(told)),
        ],
        Answered::Untold if n_fit == 0 => vec![
            strong("It lies as low as it could today", Role::Good),
            say(format!(
                ": none of the {} below would do. How it was then is not known.",
                plural(n_lower, "place", "places")
            )),
        ],
        Answered::Untold => vec![
            strong("Today it could lie lower", Role::Warn),
            say(format!(
                ": of {} below {} would do. Then they were taken, or not purged, or it asked for more than is known.",
                plural(n_lower, "place", "places"),
                count(n_fit)
            )),
        ],
    }
}

/// Where in its hole it begins, if not at the hole's own beginning.
fn first_multiple(told: &WhyHere, hole: u64) -> String {
    match told.asked.window.vstart {
        _ if told.area.start() == hole => String::new(),
        vstart if told.area.start() == vstart => ", at the start of the window".to_owned(),
        _ if page_size(told) < told.asked.align => {
            format!(", at its first multiple of {}", bytes(told.asked.align))
        }
        _ => String::new(),
    }
}

/// What the replay said of it.
fn because(told: &WhyHere) -> String {
    super::super::divergence::because(told.judged).map_or_else(|| ".".to_owned(), |why| format!(": {why}."))
}

/// Bytes in a page, as far as the request tells: sizes are in whole pages.
fn page_size(told: &WhyHere) -> u64 {
    told.page_size.max(1)
}

/// Would it have fit there, as the space was searched?
fn is_fitting(reason: Reason) -> bool {
    matches!(reason, Reason::Padded | Reason::NotLooked | Reason::FreeToday)
}

fn asked(told: &WhyHere, page: &Page<'_>) -> Vec<Row> {
    let asked = &told.asked;
    let mut said = vec![number(bytes(asked.size))];
    if let SizeFrom::Data(data) = asked.size_from {
        said.push(say(format!(" for {} bytes", count(data))));
    }
    said.push(match asked.align {
        align if align <= page_size(told) => say(" at any page"),
        align => say(format!(" at a multiple of {}", bytes(align))),
    });
    said.extend([say(", in "), number(format!("{}-{}", page.addr(asked.window.vstart), page.addr(asked.window.vend)))]);
    let mut rows = page.fact("asked for", &said);
    if let AskedFrom::Event(seq) = asked.from {
        rows.extend(page.fact("by", &[say(words::event(seq, page))]));
    }
    rows
}

/// The lower places: counts by reason, and of each the few that came closest.
fn lower(told: &WhyHere, page: &Page<'_>) -> Vec<Row> {
    if told.counts.is_empty() {
        return page.fact("lower", &[say("there was nothing free")]);
    }
    let mut rows = heading("What lay below, and why it was not taken");
    for &(reason, n, least, most) in &told.counts {
        let range = match (least, most) {
            (0, 0) => String::new(),
            (least, most) if bytes(least) == bytes(most) => format!(", by {}", bytes(least)),
            (least, most) => format!(", by {} to {}", bytes(least), bytes(most)),
        };
        let role = if is_fitting(reason) { Role::Warn } else { Role::Text };
        let lead = format!("{:>LABEL$}  ", count(n));
        rows.extend(page.hung(&lead, Role::Number, &[Span::new(format!("{}{range}", words_of(reason, told)), role)]));
        let shown: Vec<&Lower> = told.lower.iter().filter(|place| place.reason == reason).collect();
        for place in &shown {
            let missing =
                if place.missing == 0 { String::new() } else { format!("{} too small", bytes(place.missing)) };
            let lead = vec![
                number(format!("{}{}", " ".repeat(LABEL + 4), page.addr(place.extent.start()))),
                Span::new(format!("{:>10}  ", bytes(place.extent.len_bytes())), Role::Free),
            ];
            rows.extend(page.hung_from(lead, &[Span::new(missing, Role::Muted)]));
        }
        if shown.len() < n as usize && !shown.is_empty() {
            let rest = format!("{} and {} more", page.glyphs.ellipsis, count(n - shown.len() as u64));
            rows.extend(page.hung(&" ".repeat(LABEL + 4), Role::Text, &[Span::new(rest, Role::Muted)]));
        }
    }
    rows
}

fn words_of(reason: Reason, told: &WhyHere) -> String {
    let align = bytes(told.asked.align);
    match reason {
        Reason::Short(Short::TooSmall) => "too small".to_owned(),
        Reason::Short(Short::Clipped) => "long enough, but not inside the window".to_owned(),
        Reason::Short(Short::Alignment) => format!("long enough, but not from a multiple of {align} on"),
        Reason::Lazy => "long enough with what was freed there, but that was not purged yet".to_owned(),
        Reason::Pooled => "long enough with what was parked in pools there".to_owned(),
        Reason::Padded => "would fit, but above page alignment the search asks for size + alignment - 1".to_owned(),
        Reason::NotLooked => "would fit, but the search did not begin there or chose another".to_owned(),
        Reason::FreeToday => "would fit today".to_owned(),
        Reason::Below => "outside the window".to_owned(),
    }
}
