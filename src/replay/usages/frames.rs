//! What a kernel stack says of an allocation: what for, and who asked.
//!
//! The innermost frames are tracing code, then the allocator's own, outermost last; the outermost of these tells what
//! the area is for, the first frame behind them asked for it.

use crate::log::{FrameRef, StackId, Stacks, escape};
use crate::model::UsageKind;

/// What a stack tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Told {
    /// What the area is for; `None` if no frame says so.
    pub(super) kind: Option<UsageKind>,
    /// Who asked, escaped for display, as `/proc/vmallocinfo` would name it without offsets; empty if the stack ends
    /// inside the allocator.
    pub(super) caller: String,
}

/// How the name of a function is matched.
#[derive(Debug, Clone, Copy)]
enum Name {
    Is(&'static str),
    Begins(&'static str),
}

use Name::{Begins, Is};

/// Works for all of the allocator's callers and says nothing of them.
const INNER: &[Name] = &[
    Is("alloc_vmap_area"),
    Is("__alloc_vmap_area"),
    Is("va_alloc"),
    Is("node_alloc"),
    Is("__get_vm_area_node"),
    Is("get_vm_area_node"),
];

/// The functions of the allocator that others call, and what areas they are for.
const ENTRIES: &[(Name, UsageKind)] = &[
    (Is("vmalloc"), UsageKind::Vmalloc),
    (Is("vzalloc"), UsageKind::Vmalloc),
    (Is("vmalloc_node"), UsageKind::Vmalloc),
    (Is("vzalloc_node"), UsageKind::Vmalloc),
    (Is("vmalloc_32"), UsageKind::Vmalloc),
    (Is("vmalloc_user"), UsageKind::Vmalloc),
    (Is("vmalloc_32_user"), UsageKind::Vmalloc),
    (Is("vmalloc_exec"), UsageKind::Vmalloc),
    (Is("vmalloc_huge"), UsageKind::Vmalloc),
    (Is("vmalloc_huge_node"), UsageKind::Vmalloc),
    (Is("vmalloc_no_huge"), UsageKind::Vmalloc),
    (Is("vmalloc_array"), UsageKind::Vmalloc),
    (Is("vcalloc"), UsageKind::Vmalloc),
    (Is("__vmalloc_array"), UsageKind::Vmalloc),
    (Is("__vcalloc"), UsageKind::Vmalloc),
    (Is("__vmalloc"), UsageKind::Vmalloc),
    (Begins("__vmalloc_node"), UsageKind::Vmalloc),
    (Is(AREA_PAGES), UsageKind::PageArray),
    (Begins("vrealloc"), UsageKind::Vmalloc),
    (Begins("kvmalloc"), UsageKind::Vmalloc),
    (Begins("__kvmalloc"), UsageKind::Vmalloc),
    (Begins("kvrealloc"), UsageKind::Vmalloc),
    (Is("module_alloc"), UsageKind::Vmalloc),
    (Begins("execmem_"), UsageKind::Vmalloc),
    (Begins("__execmem_"), UsageKind::Vmalloc),
    (Is("vmap"), UsageKind::Vmap),
    (Is("dma_common_pages_remap"), UsageKind::Vmap),
    (Is("__dma_common_pages_remap"), UsageKind::Vmap),
    (Is("dma_common_contiguous_remap"), UsageKind::Vmap),
    (Is("vmap_pfn"), UsageKind::Ioremap),
    (Begins("ioremap"), UsageKind::Ioremap),
    (Begins("__ioremap"), UsageKind::Ioremap),
    (Begins("generic_ioremap"), UsageKind::Ioremap),
    (Begins("arch_ioremap"), UsageKind::Ioremap),
    (Begins("__arm_ioremap"), UsageKind::Ioremap),
    (Is("vm_map_ram"), UsageKind::VmMapRam),
    (Is("new_vmap_block"), UsageKind::VmapBlock),
    (Is("vb_alloc"), UsageKind::VmapBlock),
    (Is("get_vm_area"), UsageKind::Reserved),
    (Is("__get_vm_area"), UsageKind::Reserved),
    (Is("get_vm_area_caller"), UsageKind::Reserved),
    (Is("__get_vm_area_caller"), UsageKind::Reserved),
    (Is("alloc_vm_area"), UsageKind::Reserved),
];

/// Whoever calls this itself hands on the address it will return to, so that its own caller counts (`copy_process`, for
/// one, shows as `kernel_clone`).
const RANGE: &str = "__vmalloc_node_range";
/// Inside this an area is asked for only to hold the page pointers of another.
const AREA_PAGES: &str = "__vmalloc_area_node";
/// Frames of tracing code before the allocator's: more than trampolines and probe handlers have.
const MAX_TRACING: usize = 24;

/// Reads a stack.
pub(super) fn read(stacks: &Stacks, id: StackId) -> Told {
    let mut frames = stacks
        .frames(id)
        .enumerate()
        .skip_while(|(depth, frame)| *depth < MAX_TRACING && side_of(frame.symbol) == Side::Outside);
    let mut told = Told::default();
    let (mut is_ours, mut n_ranges, mut is_block, mut outermost_is_range) = (false, 0, false, false);
    for (_, frame) in frames.by_ref() {
        let side = side_of(frame.symbol);
        if side == Side::Outside {
            if is_ours {
                let handed_on = frames.next().filter(|_| outermost_is_range).map_or(frame, |(_, frame)| frame);
                told.caller = caller_of(handed_on);
            }
            break;
        }
        is_ours = true;
        let name = bare(frame.symbol);
        outermost_is_range = name == RANGE.as_bytes();
        n_ranges += u32::from(outermost_is_range) + 2 * u32::from(name == AREA_PAGES.as_bytes());
        if let Side::Entry(kind) = side {
            is_block |= kind == UsageKind::VmapBlock;
            told.kind = Some(kind);
        }
    }
    if n_ranges > 1 && told.kind == Some(UsageKind::Vmalloc) {
        told.kind = Some(UsageKind::PageArray);
    }
    if is_block {
        told.kind = Some(UsageKind::VmapBlock);
    }
    told
}

/// Where a function stands to the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Not its own.
    Outside,
    /// Its own, for areas of any kind.
    Inner,
    /// Its own, for areas of this kind.
    Entry(UsageKind),
}

fn side_of(symbol: &[u8]) -> Side {
    let symbol = bare(symbol);
    if INNER.iter().any(|name| name.fits(symbol)) {
        return Side::Inner;
    }
    ENTRIES.iter().find(|(name, _)| name.fits(symbol)).map_or(Side::Outside, |(_, kind)| Side::Entry(*kind))
}

impl Name {
    fn fits(self, symbol: &[u8]) -> bool {
        match self {
            Is(name) => symbol == name.as_bytes(),
            Begins(name) => symbol.starts_with(name.as_bytes()),
        }
    }
}

/// The name in the source: without what a compiler adds (`.part.0`, `.isra.0`, `.constprop.0`) and without the `_noprof`
/// of 6.10 and later. 64-bit PowerPC has a dot before its names.
fn bare(symbol: &[u8]) -> &[u8] {
    let symbol = symbol.strip_prefix(b".").unwrap_or(symbol);
    let end = symbol.iter().position(|&byte| byte == b'.').unwrap_or(symbol.len());
    let symbol = &symbol[..end];
    symbol.strip_suffix(b"_noprof").unwrap_or(symbol)
}

/// A frame as the caller of an area: without offset, so that all calls from one function are one caller.
fn caller_of(frame: FrameRef<'_>) -> String {
    caller_name(&escape(frame.symbol), Some(&escape(frame.module)).filter(|module| !module.is_empty()))
}

/// `symbol [module]`.
pub(super) fn caller_name(symbol: &str, module: Option<&String>) -> String {
    match module {
        Some(module) => format!("{symbol} [{module}]"),
        None => symbol.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use parsers::record::Frame;

    use super::*;
    use crate::event::Seq;

    fn told(symbols: &[&str]) -> (Option<UsageKind>, String) {
        let frame = |symbol: &&'static str| {
            let (symbol, module) = symbol.split_once(' ').map_or((*symbol, None), |(a, b)| (a, Some(b.as_bytes())));
            Frame { symbol: symbol.as_bytes(), offset: None, length: None, module, address: None }
        };
        // Leaked: the frames of a test are few.
        let symbols: Vec<&'static str> = symbols.iter().map(|symbol| &*symbol.to_string().leak()).collect();
        let frames: Vec<Frame<'_>> = symbols.iter().map(frame).collect();
        let mut stacks = Stacks::default();
        stacks.note(Seq(0), &frames);
        let Told { kind, caller } = read(&stacks, stacks.of(Seq(0)).expect("noted"));
        (kind, caller)
    }

    #[test]
    fn the_outermost_entry_says_what_for() {
        let cases: &[(&[&str], UsageKind, &str)] = &[
            (&["__vmalloc_node_range_noprof", "__vmalloc_node_noprof", "n_tty_open"], UsageKind::Vmalloc, "n_tty_open"),
            (&["__vmalloc_node_range", "copy_process.isra.0", "kernel_clone"], UsageKind::Vmalloc, "kernel_clone"),
            (&["__vmalloc_node_range_noprof", "execmem_alloc", "load_module"], UsageKind::Vmalloc, "load_module"),
            (&["__vmalloc_node_range", "vmalloc", "f mod"], UsageKind::Vmalloc, "f [mod]"),
            (&["get_vm_area_caller", "vmap", "work vmstress"], UsageKind::Vmap, "work [vmstress]"),
            (
                &["get_vm_area_caller", "__ioremap_caller", "0xffffffffc03be327"],
                UsageKind::Ioremap,
                "0xffffffffc03be327",
            ),
            (
                &["__get_vm_area_caller", "generic_ioremap_prot", "ioremap_prot", "devm_ioremap"],
                UsageKind::Ioremap,
                "devm_ioremap",
            ),
            (&["vm_map_ram", "xfs_buf_alloc"], UsageKind::VmMapRam, "xfs_buf_alloc"),
            (&["new_vmap_block.constprop.0", "vm_map_ram", "f"], UsageKind::VmapBlock, "f"),
            (&["get_vm_area", "bpf_arena"], UsageKind::Reserved, "bpf_arena"),
            (
                &[
                    "__vmalloc_node_range_noprof",
                    "__vmalloc_node_noprof",
                    "__vmalloc_node_range_noprof",
                    "__vmalloc_node_noprof",
                    "kernel_read_file",
                ],
                UsageKind::PageArray,
                "kernel_read_file",
            ),
            (
                &["__vmalloc_node", "__vmalloc_area_node", "__vmalloc_node_range", "vmalloc", "f"],
                UsageKind::PageArray,
                "f",
            ),
        ];
        let tracing: &[&[&str]] = &[
            &[],
            &["trace_event_raw_event_alloc_vmap_area", "alloc_vmap_area", "__get_vm_area_node"],
            &["kprobe_ftrace_handler", "[FTRACE TRAMPOLINE]", "alloc_vmap_area+0x5"],
            &[
                "kretprobe_dispatcher",
                "kretprobe_rethook_handler",
                "arch_rethook_trampoline",
                "__get_vm_area_node.part.0",
            ],
        ];
        for (frames, kind, caller) in cases {
            for tracing in tracing {
                let stack = [*tracing, frames, &["do_syscall_64"]].concat();
                assert_eq!(told(&stack), (Some(*kind), (*caller).to_owned()), "{stack:?}");
            }
        }
    }

    #[test]
    fn a_stack_that_says_nothing_is_believed_nothing() {
        let nobody = String::new();
        assert_eq!(told(&[]), (None, nobody.clone()));
        assert_eq!(told(&["do_syscall_64"]), (None, nobody.clone()));
        assert_eq!(told(&["alloc_vmap_area"]), (None, nobody.clone()));
        assert_eq!(told(&["alloc_vmap_area", "f"]), (None, "f".to_owned()));
        assert_eq!(told(&["__vmalloc_node_range"]), (Some(UsageKind::Vmalloc), nobody.clone()));
        assert_eq!(told(&["__vmalloc_node_range", "f"]), (Some(UsageKind::Vmalloc), "f".to_owned()));
        let far = vec!["t"; MAX_TRACING + 1];
        assert_eq!(told(&[&far[..], &["vmap", "f"]].concat()), (None, nobody));
        assert_eq!(told(&["vmap", "\u{1b}[2J\u{202e}x"]).1, "\\x1b[2J\\u{202e}x");
        assert_eq!(told(&["vmalloc_test", "f"]).0, None, "a name that only begins like one");
    }

    #[test]
    fn names_are_bare() {
        for (full, name) in [
            ("vmalloc_user_noprof", "vmalloc_user"),
            ("vfree.part.0", "vfree"),
            (".vmap", "vmap"),
            ("new_vmap_block.isra.0", "new_vmap_block"),
            ("", ""),
            (".", ""),
        ] {
            assert_eq!(bare(full.as_bytes()), name.as_bytes());
        }
    }
}
