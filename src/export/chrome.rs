//! Chrome's JSON: one document, written event by event.

use std::collections::BTreeSet;
use std::io::Write;

use super::ExportError;
use super::about::About;
use super::counters::COUNTERS;
use super::json::{Object, push_addr, push_number, push_text};
use super::time_line::{Arg, Args, Life, TimeLine, Track};

/// Events are handed on in pieces of this size.
const FLUSH_BYTES: usize = 64 * 1024;
/// Threads that are no CPU.
const FIRST_CPU: u64 = 16;

/// Writes Chrome's JSON.
#[derive(Debug)]
pub struct Chrome<W: Write> {
    to: W,
    out: Vec<u8>,
    digits: usize,
    /// Groups so far: the process of each.
    pid: u64,
    /// Threads that have a name.
    known: BTreeSet<(u64, u64)>,
    is_first: bool,
}

impl<W: Write> Chrome<W> {
    /// Begins a document.
    pub fn new(to: W, about: &About) -> Self {
        let mut out = Vec::new();
        out.extend_from_slice(b"{\"displayTimeUnit\":\"ns\",\"otherData\":");
        let mut object = Object::open_first(&mut out, "schema", b"vmaplens.chrome/1");
        about.fields(&mut object);
        object.close();
        out.extend_from_slice(b",\"traceEvents\":[");
        Self { to, out, digits: about.digits, pid: 0, known: BTreeSet::new(), is_first: true }
    }

    /// Begins an event: its phase and where it belongs.
    fn open(&mut self, phase: &str, tid: u64, name: &str) {
        self.out.extend_from_slice(if std::mem::take(&mut self.is_first) { b"\n{\"ph\":\"" } else { b",\n{\"ph\":\"" });
        self.out.extend_from_slice(phase.as_bytes());
        self.out.extend_from_slice(b"\",\"pid\":");
        push_number(&mut self.out, self.pid);
        self.out.extend_from_slice(b",\"tid\":");
        push_number(&mut self.out, tid);
        self.out.extend_from_slice(b",\"name\":");
        push_text(&mut self.out, name.as_bytes());
    }

    /// `ts`: microseconds with three decimals, from whole nanoseconds.
    fn stamp(&mut self, at: u64) {
        self.out.extend_from_slice(b",\"ts\":");
        push_number(&mut self.out, at / 1000);
        let rest = at % 1000;
        self.out.push(b'.');
        self.out.extend([rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8));
    }

    fn args(&mut self, args: &Args) {
        self.out.extend_from_slice(b",\"args\":{");
        for (n, (key, value)) in args.iter().enumerate() {
            if 0 < n {
                self.out.push(b',');
            }
            push_text(&mut self.out, key.as_bytes());
            self.out.push(b':');
            match value {
                Arg::Number(value) => push_number(&mut self.out, *value),
                Arg::Addr(value) => {
                    self.out.push(b'"');
                    push_addr(&mut self.out, *value, self.digits);
                    self.out.push(b'"');
                }
                Arg::Text(text) => push_text(&mut self.out, text.as_bytes()),
            }
        }
        self.out.push(b'}');
    }

    fn close(&mut self) -> Result<(), ExportError> {
        self.out.push(b'}');
        if FLUSH_BYTES <= self.out.len() {
            self.to.write_all(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }

    fn named(&mut self, what: &str, tid: u64, name: &str, order: u64) -> Result<(), ExportError> {
        if !self.known.insert((self.pid, tid)) {
            return Ok(());
        }
        self.open("M", tid, what);
        self.args(&vec![("name", Arg::Text(name.to_owned()))]);
        self.close()?;
        self.open("M", tid, &what.replace("_name", "_sort_index"));
        self.args(&vec![("sort_index", Arg::Number(order))]);
        self.close()
    }

    /// An asynchronous event of an area: what has one id belongs together.
    fn life(&mut self, phase: &str, life: Life, at: u64, name: &str, args: &Args) -> Result<(), ExportError> {
        self.open(phase, 0, name);
        self.out.extend_from_slice(b",\"cat\":\"area\",\"id\":\"");
        push_addr(&mut self.out, life.addr, self.digits);
        self.out.push(b'#');
        push_number(&mut self.out, u64::from(life.from));
        self.out.push(b'"');
        self.stamp(at);
        self.args(args);
        self.close()
    }
}

impl<W: Write> TimeLine for Chrome<W> {
    fn group(&mut self, about: &About, at: u64, args: &Args) -> Result<(), ExportError> {
        self.pid += 1;
        self.named("process_name", 0, &format!("vmalloc {}", about.policy), self.pid)?;
        self.instant(Track::About, at, "about", None, args)
    }

    fn begins(&mut self, life: Life, at: u64, name: &str, args: &Args) -> Result<(), ExportError> {
        self.life("b", life, at, name, args)
    }

    fn is_lazy(&mut self, life: Life, at: u64) -> Result<(), ExportError> {
        self.life("b", life, at, "lazy", &Vec::new())
    }

    fn ends(&mut self, life: Life, at: u64, name: &str, was_lazy: bool) -> Result<(), ExportError> {
        if was_lazy {
            self.life("e", life, at, "lazy", &Vec::new())?;
        }
        self.life("e", life, at, name, &Vec::new())
    }

    fn instant(
        &mut self,
        track: Track,
        at: u64,
        name: &str,
        _flow: Option<u64>,
        args: &Args,
    ) -> Result<(), ExportError> {
        let (tid, title) = match track {
            Track::About => (1, "about".to_owned()),
            Track::Purges => (2, "purges".to_owned()),
            Track::Failures => (3, "failures".to_owned()),
            Track::Lost => (4, "lost".to_owned()),
            Track::Marks => (5, "markers".to_owned()),
            Track::Cpu(cpu) => (FIRST_CPU + u64::from(cpu), format!("CPU {cpu}")),
        };
        self.named("thread_name", tid, &title, tid)?;
        self.open("i", tid, name);
        // What concerns everybody is drawn over everything.
        let is_cpu = matches!(track, Track::Cpu(_));
        self.out.extend_from_slice(if is_cpu { b",\"s\":\"t\"" } else { b",\"s\":\"g\"" });
        self.stamp(at);
        self.args(args);
        self.close()
    }

    fn counter(&mut self, which: usize, at: u64, value: u64) -> Result<(), ExportError> {
        // The limit is a second series of the counter of lazy pages.
        let (name, series) = match COUNTERS[which].name {
            "lazy_pages" => ("lazy", "pages"),
            "lazy_max_pages" => ("lazy limit", "pages"),
            name if name.ends_with("_bytes") => (COUNTERS[which].title, "bytes"),
            _ => (COUNTERS[which].title, "count"),
        };
        self.open("C", 0, name);
        self.stamp(at);
        self.args(&vec![(series, Arg::Number(value))]);
        self.close()
    }

    fn finish(&mut self) -> Result<(), ExportError> {
        self.out.extend_from_slice(b"\n]}\n");
        self.to.write_all(&self.out)?;
        self.out.clear();
        Ok(self.to.flush()?)
    }
}
