//! A tracefs in memory that behaves as the kernel's does where it matters: what is in use cannot be removed, a new
//! instance has its own files, `kprobe_events` is appended to, and any operation can be made to fail.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::record::files::{Files, Pipe};

pub(super) const ROOT: &str = "/sys/kernel/tracing";

/// Where the fake stops working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fails {
    /// Never.
    Not,
    /// At this change, counted from 0, with this kind of error.
    At(usize, io::ErrorKind),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) files: BTreeMap<PathBuf, String>,
    pub(super) dirs: BTreeSet<PathBuf>,
    /// Readers of each instance.
    open: BTreeMap<PathBuf, usize>,
    /// Changes so far, failed ones included.
    pub(super) changes: usize,
    /// Pages handed out by each pipe.
    pages: BTreeMap<PathBuf, Vec<Vec<u8>>>,
    /// Formats of events by their names.
    formats: BTreeMap<String, String>,
}

/// The fake.
#[derive(Debug)]
pub(super) struct Fake {
    pub(super) state: Rc<RefCell<State>>,
    pub(super) fails: Fails,
}

impl Fake {
    /// With the allocator's events, or without them.
    pub(super) fn new(has_events: bool) -> Self {
        let fake = Self { state: Rc::default(), fails: Fails::Not };
        {
            let mut state = fake.state.borrow_mut();
            state.dirs.insert(Path::new(ROOT).join("instances"));
            let mut put = |name: &str, text: &str| {
                state.files.insert(Path::new(ROOT).join(name), text.to_owned());
            };
            put("kprobe_events", "");
            put("tracing_on", "1");
            put("trace_clock", "[local] global mono");
            put("events/header_page", "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n");
            put("saved_cmdlines", "1 init\n");
            if has_events {
                for event in ["alloc_vmap_area", "free_vmap_area_noflush", "purge_vmap_area_lazy"] {
                    put(&format!("events/vmalloc/{event}/enable"), "0");
                    put(&format!("events/vmalloc/{event}/format"), "");
                }
            }
            state.files.insert(
                "/proc/vmallocinfo".into(),
                "0xffff000000001000-0xffff000000003000 8192 f+0x1/0x2 vmalloc\n".into(),
            );
            state.files.insert("/proc/sys/kernel/kptr_restrict".into(), "0".into());
            state.files.insert("/proc/meminfo".into(), "MemTotal: 8 kB\n".into());
            state.dirs.insert("/run".into());
        }
        fake
    }

    /// A file with this content.
    pub(super) fn put(&self, path: &str, text: &str) {
        self.state.borrow_mut().files.insert(path.into(), text.to_owned());
    }

    /// What a pipe hands out when it is opened.
    pub(super) fn give(&self, pipe: &Path, mut pages: Vec<Vec<u8>>) {
        pages.reverse();
        self.state.borrow_mut().pages.insert(pipe.to_owned(), pages);
    }

    /// The format of events of this name, also of probes that are not defined yet.
    pub(super) fn format(&self, event: &str, format: &[u8]) {
        self.state.borrow_mut().formats.insert(event.to_owned(), String::from_utf8_lossy(format).into_owned());
    }

    /// Everything there is, as text: two of these are equal if nothing has changed.
    pub(super) fn dump(&self) -> String {
        let state = self.state.borrow();
        let files = state.files.iter().map(|(path, text)| format!("{}: {text}\n", path.display()));
        files.chain(state.dirs.iter().map(|path| format!("{}/\n", path.display()))).collect()
    }

    /// A process that runs.
    pub(super) fn run(&self, pid: u32, started: u64) {
        let zeros = "0 ".repeat(18);
        let stat = format!("{pid} (a b) c) S {zeros}{started} 0 0\n");
        self.state.borrow_mut().files.insert(format!("/proc/{pid}/stat").into(), stat);
    }

    fn change(&self) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let at = state.changes;
        state.changes += 1;
        match self.fails {
            Fails::At(wanted, kind) if wanted == at => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn append_probe(&self, path: &Path, line: &str) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let line = line.trim_end();
        let roots: Vec<PathBuf> = [PathBuf::from(ROOT)].into_iter().chain(instances(&state)).collect();
        let old = state.files.get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        if let Some(event) = line.strip_prefix("-:") {
            let enabled = |root: &PathBuf| {
                state.files.get(&root.join("events").join(event).join("enable")).is_some_and(|text| text == "1")
            };
            if roots.iter().any(enabled) {
                return Err(io::ErrorKind::ResourceBusy.into());
            }
            let of_event = format!(":{event} ");
            let kept: Vec<&str> = old.split_inclusive('\n').filter(|line| !line.contains(&of_event)).collect();
            let kept = kept.concat();
            if kept == old {
                return Err(io::ErrorKind::NotFound.into());
            }
            for root in roots {
                state.files.retain(|path, _| !path.starts_with(root.join("events").join(event)));
            }
            state.files.insert(path.to_owned(), kept);
            return Ok(());
        }
        let event = line.split([':', ' ']).nth(1).ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        for root in roots {
            state.files.insert(root.join("events").join(&event).join("enable"), "0".into());
            state.files.insert(root.join("events").join(&event).join("format"), String::new());
        }
        state.files.insert(path.to_owned(), format!("{old}{line}\n"));
        Ok(())
    }
}

fn instances(state: &State) -> Vec<PathBuf> {
    let parent = Path::new(ROOT).join("instances");
    state.dirs.iter().filter(|dir| dir.parent() == Some(&parent)).cloned().collect()
}

impl Files for Fake {
    fn read_into(&self, path: &Path, into: &mut Vec<u8>) -> io::Result<()> {
        let state = self.state.borrow();
        let text = state.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        let event = path.parent().filter(|_| path.ends_with("format")).and_then(Path::file_name);
        let format = event.and_then(|event| state.formats.get(&*event.to_string_lossy()));
        into.extend_from_slice(format.unwrap_or(text).as_bytes());
        Ok(())
    }

    fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        self.change()?;
        if path.ends_with("trace_marker") {
            return Ok(());
        }
        let mut state = self.state.borrow_mut();
        let file = state.files.get_mut(path).ok_or(io::ErrorKind::NotFound)?;
        text.clone_into(file);
        Ok(())
    }

    fn append(&self, path: &Path, text: &str) -> io::Result<()> {
        self.change()?;
        self.append_probe(path, text)
    }

    fn create(&self, path: &Path, text: &str) -> io::Result<()> {
        self.change()?;
        let mut state = self.state.borrow_mut();
        if state.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.files.insert(path.to_owned(), text.to_owned());
        Ok(())
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        let mut state = self.state.borrow_mut();
        if !state.dirs.insert(path.to_owned()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        for name in ["tracing_on", "trace_clock", "buffer_size_kb", "options/overwrite", "trace_options"] {
            state.files.insert(path.join(name), "1".to_owned());
        }
        let events: Vec<PathBuf> = state
            .files
            .keys()
            .filter_map(|file| file.strip_prefix(Path::new(ROOT).join("events")).ok().map(Path::to_owned))
            .collect();
        for event in events {
            let is_enable = event.ends_with("enable");
            let own = path.join("events").join(&event);
            if is_enable {
                for name in ["filter", "trigger"] {
                    state.files.insert(own.with_file_name(name), String::new());
                }
            }
            state.files.insert(own, "0".to_owned());
        }
        state.files.remove(&path.join("events/header_page"));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        let mut state = self.state.borrow_mut();
        if state.open.get(path).is_some_and(|n| *n > 0) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        if !state.dirs.remove(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.files.retain(|file, _| !file.starts_with(path));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.state.borrow_mut().files.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state.borrow();
        let all = state.files.keys().chain(&state.dirs);
        let names: BTreeSet<String> = all
            .filter_map(|path| path.strip_prefix(dir).ok()?.iter().next())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        Ok(names.into_iter().collect())
    }

    fn exists(&self, path: &Path) -> bool {
        let state = self.state.borrow();
        state.files.contains_key(path) || state.files.keys().chain(&state.dirs).any(|file| file.starts_with(path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Pipe>> {
        self.change()?;
        let instance = path.ancestors().nth(3).ok_or(io::ErrorKind::NotFound)?.to_owned();
        let mut state = self.state.borrow_mut();
        *state.open.entry(instance.clone()).or_default() += 1;
        let pages = state.pages.remove(path).unwrap_or_default();
        Ok(Box::new(FakePipe { state: Rc::clone(&self.state), instance, pages }))
    }
}

/// A pipe with the pages it was given, then nothing.
#[derive(Debug)]
struct FakePipe {
    state: Rc<RefCell<State>>,
    instance: PathBuf,
    pages: Vec<Vec<u8>>,
}

impl Read for FakePipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(page) = self.pages.pop() else { return Err(io::ErrorKind::WouldBlock.into()) };
        buf[..page.len()].copy_from_slice(&page);
        Ok(page.len())
    }
}

impl Pipe for FakePipe {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Drop for FakePipe {
    fn drop(&mut self) {
        if let Some(n) = self.state.borrow_mut().open.get_mut(&self.instance) {
            *n -= 1;
        }
    }
}
