//! The page tables: what does this address cost?
//!
//! The walk of the selected address, level by level: which entry, what it covers, what is in that table. Then what this
//! step did to the tables, what the area costs, what all tables cost, and who pays most. Inside a step the tables are
//! those of the shown stage. Nothing here decides an address.

mod changed;
mod levels;
mod moment;
mod price;

use std::rc::Rc;

use super::focus::{self, Kind};
use super::line::{Line, flow, scrolled, wrap};
use super::unplaced::Unplaced;
use super::{Role, Row, Scene, Span};
pub use levels::signs;
use moment::{Moment, Tense};
pub(crate) use price::{Bill, is_too_many};

/// What all areas cost after the event: added up once for a place. `None` if nobody knows, there are too many, or so many
/// that it has to wait until the cursor rests.
pub(crate) fn costs(scene: &Scene<'_>) -> Option<Rc<Bill>> {
    price::all(scene, scene.replay.space().memory()?)
}

/// The rows.
pub fn rows(scene: &Scene<'_>, width: u16, height: u16, scroll: usize) -> Vec<Row> {
    let columns = usize::from(width);
    if let Some(unplaced) = Unplaced::of(scene) {
        return unplaced.sentence(scene, &unplaced.no_tables(), columns, height);
    }
    let addr = focus::focus_address(scene);
    let rows = match Moment::of(scene) {
        Some(moment) => followed(scene, &moment, addr, columns, height),
        None => wrap(absent(scene), Role::Muted, columns, 0, scene.glyphs),
    };
    scrolled(rows, scroll, height)
}

/// Why nothing is known of what is behind the areas.
fn absent(scene: &Scene<'_>) -> &'static str {
    if scene.replay.is_settled() {
        "What is behind the areas is not followed."
    } else {
        "Working out what is behind the areas here …"
    }
}

/// Why there is no address.
fn nowhere(scene: &Scene<'_>) -> &'static str {
    match (focus::event_request(scene), scene.replay.current()) {
        (Some(_), _) => "This request was given no address: it needs no table.",
        (None, Some(_)) => "This event is about no address. Select one in the map to see its tables.",
        (None, None) => "No address yet: select one in the map, or step to an event that has one.",
    }
}

/// What there is to tell where what is behind the areas is followed, the answer first.
fn followed(scene: &Scene<'_>, moment: &Moment<'_>, addr: Option<u64>, columns: usize, height: u16) -> Vec<Row> {
    let memory = moment.memory;
    let bill = price::all(scene, memory);
    let costs = bill.as_deref().map(|bill| &bill.costs);
    let mut rows = Vec::new();
    let mut price_of_area = Vec::new();
    match addr {
        None => rows.extend(wrap(nowhere(scene), Role::Muted, columns, 0, scene.glyphs)),
        Some(addr) => {
            let thing = focus::thing_at(scene, scene.replay.space(), addr);
            let is_area = matches!(thing.kind, Kind::Busy | Kind::PerCpu | Kind::Unseen);
            let cost = costs.and_then(|costs| costs.at(thing.extent.start())).filter(|_| is_area);
            rows.extend(match (cost, costs) {
                (Some(cost), _) if memory.tables().maps_any(thing.extent) => {
                    price_of_area = price::of_area(scene, cost, columns);
                    price::needs(scene, cost, &thing, columns)
                }
                (Some(cost), _) => {
                    price_of_area = price::of_area(scene, cost, columns);
                    not_mapped(scene, moment, addr, columns)
                }
                (None, None) if is_area => {
                    let words = if price::is_too_many(memory) {
                        "Too many areas to add up: who shares a table is not shown."
                    } else {
                        "Who shares a table is added up once the cursor rests."
                    };
                    wrap(words, Role::Muted, columns, 2, scene.glyphs)
                }
                _ if moment.tense == Tense::Ahead => not_mapped(scene, moment, addr, columns),
                _ => price::nothing(scene, &thing, memory.tables().is_mapped(addr), columns),
            });
            let walk = scene.replay.space().geometry().walk(addr);
            if height >= 9 {
                let names = "     entry covers  its table's slots";
                rows.push(Line::new(columns, scene.glyphs).put(names, Role::Muted).done());
            }
            rows.extend(walk.iter().enumerate().map(|level| levels::row(scene, memory.tables(), addr, level, columns)));
        }
    }
    rows.extend(changed::rows(scene, moment, columns));
    rows.extend(price_of_area);
    if addr.is_some() {
        rows.extend(flow(&levels::legend(scene), columns, 2, scene.glyphs));
    }
    rows.extend(price::of_tables(scene, memory, costs, columns));
    rows.extend(changed::flushes(scene, moment, columns));
    if let Some(bill) = &bill {
        rows.extend(price::of_holders(scene, bill, columns));
    }
    rows
}

/// An area that nothing maps: not yet, or never.
fn not_mapped(scene: &Scene<'_>, moment: &Moment<'_>, addr: u64, columns: usize) -> Vec<Row> {
    let words = match moment.tense {
        Tense::Ahead if moment.memory.tables().is_mapped(addr) => {
            "Still mapped at this stage: to be cleared further on."
        }
        Tense::Ahead => "Not mapped yet at this stage of the request.",
        _ => "In use as address space alone: nothing is mapped in it.",
    };
    wrap(words, Role::Muted, columns, 2, scene.glyphs)
}

/// The title: the address, and how the machine translates.
pub fn title(scene: &Scene<'_>) -> Vec<Span> {
    let mut spans = vec![Span::new("page tables", Role::Title)];
    if Unplaced::of(scene).is_some() {
        spans.push(Span::new("  not known", Role::Warn));
        return spans;
    }
    if let Some(addr) = focus::focus_address(scene) {
        spans.push(Span::new(format!("  {}", scene.addr(addr)), Role::Number));
    }
    let title = scene.replay.space().geometry().title;
    spans.push(Span::new(format!(" {} {title}", scene.glyphs.dot), Role::Muted));
    spans
}
