//! A capture: a recording with what was read around it, as a folder, a bundle, or an archive of either.

use parsers::record::{Record, Stamp};

use crate::log::{FileProblem, InputKind, Log, Origin};

use super::formats::{Class, class_of};
use super::manifest::{self, Manifest};
use super::members::Members;
use super::stream::Stream;
use super::{SourceError, dat, meminfo, meta, snapshot, state, trace};

/// Names that make a folder a capture.
pub const TELLING: [&str; 9] =
    [manifest::NAME, META, "trace.txt", "events.trace", "events.perf.txt", "events.dat", "trace.dat", BEFORE, AFTER];

const META: &str = "meta.toml";
/// `/proc/vmallocinfo` before the recording.
pub const BEFORE: &str = "vmallocinfo.before";
/// And after it.
pub const AFTER: &str = "vmallocinfo.after";
/// What a recording is called, the first that is there counts: one capture may have it in several forms.
const RECORDINGS: [&str; 6] = ["events.trace", "trace.txt", "events.perf.txt", "events.dat", "trace.dat", "trace"];

/// Is this a capture, or just files together?
pub fn is_capture(members: &Members) -> bool {
    TELLING.iter().any(|name| members.find(name).is_some()) || !per_cpu(members).is_empty() || dat::has_pages(members)
}

/// The members that have records, in the order of time: before, recording (one, or one for each CPU), after.
pub struct Parts {
    /// Which snapshot was before.
    pub before: String,
    /// The recording: no name if there is none.
    pub recording: Vec<String>,
    /// Which snapshot was after.
    pub after: String,
}

/// Finds them, by the manifest if it says, else by their names.
pub fn parts(members: &Members, manifest: Manifest) -> Parts {
    let known = |name: Option<String>| name.filter(|name| members.find(name).is_some());
    // Pages are a folder, and may be called by it or by one of its files.
    let has_pages = dat::has_pages(members);
    let told =
        manifest.trace.filter(|name| members.find(name).is_some() || (has_pages && name.starts_with(dat::PAGES)));
    let told = told.map(|name| if has_pages && name.starts_with(dat::PAGES) { dat::PAGES.to_owned() } else { name });
    let recording = told
        .or_else(|| RECORDINGS.iter().find(|name| members.find(name).is_some()).map(|name| (*name).to_owned()))
        .or_else(|| has_pages.then(|| dat::PAGES.to_owned()));
    Parts {
        before: known(manifest.before).unwrap_or_else(|| BEFORE.to_owned()),
        recording: recording.map_or_else(|| per_cpu(members), |name| vec![name]),
        after: known(manifest.after).unwrap_or_else(|| AFTER.to_owned()),
    }
}

/// Opens a part; raw pages are one. What is damaged in the packing of what describes those is told beside.
///
/// # Errors
/// A member is refused.
pub fn open(members: &Members, name: &str, origin: &Origin) -> Result<(Option<Stream>, Vec<FileProblem>), SourceError> {
    if name == dat::PAGES {
        return dat::pages(members, origin.clock_name.as_deref(), origin.kernel.as_deref());
    }
    let mut problems = Vec::new();
    Ok((members.open(name, &mut problems)?, problems))
}

/// `per_cpu/cpuN/trace`, in the order of CPUs.
fn per_cpu(members: &Members) -> Vec<String> {
    let cpu = |name: &str| {
        let (cpu, file) = name.strip_prefix("per_cpu/cpu")?.split_once('/')?;
        let file = file.split('.').next()?;
        (file == "trace").then_some(cpu.parse::<u32>().ok()?)
    };
    let mut found: Vec<(u32, String)> =
        members.names().filter_map(|name| Some((cpu(name)?, name.to_owned()))).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).collect()
}

/// Reads a capture.
///
/// # Errors
/// A member cannot be used, or there is neither a recording nor a snapshot.
pub fn read(members: &Members, log: &mut Log) -> Result<(), SourceError> {
    log.problems.extend(members.problems.iter().cloned());
    if let Some(text) = whole(members, META, &mut log.problems)? {
        meta::read(META, &String::from_utf8_lossy(&text), &mut log.origin)?;
    }
    let mut manifest = Manifest::default();
    if let Some(text) = whole(members, manifest::NAME, &mut log.problems)? {
        manifest = manifest::read(&text, &mut log.origin, &mut log.problems)?;
    }
    if let Some(text) = whole(members, "meminfo", &mut log.problems)? {
        meminfo::read(&text, &mut log.origin);
    }
    let parts = parts(members, manifest);
    if let Some(text) = whole(members, &parts.before, &mut log.problems)? {
        log.before = Some(snapshot::read(&parts.before, &text, &mut log.problems)?);
    }
    if let Some(text) = whole(members, state::BEFORE, &mut log.problems)? {
        log.state_before = state::read(state::BEFORE, &text, &mut log.problems);
    }
    if let Some(text) = whole(members, &parts.after, &mut log.problems)? {
        log.after = Some(snapshot::read(&parts.after, &text, &mut log.problems)?);
    }
    if let Some(text) = whole(members, "allocator-state.after", &mut log.problems)? {
        let (truth, problems) = parsers::allocator_state::parse(&text);
        let file = || "allocator-state.after".to_owned();
        log.problems.extend(problems.into_iter().map(|problem| FileProblem { file: file(), problem }));
        log.truth = (!truth.free.is_empty()).then_some(truth);
    }
    recording(members, &parts.recording, log)
}

fn recording(members: &Members, names: &[String], log: &mut Log) -> Result<(), SourceError> {
    let mut streams = Vec::new();
    for name in names {
        let (stream, problems) = open(members, name, &log.origin)?;
        streams.extend(stream);
        log.problems.extend(problems);
    }
    if streams.is_empty() {
        if log.before.is_none() && log.after.is_none() {
            return Err(SourceError::NoMembers { name: members.name.clone() });
        }
        log.origin.kind = InputKind::Snapshot;
        // A snapshot alone is what there is to see, whichever it is.
        log.before = log.before.take().or_else(|| log.after.take());
        return Ok(());
    }
    super::join::traces(streams, log)?;
    let counts = log.counts();
    if counts.alloc + counts.free + counts.purge == 0 && log.before.is_none() {
        return Err(SourceError::no_events(&members.name, counts.other, &log.problems));
    }
    Ok(())
}

/// A member in memory; what is damaged in its packing is a problem of it alone.
fn whole(members: &Members, name: &str, problems: &mut Vec<FileProblem>) -> Result<Option<Vec<u8>>, SourceError> {
    let Some(mut stream) = members.open(name, problems)? else { return Ok(None) };
    let bytes = stream.whole()?;
    problems.extend(stream.finish()?);
    Ok(Some(bytes))
}

/// Reads a recording in whatever form it is; one that tells nothing of itself is taken for ftrace's.
///
/// # Errors
/// Its form is not read.
pub fn read_trace(stream: &mut Stream, log: &mut Log) -> Result<(), SourceError> {
    let name = stream.name.clone();
    log.origin.form = Some(stream.format);
    match class_of(stream.format) {
        Class::Unread => return Err(SourceError::NotReadable { name, what: stream.format.title() }),
        Class::Binary => return read_binary(stream, Reach::ALL, log),
        _ => {
            trace::read_as(stream.format, &name, &mut *stream, log)
                .map_err(|reason| SourceError::Unreadable { name: name.clone(), reason })?;
        }
    }
    log.problems.extend(stream.finish()?);
    Ok(())
}

/// How far a recording is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Up to this stamp, in ns.
    pub until: u64,
    /// At most so many events.
    pub events: usize,
}

impl Reach {
    /// To its end.
    pub const ALL: Self = Self { until: u64::MAX, events: usize::MAX };

    /// Is that within?
    fn holds(self, record: &Record<'_>, n_events: usize) -> bool {
        let stamp = record.prefix.as_ref().map(|prefix| prefix.stamp);
        n_events < self.events && !matches!(stamp, Some(Stamp::Nanos(at)) if self.until < at)
    }
}

/// Reads a recording in the kernel's own form.
///
/// # Errors
/// Nothing tells how it is laid out.
pub fn read_binary(stream: &mut Stream, reach: Reach, log: &mut Log) -> Result<(), SourceError> {
    let name = stream.name.clone();
    log.origin.form = Some(stream.format);
    let mut intake = trace::Intake::new(log);
    // They come by their stamps: behind the first that is too far there are no others.
    let mut is_over = false;
    let (facts, problems) = dat::read(stream, &mut |record| {
        is_over |= !reach.holds(record, intake.n_events());
        if !is_over {
            intake.record(record);
        }
    })?;
    let release = facts.kernel_release().map(|release| String::from_utf8_lossy(release).into_owned());
    intake.settle(&name);
    trace::damaged(&name, problems, log);
    let origin = &mut log.origin;
    origin.kernel = origin.kernel.take().or(release);
    if !facts.stats.is_empty() {
        origin.overwritten = facts.stats.iter().map(|stat| stat.overrun).sum();
    }
    origin.page_size = origin.page_size.or(Some(u64::from(facts.page_bytes)).filter(|&size| 0 < size));
    origin.cpus_online = origin.cpus_online.or(Some(facts.n_cpus).filter(|&cpus| 0 < cpus));
    log.problems.extend(stream.finish()?);
    Ok(())
}
