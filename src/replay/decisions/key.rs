//! The key: what the beam decides follows from this, and from nothing else.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::event::EventKind;
use crate::log::Log;
use crate::model::AddressSpace;

use super::super::Machine;
use super::super::beam::{Ask, Asked};

/// Raised when the beam begins to decide otherwise, or a file to say it otherwise.
const SEARCH: u32 = 2;

/// Takes text and numbers.
struct Hasher(Sha256);

impl Write for Hasher {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl Hasher {
    fn numbers(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.0.update(number.to_le_bytes());
        }
    }
}

/// A digest in hex.
pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digest of the records as the beam sees them, of the machine, the rules, the state at the start and the program.
/// When records were written, and on which line they stand, decides nothing.
pub(super) fn of(log: &Log, machine: &Machine, asked: &Asked<'_>, space: &AddressSpace) -> String {
    let mut hasher = Hasher(Sha256::new());
    let allocator = space.allocator();
    // Writing to the hash cannot fail.
    let _ = writeln!(hasher, "{} {SEARCH} {:?}", env!("CARGO_PKG_VERSION"), machine.policy.rules);
    let Machine { cpus_possible, cpus_online, window, page_size, is_32_bit, from_boot, .. } = *machine;
    hasher.numbers(&[
        cpus_possible.into(),
        cpus_online.into(),
        window.vstart,
        window.vend,
        page_size,
        is_32_bit.into(),
        from_boot.into(),
        asked.first().into(),
        allocator.n_nodes().into(),
        allocator.lazy_max_pages(),
        allocator.lazy_pages(),
    ]);
    let _ = allocator.dump(false, &mut hasher);
    for node in 0..allocator.n_nodes() {
        allocator.visit_busy(node, &mut |area| {
            hasher.numbers(&[area.start, area.end, area.owner.into(), area.born.into()]);
        });
        allocator.visit_lazy(node, &mut |area| {
            hasher.numbers(&[area.start, area.end, area.owner.into(), area.born.into()]);
        });
    }
    for task in log.names.tasks() {
        hasher.numbers(&[task.comm.len() as u64, task.pid as u64]);
        hasher.0.update(&task.comm);
    }
    for window in log.names.windows() {
        hasher.numbers(&[window.vstart, window.vend]);
    }
    for (index, event) in log.events.iter().enumerate() {
        hasher.numbers(&[event.cpu.into(), event.task.0.into()]);
        match event.kind {
            EventKind::Alloc { addr, size, align, window, failed } => {
                hasher.numbers(&[1, addr.0, size, align, window.0.into(), failed.into()]);
            }
            EventKind::Free { addr, nr_lazy, nr_lazy_max } => hasher.numbers(&[2, addr.0, nr_lazy, nr_lazy_max]),
            EventKind::Purge { start, end, num_purged } => hasher.numbers(&[3, start.0, end.0, num_purged.into()]),
            EventKind::Mark { .. } | EventKind::Report { .. } | EventKind::Other { .. } => hasher.numbers(&[0]),
            kind => {
                let _ = write!(hasher, "{kind:?}");
            }
        }
        if asked.first() as usize <= index
            && let Ask::Alloc { request, chunk, .. } = asked.at(index as u32).ask
        {
            let (size, align) = chunk.unwrap_or_default();
            hasher.numbers(&[request.first_attempt.into(), size, align]);
        }
    }
    hex(&hasher.0.finalize())
}
