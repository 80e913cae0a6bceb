//! The free list: what is free, and what could this request use?
//!
//! While the current event asks for space the list is the one the search saw: before the event.

mod cache;
mod holes;
mod judge;

use std::rc::Rc;

use super::focus;
use super::line::Line;
use super::script::tried_again;
use super::text::{self, Addresses};
use super::unplaced::Unplaced;
use super::{Role, Row, Scene, Selection, Span, Target};
use crate::log::Window;
use crate::model::{AddressSpace, Extent};
use holes::Holes;
use judge::Judge;

/// Holes the summary looks at; more would cost more than a frame.
const MAX_SUMMED: usize = 50_000;

/// Holes below the window of a request that are counted.
const MAX_BELOW: usize = 1_000;

/// What there is to say of all holes together.
#[derive(Debug)]
pub(crate) struct Summary {
    /// Holes of the vmalloc range by powers of two of bytes.
    orders: [u64; 64],
    /// Holes in the window of the request.
    inside: u64,
    /// Holes that could hold it.
    able: u64,
}

/// Order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FreeOrder {
    /// Ascending addresses.
    #[default]
    Address,
    /// Largest first.
    Size,
}

/// The state whose holes are shown.
fn state<'a>(scene: &Scene<'a>) -> &'a AddressSpace {
    if focus::event_request(scene).is_none() || tried_again(scene) {
        scene.replay.space()
    } else {
        scene.replay.before()
    }
}

/// The rows: holes by size, what the request could use, and the holes from `scroll` on.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, scroll: usize, order: FreeOrder) -> Vec<Row> {
    let (width, height) = (usize::from(width), usize::from(height));
    if let Some(unplaced) = Unplaced::of(scene) {
        return unplaced.sentence(scene, &unplaced.no_holes(), width, height as u16);
    }
    let holes = Holes::of(state(scene).allocator());
    let mut pane = Pane {
        scene,
        column: 0,
        width,
        holes,
        judge: Judge::of(scene),
        window: scene.replay.space().allocator().window(),
        addresses: focus::addresses(scene),
        changes: focus::changes(scene),
    };
    let mut rows = Vec::with_capacity(height);
    if height >= 5 {
        rows.push(pane.histogram());
    }
    if height >= 4 && pane.judge.is_some() {
        rows.push(pane.question());
    }
    if let Some(told) = cache::rows(scene, state(scene).allocator(), width).filter(|told| told.len() + 6 < height) {
        rows.extend(told);
    }
    if let Some(note) = pane.note(order).filter(|_| scroll == 0 && rows.len() + 3 < height) {
        rows.push(note);
    }
    let mut n_rows = height.saturating_sub(rows.len());
    let mut shown = pane.shown(order, scroll, n_rows);
    pane.column = if width >= 64 {
        scene.addr_width()
    } else {
        // Holes in other windows have longer addresses, which must not be cut.
        let starts = shown.iter().map(|hole| clipped(*hole, pane.window).start());
        let widest = starts.map(|start| text::width(&pane.addresses.short(start))).max();
        widest.unwrap_or(0).max(pane.addresses.width()).min(width / 2)
    };
    // What was chosen is on the screen wherever the list is scrolled to.
    if let Some(hole) = pane.pinned().filter(|hole| n_rows >= 4 && !shown.contains(hole)) {
        n_rows -= 1;
        rows.push(pane.row(hole));
        shown.truncate(n_rows);
    }
    rows.extend(shown.into_iter().map(|hole| pane.row(hole)));
    if pane.holes.len() == 0 && rows.len() < height {
        rows.push(Line::new(width, scene.glyphs).put("Nothing is free.", Role::Muted).done());
    }
    rows.truncate(height);
    rows
}

struct Pane<'s, 'a> {
    scene: &'s Scene<'a>,
    width: usize,
    /// Columns of the addresses.
    column: usize,
    holes: Holes<'a>,
    judge: Option<Judge>,
    window: Window,
    addresses: Addresses,
    changes: Vec<Extent>,
}

impl Pane<'_, '_> {
    /// The holes of the visible rows.
    fn shown(&self, order: FreeOrder, scroll: usize, n_rows: usize) -> Vec<Extent> {
        let all = || self.holes.iter();
        let last = self.holes.len().saturating_sub(n_rows);
        let scroll = scroll.min(last);
        if order == FreeOrder::Address {
            // What lies below the window comes last, so that the reasons that matter are on the screen.
            return match self.below() {
                Some((vstart, _)) => {
                    let last = all().take_while(|hole| hole.end() <= vstart);
                    self.holes.from(vstart).chain(last).skip(scroll).take(n_rows).collect()
                }
                None => all().skip(scroll).take(n_rows).collect(),
            };
        }
        let mut holes = self.holes.largest(scroll + n_rows, |hole| clipped(hole, self.window).len_bytes());
        holes.drain(..scroll.min(holes.len()));
        holes
    }

    /// Start of the request's window, and the holes below it, if there are some worth moving out of the way; beyond
    /// [`MAX_BELOW`] they are not counted.
    fn below(&self) -> Option<(u64, usize)> {
        let vstart = self.judge.as_ref()?.window.vstart;
        let below = self.holes.iter().take(MAX_BELOW).take_while(|hole| hole.end() <= vstart).count();
        let above = self.holes.from(vstart).next().is_some();
        (below >= 2 && above).then_some((vstart, below))
    }

    /// Says where the holes below the window are.
    fn note(&self, order: FreeOrder) -> Option<Row> {
        let (_, below) = self.below().filter(|_| order == FreeOrder::Address)?;
        let at_least = if below == MAX_BELOW { "at least " } else { "" };
        let holes = text::plural(below as u64, "hole", "holes");
        let words = format!(" {at_least}{holes} below the window, at the end of this list");
        Some(Line::new(self.width, self.scene.glyphs).put(words, Role::Muted).done())
    }

    /// The hole the event took, or the selected one.
    fn pinned(&self) -> Option<Extent> {
        let addr = match self.scene.selection {
            Selection::Address(addr) => addr,
            Selection::Follow => self.judge.as_ref()?.chosen_start()?,
        };
        self.holes.at(addr)
    }

    fn row(&self, hole: Extent) -> Row {
        let shown = clipped(hole, self.window);
        let judgement = self.judge.as_ref().map(|judge| judge.judge(hole));
        let chosen = judgement.as_ref().is_some_and(|judgement| judgement.chosen);
        let selected = match self.scene.selection {
            Selection::Address(addr) => hole.contains_addr(addr),
            Selection::Follow => false,
        };
        let glyphs = self.scene.glyphs;
        let mark = if chosen || selected { glyphs.cursor.to_string() } else { String::new() };
        let address =
            if self.width >= 64 { self.scene.addr(shown.start()) } else { self.addresses.short(shown.start()) };
        let mut line = Line::new(self.width, glyphs)
            .left(mark, 1, Role::Key)
            .right(address, self.column, Role::Number)
            .gap(1)
            .right(text::bytes(shown.len_bytes()), 9, Role::Free)
            .gap(2);
        if let Some(judgement) = judgement {
            line = line.put(judgement.words, judgement.role);
        } else if focus::any_touch(&self.changes, hole.start(), hole.end()) {
            line = line.put(format!("{} changed", glyphs.up), Role::Changed);
        }
        if shown != hole {
            let real = format!("  of {} from {}", text::bytes(hole.len_bytes()), self.addresses.short(hole.start()));
            line = line.put(real, Role::Muted);
        } else if self.judge.is_none() && self.is_outside(hole) {
            line = line.put("  outside the vmalloc range", Role::Muted);
        }
        let mut row = line.target(Target::Address(shown.start())).focused(selected).done();
        if chosen || selected {
            row.spans.iter_mut().for_each(|span| span.strong = true);
        }
        row
    }

    fn is_outside(&self, hole: Extent) -> bool {
        hole.end() <= self.window.vstart || self.window.vend <= hole.start()
    }

    /// Looks at every hole once.
    fn add_up(&self) -> Summary {
        let mut summary = Summary { orders: [0; 64], inside: 0, able: 0 };
        for hole in self.holes.iter().take(MAX_SUMMED) {
            if !self.is_outside(hole) {
                summary.orders[clipped(hole, self.window).len_bytes().ilog2() as usize] += 1;
            }
            if let Some(judge) = &self.judge {
                summary.inside += u64::from(hole.start() < judge.window.vend && judge.window.vstart < hole.end());
                summary.able += u64::from(judge.could_use(hole));
            }
        }
        summary
    }

    fn summary(&self) -> Option<Rc<Summary>> {
        match self.scene.memo {
            Some(memo) => memo.summary(self.holes.len(), || self.add_up()),
            None => Some(Rc::new(self.add_up())),
        }
    }

    /// Instead of what there is to say of all of them.
    fn later(&self) -> Row {
        let n = text::plural(self.holes.len() as u64, "hole", "holes");
        let words = format!(" {n}: added up by size once the cursor rests");
        Line::new(self.width, self.scene.glyphs).put(words, Role::Muted).done()
    }

    /// Holes of the vmalloc range by powers of two, one bar each.
    fn histogram(&self) -> Row {
        let Some(summary) = self.summary() else { return self.later() };
        let orders = summary.orders;
        let glyphs = self.scene.glyphs;
        let line = Line::new(self.width, glyphs).gap(1).put("by size ", Role::Muted);
        let (Some(first), Some(last)) = (orders.iter().position(|&n| n > 0), orders.iter().rposition(|&n| n > 0))
        else {
            return line.done();
        };
        let most = (first..=last).max_by_key(|&order| (orders[order], 64 - order)).unwrap_or(first);
        let bar = |n: u64| match n {
            // A dash of a plain set would look like a bar.
            0 if glyphs.ascii => ' ',
            0 => glyphs.dot,
            _ => glyphs.bars[((n * 7).div_ceil(orders[most].max(1)) as usize).min(7)],
        };
        let bars: String = orders[first..=last].iter().map(|&n| bar(n)).collect();
        let common = format!(
            "   most often {} to {}: {}",
            text::bytes(1 << most),
            text::bytes(1_u64.checked_shl(most as u32 + 1).unwrap_or(u64::MAX)),
            text::count(orders[most]),
        );
        let line = line.put(text::bytes_short(1 << first), Role::Number).gap(1).put(bars, Role::Free).gap(1);
        line.put(text::bytes_short(1 << last), Role::Number).put(common, Role::Muted).done()
    }

    /// What the current event asks for, and how many holes could serve.
    fn question(&self) -> Row {
        let line = Line::new(self.width, self.scene.glyphs).gap(1);
        let Some(judge) = &self.judge else { return line.done() };
        let summary = self.summary();
        let page = self.scene.replay.space().allocator().page_size();
        let mut line = line.put("asked for ", Role::Muted).put(text::bytes(judge.size), Role::Number);
        if judge.align > page {
            line = line.put(" aligned to ", Role::Muted).put(text::bytes(judge.align), Role::Number);
        }
        let Some(summary) = summary else { return line.done() };
        let Summary { inside, able, .. } = *summary;
        if inside == 0 {
            return line.put(": nothing is free in its window", Role::Muted).done();
        }
        let line = line.put(": ", Role::Muted).put(text::count(able), Role::Number);
        let place = if judge.window == self.window { "the vmalloc range" } else { "its window" };
        let of = format!(" of {} in {place} could hold it", text::plural(inside, "hole", "holes"));
        let line = line.put(of, Role::Muted);
        if judge.pooled { line.put("; a pool answered", Role::Pooled).done() } else { line.done() }
    }
}

/// The part of a hole inside the vmalloc range; the whole hole if it lies outside.
fn clipped(hole: Extent, window: Window) -> Extent {
    Extent::new(window.vstart, window.vend).and_then(|window| window.intersection(hole)).unwrap_or(hole)
}

/// The title: how many holes, how large the largest is, and which moment is shown.
pub fn title(scene: &Scene<'_>) -> Vec<Span> {
    let mut spans = vec![Span::new("free list", Role::Title)];
    if Unplaced::of(scene).is_some() {
        spans.push(Span::new("  not known", Role::Warn));
        return spans;
    }
    let allocator = state(scene).allocator();
    let holes = text::plural(allocator.gauges().holes, "hole", "holes");
    spans.push(Span::new(format!("  {holes}"), Role::Number));
    let largest = text::bytes(allocator.largest_hole());
    let rest = format!(" in the vmalloc range {} largest {largest}", scene.glyphs.dot);
    spans.push(Span::new(rest, Role::Muted));
    spans.extend(focus::moment(scene, state(scene)));
    spans
}
