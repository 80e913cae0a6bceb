//! [`Msg`] and [`Effect`]: what comes in, and what the outside world is asked to do.

use std::time::Duration;

use crossterm::event::{KeyEvent, MouseEvent};

use super::live::Taken;
use super::loading::Arrived;
use super::tracing::Told;

/// Everything that can happen.
#[derive(Debug)]
pub(crate) enum Msg {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Paste(String),
    Resize {
        width: u16,
        height: u16,
    },
    /// The marks have been written to a file of this name, or not, and why.
    MarksSaved(Result<String, String>),
    /// A file of this name has been written, or not, and why.
    Exported(Result<String, String>),
    /// Time has passed: how much since the start.
    Tick(Duration),
    /// The beginning of a long input, more of it, or all of it; or why there will be no more.
    Arrived(Box<Arrived>),
    /// The input has been read again.
    Taken(Box<Taken>),
    /// Something is told of the trace that is taken here.
    Traced(Box<Told>),
    /// How far the rest of the input is.
    Loading(String),
}

/// Everything the outside world must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Put a text on the clipboard.
    Copy(String),
    /// Write the marks down.
    SaveMarks(String),
    /// Write what is shown to a file.
    Export(super::export::Choice),
    /// Do not read the input again for now, or go on.
    Hold(bool),
    /// Trace the allocator of this machine, or end that.
    Trace(bool),
    /// Forget what the terminal shows.
    Redraw,
    /// Stop until the shell brings the program back.
    Suspend,
    /// Leave.
    Quit(Ended),
}

/// Why the interface ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The user was done.
    Quit,
    /// Ctrl-C, or SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// SIGHUP: the terminal went away.
    HungUp,
}

impl Ended {
    /// The exit status shells expect: 0, or 128 and the number of the signal.
    pub fn status(self) -> u8 {
        match self {
            Self::Quit => 0,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }
}
