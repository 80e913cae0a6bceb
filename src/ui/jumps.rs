//! [`Jumps`]: the places a person came from, as a browser keeps them.

use crate::view::Selection;

/// Enough to retrace an afternoon.
const MAX_JUMPS: usize = 256;

/// A place: a moment of the trace and what was selected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) cursor: usize,
    pub(crate) selection: Selection,
}

/// Places before and after this one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Jumps {
    back: Vec<Spot>,
    forward: Vec<Spot>,
}

impl Jumps {
    /// Notes a place before a jump away from it.
    pub(crate) fn leave(&mut self, from: Spot) {
        self.forward.clear();
        if self.back.last() != Some(&from) {
            self.back.push(from);
        }
        if MAX_JUMPS < self.back.len() {
            self.back.remove(0);
        }
    }

    /// The place before the last jump; `from` can be returned to.
    pub(crate) fn back(&mut self, from: Spot) -> Option<Spot> {
        let to = self.back.pop()?;
        self.forward.push(from);
        Some(to)
    }

    /// The place before the last jump back.
    pub(crate) fn forward(&mut self, from: Spot) -> Option<Spot> {
        let to = self.forward.pop()?;
        self.back.push(from);
        Some(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_and_forward_retrace_and_a_new_jump_forgets_the_way_forward() {
        let spot = |cursor| Spot { cursor, selection: Selection::Follow };
        let mut jumps = Jumps::default();
        jumps.leave(spot(1));
        jumps.leave(spot(5));
        assert_eq!(jumps.back(spot(9)), Some(spot(5)));
        assert_eq!(jumps.back(spot(5)), Some(spot(1)));
        assert_eq!(jumps.back(spot(1)), None);
        assert_eq!(jumps.forward(spot(1)), Some(spot(5)));
        jumps.leave(spot(5));
        assert_eq!(jumps.forward(spot(7)), None);
    }
}
