//! tar: what is in an archive, and where. ustar, pax, GNU long names, and the oldest form without a magic.

use std::io::Read;

use crate::source::members::contents::{Contents, Entry, Refusal, shown};
use crate::source::read_at::Section;

/// Headers and data come in these.
const BLOCK: usize = 512;
/// A long name or the attributes of a member are no longer than that.
const MAX_ATTRIBUTES: u64 = 1 << 20;
/// Members up to this size are kept when finding them means unpacking the archive.
const SMALL: u64 = 1 << 20;
/// All small members together.
const MAX_KEPT: u64 = 16 << 20;

/// Does an archive begin like that?
pub fn begins(head: &[u8]) -> bool {
    let Some(block) = head.first_chunk::<BLOCK>() else { return false };
    block[257..262] == *b"ustar" || (block[0] != 0 && checksum_holds(block))
}

/// A stream in which one can go forward.
pub trait Forward: Read {
    /// Goes `n` bytes on, or to the end.
    ///
    /// # Errors
    /// What the system says.
    fn skip(&mut self, n: u64) -> std::io::Result<u64>;

    /// Does going on mean unpacking everything in between?
    const IS_PACKED: bool;
}

impl Forward for Section {
    fn skip(&mut self, n: u64) -> std::io::Result<u64> {
        Ok(self.go_on(n))
    }

    const IS_PACKED: bool = false;
}

/// A packed archive.
pub struct Packed<R>(pub R);

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buf)
    }
}

impl<R: Read> Forward for Packed<R> {
    fn skip(&mut self, n: u64) -> std::io::Result<u64> {
        std::io::copy(&mut self.0.by_ref().take(n), &mut std::io::sink())
    }

    const IS_PACKED: bool = true;
}

/// What a header says.
struct Header {
    kind: u8,
    name: Vec<u8>,
    size: u64,
}

/// What headers before it say about the next member.
#[derive(Default)]
struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

/// Reads the headers.
///
/// # Errors
/// There is something in it that no capture has.
pub fn list<R: Forward>(source: &mut R) -> Result<Contents, Refusal> {
    let mut contents = Contents::default();
    let mut ahead = Ahead::default();
    let (mut at, mut kept) = (0_u64, 0_u64);
    // A damaged header is told of once; what is behind it is searched for the next one.
    let mut is_lost = false;
    loop {
        let mut block = [0; BLOCK];
        let n = read_full(source, &mut block);
        at += n as u64;
        if n < BLOCK {
            if 0 < n {
                contents.flaw(at, "the archive ends inside a header");
            }
            return Ok(contents);
        }
        if block.iter().all(|byte| *byte == 0) {
            if is_lost {
                continue;
            }
            return Ok(contents);
        }
        let Some(header) = Header::read(&block) else {
            if !std::mem::replace(&mut is_lost, true) {
                contents.flaw(at - BLOCK as u64, "a header of the archive is damaged, its member is lost");
            }
            ahead = Ahead::default();
            continue;
        };
        is_lost = false;
        if let b'x' | b'L' | b'K' | b'g' = header.kind {
            at += ahead.read(source, &header)?;
            continue;
        }
        let Ahead { name, size, is_sparse } = std::mem::take(&mut ahead);
        let (name, size) = (name.unwrap_or(header.name), size.unwrap_or(header.size));
        let mut done = 0;
        match header.kind {
            b'1' | b'2' => return Err(Refusal::Link(shown(&name))),
            b'3' | b'4' | b'6' => return Err(Refusal::Device(shown(&name))),
            b'5' => contents.check_name(&name)?,
            b'0' | 0 | b'7' | b'S' if !name.ends_with(b"/") => {
                let mut entry = Entry::stored(at, size);
                if header.kind == b'S' || is_sparse {
                    entry.flaw = Some("it is stored as a sparse file, pack it without --sparse".to_owned());
                } else if R::IS_PACKED && size <= SMALL && kept + size <= MAX_KEPT {
                    let mut bytes = vec![0; size as usize];
                    done = read_full(source, &mut bytes) as u64;
                    bytes.truncate(done as usize);
                    kept += done;
                    entry.kept = Some(bytes);
                }
                contents.add(&name, entry)?;
            }
            _ => {}
        }
        let padded = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
        // A source that ends or fails here ends the loop at the next header.
        let skipped = source.skip(padded - done).unwrap_or(0);
        at = at.saturating_add(done).saturating_add(skipped);
    }
}

impl Header {
    /// Reads one; `None` if it is damaged.
    fn read(block: &[u8; BLOCK]) -> Option<Self> {
        let text = |from: usize, len: usize| {
            let field = &block[from..from + len];
            &field[..memchr::memchr(0, field).unwrap_or(len)]
        };
        let size = number(&block[124..136]).filter(|_| checksum_holds(block))?;
        let mut name = text(0, 100).to_vec();
        // GNU's own form has other things where ustar has the beginning of a long name.
        if &block[257..263] == b"ustar\0" && block[345] != 0 {
            name = [text(345, 155), b"/", &name].concat();
        }
        Some(Self { kind: block[156], name, size })
    }
}

impl Ahead {
    /// Reads what a header carries that describes the next one; how far that went.
    fn read<R: Forward>(&mut self, source: &mut R, header: &Header) -> Result<u64, Refusal> {
        if MAX_ATTRIBUTES < header.size {
            return Err(Refusal::Attributes);
        }
        let mut text = vec![0; (header.size.div_ceil(BLOCK as u64) * BLOCK as u64) as usize];
        let n = read_full(source, &mut text);
        text.truncate(header.size as usize);
        match header.kind {
            b'L' => {
                text.truncate(memchr::memchr(0, &text).unwrap_or(text.len()));
                self.name = Some(text);
            }
            b'x' => self.pax(&text),
            _ => {}
        }
        Ok(n as u64)
    }

    /// `LENGTH KEY=VALUE\n`, one after the other; the length counts all of it.
    fn pax(&mut self, mut text: &[u8]) {
        loop {
            let Some(blank) = memchr::memchr(b' ', text) else { return };
            let length = std::str::from_utf8(&text[..blank]).ok().and_then(|digits| digits.parse::<usize>().ok());
            let Some(record) = length.and_then(|length| text.get(blank + 1..length)) else { return };
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            text = &text[length.unwrap_or(text.len())..];
            let Some(equals) = memchr::memchr(b'=', record) else { continue };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"size" => self.size = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok()),
                _ => self.is_sparse |= key.starts_with(b"GNU.sparse."),
            }
        }
    }
}

/// Octal digits, or for what is too large for them a binary number marked by the highest bit.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        let (high, low) = rest.split_at(rest.len().checked_sub(8)?);
        return high.iter().all(|byte| *byte == 0).then(|| low.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    digits[..end].iter().try_fold(0_u64, |sum, byte| match byte {
        b'0'..=b'7' => Some(sum << 3 | u64::from(byte - b'0')),
        _ => None,
    })
}

/// The sum of all bytes, with blanks where the sum itself is.
fn checksum_holds(block: &[u8; BLOCK]) -> bool {
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    let own: u64 = block[148..156].iter().map(|byte| u64::from(*byte)).sum();
    number(&block[148..156]) == Some(sum - own + 8 * u64::from(b' '))
}

/// Fills `buf` as far as there is something; an error of the source is an end, and known to it.
fn read_full(source: &mut impl Read, buf: &mut [u8]) -> usize {
    let mut n = 0;
    while n < buf.len() {
        match source.read(&mut buf[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    n
}
