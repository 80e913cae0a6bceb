//! [`Speed`]: how fast a trace plays, in events or in its own time.

use std::time::Duration;

use crate::view::text::count;

/// What is counted while playing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// So many events a second.
    Events,
    /// So much trace time a second.
    TraceTime,
}

/// Events a second, as `]` and `[` go through them.
const EVENTS: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 20_000, 100_000];
/// Nanoseconds of the trace in a second.
const TIMES: &[u64] = &[
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
    4_000_000_000,
    10_000_000_000,
    60_000_000_000,
    600_000_000_000,
];
/// Faster is a jump.
const MOST_EVENTS: u64 = 10_000_000;
/// An hour in a second.
const MOST_NANOS: u64 = 3_600_000_000_000;

/// A speed of each unit, and which of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Speed {
    pub(crate) unit: Unit,
    events: u64,
    nanos: u64,
}

impl Default for Speed {
    fn default() -> Self {
        Self { unit: Unit::Events, events: 10, nanos: 100_000_000 }
    }
}

impl Speed {
    /// So many steps faster, or slower.
    pub(crate) fn change(&mut self, by: isize) {
        let (value, table) = match self.unit {
            Unit::Events => (&mut self.events, EVENTS),
            Unit::TraceTime => (&mut self.nanos, TIMES),
        };
        for _ in 0..by.unsigned_abs().min(table.len()) {
            let next = if by < 0 {
                table.iter().rev().find(|&&known| known < *value)
            } else {
                table.iter().find(|&&known| *value < known)
            };
            *value = next.copied().unwrap_or(*value);
        }
    }

    /// The other unit.
    pub(crate) fn exchange(&mut self) {
        self.unit = match self.unit {
            Unit::Events => Unit::TraceTime,
            Unit::TraceTime => Unit::Events,
        };
    }

    /// Reads `1000/s` or `1000` (events), `2x` or `10ms/s` (of the trace).
    pub(crate) fn parse(self, text: &str) -> Option<Self> {
        const TIME: [(&str, f64); 6] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("min", 6e10), ("s", 1e9), ("x", 1e9)];
        let text = text.trim().replace([',', '_', ' '], "");
        let text = text.strip_suffix("/s").or(text.strip_suffix("events")).unwrap_or(&text);
        let text = text.strip_suffix("events").unwrap_or(text);
        if let Ok(events) = text.parse::<u64>() {
            return (1..=MOST_EVENTS).contains(&events).then_some(Self { unit: Unit::Events, events, ..self });
        }
        let (number, factor) = TIME.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
        let nanos = number.parse::<f64>().ok().filter(|number| number.is_finite())? * factor;
        let nanos = if (1.0..=MOST_NANOS as f64).contains(&nanos) { nanos.round() as u64 } else { return None };
        Some(Self { unit: Unit::TraceTime, nanos, ..self })
    }

    /// What `elapsed` is worth: thousandths of an event, or nanoseconds of the trace.
    pub(crate) fn worth(self, elapsed: Duration) -> u64 {
        match self.unit {
            Unit::Events => (elapsed.as_micros() as u64).saturating_mul(self.events) / 1_000,
            Unit::TraceTime => {
                let nanos = elapsed.as_nanos() * u128::from(self.nanos) / 1_000_000_000;
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        }
    }

    /// In words.
    pub(crate) fn label(self) -> String {
        match (self.unit, self.events) {
            (Unit::Events, 1) => "1 event/s".to_owned(),
            (Unit::Events, n) => format!("{} events/s", count(n)),
            (Unit::TraceTime, _) => format!("{} of the trace/s", duration(self.nanos)),
        }
    }
}

/// `250 ms`, `1.5 s`, `10 min`.
fn duration(nanos: u64) -> String {
    const UNITS: [(u64, &str); 5] =
        [(60_000_000_000, "min"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
    let (unit, name) = UNITS.iter().find(|(unit, _)| *unit <= nanos).copied().unwrap_or((1, "ns"));
    let (whole, rest) = (nanos / unit, nanos % unit * 1_000 / unit);
    match rest {
        0 => format!("{whole} {name}"),
        _ => format!("{whole}.{} {name}", format!("{rest:03}").trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_stop_at_the_ends_of_their_tables() {
        let mut speed = Speed::default();
        assert_eq!(speed.label(), "10 events/s");
        assert_eq!(speed.worth(Duration::from_millis(500)), 5_000);
        speed.change(-9);
        assert_eq!(speed.label(), "1 event/s");
        speed.exchange();
        speed.change(100);
        assert_eq!(speed.label(), "10 min of the trace/s");
        assert_eq!(speed.worth(Duration::from_millis(1)), 600_000_000);
    }

    #[test]
    fn a_speed_can_be_typed() {
        let label = |text: &str| Speed::default().parse(text).map(Speed::label);
        let cases = [
            ("1000/s", Some("1,000 events/s")),
            ("1_000", Some("1,000 events/s")),
            ("1,000 events/s", Some("1,000 events/s")),
            ("2x", Some("2 s of the trace/s")),
            ("0.5x", Some("500 ms of the trace/s")),
            ("10ms/s", Some("10 ms of the trace/s")),
            ("1.5s", Some("1.5 s of the trace/s")),
            ("0", None),
            ("-3x", None),
            ("infx", None),
            ("fast", None),
            ("99999999999", None),
        ];
        for (text, expected) in cases {
            assert_eq!(label(text).as_deref(), expected, "{text}");
        }
        let mut speed = Speed::default().parse("3").unwrap();
        speed.change(1);
        assert_eq!(speed.label(), "5 events/s");
        speed.change(-2);
        assert_eq!(speed.label(), "1 event/s");
    }
}
