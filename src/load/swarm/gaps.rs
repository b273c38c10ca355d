//! How long each client hears nothing of changes that come at an even pace.

use std::time::Duration;

use crate::base::Time;

#[derive(Default)]
pub struct Gaps {
    /// By client.
    last: Vec<Time>,
    longest: Duration,
}

impl Gaps {
    /// For so many clients that count as having heard something just now.
    pub fn new(now: Time, client_count: usize) -> Gaps {
        Gaps {
            last: vec![now; client_count],
            longest: Duration::ZERO,
        }
    }

    /// A change has arrived at the client.
    pub fn note(&mut self, client: usize, now: Time) {
        if let Some(last) = self.last.get_mut(client) {
            self.longest = self.longest.max(now.since(*last));
            *last = now;
        }
    }

    /// The longest that ended since this was last asked, or has not ended yet.
    pub fn take(&mut self, now: Time) -> Duration {
        let open = self.last.iter().map(|last| now.since(*last)).max();
        let longest = std::mem::take(&mut self.longest);
        longest.max(open.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_any_clients_whether_it_has_ended_or_not() {
        let ms = |count: u64| Duration::from_millis(count);
        let at = |count: u64| Time::ZERO + ms(count);
        let mut gaps = Gaps::new(at(0), 3);
        for client in [0, 1, 2, 0, 1, 2] {
            gaps.note(client, at(10));
        }
        assert_eq!(gaps.take(at(12)), ms(10));
        gaps.note(0, at(20));
        gaps.note(1, at(45));
        assert_eq!(gaps.take(at(46)), ms(36), "client 2 still waits");
        gaps.note(2, at(50));
        assert_eq!(gaps.take(at(50)), ms(40), "it counts from before");
    }
}
