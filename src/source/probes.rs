//! Probe records → events: the allocations, frees and purges of kernels without the tracepoints (before 6.2).
//!
//! A probed call has two records. What an allocation asked for stands at its entry, where it was placed at its return;
//! the two are paired by task, and the return becomes the allocation. Where a function has a tracepoint in the same
//! trace, the tracepoint counts and its probes stay foreign events.

use std::collections::{BTreeSet, HashMap, HashSet};

use parsers::ftrace::probe::{Function, Probed, PurgePart, Request, Returned, purge_part, recognise};
use parsers::problem::MAX_PROBLEMS;
use parsers::record::{Body, Record};
use parsers::{Problem, ProblemKind, Unpaired};

use crate::event::{Addr, EventKind};
use crate::log::{FileProblem, Log, Window};

/// Calls of one task that can be open at a time. An older one has lost its return.
const MAX_OPEN: usize = 8;

/// A probe record with its place.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Its event.
    index: usize,
    offset: u64,
    probed: Probed,
}

/// Collects the probe records of a trace while it is read; [`Probes::settle`] turns them into events at the end.
#[derive(Debug, Clone, Default)]
pub struct Probes {
    seen: Vec<Seen>,
    /// Parts of purges, with their events.
    parts: Vec<(usize, PurgePart)>,
    /// Functions with a tracepoint in this trace.
    traced: [bool; 3],
}

impl Probes {
    /// Looks at a record that becomes event `index`.
    pub fn note(&mut self, record: &Record<'_>, index: usize) {
        let function = match &record.body {
            Body::Alloc(_) => Function::Alloc,
            Body::Free(_) => Function::Free,
            Body::Purge(_) => Function::Purge,
            Body::Probe { at, args, .. } => {
                if let Some(probed) = recognise(at, args) {
                    self.seen.push(Seen { index, offset: record.offset, probed });
                } else if let Some(part) = purge_part(at, args) {
                    self.parts.push((index, part));
                }
                return;
            }
            _ => return,
        };
        self.traced[function as usize] = true;
    }

    /// Gives the events their kinds. Halves without the other half are told as problems of `file`.
    pub fn settle(self, file: &str, log: &mut Log) {
        settle_parts(&self.parts, log);
        let traced = self.traced;
        let counts = |seen: &&Seen| !traced[function_of(&seen.probed) as usize];
        let seen: Vec<Seen> = self.seen.iter().filter(counts).copied().collect();
        let mut pairing = Pairing {
            requests_seen: seen.iter().any(|seen| matches!(seen.probed, Probed::Request(_))),
            entries_seen: seen.iter().any(|seen| matches!(seen.probed, Probed::PurgeEntry(_))),
            returns_seen: seen.iter().any(|seen| matches!(seen.probed, Probed::PurgeReturn(_))),
            log,
            open: HashMap::new(),
            purge: None,
            problems: Vec::new(),
            told: HashSet::new(),
        };
        for seen in &seen {
            pairing.take(seen);
        }
        let problems = pairing.finish();
        log.problems.extend(problems.into_iter().map(|problem| FileProblem { file: file.to_owned(), problem }));
    }
}

/// Every purge lets the pools of every node decay, so the addresses seen there are those of all nodes, and in their
/// order: the kernel has them in one array.
fn settle_parts(parts: &[(usize, PurgePart)], log: &mut Log) {
    let decayed = |part: &PurgePart| match *part {
        PurgePart::Decay { node, .. } => Some(node),
        PurgePart::Return { .. } => None,
    };
    let nodes: BTreeSet<u64> = parts.iter().filter_map(|(_, part)| decayed(part)).collect();
    let nodes = Vec::from_iter(nodes);
    for (index, part) in parts {
        let (addr, full) = match *part {
            PurgePart::Decay { node, full } => (node, full),
            PurgePart::Return { work } => (work, None),
        };
        let below = nodes.partition_point(|&node| node <= addr);
        let Some(node) = below.checked_sub(1).and_then(|node| u16::try_from(node).ok()) else { continue };
        let kind = match part {
            PurgePart::Decay { .. } => EventKind::NodeDecay { node, full },
            PurgePart::Return { .. } => EventKind::NodeReturn { node },
        };
        log.events.update(*index, |event| event.kind = kind);
    }
}

fn function_of(probed: &Probed) -> Function {
    match probed {
        Probed::Request(_) | Probed::Return(_) => Function::Alloc,
        Probed::Free { .. } => Function::Free,
        Probed::PurgeEntry(_) | Probed::PurgeReturn(_) => Function::Purge,
        Probed::Unusable(function) => *function,
    }
}

/// Who runs: a pid, and for idle tasks, which share one, the CPU.
type Runner = (i32, u16);

struct Pairing<'a> {
    log: &'a mut Log,
    /// Is that half of the calls recorded at all?
    requests_seen: bool,
    entries_seen: bool,
    returns_seen: bool,
    /// Calls of `alloc_vmap_area` that have not returned, innermost last.
    open: HashMap<Runner, Vec<(Seen, Request)>>,
    /// The purge that runs. There is one at a time: the kernel holds a mutex.
    purge: Option<(Runner, Seen)>,
    problems: Vec<Problem>,
    /// What is told once and not for each record.
    told: HashSet<&'static str>,
}

impl Pairing<'_> {
    fn take(&mut self, seen: &Seen) {
        match seen.probed {
            Probed::Request(request) => self.request(seen, request),
            Probed::Return(returned) => self.returned(seen, returned),
            Probed::Free { start, end } => {
                let end = end.filter(|&end| start < end).unwrap_or(start);
                self.becomes(seen, EventKind::FreeProbe { addr: Addr(start), end: Addr(end) });
            }
            Probed::PurgeEntry(flush) => {
                let (start, end) = flush.unwrap_or((u64::MAX, 0));
                self.becomes(seen, EventKind::PurgeEntry { start: Addr(start), end: Addr(end) });
                self.end_purge_at_its_entry();
                self.purge = Some((self.runner(seen), *seen));
            }
            Probed::PurgeReturn(purged) => {
                let runner = self.runner(seen);
                match self.purge.take_if(|(of, _)| *of == runner) {
                    Some(_) => {}
                    None if self.entries_seen => {
                        self.end_purge_at_its_entry();
                        self.unpaired(seen, Unpaired::PurgeReturn);
                    }
                    None => {}
                }
                self.becomes(seen, EventKind::PurgeReturn { purged });
            }
            Probed::Unusable(function) => {
                if self.told.insert(function.name()) {
                    self.tell(seen, ProblemKind::PoorProbe(function.name()));
                }
            }
        }
    }

    fn request(&mut self, seen: &Seen, request: Request) {
        let Request { size, align, vstart, vend } = request;
        let window = self.log.names.add_window(Window { vstart, vend });
        self.becomes(seen, EventKind::Request { size, align, window });
        let runner = self.runner(seen);
        let open = self.open.entry(runner).or_default();
        open.push((*seen, request));
        if open.len() > MAX_OPEN {
            let (oldest, _) = open.remove(0);
            self.unpaired(&oldest, Unpaired::Request);
        }
    }

    /// The innermost call that could have this answer; calls inside it have lost theirs.
    fn returned(&mut self, seen: &Seen, returned: Returned) {
        let runner = self.runner(seen);
        let open = self.open.entry(runner).or_default();
        let could = |request: &Request| match returned {
            Returned::Area { start, end: Some(end) } => end.checked_sub(start) == Some(request.size),
            Returned::Area { end: None, .. } | Returned::Failed => true,
        };
        let found = open.iter().rposition(|(_, request)| could(request));
        let lost = found.map_or(Vec::new(), |at| open.split_off(at + 1));
        let request = found.and_then(|_| open.pop()).map(|(_, request)| request);
        for (inner, _) in lost {
            self.unpaired(&inner, Unpaired::Request);
        }
        let kind = match (request, returned) {
            (Some(request), _) => {
                let Request { size, align, vstart, vend } = request;
                let window = self.log.names.add_window(Window { vstart, vend });
                // A failure has no address: what the tracepoint of the time would print.
                let (addr, failed) = match returned {
                    Returned::Area { start, .. } => (start, false),
                    Returned::Failed => (vend, true),
                };
                EventKind::Alloc { addr: Addr(addr), size, align, window, failed }
            }
            (None, Returned::Area { start, end: Some(end) }) if start < end => {
                self.unpaired(seen, Unpaired::Answer);
                EventKind::Unasked { addr: Addr(start), end: Addr(end) }
            }
            (None, Returned::Failed) => return self.unpaired(seen, Unpaired::Failure),
            (None, Returned::Area { .. }) => return self.tell(seen, ProblemKind::PoorProbe(Function::Alloc.name())),
        };
        self.becomes(seen, kind);
    }

    /// A purge that has lost its return has ended by the time the next one begins or ends.
    fn end_purge_at_its_entry(&mut self) {
        let Some((_, entry)) = self.purge.take() else { return };
        self.becomes(&entry, EventKind::PurgeReturn { purged: None });
        self.unpaired(&entry, Unpaired::PurgeEntry);
    }

    /// Calls under way when the trace ends are no damage, unless no return was recorded at all.
    fn finish(mut self) -> Vec<Problem> {
        if !self.returns_seen {
            self.end_purge_at_its_entry();
        }
        let last = self.log.events.len();
        let mut cut: Vec<Seen> = std::mem::take(&mut self.open).into_values().flatten().map(|(seen, _)| seen).collect();
        cut.sort_by_key(|seen| seen.index);
        // What a task still has open although it went on afterwards.
        let mut went_on: HashMap<Runner, usize> = HashMap::new();
        if !cut.is_empty() {
            for index in 0..last {
                went_on.insert(self.runner_of(index), index);
            }
        }
        for seen in cut {
            if went_on.get(&self.runner(&seen)).is_some_and(|&latest| seen.index < latest) {
                self.unpaired(&seen, Unpaired::Request);
            }
        }
        self.problems.sort_by_key(|problem| problem.line);
        self.problems
    }

    fn becomes(&mut self, seen: &Seen, kind: EventKind) {
        self.log.events.update(seen.index, |event| event.kind = kind);
    }

    fn runner(&self, seen: &Seen) -> Runner {
        self.runner_of(seen.index)
    }

    fn runner_of(&self, index: usize) -> Runner {
        let Some(event) = self.log.events.get(index) else { return (-1, 0) };
        let pid = self.log.names.task(event.task).pid;
        (pid, if pid == 0 { event.cpu } else { 0 })
    }

    /// Tells of a half; of halves that this trace never has only once.
    fn unpaired(&mut self, seen: &Seen, half: Unpaired) {
        let missing_throughout = match half {
            Unpaired::Answer | Unpaired::Failure => !self.requests_seen,
            Unpaired::PurgeEntry => !self.returns_seen,
            Unpaired::Request | Unpaired::PurgeReturn => false,
        };
        if missing_throughout && !self.told.insert(if half == Unpaired::PurgeEntry { "returns" } else { "requests" }) {
            return;
        }
        self.tell(seen, ProblemKind::Unpaired(half));
    }

    fn tell(&mut self, seen: &Seen, kind: ProblemKind) {
        let line = self.log.events.get(seen.index).map_or(0, |event| event.line);
        let problem = |kind| Problem { line, column: 1, offset: seen.offset, kind };
        match self.problems.len() {
            n if n < MAX_PROBLEMS => self.problems.push(problem(kind)),
            MAX_PROBLEMS => self.problems.push(problem(ProblemKind::More)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &str = "a: (alloc_vmap_area+0x0/0x880) size=8192 align=4096 vstart=0x1000 vend=0xf000";
    const GIVEN: &str = "b: (f+0xb1/0x150 <- alloc_vmap_area) va=0x1 va_start=0x4000 va_end=0x6000";
    const FAILED: &str = "b: (f+0xb1/0x150 <- alloc_vmap_area) va=0xfffffffffffffff0 va_start=(fault) va_end=(fault)";
    const PURGES: &str = "c: (__purge_vmap_area_lazy+0x0/0x750) start=0xffffffffffffffff end=0x0";
    const PURGED: &str = "d: (f+0xf4/0x130 <- __purge_vmap_area_lazy) ret=1";

    /// The words of the events of lines `(pid, body)`, and the problems with their lines.
    fn read(lines: &[(i32, &str)]) -> (Vec<&'static str>, Vec<(u32, ProblemKind)>) {
        let lines: Vec<String> =
            lines.iter().map(|(pid, body)| format!("  t-{pid} [000] .....  1.000000: {body}")).collect();
        let mut log = Log::default();
        super::super::trace::read("trace", lines.join("\n").as_bytes(), &mut log).expect("read from memory");
        let problems = log.problems.iter().map(|problem| (problem.problem.line, problem.problem.kind.clone()));
        (log.events.iter().map(|event| event.kind.word()).collect(), problems.collect())
    }

    #[test]
    fn calls_are_paired_by_task() {
        let (words, problems) =
            read(&[(1, ASKED), (2, ASKED), (1, GIVEN), (2, PURGES), (2, PURGED), (2, FAILED), (0, "e: (f+0x0/0x1)")]);
        assert_eq!(words, ["asks", "asks", "alloc", "purges", "purge", "failed", "other"]);
        assert_eq!(problems, []);
    }

    #[test]
    fn missing_halves_are_told_with_their_lines() {
        let half = |line, half| (line, ProblemKind::Unpaired(half));
        // A return of another size belongs to a call that was not seen.
        let (words, problems) = read(&[(1, &ASKED.replace("8192", "4096")), (1, GIVEN), (2, FAILED)]);
        assert_eq!(words, ["asks", "alloc", "other"]);
        assert_eq!(problems, [half(1, Unpaired::Request), half(2, Unpaired::Answer), half(3, Unpaired::Failure)]);
        let (words, problems) = read(&[(1, PURGES), (2, PURGES), (2, PURGED), (1, PURGED)]);
        assert_eq!(words, ["purge", "purges", "purge", "purge"]);
        assert_eq!(problems, [half(1, Unpaired::PurgeEntry), half(4, Unpaired::PurgeReturn)]);
        // Returns that were never probed are told of once; a call that the end of the trace cuts is no damage.
        assert_eq!(read(&[(1, PURGES), (1, PURGES), (1, PURGES)]).1, [half(1, Unpaired::PurgeEntry)]);
        assert_eq!(read(&[(1, GIVEN), (1, GIVEN), (2, PURGES)]).1.len(), 2);
        assert_eq!(read(&[(1, ASKED)]).1, []);
    }

    #[test]
    fn nodes_are_counted_by_their_addresses() {
        let decay = |node: &str| format!("e: (decay_va_pool_node+0x0/0x4b0) node=0x{node} full=0");
        let back = |work: &str| format!("f: (purge_vmap_node+0x4/0x210) work=0x{work}");
        let lines = [decay("54000"), decay("55880"), back("570d8"), back("55858"), back("100")];
        let lines: Vec<(i32, &str)> = lines.iter().map(|line| (1, line.as_str())).collect();
        let text: Vec<String> =
            lines.iter().map(|(pid, body)| format!("  t-{pid} [000] .....  1.000000: {body}")).collect();
        let mut log = Log::default();
        super::super::trace::read("trace", text.join("\n").as_bytes(), &mut log).expect("read from memory");
        let kinds: Vec<EventKind> = log.events.iter().map(|event| event.kind).collect();
        let decays = |node| EventKind::NodeDecay { node, full: Some(false) };
        let returns = |node| EventKind::NodeReturn { node };
        assert_eq!(kinds[..4], [decays(0), decays(1), returns(1), returns(0)]);
        assert!(matches!(kinds[4], EventKind::Other { .. }), "no node lies there");
    }

    #[test]
    fn tracepoints_count_where_both_are() {
        let traced = "purge_vmap_area_lazy: start=0x1000 end=0x3000 num_purged=2";
        let (words, problems) = read(&[(1, PURGES), (1, traced), (1, PURGED), (1, ASKED), (1, GIVEN)]);
        assert_eq!(words, ["other", "purge", "other", "asks", "alloc"]);
        assert_eq!(problems, []);
    }
}
