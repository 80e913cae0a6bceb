//! [`Speed`]: how fast a trace plays, in events or in its own time.

use std::time::Duration;

/// What is counted while playing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// So many events a second.
    Events,
    /// So much trace time a second.
    TraceTime,
}

/// Events a second.
const EVENTS: &[u32] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 20_000, 100_000];
/// Nanoseconds of the trace in a second, and how to say it.
const TIMES: &[(u64, &str)] = &[
    (10_000, "10 us"),
    (100_000, "100 us"),
    (1_000_000, "1 ms"),
    (10_000_000, "10 ms"),
    (100_000_000, "100 ms"),
    (250_000_000, "250 ms"),
    (1_000_000_000, "1 s"),
    (4_000_000_000, "4 s"),
    (10_000_000_000, "10 s"),
    (60_000_000_000, "1 min"),
    (600_000_000_000, "10 min"),
];

/// A speed: a place in one of the two tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Speed {
    pub(crate) unit: Unit,
    events: usize,
    time: usize,
}

impl Default for Speed {
    fn default() -> Self {
        Self { unit: Unit::Events, events: 3, time: 4 }
    }
}

impl Speed {
    /// The next faster (`1`) or slower (`-1`) one.
    pub(crate) fn change(&mut self, by: isize) {
        let (at, last) = match self.unit {
            Unit::Events => (&mut self.events, EVENTS.len() - 1),
            Unit::TraceTime => (&mut self.time, TIMES.len() - 1),
        };
        *at = at.saturating_add_signed(by).min(last);
    }

    /// The other unit.
    pub(crate) fn exchange(&mut self) {
        self.unit = match self.unit {
            Unit::Events => Unit::TraceTime,
            Unit::TraceTime => Unit::Events,
        };
    }

    /// What `elapsed` is worth: thousandths of an event, or nanoseconds of the trace.
    pub(crate) fn worth(self, elapsed: Duration) -> u64 {
        match self.unit {
            Unit::Events => (elapsed.as_micros() as u64).saturating_mul(u64::from(EVENTS[self.events])) / 1_000,
            Unit::TraceTime => {
                let nanos = elapsed.as_nanos() * u128::from(TIMES[self.time].0) / 1_000_000_000;
                u64::try_from(nanos).unwrap_or(u64::MAX)
            }
        }
    }

    /// In words.
    pub(crate) fn label(self) -> String {
        match self.unit {
            Unit::Events => match EVENTS[self.events] {
                1 => "1 event/s".to_owned(),
                n => format!("{} events/s", crate::view::text::count(u64::from(n))),
            },
            Unit::TraceTime => format!("{} of the trace/s", TIMES[self.time].1),
        }
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
}
