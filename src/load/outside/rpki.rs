//! VRPs and ASPAs of a plan's routes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::base::{Family, Prefix};
use crate::load::plan::Plan;
use crate::load::random::Random;
use crate::load::synthetic::prefixes::v4_prefix;

/// Validated ROA payload (RFC 6811 §2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Vrp {
    pub prefix: Prefix,
    pub max_len: u8,
    pub asn: u32,
}

/// Who may announce what is announced by somebody else: of nobody's routes the origin.
const NOBODY: u32 = 4_200_000_001;
const FILLERS: u64 = 0x6f2d;
/// One in so many ASNs says who its providers are.
const ASPA_EVERY: u32 = 10;

/// By prefix, with its number: the origins of its routes. And VRPs of what nobody announces.
pub struct Vrps {
    origins: Vec<(u32, u32)>,
    prefixes: Vec<Prefix>,
    fillers: Vec<Vrp>,
}

impl Vrps {
    /// `count` in all, or as many as there are origins of prefixes.
    pub fn of(plan: &Plan, count: usize) -> Vrps {
        let mut last = None;
        let mut origins = Vec::with_capacity(plan.route_count());
        for route in plan.clients.iter().flat_map(|client| &client.routes) {
            let (set, origin) = last
                .filter(|(set, _)| *set == route.set)
                .unwrap_or_else(|| {
                    let attributes = plan.sets.attributes(route.set);
                    (route.set, attributes.origin_asn())
                });
            last = Some((set, origin));
            origins.extend(origin.map(|origin| (route.prefix, origin)));
        }
        origins.sort_unstable();
        origins.dedup();
        let mut random = Random::new(FILLERS);
        let filler = || {
            let prefix = v4_prefix(&mut random);
            Vrp {
                prefix,
                max_len: prefix.len(),
                asn: NOBODY + 1 + random.below(1 << 20) as u32,
            }
        };
        let missing = count.saturating_sub(origins.len());
        Vrps {
            fillers: std::iter::repeat_with(filler).take(missing).collect(),
            origins,
            prefixes: plan.prefixes.clone(),
        }
    }

    /// Sorted; nobody is the origin of the prefixes, by number, that are rejected.
    pub fn list(&self, is_rejected: impl Fn(u32) -> bool) -> Vec<Vrp> {
        let of_routes = self.origins.iter().map(|&(number, origin)| {
            let prefix = self.prefixes[number as usize];
            Vrp {
                prefix,
                max_len: prefix.len(),
                asn: if is_rejected(number) { NOBODY } else { origin },
            }
        });
        let mut list: Vec<Vrp> = of_routes.chain(self.fillers.iter().copied()).collect();
        list.sort_unstable();
        list.dedup();
        list
    }

    /// What covers no route.
    pub fn nobodys() -> Vec<Vrp> {
        let prefix = Prefix::v4(std::net::Ipv4Addr::new(192, 0, 2, 0), 24);
        vec![Vrp {
            prefix,
            max_len: 24,
            asn: NOBODY,
        }]
    }
}

/// Customers with all of their providers, as the paths have them: each route goes up all the way.
pub fn aspas(plan: &Plan) -> BTreeMap<u32, BTreeSet<u32>> {
    let mut aspas: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for set in 0..plan.sets.len() as u32 {
        let path = plan.sets.attributes(set).as_path;
        let asns = path.iter().flat_map(|segment| &segment.asns);
        let mut provider = None;
        for &asn in asns {
            let above = provider.replace(asn).filter(|above| *above != asn);
            if let Some(above) = above.filter(|_| asn.is_multiple_of(ASPA_EVERY)) {
                aspas.entry(asn).or_default().insert(above);
            }
        }
    }
    aspas
}

/// As `rpki-client -j` writes it.
pub fn json(vrps: &[Vrp], aspas: &BTreeMap<u32, BTreeSet<u32>>) -> String {
    let mut out = "{\n\t\"metadata\": {},\n\t\"roas\": [".to_owned();
    let mut write = |text: std::fmt::Arguments<'_>| {
        out.write_fmt(text).expect("a string takes all");
    };
    for (number, vrp) in vrps.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        let Vrp {
            prefix,
            max_len,
            asn,
        } = vrp;
        write(format_args!(
            "{comma}\n\t\t{{ \"asn\": {asn}, \"prefix\": \"{prefix}\", \"maxLength\": {max_len}, \"ta\": \"load\" }}"
        ));
    }
    write(format_args!("\n\t],\n\t\"aspas\": ["));
    for (number, (customer, providers)) in aspas.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        let providers: Vec<u32> = providers.iter().copied().collect();
        write(format_args!(
            "{comma}\n\t\t{{ \"customer_asid\": {customer}, \"providers\": {providers:?} }}"
        ));
    }
    write(format_args!("\n\t]\n}}\n"));
    out
}

impl Vrp {
    /// An RTR PDU that announces or withdraws it (RFC 8210 §5.6, §5.7).
    pub fn pdu(&self, version: u8, is_announced: bool, out: &mut Vec<u8>) {
        let octets = match self.prefix.address() {
            std::net::IpAddr::V4(address) => address.octets().to_vec(),
            std::net::IpAddr::V6(address) => address.octets().to_vec(),
        };
        let kind = match self.prefix.family() {
            Family::Ipv4 => 4,
            Family::Ipv6 => 6,
        };
        out.extend([version, kind, 0, 0, 0, 0, 0, 16 + octets.len() as u8]);
        out.extend([u8::from(is_announced), self.prefix.len(), self.max_len, 0]);
        out.extend(octets);
        out.extend(self.asn.to_be_bytes());
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::base::FamilySet;
    use crate::load::plan::Client;
    use crate::load::synthetic::{Layout, Shape, plan};

    /// Thirty clients, 1,000 prefixes of both families.
    pub fn small() -> Plan {
        let shape = Shape {
            prefixes: 1000,
            layout: Layout::Overlapping {
                paths_per_prefix: 1.7,
            },
            prefixes_per_attributes: Some(4.0),
            control_share: 0.0,
            tagging_clients: 0.0,
            prepends: false,
            unknown_share: 0.0,
            families: FamilySet::ALL,
            ipv6_share: 0.3,
            seed: 3,
        };
        let net = "127.77.0.0/16".parse().unwrap();
        let client = |index| Client::new(index, net, "fd77::".parse().unwrap());
        plan(&shape, 64500, (0..30).map(client).collect())
    }

    /// RFC 6811 §2, the slow way.
    fn is_valid(vrps: &[Vrp], prefix: &Prefix, origin: u32) -> bool {
        let mut covering = vrps.iter().filter(|vrp| vrp.prefix.covers(prefix));
        covering.any(|vrp| vrp.asn == origin && prefix.len() <= vrp.max_len)
    }

    #[test]
    fn all_routes_are_valid_but_those_to_be_rejected() {
        let plan = small();
        let vrps = Vrps::of(&plan, 3000);
        for rejects in [false, true] {
            let is_rejected = |prefix: u32| rejects && prefix % 10 == 3;
            let list = vrps.list(is_rejected);
            assert!(list.is_sorted() && (2900..=3000).contains(&list.len()));
            for route in plan.clients.iter().flat_map(|client| &client.routes) {
                let origin = plan.sets.attributes(route.set).origin_asn().unwrap();
                let prefix = plan.prefixes[route.prefix as usize];
                let valid = is_valid(&list, &prefix, origin);
                assert_eq!(valid, !is_rejected(route.prefix), "{prefix} of {origin}");
            }
        }
    }

    #[test]
    fn every_asn_above_a_customer_with_an_aspa_is_its_provider() {
        let plan = small();
        let aspas = aspas(&plan);
        assert!(aspas.len() > 20, "{}", aspas.len());
        for set in 0..plan.sets.len() as u32 {
            let path = &plan.sets.attributes(set).as_path[0].asns;
            for pair in path.windows(2).filter(|pair| pair[0] != pair[1]) {
                let providers = aspas.get(&pair[1]);
                assert!(providers.is_none_or(|providers| providers.contains(&pair[0])));
            }
        }
    }

    #[test]
    fn vrps_as_json_and_as_pdus() {
        let v6 = Vrp {
            prefix: "2001:db8::/32".parse().unwrap(),
            max_len: 48,
            asn: 64496,
        };
        let list = [Vrps::nobodys()[0], v6];
        let aspas = BTreeMap::from([(64496, BTreeSet::from([64499, 64500]))]);
        let value: serde_json::Value = serde_json::from_str(&json(&list, &aspas)).unwrap();
        assert_eq!(value["roas"][1]["prefix"], "2001:db8::/32");
        assert_eq!(value["roas"][1]["maxLength"], 48);
        assert_eq!(value["aspas"][0]["providers"][1], 64500);
        let mut octets = Vec::new();
        list[0].pdu(1, true, &mut octets);
        let head = [1, 4, 0, 0, 0, 0, 0, 20, 1, 24, 24, 0, 192, 0, 2, 0];
        assert_eq!(octets[..16], head);
        octets.clear();
        v6.pdu(2, false, &mut octets);
        assert_eq!(octets[..12], [2, 6, 0, 0, 0, 0, 0, 32, 0, 32, 48, 0]);
        assert_eq!((octets.len(), &octets[28..]), (32, &[0, 0, 0xfb, 0xf0][..]));
    }
}
