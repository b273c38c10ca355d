//! The exchange of a simulation as plain values: its configuration as the server reads it, and as
//! the oracle does.

mod member;
mod text;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rialto::base::{Asn, Generation, Prefix};
use rialto::config::{Config, Inputs, IrrSources, Overrides, compile, from_text};
use rialto::policy::{Aspa, AspaSet, IrrSet, PrefixRange, Vrp, VrpSet};
use rialto::server::exchange::{Exchange, FanoutLimits, RejectionEnd, VrpChanges};

use super::codec::family_of;
use super::oracle::{
    self, Blackhole, Communities, Lists, Med, Net, Options, Oracle, Range, Session, Table,
};
use super::speaker::State;
use super::stale::Helper;
use super::tally::Tally;
use super::world::World;

pub use member::{Import, Member, Registration, SWITCHES};

pub const SERVER_ASN: u32 = 64_500;

pub const BLACKHOLE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 255, 66);
pub const BLACKHOLE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0x7f8, 0x77, 0, 0, 0, 0, 0x666);

#[derive(Clone, Debug)]
pub struct Plan {
    pub cores: u16,
    pub shards: u16,
    pub med: Med,
    pub communities: Communities,
    pub interpret_well_known: bool,
    pub startup_wait: bool,
    pub graceful_restart_s: u16,
    /// The server is a helper of its clients.
    pub helper: Helper,
    pub fanout: FanoutLimits,
    /// Paths are much alike: MED and identifiers decide.
    pub is_close: bool,
    pub lists: Lists,
    /// IPv4, IPv6.
    pub blackhole_modes: [&'static str; 2],
    pub blackhole_add_no_export: bool,
    /// There is a section `[rpki]`.
    pub has_rpki: bool,
    /// It is there since a reload, and nothing has come yet.
    pub is_rpki_new: bool,
    /// Prefixes and origins of the AS-SETs whose data has come.
    pub as_sets: BTreeMap<&'static str, (Vec<Range>, Vec<u32>)>,
    pub outside: oracle::Outside,
    /// The same as the server has it: one value for as long as it does not change.
    pub known: rialto::policy::Outside,
    /// What is said of new VRPs.
    pub vrp_news: VrpNews,
    pub is_draining: bool,
    /// Sessions are held back until the data for their checks has come.
    pub is_waiting: bool,
    pub members: Vec<Member>,
}

/// What a generation says of the difference of its VRPs from earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VrpNews {
    Difference,
    Nothing,
    /// The difference from a generation that is no more.
    Outdated,
}

/// By family: nothing is kept, or it is and may be long-lived.
pub type Kept = [Option<bool>; 2];

pub fn prefix_of(net: &Net) -> Prefix {
    match net.0 {
        IpAddr::V4(address) => Prefix::v4(address, net.1),
        IpAddr::V6(address) => Prefix::v6(address, net.1),
    }
}

/// Addresses of member `number` on the peering LAN.
pub fn addresses(number: usize) -> (IpAddr, IpAddr) {
    let number = number as u16 + 1;
    let [high, low] = number.to_be_bytes();
    (
        Ipv4Addr::new(10, 77, high + 1, low).into(),
        Ipv6Addr::new(0x2001, 0x7f8, 0x77, 0, 0, 0, 1, number).into(),
    )
}

pub fn link_local_of(addresses: [IpAddr; 2]) -> Ipv6Addr {
    let ends = addresses.iter().find_map(|address| match address {
        IpAddr::V6(address) => Some(address.segments()[7]),
        IpAddr::V4(_) => None,
    });
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, ends.expect("one of each family"))
}

impl Plan {
    /// Those that are configured at present.
    pub fn present(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| !member.is_absent)
    }

    /// The next generation, compiled from a text as `rialto run` would.
    pub fn compile(&self, previous: Option<&Exchange>) -> Arc<Exchange> {
        let text = self.config_text();
        let config = from_text(Path::new("simulation.toml"), &text)
            .unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
        let inputs = Inputs {
            irr: self.irr_sets(&config),
            outside: self.known.clone(),
            vrp_changes: previous.and_then(|previous| self.vrp_changes(previous)),
            is_draining: self.is_draining,
            is_waiting: self.is_waiting,
            irr_missing: self.missing_as_sets(),
            is_rpki_new: self.is_rpki_new,
        };
        let mut exchange = compile(&config, &Overrides::default(), &inputs, previous);
        // Smaller than a file may say, so that few prefixes are enough to go over them.
        exchange.limits = self.fanout;
        Arc::new(exchange)
    }

    /// VRPs that have come, or nothing any more.
    pub fn take_vrps(&mut self, vrps: Option<Vec<oracle::Vrp>>) {
        let vrp = |(net, max_len, asn): &oracle::Vrp| Vrp {
            prefix: prefix_of(net),
            max_len: *max_len,
            asn: Asn(*asn),
        };
        let set = |vrps: &Vec<_>| Arc::new(vrps.iter().map(vrp).collect::<VrpSet>());
        self.known.vrps = vrps.as_ref().map(set);
        self.is_rpki_new &= vrps.is_none();
        self.outside.vrps = vrps;
    }

    pub fn take_aspas(&mut self, aspas: Option<Vec<oracle::Aspa>>) {
        let aspa = |(customer, providers): &oracle::Aspa| Aspa {
            customer: Asn(*customer),
            providers: providers.iter().copied().map(Asn).collect(),
        };
        let set = |aspas: &Vec<_>| Arc::new(aspas.iter().map(aspa).collect::<AspaSet>());
        self.known.aspas = aspas.as_ref().map(set);
        self.outside.aspas = aspas;
    }

    fn vrp_changes(&self, previous: &Exchange) -> Option<VrpChanges> {
        let (old, new) = (previous.outside.vrps.as_ref()?, self.known.vrps.as_ref()?);
        if Arc::ptr_eq(old, new) || self.vrp_news == VrpNews::Nothing {
            return None;
        }
        let (since, older) = match self.vrp_news {
            VrpNews::Outdated => (Generation(previous.generation.0 - 1), new),
            VrpNews::Difference | VrpNews::Nothing => (previous.generation, old),
        };
        Some(VrpChanges {
            since,
            blocks: Arc::new(older.difference(new)),
        })
    }

    /// What a reload makes of `[rpki]`.
    pub fn set_rpki(&mut self, has_rpki: bool) {
        self.is_rpki_new |= has_rpki && !self.has_rpki;
        self.has_rpki = has_rpki;
    }

    /// Whether routes are validated, where a client's checks say so.
    fn validates(&self) -> bool {
        self.has_rpki && !self.is_rpki_new
    }

    fn missing_as_sets(&self) -> BTreeSet<String> {
        let sources = self.present().flat_map(|member| &member.irr.as_sets);
        let missing = sources.filter(|name| !self.as_sets.contains_key(*name));
        missing.map(|name| (*name).to_owned()).collect()
    }

    fn irr_sets(&self, config: &Config) -> HashMap<IrrSources, Arc<IrrSet>> {
        let sources = config.clients.iter().map(|client| &client.irr.sources);
        let set = |sources: &IrrSources| {
            let mut prefixes = sources.prefixes.clone();
            let mut origins = sources.origins.clone();
            let come = sources.as_sets.iter();
            let come = come.filter_map(|name| self.as_sets.get(name.as_str()));
            let come: Vec<_> = come.collect();
            if come.is_empty() && prefixes.is_empty() && origins.is_empty() {
                return None;
            }
            for (more_prefixes, more_origins) in come {
                let read = |range: &Range| range.to_string().parse::<PrefixRange>().unwrap();
                prefixes.extend(more_prefixes.iter().map(read));
                origins.extend(more_origins.iter().copied().map(Asn));
            }
            let set = IrrSet::new(prefixes.into_iter().collect(), origins);
            Some((sources.clone(), Arc::new(set)))
        };
        sources.filter_map(set).collect()
    }

    fn options(&self) -> Options {
        let [v4, v6] = self.blackhole_modes.map(|mode| mode == "rewrite_next_hop");
        Options {
            med: self.med,
            communities: self.communities.clone(),
            lists: self.lists.clone(),
            outside: self.outside.clone(),
            blackhole: Blackhole {
                modes: self.blackhole_modes,
                next_hops: (v4.then_some(BLACKHOLE_V4), v6.then_some(BLACKHOLE_V6)),
                add_no_export: self.blackhole_add_no_export,
            },
            is_draining: self.is_draining,
            ..Options::new(SERVER_ASN, |net| prefix_of(net).shard_hash())
        }
    }

    fn slot_of(&self, index: usize, world: &World) -> Option<u16> {
        let client = world.exchange.client_at(self.members[index].address);
        client.map(|client| client.slot.0)
    }

    /// Of which families the server keeps stale routes, by client, and whether they are long-lived; only of
    /// those who left some.
    pub fn stale(&self, world: &mut World) -> Result<BTreeMap<usize, Kept>, String> {
        let mut stale = BTreeMap::new();
        for core in 0..usize::from(self.cores) {
            for status in world.core_stats(core).clients {
                let kept = status.stale.map(|own| own.map(|own| own.is_long_lived));
                if kept == [None; 2] {
                    continue;
                }
                let client = world.exchange.client(status.slot).ok_or("it is there")?;
                let is_it = |member: &Member| member.address == client.address;
                let index = self.members.iter().position(is_it).ok_or("it is there")?;
                let left = world.clients[index].speaker.left.as_ref();
                let is_right = left.is_some_and(|left| {
                    (0..2).all(|family| {
                        let is_kept = left.families[family];
                        kept[family].is_none_or(|is_long_lived| {
                            is_kept && !left.is_over(world.now, family, is_long_lived)
                        })
                    })
                });
                if !is_right {
                    return Err(format!("client {index}: {kept:?} is kept of {left:?}"));
                }
                stale.insert(index, kept);
            }
        }
        Ok(stale)
    }

    fn oracle(&self, world: &World, stale: &BTreeMap<usize, Kept>) -> Oracle {
        let mut oracle = Oracle::new(self.options());
        for (index, member) in self.members.iter().enumerate() {
            let Some(slot) = self.slot_of(index, world) else {
                continue;
            };
            oracle.configure(slot, member.oracle_client(self));
            let speaker = &world.clients[index].speaker;
            if let (Some(kept), Some(left)) = (stale.get(&index), &speaker.left) {
                oracle.keep(slot, speaker.hello.router_id);
                for (net, attributes) in &left.routes {
                    if let Some(is_long_lived) = kept[family_of(net)] {
                        oracle.keep_route(slot, *net, attributes.clone(), is_long_lived);
                    }
                }
            }
            if speaker.state == State::Established {
                let agreed = &speaker.agreed;
                let session = Session {
                    router_id: speaker.hello.router_id,
                    families: agreed.families,
                    add_path: agreed.add_path,
                    extended: agreed.extended_in,
                    four_octet: agreed.four_octet,
                    v6_next_hops: agreed.v6_next_hops,
                    takes_stale: speaker.hello.takes_stale(),
                };
                oracle.up(slot, session);
                for (net, attributes) in &speaker.announced {
                    if agreed.families[family_of(net)] && agreed.can_carry(net, attributes) {
                        oracle.announce(slot, *net, attributes.clone());
                    }
                }
            }
        }
        oracle
    }

    /// Whether the world is as the plan says: the sessions that should be up are, shards judge every
    /// route as the oracle does, and every client has exactly what it is owed.
    pub fn check(&self, world: &mut World, tally: &mut Tally) -> Result<(), String> {
        self.check_sessions(world)?;
        let stale = self.stale(world)?;
        let oracle = self.oracle(world, &stale);
        let judgements = oracle.judgements();
        let stale: BTreeSet<u16> = (stale.keys())
            .filter_map(|index| self.slot_of(*index, world))
            .collect();
        let count = verdicts::compare(world, &judgements, &stale)?;
        *tally.entry("stale routes".to_owned()).or_default() += count;
        verdicts::tally(&judgements, tally);
        let mut tables = oracle.tables();
        for (what, count) in oracle.tally() {
            *tally.entry(what.to_owned()).or_default() += count;
        }
        for (index, member) in self.members.iter().enumerate() {
            let slot = self.slot_of(index, world);
            let Some(owed) = slot.and_then(|slot| tables.remove(&slot)) else {
                continue;
            };
            let owed: Table = (owed.into_iter())
                .map(|(key, attributes)| (key, attributes.sorted()))
                .collect();
            compare(&owed, &world.clients[index].speaker.table)
                .map_err(|difference| format!("client {index} (AS{}): {difference}", member.asn))?;
        }
        Ok(())
    }

    fn check_sessions(&self, world: &World) -> Result<(), String> {
        for (index, member) in self.members.iter().enumerate() {
            let client = &world.clients[index];
            let may_be_up = !member.is_absent && !member.disabled;
            let is_held = self.is_waiting && member.lacks_data(self);
            let is_due = client.is_on && may_be_up && !is_held;
            let is_up = client.speaker.state == State::Established;
            if is_due != is_up {
                return Err(format!(
                    "client {index} should be up: {is_due}; it is {:?}",
                    client.speaker.state
                ));
            }
            let agreed = client.speaker.agreed.families;
            let lacks = |family: &usize| agreed[*family] && !client.speaker.end_of_rib[*family];
            if let Some(family) = (0..2).find(lacks) {
                return Err(format!(
                    "client {index} has no End-of-RIB of family {family}"
                ));
            }
        }
        Ok(())
    }
}

fn compare(owed: &Table, has: &Table) -> Result<(), String> {
    if owed == has {
        return Ok(());
    }
    let keys: BTreeSet<_> = owed.keys().chain(has.keys()).collect();
    let wrong: Vec<_> = keys
        .into_iter()
        .filter(|key| owed.get(key) != has.get(key))
        .collect();
    let first = wrong[0];
    Err(format!(
        "{} of {} prefixes differ, first {}/{} path {}\n  owed {:?}\n  has  {:?}",
        wrong.len(),
        owed.len(),
        first.0.0,
        first.0.1,
        first.1,
        owed.get(first),
        has.get(first)
    ))
}

/// Every client's table, sorted by client, prefix and path: the same octets for the same state.
pub fn canonical_dump(world: &World) -> String {
    let mut text = String::new();
    for (index, client) in world.clients.iter().enumerate() {
        for ((net, path_id), attributes) in &client.speaker.table {
            writeln!(text, "{index} {}/{} {path_id} {attributes:?}", net.0, net.1).unwrap();
        }
    }
    text
}

/// So that at rest the verdict follows the count.
pub const AT_REST: RejectionEnd = RejectionEnd {
    calm_percent: 100,
    hold: Duration::from_millis(300),
};

/// Limits of the fan-out at which a few hundred prefixes make slow readers.
pub fn tight_fanout(core_octets_max: usize, stalled_octets_max: usize) -> FanoutLimits {
    FanoutLimits {
        core_octets_max,
        stalled_octets_max,
        stall: Duration::from_millis(100),
        dead_prefixes_max: 50,
        dead_patience: Duration::from_millis(200),
        rejection: AT_REST,
        ..FanoutLimits::default()
    }
}
