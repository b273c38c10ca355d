//! A table as exchanges see them, from a seed: prefix lengths, path lengths, shared attribute
//! sets, uneven clients, overlapping paths, control communities. All of it is acceptable to an
//! exchange's import checks.

use std::net::{Ipv4Addr, Ipv6Addr};

use hashbrown::HashSet;

use super::attributes::{AS_SEQUENCE, Attributes, Segment};
use super::plan::{AnnouncedSet, Client, Plan, Route};
use super::random::Random;
use crate::base::{Family, FamilySet, Prefix};

/// What the table is to look like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Distinct prefixes over all clients.
    pub prefixes: usize,
    pub paths_per_prefix: f64,
    pub prefixes_per_attributes: f64,
    /// Share of attribute sets with control communities.
    pub control_share: f64,
    /// Whether prepends are among the control communities.
    pub prepends: bool,
    /// Share of attribute sets with an attribute that no RFC knows.
    pub unknown_share: f64,
    pub families: FamilySet,
    pub seed: u64,
}

/// Share of IPv6 prefixes where both families are announced.
const IPV6_SHARE: f64 = 0.25;
/// Prefix lengths and their weights, after today's tables.
const IPV4_LENS: [(u8, u32); 14] = [
    (24, 600),
    (23, 100),
    (22, 115),
    (21, 55),
    (20, 45),
    (19, 27),
    (18, 15),
    (17, 9),
    (16, 14),
    (15, 3),
    (14, 2),
    (13, 2),
    (12, 2),
    (11, 1),
];
const IPV6_LENS: [(u8, u32); 10] = [
    (48, 480),
    (32, 130),
    (44, 90),
    (40, 90),
    (36, 60),
    (46, 50),
    (47, 30),
    (45, 20),
    (29, 30),
    (33, 20),
];
/// Path lengths from 1 to 6.
const PATH_LENS: [u32; 6] = [14, 34, 30, 14, 6, 2];
/// First octets with reserved blocks in them.
const SPECIAL: [u8; 9] = [10, 100, 127, 169, 172, 192, 198, 203, 0];
const IPV6_TOPS: [u16; 8] = [
    0x2400, 0x2404, 0x2600, 0x2607, 0x2800, 0x2a00, 0x2a02, 0x2c0f,
];

/// Fills in what `clients` announce.
pub fn plan(shape: &Shape, server_asn: u32, mut clients: Vec<Client>) -> Plan {
    let mut random = Random::new(shape.seed);
    let prefixes = distinct_prefixes(shape, &mut random);
    let weights = zipf(clients.len(), &mut random);
    let mut sets: Vec<AnnouncedSet> = Vec::new();
    let mut next = 0;
    while next < prefixes.len() {
        let family = prefixes[next].family();
        let wanted = next + random.geometric(shape.prefixes_per_attributes);
        let end = (next..wanted.min(prefixes.len()))
            .take_while(|&i| prefixes[i].family() == family)
            .count()
            + next;
        let origin = origin_asn(&mut random);
        let paths = random.geometric(shape.paths_per_prefix).min(clients.len());
        for client in pick_clients(paths, &weights, &mut random) {
            let set = sets.len() as u32;
            let attributes = attributes(
                shape,
                server_asn,
                &clients,
                client,
                family,
                origin,
                &mut random,
            );
            sets.push(AnnouncedSet {
                client: client as u16,
                attributes,
            });
            clients[client]
                .routes
                .extend((next..end).map(|prefix| Route {
                    set,
                    prefix: prefix as u32,
                }));
        }
        next = end;
    }
    Plan {
        server_asn,
        families: shape.families,
        clients,
        prefixes,
        sets,
    }
}

/// All of IPv4, then all of IPv6.
fn distinct_prefixes(shape: &Shape, random: &mut Random) -> Vec<Prefix> {
    let v6 = match (
        shape.families.contains(Family::Ipv4),
        shape.families.contains(Family::Ipv6),
    ) {
        (true, true) => (shape.prefixes as f64 * IPV6_SHARE) as usize,
        (_, true) => shape.prefixes,
        _ => 0,
    };
    let mut seen = HashSet::with_capacity(shape.prefixes);
    let mut prefixes = Vec::with_capacity(shape.prefixes);
    while prefixes.len() < shape.prefixes {
        let prefix = if prefixes.len() < shape.prefixes - v6 {
            v4_prefix(random)
        } else {
            v6_prefix(random)
        };
        if seen.insert(prefix) {
            prefixes.push(prefix);
        }
    }
    prefixes
}

fn len_of(lens: &[(u8, u32)], random: &mut Random) -> u8 {
    let weights: Vec<u32> = lens.iter().map(|(_, weight)| *weight).collect();
    lens[random.weighted(&weights)].0
}

fn v4_prefix(random: &mut Random) -> Prefix {
    let first = loop {
        let first = random.within(1, 223) as u8;
        if !SPECIAL.contains(&first) {
            break first;
        }
    };
    let rest = random.next() as u32 & 0x00ff_ffff;
    Prefix::v4(
        Ipv4Addr::from(u32::from(first) << 24 | rest),
        len_of(&IPV4_LENS, random),
    )
}

fn v6_prefix(random: &mut Random) -> Prefix {
    let top = *random.pick(&IPV6_TOPS);
    let bits = u128::from(top) << 112 | u128::from(random.next()) << 48;
    Prefix::v6(Ipv6Addr::from(bits), len_of(&IPV6_LENS, random))
}

/// Cumulative weights of uneven clients: the largest is anyone.
pub fn zipf(count: usize, random: &mut Random) -> Vec<f64> {
    let mut weights: Vec<f64> = (1..=count)
        .map(|rank| 1.0 / (rank as f64).powf(0.9))
        .collect();
    random.shuffle(&mut weights);
    let mut sum = 0.0;
    weights.iter_mut().for_each(|weight| {
        sum += *weight;
        *weight = sum;
    });
    weights
}

pub fn pick_clients(count: usize, cumulative: &[f64], random: &mut Random) -> Vec<usize> {
    let total = cumulative.last().copied().unwrap_or(0.0);
    let mut picked: Vec<usize> = Vec::with_capacity(count);
    let mut tries = 0;
    while picked.len() < count {
        let point = random.unit() * total;
        let mut client = cumulative
            .partition_point(|&sum| sum <= point)
            .min(cumulative.len() - 1);
        tries += 1;
        if tries > 20 * count {
            client = random.below(cumulative.len() as u64) as usize;
        }
        if !picked.contains(&client) {
            picked.push(client);
        }
    }
    picked
}

/// Apart from the clients' own; no bogons.
fn origin_asn(random: &mut Random) -> u32 {
    if random.chance(0.6) {
        random.within(24_000, 60_000) as u32
    } else {
        random.within(131_073, 400_000) as u32
    }
}

fn transit_asn(random: &mut Random) -> u32 {
    // A few carry most of the traffic.
    let rank = (random.unit() * random.unit() * 1900.0) as u32;
    8_000 + rank
}

fn as_path(first: u32, origin: u32, random: &mut Random) -> Vec<u32> {
    let len = 1 + random.weighted(&PATH_LENS);
    let mut path = vec![first];
    if len > 1 {
        path.extend((2..len).map(|_| transit_asn(random)));
        path.push(origin);
        if random.chance(0.06) {
            path.extend(std::iter::repeat_n(origin, random.within(1, 3) as usize));
        }
    }
    path
}

fn attributes(
    shape: &Shape,
    server_asn: u32,
    clients: &[Client],
    client: usize,
    family: Family,
    origin: u32,
    random: &mut Random,
) -> Attributes {
    let path = as_path(clients[client].asn, origin, random);
    let mut set = Attributes::new(&path, clients[client].next_hop(family));
    set.as_path = vec![Segment {
        kind: AS_SEQUENCE,
        asns: path.clone(),
    }];
    set.origin = [0, 2, 1][random.weighted(&[85, 13, 2])];
    if random.chance(0.15) {
        set.med = Some(random.below(1000) as u32);
    }
    if random.chance(0.03) {
        set.atomic_aggregate = true;
        set.aggregator = Some((
            origin,
            Ipv4Addr::from(0x5000_0000 | random.next() as u32 & 0xffff),
        ));
    }
    if random.chance(0.6) {
        add_communities(&mut set, &path, random);
    }
    if random.chance(shape.unknown_share) {
        let value = random.next().to_be_bytes().to_vec();
        set.others.push((0xc0, 240, value));
    }
    if random.chance(shape.control_share) {
        add_controls(&mut set, shape.prepends, server_asn, clients, random);
    }
    set.normalise();
    set
}

/// Informational ones, of the networks on the path.
fn add_communities(set: &mut Attributes, path: &[u32], random: &mut Random) {
    for _ in 0..random.geometric(3.0).min(24) {
        let asn = *random.pick(path);
        let value = random.within(1, 9999) as u32;
        if asn <= 0xffff && !random.chance(0.2) {
            set.communities.push(asn << 16 | value);
        } else {
            set.large.push([asn, random.within(1, 20) as u32, value]);
        }
    }
    if random.chance(0.05) {
        let asn = (path[0] as u16).to_be_bytes();
        set.extended
            .push([0, 2, asn[0], asn[1], 0, 0, 0, random.within(1, 99) as u8]);
    }
}

/// One to thirty peers are named, a third of whom are not there.
fn add_controls(
    set: &mut Attributes,
    prepends: bool,
    server_asn: u32,
    clients: &[Client],
    random: &mut Random,
) {
    let peers: Vec<u32> = (0..random.within(1, 30))
        .map(|_| match random.below(3) {
            0 => random.within(61_000, 64_000) as u32,
            _ => random.pick(clients).asn,
        })
        .collect();
    let kind = random.weighted(&[60, 20, 5, if prepends { 15 } else { 0 }]);
    let standard = server_asn <= 0xffff && random.chance(0.6);
    match kind {
        0 => peers.iter().for_each(|&peer| {
            if random.chance(0.6) {
                set.communities.push(peer)
            } else {
                set.large.push([server_asn, 0, peer])
            }
        }),
        1 | 2 => {
            if standard {
                set.communities.push(server_asn)
            } else {
                set.large.push([server_asn, 0, 0])
            }
            let named = if kind == 1 { &peers[..] } else { &[] };
            named.iter().for_each(|&peer| {
                if standard {
                    set.communities.push(server_asn << 16 | peer)
                } else {
                    set.large.push([server_asn, 1, peer])
                }
            });
        }
        _ => {
            let count = random.within(101, 103) as u32;
            let named = if random.chance(0.3) { &[0][..] } else { &peers };
            named
                .iter()
                .for_each(|&peer| set.large.push([server_asn, count, peer]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(seed: u64) -> Plan {
        let shape = Shape {
            prefixes: 4000,
            paths_per_prefix: 1.7,
            prefixes_per_attributes: 4.0,
            control_share: 0.3,
            prepends: true,
            unknown_share: 0.0,
            families: FamilySet::ALL,
            seed,
        };
        let net = "127.77.0.0/16".parse().unwrap();
        let clients = (0..30)
            .map(|i| Client::new(i, net, "fd77::".parse().unwrap()))
            .collect();
        plan(&shape, 64500, clients)
    }

    #[test]
    fn the_shape_is_the_one_asked_for() {
        let plan = small(1);
        assert_eq!(plan.prefixes.len(), 4000);
        let distinct: HashSet<&Prefix> = plan.prefixes.iter().collect();
        assert_eq!(distinct.len(), 4000);
        let routes = plan.route_count() as f64;
        assert!((1.5..1.9).contains(&(routes / 4000.0)), "{routes}");
        let per_set = routes / plan.sets.len() as f64;
        assert!((3.4..4.6).contains(&per_set), "{per_set}");
        let controlled = plan
            .sets
            .iter()
            .filter(|set| super::super::rules::has_controls(&set.attributes, 64500))
            .count();
        assert!(
            (0.25..0.35).contains(&(controlled as f64 / plan.sets.len() as f64)),
            "{controlled}"
        );
    }

    #[test]
    fn the_first_asn_is_the_clients_and_no_client_has_a_prefix_twice() {
        let plan = small(2);
        for (index, client) in plan.clients.iter().enumerate() {
            let mut prefixes = HashSet::new();
            for route in &client.routes {
                let set = &plan.sets[route.set as usize];
                assert_eq!(usize::from(set.client), index);
                assert_eq!(set.attributes.as_path[0].asns[0], client.asn);
                assert_eq!(
                    set.attributes.next_hop,
                    client.next_hop(plan.prefixes[route.prefix as usize].family())
                );
                assert!(prefixes.insert(route.prefix));
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_table() {
        let (a, b, other) = (small(3), small(3), small(4));
        assert_eq!(a.prefixes, b.prefixes);
        assert!(
            a.sets
                .iter()
                .zip(&b.sets)
                .all(|(a, b)| a.attributes == b.attributes)
        );
        assert_ne!(a.prefixes, other.prefixes);
    }
}
