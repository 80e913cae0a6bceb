//! Long sequences with the answers of ten kernels side by side: one model for each column, asked the same things.

#![expect(clippy::panic, reason = "a test says what broke, and after what")]

use std::collections::HashMap;
use std::fmt::Write;

use vmaplens::log::Window;
use vmaplens::model::{Allocator, AreaId, Areas, HelperOrder, NIL, PurgeKind, Request, TreeId};
use vmaplens::policy::{self, Release, Setup, rules_for};

const V: u64 = 0xffff_c900_0000_0000;
const M: u64 = 0xffff_ffff_c000_0000;
const WINDOW: Window = Window { vstart: V, vend: 0xffff_e8ff_ffff_ffff };
const MODULES: Window = Window { vstart: M + 0x1000, vend: 0xffff_ffff_ff00_0000 };

/// A column: a kernel, its allocator, and the addresses of its areas.
struct Column {
    name: &'static str,
    allocator: Box<dyn Allocator>,
    starts: HashMap<u64, u64>,
}

impl Column {
    fn new(name: &'static str) -> Self {
        let (release, possible) = name.split_once('/').unwrap_or((name, "4"));
        let setup = Setup {
            rules: Release::parse(release).and_then(rules_for).expect(name),
            cpus_online: 4,
            cpus_possible: possible.parse().expect(name),
            window: WINDOW,
            page_size: 4096,
            is_32_bit: false,
            early: Vec::new(),
            lazy_max_bytes: None,
        };
        Self { name, allocator: policy::build(&setup), starts: HashMap::new() }
    }

    /// Does what a line says; answers what the kernel would report of it.
    fn run(&mut self, op: &[&str]) -> String {
        match *op {
            ["a", id, cpu, size, align, ref window @ ..] => {
                let window = if window.is_empty() { WINDOW } else { MODULES };
                let (size, align, cpu) = (hex(size), hex(align), cpu.parse().expect("a cpu"));
                let request = Request { size, align, window, cpu, first_attempt: true };
                let answer = self.allocator.place(&request, None);
                let extent = self.allocator.settle(&request, answer, 0, None).expect("there is room");
                self.starts.insert(id.parse().expect("an id"), extent.start());
                offset(extent.start())
            }
            ["f", id] => {
                let start = self.starts[&id.parse().expect("an id")];
                self.allocator.free(start, None).expect("in use").nr_lazy.to_string()
            }
            ["purge"] => self.purge(PurgeKind::Partial),
            ["full"] => self.purge(PurgeKind::Full),
            _ => panic!("{op:?} is no operation"),
        }
    }

    fn purge(&mut self, kind: PurgeKind) -> String {
        self.allocator.purge(kind, HelperOrder::AtFlush, None).num_purged.to_string()
    }

    /// What a line about the end says, as the model has it.
    fn end(&self, what: &str) -> String {
        let mut words = Vec::new();
        match what {
            "free" => self.allocator.visit_holes(&mut |hole| {
                words.push(format!("{}-{}", offset(hole.start()), offset(hole.end())));
            }),
            "tree" => {
                let view = self.allocator.tree(TreeId::Free).expect("a free tree");
                words.push(shape(view.areas, view.tree.root));
            }
            "pools" => {
                let mut last = None;
                self.allocator.visit_pools(&mut |node, area| {
                    let pool = (node, area.len_bytes() / 4096 - 1);
                    if last == Some(pool) {
                        let word: &mut String = words.last_mut().expect("a pool");
                        let _ = write!(word, ",{}", offset(area.start));
                    } else {
                        words.push(format!("{}.{}={}", pool.0, pool.1, offset(area.start)));
                    }
                    last = Some(pool);
                });
            }
            "busy" => {
                let view = self.allocator.tree(TreeId::Busy(0)).expect("a busy tree");
                words.extend(view.ascending().map(|(_, area)| offset(area.start)));
            }
            _ => panic!("{what} is nothing to compare"),
        }
        words.join(" ")
    }
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("hexadecimal")
}

fn offset(addr: u64) -> String {
    match addr {
        u64::MAX => "MAX".to_owned(),
        M.. => format!("M+{:x}", addr - M),
        V.. => format!("{:x}", addr - V),
        _ => format!("{addr:x}"),
    }
}

fn shape(areas: &Areas, id: AreaId) -> String {
    if id == NIL {
        return String::new();
    }
    let [left, right] = areas[id].child.map(|child| shape(areas, child));
    format!("({left}{}{}{right})", offset(areas[id].start), if areas[id].is_black() { 'B' } else { 'R' })
}

#[test]
fn ten_kernels_answer_long_sequences() {
    let mut columns: Vec<Column> = Vec::new();
    let (mut answers, mut ends) = (0, 0);
    let lines = include_str!("data/long-vectors/tables.txt").lines().zip(1..);
    for (line, number) in lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
        let (op, expected) = line.split_once(" | ").unwrap_or((line, "-"));
        let words: Vec<&str> = op.split(' ').collect();
        match *words {
            ["sequence", _] => {}
            ["columns", ref names @ ..] => columns = names.iter().map(|name| Column::new(name)).collect(),
            [what @ ("free" | "tree" | "pools" | "busy"), name, ref expected @ ..] => {
                let column = columns.iter().find(|column| column.name == name).expect("a column");
                assert_eq!(column.end(what), expected.join(" "), "line {number}");
                ends += 1;
            }
            _ => {
                let expected: Vec<&str> = expected.split(' ').collect();
                for (at, column) in columns.iter_mut().enumerate() {
                    let expected = expected[if expected.len() == 1 { 0 } else { at }];
                    let answer = column.run(&words);
                    let sound = column.allocator.audit();
                    sound.unwrap_or_else(|broken| panic!("line {number}, {}: {broken}", column.name));
                    if expected != "-" {
                        assert_eq!(answer, expected, "line {number}, {}: {op}", column.name);
                        answers += 1;
                    }
                }
            }
        }
    }
    assert!(answers > 3000 && ends >= 58, "{answers} answers and {ends} lines about the end");
}
