//! The half that is for session cores.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

use crate::base::{ClientSet, ClientSlot, CoreId, Family, FamilySet, Generation, Prefix, Time};
use crate::server::exchange::Exchange;
use crate::server::latency::Latencies;
use crate::session::{DownReason, Negotiated};
use crate::wire::{AttributeSet, GracefulRestart};

/// To a session core.
#[derive(Clone, Debug)]
pub enum CoreCommand {
    /// A new generation; also how clients are disabled, enabled and quarantined.
    Reload(Arc<Exchange>),
    /// End the session with Cease / Administrative Reset, let it come back.
    Reset {
        slot: ClientSlot,
        message: String,
    },
    /// Send ROUTE-REFRESH for all its families.
    Refresh {
        slot: ClientSlot,
    },
    /// End every session, take no more: with Cease / Administrative Shutdown, or so that clients keep
    /// our routes until this server is back.
    Shutdown {
        message: String,
        restart: bool,
    },
    Stats,
    /// Which one it runs.
    Generation,
    /// What happened to sessions, and messages of some of them; keeping it begins with the first such
    /// question, and ends when none has come for ten seconds.
    Tap(TapQuestion),
    /// The sessions that are established.
    Sessions,
}

/// There is one who asks: what it says to have taken is forgotten.
#[derive(Clone, Debug)]
pub struct TapQuestion {
    /// The last entry that was taken; 0 at first.
    pub after: u64,
    pub limit: u32,
    /// Whose messages are asked for, as they came.
    pub received: Arc<ClientSet>,
    /// Whose messages are asked for, as they went out.
    pub sent: Arc<ClientSet>,
}

#[derive(Clone, Debug)]
pub struct TapAnswer {
    /// Oldest first.
    pub entries: Vec<Tapped>,
    /// The number of the last of them, to go on from.
    pub last: u64,
    /// Between what was taken before and these, some are lost. So it is with the first answer.
    pub has_missed: bool,
    pub has_more: bool,
}

/// One thing that happened to a session.
#[derive(Clone, Debug)]
pub struct Tapped {
    pub at: Time,
    pub slot: ClientSlot,
    pub what: TappedWhat,
}

impl Tapped {
    /// Of its messages.
    pub fn octets(&self) -> usize {
        match &self.what {
            TappedWhat::Received(octets)
            | TappedWhat::ReceivedOther(octets)
            | TappedWhat::Sent(octets) => octets.len(),
            TappedWhat::Up(up) => up.sent_open.len() + up.received_open.len(),
            TappedWhat::Down(_) | TappedWhat::Failed(_) => 0,
        }
    }
}

#[derive(Clone, Debug)]
pub enum TappedWhat {
    Up(Arc<SessionUp>),
    Down(DownReason),
    /// A connection ended before the session was established.
    Failed(DownReason),
    /// A whole UPDATE of the client, with its header.
    Received(Bytes),
    /// A whole KEEPALIVE or ROUTE-REFRESH of the client, with its header.
    ReceivedOther(Bytes),
    /// A whole message to the client, with its header.
    Sent(Bytes),
}

/// A session as it came up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionUp {
    pub since: Time,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub negotiated: Negotiated,
    /// The whole OPENs, with their headers.
    pub sent_open: Bytes,
    pub received_open: Bytes,
}

#[derive(Clone, Debug)]
pub enum CoreReply {
    Done,
    Refused(String),
    Stats(Box<CoreStats>),
    Generation(Generation),
    Tapped(TapAnswer),
    Sessions(Vec<(ClientSlot, Arc<SessionUp>)>),
}

#[derive(Clone, Debug, Default)]
pub struct CoreStats {
    pub core: CoreId,
    pub clients: Vec<ClientStatus>,
    pub octets_in: u64,
    pub octets_out: u64,
    pub updates_in: u64,
    /// UPDATEs encoded, each once however many clients got it.
    pub updates_encoded: u64,
    pub nlri_encoded: u64,
    /// UPDATEs and NLRI queued for clients, each counted for each client.
    pub updates_out: u64,
    pub nlri_out: u64,
    pub octets_retained: u64,
    pub octets_retained_max: u64,
    pub refused_connections: u64,
    /// The last next hops of others, the most recent last.
    pub hijacks: Vec<Hijack>,
    /// Times that a client far behind was brought up to date as a whole (RFC 7313).
    pub whole_resyncs: u64,
    /// How long changes are gathered before they are packed, and how many prefixes are gathered now.
    pub window_us: u64,
    pub window_prefixes: u64,
    /// From the arrival of the oldest UPDATE behind a window to its packing.
    pub until_queued: Latencies,
    /// The same, to each write with which a client has all that is queued for it.
    pub until_written: Latencies,
    pub startup_over: bool,
    /// How long the start-up wait took, once it is over.
    pub startup_wait_ms: u64,
    pub generation: Generation,
}

/// A client announced routes with a next hop that is the address of another one (RFC 7948 §4.8).
#[derive(Clone, Debug)]
pub struct Hijack {
    pub slot: ClientSlot,
    pub next_hop: IpAddr,
    /// Whose it is.
    pub of: ClientSlot,
    /// When it did so for the first and for the last time.
    pub first: Time,
    pub last: Time,
    /// Prefixes, each time that they came.
    pub prefixes: u64,
    /// The last of them.
    pub prefix: Prefix,
    pub set: Arc<AttributeSet>,
}

/// What came of a client's UPDATEs in all its sessions: the counters of RFC 7854 §4.8.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Prefixes that import rejected, each time that they were announced.
    pub rejected_prefixes: u64,
    /// Prefixes that were announced as they were already.
    pub duplicate_announcements: u64,
    /// Prefixes that were withdrawn and were not there.
    pub duplicate_withdrawals: u64,
    /// UPDATEs that said nothing else.
    pub duplicate_updates: u64,
    /// UPDATEs rejected because the server's own ASN is in the AS_PATH.
    pub looped_updates: u64,
    /// Prefixes that were announced and treated as withdrawn.
    pub treat_as_withdraw_prefixes: u64,
}

/// Routes that outlive their session (RFC 4724 §4.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StaleStatus {
    /// When that ends, or changes; microseconds since the start of the server.
    pub until_us: u64,
    /// They are the last choice already (RFC 9494).
    pub is_long_lived: bool,
}

/// One client as its session core sees it. Times are microseconds since the start of the server.
#[derive(Clone, Debug, Default)]
pub struct ClientStatus {
    pub slot: ClientSlot,
    /// RFC 4271 §8.2.2 state name: Idle, Connect, Active, OpenSent, OpenConfirm, Established.
    pub state: &'static str,
    pub since_us: u64,
    pub remote: Option<SocketAddr>,
    pub router_id: Option<Ipv4Addr>,
    pub hold_time_s: u16,
    pub families: FamilySet,
    pub add_path: FamilySet,
    pub four_octet: bool,
    pub extended_messages: bool,
    /// As in [`Negotiated`].
    pub keeps_routes: bool,
    pub hard_resets: bool,
    pub peer_restart: Option<GracefulRestart>,
    pub received: [u32; 2],
    pub accepted: [u32; 2],
    /// Families of which a limit rejects all routes.
    pub rejecting: FamilySet,
    pub updates_in: u64,
    pub updates_out: u64,
    /// Prefixes queued for it, in announcements and withdrawals.
    pub nlri_out: u64,
    pub octets_in: u64,
    pub octets_out: u64,
    pub queue_octets: u64,
    pub dirty_prefixes: u64,
    /// It does not read, and what changes is only noted for it.
    pub stalled: bool,
    /// Families whose End-of-RIB the client sent.
    pub end_of_rib: FamilySet,
    /// What is kept of the session before, by family.
    pub stale: [Option<StaleStatus>; 2],
    pub flaps: u32,
    pub treat_as_withdraw_count: u64,
    pub attribute_discard_count: u64,
    pub tally: Tally,
    /// Prefixes that came with the next hop of another client, each time that they came.
    pub hijack_count: u64,
    /// Why the last session ended, in words, with who ended it.
    pub last_error: Option<String>,
    pub last_family_refused: Option<Family>,
}
