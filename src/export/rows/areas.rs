//! [`AreaRow`]: the life of one area.

use crate::event::{Nanos, Seq};
use crate::export::table::{Column, Form, Row, Value, column};
use crate::export::walk::{Area, Walk};
use crate::model::Provenance::{Derived, Modelled, Observed};

/// An area whose life is known as far as it will be.
#[derive(Debug, Clone, Copy)]
pub struct AreaRow<'a> {
    area: Area,
    caller: Option<&'a str>,
    caller_from: Option<&'static str>,
    usage: Option<(&'static str, &'static str)>,
}

const COLUMNS: &[Column] = &[
    column("addr", Form::Addr, Observed, "first address; see addr_from"),
    column("size", Form::U64, Observed, "bytes, guard page included"),
    column("caller", Form::Text, Observed, "who asked; see caller_from").or_null(),
    column("from_ns", Form::I64, Observed, "when it was allocated; unknown: before the trace").or_null(),
    column("lazy_ns", Form::I64, Observed, "when it was freed").or_null(),
    column("to_ns", Form::I64, Derived, "when a purge made its place usable again").or_null(),
    column("alloc_seq", Form::U64, Observed, "the record that allocated it").or_null(),
    column("free_seq", Form::U64, Observed, "the record that freed it").or_null(),
    column("addr_from", Form::Text, Derived, "observed, or modelled where the address is not the recorded one"),
    column("caller_from", Form::Text, Derived, "how the caller is known: observed or derived").or_null(),
    column("usage", Form::Text, Derived, "what it is for: vmalloc, vmap, ioremap, per-CPU, …; see usage_from")
        .or_null(),
    column("usage_from", Form::Text, Derived, "how that is known: observed, derived or modelled").or_null(),
    column("from_records", Form::U64, Modelled, "records before it was there; 0: before the trace"),
    column("to_records", Form::U64, Modelled, "records before its place was usable again").or_null(),
];

impl<'a> AreaRow<'a> {
    /// What a walk knows of an area.
    pub fn of(walk: &Walk<'a>, area: &Area) -> Self {
        let usages = walk.replay().usages();
        let usage = walk.usage(area);
        let caller = usage.and_then(|usage| usages.caller_name(usage.caller));
        Self {
            area: *area,
            caller,
            caller_from: caller.and(usage).map(|usage| usage.caller_from.word()),
            usage: usage.map(|usage| (usage.kind.word(), usage.kind_from.word())),
        }
    }
}

fn nanos(at: Option<Nanos>) -> Option<i64> {
    at.and_then(|at| i64::try_from(at.0).ok())
}

fn seq(seq: Option<Seq>) -> Option<u32> {
    seq.map(|seq| seq.0)
}

impl Row for AreaRow<'_> {
    const TABLE: &'static str = "areas";
    const SCHEMA: &'static str = "vmaplens.areas/1";
    const COLUMNS: &'static [Column] = COLUMNS;

    fn values<'a>(&'a self, put: &mut dyn FnMut(Value<'a>)) {
        let area = &self.area;
        put(Value::Addr(area.extent.start()));
        put(Value::Number(area.len_bytes()));
        put(Value::text(self.caller));
        put(Value::signed(nanos(area.from)));
        put(Value::signed(nanos(area.lazy)));
        put(Value::signed(nanos(area.to)));
        put(Value::number(seq(area.alloc)));
        put(Value::number(seq(area.free)));
        put(Value::word(area.addr_from.word()));
        put(Value::text(self.caller_from));
        put(Value::text(self.usage.map(|usage| usage.0)));
        put(Value::text(self.usage.map(|usage| usage.1)));
        put(Value::Number(u64::from(area.places.from)));
        put(Value::number(area.places.to));
    }
}
