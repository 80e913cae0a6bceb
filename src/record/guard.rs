//! [`Guard`]: what has been changed, and takes it back in the other order, whatever happens.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::files::Files;
use super::plan::{Action, Command, Step};

/// How often something that is busy is tried again, and how long to wait in between.
const TRIES: u32 = 100;
const WAIT: Duration = Duration::from_millis(20);

/// Undoes on the way out: after success, an error, a signal (which ends the loop), a panic.
#[derive(Debug)]
pub struct Guard<'f> {
    files: &'f dyn Files,
    done: Vec<Step>,
    /// Everything that was done, as one would type it.
    pub writes: Vec<String>,
}

impl<'f> Guard<'f> {
    /// Nothing has been changed yet.
    pub fn new(files: &'f dyn Files) -> Self {
        Self { files, done: Vec::new(), writes: Vec::new() }
    }

    /// Does a step and remembers it. What is optional and not to be had is passed over.
    ///
    /// # Errors
    /// What the system says.
    pub fn apply(&mut self, step: &Step) -> io::Result<()> {
        match act(self.files, &step.path, &step.action) {
            Ok(()) => {
                self.writes.push(step.to_string());
                if step.undo.is_some() {
                    self.done.push(step.clone());
                }
                Ok(())
            }
            Err(_) if step.is_optional => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes back what came last.
    ///
    /// # Errors
    /// It could not be taken back; it is not tried again.
    pub fn undo_last(&mut self) -> Result<(), Kept> {
        let Some(step) = self.done.pop() else { return Ok(()) };
        let Some(undo) = &step.undo else { return Ok(()) };
        let mut last = Ok(());
        for _ in 0..TRIES {
            last = act(self.files, &step.path, undo);
            match &last {
                // Another reader, or the kernel itself, has not let go yet.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    free_probe(self.files, &step);
                    sleep(WAIT);
                }
                _ => break,
            }
        }
        match last {
            Ok(()) => {
                self.writes.push(Command(undo, &step.path).to_string());
                Ok(())
            }
            // It went together with what it was in.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(reason) => Err(Kept { what: Command(undo, &step.path).to_string(), reason: reason.to_string() }),
        }
    }

    /// How many changes there are to take back.
    pub fn depth(&self) -> usize {
        self.done.len()
    }

    /// Takes everything back that was done since there were `depth` changes. What could not be taken back is told.
    pub fn undo_to(&mut self, depth: usize) -> Vec<Kept> {
        let mut kept = Vec::new();
        while depth < self.done.len() {
            kept.extend(self.undo_last().err());
        }
        kept
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // Who could be told has called `undo_to`.
        self.undo_to(0);
    }
}

/// Something that could not be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What was tried.
    pub what: String,
    /// What the system said.
    pub reason: String,
}

/// Does one thing.
pub(super) fn act(files: &dyn Files, path: &Path, action: &Action) -> io::Result<()> {
    match action {
        Action::MakeDir => files.make_dir(path),
        Action::RemoveDir => files.remove_dir(path),
        Action::Write(text) => files.write(path, text),
        Action::Append(text) => files.append(path, &format!("{text}\n")),
        Action::Create(text) => files.create(path, text),
        Action::RemoveFile => files.remove_file(path),
    }
}

/// A probe that somebody has switched on together with everything else cannot be removed: it is ours, and is switched
/// off where it is on.
fn free_probe(files: &dyn Files, step: &Step) {
    let (Some(Action::Append(text)), Some(tracefs)) = (&step.undo, step.path.parent()) else { return };
    if let Some(probe) = text.strip_prefix("-:") {
        switch_off(files, tracefs, probe);
    }
}

/// Switches an own event (`group/event`) off in every instance and at the top.
pub(super) fn switch_off(files: &dyn Files, tracefs: &Path, event: &str) {
    let instances = tracefs.join("instances");
    let names = files.names(&instances).unwrap_or_default();
    for root in names.iter().map(|name| instances.join(name)).chain([tracefs.to_owned()]) {
        let enable = root.join("events").join(event).join("enable");
        if files.text(&enable).is_some_and(|text| text.starts_with('1')) {
            // Whether it worked shows when the probe is removed.
            let _ = files.write(&enable, "0");
        }
    }
}
