//! Output of bpftrace, in the one convention that mirrors the tracepoints.
//!
//! ```text
//! tracepoint:vmalloc:alloc_vmap_area { printf("%llu %d %d %s alloc_vmap_area addr=0x%lx size=%lu align=%lu vstart=0x%lx vend=0x%lx failed=%d\n", nsecs, cpu, tid, comm, …); }
//! 27802733967 0 151 bpftrace alloc_vmap_area addr=0xff592bf540095000 size=8192 align=1 vstart=0xff592bf540000000 vend=0xff8b2bf53fffffff failed=0
//! ```
//!
//! A line is read from the event's name, the last that is one of ours: its fields follow by name, before it stand
//! nanoseconds, CPU, thread and the task's name, which may hold anything. CPU, thread and name may be left out, in this order
//! from the end. A stack (`kstack`, also `kstack(perf)`) that the program prints behind an event is the event's. With
//! `-f json` the same text stands in the objects of type `printf`. Everything else bpftrace prints (maps, counts of probes,
//! histograms) is passed over; `Lost N events` becomes a loss.
//!
//! bpftrace collects per CPU, so lines of different CPUs are not in order. Events wait until [`REORDERED`] later ones have
//! been read and then leave in the order of their nanoseconds, those with equal ones as they were printed. One that comes
//! later than that keeps its place and is a problem ([`ProblemKind::TooLate`]).

mod json;
mod line;
mod order;

use crate::ftrace::Header;
use crate::lex::{Line, Lines};
use crate::record::Record;
use crate::stream::{Form, Window};
use crate::walk::{Damage, Held, Walk};
use crate::{Problem, ProblemKind};

pub use order::REORDERED;

use line::Text;
use order::{Item, Order, What};

/// The form of bpftrace's output.
#[derive(Debug, Clone, Default)]
pub struct Bpftrace {
    /// The event whose stack may follow.
    open: Option<Item>,
    /// Frames of an event that could not be read follow.
    passing: bool,
    held: Held,
    order: Order,
    /// A text that was taken out of JSON.
    text: Vec<u8>,
    damage: Damage,
}

/// Whether a line is one that only bpftrace prints.
pub(crate) fn accepts(line: &[u8]) -> bool {
    matches!(line::classify(line), Text::Event(_)) || line::is_banner(line) || json::object(line).is_some()
}

impl Bpftrace {
    fn line(&mut self, walk: &Walk<'_>, line: Line<'_>, visit: &mut impl FnMut(&Record<'_>)) {
        let place = (line.number, walk.offset(line));
        if !line.bytes.starts_with(b"{") || (!self.held.is_empty() && json::object(line.bytes).is_none()) {
            self.text(line.bytes, place, line.ended, visit);
            return;
        }
        match json::object(line.bytes) {
            Some(json::Object::Text(escaped)) => {
                let mut text = std::mem::take(&mut self.text);
                text.clear();
                json::unescape(escaped, &mut text);
                for line in Lines::new(&text) {
                    self.text(line.bytes, place, true, visit);
                }
                self.text = text;
            }
            Some(json::Object::Lost(count)) => self.lost(place, Some(count), visit),
            Some(json::Object::Other) => {}
            None => {
                let kind = if line.ended { ProblemKind::NotAnEvent } else { ProblemKind::CutOff };
                self.damage.unread(walk.problem(line, line.bytes, kind));
            }
        }
    }

    /// One line of what the program printed.
    fn text(&mut self, text: &[u8], place: (u32, u64), ended: bool, visit: &mut impl FnMut(&Record<'_>)) {
        if !self.held.is_empty() {
            self.held.push(Line { number: place.0, start: 0, bytes: text, ended }, place.1);
            let whole = self.held.bytes().to_vec();
            let place = self.held.place();
            match line::classify(&whole) {
                Text::Event(event) => {
                    self.held.clear();
                    return self.event(&event, place, ended, visit);
                }
                Text::Begun if line::most_comm(&whole) => return,
                _ => {
                    // The task's name was none.
                    let problem = self.held.problem();
                    if let Some(problem) = problem {
                        self.damage.unread(problem);
                    }
                }
            }
        }
        match line::classify(text) {
            Text::Event(event) => self.event(&event, place, ended, visit),
            Text::Frame(frame) => match &mut self.open {
                Some(open) => open.add_frame(frame),
                None if self.passing => {}
                None => {
                    self.damage.unread(Problem {
                        line: place.0,
                        column: 1,
                        offset: place.1,
                        kind: ProblemKind::StrayFrames,
                    });
                }
            },
            Text::Lost(count) => self.lost(place, Some(count), visit),
            // A stack begins and ends with an empty line.
            Text::Blank => {}
            Text::Begun if ended => {
                self.close(visit);
                self.held.push(Line { number: place.0, start: 0, bytes: text, ended }, place.1);
            }
            Text::Noise => {
                self.close(visit);
                self.passing = true;
            }
            Text::Begun | Text::Unknown => {
                self.close(visit);
                let kind = if ended { ProblemKind::NotAnEvent } else { ProblemKind::CutOff };
                self.damage.unread(Problem { line: place.0, column: 1, offset: place.1, kind });
            }
        }
    }

    fn event(&mut self, event: &line::Event<'_>, place: (u32, u64), ended: bool, visit: &mut impl FnMut(&Record<'_>)) {
        self.close(visit);
        self.damage.begin();
        match line::body(event) {
            Ok(what) => {
                self.passing = false;
                self.open = Some(Item::new(event, what, place));
            }
            Err(broken) => {
                self.passing = true;
                let kind = if ended { ProblemKind::BrokenEvent(broken.event) } else { ProblemKind::CutOff };
                let column = crate::lex::column(event.line, broken.rest);
                self.damage.push(Problem { line: place.0, column, offset: place.1, kind });
            }
        }
    }

    fn lost(&mut self, place: (u32, u64), count: Option<u64>, visit: &mut impl FnMut(&Record<'_>)) {
        self.close(visit);
        self.damage.begin();
        self.passing = true;
        let item = Item::remark(What::Lost(count), self.order.newest(), place);
        self.add(item, visit);
    }

    /// The event has no more frames.
    fn close(&mut self, visit: &mut impl FnMut(&Record<'_>)) {
        if let Some(item) = self.open.take() {
            self.add(item, visit);
        }
    }

    fn add(&mut self, item: Item, visit: &mut impl FnMut(&Record<'_>)) {
        if let Some(problem) = self.order.add(item, visit) {
            self.damage.push(problem);
        }
    }
}

impl Form for Bpftrace {
    fn starts_item(line: &[u8]) -> bool {
        line.starts_with(b"{") || matches!(line::classify(line), Text::Event(_))
    }

    fn window(&mut self, window: Window<'_>, visit: &mut impl FnMut(&Record<'_>)) -> u32 {
        let mut walk = Walk::new(window);
        while let Some(line) = walk.next(&mut self.damage.problems) {
            self.line(&walk, line, visit);
        }
        if window.last {
            let problem = self.held.problem();
            if let Some(problem) = problem {
                self.damage.unread(problem);
            }
            self.close(visit);
            self.order.finish(visit);
        }
        walk.lines.number()
    }

    fn finish(self) -> (Header, Vec<Problem>) {
        (Header::default(), self.damage.into_list())
    }
}
