//! Every failure of real captures: the answer agrees with the model's own search, and its figures with a linear scan.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use vmaplens::event::{EventKind, Seq};
use vmaplens::insight::explain::{
    Answered, Explanation, Ground, Moment, RangeFrom, Reason, Short, State, Verdict, explain, failures_of, why_here,
};
use vmaplens::log::{InputKind, Log, Pointers};
use vmaplens::model::{Extent, HelperOrder, Op, PoolAnswer, PurgeKind, Request, Step, TreeId};
use vmaplens::replay::{Follow, Replay, Settings};
use vmaplens::source::{Input, Reading, open_log};

use super::common;

const CAPTURES: [&str; 4] =
    ["i386-65-exhaust-smp1", "amd64-612-exhaust-range", "amd64-612-vmstress-10k", "amd64-612-boot-smp2"];

fn settings() -> Settings {
    Settings { memory: Follow::Nothing, ..Settings::default() }
}

fn armhf() -> Arc<Log> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/armhf-612-exhaust-smp2");
    Arc::new(open_log(&Input::Path(path), &Reading::default()).expect("the capture opens"))
}

fn captures() -> impl Iterator<Item = (&'static str, Arc<Log>)> {
    let own = CAPTURES.into_iter().map(|name| (name, common::capture(name)));
    own.chain(std::iter::once_with(|| ("armhf-612-exhaust-smp2", armhf())))
}

/// The longest stretch from an aligned address on, and whether the request fits anywhere: address by address in steps of
/// the alignment over what `free` says, without the code under test.
fn scan(free: &[Extent], request: &Request) -> (u64, bool) {
    let mut longest = 0;
    for hole in free {
        let (from, to) = (hole.start().max(request.window.vstart), hole.end().min(request.window.vend));
        let first = u128::from(from).div_ceil(u128::from(request.align)) * u128::from(request.align);
        let room = u128::from(to).saturating_sub(first);
        longest = longest.max(u64::try_from(room).unwrap_or(u64::MAX));
    }
    (longest, request.size <= longest)
}

fn holes_of(moment: &Moment) -> Vec<Extent> {
    let mut holes = Vec::new();
    moment.space.allocator().visit_holes(&mut |hole| holes.push(hole));
    holes
}

/// The holes once all has come back: of a state in which the purge was really carried out.
fn purged_of(moment: &Moment) -> (Vec<Extent>, Moment) {
    let mut later = moment.clone();
    while later.space.allocator().lazy_pages() > 0 {
        later.space.apply(&Op::Purge { kind: PurgeKind::Full, helpers: HelperOrder::default(), unqueues: false }, None);
    }
    later.space.apply(&Op::Purge { kind: PurgeKind::Full, helpers: HelperOrder::default(), unqueues: false }, None);
    (holes_of(&later), later)
}

fn reason_of(told: &Explanation) -> String {
    let why = match told.close.first().and_then(|close| close.why) {
        Some(Short::TooSmall) => "too small",
        Some(Short::Clipped) => "outside the window",
        Some(Short::Alignment) => "alignment",
        None => "long enough",
    };
    format!("{:<17} {why}", told.verdict.word())
}

#[test]
fn every_failure_is_explained_as_the_model_sees_it() {
    for (name, log) in captures() {
        let mut replay = Replay::open(log, &settings()).expect(name);
        let failures = failures_of(replay.log());
        let mut table: BTreeMap<String, u32> = BTreeMap::new();
        for &seq in &failures {
            let moment = Moment::of_record(&mut replay, seq).expect(name);
            let request = moment.request.expect("an attempt is a request");
            let told = moment.explained(&replay).expect("an attempt is explained");
            let what = format!("{name}, event {}", seq.0 + 1);

            // The verdict is the model's.
            let (purged, later) = purged_of(&moment);
            let now = moment.space.allocator().place(&request, None).is_ok();
            let then = later.space.allocator().place(&Request { first_attempt: false, ..request }, None).is_ok();
            assert_eq!(matches!(told.verdict, Verdict::Fits { .. }), now, "{what}");
            assert_eq!(told.verdict.is_served(), now || then, "{what}");

            // The figures are those of a scan over its holes.
            let (best, fits) = scan(&holes_of(&moment), &request);
            let (best_then, fits_then) = scan(&purged, &request);
            assert_eq!(told.now.best.map_or(0, |room| room.bytes), best, "{what}");
            assert_eq!(told.purged.best.map_or(0, |room| room.bytes), best_then, "{what}");
            assert_eq!(told.short_by, request.size.saturating_sub(best_then), "{what}");
            let is_arithmetic = |verdict| match verdict {
                Verdict::Fits { .. } => true,
                Verdict::FitsAfterPurge { .. } => fits_then,
                Verdict::PassedBy { .. } => fits || fits_then,
                Verdict::DoesNotFit => !fits_then,
                Verdict::CannotFit => request.window.len_bytes() < request.size,
                Verdict::NotKnown => false,
            };
            assert!(is_arithmetic(told.verdict), "{what}: {:?}", told.verdict);
            if request.align <= replay.plan().machine.page_size {
                let passed = matches!(told.verdict, Verdict::PassedBy { .. });
                assert!(!passed, "{what}: the lowest match misses nothing up to page alignment");
            }
            let n: u64 = told.reasons.iter().map(|reason| reason.holes).sum();
            assert_eq!(n + told.now.fitting, told.now.holes, "{what}");
            *table.entry(reason_of(&told)).or_default() += 1;
        }
        if !failures.is_empty() {
            println!("{name}: {} failures", failures.len());
            for (reason, n) in &table {
                println!("  {n:>6}  {reason}");
            }
        }
        let wanted = match name {
            "i386-65-exhaust-smp1" => 6,
            "amd64-612-exhaust-range" => 3416,
            "armhf-612-exhaust-smp2" => 1869,
            _ => continue,
        };
        assert_eq!(failures.len(), wanted, "{name}");
    }
}

#[test]
fn every_allocation_lies_where_its_answer_says() {
    for (name, most) in [("amd64-612-boot-smp1", 700), ("amd64-612-parts-smp2", 700), ("arm64-612-boot-smp1", 300)] {
        let mut replay = Replay::open(common::capture(name), &settings()).expect(name);
        let (mut n, mut pooled, mut padded) = (0, 0, 0);
        let mut index = 0;
        while index < replay.len() && n < most {
            let kind = replay.log().get(Seq(index as u32)).map(|event| event.kind);
            index += 1;
            let Some(EventKind::Alloc { addr, failed: false, .. }) = kind else { continue };
            n += 1;
            let moment = Moment::of_record(&mut replay, Seq(index as u32 - 1)).expect(name);
            let request = moment.request.expect("a request");
            let asked = moment.asked(&replay).expect("asked");
            let searched = moment.search(&request);
            let area = Extent::sized(addr.0, request.size).expect("not empty");
            let ground = moment.ground(&replay);
            let told = why_here(&ground, area, asked, Some(&searched), false);
            let what = format!("{name}, event {index}: {told:?}");
            let hit = searched.steps.iter().any(|step| {
                matches!(step, Step::PoolAsked { answer: PoolAnswer::Hit(extent), .. } if extent.start() == addr.0)
            });
            assert_eq!(matches!(told.answered, Answered::Pool { .. }), hit, "{what}");
            pooled += u32::from(hit);
            let fitting = |reason: &Reason| matches!(reason, Reason::Padded | Reason::NotLooked | Reason::FreeToday);
            let lower_fits = told.counts.iter().any(|(reason, ..)| fitting(reason));
            match told.answered {
                Answered::Search { hole } => {
                    assert!(hole.contains(area), "{what}");
                    let above_page = ground.page_size < request.align;
                    assert!(!lower_fits || above_page, "{what}: the lowest hole is taken");
                    padded += u32::from(lower_fits);
                    let unlooked = told.counts.iter().any(|(reason, ..)| *reason == Reason::NotLooked);
                    assert!(!unlooked, "{what}: a tree is searched from its lowest address on");
                }
                Answered::Pool { .. } | Answered::Recorded { .. } => {}
                other => panic!("{other:?} in {what}"),
            }
            // Every hole that begins lower, and is not the one that was cut, has a reason.
            let begins_lower = |hole: &&Extent| hole.start() < addr.0 && !hole.contains_addr(addr.0);
            let is_no_place = |hole: &&Extent| request.window == ground.range && hole.end() <= request.window.vstart;
            let lower = ground.holes.iter().filter(begins_lower).filter(|hole| !is_no_place(hole)).count() as u64;
            let counted = told.counts.iter().filter(|(reason, ..)| !matches!(reason, Reason::Lazy | Reason::Pooled));
            assert_eq!(counted.map(|(_, n, ..)| n).sum::<u64>(), lower, "{what}");
        }
        println!("{name}: {n} allocations, {pooled} from pools, {padded} with a lower hole that was passed by");
    }
}

#[test]
fn a_state_is_made_of_its_pieces_and_nothing_lies_twice() {
    for (name, log) in captures() {
        let mut replay = Replay::open(log, &settings()).expect(name);
        for part in 1..=4 {
            replay.seek_places(replay.len() * part / 4, usize::MAX);
            let ground = Ground::of_space(&replay, replay.space());
            let mut all: Vec<Extent> = ground.areas.iter().map(|held| held.extent).collect();
            all.extend(&ground.holes);
            all.sort_unstable();
            assert!(all.windows(2).all(|two| two[0].end() <= two[1].start()), "{name}: something overlaps");
            let metrics = replay.space().allocator().metrics();
            let busy = ground.areas.iter().filter(|held| held.state == State::Busy);
            assert_eq!(busy.map(|held| held.extent.len_bytes()).sum::<u64>(), metrics.busy_bytes, "{name}");
            let pooled = ground.areas.iter().filter(|held| held.state == State::Pooled);
            assert_eq!(pooled.map(|held| held.extent.len_bytes()).sum::<u64>(), metrics.pooled_bytes, "{name}");
        }
    }
}

#[test]
fn a_snapshot_read_and_a_snapshot_replayed_are_one_ground() {
    for (name, log) in captures() {
        let Some(baseline) = log.after.clone().filter(|after| after.pointers == Pointers::Real) else { continue };
        let Some(range) = log.origin.vmalloc else { continue };
        let mut alone = Log { before: Some(baseline.clone()), ..Log::default() };
        alone.origin = log.origin.clone();
        alone.origin.kind = InputKind::Snapshot;
        alone.origin.from_boot = Some(false);
        let read = Ground::of_snapshot(&baseline, Some((range, RangeFrom::Input)), 4096);
        let replay = Replay::open(Arc::new(alone), &settings()).expect(name);
        assert!(replay.space().allocator().tree(TreeId::Free).is_some(), "{name}");
        let replayed = Ground::of_space(&replay, replay.space());
        let inside = |ground: &Ground| -> Vec<Extent> {
            let range = Extent::new(range.vstart, range.vend).expect("a range");
            ground.holes.iter().filter_map(|hole| hole.intersection(range)).collect()
        };
        assert_eq!(inside(&read), inside(&replayed), "{name}");
        let areas = |ground: &Ground| -> Vec<(Extent, State)> {
            ground.within(range).map(|(held, _)| (held.extent, held.state)).collect()
        };
        assert_eq!(areas(&read), areas(&replayed), "{name}");
        let request = vmaplens::insight::explain::Asked::of_option(1 << 20, 4096, None, range);
        let (one, other) = (explain(&read, request.clone(), None), explain(&replayed, request, None));
        assert_eq!(
            (one.verdict, one.short_by, one.now, one.purged),
            (other.verdict, other.short_by, other.now, other.purged)
        );
        // The replay tells blocks of vm_map_ram from its large mappings, so kinds can differ.
        let names = |told: &Explanation| -> BTreeMap<Option<String>, u64> {
            let mut sums = BTreeMap::new();
            for held in &told.holders.by_caller {
                *sums.entry(held.holder.caller.clone()).or_default() += held.totals.virtual_bytes;
            }
            sums
        };
        assert_eq!(names(&one), names(&other), "{name}");
    }
}

#[test]
fn a_moment_aside_is_the_moment_and_leaves_the_cursor() {
    let mut replay = Replay::open(common::capture("amd64-612-vmstress-10k"), &settings()).expect("the capture");
    replay.seek_places(5000, usize::MAX);
    let digest = replay.space().digest();
    for seq in [Seq(0), Seq(77), Seq(4000), Seq(9000)] {
        let aside = Moment::aside(&mut replay, seq).expect("a moment").space.digest();
        assert_eq!((replay.cursor(), replay.space().digest()), (5000, digest));
        let mut other = replay.clone();
        assert_eq!(Moment::of_record(&mut other, seq).expect("a moment").space.digest(), aside, "{seq:?}");
    }
}

/// The scripts answered by the code of each kernel, in which requests fail.
const SCRIPTS: [&str; 8] = [
    "2.4/exhaust",
    "2.4/tinyfull",
    "2.6.32/tinyfull",
    "4.19/tinyfull",
    "5.10/tiny",
    "6.1/tiny",
    "6.12/tiny",
    "6.12/poolsteps",
];

#[test]
fn failures_of_every_era_are_explained_as_its_own_search_sees_them() {
    for name in SCRIPTS {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/vectors/{name}.ops.zst"));
        let log = vmaplens::source::open(&Input::Path(path), &Reading::default()).expect(name);
        let mut replay = Replay::open(Arc::new(log), &settings()).expect(name);
        let failures = failures_of(replay.log());
        let mut table: BTreeMap<String, u32> = BTreeMap::new();
        for &seq in failures.iter().step_by(failures.len() / 300 + 1) {
            let moment = Moment::of_record(&mut replay, seq).expect(name);
            let Some(request) = moment.request else { continue };
            let told = moment.explained(&replay).expect("an attempt is explained");
            let what = format!("{name}, op {}: {:?}, {request:?}", seq.0 + 1, told.verdict);
            let (_, later) = purged_of(&moment);
            let now = moment.space.allocator().place(&request, None).is_ok();
            let then = later.space.allocator().place(&Request { first_attempt: false, ..request }, None).is_ok();
            assert_eq!(matches!(told.verdict, Verdict::Fits { .. }), now, "{what}");
            assert_eq!(told.verdict.is_served(), now || then, "{what}");
            // Where every area is walked past from the start of the window, nothing can be passed by. From 2.6.39 to 5.1
            // it can: the answers of the kernel's own code to `4.19/tinyfull` have such refusals.
            let allocator = moment.space.allocator();
            let is_plain = allocator.tree(TreeId::Free).is_none() && allocator.cached_hole().is_none();
            assert!(!is_plain || !matches!(told.verdict, Verdict::PassedBy { .. }), "{what}");
            *table.entry(reason_of(&told)).or_default() += 1;
        }
        println!("{name}: {} failures", failures.len());
        for (reason, n) in &table {
            println!("  {n:>6}  {reason}");
        }
    }
}
