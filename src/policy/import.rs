//! Import checks. What an attribute set and a prefix are judged by; every check has a switch.
//! Data from outside (IRR, VRPs) joins here as further fields and reasons.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use smallvec::SmallVec;

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
    /// its ASN ("same_as"). RFC 7948 §4.8. Link-local ones among them may stand beside a global
    /// one.
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
#[derive(Clone, PartialEq, Debug)]
pub struct ImportPolicy {
    leftmost_as: Option<Asn>,
    own_as: Option<Asn>,
    as_path_len_max: u16,
    bogon_asns: Vec<RangeInclusive<Asn>>,
    next_hops: Option<SmallVec<[IpAddr; 2]>>,
    /// Those of them that are link-local.
    link_locals: Vec<Ipv6Addr>,
    /// Shortest and longest, by [`Family::index`].
    prefix_lengths: [(u8, u8); 2],
    bogon_prefixes: Option<Arc<PrefixList>>,
    quarantined: bool,
}

impl Default for ImportPolicy {
    fn default() -> ImportPolicy {
        ImportPolicy::new(ImportChecks::lab(Asn(0), Asn(0)))
    }
}

impl ImportPolicy {
    pub fn new(checks: ImportChecks) -> ImportPolicy {
        let lengths = |range: Option<RangeInclusive<u8>>| {
            range.map_or((0, u8::MAX), |range| (*range.start(), *range.end()))
        };
        let next_hops = |addresses: Vec<IpAddr>| {
            let mut addresses: SmallVec<[IpAddr; 2]> = addresses.into();
            addresses.sort_unstable();
            addresses.dedup();
            addresses
        };
        let link_local = |address: &IpAddr| match address {
            IpAddr::V6(address) if address.is_unicast_link_local() => Some(*address),
            _ => None,
        };
        let next_hops = checks.next_hops.map(next_hops);
        ImportPolicy {
            link_locals: (next_hops.iter().flatten())
                .filter_map(link_local)
                .collect(),
            leftmost_as: checks.leftmost_as.then_some(checks.client_asn),
            own_as: checks.own_as.then_some(checks.server_asn),
            as_path_len_max: checks.as_path_len_max.unwrap_or(u16::MAX),
            bogon_asns: checks.bogon_asns,
            next_hops,
            prefix_lengths: checks.prefix_lengths.map(lengths),
            bogon_prefixes: checks.bogon_prefixes,
            quarantined: checks.quarantined,
        }
    }

    /// The checks that all prefixes of an attribute set share. Quarantine is none of them: what is
    /// wrong with a prefix goes first.
    pub fn check_attributes(&self, set: &AttributeSet) -> Verdict {
        let reason = self
            .check_leftmost_as(set)
            .or_else(|| self.check_as_path_len(set))
            .or_else(|| self.check_asns(set))
            .or_else(|| self.check_next_hop(set));
        reason.map_or(Verdict::Accepted, Verdict::Rejected)
    }

    /// The link-local next hops that decoding leaves in a set; `None`: all, nothing is checked.
    pub fn link_locals(&self) -> Option<&[Ipv6Addr]> {
        self.next_hops.as_ref().map(|_| &self.link_locals[..])
    }

    /// The verdict on a prefix that comes with attributes of this verdict.
    pub fn judge(&self, of_attributes: Verdict, prefix: &Prefix) -> Verdict {
        match of_attributes {
            Verdict::Accepted => self.check_prefix(prefix),
            rejected => rejected,
        }
    }

    /// The checks of one prefix; asked when [`Self::check_attributes`] accepts.
    pub fn check_prefix(&self, prefix: &Prefix) -> Verdict {
        if self
            .bogon_prefixes
            .as_ref()
            .is_some_and(|list| list.contains(prefix))
        {
            return Verdict::Rejected(RejectReason::BogonPrefix);
        }
        let (shortest, longest) = self.prefix_lengths[prefix.family().index()];
        if prefix.len() < shortest || prefix.len() > longest {
            return Verdict::Rejected(RejectReason::PrefixLength);
        }
        match self.quarantined {
            true => Verdict::Rejected(RejectReason::Quarantined),
            false => Verdict::Accepted,
        }
    }

    fn check_leftmost_as(&self, set: &AttributeSet) -> Option<RejectReason> {
        let client = self.leftmost_as?;
        match set.facts().leftmost_as {
            Some(asn) if asn == client => None,
            None if set.as_path_asns().next().is_none() => Some(RejectReason::EmptyAsPath),
            _ => Some(RejectReason::LeftmostAs),
        }
    }

    fn check_as_path_len(&self, set: &AttributeSet) -> Option<RejectReason> {
        (set.facts().as_path_len > self.as_path_len_max).then_some(RejectReason::AsPathTooLong)
    }

    /// The server's own ASN first: it may be a bogon as well.
    fn check_asns(&self, set: &AttributeSet) -> Option<RejectReason> {
        if self
            .own_as
            .is_some_and(|own| set.as_path_asns().any(|asn| asn == own))
        {
            return Some(RejectReason::OwnAs);
        }
        let is_bogon = |asn: Asn| self.bogon_asns.iter().any(|range| range.contains(&asn));
        set.as_path_asns()
            .any(is_bogon)
            .then_some(RejectReason::BogonAsn)
    }

    /// Receivers may take either address of a pair (RFC 2545 §3). Decoding has dropped a link-local
    /// one that may not be; it is still there where the set was heard under another configuration.
    fn check_next_hop(&self, set: &AttributeSet) -> Option<RejectReason> {
        let allowed = self.next_hops.as_ref()?;
        let may_be = match set.next_hop() {
            NextHop::V4(address) => allowed.contains(&IpAddr::V4(address)),
            NextHop::V6(address) => allowed.contains(&IpAddr::V6(address)),
            NextHop::V6LinkLocal(address, link_local) => {
                allowed.contains(&IpAddr::V6(address)) && self.link_locals.contains(&link_local)
            }
        };
        (!may_be).then_some(RejectReason::NextHop)
    }
}
