//! What is said of a hashed file is true of the real one, on every capture, for many keys, and when hashes collide.

#[path = "common/support.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use support::Dice;
use vmaplens::insight::hashed::{Certainty, Figures, Known, Layout, Nodes, Why};
use vmaplens::log::{Baseline, BaselineArea, BaselineState, Pointers};
use vmaplens::source::{Input, Reading, open_log, snapshot};

fn read(path: &Path) -> Baseline {
    let text = std::fs::read(path).expect("a file");
    snapshot::read("vmallocinfo", &text, &mut Vec::new()).expect("areas")
}

/// A snapshot of a capture, with what the capture tells of its kernel.
struct Case {
    name: String,
    real: Baseline,
    known: Known,
}

fn captures() -> Vec<Case> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folders =
        [root.join("traces"), root.join("tests/data")].map(|folder| std::fs::read_dir(folder).expect("there"));
    let mut paths: Vec<PathBuf> = folders.into_iter().flatten().map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths.iter().filter(|path| path.join("meta.toml").exists()) {
        let log = open_log(&Input::Path(path.clone()), &Reading::default()).expect("a capture");
        let known = Known::of(&log.origin);
        for (which, snapshot) in [("before", &log.before), ("after", &log.after)] {
            let Some(real) = snapshot.clone() else { continue };
            let name = path.file_name().expect("a name").to_string_lossy();
            cases.push(Case { name: format!("{name} {which}"), real, known });
        }
    }
    assert!(20 < cases.len(), "{}", cases.len());
    cases
}

/// The same file as a kernel shows it that hashes addresses to so many bits.
fn hashed(real: &Baseline, key: u64, bits: u32) -> Baseline {
    let hash = |addr: u64| {
        let mut dice = Dice(key ^ addr.rotate_left(17));
        dice.roll(u64::MAX) & ((1 << bits) - 1)
    };
    let area = |area: &BaselineArea| BaselineArea { start: hash(area.start), end: hash(area.end), ..area.clone() };
    Baseline { areas: real.areas.iter().map(area).collect(), pointers: Pointers::Hashed }
}

/// Holds every claim that is called certain against the real rows. `real` has the row of each row, where it is known.
fn check(layout: &Layout, real: &[Option<&BaselineArea>], n_nodes: Option<u32>, what: &str) {
    let start = |row: u32| real[row as usize].map(|area| area.start);
    for pair in layout.runs.iter().flat_map(|run| run.rows.windows(2)) {
        let (Some(low), Some(high)) = (real[pair[0] as usize], real[pair[1] as usize]) else { continue };
        assert_eq!(low.end, high.start, "{what}: lines {} and {} do not touch", low.line, high.line);
    }
    let base = |run: usize| {
        let mut rows = layout.runs[run].rows.iter();
        rows.find_map(|&row| Some(start(row)?.wrapping_sub(layout.places[row as usize].offset)))
    };
    for (run, residue) in layout.runs.iter().enumerate().filter_map(|(n, run)| Some((n, run.base?))) {
        let Some(base) = base(run) else { continue };
        assert_eq!(base % residue.modulus, residue.rest, "{what}: run {run} of {base:#x} {residue:x?}");
    }
    if layout.order != Certainty::Certain {
        return;
    }
    assert!(layout.n_nodes.is_none_or(|found| n_nodes.is_none_or(|n| n == found)), "{what}: {:?}", layout.n_nodes);
    for low in 0..layout.runs.len() {
        for high in (0..layout.runs.len()).filter(|&high| layout.is_below(low as u32, high as u32)) {
            let (Some(low_base), Some(high_base)) = (base(low), base(high)) else { continue };
            assert!(
                low_base < high_base,
                "{what}: run {low} at {low_base:#x} is not below run {high} at {high_base:#x}"
            );
        }
    }
}

/// How many rows begin where another ends, and how many places between rows are in none.
fn truth(real: &Baseline) -> (u64, u64) {
    let mut rows: Vec<(u64, u64)> = real.areas.iter().map(|area| (area.start, area.end)).collect();
    rows.sort_unstable();
    let touching = rows.windows(2).filter(|pair| pair[0].1 == pair[1].0).count() as u64;
    (touching, rows.len() as u64 - 1 - touching)
}

fn nodes(known: Known) -> Option<u32> {
    match known.nodes {
        Nodes::Unknown => None,
        Nodes::One => Some(1),
        Nodes::Exactly(n) => Some(n),
    }
}

fn row(name: &str, layout: &Layout, figures: &Figures, real: (u64, u64)) -> String {
    format!(
        "{name:<40} rows {:>4}  touching {:>4} of {:>4}  {:<8} {:?}  pairs {:>5.1} %  rows in order {:>5.1} %  certain \
         {} bounded {} unknown {}  holes {} of {}",
        figures.rows,
        figures.joins,
        real.0,
        layout.order.word(),
        layout.why,
        100.0 * figures.ordered_pairs as f64 / figures.pairs.max(1) as f64,
        100.0 * figures.ordered_rows as f64 / figures.rows as f64,
        figures.certain,
        figures.bounded,
        figures.unknown,
        figures.least_holes,
        real.1,
    )
}

/// One moment of a machine, hashed by the kernel itself and real: the order of the rows tells which is which.
#[test]
fn the_kernels_own_hashes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/amd64-612-formats");
    let [hashed, real] = ["vmallocinfo.kptr0", "vmallocinfo.kptr1"].map(|name| read(&folder.join(name)));
    assert_eq!((hashed.pointers, real.pointers), (Pointers::Hashed, Pointers::Real));
    let pairs = same_rows(&hashed, &real);
    let matched = pairs.iter().flatten().count();
    for (known, name) in [
        (Known::default(), "the file alone"),
        (Known { nodes: Nodes::Exactly(2), ..Known::default() }, "and the number of CPUs"),
    ] {
        let layout = Layout::of(&hashed, known);
        check(&layout, &pairs, Some(2), name);
        let figures = layout.figures();
        println!("{}", row(name, &layout, &figures, truth(&real)));
        assert_eq!((layout.n_likely_joins, layout.contradictions), (0, 0));
        assert_eq!((layout.order, layout.why, layout.n_nodes), (Certainty::Certain, Why::NodeByNode, Some(2)));
        assert_eq!(matched as u64 + 1, figures.rows, "one stack had moved");
        // Every pair that touches is found: those of the real file whose rows are in both.
        let mut found = 0;
        for pair in layout.runs.iter().flat_map(|run| run.rows.windows(2)) {
            found += u64::from(pairs[pair[0] as usize].is_some() && pairs[pair[1] as usize].is_some());
        }
        let known: Vec<&BaselineArea> = pairs.iter().flatten().copied().collect();
        let touches = |area: &&&BaselineArea| known.iter().any(|other| other.start == area.end);
        assert_eq!(found, known.iter().filter(touches).count() as u64);
        assert!(figures.pairs < figures.ordered_pairs * 4, "{figures:?}");
    }
}

/// The row of the other file that each row is: a longest common subsequence of what is behind the addresses.
fn same_rows<'a>(one: &Baseline, other: &'a Baseline) -> Vec<Option<&'a BaselineArea>> {
    let says = |area: &BaselineArea| (area.size, area.caller_full.clone(), area.pages, area.phys, area.kind());
    let (a, b) = (&one.areas, &other.areas);
    let mut best = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let same = says(&a[i]) == says(&b[j]);
            best[i][j] = if same { best[i + 1][j + 1] + 1 } else { best[i + 1][j].max(best[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found = vec![None; a.len()];
    while i < a.len() && j < b.len() {
        if says(&a[i]) == says(&b[j]) {
            found[i] = Some(&b[j]);
            (i, j) = (i + 1, j + 1);
        } else if best[i][j + 1] <= best[i + 1][j] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

#[test]
fn what_is_certain_is_true_on_every_capture() {
    for case in captures() {
        let real: Vec<_> = case.real.areas.iter().map(Some).collect();
        let truth_of = truth(&case.real);
        for (what, known) in [("alone", Known::default()), ("known", case.known)] {
            for key in 0..6 {
                let file = hashed(&case.real, key, 32);
                let layout = Layout::of(&file, known);
                let name = format!("{} {what}", case.name);
                check(&layout, &real, nodes(case.known), &format!("{name} key {key}"));
                let figures = layout.figures();
                if key == 0 {
                    println!("{}", row(&name, &layout, &figures, truth_of));
                }
                assert_eq!((figures.joins, figures.likely_joins), (truth_of.0, 0), "{name}");
                assert!(figures.least_holes <= truth_of.1, "{name}");
            }
        }
    }
}

/// Fewer bits make collisions: some claims are lost, and none is wrong.
#[test]
fn collisions_make_no_wrong_claim() {
    let (mut wrong_if_believed, mut believed) = (0, 0);
    for case in captures() {
        let real: Vec<_> = case.real.areas.iter().map(Some).collect();
        for (key, bits) in (0..20).flat_map(|key| [6, 8, 10, 12, 16, 20, 22, 24, 28].map(|bits| (key, bits))) {
            let file = hashed(&case.real, key * 77 + u64::from(bits), bits);
            for known in [Known::default(), case.known] {
                let layout = Layout::of(&file, known);
                check(&layout, &real, nodes(case.known), &format!("{} key {key} bits {bits}", case.name));
                wrong_if_believed += layout.n_likely_joins;
                believed += layout.n_joins;
                let figures = layout.figures();
                assert_eq!(figures.certain + figures.bounded + figures.unknown, figures.rows);
            }
        }
    }
    assert!(1000 < wrong_if_believed && 1000 < believed, "{wrong_if_believed} {believed}");
}

/// Lines in another order than the kernel's tell nothing about order.
#[test]
fn sorted_and_shuffled_files_are_not_believed() {
    for case in captures().into_iter().step_by(3) {
        for seed in 0..8 {
            let mut shuffled = case.real.clone();
            match seed {
                0 => shuffled.areas.sort_by_key(|area| area.size),
                1 => shuffled.areas.sort_by(|a, b| a.caller.cmp(&b.caller)),
                2 => shuffled.areas.reverse(),
                _ => {
                    let mut dice = Dice(seed);
                    for n in (1..shuffled.areas.len()).rev() {
                        shuffled.areas.swap(n, dice.roll(n as u64 + 1) as usize);
                    }
                }
            }
            let real: Vec<_> = shuffled.areas.iter().map(Some).collect();
            let layout = Layout::of(&hashed(&shuffled, seed, 32), Known::default());
            check(&layout, &real, None, &format!("{} order {seed}", case.name));
        }
    }
}

/// A file that a kernel with `n_nodes` nodes would print of areas placed at random.
fn made(dice: &mut Dice, n_areas: usize, n_nodes: u64) -> Baseline {
    let page = 4096;
    let mut at = 0xffff_c900_0000_0000_u64 + dice.roll(1 << 20) * page;
    let mut areas = Vec::new();
    for _ in 0..n_areas {
        let pages = 1 + dice.roll(9);
        let size = (pages + 1) * page;
        areas.push((at, at + size, pages));
        at += size + if dice.roll(5) == 0 { (1 + dice.roll(200)) * page } else { 0 };
    }
    areas.sort_by_key(|(start, ..)| (start / (16 * page) % n_nodes, *start));
    let area = |(line, (start, end, pages)): (u32, (u64, u64, u64))| BaselineArea {
        line,
        start,
        end,
        size: end - start,
        caller: "x".to_owned(),
        caller_full: "x+0x1/0x2".to_owned(),
        module: None,
        pages,
        phys: None,
        flags: vmaplens::log::baseline::Flags::VMALLOC,
        nodes: Vec::new(),
        state: BaselineState::Busy,
        repaired: false,
    };
    Baseline { areas: (1..).zip(areas).map(area).collect(), pointers: Pointers::Real }
}

#[test]
fn made_files_of_any_number_of_nodes() {
    let mut dice = Dice(5);
    let mut told: BTreeMap<u64, u32> = BTreeMap::new();
    for n_nodes in [1, 2, 3, 4, 8, 16, 64, 128] {
        for _ in 0..12 {
            let n_areas = 20 + dice.roll(400) as usize;
            let file = made(&mut dice, n_areas, n_nodes);
            let real: Vec<_> = file.areas.iter().map(Some).collect();
            let key = dice.roll(u64::MAX);
            let layout = Layout::of(&hashed(&file, key, 32), Known::default());
            check(&layout, &real, Some(n_nodes as u32), &format!("{n_nodes} nodes, {n_areas} areas: {:?}", layout.why));
            *told.entry(n_nodes).or_default() += u32::from(layout.n_nodes.is_some());
        }
    }
    println!("files that tell the number of nodes, of 12: {told:?}");
    assert!(6 <= told[&2] && 6 <= told[&4], "{told:?}");
}

#[test]
fn what_has_no_hashes_has_no_layout() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/amd64-612-formats");
    for name in ["vmallocinfo.kptr1", "vmallocinfo.kptr2"] {
        let layout = Layout::of(&read(&folder.join(name)), Known::default());
        assert_eq!((layout.why, layout.order, layout.figures().joins), (Why::NotHashed, Certainty::Unknown, 0));
    }
}
