//! `/proc/vmallocinfo` and what became of it on its way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsers::stream;
use parsers::vmallocinfo::{self, Area, Confidence, Reader};

fuzz_target!(|text: &[u8]| {
    let snapshot = vmallocinfo::parse(text);
    for area in &snapshot.areas {
        assert!(area.offset as usize <= text.len());
        if area.confidence == Confidence::Exact {
            // With its end: a number that the text stops behind may be cut, and a row of zeros has nothing to hold it against.
            let printed = format!("{area}\n");
            let again = vmallocinfo::parse(printed.as_bytes());
            assert_eq!(again.areas.len(), 1, "{printed}");
            // A vendor's words may need the rows around them to be known.
            if area.foreign.is_empty() {
                assert_eq!(again.areas, [Area { line: 1, offset: 0, ..area.clone() }], "{printed}");
            }
        }
    }
    // The general grammar and the fast path, in one window and as the streaming read cuts.
    let mut streamed = 0;
    let mut rows = Reader::new();
    stream::windows(text, Reader::starts_row, |window| rows.window(window, &mut |_| streamed += 1))
        .expect("memory can be read");
    assert_eq!(streamed, snapshot.areas.len());
});
