//! What is read, what is refused and where, and that printing a condition and reading it again is the identity.

use proptest::prelude::*;

use super::super::*;
use super::read;

fn printed(text: &str) -> String {
    match read(text) {
        Ok(condition) => condition.to_string(),
        Err(error) => format!("{text}\n{}\n{error}", error.caret(text)),
    }
}

#[test]
fn every_form_is_read() {
    let cases = [
        ("failed", "failed"),
        ("  FAILED ", "failed"),
        ("kind alloc", "alloc"),
        ("kind != alloc", "not alloc"),
        ("addr 0xffffc90000004000", "addr 0xffffc90000004000"),
        ("addr = c0de", "addr 0xc0de"),
        ("size > 1M", "size > 1M"),
        ("size 20K", "size = 20K"),
        ("size == 20 KiB", "size = 20K"),
        ("size >= 0x1000", "size >= 4096"),
        ("align != 1", "align != 1"),
        ("caller xfs_*", "caller xfs_*"),
        ("caller != xfs_*", "not caller xfs_*"),
        ("task \"kworker/0:1 (x)\"", "task \"kworker/0:1 (x)\""),
        ("task 77", "task 77"),
        ("cpu 3", "cpu 3"),
        ("cpu >= 2", "cpu >= 2"),
        ("largest_hole<2M", "largest_hole < 2M"),
        ("lazy > 100M", "lazy > 100M"),
        ("lazy > 25600 pages", "lazy > 25600 pages"),
        ("lazy > 1_000", "lazy > 1000"),
        ("fragmentation > 0.5", "fragmentation > 0.5"),
        ("fragmentation > 50%", "fragmentation > 50%"),
        ("time > 1.5s", "time > 1.5s"),
        ("free", "free"),
        ("free < 1G", "free < 1G"),
        ("failed or lost and mark", "failed or lost and mark"),
        ("(failed or lost) and mark", "(failed or lost) and mark"),
        ("not failed and not (lost or mark)", "not failed and not (lost or mark)"),
        ("!failed && !lost || mark", "not failed and not lost or mark"),
        ("busy > 1 and holes > 2 or not not failed", "busy > 1 and holes > 2 or not not failed"),
    ];
    for (text, expected) in cases {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_is_pointed_at() {
    let cases = [
        ("", "^\na condition is missing here"),
        ("largest_hol < 2M", "^^^^^^^^^^^\nnothing is called largest_hol; near: largest_hole"),
        ("failed and", "          ^\na condition is missing here"),
        ("failed lost", "       ^^^^\na condition ends before this; and, or join it to another"),
        ("(failed", "^\nthis parenthesis is not closed"),
        ("failed)", "      ^\nno parenthesis is open here"),
        ("(failed lost)", "        ^^^^\nand, or or ) is missing here"),
        ("lazy", "    ^\nlazy needs a comparison: < <= > >= = !="),
        ("lazy > 5s", "        ^\n\"s\" is no unit of lazy; units: B K M G T pages"),
        ("size > 1Q", "        ^\n\"Q\" is no unit of size; units: B K M G T pages"),
        ("holes > x", "        ^\nholes is compared with a number; units: none"),
        ("kind aloc", "     ^^^^\na kind is one of"),
        ("task > x", "     ^\nthis has no order: = or != compare it"),
        ("failed > 3", "       ^\nfailed is not compared with anything"),
        ("addr fish", "     ^^^^\nan address is up to 16 hex digits"),
        ("task \"x", "     ^\nthis quote is not closed"),
        ("failed and é", "           ^\na condition begins with a word"),
        ("cpu 1.5", "    ^^^\na CPU is a whole number"),
        ("size > 99999999999999999999", "       ^^^^^^^^^^^^^^^^^^^^\na number has up to 19 digits"),
    ];
    for (text, expected) in cases {
        let said = printed(text);
        let said = said.strip_prefix(text).unwrap_or_else(|| panic!("{text} is read as {said}"));
        let said = said.trim_start_matches('\n');
        assert!(said.starts_with(expected), "{text}\n{said}\n{expected}");
    }
}

#[test]
fn every_word_has_an_example_that_is_read_and_is_about_what_it_says() {
    for word in WORDS {
        let condition = read(word.example).unwrap_or_else(|error| panic!("{}: {error}", word.example));
        assert_eq!(condition.is_about_records(), !word.of_state, "{}", word.word);
        assert!(word.example.starts_with(word.word));
    }
    for word in RecordKind::ALL.iter().map(|kind| kind.word()).chain(Figure::ALL.iter().map(|figure| figure.word())) {
        assert!(WORDS.iter().any(|known| known.word == word), "{word} is in no help");
    }
}

#[test]
fn nesting_has_an_end() {
    let deep = |n: usize| format!("{}failed{}", "(".repeat(n), ")".repeat(n));
    assert!(read(&deep(MAX_DEPTH)).is_ok());
    assert!(read(&deep(MAX_DEPTH + 1)).is_err());
    assert!(read(&"not ".repeat(200)).is_err());
    assert!(read(&"é".repeat(MAX_BYTES)).is_err());
}

#[test]
fn patterns_match_whole_names() {
    let matches = |pattern: &str, name: &str| Pattern::new(pattern).matches(name.as_bytes());
    assert!(matches("xfs_*", "xfs_buf_map") && !matches("xfs_*", "_xfs_buf"));
    assert!(
        matches("*buf*", "xfs_buf_map") && matches("XFS", "XFS") && matches("xfs", "XFS") && !matches("Xfs", "xfs")
    );
    assert!(matches("a?c", "abc") && !matches("a?c", "ac") && matches("*", "") && matches("", ""));
    assert!(!matches(&"a*".repeat(30), &"a".repeat(29)));
    assert!(matches(&"a*".repeat(30), &"a".repeat(300)));
}

fn numbers(measure: Measure) -> impl Strategy<Value = Number> {
    let units: &[Unit] = match measure {
        Measure::Bytes | Measure::Pages => &[Unit::None, Unit::Bytes(0), Unit::Bytes(2), Unit::Bytes(4), Unit::Pages],
        Measure::Count => &[Unit::None],
        Measure::Share => &[Unit::None, Unit::Percent],
        Measure::Time => &[Unit::None, Unit::Time(1_000), Unit::Time(60_000_000_000)],
    };
    (any::<u64>(), 0_u32..1_000_000_000, prop::sample::select(units)).prop_map(|(whole, billionths, unit)| Number {
        whole,
        billionths,
        unit,
    })
}

fn comparisons() -> impl Strategy<Value = Comparison> {
    use Comparison::{AtLeast, AtMost, Equal, Less, More, Unequal};
    prop::sample::select(&[Less, AtMost, More, AtLeast, Equal, Unequal][..])
}

fn tests() -> impl Strategy<Value = Condition> {
    let names = "[a-z0-9_*?/:. =!<-]{0,9}".prop_map(|text| Pattern::new(&text));
    let record = prop_oneof![
        prop::sample::select(RecordKind::ALL).prop_map(RecordTest::Kind),
        any::<u64>().prop_map(RecordTest::Addr),
        (comparisons(), numbers(Measure::Bytes)).prop_map(|(c, n)| RecordTest::Size(c, n)),
        (comparisons(), numbers(Measure::Bytes)).prop_map(|(c, n)| RecordTest::Align(c, n)),
        names.clone().prop_map(RecordTest::Caller),
        names.prop_map(RecordTest::Task),
        (comparisons(), any::<u64>()).prop_map(|(c, n)| RecordTest::Cpu(c, n)),
    ];
    let state = prop::sample::select(Figure::ALL).prop_flat_map(|figure| {
        (Just(figure), comparisons(), numbers(figure.measure())).prop_map(|(f, c, n)| Condition::State(f, c, n))
    });
    prop_oneof![record.prop_map(Condition::Record), state]
}

/// Nested lists of one sort are printed without parentheses and read as one list.
fn flat(condition: Condition) -> Condition {
    let merge = |parts: Vec<Condition>, is_all: bool| {
        let parts = parts.into_iter().map(flat);
        parts
            .flat_map(|part| match part {
                Condition::All(inner) if is_all => inner,
                Condition::Any(inner) if !is_all => inner,
                other => vec![other],
            })
            .collect()
    };
    match condition {
        Condition::All(parts) => Condition::All(merge(parts, true)),
        Condition::Any(parts) => Condition::Any(merge(parts, false)),
        Condition::Not(inner) => Condition::Not(Box::new(flat(*inner))),
        other => other,
    }
}

fn conditions() -> impl Strategy<Value = Condition> {
    tests().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Condition::Any),
            inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn printing_and_reading_is_the_identity(condition in conditions()) {
        let text = condition.to_string();
        prop_assume!(text.len() <= MAX_BYTES);
        let again = read(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        // A list in parentheses inside a list of its sort stays apart.
        prop_assert_eq!(flat(again), flat(condition));
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_inside(text in "\\PC{0,60}|[a-z_<>=!()\"0-9.%&| ]{0,60}") {
        if let Err(error) = read(&text) {
            prop_assert!(error.at + error.len <= text.len() && text.is_char_boundary(error.at));
            prop_assert!(text.is_char_boundary(error.at + error.len));
            prop_assert!(!error.caret(&text).is_empty() && !error.to_string().is_empty());
        }
    }
}
