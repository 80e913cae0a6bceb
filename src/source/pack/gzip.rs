//! gzip: members one after the other, each with a header, a deflate stream, and a checksum of what it unpacks to.

use flate2::Crc;

use super::codec::{Codec, Deflate, Step, Stop};

/// What follows the header's ten bytes, by its flags.
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Where a member is.
#[derive(Debug, Default)]
enum At {
    /// In a header of which these bytes have been seen.
    #[default]
    Header,
    /// In the deflate stream.
    Body,
    /// In the last eight bytes.
    Trailer,
    /// Behind a member: another one, zeros that pad a tape or a disk, or nothing.
    Between,
    /// In the zeros.
    Padding,
}

/// A decoder of gzip.
#[derive(Default)]
pub struct Gzip {
    at: At,
    /// The bytes of the header or trailer so far.
    seen: Vec<u8>,
    body: Deflate,
    crc: Crc,
}

/// A header longer than that is damage: names and comments are for people.
const MAX_HEADER: usize = 1 << 17;

impl Codec for Gzip {
    fn step(&mut self, input: &[u8], output: &mut [u8], last: bool) -> Result<Step, Stop> {
        let done = |consumed, produced| Ok(Step { consumed, produced, ended: false });
        match self.at {
            At::Header => {
                // Headers are short: byte by byte is simple and fast enough.
                for (n, byte) in input.iter().enumerate() {
                    self.seen.push(*byte);
                    if header_is_complete(&self.seen)? {
                        self.seen.clear();
                        self.body = Deflate::default();
                        self.crc = Crc::new();
                        self.at = At::Body;
                        return done(n + 1, 0);
                    }
                }
                done(input.len(), 0)
            }
            At::Body => {
                let step = self.body.step(input, output, last)?;
                self.crc.update(&output[..step.produced]);
                if step.ended {
                    self.at = At::Trailer;
                }
                done(step.consumed, step.produced)
            }
            At::Trailer => {
                let n = input.len().min(8 - self.seen.len());
                self.seen.extend_from_slice(&input[..n]);
                if self.seen.len() == 8 {
                    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| self.seen[at + n]));
                    if word(0) != self.crc.sum() || word(4) != self.crc.amount() {
                        return Err(Stop::damaged(0, "the checksum is wrong"));
                    }
                    self.seen.clear();
                    self.at = At::Between;
                }
                done(n, 0)
            }
            At::Between => {
                let Some(first) = input.first() else { return Ok(Step { consumed: 0, produced: 0, ended: last }) };
                self.at = if *first == 0 { At::Padding } else { At::Header };
                self.step(input, output, last)
            }
            At::Padding => {
                let zeros = input.iter().take_while(|&&byte| byte == 0).count();
                if zeros < input.len() {
                    return Err(Stop::damaged(0, "bytes follow that are not gzip's"));
                }
                Ok(Step { consumed: zeros, produced: 0, ended: last })
            }
        }
    }
}

/// Is this a whole header?
fn header_is_complete(seen: &[u8]) -> Result<bool, Stop> {
    let magic: [u8; 3] = [0x1f, 0x8b, 8];
    if seen.iter().zip(magic).any(|(seen, wanted)| *seen != wanted) {
        return Err(Stop::damaged(0, "no gzip header where one is due"));
    }
    let Some(&flags) = seen.get(3) else { return Ok(false) };
    if flags & RESERVED != 0 || MAX_HEADER < seen.len() {
        return Err(Stop::damaged(0, "the gzip header is damaged"));
    }
    let mut at = 10;
    if flags & EXTRA != 0 {
        let Some(length) = seen.get(at..at + 2) else { return Ok(false) };
        at += 2 + usize::from(u16::from_le_bytes([length[0], length[1]]));
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            let Some(end) = seen.get(at..).and_then(|text| memchr::memchr(0, text)) else { return Ok(false) };
            at += end + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        at += 2;
    }
    Ok(at <= seen.len())
}
