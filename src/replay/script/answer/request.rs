//! What a request answers.
//!
//! An allocation: its address, `NULL`, or `nosuch` where the release has no such call, then what was behind it, `pages=N tables=N mask=HEX`, and `sync` if the page
//! tables of processes follow. A free: `.` if an area went, `-` if there was nothing to do, or the kernel's complaint.

use std::fmt::Write;

use parsers::ops::RequestOp;

use super::Asking;
use crate::model::memory::MemoryAnswer;
use crate::model::page_table::ModMask;
use crate::model::stage::{Message, Note};
use crate::model::{Answer, MemoryOp, Op};

/// What one request came to.
#[derive(Debug, Default)]
struct Came {
    returned: Option<u64>,
    imported: u32,
    free_ranges: u32,
    freed: u32,
    deferred: u32,
    waited: u32,
    said: Option<(Message, u64)>,
    pages: u64,
    tables: u64,
    mask: ModMask,
    syncs: bool,
}

impl Came {
    fn of(asking: &Asking<'_>) -> Self {
        let mut came = Self::default();
        // A nested page array is mapped before the area it belongs to: what was mapped last is what was asked for.
        for (op, answer) in asking.ops.iter().zip(asking.answers) {
            match (op, answer) {
                (Op::Memory(MemoryOp::Tell(note)), _) => came.note(*note),
                (Op::Memory(MemoryOp::Defer { .. }), _) => came.deferred += 1,
                (_, Answer::Memory(MemoryAnswer::Waited(Some(_)))) => came.waited += 1,
                (Op::Memory(MemoryOp::TakePages { .. }), Answer::Memory(MemoryAnswer::Pages(got))) => came.pages = *got,
                (_, Answer::Memory(MemoryAnswer::Mapped { new_tables, mod_mask, syncs, .. })) => {
                    came.tables += u64::from(*new_tables);
                    came.mask = *mod_mask;
                    came.syncs |= syncs;
                }
                (_, Answer::Freed(_)) | (Op::Memory(MemoryOp::DirtyInBlock { .. }), _) => came.freed += 1,
                _ => {}
            }
        }
        came
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Returned { addr } => self.returned = Some(addr),
            Note::Imported { .. } => self.imported += 1,
            Note::FreeSpace { .. } => self.free_ranges += 1,
            Note::Said { message, value } => self.said = Some((message, value)),
            _ => {}
        }
    }
}

/// Appends the answer.
pub(super) fn write(asking: &Asking<'_>, request: &RequestOp, out: &mut String) {
    let came = Came::of(asking);
    // Writing to a string cannot fail.
    let _ = match request {
        RequestOp::Vmalloc { .. }
        | RequestOp::Vmap { .. }
        | RequestOp::MapRam { .. }
        | RequestOp::Ioremap { .. }
        | RequestOp::Pcpu { .. } => allocation(&came, out),
        RequestOp::Free { .. } | RequestOp::UnmapRam { .. } => free(&came, out),
        RequestOp::Deferred { .. } => deferred(&came, out),
        RequestOp::Aliases => write!(out, "aliases"),
        RequestOp::Init => write!(out, "init imported={} free={}", came.imported, came.free_ranges),
        // Questions have answered before.
        RequestOp::Cost { .. } | RequestOp::Memory | RequestOp::Contrast { .. } => Ok(()),
    };
}

fn allocation(came: &Came, out: &mut String) -> std::fmt::Result {
    match (came.returned, came.said) {
        (Some(addr), _) => write!(out, "{addr:x}")?,
        (None, Some((Message::NoSuchCall, _))) => out.push_str("nosuch"),
        (None, _) => out.push_str("NULL"),
    }
    if came.pages > 0 {
        write!(out, " pages={}", came.pages)?;
    }
    if came.mask != ModMask::default() {
        write!(out, " tables={} mask={:x}", came.tables, came.mask.0)?;
    }
    if came.syncs {
        out.push_str(" sync");
    }
    Ok(())
}

/// How many addresses the work took, and the last complaint about one of them.
fn deferred(came: &Came, out: &mut String) -> std::fmt::Result {
    write!(out, "deferred {}", came.waited)?;
    match came.said {
        Some((Message::BadAddress, addr)) => write!(out, " bad {addr:x}"),
        Some((Message::Nonexistent, addr)) => write!(out, " nonexistent {addr:x}"),
        _ => Ok(()),
    }
}

fn free(came: &Came, out: &mut String) -> std::fmt::Result {
    match came.said {
        Some((Message::BadAddress, addr)) => write!(out, "bad {addr:x}"),
        Some((Message::Nonexistent | Message::BadBlock, addr)) => write!(out, "nonexistent {addr:x}"),
        Some((Message::InInterrupt, _)) => write!(out, "BUG"),
        Some((Message::NoSuchCall, _)) => write!(out, "nosuch"),
        _ if came.deferred > 0 => write!(out, "deferred"),
        _ => write!(out, "{}", if came.freed > 0 { '.' } else { '-' }),
    }
}
