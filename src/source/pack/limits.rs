//! What unpacking may cost, and what went wrong on the way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes that an input may have when unpacked, all members together: far above any trace people keep.
pub const MAX_UNPACKED: u64 = 8 << 30;
/// Up to here nobody asks how well something is packed.
pub const FREE_OF_RATIO: u64 = 64 << 20;
/// Bytes that one packed byte may stand for beyond that. Traces come to 10 to 100, one line repeated to 300; deflate
/// cannot exceed 1,032, so this is the guard against what zstd and xz can do, and gzip's zeros.
pub const MAX_RATIO: u64 = 1000;
/// Members of an archive.
pub const MAX_MEMBERS: usize = 10_000;
/// Compressions around one text: a `.tar.gz` of `.zst` members has two.
pub const MAX_LAYERS: u32 = 2;
/// A dictionary or window that has to be in memory to unpack anything. `xz -9` wants 64 MiB, `zstd --ultra -22` 128.
pub const MAX_WINDOW: u64 = 128 << 20;
/// What is read whole: archives on standard input, snapshots, scripts.
pub const MAX_WHOLE: u64 = 1 << 30;

/// The budget of one input; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    unpacked: Arc<AtomicU64>,
}

impl Limits {
    /// Takes `bytes` off the budget. Declared sizes do not count, only bytes that are there.
    ///
    /// # Errors
    /// The input has become larger than [`MAX_UNPACKED`].
    pub fn take(&self, bytes: u64) -> Result<(), Fault> {
        let before = self.unpacked.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) <= MAX_UNPACKED { Ok(()) } else { Err(Fault::TooLarge) }
    }
}

/// Are so many bytes too much for so many packed ones?
pub fn is_bomb(packed: u64, unpacked: u64) -> bool {
    FREE_OF_RATIO < unpacked && packed.saturating_mul(MAX_RATIO) < unpacked
}

/// Why unpacking stopped before the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The packed bytes are damaged or end early. What came before was handed on.
    Damaged {
        /// Where the decoder stood, in packed bytes.
        at: u64,
        /// What is wrong.
        reason: String,
    },
    /// More than [`MAX_RATIO`] for one.
    Bomb {
        /// Packed bytes read so far.
        packed: u64,
        /// What they became.
        unpacked: u64,
    },
    /// More than [`MAX_UNPACKED`].
    TooLarge,
    /// Needs more than [`MAX_WINDOW`] to unpack.
    Window,
}

/// The faults of one stream and its layers. Whoever reads the stream sees its end; why it ended is here.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Fault>>>);

impl Faults {
    /// Notes one.
    pub fn note(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// The first one, which caused the others, and forgets them.
    pub fn take(&self) -> Option<Fault> {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        all.into_iter().next()
    }
}
