//! The exchange of a simulation as plain values: its configuration as the server reads it, and as
//! the oracle does.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rialto::base::Prefix;
use rialto::config::{Inputs, Overrides, compile, from_text};
use rialto::server::exchange::{Exchange, FanoutLimits};

use super::codec::Hello;
use super::oracle::{self, Checks, Med, Net, Options, Oracle, Session, Table};
use super::speaker::State;
use super::world::World;

pub const SERVER_ASN: u32 = 64_500;

/// One member of the exchange: what the operator configured, and what its router says of itself.
#[derive(Clone, Debug)]
pub struct Member {
    pub asn: u32,
    pub address: IpAddr,
    /// Its address of the other family.
    pub other_address: IpAddr,
    pub families: [bool; 2],
    pub add_path: bool,
    pub hide_own_as: bool,
    pub is_lab: bool,
    /// Its link-local address is among its next hops.
    pub lists_link_local: bool,
    pub quarantined: bool,
    pub disabled: bool,
    /// `accepted_max` with the action "block".
    pub block: Option<usize>,
    /// `attributes.discard` and `attributes.treat_as_withdraw`.
    pub discard: Vec<u8>,
    pub treat_as_withdraw: Vec<u8>,
    pub hold_time_s: u16,
    pub extended: bool,
    /// What its router says.
    pub hello: Hello,
    /// Not configured at present.
    pub is_absent: bool,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub cores: u16,
    pub shards: u16,
    pub med: Med,
    pub large_first: bool,
    /// Some control communities have other forms than the contract's (see [`Options`]).
    pub other_forms: bool,
    pub interpret_well_known: bool,
    pub startup_wait: bool,
    pub fanout: FanoutLimits,
    /// Paths are much alike: MED and identifiers decide.
    pub is_close: bool,
    pub members: Vec<Member>,
}

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
    /// The next generation, compiled from a text as `rialto run` would.
    pub fn compile(&self, previous: Option<&Exchange>) -> Arc<Exchange> {
        let text = self.config_text();
        let config = from_text(Path::new("simulation.toml"), &text)
            .unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
        let mut exchange = compile(&config, &Overrides::default(), &Inputs::default(), previous);
        // Smaller than a file may say, so that few prefixes are enough to go over them.
        exchange.limits = self.fanout;
        Arc::new(exchange)
    }

    fn config_text(&self) -> String {
        let med = match self.med {
            Med::SameAs => "same_as",
            Med::Always => "always",
            Med::Ignore => "ignore",
        };
        let precedence = if self.large_first {
            "large_first"
        } else {
            "merged"
        };
        let forms = match self.other_forms {
            true => {
                "do_not_announce_to_peer = [\"0:peer_as\", \"rs_as:0:peer_as\", \"rs_as:77:peer_as\"]\n\
                 do_not_announce_to_any = [\"0:rs_as\", \"rs_as:0:0\", \"3356:1:2\"]\n\
                 prepend_once_to_peer = []\n"
            }
            false => "",
        };
        let mut text = format!(
            "[server]\nasn = {SERVER_ASN}\nrouter_id = \"10.77.255.254\"\nmed = \"{med}\"\n\
             [cores]\nsessions = {}\nshards = {}\n\
             [communities]\nprecedence = \"{precedence}\"\ninterpret_well_known = {}\n\
             {}[startup]\nwait = {}\n[defaults]\nidle_hold = 1\nidle_hold_max = 2\n",
            self.cores, self.shards, self.interpret_well_known, forms, self.startup_wait
        );
        for member in self.members.iter().filter(|member| !member.is_absent) {
            member.write_config(&mut text);
        }
        text
    }

    /// What everybody is owed now, worked out by the oracle from what the speakers announce.
    pub fn owed(&self, world: &World) -> BTreeMap<usize, Table> {
        let oracle = self.oracle(world);
        let slot = |index: usize| {
            world
                .exchange
                .client_at(self.members[index].address)
                .map(|client| client.slot.0)
        };
        let mut tables = oracle.tables();
        (0..self.members.len())
            .filter_map(|index| Some((index, tables.remove(&slot(index)?)?)))
            .collect()
    }

    fn oracle(&self, world: &World) -> Oracle {
        let mut oracle = Oracle::new(Options {
            server_asn: SERVER_ASN,
            med: self.med,
            large_first: self.large_first,
            other_forms: self.other_forms,
            interpret_well_known: self.interpret_well_known,
            block_order: |net| prefix_of(net).shard_hash(),
        });
        for (index, member) in self.members.iter().enumerate() {
            let Some(client) = world.exchange.client_at(member.address) else {
                continue;
            };
            oracle.configure(client.slot.0, member.oracle_client());
            let speaker = &world.clients[index].speaker;
            if speaker.state == State::Established {
                let session = Session {
                    router_id: speaker.hello.router_id,
                    families: speaker.agreed.families,
                    add_path: speaker.agreed.add_path,
                    extended: speaker.agreed.extended_in,
                    four_octet: speaker.agreed.four_octet,
                };
                oracle.up(client.slot.0, session);
                for (net, attributes) in &speaker.announced {
                    if speaker.agreed.families[super::codec::family_of(net)] {
                        oracle.announce(client.slot.0, *net, attributes.clone());
                    }
                }
            }
        }
        oracle
    }

    /// Whether the world is as the plan says and every client has exactly what it is owed.
    pub fn check(&self, world: &World) -> Result<(), String> {
        let owed = self.owed(world);
        for (index, member) in self.members.iter().enumerate() {
            let client = &world.clients[index];
            let is_due = client.is_on && !member.is_absent && !member.disabled;
            let is_up = client.speaker.state == State::Established;
            if is_due != is_up {
                return Err(format!(
                    "client {index} should be up: {is_due}; it is {:?}",
                    client.speaker.state
                ));
            }
            if !is_up {
                continue;
            }
            let agreed = client.speaker.agreed.families;
            if let Some(family) =
                (0..2).find(|family| agreed[*family] && !client.speaker.end_of_rib[*family])
            {
                return Err(format!(
                    "client {index} has no End-of-RIB of family {family}"
                ));
            }
            compare(&owed[&index], &client.speaker.table)
                .map_err(|difference| format!("client {index} (AS{}): {difference}", member.asn))?;
        }
        Ok(())
    }
}

fn compare(owed: &Table, has: &Table) -> Result<(), String> {
    if owed == has {
        return Ok(());
    }
    let keys: std::collections::BTreeSet<_> = owed.keys().chain(has.keys()).collect();
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

impl Member {
    fn write_config(&self, text: &mut String) {
        let names: Vec<&str> = ["\"ipv4\"", "\"ipv6\""]
            .into_iter()
            .zip(self.families)
            .filter(|(_, on)| *on)
            .map(|(name, _)| name)
            .collect();
        write!(
            text,
            "[[client]]\nasn = {}\naddress = \"{}\"\nnext_hops = [\"{}\"{}]\nfamilies = [{}]\nhold_time = {}\n\
             add_path = {}\nhide_own_as = {}\nextended_messages = {}\nquarantine = {}\ndisabled = {}\n\
             import = {{ preset = \"{}\" }}\n\
             attributes = {{ discard = {:?}, treat_as_withdraw = {:?} }}\n",
            self.asn,
            self.address,
            self.other_address,
            if self.lists_link_local {
                format!(", \"{}\"", self.link_local())
            } else {
                String::new()
            },
            names.join(", "),
            self.hold_time_s,
            self.add_path,
            self.hide_own_as,
            self.extended,
            self.quarantined,
            self.disabled,
            if self.is_lab { "lab" } else { "exchange" },
            self.discard,
            self.treat_as_withdraw,
        )
        .unwrap();
        if let Some(max) = self.block {
            let limit = format!("{{ accepted_max = {max}, accepted_action = \"block\" }}");
            writeln!(text, "limits = {{ ipv4 = {limit}, ipv6 = {limit} }}").unwrap();
        }
    }

    /// As its global IPv6 address ends.
    pub fn link_local(&self) -> Ipv6Addr {
        link_local_of([self.address, self.other_address])
    }

    fn oracle_client(&self) -> oracle::Client {
        let strict = !self.is_lab;
        let mut next_hops = vec![self.address, self.other_address];
        next_hops.extend(
            self.lists_link_local
                .then(|| IpAddr::from(self.link_local())),
        );
        oracle::Client {
            asn: self.asn,
            address: self.address,
            hide_own_as: self.hide_own_as,
            checks: Checks {
                next_hops: strict.then_some(next_hops),
                leftmost_as: strict,
                as_path_max: strict.then_some(32),
                prefix_lengths: strict,
                bogon_prefixes: strict,
                bogon_asns: strict,
                own_as: strict,
                as_set: strict,
                transit_free: strict,
                communities_max: strict.then_some(100),
                quarantined: self.quarantined,
            },
            block: [self.block; 2],
            discard: self.discard.clone(),
            treat_as_withdraw: self.treat_as_withdraw.clone(),
        }
    }
}

/// Limits of the fan-out at which a few hundred prefixes make slow readers.
pub fn tight_fanout(core_octets_max: usize, stalled_octets_max: usize) -> FanoutLimits {
    FanoutLimits {
        core_octets_max,
        stalled_octets_max,
        stall: Duration::from_millis(100),
        dead_prefixes_max: 50,
        dead_patience: Duration::from_millis(200),
        ..FanoutLimits::default()
    }
}
