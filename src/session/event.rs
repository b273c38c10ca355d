//! What goes in and out of a session besides octets.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::base::{Asn, Family, FamilySet};
use crate::wire::{CeaseSubcode, GracefulRestart, LongLivedRestart, MessageType, RefreshSubtype};

use super::DownReason;

/// Which of a session's two possible connections (RFC 4271 §6.8).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Way {
    /// The peer connected to us.
    Accepted,
    /// We connected to the peer.
    Connected,
}

impl Way {
    pub const BOTH: [Way; 2] = [Way::Accepted, Way::Connected];

    pub const fn other(self) -> Way {
        match self {
            Way::Accepted => Way::Connected,
            Way::Connected => Way::Accepted,
        }
    }

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// RFC 4271 §8.2.2, in its order. With two connections, the further one's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    Idle,
    Connect,
    Active,
    OpenSent,
    OpenConfirm,
    Established,
}

impl State {
    pub const fn name(self) -> &'static str {
        match self {
            State::Idle => "Idle",
            State::Connect => "Connect",
            State::Active => "Active",
            State::OpenSent => "OpenSent",
            State::OpenConfirm => "OpenConfirm",
            State::Established => "Established",
        }
    }
}

/// What both sides agreed on, and what the peer alone offered for us to use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Negotiated {
    pub families: FamilySet,
    /// Families in which the peer takes several paths from us (RFC 7911).
    pub add_path_send: FamilySet,
    /// IPv4 prefixes may have IPv6 next hops, both ways (RFC 8950).
    pub ipv6_next_hops: bool,
    /// RFC 6793.
    pub four_octet: bool,
    /// The peer takes messages of up to 65,535 octets (RFC 8654 §4). Whether they may come from it is
    /// a matter of what we offered: [`super::SessionSettings::extended_messages`].
    pub extended_messages: bool,
    /// RFC 7313.
    pub enhanced_refresh: bool,
    /// The peer can be asked for its routes again (RFC 2918).
    pub route_refresh: bool,
    /// What the peer said of its restarts (RFC 4724 §3). Whoever says anything will send End-of-RIB (§2).
    pub peer_restart: Option<GracefulRestart>,
    /// The same of RFC 9494: long-lived stale routes may be sent to it.
    pub peer_long_lived: Option<LongLivedRestart>,
    /// The peer keeps our routes when TCP ends without a NOTIFICATION: both announced Graceful Restart,
    /// and we did so with families.
    pub keeps_routes: bool,
    /// Then it keeps them after a NOTIFICATION too, unless that is a Hard Reset (RFC 8538).
    pub hard_resets: bool,
    /// The smaller of both; 0 is none.
    pub hold_time_s: u16,
    pub peer_router_id: Ipv4Addr,
    pub peer_asn: Asn,
    /// What the peer says it is to us (RFC 9234), whether we heed it or not.
    pub peer_role: Option<u8>,
}

impl Negotiated {
    pub const fn sends_end_of_rib(&self) -> bool {
        self.peer_restart.is_some()
    }

    /// Families whose routes of the peer a helper keeps when the session ends like this (RFC 4724 §4.2):
    /// without a NOTIFICATION, or, where RFC 8538 was negotiated, with one that is no Hard Reset.
    pub fn outlives(&self, reason: &DownReason) -> FamilySet {
        let is_graceful = match reason {
            DownReason::PeerClosed | DownReason::Superseded => true,
            DownReason::HoldTimer { .. } => self.hard_resets,
            DownReason::PeerNotification(notification) => {
                self.hard_resets && !notification.is_cease(CeaseSubcode::HardReset)
            }
            _ => false,
        };
        let Some(restart) = self.peer_restart.filter(|_| is_graceful) else {
            return FamilySet::EMPTY;
        };
        let long_lived = self.peer_long_lived.unwrap_or_default();
        (restart.families.union(long_lived.families())).intersection(self.families)
    }

    /// The peer says that it restarted: nobody waits for its End-of-RIB (RFC 4724 §3).
    pub const fn has_peer_restarted(&self) -> bool {
        matches!(
            self.peer_restart,
            Some(GracefulRestart {
                restarting: true,
                ..
            })
        )
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionEvent {
    /// Comes before any message.
    Established(Negotiated),
    /// An established session is over; nothing of it comes after this.
    Down { reason: DownReason },
    /// A connection ended before it was established; for the log and "last error".
    Failed { reason: DownReason },
}

/// What is to be done with TCP connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionAction {
    /// Connect to the peer, giving up an attempt that is under way.
    Connect,
    /// Close, after what was transmitted on it is flushed, best effort.
    Close(Way),
}

/// A message of an established session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message<'a> {
    /// Without its header.
    Update(&'a [u8]),
    /// Of a negotiated family.
    RouteRefresh {
        family: Family,
        subtype: RefreshSubtype,
        body: &'a [u8],
    },
    /// Nothing follows from it: a KEEPALIVE, or a ROUTE-REFRESH that is to be ignored.
    Ignored(MessageType, &'a [u8]),
}

impl<'a> Message<'a> {
    /// `refresh`: what a ROUTE-REFRESH asks, if it is heeded.
    pub(super) const fn of(
        kind: MessageType,
        refresh: Option<(Family, RefreshSubtype)>,
        body: &'a [u8],
    ) -> Message<'a> {
        match (kind, refresh) {
            (MessageType::Update, _) => Message::Update(body),
            (_, Some((family, subtype))) => Message::RouteRefresh {
                family,
                subtype,
                body,
            },
            (kind, None) => Message::Ignored(kind, body),
        }
    }
}

/// How and for how long a session is ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    pub subcode: CeaseSubcode,
    /// For the peer's operator where the subcode carries text (RFC 9003), for ours always.
    pub message: String,
    pub hold: StopHold,
    pub parting: Parting,
}

/// What becomes of our routes at a peer whose session we end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parting {
    /// It is to drop them at once, whatever was negotiated.
    Final,
    /// The session comes back: where RFC 8538 was negotiated it keeps them meanwhile.
    Brief,
    /// The server comes back: it keeps them wherever it can. A NOTIFICATION would end that under
    /// RFC 4724 alone, so TCP is closed without one.
    Restart,
}

/// When a stopped session may come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopHold {
    UntilStart,
    For(Duration),
    /// Like after a fault: the IdleHold back-off.
    Backoff,
}
