//! [`Pool`]: captures are opened by whoever is free, the largest first, and so are the policies of those that are open:
//! nobody has nothing to do while one long capture is gone through policy by policy.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What there is to do, for several threads.
#[derive(Debug)]
pub(super) struct Pool<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// Captures nobody has opened, by place.
    unopened: VecDeque<usize>,
    /// How many are being opened.
    opening: usize,
    /// Captures that are open, and the next of their parts.
    open: VecDeque<(Arc<T>, usize, usize)>,
}

/// Something to do.
#[derive(Debug)]
pub(super) enum Job<T> {
    /// Open a capture; then say [`Pool::opened`].
    Open(usize),
    /// Do a part of an open one.
    Part(Arc<T>, usize),
}

impl<T> Pool<T> {
    /// Captures to open, in this order.
    pub(super) fn new(order: Vec<usize>) -> Self {
        let state = State { unopened: order.into(), opening: 0, open: VecDeque::new() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job: parts of what is open come first, since those take memory. Waits while one may still come up; `None`
    /// when there are no more.
    pub(super) fn next(&self) -> Option<Job<T>> {
        let mut state = self.state();
        loop {
            if let Some((work, next, n)) = state.open.front_mut() {
                let job = Job::Part(Arc::clone(work), *next);
                *next += 1;
                if *next == *n {
                    state.open.pop_front();
                }
                return Some(job);
            }
            if let Some(place) = state.unopened.pop_front() {
                state.opening += 1;
                return Some(Job::Open(place));
            }
            if state.opening == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A capture has been opened: this is to be done in so many parts; `None` if there is nothing to do with it.
    pub(super) fn opened(&self, work: Option<(T, usize)>) {
        let mut state = self.state();
        state.opening -= 1;
        if let Some((work, n)) = work.filter(|&(_, n)| 0 < n) {
            state.open.push_back((Arc::new(work), 0, n));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Nobody wants the rest.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        state.unopened.clear();
        state.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_every_capture_is_done_once() {
        for n_threads in [1, 2, 5] {
            let pool: Pool<usize> = Pool::new((0..20).collect());
            let done = Mutex::new(Vec::new());
            std::thread::scope(|scope| {
                for _ in 0..n_threads {
                    scope.spawn(|| {
                        while let Some(job) = pool.next() {
                            match job {
                                Job::Open(place) => pool.opened((place != 3).then_some((place, place % 4))),
                                Job::Part(work, part) => done.lock().expect("a list").push((*work, part)),
                            }
                        }
                    });
                }
            });
            let mut done = done.into_inner().expect("a list");
            done.sort_unstable();
            let all =
                (0..20).filter(|&place| place != 3).flat_map(|place| (0..place % 4).map(move |part| (place, part)));
            assert_eq!(done, all.collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_given_up_is_not_done() {
        let pool: Pool<()> = Pool::new(vec![0, 1]);
        assert!(matches!(pool.next(), Some(Job::Open(0))));
        pool.give_up();
        pool.opened(None);
        assert!(pool.next().is_none());
    }
}
