//! The state as text, in the form of the op vectors, so that it can be compared byte for byte.

use std::fmt::{Result, Write};

use crate::model::{NIL, Tree};

use super::super::dump::{Line, write_tree};
use super::super::rules::LazyStore;
use super::Augmented;

impl Augmented {
    pub(super) fn write_dump(&self, free_only: bool, out: &mut dyn Write) -> Result {
        if !free_only {
            writeln!(out, "S lazy={} pending={}", self.lazy_pages, u8::from(self.drain_pending))?;
        }
        writeln!(out, "F {}", self.free.len)?;
        write_tree(&self.areas, &self.free, Line::Free, out)?;
        if free_only {
            return Ok(());
        }
        // From 6.9 on, trees without areas are left out.
        let per_node = self.rules.lazy == LazyStore::PerNode;
        for (index, node) in self.nodes.iter().enumerate() {
            if node.busy.len > 0 || !per_node {
                writeln!(out, "B {index} {}", node.busy.len)?;
                write_tree(&self.areas, &node.busy, Line::Plain('b'), out)?;
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
            return write_tree(&self.areas, lazy, Line::Plain('l'), out);
        }
        let mut id = lazy.first;
        while id != NIL {
            let area = &self.areas[id];
            writeln!(out, "l {:x} {:x}", area.start, area.end)?;
            id = area.next;
        }
        Ok(())
    }
}
