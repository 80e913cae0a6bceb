//! The grammar, in nom. What is wrong is kept with the place it was found at.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{map, opt, recognize, value, verify};
use nom::error::{ErrorKind, ParseError};
use nom::multi::separated_list1;
use nom::sequence::{delimited, pair, preceded};
use nom::{Err, IResult, Parser};

use super::near::near;
use super::{
    Comparison, Condition, ConditionError, Figure, MAX_BYTES, MAX_DEPTH, Measure, Number, Pattern, RecordKind,
    RecordTest, Unit, WORDS,
};

/// Where it went wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong<'a> {
    /// The text from there on.
    rest: &'a str,
    /// Bytes there that are wrong.
    len: usize,
    /// What is wrong; empty for what a combinator says by itself.
    what: String,
    near: Vec<&'static str>,
}

impl<'a> ParseError<&'a str> for Wrong<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Self { rest, len: 0, what: String::new(), near: Vec::new() }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Res<'a, T> = IResult<&'a str, T, Wrong<'a>>;

fn wrong<T>(rest: &str, len: usize, what: impl Into<String>) -> Res<'_, T> {
    Err(Err::Failure(Wrong { rest, len, what: what.into(), near: Vec::new() }))
}

/// Bytes of the word or sign that a text begins with, to be underlined.
fn first_len(rest: &str) -> usize {
    let word = rest.find(|c: char| c.is_whitespace() || "()\"<>=!&|".contains(c)).unwrap_or(rest.len());
    if word > 0 { word } else { rest.chars().next().map_or(0, char::len_utf8) }
}

pub(super) fn read(text: &str) -> Result<Condition, ConditionError> {
    if text.len() > MAX_BYTES {
        let at = (0..=MAX_BYTES).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let what = format!("a condition is {MAX_BYTES} bytes long at most");
        return Err(ConditionError { at, len: 0, what, near: Vec::new() });
    }
    let place = |rest: &str| text.len() - rest.len();
    match any(text, 0) {
        Ok((rest, condition)) => {
            let rest = rest.trim_start();
            if rest.is_empty() {
                return Ok(condition);
            }
            let what = match rest.chars().next() {
                Some(')') => "no parenthesis is open here",
                _ => "a condition ends before this; and, or join it to another",
            };
            let near = near(&rest[..first_len(rest)], ["and", "or"].into_iter());
            Err(ConditionError { at: place(rest), len: first_len(rest), what: what.to_owned(), near })
        }
        Err(Err::Error(found) | Err::Failure(found)) => {
            let what = if found.what.is_empty() { "this is no condition".to_owned() } else { found.what };
            Err(ConditionError { at: place(found.rest), len: found.len, what, near: found.near })
        }
        Err(Err::Incomplete(_)) => unreachable!("complete parsers never ask for more"),
    }
}

fn blanks<'a, T>(inner: impl Parser<&'a str, Output = T, Error = Wrong<'a>>) -> impl FnMut(&'a str) -> Res<'a, T> {
    let mut parser = preceded(multispace0, inner);
    move |input| parser.parse(input)
}

fn word(input: &str) -> Res<'_, &str> {
    recognize(pair(take_while1(|c: char| c.is_ascii_alphabetic() || c == '_'), take_while(is_word))).parse(input)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn keyword<'a>(name: &'static str) -> impl FnMut(&'a str) -> Res<'a, &'a str> {
    blanks(verify(word, move |found: &str| found.eq_ignore_ascii_case(name)))
}

fn any(input: &str, depth: usize) -> Res<'_, Condition> {
    let or = alt((keyword("or"), blanks(tag("||"))));
    let (rest, mut parts) = separated_list1(or, |input| all(input, depth)).parse(input)?;
    Ok((rest, if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) }))
}

fn all(input: &str, depth: usize) -> Res<'_, Condition> {
    let and = alt((keyword("and"), blanks(tag("&&"))));
    let (rest, mut parts) = separated_list1(and, |input| one(input, depth)).parse(input)?;
    Ok((rest, if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) }))
}

fn one(input: &str, depth: usize) -> Res<'_, Condition> {
    let input = input.trim_start();
    if depth > MAX_DEPTH {
        return wrong(input, first_len(input), format!("more than {MAX_DEPTH} parentheses and nots inside each other"));
    }
    let negation = alt((keyword("not"), recognize(pair(char('!'), multispace0))));
    if let (rest, Some(_)) = opt(negation).parse(input)? {
        return map(|input| one(input, depth + 1), |inner| Condition::Not(Box::new(inner))).parse(rest);
    }
    let Some(inside) = input.strip_prefix('(') else { return test(input) };
    let (rest, condition) = any(inside, depth + 1)?;
    match rest.trim_start().strip_prefix(')') {
        Some(rest) => Ok((rest, condition)),
        None if rest.trim_start().is_empty() => wrong(input, 1, "this parenthesis is not closed"),
        None => wrong(rest.trim_start(), first_len(rest.trim_start()), "and, or or ) is missing here"),
    }
}

fn comparison(input: &str) -> Res<'_, Comparison> {
    blanks(alt((
        value(Comparison::AtMost, tag("<=")),
        value(Comparison::AtLeast, tag(">=")),
        value(Comparison::Unequal, tag("!=")),
        value(Comparison::Equal, tag("==")),
        value(Comparison::Less, tag("<")),
        value(Comparison::More, tag(">")),
        value(Comparison::Equal, tag("=")),
    )))
    .parse(input)
}

fn test(input: &str) -> Res<'_, Condition> {
    let Ok((rest, name)) = word(input) else {
        let what = if input.is_empty() { "a condition is missing here" } else { "a condition begins with a word" };
        return wrong(input, first_len(input), what);
    };
    let lower = name.to_ascii_lowercase();
    let (after, compared) = opt(comparison).parse(rest)?;
    match lower.as_str() {
        "kind" => named_kind(rest),
        "addr" => matched(rest, address),
        "task" => matched(rest, |input| map(pattern, RecordTest::Task).parse(input)),
        "caller" => matched(rest, |input| map(pattern, RecordTest::Caller).parse(input)),
        "size" | "align" => {
            let comparison = compared.unwrap_or(Comparison::Equal);
            let (rest, number) = number(after, Measure::Bytes, name)?;
            let is_size = lower == "size";
            let test =
                if is_size { RecordTest::Size(comparison, number) } else { RecordTest::Align(comparison, number) };
            Ok((rest, Condition::Record(test)))
        }
        "cpu" => {
            let at = after.trim_start();
            let (rest, found) = number(after, Measure::Count, name)?;
            if found.billionths > 0 {
                return wrong(at, first_len(at), "a CPU is a whole number");
            }
            let comparison = compared.unwrap_or(Comparison::Equal);
            Ok((rest, Condition::Record(RecordTest::Cpu(comparison, found.whole))))
        }
        _ => plain(input, name, rest),
    }
}

/// A figure with its comparison, or a kind of record alone.
fn plain<'a>(input: &'a str, name: &'a str, rest: &'a str) -> Res<'a, Condition> {
    let (after, compared) = opt(comparison).parse(rest)?;
    match (Figure::named(name), compared, RecordKind::named(name)) {
        (Some(figure), Some(comparison), _) => {
            let (rest, number) = number(after, figure.measure(), name)?;
            Ok((rest, Condition::State(figure, comparison, number)))
        }
        (_, None, Some(kind)) => Ok((rest, Condition::Record(RecordTest::Kind(kind)))),
        (Some(_), None, None) => {
            let rest = rest.trim_start();
            wrong(rest, first_len(rest), format!("{name} needs a comparison: < <= > >= = !="))
        }
        (None, Some(_), Some(_)) => {
            let rest = rest.trim_start();
            wrong(rest, first_len(rest), format!("{name} is not compared with anything"))
        }
        (None, _, None) => {
            let words = WORDS.iter().map(|word| word.word).chain(["not"]);
            let what = format!("nothing is called {name}");
            Err(Err::Failure(Wrong { rest: input, len: name.len(), what, near: near(name, words) }))
        }
    }
}

/// `=` or nothing, or `!=`: what follows, or the contrary.
fn matched<'a>(rest: &'a str, inner: impl FnOnce(&'a str) -> Res<'a, RecordTest>) -> Res<'a, Condition> {
    let (after, compared) = opt(comparison).parse(rest)?;
    let (left, test) = inner(after.trim_start())?;
    let test = Condition::Record(test);
    match compared {
        None | Some(Comparison::Equal) => Ok((left, test)),
        Some(Comparison::Unequal) => Ok((left, Condition::Not(Box::new(test)))),
        Some(_) => {
            let rest = rest.trim_start();
            wrong(rest, first_len(rest), "this has no order: = or != compare it")
        }
    }
}

fn named_kind(rest: &str) -> Res<'_, Condition> {
    matched(rest, |input| {
        let found = word(input).ok().and_then(|(left, name)| Some((left, RecordKind::named(name)?)));
        match found {
            Some((left, kind)) => Ok((left, RecordTest::Kind(kind))),
            None => {
                let len = first_len(input);
                let kinds = || RecordKind::ALL.iter().map(|kind| kind.word());
                let what = format!("a kind is one of {}", kinds().collect::<Vec<_>>().join(", "));
                let near = near(&input[..len], kinds());
                Err(Err::Failure(Wrong { rest: input, len, what, near }))
            }
        }
    })
}

fn address(input: &str) -> Res<'_, RecordTest> {
    let digits = input.strip_prefix("0x").or_else(|| input.strip_prefix("0X")).unwrap_or(input);
    let n = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    match u64::from_str_radix(&digits[..n], 16) {
        Ok(addr) if !digits[n..].starts_with(is_word) => Ok((&digits[n..], RecordTest::Addr(addr))),
        _ => wrong(input, first_len(input), "an address is up to 16 hex digits: addr 0xffffc90000004000"),
    }
}

/// What can stand in a name without quotes.
pub(super) fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !"()\"&|".contains(c)
}

fn pattern(input: &str) -> Res<'_, Pattern> {
    let quoted = delimited(char('"'), take_while(|c| c != '"'), char('"'));
    let mut text = alt((quoted, take_while1(is_bare)));
    match text.parse(input) {
        Ok((rest, found)) => Ok((rest, Pattern::new(found))),
        Err(Err::Error(_)) if input.starts_with('"') => wrong(input, 1, "this quote is not closed"),
        Err(Err::Error(_)) => wrong(input, first_len(input), "a name is missing here; * and ? stand for letters"),
        Err(other) => Err(other),
    }
}

fn number<'a>(input: &'a str, measure: Measure, name: &str) -> Res<'a, Number> {
    let input = input.trim_start();
    let fail = |rest: &'a str, what: String| wrong(rest, first_len(rest), what);
    if let Some(digits) = input.strip_prefix("0x") {
        let n = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
        return match u64::from_str_radix(&digits[..n], 16) {
            Ok(whole) if !digits[n..].starts_with(is_word) => {
                Ok((&digits[n..], Number { whole, billionths: 0, unit: Unit::None }))
            }
            _ => fail(input, "a hex number has 1 to 16 digits and no unit".to_owned()),
        };
    }
    let is_digit = |c: char| c.is_ascii_digit() || c == '_';
    let n = input.find(|c| !is_digit(c)).unwrap_or(input.len());
    if !input.starts_with(|c: char| c.is_ascii_digit()) {
        return fail(input, format!("{name} is compared with a number; units: {}", Unit::of(measure)));
    }
    let (whole, mut rest) = input.split_at(n);
    let mut fraction = "";
    if let Some(behind) = rest.strip_prefix('.') {
        let n = behind.find(|c| !is_digit(c)).unwrap_or(behind.len());
        (fraction, rest) = behind.split_at(n);
    }
    // A unit can stand apart; `and` and `or` are none.
    let apart = rest.trim_start();
    let n = apart.find(|c: char| !is_word(c) && c != '%').unwrap_or(apart.len());
    let text = &apart[..n];
    let unit = match Unit::named(text) {
        Some(unit) => {
            rest = &apart[n..];
            unit
        }
        None if apart.len() == rest.len() && !text.is_empty() => {
            return fail(apart, format!("{text:?} is no unit of {name}; units: {}", Unit::of(measure)));
        }
        None => Unit::None,
    };
    if !unit.fits(measure) {
        return fail(apart, format!("{text:?} is no unit of {name}; units: {}", Unit::of(measure)));
    }
    match Number::of_digits(whole, fraction, unit) {
        Some(number) => Ok((rest, number)),
        None => fail(input, "a number has up to 19 digits, and up to 9 behind the point".to_owned()),
    }
}

#[cfg(test)]
mod tests;
