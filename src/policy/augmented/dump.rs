//! The state as text, in the form of the op vectors, so that it can be compared byte for byte.

use std::fmt::{Result, Write};

use crate::model::{AreaId, NIL, Tree};

use super::super::rules::LazyStore;
use super::Augmented;

/// What a tree's lines carry besides depth, side and range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// `f`: with `subtree_max`.
    Free,
    /// `b` or `l`.
    Plain(char),
}

impl Augmented {
    pub(super) fn write_dump(&self, free_only: bool, out: &mut dyn Write) -> Result {
        if !free_only {
            writeln!(out, "S lazy={} pending={}", self.lazy_pages, u8::from(self.drain_pending))?;
        }
        writeln!(out, "F {}", self.free.len)?;
        self.write_tree(&self.free, Line::Free, out)?;
        if free_only {
            return Ok(());
        }
        // From 6.9 on, trees without areas are left out.
        let per_node = self.rules.lazy == LazyStore::PerNode;
        for (index, node) in self.nodes.iter().enumerate() {
            if node.busy.len > 0 || !per_node {
                writeln!(out, "B {index} {}", node.busy.len)?;
                self.write_tree(&node.busy, Line::Plain('b'), out)?;
            }
            if node.lazy.len > 0 || !per_node {
                writeln!(out, "L {index} {}", node.lazy.len)?;
                self.write_lazy(&node.lazy, out)?;
            }
            for (pages, pool) in node.pools.non_empty() {
                write!(out, "P {index} {} {}", pages - 1, pool.len)?;
                let mut id = pool.head;
                while id != NIL {
                    write!(out, " {:x}", self.areas[id].start)?;
                    id = self.areas[id].next;
                }
                writeln!(out)?;
            }
        }
        Ok(())
    }

    fn write_lazy(&self, lazy: &Tree, out: &mut dyn Write) -> Result {
        if self.rules.lazy != LazyStore::Stack {
            return self.write_tree(lazy, Line::Plain('l'), out);
        }
        let mut id = lazy.first;
        while id != NIL {
            let area = &self.areas[id];
            writeln!(out, "l {:x} {:x}", area.start, area.end)?;
            id = area.next;
        }
        Ok(())
    }

    /// Pre-order, with an explicit stack: node, left subtree, right subtree.
    fn write_tree(&self, tree: &Tree, line: Line, out: &mut dyn Write) -> Result {
        let mut stack: Vec<(AreaId, u32, char)> = vec![(tree.root, 0, '-')];
        while let Some((id, depth, side)) = stack.pop() {
            if id == NIL {
                continue;
            }
            let area = &self.areas[id];
            let colour = if area.is_black() { 'B' } else { 'R' };
            match line {
                Line::Free => {
                    writeln!(out, "f {depth} {side} {:x} {:x} {:x} {colour}", area.start, area.end, area.subtree_max)?;
                }
                Line::Plain(letter) => {
                    writeln!(out, "{letter} {depth} {side} {:x} {:x} {colour}", area.start, area.end)?;
                }
            }
            let [left, right] = area.child;
            stack.push((right, depth + 1, 'R'));
            stack.push((left, depth + 1, 'L'));
        }
        Ok(())
    }
}
