//! A frame looks at no more than a screenful, whatever there is: areas, holes and nodes it reads are counted, not timed.

use std::fmt::Write;

use super::*;
use crate::log::{InputKind, ScriptLog};
use crate::model::areas::LOOKED_AT;

/// Slots of the arena the map may read for each cell of the screen: a way down a tree, and a few areas there.
const PER_CELL: u64 = 40;
/// Slots any other pane may read: what is added up at once, and ways down trees.
const OTHERS: u64 = 10_000;

/// So many areas, every other one freed and purged; then one more of each.
fn crowded(n: usize, era: &str) -> App {
    let mut ops = format!("era {era}\nrange 0xffffc90000000000 0xffffe8ffffffffff\ncpus 4\n");
    for area in 0..n {
        let _ = writeln!(ops, "a {area} {}", 0x2000 << (area % 3));
    }
    for area in (0..n).step_by(2) {
        let _ = writeln!(ops, "f {area}");
    }
    let _ = writeln!(ops, "purge\na {n} 20480\nf 1\nf 3\na {} 8192 16384", n + 1);
    let parsed = parsers::ops::parse(ops.as_bytes());
    assert_eq!(parsed.problems, []);
    let mut log = Log::default();
    log.origin.kind = InputKind::Script;
    log.script = Some(Arc::new(ScriptLog { header: parsed.header, ops: parsed.ops, ..ScriptLog::default() }));
    let mut app = app_of(log);
    resize(&mut app, 200, 60);
    let end = app.replay.len();
    assert_eq!(app.replay.seek(end, usize::MAX), crate::replay::Seek::Done);
    app
}

/// Slots read for each pane of a frame, the dearest first.
fn by_pane(app: &App) -> Vec<(u64, &'static str)> {
    let mut buffer = ratatui::buffer::Buffer::empty(ratatui::layout::Rect::new(0, 0, app.size.width, app.size.height));
    let mut read: Vec<_> = app
        .regions()
        .panes
        .iter()
        .map(|pane| {
            app.memo.forget();
            let before = LOOKED_AT.get();
            crate::ui::draw::draw_pane(app, &mut buffer, pane);
            (LOOKED_AT.get() - before, pane.id.name())
        })
        .collect();
    read.sort_unstable_by(|a, b| b.cmp(a));
    read
}

/// The map by itself, and the most that any other pane reads.
fn map_and_others(app: &App) -> (u64, u64) {
    let read = by_pane(app);
    let map = read.iter().find(|(_, name)| *name == "map").map_or(0, |(read, _)| *read);
    (map, read.iter().filter(|(_, name)| *name != "map").map(|(read, _)| *read).max().unwrap_or(0))
}

#[test]
fn a_frame_reads_no_more_of_many_areas_than_of_few() {
    for era in ["6.12", "5.10"] {
        let (few, many) = (crowded(15_000, era), crowded(60_000, era));
        let cells = u64::from(many.size.width) * u64::from(many.size.height);
        let ((few, _), (map, others)) = (map_and_others(&few), map_and_others(&many));
        assert!(map < cells * PER_CELL && map < few * 3 / 2 + cells, "{era}: the map reads {few}, then {map}");
        assert!(others < OTHERS, "{era}: {:?}", by_pane(&many));
    }
}

#[test]
fn every_step_and_every_pane_stays_within_the_same_bound() {
    let mut app = crowded(60_000, "6.12");
    let cells = u64::from(app.size.width) * u64::from(app.size.height);
    let keys =
        [",", ",", ",", ".", "<tab>z", "<tab>", "<tab>o", "<tab>o", "<tab>", "<tab>", "<tab>z", "<tab>z", "4<wait>"];
    for keys in keys {
        script(&mut app, keys);
        let (map, others) = map_and_others(&app);
        assert!(map < cells * PER_CELL && others < OTHERS, "after {keys}: {:?}", by_pane(&app));
    }
}

#[test]
fn what_takes_long_is_added_up_once_the_cursor_rests() {
    let mut app = crowded(8_000, "6.12");
    script(&mut app, ",");
    let screen = frame(&app).to_string();
    assert!(screen.contains("added up by size once the cursor rests"), "{screen}");
    script(&mut app, "<wait><wait>");
    let screen = frame(&app).to_string();
    assert!(screen.contains("most often"), "{screen}");
    assert_eq!(app.wants_tick(), None, "nothing is left to wait for");
    script(&mut app, ",");
    assert!(frame(&app).to_string().contains("once the cursor rests"), "it was of another event");
}
