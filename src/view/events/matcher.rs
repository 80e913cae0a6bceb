//! Finding records by what their rows say.

use super::super::text;
use crate::event::{Event, EventKind};
use crate::log::Log;

/// A search made ready: what can be asked once per name is not asked once per record.
pub(super) struct Matcher {
    needle: String,
    /// The needle has no capitals: capitals do not count.
    fold: bool,
    tasks: Vec<bool>,
    hex: bool,
    numeric: bool,
}

impl Matcher {
    /// `None` for an empty text, which would match everything.
    pub(super) fn new(log: &Log, needle: &str) -> Option<Self> {
        let needle = needle.trim();
        if needle.is_empty() {
            return None;
        }
        let digits = needle.strip_prefix("0x").unwrap_or(needle);
        let mut matcher = Self {
            needle: needle.to_owned(),
            fold: !needle.chars().any(char::is_uppercase),
            tasks: Vec::new(),
            hex: digits.chars().all(|c| c.is_ascii_hexdigit()),
            numeric: needle.starts_with(|c: char| c.is_ascii_digit()),
        };
        let tasks = log.names.tasks().iter();
        matcher.tasks = tasks.map(|task| matcher.finds(&text::task(task))).collect();
        Some(matcher)
    }

    fn finds(&self, hay: &str) -> bool {
        if self.fold && hay.chars().any(char::is_uppercase) {
            hay.to_lowercase().contains(&self.needle)
        } else {
            hay.contains(&self.needle)
        }
    }

    fn finds_addr(&self, addr: u64) -> bool {
        self.hex && text::addr(addr, u32::try_from(addr).is_ok()).contains(&self.needle.to_lowercase())
    }

    fn finds_size(&self, size: u64) -> bool {
        self.numeric && (self.finds(&text::bytes(size)) || self.finds(&size.to_string()))
    }

    /// Does a record match?
    pub(super) fn matches(&self, log: &Log, event: &Event) -> bool {
        if self.tasks.get(event.task.0 as usize).copied().unwrap_or(false) || self.finds(event.kind.word()) {
            return true;
        }
        match event.kind {
            EventKind::Alloc { addr, size, align, failed, .. } => {
                (!failed && self.finds_addr(addr.0)) || self.finds_size(size) || (align > 1 && self.finds_size(align))
            }
            EventKind::Free { addr, .. } => self.finds_addr(addr.0),
            EventKind::Purge { start, end, .. } => self.finds_addr(start.0) || self.finds_addr(end.0),
            EventKind::Lost { .. } => false,
            EventKind::Mark { text } => self.finds(&text::escape(log.names.text(text))),
            EventKind::Other { name } => self.finds(&text::escape(log.names.text(name))),
        }
    }
}
