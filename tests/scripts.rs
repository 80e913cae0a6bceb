//! Op scripts as a log: stepping them is running them, in either direction.

#[path = "common/support.rs"]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use vmaplens::log::{Expected, InputKind, Log, ScriptLog};
use vmaplens::replay::script::{Done, ScriptRun};
use vmaplens::replay::{Cause, Replay, Settings, Verdict};

const VECTORS: [&str; 12] = [
    "2.4/small",
    "2.6.32/steps",
    "4.19/errors",
    "4.19/steps",
    "5.10/align4k",
    "5.10/steps",
    "6.1/autowork",
    "6.1/steps",
    "6.12/errors",
    "6.12/helpersched",
    "6.12/poolsteps",
    "6.12/tiny",
];

fn log(script: &[u8], expected: Option<&str>) -> Log {
    let script = parsers::ops::parse(script);
    let mut log = Log::default();
    log.origin.kind = InputKind::Script;
    let problems = script.problems.into_iter();
    log.problems =
        problems.map(|problem| vmaplens::log::FileProblem { file: "test.ops".to_owned(), problem }).collect();
    let expected = expected.map(|text| Expected::new("test.out".to_owned(), text.to_owned(), &script.ops));
    log.script = Some(Arc::new(ScriptLog { header: script.header, ops: script.ops, expected, ..ScriptLog::default() }));
    log
}

fn replay(script: &[u8], expected: Option<&str>) -> Replay {
    Replay::open(Arc::new(log(script, expected)), &Settings::default()).expect("replays")
}

fn vector(name: &str) -> (Vec<u8>, String) {
    let text = |ending: &str| common::data(&format!("vectors/{name}.{ending}.zst"));
    (text("ops"), String::from_utf8(text("out")).expect("text"))
}

/// Forwards every op leaves the state the text runner is in, and answers with its words.
#[test]
fn stepping_is_running() {
    for name in VECTORS {
        let (script, expected) = vector(name);
        let mut replay = replay(&script, Some(&expected));
        let script = Arc::clone(replay.log().script.as_ref().expect("a script"));
        let mut run = ScriptRun::new(&script, &Settings::default()).expect("runs");
        let mut done = Done::default();
        assert_eq!(replay.len(), script.ops.len(), "{name}");
        for (index, asked) in script.ops.iter().enumerate() {
            let mut answer = String::new();
            run.print(&asked.op, index as u32, &mut done, &mut answer);
            assert!(replay.step(), "{name}");
            let (seq, event) = replay.current().expect("a record");
            assert_eq!((seq.index(), event.line), (index, asked.line), "{name}");
            assert_eq!(replay.answer_in_full().as_deref(), Some(answer.as_str()), "{name}: op {}", index + 1);
            assert_eq!(replay.plan().answer(seq), answer.lines().next(), "{name}: op {}", index + 1);
            // The text of a large state takes long, and a state that went wrong stays wrong.
            if index < 1000 || index % 16 == 0 || index + 1 == script.ops.len() {
                assert_eq!(replay.space().digest(), run.space().digest(), "{name}: op {}", index + 1);
            }
            assert_eq!(replay.space().allocator().drain_pending(), run.allocator().drain_pending(), "{name}");
            assert_eq!(replay.verdict(seq), Verdict::Exact, "{name}: op {}", index + 1);
        }
        assert!(!replay.step());
        let tally = replay.tally();
        assert_eq!((tally.exact, tally.differs), (script.ops.len() as u64, 0), "{name}");
    }
}

/// Back, and anywhere, is the state that was there before.
#[test]
fn stepping_back_and_seeking_give_the_same_states() {
    for name in VECTORS {
        let (script, _) = vector(name);
        let mut replay = replay(&script, None);
        let n = replay.len();
        let backs: Vec<usize> = (n.saturating_sub(200)..n).rev().collect();
        let targets: Vec<usize> = (0..64).map(|k| (k * 7919 + 13) % (n + 1)).collect();
        let looked_at: BTreeSet<usize> = backs.iter().chain(&targets).copied().collect();
        let mut digests = BTreeMap::new();
        for at in 0..=n {
            if looked_at.contains(&at) {
                digests.insert(at, replay.space().digest());
            }
            assert_eq!(replay.step(), at < n, "{name}");
        }
        for back in backs {
            assert!(replay.step_back());
            assert_eq!(replay.space().digest(), digests[&back], "{name}: back to {back}");
        }
        for target in targets {
            replay.seek(target, usize::MAX);
            assert_eq!(replay.space().digest(), digests[&target], "{name}: seek to {target}");
        }
    }
}

/// A wrong answer is a divergence there and nowhere else; the model goes on with its own.
#[test]
fn a_wrong_answer_is_a_divergence_at_its_op() {
    let (script, expected) = vector("6.12/poolsteps");
    let right = replay(&script, Some(&expected));
    for line in [0, 7, 40] {
        let wrong: Vec<String> = expected
            .lines()
            .enumerate()
            .map(|(at, text)| if at == line { "wrong".to_owned() } else { text.to_owned() })
            .collect();
        let differs = replay(&script, Some(&(wrong.join("\n") + "\n")));
        let expected = right.log().script.as_ref().and_then(|script| script.expected.as_ref()).expect("expected");
        let op = (0..right.len()).rfind(|&op| expected.line(op) as usize <= line + 1).expect("an op");
        let found: Vec<usize> = differs.plan().divergences.iter().map(|found| found.seq.index()).collect();
        assert_eq!(found.first(), Some(&op), "line {}", line + 1);
        assert_eq!(differs.plan().timeline.divergences.first().map(|&seq| seq as usize), Some(op));
        let verdict = differs.plan().divergences[0].verdict;
        assert_eq!(verdict, Verdict::Differs(Cause::NotTheExpected));
        let [ours, theirs] = [&differs, &right].map(|replay| replay.plan().ops(replay.log()).collect::<Vec<_>>());
        assert_eq!(ours, theirs, "the model does not listen to the expected answers");
    }
    let cut = replay(&script, Some(expected.split_inclusive('\n').next().expect("a line")));
    assert_eq!(cut.plan().divergences.len(), cut.len() - 1);
    assert_eq!(cut.plan().divergences[0].verdict, Verdict::Differs(Cause::NoExpectation));
}

#[test]
fn without_expected_answers_nothing_is_judged() {
    let (script, _) = vector("5.10/steps");
    let mut replay = replay(&script, None);
    replay.seek(replay.len(), usize::MAX);
    assert_eq!(replay.tally(), vmaplens::replay::Tally::default());
}

/// Nothing that was read is lost: the ops around a damaged line run, an era nobody knows is a problem with its line.
#[test]
fn a_damaged_script_opens_with_its_problems() {
    let replay = replay(b"era nine\na 0 4096\nb 1\na 1\nf 0\nlazy\n", None);
    let problems: Vec<String> =
        replay.log().problems.iter().map(|found| format!("{}: {}", found.problem.line, found.problem.kind)).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].starts_with("1: no allocator is known for era \"nine\""), "{problems:?}");
    assert_eq!(replay.len(), 3);
    let settings = Settings { policy: Some("linux-0.1".to_owned()), ..Settings::default() };
    assert!(Replay::open(Arc::new(log(b"a 0 4096\n", None)), &settings).is_err(), "what the user asks for must exist");
}

fn line() -> impl Strategy<Value = String> {
    let size = prop_oneof![
        8 => (0_u64..70).prop_map(|pages| pages * 4096),
        1 => any::<u64>(),
        1 => (0_u32..64).prop_map(|shift| 1 << shift),
    ];
    let align = prop_oneof![6 => Just(1_u64), 3 => (0_u32..64).prop_map(|shift| 1 << shift), 1 => any::<u64>()];
    let window = prop_oneof![
        6 => Just("- -".to_owned()),
        2 => (0_u64..80, 0_u64..80).prop_map(|(a, b)| format!("{} {}", 0x10_0000 + a * 4096, 0x10_0000 + b * 4096)),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(a, b)| format!("{a} {b}")),
    ];
    prop_oneof![
        8 => (0_u64..24, size, align, window, 0_u32..70_000).prop_map(
            |(id, size, align, window, cpu)| format!("a {id} {size} {align} {window} {cpu}")
        ),
        6 => (0_u64..24).prop_map(|id| format!("f {id}")),
        3 => prop::sample::select(vec!["purge", "work", "shrink", "lazy", "check", "hash", "dump free", "mark", "a 1", "\u{1b}[2J"])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_script_is_survived(
        era in prop::sample::select(vec!["2.4", "2.6.20", "2.6.32", "4.19", "5.10", "5.17", "6.1", "6.12", "7.2", "nonsense"]),
        header in prop::sample::select(vec![
            "", "range 0x100000 0x140000", "autowork 1\nrange 0x100000 0x140000", "cpus 4294967295\npossible 4294967295",
            "early 1 4096\nearly 0xfffffffffffff000 0xffffffffffffffff", "range 1 2\nhelpers sched", "range 0 0xffffffffffffffff",
        ]),
        lines in prop::collection::vec(line(), 1..80),
        expected in "[0-9a-f.\nT W]{0,80}",
    ) {
        let text = format!("era {era}\n{header}\n{}\n", lines.join("\n"));
        let Ok(mut replay) = Replay::open(Arc::new(log(text.as_bytes(), Some(&expected))), &Settings::default()) else {
            return Ok(());
        };
        let n = replay.len();
        let mut digests = vec![replay.space().digest()];
        while replay.step() {
            digests.push(replay.space().digest());
        }
        prop_assert!(replay.space().allocator().audit().is_ok(), "{:?}\n{text}", replay.space().allocator().audit());
        replay.seek(n / 2, usize::MAX);
        prop_assert_eq!(replay.space().digest(), digests[n / 2]);
        let tally = replay.plan().tally(n);
        prop_assert_eq!(tally.exact + tally.differs, n as u64);
        let _ = replay.answer_in_full();
    }
}
