//! The holders: who holds the space, how much of it is memory, and how that grew.

use std::cmp::{Ordering, Reverse};

use super::growth::{self, sparkline};
use super::line::Line;
use super::{Glyphs, Role, Row, Span, Target, text};
use crate::insight::holders::{GroupBy, Held};
use crate::insight::{Measure, Verdict};

/// What rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HeldOrder {
    /// Address space, the most first.
    #[default]
    Virtual,
    /// Data pages, the most first.
    Physical,
    /// Areas, the most first.
    Areas,
    /// Growth, the most first.
    Growth,
    /// Name.
    Name,
}

impl HeldOrder {
    /// Every one, in the order of the columns.
    pub const ALL: [Self; 5] = [Self::Areas, Self::Virtual, Self::Physical, Self::Growth, Self::Name];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Virtual => "virtual",
            Self::Physical => "data",
            Self::Areas => "areas",
            Self::Growth => "growth",
            Self::Name => "name",
        }
    }

    fn compare(self, a: &Held, b: &Held) -> Ordering {
        let by = |held: &Held| match self {
            Self::Virtual | Self::Name => i128::from(held.totals.virtual_bytes),
            Self::Physical => i128::from(held.totals.pages),
            Self::Areas => i128::from(held.totals.areas),
            Self::Growth => held.growth,
        };
        match self {
            Self::Name => a.name.cmp(&b.name),
            _ => Reverse(by(a)).cmp(&Reverse(by(b))).then_with(|| a.name.cmp(&b.name)),
        }
    }
}

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct Holders<'a> {
    /// Who holds what, in order: see [`arrange`].
    pub rows: &'a [Held],
    /// What they are put together by.
    pub by: GroupBy,
    /// What they are ordered by.
    pub order: HeldOrder,
    /// Rows whose name has not this in it were left out.
    pub filter: &'a str,
    /// Bytes of a page.
    pub page_size: u64,
    /// Is there a course to draw, of several snapshots?
    pub has_course: bool,
}

/// Leaves out what the filter does not have, and puts the rest in order.
pub fn arrange(rows: &mut Vec<Held>, order: HeldOrder, filter: &str) {
    let wanted = filter.to_lowercase();
    rows.retain(|held| wanted.is_empty() || held.name.to_lowercase().contains(&wanted));
    rows.sort_by(|a, b| order.compare(a, b));
}

/// A column of numbers: its heading, width, and the width of the pane from which on there is room for it.
struct Column {
    head: &'static str,
    order: Option<HeldOrder>,
    width: usize,
    from: u16,
    of: fn(&Held, &Holders<'_>) -> (String, Role),
    /// Only where there is a course.
    of_course: bool,
}

const COLUMNS: [Column; 7] = [
    Column { head: "areas", order: Some(HeldOrder::Areas), width: 7, from: 0, of: areas, of_course: false },
    Column { head: "virtual", order: Some(HeldOrder::Virtual), width: 9, from: 0, of: virtual_bytes, of_course: false },
    Column { head: "data", order: Some(HeldOrder::Physical), width: 9, from: 46, of: physical, of_course: false },
    Column { head: "growth", order: Some(HeldOrder::Growth), width: 10, from: 56, of: growth, of_course: false },
    Column { head: "rate", order: None, width: 11, from: 100, of: rate, of_course: true },
    Column { head: "tables", order: None, width: 9, from: 86, of: tables, of_course: false },
    Column { head: "guard", order: None, width: 9, from: 96, of: guard, of_course: false },
];

/// Columns of the course of one row, and of the word for it.
const COURSE: usize = 14;
const VERDICT: usize = 15;
/// Columns of a name at most: numbers far away from their name are hard to read.
const WIDEST_NAME: usize = 60;
/// From these widths on there is room for them.
const VERDICT_FROM: u16 = 70;
const COURSE_FROM: u16 = 90;

fn areas(held: &Held, _: &Holders<'_>) -> (String, Role) {
    (text::count(held.totals.areas), Role::Text)
}

fn virtual_bytes(held: &Held, _: &Holders<'_>) -> (String, Role) {
    (text::bytes(held.totals.virtual_bytes), Role::Number)
}

fn physical(held: &Held, shown: &Holders<'_>) -> (String, Role) {
    (text::bytes(held.totals.pages.saturating_mul(shown.page_size)), Role::Text)
}

fn growth(held: &Held, _: &Holders<'_>) -> (String, Role) {
    signed(held.growth)
}

fn tables(held: &Held, _: &Holders<'_>) -> (String, Role) {
    (held.table_bytes.map_or_else(String::new, text::bytes), Role::Text)
}

fn guard(held: &Held, _: &Holders<'_>) -> (String, Role) {
    (held.guard_bytes.map_or_else(String::new, text::bytes), Role::Text)
}

fn rate(held: &Held, _: &Holders<'_>) -> (String, Role) {
    match held.per_second {
        Some(rate) if held.growth != 0 => (per_time(rate), if 0.0 < rate { Role::Warn } else { Role::Text }),
        _ => (String::new(), Role::Muted),
    }
}

/// `+4 KiB`, `-1.2 MiB`; `=` where nothing changed.
fn signed(by: i128) -> (String, Role) {
    let words = growth::signed(Measure::Virtual, by);
    match by.signum() {
        1 => (words, Role::Warn),
        -1 => (words, Role::Good),
        _ => ("=".to_owned(), Role::Muted),
    }
}

/// Bytes in a second in the unit of time that people can follow.
pub fn per_time(per_second: f64) -> String {
    let sign = if per_second < 0.0 { '-' } else { '+' };
    let size = per_second.abs();
    let (size, unit) = match size {
        4096.0.. => (size, "s"),
        68.0.. => (size * 60.0, "min"),
        _ => (size * 3600.0, "h"),
    };
    format!("{sign}{}/{unit}", text::bytes_short(size as u64))
}

/// The word of a course, with the colour it deserves.
fn verdict(verdict: &Verdict) -> (&'static str, Role) {
    let role = match verdict {
        Verdict::Grows { .. } => Role::Bad,
        Verdict::Plateau { .. } | Verdict::New { .. } => Role::Warn,
        _ => Role::Muted,
    };
    (verdict.word(), role)
}

/// The rows of the pane from `scroll` on: a heading, the sum, who holds what. `course` draws the course of one of them,
/// in so many columns.
pub fn rows(
    shown: &Holders<'_>,
    (width, height): (u16, u16),
    scroll: usize,
    glyphs: &Glyphs,
    course: &dyn Fn(&Held, usize) -> Vec<u64>,
) -> Vec<Row> {
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| column.from <= width && (shown.has_course || !column.of_course)).collect();
    let has_tables = shown.rows.iter().any(|held| held.table_bytes.is_some());
    let columns: Vec<&Column> =
        columns.into_iter().filter(|column| has_tables || !matches!(column.head, "tables" | "guard")).collect();
    let table = Table { shown, columns, width, glyphs };
    let mut rows = vec![table.heading(), table.sum()];
    let room = usize::from(height).saturating_sub(rows.len());
    for held in shown.rows.iter().skip(scroll).take(room) {
        rows.push(table.row(held, course));
    }
    if shown.rows.is_empty() {
        let words = if shown.filter.is_empty() { "nothing is held" } else { "no name has that in it" };
        rows.push(Line::new(width, glyphs).put(words, Role::Muted).done());
    }
    rows.truncate(height.into());
    rows
}

struct Table<'a> {
    shown: &'a Holders<'a>,
    columns: Vec<&'a Column>,
    width: u16,
    glyphs: &'a Glyphs,
}

impl Table<'_> {
    fn has_verdict(&self) -> bool {
        self.shown.has_course && VERDICT_FROM <= self.width
    }

    fn has_course(&self) -> bool {
        self.shown.has_course && COURSE_FROM <= self.width
    }

    fn name_width(&self) -> usize {
        let numbers: usize = self.columns.iter().map(|column| column.width + 1).sum();
        let verdict = if self.has_verdict() { VERDICT + 1 } else { 0 };
        let course = if self.has_course() { COURSE + 1 } else { 0 };
        usize::from(self.width).saturating_sub(numbers + verdict + course).min(WIDEST_NAME)
    }

    fn heading(&self) -> Row {
        let head = |word: &str, order: Option<HeldOrder>| {
            let is_it = order == Some(self.shown.order);
            let sign = if self.glyphs.ascii { 'v' } else { '▼' };
            if is_it { (format!("{word}{sign}"), Role::Key) } else { (word.to_owned(), Role::Muted) }
        };
        let (name, role) = head(self.shown.by.word(), Some(HeldOrder::Name));
        let mut line = Line::new(self.width, self.glyphs).left(name, self.name_width(), role);
        for column in &self.columns {
            let (word, role) = head(column.head, column.order);
            line = line.gap(1).right(word, column.width, role);
        }
        if self.has_course() {
            line = line.gap(1).left("course", COURSE, Role::Muted);
        }
        if self.has_verdict() {
            line = line.gap(1).left("verdict", VERDICT, Role::Muted);
        }
        line.done()
    }

    fn sum(&self) -> Row {
        let rows = self.shown.rows;
        let add = |of: fn(&Held) -> Option<u64>| {
            let some: Vec<u64> = rows.iter().filter_map(of).collect();
            (!some.is_empty()).then(|| some.into_iter().fold(0_u64, u64::saturating_add))
        };
        let all = Held {
            name: format!("all {} together", text::count(rows.len() as u64)),
            totals: crate::insight::Totals {
                areas: add(|held| Some(held.totals.areas)).unwrap_or(0),
                virtual_bytes: add(|held| Some(held.totals.virtual_bytes)).unwrap_or(0),
                pages: add(|held| Some(held.totals.pages)).unwrap_or(0),
            },
            guard_bytes: add(|held| held.guard_bytes),
            table_bytes: add(|held| held.table_bytes),
            lowest: None,
            growth: rows.iter().map(|held| held.growth).sum(),
            per_second: Some(rows.iter().filter_map(|held| held.per_second).sum()),
            verdict: None,
            key: None,
        };
        let mut row = self.row(&all, &|_, _| Vec::new());
        row.spans.iter_mut().for_each(|span| span.strong = true);
        row
    }

    fn row(&self, held: &Held, course: &dyn Fn(&Held, usize) -> Vec<u64>) -> Row {
        let mut line = Line::new(self.width, self.glyphs).left(&held.name, self.name_width(), Role::Text);
        for column in &self.columns {
            let (words, role) = (column.of)(held, self.shown);
            line = line.gap(1).right(words, column.width, role);
        }
        if self.has_course() {
            line = line.gap(1).left(sparkline(&course(held, COURSE), self.glyphs), COURSE, Role::Number);
        }
        if self.has_verdict() {
            let (word, role) = held.verdict.as_ref().map_or(("", Role::Muted), verdict);
            line = line.gap(1).left(word, VERDICT, role);
        }
        let row = line.done();
        match held.lowest {
            Some(start) => Row { target: Some(Target::Address(start)), ..row },
            None => row,
        }
    }
}

/// The title of the pane.
pub fn title(shown: &Holders<'_>) -> Vec<Span> {
    let mut title = vec![
        Span::new("holders", Role::Title),
        Span::new(format!("  by {}, most {} first", shown.by.word(), shown.order.word()), Role::Muted),
    ];
    if shown.order == HeldOrder::Name {
        title[1] = Span::new(format!("  by {}, in order of names", shown.by.word()), Role::Muted);
    }
    if !shown.filter.is_empty() {
        title.push(Span::new(format!("  with {:?}", shown.filter), Role::Key));
    }
    title
}
