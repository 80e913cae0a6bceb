//! Traces that start after boot: from the kernel's own state, from a snapshot alone, and with probes instead of
//! tracepoints.

#[path = "common/support.rs"]
mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use vmaplens::event::{Event, EventKind, Nanos, Seq};
use vmaplens::log::{Around, KernelState, Log, Window};
use vmaplens::model::{Allocator, HelperOrder, PurgeKind, Request};
use vmaplens::policy::{Augmented, Setup, Shape, by_id};
use vmaplens::replay::truth::{check_after, check_state};
use vmaplens::replay::{PolicyFrom, Replay, Settings, Verdict};

const PROBED: [(&str, u64); 2] = [("amd64-510-kprobes-smp1", 1732), ("amd64-61-kprobes-smp1", 1758)];

fn to_the_end(log: Log) -> Replay {
    let mut replay = Replay::open(Arc::new(log), &Settings::default()).expect("opens");
    replay.seek(replay.len(), usize::MAX);
    replay
}

fn check_end(replay: &Replay, name: &str) {
    let after = check_after(replay.space(), &replay.log().settled(Around::After).expect(name));
    assert_eq!((after.missing, after.extra), (0, 0), "{name}");
    let state = check_state(replay.space(), replay.log().truth.as_ref().expect(name));
    assert!(state.free_equal && state.pools_equal && state.lazy_equal && state.busy_equal, "{name}: {state:?}");
    replay.space().allocator().audit().expect(name);
}

/// The snapshot's state with its tree, and the rules of the release: every address, every purge, the last state.
#[test]
fn probes_and_the_kernels_own_state_leave_nothing_open() {
    for (name, allocs) in PROBED {
        let replay = common::replay(name);
        let replay = to_the_end(Log::clone(replay.log()));
        assert_eq!(replay.log().problems, [], "{name}");
        assert_eq!((replay.tally().allocs, replay.tally().exact), (allocs, allocs), "{name}");
        let checks = replay.plan().checks;
        assert_eq!((checks.num_purged_differs, checks.unknown_frees, checks.displaced), (0, 0, 0), "{name}");
        check_end(&replay, name);
    }
}

/// The same for tracepoints: what the shape of the tree decides is known with the state and open without it.
#[test]
fn the_state_before_a_trace_settles_what_a_snapshot_leaves_open() {
    let name = "amd64-612-snaptrace-smp1";
    let mut log = Log::clone(&common::capture(name));
    let text = common::data("amd64-612-snaptrace-smp1.state-before.zst");
    let (state, flaws) = KernelState::check(&parsers::allocator_state::parse(&text).0).expect("holes");
    assert_eq!(flaws, [""; 0]);
    log.state_before = Some(state);
    let replay = to_the_end(log);
    assert_eq!((replay.tally().allocs, replay.tally().exact), (2132, 2132));
    check_end(&replay, name);
}

/// Without the state the space is known and the shape is not: what does not depend on the shape must be right. In 5.10
/// that is only what is not aligned at all.
#[test]
fn without_the_state_only_the_shape_is_open() {
    for (name, allocs) in PROBED {
        let mut log = Log::clone(&common::capture(name));
        log.state_before = None;
        let replay = to_the_end(log);
        let free_of_shape = if name.contains("510") { 1 } else { 4096 };
        for divergence in &replay.plan().divergences {
            let EventKind::Alloc { align, .. } = replay.log().events.nth(divergence.seq.index()).kind else {
                panic!("an allocation")
            };
            assert!(align > free_of_shape, "{name} {divergence:?}");
        }
        assert!(replay.tally().exact * 100 >= allocs * 98, "{name} {:?}", replay.tally());
        check_end(&replay, name);
    }
}

/// The shape is learned from the answers: of the requests that it decides nearly all come out, and what was learned
/// holds when somebody goes back to the start.
#[test]
fn the_shape_is_learned_from_the_answers() {
    for (name, at_least) in
        [("amd64-510-kprobes-smp1", 500), ("amd64-61-kprobes-smp1", 498), ("amd64-612-snaptrace-smp1", 587)]
    {
        let mut log = Log::clone(&common::capture(name));
        log.state_before = None;
        let mut replay = to_the_end(log);
        let is_large = |event: &Event| matches!(event.kind, EventKind::Alloc { align: 4097.., .. });
        let large = (0_u32..).zip(&replay.log().events).filter(|(_, event)| is_large(event));
        let exact = large.filter(|(seq, _)| replay.verdict(Seq(*seq)) == Verdict::Exact).count();
        assert!(exact >= at_least, "{name}: {exact}");
        check_end(&replay, name);
        let last = replay.space().digest();
        replay.seek(0, usize::MAX);
        while replay.step() {
            replay.space().allocator().audit().expect(name);
        }
        assert_eq!(replay.space().digest(), last, "{name}");
    }
}

/// A trace that names no kernel is replayed under the rules that explain it.
#[test]
fn the_era_shows_in_probes_too() {
    for (name, release, from) in
        [("amd64-510-kprobes-smp1", "5.10", PolicyFrom::Events), ("amd64-61-kprobes-smp1", "6.1", PolicyFrom::Assumed)]
    {
        let mut log = Log::clone(&common::capture(name));
        log.origin.kernel = None;
        let machine = Replay::open(Arc::new(log), &Settings::default()).expect(name).plan().machine;
        assert_eq!((machine.policy.release.to_string().as_str(), machine.policy_from), (release, from), "{name}");
    }
}

/// A recorder can switch tracing on before it takes the snapshot.
#[test]
fn records_before_the_snapshots_marker_are_in_it_already() {
    let whole = common::capture("amd64-61-kprobes-smp1");
    let mut log = Log::clone(&whole);
    // The marker of a recorder that switches tracing on before it takes the snapshot, and an allocation before it that
    // the snapshot shows.
    let text = log.names.add_text(b"vmlab: snapshot before end");
    let first = log.events.nth(0);
    let window = log.names.add_window(Window { vstart: 0xffff_d3af_8000_0000, vend: 0xffff_f3af_7fff_ffff });
    let (start, end) = log.state_before.as_ref().expect("state").busy[0];
    let addr = vmaplens::event::Addr(start);
    let early = EventKind::Alloc { addr, size: end - start, align: 1, window, failed: false };
    let marker = EventKind::Mark { text };
    let added = [Event { kind: early, ..first }, Event { kind: marker, ..first }];
    log.events.edit(|events| events.splice(0..0, added).count());
    let replay = to_the_end(log);
    let tally = replay.tally();
    assert_eq!((tally.allocs, tally.exact), (1758, 1758), "the early record is not judged");
    check_end(&replay, "with an early record");
}

#[derive(Debug, Clone)]
enum Act {
    Alloc { pages: u64, align_shift: u32, cpu: u32 },
    Free { pick: prop::sample::Index },
    Purge,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1_u64..20, prop_oneof![4 => Just(0_u32), 2 => 12_u32..18], 0_u32..3)
            .prop_map(|(pages, align_shift, cpu)| Act::Alloc { pages, align_shift, cpu }),
        5 => any::<prop::sample::Index>().prop_map(|pick| Act::Free { pick }),
        1 => Just(Act::Purge),
    ]
}

fn setup(policy: &str) -> Setup {
    Setup {
        rules: by_id(policy).expect(policy).rules,
        cpus_online: 3,
        cpus_possible: 3,
        window: Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff },
        page_size: 4096,
        is_32_bit: false,
        early: Vec::new(),
        lazy_max_bytes: None,
    }
}

/// A state after random operations.
fn lived(policy: &str, acts: &[Act]) -> Augmented {
    let setup = setup(policy);
    let mut space = Augmented::new(&setup);
    let mut live = Vec::new();
    for act in acts {
        match act {
            Act::Alloc { pages, align_shift, cpu } => {
                let (size, align) = (pages * 4096, 1 << align_shift);
                let request = Request { size, align, window: setup.window, cpu: *cpu, first_attempt: true };
                let answer = space.place(&request, None);
                live.extend(space.settle(&request, answer, 0, None));
            }
            Act::Free { pick } if !live.is_empty() => {
                let extent: vmaplens::model::Extent = live.swap_remove(pick.index(live.len()));
                space.free(extent.start(), None).expect("live");
            }
            Act::Free { .. } => {}
            Act::Purge => {
                space.purge(PurgeKind::Partial, HelperOrder::default(), None);
            }
        }
    }
    space
}

/// The state as the lines of an `allocator-state` file.
fn written(space: &Augmented) -> String {
    use std::fmt::Write;
    let mut dump = String::new();
    space.dump(true, &mut dump).expect("a string");
    let mut out = String::new();
    for line in dump.lines().skip(1) {
        let field: Vec<&str> = line.split(' ').collect();
        let (depth, start, end, max, colour) = (field[1], field[3], field[4], field[5], field[6]);
        writeln!(out, "tree {depth} {colour} 0x{start} 0x{end} 0x{max}").expect("a string");
        writeln!(out, "free 0x{start} 0x{end}").expect("a string");
    }
    for node in 0..space.n_nodes() {
        let mut list = |word: &str, area: &vmaplens::model::VmapArea| {
            writeln!(out, "{word} {node} {:#x} {:#x}", area.start, area.end).expect("a string");
        };
        space.visit_busy(node, &mut |area| list("busy", area));
        space.visit_lazy(node, &mut |area| list("lazy", area));
    }
    space.visit_pools(&mut |node, area| {
        writeln!(out, "pool {node} {} {:#x} {:#x}", area.len_bytes() / 4096, area.start, area.end).expect("a string");
    });
    out
}

/// Lazy areas in their order, then the areas in use.
fn lazy_and_busy(space: &Augmented) -> Vec<(u32, u64, u64)> {
    let (mut lazy, mut busy) = (Vec::new(), BTreeSet::new());
    for node in 0..space.n_nodes() {
        space.visit_lazy(node, &mut |area| lazy.push((node, area.start, area.end)));
        space.visit_busy(node, &mut |area| {
            busy.insert((node, area.start, area.end));
        });
    }
    lazy.extend(busy);
    lazy
}

fn dump(space: &Augmented) -> String {
    let mut text = String::new();
    space.dump(true, &mut text).expect("a string");
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_written_and_read_back_is_the_same(
        acts in prop::collection::vec(act(), 0..120),
        policy in prop_oneof![Just("linux-5.10"), Just("linux-6.1"), Just("linux-6.12")],
    ) {
        let space = lived(policy, &acts);
        let parsed = parsers::allocator_state::parse(written(&space).as_bytes()).0;
        let (state, flaws) = KernelState::check(&parsed).expect("holes");
        prop_assert_eq!(flaws, Vec::<String>::new());
        let again = Augmented::from_kernel(&setup(policy), &state, Shape::default());
        prop_assert!(again.audit().is_ok(), "{:?}", again.audit());
        prop_assert_eq!(dump(&again), dump(&space), "shape and colours of the free tree");
        prop_assert_eq!(lazy_and_busy(&again), lazy_and_busy(&space));
        prop_assert_eq!(again.lazy_pages(), space.lazy_pages());
        let pools = |space: &Augmented| {
            let mut pools = Vec::new();
            space.visit_pools(&mut |node, area| pools.push((node, area.start, area.end)));
            pools
        };
        prop_assert_eq!(pools(&again), pools(&space), "pools in their order");
    }

    /// Lines exchanged, left out, damaged: a sound state all the same.
    #[test]
    fn a_damaged_state_is_mended_or_refused(
        acts in prop::collection::vec(act(), 0..60),
        harm in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..4), 1..6),
        policy in prop_oneof![Just("linux-5.10"), Just("linux-6.1"), Just("linux-6.12")],
    ) {
        let text = written(&lived(policy, &acts));
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (a, b, how) in harm {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            match how {
                0 => lines.swap(a, b),
                1 => lines[a] = lines[b].clone(),
                2 => lines[a] = lines[a].replace(" B ", " R "),
                _ => lines[a] = lines[a].replacen("000 ", "000000 ", 1),
            }
        }
        let parsed = parsers::allocator_state::parse(lines.join("\n").as_bytes()).0;
        let Some((state, _)) = KernelState::check(&parsed) else { return Ok(()) };
        let space = Augmented::from_kernel(&setup(policy), &state, Shape::default());
        prop_assert!(space.audit().is_ok(), "{:?}", space.audit());
    }

    /// Records of probes in any order: what was read is kept, nothing panics, and the replay stays sound.
    #[test]
    fn any_interleaving_of_probed_calls_is_survived(
        calls in prop::collection::vec((0_u8..9, 0_i32..3, 0_u16..2, 0_u64..12, 1_u64..4), 1..80),
    ) {
        let mut text = vec!["# tracer: nop".to_owned()];
        for (at, (what, pid, cpu, page, pages)) in calls.iter().enumerate() {
            let start = 0xffff_c900_0000_0000 + page * 4096;
            let (end, size) = (start + pages * 4096, pages * 4096);
            let range = format!("va_start={start:#x} va_end={end:#x}");
            let window = "vstart=0xffffc90000000000 vend=0xffffe8ffffffffff";
            let body = match what {
                0 | 1 => format!("a: (alloc_vmap_area+0x0/0x8) size={size} align=4096 {window}"),
                2 | 3 => format!("b: (x+0x1/0x2 <- alloc_vmap_area) va=0x1 {range}"),
                4 => "b: (x+0x1/0x2 <- alloc_vmap_area) va=0xfffffffffffffff0 va_start=(fault) va_end=(fault)".to_owned(),
                5 => format!("c: (free_vmap_area_noflush+0x0/0x8) {range}"),
                6 => "d: (__purge_vmap_area_lazy+0x0/0x8) start=0xffffffffffffffff end=0x0".to_owned(),
                7 => format!("e: (x+0x1/0x2 <- __purge_vmap_area_lazy) ret={}", page % 2),
                _ => "b: (x+0x1/0x2 <- alloc_vmap_area) va=0x1".to_owned(),
            };
            text.push(format!("  t-{pid} [{cpu:03}] .....  1.{at:06}: {body}"));
        }
        let mut log = Log::default();
        vmaplens::source::trace::read("trace", text.join("\n").as_bytes(), &mut log).expect("read from memory");
        prop_assert_eq!(log.events.len(), calls.len(), "nothing read is lost");
        prop_assert!(log.events.iter().zip(0_u64..).all(|(event, at)| event.at == Nanos(1_000_000_000 + at * 1000)));
        log.origin.kernel = Some("6.1".to_owned());
        let counts = log.counts();
        let requests = log.events.iter().filter(|event| matches!(event.kind, EventKind::Request { .. })).count();
        let answered = log.events.iter().filter(|event| matches!(event.kind, EventKind::Alloc { .. })).count();
        prop_assert!(answered <= requests, "an answer has a request");
        let Ok(mut replay) = Replay::open(Arc::new(log), &Settings::default()) else { return Ok(()) };
        while replay.step() {
            prop_assert!(replay.space().allocator().audit().is_ok());
        }
        let tally = replay.tally();
        prop_assert_eq!(tally.exact + tally.inferred + tally.adopted, tally.allocs);
        prop_assert!(tally.allocs <= counts.alloc);
    }
}

/// With one CPU online every older area was asked for on CPU 0, whatever its address: purged, it waits in the pool of CPU
/// 0's node and is given out again from there.
#[test]
fn an_older_area_of_a_machine_with_one_cpu_online_goes_to_its_pool() {
    let setup = Setup { cpus_online: 1, ..setup("linux-6.9") };
    let base = setup.window.vstart;
    // One area in each node's zone of 16 pages.
    let busy: Vec<vmaplens::model::Extent> =
        (0..3).filter_map(|zone| vmaplens::model::Extent::sized(base + zone * 0x10000, 0x2000)).collect();
    let mut space = Augmented::from_snapshot(&setup, &busy, &[], Shape::default());
    for extent in &busy {
        space.free(extent.start(), None).expect("in use");
    }
    space.purge(PurgeKind::Partial, HelperOrder::default(), None);
    let mut pooled = Vec::new();
    space.visit_pools(&mut |node, area| pooled.push((node, area.start)));
    pooled.sort_unstable();
    assert_eq!(pooled, busy.iter().map(|extent| (0, extent.start())).collect::<Vec<_>>());
}
