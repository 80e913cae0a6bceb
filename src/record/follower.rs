//! [`Follower`]: makes a log of a recording that still grows, as often as somebody wants to see it.
//!
//! The log is made anew from all pages each time, the way a bundle is read. So what is shown at any moment is what opening
//! the recording up to there would show, and nothing has to be put right later.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parsers::trace_dat::ReadAt;
use rustix::time::ClockId;

use crate::log::{Around, Log, Window};
use crate::source::capture::Reach;
use crate::source::dat::{Pages, symbols};
use crate::source::growing::{self, Growing};
use crate::source::read_at::Places;

use super::decode::{Digest, Layout};
use super::drain::now;
use super::facts::{Facts, pointers_of};
use super::files::Files;
use super::finish::{self, KALLSYMS, lines, starts};
use super::kcore;
use super::keep::Comms;
use super::loss::{self, Loss};
use super::manifest;
use super::memory::{Held, Memory};
use super::plan::Plan;
use super::session::Taken;
use super::settings::Settings;
use super::snapshot::Snapshot;

/// A record is stamped a little before it is in the buffer; who writes it may be stopped in between, in a guest for some time.
const IN_FLIGHT_NS: u64 = 50_000_000;
/// What the trace is called.
const NAME: &str = "this machine";

/// Looks at a recording.
#[derive(Debug)]
pub struct Follower {
    facts: Arc<Facts>,
    settings: Arc<Settings>,
    plan: Arc<Plan>,
    memory: Memory,
    comms: Comms,
    digest: Digest,
    /// Pages of each CPU that are in the digest.
    digested: BTreeMap<u16, usize>,
    /// Names of the addresses that occur, and how many of those there were.
    symbols: Vec<u8>,
    named: Option<usize>,
    /// The kernel's list of functions, and its modules when that was read.
    kallsyms: Vec<u8>,
    modules: Vec<u8>,
    range: Option<Window>,
    /// When pages were last new, and up to when the last log goes.
    came: u64,
    reached: u64,
}

/// What a look came to.
#[derive(Debug)]
pub struct Looked {
    /// The log up to a moment; `None`: it has not begun, or nothing has come since the last look.
    pub log: Option<Log>,
    /// The kernel's counts.
    pub loss: Loss,
    /// Bytes of pages that are held.
    pub bytes: usize,
}

impl Follower {
    /// Nothing has been looked at yet.
    pub fn new(facts: Arc<Facts>, settings: Arc<Settings>, plan: Arc<Plan>, memory: Memory) -> Self {
        Self {
            facts,
            settings,
            plan,
            memory,
            comms: Comms::default(),
            digest: Digest::default(),
            digested: BTreeMap::new(),
            symbols: Vec::new(),
            named: None,
            kallsyms: Vec::new(),
            modules: Vec::new(),
            range: None,
            came: 0,
            reached: 0,
        }
    }

    /// Reads beforehand what takes the kernel long to print.
    pub fn prepare(&mut self, files: &dyn Files) {
        let modules = files.read(Path::new("/proc/modules")).unwrap_or_default();
        if self.kallsyms.is_empty() || self.modules != modules {
            self.kallsyms = files.read(Path::new(KALLSYMS)).unwrap_or_default();
            self.modules = modules;
        }
    }

    /// What there is now, at most so many events of it; all of it if it is over: then `taken` is what came of it.
    ///
    /// # Errors
    /// What was recorded cannot be read.
    pub fn look(&mut self, files: &dyn Files, events: usize, taken: Option<&Taken>) -> Result<Looked, String> {
        let held = self.memory.look();
        let loss = match taken {
            Some(taken) => loss::total(&taken.stats),
            None => loss::total(&loss::read(files, &self.plan.instance, &self.facts.online)),
        };
        let mut looked = Looked { log: None, loss, bytes: held.bytes() };
        let before = held.members.get("vmallocinfo.before").cloned();
        // The snapshot is there a moment after its last mark.
        if before.is_none() && self.facts.pointers.is_some() || held.member("header_page").is_empty() {
            return Ok(looked);
        }
        if self.digest(&held) {
            self.came = now(ClockId::Monotonic);
        } else if taken.is_none() && self.came <= self.reached {
            return Ok(looked);
        }
        let until = match taken {
            Some(_) if !held.is_full => u64::MAX,
            _ => held.emptied.saturating_sub(IN_FLIGHT_NS),
        };
        self.reached = until;
        if self.range.is_none() {
            let snapshot = before.as_deref().map(snapshot_of);
            self.range = kcore::vmalloc_range(files, self.digest.window, &starts(snapshot.as_ref()));
        }
        let (manifest, meminfo) = self.described(files, &held, taken);
        let pages = self.pages(files, &held);
        let after = taken.and_then(|taken| taken.after.as_ref()).map(|after| after.text.as_slice());
        let reach = Reach { until, events };
        let growing = Growing {
            name: NAME,
            manifest: &manifest,
            meminfo: &meminfo,
            before: before.as_deref(),
            after,
            pages,
            reach,
        };
        let mut log = growing::read(growing).map_err(|error| error.to_string())?;
        // Pages say what was overwritten before them, but not what was never written.
        log.origin.overwritten = loss.commit_overrun.saturating_add(loss.dropped);
        let is_marked = || log.snapshot_window(Around::Before).is_some_and(|window| window.end < log.events.len());
        looked.log = (before.is_none() || taken.is_some() || is_marked()).then_some(log);
        Ok(looked)
    }

    /// Goes through the pages that are new; `false` if there are none.
    fn digest(&mut self, held: &Held) -> bool {
        let layout = layout(held, &self.plan);
        let new = |(&cpu, pages): (&u16, &super::memory::Pages)| {
            let known = self.digested.get(&cpu).copied().unwrap_or(0);
            (known < pages.n_pages()).then(|| (cpu, pages.from(known)))
        };
        let new: Vec<(u16, super::memory::Pages)> = held.cpus.iter().filter_map(new).collect();
        let cpus: Vec<(u16, &dyn ReadAt)> = new.iter().map(|(cpu, pages)| (*cpu, pages as &dyn ReadAt)).collect();
        layout.digest_more(&cpus, &mut self.digest);
        for (cpu, pages) in &new {
            *self.digested.entry(*cpu).or_default() += pages.n_pages();
        }
        !new.is_empty()
    }

    /// The manifest that a bundle of this would have, and `/proc/meminfo`.
    fn described(&self, files: &dyn Files, held: &Held, taken: Option<&Taken>) -> (String, Vec<u8>) {
        let meminfo = files.read(Path::new("/proc/meminfo")).unwrap_or_default();
        let text = String::from_utf8_lossy(&meminfo).into_owned();
        let config = String::from_utf8_lossy(held.member("config.txt")).into_owned();
        let source = manifest::Source {
            facts: &self.facts,
            settings: &self.settings,
            taken,
            digest: Some(&self.digest),
            range: self.range,
            members: &[],
            meminfo: &text,
            config: &config,
        };
        (manifest::write(&source), meminfo)
    }

    /// The pages, with names for what is in them.
    fn pages(&mut self, files: &dyn Files, held: &Held) -> Pages {
        self.comms.look(files, &self.facts);
        let formats = held.members.iter().filter(|(name, _)| name.starts_with("formats/"));
        let cpus = held.cpus.iter().map(|(&cpu, pages)| (cpu, Arc::new(pages.clone()) as Arc<Places>));
        Pages {
            header_page: held.member("header_page").to_vec(),
            formats: formats.map(|(_, text)| text.to_vec()).collect(),
            cpus: cpus.collect(),
            saved_cmdlines: self.comms.text(&self.digest.pids, <[u8]>::to_vec),
            kallsyms: self.symbols(files).to_vec(),
            printk_formats: held.member("printk_formats").to_vec(),
            trace_clock: held.member("trace_clock").to_vec(),
            release: Vec::new(),
        }
    }

    /// Names of the addresses of code that occur. The kernel's list is long: it is looked at only for new ones, and read again
    /// only for new modules.
    fn symbols(&mut self, files: &dyn Files) -> &[u8] {
        let known = Some(self.digest.addresses.len() + self.digest.probed.len());
        if self.named != known {
            self.prepare(files);
            self.symbols = symbols(lines(&finish::symbols(&self.kallsyms, &self.digest)).as_bytes());
            self.named = known;
        }
        &self.symbols
    }
}

/// How the pages are read.
fn layout(held: &Held, plan: &Plan) -> Layout {
    let formats = held.members.iter().filter(|(name, _)| name.starts_with("formats/"));
    Layout {
        header_page: held.member("header_page").to_vec(),
        formats: formats.map(|(_, text)| text.to_vec()).collect(),
        probes: plan.probes.clone(),
    }
}

/// The read as the recorder had it, as far as it matters here.
fn snapshot_of(text: &[u8]) -> Snapshot {
    Snapshot { text: text.to_vec(), kept: 0, records: 0, pointers: pointers_of(text) }
}
