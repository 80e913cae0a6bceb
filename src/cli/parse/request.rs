//! The fields of a request-level op.

use parsers::ops::RequestOp;
use parsers::ops::request::{Fail, Gfp, Target, Words};

use crate::export::json::Object;

/// Fields of one request.
pub(super) fn fields(object: &mut Object<'_>, request: &RequestOp) {
    match request {
        RequestOp::Vmalloc { id, size, .. } => {
            object.number("id", *id);
            object.number("size", *size);
        }
        RequestOp::Vmap { id, pages, .. } | RequestOp::MapRam { id, pages, .. } => {
            object.number("id", *id);
            object.number("pages", *pages);
        }
        RequestOp::Ioremap { id, phys, size, .. } => {
            object.number("id", *id);
            object.address("phys", *phys, 16);
            object.number("size", *size);
        }
        RequestOp::Pcpu { id, groups, .. } => {
            object.number("id", *id);
            object.number("size", groups.iter().fold(0, |sum: u64, &(_, size)| sum.saturating_add(size)));
            object.number("groups", groups.len() as u64);
        }
        RequestOp::UnmapRam { id } | RequestOp::Cost { id } => object.number("id", *id),
        RequestOp::Free { target, irq, .. } => {
            match *target {
                Target::Id { id, offset } => {
                    object.number("id", id);
                    object.number("offset", offset);
                }
                Target::Address(addr) => object.address("addr", addr, 16),
            }
            object.bool("irq", *irq);
        }
        RequestOp::Contrast { size } => object.number("size", *size),
        RequestOp::Deferred { .. } | RequestOp::Aliases | RequestOp::Init | RequestOp::Memory => {}
    }
    if let Some(words) = request.words() {
        asked(object, words);
    }
    object.number("cpu", u64::from(request.cpu()));
}

fn asked(object: &mut Object<'_>, words: &Words) {
    if let Some(align) = words.align {
        object.number("align", align);
    }
    if let Some((start, end)) = words.window {
        object.address("vstart", start, 16);
        object.address("vend", end, 16);
    }
    if let Some(node) = words.node {
        object.number("node", u64::from(node));
    }
    if let Some(gfp) = words.gfp {
        object.text("gfp", gfp_word(gfp).as_bytes());
    }
    for (key, text) in [("flags", &words.flags), ("caller", &words.caller)] {
        if let Some(text) = text {
            object.text(key, text.as_bytes());
        }
    }
    match words.fail {
        Some(Fail::Descriptor) => object.text("fail", b"descriptor"),
        Some(Fail::Array) => object.text("fail", b"array"),
        Some(Fail::Pages(n)) => object.text("fail", format!("pages:{n}").as_bytes()),
        Some(Fail::Tables(n)) => object.text("fail", format!("tables:{n}").as_bytes()),
        None => {}
    }
}

fn gfp_word(gfp: Gfp) -> &'static str {
    match gfp {
        Gfp::Kernel => "kernel",
        Gfp::Dma => "dma",
        Gfp::Dma32 => "dma32",
        Gfp::HighMem => "highmem",
        Gfp::Atomic => "atomic",
    }
}
