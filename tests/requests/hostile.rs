//! Requests nobody would make: one clear answer each, no panic, no endless loop, and nothing lost on the way.

use std::time::{Duration, Instant};

use super::random::{ERAS, MACHINES};
use super::{I386, X86, audit, check, lines, run, v};

/// Sizes at the borders of words, pages and machines.
const SIZES: [u64; 14] = [
    0,
    1,
    0xfff,
    0x1000,
    0x7fff_ffff,
    0xffff_f000,
    0xffff_f001,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_0000_0001,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_efff,
    0xffff_ffff_ffff_f001,
    u64::MAX,
];

/// Every call of every release on every architecture with every size.
#[test]
fn every_era_on_every_machine() {
    let begun = Instant::now();
    let rams = ["1", "0x40000000", "0x4000000000000"];
    for (at, era) in ERAS.into_iter().enumerate() {
        for (machine, (arch, range)) in MACHINES.into_iter().enumerate() {
            for ram in [rams[(at + machine) % 3], rams[(at + machine + 1) % 3]] {
                let mut text = format!("era {era}\narch {arch}\nrange {range}\nram {ram}\ninit\n");
                let mut id = 0_u64;
                let mut add = |op: String| {
                    text += &op.replace('$', &id.to_string());
                    text.push('\n');
                    id += 1;
                };
                for size in SIZES {
                    for call in ["vmalloc", "vmalloc_huge", "vmalloc_user", "vmalloc_dma", "__vmalloc_node_range"] {
                        add(format!("{call} $ {size}"));
                    }
                    add(format!("vmalloc $ {size} align=0x8000000000000000"));
                    add(format!("vmalloc $ {size} flags=0xffffffff"));
                    add(format!("vmalloc $ {size} range=0-0xffffffffffffffff"));
                    add(format!("vmalloc $ 4096 range={}-{}", size.min(u64::MAX - 1), size.saturating_add(1)));
                    add(format!("vmap $ {size}"));
                    add(format!("map_ram $ {size}"));
                    add(format!("ioremap $ {size} {size}"));
                    add(format!("ioremap $ 0xfffffffffffff000 {size}"));
                    add(format!("ioremap $ 0xfed00001 {size}"));
                    add(format!("pcpu $ {}:{}", size & !0xfff, size & !0xffff));
                    add(format!("pcpu $ 0:0x10000 align={}", size.checked_next_power_of_two().unwrap_or(1 << 63)));
                    add(format!("contrast {size}"));
                    for free in ["vfree", "vunmap", "iounmap", "vfree_atomic"] {
                        add(format!("{free} @{size}"));
                    }
                    add(format!("vfree @{size} irq cpu=4294967295"));
                }
                text += "cost 0\nmemory\ndeferred\ndeferred 4294967295\naliases\npurge\nwork\nshrink\ncheck\nunmap_ram 9999\ncost 9999\n";
                let (run, answers) = run(&text);
                for answer in &answers {
                    assert!(!answer.is_empty() && !answer.contains('\n'), "{era} {arch} {ram}: {answer:?}");
                }
                audit(&run);
            }
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
}

#[test]
fn an_id_names_one_thing_at_a_time() {
    check(
        &format!("era 6.12\n{X86}"),
        &[
            ("vmalloc 1 4096", &v(0)),
            ("vmalloc 1 8192", &format!("taken {}", v(0))),
            ("map_ram 1 4", &format!("taken {}", v(0))),
            ("ioremap 1 0xfed00000 4096", &format!("taken {}", v(0))),
            ("a 1 4096", &format!("taken {}", v(0))),
            ("lazy", "lazy 0 0"),
            // Freed by its address, the id is free as well, and does not name what comes to lie there.
            ("vfree @0xffffc90000000000", "."),
            ("vfree 1", "-"),
            ("purge", &format!("purge T{}-{}", v(0), v(0x2000))),
            ("vmalloc 2 4096", &v(0)),
            ("vfree 1", "-"),
            ("vmalloc 1 4096", &v(0x2000)),
            ("map_ram 3 4", &v(0x40_0000)),
            ("f 3", "-"),
            ("vfree 3", &format!("nonexistent {}", v(0x40_0000))),
            ("vfree 3 irq", "deferred"),
            ("map_ram 3 4", &format!("taken {}", v(0x40_0000))),
            ("unmap_ram 3", "."),
            ("map_ram 3 4", &v(0x40_4000)),
            ("deferred", &format!("deferred 1 nonexistent {}", v(0x40_0000))),
            ("vfree 77", "-"),
            ("unmap_ram 77", "-"),
            ("cost 77", "cost -"),
        ],
    );
}

#[test]
fn what_the_release_does_not_know() {
    check(
        &format!("era 2.4.22\n{I386}"),
        &[
            ("vzalloc 1 4096", "nosuch"),
            ("vmalloc_huge 1 4096", "nosuch"),
            ("vmalloc_user 1 4096", "nosuch"),
            ("map_ram 1 4", "nosuch"),
            ("pcpu 1 0:4096", "nosuch"),
            ("vfree_atomic @0xf8800000", "nosuch"),
            ("vmalloc 1 4096 flags=VM_MAP", "noflag VM_MAP"),
            ("vmap 1 4 flags=VM_ALLOC|NONE", "noflag NONE"),
            ("vmalloc_dma 1 4096", "f8800000"),
            ("vmalloc_dma 2 0x2000000", "NULL"),
        ],
    );
    check(&format!("era 2.6.11\n{I386}"), &[("vmalloc_dma 1 4096", "nosuch"), ("pcpu 1 0:4096", "nosuch")]);
    check(
        &format!("era 6.12\n{X86}"),
        &[
            ("vmalloc 1 4096 flags=\u{1b}[2J", "noflag \\x1b[2J"),
            ("pcpu 1 0:4095", "EINVAL"),
            ("pcpu 1 0:0", "EINVAL"),
            ("pcpu 1 0:4096 align=8", "EINVAL"),
            ("pcpu 1 0:0xfffffffffffff000", "EINVAL"),
        ],
    );
}

/// Where pages come from: a zone has its end.
#[test]
fn zones() {
    let highest = |era: &str, machine: &str, op: &str| {
        let (run, answers) = run(&format!("era {era}\n{machine}{op}\n"));
        let memory = run.space().memory().expect("memory");
        let backed = memory.each_backed().next().copied().unwrap_or_else(|| panic!("{answers:?}"));
        memory.frames_of(&backed).map(vmaplens::model::frames::FrameRun::end).max().unwrap_or(0) << 12
    };
    assert!(highest("2.4.22", I386, "vmalloc_dma 1 0x10000") <= 16 << 20);
    assert!(highest("2.4.22", I386, "vmalloc_32 1 0x10000") <= 896 << 20);
    assert!(896 << 20 < highest("2.4.22", I386, "vmalloc 1 0x10000"));
    let big = "arch x86-64\nram 0x400000000\n";
    assert!(4 << 30 < highest("6.12", big, "vmalloc 1 0x10000"));
    assert!(highest("6.12", big, "vmalloc_32 1 0x10000") <= 4 << 30);
    assert!(highest("6.12", big, "vmalloc 1 0x10000 gfp=dma32") <= 4 << 30);
    assert!(highest("6.12", big, "vmalloc 1 0x10000 gfp=dma") <= 16 << 20);
}

/// Addresses above 4 GiB are there with PAE, and lengths never.
#[test]
fn words_of_32_bits() {
    check(
        "era 6.1\narch i386-pae\nrange 0xf8800000 0xfdffe000\nram 0x40000000\n",
        &[
            ("ioremap 1 0x100000000 0x1000", "f8800000"),
            ("ioremap 2 0x100000000 0x100000000", "NULL"),
            ("vmalloc 3 0x100000000", "NULL"),
            ("vmalloc 4 0x100001000", "NULL"),
            ("vmap 5 0x100000", "NULL"),
        ],
    );
    check(&format!("era 6.1\n{I386}"), &[("ioremap 1 0x100000000 0x1000", "NULL"), ("vmalloc 2 4096", "f8800000")]);
}

/// Areas before the allocator that cannot be.
#[test]
fn absurd_beginnings() {
    for era in ["2.4.22", "2.6.32", "5.10", "6.1", "7.3"] {
        for header in [
            "register 0xffffffffffffffff 1\n",
            "register 0xffffffffffffefff 0x1000\n",
            "register 1 0x8000000000000000\n",
            "register 0x7fffffffffffffff 1\nregister 0x7fffffffffffffff 1\nregister 1 1\n",
            "early 0x1 0xffffffffffffffff\n",
            "early 1 2\nearly 0xfffffffffffffffe 0xffffffffffffffff\n",
            "early 0xffffc90000000000 0xffffe8ffffffffff\n",
            "early 0xffffc90000000800 0xffffc90000000801\nregister 0x1000 1\n",
            "range 0 1\n",
            "range 0xfffffffffffffffe 0xffffffffffffffff\n",
            "numa 4294967295\ncpus 4294967295\nnr_cpus 4294967295\n",
        ] {
            let ops = "init\nvmalloc 1 4096\nmap_ram 2 1\nioremap 3 0xfed00000 4096\npcpu 4 0:4096\nvfree 1\nunmap_ram 2\naliases\npurge\nmemory\ncheck\n";
            let (run, answers) = run(&format!("era {era}\n{header}{ops}"));
            assert!(answers.iter().all(|answer| !answer.is_empty()), "{era} {header}");
            run.allocator().audit().unwrap_or_else(|broken| panic!("{era} {header}: {broken}"));
        }
    }
}

/// Memory that is used up: what does not fit is refused, and nothing is left of it.
#[test]
fn no_memory_left() {
    for (era, machine) in
        [("2.4.22", I386), ("2.6.11", I386), ("4.19", X86), ("5.15", X86), ("6.12", X86), ("7.3", X86)]
    {
        let machine = machine.replace("ram 0x40000000", "ram 0x100000");
        let ops = lines(0..300, |n| format!("vmalloc {n} {}\n", 4096 * (1 + n % 5)));
        let frees = lines(0..300, |n| format!("vfree {n}\n"));
        let (run, answers) = run(&format!("era {era}\n{machine}{ops}{frees}deferred\npurge\nmemory\n"));
        assert!(answers[..300].iter().any(|answer| answer.starts_with("NULL")), "{era}");
        assert!(answers[..100].iter().any(|answer| !answer.starts_with("NULL")), "{era}");
        let memory = run.space().memory().expect("memory");
        assert_eq!(memory.each_backed().count(), 0, "{era}");
        audit(&run);
    }
}

#[test]
fn a_hundred_thousand_areas() {
    for era in ["2.6.32", "6.12"] {
        let begun = Instant::now();
        let mut text = format!("era {era}\nram 0x400000000\n");
        text += &lines(0..100_000, |n| format!("vmalloc {n} {}\n", 4096 * (1 + n % 3)));
        text += &lines((0..100_000).step_by(2), |n| format!("vfree {n}\n"));
        text += "memory\ncheck\n";
        let (run, answers) = run(&text);
        assert_eq!(answers.last().map(String::as_str), Some("check ok"), "{era}");
        assert_eq!(run.space().memory().map(|memory| memory.each_backed().count()), Some(50_000), "{era}");
        audit(&run);
        assert!(begun.elapsed() < Duration::from_secs(60), "{era}: {:?}", begun.elapsed());
    }
}
