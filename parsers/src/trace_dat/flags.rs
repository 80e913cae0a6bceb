//! The flags column of an event.

/// The flags column as ftrace prints it.
pub(super) fn flags(flags: u8, preempt: u8, has_lazy: bool) -> [u8; 5] {
    const OFF: u8 = 0x01;
    const UNKNOWN_OR_LAZY: u8 = 0x02;
    const RESCHED: u8 = 0x04;
    const HARD: u8 = 0x08;
    const SOFT: u8 = 0x10;
    const PREEMPT: u8 = 0x20;
    const NMI: u8 = 0x40;
    const BH_OFF: u8 = 0x80;
    let has = |bit: u8| flags & bit != 0;
    let interrupts = match (has(OFF), has(BH_OFF)) {
        (true, true) => b'D',
        (true, false) => b'd',
        (false, true) => b'b',
        (false, false) if has(UNKNOWN_OR_LAZY) && !has_lazy => b'X',
        (false, false) => b'.',
    };
    let resched = match (has(UNKNOWN_OR_LAZY) && has_lazy, has(RESCHED), has(PREEMPT)) {
        (false, false, false) => b'.',
        (false, true, false) => b'n',
        (false, false, true) => b'p',
        (false, true, true) => b'N',
        (true, false, false) => b'l',
        (true, true, false) => b'b',
        (true, false, true) => b'L',
        (true, true, true) => b'B',
    };
    let context = match (has(NMI), has(HARD), has(SOFT)) {
        (true, true, _) => b'Z',
        (true, false, _) => b'z',
        (false, true, true) => b'H',
        (false, true, false) => b'h',
        (false, false, true) => b's',
        (false, false, false) => b'.',
    };
    [interrupts, resched, context, depth(preempt & 0xf), depth(preempt >> 4)]
}

/// A dot for 0, else one hexadecimal digit.
fn depth(depth: u8) -> u8 {
    match depth {
        0 => b'.',
        1..=9 => b'0' + depth,
        _ => b'a' + (depth - 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_as_ftrace_prints_them() {
        for (bits, preempt, lazy, text) in [
            (0, 0, false, "....."),
            (0x01, 0x01, false, "d..1."),
            (0x81, 0x1a, false, "D..a1"),
            (0x80, 0, false, "b...."),
            (0x02, 0, false, "X...."),
            (0x02, 0, true, ".l..."),
            (0x24, 0, false, ".N..."),
            (0x26, 0, true, ".B..."),
            (0x18, 0, false, "..H.."),
            (0x48, 0x02, false, "..Z2."),
        ] {
            assert_eq!(String::from_utf8_lossy(&flags(bits, preempt, lazy)), text, "{bits:#x} {preempt:#x}");
        }
    }
}
