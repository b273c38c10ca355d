//! `accepted_action = "reject"`: when all routes of a client and family are rejected. One prefix that
//! comes and goes must not take all the others along each time.

use crate::base::Time;
use crate::server::exchange::RejectionEnd;

/// Begins when more than `accepted_max` are accepted, ends as [`RejectionEnd`] says.
#[derive(Default, Debug)]
pub(super) struct Rejection {
    is_on: bool,
    /// Since when few enough are accepted.
    calm_since: Option<Time>,
}

impl Rejection {
    /// Whether it is on now that so many are accepted, and at most `peak` were since the last time.
    pub fn review(
        &mut self,
        now: Time,
        (peak, accepted): (i64, i64),
        max: u32,
        end: &RejectionEnd,
    ) -> bool {
        let max = i64::from(max);
        let calm = max * i64::from(end.calm_percent) / 100;
        self.is_on |= peak > max;
        if peak > calm {
            self.calm_since = None;
        }
        if self.is_on && accepted <= calm {
            let since = *self.calm_since.get_or_insert(now);
            if now >= since + end.hold {
                *self = Rejection::default();
            }
        }
        self.is_on
    }

    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// When it ends if no more are accepted until then.
    pub fn ends(&self, end: &RejectionEnd) -> Option<Time> {
        self.calm_since.map(|since| since + end.hold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::exchange::FanoutLimits;

    /// What is accepted at which second, the most since the second before, and whether all is rejected.
    type Moment = (u64, i64, i64, bool);

    #[test]
    fn it_begins_above_the_maximum_and_ends_after_a_minute_well_below() {
        let cases: [(&str, u32, &[Moment]); 7] = [
            (
                "the maximum itself is allowed",
                100,
                &[(1, 100, 100, false)],
            ),
            (
                "just below is not enough, however long",
                100,
                &[
                    (1, 101, 101, true),
                    (2, 101, 91, true),
                    (9_000, 91, 91, true),
                ],
            ),
            (
                "a minute at nine tenths is",
                100,
                &[
                    (1, 101, 101, true),
                    (2, 101, 90, true),
                    (61, 90, 90, true),
                    (62, 90, 90, false),
                ],
            ),
            (
                "the minute begins anew after a moment above",
                100,
                &[
                    (1, 101, 80, true),
                    (40, 91, 80, true),
                    (99, 80, 80, true),
                    (100, 80, 80, false),
                ],
            ),
            (
                "more than the maximum for a moment counts",
                100,
                &[(1, 101, 100, true), (61, 100, 100, true)],
            ),
            (
                "after it has ended the maximum counts again",
                10,
                &[
                    (1, 11, 9, true),
                    (61, 9, 9, false),
                    (62, 10, 10, false),
                    (63, 11, 11, true),
                ],
            ),
            (
                "where nothing is allowed it ends with nothing",
                0,
                &[(1, 1, 1, true), (2, 1, 0, true), (62, 0, 0, false)],
            ),
        ];
        let end = FanoutLimits::default().rejection;
        for (case, max, moments) in cases {
            let mut rejection = Rejection::default();
            for &(second, peak, accepted, expected) in moments {
                let now = Time::from_secs(second);
                let is_on = rejection.review(now, (peak, accepted), max, &end);
                assert_eq!(is_on, expected, "{case}: second {second}");
                let ends = rejection.ends(&end).filter(|ends| *ends <= now);
                assert_eq!(ends, None, "{case}: it ends when it is due");
            }
        }
    }
}
