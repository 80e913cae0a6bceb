//! [`StackRow`], and [`FrameRow`] for the formats without lists.

use crate::export::table::{Column, Form, Row, Value, column};
use crate::log::{FrameRef, StackId, Stacks};
use crate::model::Provenance::Observed;

/// A stack of the log.
#[derive(Debug, Clone)]
pub struct StackRow<'a> {
    /// Its id, as events have it.
    pub id: u32,
    /// Its frames, innermost first.
    pub frames: Vec<FrameRef<'a>>,
}

impl<'a> StackRow<'a> {
    /// The stack of an id.
    pub fn of(stacks: &'a Stacks, id: u32) -> Self {
        Self { id, frames: stacks.frames(StackId(id)).collect() }
    }

    /// The addresses of its frames, where they are all that is known.
    pub fn addrs(&self) -> Vec<u64> {
        let number = |frame: &FrameRef<'_>| {
            let text = std::str::from_utf8(frame.symbol).ok()?;
            u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
        };
        self.frames.iter().filter_map(number).collect()
    }
}

impl StackRow<'_> {
    /// The columns where a format has lists.
    pub const COLUMNS: &'static [Column] = &[
        column("id", Form::U32, Observed, "as in stack_id of events"),
        column("frames", Form::Text, Observed, "a list: function+offset/length [module], innermost first"),
        column("addrs", Form::Addr, Observed, "a list: the frames that are an address and no function"),
    ];
}

/// One frame of a stack: a row of a table without lists.
#[derive(Debug, Clone, Copy)]
pub struct FrameRow<'a> {
    /// The stack.
    pub id: u32,
    /// Place in it, 0 innermost.
    pub depth: u32,
    /// The frame.
    pub frame: FrameRef<'a>,
}

impl Row for FrameRow<'_> {
    const TABLE: &'static str = "stacks";
    const SCHEMA: &'static str = "vmaplens.stacks/1";
    const COLUMNS: &'static [Column] = &[
        column("id", Form::U32, Observed, "as in stack_id of events"),
        column("depth", Form::U32, Observed, "place in the stack, 0 innermost"),
        column("frame", Form::Text, Observed, "function+offset/length [module], or an address"),
        column("symbol", Form::Text, Observed, "the function"),
        column("module", Form::Text, Observed, "its module").or_null(),
    ];

    fn values<'a>(&'a self, put: &mut dyn FnMut(Value<'a>)) {
        put(Value::Number(u64::from(self.id)));
        put(Value::Number(u64::from(self.depth)));
        put(Value::bytes(self.frame.text));
        put(Value::bytes(self.frame.symbol));
        put(if self.frame.module.is_empty() { Value::Null } else { Value::bytes(self.frame.module) });
    }
}
