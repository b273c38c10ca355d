//! `general.yml`: the server, its lists and data, and what all clients inherit.

use crate::adopt::document::{Document, Value};
use crate::adopt::notes::{NoteKind, Place};
use crate::adopt::section::{Field, Section};
use crate::base::Family;

use super::communities::Communities;
use super::limits::MaxPrefix;
use super::options::{Options, Sections};
use super::prefixes;

pub struct General {
    asn: Option<u64>,
    router_id: Option<String>,
    pub options: Options,
    pub max_prefix: MaxPrefix,
    pub communities: Communities,
    pub tag_as_set: bool,
    /// Where the sections begin that need more than is in the files.
    pub places: Places,
    lists: Lists,
    irr: Irr,
    rpki: Rpki,
    blackhole: Blackhole,
    rfc1997: Option<&'static str>,
}

pub struct Places {
    pub irrdb: Place,
    pub max_prefix: Place,
    pub communities: Place,
}

struct Lists {
    black_list: Vec<(Value, Option<String>)>,
    /// `None`: not checked.
    transit_free: Option<Vec<u32>>,
    never_via: Option<Vec<u32>>,
}

struct Irr {
    allow_longer: Option<bool>,
    roas_as_route_objects: Option<bool>,
}

#[derive(Default)]
struct Rpki {
    vrp_files: Vec<String>,
    max_age_s: Option<u64>,
}

#[derive(Default)]
struct Blackhole {
    policies: [Option<&'static str>; 2],
    next_hops: [Option<String>; 2],
    add_no_export: Option<bool>,
}

impl General {
    pub fn read(cfg: Section<'_>) -> General {
        let asn = cfg.field("rs_as");
        if asn.is_none() {
            let why = "missing: server.asn is required";
            cfg.notes.add(NoteKind::ToDo, "cfg.rs_as", &cfg.place, why);
        }
        let asn = asn.and_then(|asn| asn.number());
        let router_id = read_router_id(&cfg);
        note_path_hiding(&cfg);
        let communities = Communities::read(&cfg);
        let rfc1997 = read_rfc1997(&cfg);
        let sections = Sections::of(cfg);
        let Sections {
            cfg,
            filtering,
            irrdb,
            blackhole,
        } = &sections;
        let options = Options::read(&sections);
        let max_prefix = filtering.child("max_prefix");
        let limits = ["general_limit_ipv4", "general_limit_ipv6"];
        let read_max_prefix = MaxPrefix::read(&max_prefix, limits);
        let places = Places {
            irrdb: irrdb.place.clone(),
            max_prefix: max_prefix.place.clone(),
            communities: cfg.child("communities").place,
        };
        max_prefix.finish();
        let irr = Irr::read(irrdb);
        let needs_roas = options.rpki == Some(true) || irr.roas_as_route_objects == Some(true);
        let general = General {
            asn,
            router_id,
            max_prefix: read_max_prefix,
            places,
            communities,
            tag_as_set: irrdb.bool("tag_as_set").unwrap_or(true),
            lists: Lists::read(filtering),
            irr,
            rpki: Rpki::read(cfg, needs_roas),
            blackhole: Blackhole::read(blackhole),
            rfc1997,
            options,
        };
        sections.finish();
        general
    }

    /// Whether a client's AS-SETs are looked at.
    pub fn uses_irr(&self, client: &Options) -> bool {
        client.enforces_irr(&self.options) || self.tag_as_set && self.communities.tags_as_sets()
    }

    pub fn write(&self, document: &mut Document) {
        let server = document.section("server");
        server.set_some("asn", self.asn);
        server.set_some("router_id", self.router_id.clone());
        server.comment("lan = [\"192.0.2.0/24\"]: the peering LAN, which nobody may announce.");
        self.lists.write(document);
        self.rpki.write(self, document);
        self.blackhole.write(document);
        self.communities.write(self.tag_as_set, document);
        let defaults = document.section("defaults");
        self.options.write_session(&Options::default(), defaults);
        defaults.set_some("rfc1997", self.rfc1997);
        self.write_import(document);
        self.irr.write(document);
        self.max_prefix
            .write_restart(document.section("defaults.limits"));
        for (family, name) in [
            (Family::Ipv4, "defaults.limits.ipv4"),
            (Family::Ipv6, "defaults.limits.ipv6"),
        ] {
            self.max_prefix
                .write_general(family, document.section(name));
        }
    }

    fn write_import(&self, document: &mut Document) {
        let import = document.section("defaults.import");
        self.options.write_import("", import);
        if self.options.rpki.is_none() {
            import.set_said("rpki_invalid", false, "not enabled");
        }
        import.set("transit_free", self.lists.transit_free.is_some());
        import.set("never_via_route_servers", self.lists.never_via.is_some());
        if self.blackhole.is_on() {
            import.set("blackhole", true);
        }
        let not_there = "arouteserver has no such check";
        import.set_said("as_set", false, not_there);
        import.set_said("communities_max", "none", not_there);
        import.set_said("aspa_invalid", false, not_there);
    }
}

fn read_router_id(cfg: &Section<'_>) -> Option<String> {
    let Some(field) = cfg.field("router_id") else {
        let why = "missing: server.router_id is required";
        cfg.notes
            .add(NoteKind::ToDo, "cfg.router_id", &cfg.place, why);
        return None;
    };
    let ids = field.list();
    if ids.len() > 1 {
        let others = ids.iter().skip(1).filter_map(Field::scalar);
        let others = others.collect::<Vec<_>>().join(", ");
        let why = format!("the first is taken; for {others} write another file that differs here");
        field.note(NoteKind::ToDo, why);
    }
    let id = ids
        .first()?
        .parsed::<std::net::Ipv4Addr>("an IPv4 address")?;
    Some(id.to_string())
}

fn note_path_hiding(cfg: &Section<'_>) {
    if let Some(field) = cfg.field("path_hiding")
        && field.bool() == Some(false)
    {
        let why = "each client always has the best path of those that it may have (RFC 7947 §2.3)";
        field.note(NoteKind::Missing, why);
    }
}

fn read_rfc1997(cfg: &Section<'_>) -> Option<&'static str> {
    let section = cfg.child("rfc1997_wellknown_communities");
    let policy = section
        .field("policy")
        .and_then(|policy| policy.one_of(&[("rfc1997", "obey"), ("pass", "pass")]));
    section.finish();
    policy
}

impl Lists {
    fn read(filtering: &Section<'_>) -> Lists {
        let black_list = filtering.field("global_black_list_pref");
        Lists {
            black_list: black_list
                .map(|list| prefixes::rules(&list))
                .unwrap_or_default(),
            transit_free: Lists::read_transit_free(filtering),
            never_via: Lists::read_never_via(filtering),
        }
    }

    fn read_transit_free(filtering: &Section<'_>) -> Option<Vec<u32>> {
        let section = filtering.child("transit_free");
        let asns = section.field("asns").map(|asns| asns.asns());
        let action = section.field("action");
        let rejects = action
            .as_ref()
            .and_then(|action| action.one_of(&[("reject", true), ("warning", false)]));
        section.finish();
        if let (Some(action), Some(false)) = (&action, rejects) {
            let why = "Rialto rejects such routes (import.transit_free = true) or does not look";
            action.note(NoteKind::Missing, why);
        }
        rejects?.then(|| asns.unwrap_or_default())
    }

    fn read_never_via(filtering: &Section<'_>) -> Option<Vec<u32>> {
        let section = filtering.child("never_via_route_servers");
        let asns = section.field("asns").map(|asns| asns.asns());
        let field = section.field("peering_db");
        let asks_peering_db = field.as_ref().and_then(Field::bool).unwrap_or(true);
        if asks_peering_db {
            let place = field.map_or(section.place.clone(), |field| field.place);
            let path = format!("{}.peering_db", section.path);
            let why = "Rialto does not ask PeeringDB: write the ASNs of networks with \
                       info_never_via_route_servers into lists.never_via_route_servers_asns";
            section.notes.add(NoteKind::ToDo, &path, &place, why);
        }
        section.finish();
        (asks_peering_db || asns.is_some()).then(|| asns.unwrap_or_default())
    }

    fn write(&self, document: &mut Document) {
        let table = document.section("lists");
        if !self.black_list.is_empty() {
            table.set("black_list", Value::Lines(self.black_list.clone()));
        }
        if let Some(asns) = &self.transit_free {
            table.set("transit_free_asns", asns.clone());
        }
        if let Some(asns) = &self.never_via {
            table.set("never_via_route_servers_asns", asns.clone());
        }
    }
}

impl Irr {
    fn read(irrdb: &Section<'_>) -> Irr {
        if let Some(field) = irrdb.field("peering_db")
            && field.bool() == Some(true)
        {
            let why = "Rialto does not ask PeeringDB: write AS-SETs into the clients' irr.as_sets";
            field.note(NoteKind::ToDo, why);
        }
        let roas = irrdb.child("use_rpki_roas_as_route_objects");
        let roas_as_route_objects = roas.bool("enabled");
        for key in ["source", "ripe_rpki_validator_url", "allowed_trust_anchors"] {
            if let Some(field) = roas.field(key) {
                let why =
                    "it stands in cfg.rpki_roas since arouteserver 0.17, and is not read here";
                field.note(NoteKind::ToDo, why);
            }
        }
        roas.finish();
        note_whois(irrdb.child("use_arin_bulk_whois_data"), "ARIN's");
        note_whois(
            irrdb.child("use_registrobr_bulk_whois_data"),
            "Registro.br's",
        );
        Irr {
            allow_longer: irrdb.bool("allow_longer_prefixes"),
            roas_as_route_objects,
        }
    }

    fn write(&self, document: &mut Document) {
        if self.allow_longer.is_none() && self.roas_as_route_objects.is_none() {
            return;
        }
        let table = document.section("defaults.irr");
        table.set_some("allow_longer_prefixes", self.allow_longer);
        table.set_some("rpki_roas_as_route_objects", self.roas_as_route_objects);
    }
}

fn note_whois(section: Section<'_>, whose: &str) {
    section.pass("source");
    if let Some(enabled) = section.field("enabled")
        && enabled.bool() == Some(true)
    {
        let why =
            format!("{whose} whois data are not looked at; clients' irr.prefixes can be written");
        enabled.note(NoteKind::Missing, why);
    }
    section.finish();
}

impl Rpki {
    /// Of no account where nothing needs ROAs.
    fn read(cfg: &Section<'_>, is_needed: bool) -> Rpki {
        let section = cfg.child("rpki_roas");
        let [source, urls, anchors, age] = [
            "source",
            "ripe_rpki_validator_url",
            "allowed_trust_anchors",
            "ignore_cache_files_older_than",
        ]
        .map(|key| section.field(key));
        section.finish();
        if !is_needed {
            return Rpki::default();
        }
        let sources = [
            ("ripe-rpki-validator-cache", false),
            ("rtr", true),
            ("rtrlib", true),
        ];
        let is_rtr = source
            .as_ref()
            .and_then(|source| source.one_of(&sources))
            .unwrap_or(false);
        if let (Some(source), true) = (&source, is_rtr) {
            let why = "the caches stand in rpki_rtr_config.local: write them into rpki.caches";
            source.note(NoteKind::ToDo, why);
            return Rpki::default();
        }
        let ask = "Rialto does not fetch files: name your validator's RTR address in rpki.caches, \
                   or the file that it writes in rpki.vrp_files";
        let (files, remote) = read_urls(urls.as_ref());
        match (urls, remote) {
            (None, _) => cfg
                .notes
                .add(NoteKind::ToDo, &section_path(cfg), &cfg.place, ask),
            (Some(urls), true) => urls.note(NoteKind::ToDo, ask),
            (Some(_), false) => {}
        }
        if let Some(anchors) = anchors {
            anchors.note(NoteKind::ToDo, "choose trust anchors in the validator");
        }
        // Rialto's bounds.
        let max_age_s = age.and_then(|age| age.number());
        Rpki {
            max_age_s: max_age_s.map(|age_s| age_s.clamp(60, 604_800)),
            vrp_files: files,
        }
    }

    fn write(&self, general: &General, document: &mut Document) {
        let is_needed =
            general.options.rpki == Some(true) || general.irr.roas_as_route_objects == Some(true);
        if !is_needed {
            return;
        }
        let table = document.section("rpki");
        if self.vrp_files.is_empty() {
            table.set_aside(
                "Name your RTR caches, and take the marks away: until then nothing is validated.",
            );
            let comment = "the preferred one first";
            table.set_said("caches", vec!["192.0.2.10:3323"], comment);
        } else {
            table.comment("caches = [\"192.0.2.10:3323\"]: RTR caches, the preferred one first.");
            let comment = "paths start from this file's folder";
            table.set_said("vrp_files", self.vrp_files.clone(), comment);
            table.set_some("max_age_s", self.max_age_s);
        }
    }
}

fn section_path(cfg: &Section<'_>) -> String {
    format!("{}.rpki_roas.ripe_rpki_validator_url", cfg.path)
}

/// Files of this machine, and whether there are others.
fn read_urls(urls: Option<&Field<'_>>) -> (Vec<String>, bool) {
    let urls = urls.map(Field::list).unwrap_or_default();
    let urls = urls.iter().filter_map(Field::scalar);
    let (remote, files): (Vec<_>, Vec<_>) = urls.partition(|url| url.contains("://"));
    let files = files.into_iter().map(str::to_owned).collect();
    (files, !remote.is_empty())
}

impl Blackhole {
    fn read(section: &Section<'_>) -> Blackhole {
        let policies = [
            ("propagate-unchanged", "propagate_unchanged"),
            ("rewrite-next-hop", "rewrite_next_hop"),
        ];
        let policy = |key| section.field(key).and_then(|field| field.one_of(&policies));
        let next_hop = |key, is_ipv4: bool| {
            let field = section.field(key)?;
            let address = field.address()?;
            match address.is_ipv4() == is_ipv4 {
                true => Some(address.to_string()),
                false => field.refuse("an address of this family"),
            }
        };
        Blackhole {
            policies: [policy("policy_ipv4"), policy("policy_ipv6")],
            next_hops: [
                next_hop("rewrite_next_hop_ipv4", true),
                next_hop("rewrite_next_hop_ipv6", false),
            ],
            add_no_export: section.bool("add_noexport"),
        }
    }

    fn is_on(&self) -> bool {
        self.policies.iter().any(Option::is_some)
    }

    fn write(&self, document: &mut Document) {
        if !self.is_on() {
            return;
        }
        let table = document.section("blackhole");
        for (key, policy) in ["ipv4", "ipv6"].into_iter().zip(self.policies) {
            table.set_some(key, policy);
        }
        let keys = ["next_hop_ipv4", "next_hop_ipv6"];
        for (key, next_hop) in keys.into_iter().zip(&self.next_hops) {
            table.set_some(key, next_hop.clone());
        }
        table.set_some("add_no_export", self.add_no_export);
    }
}
