//! Why a request finds no place, told: the verdict in one sentence, then what it rests on. The same rows stand in the
//! overlay and in what `vmaplens explain` prints.

mod help;
mod here;
mod words;

use super::line::flow;
use super::text::{self, bytes, count, plural};
use super::{Glyphs, Role, Row, Span};
use crate::insight::Totals;
use crate::insight::explain::{
    Asked, AskedFrom, Close, Explanation, HeldBy, RangeFrom, Reasons, Short, SizeFrom, Verdict,
};
use crate::log::Log;
use crate::model::Extent;

pub use here::rows as here_rows;
pub use words::{doubt, short};

/// Where an answer is read.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// What it is about.
    pub log: &'a Log,
    /// Characters to draw with.
    pub glyphs: &'a Glyphs,
    /// Columns.
    pub width: usize,
    /// Addresses have eight digits.
    pub is_32_bit: bool,
}

/// Columns of the words in front of the facts.
const LABEL: usize = 10;
/// Callers that are named.
const CALLERS: usize = 8;

impl Page<'_> {
    fn addr(&self, addr: u64) -> String {
        text::addr(addr, self.is_32_bit)
    }

    fn extent(&self, extent: Extent) -> String {
        format!("{}-{}", self.addr(extent.start()), self.addr(extent.end()))
    }

    /// A word, and beside it facts on as many lines as they take.
    fn fact(&self, label: &str, spans: &[Span]) -> Vec<Row> {
        self.hung(&format!("{label:<LABEL$}"), Role::Muted, spans)
    }

    /// A sign or a word, and what follows it indented by its width.
    fn hung(&self, label: &str, role: Role, spans: &[Span]) -> Vec<Row> {
        self.hung_from(vec![Span::new(label, role)], spans)
    }

    /// The same behind several words, whose blanks are kept.
    fn hung_from(&self, lead: Vec<Span>, spans: &[Span]) -> Vec<Row> {
        let indent = lead.iter().map(|span| text::width(&span.text)).sum();
        let mut rows = flow(spans, self.width.saturating_sub(indent).max(16), 0, self.glyphs);
        let mut lead = Some(lead);
        for row in &mut rows {
            let lead = lead.take().unwrap_or_else(|| vec![say(" ".repeat(indent))]);
            row.spans.splice(0..0, lead);
        }
        rows
    }
}

/// A blank row, and a heading.
fn heading(words: &str) -> Vec<Row> {
    vec![Row::default(), Row { spans: vec![strong(words, Role::Title)], ..Row::default() }]
}

fn strong(words: impl Into<String>, role: Role) -> Span {
    Span { strong: true, ..Span::new(words, role) }
}

fn say(words: impl Into<String>) -> Span {
    Span::new(words, Role::Text)
}

fn number(words: impl Into<String>) -> Span {
    Span::new(words, Role::Number)
}

/// The whole answer.
pub fn rows(told: &Explanation, page: &Page<'_>) -> Vec<Row> {
    let mut rows = flow(&verdict(told, page), page.width, 0, page.glyphs);
    rows.push(Row::default());
    rows.extend(asked(&told.asked, told, page));
    rows.extend(free(told, page));
    rows.extend(close(told, page));
    rows.extend(holders(told, page));
    rows.extend(help::rows(told, page));
    if !told.doubts.is_empty() {
        rows.extend(heading("To keep in mind"));
        for one in &told.doubts {
            let sign = format!("  {} ", page.glyphs.dot);
            rows.extend(page.hung(&sign, Role::Muted, &[say(doubt(*one, page))]));
        }
    }
    rows
}

/// The verdict, in a sentence.
fn verdict(told: &Explanation, page: &Page<'_>) -> Vec<Span> {
    let asked = &told.asked;
    match told.verdict {
        Verdict::Fits { at } if words::was_served(asked, page) => {
            vec![
                strong("It was given a place", Role::Good),
                say(": "),
                number(page.addr(at)),
                say(". Nothing failed here."),
            ]
        }
        Verdict::Fits { at } => {
            let mut said = vec![
                strong("It fits", Role::Good),
                say(": at "),
                number(page.addr(at)),
                say(", so that a lack of address space is not the reason. "),
            ];
            said.push(say(words::other_reasons(asked)));
            said
        }
        Verdict::FitsAfterPurge { at } => vec![
            strong("It fits after a purge", Role::Warn),
            say(": at "),
            number(page.addr(at)),
            say(match told.now.fitting {
                0 => ". No hole is long enough before it; the kernel purges by itself and asks once more.",
                _ => {
                    ". Before it the search does not come to a hole that would do; the kernel purges by itself and \
                      asks once more."
                }
            }),
        ],
        Verdict::PassedBy { at } => vec![
            strong(
                match told.now.fitting {
                    0 => "It is refused although it would fit after a purge",
                    _ => "It is refused although it would fit",
                },
                Role::Bad,
            ),
            say(": at "),
            number(page.addr(at)),
            say(", but the kernel's search does not come to that hole."),
        ],
        Verdict::DoesNotFit => vec![
            strong("It does not fit", Role::Bad),
            say(": "),
            number(bytes(told.short_by)),
            say(" are missing"),
            say(if 0 < told.holders.lazy.areas + told.holders.pooled.areas { ", also after a purge." } else { "." }),
        ],
        Verdict::CannotFit => vec![
            strong("It cannot fit", Role::Bad),
            say(": the window has "),
            number(bytes(super::focus::window_bytes(asked.window))),
            say(", the request needs "),
            number(bytes(asked.size)),
            say(". Whatever leaves, it does not help."),
        ],
        Verdict::NotKnown if told.has_addresses => vec![
            strong("It does not fit between the areas that are listed", Role::Warn),
            say(", by "),
            number(bytes(told.short_by)),
            say("; whether the range goes on beyond them is not told. --range says where it lies."),
        ],
        Verdict::NotKnown => vec![
            strong("Whether it fits cannot be told", Role::Warn),
            say(": the file shows no addresses, so that holes are not known. Who holds how much is."),
        ],
    }
}

/// What was asked for, and how the size came about.
fn asked(asked: &Asked, told: &Explanation, page: &Page<'_>) -> Vec<Row> {
    let page_size = told.page_size.max(1);
    let mut size = vec![number(bytes(asked.size)), say(format!(" in one piece, {} bytes: ", count(asked.size)))];
    size.push(say(match asked.size_from {
        SizeFrom::Area => format!("the guard page of {} is in it", bytes(page_size)),
        SizeFrom::Data(data) => format!("{} in whole pages and a guard page of {}", count(data), bytes(page_size)),
    }));
    let mut rows = page.fact("asked for", &size);
    let mut place = match asked.align {
        align if align <= page_size => vec![say("at any page")],
        align => vec![say("at a multiple of "), number(bytes(align))],
    };
    if told.range_from != RangeFrom::Unknown {
        let window = asked.window;
        place.extend([
            say(", in "),
            number(format!("{}-{}", page.addr(window.vstart), page.addr(window.vend))),
            say(format!(", {}", bytes(super::focus::window_bytes(window)))),
        ]);
    }
    rows.extend(page.fact("", &place));
    let from = match asked.from {
        AskedFrom::Event(seq) => words::event(seq, page),
        AskedFrom::Message(seq, _) => words::message(seq, page),
        AskedFrom::Option => return rows,
    };
    rows.extend(page.fact("by", &[say(from)]));
    rows
}

/// What is free, and what a purge makes of it.
fn free(told: &Explanation, page: &Page<'_>) -> Vec<Row> {
    if !told.has_addresses {
        return Vec::new();
    }
    let mut rows = Vec::new();
    let now = &told.now;
    let mut said = match now.best {
        None => vec![say("nothing in the window")],
        Some(room) => vec![
            number(bytes(now.bytes)),
            say(format!(" in {}, the largest ", plural(now.holes, "hole", "holes"))),
            number(bytes(now.largest)),
            say(if room.inside == now.largest {
                format!(" at {}", page.addr(room.hole.start()))
            } else {
                String::new()
            }),
        ],
    };
    if now.best.is_some_and(|room| room.bytes < now.largest) {
        let best = now.best.map_or(0, |room| room.bytes);
        said.push(say(format!(", of which at best {} begin at an aligned address", bytes(best))));
    }
    rows.extend(page.fact("free", &said));
    let holders = &told.holders;
    let waits = |totals: Totals, what: &str| {
        (0 < totals.areas)
            .then(|| format!("{} {what}, {}", plural(totals.areas, "area", "areas"), bytes(totals.virtual_bytes)))
    };
    let waiting: Vec<String> = [waits(holders.lazy, "freed and not purged"), waits(holders.pooled, "parked in pools")]
        .into_iter()
        .flatten()
        .collect();
    let said = if waiting.is_empty() {
        vec![say("nothing in the window waits for one")]
    } else {
        vec![
            say(format!("{}; then the largest stretch has ", waiting.join("; "))),
            number(bytes(told.purged.largest)),
            say(if told.purged.largest == now.largest { ", as before" } else { "" }),
        ]
    };
    rows.extend(page.fact("purge", &said));
    rows
}

/// The holes that came closest.
fn close(told: &Explanation, page: &Page<'_>) -> Vec<Row> {
    if told.close.is_empty() {
        return Vec::new();
    }
    let mut rows = heading("The holes that came closest");
    for hole in &told.close {
        rows.extend(closest(hole, told, page));
    }
    if !told.reasons.is_empty() {
        let refused: u64 = told.reasons.iter().map(|reason| reason.holes).sum();
        let each: Vec<String> = told.reasons.iter().map(by_reason).collect();
        let words = format!("{} refused: {}.", plural(refused, "hole", "holes"), each.join("; "));
        rows.extend(page.hung("  ", Role::Text, &[Span::new(words, Role::Muted)]));
    }
    rows
}

fn closest(hole: &Close, told: &Explanation, page: &Page<'_>) -> Vec<Row> {
    let lead = vec![
        number(format!("  {}", page.addr(hole.room.hole.start()))),
        Span::new(format!("{:>10}  ", bytes(hole.room.inside)), Role::Free),
    ];
    let said = match hole.why {
        None => Span::new("it fits", Role::Good),
        Some(why) => say(short(why, hole, told)),
    };
    let side = |beside: &Option<crate::insight::explain::Beside>| {
        beside.as_ref().map(|beside| {
            let size = text::bytes_short(beside.held.extent.len_bytes());
            format!("{} {size}", words::holder(&beside.holder, Some(beside.held.state)))
        })
    };
    let (below, above) = (side(&hole.below), side(&hole.above));
    let mut rows = page.hung_from(lead, &[said]);
    let between = match (below, above) {
        (Some(below), Some(above)) => format!("between {below} and {above}"),
        (Some(below), None) => format!("above {below}"),
        (None, Some(above)) => format!("below {above}"),
        (None, None) => return rows,
    };
    rows.extend(page.hung("    ", Role::Text, &[Span::new(between, Role::Muted)]));
    rows
}

/// `217 too small, by 8 KiB to 816 KiB`.
fn by_reason(reason: &Reasons) -> String {
    let (least, most) = (bytes(reason.least), bytes(reason.most));
    let range = if least == most { least } else { format!("{least} to {most}") };
    let why = match reason.why {
        Short::TooSmall => "too small, by",
        Short::Clipped => "long enough, but not inside the window, by",
        Short::Alignment => "long enough, but not from an aligned address on, by",
    };
    format!("{} {why} {range}", count(reason.holes))
}

/// Who holds the window.
fn holders(told: &Explanation, page: &Page<'_>) -> Vec<Row> {
    let holders = &told.holders;
    if holders.busy.areas == 0 {
        return page.fact("in use", &[say("nothing in the window")]);
    }
    let where_ = if told.has_addresses { "Who holds the window" } else { "Who holds the areas of the file" };
    let mut rows = heading(where_);
    let size = |held: &HeldBy| bytes(held.totals.virtual_bytes);
    let shown = &holders.by_caller[..holders.by_caller.len().min(CALLERS)];
    let room = shown.iter().map(|held| text::width(&size(held))).max().unwrap_or(0).max(9);
    for held in shown {
        let lead = format!("  {:>room$}  {:>11}  ", size(held), plural(held.totals.areas, "area", "areas"));
        rows.extend(page.hung(&lead, Role::Number, &[say(words::holder(&held.holder, None))]));
    }
    let rest = &holders.by_caller[shown.len()..];
    if !rest.is_empty() {
        let bytes_of_rest = rest.iter().fold(0_u64, |sum, held| sum.saturating_add(held.totals.virtual_bytes));
        let areas: u64 = rest.iter().map(|held| held.totals.areas).sum();
        let lead = format!("  {:>room$}  {:>11}  ", bytes(bytes_of_rest), plural(areas, "area", "areas"));
        let others = plural(rest.len() as u64, "other", "others");
        rows.extend(page.hung(&lead, Role::Number, &[Span::new(others, Role::Muted)]));
    }
    let named = |held: &HeldBy, name: &str| format!("{name} {} in {}", size(held), count(held.totals.areas));
    let kinds = holders.by_kind.iter().filter(|held| !held.holder.kind.is_empty());
    let kinds: Vec<String> = kinds.map(|held| named(held, held.holder.kind)).collect();
    if !kinds.is_empty() {
        rows.extend(page.hung("  by kind: ", Role::Muted, &[say(kinds.join("; "))]));
    }
    let modules =
        holders.by_module.iter().filter_map(|held| Some(named(held, &format!("[{}]", held.holder.module.as_ref()?))));
    let modules: Vec<String> = modules.take(CALLERS).collect();
    if !modules.is_empty() {
        rows.extend(page.hung("  by module: ", Role::Muted, &[say(modules.join("; "))]));
    }
    if 0 < holders.of_kind("ioremap").areas {
        let words = "Ioremaps take address space, but VmallocUsed of /proc/meminfo leaves them out.";
        rows.extend(page.hung("  ", Role::Text, &[Span::new(words, Role::Muted)]));
    }
    rows
}
