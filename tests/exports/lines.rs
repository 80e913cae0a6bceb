//! Formats of lines: Chrome's JSON, folded stacks, metrics.

use std::collections::HashMap;

use serde_json::Value;
use vmaplens::compare::{Lane, LaneSpec, demands_of};
use vmaplens::event::EventKind;
use vmaplens::export::folded::{self, Measure, Options};
use vmaplens::export::{About, chrome::Chrome, lanes, openmetrics, time_line};
use vmaplens::replay::Replay;

use super::{capture, captures, name_of, replay_of, text};

fn chrome(replay: &Replay, lives: u64) -> Value {
    let mut out = Vec::new();
    let mut file = Chrome::new(&mut out, &About::of(replay));
    time_line::draw(replay, lives, &mut file).expect("written");
    time_line::TimeLine::finish(&mut file).expect("written");
    serde_json::from_slice(&out).expect("JSON")
}

#[test]
fn chromes_lives_begin_and_end_and_never_overlap() {
    for path in captures() {
        let replay = replay_of(&path);
        let what = name_of(&path);
        let document = chrome(&replay, u64::MAX);
        assert_eq!(document["displayTimeUnit"], "ns");
        assert!(document["otherData"]["schema"].is_string() && document["otherData"]["lost"].is_u64(), "{what}");
        let mut open: HashMap<String, Vec<String>> = HashMap::new();
        let (mut lives, mut failed) = (0, 0);
        for event in document["traceEvents"].as_array().expect("events") {
            let (phase, name) = (event["ph"].as_str().expect("ph"), event["name"].as_str().expect("name"));
            let id = event["id"].as_str().unwrap_or_default().to_owned();
            match phase {
                "b" => {
                    lives += u64::from(name != "lazy");
                    open.entry(id).or_default().push(name.to_owned());
                }
                "e" => assert_eq!(open.get_mut(&id).and_then(Vec::pop).as_deref(), Some(name), "{what}: {event}"),
                "i" => failed += u64::from(name.starts_with("failed ")),
                _ => assert!(["C", "M"].contains(&phase), "{event}"),
            }
        }
        assert!(open.values().all(Vec::is_empty), "{what}");
        let counts = replay.log().counts();
        assert!(counts.alloc - counts.failed <= lives, "{what}: {lives}");
        assert_eq!(failed, counts.failed, "{what}");
    }
}

#[test]
fn stamps_are_decimals_made_of_whole_nanoseconds() {
    let replay = capture("amd64-612-first-steps");
    let mut out = Vec::new();
    time_line::draw(&replay, u64::MAX, &mut Chrome::new(&mut out, &About::of(&replay))).expect("written");
    let first = replay.log().events.first().expect("a record").at.0;
    let wanted = format!("\"ts\":{}.{:03},", first / 1000, first % 1000);
    assert!(text(&out[..out.len().min(4000)]).contains(&wanted), "{wanted}");
}

#[test]
fn short_lives_can_be_left_out_and_that_is_said() {
    let replay = capture("amd64-612-boot-smp1");
    let count = |document: &Value| {
        let events = document["traceEvents"].as_array().expect("events");
        events.iter().filter(|event| event["ph"] == "b" && event["name"] != "lazy").count()
    };
    let (all, some) = (chrome(&replay, u64::MAX), chrome(&replay, 300));
    let there = vmaplens::export::Walk::new(&replay).busy().count();
    assert!(count(&some) <= 300 + there && 0 < count(&some) && count(&some) < count(&all));
    let said = some["traceEvents"].as_array().expect("events").last().expect("one").clone();
    let left_out = said["args"]["left_out"].as_u64().expect("a number");
    // The very last events are ends of lives.
    assert_eq!(count(&all) - count(&some), left_out as usize, "{said}");
}

fn lines(replay: &Replay, options: Options) -> Vec<(String, u64)> {
    let mut out = Vec::new();
    folded::write(replay, options, &mut out).expect("written");
    let line = |line: &str| {
        let (stack, value) = line.rsplit_once(' ').expect("a value");
        (stack.to_owned(), value.parse().expect("a number"))
    };
    text(&out).lines().map(line).collect()
}

#[test]
fn folded_stacks_add_up() {
    for name in ["amd64-612-boot-smp1", "amd64-612-exhaust-range", "i386-65-exhaust-smp1"] {
        let mut replay = capture(name);
        let sum = |measure, by_task| {
            lines(&replay, Options { measure, by_task, ..Options::default() }).iter().map(|line| line.1).sum::<u64>()
        };
        let counts = replay.log().counts();
        // Chunks that no record announces are areas as well.
        let chunks = vmaplens::export::Walk::new(&replay);
        let (mut walk, mut n, mut bytes) = (chunks, 0, 0);
        while walk.step().is_some() {
            n += walk.begun.len() as u64;
            bytes += walk.begun.iter().map(vmaplens::export::Area::len_bytes).sum::<u64>();
        }
        for by_task in [false, true] {
            assert_eq!(sum(Measure::Count, by_task), n, "{name}");
            assert_eq!(sum(Measure::Bytes, by_task), bytes, "{name}");
            assert_eq!(sum(Measure::Failures, by_task), counts.failed, "{name}");
        }
        let live = sum(Measure::Live, false);
        replay.seek(replay.len(), usize::MAX);
        assert_eq!(live, replay.space().allocator().metrics().busy_bytes, "{name}");
    }
}

#[test]
fn a_folded_stack_is_turned_round_and_loses_the_recorder() {
    let trace = "\
            init-1       [001] .....     5.463743: alloc_vmap_area: va_start: 18446683600570023936 size=20480 align=16384 vstart=0xffffc90000000000 vend=0xffffe8ffffffffff failed=0
            init-1       [001] .....     5.463744: <stack trace>
 => trace_event_raw_event_alloc_vmap_area+0x1/0x2
 => alloc_vmap_area+0x3b3/0x800
 => __vmalloc_node_range_noprof+0x10/0x20
 => copy_process;odd+0x1/0x2 [m]
            init-1       [001] .....     7.463743: free_vmap_area_noflush: va_start=0xffffc90000000000 nr_lazy=5 nr_lazy_max=8192
";
    let replay = super::tables::from_text("folded.txt", trace.as_bytes());
    let told = |options: Options| lines(&replay, options)[0].clone();
    let plain = "copy_process:odd [m];__vmalloc_node_range_noprof;alloc_vmap_area";
    assert_eq!(told(Options::default()), (plain.to_owned(), 20480));
    let all = Options { by_task: true, strip: true, measure: Measure::ByteSeconds, ..Options::default() };
    assert_eq!(told(all), ("init;copy_process:odd [m];__vmalloc_node_range;alloc_vmap_area".to_owned(), 40960));
    let offsets = told(Options { offsets: true, ..Options::default() });
    assert!(offsets.0.ends_with(";alloc_vmap_area+0x3b3/0x800"), "{offsets:?}");
}

#[test]
fn openmetrics_has_the_figures_of_the_state() {
    let mut replay = capture("amd64-612-exhaust-range");
    for at in [0, replay.len() / 2, replay.len()] {
        let mut out = Vec::new();
        openmetrics::write(&replay, at, &mut out).expect("written");
        let document = text(&out).to_owned();
        assert!(document.ends_with("# EOF\n"));
        let value = |name: &str| -> u64 {
            let line = document.lines().find(|line| line.starts_with(&format!("{name}{{"))).expect(name);
            line.rsplit_once(' ').expect("a value").1.parse().expect("a number")
        };
        replay.seek(at, usize::MAX);
        let metrics = replay.space().allocator().metrics();
        assert_eq!(value("vmaplens_busy_bytes"), metrics.busy_bytes);
        assert_eq!(value("vmaplens_holes"), metrics.holes);
        assert_eq!(value("vmaplens_lazy_pages"), metrics.lazy_pages);
        let failed =
            replay.log().events.range(..at).filter(|event| matches!(event.kind, EventKind::Alloc { failed: true, .. }));
        assert_eq!(value("vmaplens_failures_total"), failed.count() as u64);
        let of_callers: u64 = document
            .lines()
            .filter(|line| line.starts_with("vmaplens_caller_bytes{"))
            .map(|line| line.rsplit_once(' ').expect("a value").1.parse::<u64>().expect("a number"))
            .sum();
        assert_eq!(of_callers, metrics.busy_bytes);
        // A family is announced once, before its samples.
        let types: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let mut sorted = types.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), types.len());
    }
}

#[test]
fn lanes_are_groups_of_their_own_whose_lives_begin_and_end() {
    for (name, policies) in [
        ("amd64-612-boot-smp1", &["auto", "linux-5.2", "linux-2.6.39", "linux-2.4", "best-fit"][..]),
        ("amd64-612-exhaust-range", &["auto", "linux-4.19:cpus=4"]),
        ("amd64-612-snaptrace-smp1", &["auto", "linux-6.1"]),
    ] {
        let replay = capture(name);
        let demands = demands_of(&replay);
        let mut out = Vec::new();
        let mut file = Chrome::new(&mut out, &About::of(&replay));
        time_line::draw(&replay, u64::MAX, &mut file).expect("written");
        let mut ends = Vec::new();
        for policy in policies {
            let spec = LaneSpec::parse(policy).expect("a policy");
            let mut lane = Lane::new(&replay, &demands, spec, 0).expect("a lane");
            lanes::draw(&replay, &mut lane, u64::MAX, &mut file).expect("written");
            assert!(lane.is_through());
            ends.push(lane.end().expect("through").metrics);
        }
        time_line::TimeLine::finish(&mut file).expect("written");
        drop(file);
        let document: Value = serde_json::from_slice(&out).expect("JSON");
        let mut open: HashMap<(u64, String), i32> = HashMap::new();
        let (mut lives, mut busy) = (HashMap::<u64, u64>::new(), HashMap::<u64, u64>::new());
        for event in document["traceEvents"].as_array().expect("events") {
            let pid = event["pid"].as_u64().expect("a group");
            let id = (pid, event["id"].as_str().unwrap_or_default().to_owned());
            match event["ph"].as_str() {
                Some("b") => {
                    *open.entry(id).or_default() += 1;
                    *lives.entry(pid).or_default() += u64::from(event["name"] != "lazy");
                }
                Some("e") => *open.entry(id).or_default() -= 1,
                Some("C") if event["name"] == "busy bytes" => {
                    busy.insert(pid, event["args"]["bytes"].as_u64().expect("bytes"));
                }
                _ => {}
            }
        }
        assert!(open.values().all(|&n| n == 0), "{name}");
        assert_eq!(lives.len(), policies.len() + 1, "{name}");
        for (n, end) in ends.iter().enumerate() {
            assert_eq!(busy[&(n as u64 + 2)], end.busy_bytes, "{name}: {}", policies[n]);
        }
        // Where nothing failed, every lane has the lives of the trace; 2.4 has no per-CPU chunks.
        if name == "amd64-612-boot-smp1" {
            let chunks = |pid: u64| u64::from(policies.get(pid as usize - 2) == Some(&"linux-2.4"));
            let missing = (2..=lives.len() as u64).find(|pid| lives[pid] + chunks(*pid) != lives[&1]);
            assert_eq!(missing, None, "{lives:?}");
        }
    }
}
