//! What a session is configured with.

use std::net::Ipv4Addr;

use crate::base::{Asn, FamilySet};

/// One client's session parameters; times are in seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionSettings {
    pub local_asn: Asn,
    pub local_router_id: Ipv4Addr,
    pub peer_asn: Asn,
    pub families: FamilySet,
    /// Proposed Hold Time; 0 or at least 3 (RFC 4271 §4.2).
    pub hold_time_s: u16,
    /// Wait for the peer to connect.
    pub passive: bool,
    /// Families for which Rialto offers to send several paths (RFC 7911), never to receive them.
    pub add_path_send: FamilySet,
    /// Offer to take messages of up to 65,535 octets (RFC 8654); sent are such to whoever offers it.
    pub extended_messages: bool,
    pub connect_retry_s: u16,
    /// First and largest IdleHold back-off after a failed session.
    pub idle_hold_s: u16,
    pub idle_hold_max_s: u16,
    /// RFC 9687 SendHoldTime; `None` is the larger of 480 s and twice the hold time.
    pub send_hold_time_s: Option<u16>,
    /// RFC 9234: announce the role RS, and take only peers that go with it; `None` announces no role
    /// and does not heed the peer's.
    pub role: Option<RoleSettings>,
    /// The server's AS is prepended to every AS_PATH on the way out.
    pub prepend_rs_as: bool,
    /// Offer to take and to send IPv4 prefixes with IPv6 next hops (RFC 8950).
    pub ipv6_next_hops: bool,
    /// Restart Time that we announce (RFC 4724 §3), at most 4,095; 0: nobody is asked to keep our routes
    /// while we restart. A change is told with the next OPEN.
    pub graceful_restart_s: u16,
    /// Helper (RFC 4724 §4.2): how long at most the peer's routes stay when its session ends without a
    /// goodbye, as long as its own Restart Time says; 0: not at all.
    pub graceful_restart_helper_s: u16,
    /// How long at most after that, or at once where that is 0, as long-lived stale ones (RFC 9494), by [`crate::base::Family::index`].
    pub llgr_max_s: [u32; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RoleSettings {
    /// A peer that announces no role is refused too.
    pub strict: bool,
}

impl SessionSettings {
    /// Whether the peer's routes may outlive its session.
    pub fn is_helper(&self) -> bool {
        self.graceful_restart_helper_s > 0 || self.is_long_lived_helper()
    }

    /// Whether any of them may be long-lived.
    pub fn is_long_lived_helper(&self) -> bool {
        self.llgr_max_s != [0; 2]
    }

    /// Whether they differ in what the peer has to be told, or sent everything again for.
    pub fn has_news_for_peer(&self, before: &SessionSettings) -> bool {
        let told = |settings: &SessionSettings| SessionSettings {
            passive: false,
            connect_retry_s: 0,
            idle_hold_s: 0,
            idle_hold_max_s: 0,
            send_hold_time_s: None,
            graceful_restart_s: 0,
            graceful_restart_helper_s: 0,
            llgr_max_s: [0; 2],
            ..settings.clone()
        };
        told(self) != told(before)
    }
}
