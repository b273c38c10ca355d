//! The JSON of birdwatcher, as Alice-LG reads it (alice-lg, `pkg/sources/birdwatcher`).

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::base::Family;

use super::super::glass::{Moment, Scope, Session, Shown, plain, table_name};

/// BIRD's preference of BGP routes, and its LOCAL_PREF where none is said.
const PREFERENCE: u32 = 100;

#[derive(Serialize)]
struct Route<'a> {
    network: &'a str,
    /// Alice-LG takes for a session's rejected routes only those with one gateway: the session's
    /// address, whatever the next hop.
    gateway: IpAddr,
    interface: &'a str,
    from_protocol: &'a str,
    age: &'a str,
    learnt_from: &'a str,
    primary: bool,
    metric: u32,
    #[serde(rename = "type")]
    kind: [&'a str; 3],
    bgp: Bgp<'a>,
}

/// Numbers are strings, but for those in communities.
#[derive(Serialize)]
struct Bgp<'a> {
    origin: &'a str,
    as_path: &'a [String],
    next_hop: IpAddr,
    local_pref: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    med: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregator: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    otc: Option<String>,
    #[serde(skip_serializing_if = "is_empty")]
    communities: &'a [[u16; 2]],
    #[serde(skip_serializing_if = "is_empty")]
    large_communities: &'a [[u32; 3]],
    #[serde(skip_serializing_if = "is_empty")]
    ext_communities: &'a [[String; 3]],
}

fn is_empty<T>(list: &[T]) -> bool {
    list.is_empty()
}

fn route(shown: &Shown) -> Route<'_> {
    Route {
        network: &shown.network,
        gateway: shown.address,
        interface: "none",
        from_protocol: &shown.from,
        age: &shown.since,
        learnt_from: "",
        primary: shown.is_primary,
        metric: PREFERENCE,
        kind: ["BGP", "unicast", "univ"],
        bgp: Bgp {
            origin: shown.origin,
            as_path: &shown.as_path,
            next_hop: shown.next_hop,
            local_pref: PREFERENCE.to_string().into(),
            med: shown.med.map(|med| med.to_string()),
            aggregator: shown.aggregator.as_deref(),
            otc: shown.otc.map(|asn| asn.to_string()),
            communities: &shown.communities,
            large_communities: &shown.large_communities,
            ext_communities: &shown.extended_communities,
        },
    }
}

pub fn write_route(shown: &Shown, out: &mut Vec<u8>) {
    // Neither writing to memory nor strings as keys can fail.
    let _ = serde_json::to_writer(out, &route(shown));
}

pub fn route_value(shown: &Shown) -> Value {
    serde_json::to_value(route(shown)).unwrap_or_default()
}

fn counts(session: &Session, moment: &Moment, scope: Scope) -> Value {
    json!({
        "imported": session.accepted(scope),
        "filtered": session.rejected(scope),
        "exported": moment.exported(session, scope),
        "preferred": session.accepted(scope),
    })
}

pub fn protocol(session: &Session, moment: &Moment) -> Value {
    let (view, scope) = (&session.view, moment.scope);
    let channel = |family: Family| {
        let routes = counts(session, moment, Scope(Some(family)));
        let channel = json!({
            "table": table_name(family),
            "routes": routes,
            "routes_count": routes,
        });
        (family.name().to_owned(), channel)
    };
    let channels: Map<String, Value> = session.families(scope).into_iter().map(channel).collect();
    let mut protocol = json!({
        "protocol": session.name,
        "bird_protocol": "BGP",
        "table": session.table(scope),
        "state": session.state(),
        "state_changed": plain(moment.calendar.date(session.since)),
        "connection": view.state,
        "bgp_state": view.state,
        "description": view.name,
        "neighbor_address": view.address,
        "neighbor_as": view.asn,
        "preference": PREFERENCE,
        "session": if view.four_octet { "external route-server AS4" } else { "external route-server" },
        "routes": counts(session, moment, scope),
        "route_changes": {},
        "channels": channels,
        "last_error": view.last_error.as_deref().unwrap_or_default(),
    });
    if let Some(router_id) = view.router_id {
        protocol["neighbor_id"] = json!(router_id);
    }
    if view.is_established() {
        protocol["hold_timer"] = json!(view.hold_time_s.to_string());
    }
    if let Some(limit) = session.import_limit(scope) {
        protocol["import_limit"] = json!(limit);
        protocol["route_limit"] = json!(format!("{}/{limit}", session.received(scope)));
        protocol["action"] = json!("restart");
    }
    protocol
}

pub fn protocol_short(session: &Session, moment: &Moment) -> Value {
    json!({
        "proto": "BGP",
        "table": session.table(moment.scope),
        "state": session.state(),
        "since": plain(moment.calendar.date(session.since)),
        "info": session.view.state,
    })
}
