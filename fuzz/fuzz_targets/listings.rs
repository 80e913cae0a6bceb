//! Listings of areas that are no `/proc/vmallocinfo`, and the detection of every form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsers::listing;
use parsers::sniff::{Format, sniff};

fuzz_target!(|text: &[u8]| {
    let detected = listing::detect(text);
    let sniffed = match sniff(text) {
        Format::Listing(dialect) => Some(dialect),
        _ => None,
    };
    for dialect in detected.into_iter().chain(sniffed) {
        let snapshot = listing::parse(dialect, text);
        assert!(snapshot.areas.iter().all(|area| area.offset as usize <= text.len()));
    }
});
