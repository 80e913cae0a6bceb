//! Who holds an area: a caller's name where one is known, else the task that asked for it.

use crate::event::{Event, Seq};
use crate::log::{InputKind, Log, escape};
use crate::model::costs::AreaCost;
use crate::model::{AddressSpace, Place, Provenance, VmapArea};
use crate::replay::Replay;

/// Who holds an area.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// The function that asked; else `task NAME`; else what kind of area it is. Escaped for display.
    pub name: String,
    /// How that is known.
    pub from: Provenance,
}

/// Who holds an area of the state where the cursor stands.
pub fn holder_of(replay: &Replay, area: &AreaCost) -> Holder {
    holder_in(replay, replay.space(), area)
}

/// Who holds an area of any state of a replay.
pub fn holder_in(replay: &Replay, space: &AddressSpace, area: &AreaCost) -> Holder {
    let (log, usage) = (replay.log(), area.backed.usage);
    let memory = space.memory();
    if let Some(name) = memory.and_then(|memory| memory.usages().caller_name(usage.caller)) {
        return Holder { name: name.to_owned(), from: usage.caller_from };
    }
    let allocator = space.allocator();
    let born = match allocator.lookup(area.backed.extent.start()) {
        Place::Busy { area, .. } => Some(allocator.areas()[area].born).filter(|&born| born != VmapArea::UNBORN),
        _ => None,
    };
    if log.origin.kind == InputKind::Script {
        let name = if born.is_some() { "this script" } else { "early areas" };
        return Holder { name: name.to_owned(), from: Provenance::Observed };
    }
    match born.and_then(|born| log.get(Seq(born))) {
        Some(event) => Holder { name: task_name(log, &event), from: Provenance::Observed },
        None => Holder { name: usage.kind.word().to_owned(), from: usage.kind_from },
    }
}

/// The task of a record as a holder: `task modprobe`, `unnamed tasks`.
pub(super) fn task_name(log: &Log, event: &Event) -> String {
    comm_of(log, event).map_or_else(|| UNNAMED.to_owned(), |comm| format!("task {comm}"))
}

/// What tasks are called that the trace does not name.
pub(super) const UNNAMED: &str = "unnamed tasks";

/// The name of the task of a record, escaped for display; `None` if the trace does not have it.
pub(super) fn comm_of(log: &Log, event: &Event) -> Option<String> {
    let comm = &log.names.task(event.task).comm[..];
    (!matches!(comm, b"" | b"<...>")).then(|| escape(comm))
}
