//! Any file as an input: containers, bundles, detection, every reader behind them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vmaplens::source::{self, Input, Reading};

fuzz_target!(|bytes: &[u8]| {
    let path = std::env::temp_dir().join(format!("vmaplens-fuzz-{}", std::process::id()));
    if std::fs::write(&path, bytes).is_ok() {
        // What matters is that it comes back, with an answer or a refusal.
        let _ = source::open(&Input::Path(path), &Reading::default());
    }
});
