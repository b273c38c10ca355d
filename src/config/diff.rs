//! What a reload changes.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::Asn;
use crate::policy::BlackholeNextHops;
use crate::server::exchange::{Client, Exchange};

use super::import::NextHopMode;
use super::model::{ClientConfig, Config};
use super::problem::Place;

/// In words; one cause may concern a thousand clients.
const PROBLEMS_SHOWN: usize = 5;

/// The difference of two generations. Clients are named; those that are only renamed are changed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Difference {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<ClientChange>,
    /// Sections that concern all clients and changed.
    pub sections: Vec<String>,
    /// Sections that changed and take effect when the server starts again.
    pub at_next_start: Vec<String>,
    /// What of the new generation is not in force, each with its remedy.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub problems: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientChange {
    pub name: String,
    pub keys: Vec<String>,
}

impl Difference {
    pub fn is_empty(&self) -> bool {
        *self == Difference::default()
    }

    fn problem_lines(&self) -> impl Iterator<Item = String> {
        let shown = self.problems.iter().take(PROBLEMS_SHOWN);
        let unshown = self.problems.len().saturating_sub(PROBLEMS_SHOWN);
        shown.map(|what| format!("PROBLEM: {what}")).chain(
            (unshown > 0).then(|| format!("PROBLEM: {unshown} more like these; --json lists them")),
        )
    }

    /// Whether the data path has to know.
    pub fn concerns_data_path(&self) -> bool {
        !(self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self
                .sections
                .iter()
                .all(|name| MONITORING.contains(&name.as_str())))
    }
}

/// A key that changed and that a running server cannot take over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeedsRestart {
    pub key: &'static str,
    pub place: Place,
}

impl fmt::Display for NeedsRestart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line } = &self.place;
        write!(f, "{}:{line}: {} changed", file.display(), self.key)
    }
}

/// What a running server cannot take over.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<NeedsRestart> {
    let (a, b, places) = (&old.server, &new.server, &new.fixed);
    let changes = [
        ("server.asn", &places.asn, a.asn != b.asn),
        (
            "server.router_id",
            &places.router_id,
            a.router_id != b.router_id,
        ),
        ("server.listen", &places.listen, a.listen != b.listen),
        ("cores", &places.cores, old.cores != new.cores),
    ];
    let changed = changes.into_iter().filter(|(_, _, is_changed)| *is_changed);
    let needs_restart = |(key, place, _): (_, &Place, _)| NeedsRestart {
        key,
        place: place.clone(),
    };
    changed.map(needs_restart).collect()
}

pub fn difference(old: (&Config, &Exchange), new: (&Config, &Exchange)) -> Difference {
    let ((old_config, old), (new_config, new)) = (old, new);
    let absent_in =
        |exchange: &Exchange, client: &Client| exchange.client_at(client.address).is_none();
    let names = |of: &Exchange, absent_from: &Exchange| {
        let clients = of.clients().filter(|client| absent_in(absent_from, client));
        clients.map(|client| client.name.clone()).collect()
    };
    let sections = sections(old_config, new_config);
    let judges_anew = sections.iter().any(|section| JUDGING.contains(section));
    let clients = ClientChanges {
        old: by_address(old_config),
        new: by_address(new_config),
        old_next_hops: next_hops(old_config),
        new_next_hops: next_hops(new_config),
        judges_anew,
    };
    let changed = new.clients().filter_map(|client| {
        let keys = clients.keys(old.client_at(client.address)?, client);
        (!keys.is_empty()).then(|| ClientChange {
            name: client.name.clone(),
            keys,
        })
    });
    let drains = (
        "graceful shutdown",
        old.directory.is_draining() != new.directory.is_draining(),
    );
    Difference {
        added: names(new, old),
        removed: names(old, new),
        changed: changed.collect(),
        sections: (sections.into_iter())
            .chain(named(&[drains]))
            .map(str::to_owned)
            .collect(),
        at_next_start: owned(&[
            ("api", old_config.api != new_config.api),
            ("control", old_config.control != new_config.control),
            ("log", old_config.log != new_config.log),
            ("startup", old_config.startup != new_config.startup),
        ]),
        problems: Vec::new(),
    }
}

/// Sections that the routes of all clients are judged by.
const JUDGING: [&str; 5] = ["server.lan", "lists", "communities", "blackhole", "rpki"];

/// Sections that the management plane sees to alone.
const MONITORING: [&str; 2] = ["mrt", "bmp"];

/// Those that concern all clients and take effect at once.
fn sections(old: &Config, new: &Config) -> Vec<&'static str> {
    let (a, b) = (&old.server, &new.server);
    // The scheme knows the next hops of blackhole routes, which have a section of their own.
    let communities = |config: &Config| {
        let scheme = config.scheme.clone();
        scheme.with_blackhole_next_hops(BlackholeNextHops::default())
    };
    named(&[
        ("server.med", a.med != b.med),
        ("server.lan", a.lan != b.lan),
        ("lists", old.lists != new.lists),
        ("communities", communities(old) != communities(new)),
        ("blackhole", old.blackhole != new.blackhole),
        ("irr", old.irr != new.irr),
        ("rpki", old.rpki != new.rpki),
        ("fanout", old.fanout != new.fanout),
        ("looking_glass", old.looking_glass != new.looking_glass),
        ("mrt", old.mrt != new.mrt),
        ("bmp", old.bmp != new.bmp),
    ])
}

fn by_address(config: &Config) -> HashMap<IpAddr, &ClientConfig> {
    let clients = config.clients.iter();
    clients.map(|client| (client.address, client)).collect()
}

/// The addresses of all sessions of an ASN.
fn next_hops(config: &Config) -> HashMap<Asn, BTreeSet<IpAddr>> {
    let mut next_hops: HashMap<Asn, BTreeSet<IpAddr>> = HashMap::new();
    for client in &config.clients {
        let of_asn = next_hops.entry(client.asn).or_default();
        of_asn.extend(client.addresses());
    }
    next_hops
}

/// What a client is compared by.
struct ClientChanges<'a> {
    old: HashMap<IpAddr, &'a ClientConfig>,
    new: HashMap<IpAddr, &'a ClientConfig>,
    old_next_hops: HashMap<Asn, BTreeSet<IpAddr>>,
    new_next_hops: HashMap<Asn, BTreeSet<IpAddr>>,
    /// A section changed by which all routes are judged.
    judges_anew: bool,
}

impl ClientChanges<'_> {
    /// Its keys; data of its own from outside has no key.
    fn keys(&self, old: &Client, new: &Client) -> Vec<String> {
        let configs = self.old.get(&old.address).zip(self.new.get(&new.address));
        let mut keys = configs.map_or(Vec::new(), |(a, b)| {
            let mut keys = config_keys(a, b);
            let is_same_as = b.import.next_hop == NextHopMode::SameAs && !keys.contains(&"asn");
            let of_asn = (
                self.old_next_hops.get(&a.asn),
                self.new_next_hops.get(&b.asn),
            );
            if is_same_as && of_asn.0 != of_asn.1 && !keys.contains(&"next_hops") {
                keys.push("next_hops");
            }
            keys
        });
        keys.extend(named(&[
            ("disabled", old.disabled != new.disabled),
            ("quarantine", old.quarantined != new.quarantined),
        ]));
        let is_explained = self.judges_anew && old.import != new.import;
        if keys.is_empty() && old != new && !is_explained {
            keys.push("data from outside");
        }
        keys.into_iter().map(str::to_owned).collect()
    }
}

/// What the files say otherwise of a client than before.
fn config_keys(a: &ClientConfig, b: &ClientConfig) -> Vec<&'static str> {
    let (m, n) = (&a.matrix, &b.matrix);
    let mut keys = named(&[
        ("name", a.name != b.name),
        // By default it follows the name.
        (
            "session_name",
            a.session_name != b.session_name && a.name == b.name,
        ),
        ("asn", a.asn != b.asn),
        ("next_hops", a.next_hops != b.next_hops),
        ("port", a.port != b.port),
        ("families", a.families != b.families),
        ("hold_time", a.hold_time_s != b.hold_time_s),
        ("passive", a.passive != b.passive),
        ("add_path", a.add_path != b.add_path),
        ("hide_own_as", a.hide_own_as != b.hide_own_as),
        (
            "extended_messages",
            a.extended_messages != b.extended_messages,
        ),
        ("role", a.role != b.role),
        ("prepend_rs_as", a.prepend_rs_as != b.prepend_rs_as),
        ("ipv6_next_hops", a.ipv6_next_hops != b.ipv6_next_hops),
        ("rfc1997", a.obeys_well_known != b.obeys_well_known),
        ("blackhole", a.takes_blackholes != b.takes_blackholes),
        ("rtt_ms", a.rtt_us != b.rtt_us),
        (
            "min_advertisement_ms",
            a.min_advertisement != b.min_advertisement,
        ),
        ("announce_only_to", m.announce_only_to != n.announce_only_to),
        (
            "do_not_announce_to",
            m.do_not_announce_to != n.do_not_announce_to,
        ),
        (
            "receive_only_from",
            m.receive_only_from != n.receive_only_from,
        ),
        (
            "do_not_receive_from",
            m.do_not_receive_from != n.do_not_receive_from,
        ),
        ("connect_retry", a.connect_retry_s != b.connect_retry_s),
        ("idle_hold", a.idle_hold_s != b.idle_hold_s),
        ("idle_hold_max", a.idle_hold_max_s != b.idle_hold_max_s),
        ("send_hold_time", a.send_hold_time_s != b.send_hold_time_s),
        (
            "graceful_restart_s",
            a.graceful_restart_s != b.graceful_restart_s,
        ),
        (
            "graceful_restart_helper_s",
            a.graceful_restart_helper_s != b.graceful_restart_helper_s,
        ),
        ("llgr_ipv4_s", a.llgr_max_s[0] != b.llgr_max_s[0]),
        ("llgr_ipv6_s", a.llgr_max_s[1] != b.llgr_max_s[1]),
        ("password_file", a.password != b.password),
        ("ttl_security", a.ttl_security_hops != b.ttl_security_hops),
        (
            "congestion_control",
            a.congestion_control != b.congestion_control,
        ),
        ("import", a.import != b.import),
        ("irr", a.irr != b.irr),
        (
            "limits",
            a.limits != b.limits
                || a.limit_restart != b.limit_restart
                || a.attribute_octets_max != b.attribute_octets_max
                || a.updates_per_s != b.updates_per_s,
        ),
        (
            "attributes.discard",
            a.attributes.discard != b.attributes.discard,
        ),
        (
            "attributes.treat_as_withdraw",
            a.attributes.treat_as_withdraw != b.attributes.treat_as_withdraw,
        ),
    ]);
    let apart_from_unnamed = ClientConfig {
        place: b.place.clone(),
        disabled: b.disabled.clone(),
        quarantine: b.quarantine,
        ..a.clone()
    };
    if keys.is_empty() && apart_from_unnamed != *b {
        keys.push("other keys");
    }
    keys
}

fn named<'a>(changes: &[(&'a str, bool)]) -> Vec<&'a str> {
    changes
        .iter()
        .filter(|(_, changed)| *changed)
        .map(|(name, _)| *name)
        .collect()
}

fn owned(changes: &[(&str, bool)]) -> Vec<String> {
    named(changes).into_iter().map(str::to_owned).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changed");
        }
        let changed = self
            .changed
            .iter()
            .map(|change| format!("{} ({})", change.name, change.keys.join(", ")));
        let lines = [
            ("added", self.added.clone()),
            ("removed", self.removed.clone()),
            ("changed", changed.collect()),
            ("changed for everyone", self.sections.clone()),
            ("takes effect at the next start", self.at_next_start.clone()),
        ];
        let lines = lines.iter().filter(|(_, items)| !items.is_empty());
        let lines = lines
            .map(|(what, items)| format!("{what}: {}", items.join(", ")))
            .chain(self.problem_lines())
            .collect::<Vec<_>>();
        f.write_str(&lines.join("\n"))
    }
}
