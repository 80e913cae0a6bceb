//! Lines of the `function_graph` tracer, which shows events as comments among the calls.
//!
//! ```text
//!  1)               |  /* free_vmap_area_noflush: va_start=0x… */                        neither task nor time
//!  1) ! 225.555 us  |    insert_vmap_area();
//!  1)     init-1     =>     fg-457                                                       whose calls follow on CPU 1
//!    25.338199 |   1)     init-1     |               |  /* alloc_vmap_area: … */         funcgraph-abstime, funcgraph-proc
//!    25.338199 |      init-1     |               |  /* alloc_vmap_area: … */             nofuncgraph-cpu
//! ```
//!
//! Without the task's column the pid is that of the last switch of the CPU; the name is not kept. Without a time there is
//! none: order is all there is.

use nom::Parser;
use nom::combinator::opt;
use nom::sequence::{delimited, terminated};

use super::body::{self, Shape};
use super::prefix::{short_cpu, stamp};
use crate::lex::{Res, after, blanks, lit, upto};
use crate::record::{Body, Prefix, Stamp};

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Graph<'a> {
    /// An event after `/* `, as far as it is on this line.
    Comment { prefix: Prefix<'a>, text: &'a [u8] },
    /// The CPU runs another task from here on.
    Switch { cpu: u16, pid: i32 },
    /// A call, or the end of one.
    Call,
}

/// Reads a line; `None` if it is none of this layout.
pub(super) fn line(line: &[u8]) -> Option<Graph<'_>> {
    let (rest, stamp, cpu) = columns(line)?;
    if let Some(at) = memchr::memmem::rfind(rest, b" => ")
        && !rest.contains(&b'|')
    {
        return Some(Graph::Switch { cpu: cpu?, pid: task(after(rest, at + 4))?.1 });
    }
    let bars = memchr::memchr_iter(b'|', rest);
    let mut is_graph = false;
    for bar in bars {
        let text = after(rest, bar + 1);
        let depth = text.iter().take_while(|&&byte| byte == b' ').count();
        // A name in a task's column has no depth.
        if depth < 2 {
            continue;
        }
        is_graph = true;
        let Some(text) = after(text, depth).strip_prefix(b"/* ") else { continue };
        let text = text.trim_ascii_end();
        let (comm, pid) = proc(upto(rest, bar)).unwrap_or((b"", -1));
        let prefix = Prefix { comm, pid, tgid: None, cpu, flags: b"", stamp };
        return Some(Graph::Comment { prefix, text });
    }
    is_graph.then_some(Graph::Call)
}

/// Most bytes between the rules around a switch: two names of tasks, each cut to seven bytes.
pub(super) const MAX_SWITCH: usize = 64;

/// ` ------------------------------------------`, before and after a switch.
pub(super) fn is_rule(line: &[u8]) -> bool {
    line.contains(&b'-') && line.iter().all(|byte| matches!(byte, b'-' | b' '))
}

/// The text of a comment without its end.
pub(super) fn closed(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"*/").map_or(text, |text| text.strip_suffix(b" ").unwrap_or(text))
}

/// The time and the CPU that the line begins with, at least one of them.
fn columns(line: &[u8]) -> Option<(&[u8], Stamp, Option<u16>)> {
    let time = delimited(blanks, stamp, (lit(b" |"), blanks));
    let (rest, time): (_, Option<Stamp>) = opt(time).parse(line).ok()?;
    let cpu = delimited(blanks, short_cpu, lit(b")"));
    let (rest, cpu) = opt(terminated(cpu, at_blank)).parse(rest).ok()?;
    let time = time.filter(|time| matches!(time, Stamp::Nanos(_)));
    (time.is_some() || cpu.is_some()).then(|| (rest, time.unwrap_or(Stamp::Unknown), cpu))
}

fn at_blank(input: &[u8]) -> Res<'_, ()> {
    if input.starts_with(b" ") { Ok((input, ())) } else { crate::lex::stop(input) }
}

/// `     init-1     |               `: the task's column, if there is one before the duration's.
fn proc(left: &[u8]) -> Option<(&[u8], i32)> {
    let mut bars = memchr::memrchr_iter(b'|', left);
    bars.find_map(|bar| task(upto(left, bar)))
}

/// `init-1` with its padding; a name may hold dashes.
fn task(text: &[u8]) -> Option<(&[u8], i32)> {
    let text = text.trim_ascii();
    let dash = memchr::memrchr(b'-', text)?;
    let (rest, pid) = crate::lex::decimal(after(text, dash + 1)).ok()?;
    rest.is_empty().then_some((upto(text, dash), i32::try_from(pid).ok()?))
}

/// What a comment says: an event by its name, otherwise a marker's text.
pub(super) fn body(text: &[u8]) -> Result<Body<'_>, body::Broken<'_>> {
    Ok(match body::shape(text)? {
        Shape::Whole(body @ Body::Other { .. }) if !body::looks_bare(text) => match body {
            Body::Other { name: b"raw_data", .. } => body,
            _ => Body::Marker(text),
        },
        Shape::Whole(body) => body,
        Shape::Marker(text) => Body::Marker(text),
        Shape::Stack | Shape::UserStack => Body::Marker(text),
    })
}

/// Which task runs on each CPU, as far as it was told.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Vec<(u16, i32)>);

impl Running {
    pub(super) fn switch(&mut self, cpu: u16, pid: i32) {
        match self.0.iter_mut().find(|(known, _)| *known == cpu) {
            Some((_, running)) => *running = pid,
            None => self.0.push((cpu, pid)),
        }
    }

    /// The task of an event whose line does not tell it.
    pub(super) fn of(&self, prefix: &Prefix<'_>) -> i32 {
        let known = self.0.iter().find(|(cpu, _)| Some(*cpu) == prefix.cpu);
        known.map_or(prefix.pid, |(_, pid)| if prefix.pid < 0 { *pid } else { prefix.pid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout() {
        let nanos = Stamp::Nanos(25_338_199_000);
        for (shown, comm, pid, cpu, stamp) in [
            (" 1)               |  /* x: y */", "", -1, Some(1), Stamp::Unknown),
            (" 1)               |      /* x: y */", "", -1, Some(1), Stamp::Unknown),
            ("   25.338199 |   1)     init-1     |               |  /* x: y */", "init", 1, Some(1), nanos),
            ("   25.338199 |      init-1     |               |  /* x: y */", "init", 1, None, nanos),
            (" 12)    a b|-c-77    |               |  /* x: y */", "a b|-c", 77, Some(12), Stamp::Unknown),
            (" 1)     init-1     |  d..1. |               |  /* x: y */", "init", 1, Some(1), Stamp::Unknown),
        ] {
            match line(shown.as_bytes()) {
                Some(Graph::Comment { prefix, text }) => {
                    assert_eq!(closed(text), b"x: y");
                    assert_eq!((prefix.comm, prefix.pid), (comm.as_bytes(), pid), "{shown}");
                    assert_eq!((prefix.cpu, prefix.stamp), (cpu, stamp), "{shown}");
                }
                other => panic!("{shown}: {other:?}"),
            }
        }
    }

    #[test]
    fn calls_switches_and_other_text() {
        for text in [
            " 1) ! 225.555 us  |    insert_vmap_area();",
            " 1) # 1222.007 us |  }",
            "   25.378448 |   1)     init-1     | # 1222.007 us |  } /* alloc_vmap_area */",
        ] {
            assert_eq!(line(text.as_bytes()), Some(Graph::Call), "{text}");
        }
        assert_eq!(line(b" 1)     init-1     =>     fg-457    "), Some(Graph::Switch { cpu: 1, pid: 457 }));
        for text in
            ["1) a list item", "lines", " ------------------------------------------", "1 1 5463743010 type: 687"]
        {
            assert_eq!(line(text.as_bytes()), None, "{text}");
        }
    }
}
