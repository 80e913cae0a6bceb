//! What an event's format file means: which fields are read, and from where. Looked up once for each kind of event.

use super::damage::DatDamage;
use super::format::{Field, Format, Number};
use super::print::Template;
use crate::ProblemKind;

/// How the events of one kind are read.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) format: Format,
    pub(super) common: Common,
    pub(super) kind: Kind,
}

/// The fields that all events of a kernel share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common {
    pub(super) id: Number,
    pub(super) flags: Number,
    pub(super) preempt: Number,
    pub(super) pid: Number,
}

/// What is read of an event.
#[derive(Debug)]
pub(super) enum Kind {
    Alloc([Number; 6]),
    Free([Number; 3]),
    Purge([Number; 3]),
    KernelStack {
        size: Option<Number>,
        caller: u32,
    },
    UserStack {
        caller: u32,
    },
    Print {
        ip: Number,
        text: Field,
    },
    RawData {
        id: Number,
        bytes: Field,
    },
    Bprint {
        ip: Number,
        format: Number,
        arguments: Field,
    },
    Bputs {
        ip: Number,
        text: Number,
    },
    Function {
        ip: Number,
        parent: Number,
    },
    Entry {
        ip: Number,
        args: Template,
    },
    Return {
        function: Number,
        ip: Number,
        args: Template,
    },
    Other(Template),
    /// One of the three vmalloc events whose format lacks a field.
    Unusable(&'static str),
}

impl Common {
    /// As in every kernel so far.
    pub(super) const USUAL: Self = Self {
        id: Number { offset: 0, size: 2, is_signed: false },
        flags: Number { offset: 2, size: 1, is_signed: false },
        preempt: Number { offset: 3, size: 1, is_signed: false },
        pid: Number { offset: 4, size: 4, is_signed: true },
    };

    /// From a format file; the usual place of what it does not tell.
    pub(super) fn of(format: &Format) -> Self {
        Self {
            id: format.number(&["common_type"]).unwrap_or(Self::USUAL.id),
            flags: format.number(&["common_flags"]).unwrap_or(Self::USUAL.flags),
            preempt: format.number(&["common_preempt_count"]).unwrap_or(Self::USUAL.preempt),
            pid: format.number(&["common_pid"]).unwrap_or(Self::USUAL.pid),
        }
    }
}

impl Event {
    /// What is wrong with an event that says nothing.
    pub(super) fn damage(&self) -> ProblemKind {
        match self.kind {
            Kind::Alloc(_) => ProblemKind::BrokenEvent("alloc_vmap_area"),
            Kind::Free(_) => ProblemKind::BrokenEvent("free_vmap_area_noflush"),
            Kind::Purge(_) => ProblemKind::BrokenEvent("purge_vmap_area_lazy"),
            Kind::Unusable(name) => ProblemKind::BrokenEvent(name),
            _ => ProblemKind::Dat(DatDamage::Event),
        }
    }
}

impl Kind {
    pub(super) fn of(format: &Format, long_size: u8) -> Self {
        let number = |names: &[&str]| format.number(names);
        // Somebody may call a probe like the event.
        let is_probe = format.field(&["__probe_ip", "__probe_func", "__probe_ret_ip"]).is_some();
        let known = match format.name.as_slice() {
            _ if is_probe => None,
            b"alloc_vmap_area" => return Self::alloc(format).unwrap_or(Self::Unusable("alloc_vmap_area")),
            b"free_vmap_area_noflush" => return Self::free(format).unwrap_or(Self::Unusable("free_vmap_area_noflush")),
            b"purge_vmap_area_lazy" => return Self::purge(format).unwrap_or(Self::Unusable("purge_vmap_area_lazy")),
            b"kernel_stack" => format
                .field(&["caller"])
                .map(|caller| Self::KernelStack { size: number(&["size"]), caller: caller.offset }),
            b"user_stack" => format.field(&["caller"]).map(|caller| Self::UserStack { caller: caller.offset }),
            b"print" => {
                number(&["ip"]).zip(format.field(&["buf"])).map(|(ip, buf)| Self::Print { ip, text: buf.clone() })
            }
            b"raw_data" => {
                number(&["id"]).zip(format.field(&["buf"])).map(|(id, buf)| Self::RawData { id, bytes: buf.clone() })
            }
            b"bprint" => number(&["ip"])
                .zip(number(&["fmt"]))
                .zip(format.field(&["buf"]))
                .map(|((ip, fmt), buf)| Self::Bprint { ip, format: fmt, arguments: buf.clone() }),
            b"bputs" => number(&["ip"]).zip(number(&["str"])).map(|(ip, text)| Self::Bputs { ip, text }),
            b"function" => {
                number(&["ip"]).zip(number(&["parent_ip"])).map(|(ip, parent)| Self::Function { ip, parent })
            }
            _ => None,
        };
        let template = || Template::of(format, long_size, is_probe);
        let entry = || Some(Self::Entry { ip: number(&["__probe_ip"])?, args: template() });
        let exit = || {
            let (function, ip) = number(&["__probe_func"]).zip(number(&["__probe_ret_ip"]))?;
            Some(Self::Return { function, ip, args: template() })
        };
        known.or_else(entry).or_else(exit).unwrap_or_else(|| Self::Other(Template::of(format, long_size, false)))
    }

    fn alloc(format: &Format) -> Option<Self> {
        let number = |names: &[&str]| format.number(names);
        Some(Self::Alloc([
            number(&["addr", "va_start"])?,
            number(&["size"])?,
            number(&["align"])?,
            number(&["vstart"])?,
            number(&["vend"])?,
            number(&["failed"])?,
        ]))
    }

    fn free(format: &Format) -> Option<Self> {
        let number = |names: &[&str]| format.number(names);
        Some(Self::Free([number(&["va_start"])?, number(&["nr_lazy"])?, number(&["nr_lazy_max"])?]))
    }

    fn purge(format: &Format) -> Option<Self> {
        let number = |names: &[&str]| format.number(names);
        Some(Self::Purge([number(&["start"])?, number(&["end"])?, number(&["npurged", "num_purged"])?]))
    }
}
