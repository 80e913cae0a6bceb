//! `/proc/vmallocinfo` and what became of it on its way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsers::stream;
use parsers::vmallocinfo::{self, Confidence, Reader};

fuzz_target!(|text: &[u8]| {
    let snapshot = vmallocinfo::parse(text);
    for area in &snapshot.areas {
        assert!(area.offset as usize <= text.len());
        let printed = area.to_string();
        if area.confidence == Confidence::Exact {
            let again = vmallocinfo::parse(printed.as_bytes());
            assert_eq!(again.areas.len(), 1, "{printed}");
        }
    }
    // The general grammar and the fast path, in one window and as the streaming read cuts.
    let mut streamed = 0;
    let mut rows = Reader::new();
    stream::windows(text, Reader::starts_row, |window| rows.window(window, &mut |_| streamed += 1))
        .expect("memory can be read");
    assert_eq!(streamed, snapshot.areas.len());
});
