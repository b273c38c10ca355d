//! How dates are written, all of them UTC.

use std::time::SystemTime;

use chrono::{DateTime, NaiveDateTime};

use super::super::calendar::since_epoch;

fn seconds(date: SystemTime) -> NaiveDateTime {
    let seconds = i64::try_from(since_epoch(date).as_secs()).unwrap_or_default();
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
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn dates_are_utc_and_whole_seconds() {
        let date = UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
        assert_eq!(plain(date), "2023-11-14 22:13:20");
        assert_eq!(iso(date, "Z"), "2023-11-14T22:13:20Z");
        let later = date + Duration::from_secs(60);
        assert_eq!(iso(later, "+00:00"), "2023-11-14T22:14:20+00:00");
    }
}
