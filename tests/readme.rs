//! The picture in the README is what the program draws. `VMAPLENS_UPDATE=1 cargo test --test readme` paints it anew.

use std::path::Path;
use std::sync::Arc;

use vmaplens::replay::{Replay, Settings};
use vmaplens::source::{Input, Reading, open_log};
use vmaplens::ui::Headless;

const BEGIN: &str = "<!-- frame -->\n```text\n";
const END: &str = "```\n<!-- /frame -->";

#[test]
fn the_frame_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the frame begins");
    let (shown, after) = rest.split_once(END).expect("the frame ends");
    let log = open_log(&Input::Embedded, &Reading::default()).expect("the built-in capture");
    let replay = Replay::open(Arc::new(log), &Settings::default()).expect("replays");
    let mut ui = Headless::new(replay, 120, 40).expect("keys");
    ui.type_keys("F");
    ui.draw();
    let drawn = ui.text();
    if std::env::var_os("VMAPLENS_UPDATE").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{drawn}{END}{after}")).expect("written");
        return;
    }
    assert_eq!(shown, drawn, "VMAPLENS_UPDATE=1 cargo test --test readme");
}
