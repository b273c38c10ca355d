//! The IX-F member export (Euro-IX JSON schema, versions 0.6, 0.7 and 1.0): a `[[client]]` for each
//! address that connects to the route servers.
//!
//! Owns what the export's keys come to. What the export does not say (what is checked, which
//! communities mean what) is left to Rialto's defaults.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value as Json;

use super::document::{Document, Table};
use super::notes::{NoteKind, Notes, Place, told};
use super::{AdoptError, Adopted};

use crate::base::{Family, Prefix};

/// What of an export is meant.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub ixp: Option<u64>,
    pub vlan: Option<u64>,
    pub server_asn: Option<u32>,
    pub router_id: Option<Ipv4Addr>,
    /// Also addresses of which it is not said that they connect to the route servers.
    pub all: bool,
}

const VERSIONS: [&str; 3] = ["0.6", "0.7", "1.0"];

/// States of a connection that is up.
const UP: [&str; 5] = ["active", "connected", "up", "operational", "production"];

/// A name has at most 64 octets; room for what makes it unique.
const NAME_LEN_MAX: usize = 48;

/// An address of a member, with what is said of it.
struct Attachment<'a> {
    path: String,
    member: &'a Json,
    asn: u32,
    vlan: Option<u64>,
    state: &'a str,
    family: Family,
    details: &'a Json,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Client,
    RouteServer,
    /// A collector, or another thing of the exchange's own.
    Other,
}

/// `file` is only shown.
pub fn adopt(file: &str, text: &str, choice: &Choice) -> Result<Adopted, AdoptError> {
    let export: Json = serde_json::from_str(text).map_err(|error| AdoptError::Json {
        file: file.to_owned(),
        error,
    })?;
    let place = Place {
        file: file.into(),
        line: None,
    };
    let reading = Reading {
        notes: Notes::default(),
        place,
        choice,
        export: &export,
    };
    reading.adopt()
}

struct Reading<'a> {
    notes: Notes,
    place: Place,
    choice: &'a Choice,
    export: &'a Json,
}

impl<'a> Reading<'a> {
    fn adopt(self) -> Result<Adopted, AdoptError> {
        self.check_version()?;
        let all = self.attachments();
        let (clients, servers) = self.choose(&all)?;
        let mut document = Document::default();
        self.write_server(&servers, &clients, &mut document);
        document.section("irr").set("directory", "irr");
        let why = "Rialto does not ask the IRR: have bgpq4 write a file of each AS-SET into \
                   irr.directory";
        self.note(NoteKind::ToDo, "as_macro", why);
        let mut writing = Writing {
            reading: &self,
            names: BTreeSet::new(),
            addresses: HashMap::new(),
        };
        for client in &clients {
            if let Some(table) = writing.table(client) {
                document.add_client(table);
            }
        }
        let client_count = document.client_count();
        let notes = self.notes.finish();
        let heading = format!(
            "# Made by `rialto import ixf` of {}, which says who the clients are. What is checked and\n\
             # what communities mean are Rialto's defaults: rialto check --reference.\n#\n",
            self.place
        );
        Ok(Adopted {
            text: heading + &told(&notes, "# ") + "\n" + &document.text(),
            notes,
            client_count,
            keys: Vec::new(),
        })
    }

    fn note(&self, kind: NoteKind, option: &str, why: impl Into<String>) {
        self.notes.add(kind, option, &self.place, why);
    }

    fn useless<T>(&self, what: String, remedy: &str) -> Result<T, AdoptError> {
        Err(AdoptError::Useless {
            place: self.place.clone(),
            what,
            remedy: remedy.to_owned(),
        })
    }

    fn check_version(&self) -> Result<(), AdoptError> {
        if !self.export["member_list"].is_array() {
            let remedy = "the export is a JSON object with version, ixp_list and member_list";
            return self.useless("there is no \"member_list\" in it".to_owned(), remedy);
        }
        let version = self.export["version"].as_str().unwrap_or_default();
        if !VERSIONS.contains(&version) {
            let why = format!(
                "\"{version}\" is not one of {}, which are known: look twice",
                VERSIONS.join(", ")
            );
            self.note(NoteKind::NotUnderstood, "version", why);
        }
        Ok(())
    }

    /// All addresses of all members at the chosen exchange.
    fn attachments(&self) -> Vec<Attachment<'a>> {
        let mut all = Vec::new();
        for (index, member) in items(&self.export["member_list"]).enumerate() {
            let path = format!("member_list[{index}]");
            let Some(asn) = number(&member["asnum"]).and_then(|asn| u32::try_from(asn).ok()) else {
                self.note(NoteKind::NotUnderstood, &path, "it has no asnum");
                continue;
            };
            for (index, connection) in items(&member["connection_list"]).enumerate() {
                let ixp = number(&connection["ixp_id"]);
                if self.choice.ixp.is_some_and(|chosen| ixp != Some(chosen)) {
                    continue;
                }
                let state = connection["state"].as_str().unwrap_or_default();
                let path = format!("{path}.connection_list[{index}]");
                for (path, vlan) in vlans(connection, &path) {
                    for (family, key) in [(Family::Ipv4, "ipv4"), (Family::Ipv6, "ipv6")] {
                        if !vlan[key].is_object() {
                            continue;
                        }
                        all.push(Attachment {
                            path: format!("{path}.{key}"),
                            member,
                            asn,
                            vlan: number(&vlan["vlan_id"]),
                            state,
                            family,
                            details: &vlan[key],
                        });
                    }
                }
            }
        }
        all
    }

    /// The clients, and the exchange's own route servers.
    fn choose<'b>(
        &self,
        all: &'b [Attachment<'a>],
    ) -> Result<(Vec<&'b Attachment<'a>>, Vec<&'b Attachment<'a>>), AdoptError> {
        let chosen = |it: &&Attachment<'_>| {
            self.choice
                .vlan
                .is_none_or(|chosen| it.vlan == Some(chosen))
        };
        let here = all.iter().filter(chosen).collect::<Vec<_>>();
        let of = |role: Role| here.iter().copied().filter(move |it| it.role() == role);
        let is_client = |it: &&Attachment<'_>| {
            self.choice.all || it.details["routeserver"].as_bool() == Some(true)
        };
        let clients = of(Role::Client).filter(is_client).collect::<Vec<_>>();
        if clients.is_empty() {
            return self.nobody(of(Role::Client).count());
        }
        let vlans = clients.iter().map(|it| it.vlan).collect::<BTreeSet<_>>();
        if vlans.len() > 1 {
            let what = format!(
                "there are clients in several VLANs: {}",
                self.vlan_names(self.choice.ixp, &vlans)
            );
            return self.useless(what, "choose one with --vlan");
        }
        Ok((clients, of(Role::RouteServer).collect()))
    }

    /// There are no clients among so many addresses; says where else to look.
    fn nobody<T>(&self, count: usize) -> Result<T, AdoptError> {
        let chosen = [("IXP", self.choice.ixp), ("VLAN", self.choice.vlan)];
        let chosen = chosen
            .iter()
            .filter_map(|(what, id)| Some(format!("{what} {}", (*id)?)));
        let chosen = chosen.collect::<Vec<_>>().join(", ");
        let what = match (count, chosen.as_str()) {
            (0, "") => "there are no addresses of members in it".to_owned(),
            (0, chosen) => format!("there are no addresses of members in {chosen}"),
            (_, "") => format!("of {count} addresses none is said to connect to the route servers"),
            (_, chosen) => format!(
                "of {count} addresses in {chosen} none is said to connect to the route servers"
            ),
        };
        let all = if count > 0 {
            "--all takes them too; "
        } else {
            ""
        };
        let remedy = match self.lans().as_str() {
            "" => format!("{all}--ixp and --vlan choose, and it lists neither"),
            lans => format!("{all}--ixp and --vlan choose one of {lans}"),
        };
        self.useless(what, &remedy)
    }

    /// All IXPs, each with its VLANs.
    fn lans(&self) -> String {
        let mut lans: BTreeMap<Option<u64>, BTreeSet<Option<u64>>> = BTreeMap::new();
        let mut names = BTreeMap::new();
        for ixp in items(&self.export["ixp_list"]) {
            let id = number(&ixp["ixp_id"]);
            names.insert(id, ixp["shortname"].as_str().unwrap_or_default());
            let vlans = items(&ixp["vlan"]).map(|vlan| number(&vlan["id"]));
            lans.entry(id).or_default().extend(vlans);
        }
        for member in items(&self.export["member_list"]) {
            for connection in items(&member["connection_list"]) {
                let vlans = vlans(connection, "");
                let vlans = vlans.iter().map(|(_, vlan)| number(&vlan["vlan_id"]));
                lans.entry(number(&connection["ixp_id"]))
                    .or_default()
                    .extend(vlans);
            }
        }
        let shown = lans.iter().map(|(id, vlans)| {
            let vlans = self.vlan_names(*id, vlans);
            format!("IXP {}: VLANs {vlans}", named(*id, names.get(id)))
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    fn vlan_names(&self, ixp: Option<u64>, vlans: &BTreeSet<Option<u64>>) -> String {
        let mut names = BTreeMap::new();
        let is_meant = |other: &&Json| ixp.is_none() || number(&other["ixp_id"]) == ixp;
        for ixp in items(&self.export["ixp_list"]).filter(is_meant) {
            for vlan in items(&ixp["vlan"]) {
                let name = vlan["name"].as_str().unwrap_or_default();
                names.insert(number(&vlan["id"]), name);
            }
        }
        let shown = vlans.iter().map(|id| named(*id, names.get(id)));
        shown.collect::<Vec<_>>().join(", ")
    }

    fn write_server(
        &self,
        servers: &[&Attachment<'_>],
        clients: &[&Attachment<'_>],
        document: &mut Document,
    ) {
        let table = document.section("server");
        let asns = servers.iter().map(|it| it.asn).collect::<BTreeSet<_>>();
        let asn = match (self.choice.server_asn, asns.len()) {
            (Some(asn), _) => Some(asn),
            (None, 1) => asns.first().copied(),
            (None, _) => None,
        };
        if asn.is_none() {
            let why = "the export does not say it: name it with --server-asn";
            self.note(NoteKind::ToDo, "(server.asn)", why);
        }
        table.set_some("asn", asn);
        let addresses = servers.iter().filter_map(|it| it.address());
        let addresses = addresses.collect::<BTreeSet<IpAddr>>();
        let ids = addresses.iter().filter(|address| address.is_ipv4());
        let ids = ids.map(IpAddr::to_string).collect::<Vec<_>>();
        let chosen = self.choice.router_id.map(|id| id.to_string());
        let id = chosen.or_else(|| ids.first().cloned());
        if self.choice.router_id.is_none() && ids.len() != 1 {
            let why = match ids.as_slice() {
                [] => "the export does not say it: name it with --router-id".to_owned(),
                ids => format!(
                    "there are {}: name this one's with --router-id",
                    ids.join(", ")
                ),
            };
            self.note(NoteKind::ToDo, "(server.router_id)", why);
        }
        table.set_some("router_id", id);
        let vlan = clients.first().and_then(|it| it.vlan);
        let lan = self.lan(vlan);
        table.set_some("lan", (!lan.is_empty()).then_some(lan));
    }

    /// The prefixes of a VLAN.
    fn lan(&self, vlan: Option<u64>) -> Vec<String> {
        let mut lan = Vec::new();
        for ixp in items(&self.export["ixp_list"]) {
            if self
                .choice
                .ixp
                .is_some_and(|chosen| number(&ixp["ixp_id"]) != Some(chosen))
            {
                continue;
            }
            let vlans = items(&ixp["vlan"]);
            for vlan in vlans.filter(|other| vlan.is_some() && number(&other["id"]) == vlan) {
                for key in ["ipv4", "ipv6"] {
                    let (address, len) = (&vlan[key]["prefix"], number(&vlan[key]["mask_length"]));
                    let (Some(address), Some(len)) = (address.as_str(), len) else {
                        continue;
                    };
                    // Some write the length into the prefix as well.
                    let address = address.split('/').next().unwrap_or_default();
                    match format!("{address}/{len}").parse::<Prefix>() {
                        Ok(prefix) => lan.push(prefix.to_string()),
                        Err(error) => self.note(
                            NoteKind::NotUnderstood,
                            &format!("ixp_list[].vlan[].{key}.prefix"),
                            error.to_string(),
                        ),
                    }
                }
            }
        }
        lan
    }
}

impl Attachment<'_> {
    /// By `member_type` to 0.6, `service_type` in 0.7, `services` in 1.0.
    fn role(&self) -> Role {
        if self.member["member_type"] == "routeserver" {
            return Role::RouteServer;
        }
        let of_0_7 = items(&self.details["service_type"]);
        let of_1_0 = items(&self.details["services"]).map(|service| &service["type"]);
        let services = of_0_7.chain(of_1_0).filter_map(Json::as_str);
        let services = services.collect::<Vec<_>>();
        match services.as_slice() {
            [] => Role::Client,
            services if services.contains(&"ixrouteserver") => Role::RouteServer,
            _ => Role::Other,
        }
    }

    fn address(&self) -> Option<IpAddr> {
        let address: IpAddr = self.details["address"].as_str()?.trim().parse().ok()?;
        (address.is_ipv4() == (self.family == Family::Ipv4)).then_some(address)
    }
}

/// Names and addresses that are taken.
struct Writing<'a, 'b> {
    reading: &'b Reading<'a>,
    names: BTreeSet<String>,
    addresses: HashMap<IpAddr, String>,
}

impl Writing<'_, '_> {
    fn table(&mut self, client: &Attachment<'_>) -> Option<Table> {
        let path = client.path.as_str();
        let Some(address) = client.address() else {
            let why = format!(
                "{} is not an {} address",
                client.details["address"], client.family
            );
            self.reading
                .note(NoteKind::NotUnderstood, &format!("{path}.address"), why);
            return None;
        };
        if let Some(first) = self.addresses.get(&address) {
            let why = format!("{address} stands in {first} already: left out");
            self.reading
                .note(NoteKind::NotUnderstood, &format!("{path}.address"), why);
            return None;
        }
        self.addresses.insert(address, path.to_owned());
        let mut table = Table::default();
        if let Some(name) = client.member["name"].as_str() {
            table.comment(name);
        }
        table.set("asn", client.asn);
        table.set("address", address.to_string());
        table.set("name", self.name(client));
        self.write_state(client, &mut table);
        table.set("irr.as_sets", self.as_sets(client));
        if let Some(max @ 1..) = number(&client.details["max_prefix"]) {
            let key = format!("limits.{}.received_max", client.family);
            table.set(&key, max.min(u32::MAX.into()));
        }
        Some(table)
    }

    /// Of the member's name, its family, and a number where that is not enough.
    fn name(&mut self, client: &Attachment<'_>) -> String {
        let name = client.member["name"].as_str().unwrap_or_default();
        let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
        let words = words.filter(|word| !word.is_empty()).collect::<Vec<_>>();
        let mut stem = words.join("-");
        stem.truncate(NAME_LEN_MAX);
        if !name.is_ascii() || stem.is_empty() {
            stem = format!("AS{}", client.asn);
        }
        let family = match client.family {
            Family::Ipv4 => "v4",
            Family::Ipv6 => "v6",
        };
        let stem = format!("{}-{family}", stem.trim_end_matches('-'));
        let numbered = (2..).map(|number: u32| format!("{stem}-{number}"));
        let names = std::iter::once(stem.clone()).chain(numbered);
        let free = names.into_iter().find(|name| !self.names.contains(name));
        let name = free.unwrap_or(stem);
        self.names.insert(name.clone());
        name
    }

    fn write_state(&self, client: &Attachment<'_>, table: &mut Table) {
        let state = client.state.trim().to_ascii_lowercase();
        if state.is_empty() || UP.contains(&state.as_str()) {
            return;
        }
        let comment = format!("state \"{state}\"");
        let key = if state == "quarantine" {
            "quarantine"
        } else {
            "disabled"
        };
        table.set_said(key, true, &comment);
        let why = format!("\"{state}\" is not one of {}: {key} = true", UP.join(", "));
        self.reading.note(
            NoteKind::Differs,
            "member_list[].connection_list[].state",
            why,
        );
    }

    /// Several stand with spaces or commas between; the ASN itself where there is none.
    fn as_sets(&self, client: &Attachment<'_>) -> Vec<String> {
        let text = client.details["as_macro"].as_str().unwrap_or_default();
        let mut names = Vec::new();
        for word in text
            .split([' ', ',', ';', '\t'])
            .filter(|word| !word.is_empty())
        {
            match super::as_set(word) {
                Some(name) if names.contains(&name) => {}
                Some(name) => names.push(name),
                None => {
                    let path = format!("{}.as_macro", client.path);
                    let why = format!("\"{word}\" is not the name of an AS-SET");
                    self.reading.note(NoteKind::NotUnderstood, &path, why);
                }
            }
        }
        if names.is_empty() {
            names.push(format!("AS{}", client.asn));
        }
        names
    }
}

fn items(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
}

/// A number with the name that goes with it.
fn named(id: Option<u64>, name: Option<&&str>) -> String {
    let number = id.map_or("none".to_owned(), |id| id.to_string());
    match name {
        Some(name) if !name.is_empty() => format!("{number} ({name})"),
        _ => number,
    }
}

/// Some write numbers as text.
fn number(value: &Json) -> Option<u64> {
    let from_text = || value.as_str().and_then(|text| text.trim().parse().ok());
    value.as_u64().or_else(from_text)
}

/// Old exports of IXP Manager have a list around the list.
fn vlans<'a>(connection: &'a Json, path: &str) -> Vec<(String, &'a Json)> {
    let list = &connection["vlan_list"];
    let list = if list[0].is_array() { &list[0] } else { list };
    let vlans = items(list).enumerate();
    vlans
        .map(|(index, vlan)| (format!("{path}.vlan_list[{index}]"), vlan))
        .collect()
}
