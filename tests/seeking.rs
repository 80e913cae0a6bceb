//! Wherever the cursor is sent, in whatever order, under whatever budget: the states there are those of a replay from zero.

#[path = "common/support.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::Dice;
use vmaplens::log::{InputKind, Log, ScriptLog};
use vmaplens::replay::{Replay, Seek, Settings};

/// Records of each log: more than lie between the first checkpoints.
const RECORDS: usize = 5_000;
/// Places compared in each log.
const PLACES: usize = 24;
/// Movements made in each log, for each setting.
const MOVES: usize = 60;

fn entries(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    all.sort();
    all
}

/// The first records of every capture.
fn captures() -> Vec<(String, Log)> {
    let folders = entries("traces").into_iter().filter(|path| path.is_dir() && !path.ends_with("lessons"));
    folders
        .map(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            let mut log = Log::clone(&common::capture(&name));
            log.events.truncate(RECORDS);
            (name, log)
        })
        .collect()
}

/// The first ops of every vector.
fn vectors() -> Vec<(String, Log)> {
    let eras = ["2.4", "2.6.32", "4.19", "5.10", "6.1", "6.12"];
    let files = eras.into_iter().flat_map(|era| entries(&format!("tests/data/vectors/{era}")));
    let ops = files.filter(|path| path.to_string_lossy().ends_with(".ops.zst"));
    ops.map(|path| {
        let packed = std::fs::read(&path).expect("a vector");
        let mut parsed = parsers::ops::parse(&zstd::stream::decode_all(packed.as_slice()).expect("zstd"));
        parsed.ops.truncate(RECORDS / 4);
        let mut log = Log::default();
        log.origin.kind = InputKind::Script;
        log.script = Some(Arc::new(ScriptLog { header: parsed.header, ops: parsed.ops, ..ScriptLog::default() }));
        (path.display().to_string(), log)
    })
    .collect()
}

/// What is told of the states at a place: the areas before and after its record, what is behind them, its steps.
fn told(replay: &Replay) -> (u64, u64, String, String) {
    let (before, space) = (replay.before(), replay.space());
    let behind = format!("{:?}", (common::behind(before), common::behind(space)));
    (before.digest(), space.digest(), behind, format!("{:?}", replay.outcome().steps.len()))
}

/// Some places, ascending, both ends among them, with what a replay that only steps forwards tells there.
fn from_zero(name: &str, log: &Log, dice: &mut Dice) -> Vec<(usize, (u64, u64, String, String))> {
    let mut replay = Replay::open(Arc::new(log.clone()), &Settings::default()).expect(name);
    let n = replay.len();
    let mut places: Vec<usize> = (0..PLACES).map(|_| dice.roll(n as u64 + 1) as usize).chain([0, 1, n]).collect();
    places.sort_unstable();
    places.dedup();
    let mut all = Vec::new();
    for place in places {
        while replay.cursor() < place {
            assert!(replay.step(), "{name}");
        }
        all.push((place, told(&replay)));
    }
    all
}

/// Random movements between the places: at once and in slices, with what is behind the areas and without it first, one
/// step past a place and back.
fn wander(name: &str, log: &Log, settings: &Settings, dice: &mut Dice) {
    let want = from_zero(name, log, dice);
    let mut replay = Replay::open(Arc::new(log.clone()), settings).expect(name);
    for _ in 0..MOVES {
        let (place, want) = &want[dice.roll(want.len() as u64) as usize];
        let budget = [usize::MAX, 1 + dice.roll(900) as usize][dice.roll(2) as usize];
        match dice.roll(4) {
            0 => {
                while replay.seek_places(*place, budget) != Seek::Done {}
                assert_eq!(replay.space().digest(), want.1, "{name}: the places at {place}");
                assert_eq!(replay.before().digest(), want.0, "{name}: the places before {place}");
                // Nobody waits for what is behind them, or somebody does.
                if dice.roll(2) == 0 {
                    continue;
                }
            }
            1 if *place < replay.len() => {
                while replay.seek(place + 1, budget) != Seek::Done {}
                assert!(replay.step_back(), "{name}");
            }
            2 if *place > 0 => {
                while replay.seek_places(place - 1, budget) != Seek::Done {}
                assert!(replay.step(), "{name}");
            }
            _ => while replay.seek(*place, budget) != Seek::Done {},
        }
        while replay.settle(budget) != Seek::Done {}
        if dice.roll(8) == 0 {
            replay.prepare(1 + dice.roll(RECORDS as u64) as usize);
        }
        assert_eq!(replay.cursor(), *place, "{name}");
        assert_eq!(&told(&replay), want, "{name} at {place}, {settings:?}");
    }
}

/// Few checkpoints, many, none; what is behind the areas laid at the start, or when it is asked for.
fn settings() -> Vec<Settings> {
    [(None, None), (Some(0), Some(0)), (Some(1 << 16), Some(0)), (Some(1 << 20), Some(2_000))]
        .map(|(checkpoint_bytes, prepared)| Settings { checkpoint_bytes, prepared, ..Settings::default() })
        .to_vec()
}

#[test]
fn the_states_of_captures_are_those_from_zero() {
    let mut dice = Dice(6);
    for (name, log) in captures() {
        for settings in settings() {
            wander(&name, &log, &settings, &mut dice);
        }
    }
}

#[test]
fn the_states_of_vectors_are_those_from_zero() {
    let mut dice = Dice(61);
    for (name, log) in vectors() {
        for settings in &settings()[..2] {
            wander(&name, &log, settings, &mut dice);
        }
    }
}
