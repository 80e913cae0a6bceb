//! Nonsense is survived: whatever the records say, the replay neither panics nor loses track of its own state.

use std::sync::Arc;

use proptest::prelude::*;
use vmaplens::event::{Addr, Event, EventKind, Nanos, TaskId};
use vmaplens::log::{KernelState, Log, Window};
use vmaplens::replay::{Replay, Settings};

const BASE: u64 = 0xffff_c900_0000_0000;

/// One of each way to work.
const KERNELS: [&str; 11] =
    ["2.4", "2.6.11", "2.6.24", "2.6.28", "2.6.32", "3.10", "4.19", "5.10", "6.5", "6.12", "7.2"];
/// So many of them keep no holes: what they hold is sound whatever was forced into it.
const WITHOUT_HOLES: usize = 7;

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => (0_u64..64).prop_map(|page| BASE + page * 4096),
        1 => Just(0),
        1 => Just(u64::MAX - 4095),
        1 => any::<u64>(),
    ]
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![8 => (1_u64..9).prop_map(|pages| pages * 4096), 1 => Just(0), 1 => Just(u64::MAX), 1 => any::<u64>()]
}

fn kind(log: &mut Log) -> impl Strategy<Value = EventKind> + use<> {
    let whole = log.names.add_window(Window { vstart: BASE, vend: 0xffff_e8ff_ffff_ffff });
    let odd = log.names.add_window(Window { vstart: 9, vend: 3 });
    let window = prop_oneof![9 => Just(whole), 1 => Just(odd)];
    let align = prop_oneof![6 => Just(1_u64), 3 => (12_u32..63).prop_map(|shift| 1 << shift), 1 => any::<u64>()];
    prop_oneof![
        6 => (address(), size(), align, window, prop::bool::weighted(0.1)).prop_map(
            |(addr, size, align, window, failed)| EventKind::Alloc { addr: Addr(addr), size, align, window, failed }
        ),
        5 => (address(), any::<u64>()).prop_map(
            |(addr, nr_lazy)| EventKind::Free { addr: Addr(addr), nr_lazy, nr_lazy_max: 8192 }
        ),
        2 => (address(), address(), any::<u32>()).prop_map(
            |(start, end, num_purged)| EventKind::Purge { start: Addr(start), end: Addr(end), num_purged }
        ),
        1 => Just(EventKind::Lost { count: 7 }),
    ]
}

/// A request of 0 bytes behind a record that two states disagree about: neither of them may search for it.
#[test]
fn a_record_of_nothing_is_survived_by_either_way_to_go_on() {
    for kernel in KERNELS {
        let mut log = Log::default();
        log.origin.kernel = Some(kernel.to_owned());
        let window = log.names.add_window(Window { vstart: BASE, vend: 0xffff_e8ff_ffff_ffff });
        for (line, (page, size)) in (0..).zip([(0, 4096), (5, 4096), (0, 0)]) {
            let addr = Addr(BASE + page * 4096);
            let kind = EventKind::Alloc { addr, size, align: 1, window, failed: false };
            log.events.push(Event { at: Nanos(0), line, task: TaskId(0), cpu: 0, kind });
        }
        let replay = Replay::open(Arc::new(log), &Settings::default()).expect(kernel);
        assert_eq!(replay.plan().tally(3).adopted, 2, "{kernel}");
    }
}

/// Kernels whose traces of several CPUs are followed in several states.
const SEVERAL: [&str; 3] = ["6.5", "6.12", "7.2"];

/// Records that could be: few addresses, sizes up to more than the limit of lazy pages, counters that now and then fit.
fn likely(log: &mut Log) -> impl Strategy<Value = EventKind> + use<> {
    let whole = log.names.add_window(Window { vstart: BASE, vend: 0xffff_e8ff_ffff_ffff });
    let low = log.names.add_window(Window { vstart: BASE + 0x3000, vend: BASE + 0x20000 });
    let window = prop_oneof![9 => Just(whole), 1 => Just(low)];
    let address = || (0_u64..24).prop_map(|page| BASE + page * 4096);
    let size = prop_oneof![9 => (1_u64..4).prop_map(|pages| pages << 12), 1 => (14_u32..30).prop_map(|bits| 1 << bits)];
    let align = prop_oneof![3 => Just(1_u64), 1 => Just(1 << 14)];
    let nr_lazy = prop_oneof![9 => 0_u64..12, 1 => 0_u64..200_000];
    prop_oneof![
        6 => (address(), size, align, window, prop::bool::weighted(0.05)).prop_map(
            |(addr, size, align, window, failed)| EventKind::Alloc { addr: Addr(addr), size, align, window, failed }
        ),
        5 => (address(), nr_lazy).prop_map(
            |(addr, nr_lazy)| EventKind::Free { addr: Addr(addr), nr_lazy, nr_lazy_max: 16384 }
        ),
        1 => (address(), address(), 0_u32..9).prop_map(
            |(start, end, num_purged)| EventKind::Purge { start: Addr(start), end: Addr(end), num_purged }
        ),
    ]
}

/// What probes would have written in its place.
fn by_probe(kind: EventKind) -> EventKind {
    match kind {
        EventKind::Alloc { size, align, window, failed: true, .. } => EventKind::Request { size, align, window },
        EventKind::Free { addr, nr_lazy, .. } => {
            EventKind::FreeProbe { addr, end: Addr(addr.0 + (nr_lazy % 4) * 4096) }
        }
        EventKind::Purge { start, end, num_purged: 0..3 } => EventKind::PurgeEntry { start, end },
        EventKind::Purge { num_purged, .. } => {
            EventKind::PurgeReturn { purged: [None, Some(true), Some(false)][num_purged as usize % 3] }
        }
        kind => kind,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_records_of_several_cpus_are_survived(
        kinds in prop::collection::vec((likely(&mut Log::default()), 0_u16..8, 0_usize..6), 1..160),
        nonsense in prop::collection::vec((kind(&mut Log::default()), any::<prop::sample::Index>()), 0..4),
        (kernel, is_probed) in prop_oneof![
            3 => prop::sample::select(&SEVERAL[..]).prop_map(|kernel| (kernel, false)),
            2 => prop::sample::select(&["5.10", "6.1"][..]).prop_map(|kernel| (kernel, true)),
        ],
        n_cpus in 2_u32..9,
        is_late in any::<bool>(),
    ) {
        let mut log = Log::default();
        let _ = (kind(&mut log), likely(&mut log));
        let names: [(&[u8], i32); 6] = [
            (b"kworker/0:1", 11), (b"kworker/u9:2", 12), (b"insmod", 3), (b"a", 4), (b"a", 5), (b"b", 5),
        ];
        let tasks = names.map(|(comm, pid)| log.names.add_task(comm, pid));
        log.origin.kernel = Some(kernel.to_owned());
        log.origin.from_boot = Some(!is_late);
        (log.origin.cpus_online, log.origin.cpus_possible) = (Some(n_cpus), Some(n_cpus));
        if is_late {
            let at = |page: u64| BASE + page * 4096;
            let holes = vec![(1, at(0)), (at(8), at(16)), (at(20), at(21)), (at(30), u64::MAX)];
            let busy = vec![(at(0), at(8)), (at(16), at(20)), (at(21), at(30))];
            log.state_before = Some(KernelState { holes, busy, ..KernelState::default() });
        }
        for (index, (kind, cpu, task)) in kinds.into_iter().enumerate() {
            let (at, line) = (Nanos(index as u64), index as u32);
            let kind = if is_probed { by_probe(kind) } else { kind };
            log.events.push(Event { at, line, task: tasks[task], cpu: cpu % n_cpus as u16, kind });
        }
        for (kind, at) in nonsense {
            // What stands for lost records is another way to be resolved.
            if !matches!(kind, EventKind::Lost { .. }) {
                log.events.update(at.index(log.events.len()), |event| event.kind = kind);
            }
        }
        let n = log.events.len();
        let Ok(mut replay) = Replay::open(Arc::new(log), &Settings::default()) else { return Ok(()) };
        let tally = replay.plan().tally(n);
        prop_assert_eq!(tally.exact + tally.inferred + tally.adopted, tally.allocs);
        let mut space = replay.start().clone();
        for op in replay.plan().ops(replay.log()) {
            space.apply(&op, None);
        }
        replay.seek(n, usize::MAX);
        prop_assert_eq!(replay.space().digest(), space.digest());
        replay.seek(n / 2, usize::MAX);
        while replay.step() {}
        prop_assert_eq!(replay.space().digest(), space.digest());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_records_are_survived(
        kinds in prop::collection::vec((kind(&mut Log::default()), 0_u16..4), 1..120),
        kernel in prop::sample::select(&KERNELS[..]),
        is_late in any::<bool>(),
    ) {
        let mut log = Log::default();
        if is_late {
            // One CPU and a tree of unknown shape: every shape is asked everything.
            let at = |page: u64| BASE + page * 4096;
            let holes = vec![(1, at(0)), (at(8), at(16)), (at(20), at(21)), (at(30), u64::MAX)];
            let busy = vec![(at(0), at(8)), (at(16), at(20)), (at(21), at(30))];
            log.state_before = Some(KernelState { holes, busy, ..KernelState::default() });
            log.origin.cpus_online = Some(1);
            log.origin.from_boot = Some(false);
        }
        let _ = kind(&mut log);
        let task = log.names.add_task(b"evil\n\x1b[2J", 1);
        log.origin.kernel = Some(kernel.to_owned());
        for (index, (kind, cpu)) in kinds.into_iter().enumerate() {
            let task = if index % 5 == 0 { TaskId(u32::MAX) } else { task };
            log.events.push(Event { at: Nanos(index as u64), line: index as u32, task, cpu, kind });
        }
        let n = log.events.len();
        // A range that holds no recorded address is refused; that is an answer too.
        let Ok(mut replay) = Replay::open(Arc::new(log), &Settings::default()) else { return Ok(()) };
        replay.usages();
        let tally = replay.plan().tally(n);
        prop_assert_eq!(tally.exact + tally.inferred + tally.adopted, tally.allocs);
        replay.seek(n, usize::MAX);
        if KERNELS[..WITHOUT_HOLES].contains(&kernel) {
            prop_assert_eq!(replay.space().allocator().audit(), Ok(()));
        }
        let last = replay.space().digest();
        replay.seek(n / 2, usize::MAX);
        while replay.step() {}
        prop_assert_eq!(replay.space().digest(), last);
    }
}
