//! [`Asked`]: what each record asks for and can have been part of, for whoever does what a beam has decided.

use crate::log::Log;
use crate::model::{AddressSpace, Owner, Request};

use super::super::Machine;
use super::doubts::FAR_AHEAD;
use super::facts::{Facts, What};
use super::state::Env;

/// How far behind a record one can stand that took effect before it.
pub(in crate::replay) const MOST_AHEAD: u32 = FAR_AHEAD;

/// What a record asks.
#[derive(Debug, Clone, Copy)]
pub(in crate::replay) enum Ask {
    /// Space, the recorded answer, and the per-CPU chunk that follows on it.
    Alloc { request: Request, recorded: Option<u64>, chunk: Option<(u64, u64)> },
    /// That an area goes.
    Free { addr: u64 },
    /// The end of a purge.
    Purge,
    /// Nothing of the allocator.
    Nothing,
}

/// A record and who wrote it.
#[derive(Debug, Clone, Copy)]
pub(in crate::replay) struct Asking {
    pub(in crate::replay) cpu: u16,
    /// Its task, by pid.
    pub(in crate::replay) task: usize,
    pub(in crate::replay) ask: Ask,
}

/// The records, as the beam reads them.
#[derive(Debug)]
pub(in crate::replay) struct Asked<'a> {
    facts: Facts<'a>,
    env: Env,
    n_records: u32,
}

impl<'a> Asked<'a> {
    pub(in crate::replay) fn read(log: &'a Log, machine: &Machine, space: &AddressSpace) -> Self {
        let env = Env::new(machine, space);
        Self { facts: Facts::read(log, machine, &env, space), env, n_records: log.events.len() as u32 }
    }

    pub(in crate::replay) fn at(&self, index: u32) -> Asking {
        let record = self.facts.record(index);
        let ask = match record.what {
            What::Alloc { request, recorded, chunk } => Ask::Alloc { request, recorded, chunk },
            What::Free { addr, .. } => Ask::Free { addr },
            What::Purge(_) => Ask::Purge,
            What::FreeBegins { .. } | What::Unasked { .. } | What::Nothing => Ask::Nothing,
        };
        Asking { cpu: record.cpu, task: record.task, ask }
    }

    /// Of the purge that can be under way at a record, or that ends there: are pools decayed wholly?
    pub(in crate::replay) fn purge_at(&self, index: u32) -> Option<bool> {
        let ends_here = |purge: &&super::facts::PurgeFacts| purge.record == index;
        let purge = self.facts.next_purge(index).filter(ends_here).or_else(|| self.facts.under_way(index));
        purge.map(|purge| purge.full)
    }

    /// The first record that is replayed.
    pub(in crate::replay) fn first(&self) -> u32 {
        self.facts.first as u32
    }

    pub(in crate::replay) fn n_records(&self) -> u32 {
        self.n_records
    }

    pub(in crate::replay) fn page_size(&self) -> u64 {
        self.env.page_size
    }

    pub(in crate::replay) fn n_nodes(&self) -> u32 {
        self.env.n_nodes
    }

    /// Can what one CPU did stand in another order than its records?
    pub(in crate::replay) fn only_tasks_keep_order(&self) -> bool {
        self.env.rules.reschedules_before_record
    }

    /// Do freed areas fuse, and come back range by range (up to 6.8)?
    pub(in crate::replay) fn fuses(&self) -> bool {
        self.env.fuses()
    }

    /// Whose the area of a request is.
    pub(in crate::replay) fn owner_of(&self, request: &Request) -> Owner {
        self.env.owner_of(request)
    }
}
