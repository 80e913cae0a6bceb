//! Op scripts in the panes: what was asked, what came of it, and the expected answer beside it; in every era.

use super::*;
use crate::log::{Expected, InputKind, ScriptLog};

/// Something of everything in 256 KiB: an aligned request, a purge, a request that purges and is placed, one that
/// fails, one that cannot be, a free of nothing, questions.
pub(super) const OPS: &str = "range 0x100000 0x140000\nearly 0x100000 0x101000\na 0 131072\na 1 65536\na 2 4096 8192\n\
    f 0\na 3 131072\na 4 262144\na 5 4096 3\nf 5\nlazy\nf 1\nwork\nshrink\nf 2\na 6 4096\na 7 4096\npurge\nmark\n\
    check\nhash\ndump\na 8 8192\n";
/// Ops in it.
pub(super) const N_OPS: usize = 21;
pub(super) const ERAS: [&str; 6] = ["2.4", "2.6.32", "4.19", "5.10", "6.1", "6.12"];

pub(in crate::view) fn script(era: &str, ops: &str, expected: Option<&str>) -> Replay {
    let text = format!("# t\u{202e}est\nera {era}\npossible 2\n{ops}");
    let script = parsers::ops::parse(text.as_bytes());
    let mut log = Log::default();
    log.origin.kind = InputKind::Script;
    log.origin.name = "test.ops".to_owned();
    let expected = expected.map(|text| Expected::new("test.out".to_owned(), text.to_owned(), &script.ops));
    log.script = Some(Arc::new(ScriptLog { header: script.header, ops: script.ops, expected, ..ScriptLog::default() }));
    Replay::open(Arc::new(log), &Settings::default()).expect("the script can be replayed")
}

/// What all panes say at an op.
fn told(replay: &mut Replay, op: usize) -> String {
    replay.seek(op, usize::MAX);
    let scene = scene(replay, &UNICODE);
    let panes = all_panes(&scene, 160, 40, 0);
    panes.iter().map(|(_, rows)| lines(rows)).collect::<Vec<_>>().join("\n")
}

fn all(shown: &str, wanted: &[&str]) {
    for words in wanted {
        assert!(shown.contains(words), "no {words:?} in\n{shown}");
    }
}

#[test]
fn an_op_says_whose_it_is_and_what_was_answered() {
    let mut replay = script("6.12", OPS, None);
    assert_eq!(replay.len(), N_OPS);
    all(&told(&mut replay, 3), &["id 2 on CPU 0 asks for 4 KiB, aligned to 8 KiB", "answer   132000", "op 3, line 8"]);
    let request = told(&mut replay, 5);
    all(
        &request,
        &["no place at first, so everything is purged: 1 area back, 128 KiB.", "second attempt: placed after"],
    );
    assert!(!request.contains("no place from"), "{request}");
    all(&told(&mut replay, 6), &["EBUSY", "no place from", "the lowest hole", "too little", "held by  this script"]);
    all(&told(&mut replay, 7), &["EINVAL", "refused before any search: an alignment of 3 is not a power of two"]);
    all(&told(&mut replay, 8), &["id 5 on CPU 0 has no area to free"]);
    all(&told(&mut replay, 9), &["0 lazy pages of 24,576, the drain work is not queued"]);
    all(&told(&mut replay, 11), &["The drain work is not queued: nothing runs", "asked    run the drain work"]);
    all(&told(&mut replay, 12), &["every pool is emptied, 0 areas back"]);
    all(&told(&mut replay, 20), &["the whole state as text"]);
    let head = header::rows(&scene(&replay, &UNICODE), 160, &header::Play::default())[0].text();
    all(&head, &["test.ops", "op script, era 6.12", "nothing to compare with", "op 20 of 21"]);
    assert_eq!(events::find(&replay, "id 5", 0, true), Some(6));
    assert_eq!(events::find(&replay, "EBUSY", 0, true), Some(5));
}

#[test]
fn the_expected_answer_stands_beside_the_models() {
    let mut bare = script("6.12", OPS, None);
    let mut expected = String::new();
    while bare.step() {
        expected.push_str(&bare.answer_in_full().expect("a script"));
    }
    let mut right = script("6.12", OPS, Some(&expected));
    all(&told(&mut right, N_OPS), &["✓ exact: the answer is the expected one", "test.out:"]);
    let mut wrong = script("6.12", OPS, Some(&expected.replacen("132000", "133000", 1)));
    let shown = told(&mut wrong, 3);
    all(&shown, &["✗ differs: the expected answer is another one; model 132000, expected 133000", "expected 133000"]);
    all(&shown, &["the first difference of this script", "model    132000"]);
    wrong.seek(N_OPS, usize::MAX);
    let rows = events::rows(&scene(&wrong, &UNICODE), 120, 30, None, &events::EventFilter::default());
    all(&lines(&rows), &["✗", "expected 133000"]);
    let head = header::rows(&scene(&wrong, &UNICODE), 160, &header::Play::default())[0].text();
    all(&head, &["against test.out", "✗ 1 differ", "% exact"]);
    assert_eq!(events::count(&wrong, "differs"), 1);
    assert_eq!(events::count(&wrong, "not-the-expected"), 1);
}

#[test]
fn eras_without_a_free_tree_show_what_they_keep() {
    let mut replay = script("2.4", OPS, None);
    all(
        &told(&mut replay, 3),
        &["This era has no tree", "walks the list of areas from its head", "no room in front of it"],
    );
    all(&told(&mut replay, 6), &["NULL", "1 hole in the vmalloc range"]);
    let mut replay = script("4.19", OPS, None);
    all(&told(&mut replay, 3), &["begins behind the area placed last", "room at", "free_vmap_cache"]);
    replay.seek(4, usize::MAX);
    let drawn = lines(&tree::rows(&scene(&replay, &UNICODE), 120, 14, tree::TreePan::default(), TreeId::Free));
    all(&drawn, &["▒", "lazily freed"]);
    let title: String = tree::title(&scene(&replay, &UNICODE), TreeId::Free).iter().map(|s| s.text.as_str()).collect();
    assert!(title.starts_with("busy tree  4 nodes"), "{title}");
    all(&told(&mut replay, 5), &["starts over", "second attempt"]);
    all(&told(&mut replay, 7), &["BUG"]);
    all(&told(&mut replay, 12), &["this era has no pools"]);
}
