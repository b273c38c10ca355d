//! The compiled configuration of one generation, as every floor below the management plane sees it.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Asn, ClientSlot, CoreId, Family, FamilySet, Generation};
use crate::policy::{ControlScheme, Directory, ImportPolicy, Outside, PrefixBlocks, PrefixList};
use crate::rib::MedMode;
use crate::session::{Negotiated, SessionSettings};
use crate::wire::{DecodeContext, TypeCodes};

/// Everything a session core or a shard asks of the configuration.
#[derive(Debug)]
pub struct Exchange {
    pub generation: Generation,
    pub asn: Asn,
    pub router_id: Ipv4Addr,
    pub listen: Vec<SocketAddr>,
    pub core_count: u16,
    pub shard_count: u16,
    pub med: MedMode,
    /// Control communities and what is scrubbed.
    /// One value for as long as it does not change: what is encoded under the same is put together.
    pub scheme: Arc<ControlScheme>,
    /// Who is there, for audiences.
    pub directory: Directory,
    /// Lists that clients share: bogons, the exchange's own prefixes, the black list.
    pub lists: [Arc<PrefixList>; 3],
    /// What all clients' routes are judged by that comes from outside.
    pub outside: Outside,
    /// Which routes the VRPs of this generation concern that the one before did not have.
    pub vrp_changes: Option<VrpChanges>,
    /// By slot; `None` is a free slot.
    pub clients: Vec<Option<Arc<Client>>>,
    pub by_address: HashMap<IpAddr, ClientSlot>,
    pub startup: Startup,
    pub limits: FanoutLimits,
}

/// Where VRPs differ from those of an earlier generation.
#[derive(Clone, Debug)]
pub struct VrpChanges {
    pub since: Generation,
    pub blocks: Arc<PrefixBlocks>,
}

/// One configured client.
#[derive(Debug, PartialEq)]
pub struct Client {
    pub slot: ClientSlot,
    pub name: String,
    pub asn: Asn,
    pub address: IpAddr,
    /// Where an active session connects to; 179 by default.
    pub port: u16,
    pub core: CoreId,
    pub session: SessionSettings,
    /// The same value for as long as it does not change: a reload looks for others.
    pub import: Arc<ImportPolicy>,
    /// By [`Family::index`].
    pub limits: [PrefixLimits; 2],
    /// Octets of distinct attribute sets, over all shards; over it Cease / Out of Resources.
    pub attribute_octets_max: Option<u32>,
    /// How long a session stays down after a limit closed it; `None`: until the operator enables it.
    pub limit_restart: Option<Duration>,
    /// UPDATEs in a second beyond which it is read more slowly.
    pub updates_per_s: Option<u32>,
    /// Changes reach it so far apart.
    pub min_advertisement: Option<Duration>,
    /// `attributes.discard` and `attributes.treat_as_withdraw`.
    pub discard: TypeCodes,
    pub treat_as_withdraw: TypeCodes,
    /// TCP MD5 key (RFC 2385).
    pub password: Option<Secret>,
    /// GTSM (RFC 5082): the largest number of hops, 1 for a neighbour on the exchange's LAN.
    pub ttl_security_hops: Option<u8>,
    /// TCP congestion control of this session's socket.
    pub congestion_control: Option<String>,
    /// Kept down, with this RFC 9003 text (may be empty).
    pub disabled: Option<String>,
    pub quarantined: bool,
    /// Kept down until the data that its checks need has come, or the wait for it is over.
    pub is_waiting: bool,
}

/// Prefix limits of one family; `None` is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PrefixLimits {
    /// Before policy; over it Cease / Maximum Number of Prefixes Reached.
    pub received_max: Option<u32>,
    /// After policy.
    pub accepted_max: Option<u32>,
    pub accepted_action: LimitAction,
}

/// What happens when `accepted_max` is passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LimitAction {
    #[default]
    Warn,
    /// Keep the first `accepted_max` in the order of [`crate::base::Prefix::shard_hash`].
    Block,
    /// Reject all routes of the family as soon as one UPDATE leaves more accepted, until no UPDATE has left
    /// more than nine tenths of `accepted_max` for 60 s ([`RejectionEnd`]).
    Reject,
    /// Close the session until the operator enables it.
    Shutdown,
    /// Close it, and let it back after `limit_restart`.
    Restart,
}

/// `[startup]`: how long advertising waits after a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Startup {
    pub wait: bool,
    /// Nothing was heard for so long, or (where some clients are not there) no session came up.
    pub quiet: Duration,
    /// From the first session on.
    pub wait_max: Duration,
}

impl Default for Startup {
    fn default() -> Startup {
        Startup {
            wait: true,
            quiet: Duration::from_secs(1),
            wait_max: Duration::from_secs(30),
        }
    }
}

/// Bounds of a session core's memory for output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FanoutLimits {
    /// Octets retained for all clients of a core together; over it, the core takes no more deltas.
    pub core_octets_max: usize,
    /// Octets kept for a client that does not read (what many wait for counts a part each), before
    /// its queue becomes a dirty record.
    pub stalled_octets_max: usize,
    /// How long a client may read nothing before it counts as stalled.
    pub stall: Duration,
    /// Gathering window: shortest (idle) and longest (loaded).
    pub gather_min: Duration,
    pub gather_max: Duration,
    /// Prefixes of a shard without a path that may await reuse because some client has yet to hear
    /// of their end, beyond as many as have paths. Over it, clients that are behind for longer than
    /// the patience are brought up to date as a whole.
    pub dead_prefixes_max: usize,
    pub dead_patience: Duration,
    /// Paths (RFC 7911) that may be noted for a client that is behind; prefixes take a bit each.
    pub dirty_paths_max: usize,
    pub rejection: RejectionEnd,
}

/// When [`LimitAction::Reject`] ends: at most so many percent of `accepted_max` for so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RejectionEnd {
    pub calm_percent: u8,
    pub hold: Duration,
}

impl Default for FanoutLimits {
    fn default() -> FanoutLimits {
        FanoutLimits {
            core_octets_max: 64 << 20,
            stalled_octets_max: 1 << 20,
            stall: Duration::from_millis(500),
            gather_min: Duration::ZERO,
            gather_max: Duration::from_millis(20),
            dead_prefixes_max: 256 << 10,
            dead_patience: Duration::from_secs(30),
            dirty_paths_max: 1 << 20,
            rejection: RejectionEnd {
                calm_percent: 90,
                hold: Duration::from_secs(60),
            },
        }
    }
}

/// A secret from a file; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    pub fn new(octets: impl Into<Box<[u8]>>) -> Secret {
        Secret(octets.into())
    }

    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Exchange {
    pub fn client(&self, slot: ClientSlot) -> Option<&Arc<Client>> {
        self.clients.get(slot.index())?.as_ref()
    }

    pub fn clients(&self) -> impl Iterator<Item = &Arc<Client>> {
        self.clients.iter().flatten()
    }

    pub fn client_at(&self, address: IpAddr) -> Option<&Arc<Client>> {
        self.client(*self.by_address.get(&address.to_canonical())?)
    }

    pub fn client_named(&self, name: &str) -> Option<&Arc<Client>> {
        let address = name.parse::<IpAddr>().ok();
        self.clients()
            .find(|client| client.name == name || Some(client.address) == address)
    }
}

impl Client {
    /// Whether a slot still means the same neighbour.
    pub fn is_same_peer(&self, other: &Client) -> bool {
        self.address == other.address && self.asn == other.asn
    }

    /// Whether its session may come up.
    pub fn may_be_up(&self) -> bool {
        self.disabled.is_none() && !self.is_waiting
    }

    /// How its UPDATEs are read.
    pub fn decode_context<'a>(
        &'a self,
        negotiated: &Negotiated,
        scheme: &'a ControlScheme,
        hash_seed: u64,
    ) -> DecodeContext<'a> {
        DecodeContext {
            four_octet: negotiated.four_octet,
            families: negotiated.families,
            v6_next_hops: negotiated.ipv6_next_hops,
            discard: &self.discard,
            treat_as_withdraw: &self.treat_as_withdraw,
            scrub: scheme.import_scrub(),
            link_locals: self.import.link_locals(),
            hash_seed,
        }
    }

    /// Families of which something is heard now that was left out of its UPDATEs under the settings
    /// before.
    pub fn hears_more_than(&self, before: &Client) -> FamilySet {
        let (withdraws, withdrew) = (&self.treat_as_withdraw, &before.treat_as_withdraw);
        // What was discarded is not there to be found.
        let was_hidden = |code| before.discard.contains(code) && !withdrew.contains(code);
        let codes = self.discard.lacks_any_of(&before.discard)
            || withdraws.lacks_any_of(withdrew)
            || withdraws.iter().any(was_hidden);
        let link_locals = match (before.import.link_locals(), self.import.link_locals()) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(before), Some(now)) => now.iter().any(|address| !before.contains(address)),
        };
        match (codes, link_locals) {
            (true, _) => FamilySet::ALL,
            // RFC 8950: IPv4 prefixes may have such next hops, too.
            (false, true) if self.session.ipv6_next_hops => FamilySet::ALL,
            (false, true) => FamilySet::only(Family::Ipv6),
            (false, false) => FamilySet::EMPTY,
        }
    }

    /// Whether its session ends and begins anew under these settings.
    pub fn begins_anew(&self, before: &Client) -> bool {
        let is_same = self.is_same_peer(before) && before.may_be_up() && self.may_be_up();
        is_same
            && (self.is_socket_changed(before) || self.session.has_news_for_peer(&before.session))
    }

    /// What is set on a socket before it connects, and cannot be changed after.
    pub fn is_socket_changed(&self, before: &Client) -> bool {
        before.port != self.port
            || before.password != self.password
            || before.ttl_security_hops != self.ttl_security_hops
            || before.congestion_control != self.congestion_control
    }

    pub fn prefix_limits(&self, family: Family) -> &PrefixLimits {
        &self.limits[family.index()]
    }
}
