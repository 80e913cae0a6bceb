//! [`Facts`]: what there is to know of this machine before anything is changed on it. Everything here only reads.

use std::path::{Path, PathBuf};

use parsers::vmallocinfo;

use crate::log::Pointers;

use super::files::Files;
use super::mounts::Tracefs;
use super::owner::Owner;
use super::probes::{Arch, Symbols};
use super::settings::Settings;

/// `kernel.kptr_restrict`.
pub const KPTR: &str = "/proc/sys/kernel/kptr_restrict";
/// The areas.
pub const VMALLOCINFO: &str = "/proc/vmallocinfo";
/// What a recording notes down for the case that it is killed.
pub const RUN: &str = "/run";
/// From this release on the allocator has events of its own.
const FIRST_WITH_EVENTS: (u32, u32) = (6, 2);

/// A capability: its number and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Real addresses at `kptr_restrict` 1.
    Syslog = 34,
    /// Mounting.
    SysAdmin = 21,
    /// Files of others.
    DacReadSearch = 2,
}

/// What is there, and what may be done.
#[derive(Debug, Clone)]
pub struct Facts {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`.
    pub version: String,
    /// `uname -m`.
    pub machine: String,
    /// The same, where it matters for probes.
    pub arch: Option<Arch>,
    /// Bytes in a page.
    pub page_size: u64,
    /// CPUs online, in order.
    pub online: Vec<u16>,
    /// The kernel's own list of CPUs that could be there.
    pub possible: String,
    /// Memory that can be had without swapping, in KiB.
    pub available_kib: Option<u64>,
    /// Where tracefs is.
    pub tracefs: Tracefs,
    /// Why its files cannot be used, if they cannot.
    pub tracefs_refused: Option<std::io::ErrorKind>,
    /// Has the allocator events of its own? Where tracefs cannot be looked into, by the release.
    pub has_events: bool,
    /// Can probes be defined?
    pub has_probes: bool,
    /// Functions that probes could sit on.
    pub symbols: Symbols,
    /// `kernel.kptr_restrict`.
    pub kptr: Option<u8>,
    /// What `/proc/vmallocinfo` shows; `None` if it cannot be read.
    pub pointers: Option<Pointers>,
    /// What the kernel is locked down to; `None` if it does not say.
    pub lockdown: Option<String>,
    /// The effective user.
    pub is_root: bool,
    /// Real and effective user are one.
    pub is_same_user: bool,
    /// The effective capabilities, a bit each.
    pub capabilities: u64,
    /// This process.
    pub owner: Owner,
}

impl Facts {
    /// Looks around, as far as it matters for what is asked.
    pub fn gather(files: &dyn Files, settings: &Settings) -> Self {
        let text = |path: &str| files.text(Path::new(path));
        let uname = rustix::system::uname();
        let machine = uname.machine().to_string_lossy().into_owned();
        let release =
            text("/proc/sys/kernel/osrelease").unwrap_or_else(|| uname.release().to_string_lossy().into_owned());
        let version =
            text("/proc/sys/kernel/version").unwrap_or_else(|| uname.version().to_string_lossy().into_owned());
        let said = settings.tracefs.as_ref();
        let tracefs = said.map_or_else(|| Tracefs::find(files), |path| Tracefs::At(path.clone()));
        let root = tracefs.path();
        let refused = files.names(&root.join("instances")).and_then(|_| files.names(&root.join("events")));
        let tracefs_refused = refused.err().map(|error| error.kind());
        let has_events = match tracefs_refused {
            None => files.exists(&root.join("events/vmalloc/alloc_vmap_area")),
            Some(_) => version_of(&release).is_some_and(|version| FIRST_WITH_EVENTS <= version),
        };
        let status = text("/proc/self/status").unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let users: Vec<&str> = field("Uid").unwrap_or_default().split_ascii_whitespace().collect();
        let capabilities = field("CapEff").and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        let arch = Arch::named(&machine);
        let needs_symbols = !has_events || settings.probes;
        let kallsyms = needs_symbols.then(|| files.read(Path::new("/proc/kallsyms")).ok()).flatten();
        let pid = std::process::id();
        Self {
            release,
            version,
            arch,
            machine,
            page_size: rustix::param::page_size() as u64,
            online: cpus(&text("/sys/devices/system/cpu/online").unwrap_or_default()),
            possible: text("/sys/devices/system/cpu/possible").unwrap_or_default(),
            available_kib: meminfo_kib(&text("/proc/meminfo").unwrap_or_default(), "MemAvailable"),
            has_probes: files.exists(&root.join("kprobe_events")),
            tracefs,
            tracefs_refused,
            has_events,
            symbols: Symbols::read(&kallsyms.unwrap_or_default()),
            kptr: text(KPTR).and_then(|text| text.parse().ok()),
            pointers: files.read(Path::new(VMALLOCINFO)).ok().map(|text| pointers_of(&text)),
            lockdown: text("/sys/kernel/security/lockdown").and_then(|text| chosen(&text).map(str::to_owned)),
            is_root: users.get(1) == Some(&"0"),
            is_same_user: users.first() == users.get(1),
            capabilities,
            owner: Owner::of(files, pid).unwrap_or(Owner { pid, started: 0 }),
        }
    }

    /// May this process do that?
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities >> (capability as u32) & 1 == 1
    }

    /// CPUs with a buffer.
    pub fn n_cpus(&self) -> u64 {
        self.online.len().max(1) as u64
    }

    /// A file of tracefs.
    pub fn tracefs_file(&self, name: &str) -> PathBuf {
        self.tracefs.path().join(name)
    }

    /// The file in which it is noted what `kptr_restrict` was.
    pub fn note(&self) -> PathBuf {
        Path::new(RUN).join(self.owner.note())
    }
}

/// What the address columns of a snapshot show.
pub fn pointers_of(text: &[u8]) -> Pointers {
    let mut reader = vmallocinfo::Reader::new();
    reader.read(text, &mut |_| {});
    reader.finish().0
}

/// `0-3,8` as numbers.
pub fn cpus(list: &str) -> Vec<u16> {
    let mut cpus = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
            cpus.extend(first..=last);
        }
    }
    cpus
}

/// A row of `/proc/meminfo`.
pub fn meminfo_kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The word in brackets: `none [integrity] confidentiality`.
pub fn chosen(text: &str) -> Option<&str> {
    Some(text.split_once('[')?.1.split_once(']')?.0)
}

/// `6.12` of `6.12.117+deb12-cloud-amd64`.
fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_words_of_the_kernel() {
        assert_eq!(cpus("0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(cpus(""), [0_u16; 0]);
        assert_eq!(chosen("none [integrity] confidentiality"), Some("integrity"));
        assert_eq!(chosen("none"), None);
        assert_eq!(meminfo_kib("MemTotal:  5 kB\nMemAvailable:   991348 kB\n", "MemAvailable"), Some(991_348));
        assert_eq!(version_of("6.12.117+deb12-cloud-amd64"), Some((6, 12)));
        assert_eq!(version_of("linux"), None);
    }
}
