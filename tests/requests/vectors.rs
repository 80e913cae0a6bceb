//! The worked vectors of the releases, asked through their entry points.

use super::{I386, PAE, V, X86, check, v};

#[test]
fn placement_2_4() {
    let header = format!("era 2.4.22\n{I386}");
    check(
        &header,
        &[
            ("vmalloc 1 1", "f8800000 pages=1 tables=1 mask=18"),
            ("vmalloc 2 8192", "f8802000"),
            ("vmalloc 3 4096", "f8805000"),
            ("vfree 2", "."),
            ("vmalloc 4 12288", "f8807000"),
            ("vmalloc 5 8192", "f8802000"),
            ("vfree @0xf8801000", "nonexistent f8801000"),
            ("vfree @0xf8800010", "bad f8800010"),
            ("vfree 1+0x10", "bad f8800010"),
            ("vfree 1", "."),
            ("vmalloc 6 4096", "f8800000"),
            ("vmalloc 7 0", "NULL"),
            ("vmalloc 8 0xfffff001", "NULL"),
            ("vmalloc 9 0x40001000", "NULL"),
            ("check", "check ok"),
        ],
    );
    // Nothing is compared with the end while the list is empty.
    check(&header, &[("vmalloc 1 0x6000000", "f8800000"), ("vmalloc 2 4096", "NULL")]);
    check(&header, &[("vmalloc 1 4096", "f8800000"), ("vmalloc 2 0x6000000", "NULL")]);
    check(&header, &[("vmalloc 1 4096", "f8800000"), ("vmalloc 2 0x57fb000", "f8802000")]);
    check(&header, &[("vmalloc 1 4096", "f8800000"), ("vmalloc 2 0x57fc000", "NULL")]);
}

#[test]
fn page_tables_2_4() {
    check(&format!("era 2.4.22\n{I386}"), &[("vmalloc 1 0x400000", "f8800000 pages=1024 tables=1 mask=18")]);
    check(&format!("era 2.4.22\n{PAE}"), &[("vmalloc 1 0x400000", "f8800000 pages=1024 tables=2 mask=18")]);
}

#[test]
fn ioremap_2_4() {
    check(
        &format!("era 2.4.22\n{I386}"),
        &[
            ("ioremap 1 0xa0000 0x60000", "c00a0000"),
            ("ioremap 2 0xfebff000 0x1001", "f8800000"),
            // The last byte is the first of a page: the page is lost, and the next area is a page nearer.
            ("vmalloc 3 4096", "f8802000"),
            ("ioremap 4 0xfed00ff0 0x20", "f8804ff0"),
            ("vmalloc 5 4096", "f8807000"),
            // One byte at the start of a page: no page but the guard.
            ("ioremap 6 0xfed01000 1", "f8809000"),
            ("vmalloc 7 4096", "f880a000"),
            ("ioremap 8 0xfffff000 0x1000", "f880c000"),
            ("ioremap 9 0xfffff000 0x1001", "NULL"),
            ("ioremap 10 0xfed00000 0", "NULL"),
            ("ioremap 11 0x1000000 0x1000", "NULL"),
            ("ioremap 12 0x9f000 0x2000", "NULL"),
            ("iounmap @0xc00a0000", "-"),
            ("iounmap 4", "."),
            ("iounmap 6", "."),
            ("vmalloc 13 4096", "f8804000"),
        ],
    );
}

#[test]
fn placement_2_6() {
    let header = format!("era 2.6.11\n{I386}");
    check(
        &header,
        &[
            ("vmalloc 1 4096", "f8800000"),
            ("ioremap 2 0xfed00000 0x1000", "f8802000"),
            ("ioremap 3 0xfed00000 0x2000", "f8804000"),
            ("vmalloc 4 4096", "f8807000"),
            ("ioremap 5 0xfed00000 0x100000", "f8880000"),
            ("vmalloc 6 0x70000", "f8809000"),
            ("vfree 1", "."),
            ("vmalloc 7 4096", "f8800000"),
        ],
    );
    // A jump over the last areas is not compared with the end.
    let short = "era 2.6.11\narch i386\nram 0x40000000\n";
    check(
        &format!("{short}range 0xf8800000 0xf8804000\n"),
        &[("vmalloc 1 4096", "f8800000"), ("vmalloc 2 4096", "f8802000"), ("ioremap 3 0xfed00000 4096", "NULL")],
    );
    let rest = "a 3 0x7ff000 1 0xf8800000 0xfdffe000";
    for (end, placed) in [("0xf8806000", "NULL"), ("0xf8808000", "f9004000")] {
        check(
            &format!("{short}range 0xf8800000 {end}\n"),
            &[
                // Of no pages at all there is a guard page.
                ("vmap 1 0", "f8800000"),
                ("vmalloc 2 4096", "f8801000"),
                (rest, "f8803000"),
                ("ioremap 4 0xfed00000 0x2000", placed),
            ],
        );
    }
    check(&format!("era 2.6.24\n{I386}"), &[("vmap 1 0", "NULL"), ("vmalloc 2 4096", "f8800000")]);
}

#[test]
fn an_extra_page_2_6_28() {
    for era in ["2.6.28", "2.6.32"] {
        check(
            &format!("era {era}\n{X86}"),
            &[
                ("vmalloc 1 4096", &v(0)),
                ("vmalloc 2 4096", &v(0x3000)),
                ("vmalloc 3 4096", &v(0x6000)),
                ("vfree 2", "."),
                ("purge", "purge"),
                ("vmalloc 4 4096", &v(0x3000)),
                ("vfree 4", "."),
                ("purge", "purge"),
                ("vmalloc 5 8192", &v(0x3000)),
                ("vmalloc 6 12288", &v(0x9000)),
            ],
        );
    }
}

/// The vectors of the hole cache; a size of one page is one without guard.
#[test]
fn hole_cache_4_19() {
    check(
        &format!("era 4.19\n{X86}"),
        &[
            ("vmalloc 1 4096", &v(0)),
            ("vmalloc 2 0x4000", &v(0x2000)),
            ("vmalloc 3 0x2000", &v(0x7000)),
            ("vmalloc 4 4096", &v(0xa000)),
            ("vfree 2", "."),
            ("purge", "purge"),
            ("vmalloc 6 0x3000", &v(0x2000)),
            ("vmalloc 7 4096 flags=VM_NO_GUARD", &v(0x6000)),
            ("vmalloc 8 4096", &v(0xc000)),
            ("vfree 1", "."),
            ("purge", "purge"),
            ("vmalloc 10 0x2000", &v(0xe000)),
            ("vmalloc 11 4096", &v(0x11000)),
            ("vmalloc 12 0x3000 align=0x4000", &v(0x14000)),
            ("vmalloc 13 4096", &v(0)),
            ("vmalloc 14 4096 align=0x2000", &v(0x18000)),
            ("vmalloc 15 4096 flags=0x40", &v(0x13000)),
            ("vfree 3", "."),
            ("purge", "purge"),
            ("vmalloc 16 0x4000", &v(0x1a000)),
            ("vmalloc 17 0x2000", &v(0x1f000)),
        ],
    );
}

#[test]
fn basics_from_5_2_on() {
    for era in ["5.3", "5.10", "5.15", "6.1", "6.8", "6.12", "7.3"] {
        check(
            &format!("era {era}\n{X86}"),
            &[
                ("vmalloc 1 4096", &v(0)),
                ("vmalloc 2 0x4000", &v(0x2000)),
                ("vmalloc 3 0x2000 align=0x1000", &v(0x7000)),
                ("vfree 2", "."),
                ("purge", "purge"),
                ("vmalloc 4 0x3000", &v(0x2000)),
                ("vmalloc 5 4096", &v(0xa000)),
                ("vmalloc 6 0x200000 align=0x200000", &v(0x20_0000)),
                ("vfree 1", "."),
                ("purge", "purge"),
                ("vmalloc 7 0x3000 align=0x4000", &v(0xc000)),
            ],
        );
    }
}

/// Answers that hang on the shape of the free tree (C1, C4), made by frees in the order of the vectors.
#[test]
fn shapes() {
    // A page each, without guard, so that any page can be freed: 0x14000 bytes.
    let fill = |pages: u64| super::lines(0..pages, |n| format!("vmalloc {n} 4096 flags=VM_NO_GUARD\n"));
    let free = |from: u64, to: u64| super::lines(from..to, |n| format!("vfree {n}\n")) + "purge\n";
    let last = |text: &str| super::run(text).1.pop().expect("an answer");
    for era in ["5.19", "6.1", "6.8", "7.3"] {
        let text = format!("era {era}\n{X86}{}", fill(0x14));
        let text = text + &free(0x11, 0x13) + &free(9, 0xe) + &free(3, 7) + "vmalloc 99 0x3000 align=0x2000\n";
        assert!(last(&text).starts_with(&v(0x14000)), "{era}: {}", last(&text));
    }
    for (era, at) in [("5.3", 0x7000), ("5.10", 0x7000), ("5.15", 0x7000), ("5.17", 0x4000), ("6.1", 0x4000)] {
        let text = format!("era {era}\n{X86}{}", fill(7)) + &free(1, 2) + &free(4, 6);
        let align = last(&format!("{text}vmalloc 99 4096 align=0x1000\n"));
        assert!(align.starts_with(&v(at)), "{era}: {align}");
        assert!(last(&format!("{text}vmalloc 99 4096\n")).starts_with(&v(0x4000)), "{era}");
    }
}

#[test]
fn per_cpu_groups_from_the_top_down() {
    let two = "0:0x10000 0x100000:0x10000 align=0x10000";
    let three = "0:0x20000 0x40000:0x10000 0xc0000:0x20000 align=0x10000";
    let e = |offset: u64| format!("{:x}", 0xffff_e8ff_ff00_0000_u64 + offset);
    let ops = [
        (format!("pcpu 1 {two}"), e(0xee_0000)),
        (format!("pcpu 2 {two}"), e(0xed_0000)),
        (format!("pcpu 3 {three}"), e(0xef_0000)),
        (format!("pcpu 4 {three}"), e(0xe8_0000)),
        (format!("pcpu 5 {three}"), e(0xde_0000)),
    ];
    for (era, n) in [("2.6.32", 3), ("4.19", 3), ("5.10", 5), ("6.1", 5), ("6.12", 5), ("7.3", 5)] {
        let rows: Vec<_> = ops[..n].iter().map(|(op, at)| (op.as_str(), at.as_str())).collect();
        let run = check(&format!("era {era}\n{X86}"), &rows);
        for offset in [0xfe_0000, 0xfd_0000, 0xf3_0000, 0xfb_0000] {
            assert!(run.is_in_use(0xffff_e8ff_ff00_0000 + offset), "{era}: {offset:x}");
        }
        let memory = run.space().memory().expect("memory");
        let groups: usize = [2, 2, 3, 3, 3][..n].iter().sum();
        assert_eq!(memory.each_backed().filter(|backed| backed.descriptor.is_some()).count(), groups, "{era}");
    }
    check(&format!("era 2.6.28\n{X86}"), &[("pcpu 1 0:0x10000", "nosuch")]);
}

#[test]
fn early_areas_leave_holes_around_them() {
    let header =
        "arch arm64\nrange 0xffff800008000000 0xfffffdffbfff0000\nearly 0xffff800008000000 0xffff800009000000\n";
    for era in ["5.10", "6.1", "6.12"] {
        check(
            &format!("era {era}\ncpus 1\n{header}"),
            &[
                ("init", "init imported=1 free=2"),
                ("vmalloc 1 0x4000", "ffff800009000000"),
                ("vmalloc 2 0x10000 align=0x10000", "ffff800009010000"),
                ("vmalloc 3 0x2000 range=0xffff800000000000-0xffff800008000000", "ffff800000000000"),
            ],
        );
    }
}

/// Areas registered before the allocator: behind each other to 5.10; later the first gap, with the comparison that wraps.
#[test]
fn registered_areas() {
    let register = "register 0x3000 1\nregister 0x1000 0x10000\nregister 0x2000 1\n";
    for (era, used, next) in [("5.10", [0, 0x10000, 0x11000], 0x3000), ("6.1", [0, 0x10000, 0x3000], 0x5000)] {
        let run = check(
            &format!("era {era}\n{X86}{register}"),
            &[("init", "init imported=3 free=3"), ("vmalloc 1 4096", &v(next))],
        );
        for offset in used {
            assert!(run.is_in_use(V + offset), "{era}: {offset:x}");
        }
    }
    // An early area below the candidate looks infinitely far above it: the scan ends at it, not behind the next.
    let header =
        format!("era 6.1\n{X86}early 0x1000 0x3000\nearly {:#x} {:#x}\nregister 0x1000 1\n", V + 0x1000, V + 0x2000);
    let run = check(&header, &[("init", "init imported=3 free=3")]);
    assert!(run.is_in_use(V) && run.is_in_use(V + 0x1000));
}

#[test]
fn pools_take_up_to_255_pages() {
    let header = "era 6.12\narch x86-64\ncpus 2\nram 0x40000000\n";
    check(
        header,
        &[
            ("vmalloc 1 0xff000", &v(0)),
            ("vmalloc 2 0x100000", &v(0x10_0000)),
            ("vfree 1", "."),
            ("vfree 2", "."),
            ("aliases", "aliases"),
            ("shrink", "shrink 1"),
        ],
    );
    // Each CPU has what it freed, the newest first; what has no pool comes from the tree.
    check(
        header,
        &[
            ("vmalloc 1 4096 cpu=0", &v(0)),
            ("vmalloc 2 4096 cpu=1", &v(0x2000)),
            ("vfree 1 cpu=1", "."),
            ("vfree 2 cpu=0", "."),
            ("aliases", &format!("aliases T{:x}-{:x}", V, V + 0x4000)),
            ("vmalloc 3 4096 cpu=1", &v(0x2000)),
            ("vmalloc 4 4096 cpu=1", &v(0x4000)),
            ("vmalloc 5 4096 cpu=0", &v(0)),
            ("vmalloc 6 4096 cpu=0 flags=VM_NO_GUARD", &v(0x6000)),
        ],
    );
}

/// P1 to P4 and P8 of the page tables.
#[test]
fn page_tables() {
    check(
        &format!("era 6.12\n{X86}"),
        &[
            ("vmalloc 1 4096", "ffffc90000000000 pages=1 tables=2 mask=1c"),
            ("vmalloc 2 4096", "ffffc90000002000 pages=1 tables=0 mask=10"),
            ("ioremap 3 0x140000000 0x40000000", "ffffc90040000000 tables=0 mask=4"),
            (
                "cost 3",
                "cost ffffc90040000000 virtual=1073745920 guard=4096 data=0 foreign=1073741824 tables=0 array=0 descriptors=136 total=136",
            ),
            ("vmalloc_huge 4 0x200000", "ffffc90000200000 pages=512 tables=0 mask=8"),
        ],
    );
    check(
        &format!("era 6.12\n{X86}"),
        &[
            ("vmalloc 1 0x1fd000", "ffffc90000000000 pages=509 tables=2 mask=1c"),
            (
                "vmalloc 2 0x200000 range=0xffffc900001ff000-0xffffc90000400000",
                "ffffc900001ff000 pages=512 tables=1 mask=18",
            ),
        ],
    );
}

/// How long an `ioremap` has to be for its alignment to stop growing.
#[test]
fn ioremap_alignment_is_clamped() {
    let order = |era: &str, arch: &str, range: &str| {
        let (run, answers) = super::run(&format!(
            "era {era}\narch {arch}\nrange {range}\nram 0x10000000\nvmalloc 1 4096\nioremap 2 0x80000000 0x40000000\nioremap 3 0x40000000 0x3000\n"
        ));
        assert!(run.is_in_use(run.address_of(3).expect("placed") & !0xfff), "{answers:?}");
        let of = |id| run.address_of(id).map_or(0, u64::trailing_zeros);
        (of(2), of(3))
    };
    let x86 = "0xffffc90000000000 0xffffe8ffffffffff";
    assert_eq!(order("2.6.32", "x86-64", "0xffffc20000000000 0xffffe1ffffffffff"), (19, 14));
    assert_eq!(order("4.0", "x86-64", x86).0, 19);
    assert_eq!(order("4.19", "x86-64", x86), (30, 14));
    assert_eq!(order("6.12", "x86-64", x86), (30, 14));
    assert_eq!(order("6.12", "arm64", "0xffff800080000000 0xfffffdffbf800000"), (30, 14));
    assert_eq!(order("6.12", "arm64-64k-48", "0xffff800080000000 0xfffffdffbf800000").0, 29);
    assert_eq!(order("7.3", "riscv-sv48", "0xffff8f8000000000 0xffffaf8000000000").0, 30);
}
