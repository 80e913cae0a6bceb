//! A dump of the trace buffer inside a kernel log, as an oops or sysrq-z prints it.

use super::prefix::entry;

/// Finds the lines of dumps, from the heading to the second line of dashes:
///
/// ```text
/// [   99.123456] Dumping ftrace buffer:
/// [   99.123470] ---------------------------------
/// [   99.123490]     init-1         1..... 5463743us : alloc_vmap_area: va_start: …
/// [   99.130000] ---------------------------------
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dump {
    state: State,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    /// The heading was there, or the lines of dashes that begin the dump.
    Announced,
    Inside,
}

impl Dump {
    /// Whether the next line of the log is of a dump.
    pub fn takes(&mut self, line: &[u8]) -> bool {
        if self.state == State::Outside && memchr::memmem::find(line, b"Dumping ftrace").is_none() {
            return false;
        }
        let text = entry(line).text;
        let dashes = 16 <= text.len() && text.iter().all(|b| *b == b'-');
        let begins = text.starts_with(b"Dumping ftrace");
        self.state = match self.state {
            _ if begins => State::Announced,
            State::Announced if dashes => State::Inside,
            // `(ftrace buffer empty)`, or something else came between.
            State::Announced => {
                self.state = State::Outside;
                return text.starts_with(b"(ftrace buffer empty)");
            }
            State::Inside if dashes => {
                self.state = State::Outside;
                return true;
            }
            state => state,
        };
        self.state != State::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_framed_by_dashes() {
        let log = "\
[   99.1234560] x: y
[   99.123456] Dumping ftrace buffer:
[   99.123470] ---------------------------------
[   99.123490]     init-1         1..... 5463743us : alloc_vmap_area: va_start: 1
[   99.130000] ---------------------------------
[   99.130001] vmap allocation for size 8192 failed: use vmalloc=<size> to increase size
[   99.130002][  T12] Dumping ftrace instance foo buffer:
[   99.130003][  T12]    (ftrace buffer empty)
[   99.130004] z
";
        let mut dump = Dump::default();
        let taken: Vec<bool> = log.lines().map(|line| dump.takes(line.as_bytes())).collect();
        assert_eq!(taken, [false, true, true, true, true, false, true, true, false]);
    }
}
