//! What a replay holds: states for others to start from, and memory by its parts.

use super::Replay;
use super::behind::Behind;
use crate::model::AddressSpace;

impl Replay {
    /// A copy of the latest state kept at or before `at` records, the one at the cursor among them, and after how many
    /// records it is. With what is behind the areas, if that is wanted and followed.
    pub fn kept(&self, at: usize, with_memory: bool) -> (AddressSpace, usize) {
        let lane = match &self.behind {
            Some(behind) if with_memory => &behind.checkpoints,
            _ => &self.checkpoints,
        };
        let is_here = lane.at_or_before(at) < self.cursor && self.cursor <= at && !(with_memory && self.lags);
        let copy_of = |state: &AddressSpace| if with_memory { state.clone() } else { state.without_memory() };
        if is_here {
            return (copy_of(&self.space), self.cursor);
        }
        let mut state = copy_of(lane.start());
        let begins = lane.restore_even(at, &mut state);
        (copy_of(&state), begins)
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        self.heap_parts().iter().map(|(_, bytes)| bytes).sum()
    }

    /// Memory held by each part, in bytes.
    pub fn heap_parts(&self) -> [(&'static str, u64); 8] {
        let timeline = self.plan.timeline.heap_bytes();
        let going = self.going.as_ref().map_or(0, |(state, _)| state.heap_bytes());
        [
            ("records", self.log.events.heap_bytes()),
            ("stacks", self.log.stacks.heap_bytes()),
            ("plan", self.plan.heap_bytes() - timeline),
            ("timeline", timeline),
            ("usages", self.usages.get().map_or(0, |usages| usages.heap_bytes())),
            ("checkpoints", self.checkpoints.heap_bytes()),
            ("checkpoints_with_memory", self.behind.as_ref().map_or(0, Behind::heap_bytes)),
            ("states", self.space.heap_bytes() + self.before.heap_bytes() + going),
        ]
    }

    /// How many checkpoints of the areas there are, and how many records lie between two of them.
    pub fn checkpoint_spacing(&self) -> (usize, usize) {
        self.checkpoints.spacing()
    }
}
