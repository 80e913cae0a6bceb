//! The forms that evidence comes in: what `--format` calls each, and what reads it. One row more, and a form is read.

use parsers::listing::Dialect;
use parsers::sniff::Format;

/// What becomes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Records of a recording.
    Trace,
    /// Records of a recording in the kernel's own binary form.
    Binary,
    /// The areas of one moment.
    Snapshot,
    /// The log of a kernel, with failures in it.
    Log,
    /// An op script.
    Script,
    /// Nothing: it is known, and not read.
    Unread,
}

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What `--format` calls it.
    pub kind: &'static str,
    /// What it is to the parsers.
    pub format: Format,
    /// What becomes of it.
    pub class: Class,
    /// One line for `--help`.
    pub help: &'static str,
}

/// Every form that can be asked for.
pub const FORMATS: &[Row] = &[
    row("ftrace", Format::FtraceText, Class::Trace, "ftrace text: `trace`, `trace_pipe`"),
    row("report", Format::TraceCmdReport, Class::Trace, "text of `trace-cmd report`"),
    row("perf", Format::PerfScript, Class::Trace, "text of `perf script`"),
    row("perf-trace", Format::PerfTrace, Class::Trace, "text of `perf trace`"),
    row("bpftrace", Format::Bpftrace, Class::Trace, "output of bpftrace, plain or JSON"),
    row("trace-dat", Format::TraceDat, Class::Binary, "trace-cmd's `trace.dat`"),
    row("vmallocinfo", Format::Vmallocinfo, Class::Snapshot, "`/proc/vmallocinfo` text"),
    row("drgn", Format::Listing(Dialect::Drgn), Class::Snapshot, "areas listed by a drgn script"),
    row("gdb", Format::Listing(Dialect::Gdb), Class::Snapshot, "`lx-vmallocinfo` of gdb"),
    row("crash", Format::Listing(Dialect::Crash), Class::Snapshot, "`kmem -v` of crash"),
    row("qualcomm", Format::Listing(Dialect::Qualcomm), Class::Snapshot, "`vmalloc` of Qualcomm's plugin for crash"),
    row("perl", Format::Listing(Dialect::Perl), Class::Snapshot, "areas listed by a Perl script for crash"),
    row("amlogic", Format::Listing(Dialect::Amlogic), Class::Snapshot, "`dump_vmalloc` of an Amlogic kernel"),
    row("arm-oops", Format::Listing(Dialect::ArmOops), Class::Snapshot, "registers of an ARM oops"),
    row("page-tables", Format::Listing(Dialect::PageTables), Class::Snapshot, "`kernel_page_tables`"),
    row("dmesg", Format::KernelLog, Class::Log, "the log of a kernel"),
    row("ops", Format::OpScript, Class::Script, "an op script"),
];

const fn row(kind: &'static str, format: Format, class: Class, help: &'static str) -> Row {
    Row { kind, format, class, help }
}

/// What becomes of a text of that form. What is not known is tried as a recording.
pub fn class_of(format: Format) -> Class {
    match format {
        Format::Unknown | Format::Empty => Class::Trace,
        _ => FORMATS.iter().find(|row| row.format == format).map_or(Class::Unread, |row| row.class),
    }
}
