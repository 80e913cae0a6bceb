//! From what was taken to a bundle.

use std::fs::File;
use std::path::Path;

use parsers::trace_dat::ReadAt;
use parsers::vmallocinfo;

use crate::log::Pointers;

use crate::source::read_at::Disk;

use super::anonymise::Masks;
use super::bundle::{CHECKSUMS, MANIFEST, Spool};
use super::decode::Digest;
use super::error::RecordError;
use super::facts::Facts;
use super::files::Files;
use super::kcore;
use super::manifest;
use super::session::Taken;
use super::settings::Settings;
use super::snapshot::Snapshot;
use super::store::Store;
use super::symbols::{Kallsyms, Symbol};

/// Names and addresses of the kernel's functions.
pub(super) const KALLSYMS: &str = "/proc/kallsyms";

/// A finished bundle.
#[derive(Debug)]
pub struct Bundle {
    /// What is in it.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// Its members.
    pub n_members: usize,
}

/// Writes everything that describes the recording, and makes the bundle.
///
/// # Errors
/// The output cannot be written.
pub fn bundle(
    files: &dyn Files,
    facts: &Facts,
    settings: &Settings,
    spool: Spool,
    taken: &Taken,
) -> Result<Bundle, RecordError> {
    let digest = digest(&spool, facts, taken);
    let mut masks = settings.anonymise.then(Masks::default);
    let kallsyms = files.read(Path::new(KALLSYMS)).unwrap_or_default();
    let mut symbols = symbols(&kallsyms, &digest);
    if let Some(masks) = &mut masks {
        symbols = symbols.into_iter().map(|symbol| masks.symbol(symbol)).collect();
    }
    spool.put("symbols.txt", lines(&symbols).as_bytes())?;
    let comms = taken.comms.text(&digest.pids, |name| match &mut masks {
        Some(masks) => masks.task(name),
        None => name.to_vec(),
    });
    spool.put("saved_cmdlines", &comms)?;
    for (name, snapshot) in [("vmallocinfo.before", &taken.before), ("vmallocinfo.after", &taken.after)] {
        let Some(snapshot) = snapshot else { continue };
        match &mut masks {
            Some(masks) => spool.put(name, &masks.vmallocinfo(&snapshot.text))?,
            None => spool.put(name, &snapshot.text)?,
        }
    }
    if masks.is_none() {
        spool.put("modules.txt", &files.read(Path::new("/proc/modules")).unwrap_or_default())?;
    }
    for (cpu, _, text) in &taken.stats {
        spool.put(&format!("stats/cpu{cpu}"), format!("{text}\n").as_bytes())?;
    }
    let text = |name: &str| std::fs::read_to_string(spool.dir.join(name)).unwrap_or_default();
    let (meminfo, config) = (text("meminfo"), text("config.txt"));
    let members = spool.members()?;
    let source = manifest::Source {
        facts,
        settings,
        taken: Some(taken),
        digest: Some(&digest),
        range: kcore::vmalloc_range(files, digest.window, &starts(taken.before.as_ref())),
        members: &members,
        meminfo: &meminfo,
        config: &config,
    };
    spool.put(MANIFEST, manifest::write(&source).as_bytes())?;
    let sums: Vec<String> = members.iter().map(|member| format!("{}  {}", member.sha256, member.name)).collect();
    spool.put(CHECKSUMS, lines(&sums).as_bytes())?;
    let mut names = vec![MANIFEST.to_owned()];
    names.extend(members.into_iter().map(|member| member.name));
    names.push(CHECKSUMS.to_owned());
    let bytes = spool.finish(&names)?;
    Ok(Bundle { digest, bytes, n_members: names.len() })
}

/// Each on a line of its own.
pub(super) fn lines<T: std::fmt::Display>(of: &[T]) -> String {
    let lines: Vec<String> = of.iter().map(|line| format!("{line}\n")).collect();
    lines.concat()
}

/// Where the areas of a snapshot begin, if it says.
pub(super) fn starts(snapshot: Option<&Snapshot>) -> Vec<u64> {
    let mut starts = Vec::new();
    if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.pointers == Pointers::Real) {
        vmallocinfo::Reader::new().read(&snapshot.text, &mut |row| starts.push(row.start));
    }
    starts
}

/// Goes through the pages.
fn digest(spool: &Spool, facts: &Facts, taken: &Taken) -> Digest {
    let open = |&cpu: &u16| {
        let file = File::open(spool.dir.join(format!("events.pages/cpu{cpu}"))).ok()?;
        Some((cpu, Disk::new(&file)?))
    };
    let disks: Vec<(u16, Disk)> = facts.online.iter().filter_map(open).collect();
    let cpus: Vec<(u16, &dyn ReadAt)> = disks.iter().map(|(cpu, disk)| (*cpu, disk as &dyn ReadAt)).collect();
    taken.layout.digest(&cpus)
}

/// Names of the addresses that occur. Where the kernel hides them, those of own probes are known all the same.
pub(super) fn symbols(kallsyms: &[u8], digest: &Digest) -> Vec<Symbol> {
    let text = String::from_utf8_lossy(kallsyms);
    let kallsyms = Kallsyms::read(&text);
    if kallsyms.is_empty() {
        let symbol =
            |(&address, &name): (&u64, &&str)| Symbol { address, name: name.to_owned(), offset: 0, module: None };
        return digest.probed.iter().map(symbol).collect();
    }
    let mut addresses = digest.addresses.clone();
    addresses.extend(digest.probed.keys());
    kallsyms.of(&addresses)
}
