//! `/proc/vmallocinfo` and what became of it on its way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsers::vmallocinfo;

fuzz_target!(|text: &[u8]| {
    let unfolded = vmallocinfo::unfold(text);
    let text = unfolded.as_deref().unwrap_or(text);
    let snapshot = vmallocinfo::parse(text);
    for area in &snapshot.areas {
        assert!(area.offset as usize <= text.len());
        let _ = area.to_string();
    }
});
