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
fn the_palette() {
    let mut app = app();
    resize(&mut app, 80, 24);
    script(&mut app, ":pane");
    insta::assert_snapshot!(frame(&app));
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
    let reversed = |cell: &&ratatui::buffer::Cell| cell.style().add_modifier.contains(Modifier::REVERSED);
    assert!(backend.buffer().content().iter().any(|cell| reversed(&cell)), "nothing is reversed");
    assert!(backend.to_string().contains("+= events"), "the focused pane has a double border\n{backend}");
}
