//! Request-level ops: the kernel's entry points instead of its allocator.
//!
//! ```text
//! vmalloc 1 1048576 flags=VM_ALLOW_HUGE_VMAP
//! vmap 2 16
//! ioremap 3 0xfed00000 4096
//! vfree 1 irq
//! vfree @0xffffc90000000010
//! ```

mod words;

use nom::Parser;
use nom::combinator::{map_opt, opt};
use nom::multi::many0;
use nom::sequence::{preceded, separated_pair};

use super::{field, gap};
use crate::lex::{Res, lit, number, stop, word};

use words::words;
pub use words::{Fail, Gfp, Words};

/// Entry points that allocate pages of their own, as a script spells them.
pub const VMALLOCS: [&str; 7] =
    ["vmalloc", "vzalloc", "vmalloc_32", "vmalloc_dma", "vmalloc_user", "vmalloc_huge", "__vmalloc_node_range"];
/// Per-CPU groups of one request.
pub const MAX_GROUPS: usize = 4;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestOp {
    /// `vmalloc ID SIZE [word …]`, and its relatives.
    Vmalloc {
        /// Place in [`VMALLOCS`].
        call: usize,
        /// Names the area for its free.
        id: u64,
        /// Bytes.
        size: u64,
        /// What else is asked for.
        words: Words,
    },
    /// `vmap ID PAGES [word …]`
    Vmap {
        /// Names the area.
        id: u64,
        /// Pages.
        pages: u64,
        /// What else is asked for.
        words: Words,
    },
    /// `map_ram ID PAGES [word …]`
    MapRam {
        /// Names the mapping.
        id: u64,
        /// Pages.
        pages: u64,
        /// What else is asked for.
        words: Words,
    },
    /// `unmap_ram ID`
    UnmapRam {
        /// As given to `map_ram`.
        id: u64,
    },
    /// `ioremap ID PHYS SIZE [word …]`
    Ioremap {
        /// Names the area.
        id: u64,
        /// Physical address.
        phys: u64,
        /// Bytes.
        size: u64,
        /// What else is asked for.
        words: Words,
    },
    /// `pcpu ID OFFSET:SIZE… [align=N] [word …]`
    Pcpu {
        /// Names the first area.
        id: u64,
        /// Offset and size of each group, in bytes.
        groups: Vec<(u64, u64)>,
        /// What else is asked for.
        words: Words,
    },
    /// `vfree TARGET [irq] [cpu=N]`, `vfree_atomic`, `vunmap`, `iounmap`
    Free {
        /// Which of them.
        call: FreeCall,
        /// What is freed.
        target: Target,
        /// In an interrupt.
        irq: bool,
        /// The calling CPU.
        cpu: u32,
    },
    /// `deferred [CPU]`: the deferred work of a CPU runs.
    Deferred {
        /// The CPU.
        cpu: u32,
    },
    /// `aliases`: `vm_unmap_aliases`.
    Aliases,
    /// `init`: tells what `vmalloc_init` did.
    Init,
    /// `cost ID`: what an area really costs.
    Cost {
        /// As given to the allocation.
        id: u64,
    },
    /// `memory`: what is behind all areas.
    Memory,
    /// `contrast SIZE`: `kmalloc`, `kzalloc`, `kvmalloc` and `vmalloc` side by side.
    Contrast {
        /// Bytes.
        size: u64,
    },
}

/// Entry points that free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreeCall {
    /// `vfree`
    Vfree,
    /// `vfree_atomic`
    VfreeAtomic,
    /// `vunmap`
    Vunmap,
    /// `iounmap`
    Iounmap,
}

impl FreeCall {
    const ALL: [Self; 4] = [Self::Vfree, Self::VfreeAtomic, Self::Vunmap, Self::Iounmap];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vfree => "vfree",
            Self::VfreeAtomic => "vfree_atomic",
            Self::Vunmap => "vunmap",
            Self::Iounmap => "iounmap",
        }
    }
}

/// What is freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `ID` or `ID+OFFSET`: the address an allocation gave, and bytes behind it.
    Id {
        /// As given to the allocation.
        id: u64,
        /// Bytes behind its address.
        offset: u64,
    },
    /// `@ADDRESS`
    Address(u64),
}

impl RequestOp {
    /// Its word.
    pub fn word(&self) -> &'static str {
        match *self {
            Self::Vmalloc { call, .. } => VMALLOCS.get(call).copied().unwrap_or("vmalloc"),
            Self::Vmap { .. } => "vmap",
            Self::MapRam { .. } => "map_ram",
            Self::UnmapRam { .. } => "unmap_ram",
            Self::Ioremap { .. } => "ioremap",
            Self::Pcpu { .. } => "pcpu",
            Self::Free { call, .. } => call.word(),
            Self::Deferred { .. } => "deferred",
            Self::Aliases => "aliases",
            Self::Init => "init",
            Self::Cost { .. } => "cost",
            Self::Memory => "memory",
            Self::Contrast { .. } => "contrast",
        }
    }

    /// Does it ask for nothing but an answer?
    pub fn is_question(&self) -> bool {
        matches!(self, Self::Cost { .. } | Self::Memory | Self::Contrast { .. })
    }

    /// The id it names, if it names one.
    pub fn id(&self) -> Option<u64> {
        match *self {
            Self::Vmalloc { id, .. }
            | Self::Vmap { id, .. }
            | Self::MapRam { id, .. }
            | Self::UnmapRam { id }
            | Self::Ioremap { id, .. }
            | Self::Pcpu { id, .. }
            | Self::Cost { id }
            | Self::Free { target: Target::Id { id, .. }, .. } => Some(id),
            _ => None,
        }
    }

    /// What it is told besides its fields, if it can be.
    pub fn words(&self) -> Option<&Words> {
        match self {
            Self::Vmalloc { words, .. }
            | Self::Vmap { words, .. }
            | Self::MapRam { words, .. }
            | Self::Ioremap { words, .. }
            | Self::Pcpu { words, .. } => Some(words),
            _ => None,
        }
    }

    /// The id it gives to what it is given.
    pub fn names(&self) -> Option<u64> {
        match *self {
            Self::Vmalloc { id, .. }
            | Self::Vmap { id, .. }
            | Self::MapRam { id, .. }
            | Self::Ioremap { id, .. }
            | Self::Pcpu { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Who asks, if it says.
    pub fn caller(&self) -> Option<&str> {
        self.words()?.caller.as_deref()
    }

    /// The calling CPU.
    pub fn cpu(&self) -> u32 {
        match self {
            Self::Free { cpu, .. } | Self::Deferred { cpu } => *cpu,
            _ => self.words().map_or(0, |words| words.cpu),
        }
    }
}

/// Every word that begins a request.
pub(super) fn is_known(name: &[u8]) -> bool {
    const OTHERS: [&[u8]; 11] = [
        b"vmap",
        b"map_ram",
        b"unmap_ram",
        b"ioremap",
        b"pcpu",
        b"deferred",
        b"aliases",
        b"init",
        b"cost",
        b"memory",
        b"contrast",
    ];
    VMALLOCS.iter().any(|word| word.as_bytes() == name)
        || FreeCall::ALL.iter().any(|call| call.word().as_bytes() == name)
        || OTHERS.contains(&name)
}

/// One request.
pub(super) fn request(input: &[u8]) -> Res<'_, RequestOp> {
    let (rest, name) = word(input)?;
    if let Some(call) = VMALLOCS.iter().position(|word| word.as_bytes() == name) {
        return (field, field, words).map(|(id, size, words)| RequestOp::Vmalloc { call, id, size, words }).parse(rest);
    }
    if let Some(&call) = FreeCall::ALL.iter().find(|call| call.word().as_bytes() == name) {
        return free(call, rest);
    }
    match name {
        b"vmap" => (field, field, words).map(|(id, pages, words)| RequestOp::Vmap { id, pages, words }).parse(rest),
        b"map_ram" => {
            (field, field, words).map(|(id, pages, words)| RequestOp::MapRam { id, pages, words }).parse(rest)
        }
        b"unmap_ram" => field.map(|id| RequestOp::UnmapRam { id }).parse(rest),
        b"ioremap" => (field, field, field, words)
            .map(|(id, phys, size, words)| RequestOp::Ioremap { id, phys, size, words })
            .parse(rest),
        b"pcpu" => (field, groups, words).map(|(id, groups, words)| RequestOp::Pcpu { id, groups, words }).parse(rest),
        b"deferred" => opt(small).map(|cpu| RequestOp::Deferred { cpu: cpu.unwrap_or(0) }).parse(rest),
        b"aliases" => Ok((rest, RequestOp::Aliases)),
        b"init" => Ok((rest, RequestOp::Init)),
        b"cost" => field.map(|id| RequestOp::Cost { id }).parse(rest),
        b"memory" => Ok((rest, RequestOp::Memory)),
        b"contrast" => field.map(|size| RequestOp::Contrast { size }).parse(rest),
        _ => stop(input),
    }
}

fn free(call: FreeCall, input: &[u8]) -> Res<'_, RequestOp> {
    let (rest, target) = preceded(gap, target).parse(input)?;
    let (rest, irq) = opt(preceded(gap, lit(b"irq"))).parse(rest)?;
    let (rest, cpu) = opt(preceded((gap, lit(b"cpu=")), map_opt(number, |cpu| u32::try_from(cpu).ok()))).parse(rest)?;
    Ok((rest, RequestOp::Free { call, target, irq: irq.is_some(), cpu: cpu.unwrap_or(0) }))
}

fn target(input: &[u8]) -> Res<'_, Target> {
    if let Ok((rest, address)) = preceded(lit(b"@"), number).parse(input) {
        return Ok((rest, Target::Address(address)));
    }
    let (rest, id) = number(input)?;
    let (rest, offset) = opt(preceded(lit(b"+"), number)).parse(rest)?;
    Ok((rest, Target::Id { id, offset: offset.unwrap_or(0) }))
}

fn groups(input: &[u8]) -> Res<'_, Vec<(u64, u64)>> {
    let one = preceded(gap, separated_pair(number, lit(b":"), number));
    let (rest, groups) = many0(one).parse(input)?;
    if groups.is_empty() || MAX_GROUPS < groups.len() { stop(input) } else { Ok((rest, groups)) }
}

fn small(input: &[u8]) -> Res<'_, u32> {
    map_opt(field, |value| u32::try_from(value).ok()).parse(input)
}

#[cfg(test)]
mod tests {
    use super::super::{Op, parse};
    use super::*;

    fn requests(text: &str) -> Vec<RequestOp> {
        let script = parse(text.as_bytes());
        assert_eq!(script.problems, [], "{text}");
        let request = |op| if let Op::Request(request) = op { Some(*request) } else { None };
        script.ops.into_iter().filter_map(|line| request(line.op)).collect()
    }

    #[test]
    fn requests_with_and_without_words() {
        let plain = |call, id, size| RequestOp::Vmalloc { call, id, size, words: Words::default() };
        assert_eq!(requests("vmalloc 1 4096\nvmalloc_huge 2 0x200000"), [plain(0, 1, 4096), plain(5, 2, 0x20_0000)]);
        let words = Words {
            align: Some(64),
            window: Some((0x1000, 0x9000)),
            cpu: 2,
            node: Some(1),
            gfp: Some(Gfp::Dma32),
            flags: Some("VM_USERMAP|0x100".to_owned()),
            fail: Some(Fail::Pages(7)),
            caller: Some("load_module".to_owned()),
        };
        let text = "vmalloc 1 1 align=64 range=0x1000-0x9000 cpu=2 node=1 gfp=dma32 flags=VM_USERMAP|0x100 \
                    fail=pages:7 caller=load_module";
        assert_eq!(requests(text), [RequestOp::Vmalloc { call: 0, id: 1, size: 1, words }]);
        let groups = vec![(0, 0x1_0000), (0x10_0000, 0x1_0000)];
        let words = Words { align: Some(0x1_0000), ..Words::default() };
        let pcpu = RequestOp::Pcpu { id: 3, groups, words };
        assert_eq!(requests("pcpu 3 0:0x10000 0x100000:0x10000 align=0x10000"), [pcpu]);
    }

    #[test]
    fn frees_name_an_id_or_an_address() {
        let free = |call, target, irq, cpu| RequestOp::Free { call, target, irq, cpu };
        let id = |id, offset| Target::Id { id, offset };
        assert_eq!(
            requests("vfree 1\nvfree 1 irq cpu=3\nvfree_atomic 1+16\nvunmap @0xf8800010\niounmap 4\ndeferred 3"),
            [
                free(FreeCall::Vfree, id(1, 0), false, 0),
                free(FreeCall::Vfree, id(1, 0), true, 3),
                free(FreeCall::VfreeAtomic, id(1, 16), false, 0),
                free(FreeCall::Vunmap, Target::Address(0xf880_0010), false, 0),
                free(FreeCall::Iounmap, id(4, 0), false, 0),
                RequestOp::Deferred { cpu: 3 },
            ]
        );
    }

    #[test]
    fn what_makes_no_sense_is_a_problem_at_its_place() {
        for text in [
            "vmalloc 1",
            "vmalloc 1 4096 align=3",
            "vmalloc 1 4096 colour=red",
            "vmalloc 1 4096 fail=pages:",
            "vmalloc 1 4096 range=5-5",
            "vfree",
            "vfree 1 irq irq",
            "pcpu 1",
            "pcpu 1 0:1 0:1 0:1 0:1 0:1",
            "contrast",
        ] {
            let script = parse(text.as_bytes());
            assert_eq!((script.ops.len(), script.problems.len()), (0, 1), "{text}");
        }
    }
}
