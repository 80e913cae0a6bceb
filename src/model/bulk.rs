//! [`BulkOp`]: plain allocations and frees one after another, while nobody looks.
//!
//! An op script whose ops ask the allocator alone is resolved to these before it is run: ids are indices, arguments are
//! checked, alignments and windows stand in a table. What is left to do for each op is what the kernel does for it.
//! [`run`] is compiled for each era by itself: no call in it goes through a table of functions.

use super::allocator::{Allocator, HelperOrder, PurgeKind};
use super::extent::Extent;
use super::page_table::{Geometry, TablesTouched};
use super::request::Request;
use super::step::Steps;
use crate::log::Window;

/// One op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkOp {
    /// An allocation.
    Alloc {
        /// Bytes, as [`Request::size`].
        size: u64,
        /// Its id, as an index into [`Bulk::starts`].
        slot: u32,
        /// The calling CPU.
        cpu: u16,
        /// Alignment and window, as an index into [`Bulk::shapes`].
        shape: u16,
    },
    /// A free, of an id.
    Free {
        /// The index of the id.
        slot: u32,
    },
    /// A purge that somebody asks for.
    Purge,
    /// The queued drain work runs, if any is queued.
    Work,
    /// The shrinker empties the pools.
    Shrink,
    /// An allocation that is refused before anything is searched.
    Reject {
        /// The index of its id.
        slot: u32,
    },
}

/// What the ops of a run have in common, and what they have come to.
#[derive(Debug, Clone, Default)]
pub struct Bulk {
    /// Alignments and windows.
    pub shapes: Vec<(u64, Window)>,
    /// Address of each live id; [`Bulk::NOWHERE`] of the others.
    pub starts: Vec<u64>,
    /// When the helper works of a purge run.
    pub helpers: HelperOrder,
    /// Queued drain work runs right after the op that queues it.
    pub autowork: bool,
    /// A refused request purges and tries once more (2.6.28 and later).
    pub retries: bool,
    /// Allocations that came to nothing: refused, wrong, or of an id that is in use.
    pub failures: u64,
    /// Requests refused, first attempts included, and wrong ones.
    pub refusals: u64,
    /// Purges that had something to flush.
    pub flushes: u64,
    /// [`Sum`] of the addresses given out.
    pub sum: Sum,
}

/// 64-bit FNV-1a over addresses, word by word: the same sequence of answers has the same sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum(pub u64);

impl Default for Sum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sum {
    /// Adds an answer: an address, 0 for a failure.
    pub fn add(&mut self, address: u64) {
        self.0 = (self.0 ^ address).wrapping_mul(0x0100_0000_01b3);
    }
}

impl Bulk {
    /// No address: no area begins there.
    pub const NOWHERE: u64 = u64::MAX;
}

/// Page tables that areas have needed, of one geometry.
#[derive(Debug)]
pub struct Touched<'a> {
    /// How the machine translates addresses.
    pub geometry: &'static Geometry,
    /// The tables.
    pub tables: &'a mut TablesTouched,
}

/// Runs ops in order.
pub fn run<A: Allocator + ?Sized>(allocator: &mut A, ops: &[BulkOp], bulk: &mut Bulk, touched: &mut Touched<'_>) {
    for op in ops {
        match *op {
            BulkOp::Alloc { size, slot, cpu, shape } => {
                let address = alloc(allocator, (size, slot, cpu, shape), bulk, touched);
                bulk.sum.add(address);
            }
            BulkOp::Free { slot } => free(allocator, slot, bulk),
            BulkOp::Purge => purge(allocator, PurgeKind::Full, bulk),
            BulkOp::Work => work(allocator, bulk),
            BulkOp::Shrink => {
                allocator.shrink(None);
            }
            BulkOp::Reject { slot } => {
                bulk.refusals += u64::from(bulk.starts[slot as usize] == Bulk::NOWHERE);
                bulk.failures += 1;
                bulk.sum.add(0);
            }
        }
        if bulk.autowork {
            work(allocator, bulk);
        }
    }
}

/// Answers the address; 0 for a failure.
fn alloc<A: Allocator + ?Sized>(
    allocator: &mut A,
    (size, slot, cpu, shape): (u64, u32, u16, u16),
    bulk: &mut Bulk,
    touched: &mut Touched<'_>,
) -> u64 {
    if bulk.starts[slot as usize] != Bulk::NOWHERE {
        bulk.failures += 1;
        return 0;
    }
    let (align, window) = bulk.shapes[usize::from(shape)];
    let request = Request { size, align, window, cpu: u32::from(cpu), first_attempt: true };
    let answer = match allocator.alloc(&request, 0, None::<&mut Steps>) {
        Ok(extent) => Some(extent),
        Err(_) => retry(allocator, &request, bulk),
    };
    let Some(extent) = answer else { return 0 };
    touched.tables.map(touched.geometry, extent);
    bulk.starts[slot as usize] = extent.start();
    extent.start()
}

/// What a request does that was refused.
#[cold]
#[inline(never)]
fn retry<A: Allocator + ?Sized>(allocator: &mut A, request: &Request, bulk: &mut Bulk) -> Option<Extent> {
    bulk.refusals += 1;
    if bulk.retries {
        purge(allocator, PurgeKind::Full, bulk);
        if let Ok(extent) = allocator.alloc(&Request { first_attempt: false, ..*request }, 0, None) {
            return Some(extent);
        }
        bulk.refusals += 1;
    }
    bulk.failures += 1;
    None
}

fn free<A: Allocator + ?Sized>(allocator: &mut A, slot: u32, bulk: &mut Bulk) {
    let start = std::mem::replace(&mut bulk.starts[slot as usize], Bulk::NOWHERE);
    if start == Bulk::NOWHERE {
        return;
    }
    let freed = allocator.free(start, None);
    if freed.is_ok_and(|freed| freed.drain_due) && allocator.drains_inline() {
        purge(allocator, PurgeKind::Partial, bulk);
    }
}

/// Not part of the loop: it runs once in thousands of ops.
#[cold]
#[inline(never)]
fn purge<A: Allocator + ?Sized>(allocator: &mut A, kind: PurgeKind, bulk: &mut Bulk) {
    let purged = allocator.purge(kind, bulk.helpers, None);
    bulk.flushes += u64::from(purged.flush.is_some());
}

fn work<A: Allocator + ?Sized>(allocator: &mut A, bulk: &mut Bulk) {
    if allocator.drain_pending() {
        drain(allocator, bulk);
    }
}

#[cold]
#[inline(never)]
fn drain<A: Allocator + ?Sized>(allocator: &mut A, bulk: &mut Bulk) {
    let purges = allocator.drain(bulk.helpers, None);
    bulk.flushes += purges.iter().filter(|purged| purged.flush.is_some()).count() as u64;
}
