use std::sync::{Arc, Mutex, OnceLock};

use sha2::{Digest, Sha256};

use super::super::machine::Settings;
use super::super::resolve::Resolver;
use super::super::{Machine, Plan, Replay, Verdict};
use super::*;
use crate::event::{EventKind, Seq};
use crate::log::Log;
use crate::model::{Answer, Op};
use crate::source::{Input, Reading, open_log};

/// A store in memory.
#[derive(Debug, Default)]
struct Memory {
    bytes: Mutex<Option<Vec<u8>>>,
    is_wanted: bool,
}

impl Store for Memory {
    fn name(&self) -> String {
        "kept".to_owned()
    }

    fn load(&self, most: u64) -> Stored {
        match &*self.bytes.lock().expect("alone") {
            None => Stored::Nothing,
            Some(bytes) if most < bytes.len() as u64 => Stored::Unreadable("too large".to_owned()),
            Some(bytes) => Stored::Bytes(bytes.clone()),
        }
    }

    fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    fn save(&self, bytes: &[u8]) -> Result<(), String> {
        *self.bytes.lock().expect("alone") = Some(bytes.to_vec());
        Ok(())
    }
}

/// Random numbers that are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// A short trace with exchanged records and purges that had begun.
fn log() -> Arc<Log> {
    static LOG: OnceLock<Arc<Log>> = OnceLock::new();
    let open = || {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/amd64-72-boot-smp3");
        let mut log = open_log(&Input::Path(folder), &Reading::default()).expect("a capture");
        log.events.truncate(3200);
        Arc::new(log)
    };
    Arc::clone(LOG.get_or_init(open))
}

/// What is kept of it.
fn kept() -> Vec<u8> {
    static KEPT: OnceLock<Vec<u8>> = OnceLock::new();
    let write = || {
        let store = Arc::new(Memory { is_wanted: true, ..Memory::default() });
        let replay = opened(&store);
        assert_eq!(replay.plan().kept, Kept { is_written: true, ..Kept::default() });
        store.bytes.lock().expect("alone").clone().expect("written")
    };
    KEPT.get_or_init(write).clone()
}

fn opened(store: &Arc<Memory>) -> Replay {
    let settings = Settings { decisions: Some(Arc::clone(store) as Arc<dyn Store>), ..Settings::default() };
    Replay::open(log(), &settings).expect("opens")
}

/// The same lines with another sum: what somebody would write who wants to be believed.
fn forged(body: &[u8]) -> Vec<u8> {
    let kept = kept();
    let end = kept.iter().position(|&byte| byte == b'\n').expect("a line");
    let mut head: serde_json::Value = serde_json::from_slice(&kept[..end]).expect("JSON");
    let mut sum = Sha256::new();
    sum.update(head["key"].as_str().expect("a key"));
    sum.update([0]);
    sum.update(body);
    head["sum"] = key::hex(&sum.finalize()).into();
    // The order of the keys tells whose file it is.
    let text = ["schema", "program", "key", "gave_up", "sum"].map(|name| format!("\"{name}\":{}", head[name]));
    [format!("{{{}}}\n", text.join(",")).as_bytes(), body].concat()
}

fn body() -> Vec<u8> {
    let kept = kept();
    let end = kept.iter().position(|&byte| byte == b'\n').expect("a line");
    kept[end + 1..].to_vec()
}

/// Reads and does it; `None` if it is refused, or turns out not to be what can have been decided.
fn done(bytes: &[u8]) -> Option<Plan> {
    let log = log();
    let machine = Machine::of(&log, &Settings::default()).expect("a machine");
    let resolver = Resolver::new(&log, machine);
    let asked = Asked::read(&log, &machine, resolver.space());
    let key = key::of(&log, &machine, &asked, resolver.space());
    let decisions = text::read(bytes, &key, &asked).ok()??;
    let ((plan, _), contradicted) = resolver.run_decided(decisions, 1 << 20);
    contradicted.is_none().then_some(plan)
}

/// Every address that is called exact comes out of the model, without having been forced.
fn check_exact(plan: &Plan) {
    let log = log();
    let mut space = Resolver::new(&log, plan.machine).space().clone();
    let mut answers = vec![None; log.events.len()];
    for op in (0..log.events.len()).flat_map(|index| plan.ops_of(&log, index)) {
        let answer = space.apply(&op, None);
        if let Op::Alloc { born, .. } = op {
            answers[born as usize] =
                Some(if let Answer::Placed(extent) = answer { Some(extent.start()) } else { None });
        }
    }
    for (index, event) in log.events.iter().enumerate() {
        if let (EventKind::Alloc { addr, failed, .. }, Verdict::Exact) = (event.kind, plan.verdict(Seq(index as u32))) {
            assert_eq!(answers[index], Some((!failed).then_some(addr.0)), "{index}");
        }
    }
}

#[test]
fn what_is_kept_is_used() {
    let store = Arc::new(Memory { bytes: Mutex::new(Some(kept())), is_wanted: true });
    let again = opened(&store);
    assert_eq!(again.plan().kept, Kept { is_used: true, ..Kept::default() });
    check_exact(again.plan());
}

/// The sum is over everything that is read.
#[test]
fn a_damaged_file_is_not_used() {
    let whole = kept();
    assert_eq!(forged(&body()), whole, "the forger's tools are right");
    assert!(done(&whole).is_some());
    let mut dice = Dice(7);
    for len in (0..whole.len()).step_by(97).chain(whole.len() - 3..whole.len()) {
        assert!(done(&whole[..len]).is_none(), "{len}");
    }
    for _ in 0..400 {
        let mut bytes = whole.clone();
        let at = dice.roll(bytes.len());
        bytes[at] ^= 1 << dice.roll(8);
        assert!(done(&bytes).is_none(), "{at}");
    }
    for other in
        [&b""[..], b"\n", b"{\"schema\":\"vmaplens.decisions/", b"{\"schema\":\"vmaplens.decisions/1\"}\n", &[0xff; 99]]
    {
        assert!(done(other).is_none());
    }
}

#[test]
fn what_is_wrong_is_said_in_a_line_and_written_anew() {
    let whole = kept();
    let mut stale = whole.clone();
    let at = whole.windows(7).position(|bytes| bytes == b"\"key\":\"").expect("a key") + 7;
    stale[at] = if stale[at] == b'0' { b'1' } else { b'0' };
    let flawed =
        [(stale, "another trace"), (whole[..whole.len() - 9].to_vec(), "damaged"), (b"x".to_vec(), "no file of")];
    for (bytes, why) in flawed {
        let store = Arc::new(Memory { bytes: Mutex::new(Some(bytes)), is_wanted: true });
        let kept = opened(&store).plan().kept.clone();
        assert!(kept.is_written && !kept.is_used);
        assert_eq!(kept.problems.len(), 1);
        assert!(kept.problems[0].contains(why) && !kept.problems[0].contains('\n'), "{:?}", kept.problems);
        assert_eq!(store.bytes.lock().expect("alone").as_deref(), Some(&whole[..]));
    }
}

/// Lines of another's making, with the right sum: they are refused, or nothing they say is exact that does not come out.
#[test]
fn a_forged_file_claims_nothing() {
    let body = body();
    let lines: Vec<&[u8]> = body.split_inclusive(|&byte| byte == b'\n').collect();
    let mut dice = Dice(11);
    let (mut n_refused, mut n_done) = (0, 0);
    for _ in 0..600 {
        let mut lines: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
        for _ in 0..=dice.roll(2) {
            let at = dice.roll(lines.len());
            match dice.roll(6) {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at].clone()),
                2 => {
                    let other = dice.roll(lines.len());
                    lines.swap(at, other);
                }
                // Some digit is another one.
                3 => {
                    let places: Vec<usize> = (0..lines[at].len()).filter(|&i| lines[at][i].is_ascii_digit()).collect();
                    let place = places[dice.roll(places.len())];
                    lines[at][place] = b'0' + dice.roll(10) as u8;
                }
                4 => lines[at] = replaced(&lines[at], &mut dice),
                _ => lines[at] = without(&lines[at], ["tag", "does", "missed"][dice.roll(3)]),
            }
        }
        match done(&forged(&lines.concat())) {
            None => n_refused += 1,
            Some(plan) => {
                n_done += 1;
                check_exact(&plan);
            }
        }
    }
    assert!(n_refused > 100 && n_done > 20, "{n_refused} {n_done}");
}

fn without(line: &[u8], name: &str) -> Vec<u8> {
    let mut value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
    value.as_object_mut().expect("an object").remove(name);
    format!("{value}\n").into_bytes()
}

fn replaced(line: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
    let tags = ["plain", "advanced", "exchanged", "other_node", "pool_missed", "believed", "disbelieved"];
    value["tag"] = tags[dice.roll(tags.len())].into();
    let at = value["at"].as_u64().expect("a number");
    let does = [
        serde_json::json!([{"take": at}]),
        serde_json::json!(["believe"]),
        serde_json::json!([{"free_unknown": 7}]),
        serde_json::json!([{"take_pool_missed": at}]),
        serde_json::json!([{"take_other_node": [at, dice.roll(4)]}]),
        serde_json::json!([{"take": at + 1}, {"take": at}]),
        serde_json::json!([{"detach": 0}, {"fill": [0, u32::MAX]}, {"merge": u32::MAX}, {"take": u32::MAX}]),
        serde_json::json!([]),
    ];
    value["does"] = does[dice.roll(does.len())].clone();
    format!("{value}\n").into_bytes()
}

/// A record that lies is adopted, and nothing a file says makes it exact.
#[test]
fn a_lie_stays_a_lie() {
    let honest = log();
    let mut log = Log::clone(&honest);
    let lie = (1000..log.events.len())
        .find(|&index| matches!(log.events.nth(index).kind, EventKind::Alloc { failed: false, .. }))
        .expect("an allocation");
    log.events.update(lie, |event| {
        if let EventKind::Alloc { addr, .. } = &mut event.kind {
            addr.0 += 1 << 30;
        }
    });
    let machine = Machine::of(&log, &Settings::default()).expect("a machine");
    let asked = Asked::read(&log, &machine, Resolver::new(&log, machine).space());
    let of_honest = done(&kept()).expect("honest");
    assert_eq!(of_honest.verdict(Seq(lie as u32)), Verdict::Exact);
    // The decisions of the true trace say nothing of that record: it is taken as it stands.
    let key = "0";
    let bytes = kept();
    let end = bytes.iter().position(|&byte| byte == b'\n').expect("a line");
    let mut head: serde_json::Value = serde_json::from_slice(&bytes[..end]).expect("JSON");
    let mut sum = Sha256::new();
    sum.update(key);
    sum.update([0]);
    sum.update(body());
    head["sum"] = key::hex(&sum.finalize()).into();
    head["key"] = key.into();
    let text = ["schema", "program", "key", "gave_up", "sum"].map(|name| format!("\"{name}\":{}", head[name]));
    let bytes = [format!("{{{}}}\n", text.join(",")).as_bytes(), &body()].concat();
    let decisions = text::read(&bytes, key, &asked).expect("it can be read").expect("there are some");
    let ((plan, _), _) = Resolver::new(&log, machine).run_decided(decisions, 1 << 20);
    assert!(matches!(plan.verdict(Seq(lie as u32)), Verdict::Adopted(_)), "{:?}", plan.verdict(Seq(lie as u32)));
}
