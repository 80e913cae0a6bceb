//! Names of the addresses of code that occur in a recording, out of `/proc/kallsyms`: those and no others.

use std::collections::{BTreeMap, BTreeSet};

/// What marks are written by, by release: without it nobody can tell a mark from other text.
const MARKS: [&str; 3] = ["tracing_mark_write", "__tracing_mark_write", "write_marker_to_buffer"];

/// The functions of the running kernel, by address.
#[derive(Debug, Default)]
pub struct Kallsyms<'t> {
    functions: BTreeMap<u64, (&'t str, Option<&'t str>)>,
}

impl<'t> Kallsyms<'t> {
    /// Reads the file. Where addresses are hidden, nothing is known.
    pub fn read(text: &'t str) -> Self {
        let mut functions = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some(address), Some("t" | "T" | "w" | "W"), Some(name)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Ok(address @ 1..) = u64::from_str_radix(address, 16) else { continue };
            let module = words.next().map(|module| module.trim_matches(['[', ']']));
            // Of several names of one address the kernel shows the first one.
            functions.entry(address).or_insert((name, module));
        }
        Self { functions }
    }

    /// Are addresses shown?
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Where a function begins.
    pub fn address(&self, function: &str) -> Option<u64> {
        self.functions.iter().find(|(_, (name, _))| *name == function).map(|(address, _)| *address)
    }

    /// `ADDR NAME+OFF [mod]` of each address, and of where each function ends.
    pub fn of(&self, addresses: &BTreeSet<u64>) -> Vec<Symbol> {
        let mut wanted = BTreeMap::new();
        let marks = self.functions.iter().filter(|(_, (name, _))| MARKS.contains(name)).map(|(address, _)| *address);
        for address in addresses.iter().copied().chain(marks) {
            let Some((&start, &(name, module))) = self.functions.range(..=address).next_back() else { continue };
            let symbol = |address: u64, start: u64, name: &str, module: Option<&str>| Symbol {
                address,
                name: name.to_owned(),
                offset: address - start,
                module: module.map(str::to_owned),
            };
            wanted.insert(address, symbol(address, start, name, module));
            if let Some((&next, &(name, module))) = self.functions.range(start + 1..).next() {
                wanted.entry(next).or_insert_with(|| symbol(next, next, name, module));
            }
        }
        wanted.into_values().collect()
    }
}

/// A line of `symbols.txt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// The address.
    pub address: u64,
    /// The function it is in.
    pub name: String,
    /// Bytes from its start.
    pub offset: u64,
    /// The module it is in.
    pub module: Option<String>,
}

impl std::fmt::Display for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x} {}+{:#x}", self.address, self.name, self.offset)?;
        match &self.module {
            Some(module) => write!(f, " [{module}]"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_occurs_is_named() {
        let text = "ff00 T first\nff40 t second\nff40 t alias\nff80 d data\nff90 t third [mod]\nffa0 t fourth\n\
                    fff0 t tracing_mark_write\n";
        let kallsyms = Kallsyms::read(text);
        let lines: Vec<String> =
            kallsyms.of(&BTreeSet::from([0x10, 0xff44, 0xff90])).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "000000000000ff44 second+0x4",
                "000000000000ff90 third+0x0 [mod]",
                "000000000000ffa0 fourth+0x0",
                "000000000000fff0 tracing_mark_write+0x0"
            ]
        );
        assert!(Kallsyms::read("0000 T first\n").is_empty());
    }
}
