//! [`Demands`]: what a trace asks of any allocator, in order: requests, frees by identity, purges that somebody asked for,
//! and the places where a worker had its chance.
//!
//! A demand is twelve bytes. Requests that ask for the same stand in a table once.

use std::collections::HashMap;

use crate::event::{Event, EventKind};
use crate::log::{Log, Window};
use crate::model::{Extent, Groups, HelperOrder, PurgePart, Request};

/// Number of an area, or of the request for one: its identity in every lane.
pub type Id = u32;

/// No record: of an area that is older than the trace, or of an attempt that no record shows.
pub const NO_RECORD: u32 = u32::MAX;

/// One thing that is demanded of every lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// A request, its first attempt. `waits`: the trace shows what came of a refusal, so that a refused lane goes on there;
    /// else it purges and tries again at once.
    Ask {
        /// The request.
        id: Id,
        /// What it asks for: see [`Demands::request`].
        shape: u32,
        /// Later demands go on with it.
        waits: bool,
    },
    /// A refused request purges everything.
    Overflow {
        /// The request.
        id: Id,
    },
    /// A refused request is tried again.
    AskAgain {
        /// The request.
        id: Id,
        /// What it asks for now.
        shape: u32,
    },
    /// An area is freed.
    Free {
        /// The area.
        id: Id,
    },
    /// The trace gave a request up. A lane that served it gives the area back: what follows happened without it.
    GiveBack {
        /// The request.
        id: Id,
    },
    /// An area has gone without a record, because a later one lies where it was.
    Gone {
        /// The area.
        id: Id,
    },
    /// A per-CPU chunk of one group is carved.
    Chunk {
        /// The chunk.
        id: Id,
        /// Size and alignment.
        shape: u32,
    },
    /// A per-CPU chunk of several groups is carved.
    Chunks {
        /// The area of its first group; those of the others follow.
        id: Id,
        /// Its groups: see [`Demands::groups`].
        groups: u32,
    },
    /// An area comes to light that is older than the trace: see [`Demands::older`].
    Older {
        /// The area.
        id: Id,
    },
    /// Somebody asks for a purge.
    Purge {
        /// Of everything, pools included.
        full: bool,
    },
    /// The drain of the trace's own allocator: a worker had its chance here, or the freeing task purged.
    Worker,
    /// A part of a purge of the trace's own allocator.
    Part(PurgePart),
    /// The shrinker empties the pools.
    Shrink,
    /// A request that is refused before anything is searched.
    Reject {
        /// The request.
        id: Id,
    },
}

impl Demand {
    /// The area or request it is about, if it is about one.
    pub fn id(self) -> Option<Id> {
        match self {
            Self::Ask { id, .. }
            | Self::Overflow { id }
            | Self::AskAgain { id, .. }
            | Self::Free { id }
            | Self::GiveBack { id }
            | Self::Gone { id }
            | Self::Chunk { id, .. }
            | Self::Chunks { id, .. }
            | Self::Older { id }
            | Self::Reject { id } => Some(id),
            Self::Purge { .. } | Self::Worker | Self::Part(_) | Self::Shrink => None,
        }
    }
}

/// Where the records of a request stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Record of the first attempt; [`NO_RECORD`] of an area older than the trace.
    pub first: u32,
    /// Record of the last attempt.
    pub last: u32,
}

/// The demands of a log.
#[derive(Debug, Clone, Default)]
pub struct Demands {
    pub(super) list: Vec<Demand>,
    /// Per record: where its demands end in `list`.
    pub(super) ends: Vec<u32>,
    /// Per id.
    pub(super) subjects: Vec<Subject>,
    pub(super) shapes: Vec<Request>,
    pub(super) shape_ids: HashMap<(u64, u64, Window, u32, bool), u32>,
    pub(super) groups: Vec<(Groups, u64)>,
    /// Where areas older than the trace lie, ascending by id.
    pub(super) older: Vec<(Id, Extent)>,
    /// Areas in use before the first record: the first ids.
    pub(super) n_start: u32,
    /// Records between a free that goes above the limit and the worker's purge, at most.
    pub(super) delay: usize,
    /// The log is a script: purges are as it says, and places of records are the model's own.
    pub(super) is_script: bool,
    pub(super) helpers: HelperOrder,
}

impl Demands {
    /// Records there are demands of.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Is there no record?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Demands of all records together.
    pub fn n_demands(&self) -> usize {
        self.list.len()
    }

    /// Ids given out.
    pub fn n_ids(&self) -> usize {
        self.subjects.len()
    }

    /// Places of the demands of a record, in the list of demands.
    pub fn places(&self, record: usize) -> std::ops::Range<usize> {
        let end = self.ends.get(record).map_or(self.list.len(), |&end| end as usize);
        let start = record.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize);
        start..end
    }

    /// The demands of a record, in order.
    pub fn of(&self, record: usize) -> &[Demand] {
        self.list.get(self.places(record)).unwrap_or(&[])
    }

    /// What a request asks for, as the trace has it.
    pub fn request(&self, shape: u32) -> Option<&Request> {
        self.shapes.get(shape as usize)
    }

    /// Groups and alignment of a per-CPU chunk.
    pub fn groups(&self, index: u32) -> Option<&(Groups, u64)> {
        self.groups.get(index as usize)
    }

    /// Where an area lies that is older than the trace; `None` of others.
    pub fn older(&self, id: Id) -> Option<Extent> {
        let place = self.older.binary_search_by_key(&id, |&(older, _)| older).ok()?;
        Some(self.older[place].1)
    }

    /// Where the records of a request stand.
    pub fn subject(&self, id: Id) -> Option<Subject> {
        self.subjects.get(id as usize).copied()
    }

    /// Areas in use before the first record: they have the first ids.
    pub fn n_start(&self) -> u32 {
        self.n_start
    }

    /// Records that a worker of a lane is given between the free that queues it and its purge: as many as the trace's own
    /// worker needed at most.
    pub fn delay(&self) -> usize {
        self.delay
    }

    /// Is it an op script?
    pub fn is_script(&self) -> bool {
        self.is_script
    }

    /// Where the trace says the area of a request lies; `None` if the request came to nothing there, or was never seen.
    pub fn recorded(&self, log: &Log, id: Id) -> Option<u64> {
        let subject = self.subject(id)?;
        if subject.first == NO_RECORD {
            return self.older(id).map(Extent::start);
        }
        recorded_place(&log.events.get(subject.last as usize)?)
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let bytes = self.list.capacity() * size_of::<Demand>()
            + self.ends.capacity() * 4
            + self.subjects.capacity() * size_of::<Subject>()
            + self.shapes.capacity() * (size_of::<Request>() * 2)
            + self.older.capacity() * size_of::<(Id, Extent)>();
        bytes as u64
    }

    pub(super) fn shape(&mut self, request: &Request) -> u32 {
        let key = (request.size, request.align, request.window, request.cpu, request.first_attempt);
        *self.shape_ids.entry(key).or_insert_with(|| {
            self.shapes.push(*request);
            self.shapes.len() as u32 - 1
        })
    }

    pub(super) fn new_id(&mut self, record: u32) -> Id {
        self.subjects.push(Subject { first: record, last: record });
        self.subjects.len() as Id - 1
    }

    pub(super) fn new_older(&mut self, extent: Extent) -> Id {
        let id = self.new_id(NO_RECORD);
        self.older.push((id, extent));
        id
    }
}

/// The address a record says was given out.
pub(super) fn recorded_place(event: &Event) -> Option<u64> {
    match event.kind {
        EventKind::Alloc { addr, failed: false, .. } | EventKind::Unasked { addr, .. } => Some(addr.0),
        _ => None,
    }
}
