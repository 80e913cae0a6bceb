//! A long input in a real pseudo-terminal: its beginning is on the screen while the rest is still to come.
//!
//! The input is a pipe whose writer waits for the screen, so that nothing depends on how fast anything is.

#[path = "../common/packing.rs"]
mod packing;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use super::pty::{Session, Start};

/// Records written before the screen is asked, and all of them.
const FIRST: usize = 8_000;
const ALL: usize = 40_000;

/// A named pipe that goes away again.
struct Pipe(PathBuf);

impl Pipe {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vmaplens-{name}-{}", std::process::id()));
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success(), "{path:?}");
        Self(path)
    }

    /// The program on this pipe, and the end to write to.
    fn start(&self, more: &[&str]) -> (Session, File) {
        let mut args = vec![self.0.to_str().expect("a name")];
        args.extend(more);
        let session = Session::start(&Start { args: &args, ..Start::default() });
        // Opens when the program has opened its end.
        let writer = OpenOptions::new().write(true).open(&self.0).expect("a reader");
        (session, writer)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Where the text of the first so many records ends.
fn end_of(text: &[u8], records: usize) -> usize {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.clone().nth(records).expect("so many lines")
}

fn shows_the_beginning(screen: &str) -> bool {
    screen.contains("event 0 of 1,024 so far") && screen.contains("reading")
}

#[test]
fn the_beginning_is_shown_before_the_rest_is_written_and_the_cursor_stays() {
    let text = packing::trace(ALL);
    let (first, rest) = text.split_at(end_of(&text, FIRST));
    let pipe = Pipe::new("begins");
    let (mut session, mut writer) = pipe.start(&[]);
    writer.write_all(first).expect("read");
    session.wait_for("the beginning", shows_the_beginning);
    session.type_keys("..,:goto 500\r");
    session.wait_for("a move in it", |screen| screen.contains("event 500 of 1,024 so far"));
    session.type_keys("ma:goto 30000\r");
    session.wait_for("a word", |screen| screen.contains("that is not read yet"));
    session.type_keys("\u{1b}");
    session.wait_for("the wait to be given up", |screen| screen.contains("the cursor stays where it is"));
    writer.write_all(rest).expect("read");
    drop(writer);
    session.wait_for("everything", |screen| screen.contains("event 500 of 40,000") && !screen.contains("so far"));
    session.type_keys("g'a:goto 30000\r");
    session.wait_for("a place in the rest", |screen| screen.contains("event 30,000 of 40,000"));
    session.type_keys("q");
    assert_eq!(session.exit_code(), 0);
    session.assert_given_back();
}

#[test]
fn a_place_that_is_not_read_yet_is_gone_to_when_it_is() {
    let text = packing::trace(ALL);
    let (first, rest) = text.split_at(end_of(&text, FIRST));
    let pipe = Pipe::new("goes");
    let (mut session, mut writer) = pipe.start(&[]);
    writer.write_all(first).expect("read");
    session.wait_for("the beginning", shows_the_beginning);
    session.type_keys(":goto 39000\r");
    session.wait_for("a word", |screen| screen.contains("that is not read yet"));
    writer.write_all(rest).expect("read");
    drop(writer);
    session.wait_for("the place", |screen| screen.contains("event 39,000 of 40,000"));
    session.type_keys("q");
    assert_eq!(session.exit_code(), 0);
}

#[test]
fn a_read_that_never_ends_can_be_left() {
    let text = packing::trace(FIRST);
    for (written, key, code) in
        [(&text[..], "q", 0), (&text[..], "\u{3}", 130), (&text[..100], "q", 0), (&text[..100], "\u{3}", 130)]
    {
        let pipe = Pipe::new(&format!("never-{}-{code}", written.len()));
        let (mut session, mut writer) = pipe.start(&[]);
        writer.write_all(written).expect("read");
        let is_little = written.len() < 1000;
        session.wait_for("something", |screen| {
            if is_little { screen.contains("Reading") && screen.contains("100 B") } else { shows_the_beginning(screen) }
        });
        session.type_keys(key);
        assert_eq!(session.exit_code(), code);
        session.assert_given_back();
        drop(writer);
    }
}

#[test]
fn an_input_whose_tail_is_damaged_keeps_what_is_shown() {
    let text = packing::trace(ALL);
    let first = &text[..end_of(&text, FIRST)];
    let damaged = b"            init-1       [000] .....     1.500000: alloc_vmap_area: va_start: nothing\n";
    let pipe = Pipe::new("damaged");
    for strict in [false, true] {
        let (mut session, mut writer) = pipe.start(if strict { &["--strict"] } else { &[] });
        writer.write_all(first).expect("read");
        session.wait_for("the beginning", shows_the_beginning);
        session.type_keys("...");
        session.wait_for("three steps", |screen| screen.contains("event 3 of"));
        writer.write_all(damaged).expect("read");
        drop(writer);
        if strict {
            session.wait_for("why", |screen| {
                screen.contains("the rest cannot be shown") && screen.contains("event 3 of 1,024 so far")
            });
        } else {
            session.wait_for("the rest", |screen| screen.contains("event 3 of 8,0"));
        }
        session.type_keys(".");
        session.wait_for("keys", |screen| screen.contains("event 4 of"));
        session.type_keys("q");
        assert_eq!(session.exit_code(), 0);
        session.assert_given_back();
    }
}
