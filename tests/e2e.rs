//! The program in a real pseudo-terminal: what a person types, what the screen shows, and what is left behind.
//!
//! Nothing sleeps: every step waits for a state of the screen, with a deadline.

#[path = "e2e/loading.rs"]
mod loading;
#[path = "e2e/pty.rs"]
mod pty;

use pty::{Session, Start};
use rustix::process::Signal;

#[test]
fn start_step_back_search_resize_quit() {
    let mut session = Session::start(&Start::default());
    session.wait_for("the first frame", |screen| screen.contains("event 0 of") && screen.contains("q quit"));
    session.type_keys("..");
    session.wait_for("two steps", |screen| screen.contains("event 2 of"));
    session.type_keys(",");
    session.wait_for("a step back", |screen| screen.contains("event 1 of"));
    session.type_keys("/purge\r");
    session.wait_for("a match", |screen| screen.contains("match 1/"));
    session.type_keys("\u{c}");
    session.wait_for("everything drawn again", |screen| screen.contains("q quit"));
    session.resize(30, 100);
    session.wait_for("a frame of the new size", |screen| {
        screen.lines().count() <= 30 && screen.lines().any(|line| 80 < line.chars().count())
    });
    session.resize(8, 30);
    session.wait_for("the sentence", |screen| screen.contains("Too small"));
    session.resize(24, 80);
    session.wait_for("the panes again", |screen| screen.contains("q quit"));
    session.type_keys("q");
    assert_eq!(session.exit_code(), 0);
    session.assert_given_back();
}

/// Nothing is written but what was asked for: the first mark writes one file, and the next run finds it.
#[test]
fn marks_are_written_beside_the_trace_and_found_again() {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("marks");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let trace = folder.join("trace.txt.zst");
    std::fs::copy("traces/amd64-612-first-steps/trace.txt.zst", &trace).expect("a copy");
    let names = || std::fs::read_dir(&folder).expect("readable").count();
    let path = trace.to_str().expect("UTF-8").to_owned();
    let args = [path.as_str()];
    let mut session = Session::start(&Start { args: &args, ..Start::default() });
    session.wait_for("the first frame", |screen| screen.contains("event 0 of") && screen.contains("q quit"));
    session.type_keys("...");
    session.wait_for("three steps", |screen| screen.contains("event 3 of"));
    assert_eq!(names(), 1);
    session.type_keys("mx");
    session.wait_for("the mark", |screen| screen.contains("wrote trace.txt.zst.vmaplens.toml"));
    session.type_keys("q");
    assert_eq!(session.exit_code(), 0);
    assert_eq!(names(), 2, "one file, and nothing half written");
    let text = std::fs::read_to_string(folder.join("trace.txt.zst.vmaplens.toml")).expect("the marks");
    assert!(text.contains("letter = \"x\"\nevent = 3\n"), "{text}");

    let mut session = Session::start(&Start { args: &args, ..Start::default() });
    session.wait_for("the first frame", |screen| screen.contains("event 0 of") && screen.contains("q quit"));
    session.type_keys("'x");
    session.wait_for("the mark", |screen| screen.contains("event 3 of"));
    session.type_keys("q");
    assert_eq!(session.exit_code(), 0);
}

#[test]
fn the_modes_are_on_while_it_runs() {
    let mut session = Session::start(&Start::default());
    session.wait_for("the first frame", |screen| screen.contains("q quit"));
    assert_eq!(session.modes(), pty::Modes { alternate_screen: true, mouse: true, bracketed_paste: true });
    session.type_keys("\u{3}");
    assert_eq!(session.exit_code(), 130, "Ctrl-C");
    session.assert_given_back();
}

#[test]
fn each_frame_is_shown_at_once_also_before_a_panic() {
    for env in [&[][..], &[("VMAPLENS_TEST_PANIC", "on the first key")]] {
        let mut session = Session::start(&Start { env, ..Start::default() });
        session.wait_for("the first frame", |screen| screen.contains("q quit"));
        session.type_keys("q");
        session.exit_code();
        session.assert_given_back();
        let (begun, ended) = (session.written(b"\x1b[?2026h"), session.written(b"\x1b[?2026l"));
        assert!(0 < begun && begun == ended, "{begun} begun, {ended} ended");
    }
}

#[test]
fn a_click_selects_and_a_paste_is_text() {
    let mut session = Session::start(&Start::default());
    session.wait_for("the first frame", |screen| screen.contains("q quit"));
    // SGR encoding, columns and rows from 1: the tab strip is clicked where "help" stands in the footer.
    let (column, row) = session.find("? help");
    session.type_keys(&format!("\u{1b}[<0;{};{}M\u{1b}[<0;{};{}m", column + 1, row + 1, column + 1, row + 1));
    session.wait_for("the help", |screen| screen.contains("Through the trace"));
    session.type_keys("q/");
    session.wait_for("the prompt", |screen| screen.lines().any(|line| line.starts_with(" /")));
    session.type_keys("\u{1b}[200~alloc\nq\u{1b}[201~");
    session.wait_for("the pasted text", |screen| screen.contains("/allocq"));
    session.type_keys("\u{3}");
    assert_eq!(session.exit_code(), 130);
    session.assert_given_back();
}

#[test]
fn the_terminal_is_given_back_after_a_panic() {
    let start = Start { env: &[("VMAPLENS_TEST_PANIC", "on the first key")], ..Start::default() };
    let mut session = Session::start(&start);
    session.wait_for("the first frame", |screen| screen.contains("q quit"));
    session.type_keys(".");
    session.wait_for("the report", |screen| screen.contains("a panic on purpose"));
    assert_eq!(session.exit_code(), 101);
    session.assert_given_back();
}

#[test]
fn the_terminal_is_given_back_after_a_signal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let mut session = Session::start(&Start::default());
        session.wait_for("the first frame", |screen| screen.contains("q quit"));
        session.signal(signal);
        assert_eq!(session.exit_code(), code, "{signal:?}");
        session.assert_given_back();
    }
}

#[test]
fn suspended_it_gives_the_terminal_back_and_continued_it_takes_it_again() {
    let mut session = Session::start(&Start { shell: true, ..Start::default() });
    session.wait_for("the prompt", |screen| screen.contains("ready> "));
    session.type_keys(concat!(env!("CARGO_BIN_EXE_vmaplens"), "\n"));
    session.wait_for("the first frame", |screen| screen.contains("q quit"));
    session.type_keys("..");
    session.wait_for("two steps", |screen| screen.contains("event 2 of"));
    session.type_keys("\u{1a}");
    session.wait_for_modes_off();
    session.type_keys("stty -a; echo that was it\n");
    session.wait_for("the modes", |screen| screen.contains("\nthat was it"));
    let text = session.text();
    assert!(text.contains(" icanon") && !text.contains("-icanon"), "still raw:\n{text}");
    session.type_keys("fg\n");
    session.wait_for("the same place", |screen| screen.contains("event 2 of") && screen.contains("q quit"));
    assert_eq!(session.modes(), pty::Modes { alternate_screen: true, mouse: true, bracketed_paste: true });
    session.type_keys(".");
    session.wait_for("keys again", |screen| screen.contains("event 3 of"));
    session.type_keys("q");
    session.wait_for_modes_off();
    session.type_keys("exit 7\n");
    assert_eq!(session.exit_code(), 7);
}

#[test]
fn without_colour_nothing_is_coloured_and_the_focus_is_still_seen() {
    for env in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut session = Session::start(&Start { env: &[env], ..Start::default() });
        session.wait_for("the first frame", |screen| screen.contains("q quit"));
        session.type_keys("jj");
        session.wait_until("something reversed", |screen| pty::cells(screen).any(vt100::Cell::inverse));
        session.with_screen(|screen| {
            for cell in pty::cells(screen) {
                assert_eq!((cell.fgcolor(), cell.bgcolor()), (vt100::Color::Default, vt100::Color::Default));
            }
        });
        session.type_keys("q");
        assert_eq!(session.exit_code(), 0);
    }
}

#[test]
fn a_plain_locale_gets_plain_characters() {
    let mut session = Session::start(&Start { env: &[("LC_ALL", "C")], ..Start::default() });
    session.wait_for("the first frame", |screen| screen.contains("q quit"));
    assert!(session.text().is_ascii(), "{}", session.text());
    session.type_keys("q");
    assert_eq!(session.exit_code(), 0);
}

#[test]
fn with_the_trace_on_standard_input_keys_still_work() {
    let mut session = Session::start(&Start { shell: true, ..Start::default() });
    session.wait_for("the prompt", |screen| screen.contains("ready> "));
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/traces/amd64-612-first-steps/trace.txt.zst");
    session.type_keys(&format!("cat {trace} | {} -\n", env!("CARGO_BIN_EXE_vmaplens")));
    session.wait_for("the first frame", |screen| screen.contains("event 0 of") && screen.contains("q quit"));
    session.type_keys("...q");
    session.wait_for_modes_off();
    session.type_keys("exit 7\n");
    assert_eq!(session.exit_code(), 7);
}

#[test]
fn without_a_terminal_it_says_so() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_vmaplens"))
        .env_clear()
        .stdin(std::process::Stdio::null())
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("needs a terminal on standard output"), "{errors}");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
}

#[test]
fn without_mouse_the_terminal_keeps_it() {
    let mut session = Session::start(&Start { args: &["--no-mouse"], ..Start::default() });
    session.wait_for("the first frame", |screen| screen.contains("q quit"));
    assert_eq!(session.modes(), pty::Modes { alternate_screen: true, mouse: false, bracketed_paste: true });
    session.type_keys("q");
    assert_eq!(session.exit_code(), 0);
    session.assert_given_back();
}

#[test]
fn a_read_that_takes_long_is_shown_and_can_be_left() {
    // Nobody ever writes into it: the read waits as long as one likes.
    let fifo = concat!(env!("CARGO_TARGET_TMPDIR"), "/never-written");
    let _ = std::fs::remove_file(fifo);
    assert!(std::process::Command::new("mkfifo").arg(fifo).status().expect("mkfifo").success());
    for (key, code) in [("q", 0), ("\u{3}", 130)] {
        let mut session = Session::start(&Start { args: &[fifo], ..Start::default() });
        session.wait_for("the sentence", |screen| screen.contains("Reading never-written"));
        session.type_keys(key);
        assert_eq!(session.exit_code(), code);
        session.assert_given_back();
    }
}

#[test]
fn what_cannot_be_read_never_touches_the_terminal() {
    let mut session = Session::start(&Start { args: &["no-such-file"], ..Start::default() });
    assert_eq!(session.exit_code(), 2);
    session.wait_for("the reason", |screen| screen.contains("no-such-file") && screen.contains("hint:"));
    session.assert_given_back();
}
