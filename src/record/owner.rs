//! [`Owner`]: the process a recording belongs to, by a name that outlives it.

use std::path::Path;

use super::files::Files;

/// What own instances and groups of probes begin with.
const PREFIX: &str = "vmaplens";

/// A process: its pid, and when it was started, since pids come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Its pid.
    pub pid: u32,
    /// Clock ticks from boot to its start (`/proc/PID/stat`, field 22).
    pub started: u64,
}

impl Owner {
    /// The process with this pid, if there is one.
    pub fn of(files: &dyn Files, pid: u32) -> Option<Self> {
        let stat = files.text(Path::new(&format!("/proc/{pid}/stat")))?;
        // The name in parentheses can hold anything, parentheses too.
        let behind = stat.rsplit_once(')')?.1;
        let started = behind.split_ascii_whitespace().nth(19)?.parse().ok()?;
        Some(Self { pid, started })
    }

    /// Does that process still run?
    pub fn is_alive(self, files: &dyn Files) -> bool {
        Self::of(files, self.pid) == Some(self)
    }

    /// Name of its tracefs instance.
    pub fn instance(self) -> String {
        format!("{PREFIX}-{}-{}", self.pid, self.started)
    }

    /// Name of its group of probes, where only letters, digits and `_` may stand.
    pub fn group(self) -> String {
        format!("{PREFIX}_{}_{}", self.pid, self.started)
    }

    /// Name of the file in which it notes what a sysctl was before.
    pub fn note(self) -> String {
        format!("{PREFIX}-{}-{}.kptr_restrict", self.pid, self.started)
    }

    /// Whose a name is: an instance, a group, or a note. `None`: not this program's.
    pub fn named(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?;
        let rest = rest.strip_suffix(".kptr_restrict").unwrap_or(rest);
        let between = rest.chars().next().filter(|c| matches!(c, '-' | '_'))?;
        let (pid, started) = rest[1..].split_once(between)?;
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(pid) || !is_number(started) {
            return None;
        }
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_other_peoples_do_not() {
        let owner = Owner { pid: 12, started: 345 };
        for name in [owner.instance(), owner.group(), owner.note()] {
            assert_eq!(Owner::named(&name), Some(owner), "{name}");
        }
        for name in
            ["vmaplens", "vmaplens-", "vmaplens-1", "vmaplens-1-", "vmaplens-1_2", "vmaplens--1-2", "xvmaplens-1-2"]
        {
            assert_eq!(Owner::named(name), None, "{name}");
        }
        for name in ["vmaplens-1-2-mine", "vmaplens-a-2", "vmaplens-1-+2", "vmaplens 1 2", "probes", "foo-1-2"] {
            assert_eq!(Owner::named(name), None, "{name}");
        }
    }
}
