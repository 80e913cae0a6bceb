//! Free trees whose shape at the start no file shows: several are followed, and where one gives another answer than the
//! kernel did it is not given up at once. None of them need be quite right.

use std::rc::Rc;

use crate::model::search::align_up;
use crate::model::{AddressSpace, Extent, TreeId};

use super::facts::{Record, What};
use super::holes::Holes;
use super::path::Tag;
use super::state::{Env, State};
use super::{Beam, COPY};

/// The shape of the free tree is another one: seven more than the best one has are enough to give one up.
const OTHER_SHAPE: f64 = 1.25;
/// Records after which the tree has turned over, or no other shape is any better.
const MAX_RECORDS: u32 = 16_384;

/// The states to begin with: the same holes, in trees of different shapes.
pub(super) fn starts(env: &Env, space: &AddressSpace, others: impl Iterator<Item = AddressSpace>) -> Vec<Rc<State>> {
    let first = Rc::new(State::new(env, space));
    let others = others.zip(1..).map(|(other, start)| {
        let holes = other.allocator().tree(TreeId::Free).map(|view| Holes::of(&view)).unwrap_or_default();
        let mut state = State::clone(&first);
        (state.holes, state.start) = (Rc::new(holes), start);
        Rc::new(state)
    });
    std::iter::once(Rc::clone(&first)).chain(others.collect::<Vec<_>>()).collect()
}

impl Beam<'_> {
    /// Is the shape of the free tree still open?
    pub(super) fn is_shape_open(&self) -> bool {
        self.n_starts > 1 && self.now - (self.facts.first as u32) < MAX_RECORDS
    }

    /// The recorded address begins a hole, or will once the purge that is under way has got there, and the search passes
    /// by such holes as the shape of the tree will have it.
    pub(super) fn in_another_shape(&self, state: &State, record: &Record) -> Option<State> {
        let env = &self.env;
        let What::Alloc { request, recorded: Some(start), chunk } = record.what else { return None };
        if request.check(env.page_size).is_err() || env.rules.search_length(&request, env.page_size).0 <= request.size {
            return None;
        }
        let extent = Extent::sized(start, request.size)?;
        self.works(COPY);
        let mut state = state.clone();
        loop {
            let hole = state.holes.at(start).map(|(_, hole)| hole).filter(|hole| hole.contains(extent));
            if hole.is_some_and(|hole| align_up(hole.start().max(request.window.vstart), request.align) == start) {
                break;
            }
            let purge = self.facts.under_way(self.now)?;
            self.works(1);
            if state.step(env, purge, 0).is_none() {
                if state.purge.n_workers() > 1 || state.purge.stage != super::purge::Stage::Flushed {
                    return None;
                }
                let (n_helpers, _) = state.helpers(env);
                state.count_helpers(n_helpers);
            }
        }
        let owner = env.owner_of(&request);
        state.adopt(env, extent, owner, record.index);
        if let Some((size, align)) = chunk {
            state.chunk(env, size, align);
        }
        state.cost += OTHER_SHAPE;
        state.tag = Tag::OtherShape;
        Some(state)
    }
}
