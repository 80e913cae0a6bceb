//! The exact fast path, the windows and the general grammar give the same records and the same problems.

#[path = "support/seeds.rs"]
mod seeds;
#[path = "support/windows.rs"]
mod windows;

use std::fmt::Write as _;

use parsers::ftrace::{Reader, Trace};
use proptest::prelude::*;
use windows::Told;

/// A name with a line end, and a marker of several lines.
const SPLIT: &[u8] =
    b"       nl\nevil-7-188     [000] .....     5.590669: tracing_mark_write: two\nlines\n\n => x+0x1/0x2 [m] <ff>\n";

/// Every line by the general grammar.
fn generally(text: &[u8]) -> Told {
    windows::whole(Trace::without_fast_path(), text)
}

fn whole(text: &[u8]) -> Told {
    let mut reader = Reader::new(text);
    let records = reader.by_ref().map(|record| format!("{record:?}")).collect();
    (records, reader.into_parts().1)
}

fn in_windows(text: &[u8], size: usize) -> Told {
    windows::in_windows(Trace::default(), text, size)
}

#[test]
fn windows_of_every_size_give_the_same() {
    for seed in seeds::TRACES.into_iter().chain([SPLIT]) {
        let want = whole(seed);
        assert_eq!(generally(seed), want);
        for size in [1, 2, 7, 64, 100, 127, 128, 200, 333, 1000, 4096] {
            assert_eq!(in_windows(seed, size), want, "{size}");
        }
    }
}

/// Numbers with many and with few digits.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64_u32).prop_map(|(value, shift)| value >> shift)
}

/// A line of the exact layout, or nearly so.
fn line() -> impl Strategy<Value = String> {
    let comm = prop_oneof![
        "[a-z/:0-9 -]{1,15}",
        Just("a b-c [x] :1".to_owned()),
        Just("<x>-12 [003]".to_owned()),
        Just("nl\nevil-7".to_owned()),
        Just("é".to_owned())
    ];
    let flags = prop::sample::select(vec![".....", "d..1.", ".N...", "dNh4.", "....", "d.h.11", ""]);
    let prefix = (comm, 0..5_000_000_i32, 0..2000_u16, flags, 0..2_000_000_u64, 0..1_000_000_u32);
    let window = prop::sample::select(vec![
        (0xffff_c900_0000_0000_u64, 0xffff_e8ff_ffff_ffff_u64),
        (0xffff_ffff_c000_0000, 0xffff_ffff_ff00_0000),
        (0xf080_0000, 0xff80_0000),
    ]);
    (prefix, 0..4_u8, number(), number(), number(), window, any::<bool>()).prop_map(
        |((comm, pid, cpu, flags, seconds, micros), kind, a, b, c, (vstart, vend), failed)| {
            let mut line = format!("{comm:>16}-{pid:<7} [{cpu:03}] {flags:<5} {seconds:>5}.{micros:06}: ");
            let _ = match kind {
                0 => write!(
                    line,
                    "alloc_vmap_area: va_start: {a} size={b} align={c} vstart={vstart:#x} vend={vend:#x} failed={}",
                    u8::from(failed)
                ),
                1 => write!(line, "free_vmap_area_noflush: va_start={a:#x} nr_lazy={b} nr_lazy_max={c}"),
                2 => write!(line, "purge_vmap_area_lazy: start={a:#x} end={b:#x} num_purged={c}"),
                _ => write!(line, "tracing_mark_write: {a}"),
            };
            line
        },
    )
}

/// Lines with a byte changed, added or taken here and there.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let wound = (0..6_u8, any::<prop::sample::Index>(), any::<u8>());
    prop::collection::vec((line(), prop::option::weighted(0.3, wound)), 1..30).prop_map(|lines| {
        let mut text = Vec::new();
        for (line, wound) in lines {
            let mut line = line.into_bytes();
            if let Some((kind, place, byte)) = wound {
                let at = place.index(line.len());
                match kind {
                    0 => line[at] = byte,
                    1 => line[at] ^= 1 << (byte % 8),
                    2 => line.insert(at, byte),
                    3 => drop(line.remove(at)),
                    4 => line.truncate(at),
                    _ => line.push(b'\r'),
                }
            }
            text.extend_from_slice(&line);
            text.push(b'\n');
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_fast_path_reads_what_the_grammar_reads(text in text()) {
        prop_assert_eq!(whole(&text), generally(&text));
    }

    #[test]
    fn any_cutting_gives_the_same(text in text(), size in 1..3000_usize) {
        prop_assert_eq!(in_windows(&text, size), whole(&text));
    }
}

#[test]
fn a_line_without_end_is_a_problem_and_not_an_allocation() {
    let mut text = b"            init-1       [001] .....     5.463743: free_vmap_area_noflush: va_start=0x1000 nr_lazy=1 nr_lazy_max=2\n".to_vec();
    let event = text.clone();
    text.extend(std::iter::repeat_n(b'x', 10 << 20));
    text.push(b'\n');
    text.extend_from_slice(&event);
    let (records, problems) = in_windows(&text, 4096);
    assert_eq!((records.len(), problems.len(), problems[0].line), (2, 1, 2));
    assert!(records[1].contains("line: 3,"), "{}", records[1]);
    assert_eq!((records, problems), whole(&text));
}
