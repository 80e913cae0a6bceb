//! Function names of the traced kernel, from `/proc/kallsyms`, and names of tasks, from `saved_cmdlines`.

use nom::Parser;
use nom::combinator::opt;
use nom::sequence::{delimited, terminated};

use crate::lex::{Lines, Res, after, decimal, hex, lit, upto};

/// Symbols kept; distribution kernels with all their modules have less than half a million.
const MAX_SYMBOLS: usize = 1 << 22;

/// The functions of a kernel by address.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    /// Names and modules, one after another.
    names: Vec<u8>,
    /// By address, each address once.
    functions: Vec<Function>,
    /// The function through which marks come is among them: what comes through another is none.
    pub(super) has_marker: bool,
}

#[derive(Debug, Clone, Copy)]
struct Function {
    address: u64,
    /// Address of the symbol after it.
    end: u64,
    name: u32,
    module: u32,
    name_len: u16,
    module_len: u16,
}

/// A function and a place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) name: &'a [u8],
    pub(super) module: Option<&'a [u8]>,
    pub(super) offset: u64,
    /// Bytes of the function; `None` for the last symbol of all.
    pub(super) length: Option<u64>,
}

impl Symbols {
    /// Reads kallsyms text. Addresses that the kernel hid (all zero) give no symbols.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut symbols = Self::default();
        // Data symbols are needed only to know where the functions before them end.
        let mut all: Vec<(Function, bool)> = Vec::new();
        let mut module: (&[u8], u32) = (b"", 0);
        for line in Lines::new(text).take(MAX_SYMBOLS) {
            let Ok((_, (address, kind, name, in_module))) = symbol(line.bytes) else { continue };
            if address == 0 {
                continue;
            }
            let is_function = matches!(kind, b't' | b'T' | b'w' | b'W');
            let in_module = in_module.unwrap_or_default();
            let mut entry = Function { address, end: u64::MAX, name: 0, module: 0, name_len: 0, module_len: 0 };
            if is_function {
                symbols.has_marker |= is_marker(name);
                let (name_at, name_len) = symbols.keep(name);
                if module.0 != in_module {
                    module = (in_module, symbols.keep(in_module).0);
                }
                let module_len = in_module.len().min(usize::from(u16::MAX)) as u16;
                entry = Function { name: name_at, name_len, module: module.1, module_len, ..entry };
            }
            all.push((entry, is_function));
        }
        // Of several names of one address the kernel shows the first one.
        all.sort_by_key(|(symbol, _)| symbol.address);
        let mut above = u64::MAX;
        for at in (0..all.len()).rev() {
            all[at].0.end = above;
            if at == 0 || all[at - 1].0.address != all[at].0.address {
                above = all[at].0.address;
            }
        }
        symbols.functions = all.into_iter().filter_map(|(symbol, is_function)| is_function.then_some(symbol)).collect();
        symbols.functions.dedup_by_key(|symbol| symbol.address);
        symbols.functions.shrink_to_fit();
        symbols.names.shrink_to_fit();
        symbols
    }

    fn keep(&mut self, name: &[u8]) -> (u32, u16) {
        let name = upto(name, usize::from(u16::MAX));
        let at = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.extend_from_slice(name);
        (at, name.len() as u16)
    }

    fn text(&self, at: u32, len: u16) -> &[u8] {
        upto(after(&self.names, at as usize), usize::from(len))
    }

    /// The number of the function around an address, for [`Self::place`].
    fn find(&self, address: u64) -> Option<u32> {
        let above = self.functions.partition_point(|function| function.address <= address);
        let at = above.checked_sub(1)?;
        (address < self.functions[at].end).then_some(at as u32)
    }

    fn place(&self, at: u32, address: u64) -> Option<Place<'_>> {
        let function = self.functions.get(at as usize)?;
        let module = self.text(function.module, function.module_len);
        Some(Place {
            name: self.text(function.name, function.name_len),
            module: (!module.is_empty()).then_some(module),
            offset: address.wrapping_sub(function.address),
            length: (function.end != u64::MAX).then(|| function.end - function.address),
        })
    }
}

/// Functions that write what came through `trace_marker`.
pub(super) fn is_marker(function: &[u8]) -> bool {
    matches!(function, b"tracing_mark_write" | b"__tracing_mark_write" | b"write_marker_to_buffer")
}

/// Address, type, name and module.
type Line<'a> = (u64, u8, &'a [u8], Option<&'a [u8]>);

/// `ffffffffb2ba55e0 t alloc_vmap_area [module]`
fn symbol(line: &[u8]) -> Res<'_, Line<'_>> {
    let name = nom::bytes::complete::take_till1(|byte| byte == b'\t' || byte == b' ');
    let inside = nom::bytes::complete::take_till1(|byte| byte == b']');
    let module = delimited(
        (nom::bytes::complete::take_while1(|byte| byte == b'\t' || byte == b' '), lit(b"[")),
        inside,
        lit(b"]"),
    );
    let kind = nom::number::complete::u8;
    (terminated(hex, lit(b" ")), terminated(kind, lit(b" ")), name, opt(module)).parse(line)
}

/// Bits of a cache's index.
const CACHE_BITS: u32 = 10;
const NOT_FOUND: u32 = u32::MAX;

/// Answers of [`Symbols`] for the addresses asked for last: stacks repeat their frames.
#[derive(Debug)]
pub(super) struct SymbolCache {
    slots: Vec<(u64, u32)>,
}

impl SymbolCache {
    pub(super) fn new() -> Self {
        Self { slots: vec![(0, NOT_FOUND); 1 << CACHE_BITS] }
    }

    /// The function around an address.
    pub(super) fn place<'a>(&mut self, symbols: &'a Symbols, address: u64) -> Option<Place<'a>> {
        // Fibonacci hashing: the golden ratio spreads neighbours.
        let slot = (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - CACHE_BITS)) as usize;
        if self.slots[slot].0 != address {
            self.slots[slot] = (address, symbols.find(address).unwrap_or(NOT_FOUND));
        }
        symbols.place(self.slots[slot].1, address)
    }
}

/// Bytes of a task's name (`TASK_COMM_LEN` without the NUL).
const MAX_COMM: usize = 15;

/// Names of tasks by thread id.
#[derive(Debug, Default)]
pub(super) struct Comms {
    names: Vec<u8>,
    /// By thread id.
    tasks: Vec<Task>,
}

#[derive(Debug, Clone, Copy)]
struct Task {
    pid: i32,
    name: u32,
    len: u16,
}

impl Comms {
    /// Reads `PID COMM` lines. A name may hold a newline: a line that begins otherwise belongs to the name before it.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut comms = Self::default();
        // Of line ends at the very end the last name may have had some, and the file has others.
        let n_ends = text.iter().rev().take_while(|&&byte| byte == b'\n').count();
        for line in upto(text, text.len() - n_ends).split(|byte| *byte == b'\n') {
            if let Ok((_, (pid, comm))) = task(line) {
                let comm = upto(comm, usize::from(u16::MAX));
                let task = Task { pid, name: comms.names.len() as u32, len: comm.len() as u16 };
                comms.names.extend_from_slice(comm);
                comms.tasks.push(task);
            } else if let Some(task) = comms.tasks.last_mut() {
                let len = usize::from(task.len) + 1 + line.len();
                if len <= MAX_COMM {
                    task.len = len as u16;
                    comms.names.push(b'\n');
                    comms.names.extend_from_slice(line);
                }
            }
        }
        comms.tasks.sort_by_key(|task| task.pid);
        comms.tasks.dedup_by_key(|task| task.pid);
        comms
    }

    fn find(&self, pid: i32) -> Option<Task> {
        let at = self.tasks.binary_search_by_key(&pid, |task| task.pid).ok()?;
        self.tasks.get(at).copied()
    }
}

/// `962 kworker/1:1`
fn task(line: &[u8]) -> Res<'_, (i32, &[u8])> {
    let pid = nom::combinator::map_res(decimal, i32::try_from);
    (terminated(pid, lit(b" ")), nom::combinator::rest).parse(line)
}

/// Names of the tasks asked for last.
#[derive(Debug)]
pub(super) struct CommCache {
    slots: Vec<Task>,
}

impl CommCache {
    pub(super) fn new() -> Self {
        // Nobody looks for pid 0 here.
        Self { slots: vec![Task { pid: 0, name: 0, len: 0 }; 1 << CACHE_BITS] }
    }

    /// The task's name as ftrace shows it: `<idle>` for pid 0, `<...>` if it was not remembered.
    #[inline]
    pub(super) fn comm<'a>(&mut self, comms: &'a Comms, pid: i32) -> &'a [u8] {
        if pid == 0 {
            return b"<idle>";
        }
        let slot = &mut self.slots[(pid.cast_unsigned() & ((1 << CACHE_BITS) - 1)) as usize];
        if slot.pid != pid {
            *slot = comms.find(pid).unwrap_or(Task { pid, name: NOT_FOUND, len: 0 });
        }
        if slot.name == NOT_FOUND {
            return b"<...>";
        }
        upto(after(&comms.names, slot.name as usize), usize::from(slot.len))
    }
}

/// Texts of `printk_formats` by address: `0xffffffff82ab1234 : "text"`.
#[derive(Debug, Default)]
pub(super) struct Formats {
    /// By address; the escapes of the text resolved.
    texts: Vec<(u64, Vec<u8>)>,
}

impl Formats {
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut texts: Vec<(u64, Vec<u8>)> = Lines::new(text).filter_map(|line| printk_format(line.bytes)).collect();
        texts.sort_by_key(|(address, _)| *address);
        Self { texts }
    }

    pub(super) fn get(&self, address: u64) -> Option<&[u8]> {
        let at = self.texts.binary_search_by_key(&address, |(address, _)| *address).ok()?;
        self.texts.get(at).map(|(_, text)| text.as_slice())
    }
}

fn printk_format(line: &[u8]) -> Option<(u64, Vec<u8>)> {
    let (rest, address) = address_of_text(line).ok()?;
    let text = rest.strip_prefix(b"\"")?;
    Some((address, unescape(text.strip_suffix(b"\"").unwrap_or(text))))
}

fn address_of_text(line: &[u8]) -> Res<'_, u64> {
    terminated(crate::lex::hex0x, (crate::lex::blanks, lit(b":"), crate::lex::blanks)).parse(line)
}

/// Resolves the escapes of a C string.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(other) => out.push(other),
            None => out.push(b'\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const KALLSYMS: &[u8] = b"0000000000002000 D data\n0000000000001000 T first\n0000000000001000 t alias\n\
        0000000000001800 t second\t[mod]\n0000000000000000 A zero\nbroken\n0000000000003000 W last\n";

    #[test]
    fn the_function_around_an_address() {
        let symbols = Symbols::parse(KALLSYMS);
        let mut cache = SymbolCache::new();
        let first = Place { name: b"first", module: None, offset: 0, length: Some(0x800) };
        for _ in 0..2 {
            assert_eq!(cache.place(&symbols, 0x1000), Some(first));
            assert_eq!(cache.place(&symbols, 0x17ff), Some(Place { offset: 0x7ff, ..first }));
            let second = Place { name: b"second", module: Some(b"mod"), offset: 1, length: Some(0x800) };
            assert_eq!(cache.place(&symbols, 0x1801), Some(second));
            assert_eq!(cache.place(&symbols, 0x2000), None);
            assert_eq!(cache.place(&symbols, 0xfff), None);
            assert_eq!(cache.place(&symbols, 0x3000).and_then(|place| place.length), None);
        }
    }

    #[test]
    fn names_survive_newlines() {
        let comms = Comms::parse(b"1 init\n900 nl\nevil-7\n7 a b-c [x] :1\n-3 x\n901 \n902 fifteen-bytes-x\nmore\n903 a\n\n b\n904 z\n\n905 y\n\n");
        let mut cache = CommCache::new();
        let mut comm = |pid| String::from_utf8_lossy(cache.comm(&comms, pid)).into_owned();
        assert_eq!([comm(1), comm(900), comm(7)], ["init", "nl\nevil-7", "a b-c [x] :1"]);
        assert_eq!([comm(901), comm(902), comm(0)], ["", "fifteen-bytes-x", "<idle>"]);
        assert_eq!([comm(903), comm(904), comm(905)], ["a\n\n b", "z\n", "y"]);
        assert_eq!([comm(5), comm(-3), comm(-1), comm(1 + 1024)], ["<...>", "<...>", "<...>", "<...>"]);
    }

    #[test]
    fn texts_by_address() {
        let formats = Formats::parse(b"0xff01 : \"a %d\\n\"\n0xfe00 : \"rcu\"\nbroken\n");
        assert_eq!(formats.get(0xff01), Some(&b"a %d\n"[..]));
        assert_eq!(formats.get(0xfe00), Some(&b"rcu"[..]));
        assert_eq!(formats.get(1), None);
    }
}
