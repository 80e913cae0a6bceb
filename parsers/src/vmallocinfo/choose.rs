//! Puts a broken row together: how many of the lines below belong to it, and which line ends were blanks.

use super::clean::{Flat, Joint};
use super::words::{self, Columns, Reading};
use super::{Area, pairs::Pair};
use crate::ProblemKind;

/// Most lines below a row that can belong to it, blank ones included.
const MAX_LINES: usize = 16;
/// Longest line that continues a row, in bytes.
const MAX_BYTES: usize = 200;
/// Readings that are followed from line to line.
const MAX_READINGS: usize = 8;
/// Readings that cost as much as this are no rows.
const MAX_PRICE: u32 = 120;
/// Price of a blank line inside a row.
const BLANK_LINE: u32 = 3;

/// The tail of a row, put together in one way.
#[derive(Debug, Clone, Default)]
struct Candidate {
    text: Vec<u8>,
    /// Where each byte comes from.
    from: Vec<usize>,
    price: u32,
    /// What every reading of it with more lines costs at least.
    floor: u32,
}

/// The best reading of a row.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) area: Area<'static>,
    /// What was done, and at which bytes of the stretch.
    pub(super) notes: Vec<(usize, ProblemKind)>,
    /// Where the row ends: text from here on is not its own.
    pub(super) until: usize,
    /// How doubtful the reading is.
    pub(super) price: u32,
}

/// Reads the row of a pair; its tail is at most the text up to `end`.
pub(super) fn choose(
    flat: &Flat<'_>,
    pair: &Pair,
    end: usize,
    area: &Area<'static>,
    columns: Columns<'_>,
) -> Option<Chosen> {
    let mut best: Option<Chosen> = None;
    let mut candidates = vec![Candidate::default()];
    let mut at = pair.until;
    let mut n_blank = 0;
    for n_lines in 0..=MAX_LINES {
        let line = flat.text.get(at..end)?;
        let n = memchr::memchr(b'\n', line).unwrap_or(line.len());
        if 0 < n_lines && MAX_BYTES < n || 1 < n_blank {
            break;
        }
        let is_blank = n == 0 && 0 < n_lines;
        n_blank = if is_blank { n_blank + 1 } else { 0 };
        let joint = if n_lines == 0 || is_blank { None } else { Some(flat.joint(at - 1)) };
        candidates = extended(&candidates, flat, at..at + n, joint);
        let mut level: Option<Chosen> = None;
        for candidate in &mut candidates {
            candidate.price += u32::from(is_blank) * BLANK_LINE;
            let Some(reading) = words::read(&candidate.text, area.clone(), columns) else { continue };
            let price = reading.price + candidate.price;
            candidate.floor = reading.floor + candidate.price;
            if level.as_ref().is_none_or(|level| price < level.price) {
                level = Some(chosen(reading, candidate, price, at + n));
            }
        }
        if let Some(level) = level.filter(|_| !is_blank)
            && best
                .as_ref()
                .is_none_or(|best| level.price < best.price || level.price == best.price && level.area != best.area)
        {
            best = Some(level);
        }
        // Prices only rise: what costs too much already is not looked at again.
        let most = best.as_ref().map_or(MAX_PRICE - 1, |best| best.price.min(MAX_PRICE - 1));
        candidates.retain(|candidate| candidate.floor <= most);
        at += n + 1;
        if end < at || candidates.is_empty() {
            break;
        }
    }
    best.filter(|best| best.price < MAX_PRICE)
}

fn chosen(reading: Reading<'_>, candidate: &Candidate, price: u32, until: usize) -> Chosen {
    let place = |at: usize| candidate.from.get(at).or(candidate.from.last()).copied().unwrap_or(until);
    let notes = reading.notes.into_iter().map(|(at, kind)| (place(at), kind)).collect();
    Chosen { area: reading.area.into_owned(), notes, until, price }
}

/// Every candidate with one more line, in every way that it can go on.
fn extended(
    candidates: &[Candidate],
    flat: &Flat<'_>,
    line: std::ops::Range<usize>,
    joint: Option<Joint>,
) -> Vec<Candidate> {
    let text = flat.text.get(line.clone()).unwrap_or_default();
    let mut all = Vec::new();
    for candidate in candidates {
        let ways: &[bool] = match joint {
            None => &[false],
            Some(Joint::Blank) => &[true],
            Some(Joint::Open) => &[true, false],
        };
        for blank in ways {
            let mut longer = candidate.clone();
            if *blank {
                longer.text.push(b' ');
                longer.from.push(line.start);
            }
            longer.text.extend_from_slice(text);
            longer.from.extend(line.clone());
            all.push(longer);
        }
    }
    if MAX_READINGS < all.len() {
        // Which of them can be right shows only later; those that end in a torn word cost the most by then.
        let probe = Area::new(0, 0, 0);
        let columns = Columns { size: None, foreign: &[] };
        let price = |c: &Candidate| words::read(&c.text, probe.clone(), columns).map_or(u32::MAX, |r| r.price);
        all.sort_by_cached_key(price);
        all.truncate(MAX_READINGS);
    }
    all
}
