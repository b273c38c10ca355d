//! What a reload changes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::server::exchange::{Client, Exchange};

use super::model::Config;
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
            && self.sections.is_empty())
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
    let names = |clients: Vec<&Client>| clients.iter().map(|client| client.name.clone()).collect();
    let absent_in =
        |exchange: &Exchange, client: &Client| exchange.client_at(client.address).is_none();
    let changed = new.clients().filter_map(|client| {
        let keys = client_change(old.client_at(client.address)?, client);
        (!keys.is_empty()).then(|| ClientChange {
            name: client.name.clone(),
            keys,
        })
    });
    Difference {
        added: names(
            new.clients()
                .map(AsRef::as_ref)
                .filter(|client| absent_in(old, client))
                .collect(),
        ),
        removed: names(
            old.clients()
                .map(AsRef::as_ref)
                .filter(|client| absent_in(new, client))
                .collect(),
        ),
        changed: changed.collect(),
        sections: owned(&[
            ("server.med", old.med != new.med),
            ("communities", old.scheme != new.scheme),
            (
                "hide_own_as",
                !is_same_directory(old, new) && same_clients(old, new),
            ),
            (
                "draining",
                old.directory.is_draining() != new.directory.is_draining(),
            ),
            ("fanout", old.limits != new.limits),
        ]),
        at_next_start: owned(&[
            ("api", old_config.api != new_config.api),
            ("control", old_config.control != new_config.control),
            ("log", old_config.log != new_config.log),
            ("startup", old_config.startup != new_config.startup),
        ]),
        problems: Vec::new(),
    }
}

/// Draining aside.
fn is_same_directory(old: &Exchange, new: &Exchange) -> bool {
    let (a, b) = (&old.directory, &new.directory);
    if a.is_draining() == b.is_draining() {
        return a == b;
    }
    let blackholes_stay = a.blackholes_stay();
    a.clone().with_server(blackholes_stay, b.is_draining()) == *b
}

fn same_clients(old: &Exchange, new: &Exchange) -> bool {
    let identity = |client: &std::sync::Arc<Client>| (client.slot, client.asn);
    old.clients().map(identity).eq(new.clients().map(identity))
}

fn client_change(old: &Client, new: &Client) -> Vec<String> {
    let (a, b) = (&old.session, &new.session);
    let mut keys = owned(&[
        ("name", old.name != new.name),
        ("asn", old.asn != new.asn),
        ("port", old.port != new.port),
        ("families", a.families != b.families),
        ("hold_time", a.hold_time_s != b.hold_time_s),
        ("passive", a.passive != b.passive),
        ("add_path", a.add_path_send != b.add_path_send),
        (
            "extended_messages",
            a.extended_messages != b.extended_messages,
        ),
        (
            "import",
            old.import != new.import && old.quarantined == new.quarantined,
        ),
        (
            "limits",
            old.limits != new.limits
                || old.limit_restart != new.limit_restart
                || old.attribute_octets_max != new.attribute_octets_max,
        ),
        ("attributes.discard", old.discard != new.discard),
        (
            "attributes.treat_as_withdraw",
            old.treat_as_withdraw != new.treat_as_withdraw,
        ),
        ("password_file", old.password != new.password),
        (
            "ttl_security",
            old.ttl_security_hops != new.ttl_security_hops,
        ),
        (
            "congestion_control",
            old.congestion_control != new.congestion_control,
        ),
        ("disabled", old.disabled != new.disabled),
        ("quarantine", old.quarantined != new.quarantined),
    ]);
    if keys.is_empty() && old != new {
        keys.push("timers".to_owned());
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
