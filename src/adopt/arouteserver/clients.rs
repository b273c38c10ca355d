//! `clients.yml`: a `[[client]]` for each address.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::adopt::SessionKey;
use crate::adopt::document::{Document, Table, Value};
use crate::adopt::notes::{NoteKind, Notes, Place};
use crate::adopt::section::{Field, Section};
use crate::base::Family;

use super::general::General;
use super::limits::MaxPrefix;
use super::options::{Options, Sections};
use super::prefixes;

/// The clients' paths in notes: the same is said once for all.
const PATH: &str = "clients[]";

/// The 16-bit ASNs that may stand for others: private ones (RFC 6996).
const MAPPED: std::ops::RangeInclusive<u64> = 64_512..=65_534;

struct Adopting<'a> {
    general: &'a General,
    keys_folder: Option<&'a str>,
    as_sets: HashMap<u64, Vec<String>>,
    addresses: HashMap<IpAddr, Place>,
    counts: HashMap<u64, usize>,
    aliases: Vec<Alias>,
    keys: Vec<SessionKey>,
    /// Whether a client's limit or the like needs `[irr]` or `[peeringdb]`.
    uses_irr: bool,
    asks_peering_db: bool,
}

/// A 16-bit number that stands for an ASN, and where that is said.
struct Alias {
    mapped: u64,
    asn: u64,
    place: Place,
}

/// What the addresses of an entry have in common.
struct Client<'a> {
    asn: u64,
    description: Option<&'a str>,
    password: Option<Field<'a>>,
    options: Options,
    max_prefix: MaxPrefix,
    irr: Vec<(&'static str, Value)>,
    black_list: Vec<(Value, Option<String>)>,
}

pub fn adopt(
    root: &Section<'_>,
    general: &General,
    keys_folder: Option<&str>,
    document: &mut Document,
) -> Vec<SessionKey> {
    let mut adopting = Adopting {
        general,
        keys_folder,
        as_sets: read_asns(root),
        addresses: HashMap::new(),
        counts: HashMap::new(),
        aliases: Vec::new(),
        keys: Vec::new(),
        uses_irr: false,
        asks_peering_db: general.max_prefix.asks_peering_db(),
    };
    let entries = root.field("clients").map(|clients| clients.list());
    for entry in entries.unwrap_or_default() {
        adopting.take(&entry, document);
    }
    adopting.finish(document, root.notes)
}

/// `asns`: AS-SETs of those that have none of their own.
fn read_asns(root: &Section<'_>) -> HashMap<u64, Vec<String>> {
    let mut all = HashMap::new();
    for (name, field) in root.child("asns").fields() {
        let asn = name.strip_prefix("AS").and_then(|asn| asn.parse().ok());
        let section = field.section();
        let as_sets = section.field("as_sets").map(|field| as_sets(&field));
        section.finish();
        match asn {
            Some(asn) => drop(all.insert(asn, as_sets.unwrap_or_default())),
            None => field.note(NoteKind::NotUnderstood, "must be named like AS64496"),
        }
    }
    all
}

impl Adopting<'_> {
    fn take(&mut self, entry: &Field<'_>, document: &mut Document) {
        if !entry.is_map() {
            entry.note(
                NoteKind::NotUnderstood,
                "a client has keys such as asn and ip",
            );
            return;
        }
        let section = entry.section_at(PATH);
        let addresses = section.field("ip").map(|ip| ip.list()).unwrap_or_default();
        let client = self.read(&section);
        let place = section.place.clone();
        let notes = section.notes;
        section.finish();
        let Some(client) = client.filter(|_| !addresses.is_empty()) else {
            notes.add(
                NoteKind::NotUnderstood,
                PATH,
                &place,
                "a client needs asn and ip",
            );
            return;
        };
        for address in addresses {
            self.add(&client, &address, document);
        }
    }

    fn read<'b>(&mut self, section: &Section<'b>) -> Option<Client<'b>> {
        let asn = section.number("asn");
        self.read_mapped(section, asn);
        let description = section.field("description").and_then(|field| field.text());
        let password = section.field("password");
        let sections = Sections::of(section.child("cfg"));
        let Sections { cfg, filtering, .. } = &sections;
        note_extras(cfg);
        let options = Options::read(&sections);
        let section = filtering.child("max_prefix");
        let max_prefix = MaxPrefix::read(&section, ["limit_ipv4", "limit_ipv6"]);
        max_prefix.note_client(&self.general.max_prefix, &section);
        section.finish();
        let irr = self.read_irr(&sections.irrdb, asn, &options);
        let black_list = filtering.field("black_list_pref");
        let black_list = black_list.map(|list| prefixes::rules(&list));
        sections.finish();
        Some(Client {
            asn: asn?,
            description,
            password,
            options,
            max_prefix,
            irr,
            black_list: black_list.unwrap_or_default(),
        })
    }

    /// `16bit_mapped_asn`.
    fn read_mapped(&mut self, section: &Section<'_>, asn: Option<u64>) {
        let Some(field) = section.field("16bit_mapped_asn") else {
            return;
        };
        let (Some(mapped), Some(asn)) = (field.number(), asn) else {
            return;
        };
        let mut aliases = self.aliases.iter();
        let differs = |other: &Alias| (other.mapped == mapped) != (other.asn == asn);
        if !MAPPED.contains(&mapped) || asn <= u16::MAX.into() || aliases.any(differs) {
            let why = "stands for one four-octet ASN, and is one of 64512 to 65534";
            field.note(NoteKind::NotUnderstood, why);
        } else if !self.aliases.iter().any(|alias| alias.mapped == mapped) {
            let place = field.place;
            self.aliases.push(Alias { mapped, asn, place });
        }
    }

    /// The client's AS-SETs, else those of its ASN; the ASN itself in any case.
    fn read_irr(
        &mut self,
        irrdb: &Section<'_>,
        asn: Option<u64>,
        options: &Options,
    ) -> Vec<(&'static str, Value)> {
        let own = irrdb.field("as_sets").map(|field| as_sets(&field));
        let own = own.filter(|own| !own.is_empty());
        let white_lists = [
            ("white_list_prefixes", "white_list_pref"),
            ("white_list_routes", "white_list_route"),
        ];
        let white_lists = white_lists.map(|(ours, theirs)| {
            let rules = irrdb.field(theirs).map(|field| match theirs {
                "white_list_route" => prefixes::routes(&field),
                _ => prefixes::rules(&field),
            });
            (ours, rules.unwrap_or_default())
        });
        let origins = irrdb.field("white_list_asn").map(|field| field.asns());
        let mut irr = Vec::new();
        if let Some(asn) = asn.filter(|_| self.general.uses_irr(options)) {
            let of_asn = || self.as_sets.get(&asn).cloned().unwrap_or_default();
            let mut as_sets = own.unwrap_or_else(of_asn);
            let itself = format!("AS{asn}");
            if !as_sets.contains(&itself) {
                as_sets.push(itself);
            }
            self.uses_irr = true;
            irr.push(("irr.as_sets", as_sets.into()));
        }
        for (key, rules) in white_lists {
            if !rules.is_empty() {
                let key = match key {
                    "white_list_prefixes" => "irr.white_list_prefixes",
                    _ => "irr.white_list_routes",
                };
                irr.push((key, Value::Lines(rules)));
            }
        }
        if let Some(origins) = origins.filter(|origins| !origins.is_empty()) {
            irr.push(("irr.white_list_origins", origins.into()));
        }
        irr
    }

    fn add(&mut self, client: &Client<'_>, field: &Field<'_>, document: &mut Document) {
        let Some(address) = field.address() else {
            return;
        };
        if let Some(first) = self.addresses.get(&address) {
            let why = format!("{address} is another client's ({first}): left out");
            field.note(NoteKind::NotUnderstood, why);
            return;
        }
        self.addresses.insert(address, field.place.clone());
        let count = self.counts.entry(client.asn).or_default();
        *count += 1;
        let name = format!("AS{}-{count}", client.asn);
        let general = self.general;
        self.asks_peering_db |= client
            .max_prefix
            .client_asks_peering_db(&general.max_prefix);
        let key = self.key(client, &name);
        document.add_client(client.table(address, key, general));
    }

    fn key(&mut self, client: &Client<'_>, name: &str) -> Option<String> {
        let password = client.password.as_ref()?;
        let Some(folder) = self.keys_folder else {
            let why = "keys are not written into the configuration: `rialto import … --keys \
                       FOLDER` makes a file of each";
            password.note(NoteKind::ToDo, why);
            return None;
        };
        let file = format!("{}/{name}", folder.trim_end_matches('/'));
        self.keys.push(SessionKey {
            file: file.clone(),
            key: password.scalar().unwrap_or_default().to_owned(),
        });
        Some(file)
    }

    /// What the clients need of the rest.
    fn finish(self, document: &mut Document, notes: &Notes) -> Vec<SessionKey> {
        let places = &self.general.places;
        if self.uses_irr {
            document.section("irr").set("directory", "irr");
            let why = "Rialto does not ask the IRR: have bgpq4 write a file of each AS-SET into \
                       irr.directory";
            notes.add(NoteKind::ToDo, "cfg.filtering.irrdb", &places.irrdb, why);
        }
        if self.asks_peering_db {
            let table = document.section("peeringdb");
            table.set_aside(
                "Write the file, and take the marks away: until then the general limits stand.",
            );
            let comment = "PeeringDB's \"net\" objects of the clients";
            table.set_said("file", "net.json", comment);
            self.general.max_prefix.write_increment(table);
            let why = "Rialto does not ask PeeringDB: put its \"net\" objects into a file, name it in \
                       [peeringdb], and take the marks of that section away; until then the general \
                       limits stand";
            let option = "cfg.filtering.max_prefix.peering_db";
            notes.add(NoteKind::ToDo, option, &places.max_prefix, why);
        }
        if self.general.communities.by_rtt {
            let table = document.section("rtt");
            table.set_aside(
                "Have the file written, and take the marks away: until then those communities leave \
                 everybody alone.",
            );
            let comment = "{\"192.0.2.1\": 5.3, …}, milliseconds by address";
            table.set_said("file", "rtt.json", comment);
            let why = "Rialto runs no rtt_getter: have it write a file, name that in [rtt], and take \
                       the marks of that section away; until then they leave everybody alone";
            let option = "cfg.communities.*_peers_with_rtt_*";
            notes.add(NoteKind::ToDo, option, &places.communities, why);
        }
        self.write_aliases(document, notes);
        self.keys
    }

    /// An ASN of a client cannot stand for another.
    fn write_aliases(&self, document: &mut Document, notes: &Notes) {
        let mut aliases = Vec::new();
        for Alias { mapped, asn, place } in &self.aliases {
            if self.counts.contains_key(mapped) {
                let why = format!("{mapped} is a client's own ASN: left out");
                let option = format!("{PATH}.16bit_mapped_asn");
                notes.add(NoteKind::NotUnderstood, &option, place, why);
            } else {
                aliases.push((mapped.to_string(), Value::from(*asn)));
            }
        }
        if !aliases.is_empty() {
            document
                .section("communities")
                .set("peer_as_aliases", Value::Inline(aliases));
        }
    }
}

impl Client<'_> {
    fn table(&self, address: IpAddr, key: Option<String>, general: &General) -> Table {
        let mut table = Table::default();
        if let Some(description) = self.description {
            table.comment(description);
        }
        table.set("asn", self.asn);
        table.set("address", address.to_string());
        table.set_some("password_file", key);
        let speaks_both =
            address.is_ipv6() && self.options.rfc8950.or(general.options.rfc8950) == Some(true);
        if speaks_both {
            table.set("families", vec!["ipv4", "ipv6"]);
            table.set("ipv6_next_hops", true);
        }
        let families: &[Family] = match (speaks_both, address.is_ipv4()) {
            (true, _) => &Family::ALL,
            (false, true) => &[Family::Ipv4],
            (false, false) => &[Family::Ipv6],
        };
        let next_hops = self.options.next_hops.iter();
        let next_hops = next_hops.filter(|next_hop| **next_hop != address);
        let next_hops = next_hops.map(IpAddr::to_string).collect::<Vec<_>>();
        table.set_some("next_hops", (!next_hops.is_empty()).then_some(next_hops));
        self.options.write_session(&general.options, &mut table);
        self.options.write_import("import.", &mut table);
        if !self.black_list.is_empty() {
            let rules = Value::Lines(self.black_list.clone());
            table.set("import.black_list_prefixes", rules);
        }
        for (key, value) in &self.irr {
            table.set(key, value.clone());
        }
        self.max_prefix
            .write_client(&general.max_prefix, families, &mut table);
        table
    }
}

fn note_extras(cfg: &Section<'_>) {
    if let Some(field) = cfg.field("attach_custom_communities") {
        field.note(NoteKind::Missing, "communities cannot be added by client");
    }
    if let Some(field) = cfg.field("custom_options") {
        field.note(
            NoteKind::Missing,
            "lines for BIRD or OpenBGPD mean nothing here",
        );
    }
}

/// Names such as `AS64496`, `AS-FOO`, `AS64496:AS-FOO`, `RIPE::AS-FOO`.
fn as_sets(list: &Field<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for item in list.list() {
        let Some(text) = item.text() else {
            continue;
        };
        match crate::adopt::as_set(text) {
            Some(name) => names.push(name),
            None => drop(item.refuse::<()>("the name of an AS-SET")),
        }
    }
    names
}
