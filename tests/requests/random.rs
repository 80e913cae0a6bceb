//! Random requests, with faults: whatever is asked, the books balance, and what was asked for can be given back.

use proptest::prelude::*;
use vmaplens::model::memory::Backed;
use vmaplens::model::{Extent, Memory, UsageKind};
use vmaplens::replay::Settings;
use vmaplens::replay::script::{Done, ScriptRun};

use super::{balance, replay, script};

/// Releases that differ in what they do with requests.
pub(crate) const ERAS: [&str; 17] = [
    "2.4.22", "2.4.27", "2.6.11", "2.6.24", "2.6.28", "2.6.32", "2.6.39", "3.10", "4.19", "5.2", "5.10", "5.15", "6.1",
    "6.4", "6.12", "6.19", "7.3",
];
/// Architectures and their ranges.
pub(crate) const MACHINES: [(&str, &str); 13] = [
    ("x86-64", "0xffffc90000000000 0xffffe8ffffffffff"),
    ("x86-64-la57", "0xffa0000000000000 0xffd1ffffffffffff"),
    ("i386", "0xf8800000 0xfdffe000"),
    ("i386-pae", "0xf8800000 0xfdffe000"),
    ("arm", "0xf0000000 0xff800000"),
    ("arm-lpae", "0xf0000000 0xff800000"),
    ("arm64", "0xffff800080000000 0xfffffdffbf800000"),
    ("arm64-4k-39", "0xffffffc080000000 0xfffffffebf800000"),
    ("arm64-16k-47", "0xffffc00080000000 0xfffffbffff000000"),
    ("arm64-64k-48", "0xffff800080000000 0xfffffdffbf800000"),
    ("riscv-sv39", "0xffffffc600000000 0xffffffd600000000"),
    ("riscv-sv48", "0xffff8f8000000000 0xffffaf8000000000"),
    ("riscv-sv57", "0xff20000000000000 0xff60000000000000"),
];

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => 1_u64..0x1_0000,
        3 => (1_u64..700).prop_map(|pages| pages * 4096),
        2 => (0_u64..8).prop_map(|n| 0x1f_f000 + n * 0x1000),
        1 => (1_u64..10).prop_map(|n| n << 21),
        1 => Just(0x3000_0000),
    ]
}

fn words() -> impl Strategy<Value = String> {
    let fail = prop_oneof![
        8 => Just(String::new()),
        1 => Just(" fail=array".to_owned()),
        1 => Just(" fail=descriptor".to_owned()),
        1 => (0_u32..600).prop_map(|n| format!(" fail=pages:{n}")),
        1 => (0_u32..4).prop_map(|n| format!(" fail=tables:{n}")),
    ];
    let more = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        " align=0x10000",
        " align=0x200000",
        " gfp=dma",
        " gfp=atomic",
        " flags=0x40",
        " flags=0x400",
        " flags=0x100",
        " node=0",
    ]);
    (fail, more, 0_u32..3).prop_map(|(fail, more, cpu)| format!("{fail}{more} cpu={cpu}"))
}

fn op() -> impl Strategy<Value = String> {
    let id = || 0_u64..12;
    let call = prop::sample::select(vec![
        "vmalloc",
        "vmalloc",
        "vmalloc",
        "vmalloc_huge",
        "vmalloc_user",
        "vmalloc_32",
        "vzalloc",
    ]);
    let free = prop::sample::select(vec!["vfree", "vfree", "vfree", "vunmap", "iounmap", "vfree_atomic"]);
    let tail = prop::sample::select(vec!["", "", "", " irq", " irq cpu=1", " cpu=2"]);
    let rest =
        prop::sample::select(vec!["deferred", "deferred 1", "aliases", "purge", "work", "shrink", "memory", "lazy"]);
    prop_oneof![
        8 => (call, id(), size(), words()).prop_map(|(call, id, size, words)| format!("{call} {id} {size}{words}")),
        2 => (id(), 0_u64..700, words()).prop_map(|(id, pages, words)| format!("vmap {id} {pages}{words}")),
        3 => (id(), 0_u64..80, words()).prop_map(|(id, pages, words)| format!("map_ram {id} {pages}{words}")),
        2 => (id(), 0_u64..0x1000, size(), words()).prop_map(|(id, page, size, words)| format!("ioremap {id} {} {size}{words}", 0x8000_0000 + page * 0x1f0)),
        1 => id().prop_map(|id| format!("pcpu {id} 0:0x10000 0x100000:0x20000 align=0x10000")),
        8 => (free, id(), tail).prop_map(|(call, id, tail)| format!("{call} {id}{tail}")),
        1 => (id(), 0_u64..4).prop_map(|(id, page)| format!("vfree {id}+{}", page * 0x1000)),
        3 => id().prop_map(|id| format!("unmap_ram {id}")),
        1 => (id(), size()).prop_map(|(id, size)| format!("a {id} {}", size.next_multiple_of(0x1_0000))),
        1 => id().prop_map(|id| format!("f {id}")),
        3 => rest.prop_map(str::to_owned),
    ]
}

/// No entry is set but those of areas in use, and of those no entry behind what is mapped.
fn no_stray_entry(run: &ScriptRun) -> Result<(), String> {
    let Some(memory) = run.space().memory() else { return Ok(()) };
    let mut taken: Vec<Extent> = memory.waiting().to_vec();
    let page_size = memory.arch().geometry.page_size;
    for backed in memory.each_backed() {
        taken.push(backed.extent);
        let is_block = backed.usage.kind == UsageKind::VmapBlock;
        let mapped_to = backed.extent.start() + backed.mapped_pages * page_size;
        let behind = Extent::new(mapped_to, backed.extent.end()).filter(|_| !is_block);
        if behind.is_some_and(|behind| memory.tables().maps_any(behind)) {
            return Err(format!("an entry behind the {} pages of {backed:?}", backed.mapped_pages));
        }
        let block = memory.blocks().holding(backed.extent.start());
        if block.is_some() != is_block {
            return Err(format!("a block without its area: {block:?} {backed:?}"));
        }
    }
    taken.sort_unstable();
    let bits = memory.arch().geometry.levels.first().map_or(64, |top| top.shift + top.entries.trailing_zeros());
    let base = if bits < 64 { run.machine().window.vstart >> bits << bits } else { 0 };
    let mut at = base.max(page_size);
    for extent in taken {
        if Extent::new(at, extent.start()).is_some_and(|gap| memory.tables().maps_any(gap)) {
            return Err(format!("an entry below {extent:?}, which is nobody's"));
        }
        at = at.max(extent.end());
    }
    Ok(())
}

/// Each area in use has one record, and each record an area.
fn areas_are_backed(run: &ScriptRun) -> Result<(), String> {
    let Some(memory) = run.space().memory() else { return Ok(()) };
    let mut busy = Vec::new();
    for node in 0..run.allocator().n_nodes() {
        run.allocator().visit_busy(node, &mut |area| busy.push((area.start, area.end)));
    }
    let mut backed: Vec<_> = memory.each_backed().map(|backed| (backed.extent.start(), backed.extent.end())).collect();
    busy.sort_unstable();
    backed.sort_unstable();
    if busy == backed { Ok(()) } else { Err(format!("areas {busy:x?}\nrecords {backed:x?}")) }
}

fn everything(run: &ScriptRun) -> Result<(), String> {
    balance(run)?;
    areas_are_backed(run)?;
    let has_lost = run.space().memory().is_some_and(|memory| memory.lost_pages() > 0);
    if has_lost { Ok(()) } else { no_stray_entry(run) }
}

/// Gives everything back.
fn give_back(run: &mut ScriptRun) {
    let ask = |run: &mut ScriptRun, text: &str| {
        let script = script(text);
        let mut done = Done::default();
        script.ops.iter().for_each(|line| run.run(&line.op, 0, &mut done));
    };
    for id in 0..12 {
        ask(run, &format!("unmap_ram {id}\nvfree {id}\n"));
    }
    ask(run, "deferred 0\ndeferred 1\ndeferred 2\n");
    loop {
        let memory = run.space().memory().expect("memory");
        let left = |backed: &&Backed| !matches!(backed.usage.kind, UsageKind::VmapBlock | UsageKind::VmMapRam);
        let Some(start) = memory.each_backed().filter(left).map(|backed| backed.extent.start()).min() else { break };
        ask(run, &format!("vfree @{start:#x}\n"));
        let is_gone = run.space().memory().is_some_and(|memory| memory.backed(start).is_none());
        assert!(is_gone, "{start:x} cannot be freed");
    }
    ask(run, "deferred 0\naliases\npurge\nshrink\npurge\n");
}

fn nothing_is_left(memory: &Memory) -> Result<(), String> {
    let blocks = memory.blocks().iter().count();
    for backed in memory.each_backed() {
        if backed.usage.kind != UsageKind::VmapBlock {
            return Err(format!("left: {backed:?}"));
        }
    }
    let used: u32 = memory.blocks().iter().map(vmaplens::model::memory::Block::used).sum();
    if used != 0 || memory.each_backed().count() != blocks {
        return Err(format!("{used} pages of blocks in use"));
    }
    let leaves = memory.tables().leaves().total();
    if leaves != 0 && memory.lost_pages() == 0 {
        return Err(format!("{leaves} entries are set"));
    }
    if !memory.deferred().is_empty() || !memory.waiting().is_empty() {
        return Err("something waits".to_owned());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance(
        era in prop::sample::select(ERAS.to_vec()),
        machine in prop::sample::select(MACHINES.to_vec()),
        header in prop::sample::select(vec!["ram 0x40000000", "ram 0x2000000", "ram 0x400000\ncpus 1", "cpus 1\nram 0x8000000\nnuma 2", "autowork 1\nram 0x8000000"]),
        ops in prop::collection::vec(op(), 1..70),
    ) {
        let (arch, range) = machine;
        let text = format!("era {era}\narch {arch}\nrange {range}\n{header}\n{}\n", ops.join("\n"));
        let script = script(&text);
        let mut run = ScriptRun::new(&script, &Settings::default()).expect("runs");
        let mut done = Done::default();
        let mut states = Vec::new();
        let state = |run: &ScriptRun| {
            let memory = run.space().memory();
            let figures = memory.map(|memory| (memory.used_pages(), memory.tables().leaves(), memory.flushes(), memory.each_backed().count()));
            (run.space().digest(), figures)
        };
        for (index, line) in script.ops.iter().enumerate() {
            let mut answer = String::new();
            run.print(&line.op, index as u32, &mut done, &mut answer);
            prop_assert_eq!(answer.lines().count(), 1, "{}", &text);
            let found = everything(&run);
            prop_assert!(found.is_ok(), "op {} ({}): {}\n{text}", index + 1, ops[index], found.unwrap_err());
            if run.space().memory().is_some() {
                states.push((state(&run), answer));
            }
        }
        if run.space().memory().is_some() {
            let mut stepped = replay(&text);
            prop_assert_eq!(stepped.len(), states.len());
            let seen = |stepped: &vmaplens::replay::Replay| {
                let memory = stepped.space().memory().expect("memory");
                (stepped.space().digest(), Some((memory.used_pages(), memory.tables().leaves(), memory.flushes(), memory.each_backed().count())))
            };
            let there: Vec<usize> = (1..=states.len()).collect();
            let back = there.iter().rev().step_by(3).chain(there.iter().step_by(5));
            for &at in there.iter().chain(back) {
                stepped.seek(at, usize::MAX);
                prop_assert_eq!(seen(&stepped), states[at - 1].0, "op {}\n{}", at, &text);
                let answer = stepped.answer_in_full();
                prop_assert_eq!(answer.as_ref(), Some(&states[at - 1].1), "op {}\n{}", at, &text);
            }
            give_back(&mut run);
            let left = everything(&run).and_then(|()| nothing_is_left(run.space().memory().expect("memory")));
            prop_assert!(left.is_ok(), "{}\n{text}", left.unwrap_err());
        }
    }
}
