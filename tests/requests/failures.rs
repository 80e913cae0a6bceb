//! What a request that fails half-way leaves behind, and frees that may not work where they are called.

use super::{I386, PAE, X86, check, run, v};

/// Pages written before the failure stay mapped within the last PGD block, and are lost; who comes next overwrites them.
#[test]
fn what_2_4_leaves() {
    let run = check(
        &format!("era 2.4.22\n{I386}"),
        &[("vmalloc 1 0x8000 fail=pages:3", "NULL"), ("vmalloc 2 4096", "f8800000 pages=1 tables=0 mask=10")],
    );
    assert_eq!(run.space().memory().map(vmaplens::model::Memory::lost_pages), Some(0));
    for (header, size, fail, lost) in [
        (I386, 0x8000_u64, 3, 3),
        // The block that failed begins at f8c00000: what is below it is cleared.
        (I386, 0x50_0000, 1030, 6),
        // With PAE a block is a GiB.
        (PAE, 0x50_0000, 1030, 1030),
    ] {
        let run = check(
            &format!("era 2.4.27\n{header}"),
            &[(&format!("vmalloc 1 {size} fail=pages:{fail}"), "NULL"), ("vmalloc 2 4096", "f8800000")],
        );
        let memory = run.space().memory().expect("memory");
        assert_eq!(memory.lost_pages(), lost, "{header} {size:x}");
    }
    // A missing table: pages behind it were never asked for.
    let run = check(&format!("era 2.4.27\n{I386}"), &[("vmalloc 1 0x600000 fail=tables:1", "NULL")]);
    let memory = run.space().memory().expect("memory");
    assert_eq!((memory.lost_pages(), memory.tables().mapped_bytes()), (0, 0));
    let run = check(&format!("era 2.4.27\n{PAE}"), &[("vmalloc 1 0x600000 fail=tables:1", "NULL")]);
    let memory = run.space().memory().expect("memory");
    assert_eq!((memory.lost_pages(), memory.tables().mapped_bytes()), (512, 512 << 12));
    let steps = |text: &str| {
        let mut replay = super::replay(text);
        replay.seek(2, usize::MAX);
        format!("{:?}", replay.outcome().steps)
    };
    let told = steps(&format!("era 2.4.27\n{I386}vmalloc 1 0x8000 fail=pages:3\nvmalloc 2 0x8000\n"));
    assert!(told.contains("overwritten: 3"), "{told}");
}

/// 2.6: address space is free at once. From 2.6.28 on it is lazily freed, which from 6.2 on shows as two events.
#[test]
fn what_later_releases_leave() {
    for fail in ["array", "pages:3", "tables:0"] {
        let op = format!("vmalloc 1 0x8000 fail={fail}");
        check(&format!("era 2.6.11\n{I386}"), &[(&op, "NULL"), ("vmalloc 2 4096", "f8800000")]);
        for era in ["2.6.32", "4.19", "5.10", "5.17", "6.1", "6.8", "6.12"] {
            let extra = if era == "2.6.32" { 0x1000 } else { 0 };
            let rows = [
                (op.as_str(), "NULL"),
                ("lazy", "lazy 9 0"),
                ("vmalloc 2 4096", &v(0x9000 + extra)),
                ("purge", &format!("purge T{}-{}", v(0), v(0x9000))),
                ("vmalloc 3 0x7000 align=1", if era == "2.6.32" || era == "4.19" { "" } else { &v(0) }),
            ];
            let n = if rows[4].1.is_empty() { 4 } else { 5 };
            check(&format!("era {era}\n{X86}"), &rows[..n]);
        }
        // Later a work item frees it: until then it is in use.
        check(
            &format!("era 7.3\n{X86}"),
            &[
                (&op, "NULL"),
                ("lazy", "lazy 0 0"),
                ("vmalloc 2 4096", &v(0x9000)),
                ("deferred", "deferred 1"),
                ("lazy", "lazy 9 0"),
                ("deferred", "deferred 0"),
            ],
        );
    }
    for era in ["2.4.22", "2.6.11", "2.6.32", "5.10", "7.3"] {
        let header = format!("era {era}\n{I386}");
        check(
            &header,
            &[("vmalloc 1 4096 fail=descriptor", "NULL"), ("vmalloc 2 4096", "f8800000"), ("lazy", "lazy 0 0")],
        );
    }
}

#[test]
fn vfree_in_interrupt() {
    for (era, machine) in [("2.6.11", I386), ("2.6.32", X86), ("3.9", X86)] {
        // The machine stops; the area is as it was, and so is its name.
        check(
            &format!("era {era}\n{machine}"),
            &[("vmalloc 1 4096", ""), ("vfree 1 irq", "BUG"), ("vfree 1", "."), ("vfree 1", "-")].map(|(op, want)| {
                (op, if want.is_empty() { if machine == I386 { "f8800000" } else { "ffffc90000000000" } } else { want })
            }),
        );
    }
    check(&format!("era 2.4.22\n{I386}"), &[("vmalloc 1 4096", "f8800000"), ("vfree 1 irq", ".")]);
    for era in ["3.10", "4.19", "5.10", "6.12", "7.3"] {
        check(
            &format!("era {era}\n{X86}"),
            &[
                ("vmalloc 1 4096", &v(0)),
                ("vmalloc 2 8192", &v(0x2000)),
                ("vfree 1 irq", "deferred"),
                ("vfree 2 irq", "deferred"),
                ("vfree 1", "-"),
                ("lazy", "lazy 0 0"),
                ("vfree @0xffffc90000009000 irq", "deferred"),
                ("vfree @0xffffc90000000001 irq", "deferred"),
                ("deferred 1", "deferred 0"),
                ("deferred", &format!("deferred 4 nonexistent {}", v(0x9000))),
                ("lazy", "lazy 5 0"),
                ("vunmap @0xffffc90000000000 irq", "BUG"),
            ],
        );
        // The newest first.
        let (_, answers) =
            run(&format!("era {era}\n{X86}vmalloc 1 4096\nvmalloc 2 4096\nvfree 1 irq\nvfree 2 irq\ndeferred\ndump\n"));
        assert_eq!(answers[4], "deferred 2");
    }
    check(&format!("era 3.10\n{X86}"), &[("vmalloc 1 4096", &v(0)), ("vfree_atomic 1", "nosuch"), ("vfree 1", ".")]);
    check(
        &format!("era 4.10\n{X86}"),
        &[("vmalloc 1 4096", &v(0)), ("vfree_atomic 1", "deferred"), ("deferred", "deferred 1")],
    );
}

/// A page inside an area names it from 4.15 on, and not before.
#[test]
fn inner_addresses() {
    let rows = |answer: &'static str| {
        [("vmalloc 1 8192", ""), ("vfree 1+0x1000", answer), ("vfree 1", if answer == "." { "-" } else { "." })]
    };
    for era in ["2.6.32", "3.10"] {
        let nonexistent = "nonexistent ffffc90000001000";
        check(
            &format!("era {era}\n{X86}"),
            &rows(nonexistent).map(|(op, want)| (op, if want.is_empty() { "ffffc90000000000" } else { want })),
        );
    }
    for era in ["4.15", "4.19", "5.10", "6.12", "7.3"] {
        check(
            &format!("era {era}\n{X86}"),
            &rows(".").map(|(op, want)| (op, if want.is_empty() { "ffffc90000000000" } else { want })),
        );
    }
}

/// Executable memory flushes its aliases as it goes: nothing is lazy afterwards.
#[test]
fn reset_perms_purges_at_once() {
    for era in ["5.2", "5.10", "6.1", "6.12", "7.3"] {
        check(
            &format!("era {era}\n{X86}"),
            &[
                ("vmalloc 1 4096", &v(0)),
                ("vmalloc 2 4096 flags=VM_FLUSH_RESET_PERMS", &v(0x2000)),
                ("vfree 1", "."),
                ("vfree 2", &format!(". T{}-{}", v(0), v(0x4000))),
                ("lazy", "lazy 0 0"),
            ],
        );
    }
    check(
        &format!("era 4.19\n{X86}"),
        &[("vmalloc 1 4096 flags=VM_FLUSH_RESET_PERMS", "noflag VM_FLUSH_RESET_PERMS"), ("vmalloc 1 4096", &v(0))],
    );
}

/// `vunmap` of what has pages of its own loses them; in 2.4 it is `vfree`.
#[test]
fn vunmap_of_a_vmalloc() {
    let lost = |header: &str, op: &str| {
        let (run, _) = run(&format!("{header}vmalloc 1 0x8000\n{op} 1\n"));
        super::audit(&run);
        run.space().memory().map(vmaplens::model::Memory::lost_pages)
    };
    for op in ["vunmap", "iounmap"] {
        assert_eq!(lost(&format!("era 2.4.22\n{I386}"), op), Some(0));
        assert_eq!(lost(&format!("era 2.6.11\n{I386}"), op), Some(8));
        assert_eq!(lost(&format!("era 6.12\n{X86}"), op), Some(8));
    }
}
