//! Arrangement 2: policies side by side.

use super::*;
use crate::ui::lanes::wants_time;

/// The lanes are there, and where the cursor is.
fn settled(app: &mut App) {
    for _ in 0..200 {
        if !wants_time(app) {
            return;
        }
        let now = app.now + Duration::from_millis(16);
        update(app, Msg::Tick(now));
    }
    panic!("the lanes do not come to rest");
}

fn compared(keys: &str) -> App {
    let mut app = app();
    script(&mut app, "2<wait>");
    settled(&mut app);
    script(&mut app, keys);
    settled(&mut app);
    app
}

fn shows(app: &App, text: &str) {
    let screen = frame(app).to_string();
    assert!(screen.contains(text), "no {text:?} on\n{screen}");
}

#[test]
fn lanes_follow_the_cursor() {
    let mut app = compared("");
    shows(&app, "3 lanes");
    shows(&app, "before the first event");
    script(&mut app, "...");
    settled(&mut app);
    shows(&app, "event 3  asks for 8 KiB");
    shows(&app, "as recorded");
    script(&mut app, "22G");
    settled(&mut app);
    shows(&app, "it failed in the trace");
    shows(&app, "no space");
    script(&mut app, ",,");
    settled(&mut app);
    shows(&app, "event 20");
}

#[test]
fn what_is_shown_has_not_changed() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = compared("15G");
        resize(&mut app, width, height);
        insta::assert_snapshot!(format!("compare_{width}x{height}"), frame(&app));
    }
    let mut app = plain();
    script(&mut app, "2<wait>");
    settled(&mut app);
    script(&mut app, "15G");
    settled(&mut app);
    insta::assert_snapshot!("compare_ascii", frame(&app));
}

#[test]
fn policies_are_chosen_from_a_list() {
    let mut app = compared("p");
    shows(&app, "augmented free tree");
    shows(&app, "Source:");
    let before = app.lanes.specs().len();
    // The first of the list comes in, and goes out again.
    script(&mut app, "<space>");
    assert_eq!(app.lanes.specs().len(), before + 1);
    script(&mut app, "j<space>");
    assert!(message(&app).contains("take one out first"), "{}", message(&app));
    script(&mut app, "k<space><esc>");
    assert_eq!(app.lanes.specs().len(), before);
    // Another policy in the place of the second lane.
    script(&mut app, "p2<esc>");
    settled(&mut app);
    assert_eq!(app.lanes.specs()[1].policy, "linux-2.4");
    shows(&app, "2 linux-2.4");
    for _ in 0..3 {
        let id = app.lanes.specs()[0].policy.clone();
        let _ = app.lanes.toggle(&app.replay, &id);
    }
    assert_eq!(app.lanes.specs().len(), 1, "the last lane stays");
}

#[test]
fn what_if_runs_again_and_can_be_undone() {
    let mut app = compared("5G");
    script(&mut app, "i<tab><tab><enter>40K<enter>");
    assert_eq!(app.lanes.specs()[1].to_string(), "first-fit:range=40K");
    script(&mut app, "<esc>");
    settled(&mut app);
    shows(&app, "first-fit:range=40K");
    script(&mut app, "10G");
    settled(&mut app);
    // Five areas of 8 KiB fill it: the next has no place.
    shows(&app, "no space");
    script(&mut app, "i<tab><tab><enter>nonsense<enter>");
    shows(&app, "a size is a number of bytes");
    script(&mut app, "<esc>d<esc>");
    settled(&mut app);
    assert_eq!(app.lanes.specs()[1].to_string(), "first-fit");
    shows(&app, "never part");
}

#[test]
fn where_lanes_part_is_a_key_away() {
    let mut app = compared("i<tab><tab><enter>40K<enter><esc>");
    script(&mut app, "d");
    settled(&mut app);
    assert_eq!(app.replay.cursor(), 6, "the sixth area has no place in 40 KiB");
    shows(&app, "parted first at event 6");
    script(&mut app, "u");
    assert_eq!(app.replay.cursor(), 0);
}

#[test]
fn every_metric_can_be_drawn() {
    let mut app = compared("30G");
    for name in ["holes", "largest hole", "fragmentation", "busy", "lazy pages", "pooled", "page tables", "holes"] {
        shows(&app, &format!(" {name} "));
        script(&mut app, "o");
    }
    script(&mut app, "1<wait>");
    assert!(!wants_time(&app), "nobody looks at the lanes");
}

#[test]
fn breaks_hold_in_every_lane() {
    // The second lane has room for five areas of 8 KiB; the trace's own has enough.
    let mut app = compared("i<tab><tab><enter>40K<enter><esc>:break failed<enter>");
    settled(&mut app);
    script(&mut app, "c<wait><wait>");
    settled(&mut app);
    assert_eq!((app.replay.cursor(), message(&app)), (6, "failed: in lane 2 first-fit:range=40K"));
    script(&mut app, "20Gc<wait><wait>");
    settled(&mut app);
    assert_eq!((app.replay.cursor(), message(&app)), (22, "failed: in every lane"));
    script(&mut app, "5GC<wait><wait>");
    assert_eq!(message(&app), "at no event before this one in any lane: failed");
    // Elsewhere a break is about the trace.
    script(&mut app, "1<wait>c<wait>");
    assert_eq!((app.replay.cursor(), message(&app)), (22, "failed: event 22 is a failed allocation"));
}
