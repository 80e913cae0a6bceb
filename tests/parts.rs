//! A purge in the parts that probes can show.

use proptest::prelude::*;
use vmaplens::log::Window;
use vmaplens::model::{Allocator, Extent, HelperOrder, PurgeKind, PurgePart, Request};
use vmaplens::policy::{Augmented, Setup, by_id};

const BASE: u64 = 0xffff_c900_0000_0000;
const PAGE: u64 = 4096;
/// Releases whose purges have parts.
const RELEASES: [&str; 2] = ["linux-6.12", "linux-7.2"];

fn empty(policy: &str) -> Augmented {
    Augmented::new(&Setup {
        rules: by_id(policy).expect(policy).rules,
        cpus_online: 3,
        cpus_possible: 3,
        window: Window { vstart: BASE, vend: 0xffff_e8ff_ffff_ffff },
        page_size: PAGE,
        is_32_bit: false,
        early: Vec::new(),
        lazy_max_bytes: None,
    })
}

fn place(space: &mut Augmented, pages: u64, cpu: u32) -> Option<Extent> {
    let window = space.window();
    let request = Request { size: pages * PAGE, align: 1, window, cpu, first_attempt: true };
    let answer = space.place(&request, None);
    space.settle(&request, answer, 0, None)
}

fn text(space: &Augmented) -> String {
    let mut text = String::new();
    space.dump(false, &mut text).expect("a string");
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// If nothing comes between, the parts are the purge; after each part everything holds.
    #[test]
    fn the_parts_of_a_purge_are_the_purge(
        which in 0_usize..2,
        full in any::<bool>(),
        acts in prop::collection::vec((any::<bool>(), 1_u64..9, 0_u32..3, any::<prop::sample::Index>()), 1..80),
    ) {
        let mut whole = empty(RELEASES[which]);
        let mut live: Vec<u64> = Vec::new();
        for (frees, pages, cpu, pick) in acts {
            if frees && !live.is_empty() {
                let addr = live.swap_remove(pick.index(live.len()));
                whole.free(addr, None).expect("live");
                // Now and then, so that the pools hold something.
                if pages == 1 {
                    whole.purge(PurgeKind::Partial, HelperOrder::default(), None);
                }
            } else {
                live.extend(place(&mut whole, pages, cpu).map(Extent::start));
            }
        }
        let mut parts = whole.clone();
        let kind = if full { PurgeKind::Full } else { PurgeKind::Partial };
        let purged = whole.purge(kind, HelperOrder::default(), None);
        let nodes = 0..parts.n_nodes();
        for node in nodes.clone() {
            parts.purge_part(PurgePart::Decay { node, full }, None);
            parts.audit().expect("sound after a decay");
        }
        let mut returned = 0;
        for node in nodes {
            returned += parts.purge_part(PurgePart::Return { node, full }, None);
            parts.audit().expect("sound after a return");
        }
        let rest = parts.purge(kind, HelperOrder::default(), None);
        prop_assert_eq!(returned, purged.num_purged);
        prop_assert_eq!(rest.num_purged, purged.num_purged);
        prop_assert_eq!(text(&parts), text(&whole));
    }

    /// What is freed after a node's areas were taken off waits for the next purge.
    #[test]
    fn what_is_freed_during_a_purge_stays_lazy(pages in 1_u64..300, cpu in 0_u32..3) {
        let mut space = empty(RELEASES[0]);
        let early = place(&mut space, pages, cpu).expect("room");
        let late = place(&mut space, pages, cpu).expect("room");
        space.free(early.start(), None).expect("live");
        for node in 0..3 {
            space.purge_part(PurgePart::Decay { node, full: false }, None);
        }
        space.purge_part(PurgePart::Return { node: cpu, full: false }, None);
        space.free(late.start(), None).expect("live");
        space.audit().expect("sound");
        let purged = space.purge(PurgeKind::Partial, HelperOrder::default(), None);
        prop_assert_eq!(purged.num_purged, 1);
        prop_assert_eq!(space.lazy_pages(), pages);
        space.audit().expect("sound");
    }
}
