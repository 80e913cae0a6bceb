//! Sizes as people write them: `64M`.

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
