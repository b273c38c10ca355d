//! Options that a client inherits from `general.yml` and may have otherwise.

use std::net::IpAddr;

use crate::adopt::document::{Table, Value};
use crate::adopt::notes::NoteKind;
use crate::adopt::section::{Field, Section};
use crate::base::Family;

/// The sections of `cfg`, general or of a client, in which they stand.
pub struct Sections<'a> {
    pub cfg: Section<'a>,
    pub filtering: Section<'a>,
    pub irrdb: Section<'a>,
    pub blackhole: Section<'a>,
}

impl<'a> Sections<'a> {
    pub fn of(cfg: Section<'a>) -> Sections<'a> {
        let filtering = cfg.child("filtering");
        Sections {
            irrdb: filtering.child("irrdb"),
            blackhole: cfg.child("blackhole_filtering"),
            filtering,
            cfg,
        }
    }

    pub fn finish(self) {
        self.irrdb.finish();
        self.filtering.finish();
        self.blackhole.finish();
        self.cfg.finish();
    }
}

/// As given.
#[derive(Default)]
pub struct Options {
    passive: Option<bool>,
    add_path: Option<bool>,
    gtsm: Option<bool>,
    multihop: Option<u64>,
    prepend_rs_as: Option<bool>,
    pub rfc8950: Option<bool>,
    next_hop: Option<NextHop>,
    pub next_hops: Vec<IpAddr>,
    prefix_length: [Option<(u64, u64)>; 2],
    as_path_max: Option<u64>,
    bogon_asns: Option<bool>,
    pub irr_origin: Option<bool>,
    pub irr_prefix: Option<bool>,
    pub rpki: Option<bool>,
    roles: Option<bool>,
    roles_strict: Option<bool>,
    announce_blackholes: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NextHop {
    Strict,
    SameAs,
    Authorized,
}

const NEXT_HOPS: [(&str, NextHop); 3] = [
    ("strict", NextHop::Strict),
    ("same-as", NextHop::SameAs),
    ("authorized_addresses", NextHop::Authorized),
];

impl Options {
    pub fn read(sections: &Sections<'_>) -> Options {
        let Sections {
            cfg,
            filtering,
            irrdb,
            blackhole,
        } = sections;
        let (next_hop, next_hops) = read_next_hop(filtering);
        let (roles, roles_strict) = read_roles(filtering);
        note_reject_policy(filtering);
        note_graceful_shutdown(cfg);
        Options {
            passive: cfg.bool("passive"),
            add_path: cfg.bool("add_path"),
            gtsm: cfg.bool("gtsm"),
            multihop: read_multihop(cfg),
            prepend_rs_as: cfg.bool("prepend_rs_as"),
            rfc8950: cfg.bool("rfc8950"),
            next_hop,
            next_hops,
            prefix_length: [
                read_lengths(filtering.child("ipv4_pref_len"), Family::Ipv4),
                read_lengths(filtering.child("ipv6_pref_len"), Family::Ipv6),
            ],
            as_path_max: filtering.number("max_as_path_len"),
            bogon_asns: filtering.bool("reject_invalid_as_in_as_path"),
            irr_origin: irrdb.bool("enforce_origin_in_as_set"),
            irr_prefix: irrdb.bool("enforce_prefix_in_as_set"),
            rpki: read_rpki(filtering),
            roles,
            roles_strict,
            announce_blackholes: blackhole.bool("announce_to_client"),
        }
    }

    /// Whether the IRR decides over routes.
    pub fn enforces_irr(&self, general: &Options) -> bool {
        let is_on = |own: Option<bool>, general: Option<bool>| own.or(general).unwrap_or(true);
        is_on(self.irr_origin, general.irr_origin) || is_on(self.irr_prefix, general.irr_prefix)
    }

    /// What concerns the session. `general` is what is inherited.
    pub fn write_session(&self, general: &Options, table: &mut Table) {
        table.set_some("passive", self.passive);
        table.set_some("add_path", self.add_path);
        table.set_some("ttl_security", self.ttl_security(general));
        table.set_some("prepend_rs_as", self.prepend_rs_as);
        table.set_some("role", self.role(general));
        table.set_some("blackhole", self.announce_blackholes);
    }

    /// What import checks; `prefix` is where in the table the keys stand.
    pub fn write_import(&self, prefix: &str, table: &mut Table) {
        let key = |key: &str| format!("{prefix}{key}");
        let next_hop = self.next_hop.map(|next_hop| match next_hop {
            NextHop::Strict | NextHop::Authorized => "strict",
            NextHop::SameAs => "same_as",
        });
        table.set_some(&key("next_hop"), next_hop);
        table.set_some(&key("as_path_max"), self.as_path_max);
        table.set_some(&key("prefix_length"), self.prefix_length());
        table.set_some(&key("bogon_asns"), self.bogon_asns);
        table.set_some(&key("irr_prefix"), self.irr_prefix);
        table.set_some(&key("irr_origin"), self.irr_origin);
        table.set_some(&key("rpki_invalid"), self.rpki);
    }

    fn prefix_length(&self) -> Option<Value> {
        let lengths = Family::ALL.iter().filter_map(|family| {
            let (min, max) = self.prefix_length[family.index()]?;
            Some((family.to_string(), vec![min, max].into()))
        });
        let lengths = lengths.collect::<Vec<(String, Value)>>();
        (!lengths.is_empty()).then_some(Value::Inline(lengths))
    }

    /// How many hops away with `multihop`, else one.
    fn ttl_security(&self, general: &Options) -> Option<Value> {
        if self.gtsm.is_none() && self.multihop.is_none() {
            return None;
        }
        match (
            self.gtsm.or(general.gtsm),
            self.multihop.or(general.multihop),
        ) {
            (Some(true), Some(hops @ 1..)) => Some(hops.min(254).into()),
            (Some(true), _) => Some(true.into()),
            _ => self.gtsm.map(Value::from),
        }
    }

    fn role(&self, general: &Options) -> Option<Value> {
        if self.roles.is_none() && self.roles_strict.is_none() {
            return None;
        }
        let is_on = self.roles.or(general.roles).unwrap_or(false);
        let is_strict = self.roles_strict.or(general.roles_strict).unwrap_or(false);
        Some(match (is_on, is_strict) {
            (false, _) => false.into(),
            (true, false) => true.into(),
            (true, true) => "strict".into(),
        })
    }
}

/// Before arouteserver 0.6 it was `next_hop_policy`.
fn read_next_hop(filtering: &Section<'_>) -> (Option<NextHop>, Vec<IpAddr>) {
    let section = filtering.child("next_hop");
    let policy = section
        .field("policy")
        .or_else(|| filtering.field("next_hop_policy"));
    let policy = policy.and_then(|policy| policy.one_of(&NEXT_HOPS));
    let addresses = section.field("authorized_addresses_list");
    let addresses = addresses.filter(|_| policy == Some(NextHop::Authorized));
    let addresses = addresses.map(|addresses| addresses.list());
    section.finish();
    let addresses = addresses.unwrap_or_default();
    (
        policy,
        addresses.iter().filter_map(Field::address).collect(),
    )
}

/// Without `gtsm` nothing looks at the TTL.
fn read_multihop(cfg: &Section<'_>) -> Option<u64> {
    let hops = cfg.field("multihop")?.number()?;
    if hops == 0 {
        return None;
    }
    if let Some(field) = cfg.field("multihop") {
        let why = "sessions may be any number of hops long; with gtsm it is the number of \
                   ttl_security";
        field.note(NoteKind::Differs, why);
    }
    Some(hops)
}

fn read_lengths(section: Section<'_>, family: Family) -> Option<(u64, u64)> {
    let (min, max) = (section.field("min"), section.field("max"));
    section.finish();
    let (min, max) = (min?, max?);
    let lengths = (min.number()?, max.number()?);
    if lengths.0 > lengths.1 || lengths.1 > family.max_len().into() {
        return max.refuse(&format!("between min and {}", family.max_len()));
    }
    Some(lengths)
}

/// Before arouteserver 0.17 it was `rpki`.
fn read_rpki(filtering: &Section<'_>) -> Option<bool> {
    let mut enabled = None;
    for name in ["rpki", "rpki_bgp_origin_validation"] {
        let section = filtering.child(name);
        enabled = section.bool("enabled").or(enabled);
        if let Some(field) = section.field("reject_invalid")
            && field.bool() == Some(false)
        {
            let why = "Invalid routes are always kept, shown with their reason, and announced to \
                       nobody (import.rpki_invalid)";
            field.note(NoteKind::Differs, why);
        }
        section.finish();
    }
    enabled
}

/// Only the role of a route server makes sense for one.
fn read_roles(filtering: &Section<'_>) -> (Option<bool>, Option<bool>) {
    let section = filtering.child("roles");
    let read = (section.bool("enabled"), section.bool("strict_mode"));
    if let Some(role) = section.field("local_role")
        && role
            .text()
            .is_some_and(|role| !role.eq_ignore_ascii_case("rs"))
    {
        role.note(
            NoteKind::Missing,
            "Rialto has the role of a route server (rs) only",
        );
    }
    section.finish();
    read
}

/// "reject" and what Rialto does are the same for clients.
fn note_reject_policy(filtering: &Section<'_>) {
    let section = filtering.child("reject_policy");
    if let Some(policy) = section.field("policy") {
        let tags = [("reject", false), ("tag", true), ("tag_and_reject", true)];
        if policy.one_of(&tags) == Some(true) {
            let why = "rejected routes are always kept and shown with their reason, and announced \
                       to nobody";
            policy.note(NoteKind::Differs, why);
        }
    }
    section.finish();
}

/// It is always on; `local_pref` makes no difference, as there is no other preference.
fn note_graceful_shutdown(cfg: &Section<'_>) {
    let section = cfg.child("graceful_shutdown");
    section.pass("local_pref");
    if let Some(enabled) = section.field("enabled")
        && enabled.bool() == Some(false)
    {
        let why = "it is always on: routes with GRACEFUL_SHUTDOWN (65535:0) are the last choice here \
                   (RFC 8326), and the community reaches the clients";
        enabled.note(NoteKind::Differs, why);
    }
    section.finish();
}
