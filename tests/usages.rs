//! What areas are used for: what stacks, snapshots and requests say of one and the same area must agree.

#[path = "common/support.rs"]
mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use vmaplens::event::{EventKind, Seq};
use vmaplens::log::{BaselineState, Log, Stacks};
use vmaplens::model::{Provenance, Usage, UsageKind, Usages};
use vmaplens::replay::usages::{usages_by_requests, usages_of};
use vmaplens::replay::{Replay, Settings};
use vmaplens::source::{Input, Reading, open_log};

/// Traces with kernel stacks.
const WITH_STACKS: [&str; 2] = ["amd64-612-stack-smp1", "amd64-612-stacktrigger-smp2"];

fn with_stacks(name: &str) -> Replay {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let log = open_log(&Input::Path(path), &Reading::default()).expect(name);
    Replay::open(Arc::new(log), &Settings::default()).expect(name)
}

/// Records that allocate.
fn allocations(log: &Log) -> impl Iterator<Item = u32> {
    let allocates =
        |kind: &EventKind| matches!(kind, EventKind::Alloc { failed: false, .. } | EventKind::Unasked { .. });
    (0..log.events.len() as u32).filter(move |&record| allocates(&log.events.nth(record as usize).kind))
}

fn of_record(usages: &Usages, record: u32) -> Usage {
    usages.of_record(record).expect("every allocation has one")
}

/// How often an answer is right, and how often it is wrong.
type RightWrong = (u32, u32);

/// How often the requests alone give the kind that stacks and rows show: by provenance, right and wrong.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    derived: RightWrong,
    modelled: RightWrong,
}

/// Adds up a replay; the pairs are truth and answer.
fn score(replay: &Replay, wrong: &mut BTreeMap<(UsageKind, UsageKind), u32>) -> Score {
    let (log, plan) = (replay.log(), replay.plan());
    let told = usages_by_requests(log, plan);
    let mut score = Score::default();
    for record in allocations(log) {
        let truth = of_record(replay.usages(), record);
        if truth.kind_from != Provenance::Observed {
            continue;
        }
        let answer = of_record(&told, record);
        assert_ne!(answer.kind_from, Provenance::Observed, "a request alone observes nothing");
        let is_derived = answer.kind_from == Provenance::Derived;
        let counter = if is_derived { &mut score.derived } else { &mut score.modelled };
        if answer.kind == truth.kind {
            counter.0 += 1;
        } else {
            counter.1 += 1;
            *wrong.entry((truth.kind, answer.kind)).or_default() += 1;
        }
    }
    score
}

/// Capture, and how often derived and modelled kinds are right and wrong. What is derived is never wrong here; what is
/// only likely mostly misses `vmap`, which asks for the same as `vmalloc`.
const SCORES: &[(&str, RightWrong, RightWrong)] = &[
    ("amd64-510-kprobes-smp1", (4, 0), (0, 0)),
    ("amd64-61-kprobes-smp1", (6, 0), (0, 0)),
    ("amd64-612-boot-smp1", (68, 0), (17, 1)),
    ("amd64-612-boot-smp2", (80, 0), (18, 2)),
    ("amd64-612-exhaust-range", (59, 0), (17, 1)),
    ("amd64-612-first-steps", (62, 0), (17, 1)),
    ("amd64-612-parts-smp2", (73, 0), (18, 2)),
    ("amd64-612-snaptrace-smp1", (1, 0), (3, 0)),
    ("amd64-612-testvmalloc-smp4", (103, 0), (23, 4)),
    ("amd64-612-vmstress-10k", (103, 0), (34, 90)),
    ("amd64-72-boot-smp1", (65, 0), (17, 1)),
    ("amd64-72-boot-smp2", (77, 0), (19, 2)),
    ("arm64-612-boot-smp1", (60, 0), (17, 3)),
    ("i386-65-exhaust-smp1", (0, 0), (10, 1)),
];

#[test]
fn requests_alone_tell_what_snapshots_show() {
    let mut wrong = BTreeMap::new();
    let mut found = Vec::new();
    for (name, ..) in SCORES {
        let Score { derived, modelled } = score(&common::replay(name), &mut wrong);
        found.push((*name, derived, modelled));
    }
    assert_eq!(found, SCORES, "{wrong:?}");
}

/// A module that asks for areas of random sizes and kinds is what no rule is made for: twelve of its requests look like
/// something else.
#[test]
fn requests_alone_tell_what_stacks_show() {
    let mut wrong = BTreeMap::new();
    let found = WITH_STACKS.map(|name| score(&with_stacks(name), &mut wrong));
    let expected =
        [Score { derived: (194, 3), modelled: (316, 181) }, Score { derived: (355, 9), modelled: (354, 80) }];
    assert_eq!(found, expected, "{wrong:?}");
}

/// With stacks nothing is left to guess, and what the snapshot at the end says of the same areas is the same.
#[test]
fn stacks_and_snapshots_agree() {
    for name in WITH_STACKS {
        let mut replay = with_stacks(name);
        for record in allocations(replay.log()) {
            let usage = of_record(replay.usages(), record);
            assert_eq!(usage.kind_from, Provenance::Observed, "{name} {record}");
            assert!(replay.usages().caller_name(usage.caller).is_some(), "{name} {record}");
        }
        replay.seek(replay.len(), usize::MAX);
        let after = replay.log().after.clone().expect("a snapshot");
        let (mut compared, mut live) = (0, Vec::new());
        let allocator = replay.space().allocator();
        for node in 0..allocator.n_nodes() {
            allocator.visit_busy(node, &mut |area| live.push((area.start, area.end, area.born)));
        }
        // What the stacks alone say.
        let mut log = Log::clone(replay.log());
        (log.before, log.after) = (None, None);
        let by_stacks = usages_of(&log, replay.plan());
        for row in after.areas.iter().filter(|row| row.state == BaselineState::Busy) {
            let same = |&&(start, end, _): &&(u64, u64, u32)| (start, end) == (row.start, row.end);
            let Some(&(.., born)) = live.iter().find(same) else { continue };
            let Some(usage) = by_stacks.of_record(born) else { continue };
            let module = row.module.as_ref().map_or(String::new(), |module| format!(" [{module}]"));
            let caller = format!("{}{module}", row.caller);
            assert_eq!(by_stacks.caller_name(usage.caller), Some(caller.as_str()), "{name} {}", row.line);
            if row.pages > 0 {
                assert_eq!(usage.pages, row.pages, "{name} {}", row.line);
                assert!(usage.kind.owns_pages(), "{name} {}", row.line);
            }
            compared += 1;
        }
        assert!(compared > 4, "{name}: only {compared} areas are in both");
    }
}

/// Rows say how many pages there are: size less guard is as many.
#[test]
fn pages_are_those_of_the_rows() {
    for (name, ..) in SCORES {
        let replay = common::replay(name);
        let told = usages_by_requests(replay.log(), replay.plan());
        for record in allocations(replay.log()) {
            let truth = of_record(replay.usages(), record);
            if truth.pages_from == Provenance::Observed {
                assert_eq!(of_record(&told, record).pages, truth.pages, "{name} {record}");
            }
        }
    }
}

#[test]
fn traces_without_stacks_hold_none() {
    let log = common::capture("amd64-612-first-steps");
    assert!(log.stacks.is_empty());
    assert_eq!(log.stacks.heap_bytes(), 0);
}

/// Areas older than the trace, and those no record announces, are known by their rows or by what announced them.
#[test]
fn areas_without_a_record_are_known_too() {
    let mut replay = common::replay("amd64-612-boot-smp1");
    replay.seek(replay.len(), usize::MAX);
    let kinds: Vec<UsageKind> = replay.usages().older().map(|(_, usage)| usage.kind).collect();
    assert_eq!(kinds, [UsageKind::PerCpu]);
    let kernel: Vec<UsageKind> = {
        let replay = common::replay("arm64-612-boot-smp1");
        replay.usages().older().map(|(_, usage)| usage.kind).filter(|kind| *kind == UsageKind::Early).collect()
    };
    assert_eq!(kernel.len(), 5, "the segments of the kernel");
}

/// A trace cut out of one with stacks, with each of its bytes changed in turn.
#[test]
fn damaged_stacks_are_survived() {
    let text = "\
          vmwork-186     [000] .....     9.921225: alloc_vmap_area: va_start: 18446688489322708992 size=20480 \
                align=16384 vstart=0xffffcd7240000000 vend=0xffffed723fffffff failed=0
          vmwork-186     [000] .....     9.922690: <stack trace>
 => trace_event_raw_event_alloc_vmap_area
 => alloc_vmap_area+0x3b3/0xc20 <ffffffff981a5993>
 => __vmalloc_node_range_noprof
 => copy_process
 => kernel_clone [m]
";
    let read = |text: Vec<u8>| {
        let dir = std::env::temp_dir().join(format!("vmaplens-usages-{}", std::process::id()));
        std::fs::write(&dir, text).expect("written");
        let log = open_log(&Input::Path(dir.clone()), &Reading::default());
        std::fs::remove_file(dir).expect("removed");
        log
    };
    let whole = read(text.as_bytes().to_vec()).expect("a trace");
    let replay = Replay::open(Arc::new(whole), &Settings::default()).expect("a trace");
    let usage = of_record(replay.usages(), 0);
    assert_eq!((usage.kind, usage.pages), (UsageKind::Vmalloc, 4));
    assert_eq!(replay.usages().caller_name(usage.caller), Some("kernel_clone [m]"));
    let mut dice = common::Dice(4);
    for at in 0..text.len() {
        let mut damaged = text.as_bytes().to_vec();
        damaged[at] = dice.roll(256) as u8;
        let Ok(log) = read(damaged) else { continue };
        let Ok(replay) = Replay::open(Arc::new(log), &Settings::default()) else { continue };
        for record in allocations(replay.log()) {
            let usage = of_record(replay.usages(), record);
            let name = replay.usages().caller_name(usage.caller).unwrap_or_default();
            assert!(!name.contains(|c: char| c.is_control()), "{name:?}");
        }
    }
}

fn symbol() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"alloc_vmap_area".to_vec()),
        Just(b"__vmalloc_node_range_noprof".to_vec()),
        Just(b"vm_map_ram".to_vec()),
        Just(b"ioremap.part.0".to_vec()),
        prop::collection::vec(any::<u8>(), 0..20),
    ]
}

proptest! {
    /// Whatever stands in a stack: it is kept as it is, and names are safe to show.
    #[test]
    fn any_stack_is_survived(symbols in prop::collection::vec(symbol(), 0..40), size in any::<u64>(), align in any::<u64>()) {
        let mut log = Log::default();
        let task = log.names.add_task(b"t", 1);
        let window = log.names.add_window(vmaplens::log::Window { vstart: 0xffff_c900_0000_0000, vend: 0xffff_e8ff_ffff_ffff });
        let addr = vmaplens::event::Addr(0xffff_c900_0000_0000);
        let kind = EventKind::Alloc { addr, size, align, window, failed: false };
        log.events.push(vmaplens::event::Event { at: vmaplens::event::Nanos(0), line: 1, task, cpu: 0, kind });
        let kept: Vec<Vec<u8>> = symbols.clone();
        let frames: Vec<_> = kept.iter().map(|symbol| parsers::record::Frame {
            symbol, offset: None, length: None, module: None, address: None,
        }).collect();
        log.stacks = Stacks::default();
        log.stacks.note(Seq(0), &frames);
        let id = log.stacks.of(Seq(0)).expect("noted");
        let back: Vec<Vec<u8>> = log.stacks.frames(id).map(|frame| frame.symbol.to_vec()).collect();
        prop_assert_eq!(back, kept);
        let replay = Replay::open(Arc::new(log), &Settings::default()).expect("an event");
        let usages = replay.usages();
        let usage = of_record(usages, 0);
        let name = usages.caller_name(usage.caller).unwrap_or_default();
        prop_assert!(!name.contains(|c: char| c.is_control()));
        prop_assert!(usage.pages <= size / 4096);
    }
}
