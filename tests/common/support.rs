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

/// `SplitMix64`: the same damage in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}
