//! The store says what a plain list of lists says.

use proptest::prelude::*;

use super::*;
use crate::event::{Addr, Nanos, TaskId};
use crate::log::Window;

const START: u64 = 0xffff_c900_0000_0000;

/// A log of records of all the kinds that operations follow from.
fn log(kinds: &[u8]) -> Log {
    let mut log = Log::default();
    let window = log.names.add_window(Window { vstart: START, vend: START + (1 << 40) });
    for (index, kind) in kinds.iter().enumerate() {
        let addr = Addr(START + ((index as u64) << 14));
        let kind = match kind % 7 {
            0 | 1 => EventKind::Alloc { addr, size: 0x2000, align: 1, window, failed: kind % 2 == 1 },
            2 => EventKind::Free { addr, nr_lazy: 2, nr_lazy_max: 8192 },
            3 => EventKind::Purge { start: addr, end: Addr(addr.0 + 4096), num_purged: 1 },
            4 => EventKind::Unasked { addr, end: Addr(addr.0 + 8192) },
            5 => EventKind::NodeDecay { node: 3, full: None },
            _ => EventKind::FreeProbe { addr, end: addr },
        };
        log.events.push(Event { at: Nanos(0), line: 0, task: TaskId(0), cpu: index as u16 % 3, kind });
    }
    log
}

/// What could have been done at a record, likely and unlikely.
fn op(log: &Log, index: usize, choice: u8) -> Op {
    let event = log.events.nth(index);
    let addr = START + ((index as u64) << 14);
    let born = index as u32;
    let request = Request {
        size: 0x2000,
        align: 1,
        window: log.names.windows()[0],
        cpu: u32::from(event.cpu),
        first_attempt: choice.is_multiple_of(2),
    };
    let extent = Extent::sized(addr, 0x2000).expect("an extent");
    match choice % 16 {
        0 | 1 => Op::Alloc { request, born },
        2 => Op::Alloc { request: Request { cpu: 7, ..request }, born },
        3 => Op::Alloc { request, born: born + 1 },
        4 | 5 => Op::Free { addr },
        6 => Op::Free { addr: addr + 4096 },
        7 => Op::Adopt { extent, owner: Owner::Nobody, born },
        8 => Op::Adopt { extent, owner: Owner::Node(u32::from(event.cpu) % 2), born },
        9 => Op::Adopt { extent, owner: Owner::Node(9), born: u32::MAX },
        10 => purge_op(PurgeKind::Partial),
        11 => purge_op(PurgeKind::Full),
        12 => Op::Purge { kind: PurgeKind::Full, helpers: HelperOrder::default(), unqueues: false },
        13 => Op::PurgePart(PurgePart::Decay { node: 3, full: choice % 32 == 13 }),
        14 => Op::Shrink,
        _ => Op::Chunk { size: 1 << 21, align: 1 << 21 },
    }
}

fn check(ops: &Ops, log: &Log, plain: &[Vec<Op>]) {
    assert_eq!(ops.len(), plain.len());
    for (index, wanted) in plain.iter().enumerate() {
        assert_eq!(&ops.of(log, index).collect::<Vec<_>>(), wanted, "record {index}");
    }
    assert_eq!(ops.of(log, plain.len()).len(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_record_keeps_its_operations(
        kinds in prop::collection::vec(any::<u8>(), 1..60),
        choices in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 60),
        changes in prop::collection::vec((0_usize..60, prop::collection::vec(any::<u8>(), 0..4)), 0..20),
        cut in 0_usize..60,
    ) {
        let log = log(&kinds);
        let made = |index: usize, choices: &[u8]| -> Vec<Op> {
            choices.iter().map(|&choice| op(&log, index, choice)).collect()
        };
        let (mut ops, mut plain) = (Ops::new(2, kinds.len()), Vec::new());
        for (index, choices) in choices.iter().enumerate().take(kinds.len()) {
            let list = made(index, choices);
            ops.push(&log, &list);
            plain.push(list);
        }
        check(&ops, &log, &plain);
        for (index, choices) in changes.into_iter().filter(|(index, _)| *index < kinds.len()) {
            let list = made(index, &choices);
            ops.set(&log, index, &list);
            plain[index] = list;
        }
        check(&ops, &log, &plain);
        ops.truncate(cut);
        plain.truncate(cut);
        check(&ops, &log, &plain);
    }
}

#[test]
fn what_the_records_say_needs_no_list() {
    let log = log(&[0, 2, 3, 4, 5, 6, 1]);
    let mut ops = Ops::new(2, 7);
    let choices: [u8; 7] = [0, 4, 10, 7, 13, 4, 1];
    for (index, choice) in choices.into_iter().enumerate() {
        ops.push(&log, &[op(&log, index, choice)]);
    }
    assert_eq!((ops.list.len(), ops.len()), (0, 7));
}
