//! A table as exchanges see them, from a seed: prefix lengths, path lengths, shared attribute
//! sets, uneven clients, overlapping paths, control communities; or one of two plainer layouts. All
//! of it is acceptable to an exchange's import checks.

mod controls;
pub mod prefixes;

use std::net::Ipv4Addr;

use self::controls::Tags;
use super::attributes::Attributes;
use super::plan::{Client, Plan, Route, Sets};
use super::random::Random;
use crate::base::{Family, FamilySet};

/// Who announces what.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Layout {
    /// Uneven clients whose prefixes overlap: so many paths a prefix, on average.
    Overlapping { paths_per_prefix: f64 },
    /// Every client announces as many /24s as the next, and nobody else's.
    Even,
    /// Every client announces every prefix.
    Full,
}

/// What the table is to look like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Distinct prefixes over all clients.
    pub prefixes: usize,
    pub layout: Layout,
    /// How many share an attribute set: a mean where clients overlap, and this many elsewhere;
    /// `None` is all of the client's.
    pub prefixes_per_attributes: Option<f64>,
    /// Share of attribute sets with control communities of their own.
    pub control_share: f64,
    /// Share of clients with control communities on all their sets, the same ones.
    pub tagging_clients: f64,
    /// Whether prepends are among the control communities.
    pub prepends: bool,
    /// Share of attribute sets with an attribute that no RFC knows.
    pub unknown_share: f64,
    pub families: FamilySet,
    /// Share of IPv6 prefixes where both families are announced.
    pub ipv6_share: f64,
    pub seed: u64,
}

/// Path lengths from 1 to 6.
const PATH_LENS: [u32; 6] = [14, 34, 30, 14, 6, 2];
/// What tells the streams of random numbers apart.
const CONTROLS: u64 = 0x7a65;
const TAGGING: u64 = 0x3b91;

/// Fills in what `clients` announce.
pub fn plan(shape: &Shape, server_asn: u32, clients: Vec<Client>) -> Plan {
    let mut random = Random::new(shape.seed);
    let mut plan = outline_with(shape, server_asn, clients, &mut random);
    let mut author = Author::new(shape, &plan, random);
    match shape.layout {
        Layout::Overlapping { paths_per_prefix } => {
            overlapping(&mut plan, &mut author, paths_per_prefix)
        }
        Layout::Even => even(&mut plan, &mut author),
        Layout::Full => full(&mut plan, &mut author),
    }
    plan
}

/// The clients and the prefixes, and nobody announces anything.
pub fn outline(shape: &Shape, server_asn: u32, clients: Vec<Client>) -> Plan {
    outline_with(shape, server_asn, clients, &mut Random::new(shape.seed))
}

fn outline_with(shape: &Shape, server_asn: u32, clients: Vec<Client>, random: &mut Random) -> Plan {
    Plan {
        server_asn,
        families: shape.families,
        clients,
        prefixes: match shape.layout {
            Layout::Even => prefixes::even(shape.prefixes),
            _ => prefixes::mixed(shape, random),
        },
        sets: Sets::default(),
    }
}

fn overlapping(plan: &mut Plan, author: &mut Author<'_>, paths_per_prefix: f64) {
    let weights = zipf(plan.clients.len(), &mut author.random);
    let mean = author.shape.prefixes_per_attributes.unwrap_or(1.0);
    let mut next = 0;
    while next < plan.prefixes.len() {
        let wanted = next + author.random.geometric(mean);
        let end = end_of_family(plan, next, wanted);
        let origin = origin_asn(&mut author.random);
        let paths = author
            .random
            .geometric(paths_per_prefix)
            .min(plan.clients.len());
        for client in pick_clients(paths, &weights, &mut author.random) {
            announce(plan, author, client, next..end, origin);
        }
        next = end;
    }
}

fn even(plan: &mut Plan, author: &mut Author<'_>) {
    let (prefixes, clients) = (plan.prefixes.len(), plan.clients.len());
    for client in 0..clients {
        let mine = prefixes * client / clients..prefixes * (client + 1) / clients;
        let each = author.exact().unwrap_or(mine.len()).max(1);
        for start in mine.clone().step_by(each) {
            let origin = origin_asn(&mut author.random);
            announce(
                plan,
                author,
                client,
                start..mine.end.min(start + each),
                origin,
            );
        }
    }
}

fn full(plan: &mut Plan, author: &mut Author<'_>) {
    let each = author.exact().unwrap_or(plan.prefixes.len()).max(1);
    let mut next = 0;
    while next < plan.prefixes.len() {
        let end = end_of_family(plan, next, next + each);
        let origin = origin_asn(&mut author.random);
        for client in 0..plan.clients.len() {
            announce(plan, author, client, next..end, origin);
        }
        next = end;
    }
}

/// At most `wanted`, and where the family of `start` ends.
fn end_of_family(plan: &Plan, start: usize, wanted: usize) -> usize {
    let end = wanted.min(plan.prefixes.len());
    let family = plan.prefixes[start].family();
    start + plan.prefixes[start..end].partition_point(|prefix| prefix.family() == family)
}

/// These prefixes, of one family and one origin, with a set of their own.
fn announce(
    plan: &mut Plan,
    author: &mut Author<'_>,
    client: usize,
    prefixes: std::ops::Range<usize>,
    origin: u32,
) {
    let family = plan.prefixes[prefixes.start].family();
    let attributes = author.attributes(&plan.clients, client, family, origin);
    let set = plan.sets.push(client as u16, &attributes);
    let routes = prefixes.map(|prefix| Route {
        set,
        prefix: prefix as u32,
    });
    plan.clients[client].routes.extend(routes);
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

/// Writes the attribute sets.
struct Author<'a> {
    shape: &'a Shape,
    server_asn: u32,
    random: Random,
    controls: Random,
    tags: Vec<Option<Tags>>,
}

impl<'a> Author<'a> {
    fn new(shape: &'a Shape, plan: &Plan, random: Random) -> Author<'a> {
        Author {
            shape,
            server_asn: plan.server_asn,
            random,
            controls: Random::new(shape.seed ^ CONTROLS),
            tags: controls::of_clients(
                shape.tagging_clients,
                shape.prepends,
                plan.server_asn,
                &plan.clients,
                &mut Random::new(shape.seed ^ TAGGING),
            ),
        }
    }

    fn exact(&self) -> Option<usize> {
        let count = self.shape.prefixes_per_attributes?;
        Some(count.round() as usize)
    }

    fn attributes(
        &mut self,
        clients: &[Client],
        client: usize,
        family: Family,
        origin: u32,
    ) -> Attributes {
        let random = &mut self.random;
        let path = as_path(clients[client].asn, origin, random);
        let mut set = Attributes::new(&path, clients[client].next_hop(family));
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
        if random.chance(self.shape.unknown_share) {
            let value = random.next().to_be_bytes().to_vec();
            set.others.push((0xc0, 240, value));
        }
        if self.controls.chance(self.shape.control_share) {
            let (prepends, asn) = (self.shape.prepends, self.server_asn);
            Tags::draw(prepends, asn, clients, &mut self.controls).add_to(&mut set);
        }
        if let Some(tags) = &self.tags[client] {
            tags.add_to(&mut set);
        }
        set.normalise();
        set
    }
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

#[cfg(test)]
mod tests {
    use hashbrown::HashSet;

    use super::*;
    use crate::base::Prefix;
    use crate::load::rules;

    fn shape(seed: u64) -> Shape {
        Shape {
            prefixes: 4000,
            layout: Layout::Overlapping {
                paths_per_prefix: 1.7,
            },
            prefixes_per_attributes: Some(4.0),
            control_share: 0.3,
            tagging_clients: 0.0,
            prepends: true,
            unknown_share: 0.0,
            families: FamilySet::ALL,
            ipv6_share: 0.25,
            seed,
        }
    }

    fn make(shape: &Shape) -> Plan {
        let net = "127.77.0.0/16".parse().unwrap();
        let clients = (0..30)
            .map(|i| Client::new(i, net, "fd77::".parse().unwrap()))
            .collect();
        plan(shape, 64500, clients)
    }

    fn small(seed: u64) -> Plan {
        make(&shape(seed))
    }

    fn sets(plan: &Plan) -> impl Iterator<Item = Attributes> + '_ {
        (0..plan.sets.len() as u32).map(|set| plan.sets.attributes(set))
    }

    #[test]
    fn the_shape_is_the_one_asked_for() {
        let plan = small(1);
        assert_eq!(plan.prefixes.len(), 4000);
        let v6 = |prefix: &&Prefix| prefix.family() == Family::Ipv6;
        assert_eq!(plan.prefixes.iter().filter(v6).count(), 1000);
        let distinct: HashSet<&Prefix> = plan.prefixes.iter().collect();
        assert_eq!(distinct.len(), 4000);
        let routes = plan.route_count() as f64;
        assert!((1.5..1.9).contains(&(routes / 4000.0)), "{routes}");
        let per_set = routes / plan.sets.len() as f64;
        assert!((3.4..4.6).contains(&per_set), "{per_set}");
        let controlled = sets(&plan)
            .filter(|set| rules::has_controls(set, 64500))
            .count();
        assert!(
            (0.25..0.35).contains(&(controlled as f64 / plan.sets.len() as f64)),
            "{controlled}"
        );
    }

    #[test]
    fn the_first_asn_is_the_clients_and_no_client_has_a_prefix_twice() {
        for layout in [shape(2).layout, Layout::Full] {
            let plan = make(&Shape { layout, ..shape(2) });
            for (index, client) in plan.clients.iter().enumerate() {
                let mut prefixes = HashSet::new();
                for route in &client.routes {
                    let set = plan.sets.attributes(route.set);
                    assert_eq!(usize::from(plan.sets.client(route.set)), index);
                    assert_eq!(set.as_path[0].asns[0], client.asn);
                    assert_eq!(
                        set.next_hop,
                        client.next_hop(plan.prefixes[route.prefix as usize].family())
                    );
                    assert!(prefixes.insert(route.prefix));
                }
            }
        }
    }

    #[test]
    fn even_clients_share_no_prefix_and_have_as_many_each() {
        let shape = Shape {
            layout: Layout::Even,
            families: FamilySet::only(Family::Ipv4),
            prefixes: 30 * 50,
            prefixes_per_attributes: None,
            ..shape(5)
        };
        let cases = [(None, 1, 50), (Some(4.0), 13, 4)];
        for (prefixes_per_attributes, sets, first) in cases {
            let plan = make(&Shape {
                prefixes_per_attributes,
                ..shape.clone()
            });
            assert_eq!(plan.sets.len(), 30 * sets);
            let mut all = HashSet::new();
            for client in &plan.clients {
                assert_eq!(client.routes.len(), 50);
                let with_first = |route: &&Route| route.set == client.routes[0].set;
                assert_eq!(client.routes.iter().filter(with_first).count(), first);
                all.extend(client.routes.iter().map(|route| route.prefix));
            }
            assert_eq!(all.len(), 1500);
            assert!(plan.prefixes.iter().all(|prefix| prefix.len() == 24));
        }
    }

    #[test]
    fn full_tables_are_of_all_clients_with_paths_of_their_own() {
        let plan = make(&Shape {
            layout: Layout::Full,
            ..shape(6)
        });
        assert_eq!(plan.route_count(), 30 * 4000);
        assert_eq!(plan.sets.len(), 30 * 1000);
    }

    #[test]
    fn tags_change_nothing_else_of_a_table() {
        let plain = make(&Shape {
            control_share: 0.0,
            ..shape(7)
        });
        let tagged = make(&Shape {
            control_share: 0.2,
            tagging_clients: 0.36,
            ..shape(7)
        });
        assert_eq!(plain.prefixes, tagged.prefixes);
        assert_eq!(plain.sets.len(), tagged.sets.len());
        for (plain, mut tagged) in sets(&plain).zip(sets(&tagged)) {
            rules::strip(&mut tagged, 64500);
            assert_eq!(plain, tagged);
        }
        let routes = |plan: &Plan| -> Vec<Route> {
            let clients = plan.clients.iter();
            clients.flat_map(|client| client.routes.clone()).collect()
        };
        assert_eq!(routes(&plain), routes(&tagged));
    }

    #[test]
    fn a_tagging_client_says_the_same_of_all_its_sets() {
        let plan = make(&Shape {
            control_share: 0.0,
            tagging_clients: 0.4,
            ..shape(8)
        });
        let controls = |set: u32| {
            let set = plan.sets.attributes(set);
            let mut rest = set.clone();
            rules::strip(&mut rest, 64500);
            let communities = set.communities.iter();
            let standard = communities
                .filter(|c| !rest.communities.contains(c))
                .copied();
            let large = set
                .large
                .iter()
                .filter(|c| !rest.large.contains(c))
                .copied();
            (standard.collect::<Vec<_>>(), large.collect::<Vec<_>>())
        };
        let mut tagging = 0;
        for client in plan
            .clients
            .iter()
            .filter(|client| !client.routes.is_empty())
        {
            let first = controls(client.routes[0].set);
            let all = client.routes.iter();
            assert!(all.map(|route| controls(route.set)).all(|set| set == first));
            tagging += usize::from(first != (vec![], vec![]));
        }
        assert!((8..=12).contains(&tagging), "{tagging} of 30");
    }

    #[test]
    fn the_same_seed_gives_the_same_table() {
        let (a, b, other) = (small(3), small(3), small(4));
        assert_eq!(a.prefixes, b.prefixes);
        assert!(sets(&a).eq(sets(&b)));
        assert_ne!(a.prefixes, other.prefixes);
    }
}
