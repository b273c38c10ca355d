//! What is well-formed, agrees with the rest, and does not do what it was written for.

use toml::de::{DeArray, DeValue};

use crate::base::{Asn, Family};
use crate::policy::RejectReason;

use super::model::{ClientConfig, Config};
use super::problem::{Place, Problems};
use super::reader::Reader;

/// One of `communities.peer_as_aliases`.
pub struct Alias {
    pub number: u16,
    pub asn: Asn,
    pub place: Place,
}

/// A number that is a client's own ASN would mean that client no more.
pub fn check_aliases(aliases: &[Alias], clients: &[ClientConfig], problems: &mut Problems) {
    let client_of = |asn: Asn| clients.iter().find(|client| client.asn == asn);
    for Alias { number, asn, place } in aliases {
        let key = format!("communities.peer_as_aliases.{number}");
        let own = client_of(Asn((*number).into())).filter(|client| client.asn != *asn);
        if let Some(client) = own {
            let what = format!(
                "{number} would stand for AS{asn}, and is the ASN of {}: no community could mean {0} any more",
                client.name
            );
            let remedy = format!("give AS{asn} another number");
            problems.error(place, &key, what, &remedy);
        } else if client_of(*asn).is_none() {
            // Members come and go.
            problems.warning(place, &key, format!("AS{asn} is no client"), "");
        }
    }
}

/// A key of `[defaults]` and `[[client]]` that does something under a condition only.
struct ForClients {
    way: &'static [&'static str],
    works: fn(&ClientConfig, &Config) -> bool,
    what: &'static str,
    remedy: &'static str,
}

const NO_EFFECT: &str = "has no effect";
const NO_RPKI: &str = "name caches or vrp_files in [rpki]";
const NO_IRR: &str = "say in irr what is registered: as_sets, prefixes or origins";

macro_rules! key {
    ($way:expr, $remedy:expr, $works:expr) => {
        key!($way, $remedy, $works, NO_EFFECT)
    };
    ($way:expr, $remedy:expr, $works:expr, $what:expr) => {
        ForClients {
            way: &$way,
            works: $works,
            what: $what,
            remedy: $remedy,
        }
    };
}

const FOR_CLIENTS: [ForClients; 18] = [
    key!(["import", "rpki_invalid"], NO_RPKI, has_rpki),
    key!(["import", "rpki_unknown"], NO_RPKI, has_rpki),
    key!(["import", "aspa_invalid"], NO_RPKI, has_rpki),
    key!(["irr", "rpki_roas_as_route_objects"], NO_RPKI, has_rpki),
    key!(["import", "irr_prefix"], NO_IRR, has_irr),
    key!(["import", "irr_origin"], NO_IRR, has_irr),
    key!(["irr", "rpki_roas_as_route_objects"], NO_IRR, has_irr),
    key!(["irr", "allow_longer_prefixes"], NO_IRR, has_irr),
    key!(["irr", "white_list_prefixes"], NO_IRR, has_irr),
    key!(["irr", "white_list_origins"], NO_IRR, has_irr),
    key!(["irr", "white_list_routes"], NO_IRR, has_irr),
    key!(
        ["import", "black_list"],
        "name prefixes in black_list of [lists]",
        |_, config| !config.lists.black_list.is_empty()
    ),
    key!(
        ["import", "own_prefixes"],
        "name the exchange's prefixes in lan of [server]",
        |_, config| !config.server.lan.is_empty()
    ),
    key!(
        ["import", "never_via_route_servers"],
        "name ASNs in never_via_route_servers_asns of [lists]",
        |_, config| !config.lists.never_via_route_servers_asns.is_empty()
    ),
    key!(
        ["import", "blackhole"],
        "say in [blackhole] what becomes of such routes",
        |_, config| config.blackhole.families != [false; 2]
    ),
    key!(
        ["import", "tag"],
        "give reject_cause of [communities] a form",
        |client, config| {
            let mut reasons = client.import.tag.iter();
            reasons.any(|reason| !config.scheme.reject_causes(*reason).is_empty())
        },
        "lets routes pass, and nothing says why"
    ),
    key!(
        ["ipv6_next_hops"],
        "it is about IPv4 prefixes: add \"ipv4\" to families",
        |client, _| client.families.contains(Family::Ipv4)
    ),
    key!(
        ["shutdown_message"],
        "set disabled = true too",
        |client, _| client.disabled.is_some()
    ),
];

fn has_rpki(_: &ClientConfig, config: &Config) -> bool {
    !config.rpki.is_empty()
}

fn has_irr(client: &ClientConfig, _: &Config) -> bool {
    !client.irr.sources.is_empty()
}

/// A key of a section, the same way.
type OfSection = ([&'static str; 2], fn(&Config) -> bool, &'static str);

const OF_SECTIONS: [OfSection; 8] = [
    (
        ["rpki", "expire_s"],
        |config| !config.rpki.caches.is_empty(),
        "it is about caches: name some",
    ),
    (
        ["rpki", "max_age_s"],
        |config| !config.rpki.vrp_files.is_empty(),
        "it is about vrp_files: name some",
    ),
    (
        ["blackhole", "next_hop_ipv4"],
        |config| config.blackhole.next_hops.v4.is_some(),
        "set ipv4 = \"rewrite_next_hop\"",
    ),
    (
        ["blackhole", "next_hop_ipv6"],
        |config| config.blackhole.next_hops.v6.is_some(),
        "set ipv6 = \"rewrite_next_hop\"",
    ),
    (
        ["blackhole", "add_no_export"],
        |config| config.blackhole.families != [false; 2],
        "set ipv4 or ipv6",
    ),
    (
        ["communities", "reject_numbers"],
        |config| {
            let mut reasons = RejectReason::ALL.into_iter();
            reasons.any(|reason| !config.scheme.reject_causes(reason).is_empty())
        },
        "give reject_cause a form",
    ),
    (
        ["startup", "quiet_ms"],
        |config| config.startup.wait,
        "set wait = true",
    ),
    (
        ["startup", "wait_max_s"],
        |config| config.startup.wait,
        "set wait = true",
    ),
];

/// Keys that are written, not by default, and do nothing. What stands with many clients is told once.
pub fn check_written(tops: &[Reader<'_>], config: &Config, problems: &mut Problems) {
    for ForClients {
        way,
        works,
        what,
        remedy,
    } in &FOR_CLIENTS
    {
        let key = way.join(".");
        let in_defaults: Vec<&str> = ["defaults"].iter().chain(*way).copied().collect();
        let works_for = |client: &ClientConfig| works(client, config);
        let is_idle = !config.clients.is_empty() && !config.clients.iter().any(works_for);
        let of_all = tops.iter().filter_map(|top| top.written(&in_defaults));
        let of_all = of_all.filter(|(_, value)| is_idle && is_on(value));
        if let Some((place, _)) = of_all.last() {
            problems.warning(
                &place,
                &format!("defaults.{key}"),
                (*what).to_owned(),
                remedy,
            );
        }
        let of_one = tops
            .iter()
            .flat_map(|top| top.written_in_each("client", way));
        let idle: Vec<Place> = of_one
            .filter(|(_, (_, value))| is_on(value))
            .filter(|(client, _)| {
                let mut clients = config.clients.iter();
                clients.any(|it| it.place == *client && !works_for(it))
            })
            .map(|(_, (place, _))| place)
            .collect();
        if let Some(first) = idle.first() {
            let others = match idle.len() - 1 {
                0 => String::new(),
                1 => ", as with another client".to_owned(),
                count => format!(", as with {count} other clients"),
            };
            problems.warning(
                first,
                &format!("client.{key}"),
                format!("{what}{others}"),
                remedy,
            );
        }
    }
    for (way, works, remedy) in OF_SECTIONS {
        let mut written = tops.iter().filter_map(|top| top.written(&way));
        if let Some((place, _)) = written.next().filter(|_| !works(config)) {
            problems.warning(&place, &way.join("."), NO_EFFECT.to_owned(), remedy);
        }
    }
}

fn is_on(value: &DeValue<'_>) -> bool {
    let is_empty = |items: &DeArray<'_>| items.is_empty();
    value.as_bool() != Some(false) && !value.as_array().is_some_and(is_empty)
}
