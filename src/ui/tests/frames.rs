//! Frames as they are seen.

use super::*;

#[test]
fn a_wide_screen() {
    let mut app = app();
    script(&mut app, "21G");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn a_small_screen() {
    let mut app = app();
    resize(&mut app, 80, 24);
    script(&mut app, "21Gs");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn a_small_screen_of_plain_characters() {
    let mut app = plain();
    resize(&mut app, 80, 24);
    script(&mut app, "21G<tab><tab>");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn a_tiny_screen() {
    let mut app = app();
    resize(&mut app, 40, 12);
    script(&mut app, "3G");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn the_help_of_a_small_screen() {
    let mut app = app();
    resize(&mut app, 80, 24);
    script(&mut app, "?");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn a_script_on_a_small_screen() {
    use crate::log::{Expected, InputKind, ScriptLog};
    let ops = "era 6.12\nrange 0x100000 0x140000\ncpus 2\na 0 131072\na 1 65536\nf 0\nlazy\na 2 131072 8192 - - 1\n\
               a 3 262144\nf 3\npurge\nhash\n";
    let expected = "100000\n120000\n.\nlazy 32 0\n100000 T100000-110000\nEBUSY\n-\npurge\n";
    let parsed = parsers::ops::parse(ops.as_bytes());
    let mut log = Log::default();
    log.origin.kind = InputKind::Script;
    log.origin.name = "small.ops".to_owned();
    let expected = Expected::new("small.out".to_owned(), expected.to_owned(), &parsed.ops);
    let (header, ops) = (parsed.header, parsed.ops);
    log.script = Some(Arc::new(ScriptLog { header, ops, expected: Some(expected), ..ScriptLog::default() }));
    let mut app = app_of(log);
    resize(&mut app, 80, 24);
    script(&mut app, "D");
    insta::assert_snapshot!(frame(&app));
    script(&mut app, "D");
    assert_eq!(app.replay.cursor(), 9, "the answer to the last op is missing");
    script(&mut app, "gD");
    assert_eq!(app.replay.cursor(), 5);
    script(&mut app, "gD");
    assert_eq!(message(&app), "no answer before this op differs from the expected one");
}

#[test]
fn the_palette() {
    let mut app = app();
    resize(&mut app, 80, 24);
    script(&mut app, ":pane");
    insta::assert_snapshot!(frame(&app));
}

#[test]
fn the_problems_are_listed_with_their_places() {
    let mut log = log();
    let kinds = [parsers::ProblemKind::NotAnEvent, parsers::ProblemKind::Respelt, parsers::ProblemKind::CutOff];
    log.problems = kinds
        .into_iter()
        .zip([3, 14, 900])
        .map(|(kind, line)| crate::log::FileProblem {
            file: "trace.txt".to_owned(),
            problem: parsers::Problem { line, column: 1, offset: 0, kind },
        })
        .collect();
    let mut app = app_of(log);
    resize(&mut app, 80, 24);
    script(&mut app, "!j");
    insta::assert_snapshot!(frame(&app));
    script(&mut app, "<enter>");
    assert_eq!(app.replay.cursor(), 10, "line 14 is the tenth record");
    script(&mut app, "!G<enter>");
    assert_eq!(message(&app), "no event stands at or behind that line");
}

#[test]
fn a_long_read_says_what_is_read() {
    use super::super::draw::{Loading, loading};
    let mut terminal = Terminal::new(TestBackend::new(40, 4)).expect("cannot fail");
    let what = Loading { name: "trace.dat", words: "resolving 41 %" };
    terminal.draw(|frame| loading(&what, Duration::from_secs(7), frame)).expect("cannot fail");
    terminal.backend().assert_buffer_lines([
        "Reading trace.dat and replaying it once:",
        "resolving 41 %, 7 s. Ctrl-C or q leaves.",
        "                                        ",
        "                                        ",
    ]);
}

#[test]
fn too_small_is_one_sentence() {
    let mut app = app();
    resize(&mut app, 20, 6);
    let screen = frame(&app).to_string();
    let words: Vec<&str> = screen.split(['"', '\n', ' ']).filter(|word| !word.is_empty()).collect();
    assert_eq!(words.join(" "), "Too small: vmaplens needs 40 columns and 10 rows.");
}

#[test]
fn plain_frames_are_plain() {
    let mut app = plain();
    script(&mut app, "21G");
    for keys in ["", "?", "q:", "<esc>!"] {
        script(&mut app, keys);
        for (width, height) in [(120, 40), (80, 24), (40, 12)] {
            resize(&mut app, width, height);
            let backend = frame(&app);
            for cell in backend.buffer().content() {
                assert!(cell.symbol().is_ascii(), "{:?} at {width}x{height} after {keys:?}", cell.symbol());
                let style = cell.style();
                let reset = Some(ratatui::style::Color::Reset);
                assert!(style.fg == reset && style.bg == reset, "a colour at {width}x{height}: {style:?}");
            }
        }
    }
}

#[test]
fn the_focused_pane_and_the_picked_row_are_seen_without_colour() {
    use ratatui::style::Modifier;
    let mut app = plain();
    script(&mut app, "21Gj");
    let backend = frame(&app);
    let (x, y) = find(&app, "1.002100");
    let cell = &backend.buffer()[(x, y)];
    assert!(cell.style().add_modifier.contains(Modifier::REVERSED), "the picked row is not reversed\n{backend}");
    assert!(backend.to_string().contains("+= events"), "the focused pane has a double border\n{backend}");
}
