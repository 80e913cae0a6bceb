//! [`Session`]: the program, or a shell, in a pseudo-terminal with a screen that can be asked.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use vt100::{MouseProtocolMode, Parser, Screen};

/// Long enough for a slow machine with much to do; a test that fails waits as long.
const DEADLINE: Duration = Duration::from_secs(60);

/// How to start.
#[derive(Default)]
pub(crate) struct Start<'a> {
    /// Variables besides TERM, PATH and LANG.
    pub(crate) env: &'a [(&'a str, &'a str)],
    /// What the program is called with.
    pub(crate) args: &'a [&'a str],
    /// An interactive shell instead of the program.
    pub(crate) shell: bool,
}

/// What a program can leave switched on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) alternate_screen: bool,
    pub(crate) mouse: bool,
    pub(crate) bracketed_paste: bool,
}

impl Modes {
    const OFF: Self = Self { alternate_screen: false, mouse: false, bracketed_paste: false };

    fn of(screen: &Screen) -> Self {
        Self {
            alternate_screen: screen.alternate_screen(),
            mouse: screen.mouse_protocol_mode() != MouseProtocolMode::None,
            bracketed_paste: screen.bracketed_paste(),
        }
    }
}

/// The screen, and a bell for each change of it.
struct Shared {
    parser: Mutex<Parser>,
    /// Everything written, for what the parser keeps to itself.
    raw: Mutex<Vec<u8>>,
    changed: Condvar,
}

pub(crate) struct Session {
    shared: Arc<Shared>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    // Kept open, so that the terminal's modes can be asked when the program is gone.
    _slave: Box<dyn SlavePty + Send>,
    termios: String,
}

fn size_of(rows: u16, cols: u16) -> (NonZeroU16, NonZeroU16) {
    (NonZeroU16::new(rows).expect("rows"), NonZeroU16::new(cols).expect("columns"))
}

impl Session {
    pub(crate) fn start(start: &Start<'_>) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        let termios = format!("{:?}", pair.master.get_termios());
        let mut command = if start.shell {
            let mut command = CommandBuilder::new("sh");
            command.arg("-i");
            command
        } else {
            CommandBuilder::new(env!("CARGO_BIN_EXE_vmaplens"))
        };
        command.args(start.args);
        command.cwd(env!("CARGO_MANIFEST_DIR"));
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("PS1", "ready> ");
        for (name, value) in start.env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).expect("the program starts");
        let (rows, cols) = size_of(24, 80);
        let parser = Mutex::new(Parser::new(rows, cols, 200));
        let shared = Arc::new(Shared { parser, raw: Mutex::default(), changed: Condvar::new() });
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                theirs.raw.lock().expect("not poisoned").extend(&bytes[..n]);
                theirs.parser.lock().expect("not poisoned").process(&bytes[..n]);
                theirs.changed.notify_all();
            }
        });
        let writer = pair.master.take_writer().expect("a writer");
        Self { shared, writer, child, master: pair.master, _slave: pair.slave, termios }
    }

    fn parser(&self) -> MutexGuard<'_, Parser> {
        self.shared.parser.lock().expect("not poisoned")
    }

    pub(crate) fn text(&self) -> String {
        self.parser().screen().contents()
    }

    /// How often a sequence was written so far.
    pub(crate) fn written(&self, sequence: &[u8]) -> usize {
        let raw = self.shared.raw.lock().expect("not poisoned");
        raw.windows(sequence.len()).filter(|bytes| *bytes == sequence).count()
    }

    pub(crate) fn modes(&self) -> Modes {
        Modes::of(self.parser().screen())
    }

    pub(crate) fn with_screen(&self, look: impl FnOnce(&Screen)) {
        look(self.parser().screen());
    }

    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).expect("the program reads");
        self.writer.flush().expect("the program reads");
    }

    /// Waits until the text of the screen is as `wanted`.
    pub(crate) fn wait_for(&self, what: &str, wanted: impl Fn(&str) -> bool) {
        self.wait_until(what, |screen| wanted(&screen.contents()));
    }

    /// Waits until the screen is as `wanted`.
    pub(crate) fn wait_until(&self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut parser = self.parser();
        while !wanted(parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited for {what}; the screen is\n{}", parser.screen().contents());
            parser = self.shared.changed.wait_timeout(parser, left).expect("not poisoned").0;
        }
    }

    pub(crate) fn wait_for_modes_off(&self) {
        self.wait_until("the modes to be off", |screen| Modes::of(screen) == Modes::OFF);
    }

    /// Column and row of a text on the screen.
    pub(crate) fn find(&self, text: &str) -> (usize, usize) {
        let screen = self.text();
        let found = screen.lines().enumerate().find_map(|(row, line)| {
            let at = line.find(text)?;
            Some((line[..at].chars().count(), row))
        });
        assert!(found.is_some(), "no {text:?} on\n{screen}");
        found.unwrap_or_default()
    }

    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        let size = size_of(rows, cols);
        self.parser().set_size(size.0, size.1);
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).expect("resized");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.process_id().and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("a process");
        kill_process(pid, signal).expect("the program is there");
    }

    pub(crate) fn exit_code(&mut self) -> u32 {
        self.child.wait().expect("the program ends").exit_code()
    }

    /// Alternate screen, mouse and bracketed paste are off, the cursor is shown, and the line discipline is as before.
    pub(crate) fn assert_given_back(&self) {
        self.wait_for_modes_off();
        self.wait_until("the cursor", |screen| !screen.hide_cursor());
        assert_eq!(format!("{:?}", self.master.get_termios()), self.termios, "the line discipline has changed");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A failed test must not leave the program behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every cell of the screen.
pub(crate) fn cells(screen: &Screen) -> impl Iterator<Item = &vt100::Cell> {
    let (rows, cols) = screen.size();
    (0..rows.get()).flat_map(move |row| (0..cols.get()).filter_map(move |col| screen.cell(row, col)))
}
