//! A member's part of an archive, held against what the archive says about it.

use std::io::Read;

use flate2::Crc;

use crate::source::pack::codec::{Codec, Step, Stop};
use crate::source::pack::limits::{Fault, Faults};

/// `len` bytes of a stream, after `skip` others. Of the faults of that stream only one that costs bytes of this portion
/// is one of the portion's.
pub struct Portion<R> {
    inner: R,
    skip: u64,
    left: u64,
    outer: Faults,
    own: Faults,
}

impl<R: Read> Portion<R> {
    /// Nothing is read yet.
    pub fn new(inner: R, skip: u64, len: u64, outer: Faults, own: Faults) -> Self {
        Self { inner, skip, left: len, outer, own }
    }
}

impl<R: Read> Read for Portion<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if 0 < self.skip {
            let skip = std::mem::take(&mut self.skip);
            std::io::copy(&mut self.inner.by_ref().take(skip), &mut std::io::sink())?;
        }
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        if want == 0 {
            return Ok(0);
        }
        let n = self.inner.read(&mut buf[..want])?;
        self.left -= n as u64;
        if n == 0 {
            self.left = 0;
            let short = || Fault::Damaged { at: 0, reason: "the archive ends inside this member".to_owned() };
            self.own.note(self.outer.take().unwrap_or_else(short));
        }
        Ok(n)
    }
}

/// A decoder whose output has a known checksum and size.
pub struct Checked {
    inner: Box<dyn Codec>,
    crc: Crc,
    size: u64,
    wanted: Option<(u32, u64)>,
}

impl Checked {
    /// Nothing is unpacked yet.
    pub fn new(inner: Box<dyn Codec>, wanted: Option<(u32, u64)>) -> Self {
        Self { inner, crc: Crc::new(), size: 0, wanted }
    }
}

impl Codec for Checked {
    fn step(&mut self, input: &[u8], output: &mut [u8], last: bool) -> Result<Step, Stop> {
        let step = self.inner.step(input, output, last)?;
        self.crc.update(&output[..step.produced]);
        self.size += step.produced as u64;
        match self.wanted {
            Some((_, size)) if step.ended && self.size < size => Err(Stop::damaged(step.produced, "it ends too early")),
            Some((crc, size)) if step.ended && (self.crc.sum(), self.size) != (crc, size) => {
                Err(Stop::damaged(step.produced, "the checksum is wrong"))
            }
            _ => Ok(step),
        }
    }
}
