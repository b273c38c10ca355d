//! A real table (MRT) replayed by synthetic clients: each route begins with its new announcer's
//! ASN and next hop, all else stays. What an exchange's import checks refuse is left out, and so
//! are communities that mean something to the server.

use std::fs::File;
use std::io::{BufReader, Read};
use std::net::IpAddr;
use std::path::Path;

use bgpkit_parser::BgpkitParser;
use bgpkit_parser::models::{BgpElem, ElemType, MetaCommunity};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::LoadError;
use super::args::LoadArgs;
use super::attributes::{AS_SEQUENCE, Attributes};
use super::plan::{Client, Plan, Route, Sets};
use super::random::Random;
use super::second::{community, segments};
use super::synthetic::{pick_clients, zipf};
use crate::base::{Family, FamilySet, Prefix};

/// Longest path that an exchange takes.
const PATH_LEN_MAX: usize = 32;
/// Nothing of these, nor anything within them, is announced (IANA special-purpose registries).
const REFUSED: [&str; 26] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "::/3",
    "2001::/32",
    "2001:2::/48",
    "2001:3::/32",
    "2001:10::/28",
    "2001:20::/28",
    "2001:db8::/32",
    "2002::/16",
    "3ffe::/16",
    "3fff::/20",
    "4000::/2",
    "8000::/1",
];

/// What a file holds at its end: for each peer and prefix the number of an attribute set.
struct Table {
    sets: Vec<Attributes>,
    peers: Vec<IpAddr>,
    /// Peer, set, prefix; sorted.
    routes: Vec<(u16, u32, Prefix)>,
}

/// Fills in what `clients` announce. A peer of the file becomes one client or, where there are
/// more clients than peers, several uneven ones that share its routes by attribute set; a table of
/// one peer is announced by `--paths-per-prefix` clients.
pub fn plan(file: &Path, args: &LoadArgs, mut clients: Vec<Client>) -> Result<Plan, LoadError> {
    let table = read(file, args).map_err(|why| LoadError::Mrt {
        file: file.display().to_string(),
        why: why.to_string(),
    })?;
    let mut random = Random::new(args.seed);
    let groups = groups(table.peers.len(), clients.len());
    let weights: Vec<Vec<f64>> = groups
        .iter()
        .map(|group| zipf(group.len(), &mut random))
        .collect();
    let mut plan = Plan {
        server_asn: args.server_asn,
        families: FamilySet::default(),
        clients: Vec::new(),
        prefixes: Vec::new(),
        sets: Sets::default(),
    };
    let mut index: HashMap<Prefix, u32, FixedState> = HashMap::default();
    let mut taken: HashMap<(u16, u32), (), FixedState> = HashMap::default();
    for routes in table
        .routes
        .chunk_by(|a, b| (a.0, a.1, a.2.family()) == (b.0, b.1, b.2.family()))
    {
        let (peer, set, first) = routes[0];
        let group = &groups[usize::from(peer)];
        let copies = if table.peers.len() == 1 {
            random.geometric(args.paths_per_prefix)
        } else {
            1
        };
        for member in pick_clients(
            copies.min(group.len()),
            &weights[usize::from(peer)],
            &mut random,
        ) {
            let client = group[member];
            let attributes =
                announced_by(&clients[client], &table.sets[set as usize], first.family());
            let number = plan.sets.push(client as u16, &attributes);
            for (_, _, prefix) in routes {
                let next = index.len() as u32;
                let place = *index.entry(*prefix).or_insert(next);
                if place == next {
                    plan.prefixes.push(*prefix);
                    plan.families = plan.families.with(prefix.family());
                }
                if taken.insert((client as u16, place), ()).is_none() {
                    clients[client].routes.push(Route {
                        set: number,
                        prefix: place,
                    });
                }
            }
        }
    }
    if plan.prefixes.is_empty() {
        let why = "it has no routes that an exchange would take; is it MRT, and does its name end \
                   in .gz or .bz2 where it is packed?"
            .into();
        return Err(LoadError::Mrt {
            file: file.display().to_string(),
            why,
        });
    }
    plan.clients = clients;
    Ok(plan)
}

/// The clients that stand for each peer.
fn groups(peers: usize, clients: usize) -> Vec<Vec<usize>> {
    (0..peers)
        .map(|peer| {
            if peers >= clients {
                vec![peer % clients]
            } else {
                (peer..clients).step_by(peers).collect()
            }
        })
        .collect()
}

fn announced_by(client: &Client, set: &Attributes, family: Family) -> Attributes {
    let mut set = set.clone();
    set.next_hop = client.next_hop(family);
    if let Some(first) = set.as_path.first_mut() {
        let peer = first.asns.first().copied();
        first
            .asns
            .iter_mut()
            .take_while(|asn| Some(**asn) == peer)
            .for_each(|asn| *asn = client.asn);
    }
    set
}

fn open(file: &Path) -> std::io::Result<Box<dyn Read + Send>> {
    let reader = BufReader::new(File::open(file)?);
    Ok(
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(reader)),
            Some("bz2") => Box::new(bzip2::read::MultiBzDecoder::new(reader)),
            _ => Box::new(reader),
        },
    )
}

/// Reads to the end, or to where the file is cut.
fn read(file: &Path, args: &LoadArgs) -> std::io::Result<Table> {
    let refused: Vec<Prefix> = REFUSED
        .iter()
        .map(|text| text.parse().expect("the list is right"))
        .collect();
    let mut sets = Vec::new();
    let mut numbers: HashMap<Attributes, u32, FixedState> = HashMap::default();
    let mut peers: Vec<IpAddr> = Vec::new();
    let mut state: HashMap<(u16, Prefix), u32, FixedState> = HashMap::default();
    for elem in BgpkitParser::from_reader(BufReader::new(open(file)?)) {
        let prefix = Prefix::from(elem.prefix.prefix);
        let peer = peers
            .iter()
            .position(|addr| *addr == elem.peer_ip)
            .unwrap_or_else(|| {
                peers.push(elem.peer_ip);
                peers.len() - 1
            }) as u16;
        state.remove(&(peer, prefix));
        if elem.elem_type != ElemType::ANNOUNCE || is_refused(&prefix, &refused, args) {
            continue;
        }
        let Some(attributes) = translate(&elem, args.server_asn) else {
            continue;
        };
        let set = *numbers.entry(attributes).or_insert_with_key(|attributes| {
            sets.push(attributes.clone());
            sets.len() as u32 - 1
        });
        state.insert((peer, prefix), set);
    }
    let mut routes: Vec<(u16, u32, Prefix)> = state
        .into_iter()
        .map(|((peer, prefix), set)| (peer, set, prefix))
        .collect();
    routes.sort_unstable();
    if let Some(max) = args.prefixes {
        limit(&mut routes, max);
    }
    Ok(Table {
        sets,
        peers,
        routes,
    })
}

/// Keeps the routes of `max` prefixes, whole sets first.
fn limit(routes: &mut Vec<(u16, u32, Prefix)>, max: usize) {
    let mut kept: HashMap<Prefix, (), FixedState> = HashMap::default();
    routes.retain(|(_, _, prefix)| {
        kept.contains_key(prefix) || kept.len() < max && kept.insert(*prefix, ()).is_none()
    });
}

fn is_refused(prefix: &Prefix, refused: &[Prefix], args: &LoadArgs) -> bool {
    let lengths = match prefix.family() {
        Family::Ipv4 => 8..=24,
        Family::Ipv6 => 12..=48,
    };
    !args.family_or_all().contains(prefix.family())
        || !lengths.contains(&prefix.len())
        || refused.iter().any(|block| block.covers(prefix))
}

/// `None` if an exchange would not take it.
fn translate(elem: &BgpElem, server_asn: u32) -> Option<Attributes> {
    let mut set = Attributes::new(&[], IpAddr::from([0, 0, 0, 0]));
    set.as_path = segments(elem.as_path.as_ref()?);
    let is_bogon = |asn: u32| {
        matches!(asn, 0 | 23_456 | 64_496..=131_071 | 4_200_000_000..) || asn == server_asn
    };
    // There are no AS_SETs in what is sound.
    let path_len: usize = set.as_path.iter().map(|segment| segment.asns.len()).sum();
    let sound = set
        .as_path
        .iter()
        .all(|segment| segment.kind == AS_SEQUENCE && !segment.asns.iter().any(|&a| is_bogon(a)));
    if !sound || !(1..=PATH_LEN_MAX).contains(&path_len) {
        return None;
    }
    set.origin = elem.origin.map_or(2, |origin| origin as u8);
    set.med = elem.med;
    set.atomic_aggregate = elem.atomic;
    // AS 0 there is malformed (RFC 7607).
    set.aggregator = elem
        .aggr_asn
        .zip(elem.aggr_ip)
        .map(|(asn, addr)| (asn.to_u32(), addr))
        .filter(|(asn, _)| *asn != 0);
    for theirs in elem.communities.iter().flatten() {
        match theirs {
            MetaCommunity::Plain(plain) => set.communities.push(community(plain)),
            MetaCommunity::Large(large) => {
                set.large
                    .push([large.global_admin, large.local_data[0], large.local_data[1]]);
            }
            MetaCommunity::Extended(_) | MetaCommunity::Ipv6Extended(_) => {}
        }
    }
    // Control communities, and well-known ones, which servers obey or not.
    set.communities
        .retain(|c| !matches!(c >> 16, 0 | 0xffff) && c >> 16 != server_asn);
    set.large.retain(|large| large[0] != server_asn);
    set.normalise();
    Some(set)
}
