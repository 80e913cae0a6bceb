//! Hostile text made safe: names in captures are other people's bytes.

use std::fmt::Write;

/// The text with everything a terminal could act on made visible: C0, DEL, C1 and bidirectional controls become
/// `\xNN` or `\u{…}`, bytes that are not UTF-8 become `\xNN`.
pub fn escape(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\0'..='\x7f' if is_hostile(c) => push(&mut out, format_args!("\\x{:02x}", c as u32)),
                c if is_hostile(c) => push(&mut out, format_args!("\\u{{{:x}}}", c as u32)),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            push(&mut out, format_args!("\\x{byte:02x}"));
        }
    }
    out
}

/// Whether a terminal could act on a character, or show text in another order because of it.
pub fn is_hostile(c: char) -> bool {
    matches!(c, '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_acts_on_gets_through() {
        assert_eq!(escape(b"kworker/0:1"), "kworker/0:1");
        assert_eq!(escape(b"\x1b[2Jnl\nx"), "\\x1b[2Jnl\\x0ax");
        assert_eq!(escape("a\u{202e}b\u{9b}1m".as_bytes()), "a\\u{202e}b\\u{9b}1m");
        assert_eq!(escape(b"bad\xff\xc3("), "bad\\xff\\xc3(");
    }
}
