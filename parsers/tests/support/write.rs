//! Variants of trace.dat, and the bytes of their format files and events.

use std::fmt::Write as _;

use parsers::record::{Alloc, Free, Purge};
use parsers::trace_dat::Method;

/// A variant of the format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// 6 or 7.
    pub(crate) version: u8,
    pub(crate) is_big: bool,
    /// Bytes of the kernel's `long`: 4 or 8.
    pub(crate) long: usize,
    /// Bytes of a sub-buffer.
    pub(crate) stride: usize,
    /// Version 7 only.
    pub(crate) method: Option<Method>,
    /// Pages in one compressed piece.
    pub(crate) n_chunk_pages: usize,
    /// Fields of real-time kernels before the events' own; numbers of the events.
    pub(crate) is_real_time: bool,
    pub(crate) first_id: u16,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Alloc(Alloc),
    Free(Free),
    Purge(Purge),
    Marker(String),
    Stack(Vec<u64>),
}

/// An event without its CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) stamp: u64,
    pub(crate) pid: i32,
    pub(crate) flags: u8,
    pub(crate) preempt: u8,
    pub(crate) said: Said,
}

impl Shape {
    /// Appends a number.
    pub(crate) fn number(&self, out: &mut Vec<u8>, value: u64, size: usize) {
        if self.is_big {
            out.extend_from_slice(&value.to_be_bytes()[8 - size..]);
        } else {
            out.extend_from_slice(&value.to_le_bytes()[..size]);
        }
    }

    /// Where the events of a page begin.
    pub(crate) fn data(&self) -> usize {
        8 + self.long
    }

    fn header_page(&self) -> String {
        let (long, data) = (self.long, self.data());
        let size = self.stride - data;
        format!(
            "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
             \tfield: local_t commit;\toffset:8;\tsize:{long};\tsigned:1;\n\
             \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\
             \tfield: char data;\toffset:{data};\tsize:{size};\tsigned:0;\n"
        )
    }

    /// First byte of an event's own fields.
    fn own(&self) -> usize {
        if self.is_real_time { 16 } else { 8 }
    }

    fn format(&self, name: &str, id: u16, fields: &[(&str, usize, bool)], tail: Option<&str>) -> String {
        let mut common = vec![
            ("unsigned short common_type", 2, false),
            ("unsigned char common_flags", 1, false),
            ("unsigned char common_preempt_count", 1, false),
            ("int common_pid", 4, true),
        ];
        if self.is_real_time {
            common.push(("unsigned char common_migrate_disable", 1, false));
            common.push(("unsigned char common_preempt_lazy_count", 1, false));
        }
        let mut text = format!("name: {name}\nID: {id}\nformat:\n");
        add_fields(&mut text, 0, &common);
        text.push('\n');
        let end = add_fields(&mut text, self.own(), fields);
        if let Some(tail) = tail {
            let at = if tail.contains("long") { end.next_multiple_of(self.long) } else { end };
            let _ = writeln!(text, "\tfield:{tail};\toffset:{at};\tsize:0;\tsigned:0;");
        }
        let _ = write!(text, "\nprint fmt: {}\n", print_fmt(name));
        text
    }

    /// Formats of ftrace's own events and of vmalloc's.
    pub(crate) fn formats(&self) -> (Vec<String>, Vec<String>) {
        let long = self.long;
        let id = self.first_id;
        let ftrace = vec![
            self.format("kernel_stack", id, &[("int size", 4, true)], Some("unsigned long caller[8]")),
            self.format("print", id + 1, &[("unsigned long ip", long, false)], Some("char buf[]")),
        ];
        let longs = |names: &[&'static str]| names.iter().map(|name| (*name, long, false)).collect::<Vec<_>>();
        let mut alloc = longs(&[
            "unsigned long addr",
            "unsigned long size",
            "unsigned long align",
            "unsigned long vstart",
            "unsigned long vend",
        ]);
        alloc.push(("int failed", 4, true));
        let free = longs(&["unsigned long va_start", "unsigned long nr_lazy", "unsigned long nr_lazy_max"]);
        let mut purge = longs(&["unsigned long start", "unsigned long end"]);
        purge.push(("unsigned int npurged", 4, false));
        let events = vec![
            self.format("alloc_vmap_area", id + 2, &alloc, None),
            self.format("free_vmap_area_noflush", id + 3, &free, None),
            self.format("purge_vmap_area_lazy", id + 4, &purge, None),
        ];
        (ftrace, events)
    }

    /// The bytes of an event, a multiple of four.
    pub(crate) fn payload(&self, event: &Event, out: &mut Vec<u8>) {
        out.clear();
        let index = match event.said {
            Said::Stack(_) => 0,
            Said::Marker(_) => 1,
            Said::Alloc(_) => 2,
            Said::Free(_) => 3,
            Said::Purge(_) => 4,
        };
        self.number(out, u64::from(self.first_id + index), 2);
        out.extend_from_slice(&[event.flags, event.preempt]);
        self.number(out, u64::from(event.pid.cast_unsigned()), 4);
        out.resize(self.own(), 0xaa);
        let longs = |out: &mut Vec<u8>, values: &[u64]| values.iter().for_each(|v| self.number(out, *v, self.long));
        match &event.said {
            Said::Alloc(a) => {
                longs(out, &[a.va_start, a.size, a.align, a.vstart, a.vend]);
                self.number(out, u64::from(a.failed), 4);
            }
            Said::Free(f) => longs(out, &[f.va_start, f.nr_lazy, f.nr_lazy_max]),
            Said::Purge(p) => {
                longs(out, &[p.start, p.end]);
                self.number(out, p.num_purged, 4);
            }
            Said::Marker(text) => {
                longs(out, &[0]);
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(b"\n\0");
            }
            Said::Stack(frames) => {
                self.number(out, frames.len() as u64, 4);
                out.resize(out.len().next_multiple_of(self.long), 0xaa);
                longs(out, frames);
            }
        }
        // What lies behind the last field is whatever was there before.
        out.resize(out.len().next_multiple_of(4), 0x55);
    }

    pub(crate) fn sized(&self, out: &mut Vec<u8>, text: &[u8], size: usize) {
        self.number(out, text.len() as u64, size);
        out.extend_from_slice(text);
    }

    pub(crate) fn header_info(&self) -> Vec<u8> {
        let mut out = b"header_page\0".to_vec();
        self.sized(&mut out, self.header_page().as_bytes(), 8);
        out.extend_from_slice(b"header_event\0");
        self.sized(&mut out, b"# compressed entry header\n", 8);
        out
    }

    pub(crate) fn format_block(&self, formats: &[String]) -> Vec<u8> {
        let mut out = Vec::new();
        self.number(&mut out, formats.len() as u64, 4);
        for format in formats {
            self.sized(&mut out, format.as_bytes(), 8);
        }
        out
    }

    pub(crate) fn systems(&self, formats: &[String]) -> Vec<u8> {
        let mut out = Vec::new();
        self.number(&mut out, 1, 4);
        out.extend_from_slice(b"vmalloc\0");
        out.extend(self.format_block(formats));
        out
    }
}

/// Adds lines for fields from a place on, each aligned to its size; hands out where they end.
fn add_fields(text: &mut String, mut at: usize, fields: &[(&str, usize, bool)]) -> usize {
    for (name, size, signed) in fields {
        at = at.next_multiple_of(*size);
        let _ = writeln!(text, "\tfield:{name};\toffset:{at};\tsize:{size};\tsigned:{};", u8::from(*signed));
        at += size;
    }
    at
}

/// As kernel 6.12 has them.
fn print_fmt(name: &str) -> &'static str {
    match name {
        "alloc_vmap_area" => {
            "\"va_start: %lu size=%lu align=%lu vstart=0x%lx vend=0x%lx failed=%d\", \
             REC->addr, REC->size, REC->align, REC->vstart, REC->vend, REC->failed"
        }
        "free_vmap_area_noflush" => {
            "\"va_start=0x%lx nr_lazy=%lu nr_lazy_max=%lu\", REC->va_start, REC->nr_lazy, REC->nr_lazy_max"
        }
        "purge_vmap_area_lazy" => "\"start=0x%lx end=0x%lx num_purged=%u\", REC->start, REC->end, REC->npurged",
        "print" => "\"%ps: %s\", (void *)REC->ip, REC->buf",
        _ => "\"\"",
    }
}
