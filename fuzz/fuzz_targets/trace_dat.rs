//! `trace.dat`, unpacked and packed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsers::trace_dat::{self, NoUnpack};

fuzz_target!(|input: &[u8]| {
    let _ = trace_dat::count(input, &NoUnpack);
});
