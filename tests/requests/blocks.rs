//! `vm_map_ram`: blocks, what is taken from them, and when they go.

use super::{X86, check, lines, v};

const BLOCK: u64 = 0x40_0000;

fn header(era: &str) -> String {
    format!("era {era}\n{X86}")
}

/// Pages of a block are never used twice. To 3.10 the gaps of alignment are filled; later what comes is put behind.
#[test]
fn bitmap_and_bump() {
    for (era, third, fifth) in [("3.10", 0x2000, 0x1000), ("4.19", 0x7000, 0x9000), ("6.12", 0x7000, 0x9000)] {
        check(
            &header(era),
            &[
                ("map_ram 1 1", &v(0)),
                // Four pages for three.
                ("map_ram 2 3", &v(if era == "3.10" { 0x4000 } else { 0x1000 })),
                ("map_ram 3 2", &v(if era == "3.10" { third } else { 0x5000 })),
                ("unmap_ram 1", "."),
                ("map_ram 4 1", &v(if era == "3.10" { fifth } else { third })),
                ("map_ram 5 1 cpu=1", &v(BLOCK)),
                ("map_ram 6 64", &v(if era == "3.10" { 0x4_0000 } else { 0x8000 })),
            ],
        );
    }
    check(&header("2.6.27"), &[("map_ram 1 1", "nosuch")]);
}

/// A full block is followed by another, which is asked first to 3.10 and last later.
#[test]
fn newest_or_oldest_block_first() {
    let fill: Vec<String> = (0..16).map(|n| format!("map_ram {n} {}", if n == 15 { 32 } else { 64 })).collect();
    for (era, last) in [("2.6.28", BLOCK), ("3.10", BLOCK), ("4.19", 0), ("5.10", 0), ("6.12", 0)] {
        // The extra page of 2.6.28 vanishes in the alignment.
        let at = |n: u64| v(n * 0x4_0000);
        let addresses: Vec<String> = (0..16).map(at).collect();
        let mut rows: Vec<(&str, &str)> =
            fill.iter().zip(&addresses).map(|(op, at)| (op.as_str(), at.as_str())).collect();
        let second = v(if era == "2.6.28" { 2 * BLOCK } else { BLOCK });
        rows.push(("map_ram 16 64", &second));
        // Half of the first is left, and nearly all of the second.
        let small = match (last, era) {
            (0, _) => v(15 * 0x4_0000 + 0x2_0000),
            (_, "2.6.28") => v(2 * BLOCK + 0x4_0000),
            _ => v(BLOCK + 0x4_0000),
        };
        rows.push(("map_ram 17 1", &small));
        check(&header(era), &rows);
    }
}

/// A block whose every page was taken and given back goes, lazily; one with a rest waits for a purge that asks for it.
#[test]
fn blocks_go_whole_or_as_fragments() {
    for era in ["3.10", "4.19", "5.10", "6.4", "6.5", "6.12"] {
        let take = lines(0..16, |n| format!("map_ram {n} 64\n"));
        let give = lines(0..16, |n| format!("unmap_ram {n}\n"));
        let (run, answers) = super::run(&format!("{}{take}{give}lazy\nmemory\n", header(era)));
        assert_eq!(answers[32], "lazy 1024 0", "{era}");
        assert_eq!(run.space().memory().map(|memory| memory.blocks().iter().count()), Some(0), "{era}");
        super::audit(&run);
        // Little of it was used: from 6.5 on only an overflow takes the rest.
        for (pages, keeps) in [(16, true), (1024 - 240, false)] {
            let take = lines(0..pages / 16, |n| format!("map_ram {n} 16\nunmap_ram {n}\n"));
            let (run, answers) = super::run(&format!("{}{take}aliases\n", header(era)));
            let stays = keeps && ["6.5", "6.12"].contains(&era);
            let left = run.space().memory().map(|memory| memory.blocks().iter().count());
            assert_eq!(left, Some(usize::from(stays)), "{era} {pages}: {answers:?}");
            super::audit(&run);
        }
    }
    // Seen in 2.6.32.67, not in 2.6.28.6.
    let fragments = |era: &str| {
        let (run, _) = super::run(&format!("{}map_ram 1 1\nunmap_ram 1\naliases\n", header(era)));
        run.space().memory().map(|memory| memory.blocks().iter().count())
    };
    assert_eq!((fragments("2.6.28"), fragments("2.6.32")), (Some(1), Some(0)));
}

/// Many pages have an area without guard and without descriptor: nothing that `vfree` knows.
#[test]
fn many_pages_have_an_area_of_their_own() {
    for era in ["3.10", "4.19", "5.10", "6.12", "7.3"] {
        check(
            &header(era),
            &[
                ("map_ram 1 64", &v(0)),
                ("map_ram 2 65", &v(BLOCK)),
                ("map_ram 3 100", &v(BLOCK + 0x4_1000)),
                ("vmalloc 4 4096", &v(BLOCK + 0xa_5000)),
                ("vfree 2", "nonexistent ffffc90000400000"),
                ("vunmap 1", "nonexistent ffffc90000000000"),
                ("unmap_ram 2", "."),
                ("unmap_ram 2", "-"),
                ("lazy", "lazy 65 0"),
                ("unmap_ram 1", "."),
                ("unmap_ram 3", "."),
                ("map_ram 5 0", "NULL"),
                ("map_ram 6 0x100000000000000", "NULL"),
                ("map_ram 7 0xffffffffffffffff", "NULL"),
            ],
        );
    }
}

/// No table: the pages of the block are used up all the same, the area of many pages goes.
#[test]
fn a_mapping_that_fails_gives_back_what_it_took() {
    for era in ["3.10", "5.10", "6.12"] {
        let run = check(
            &header(era),
            &[
                ("map_ram 1 4 fail=tables:0", "NULL"),
                ("map_ram 2 100 fail=tables:0", "NULL"),
                ("lazy", "lazy 100 0"),
                ("map_ram 3 4", &v(0x4000)),
            ],
        );
        let block = run.space().memory().and_then(|memory| memory.blocks().iter().next().cloned()).expect("a block");
        assert_eq!((block.dirty, block.free, block.used()), (4, 1016, 4), "{era}");
    }
}

/// Blocks are smaller with more CPUs, and on 32 bits.
#[test]
fn the_size_of_a_block() {
    let second = |text: &str| {
        let (run, _) = super::run(&format!("era 6.12\n{text}map_ram 1 1\nmap_ram 2 1 cpu=1\n"));
        run.address_of(2).zip(run.address_of(1)).map(|(two, one)| two - one)
    };
    assert_eq!(second(X86), Some(0x40_0000));
    assert_eq!(second("nr_cpus 2048\n"), Some(0x40_0000));
    assert_eq!(second("nr_cpus 8192\n"), Some(0x10_0000));
    assert_eq!(second(&format!("{}nr_cpus 8\n", super::I386)), Some(0x10_0000));
    assert_eq!(second(&format!("{}nr_cpus 32\n", super::I386)), Some(0x4_0000));
}
