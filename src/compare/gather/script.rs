//! What an op script says itself, whatever became of it in the script's own allocator.

use parsers::ops::request::Target;
use parsers::ops::{Op as Asked, RequestOp};

use super::Gather;
use crate::compare::demands::Demand;

impl Gather {
    /// What an op of a script demands beyond what it came to in the script's own allocator; its demands so far begin at
    /// `first`.
    pub(super) fn script_op(&mut self, asked: &Asked, first: usize) {
        let (names, frees) = match asked {
            Asked::Alloc { id, .. } => (Some(*id), None),
            Asked::Free { id, .. } => (None, Some(*id)),
            Asked::Request(request) => match &**request {
                RequestOp::Free { target: Target::Id { id, offset: 0 }, .. } => (None, Some(*id)),
                request => (request.names(), None),
            },
            _ => (None, None),
        };
        let said_nothing = first == self.demands.list.len();
        let latest = self.demands.list[first..].iter().rev().find_map(|demand| match demand {
            Demand::Ask { id, .. } | Demand::AskAgain { id, .. } => Some(*id),
            _ => None,
        });
        if let (Some(name), Some(id)) = (names, latest) {
            self.named.insert(name, id);
        }
        // Another lane may have the area that the script's own allocator had no room for.
        if let Some(id) = frees.and_then(|name| self.named.remove(&name)).filter(|_| said_nothing) {
            self.demands.list.push(Demand::Free { id });
        }
        if matches!(asked, Asked::Work) && said_nothing {
            self.demands.list.push(Demand::Worker);
        }
    }
}
