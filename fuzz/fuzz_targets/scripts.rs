//! Op scripts and allocator states.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let script = parsers::ops::parse(text);
    assert!(script.notes.iter().all(|note| note.op <= script.ops.len()));
    parsers::allocator_state::parse(text);
});
