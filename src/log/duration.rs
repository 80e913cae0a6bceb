//! Lengths of time as people write them: `500ms`, `2s`, `1.5h`.

use std::time::Duration;

/// What a number can be followed by, with the milliseconds of one.
const UNITS: [(&str, u32); 6] =
    [("ms", 1), ("s", 1000), ("min", 60_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// The longest that makes sense.
const YEAR: Duration = Duration::from_secs(366 * 86_400);

/// A length of time: a number with `ms`, `s`, `m`, `min`, `h` or `d` behind it; alone it counts seconds.
///
/// # Errors
/// One sentence for the user.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => Some(1000),
        word => UNITS.iter().find(|(name, _)| *name == word).map(|&(_, millis)| millis),
    };
    let is_plain = digits.trim_end().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: Option<f64> = digits.trim_end().parse().ok().filter(|_| is_plain);
    let (Some(number), Some(unit)) = (number, unit) else {
        return Err("a time is a number with ms, s, m, h or d behind it".to_owned());
    };
    let time = Duration::try_from_secs_f64(number * f64::from(unit) / 1000.0).ok();
    time.filter(|time| !time.is_zero() && *time <= YEAR)
        .ok_or_else(|| "a time is more than nothing and at most a year".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_say_what_they_are() {
        for (text, millis) in [
            ("10", 10_000),
            ("10s", 10_000),
            ("2m", 120_000),
            ("2min", 120_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("500ms", 500),
            ("1.5 s", 1500),
            ("0.5h", 1_800_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "s",
            "0",
            "0ms",
            "-1s",
            "1x",
            "nan",
            "inf",
            "1e3s",
            "99999999999999999999",
            "9999999h",
            "two",
            "1.2.3s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
