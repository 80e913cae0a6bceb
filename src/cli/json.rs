//! JSON as every document promises: addresses are hex strings, sizes are numbers, keys keep their order.

use std::fmt::Write;

use serde::Serialize;

use crate::event::Addr;
use crate::log::Window;
use crate::log::escape::is_hostile;

/// An address: 16 digits, or 8 where the kernel is a 32-bit one.
pub fn hex(addr: u64, is_32_bit: bool) -> String {
    if is_32_bit { format!("0x{addr:08x}") } else { Addr(addr).to_string() }
}

/// A window as two addresses.
pub fn hex_window(window: Window, is_32_bit: bool) -> [String; 2] {
    [hex(window.vstart, is_32_bit), hex(window.vend, is_32_bit)]
}

/// One document, one line, a newline at the end.
pub fn document(value: &impl Serialize) -> String {
    // Only maps with keys that are not text can fail, and there are none.
    let plain = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut text = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        // JSON lets some characters through that a terminal acts on. They can only stand inside of strings.
        if c != '\n' && is_hostile(c) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\u{:04x}", c as u32);
        } else {
            text.push(c);
        }
    }
    text.push('\n');
    text
}
