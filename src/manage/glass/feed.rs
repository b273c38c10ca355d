//! Routes of the table in pieces, as the shards hold them. A piece is asked for when the one before was
//! taken, and shards get time of their own in between.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::ClientSlot;
use crate::policy::kept_back;
use crate::server::exchange::Exchange;
use crate::server::query::{PathRow, Which};

use super::super::data_path::Unavailable;
use super::super::pages::{Page, Pages, Rows};
use super::super::plane::Plane;
use super::{Moment, Scope};

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

pub struct Feed {
    plane: Arc<Plane>,
    exchange: Arc<Exchange>,
    kind: Kind,
    scope: Scope,
    pages: Pages,
    /// Of sessions, where routes of many come.
    places: HashMap<ClientSlot, usize>,
    entries: u32,
}

impl Feed {
    pub fn new(plane: &Arc<Plane>, moment: &Moment, kind: Kind) -> Feed {
        let exchange = moment.current.exchange.clone();
        let is_quarantined = |slot| exchange.client(slot).is_some_and(|it| it.quarantined);
        let rows = match kind {
            Kind::Received(slot) => Rows::OfClient(slot, Which::Received),
            Kind::Accepted(slot) => Rows::OfClient(slot, Which::Accepted),
            // What quarantine holds back is among the accepted ones there, and relayed to none.
            Kind::Rejected(slot) if is_quarantined(slot) => Rows::OfClient(slot, Which::Received),
            Kind::Rejected(slot) => Rows::OfClient(slot, Which::Rejected),
            Kind::Sent(slot) => Rows::OfClient(slot, Which::Advertised),
            Kind::KeptFrom(_) | Kind::AllAccepted | Kind::AllRejected => Rows::All,
        };
        let slots = moment.sessions.iter().map(|session| session.client.slot);
        Feed {
            plane: plane.clone(),
            exchange: exchange.clone(),
            kind,
            scope: moment.scope,
            pages: Pages::new(rows),
            places: match rows {
                Rows::All => slots.zip(0..).collect(),
                Rows::OfClient(..) => HashMap::new(),
            },
            entries: match kind {
                Kind::Sent(_) => ENTRIES_SENT,
                _ => ENTRIES,
            },
        }
    }

    /// Whether routes of many sessions come, one prefix after the other.
    pub fn is_mixed(&self) -> bool {
        !self.places.is_empty()
    }

    /// The place of a route's session among all.
    pub fn place(&self, row: &PathRow) -> usize {
        self.places.get(&row.announcer).copied().unwrap_or(0)
    }

    /// The next piece, which may be empty; `None` behind the last.
    pub async fn next(&mut self) -> Result<Option<Vec<PathRow>>, Unavailable> {
        let page = self.pages.next(self.plane.data(), self.entries).await?;
        let Some(Page { mut rows, took, .. }) = page else {
            return Ok(None);
        };
        self.entries = entries_after(self.entries, took);
        self.rest(took).await;
        rows.retain(|row| self.is_wanted(row));
        Ok(Some(rows))
    }

    async fn rest(&self, took: Duration) {
        match took.is_zero() {
            true => tokio::task::yield_now().await,
            false => tokio::time::sleep(took * REST).await,
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
            Kind::KeptFrom(to) => {
                row.class.is_accepted() && row.announcer != to && self.is_kept_from(row, to)
            }
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
