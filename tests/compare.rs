//! Lanes: the trace's own policy is the trace, any other is what a plain run of its allocator gives, and every state is the
//! one a run from zero comes to.

#[path = "common/support.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vmaplens::compare::{Comparison, Demands, LaneSpec, demands_of};
use vmaplens::event::Seq;
use vmaplens::log::{KernelState, Log};
use vmaplens::model::{Op, VmapArea};
use vmaplens::replay::{Replay, Seek, Settings};
use vmaplens::source::{Input, Reading, open_log};

fn entries(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    all.sort();
    all
}

/// Every capture of the repository.
fn captures() -> Vec<(String, Arc<Log>)> {
    let folders = entries("traces").into_iter().chain(entries("tests/data"));
    let captures = folders.filter(|path| path.join("meta.toml").exists());
    captures
        .map(|path| {
            let log = open_log(&Input::Path(path.clone()), &Reading::default()).expect("a capture");
            (path.display().to_string(), Arc::new(log))
        })
        .collect()
}

fn open(log: &Arc<Log>) -> (Replay, Arc<Demands>) {
    let settings = Settings { memory: vmaplens::replay::Follow::Nothing, ..Settings::default() };
    let replay = Replay::open(Arc::clone(log), &settings).expect("a replay");
    let demands = demands_of(&replay);
    (replay, demands)
}

fn compare(replay: &Replay, demands: &Arc<Demands>, lanes: &str) -> Comparison {
    let specs = LaneSpec::parse_list(lanes).expect("lanes");
    let mut comparison = Comparison::new(replay, demands, &specs, 64 << 20).expect("lanes");
    while comparison.run(1000) != Seek::Done {}
    comparison
}

/// The late capture with what its kernel's own lists showed before.
fn with_state_before() -> (String, Arc<Log>) {
    let mut log = Log::clone(&common::capture("amd64-612-snaptrace-smp1"));
    let text = common::data("amd64-612-snaptrace-smp1.state-before.zst");
    let (state, _) = KernelState::check(&parsers::allocator_state::parse(&text).0).expect("holes");
    log.state_before = Some(state);
    ("with the state before".to_owned(), Arc::new(log))
}

/// `recorded` against the capture's own era parts nowhere where one CPU made the records, and both come to the state of the
/// replay. Where the trace does not tell enough, they agree up to the first record that had to be believed.
#[test]
fn on_one_cpu_the_own_era_is_the_record() {
    let mut n_whole = 0;
    for (name, log) in captures().into_iter().chain([with_state_before()]) {
        let (mut replay, demands) = open(&log);
        let comparison = compare(&replay, &demands, "recorded,auto");
        let [recorded, own] = comparison.lanes() else { panic!("two lanes") };
        let adopted = replay.plan().ops(&log).find_map(|op| match op {
            Op::Adopt { born, .. } if born != VmapArea::UNBORN => Some(Seq(born)),
            _ => None,
        });
        replay.seek(replay.len(), usize::MAX);
        assert_eq!(recorded.first_divergence(), None, "{name}");
        if replay.plan().machine.cpus_online > 1 {
            continue;
        }
        assert_eq!(recorded.first_parting(own), adopted, "{name}");
        assert_eq!(own.first_divergence(), adopted, "{name}");
        if adopted.is_none() {
            n_whole += 1;
            assert_eq!(own.end().map(|end| end.digest), Some(replay.space().digest()), "{name}");
            assert_eq!(recorded.end(), own.end(), "{name}");
            assert_eq!(recorded.score().failures, own.score().failures, "{name}");
        }
    }
    assert!(9 < n_whole, "{n_whole} captures of one CPU");
}
