//! What the kernel wrote and what was lost, by `per_cpu/cpuN/stats`.

use std::path::Path;

use serde::Serialize;

use super::files::Files;

/// Counts of one CPU, or of all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Loss {
    /// Still in the buffer.
    pub entries: u64,
    /// Overwritten before they were read.
    pub overrun: u64,
    /// Not written, because others were being written.
    pub commit_overrun: u64,
    /// Not written, because the buffer was full.
    pub dropped: u64,
    /// Read.
    pub read: u64,
}

impl Loss {
    /// Takes the counts out of the file.
    pub fn parse(text: &str) -> Self {
        let count = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
        };
        Self {
            entries: count("entries"),
            overrun: count("overrun"),
            commit_overrun: count("commit overrun"),
            dropped: count("dropped events"),
            read: count("read events"),
        }
    }

    /// Events that are gone.
    pub fn lost(&self) -> u64 {
        self.overrun + self.commit_overrun + self.dropped
    }

    /// Events that were written at all.
    pub fn written(&self) -> u64 {
        self.entries + self.overrun + self.read
    }

    /// Together with another.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            overrun: self.overrun + other.overrun,
            commit_overrun: self.commit_overrun + other.commit_overrun,
            dropped: self.dropped + other.dropped,
            read: self.read + other.read,
        }
    }
}

/// The counts of each CPU, and the text they come from.
pub fn read(files: &dyn Files, instance: &Path, cpus: &[u16]) -> Vec<(u16, Loss, String)> {
    let of = |&cpu: &u16| {
        let text = files.text(&instance.join(format!("per_cpu/cpu{cpu}/stats"))).unwrap_or_default();
        (cpu, Loss::parse(&text), text)
    };
    cpus.iter().map(of).collect()
}

/// All CPUs together.
pub fn total(of: &[(u16, Loss, String)]) -> Loss {
    of.iter().fold(Loss::default(), |sum, (_, loss, _)| sum.with(*loss))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_kernels_file() {
        let text = "entries: 27\noverrun: 2206\ncommit overrun: 1\nbytes: 1476\noldest event ts:     5.485189\n\
                    now ts:     6.971797\ndropped events: 3050\nread events: 5\n";
        let loss = Loss::parse(text);
        assert_eq!(loss, Loss { entries: 27, overrun: 2206, commit_overrun: 1, dropped: 3050, read: 5 });
        assert_eq!((loss.lost(), loss.written()), (5257, 2238));
        assert_eq!(Loss::parse("damaged"), Loss::default());
        assert_eq!(loss.with(loss).read, 10);
    }
}
