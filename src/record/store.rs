//! [`Store`]: where a recording puts what it takes: a folder that becomes a bundle, or memory that somebody looks at.

use std::fmt;
use std::io::Write;

use super::error::RecordError;

/// Takes members by name.
pub trait Store: fmt::Debug {
    /// A member as a whole.
    ///
    /// # Errors
    /// What the system says.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), RecordError>;

    /// A member that grows, page by page: each write is one page.
    ///
    /// # Errors
    /// What the system says.
    fn grow(&self, name: &str) -> Result<Box<dyn Write>, RecordError>;

    /// There is something in it from now on that nobody has a second time.
    fn keep(&mut self) {}

    /// Every buffer has been emptied: what was stamped up to here, in ns of the monotonic clock, is there.
    fn emptied(&mut self, _at: u64) {}
}
