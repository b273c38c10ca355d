//! How many lines of one client go into the log: a client that comes and goes all day must not push out what
//! matters. What is left out is counted, and the next line says so.

use std::time::Duration;

use crate::base::Time;

/// Lines of a client in a minute.
pub(super) const LINES_MAX: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct LogLines {
    /// When the present minute ends.
    until: Time,
    said: u32,
    left_out: u64,
}

impl LogLines {
    /// Whether one more may be said, and if so how many were left out before it.
    pub fn take(&mut self, now: Time) -> Option<u64> {
        if now >= self.until {
            (self.until, self.said) = (now + MINUTE, 0);
        }
        if self.said == LINES_MAX {
            self.left_out += 1;
            return None;
        }
        self.said += 1;
        Some(std::mem::take(&mut self.left_out))
    }

    /// When it is to be said that lines were left out, where no other line says so before.
    pub fn due(&self) -> Option<Time> {
        (self.left_out > 0).then_some(self.until)
    }

    /// How many were left out, if that is due.
    pub fn take_due(&mut self, now: Time) -> Option<u64> {
        self.due().filter(|due| *due <= now)?;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_lines_and_what_is_left_out_is_told_once() {
        let mut lines = LogLines::default();
        let start = Time::from_secs(100);
        for line in 0..LINES_MAX {
            assert_eq!(lines.take(start), Some(0), "line {line}");
        }
        assert_eq!(
            (lines.take(start), lines.due()),
            (None, Some(start + MINUTE))
        );
        assert_eq!(lines.take(Time::from_secs(159)), None);
        assert_eq!(lines.take_due(Time::from_secs(159)), None);
        assert_eq!(lines.take(Time::from_secs(160)), Some(2), "a new minute");
        assert_eq!(
            (lines.take(Time::from_secs(161)), lines.due()),
            (Some(0), None)
        );
    }

    #[test]
    fn where_no_other_line_comes_the_count_is_due_at_the_end_of_the_minute() {
        let mut lines = LogLines::default();
        for _ in 0..LINES_MAX + 3 {
            let _ = lines.take(Time::from_secs(5));
        }
        assert_eq!(lines.take_due(Time::from_secs(65)), Some(3));
        assert_eq!(
            (lines.take_due(Time::from_secs(66)), lines.due()),
            (None, None)
        );
    }
}
