//! Several inputs at once: what each of them is, whether they belong together, and one [`Log`] of them all.
//!
//! The order in which they are named does not matter: recordings come first, by name, then snapshots.

use parsers::sniff::Format;

use crate::event::EventKind;
use crate::log::events::Iter;
use crate::log::{Baseline, InputKind, Log, Window};

use super::capture;
use super::evidence::{Evidence, Place};
use super::formats::{Class, class_of};
use super::members::Members;
use super::stream::{self, Opened, Stream};
use super::{Input, Reading, SourceError, kernel_log, script, snapshot};

/// Loose files in an archive that is no capture: more than that is somebody's folder.
const MAX_LOOSE: usize = 64;

/// What the inputs are.
#[derive(Default)]
struct Joint {
    captures: Vec<Members>,
    traces: Vec<Stream>,
    snapshots: Vec<Stream>,
    logs: Vec<Stream>,
    scripts: Vec<(Stream, Input)>,
    /// What had to be assumed.
    notes: Vec<String>,
}

/// Reads inputs that belong together.
///
/// # Errors
/// One of them cannot be read, or they do not belong together.
pub fn open(inputs: &[Input], reading: &Reading) -> Result<Log, SourceError> {
    let mut joint = Joint::default();
    let mut flaws = Vec::new();
    for input in inputs {
        match stream::open_watched(input, &reading.watched)? {
            Opened::Text(stream) => joint.text(stream, input, inputs.len() == 1, reading)?,
            Opened::Members(members) if capture::is_capture(&members) => joint.captures.push(members),
            Opened::Members(members) => {
                let names: Vec<String> = members.names().map(str::to_owned).collect();
                if matches!(input, Input::Path(path) if path.is_dir()) || MAX_LOOSE < names.len() {
                    return Err(SourceError::NoMembers { name: members.name });
                }
                let is_alone = inputs.len() == 1 && names.len() == 1;
                flaws.extend(members.problems.iter().cloned());
                for name in &names {
                    if let Some(stream) = members.open(name, &mut flaws)? {
                        joint.text(stream, input, is_alone, reading)?;
                    }
                }
                if joint.is_empty() {
                    return Err(SourceError::NoMembers { name: members.name });
                }
            }
        }
    }
    let mut notes = std::mem::take(&mut joint.notes);
    notes.sort_unstable();
    let mut log = joint.log(reading)?;
    notes.append(&mut log.notes);
    log.notes = notes;
    flaws.append(&mut log.problems);
    log.problems = flaws;
    Ok(log)
}

impl Joint {
    fn is_empty(&self) -> bool {
        let texts = [&self.traces, &self.snapshots, &self.logs];
        self.captures.is_empty() && self.scripts.is_empty() && texts.into_iter().all(Vec::is_empty)
    }

    fn text(
        &mut self,
        mut stream: Stream,
        input: &Input,
        is_alone: bool,
        reading: &Reading,
    ) -> Result<(), SourceError> {
        stream.check_not_empty()?;
        if let Some(format) = reading.format.filter(|_| is_alone || stream.format == Format::Unknown) {
            (stream.format, stream.doubt) = (format, None);
        }
        if stream.format == Format::Unknown && !is_alone {
            return Err(SourceError::NotReadable { name: stream.name, what: stream.format.title() });
        }
        let name = &stream.name;
        self.notes.extend(stream.doubt.map(|doubt| format!("{name} {doubt}: --format decides")));
        match class_of(stream.format) {
            Class::Trace | Class::Binary => self.traces.push(stream),
            Class::Snapshot => self.snapshots.push(stream),
            Class::Log => self.logs.push(stream),
            Class::Script => self.scripts.push((stream, input.clone())),
            Class::Unread => {
                return Err(SourceError::NotReadable { name: stream.name, what: stream.format.title() });
            }
        }
        Ok(())
    }

    fn log(mut self, reading: &Reading) -> Result<Log, SourceError> {
        let n_inputs =
            self.captures.len() + self.traces.len() + self.snapshots.len() + self.logs.len() + self.scripts.len();
        if let Some((mut stream, input)) = self.scripts.pop() {
            if 1 < n_inputs {
                return Err(apart(
                    format!("{} is an op script, which goes with nothing else", stream.name),
                    "open it alone; its answers go with it: --expect FILE.out",
                ));
            }
            let text = stream.whole()?;
            let mut log = script::read(&text, &input, &reading.expect)?;
            log.problems.extend(stream.finish()?);
            return Ok(log);
        }
        if let [first, second, ..] = &self.captures[..] {
            return Err(apart(
                format!("{} and {} are two captures", first.name, second.name),
                "open one after the other",
            ));
        }
        let mut log = Log { watched: reading.watched.clone(), ..Log::default() };
        if let Some(watched) = &log.watched
            && (1 < self.traces.len() || !self.snapshots.is_empty() || !self.logs.is_empty())
        {
            // What is read later says what came first, or what was there before.
            watched.hand_out_nothing();
        }
        if let Some(capture) = self.captures.pop() {
            capture::read(&capture, &mut log)?;
            log.origin.name.clone_from(&capture.name);
            if let (Some(trace), false) = (self.traces.first(), log.events.is_empty()) {
                return Err(apart(
                    format!("{} is a second recording beside the one in {}", trace.name, capture.name),
                    "open one after the other",
                ));
            }
        }
        if let Some(first) = self.traces.first() {
            log.origin.name.clone_from(&first.name);
            log.origin.kind = InputKind::Trace;
            let is_unknown = first.format == Format::Unknown;
            let what = first.format.title();
            traces(std::mem::take(&mut self.traces), &mut log)?;
            let (name, counts) = (log.origin.name.clone(), log.counts());
            if is_unknown && log.events.is_empty() {
                return Err(SourceError::NotReadable { name, what });
            }
            if counts.alloc + counts.free + counts.purge == 0 {
                return Err(SourceError::no_events(&name, counts.other, &log.problems));
            }
        }
        snapshots(self.snapshots, &mut log)?;
        kernel_log::read_all(self.logs, &mut log)?;
        if 1 < n_inputs {
            log.origin.name = format!("{} and {} more", log.origin.name, n_inputs - 1);
        } else {
            log.origin.name.clear();
        }
        Ok(log)
    }
}

fn apart(why: String, hint: &'static str) -> SourceError {
    SourceError::Apart { why, hint }
}

/// What one recording of several has shown.
struct Taken {
    name: String,
    from: usize,
    to: usize,
    overwritten: u64,
}

/// Reads one recording, or the files of its CPUs, merged by their stamps.
///
/// # Errors
/// They are not of one recording.
pub fn traces(mut streams: Vec<Stream>, log: &mut Log) -> Result<(), SourceError> {
    if let [one] = &mut streams[..] {
        return capture::read_trace(one, log);
    }
    if let Some(watched) = &log.watched {
        watched.hand_out_nothing();
    }
    streams.sort_by(|one, other| one.name.cmp(&other.name));
    let mut taken: Vec<Taken> = Vec::new();
    let clock = log.origin.clock;
    let mut clocks = Vec::new();
    for stream in &mut streams {
        let from = log.events.len();
        log.origin.overwritten = 0;
        log.origin.clock = clock;
        capture::read_trace(stream, log)?;
        if from < log.events.len() {
            clocks.push(log.origin.clock);
        }
        let overwritten = log.origin.overwritten;
        taken.push(Taken { name: stream.name.clone(), from, to: log.events.len(), overwritten });
    }
    for (n, one) in taken.iter().enumerate() {
        for other in &taken[n + 1..] {
            check_one_recording(log, one, other)?;
        }
    }
    if clocks.iter().any(|clock| clocks.first() != Some(clock)) {
        return Err(apart("the recordings have stamps of different clocks".to_owned(), "open one after the other"));
    }
    log.origin.overwritten = taken.iter().map(|taken| taken.overwritten).sum();
    log.sort_by_time();
    Ok(())
}

/// The files of one recording's CPUs share no CPU, have their stamps at about the same time, and one address space.
fn check_one_recording(log: &Log, one: &Taken, other: &Taken) -> Result<(), SourceError> {
    const HINT: &str = "open one after the other; the files of several CPUs are per_cpu/cpuN/trace of one recording";
    let refused = |why: &str| Err(apart(format!("{} and {} {why}", one.name, other.name), HINT));
    let [ones, others] = [one, other].map(|taken| log.events.range(taken.from..taken.to));
    let cpus =
        |events: &Iter<'_>| -> std::collections::BTreeSet<u16> { events.clone().map(|event| event.cpu).collect() };
    if !cpus(&ones).is_disjoint(&cpus(&others)) {
        return refused("are two recordings: both have records of the same CPU");
    }
    let span = |events: &Iter<'_>| {
        let stamps = events.clone().map(|event| event.at.0);
        Some((stamps.clone().min()?, stamps.max()?))
    };
    let (Some(a), Some(b)) = (span(&ones), span(&others)) else { return Ok(()) };
    let gap = b.0.saturating_sub(a.1).max(a.0.saturating_sub(b.1));
    // A CPU can be idle for as long as the others work, and a second more.
    if 1_000_000_000 + (a.1 - a.0) + (b.1 - b.0) < gap {
        return refused("are two recordings: their times lie far apart");
    }
    let windows = |events: &Iter<'_>| -> Vec<Window> {
        let ids: std::collections::BTreeSet<_> = events
            .clone()
            .filter_map(|event| match event.kind {
                EventKind::Alloc { window, .. } | EventKind::Request { window, .. } => Some(window),
                _ => None,
            })
            .collect();
        ids.into_iter().map(|id| log.names.window(id)).collect()
    };
    let (ones, others) = (windows(&ones), windows(&others));
    let crosses = |a: &Window, b: &Window| {
        let (low, high) = if a.vstart <= b.vstart { (a, b) } else { (b, a) };
        low.vstart < high.vstart && high.vstart < low.vend && low.vend < high.vend
    };
    if ones.iter().any(|a| others.iter().any(|b| crosses(a, b))) {
        return refused("are of two boots: their vmalloc ranges differ");
    }
    Ok(())
}

/// Puts loose snapshots before or after the recording.
fn snapshots(mut streams: Vec<Stream>, log: &mut Log) -> Result<(), SourceError> {
    streams.sort_by(|one, other| one.name.cmp(&other.name));
    let mut read: Vec<(String, Baseline)> = Vec::new();
    for stream in &mut streams {
        let text = stream.whole()?;
        let baseline = snapshot::read_as(stream.format, &stream.name, &text, &mut log.problems)?;
        log.problems.extend(stream.finish()?);
        read.push((stream.name.clone(), baseline));
    }
    if log.events.is_empty() {
        log.origin.form = streams.first().map(|stream| stream.format);
        return alone(read, log);
    }
    if let Some(partial) = streams.iter().find(|stream| !lists_all_areas(stream.format)) {
        return Err(apart(
            format!("{} is {}, which is no list of all areas of a moment", partial.name, partial.format.title()),
            "open it alone; /proc/vmallocinfo goes with a recording",
        ));
    }
    if 2 < read.len() + usize::from(log.before.is_some()) + usize::from(log.after.is_some()) {
        return Err(apart(
            "there are more snapshots than one before the recording and one after it".to_owned(),
            "name two, with --snapshot and --after if need be",
        ));
    }
    if read.is_empty() {
        return Ok(());
    }
    let evidence = Evidence::of(log);
    for (name, baseline) in &read {
        evidence.check_belongs(name, baseline)?;
    }
    let mut read = read.into_iter();
    match (read.next(), read.next()) {
        (Some(one), Some(other)) => {
            let (before, after, note) = evidence.order(one, other);
            log.notes.extend(note);
            (log.before, log.after) = (Some(before), Some(after));
        }
        (Some((name, baseline)), None) => {
            let taken = [(Place::After, &log.before), (Place::Before, &log.after)];
            let only = taken.iter().find(|(_, slot)| slot.is_some()).map(|(place, _)| *place);
            let (place, note) = only.map_or_else(|| evidence.place(&name, &baseline), |place| (place, None));
            log.notes.extend(note);
            let slot = if place == Place::Before { &mut log.before } else { &mut log.after };
            *slot = Some(baseline);
        }
        _ => {}
    }
    Ok(())
}

/// Whether a form lists the areas of a moment, and all of them: the others say nothing of what is free.
fn lists_all_areas(format: Format) -> bool {
    match format {
        Format::Listing(dialect) => dialect.lists_areas() && dialect.is_complete(),
        _ => true,
    }
}

/// Snapshots without a recording.
fn alone(read: Vec<(String, Baseline)>, log: &mut Log) -> Result<(), SourceError> {
    let mut read = read.into_iter();
    let Some((name, baseline)) = read.next() else { return Ok(()) };
    if let Some(other) = read.next().map(|(other, _)| other).or(log.before.as_ref().map(|_| log.origin.name.clone())) {
        return Err(apart(
            format!("{name} and {other} are snapshots without the recording between them"),
            "open them one after the other, or name the recording too",
        ));
    }
    log.origin.name = name;
    log.origin.kind = InputKind::Snapshot;
    log.origin.from_boot = Some(false);
    log.before = Some(baseline);
    Ok(())
}
