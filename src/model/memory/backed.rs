//! [`Backed`]: what is behind one area.

use crate::model::extent::Extent;
use crate::model::frames::FrameRun;
use crate::model::slab::Kmem;
use crate::model::usage::Usage;

/// What is behind one area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backed {
    /// The area, guard included.
    pub extent: Extent,
    /// What it is used for.
    pub usage: Usage,
    /// `VM_` flags; 0 where nobody says.
    pub flags: u32,
    /// Its `vm_struct`, if it has one.
    pub descriptor: Option<Kmem>,
    /// Data pages it owns.
    pub data_pages: u64,
    /// Pages mapped, from its first address on.
    pub mapped_pages: u64,
    /// Bytes of its page-pointer array, if `kmalloc` gave it.
    pub array_bytes: u64,
    /// The object the array is in.
    pub array: Option<Kmem>,
    /// Start of the area of its page-pointer array, if it has one.
    pub nested: Option<u64>,
    /// First piece of its frames.
    pub(super) runs: u32,
}

impl Backed {
    /// An area with nothing behind it.
    pub(super) fn bare(extent: Extent, usage: Usage) -> Self {
        Self {
            extent,
            usage,
            flags: 0,
            descriptor: None,
            data_pages: 0,
            mapped_pages: 0,
            array_bytes: 0,
            array: None,
            nested: None,
            runs: Runs::NONE,
        }
    }
}

/// No further piece.
const END: u32 = u32::MAX;

/// The frames of every area, as chains of runs in one arena.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs {
    pieces: Vec<(FrameRun, u32)>,
    unused: Vec<u32>,
}

impl Runs {
    /// A chain of nothing.
    pub(super) const NONE: u32 = END;

    /// Puts runs in front of a chain, keeping their order; answers the new first piece.
    pub(super) fn add(&mut self, runs: &[FrameRun], chain: u32) -> u32 {
        runs.iter().rev().fold(chain, |next, &run| match self.unused.pop() {
            Some(place) => {
                self.pieces[place as usize] = (run, next);
                place
            }
            None => {
                self.pieces.push((run, next));
                (self.pieces.len() - 1) as u32
            }
        })
    }

    /// The runs of a chain, in order.
    pub(super) fn iter(&self, chain: u32) -> impl Iterator<Item = FrameRun> {
        let piece = |at: u32| self.pieces.get(at as usize).copied();
        std::iter::successors(piece(chain), move |&(_, next)| piece(next)).map(|(run, _)| run)
    }

    /// Takes a chain out, into `out`.
    pub(super) fn take(&mut self, chain: u32, out: &mut Vec<FrameRun>) {
        let mut at = chain;
        while at != END {
            let (run, next) = self.pieces[at as usize];
            out.push(run);
            self.unused.push(at);
            at = next;
        }
    }

    pub(super) fn clone_from(&mut self, from: &Self) {
        self.pieces.clone_from(&from.pieces);
        self.unused.clone_from(&from.unused);
    }

    pub(super) fn heap_bytes(&self) -> u64 {
        (self.pieces.capacity() * size_of::<(FrameRun, u32)>() + self.unused.capacity() * 4) as u64
    }
}
