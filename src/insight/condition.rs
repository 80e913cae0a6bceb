//! [`Compiled`]: a condition made ready for one log: names are looked up once, numbers are converted, and `not` stands
//! at single tests only.
//!
//! What is asked of a record is true at that record alone, `not failed` too: between two records nothing has failed and
//! nothing has not. What is asked of a state is true as long as the state is so. So a condition *becomes true* at record
//! `k` if it is true with record `k` and the state after it, and was not true of the state before by itself. Nothing in
//! this depends on the direction one comes from.

use std::sync::Arc;

use parsers::condition::{Comparison, Condition, Figure, Pattern, RecordKind, RecordTest};

use super::touches::Touches;
use crate::compare::Placed;
use crate::event::{Event, EventKind, Seq};
use crate::log::Pointers;
use crate::model::{AddressSpace, CallerId, Usages};
use crate::replay::figure::{self, ONE};
use crate::replay::{Replay, Verdict};

/// A condition for one log.
#[derive(Debug, Clone)]
pub struct Compiled {
    root: Node,
    about: About,
    needs_memory: bool,
    touches: Vec<Touches>,
}

/// What a condition needs to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Records alone: it is false between them.
    Records,
    /// States alone: a record adds nothing.
    States,
    /// Both.
    Both,
}

/// What came of the request of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// What the record says.
    AsRecorded,
    /// What another policy answered.
    InLane(Placed),
}

#[derive(Debug, Clone)]
enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Record { test: Test, wanted: bool },
    State { figure: Figure, comparison: Comparison, billionths: u128, wanted: bool },
}

#[derive(Debug, Clone)]
enum Test {
    Kind(RecordKind),
    /// Index of the list of records that touch an address.
    Touches(usize),
    Size(Comparison, u128),
    Align(Comparison, u128),
    Caller(Callers),
    /// By task.
    Task(Arc<[bool]>),
    Cpu(Comparison, u64),
}

/// Which stacks and which callers of areas have the name.
#[derive(Debug, Clone)]
struct Callers {
    stacks: Arc<[bool]>,
    /// By what is known of an area.
    of_areas: Arc<[bool]>,
    /// Where such areas lay before the trace, ascending.
    older: Arc<[u64]>,
    usages: Arc<Usages>,
}

impl Compiled {
    /// Makes a condition ready.
    pub fn new(condition: &Condition, replay: &Replay) -> Self {
        let mut builder = Builder { replay, touches: Vec::new() };
        let root = builder.node(condition, true);
        let about = match (root.asks_records(), root.asks_states()) {
            (true, false) => About::Records,
            (false, true) => About::States,
            _ => About::Both,
        };
        let needs_memory = root.any_figure(&|figure| figure == Figure::PageTables);
        Self { root, about, needs_memory, touches: builder.touches }
    }

    /// What it needs to be answered.
    pub fn about(&self) -> About {
        self.about
    }

    /// Does it ask for what only a state with its memory knows?
    pub fn needs_memory(&self) -> bool {
        self.needs_memory
    }

    /// Looks at up to `budget` more records for what has to be known of all of them beforehand; `true` once it is.
    pub fn prepare(&mut self, replay: &Replay, budget: usize) -> bool {
        let mut left = budget;
        for touches in &mut self.touches {
            left = left.saturating_sub(touches.go_on(replay, left));
            if !touches.is_complete(replay) {
                return false;
            }
        }
        true
    }

    /// Is it true of a state by itself, after `at` records?
    pub fn is_true_of(&self, replay: &Replay, at: usize, space: &AddressSpace) -> bool {
        self.about != About::Records
            && self
                .root
                .holds(&Look { replay, at, space: Some(space), with_record: false, outcome: Outcome::AsRecorded }, self)
    }

    /// Is it true at the record before `at`, with the state after it? Without a state, what is asked of one is not true.
    /// `outcome` is what the request of the record came to where it was asked.
    pub fn is_true_at(&self, replay: &Replay, at: usize, space: Option<&AddressSpace>, outcome: Outcome) -> bool {
        self.root.holds(&Look { replay, at, space, with_record: at > 0, outcome }, self)
    }
}

/// What a condition is asked about.
struct Look<'a> {
    replay: &'a Replay,
    /// Records applied; the last of them is the record that is asked about.
    at: usize,
    space: Option<&'a AddressSpace>,
    with_record: bool,
    outcome: Outcome,
}

struct Builder<'a> {
    replay: &'a Replay,
    touches: Vec<Touches>,
}

impl Builder<'_> {
    fn node(&mut self, condition: &Condition, wanted: bool) -> Node {
        match condition {
            // What is not wanted of all of them is missing in one of them.
            Condition::All(parts) | Condition::Any(parts) => {
                let nodes = parts.iter().map(|part| self.node(part, wanted)).collect();
                let is_all = matches!(condition, Condition::All(_));
                if is_all == wanted { Node::All(nodes) } else { Node::Any(nodes) }
            }
            Condition::Not(inner) => self.node(inner, !wanted),
            Condition::Record(test) => Node::Record { test: self.test(test), wanted },
            &Condition::State(figure, comparison, number) => {
                let page_size = self.replay.plan().machine.page_size;
                Node::State {
                    figure,
                    comparison,
                    billionths: number.billionths_of(figure.measure(), page_size),
                    wanted,
                }
            }
        }
    }

    fn test(&mut self, test: &RecordTest) -> Test {
        let bytes = |number: &parsers::condition::Number| {
            number.billionths_of(parsers::condition::Measure::Bytes, self.replay.plan().machine.page_size)
        };
        match test {
            RecordTest::Kind(kind) => Test::Kind(*kind),
            RecordTest::Addr(addr) => {
                self.touches.push(Touches::new(*addr, self.replay));
                Test::Touches(self.touches.len() - 1)
            }
            RecordTest::Size(comparison, number) => Test::Size(*comparison, bytes(number)),
            RecordTest::Align(comparison, number) => Test::Align(*comparison, bytes(number)),
            RecordTest::Caller(pattern) => Test::Caller(Callers::new(pattern, self.replay)),
            RecordTest::Task(pattern) => Test::Task(tasks(pattern, self.replay)),
            RecordTest::Cpu(comparison, cpu) => Test::Cpu(*comparison, *cpu),
        }
    }
}

/// The tasks a pattern names: a number is a process id.
fn tasks(pattern: &Pattern, replay: &Replay) -> Arc<[bool]> {
    let pid: Option<i32> = pattern.text().parse().ok();
    let tasks = replay.log().names.tasks().iter();
    tasks.map(|task| Some(task.pid) == pid || pattern.matches(&task.comm)).collect()
}

impl Callers {
    fn new(pattern: &Pattern, replay: &Replay) -> Self {
        let stacks = &replay.log().stacks;
        let has = |id: u32| stacks.frames(crate::log::StackId(id)).any(|frame| pattern.matches(frame.symbol));
        let usages = Arc::clone(replay.usages());
        let mut callers = Vec::new();
        let mut id = 0;
        // The first stands for nobody.
        while id == 0 || usages.caller_name(CallerId(id)).is_some() {
            let name = usages.caller_name(CallerId(id)).unwrap_or_default();
            // A name of an area is its symbol, perhaps with offset and module.
            let symbol = name.split(['+', ' ']).next().unwrap_or_default();
            callers.push(!name.is_empty() && pattern.matches(symbol.as_bytes()));
            id += 1;
        }
        let before = replay.log().before.as_ref().filter(|before| before.pointers == Pointers::Real);
        let rows = before.map_or(&[][..], |before| &before.areas);
        let named = rows.iter().filter(|row| !row.caller.is_empty() && pattern.matches(row.caller.as_bytes()));
        let mut older: Vec<u64> = named.map(|row| row.start).collect();
        older.sort_unstable();
        let stacks = (0..stacks.len() as u32).map(has).collect();
        Self { stacks, of_areas: callers.into(), older: older.into(), usages }
    }

    fn holds(&self, replay: &Replay, seq: Seq) -> bool {
        let of_stack = |seq: Seq| {
            let id = replay.log().stacks.of(seq);
            id.is_some_and(|id| self.stacks.get(id.0 as usize).copied().unwrap_or(false))
        };
        let of_area = |seq: Seq| {
            let usage = self.usages.of_record(seq.0);
            usage.is_some_and(|usage| self.of_areas.get(usage.caller.0 as usize).copied().unwrap_or(false))
        };
        // A free without an allocation frees what was there before the trace.
        let of_older = || match event(replay, seq.index()).map(|event| event.kind) {
            Some(EventKind::Free { addr, .. } | EventKind::FreeProbe { addr, .. }) => {
                self.older.binary_search(&addr.0).is_ok()
            }
            _ => false,
        };
        of_stack(seq) || replay.area_of(seq).map_or_else(of_older, of_area)
    }
}

impl Node {
    fn asks_records(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::asks_records),
            Self::Record { .. } => true,
            Self::State { .. } => false,
        }
    }

    fn asks_states(&self) -> bool {
        self.any_figure(&|_| true)
    }

    fn any_figure(&self, is_it: &dyn Fn(Figure) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.any_figure(is_it)),
            Self::Record { .. } => false,
            Self::State { figure, .. } => is_it(*figure),
        }
    }

    fn holds(&self, look: &Look<'_>, condition: &Compiled) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(look, condition)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(look, condition)),
            Self::Record { test, wanted } => look.with_record && test.holds(look, condition) == *wanted,
            Self::State { figure, comparison, billionths, wanted } => {
                let Some(value) = value_of(*figure, look.replay, look.at, look.space) else { return false };
                comparison.holds(value, *billionths) == *wanted
            }
        }
    }
}

/// A figure of a state, in billionths of what it counts; `None` where it is not known.
fn value_of(figure: Figure, replay: &Replay, at: usize, space: Option<&AddressSpace>) -> Option<u128> {
    if figure == Figure::Time {
        let stamp = event(replay, at.checked_sub(1)?)?.at.0;
        return Some(u128::from(stamp) * ONE);
    }
    figure::billionths(figure, space?)
}

impl Test {
    fn holds(&self, look: &Look<'_>, condition: &Compiled) -> bool {
        let Look { replay, .. } = look;
        let index = look.at - 1;
        let seq = Seq(index as u32);
        let Some(event) = event(replay, index) else { return false };
        match self {
            Self::Kind(kind) => match look.outcome {
                Outcome::InLane(placed) => is_kind_in_lane(*kind, &event, (placed, replay.verdict(seq))),
                Outcome::AsRecorded => is_kind(*kind, &event, replay.verdict(seq)),
            },
            Self::Touches(list) => condition.touches[*list].has(index),
            Self::Size(comparison, billionths) => {
                bytes_of(replay, seq, &event).is_some_and(|size| comparison.holds(u128::from(size) * ONE, *billionths))
            }
            Self::Align(comparison, billionths) => match event.kind {
                EventKind::Alloc { align, .. } | EventKind::Request { align, .. } => {
                    comparison.holds(u128::from(align) * ONE, *billionths)
                }
                _ => false,
            },
            Self::Caller(callers) => callers.holds(replay, seq),
            Self::Task(tasks) => tasks.get(event.task.0 as usize).copied().unwrap_or(false),
            Self::Cpu(comparison, cpu) => {
                event.known_cpu().is_some_and(|known| comparison.holds(u64::from(known), *cpu))
            }
        }
    }
}

/// The record at `index`, if the log is that long.
pub(super) fn event(replay: &Replay, index: usize) -> Option<Event> {
    replay.log().get(Seq(index as u32))
}

fn is_kind(kind: RecordKind, event: &Event, verdict: Verdict) -> bool {
    match kind {
        RecordKind::Failed => matches!(event.kind, EventKind::Alloc { failed: true, .. } | EventKind::Report { .. }),
        RecordKind::Alloc => matches!(event.kind, EventKind::Alloc { failed: false, .. } | EventKind::Unasked { .. }),
        RecordKind::Free => matches!(event.kind, EventKind::Free { .. } | EventKind::FreeProbe { .. }),
        RecordKind::Purge => event.kind.ends_purge(),
        RecordKind::Lost => matches!(event.kind, EventKind::Lost { .. }),
        RecordKind::Mark => matches!(event.kind, EventKind::Mark { .. }),
        RecordKind::Report => matches!(event.kind, EventKind::Report { .. }),
        RecordKind::Divergence => {
            matches!(verdict, Verdict::Inferred(_) | Verdict::Adopted(_) | Verdict::Differs(_))
        }
        RecordKind::Inferred => matches!(verdict, Verdict::Inferred(_)),
        RecordKind::Adopted => matches!(verdict, Verdict::Adopted(_)),
    }
}

/// The same where another policy answered the request.
fn is_kind_in_lane(kind: RecordKind, event: &Event, (placed, verdict): (Placed, Verdict)) -> bool {
    match (kind, placed) {
        (RecordKind::Failed, Placed::Nowhere) | (RecordKind::Alloc, Placed::At(_)) => true,
        // A report of the kernel's log is of the trace.
        (RecordKind::Failed | RecordKind::Alloc, _) => false,
        (RecordKind::Divergence, Placed::At(extent)) => match event.kind {
            EventKind::Alloc { addr, failed, .. } => failed || addr.0 != extent.start(),
            EventKind::Unasked { addr, .. } => addr.0 != extent.start(),
            _ => false,
        },
        (RecordKind::Divergence, Placed::Nowhere) => {
            matches!(event.kind, EventKind::Alloc { failed: false, .. } | EventKind::Unasked { .. })
        }
        (RecordKind::Divergence, Placed::Unasked) => false,
        _ => is_kind(kind, event, verdict),
    }
}

/// Bytes a record asks for, or of the area it frees.
pub(super) fn bytes_of(replay: &Replay, seq: Seq, of: &Event) -> Option<u64> {
    match of.kind {
        EventKind::Alloc { size, .. } | EventKind::Request { size, .. } => Some(size),
        EventKind::Report { size, .. } => Some(size).filter(|&size| size > 0),
        EventKind::Unasked { addr, end } => end.0.checked_sub(addr.0),
        EventKind::FreeProbe { addr, end } if addr < end => Some(end.0 - addr.0),
        EventKind::Free { .. } | EventKind::FreeProbe { .. } => {
            let mate = replay.area_of(seq)?;
            match event(replay, mate.index())?.kind {
                EventKind::Alloc { size, .. } => Some(size),
                EventKind::Unasked { addr, end } => end.0.checked_sub(addr.0),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What the figures of a condition are, for people: each figure it asks for with its value, in the order they stand.
pub fn figures_of(condition: &Condition) -> Vec<Figure> {
    fn walk(condition: &Condition, found: &mut Vec<Figure>) {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| walk(part, found)),
            Condition::Not(inner) => walk(inner, found),
            Condition::Record(_) => {}
            Condition::State(figure, ..) if found.contains(figure) => {}
            Condition::State(figure, ..) => found.push(*figure),
        }
    }
    let mut found = Vec::new();
    walk(condition, &mut found);
    found
}

/// A figure after `at` records, in what it counts (a share in billionths); `None` where it is not known.
pub fn figure(figure: Figure, replay: &Replay, at: usize, space: &AddressSpace) -> Option<u64> {
    let value = value_of(figure, replay, at, Some(space))?;
    u64::try_from(if figure == Figure::Fragmentation { value } else { value / ONE }).ok()
}
