//! [`Loading`]: an input that is read and resolved beside the screen, while its beginning is shown already.

use std::sync::Arc;

use color_eyre::eyre::{Report, Result, WrapErr};
use tokio::task::JoinHandle;

use crate::log::{Log, Progress};
use crate::replay::Replay;
use crate::view::text;

/// What is to be shown, and how it is had.
#[derive(Debug)]
pub struct Source<F, P> {
    /// Name of the input.
    pub name: String,
    /// How far `all` has come.
    pub progress: Arc<Progress>,
    /// Reads and resolves all of it.
    pub all: F,
    /// Resolves the beginning that `progress` hands out; `None` if that makes no sense.
    pub part: P,
}

/// Resolves the beginning of an input.
type Open = dyn Fn(Log) -> Option<Replay> + Send + Sync;

/// What has arrived.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// The beginning.
    Part(Replay),
    /// Everything.
    All(Replay),
    /// It failed.
    Failed(Report),
}

/// The read that is under way.
pub(crate) struct Loading {
    pub(crate) name: String,
    progress: Arc<Progress>,
    job: JoinHandle<Result<Replay>>,
    open: Arc<Open>,
    part: Option<JoinHandle<Option<Replay>>>,
}

impl Loading {
    /// Begins to read on a thread of its own.
    pub(crate) fn begin<E, F, P>(source: Source<F, P>) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
        F: FnOnce() -> Result<Replay, E> + Send + 'static,
        P: Fn(Log) -> Option<Replay> + Send + Sync + 'static,
    {
        let Source { name, progress, all, part } = source;
        let job = tokio::task::spawn_blocking(move || all().map_err(Report::new));
        Self { name, progress, job, open: Arc::new(part), part: None }
    }

    /// Begins to resolve a beginning, if there is one and none is being resolved; answers whether one is.
    pub(crate) fn take_part(&mut self) -> bool {
        if self.part.is_none()
            && let Some(part) = self.progress.take_part()
        {
            let open = Arc::clone(&self.open);
            self.part = Some(tokio::task::spawn_blocking(move || open(part)));
        }
        self.part.is_some()
    }

    /// Waits for what arrives next. Nothing is lost if the wait is given up; it has to be begun again now and then, for
    /// the beginning is only asked for at its start.
    ///
    /// # Errors
    /// Reading or resolving ended in a panic.
    pub(crate) async fn next(&mut self) -> Result<Arrived> {
        self.take_part();
        let Some(part) = &mut self.part else { return all(&mut self.job).await };
        tokio::select! {
            biased;
            all = all(&mut self.job) => all,
            part = part => {
                self.part = None;
                match part.wrap_err("resolving ended in a panic")? {
                    Some(replay) => Ok(Arrived::Part(replay)),
                    None => all(&mut self.job).await,
                }
            }
        }
    }

    /// How far it is, in a few words.
    pub(crate) fn words(&self) -> String {
        words(&self.progress)
    }
}

async fn all(job: &mut JoinHandle<Result<Replay>>) -> Result<Arrived> {
    Ok(match job.await.wrap_err("reading ended in a panic")? {
        Ok(replay) => Arrived::All(replay),
        Err(report) => Arrived::Failed(report),
    })
}

fn words(progress: &Progress) -> String {
    if let Some((at, of)) = progress.resolved() {
        return format!("resolving {} %", at * 100 / of);
    }
    let ((bytes, total), events) = (progress.bytes(), progress.events());
    if bytes == 0 || events == 0 {
        return if bytes == 0 { "reading".to_owned() } else { format!("reading, {} so far", text::bytes(bytes)) };
    }
    if bytes < total {
        let all = (u128::from(events) * u128::from(total) / u128::from(bytes)) as u64;
        return format!("reading {} of about {} events", text::count(events), short(all));
    }
    format!("reading, {} events so far", text::count(events))
}

/// A number that is not known better than to a tenth of a million.
fn short(n: u64) -> String {
    if n < 1_000_000 { text::count(n / 1000 * 1000) } else { format!("{}.{} M", n / 1_000_000, n / 100_000 % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_what_is_known() {
        let progress = Progress::default();
        assert_eq!(words(&progress), "reading");
        progress.add_bytes(2048);
        assert_eq!(words(&progress), "reading, 2 KiB so far");
        progress.set_events(3_211_264);
        assert_eq!(words(&progress), "reading, 3,211,264 events so far");
        progress.expect_bytes(6400);
        assert_eq!(words(&progress), "reading 3,211,264 of about 10.0 M events");
        progress.set_resolved(0, 200);
        assert_eq!(words(&progress), "resolving 0 %");
        progress.set_resolved(83, 200);
        assert_eq!(words(&progress), "resolving 41 %");
    }
}
