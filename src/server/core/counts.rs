//! A client's prefix counts, exact at each UPDATE boundary whatever the number of shards.

use std::collections::VecDeque;

use crate::base::{Family, ShardId, Time};
use crate::server::exchange::{LimitAction, PrefixLimits};
use crate::server::message::CountChange;
use crate::server::query::Tally;

use super::rejection::Rejection;

/// Received and accepted prefixes of one session, by family.
#[derive(Default, Debug)]
pub(super) struct Counts {
    pub received: [i64; 2],
    pub accepted: [i64; 2],
    /// The most that were accepted since [`Counts::take_peak`].
    peak: [i64; 2],
    /// UPDATEs whose effect is not known in full, oldest first and without gaps.
    awaited: VecDeque<Awaited>,
    last_seq: u64,
}

#[derive(Debug)]
struct Awaited {
    /// Shards that have yet to answer, a bit each.
    shards: u128,
    received: [i64; 2],
    accepted: [i64; 2],
    /// Its duplicates are the client's: nothing of it is treated as withdrawn.
    is_meant: bool,
    has_news: bool,
}

/// Which limit an UPDATE passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Breach {
    Received(Family),
    Accepted(Family),
}

impl Breach {
    /// Whether it ends the session.
    pub fn closes(self, limits: &[PrefixLimits; 2]) -> bool {
        match self {
            Breach::Received(_) => true,
            Breach::Accepted(family) => closes(&limits[family.index()]),
        }
    }

    /// Of two, the one with the greater consequence; the first if they are alike.
    pub fn worse(
        first: Option<Breach>,
        second: Option<Breach>,
        limits: &[PrefixLimits; 2],
    ) -> Option<Breach> {
        let weight = |breach: Breach| match breach {
            Breach::Received(_) => 2,
            Breach::Accepted(family) => u8::from(closes(&limits[family.index()])),
        };
        match (first, second) {
            (Some(a), Some(b)) if weight(b) > weight(a) => second,
            (None, _) => second,
            _ => first,
        }
    }
}

/// Whether passing `accepted_max` ends the session.
fn closes(limits: &PrefixLimits) -> bool {
    matches!(
        limits.accepted_action,
        LimitAction::Shutdown | LimitAction::Restart
    )
}

impl Counts {
    /// The number of the next UPDATE; 0 is kept for reloads.
    pub fn next_seq(&self) -> u64 {
        self.last_seq + 1
    }

    /// The UPDATE of [`Counts::next_seq`] went to these shards.
    pub fn expect(&mut self, shards: u128, is_meant: bool) {
        self.last_seq += 1;
        self.awaited.push_back(Awaited {
            shards,
            received: [0; 2],
            accepted: [0; 2],
            is_meant,
            has_news: !is_meant,
        });
    }

    /// Takes one shard's answer. Returns the first limit that is passed at one of the UPDATE
    /// boundaries that are now known.
    pub fn apply(
        &mut self,
        shard: ShardId,
        change: &CountChange,
        limits: &[PrefixLimits; 2],
        tally: &mut Tally,
    ) -> Option<Breach> {
        let add = |totals: &mut [i64; 2], changes: [i32; 2]| {
            totals
                .iter_mut()
                .zip(changes)
                .for_each(|(total, change)| *total += i64::from(change));
        };
        let first_seq = self.last_seq + 1 - self.awaited.len() as u64;
        let awaited = (change.seq.checked_sub(first_seq))
            .filter(|_| change.seq != 0)
            .and_then(|index| self.awaited.get_mut(index as usize));
        let Some(awaited) = awaited else {
            add(&mut self.received, change.received);
            add(&mut self.accepted, change.accepted);
            return self.breach(limits);
        };
        add(&mut awaited.received, change.received);
        add(&mut awaited.accepted, change.accepted);
        awaited.has_news |= change.has_news;
        if awaited.is_meant {
            tally.duplicate_announcements += u64::from(change.duplicate_announcements);
            tally.duplicate_withdrawals += u64::from(change.duplicate_withdrawals);
        }
        awaited.shards &= !(1 << shard.index());
        let mut breach = None;
        while let Some(complete) = self.awaited.pop_front_if(|awaited| awaited.shards == 0) {
            for family in 0..2 {
                self.received[family] += complete.received[family];
                self.accepted[family] += complete.accepted[family];
                self.peak[family] = self.peak[family].max(self.accepted[family]);
            }
            tally.duplicate_updates += u64::from(!complete.has_news);
            breach = Breach::worse(breach, self.breach(limits), limits);
        }
        breach
    }

    /// Shards have not said yet what all UPDATEs did.
    pub fn are_awaited(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// The limit that the present counts pass; the one with the greatest consequence comes first.
    pub fn breach(&self, limits: &[PrefixLimits; 2]) -> Option<Breach> {
        let over = |count: i64, max: Option<u32>| max.is_some_and(|max| count > i64::from(max));
        let received = Family::ALL.into_iter().find(|family| {
            over(
                self.received[family.index()],
                limits[family.index()].received_max,
            )
        });
        let accepted = || {
            Family::ALL
                .into_iter()
                .filter(|family| self.is_over_accepted(*family, limits))
                .min_by_key(|family| !closes(&limits[family.index()]))
        };
        received
            .map(Breach::Received)
            .or_else(|| accepted().map(Breach::Accepted))
    }

    /// The most that were accepted at an UPDATE boundary since this was last asked.
    pub fn take_peak(&mut self, family: Family) -> i64 {
        let accepted = self.accepted[family.index()];
        std::mem::replace(&mut self.peak[family.index()], accepted).max(accepted)
    }

    pub fn forget_peaks(&mut self) {
        self.peak = self.accepted;
    }

    pub fn is_over_accepted(&self, family: Family, limits: &[PrefixLimits; 2]) -> bool {
        let max = limits[family.index()].accepted_max;
        max.is_some_and(|max| self.accepted[family.index()] > i64::from(max))
    }
}

/// "Block": which prefixes are kept is decided by their hashes, so it does not depend on the order
/// of arrival. "Reject" is a block of all.
#[derive(Default, Debug)]
pub(super) struct Block {
    /// What the shards were told last.
    pub from: Option<u64>,
    /// The counts changed since the hashes were last asked for.
    pub is_stale: bool,
    pub asking: Option<Asking>,
    /// Not before this are the hashes asked for again.
    pub next_ask: Time,
    pub rejection: Rejection,
}

#[derive(Debug)]
pub(super) struct Asking {
    pub hashes: Vec<u64>,
    /// Shards that have yet to answer.
    pub left: u16,
}

impl Asking {
    /// The hash from which on prefixes are not kept; `None` if all are.
    pub fn threshold(mut self, accepted_max: u32) -> Option<u64> {
        let max = accepted_max as usize;
        if self.hashes.len() <= max {
            return None;
        }
        self.hashes.sort_unstable();
        // What comes between the last that is kept and the next is over the limit, too.
        let last = max.checked_sub(1).map(|last| self.hashes[last]);
        Some(last.map_or(0, |last| last.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(seq: u64, received: i32, accepted: i32) -> CountChange {
        CountChange {
            seq,
            received: [received, 0],
            accepted: [accepted, 0],
            ..CountChange::default()
        }
    }

    fn limits(received_max: u32) -> [PrefixLimits; 2] {
        [
            PrefixLimits {
                received_max: Some(received_max),
                ..Default::default()
            },
            Default::default(),
        ]
    }

    #[test]
    fn a_limit_is_judged_at_update_boundaries_whatever_the_order_of_answers() {
        // UPDATE 1 announces 3, UPDATE 2 withdraws 2 and announces 2 others, on two shards.
        let answers = [
            (0, change(1, 2, 2)),
            (1, change(1, 1, 1)),
            (0, change(2, 2, 2)),
            (1, change(2, -2, -2)),
        ];
        let orders = [[0, 1, 2, 3], [0, 2, 1, 3], [1, 3, 0, 2], [2, 0, 3, 1]];
        for (max, expected) in [(2, Some(Breach::Received(Family::Ipv4))), (3, None)] {
            for order in orders {
                let mut counts = Counts::default();
                counts.expect(0b11, true);
                counts.expect(0b11, true);
                let breach = order.into_iter().fold(None, |breach, at| {
                    let (shard, change) = &answers[at];
                    let now =
                        counts.apply(ShardId(*shard), change, &limits(max), &mut Tally::default());
                    breach.or(now)
                });
                assert_eq!(breach, expected, "limit {max}, order {order:?}");
                assert_eq!(counts.received, [3, 0]);
            }
        }
    }

    #[test]
    fn what_a_reload_changes_counts_at_once() {
        let apply = |counts: &mut Counts, change: &CountChange| {
            counts.apply(ShardId(0), change, &limits(4), &mut Tally::default())
        };
        let mut counts = Counts::default();
        counts.expect(0b1, true);
        assert_eq!(
            apply(&mut counts, &change(0, 5, 5)),
            Some(Breach::Received(Family::Ipv4))
        );
        assert_eq!(apply(&mut counts, &change(1, -2, 0)), None);
        assert_eq!(counts.received, [3, 0]);
    }

    #[test]
    fn an_update_is_a_duplicate_if_it_is_one_on_every_shard() {
        let duplicate = |seq, has_news| CountChange {
            seq,
            duplicate_announcements: 2,
            duplicate_withdrawals: 1,
            has_news,
            ..CountChange::default()
        };
        let cases = [
            ("on one of two", true, [true, false], (4, 2, 0)),
            ("on both", true, [false, false], (4, 2, 1)),
            ("treated as withdrawn", false, [false, false], (0, 0, 0)),
        ];
        for (case, is_meant, has_news, due) in cases {
            let (mut counts, mut tally) = (Counts::default(), Tally::default());
            counts.expect(0b11, is_meant);
            for (shard, has_news) in (0..).zip(has_news) {
                let change = duplicate(1, has_news);
                counts.apply(ShardId(shard), &change, &limits(9), &mut tally);
            }
            let Tally {
                duplicate_announcements,
                duplicate_withdrawals,
                duplicate_updates,
                ..
            } = tally;
            let told = (
                duplicate_announcements,
                duplicate_withdrawals,
                duplicate_updates,
            );
            assert_eq!(told, due, "{case}");
        }
    }

    #[test]
    fn a_limit_that_only_warns_hides_none_that_closes() {
        let limits =
            [LimitAction::Warn, LimitAction::Shutdown].map(|accepted_action| PrefixLimits {
                received_max: None,
                accepted_max: Some(1),
                accepted_action,
            });
        let update = |seq, accepted| CountChange {
            seq,
            received: accepted,
            accepted,
            ..CountChange::default()
        };
        let mut counts = Counts::default();
        (0..3).for_each(|_| counts.expect(0b11, true));
        let tally = &mut Tally::default();
        let shard = ShardId(1);
        for (seq, accepted) in [(1, [2, 0]), (2, [0, 2]), (3, [0, -2])] {
            assert_eq!(
                counts.apply(shard, &update(seq, accepted), &limits, tally),
                None
            );
        }
        let shard = ShardId(0);
        let told = [1, 2, 3].map(|seq| counts.apply(shard, &update(seq, [0, 0]), &limits, tally));
        let of = |family| Some(Breach::Accepted(family));
        assert_eq!(told, [of(Family::Ipv4), of(Family::Ipv6), of(Family::Ipv4)]);
        let worse = told
            .into_iter()
            .fold(None, |worst, now| Breach::worse(worst, now, &limits));
        assert_eq!(worse, of(Family::Ipv6));
    }

    #[test]
    fn block_keeps_the_smallest_hashes() {
        let asking = |hashes: &[u64]| Asking {
            hashes: hashes.to_vec(),
            left: 0,
        };
        assert_eq!(asking(&[9, 1, 5]).threshold(2), Some(6));
        assert_eq!(asking(&[9, 1, 5]).threshold(3), None);
        assert_eq!(asking(&[9]).threshold(0), Some(0));
    }
}
