//! [`Stacks`]: the kernel stacks that a trace has for its records, each different one once.
//!
//! Traces have few different stacks and many of each. Frames are kept as printed: other people's bytes, escaped where
//! they are shown.

use std::collections::HashMap;

use parsers::record::Frame;

use crate::event::Seq;

/// Index of a stack in [`Stacks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId(pub u32);

/// Frames of a stack that are kept: more than any kernel stack has, and an end to what a damaged text can ask for.
pub const MAX_FRAMES: usize = 256;

/// A record without a stack.
const NONE: u32 = u32::MAX;

/// A frame as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeptFrame {
    /// `symbol+0x…/0x… [module]`, as printed.
    text: Vec<u8>,
    /// Bytes of it that are the symbol.
    symbol: u32,
    /// Bytes at its end that are the module, its bracket not included; 0 for none.
    module: u32,
}

/// One frame, innermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRef<'a> {
    /// As printed: `symbol+0x…/0x… [module]`, or an address.
    pub text: &'a [u8],
    /// The function, or an address where the kernel knew none.
    pub symbol: &'a [u8],
    /// Its module; empty for none.
    pub module: &'a [u8],
}

/// The stacks of one log. Without any it holds no memory.
#[derive(Debug, Clone, Default)]
pub struct Stacks {
    frames: Vec<KeptFrame>,
    frame_ids: HashMap<Vec<u8>, u32>,
    /// Frames of all stacks, one behind the other.
    lists: Vec<u32>,
    /// Per stack: where its frames end in `lists`.
    ends: Vec<u32>,
    ids: HashMap<Vec<u32>, StackId>,
    /// Per record: its stack, or [`NONE`]. As long as the last record with a stack needs it.
    by_record: Vec<u32>,
    n_records: usize,
}

impl Stacks {
    /// Gives a record its stack. A second one for the same record is another probe's: the first counts.
    pub fn note(&mut self, record: Seq, frames: &[Frame<'_>]) {
        let index = record.index();
        if self.by_record.get(index).is_some_and(|&known| known != NONE) {
            return;
        }
        let id = self.intern(frames);
        if self.by_record.len() <= index {
            self.by_record.resize(index + 1, NONE);
        }
        self.by_record[index] = id.0;
        self.n_records += 1;
    }

    /// Follows the records into another order: which one was where that now stands at each place.
    pub fn reorder(&mut self, order: &[u32]) {
        if self.n_records == 0 {
            return;
        }
        let old = |index: &u32| self.by_record.get(*index as usize).copied().unwrap_or(NONE);
        self.by_record = order.iter().map(old).collect();
    }

    /// The stack of a record.
    pub fn of(&self, record: Seq) -> Option<StackId> {
        self.by_record.get(record.index()).copied().filter(|&id| id != NONE).map(StackId)
    }

    /// The frames of a stack, innermost first; none for an unknown id.
    pub fn frames(&self, id: StackId) -> impl ExactSizeIterator<Item = FrameRef<'_>> {
        let index = id.0 as usize;
        let end = self.ends.get(index).map_or(0, |&end| end as usize);
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize);
        let list = self.lists.get(start..end).unwrap_or(&[]);
        list.iter().map(|&frame| self.frames[frame as usize].get())
    }

    /// Different stacks.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Is there none at all?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Records that have one.
    pub fn n_records(&self) -> usize {
        self.n_records
    }

    /// Memory held, in bytes.
    pub fn heap_bytes(&self) -> u64 {
        let texts: usize = self.frames.iter().map(|frame| frame.text.capacity() * 2 + 80).sum();
        let lists = (self.lists.capacity() + self.lists.len() + self.ends.capacity()) * 4 + self.ids.capacity() * 32;
        (texts + lists + self.by_record.capacity() * 4) as u64
    }

    fn intern(&mut self, frames: &[Frame<'_>]) -> StackId {
        let kept = &frames[..frames.len().min(MAX_FRAMES)];
        let mut text = Vec::new();
        let mut list = Vec::with_capacity(kept.len());
        for frame in kept {
            text.clear();
            frame.write_to(&mut text);
            list.push(self.frame(frame, &text));
        }
        if let Some(&id) = self.ids.get(&list) {
            return id;
        }
        let id = StackId(self.ends.len() as u32);
        self.lists.extend_from_slice(&list);
        self.ends.push(self.lists.len() as u32);
        self.ids.insert(list, id);
        id
    }

    fn frame(&mut self, frame: &Frame<'_>, text: &[u8]) -> u32 {
        if let Some(&id) = self.frame_ids.get(text) {
            return id;
        }
        let id = self.frames.len() as u32;
        // A frame without a symbol is its address.
        let has_symbol = !frame.symbol.is_empty() || (frame.offset, frame.length, frame.address) == (None, None, None);
        let module = frame.module.map_or(0, <[u8]>::len);
        let tail = frame.module.map_or(0, |module| module.len() + b" []".len());
        let symbol = if has_symbol { frame.symbol.len() } else { text.len() - tail };
        self.frames.push(KeptFrame { text: text.to_vec(), symbol: symbol as u32, module: module as u32 });
        self.frame_ids.insert(text.to_vec(), id);
        id
    }
}

impl KeptFrame {
    fn get(&self) -> FrameRef<'_> {
        let end = self.text.len().saturating_sub(usize::from(self.module > 0));
        let module = &self.text[end - self.module as usize..end];
        FrameRef { text: &self.text, symbol: &self.text[..self.symbol as usize], module }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(symbol: &[u8]) -> Frame<'_> {
        Frame { symbol, offset: None, length: None, module: None, address: None }
    }

    fn texts(stacks: &Stacks, record: u32) -> Option<Vec<String>> {
        let id = stacks.of(Seq(record))?;
        Some(stacks.frames(id).map(|frame| String::from_utf8_lossy(frame.text).into_owned()).collect())
    }

    #[test]
    fn equal_stacks_are_kept_once() {
        let mut stacks = Stacks::default();
        assert_eq!((stacks.heap_bytes(), stacks.of(Seq(0))), (0, None));
        let (a, b) = ([plain(b"vmap"), plain(b"work")], [plain(b"work")]);
        stacks.note(Seq(7), &a);
        // A stack of another CPU can stand behind that of a later record.
        stacks.note(Seq(3), &b);
        stacks.note(Seq(9), &a);
        stacks.note(Seq(9), &b);
        assert_eq!((stacks.len(), stacks.n_records()), (2, 3));
        assert_eq!(stacks.of(Seq(7)), stacks.of(Seq(9)));
        assert_eq!(texts(&stacks, 3).unwrap(), ["work"]);
        assert_eq!(texts(&stacks, 9).unwrap(), ["vmap", "work"]);
        assert_eq!(texts(&stacks, 4), None);
        assert_eq!(stacks.frames(StackId(99)).len(), 0);
    }

    #[test]
    fn a_frame_is_taken_apart_again() {
        let mut stacks = Stacks::default();
        let module = Frame { offset: Some(1), length: Some(2), module: Some(b"m"), ..plain(b"f") };
        let address = Frame { address: Some(0xabc), ..plain(b"") };
        let both = Frame { module: Some(b"mod"), ..address };
        stacks.note(Seq(0), &[module, address, both, plain(b""), plain(b"\x1b[2J\xff")]);
        let id = stacks.of(Seq(0)).unwrap();
        let parts: Vec<(&[u8], &[u8], &[u8])> =
            stacks.frames(id).map(|frame| (frame.text, frame.symbol, frame.module)).collect();
        let number: &[u8] = b"0x0000000000000abc";
        assert_eq!(parts[0], (&b"f+0x1/0x2 [m]"[..], &b"f"[..], &b"m"[..]));
        assert_eq!(parts[1], (number, number, &b""[..]));
        assert_eq!(parts[2], (&b"0x0000000000000abc [mod]"[..], number, &b"mod"[..]));
        assert_eq!(parts[3], (&b""[..], &b""[..], &b""[..]));
        assert_eq!(parts[4].1, b"\x1b[2J\xff");
    }

    #[test]
    fn an_endless_stack_is_cut() {
        let mut stacks = Stacks::default();
        stacks.note(Seq(0), &vec![plain(b"f"); MAX_FRAMES + 10]);
        assert_eq!(stacks.frames(StackId(0)).len(), MAX_FRAMES);
    }
}
