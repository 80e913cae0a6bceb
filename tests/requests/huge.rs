//! `vmalloc` with huge entries: who gets them, what decides, and what happens without.

use super::{V, X86, check, run, v};

const PMD: u64 = 0x20_0000;
const ARM64: &str = "arch arm64\nrange 0xffff800080000000 0xfffffdffbf800000\ncpus 1\n";

#[test]
fn who_asks_and_who_does_not() {
    // Nobody; everybody but those who refuse; only those who ask.
    check(&format!("era 5.10\n{X86}"), &[("vmalloc 1 4096", &v(0)), ("vmalloc 2 0x200000", &v(0x2000))]);
    for era in ["5.14", "5.15", "5.17"] {
        check(
            &format!("era {era}\n{X86}"),
            &[
                ("vmalloc 1 4096", &v(0)),
                ("vmalloc 2 0x200000", "ffffc90000200000 pages=512 tables=0 mask=8"),
                ("vmalloc 3 0x200000 flags=VM_NO_HUGE_VMAP", "ffffc90000401000 pages=512 tables=2 mask=18"),
                ("vmalloc 4 0x1fffff", &v(0x60_2000)),
                ("vmalloc_huge 5 0x200000", "nosuch"),
            ],
        );
    }
    for era in ["5.19", "6.1", "6.12", "6.19", "7.3"] {
        check(
            &format!("era {era}\n{X86}"),
            &[
                ("vmalloc 1 4096", &v(0)),
                ("vmalloc 2 0x200000", &v(0x2000)),
                ("vmalloc_huge 3 0x200000", "ffffc90000400000 pages=512 tables=0 mask=8"),
                ("vmalloc 4 0x200001 flags=VM_ALLOW_HUGE_VMAP", "ffffc90000800000 pages=1024 tables=0 mask=8"),
            ],
        );
    }
    // Neither i386 nor 32-bit arm has them.
    let (_, answers) = run(&format!("era 5.15\n{}vmalloc 1 4096\nvmalloc 2 0x400000\n", super::PAE));
    assert!(answers[1].starts_with("f8802000"), "{answers:?}");
}

/// 2 MiB and a guard at a multiple of 2 MiB.
#[test]
fn rounding_and_guard() {
    for era in ["5.15", "6.1", "6.12", "7.3"] {
        let (run, answers) = run(&format!(
            "era {era}\n{X86}vmalloc 1 4096\nvmalloc 2 0x200001 flags=0x{:x}\ncost 2\n",
            if era == "5.15" { 0 } else { 0x400 }
        ));
        assert!(answers[2].contains(" virtual=4198400 guard=4096 data=4194304 "), "{era}: {answers:?}");
        assert!(run.is_in_use(V + PMD), "{era}: {answers:?}");
        let memory = run.space().memory().expect("memory");
        // Each block has a frame of its own, aligned as the entry.
        let backed = *memory.backed(V + PMD).expect("backed");
        assert!(memory.frames_of(&backed).all(|frames| frames.first % 512 == 0 && frames.n % 512 == 0), "{era}");
        assert_eq!(memory.tables().leaves()[2], 2, "{era}");
    }
}

#[test]
fn nodes_divide_the_size() {
    for (era, divides) in [("5.15", true), ("6.1", true), ("6.12", true), ("6.13", false), ("7.3", false)] {
        let op = if era == "5.15" { "vmalloc" } else { "vmalloc_huge" };
        let (small, third) = if divides { (v(0x2000), v(2 * PMD)) } else { (v(PMD), v(3 * PMD)) };
        check(
            &format!("era {era}\n{X86}numa 2\n"),
            &[
                ("vmalloc 1 4096", &v(0)),
                (&format!("{op} 2 0x200000"), &small),
                (&format!("{op} 3 0x200000 node=0"), &third),
            ],
        );
        check(
            &format!("era {era}\n{X86}numa 2\n"),
            &[("vmalloc 1 4096", &v(0)), (&format!("{op} 2 0x400000"), &v(PMD))],
        );
    }
}

/// Blocks of contiguous PTEs, seen in 7.3.
#[test]
fn arm64_contiguous() {
    let base = 0xffff_8000_8000_0000_u64;
    let at = |offset: u64| format!("{:x}", base + offset);
    check(
        &format!("era 7.3\n{ARM64}"),
        &[
            ("vmalloc 1 4096", &at(0)),
            ("vmalloc_huge 2 0xffff", &at(0x2000)),
            ("vmalloc_huge 3 0x10000", &at(0x2_0000)),
            ("vmalloc_huge 4 0x10001", &at(0x4_0000)),
        ],
    );
    let (_, answers) = run(&format!("era 7.3\n{ARM64}vmalloc_huge 1 0x10001\ncost 1\n"));
    assert!(
        answers[1].contains(" virtual=135168 guard=4096 data=131072 foreign=0 tables=12288 array=256 "),
        "{answers:?}"
    );
    check(&format!("era 6.12\n{ARM64}"), &[("vmalloc 1 4096", &at(0)), ("vmalloc_huge 2 0x10000", &at(0x2000))]);
}

/// No aligned place, or no block of pages: the same once more with pages.
#[test]
fn falling_back() {
    let window = format!("range={:#x}-{:#x}", V + 0x1000, V + 0x20_3000);
    for era in ["5.15", "6.12", "7.3"] {
        let op = if era == "5.15" { "vmalloc" } else { "vmalloc_huge" };
        check(&format!("era {era}\n{X86}"), &[(&format!("{op} 1 0x200000 {window}"), &v(0x1000))]);
        // A page less than 4 MiB, all of it used once: tables lie in the one block of 2 MiB.
        let (run, answers) = run(&format!(
            "era {era}\narch x86-64\ncpus 1\nram 0x3ff000\nvmalloc 1 0x1fc000\nvfree 1\npurge\n{op} 2 0x200000\nlazy\ndeferred\nlazy\n"
        ));
        let small = answers[3].split(' ').next().unwrap_or_default().to_owned();
        // The first attempt is lazily freed before the second looks; from 6.19 on it is in use until the work has run.
        assert_eq!(small, v(0x20_1000), "{era}: {answers:?}");
        let late = era == "7.3";
        let lazy = |is: bool| if is { "lazy 513 0" } else { "lazy 0 0" };
        assert_eq!((answers[4].as_str(), answers[6].as_str()), (lazy(!late), lazy(true)), "{era}");
        assert_eq!(answers[5], if late { "deferred 1" } else { "deferred 0" });
        assert_eq!(run.space().memory().map(|memory| memory.tables().leaves()[2]), Some(0));
        super::audit(&run);
    }
}
