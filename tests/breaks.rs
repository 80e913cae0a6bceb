//! Break conditions find the same records forwards from the start and backwards from the end, and those are the records
//! that looking at every state from zero finds.

#[path = "common/support.rs"]
mod common;
#[path = "breaks/naive.rs"]
mod naive;

use std::path::PathBuf;
use std::sync::Arc;

use common::Dice;
use naive::{Moment, holds, moments};
use parsers::condition::{Comparison, Condition, Figure, Number, Pattern, RecordKind, RecordTest, Unit};
use vmaplens::event::{EventKind, Seq};
use vmaplens::insight::{Compiled, Edge, Run, Turn, Watch, Way};
use vmaplens::log::Log;
use vmaplens::model::Place;
use vmaplens::replay::{Replay, Settings};
use vmaplens::source::{Input, Reading, open};

/// Captures of every era that has any, late ones and ones with stacks among them.
const CAPTURES: &[&str] = &[
    "amd64-612-first-steps",
    "amd64-612-exhaust-range",
    "amd64-612-vmstress-10k",
    "amd64-612-parts-smp2",
    "amd64-612-testvmalloc-smp4",
    "amd64-612-snaptrace-smp1",
    "amd64-61-kprobes-smp1",
    "amd64-510-kprobes-smp1",
    "i386-65-exhaust-smp1",
];
/// Scripts, of the eras without captures too.
const SCRIPTS: &[&str] = &["first-fit", "merge-and-purge", "pools", "map-ram", "vmlist", "random-addresses"];
/// Records that are looked at one by one.
const PREFIX: usize = 700;

/// The first records of a capture, replayed.
fn prefix(name: &str, n: usize) -> Replay {
    let mut log = Log::clone(&common::capture(name));
    log.events.truncate(n);
    Replay::open(Arc::new(log), &Settings::default()).expect(name)
}

fn script(name: &str) -> Replay {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("traces/lessons/{name}.ops"));
    let log = open(&Input::Path(path), &Reading::default()).expect(name);
    Replay::open(Arc::new(log), &Settings::default()).expect(name)
}

/// Every edge, in the order it is found, a few records at a time.
fn edges(replay: &Replay, watch: &Watch, way: Way, dice: &mut Dice) -> Vec<Edge> {
    let from = match way {
        Way::Forward => 0,
        Way::Back => replay.len() + 1,
    };
    let mut run = Run::new(watch.clone(), way, from);
    let mut found = Vec::new();
    loop {
        match run.turn(replay, 1 + dice.roll(3000) as usize) {
            Turn::Going => {}
            Turn::Found(edge) => found.push(edge),
            Turn::Ended => return found,
        }
    }
}

/// The edges from both directions, which are the same; ascending.
fn both_ways(replay: &Replay, watch: &Watch, dice: &mut Dice, what: &str) -> Vec<Edge> {
    let forwards = edges(replay, watch, Way::Forward, dice);
    let mut backwards = edges(replay, watch, Way::Back, dice);
    backwards.reverse();
    assert_eq!(forwards, backwards, "{what}");
    forwards
}

/// A condition about what happens in the trace: thresholds are values that occur.
fn random(dice: &mut Dice, moments: &[Moment], depth: u32) -> Condition {
    use Comparison::{AtLeast, AtMost, Equal, Less, More, Unequal};
    let parts = |dice: &mut Dice| (0..2 + dice.roll(2)).map(|_| random(dice, moments, depth + 1)).collect();
    match dice.roll(if depth < 3 { 9 } else { 6 }) {
        6 => return Condition::All(parts(dice)),
        7 => return Condition::Any(parts(dice)),
        8 => return Condition::Not(Box::new(random(dice, moments, depth + 1))),
        _ => {}
    }
    let moment = &moments[dice.roll(moments.len() as u64) as usize];
    let comparison = [Less, AtMost, More, AtLeast, Equal, Unequal][dice.roll(6) as usize];
    let number = |whole: u64| Number { whole, billionths: 0, unit: Unit::None };
    let record = match dice.roll(14) {
        0 => RecordTest::Kind(RecordKind::ALL[dice.roll(RecordKind::ALL.len() as u64) as usize]),
        1 => RecordTest::Size(comparison, number(moment.size.unwrap_or(8192))),
        2 => RecordTest::Align(comparison, number(1 << dice.roll(14))),
        3 => RecordTest::Task(Pattern::new(&moment.task.as_deref().unwrap_or("*").replace(['1', '2'], "?"))),
        4 => RecordTest::Task(Pattern::new(&moment.pid.to_string())),
        5 => RecordTest::Cpu(comparison, dice.roll(3)),
        6 => RecordTest::Caller(Pattern::new(moment.callers.last().map_or("*_create", String::as_str))),
        _ => {
            let figure = Figure::ALL[dice.roll(Figure::ALL.len() as u64) as usize];
            let value = moment.figures.get(figure.word()).copied().unwrap_or(1);
            let (whole, billionths) = (value / 1_000_000_000, value % 1_000_000_000);
            let unit = if figure == Figure::Time { Unit::Time(1) } else { Unit::None };
            let number = Number { whole: whole as u64, billionths: billionths as u32, unit };
            return Condition::State(figure, comparison, number);
        }
    };
    Condition::Record(record)
}

/// Counts edges over random conditions: forwards, backwards and one by one.
fn check(replay: &Replay, seed: u64, n: usize, what: &str) -> usize {
    let log = Arc::clone(replay.log());
    let moments = moments(replay, &log);
    let page_size = replay.plan().machine.page_size;
    let mut dice = Dice(seed);
    let mut total = 0;
    for _ in 0..n {
        let n_conditions = 1 + dice.roll(3);
        let conditions: Vec<Condition> = (0..n_conditions).map(|_| random(&mut dice, &moments, 0)).collect();
        let told = conditions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
        let watch = Watch::Conditions(conditions.iter().map(|condition| Compiled::new(condition, replay)).collect());
        let mut wanted = Vec::new();
        for at in 1..moments.len() {
            let is_edge = |condition: &Condition| {
                holds(condition, &moments[at], true, true, page_size)
                    && !holds(condition, &moments[at - 1], false, true, page_size)
            };
            let which = conditions
                .iter()
                .enumerate()
                .fold(0, |which, (bit, condition)| which | u64::from(is_edge(condition)) << bit);
            if which != 0 {
                wanted.push(Edge { at, which });
            }
        }
        let found = both_ways(replay, &watch, &mut dice, &format!("{what}: {told}"));
        assert_eq!(found, wanted, "{what}: {told}");
        total += found.len();
    }
    total
}

#[test]
fn edges_are_those_of_every_state_from_zero_in_captures() {
    for (&name, seed) in CAPTURES.iter().zip(1..) {
        let replay = prefix(name, PREFIX);
        let n = check(&replay, seed, 60, name);
        assert!(n > 1000, "{name}: {n} edges");
    }
}

#[test]
fn edges_are_those_of_every_state_from_zero_in_scripts() {
    for (&name, seed) in SCRIPTS.iter().zip(100..) {
        let n = check(&script(name), seed, 60, name);
        assert!(n > 100, "{name}: {n} edges");
    }
}

/// Whole captures, with checkpoints on the way: both directions, from any place.
#[test]
fn edges_of_whole_captures_are_the_same_from_both_ends_and_from_between() {
    for (&name, seed) in CAPTURES.iter().zip(200..) {
        let mut replay = common::replay(name);
        let mut dice = Dice(seed);
        for text in [
            "largest_hole < 33553G or lazy > 2000 pages",
            "failed or holes > 20 and size > 16K",
            "not (lazy < 1M) and kind alloc",
            "fragmentation > 0.00001 or page_tables > 20 or free < 600K",
            "divergence",
            "busy > 2M and time > 1s",
        ] {
            let condition = parsers::condition::parse(text).expect(text);
            let watch = Watch::Conditions(vec![Compiled::new(&condition, &replay)]);
            let all = both_ways(&replay, &watch, &mut dice, &format!("{name}: {text}"));
            for _ in 0..3 {
                let from = dice.roll(replay.len() as u64 + 1) as usize;
                // Wherever the cursor is, and whatever is kept around it.
                replay.seek(dice.roll(replay.len() as u64 + 1) as usize, usize::MAX);
                let first = |way| {
                    let mut run = Run::new(watch.clone(), way, from);
                    loop {
                        match run.turn(&replay, 900) {
                            Turn::Going => {}
                            Turn::Found(edge) => return Some(edge),
                            Turn::Ended => return None,
                        }
                    }
                };
                assert_eq!(first(Way::Forward), all.iter().find(|edge| from < edge.at).copied(), "{name}: {text}");
                assert_eq!(first(Way::Back), all.iter().rfind(|edge| edge.at < from).copied(), "{name}: {text}");
            }
        }
    }
}

/// What lies at an address changes at the records a run finds, and at no other.
#[test]
fn the_life_of_a_place_is_what_looking_there_every_time_shows() {
    let replays = CAPTURES.iter().map(|name| (*name, prefix(name, PREFIX)));
    let replays: Vec<_> = replays.chain(SCRIPTS.iter().map(|name| (*name, script(name)))).collect();
    let mut total = 0;
    for (name, replay) in replays {
        let starts = replay.log().events.iter().filter_map(|event| match event.kind {
            EventKind::Alloc { addr, size, failed: false, .. } => Some((addr.0, size)),
            EventKind::Unasked { addr, end } => Some((addr.0, end.0 - addr.0)),
            _ => None,
        });
        let starts: Vec<(u64, u64)> = starts.collect();
        let mut dice = Dice(7);
        for _ in 0..12 {
            let Some(&(start, size)) = starts.get(dice.roll(starts.len().max(1) as u64) as usize) else { break };
            let addr = start + dice.roll(2) * size.saturating_sub(1);
            let mut walk = replay.clone();
            walk.seek(0, usize::MAX);
            let mut before = thing(&walk, addr);
            let mut wanted = Vec::new();
            while walk.step() {
                let now = thing(&walk, addr);
                if now != before {
                    wanted.push(Edge { at: walk.cursor(), which: 1 });
                }
                before = now;
            }
            let found = both_ways(&replay, &Watch::Place(addr), &mut dice, &format!("{name}: 0x{addr:x}"));
            assert_eq!(found, wanted, "{name}: 0x{addr:x}");
            total += found.len();
        }
    }
    assert!(total > 500, "{total}");
}

fn thing(replay: &Replay, addr: u64) -> (u8, u64, u64, u32) {
    let allocator = replay.space().allocator();
    let of = |kind, id| {
        let area = &allocator.areas()[id];
        (kind, area.start, area.end, area.born)
    };
    match allocator.lookup(addr) {
        Place::Busy { area, .. } => of(1, area),
        Place::Lazy { area, .. } => of(2, area),
        Place::Pooled { area, .. } => of(3, area),
        Place::Free { extent, .. } => (4, extent.start(), extent.end(), 0),
        Place::Unknown => (0, 0, 0, 0),
    }
}

/// An address finds the records of every area that contained it: placed, freed, taken back.
#[test]
fn an_address_finds_what_happened_to_the_areas_that_contained_it() {
    let replay = common::replay("amd64-612-first-steps");
    let log = replay.log();
    let mut n = 0;
    for (index, event) in log.events.iter().enumerate().step_by(7) {
        let EventKind::Alloc { addr, size, failed: false, .. } = event.kind else { continue };
        let inside = addr.0 + size / 2;
        let condition = parsers::condition::parse(&format!("addr 0x{inside:x}")).expect("read");
        let watch = Watch::Conditions(vec![Compiled::new(&condition, &replay)]);
        let found = both_ways(&replay, &watch, &mut Dice(index as u64), "addr");
        let at: Vec<usize> = found.iter().map(|edge| edge.at - 1).collect();
        assert!(at.contains(&index), "{index}: {at:?}");
        let Some(mate) = replay.plan().mate(Seq(index as u32)) else { continue };
        assert!(at.contains(&mate.index()), "{index}: {at:?}");
        let purge = log.events.range(mate.index()..).position(|event| event.kind.returned_something());
        assert!(purge.is_none_or(|behind| at.contains(&(mate.index() + behind))), "{index}: {at:?}");
        n += 1;
    }
    assert!(n > 10);
}
