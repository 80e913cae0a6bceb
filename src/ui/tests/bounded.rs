//! A frame looks at no more than a screenful, whatever there is: areas, holes and nodes it reads are counted, not timed.

use std::fmt::Write;

use super::*;
use crate::log::{InputKind, ScriptLog};
use crate::model::areas::LOOKED_AT;
use crate::ui::layout::SMALLEST;

/// Slots of the arena a frame may read for each cell of the screen.
const PER_CELL: u64 = 6;

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

/// Slots read for a frame.
fn looked_at(app: &App) -> u64 {
    let before = LOOKED_AT.get();
    frame(app);
    LOOKED_AT.get() - before
}

#[test]
fn a_frame_reads_no_more_of_many_areas_than_of_few() {
    for era in ["6.12", "6.1", "5.10"] {
        let app = crowded(60_000, era);
        let cells = u64::from(app.size.width) * u64::from(app.size.height);
        assert!(SMALLEST.width < app.size.width);
        let read = looked_at(&app);
        assert!(read < cells * PER_CELL, "{era}: {read} slots for {cells} cells");
    }
}

#[test]
fn every_step_and_every_pane_stays_within_the_same_bound() {
    let mut app = crowded(60_000, "6.12");
    let cells = u64::from(app.size.width) * u64::from(app.size.height);
    for keys in [",", ",", ",", ".", "0x", "<tab>z", "<tab>", "<tab>", "<tab>o", "<tab>", "<tab>", "<tab>", "<tab>z", "4<wait>"] {
        let before = LOOKED_AT.get();
        // A turn of the loop measures the map too.
        for key in keys.split("0x") {
            script(&mut app, key);
        }
        let moved = LOOKED_AT.get() - before;
        let read = looked_at(&app);
        assert!(read < cells * PER_CELL, "after {keys}: {read} slots for {cells} cells");
        assert!(moved < cells * PER_CELL * 400, "{keys}: {moved}");
    }
}
