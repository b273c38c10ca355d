//! From the server's clock to dates, all of them UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDateTime};

use crate::base::Time;

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Instants {
    pub now: Time,
    pub wall: SystemTime,
}

impl Instants {
    pub fn date(self, time: Time) -> SystemTime {
        let past = self.wall.checked_sub(self.now.since(time));
        let date = past.unwrap_or(UNIX_EPOCH);
        date.checked_add(time.since(self.now)).unwrap_or(date)
    }
}

fn seconds(date: SystemTime) -> NaiveDateTime {
    let since = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    DateTime::from_timestamp(seconds, 0)
        .unwrap_or_default()
        .naive_utc()
}

/// As BIRD writes it with "iso long".
pub fn plain(date: SystemTime) -> String {
    seconds(date).to_string()
}

/// RFC 3339, with this for UTC.
pub fn iso(date: SystemTime, zone: &str) -> String {
    plain(date).replace(' ', "T") + zone
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_utc_and_whole_seconds() {
        let wall = UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
        let now = Time::from_secs(1000);
        let instants = Instants { now, wall };
        assert_eq!(plain(instants.date(now)), "2023-11-14 22:13:20");
        let earlier = instants.date(Time::from_secs(900));
        assert_eq!(iso(earlier, "Z"), "2023-11-14T22:11:40Z");
        let later = instants.date(now + Duration::from_secs(60));
        assert_eq!(iso(later, "+00:00"), "2023-11-14T22:14:20+00:00");
    }
}
