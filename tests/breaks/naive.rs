//! Conditions answered anew for every state: figures from a walk over the whole state, sizes from what is live.

use std::collections::BTreeMap;

use parsers::condition::{Comparison, Condition, Number, RecordKind, RecordTest};
use vmaplens::event::{Event, EventKind, Seq};
use vmaplens::log::Log;
use vmaplens::model::AddressSpace;
use vmaplens::replay::{Replay, Verdict};

/// What one state and the record before it are, counted anew.
pub(crate) struct Moment {
    pub(crate) event: Option<Event>,
    pub(crate) verdict: Verdict,
    pub(crate) figures: BTreeMap<&'static str, u128>,
    /// Bytes the record asks for or frees.
    pub(crate) size: Option<u64>,
    /// `None`: nobody was running, as in a script.
    pub(crate) task: Option<String>,
    pub(crate) pid: i32,
    pub(crate) callers: Vec<String>,
}

fn figures(replay: &Replay, at: usize) -> BTreeMap<&'static str, u128> {
    let space: &AddressSpace = replay.space();
    let metrics = space.allocator().metrics();
    let mut holes = 0;
    space.allocator().visit_holes(&mut |_| holes += 1);
    let outside = u128::from(metrics.free_bytes - metrics.largest_hole) * 1_000_000_000;
    let mut figures: BTreeMap<&'static str, u128> = [
        ("largest_hole", metrics.largest_hole),
        ("lazy", metrics.lazy_pages),
        ("busy", metrics.busy_bytes),
        ("pooled", metrics.pooled_bytes),
        ("free", metrics.free_bytes),
        ("holes", holes),
        ("page_tables", space.n_tables()),
        ("failures", space.failures()),
    ]
    .map(|(name, value)| (name, u128::from(value) * 1_000_000_000))
    .into();
    figures.insert("fragmentation", outside.checked_div(metrics.free_bytes.into()).unwrap_or(0));
    if let Some(event) = at.checked_sub(1).and_then(|index| replay.log().get(Seq(index as u32))) {
        figures.insert("time", u128::from(event.at.0) * 1_000_000_000);
    }
    figures
}

/// Every state from zero, with the records.
pub(crate) fn moments(replay: &Replay, log: &Log) -> Vec<Moment> {
    let mut live: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
    let mut replay = replay.clone();
    replay.seek(0, usize::MAX);
    let nothing = || Moment {
        event: None,
        verdict: Verdict::NotJudged,
        figures: BTreeMap::new(),
        size: None,
        task: None,
        pid: 0,
        callers: Vec::new(),
    };
    let mut moments = vec![Moment { figures: figures(&replay, 0), ..nothing() }];
    for (index, event) in log.events.iter().enumerate() {
        assert!(replay.step());
        let seq = Seq(index as u32);
        let mut born = None;
        let size = match event.kind {
            EventKind::Alloc { size, failed: true, .. } | EventKind::Request { size, .. } => Some(size),
            EventKind::Alloc { addr, size, .. } => {
                live.insert(addr.0, (size, index));
                born = Some(index);
                Some(size)
            }
            EventKind::Unasked { addr, end } => {
                live.insert(addr.0, (end.0 - addr.0, index));
                born = Some(index);
                Some(end.0 - addr.0)
            }
            EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. } => {
                // Which of two records at one place a free belongs to is the replay's to say.
                let mate = replay.plan().mate(seq).map(Seq::index);
                let known = live.remove(&addr.0).filter(|&(_, index)| mate == Some(index));
                born = mate;
                let own = match event.kind {
                    EventKind::FreeProbe { addr, end } if addr < end => Some(end.0 - addr.0),
                    _ => None,
                };
                own.or(known.map(|(size, _)| size))
            }
            EventKind::Report { size, .. } => Some(size).filter(|&size| size > 0),
            _ => None,
        };
        let task = log.names.task(event.task);
        let is_known = (event.task.0 as usize) < log.names.tasks().len();
        let mut callers = Vec::new();
        if let Some(id) = log.stacks.of(seq) {
            callers.extend(log.stacks.frames(id).map(|frame| String::from_utf8_lossy(frame.symbol).into_owned()));
        }
        if let Some(usage) = born.and_then(|born| replay.usages().of_record(born as u32)) {
            let name = replay.usages().caller_name(usage.caller).unwrap_or_default();
            callers.extend(name.split(['+', ' ']).next().filter(|name| !name.is_empty()).map(str::to_owned));
        }
        moments.push(Moment {
            event: Some(event),
            verdict: replay.verdict(seq),
            figures: figures(&replay, index + 1),
            size,
            task: is_known.then(|| String::from_utf8_lossy(&task.comm).into_owned()),
            pid: task.pid,
            callers,
        });
    }
    moments
}

/// Is it so? What is asked of a record is not so without one, nor is its contrary.
pub(crate) fn holds(condition: &Condition, moment: &Moment, with_record: bool, wanted: bool, page_size: u64) -> bool {
    let part = |part: &Condition| holds(part, moment, with_record, wanted, page_size);
    match condition {
        Condition::All(parts) if wanted => parts.iter().all(part),
        Condition::All(parts) => parts.iter().any(part),
        Condition::Any(parts) if wanted => parts.iter().any(part),
        Condition::Any(parts) => parts.iter().all(part),
        Condition::Not(inner) => holds(inner, moment, with_record, !wanted, page_size),
        Condition::Record(test) => with_record && is_so(test, moment, page_size) == wanted,
        Condition::State(figure, comparison, number) => {
            let Some(value) = moment.figures.get(figure.word()) else { return false };
            let wanted_value = number.billionths_of(figure.measure(), page_size);
            compare(*comparison, *value, wanted_value) == wanted
        }
    }
}

fn compare(comparison: Comparison, left: u128, right: u128) -> bool {
    match comparison.sign() {
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        "=" => left == right,
        "!=" => left != right,
        other => unreachable!("{other}"),
    }
}

fn is_so(test: &RecordTest, moment: &Moment, page_size: u64) -> bool {
    let event = moment.event.expect("asked with a record");
    let bytes = |value: u64, comparison: Comparison, number: Number| {
        let wanted = number.billionths_of(parsers::condition::Measure::Bytes, page_size);
        compare(comparison, u128::from(value) * 1_000_000_000, wanted)
    };
    match test {
        RecordTest::Kind(kind) => match kind {
            RecordKind::Failed => matches!(event.kind.word(), "failed" | "report"),
            RecordKind::Alloc => event.kind.word() == "alloc",
            RecordKind::Free => event.kind.word() == "free" && !matches!(event.kind, EventKind::Script(_)),
            RecordKind::Purge => event.kind.word() == "purge",
            RecordKind::Lost => event.kind.word() == "lost",
            RecordKind::Mark => event.kind.word() == "mark",
            RecordKind::Report => event.kind.word() == "report",
            RecordKind::Divergence => !matches!(moment.verdict, Verdict::NotJudged | Verdict::Exact),
            RecordKind::Inferred => matches!(moment.verdict, Verdict::Inferred(_)),
            RecordKind::Adopted => matches!(moment.verdict, Verdict::Adopted(_)),
        },
        RecordTest::Addr(_) => unreachable!("tested apart"),
        RecordTest::Size(comparison, number) => moment.size.is_some_and(|size| bytes(size, *comparison, *number)),
        RecordTest::Align(comparison, number) => match event.kind {
            EventKind::Alloc { align, .. } | EventKind::Request { align, .. } => bytes(align, *comparison, *number),
            _ => false,
        },
        RecordTest::Caller(pattern) => moment.callers.iter().any(|caller| pattern.matches(caller.as_bytes())),
        RecordTest::Task(pattern) => {
            let is_it = |task: &String| pattern.matches(task.as_bytes()) || pattern.text() == moment.pid.to_string();
            moment.task.as_ref().is_some_and(is_it)
        }
        RecordTest::Cpu(comparison, cpu) => {
            event.known_cpu().is_some_and(|known| compare(*comparison, known.into(), u128::from(*cpu)))
        }
    }
}
