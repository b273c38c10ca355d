//! What the management plane asks shards and session cores, and what they answer. Each answer is
//! bounded; longer ones go on from a cursor, so that no question stalls the data path.

mod session_core;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::base::{ClientSet, ClientSlot, Generation, PathId, Prefix, PrefixSlot, ShardId};
use crate::policy::{KeptBack, PrefixClass, RejectReason, Verdict};
use crate::rib::DecidedBy;
use crate::wire::{AttributeSet, Variant};

use super::alike::AlikePiece;
use super::exchange::Exchange;
use super::reach::Reach;
use super::search::RouteFilter;

pub use session_core::{
    ClientStatus, CoreCommand, CoreReply, CoreStats, Hijack, SessionUp, StaleStatus, Tally,
    TapAnswer, TapQuestion, Tapped, TappedWhat,
};

/// To a shard.
#[derive(Clone, Debug)]
pub enum ShardQuery {
    /// All paths of one prefix; asked of the shard that owns it.
    Route {
        prefix: Prefix,
    },
    /// Paths of one client, `limit` table entries' worth at a time, or fewer.
    Routes {
        slot: ClientSlot,
        which: Which,
        cursor: PrefixSlot,
        limit: u32,
    },
    /// Paths that pass a filter. `limit` bounds what is looked at: prefixes, and paths of those that
    /// pass. What is found is bounded by `rows_max`, but for the last prefix, which is told whole.
    Search {
        filter: RouteFilter,
        cursor: PrefixSlot,
        limit: u32,
        rows_max: u32,
    },
    /// Paths of all, one prefix after the other, each's best first and rejected ones last: those of
    /// `limit` table entries, or fewer. Answered as `Routes` is.
    Paths {
        cursor: PrefixSlot,
        limit: u32,
    },
    /// Why a client has, or has not, this prefix.
    Explain {
        prefix: Prefix,
        to: ClientSlot,
    },
    Stats,
    /// Which one it runs, with every path judged under it.
    Generation,
    /// What changed in the table; keeping it begins with the first such question, and ends when none
    /// has come for ten seconds.
    Watch(WatchQuestion),
    /// How many paths clients have, `limit` table entries' worth at a time, or fewer.
    Served {
        cursor: PrefixSlot,
        limit: u32,
    },
    /// Paths of all clients, `limit` table entries' worth at a time, or fewer.
    Alike {
        which: Which,
        cursor: PrefixSlot,
        limit: u32,
    },
    /// What another generation would change, `limit` table entries at a time, or fewer.
    Rehearse {
        rehearsal: Arc<Rehearsal>,
        cursor: PrefixSlot,
        limit: u32,
    },
}

/// Paths of a piece of the table that live clients have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Served {
    /// By client slot and family.
    pub counts: Vec<[u32; 2]>,
    /// As in [`ShardReply::Routes`].
    pub next: Option<PrefixSlot>,
}

/// There is one who asks: what it says to have taken is forgotten.
#[derive(Clone, Debug)]
pub struct WatchQuestion {
    /// The last change that was taken; 0 at first.
    pub after: u64,
    pub limit: u32,
    /// Whose Adj-RIB-Out is asked for, too.
    pub named: Arc<ClientSet>,
}

#[derive(Clone, Debug)]
pub struct WatchAnswer {
    /// Oldest first.
    pub changes: Vec<TableChange>,
    /// The number of the last of them, to go on from.
    pub last: u64,
    /// Between what was taken before and these, some are lost: only the table itself can tell. So it is
    /// with the first answer.
    pub has_missed: bool,
    pub has_more: bool,
}

/// One thing that changed in a table.
#[derive(Clone, Debug)]
pub enum TableChange {
    /// The path of a client is this now, or is judged like this.
    Heard {
        prefix: Prefix,
        announcer: ClientSlot,
        class: PrefixClass,
        set: Arc<AttributeSet>,
    },
    /// It has none any more.
    Gone {
        prefix: Prefix,
        announcer: ClientSlot,
    },
    /// What is preferred of all that was accepted, before anybody's wishes are looked at.
    Best {
        prefix: Prefix,
        announcer: ClientSlot,
        set: Arc<AttributeSet>,
    },
    NoBest {
        prefix: Prefix,
    },
    /// A client whose Adj-RIB-Out is watched is sent this.
    Sent {
        to: ClientSlot,
        prefix: Prefix,
        path_id: Option<PathId>,
        set: Arc<AttributeSet>,
        variant: Variant,
    },
    Unsent {
        to: ClientSlot,
        prefix: Prefix,
        path_id: Option<PathId>,
    },
    /// It was brought to the present state of this table, which was not told one by one; or it is
    /// watched from here on.
    Live {
        client: ClientSlot,
    },
}

impl TableChange {
    pub fn set(&self) -> Option<&AttributeSet> {
        match self {
            TableChange::Heard { set, .. }
            | TableChange::Best { set, .. }
            | TableChange::Sent { set, .. } => Some(set),
            _ => None,
        }
    }

    /// Of its attribute set, counted for every change that has it.
    pub fn octets(&self) -> usize {
        self.set().map_or(0, |set| set.octets().len())
    }
}

/// A generation that is not in force, and how it differs from the one that is.
#[derive(Debug)]
pub struct Rehearsal {
    /// The one in force.
    pub since: Generation,
    pub exchange: Arc<Exchange>,
    pub reach: Reach,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Which {
    Received,
    Accepted,
    Rejected,
    Advertised,
}

#[derive(Clone, Debug)]
pub enum ShardReply {
    /// Best first, rejected ones last.
    Route(Vec<PathRow>),
    /// `next` is the cursor to go on from; `None` when the table is through. The same cursor again: ask
    /// again in a while.
    Routes {
        rows: Vec<PathRow>,
        next: Option<PrefixSlot>,
    },
    Found(Found),
    Explain(Explanation),
    Stats(Box<ShardStats>),
    Generation(Generation),
    Watched(WatchAnswer),
    Served(Served),
    Alike(AlikePiece),
    Rehearsed(Box<Rehearsed>),
}

/// What a piece of a search came to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub rows: Vec<PathRow>,
    pub looked_at: u32,
    /// As in [`ShardReply::Routes`].
    pub next: Option<PrefixSlot>,
}

/// What a piece of the table would be under another generation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rehearsed {
    /// Paths that are accepted at present.
    pub accepted: u64,
    /// Prefixes that live clients have a path of at present, counted for each client.
    pub served: u64,
    /// Accepted paths that would not be any more, by announcer.
    pub newly_rejected: BTreeMap<(ClientSlot, Loss), u64>,
    /// Paths that would be accepted and are not, with the reason of now.
    pub newly_accepted: BTreeMap<(ClientSlot, RejectReason), u64>,
    /// Prefixes of which a live client has a path now and would have none: all, if it would be no client
    /// any more. Clients that would be kept down are left out.
    pub lost: BTreeMap<ClientSlot, u64>,
    /// The other way round.
    pub gained: BTreeMap<ClientSlot, u64>,
    /// As in [`ShardReply::Routes`]. The same cursor again: the shard is not where a rehearsal can
    /// begin; ask again in a while.
    pub next: Option<PrefixSlot>,
}

/// Why a path would be lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Loss {
    Rejected(RejectReason),
    /// `attributes.treat_as_withdraw`.
    Withdrawn,
    /// Its announcer would be kept down.
    KeptDown,
    /// Its announcer would be no client any more.
    Removed,
}

impl Rehearsed {
    pub fn add(&mut self, other: &Rehearsed) {
        fn add<K: Ord + Copy>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
            for (key, count) in from {
                *to.entry(*key).or_default() += count;
            }
        }
        self.accepted += other.accepted;
        self.served += other.served;
        add(&mut self.newly_rejected, &other.newly_rejected);
        add(&mut self.newly_accepted, &other.newly_accepted);
        add(&mut self.lost, &other.lost);
        add(&mut self.gained, &other.gained);
        self.next = other.next;
    }
}

/// One path of a prefix, or one as a client gets it.
#[derive(Clone, Debug)]
pub struct PathRow {
    pub prefix: Prefix,
    pub announcer: ClientSlot,
    pub class: PrefixClass,
    pub set: Arc<AttributeSet>,
    pub variant: Variant,
    pub path_id: Option<PathId>,
    /// Its session is over, and it is kept for a while (RFC 4724 §4.2).
    pub is_stale: bool,
    /// How many live clients have it as their best path (a path with ADD-PATH: have it).
    pub advertised_to: u32,
}

/// The answer to "why does this client have, or not have, this prefix".
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Every path in the order of preference for this client, each with what became of it.
    pub paths: Vec<(PathRow, PathFate)>,
    /// Whether the client's session is up and walked to, for the prefix's family.
    pub live: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathFate {
    /// The client has it; this step took out the last of the others (none where it was alone).
    Best(Option<DecidedBy>),
    /// It has it beside others (ADD-PATH).
    Additional,
    /// Better ones were there; at this step it was out.
    Lost(DecidedBy),
    Rejected,
    /// It is the client's own.
    Own,
    /// Control communities or the configuration keep it from this client.
    NotInAudience(KeptBack),
    /// A reload lets the client have it, and has not come to it yet.
    Unsettled,
    /// Too long for the client's messages.
    TooLong,
    /// It is long-lived stale, and the client did not announce that capability (RFC 9494 §4.3).
    LongLived,
    /// The client takes no IPv6 next hops for IPv4 prefixes (RFC 8950).
    NextHopForm,
    /// The client did not negotiate the family.
    FamilyNotNegotiated,
}

/// Prefixes of one client's present session in one family. "Block" is not looked at: what it keeps
/// back counts as accepted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PrefixCounts {
    pub received: i32,
    pub accepted: i32,
    /// The others, by reason; none is zero.
    pub rejected: SmallVec<[(RejectReason, i32); 2]>,
}

impl PrefixCounts {
    pub fn add(&mut self, other: &PrefixCounts) {
        self.received += other.received;
        self.accepted += other.accepted;
        for (reason, count) in &other.rejected {
            self.add_rejected(*reason, *count);
        }
    }

    /// One path more, or less, with this verdict of import.
    pub fn add_verdict(&mut self, verdict: Verdict, one: i32) {
        match verdict {
            Verdict::Accepted | Verdict::Rejected(RejectReason::AcceptedLimit) => {
                self.accepted += one
            }
            Verdict::Rejected(reason) => self.add_rejected(reason, one),
        }
    }

    fn add_rejected(&mut self, reason: RejectReason, count: i32) {
        match self.rejected.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, known)) => *known += count,
            None => self.rejected.push((reason, count)),
        }
        self.rejected.retain(|(_, count)| *count != 0);
    }

    pub fn rejected_for(&self, reason: RejectReason) -> i32 {
        let found = self.rejected.iter().find(|(known, _)| *known == reason);
        found.map_or(0, |(_, count)| *count)
    }
}

#[derive(Clone, Debug, Default)]
pub struct ShardStats {
    pub shard: ShardId,
    /// That have a path.
    pub prefixes: u64,
    pub paths: u64,
    /// Prefixes that have an accepted path, by family.
    pub loc_rib: [u64; 2],
    pub attribute_sets: u64,
    pub audiences: u64,
    pub eligibilities: u64,
    /// Distinct prefix classes of paths.
    pub classes: u64,
    /// Distinct forms in which attribute sets go out.
    pub variants: u64,
    pub messages: u64,
    pub routes_in: u64,
    pub deltas_out: u64,
    pub flushes: u64,
    pub pending: u64,
    /// How long changes are gathered at least, from one flush to the next.
    pub window: Duration,
    pub free_slots: u64,
    /// Prefixes without a path that await reuse of their slots.
    pub dead_prefixes: u64,
    /// What each client announces, by slot and family.
    pub counts: Vec<[PrefixCounts; 2]>,
    /// Paths of each client that outlive its session (RFC 4724 §4.2), by slot and family.
    pub stale: Vec<[u32; 2]>,
    /// Octets of attribute sets held.
    pub attribute_octets: u64,
    pub generation: Generation,
}
