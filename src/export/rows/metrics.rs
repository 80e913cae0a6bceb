//! [`MetricsRow`]: what the state amounts to after a record.

use crate::event::Nanos;
use crate::export::table::{Column, Form, Row, Value, column};
use crate::export::walk::{Counted, Walk};
use crate::model::Gauges;
use crate::model::Provenance::{Derived, Modelled, Observed};

/// The state after a record.
#[derive(Debug, Clone, Copy)]
pub struct MetricsRow {
    seq: u64,
    ts_ns: Option<i64>,
    gauges: Gauges,
    n_lazy: u64,
    span_bytes: u64,
    counted: Counted,
    tables: u64,
    engine: &'static str,
}

const COLUMNS: &[Column] = &[
    column("seq", Form::U64, Observed, "the record it is the state after"),
    column("ts_ns", Form::I64, Observed, "its stamp").or_null(),
    column("busy_areas", Form::U32, Modelled, "areas in use"),
    column("busy_bytes", Form::U64, Modelled, "their bytes, guard pages included"),
    column("lazy_areas", Form::U32, Modelled, "areas freed and not purged"),
    column("lazy_pages", Form::U64, Modelled, "their pages, as the allocator counts them"),
    column("free_bytes", Form::U64, Modelled, "bytes of the holes inside the vmalloc range"),
    column("largest_free", Form::U64, Modelled, "bytes of the largest of them"),
    column("holes", Form::U32, Modelled, "how many there are"),
    column("ext_frag", Form::F64, Modelled, "1 - largest_free / free_bytes"),
    column("span_bytes", Form::U64, Modelled, "from VMALLOC_START to the end of the highest area below the middle"),
    column("fails", Form::U32, Derived, "failed attempts so far"),
    column("purges", Form::U32, Derived, "purges so far"),
    column("allocs", Form::U32, Derived, "allocations so far"),
    column("frees", Form::U32, Derived, "frees so far"),
    column("engine", Form::Text, Modelled, "the policy that made the row"),
    column("pooled_bytes", Form::U64, Modelled, "bytes in pools (6.9 and later)"),
    column("page_table_pages", Form::U64, Modelled, "page tables that areas have needed so far"),
];

impl MetricsRow {
    /// The state where a walk is.
    pub fn of(walk: &Walk<'_>, seq: u64, at: Nanos) -> Self {
        Self {
            seq,
            ts_ns: walk.time(at).and_then(|at| i64::try_from(at.0).ok()),
            gauges: walk.gauges(),
            n_lazy: walk.n_lazy() as u64,
            span_bytes: walk.span_bytes(),
            counted: walk.counted,
            tables: walk.space().n_tables(),
            engine: walk.plan().machine.policy.entry.id,
        }
    }
}

impl Row for MetricsRow {
    const TABLE: &'static str = "metrics";
    const SCHEMA: &'static str = "vmaplens.metrics/1";
    const COLUMNS: &'static [Column] = COLUMNS;

    fn values<'a>(&'a self, put: &mut dyn FnMut(Value<'a>)) {
        let gauges = &self.gauges;
        put(Value::Number(self.seq));
        put(Value::signed(self.ts_ns));
        put(Value::Number(gauges.busy_areas));
        put(Value::Number(gauges.busy_bytes));
        put(Value::Number(self.n_lazy));
        put(Value::Number(gauges.lazy_pages));
        put(Value::Number(gauges.free_bytes));
        put(Value::Number(gauges.largest_hole));
        put(Value::Number(gauges.holes));
        put(Value::Real(gauges.fragmentation() as f64 / crate::model::ALL_FRAGMENTED as f64));
        put(Value::Number(self.span_bytes));
        put(Value::Number(self.counted.fails));
        put(Value::Number(self.counted.purges));
        put(Value::Number(self.counted.allocs));
        put(Value::Number(self.counted.frees));
        put(Value::word(self.engine));
        put(Value::Number(gauges.pooled_bytes));
        put(Value::Number(self.tables));
    }
}
