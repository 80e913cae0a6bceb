//! [`Overflow`]: where a task stands with a request that failed, as far as its records tell.

use std::collections::HashMap;

use crate::log::{Log, Window};
use crate::model::PurgeKind;

/// Where a task stands with a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Overflow {
    /// No request failed.
    #[default]
    None,
    /// The first attempt failed: the task purges everything next.
    Purging(u64, u64, Window),
    /// It has purged: the same request comes again, without a look at the pool.
    Retrying(u64, u64, Window),
}

impl Overflow {
    /// The task makes an attempt; answers whether it is a first one.
    pub(super) fn attempt(&mut self, (size, align, window): (u64, u64, Window), failed: bool) -> bool {
        let retry = *self == Self::Retrying(size, align, window);
        // A second failure ends the request; any purge of the task after it is an ordinary one.
        *self = if failed && !retry { Self::Purging(size, align, window) } else { Self::None };
        !retry
    }

    /// The task has purged: everything, if that was for a request that failed.
    pub(super) fn purge(&mut self) -> PurgeKind {
        match *self {
            Self::Purging(size, align, window) => {
                *self = Self::Retrying(size, align, window);
                PurgeKind::Full
            }
            Self::None | Self::Retrying(..) => PurgeKind::Partial,
        }
    }
}

/// Per task of a log, the first one with its pid: a name is a label, the pid is the task.
pub(super) fn task_slots(log: &Log) -> Vec<usize> {
    let mut first_with_pid = HashMap::new();
    let tasks = log.names.tasks().iter().enumerate();
    tasks.map(|(index, task)| *first_with_pid.entry(task.pid).or_insert(index)).collect()
}
