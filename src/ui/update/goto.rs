//! `:goto` and `:line`: a number, a distance, a moment, a share, a line of the input or an address.

use super::super::action::Action;
use super::super::app::App;
use super::{actions, arrive, time};
use crate::log::Clock;
use crate::view::script::noun;
use crate::view::{Selection, text};

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goto {
    /// After so many events.
    Event(usize),
    /// After the last event.
    End,
    /// So many events on, or back.
    Events(isize),
    /// So much trace time on, or back.
    Nanos(i64),
    /// A moment of the trace clock.
    Moment(u64),
    /// Thousandths of the trace.
    Share(u32),
    /// A line of the input, from 1.
    Line(u32),
    /// Selects an address.
    Address(u64),
}

/// Reads what stands behind `goto`.
pub(super) fn parse(text: &str) -> Option<Goto> {
    let text = text.trim().replace([',', '_'], "");
    let text = text.as_str();
    match text {
        "start" => return Some(Goto::Event(0)),
        "end" => return Some(Goto::End),
        _ => {}
    }
    if let Some(number) = text.strip_prefix("line") {
        return number.trim().parse().ok().map(Goto::Line);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Goto::Address);
    }
    if let Some(share) = text.strip_suffix('%') {
        let share: f64 = share.parse().ok()?;
        return (0.0..=100.0).contains(&share).then_some(Goto::Share((share * 10.0).round() as u32));
    }
    let (sign, rest) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (Some(if text.starts_with('-') { -1 } else { 1 }), rest),
        None => (None, text),
    };
    if !rest.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if rest.bytes().all(|byte| byte.is_ascii_digit()) {
        let n: usize = rest.parse().ok()?;
        return Some(sign.map_or(Goto::Event(n), |sign| Goto::Events(isize::try_from(n).unwrap_or(isize::MAX) * sign)));
    }
    let nanos = nanos(rest)?;
    Some(sign.map_or(Goto::Moment(nanos), |sign| Goto::Nanos(i64::try_from(nanos).unwrap_or(i64::MAX) * sign as i64)))
}

/// `10ms`, `1.5s`, `3us`: nanoseconds.
fn nanos(text: &str) -> Option<u64> {
    const UNITS: [(&str, f64); 6] = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("min", 6e10), ("s", 1e9)];
    let (number, factor) = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    let number: f64 = number.trim().parse().ok()?;
    (number.is_finite() && 0.0 <= number).then_some((number * factor).round() as u64)
}

/// Goes there, or says why not.
pub(super) fn go(app: &mut App, text: &str) {
    let Some(goto) = parse(text) else {
        app.say(format!("cannot go to {text:?}: try 1234, +10, -500, +10ms, 1.25s, 50%, line 17 or 0xADDRESS"));
        return;
    };
    let n = app.replay.len();
    let here = app.heading();
    if arrive::is_to_come(app, &goto) {
        app.awaited = Some(text.to_owned());
        let stay = app.key(Action::Cancel);
        return app.say(format!("that is not read yet: the cursor goes there when it is; {stay} stays here"));
    }
    let target = match goto {
        Goto::Address(address) => return actions::select(app, Selection::Address(address)),
        Goto::Line(line) => return go_to_line(app, line),
        Goto::Event(target) => target,
        Goto::End => n,
        Goto::Events(by) => here.saturating_add_signed(by),
        Goto::Share(thousandths) => (n as u128 * u128::from(thousandths) / 1_000) as usize,
        Goto::Nanos(_) | Goto::Moment(_) if app.replay.log().origin.clock != Clock::Nanos => {
            return app.say("this input has no time in nanoseconds: give a number of events");
        }
        Goto::Moment(at) => moment(app, at),
        Goto::Nanos(by) => {
            let events = &app.replay.log().events;
            let from = events.get(here.saturating_sub(1)).map_or(0, |event| event.at.0);
            moment(app, from.saturating_add_signed(by))
        }
    };
    time::jump(app, target);
}

/// Goes to the event of a line of the input, or to the first one behind it.
fn go_to_line(app: &mut App, line: u32) {
    if time::refuse_without_events(app) {
        return;
    }
    let found = app.replay.log().events.iter().enumerate().find(|(_, event)| line <= event.line);
    let noun = noun(app.replay.log());
    let Some((index, at)) = found.map(|(index, event)| (index, event.line)) else {
        let last = app.replay.log().events.last().map_or(0, |event| event.line);
        return app.say(format!("no {noun} stands at or behind line {line}: the last one is in line {last}"));
    };
    time::jump(app, index + 1);
    let event = text::count(index as u64 + 1);
    if at == line {
        app.say(format!("line {line} is {noun} {event}"));
    } else {
        app.say(format!("line {line} is no {noun}: {noun} {event}, in line {at}, is the next one"));
    }
}

/// What stands behind `line`.
pub(super) fn line(app: &mut App, text: &str) {
    match text.trim().replace([',', '_'], "").parse() {
        Ok(number) => go_to_line(app, number),
        Err(_) => app.say(format!("{text:?} is no line: try line 17")),
    }
}

/// Events up to a moment of the trace clock.
fn moment(app: &App, at: u64) -> usize {
    let events = &app.replay.log().events;
    // Stamps of different CPUs can stand in the wrong order: the first later one decides.
    events.iter().position(|event| at < event.at.0).unwrap_or(events.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let cases = [
            ("1234", Some(Goto::Event(1234))),
            ("1,234", Some(Goto::Event(1234))),
            ("+10ms", Some(Goto::Nanos(10_000_000))),
            ("-1.5s", Some(Goto::Nanos(-1_500_000_000))),
            ("-500", Some(Goto::Events(-500))),
            ("+3", Some(Goto::Events(3))),
            ("50%", Some(Goto::Share(500))),
            ("1.25s", Some(Goto::Moment(1_250_000_000))),
            ("0xffff800000000000", Some(Goto::Address(0xffff_8000_0000_0000))),
            ("end", Some(Goto::End)),
            ("line 17", Some(Goto::Line(17))),
            ("line", None),
            ("", None),
            ("+", None),
            ("120%", None),
            ("0xzz", None),
            ("5 parsecs", None),
            ("99999999999999999999999", None),
            ("-", None),
            ("é", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
