//! Unpacking on a thread of its own: while a parser works on one block, the next one is unpacked.

use std::io::Read;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::codec::{Codec, Step, Stop};
use super::limits::{Fault, Faults, Limits, is_bomb};

/// Plain bytes handed on at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// Blocks that may wait for their reader.
const BLOCKS: usize = 4;
/// Packed bytes read at once.
const INPUT_BYTES: usize = 64 * 1024;

/// A packed source as plain bytes. Its end is the end of what can be unpacked; why it ended is in [`Faults`].
pub struct Unpacked {
    blocks: Receiver<Vec<u8>>,
    /// Blocks that have been read go back to be filled again.
    spent: Sender<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
}

impl Unpacked {
    /// Begins to unpack. The thread ends with its source, at a fault, or when nobody reads any more.
    pub fn spawn(source: impl Read + Send + 'static, codec: Box<dyn Codec>, limits: Limits, faults: Faults) -> Self {
        let (full, blocks) = sync_channel(BLOCKS);
        let (spent, empty) = channel();
        let mut unpacker = Unpacker::new(source, codec, limits);
        std::thread::spawn(move || unpacker.run(&full, &empty, &faults));
        Self { blocks, spent, block: Vec::new(), at: 0 }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.block.len() {
            let Ok(next) = self.blocks.recv() else { return Ok(0) };
            // The thread may have ended.
            let _ = self.spent.send(std::mem::replace(&mut self.block, next));
            self.at = 0;
        }
        let n = buf.len().min(self.block.len() - self.at);
        buf[..n].copy_from_slice(&self.block[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// The work itself.
pub struct Unpacker<R> {
    source: R,
    codec: Box<dyn Codec>,
    limits: Limits,
    input: Vec<u8>,
    /// What of `input` is not unpacked yet.
    from: usize,
    to: usize,
    source_ended: bool,
    packed: u64,
    unpacked: u64,
}

/// What filling a block came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Filled {
    /// It is full.
    Full,
    /// There is nothing more.
    Ended,
}

impl<R: Read> Unpacker<R> {
    /// Nothing is read yet.
    pub fn new(source: R, codec: Box<dyn Codec>, limits: Limits) -> Self {
        let input = vec![0; INPUT_BYTES];
        Self { source, codec, limits, input, from: 0, to: 0, source_ended: false, packed: 0, unpacked: 0 }
    }

    fn run(&mut self, full: &SyncSender<Vec<u8>>, empty: &Receiver<Vec<u8>>, faults: &Faults) {
        loop {
            let mut block = empty.try_recv().unwrap_or_default();
            block.resize(BLOCK_BYTES, 0);
            let mut n = 0;
            let filled = self.fill(&mut block, &mut n);
            block.truncate(n);
            if let Err(fault) = &filled {
                // Before the last block goes, so that whoever sees the end finds the reason.
                faults.note(fault.clone());
            }
            if (n != 0 && full.send(block).is_err()) || filled != Ok(Filled::Full) {
                return;
            }
        }
    }

    /// Fills `block` from `n` on.
    ///
    /// # Errors
    /// The source is damaged, or too much. What `n` counts by then is good.
    pub fn fill(&mut self, block: &mut [u8], n: &mut usize) -> Result<Filled, Fault> {
        while *n < block.len() {
            if self.from == self.to && !self.source_ended {
                self.read_on()?;
            }
            let was = self.from;
            let stepped = self.codec.step(&self.input[self.from..self.to], &mut block[*n..], self.source_ended);
            let (step, fault) = match stepped {
                Ok(step) => (step, None),
                Err(Stop { produced, fault }) => (Step { consumed: 0, produced, ended: false }, Some(fault)),
            };
            self.from += step.consumed;
            *n += step.produced;
            self.packed += step.consumed as u64;
            self.unpacked += step.produced as u64;
            self.limits.take(step.produced as u64)?;
            if is_bomb(self.packed, self.unpacked) {
                return Err(Fault::Bomb { packed: self.packed, unpacked: self.unpacked });
            }
            if let Some(fault) = fault {
                return Err(self.placed(fault));
            }
            if step.ended {
                return Ok(Filled::Ended);
            }
            // A decoder that does nothing wants to see more.
            if self.from == was && step.produced == 0 {
                if self.source_ended || self.to - self.from == self.input.len() {
                    return Err(self.placed(Fault::Damaged { at: 0, reason: "it ends too early".to_owned() }));
                }
                self.read_on()?;
            }
        }
        Ok(Filled::Full)
    }

    fn placed(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Damaged { reason, .. } => Fault::Damaged { at: self.packed, reason },
            fault => fault,
        }
    }

    /// Reads behind what is not unpacked yet.
    fn read_on(&mut self) -> Result<(), Fault> {
        self.input.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        loop {
            match self.source.read(&mut self.input[self.to..]) {
                Ok(0) => self.source_ended = true,
                Ok(n) => self.to += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::Damaged { at: self.packed, reason: error.to_string() }),
            }
            return Ok(());
        }
    }
}
