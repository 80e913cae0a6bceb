//! [`Key`]: whose growth is asked for.

use crate::insight::snapshot::Group;
use crate::log::escape;

/// What rows are put together by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum By {
    /// The function that asked, with its module and the kind of area.
    #[default]
    Caller,
    /// The module of that function; all of the kernel itself together.
    Module,
    /// The kind of area.
    Kind,
}

/// Who has areas: a caller with its module and kind, a module, or a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The function without offset and without what the compiler added; `None` where rows name none, and in groups of
    /// several.
    pub caller: Option<String>,
    /// Its module; `None` for the kernel itself.
    pub module: Option<String>,
    /// One of [`crate::log::BaselineArea::kind`]; empty in groups by module.
    pub kind: &'static str,
}

/// What a caller is called whose module is gone: the kernel prints an address then, another one after each boot.
pub(super) const NAMELESS: &str = "(no symbol)";

impl Key {
    /// The key of the group it belongs to.
    pub(super) fn by(&self, by: By) -> Self {
        match by {
            By::Caller => self.clone(),
            By::Module => Self { caller: None, module: self.module.clone(), kind: "" },
            By::Kind => Self { caller: None, module: None, kind: self.kind },
        }
    }

    /// As people read it: `move_module [nf_tables]`, `memremap (ioremap)`, `[nf_tables]`, `(unpurged)`. `vmalloc` is what nearly
    /// every caller asks for, and goes without saying. Escaped for display.
    pub fn name(&self) -> String {
        let module = self.module.as_ref().map(|module| format!("[{}]", escape(module.as_bytes())));
        let caller = self.caller.as_ref().map(|caller| escape(caller.as_bytes()));
        let is_told = !self.kind.is_empty() && (self.kind != "vmalloc" || self.caller.is_none());
        let kind = is_told.then(|| format!("({})", self.kind));
        let parts: Vec<String> = [caller, module, kind].into_iter().flatten().collect();
        if parts.is_empty() { "(the kernel itself)".to_owned() } else { parts.join(" ") }
    }
}

/// Caller, module and kind as they are compared between builds.
pub(super) fn normal<'a>(group: &Group<'a>) -> (Option<&'a str>, Option<&'a str>, &'static str) {
    (group.caller.map(function), group.module, group.kind)
}

/// A function's name without what compilers add when they make a copy of it: `.isra.0`, `.constprop.0`, `.part.0`,
/// `.cold`, `.llvm.123`. No function of the kernel has a dot in its name; an address is no name.
fn function(caller: &str) -> &str {
    if caller.starts_with("0x") {
        return NAMELESS;
    }
    match caller.find('.') {
        Some(at @ 1..) => &caller[..at],
        _ => caller,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_functions() {
        for (printed, name) in [
            ("n_tty_open", "n_tty_open"),
            ("__vmalloc_node_range.isra.0", "__vmalloc_node_range"),
            ("_vm_unmap_aliases.part.0.cold", "_vm_unmap_aliases"),
            ("x.llvm.1234567", "x"),
            ("0xffffffffc0123456", NAMELESS),
            (".hidden", ".hidden"),
        ] {
            assert_eq!(function(printed), name);
        }
    }

    #[test]
    fn keys_read_well() {
        let key = |caller: Option<&str>, module: Option<&str>, kind| {
            Key { caller: caller.map(Into::into), module: module.map(Into::into), kind }.name()
        };
        assert_eq!(key(Some("move_module"), Some("nf_tables"), "vmalloc"), "move_module [nf_tables]");
        assert_eq!(key(Some("memremap"), None, "ioremap"), "memremap (ioremap)");
        assert_eq!(key(None, None, "vmalloc"), "(vmalloc)");
        assert_eq!(key(None, None, "unpurged"), "(unpurged)");
        assert_eq!(key(None, Some("zfs"), ""), "[zfs]");
        assert_eq!(key(None, None, ""), "(the kernel itself)");
    }
}
