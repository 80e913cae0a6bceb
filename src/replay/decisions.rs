//! [`Store`]: what was inferred of a trace of several CPUs, kept for the next time it is opened.
//!
//! What is kept are choices of the closed set that the beam has (how far a purge had got, which record came first, which
//! pool was looked at, what was believed), never operations: these are made from the records. The full model then does
//! them as it does what has just been decided, so that a file that lies is contradicted like a record that lies. Whoever
//! writes such a file can name other timings than the likeliest; an address that the model does not give is never exact.

mod key;
mod order;
#[cfg(test)]
mod tests;
mod text;
mod ways;

use std::fmt::Debug;

use crate::log::Log;

use super::beam::Asked;
use super::resolve::Resolver;
use super::{Checkpoints, Plan, Settings};
use text::Refused;

/// What every such file begins with, whatever its version.
pub const BEGINS_WITH: &[u8] = b"{\"schema\":\"vmaplens.decisions/";

/// Bytes that a file can have besides those for its records: a purge of many nodes takes some lines alone.
const MOST_BYTES: u64 = 1 << 20;
/// Bytes for each record. In the traces there are, a record takes up to ten.
const MOST_PER_RECORD: u64 = 256;

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Nothing.
    Nothing,
    /// Something that cannot be read, and why.
    Unreadable(String),
    /// This.
    Bytes(Vec<u8>),
}

/// Where decisions are kept.
pub trait Store: Debug + Send + Sync {
    /// Its name, for people.
    fn name(&self) -> String;

    /// What is there; more than `most` bytes are not read.
    fn load(&self, most: u64) -> Stored;

    /// Is something to be written?
    fn is_wanted(&self) -> bool;

    /// Writes, as a whole or not at all.
    ///
    /// # Errors
    /// What the system says, or that something else is there.
    fn save(&self, bytes: &[u8]) -> Result<(), String>;
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// What was kept has been used: nothing was searched.
    pub is_used: bool,
    /// It has been written.
    pub is_written: bool,
    /// What is wrong, a line each.
    pub problems: Vec<String>,
}

/// Resolves a log for which a beam is needed, with what was kept of it if that fits.
pub(super) fn resolved(
    resolver: Resolver<'_>,
    (log, settings): (&Log, &Settings),
    progress: impl Fn(usize) + Copy,
) -> (Plan, Checkpoints) {
    let (store, checkpoint_bytes) = (settings.decisions.as_deref(), settings.checkpoint_bytes());
    let machine = *resolver.machine();
    let n_records = log.events.len();
    let most = MOST_BYTES.saturating_add(MOST_PER_RECORD.saturating_mul(n_records as u64));
    let stored = store.map_or(Stored::Nothing, |store| store.load(most));
    let Some(store) = store.filter(|store| store.is_wanted() || stored != Stored::Nothing) else {
        return match resolver.decide(progress) {
            Some(decisions) => resolver.run_decided(decisions, checkpoint_bytes).0,
            None => resolver.run(checkpoint_bytes, progress),
        };
    };
    let asked = Asked::read(log, &machine, resolver.space());
    let key = key::of(log, &machine, &asked, resolver.space());
    let mut kept = Kept::default();
    let found = match stored {
        Stored::Nothing => None,
        Stored::Unreadable(why) => {
            kept.problems.push(format!("{} is not used: {why}", store.name()));
            None
        }
        Stored::Bytes(bytes) => {
            let read = text::read(&bytes, &key, &asked);
            read.map_err(|why| kept.problems.push(not_used(store, &why))).ok()
        }
    };
    match found {
        Some(Some(decisions)) => {
            let ((mut plan, checkpoints), contradicted) =
                Resolver::new(log, machine).run_decided(decisions, checkpoint_bytes);
            match contradicted {
                None => {
                    plan.kept = Kept { is_used: true, ..kept };
                    return (plan, checkpoints);
                }
                Some(at) => kept.problems.push(not_used(store, &Refused::Impossible { event: at + 1 })),
            }
        }
        Some(None) => {
            let (mut plan, checkpoints) = resolver.run(checkpoint_bytes, progress);
            plan.kept = Kept { is_used: true, ..kept };
            return (plan, checkpoints);
        }
        None => {}
    }
    let decisions = resolver.decide(progress);
    let bytes = if store.is_wanted() { text::write(decisions.as_ref(), &key, &asked) } else { None };
    let ((mut plan, checkpoints), contradicted) = match decisions {
        Some(decisions) => resolver.run_decided(decisions, checkpoint_bytes),
        None => (resolver.run(checkpoint_bytes, progress), None),
    };
    if store.is_wanted() {
        let saved = match (bytes, contradicted) {
            (Some(bytes), None) if bytes.len() as u64 <= most => store.save(&bytes),
            _ => Err("what was decided cannot be told in its words, or contradicts the records".to_owned()),
        };
        match saved {
            Ok(()) => kept.is_written = true,
            Err(why) => kept.problems.push(format!("{} is not written: {why}", store.name())),
        }
    }
    plan.kept = kept;
    (plan, checkpoints)
}

fn not_used(store: &dyn Store, why: &Refused) -> String {
    format!("{} is not used: {why}", store.name())
}
