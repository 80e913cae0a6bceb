//! Whole recordings on a tracefs in memory: whatever fails, and wherever, everything is as it was before.

mod fake;
mod follower;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::log::Pointers;

use super::bundle::Spool;
use super::facts::Facts;
use super::files::Files;
use super::guard::Guard;
use super::leftovers::{self, Leftover};
use super::mounts::Tracefs;
use super::owner::Owner;
use super::plan::Plan;
use super::probes::{Arch, Symbols};
use super::session::{End, Session, Taken};
use super::settings::{Limits, Settings};
use super::signals::Stop;
use super::{RecordError, check};
use fake::{Fails, Fake, ROOT};

const FUNCTIONS: &[u8] = b"0 t alloc_vmap_area\n0 t free_vmap_area_noflush\n0 t __purge_vmap_area_lazy\n";

fn facts(has_events: bool) -> Facts {
    Facts {
        release: "6.1.0".to_owned(),
        version: "#1".to_owned(),
        machine: "x86_64".to_owned(),
        arch: Arch::named("x86_64"),
        page_size: 4096,
        online: vec![0, 1],
        possible: "0-1".to_owned(),
        available_kib: Some(1 << 20),
        tracefs: Tracefs::At(ROOT.into()),
        tracefs_refused: None,
        has_events,
        has_probes: true,
        symbols: Symbols::read(FUNCTIONS),
        kptr: Some(0),
        pointers: Some(Pointers::Hashed),
        lockdown: None,
        is_root: true,
        is_same_user: true,
        capabilities: u64::MAX,
        owner: Owner { pid: 77, started: 1000 },
    }
}

fn settings() -> Settings {
    Settings {
        stacks: true,
        filter: Some("size > 8192".to_owned()),
        allow_kptr: true,
        limits: Limits { duration: Some(Duration::from_millis(1)), ..Limits::default() },
        ..Settings::default()
    }
}

/// A folder of this test's own.
fn output(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("vmaplens-record-{}-{name}", std::process::id()));
    // What an earlier run left.
    let _ = std::fs::remove_dir_all(&path);
    path
}

fn run(fake: &Fake, facts: &Facts, settings: &Settings, name: &str) -> Result<Taken, RecordError> {
    let plan = Plan::new(facts, settings).expect("a plan");
    let target = output(name);
    let mut spool = Spool::new(&target).expect("a folder");
    let stop = Stop::default();
    let session = Session { files: fake, facts, settings, plan: &plan, stop: &stop };
    let taken = session.run(&mut spool, &|_| {});
    std::fs::remove_dir_all(&spool.dir).expect("removed");
    taken
}

#[test]
fn a_recording_leaves_nothing_behind() {
    for has_events in [true, false] {
        let (fake, facts) = (Fake::new(has_events), facts(has_events));
        let before = fake.dump();
        let taken = run(&fake, &facts, &settings(), &format!("whole-{has_events}")).expect("recorded");
        assert_eq!((taken.end, taken.kept.len()), (End::Duration, 0));
        assert_eq!(fake.dump(), before);
        assert_eq!(taken.before.expect("read").kept, 1);
        let has_probes = taken.writes.iter().any(|line| line.contains("kprobe_events"));
        assert_eq!(has_probes, !has_events);
        assert!(taken.writes.iter().any(|line| line.contains("kptr_restrict")));
    }
}

#[test]
fn whatever_fails_everything_is_taken_back() {
    for has_events in [true, false] {
        let facts = facts(has_events);
        let n_changes = {
            let fake = Fake::new(has_events);
            run(&fake, &facts, &settings(), "count").expect("recorded");
            fake.state.borrow().changes
        };
        assert!(20 < n_changes);
        let mut n_refused = 0;
        for at in 0..n_changes {
            for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::ResourceBusy, io::ErrorKind::OutOfMemory] {
                let mut fake = Fake::new(has_events);
                fake.fails = Fails::At(at, kind);
                let before = fake.dump();
                match run(&fake, &facts, &settings(), "failing") {
                    // An undo that failed for good is told; everything else is as it was.
                    Ok(taken) if !taken.kept.is_empty() => continue,
                    Ok(_) => {}
                    Err(error) => {
                        n_refused += 1;
                        assert!(!error.what.is_empty() && !error.hint.is_empty());
                    }
                }
                let after = fake.dump();
                // A snapshot's own undo is not told, but it is tried: a sysctl that refuses stays.
                let is_undo = after.contains("vmaplens-77-1000.kptr_restrict") || after.contains("kptr_restrict: 1");
                assert!(after == before || is_undo && kind != io::ErrorKind::ResourceBusy, "{at} {kind}: {after}");
            }
        }
        assert!(20 < n_refused, "{n_refused}");
    }
}

#[test]
fn a_panic_takes_everything_back() {
    let fake = Fake::new(true);
    let before = fake.dump();
    let plan = Plan::new(&facts(true), &settings()).expect("a plan");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut guard = Guard::new(&fake);
        for step in plan.writes() {
            guard.apply(step).expect("done");
        }
        assert_ne!(fake.dump(), before);
        std::panic::resume_unwind(Box::new("stop"));
    }));
    assert!(panicked.is_err());
    assert_eq!(fake.dump(), before);
}

#[test]
fn what_a_killed_recording_left_is_found_and_nothing_else() {
    let fake = Fake::new(false);
    // Another one that still runs, and what belongs to others.
    let (dead, alive) = (Owner { pid: 5, started: 50 }, Owner { pid: 6, started: 60 });
    fake.run(alive.pid, alive.started);
    // The pid of the dead one is taken again.
    fake.run(dead.pid, 51);
    let instances = Path::new(ROOT).join("instances");
    for name in ["mine", "vmaplens-mine", &alive.instance()] {
        fake.make_dir(&instances.join(name)).expect("made");
    }
    for probe in
        ["p:kprobes/theirs do_exit", "p:vmaplens_of_mine/x do_exit", &format!("p:{}/vm_free f a=1", alive.group())]
    {
        fake.append(&Path::new(ROOT).join("kprobe_events"), probe).expect("defined");
    }
    let before = fake.dump();
    fake.append(&Path::new(ROOT).join("kprobe_events"), &format!("r64:{}/vm_alloc_ret f r=$retval", dead.group()))
        .expect("defined");
    fake.make_dir(&instances.join(dead.instance())).expect("made");
    // Somebody has switched on everything there is.
    let theirs = instances.join("mine/events").join(dead.group()).join("vm_alloc_ret/enable");
    fake.write(&theirs, "1").expect("there");
    fake.create(&Path::new("/run").join(dead.note()), "0\n").expect("made");
    fake.write(Path::new(super::facts::KPTR), "1").expect("there");

    let facts = facts(false);
    let found = leftovers::find(&fake, &facts);
    assert_eq!(found.len(), 3, "{found:?}");
    for leftover in &found {
        leftovers::remove(&fake, leftover).expect("removed");
    }
    assert_eq!(fake.dump(), before);
    assert_eq!(leftovers::find(&fake, &facts), []);
}

#[test]
fn a_setting_that_somebody_else_has_changed_since_stays() {
    let fake = Fake::new(true);
    let note = Path::new("/run").join(Owner { pid: 5, started: 50 }.note());
    fake.create(&note, "0\n").expect("made");
    fake.write(Path::new(super::facts::KPTR), "2").expect("there");
    let found = leftovers::find(&fake, &facts(true));
    assert_eq!(found, [Leftover::Setting(note, "0".to_owned())]);
    assert!(leftovers::remove(&fake, &found[0]).expect("removed").contains("not set back"));
    assert_eq!(fake.text(Path::new(super::facts::KPTR)).as_deref(), Some("2"));
}

#[test]
fn an_instance_that_is_read_from_is_not_touched() {
    let fake = Fake::new(true);
    let instance = Path::new(ROOT).join("instances").join(Owner { pid: 5, started: 50 }.instance());
    fake.make_dir(&instance).expect("made");
    let reader = fake.open(&instance.join("per_cpu/cpu0/trace_pipe_raw")).expect("opened");
    let before = fake.dump();
    let found = leftovers::find(&fake, &facts(true));
    let error = leftovers::remove(&fake, &found[0]).expect_err("busy");
    assert_eq!((error.kind(), fake.dump()), (io::ErrorKind::ResourceBusy, before));
    drop(reader);
    leftovers::remove(&fake, &found[0]).expect("removed");
}

#[test]
fn only_own_files_are_ever_written() {
    for (has_events, probes) in [(true, false), (true, true), (false, false)] {
        let plan = Plan::new(&facts(has_events), &Settings { probes, ..settings() }).expect("a plan");
        for step in plan.writes() {
            let path = step.path.to_string_lossy();
            let is_own = step.path.starts_with(&plan.instance);
            let is_probe = path.ends_with("/kprobe_events") && step.to_string().contains("vmaplens_77_1000/");
            let is_kptr = path == super::facts::KPTR || path.starts_with("/run/vmaplens-77-1000");
            assert!(is_own || is_probe || is_kptr, "{step}");
            // What is not inside the instance has to be taken back one by one.
            assert!(is_own || step.undo.is_some(), "{step}");
        }
        // Probes are appended, never written: that would remove everybody's.
        let written = plan.writes().map(ToString::to_string).find(|line| line.contains("> /sys/kernel/tracing/kprobe"));
        assert!(written.is_none_or(|line| line.contains(">> ")));
    }
    let plain = Plan::new(&facts(true), &Settings { allow_kptr: false, ..settings() }).expect("a plan");
    assert_eq!(plain.around_reads, []);
}

#[test]
fn needs_say_what_to_do() {
    let settings = Settings::default();
    let here = facts(true);
    assert!(check::is_possible(&check::needs(&here, &settings)));
    let cases: [(Facts, &str); 6] = [
        (Facts { tracefs: Tracefs::Absent, ..here.clone() }, "tracefs"),
        (Facts { tracefs: Tracefs::Unmounted, capabilities: 0, ..here.clone() }, "tracefs"),
        (Facts { tracefs_refused: Some(io::ErrorKind::PermissionDenied), is_root: false, ..here.clone() }, "access"),
        (Facts { lockdown: Some("confidentiality".to_owned()), ..here.clone() }, "lockdown"),
        (Facts { has_events: false, symbols: Symbols::default(), ..here.clone() }, "events"),
        (Facts { available_kib: Some(1000), ..here.clone() }, "memory"),
    ];
    for (facts, name) in cases {
        let needs = check::needs(&facts, &settings);
        assert!(!check::is_possible(&needs), "{name}");
        let failed = needs.iter().find(|need| !need.met && need.must).expect("one");
        assert_eq!(failed.need, name);
        assert!(failed.remedy.is_some(), "{name}");
    }
}

#[test]
fn buffers_fit_the_memory() {
    let kib = |available: u64, cpus: u16, asked: Option<u64>| {
        let facts = Facts { available_kib: Some(available), online: (0..cpus).collect(), ..facts(true) };
        Plan::new(&facts, &Settings { buffer_kib: asked, ..Settings::default() }).map(|plan| plan.buffer_kib)
    };
    assert_eq!(kib(16 << 20, 2, None), Ok(8192));
    assert_eq!(kib(1 << 20, 32, None), Ok(4096));
    assert!(kib(100_000, 256, None).expect_err("too much").what.contains("256 CPUs"));
    assert_eq!(kib(1 << 20, 2, Some(100_000)), Ok(100_000));
    assert!(kib(1 << 20, 2, Some(300_000)).expect_err("too much").hint.contains("--buffer-size"));
}
