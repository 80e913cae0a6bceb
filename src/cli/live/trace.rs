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
    events: usize,
    running: Option<Running>,
    /// What has to be said when the screen is gone.
    said: Vec<String>,
}

#[derive(Debug)]
struct Running {
    stop: Stop,
    thread: JoinHandle<Result<Taken, RecordError>>,
    follower: Follower,
    memory: Memory,
}

/// What nobody has met stands in the way.
fn refusal(facts: &Facts, settings: &Settings) -> Option<RecordError> {
    let need = check::needs(facts, settings).into_iter().find(|need| need.must && !need.met)?;
    Some(RecordError::new(need.because, need.remedy.unwrap_or_default()))
}

impl Recorder {
    /// Keeps up to so many events.
    pub fn new(settings: Settings, events: usize) -> Self {
        let settings = Arc::new(settings);
        Self(Arc::new(Mutex::new(Shared { settings, events, running: None, said: Vec::new() })))
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

    /// Ends what runs and waits until everything is taken back; what has to be said then.
    pub fn finish(&self) -> Vec<String> {
        let running = self.lock().running.take();
        if let Some(running) = running {
            running.stop.ask();
            let ended = join(running.thread);
            self.lock().said.extend(kept(&ended));
        }
        std::mem::take(&mut self.lock().said)
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

impl Tracer for Recorder {
    fn refusal(&mut self) -> Option<String> {
        let settings = Arc::clone(&self.lock().settings);
        let facts = Facts::gather(&System, &settings);
        if facts.tracefs == Tracefs::Unmounted {
            return Some("tracefs is not mounted; vmaplens live --trace mounts it for itself".to_owned());
        }
        refusal(&facts, &settings).map(|error| error.what)
    }

    fn begin(&mut self) -> Result<(), String> {
        let mut shared = self.lock();
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
        let memory = Memory::new(shared.events.saturating_mul(BYTES_PER_EVENT).max(LEAST_BYTES), stop.clone());
        let follower = Follower::new(Arc::clone(&facts), Arc::clone(&settings), Arc::clone(&plan), memory.clone());
        let thread = {
            let (stop, mut memory) = (stop.clone(), memory.clone());
            let session = move || {
                let session = Session { files: &System, facts: &facts, settings: &settings, plan: &plan, stop: &stop };
                session.run(&mut memory, &|_| {})
            };
            std::thread::Builder::new().name("trace".to_owned()).spawn(session)
        };
        let thread = thread.map_err(|error| format!("no thread can be had: {error}"))?;
        shared.running = Some(Running { stop, thread, follower, memory });
        Ok(())
    }

    fn look(&mut self) -> Look {
        let (mut running, events) = {
            let mut shared = self.lock();
            let Some(running) = shared.running.take() else {
                return Look { ended: Some("it has been ended".to_owned()), ..Look::default() };
            };
            (running, shared.events)
        };
        let is_over = running.stop.is_asked() || running.thread.is_finished();
        if !is_over {
            let look = look_of(&mut running.follower, events, None);
            // As many as may be kept: the last look has no more.
            if look.replay.as_ref().is_some_and(|replay| events <= replay.len()) {
                running.stop.ask();
            }
            self.lock().running = Some(running);
            return look;
        }
        let ended = join(running.thread);
        let is_full = running.memory.look().is_full;
        self.lock().said.extend(kept(&ended));
        match ended {
            Ok(taken) => {
                let mut look = look_of(&mut running.follower, events, Some(&taken));
                let n = look.replay.as_ref().map_or(0, Replay::len);
                look.ended = Some(if is_full || events <= n {
                    format!("it has the {} events that are kept (--max-events)", count(n as u64))
                } else {
                    match taken.end {
                        End::Signal => "as asked".to_owned(),
                        end => format!("{end:?}").to_lowercase(),
                    }
                });
                look
            }
            Err(error) => Look { ended: Some(format!("{}; {}", error.what, error.hint)), ..Look::default() },
        }
    }

    fn end(&mut self) {
        if let Some(running) = &self.lock().running {
            running.stop.ask();
        }
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
