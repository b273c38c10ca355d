//! The JSON of `/api/v1`, as the server writes it and the commands read it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::base::{Asn, Family, FamilySet};
use crate::policy::RejectReason;

/// A number for each family.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ByFamily {
    pub ipv4: u64,
    pub ipv6: u64,
}

impl From<[u32; 2]> for ByFamily {
    fn from([ipv4, ipv6]: [u32; 2]) -> ByFamily {
        ByFamily {
            ipv4: ipv4.into(),
            ipv6: ipv6.into(),
        }
    }
}

impl ByFamily {
    pub const fn of(self, family: Family) -> u64 {
        match family {
            Family::Ipv4 => self.ipv4,
            Family::Ipv6 => self.ipv6,
        }
    }

    pub const fn sum(self) -> u64 {
        self.ipv4 + self.ipv6
    }
}

/// `/readyz`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReadyView {
    pub ready: bool,
    pub why: String,
    pub startup_wait_ms: u64,
    /// What is doubtful and stands in no way, in sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// `/healthz`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HealthView {
    pub healthy: bool,
    /// Threads that do not answer.
    pub silent: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SummaryView {
    pub version: String,
    pub asn: Asn,
    pub router_id: Ipv4Addr,
    pub uptime_s: u64,
    pub generation: u32,
    pub ready: bool,
    pub startup_wait_ms: u64,
    /// Everything that is sent has GRACEFUL_SHUTDOWN (RFC 8326).
    #[serde(default)]
    pub draining: bool,
    /// The last reload is rolled back after so many seconds, unless it is confirmed.
    #[serde(default)]
    pub unconfirmed_s: Option<u64>,
    pub clients: u64,
    pub established: u64,
    pub disabled: u64,
    pub quarantined: u64,
    pub prefixes: u64,
    pub paths: u64,
    pub attribute_sets: u64,
    pub updates_in: u64,
    pub updates_out: u64,
    pub nlri_out: u64,
    pub octets_in: u64,
    pub octets_out: u64,
    pub refused_connections: u64,
    /// Where the commands that change something go.
    pub control_socket: String,
    /// Threads that do not answer; what they hold is missing above.
    pub silent: Vec<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ClientsView {
    pub clients: Vec<ClientView>,
    /// `cursor` of the next page, where a `limit` was asked for.
    #[serde(default)]
    pub next: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientView {
    pub name: String,
    pub asn: Asn,
    pub address: IpAddr,
    pub core: u16,
    /// RFC 4271 §8.2.2.
    pub state: String,
    /// In this state.
    pub since_s: u64,
    /// RFC 9003 text, where it is disabled.
    pub disabled: Option<String>,
    pub quarantined: bool,
    /// Its session is held back, after a start, until the data for its checks has come.
    #[serde(default)]
    pub waits_for_data: bool,
    /// It is paced: changes reach it that far apart at least.
    #[serde(default)]
    pub min_advertisement_ms: Option<u64>,
    /// It is paced: so many of its UPDATEs are read at most.
    #[serde(default)]
    pub updates_per_s: Option<u32>,
    pub remote: Option<SocketAddr>,
    pub router_id: Option<Ipv4Addr>,
    pub hold_time_s: u16,
    pub families: Vec<Family>,
    pub add_path: Vec<Family>,
    pub four_octet: bool,
    pub extended_messages: bool,
    /// Of an established session.
    #[serde(default)]
    pub restarts: Option<RestartsView>,
    pub received: ByFamily,
    pub accepted: ByFamily,
    /// Paths that it is sent, counted over the table about once a minute while somebody asks; with
    /// ADD-PATH a prefix may have several.
    #[serde(default)]
    pub advertised: Option<ByFamily>,
    /// Acceptable, and kept back by accepted_max (`accepted_action = "block"`).
    #[serde(default)]
    pub blocked: ByFamily,
    /// Of a quarantined client: what import would accept. Relayed to none.
    #[serde(default)]
    pub would_be_accepted: ByFamily,
    /// The prefixes that are not accepted, by reason.
    #[serde(default)]
    pub rejected: Vec<RejectedView>,
    pub updates_in: u64,
    pub updates_out: u64,
    pub octets_in: u64,
    pub octets_out: u64,
    pub queue_octets: u64,
    pub dirty_prefixes: u64,
    /// Families whose End-of-RIB it sent.
    pub end_of_rib: Vec<Family>,
    /// What is kept of its session before (`graceful_restart_helper_s`).
    #[serde(default)]
    pub stale: Vec<StaleView>,
    pub flaps: u32,
    pub treat_as_withdraw_count: u64,
    pub attribute_discard_count: u64,
    pub last_error: Option<String>,
}

/// What was negotiated of restarts (RFC 4724, RFC 8538).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RestartsView {
    /// The client keeps our routes over a restart of ours.
    pub keeps_routes: bool,
    /// It keeps them after a NOTIFICATION, too, unless that is a Hard Reset (RFC 8538).
    pub after_notifications: bool,
    /// Its Restart Time; none where it did not announce Graceful Restart.
    pub restart_time_s: Option<u16>,
    /// It said that it had restarted itself, when this session came up.
    pub has_restarted: bool,
}

impl ClientView {
    pub fn is_established(&self) -> bool {
        self.state == "Established"
    }
}

pub fn families(set: FamilySet) -> Vec<Family> {
    set.iter().collect()
}

/// Path attributes in words; communities as `a:b`, extended ones and others in hexadecimal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AttributesView {
    pub origin: String,
    /// Sets in braces, confederation segments in parentheses and brackets.
    pub as_path: String,
    pub next_hop: IpAddr,
    pub link_local_next_hop: Option<IpAddr>,
    pub med: Option<u32>,
    pub communities: Vec<String>,
    pub large_communities: Vec<String>,
    pub extended_communities: Vec<String>,
    pub others: Vec<OtherAttributeView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OtherAttributeView {
    pub code: u8,
    pub flags: u8,
    pub value: String,
}

/// Routes of a family that outlive their session (RFC 4724 §4.2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StaleView {
    pub family: Family,
    pub prefixes: u64,
    /// They are the last choice already (RFC 9494).
    pub long_lived: bool,
    /// How long still, until they are dropped or become long-lived.
    pub for_s: u64,
}

/// How many prefixes of a client are rejected for a reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RejectedView {
    pub reason: String,
    pub ipv4: u64,
    pub ipv6: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RejectView {
    pub code: u8,
    pub name: String,
    pub text: String,
    /// What stands for it in communities (`reject_cause`).
    #[serde(default)]
    pub communities: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PathView {
    pub prefix: String,
    pub from: String,
    pub from_asn: Asn,
    pub from_address: IpAddr,
    pub accepted: bool,
    pub reject: Option<RejectView>,
    /// What is wrong with one that is accepted all the same (`import.tag`).
    #[serde(default)]
    pub remark: Option<RejectView>,
    /// not_checked, valid, invalid, not_found (RFC 6811).
    #[serde(default)]
    pub rpki: String,
    /// not_checked, exact, more_specific, not_present, roa, white_list.
    #[serde(default)]
    pub irr_prefix: String,
    /// not_checked, present, not_present.
    #[serde(default)]
    pub irr_origin: String,
    /// RFC 7999.
    #[serde(default)]
    pub blackhole: bool,
    /// Its session is over, and it is kept for a while (RFC 4724 §4.2).
    #[serde(default)]
    pub stale: bool,
    /// The last choice, and only for clients that announced LLGR (RFC 9494).
    #[serde(default)]
    pub long_lived: bool,
    /// As sent with ADD-PATH.
    pub path_id: Option<u32>,
    /// How often the announcer's ASN is prepended for this client.
    pub prepend: u8,
    /// How many clients have it.
    pub advertised_to: u32,
    pub attributes: AttributesView,
}

impl PathView {
    /// Nothing is wrong with it but that its client is quarantined.
    pub fn is_quarantined(&self) -> bool {
        let reason = RejectReason::Quarantined.name();
        self.reject
            .as_ref()
            .is_some_and(|reject| reject.name == reason)
    }
}

/// `/api/v1/route`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouteView {
    /// The prefix found, where an address was asked for.
    pub prefix: Option<String>,
    /// Best first, rejected ones last.
    pub paths: Vec<PathView>,
}

/// `/api/v1/routes`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RoutesView {
    pub client: String,
    pub which: String,
    pub routes: Vec<PathView>,
    /// `cursor` of the next page.
    pub next: Option<String>,
}

/// `/api/v1/search`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SearchView {
    /// May be fewer than `limit`, or none, though there is a next page.
    pub routes: Vec<PathView>,
    /// Prefixes and paths that were looked at for this page.
    pub looked_at: u64,
    /// `cursor` of the next page.
    pub next: Option<String>,
}

/// `/api/v1/reasons`: why a route may be rejected, in the order of the codes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReasonsView {
    pub reasons: Vec<RejectView>,
}

/// `/api/v1/rates`
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct RatesView {
    /// Between the two counts that are compared; 0 where there is only one yet: ask again.
    pub over_s: f64,
    pub total: Option<RateView>,
    /// Those of whom anything came or went.
    pub clients: Vec<ClientRateView>,
}

/// For each second.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct RateView {
    pub updates_in: f64,
    pub updates_out: f64,
    pub octets_in: f64,
    pub octets_out: f64,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ClientRateView {
    pub name: String,
    #[serde(flatten)]
    pub rate: RateView,
}

/// `/api/v1/events`: what follows `data:`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventView {
    /// up, down, failed, announced, withdrawn, best, no_best, sent, unsent, missed.
    pub event: String,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// Whose session it is, who announces, or who is sent something.
    pub client: Option<String>,
    pub prefix: Option<String>,
    /// With `announced`.
    pub accepted: Option<bool>,
    /// The name of what is wrong with the route.
    pub reason: Option<String>,
    /// Why, in words.
    pub text: Option<String>,
    /// Of the route as it is now.
    pub attributes: Option<AttributesView>,
}

/// `/api/v1/explain`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ExplainView {
    pub prefix: Option<String>,
    pub to: String,
    /// The client's session is up and served, for this family.
    pub live: bool,
    /// The answer in a sentence.
    pub answer: String,
    /// In the order of preference for this client.
    pub paths: Vec<FateView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FateView {
    /// best, additional, lost, rejected, own, not_in_audience, unsettled, too_long,
    /// next_hop_form, family_not_negotiated.
    pub fate: String,
    pub decided_by: Option<String>,
    pub text: String,
    pub path: PathView,
}

/// `/api/v1/feeds`: data from outside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeedsView {
    /// What checks need and is not there, in sentences.
    pub lacking: Vec<String>,
    /// What is there and doubtful, in sentences.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What is wrong with IRR data, and what is used in its place.
    pub irr_problems: Vec<String>,
    /// Clients whose routes are checked by IRR data.
    pub irr_clients: u64,
    /// Distinct sets, with prefixes, origins and octets of all of them.
    pub irr_sets: u64,
    pub irr_prefixes: u64,
    pub irr_origins: u64,
    pub irr_octets: u64,
    pub vrps: u64,
    pub aspas: u64,
    /// In the order of preference.
    pub rtr_caches: Vec<RtrCacheView>,
    /// By name.
    #[serde(default)]
    pub vrp_files: Vec<VrpFileView>,
}

/// What counts of a VRP file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VrpFileView {
    pub file: String,
    pub vrps: u64,
    pub aspas: u64,
    /// VRPs and ASPAs past their `expires`, which do not count.
    pub expired: u64,
    /// Since it was made, as it says itself, or its date.
    pub age_s: Option<u64>,
    /// Older than `rpki.max_age_s`: nothing in it counts.
    pub stale: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RtrCacheView {
    pub address: SocketAddr,
    /// Down, Connecting, Loading, Synchronised, NoData.
    pub state: String,
    pub in_use: bool,
    pub version: Option<u8>,
    pub session: Option<u16>,
    pub serial: Option<u32>,
    pub vrps: u64,
    pub aspas: u64,
    /// Since its last answer.
    pub age_s: Option<u64>,
    pub last_error: Option<String>,
}

/// `/api/v1/cores`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CoresView {
    pub sessions: Vec<CoreView>,
    pub shards: Vec<ShardView>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct CoreView {
    pub core: u16,
    pub thread: ThreadView,
    pub clients: u64,
    pub established: u64,
    pub octets_in: u64,
    pub octets_out: u64,
    pub updates_in: u64,
    /// UPDATEs encoded, each once however many clients got it.
    pub updates_encoded: u64,
    pub nlri_encoded: u64,
    pub updates_out: u64,
    pub nlri_out: u64,
    pub octets_retained: u64,
    pub octets_retained_max: u64,
    pub refused_connections: u64,
    pub whole_resyncs: u64,
    pub startup_over: bool,
    pub startup_wait_ms: u64,
    pub generation: u32,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ShardView {
    pub shard: u16,
    pub thread: ThreadView,
    pub prefixes: u64,
    pub paths: u64,
    pub attribute_sets: u64,
    pub attribute_octets: u64,
    pub audiences: u64,
    pub eligibilities: u64,
    /// Distinct outcomes of the checks of a prefix.
    pub classes: u64,
    /// Distinct forms in which attribute sets go out.
    pub variants: u64,
    pub messages: u64,
    pub routes_in: u64,
    pub deltas_out: u64,
    pub flushes: u64,
    pub pending: u64,
    pub free_slots: u64,
    pub dead_prefixes: u64,
    pub generation: u32,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ThreadView {
    pub name: String,
    /// The CPU it is pinned to.
    pub cpu: Option<usize>,
    pub cpu_time_s: f64,
    /// Messages waiting for it.
    pub queued: usize,
}

/// What the API says when it has no answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErrorView {
    pub error: String,
}
