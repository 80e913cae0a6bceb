//! [`Moment`]: the state in which a record's request was made, and what the model's search makes of the request there.

use super::ask::{Asked, AskedFrom, SizeFrom};
use super::ground::{Doubt, Ground, Held, Holder, RangeFrom, Sight, State};
use super::here::{WhyHere, why_here};
use super::holders::Names;
use super::verdict::{Explanation, explain};
use crate::event::{Event, EventKind, Seq};
use crate::insight::holder::task_name;
use crate::log::{InputKind, Pointers};
use crate::model::{
    AddressSpace, Answer, Extent, HelperOrder, Op, Place, Provenance, PurgeKind, Request, Source, Step, Steps,
    UsageKind, VmapArea,
};
use crate::policy::rules::{FreeSpace, Rules, SearchLength};
use crate::replay::Replay;

/// A state, and the request that was made in it.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The state; what is behind its areas is left out.
    pub space: AddressSpace,
    /// The request; `None` for a record that asks for nothing.
    pub request: Option<Request>,
    /// The record.
    pub seq: Seq,
}

/// What the search of that kernel answers.
#[derive(Debug, Clone)]
pub struct Searched {
    /// The address, as it stands; `None`: refused.
    pub now: Option<u64>,
    /// Where it is from.
    pub source: Option<Source>,
    /// The address after a purge of everything.
    pub purged: Option<u64>,
    /// Bytes that the search asks a hole to have.
    pub length: u64,
    /// What the search did.
    pub steps: Steps,
}

impl Moment {
    /// The moment of a record that the replay's cursor is behind of: what of the record came before its request is done.
    pub fn of_current(replay: &Replay) -> Option<Self> {
        let (seq, event) = replay.current()?;
        Some(Self::of(replay, replay.before().without_memory(), seq, event))
    }

    /// The moment of any record; the cursor stays where it is.
    pub fn aside(replay: &mut Replay, seq: Seq) -> Option<Self> {
        let event = replay.log().get(seq)?;
        let space = replay.state_before(seq.index());
        Some(Self::of(replay, space, seq, &event))
    }

    /// The moment of any record; the cursor of the replay goes there.
    pub fn of_record(replay: &mut Replay, seq: Seq) -> Option<Self> {
        replay.seek_places(seq.index() + 1, usize::MAX);
        Self::of_current(replay)
    }

    fn of(replay: &Replay, mut space: AddressSpace, seq: Seq, event: &Event) -> Self {
        let told = told_request(replay, event);
        for op in replay.plan().ops_of(replay.log(), seq.index()) {
            match op {
                Op::Alloc { request, born } | Op::Search { request, born } if born == seq.0 => {
                    return Self { space, request: Some(request), seq };
                }
                // The answer was overruled by the record.
                Op::Adopt { born, .. } if born == seq.0 => break,
                op => drop(space.apply(&op, None)),
            }
        }
        Self { space, request: told, seq }
    }

    /// Asks the model's own search, before a purge and after it.
    pub fn search(&self, request: &Request) -> Searched {
        let mut steps = Steps::new();
        let now = self.space.allocator().place(request, Some(&mut steps)).ok();
        let mut later = self.space.clone();
        // A purge that is under way comes to its end first; the request's own takes what was freed meanwhile.
        for _ in 0..2 {
            later.apply(&Op::Purge { kind: PurgeKind::Full, helpers: HelperOrder::default(), unqueues: false }, None);
        }
        let again = Request { first_attempt: false, ..*request };
        let purged = later.allocator().place(&again, None).ok();
        let length = steps.iter().find_map(|step| match step {
            Step::SearchBegun { length, .. } => Some(*length),
            _ => None,
        });
        Searched {
            now: now.map(|placed| placed.start),
            source: now.map(|placed| placed.source),
            purged: purged.map(|placed| placed.start),
            length: length.unwrap_or(request.size),
            steps,
        }
    }

    /// What the record asked for; `None` if it did not.
    pub fn asked(&self, replay: &Replay) -> Option<Asked> {
        let request = self.request?;
        let mut asked = Asked {
            size: request.size,
            size_from: SizeFrom::Area,
            align: request.align.max(1),
            window: request.window,
            from: AskedFrom::Event(self.seq),
            doubts: Vec::new(),
        };
        let failed = match replay.log().get(self.seq)?.kind {
            EventKind::Alloc { failed, .. } if replay.log().origin.kind != InputKind::Script => failed,
            _ => return Some(asked),
        };
        match (failed, self.space.allocator().place(&request, None)) {
            (true, Ok(placed)) => asked.doubts.push(Doubt::ModelPlaces(placed.start)),
            (false, Err(_)) => asked.doubts.push(Doubt::ModelRefuses),
            _ => {}
        }
        Some(asked)
    }

    /// What lies where.
    pub fn ground(&self, replay: &Replay) -> Ground {
        Ground::of_space(replay, &self.space)
    }

    /// The answer to the record's own request; `None` if it made none.
    pub fn explained(&self, replay: &Replay) -> Option<Explanation> {
        let asked = self.asked(replay)?;
        let searched = self.search(&self.request?);
        Some(explain(&self.ground(replay), asked, Some(&searched)))
    }
}

/// Why the area that contained an address last before record `limit` lies where it lies, and what its request met; the
/// cursor of the replay goes to the record that placed it, or to the limit if none did. `None` if there was no area.
pub fn why_here_in(replay: &mut Replay, addr: u64, limit: usize) -> Option<(WhyHere, Explanation)> {
    let contains = |event: &Event| match event.kind {
        EventKind::Alloc { addr: start, size, failed: false, .. } => {
            Extent::sized(start.0, size).is_some_and(|area| area.contains_addr(addr))
        }
        EventKind::Unasked { addr: start, end } => start.0 <= addr && addr < end.0,
        _ => false,
    };
    let events = &replay.log().events;
    let born =
        (0..limit.min(events.len())).rev().find(|&index| events.get(index).is_some_and(|event| contains(&event)));
    match born {
        Some(index) => {
            let moment = Moment::of_record(replay, Seq(index as u32))?;
            let area = placed(replay, addr)?;
            why_here_of(replay, &moment, area)
        }
        None => {
            replay.seek_places(limit, usize::MAX);
            why_here_now(replay, addr)
        }
    }
}

/// The same of an area in the state at the cursor, which stays where it is.
pub fn why_here_aside(replay: &mut Replay, addr: u64) -> Option<(WhyHere, Explanation)> {
    let allocator = replay.space().allocator();
    let (Place::Busy { area, .. } | Place::Lazy { area, .. }) = allocator.lookup(addr) else { return None };
    let area = &allocator.areas()[area];
    let (born, extent) = (area.born, Extent::new(area.start, area.end)?);
    if born == VmapArea::UNBORN {
        return why_here_now(replay, addr);
    }
    let moment = Moment::aside(replay, Seq(born))?;
    why_here_of(replay, &moment, extent)
}

/// Why an area lies where it lies that no record placed: from the state at the cursor.
pub fn why_here_now(replay: &Replay, addr: u64) -> Option<(WhyHere, Explanation)> {
    let ground = Ground::of_space(replay, replay.space());
    let held = ground.at(addr).filter(|held| held.state == State::Busy)?;
    let before = replay.log().before.as_ref().filter(|before| before.pointers == Pointers::Real);
    let row = before.and_then(|before| Some((before, before.at(held.extent.start())?)));
    let asked = match row.filter(|(_, row)| row.end == held.extent.end()) {
        Some((before, row)) => Asked::of_row(before, row, ground.page_size, ground.range),
        None => Asked {
            size: held.extent.len_bytes(),
            size_from: SizeFrom::Area,
            align: 1,
            window: ground.range,
            from: AskedFrom::Option,
            doubts: vec![Doubt::Alignment],
        },
    };
    let is_chunk = ground.holder(held).kind == UsageKind::PerCpu.word();
    let told = why_here(&ground, held.extent, asked.clone(), None, is_chunk);
    Some((told, explain(&ground, asked, None)))
}

fn why_here_of(replay: &Replay, moment: &Moment, area: Extent) -> Option<(WhyHere, Explanation)> {
    let ground = moment.ground(replay);
    let Some(asked) = moment.asked(replay) else {
        return why_here_now(replay, area.start());
    };
    let searched = moment.search(&moment.request?);
    let mut told = why_here(&ground, area, asked.clone(), Some(&searched), false);
    told.judged = replay.verdict(moment.seq);
    Some((told, explain(&ground, asked, Some(&searched))))
}

/// The area with an address that the record at the cursor placed.
fn placed(replay: &Replay, addr: u64) -> Option<Extent> {
    let answers = replay.outcome().answers.iter().rev().filter_map(|answer| match answer {
        Answer::Placed(extent) | Answer::Adopted { extent, .. } => Some(*extent),
        _ => None,
    });
    answers.into_iter().find(|extent| extent.contains_addr(addr))
}

/// What a record says of its request.
fn told_request(replay: &Replay, event: &Event) -> Option<Request> {
    match event.kind {
        EventKind::Alloc { size, align, window, .. } => Some(Request {
            size,
            align: align.max(1),
            window: replay.log().names.window(window),
            cpu: event.assumed_cpu(),
            first_attempt: true,
        }),
        _ => None,
    }
}

impl Ground {
    /// What a state of a replay shows.
    pub fn of_space(replay: &Replay, space: &AddressSpace) -> Self {
        let allocator = space.allocator();
        let machine = &replay.plan().machine;
        let log = replay.log();
        let mut names = Names::default();
        let mut areas: Vec<Held> = Vec::new();
        let mut add = |area: &VmapArea, state: State, names: &mut Names| {
            let Some(extent) = Extent::new(area.start, area.end) else { return };
            let holder = if state == State::Busy { holder_of(replay, area, extent) } else { Holder::default() };
            areas.push(Held { extent, state, holder: names.id(holder) });
        };
        for node in 0..allocator.n_nodes() {
            allocator.visit_busy(node, &mut |area| add(area, State::Busy, &mut names));
            allocator.visit_lazy(node, &mut |area| add(area, State::Lazy, &mut names));
        }
        allocator.visit_pools(&mut |_, area| add(area, State::Pooled, &mut names));
        areas.sort_by_key(|held| held.extent);
        let mut holes = Vec::with_capacity(allocator.n_holes() as usize);
        allocator.visit_holes(&mut |hole| holes.push(hole));
        let is_told = log.origin.vmalloc.is_some() || !log.names.windows().is_empty();
        let starts_known = machine.from_boot || log.state_before.is_some() || log.origin.kind == InputKind::Script;
        let from_rows = !starts_known && replay.is_empty();
        let gap = match machine.policy.rules.free_space {
            FreeSpace::BusyTree(rules) if rules.gap_page => allocator.page_size(),
            _ => 0,
        };
        let unlisted = from_rows.then_some(Doubt::Unlisted);
        let doubts = unlisted.into_iter().chain((0 < gap).then_some(Doubt::Gap(gap))).collect();
        Self {
            areas,
            holes,
            holders: names.list,
            range: allocator.window(),
            range_from: if is_told { RangeFrom::Input } else { RangeFrom::Unknown },
            page_size: allocator.page_size(),
            gap,
            is_32_bit: machine.is_32_bit,
            sight: Sight::Model,
            doubts,
            sizes: Vec::new(),
        }
    }
}

/// Who holds an area in use of a replay: the caller of a stack or of a row, else the task that asked.
fn holder_of(replay: &Replay, area: &VmapArea, extent: Extent) -> Holder {
    let usages = replay.usages();
    let usage = usages.of(area.born, extent);
    let kind = usage.map_or("", |usage| usage.kind.word());
    let stays = usage.is_some_and(|usage| matches!(usage.kind, UsageKind::PerCpu | UsageKind::Early));
    let plain = |caller: Option<String>| Holder { caller, module: None, kind, stays };
    let log = replay.log();
    let born = log.get(Seq(area.born)).filter(|_| area.born != VmapArea::UNBORN);
    if log.origin.kind == InputKind::Script {
        let name = if born.is_some() { "this script" } else { "early areas" };
        return Holder { stays: born.is_none(), ..plain(Some(name.to_owned())) };
    }
    if let Some(name) = usage.and_then(|usage| usages.caller_name(usage.caller)) {
        return match name.strip_suffix(']').and_then(|name| name.split_once(" [")) {
            Some((caller, module)) => Holder { module: Some(module.to_owned()), ..plain(Some(caller.to_owned())) },
            None => plain(Some(name.to_owned())),
        };
    }
    match born {
        Some(event) => plain(Some(task_name(log, &event))),
        None if stays || usage.is_some_and(|usage| usage.kind_from == Provenance::Observed) => plain(None),
        None => plain(Some("older than the trace".to_owned())),
    }
}

/// Of a kernel that is known by its rules alone, what it may pass by. Nobody told: as most do. As
/// `Augmented::search_length`.
pub fn padded(rules: Option<&Rules>, asked: &Asked, page_size: u64) -> Option<Doubt> {
    let above_page = page_size < asked.align && asked.window.len_bytes() != asked.size;
    let is_padded = match rules.map(|rules| (rules.free_space, rules.search)) {
        Some((FreeSpace::FreeTree, SearchLength::AlwaysPadded)) => 1 < asked.align,
        Some((FreeSpace::FreeTree, SearchLength::PaddedAbovePage)) | None => above_page,
        Some(_) => false,
    };
    is_padded.then(|| Doubt::Padded(asked.size.saturating_add(asked.align - 1)))
}
