//! One member of the exchange: what the operator configured, and what its router says of itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::{Plan, link_local_of};
use crate::codec::Hello;
use crate::oracle::{Checks, Client, Irr, Matrix, Range, Who};

#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    pub asn: u32,
    pub address: IpAddr,
    /// Its address of the other family.
    pub other_address: IpAddr,
    pub families: [bool; 2],
    pub add_path: bool,
    pub hide_own_as: bool,
    pub import: Import,
    pub irr: Registration,
    /// Its link-local address is among its next hops.
    pub lists_link_local: bool,
    pub quarantined: bool,
    pub disabled: bool,
    /// `accepted_max` with the action "block", or "reject" where the flag is set.
    pub limit: Option<(usize, bool)>,
    /// `attributes.discard` and `attributes.treat_as_withdraw`.
    pub discard: Vec<u8>,
    pub treat_as_withdraw: Vec<u8>,
    pub hold_time_s: u16,
    pub extended: bool,
    /// `rfc1997`; `None`: as for all.
    pub obeys_rfc1997: Option<bool>,
    pub takes_blackholes: bool,
    pub rtt_us: Option<u32>,
    pub matrix: Matrix,
    /// As the configuration has it.
    pub role: &'static str,
    pub prepend_rs_as: bool,
    pub ipv6_next_hops: bool,
    pub min_advertisement_ms: u32,
    pub updates_per_s: Option<u32>,
    /// What its router says.
    pub hello: Hello,
    /// Not configured at present.
    pub is_absent: bool,
}

/// The checks that are on or off, and whether the preset "exchange" has them on.
pub const SWITCHES: [(&str, bool); 15] = [
    ("leftmost_as", true),
    ("bogon_prefixes", true),
    ("bogon_asns", true),
    ("own_as", true),
    ("black_list", true),
    ("own_prefixes", true),
    ("as_set", true),
    ("transit_free", true),
    ("never_via_route_servers", true),
    ("blackhole", false),
    ("irr_prefix", true),
    ("irr_origin", true),
    ("rpki_invalid", true),
    ("rpki_unknown", false),
    ("aspa_invalid", true),
];

/// `[client.import]`
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The preset "lab".
    pub is_lab: bool,
    /// Those that are said, whatever the preset.
    pub switches: BTreeMap<&'static str, bool>,
    pub next_hop: Option<&'static str>,
    pub as_path_max: Option<Option<usize>>,
    pub communities_max: Option<Option<usize>>,
    /// IPv4, IPv6.
    pub prefix_length: Option<[Option<(u8, u8)>; 2]>,
    pub black_list_prefixes: Vec<Range>,
    pub tag: Vec<&'static str>,
}

/// `[client.irr]`
#[derive(Clone, Debug, Default)]
pub struct Registration {
    pub as_sets: Vec<&'static str>,
    pub prefixes: Vec<Range>,
    pub origins: Vec<u32>,
    /// The rest; what is registered is worked out from the above.
    pub rules: Irr,
}

impl Import {
    pub fn is_on(&self, key: &str) -> bool {
        let (_, usual) = SWITCHES.iter().find(|(known, _)| *known == key).unwrap();
        let said = self.switches.get(key).copied();
        said.unwrap_or(*usual && !self.is_lab)
    }

    pub fn checks_next_hops(&self) -> bool {
        self.next_hop
            .unwrap_or(if self.is_lab { "off" } else { "strict" })
            != "off"
    }
}

impl Registration {
    pub fn is_empty(&self) -> bool {
        self.as_sets.is_empty() && self.prefixes.is_empty() && self.origins.is_empty()
    }
}

impl Member {
    /// As its global IPv6 address ends.
    pub fn link_local(&self) -> Ipv6Addr {
        link_local_of([self.address, self.other_address])
    }

    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = vec![self.address, self.other_address];
        addresses.extend(
            self.lists_link_local
                .then(|| IpAddr::from(self.link_local())),
        );
        addresses
    }

    /// Whether a check is on whose data has not come.
    pub fn lacks_data(&self, plan: &Plan) -> bool {
        let checks = self.checks(plan);
        let [of_prefix, _] = checks.checks_irr();
        let irr = checks.irr.as_ref().filter(|_| of_prefix);
        let by_roas = irr.is_some_and(|irr| irr.rpki_roas_as_route_objects);
        let uses_vrps = checks.rpki_invalid || checks.rpki_unknown || by_roas;
        let is_missing = |name: &&str| !plan.as_sets.contains_key(name);
        let lacks_irr = checks.lacks_irr() || self.irr.as_sets.iter().any(is_missing);
        lacks_irr || uses_vrps && plan.outside.vrps.is_none()
    }

    pub fn oracle_client(&self, plan: &Plan) -> Client {
        let (block, rejects_all) = match self.limit {
            Some((max, rejects_all)) => ([Some(max); 2], rejects_all),
            None => ([None; 2], false),
        };
        Client {
            name: self.name.clone(),
            asn: self.asn,
            address: self.address,
            hide_own_as: self.hide_own_as,
            obeys_rfc1997: self.obeys_rfc1997.unwrap_or(plan.interpret_well_known),
            takes_blackholes: self.takes_blackholes,
            rtt_us: self.rtt_us,
            matrix: self.present_matrix(plan),
            role: self.role != "false",
            prepend_rs_as: self.prepend_rs_as,
            checks: self.checks(plan),
            block,
            rejects_all,
            heeds_llgr: plan.helper.llgr_s != [0; 2],
            discard: self.discard.clone(),
            treat_as_withdraw: self.treat_as_withdraw.clone(),
        }
    }

    /// The configuration may name clients only that are there.
    pub fn present_matrix(&self, plan: &Plan) -> Matrix {
        let is_there = |who: &&Who| match who {
            Who::Asn(_) => true,
            Who::Name(name) => plan.present().any(|member| member.name == *name),
        };
        let present = |list: &Vec<Who>| list.iter().filter(is_there).cloned().collect();
        let Matrix {
            announce_only_to,
            do_not_announce_to,
            receive_only_from,
            do_not_receive_from,
        } = &self.matrix;
        Matrix {
            announce_only_to: announce_only_to.as_ref().map(present),
            do_not_announce_to: present(do_not_announce_to),
            receive_only_from: receive_only_from.as_ref().map(present),
            do_not_receive_from: present(do_not_receive_from),
        }
    }

    fn checks(&self, plan: &Plan) -> Checks {
        let import = &self.import;
        let is_on = |key| import.is_on(key);
        let unless_lab = |max: usize| (!import.is_lab).then_some(max);
        let usual_lengths = [(8, 24), (12, 48)].map(|range| (!import.is_lab).then_some(range));
        Checks {
            next_hops: self.next_hops(plan),
            leftmost_as: is_on("leftmost_as"),
            as_path_max: import.as_path_max.unwrap_or(unless_lab(32)),
            prefix_lengths: import.prefix_length.unwrap_or(usual_lengths),
            bogon_prefixes: is_on("bogon_prefixes"),
            bogon_asns: is_on("bogon_asns"),
            own_as: is_on("own_as"),
            own_prefixes: is_on("own_prefixes"),
            black_list: is_on("black_list"),
            black_list_prefixes: import.black_list_prefixes.clone(),
            as_set: is_on("as_set"),
            transit_free: is_on("transit_free"),
            never_via_route_servers: is_on("never_via_route_servers"),
            communities_max: import.communities_max.unwrap_or(unless_lab(100)),
            irr: self.irr(plan),
            irr_prefix: is_on("irr_prefix"),
            irr_origin: is_on("irr_origin"),
            rpki_invalid: is_on("rpki_invalid") && plan.validates(),
            rpki_unknown: is_on("rpki_unknown") && plan.validates(),
            aspa_invalid: is_on("aspa_invalid") && plan.validates(),
            blackhole: is_on("blackhole"),
            tag: import.tag.clone(),
            quarantined: self.quarantined,
        }
    }

    fn next_hops(&self, plan: &Plan) -> Option<Vec<IpAddr>> {
        let same_as = |member: &&Member| member.asn == self.asn;
        match self.import.next_hop {
            _ if !self.import.checks_next_hops() => None,
            Some("same_as") => {
                let sessions = plan.present().filter(same_as);
                Some(sessions.flat_map(Member::addresses).collect())
            }
            _ => Some(self.addresses()),
        }
    }

    /// Of a client about which nothing is said nothing is checked.
    fn irr(&self, plan: &Plan) -> Option<Irr> {
        if self.irr.is_empty() {
            return None;
        }
        let (mut prefixes, mut origins) = (self.irr.prefixes.clone(), self.irr.origins.clone());
        let mut has_any = !prefixes.is_empty() || !origins.is_empty();
        for name in &self.irr.as_sets {
            if let Some((more_prefixes, more_origins)) = plan.as_sets.get(name) {
                prefixes.extend(more_prefixes);
                origins.extend(more_origins);
                has_any = true;
            }
        }
        Some(Irr {
            set: has_any.then_some((prefixes, origins)),
            names: [
                !self.irr.as_sets.is_empty() || !self.irr.prefixes.is_empty(),
                !self.irr.as_sets.is_empty() || !self.irr.origins.is_empty(),
            ],
            ..self.irr.rules.clone()
        })
    }
}
