//! Routes of the table in pieces, as the shards hold them. A piece is asked for when the one before was
//! taken, and shards get time of their own in between.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{ClientSlot, PrefixSlot, ShardId};
use crate::policy::kept_back;
use crate::server::exchange::Exchange;
use crate::server::query::{PathRow, ShardQuery, ShardReply, Which};

use super::super::census::within;
use super::super::data_path::{Unavailable, wrong_answer};
use super::super::plane::Plane;
use super::{Moment, Scope, Session};

/// Table entries that a shard looks at for the first question;
const ENTRIES: u32 = 1_000;
/// where it works out for each what a client gets.
const ENTRIES_SENT: u32 = 100;
/// After that, as many as it answers in about this time,
const SHORT: Duration = Duration::from_micros(200);
const LONG: Duration = Duration::from_micros(500);
/// within bounds: most entries are of other clients.
const ENTRIES_MIN: u32 = 50;
const ENTRIES_MAX: u32 = 16_000;
/// A shard has so many times as long for its own work as a question took.
const REST: u32 = 3;

/// Which routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Heard of one client, whatever became of them.
    Received(ClientSlot),
    Accepted(ClientSlot),
    Rejected(ClientSlot),
    /// As one client gets them.
    Sent(ClientSlot),
    /// Accepted of others, and kept back from one client by policy.
    KeptFrom(ClientSlot),
    AllAccepted,
    AllRejected,
}

/// One walk through the tables of all shards.
#[derive(Clone, Copy)]
struct Leg {
    slot: ClientSlot,
    which: Which,
}

pub struct Feed {
    plane: Arc<Plane>,
    exchange: Arc<Exchange>,
    kind: Kind,
    scope: Scope,
    legs: VecDeque<Leg>,
    shard: u16,
    cursor: PrefixSlot,
    entries: u32,
}

impl Feed {
    pub fn new(plane: &Arc<Plane>, moment: &Moment, kind: Kind) -> Feed {
        let leg = |slot, which| Leg { slot, which };
        let of_all = |which, has: fn(&Session, Scope) -> u64| -> VecDeque<Leg> {
            let with = moment.sessions.iter();
            let with = with.filter(|session| has(session, moment.scope) > 0);
            with.map(|session| leg(session.client.slot, which))
                .collect()
        };
        // What quarantine holds back is among the accepted ones there, and relayed to none.
        let exchange = moment.current.exchange.clone();
        let is_quarantined = |slot| exchange.client(slot).is_some_and(|it| it.quarantined);
        let legs = match kind {
            Kind::Received(slot) => [leg(slot, Which::Received)].into(),
            Kind::Accepted(slot) => [leg(slot, Which::Accepted)].into(),
            Kind::Rejected(slot) if is_quarantined(slot) => [leg(slot, Which::Received)].into(),
            Kind::Rejected(slot) => [leg(slot, Which::Rejected)].into(),
            Kind::Sent(slot) => [leg(slot, Which::Advertised)].into(),
            Kind::KeptFrom(to) => {
                let mut legs = of_all(Which::Accepted, Session::accepted);
                legs.retain(|leg| leg.slot != to);
                legs
            }
            Kind::AllAccepted => of_all(Which::Accepted, Session::accepted),
            Kind::AllRejected => {
                let mut legs = of_all(Which::Rejected, Session::rejected);
                let quarantined = legs.iter_mut().filter(|leg| is_quarantined(leg.slot));
                quarantined.for_each(|leg| leg.which = Which::Received);
                legs
            }
        };
        Feed {
            plane: plane.clone(),
            exchange: exchange.clone(),
            kind,
            scope: moment.scope,
            legs,
            shard: 0,
            cursor: PrefixSlot(0),
            entries: match kind {
                Kind::Sent(_) => ENTRIES_SENT,
                _ => ENTRIES,
            },
        }
    }

    /// The next piece, which may be empty; `None` behind the last.
    pub async fn next(&mut self) -> Result<Option<Vec<PathRow>>, Unavailable> {
        let Some(leg) = self.legs.front().copied() else {
            return Ok(None);
        };
        let question = ShardQuery::Routes {
            slot: leg.slot,
            which: leg.which,
            cursor: self.cursor,
            limit: self.entries,
        };
        let asked_at = self.plane.data().now();
        let answer = self.plane.data().shard_query(ShardId(self.shard), question);
        let (mut rows, next) = match within(answer).await? {
            ShardReply::Routes { rows, next } => (rows, next),
            other => return Err(wrong_answer(&other)),
        };
        let took = self.plane.data().now().since(asked_at);
        self.entries = entries_after(self.entries, took);
        self.rest(took).await;
        self.go_on(next);
        rows.retain(|row| self.is_wanted(row));
        Ok(Some(rows))
    }

    async fn rest(&self, took: Duration) {
        match took.is_zero() {
            true => tokio::task::yield_now().await,
            false => tokio::time::sleep(took * REST).await,
        }
    }

    fn go_on(&mut self, next: Option<PrefixSlot>) {
        self.cursor = next.unwrap_or(PrefixSlot(0));
        self.shard += u16::from(next.is_none());
        if self.shard == self.plane.data().shard_count() {
            self.shard = 0;
            self.legs.pop_front();
        }
    }

    fn is_wanted(&self, row: &PathRow) -> bool {
        let family = row.prefix.family();
        if self.scope.0.is_some_and(|only| only != family) {
            return false;
        }
        match self.kind {
            Kind::Received(_) | Kind::Sent(_) => true,
            Kind::Accepted(_) | Kind::AllAccepted => row.class.is_accepted(),
            Kind::Rejected(_) | Kind::AllRejected => !row.class.is_accepted(),
            Kind::KeptFrom(to) => row.class.is_accepted() && self.is_kept_from(row, to),
        }
    }

    fn is_kept_from(&self, row: &PathRow, to: ClientSlot) -> bool {
        let directory = &self.exchange.directory;
        let receiver = self.exchange.client(to);
        let takes = |family| receiver.is_some_and(|it| it.session.families.contains(family));
        let actions = self.exchange.scheme.actions(&row.set, directory);
        takes(row.prefix.family())
            && kept_back(row.announcer, &actions, row.class, to, directory).is_some()
    }
}

/// A clock that stands still says nothing.
fn entries_after(entries: u32, took: Duration) -> u32 {
    if took > LONG {
        (entries / 2).max(ENTRIES_MIN)
    } else if took < SHORT && !took.is_zero() {
        (entries * 2).min(ENTRIES_MAX)
    } else {
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_as_long_as_their_answers_take() {
        let micros = Duration::from_micros;
        let cases = [
            ("short: twice as long", 1_000, micros(20), 2_000),
            ("about right", 1_000, micros(300), 1_000),
            ("too long: half of it", 1_000, micros(2_000), 500),
            ("not under the least", 60, micros(2_000), ENTRIES_MIN),
            ("not over the most", 10_000, micros(1), ENTRIES_MAX),
            ("nothing is known", 1_000, micros(0), 1_000),
        ];
        for (name, entries, took, after) in cases {
            assert_eq!(entries_after(entries, took), after, "{name}");
        }
    }
}
