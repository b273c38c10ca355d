//! What clients announce.

use std::net::{IpAddr, Ipv6Addr};

use super::policy::THRESHOLDS_MS;
use super::{ASNS, Draw, Theme};
use crate::exchange::{Member, Plan, SERVER_ASN, addresses, link_local_of};
use crate::oracle::{AS_SEQUENCE, Attributes, BLACKHOLE, Form, Net, OTC, extended};
use crate::rng::Rng;

impl Draw {
    /// Prefixes of one family with attributes that suit the client, more or less.
    pub fn route(&self, rng: &mut Rng, plan: &Plan, client: usize) -> (Vec<Net>, Attributes) {
        let member = &plan.members[client];
        let family = match (member.hello.agreed.families, rng.percent(50)) {
            ([true, false], _) => 0,
            ([false, true], _) => 1,
            (_, first) => usize::from(first),
        };
        let all = &self.nets[family];
        let count = *rng.pick(&[1, 2, 8, 60, 60 * all.len() / 80]);
        let mut nets = rng.some(all, count);
        let mut attributes = self.attributes(rng, plan, client, family);
        if self.has(Theme::Blackholes) && rng.percent(25) {
            nets.truncate(8);
            if rng.percent(70) {
                nets.iter_mut().for_each(|net| *net = host_in(net));
                nets.dedup();
            }
            match plan.communities.forms["blackholing"].last() {
                Some(form) if rng.percent(40) => form.push(0, &mut attributes),
                _ => attributes.communities.push(BLACKHOLE),
            }
            tidy(&mut attributes);
        }
        (nets, attributes)
    }

    pub fn attributes(
        &self,
        rng: &mut Rng,
        plan: &Plan,
        client: usize,
        family: usize,
    ) -> Attributes {
        let member = &plan.members[client];
        let next_hop = self.next_hop(rng, plan, member, family);
        let share = if self.has(Theme::NextHops) { 60 } else { 25 };
        let has_link_local = next_hop.is_ipv6() && rng.percent(share);
        let as_path = random_as_path(rng, member.asn, plan.is_close);
        let mut attributes = Attributes {
            origin: if plan.is_close {
                0
            } else {
                *rng.pick(&[0, 0, 0, 1, 2])
            },
            as_path,
            next_hop,
            link_local: None,
            med: rng
                .percent(60)
                .then(|| *rng.pick(&[0, 1, 5, 5, 90, u32::MAX])),
            communities: Vec::new(),
            large: Vec::new(),
            extended: Vec::new(),
            other: Default::default(),
        };
        // Some are a neighbour's: those with a MED of 1.
        let (v4, v6) = addresses(client + usize::from(attributes.med == Some(1)));
        attributes.link_local = has_link_local.then(|| link_local_of([v4, v6]));
        if rng.percent(55) {
            for _ in 0..rng.between(1, 4) {
                random_community(rng, plan, &mut attributes);
            }
        }
        if self.has(Theme::Told) && rng.percent(35) {
            forge(rng, &mut attributes);
        }
        if self.has(Theme::Forms) && rng.percent(20) {
            let last = *rng.pick(&[7, member.asn]);
            attributes.extended.push(extended(3, SERVER_ASN, last));
        }
        if self.has(Theme::Helper) && rng.percent(30) {
            attributes.communities.push((65_535, *rng.pick(&[6, 7])));
        }
        self.other_attributes(rng, member, &mut attributes);
        tidy(&mut attributes);
        attributes
    }

    fn next_hop(&self, rng: &mut Rng, plan: &Plan, member: &Member, family: usize) -> IpAddr {
        let by_v6 = family == 0 && self.has(Theme::NextHops);
        let kind = match by_v6 && member.hello.agreed.v6_next_hops && rng.percent(40) {
            true => 1,
            false => family,
        };
        let own = [member.address, member.other_address];
        let is_of_kind = |address: &&IpAddr| usize::from(address.is_ipv6()) == kind;
        if rng.percent(92) {
            return *own.iter().find(is_of_kind).expect("one of each family");
        }
        let (v4, v6) = addresses(rng.below(plan.members.len()));
        if kind == 0 { v4 } else { v6 }
    }

    fn other_attributes(&self, rng: &mut Rng, member: &Member, attributes: &mut Attributes) {
        let other = &mut attributes.other;
        if rng.percent(10) {
            other.insert(6, (0x40, Vec::new()));
        }
        if rng.percent(10) {
            other.insert(
                *rng.pick(&[200, 201, 250]),
                (*rng.pick(&[0xc0, 0x80, 0xe0]), vec![7; rng.between(0, 300)]),
            );
        }
        if self.has(Theme::Roles) && rng.percent(10) {
            let asn = *rng.pick(&ASNS);
            other.insert(OTC, (0xc0, asn.to_be_bytes().into()));
        }
        // Over 4,096 octets: not for everybody.
        if member.extended && rng.percent(8) {
            match rng.percent(40) {
                true => attributes.large = (0..400).map(|number| (3_356, number, 1)).collect(),
                false => drop(other.insert(200, (0xc0, vec![7; 4_500]))),
            }
        }
    }
}

/// The last address but one of it.
fn host_in((address, len): &Net) -> Net {
    match address {
        IpAddr::V4(address) => {
            let bits = u32::MAX.checked_shr((*len).into()).unwrap_or(0);
            let host = address.to_bits() | bits & !1;
            (IpAddr::from(host.to_be_bytes()), 32)
        }
        IpAddr::V6(address) => {
            let bits = u128::MAX.checked_shr((*len).into()).unwrap_or(0);
            let host = Ipv6Addr::from_bits(address.to_bits() | bits & !1);
            (host.into(), 128)
        }
    }
}

fn tidy(attributes: &mut Attributes) {
    attributes.communities.sort();
    attributes.communities.dedup();
    attributes.large.sort();
    attributes.large.dedup();
    attributes.extended.sort();
    attributes.extended.dedup();
}

/// `close`: all of one length, so that MED and identifiers decide.
fn random_as_path(rng: &mut Rng, asn: u32, close: bool) -> Vec<(u8, Vec<u32>)> {
    if close {
        let first = if rng.percent(50) {
            asn
        } else {
            ASNS[rng.below(3)]
        };
        return vec![(AS_SEQUENCE, vec![first, *rng.pick(&ASNS)])];
    }
    let first = if rng.percent(93) {
        asn
    } else {
        *rng.pick(&ASNS)
    };
    let mut sequence = vec![first];
    for _ in 0..*rng.pick(&[0, 0, 1, 1, 2, 3]) {
        sequence.push(*rng.pick(&ASNS));
    }
    match rng.below(40) {
        0 => sequence.push(64_512),
        1 | 4 => sequence.push(SERVER_ASN),
        2 => sequence.resize(40, first),
        3 => return Vec::new(),
        _ => {}
    }
    let mut path = vec![(AS_SEQUENCE, sequence)];
    if rng.percent(6) {
        path.push((1, rng.some(&ASNS, 3)));
    }
    path
}

/// What stands for something in some configurations, and for nothing in others.
fn forge(rng: &mut Rng, attributes: &mut Attributes) {
    match rng.below(4) {
        0 => attributes
            .communities
            .push((65_300, *rng.pick(&[2, 11, 12]))),
        1 => attributes.large.push((3_356, 1_002, 13)),
        2 => attributes
            .communities
            .push((65_520, rng.between(1, 15) as u16)),
        _ => attributes.extended.push(extended(3, 64_511, 14)),
    }
}

/// Mostly one that means something at present, or meant something before.
fn random_community(rng: &mut Rng, plan: &Plan, attributes: &mut Attributes) {
    let rs = SERVER_ASN;
    let members = plan.members.iter().map(|member| member.asn);
    let asns: Vec<u32> = members.chain([rs, 65_000, 65_001, 65_002]).collect();
    let peer = *rng.pick(&asns);
    let peer_16 = u16::try_from(peer).unwrap_or(7);
    let rs_16 = rs as u16;
    match rng.below(28) {
        0 => attributes.communities.push((0, rs_16)),
        1 | 2 => attributes.communities.push((0, peer_16)),
        3 | 4 => attributes.communities.push((rs_16, peer_16)),
        5 => attributes.large.push((rs, 0, 0)),
        6 | 7 => attributes.large.push((rs, 0, peer)),
        8 => attributes.large.push((rs, 1, peer)),
        9 => attributes
            .large
            .push((rs, rng.between(101, 103) as u32, peer)),
        10 => attributes.large.push((rs, rng.between(101, 103) as u32, 0)),
        11 => attributes.large.push((rs, 77, peer)),
        12 => attributes.communities.push((
            65_535,
            *rng.pick(&[0, 6, 6, 7, 666, 65_281, 65_282, 65_283]),
        )),
        13 => attributes
            .communities
            .push((3_356, rng.between(1, 3) as u16)),
        14 => attributes.large.push((3_356, 1, rng.between(1, 3) as u32)),
        15 => {
            let last = rng.between(1, 3) as u8;
            let head = *rng.pick(&[[0, 2, 0x0d, 0x1c], [0, 2, 0xfb, 0xf4], [0, 3, 0xfb, 0xf4]]);
            let [a, b, c, d] = head;
            attributes.extended.push([a, b, c, d, 0, 0, 0, last]);
        }
        16 => {
            let tags: Vec<&Form> = plan.communities.tags.values().flatten().collect();
            let forged = tags.into_iter().chain(&plan.communities.reject_cause);
            let forged: Vec<&Form> = forged.collect();
            if !forged.is_empty() {
                rng.pick(&forged)
                    .push(rng.between(1, 15) as u32, attributes);
            }
        }
        _ => {
            let forms: Vec<(&&str, &Form)> = (plan.communities.forms.iter())
                .flat_map(|(action, forms)| forms.iter().map(move |form| (action, form)))
                .collect();
            let (action, form) = *rng.pick(&forms);
            let last = match action.contains("_rtt_") {
                true => *rng.pick(&THRESHOLDS_MS),
                false if form.is_short() => peer_16.into(),
                false => peer,
            };
            form.push(last, attributes);
            // The nearest of several counts.
            let is_near = |other: &str| other.starts_with("prepend") && other.contains("_lower_");
            if action.contains("_rtt_") {
                for (_, other) in forms.iter().filter(|(other, _)| is_near(other)) {
                    if rng.percent(40) {
                        other.push(*rng.pick(&THRESHOLDS_MS), attributes);
                    }
                }
            }
        }
    }
}
