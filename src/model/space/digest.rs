//! The digest of a state.

use super::super::allocator::Allocator;

/// 64-bit FNV-1a of the text of a state, or of its free tree alone.
pub fn digest_of(allocator: &dyn Allocator, free_only: bool) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    // Writing to the hash cannot fail.
    let _ = allocator.dump(free_only, &mut hash);
    hash.0
}

/// Text that is hashed as it is written.
struct Fnv(u64);

impl std::fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
