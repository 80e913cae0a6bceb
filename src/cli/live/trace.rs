//! The trace beside the readings of `live`: a recording that stays in memory, replayed as it grows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::record::files::System;
use crate::record::follower::Follower;
use crate::record::memory::Memory;
use crate::record::mounts::{Tracefs, mount_privately};
use crate::record::session::{End, Taken};
use crate::record::signals::Stop;
use crate::record::{Facts, Plan, RecordError, Session, Settings, check, leftovers};
use crate::replay::{self, Replay};
use crate::ui::{Look, Tracer};
use crate::view::text::count;

use super::super::record::told;

/// Bytes of pages for each event that may be kept: events take 40 to 60, stacks more, and a page may have one alone.
const BYTES_PER_EVENT: usize = 512;
/// Pages take so much at least, before any event.
const LEAST_BYTES: usize = 1 << 20;

/// The recorder, shared by the screen and by who cleans up behind it.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    settings: Arc<Settings>,
    running: Option<Running>,
    /// The program ends: nothing begins any more.
    is_closed: bool,
    /// What has to be said when the screen is gone.
    said: Vec<String>,
}

#[derive(Debug)]
struct Running {
    stop: Stop,
    thread: JoinHandle<Result<Taken, RecordError>>,
}

/// What the screen has of it.
#[derive(Debug)]
pub struct Traced {
    recorder: Recorder,
    /// Events that are kept at most.
    events: usize,
    grown: Option<(Follower, Memory)>,
}

/// What nobody has met stands in the way.
fn refusal(facts: &Facts, settings: &Settings) -> Option<RecordError> {
    let need = check::needs(facts, settings).into_iter().find(|need| need.must && !need.met)?;
    Some(RecordError::new(need.because, need.remedy.unwrap_or_default()))
}

impl Recorder {
    /// Nothing is recorded yet.
    pub fn new(settings: Settings) -> Self {
        let settings = Arc::new(settings);
        Self(Arc::new(Mutex::new(Shared { settings, running: None, is_closed: false, said: Vec::new() })))
    }

    /// For the screen: keeps up to so many events.
    pub fn tracer(&self, events: usize) -> Traced {
        Traced { recorder: self.clone(), events, grown: None }
    }

    /// To be asked before any thread is there: mounts tracefs for this program alone where it is not mounted.
    ///
    /// # Errors
    /// Nothing can be traced here, and what to do about it.
    pub fn prepare(&self) -> Result<(), RecordError> {
        let settings = Arc::clone(&self.lock().settings);
        let mut facts = Facts::gather(&System, &settings);
        if facts.tracefs == Tracefs::Unmounted && mount_privately().is_ok() {
            facts = Facts::gather(&System, &settings);
        }
        refusal(&facts, &settings).map_or(Ok(()), Err)
    }

    /// Ends what runs, waits until everything is taken back, and lets nothing begin any more; what has to be said then.
    pub fn finish(&self) -> Vec<String> {
        let mut shared = self.lock();
        shared.is_closed = true;
        if let Some(running) = shared.running.take() {
            running.stop.ask();
            let ended = join(running.thread);
            shared.said.extend(kept(&ended));
        }
        std::mem::take(&mut shared.said)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whatever ends the program, what was changed is changed back.
#[derive(Debug)]
pub struct Cleaned<'a>(pub &'a Recorder);

impl Drop for Cleaned<'_> {
    fn drop(&mut self) {
        for line in self.0.finish() {
            super::super::output::talk(&line);
        }
    }
}

fn join(thread: JoinHandle<Result<Taken, RecordError>>) -> Result<Taken, RecordError> {
    let panicked = |_| Err(RecordError::new("tracing ended in a panic", "what was changed has been changed back"));
    thread.join().unwrap_or_else(panicked)
}

/// What could not be changed back.
fn kept(ended: &Result<Taken, RecordError>) -> Vec<String> {
    let kept = ended.as_ref().map_or(&[][..], |taken| &taken.kept);
    kept.iter().map(|kept| format!("warning: could not be changed back: {} ({})", kept.what, kept.reason)).collect()
}

impl Traced {
    /// What came of it, if it is over. The lock is held until everything is taken back: who ends the program waits for that.
    fn ended(&self) -> Option<Result<Taken, RecordError>> {
        let mut shared = self.recorder.lock();
        let running = shared.running.take_if(|running| running.stop.is_asked() || running.thread.is_finished())?;
        let ended = join(running.thread);
        shared.said.extend(kept(&ended));
        Some(ended)
    }

    fn stop(&self) {
        if let Some(running) = &self.recorder.lock().running {
            running.stop.ask();
        }
    }
}

impl Tracer for Traced {
    fn refusal(&mut self) -> Option<String> {
        let settings = Arc::clone(&self.recorder.lock().settings);
        let facts = Facts::gather(&System, &settings);
        if facts.tracefs == Tracefs::Unmounted {
            return Some("tracefs is not mounted; vmaplens live --trace mounts it for itself".to_owned());
        }
        refusal(&facts, &settings).map(|error| error.what)
    }

    fn begin(&mut self) -> Result<(), String> {
        let mut shared = self.recorder.lock();
        if shared.is_closed {
            return Err("the program ends".to_owned());
        }
        let settings = Arc::clone(&shared.settings);
        let facts = Facts::gather(&System, &settings);
        let told = |error: RecordError| format!("{}; {}", error.what, error.hint);
        if let Some(error) = refusal(&facts, &settings) {
            return Err(told(error));
        }
        for leftover in leftovers::find(&System, &facts) {
            let removed = leftovers::remove(&System, &leftover);
            let said = removed.unwrap_or_else(|error| format!("{}: {error}", told::leftover(&leftover)));
            shared.said.push(format!("note: {said}"));
        }
        let plan = Arc::new(Plan::new(&facts, &settings).map_err(told)?);
        let facts = Arc::new(facts);
        // The signals that end the screen end this too, and those that nobody else listens for.
        let stop = Stop::on_signals().map_err(|error| format!("signals cannot be caught: {error}"))?;
        let memory = Memory::new(self.events.saturating_mul(BYTES_PER_EVENT).max(LEAST_BYTES), stop.clone());
        let mut follower = Follower::new(Arc::clone(&facts), Arc::clone(&settings), Arc::clone(&plan), memory.clone());
        let thread = {
            let (stop, mut memory) = (stop.clone(), memory.clone());
            let session = move || {
                let session = Session { files: &System, facts: &facts, settings: &settings, plan: &plan, stop: &stop };
                session.run(&mut memory, &|_| {})
            };
            std::thread::Builder::new().name("trace".to_owned()).spawn(session)
        };
        let thread = thread.map_err(|error| format!("no thread can be had: {error}"))?;
        shared.running = Some(Running { stop, thread });
        drop(shared);
        follower.prepare(&System);
        self.grown = Some((follower, memory));
        Ok(())
    }

    fn look(&mut self) -> Look {
        let ended = self.ended();
        let events = self.events;
        let Some((follower, memory)) = &mut self.grown else {
            return Look { ended: Some("nothing was begun".to_owned()), ..Look::default() };
        };
        match ended {
            None => {
                let look = look_of(follower, events, None);
                // As many as are kept: the next look is the last one, and has no more.
                if look.replay.as_ref().is_some_and(|replay| events <= replay.len()) {
                    self.stop();
                }
                look
            }
            Some(Ok(taken)) => {
                let mut look = look_of(follower, events, Some(&taken));
                let n = look.replay.as_ref().map_or(0, Replay::len);
                look.ended = Some(if memory.look().is_full || events <= n {
                    format!("it has the {} events that are kept (--max-events)", count(n as u64))
                } else {
                    match taken.end {
                        End::Signal => "as asked".to_owned(),
                        end => format!("{end:?}").to_lowercase(),
                    }
                });
                self.grown = None;
                look
            }
            Some(Err(error)) => {
                self.grown = None;
                Look { ended: Some(format!("{}; {}", error.what, error.hint)), ..Look::default() }
            }
        }
    }

    fn end(&mut self) {
        self.stop();
    }
}

/// Replays what there is.
fn look_of(follower: &mut Follower, events: usize, taken: Option<&Taken>) -> Look {
    let looked = match follower.look(&System, events, taken) {
        Ok(looked) => looked,
        Err(why) => return Look { trouble: Some(why), ..Look::default() },
    };
    let lost = looked.loss.lost();
    let Some(log) = looked.log else { return Look { lost, ..Look::default() } };
    // All of it here: the screen has other things to do.
    let settings = replay::Settings { prepared: Some(usize::MAX), ..replay::Settings::default() };
    match Replay::open(Arc::new(log), &settings) {
        Ok(mut replay) => {
            replay.seek(replay.len(), usize::MAX);
            let replay = (!replay.is_empty()).then_some(replay);
            Look { replay, lost, ..Look::default() }
        }
        Err(error) => Look { lost, trouble: Some(error.to_string()), ..Look::default() },
    }
}
