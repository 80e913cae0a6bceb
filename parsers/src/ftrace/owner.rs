//! Which event a stack belongs to.

use crate::record::Prefix;

/// The last event of each CPU, with the task that ran: a stack belongs to the event before it of the same CPU and pid,
/// which need not be the line above. Without prefixes order is all there is.
#[derive(Debug, Clone, Default)]
pub struct LastEvents {
    by_cpu: Vec<Option<(i32, u64)>>,
    without_prefix: Option<u64>,
}

impl LastEvents {
    /// Notes that a record became event `id`. Remarks of the kernel have no prefix and are nobody's: leave them out.
    pub fn note(&mut self, prefix: Option<&Prefix<'_>>, id: u64) {
        let Some(prefix) = prefix else {
            self.without_prefix = Some(id);
            return;
        };
        let cpu = slot(prefix);
        if self.by_cpu.len() <= cpu {
            self.by_cpu.resize(cpu + 1, None);
        }
        self.by_cpu[cpu] = Some((prefix.pid, id));
    }

    /// The event that a stack with this prefix belongs to; `None` if it has been lost.
    pub fn owner_of(&self, prefix: Option<&Prefix<'_>>) -> Option<u64> {
        let Some(prefix) = prefix else { return self.without_prefix };
        let (pid, id) = self.by_cpu.get(slot(prefix)).copied().flatten()?;
        (pid == prefix.pid).then_some(id)
    }
}

/// Where a CPU's entry is; forms that tell no CPU have one for all.
fn slot(prefix: &Prefix<'_>) -> usize {
    prefix.cpu.map_or(0, |cpu| usize::from(cpu) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Stamp;

    fn prefix(pid: i32, cpu: u16) -> Prefix<'static> {
        Prefix { comm: b"t", pid, tgid: None, cpu: Some(cpu), flags: b".....", stamp: Stamp::Ticks(0) }
    }

    #[test]
    fn a_stack_belongs_to_the_last_event_of_its_cpu_and_task() {
        let mut last = LastEvents::default();
        assert_eq!(last.owner_of(Some(&prefix(1, 0))), None);
        last.note(Some(&prefix(1, 0)), 0);
        last.note(Some(&prefix(2, 1)), 1);
        assert_eq!(last.owner_of(Some(&prefix(1, 0))), Some(0), "lines of other CPUs come between");
        assert_eq!(last.owner_of(Some(&prefix(2, 1))), Some(1));
        last.note(Some(&prefix(3, 0)), 2);
        assert_eq!(last.owner_of(Some(&prefix(1, 0))), None, "its event was lost");
        assert_eq!(last.owner_of(None), None);
        last.note(None, 3);
        assert_eq!(last.owner_of(None), Some(3));
    }
}
