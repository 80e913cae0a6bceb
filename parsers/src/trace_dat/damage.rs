//! What can be wrong with a trace.dat, and what was done about it.

use std::fmt;

/// A damaged place of a recording; each spoils only what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatDamage {
    /// The header of a ring-buffer page tells more data than a page has.
    Page,
    /// An event reaches over the end of its page.
    Event,
    /// The pages of a CPU reach over the end of the file.
    CutPages,
    /// A compressed piece of a CPU's pages that cannot be unpacked: why.
    Chunk(String),
    /// A list of compressed pieces that reaches over its end, or a piece of an impossible size.
    Chunks,
    /// Pages that cannot be read: why.
    Unreadable(String),
    /// An event with a number that no format file has.
    UnknownEvent(u16),
    /// A section of a version 7 file that cannot be read: its name.
    Section(&'static str),
    /// An option whose data cannot be read: its number.
    Option(u16),
    /// Blocks of options that form a loop, or lie outside of the file.
    OptionChain,
    /// More options, sections or CPUs than a file can have.
    TooMany(&'static str),
    /// The format file of an event that cannot be read.
    Format,
    /// Times of a guest that should be shifted to those of its host.
    TimeShift,
    /// The recorder did not finish the file.
    Unfinished,
}

impl fmt::Display for DatDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Page => f.write_str("this ring-buffer page tells more data than it has, skipped"),
            Self::Event => f.write_str("an event reaches over the end of its page, the rest of the page was skipped"),
            Self::CutPages => {
                f.write_str("the pages of this CPU reach over the end of the file, what is there was read")
            }
            Self::Chunk(why) => write!(f, "a compressed piece of this CPU's pages cannot be unpacked ({why}), skipped"),
            Self::Chunks => {
                f.write_str("the list of compressed pieces of this CPU's pages is broken, the rest of it was skipped")
            }
            Self::Unreadable(why) => write!(f, "the pages of this CPU cannot be read ({why}), the rest was skipped"),
            Self::UnknownEvent(id) => write!(f, "no format file describes events of number {id}, kept without values"),
            Self::Section(name) => write!(f, "the section of {name} cannot be read, skipped"),
            Self::Option(id) => write!(f, "option {id} cannot be read, skipped"),
            Self::OptionChain => f.write_str("the chain of options is broken, what comes after was not found"),
            Self::TooMany(what) => write!(f, "there are more {what} than a file can have, the rest was skipped"),
            Self::Format => f.write_str("this format file of an event cannot be read, skipped"),
            Self::TimeShift => f.write_str("the times of this guest are not shifted to those of its host"),
            Self::Unfinished => f.write_str("the recorder did not finish this file, the pages are in its cpu files"),
        }
    }
}
