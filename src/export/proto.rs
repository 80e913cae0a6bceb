//! The few bytes of protobuf that a writer needs.

/// A message being written.
#[derive(Debug, Clone, Default)]
pub struct Message {
    out: Vec<u8>,
}

impl Message {
    /// The bytes of the message.
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Forgets the fields; the room is kept.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// A number (`uint64`, `int64` that is not negative, `bool`, an enum).
    pub fn number(&mut self, field: u32, value: u64) {
        self.tag(field, 0);
        varint(&mut self.out, value);
    }

    /// `fixed64`.
    pub fn fixed(&mut self, field: u32, value: u64) {
        self.tag(field, 1);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    /// A text.
    pub fn text(&mut self, field: u32, value: &str) {
        self.chunk(field, value.as_bytes());
    }

    /// A message inside this one.
    pub fn message(&mut self, field: u32, inner: &Self) {
        self.chunk(field, &inner.out);
    }

    fn chunk(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, 2);
        varint(&mut self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn tag(&mut self, field: u32, wire_type: u64) {
        varint(&mut self.out, u64::from(field) << 3 | wire_type);
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while 0x7f < value {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_format() {
        let mut inner = Message::default();
        inner.number(1, 150);
        assert_eq!(inner.bytes(), [0x08, 0x96, 0x01]);
        let mut outer = Message::default();
        outer.message(3, &inner);
        outer.text(2, "testing");
        assert_eq!(outer.bytes(), b"\x1a\x03\x08\x96\x01\x12\x07testing");
        outer.clear();
        outer.number(1, u64::MAX);
        outer.fixed(47, 1);
        assert_eq!(outer.bytes(), b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xf9\x02\x01\0\0\0\0\0\0\0");
    }
}
