//! Decoders in one shape: packed bytes in, plain bytes out, and exactly how far each went, so that damage costs
//! nothing that was already unpacked.

use flate2::{Decompress, FlushDecompress, Status};
use lzma_rust2::{Action, XzStream};
use zstd::stream::raw::{DParameter, Decoder, Operation};
use zstd::zstd_safe::{InBuffer, OutBuffer};

use super::gzip::Gzip;
use super::limits::{Fault, MAX_WINDOW};

/// How far one call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Packed bytes that are done with.
    pub consumed: usize,
    /// Plain bytes written.
    pub produced: usize,
    /// The packed data is complete; what follows does not belong to it.
    pub ended: bool,
}

/// Why a decoder cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Plain bytes written before that.
    pub produced: usize,
    /// What is wrong; `at` is counted by who calls.
    pub fault: Fault,
}

impl Stop {
    /// Damage after `produced` bytes.
    pub fn damaged(produced: usize, reason: impl Into<String>) -> Self {
        Self { produced, fault: Fault::Damaged { at: 0, reason: reason.into() } }
    }
}

/// What every decoder does.
pub trait Codec: Send {
    /// Unpacks some. `last`: nothing follows `input`. A call that moves nothing wants more input, or is at an end that
    /// came too early if there is none.
    ///
    /// # Errors
    /// The packed bytes are damaged.
    fn step(&mut self, input: &[u8], output: &mut [u8], last: bool) -> Result<Step, Stop>;
}

/// The decoder of a compression; of an archive's members it is the one of `zip`.
pub fn decoder(packing: super::Packing) -> Result<Box<dyn Codec>, Fault> {
    Ok(match packing {
        super::Packing::Gzip => Box::new(Gzip::default()),
        super::Packing::Zstd => Box::new(Zstd::new()?),
        super::Packing::Xz => Box::new(Xz::new()),
        super::Packing::Zip | super::Packing::Tar => Box::new(Stored),
    })
}

/// Nothing to unpack.
#[derive(Debug)]
pub struct Stored;

impl Codec for Stored {
    fn step(&mut self, input: &[u8], output: &mut [u8], last: bool) -> Result<Step, Stop> {
        let n = input.len().min(output.len());
        output[..n].copy_from_slice(&input[..n]);
        Ok(Step { consumed: n, produced: n, ended: last && n == input.len() })
    }
}

/// A raw deflate stream, as gzip and zip have it.
#[derive(Debug)]
pub struct Deflate(Decompress);

impl Default for Deflate {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl Codec for Deflate {
    fn step(&mut self, input: &[u8], output: &mut [u8], _: bool) -> Result<Step, Stop> {
        let (read, written) = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output, FlushDecompress::None);
        let moved = |from: u64, to: u64| to.saturating_sub(from) as usize;
        let produced = moved(written, self.0.total_out()).min(output.len());
        match status {
            Ok(status) => {
                Ok(Step { consumed: moved(read, self.0.total_in()), produced, ended: status == Status::StreamEnd })
            }
            Err(_) => Err(Stop::damaged(produced, "the deflate stream is corrupt")),
        }
    }
}

/// zstd frames, one after the other.
struct Zstd {
    decoder: Decoder<'static>,
    /// How much the decoder wants to see at once: up to the end of a block. With no more than that in one call, a
    /// damaged block costs no block before it.
    wanted: usize,
    /// Between two frames.
    between: bool,
}

impl Zstd {
    fn new() -> Result<Self, Fault> {
        let failed = |error: std::io::Error| Fault::Damaged { at: 0, reason: error.to_string() };
        let mut decoder = Decoder::new().map_err(failed)?;
        decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW.ilog2())).map_err(failed)?;
        Ok(Self { decoder, wanted: 1, between: true })
    }
}

impl Codec for Zstd {
    fn step(&mut self, input: &[u8], output: &mut [u8], last: bool) -> Result<Step, Stop> {
        if last && input.is_empty() && self.between {
            return Ok(Step { consumed: 0, produced: 0, ended: true });
        }
        let mut from = InBuffer::around(&input[..input.len().min(self.wanted.max(1))]);
        let mut to = OutBuffer::around(output);
        match self.decoder.run(&mut from, &mut to) {
            Ok(wanted) => {
                let step = Step { consumed: from.pos(), produced: to.pos(), ended: false };
                // 0 is the end of a frame; a frame begins with nothing moved yet.
                self.between = wanted == 0 || (self.between && step.consumed == 0);
                self.wanted = wanted;
                Ok(step)
            }
            Err(error) => {
                let reason = error.to_string();
                let fault = if reason.contains("too much memory") {
                    Fault::Window
                } else {
                    Fault::Damaged { at: 0, reason: reason.to_lowercase() }
                };
                Err(Stop { produced: 0, fault })
            }
        }
    }
}

/// xz streams, one after the other.
struct Xz(XzStream);

impl Xz {
    fn new() -> Self {
        // The decoder's own tables come on top of the dictionary.
        Self(XzStream::new_mem_limit(true, (MAX_WINDOW >> 10) as u32 + 1024))
    }
}

impl Codec for Xz {
    fn step(&mut self, input: &[u8], output: &mut [u8], last: bool) -> Result<Step, Stop> {
        let written = self.0.total_out();
        let action = if last { Action::Finish } else { Action::Run };
        match self.0.process(input, output, action) {
            Ok(result) => Ok(Step {
                consumed: result.bytes_consumed,
                produced: result.bytes_produced,
                ended: result.status == lzma_rust2::Status::StreamEnd,
            }),
            Err(error) => {
                let produced = (self.0.total_out().saturating_sub(written) as usize).min(output.len());
                let fault = if error.kind() == std::io::ErrorKind::OutOfMemory {
                    Fault::Window
                } else {
                    Fault::Damaged { at: 0, reason: error.to_string().to_lowercase() }
                };
                Err(Stop { produced, fault })
            }
        }
    }
}
