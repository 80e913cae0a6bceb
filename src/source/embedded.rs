//! The capture inside the binary: a first run shows something real.

use crate::log::Log;

use super::{bytes, meta, snapshot, trace};

/// Its name.
pub const NAME: &str = "built-in capture amd64-612-first-steps";

const META: &str = include_str!("../../traces/amd64-612-first-steps/meta.toml");
const TRACE: &[u8] = include_bytes!("../../traces/amd64-612-first-steps/trace.txt.zst");
const BEFORE: &[u8] = include_bytes!("../../traces/amd64-612-first-steps/vmallocinfo.before");
const AFTER: &[u8] = include_bytes!("../../traces/amd64-612-first-steps/vmallocinfo.after");

/// Reads it. A test reads it too, so that a damaged member cannot ship.
pub fn log() -> Log {
    let mut log = Log::default();
    // The members are part of this program; what cannot be read leaves the log without it.
    let _ = meta::read("meta.toml", META, &mut log.origin);
    log.before = snapshot::read("vmallocinfo.before", BEFORE, &mut log.problems).ok();
    log.after = snapshot::read("vmallocinfo.after", AFTER, &mut log.problems).ok();
    if let Ok(text) = bytes::unpack("trace.txt.zst", TRACE) {
        let _ = trace::read("trace.txt", &text[..], &mut log);
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_capture_is_whole() {
        let log = log();
        assert!(log.problems.is_empty(), "{:?}", log.problems);
        assert!(log.counts().alloc > 500, "{:?}", log.counts());
        assert!(log.before.is_some() && log.after.is_some());
    }
}
