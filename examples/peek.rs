use std::sync::Arc;
use vmaplens::{
    model::TreeId,
    replay::{Replay, Settings},
    source::*,
    view::*,
};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let log = open_log(&Input::Path(a[1].clone().into()), &Reading::default()).expect("log");
    let mut r = Replay::open(Arc::new(log), &Settings::default()).unwrap();
    if a[2] == "list" {
        let t = &r.plan().timeline;
        println!(
            "len {} failures {:?} marks {} div {}",
            r.len(),
            &t.failures[..t.failures.len().min(30)],
            t.marks.len(),
            t.divergences.len()
        );
        for p in t.purges.iter().take(8) {
            println!("purge {p} {:?}", r.log().events[*p as usize].kind);
        }
        return;
    }
    r.seek(a[2].parse().unwrap(), usize::MAX);
    let (w, h): (u16, u16) = (a[3].parse().unwrap(), a[4].parse().unwrap());
    let sub = a.get(6).and_then(|s| s.parse().ok());
    let sel = a.get(7).map_or(Selection::Follow, |s| Selection::Address(u64::from_str_radix(s, 16).unwrap()));
    let s = Scene { replay: &r, selection: sel, sub_step: sub, glyphs: &UNICODE };
    let t = |x: Vec<Span>| x.iter().map(|s| s.text.clone()).collect::<String>();
    for p in a[5].split(',') {
        let (title, rows) = match p {
            "map" => (t(map::title(&s)), map::rows(&s, w, h, &Default::default())),
            "events" => (t(events::title(&s)), events::rows(&s, w, h, None, &Default::default())),
            "step" => (t(step::title(&s)), step::rows(&s, w, h, 0)),
            "tree" => (t(tree::title(&s, TreeId::Free)), tree::rows(&s, w, h, Default::default(), TreeId::Free)),
            "free" => (t(free::title(&s)), free::rows(&s, w, h, 0, Default::default())),
            "tables" => (t(page_table::title(&s)), page_table::rows(&s, w, h, 0)),
            "detail" => (t(detail::title(&s)), detail::rows(&s, w, h, 0)),
            "timeline" => (String::new(), timeline::rows(&s, w, h)),
            _ => panic!(),
        };
        println!("=== {p}: {title}");
        for r in rows {
            println!("|{}", r.text());
        }
    }
}
