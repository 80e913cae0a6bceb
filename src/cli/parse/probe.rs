//! Probes of the allocator's functions as objects: a kind of their own, and what they fetched under the names that the
//! tracepoints use. Entry and return stay two lines: a reader of one line at a time need not pair them.

use parsers::ftrace::probe::{Probed, Request, Returned, recognise};

use super::Kind;
use crate::export::json::Object;

/// The kind of a probe record.
pub(super) fn kind(at: &[u8], args: &[u8]) -> Kind {
    match recognise(at, args) {
        Some(Probed::Request(_)) => Kind::AllocEntry,
        Some(Probed::Return(_)) => Kind::AllocReturn,
        Some(Probed::Free { .. }) => Kind::FreeEntry,
        Some(Probed::PurgeEntry(_)) => Kind::PurgeEntry,
        Some(Probed::PurgeReturn(_)) => Kind::PurgeReturn,
        Some(Probed::Unusable(_)) | None => Kind::Probe,
    }
}

/// Bytes asked for, if the record says.
pub(super) fn size(at: &[u8], args: &[u8]) -> u64 {
    match recognise(at, args) {
        Some(Probed::Request(request)) => request.size,
        _ => 0,
    }
}

/// Adds what the probe fetched.
pub(super) fn fields(object: &mut Object<'_>, at: &[u8], args: &[u8], digits: usize) {
    match recognise(at, args) {
        Some(Probed::Request(Request { size, align, vstart, vend })) => {
            object.number("size", size);
            object.number("align", align);
            object.address("vstart", vstart, digits);
            object.address("vend", vend, digits);
        }
        Some(Probed::Return(Returned::Failed)) => {
            object.null("addr");
            object.null("end");
            object.bool("failed", true);
        }
        Some(Probed::Return(Returned::Area { start, end })) => {
            area(object, start, end, digits);
            object.bool("failed", false);
        }
        Some(Probed::Free { start, end }) => area(object, start, end, digits),
        Some(Probed::PurgeEntry(Some((start, end)))) => {
            object.address("start", start, digits);
            object.address("end", end, digits);
        }
        Some(Probed::PurgeEntry(None)) => {
            object.null("start");
            object.null("end");
        }
        Some(Probed::PurgeReturn(Some(purged))) => object.bool("returned", purged),
        Some(Probed::PurgeReturn(None)) => object.null("returned"),
        Some(Probed::Unusable(_)) | None => {}
    }
}

fn area(object: &mut Object<'_>, start: u64, end: Option<u64>, digits: usize) {
    object.address("addr", start, digits);
    match end {
        Some(end) => object.address("end", end, digits),
        None => object.null("end"),
    }
}
