//! What several test binaries share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vmaplens::log::Log;
use vmaplens::replay::{Replay, Settings};
use vmaplens::source::{Input, Reading, open_log};

/// A capture of `traces/`.
pub fn capture(name: &str) -> Arc<Log> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("traces").join(name);
    Arc::new(open_log(&Input::Path(path), &Reading::default()).expect(name))
}

/// The same, opened for replay.
pub fn replay(name: &str) -> Replay {
    Replay::open(capture(name), &Settings::default()).expect(name)
}

/// A compressed file of `tests/data/`.
pub fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let packed = std::fs::read(&path).expect(name);
    zstd::stream::decode_all(packed.as_slice()).expect(name)
}
