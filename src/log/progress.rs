//! [`Progress`]: how far the reading and resolving of a large input has come, for somebody who waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Log;

/// How many records have been read when the beginning is handed out: the first time as soon as there is something to
/// see, then enough for many screens. Each is resolved anew, so there are few.
const PARTS: [usize; 3] = [1 << 10, 1 << 14, 1 << 17];

/// What one thread reads and another one shows. All figures only tell people how long it will take.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    total_bytes: AtomicU64,
    events: AtomicU64,
    resolved: AtomicU64,
    to_resolve: AtomicU64,
    /// Later records can stand before earlier ones: a beginning is none.
    is_unordered: AtomicBool,
    /// Beginnings that nobody has taken yet, the shortest first.
    parts: Mutex<VecDeque<Log>>,
}

impl Progress {
    /// How often readers say how far they are, in records.
    pub const EVERY: usize = 1024;

    /// So many bytes are there to read, packed as they are; 0 if that is not known.
    pub fn expect_bytes(&self, n: u64) {
        self.total_bytes.store(n, Ordering::Relaxed);
    }

    /// So many bytes more have been read.
    pub fn add_bytes(&self, n: u64) {
        self.bytes.fetch_add(n, Ordering::Relaxed);
    }

    /// So many records have been read.
    pub fn set_events(&self, n: u64) {
        self.events.store(n, Ordering::Relaxed);
    }

    /// Of so many operations so many have been resolved.
    pub fn set_resolved(&self, n: u64, of: u64) {
        self.resolved.store(n, Ordering::Relaxed);
        self.to_resolve.store(of, Ordering::Relaxed);
    }

    /// Bytes read, and how many there are; 0 if that is not known.
    pub fn bytes(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.total_bytes.load(Ordering::Relaxed))
    }

    /// Records read.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Records resolved, and of how many; `None` before that begins.
    pub fn resolved(&self) -> Option<(u64, u64)> {
        let of = self.to_resolve.load(Ordering::Relaxed);
        (0 < of).then(|| (self.resolved.load(Ordering::Relaxed), of))
    }

    /// What comes later can stand before what is there: from now on nothing is handed out.
    pub fn hand_out_nothing(&self) {
        self.is_unordered.store(true, Ordering::Relaxed);
    }

    /// Is the beginning wanted, now that there are so many records?
    pub fn wants_part(&self, n_records: usize) -> bool {
        PARTS.contains(&n_records) && !self.is_unordered.load(Ordering::Relaxed)
    }

    /// Hands out the beginning of a log: what is known of its end goes.
    pub fn hand_out(&self, mut part: Log) {
        part.watched = None;
        part.after = None;
        part.truth = None;
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push_back(part);
    }

    /// The shortest beginning that nobody has taken yet.
    pub fn take_part(&self) -> Option<Log> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Somebody who waits, if there is somebody.
pub type Watched = Option<Arc<Progress>>;
