//! Sizes and ranges as people write them: `64M`.

use crate::log::Window;

/// A number of bytes, with K, M or G behind it or nothing.
///
/// # Errors
/// One sentence for the user.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KIB" => 10,
        "M" | "MIB" => 20,
        "G" | "GIB" => 30,
        _ => return Err("a size is a number of bytes, or one with K, M or G behind it".to_owned()),
    };
    let number = digits.parse::<u64>().map_err(|error| error.to_string())?;
    number.checked_mul(1 << shift).ok_or_else(|| "more bytes than there are addresses".to_owned())
}

/// What any architecture could have.
///
/// # Errors
/// One sentence for the user.
pub fn parse_page_size(text: &str) -> Result<u64, String> {
    let bytes: u64 = text.parse().map_err(|_| "a number of bytes is wanted".to_owned())?;
    let can_be = bytes.is_power_of_two() && (4096..=1 << 20).contains(&bytes);
    if can_be { Ok(bytes) } else { Err("no machine has pages of that size".to_owned()) }
}

/// `START-END` in hex.
///
/// # Errors
/// One sentence for the user.
pub fn parse_range(text: &str) -> Result<Window, String> {
    let hex = |part: &str| u64::from_str_radix(part.trim().trim_start_matches("0x"), 16).map_err(|e| e.to_string());
    let (start, end) = text.split_once('-').ok_or("two hex addresses with a dash between them are wanted")?;
    let window = Window { vstart: hex(start)?, vend: hex(end)? };
    if window.vstart < window.vend { Ok(window) } else { Err("the range is empty".to_owned()) }
}
