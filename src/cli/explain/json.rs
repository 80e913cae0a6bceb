//! `explain --json`.

mod here;

use serde::Serialize;

use super::{Answer, Found};
use crate::cli::json::{document, hex, hex_window};
use crate::event::Seq;
use crate::insight::Totals;
use crate::insight::explain::{
    AskedFrom, Beside, Cheapest, Close, Doubt, Explanation, HeldBy, Offer, RangeFrom, Remedy, Short, SizeFrom, State,
    Verdict, Whose,
};
use crate::log::Log;
use crate::model::Extent;
use crate::view::UNICODE;
use crate::view::explain::{Page, doubt};
use here::{Here, here_of};

/// The document.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    input: String,
    kernel: Option<String>,
    #[serde(flatten)]
    told: Told,
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<Here>,
    /// Events that failed, counted from 1.
    failures: Vec<u64>,
}

/// No request failed, and nothing was asked.
#[derive(Debug, Serialize, Default)]
struct Nothing {
    schema: &'static str,
    input: String,
    kernel: Option<String>,
    verdict: &'static str,
    request: Option<u64>,
    range: Option<u64>,
    holes: Option<u64>,
    largest_hole: Option<u64>,
    largest_after_purge: Option<u64>,
    short_by: Option<u64>,
    holders: [u64; 0],
    remedies: [u64; 0],
    failures: [u64; 0],
}

/// An answer.
#[derive(Debug, Serialize)]
struct Told {
    verdict: &'static str,
    /// It is served, at once or after the kernel's own purge.
    served: bool,
    at: Option<String>,
    request: Request,
    range: Option<[String; 2]>,
    range_from: &'static str,
    page_size: u64,
    holes: Holes,
    /// Bytes inside the window.
    largest_hole: Option<u64>,
    largest_after_purge: Option<u64>,
    /// Bytes missing behind the first aligned address, after a purge.
    short_by: Option<u64>,
    lazy: Sums,
    pooled: Sums,
    in_use: Sums,
    holders: Vec<HolderRow>,
    by_kind: Vec<HolderRow>,
    by_module: Vec<HolderRow>,
    remedies: Vec<RemedyRow>,
    doubts: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Request {
    /// Guard page included.
    size: u64,
    /// What a caller asked for, if that is known.
    data: Option<u64>,
    align: u64,
    window: Option<[String; 2]>,
    /// Counted from 1.
    event: Option<u64>,
    message: Option<String>,
}

#[derive(Debug, Serialize)]
struct Holes {
    count: Option<u64>,
    total: Option<u64>,
    fitting: Option<u64>,
    /// Behind the first aligned address.
    largest_aligned: Option<u64>,
    by_reason: Vec<ReasonRow>,
    closest: Vec<HoleRow>,
}

#[derive(Debug, Serialize)]
struct ReasonRow {
    reason: &'static str,
    holes: u64,
    least_missing: u64,
    most_missing: u64,
}

#[derive(Debug, Serialize)]
struct HoleRow {
    start: String,
    end: String,
    size: u64,
    inside: u64,
    aligned: u64,
    reason: Option<&'static str>,
    missing: u64,
    below: Option<AreaRow>,
    above: Option<AreaRow>,
}

#[derive(Debug, Serialize)]
struct AreaRow {
    start: String,
    end: String,
    state: &'static str,
    caller: Option<String>,
    module: Option<String>,
    kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Sums {
    areas: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct HolderRow {
    caller: Option<String>,
    module: Option<String>,
    kind: &'static str,
    areas: u64,
    bytes: u64,
}

#[derive(Debug, Serialize, Default)]
struct RemedyRow {
    remedy: &'static str,
    helps: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_areas: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    largest: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    areas: Vec<AreaRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vmalloc_option: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    align: Option<u64>,
}

pub(super) fn document_of(answer: &Answer, log: &Log) -> String {
    let schema = "vmaplens.explain/1";
    let (input, kernel) = (log.origin.name.clone(), log.origin.kernel.clone());
    let (told, here) = match &answer.found {
        Found::Request(told) => (told, None),
        Found::Here(here, told) => (told, Some(here_of(here, told.is_32_bit))),
        Found::Nothing => {
            return document(&Nothing { schema, input, kernel, verdict: "nothing-failed", ..Nothing::default() });
        }
    };
    let failures = answer.failures.iter().map(|seq| u64::from(seq.0) + 1).collect();
    document(&Document { schema, input, kernel, told: told_of(told, log), here, failures })
}

/// The keys of an answer.
fn told_of(told: &Explanation, log: &Log) -> Told {
    let narrow = told.is_32_bit;
    let seen = told.has_addresses;
    let page = Page { log, glyphs: &UNICODE, width: 80, is_32_bit: narrow };
    let window = (told.range_from != RangeFrom::Unknown).then(|| hex_window(told.asked.window, narrow));
    let at = match told.verdict {
        Verdict::Fits { at } | Verdict::FitsAfterPurge { at } | Verdict::PassedBy { at } => Some(hex(at, narrow)),
        _ => None,
    };
    let by_kind = told.holders.by_kind.iter().map(holder_row).collect();
    Told {
        verdict: told.verdict.word(),
        served: told.verdict.is_served(),
        at,
        request: request_of(told, log, window.clone()),
        range: window,
        range_from: range_word(told.range_from),
        page_size: told.page_size,
        holes: holes_of(told, &told.now),
        largest_hole: seen.then_some(told.now.largest),
        largest_after_purge: seen.then_some(told.purged.largest),
        short_by: seen.then_some(told.short_by),
        lazy: sums(told.holders.lazy),
        pooled: sums(told.holders.pooled),
        in_use: sums(told.holders.busy),
        holders: told.holders.by_caller.iter().map(holder_row).collect(),
        by_kind,
        by_module: told.holders.by_module.iter().map(holder_row).collect(),
        remedies: told.remedies.iter().map(|remedy| remedy_row(remedy, narrow)).collect(),
        doubts: told.doubts.iter().map(|one: &Doubt| doubt(*one, &page)).collect(),
    }
}

fn request_of(told: &Explanation, log: &Log, window: Option<[String; 2]>) -> Request {
    let asked = &told.asked;
    let number = |seq: Seq| Some(u64::from(seq.0) + 1);
    let (event, message) = match asked.from {
        AskedFrom::Event(seq) => (number(seq), None),
        AskedFrom::Message(seq, _) => {
            let text = log.get(seq).and_then(|event| match event.kind {
                crate::event::EventKind::Report { text, .. } => Some(crate::log::escape(log.names.text(text))),
                _ => None,
            });
            (number(seq), text)
        }
        AskedFrom::Option => (None, None),
    };
    let data = match asked.size_from {
        SizeFrom::Data(data) => Some(data),
        SizeFrom::Area => None,
    };
    Request { size: asked.size, data, align: asked.align, window, event, message }
}

fn holes_of(told: &Explanation, now: &Offer) -> Holes {
    let seen = |value: u64| told.has_addresses.then_some(value);
    let reason = |reason: &crate::insight::explain::Reasons| ReasonRow {
        reason: short_word(reason.why),
        holes: reason.holes,
        least_missing: reason.least,
        most_missing: reason.most,
    };
    Holes {
        count: seen(now.holes),
        total: seen(now.bytes),
        fitting: seen(now.fitting),
        largest_aligned: seen(now.best.map_or(0, |room| room.bytes)),
        by_reason: told.reasons.iter().map(reason).collect(),
        closest: told.close.iter().map(|hole| hole_row(hole, told.is_32_bit)).collect(),
    }
}

fn hole_row(hole: &Close, narrow: bool) -> HoleRow {
    let beside = |beside: &Option<Beside>| {
        beside.as_ref().map(|beside| area_row(beside.held.extent, beside.held.state, &beside.holder, narrow))
    };
    HoleRow {
        start: hex(hole.room.hole.start(), narrow),
        end: hex(hole.room.hole.end(), narrow),
        size: hole.room.hole.len_bytes(),
        inside: hole.room.inside,
        aligned: hole.room.bytes,
        reason: hole.why.map(short_word),
        missing: hole.missing,
        below: beside(&hole.below),
        above: beside(&hole.above),
    }
}

fn area_row(extent: Extent, state: State, holder: &crate::insight::explain::Holder, narrow: bool) -> AreaRow {
    AreaRow {
        start: hex(extent.start(), narrow),
        end: hex(extent.end(), narrow),
        state: match state {
            State::Busy => "busy",
            State::Lazy => "lazy",
            State::Pooled => "pooled",
        },
        caller: holder.caller.clone(),
        module: holder.module.clone(),
        kind: holder.kind,
    }
}

fn holder_row(held: &HeldBy) -> HolderRow {
    HolderRow {
        caller: held.holder.caller.clone(),
        module: held.holder.module.clone(),
        kind: held.holder.kind,
        areas: held.totals.areas,
        bytes: held.totals.virtual_bytes,
    }
}

fn sums(totals: Totals) -> Sums {
    Sums { areas: totals.areas, bytes: totals.virtual_bytes }
}

fn remedy_row(remedy: &Remedy, narrow: bool) -> RemedyRow {
    let row = RemedyRow { helps: true, ..RemedyRow::default() };
    let leaving = |word: &'static str, leaves: &Cheapest| RemedyRow {
        remedy: word,
        helps: true,
        bytes: Some(leaves.bytes),
        n_areas: Some(leaves.areas.len() as u64),
        largest: Some(leaves.free.len_bytes()),
        areas: leaves
            .areas
            .iter()
            .zip(&leaves.holders)
            .map(|(held, holder)| area_row(held.extent, held.state, holder, narrow))
            .collect(),
        ..RemedyRow::default()
    };
    match remedy {
        Remedy::Purge { areas, bytes, largest, fits } => RemedyRow {
            remedy: "purge",
            helps: *fits,
            bytes: Some(*bytes),
            n_areas: Some(*areas),
            largest: Some(*largest),
            ..row
        },
        Remedy::Area { leaves, .. } => leaving("area", leaves),
        Remedy::Areas(leaves) => leaving("areas", leaves),
        Remedy::Holder { whose, areas, bytes, largest } => {
            let (module, caller) = match whose {
                Whose::Module(module) => (Some(module.clone()), None),
                Whose::Caller(caller, module) => (module.clone(), Some(caller.clone())),
            };
            RemedyRow {
                remedy: "holder",
                bytes: Some(*bytes),
                n_areas: Some(*areas),
                largest: Some(*largest),
                module,
                caller,
                ..row
            }
        }
        Remedy::Larger { more, option } => {
            RemedyRow { remedy: "larger-range", bytes: Some(*more), vmalloc_option: Some(*option), ..row }
        }
        Remedy::Smaller(size) => RemedyRow { remedy: "smaller", bytes: Some(*size), ..row },
        Remedy::Alignment(align) => RemedyRow { remedy: "alignment", align: Some(*align), ..row },
    }
}

pub(super) fn short_word(why: Short) -> &'static str {
    match why {
        Short::TooSmall => "too-small",
        Short::Clipped => "outside-the-window",
        Short::Alignment => "alignment",
    }
}

fn range_word(from: RangeFrom) -> &'static str {
    match from {
        RangeFrom::Option => "--range",
        RangeFrom::Request => "request",
        RangeFrom::Input => "input",
        RangeFrom::Areas => "areas",
        RangeFrom::Unknown => "unknown",
    }
}
