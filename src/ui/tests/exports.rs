//! `x`: what is shown goes to a file.

use super::super::export::{CHOICES, content};
use super::super::msg::{Effect, Msg};
use super::super::overlay::Overlay;
use super::super::theme::Depth;
use super::super::update::update;
use super::{app, plain, script};

#[test]
fn the_menu_is_walked_and_enter_asks_for_a_file() {
    let mut app = app();
    assert!(script(&mut app, "x").is_empty());
    assert!(matches!(app.overlays.last(), Some(Overlay::Export { picked: 0 })));
    let wanted = script(&mut app, "jjk<enter>");
    assert_eq!(wanted, [Effect::Export(CHOICES[1])]);
    assert!(app.overlays.is_empty(), "what is shown is what was shown before the menu");
    script(&mut app, "x<end><esc>");
    assert!(app.overlays.is_empty());
    update(&mut app, Msg::Exported(Ok("thirty.12.pane.svg".to_owned())));
    assert!(app.message.as_ref().is_some_and(|message| message.text.contains("thirty.12.pane.svg")));
    update(&mut app, Msg::Exported(Err("no space".to_owned())));
    assert!(app.message.as_ref().is_some_and(|message| message.text.contains("no space")));
}

#[test]
fn everything_in_the_menu_can_be_written_anywhere() {
    for keys in ["", "gg", "G", "4", "20G<tab><tab>z"] {
        let mut app = plain();
        script(&mut app, keys);
        for choice in CHOICES {
            let bytes = content(&mut app, choice).expect(choice.name);
            // Before the first record there are no areas, and so no rows.
            let has_none = choice.name == "areas" && app.replay.cursor() == 0;
            assert_eq!(bytes.is_empty(), has_none, "{} after {keys:?}", choice.name);
        }
        // The picture has colours, and the screen none afterwards.
        assert_eq!(app.theme.depth, Depth::None);
        let svg = String::from_utf8(content(&mut app, CHOICES[0]).expect("a picture")).expect("UTF-8");
        assert!(svg.contains("fill=\"#") && svg.contains("thirty"), "{keys:?}");
    }
}
