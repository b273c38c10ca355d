//! From the server's clock to the time of day.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::base::Time;
use crate::runtime::wall_clock;
use crate::wire::TimeOfDay;

use super::data_path::DataPath;

/// What both clocks said at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Calendar {
    pub now: Time,
    /// Since 1970 (UTC).
    wall: Duration,
}

impl Calendar {
    pub fn now(data: &dyn DataPath) -> Calendar {
        Calendar {
            now: data.now(),
            wall: since_epoch(wall_clock()),
        }
    }

    /// Since 1970 (UTC); zero for what would be before.
    pub fn since_epoch(&self, time: Time) -> Duration {
        (self.wall + time.since(self.now)).saturating_sub(self.now.since(time))
    }

    pub fn date(&self, time: Time) -> SystemTime {
        UNIX_EPOCH + self.since_epoch(time)
    }

    pub fn at(&self, time: Time) -> TimeOfDay {
        let at = self.since_epoch(time);
        TimeOfDay {
            seconds: at.as_secs() as u32,
            micros: at.subsec_micros(),
        }
    }
}

pub fn since_epoch(date: SystemTime) -> Duration {
    date.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_and_what_will_be_have_their_dates() {
        let calendar = |wall_ms| Calendar {
            now: Time::from_secs(1000),
            wall: Duration::from_millis(wall_ms),
        };
        let (usual, early) = (1_700_000_000_900, 5_000);
        let cases = [
            ("now", usual, Time::from_secs(1000), 1_700_000_000_900),
            ("then", usual, Time::from_secs(900), 1_699_999_900_900),
            (
                "soon",
                usual,
                Time::from_millis(1_060_100),
                1_700_000_061_000,
            ),
            ("at the start", usual, Time::ZERO, 1_699_999_000_900),
            ("before 1970", early, Time::from_secs(994), 0),
            ("just within it", early, Time::from_secs(996), 1_000),
        ];
        for (case, wall_ms, time, expected_ms) in cases {
            let calendar = calendar(wall_ms);
            let expected = Duration::from_millis(expected_ms);
            assert_eq!(calendar.since_epoch(time), expected, "{case}");
            assert_eq!(calendar.date(time), UNIX_EPOCH + expected, "{case}");
            let at = calendar.at(time);
            let micros = u64::from(at.seconds) * 1_000_000 + u64::from(at.micros);
            assert_eq!(micros, expected_ms * 1_000, "{case}");
        }
    }
}
