//! The oracle: a naive route server. It shares no code with the server, keeps every route in one
//! map, and works out each client's table anew, prefix by prefix, by elimination.
//!
//! Attributes are plain values with four-octet ASNs, whatever a client negotiated: compare what a
//! client heard after merging AS4_PATH, and with [`Attributes::joined`] on both sides. Sizes are
//! exact to a few dozen octets: keep sets away from 4,096 and 65,535.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// The client's slot; its path identifier is one more.
pub type ClientId = u16;
/// Address and length; host bits zero.
pub type Net = (IpAddr, u8);
/// By prefix and path identifier (0 without ADD-PATH).
pub type Table = BTreeMap<(Net, u32), Attributes>;

const AS_SET: u8 = 1;
const AS_SEQUENCE: u8 = 2;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// 0 IGP, 1 EGP, 2 INCOMPLETE.
    pub origin: u8,
    /// (segment type, ASNs).
    pub as_path: Vec<(u8, Vec<u32>)>,
    pub next_hop: IpAddr,
    pub link_local: Option<Ipv6Addr>,
    pub med: Option<u32>,
    pub communities: Vec<(u16, u16)>,
    pub large: Vec<(u32, u32, u32)>,
    pub extended: Vec<[u8; 8]>,
    /// All others: type code to (flags, value).
    pub other: BTreeMap<u8, (u8, Vec<u8>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Med {
    SameAs,
    Always,
    Ignore,
}

/// Of the whole server.
#[derive(Clone, Debug)]
pub struct Options {
    pub server_asn: u32,
    pub med: Med,
    /// `precedence = "large_first"`.
    pub large_first: bool,
    /// The same community under 77 is also "not to a peer", 3356:1:2 "to no one", and nothing
    /// prepends once to a peer.
    pub other_forms: bool,
    pub interpret_well_known: bool,
    /// Lowest first is what the action "block" keeps.
    pub block_order: fn(&Net) -> u64,
}

/// What is configured.
#[derive(Clone, Debug)]
pub struct Client {
    pub asn: u32,
    pub address: IpAddr,
    pub hide_own_as: bool,
    pub checks: Checks,
    /// `accepted_max` with the action "block": IPv4, IPv6.
    pub block: [Option<usize>; 2],
    /// `attributes.discard` and `attributes.treat_as_withdraw`, judged as a route is announced.
    pub discard: Vec<u8>,
    pub treat_as_withdraw: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub struct Checks {
    pub next_hops: Option<Vec<IpAddr>>,
    pub leftmost_as: bool,
    pub as_path_max: Option<usize>,
    /// The lengths of the preset "exchange".
    pub prefix_lengths: bool,
    pub bogon_prefixes: bool,
    pub bogon_asns: bool,
    pub own_as: bool,
    pub as_set: bool,
    pub transit_free: bool,
    pub communities_max: Option<usize>,
    pub quarantined: bool,
}

/// What was negotiated.
#[derive(Clone, Debug)]
pub struct Session {
    pub router_id: Ipv4Addr,
    /// IPv4, IPv6.
    pub families: [bool; 2],
    pub add_path: [bool; 2],
    /// It takes long messages.
    pub extended: bool,
    pub four_octet: bool,
}

pub struct Oracle {
    options: Options,
    clients: BTreeMap<ClientId, Client>,
    sessions: BTreeMap<ClientId, Session>,
    routes: BTreeMap<(Net, ClientId), Attributes>,
}

/// A route that one client may have, as it would go out.
struct Eligible<'a> {
    announcer: ClientId,
    heard: &'a Attributes,
    sent: Attributes,
}

impl Oracle {
    pub fn new(options: Options) -> Oracle {
        Oracle {
            options,
            clients: BTreeMap::new(),
            sessions: BTreeMap::new(),
            routes: BTreeMap::new(),
        }
    }

    /// A reload. `server_asn` cannot change.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// Adds a client or changes it.
    pub fn configure(&mut self, id: ClientId, client: Client) {
        self.clients.insert(id, client);
    }

    pub fn remove(&mut self, id: ClientId) {
        self.down(id);
        self.clients.remove(&id);
    }

    pub fn up(&mut self, id: ClientId, session: Session) {
        self.sessions.insert(id, session);
    }

    pub fn down(&mut self, id: ClientId) {
        self.sessions.remove(&id);
        self.routes.retain(|(_, announcer), _| *announcer != id);
    }

    pub fn announce(&mut self, id: ClientId, net: Net, mut heard: Attributes) {
        let client = &self.clients[&id];
        if client.treat_as_withdraw.iter().any(|code| heard.has(*code)) {
            return self.withdraw(id, net);
        }
        // LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST mean nothing from outside (RFC 7606 §7).
        for code in client.discard.iter().chain(&[5, 9, 10]) {
            heard.discard(*code);
        }
        self.routes.insert((net, id), heard);
    }

    pub fn withdraw(&mut self, id: ClientId, net: Net) {
        self.routes.remove(&(net, id));
    }

    /// Every route in the Adj-RIB-In with its verdict.
    pub fn verdicts(&self) -> impl Iterator<Item = (Net, ClientId, Result<(), &'static str>)> + '_ {
        self.routes
            .keys()
            .map(|&(net, id)| (net, id, self.verdict(id, &net)))
    }

    /// What this client is owed. Empty while its session is down.
    pub fn table_of(&self, id: ClientId) -> Table {
        self.table(id, &self.accepted())
    }

    /// What each client is owed whose session is up.
    pub fn tables(&self) -> BTreeMap<ClientId, Table> {
        let accepted = self.accepted();
        self.sessions
            .keys()
            .map(|id| (*id, self.table(*id, &accepted)))
            .collect()
    }

    fn accepted(&self) -> BTreeMap<Net, Vec<(ClientId, &Attributes)>> {
        let mut accepted: BTreeMap<Net, Vec<(ClientId, &Attributes)>> = BTreeMap::new();
        for (&(net, announcer), heard) in &self.routes {
            if self.verdict(announcer, &net).is_ok() {
                accepted.entry(net).or_default().push((announcer, heard));
            }
        }
        accepted
    }

    fn table(&self, id: ClientId, accepted: &BTreeMap<Net, Vec<(ClientId, &Attributes)>>) -> Table {
        let mut table = Table::new();
        let Some(session) = self.sessions.get(&id) else {
            return table;
        };
        for (net, paths) in accepted
            .iter()
            .filter(|(net, _)| session.families[family(net)])
        {
            let add_path = session.add_path[family(net)];
            let eligible: Vec<Eligible<'_>> = paths
                .iter()
                .filter_map(|(announcer, heard)| {
                    self.eligible(*announcer, heard, id, session, add_path)
                })
                .collect();
            if add_path {
                table.extend(
                    eligible
                        .into_iter()
                        .map(|path| ((*net, path.path_id()), path.sent.joined())),
                );
            } else if let Some(best) = self.best(eligible) {
                table.insert((*net, 0), best.sent.joined());
            }
        }
        table
    }

    /// The path as it would go to client `to`, if it may.
    fn eligible<'a>(
        &self,
        announcer: ClientId,
        heard: &'a Attributes,
        to: ClientId,
        session: &Session,
        add_path: bool,
    ) -> Option<Eligible<'a>> {
        let receiver = &self.clients[&to];
        let hidden = receiver.hide_own_as && heard.asns().any(|asn| asn == receiver.asn);
        if announcer == to || hidden {
            return None;
        }
        let prepends = self.prepends_if_wanted(receiver.asn, heard)?;
        let sent = self.outgoing(heard, &self.clients[&announcer], prepends);
        let message_max = if session.extended { 65_535 } else { 4_096 };
        let fits = sent.message_len(session.four_octet, add_path) <= message_max;
        fits.then_some(Eligible {
            announcer,
            heard,
            sent,
        })
    }

    /// RFC 4271 §9.1.2.2, each step eliminating what it says.
    fn best<'a>(&self, mut paths: Vec<Eligible<'a>>) -> Option<Eligible<'a>> {
        keep_lowest(&mut paths, |path| {
            path.heard.communities.contains(&(65_535, 0))
        });
        keep_lowest(&mut paths, |path| path.sent.as_path_len());
        keep_lowest(&mut paths, |path| path.sent.origin);
        let med = |path: &Eligible<'_>| path.heard.med.unwrap_or(0);
        match self.options.med {
            Med::Ignore => {}
            Med::Always => keep_lowest(&mut paths, med),
            Med::SameAs => {
                let all: Vec<_> = paths
                    .iter()
                    .map(|path| (path.heard.leftmost(), med(path)))
                    .collect();
                paths.retain(|path| {
                    !all.iter()
                        .any(|(asn, other)| *asn == path.heard.leftmost() && *other < med(path))
                });
            }
        }
        keep_lowest(&mut paths, |path| self.sessions[&path.announcer].router_id);
        keep_lowest(&mut paths, |path| self.clients[&path.announcer].address);
        assert!(paths.len() <= 1, "addresses differ");
        paths.pop()
    }

    /// The reject reason by its name, if there is one.
    pub fn verdict(&self, id: ClientId, net: &Net) -> Result<(), &'static str> {
        self.check(id, net)?;
        let Some(max) = self.clients[&id].block[family(net)] else {
            return Ok(());
        };
        let order = |net: &Net| (self.options.block_order)(net);
        let before = self.routes.keys().filter(|(other, announcer)| {
            *announcer == id
                && family(other) == family(net)
                && order(other) < order(net)
                && self.check(id, other).is_ok()
        });
        if before.count() < max {
            Ok(())
        } else {
            Err("accepted_limit")
        }
    }

    fn check(&self, id: ClientId, net: &Net) -> Result<(), &'static str> {
        let (client, heard) = (&self.clients[&id], &self.routes[&(*net, id)]);
        let checks = &client.checks;
        let is_transit_free_behind = |asn: u32| asn != client.asn && TRANSIT_FREE.contains(&asn);
        let next_hop_is_fine = |allowed: &Vec<IpAddr>| allowed.contains(&heard.next_hop);
        let failed = [
            (
                checks.leftmost_as && heard.asns().next().is_none(),
                "empty_as_path",
            ),
            (
                checks.leftmost_as && heard.leftmost() != Some(client.asn),
                "leftmost_as",
            ),
            (
                checks
                    .as_path_max
                    .is_some_and(|max| heard.as_path_len() > max),
                "as_path_too_long",
            ),
            (
                checks.own_as && heard.asns().any(|asn| asn == self.options.server_asn),
                "own_as",
            ),
            (
                checks.bogon_asns && heard.asns().any(is_bogon_asn),
                "bogon_asn",
            ),
            (
                checks.transit_free && heard.asns().any(is_transit_free_behind),
                "transit_free_asn",
            ),
            (checks.as_set && heard.has_as_set(), "as_set"),
            (
                !checks.next_hops.as_ref().is_none_or(next_hop_is_fine),
                "next_hop",
            ),
            (
                checks
                    .communities_max
                    .is_some_and(|max| heard.community_count() > max),
                "too_many_communities",
            ),
            (
                checks.bogon_prefixes && is_bogon_prefix(net),
                "bogon_prefix",
            ),
            (
                checks.prefix_lengths && net.1 < usual_lengths(net).0,
                "prefix_too_short",
            ),
            (
                checks.prefix_lengths && net.1 > usual_lengths(net).1,
                "prefix_too_long",
            ),
            (checks.quarantined, "quarantined"),
        ];
        failed
            .into_iter()
            .find(|(fails, _)| *fails)
            .map_or(Ok(()), |(_, reason)| Err(reason))
    }

    /// The contract's table: how many prepends a client of this ASN gets, or that it gets nothing.
    fn prepends_if_wanted(&self, peer: u32, heard: &Attributes) -> Option<usize> {
        let rs = self.options.server_asn;
        let standard = |high: u32, low: u32| {
            let is_it = |c: &(u16, u16)| u32::from(c.0) == high && u32::from(c.1) == low;
            heard.communities.iter().any(is_it)
        };
        let large = |function: u32, last: u32| heard.large.contains(&(rs, function, last));
        let well_known = |low: u16| heard.communities.contains(&(65_535, low));
        if self.options.interpret_well_known && [65_281, 65_282, 65_283].into_iter().any(well_known)
        {
            return None;
        }
        // (not to this peer, to this peer, to no one, to all)
        let s = [
            standard(0, peer),
            standard(rs, peer),
            standard(0, rs),
            standard(rs, rs),
        ];
        let other = self.options.other_forms;
        let l = [
            large(0, peer) || (other && large(77, peer)),
            large(1, peer),
            large(0, 0) || (other && heard.large.contains(&(3_356, 1, 2))),
            large(1, 0),
        ];
        let merged = [s[0] || l[0], s[1] || l[1], s[2] || l[2], s[3] || l[3]];
        let goes = match self.options.large_first {
            true => first_word(l).or(first_word(s)),
            false => first_word(merged),
        };
        let most = |least: u32, last: u32| {
            let counts = (least..=3).rev();
            counts.into_iter().find(|count| large(100 + count, last))
        };
        let least = if other { 2 } else { 1 };
        let prepends = most(least, peer).or(most(1, 0)).unwrap_or(0);
        goes.unwrap_or(true).then_some(prepends as usize)
    }

    /// Without control communities, without what is under the server's ASN beside them, and without
    /// a link-local next hop that is not configured where next hops are checked.
    fn outgoing(&self, heard: &Attributes, announcer: &Client, prepends: usize) -> Attributes {
        let rs = self.options.server_asn;
        let mut sent = heard.clone();
        sent.communities
            .retain(|(high, _)| *high != 0 && u32::from(*high) != rs);
        let other = self.options.other_forms;
        sent.large
            .retain(|whole| whole.0 != rs && !(other && *whole == (3_356, 1, 2)));
        if let Some(allowed) = &announcer.checks.next_hops {
            sent.link_local = sent
                .link_local
                .filter(|address| allowed.contains(&IpAddr::V6(*address)));
        }
        if prepends > 0 {
            sent.as_path
                .insert(0, (AS_SEQUENCE, vec![announcer.asn; prepends]));
        }
        sent
    }
}

/// "Not to a peer" beats "to a peer" beats "to no one" beats "to all".
fn first_word(said: [bool; 4]) -> Option<bool> {
    let [not_to_peer, to_peer, to_no_one, to_all] = said;
    match () {
        () if not_to_peer => Some(false),
        () if to_peer => Some(true),
        () if to_no_one => Some(false),
        () if to_all => Some(true),
        () => None,
    }
}

fn keep_lowest<'a, K: Ord>(paths: &mut Vec<Eligible<'a>>, key: impl Fn(&Eligible<'a>) -> K) {
    let lowest = paths.iter().map(&key).min();
    paths.retain(|path| Some(key(path)) == lowest);
}

impl Eligible<'_> {
    fn path_id(&self) -> u32 {
        u32::from(self.announcer) + 1
    }
}

impl Attributes {
    fn asns(&self) -> impl Iterator<Item = u32> + '_ {
        self.as_path
            .iter()
            .flat_map(|(_, asns)| asns.iter().copied())
    }

    /// Whether there is an attribute of this type.
    fn has(&self, code: u8) -> bool {
        match code {
            1..=3 => true,
            4 => self.med.is_some(),
            8 => !self.communities.is_empty(),
            16 => !self.extended.is_empty(),
            32 => !self.large.is_empty(),
            _ => self.other.contains_key(&code),
        }
    }

    fn discard(&mut self, code: u8) {
        match code {
            4 => self.med = None,
            8 => self.communities.clear(),
            16 => self.extended.clear(),
            32 => self.large.clear(),
            _ => drop(self.other.remove(&code)),
        }
    }

    fn has_as_set(&self) -> bool {
        self.as_path.iter().any(|(kind, _)| *kind == AS_SET)
    }

    fn community_count(&self) -> usize {
        self.communities.len() + self.extended.len() + self.large.len()
    }

    /// An AS_SET counts one.
    fn as_path_len(&self) -> usize {
        let len = |(kind, asns): &(u8, Vec<u32>)| match *kind {
            AS_SET => 1,
            AS_SEQUENCE => asns.len(),
            _ => 0,
        };
        self.as_path.iter().map(len).sum()
    }

    /// The neighbouring AS. Paths that have none count as from one and the same.
    fn leftmost(&self) -> Option<u32> {
        let (kind, asns) = self.as_path.first()?;
        if *kind == AS_SEQUENCE {
            asns.first().copied()
        } else {
            None
        }
    }

    /// Neighbouring AS_SEQUENCEs put together, however the wire split them.
    pub fn joined(mut self) -> Attributes {
        let mut path: Vec<(u8, Vec<u32>)> = Vec::new();
        for (kind, asns) in self.as_path {
            match path.last_mut() {
                Some((AS_SEQUENCE, last)) if kind == AS_SEQUENCE => last.extend(asns),
                _ => path.push((kind, asns)),
            }
        }
        self.as_path = path;
        self
    }

    /// Octets of the UPDATE that carries this and one longest prefix.
    fn message_len(&self, four_octet: bool, add_path: bool) -> usize {
        let attribute = |len: usize| len + if len > 255 { 4 } else { 3 };
        let some = |len: usize| if len > 0 { attribute(len) } else { 0 };
        let path = |width: usize| -> usize {
            self.clone()
                .joined()
                .as_path
                .iter()
                .map(|(_, asns)| 2 + width * asns.len())
                .sum()
        };
        let as4_path = !four_octet && self.asns().any(|asn| asn > 0xffff);
        let lens = [
            23, // header, lengths of withdrawn routes and of attributes
            attribute(1),
            attribute(path(if four_octet { 4 } else { 2 })),
            if as4_path { attribute(path(4)) } else { 0 },
            self.med.map_or(0, |_| attribute(4)),
            some(4 * self.communities.len()),
            some(8 * self.extended.len()),
            some(12 * self.large.len()),
            self.other
                .values()
                .map(|(_, value)| attribute(value.len()))
                .sum(),
            match (self.next_hop, self.link_local) {
                (IpAddr::V4(_), _) => attribute(4) + 5,
                (_, None) => 4 + 5 + 16 + 17,
                (_, Some(_)) => 4 + 5 + 32 + 17,
            },
            if add_path { 4 } else { 0 },
        ];
        lens.into_iter().sum()
    }
}

fn family(net: &Net) -> usize {
    if net.0.is_ipv4() { 0 } else { 1 }
}

/// Shortest and longest of the preset "exchange".
fn usual_lengths((address, _): &Net) -> (u8, u8) {
    if address.is_ipv4() { (8, 24) } else { (12, 48) }
}

fn is_bogon_asn(asn: u32) -> bool {
    matches!(asn, 0 | 23_456 | 64_496..=131_071 | 4_200_000_000..)
}

const TRANSIT_FREE: [u32; 14] = [
    174, 701, 1299, 2914, 3257, 3320, 3356, 5511, 6453, 6461, 6762, 6830, 7018, 12_956,
];

fn is_bogon_prefix((address, len): &Net) -> bool {
    static BLOCKS: LazyLock<Vec<Net>> =
        LazyLock::new(|| BOGONS.split_whitespace().map(parse).collect());
    let bits = |address: &IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let within = |(block, block_len): &Net| {
        block.is_ipv4() == address.is_ipv4()
            && len >= block_len
            && (bits(block) ^ bits(address)) >> (128 - block_len) == 0
    };
    *len == 0 || BLOCKS.iter().any(within)
}

fn parse(block: &str) -> Net {
    let (address, len) = block.split_once('/').unwrap();
    (address.parse().unwrap(), len.parse().unwrap())
}

const BOGONS: &str = "
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
    192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3
    ::/3 2001::/32 2001:2::/48 2001:3::/32 2001:10::/28 2001:20::/28 2001:db8::/32 2002::/16 3ffe::/16
    3fff::/20 4000::/2 8000::/1";
