//! Op scripts: sequences of allocator operations with the answers a kernel's own code gave.

use std::collections::HashMap;
use std::fmt::Write;

use parsers::ops::{Helpers, Op, OpLine, Script, ScriptHeader};

use crate::log::Window;
use crate::model::space::{FNV_OFFSET, fnv1a};
use crate::model::{Allocator, Extent, HelperOrder, PurgeKind, Purged, Request};
use crate::policy::rules::{BadArguments, Failure};
use crate::policy::{self, Chosen, Rules, Setup};

use super::OpenError;

/// The window of a script that names none: x86-64 without KASLR.
const DEFAULT_RANGE: (u64, u64) = (0xffff_c900_0000_0000, 0xffff_e8ff_ffff_ffff);
/// CPUs of a script that names none.
const DEFAULT_CPUS: u32 = 4;
const PAGE_SIZE: u64 = 4096;

/// A script being run.
#[derive(Debug)]
pub struct ScriptRun {
    allocator: Box<dyn Allocator>,
    window: Window,
    rules: &'static Rules,
    helpers: HelperOrder,
    autowork: bool,
    live: HashMap<u64, u64>,
    failures: u64,
}

/// The first place where an answer differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Index of the op, from 0.
    pub op: usize,
    /// Line of the op in the script.
    pub line: u32,
    /// Line of the expected results.
    pub expected_line: usize,
    /// What the model answered.
    pub model: String,
    /// What was expected.
    pub expected: String,
    /// The model's state after the op.
    pub state: String,
}

/// How a script compared with its expected results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Ops run.
    pub ops: usize,
    /// Ops whose whole answer was right, up to the first that was not.
    pub matched: usize,
    /// The first difference.
    pub first_mismatch: Option<Mismatch>,
}

impl ScriptRun {
    /// The initial state a script asks for.
    ///
    /// # Errors
    /// The era is not known, or an early area is empty.
    pub fn new(header: &ScriptHeader, policy: Option<&str>) -> Result<Self, OpenError> {
        let chosen = choose(header, policy)?;
        let (vstart, vend) = header.range.unwrap_or(DEFAULT_RANGE);
        let window = Window { vstart, vend };
        let cpus_online = header.cpus.unwrap_or(DEFAULT_CPUS);
        let setup = Setup {
            rules: chosen.rules,
            cpus_online,
            cpus_possible: header.possible.unwrap_or(cpus_online),
            window,
            page_size: PAGE_SIZE,
            is_32_bit: false,
            early: header.early.iter().filter_map(|&(start, end)| Extent::new(start, end)).collect(),
        };
        Ok(Self {
            allocator: policy::build(&setup),
            window,
            rules: chosen.rules,
            helpers: match header.helpers {
                Helpers::Flush => HelperOrder::AtFlush,
                Helpers::Sched => HelperOrder::AtSchedule,
            },
            autowork: header.autowork,
            live: HashMap::new(),
            failures: 0,
        })
    }

    /// The state.
    pub fn allocator(&self) -> &dyn Allocator {
        self.allocator.as_ref()
    }

    /// Requests refused so far, after the purge and the second attempt.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    /// Runs one op and appends its result lines to `out`.
    pub fn run(&mut self, op: &Op, out: &mut String) {
        match *op {
            Op::Alloc { id, size, align, window, cpu } => {
                let window = window.map_or(self.window, |(vstart, vend)| Window { vstart, vend });
                self.alloc(id, &Request { size, align, window, cpu, first_attempt: true }, out);
            }
            Op::Free { id, .. } => self.free(id, out),
            Op::Purge => {
                out.push_str("purge");
                let purged = self.allocator.purge(PurgeKind::Full, self.helpers, None);
                push_flush(out, &purged);
            }
            Op::Work => {
                let pending = self.allocator.drain_pending();
                push(out, format_args!("work {}", u8::from(pending)));
                self.work(out);
            }
            Op::Shrink => match self.allocator.shrink(None) {
                Some(n) => push(out, format_args!("shrink {n}")),
                None => out.push_str("shrink -1"),
            },
            Op::Lazy => {
                let pending = u8::from(self.allocator.drain_pending());
                push(out, format_args!("lazy {} {pending}", self.allocator.lazy_pages()));
            }
            Op::Check => match self.allocator.audit() {
                Ok(()) => out.push_str("check ok"),
                Err(broken) => push(out, format_args!("check failed: {broken}")),
            },
            Op::Hash { free } => {
                let hash = fnv1a(FNV_OFFSET, self.dump(free).as_bytes());
                push(out, format_args!("{} {hash:016x}", if free { "hashf" } else { "hash" }));
            }
            Op::Dump { free } => push(out, format_args!("dump\n{}end", self.dump(free))),
            Op::Mark => out.push_str("mark"),
        }
        if self.autowork && self.allocator.drain_pending() {
            out.push_str(" R");
            self.work(out);
        }
        out.push('\n');
    }

    /// The state text.
    pub fn dump(&self, free_only: bool) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.allocator.dump(free_only, &mut text);
        text
    }

    fn alloc(&mut self, id: u64, request: &Request, out: &mut String) {
        let refused = match self.rules.bad_arguments {
            BadArguments::Unchecked => None,
            BadArguments::Bug => request.check(PAGE_SIZE).err().map(|_| "BUG"),
            BadArguments::Einval => request.check(PAGE_SIZE).err().map(|_| "EINVAL"),
        };
        if let Some(word) = refused {
            return out.push_str(word);
        }
        // `get_vm_area` takes a size without the guard page; one that wraps to nothing is refused before the search.
        let size = if self.rules.adds_guard { request.size.wrapping_add(PAGE_SIZE) } else { request.size };
        let request = Request { size, ..*request };
        let mut placed = if size == 0 { None } else { self.attempt(&request) };
        let mut purged = Purged::default();
        if placed.is_none() && self.rules.failure == Failure::Ebusy {
            // overflow: everything lazy or pooled comes back, then once more, without asking a pool.
            purged = self.allocator.purge(PurgeKind::Full, self.helpers, None);
            placed = self.attempt(&Request { first_attempt: false, ..request });
        }
        if let Some(extent) = placed {
            self.live.insert(id, extent.start());
            push(out, format_args!("{:x}", extent.start()));
        } else {
            self.failures += 1;
            out.push_str(match self.rules.failure {
                Failure::Null => "NULL",
                Failure::Ebusy => "EBUSY",
            });
        }
        push_flush(out, &purged);
    }

    fn attempt(&mut self, request: &Request) -> Option<Extent> {
        let answer = self.allocator.place(request, None);
        self.allocator.settle(request, answer, 0, None)
    }

    fn free(&mut self, id: u64, out: &mut String) {
        let Some(freed) = self.live.remove(&id).and_then(|addr| self.allocator.free(addr, None).ok()) else {
            return out.push('-');
        };
        out.push('.');
        if !freed.drain_due {
            return;
        }
        if self.allocator.drains_inline() {
            let purged = self.allocator.purge(PurgeKind::Partial, self.helpers, None);
            push_flush(out, &purged);
        } else {
            out.push_str(" W");
        }
    }

    fn work(&mut self, out: &mut String) {
        for purged in self.allocator.drain(self.helpers, None) {
            push_flush(out, &purged);
        }
    }
}

/// Runs a whole script.
///
/// # Errors
/// As [`ScriptRun::new`].
pub fn output(script: &Script, policy: Option<&str>) -> Result<String, OpenError> {
    let mut run = ScriptRun::new(&script.header, policy)?;
    let mut out = String::new();
    for OpLine { op, .. } in &script.ops {
        run.run(op, &mut out);
    }
    Ok(out)
}

/// Runs a script and compares every answer with `expected`, up to the first that differs.
///
/// # Errors
/// As [`ScriptRun::new`].
pub fn compare(script: &Script, policy: Option<&str>, expected: &str) -> Result<Comparison, OpenError> {
    let mut run = ScriptRun::new(&script.header, policy)?;
    let mut rest = expected;
    let mut expected_line = 1;
    let mut answer = String::new();
    for (index, OpLine { line, op }) in script.ops.iter().enumerate() {
        answer.clear();
        run.run(op, &mut answer);
        if let Some(after) = rest.strip_prefix(answer.as_str()) {
            rest = after;
            expected_line += answer.lines().count();
            continue;
        }
        let same = answer.lines().zip(rest.lines()).take_while(|(model, expected)| model == expected).count();
        let mismatch = Mismatch {
            op: index,
            line: *line,
            expected_line: expected_line + same,
            model: answer.lines().nth(same).unwrap_or_default().to_owned(),
            expected: rest.lines().nth(same).unwrap_or_default().to_owned(),
            state: run.dump(false),
        };
        return Ok(Comparison { ops: script.ops.len(), matched: index, first_mismatch: Some(mismatch) });
    }
    let matched = script.ops.len();
    let surplus = (!rest.is_empty()).then(|| Mismatch {
        op: matched,
        line: script.ops.last().map_or(0, |op| op.line),
        expected_line,
        model: String::new(),
        expected: rest.lines().next().unwrap_or_default().to_owned(),
        state: run.dump(false),
    });
    Ok(Comparison { ops: matched, matched, first_mismatch: surplus })
}

fn choose(header: &ScriptHeader, policy: Option<&str>) -> Result<Chosen, OpenError> {
    let id = match (policy, &header.era) {
        (Some(id), _) => id.to_owned(),
        (None, Some(era)) => format!("linux-{era}"),
        (None, None) => "linux-6.9".to_owned(),
    };
    policy::by_id(&id).ok_or(OpenError::UnknownPolicy { id })
}

fn push_flush(out: &mut String, purged: &Purged) {
    if let Some((start, end)) = purged.flush {
        push(out, format_args!(" T{start:x}-{end:x}"));
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}
