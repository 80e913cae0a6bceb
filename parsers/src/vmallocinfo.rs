//! `/proc/vmallocinfo`: the areas of one moment, as the kernel prints them or as people pass them on.

mod check;
mod choose;
mod clean;
mod fast;
mod marks;
mod nodes;
mod pairs;
mod reader;
mod repair;
mod row;
mod words;

use std::borrow::Cow;
use std::fmt;

use crate::Problem;
use crate::lex::trim_end;

pub use nodes::Nodes;
pub use reader::Reader;

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// In the order of the file: ascending before 6.9, node by node since; lazy areas last.
    pub areas: Vec<Area<'a>>,
    /// What the address columns show.
    pub pointers: Pointers,
    /// Damaged and repaired places, by line.
    pub problems: Vec<Problem>,
}

/// What the address columns of a file show, which depends on the reader's rights and `kptr_restrict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pointers {
    /// Addresses.
    Real,
    /// Hashes: equal ones are equal addresses, nothing else is known.
    Hashed,
    /// Zeros.
    Zeroed,
    /// Placeholders of a kernel that had no hash key yet.
    Unready,
    /// The file has no areas.
    None,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area<'a> {
    /// Line of the file, counted from 1.
    pub line: u32,
    /// Byte offset of that line.
    pub offset: u64,
    /// First address, or what the file shows instead ([`Pointers`]).
    pub start: u64,
    /// First address after the area and its guard page, or what the file shows instead.
    pub end: u64,
    /// Bytes, guard page included.
    pub size: u64,
    /// Who asked for it; `vm_map_ram` and lazy areas have none.
    pub caller: Option<Caller<'a>>,
    /// Data pages, where the kernel manages them; the guard page is not counted.
    pub pages: Option<u64>,
    /// Physical address of an ioremap.
    pub phys: Option<u64>,
    /// The flag words.
    pub flags: Flags,
    /// Words that stand among the flags and that no kernel we know prints: a vendor's own flags.
    pub foreign: Vec<Cow<'a, [u8]>>,
    /// Pages on each NUMA node `(node, pages)`, ascending.
    pub nodes: Nodes,
    /// What kind of row it is.
    pub state: State,
    /// Whether the row is as the kernel printed it.
    pub confidence: Confidence,
    /// Hexadecimal digits of an address: 16, or 8 on 32-bit kernels.
    pub address_digits: u8,
    /// Hexadecimal digits of `phys`; 0 for the bare number of kernels before 4.15.
    pub phys_digits: u8,
    /// The addresses are placeholders (`(____ptrval____)`); `start` and `end` are 0.
    pub unready: bool,
}

/// What kind of row it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// In use, with a descriptor.
    Busy,
    /// In use by `vm_map_ram`: one large mapping, or a block of small ones.
    VmMapRam,
    /// Freed, not yet purged.
    Unpurged,
}

/// Whether a row is as the kernel printed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// It is.
    Exact,
    /// It was damaged; a problem on its line says how it was read.
    Repaired,
}

/// A return address, as symbol, offset and length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller<'a> {
    /// Function; `0xffff…` if the kernel knew none. Owned if it was broken into several lines.
    pub symbol: Cow<'a, [u8]>,
    /// Bytes into the function.
    pub offset: u64,
    /// Bytes of the function; 0 if the offset and this were not printed, or cut off.
    pub length: u64,
    /// Module of the function.
    pub module: Option<Cow<'a, [u8]>>,
}

/// The flag words of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(u16);

impl Flags {
    /// A device's memory.
    pub const IOREMAP: Self = Self(1);
    /// A range that is filled page by page (6.9 and later).
    pub const SPARSE: Self = Self(1 << 1);
    /// Pages that the allocator itself got.
    pub const VMALLOC: Self = Self(1 << 2);
    /// Pages that the caller brought.
    pub const VMAP: Self = Self(1 << 3);
    /// May be mapped to user space.
    pub const USER: Self = Self(1 << 4);
    /// A DMA buffer (5.4 and later).
    pub const DMA_COHERENT: Self = Self(1 << 5);
    /// The array of page pointers is itself in the vmalloc range.
    pub const VPAGES: Self = Self(1 << 6);

    /// Every flag and its word, in the order of the file.
    const WORDS: [(Self, &'static str); 7] = [
        (Self::IOREMAP, "ioremap"),
        (Self::SPARSE, "sparse"),
        (Self::VMALLOC, "vmalloc"),
        (Self::VMAP, "vmap"),
        (Self::USER, "user"),
        (Self::DMA_COHERENT, "dma-coherent"),
        (Self::VPAGES, "vpages"),
    ];

    /// Whether all of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The words, in the order of the file.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, word)| word)
    }

    /// The flag of a word.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        Self::WORDS.into_iter().find(|(_, text)| text.as_bytes() == word).map(|(flag, _)| flag)
    }
}

/// Reads a file. Rows that were damaged on their way are repaired where that is possible without guessing.
pub fn parse(input: &[u8]) -> Snapshot<'_> {
    let mut areas: Vec<Area<'_>> = Vec::new();
    let mut reader = Reader::new();
    reader.read(input, &mut |area| areas.push(area.clone()));
    let (pointers, problems) = reader.finish();
    Snapshot { areas, pointers, problems }
}

/// Whether a line is a row to the byte as the kernel prints it, with all of a caller: nothing else looks like that.
pub(crate) fn is_exact(line: &[u8]) -> bool {
    let mut area = Area::new(0, 0, 0);
    fast::fill(line, &mut area, &mut fast::Callers::default()) == Some(line.len())
        && area.caller.is_none_or(|caller| 0 < caller.length)
}

/// Whether a line holds a row, damaged or not.
pub(crate) fn accepts(line: &[u8]) -> bool {
    row::row(trim_end(line)).is_ok() || repair::holds_row(line)
}

/// Whether a text of which no line says anything holds rows nevertheless: their lines are cut anywhere, or the words
/// spelt in a way that shows only when they are put together.
pub(crate) fn holds_rows(text: &[u8]) -> bool {
    let is_row = |area: &Area<'_>| {
        let says = area.flags != Flags::default()
            || area.state != State::Busy
            || area.caller.as_ref().is_some_and(|caller| 0 < caller.length);
        says && area.size.is_multiple_of(4096) && 0 < area.size
    };
    let mut found = false;
    Reader::new().read(text, &mut |area| found |= is_row(area));
    found
}

impl Area<'_> {
    /// Does it say of an area without a descriptor what only a descriptor tells?
    fn says_too_much(&self) -> bool {
        let says = self.pages.is_some() || self.phys.is_some() || self.caller.is_some();
        let says = says || self.flags != Flags::default();
        self.state != State::Busy && (says || self.nodes != Nodes::default())
    }

    /// A row of which only the first columns are known.
    #[inline]
    fn new(start: u64, end: u64, size: u64) -> Self {
        Self {
            line: 0,
            offset: 0,
            start,
            end,
            size,
            caller: None,
            pages: None,
            phys: None,
            flags: Flags::default(),
            foreign: Vec::new(),
            nodes: Nodes::default(),
            state: State::Busy,
            confidence: Confidence::Exact,
            address_digits: 16,
            phys_digits: 0,
            unready: false,
        }
    }

    /// The same row, with names of its own.
    fn into_owned(self) -> Area<'static> {
        let own = |name: Cow<'_, [u8]>| Cow::Owned(name.into_owned());
        let bare = self.bare();
        let caller = self.caller.map(|caller| Caller {
            symbol: own(caller.symbol),
            offset: caller.offset,
            length: caller.length,
            module: caller.module.map(own),
        });
        let foreign = self.foreign.into_iter().map(own).collect();
        Area { caller, foreign, nodes: self.nodes, ..bare }
    }

    /// The row without its names and lists.
    fn bare(&self) -> Area<'static> {
        Area {
            line: self.line,
            offset: self.offset,
            pages: self.pages,
            phys: self.phys,
            flags: self.flags,
            state: self.state,
            confidence: self.confidence,
            address_digits: self.address_digits,
            phys_digits: self.phys_digits,
            unready: self.unready,
            ..Area::new(self.start, self.end, self.size)
        }
    }
}

impl fmt::Display for Area<'_> {
    /// The kernel's own line, without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.address_digits);
        match (self.unready, self.address_digits) {
            (false, _) => write!(f, "0x{:0digits$x}-0x{:0digits$x}", self.start, self.end)?,
            (true, 8) => f.write_str("0x(ptrval)-0x(ptrval)")?,
            (true, _) => f.write_str("0x(____ptrval____)-0x(____ptrval____)")?,
        }
        write!(f, " {:7}", self.size)?;
        match self.state {
            State::Busy => {}
            State::VmMapRam => return f.write_str(" vm_map_ram"),
            State::Unpurged => return f.write_str(" unpurged vm_area"),
        }
        if let Some(caller) = &self.caller {
            write!(f, " {caller}")?;
        }
        if let Some(pages) = self.pages {
            write!(f, " pages={pages}")?;
        }
        match (self.phys, usize::from(self.phys_digits)) {
            (Some(phys), 0) => write!(f, " phys={phys:x}")?,
            (Some(phys), digits) => write!(f, " phys=0x{phys:0digits$x}")?,
            (None, _) => {}
        }
        for word in self.flags.names() {
            write!(f, " {word}")?;
        }
        for word in &self.foreign {
            write!(f, " {}", String::from_utf8_lossy(word))?;
        }
        for (node, pages) in self.nodes.iter() {
            write!(f, " N{node}={pages}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.symbol))?;
        if self.length != 0 || self.offset != 0 {
            write!(f, "+{:#x}/{:#x}", self.offset, self.length)?;
        }
        match &self.module {
            Some(module) => write!(f, " [{}]", String::from_utf8_lossy(module)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProblemKind;

    fn judged(text: &str) -> Pointers {
        parse(text.as_bytes()).pointers
    }

    #[test]
    fn address_columns_are_judged_as_a_whole() {
        assert_eq!(judged(""), Pointers::None);
        assert_eq!(judged("0xffffc90000000000-0xffffc90000005000   20480 x+0x1/0x2 vmap\n"), Pointers::Real);
        assert_eq!(judged("0x00000000b1b6d3a4-0x000000008fb9f8b0   20480 x+0x1/0x2 vmap\n"), Pointers::Hashed);
        assert_eq!(judged("0xb1b6d3a4-0x8fb9f8b0   20480 x+0x1/0x2 vmap\n"), Pointers::Hashed);
        assert_eq!(judged("0x0000000000000000-0x0000000000000000   20480 x+0x1/0x2 vmap\n"), Pointers::Zeroed);
        assert_eq!(judged("0x(____ptrval____)-0x(____ptrval____)   20480 x+0x1/0x2 vmap\n"), Pointers::Unready);
    }

    #[test]
    fn printing_a_row_is_the_kernels_line() {
        for line in [
            "0xffffc90000000000-0xffffc90000005000   20480 foo_init+0x2b/0x110 [foo] pages=4 vmalloc N0=4",
            "0xffffc9000003c000-0xffffc9000003e000    8192 acpi_os_map_iomem+0x1a/0x20 phys=0x00000000fed00000 ioremap",
            "0xf8802000-0xf8804000    8192 acpi_os_map_memory+0x11/0x1a phys=7fee0000 ioremap",
            "0xffffe8ffffc00000-0xffffe8ffffe00000 2097152 pcpu_get_vm_areas+0x0/0x1040 vmalloc",
            "0xffffc900001b5000-0xffffc900041b6000 67112960 x+0x1/0x2 pages=16384 vmalloc user vpages N0=1 N5=2",
            "0xffffd05807800000-0xffffd05807900000 1048576 vm_map_ram",
            "0xff3eb01f00638000-0xff3eb01f0063d000   20480 unpurged vm_area",
            "0xbf000000-0xbf002000    8192 0xbf00e11c vmap",
            "0xffffc90000000000-0xffffc90000005000   20480 sparse",
            "0xffffc90000000000-0xffffc90000005000   20480",
            "0x(ptrval)-0x(ptrval)   20480 x+0x1/0x2 vmap",
        ] {
            let snapshot = parse(line.as_bytes());
            assert_eq!(snapshot.problems, [], "{line}");
            let printed: Vec<_> = snapshot.areas.iter().map(ToString::to_string).collect();
            assert_eq!(printed, [line]);
            assert!(snapshot.areas.iter().all(|area| area.confidence == Confidence::Exact), "{line}");
        }
    }

    #[test]
    fn a_row_whose_columns_disagree_is_named() {
        let text = b"0xf8802000-0xf8804000    8192 a+0x1/0x2 vmap\n0xf8804000-0xf8806000    4096 a+0x1/0x2 vmap\n";
        let snapshot = parse(text);
        let got: Vec<_> = snapshot.problems.iter().map(|p| (p.line, p.offset, p.kind.clone())).collect();
        assert_eq!(got, [(2, 45, ProblemKind::SizeMismatch)]);
    }

    #[test]
    fn flags_are_a_set() {
        let flags = Flags::VMALLOC.with(Flags::USER);
        assert!(flags.contains(Flags::USER) && !flags.contains(Flags::VMAP));
        assert_eq!(flags.names().collect::<Vec<_>>(), ["vmalloc", "user"]);
        assert_eq!(Flags::from_word(b"dma-coherent"), Some(Flags::DMA_COHERENT));
    }
}
