//! What a client inherits from `[defaults]` and may override, and how the two become one.

use std::path::PathBuf;
use std::time::Duration;

use crate::base::{Family, FamilySet};
use crate::outside::regular_file;
use crate::server::exchange::{LimitAction, PrefixLimits, Secret};
use crate::wire::{TypeCodes, code};

use super::export::MatrixOptions;
use super::import::{ImportOptions, Preset};
use super::irr::IrrOptions;
use super::model::{Attributes, Role};
use super::reader::{Entry, Limit, Reader};

/// RFC 2385 leaves it open; Linux takes no longer key.
const PASSWORD_LEN_MAX: usize = 80;
/// Only the first line is read.
const KEY_FILE_OCTETS_MAX: u64 = 64 << 10;

/// Above the largest known members, below a full table: a leaked full table ends the session.
pub const RECEIVED_MAX: [u32; 2] = [500_000, 200_000];

/// A million prefixes with attributes of 150 octets, none shared, are less than a third of it. Without
/// it, 64 KiB of attributes for each of [`RECEIVED_MAX`] prefixes would be 46 GB.
pub const ATTRIBUTE_OCTETS_MAX: u32 = 512 << 20;

/// Less is in the way of ordinary members.
const ATTRIBUTE_OCTETS_LEAST: u32 = 64 << 10;

/// The largest number of 24 bits.
const LLGR_MAX_S: u32 = (1 << 24) - 1;

const LIMIT_RESTART_S: u32 = 900;

/// What `[defaults]` and `[[client]]` have in common; `None` is not said.
#[derive(Debug, Default)]
pub struct Options {
    pub hold_time_s: Option<u16>,
    pub passive: Option<bool>,
    pub families: Option<FamilySet>,
    pub add_path: Option<bool>,
    pub hide_own_as: Option<bool>,
    pub extended_messages: Option<bool>,
    pub role: Option<Role>,
    pub prepend_rs_as: Option<bool>,
    pub ipv6_next_hops: Option<bool>,
    pub obeys_well_known: Option<bool>,
    pub takes_blackholes: Option<bool>,
    pub min_advertisement_ms: Option<u32>,
    pub matrix: MatrixOptions,
    pub irr: IrrOptions,
    pub connect_retry_s: Option<u16>,
    pub idle_hold_s: Option<u16>,
    pub idle_hold_max_s: Option<u16>,
    pub send_hold_time_s: Option<u16>,
    pub graceful_restart_s: Option<u16>,
    pub graceful_restart_helper_s: Option<u16>,
    /// By [`Family::index`].
    pub llgr_max_s: [Option<u32>; 2],
    pub ttl_security: Option<Option<u8>>,
    pub congestion_control: Option<String>,
    pub password: Option<Secret>,
    pub import: ImportOptions,
    pub limits: LimitOptions,
    pub attributes: AttributeOptions,
}

#[derive(Debug, Default)]
pub struct LimitOptions {
    /// By [`Family::index`].
    pub families: [FamilyLimitOptions; 2],
    pub attribute_octets_max: Option<Limit>,
    pub restart_s: Option<Limit>,
    pub updates_per_s: Option<Limit>,
}

/// What [`LimitOptions`] come to.
pub struct Limits {
    pub families: [PrefixLimits; 2],
    pub attribute_octets_max: Option<u32>,
    pub restart: Option<Duration>,
    pub updates_per_s: Option<u32>,
}

#[derive(Debug, Default)]
pub struct FamilyLimitOptions {
    pub received_max: Option<Limit>,
    pub accepted_max: Option<Limit>,
    pub accepted_action: Option<LimitAction>,
}

#[derive(Debug, Default)]
pub struct AttributeOptions {
    pub discard: Option<TypeCodes>,
    pub treat_as_withdraw: Option<TypeCodes>,
}

impl Options {
    pub fn read(reader: &Reader<'_>) -> Options {
        Options {
            hold_time_s: hold_time(reader),
            passive: reader.bool("passive"),
            families: families(reader),
            add_path: reader.bool("add_path"),
            hide_own_as: reader.bool("hide_own_as"),
            extended_messages: reader.bool("extended_messages"),
            role: role(reader),
            prepend_rs_as: reader.bool("prepend_rs_as"),
            ipv6_next_hops: reader.bool("ipv6_next_hops"),
            obeys_well_known: reader.one_of("rfc1997", &[("pass", false), ("obey", true)]),
            takes_blackholes: reader.bool("blackhole"),
            min_advertisement_ms: reader.integer("min_advertisement_ms", 0..=600_000),
            matrix: MatrixOptions::read(reader),
            irr: reader
                .table("irr")
                .map(IrrOptions::read)
                .unwrap_or_default(),
            connect_retry_s: reader.integer("connect_retry", 1..=3600),
            idle_hold_s: reader.integer("idle_hold", 1..=3600),
            idle_hold_max_s: reader.integer("idle_hold_max", 1..=3600),
            send_hold_time_s: reader.integer("send_hold_time", 8..=65_535),
            graceful_restart_s: reader.integer("graceful_restart_s", 0..=4095),
            graceful_restart_helper_s: reader.integer("graceful_restart_helper_s", 0..=4095),
            llgr_max_s: ["llgr_ipv4_s", "llgr_ipv6_s"]
                .map(|key| reader.integer(key, 0..=LLGR_MAX_S)),
            ttl_security: ttl_security(reader),
            congestion_control: congestion_control(reader),
            password: password(reader),
            import: reader
                .table("import")
                .map(ImportOptions::read)
                .unwrap_or_default(),
            limits: reader
                .table("limits")
                .map(LimitOptions::read)
                .unwrap_or_default(),
            attributes: reader
                .table("attributes")
                .map(AttributeOptions::read)
                .unwrap_or_default(),
        }
    }
}

fn hold_time(reader: &Reader<'_>) -> Option<u16> {
    let hold_time_s: u16 = reader.integer("hold_time", 0..=65_535)?;
    if matches!(hold_time_s, 1 | 2) {
        let entry = reader.entry("hold_time")?;
        entry.error(
            format!("{hold_time_s} s is not allowed by RFC 4271 §4.2"),
            "use 0 (no keepalives) or at least 3",
        );
        return None;
    }
    Some(hold_time_s)
}

fn families(reader: &Reader<'_>) -> Option<FamilySet> {
    let choices = [("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];
    let families = reader.list("families", |entry| entry.one_of(&choices))?;
    if reader.is_empty_list("families") {
        reader.error_at(
            "families",
            "must name a family".to_owned(),
            "write [\"ipv4\"], [\"ipv6\"] or both",
        );
        return None;
    }
    Some(families.into_iter().collect())
}

/// `true`, `false` or `"strict"`.
fn role(reader: &Reader<'_>) -> Option<Role> {
    let entry = reader.entry("role")?;
    match (entry.value().as_bool(), entry.value().as_str()) {
        (Some(true), _) => Some(Role::On),
        (Some(false), _) => Some(Role::Off),
        (None, Some("strict")) => Some(Role::Strict),
        (None, _) => entry.expected("true, false or \"strict\""),
    }
}

fn ttl_security(reader: &Reader<'_>) -> Option<Option<u8>> {
    let entry = reader.entry("ttl_security")?;
    match entry.value().as_bool() {
        Some(true) => Some(Some(1)),
        Some(false) => Some(None),
        None => entry.integer(1u8..=254).map(Some),
    }
}

fn congestion_control(reader: &Reader<'_>) -> Option<String> {
    let (name, entry) = reader.string("congestion_control")?;
    // TCP_CA_NAME_MAX of Linux, with its final zero.
    if name.is_empty() || name.len() > 15 || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
        return entry.expected("the name of a congestion control such as \"cubic\"");
    }
    Some(name.to_owned())
}

/// The first line of the file. The key itself is in no message.
fn password(reader: &Reader<'_>) -> Option<Secret> {
    let (name, entry) = reader.string("password_file")?;
    let file: PathBuf = reader.source().folder().join(name);
    let text = match regular_file::read(&file, KEY_FILE_OCTETS_MAX) {
        Ok(text) => text,
        Err(error) => {
            entry.error(
                format!("cannot read {}: {error}", file.display()),
                "paths start from this file's folder",
            );
            return None;
        }
    };
    let end = text
        .iter()
        .position(|octet| matches!(octet, b'\n' | b'\r'))
        .unwrap_or(text.len());
    let key = text.get(..end).unwrap_or_default();
    if key.is_empty() || key.len() > PASSWORD_LEN_MAX {
        let what = format!(
            "the first line of {} has {} octets",
            file.display(),
            key.len()
        );
        entry.error(what, &format!("a TCP MD5 key has 1 to {PASSWORD_LEN_MAX}"));
        return None;
    }
    if is_open_to_all(&file) {
        entry.warning(
            format!("{} can be read by everyone", file.display()),
            "chmod 600 it",
        );
    }
    Some(Secret::new(key))
}

fn is_open_to_all(file: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

impl LimitOptions {
    fn read(reader: Reader<'_>) -> LimitOptions {
        let [mut v4, mut v6] = [FamilyLimitOptions::default(), FamilyLimitOptions::default()];
        if let Some(table) = reader.table("ipv4") {
            v4 = FamilyLimitOptions::read(table);
        }
        if let Some(table) = reader.table("ipv6") {
            v6 = FamilyLimitOptions::read(table);
        }
        let octets = ATTRIBUTE_OCTETS_LEAST..=u32::MAX;
        let attribute_octets_max = reader.limit("attribute_octets_max", octets);
        let restart_s = reader.limit("restart", 1..=604_800);
        let updates_per_s = reader.limit("updates_per_s", 1..=1_000_000);
        reader.finish();
        LimitOptions {
            families: [v4, v6],
            attribute_octets_max,
            restart_s,
            updates_per_s,
        }
    }

    /// The preset "lab" has no limits but those that are said.
    /// PeeringDB's (`suggested`) are weaker than a client's own, and stronger than what all have.
    pub fn resolve(
        &self,
        defaults: &LimitOptions,
        preset: Option<Preset>,
        suggested: [Option<u32>; 2],
    ) -> Limits {
        let unless_lab = |max: u32| match preset {
            Some(Preset::Lab) => Limit::None,
            Some(Preset::Exchange) | None => Limit::Of(max),
        };
        let families = Family::ALL.map(|family| {
            let (own, inherited) = (
                &self.families[family.index()],
                &defaults.families[family.index()],
            );
            let received_max = unless_lab(RECEIVED_MAX[family.index()]);
            PrefixLimits {
                received_max: own
                    .received_max
                    .or(suggested[family.index()].map(Limit::Of))
                    .or(inherited.received_max)
                    .unwrap_or(received_max)
                    .max(),
                accepted_max: own
                    .accepted_max
                    .or(inherited.accepted_max)
                    .unwrap_or(Limit::None)
                    .max(),
                accepted_action: own
                    .accepted_action
                    .or(inherited.accepted_action)
                    .unwrap_or_default(),
            }
        });
        let restart_s = self
            .restart_s
            .or(defaults.restart_s)
            .unwrap_or(Limit::Of(LIMIT_RESTART_S));
        let attribute_octets_max = self
            .attribute_octets_max
            .or(defaults.attribute_octets_max)
            .unwrap_or(unless_lab(ATTRIBUTE_OCTETS_MAX));
        Limits {
            families,
            attribute_octets_max: attribute_octets_max.max(),
            updates_per_s: (self.updates_per_s.or(defaults.updates_per_s)).and_then(Limit::max),
            restart: restart_s
                .max()
                .map(|seconds| Duration::from_secs(u64::from(seconds))),
        }
    }
}

impl FamilyLimitOptions {
    fn read(reader: Reader<'_>) -> FamilyLimitOptions {
        let actions = [
            ("warn", LimitAction::Warn),
            ("block", LimitAction::Block),
            ("reject", LimitAction::Reject),
            ("shutdown", LimitAction::Shutdown),
            ("restart", LimitAction::Restart),
        ];
        let options = FamilyLimitOptions {
            received_max: reader.limit("received_max", 1..=u32::MAX),
            accepted_max: reader.limit("accepted_max", 1..=u32::MAX),
            accepted_action: reader.one_of("accepted_action", &actions),
        };
        reader.finish();
        options
    }
}

impl AttributeOptions {
    pub fn read(reader: Reader<'_>) -> AttributeOptions {
        let options = AttributeOptions {
            discard: type_codes(&reader, "discard"),
            treat_as_withdraw: type_codes(&reader, "treat_as_withdraw"),
        };
        reader.finish();
        options
    }

    /// The server's hold for everyone; a client's replace those of `[defaults]`.
    pub fn resolve(&self, defaults: &AttributeOptions, server: &Attributes) -> Attributes {
        let both = |own: Option<TypeCodes>, inherited: Option<TypeCodes>, server: TypeCodes| {
            own.or(inherited)
                .unwrap_or_default()
                .iter()
                .chain(server.iter())
                .collect::<TypeCodes>()
        };
        Attributes {
            discard: both(self.discard, defaults.discard, server.discard),
            treat_as_withdraw: both(
                self.treat_as_withdraw,
                defaults.treat_as_withdraw,
                server.treat_as_withdraw,
            ),
        }
    }
}

fn type_codes(reader: &Reader<'_>, key: &'static str) -> Option<TypeCodes> {
    let read = |entry: &Entry<'_>| {
        let type_code: u8 = entry.integer(1..=255)?;
        let carries_routes = matches!(
            type_code,
            code::ORIGIN
                | code::AS_PATH
                | code::NEXT_HOP
                | code::MP_REACH_NLRI
                | code::MP_UNREACH_NLRI
        );
        if carries_routes {
            let what = format!(
                "attribute {type_code} is part of every route or carries the routes themselves"
            );
            entry.error(what, "name another, or disable the client");
            return None;
        }
        Some(type_code)
    };
    reader
        .list(key, read)
        .map(|codes| codes.into_iter().collect())
}
