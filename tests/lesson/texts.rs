//! What holds for the texts of every lesson.

use super::stops::all;

/// A stop fits the band of a screen of 80 by 24, whose rows hold 78 letters.
const LONGEST: usize = 400;

#[test]
fn texts_are_short_and_lessons_neither_long_nor_short() {
    for (name, stops) in all() {
        assert!((7..=13).contains(&stops.len()), "{name} has {} stops", stops.len());
        for stop in stops {
            assert!(stop.text.chars().count() <= LONGEST, "{name}: {}", stop.text);
        }
    }
}

#[test]
fn every_address_in_a_text_is_one_that_the_model_has_met() {
    let mut n = 0;
    for (name, stops) in all() {
        for stop in stops {
            for hex in stop.text.split("0x").skip(1) {
                let digits: String = hex.chars().take_while(char::is_ascii_hexdigit).collect();
                let address = u64::from_str_radix(&digits, 16).expect("an address");
                assert!(stop.knows(address), "{name}: 0x{digits} in: {}", stop.text);
                n += 1;
            }
        }
    }
    assert!(20 < n, "addresses are found at all: {n}");
}
