//! [`Feeding`]: reads an input again and again beside the screen, more seldom if it takes long.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{mpsc, watch};

use super::live::Taken;
use crate::replay::{Replay, Settings};

/// At most this part of a CPU is spent on reading.
const SHARE: u32 = 20;

/// What is to be read again and again.
#[derive(Debug)]
pub struct Feed<R> {
    /// How often.
    pub every: Duration,
    /// How its areas are opened again.
    pub settings: Settings,
    /// Reads it, or says in a sentence why it cannot.
    pub read: R,
}

/// Readings on their way.
#[derive(Debug)]
pub(crate) struct Feeding {
    taken: mpsc::Receiver<Taken>,
    held: watch::Sender<bool>,
}

/// How often something is read that takes so long.
fn interval(asked: Duration, cost: Duration) -> Duration {
    asked.max(cost.saturating_mul(SHARE))
}

/// One reading.
pub(crate) fn take<R>(read: &mut R, asked: Duration, begun: Instant) -> Taken
where
    R: FnMut() -> Result<Replay, String>,
{
    let at = begun.elapsed();
    let before = worked();
    let replay = read();
    let cost = worked().saturating_sub(before);
    Taken { replay, at, cost, every: interval(asked, cost) }
}

/// What this thread has worked so far, in the kernel too: who waits for others costs nothing.
pub(super) fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Feeding {
    /// Begins to read; the first reading comes after `every`.
    pub(crate) fn begin<R>(feed: Feed<R>, begun: Instant, first: Duration) -> Self
    where
        R: FnMut() -> Result<Replay, String> + Send + 'static,
    {
        // One reading waits at most: nobody wants old ones.
        let (sender, taken) = mpsc::channel(1);
        let (held, mut is_held) = watch::channel(false);
        tokio::spawn(async move {
            let Feed { every, mut read, .. } = feed;
            let mut wait = first;
            loop {
                tokio::time::sleep(wait).await;
                if is_held.wait_for(|held| !held).await.is_err() {
                    return;
                }
                let job = tokio::task::spawn_blocking(move || {
                    let taken = take(&mut read, every, begun);
                    (taken, read)
                });
                // A panic while reading ends the readings; the screen stays.
                let Ok((taken, back)) = job.await else { return };
                read = back;
                wait = taken.every;
                if sender.send(taken).await.is_err() {
                    return;
                }
            }
        });
        Self { taken, held }
    }

    /// The next reading.
    pub(crate) async fn next(&mut self) -> Taken {
        match self.taken.recv().await {
            Some(taken) => taken,
            None => std::future::pending().await,
        }
    }

    /// Stops reading, or goes on.
    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_read_more_seldom() {
        let asked = Duration::from_secs(2);
        assert_eq!(interval(asked, Duration::from_millis(3)), asked);
        assert_eq!(interval(asked, Duration::from_millis(400)), Duration::from_secs(8));
    }
}
