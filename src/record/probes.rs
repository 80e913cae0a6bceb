//! Probes: what takes the place of the allocator's events before Linux 6.2, and what shows the parts of a purge (6.9 on).

use std::collections::BTreeMap;
use std::fmt;

/// How arguments are found at the entry of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arch {
    /// As `uname -m` says.
    pub name: &'static str,
    arguments: [&'static str; 4],
    /// Bytes of a `long`.
    pub long_bytes: u8,
}

/// Registers by architecture. What is not here has the events or cannot be recorded: riscv64 accepts such probes and
/// refuses to set them.
const ARCHES: [Arch; 7] = [
    Arch { name: "x86_64", arguments: ["%di", "%si", "%dx", "%cx"], long_bytes: 8 },
    Arch { name: "aarch64", arguments: ["%x0", "%x1", "%x2", "%x3"], long_bytes: 8 },
    // The fourth argument of 32-bit x86 is the first on the stack, above the return address.
    Arch { name: "i686", arguments: ["%ax", "%dx", "%cx", "+4($stack)"], long_bytes: 4 },
    Arch { name: "arm", arguments: ["%r0", "%r1", "%r2", "%r3"], long_bytes: 4 },
    Arch { name: "s390x", arguments: ["%r2", "%r3", "%r4", "%r5"], long_bytes: 8 },
    Arch { name: "ppc64le", arguments: ["%gpr3", "%gpr4", "%gpr5", "%gpr6"], long_bytes: 8 },
    Arch { name: "ppc64", arguments: ["%gpr3", "%gpr4", "%gpr5", "%gpr6"], long_bytes: 8 },
];

impl Arch {
    /// The one with this machine name, by whichever of its names.
    pub fn named(machine: &str) -> Option<Self> {
        let name = match machine {
            "i386" | "i486" | "i586" => "i686",
            name if name.starts_with("armv") => "arm",
            name => name,
        };
        ARCHES.into_iter().find(|arch| arch.name == name)
    }
}

/// The functions of the running kernel that probes could sit on, and others whose names begin like theirs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbols {
    /// How often each name is there as a function.
    functions: BTreeMap<String, u32>,
}

/// The functions that matter.
const WANTED: [&str; 5] =
    ["alloc_vmap_area", "free_vmap_area_noflush", "__purge_vmap_area_lazy", "decay_va_pool_node", "purge_vmap_node"];

impl Symbols {
    /// Takes them out of `/proc/kallsyms`; names are there even where addresses are hidden.
    pub fn read(kallsyms: &[u8]) -> Self {
        let mut functions = BTreeMap::new();
        for line in kallsyms.split(|byte| *byte == b'\n') {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let mut words = line.split_ascii_whitespace().skip(1);
            let (Some("t" | "T"), Some(name)) = (words.next(), words.next()) else { continue };
            let base = name.split('.').next().unwrap_or(name);
            if WANTED.contains(&base) {
                *functions.entry(name.to_owned()).or_default() += 1;
            }
        }
        Self { functions }
    }

    /// Can a probe sit on this function, and are its arguments where the architecture has them?
    fn usable(&self, name: &str) -> Result<(), Unusable> {
        match self.functions.get(name) {
            Some(1) => Ok(()),
            Some(_) => Err(Unusable { function: name.to_owned(), instead: None, is_twice: true }),
            None => {
                let changed = |known: &&String| known.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
                let instead = self.functions.keys().find(changed).cloned();
                Err(Unusable { function: name.to_owned(), instead, is_twice: false })
            }
        }
    }
}

/// Why a function cannot be probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    function: String,
    instead: Option<String>,
    is_twice: bool,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, instead, is_twice } = self;
        match instead {
            _ if *is_twice => write!(f, "this kernel has several functions called {function}"),
            Some(other) => write!(
                f,
                "this kernel was built with {other} in place of {function}: its arguments may stand elsewhere"
            ),
            None => write!(f, "this kernel has no function {function} that a probe could sit on"),
        }
    }
}

/// A probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its event.
    pub event: &'static str,
    /// What it sits on.
    pub function: &'static str,
    /// At the function's end.
    pub is_return: bool,
    /// What is written to `kprobe_events`.
    pub line: String,
}

/// Calls of a return probe that can be open at once; the default misses some on few CPUs.
const OPEN_CALLS: u32 = 64;

/// The probes that tell allocations, frees and purges, and what is left out, if anything.
///
/// # Errors
/// Allocations or frees cannot be probed.
pub fn instead_of_events(
    arch: Arch,
    group: &str,
    symbols: &Symbols,
) -> Result<(Vec<Definition>, Vec<Unusable>), Unusable> {
    let [first, second, third, fourth] = arch.arguments;
    let bits = u32::from(arch.long_bytes) * 8;
    let w = arch.long_bytes;
    let mut all = Vec::new();
    let mut left_out = Vec::new();
    let entry = |event: &'static str, function: &'static str, args: String| Definition {
        event,
        function,
        is_return: false,
        line: format!("p:{group}/{event} {function} {args}"),
    };
    let back = |event: &'static str, function: &'static str, args: String| Definition {
        event,
        function,
        is_return: true,
        line: format!("r{OPEN_CALLS}:{group}/{event} {function} {args}"),
    };
    let alloc = "alloc_vmap_area";
    symbols.usable(alloc)?;
    let args = format!("size={first}:u{bits} align={second}:u{bits} vstart={third}:x{bits} vend={fourth}:x{bits}");
    all.push(entry("vm_alloc", alloc, args));
    let bounds = |of: &str| format!("va_start=+0({of}):x{bits} va_end=+{w}({of}):x{bits}");
    all.push(back("vm_alloc_ret", alloc, format!("ret=$retval:x{bits} {}", bounds("$retval"))));
    let free = "free_vmap_area_noflush";
    symbols.usable(free)?;
    all.push(entry("vm_free", free, bounds(first)));
    let purge = "__purge_vmap_area_lazy";
    match symbols.usable(purge) {
        Ok(()) => {
            all.push(entry("vm_purge", purge, format!("start={first}:x{bits} end={second}:x{bits}")));
            all.push(back("vm_purge_ret", purge, "ret=$retval:u8".to_owned()));
        }
        Err(unusable) => left_out.push(unusable),
    }
    Ok((all, left_out))
}

/// The functions of a purge that can be probed beside the events.
pub const OF_PURGES: [&str; 2] = ["decay_va_pool_node", "purge_vmap_node"];

/// Probes that show when a purge reaches each node: they decide what the order of the records leaves open.
/// Of them only those on functions that are named, if any is, and the one on what is taken off.
pub fn of_purges(arch: Arch, group: &str, symbols: &Symbols, named: &[String]) -> (Vec<Definition>, Vec<Unusable>) {
    let [first, second, ..] = arch.arguments;
    let bits = u32::from(arch.long_bytes) * 8;
    let wanted = [
        ("vm_decay", OF_PURGES[0], format!("node={first}:x{bits} full={second}:u8")),
        ("vm_return", OF_PURGES[1], format!("work={first}:x{bits}")),
    ];
    let (mut all, mut left_out) = (Vec::new(), Vec::new());
    // What comes back cannot be told without what was taken off: the first of them is always there.
    let is_named =
        |function: &str| named.is_empty() || function == OF_PURGES[0] || named.iter().any(|name| name == function);
    for (event, function, args) in wanted.into_iter().filter(|(_, function, _)| is_named(function)) {
        match symbols.usable(function) {
            Ok(()) => all.push(Definition {
                event,
                function,
                is_return: false,
                line: format!("p:{group}/{event} {function} {args}"),
            }),
            Err(unusable) => left_out.push(unusable),
        }
    }
    (all, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = b"0000000000000000 t alloc_vmap_area\n0000000000000000 t free_vmap_area_noflush\n\
        0000000000000000 t __purge_vmap_area_lazy\n0000000000000000 d alloc_vmap_area\n0000000000000000 T vmalloc\n";

    #[test]
    fn arguments_stand_where_the_architecture_has_them() {
        let symbols = Symbols::read(PLAIN);
        let lines = |machine: &str| -> Vec<String> {
            let arch = Arch::named(machine).expect("known");
            let (all, left_out) = instead_of_events(arch, "g", &symbols).expect("usable");
            assert_eq!(left_out, []);
            all.into_iter().map(|definition| definition.line).collect()
        };
        assert_eq!(
            lines("x86_64"),
            [
                "p:g/vm_alloc alloc_vmap_area size=%di:u64 align=%si:u64 vstart=%dx:x64 vend=%cx:x64",
                "r64:g/vm_alloc_ret alloc_vmap_area ret=$retval:x64 va_start=+0($retval):x64 va_end=+8($retval):x64",
                "p:g/vm_free free_vmap_area_noflush va_start=+0(%di):x64 va_end=+8(%di):x64",
                "p:g/vm_purge __purge_vmap_area_lazy start=%di:x64 end=%si:x64",
                "r64:g/vm_purge_ret __purge_vmap_area_lazy ret=$retval:u8",
            ]
        );
        let i386 = lines("i686");
        assert_eq!(
            i386[0],
            "p:g/vm_alloc alloc_vmap_area size=%ax:u32 align=%dx:u32 vstart=%cx:x32 vend=+4($stack):x32"
        );
        assert_eq!(i386[2], "p:g/vm_free free_vmap_area_noflush va_start=+0(%ax):x32 va_end=+4(%ax):x32");
        assert!(lines("armv7l")[0].contains("%r3:x32"));
        assert_eq!(Arch::named("riscv64"), None);
    }

    #[test]
    fn changed_functions_are_not_trusted() {
        let read = |text: &str| Symbols::read(text.as_bytes());
        let x86 = Arch::named("x86_64").expect("known");
        let refused = |text: &str| instead_of_events(x86, "g", &read(text)).expect_err("unusable").to_string();
        assert!(refused("").contains("has no function alloc_vmap_area"));
        assert!(refused("0 t alloc_vmap_area.constprop.0").contains("alloc_vmap_area.constprop.0 in place of"));
        assert!(refused("0 t alloc_vmap_area\n0 t alloc_vmap_area").contains("several functions"));
        // Purges can do without.
        let some = "0 t alloc_vmap_area\n0 t free_vmap_area_noflush\n";
        let (all, left_out) = instead_of_events(x86, "g", &read(some)).expect("usable");
        assert_eq!((all.len(), left_out.len()), (3, 1));
        let (all, left_out) = of_purges(x86, "g", &read("0 t decay_va_pool_node\n0 t purge_vmap_node.isra.0"), &[]);
        assert_eq!(
            (all[0].line.as_str(), left_out.len()),
            ("p:g/vm_decay decay_va_pool_node node=%di:x64 full=%si:u8", 1)
        );
        let both = read("0 t decay_va_pool_node\n0 t purge_vmap_node");
        let all_events = &["vm_decay", "vm_return"][..];
        for (named, events) in [(&[][..], all_events), (&OF_PURGES[1..], all_events), (&OF_PURGES[..1], &["vm_decay"])]
        {
            let named: Vec<String> = named.iter().map(|&name: &&str| name.to_owned()).collect();
            let (all, left_out) = of_purges(x86, "g", &both, &named);
            assert_eq!((all.iter().map(|probe| probe.event).collect::<Vec<_>>(), left_out), (events.to_vec(), vec![]));
        }
    }
}
