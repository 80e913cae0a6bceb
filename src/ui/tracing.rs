//! [`Tracing`]: a trace that is taken beside the screen, begun and ended when it is asked for, and looked at again and again.

use std::time::Duration;

use tokio::sync::mpsc;

use super::feeding::worked;
use crate::replay::Replay;

/// Looks come so far apart at least.
const LEAST: Duration = Duration::from_secs(1);
/// Making a replay of a look takes one part in so many of a CPU at most: long traces are looked at more seldom.
const SHARE: u32 = 5;

/// Traces the allocator of this machine. Nothing is changed before [`Tracer::begin`], nor after [`Tracer::end`].
pub trait Tracer: Send {
    /// Why it cannot be done here, in a sentence; `None`: it can.
    fn refusal(&mut self) -> Option<String>;

    /// Begins.
    ///
    /// # Errors
    /// Why not, in a sentence.
    fn begin(&mut self) -> Result<(), String>;

    /// What there is by now.
    fn look(&mut self) -> Look;

    /// Asks for the end; the look behind it has everything.
    fn end(&mut self);
}

/// What a look at the trace came to.
#[derive(Debug, Default)]
pub struct Look {
    /// Everything so far, the cursor at its end; `None`: nothing is new.
    pub replay: Option<Replay>,
    /// Records the kernel could not keep.
    pub lost: u64,
    /// Why the replay cannot be shown for now.
    pub trouble: Option<String>,
    /// It is over, and why.
    pub ended: Option<String>,
}

/// What is told of a trace.
#[derive(Debug)]
pub(crate) enum Told {
    /// It can be had here; or why not.
    Possible(Result<(), String>),
    /// It has begun; or why not.
    Begun(Result<(), String>),
    /// A look at it, what that took of a CPU, and when the next one comes.
    Looked { look: Box<Look>, cost: Duration, every: Duration },
}

/// What the user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Begin,
    End,
}

/// A trace beside the screen.
#[derive(Debug)]
pub(crate) struct Tracing {
    told: mpsc::Receiver<Told>,
    wishes: mpsc::UnboundedSender<Wish>,
}

/// How long after a look that took so long the next one comes.
fn wait_after(cost: Duration) -> Duration {
    LEAST.max(cost.saturating_mul(SHARE))
}

impl Tracing {
    /// Finds out what is possible; traces at once if that is asked.
    pub(crate) fn begin(tracer: Box<dyn Tracer>, at_once: bool) -> Self {
        // One at a time: nobody wants old ones.
        let (sender, told) = mpsc::channel(1);
        let (wishes, wished) = mpsc::unbounded_channel();
        let tracing = Self { told, wishes };
        if at_once {
            tracing.want(true);
        }
        tokio::spawn(follow(tracer, sender, wished));
        tracing
    }

    /// What is told next.
    pub(crate) async fn next(&mut self) -> Told {
        match self.told.recv().await {
            Some(told) => told,
            None => std::future::pending().await,
        }
    }

    /// Begins it, or ends it.
    pub(crate) fn want(&self, wanted: bool) {
        // Nobody listens after a panic: then it is over.
        let _ = self.wishes.send(if wanted { Wish::Begin } else { Wish::End });
    }
}

/// Runs a step of the tracer beside the screen; `None` after a panic.
async fn beside<T, F>(tracer: Box<dyn Tracer>, step: F) -> Option<(Box<dyn Tracer>, T)>
where
    T: Send + 'static,
    F: FnOnce(&mut dyn Tracer) -> T + Send + 'static,
{
    let job = tokio::task::spawn_blocking(move || {
        let mut tracer = tracer;
        let answer = step(&mut *tracer);
        (tracer, answer)
    });
    job.await.ok()
}

async fn follow(
    tracer: Box<dyn Tracer>,
    told: mpsc::Sender<Told>,
    mut wished: mpsc::UnboundedReceiver<Wish>,
) -> Option<()> {
    let (mut tracer, refusal) = beside(tracer, |tracer| tracer.refusal()).await?;
    told.send(Told::Possible(refusal.map_or(Ok(()), Err))).await.ok()?;
    loop {
        // What is over already cannot be ended.
        while wished.recv().await? != Wish::Begin {}
        let begun;
        (tracer, begun) = beside(tracer, |tracer| tracer.begin()).await?;
        let mut is_over = begun.is_err();
        told.send(Told::Begun(begun)).await.ok()?;
        let mut wait = LEAST;
        while !is_over {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                wish = wished.recv() => match wish? {
                    Wish::Begin => continue,
                    Wish::End => (tracer, ()) = beside(tracer, |tracer| tracer.end()).await?,
                }
            }
            let (look, cost);
            (tracer, (look, cost)) = beside(tracer, |tracer| {
                let before = worked();
                let look = tracer.look();
                (look, worked().saturating_sub(before))
            })
            .await?;
            wait = wait_after(cost);
            is_over = look.ended.is_some();
            told.send(Told::Looked { look: Box::new(look), cost, every: wait }).await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_takes_a_fifth_of_a_cpu_at_most() {
        assert_eq!(wait_after(Duration::from_millis(10)), LEAST);
        assert_eq!(wait_after(Duration::from_millis(700)), Duration::from_millis(3500));
    }
}
