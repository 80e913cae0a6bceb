//! Slabs against a count of what is alive, and costs against the frames in use.

use proptest::prelude::*;
use vmaplens::model::contrast::{ADVICE, Call, Context, Contiguous, Facts, Gets, Gfp, Verdict, VmallocGfp, contrast};
use vmaplens::model::costs::Sum;
use vmaplens::model::frames::{FrameRun, Frames, MAX_ORDER, PageStrategy, ZoneKind, ZoneSpan};
use vmaplens::model::slab::{
    CacheId, KmallocEra, KmallocFit, Kmem, Object, SlabError, Slabs, kmalloc_fit, object_sizes, slab_order,
};

const PAGE: u64 = 4096;

#[derive(Debug, Clone)]
enum Act {
    Vmalloc { pages: u64, new_tables: u64 },
    Vfree { pick: prop::sample::Index },
    Kmalloc { bytes: u64 },
    Preload { cpu: usize },
    Split { cpu: usize },
    Shrink,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1_u64..1500, 0_u64..3).prop_map(|(pages, new_tables)| Act::Vmalloc { pages, new_tables }),
        4 => any::<prop::sample::Index>().prop_map(|pick| Act::Vfree { pick }),
        3 => (1_u64..40_000).prop_map(|bytes| Act::Kmalloc { bytes }),
        1 => (0_usize..3).prop_map(|cpu| Act::Preload { cpu }),
        1 => (0_usize..3).prop_map(|cpu| Act::Split { cpu }),
        1 => Just(Act::Shrink),
    ]
}

/// One allocation, and what it holds.
#[derive(Default)]
struct Held {
    runs: Vec<FrameRun>,
    objects: Vec<Object>,
    kmem: Vec<Kmem>,
    cost: Sum,
}

struct Machine {
    frames: Frames,
    slabs: Slabs,
    vmap_area: CacheId,
    descriptor_bytes: u64,
    live: Vec<Held>,
}

impl Machine {
    fn new(era: KmallocEra, release: (u32, u32, u32)) -> Self {
        let spans = [ZoneSpan { kind: ZoneKind::Normal, first: 3, end: 8003 }];
        let mut slabs = Slabs::new(era, PAGE, MAX_ORDER);
        let sizes = object_sizes(release.0, release.1, release.2);
        let vmap_area = slabs.add_cache("vmap_area", sizes.vmap_area_bytes(8));
        let frames = Frames::new(&spans, MAX_ORDER).expect("a machine");
        Self { frames, slabs, vmap_area, descriptor_bytes: sizes.vm_struct_bytes(8), live: Vec::new() }
    }

    /// Takes everything in the kernel's order; what is missing ends it, and all is given back.
    fn vmalloc(&mut self, pages: u64, new_tables: u64) {
        let mut held = Held::default();
        match self.fill(&mut held, pages, new_tables) {
            Some(()) => self.live.push(held),
            None => self.give_back(held),
        }
    }

    fn fill(&mut self, held: &mut Held, pages: u64, new_tables: u64) -> Option<()> {
        let Self { frames, slabs, .. } = self;
        let descriptor = slabs.kmalloc(self.descriptor_bytes, frames)?;
        held.kmem.push(descriptor);
        held.cost.descriptor_bytes += slabs.kmem_bytes(descriptor);
        held.objects.push(slabs.alloc(self.vmap_area, frames)?);
        held.cost.descriptor_bytes += slabs.object_bytes(self.vmap_area);
        let array = pages * 8;
        if array <= PAGE {
            let array = slabs.kmalloc(array, frames)?;
            held.kmem.push(array);
            held.cost.array_bytes = slabs.kmem_bytes(array);
        } else {
            let n = array.div_ceil(PAGE);
            let told = frames.alloc_bulk(n, ZoneKind::HighMem, PageStrategy::Bulk, &mut held.runs);
            held.cost.array_bytes = told.got * PAGE;
            told.is_complete().then_some(())?;
        }
        let told = frames.alloc_bulk(pages, ZoneKind::HighMem, PageStrategy::LargeOrders, &mut held.runs);
        held.cost.data_bytes = told.got * PAGE;
        told.is_complete().then_some(())?;
        for _ in 0..new_tables {
            frames.alloc(0, ZoneKind::Normal)?.push_to(&mut held.runs);
            held.cost.table_bytes += PAGE;
        }
        Some(())
    }

    fn give_back(&mut self, held: Held) {
        for run in held.runs {
            self.frames.free(run).expect("in use");
        }
        for kmem in held.kmem {
            self.slabs.kfree(kmem, &mut self.frames).expect("in use");
        }
        for object in held.objects {
            self.slabs.free(object, &mut self.frames).expect("in use");
            let again = self.slabs.free(object, &mut self.frames);
            assert_eq!(again, Err(SlabError::NotInUse { slab: object.slab, index: object.index }));
        }
    }

    fn run(&mut self, act: &Act) {
        match act {
            Act::Vmalloc { pages, new_tables } => self.vmalloc(*pages, *new_tables),
            Act::Vfree { pick } if !self.live.is_empty() => {
                let held = self.live.swap_remove(pick.index(self.live.len()));
                self.give_back(held);
            }
            Act::Vfree { .. } => {}
            Act::Kmalloc { bytes } => {
                if let Some(kmem) = self.slabs.kmalloc(*bytes, &mut self.frames) {
                    let cost = Sum { array_bytes: self.slabs.kmem_bytes(kmem), ..Sum::default() };
                    assert!(*bytes <= cost.physical_bytes());
                    self.live.push(Held { kmem: vec![kmem], cost, ..Held::default() });
                }
            }
            Act::Preload { cpu } => {
                let is_full = self.slabs.preload(*cpu, self.vmap_area, &mut self.frames);
                assert!(is_full || self.frames.free_pages() == 0);
            }
            Act::Split { cpu } => {
                if let Some(object) = self.slabs.take_preloaded(*cpu) {
                    let cost = Sum { descriptor_bytes: self.slabs.object_bytes(self.vmap_area), ..Sum::default() };
                    self.live.push(Held { objects: vec![object], cost, ..Held::default() });
                }
            }
            Act::Shrink => {
                self.slabs.shrink(&mut self.frames);
                assert!(self.slabs.caches().iter().all(|cache| cache.empty_slabs == 0));
            }
        }
    }

    fn check(&self) {
        self.frames.audit().expect("sound frames");
        self.slabs.audit().expect("sound slabs");
        let mut sum = Sum::default();
        for held in &self.live {
            sum += held.cost;
        }
        let preloaded = self.slabs.n_preloaded() * self.slabs.object_bytes(self.vmap_area);
        let all = sum.physical_bytes() + preloaded + self.slabs.slack_bytes();
        assert_eq!(all, self.frames.used_pages() * PAGE, "the bill and the frames in use");
        let n_objects = self.live.iter().map(|held| held.objects.len() as u64).sum::<u64>();
        let counts = self.slabs.counts(self.vmap_area).expect("the cache");
        assert_eq!(counts.live, n_objects + self.slabs.n_preloaded());
        let mut objects: Vec<_> = self.live.iter().flat_map(|held| &held.objects).map(|o| (o.slab, o.index)).collect();
        objects.sort_unstable();
        assert!(objects.windows(2).all(|pair| pair[0] < pair[1]), "no object twice");
        assert!(objects.iter().all(|object| u64::from(object.1) < counts.per_slab));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_bill_adds_up_to_the_frames_in_use(
        era in prop::sample::select(vec![KmallocEra::Slab26, KmallocEra::Slub]),
        release in prop::sample::select(vec![(2, 6, 28), (5, 4, 0), (6, 12, 0)]),
        acts in prop::collection::vec(act(), 1..120),
    ) {
        let mut machine = Machine::new(era, release);
        let fresh = machine.frames.clone();
        for act in &acts {
            machine.run(act);
            machine.check();
        }
        for cpu in 0..3 {
            machine.run(&Act::Split { cpu });
        }
        for held in std::mem::take(&mut machine.live) {
            machine.give_back(held);
        }
        prop_assert_eq!(machine.slabs.pages(), machine.frames.used_pages(), "one empty slab a cache stays");
        machine.slabs.shrink(&mut machine.frames);
        machine.check();
        prop_assert!(machine.frames == fresh);
    }
}

#[test]
fn sizes_are_those_of_the_description() {
    let sizes = |major, minor| {
        let sizes = object_sizes(major, minor, 0);
        (sizes.vmap_area_bytes(8), sizes.vm_struct_bytes(8), sizes.vmap_area_cache)
    };
    assert_eq!(sizes(2, 4), (0, 32, false));
    assert!(!sizes(5, 1).2 && sizes(5, 2).2);
    for release in [(5, 4), (6, 1), (6, 3), (6, 12), (7, 3)] {
        let (area, descriptor, has_cache) = sizes(release.0, release.1);
        assert!(has_cache && (64..=72).contains(&area) && (64..=72).contains(&descriptor), "{release:?}");
    }
    // 16 bytes of descriptor with 32 bits: flags, addr, size, next.
    assert_eq!(object_sizes(2, 4, 22).vm_struct_bytes(4), 16);
    let orders = [64, 72, 256, 512, 1024, 2048, 4096, 8192].map(|bytes| slab_order(bytes, PAGE));
    assert_eq!(orders, [0, 0, 0, 0, 1, 2, 3, 3]);
    assert_eq!(slab_order(131_072, PAGE), 5);
}

#[test]
fn classes_hold_what_they_are_asked_for() {
    for era in [KmallocEra::Slab24, KmallocEra::Slab26, KmallocEra::Slub] {
        let classes = era.classes(PAGE);
        assert!(classes.windows(2).all(|pair| pair[0].1 < pair[1].1), "{era:?}");
        let limit = era.limit(PAGE, MAX_ORDER);
        for bytes in (1..20_000).chain([limit - 1, limit]) {
            match kmalloc_fit(bytes, era, PAGE, MAX_ORDER) {
                KmallocFit::Class { index, name, bytes: class } => {
                    assert_eq!(classes[index as usize], (name, class));
                    assert!(bytes <= class && (index == 0 || classes[index as usize - 1].1 < bytes));
                }
                KmallocFit::Pages { order, bytes: block } => {
                    assert!(block == PAGE << order && bytes <= block && block < 2 * bytes);
                }
                KmallocFit::TooLarge { .. } => assert_eq!(bytes, limit + 1, "refused below the limit"),
            }
        }
        assert_eq!(kmalloc_fit(limit + 1, era, PAGE, MAX_ORDER), KmallocFit::TooLarge { limit });
    }
    assert_eq!(KmallocEra::Slub.limit(PAGE, MAX_ORDER), 4 << 20);
    assert_eq!(KmallocEra::Slab24.limit(PAGE, 9), 128 << 10);
}

const FACTS: Facts = Facts {
    page_size: PAGE,
    max_order: MAX_ORDER,
    word_bytes: 8,
    era: KmallocEra::Slub,
    total_pages: 1 << 18,
    range_bytes: 32 << 40,
    has_kvmalloc: true,
    has_kzalloc: true,
    vmalloc_gfp: VmallocGfp::Sleeps,
};

#[test]
fn four_calls_for_one_size() {
    let gets = |size, facts: &Facts| contrast(size, facts).map(|row| (row.gets, row.waste_bytes));
    let class = Gets::Class { name: "kmalloc-128", bytes: 128 };
    let page = Gets::Area { pages: 1, bytes: 4096, area_bytes: 8192 };
    assert_eq!(gets(100, &FACTS), [(class, 28), (class, 28), (class, 28), (page, 3996)]);
    let block = Gets::Block { order: 9, bytes: 2 << 20 };
    let area = Gets::Area { pages: 257, bytes: 257 << 12, area_bytes: 258 << 12 };
    let wide = (1 << 20) + 1;
    let lost = (1 << 20) - 1;
    assert_eq!(gets(wide, &FACTS), [(block, lost), (block, lost), (block, lost), (area, 4095)]);
    let area = Gets::Area { pages: 1025, bytes: 1025 << 12, area_bytes: 1026 << 12 };
    let long = (4 << 20) + 1;
    assert_eq!(gets(long, &FACTS), [(Gets::Refused, 0), (Gets::Refused, 0), (area, 4095), (area, 4095)]);
    assert_eq!(gets((1 << 30) + 1, &FACTS), [(Gets::Refused, 0); 4]);
    assert_eq!(contrast(0, &FACTS)[3].gets, Gets::Refused);
    let old = Facts { has_kvmalloc: false, has_kzalloc: false, era: KmallocEra::Slab24, max_order: 9, ..FACTS };
    let rows = contrast(5000, &old);
    assert_eq!(rows[0].gets, Gets::Class { name: "size-8192", bytes: 8192 });
    assert_eq!((rows[1].gets, rows[2].gets), (Gets::Missing, Gets::Missing));
    assert_eq!(rows[2].verdict(Gfp::Kernel, Context::Process), Verdict::No("this release has no such call"));
}

#[test]
fn every_size_keeps_the_rules_of_the_table() {
    let releases = [VmallocGfp::Sleeps, VmallocGfp::TaskOnly, VmallocGfp::NotInHardirq];
    for facts in releases.map(|vmalloc_gfp| Facts { vmalloc_gfp, ..FACTS }) {
        for size in [1, 4096, 4097, 8193, 70_000, 4 << 20, (4 << 20) + 1, 1 << 30, 1 << 33] {
            for row in contrast(size, &facts) {
                let is_refused = row.gets == Gets::Refused;
                assert_eq!(is_refused, row.limit_bytes < size, "{:?} of {size}", row.call);
                assert!(is_refused || size <= row.gets.bytes() && row.gets.bytes() - size == row.waste_bytes);
                assert_eq!(row.zeroed, row.call == Call::Kzalloc);
                assert_eq!(row.virtually, Contiguous::Yes);
                for (gfp, context) in Gfp::ALL.into_iter().flat_map(|gfp| Context::ALL.map(|at| (gfp, at))) {
                    let verdict = row.verdict(gfp, context);
                    // Nothing that may sleep is called where nothing may.
                    assert!(!(gfp.may_sleep() && verdict.is_allowed()) || context == Context::Process);
                    assert!(verdict != Verdict::MaySleep || gfp.may_sleep());
                }
            }
            for advice in ADVICE {
                let row = &contrast(size, &facts)[0];
                assert!(row.verdict(advice.gfp, advice.context).is_allowed());
                assert!(row.verdict(advice.dma, advice.context).is_allowed());
                assert_eq!(advice.gfp.may_sleep(), advice.context == Context::Process);
            }
        }
    }
    let atomic = |vmalloc_gfp, context| {
        contrast(8192, &Facts { vmalloc_gfp, ..FACTS })[3].verdict(Gfp::Atomic, context).is_allowed()
    };
    assert!(!atomic(VmallocGfp::Sleeps, Context::Atomic) && atomic(VmallocGfp::TaskOnly, Context::Atomic));
    assert!(!atomic(VmallocGfp::TaskOnly, Context::Softirq) && atomic(VmallocGfp::NotInHardirq, Context::Softirq));
    assert!(!atomic(VmallocGfp::NotInHardirq, Context::Hardirq));
    let kvmalloc = contrast(8192, &FACTS)[2].verdict(Gfp::Atomic, Context::Hardirq);
    assert!(matches!(kvmalloc, Verdict::Partly(_)), "kmalloc alone");
}
