//! What this step did to the tables, what follows a walk, and what TLB flushes cost.

use super::super::focus;
use super::super::line::flow;
use super::super::step::mapping::{entries, mask, sync_words, tables};
use super::super::{Role, Row, Scene, Span, text};
use super::moment::{Moment, Tense};
use crate::model::Stage;
use crate::model::page_table::{ModMask, PerLevel, Sync};
use crate::policy::Release;

/// First release that keeps a `pgtbl_mod_mask`.
const HAS_MASK: Release = Release::new(5, 8);

/// All walks that are told, together.
#[derive(Default)]
struct Walks {
    new: PerLevel,
    freed: PerLevel,
    written: PerLevel,
    cleared: PerLevel,
    contiguous: u64,
    mod_mask: ModMask,
    sync: Option<Sync>,
    n: usize,
    /// Where the only walk begins.
    start: Option<u64>,
}

fn together<'a>(scene: &Scene<'a>, moment: &Moment<'a>) -> Walks {
    let mut walks = Walks::default();
    for stage in moment.stages(scene) {
        walks.n += 1;
        let extent = match stage {
            Stage::Mapped(mapped) | Stage::MapFailed { done: mapped, .. } => mapped.extent,
            Stage::Unmapped(unmapped) => unmapped.extent,
            _ => continue,
        };
        walks.start = Some(extent.start()).filter(|_| walks.n == 1);
        match stage {
            Stage::Mapped(mapped) | Stage::MapFailed { done: mapped, .. } => {
                walks.new += mapped.new_tables;
                walks.freed += mapped.freed_tables;
                walks.written += mapped.leaves;
                walks.contiguous += mapped.contiguous;
                walks.mod_mask |= mapped.mod_mask;
                walks.sync = mapped.sync.or(walks.sync);
            }
            Stage::Unmapped(unmapped) => {
                walks.cleared += unmapped.leaves;
                walks.mod_mask |= unmapped.mod_mask;
                walks.sync = unmapped.sync.or(walks.sync);
            }
            _ => {}
        }
    }
    walks
}

/// `This event: 1 new PTE table (4 KiB); 256 PTEs written; mask PMD|PTE (0x18); no sync, …`.
pub(super) fn rows<'a>(scene: &Scene<'a>, moment: &Moment<'a>, width: usize) -> Vec<Row> {
    let walks = together(scene, moment);
    let word = moment.tense.word();
    if walks.n == 0 {
        let none = format!("{word} changes no entry and no table.");
        let is_told = scene.replay.cursor() > 0;
        return if is_told { flow(&[Span::new(none, Role::Muted)], width, 2, scene.glyphs) } else { Vec::new() };
    }
    let rules = moment.memory.arch();
    let geometry = rules.geometry;
    // Inside a step it can be about another area: that of the page array.
    let start = walks.start.filter(|_| moment.tense != Tense::Event);
    let word = match start.filter(|&start| focus::focus_address(scene) != Some(start)) {
        Some(start) => format!("{word} at {}", focus::addresses(scene).short(start)),
        None => word.to_owned(),
    };
    let mut spans =
        vec![Span::new(format!("{word}: "), if moment.tense == Tense::Ahead { Role::Warn } else { Role::Title })];
    let new = tables(geometry, walks.new, "new");
    if new.is_empty() {
        spans.push(Span::new("no new table", Role::Muted));
    } else {
        let bytes = text::bytes(walks.new.total() * geometry.table_bytes);
        spans.push(Span::new(format!("{new}, {bytes}"), Role::Changed));
    }
    if walks.freed.total() > 0 {
        let freed = tables(geometry, walks.freed, "freed");
        spans.push(Span::new(format!("; {freed}, huge entries took their place"), Role::Changed));
    }
    if walks.written.total() > 0 {
        let written = entries(geometry, walks.written, walks.contiguous);
        spans.push(Span::new(format!("; {written} written"), Role::Number));
    }
    if walks.cleared.total() > 0 {
        let cleared = entries(geometry, walks.cleared, 0);
        spans.push(Span::new(format!("; {cleared} cleared, tables stay"), Role::Number));
    }
    let release = scene.replay.plan().machine.policy.release;
    if HAS_MASK <= release {
        spans.push(Span::new("; pgtbl_mod_mask ", Role::Muted));
        spans.push(Span::new(mask(walks.mod_mask), Role::Number));
    }
    let sync = sync_words(release, rules, walks.mod_mask, walks.sync);
    let role = if walks.sync.is_some() { Role::Warn } else { Role::Muted };
    spans.push(Span::new(format!("; {sync}."), role));
    if let Some(sync) = walks.sync {
        let range = format!(" From {} to {}.", scene.addr(sync.extent.start()), scene.addr(sync.extent.end()));
        spans.push(Span::new(range, Role::Number));
    }
    flow(&spans, width, 2, scene.glyphs)
}

/// How a range is flushed here, and what flushes cost so far.
pub(super) fn flushes(scene: &Scene<'_>, moment: &Moment<'_>, width: usize) -> Vec<Row> {
    let flushes = moment.memory.flushes();
    let rule = match moment.memory.arch().tlb.most_pages {
        Some(0) => "each flush takes everything".to_owned(),
        Some(most) => format!("up to {} one by one, more flush everything", text::plural(most, "page", "pages")),
        None => "a range page by page, however long".to_owned(),
    };
    let mut spans = vec![
        Span::new("TLB: ", Role::Title),
        Span::new(text::plural(flushes.n, "flush", "flushes"), Role::Number),
        Span::new(" so far, ", Role::Text),
        Span::new(format!("{} of everything", text::count(flushes.whole)), Role::Number),
        Span::new(" and ", Role::Text),
        Span::new(text::plural(flushes.pages, "page", "pages"), Role::Number),
        Span::new(" one by one", Role::Text),
    ];
    spans.push(Span::new(format!(" ({rule}; mapping flushes nothing)."), Role::Muted));
    flow(&spans, width, 2, scene.glyphs)
}
