//! Which cache's data are in use: those of the most preferred that answers, without hopping to and fro;
//! where none does, those that were last in use, until they expire (RFC 8210 §10). A value; the time is
//! an argument. Knows nothing of what the data are.

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
    /// How long a lost cache may take to come back before another takes over.
    patience: Duration,
}

#[derive(Clone, Copy, Default)]
struct Standing {
    /// Until when there are data.
    expires: Option<Instant>,
    /// Since when it answers with data, without a loss.
    well_since: Option<Instant>,
    /// Since when it does not, where it did.
    lost_since: Option<Instant>,
    /// It has answered, or failed to, at least once.
    is_tried: bool,
}

impl Choice {
    pub fn new(count: usize, expire: Duration, settle: Duration, patience: Duration) -> Choice {
        Choice {
            caches: vec![Standing::default(); count],
            in_use: None,
            expire,
            settle,
            patience,
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
        standing.lost_since = None;
        self.handle_timeout(now);
    }

    /// The cache cannot be reached, or has no data (any more). May be said again and again.
    pub fn handle_lost(&mut self, cache: usize, now: Instant) {
        let Some(standing) = self.caches.get_mut(cache) else {
            return;
        };
        standing.is_tried = true;
        if standing.well_since.take().is_some() {
            standing.lost_since = Some(now);
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
                standing.lost_since = None;
            }
        }
        let current = self.in_use.filter(|cache| self.has_data(*cache));
        self.in_use = match current {
            Some(current) => Some(self.successor(current, now).unwrap_or(current)),
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
        let given_up = |standing: &Standing| standing.lost_since.map(|since| since + self.patience);
        (self.caches.iter())
            .flat_map(|standing| [standing.expires, settled(standing), given_up(standing)])
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    /// Whether the cache has said something that holds.
    pub fn has_data(&self, cache: usize) -> bool {
        (self.caches.get(cache)).is_some_and(|standing| standing.expires.is_some())
    }

    /// The most preferred that has been well for long enough: of those before `current`, or of all, if
    /// `current` has been lost for too long.
    fn successor(&self, current: usize, now: Instant) -> Option<usize> {
        let lost_since = (self.caches.get(current)).and_then(|standing| standing.lost_since);
        let is_given_up = lost_since.is_some_and(|since| since + self.patience <= now);
        let count = if is_given_up {
            self.caches.len()
        } else {
            current
        };
        (self.caches.iter().take(count).enumerate())
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
    const PATIENCE_S: u64 = 30;

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
        let cases: [(&str, &[Step]); 14] = [
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
                "a lost one is waited for, not for long, where another answers",
                &[
                    (1, Loaded(0), Some(0)),
                    (2, Loaded(1), Some(0)),
                    (50, Lost(0), Some(0)),
                    (60, Lost(0), Some(0)),
                    (79, Time, Some(0)),
                    (80, Time, Some(1)),
                ],
            ),
            (
                "when it is back and has been well for a while, it is used again, and no loss is counted from before",
                &[
                    (1, Loaded(0), Some(0)),
                    (2, Loaded(1), Some(0)),
                    (50, Lost(0), Some(0)),
                    (80, Time, Some(1)),
                    (85, Loaded(0), Some(1)),
                    (94, Time, Some(1)),
                    (95, Time, Some(0)),
                    (96, Lost(0), Some(0)),
                    (125, Time, Some(0)),
                    (126, Time, Some(1)),
                ],
            ),
            (
                "one that comes and goes is used all the time, not every now and then",
                &[
                    (1, Loaded(0), Some(0)),
                    (2, Loaded(1), Some(0)),
                    (20, Lost(0), Some(0)),
                    (45, Loaded(0), Some(0)),
                    (46, Lost(0), Some(0)),
                    (70, Loaded(0), Some(0)),
                    (71, Lost(0), Some(0)),
                    (100, Loaded(0), Some(0)),
                ],
            ),
            (
                "another that answers later takes over when it has been well for a while",
                &[
                    (1, Loaded(0), Some(0)),
                    (50, Lost(0), Some(0)),
                    (90, Loaded(1), Some(0)),
                    (100, Time, Some(1)),
                ],
            ),
            (
                "where no other answers, what a lost one said is used until it expires",
                &[
                    (1, Loaded(0), Some(0)),
                    (2, Loaded(1), Some(0)),
                    (40, Lost(1), Some(0)),
                    (50, Lost(0), Some(0)),
                    (139, Time, Some(0)),
                    (150, Time, None),
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
            let mut choice =
                Choice::new(2, seconds(EXPIRE_S), seconds(SETTLE_S), seconds(PATIENCE_S));
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
        let [expire, settle, patience] = [100, 10, 30].map(Duration::from_secs);
        let mut choice = Choice::new(2, expire, settle, patience);
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
            Some(after(50)),
            "another may take over"
        );
        assert_eq!(
            choice.poll_timeout(after(50)),
            Some(after(120)),
            "it expires sooner, as it is lost"
        );
        choice.handle_timeout(after(120));
        assert_eq!(choice.poll_timeout(after(120)), None);
    }
}
