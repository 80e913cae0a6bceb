//! Lines of the tracer `function_graph` that are more than one line.

use super::{Reader, Trace};
use crate::ProblemKind;
use crate::ftrace::graph::{self, Graph};
use crate::lex::{Line, offset_in};
use crate::record::Record;
use crate::stream::Form;
use crate::walk::MAX_MARKER;

impl<'a> Reader<'a> {
    /// A line of the tracer `function_graph`.
    pub(super) fn graph(&mut self, line: Line<'a>, graph: Graph<'a>) -> Option<Record<'a>> {
        let (mut prefix, text) = match graph {
            Graph::Comment { prefix, text } => (prefix, graph::closed(self.comment_text(text))),
            Graph::Switch { cpu, pid } => {
                self.state.running.switch(cpu, pid);
                return None;
            }
            Graph::Call => return None,
        };
        prefix.pid = self.state.running.of(&prefix);
        match graph::body(text) {
            Ok(body) => Some(self.record(line, Some(prefix), body)),
            Err(broken) => {
                let kind = if line.ended { ProblemKind::BrokenEvent(broken.event) } else { ProblemKind::CutOff };
                self.problem(line, broken.rest, kind);
                None
            }
        }
    }

    /// A comment with the lines that follow it, up to the one that ends it.
    fn comment_text(&mut self, text: &'a [u8]) -> &'a [u8] {
        let start = offset_in(self.input, text);
        let mut end = start + text.len();
        let mut ahead = self.lines.clone();
        let mut is_open = !text.ends_with(b"*/");
        while is_open {
            let Some(more) = ahead.next().filter(|more| !Trace::starts_item(more.bytes)) else { break };
            end = more.start + more.bytes.trim_ascii_end().len();
            if MAX_MARKER < end.saturating_sub(start) {
                break;
            }
            is_open = !more.bytes.trim_ascii_end().ends_with(b"*/");
            self.lines = ahead.clone();
        }
        self.input.get(start..end).unwrap_or(text)
    }

    /// The task that a CPU runs from here on, if the names between two rules hold line ends.
    pub(super) fn broken_switch(&mut self) {
        let mut ahead = self.lines.clone();
        let Some(start) = ahead.clone().next().map(|line| line.start) else { return };
        while let Some(line) = ahead.next() {
            if graph::is_rule(line.bytes) {
                let text = self.input.get(start..line.start).unwrap_or_default();
                if let Some(Graph::Switch { cpu, pid }) = graph::line(text) {
                    self.state.running.switch(cpu, pid);
                    self.lines = ahead;
                }
                return;
            }
            if Trace::starts_item(line.bytes) || graph::MAX_SWITCH < line.start - start {
                return;
            }
        }
    }
}
