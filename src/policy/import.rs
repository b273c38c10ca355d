//! Import checks. What an attribute set and a prefix are judged by; every check has a switch.
//! Data from outside (IRR sets) is part of a client's policy; VRPs and ASPAs, which are everybody's,
//! are given when a path is judged.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::{Asn, Family, Prefix};
use crate::wire::{AttributeSet, LLGR_STALE, NextHop};

use super::bogons::{BOGON_ASNS, PrefixList};
use super::class::{IrrOriginClass, IrrPrefixClass, PrefixClass, RovClass};
use super::irr_check::{IrrChecks, SetOrigin};
use super::{
    AspaSet, AspaState, ControlScheme, IrrSet, RejectReason, RovState, TRANSIT_FREE_ASNS, VrpSet,
};

/// Longest AS_PATH that the preset "exchange" accepts.
pub const AS_PATH_LEN_MAX: u16 = 32;

/// Most communities, of all kinds together, that the preset "exchange" accepts.
pub const COMMUNITIES_MAX: u16 = 100;

/// What all clients' routes are judged by that comes from outside. `None`: nothing has come yet.
#[derive(Clone, Default, Debug)]
pub struct Outside {
    pub vrps: Option<Arc<VrpSet>>,
    pub aspas: Option<Arc<AspaSet>>,
}

/// Which routes are blackhole routes.
#[derive(Clone, PartialEq, Debug)]
pub struct BlackholeRequests {
    /// Its blackholing communities ask for it.
    pub scheme: Arc<ControlScheme>,
    /// By [`Family::index`].
    pub families: [bool; 2],
}

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
    /// The exchange's own prefixes.
    pub own_prefixes: Option<Arc<PrefixList>>,
    /// The operator's black list, and that for this client.
    pub black_list: Option<Arc<PrefixList>>,
    pub client_black_list: Option<Arc<PrefixList>>,
    /// No AS_SET in the AS_PATH (RFC 9774).
    pub as_set: bool,
    /// ASNs that must not be in the AS_PATH but at its beginning; sorted.
    pub transit_free_asns: Arc<[Asn]>,
    /// The same, of those that want not to be seen here; sorted.
    pub never_via_route_servers_asns: Arc<[Asn]>,
    /// Of all kinds together.
    pub communities_max: Option<u16>,
    /// A route with ONLY_TO_CUSTOMER is a leak: RFC 9234 §5, the client has a role.
    pub route_leak: bool,
    pub irr: Option<IrrChecks>,
    pub rpki_invalid: bool,
    pub rpki_unknown: bool,
    pub aspa_invalid: bool,
    /// RFC 7999: longer prefixes are accepted with one of the scheme's blackholing communities, where IRR
    /// or RPKI say that they are the client's.
    pub blackhole: Option<BlackholeRequests>,
    /// Routes with LLGR_STALE are the last choice (RFC 9494 §4.3): the client was told of long-lived stale ones.
    pub long_lived: bool,
    /// Reasons that do not reject, but leave a remark.
    pub remarks: Vec<RejectReason>,
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
            own_prefixes: None,
            black_list: None,
            client_black_list: None,
            as_set: false,
            transit_free_asns: [].into(),
            never_via_route_servers_asns: [].into(),
            communities_max: None,
            route_leak: false,
            irr: None,
            rpki_invalid: false,
            rpki_unknown: false,
            aspa_invalid: false,
            blackhole: None,
            long_lived: false,
            remarks: Vec::new(),
            quarantined: false,
        }
    }

    /// Every check that needs no outside data.
    pub fn exchange(server_asn: Asn, client_asn: Asn, next_hops: Vec<IpAddr>) -> ImportChecks {
        ImportChecks {
            next_hops: Some(next_hops),
            leftmost_as: true,
            as_path_len_max: Some(AS_PATH_LEN_MAX),
            prefix_lengths: Family::ALL.map(|family| Some(usual_prefix_lengths(family))),
            bogon_prefixes: Some(PrefixList::bogons()),
            bogon_asns: BOGON_ASNS.to_vec(),
            own_as: true,
            as_set: true,
            transit_free_asns: TRANSIT_FREE_ASNS.into(),
            communities_max: Some(COMMUNITIES_MAX),
            ..ImportChecks::lab(server_asn, client_asn)
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
    client_asn: Asn,
    as_path_len_max: u16,
    bogon_asns: Vec<RangeInclusive<Asn>>,
    next_hops: Option<SmallVec<[IpAddr; 2]>>,
    /// Those of them that are link-local.
    link_locals: Vec<Ipv6Addr>,
    /// Shortest and longest, by [`Family::index`].
    prefix_lengths: [(u8, u8); 2],
    /// Prefixes that must not be, each list with its reason.
    lists: SmallVec<[(RejectReason, Arc<PrefixList>); 2]>,
    as_set: bool,
    transit_free_asns: Arc<[Asn]>,
    never_via_route_servers_asns: Arc<[Asn]>,
    communities_max: u16,
    route_leak: bool,
    irr: Option<IrrChecks>,
    rpki_invalid: bool,
    rpki_unknown: bool,
    aspa_invalid: bool,
    blackhole: Option<BlackholeRequests>,
    long_lived: bool,
    /// A bit for each reason, by its code.
    remarks: u64,
    quarantined: bool,
}

/// What an attribute set came to: the same for all prefixes that come with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetJudgement {
    /// Rejected, or accepted as far as the attributes go.
    class: PrefixClass,
    /// RFC 6811 §2; `None` where there is none that counts.
    origin: Option<Asn>,
    irr: SetOrigin,
    has_v6_next_hop: bool,
}

impl SetJudgement {
    /// What is wrong with the attributes, if anything is.
    pub const fn reason(&self) -> Option<RejectReason> {
        self.class.reason()
    }

    /// Whatever the prefix.
    pub const fn is_rejected(&self) -> bool {
        !self.class.is_accepted()
    }
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
        let lists = [
            (RejectReason::BogonPrefix, checks.bogon_prefixes),
            (RejectReason::OwnPrefix, checks.own_prefixes),
            (RejectReason::BlackList, checks.black_list),
            (RejectReason::ClientBlackList, checks.client_black_list),
        ];
        let next_hops = checks.next_hops.map(next_hops);
        ImportPolicy {
            link_locals: (next_hops.iter().flatten())
                .filter_map(link_local)
                .collect(),
            leftmost_as: checks.leftmost_as.then_some(checks.client_asn),
            own_as: checks.own_as.then_some(checks.server_asn),
            client_asn: checks.client_asn,
            as_path_len_max: checks.as_path_len_max.unwrap_or(u16::MAX),
            bogon_asns: checks.bogon_asns,
            next_hops,
            prefix_lengths: checks.prefix_lengths.map(lengths),
            lists: lists
                .into_iter()
                .filter_map(|(reason, list)| Some((reason, list?)))
                .collect(),
            as_set: checks.as_set,
            transit_free_asns: checks.transit_free_asns,
            never_via_route_servers_asns: checks.never_via_route_servers_asns,
            communities_max: checks.communities_max.unwrap_or(u16::MAX),
            route_leak: checks.route_leak,
            irr: checks.irr,
            rpki_invalid: checks.rpki_invalid,
            rpki_unknown: checks.rpki_unknown,
            aspa_invalid: checks.aspa_invalid,
            blackhole: checks.blackhole,
            long_lived: checks.long_lived,
            remarks: checks
                .remarks
                .iter()
                .fold(0, |bits, reason| bits | 1 << reason.code()),
            quarantined: checks.quarantined,
        }
    }

    /// Whether VRPs have a say.
    pub fn uses_vrps(&self) -> bool {
        self.rpki_invalid
            || self.rpki_unknown
            || self.irr.as_ref().is_some_and(IrrChecks::uses_vrps)
    }

    pub fn uses_aspas(&self) -> bool {
        self.aspa_invalid
    }

    /// What the client registered, where that is checked and known.
    pub fn irr_set(&self) -> Option<&Arc<IrrSet>> {
        self.irr.as_ref().and_then(|irr| irr.set.as_ref())
    }

    /// Whether a check is on whose data is not there.
    pub fn lacks_irr(&self) -> bool {
        self.irr.as_ref().is_some_and(IrrChecks::lacks_set)
    }

    /// The checks that all prefixes of an attribute set share. Quarantine is none of them: what is
    /// wrong with a prefix goes first.
    pub fn check_attributes(&self, set: &AttributeSet, outside: &Outside) -> SetJudgement {
        let origin = set.origin_as();
        let is_blackhole = |requests: &BlackholeRequests| requests.scheme.is_blackhole(set);
        let mut judgement = SetJudgement {
            class: PrefixClass::ACCEPTED
                .with_blackhole(self.blackhole.as_ref().is_some_and(is_blackhole))
                .with_long_lived(self.long_lived && set.has_community(LLGR_STALE)),
            origin,
            has_v6_next_hop: !matches!(set.next_hop(), NextHop::V4(_)),
            irr: match &self.irr {
                Some(irr) => irr.check_origin(origin),
                None => SetOrigin::default(),
            },
        };
        let [own_as, bogon_asn, transit_free, never_via] = self.check_asns(set);
        let checks = [
            self.check_leftmost_as(set),
            self.check_as_path_len(set),
            own_as,
            bogon_asn,
            transit_free,
            never_via,
            (self.as_set && set.has_as_set()).then_some(RejectReason::AsSet),
            self.check_next_hop(set),
            self.check_communities(set),
            (self.route_leak && set.otc().is_some()).then_some(RejectReason::RouteLeak),
            self.check_aspa(set, outside),
        ];
        for reason in checks.into_iter().flatten() {
            judgement.class = self.found(judgement.class, reason);
            if !judgement.class.is_accepted() {
                break;
            }
        }
        judgement
    }

    /// The class with something that is wrong: rejected, or with a remark.
    fn found(&self, class: PrefixClass, reason: RejectReason) -> PrefixClass {
        match self.remarks & 1 << reason.code() {
            0 => class.with_rejected(reason),
            _ => class.with_remark(reason),
        }
    }

    /// The link-local next hops that decoding leaves in a set; `None`: all, nothing is checked.
    pub fn link_locals(&self) -> Option<&[Ipv6Addr]> {
        self.next_hops.as_ref().map(|_| &self.link_locals[..])
    }

    /// The next hops that the client may announce; none where they are not checked.
    pub fn next_hops(&self) -> &[IpAddr] {
        self.next_hops.as_deref().unwrap_or_default()
    }

    /// The class of a prefix that comes with attributes of this judgement.
    pub fn judge(&self, of_set: &SetJudgement, prefix: &Prefix, outside: &Outside) -> PrefixClass {
        let mut class = of_set.class;
        if !class.is_accepted() {
            return class;
        }
        if class.is_blackhole() {
            let families = self.blackhole.as_ref().map(|requests| requests.families);
            let is_on = families.is_some_and(|families| families[prefix.family().index()]);
            // The next hop that drops is one of the prefix's family (RFC 8950 lets the client's be another).
            let is_other = prefix.family() == Family::Ipv4 && of_set.has_v6_next_hop;
            class = class.with_blackhole(is_on && !is_other);
        }
        let lists = self.lists.iter();
        let listed = lists.filter(|(_, list)| list.contains(prefix));
        let reasons = listed.map(|(reason, _)| *reason);
        for reason in reasons.chain(self.check_length(prefix, class)) {
            class = self.found(class, reason);
            if !class.is_accepted() {
                return class;
            }
        }
        if let Some(irr) = &self.irr {
            class = irr.check_prefix(
                class,
                &of_set.irr,
                prefix,
                of_set.origin,
                outside,
                |c, r| self.found(c, r),
            );
            if !class.is_accepted() {
                return class;
            }
        }
        if self.rpki_invalid || self.rpki_unknown {
            class = self.check_rov(class, prefix, of_set.origin, outside);
        }
        if class.is_accepted() && class.is_blackhole() && !self.is_proven(class, of_set.origin) {
            class = self.as_ordinary(class, prefix, of_set.origin, outside);
        }
        match self.quarantined && class.is_accepted() {
            true => class.with_rejected(RejectReason::Quarantined),
            false => class,
        }
    }

    /// A blackhole route may be as long as it likes (RFC 7999 §3.3).
    fn check_length(&self, prefix: &Prefix, class: PrefixClass) -> Option<RejectReason> {
        let (shortest, longest) = self.prefix_lengths[prefix.family().index()];
        if prefix.len() < shortest {
            return Some(RejectReason::PrefixTooShort);
        }
        (prefix.len() > longest && !class.is_blackhole()).then_some(RejectReason::PrefixTooLong)
    }

    /// Whether the client has shown that the address space is its own to drop (RFC 7999 §3.3). A ROA says so
    /// of its origin only, which anybody can write behind their own ASN.
    fn is_proven(&self, class: PrefixClass, origin: Option<Asn>) -> bool {
        use IrrPrefixClass::*;
        let is_registered = matches!(class.irr_prefix(), Exact | MoreSpecific | Roa | WhiteList);
        let is_origin_theirs =
            origin == Some(self.client_asn) || class.irr_origin() == IrrOriginClass::Present;
        is_registered || class.rov() == RovClass::Valid && is_origin_theirs
    }

    /// What asks to be dropped in vain is a route like others, without what was forgiven.
    fn as_ordinary(
        &self,
        class: PrefixClass,
        prefix: &Prefix,
        origin: Option<Asn>,
        outside: &Outside,
    ) -> PrefixClass {
        let mut class = class.with_blackhole(false);
        if let Some(reason) = self.check_length(prefix, class) {
            class = self.found(class, reason);
        }
        match class.is_accepted() && class.rov() == RovClass::Valid {
            true => self.check_rov(class, prefix, origin, outside),
            false => class,
        }
    }

    fn check_rov(
        &self,
        class: PrefixClass,
        prefix: &Prefix,
        origin: Option<Asn>,
        outside: &Outside,
    ) -> PrefixClass {
        let Some(vrps) = &outside.vrps else {
            return self.found(class, RejectReason::RpkiMissing);
        };
        let state = match class.is_blackhole() {
            true => vrps.validate_blackhole(prefix, origin),
            false => vrps.validate(prefix, origin),
        };
        match state {
            RovState::Valid => class.with_rov(RovClass::Valid),
            RovState::Invalid => {
                let class = class.with_rov(RovClass::Invalid);
                match self.rpki_invalid {
                    true => self.found(class, RejectReason::RpkiInvalid),
                    false => class,
                }
            }
            RovState::NotFound => {
                let class = class.with_rov(RovClass::NotFound);
                match self.rpki_unknown {
                    true => self.found(class, RejectReason::RpkiUnknown),
                    false => class,
                }
            }
        }
    }

    fn check_leftmost_as(&self, set: &AttributeSet) -> Option<RejectReason> {
        let client = self.leftmost_as?;
        match set.leftmost_as() {
            Some(asn) if asn == client => None,
            None if set.as_path_asns().next().is_none() => Some(RejectReason::EmptyAsPath),
            _ => Some(RejectReason::LeftmostAs),
        }
    }

    fn check_as_path_len(&self, set: &AttributeSet) -> Option<RejectReason> {
        (set.facts().as_path_len > self.as_path_len_max).then_some(RejectReason::AsPathTooLong)
    }

    /// The server's own ASN first: it may be a bogon as well. The client may be a transit-free network
    /// itself.
    fn check_asns(&self, set: &AttributeSet) -> [Option<RejectReason>; 4] {
        let (mut own_as, mut bogon, mut transit_free, mut never_via) = (false, false, false, false);
        for asn in set.as_path_asns() {
            own_as |= self.own_as == Some(asn);
            bogon |= self.bogon_asns.iter().any(|range| range.contains(&asn));
            if asn != self.client_asn {
                let is_listed = |list: &[Asn]| list.binary_search(&asn).is_ok();
                transit_free |= is_listed(&self.transit_free_asns);
                never_via |= is_listed(&self.never_via_route_servers_asns);
            }
        }
        [
            own_as.then_some(RejectReason::OwnAs),
            bogon.then_some(RejectReason::BogonAsn),
            transit_free.then_some(RejectReason::TransitFree),
            never_via.then_some(RejectReason::NeverViaRouteServers),
        ]
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

    fn check_communities(&self, set: &AttributeSet) -> Option<RejectReason> {
        let is_checked = self.communities_max != u16::MAX;
        let is_over = is_checked && set.community_count() > usize::from(self.communities_max);
        is_over.then_some(RejectReason::TooManyCommunities)
    }

    /// Without ASPAs nothing is Invalid: they are there for a part of the Internet only.
    fn check_aspa(&self, set: &AttributeSet, outside: &Outside) -> Option<RejectReason> {
        let aspas = outside.aspas.as_ref().filter(|_| self.aspa_invalid)?;
        let state = aspas.verify_upstream(set.as_path_asns(), set.has_as_set());
        (state == AspaState::Invalid).then_some(RejectReason::AspaInvalid)
    }
}
