//! Import checks. What an attribute set and a prefix are judged by; every check has a switch.
//! Data from outside (IRR, VRPs) joins here as further fields and reasons.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::base::{Asn, Family, Prefix};
use crate::wire::{AttributeSet, NextHop};

use super::bogons::{BOGON_ASNS, PrefixList};
use super::{RejectReason, Verdict};

/// Longest AS_PATH that the preset "exchange" accepts.
pub const AS_PATH_LEN_MAX: u16 = 32;

/// One client's import checks, as the configuration states them. `None` and `false` are off.
#[derive(Clone, PartialEq, Debug)]
pub struct ImportChecks {
    pub server_asn: Asn,
    pub client_asn: Asn,
    /// The next hops that may be: the client's addresses ("strict"), or those of all sessions of
    /// its ASN ("same_as"). RFC 7948 §4.8.
    pub next_hops: Option<Vec<IpAddr>>,
    /// The AS_PATH begins with the client's ASN (RFC 4271 §6.3); neither empty nor with an AS_SET.
    pub leftmost_as: bool,
    /// As RFC 4271 §9.1.2.2 (a) counts.
    pub as_path_len_max: Option<u16>,
    /// Prefix lengths that may be, by [`Family::index`].
    pub prefix_lengths: [Option<RangeInclusive<u8>>; 2],
    /// Prefixes that must not be; [`PrefixList::bogons`] is the usual one.
    pub bogon_prefixes: Option<Arc<PrefixList>>,
    /// ASNs that must not be anywhere in the AS_PATH; [`BOGON_ASNS`] are the usual ones.
    pub bogon_asns: Vec<RangeInclusive<Asn>>,
    /// The server's own ASN must not be in the AS_PATH.
    pub own_as: bool,
    /// What would be accepted is rejected as [`RejectReason::Quarantined`].
    pub quarantined: bool,
}

impl ImportChecks {
    /// No check at all.
    pub fn lab(server_asn: Asn, client_asn: Asn) -> ImportChecks {
        ImportChecks {
            server_asn,
            client_asn,
            next_hops: None,
            leftmost_as: false,
            as_path_len_max: None,
            prefix_lengths: [None, None],
            bogon_prefixes: None,
            bogon_asns: Vec::new(),
            own_as: false,
            quarantined: false,
        }
    }

    /// Every check that needs no outside data.
    pub fn exchange(server_asn: Asn, client_asn: Asn, next_hops: Vec<IpAddr>) -> ImportChecks {
        ImportChecks {
            server_asn,
            client_asn,
            next_hops: Some(next_hops),
            leftmost_as: true,
            as_path_len_max: Some(AS_PATH_LEN_MAX),
            prefix_lengths: Family::ALL.map(|family| Some(usual_prefix_lengths(family))),
            bogon_prefixes: Some(PrefixList::bogons()),
            bogon_asns: BOGON_ASNS.to_vec(),
            own_as: true,
            quarantined: false,
        }
    }
}

/// What the preset "exchange" accepts.
pub const fn usual_prefix_lengths(family: Family) -> RangeInclusive<u8> {
    match family {
        Family::Ipv4 => 8..=24,
        Family::Ipv6 => 12..=48,
    }
}

/// One client's import checks, compiled. The default has none.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ImportPolicy {
    checks: Option<ImportChecks>,
}

impl ImportPolicy {
    pub fn new(checks: ImportChecks) -> ImportPolicy {
        ImportPolicy {
            checks: Some(checks),
        }
    }

    /// The checks that all prefixes of an attribute set share.
    pub fn check_attributes(&self, _set: &AttributeSet) -> Verdict {
        Verdict::Accepted
    }

    /// The checks of one prefix; asked when [`Self::check_attributes`] accepts.
    pub fn check_prefix(&self, _prefix: &Prefix) -> Verdict {
        Verdict::Accepted
    }
}
