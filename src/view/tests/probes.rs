//! Records of probes: calls with two ends, frees with their end, purges without counts.

use super::*;

/// A probed call and its purge, a free of an area older than the trace, an area nobody was seen asking for.
pub(super) fn probed() -> Replay {
    let mut script = Script::new();
    let window = script.log.names.add_window(Window { vstart: V, vend: 0xffff_e8ff_ffff_ffff });
    script.push(0, EventKind::Request { size: 0x5000, align: 0x4000, window });
    script.alloc(0, V, 0x5000, 0x4000);
    script.push(0, EventKind::FreeProbe { addr: Addr(V), end: Addr(V + 0x5000) });
    script.push(0, EventKind::FreeProbe { addr: Addr(V + 0x8000), end: Addr(V + 0xa000) });
    script.push(0, EventKind::PurgeEntry { start: Addr(u64::MAX), end: Addr(0) });
    script.push(0, EventKind::PurgeReturn { purged: Some(true) });
    script.push(0, EventKind::Unasked { addr: Addr(V + 0x8000), end: Addr(V + 0xa000) });
    script.push(0, EventKind::PurgeReturn { purged: Some(false) });
    script.replay()
}

#[test]
fn each_end_of_a_call_says_what_it_knows() {
    let mut replay = probed();
    let expected = [
        ("calls the allocator for 20 KiB, aligned to 16 KiB", "asks for 20,480|20 KiB"),
        ("asks for 20 KiB", ""),
        ("frees", ""),
        ("older than the trace", ""),
        ("begins to purge", "begins"),
        ("A purge ends: 2 areas of 7 pages come back", ""),
        ("is given 8 KiB at", ""),
        ("A purge ends: nothing was lazy", ""),
    ];
    for (index, (step_says, detail_says)) in expected.into_iter().enumerate() {
        replay.seek(index + 1, usize::MAX);
        let scene = scene(&replay, &UNICODE);
        let steps = lines(&step::rows(&scene, 160, 30, 0));
        assert!(steps.contains(step_says), "{index}: {steps}");
        let detail = lines(&detail::rows(&scene, 160, 30, 0));
        assert!(
            detail_says.is_empty() || detail_says.split('|').any(|said| detail.contains(said)),
            "{index}: {detail}"
        );
    }
    let checks = replay.plan().checks;
    assert_eq!((checks.unknown_frees, checks.displaced, checks.num_purged_differs), (1, 0, 0));
    assert_eq!(replay.plan().mate(Seq(1)), Some(Seq(2)));
}

#[test]
fn the_list_names_both_ends() {
    let replay = probed();
    let filter = events::EventFilter::default();
    let text = lines(&events::rows(&scene(&replay, &UNICODE), 120, 12, None, &filter));
    for word in ["asks", "asked for", "alloc", "free", "purges", "begins", "purge", "ends", "nothing was lazy"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}
