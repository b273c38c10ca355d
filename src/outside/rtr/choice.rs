//! Which cache's data are in use: the most preferred that has any which have not expired, without
//! hopping to and fro. A value; the time is an argument. Knows nothing of what the data are.

use std::time::Duration;

use tokio::time::Instant;

/// Caches in the order of preference.
pub struct Choice {
    caches: Vec<Standing>,
    in_use: Option<usize>,
    /// How long the data of a lost cache stay.
    expire: Duration,
    /// How long a cache must be well before it takes over from another.
    settle: Duration,
}

#[derive(Clone, Copy, Default)]
struct Standing {
    /// Until when there are data.
    expires: Option<Instant>,
    /// Since when it answers with data, without a loss.
    well_since: Option<Instant>,
    /// It has answered, or failed to, at least once.
    is_tried: bool,
}

impl Choice {
    pub fn new(count: usize, expire: Duration, settle: Duration) -> Choice {
        Choice {
            caches: vec![Standing::default(); count],
            in_use: None,
            expire,
            settle,
        }
    }

    /// The cache has said what it has; `valid` is its Expire Interval, counted from each such answer.
    pub fn handle_loaded(&mut self, cache: usize, valid: Duration, now: Instant) {
        let Some(standing) = self.caches.get_mut(cache) else {
            return;
        };
        standing.is_tried = true;
        standing.expires = Some(now + valid);
        standing.well_since.get_or_insert(now);
        self.handle_timeout(now);
    }

    /// The cache cannot be reached, or has no data (any more). May be said again and again.
    pub fn handle_lost(&mut self, cache: usize, now: Instant) {
        let Some(standing) = self.caches.get_mut(cache) else {
            return;
        };
        standing.is_tried = true;
        if standing.well_since.take().is_some() {
            let held = now + self.expire;
            standing.expires = standing.expires.map(|expires| expires.min(held));
        }
        self.handle_timeout(now);
    }

    /// Chooses anew.
    pub fn handle_timeout(&mut self, now: Instant) {
        for standing in &mut self.caches {
            if standing.expires.is_some_and(|expires| expires <= now) {
                standing.expires = None;
                standing.well_since = None;
            }
        }
        let current = self.in_use.filter(|cache| self.has_data(*cache));
        self.in_use = match current {
            Some(current) => Some(self.settled_before(current, now).unwrap_or(current)),
            None => self.first_with_data(now),
        };
    }

    /// The cache whose data are in use.
    pub fn in_use(&self) -> Option<usize> {
        self.in_use
    }

    /// When the choice may change by itself, if that is after `now`.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let settled = |standing: &Standing| standing.well_since.map(|since| since + self.settle);
        (self.caches.iter())
            .flat_map(|standing| [standing.expires, settled(standing)])
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// Whether the cache has said something that holds.
    pub fn has_data(&self, cache: usize) -> bool {
        (self.caches.get(cache)).is_some_and(|standing| standing.expires.is_some())
    }

    /// The most preferred of those before `current` that has been well for long enough.
    fn settled_before(&self, current: usize, now: Instant) -> Option<usize> {
        let before = self.caches.iter().take(current);
        before
            .enumerate()
            .find(|(_, standing)| standing.expires.is_some() && self.is_settled(standing, now))
            .map(|(cache, _)| cache)
    }

    /// At the start a preferred cache that has not answered yet is waited for, but not for long.
    fn first_with_data(&self, now: Instant) -> Option<usize> {
        let first = (self.caches.iter()).position(|standing| standing.expires.is_some())?;
        let mut before = self.caches.iter().take(first);
        let is_last_word = before.all(|standing| standing.is_tried);
        let standing = self.caches.get(first)?;
        (is_last_word || self.is_settled(standing, now)).then_some(first)
    }

    fn is_settled(&self, standing: &Standing, now: Instant) -> bool {
        (standing.well_since).is_some_and(|since| since + self.settle <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRE_S: u64 = 100;
    const SETTLE_S: u64 = 10;

    enum Happens {
        Loaded(usize),
        Lost(usize),
        Time,
    }
    use Happens::{Loaded, Lost, Time};

    /// At which second, what happens, who is in use then.
    type Step = (u64, Happens, Option<usize>);

    #[test]
    fn who_is_in_use() {
        let cases: [(&str, &[Step]); 10] = [
            ("the first is taken at once", &[(1, Loaded(0), Some(0))]),
            (
                "the second waits for the first, not for long",
                &[(1, Loaded(1), None), (10, Time, None), (11, Time, Some(1))],
            ),
            (
                "the first was just a little later",
                &[
                    (1, Loaded(1), None),
                    (3, Loaded(0), Some(0)),
                    (20, Time, Some(0)),
                ],
            ),
            (
                "the second does not wait for a first that fails",
                &[(1, Lost(0), None), (2, Loaded(1), Some(1))],
            ),
            (
                "or fails later",
                &[(1, Loaded(1), None), (2, Lost(0), Some(1))],
            ),
            (
                "a lost one stays until it expires",
                &[
                    (1, Loaded(0), Some(0)),
                    (2, Loaded(1), Some(0)),
                    (50, Lost(0), Some(0)),
                    (60, Lost(0), Some(0)),
                    (149, Time, Some(0)),
                    (150, Time, Some(1)),
                ],
            ),
            (
                "then there is none where there is none",
                &[
                    (1, Loaded(0), Some(0)),
                    (50, Lost(0), Some(0)),
                    (150, Time, None),
                ],
            ),
            (
                "a lost one that comes back in time goes on",
                &[
                    (1, Loaded(0), Some(0)),
                    (50, Lost(0), Some(0)),
                    (100, Loaded(0), Some(0)),
                    (150, Time, Some(0)),
                ],
            ),
            (
                "the first takes over again when it has been well for a while",
                &[
                    (1, Lost(0), None),
                    (2, Loaded(1), Some(1)),
                    (3, Loaded(0), Some(1)),
                    (5, Lost(0), Some(1)),
                    (6, Loaded(0), Some(1)),
                    (13, Loaded(0), Some(1)),
                    (16, Time, Some(0)),
                ],
            ),
            (
                "what a cache does not renew expires by its own interval",
                &[
                    (1, Loaded(0), Some(0)),
                    (1000, Time, Some(0)),
                    (1001, Time, None),
                ],
            ),
        ];
        for (case, steps) in cases {
            let start = Instant::now();
            let seconds = Duration::from_secs;
            let mut choice = Choice::new(2, seconds(EXPIRE_S), seconds(SETTLE_S));
            for (at, happens, expected) in steps {
                let now = start + seconds(*at);
                match happens {
                    Loaded(cache) => choice.handle_loaded(*cache, seconds(1000), now),
                    Lost(cache) => choice.handle_lost(*cache, now),
                    Time => choice.handle_timeout(now),
                }
                assert_eq!(choice.in_use(), *expected, "{case}: second {at}");
            }
        }
    }

    #[test]
    fn it_says_when_to_look_again() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut choice = Choice::new(2, Duration::from_secs(100), Duration::from_secs(10));
        assert_eq!(choice.poll_timeout(start), None);
        choice.handle_loaded(1, Duration::from_secs(1000), start);
        assert_eq!(
            choice.poll_timeout(start),
            Some(after(10)),
            "it has been well"
        );
        assert_eq!(
            choice.poll_timeout(after(10)),
            Some(after(1000)),
            "it expires"
        );
        choice.handle_lost(1, after(20));
        assert_eq!(
            choice.poll_timeout(after(20)),
            Some(after(120)),
            "sooner, as it is lost"
        );
        choice.handle_timeout(after(120));
        assert_eq!(choice.poll_timeout(after(120)), None);
    }
}
