//! `allocator-state.before` → [`KernelState`], and how it goes with the snapshot of the same moment.

use std::collections::BTreeSet;

use parsers::{Problem, ProblemKind, allocator_state};

use crate::log::{FileProblem, KernelState, Log, Pointers};

/// Name of the member.
pub const BEFORE: &str = "allocator-state.before";

/// Reads a state; what is damaged or contradicts itself is added to `problems`.
pub fn read(name: &str, text: &[u8], problems: &mut Vec<FileProblem>) -> Option<KernelState> {
    let (state, damaged) = allocator_state::parse(text);
    problems.extend(damaged.into_iter().map(|problem| FileProblem { file: name.to_owned(), problem }));
    let (state, flaws) = KernelState::check(&state)?;
    problems.extend(flaws.into_iter().map(|flaw| whole(name, flaw)));
    Some(state)
}

/// Says where the state and the snapshot of the same moment differ: the state is used, because it is read in one go.
pub fn compare(log: &mut Log) {
    let (Some(state), Some(before)) = (&log.state_before, &log.before) else { return };
    if before.pointers != Pointers::Real {
        return;
    }
    let listed: BTreeSet<(u64, u64)> = before.areas.iter().map(|area| (area.start, area.end)).collect();
    let known: BTreeSet<(u64, u64)> = state.listed().collect();
    let (missing, extra) = (listed.difference(&known).count(), known.difference(&listed).count());
    if missing + extra > 0 {
        let flaw = format!(
            "the snapshot before the trace has {missing} areas that are not here, and lacks {extra} that are, the state was used"
        );
        log.problems.push(whole(BEFORE, flaw));
    }
}

/// A problem of the file as a whole.
fn whole(file: &str, flaw: String) -> FileProblem {
    let problem = Problem { line: 1, column: 1, offset: 0, kind: ProblemKind::StateFlaw(flaw) };
    FileProblem { file: file.to_owned(), problem }
}
