//! [`Masks`]: other names for what tells of a machine or its users. The same name gets the same mask throughout a bundle.
//!
//! Tasks become `task-1`, workers of the kernel `kworker/1`; modules become `module_1`, their functions `function_1`. Pids,
//! sizes, times and addresses stay: they are what a replay needs.

use std::collections::BTreeMap;

use super::symbols::Symbol;

/// What is replaced, in words.
pub const SAID: &str = "names of tasks, of modules and of functions in modules are replaced, the command and the list of \
    modules are left out; pids, times, sizes, addresses, functions of the kernel itself and its release are kept";

/// Names given so far.
#[derive(Debug, Clone, Default)]
pub struct Masks {
    tasks: BTreeMap<Vec<u8>, usize>,
    modules: BTreeMap<String, usize>,
    functions: BTreeMap<String, usize>,
}

impl Masks {
    /// A task's other name.
    pub fn task(&mut self, name: &[u8]) -> Vec<u8> {
        // Nothing but the kernel's own names for tasks without one. That it was kthreadd or a worker says who asked.
        if name.starts_with(b"<") || name == b"kthreadd" {
            return name.to_vec();
        }
        let next = self.tasks.len() + 1;
        let number = *self.tasks.entry(name.to_vec()).or_insert(next);
        let kind = if name.starts_with(b"kworker") { "kworker/" } else { "task-" };
        format!("{kind}{number}").into_bytes()
    }

    fn module(&mut self, name: &str) -> String {
        let next = self.modules.len() + 1;
        format!("module_{}", self.modules.entry(name.to_owned()).or_insert(next))
    }

    fn function(&mut self, name: &str) -> String {
        let next = self.functions.len() + 1;
        format!("function_{}", self.functions.entry(name.to_owned()).or_insert(next))
    }

    /// A symbol, if it is in a module.
    pub fn symbol(&mut self, symbol: Symbol) -> Symbol {
        let Some(module) = &symbol.module else { return symbol };
        let name = self.function(&format!("{module}:{}", symbol.name));
        Symbol { module: Some(self.module(module)), name, ..symbol }
    }

    /// `/proc/vmallocinfo` with callers in modules replaced: `init+0x1f/0x90 [nvidia]`.
    pub fn vmallocinfo(&mut self, text: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(text);
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            match self.caller(line) {
                Some(masked) => out.push_str(&masked),
                None => out.push_str(line),
            }
        }
        out.into_bytes()
    }

    /// One line, if its caller is in a module.
    fn caller(&mut self, line: &str) -> Option<String> {
        let open = line.find(" [")?;
        let (before, rest) = line.split_at(open);
        let (module, behind) = rest[2..].split_once(']')?;
        let (head, place) = before.rsplit_once(' ')?;
        let (name, offset) = place.split_once('+').unwrap_or((place, ""));
        let plus = if offset.is_empty() { "" } else { "+" };
        let name = self.function(&format!("{module}:{name}"));
        Some(format!("{head} {name}{plus}{offset} [{}]{behind}", self.module(module)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_mask() {
        let mut masks = Masks::default();
        let mut task = |name: &[u8]| String::from_utf8(masks.task(name)).expect("text");
        assert_eq!([task(b"backup-prod"), task(b"sh"), task(b"backup-prod")], ["task-1", "task-2", "task-1"]);
        assert_eq!([task(b"kworker/0:1-xfs"), task(b"<idle>"), task(b"kthreadd")], ["kworker/3", "<idle>", "kthreadd"]);
        let rows = "0xffffb000-0xffffb500   20480 init+0x1f/0x90 [nvidia] pages=4 vmalloc N0=4\n\
                    0xffffb500-0xffffb900   16384 dup_task_struct+0x4d/0x9a0 pages=3 vmalloc N0=3\n\
                    0xffffb900-0xffffbd00   16384 init+0x5/0x90 [nvidia] pages=3 vmalloc\n0xffffc000 cut [";
        let masked = String::from_utf8(masks.vmallocinfo(rows.as_bytes())).expect("text");
        let wanted = rows.replace("init+", "function_1+").replace("nvidia", "module_1");
        assert_eq!(masked, wanted);
        let symbol = Symbol { address: 1, name: "init".into(), offset: 3, module: Some("nvidia".into()) };
        assert_eq!(masks.symbol(symbol).to_string(), "0000000000000001 function_1+0x3 [module_1]");
    }
}
