//! `[[client]]`: what is its own, together with what it inherits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::{Asn, Family, FamilySet};

use super::feeds::rtt_us;
use super::looking_glass;
use super::model::{Attributes, ClientConfig};
use super::options::Options;
use super::reader::{Entry, Reader};

const HOLD_TIME_S: u16 = 90;
pub const CONNECT_RETRY_S: u16 = 30;
pub const IDLE_HOLD_S: u16 = 1;
pub const IDLE_HOLD_MAX_S: u16 = 60;
/// A start takes seconds; what takes long is until the last client has connected again.
pub const GRACEFUL_RESTART_S: u16 = 120;

/// RFC 9003 §2.
const SHUTDOWN_MESSAGE_LEN_MAX: usize = 255;

const NAME_LEN_MAX: usize = 64;

/// What holds for all clients and stands in other sections.
pub struct ForClients {
    pub attributes: Attributes,
    pub obeys_well_known: bool,
    /// Microseconds.
    pub rtts: HashMap<IpAddr, u32>,
    pub peeringdb: HashMap<Asn, [Option<u32>; 2]>,
}

/// A name is empty until [`name_all`].
pub fn read(reader: Reader<'_>, defaults: &Options, server: &ForClients) -> Option<ClientConfig> {
    let asn = reader.required("asn", "64496", asn);
    let own_address = reader.required("address", "\"192.0.2.1\"", address);
    let name = reader.entry("name").and_then(|entry| name(&entry));
    let session_name = reader
        .entry("session_name")
        .and_then(|entry| looking_glass::session_name(&entry));
    let next_hops = reader.list("next_hops", address).unwrap_or_default();
    let port = reader.integer("port", 1..=65_535).unwrap_or(179);
    let quarantine = reader.bool("quarantine").unwrap_or_default();
    let disabled = disabled(&reader);
    let rtt_us = reader.entry("rtt_ms").and_then(|entry| rtt(&entry));
    let own = Options::read(&reader);
    let place = reader.place().clone();
    reader.finish();
    let (asn, address) = (asn?, own_address?);
    let family = if address.is_ipv4() {
        Family::Ipv4
    } else {
        Family::Ipv6
    };
    let preset = own.import.preset.or(defaults.import.preset);
    let suggested = server.peeringdb.get(&asn).copied().unwrap_or_default();
    let limits = own.limits.resolve(&defaults.limits, preset, suggested);
    let idle_hold_s = own
        .idle_hold_s
        .or(defaults.idle_hold_s)
        .unwrap_or(IDLE_HOLD_S);
    let idle_hold_max_s = own
        .idle_hold_max_s
        .or(defaults.idle_hold_max_s)
        .unwrap_or(IDLE_HOLD_MAX_S);
    Some(ClientConfig {
        place,
        asn,
        address,
        name: name.unwrap_or_default(),
        session_name: session_name.unwrap_or_default(),
        next_hops,
        port,
        disabled,
        quarantine,
        password: own.password.or_else(|| defaults.password.clone()),
        families: own
            .families
            .or(defaults.families)
            .unwrap_or(FamilySet::only(family)),
        hold_time_s: own
            .hold_time_s
            .or(defaults.hold_time_s)
            .unwrap_or(HOLD_TIME_S),
        passive: own.passive.or(defaults.passive).unwrap_or(true),
        add_path: own.add_path.or(defaults.add_path).unwrap_or(false),
        hide_own_as: own.hide_own_as.or(defaults.hide_own_as).unwrap_or(false),
        extended_messages: own
            .extended_messages
            .or(defaults.extended_messages)
            .unwrap_or(true),
        role: own.role.or(defaults.role).unwrap_or_default(),
        prepend_rs_as: own
            .prepend_rs_as
            .or(defaults.prepend_rs_as)
            .unwrap_or(false),
        ipv6_next_hops: own
            .ipv6_next_hops
            .or(defaults.ipv6_next_hops)
            .unwrap_or(false),
        obeys_well_known: own
            .obeys_well_known
            .or(defaults.obeys_well_known)
            .unwrap_or(server.obeys_well_known),
        takes_blackholes: own
            .takes_blackholes
            .or(defaults.takes_blackholes)
            .unwrap_or(true),
        rtt_us: rtt_us.or(server.rtts.get(&address.to_canonical()).copied()),
        matrix: own.matrix.resolve(&defaults.matrix),
        irr: own.irr.resolve(&defaults.irr),
        connect_retry_s: own
            .connect_retry_s
            .or(defaults.connect_retry_s)
            .unwrap_or(CONNECT_RETRY_S),
        idle_hold_s,
        idle_hold_max_s: idle_hold_max_s.max(idle_hold_s),
        send_hold_time_s: own.send_hold_time_s.or(defaults.send_hold_time_s),
        graceful_restart_s: own
            .graceful_restart_s
            .or(defaults.graceful_restart_s)
            .unwrap_or(GRACEFUL_RESTART_S),
        graceful_restart_helper_s: own
            .graceful_restart_helper_s
            .or(defaults.graceful_restart_helper_s)
            .unwrap_or_default(),
        llgr_max_s: [0, 1].map(|family| {
            let own: Option<u32> = own.llgr_max_s[family];
            own.or(defaults.llgr_max_s[family]).unwrap_or_default()
        }),
        ttl_security_hops: own.ttl_security.or(defaults.ttl_security).flatten(),
        congestion_control: own
            .congestion_control
            .or_else(|| defaults.congestion_control.clone()),
        import: own.import.resolve(&defaults.import),
        limits: limits.families,
        attribute_octets_max: limits.attribute_octets_max,
        limit_restart: limits.restart,
        updates_per_s: limits.updates_per_s,
        min_advertisement: own
            .min_advertisement_ms
            .or(defaults.min_advertisement_ms)
            .filter(|ms| *ms > 0)
            .map(|ms| Duration::from_millis(ms.into())),
        attributes: own
            .attributes
            .resolve(&defaults.attributes, &server.attributes),
    })
}

/// Any ASN that may speak BGP: not 0 (RFC 7607), AS_TRANS, nor the last ones (RFC 7300).
pub fn asn(entry: &Entry<'_>) -> Option<Asn> {
    let asn = Asn(entry.integer(1..=u32::MAX)?);
    if asn == Asn::TRANS || matches!(asn.0, 65_535 | u32::MAX) {
        entry.error(format!("{asn} is reserved"), "no router speaks for it");
        return None;
    }
    Some(asn)
}

fn address(entry: &Entry<'_>) -> Option<IpAddr> {
    let address: IpAddr = entry.parsed("an address such as \"192.0.2.1\" or \"2001:db8::1\"")?;
    let address = address.to_canonical();
    if address.is_unspecified() || address.is_multicast() {
        return entry.expected("the address of one host");
    }
    Some(address)
}

fn name(entry: &Entry<'_>) -> Option<String> {
    let expected = "a name of letters, digits and . _ - (at most 64)";
    let Some(text) = entry.value().as_str() else {
        return entry.expected(expected);
    };
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'_' | b'-');
    if text.is_empty()
        || text.len() > NAME_LEN_MAX
        || !text.bytes().all(plain)
        || text.parse::<IpAddr>().is_ok()
    {
        return entry.expected(expected);
    }
    Some(text.to_owned())
}

/// Milliseconds, whole ones or not.
fn rtt(entry: &Entry<'_>) -> Option<u32> {
    let value = entry.value();
    let float = value.as_float().map(|float| float.as_str());
    let text = float.or(value.as_integer().map(|integer| integer.as_str()));
    let ms = text.and_then(|text| text.parse().ok());
    ms.and_then(rtt_us)
        .or_else(|| entry.expected("a number of milliseconds such as 5.3"))
}

/// `disabled = true` with `shutdown_message`.
fn disabled(reader: &Reader<'_>) -> Option<String> {
    let message = reader.string("shutdown_message").map(|(text, entry)| {
        if text.len() > SHUTDOWN_MESSAGE_LEN_MAX {
            entry.error(format!("has {} octets", text.len()), "RFC 9003 allows 255");
        }
        text.to_owned()
    });
    reader
        .bool("disabled")?
        .then(|| message.unwrap_or_default())
}

/// Gives names to those without: `AS64500-1` for the first session of its ASN in the files.
pub fn name_all(mut clients: Vec<ClientConfig>) -> Vec<ClientConfig> {
    let mut counts: HashMap<Asn, u32> = HashMap::new();
    for client in &mut clients {
        let count = counts.entry(client.asn).or_default();
        *count += 1;
        if client.name.is_empty() {
            client.name = format!("AS{}-{count}", client.asn);
        }
    }
    clients
}
