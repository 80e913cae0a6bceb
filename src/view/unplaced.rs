//! A snapshot without addresses: what can be said of it, and why it has no layout.
//!
//! The replay of such a file is empty. Showing that state would claim that nothing is in use, so every pane asks here
//! first.

use super::facts::{Facts, muted, number, say};
use super::line::{Line, flow};
use super::text;
use super::{Role, Row, Scene, Span, hashed};
use crate::insight::hashed::{Known, Layout};
use crate::insight::{self, Summary};
use crate::log::{Baseline, Pointers};

/// Rows of a picture of runs that are kept for it.
const PICTURE: usize = 5;
/// Callers named in the detail; the list of areas has them all.
const MAX_CALLERS: usize = 8;
/// Columns of a kind: `vm_map_ram` is the longest.
const KIND: usize = 11;

/// A log that is one snapshot, whose addresses are hashed or hidden.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unplaced<'a> {
    baseline: &'a Baseline,
    page_size: u64,
}

impl<'a> Unplaced<'a> {
    /// `None` where the state is known, or is a trace's.
    pub(crate) fn of(scene: &Scene<'a>) -> Option<Self> {
        let log = scene.replay.log();
        let baseline = log.before.as_ref().filter(|before| before.pointers != Pointers::Real)?;
        let page_size = insight::page_size_of(log, baseline);
        scene.replay.is_empty().then_some(Self { baseline, page_size })
    }

    /// Two words for headers and titles.
    pub(crate) fn word(self) -> &'static str {
        word(self.baseline.pointers)
    }

    /// How many areas there are and what they add up to, for titles.
    pub(crate) fn sums(self) -> String {
        let bytes = self.baseline.areas.iter().fold(0_u64, |sum, area| sum.saturating_add(area.size));
        format!("{}, {}", text::plural(self.baseline.areas.len() as u64, "area", "areas"), text::bytes(bytes))
    }

    /// Why there is no layout, and what to do about it.
    fn why(self) -> [Span; 2] {
        let why = match self.baseline.pointers {
            Pointers::Hashed => "The addresses are hashed: only which areas touch and some of their order is told.",
            Pointers::Unready => {
                "The kernel could not hash addresses yet and printed none: nobody can tell where areas lie."
            }
            _ => "The addresses are hidden, all zero: where the areas lie cannot be told.",
        };
        [
            Span::new(why, Role::Warn),
            say(" Read the file as root with kernel.kptr_restrict=1 (or boot with no_hash_pointers)."),
        ]
    }

    /// A pane that has nothing but a sentence: what is missing, then why.
    pub(crate) fn sentence(self, scene: &Scene<'_>, missing: &str, width: usize, height: u16) -> Vec<Row> {
        let mut spans = vec![say(format!("{missing} "))];
        spans.extend(self.why());
        let mut rows = flow(&spans, width, 0, scene.glyphs);
        rows.truncate(height.into());
        rows
    }

    /// What the free list says.
    pub(crate) fn no_holes(self) -> String {
        match self.chains() {
            Some(chains) => {
                let runs = text::plural(chains.count, "run", "runs");
                format!("No hole is known. Areas that touch make {runs}; between runs lie gaps of unknown size.")
            }
            None => "No hole is known, nor which areas touch.".to_owned(),
        }
    }

    /// What the page-table pane says.
    pub(crate) fn no_tables(self) -> String {
        let pages = self.baseline.areas.iter().fold(0_u64, |sum, area| sum.saturating_add(area.pages));
        format!(
            "No table is known: {} of data are mapped, but where is not told.",
            text::plural(pages, "page", "pages")
        )
    }

    /// Runs of touching areas, where hashes tell them: all zeros would look like one circle.
    fn chains(self) -> Option<insight::Chains> {
        if self.baseline.pointers == Pointers::Hashed { insight::chains(self.baseline) } else { None }
    }

    /// What is known, as labelled facts below the reason.
    fn facts(self, scene: &Scene<'_>, summary: &Summary<'_>, width: usize) -> Vec<Row> {
        let mut rows = flow(&self.why(), width, 0, scene.glyphs);
        let mut facts = Facts::new(scene, width);
        let totals = summary.totals;
        let guards = format!(" of address space, {} of it guard pages", text::bytes(summary.guard_bytes));
        let areas = [number(text::count(totals.areas)), muted(", "), number(text::bytes(totals.virtual_bytes))];
        facts.add("areas", &[&areas[..], &[muted(guards)]].concat(), None);
        let bytes = totals.pages.saturating_mul(self.page_size);
        let pages = [number(text::plural(totals.pages, "page", "pages")), muted(format!(", {}", text::bytes(bytes)))];
        facts.add("data", &pages, None);
        let unpurged = match summary.unpurged.areas {
            0 => vec![muted("nothing waits for a purge")],
            n => vec![
                Span::new(text::plural(n, "row", "rows"), Role::Lazy),
                muted(format!(", {}, freed and not purged yet", text::bytes(summary.unpurged.virtual_bytes))),
            ],
        };
        facts.add("unpurged", &unpurged, None);
        if let Some(chains) = self.chains() {
            let longest = text::plural(chains.longest_areas, "area", "areas");
            let words = [
                number(text::count(chains.count)),
                muted(" of touching areas, known by equal hashes: the longest has "),
                number(longest),
                muted(", the largest "),
                number(text::bytes(chains.longest_bytes)),
            ];
            facts.add("runs", &words, None);
        }
        rows.append(&mut facts.rows);
        rows
    }

    /// The map's place: what is known, and the bytes by kind as bars.
    pub(crate) fn map(self, scene: &Scene<'_>, width: usize, height: u16) -> Vec<Row> {
        let summary = insight::summarize(self.baseline, self.page_size);
        let mut rows = self.facts(scene, &summary, width);
        if self.baseline.pointers == Pointers::Hashed {
            let layout = Layout::of(self.baseline, Known::of(&scene.replay.log().origin));
            for words in hashed::sentences(&layout).iter().skip(1) {
                rows.append(&mut flow(&[muted(words.clone())], width, 2, scene.glyphs));
            }
            // The picture comes before the last facts.
            rows.truncate(usize::from(height).saturating_sub(PICTURE).max(usize::from(height) / 2));
            let room = usize::from(height).saturating_sub(rows.len());
            // A picture of less than a row and its legend is none.
            if 2 <= room {
                rows.append(&mut hashed::picture(&layout, self.baseline, width, room, scene.glyphs));
            }
            rows.truncate(height.into());
            return rows;
        }
        let most = summary.by_kind.iter().map(|group| group.totals.virtual_bytes).max().unwrap_or(0).max(1);
        for group in &summary.by_kind {
            let bytes = text::bytes(group.totals.virtual_bytes);
            let tail = format!(" {} in {}", bytes, text::plural(group.totals.areas, "area", "areas"));
            let line = Line::new(width, scene.glyphs).left(group.kind, KIND, Role::Muted);
            let room = line.room().saturating_sub(text::width(&tail)).min(64) as u128;
            let columns = (u128::from(group.totals.virtual_bytes) * room).div_ceil(u128::from(most)) as usize;
            let role = kind_role(group.kind);
            let glyph = if role == Role::Lazy { scene.glyphs.lazy } else { scene.glyphs.busy };
            rows.push(line.put(glyph.to_string().repeat(columns), role).put(tail, Role::Number).done());
        }
        rows.truncate(height.into());
        rows
    }

    /// The detail's place: what is known, and the callers with the most address space.
    pub(crate) fn detail(self, scene: &Scene<'_>, width: usize) -> Vec<Row> {
        let summary = insight::summarize(self.baseline, self.page_size);
        let mut rows = self.facts(scene, &summary, width);
        let mut facts = Facts::new(scene, width);
        for (place, group) in summary.by_caller.iter().take(MAX_CALLERS).enumerate() {
            let name = group.caller.map_or_else(|| group.kind.to_owned(), |caller| text::escape(caller.as_bytes()));
            let module =
                group.module.map(|module| format!(" [{}]", text::escape(module.as_bytes()))).unwrap_or_default();
            let areas = text::plural(group.totals.areas, "area", "areas");
            let words =
                [number(text::bytes(group.totals.virtual_bytes)), muted(format!(" in {areas}: ")), say(name + &module)];
            facts.add(if place == 0 { "callers" } else { "" }, &words, None);
        }
        rows.append(&mut facts.rows);
        rows
    }
}

/// What a file shows instead of addresses.
pub(crate) fn word(pointers: Pointers) -> &'static str {
    match pointers {
        Pointers::Real => "addresses real",
        Pointers::Hashed => "addresses hashed",
        Pointers::Zeroed | Pointers::Unready | Pointers::None => "addresses hidden",
    }
}

/// The role of a kind word.
pub(crate) fn kind_role(kind: &str) -> Role {
    match kind {
        "unpurged" => Role::Lazy,
        "per-CPU" => Role::PerCpu,
        _ => Role::Busy,
    }
}
