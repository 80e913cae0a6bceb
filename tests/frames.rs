//! Page frames from a second direction: a model that has one yes or no for each frame and looks for blocks by reading
//! them all, random operations on both, everything recomputed after each. Slabs and costs: the bytes of everything
//! alive add up to the frames in use.

#[path = "frames/costs.rs"]
mod costs;
#[path = "frames/naive.rs"]
mod naive;

use naive::Naive;
use proptest::prelude::*;
use vmaplens::model::frames::{FrameRun, Frames, FreeError, MAX_ORDER, PageStrategy, ZoneKind, ZoneSpan, zone_table};

#[derive(Debug, Clone)]
enum Act {
    Alloc { order: u32, limit: ZoneKind },
    Bulk { n: u64, limit: ZoneKind, strategy: PageStrategy },
    Huge { n: u64, order: u32, limit: ZoneKind },
    Free { pick: prop::sample::Index, from: prop::sample::Index, len: prop::sample::Index },
    FreeAll { pick: prop::sample::Index },
    FreeAgain { at: prop::sample::Index },
}

fn limit() -> impl Strategy<Value = ZoneKind> {
    prop::sample::select(ZoneKind::ALL.to_vec())
}

fn strategy() -> impl Strategy<Value = PageStrategy> {
    prop::sample::select(vec![PageStrategy::Single, PageStrategy::Bulk, PageStrategy::LargeOrders])
}

fn act() -> impl Strategy<Value = Act> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => (0_u32..7, limit()).prop_map(|(order, limit)| Act::Alloc { order, limit }),
        4 => (0_u64..260, limit(), strategy()).prop_map(|(n, limit, strategy)| Act::Bulk { n, limit, strategy }),
        1 => (0_u64..5, 0_u32..6, limit()).prop_map(|(n, order, limit)| Act::Huge { n, order, limit }),
        4 => (index(), index(), index()).prop_map(|(pick, from, len)| Act::Free { pick, from, len }),
        3 => index().prop_map(|pick| Act::FreeAll { pick }),
        1 => index().prop_map(|at| Act::FreeAgain { at }),
    ]
}

/// Memory with holes and ragged ends: zones of these lengths, each after a gap.
fn machine() -> impl Strategy<Value = (Vec<ZoneSpan>, u32)> {
    let spans = prop::collection::vec((0_u64..5, 0_u64..700), 1..6);
    (spans, 0_u64..40, 0_u32..6).prop_map(|(lengths, base, max_order)| {
        let mut at = base;
        let n = lengths.len();
        let span = |(i, (gap, len)): (usize, (u64, u64))| {
            let first = at + gap;
            at = first + len;
            ZoneSpan { kind: ZoneKind::ALL[i * ZoneKind::ALL.len() / n.max(4)], first, end: at }
        };
        (lengths.into_iter().enumerate().map(span).collect(), max_order)
    })
}

/// Both models and what is alive in them.
struct Pair {
    frames: Frames,
    naive: Naive,
    live: Vec<Vec<FrameRun>>,
}

impl Pair {
    fn new(spans: &[ZoneSpan], max_order: u32) -> Self {
        let frames = Frames::new(spans, max_order).expect("a machine");
        Self { frames, naive: Naive::new(spans, max_order), live: Vec::new() }
    }

    fn run(&mut self, act: &Act) {
        match act {
            Act::Alloc { order, limit } => {
                let got = self.frames.alloc(*order, *limit);
                assert_eq!(got, self.naive.alloc(*order, *limit));
                self.live.extend(got.map(|run| vec![run]));
            }
            Act::Bulk { n, limit, strategy } => self.bulk(*n, *limit, *strategy),
            Act::Huge { n, order, limit } => {
                let before = self.frames.clone();
                let mut runs = Vec::new();
                let told = self.frames.alloc_huge(*n, *order, *limit, &mut runs);
                let plain: Vec<FrameRun> = (0..*n).map_while(|_| self.naive.alloc(*order, *limit)).collect();
                assert_eq!(told.is_complete(), plain.len() as u64 == *n);
                if told.is_complete() {
                    assert_eq!(naive::frames_of(&runs), naive::frames_of(&plain));
                    self.live.push(runs);
                } else {
                    for run in plain {
                        self.naive.free(run);
                    }
                    assert!(runs.is_empty() && told.got == 0);
                    assert_eq!(told.splits, told.merges, "what was cut is joined again");
                    assert!(self.frames == before, "a failed huge allocation leaves nothing");
                }
            }
            Act::Free { pick, from, len } => self.free_part(*pick, *from, *len),
            Act::FreeAll { pick } => {
                if !self.live.is_empty() {
                    let runs = self.live.swap_remove(pick.index(self.live.len()));
                    for run in runs {
                        self.free(run);
                    }
                }
            }
            Act::FreeAgain { at } => {
                let free = self.frames.free_runs();
                if !free.is_empty() {
                    let first = free[at.index(free.len())].first;
                    let before = self.frames.clone();
                    let answer = self.frames.free(FrameRun { first, n: 1 });
                    assert_eq!(answer, Err(FreeError::AlreadyFree { first, n: 1 }));
                    assert!(self.frames == before);
                }
            }
        }
    }

    fn bulk(&mut self, n: u64, limit: ZoneKind, strategy: PageStrategy) {
        let blocks_before = self.naive.n_free_blocks();
        let mut runs = Vec::new();
        let told = self.frames.alloc_bulk(n, limit, strategy, &mut runs);
        let (plain, pieces) = self.naive.alloc_bulk(n, limit, strategy);
        assert_eq!(naive::frames_of(&runs), plain);
        assert_eq!(told.got, plain.len() as u64);
        assert_eq!(told.splits + blocks_before, self.naive.n_free_blocks() + pieces, "a split makes one block more");
        let in_blocks: u64 = told.orders.iter().zip(0..).map(|(told, order)| u64::from(told.got) << order).sum();
        let (wanted, got) = (n - in_blocks, told.got - in_blocks);
        match strategy {
            PageStrategy::Single => assert_eq!((told.bulk_calls, told.single_calls), (0, wanted.min(got + 1))),
            _ => {
                // The loop as it is written in the description: at most 100 a call, the first short call is the last.
                let (mut calls, mut sum) = (0, 0);
                while sum < wanted {
                    calls += 1;
                    let answer = (wanted - sum).min(100).min(got - sum);
                    sum += answer;
                    if answer < 100 && sum < wanted {
                        break;
                    }
                }
                assert_eq!((told.bulk_calls, told.single_calls), (calls, u64::from(got < wanted)));
            }
        }
        assert!(runs.windows(2).all(|pair| pair[0].end() != pair[1].first), "runs that touch are one");
        self.live.push(runs);
    }

    fn free_part(&mut self, pick: prop::sample::Index, from: prop::sample::Index, len: prop::sample::Index) {
        self.live.retain(|runs| !runs.is_empty());
        if self.live.is_empty() {
            return;
        }
        let pick = pick.index(self.live.len());
        let run = self.live[pick].remove(0);
        let from = from.index(run.n as usize) as u64;
        let n = 1 + len.index((run.n - from) as usize) as u64;
        let rest =
            [FrameRun { first: run.first, n: from }, FrameRun { first: run.first + from + n, n: run.n - from - n }];
        self.live[pick].extend(rest.into_iter().filter(|run| run.n != 0));
        self.free(FrameRun { first: run.first + from, n });
    }

    fn free(&mut self, run: FrameRun) {
        let before = self.naive.n_free_blocks();
        let told = self.frames.free(run).expect("in use");
        self.naive.free(run);
        let after = self.naive.n_free_blocks();
        assert_eq!(told.pages, run.n);
        assert_eq!(before + told.blocks, after + told.merges, "a merge makes one block less");
        assert_eq!(before + run.n, after + told.merges_by_page());
    }

    fn check(&self) {
        self.frames.audit().expect("sound");
        assert_eq!(self.frames.zones(), self.naive.zones());
        assert_eq!(naive::frames_of(&self.frames.free_runs()), self.naive.free_frames());
        let live: u64 = self.live.iter().flatten().map(|run| run.n).sum();
        assert_eq!(self.frames.used_pages(), live, "conservation");
        let mut alive = naive::frames_of(&self.live.concat());
        alive.sort_unstable();
        assert!(alive.windows(2).all(|pair| pair[0] < pair[1]), "no frame twice");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn frames_agree_with_one_flag_a_frame(
        (spans, max_order) in machine(),
        acts in prop::collection::vec(act(), 1..40),
    ) {
        let mut pair = Pair::new(&spans, max_order);
        let fresh = pair.frames.clone();
        pair.check();
        for act in &acts {
            pair.run(act);
            pair.check();
        }
        let mut copy = fresh.clone();
        copy.clone_from(&pair.frames);
        prop_assert!(copy == pair.frames);
        for run in std::mem::take(&mut pair.live).concat() {
            pair.free(run);
        }
        pair.check();
        prop_assert!(pair.frames == fresh, "everything freed is everything merged");
    }
}

/// More than 64 segments of 64 chunks: the summaries have several words.
#[test]
fn many_segments_are_found_lowest_first() {
    let n = 64 * 64 * 2 * 3 + 5;
    let spans = [ZoneSpan { kind: ZoneKind::Normal, first: 0, end: n }];
    let mut frames = Frames::new(&spans, 1).expect("a machine");
    let mut runs = Vec::new();
    assert_eq!(frames.alloc_bulk(n, ZoneKind::Normal, PageStrategy::Bulk, &mut runs).got, n);
    assert_eq!(frames.alloc(0, ZoneKind::Normal), None);
    for first in [20_000, 9_001, 17_000, 9_000, 24_000] {
        frames.free(FrameRun { first, n: 1 }).expect("in use");
        frames.audit().expect("sound");
    }
    let order: Vec<u64> = (0..5).filter_map(|_| frames.alloc(0, ZoneKind::Normal)).map(|run| run.first).collect();
    assert_eq!(order, [17_000, 20_000, 24_000, 9_000, 9_001], "the smallest block first, then the lowest");
    frames.free(FrameRun { first: 0, n }).expect("in use");
    assert!(frames == Frames::new(&spans, 1).expect("a machine"));
}

fn x86(bytes: u64) -> Frames {
    let table = zone_table("x86-64").expect("known");
    let spans = table.spans(12, &[FrameRun { first: 1, n: (bytes >> 12) - 1 }], None);
    Frames::new(&spans, MAX_ORDER).expect("a machine")
}

#[test]
fn a_gib_is_some_pieces_and_a_tib_costs_nothing() {
    let mut frames = x86(1 << 40);
    let fresh = frames.heap_bytes();
    assert!(fresh < 8 << 10, "{fresh} bytes for a TiB nobody uses");
    let mut runs = Vec::new();
    let told = frames.alloc_bulk(1 << 18, ZoneKind::HighMem, PageStrategy::Bulk, &mut runs);
    assert_eq!((told.got, told.bulk_calls, told.single_calls), (1 << 18, 2622, 0));
    // The frames are 256 chunks one after the other, and the ragged edge of the zone is taken first.
    assert!(runs.len() <= 8, "{runs:?}");
    assert!(frames.heap_bytes() < fresh + (16 << 10), "{} bytes with a GiB in use", frames.heap_bytes());
    frames.audit().expect("sound");
    let mut blocks = 0;
    for run in runs {
        blocks += frames.free(run).expect("in use").blocks;
    }
    assert!(blocks <= 256 + 20, "{blocks} blocks given back");
    assert!(frames == x86(1 << 40));
}

#[test]
fn large_orders_fall_by_one_after_each_failure() {
    let spans = [ZoneSpan { kind: ZoneKind::Normal, first: 0, end: 64 }];
    let mut frames = Frames::new(&spans, 4).expect("a machine");
    // What is left has no block above order 2.
    let all = frames.alloc_bulk(64, ZoneKind::Normal, PageStrategy::Single, &mut Vec::new());
    assert_eq!((all.got, all.splits), (64, 60));
    for first in (0..64).step_by(8) {
        frames.free(FrameRun { first, n: 4 }).expect("in use");
    }
    let mut runs = Vec::new();
    let told = frames.alloc_bulk(23, ZoneKind::Normal, PageStrategy::LargeOrders, &mut runs);
    let by_order = told.orders.iter().enumerate().filter(|(_, told)| told.tried > 0).rev();
    let orders: Vec<_> = by_order.map(|(order, told)| (order, told.tried, told.got)).collect();
    assert_eq!(orders, [(4, 1, 0), (3, 1, 0), (2, 5, 5), (1, 1, 1)]);
    assert_eq!((told.got, told.bulk_calls, told.single_calls, told.splits), (23, 1, 0, 2));
}

#[test]
fn a_limit_is_kept_and_falls_downwards_only() {
    let mut frames = x86(8 << 30);
    let zone = |frames: &mut Frames, limit| {
        let run = frames.alloc(0, limit)?;
        frames.zone_of(run.first)
    };
    assert_eq!(zone(&mut frames, ZoneKind::HighMem), Some(ZoneKind::Normal));
    assert_eq!(zone(&mut frames, ZoneKind::Dma32), Some(ZoneKind::Dma32));
    assert_eq!(zone(&mut frames, ZoneKind::Dma), Some(ZoneKind::Dma));
    let all = frames.free_pages();
    let told = frames.alloc_bulk(all + 1, ZoneKind::Dma, PageStrategy::Bulk, &mut Vec::new());
    assert!(!told.is_complete() && told.single_calls == 1);
    assert_eq!(zone(&mut frames, ZoneKind::Dma), None, "never upwards");
    assert_eq!(zone(&mut frames, ZoneKind::Dma32), Some(ZoneKind::Dma32));
    let buddyinfo: Vec<String> = frames.zones().iter().map(ToString::to_string).collect();
    assert!(buddyinfo[0].starts_with("Node 0, zone      DMA      0      0 "), "{}", buddyinfo[0]);
}

/// As the machines of the captures print their zones at boot.
#[test]
fn layouts_give_the_zones_of_real_machines() {
    let names = |table: &str, memory: FrameRun, low_end| -> Vec<(&str, u64, u64)> {
        let spans = zone_table(table).expect("known").spans(12, &[memory], low_end);
        spans.iter().map(|span| (span.kind.name(), span.first, span.end)).collect()
    };
    let run = |first, end| FrameRun { first, n: end - first };
    assert_eq!(
        names("x86-64", run(1, 0x3_ffdd), None),
        [("DMA", 1, 0x1000), ("DMA32", 0x1000, 0x3_ffdd), ("Normal", 0x3_ffdd, 0x3_ffdd)]
    );
    assert_eq!(
        names("i386", run(1, 0x3_ffdd), Some(0x3_6bfe)),
        [("DMA", 1, 0x1000), ("Normal", 0x1000, 0x3_6bfe), ("HighMem", 0x3_6bfe, 0x3_ffdd)]
    );
    assert_eq!(
        names("arm", run(0x4_0000, 0x7_0000), None),
        [("DMA", 0x4_0000, 0x7_0000), ("Normal", 0x7_0000, 0x7_0000), ("HighMem", 0x7_0000, 0x7_0000)]
    );
    assert_eq!(
        names("arm64", run(0x4_0000, 0x8_0000), None),
        [("DMA", 0x4_0000, 0x8_0000), ("DMA32", 0x8_0000, 0x8_0000), ("Normal", 0x8_0000, 0x8_0000)]
    );
}

#[test]
fn what_is_no_memory_is_refused() {
    let mut frames = x86(1 << 30);
    assert_eq!(frames.free(FrameRun { first: 5, n: 0 }), Err(FreeError::Empty));
    assert_eq!(frames.free(FrameRun { first: 0, n: 1 }), Err(FreeError::NotMemory { frame: 0 }));
    let run = frames.alloc(3, ZoneKind::Normal).expect("free memory");
    let outside = FrameRun { first: run.first, n: 1 << 40 };
    assert!(matches!(frames.free(outside), Err(FreeError::AlreadyFree { .. })));
    assert!(matches!(frames.free(FrameRun { first: 1 << 18, n: 1 }), Err(FreeError::NotMemory { .. })));
    assert!(matches!(frames.free(FrameRun { first: u64::MAX, n: 2 }), Err(FreeError::NotMemory { .. })));
    frames.free(run).expect("in use");
    assert!(matches!(frames.free(run), Err(FreeError::AlreadyFree { .. })));
    assert_eq!(frames.alloc(11, ZoneKind::Normal), None, "above the largest order");
    assert!(Frames::new(&[], 16).is_err());
    let turned = ZoneSpan { kind: ZoneKind::Normal, first: 9, end: 8 };
    assert!(Frames::new(&[turned], 3).is_err());
}
