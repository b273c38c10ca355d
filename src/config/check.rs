//! What is wrong between the parts of a configuration, each of them well-formed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::base::{Asn, Family};
use crate::policy::RejectReason;
use crate::server::exchange::LimitAction;

use super::export;
use super::import::NextHopMode;
use super::irr;
use super::looking_glass;
use super::model::{ClientConfig, Config};
use super::monitoring;
use super::problem::{Place, Problems};

/// Slots are small numbers, and bitmaps over clients must stay short.
const CLIENTS_MAX: usize = 16_384;

/// What a TCP MD5 key costs a listening socket of Linux, in octets of `net.core.optmem_max`.
const MD5_KEY_OCTETS: usize = 144;

/// Where the configuration asks for a socket; the section, where it says nothing.
pub struct Asked {
    pub address: SocketAddr,
    pub place: Place,
}

/// Without `listen`, nothing is told that hangs on it.
pub fn check(config: &Config, listen: Option<&[Asked]>, api: &[Asked], problems: &mut Problems) {
    check_api(api, listen.unwrap_or_default(), problems);
    if let Some(listen) = listen {
        check_listen(listen, problems);
        check_reachable(config, problems);
    }
    check_unique(&config.clients, problems);
    looking_glass::check_names(&config.clients, problems);
    check_own_addresses(config, problems);
    check_next_hops(&config.clients, problems);
    check_spare_next_hops(&config.clients, problems);
    export::check_names(&config.clients, problems);
    irr::check_names(&config.clients, problems);
    monitoring::check(config, problems);
    check_limits(&config.clients, problems);
    check_bogon_asns(config, problems);
    for client in &config.clients {
        check_passive(client, problems);
    }
    check_md5_keys(config, problems);
    if let Some(client) = config.clients.get(CLIENTS_MAX) {
        let what = format!("there are {} clients", config.clients.len());
        problems.error(
            &client.place,
            "client",
            what,
            &format!("Rialto takes {CLIENTS_MAX}"),
        );
    }
}

/// Sessions of both families would be accepted on a socket of their own.
fn check_listen(listen: &[Asked], problems: &mut Problems) {
    for (index, asked) in listen.iter().enumerate() {
        let before = listen[..index].iter();
        let Some(first) = before
            .rev()
            .find(|first| is_taken(first.address, asked.address))
        else {
            continue;
        };
        let (what, remedy) = taken(asked, first);
        problems.error(&asked.place, "server.listen", what, remedy);
    }
}

/// The API's socket for `[::]` takes IPv4 as well, those for BGP do not.
fn check_api(api: &[Asked], listen: &[Asked], problems: &mut Problems) {
    for (index, asked) in api.iter().enumerate() {
        let is_dual = asked.address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let collides = |other: &&Asked| {
            is_taken(other.address, asked.address)
                || is_dual
                    && other.address.port() == asked.address.port()
                    && asked.address.port() != 0
        };
        if let Some(bgp) = listen.iter().find(collides) {
            let what = format!(
                "{} and the BGP address {} of server.listen ({}) cannot both be listened on",
                asked.address,
                bgp.address,
                shown(&bgp.place)
            );
            let remedy = "give the API another port, such as \"127.0.0.1:8179\"";
            problems.error(&asked.place, "api.listen", what, remedy);
        } else if let Some(first) = api[..index].iter().find(collides) {
            let (what, remedy) = taken(asked, first);
            problems.error(&asked.place, "api.listen", what, remedy);
        }
    }
}

fn taken(asked: &Asked, first: &Asked) -> (String, &'static str) {
    let Asked { address, .. } = asked;
    if *address == first.address {
        (
            format!("{address} is listed twice"),
            "leave one of them out",
        )
    } else {
        let what = format!("{address} and {} cannot both be listened on", first.address);
        (
            what,
            "the one with the wildcard serves both: leave the other out",
        )
    }
}

/// Whether the kernel refuses to listen on one after the other: it takes a port once for an address,
/// and for a wildcard with all addresses of its family.
fn is_taken(first: SocketAddr, second: SocketAddr) -> bool {
    let [a, b] = [first, second].map(|address| address.ip().to_canonical());
    let covers = a == b || a.is_unspecified() || b.is_unspecified();
    first.port() == second.port() && first.port() != 0 && a.is_ipv4() == b.is_ipv4() && covers
}

/// A passive client waits for a connection that nothing would take.
fn check_reachable(config: &Config, problems: &mut Problems) {
    for client in config.clients.iter().filter(|client| client.passive) {
        let listens = &config.server.listen;
        let is_ours = |listen: &SocketAddr| listen.is_ipv4() == client.address.is_ipv4();
        if listens.is_empty() || listens.iter().any(is_ours) {
            continue;
        }
        let (family, any) = match client.family() {
            Family::Ipv4 => ("IPv4", "0.0.0.0:179"),
            Family::Ipv6 => ("IPv6", "[::]:179"),
        };
        let what = format!(
            "{} can never connect: server.listen has no {family} address, and the client is passive",
            client.address
        );
        let remedy = format!(
            "add the server's {family} address (or \"{any}\") to server.listen, or set passive = false"
        );
        problems.warning(&client.place, "client.address", what, &remedy);
    }
}

fn check_unique(clients: &[ClientConfig], problems: &mut Problems) {
    let mut addresses: HashMap<IpAddr, &Place> = HashMap::new();
    let mut names: HashMap<&str, &Place> = HashMap::new();
    for client in clients {
        match addresses.entry(client.address) {
            Entry::Occupied(first) => {
                let what = format!(
                    "{} is the client at {} already",
                    client.address,
                    shown(first.get())
                );
                problems.error(
                    &client.place,
                    "client.address",
                    what,
                    "a client is known by its address",
                );
            }
            Entry::Vacant(vacant) => {
                vacant.insert(&client.place);
            }
        }
        match names.entry(&client.name) {
            Entry::Occupied(first) => {
                let what = format!(
                    "'{}' is the name of the client at {} already",
                    client.name,
                    shown(first.get())
                );
                problems.error(
                    &client.place,
                    "client.name",
                    what,
                    "give one of them another name",
                );
            }
            Entry::Vacant(vacant) => {
                vacant.insert(&client.place);
            }
        }
    }
}

fn shown(place: &Place) -> String {
    format!("{}:{}", place.file.display(), place.line)
}

fn check_own_addresses(config: &Config, problems: &mut Problems) {
    for client in &config.clients {
        if config
            .server
            .listen
            .iter()
            .any(|listen| listen.ip() == client.address)
        {
            let what = format!("{} is the server's own address", client.address);
            problems.error(&client.place, "client.address", what, "see [server] listen");
        }
        if client.asn == config.server.asn {
            let what = format!("AS{} is the server's own ASN", client.asn);
            problems.error(
                &client.place,
                "client.asn",
                what,
                "clients of a route server are external peers",
            );
        }
    }
}

/// A family whose next hops are checked needs an address that they may be.
fn check_next_hops(clients: &[ClientConfig], problems: &mut Problems) {
    let mut of_asn: HashMap<Asn, Vec<IpAddr>> = HashMap::new();
    for client in clients {
        of_asn
            .entry(client.asn)
            .or_default()
            .extend(client.addresses());
    }
    for client in clients {
        let allowed = match client.import.next_hop {
            NextHopMode::Off => continue,
            NextHopMode::Strict => client.addresses().collect::<Vec<_>>(),
            NextHopMode::SameAs => of_asn.get(&client.asn).cloned().unwrap_or_default(),
        };
        for family in client.families.iter() {
            // A link-local address stands beside another only. RFC 8950 lets IPv6 ones stand for IPv4.
            let is_global = |address: &IpAddr| match address {
                IpAddr::V4(_) => family == Family::Ipv4,
                IpAddr::V6(address) => {
                    (family == Family::Ipv6 || client.ipv6_next_hops)
                        && !address.is_unicast_link_local()
                }
            };
            if allowed.iter().any(is_global) {
                continue;
            }
            let what = format!(
                "next hops are checked, and no {family} address of {} is known",
                client.name
            );
            let remedy =
                format!("list its {family} address in next_hops, or set import.next_hop = \"off\"");
            problems.error(&client.place, "client.next_hops", what, &remedy);
        }
    }
}

/// A next hop of a family that the client does not have is that of no route.
fn check_spare_next_hops(clients: &[ClientConfig], problems: &mut Problems) {
    for client in clients {
        let of_same_as = |other: &&ClientConfig| {
            other.asn == client.asn && other.import.next_hop == NextHopMode::SameAs
        };
        let sessions = || clients.iter().filter(of_same_as).chain([client]);
        let is_of_use = |address: &IpAddr| match address {
            IpAddr::V4(_) => sessions().any(|session| session.families.contains(Family::Ipv4)),
            IpAddr::V6(_) => sessions()
                .any(|session| session.families.contains(Family::Ipv6) || session.ipv6_next_hops),
        };
        if let Some(spare) = client.next_hops.iter().find(|address| !is_of_use(address)) {
            let family = if spare.is_ipv4() {
                Family::Ipv4
            } else {
                Family::Ipv6
            };
            let what = format!("{spare} has no effect: {family} is not among its families");
            let remedy = format!("add \"{family}\" to families, or leave the address out");
            problems.warning(&client.place, "client.next_hops", what, &remedy);
        }
    }
}

/// What many clients inherit is told once: they may be hundreds.
fn check_limits(clients: &[ClientConfig], problems: &mut Problems) {
    for family in Family::ALL {
        let limits = |client: &ClientConfig| client.limits[family.index()];
        let out_of_reach = |client: &ClientConfig| {
            let limits = limits(client);
            let (accepted, received) = limits.accepted_max.zip(limits.received_max)?;
            (accepted > received).then_some((accepted, received))
        };
        let of = clients.iter().filter(|it| out_of_reach(it).is_some());
        let one = |client: &ClientConfig| {
            let (accepted, received) = out_of_reach(client).unwrap_or_default();
            format!("{accepted} can never be reached: received_max is {received}")
        };
        let many = |names: String| format!("can never be reached by {names}: received_max is less");
        let key = format!("client.limits.{family}.accepted_max");
        warn_once(of, &key, (one, many), "", problems);

        let has_no_effect = |client: &&ClientConfig| {
            let limits = limits(client);
            limits.accepted_max.is_none() && limits.accepted_action != LimitAction::Warn
        };
        let of = clients.iter().filter(has_no_effect);
        let one = |_: &ClientConfig| "has no effect".to_owned();
        let many = |names: String| format!("has no effect for {names}");
        let key = format!("client.limits.{family}.accepted_action");
        warn_once(of, &key, (one, many), "set accepted_max too", problems);
    }
}

/// Nothing that such a client announces can pass.
fn check_bogon_asns(config: &Config, problems: &mut Problems) {
    let is_bogon = |asn: Asn| config.lists.bogon_asns.iter().any(|it| it.contains(&asn));
    let is_rejected = |client: &&ClientConfig| {
        let import = &client.import;
        let rejects = import.bogon_asns && !import.tag.contains(&RejectReason::BogonAsn);
        rejects && is_bogon(client.asn) && client.asn != config.server.asn
    };
    let one = |client: &ClientConfig| {
        let asn = client.asn;
        format!("AS{asn} is a bogon: all routes of the client are rejected")
    };
    let many =
        |names: String| format!("those of {names} are bogons: all their routes are rejected");
    let remedy =
        "correct it, set import.bogon_asns = false, or leave it out of bogon_asns of [lists]";
    let of = config.clients.iter().filter(is_rejected);
    warn_once(of, "client.asn", (one, many), remedy, problems);
}

/// One warning, with the first of the clients for its place, and how many they are with some names.
fn warn_once<'a>(
    clients: impl Iterator<Item = &'a ClientConfig>,
    key: &str,
    (one, many): (
        impl FnOnce(&ClientConfig) -> String,
        impl FnOnce(String) -> String,
    ),
    remedy: &str,
    problems: &mut Problems,
) {
    const NAMES_MAX: usize = 3;
    let clients: Vec<&ClientConfig> = clients.collect();
    let Some(first) = clients.first() else { return };
    let what = match clients.len() {
        1 => one(first),
        count => {
            let names = clients.iter().take(NAMES_MAX);
            let names: Vec<&str> = names.map(|client| client.name.as_str()).collect();
            let and_others = if count > NAMES_MAX { ", …" } else { "" };
            many(format!(
                "{count} clients ({}{and_others})",
                names.join(", ")
            ))
        }
    };
    problems.warning(&first.place, key, what, remedy);
}

fn check_passive(client: &ClientConfig, problems: &mut Problems) {
    if client.passive && client.port != 179 {
        let what = "has no effect on a passive session".to_owned();
        problems.warning(
            &client.place,
            "client.port",
            what,
            "set passive = false to connect to the client",
        );
    }
}

/// The kernel charges the keys of all clients to each listening socket.
fn check_md5_keys(config: &Config, problems: &mut Problems) {
    let keyed = config
        .clients
        .iter()
        .filter(|client| client.password.is_some())
        .collect::<Vec<_>>();
    let Some(first) = keyed.first() else { return };
    let Ok(text) = std::fs::read_to_string("/proc/sys/net/core/optmem_max") else {
        return;
    };
    let Ok(optmem_max) = text.trim().parse::<usize>() else {
        return;
    };
    let needed = keyed.len() * MD5_KEY_OCTETS;
    if needed > optmem_max {
        let what = format!(
            "{} TCP MD5 keys need about {needed} octets, net.core.optmem_max is {optmem_max}",
            keyed.len()
        );
        let remedy = format!("sysctl -w net.core.optmem_max={}", needed * 2);
        problems.warning(&first.place, "client.password_file", what, &remedy);
    }
}
