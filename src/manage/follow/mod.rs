//! The one reader of what shards and session cores tell of themselves (`ShardQuery::Watch`,
//! `CoreCommand::Tap`), for all in the management plane who want to know: it asks for what they want
//! together, and hands each what it wants. While nobody subscribes, nothing is asked. Knows nothing of
//! what they do with it.
//!
//! What a subscriber can rely on:
//!
//! - From [`News::TableBegins`] of a shard on, every change of its table comes, in its order. What there
//!   was before, only the table says: whoever wants all of it reads the table (`ShardQuery::Routes`)
//!   *after* that. Changes that the rows have in them already come once more, and the last is what counts.
//! - [`News::SessionsBegin`] is the same of a session core; what there was before, `CoreCommand::Sessions` says.
//! - Both come first of all, and again whenever something was lost: by the shard or core (`has_missed`), or
//!   because the subscriber was too slow ([`News::Lagged`] precedes them then).
//! - A session's `Up` comes before what was heard in it, if sessions are wanted too. After its `Down`,
//!   changes of its paths may still come.
//! - A slot is that of the generation at that time: after a reload it may be another client's.

mod reader;
mod subscription;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::base::{ClientSet, CoreId, ShardId};
use crate::server::query::{TableChange, Tapped, TappedWhat};

use super::data_path::DataPath;

use reader::Reader;
use subscription::Subscriber;

pub use subscription::Subscription;

/// What somebody wants to be told of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wants {
    /// What is heard and what is best: [`TableChange::Heard`], `Gone`, `Best`, `NoBest`.
    pub tables: bool,
    /// Whose [`TableChange::Sent`], `Unsent`, `Live`.
    pub adj_rib_out: ClientSet,
    /// [`TappedWhat::Up`], `Down`, `Failed` of all.
    pub sessions: bool,
    /// Whose [`TappedWhat::Received`], `ReceivedOther`.
    pub received: ClientSet,
    /// Whose [`TappedWhat::Sent`].
    pub sent: ClientSet,
}

/// What subscribers are told.
#[derive(Clone, Debug)]
pub enum News {
    /// From here on every change of this shard's table is told.
    TableBegins {
        shard: ShardId,
        has_missed: bool,
    },
    Changed {
        shard: ShardId,
        change: Arc<TableChange>,
    },
    /// From here on everything that happens to sessions of this core is told.
    SessionsBegin {
        core: CoreId,
        has_missed: bool,
    },
    Tapped {
        core: CoreId,
        entry: Arc<Tapped>,
    },
    /// The subscriber took too long: what was not taken is lost, and all begins anew.
    Lagged,
}

impl Wants {
    fn of_shards(&self) -> bool {
        self.tables || !self.adj_rib_out.is_empty()
    }

    fn of_cores(&self) -> bool {
        self.sessions || !self.received.is_empty() || !self.sent.is_empty()
    }

    fn includes_change(&self, change: &TableChange) -> bool {
        match change {
            TableChange::Heard { .. }
            | TableChange::Gone { .. }
            | TableChange::Best { .. }
            | TableChange::NoBest { .. } => self.tables,
            TableChange::Sent { to, .. } | TableChange::Unsent { to, .. } => {
                self.adj_rib_out.contains(*to)
            }
            TableChange::Live { client } => self.adj_rib_out.contains(*client),
        }
    }

    fn includes_entry(&self, entry: &Tapped) -> bool {
        match &entry.what {
            TappedWhat::Up(_) | TappedWhat::Down(_) | TappedWhat::Failed(_) => self.sessions,
            TappedWhat::Received(_) | TappedWhat::ReceivedOther(_) => {
                self.received.contains(entry.slot)
            }
            TappedWhat::Sent(_) => self.sent.contains(entry.slot),
        }
    }

    /// All that either wants.
    fn join(&mut self, other: &Wants) {
        self.tables |= other.tables;
        self.sessions |= other.sessions;
        self.adj_rib_out.union_with(&other.adj_rib_out);
        self.received.union_with(&other.received);
        self.sent.union_with(&other.sent);
    }
}

/// Where one subscribes.
pub struct Follow {
    data: Arc<dyn DataPath>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    subscribers: Mutex<Subscribers>,
}

#[derive(Default)]
struct Subscribers {
    all: Vec<Weak<Subscriber>>,
    /// The reader's task is there, and looks at `all` once more before it ends.
    is_read: bool,
}

impl Shared {
    /// Those who still want something; `None`: nobody, and the reader is to end.
    fn present(&self) -> Option<Vec<Arc<Subscriber>>> {
        let mut subscribers = (self.subscribers.lock()).unwrap_or_else(PoisonError::into_inner);
        subscribers.all.retain(|one| one.strong_count() > 0);
        let present: Vec<_> = subscribers.all.iter().filter_map(Weak::upgrade).collect();
        subscribers.is_read = !present.is_empty();
        subscribers.is_read.then_some(present)
    }
}

impl Follow {
    pub fn new(data: Arc<dyn DataPath>) -> Follow {
        Follow {
            data,
            shared: Arc::default(),
        }
    }

    /// It ends when the subscription is dropped. `octets_max` bounds what may wait to be taken; an entry
    /// counts 64 and the octets of its attribute set or message. Within tokio.
    pub fn subscribe(&self, wants: Wants, octets_max: usize) -> Subscription {
        let (shards, cores) = (self.data.shard_count(), self.data.core_count());
        let subscriber = Arc::new(Subscriber::new(wants, octets_max, shards, cores));
        let mut subscribers =
            (self.shared.subscribers.lock()).unwrap_or_else(PoisonError::into_inner);
        subscribers.all.push(Arc::downgrade(&subscriber));
        if !subscribers.is_read {
            subscribers.is_read = true;
            tokio::spawn(Reader::new(self.data.clone(), self.shared.clone()).read());
        }
        Subscription::new(subscriber)
    }
}
