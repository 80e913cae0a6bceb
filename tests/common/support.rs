//! What several test binaries share.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vmaplens::log::Log;
use vmaplens::model::costs::Costs;
use vmaplens::model::{AddressSpace, Extent};
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

/// Every area in use has something behind it, nothing is left of another, and entries are where such areas are mapped
/// and, before 3.10, where the next purge clears them: nowhere else.
pub fn check_behind(space: &AddressSpace, what: &str) {
    let memory = space.memory().expect(what);
    let mut in_use = Vec::new();
    for node in 0..space.allocator().n_nodes() {
        space.allocator().visit_busy(node, &mut |area| in_use.extend(Extent::new(area.start, area.end)));
    }
    in_use.sort_unstable();
    let mut behind: Vec<Extent> = memory.each_backed().map(|backed| backed.extent).collect();
    behind.sort_unstable();
    assert_eq!(in_use, behind, "{what}");
    let tables = memory.tables();
    let page = space.geometry().page_size;
    let mut mapped = 0;
    for backed in memory.each_backed() {
        mapped += backed.mapped_pages * page;
        let at = |index: u64| backed.extent.start() + index * page;
        let ends = [0, backed.mapped_pages / 2, backed.mapped_pages.saturating_sub(1)];
        assert!(
            backed.mapped_pages == 0 || ends.iter().all(|&index| tables.is_mapped(at(index))),
            "{what}: {backed:?}"
        );
        let rest = Extent::new(at(backed.mapped_pages), backed.extent.end());
        assert!(rest.is_none_or(|rest| !tables.maps_any(rest)), "{what}: {backed:?}");
    }
    let waiting: Vec<&Extent> = memory.waiting().iter().filter(|waiting| tables.maps_any(**waiting)).collect();
    assert!(mapped <= tables.mapped_bytes(), "{what}");
    assert_eq!(waiting.is_empty(), mapped == tables.mapped_bytes(), "{what}: {waiting:?}");
    assert!(!waiting.iter().any(|waiting| in_use.iter().any(|extent| extent.overlaps(**waiting))), "{what}");
    tables.audit().expect(what);
    memory.frames().audit().expect(what);
    memory.slabs().audit().expect(what);
}

/// All that can be asked of what is behind the areas, to be compared.
pub fn behind(space: &AddressSpace) -> impl PartialEq + std::fmt::Debug + use<> {
    let memory = space.memory().expect("followed");
    let (tables, slabs) = (memory.tables(), memory.slabs());
    let counts = (memory.used_pages(), memory.missing_pages(), memory.lost_pages(), memory.n_ranges());
    let flushes = format!("{:?}", memory.flushes());
    let walked = (tables.tables(), tables.leaves(), tables.mapped_bytes());
    let kept = (memory.waiting().to_vec(), memory.deferred().to_vec());
    (Costs::of(memory), memory.frames().clone(), slabs.caches(), walked, counts, kept, flushes)
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
