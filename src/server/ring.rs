//! What is kept for one reader who asks now and then: bounded, and nobody waits for that reader. What
//! does not fit is lost, and the reader is told so.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::Time;

/// Entries that are kept, at most.
const ENTRIES_MAX: usize = 65_536;
/// Octets that what hangs on them takes, at most.
const OCTETS_MAX: usize = 32 << 20;

/// A reader who does not ask for so long is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What hangs on an entry beside its own few octets.
pub(super) trait Weighed: Clone {
    fn octets(&self) -> usize;
}

/// Numbered from 1 on, or from where the reader says to be.
pub(super) struct Ring<T> {
    entries: VecDeque<T>,
    octets: usize,
    /// The number of the first of `entries`.
    first: u64,
    asked_at: Time,
}

/// What a reader is given.
pub(super) struct Piece<T> {
    /// Oldest first.
    pub entries: Vec<T>,
    /// The number of the last of them, to go on from.
    pub last: u64,
    pub has_missed: bool,
    pub has_more: bool,
}

impl<T: Weighed> Ring<T> {
    /// Begins with what follows `after`.
    pub fn new(now: Time, after: u64) -> Ring<T> {
        Ring {
            entries: VecDeque::new(),
            octets: 0,
            first: after + 1,
            asked_at: now,
        }
    }

    /// Whether the reader has not asked for too long.
    pub fn is_left(&self, now: Time) -> bool {
        now > self.asked_at + PATIENCE
    }

    pub fn push(&mut self, entry: T) {
        self.octets += entry.octets();
        self.entries.push_back(entry);
        while (self.entries.len() > ENTRIES_MAX || self.octets > OCTETS_MAX) && self.drop_first() {}
    }

    /// Some of those after `after`, which itself and what came before it is forgotten: it was taken. All
    /// of them are forgotten where some between are lost.
    pub fn take(&mut self, now: Time, after: u64, limit: u32) -> Piece<T> {
        self.asked_at = now;
        let has_missed = after + 1 < self.first;
        if has_missed {
            while self.drop_first() {}
        }
        while self.first <= after && self.drop_first() {}
        let count = self.entries.len().min(limit as usize);
        Piece {
            entries: self.entries.iter().take(count).cloned().collect(),
            last: self.first + count as u64 - 1,
            has_missed,
            has_more: count < self.entries.len(),
        }
    }

    fn drop_first(&mut self) -> bool {
        let Some(entry) = self.entries.pop_front() else {
            return false;
        };
        self.octets -= entry.octets();
        self.first += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of so many octets.
    #[derive(Clone)]
    struct Load(usize);

    impl Weighed for Load {
        fn octets(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn entries_and_octets_have_a_bound() {
        const HALF: usize = OCTETS_MAX / 2;
        /// How many entries of how many octets, and how many are there at the end.
        type Case<'a> = (&'a str, &'a [(usize, usize)], Option<usize>);
        let cases: [Case<'_>; 6] = [
            ("few", &[(3, 100)], Some(3)),
            ("as many as may be", &[(ENTRIES_MAX, 0)], Some(ENTRIES_MAX)),
            ("one more", &[(ENTRIES_MAX + 1, 0)], None),
            ("as much as may be", &[(2, HALF)], Some(2)),
            ("an octet more", &[(2, HALF), (1, 1)], None),
            ("much after little", &[(5, 1), (1, OCTETS_MAX)], None),
        ];
        for (case, loads, kept) in cases {
            let mut ring = Ring::new(Time::ZERO, 7);
            let octets = loads
                .iter()
                .flat_map(|(count, octets)| vec![*octets; *count]);
            octets.for_each(|octets| ring.push(Load(octets)));
            let piece = ring.take(Time::ZERO, 7, u32::MAX);
            assert_eq!(piece.has_missed, kept.is_none(), "{case}");
            assert_eq!(piece.entries.len(), kept.unwrap_or(0), "{case}");
            assert_eq!(
                ring.octets,
                piece.entries.iter().map(Weighed::octets).sum::<usize>(),
                "{case}"
            );
        }
    }
}
