//! The oracle: a naive route server. It shares no code with the server, keeps every route in one
//! map, and works out each client's table anew, prefix by prefix, by elimination.
//!
//! Attributes are plain values with four-octet ASNs, whatever a client negotiated: compare what a
//! client heard after merging AS4_PATH, and with [`Attributes::joined`] on both sides. Sizes are
//! exact to a few dozen octets: keep sets away from 4,096 and 65,535.
#![allow(dead_code)]

mod attributes;
mod checks;
mod communities;
mod export;
mod lists;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[allow(
    unused_imports,
    reason = "not everybody who shares this needs all of it"
)]
pub use {
    attributes::{AS_SEQUENCE, Attributes, OTC},
    checks::{Aspa, Checks, Irr, Judgement, Outside, Vrp},
    communities::{BLACKHOLE, Communities, Form, REASONS, extended},
    lists::{Lists, Net, Range, covers, family, shortened},
};

const LLGR_STALE: (u16, u16) = (65_535, 6);
const NO_LLGR: (u16, u16) = (65_535, 7);

/// The client's slot; its path identifier is one more.
pub type ClientId = u16;
/// By prefix and path identifier (0 without ADD-PATH).
pub type Table = BTreeMap<(Net, u32), Attributes>;

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
    pub communities: Communities,
    pub lists: Lists,
    pub outside: Outside,
    pub blackhole: Blackhole,
    /// The server is about to stop.
    pub is_draining: bool,
    /// Lowest first is what the action "block" keeps.
    pub block_order: fn(&Net) -> u64,
}

/// `[blackhole]`
#[derive(Clone, Debug)]
pub struct Blackhole {
    /// IPv4, IPv6.
    pub modes: [&'static str; 2],
    pub next_hops: (Option<Ipv4Addr>, Option<Ipv6Addr>),
    pub add_no_export: bool,
}

/// What is configured.
#[derive(Clone, Debug)]
pub struct Client {
    pub name: String,
    pub asn: u32,
    pub address: IpAddr,
    pub hide_own_as: bool,
    /// `rfc1997 = "obey"`
    pub obeys_rfc1997: bool,
    pub takes_blackholes: bool,
    pub rtt_us: Option<u32>,
    pub matrix: Matrix,
    /// RFC 9234.
    pub role: bool,
    pub prepend_rs_as: bool,
    pub checks: Checks,
    /// `accepted_max` with the action "block": IPv4, IPv6.
    pub block: [Option<usize>; 2],
    /// The action is "reject" instead.
    pub rejects_all: bool,
    /// It was told of LLGR: what it announces with LLGR_STALE is that (RFC 9494 §4.3).
    pub heeds_llgr: bool,
    /// `attributes.discard` and `attributes.treat_as_withdraw`, judged as a route is announced.
    pub discard: Vec<u8>,
    pub treat_as_withdraw: Vec<u8>,
}

/// Whose routes a client has, and who has its.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Matrix {
    pub announce_only_to: Option<Vec<Who>>,
    pub do_not_announce_to: Vec<Who>,
    pub receive_only_from: Option<Vec<Who>>,
    pub do_not_receive_from: Vec<Who>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// All its sessions.
    Asn(u32),
    Name(String),
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
    /// IPv4 prefixes may have IPv6 next hops (RFC 8950).
    pub v6_next_hops: bool,
    /// It announced LLGR (RFC 9494).
    pub takes_stale: bool,
}

pub struct Oracle {
    options: Options,
    clients: BTreeMap<ClientId, Client>,
    sessions: BTreeMap<ClientId, Session>,
    /// Router ids of those whose routes outlive their sessions.
    stale: BTreeMap<ClientId, Ipv4Addr>,
    routes: BTreeMap<(Net, ClientId), Attributes>,
    /// Those that outlived their session for long.
    long_lived: BTreeSet<(Net, ClientId)>,
    /// What had a say, and how often.
    tally: RefCell<BTreeMap<&'static str, u64>>,
}

/// A route that one client may have, as it would go out.
struct Eligible<'a> {
    announcer: ClientId,
    heard: &'a Attributes,
    sent: Attributes,
    is_long_lived: bool,
}

/// A route that import accepts.
struct Accepted {
    announcer: ClientId,
    heard: Attributes,
    /// Without what asks for something.
    stripped: Attributes,
    judgement: Judgement,
    requests: Vec<communities::Request>,
    is_long_lived: bool,
}

impl Options {
    pub fn new(server_asn: u32, block_order: fn(&Net) -> u64) -> Options {
        Options {
            server_asn,
            med: Med::SameAs,
            communities: Communities::new(server_asn),
            lists: Lists::default(),
            outside: Outside::default(),
            blackhole: Blackhole {
                modes: ["off"; 2],
                next_hops: (None, None),
                add_no_export: true,
            },
            is_draining: false,
            block_order,
        }
    }
}

impl Client {
    /// Without anything special.
    pub fn new(asn: u32, address: IpAddr) -> Client {
        Client {
            name: String::new(),
            asn,
            address,
            hide_own_as: false,
            obeys_rfc1997: false,
            takes_blackholes: true,
            rtt_us: None,
            matrix: Matrix::default(),
            role: false,
            prepend_rs_as: false,
            checks: Checks::default(),
            block: [None; 2],
            rejects_all: false,
            heeds_llgr: false,
            discard: Vec::new(),
            treat_as_withdraw: Vec::new(),
        }
    }
}

impl Oracle {
    pub fn new(options: Options) -> Oracle {
        Oracle {
            options,
            clients: BTreeMap::new(),
            sessions: BTreeMap::new(),
            stale: BTreeMap::new(),
            routes: BTreeMap::new(),
            long_lived: BTreeSet::new(),
            tally: RefCell::default(),
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

    /// What is announced for it is kept of a session that is over (RFC 4724 §4.2).
    pub fn keep(&mut self, id: ClientId, router_id: Ipv4Addr) {
        self.stale.insert(id, router_id);
    }

    /// One of them; those that say so are not kept for long.
    pub fn keep_route(&mut self, id: ClientId, net: Net, heard: Attributes, is_long_lived: bool) {
        if !is_long_lived {
            return self.announce(id, net, heard);
        }
        if heard.communities.contains(&NO_LLGR) {
            return self.note("NO_LLGR");
        }
        self.announce(id, net, heard);
        self.long_lived.insert((net, id));
    }

    fn is_long_lived(&self, id: ClientId, net: &Net, heard: &Attributes) -> bool {
        let is_said = self.clients[&id].heeds_llgr && heard.communities.contains(&LLGR_STALE);
        is_said || self.long_lived.contains(&(*net, id))
    }

    fn router_id(&self, id: ClientId) -> Ipv4Addr {
        match self.sessions.get(&id) {
            Some(session) => session.router_id,
            None => self.stale[&id],
        }
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

    /// What had a say in what was asked of it, and how often.
    pub fn tally(&self) -> BTreeMap<&'static str, u64> {
        self.tally.borrow().clone()
    }

    fn note(&self, what: &'static str) {
        *self.tally.borrow_mut().entry(what).or_default() += 1;
    }

    /// What import makes of every route in the Adj-RIB-In.
    pub fn judgements(&self) -> BTreeMap<(Net, ClientId), Judgement> {
        let judge = |(&(net, id), heard): (&(Net, ClientId), &Attributes)| {
            let heard = self.options.communities.scrubbed(heard);
            let judgement = checks::judge(&self.options, &self.clients[&id], &net, &heard);
            ((net, id), judgement)
        };
        let mut judgements: BTreeMap<_, _> = self.routes.iter().map(judge).collect();
        for id in self.clients.keys() {
            (0..2).for_each(|of| self.limit(*id, of, &mut judgements));
        }
        judgements
    }

    /// Over `accepted_max`, "block" keeps the first, and "reject" none.
    fn limit(
        &self,
        id: ClientId,
        of: usize,
        judgements: &mut BTreeMap<(Net, ClientId), Judgement>,
    ) {
        let client = &self.clients[&id];
        let Some(max) = client.block[of] else { return };
        let is_accepted = |((net, announcer), judgement): &(&(Net, ClientId), &mut Judgement)| {
            *announcer == id && family(net) == of && judgement.rejected.is_none()
        };
        let mut accepted: Vec<_> = judgements.iter_mut().filter(is_accepted).collect();
        if accepted.len() <= max {
            return;
        }
        accepted.sort_by_key(|((net, _), _)| (self.options.block_order)(net));
        let kept = if client.rejects_all { 0 } else { max };
        for (_, judgement) in &mut accepted[kept..] {
            judgement.rejected = Some("accepted_limit");
            self.note(if client.rejects_all {
                "action reject"
            } else {
                "action block"
            });
        }
    }

    /// Every route in the Adj-RIB-In with its verdict.
    pub fn verdicts(&self) -> impl Iterator<Item = (Net, ClientId, Result<(), &'static str>)> + '_ {
        let judgements = self.judgements().into_iter();
        judgements.map(|((net, id), judgement)| (net, id, judgement.rejected.map_or(Ok(()), Err)))
    }

    /// The reject reason by its name, if there is one.
    pub fn verdict(&self, id: ClientId, net: &Net) -> Result<(), &'static str> {
        let judgement = self.judgements().remove(&(*net, id));
        let judgement = judgement.expect("such a route was announced");
        judgement.rejected.map_or(Ok(()), Err)
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

    fn accepted(&self) -> BTreeMap<Net, Vec<Accepted>> {
        let mut accepted: BTreeMap<Net, Vec<Accepted>> = BTreeMap::new();
        for ((net, announcer), judgement) in self.judgements() {
            if judgement.rejected.is_none() {
                let heard = &self.routes[&(net, announcer)];
                let heard = self.options.communities.scrubbed(heard);
                accepted.entry(net).or_default().push(Accepted {
                    announcer,
                    stripped: self
                        .options
                        .communities
                        .stripped(&heard, self.options.blackhole.modes != ["off"; 2]),
                    judgement,
                    requests: self.options.communities.requests(&heard),
                    is_long_lived: self.is_long_lived(announcer, &net, &heard),
                    heard,
                });
            }
        }
        accepted
    }

    fn table(&self, id: ClientId, accepted: &BTreeMap<Net, Vec<Accepted>>) -> Table {
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
                .filter_map(|path| self.eligible(path, net, id, session))
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
        path: &'a Accepted,
        net: &Net,
        to: ClientId,
        session: &Session,
    ) -> Option<Eligible<'a>> {
        if path.announcer == to || !self.is_for(path, to) {
            return None;
        }
        let mut sent = self.outgoing(path, to);
        if path.is_long_lived {
            self.note("LLGR_STALE");
            if !session.takes_stale {
                self.note("kept back: LLGR_STALE");
                return None;
            }
            if !sent.communities.contains(&LLGR_STALE) {
                sent.communities.push(LLGR_STALE);
            }
        }
        if net.0.is_ipv4() && sent.next_hop.is_ipv6() {
            self.note("IPv6 next hop of an IPv4 prefix");
            if !session.v6_next_hops {
                self.note("kept back: IPv6 next hop");
                return None;
            }
        }
        let add_path = session.add_path[family(net)];
        let message_max = if session.extended { 65_535 } else { 4_096 };
        let fits = sent.message_len(session.four_octet, add_path) <= message_max;
        fits.then_some(Eligible {
            announcer: path.announcer,
            heard: &path.heard,
            sent,
            is_long_lived: path.is_long_lived,
        })
    }

    /// RFC 4271 §9.1.2.2, each step eliminating what it says.
    fn best<'a>(&self, mut paths: Vec<Eligible<'a>>) -> Option<Eligible<'a>> {
        keep_lowest(&mut paths, |path| path.is_long_lived);
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
        keep_lowest(&mut paths, |path| self.router_id(path.announcer));
        keep_lowest(&mut paths, |path| self.clients[&path.announcer].address);
        assert!(paths.len() <= 1, "addresses differ");
        paths.pop()
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
