//! Sizes and ranges as people write them: `64M`, `ffffc90000000000-ffffe8ffffffffff`.

use super::Window;

/// Letters behind a size, with their powers of two.
const UNITS: [(&str, u32); 4] = [("T", 40), ("G", 30), ("M", 20), ("K", 10)];

/// A number of bytes, with K, M, G or T behind it or nothing.
///
/// # Errors
/// One sentence for the user.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_uppercase();
    let shift = match unit.trim_end_matches("IB").trim_end_matches('B') {
        "" => Some(0),
        letter => UNITS.iter().find(|(name, _)| *name == letter).map(|&(_, shift)| shift),
    };
    let number: Option<u64> = digits.parse().ok();
    let (Some(number), Some(shift)) = (number, shift) else {
        return Err("a size is a number of bytes, or one with K, M, G or T behind it".to_owned());
    };
    number.checked_mul(1 << shift).ok_or_else(|| "more bytes than there are addresses".to_owned())
}

/// A number of bytes with the largest unit that leaves it whole.
pub fn write_bytes(bytes: u64) -> String {
    let unit = UNITS.iter().find(|&&(_, shift)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    unit.map_or_else(|| bytes.to_string(), |&(name, shift)| format!("{}{name}", bytes >> shift))
}

/// A size of pages that an architecture could have.
///
/// # Errors
/// One sentence for the user.
pub fn parse_page_size(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    let can_be = bytes.is_power_of_two() && (4096..=1 << 20).contains(&bytes);
    if can_be { Ok(bytes) } else { Err("no machine has pages of that size".to_owned()) }
}

/// Two addresses in hex with a dash between them.
///
/// # Errors
/// One sentence for the user.
pub fn parse_range(text: &str) -> Result<Window, String> {
    let hex = |part: &str| u64::from_str_radix(part.trim().trim_start_matches("0x"), 16).map_err(|e| e.to_string());
    let (start, end) = text.split_once('-').ok_or("two hex addresses with a dash between them are wanted")?;
    let window = Window { vstart: hex(start)?, vend: hex(end)? };
    if window.vstart < window.vend { Ok(window) } else { Err("the range is empty".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_say_what_they_are() {
        for (text, bytes) in
            [("0", 0), ("1", 1), ("7B", 7), ("64K", 65_536), ("64KiB", 65_536), ("3M", 3 << 20), ("2t", 2 << 40)]
        {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
            assert_eq!(parse_bytes(&write_bytes(bytes)), Ok(bytes));
        }
        for text in ["", "K", "1X", "-1", "1.5M", "99999999999T"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
