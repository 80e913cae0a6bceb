//! What is kept beside the pages: without some of it they cannot be read, and the rest shaped the allocator.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use super::bundle::MANIFEST;
use super::decode::Layout;
use super::error::RecordError;
use super::facts::Facts;
use super::files::Files;
use super::manifest;
use super::plan::Plan;
use super::settings::Settings;
use super::store::Store;
use super::symbols::Kallsyms;

/// Events of ftrace itself that can be among the others.
const OWN_EVENTS: [&str; 6] = ["print", "raw_data", "kernel_stack", "user_stack", "bprint", "bputs"];

/// What of the kernel's configuration decides how areas are placed and used.
const CONFIG_KEYS: [&str; 12] = [
    "CONFIG_VMAP_STACK",
    "CONFIG_KASAN_VMALLOC",
    "CONFIG_HAVE_ARCH_HUGE_VMALLOC",
    "CONFIG_PREEMPT_DYNAMIC",
    "CONFIG_RANDOMIZE_MEMORY",
    "CONFIG_RANDOMIZE_BASE",
    "CONFIG_STRICT_MODULE_RWX",
    "CONFIG_HZ",
    "CONFIG_NR_CPUS",
    "CONFIG_PGTABLE_LEVELS",
    "CONFIG_X86_5LEVEL",
    "CONFIG_HIGHMEM",
];

/// Saves what describes the pages, and hands it on.
///
/// # Errors
/// It cannot be read, or not be written.
pub fn layout(files: &dyn Files, facts: &Facts, plan: &Plan, store: &dyn Store) -> Result<Layout, RecordError> {
    let of = |name: &str| -> Result<Vec<u8>, RecordError> {
        // An instance can have pages of a size of its own, and then describes them itself.
        let own = plan.instance.join("events").join(name);
        let path = if files.exists(&own) { own } else { facts.tracefs_file("events").join(name) };
        files.read(&path).map_err(|error| RecordError::system(&path, &error, facts))
    };
    let header_page = of("header_page")?;
    store.put("header_page", &header_page)?;
    let mut formats = Vec::new();
    for event in &plan.events {
        let format = of(&format!("{event}/format"))?;
        // The group of probes has the pid in its name, which is nobody's business.
        let (_, name) = event.rsplit_once('/').unwrap_or(("", event));
        store.put(&format!("formats/{name}"), &format)?;
        formats.push(format);
    }
    for event in OWN_EVENTS {
        let path = facts.tracefs_file("events/ftrace").join(event).join("format");
        if let Ok(format) = files.read(&path) {
            store.put(&format!("formats/{event}"), &format)?;
            formats.push(format);
        }
    }
    for name in ["trace_clock", "trace_options"] {
        store.put(name, &files.read(&plan.instance.join(name)).unwrap_or_default())?;
    }
    store.put("printk_formats", &files.read(&facts.tracefs_file("printk_formats")).unwrap_or_default())?;
    store.put("config.txt", config(files, facts).as_bytes())?;
    if !plan.probes.is_empty() {
        // Should the program be killed: a probe's records say where it sits by an address alone.
        store.put("symbols.txt", probed(files, plan).as_bytes())?;
    }
    Ok(Layout { header_page, formats, probes: plan.probes.clone() })
}

/// The functions that probes sit on, with their addresses where the kernel shows them.
fn probed(files: &dyn Files, plan: &Plan) -> String {
    let text = files.read(Path::new("/proc/kallsyms")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let kallsyms = Kallsyms::read(&text);
    let addresses = plan.probes.iter().filter_map(|probe| kallsyms.address(probe.function)).collect();
    kallsyms.of(&addresses).iter().map(|symbol| format!("{symbol}\n")).collect::<Vec<_>>().concat()
}

/// Bytes of a page: what `data` begins at and what fits into it.
pub fn page_bytes(header_page: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(header_page);
    let line = text.lines().find(|line| line.contains(" data;"))?;
    let number = |name: &str| -> Option<usize> { line.split_once(name)?.1.split(';').next()?.trim().parse().ok() };
    number("offset:")?.checked_add(number("size:")?).filter(|bytes| (512..=1 << 20).contains(bytes))
}

/// A manifest that says at least what machine it is, should nothing come after it.
///
/// # Errors
/// It cannot be written.
pub fn first_manifest(store: &dyn Store, facts: &Facts, settings: &Settings) -> Result<(), RecordError> {
    store.put(MANIFEST, manifest::begun(facts, settings).as_bytes())
}

/// What the machine is like at the end.
///
/// # Errors
/// It cannot be written.
pub fn at_the_end(files: &dyn Files, store: &dyn Store) -> Result<(), RecordError> {
    store.put("meminfo", &files.read(Path::new("/proc/meminfo")).unwrap_or_default())
}

/// The probes, and how often each was missed.
///
/// # Errors
/// It cannot be written.
pub fn probes(store: &dyn Store, plan: &Plan, facts: &Facts, profile: Option<String>) -> Result<(), RecordError> {
    if plan.probes.is_empty() {
        return Ok(());
    }
    let group = facts.owner.group();
    let mut text = plan.probes.iter().map(|probe| format!("{}\n", probe.line)).collect::<Vec<_>>().concat();
    text.push_str("# name, hits, misses\n");
    for line in profile.unwrap_or_default().lines() {
        let name = line.split_ascii_whitespace().next().unwrap_or_default();
        if plan.probes.iter().any(|probe| probe.event == name) {
            text.push_str(line.trim());
            text.push('\n');
        }
    }
    store.put("kprobes.txt", text.replace(&group, "vmaplens").as_bytes())
}

/// Calls that return probes missed: the kernel could not follow more of them at once.
pub fn missed(profile: &str) -> u64 {
    let count = |line: &str| line.split_ascii_whitespace().nth(2)?.parse::<u64>().ok();
    profile.lines().filter_map(count).sum()
}

/// The lines of the kernel's configuration that matter; empty if it is nowhere to be found.
fn config(files: &dyn Files, facts: &Facts) -> String {
    let mut text = String::new();
    match files.read(Path::new("/proc/config.gz")) {
        Ok(packed) => {
            // A damaged file is no configuration.
            let _ = flate2::read::GzDecoder::new(packed.as_slice()).take(1 << 24).read_to_string(&mut text);
        }
        Err(_) => {
            let path = format!("/boot/config-{}", facts.release);
            text = files.text(Path::new(&path)).unwrap_or_default();
        }
    }
    let is_wanted = |line: &&str| {
        CONFIG_KEYS.iter().any(|key| {
            let rest = line.trim_start_matches("# ").strip_prefix(key);
            rest.is_some_and(|rest| rest.starts_with('=') || rest.starts_with(" is not set"))
        })
    };
    text.lines().filter(is_wanted).map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
}

/// Names of tasks. The kernel forgets them soon, so they are looked up while the recording runs.
#[derive(Debug, Clone, Default)]
pub struct Comms {
    names: BTreeMap<i32, Vec<u8>>,
}

impl Comms {
    /// Takes what the kernel remembers now.
    pub fn look(&mut self, files: &dyn Files, facts: &Facts) {
        let text = files.read(&facts.tracefs_file("saved_cmdlines")).unwrap_or_default();
        for line in text.split(|byte| *byte == b'\n') {
            let Some(blank) = line.iter().position(|byte| *byte == b' ') else { continue };
            let pid = std::str::from_utf8(&line[..blank]).ok().and_then(|pid| pid.parse().ok());
            if let Some(pid) = pid {
                self.names.insert(pid, line[blank + 1..].to_vec());
            }
        }
    }

    /// As the kernel prints them, `rename` applied to each: those of tasks that occur.
    pub fn text(&self, occurs: &std::collections::BTreeSet<i32>, mut rename: impl FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let mut text = Vec::new();
        for (pid, name) in self.names.iter().filter(|(pid, _)| occurs.contains(pid)) {
            text.extend_from_slice(format!("{pid} ").as_bytes());
            text.extend(rename(name));
            text.push(b'\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_page_is_in_its_header() {
        let header = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
            \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\
            \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\
            \tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";
        assert_eq!(page_bytes(header.as_bytes()), Some(4096));
        assert_eq!(page_bytes(b""), None);
        assert_eq!(page_bytes(header.replace("4080", "99999999999").as_bytes()), None);
    }

    #[test]
    fn misses_are_the_third_column() {
        assert_eq!(missed("  vm_alloc     120   0\n  vm_alloc_ret   118  2\n"), 2);
    }
}
