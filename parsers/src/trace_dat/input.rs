//! Bytes at any place of an input, byte order, and a cursor that never reads past an end.

use std::io;

/// An input that can be read at any place: a file, or bytes in memory.
pub trait ReadAt {
    /// Reads bytes from `offset` on into `buf`; fewer than asked for only if there are no more, or as a file may.
    ///
    /// # Errors
    /// Those of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Bytes of the whole input.
    fn len(&self) -> u64;

    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, buf)
    }

    fn len(&self) -> u64 {
        Vec::len(self) as u64
    }
}

/// Reads `size` bytes, or what there is, into `out`, whose content is lost.
///
/// # Errors
/// Those of the file.
pub fn read_into(source: &dyn ReadAt, offset: u64, size: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let left = usize::try_from(source.len().saturating_sub(offset)).unwrap_or(usize::MAX);
    out.resize(size.min(left), 0);
    let mut n = 0;
    while n < out.len() {
        match source.read_at(offset + n as u64, &mut out[n..]) {
            Ok(0) => break,
            Ok(more) => n += more.min(out.len() - n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.truncate(n);
    Ok(())
}

/// Byte order of the traced machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) is_big: bool,
}

impl Order {
    /// An unsigned number of 1, 2, 4 or 8 bytes at a place; `None` if it is not all there, or of another size.
    #[inline]
    pub(super) fn uint(self, bytes: &[u8], at: usize, size: u8) -> Option<u64> {
        let rest = bytes.get(at..)?;
        Some(match size {
            8 => {
                let raw = *rest.first_chunk::<8>()?;
                if self.is_big { u64::from_be_bytes(raw) } else { u64::from_le_bytes(raw) }
            }
            4 => u64::from(self.word(*rest.first_chunk::<4>()?)),
            2 => {
                let raw = *rest.first_chunk::<2>()?;
                u64::from(if self.is_big { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) })
            }
            1 => u64::from(*rest.first()?),
            _ => return None,
        })
    }

    /// Four bytes at a place.
    #[inline]
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        Some(self.word(*bytes.get(at..)?.first_chunk::<4>()?))
    }

    #[inline]
    fn word(self, raw: [u8; 4]) -> u32 {
        if self.is_big { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }
    }
}

/// Why a cursor could not go on.
#[derive(Debug)]
pub(super) enum Trouble {
    /// What is told to be there reaches over the end; where it begins.
    Short(u64),
    /// A size that no file can have; where it stands.
    TooBig(u64),
    /// The file cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Bytes of a window of the cursor.
const AHEAD: usize = 4096;

/// Walks over a part of an input.
pub(super) struct Cursor<'s> {
    source: &'s dyn ReadAt,
    at: u64,
    end: u64,
    order: Order,
    ahead: Vec<u8>,
    ahead_at: u64,
}

impl<'s> Cursor<'s> {
    /// Stands at `at` and does not go past `end`.
    pub(super) fn new(source: &'s dyn ReadAt, order: Order, at: u64, end: u64) -> Self {
        Self { source, at, end: end.min(source.len()), order, ahead: Vec::new(), ahead_at: 0 }
    }

    /// Where it stands.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes before the end.
    pub(super) fn left(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// The next `n` bytes, at most [`AHEAD`], without a step.
    fn peek(&mut self, n: usize) -> Result<&[u8], Trouble> {
        if self.left() < n as u64 {
            return Err(Trouble::Short(self.at));
        }
        let has = self.at.checked_sub(self.ahead_at).is_some_and(|skip| skip + n as u64 <= self.ahead.len() as u64);
        if !has {
            read_into(self.source, self.at, AHEAD.max(n), &mut self.ahead)?;
            self.ahead_at = self.at;
        }
        let from = (self.at - self.ahead_at) as usize;
        self.ahead.get(from..from + n).ok_or(Trouble::Short(self.at))
    }

    fn number(&mut self, size: u8) -> Result<u64, Trouble> {
        let (order, at) = (self.order, self.at);
        let value = order.uint(self.peek(usize::from(size))?, 0, size).ok_or(Trouble::Short(at))?;
        self.at += u64::from(size);
        Ok(value)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Trouble> {
        Ok(self.number(1)? as u8)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Trouble> {
        Ok(self.number(2)? as u16)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Trouble> {
        Ok(self.number(4)? as u32)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Trouble> {
        self.number(8)
    }

    /// Exactly these bytes, or no step.
    pub(super) fn skip_literal(&mut self, literal: &[u8]) -> Result<bool, Trouble> {
        let is_there = self.left() >= literal.len() as u64 && self.peek(literal.len())? == literal;
        if is_there {
            self.at += literal.len() as u64;
        }
        Ok(is_there)
    }

    /// Bytes up to a NUL, which is stepped over; at most `max`.
    pub(super) fn cstr(&mut self, max: usize) -> Result<Vec<u8>, Trouble> {
        let begin = self.at;
        let mut text = Vec::new();
        loop {
            match self.u8()? {
                0 => return Ok(text),
                byte if text.len() < max => text.push(byte),
                _ => return Err(Trouble::TooBig(begin)),
            }
        }
    }

    /// `n` bytes, if they are there and not more than `max`.
    pub(super) fn block(&mut self, n: u64, max: u64) -> Result<Vec<u8>, Trouble> {
        if self.left() < n {
            return Err(Trouble::Short(self.at));
        }
        if max < n {
            return Err(Trouble::TooBig(self.at));
        }
        let mut bytes = Vec::new();
        read_into(self.source, self.at, n as usize, &mut bytes)?;
        if (bytes.len() as u64) < n {
            return Err(Trouble::Short(self.at));
        }
        self.at += n;
        Ok(bytes)
    }
}
