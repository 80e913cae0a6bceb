//! [`Path`]: what a state did, record by record, shared with the states it has in common.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::model::Op;

/// How a record is explained on one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::replay) enum Tag {
    /// It follows from what was there.
    #[default]
    Plain,
    /// The purge under way had to get further first.
    Advanced,
    /// Later records took effect before this one.
    Exchanged,
    /// The task looked at another node's pool.
    OtherNode,
    /// The pool was empty at the look.
    PoolMissed,
    /// The hole is there, and a tree of another shape would have given it.
    OtherShape,
    /// The record is believed although nothing explains it.
    Believed,
    /// The record is not believed: the model's own answer stands for it.
    Disbelieved,
}

/// One record on a path.
#[derive(Debug)]
pub(super) struct Link {
    before: Option<Rc<Link>>,
    pub(super) index: u32,
    pub(super) tag: Tag,
    pub(super) ops: Box<[Op]>,
}

/// What a state did so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Path {
    last: Option<Rc<Link>>,
}

impl Path {
    /// Adds what a record did.
    pub(super) fn push(&mut self, index: u32, tag: Tag, ops: &[Op]) {
        self.last = Some(Rc::new(Link { before: self.last.take(), index, tag, ops: ops.into() }));
    }

    /// Calls `visit` with the links, the latest first.
    pub(super) fn visit_back(&self, mut visit: impl FnMut(&Link)) {
        let mut at = self.last.as_ref();
        while let Some(link) = at {
            visit(link);
            at = link.before.as_ref();
        }
    }
}

impl Drop for Path {
    /// One after the other: a path is as long as its log, and the stack is not.
    fn drop(&mut self) {
        let mut last = self.last.take();
        while let Some(link) = last.and_then(Rc::into_inner) {
            let mut link = link;
            last = link.before.take();
        }
    }
}
