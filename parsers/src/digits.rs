//! Numbers of many digits, eight digits at a step: what the fast paths consist of.
//!
//! A number that does not have the shape these want is left to the general grammar, so `None` is no verdict.

#[inline]
pub(crate) fn three(a: u8, b: u8, c: u8) -> Option<u16> {
    let [a, b, c] = [a, b, c].map(|byte| byte.wrapping_sub(b'0'));
    (a <= 9 && b <= 9 && c <= 9).then(|| u16::from(a) * 100 + u16::from(b) * 10 + u16::from(c))
}

#[inline]
pub(crate) fn six(digits: [u8; 6]) -> Option<u32> {
    let mut padded = [b'0'; 8];
    padded[2..].copy_from_slice(&digits);
    eight(padded)
}

/// Eight decimal digits at once: neighbours are joined to pairs, pairs to fours, fours to eight.
#[inline]
pub(crate) fn eight(digits: [u8; 8]) -> Option<u32> {
    let word = u64::from_le_bytes(digits);
    if !all_decimal(word) {
        return None;
    }
    let word = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (word.wrapping_mul(10) + (word >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) as u32)
}

/// Whether all eight bytes are `0` to `9`: the high half is 3, and stays so when 6 is added.
#[inline]
pub(crate) fn all_decimal(word: u64) -> bool {
    let high = word & 0xf0f0_f0f0_f0f0_f0f0;
    let carried = word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0;
    high == 0x3030_3030_3030_3030 && carried == 0x3030_3030_3030_3030
}

/// A decimal number of 1 to 20 digits that fits 64 bits.
#[inline]
pub(crate) fn decimal(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    let mut rest = text;
    while let [byte @ b'0'..=b'9', tail @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        rest = tail;
    }
    let n = text.len() - rest.len();
    ((1..=19).contains(&n)).then_some((value, rest))
}

/// An address of the kernel's half of a 64-bit space in decimal, twenty digits; or any shorter number.
#[inline]
pub(crate) fn address(text: &[u8]) -> Option<(u64, &[u8])> {
    let Some((high, rest)) = text.split_first_chunk::<8>() else { return decimal(text) };
    let Some((middle, rest)) = rest.split_first_chunk::<8>() else { return decimal(text) };
    let Some(([a, b, c, d], rest)) = rest.split_first_chunk::<4>() else { return decimal(text) };
    let low = eight([b'0', b'0', b'0', b'0', *a, *b, *c, *d]);
    let (Some(high), Some(middle), Some(low)) = (eight(*high), eight(*middle), low) else {
        return decimal(text);
    };
    let top = u64::from(high) * 100_000_000 + u64::from(middle);
    Some((top.checked_mul(10_000)?.checked_add(u64::from(low))?, rest))
}

/// Sixteen hexadecimal digits in lower case; the kernel prints addresses of its half of a 64-bit space so.
#[inline]
pub(crate) fn hex16(text: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<16>()?;
    let (high, low) = digits.split_first_chunk::<8>()?;
    let low = low.first_chunk::<8>()?;
    Some(((u64::from(hex8(*high)?) << 32) | u64::from(hex8(*low)?), rest))
}

/// Eight hexadecimal digits at once.
#[inline]
pub(crate) fn hex8(digits: [u8; 8]) -> Option<u32> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_be_bytes(digits);
    // 0x40 is set in letters only. A digit is 0x30 to 0x39, a letter 0x61 to 0x66.
    let letters = (word >> 6) & ONES;
    let nibbles = (word & (0x0f * ONES)) + letters * 9;
    let prefix = 0x30 * ONES + letters * 0x30;
    let is_decimal_or_letter = (word & (0xf0 * ONES)) == prefix;
    // Of a digit the low half is at most 9, of a letter 1 to 6: with 9 added 10 to 15.
    let digits_fit = (nibbles + (6 * ONES) - letters * 6) & (0xf0 * ONES) == 0;
    let letters_fit = (nibbles.wrapping_sub(letters * 10)) & (0x80 * ONES) == 0 && nibbles & (0xf0 * ONES) == 0;
    if !(is_decimal_or_letter && digits_fit && letters_fit) {
        return None;
    }
    let pairs = (nibbles | (nibbles >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    Some((fours | (fours >> 16)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_judged_in_every_place() {
        for place in 0..8 {
            for byte in 0..=255_u8 {
                let mut digits = *b"12345678";
                digits[place] = byte;
                let text = std::str::from_utf8(&digits).ok();
                let want = text.filter(|_| byte.is_ascii_digit()).and_then(|text| text.parse().ok());
                assert_eq!(eight(digits), want, "{digits:?}");
                let is_lower = byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
                let want = text.filter(|_| is_lower).and_then(|text| u32::from_str_radix(text, 16).ok());
                assert_eq!(hex8(digits), want, "{digits:?}");
            }
        }
    }

    #[test]
    fn numbers_end_where_the_digits_end() {
        assert_eq!(address(b"18405698627118596096 s"), Some((18_405_698_627_118_596_096, &b" s"[..])));
        assert_eq!(address(b"18446744073709551616 s"), None);
        assert_eq!(address(b"4096 size=20480 align=1"), Some((4096, &b" size=20480 align=1"[..])));
        assert_eq!(decimal(b"9999999999999999999\n"), Some((9_999_999_999_999_999_999, &b"\n"[..])));
        assert_eq!(decimal(b"x"), None);
        assert_eq!(hex16(b"ff6e2d62404d8000 n"), Some((0xff6e_2d62_404d_8000, &b" n"[..])));
        assert_eq!(hex16(b"ff6e2d62404d800"), None);
        assert_eq!((six(*b"463743"), three(b'0', b'1', b'2')), (Some(463_743), Some(12)));
    }
}
