//! [`Drain`]: takes the pages out of the ring buffers while the recording runs.
//!
//! A page read is a page gone, so each goes to its file at once. A look at a buffer that is not full enough to wake
//! anybody would take a page with a few events in it; so buffers are looked at when the kernel says so, and now and then.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{ClockId, clock_gettime};

use super::files::{Files, Pipe};

/// How often every buffer is looked at, however little is in it.
const SWEEP: Duration = Duration::from_secs(1);

/// One CPU's buffer and where its pages go.
struct Cpu {
    number: u16,
    pipe: Box<dyn Pipe>,
    out: Box<dyn Write>,
}

/// All CPUs.
pub struct Drain {
    cpus: Vec<Cpu>,
    /// One page, allocated before anything is recorded.
    page: Vec<u8>,
    swept: Instant,
    /// Bytes taken so far.
    pub bytes: u64,
    /// Since this moment every buffer has been emptied: ns of the monotonic clock.
    pub emptied: u64,
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").field("n_cpus", &self.cpus.len()).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Which page a failure was about.
#[derive(Debug)]
pub enum Failure {
    /// Reading from the kernel.
    Read(PathBuf, io::Error),
    /// Writing to the output.
    Write(io::Error),
}

impl Drain {
    /// Opens `per_cpu/cpuN/trace_pipe_raw` of each CPU. `page_bytes` is the kernel's sub-buffer.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(
        files: &dyn Files,
        instance: &std::path::Path,
        outputs: Vec<(u16, Box<dyn Write>)>,
        page_bytes: usize,
    ) -> Result<Self, Failure> {
        let mut cpus = Vec::new();
        for (number, out) in outputs {
            let path = pipe_of(instance, number);
            let pipe = files.open(&path).map_err(|error| Failure::Read(path, error))?;
            cpus.push(Cpu { number, pipe, out });
        }
        Ok(Self { cpus, page: vec![0; page_bytes], swept: Instant::now(), bytes: 0, emptied: 0 })
    }

    /// Waits until there is something to take, at most for `longest`, and takes it. `seen` is shown every page.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&mut self, longest: Duration, seen: &mut dyn FnMut(u16, &[u8])) -> Result<(), Failure> {
        let ready = self.ready(longest.min(SWEEP));
        if SWEEP <= self.swept.elapsed() {
            self.swept = Instant::now();
            return self.sweep(seen);
        }
        for at in 0..self.cpus.len() {
            if ready.get(at) == Some(&true) {
                self.take(at, seen)?;
            }
        }
        Ok(())
    }

    /// Takes everything there is, of every CPU.
    ///
    /// # Errors
    /// What the system says.
    pub fn sweep(&mut self, seen: &mut dyn FnMut(u16, &[u8])) -> Result<(), Failure> {
        let begun = now(ClockId::Monotonic);
        for at in 0..self.cpus.len() {
            self.take(at, seen)?;
        }
        self.emptied = begun;
        Ok(())
    }

    /// Which buffers the kernel thinks worth a read.
    fn ready(&self, longest: Duration) -> Vec<bool> {
        let mut fds = Vec::new();
        let mut places = Vec::new();
        for (at, cpu) in self.cpus.iter().enumerate() {
            if let Some(fd) = cpu.pipe.fd() {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
                places.push(at);
            }
        }
        let mut ready = vec![false; self.cpus.len()];
        let wait = Timespec { tv_sec: longest.as_secs().cast_signed(), tv_nsec: longest.subsec_nanos().into() };
        // A signal ends the wait: then the next look comes early.
        if !fds.is_empty() && poll(&mut fds, Some(&wait)).is_ok() {
            for (fd, at) in fds.iter().zip(places) {
                ready[at] = !fd.revents().is_empty();
            }
        } else if fds.is_empty() {
            ready.fill(true);
        }
        ready
    }

    /// Everything in one CPU's buffer now. A writer that is faster than this would keep it here for ever, so it ends
    /// after as much as a large buffer holds.
    fn take(&mut self, at: usize, seen: &mut dyn FnMut(u16, &[u8])) -> Result<(), Failure> {
        let cpu = &mut self.cpus[at];
        for _ in 0..MAX_PAGES {
            match cpu.pipe.read(&mut self.page) {
                Ok(0) => break,
                Ok(n) => {
                    // A page is one stride in the file, however much of it the kernel filled.
                    self.page[n..].fill(0);
                    cpu.out.write_all(&self.page).map_err(Failure::Write)?;
                    self.bytes += self.page.len() as u64;
                    seen(cpu.number, &self.page);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Failure::Read(PathBuf::from(format!("trace_pipe_raw of CPU {}", cpu.number)), error));
                }
            }
        }
        Ok(())
    }

    /// Lets go of the buffers, so that the instance can be removed; the pages are all in their files.
    ///
    /// # Errors
    /// What the system says.
    pub fn close(self) -> Result<(), Failure> {
        for mut cpu in self.cpus {
            cpu.out.flush().map_err(Failure::Write)?;
        }
        Ok(())
    }
}

/// Pages taken from one CPU before the others have their turn.
const MAX_PAGES: usize = 1 << 14;

/// A clock in ns.
pub(super) fn now(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec.cast_unsigned().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec.cast_unsigned())
}

fn pipe_of(instance: &std::path::Path, cpu: u16) -> PathBuf {
    instance.join(format!("per_cpu/cpu{cpu}/trace_pipe_raw"))
}
