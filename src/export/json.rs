//! JSON objects written straight into a buffer: a trace has millions of them.

use crate::log::escape::is_hostile;

/// One object on one line; [`Object::close`] ends it.
#[derive(Debug)]
#[must_use = "an object has to be closed"]
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    /// Starts an object with its `kind`.
    pub(crate) fn open(out: &'a mut Vec<u8>, kind: &'static str) -> Self {
        out.extend_from_slice(b"{\"kind\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.push(b'"');
        Self { out }
    }

    /// Starts an object with another first member.
    pub(crate) fn open_first(out: &'a mut Vec<u8>, key: &'static str, value: &[u8]) -> Self {
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        push_text(out, value);
        Self { out }
    }

    /// JSON that is made already.
    pub(crate) fn raw(&mut self, key: &'static str, json: &[u8]) {
        self.key(key);
        self.out.extend_from_slice(json);
    }

    pub(crate) fn number(&mut self, key: &'static str, value: u64) {
        self.key(key);
        push_number(self.out, value);
    }

    pub(crate) fn number_or_null(&mut self, key: &'static str, value: Option<u64>) {
        match value {
            Some(value) => self.number(key, value),
            None => self.null(key),
        }
    }

    pub(crate) fn signed(&mut self, key: &'static str, value: i64) {
        self.key(key);
        if value < 0 {
            self.out.push(b'-');
        }
        push_number(self.out, value.unsigned_abs());
    }

    /// An address as a string: readers corrupt numbers above 2^53.
    pub(crate) fn address(&mut self, key: &'static str, value: u64, digits: usize) {
        self.key(key);
        self.out.push(b'"');
        push_addr(self.out, value, digits);
        self.out.push(b'"');
    }

    pub(crate) fn bool(&mut self, key: &'static str, value: bool) {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(crate) fn real(&mut self, key: &'static str, value: f64) {
        self.key(key);
        self.out.extend_from_slice(value.to_string().as_bytes());
    }

    pub(crate) fn null(&mut self, key: &'static str) {
        self.key(key);
        self.out.extend_from_slice(b"null");
    }

    /// Other people's bytes: what is not UTF-8 becomes U+FFFD.
    pub(crate) fn text(&mut self, key: &'static str, value: &[u8]) {
        self.key(key);
        push_text(self.out, value);
    }

    pub(crate) fn text_or_null(&mut self, key: &'static str, value: Option<&[u8]>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    /// The bytes in hex, for a text that lost some.
    pub(crate) fn hex_bytes(&mut self, key: &'static str, value: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        for byte in value {
            self.out.push(b"0123456789abcdef"[usize::from(byte >> 4)]);
            self.out.push(b"0123456789abcdef"[usize::from(byte & 0xf)]);
        }
        self.out.push(b'"');
    }

    pub(crate) fn texts<T: AsRef<[u8]>>(&mut self, key: &'static str, values: impl IntoIterator<Item = T>) {
        self.key(key);
        self.out.push(b'[');
        for (n, value) in values.into_iter().enumerate() {
            if 0 < n {
                self.out.push(b',');
            }
            push_text(self.out, value.as_ref());
        }
        self.out.push(b']');
    }

    /// A small object of numbers under numbers, such as pages by NUMA node.
    pub(crate) fn numbers(&mut self, key: &'static str, values: &[(u16, u64)]) {
        self.key(key);
        self.out.push(b'{');
        for (n, (name, value)) in values.iter().enumerate() {
            self.out.extend_from_slice(if 0 < n { b",\"" } else { b"\"" });
            push_number(self.out, u64::from(*name));
            self.out.extend_from_slice(b"\":");
            push_number(self.out, *value);
        }
        self.out.push(b'}');
    }

    pub(crate) fn close(self) {
        self.out.extend_from_slice(b"}\n");
    }

    fn key(&mut self, key: &'static str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

pub(crate) fn push_number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// An address in hex, with at least so many digits.
pub(crate) fn push_addr(out: &mut Vec<u8>, value: u64, digits: usize) {
    out.extend_from_slice(b"0x");
    let width = (16 - (value | 1).leading_zeros() as usize / 4).max(digits);
    for n in (0..width).rev() {
        let nibble = (value >> (4 * n)) as u8 & 0xf;
        out.push(b"0123456789abcdef"[usize::from(nibble)]);
    }
}

pub(crate) fn push_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    if text.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        out.extend_from_slice(text);
    } else {
        for c in String::from_utf8_lossy(text).chars() {
            push_char(out, c);
        }
    }
    out.push(b'"');
}

/// Escapes more than JSON asks for, so that the line is safe to look at in a terminal.
fn push_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        c if is_hostile(c) => {
            // Nothing hostile lies above the basic plane, where JSON would want two halves.
            out.extend_from_slice(format!("\\u{:04x}", c as u32).as_bytes());
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_json() {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out, "alloc");
        object.number("zero", 0);
        object.number("max", u64::MAX);
        object.signed("pid", -1);
        object.address("addr", 0xffff_c900_0000_5000, 16);
        object.address("low", 0, 8);
        object.text("comm", b"a\"\\\x1b[2J\xff\xe2\x80\xae");
        object.numbers("nodes", &[(0, 4), (1, 2)]);
        object.texts("flags", ["vmalloc", "user"]);
        object.number_or_null("pages", None);
        object.hex_bytes("raw", b"\x00\xff");
        object.bool("failed", false);
        object.close();
        let wanted = concat!(
            r#"{"kind":"alloc","zero":0,"max":18446744073709551615,"pid":-1,"addr":"0xffffc90000005000","low":"0x00000000","#,
            r#""comm":"a\"\\\u001b[2J"#,
            "\u{fffd}",
            r#"\u202e","nodes":{"0":4,"1":2},"flags":["vmalloc","user"],"pages":null,"raw":"00ff","failed":false}"#,
            "\n",
        );
        assert_eq!(String::from_utf8_lossy(&out), wanted);
        assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
    }
}
