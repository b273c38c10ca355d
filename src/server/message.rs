//! The whole conversation between session cores, shards and the management plane, on one page.
//!
//! Each mailbox is bounded and first-in-first-out. Nobody blocks on a full one: a session core
//! keeps the message and stops reading its sockets; a shard keeps its changes unflushed.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{
    ClientSet, ClientSlot, CoreId, Family, FamilySet, Generation, Prefix, PrefixSlot, SessionEpoch,
    Time, WalkId,
};
use crate::policy::PrefixClass;
use crate::wire::{AttributeSet, EncodingClass};

pub use crate::fanout::{DeltaBatch, DeltaContent, DeltaGroup, DeltaKey, DirtyPrefix};

use super::exchange::Exchange;
use super::query::ShardQuery;

/// Into a shard.
#[derive(Debug)]
pub enum ToShard {
    /// From the session core that owns the client.
    Routes(RouteBatch),
    /// A session is established: from now on its routes count, and it may be walked to.
    ClientUp(ClientUp),
    /// A session is over: its paths of this epoch and older die, but for those of some families, which
    /// are stale from now on (RFC 4724 §4.2); nothing more is owed to it.
    ClientDown {
        slot: ClientSlot,
        epoch: SessionEpoch,
        stale: FamilySet,
        /// Those of them that are long-lived at once; so are stale ones of sessions before, which stay.
        long_lived: FamilySet,
    },
    /// Stale paths of these families are long-lived from now on (RFC 9494 §4.2), and die where they say so.
    LongLived {
        slot: ClientSlot,
        families: FamilySet,
    },
    /// Stale paths of these families die. In order with the routes of a session that has begun since.
    StaleOver {
        slot: ClientSlot,
        families: FamilySet,
    },
    /// A client's enhanced route refresh begins or ends.
    Refresh(RefreshMark),
    /// Bring `clients` (all of the sending core, all up) to the present state of `families`.
    /// Until [`ToShard::Promote`] they get nothing in the ordinary stream.
    Walk {
        core: CoreId,
        walk: WalkId,
        clients: Arc<ClientSet>,
        families: FamilySet,
        /// Each core asks for such a walk (after a start), and all of them are one: it begins when the
        /// last has asked.
        joint: bool,
    },
    /// The sending core has consumed every shard's stream of that walk.
    Promote { core: CoreId, walk: WalkId },
    /// Give one client the present state of these prefixes, in the ordinary stream: an announcement
    /// or a withdrawal for each.
    Resync {
        slot: ClientSlot,
        epoch: SessionEpoch,
        dirty: Vec<DirtyPrefix>,
    },
    /// From this hash of a prefix ([`Prefix::shard_hash`]) on, the client's paths of a family are
    /// blocked (`accepted_max`, actions "block" and "reject"); `None` lifts it.
    BlockFrom {
        slot: ClientSlot,
        epoch: SessionEpoch,
        family: Family,
        hash: Option<u64>,
    },
    /// Hashes of the client's acceptable prefixes, to choose what "block" keeps.
    AskHashes {
        slot: ClientSlot,
        epoch: SessionEpoch,
        family: Family,
    },
    /// A new generation of the configuration.
    Reload(Arc<Exchange>),
    /// Answer to [`ToCore::Reclaim`]: nothing in the sending core names those slots any more.
    Reclaimed { core: CoreId, batch: u32 },
    /// From the management plane.
    Query { id: u64, query: ShardQuery },
}

/// What one session core learnt from one client, for one shard.
#[derive(Debug)]
pub struct RouteBatch {
    pub slot: ClientSlot,
    pub epoch: SessionEpoch,
    /// Under which the routes were judged; the shard judges again what is older than its own.
    pub generation: Generation,
    /// When the oldest octets that it was read from had come.
    pub heard: Time,
    pub updates: Vec<RouteUpdate>,
    /// The prefixes of all updates, one after another.
    pub prefixes: Vec<(Prefix, PrefixClass)>,
}

/// One UPDATE's share of prefixes for one shard: an announcement, or a withdrawal without a set.
/// Those of one UPDATE follow each other in one batch.
#[derive(Debug)]
pub struct RouteUpdate {
    /// Counts the client's UPDATEs in this session, from 1.
    pub seq: u64,
    pub set: Option<Arc<AttributeSet>>,
    /// Into [`RouteBatch::prefixes`].
    pub prefixes: Range<u32>,
}

/// BoRR or EoRR of a client (RFC 7313), in order with its routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefreshMark {
    pub slot: ClientSlot,
    pub epoch: SessionEpoch,
    pub family: Family,
    /// EoRR: what was not announced since the BoRR is no route any more. It is answered under this
    /// number, like an UPDATE.
    pub end: Option<u64>,
}

/// What was negotiated with a client that came up.
#[derive(Clone, Debug)]
pub struct ClientUp {
    pub slot: ClientSlot,
    pub epoch: SessionEpoch,
    pub families: FamilySet,
    /// What it is sent, and what fits it. In families with ADD-PATH it receives all paths.
    pub class: EncodingClass,
    pub router_id: Ipv4Addr,
    /// Families in which the stale paths of the session before stay until then; none where that had another
    /// router identifier, by which paths are sorted.
    pub stale: FamilySet,
    /// It is sent long-lived stale routes (RFC 9494 §4.3).
    pub takes_stale: bool,
}

/// Into a session core, from a shard (`shard` says which).
#[derive(Debug)]
pub enum ToCore {
    /// The ordinary stream, in order.
    Deltas(Arc<DeltaBatch>),
    /// A walk's stream: groups ascend by [`DeltaGroup::key`] over the whole walk.
    WalkDeltas {
        walk: WalkId,
        batch: Arc<DeltaBatch>,
    },
    /// The walk's stream is complete on this shard; the core answers with [`ToShard::Promote`]
    /// when it has consumed it on all.
    WalkEnd { walk: WalkId },
    /// From here on the ordinary stream of this shard is for the walk's clients too (those whose
    /// session is still the one that was walked to).
    Promoting { walk: WalkId },
    /// What changed during the walk was sent between [`ToCore::Promoting`] and this: End-of-RIB is
    /// due once every shard has said so.
    Promoted { walk: WalkId },
    /// Effects of UPDATEs on a client's counts, by [`RouteUpdate::seq`]; every update sent to this
    /// shard is answered.
    Counts {
        slot: ClientSlot,
        epoch: SessionEpoch,
        counts: Vec<CountChange>,
    },
    /// The client's attribute sets take so many octets on this shard, more than its part of
    /// `attribute_octets_max`; said once in a session.
    OverBudget {
        slot: ClientSlot,
        epoch: SessionEpoch,
        octets: u64,
    },
    /// The answers to one [`ToShard::Resync`] are in the ordinary stream before this.
    Resynced {
        slot: ClientSlot,
        epoch: SessionEpoch,
    },
    /// Answer to [`ToShard::AskHashes`].
    Hashes {
        slot: ClientSlot,
        epoch: SessionEpoch,
        family: Family,
        hashes: Vec<u64>,
    },
    /// Freed prefix slots await reuse: answer [`ToShard::Reclaimed`] when no queue, dirty record or
    /// message under way in this core names one.
    Reclaim {
        batch: u32,
        slots: Arc<[PrefixSlot]>,
    },
    /// Too many freed slots await reuse behind that batch: do not wait for clients that have been
    /// behind for longer than this.
    Hurry { batch: u32, patience: Duration },
    /// All changes of the reload to this generation are in the stream before this.
    Reloaded { generation: Generation },
}

/// What one UPDATE, all parts of it, did to a client's counts in one shard.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CountChange {
    /// [`RouteUpdate::seq`]; 0 for what a reload changed, and for what is still stale of sessions before.
    pub seq: u64,
    /// Prefixes in the Adj-RIB-In, by family.
    pub received: [i32; 2],
    /// Those that import accepts, "block" left out of account, by family.
    pub accepted: [i32; 2],
    /// Prefixes that were announced as they were already.
    pub duplicate_announcements: u32,
    /// Prefixes that were withdrawn and were not there.
    pub duplicate_withdrawals: u32,
    /// Not every prefix was such a duplicate.
    pub has_news: bool,
}

impl CountChange {
    /// Another part of the same UPDATE.
    pub fn add(&mut self, other: &CountChange) {
        for family in 0..2 {
            self.received[family] += other.received[family];
            self.accepted[family] += other.accepted[family];
        }
        self.duplicate_announcements += other.duplicate_announcements;
        self.duplicate_withdrawals += other.duplicate_withdrawals;
        self.has_news |= other.has_news;
    }
}

/// From one session core to another: the start-up wait. Core 0 decides for all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoreNotice {
    /// To core 0.
    Startup(StartupReport),
    /// From core 0: advertise.
    StartupOver,
    /// From core 0, after that: clients that kept our routes over a restart may have End-of-RIB.
    AllBack,
}

/// How far the sessions of one core are after a start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StartupReport {
    /// Sessions that are established.
    pub up: u32,
    /// Clients that may have one and have none.
    pub absent: u32,
    /// Established ones that owe an End-of-RIB, and sessions that are half open.
    pub waiting: u32,
    /// Sessions that are half open, or that have not brought all their routes to the shards yet.
    pub unsettled: u32,
    /// When a session first came up.
    pub first_up: Option<Time>,
    /// When a session last came up.
    pub last_up: Time,
    /// When a session last came up or an UPDATE last came.
    pub last_heard: Time,
}
