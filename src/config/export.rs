//! `[communities]`, `[blackhole]`, and who is to have whose routes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::base::{Asn, ClientSet, ClientSlot};
use crate::policy::{
    BlackholeNextHops, ControlAction, InfoTag, Precedence, RejectNumbers, SchemeOptions,
};

use super::model::ClientConfig;
use super::problem::Problems;
use super::reader::{Entry, Reader};

/// `[communities]`, and whether RFC 1997 communities are obeyed where a client does not say.
pub fn communities(reader: &Reader<'_>) -> (SchemeOptions, bool) {
    let mut options = SchemeOptions::default();
    let form = |entry: &Entry<'_>| {
        let text = entry.value().as_str().map(str::to_owned);
        text.or_else(|| entry.expected("a form such as \"rs_as:0:peer_as\""))
    };
    for action in ControlAction::ALL {
        let forms = reader.list(action.name(), form);
        options.forms.extend(forms.map(|forms| (action, forms)));
    }
    for tag in InfoTag::ALL {
        let forms = reader.list(tag.name(), form);
        options.tags.extend(forms.map(|forms| (tag, forms)));
    }
    if let Some(forms) = reader.list("reject_cause", form) {
        options.reject_cause = forms;
    }
    let numbers = [
        ("ixp_manager", RejectNumbers::IxpManager),
        ("arouteserver", RejectNumbers::Arouteserver),
    ];
    options.reject_numbers = reader
        .one_of("reject_numbers", &numbers)
        .unwrap_or_default();
    if let Some(ms) = reader.list("rtt_thresholds_ms", |entry| entry.integer(1..=60_000u16)) {
        options.rtt_thresholds_ms = ms;
    }
    if let Some(table) = reader.table("peer_as_aliases") {
        options.peer_as_aliases = aliases(&table);
    }
    let precedences = [
        ("merged", Precedence::Merged),
        ("large_first", Precedence::LargeFirst),
    ];
    options.precedence = reader
        .one_of("precedence", &precedences)
        .unwrap_or_default();
    let obeys_well_known = reader.bool("interpret_well_known").unwrap_or_default();
    reader.tell_unknown();
    (options, obeys_well_known)
}

fn aliases(table: &Reader<'_>) -> BTreeMap<u16, Asn> {
    let mut aliases = BTreeMap::new();
    for (key, entry) in table.entries() {
        let asn = entry.integer(1..=u32::MAX).map(Asn);
        match (key.parse::<u16>(), asn) {
            (Ok(alias), Some(asn)) => {
                aliases.insert(alias, asn);
            }
            (Err(_), _) => entry.error(
                format!("'{key}' is no number of 16 bits"),
                "write 65001 = 4200000001",
            ),
            (_, None) => {}
        }
    }
    aliases
}

/// `[blackhole]`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blackhole {
    /// By [`crate::base::Family::index`]: whether such routes are accepted at all.
    pub families: [bool; 2],
    pub next_hops: BlackholeNextHops,
    pub add_no_export: bool,
}

impl Default for Blackhole {
    fn default() -> Blackhole {
        Blackhole {
            families: [false; 2],
            next_hops: BlackholeNextHops::default(),
            add_no_export: true,
        }
    }
}

impl Blackhole {
    pub fn read(reader: Option<Reader<'_>>) -> Blackhole {
        #[derive(Clone, Copy, PartialEq)]
        enum Mode {
            Off,
            Unchanged,
            Rewrite,
        }
        let Some(reader) = reader else {
            return Blackhole::default();
        };
        let modes = [
            ("off", Mode::Off),
            ("propagate_unchanged", Mode::Unchanged),
            ("rewrite_next_hop", Mode::Rewrite),
        ];
        let mode = |key| reader.one_of(key, &modes).unwrap_or(Mode::Off);
        let (ipv4, ipv6) = (mode("ipv4"), mode("ipv6"));
        let v4: Option<Ipv4Addr> = reader
            .entry("next_hop_ipv4")
            .and_then(|entry| entry.parsed("an IPv4 address"));
        let v6: Option<Ipv6Addr> = reader
            .entry("next_hop_ipv6")
            .and_then(|entry| entry.parsed("an IPv6 address"));
        for (mode, has_address, key) in [
            (ipv4, v4.is_some(), "next_hop_ipv4"),
            (ipv6, v6.is_some(), "next_hop_ipv6"),
        ] {
            if mode == Mode::Rewrite && !has_address {
                let remedy = "name the address whose traffic is dropped";
                reader.error_at(key, "is missing for rewrite_next_hop".to_owned(), remedy);
            }
        }
        let blackhole = Blackhole {
            families: [ipv4 != Mode::Off, ipv6 != Mode::Off],
            next_hops: BlackholeNextHops {
                v4: v4.filter(|_| ipv4 == Mode::Rewrite),
                v6: v6.filter(|_| ipv6 == Mode::Rewrite),
                is_on: ipv4 != Mode::Off || ipv6 != Mode::Off,
            },
            add_no_export: reader
                .bool("add_no_export")
                .unwrap_or(Blackhole::default().add_no_export),
        };
        reader.finish();
        blackhole
    }
}

/// Clients as a configuration names them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClientName {
    /// All sessions of it.
    Asn(Asn),
    Name(String),
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientName::Asn(asn) => write!(f, "AS{asn}"),
            ClientName::Name(name) => f.write_str(name),
        }
    }
}

/// Whose routes a client has, and who has its: the "peering matrix".
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Matrix {
    pub announce_only_to: Option<Vec<ClientName>>,
    pub do_not_announce_to: Vec<ClientName>,
    pub receive_only_from: Option<Vec<ClientName>>,
    pub do_not_receive_from: Vec<ClientName>,
}

#[derive(Debug, Default)]
pub struct MatrixOptions {
    announce_only_to: Option<Vec<ClientName>>,
    do_not_announce_to: Option<Vec<ClientName>>,
    receive_only_from: Option<Vec<ClientName>>,
    do_not_receive_from: Option<Vec<ClientName>>,
}

impl MatrixOptions {
    pub fn read(reader: &Reader<'_>) -> MatrixOptions {
        let list = |key| reader.list(key, client_name);
        MatrixOptions {
            announce_only_to: list("announce_only_to"),
            do_not_announce_to: list("do_not_announce_to"),
            receive_only_from: list("receive_only_from"),
            do_not_receive_from: list("do_not_receive_from"),
        }
    }

    pub fn resolve(&self, defaults: &MatrixOptions) -> Matrix {
        let list = |own: &Option<Vec<ClientName>>, inherited: &Option<Vec<ClientName>>| {
            own.as_ref().or(inherited.as_ref()).cloned()
        };
        Matrix {
            announce_only_to: list(&self.announce_only_to, &defaults.announce_only_to),
            do_not_announce_to: list(&self.do_not_announce_to, &defaults.do_not_announce_to)
                .unwrap_or_default(),
            receive_only_from: list(&self.receive_only_from, &defaults.receive_only_from),
            do_not_receive_from: list(&self.do_not_receive_from, &defaults.do_not_receive_from)
                .unwrap_or_default(),
        }
    }
}

fn client_name(entry: &Entry<'_>) -> Option<ClientName> {
    match entry.value().as_str() {
        Some(name) => Some(ClientName::Name(name.to_owned())),
        None if entry.value().is_integer() => entry
            .integer(1..=u32::MAX)
            .map(|asn| ClientName::Asn(Asn(asn))),
        None => entry.expected("an ASN or the name of a client"),
    }
}

/// By client, in the order of `clients`: who may have its routes, where that is not everybody.
pub fn receivers(clients: &[ClientConfig], slots: &[ClientSlot]) -> Vec<Option<ClientSet>> {
    let everyone: ClientSet = slots.iter().copied().collect();
    let mut named: HashMap<&str, ClientSet> = HashMap::new();
    let mut of_asn: HashMap<Asn, ClientSet> = HashMap::new();
    for (client, slot) in clients.iter().zip(slots) {
        named.entry(&client.name).or_default().insert(*slot);
        of_asn.entry(client.asn).or_default().insert(*slot);
    }
    let meant = |names: &[ClientName]| {
        let mut set = ClientSet::new();
        for name in names {
            let clients = match name {
                ClientName::Asn(asn) => of_asn.get(asn),
                ClientName::Name(name) => named.get(name.as_str()),
            };
            set.union_with(clients.unwrap_or(&ClientSet::new()));
        }
        set
    };
    let mut receivers: Vec<ClientSet> = clients
        .iter()
        .map(|client| {
            let only = client.matrix.announce_only_to.as_ref();
            let mut set = only.map_or_else(|| everyone.clone(), |names| meant(names));
            set.subtract(&meant(&client.matrix.do_not_announce_to));
            set
        })
        .collect();
    for (client, slot) in clients.iter().zip(slots) {
        let matrix = &client.matrix;
        if matrix.receive_only_from.is_none() && matrix.do_not_receive_from.is_empty() {
            continue;
        }
        let wanted = matrix.receive_only_from.as_ref().map(|names| meant(names));
        let unwanted = meant(&matrix.do_not_receive_from);
        for (set, announcer) in receivers.iter_mut().zip(slots) {
            let is_wanted = wanted
                .as_ref()
                .is_none_or(|wanted| wanted.contains(*announcer));
            if !is_wanted || unwanted.contains(*announcer) {
                set.remove(*slot);
            }
        }
    }
    let unless_all = |set: ClientSet| (set != everyone).then_some(set);
    receivers.into_iter().map(unless_all).collect()
}

/// Names of clients that are not there.
pub fn check_names(clients: &[ClientConfig], problems: &mut Problems) {
    let names: HashSet<&str> = clients.iter().map(|client| &*client.name).collect();
    let asns: HashSet<Asn> = clients.iter().map(|client| client.asn).collect();
    for client in clients {
        let Matrix {
            announce_only_to,
            do_not_announce_to,
            receive_only_from,
            do_not_receive_from,
        } = &client.matrix;
        let lists = [
            (
                "announce_only_to",
                announce_only_to.as_deref().unwrap_or(&[]),
            ),
            ("do_not_announce_to", do_not_announce_to),
            (
                "receive_only_from",
                receive_only_from.as_deref().unwrap_or(&[]),
            ),
            ("do_not_receive_from", do_not_receive_from),
        ];
        for (key, meant) in lists {
            for name in meant {
                let is_there = match name {
                    ClientName::Name(name) => names.contains(&**name),
                    ClientName::Asn(asn) => asns.contains(asn),
                };
                if is_there {
                    continue;
                }
                let what = format!("'{name}' is no client");
                let key = format!("client.{key}");
                match name {
                    ClientName::Name(_) => {
                        problems.error(&client.place, &key, what, "write the name it has here")
                    }
                    // Members come and go.
                    ClientName::Asn(_) => problems.warning(&client.place, &key, what, ""),
                }
            }
        }
    }
}
